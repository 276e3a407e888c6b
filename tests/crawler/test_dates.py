"""Dates as they are written near Afghanistan, and when a page says that it was published."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from lxml import html

from crawler.extraction import calendars, dates

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = datetime(2026, 11, 22, tzinfo=UTC)


def at(text, **options):
    found = dates.parse_date(text, now=NOW, **options)
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
    assert dates.parse_date(text, now=NOW).at == DAY
    assert not dates.parse_date(text, now=NOW).exact


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
    found = dates.parse_date(
        "03/04/2021", now=NOW, language=language, day_first=day_first
    )
    assert month == found.at.month
    assert found.confidence < 0.7


def test_a_date_without_a_year_is_the_latest_past_one():
    """It is believed little."""
    found = dates.parse_date("25 December", now=NOW)
    assert found.at.timetuple()[:3] == (2025, 12, 25)
    assert found.confidence < 0.5
    assert datetime(2026, 3, 21, tzinfo=UTC) == at("۱ حمل")


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
    found = dates.parse_date(text, now=NOW, language=language, zone=zone)
    if found:
        assert dates.EARLIEST_DATE <= found.at <= NOW + timedelta(hours=24)
        assert len(found.raw) <= dates.MAX_DATE_CHARS
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


# Pages written for these tests.

PAGE = """<html lang="{lang}"><head><title>Canal opens</title>{head}</head>
<body><header><time datetime="2026-11-01">today</time></header>
<article><h1>Canal opens</h1>{body}<p>Water reached the fields on 3 March 2019, the council said.</p></article>
<aside class="related"><time datetime="2015-05-05">5 May 2015</time></aside></body></html>"""


def find(head="", body="", url="https://outlet.example/a", lang="en", **options):
    tree = html.document_fromstring(PAGE.format(head=head, body=body, lang=lang))
    return dates.find_dates(
        tree, url=url, text=options.pop("text", ""), now=NOW, **options
    )


def day(found):
    return found and found.at.date().isoformat()


LD = '<script type="application/ld+json">{}</script>'


def test_json_ld_before_everything_else_on_the_page():
    """datePublished of the article, even in a graph, and dateModified apart."""
    graph = '{"@graph": [{"@type": "Person", "datePublished": "2001-01-01"}, {"@type": ["NewsArticle"],'
    graph += '"datePublished": "2026-11-20T08:00:00+04:30", "dateModified": "2026-11-21T08:00:00Z"}]}'
    found = find(
        LD.format(graph), '<time datetime="2026-11-19" class="published">x</time>'
    )
    assert (
        day(found.published), found.published.how, found.published.at.hour, found.published.at.minute,
    ) == ("2026-11-20", "jsonld", 3, 30)  # fmt: skip
    assert (day(found.modified), found.modified.how) == ("2026-11-21", "jsonld")


@pytest.mark.parametrize(
    "broken",
    [
        '{"@type": "NewsArticle", "datePublished": "2026-11-20", ',
        '{"datePublished":"2026-11-20"',
    ],
)
def test_json_ld_that_nobody_can_parse_still_tells_its_date(broken):
    """Broken JSON-LD is as common as it is useful."""
    assert day(find(LD.format(broken)).published) == "2026-11-20"


def test_json_ld_of_this_page_before_that_of_others():
    """Where articles are listed, the one that names the page's address is meant."""
    items = '[{"@type":"NewsArticle","url":"https://outlet.example/b","datePublished":"2020-01-01"},'
    items += '{"@type":"NewsArticle","url":"https://outlet.example/a","datePublished":"2026-11-20"}]'
    assert day(find(LD.format(items)).published) == "2026-11-20"


@pytest.mark.parametrize(
    "meta",
    [
        '<meta property="article:published_time" content="2026-11-20T10:00:00Z">',
        '<meta name="parsely-pub-date" content="2026-11-20">',
        '<meta name="DC.date.issued" content="2026-11-20">',
        '<meta itemprop="datePublished" content="2026-11-20">',
        '<meta name="pubdate" content="۲۹ عقرب ۱۴۰۵">',
    ],
)
def test_meta_tags(meta):
    """The names that sites use for the date of publication."""
    found = find(meta)
    assert (day(found.published), found.published.how) == ("2026-11-20", "meta")


def test_updated_is_not_published():
    """A modification date alone is offered for both, and trusted less."""
    found = find(
        '<meta property="article:modified_time" content="2026-11-20T10:00:00Z">',
        lang="en",
    )
    assert day(found.modified) == "2026-11-20"
    both = find(
        '<meta property="article:modified_time" content="2026-11-20"><meta name="pubdate" content="2026-11-02">'
    )
    assert (day(both.published), day(both.modified)) == ("2026-11-02", "2026-11-20")


def test_live_pages_keep_their_first_date_in_microdata():
    """Where published equals modified, an earlier datePublished of the page is the first."""
    head = '<meta property="article:published_time" content="2026-11-20T10:00:00Z">'
    head += '<meta property="article:modified_time" content="2026-11-20T10:00:00Z">'
    body = '<div itemprop="datePublished" content="2026-11-18T09:00:00Z">live</div>'
    assert day(find(head, body).published) == "2026-11-18"


