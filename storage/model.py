"""The types of the product.

Frozen, slotted, keyword-only types; standard library only. Every datetime is aware and
in UTC. Data from outside (`Lead`, `Page`), what was made of it (`Document`,
`Rejection`) and the stored thing (`Article`, `Copy`, `Capture`) are different types.
Types that only one query returns stand beside that query.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """ISO 8601 UTC ending in `Z`, in whole seconds, as the file has every time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> datetime:
    """The aware UTC datetime that `to_text` wrote. Raises ValueError."""
    return datetime.fromisoformat(text).astimezone(UTC)


class FateKind(StrEnum):
    """What became of a URL.

    Each URL ever pointed to is a pending lead or has exactly one of these.
    """

    ARTICLE = "article"
    COPY = "copy"
    REJECTED = "rejected"
    REFUSED = "refused"
    TOO_OLD = "too_old"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    FORGOTTEN = "forgotten"


class RejectionReason(StrEnum):
    """The reasons beside `rejected` and `refused`."""

    IRRELEVANT = "irrelevant"
    EMPTY = "empty"
    SHORT = "short"  # a few words, no sentence
    LISTING = "listing"
    NOT_AN_ARTICLE = "not_an_article"
    SCRIPT_ONLY = "script_only"
    PAYWALLED = "paywalled"
    UNREADABLE = "unreadable"  # the worker gave up: time, memory, crash
    ROBOTS = "robots"
    ADDRESS = "address"  # not a public address
    SCHEME = "scheme"
    SIZE = "size"


class ChangeKind(StrEnum):
    """The kinds of row in `changes`."""

    NEW = "new"
    REVISED = "revised"
    COPIED = "copied"
    PROMOTED = "promoted"
    SPLIT = "split"
    WITHDRAWN = "withdrawn"
    RECLASSIFIED = "reclassified"
    FORGOTTEN = "forgotten"


