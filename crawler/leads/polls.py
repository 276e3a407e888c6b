"""How a feed is asked, and what its answer says of asking again.

Request headers, validators, hints. Pure. It imports no parser, since the process that
polls needs it; only workers import `feeds`, with feedparser and lxml behind it.
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
MAX_ETAG_CHARS = 1_024  # case 7: a longer one is not worth keeping
MAX_HTTP_DATE_CHARS = 100
# Case 8: some servers answer 304 to anything (NetNewsWire)
MAX_VALIDATOR_AGE = timedelta(days=8)
# Cases 61 to 66: a feed that asks for less or for more ("max-age" of 16 years was seen)
# is not obeyed beyond these
MIN_POLL_INTERVAL = timedelta(minutes=5)
MAX_HINTED_INTERVAL = timedelta(hours=6)
MAX_SKIPPED_TIME = timedelta(hours=24)  # case 62
MAX_SECONDS = 1e9  # thirty years: what is longer is cut, so that dates can hold it
PERIOD_SECONDS = {
    "hourly": 3_600,
    "daily": 86_400,
    "dayly": 86_400,  # a common misspelling
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
    """The headers of a poll, validators byte for byte, both where both are known.

    User-Agent and Accept-Encoding are the downloader's; cookies and Referer are never
    sent. Rules: cases 1 to 11.
    """
    headers = {"Accept": accept_header(source.kind)} | dict(source.headers)
    if not is_unconditional(state, source, now=now):
        headers |= conditional_headers(state.validators, now)
    return headers


def accept_header(kind: str) -> str:
    """What a source of this kind is asked to answer with."""
    if kind in PAGE_KINDS:
        return ACCEPT_PAGE
    return ACCEPT_FEED


def is_unconditional(state: SourceState, source: Source, *, now: datetime) -> bool:
    """Whether the validators are left out (cases 8, 9).

    They are where the address was edited, and where eight days brought nothing but 304.
    """
    if state.url != source.url:
        return True
    since = state.validators_since
    return since is not None and now - since > MAX_VALIDATOR_AGE


def conditional_headers(validators: Validators, now: datetime) -> dict[str, str]:
    """Headers that ask for an answer only if it has changed.

    A date in the future (2038 is common) or one that is none is never sent back (case 5).
    """
    headers = {}
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators.last_modified:
        modified = _parse_http_date(validators.last_modified)
        if modified is not None and modified <= now + timedelta(days=1):
            headers["If-Modified-Since"] = validators.last_modified
    return headers


def parse_validators(headers: Mapping[str, str]) -> Validators:
    """What the answer gives to ask with next time, as it was written."""
    by_name = _lower_names(headers)
    return Validators(
        etag=_short_and_printable(by_name.get("etag", ""), MAX_ETAG_CHARS),
        last_modified=_short_and_printable(
            by_name.get("last-modified", ""), MAX_HTTP_DATE_CHARS
        ),
    )


def _short_and_printable(value: str, max_chars: int) -> str | None:
    if 0 < len(value) <= max_chars and value.isprintable():
        return value
    return None


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

    `min_interval_seconds` is what to obey.
    """

    ttl: float | None = None
    period: float | None = None
    max_age: float | None = None  # Cache-Control less Age
    expires: float | None = None  # Expires relative to Date
    skip_hours: frozenset[int] = frozenset()  # GMT
    skip_days: frozenset[int] = frozenset()  # Monday is 0

    @property
    def min_interval_seconds(self) -> float | None:
        """The longest of them, between 5 minutes and 6 hours; None where there is none."""
        hinted = (self.ttl, self.period, self.max_age, self.expires)
        longest = max((seconds for seconds in hinted if seconds), default=None)
        if longest is None:
            return None
        at_least = max(longest, MIN_POLL_INTERVAL.total_seconds())
        return min(at_least, MAX_HINTED_INTERVAL.total_seconds())

    @property
    def document_hints(self) -> dict[str, object]:
        """What the document said, for the file: it holds until the document is read again.

        A 304 brings headers and no document.
        """
        hints = {
            "ttl": self.ttl,
            "period": self.period,
            "skip_hours": sorted(self.skip_hours),
            "skip_days": sorted(self.skip_days),
        }
        return {name: value for name, value in hints.items() if value}

    def not_before(self, moment: datetime) -> datetime:
        """The moment, or the first full hour after it that is not to be skipped.

        At most 24 h later, whatever is to be skipped (case 62).
        """
        latest = moment + MAX_SKIPPED_TIME
        later = moment
        while later < latest and self._skips(later):
            full_hour = later.replace(minute=0, second=0, microsecond=0)
            later = full_hour + timedelta(hours=1)
        return min(later, latest)

    def _skips(self, moment: datetime) -> bool:
        gmt = moment.astimezone(UTC)
        return gmt.hour in self.skip_hours or gmt.weekday() in self.skip_days


