"""A fast web on loopback with known contents, for the crash tests and the benchmarks of the service.

    python tests/crash/web.py [--feeds 40] [--articles 25] [--port 0]

It answers as a forward proxy: feed N lives at http://sN.example/feed, its articles at http://sN.example/a/K, each with
the sha256 of its own paragraphs inside. http://control.example/ steers it and tells what was asked; the port is the
first line that it prints. All texts are made of random words: no such events, no such outlets.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

WORDS = [
    "amber",
    "anchor",
    "apron",
    "arrow",
    "autumn",
    "badge",
    "barley",
    "basin",
    "beacon",
    "birch",
    "blanket",
    "bolt",
    "border",
    "bottle",
    "branch",
    "brick",
    "bridge",
    "bucket",
    "button",
    "cabin",
    "candle",
    "canvas",
    "carpet",
    "castle",
    "cedar",
    "cellar",
    "chain",
    "chalk",
    "cherry",
    "circle",
    "clay",
    "cliff",
    "cloud",
    "clover",
    "coast",
    "copper",
    "coral",
    "corner",
    "cotton",
    "cradle",
    "crane",
    "crater",
    "creek",
    "curtain",
    "dairy",
    "dawn",
    "depot",
    "desert",
    "donkey",
    "door",
    "dust",
    "eagle",
    "echo",
    "elm",
    "engine",
    "fabric",
    "falcon",
    "farm",
    "feather",
    "fence",
    "fern",
    "ferry",
    "field",
    "finger",
    "flame",
    "flint",
    "flour",
    "forest",
    "fountain",
    "fox",
    "garden",
    "gate",
    "ginger",
    "glacier",
    "glass",
    "goose",
    "grain",
    "granite",
    "grape",
    "gravel",
    "grove",
    "hammer",
    "harbour",
    "harvest",
    "hazel",
    "hill",
    "hinge",
    "honey",
    "horn",
    "island",
    "ivory",
    "jacket",
    "jar",
    "journal",
    "kettle",
    "kite",
    "ladder",
    "lake",
    "lamp",
    "lantern",
    "ledge",
    "lemon",
    "lentil",
    "lime",
    "linen",
    "lizard",
    "loom",
    "maple",
    "marble",
    "market",
    "meadow",
    "melon",
    "mill",
    "mint",
    "mirror",
    "moss",
    "mountain",
    "mulberry",
    "needle",
    "nest",
    "oak",
    "oats",
    "olive",
    "orchard",
    "oven",
    "paddle",
    "paper",
    "parcel",
    "pasture",
    "path",
    "peach",
    "pear",
    "pebble",
    "pepper",
    "pigeon",
    "pine",
    "plain",
    "plank",
    "plum",
    "pond",
    "poplar",
    "quarry",
    "quill",
    "rabbit",
    "raft",
    "rain",
    "reed",
    "ribbon",
    "ridge",
    "river",
    "robin",
    "rope",
    "saddle",
    "saffron",
    "sail",
    "salt",
    "sand",
    "scarf",
    "shade",
    "shawl",
    "shelf",
    "shepherd",
    "silver",
    "sleet",
    "slope",
    "snow",
    "spade",
    "spice",
    "spring",
    "stable",
    "stone",
    "stove",
    "straw",
    "stream",
    "sugar",
    "swallow",
    "table",
    "tea",
    "tent",
    "thistle",
    "thread",
    "timber",
    "torch",
    "tower",
    "trench",
    "tulip",
    "tunnel",
    "valley",
    "vessel",
    "village",
    "vine",
    "wagon",
    "wall",
    "walnut",
    "water",
    "wheat",
    "wheel",
    "willow",
    "window",
    "winter",
    "wool",
    "yard",
]
PARAGRAPHS = 5
START = 1_700_000_000  # of the random texts; not a date


@lru_cache(maxsize=4096)
def paragraphs(feed: int, number: int) -> tuple[str, ...]:
    """The text of an article, the same in every process."""
    dice = random.Random(f"{START}|{feed}|{number}")
    made = [
        " ".join(dice.choices(WORDS, k=28)).capitalize() + "."
        for _ in range(PARAGRAPHS)
    ]
    digest = hashlib.sha256("\n".join(made).encode()).hexdigest()
    return (*made, f"The register of this report reads {digest} and nothing else.")


def is_whole(text: str) -> bool:
    """Whether a stored text is one of ours, every letter of it."""
    lines = [line for line in text.splitlines() if line.strip()][-PARAGRAPHS - 1 :]
    return hashlib.sha256("\n".join(lines[:-1]).encode()).hexdigest() in lines[-1]


class Site:
    """What is served, what is to go wrong, and what was asked."""

    def __init__(self, feeds: int, articles: int) -> None:
        self.feeds = feeds
        self.articles = articles  # in each feed at once
        self.rounds = 1  # feed N shows articles from (rounds - 1) * articles on
        # Items that each feed has shown so far, where they come one by one
        self.shown = 0
        self.moving = False  # each 200 shows items that were never seen
        self.unconditional = False
        self.padding = 0
        self.errors = 0.0  # share of answers that are 503, resets and 429
        self.delay = 0.0
        self.manner = ""  # "garbage": no HTTP at all; "torn": half of what was promised
        self.connections: set[asyncio.Transport] = set()
        self.leave: Callable[[], None] = lambda: None  # stop to listen, until SIGUSR1
        self.dice = random.Random(7)
        self.served: Counter[int] = Counter()
        self.asked: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self.odd: list[str] = []  # requests that no well-behaved client sends
        self.etags: dict[str, str] = {}
        self.given: dict[str, set[str]] = defaultdict(set)
        self.open: Counter[str] = Counter()
        self.most_open = 0
        self.began = time.time()

    def control(self, query: str) -> bytes:
        """Set what the query names; tell what was asked."""
        wanted = dict(parse_qsl(query, keep_blank_values=True))
        for name, value in wanted.items():
            if name == "clear":
                self.asked.clear()
                self.odd.clear()
                self.most_open = 0
            elif name in {"rounds", "articles", "padding", "shown"}:
                setattr(self, name, int(value))
            elif name in {"moving", "unconditional"}:
                setattr(self, name, value == "1")
            elif name in {"errors", "delay"}:
                setattr(self, name, float(value))
            elif name == "manner":
                self.manner = value
            elif name == "gone":
                asyncio.get_running_loop().call_later(0.05, self.leave)
        if "asked" in wanted:
            return json.dumps(
                {"asked": self.asked, "odd": self.odd, "most_open": self.most_open}
            ).encode()
        times = [at for seen in self.asked.values() for at, _ in seen]
        feeds = [
            status
            for url, seen in self.asked.items()
            if url.endswith("/feed")
            for _, status in seen
        ]
        told = {
            "requests": len(times), "first": min(times, default=None), "last": max(times, default=None),
            "feeds": Counter(feeds), "pages": sum(len(seen) for url, seen in self.asked.items() if "/a/" in url),
            "odd": self.odd[:20], "most_open": self.most_open, "shown": self.shown,
        }  # fmt: skip
        return json.dumps(told).encode()

    def answer(
        self, host: str, path: str, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """Status, headers and body; None drops the connection."""
        number = (
            int(host[1:].partition(".")[0])
            if host[1:].partition(".")[0].isdigit()
            else -1
        )
        if self.errors and path != "/robots.txt" and self.dice.random() < self.errors:
            kind = self.dice.choice(("503", "reset", "429"))
            if kind == "reset":
                return None
            return int(kind), [("Retry-After", "1")] if kind == "429" else [], b""
        if not 0 <= number < self.feeds:
            return 404, [], b"not here"
        if path == "/feed":
            return self._feed(number, headers)
        if path.startswith("/a/") and path[3:].isdigit():
            return (
                200,
                [("Content-Type", "text/html; charset=utf-8")],
                page(number, int(path[3:])),
            )
        return 404, [], b"not here"

    def _feed(
        self, number: int, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        self.served[number] += 1
        version = self.served[number] if self.moving else self.shown or self.rounds
        etag = (
            f'W/"{number}-{version if not self.unconditional else self.served[number]}"'
        )
        asked = headers.get("if-none-match")
        if asked is not None and asked not in self.given[str(number)]:
            self.odd.append(f"s{number}: If-None-Match {asked!r} was never given")
        if asked == etag:
            return 304, [("ETag", etag)], b""
        self.given[str(number)].add(etag)
        first = (version - 1) * (1 if self.shown else self.articles)
        named = [("Content-Type", "application/rss+xml; charset=utf-8"), ("ETag", etag)]
        return (
            200,
            named,
            feed(
                number,
                max(0, first - self.articles + 1 if self.shown else first),
                self.articles if not self.shown else min(version, self.articles),
                self.padding,
            ),
        )


@lru_cache(maxsize=512)
def page(number: int, article: int) -> bytes:
    """An article's page."""
    title = f"Report {article} of station {number}: {' '.join(paragraphs(number, article)[0].split()[:4])}"
    body = "".join(f"<p>{one}</p>" for one in paragraphs(number, article))
    return (
        f'<!doctype html><html lang="en"><head><title>{title}</title></head><body><nav><a href="/">Home</a></nav>'
        f"<article><h1>{title}</h1>{body}</article></body></html>"
    ).encode()


