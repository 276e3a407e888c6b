"""What is looked for, and how people and programs write it.

On a command line, in a web address and in a saved search. Pure.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from storage.errors import UsageError
from storage.model import to_text

MAX_PAGE_HITS = 1_000
MAX_FIELD_VALUES = 50  # of one field, further ones are not read
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
    # Code or name in any spelling; a province finds its districts.
    places: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()  # code or name in any spelling
    events: tuple[str, ...] = ()  # code
    # What people called it: `khabar mark ID --tag T`, in any case.
    tags: tuple[str, ...] = ()
    min_relevance: float | None = None
    copies: bool = False  # whether copies are hits of their own
    sort: Sort = Sort.NEWEST
    limit: int = 20  # 1 to MAX_PAGE_HITS
    after: str = ""  # the cursor of the last hit seen


def parse_criteria(values: Mapping[str, Sequence[str]], *, now: datetime) -> Criteria:
    """Criteria of what was typed, by the names of the command line's options.

    Names: q, since, until, source, lang, place, actor, event, tag, min_relevance,
    copies, sort, limit, after; others are not looked at. Raises UsageError that names
    the value which cannot be used.
    """
    since = until = None
    if _last_value(values, "since"):
        since = parse_time(_last_value(values, "since"), now=now)
    if _last_value(values, "until"):
        until = parse_time(_last_value(values, "until"), now=now, end=True)
    return Criteria(
        words=_last_value(values, "q"),
        since=since,
        until=until,
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
    """The pairs that `parse_criteria` takes back, for addresses and saved searches.

    Fields with their default value are left out.
    """
    pairs = [("q", criteria.words)]
    if criteria.since is not None:
        pairs.append(("since", to_text(criteria.since)))
    if criteria.until is not None:
        pairs.append(("until", to_text(criteria.until)))
    several = {
        "source": criteria.sources,
        "lang": criteria.languages,
        "place": criteria.places,
        "actor": criteria.actors,
        "event": criteria.events,
        "tag": criteria.tags,
    }
    for name, values in several.items():
        pairs += [(name, value) for value in values]
    if criteria.min_relevance is not None:
        pairs.append(("min_relevance", f"{criteria.min_relevance:g}"))
    if criteria.copies:
        pairs.append(("copies", "1"))
    if criteria.sort is not Sort.NEWEST:
        pairs.append(("sort", criteria.sort.value))
    if criteria.limit != Criteria().limit:
        pairs.append(("limit", str(criteria.limit)))
    pairs.append(("after", criteria.after))
    return [(name, value) for name, value in pairs if value]


# Times

_AGO = re.compile(r"(\d{1,6})\s*(m|h|d|w)", re.ASCII)
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DAYS_AGO = {"today": 0, "yesterday": 1}
_MAX_TIME_CHARS = 40


def parse_time(text: str, *, now: datetime, end: bool = False) -> datetime:
    """A point in time, UTC.

    `7d`, `24h`, `2w` before now; `today`, `yesterday`, `2026-11-01`; ISO 8601. A day
    means its first moment, or with `end` the first of the next one: `until` takes its
    day in. Raises UsageError.
    """
    plain = text.strip()[:_MAX_TIME_CHARS]
    try:
        return _parse_time(plain, now=now.astimezone(UTC), end=end)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{plain!r} is no time; write 2026-11-01, 2026-11-01T06:00Z, 7d, 24h, "
            "today or yesterday."
        ) from None


def _parse_time(plain: str, *, now: datetime, end: bool) -> datetime:
    ago = _AGO.fullmatch(plain.lower())
    if ago is not None:
        return now - int(ago[1]) * _UNITS[ago[2]]
    days_ago = _DAYS_AGO.get(plain.lower())
    if days_ago is not None:
        return _midnight(now - timedelta(days=days_ago), end=end)
    at = datetime.fromisoformat(plain)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    at = at.astimezone(UTC)
    if len(plain) <= len("2026-11-01"):
        return _midnight(at, end=end)
    return at


def parse_day(text: str, *, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of a day of UTC and that of the next one.

    Written as for `parse_time`. Raises UsageError.
    """
    first = _midnight(parse_time(text, now=now), end=False)
    return first, first + timedelta(days=1)


def _midnight(at: datetime, *, end: bool) -> datetime:
    """The first moment of a day, or with `end` that of the next one."""
    return datetime.combine(at.date(), time(), UTC) + timedelta(days=int(end))


# Other values


def _last_value(values: Mapping[str, Sequence[str]], name: str) -> str:
    given = values.get(name) or [""]
    return given[-1][:_MAX_VALUE_CHARS].strip()


def _all_values(values: Mapping[str, Sequence[str]], name: str) -> tuple[str, ...]:
    given = list(values.get(name) or ())[:MAX_FIELD_VALUES]
    return tuple(value[:_MAX_VALUE_CHARS].strip() for value in given if value.strip())


def _parse_relevance(text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # NaN is in no range.
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
    # `int` takes digits of all scripts, and four thousand of them are slow.
    limit = 0
    if text.isascii() and text.isdecimal():
        limit = int(text[:10])
    if not 1 <= limit <= MAX_PAGE_HITS:
        raise UsageError(
            f"{text[:40]!r} is no limit; write a number from 1 to {MAX_PAGE_HITS}."
        )
    return limit
