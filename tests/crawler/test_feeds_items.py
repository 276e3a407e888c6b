"""What an entry may look like.

Cases 71 to 100 of the polling rules, as far as the document alone decides them.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import LIMITS, make_source
from crawler import page_status
from crawler.leads import entries, feeds
from storage import identity

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://outlet.example/news/feed.xml"


def read(items, channel_link="", source=None, root='<rss version="2.0">', url=URL):
    document = (
        f"{root}<channel><title>Outlet</title>{channel_link}{items}</channel></rss>"
    )
    source = source or make_source("s", url=URL)
    return feeds.parse_feed(
        document.encode(), url=url, headers={}, source=source, now=NOW, **LIMITS
    )


def one(inside, **options):
    (lead,) = read(f"<item>{inside}</item>", **options).leads
    return lead


def linked(inside, **options):
    return one(f"<link>https://outlet.example/a</link>{inside}", **options)


def test_case_71_guid_is_the_identity():
    """The guid is kept as it was written, whether a link or not."""
    assert (
        linked('<guid isPermaLink="false">tag:outlet,1</guid>').guid == "tag:outlet,1"
    )


def test_case_72_no_guid_takes_the_link():
    """Without a guid the address is the identity.

    A permanent guid stands in for a missing link.
    """
    assert linked("<title>x</title>").guid == "https://outlet.example/a"
    assert (
        one("<guid>https://outlet.example/p</guid>").url == "https://outlet.example/p"
    )


def test_case_73_guid_equal_for_many_items():
    """One guid for all becomes guid|url, and guid|url|counter where even that is taken."""
    items = "".join(
        f"<item><guid isPermaLink='false'>same</guid><link>https://outlet.example/{n}</link></item>"
        for n in "abc"
    )
    assert [lead.guid for lead in read(items).leads] == [
        "same",
        "same|https://outlet.example/b",
        "same|https://outlet.example/c",
    ]


def test_case_73_guids_are_unique_in_a_document():
    """Even an entry that is named as another's made-up identity keeps its own."""
    items = "<item><guid isPermaLink='false'>g</guid><link>https://outlet.example/a</link></item>"
    items += "<item><guid isPermaLink='false'>g|https://outlet.example/b</guid><link>https://outlet.example/x</link></item>"
    items += "<item><guid isPermaLink='false'>g</guid><link>https://outlet.example/b</link></item>"
    guids = [lead.guid for lead in read(items).leads]
    assert len(set(guids)) == 3


def test_case_82_duplicate_item_in_one_document():
    """The same guid and link three times is one lead of three entries."""
    feed = read(
        "<item><guid>https://outlet.example/a</guid><link>https://outlet.example/a</link></item>"
        * 3
    )
    assert (len(feed.leads), feed.entries) == (1, 3)


@pytest.mark.parametrize("date", ["", "<pubDate>soon</pubDate>", "<pubDate></pubDate>"])
def test_case_83_no_date_is_none_and_not_now(date):
    """What nobody said is not made up."""
    assert linked(date).published_at is None


def test_case_84_future_date_is_refused_and_kept_as_written():
    """A date more than a day ahead is no publication date."""
    lead = linked("<pubDate>Sun, 22 Nov 2099 10:00:00 GMT</pubDate>")
    assert (lead.published_at, lead.published_raw) == (
        None,
        "Sun, 22 Nov 2099 10:00:00 GMT",
    )


@pytest.mark.parametrize(
    "raw",
    [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "9999-12-31T23:59:59-14:00",
        "Mon, 01 Jan 0000 00:00:00 GMT",
        "0001-01-01",
    ],
)
def test_case_85_absurd_dates_are_refused_and_kept_as_written(raw):
    """1970, year 0 and year 10000 give no date and no exception."""
    lead = linked(f"<pubDate>{raw}</pubDate>")
    assert (None, raw) == (lead.published_at, lead.published_raw)


