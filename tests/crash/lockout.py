"""Another program holds the database for a minute (C6, long form).

Nothing lost, the heart beats, readers are answered.

    python tests/crash/lockout.py [--seconds 60] [--feeds 40] [--articles 25]

While the service crawls, `BEGIN IMMEDIATE` is held on its database. Meanwhile
`/healthz` and a search over a read-only connection are asked over and over, and
`/metrics` tells by how much the heartbeat came late. Afterwards every article must be
kept. Prints the slowest answers; exit 1 where something was lost, the heartbeat was
later than 250 ms, or a search took more than 100 ms of this process's own processor
time.
"""

import argparse
import socket
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]

from harness import Service, Web, copied, faults, lost  # noqa: E402 - its folder was named a line above

from storage.query.criteria import Criteria  # noqa: E402
from storage.store import Store  # noqa: E402

MOST_LATE = 0.25  # seconds that the heartbeat may come late
MOST_ASKED = 0.1  # seconds of processor time for a search


@dataclass(slots=True)
class Held:
    """What went on while the database was held."""

    healthy: int = 0
    unhealthy: int = 0
    late: float = 0.0  # seconds, of the heartbeat
    slowest_search: float = 0.0  # seconds
    dearest_search: float = 0.0  # seconds of processor time
    requests: int = 0  # that the web got meanwhile
    kept: int = 0  # articles that were stored meanwhile: none can be
    lost: int = 0
    faults: list[str] = field(default_factory=list)


def hold(service: Service, port: int, seconds: float) -> Held:
    """Hold the database of a service that crawls, then let it finish."""
    web, held = service.web, Held()
    total = web.feeds * web.articles
    service.start()
    service.until(lambda: service.kept > 0)
    with closing(
        sqlite3.connect(service.db, timeout=60, isolation_level=None)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        kept, asked, end = (
            service.kept,
            web.control()["requests"],
            time.monotonic() + seconds,
        )
        while time.monotonic() < end:
            _look(service, port, held)
            time.sleep(0.1)
        held.kept, held.requests = (
            service.kept - kept,
            web.control()["requests"] - asked,
        )
        held.late = _lag(port)
        other.execute("ROLLBACK")
    service.until(lambda: service.is_done(total), within=300)
    service.stop()
    with copied(service.db) as db:
        held.faults = faults(db, web.feeds, web.articles)
        held.lost = lost(db, web.feeds, web.articles)
    return held


def _look(service: Service, port: int, held: Held) -> None:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/healthz", timeout=5
        ) as answer:
            held.healthy += answer.status == 200
    except OSError:
        held.unhealthy += 1
    with Store.read(service.db) as store:
        took, cpu = _timed(
            lambda: store.search.page(Criteria(words="garden river", limit=20))
        )
    held.slowest_search, held.dearest_search = (
        max(held.slowest_search, took),
        max(held.dearest_search, cpu),
    )


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and seconds of processor time."""
    began, cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - began, time.process_time() - cpu


def _lag(port: int) -> float:
    """By how much the heartbeat came late at the worst, in the last ten minutes."""
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/metrics", timeout=5
    ) as answer:
        lines = answer.read().decode().splitlines()
    return next(
        float(line.split()[1])
        for line in lines
        if line.startswith("khabar_heartbeat_lag_seconds ")
    )


def main() -> None:
    """The long form."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--feeds", type=int, default=40)
    options.add_argument("--articles", type=int, default=25)
    chosen = options.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (
        TemporaryDirectory() as folder,
        Web(feeds=chosen.feeds, articles=chosen.articles) as web,
    ):
        web.control(delay=0.05)
        service = Service(
            Path(folder), web, extra=f'[service]\nmetrics = "127.0.0.1:{port}"\n'
        )
        held = hold(service, port, chosen.seconds)
    print(
        f"held for {chosen.seconds:.0f} s: {held.kept} articles stored, {held.requests} requests went out; /healthz good "
        f"{held.healthy} times, bad {held.unhealthy} times; heartbeat at most {held.late * 1e3:.0f} ms late; slowest search "
        f"{held.slowest_search * 1e3:.0f} ms ({held.dearest_search * 1e3:.0f} ms of processor time)\n"
        f"afterwards: {held.lost} articles lost, {len(held.faults)} faults"
    )
    for fault in held.faults:
        print(fault)
    bad = (
        held.lost
        or held.faults
        or held.unhealthy
        or held.late > MOST_LATE
        or held.dearest_search > MOST_ASKED
    )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
