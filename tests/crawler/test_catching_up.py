"""A feed that moved on faster than it was asked.

Its older pages are read until something from before is met (case 68).

Every feed here stands on a server of its own on loopback and is visited twice, with
other entries the second time.
"""

import json
from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest

from builders import LIMITS, make_source
from crawler.leads import feeds
from scheduler.service import poll_schedule
from storage.model import utc_now

WIRE = "wire.example/feed"


@pytest.fixture
def outran(web, store):
    """Visits a feed of entries 0 to 4, then one in which `pages` lie behind one another, the newest first."""

    def run(pages, *, kind="feed", links=None, rel="next", **settings):
        source = web.source(WIRE, kind=kind)
        crawl = partial(
            web.run, store, [source], plan=poll_schedule.plan_next_check, **settings
        )
        web.pages |= {f"wire.example/{n}": web.page(n) for n in range(200)}
        web.pages[WIRE] = rss(web, range(5))
        crawl()
        web.asked.clear()
        for number, entries in enumerate(pages):
            following = (
                web.url(f"{WIRE}?page={number + 2}") if number + 1 < len(pages) else ""
            )
            following = following if links is None else links[number]
            web.pages[WIRE if number == 0 else f"{WIRE}?page={number + 1}"] = rss(
                web, entries, following, rel
            )
        return crawl()

    return run


def rss(web, numbers, older="", rel="next"):
    """A feed with these entries, which names the page of the older ones."""
    link = (
        f"<atom:link xmlns:atom='http://www.w3.org/2005/Atom' rel='{rel}' href='{older}'/>"
        if older
        else ""
    )
    items = "".join(
        f"<item><title>Report {n}</title><guid isPermaLink='false'>wire-{n}</guid>"
        f"<link>{web.url(f'wire.example/{n}')}</link></item>"
        for n in reversed(numbers)
    )
    return web.Answer(
        f"<rss version='2.0'><channel><title>Wire</title>{link}{items}</channel></rss>".encode()
    )


def pages_asked(web):
    return [one.url.removeprefix(WIRE) for one in web.asked if one.url.startswith(WIRE)]


def told(store):
    """What the last visit said."""
    return json.loads(
        store.session.db.execute(
            "SELECT warnings FROM polls ORDER BY id DESC LIMIT 1"
        ).fetchone()[0]
    )


@pytest.mark.parametrize("rel", ["next", "prev-archive"])
def test_case_68_older_pages_are_read_until_an_entry_from_before_is_met(
    web, store, outran, rel
):
    """Two of the three older pages are asked for, all entries belong to the one poll, and its counts add up."""
    report = outran([range(20, 25), range(10, 20), range(3, 10), range(3)], rel=rel)
    assert pages_asked(web) == ["", "?page=2", "?page=3"]
    assert told(store) == [
        "possible_gap: 5 of 5 items were new",
        "gap_closed: an entry from before was met on older page 2",
    ]
    row = dict(
        next(store.session.db.query("SELECT * FROM polls ORDER BY id DESC LIMIT 1"))
    )
    assert (row["found"], row["known"], row["pending"]) == (22, 2, 0)
    assert report.for_source("wire").new == 20
    assert store.polls.unbalanced() == []
    assert store.stats.blind_periods(utc_now() - timedelta(days=1)) == []


def test_case_68_a_feed_that_kept_its_pace_is_read_alone(web, store, outran):
    """A third of its entries were known.

    Nothing was missed, and no older page is asked for.
    """
    outran([range(2, 7), range(2)])
    assert pages_asked(web) == [""]
    assert told(store) == []


def test_case_68_a_first_visit_asks_for_the_feed_alone(web, store):
    """What lies further back is looked for on demand (`crawl --since`)."""
    web.pages[WIRE] = rss(web, range(5), web.url(f"{WIRE}?page=2"))
    web.run(store, [web.source(WIRE)])
    assert pages_asked(web) == [""]


def test_case_68_ten_older_pages_are_the_most_and_the_gap_is_told_as_remaining(
    web, store, outran
):
    """What was found so far is kept.

    From the last visit on something may have been missed, and the file says so.
    """
    outran([range(100 - 2 * n, 102 - 2 * n) for n in range(20)])
    assert pages_asked(web)[1:] == [f"?page={n}" for n in range(2, 12)]
    assert (
        told(store)[1]
        == "gap_remains: 10 older pages were read; no more pages are read at once"
    )
    (period,) = store.stats.blind_periods(utc_now() - timedelta(days=1))
    assert (period.source, period.reason) == (
        "wire",
        "gap: the feed moved on faster than it was asked",
    )
    assert period.from_at < period.to_at <= utc_now()
    assert store.polls.unbalanced() == []


