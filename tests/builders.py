"""Builders for tests: each makes one valid value of one of the product's types.

A test names the fields that it is about; every other field has a plain default. Where
a source is not named, it is the first label of the address's host: the page
`https://alpha.example/1` is of the source `alpha`. No default depends on the clock.
"""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from crawler.sources import CrawlSettings, Source
from storage.model import (
    Document,
    Landing,
    Lead,
    Mention,
    Outcome,
    Page,
    Poll,
    Rejection,
    RejectionReason,
    SourceState,
)

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
URL = "https://outlet.example/1"
# Written for the tests: no such report was ever published.
TEXT = (
    "Gunmen killed two officers at a checkpoint near Kunduz before dawn, the police of "
    "the province said on Sunday.\n"
    "Nobody claimed the attack.\n"
    "The checkpoint stands where the road to the river leaves the town, and traders "
    "who passed it an hour later told of a burnt car, of broken glass and of guards "
    "who sent everybody back towards the bazaar until the afternoon."
)

# What every reader of a source's documents is given, as the configuration has it
LIMITS = {
    "max_bytes": CrawlSettings().max_feed_size,
    "max_entries": CrawlSettings().max_entries,
}


def source_of(url: str) -> str:
    """The source that a page of this address is of, where a test names none."""
    return (urlsplit(url).hostname or "").partition(".")[0]


def make_document(url: str = URL, text: str = TEXT, **fields: object) -> Document:
    """What was read from a page."""
    given = {"source": source_of(url), "title": "Two officers killed near Kunduz"}
    return Document(url=url, text=text, **(given | fields))


def make_rejection(
    why: RejectionReason = RejectionReason.IRRELEVANT, **fields: object
) -> Rejection:
    """A page that was read and not kept."""
    return Rejection(why=why, **fields)


def make_landing(outcome: Outcome, url: str = "", **fields: object) -> Landing:
    """A page with what it came to; the address is the document's where none is named."""
    url = url or getattr(outcome, "url", None) or URL
    source = getattr(outcome, "source", None) or source_of(url)
    return Landing(outcome=outcome, url=url, **({"source": source} | fields))


def make_lead(url: str = URL, **fields: object) -> Lead:
    """An address that a source showed."""
    given = {"source": source_of(url), "title": "A title", "found_at": NOW}
    return Lead(url=url, **(given | fields))


def make_poll(
    *leads: Lead, source: str = "outlet", at: datetime = NOW, **fields: object
) -> Poll:
    """One visit to a source, which showed these leads and took no time."""
    given = {"started_at": at, "ended_at": at, "status": "ok"}
    return Poll(source=source, leads=leads, **(given | fields))


def make_page(url: str = URL, body: bytes = b"<p>page", **fields: object) -> Page:
    """A response as it came."""
    given = {"final_url": url, "status": 200, "headers": (), "fetched_at": NOW}
    return Page(url=url, body=body, **(given | fields))


def make_source(name: str = "outlet", /, **fields: object) -> Source:
    """A source as the configuration declares it: a feed, unless told otherwise."""
    given = {"kind": "feed", "url": f"https://{name}.example/feed"}
    return Source(id=name, **(given | fields))


def make_source_state(name: str = "outlet", /, **fields: object) -> SourceState:
    """A source as the store knows it."""
    given = {
        "name": name.title(),
        "kind": "feed",
        "url": f"https://{name}.example/feed",
    }
    return SourceState(id=name, **(given | fields))


def make_place(
    code: str, name: str = "", *, count: int = 1, sentence: str = ""
) -> Mention:
    """A place that a text names."""
    return Mention(
        kind="place", code=code, name=name or code, count=count, sentence=sentence
    )
