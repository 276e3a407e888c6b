"""Calendars and clocks as the press near Afghanistan writes them.

Solar Hijri days, month names, zone abbreviations.

Names and offsets are data (`data/months.csv`, `data/zones.csv`), folded with
`storage.folding.fold` when they are read.
"""

import csv
from datetime import date, timedelta, timezone, tzinfo
from functools import cache
from importlib import resources
from typing import NamedTuple
from zoneinfo import ZoneInfo

from storage.folding import fold

# Day number (date.toordinal) of the eve of 1 Farvardin 1, chosen so that 1 Farvardin
# 1399 is 20 March 2020.
_EPOCH = 226_894
_CYCLE, _CYCLE_LEAPS = 33, 8
FIRST_YEAR, LAST_YEAR = 1178, 1633


class Month(NamedTuple):
    """A month by its name: which calendar it belongs to, and its number in it."""

    calendar: str  # gregorian, jalali
    number: int


def _days_before(year: int) -> int:
    """Days from 1 Farvardin 1 to 1 Farvardin of the year.

    Eight leap days in 33 years.
    """
    return 365 * (year - 1) + (_CYCLE_LEAPS * year + 21) // _CYCLE


def from_jalali(year: int, month: int, day: int) -> date:
    """The Gregorian day of a Solar Hijri one.

    Raises ValueError for a day that there is not.

    The 33-year rule, which agrees with the astronomical calendar from 1178 to 1633 (M.
    Heydari-Malayeri, "A concise review of the Iranian calendar", 2004).
    """
    length = days_in_jalali_month(year, month)
    if not 1 <= day <= length:
        raise ValueError(f"month {month} of {year} has {length} days")
    before = 31 * (month - 1) if month <= 7 else 30 * (month - 1) + 6
    return date.fromordinal(_EPOCH + _days_before(year) + before + day)


def to_jalali(moment: date) -> tuple[int, int, int]:
    """The Solar Hijri year, month and day of a Gregorian day.

    Raises ValueError outside the years of the rule.
    """
    number = moment.toordinal() - _EPOCH
    year = number * _CYCLE // (365 * _CYCLE + _CYCLE_LEAPS) + 1
    while _days_before(year) >= number:
        year -= 1
    while _days_before(year + 1) < number:
        year += 1
    days_in_jalali_month(year, 1)
    rest = number - _days_before(year) - 1
    month = rest // 31 + 1 if rest < 186 else (rest - 6) // 30 + 1
    before = 31 * (month - 1) if month <= 7 else 30 * (month - 1) + 6
    return year, month, rest - before + 1


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
    return _days_before(year + 1) - _days_before(year) - 336


@cache
def months_by_name() -> dict[str, dict[str, Month]]:
    """Folded month name -> language -> month.

    The key "" holds the reading of most languages.
    """
    table: dict[str, dict[str, Month]] = {}
    for row in _rows("months.csv"):
        month = Month(calendar=row["calendar"], number=int(row["month"]))
        for name in row["names"].split("|"):
            readings = table.setdefault(fold(name), {"": month})
            readings.setdefault(row["language"], month)
    return table


def find_month(name: str, language: str | None = None) -> Month | None:
    """The month of a folded name as the language reads it, where languages differ (listopad).

    Three Latin letters that are a month in one foreign language only are none: "(CZE) 1.22" is a skier, and
    "HELADEF1KAS" a bank.
    """
    readings = months_by_name().get(name)
    if readings is None:
        return None
    own = readings.get(language or "") if language else readings.get("en")
    common = (
        not name.isascii()
        or len(name) > 3
        or "en" in readings
        or (language is None and len(readings) > 3)
    )
    return own or (readings[""] if common else None)


@cache
def _offsets_by_name() -> dict[str, timezone]:
    return {
        fold(row["name"]): timezone(timedelta(minutes=int(row["minutes"])))
        for row in _rows("zones.csv")
    }


def find_offset(abbreviation: str) -> timezone | None:
    """The zone of a folded abbreviation.

    Feedparser takes AFT, PKT, IST and IRST for UTC: 3.5 to 5.5 h off.
    """
    return _offsets_by_name().get(abbreviation)


@cache
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


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("crawler").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
