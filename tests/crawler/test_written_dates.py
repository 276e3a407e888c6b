"""Promises of written dates: one day in many calendars, languages and orders."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from crawler.extraction import calendars, written_dates

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = datetime(2026, 11, 22, tzinfo=UTC)


def at(text, **options):
    found = written_dates.parse_date(text, now=NOW, **options)
    return found and found.at


# 1 Farvardin of years on both sides of leap years, as printed calendars give them.
NOWRUZ = {
    1200: date(1821, 3, 21),
    1300: date(1921, 3, 21),
    1357: date(1978, 3, 21),
    1375: date(1996, 3, 20),
    1395: date(2016, 3, 20),
    1396: date(2017, 3, 21),
    1399: date(2020, 3, 20),
    1400: date(2021, 3, 21),
    1403: date(2024, 3, 20),
    1404: date(2025, 3, 21),
    1408: date(2029, 3, 20),
}


@pytest.mark.parametrize(("year", "day"), NOWRUZ.items())
def test_new_year_falls_where_printed_calendars_have_it(year, day):
    """The conversion is exact for years known from elsewhere."""
    assert day == calendars.from_jalali(year, 1, 1)
    assert (year, 1, 1) == calendars.to_jalali(day)


@pytest.mark.parametrize(
    ("year", "length"),
    [(1399, 30), (1400, 29), (1403, 30), (1404, 29), (1375, 30), (1374, 29)],
)
def test_leap_years_have_a_thirtieth_of_hut(year, length):
    """Esfand or Hut has 30 days in leap years only."""
    assert length == calendars.days_in_jalali_month(year, 12)


@given(st.integers(1200, 1500), st.integers(1, 12), st.integers(1, 31))
def test_solar_hijri_days_survive_the_way_there_and_back(year, month, day):
    """Every day from 1200 to 1500 converts and comes back."""
    assume(day <= calendars.days_in_jalali_month(year, month))
    assert (year, month, day) == calendars.to_jalali(
        calendars.from_jalali(year, month, day)
    )


@given(st.dates(date(1821, 3, 21), date(2121, 3, 20)))
def test_consecutive_days_have_consecutive_dates(day):
    """No day is skipped or met twice."""
    year, month, number = calendars.to_jalali(day)
    following = calendars.to_jalali(day + timedelta(days=1))
    assert following in {
        (year, month, number + 1),
        (year, month + 1, 1),
        (year + 1, 1, 1),
    }


@pytest.mark.parametrize(
    "parts",
    [
        (1404, 12, 30),
        (1404, 13, 1),
        (1404, 0, 1),
        (1404, 7, 31),
        (1404, 1, 0),
        (900, 1, 1),
    ],
)
def test_days_that_there_are_not_are_refused(parts):
    """A day out of its month is a ValueError."""
    with pytest.raises(ValueError, match="month"):
        calendars.from_jalali(*parts)


@pytest.mark.parametrize(
    "text",
    [
        "۱ قوس ۱۴۰۵",
        "یکشنبه، ۱ قوس ۱۴۰۵",
        "یکشنبه ۱ آذر ۱۴۰۵",
        "۱۴۰۵ لیندۍ ۱",
        "د ۱۴۰۵ کال د لیندۍ ۱مه",
        "د لیندۍ ۱، ۱۴۰۵",
        "۱۴۰۵/۹/۱",
        "1405-09-01",
        "۱/۹/۱۴۰۵",
        "١٤٠٥/٩/١",
        "1 Qaws 1405",
        "1 Azar 1405",
        "۲۲ نوامبر ۲۰۲۶",
        "۲۲ نومبر ۲۰۲۶",
        "22 نومبر 2026",
        "22 نوفمبر 2026",
        "22 تشرين الثاني 2026",
        "٢٢ تشرين الثاني/نوفمبر ٢٠٢٦",
        "لیندۍ ۰۱, ۱۴۰۵",
        "22-11-2026",
        "November 22, 2026",
        "Nov. 22nd, 2026",
        "22. November 2026",
        "dimanche 22 novembre 2026",
        "22 de noviembre de 2026",
        "22 ноября 2026 г.",
        "22 Kasım 2026",
        "22.11.2026",
        "22.11.26",
        "22/11/2026",
        "11/22/2026",
        "2026/11/22",
        "20261122",
        "2026年11月22日",
        "2026년 11월 22일",
    ],
)
def test_one_day_in_many_hands(text):
    """The same day in the calendars, languages and digits of the region and beyond."""
    assert written_dates.parse_date(text, now=NOW).at == DAY
    assert not written_dates.parse_date(text, now=NOW).exact


DARI = (
    "حمل",
    "ثور",
    "جوزا",
    "سرطان",
    "اسد",
    "سنبله",
    "میزان",
    "عقرب",
    "قوس",
    "جدی",
    "دلو",
    "حوت",
)
PASHTO = (
    "وری",
    "غویی",
    "غبرګولی",
    "چنګاښ",
    "زمری",
    "وږی",
    "تله",
    "لړم",
    "لیندۍ",
    "مرغومی",
    "سلواغه",
    "کب",
)
IRAN = (
    "فروردین",
    "اردیبهشت",
    "خرداد",
    "تیر",
    "مرداد",
    "شهریور",
    "مهر",
    "آبان",
    "آذر",
    "دی",
    "بهمن",
    "اسفند",
)
PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


@given(
    st.sampled_from([(DARI, "fa"), (PASHTO, "ps"), (IRAN, "fa")]),
    st.integers(1380, 1404),
    st.integers(1, 12),
    st.integers(1, 31),
    st.booleans(),
)
def test_solar_hijri_dates_in_words_are_read_exactly(
    calendar, year, month, day, persian
):
    """Month names in Dari, Pashto and Iranian Persian, in either digits, name their day."""
    names, language = calendar
    assume(day <= calendars.days_in_jalali_month(year, month))
    text = f"{day} {names[month - 1]} {year}"
    expected = calendars.from_jalali(year, month, day)
    assert (
        expected
        == at(
            text.translate(PERSIAN_DIGITS) if persian else text, language=language
        ).date()
    )


@given(
    st.datetimes(NOW.replace(year=1996, tzinfo=None), NOW.replace(tzinfo=None)),
    st.integers(-14 * 60, 14 * 60),
)
def test_iso_8601_is_read_to_the_second(moment, minutes):
    """What isoformat writes is read back, whatever the offset."""
    sign = "-" if minutes < 0 else "+"
    text = f"{moment:%Y-%m-%dT%H:%M:%S}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    expected = moment.replace(microsecond=0, tzinfo=UTC) - timedelta(minutes=minutes)
    assert expected == at(text)


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("Sun, 22 Nov 2026 10:00:00 AFT", 5, 30),
        ("Sun, 22 Nov 2026 10:00:00 PKT", 5, 0),
        ("Sun, 22 Nov 2026 10:00:00 IRST", 6, 30),
        ("Sun, 22 Nov 2026 10:00:00 +0430", 5, 30),
        ("22 Nov 2026 10:00 (GMT+4:30)", 5, 30),
        ("Sun Nov 22 10:00:00 +0000 2026", 10, 0),
        ("Nov. 22, 2026, 4:04 a.m. EST", 9, 4),
        ("22 November 2026 12:30 AM UTC", 0, 30),
        ("2026-11-22T10:00:00.123456Z", 10, 0),
        ("20261122T100000Z", 10, 0),
        ("1795338000", 9, 0),
        ("1795338000000", 9, 0),
        ("Sun, 22 Nov 2026 10:00:60 GMT", 10, 0),
    ],
)
def test_times_of_day_and_zones(text, hour, minute):
    """Times come out in UTC, those of the region included."""
    assert (2026, 11, 22, hour, minute) == at(text).timetuple()[:5]


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        (None, 4),
        ("Asia/Kolkata", 4),
        ("Asia/Jerusalem", 8),
        ("Europe/Dublin", 9),
        ("No/Where", 4),
    ],
)
def test_ist_is_the_source_s(zone, hour):
    """India, Israel and Ireland share an abbreviation: the source's zone decides."""
    assert (
        hour
        == at(
            "10 Jul 2026 10:00 IST"
            if zone == "Europe/Dublin"
            else "10 Jan 2026 10:00 IST",
            zone=zone,
        ).hour
    )


