"""Promises of extraction: the article, whole and alone, from a page of any kind.

Or the reason why there is none.
"""

import io
from datetime import UTC, datetime, timedelta

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW, make_page, make_source
from crawler.extraction import extract
from storage.model import Document, Lead, Rejection, RejectionReason

HTML = (("Content-Type", "text/html; charset=utf-8"),)


def page(body, url="https://paper.example/2026/05/12/story", headers=HTML):
    return make_page(url, body, headers=headers)


@pytest.fixture
def read(root):
    """A page of tests/pages, extracted; all of them were written for the tests."""

    def reader(name, **rest):
        return extract.extract(
            page((root / "tests" / "pages" / f"{name}.html").read_bytes()),
            now=NOW,
            **rest,
        )

    return reader


def lines_of(path):
    return [
        line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()
    ]


@pytest.mark.parametrize("name", ["page.html", "page-pasted.html"])
def test_the_seed_page_gives_its_article_line_for_line(shared, name):
    """The page that started the project yields its article, nothing of the form around it, nothing less."""
    found = extract.extract(page((shared / "seed" / name).read_bytes()), now=NOW)
    assert found.text.splitlines() == lines_of(shared / "seed" / "article.txt")


def test_the_seed_feed_gives_its_article_line_for_line(shared):
    """The same text from a feed's body loses the same tail."""
    entry = feedparser.parse(
        io.BytesIO((shared / "seed" / "feed.xml").read_bytes())
    ).entries[0]
    lead = Lead(
        url=entry.link, source="seed", title=entry.title, body=entry.content[0].value
    )
    found = extract.extract_entry(lead, now=NOW)
    assert found.text.splitlines() == lines_of(shared / "seed" / "article.txt")
    assert {cut.rule for cut in found.cuts} == {"syndication"}
    assert found.from_feed


@pytest.mark.parametrize(
    ("name", "first", "last", "count"),
    [
        ("dari", "باشندگان ولسوالی جرم", "ریاست مبارزه با حوادث", 5),
        ("pashto", "د پکتیکا ولایت", "هغه وايي د بند لوړوالی", 4),
        ("urdu", "چمن کے مقامی حکام", "ایک افسر نے بتایا", 3),
        ("syndication", "WAMA (Pajhwok)", "The provincial office says", 4),
        ("live-blog", "Families in Sarkani", "We will follow what happens", 8),
        ("split-body", "Every spring the river", "The foreman has counted", 7),
        ("wide", "A sack of flour", "By the new moon", 7),
    ],
)
def test_a_page_gives_its_article_and_nothing_else(read, name, first, last, count):
    """From the standfirst to the last paragraph, in one line each."""
    lines = read(name).text.splitlines()
    assert lines[0].startswith(first)
    assert lines[-1].startswith(last)
    assert len(lines) == count


def test_dari_keeps_its_joiners(read):
    """The zero-width non-joiner is a letter shape, not a control character."""
    assert "شده‌است" in read("dari").text


def test_every_cut_has_its_rule(read):
    """What was taken out can be shown, with the rule that did it."""
    cuts = {cut.text.split(".")[0]: cut.rule for cut in read("dari").cuts}
    assert cuts["لینک منبع"] == "syndication"
    assert cuts["نشانی ایمیل شما منتشر نخواهد شد"] == "comment form"


def test_how_a_text_was_found_is_told(read):
    """The document says which reader won, what was put back, and by which version of the rules."""
    found = read("live-blog")
    assert found.extracted_how == "trafilatura; 2 headings"
    assert "trafilatura-" in found.extractor


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("paywall", RejectionReason.PAYWALLED),
        ("listing", RejectionReason.LISTING),
        ("script-only", RejectionReason.SCRIPT_ONLY),
        ("lesson", RejectionReason.NOT_AN_ARTICLE),
    ],
)
def test_what_is_no_article_is_rejected_with_its_reason(read, name, why):
    """A rejection is a value that says why."""
    found = read(name)
    assert isinstance(found, Rejection)
    assert found.why is why
    assert found.detail


