"""Which links of a page that lists articles are taken for articles.

All pages were written for these tests.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import LIMITS
from crawler.leads import sections
from crawler.sources import Source

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOME = "https://www.wire.example/afghanistan/"
HEADS = (
    (
        "/2026/11/21/two-killed-in-panjwai-blast/",
        "Two people killed in a blast in Panjwai, officials say",
    ),
    ("/2026/11/21/market-fire/", "Fire at the Lashkar Gah market destroys forty shops"),
    ("/2026/11/20/elders-meet-in-gardez/", "Elders of three tribes meet in Gardez"),
    ("/2026/11/20/quiet/", "A quiet day"),
)
MENU = (
    "/afghanistan/",
    "/world/",
    "/about-us",
    "/tag/kandahar",
    "/author/a-writer-of-ours",
    "/category/south-asia-and-beyond",
)
FOOT = (
    "/privacy-policy-of-this-house-1234567",
    "/2026/11/",
    "/2026/11/21/",
    "/subscribe/newsletter-1234567",
    "/jobs/12345678-editor-wanted-in-kabul",
)


def listing(heads=HEADS, more=""):
    menu = "".join(
        f"<li><a href='{href}'>{href.strip('/').split('/')[-1].title()}</a></li>"
        for href in MENU
    )
    foot = "".join(
        f"<a href='{href}'>{href.strip('/').replace('/', ' ')}</a> " for href in FOOT
    )
    items = "".join(
        f"<div class=card><h3><a href='{href}'>{text}</a></h3><p>A standfirst.</p></div>"
        for href, text in heads
    )
    html = f"<html><body><nav><ul>{menu}</ul></nav><main>{items}{more}</main><footer>{foot}</footer></body></html>"
    return html.encode()


def source(**given):
    return Source(
        **({"id": "wire", "kind": "section", "url": HOME, "language": "en"} | given)
    )


def read(body, url=HOME, **given):
    return sections.parse_section_page(
        body,
        url=url,
        headers={"Content-Type": "text/html; charset=utf-8"},
        source=source(**given),
        now=NOW,
        **LIMITS,
    )


def paths(feed):
    return [lead.url.removeprefix("https://www.wire.example") for lead in feed.leads]


def test_headlines_are_leads_and_menus_footers_tags_and_calendars_are_not():
    """Each lead has its headline as title, and the day that its address names."""
    feed = read(listing())
    assert paths(feed) == [href for href, _ in HEADS]
    assert [lead.title for lead in feed.leads] == [text for _, text in HEADS]
    assert feed.leads[0].published_at.date().isoformat() == "2026-11-21"
    assert feed.leads[0].published_raw is None
    assert feed.leads[0].via == "section"


@pytest.mark.parametrize(
    "twin",
    [
        "/2026/11/21/two-killed-in-panjwai-blast/print/",
        "/2026/11/21/two-killed-in-panjwai-blast/?print=1",
        "/2026/11/21/two-killed-in-panjwai-blast/?PHPSESSID=0123456789abcdef",
        "/2026/11/21/two-killed-in-panjwai-blast/?replytocom=77#respond",
        "/2026/11/21/two-killed-in-panjwai-blast.print",
        "/2026/11/21/two-killed-in-panjwai-blast/;jsessionid=ABCDEF0123456789",
        "/events/?month=11&year=2031",
        "/calendar/2031/11/",
        "/uploads/2026/11/21/map-of-the-district-of-panjwai.pdf",
        "https://elsewhere.example/2026/11/21/two-killed-in-panjwai-blast/",
        "javascript:void(0)",
        "mailto:desk@wire.example",
        "http://[wire.example/2026/11/21/two-killed-in-panjwai-blast/",
        "#top",
        "/",
    ],
)
def test_twins_sessions_calendars_files_and_other_sites_are_never_leads(twin):
    """A page that links them beside its articles shows its articles only."""
    feed = read(
        listing(
            more=f"<h3><a href='{twin}'>Two people killed in a blast in Panjwai, officials say</a></h3>"
        )
    )
    assert paths(feed) == [href for href, _ in HEADS]


def test_a_link_to_another_site_is_counted():
    """What is left out is said."""
    feed = read(
        listing(
            more="<a href='https://elsewhere.example/2026/11/21/a-story-of-others/'>A story of others</a>"
        )
    )
    assert feed.warnings == ("1 links to other sites left out",)


def test_a_pattern_alone_decides_where_a_source_has_one():
    """What looks like an article and does not match is none.

    What matches needs no looks.
    """
    body = listing(more="<a href='/n/x1'>a</a><a href='/n/x2'>b</a>")
    assert paths(read(body, link_pattern=r"/n/x\d$")) == ["/n/x1", "/n/x2"]


def test_short_headlines_go_with_links_that_are_shaped_alike():
    """Ten numbered pages with headlines of five words carry the eleventh, whose headline is one word."""
    heads = [
        (f"/news/{70000 + n}", f"Officials report on district number {n} again")
        for n in range(10)
    ] + [("/news/70099", "Poppies")]
    assert len(read(listing(heads)).leads) == 11


def test_dari_headlines_count_as_words():
    """A front page in Dari with numbers for addresses is read like any other.

    Its sections are not articles.
    """
    titles = (
        "دو تن در انفجار پنجوایی کشته شدند",
        "آتش‌سوزی در بازار لشکرگاه چهل دکان را سوخت",
        "بزرگان سه قوم در گردیز گرد آمدند",
    )
    heads = [(f"/a/79685{n}.html", title) for n, title in enumerate(titles)]
    feed = read(
        listing(
            heads,
            more="<ul class=menu><li><a href='/p/8251.html'>افغانستان</a><li><a href='/z/7094'>برنامه</a></ul>",
        )
    )
    assert paths(feed) == [href for href, _ in heads]


def test_the_time_beside_a_headline_is_its_date():
    """`<time>` in the block of a link, as it was written."""
    block = "<div><h3><a href='/2026/11/19/wells-in-khost'>Wells run dry in four villages of Khost</a></h3><time datetime='2026-11-19T08:30:00+04:30'>Thursday</time></div>"
    dated = {lead.url: lead for lead in read(listing(more=block)).leads}[
        "https://www.wire.example/2026/11/19/wells-in-khost"
    ]
    assert dated.published_at == datetime(2026, 11, 19, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body><p>Sorry, this page is not here.</p><a href='/'>Home</a></body></html>",
        b"\x00" * 50,
        listing(()),
    ],
)
def test_a_soft_404_and_a_page_of_menus_are_errors_in_words(body):
    """No links that look like articles.

    The visit fails and says so, with what can be done.
    """
    feed = read(body)
    assert feed.leads == ()
    assert feed.error.startswith(("no_article_links:", "not_a_page:"))


def test_the_next_page_is_the_one_that_the_page_names():
    """By rel=next or by the words of its link.

    Never a calendar's next month, never another host's.
    """
    assert (
        read(listing(more="<a rel=next href='/afghanistan/page/2/'>2</a>")).next_page
        == f"{HOME}page/2/"
    )
    assert (
        read(listing(more="<a href='/afghanistan/?page=2'>صفحه بعدی</a>")).next_page
        == f"{HOME}?page=2"
    )
    assert (
        read(
            listing(
                more="<a rel=next href='/afghanistan/?month=12&year=2026'>December</a>"
            )
        ).next_page
        is None
    )
    assert (
        read(
            listing(
                more="<a rel=next href='https://elsewhere.example/afghanistan/page/2/'>2</a>"
            )
        ).next_page
        is None
    )


def test_a_page_of_a_hundred_thousand_links_is_bounded():
    """Too many tags are refused before parsing.

    Below that only the first 3,000 links are looked at.
    """
    many = "".join(f"<a href='/n/{n}'>x</a>" for n in range(60_000))
    assert read(listing(more=many)).error.startswith("not_a_page:")
    some = [
        (f"/2026/11/21/name-of-story-{n}", f"The story of day number {n} is told here")
        for n in range(6_000)
    ]
    assert len(read(listing(some)).leads) <= 2_000


@given(st.text(max_size=300), st.text(max_size=60))
def test_no_text_between_angle_brackets_breaks_the_reader(address, text):
    """Whatever stands in a link, there is an answer."""
    body = f"<html><body><a href=\"{address}\">{text}</a><h2><a href='/2026/11/21/a-b-c'>Five words of a headline</a></h2></body></html>"
    feed = read(body.encode("utf-8", "replace"))
    assert feed.error is None or not feed.leads
