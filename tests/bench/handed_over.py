"""What an import costs a service that goes on.

The loop's lag, and how long a visit's page waits for a worker.

Usage: python tests/bench/handed_over.py [FILE] [--rows N] [--workers N]

Invented reports, or the captures of FILE (kept whatever they are about), are taken in
at the service's desk (one small task a worker ahead) and at a command's (four), each in
a store of its own in this process, while a clock looks at the loop every 5 ms and small
tasks ask for a worker as a visit's would. The first line is the same without an import.
Prints p50, p99 and the longest of both, and rows a second.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from crawler.files import import_context, importing  # noqa: E402
from crawler.sources import CrawlSettings  # noqa: E402
from crawler.workers import WorkerPool  # noqa: E402
from scheduler.service import job_runner  # noqa: E402
from storage.store import Store  # noqa: E402

LOOK_EVERY = 0.005  # seconds
ASK_EVERY = 0.1
# Written for this benchmark: no such events.
TEXT = "Gunmen killed three police officers at a checkpoint in Kandahar before dawn, the governor of the province said. "


async def watch_loop(into: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(LOOK_EVERY)
        into.append(time.perf_counter() - began - LOOK_EVERY)


async def watch_pool(pool: WorkerPool, into: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await pool.run(os.getpid)
        into.append(time.perf_counter() - began)
        await asyncio.sleep(ASK_EVERY)


async def watched(
    pool: WorkerPool, work: Awaitable[object]
) -> tuple[list[float], list[float], float]:
    """Lags of the loop, waits for a worker, and the seconds that the work took."""
    lags: list[float] = []
    waits: list[float] = []
    watching = [
        asyncio.ensure_future(one)
        for one in (watch_loop(lags), watch_pool(pool, waits))
    ]
    began = time.perf_counter()
    await work
    took = time.perf_counter() - began
    for one in watching:
        one.cancel()
    return lags, waits, took


async def measure(file: Path, workers: int, ahead: int, pages: int = 0) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder, "a.db")) as store,
    ):
        async with import_context.open_context(
            store, [], CrawlSettings(workers=workers, min_relevance=0)
        ) as own:
            await own.pool.run(os.getpid)  # workers are warm in a service
            if not ahead:
                told(
                    "nothing else", *await watched(own.pool, asyncio.sleep(5)), rows=[0]
                )
                return
            rows: list[int] = []
            desk_of = replace(own, ahead=ahead, pages=pages)
            going = importing.import_files(
                desk_of,
                [file],
                warn=print,
                progress=lambda taken: rows.append(taken.rows),
            )
            told(f"{ahead} ahead", *await watched(own.pool, going), rows=rows)


def told(
    name: str, lags: list[float], waits: list[float], took: float, *, rows: list[int]
) -> None:
    print(
        f"{name:<14} loop {spread(lags)}   a worker {spread(waits)}   {rows[-1] / took:,.0f} rows a second"
    )


def spread(seconds: list[float]) -> str:
    ordered = sorted(seconds) or [0.0]
    p50, p99 = (
        ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
        for share in (0.5, 0.99)
    )
    return f"p50 {p50:.0f}, p99 {p99:.0f}, longest {ordered[-1] * 1000:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.jsonl")
        with file.open("w", encoding="utf-8") as out:
            for n in range(asked.rows):
                text = f"{TEXT * 5}Report {n} names {n * n} things, and {n * 7919 % 10_007} more of another kind."
                out.write(
                    json.dumps({"url": f"https://paper.example/{n}", "text": text})
                    + "\n"
                )
        for ahead, pages in (
            (0, 0),
            (job_runner.TASKS_PER_WORKER, job_runner.CAPTURES_PER_TASK),
            (import_context.TASKS_PER_WORKER, import_context.CAPTURES_PER_TASK),
        ):
            asyncio.run(measure(asked.file or file, asked.workers, ahead, pages))


if __name__ == "__main__":
    main()
