"""Sitemaps of an index and pages of a section.

Bounded, each once, of one's own site.
"""

import gzip
from dataclasses import replace
from datetime import timedelta

import pytest

from builders import LIMITS, NOW, make_source, make_source_state
from crawler.leads import feeds
from crawler.leads.polls import Feed
from crawler.sources import CrawlSettings, Source
from crawler.visits import document_walk, documents
from storage.model import Lead, utc_now

WRAP = "<?xml version='1.0'?><{0} xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{1}</{0}>"


def index(*urls, at=""):
    changed = f"<lastmod>{at}</lastmod>" if at else ""
    return WRAP.format(
        "sitemapindex",
        "".join(f"<sitemap><loc>{url}</loc>{changed}</sitemap>" for url in urls),
    ).encode()


def urlset(*urls, at=""):
    changed = f"<lastmod>{at}</lastmod>" if at else ""
    return WRAP.format(
        "urlset", "".join(f"<url><loc>{url}</loc>{changed}</url>" for url in urls)
    ).encode()


def read(body, url="https://wire.example/sitemap.xml", **given):
    source = Source(
        **(
            {"id": "wire", "kind": "sitemap", "url": "https://wire.example/sitemap.xml"}
            | given
        )
    )
    return feeds.parse_feed(body, url=url, headers={}, source=source, now=NOW, **LIMITS)


def test_an_index_is_followed_three_deep_each_sitemap_once_and_gz_is_unpacked(
    web, store
):
    """Loops, repeated names, an index in an index and a sitemap sent as a packed file."""
    url = web.url
    web.pages["map.example/index.xml"] = web.Answer(
        index(
            url("map.example/1.xml.gz"),
            url("map.example/more.xml"),
            url("map.example/index.xml"),
        )
    )
    web.pages["map.example/1.xml.gz"] = web.Answer(
        gzip.compress(urlset(url("map.example/a1"))),
        headers={"Content-Type": "application/gzip"},
    )
    web.pages["map.example/more.xml"] = web.Answer(
        index(
            url("map.example/2.xml"),
            url("map.example/more.xml"),
            url("map.example/deep.xml"),
        )
    )
    web.pages["map.example/2.xml"] = web.Answer(urlset(url("map.example/a2")))
    web.pages["map.example/deep.xml"] = web.Answer(index(url("map.example/deeper.xml")))
    web.pages |= {f"map.example/a{n}": web.page(n) for n in (1, 2)}
    report = web.run(store, [web.source("map.example/index.xml", kind="sitemap")])
    assert report.for_source("map").new == 2
    assert [
        web.count(f"map.example/{name}")
        for name in ("index.xml", "more.xml", "deep.xml", "deeper.xml")
    ] == [
        1,
        1,
        1,
        0,
    ]


def test_an_index_of_two_hundred_sitemaps_is_read_as_far_as_the_bound(web, store):
    """Fifty on the first visit, ten on the next.

    The visit says how many were left out.
    """
    web.pages["map.example/index.xml"] = web.Answer(
        index(*(web.url(f"map.example/{n}.xml") for n in range(200)))
    )
    for n in range(200):
        web.pages[f"map.example/{n}.xml"] = web.Answer(urlset())
    source = web.source("map.example/index.xml", kind="sitemap")
    web.run(store, [source])
    asked = sum(one.url.endswith(".xml") for one in web.asked) - 1
    assert asked == document_walk.MAX_SITEMAPS_FIRST
    web.run(store, [source])
    assert (
        sum(one.url.endswith(".xml") for one in web.asked) - 2 - asked
        == document_walk.MAX_SITEMAPS_LATER
    )
    (warnings,) = store.session.db.execute(
        "SELECT warnings FROM polls ORDER BY id LIMIT 1"
    ).fetchone()
    assert "150 older sitemaps left out" in warnings


