"""One crawl of hostile sources in a process of its own, watched from within.

What it connected to, what it weighed.

    python crawl.py PLAN STORE

PLAN is JSON: port, the paths to poll as feeds, and settings. Each path is polled as a
source on a host of its own, and fetched as a page on another, which one well-behaved
feed points to. Prints JSON: every poll, every fate, how long the pass took, peak memory
before and after, and every address that a socket was connected to. Log goes to standard
error.
"""

import json
import logging
import sys
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from threading import Thread

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
HERE = "127.0.0.2"
reached: set[str] = set()


def watch(event: str, given: tuple[object, ...]) -> None:
    """Every connection and every lookup of this process, whoever makes it."""
    if event == "socket.connect" and isinstance(given[1], tuple):
        reached.add(str(given[1][0]))
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and given[0] not in {
        None,
        HERE,
    }:
        reached.add(f"lookup of {given[0]!r}")


def peak() -> int:
    """The most memory that this process has had, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def wire(urls: list[str]) -> ThreadingHTTPServer:
    """A feed of good will that points to every page."""
    items = "".join(
        f"<item><title>Number {n}</title><link>{url}</link></item>"
        for n, url in enumerate(urls)
    )
    body = f"<rss version='2.0'><channel><title>Wire</title>{items}</channel></rss>".encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if "robots" in self.path else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((HERE, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


async def everywhere(host: str) -> list[str]:
    """Every name leads to the hostile server.

    One turns to this machine between the check and the connection.
    """
    return ["127.0.0.1"] if host.startswith("turn") else [HERE]


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    from twisted.python.log import PythonLoggingObserver

    PythonLoggingObserver().start()
    sys.addaudithook(watch)
    from crawler import passes
    from crawler.fetching import loop
    from crawler.sources import CrawlSettings, Source
    from storage.store import Store

    where = {
        f"{kind}{n}": path
        for kind in ("f", "p")
        for n, path in enumerate(plan["paths"])
    }
    urls = {
        name: f"http://{name}.example:{plan['port']}{path}"
        for name, path in where.items()
    }
    urls["p-turn"] = f"http://turn.example:{plan['port']}/internal-admin"
    settings = CrawlSettings(
        delay=0, timeout=plan["timeout"], min_relevance=0, allow_addresses=(ip_network(f"{HERE}/32"),),
        max_age=timedelta(days=36_500), workers=2,
    )  # fmt: skip
    began = time.monotonic()
    weights: list[int] = []
    good = wire([url for name, url in urls.items() if name.startswith("p")])
    hostile = [
        Source(id=name, kind="feed", url=url)
        for name, url in urls.items()
        if name.startswith("f")
    ]
    index = Source(
        id="wire", kind="feed", url=f"http://wire.example:{good.server_address[1]}/feed"
    )
    sources = [index, *hostile]
    with Store.open(Path(sys.argv[2])) as store:
        loop.run(
            passes.crawl(
                store,
                sources,
                settings,
                force=True,
                lookup=everywhere,
                on_event=lambda _: weights.append(peak()),
            )
        )
        asked = "select source, status, error, round((julianday(ended_at) - julianday(started_at)) * 86400) as seconds from polls"
        found = {
            "seconds": time.monotonic() - began,
            "polls": {
                where.get(row["source"], "wire"): row
                for row in store.session.db.query(asked)
            },
            "fates": {
                where.get(name, "turn"): fate(store, url)
                for name, url in urls.items()
                if name.startswith("p")
            },
            "reached": sorted(reached),
            "memory": [weights[0], peak()],
            "unbalanced": store.polls.unbalanced(),
            "integrity": store.session.db.execute("pragma integrity_check").fetchone()[
                0
            ],
        }
    print(json.dumps(found, default=str))
    good.shutdown()


def fate(store: object, url: str) -> list[str]:
    """What became of a page; a lead that waits for another day is pending."""
    row = store.fates.find(url)
    return [row["fate"], row["reason"]] if row else ["pending", ""]


if __name__ == "__main__":
    main()
