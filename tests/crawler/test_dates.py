"""Promises of a page's dates: when it says that it was published and changed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from crawler.extraction import dates, json_ld

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


# Pages written for these tests.

PAGE = """<html lang="{lang}"><head><title>Canal opens</title>{head}</head>
<body><header><time datetime="2026-11-01">today</time></header>
<article><h1>Canal opens</h1>{body}<p>Water reached the fields on 3 March 2019, the council said.</p></article>
<aside class="related"><time datetime="2015-05-05">5 May 2015</time></aside></body></html>"""


def find(head="", body="", url="https://outlet.example/a", lang="en", **options):
    tree = html.document_fromstring(PAGE.format(head=head, body=body, lang=lang))
    return found_in(tree, url, **options)


def found_in(tree, url, *, text="", **options):
    objects = json_ld.find_objects(tree)
    return dates.find_dates(tree, objects, url=url, text=text, now=NOW, **options)


def alone(head="", body="", lang="en"):
    """The dates of a page that holds no other date."""
    tree = html.document_fromstring(
        f"<html lang={lang}><head><title>Canal opens</title>{head}</head>"
        f"<body><h1>Canal opens</h1>{body}</body></html>"
    )
    return found_in(tree, "https://outlet.example/a", language=lang)


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
        day(found.published), found.published.method, found.published.at.hour, found.published.at.minute,
    ) == ("2026-11-20", "jsonld", 3, 30)  # fmt: skip
    assert (day(found.modified), found.modified.method) == ("2026-11-21", "jsonld")


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
    assert (day(found.published), found.published.method) == ("2026-11-20", "meta")


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
    assert found_in(tree, "https://outlet.example/a").published is None


@pytest.mark.parametrize("year", ["", " 2026"])
@pytest.mark.parametrize(
    ("head", "body"),
    [
        ('<meta name="pubdate" content="20 November{}">', ""),
        ("", '<time class="entry-date published">20 November{}</time>'),
        ("", '<span class="post-date">Nov. 20{}</span>'),
        ("", "<p>Published: Friday, 20 November{}</p>"),
    ],
)
def test_a_date_without_a_year_dates_no_page(head, body, year):
    """It is as often the day of something else: a fair, an anniversary, the visit."""
    found = alone(head.format(year), body.format(year)).published
    assert day(found) == ("2026-11-20" if year else None)


def test_a_solar_hijri_date_without_a_year_dates_no_page():
    """The same holds for months that only one calendar has."""
    assert alone(body='<span class="post-date">۲۹ عقرب</span>').published is None
    assert alone(body="<p>د خپرېدو نېټه: ۲۹ لړم</p>", lang="ps").published is None


@pytest.mark.parametrize(
    "url",
    [
        "https://outlet.example/2026/11/20/canal/",
        "https://outlet.example/news/2026-11-20/canal",
        "https://outlet.example/20261120/canal.html",
        "https://outlet.example/1405/8/29/canal",
        "https://outlet.example/blog/2026-11-20-canal-opens",
    ],
)
def test_the_address_tells_a_day(url):
    """Permanent addresses carry their day, Solar Hijri ones included."""
    tree = html.document_fromstring("<html><body><h1>Canal</h1></body></html>")
    found = found_in(tree, url).published
    assert (day(found), found.method) == ("2026-11-20", "url")


@pytest.mark.parametrize(
    "url",
    [
        "https://outlet.example/news/canal-20261120.html",
        "https://outlet.example/2026/11/3-questions-on-the-canal",
        "https://outlet.example/2026/11/92713",
        "https://outlet.example/id_20261120_4",
    ],
)
def test_a_number_in_a_slug_is_no_day(url):
    """Only whole segments of the path are a date."""
    tree = html.document_fromstring("<html><body><h1>Canal</h1></body></html>")
    assert found_in(tree, url).published is None


@pytest.mark.parametrize(
    "head",
    [
        '<meta property="article:published_time" content="2019-06-17T18:28:00Z">',
        '<meta name="DC.Issued" content="2019-06-17">',
        (
            '<script type="application/ld+json">{"@type":"NewsArticle",'
            '"datePublished":1560796080}</script>'
        ),
    ],
)
def test_no_address_beats_a_sound_structured_date(head):
    """An address keeps the day of a draft; the page's own word is believed."""
    found = find(head, url="https://outlet.example/2019/6/12/canal").published
    assert day(found) == "2019-06-17"


CARD = (
    '<div class="item"><a href="/n/7">Snow closes the pass in Badakhshan</a> {}</div>'
)


@pytest.mark.parametrize(
    "other",
    [
        CARD.format('<time datetime="2026-03-05">5 March 2026</time>'),
        CARD.format('<span class="date">5 March 2026</span>'),
        "<ul><li>" + CARD.format("<p>5 March 2026</p>") + "</li></ul>",
        '<div id="disqus_thread"><time datetime="2026-03-05T09:00Z">x</time></div>',
        '<ol class="comment-list"><li><time>5 March 2026</time></li></ol>',
        (
            "<blockquote>Rain has come. <a href='https://social.example/7'>5 March 2026"
            "</a></blockquote>"
        ),
        (
            '<script>var more=[{"publishedAt":"2026-03-05"},{"publishedAt":"2026-03-06"}]'
            "</script>"
        ),
    ],
)
def test_the_date_of_a_neighbour_is_not_the_page_s(other):
    """Cards, comments, quoted posts and lists in scripts date something else."""
    assert alone(body="<p>Water has come.</p>" + other).published is None
    own = alone(body="<p>10 May 2026</p><p>Water has come.</p>" + other)
    assert day(own.published) == "2026-05-10"


def test_a_byline_with_links_is_no_card():
    """Links to people, tags and the page itself name no other article."""
    body = (
        '<div class="meta"><a href="/tag/water-and-land-of-the-north">Water and land of '
        'the north</a> <a href="/author/x">By a man of five long names</a> '
        "<time>10 May 2026</time></div>"
    )
    assert day(alone(body=body).published) == "2026-05-10"


def test_a_feed_s_day_years_from_page_and_address_loses():
    """A feed shows an old article as a new one: two witnesses tell the day."""
    head = '<meta property="article:published_time" content="2019-06-17T18:28:00Z">'
    fed = {"lead_date": NOW - timedelta(days=1), "lead_raw": "yesterday"}
    old = find(head, url="https://outlet.example/2019/06/17/canal", **fed)
    assert day(old.published) == "2019-06-17"
    assert find(head, **fed).published.method == "feed"


@pytest.mark.parametrize("raw", ["۱۲ رجب ۱۴۴۷", "the day before Eid", "32/13/2026"])
def test_what_nobody_can_read_is_kept_as_it_was_written(raw):
    """No date is told, and its text stays."""
    found = alone(f'<meta name="pubdate" content="{raw}">')
    assert (found.published, found.unread) == (None, raw)


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
    assert (lead, "feed") == (fed.at, fed.method)
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
    url = f"https://outlet.example/{path}"
    found = dates.find_dates(tree, objects, url=url, text=words, now=NOW)
    assert found.published is None or 1995 <= found.published.at.year <= 2026