def test_a_page_within_its_site_names_its_own_address():
    """link rel=canonical is followed within a site where its words are the headline's.

    Another publisher's is told as the origin.
    """
    text = "<p>" + "The mill in the gorge turns again since the ice went. " * 6 + "</p>"
    for target, own, origin in (
        (
            "https://www.paper.example/mill-turns-again",
            "https://www.paper.example/mill-turns-again",
            None,
        ),
        (
            "https://other.example/a-mill-turns",
            "https://paper.example/2026/05/12/story",
            "https://other.example/a-mill-turns",
        ),
        ("https://paper.example/", "https://paper.example/2026/05/12/story", None),
    ):
        head = (
            f'<title>The mill turns again</title><link rel="canonical" href="{target}">'
        )
        body = f"<html><head>{head}</head><body><article><h1>The mill turns again</h1>{text}</article></body></html>"
        found = extract.extract(page(body.encode()), now=NOW)
        assert (found.url, found.origin_url) == (own, origin)


@pytest.mark.parametrize(
    ("head", "url"),
    [
        ('<link rel="canonical" href="https://paper.example/mill-turns">', "https://paper.example/mill-turns"),
        ('<link rel="canonical" href="/mill"><meta property="og:url" content="https://paper.example/m?utm_source=x">',
         "https://paper.example/m"),
        ('<link rel="canonical" href="/mill"><meta property="og:url" content="https://paper.example/mill?utm_source=x">',
         "https://paper.example/mill"),
        ('<link rel="canonical" href="/mill">', ""),
        ("", ""),
    ],
)  # fmt: skip
def test_a_saved_page_has_the_address_that_it_names(head, url):
    """Without an address of its own a page is where it says that it is, or nowhere."""
    text = "<p>" + "The mill in the gorge turns again since the ice went. " * 6 + "</p>"
    body = f"<html><head>{head}</head><body><article>{text}</article></body></html>".encode()
    assert extract.extract(page(body, url="", headers=()), now=NOW).url == url


def test_a_feed_text_tells_its_language():
    """The letters of a feed's text count for more than its tag."""
    body = "<p>" + "د کلي اوسېدونکي وايي چې سړک بېرته خلاص شوی دی. " * 20 + "</p>"
    lead = Lead(url="https://paper.example/x", source="paper", body=body, language="fa")
    assert extract.extract_entry(lead, now=NOW).language == "ps"


def test_the_lead_fills_what_the_page_does_not_say():
    """Title, authors and date of the pointer stand in where the page is silent.

    Its source is the document's.
    """
    text = "<p>" + "The mill in the gorge turns again since the ice went. " * 6 + "</p>"
    lead = Lead(
        url="https://paper.example/x", source="paper", title="The mill", authors=("N. Example",), published_raw="1 May 2026",
        published_at=datetime(2026, 5, 1, tzinfo=UTC), language="en",
    )  # fmt: skip
    source = make_source("paper-en", url="https://paper.example/feed", language="en")
    found = extract.extract(
        page(f"<html><body>{text}</body></html>".encode()),
        lead=lead,
        source=source,
        now=NOW,
    )
    assert (found.title, found.authors, found.source) == (
        "The mill",
        ("N. Example",),
        "paper-en",
    )
    assert (found.published_at, found.published_how, found.language) == (
        lead.published_at,
        "feed",
        "en",
    )


def test_a_short_feed_entry_is_no_article():
    """Fewer than a hundred words are a teaser."""
    lead = Lead(
        url="https://paper.example/x",
        source="paper",
        body="<p>" + "word " * 99 + "</p>",
    )
    assert extract.extract_entry(lead, now=NOW) is None


def test_a_feed_date_in_the_future_is_not_believed():
    """A pointer may be wrong about the day."""
    lead = Lead(
        url="https://paper.example/x", source="paper", body="word " * 120, published_at=NOW + timedelta(days=3)
    )  # fmt: skip
    assert extract.extract_entry(lead, now=NOW).published_at is None


@given(
    st.binary(max_size=400)
    | st.text(max_size=400).map(
        lambda text: f"<html><body><p>{text}<p hidden>".encode()
    )
)
@settings(max_examples=60, deadline=None)
def test_no_bytes_are_a_fault(body):
    """Whatever bytes come, there is a document or a rejection."""
    assert isinstance(extract.extract(page(body), now=NOW), Document | Rejection)
