"""A whole pass over a web on loopback.

What is asked, in which order, what becomes of each URL.
"""

import asyncio
import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from crawler import page_task
from crawler.engine import engine, pages
from crawler.fetching import loop
from crawler.workers import Task
from storage.errors import StoreBusy
from storage.groups.landings import Boilerplate
from storage.model import utc_now


def fate(store, url):
    row = store.fates.find(url)
    return (row["fate"], row["reason"]) if row else None


def test_a_pass_keeps_what_a_feed_shows_and_a_second_one_asks_only_whether_it_changed(
    web, store
):
    """Two articles are stored with their captures.

    Forced again, one conditional request is all, and nothing is new.
    """
    urls = [web.url(f"wire.example/{n}") for n in (1, 2)]
    web.pages["wire.example/feed"] = web.feed(
        *(web.item(url, f"Blast {n}") for n, url in enumerate(urls)), ETag='W/"a b"'
    )
    web.pages |= {"wire.example/1": web.page(1), "wire.example/2": web.page(2)}
    first = web.run(store, [web.source("wire.example/feed")])
    assert (first.total("found"), first.total("new")) == (2, 2)
    assert store.articles.find(1).text.count("Panjwai") == 1
    assert [one.url for one in web.asked][:2] == [
        "wire.example/robots.txt",
        "wire.example/feed",
    ]
    web.asked.clear()
    second = web.run(store, [web.source("wire.example/feed")])
    assert second.for_source("wire").status == "not_modified"
    assert [one.url for one in web.asked] == [
        "wire.example/robots.txt",
        "wire.example/feed",
    ]
    assert web.asked[1].headers["If-None-Match"] == 'W/"a b"'
    assert second.total("new") == 0


def test_requests_carry_who_asks_and_nothing_that_was_not_asked_for(web, store):
    """User agent with contact.

    No cookie that a server set, no referrer, one request for each URL.
    """
    web.pages["wire.example/feed"] = web.feed(
        web.item(web.url("wire.example/1")), Set_Cookie="id=7"
    )
    web.pages["wire.example/1"] = web.page(1)
    web.run(
        store,
        [web.source("wire.example/feed")],
        contact="https://khabar.example/bot",
    )
    assert {one.headers["User-Agent"] for one in web.asked} == {
        "khabar/0.1 (+https://khabar.example/bot)"
    }
    assert not any(one.headers["Cookie"] or one.headers["Referer"] for one in web.asked)
    assert len({one.url for one in web.asked}) == len(web.asked)


def test_robots_txt_is_asked_first_on_every_host_and_obeyed_for_pages_and_feeds(
    web, store
):
    """A denied page is refused, a denied feed is a poll error, unless the source says that its feed may be read."""
    web.pages["wire.example/feed"] = web.feed(
        web.item(web.url("pages.example/open/1")),
        web.item(web.url("pages.example/shut/2")),
    )
    web.pages["pages.example/robots.txt"] = web.Answer(
        b"User-agent: *\nDisallow: /shut/\n"
    )
    web.pages["pages.example/open/1"] = web.page(1)
    web.pages["denied.example/robots.txt"] = web.pages["own.example/robots.txt"] = (
        web.Answer(b"User-agent: khabar\nDisallow: /\n")
    )
    web.pages["own.example/feed"] = web.feed(web.item(web.url("own.example/3")))
    sources = [web.source(f"{name}.example/feed") for name in ("wire", "denied")]
    report = web.run(
        store, [*sources, web.source("own.example/feed", obey_robots=False)]
    )
    assert fate(store, web.url("pages.example/shut/2")) == ("refused", "robots")
    assert fate(store, web.url("own.example/3")) == ("refused", "robots")
    assert report.for_source("denied").error.startswith("robots")
    assert web.count("pages.example/shut/2") == web.count("denied.example/feed") == 0
    for host in ("wire.example", "pages.example", "denied.example"):
        assert (
            next(one.url for one in web.asked if one.url.startswith(host))
            == f"{host}/robots.txt"
        )


def test_a_robots_txt_that_cannot_be_had_is_no_permission(web, store):
    """After a 503 the page is not asked for; its lead stays, for another day."""
    web.pages["wire.example/feed"] = web.feed(web.item(web.url("pages.example/1")))
    web.pages["pages.example/robots.txt"] = web.Answer(b"later", 503)
    report = web.run(store, [web.source("wire.example/feed")])
    assert web.count("pages.example/1") == 0
    assert fate(store, web.url("pages.example/1")) is None
    assert report.for_source("wire").postponed == 1
    assert store.leads.pending(now=utc_now() + timedelta(days=2))[
        0
    ].lead.url == web.url("pages.example/1")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
    ],
)
def test_a_redirect_to_this_machine_is_refused_however_it_is_spelled(
    web, forbidden, store, host
):
    """The page's fate says `address`, and no connection reached the server behind it."""
    forbidden.pages["127.0.0.1/secret"] = web.page(9)
    web.pages["wire.example/feed"] = web.feed(web.item(web.url("wire.example/go")))
    web.pages["wire.example/go"] = web.Answer(
        status=302, headers={"Location": f"http://{host}:{forbidden.port}/secret"}
    )
    web.run(store, [web.source("wire.example/feed")])
    assert fate(store, web.url("wire.example/go")) == ("refused", "address")
    assert forbidden.asked == []