def test_a_sitemap_that_is_gone_is_not_asked_for_again(web, store):
    """Within one process for a week; the others go on."""
    from crawler import passes
    from crawler.engine import engine
    from crawler.fetching import loop

    web.pages["map.example/index.xml"] = web.Answer(
        index(web.url("map.example/dead.xml"), web.url("map.example/1.xml"))
    )
    web.pages["map.example/1.xml"] = web.Answer(urlset(web.url("map.example/a1")))
    web.pages["map.example/a1"] = web.page(1)
    source = web.source("map.example/index.xml", kind="sitemap")

    async def twice():
        store.sources.sync(engine.source_states([source]))
        going = engine.Engine(store, web.settings(), [source], lookup=web.everywhere)
        await going.start()
        for _ in range(2):
            await passes.run_pass(going, ["map"], force=True, everything=True)
        await going.stop()

    loop.run(twice())
    assert (web.count("map.example/index.xml"), web.count("map.example/dead.xml")) == (
        2,
        1,
    )


def test_pages_and_sitemaps_of_other_sites_are_refused_and_counted(web, store):
    """A sitemap speaks for its own site only."""
    feed = read(
        urlset(
            "https://news.example.org/a/1",
            "https://victim.example/a/2",
            "https://m.example.org/a/3",
        ),
        url="https://news.example.org/sitemap.xml",
    )
    assert [lead.url for lead in feed.leads] == [
        "https://news.example.org/a/1",
        "https://m.example.org/a/3",
    ]
    assert "1 pages of other sites left out" in feed.warnings
    web.pages["map.example/index.xml"] = web.Answer(
        index(web.url("victim.example/1.xml"))
    )
    web.run(store, [web.source("map.example/index.xml", kind="sitemap")])
    assert web.count("victim.example/1.xml") == 0
    assert (
        "1 sitemaps of other sites left out"
        in store.session.db.execute("SELECT warnings FROM polls").fetchone()[0]
    )


def test_link_pattern_narrows_a_sitemap():
    """What does not match is counted."""
    feed = read(
        urlset("https://wire.example/a/1", "https://wire.example/shop/2"),
        link_pattern="/a/",
    )
    assert [lead.url for lead in feed.leads] == ["https://wire.example/a/1"]
    assert "1 pages that do not match link_pattern left out" in feed.warnings


def test_of_too_many_pages_the_newest_are_taken():
    """5,000 pages, oldest first: the last 2,000 become leads, and the visit says so."""
    rows = "".join(
        f"<url><loc>https://wire.example/a/{n}</loc><lastmod>{(NOW - timedelta(hours=5_000 - n)).isoformat()}</lastmod></url>"
        for n in range(5_000)
    )
    feed = read(WRAP.format("urlset", rows).encode())
    assert len(feed.leads) == 2_000
    assert feed.leads[0].url.endswith("/4999")
    assert "3000 older pages left out" in feed.warnings


@pytest.mark.parametrize("packed", [False, True])
def test_a_sitemap_of_fifty_megabytes_is_read_as_far_as_the_bound(web, store, packed):
    """The first 5 MB count; the download ends there, and what was read is kept."""
    line = (
        b"<url><loc>%s?%%07d</loc><lastmod>2020-01-01</lastmod></url>"
        % web.url("map.example/a").encode()
    )
    body = (
        b"<urlset>"
        + b"".join(line % n + b" " * 900 for n in range(52_000))
        + b"</urlset>"
    )
    body = gzip.compress(body, 1) if packed else body
    web.pages["map.example/big.xml"] = web.Answer(body)
    report = web.run(store, [web.source("map.example/big.xml", kind="sitemap")])
    assert report.for_source("map").found == 2_000
    (row,) = store.session.db.query("SELECT bytes, warnings FROM polls")
    assert row["bytes"] <= 5_300_000
    assert "older pages left out" in row["warnings"]


def test_a_first_visit_goes_further_than_later_ones():
    """Fifty sitemaps and three pages at first.

    Then what changed since the last good visit.
    """
    source = make_source(
        "wire",
        kind="sitemap",
        url="https://wire.example/sitemap.xml",
        max_age=timedelta(days=9),
    )
    state = make_source_state("wire", name="Wire", kind="sitemap", url=source.url)
    first = document_walk.visit_limits(source, state, CrawlSettings(), NOW)
    assert (first.sitemaps, first.pages, first.since) == (
        50,
        3,
        NOW - timedelta(days=9),
    )
    later = document_walk.visit_limits(
        source,
        replace(state, last_success_at=NOW - timedelta(hours=3)),
        CrawlSettings(),
        NOW,
    )
    assert (later.sitemaps, later.pages, later.since) == (
        10,
        1,
        NOW - timedelta(days=2, hours=3),
    )


