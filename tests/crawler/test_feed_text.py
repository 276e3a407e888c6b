"""What in a feed is structure and what is text, and in which encoding it is written."""

import json
import time

import pytest

from builders import LIMITS, make_source
from crawler.leads import feeds
from storage.model import utc_now

URL = "https://paper.example/feed"
LONG = " ".join(f"word{number}" for number in range(150))


def read(document, content_type="text/xml", kind="feed"):
    body = document if isinstance(document, bytes) else document.encode()
    return feeds.parse_feed(
        body,
        url=URL,
        headers={"content-type": content_type},
        source=make_source("paper", url=URL, kind=kind),
        now=utc_now(),
        **LIMITS,
    )


def item(number, inside=""):
    link = f"https://paper.example/news/{number}"
    return f"<item><title>News {number}</title><link>{link}</link>{inside}</item>"


def rss(*items):
    namespace = 'xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    return f'<rss version="2.0" {namespace}><channel>{"".join(items)}</channel></rss>'


@pytest.mark.parametrize(
    "text",
    [
        "<br>" * 900,
        "<div>" * 900 + "never closed",
        f'<img src="data:image/png;base64,{"A" * 60_000}">',
        "</item></channel></rss>",
        "<!-- <html> <item> -->",
        "<x " + " ".join(f'a{number}="1"' for number in range(20_000)) + ">",
        "<b>" * 600_000,
    ],
)
def test_markup_in_cdata_is_text(text):
    """A body in CDATA costs and closes nothing, whatever HTML it holds."""
    content = f"<content:encoded><![CDATA[<p>{LONG}</p>{text}]]></content:encoded>"
    started = time.process_time()
    feed = read(rss(item(1, content), item(2), item(3)))
    assert feed.error is None
    assert [lead.title for lead in feed.leads] == ["News 1", "News 2", "News 3"]
    assert "word149" in feed.leads[0].body
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "inside",
    [
        "<description>a<br>b<hr>c<img src='x'>d</description>" * 30,
        "<description><p>one<p>two<p>three</description>" * 30,
        f"<enclosure url='data:image/png;base64,{'A' * 60_000}'/>",
    ],
)
def test_markup_of_html_outside_cdata_is_met_without_harm(inside):
    """Void tags, tags left open and an image in an attribute nest nothing."""
    feed = read(rss(*(item(number, inside) for number in range(12))))
    assert feed.error is None
    assert len(feed.leads) == 12


@pytest.mark.parametrize(
    "bad",
    [
        "<a>" * 300 + "</a>" * 300,
        "<a><b>" * 200,
        "<x " + " ".join(f'a{number}="1"' for number in range(20_000)) + "/>",
    ],
)
def test_one_bad_entry_costs_one_entry(bad):
    """An entry that is too complex goes, with a warning, and the others stay."""
    feed = read(rss(item(1), item(2, bad), item(3)))
    assert feed.error is None
    assert [lead.title for lead in feed.leads] == ["News 1", "News 3"]
    assert "1 entries left out: too complex" in feed.warnings


@pytest.mark.parametrize(
    "before",
    [
        "<!-- Readers want <html>; see <body> -->",
        "<?xml version='1.0'?><?made by='<html>'?>",
        "<?xml version='1.0'>\n<!-- <feed> -->",
        f"<!-- {'long ' * 40_000} -->",
        "<!-- <!DOCTYPE html><html><body> --><!-- <rdf> -->",
    ],
)
@pytest.mark.parametrize("kind", ["feed", "sitemap"])
def test_the_root_is_no_word_of_a_comment(before, kind):
    """Comments and processing instructions before the root name no root."""
    document = rss(item(1))
    if kind == "sitemap":
        page = "<url><loc>https://paper.example/news/1</loc></url>"
        document = f"<urlset>{page}</urlset>"
    feed = read(before + document, kind=kind)
    assert feed.error is None
    assert [lead.url for lead in feed.leads] == ["https://paper.example/news/1"]


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("&lt;![CDATA[", "]]&gt;"),
        ("&amp;lt;![CDATA[", "]]&amp;gt;"),
        ("<![CDATA[<![CDATA[", "]]]]><![CDATA[>]]>"),
    ],
)
def test_marks_of_cdata_that_were_escaped_are_no_text(opening, closing):
    """Title and body are what stands between the marks."""
    entry = (
        f"<item><title>{opening}Snow falls{closing}</title>"
        "<link>https://paper.example/news/1</link>"
        f"<description>{opening}{LONG}{closing}</description></item>"
    )
    (lead,) = read(rss(entry)).leads
    assert lead.title == "Snow falls"
    assert "word0" in lead.body
    assert "CDATA" not in lead.body


@pytest.mark.parametrize(
    "inside",
    [
        f"<description>{LONG}</description><content:encoded>Lead.</content:encoded>",
        f"<content:encoded>{LONG}</content:encoded><description>Lead.</description>",
        f"<content:encoded>Lead.</content:encoded><description>{LONG}</description>",
    ],
)
def test_the_longest_body_is_the_body(inside):
    """A short content does not hide a whole description."""
    (lead,) = read(rss(item(1, inside))).leads
    assert "word149" in lead.body


@pytest.mark.parametrize("text", ["[" * 200, 'a "quoted [[[" ' * 60, "\\ {{{" * 60])
def test_brackets_in_json_strings_nest_nothing(text):
    """Of a JSON feed only arrays and objects count."""
    entry = {"id": "1", "url": "https://paper.example/1", "content_text": text}
    feed = read(json.dumps({"version": "1.1", "items": [entry]}), "application/json")
    assert feed.error is None
    assert len(feed.leads) == 1


@pytest.mark.parametrize("charset", ["", "; charset=ISO-8859-1", "; charset=us-ascii"])
@pytest.mark.parametrize(
    "title", ["The city’s – quiet – “day”", "پل بزرگ شهر باز شد", "Новый мост открыт"]
)
def test_a_broken_byte_of_utf_8_spoils_one_character(charset, title):
    """Neither it nor the header of a server makes the rest another encoding."""
    document = rss(item(1, "<description>cut \x00</description>"))
    document = document.replace("News 1", title).encode().replace(b"\0", b"\xd8")
    feed = read(document, "text/xml" + charset)
    assert [lead.title for lead in feed.leads] == [title]
    assert "bytes that are not utf-8 were replaced" in feed.warnings


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=ISO-8859-1"])
@pytest.mark.parametrize(
    ("codec", "title"),
    [
        ("cp1252", "Élection à Genève, “café” fermé"),
        ("cp1256", "سخنگوي والي از انفجار خبر داد"),
        ("cp1251", "Новый мост открыт в городе"),
    ],
)
def test_an_undeclared_encoding_is_told_by_its_bytes(charset, codec, title):
    """Text of one byte a letter, undeclared or declared as a server's default."""
    document = rss(item(1)).replace("News 1", title).encode(codec)
    (lead,) = read(document, "text/xml" + charset).leads
    assert lead.title == title
