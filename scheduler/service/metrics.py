"""The service's own numbers.

Prometheus text and `/healthz`, on a loopback port that is off by default.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from crawler.engine.engine import Engine
from crawler.report import CrawlEvent, report_column
from storage.errors import UsageError

MAX_HEARTBEAT_AGE_SECONDS = 30.0  # seconds since the last heartbeat


@dataclass(slots=True)
class Metrics:
    """What happened since the start."""

    polls: Counter[str] = field(default_factory=Counter)  # by status
    landed: Counter[str] = field(default_factory=Counter)  # URLs by what became of them
    bytes: int = 0
    storage_faults: int = 0
    started: float = field(default_factory=time.time)
    # Seconds that the heartbeat came late
    heartbeat_lags: deque[float] = field(default_factory=lambda: deque(maxlen=600))
    last_heartbeat: float = field(default_factory=time.monotonic)

    def note(self, event: CrawlEvent) -> None:
        """Count an event."""
        if event.visited is not None:
            self.polls[event.visited.poll.status] += 1
            self.bytes += event.visited.poll.bytes
        if event.landed is not None:
            self.landed[report_column(event.landed)] += 1

    def record_heartbeat(self, now: float) -> None:
        """The heartbeat came, at `now`, monotonic."""
        self.heartbeat_lags.append(max(0.0, now - self.last_heartbeat - 1.0))
        self.last_heartbeat = now


def render_metrics(figures: Metrics, engine: Engine) -> str:
    """The figures as Prometheus reads them."""
    lines = ["# TYPE khabar_polls_total counter"]
    lines += [
        f'khabar_polls_total{{status="{status}"}} {n}'
        for status, n in sorted(figures.polls.items())
    ]
    lines += ["# TYPE khabar_urls_total counter"]
    lines += [
        f'khabar_urls_total{{fate="{fate}"}} {n}'
        for fate, n in sorted(figures.landed.items())
    ]
    plain = {
        "khabar_feed_bytes_total": ("counter", figures.bytes),
        "khabar_requests_total": ("counter", engine.fetcher.requests),
        "khabar_workers_lost_total": ("counter", engine.pool.lost),
        "khabar_storage_faults_total": ("counter", figures.storage_faults),
        "khabar_pages_in_flight": ("gauge", engine.pages_under_way),
        "khabar_heartbeat_lag_seconds": (
            "gauge",
            round(max(figures.heartbeat_lags, default=0.0), 4),
        ),
        "khabar_start_time_seconds": ("gauge", round(figures.started, 3)),
    }
    for name, (kind, value) in plain.items():
        lines += [f"# TYPE {name} {kind}", f"{name} {value}"]
    return "\n".join(lines) + "\n"


class MetricsServer:
    """Serves the two pages from a thread of its own, so that a loop that stands still can be told from outside."""

    def __init__(self, address: str, engine: Engine, figures: Metrics) -> None:
        self.address = address
        self.pages: dict[str, Callable[[], tuple[int, str]]] = {
            "/metrics": lambda: (200, render_metrics(figures, engine)),
            "/healthz": lambda: render_health(figures, time.monotonic()),
        }
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen, where an address was configured.

        Raises UsageError where it is taken.
        """
        if not self.address:
            return
        host, _, port = self.address.rpartition(":")
        try:
            self._server = ThreadingHTTPServer(
                (host.strip("[]"), int(port)), partial(_Handler, self.pages)
            )
        except OSError as error:
            raise UsageError(
                f"service.metrics: cannot listen on {self.address}: {error.strerror}"
            ) from error
        threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        ).start()

    @property
    def port(self) -> int | None:
        """The port that it listens on."""
        return None if self._server is None else int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def render_health(figures: Metrics, now: float) -> tuple[int, str]:
    """Status and body of /healthz; `now` is monotonic."""
    late = now - figures.last_heartbeat
    return (
        (200, "ok\n")
        if late < MAX_HEARTBEAT_AGE_SECONDS
        else (503, f"no heartbeat for {late:.0f} s\n")
    )


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def __init__(
        self, pages: Mapping[str, Callable[[], tuple[int, str]]], *args: Any
    ) -> None:
        self.pages = pages
        super().__init__(*args)

    def do_GET(self) -> None:
        """One of the two pages."""
        page = self.pages.get(self.path)
        status, body = page() if page else (404, "try /metrics or /healthz\n")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing: it is asked every few seconds."""