def test_a_name_that_turns_to_this_machine_after_it_was_looked_up_gains_nothing(
    web, forbidden, store
):
    """Rebinding: the address that is connected to is the one that is checked."""
    web.pages["wire.example/feed"] = web.feed(
        web.item(f"http://turn.example:{forbidden.port}/1")
    )

    async def turning(host):
        return ["127.0.0.1"] if host == "turn.example" else await web.everywhere(host)

    web.run(store, [web.source("wire.example/feed")], lookup=turning)
    assert forbidden.asked == []
    assert fate(store, f"http://turn.example:{forbidden.port}/1") == (
        "refused",
        "address",
    )


def test_redirects_are_followed_to_their_end_and_every_address_on_the_way_has_the_fate(
    web, store
):
    """Three hops lead to one article.

    Asking for the first address again is asking for a known one.
    """
    web.pages["wire.example/feed"] = web.feed(web.item(web.url("wire.example/a")))
    for here, there in (
        ("a", "/b"),
        ("b", web.url("other.example/c")),
        ("c", "d#part"),
    ):
        web.pages[f"{'other' if here == 'c' else 'wire'}.example/{here}"] = web.Answer(
            status=301, headers={"Location": there}
        )
    web.pages["other.example/d"] = web.page(4)
    web.run(store, [web.source("wire.example/feed")])
    for path in (
        "wire.example/a",
        "wire.example/b",
        "other.example/c",
        "other.example/d",
    ):
        assert fate(store, web.url(path))[0] == "article"


@pytest.mark.parametrize("location", ["/go", "", "https:///"])
def test_redirects_that_lead_nowhere_end_at_once(web, store, location):
    """A loop, an empty target and a target without a host are not asked for again and again (cases 27, 28)."""
    web.pages["wire.example/feed"] = web.feed(web.item(web.url("wire.example/go")))
    web.pages["wire.example/go"] = web.Answer(
        status=302, headers={"Location": location}
    )
    web.run(store, [web.source("wire.example/feed")])
    assert web.count("wire.example/go") == 1


def test_full_text_in_the_feed_becomes_the_article_when_the_page_is_gone(web, store):
    """The article says where its text is from.

    A teaser is not enough, and the lead has failed for good (case 99).
    """
    web.pages["wire.example/feed"] = web.feed(
        web.item(web.url("wire.example/whole"), "Whole", body=web.story(1)),
        web.item(web.url("wire.example/teaser"), "Teaser", body="Too short."),
    )
    web.run(store, [web.source("wire.example/feed")])
    assert fate(store, web.url("wire.example/whole"))[0] == "article"
    assert "Panjwai" in store.articles.find(1).text
    assert fate(store, web.url("wire.example/teaser")) == ("failed", "http 404")


def test_a_page_that_fails_once_is_tried_again_in_the_pass(web, store, monkeypatch):
    """A dropped connection, a truncated body and a 503 are tried once more.

    A Retry-After is waited for.
    """
    monkeypatch.setattr(pages, "RETRY_PAUSE_SECONDS", 0.05)
    paths = ("drop", "cut", "busy", "wait")
    web.pages["wire.example/feed"] = web.feed(
        *(web.item(web.url(f"{path}.example/1"), path) for path in paths)
    )
    faults = {
        "drop": web.Answer(drop=True),
        "cut": web.Answer(b"<html>", length=9000),
        "busy": web.Answer(b"", 502),
        "wait": web.Answer(b"", 429, {"Retry-After": "1"}),
    }
    for n, (path, answer) in enumerate(faults.items()):
        web.pages[f"{path}.example/1"] = lambda count, n=n, answer=answer: (
            answer if count == 1 else web.page(n + 10)
        )
    report = web.run(store, [web.source("wire.example/feed")])
    assert report.total("new") == 4
    assert {web.count(f"{path}.example/1") for path in paths} == {2}
    first, second = (one.at for one in web.asked if one.url == "wait.example/1")
    assert second - first >= 1


