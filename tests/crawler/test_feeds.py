"""What a feed document may look like (cases 49 to 70 of the polling rules), and what strangers send instead of one."""

import gzip
import io
import json
import pickle
from datetime import UTC, datetime

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import LIMITS, make_source
from crawler.leads import feeds

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://outlet.example/news/feed.xml"
SOURCE = make_source("s", url=URL)
ITEM = "<item><title>Bridge reopens</title><link>https://outlet.example/a</link><guid>1</guid></item>"


def rss(items=ITEM, head="", version="2.0"):
    channel = f"<title>Outlet</title><link>https://outlet.example/</link>{head}{items}"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="{version}"><channel>{channel}</channel></rss>'


def read(document, source=SOURCE, headers=None, **limits):
    body = document if isinstance(document, bytes) else document.encode()
    return feeds.parse_feed(
        body, url=URL, headers=headers or {}, source=source, now=NOW, **LIMITS | limits
    )


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "text/html", "application/octet-stream", "", "nonsense;;;"],
)
def test_case_49_wrong_content_type_is_sniffed(content_type):
    """What a document is, its first bytes say."""
    feed = read(rss(), headers={"Content-Type": content_type})
    assert feed.error is None
    assert [lead.title for lead in feed.leads] == ["Bridge reopens"]


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><html><p>404</html>",
        "  \n<html lang=en>",
        "<HTML><body>login</body></HTML>",
    ],
)
def test_case_50_html_instead_of_a_feed(page):
    """A web page is an error with its own name."""
    assert read(page).error.startswith("html_instead_of_feed")
    assert read(page).leads == ()


def test_case_51_autodiscovery_offers_what_a_page_names():
    """Alternate links in document order, resolved against the base, feeds only."""
    page = b"""<html><head><base href="/section/"><link rel="stylesheet" href="x.css">
        <link rel="alternate" type="application/rss+xml" href="feed.xml?a=1&amp;b=2">
        <link type='application/feed+json' rel='ALTERNATE' href='//other.example/feed.json'>
        <link rel=alternate type=application/atom+xml href=javascript:alert(1)>
        <link rel="alternate" hreflang="ps" href="/ps/"></head></html>"""
    expected = (
        "https://outlet.example/section/feed.xml?a=1&b=2",
        "https://other.example/feed.json",
    )
    assert expected == feeds.find_feed_links(page, url="https://outlet.example/page")


@pytest.mark.parametrize(
    ("version", "author"),
    [
        ("1", {"author": {"name": "R. Karimi"}}),
        ("1.1", {"authors": [{"name": "R. Karimi"}, {"url": "x"}]}),
    ],
)
def test_case_52_json_feed(version, author):
    """Both versions are read by our own reader."""
    item = {
        "id": 7,
        "url": "/a",
        "title": "Canal & bridge",
        "content_html": "<p>Text</p>",
        "language": "ps",
    }
    item |= {"date_published": "2026-11-22T10:00:00+04:30"} | author
    document = {
        "version": f"https://jsonfeed.org/version/{version}",
        "title": "T",
        "language": "fa-af",
    }
    feed = read(
        json.dumps(
            document
            | {
                "home_page_url": "https://outlet.example",
                "next_url": "/p2",
                "items": [item],
            }
        )
    )
    (lead,) = feed.leads
    assert (feed.kind, feed.language, feed.next_page) == (
        "json",
        "fa-AF",
        "https://outlet.example/p2",
    )
    assert (lead.url, lead.guid, lead.title, lead.language) == (
        "https://outlet.example/a",
        "7",
        "Canal & bridge",
        "ps",
    )
    assert (lead.authors, lead.body) == (("R. Karimi",), "<p>Text</p>")
    assert datetime(2026, 11, 22, 5, 30, tzinfo=UTC) == lead.published_at


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{}", "not_a_feed"),
        ("[1, 2]", "not_a_feed"),
        ('{"version": "1", "items": [', "invalid_json"),
        ("[" * 90_000, "too_complex"),
    ],
)
def test_case_52_other_json_is_an_error(text, error):
    """JSON that is no feed says why, however deep it nests."""
    assert read(text).error.startswith(error)


