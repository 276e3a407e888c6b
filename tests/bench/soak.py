"""A day of the service, compressed.

Memory, file descriptors, threads and WAL over time.

    python tests/bench/soak.py [--minutes 24] [--feeds 500]
    python tests/bench/soak.py --faults [--seed N] [--minutes 24]

The day has 24 hours at 60 times the speed: 500 feeds are asked about every 36 minutes
of the day, which makes 20,000 polls, and show a new item now and then, 10,000 articles
in all. The clock itself is left alone; intervals and delays are shortened. Fails when
memory grew by more than 20 MB after the first quarter, when file descriptors or threads
did, or when the WAL passed 64 MB; and when the day was not lived, with fewer than 85 of
100 polls and articles.

With `--faults` the disk fills, the file cannot be written or is locked, the network
goes, servers flap, dawdle, send garbage or break off, and workers are killed, at random
moments that follow from the seed (printed; the same seed makes the same trouble, though
not at the same line of the program). Then all is well again, what is left is fetched,
and everything is checked: sums, one fate for each URL, integrity, foreign keys, full
text against the table, captures readable, nothing twice, nothing lost of what the
servers showed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "crash"), str(ROOT / "tests" / "bench")]

from harness import There, Web, copied, faults, lost  # noqa: E402 - its folder was named a line above
from tree import descriptors, processes, pss, threads  # noqa: E402
from trouble import Trouble  # noqa: E402

POLLS_A_DAY = 20_000
ARTICLES_A_DAY = 10_000
ENOUGH = 0.85  # of a day's polls and articles: a visit takes its time, too
SAMPLE_EVERY = 10.0  # seconds


async def sample(service: Any, path: Path, end: float) -> None:
    """A line of figures now and then, until it is over."""
    wal = path.with_name(path.name + "-wal")
    while time.monotonic() < end:
        row = {
            "at": time.monotonic(), "pss": await asyncio.to_thread(pss, os.getpid()), "own": _own_memory(),
            "processes": len(processes(os.getpid())), "files": descriptors(os.getpid()), "threads": threads(os.getpid()),
            "wal": wal.stat().st_size if wal.exists() else 0,
            "polls": sum(service.metrics.polls.values()), "articles": service.metrics.landed["new"],
        }  # fmt: skip
        print(json.dumps(row), flush=True)
        await asyncio.sleep(SAMPLE_EVERY)
    service.stop()


def _own_memory() -> int:
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return sum(
        int(line.split()[1]) * 1024
        for line in rollup.splitlines()
        if line.startswith("Pss:")
    )


async def live(
    service: Any, path: Path, seconds: float, trouble: Trouble | None
) -> None:
    """The service, who watches it, and who disturbs it."""
    end = time.monotonic() + seconds
    # A fault that is begun ends before the service is told to: it takes its wait and
    # its time.
    with_it = [trouble.until(end - 2 * trouble.longest - 1)] if trouble else []
    await asyncio.gather(service.run(), sample(service, path, end), *with_it)


def serve(
    folder: Path, web: Web, seconds: float, every: float, seed: int | None
) -> None:
    """The service with shortened intervals; with a seed, disturbed."""
    from crawler.fetching import loop
    from crawler.sources import CrawlSettings, Source
    from scheduler.config import Config
    from scheduler.open_store import open_for_writing
    from scheduler.service import fault_pause, poll_schedule
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
    crawl = CrawlSettings(delay=0.05, proxy=web.address, min_relevance=0.0)
    config = Config(
        store=StoreSettings(path=folder / "khabar.db", captures=folder / "captures"),
        crawl=crawl,
        sources=sources,
    )

    def plan(*seen: Any, **counted: Any) -> Any:
        """The service's own, but that the interval stays.

        Else news would halve it and silence double it.
        """
        poll = poll_schedule.plan_next_check(*seen, **counted, floor=timedelta(0))
        wait = timedelta(seconds=every * random.uniform(0.8, 1.2))
        from dataclasses import replace

        return replace(poll, next_check_at=poll.ended_at + wait, interval=every)

    with open_for_writing(config) as store:
        service = Service(store, config, read_config=lambda: config, plan=plan)
        service.every = partial(_faster, service.every)  # type: ignore[method-assign]
        trouble = None
        if seed is not None:
            fault_pause.PAUSE_SECONDS = 1.0
            longest = min(20.0, seconds / 12)
            trouble = Trouble(
                service, config.store.path, web, seed=seed, longest=longest
            )
        loop.run(live(service, config.store.path, seconds, trouble))
    if trouble is not None:
        print(
            f"switched: {dict(trouble.switched)}; faults of the file noted: {service.metrics.storage_faults}"
        )
        settle(config)


def settle(config: Any) -> None:
    """All is well again: what is left is fetched, without waiting for its hour."""
    from scheduler import actions, open_store

    left = 1
    for _ in range(5):
        if left:
            with open_store.open_for_writing(config) as store:
                store.session.db.execute(
                    "UPDATE leads SET next_attempt_at = '2000-01-01T00:00:00Z'"
                )
                store.session.db.execute("DELETE FROM host_waits")
            actions.crawl(config, force=True)
            with open_store.open_for_reading(config) as store:
                left = store.session.db.execute(
                    "SELECT count(*) FROM leads"
                ).fetchone()[0]


def wrong(path: Path, feeds: int, shown: int) -> list[str]:
    """Everything that is not as it must be in a store of a web whose feeds have shown so many items each."""
    from storage.store import Store

    with copied(path) as db:
        found = faults(db, feeds, shown)
        missing = lost(db, feeds, shown)
        try:
            db.execute("INSERT INTO fts (fts, rank) VALUES ('integrity-check', 1)")
        except db.DatabaseError as error:
            found.append(f"the full text is not what the table says: {error}")
    with Store.read(path, captures=path.with_name("captures")) as store:
        found += store.check()
        counts = dict(
            store.session.db.execute(
                "SELECT fate, count(*) FROM fates GROUP BY fate"
            ).fetchall()
        )
        others = "SELECT fate, reason, count(*) FROM fates WHERE fate <> 'article' GROUP BY fate, reason"
        found += [
            f"{row[2]} {row[0]}: {row[1]}" for row in store.session.db.execute(others)
        ]
        ids = [row[0] for row in store.session.db.execute("SELECT id FROM captures")]
        unreadable = sum(store.captures.page(number) is None for number in ids)
        bare = store.session.db.execute(
            "SELECT count(*) FROM documents WHERE capture_id IS NULL"
        ).fetchone()[0]
        left = store.session.db.execute("SELECT count(*) FROM leads").fetchone()[0]
    print(
        f"{feeds * shown} items were shown; fates: {counts}; {len(ids)} captures; {left} leads left"
    )
    told = {
        "lost": missing,
        "captures cannot be read": unreadable,
        "documents without a capture": bare,
        "leads left": left,
    }
    found += [f"{count} {what}" for what, count in told.items() if count]
    if set(counts) - {"article"} or counts.get("article", 0) != feeds * shown:
        found.append(f"not one article for each item: {counts}")
    return found


def _faster(plan: Any, seconds: float, job: Any) -> None:
    """Housekeeping at 60 times the speed as well; the heartbeat stays."""
    plan(seconds if seconds <= 1 else max(2, seconds / 60), job)


def publish(web: Web, share: float, end: float) -> None:
    """Let feeds show new items evenly over the day."""
    began = time.monotonic()
    while (now := time.monotonic()) < end:
        with contextlib.suppress(OSError):  # it may be gone for a while
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
    found = [
        f"{name} grew by {growth(name):.0f}"
        for name, most in limits.items()
        if growth(name) > most
    ]
    return found + ([f"WAL of {wal} bytes"] if wal > 64 << 20 else [])


def behind(row: dict[str, Any], feeds: int, minutes: float) -> list[str]:
    """What a service that stands still leaves undone.

    Its memory alone would look well.
    """
    day = minutes / 24
    # The last item of each feed is shown when the day ends.
    asked = {"polls": POLLS_A_DAY * day, "articles": ARTICLES_A_DAY * day - feeds}
    return [
        f"{row[name]} {name} of {most:.0f}"
        for name, most in asked.items()
        if row[name] < ENOUGH * most
    ]


def main() -> None:
    """Measure and print; exit 1 when a figure is not reached."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--minutes", type=float, default=24)
    options.add_argument("--feeds", type=int, default=500)
    options.add_argument("--faults", action="store_true")
    options.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options.add_argument("--web", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    seconds = chosen.minutes * 60
    # A day lasts 24 minutes; a short form is the day's beginning
    every = 24 * 60 * chosen.feeds / POLLS_A_DAY
    if chosen.inside is not None:
        web = There(chosen.port, chosen.feeds, pid=chosen.web)
        serve(
            chosen.inside, web, seconds, every, chosen.seed if chosen.faults else None
        )
        return
    if chosen.faults:
        print(f"seed {chosen.seed}", flush=True)
    with Web(feeds=chosen.feeds, articles=20) as web, TemporaryDirectory() as folder:
        found = soak(chosen, web, Path(folder), seconds)
    print("\n".join(found) or "all figures reached")
    sys.exit(1 if found else 0)


def soak(
    chosen: argparse.Namespace, web: Web, folder: Path, seconds: float
) -> list[str]:
    """What was not as it should be."""
    words = [
        sys.executable,
        __file__,
        f"--inside={folder}",
        f"--port={web.port}",
        f"--web={web.pid}",
    ]
    words += [f"--feeds={chosen.feeds}", f"--minutes={chosen.minutes}"]
    words += ["--faults", f"--seed={chosen.seed}"] if chosen.faults else []
    # A pipe and no file: at times nothing can be written to any.
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(child.stdout or ()))
    reader.start()
    share = ARTICLES_A_DAY / chosen.feeds * chosen.minutes / 24
    # With faults nothing new is shown in the end: else a feed would show again what was
    # lost of it.
    publish(web, share, time.monotonic() + seconds * (0.7 if chosen.faults else 1))
    child.wait(seconds + 300)
    reader.join()
    print("".join(line for line in lines if not line.startswith("{")))
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    # A short form has no time to warm up: its memory says nothing.
    found = verdict(rows) if chosen.minutes >= 5 or not chosen.faults else []
    if child.returncode:
        found.append(f"the service ended with {child.returncode}")
    elif not chosen.faults:
        found += behind(rows[-1], chosen.feeds, chosen.minutes)
    else:
        found += wrong(
            folder / "khabar.db", chosen.feeds, max(1, web.control()["shown"])
        )
    return found


if __name__ == "__main__":
    main()
