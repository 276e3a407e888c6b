"""How fast the pages of a large store come while the service writes.

    python tests/bench/search.py --rows 1000000 --keep FILE     makes a store, once
    (five minutes, 4.3 GB)
    python tests/bench/pages.py FILE                            100 articles a second go
    into it meanwhile; two minutes

Prints p50 and p95 in ms of the first page, of a search and of an article, without and
with a writer beside them. The writer is a process of its own, as the service is:
`crawler.writer` lands what is ready made, as the desk hands it over, with mentions, in
the batches that come together. Ends with 1 when it wrote fewer than it should: then the
figures do not count. The articles stay in the store.
"""

import argparse
import asyncio
import http.client
import multiprocessing
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import uvicorn

from crawler.sources import CrawlSettings
from crawler.writer import Writer
from scheduler import web
from scheduler.config import Config
from storage.model import Document, Landing, Mention, Verdict, utc_now
from storage.settings import StoreSettings
from storage.store import Store

PATHS = ("/", "/search?q=taliban", "/search?q=word40&source=source-3", "/article/77777")
LONGEST = 240  # seconds for which articles are made beforehand
# The writer is given so many times the rate, so that what a batch holds back does not
# count against it
AHEAD = 1.05


@contextmanager
def served(path: Path) -> Iterator[int]:
    config = Config(
        store=StoreSettings(path=path, captures=None), crawl=CrawlSettings(), sources=()
    )
    with web.open_application(config) as app, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def invented(rnd: random.Random, number: int, run: float) -> Landing:
    """An article as a worker hands it over."""
    text = " ".join(
        f"word{int(rnd.random() ** 3 * 30_000)}" for _ in range(120)
    ) + " taliban" * (number % 2)
    source = f"source-{rnd.randrange(120)}"
    mentions = tuple(
        Mention(kind=kind, code=code, name=code, count=1, sentence=text[:80])
        for kind, code in (
            ("place", f"AF{rnd.randrange(1, 35):02}01"),
            ("actor", "actor1"),
            ("event", "event1"),
        )
    )
    url = f"https://{source}.example/bench/{run:.0f}/{number}"
    told = Document(
        url=url, source=source, title=text[:60], text=text, language="en", mentions=mentions,
        published_at=utc_now() - timedelta(minutes=rnd.randrange(600)), published_how="feed", verdict=Verdict(score=0.8),
    )  # fmt: skip
    return Landing(outcome=told, url=url, source=source)


def write(
    path: Path, rate: int, ready: Event, over: Event, done: "Synchronized[int]"
) -> None:
    """A process that lands `rate` articles a second until it is told to end.

    `done` counts them.
    """
    rnd, run = random.Random(), time.time()
    landings = [
        invented(rnd, number, run) for number in range(int(rate * AHEAD * LONGEST))
    ]

    async def going(writer: Writer) -> None:
        ready.set()
        start, tasks = time.monotonic(), set()
        for number, landing in enumerate(landings):
            await asyncio.sleep(
                max(0.0, start + number / (rate * AHEAD) - time.monotonic())
            )
            if over.is_set():
                break
            tasks.add(task := asyncio.ensure_future(writer.land(landing)))
            task.add_done_callback(counted)
        await asyncio.gather(*tasks)
        await writer.close()

    def counted(task: "asyncio.Task[object]") -> None:
        task.result()
        done.value += 1

    with Store.open(path) as store:
        asyncio.run(going(Writer(store)))


@contextmanager
def written(path: Path, rate: int) -> Iterator["Synchronized[int]"]:
    """The writing process; yields how many it has stored."""
    spawn = multiprocessing.get_context("spawn")
    ready, over, done = spawn.Event(), spawn.Event(), spawn.Value("q", 0)
    process = spawn.Process(target=write, args=(path, rate, ready, over, done))
    process.start()
    if not ready.wait(120):
        sys.exit("the writer did not begin")
    yield done
    over.set()
    process.join()


def measure(port: int, path: str, times: int) -> list[float]:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            sys.exit(f"{path} answered {answer.status}")
        taken.append((time.perf_counter() - start) * 1000)
    return sorted(taken)


def report(port: int, label: str, times: int) -> None:
    for path in PATHS:
        taken = measure(port, path, times)
        print(
            f"{label:16} {path:36} p50 {statistics.median(taken):7.1f}   p95 {taken[int(times * 0.95) - 1]:7.1f}   worst {max(taken):7.1f} ms",
            flush=True,
        )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("store", type=Path)
    arguments.add_argument("--times", type=int, default=40)
    arguments.add_argument("--rate", type=int, default=100)
    given = arguments.parse_args()
    with Store.open(given.store):  # brings an older store up to date
        pass
    with served(given.store) as port:
        report(port, "nobody writes", given.times)
        with written(given.store, given.rate) as done:
            time.sleep(1)  # the first batches are on their way
            before, began = done.value, time.monotonic()
            report(port, f"{given.rate}/s written", given.times)
            reached = (done.value - before) / (time.monotonic() - began)
    print(f"written meanwhile: {reached:.1f} articles/s, {given.rate} wanted")
    if reached < given.rate:
        sys.exit(
            "the writer could not keep up: what was measured beside it does not count"
        )


if __name__ == "__main__":
    main()
