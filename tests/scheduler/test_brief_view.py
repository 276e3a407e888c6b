"""A day as Markdown: everything is there, and nothing that a page says is markup."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from scheduler.views import brief_view as page
from storage.model import BlindPeriod
from storage.query.brief import (
    Brief,
    BriefArticle,
    BriefCorrection,
    BriefProvince,
)

CLAIM = {
    "kind": "killed",
    "number": 1200,
    "qualifier": "at least",
    "said_by": "a doctor",
    "sentence": "They died.",
}


def told(**changes: object) -> BriefArticle:
    values = {
        "id": 7, "title": "Mine", "source": "alpha", "url": "https://alpha.example/1", "at": "2026-11-21T06:05:00Z", "language": "en",
        "reports": 3, "withdrawn_at": None, "also": ("Kunduz",), "claims": (CLAIM,),
    }  # fmt: skip
    return BriefArticle(**(values | changes))


def brief(
    *articles: BriefArticle,
    corrected: tuple[BriefCorrection, ...] = (),
    blind: tuple[BlindPeriod, ...] = (),
) -> Brief:
    return Brief(
        since="2026-11-21T00:00:00Z", until="2026-11-22T00:00:00Z", places=(), reports=3, articles=1, independent=1,
        provinces=(BriefProvince(code="AF27", name="Kandahar", independent=1, articles=articles),), corrected=corrected, blind=blind,
    )  # fmt: skip


def test_a_day_reads_from_the_numbers_to_what_was_not_seen() -> None:
    """Headings, articles with carriers, claims with who says so and that they are unverified, corrections, blindness."""
    change = BriefCorrection(
        article_id=7, at="2026-11-21T09:00:00Z", what="revised", detail="", title="Mine kills 11", former_title="Mine kills 8",
        edits=(("kills 8", "kills 11"),), source="alpha", url="https://alpha.example/1",
    )  # fmt: skip
    gap = BlindPeriod(
        source=None,
        from_at=datetime(2026, 11, 21, 1, tzinfo=UTC),
        to_at=None,
        reason="service down",
    )
    text = "\n".join(page.to_markdown(brief(told(), corrected=(change,), blind=(gap,))))
    for words in (
        "# The press on Saturday, 21 November 2026", "3 reports of 1 article, 1 independent", "## Kandahar: 1 article, 1 independent",
        "**Mine** (alpha, 06:05 UTC, carried in 3 places, also names Kunduz; article 7) <https://alpha.example/1>",
        "unverified: **at least 1,200 killed**, says a doctor", "was titled: Mine kills 8", 'said "kills 8", says "kills 11"',
        "**everything**, from 2026-11-21 01:00 and still",
    ):  # fmt: skip
        assert words in text


def test_a_long_day_is_cut_and_says_so() -> None:
    """A province shows its most carried articles, and how many more there are."""
    text = "\n".join(page.to_markdown(brief(*(told(id=n) for n in range(25)))))
    assert "- and 5 more articles" in text


@given(st.text(max_size=80))
def test_strangers_words_are_never_markup(words: str) -> None:
    """Every mark of Markdown stands escaped, on one line, with no character that steers a terminal."""
    shown = page.escape_markdown(words)
    assert not re.search(
        r"(?<!\\)(?:\\\\)*[`*_\[\]<>#|~]",
        re.sub(r"\\[^\\]", "", shown.replace("\\\\", "")),
    )
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", shown)


@given(st.text(max_size=60))
def test_an_address_ends_where_it_ends(rest: str) -> None:
    """Nothing in it closes the brackets or starts a new line.

    Other schemes are no links.
    """
    shown = page.format_link("https://a.example/" + rest)
    assert re.fullmatch(r"<[!-~]+>", shown)
    assert shown.count("<") == shown.count(">") == 1
    assert not page.format_link("javascript:" + rest).startswith("<")