def test_a_source_s_zone_is_for_dates_without_one():
    """A named zone goes before the source's; a day without a time stays that day."""
    assert at("2026-11-22 10:00", zone="Asia/Kabul").hour == 5
    assert at("2026-11-22 10:00Z", zone="Asia/Kabul").hour == 10
    assert at("2026-11-22", zone="Asia/Kabul") == DAY


@pytest.mark.parametrize(
    ("language", "day_first", "month"),
    [
        ("en", None, 3),
        ("fa", None, 4),
        (None, None, 4),
        ("en", True, 4),
        ("fa", False, 3),
    ],
)
def test_day_or_month_first(language, day_first, month):
    """03/04/2021 is read by language unless the caller knows better.

    Nobody is sure of it.
    """
    found = written_dates.parse_date(
        "03/04/2021", now=NOW, language=language, day_first=day_first
    )
    assert month == found.at.month
    assert found.confidence < 0.7


def test_a_date_without_a_year_is_the_latest_past_one():
    """It is believed little."""
    found = written_dates.parse_date("25 December", now=NOW)
    assert found.at.timetuple()[:3] == (2025, 12, 25)
    assert found.confidence < 0.5
    assert datetime(2026, 3, 21, tzinfo=UTC) == at("۱ حمل")


@pytest.mark.parametrize(
    ("text", "now", "day"),
    [
        ("22 November", NOW, date(2026, 11, 22)),
        ("23 November", NOW, date(2026, 11, 23)),  # a zone ahead
        ("24 November", NOW, date(2025, 11, 24)),
        ("Nov. 23", NOW, date(2026, 11, 23)),
        ("Nov. 24", NOW, date(2025, 11, 24)),
        ("۲ قوس", NOW, date(2026, 11, 23)),
        ("۳ قوس", NOW, date(2025, 11, 24)),
        ("۲ لیندۍ", NOW, date(2026, 11, 23)),
        ("۳ لیندۍ", NOW, date(2025, 11, 24)),
        ("1 January", datetime(2025, 12, 31, 12, tzinfo=UTC), date(2026, 1, 1)),
        ("2 January", datetime(2025, 12, 31, 12, tzinfo=UTC), date(2025, 1, 2)),
        ("31 December", datetime(2026, 1, 1, tzinfo=UTC), date(2025, 12, 31)),
        ("۲۹ حوت", datetime(2026, 3, 21, tzinfo=UTC), date(2026, 3, 20)),
    ],
)
def test_a_date_without_a_year_is_a_day_ahead_at_most(text, now, day):
    """Tomorrow's is today's of a zone ahead; the day after tomorrow is a year ago."""
    found = written_dates.parse_date(text, now=now)
    assert (found.at.date(), found.confidence) == (day, pytest.approx(0.36))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "Tomorrow",
        "2099-01-01",
        "1970-01-01T00:00:00Z",
        "2026-02-30",
        "2026-13-01",
        "Tue, 32 Nov 2026",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Mon, 01 Jan 0000 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +1400",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "253402300800",
        "-1",
        "3 Mizan 2021",
        "۱۴۴۷/۵/۲۰",
    ],
)
def test_future_absurd_and_missing_dates_are_none(text):
    """No date is better than a wrong one.

    A lunar year read as a solar one would be in the future.
    """
    assert at(text) is None


