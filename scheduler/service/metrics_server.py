"""`/metrics` for Prometheus and `/healthz` for a supervisor, on an address of its own.

Imported only where `service.metrics` names an address: the client of Prometheus takes
70 ms to import.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

from crawler.engine.engine import Engine
from scheduler.health import Status
from scheduler.service.metrics import Metrics
from storage.errors import KhabarError, UsageError
from storage.store import Store

STATUS_CHECK_SECONDS = 10.0  # a supervisor may ask each second
MAX_HEARTBEAT_AGE_SECONDS = 30.0
CLIENT_TIMEOUT_SECONDS = 10
SHUTDOWN_CHECK_SECONDS = 0.1


class ServiceCollector(Collector):
    """The figures of a service at the time of a scrape.

    What it counts itself is taken from memory; the queue, the newest article and the
    sources from the file, by a reader of its own, which waits for no writer.
    """

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Every figure; without those of the file where it cannot be read."""
        yield from self._collect_own()
        readable = 1
        try:
            yield from _collect_from_file(self._engine.store.path)
        except KhabarError:
            # A scrape that fails would look as if the service itself had ended.
            readable = 0
        yield GaugeMetricFamily(
            "khabar_file_readable", "1 where the file can be read.", value=readable
        )

    def _collect_own(self) -> Iterator[Metric]:
        metrics, engine = self._metrics, self._engine
        yield _counter_by(
            "khabar_polls_total",
            "Visits to sources since the start, by what came of them.",
            "status",
            metrics.polls,
        )
        yield _counter_by(
            "khabar_urls_total",
            "Pages dealt with since the start, by what became of them.",
            "fate",
            metrics.landed,
        )
        yield CounterMetricFamily(
            "khabar_feed_bytes_total",
            "Bytes of feeds and lists as they came.",
            value=metrics.feed_bytes,
        )
        yield CounterMetricFamily(
            "khabar_requests_total",
            "Requests that were sent.",
            value=engine.fetcher.requests,
        )
        yield CounterMetricFamily(
            "khabar_workers_lost_total",
            "Pages whose worker had to be ended.",
            value=engine.pool.lost,
        )
        yield CounterMetricFamily(
            "khabar_storage_faults_total",
            "Times that the file could not be used.",
            value=metrics.storage_faults,
        )
        yield GaugeMetricFamily(
            "khabar_pages_in_flight",
            "Pages being fetched, read or stored now.",
            value=engine.pages.under_way,
        )
        yield GaugeMetricFamily(
            "khabar_heartbeat_lag_seconds",
            "By how much the heartbeat came late at worst, in the last ten minutes.",
            # A copy: the loop appends to it meanwhile.
            value=max(tuple(metrics.heartbeat_lags), default=0.0),
        )
        yield GaugeMetricFamily(
            "khabar_start_time_seconds",
            "When the service started, in seconds since 1970.",
            value=metrics.started_at,
        )