def test_a_page_that_keeps_failing_stays_a_lead_for_another_pass(
    web, store, monkeypatch
):
    """No fate is made up.

    The report counts it as postponed, and the poll as pending.
    """
    monkeypatch.setattr(pages, "RETRY_PAUSE_SECONDS", 0.05)
    web.pages["wire.example/feed"] = web.feed(web.item(web.url("wire.example/1")))
    web.pages["wire.example/1"] = web.Answer(b"", 500)
    report = web.run(store, [web.source("wire.example/feed")])
    assert report.for_source("wire").postponed == 1
    assert store.polls.unbalanced() == []
    assert len(store.leads.pending(now=utc_now() + timedelta(days=2))) == 1


def test_old_items_are_noted_and_not_fetched(web, store):
    """What is older than `max_age` gets its fate without a request."""
    web.pages["wire.example/feed"] = web.feed(
        web.item(
            web.url("wire.example/1"),
            date=format_datetime(datetime(2019, 1, 2, tzinfo=UTC)),
        )
    )
    report = web.run(store, [web.source("wire.example/feed")])
    assert report.for_source("wire").too_old == 1
    assert web.count("wire.example/1") == 0


def test_what_is_not_about_the_topic_is_rejected_with_its_reasons(web, store):
    """The fate says irrelevant, and the score can be looked up."""
    web.pages["wire.example/feed"] = web.feed(
        web.item(web.url("wire.example/1"), "Bowls")
    )
    text = " ".join(
        f"The bowling club met on green number {n} and the members voted about new shoes for the summer season."
        for n in range(9)
    )
    web.pages["wire.example/1"] = web.page(1, text, title="Bowls")
    report = web.run(store, [web.source("wire.example/feed")], min_relevance=0.4)
    assert report.for_source("wire").irrelevant == 1
    assert fate(store, web.url("wire.example/1")) == ("rejected", "irrelevant")


def test_a_source_that_was_just_visited_is_not_due(web, store):
    """Within five minutes nothing is asked; forced, it is."""
    web.pages["wire.example/feed"] = web.feed()
    web.run(store, [web.source("wire.example/feed")])
    again = web.run(store, [web.source("wire.example/feed")], force=False)
    assert again.for_source("wire").status == "not_due"
    assert again.any_visited
    assert web.count("wire.example/feed") == 1
    assert web.run(store, [web.source("wire.example/feed")]).for_source(
        "wire"
    ).status in {"unchanged", "empty"}


def test_a_host_that_asked_to_wait_is_left_alone_by_the_next_process_too(web, store):
    """The wait rests in the file.

    Its sources are not due until then, unless forced (cases 16 and 33).
    """
    web.pages["wire.example/feed"] = web.Answer(b"", 429, {"Retry-After": "7200"})
    web.run(store, [web.source("wire.example/feed")])
    store.session.db.execute("UPDATE sources SET last_poll_at = NULL")
    assert (
        web.run(store, [web.source("wire.example/feed")], force=False)
        .for_source("wire")
        .status
        == "not_due"
    )
    assert web.count("wire.example/feed") == 1
    web.run(store, [web.source("wire.example/feed")])
    assert web.count("wire.example/feed") == 2


def test_requests_to_one_host_keep_their_distance_whoever_asks(web, store):
    """Two sources of one host, their pages and robots.txt.

    Each request waits for the delay, the host's own if longer.
    """
    web.pages["slow.example/robots.txt"] = web.Answer(
        b"User-agent: *\nCrawl-delay: 0.5\n"
    )
    for n in (1, 2):
        web.pages[f"slow.example/feed{n}"] = web.feed(
            web.item(web.url(f"slow.example/{n}"))
        )
        web.pages[f"slow.example/{n}"] = web.page(n)
    web.run(
        store,
        [
            web.source("slow.example/feed1", id="one"),
            web.source("slow.example/feed2", id="two"),
        ],
        delay=0.2,
    )
    times = [one.at for one in web.asked if one.url.startswith("slow.example")]
    assert len(times) == 5
    assert all(b - a >= 0.49 for a, b in pairwise(times[1:]))


def test_leads_that_an_earlier_run_left_are_taken_up_first(web, store):
    """What was pending when the last process ended is fetched although no feed shows it any more."""
    web.pages["wire.example/feed"] = web.feed(web.item(web.url("wire.example/1")))
    web.pages["wire.example/1"] = web.page(1)
    task = engine.Engine(
        store,
        web.settings(),
        [web.source("wire.example/feed")],
        lookup=web.everywhere,
    )

    async def visited_only():
        await task.start()
        task.pages.start = lambda leads: 0
        store.sources.sync(engine.source_states(task.sources.values()))
        [state] = store.sources.claim(["wire"], utc_now(), timedelta(minutes=1))
        await task.polling.visit(state)
        await task.stop()

    loop.run(visited_only())
    assert len(store.leads.pending(now=utc_now())) == 1
    web.pages["wire.example/feed"] = web.feed()
    assert web.run(store, [web.source("wire.example/feed")]).total("new") == 1


