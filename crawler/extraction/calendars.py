"""Calendars and clocks as the press near Afghanistan writes them. Pure.

Solar Hijri days, names of months, days and halves of the day, zone abbreviations. All
are data (`data/months.csv`, `day_words.csv`, `day_halves.csv`, `time_zones.csv`), folded
with `storage.folding.fold` when they are read.
"""

import re
from datetime import date, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from crawler import data_files
from storage.folding import fold

# Day number (date.toordinal) of the eve of 1 Farvardin 1, chosen so that 1 Farvardin
# 1399 is 20 March 2020.
_EPOCH = 226_894
_CYCLE_YEARS, _CYCLE_LEAPS = 33, 8
FIRST_YEAR, LAST_YEAR = 1178, 1633


class Month(NamedTuple):
    """A month by its name: which calendar it belongs to, and its number in it."""

    calendar: str  # gregorian, jalali
    number: int  # from 1


def from_jalali(year: int, month: int, day: int) -> date:
    """The Gregorian day of a Solar Hijri one. Raises ValueError for a day there is not.

    The 33-year rule, which agrees with the astronomical calendar from 1178 to 1633 (M.
    Heydari-Malayeri, "A concise review of the Iranian calendar", 2004).
    """
    length = days_in_jalali_month(year, month)
    if not 1 <= day <= length:
        raise ValueError(f"month {month} of {year} has {length} days")
    days = _days_before_year(year) + _days_before_month(month) + day
    return date.fromordinal(_EPOCH + days)


def to_jalali(moment: date) -> tuple[int, int, int]:
    """The Solar Hijri year, month and day of a Gregorian day.

    Raises ValueError outside the years of the rule.
    """
    number = moment.toordinal() - _EPOCH
    year = number * _CYCLE_YEARS // (365 * _CYCLE_YEARS + _CYCLE_LEAPS) + 1
    while _days_before_year(year) >= number:
        year -= 1
    while _days_before_year(year + 1) < number:
        year += 1
    days_in_jalali_month(year, 1)  # raises for a year out of range

    rest = number - _days_before_year(year) - 1
    # Six months of 31 days, then months of 30: the larger of the two is right.
    month = max(rest // 31, (rest - 6) // 30) + 1
    return year, month, rest - _days_before_month(month) + 1


def days_in_jalali_month(year: int, month: int) -> int:
    """How many days a Solar Hijri month has.

    Raises ValueError for a month or year out of range.
    """
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12):
        raise ValueError(f"no Solar Hijri month {month} of {year}")
    if month <= 6:
        return 31
    if month <= 11:
        return 30
    return _days_before_year(year + 1) - _days_before_year(year) - 336


def _days_before_year(year: int) -> int:
    """Days from 1 Farvardin 1 to 1 Farvardin of the year: 8 leap days in 33 years."""
    return 365 * (year - 1) + (_CYCLE_LEAPS * year + 21) // _CYCLE_YEARS


def _days_before_month(month: int) -> int:
    """Days of a year before a month: six months of 31 days, then of 30."""
    return 30 * (month - 1) + min(month - 1, 6)


@cache
def months_by_name() -> dict[str, dict[str, Month]]:
    """Folded month name -> language -> month.

    The key "" holds the reading of most languages.
    """
    table: dict[str, dict[str, Month]] = {}
    for row in data_files.read_csv("months.csv"):
        month = Month(calendar=row["calendar"], number=int(row["month"]))
        for name in row["names"].split("|"):
            readings = table.setdefault(fold(name), {"": month})
            readings.setdefault(row["language"], month)
    return table


def find_month(name: str, language: str | None = None) -> Month | None:
    """The month of a folded name, as the language reads it where languages differ.

    Listopad is October in Croatian, November in Polish.
    """
    readings = months_by_name().get(name)
    if readings is None:
        return None
    own = readings.get(language or "en")
    if own is not None:
        return own
    # Three Latin letters that are a month in one foreign language only are none: "(CZE)
    # 1.22" is a skier, and "HELADEF1KAS" a bank.
    in_several = language is None and len(readings) > 3
    if not name.isascii() or len(name) > 3 or "en" in readings or in_several:
        return readings[""]
    return None