def parse_hints(
    headers: Mapping[str, str], elements: PollingElements = PollingElements()
) -> PollHints:
    """What headers and document say of the interval (cases 61 to 66).

    RFC 5861's stale-* have no effect. Hours or days that leave none to ask on are not
    believed.
    """
    by_name = _lower_names(headers)
    hours: set[int] = set()
    for hour in elements.skip_hours:
        if hour.isdecimal() and hour.isascii() and int(hour) <= 24:
            hours.add(int(hour) % 24)
    names = [name.lower() for name in elements.skip_days]
    days = {WEEKDAYS.index(name) for name in names if name in WEEKDAYS}
    if len(hours) == 24:
        hours = set()
    if len(days) == 7:
        days = set()
    return PollHints(
        ttl=_positive_number(elements.ttl, unit=60),
        period=_period_seconds(elements),
        max_age=_max_age_seconds(by_name),
        expires=_expires_seconds(by_name),
        skip_hours=frozenset(hours),
        skip_days=frozenset(days),
    )


def recall_hints(state: SourceState, headers: Mapping[str, str]) -> PollHints:
    """What the document that was read last asked for.

    With it goes what the headers of an answer without a document ask for.
    """
    stored = state.hints
    return replace(
        parse_hints(headers),
        ttl=_stored_seconds(stored.get("ttl")),
        period=_stored_seconds(stored.get("period")),
        skip_hours=_stored_numbers(stored.get("skip_hours"), below=24),
        skip_days=_stored_numbers(stored.get("skip_days"), below=7),
    )


def _stored_seconds(value: object) -> float | None:
    if isinstance(value, int | float) and value > 0:
        return float(value)
    return None


def _stored_numbers(value: object, *, below: int) -> frozenset[int]:
    if not isinstance(value, list | tuple):
        return frozenset()
    return frozenset(
        number for number in value if isinstance(number, int) and 0 <= number < below
    )


def has_outrun_polls(state: SourceState, *, found: int, known: int) -> bool:
    """Whether a feed moved on so fast that items were missed between two polls.

    It did where fewer than a third of the items were known, although the source was
    read before (mediacloud's rule).
    """
    return state.last_success_at is not None and known < found and known * 3 < found


def _period_seconds(elements: PollingElements) -> float | None:
    """Seconds out of sy:updatePeriod and updateFrequency, as mediacloud reads them.

    An empty period is daily; "always" sets no limit.
    """
    if elements.period is None:
        return None
    seconds = PERIOD_SECONDS.get(elements.period.strip().lower() or "daily")
    frequency = _positive_number(elements.frequency or "1")
    if seconds is None or frequency is None:
        return None
    return seconds / frequency


def _positive_number(text: str, *, unit: float = 1) -> float | None:
    try:
        number = float(text.strip()[:20]) * unit
    except ValueError:
        return None
    if number > 0:  # False for nan
        return min(number, MAX_SECONDS)
    return None


def _max_age_seconds(headers: Mapping[str, str]) -> float | None:
    """Cache-Control's max-age less Age; None where it forbids keeping the answer."""
    directives: dict[str, str] = {}
    for part in headers.get("cache-control", "")[:1_000].split(","):
        name, _, value = part.partition("=")
        directives[name.strip().lower()] = value.strip(' "')
    if "no-cache" in directives or "no-store" in directives:
        return None
    max_age = _positive_number(directives.get("max-age", ""))
    if max_age is None:
        return None
    age = _positive_number(headers.get("age", "")) or 0.0
    return max(max_age - age, 0.0) or None


def _expires_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds between Date and Expires.

    Without a Date nothing is known, since the server's clock may be off.
    """
    if "no-cache" in headers.get("cache-control", "").lower():
        return None
    expires = _parse_http_date(headers.get("expires", ""))
    date = _parse_http_date(headers.get("date", ""))
    if expires is None or date is None or expires <= date:
        return None
    return (expires - date).total_seconds()


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
    entries: int = 0  # how many there were, with those that gave no lead
