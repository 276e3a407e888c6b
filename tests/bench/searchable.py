"""How long after the poll that saw a new item a search finds it.

100 sources, the delay and settings of the default.

    python tests/bench/searchable.py [--sources 100] [--minutes 3] [--every 60]
    [--within 10]

The service runs in a process of its own over feeds on as many loopback hosts, each with
its own robots.txt, slot and delay of two seconds. Only the interval is shortened (a
source is polled about once in `--every` seconds, and in that time shows one new item,
sometimes two or none), and texts of random words are kept whatever they are about.
Beside it another process searches, over a read-only connection of its own, for a word
that stands in one article alone, until it is found. Prints p50, p95 and the longest
wait, and where the time went; exits 1 when p95 is over `--within` seconds or an item
was never found.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "crash"), str(ROOT / "tests" / "bench")]

from harness import There, Web  # noqa: E402 - its folder was named a line above
from web import paragraphs  # noqa: E402

LOOK_EVERY = 0.1  # seconds between two searches for the same item
LINGER = 5.0  # seconds in which the service may still tell of a poll that ended in time
PATIENCE = 60.0  # seconds after the last new item


@dataclass(slots=True)
class Item:
    """One new item on its way, in seconds since 1970."""

    url: str
    seen: float  # the end of the poll that saw it
    stored: float | None = None  # when its landing was told
    found: float | None = None  # when a search found it

    @property
    def word(self) -> str:
        """The word that stands in this article and no other."""
        host, _, number = self.url.removeprefix("http://s").partition(".example/a/")
        # "... reads DIGEST and nothing else."
        return paragraphs(int(host), int(number))[-1].split()[-4]


@dataclass(slots=True)
class Board:
    """What the service told, written by one thread and read by another."""

    end: float  # what polls see after it is not looked for
    items: dict[str, Item] = field(default_factory=dict)
    polls: int = 0

    def note(self, line: str) -> None:
        """Take in a line of the service."""
        told = json.loads(line)
        self.polls += "polled" in told
        for url in told.get("polled", ()):
            if told["at"] <= self.end:
                self.items[url] = Item(url=url, seen=told["at"])
        if told.get("stored") in self.items:
            self.items[told["stored"]].stored = told["at"]


# The service, in a process of its own


def serve(folder: Path, web: Web, seconds: float, every: float) -> None:
    """The service as it is, but for its intervals."""
    from crawler.fetching import loop
    from crawler.sources import CrawlSettings, Source
    from scheduler.config import Config
    from scheduler.open_store import open_for_writing
    from scheduler.service import poll_schedule
    from scheduler.service.daemon import Service
    from storage.settings import StoreSettings

    sources = tuple(
        Source(
            id=f"s{n}",
            kind="feed",
            url=f"http://s{n}.example/feed",
            every=timedelta(seconds=every),
        )
        for n in range(web.feeds)
    )
    config = Config(
        store=StoreSettings(path=folder / "khabar.db", captures=folder / "captures"),
        crawl=CrawlSettings(proxy=web.address, min_relevance=0.0),
        sources=sources,
    )

    def plan(*seen: Any, **counted: Any) -> Any:
        poll = poll_schedule.plan_next_check(*seen, **counted, floor=timedelta(0))
        return replace(
            poll,
            next_check_at=poll.ended_at
            + timedelta(seconds=every * random.uniform(0.8, 1.2)),
        )

    async def live(service: Service) -> None:
        running = asyncio.ensure_future(service.run())
        await asyncio.wait({running}, timeout=seconds)
        service.stop()
        await running

    with open_for_writing(config) as store:
        service = Service(store, config, read_config=lambda: config, plan=plan)
        service.engine.listeners.append(tell)
        loop.run(live(service))


def tell(event: Any) -> None:
    """New leads, and each page that was stored."""
    told: dict[str, Any] = {}
    if event.visited is not None and event.polled is not None:
        fresh = [lead.lead.url for lead in event.polled.fresh]
        told = {"at": event.visited.poll.ended_at.timestamp(), "polled": fresh}
    elif event.landed is not None:
        told = {"at": time.time(), "stored": event.landed.url}
    if told:
        print(json.dumps(told), flush=True)


# Beside it


def publish(web: Web, seconds: float, every: float) -> None:
    """Let each feed show one more item in the time of an interval."""
    for shown in range(1, int(seconds / every) + 2):
        web.control(shown=shown)
        time.sleep(every)


def watch(board: Board, path: Path) -> None:
    """Search for what is not found yet, until all is, or time is over."""
    from storage.query.criteria import Criteria
    from storage.query.search import search
    from storage.store import Store

    while not path.exists() or not board.items:
        time.sleep(LOOK_EVERY)
    with Store.read(path) as store:
        while time.time() < board.end + PATIENCE:
            began = time.monotonic()
            waiting = [
                item for item in list(board.items.values()) if item.found is None
            ]
            if not waiting and time.time() > board.end + LINGER:
                return
            for item in waiting:
                if search(store.session.db, Criteria(words=item.word, limit=1)).hits:
                    item.found = time.time()
            time.sleep(max(0.0, LOOK_EVERY - (time.monotonic() - began)))


def verdict(board: Board, within: float) -> bool:
    """Print what was measured; whether it is good enough."""
    items = list(board.items.values())
    waits = sorted(item.found - item.seen for item in items if item.found is not None)
    if not waits:
        print("nothing was found")
        return False
    missing = len(items) - len(waits)
    stored = sorted(
        item.stored - item.seen for item in items if item.stored is not None
    )
    behind = sorted(
        item.found - item.stored
        for item in items
        if item.found is not None and item.stored is not None
    )
    print(f"{board.polls} polls, {len(items)} new items, {missing} of them never found")
    print(
        f"from the poll to the search that finds it: {spread(waits)} (wanted: p95 {within:.0f} s)"
    )
    print(
        f"of that, until the service tells that it is stored: {spread(stored)}; the rest: {spread(behind)}"
    )
    return missing == 0 and share(waits, 0.95) <= within


def share(values: list[float], part: float) -> float:
    """A percentile of sorted values."""
    return values[min(len(values) - 1, int(len(values) * part))]


def spread(values: list[float]) -> str:
    """Percentiles of sorted seconds."""
    return f"p50 {share(values, 0.5):.2f} s, p95 {share(values, 0.95):.2f} s, longest {values[-1]:.2f} s"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sources", type=int, default=100)
    options.add_argument("--minutes", type=float, default=3)
    options.add_argument("--every", type=float, default=60)
    options.add_argument("--within", type=float, default=10)
    options.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    seconds = chosen.minutes * 60
    if chosen.inside is not None:
        serve(chosen.inside, There(chosen.port, chosen.sources), seconds, chosen.every)
        return
    with Web(feeds=chosen.sources, articles=20) as web, TemporaryDirectory() as folder:
        web.control(shown=1)
        words = [
            sys.executable,
            __file__,
            f"--inside={folder}",
            f"--port={web.port}",
            f"--sources={chosen.sources}",
        ]
        words += [f"--minutes={chosen.minutes + 1}", f"--every={chosen.every}"]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        board = Board(end=time.time() + seconds)
        beside = [
            threading.Thread(
                target=publish, args=(web, seconds, chosen.every), daemon=True
            ),
            threading.Thread(
                target=watch, args=(board, Path(folder) / "khabar.db"), daemon=True
            ),
        ]
        for thread in beside:
            thread.start()
        assert child.stdout is not None
        for line in child.stdout:
            board.note(line)
        child.wait()
        beside[1].join(PATIENCE)
    sys.exit(0 if verdict(board, chosen.within) and child.returncode == 0 else 1)


if __name__ == "__main__":
    main()