NEWS_SITEMAP = """<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
  xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://outlet.example/n1</loc>
  <lastmod>2026-11-22T11:00:00Z</lastmod><news:news><news:publication><news:name>Outlet</news:name>
  <news:language>ps</news:language></news:publication><news:publication_date>2026-11-21</news:publication_date>
  <news:title>Snow closes Salang</news:title></news:news></url>
  <url><loc>/n2</loc><lastmod>2026-11-20</lastmod></url></urlset>"""


def test_case_53_news_sitemap_in_a_feed_slot():
    """A Google News urlset gives leads.

    A plain one gives them without a date of publication as written.
    """
    feed = read(NEWS_SITEMAP)
    news, plain = feed.leads
    assert (
        feed.kind, news.title, news.language, news.published_raw,
    ) == ("sitemap", "Snow closes Salang", "ps", "2026-11-21")  # fmt: skip
    assert ("https://outlet.example/n2", datetime(2026, 11, 20, tzinfo=UTC), None) == (
        plain.url, plain.published_at, plain.published_raw,
    )  # fmt: skip


def test_case_53_sitemap_index_is_an_error_in_a_feed_slot():
    """An index of a feed source is an error.

    A sitemap source gets its children, newest first.
    """
    index = "<sitemapindex><sitemap><loc>/old.xml</loc><lastmod>2020-01-01</lastmod></sitemap>"
    index += "<sitemap><loc>/new.xml</loc><lastmod>2026-01-01</lastmod></sitemap></sitemapindex>"
    assert read(index).error.startswith("sitemap_index")
    feed = read(index, source=make_source("s", kind="sitemap", url=URL))
    assert (feed.error, feed.children) == (
        None,
        ("https://outlet.example/new.xml", "https://outlet.example/old.xml"),
    )


@pytest.mark.parametrize(
    "document",
    [
        rss("<description>a & b</description>" + ITEM),
        rss(ITEM).replace("</channel></rss>", ""),
        rss(ITEM + "<item><title>half"),
        rss("<b><i>crossed</b></i>" + ITEM),
        rss("<title>&nbsp;&undefined;&#0;</title>" + ITEM),
    ],
)
def test_case_54_broken_with_items_keeps_them(document):
    """One stray ampersand silences no source."""
    feed = read(document)
    assert feed.error is None
    assert "Bridge reopens" in [lead.title for lead in feed.leads]


def test_case_54_broken_with_items_is_a_warning():
    """What was wrong is said."""
    assert any(
        "ill-formed" in warning
        for warning in read(rss("<b><i>x</b></i>" + ITEM)).warnings
    )


def test_case_55_broken_without_items_is_an_error():
    """A document that cannot be read and shows nothing is no success."""
    assert read('<rss version="2.0"><channel><title>x</channel>').error.startswith(
        "ill_formed"
    )
    assert read("<anything><else/></anything>").error.startswith("not_a_feed")
    assert read("plain words").error.startswith(("not_a_feed", "ill_formed"))


def test_case_56_valid_and_empty_is_a_success():
    """A feed may have nothing to say."""
    feed = read(rss(items=""))
    assert (feed.error, feed.leads, feed.entries, feed.kind) == (None, (), 0, "rss20")


DARI = rss(ITEM.replace("Bridge reopens", "پل باز شد")).replace(
    'encoding="utf-8"', 'encoding="{}"'
)


@pytest.mark.parametrize(
    ("codec", "prolog", "header"),
    [
        ("utf-8", "utf-8", ""),
        ("utf-8", "iso-8859-1", ""),
        ("utf-8", "utf-8", "text/xml; charset=iso-8859-1"),
        ("utf-8", "utf-16", "application/xml"),
        ("utf-8-sig", "utf-8", ""),
        ("utf-16", "utf-16", ""),
        ("utf-16-le", "utf-8", ""),
        ("windows-1256", "windows-1256", ""),
        ("windows-1256", "utf-8", "text/xml; charset=windows-1256"),
    ],
)
def test_case_57_encoding_by_header_prolog_or_bytes(codec, prolog, header):
    """Whoever lies, the title comes out right."""
    text = DARI.format(prolog).replace("ی", "ي")
    feed = read(text.encode(codec), headers={"content-type": header})
    assert [lead.title for lead in feed.leads] == ["پل باز شد"]