# `via` of a lead that a person wants whatever its relevance, and of what it became.
VIA_MARK = "mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """A URL that somebody pointed to, with what they said of it."""

    url: str  # as it was given; requested as it stands
    source: str  # id of the source that pointed to it
    title: str | None = None
    published_at: datetime | None = None
    published_raw: str | None = None  # the date as it was written
    authors: tuple[str, ...] = ()
    language: str | None = None
    summary: str | None = None  # plain text
    # Full text of a feed entry: the article when the page is gone.
    body: str | None = None
    guid: str | None = None
    # Publisher that the entry names (`source` element), URL or name.
    origin: str | None = None
    via: str = "feed"  # feed, sitemap, section, telegram, import, manual, archive
    backfill: bool = False
    # What changes when the entry is edited, where that is more than its title. It is
    # not stored.
    edit_marker: str | None = None
    found_at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLead:
    """A stored lead that has no fate yet."""

    id: int
    lead: Lead
    attempts: int
    poll_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """Where the record of a page that comes from a WARC file stands in that file."""

    path: str  # of the file
    offset: int  # bytes
    length: int  # bytes of its gzip member
    source: str = ""  # for which khabar asked for it; "" where the record says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One response as it came, before anybody read it."""

    url: str  # as requested
    final_url: str  # after redirects
    status: int
    headers: tuple[tuple[str, str], ...]  # latin-1 text, in order; names as sent
    body: bytes  # content-decoded
    fetched_at: datetime
    record: StoredRecord | None = None  # where it comes from a WARC file

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        low = name.lower()
        return next((value for key, value in self.headers if key.lower() == low), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A line or passage that cleaning took out, and the rule that did."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One term that spoke for relevance or against it."""

    term: str
    where: str  # title, lead, body
    weight: float
    kind: str = ""  # actor, event, place, negative ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Relevance of a text to the conflict: 0 to 1, with everything that made it."""

    score: float
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A place, actor or event type that a text names."""

    kind: str  # place, actor, event
    code: str  # gazetteer code, actor id, event id
    name: str
    count: int
    sentence: str = ""  # the first sentence that names it
    # "dateline" or "office" where the text names a place as nothing else: where it was
    # written, where officials sit. "" for the places of the news, actors and events
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A number that a text claims: an unverified hint, never a fact."""

    kind: str  # killed, wounded, captured, displaced, districts_fallen, crossed ...
    number: int
    qualifier: str = ""  # "at least", "more than", "about", "" = as stated
    said_by: str = ""  # who says so, as the text names them
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a page or a feed entry says: a text and everything known about it.

    It is not yet stored.
    """

    url: str  # canonical form (storage.identity.canonical_url)
    source: str
    title: str | None
    text: str  # one line a paragraph or heading, no markup
    authors: tuple[str, ...] = ()
    language: str | None = None  # BCP 47
    published_at: datetime | None = None
    published_how: str | None = None  # feed, jsonld, meta, time, url, text, import
    published_confidence: float | None = None  # 0 to 1
    published_raw: str | None = None
    modified_at: datetime | None = None
    site: str | None = None  # site name
    section: str | None = None
    image: str | None = None  # URL; never fetched
    # Another publisher's URL that rel=canonical or the entry names.
    origin_url: str | None = None
    # Agency or outlet that the text credits: "AFP", "Pajhwok".
    credit: str | None = None
    extracted_how: str = ""  # which method won and why
    extractor: str = ""  # version of the rules that made it
    cuts: tuple[Cut, ...] = ()
    mentions: tuple[Mention, ...] = ()
    claims: tuple[Claim, ...] = ()
    verdict: Verdict = field(default_factory=lambda: Verdict(score=1.0))
    via: str = "feed"
    backfill: bool = False
    # The text is the feed's own, because the page was not to be had.
    from_feed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why something that was read is not an article of ours: a value, not a fault."""

    why: RejectionReason
    detail: str = ""
    url: str | None = None  # canonical, where the page named one
    title: str | None = None
    verdict: Verdict | None = None
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something was not even asked for or not read to its end."""

    why: RejectionReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A fault on the way to a page.

    `final` ends the lead; else it is tried again after `retry_at`.
    """

    detail: str  # "http 503", "timeout", "dns", ...
    final: bool = False
    retry_at: datetime | None = None
    status: int | None = None  # of the HTTP answer, where there was one

    @property
    def gone(self) -> bool:
        """Whether the server says that the page is no more (404, 410).

        An article that was kept is then withdrawn.
        """
        return self.status in (404, 410)


@dataclass(frozen=True, slots=True, kw_only=True)
class TooOld:
    """An item older than the source's `max_age`: noted, not fetched."""

    published_at: datetime


Outcome = Document | Rejection | Refusal | Failure | TooOld


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a server gave to ask conditionally with, byte for byte as it came."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckPlan:
    """When a page is to be asked for again, and with which validators."""

    due_at: datetime
    validators: Validators = field(default_factory=Validators)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """A kept page that is due to be asked for again."""

    document_id: int
    url: str  # as it was asked for
    source: str
    via: str
    feed_published_at: datetime | None  # publication, where the feed gave it
    first_seen_at: datetime
    validators: Validators = field(default_factory=Validators)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """Everything that one visit to a URL brought, to be stored in one transaction."""

    outcome: Outcome
    url: str  # the URL that gets the fate, as given
    source: str
    lead: PendingLead | None = None  # the lead that this ends, if there was one
    page: Page | None = None  # kept as a capture where captures are kept
    # Further URLs that lead here: redirects, rel=canonical.
    aliases: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()  # hashes of the text's lines, for what a host teaches
    # The capture that was read anew: what changes then is our reading, not the page.
    capture_id: int | None = None
    recheck: RecheckPlan | None = None  # of the page, if it is new and kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What the store made of a landing."""

    url: str
    fate: FateKind | None  # None: still pending, to be tried again
    reason: str
    what: ChangeKind | None = None  # the change it made, if any
    document_id: int | None = None
    article_id: int | None = None
    title: str | None = None

    @property
    def poll_column(self) -> str:
        """The column of `polls` in which it counts.

        new, revised, copies, rejected, refused, too_old, failed, pending; else known.
        """
        if self.fate is None:
            return "pending"
        if self.what in _CHANGE_COLUMNS:
            return _CHANGE_COLUMNS[self.what]
        return _FATE_COLUMNS.get(self.fate, "known")


_CHANGE_COLUMNS: Mapping[ChangeKind | None, str] = {
    ChangeKind.NEW: "new",
    ChangeKind.REVISED: "revised",
    ChangeKind.COPIED: "copies",
    # It came as a copy, and took the place of its article's head.
    ChangeKind.PROMOTED: "copies",
}
_FATE_COLUMNS: Mapping[FateKind, str] = {
    FateKind.REJECTED: "rejected",
    FateKind.REFUSED: "refused",
    FateKind.TOO_OLD: "too_old",
    FateKind.FAILED: "failed",
    FateKind.FORGOTTEN: "refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One visit to a source, once its feed, sitemap or section page was read.

    `leads` is everything it showed, in its order. The store counts which of them are
    known.
    """

    source: str
    started_at: datetime
    ended_at: datetime
    status: str  # ok, not_modified, unchanged, empty, error
    http_status: int | None = None
    leads: tuple[Lead, ...] = ()
    # None: keep what is stored; Validators(): forget them.
    validators: Validators | None = None
    body_hash: str | None = None
    bytes: int = 0
    error: str | None = None  # class and detail: "html_instead_of_feed: ..."
    warnings: tuple[str, ...] = ()
    next_check_at: datetime | None = None
    interval: float | None = None  # seconds
    failures: float = 0.0  # the count after this visit
    gone: bool = False  # answered 410: probed weekly
    moved_to: str | None = None  # permanent redirect seen this time
    newest_at: datetime | None = None  # newest publication date that it showed
    manual: bool = False
    # What a backfill's poll shows lands, and the source's own state stays as it was.
    backfill: bool = False
    # What its document asks of polling (`SourceState.hints`); None: keep.
    hints: Mapping[str, object] | None = None
    # Between these times, items may have come and gone.
    unseen: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What the store made of a poll."""

    poll_id: int
    found: int
    known: int
    fresh: tuple[PendingLead, ...]  # leads that are pending now because of this poll


# What a poll becomes once it is known how much of it is new: (found, fresh) -> the poll
# with its next visit.
FinishPoll = Callable[[int, int], Poll]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBefore:
    """How much of what a document shows was met before."""

    shown: int  # distinct things
    known: int  # of them, those that any source pointed to
    own: int  # of them, those that this source pointed to


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What happened to a source so far; what it *is* stands in the configuration."""

    id: str
    name: str
    kind: str  # feed, sitemap, section, telegram
    url: str
    owner: str = ""
    enabled: bool = True
    next_check_at: datetime | None = None  # None: never polled, due at once
    last_poll_at: datetime | None = None
    last_success_at: datetime | None = None
    # When a poll last showed something not seen before.
    last_new_at: datetime | None = None
    newest_at: datetime | None = None
    interval: float | None = None  # seconds
    failures: float = 0.0
    first_failure_at: datetime | None = None
    last_error: str | None = None
    gone: bool = False
    validators: Validators = field(default_factory=Validators)
    # Since when these validators were answered by 304s only.
    validators_since: datetime | None = None
    body_hash: str | None = None
    empty_in_a_row: int = 0
    # Where permanent redirects lead, how often that was seen and since when.
    moved_to: str | None = None
    moved_since: datetime | None = None
    moved_times: int = 0
    # Keys: ttl and period in seconds, skip_hours (GMT), skip_days.
    hints: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that a command handed to the service through the file."""

    id: int
    kind: str  # crawl, import, reprocess, forget
    arguments: Mapping[str, object]
    status: str  # waiting, running, done, failed
    requested_at: datetime
    progress: Mapping[str, object] = field(default_factory=dict)
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Where one raw response stands in the WARC files."""

    id: int
    url: str
    fetched_at: datetime
    digest: str  # sha256 of the body, hex
    file: str  # relative to the captures folder
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Another place that carried an article."""

    id: int
    article_id: int
    url: str
    source: str
    title: str | None
    text: str
    published_at: datetime | None
    seen_at: datetime
    kind: str  # declared, exact, near
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A former state of a document."""

    document_id: int
    number: int
    seen_at: datetime
    title: str | None
    text: str
    capture_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One distinct article: the head of its copies."""

    id: int
    url: str
    source: str
    title: str | None
    authors: tuple[str, ...]
    language: str | None
    published_at: datetime | None
    published_how: str | None
    first_seen_at: datetime
    updated_at: datetime
    revision: int
    text: str
    words: int
    relevance: float
    capture_id: int | None
    document_id: int
    copies: int = 0
    # Keys: credit, origin_url, site, section, cuts ...
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of the append-only log."""

    cursor: int
    at: datetime
    article_id: int
    what: ChangeKind
    document_id: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageYield:
    """What the pages of a source yielded in a time."""

    pages: int = 0  # with a text, and without one where there should have been one
    texts: int = 0
    dated: int = 0  # texts with a publication time
    signed: int = 0  # texts with an author


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTraffic:
    """What a source cost and brought since a time.

    Bytes of pages are those of their kept, packed responses.
    """

    requests: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindPeriod:
    """A time in which nothing was seen: of one source, or of all of them."""

    source: str | None  # None: of all, since the service was down
    from_at: datetime
    to_at: datetime | None  # None: it lasts
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCursor:
    """How far one saved search has come in the log.

    Everything up to `cursor` was delivered, or was not what it looks for.
    """

    id: str
    cursor: int
    delivered: int = 0
    failures: int = 0  # in a row
    next_try_at: datetime | None = None  # None: at once
    last_delivered_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyndicatedReport:
    """One place that carried an article or what may be a version of it."""

    document_id: int
    article_id: int
    url: str
    source: str
    owner: str  # of the source; empty where it has none
    title: str | None
    at: datetime  # publication, else when it was first seen
    is_dated: bool  # whether `at` is the publication
    kind: str  # head, declared, exact, near; probable for another article
    score: float  # 1 for the head
    credit: str | None  # agency or outlet that the text credits
    origin_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Syndication:
    """All that carried an article, in the order of their time."""

    reports: tuple[SyndicatedReport, ...]
    wire: str | None  # whom most of its texts credit
    # Distinct owners among those who carried this very article; none of them is
    # independent of another.
    publishers: int


class Label(StrEnum):
    """What a person can say of a text."""

    RELEVANT = "relevant"
    IRRELEVANT = "irrelevant"
    COPY = "copy"
    NOT_A_COPY = "not_a_copy"
    TAG = "tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person says of a text."""

    label: Label
    what: str | int  # a URL or a number
    other: str | int | None = None  # the other text of a pair
    tag: str = ""
    is_off: bool = False  # of a tag: take it off

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """A correction as a command or a job carries it: its fields by name."""
        return cls(**{**fields, "label": Label(fields["label"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionResult:
    """What became of a correction."""

    label: Label
    url: str
    document_id: int | None
    article_id: int | None
    # One of: kept, restored, queued, dropped, parted, joined, noted, tagged, untagged.
    outcome: str
