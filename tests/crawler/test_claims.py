"""Promises of claims.

Numbers as a text gives them, what they count, how sure it is, who says so.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.topic import claims, scan


def claimed(text):
    return [
        (claim.kind, claim.number, claim.qualifier)
        for claim in claims.find_claims(scan.scan_text(None, text))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "At least 50 killed in Kabul blast, health ministry says",
            ("killed", 50, "at least"),
        ),
        ("Taliban ambush kills 12 soldiers in Baghlan", ("killed", 12, "")),
        (
            "More than 300 Afghan soldiers crossed into Tajikistan",
            ("crossed", 300, "more than"),
        ),
        (
            "In three days, 10 districts have fallen to the Taliban",
            ("districts_fallen", 10, ""),
        ),
        (
            "Some 1,200 families were displaced by fighting in Kunduz",
            ("displaced", 1200, "about"),
        ),
        ("Twenty-seven militants were killed in Nangarhar clashes", ("killed", 27, "")),
        (
            "Around two hundred police surrendered in Ghazni",
            ("surrendered", 200, "about"),
        ),
        ("The Taliban captured 40 soldiers in Faryab", ("captured", 40, "")),
        ("Gunmen abducted nine bus passengers in Ghor province", ("kidnapped", 9, "")),
        ("دست‌کم ۱۵ تن در انفجار کابل کشته شدند", ("killed", 15, "at least")),
        (
            "بیش از بیست سرباز در درگیری‌های بغلان زخمی شدند",
            ("wounded", 20, "more than"),
        ),
        ("په کندهار برید کې لږ تر لږه اته پولیس ووژل شول", ("killed", 8, "at least")),
        ("د هلمند په جګړه کې ۱۲ تنه ټپیان شوي دي", ("wounded", 12, "")),
    ],
)
def test_a_number_is_read_with_its_kind_and_qualifier(text, expected):
    """Digits of three scripts, number words of three languages, and the words that hedge them."""
    assert expected in claimed(text)


def test_two_numbers_in_a_sentence_keep_their_own_kinds():
    """The dead and the wounded are not mixed up."""
    assert claimed("The attack in Khost killed 11 people and wounded 34") == [
        ("killed", 11, ""),
        ("wounded", 34, ""),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "The attack killed people in Kabul on 15 August 2021",
        "Clashes lasted 12 hours and killed nobody in Kunar",
        "Two attacks killed Afghan soldiers",
        "Taliban fighters killed the governor in 2019",
    ],
)
def test_dates_durations_and_counts_of_things_are_no_casualties(text):
    """A year, a day, hours or attacks near "killed" count no dead."""
    assert not [claim for claim in claimed(text) if claim[0] == "killed"]


def test_a_claim_says_who_says_so_and_quotes_its_sentence():
    """The speaker stands as the text names them, and the sentence whole, so that nobody takes a claim for a fact."""
    text = "Fighting raged in Takhar. At least 20 soldiers were killed, governor Abdullah Qarluq said on Monday."
    (claim,) = claims.find_claims(scan.scan_text(None, text))
    assert claim.said_by == "governor Abdullah Qarluq"
    assert (
        claim.sentence
        == "At least 20 soldiers were killed, governor Abdullah Qarluq said on Monday."
    )


def test_a_pronoun_says_nothing_of_who_says_so():
    """ "He said" points to a sentence that is not quoted.

    Nobody is named rather than a word without a meaning.
    """
    (claim,) = claims.find_claims(
        scan.scan_text(None, "Two Taliban fighters were killed in Baghlan, he said.")
    )
    assert claim.said_by == ""


def test_a_claim_is_told_once():
    """A number that a text repeats is one claim, with its first sentence."""
    text = "A bomb killed 9 people in Kabul. Officials said the bomb killed 9 people."
    (claim,) = claims.find_claims(scan.scan_text(None, text))
    assert claim.sentence == "A bomb killed 9 people in Kabul."


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "killed",
                "12",
                "۹۹۹",
                "999999999999",
                "two",
                "hundred",
                "and",
                "کشته",
                "over",
                ",",
                ".",
                ";",
                "Kabul",
                "بیش",
                "از",
            ]
        ),
        max_size=60,
    )
)
def test_claims_are_bounded_whatever_is_written(words):
    """No text yields more than `MAX_CLAIMS` or a number out of range."""
    found = claims.find_claims(
        scan.scan_text(None, " ".join(["Taliban attack", *words]))
    )
    assert len(found) <= claims.MAX_CLAIMS
    assert all(0 < claim.number <= claims.MAX_CLAIMED_NUMBER for claim in found)