def test_case_85_solar_hijri_years_are_read():
    """1405-09-01 is 22 November 2026, not the year 1405."""
    assert (
        datetime(2026, 11, 22, tzinfo=UTC)
        == linked("<pubDate>1405-09-01</pubDate>").published_at
    )


@pytest.mark.parametrize(
    ("zone", "hour", "minute"),
    [
        ("AFT", 5, 30),
        ("PKT", 5, 0),
        ("IRST", 6, 30),
        ("IST", 4, 30),
        ("GMT", 10, 0),
        ("EST", 15, 0),
    ],
)
def test_case_86_zone_abbreviations(zone, hour, minute):
    """feedparser takes AFT, PKT, IST and IRST for UTC; we do not."""
    expected = datetime(2026, 11, 21, hour, minute, tzinfo=UTC)
    assert (
        expected
        == linked(f"<pubDate>Sat, 21 Nov 2026 10:00:00 {zone}</pubDate>").published_at
    )


def test_case_87_no_zone_takes_the_source_s():
    """A date without a zone is the source's local time, else UTC."""
    inside = "<pubDate>Sat, 21 Nov 2026 10:00:00</pubDate>"
    kabul = make_source("s", url=URL, zone="Asia/Kabul")
    assert (
        datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
        == linked(inside, source=kabul).published_at
    )
    assert datetime(2026, 11, 21, 10, 0, tzinfo=UTC) == linked(inside).published_at


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/a", "https://site.example/a"),
        ("a", "https://site.example/news/a"),
        ("../b", "https://site.example/b"),
        ("?x=1", "https://site.example/news/?x=1"),
        ("https://other.example/c", "https://other.example/c"),
    ],
)
def test_case_88_relative_links_resolve_on_the_channel(link, expected):
    """Links are relative to the channel's link, which a feed on another host shares."""
    lead = one(
        f"<link>{link}</link>",
        channel_link="<link>https://site.example/news/</link>",
        url="https://feeds.example/f",
    )
    assert expected == lead.url


def test_case_88_relative_links_without_channel_resolve_on_the_address():
    """Without a channel link the final address of the feed is the base.

    Xml:base goes before both.
    """
    assert one("<link>a</link>").url == "https://outlet.example/news/a"
    based = read(
        "<item><link>a</link></item>",
        root='<rss version="2.0" xml:base="https://base.example/x/">',
    ).leads
    assert [lead.url for lead in based] == ["https://base.example/x/a"]


@pytest.mark.parametrize(
    "link", [" https://outlet.example/a\n", "https://outlet.example/a\u200b"]
)
def test_case_88_invisible_edges_are_no_part_of_a_link(link):
    """What copying leaves around an address goes; the address stays as given."""
    assert one(f"<link>{link}</link>").url == "https://outlet.example/a"


def test_case_89_scheme_relative_link_takes_the_feed_s_scheme():
    """//host/x is not a path."""
    assert one("<link>//host.example/x</link>").url == "https://host.example/x"


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "gopher://host.example/",
        "ftp://host.example/x",
        "https://user:pw@host.example/x",
        "https://user@host.example/x",
        "https://host.example:99999/x",
        "https://[::1/x",
        "https://host.example/" + "x" * 2_048,
        "",
    ],
)
def test_case_90_links_that_are_never_requested(link):
    """They give no lead, are counted, and do not hurt their neighbours."""
    feed = read(
        f"<item><title>bad</title><link>{link}</link></item><item><link>https://outlet.example/ok</link></item>"
    )
    assert [lead.url for lead in feed.leads] == ["https://outlet.example/ok"]
    assert feed.entries == 2
    assert feed.warnings == ("1 entries without a usable link",)


@pytest.mark.parametrize(
    "link",
    [
        "https://outlet.example",
        "https://outlet.example/",
        "https://outlet.example/#top",
    ],
)
def test_case_91_a_link_to_the_home_page_is_skipped(link):
    """A front page is no article."""
    feed = read(f"<item><link>{link}</link></item>")
    assert (feed.leads, feed.warnings) == ((), ("1 links to the home page",))


