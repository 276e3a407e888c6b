"""What is fuzzed, and what must hold for any bytes.

The fuzzer and the replay of what it found share these.

Each target takes bytes and raises AssertionError where a promise is broken; any other
exception is a finding too.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from crawler.extraction import clean, extract
from crawler.fetching import robots
from crawler.files import articles
from crawler.leads import feeds
from crawler.sources import CrawlSettings, Source
from storage import identity
from storage.folding import printable
from storage.model import Document, Lead, Page

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = CrawlSettings()
SOURCE = Source(id="fuzz", kind="feed", url="http://outlet.example/feed")
HEADERS = (
    {},
    {"content-type": "application/rss+xml"},
    {"content-type": "text/xml; charset=windows-1256"},
    {"content-type": "application/feed+json"},
)


def read_feed(data: bytes) -> None:
    """Any bytes are a feed or an error.

    Leads are few, and have web addresses and printable titles.
    """
    headers, body = HEADERS[data[0] % len(HEADERS)] if data else {}, data[1:]
    feed = feeds.parse_feed(
        body,
        url=SOURCE.url,
        headers=headers,
        source=SOURCE,
        now=NOW,
        max_bytes=LIMITS.max_feed_size,
        max_entries=LIMITS.max_entries,
    )
    assert len(feed.leads) <= LIMITS.max_entries
    for lead in feed.leads:
        check_lead(lead)
    for url in (feed.link, feed.hub, feed.next_page, *feed.children):
        assert url is None or urlsplit(url).scheme in {"http", "https"}, url


def check_lead(lead: Lead) -> None:
    """What the store may rely on."""
    assert urlsplit(lead.url).scheme in {"http", "https"}, lead.url
    assert lead.title is None or is_plain(lead.title), lead.title
    assert lead.published_at is None or lead.published_at.tzinfo is not None
    assert identity.canonical_url(
        identity.canonical_url(lead.url)
    ) == identity.canonical_url(lead.url)


def extract_page(data: bytes) -> None:
    """Any bytes are a document or a rejection.

    A document's text is plain and its date can be.
    """
    kind = (
        ("text/html", "text/html; charset=windows-1256", "", "application/xhtml+xml")[
            data[0] % 4
        ]
        if data
        else ""
    )
    page = Page(
        url="http://outlet.example/2026/a", final_url="http://outlet.example/2026/a", status=200,
        headers=(("content-type", kind),), body=data[1:], fetched_at=NOW,
    )  # fmt: skip
    found = extract.extract(page, now=NOW)
    if not isinstance(found, Document):
        return
    assert found.text.strip()
    assert is_plain(found.text, keep="\n"), found.text[:200]
    for line in (
        found.title,
        found.site,
        found.section,
        found.credit,
        found.language,
        *found.authors,
    ):
        assert line is None or is_plain(line), line
    assert urlsplit(found.url).scheme in {"http", "https"}
    assert found.published_at is None or found.published_at <= NOW + timedelta(
        days=2
    ), found.published_at


def clean_text(data: bytes) -> None:
    """Cleaning only takes away, and never everything."""
    head, _, text = data.decode("utf-8", "replace").partition("\n")
    cleaned = clean.clean(text, title=head)
    whole = [" ".join(line.split()) for line in printable(text).splitlines()]
    assert bool(cleaned.text) == any(whole)
    assert len(cleaned.text) <= len("\n".join(whole))
    assert is_plain(cleaned.text, keep="\n")
    clean.line_hashes(cleaned.text)


def read_row(data: bytes) -> None:
    """Any line of JSON is an article, a rejection or a warning."""
    row = articles.parse_line(
        1, data, sources={}, settings=CrawlSettings(min_relevance=0), now=NOW
    )
    assert row.landing or row.warnings


def read_robots(data: bytes) -> None:
    """Any robots.txt gives an answer for any path."""
    path, _, body = data.partition(b"\n")
    robots.parse_robots(body, "khabar/0.1").allow(
        f"http://outlet.example/{path.decode('latin-1')}"
    )


def is_plain(text: str, keep: str = "") -> bool:
    """Whether nothing in a text steers a terminal or cannot be stored."""
    return all(char in keep or (ord(char) >= 32 and not 0x7F <= ord(char) <= 0x9F and not 0xD800 <= ord(char) <= 0xDFFF)
               for char in text)  # fmt: skip


TARGETS: dict[str, Callable[[bytes], None]] = {
    "feeds": read_feed,
    "extract": extract_page,
    "clean": clean_text,
    "articles": read_row,
    "robots": read_robots,
}