def test_a_day_ahead_is_a_zone_and_not_the_future():
    """Clocks and zones are wrong by less than a day."""
    assert at("2026-11-23T11:00:00Z") is not None
    assert at("2026-11-23T13:00:00Z") is None


def test_three_letters_of_one_foreign_language_are_no_month():
    """(CZE) is a country, and KAS the end of a bank code.

    Where the language speaks them they are months.
    """
    assert at("Jessica (CZE) 1 22", language="de") is None
    assert at("HELADEF1KAS", language="de") is None
    assert datetime(2026, 6, 1, tzinfo=UTC) == at("1 cze 2026", language="pl")


@given(
    st.text(max_size=400),
    st.sampled_from([None, "en", "fa", "ps", "xx"]),
    st.sampled_from([None, "Asia/Kabul", "../etc"]),
)
@example("1" * 400, None, None)
@example("+" * 400, "en", None)
@example("Jan " * 100, "en", None)
@example("2026-11-22T10:00:00." + "9" * 300, None, None)
def test_no_text_raises(text, language, zone):
    """Any text gives a plausible date or none.

    What is kept of it is short and printable.
    """
    found = written_dates.parse_date(text, now=NOW, language=language, zone=zone)
    if found:
        assert written_dates.EARLIEST_DATE <= found.at <= NOW + timedelta(hours=24)
        assert len(found.raw) <= written_dates.MAX_DATE_CHARS
        assert 0 < found.confidence <= 1


def test_the_hostile_dates_are_bounded(shared):
    """Each line of the shared date attacks ends as a plausible date or as none."""
    lines = (
        (shared / "attacks/redos/dates.txt").read_text(errors="replace").splitlines()
    )
    lines += (
        (shared / "attacks/content/date_bombs.txt")
        .read_text(errors="replace")
        .splitlines()
    )
    assert len(lines) > 40
    for line in lines:
        assert at(line) is None or 1995 <= at(line).year <= 2026


