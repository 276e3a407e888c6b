"""How a feed is asked, and what its answer says of asking again.

Request headers, validators, hints. Pure.

Light: the process that polls imports this one; only workers import `feeds`, with
feedparser and lxml behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from crawler.sources import Source
from storage.model import Lead, SourceState, Validators

# Feeds first, and never text/html: some servers choose by it (case 10; Miniflux,
# lemon24/reader).
ACCEPT_FEED = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
)
ACCEPT_PAGE = "text/html, application/xhtml+xml, */*;q=0.1"
PAGE_KINDS = frozenset({"section", "telegram"})  # kinds of sources that are web pages
MAX_ETAG_CHARS = 1_024  # case 7
MAX_HTTP_DATE_CHARS = 100
# Case 8: some servers answer 304 to anything (NetNewsWire)
MAX_VALIDATOR_AGE = timedelta(days=8)
MIN_POLL_INTERVAL = timedelta(minutes=5)
MAX_HINTED_INTERVAL = timedelta(hours=6)  # cases 61 to 66
PERIOD_SECONDS = {
    "hourly": 3_600,
    "daily": 86_400,
    "dayly": 86_400,
    "weekly": 604_800,
    "monthly": 2_592_000,
    "yearly": 31_536_000,
}
WEEKDAYS = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)


def poll_headers(
    state: SourceState, source: Source, *, now: datetime
) -> dict[str, str]:
    """The headers of a poll (cases 1 to 11).

    Validators byte for byte, both where both are known.

    User-Agent and Accept-Encoding are the downloader's; cookies and Referer are never
    sent.
    """
    only_if = (
        {}
        if is_unconditional(state, source, now=now)
        else conditional_headers(state.validators, now)
    )
    return {"Accept": accept_header(source.kind)} | dict(source.headers) | only_if


def accept_header(kind: str) -> str:
    """What a source of this kind is asked to answer with."""
    return ACCEPT_PAGE if kind in PAGE_KINDS else ACCEPT_FEED


def is_unconditional(state: SourceState, source: Source, *, now: datetime) -> bool:
    """Whether the validators are left out.

    The address was edited, or eight days brought nothing but 304 (8, 9).
    """
    worn = (
        state.validators_since is not None
        and now - state.validators_since > MAX_VALIDATOR_AGE
    )
    return worn or state.url != source.url


def conditional_headers(validators: Validators, now: datetime) -> dict[str, str]:
    """Headers that ask for an answer only if it has changed."""
    headers = {}
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators.last_modified and _is_past(validators.last_modified, now):
        headers["If-Modified-Since"] = validators.last_modified
    return headers


def parse_validators(headers: Mapping[str, str]) -> Validators:
    """What the answer gives to ask with next time.

    An ETag over 1 KB is not worth keeping (case 7).
    """
    low = _lower_names(headers)
    etag, modified = low.get("etag", ""), low.get("last-modified", "")
    return Validators(
        etag=etag if 0 < len(etag) <= MAX_ETAG_CHARS and etag.isprintable() else None,
        last_modified=modified
        if 0 < len(modified) <= MAX_HTTP_DATE_CHARS and modified.isprintable()
        else None,
    )


def _is_past(text: str, now: datetime) -> bool:
    """A date that is one, and that has been.

    2038 and junk are never sent back (case 5).
    """
    moment = _parse_http_date(text)
    return moment is not None and moment <= now + timedelta(days=1)


def _parse_http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text[:MAX_HTTP_DATE_CHARS])
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingElements:
    """What a feed document says of being polled, as it was written."""

    ttl: str = ""
    period: str | None = None  # sy:updatePeriod, "" where the element is empty
    frequency: str = ""
    skip_hours: tuple[str, ...] = ()
    skip_days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PollHints:
    """How often a publisher wants to be asked, in seconds as it said it.

    `floor` is what to obey.
    """

    ttl: float | None = None
    period: float | None = None
    max_age: float | None = None  # Cache-Control less Age
    expires: float | None = None  # Expires relative to Date
    skip_hours: frozenset[int] = frozenset()  # GMT
    skip_days: frozenset[int] = frozenset()  # Monday is 0

    @property
    def floor(self) -> float | None:
        """The longest of them, between 5 minutes and 6 hours.

        None where nothing was said.
        """
        said = [
            value
            for value in (self.ttl, self.period, self.max_age, self.expires)
            if value
        ]
        return (
            min(
                max(*said, MIN_POLL_INTERVAL.total_seconds()),
                MAX_HINTED_INTERVAL.total_seconds(),
            )
            if said
            else None
        )

    @property
    def document_hints(self) -> dict[str, object]:
        """What the document said, which holds until it is read again.

        A 304 brings headers and no document.
        """
        said = {
            "ttl": self.ttl, "period": self.period, "skip_hours": sorted(self.skip_hours),
            "skip_days": sorted(self.skip_days),
        }  # fmt: skip
        return {name: value for name, value in said.items() if value}

    def not_before(self, moment: datetime) -> datetime:
        """The moment, or the first full hour after it that is not to be skipped, at most 24 h later (case 62)."""
        later = moment
        while self._skips(later) and later - moment < timedelta(hours=24):
            later = later.replace(minute=0, second=0, microsecond=0) + timedelta(
                hours=1
            )
        return min(later, moment + timedelta(hours=24))

    def _skips(self, moment: datetime) -> bool:
        gmt = moment.astimezone(UTC)
        return gmt.hour in self.skip_hours or gmt.weekday() in self.skip_days


def parse_hints(
    headers: Mapping[str, str], said: PollingElements = PollingElements()
) -> PollHints:
    """What headers and document say of the interval (cases 61 to 66).

    RFC 5861's stale-* have no effect.
    """
    low = _lower_names(headers)
    hours = frozenset(
        int(h) % 24
        for h in said.skip_hours
        if h.isdecimal() and h.isascii() and int(h) <= 24
    )
    days = frozenset(
        WEEKDAYS.index(d.lower()) for d in said.skip_days if d.lower() in WEEKDAYS
    )
    return PollHints(
        ttl=_positive_number(said.ttl, 60),
        period=_period_seconds(said),
        max_age=_max_age_seconds(low),
        expires=_expires_seconds(low),
        skip_hours=hours if len(hours) < 24 else frozenset(),
        skip_days=days if len(days) < 7 else frozenset(),
    )


def recall_hints(state: SourceState, headers: Mapping[str, str]) -> PollHints:
    """What the document that was read last asked for, and what the headers of an answer without one do."""
    kept = state.hints
    return replace(
        parse_hints(headers),
        ttl=_stored_seconds(kept.get("ttl")),
        period=_stored_seconds(kept.get("period")),
        skip_hours=_stored_numbers(kept.get("skip_hours"), below=24),
        skip_days=_stored_numbers(kept.get("skip_days"), below=7),
    )


def _stored_seconds(kept: object) -> float | None:
    return float(kept) if isinstance(kept, int | float) and kept > 0 else None


def _stored_numbers(kept: object, *, below: int) -> frozenset[int]:
    numbers = kept if isinstance(kept, list | tuple) else ()
    return frozenset(
        number for number in numbers if isinstance(number, int) and 0 <= number < below
    )


def has_outrun_polls(state: SourceState, *, found: int, known: int) -> bool:
    """Whether fewer than a third of the items were known, although the source was read before (mediacloud's rule)."""
    return state.last_success_at is not None and known < found and known * 3 < found


def _period_seconds(said: PollingElements) -> float | None:
    """sy:updatePeriod and updateFrequency as mediacloud reads them.

    Empty is daily, "always" is as often as we like.
    """
    if said.period is None:
        return None
    seconds = PERIOD_SECONDS.get(said.period.strip().lower() or "daily")
    frequency = _positive_number(said.frequency or "1", 1)
    return seconds / frequency if seconds and frequency else None


def _positive_number(text: str, unit: float) -> float | None:
    try:
        number = float(text.strip()[:20]) * unit
    except ValueError:
        return None
    return min(number, 1e9) if number > 0 else None  # False for nan


def _max_age_seconds(low: Mapping[str, str]) -> float | None:
    directives = {
        name.strip().lower(): value.strip(' "')
        for name, _, value in (
            part.partition("=")
            for part in low.get("cache-control", "")[:1_000].split(",")
        )
    }
    if directives.keys() & {"no-cache", "no-store"} or "max-age" not in directives:
        return None
    age = _positive_number(low.get("age", ""), 1) or 0.0
    most = _positive_number(directives["max-age"], 1)
    return max(most - age, 0.0) or None if most else None


def _expires_seconds(low: Mapping[str, str]) -> float | None:
    """Seconds between Date and Expires.

    Without a Date nothing is known, since the server's clock may be off.
    """
    expires, date = (
        _parse_http_date(low.get("expires", "")),
        _parse_http_date(low.get("date", "")),
    )
    if (
        expires is None
        or date is None
        or "no-cache" in low.get("cache-control", "").lower()
    ):
        return None
    seconds = (expires - date).total_seconds()
    return seconds if seconds > 0 else None


def _lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a source's document showed.

    An `error` reads "class: detail", and then there are no leads.
    """

    kind: str = ""  # rss20, atom10, json, sitemap, sitemapindex ...
    leads: tuple[Lead, ...] = ()
    error: str | None = None
    warnings: tuple[str, ...] = ()
    hints: PollHints = field(default_factory=PollHints)
    newest_at: datetime | None = None
    title: str | None = None
    link: str | None = None
    language: str | None = None
    hub: str | None = None  # WebSub; recorded only (case 67)
    # RFC 5005 prev-archive or next, JSON Feed next_url (case 68)
    next_page: str | None = None
    # Pages of the site that may list more articles, where a source asks for them
    list_pages: tuple[str, ...] = ()
    children: tuple[str, ...] = ()  # of a sitemap index
    # When they were changed, where that is said
    children_changed_at: Mapping[str, datetime] = field(default_factory=dict)
    entries: int = 0
    entries_without_url: int = 0
    home_pages: int = 0
    repeated: int = 0