@pytest.mark.parametrize(
    "name",
    [
        "punycode",
        "zlib",
        "idna",
        "utf-7",
        "unicode_escape",
        "rot13",
        "no-such",
        "x" * 500,
    ],
)
def test_case_58_hostile_encoding_names_do_not_raise(name):
    """A codec that is none of text's is not used."""
    feed = read(DARI.format(name))
    assert [lead.title for lead in feed.leads] == ["پل باز شد"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\ufeff", ""),
        ("\n\n  ", ""),
        ("<br />\nWarning: include() in /var/www/x.php\n", ""),
        ("", "<!-- cached 0.1 s --><script>x()</script>"),
        ("", "\n" + rss(ITEM)),
    ],
)
def test_case_59_junk_around_a_document(before, after):
    """Items are taken whatever hosts print before and behind them."""
    feed = read(before + rss() + after)
    assert feed.error is None
    assert {"Bridge reopens"} == {lead.title for lead in feed.leads}


@pytest.mark.parametrize(
    "junk",
    [
        b"\x00",
        b"\x1b[31m",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"&#xD800;",
        b"&#0;",
        b"&#27;",
    ],
)
def test_case_60_bytes_that_are_no_text(junk):
    """Invalid bytes, controls and surrogates are gone or replaced before anything is stored; the item stays."""
    (lead,) = read(rss().encode().replace(b"Bridge", b"Br" + junk + b"idge")).leads
    assert "idge reopens" in lead.title
    assert lead.title.isprintable()
    lead.title.encode("utf-8")


def test_cases_61_to_63_are_read_from_the_document():
    """ttl, skipHours, skipDays and the syndication module reach the hints."""
    head = """<ttl>90</ttl><skipHours><hour>3</hour><hour>4</hour></skipHours><skipDays><day>Friday</day></skipDays>
        <sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">hourly</sy:updatePeriod>"""
    hints = read(rss(head=head)).hints
    assert (5_400, 3_600, {3, 4}, {4}) == (
        hints.ttl,
        hints.period,
        hints.skip_hours,
        hints.skip_days,
    )


def test_case_67_hub_is_recorded():
    """WebSub hubs are noted; polling goes on."""
    head = '<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="hub" href="https://hub.example/"/>'
    assert read(rss(head=head)).hub == "https://hub.example/"


def test_case_68_older_pages_are_named():
    """RFC 5005 links are there for a gap to be filled."""
    atom = '<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><link rel="prev-archive" href="/2026/10"/></feed>'
    assert read(atom).next_page == "https://outlet.example/2026/10"


def test_case_69_title_and_link_are_told():
    """What the feed calls itself can be compared with what it was."""
    feed = read(rss())
    assert (feed.title, feed.link) == ("Outlet", "https://outlet.example/")


def test_case_70_the_first_2000_entries():
    """Of a flood the first entries are taken, and it is said."""
    items = "".join(
        ITEM.replace("/a<", f"/{n}<").replace(">1<", f">{n}<") for n in range(2_500)
    )
    feed = read(rss(items))
    assert (len(feed.leads), feed.leads[-1].url) == (
        2_000,
        "https://outlet.example/1999",
    )
    assert any("2000" in warning for warning in feed.warnings)


def test_case_70_a_document_over_the_limit_is_cut():
    """Whole entries before the cut are kept."""
    items = "".join(
        ITEM.replace("/a<", f"/{n}<").replace(">1<", f">{n}<") for n in range(200)
    )
    feed = read(rss(items), max_bytes=5_000)
    assert 10 < len(feed.leads) < 60
    assert (feed.error, feed.warnings[0]) == (None, "cut: too large")


@pytest.mark.parametrize("body", [b"", b" \n\t ", b"\xef\xbb\xbf", b"\x00\x00"])
def test_case_39_empty_body_is_an_error(body):
    """Nothing is not an empty feed."""
    assert read(body).error.startswith("empty_body")


