"""A small web on loopback for everything that fetches.

Pages by host and path, scripted answers, a log of requests.
"""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path

import pytest

from crawler import passes, workers
from crawler.fetching import loop
from crawler.report import CrawlEvent, CrawlReport
from crawler.sources import CrawlSettings, Source
from crawler.visits.visit_result import PollPlanner, plan_fixed_interval
from storage.store import Store

HERE = "127.0.0.2"  # allowed to the crawl; 127.0.0.1 is not


@dataclass
class Answer:
    """What an address answers with."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None  # promised, where it is not the body's
    drop: bool = False  # the connection is closed without an answer


@dataclass
class Asked:
    """One request, as it came."""

    url: str
    headers: Message
    at: float


class Web:
    """The server.

    `pages` maps "host/path" to an `Answer`, or to a function of the number of the
    request (from 1).
    """

    def __init__(self, address: str = HERE) -> None:
        self.pages: dict[str, Answer | Callable[[int], Answer]] = {}
        self.asked: list[Asked] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(
            target=self.server.serve_forever, args=(0.02,), daemon=True
        )
        self.thread.start()

    def url(self, path: str) -> str:
        """The address of "host/path" on this server."""
        host, _, rest = path.partition("/")
        return f"http://{host}:{self.port}/{rest}"

    def count(self, path: str) -> int:
        """How often an address was asked for."""
        return sum(one.url == path for one in self.asked)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.headers["Host"].partition(":")[0] + handler.path
        self.asked.append(Asked(path, handler.headers, time.monotonic()))
        said = self.pages.get(path, Answer(b"nothing here", 404))
        one = said(self.count(path)) if callable(said) else said
        if one.drop:
            handler.close_connection = True
            return
        etag = one.headers.get("ETag")
        if (
            one.status == 200
            and etag is not None
            and handler.headers.get("If-None-Match") == etag
        ):
            one = Answer(status=304, headers=one.headers)
        handler.send_response(one.status)
        for name, value in one.headers.items():
            handler.send_header(name, value)
        if one.status != 304:
            handler.send_header(
                "Content-Length",
                str(len(one.body) if one.length is None else one.length),
            )
        handler.end_headers()
        handler.wfile.write(one.body)
        handler.close_connection = handler.close_connection or one.length is not None

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


async def everywhere(host: str) -> list[str]:
    """A resolver that knows one address."""
    return [HERE]


def settings(**changes: object) -> CrawlSettings:
    """Settings for this web: no delay, everything kept."""
    given = {
        "delay": 0.0,
        "min_relevance": 0.0,
        "allow_addresses": (ip_network(f"{HERE}/32"),),
        # A ceiling, for a machine that has other work: no test waits for it.
        "timeout": 60.0,
        "workers": 1,
    }
    return CrawlSettings(**(given | changes))


def run(
    store: Store, sources: list[Source], *, only: list[str] | None = None,
    lookup: loop.ResolveHost = everywhere, force: bool = True,
    plan: PollPlanner = plan_fixed_interval, on_event: Callable[[CrawlEvent], None] | None = None, **changes: object,
) -> CrawlReport:  # fmt: skip
    """One pass."""
    crawl = passes.crawl(
        store, sources, settings(**changes), only=only, force=force, lookup=lookup, plan=plan, on_event=on_event
    )  # fmt: skip
    return loop.run(crawl)


# Written for the tests: no such events, no such outlets.
SENTENCES = (
    "Taliban officials in the Panjwai district of Kandahar province said on Friday that a roadside bomb had killed {n} people",
    "Residents of the village said the blast was heard far away and that the road to the bazaar stayed closed for hours",
    "A spokesman for the provincial police said that {n} suspects had been detained after a search of the nearby orchards",
    "The wounded were taken to the Mirwais hospital in the city of Kandahar where doctors asked for donations of blood",
    "No group had claimed responsibility for the attack by the evening and the investigation number {n} was still open",
)


def story(n: int, *, sentences: int = 5) -> str:
    """The paragraphs of an invented report, different for each number."""
    return " ".join(
        f"{sentence.format(n=n + 2)}, wrote reporter number {n} for desk {n * 7}."
        for sentence in SENTENCES[:sentences]
    )


def page(n: int, text: str | None = None, title: str = "") -> Answer:
    """An article's page."""
    title = title or f"Blast number {n} in Kandahar"
    paragraphs = "".join(f"<p>{part}.</p>" for part in (text or story(n)).split(". "))
    html = f"<html lang=en><head><title>{title}</title></head><body><article><h1>{title}</h1>{paragraphs}</article></body></html>"
    return Answer(
        gzip.compress(html.encode()),
        headers={
            "Content-Type": "text/html; charset=utf-8",
            "Content-Encoding": "gzip",
        },
    )


def feed(*items: str, **headers: str) -> Answer:
    """A feed of these items."""
    body = f"<?xml version='1.0'?><rss version='2.0'><channel><title>Test wire</title><link>http://wire.example/</link>{''.join(items)}</channel></rss>"
    return Answer(
        body.encode(),
        headers={"Content-Type": "application/rss+xml"}
        | {k.replace("_", "-"): v for k, v in headers.items()},
    )


def item(url: str, title: str = "A blast", *, body: str = "", date: str = "") -> str:
    """One item of a feed."""
    content = (
        f"<content:encoded xmlns:content='http://purl.org/rss/1.0/modules/content/'><![CDATA[<p>{body}</p>]]></content:encoded>"
        if body
        else ""
    )
    when = f"<pubDate>{date}</pubDate>" if date else ""
    return f"<item><title>{title}</title><link>{url}</link>{when}{content}</item>"


def source(web: Web, path: str, **changes: object) -> Source:
    """A feed on the web."""
    given = {
        "id": path.partition("/")[0].partition(".")[0],
        "kind": "feed",
        "url": web.url(path),
        "every": timedelta(hours=1),
    }
    return Source(**(given | changes))


@contextmanager
def opened() -> Iterator[Web]:
    """A web at the address that the crawl may fetch from, with what tests need beside it; every name leads there."""
    served = Web()
    for helper in (Answer, everywhere, settings, run, story, page, feed, item):
        setattr(served, helper.__name__, helper)
    served.source = partial(source, served)
    yield served
    served.close()


@pytest.fixture
def web() -> Iterator[Web]:
    """A web of the test's own."""
    with opened() as served:
        yield served


@pytest.fixture(scope="module")
def lasting_web() -> Iterator[Web]:
    """A web for all tests of a module, which look at one pass over it."""
    with opened() as served:
        yield served


@pytest.fixture
def forbidden() -> Iterator[Web]:
    """A server at an address that must never be connected to."""
    served = Web("127.0.0.1")
    yield served
    served.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store with a folder for captures."""
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as opened:
        yield opened


@pytest.fixture
def no_processes(monkeypatch):
    """A server that is refused every fork, as on a machine without free memory.

    Returns what gives the memory back.
    """
    # A server that still runs for other tests would grant forks.
    workers._end_fork_server()
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(workers, "RESTART_SECONDS", 0.2)
    monkeypatch.setattr(workers, "PRELOAD_MODULES", ("no_forks",))
    yield lambda: monkeypatch.setattr(workers, "PRELOAD_MODULES", ())
    workers._end_fork_server()
