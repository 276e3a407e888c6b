"""The service polls 2,000 loopback feeds.

Polls a minute answered 304 and 200, loop lag, memory; beside reader 3.26.

    uv run --with reader==3.26 --with sgmllib3k python tests/bench/polling.py [--feeds
    2000] [--seconds 20] [--profile FILE]

The feeds stand on as many hosts behind a loopback proxy, so that each has its own slot,
delay and robots.txt. After one round in which everything is read for the first time,
the web answers 304 for a while, then 200 with 30 items that were never seen. The
schedule is the service's own, without its floor of five minutes. New leads are recorded
and not fetched: pages have a benchmark of their own (`replay.py`). reader, a library
for the same job, reads 500 of the same feeds from the same web in the same run, with
four threads, where it is installed; else the run says so and goes without. Its 304s are
polls of feeds that it has read; its 200s store 30 new entries each, as ours do.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "crash"), str(ROOT / "tests" / "bench")]

from harness import There, Web  # noqa: E402 - its folder was named a line above
from tree import cpu_seconds, pss  # noqa: E402

ITEMS = 30
# Characters of description: 30 items are then about 12 kB, as a real feed of 8 to 30 kB
PADDING = 170
LAG_EVERY = 0.01
READER = "reader==3.26"


# Our side, in a process of its own


async def watch_lag(into: list[float]) -> None:
    """How much later than asked the loop comes back."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LAG_EVERY)
        into.append(time.perf_counter() - before - LAG_EVERY)


