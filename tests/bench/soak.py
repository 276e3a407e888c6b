"""A day of the service, compressed: memory, file descriptors, threads and WAL over time.

    python tests/bench/soak.py [--minutes 24] [--feeds 500] [--speed 60]

The day has 24 hours at 60 times the speed: 500 feeds are asked about every 36 minutes of the day, which makes 20,000
polls, and show a new item now and then, 10,000 articles in all. The clock itself is left alone; intervals and delays
are shortened. Fails when memory grew by more than 20 MB after the first quarter, when file descriptors or threads did,
or when the WAL passed 64 MB.
"""

import argparse
import asyncio
import json
import os
import random
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
from tree import descriptors, processes, pss, threads  # noqa: E402

POLLS_A_DAY = 20_000
ARTICLES_A_DAY = 10_000
SAMPLE_EVERY = 10.0  # seconds


async def sample(service: Any, path: Path, end: float) -> None:
    """A line of figures now and then, until it is over."""
    wal = path.with_name(path.name + "-wal")
    while time.monotonic() < end:
        row = {
            "at": time.monotonic(), "pss": await asyncio.to_thread(pss, os.getpid()), "own": _own_memory(),
            "processes": len(processes(os.getpid())), "files": descriptors(os.getpid()), "threads": threads(os.getpid()),
            "wal": wal.stat().st_size if wal.exists() else 0,
            "polls": sum(service.figures.polls.values()), "articles": service.figures.landed["new"],
        }  # fmt: skip
        print(json.dumps(row), flush=True)
        await asyncio.sleep(SAMPLE_EVERY)
    service._stop.set()


def _own_memory() -> int:
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))


async def live(service: Any, path: Path, seconds: float) -> None:
    """The service and who watches it."""
    await asyncio.gather(service.run(), sample(service, path, time.monotonic() + seconds))


def serve(folder: Path, web: Web, seconds: float, every: float) -> None:
    """The service with shortened intervals."""
    from crawler.fetching import loop
    from crawler.sources import CrawlSettings, Source
    from scheduler import jobs
    from scheduler.config import Config
    from scheduler.service import rhythm
    from scheduler.service.daemon import Service
    from storage.settings import StoreSettings

    sources = tuple(
        Source(id=f"s{n}", kind="feed", url=f"http://s{n}.example/feed", every=timedelta(seconds=every))
        for n in range(web.feeds)
    )
    crawl = CrawlSettings(delay=0.05, proxy=web.address, min_relevance=0.0)
    config = Config(
        store=StoreSettings(path=folder / "khabar.db", captures=folder / "captures"), crawl=crawl, sources=sources
    )

    def plan(*seen: Any, **counted: Any) -> Any:
        """The service's own, but that the interval stays: else news would halve it and silence double it."""
        poll = rhythm.plan(*seen, **counted, floor=timedelta(0))
        wait = timedelta(seconds=every * random.uniform(0.8, 1.2))
        from dataclasses import replace

        return replace(poll, next_check_at=poll.ended_at + wait, interval=every)

    with jobs.writing(config) as store:
        service = Service(store, config, read_config=lambda: config, plan=plan)
        service._every = partial(_faster, service._every)  # type: ignore[method-assign]
        loop.run(live(service, config.store.path, seconds))


def _faster(plan: Any, seconds: float, job: Any) -> None:
    """Housekeeping at 60 times the speed as well; the heartbeat stays."""
    plan(seconds if seconds <= 1 else max(2, seconds / 60), job)


def publish(web: Web, share: float, end: float) -> None:
    """Let feeds show new items evenly over the day."""
    began = time.monotonic()
    while (now := time.monotonic()) < end:
        web.control(shown=max(1, int((now - began) / (end - began) * share)))
        time.sleep(1)


def verdict(rows: list[dict[str, Any]]) -> list[str]:
    """What was not as it should be."""
    warm = rows[len(rows) // 4 :]

    def growth(name: str) -> float:
        quarter = max(1, len(warm) // 4)
        first = sorted(row[name] for row in warm[:quarter])[quarter // 2]
        last = sorted(row[name] for row in warm[-quarter:])[quarter // 2]
        return last - first

    wal = max(row["wal"] for row in rows)
    print(
        f"{rows[-1]['polls']} polls, {rows[-1]['articles']} articles; after warm-up: tree {growth('pss') / 1e6:+.1f} MB "
        f"(now {rows[-1]['pss'] / 1e6:.0f}), own process {growth('own') / 1e6:+.1f} MB (now {rows[-1]['own'] / 1e6:.0f}), "
        f"files {growth('files'):+.0f} (now {rows[-1]['files']}), threads {growth('threads'):+.0f} (now {rows[-1]['threads']}), "
        f"WAL at most {wal / 1e6:.1f} MB"
    )
    limits = {"pss": 20e6, "files": 10, "threads": 3}
    found = [f"{name} grew by {growth(name):.0f}" for name, most in limits.items() if growth(name) > most]
    return found + ([f"WAL of {wal} bytes"] if wal > 64 << 20 else [])


def main() -> None:
    """Measure and print; exit 1 when a figure is not reached."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=24)
    options.add_argument("--feeds", type=int, default=500)
    options.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    seconds = chosen.minutes * 60
    every = 24 * 60 * chosen.feeds / POLLS_A_DAY  # a day lasts 24 minutes; a short form is the day's beginning
    if chosen.inside is not None:
        serve(chosen.inside, There(chosen.port, chosen.feeds), seconds, every)
        return
    with Web(feeds=chosen.feeds, articles=20) as web, TemporaryDirectory() as folder:
        words = [sys.executable, __file__, f"--inside={folder}", f"--port={web.port}", f"--feeds={chosen.feeds}"]
        child = subprocess.Popen([*words, f"--minutes={chosen.minutes}"], stdout=subprocess.PIPE, text=True)
        publish(web, ARTICLES_A_DAY / chosen.feeds * chosen.minutes / 24, time.monotonic() + seconds)
        out, _ = child.communicate(timeout=120)
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    wrong = verdict(rows)
    print("\n".join(wrong) or "all figures reached")
    sys.exit(1 if wrong or child.returncode else 0)


if __name__ == "__main__":
    main()
