"""What is looked for, and how it is written on a command line, in a web address and in a saved search. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from storage.errors import UsageError
from storage.model import to_text

MAX_PAGE_HITS = 1_000
MAX_FIELD_VALUES = 50  # of one field
_MAX_VALUE_CHARS = 1_000  # of one value


class Sort(StrEnum):
    """The order of hits."""

    NEWEST = "newest"
    RANK = "rank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What is looked for.

    Values of one field are alternatives, fields narrow each other.
    """

    words: str = ""  # in the user's language; see storage.query.syntax
    since: datetime | None = None  # of publication, else of first sight; inclusive
    until: datetime | None = None  # exclusive
    sources: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()  # BCP 47; "fa" finds "fa-AF" too
    # Code or name in any spelling; a province finds its districts
    places: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()  # code or name in any spelling
    events: tuple[str, ...] = ()  # code
    # What people called it: `khabar mark ID --tag T`, in any case
    tags: tuple[str, ...] = ()
    min_relevance: float | None = None
    copies: bool = False  # whether copies are hits of their own
    sort: Sort = Sort.NEWEST
    limit: int = 20  # 1 to MOST_A_PAGE
    after: str = ""  # the cursor of the last hit seen


def parse_criteria(values: Mapping[str, Sequence[str]], *, now: datetime) -> Criteria:
    """Criteria of what was typed, by the names of the command line's options.

    Others are not looked at.

    Names: q, since, until, source, lang, place, actor, event, tag, min_relevance,
    copies, sort, limit, after. Raises UsageError that names the value which cannot be
    used.
    """
    return Criteria(
        words=_last_value(values, "q"),
        since=parse_time(_last_value(values, "since"), now=now)
        if _last_value(values, "since")
        else None,
        until=parse_time(_last_value(values, "until"), now=now, end=True)
        if _last_value(values, "until")
        else None,
        sources=_all_values(values, "source"),
        languages=_all_values(values, "lang"),
        places=_all_values(values, "place"),
        actors=_all_values(values, "actor"),
        events=_all_values(values, "event"),
        tags=_all_values(values, "tag"),
        min_relevance=_parse_relevance(_last_value(values, "min_relevance")),
        copies=_last_value(values, "copies").lower() in {"1", "on", "true", "yes"},
        sort=_parse_sort(_last_value(values, "sort")),
        limit=_parse_limit(_last_value(values, "limit")),
        after=_last_value(values, "after"),
    )


def criteria_to_pairs(criteria: Criteria) -> list[tuple[str, str]]:
    """The pairs that `read` takes back, without those that say nothing.

    For addresses and saved searches.
    """
    pairs = [
        ("q", criteria.words),
        ("since", to_text(criteria.since) if criteria.since else ""),
        ("until", to_text(criteria.until) if criteria.until else ""),
        *(("source", value) for value in criteria.sources),
        *(("lang", value) for value in criteria.languages),
        *(("place", value) for value in criteria.places),
        *(("actor", value) for value in criteria.actors),
        *(("event", value) for value in criteria.events),
        *(("tag", value) for value in criteria.tags),
        (
            "min_relevance",
            "" if criteria.min_relevance is None else f"{criteria.min_relevance:g}",
        ),
        ("copies", "1" if criteria.copies else ""),
        ("sort", "" if criteria.sort is Sort.NEWEST else criteria.sort.value),
        ("limit", "" if criteria.limit == Criteria().limit else str(criteria.limit)),
        ("after", criteria.after),
    ]
    return [(name, value) for name, value in pairs if value]


_AGO = re.compile(r"(\d{1,6})\s*(m|h|d|w)", re.ASCII)
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DAYS = {"today": 0, "yesterday": 1}


def parse_time(text: str, *, now: datetime, end: bool = False) -> datetime:
    """A point in time, UTC: `7d`, `24h`, `2w` before now.

    `today`, `yesterday`, `2026-11-01`; ISO 8601.

    A day means its first moment, or with `end` the first of the next one: `until` takes
    its day in. Raises UsageError.
    """
    plain = text.strip()[:40]
    try:
        ago = _AGO.fullmatch(plain.lower())
        if ago:
            return now.astimezone(UTC) - int(ago[1]) * _UNITS[ago[2]]
        if plain.lower() in _DAYS:
            return _midnight(
                now.astimezone(UTC) - timedelta(days=_DAYS[plain.lower()]), end=end
            )
        at = datetime.fromisoformat(plain)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return _midnight(at, end=end) if len(plain) <= len("2026-11-01") else at
    except (ValueError, OverflowError):
        raise UsageError(
            f"{plain!r} is no time; write 2026-11-01, 2026-11-01T06:00Z, 7d, 24h, today or yesterday."
        ) from None


def parse_day(text: str, *, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of a day of UTC, written as for `moment`, and that of the next one. Raises UsageError."""
    first = _midnight(parse_time(text, now=now), end=False)
    return first, first + timedelta(days=1)


def _midnight(at: datetime, *, end: bool) -> datetime:
    return datetime.combine(at.date(), time(), UTC) + timedelta(days=int(end))


def _last_value(values: Mapping[str, Sequence[str]], name: str) -> str:
    given = values.get(name) or [""]
    return given[-1][:_MAX_VALUE_CHARS].strip()


def _all_values(values: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    return tuple(
        value[:_MAX_VALUE_CHARS].strip()
        for value in list(values.get(name) or ())[:MAX_FIELD_VALUES]
        if value.strip()
    )


def _parse_relevance(text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise UsageError(f"{text[:40]!r} is no relevance; write a number from 0 to 1.")
    return number


def _parse_sort(text: str) -> Sort:
    try:
        return Sort(text or Sort.NEWEST)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no order; write newest or rank.") from None


def _parse_limit(text: str) -> int:
    if not text:
        return Criteria().limit
    if not (
        text.isascii() and text.isdecimal() and 1 <= int(text[:10]) <= MAX_PAGE_HITS
    ):
        raise UsageError(
            f"{text[:40]!r} is no limit; write a number from 1 to {MAX_PAGE_HITS}."
        )
    return int(text[:10])