def feed(number: int, first: int, count: int, padding: int) -> bytes:
    """A feed with this many items, the newest first."""
    items = "".join(
        f"<item><title>Report {n} of station {number}</title><link>http://s{number}.example/a/{n}</link>"
        f"<guid isPermaLink='false'>s{number}-{n}</guid><description>{'x' * padding}</description></item>"
        for n in range(first + count - 1, first - 1, -1)
    )
    return (
        f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>Station {number}</title>"
        f"<link>http://s{number}.example/</link><description>Made for tests</description>{items}</channel></rss>"
    ).encode()


class Connection(asyncio.Protocol):
    """One client's connection; requests come one after another."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.site.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.site.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self._request(head.decode("latin-1"))

    def _request(self, head: str) -> None:
        line, *rest = head.split("\r\n")
        _, target, _ = line.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (one.partition(":") for one in rest)
        }
        parts = urlsplit(target)
        host = parts.hostname or headers.get("host", "").partition(":")[0]
        if host == "control.example":
            self._send(
                200,
                [("Content-Type", "application/json")],
                self.site.control(parts.query),
            )
            return
        url = host + parts.path
        for name in ("cookie", "referer", "authorization"):
            if name in headers:
                self.site.odd.append(f"{url}: {name}")
        self.site.open[host] += 1
        self.site.most_open = max(self.site.most_open, self.site.open[host])
        if self.site.delay:
            asyncio.get_running_loop().call_later(
                self.site.delay, self._reply, url, host, parts.path, headers
            )
        else:
            self._reply(url, host, parts.path, headers)

    def _reply(self, url: str, host: str, path: str, headers: dict[str, str]) -> None:
        answer = self.site.answer(host, path, headers)
        self.site.asked[url].append((time.time(), answer[0] if answer else 0))
        self.site.open[host] -= 1
        if answer is None:
            self.transport.abort()
        elif self.site.manner == "garbage":
            self.transport.write(self.site.dice.randbytes(2000))
            self.transport.close()
        elif self.site.manner == "torn":
            self._send(answer[0], answer[1], answer[2], promised=len(answer[2]) + 1000)
            self.transport.close()
        else:
            self._send(*answer)

    def _send(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        promised: int | None = None,
    ) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        length = (
            ""
            if status == 304
            else f"Content-Length: {len(body) if promised is None else promised}\r\n"
        )
        self.transport.write(
            f"HTTP/1.1 {status} So\r\n{head}{length}\r\n".encode() + body
        )


async def serve(site: Site, port: int) -> None:
    """Serve until killed, or until standard input ends with the parent."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(site), "127.0.0.1", port, backlog=1024
    )
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)

    def leave() -> None:
        server.close()
        for transport in tuple(site.connections):
            transport.abort()

    async def come_back() -> None:
        nonlocal server
        if not server.is_serving():
            server = await loop.create_server(
                lambda: Connection(site), "127.0.0.1", port, backlog=1024
            )

    site.leave = leave
    loop.add_signal_handler(signal.SIGUSR1, lambda: asyncio.ensure_future(come_back()))
    reader = asyncio.StreamReader()
    with contextlib.suppress(ValueError, OSError):
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
    await reader.read()


def main() -> None:
    """The program."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--feeds", type=int, default=40)
    options.add_argument("--articles", type=int, default=25)
    options.add_argument("--port", type=int, default=0)
    chosen = options.parse_args()
    asyncio.run(serve(Site(chosen.feeds, chosen.articles), chosen.port))


if __name__ == "__main__":
    main()