@pytest.mark.parametrize(
    ("older", "asked", "why"),
    [
        ("{feed}", 0, "the older pages lead in a circle"),
        (
            "http://victim.example:{port}/feed?page=2",
            0,
            "the older page is of another site",
        ),
        ("{feed}?page=9", 1, "http 404"),
        ("{feed}?page=2", 1, "the page shows nothing more"),
        ("", 0, None),
    ],
)
def test_case_68_loops_and_other_sites_end_it(web, store, outran, older, asked, why):
    """A page that names itself, another site, a page that is gone, one that repeats the first, and none at all."""
    link = older.format(feed=web.url(WIRE), port=web.port)
    outran([range(20, 25), range(20, 25)], links=[link, web.url(f"{WIRE}?page=3")])
    assert len(pages_asked(web)) == 1 + asked
    assert not [one.url for one in web.asked if one.url.startswith("victim")]
    remains = f"gap_remains: {asked} older pages were read; {why}"
    assert told(store)[1:] == (
        []
        if why is None
        else [remains.replace("1 older", f"{0 if '404' in why else 1} older")]
    )
    assert len(store.stats.blind_periods(utc_now() - timedelta(days=1))) == 1


def test_case_68_pages_without_end_end_with_the_limit_of_entries(web, store, outran):
    """Not more than `max_entries`, whatever the number of pages."""
    outran([range(100 - 5 * n, 105 - 5 * n) for n in range(12)], max_entries=12)
    assert pages_asked(web)[1:] == ["?page=2", "?page=3"]
    assert "no more entries are taken at once" in told(store)[1]


def test_case_68_robots_txt_holds_for_older_pages(web, store, outran):
    """A page that the host denies is not asked for."""
    web.pages["wire.example/robots.txt"] = web.Answer(
        b"User-agent: *\nDisallow: /feed?page=\n"
    )
    outran([range(20, 25), range(5)])
    assert pages_asked(web) == [""]
    assert "robots" in told(store)[1]


def test_case_68_older_pages_keep_the_hosts_distance(web, store, outran):
    """Each request to the host waits for the last one's delay."""
    outran([range(20, 25), range(10, 20), range(5)], delay=0.2)
    times = [one.at for one in web.asked if one.url.startswith(WIRE)]
    assert len(times) == 3
    assert all(later - earlier >= 0.19 for earlier, later in pairwise(times))


def test_case_68_a_sister_feeds_entry_closes_no_gap(web, store, outran):
    """The older page shows what another source pointed to.

    Only an entry that this feed showed leads back to it.
    """
    web.pages["sister.example/feed"] = rss(web, range(15, 16))
    web.run(store, [web.source("sister.example/feed")])
    outran([range(20, 25), range(10, 20), range(5)])
    assert pages_asked(web) == ["", "?page=2", "?page=3"]


def test_case_105_a_feed_that_outruns_us_again_and_again_is_one_long_gap(
    web, store, outran
):
    """Not a row for each visit."""
    outran([range(20, 25)])
    web.pages[WIRE] = rss(web, range(40, 45))
    web.run(store, [web.source(WIRE)], plan=poll_schedule.plan_next_check)
    assert [
        period.source
        for period in store.stats.blind_periods(utc_now() - timedelta(days=1))
    ] == ["wire"]
    assert store.session.db.execute("SELECT count(*) FROM blind").fetchone()[0] == 1


def test_case_105_another_address_is_no_gap(web, store):
    """Everything is new at an address that was just written into the configuration."""
    web.pages[WIRE] = rss(web, range(5))
    web.pages["wire.example/other"] = rss(web, range(50, 55), web.url(f"{WIRE}?page=2"))
    web.run(store, [web.source(WIRE)], plan=poll_schedule.plan_next_check)
    web.run(
        store,
        [web.source("wire.example/other", id="wire")],
        plan=poll_schedule.plan_next_check,
    )
    assert web.count(f"{WIRE}?page=2") == 0
    assert store.stats.blind_periods(utc_now() - timedelta(days=1)) == []


def test_older_pages_are_named_by_both_relations_and_by_json_feeds():
    """RFC 5005's prev-archive before next; next_url.

    Relative addresses are resolved.
    """
    head = "<feed xmlns='http://www.w3.org/2005/Atom'><title>W</title><link rel='{0}' href='?p=2'/>{1}</feed>"
    archive = "<link rel='prev-archive' href='/2026/10'/>"
    read = partial(
        feeds.parse_feed,
        url="https://wire.example/feed",
        headers={},
        now=utc_now(),
        **LIMITS,
    )
    source = make_source("wire")
    assert (
        read(head.format("next", "").encode(), source=source).next_page
        == "https://wire.example/feed?p=2"
    )
    assert (
        read(head.format("next", archive).encode(), source=source).next_page
        == "https://wire.example/2026/10"
    )
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "W",
        "items": [],
        "next_url": "feed?p=2",
    }
    assert (
        read(json.dumps(document).encode(), source=source).next_page
        == "https://wire.example/feed?p=2"
    )