@pytest.mark.parametrize("digits", [12, 19, 20, 60])
def test_a_number_of_any_length_beside_a_month_is_no_fault(digits):
    """Serial numbers and checksums stand in texts: none of them ends the reading of a page."""
    number = "7" * digits
    assert at(f"3 may {number}") is None
    assert at(f"Register {number} may 3") is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("د نومبر ۲۲مه، ۲۰۲۶", "ps"),
        ("د ۲۰۲۶ کال د نومبر په ۲۲مه نېټه", "ps"),
        ("۲۲ مه نومبر ۲۰۲۶", None),
        ("د لیندۍ ۱مه ۱۴۰۵", "ps"),
        ("د لیندۍ لومړۍ، ۱۴۰۵", "ps"),
        ("اول قوس ۱۴۰۵", "fa"),
        ("یکم قوس ۱۴۰۵", "fa"),
        ("۱ آذرماه ۱۴۰۵", "fa"),
        ("۱ قوس ۰۵", "fa"),
        ("22 نومبر سنہ 2026", "ur"),
        ("۱۴۴۸/۶/۱۲ هـ ق - ۲۰۲۶/۱۱/۲۲ م", "fa"),
        ("12/6/1448 - 22/11/2026", "ar"),
        ("22 | 11 | 2026", "de"),
        ("22 नवंबर 2026", "hi"),
        ("২২ নভেম্বর ২০২৬", "bn"),
        ("22 พฤศจิกายน 2569", "th"),
        ("22 พ.ย. 2569", "th"),
    ],
)
def test_a_day_in_words_ordinals_and_other_calendars(text, language):
    """Ordinals, oblique months, short years and a lunar day beside it are read."""
    assert at(text, language=language) == DAY


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("د تلې ۱۲مه ۱۴۰۴", date(2025, 10, 4)),
        ("د سلواغې ۱مه ۱۴۰۴", date(2026, 1, 21)),
        ("بیست و سوم عقرب ۱۴۰۴", date(2025, 11, 14)),
        ("۲۲ مه ۲۰۲۵", date(2025, 5, 22)),
        ("۹۸/۰۵/۱۲", date(2019, 8, 3)),
        ("22 Nov 97", date(1997, 11, 22)),
    ],
)
def test_months_and_years_that_were_taken_for_others(text, day):
    """Oblique Pashto months, the Persian May, and years of two digits."""
    assert at(text, language="fa").date() == day


@pytest.mark.parametrize("text", ["۰۵/۰۹/۰۱", "July 31-Aug. 2", "۱ رجب ۱۴۴۷"])
def test_what_may_be_two_days_is_none(text):
    """Either end may be the year, or no year is given: nothing is told for sure."""
    found = written_dates.parse_date(text, now=NOW, language="fa")
    assert found is None or found.confidence < 0.5


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("۱ قوس ۱۴۰۵ - ۶:۳۰ بعدازظهر", 18, 30),
        ("۱ قوس ۱۴۰۵ ۶:۳۰ عصر", 18, 30),
        ("۱ قوس ۱۴۰۵ ساعت ۸:۱۵ شب", 20, 15),
        ("۱ قوس ۱۴۰۵ ساعت ۱:۱۵ شب", 1, 15),
        ("۱ قوس ۱۴۰۵ ۱۲:۳۰ ظهر", 12, 30),
        ("۱ قوس ۱۴۰۵ ۶:۳۰ غ.و", 18, 30),
        ("د ماسپښین ۴:۳۰، ۱ لیندۍ ۱۴۰۵", 16, 30),
        ("22 نومبر 2026 شام 6:42", 18, 42),
        ("22 نوفمبر 2026 6:42 م", 18, 42),
        ("22 نوفمبر 2026 6:42 مساءً", 18, 42),
        ("22 نوفمبر 2026 6:42 ص", 6, 42),
        ("22 November 2026 5.30pm", 17, 30),
        ("22.11.2026 17.30", 17, 30),
        ("2026년 11월 22일 오후 5:30", 17, 30),
        ("2026年11月22日 下午5:30", 17, 30),
        ("22 November 2026 10:00 Asia/Kabul", 5, 30),
        ("Sun Nov 22 10:00:00 2026 +0430", 5, 30),
        ("22 Nov 2026 03:00 --0700", 10, 0),
        ("Sat, 21 Nov 2026 24:00:00 GMT", 0, 0),
    ],
)
def test_halves_of_the_day_and_zones_in_every_form(text, hour, minute):
    """Afternoon in seven languages, a point for a colon, zones by name and late."""
    assert at(text).timetuple()[:5] == (2026, 11, 22, hour, minute)


@pytest.mark.parametrize(("language", "month"), [("en-GB", 4), ("en-US", 3), ("en", 3)])
def test_only_some_english_has_the_month_first(language, month):
    """A feed in British English was read month first."""
    assert at("03/04/2021", language=language).month == month
