"""A whole pass in which workers hang, crash and run out of memory.

Each takes nobody with it.
"""

from functools import partial
from pathlib import Path

import pytest
from pebble import ProcessPool
from pebble.common import CONSTS

from builders import make_lead, make_poll, make_source_state
from crawler import page_task, workers
from crawler.engine import engine
from crawler.visits import documents
from crawler.workers import Task

GOOD = 24
# What becomes of a page whose worker came to such an end, as its reason tells it.
ENDS = {
    "exit": "worker ended with 3",
    "exit well": "timeout",
    "hang up": "worker ended with",
    "segfault": "worker ended with -11",
    "abort": "worker ended with -6",
    "kill": "its workers end",
    "stop": "timeout",
    "end": "StopIteration",
    "leave": "SystemExit",
    "sleep": "timeout",
    "loop in C": "timeout",
    "deaf": "timeout",
    "at once": "memory",
    "hoard": "memory",
    "recurse": "RecursionError",
    "unspeakable": "Unspeakable",
    "clinging": "TypeError",
}


# Acts that end by the clock alone
HANGING = [act.encode() for act, end in ENDS.items() if end == "timeout"]


class ImpatientPool(ProcessPool):
    """Gives seconds to what hangs for ever, and all the time that it needs to the rest.

    So the tests are quick, and hold on a machine that has other work.
    """

    def schedule(self, function, args=(), kwargs=None, timeout=None):
        if timeout is not None:
            subject = args[2][0]
            body = getattr(subject, "body", subject)
            if any(b"ACT:" + act in body for act in HANGING):
                timeout = 2.5
        return super().schedule(
            function, args=args, kwargs=kwargs or {}, timeout=timeout
        )


@pytest.fixture
def deadly(monkeypatch):
    """Workers that do what a body asks for, with 300 MB for it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(workers, "ProcessPool", ImpatientPool)
    monkeypatch.setattr(
        engine, "WorkerPool", partial(workers.WorkerPool, timeout=30, memory=300 << 20)
    )
    # Seconds that pebble leaves a worker between SIGTERM and SIGKILL
    monkeypatch.setattr(CONSTS, "term_timeout", 0.5)
    monkeypatch.setattr(page_task, "PROCESS_PAGE", Task("deadly", "page"))
    monkeypatch.setitem(documents.PARSERS, "feed", Task("deadly", "feed"))


def deadly_page(web, act):
    return web.page(0, f"ACT:{act}. " * 40)


@pytest.mark.usefixtures("deadly")
@pytest.mark.parametrize("size", [1, 2])
def test_every_good_page_has_its_article_and_every_deadly_one_its_reason(
    web, store, size
):
    """Seventeen ends of a worker among 24 good pages.

    None is lost beside them, and all of it adds up.
    """
    acts, good = list(ENDS), [web.url(f"good{n}.example/a") for n in range(GOOD)]
    bad = [web.url(f"bad{n}.example/a") for n in range(len(acts))]
    mixed = [url for n in range(GOOD) for url in (good[n], *bad[n : n + 1])]
    web.pages["wire.example/feed"] = web.feed(*(web.item(url, url) for url in mixed))
    web.pages |= {f"good{n}.example/a": web.page(n + 1) for n in range(GOOD)}
    web.pages |= {
        f"bad{n}.example/a": deadly_page(web, act) for n, act in enumerate(acts)
    }
    report = web.run(store, [web.source("wire.example/feed")], workers=size)
    fates = [store.fates.find(url) for url in good]
    assert [
        (one["url"], one["reason"], one["detail"])
        for one in fates
        if one["fate"] != "article"
    ] == []
    fates = {act: store.fates.find(url) for act, url in zip(acts, bad, strict=True)}
    assert {
        act: (one["fate"], one["reason"]) for act, one in fates.items()
    } == dict.fromkeys(acts, ("rejected", "unreadable"))
    assert {
        act: one["detail"]
        for act, one in fates.items()
        if ENDS[act] not in one["detail"]
    } == {}
    assert (report.total("new"), report.total("rejected")) == (GOOD, len(acts))
    assert store.polls.unbalanced() == []


@pytest.mark.usefixtures("deadly")
def test_a_feed_that_kills_its_reader_is_that_source_s_error(web, store):
    """The other sources are visited, and their pages read, while readers die around them."""
    acts = ["exit", "segfault", "leave", "unspeakable", "at once", "sleep"]
    for n, act in enumerate(acts):
        web.pages[f"bad{n}.example/feed"] = web.feed(f"<!-- ACT:{act}! -->")
        web.pages[f"good{n}.example/feed"] = web.feed(
            web.item(web.url(f"good{n}.example/a"), f"Blast {n}")
        )
        web.pages[f"good{n}.example/a"] = web.page(n + 1)
    sources = [
        web.source(f"{kind}{n}.example/feed")
        for n in range(len(acts))
        for kind in ("bad", "good")
    ]
    report = web.run(store, sources, workers=2)
    told = {act: report.for_source(f"bad{n}").error for n, act in enumerate(acts)}
    assert {
        act: error for act, error in told.items() if not error or ENDS[act] not in error
    } == {}
    assert [report.for_source(f"good{n}").new for n in range(len(acts))] == [1] * len(
        acts
    )
    assert store.polls.unbalanced() == []


def test_where_no_worker_is_to_be_had_no_source_is_charged(web, store, no_processes):
    """Without memory for a worker a pass ends, and the store says nothing of it.

    No failure, no later check, no row of a visit; with memory again the same pass
    keeps everything.
    """
    wire = web.source("wire.example/feed")
    page = web.url("wire.example/a")
    web.pages["wire.example/feed"] = web.feed(web.item(page, "Blast 1"))
    web.pages["wire.example/a"] = web.page(1)

    report = web.run(store, [wire])

    assert report.total("failed") == 0
    [state] = store.sources.all()
    assert (state.failures, state.last_error, state.next_check_at) == (0, None, None)
    assert store.polls.recent("wire", limit=5) == []

    no_processes()
    workers._end_fork_server()
    assert web.run(store, [wire]).total("new") == 1
    assert store.fates.find(page)["fate"] == "article"


def test_a_page_that_nobody_could_read_stays_pending(web, store, no_processes):
    """No attempt of it is counted, and with memory again it is read."""
    wire = web.source("wire.example/feed")
    web.pages["wire.example/feed"] = web.feed()
    web.pages["wire.example/a"] = web.page(1)
    url = web.url("wire.example/a")
    store.sources.sync([make_source_state("wire", url=wire.url)])
    store.polls.land(make_poll(make_lead(url, source="wire"), source="wire"))

    web.run(store, [wire])

    [lead] = store.leads.pending()
    assert lead.attempts == 0

    no_processes()
    workers._end_fork_server()
    web.run(store, [wire])
    assert store.fates.find(url)["fate"] == "article"