@pytest.mark.parametrize(
    ("body", "lang"),
    [
        ('<time itemprop="datePublished" datetime="2026-11-20">Friday</time>', "en"),
        ('<time class="entry-date published">20 November 2026</time>', "en"),
        ('<span class="post-date">۲۹ عقرب ۱۴۰۵</span>', "fa"),
        ('<div class="byline">By R. Karimi | Nov 20, 2026</div>', "en"),
        ("<p>تاریخ نشر: ۲۹ عقرب ۱۴۰۵ - ۱۴:۳۰</p>", "fa"),
        ("<p>د خپرېدو نېټه: ۱۴۰۵ لړم ۲۹</p>", "ps"),
        ("<p>Published: 20/11/2026</p>", "en-GB"),
    ],
)
def test_dates_that_people_read(body, lang):
    """Time elements, classes that speak of dates, and texts under the headline.

    Never those of related stories.
    """
    assert day(find(body=body, lang=lang).published) == "2026-11-20"


def test_a_date_inside_a_sentence_is_not_the_page_s():
    """What an article tells of is not when it was published."""
    tree = html.document_fromstring(
        "<html><body><h1>Flood</h1><p>The dam, which engineers from three provinces and two "
        "countries had been building since 3 March 2019, broke.</p></body></html>"
    )
    assert (
        dates.find_dates(
            tree, url="https://outlet.example/a", text="", now=NOW
        ).published
        is None
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://outlet.example/2026/11/20/canal/",
        "https://outlet.example/news/2026-11-20-canal",
        "https://outlet.example/canal-20261120.html",
        "https://outlet.example/1405/8/29/canal",
    ],
)
def test_the_address_tells_a_day(url):
    """Permanent addresses carry their day, Solar Hijri ones included."""
    tree = html.document_fromstring("<html><body><h1>Canal</h1></body></html>")
    found = dates.find_dates(tree, url=url, text="", now=NOW).published
    assert (day(found), found.how) == ("2026-11-20", "url")


def test_the_address_goes_before_a_later_republication():
    """An address made in 2017 is not of 2019."""
    head = '<meta property="article:published_time" content="2019-06-17T18:28:00Z">'
    assert (
        day(find(head, url="https://outlet.example/2017/7/12/canal").published)
        == "2017-07-12"
    )


@pytest.mark.parametrize(
    "absurd",
    ["2099-01-01", "1970-01-01", "0000-00-00", "9999-12-31T23:59:59-14:00", "junk"],
)
def test_an_absurd_date_gives_way_to_the_next(absurd):
    """Future, ancient and broken dates are passed over."""
    head = f'<meta property="article:published_time" content="{absurd}"><meta name="pubdate" content="2026-11-20">'
    assert day(find(head).published) == "2026-11-20"


def test_the_feed_s_date_is_the_source_s_word():
    """A feed's date comes first.

    A sitemap's last change (no raw date) gives way to the page's own.
    """
    head = '<meta property="article:published_time" content="2026-11-20T10:00:00Z">'
    lead = datetime(2026, 11, 19, 8, 0, tzinfo=UTC)
    fed = find(head, lead_date=lead, lead_raw="Thu, 19 Nov 2026 08:00:00 GMT").published
    assert (lead, "feed") == (fed.at, fed.how)
    assert day(find(head, lead_date=lead).published) == "2026-11-20"
    assert (
        day(find(head, lead_date=NOW + timedelta(days=9), lead_raw="x").published)
        == "2026-11-20"
    )


@pytest.mark.parametrize(
    ("lang", "url", "expected"),
    [
        ("en", "https://outlet.example/a", "2026-03-04"),
        ("en-US", "https://outlet.example/a", "2026-03-04"),
        ("en-GB", "https://outlet.example/a", "2026-04-03"),
        ("", "https://outlet.example/en-gb/a", "2026-04-03"),
        ("fa", "https://outlet.example/a", "2026-04-03"),
    ],
)
def test_the_country_of_a_page_orders_day_and_month(lang, url, expected):
    """03/04 is in April but in the United States, and in English of no country."""
    assert expected == day(
        find(
            '<meta name="pubdate" content="03/04/2026">',
            lang=lang,
            url=url,
            language=lang[:2] or "en",
        ).published
    )


def test_a_source_s_own_format():
    """It is tried first, and a time without a zone is in the source's."""
    head = '<meta name="pubdate" content="d20m11y2026">'
    assert day(find(head, date_format="d%dm%my%Y").published) == "2026-11-20"
    head = '<meta name="pubdate" content="20.11.2026 um 18.30 Uhr">'
    read = find(head, date_format="%d.%m.%Y um %H.%M Uhr", zone="Asia/Kabul").published
    assert read.at == datetime(2026, 11, 20, 14, tzinfo=UTC)


def test_confidence_falls_with_the_place():
    """A date from markup is surer than one from text, and each says what it read."""
    meta = find(
        '<meta property="article:published_time" content="2026-11-20T10:00:00Z">'
    ).published
    text = find(body="<p>20 November 2026</p>").published
    assert meta.confidence > text.confidence > 0
    assert (meta.raw, text.raw) == ("2026-11-20T10:00:00Z", "20 November 2026")


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=100))
def test_no_page_raises(value, words, path):
    """Whatever stands in the places that are looked at, a page has a date or none."""
    tree = html.document_fromstring(
        "<html><body><h1>x</h1><time>y</time><p class='post-date'>z</p></body></html>"
    )
    tree.find(".//time").set("datetime", "".join(c for c in value if c.isprintable()))
    tree.find(".//p").text = "".join(c for c in words if c.isprintable())
    objects = [
        {"@type": value, "datePublished": words},
        {"@type": ["NewsArticle", 3], "datePublished": [value]},
    ]
    found = dates.find_dates(
        tree, url=f"https://outlet.example/{path}", text=words, now=NOW, objects=objects
    )
    assert found.published is None or 1995 <= found.published.at.year <= 2026