def test_an_old_sitemap_of_an_index_is_not_asked_for(web, store):
    """Its lastmod lies before everything that is wanted, and that of another does not."""
    new, old = web.url("map.example/new.xml"), web.url("map.example/2009.xml")
    fresh = (
        f"<sitemap><loc>{new}</loc><lastmod>{utc_now():%Y-%m-%d}</lastmod></sitemap>"
    )
    stale = f"<sitemap><loc>{old}</loc><lastmod>2009-12-31</lastmod></sitemap>"
    web.pages["map.example/index.xml"] = web.Answer(
        WRAP.format("sitemapindex", fresh + stale).encode()
    )
    web.run(store, [web.source("map.example/index.xml", kind="sitemap")])
    assert web.count("map.example/new.xml") == 1
    assert web.count("map.example/2009.xml") == 0


@pytest.mark.parametrize("days", [["2012-01-01"] * 3, ["2009-01-01", "2013-02-02"]])
def test_of_an_index_whose_dates_are_all_old_the_newest_sitemaps_are_read(
    web, store, days
):
    """Its dates are wrong, or nothing is new: two requests tell."""
    sitemaps = [
        f"<sitemap><loc>{web.url(f'map.example/{at}.xml')}</loc>"
        f"<lastmod>{day}</lastmod></sitemap>"
        for at, day in enumerate(days)
    ]
    web.pages["map.example/index.xml"] = web.Answer(
        WRAP.format("sitemapindex", "".join(sitemaps)).encode()
    )
    web.run(store, [web.source("map.example/index.xml", kind="sitemap")])
    asked = [web.count(f"map.example/{at}.xml") for at in range(len(days))]
    assert sum(asked) == 2
    assert asked[-1] == 1


def test_a_section_is_paged_on_the_first_visit_only_and_an_endless_one_ends(web, store):
    """Three pages at first, one after.

    A next page that shows nothing new ends it at once.
    """

    def page(numbers, following):
        links = "".join(
            f"<h3><a href='/2026/11/21/story-number-{n}-of-the-day'>Report number {n} from the south</a></h3>"
            for n in numbers
        )
        return web.Answer(
            f"<html><body>{links}<a rel=next href='{following}'>next</a></body></html>".encode(),
            headers={"Content-Type": "text/html"},
        )

    for n in range(1, 9):
        web.pages[f"wire.example/news?page={n}"] = page(
            range(10 * n, 10 * n + 3), f"/news?page={n + 1}"
        )
    web.pages["wire.example/news"] = page(range(3), "/news?page=2")
    web.pages["loop.example/news"] = page(range(3), "/news?page=2")
    web.pages["loop.example/news?page=2"] = page(range(3), "/news?page=3")
    sources = [
        web.source(f"{host}.example/news", kind="section") for host in ("wire", "loop")
    ]
    report = web.run(store, sources)
    assert (report.for_source("wire").found, report.for_source("loop").found) == (9, 3)
    web.run(store, sources)
    assert [
        web.count(f"wire.example/news{end}")
        for end in ("", "?page=2", "?page=3", "?page=4")
    ] == [2, 1, 1, 0]
    assert web.count("loop.example/news?page=3") == 0


def test_leads_of_further_documents_join_the_first_ones_up_to_the_limit():
    """The newest stay where there are too many."""
    leads = [
        Lead(
            url=f"https://wire.example/{n}",
            source="wire",
            published_at=NOW - timedelta(days=n),
        )
        for n in (3, 1, 2)
    ]
    whole = documents.merge_documents(
        Feed(leads=(leads[0],)), [Feed(leads=tuple(leads[1:]))], 2
    )
    assert [lead.url[-1] for lead in whole.leads] == ["1", "2"]
    assert whole.warnings == ("1 older pages left out",)