def _counter_by(name: str, what: str, label: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    # A copy: the loop may count a status for the first time meanwhile.
    for value, count in sorted(counts.copy().items()):
        family.add_metric([value], count)
    return family


def _collect_from_file(path: Path) -> Iterator[Metric]:
    """What stands in the file. Raises StoreError before the first figure."""
    with Store.read(path) as store:
        queue = store.stats.queue()
        sources = [source for source in store.sources.all() if source.enabled]
    yield GaugeMetricFamily(
        "khabar_queue_length", "Pages that wait to be read.", value=queue["pending"]
    )
    if queue["last_article_at"]:
        at = datetime.fromisoformat(queue["last_article_at"])
        yield GaugeMetricFamily(
            "khabar_last_article_time_seconds",
            "When the newest article was stored, in seconds since 1970.",
            value=at.timestamp(),
        )

    success = GaugeMetricFamily(
        "khabar_source_last_success_time_seconds",
        "When a visit to the source last succeeded, in seconds since 1970.",
        labels=["source"],
    )
    new = GaugeMetricFamily(
        "khabar_source_last_new_time_seconds",
        "When the source last showed something new, in seconds since 1970.",
        labels=["source"],
    )
    failures = GaugeMetricFamily(
        "khabar_source_failures",
        "Failures of the source in a row; one that passes by itself counts half.",
        labels=["source"],
    )
    for source in sources:
        failures.add_metric([source.id], source.failures)
        # A source that never succeeded has no time: 0 would read as 1970.
        if source.last_success_at is not None:
            success.add_metric([source.id], source.last_success_at.timestamp())
        if source.last_new_at is not None:
            new.add_metric([source.id], source.last_new_at.timestamp())
    yield from (success, new, failures)


class MetricsServer:
    """Answers from threads of its own, while the block runs.

    So a loop that stands still can be told from outside. `address` is `host:port`.
    """

    def __init__(
        self,
        address: str,
        engine: Engine,
        metrics: Metrics,
        *,
        read_status: Callable[[], Status] | None = None,
    ) -> None:
        """`read_status` gives what `khabar status` says; None: nothing is asked."""
        self._address = address
        registry = CollectorRegistry(auto_describe=False)
        registry.register(ServiceCollector(engine, metrics))
        self._answer = partial(_Handler, registry, Health(metrics, read_status))
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        """Listen. Raises UsageError where the address is taken."""
        host, _, port = self._address.rpartition(":")
        at = (host.strip("[]"), int(port))
        try:
            self._server = ThreadingHTTPServer(at, self._answer)
        except OSError as error:
            raise UsageError(
                f"service.metrics: cannot listen on {self._address}: {error.strerror}"
            ) from error
        serve = partial(self._server.serve_forever, SHUTDOWN_CHECK_SECONDS)
        threading.Thread(target=serve, name="metrics", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        return int(self._server.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_TIMEOUT_SECONDS

    def __init__(
        self, registry: CollectorRegistry, health: "Health", *args: Any
    ) -> None:
        self._registry = registry
        self._health = health
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer with a page."""
        self.wfile.write(self._send_head())

    def do_HEAD(self) -> None:
        """Answer as GET does, without the body."""
        self._send_head()

    def _send_head(self) -> bytes:
        """Send status and headers. Returns the body that goes with them."""
        status, kind = 200, "text/plain; charset=utf-8"
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            body = encode(self._registry)
        elif path == "/healthz":
            status, text = self._health.check(time.monotonic())
            body = text.encode()
        else:
            status, body = 404, b"try /metrics or /healthz\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, *_: Any) -> None:
        """Log nothing: Prometheus asks every few seconds."""


class Health:
    """The answer to `/healthz`: the heartbeat, and what `khabar status` finds."""

    def __init__(
        self, metrics: Metrics, read_status: Callable[[], Status] | None
    ) -> None:
        self._metrics = metrics
        self._read_status = read_status
        self._checked_at: float | None = None  # monotonic
        self._answer = (200, "ok\n")
        self._lock = threading.Lock()

    def check(self, now: float) -> tuple[int, str]:
        """Status and body at `now` of the monotonic clock.

        503 for a heartbeat that does not come and for what is wrong with the service
        itself, its file and its disks. What only the sources can mend is told with
        200: no restart would help.
        """
        status, text = check_heartbeat(self._metrics, now)
        if status != 200 or self._read_status is None:
            return status, text
        with self._lock:
            is_old = (
                self._checked_at is None
                or now - self._checked_at >= STATUS_CHECK_SECONDS
            )
            if is_old:
                self._answer = self._judge(self._read_status)
                self._checked_at = now
            return self._answer

    def _judge(self, read_status: Callable[[], Status]) -> tuple[int, str]:
        try:
            found = read_status()
        except KhabarError as error:
            return 503, f"the file cannot be read: {error}\n"
        if found.well:
            return 200, "ok\n"
        status = 200
        if found.own_problems:
            status = 503
        return status, "".join(f"{problem}\n" for problem in found.problems)


def check_heartbeat(metrics: Metrics, now: float) -> tuple[int, str]:
    """Status and body of `/healthz` at `now` of the monotonic clock."""
    age = now - metrics.last_heartbeat
    if age < MAX_HEARTBEAT_AGE_SECONDS:
        return 200, "ok\n"
    return 503, f"no heartbeat for {age:.0f} s\n"