def find_offset(abbreviation: str) -> timezone | None:
    """The zone of a folded abbreviation, None where it is none.

    feedparser takes AFT, PKT, IST and IRST for UTC: 3.5 to 5.5 h off.
    """
    return _offsets_by_name().get(abbreviation)


# Strangers name zones, too.
@lru_cache(256)
def load_zone(name: str | None) -> tzinfo | None:
    """The zone of an IANA name.

    None for no name, or for one that this machine does not know.
    """
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None


def number_day_words(text: str) -> str:
    """A folded text with its ordinals from the first to the 31st as figures."""
    if text.isascii():
        return text
    pattern, days = _day_words()
    return pattern.sub(lambda match: f" {days[match[0]]} ", text)


@cache
def _day_words() -> tuple[re.Pattern[str], dict[str, int]]:
    days: dict[str, int] = {}
    for row in data_files.read_csv("day_words.csv"):
        for word in row["words"].split("|"):
            days[fold(word)] = int(row["day"])
    # The longest first: "twenty-third" ends in "third".
    words = "|".join(sorted(map(re.escape, days), key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)"), days


def find_half(before: str, behind: str) -> tuple[str, int]:
    """Which half of the day is named beside a time of day, in folded texts.

    `am`, `pm`, `night` or `noon`, "" where none is; with how much of the text behind the
    time names it.
    """
    names, after, ahead = _half_words()
    match = after.match(behind)
    if match:
        return names[_bare(match[1])], match.end()
    match = ahead.search(before[-40:])
    if match:
        return names[_bare(match[1])], 0
    return "", 0


def hour_of_day(hour: int, half: str) -> int:
    """The hour from 0 to 24 of one that a half of the day is named with."""
    if not half or hour > 12:
        return hour
    # One at night is before dawn, and eight at night is twenty; eleven at noon is eleven.
    is_late = {"pm": True, "night": 5 <= hour < 12, "noon": hour < 6 or hour == 12}
    hour %= 12
    if is_late.get(half, False):
        hour += 12
    return hour


@cache
def _half_words() -> tuple[dict[str, str], re.Pattern[str], re.Pattern[str]]:
    names: dict[str, str] = {}
    written: list[str] = []
    for row in data_files.read_csv("day_halves.csv"):
        for word in map(fold, row["words"].split("|")):
            names.setdefault(_bare(word), row["half"])
            written.append(word)
    written.sort(key=len, reverse=True)
    patterns = {
        word: re.escape(word).replace(r"\.", r"\.?\s?").replace(r"\ ", r"\s?")
        for word in written
    }
    behind = "|".join(patterns.values())
    # A single letter before a time is the end of a year: ۲۰۲۵ م is of our era.
    ahead = "|".join(patterns[word] for word in written if len(_bare(word)) > 1)
    oclock = fold("بجے|بجو|ساعت|په|د")
    return (
        names,
        re.compile(rf"[\s,(]*(?:(?:{oclock})\s+)?({behind})(?![a-z\u0620-\u06d3])\.?"),
        re.compile(
            rf"(?<![a-z\u0620-\u06d3])({ahead})(?:[\s,:]*(?:{oclock}))*[\s,:]*$"
        ),
    )


def _bare(word: str) -> str:
    return re.sub(r"[.\s]", "", word)


@cache
def _offsets_by_name() -> dict[str, timezone]:
    found: dict[str, timezone] = {}
    for row in data_files.read_csv("time_zones.csv"):
        minutes = timedelta(minutes=int(row["minutes"]))
        found[fold(row["name"])] = timezone(minutes)
    return found
