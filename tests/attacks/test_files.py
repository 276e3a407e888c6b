"""Every attack file through a real worker, as a feed and as a page.

An answer, in time, and the worker lives on.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from limits import LONG, MOST_MEGABYTES, MOST_SECONDS, slowness
from targets import SOURCE, check_lead, is_plain

from builders import LIMITS, make_page
from crawler.sources import CrawlSettings
from crawler.visits.documents import PARSERS
from crawler.workers import Task
from storage.model import Document, Landing, Lead, Page, Rejection

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
READ_FEED = Task("crawler.leads.feeds", "parse_feed")
READ_PAGE = Task("crawler.intake", "process_page_in_worker")
KEEP_ALL = CrawlSettings(min_relevance=0)
CONTENT_TYPES = [
    "application/rss+xml",
    "text/xml; charset=zlib_codec",
    "application/feed+json",
    "",
]
OTHER_KINDS = sorted(
    kind for kind, reader in PARSERS.items() if LONG or reader != PARSERS["feed"]
)


def page(body: bytes, kind: str = "text/html") -> Page:
    url = "http://outlet.example/2026/11/a"
    return make_page(url, body, headers=(("Content-Type", kind),), fetched_at=NOW)


@pytest.fixture
def watched(desk):
    """Run a task.

    Afterwards it was in time, within memory, and its worker is the same as before.
    """
    lost, began = desk.pool.lost, time.monotonic()
    yield desk.run
    assert time.monotonic() - began <= MOST_SECONDS * slowness()
    assert desk.megabytes() <= MOST_MEGABYTES
    assert desk.pool.lost == lost


@pytest.mark.parametrize("kind", CONTENT_TYPES if LONG else CONTENT_TYPES[:1])
def test_as_a_feed_it_is_leads_or_an_error(watched, attack, kind):
    """At most 2,000 leads, each with a web address and a printable title, or an error in words."""
    feed = watched(
        READ_FEED,
        attack,
        url=SOURCE.url,
        headers={"Content-Type": kind},
        source=SOURCE,
        now=NOW,
        **LIMITS,
    )
    assert len(feed.leads) <= LIMITS["max_entries"]
    for lead in feed.leads:
        check_lead(lead)
        assert len(lead.title or "") <= 1_000
    assert feed.error is None or is_plain(feed.error)
    assert "root:" not in repr(feed.leads)  # no entity opened a file


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_as_any_other_source_it_is_leads_or_an_error(watched, attack, kind):
    """A section page, a channel: the same promises, under the same limits."""
    source = replace(SOURCE, kind=kind)
    headers = {"Content-Type": "text/html"}
    feed = watched(PARSERS[kind], attack, url=SOURCE.url, headers=headers, source=source, now=NOW, **LIMITS)  # fmt: skip
    assert len(feed.leads) <= LIMITS["max_entries"]
    for lead in feed.leads:
        check_lead(lead)
    assert feed.error is None or is_plain(feed.error)


def test_as_a_list_of_feeds_it_is_addresses_or_an_error(watched, attack):
    """OPML from a stranger."""
    assert watched(Task("crawler.leads.opml", "parse_opml"), attack).unusable >= 0


def test_as_a_page_it_is_an_article_or_a_reason(watched, attack):
    """Text without markup and without what steers, or a rejection with its reason."""
    landing = watched(READ_PAGE, page(attack), None, settings=KEEP_ALL, now=NOW)
    assert isinstance(landing, Landing)
    if isinstance(landing.outcome, Document):
        assert landing.outcome.text.strip()
        assert is_plain(landing.outcome.text, keep="\n")
        assert is_plain(landing.outcome.title or "")
        assert urlsplit(landing.outcome.url).hostname == "outlet.example"
    else:
        assert isinstance(landing.outcome, Rejection)


def test_as_the_full_text_of_a_feed_it_is_an_article_or_a_reason(watched, attack):
    """What stands in for a page that is gone is read under the same limits."""
    body = attack[:500_000].decode("utf-8", "replace")
    lead = Lead(
        url="http://outlet.example/2026/11/b",
        source="fuzz",
        title=body[:300],
        body=body,
    )
    landing = watched(
        READ_PAGE, page(b"<html><body></body></html>"), lead, settings=KEEP_ALL, now=NOW
    )
    assert isinstance(landing.outcome, Document | Rejection)


def test_hidden_instructions_reach_no_text(desk, attacks):
    """What no reader sees is taken out before anybody, person or model, reads the text."""
    body = (attacks / "html/hidden_text_injection.html").read_bytes()
    outcome = desk.run(READ_PAGE, page(body), None, settings=KEEP_ALL, now=NOW).outcome
    assert isinstance(outcome, Document)
    assert "HIDDEN" not in outcome.text


def test_packed_bytes_are_no_text(desk, attacks):
    """A packed file that is served as a page is turned away, not read as letters."""
    for path in sorted((attacks / "bombs").glob("*1gb*.bin")) + sorted(
        (attacks / "bombs").glob("*quine*")
    ):
        outcome = desk.run(
            READ_PAGE, page(path.read_bytes()), None, settings=KEEP_ALL, now=NOW
        ).outcome
        assert isinstance(outcome, Rejection), path.name
