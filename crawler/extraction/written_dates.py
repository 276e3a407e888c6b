"""One written date -> a moment in UTC.

The forms that feeds and pages near Afghanistan use. Pure.

Own code and not dateparser: that costs 1.4 s of locale loading in every worker and 10
to 20 s on a hostile string of 10 kB, and it does not know the Afghan month names.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

from crawler.extraction import calendars
from storage.folding import fold, printable

# Characters of a date; "Sunday, 22 November 2026, 10:00:00 AM (GMT+04:30)" has 50
MAX_DATE_CHARS = 120
# No news page is older; earlier dates are zeros and defaults
EARLIEST_DATE = datetime(1995, 1, 1, tzinfo=UTC)
MAX_AHEAD = timedelta(hours=24)  # a clock or a zone may be wrong by a day, not by more

# Written 1405; Gregorian 14xx is never meant on a news page
_JALALI_YEARS = range(1300, 1500)
_WIDEST = timedelta(hours=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDate:
    """A date that somebody wrote, as a moment in UTC.

    A date without a time of day is midnight UTC of that day.
    """

    at: datetime
    how: str  # feed, jsonld, meta, time, url, text
    confidence: float  # 0 to 1
    raw: str  # as it was written, cut and made printable
    exact: bool = True  # False: the day only


class _Day(NamedTuple):
    day: date
    sure: float


_ISO = re.compile(
    r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)(?:\s*t?\s*,?\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?)?"
)
_COMPACT = re.compile(
    r"(?<!\d)(\d{4})(\d{2})(\d{2})(?:t?(\d{2})(\d{2})(\d{2})?)?(?!\d)"
)
_CLOCK = re.compile(
    r"(?<![\d.:])(\d{1,2})(?::|h(?=\d\d\b))(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?(?!\d)"
)
_HALF = re.compile(
    r"\s*(a\.?\s?m\b|p\.?\s?m\b|ق\.?\s?ظ|ب\.?\s?ظ|قبل از ظهر|بعد از ظهر)\.?"
)
_OFFSET = re.compile(r"\s*\(?(?:gmt|utc|ut)?\s*([+\-\u2212])(\d{1,2}):?(\d{2})?(?!\d)")
# "Wed Oct 05 20:04:11 +0000 2011" without its middle
_CLOCKED = re.compile(rf"{_CLOCK.pattern}(?:{_OFFSET.pattern})?")
_NAMED = re.compile(r"\s*\(?([a-z]{1,5})\b")
_EASTERN = re.compile(
    fold(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2})")
    + "|"
    + fold(r"(\d{4}) ?년 ?(\d{1,2}) ?월 ?(\d{1,2})")
)
_TRIPLE = re.compile(
    r"(?<![\d.:/])(\d{1,2})\s?([/.\-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})(?![\d:])"
)
_EPOCH = re.compile(r"(\d{10})(\d{3})?(?:\.\d+)?")
_WORD = re.compile(r"\d+|[^\W\d_]+")
# Ordinal endings, prepositions, and the words for day, month and year that stand
# between the figures.
_FILLERS = frozenset(
    fold(
        "st|nd|rd|th|er|de|del|of|den|the|el|le|a|e|ه|م|د|کال|سال|ماه|نېټه|میاشتې"
    ).split("|")
)


def parse_date(
    text: str,
    *,
    now: datetime,
    language: str | None = None,
    zone: str | None = None,
    day_first: bool | None = None,
    how: str = "text",
) -> ParsedDate | None:
    """The moment that the text names, or None if it names none between 1995 and a day from now.

    `language` settles month names and the order of 03/04/2021 (English: month first) unless `day_first` does; `zone`
    (IANA) holds for dates that name no zone, else UTC. Only the first 120 characters are read. Never raises.
    """
    raw = printable(text[:MAX_DATE_CHARS]).strip()
    folded = fold(raw)
    spoken = (language or "").lower().split("-")[0] or None
    first = day_first if day_first is not None else spoken != "en"
    home = calendars.load_zone(zone)
    found = (
        _stamp(folded)
        or _iso(folded, home)
        or _written(folded, home, language=spoken, day_first=first, now=now)
    )
    return (
        replace(found, how=how, raw=raw)
        if found and EARLIEST_DATE <= found.at <= now + MAX_AHEAD
        else None
    )


def _stamp(text: str) -> ParsedDate | None:
    """Seconds or milliseconds since 1970, as some JSON writes them."""
    match = _EPOCH.fullmatch(text)
    return match and ParsedDate(
        at=datetime.fromtimestamp(int(match[1]), UTC), how="", confidence=0.9, raw=""
    )


def _iso(text: str, home: tzinfo | None) -> ParsedDate | None:
    """Year first: ISO 8601 and its relatives, Solar Hijri when the year is."""
    match = _ISO.search(text) or _COMPACT.match(text)
    day = match and _calendar_day(int(match[1]), int(match[2]), int(match[3]))
    if not match or not day:
        return None
    if match[4] is None:
        return _on(
            _Day(day, 0.95), text[: match.start()] + " " + text[match.end() :], home
        )
    clock = _clock(match[4], match[5], match[6])
    return _at(_Day(day, 1.0), clock, text[match.end() :], home)


def _written(
    text: str,
    home: tzinfo | None,
    *,
    language: str | None,
    day_first: bool,
    now: datetime,
) -> ParsedDate | None:
    """A date in words or in figures with the year last."""
    day = (
        _eastern(text)
        or _with_month(_CLOCKED.sub(" ", text), language, now)
        or _figures(text, day_first=day_first)
    )
    return day and _on(day, text, home)


def _calendar_day(
    year: int, month: int, day: int, *, jalali: bool | None = None
) -> date | None:
    try:
        if jalali or (jalali is None and year in _JALALI_YEARS):
            return calendars.from_jalali(year, month, day)
        return date(year, month, day)
    # A number of twenty digits beside a month's name
    except (ValueError, OverflowError):
        return None


def _eastern(text: str) -> _Day | None:
    match = _EASTERN.search(text)
    if not match:
        return None
    year, month, number = (int(group) for group in match.groups() if group)
    day = _calendar_day(year, month, number)
    return _Day(day, 0.95) if day else None


def _with_month(text: str, language: str | None, now: datetime) -> _Day | None:
    """The first month name that has a day and a year beside it.

    Else the first that has a day.
    """
    words = [
        word
        for word in _WORD.findall(text)
        if not (word.isascii() and calendars.find_offset(word))
    ]
    months = _months(words, language)
    yearless = None
    for place, (month, _) in months.items():
        day, year = _beside(words, place, months)
        found = _dated(month, day, year) if day and year is not None else None
        if found:
            return _Day(found, 0.95)
        if day and year is None and yearless is None:
            yearless = _latest(month, day, now)
    return yearless


def _months(
    words: list[str], language: str | None
) -> dict[int, tuple[calendars.Month, int]]:
    """Place of each month name -> the month and how many words it takes."""
    found: dict[int, tuple[calendars.Month, int]] = {}
    for place, word in enumerate(words):
        pair = f"{word} {words[place + 1]}" if place + 1 < len(words) else ""
        double = calendars.find_month(pair, language)
        single = double or calendars.find_month(word, language)
        if single:
            found[place] = (single, 2 if double else 1)
    return found


def _beside(
    words: list[str], place: int, months: dict[int, tuple[calendars.Month, int]]
) -> tuple[int | None, int | None]:
    """Day and year next to a month name.

    "22 November 2026", "November 22nd, 2026", "2026 November 22".
    """
    before = _numbers(words[max(0, place - 4) : place][::-1], 1)
    start = place + months[place][1]
    while start in months:  # a month twice: "تشرين الثاني/نوفمبر"
        start += months[start][1]
    stop = min((p for p in months if p >= start), default=len(words))
    after = _numbers(words[start : min(stop, start + 6)], 2)
    if before and _is_year(before[0]) and after:
        return after[0], before[0]
    if before:
        return before[0], _year(after, last=len(words) <= start + 1)
    if after:
        return after[0], _year(after[1:], last=False)
    return None, None


def _year(numbers: list[int], *, last: bool) -> int | None:
    """The year that the numbers begin with; two digits are one only at the end.

    One that is no year stays.
    """
    if not numbers or (numbers[0] < 100 and not last):
        return None
    return numbers[0] + 2000 if 0 < numbers[0] < 100 else numbers[0]


def _numbers(words: list[str], most: int) -> list[int]:
    """The numbers at the head of the words, over ordinal endings and prepositions."""
    numbers: list[int] = []
    for word in words:
        if word.isdecimal():
            number = int(word)
            # 0001 is a broken year, not 2001
            numbers.append(number if len(word) <= 2 or number > 99 else 0)
        elif word not in _FILLERS:
            break
        if len(numbers) == most:
            break
    return numbers


def _is_year(number: int) -> bool:
    return 1300 <= number < 1500 or 1900 <= number < 2100


def _dated(month: calendars.Month, day: int, year: int) -> date | None:
    """None where calendar and year do not belong together: 3 Mizan 2021."""
    jalali = month.calendar == "jalali"
    return (
        _calendar_day(year, month.number, day, jalali=jalali)
        if jalali == (year in _JALALI_YEARS)
        else None
    )


def _latest(month: calendars.Month, day: int, now: datetime) -> _Day | None:
    """A date without a year: the latest such day that is not to come."""
    today = (now + MAX_AHEAD).date()
    year = calendars.to_jalali(today)[0] if month.calendar == "jalali" else today.year
    for candidate in (year, year - 1):
        found = _dated(month, day, candidate)
        if found and found <= today:
            return _Day(found, 0.4)
    return None


def _figures(text: str, *, day_first: bool) -> _Day | None:
    """22/11/2026, 11/22/2026, 22.11.26, ۱/۹/۱۴۰۵."""
    match = _TRIPLE.search(text)
    if not match:
        return None
    a, b, year = int(match[1]), int(match[3]), int(match[4])
    year += 2000 if len(match[4]) == 2 else 0
    day_first = day_first or match[2] in ".-" or year in _JALALI_YEARS or a > 12
    day, month = (a, b) if day_first and b <= 12 else (b, a)
    found = _calendar_day(year, month, day)
    certain = match[2] == "." or a == b or max(a, b) > 12 or year in _JALALI_YEARS
    return (
        _Day(found, (0.85 if certain else 0.6) - (0.1 if len(match[4]) == 2 else 0.0))
        if found
        else None
    )


def _on(day: _Day, text: str, home: tzinfo | None) -> ParsedDate:
    """The day with the time of day that the text names, if it names one."""
    match = _CLOCK.search(text)
    if not match:
        return _midnight(day)
    return _at(day, _clock(match[1], match[2], match[3]), text[match.end() :], home)


def _midnight(day: _Day) -> ParsedDate:
    at = datetime.combine(day.day, time(), UTC)
    return ParsedDate(
        at=at, how="", confidence=round(day.sure * 0.9, 3), raw="", exact=False
    )


def _clock(hour: str, minute: str, second: str | None) -> time | None:
    h, m, s = int(hour), int(minute), min(int(second or 0), 59)  # :60 is a leap second
    return time(h, m, s) if h < 24 and m < 60 else None


def _at(day: _Day, clock: time | None, rest: str, home: tzinfo | None) -> ParsedDate:
    """Day, time and the zone behind it, in UTC.

    The day alone where the time is none or runs out of the calendar.
    """
    if clock is None:
        return _midnight(day)
    half = _HALF.match(rest)
    if half:
        clock = _half_day(clock, half[1])
        rest = rest[half.end() :]
    local = datetime.combine(day.day, clock)
    stated = _zone(rest, local, home)
    try:
        at = local.replace(tzinfo=stated or home or UTC).astimezone(UTC)
    except OverflowError:
        return _midnight(day)
    return ParsedDate(
        at=at,
        how="",
        confidence=day.sure if stated else round(day.sure * 0.95, 3),
        raw="",
    )


def _half_day(clock: time, mark: str) -> time:
    afternoon = mark[0] in "pب"
    return (
        clock.replace(hour=clock.hour % 12 + (12 if afternoon else 0))
        if clock.hour <= 12
        else clock
    )


def _zone(rest: str, local: datetime, home: tzinfo | None) -> tzinfo | None:
    """The zone that follows a time of day.

    An offset, or an abbreviation, which the source's own zone may claim.

    IST is India's, Israel's or Ireland's: the source's zone decides, else the table's
    reading.
    """
    match = _OFFSET.match(rest)
    if match:
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        return _fixed(-minutes if match[1] != "+" else minutes)
    named = _NAMED.match(rest)
    if not named:
        return None
    if home and fold(home.tzname(local) or "") == named[1]:
        return home
    return calendars.find_offset(named[1])


def _fixed(minutes: int) -> timezone | None:
    return (
        timezone(timedelta(minutes=minutes))
        if abs(timedelta(minutes=minutes)) <= _WIDEST
        else None
    )
