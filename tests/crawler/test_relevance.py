"""Promises of relevance.

What makes a text coverage of the conflict, what does not, and that the verdict says
why.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.sources import CrawlSettings
from crawler.topic import mentions, relevance, scan

KEPT_FROM = CrawlSettings().min_relevance

ITEMS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "relevance.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def judge(title, text, **rest):
    return relevance.judge(scan.scan_text(title, text, **rest))


def score(title, text="", **rest):
    return judge(title if text else None, text or title, **rest).score


@pytest.mark.parametrize(
    "item", ITEMS, ids=[f"{item['id']}-{item['kind']}" for item in ITEMS]
)
def test_an_item_written_for_the_tests_is_kept_when_it_is_about_the_conflict_and_only_then(
    item,
):
    """Sentences of our own in Dari, Pashto and English, half of them hard negatives, fall on the right side."""
    title = item["title"] if item["title"] != item["text"] else None
    verdict = judge(title, item["text"])
    assert (verdict.score >= KEPT_FROM) == item["conflict"], verdict


@pytest.mark.parametrize(
    "text",
    [
        "Taliban mark a national holiday in Kabul",
        "A guide to the bazaars of Kandahar, Herat and Mazar-e Sharif",
        "طالبان از بازگشایی یک پل در هرات خبر دادند",
        "په کندهار کې د انارو نندارتون پرانستل شو",
    ],
)
def test_neither_the_taliban_nor_a_place_is_enough_alone(text):
    """A text without a word of conflict is not kept, however Afghan it is."""
    assert score(text) < KEPT_FROM


def test_a_conflict_without_anything_afghan_proves_nothing():
    """The words of war alone score nothing at all: there are other wars."""
    assert (
        score(
            "Rocket attack kills twelve soldiers and wounds forty near the front line"
        )
        == 0
    )


def test_the_pakistani_movement_counts_only_when_afghanistan_is_involved():
    """Tehrik-i-Taliban Pakistan in Pakistan is another conflict.

    Across the Durand line it is this one.
    """
    abroad = (
        "Tehreek-e-Taliban Pakistan claims bombing in Lakki Marwat",
        "The Taliban said the attack killed nine police.",
    )
    here = (
        "Drone kills Pakistani Taliban commander in Kunar",
        "Residents of Asadabad district heard the explosion.",
    )
    assert score(*abroad) < KEPT_FROM <= score(*here)


def test_an_unambiguous_attack_is_kept_in_a_text_of_sport_and_an_ambiguous_word_is_not():
    """Suicide bombers do not play cricket; bowlers attack, blast and fire all day."""
    assert (
        score("Suicide bomber kills three outside cricket ground in Khost") >= KEPT_FROM
    )
    assert (
        score("Afghan bowlers attack early and blast Ireland away in T20 opener")
        < KEPT_FROM
    )


def test_killed_by_an_earthquake_is_not_killed_in_a_battle():
    """The same verb counts only where no disaster explains it."""
    assert (
        score("Twelve killed in clashes in Kunar")
        >= KEPT_FROM
        > score("Twelve killed in quake in Kunar")
    )


def test_a_title_weighs_more_than_the_same_sentence_deep_in_a_text():
    """A passing remark at the end of an article on something else does not make it coverage."""
    remark = "Taliban fighters ambushed an army convoy in Helmand."
    rest = "\n".join(
        f"The committee discussed item number {n} of its long agenda at length."
        for n in range(30)
    )
    assert score(remark) >= KEPT_FROM > score("Committee meets", f"{rest}\n{remark}")


def test_length_alone_proves_nothing():
    """Repeating faint hints over a long text does not add up to a verdict."""
    line = "The security of Kabul was discussed by the trade delegation."
    long = "\n".join(f"{line[:-1]} for the {n}th time." for n in range(400))
    assert score("Delegation in Kabul", long) < KEPT_FROM


def test_a_verdict_names_terms_places_parts_and_signed_weights():
    """Kept or not, the reasons say which words spoke for and against, and where they stood."""
    verdict = judge(
        "Taliban ambush convoy in Baghlan",
        "A cricket match was called off, officials said.",
    )
    told = {
        (reason.term, reason.where, reason.kind.partition(":")[0])
        for reason in verdict.reasons
    }
    assert {
        ("Taliban", "title", "actor"),
        ("ambush", "title", "event"),
        ("Baghlan", "title", "place"),
    } <= told
    assert ("cricket", "lead", "negative") in told
    assert all((reason.weight < 0) == reason.kind.startswith(("negative", "elsewhere")) for reason in verdict.reasons
               if reason.weight)  # fmt: skip


def test_a_term_of_the_user_counts_as_one_of_ours():
    """Words and weights of the configuration are added to the vocabulary, for and against."""
    text = "Zaranj smugglers' militia in standoff with Taliban"
    plain = score(text)
    assert score(text, extra_terms=[("standoff", "event", 0.9)]) > plain
    assert score(
        "Taliban attack kills two in Farah city",
        extra_terms=[("Farah city", "negative:local", 1.0)],
    ) < score("Taliban attack kills two in Farah city")


def test_a_scan_serves_verdict_and_mentions_in_any_order():
    """One pass over the text is read by both, and changed by neither."""
    scanned = scan.scan_text(
        "Blast hits Jalalabad", "Two people were wounded, Taliban officials said."
    )
    verdict = relevance.judge(scanned)
    found = mentions.find_mentions(scanned)
    assert relevance.judge(scanned) == verdict
    assert mentions.find_mentions(scanned) == found
    assert {mention.name for mention in found.mentions} >= {"Jalalabad"}


def test_the_seed_article_is_near_certain(shared):
    """The text that started the project scores near 1."""
    assert score((shared / "seed" / "article.txt").read_text(encoding="utf-8")) >= 0.95


WORDS = st.sampled_from(
    [
        "Taliban",
        "Kabul",
        "killed",
        "cricket",
        "گزارش",
        "طالبان",
        "کشته",
        "کابل",
        "برید",
        "وژل",
        "Farah",
        "in",
        "U.S.",
        "12",
        "۳۴",
        ".",
        "!",
        "“",
        "\u200c",
        "ـ",
        "quake",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=40), st.text(max_size=200))
def test_any_text_gets_a_score_between_nothing_and_one(words, noise):
    """Whatever a stranger wrote, the score is a share and the reasons are bounded."""
    verdict = judge(noise[:80], " ".join(words) + noise)
    assert 0 <= verdict.score <= 1
    assert len(verdict.reasons) <= relevance.MAX_REASONS
