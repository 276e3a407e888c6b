"""One written date -> a moment in UTC: the forms of feeds and pages near Afghanistan.

Own code and not dateparser: that costs 1.4 s of locale loading in every worker and 10 to
20 s on a hostile string of 10 kB, and it does not know the Afghan month names. Pure.

A new form of date is a function beside those that `parse_date` tries in their order.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

from crawler.extraction import calendars
from crawler.extraction.calendars import Month
from storage.folding import fold, printable

# "Sunday, 22 November 2026, 10:00:00 AM (GMT+04:30)" has 50.
MAX_DATE_CHARS = 120
# No news page is older; earlier dates are zeros and defaults.
EARLIEST_DATE = datetime(1995, 1, 1, tzinfo=UTC)
# A clock or a zone may be wrong by a day, not by more.
MAX_AHEAD = timedelta(hours=24)

# Written 1405; Gregorian 14xx is never meant on a news page.
_JALALI_YEARS = range(1300, 1500)
_GREGORIAN_YEARS = range(1900, 2100)
_BUDDHIST_YEARS = range(2400, 2700)  # of Thailand, which count from 543 BC
_BUDDHIST_EPOCH = 543
# Their pages give two digits of a Solar Hijri year, and put either end first.
_JALALI_LANGUAGES = frozenset({"fa", "prs", "ps"})
# 03/04/2021 is in March in the United States, and in English of no country.
_MONTH_FIRST = frozenset({"en", "en-us", "en-ph"})
_MAX_OFFSET_MINUTES = 14 * 60

# How sure a day is by the form that it was written in.
_SURE_ISO_WITH_TIME = 1.0
_SURE_ISO = 0.95
_SURE_NAMED_MONTH = 0.95
_SURE_FIGURES = 0.85
_SURE_DAY_OR_MONTH_FIRST = 0.6  # 03/04/2021 may be either
_SURE_WITHOUT_YEAR = 0.4
_TWO_DIGIT_YEAR_PENALTY = 0.1
# Its factors where the text names no time of day, or a time of day and no zone.
_NO_TIME_FACTOR = 0.9
_NO_ZONE_FACTOR = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDate:
    """A date that somebody wrote, as a moment in UTC.

    A date without a time of day is midnight UTC of that day.
    """

    at: datetime
    method: str  # where it was read: feed, jsonld, meta, time, url, text
    confidence: float  # 0 to 1
    raw: str  # as it was written, cut and made printable
    exact: bool = True  # False: the day only


class _Day(NamedTuple):
    day: date
    sure: float  # 0 to 1


class _Clock(NamedTuple):
    """A time of day as it was written, and where in the text."""

    hour: str
    minute: str
    second: str | None
    start: int
    end: int


_ISO = re.compile(
    r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)"
    r"(?:\s*t?\s*,?\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?)?"
)
_COMPACT = re.compile(
    r"(?<!\d)(\d{4})(\d{2})(\d{2})(?:t?(\d{2})(\d{2})(\d{2})?)?(?!\d)"
)
_CLOCK = re.compile(
    r"(?<![\d.:])(\d{1,2})(?::|h(?=\d\d\b))(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?(?!\d)"
)
_EAST_ASIAN_CLOCK = re.compile(
    fold(r"(?<!\d)(\d{1,2}) ?(?:時|时|点|點|시) ?(\d{1,2}) ?(?:分|분)()")
)
# 17.30 has two digits before the point; 5.30 has them only where a word makes it a
# time of day, for 4.50 is a price or a mark.
_POINTED_CLOCK = re.compile(
    r"(?<![\d.:/-])(?:(\d\d)\.([0-5]\d)|(\d)\.([0-5]\d)(?=\s?(?:[ap]\.?\s?m\b|uhr)))"
    r"(?![\d.:/-]*\d)"
)
_OFFSET = re.compile(
    r"\s*\(?(?:gmt|utc|ut)?\s*[+\-\u2212]?([+\-\u2212])(\d{1,2}):?(\d{2})?(?!\d)"
)
# "Wed Oct 05 20:04:11 +0000 2011" is read without its middle.
_CLOCK_AND_OFFSET = re.compile(rf"{_CLOCK.pattern}(?:{_OFFSET.pattern})?")
_ZONE_NAME = re.compile(r"\s*\(?([a-z]+(?:/[a-z_]{2,30}){1,2}|[a-z]{1,5}\b)")
# "Sun Nov 22 10:00:00 2026 +0430": the zone stands behind the year.
_YEAR_BEFORE_ZONE = re.compile(r"(?<!\d)\d{4},?(?=\s)")
_EAST_ASIAN = re.compile(
    fold(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2})")
    + "|"
    + fold(r"(\d{4}) ?년 ?(\d{1,2}) ?월 ?(\d{1,2})")
)
_FIGURES = re.compile(
    r"(?<![\d.:/])(\d{1,2})\s?([/.\-|])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})(?![\d:])"
)
_TIMESTAMP = re.compile(r"(\d{10})(\d{3})?(?:\.\d+)?")
# Vowels of Hindi, Bengali and Thai are marks, and no letters to a regular expression.
_WORD = re.compile(r"\d+|(?:[^\W\d_]|[\u0900-\u0963\u0980-\u09e3\u0e31-\u0e4e])+")
# Ordinal endings, prepositions, and the words for day, month and year that stand between
# the figures.
_FILLERS = frozenset(
    fold(
        "st|nd|rd|th|er|de|del|of|den|the|el|le|a|e|ه|م|مه|می|د|په|کال|سال|ماه|نېټه"
        "|نیټه|میاشتې|میاشت|سنہ|سنة|عام|من|พ|ศ|ค"
    ).split("|")
)
# In Pashto the ending of an ordinal, in Persian and Pashto a name of May: د نومبر ۲۲مه
# was read as a day in May.
_ORDINAL_OR_MAY = frozenset({fold("مه"), fold("می")})
_MONTH_SUFFIX = fold("ماه")  # آذرماه is the month of Azar


def parse_date(
    text: str,
    *,
    now: datetime,
    language: str | None = None,
    zone: str | None = None,
    day_first: bool | None = None,
    method: str = "text",
) -> ParsedDate | None:
    """The moment that the text names, None if it names no plausible one.

    `language` settles month names and the order of 03/04/2021 unless `day_first` does;
    `zone` (IANA) holds for dates that name no zone, else UTC. Only the first 120
    characters are read. Never raises.
    """
    raw = printable(text[:MAX_DATE_CHARS]).strip()
    folded = fold(raw)
    zone_of_source = calendars.load_zone(zone)
    found = _read_timestamp(folded) or _read_iso(folded, zone_of_source, now)
    if found is None:
        spoken = (language or "").lower().partition("-")[0] or None
        if day_first is None:
            day_first = not is_month_first(language)
        words = calendars.number_day_words(folded)
        day = (
            _day_in_east_asian(folded)
            or _day_beside_month(_CLOCK_AND_OFFSET.sub(" ", words), spoken, now)
            or _day_in_figures(folded, spoken, now, day_first=day_first)
        )
        if day is not None:
            found = _add_time(day, folded, zone_of_source)
    if found is None or not is_plausible(found.at, now):
        return None
    return replace(found, method=method, raw=raw)


def is_month_first(language: str | None) -> bool:
    """Whether 03/04/2021 is in March in a language, with its country where it has one."""
    return (language or "").lower().replace("_", "-") in _MONTH_FIRST


def is_plausible(at: datetime, now: datetime) -> bool:
    """Whether something can have been published then: from 1995 to a day from now."""
    return EARLIEST_DATE <= at <= now + MAX_AHEAD


def _is_plausible_day(day: date, now: datetime) -> bool:
    return EARLIEST_DATE.date() <= day <= (now + MAX_AHEAD).date()


def _read_timestamp(text: str) -> ParsedDate | None:
    """Seconds or milliseconds since 1970, as some JSON writes them."""
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        return None
    at = datetime.fromtimestamp(int(match[1]), UTC)
    return ParsedDate(at=at, method="", confidence=0.9, raw="")


def _read_iso(
    text: str, zone_of_source: tzinfo | None, now: datetime
) -> ParsedDate | None:
    """Year first: ISO 8601 and its relatives, Solar Hijri when the year is.

    The first that can be: ۱۴۴۷/۶/۱ beside ۲۰۲۵/۱۱/۲۲ is of the lunar calendar.
    """
    compact = _COMPACT.match(text)
    matches = [*_ISO.finditer(text)] or ([compact] if compact else [])
    for match in matches:
        day = _calendar_day(int(match[1]), int(match[2]), int(match[3]))
        if day is None or not _is_plausible_day(day, now):
            continue
        if match[4] is None:
            rest = f"{text[: match.start()]} {text[match.end() :]}"
            return _add_time(_Day(day, _SURE_ISO), rest, zone_of_source)
        clock = _Clock(match[4], match[5], match[6], match.start(4), match.end())
        return _at_clock(_Day(day, _SURE_ISO_WITH_TIME), clock, text, zone_of_source)
    return None


def _calendar_day(
    year: int, month: int, day: int, *, jalali: bool | None = None
) -> date | None:
    """The Gregorian day, None where there is none. The year tells the calendar."""
    if jalali is None:
        jalali = year in _JALALI_YEARS
    try:
        if jalali:
            return calendars.from_jalali(year, month, day)
        return date(year, month, day)
    except (ValueError, OverflowError):
        # A number of twenty digits beside a month's name.
        return None


def _day_in_east_asian(text: str) -> _Day | None:
    """2026年11月22日, 2026년 11월 22일."""
    match = _EAST_ASIAN.search(text)
    if not match:
        return None
    year, month, number = (int(group) for group in match.groups() if group)
    day = _calendar_day(year, month, number)
    if day is None:
        return None
    return _Day(day, _SURE_NAMED_MONTH)


def _day_beside_month(text: str, language: str | None, now: datetime) -> _Day | None:
    """The first month name with a day and a year beside it; else the first with a day."""
    words = _WORD.findall(text)
    words = [word for word in words if not _is_zone_name(word)]
    months = _find_months(words, language)
    yearless: _Day | None = None
    for place, (month, _) in months.items():
        number, year = _numbers_beside(words, place, months)
        if not number:
            continue
        if year is not None:
            year = _full_year(year, month, now)
            day = _day_of_month(month, number, year)
            if day is not None:
                return _Day(day, _SURE_NAMED_MONTH)
        elif yearless is None:
            yearless = _latest_day(month, number, now)
    return yearless


def _is_zone_name(word: str) -> bool:
    return word.isascii() and calendars.find_offset(word) is not None


def _find_months(
    words: list[str], language: str | None
) -> dict[int, tuple[Month, int]]:
    """Place of each month name -> the month and how many words it takes."""
    found: dict[int, tuple[Month, int]] = {}
    for place, word in enumerate(words):
        # Two words first: تشرين الثاني is November, تشرين alone October.
        if place + 1 < len(words):
            month = calendars.find_month(f"{word} {words[place + 1]}", language)
            if month:
                found[place] = (month, 2)
                continue
        month = calendars.find_month(word, language)
        if month is None and word.endswith(_MONTH_SUFFIX):
            month = calendars.find_month(word.removesuffix(_MONTH_SUFFIX), language)
        if month:
            found[place] = (month, 1)
    for place in list(found):
        if words[place] in _ORDINAL_OR_MAY and _is_ordinal(
            words, place, found, language
        ):
            del found[place]
    return found


def _is_ordinal(
    words: list[str],
    place: int,
    months: dict[int, tuple[Month, int]],
    language: str | None,
) -> bool:
    """Whether مه or می behind a number ends an ordinal: another month stands beside it."""
    if place == 0 or not words[place - 1].isdecimal():
        return False
    if language == "ps" and words[place] == fold("مه"):
        return True
    beside = [spot for spot in range(place - 2, -1, -1) if words[spot] not in _FILLERS]
    behind = [
        spot for spot in range(place + 1, len(words)) if words[spot] not in _FILLERS
    ]
    return any(spots and spots[0] in months for spots in (beside, behind))


def _numbers_beside(
    words: list[str], place: int, months: dict[int, tuple[Month, int]]
) -> tuple[int | None, int | None]:
    """Day and year next to a month name, None for what is missing.

    "22 November 2026", "November 22nd, 2026", "2026 November 22". A year that is none,
    or has two digits, is given as it stands.
    """
    before = _leading_numbers(words[max(0, place - 4) : place][::-1], 1)
    start = place + months[place][1]
    while start in months:  # a month twice: "تشرين الثاني/نوفمبر"
        start += months[start][1]
    stop = min((p for p in months if p >= start), default=len(words))
    after = _leading_numbers(words[start : min(stop, start + 6)], 2)
    if before:
        first = before[0]
        is_year = first in _JALALI_YEARS or first in _GREGORIAN_YEARS
        if is_year and after:
            return after[0], first
        # Two digits are a year only at the end, and one digit is none.
        two_digits = len(words) <= start + 1 and len(words[-1]) == 2
        return first, _leading_year(after, two_digits=two_digits)
    if after:
        return after[0], _leading_year(after[1:], two_digits=False)
    return None, None


def _leading_numbers(words: list[str], most: int) -> list[int]:
    """The numbers at the head of the words, over ordinal endings and prepositions."""
    numbers: list[int] = []
    for word in words:
        if word.isdecimal():
            number = int(word)
            if len(word) > 2 and number < 100:
                number = 0  # 0001 is a broken year, not 2001
            numbers.append(number)
        elif word not in _FILLERS:
            break
        if len(numbers) == most:
            break
    return numbers


def _leading_year(numbers: list[int], *, two_digits: bool) -> int | None:
    """The year that the numbers begin with, None for none."""
    # A zero is a broken year, and no missing one.
    if not numbers or (0 < numbers[0] < 100 and not two_digits):
        return None
    return numbers[0]


def _full_year(year: int, month: Month, now: datetime) -> int:
    """A year as the calendar counts: of two digits the latest that is not ahead."""
    if year in _BUDDHIST_YEARS:
        return year - _BUDDHIST_EPOCH
    if not 0 < year < 100:
        return year
    today = (now + MAX_AHEAD).date()
    if month.calendar == "jalali":
        return _latest_year(year, calendars.to_jalali(today)[0])
    return _latest_year(year, today.year)


def _latest_year(two_digits: int, this_year: int) -> int:
    year = this_year // 100 * 100 + two_digits
    if year > this_year:
        year -= 100
    return year


def _day_of_month(month: Month, number: int, year: int) -> date | None:
    """None where calendar and year do not belong together: 3 Mizan 2021."""
    jalali = month.calendar == "jalali"
    if jalali != (year in _JALALI_YEARS):
        return None
    return _calendar_day(year, month.number, number, jalali=jalali)


def _latest_day(month: Month, number: int, now: datetime) -> _Day | None:
    """A date without a year: the latest such day that is not to come.

    A day ahead of `now` is today somewhere.
    """
    today = (now + MAX_AHEAD).date()
    year = today.year
    if month.calendar == "jalali":
        year = calendars.to_jalali(today)[0]
    for candidate in (year, year - 1):
        day = _day_of_month(month, number, candidate)
        if day is not None and day <= today:
            return _Day(day, _SURE_WITHOUT_YEAR)
    return None


def _day_in_figures(
    text: str, language: str | None, now: datetime, *, day_first: bool
) -> _Day | None:
    """22/11/2026, 11/22/2026, 22.11.26, ۱/۹/۱۴۰۵: the first that can be."""
    for match in _FIGURES.finditer(text):
        if language in _JALALI_LANGUAGES and len(match[4]) == 2:
            read, told = _two_digit_jalali(match, now)
            if read:
                return told
        day = _day_of_figures(match, now, day_first=day_first)
        if day is not None and _is_plausible_day(day.day, now):
            return day
    return None


def _day_of_figures(
    match: re.Match[str], now: datetime, *, day_first: bool
) -> _Day | None:
    mark, two_digit_year = match[2], len(match[4]) == 2
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if two_digit_year:
        year = _latest_year(year, (now + MAX_AHEAD).year)
    # Points and dashes are European; a Solar Hijri date has its day first.
    jalali = year in _JALALI_YEARS
    day_first = day_first or mark in ".-" or jalali or first > 12
    number, month = second, first
    if day_first and second <= 12:
        number, month = first, second
    day = _calendar_day(year, month, number)
    if day is None:
        return None

    sure = _SURE_DAY_OR_MONTH_FIRST
    if mark == "." or first == second or max(first, second) > 12 or jalali:
        sure = _SURE_FIGURES
    if two_digit_year:
        sure -= _TWO_DIGIT_YEAR_PENALTY
    return _Day(day, sure)


def _two_digit_jalali(match: re.Match[str], now: datetime) -> tuple[bool, _Day | None]:
    """Whether ۰۴/۹/۲۲ may be Solar Hijri, and its day where only one can be meant."""
    first, second, last = int(match[1]), int(match[3]), int(match[4])
    this_year = calendars.to_jalali((now + MAX_AHEAD).date())[0]
    days: set[date] = set()
    for two_digits, number in ((first, last), (last, first)):
        year = _latest_year(two_digits, this_year)
        day = _calendar_day(year, second, number, jalali=True)
        if day is not None and _is_plausible_day(day, now):
            days.add(day)
    if len(days) == 1:
        return True, _Day(days.pop(), _SURE_FIGURES - _TWO_DIGIT_YEAR_PENALTY)
    return bool(days), None


def _add_time(day: _Day, text: str, zone_of_source: tzinfo | None) -> ParsedDate:
    """The day with the time of day that the text names, if it names one."""
    match = _CLOCK.search(text) or _EAST_ASIAN_CLOCK.search(text)
    if match:
        clock = _Clock(match[1], match[2], match[3], match.start(), match.end())
        return _at_clock(day, clock, text, zone_of_source)
    match = _POINTED_CLOCK.search(text)
    if match:
        hour, minute = match[1] or match[3], match[2] or match[4]
        clock = _Clock(hour, minute, None, match.start(), match.end())
        return _at_clock(day, clock, text, zone_of_source)
    return _midnight(day)


def _at_clock(
    day: _Day, clock: _Clock, text: str, zone_of_source: tzinfo | None
) -> ParsedDate:
    """Day, time of day and the zone behind it, in UTC.

    The day alone where the time is none, or leaves the calendar.
    """
    hour, minute = int(clock.hour), int(clock.minute)
    ends_day = hour == 24 and minute == 0
    if (hour >= 24 and not ends_day) or minute >= 60:
        return _midnight(day)
    second = min(int(clock.second or 0), 59)  # :60 is a leap second
    rest = text[clock.end :]
    half, taken = calendars.find_half(text[: clock.start], rest)
    rest = rest[taken:]
    hour = calendars.hour_of_day(hour, half)
    confidence = day.sure
    try:
        local = datetime.combine(day.day, time(hour % 24, minute, second))
        local += timedelta(days=hour // 24)
        stated = _stated_zone(rest, local, zone_of_source)
        if stated is None:
            confidence = round(day.sure * _NO_ZONE_FACTOR, 3)
        at = local.replace(tzinfo=stated or zone_of_source or UTC).astimezone(UTC)
    except OverflowError:
        return _midnight(day)
    return ParsedDate(at=at, method="", confidence=confidence, raw="")


def _midnight(day: _Day) -> ParsedDate:
    at = datetime.combine(day.day, time(), UTC)
    confidence = round(day.sure * _NO_TIME_FACTOR, 3)
    return ParsedDate(at=at, method="", confidence=confidence, raw="", exact=False)


def _stated_zone(
    rest: str, local: datetime, zone_of_source: tzinfo | None
) -> tzinfo | None:
    """The zone that follows a time of day or the year behind it, None for none.

    An offset, an IANA name, or an abbreviation, which the source's own zone may claim:
    IST is India's, Israel's or Ireland's. Else the table's reading.
    """
    year = _YEAR_BEFORE_ZONE.search(rest)
    behind = [rest]
    if year:
        behind.append(rest[year.end() :])
    for text in behind:
        match = _OFFSET.match(text)
        if match:
            minutes = int(match[2]) * 60 + int(match[3] or 0)
            if minutes > _MAX_OFFSET_MINUTES:
                return None
            if match[1] != "+":
                minutes = -minutes
            return timezone(timedelta(minutes=minutes))
        named = _ZONE_NAME.match(text)
        if not named:
            continue
        if zone_of_source and fold(zone_of_source.tzname(local) or "") == named[1]:
            return zone_of_source
        if "/" in named[1]:
            zone: tzinfo | None = calendars.load_zone(named[1].title())
        else:
            zone = calendars.find_offset(named[1])
        if zone:
            return zone
    return None
