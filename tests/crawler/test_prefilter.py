"""The prefilter.

No page that could be relevant is turned away, whatever its charset, spelling or
packaging.
"""

import json
from html import escape
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import make_page
from crawler.files import captures
from crawler.sources import CrawlSettings
from crawler.topic import prefilter, relevance, scan, vocabulary
from storage.model import Page, Rejection, utc_now

# Written for the tests: no such events.
OFF_TOPIC = "The council of the harbour town spoke about parking, crises and a new bridge; people want more buses. "


def page(
    body: bytes,
    *,
    kind: str = "text/html; charset=utf-8",
    url: str = "https://a.example/1",
) -> Page:
    return make_page(url, body, headers=(("Content-Type", kind),), fetched_at=utc_now())


def html(text: str, title: str = "News") -> str:
    return f"<html><head><title>{title}</title></head><body><p>{OFF_TOPIC * 5}</p><p>{text}</p></body></html>"


def names_afghan(
    told: Page, extra_terms: tuple[tuple[str, str, float], ...] = ()
) -> bool:
    """Whether an Afghan name is seen.

    Where so little is asked for, a name in passing is enough.
    """
    return prefilter.off_topic_reason(told, extra_terms=extra_terms, least=0.1) is None


def test_a_page_without_any_afghan_word_is_turned_away() -> None:
    """Words inside longer ones are none: therapist is not Herat, a Wantage not Want."""
    assert not names_afghan(
        page(html("A therapist in Wantage read the crisis.").encode())
    )


@pytest.mark.parametrize(
    "name",
    [
        "Kabul",
        "KANDAHAR",
        "Afghānistān",
        "Hindu&nbsp;Kush",
        "طالبان",
        "افغانستان",
        "کابل",
        "كابل",
        "هلمندي‌ها هلمند",
    ],
)
def test_a_name_is_seen_however_it_is_written(name: str) -> None:
    """As text, as entities, as JSON escapes, in a meta tag, with invisible marks inside, between tags."""
    plain = name.replace("&nbsp;", " ")
    escaped = json.dumps({"articleBody": f"\n{plain}\nsaid"})
    ways = [
        html(name), html(f"<b>{name}</b>"), html(plain.encode("ascii", "xmlcharrefreplace").decode()),
        html("x").replace("<head>", f"<head><meta property='og:title' content='{escape(plain)}'>"), html(f"<script type='application/ld+json'>{escaped}</script>"),
        html(f"<script type='application/json'>{json.dumps(escaped)}</script>"), html(f"“{plain}”,"), html("\u00ad".join(plain)) if " " not in plain else html(name),
    ]  # fmt: skip
    assert [names_afghan(page(way.encode())) for way in ways] == [True] * len(ways)


def test_the_declared_charset_is_believed() -> None:
    """windows-1256 by header or by the page itself, UTF-16 by its mark."""
    told = html("جنگ در ولايت هلمند و کابل")
    assert names_afghan(
        page(told.encode("windows-1256"), kind="text/html; charset=windows-1256")
    )
    meta = told.replace("<head>", '<head><meta charset="windows-1256">')
    assert names_afghan(page(meta.encode("windows-1256"), kind="text/html"))
    assert names_afghan(page(told.encode("utf-16"), kind="text/html"))


def test_places_that_are_also_words_need_a_cue() -> None:
    """As for relevance: "people want" is no district, "Want district" may be one."""
    assert not names_afghan(page(html("People want a border.").encode()))
    assert names_afghan(page(html("Shelling in Want district.").encode()))


def test_addresses_and_scripts_name_nothing() -> None:
    """What no reader of the page sees: links, classes, advertisers' variables."""
    told = "<a href='/tag/kabul' class='kabul'>Cities</a><script>var kabul = 'Taliban';</script><style>.helmand{}</style>"
    assert not names_afghan(page(html(told).encode()))


def test_what_the_user_added_counts() -> None:
    """A further anchor is looked for as well."""
    told = page(html("The Valley of Larks was quiet.").encode())
    assert not names_afghan(told)
    assert names_afghan(told, extra_terms=(("Valley of Larks", "anchor", 0.9),))


def _names() -> list[str]:
    return sorted(
        {
            t.text
            for t in vocabulary.all_terms()
            if t.group in ("anchor", "place") and t.weight >= 0.3 and not t.flags
        }
    )


def test_a_name_in_passing_is_not_enough() -> None:
    """A country in a form's list is none of ours.

    Beside a word of conflict, again and again, or where less is asked for, it is.
    """
    countries = page(
        b"<title>Shop</title><p>Country: <select><option>Afghanistan<option>Albania</select>"
        + b"<p>More buses." * 50
    )
    assert prefilter.off_topic_reason(countries) == prefilter.IN_PASSING
    assert prefilter.off_topic_reason(countries, least=0.4) is None
    assert (
        prefilter.off_topic_reason(
            page(html("A bomb killed nine soldiers in Afghanistan.").encode())
        )
        is None
    )
    assert (
        prefilter.off_topic_reason(
            page(html("Kabul, Herat, Kandahar and Balkh.").encode())
        )
        is None
    )
    assert (
        prefilter.off_topic_reason(
            page(html("Afghanistan's lark feud.").encode()),
            extra_terms=(("lark feud", "event", 0.9),),
        )
        is None
    )


@example("دُر بابا", "utf-8")  # a form that the gazetteer writes with its vowel sign
@given(st.sampled_from(_names()), st.sampled_from(["utf-8", "windows-1256"]))
@settings(max_examples=100, deadline=None)
def test_every_name_of_the_vocabulary_is_seen(name: str, charset: str) -> None:
    """Any form that relevance may count, in any charset that has its letters."""
    body = html(name).encode(charset, "xmlcharrefreplace")
    assert names_afghan(page(body, kind=f"text/html; charset={charset}"))


@given(st.binary(max_size=2_000))
def test_no_bytes_are_a_fault(body: bytes) -> None:
    """Whatever comes is asked for words."""
    assert names_afghan(page(body)) in (True, False)


def test_no_labelled_report_is_missed(shared: Path) -> None:
    """Every text of the labelled sets that relevance keeps passes as a page."""
    kept = missed = 0
    for file in sorted((shared / "corpora" / "relevance").glob("*.jsonl")):
        for line in file.read_text("utf-8").strip().split("\n"):
            told = json.loads(line)
            title, text = told.get("title") or "", told.get("text") or ""
            if text and relevance.judge(scan.scan_text(title, text)).score >= 0.5:
                kept += 1
                missed += (
                    prefilter.off_topic_reason(
                        page(
                            f"<title>{escape(title)}</title><p>{escape(text)}".encode()
                        )
                    )
                    is not None
                )
    assert kept > 400
    assert missed == 0


def test_what_is_watched_or_kept_anyway_is_read() -> None:
    """Hosts of configured sources pass, and so does everything where relevance is not asked for."""
    told = [page(html("nothing here").encode())]
    [off_topic] = captures.process_captures(
        told, settings=CrawlSettings(), boilerplate={}
    )
    outcome = off_topic.landing.outcome
    assert isinstance(outcome, Rejection)
    assert (outcome.why, outcome.detail, off_topic.was_read) == (
        "irrelevant",
        "no Afghan word in the page",
        False,
    )
    assert captures.process_captures(
        told, settings=CrawlSettings(), boilerplate={}, watched={"a.example"}
    )[0].was_read
    assert captures.process_captures(
        told, settings=CrawlSettings(min_relevance=0.0), boilerplate={}
    )[0].was_read