async def measured(service: Any, web: Web, seconds: float) -> dict[str, Any]:
    """What the service did in so many seconds."""
    polls, lags = service.metrics.polls, []
    watching = asyncio.ensure_future(watch_lag(lags))
    before, began, cpu = polls.copy(), time.perf_counter(), time.process_time()
    spent = cpu_seconds(os.getpid())
    leads = service.store.session.db.execute("SELECT count(*) FROM leads").fetchone()[0]
    most = 0
    while time.perf_counter() - began < seconds:
        await asyncio.sleep(1)
        most = max(most, await asyncio.to_thread(pss, os.getpid()))
    took = time.perf_counter() - began
    watching.cancel()
    did, spent = polls - before, cpu_seconds(os.getpid()) - spent
    lags.sort()
    return {
        "polls": dict(did), "a_minute": sum(did.values()) / took * 60, "cpu_share": (time.process_time() - cpu) / took,
        "lag_p50_ms": lags[len(lags) // 2] * 1e3, "lag_p99_ms": lags[int(len(lags) * 0.99)] * 1e3, "lag_max_ms": lags[-1] * 1e3,
        "pss_mb": most / 1e6, "cpu_ms_a_poll": spent * 1e3 / max(1, sum(did.values())),
        "leads": service.store.session.db.execute("SELECT count(*) FROM leads").fetchone()[0] - leads,
    }  # fmt: skip


async def drive(service: Any, web: Web, seconds: float) -> None:
    """Both measurements, one after the other, on a service that has read everything once."""
    running = asyncio.ensure_future(service.run())
    while sum(service.metrics.polls.values()) < web.feeds and not running.done():  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    for name, moving in (("304", 0), ("200", 1)):
        await asyncio.to_thread(web.control, moving=moving)
        await asyncio.sleep(2)
        print(json.dumps({name: await measured(service, web, seconds)}), flush=True)
    service.stop()
    await running


def serve(folder: Path, web: Web, seconds: float) -> None:
    """The service, but for its floor and the pages."""
    import gc

    from crawler.fetching import loop
    from crawler.sources import CrawlSettings, Source
    from scheduler.config import Config
    from scheduler.service import poll_schedule
    from scheduler.service.daemon import Service
    from storage.settings import StoreSettings
    from storage.store import Store

    sources = tuple(
        Source(
            id=f"s{n}",
            kind="feed",
            url=f"http://s{n}.example/feed",
            every=timedelta(seconds=1),
        )
        for n in range(web.feeds)
    )
    crawl = CrawlSettings(delay=0, proxy=web.address)
    config = Config(
        store=StoreSettings(path=folder / "khabar.db"), crawl=crawl, sources=sources
    )
    with Store.open(config.store.path) as store:
        service = Service(
            store,
            config,
            read_config=lambda: config,
            plan=partial(poll_schedule.plan_next_check, floor=timedelta(0)),
        )
        service.engine.pages.start = lambda _: 0  # type: ignore[method-assign]
        gc.collect()
        loop.run(drive(service, web, seconds))


# The peer


PEER = """
import sys, time, logging
from reader import make_reader
address, feeds = sys.argv[1], int(sys.argv[2])
reader = make_reader(sys.argv[3])
for n in range(feeds):
    reader.add_feed(f"http://s{n}.example/feed")
reader.update_feeds(workers=4, scheduled=False)
for name in ("304", "200"):
    print(name, flush=True)
    sys.stdin.readline()
    began, cpu = time.perf_counter(), time.process_time()
    reader.update_feeds(workers=4, scheduled=False)
    print(feeds / (time.perf_counter() - began) * 60, (time.process_time() - cpu) * 1e3 / feeds, flush=True)
"""


def peer(web: Web, feeds: int) -> dict[str, tuple[float, float]]:
    """Polls a minute of reader, once over this many of the feeds, and milliseconds of processor time for each.

    Nothing where it is not installed.
    """
    if importlib.util.find_spec("reader") is None:
        print(
            f"reader is not installed, so there is no peer: uv run --with {READER} python {sys.argv[0]}"
        )
        return {}
    web.control(moving=0)
    with TemporaryDirectory() as folder:
        asked = {**os.environ, "http_proxy": web.address}
        child = subprocess.Popen(
            [sys.executable, "-c", PEER, web.address, str(feeds), f"{folder}/reader.db"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=asked,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        found = {}
        for name in ("304", "200"):
            child.stdout.readline()
            web.control(moving=int(name == "200"), clear=1)
            child.stdin.write("\n")
            child.stdin.flush()
            a_minute, cpu = map(float, child.stdout.readline().split())
            found[name] = a_minute, cpu
            answered = web.control()["feeds"]
            assert answered == {name: feeds}, (
                f"reader was to be answered {feeds} times {name}: {answered}"
            )
        child.communicate()
    return found


def ours(web: Web, chosen: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The service's figures."""
    with TemporaryDirectory() as folder:
        words = [
            sys.executable,
            __file__,
            "--inside",
            folder,
            "--port",
            str(web.port),
            f"--feeds={chosen.feeds}",
        ]
        words += [f"--seconds={chosen.seconds}"]
        if chosen.profile:
            words[:0] = [
                "py-spy",
                "record",
                "-o",
                chosen.profile,
                "-f",
                "raw",
                "-d",
                "600",
                "--",
            ]
        done = subprocess.run(
            words, stdout=subprocess.PIPE, text=True, check=False, timeout=600
        )
    rows = [
        json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")
    ]
    return {name: figures for row in rows for name, figures in row.items()}


def main() -> None:
    """Measure and print; exit 1 when a figure is not reached."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--feeds", type=int, default=2_000)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument(
        "--profile", default="", help="a file for py-spy, which must be on the path"
    )
    options.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.inside is not None:
        serve(chosen.inside, There(chosen.port, chosen.feeds), chosen.seconds)
        return
    with Web(feeds=chosen.feeds, articles=ITEMS) as web:
        web.control(padding=PADDING)
        figures = ours(web, chosen)
        for name, of in figures.items():
            print(
                f"{name}: {of['a_minute']:,.0f} polls a minute ({of['polls']}, {of['leads']:,} leads)",
                end="; ",
            )
            print(
                f"lag p50 {of['lag_p50_ms']:.1f}, p99 {of['lag_p99_ms']:.1f}, worst {of['lag_max_ms']:.0f} ms",
                end="; ",
            )
            print(
                f"{of['pss_mb']:.0f} MB PSS; {of['cpu_share']:.0%} of a core in the service's process",
                end="; ",
            )
            print(
                f"{of['cpu_ms_a_poll']:.2f} ms of processor time a poll, workers included",
                flush=True,
            )
        for name, (a_minute, cpu) in peer(web, min(chosen.feeds, 500)).items():
            own, own_cpu = figures[name]["a_minute"], figures[name]["cpu_ms_a_poll"]
            print(
                f"{name}, {READER}: {a_minute:,.0f} polls a minute, {cpu:.2f} ms of processor time a poll",
                end="; ",
            )
            print(
                f"the service makes {own / a_minute:.1f} times as many, {cpu / own_cpu:.1f} times by processor time"
            )
    wanted = {"304": 10_000, "200": 3_000}
    good = all(
        name in figures
        and figures[name]["a_minute"] >= least
        and figures[name]["lag_p99_ms"] < 100
        and figures[name]["pss_mb"] <= 400
        for name, least in wanted.items()
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