def test_case_92_feedburner_origlink_is_used():
    """The article's own address, not the counter's."""
    inside = "<link>https://feedproxy.example/~r/x/~3/abc/</link><fb:origLink>https://outlet.example/real</fb:origLink>"
    root = '<rss version="2.0" xmlns:fb="http://rssnamespace.org/feedburner/ext/1.0">'
    assert one(inside, root=root).url == "https://outlet.example/real"


def test_case_93_aggregator_links_are_kept_as_they_are():
    """They are resolved by a request, or not at all.

    The publisher that the entry names is kept.
    """
    inside = """<link>https://news.google.example/rss/articles/CBMiABCDEF?oc=5</link>
        <source url="https://outlet.example">Outlet</source>"""
    lead = one(inside)
    assert (
        lead.url,
        lead.origin,
    ) == (
        "https://news.google.example/rss/articles/CBMiABCDEF?oc=5",
        "https://outlet.example",
    )


def test_case_94_the_address_is_kept_as_given():
    """Tracking parameters go when URLs are compared, not when they are requested."""
    assert (
        one("<link>https://outlet.example/a?utm_source=rss&amp;id=1</link>").url
        == "https://outlet.example/a?utm_source=rss&id=1"
    )


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Fish &amp;amp; chips", "Fish & chips"),
        ("&lt;b&gt;Bold&lt;/b&gt; words", "Bold words"),
        ("<![CDATA[<i>Tilted</i> &amp; more]]>", "Tilted & more"),
        ("5 &lt; 6", "5 < 6"),
        ("  many \n  spaces ", "many spaces"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;Read", "Read"),
        ("پل &quot;باز&quot; شد", 'پل "باز" شد'),
    ],
)
def test_case_95_html_in_titles_becomes_text_once(written, title):
    """Tags go, entities are decoded once."""
    assert title == linked(f"<title>{written}</title>").title


def test_case_96_enclosures_are_no_links():
    """Media are never what a lead points to."""
    lead = linked(
        '<enclosure url="https://cdn.example/x.mp3" type="audio/mpeg" length="1"/>'
    )
    assert lead.url == "https://outlet.example/a"


@pytest.mark.parametrize(
    ("written", "authors"),
    [
        ("a@b.example (Zahra Amini)", ("Zahra Amini",)),
        ("Zahra Amini &lt;a@b.example&gt;", ("Zahra Amini",)),
        ("Zahra Amini", ("Zahra Amini",)),
        ("noreply@b.example", ()),
        ("x" * 500, ("x" * 200,)),
    ],
)
def test_case_97_authors_are_names(written, authors):
    """Addresses go, length is bounded."""
    assert authors == linked(f"<author>{written}</author>").authors


LONG = "word " * 120
CONTENT = 'xmlns:content="http://purl.org/rss/1.0/modules/content/"'


def test_case_98_content_is_kept_beside_the_summary():
    """content:encoded is the body, the description the summary as plain text."""
    inside = "<description>Short &lt;b&gt;teaser&lt;/b&gt;</description><content:encoded><![CDATA[<p>Whole</p>]]></content:encoded>"
    lead = linked(inside, root=f'<rss version="2.0" {CONTENT}>')
    assert (lead.body, lead.summary) == ("<p>Whole</p>", "Short teaser")


def test_case_99_a_long_description_is_a_body():
    """A description of an article's length may stand for the page; a teaser may not."""
    assert LONG.strip() in linked(f"<description>{LONG}</description>").body
    assert linked("<description>A teaser.</description>").body is None