@pytest.mark.parametrize(
    "document",
    [
        "<rss " + " ".join(f'a{n}="1"' for n in range(20_000)) + "/>",
        "<rss><channel>" + "<a>" * 5_000,
        rss("<a>" * 300 + "</a>" * 300),
        rss("<x/>" * 400_000),
        rss("&" * 600_000),
    ],
)
def test_documents_that_cost_too_much_are_refused(document):
    """Attribute floods, deep nests and tag floods are named before any parser sees them."""
    assert read(document).error.startswith("too_complex")


def test_entities_that_contain_entities_stay_closed():
    """Billion laughs is a title of a few letters, an external entity names nothing, a harmless one is read."""
    doctype = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    document = (
        doctype + rss(ITEM.replace("Bridge reopens", "&a; &b; &x;")).partition("?>")[2]
    )
    assert [lead.title for lead in read(document).leads] == ["ha &b; &x;"]


def test_feedparser_never_gets_a_path(tmp_path):
    """A body that is the name of a local file is text (measured: feedparser.parse(bytes) opens it)."""
    secret = tmp_path / "secret.xml"
    secret.write_text(rss())
    assert read(str(secret)).leads == ()


def test_a_feed_crosses_the_process_border():
    """Workers answer with pickles."""
    feed = read(rss())
    assert feed == pickle.loads(pickle.dumps(feed))


@settings(max_examples=150)
@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_no_bytes_raise(noise, at, length):
    """A document with a piece torn out and noise put in gives a feed or an error, never an exception."""
    body = rss().encode()
    torn = body[:at] + noise + body[at + length :]
    feed = read(torn)
    assert feed.error is None or not feed.leads


@settings(max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda children: (
            st.lists(children, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "items",
                        "version",
                        "url",
                        "id",
                        "authors",
                        "author",
                        "name",
                        "title",
                        "hubs",
                        "content_html",
                        "date_published",
                    ]
                ),
                children,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_raises(data):
    """JSON of any shape gives a feed or an error."""
    feed = read(
        json.dumps(
            {
                "version": "1",
                "items": [
                    data,
                    {"url": "https://outlet.example/a"}
                    | (data if isinstance(data, dict) else {}),
                ],
            }
        )
    )
    assert feed.kind == "json"


def test_the_hostile_files_end_with_items_or_a_named_error(shared):
    """Each file of the shared attacks is read without an exception, whatever it is."""
    files = [
        *shared.glob("attacks/xml/*"),
        *shared.glob("attacks/content/*.xml"),
        *shared.glob("attacks/redos/feedparser*"),
    ]
    assert len(files) > 40
    for file in files:
        body = (
            gzip.decompress(file.read_bytes())
            if file.suffix == ".gz"
            else file.read_bytes()
        )
        feed = read(body)
        assert feed.entries or feed.error, file.name
        for lead in feed.leads:
            assert lead.url.startswith(("http://", "https://")), file.name
            assert len(lead.title or "") <= 1_000, file.name
            assert (
                (lead.title or "").isprintable()
                or "\u202e" in lead.title
                or not lead.title.isascii()
            ), file.name


def test_the_feed_corpus_is_read_as_feedparser_reads_it(shared):
    """No feed of a third of the corpus raises, and each of a few hundred has the entries that feedparser finds."""
    files = [f for f in sorted((shared / "corpora/feeds").rglob("*.*")) if f.is_file()]
    assert len(files) > 2_500
    for number, file in enumerate(files[::3]):
        body = file.read_bytes()
        feed = read(body, headers={"content-type": "application/xml"})
        assert feed.error is None or not feed.leads, file.name
        if number % 4 == 0:
            assert feed.kind == "json" or plain_count(body) <= feed.entries, file.name


def plain_count(body):
    headers = {"content-location": URL, "content-type": "application/xml"}
    try:
        return len(
            feedparser.parse(
                io.BytesIO(body), response_headers=headers, sanitize_html=False
            ).entries
        )
    except (UnicodeError, AttributeError):
        return 0
