"""How fast the pages of a large store come while the service writes.

    python tests/bench/search.py --rows 1000000 --keep FILE     makes a store, once
    python tests/bench/pages.py FILE                            100 articles a second go into it meanwhile

Prints p50 and p95 in ms of the first page, of a search and of an article, without and with a writer beside them.
"""

import argparse
import http.client
import itertools
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import uvicorn

from crawler.sources import CrawlSettings
from scheduler import web
from scheduler.config import Config
from storage.model import Document
from storage.settings import StoreSettings
from storage.store import Store

PATHS = ("/", "/search?q=taliban", "/search?q=word40&source=source-3", "/article/77777")


@contextmanager
def served(path: Path) -> Iterator[int]:
    config = Config(store=StoreSettings(path=path, captures=None), crawl=CrawlSettings(), sources=())
    with web.application(config) as app, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@contextmanager
def written(path: Path, rate: int) -> Iterator[list[int]]:
    """A thread that stores `rate` invented articles a second; yields how many it did."""
    stop, done = threading.Event(), [0]

    def write() -> None:
        rnd = random.Random()
        start = time.monotonic()
        with Store.open(path) as store:
            for number in itertools.count():
                if stop.wait(max(0.0, start + number / rate - time.monotonic())):
                    return
                text = " ".join(f"word{rnd.randrange(30_000)}" for _ in range(120))
                store.admit(
                    Document(url=f"https://bench.example/{rnd.random()}", source="bench", title=text[:60], text=text)
                )
                done[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    yield done
    stop.set()
    thread.join()


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
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("store", type=Path)
    arguments.add_argument("--times", type=int, default=40)
    arguments.add_argument("--rate", type=int, default=100)
    given = arguments.parse_args()
    with Store.open(given.store):  # brings an older store up to date
        pass
    with served(given.store) as port:
        report(port, "nobody writes", given.times)
        with written(given.store, given.rate) as done:
            began = time.monotonic()
            report(port, f"{given.rate}/s written", given.times)
            print(f"written meanwhile: {done[0] / (time.monotonic() - began):.0f} articles/s")


if __name__ == "__main__":
    main()