def test_case_100_language_is_kept_per_item():
    """The entry's own language, else the feed's, else the source's."""
    items = """<entry xml:lang="ps"><title>a</title><link href="/1"/></entry><entry><title>b</title><link href="/2"/></entry>"""
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" {}><title>t</title>'
        + items
        + "</feed>"
    )
    source = make_source("s", url=URL, language="en")
    declared = feeds.parse_feed(
        atom.format('xml:lang="fa_AF"').encode(),
        url=URL,
        headers={},
        source=source,
        now=NOW,
        **LIMITS,
    )
    silent = feeds.parse_feed(
        atom.format("").encode(), url=URL, headers={}, source=source, now=NOW, **LIMITS
    )
    assert [lead.language for lead in declared.leads] == ["ps", "fa-AF"]
    assert [lead.language for lead in silent.leads] == ["ps", "en"]


@given(st.text(max_size=300), st.sampled_from(["", URL, "http://[", "mailto:x"]))
def test_no_link_raises(link, base):
    """A link gives a web address or nothing."""
    url = entries.absolute_url(link, base)
    assert url is None or url.startswith(("http://", "https://"))


@given(st.lists(st.text(max_size=300), max_size=30))
def test_no_author_raises(authors):
    """Names are at most twenty, of at most 200 characters, on one line."""
    names = entries.author_names(authors)
    assert len(names) <= 20
    assert all(len(name) <= 200 and "\n" not in name for name in names)


LIVE = "https://outlet.example/live/kandahar"


def live_entries(texts, links, *, with_guid=True):
    """Entries of one page, each with a headline of its own."""
    items = []
    for number, text in enumerate(texts):
        link = links[number % len(links)].format(n=number)
        guid = f"<guid isPermaLink='false'>live-{number}</guid>" * with_guid
        items.append(
            f"<item><link>{link}</link>{guid}<title>Update {number}</title>"
            f"<description>{text}</description></item>"
        )
    return "".join(items)


def long_text(number: int) -> str:
    return " ".join(f"word{number}x{position}" for position in range(120))


@pytest.mark.parametrize(
    ("links", "with_guid"),
    [
        ([LIVE], True),
        ([LIVE + "#entry-{n}"], True),
        ([LIVE + "#entry-{n}"], False),
        ([LIVE + "?utm_source=rss#p{n}", LIVE.replace("https", "http")], True),
    ],
)
def test_entries_with_texts_of_their_own_under_one_address_are_reports(
    links, with_guid
):
    """A live page is fed as entries: each gets an address that opens that page."""
    texts = [long_text(n) for n in range(4)]
    feed = read(live_entries(texts, links, with_guid=with_guid))
    keys = {identity.url_key(lead.url) for lead in feed.leads}
    assert (len(feed.leads), len(keys), feed.warnings) == (4, 4, ())
    assert all(page_status.is_whole_report(lead) for lead in feed.leads)
    assert {lead.url.partition("#")[0].partition("?")[0][-13:] for lead in feed.leads} == {LIVE[-13:]}  # fmt: skip


def test_an_entry_keeps_its_address_while_others_come_and_go():
    """The number of one entry depends on nothing but its own identity."""
    texts = [long_text(n) for n in range(4)]
    every = {lead.guid: lead.url for lead in read(live_entries(texts, [LIVE])).leads}
    some = {lead.guid: lead.url for lead in read(live_entries(texts[:2], [LIVE])).leads}
    assert some.items() <= every.items()


def test_entries_under_one_address_without_texts_of_their_own_are_counted():
    """Of teasers only the page can be read; the feed says that there were more."""
    feed = read(live_entries([f"Teaser {n}" for n in range(3)], [LIVE]))
    assert {lead.url for lead in feed.leads} == {LIVE}
    assert feed.warnings == ("2 entries share the address of another",)
    assert not any(page_status.is_whole_report(lead) for lead in feed.leads)


def test_one_entry_twice_is_no_live_page():
    """The same entry twice in a document (case 82) is one lead to its page."""
    item = f"<item><link>{LIVE}</link><guid>g</guid><title>Once</title><description>{long_text(1)}</description></item>"  # fmt: skip
    feed = read(item + item)
    assert ([lead.url for lead in feed.leads], feed.warnings) == ([LIVE], ())