def test_stopping_leaves_what_is_under_way_for_the_next_start(web, store):
    """Requests in flight and requests that wait for room are given up within the grace; every lead is still there."""
    urls = [web.url(f"{name}.example/1") for name in ("slow", "next", "last")]
    web.pages["wire.example/feed"] = web.feed(*(item(web, url) for url in urls))
    web.pages["slow.example/1"] = lambda count: time.sleep(4) or web.page(1)
    crawl = engine.Engine(
        store,
        web.settings(concurrency=1),
        [web.source("wire.example/feed")],
        lookup=web.everywhere,
    )
    store.sources.sync(engine.source_states(crawl.sources.values()))

    async def started_and_stopped():
        await crawl.start()
        [state] = store.sources.claim(["wire"], utc_now(), timedelta(minutes=1))
        await crawl.polling.visit(state)
        while not web.count("slow.example/1"):  # noqa: ASYNC110 - the server is in another thread
            await asyncio.sleep(0.02)
        began = time.monotonic()
        await crawl.stop(grace=0.5)
        return time.monotonic() - began

    assert loop.run(started_and_stopped()) < 3
    assert {lead.lead.url for lead in store.leads.pending(now=utc_now())} >= {urls[0]}
    assert (
        len(store.leads.pending(now=utc_now()))
        + sum(store.fates.find(url) is not None for url in urls)
        == 3
    )


def item(web, url):
    return web.item(url, url)


def test_a_worker_that_dies_costs_its_own_page_only(web, store, monkeypatch):
    """The page is unreadable, its neighbour is an article, and the pass ends well."""
    monkeypatch.setattr(page_task, "PROCESS_PAGE", Task("tests_crawler_deadly", "read"))
    module = "import os\nfrom crawler import intake\ndef read(page, lead, **rest):\n    if b'KILL' in page.body:\n        os.kill(os.getpid(), 9)\n    return intake.process_page_in_worker(page, lead, **rest)\n"
    folder = store.path.parent / "lib"
    folder.mkdir()
    (folder / "tests_crawler_deadly.py").write_text(module)
    monkeypatch.syspath_prepend(str(folder))
    web.pages["wire.example/feed"] = web.feed(
        *(web.item(web.url(f"wire.example/{n}"), str(n)) for n in (1, 2))
    )
    web.pages |= {
        "wire.example/1": web.page(1, "KILL the worker now. " * 30),
        "wire.example/2": web.page(2),
    }
    web.run(store, [web.source("wire.example/feed")])
    assert fate(store, web.url("wire.example/1")) == ("rejected", "unreadable")
    assert fate(store, web.url("wire.example/2"))[0] == "article"


def test_a_file_that_cannot_be_read_is_not_the_page_s_fault(web, store, monkeypatch):
    """While the store cannot say what a host has taught, nothing is judged.

    The lead stays, and the next pass keeps it.
    """
    web.pages["wire.example/feed"] = web.feed(web.item(web.url("wire.example/1")))
    web.pages["wire.example/1"] = web.page(1)

    def locked(*_):
        raise StoreBusy("somebody else holds the file")

    with monkeypatch.context() as patch:
        patch.setattr(Boilerplate, "learned", locked)
        with pytest.raises(StoreBusy):
            web.run(store, [web.source("wire.example/feed")])
    assert store.fates.find(web.url("wire.example/1")) is None
    web.run(store, [web.source("wire.example/feed")], force=True)
    assert fate(store, web.url("wire.example/1"))[0] == "article"


def test_a_body_over_the_limit_is_refused_however_small_it_came(web, store):
    """Ten million zeros in ten thousand bytes are not unpacked beyond what a page may be."""
    web.pages["wire.example/feed"] = web.feed(
        web.item(web.url("wire.example/1")), web.item(web.url("wire.example/2"))
    )
    web.pages["wire.example/1"] = web.Answer(
        gzip.compress(bytes(20_000_000)), headers={"Content-Encoding": "gzip"}
    )
    web.pages["wire.example/2"] = web.Answer(b"x" * 60_000)
    web.run(store, [web.source("wire.example/feed")], max_page_size=50_000)
    for n in (1, 2):
        assert fate(store, web.url(f"wire.example/{n}")) == ("refused", "size")


def test_every_poll_adds_up(web, store):
    """found = known + new + revised + copies + rejected + refused + too old + failed + pending."""
    same = web.page(1)
    web.pages["wire.example/feed"] = web.feed(
        *(
            web.item(web.url(f"{host}.example/1"), host)
            for host in ("a", "b", "gone", "local")
        ),
        web.item("ftp://x.example/1"),
    )
    web.pages |= {"a.example/1": same, "b.example/1": same}
    report = web.run(store, [web.source("wire.example/feed")])
    assert store.polls.unbalanced() == []
    assert (report.total("new"), report.total("copies"), report.total("failed")) == (
        1,
        1,
        2,
    )
    assert json.dumps(store.stats.counts(), default=str)
