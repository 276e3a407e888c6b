"""What Prometheus and a supervisor are told of a service, over HTTP."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPResponse
from pathlib import Path
from types import SimpleNamespace

import pytest

from builders import make_document, make_poll, make_source_state
from crawler.report import CrawlEvent
from crawler.visits.visit_result import VisitResult
from scheduler.health import Status
from scheduler.service.metrics import Metrics
from scheduler.service.metrics_server import (
    MAX_HEARTBEAT_AGE_SECONDS,
    Health,
    MetricsServer,
    check_heartbeat,
)
from storage.errors import StoreUnusable, UsageError
from storage.model import Lead
from storage.store import Store

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
# Those that a board or an alarm may rely on since the first release, and later ones.
FIGURES = {
    "khabar_polls_total": "counter",
    "khabar_urls_total": "counter",
    "khabar_feed_bytes_total": "counter",
    "khabar_requests_total": "counter",
    "khabar_workers_lost_total": "counter",
    "khabar_storage_faults_total": "counter",
    "khabar_pages_in_flight": "gauge",
    "khabar_heartbeat_lag_seconds": "gauge",
    "khabar_start_time_seconds": "gauge",
    "khabar_file_readable": "gauge",
    "khabar_queue_length": "gauge",
    "khabar_last_article_time_seconds": "gauge",
    "khabar_source_last_success_time_seconds": "gauge",
    "khabar_source_last_new_time_seconds": "gauge",
    "khabar_source_failures": "gauge",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A file with an article, two pages that wait, a source that works and one not."""
    with Store.open(tmp_path / "khabar.db") as store:
        store.sources.sync(
            make_source_state(id_, url=f"https://{id_}.example/")
            for id_ in ("works", "fails")
        )
        leads = tuple(
            Lead(url=f"https://works.example/{n}", source="works", via="feed")
            for n in range(2)
        )
        good = make_poll(*leads, at=AT, source="works")
        bad = make_poll(
            at=AT, source="fails", status="error", error="http 500", failures=2.5
        )
        store.polls.land(good)
        store.polls.land(bad)
        url = "https://works.example/kept"
        text = "The bridge near Kunduz was closed to lorries on Friday, a notice said."
        document = make_document(url, text, source="works", title="Bridge")
        store.landings.admit(document, now=AT)
        yield store


@pytest.fixture
def server(store: Store) -> Iterator[MetricsServer]:
    engine = SimpleNamespace(
        store=store,
        fetcher=SimpleNamespace(requests=7),
        pool=SimpleNamespace(lost=1),
        pages=SimpleNamespace(under_way=3),
    )
    metrics = Metrics()
    poll = make_poll(at=AT, source="works", bytes=500)
    metrics.count_event(CrawlEvent(source="works", visited=VisitResult(poll=poll)))
    with MetricsServer("127.0.0.1:0", engine, metrics) as server:
        yield server


def ask(
    server: MetricsServer, path: str, *, method: str = "GET", accept: str = "*/*"
) -> tuple[HTTPResponse, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        method=method,
        headers={"Accept": accept},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer, answer.read().decode()


def read_figures(server: MetricsServer) -> dict[str, float]:
    """What a scrape has, by the figure's name with its labels."""
    lines = ask(server, "/metrics")[1].splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_every_figure_says_what_it_is(server: MetricsServer) -> None:
    """HELP and TYPE stand before each, under the names that stay."""
    _, text = ask(server, "/metrics")
    lines = text.splitlines()
    types = dict(
        line.removeprefix("# TYPE ").split() for line in lines if "# TYPE" in line
    )
    helps = {line.split()[2]: line for line in lines if line.startswith("# HELP")}
    assert types == FIGURES
    assert helps.keys() == FIGURES.keys()
    assert all(len(line.split()) > 4 for line in helps.values())


def test_every_figure_is_explained_to_the_operator(root: Path) -> None:
    """In docs/running.md; and none is explained that is not served."""
    page = (root / "docs" / "running.md").read_text("utf-8")
    assert set(re.findall(r"khabar_[a-z_]+", page)) == FIGURES.keys()


def test_figures_of_the_file_are_those_of_the_moment(
    server: MetricsServer, store: Store
) -> None:
    """The queue, the newest article, each source's last success, news and failures."""
    figures = read_figures(server)
    at = AT.timestamp()
    assert figures["khabar_queue_length"] == 2
    assert figures["khabar_file_readable"] == 1
    assert figures["khabar_last_article_time_seconds"] == at
    of_works = {name: value for name, value in figures.items() if "works" in name}
    assert of_works == {
        'khabar_source_last_success_time_seconds{source="works"}': at,
        'khabar_source_last_new_time_seconds{source="works"}': at,
        'khabar_source_failures{source="works"}': 0,
    }
    # One that never succeeded has no time; 0 would read as 1970.
    of_fails = {name: value for name, value in figures.items() if "fails" in name}
    assert of_fails == {'khabar_source_failures{source="fails"}': 2.5}
    url = "https://works.example/2"
    lead = Lead(url=url, source="works", via="feed")
    poll = make_poll(lead, at=AT, source="works")
    store.polls.land(poll)
    assert read_figures(server)["khabar_queue_length"] == 3


def test_what_the_service_counted_itself_is_shown(server: MetricsServer) -> None:
    """Visits by their status, bytes, requests, workers, pages under way."""
    figures = read_figures(server)
    assert figures['khabar_polls_total{status="ok"}'] == 1
    assert figures["khabar_feed_bytes_total"] == 500
    assert figures["khabar_requests_total"] == 7
    assert figures["khabar_workers_lost_total"] == 1
    assert figures["khabar_pages_in_flight"] == 3


def test_a_file_that_cannot_be_read_costs_only_its_own_figures(
    server: MetricsServer, store: Store, tmp_path: Path
) -> None:
    """Removed, foreign or damaged: a scrape has the service's own counts, and says so."""
    store.close()
    (tmp_path / "khabar.db").write_bytes(b"<html>" * 1000)
    figures = read_figures(server)
    assert figures["khabar_file_readable"] == 0
    assert figures["khabar_requests_total"] == 7
    assert "khabar_queue_length" not in figures


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_head_is_answered_as_get_is_without_a_body(
    server: MetricsServer, path: str
) -> None:
    """Supervisors and load balancers ask with HEAD."""
    answer, body = ask(server, path, method="HEAD")
    assert (answer.status, body) == (200, "")
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_openmetrics_is_spoken_to_who_asks_for_it(server: MetricsServer) -> None:
    """Newer scrapers do."""
    kind = "application/openmetrics-text"
    answer, text = ask(server, "/metrics", accept=f"{kind}; version=1.0.0")
    assert answer.headers["Content-Type"].startswith(kind)
    assert text.endswith("# EOF\n")


def test_another_page_is_not_there(server: MetricsServer) -> None:
    """And the answer names those that are."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        ask(server, "/")
    assert raised.value.code == 404
    assert raised.value.read() == b"try /metrics or /healthz\n"


def test_an_address_that_is_taken_is_a_fault_of_the_configuration(
    server: MetricsServer,
) -> None:
    """The service does not start, and names the key."""
    second = MetricsServer(f"127.0.0.1:{server.port}", SimpleNamespace(), Metrics())
    with pytest.raises(UsageError, match=r"service\.metrics: cannot listen on"):
        second.__enter__()


def test_a_loop_that_stands_still_is_not_healthy() -> None:
    """`/healthz` answers from a thread, by the age of the last heartbeat."""
    metrics = Metrics()
    now = time.monotonic()
    metrics.record_heartbeat(now)
    assert check_heartbeat(metrics, now + 1) == (200, "ok\n")
    late = now + MAX_HEARTBEAT_AGE_SECONDS + 1
    assert check_heartbeat(metrics, late) == (503, "no heartbeat for 31 s\n")


def test_the_lag_is_by_how_much_the_heartbeat_came_late() -> None:
    """One a second is none; never below zero."""
    metrics = Metrics()
    began = metrics.last_heartbeat
    for at in (1.0, 2.0, 3.5, 4.0):
        metrics.record_heartbeat(began + at)
    assert [round(lag, 6) for lag in metrics.heartbeat_lags] == [0, 0, 0.5, 0]


@pytest.mark.parametrize(
    ("problems", "own", "code"),
    [
        ((), (), 200),
        (("no news",), (), 200),
        (("no backup", "no news"), ("no backup",), 503),
    ],
)
def test_healthz_says_what_status_finds(
    problems: tuple[str, ...], own: tuple[str, ...], code: int
) -> None:
    """503 for what is the service's own; what sources must mend is told with 200."""
    metrics = Metrics()
    now = time.monotonic()
    metrics.record_heartbeat(now)
    found = Status(counts={}, last_article_at=None, problems=problems, own_problems=own)
    asked = []

    def read_status() -> Status:
        asked.append(now)
        return found

    answers = Health(metrics, read_status)
    body = "".join(f"{problem}\n" for problem in problems) or "ok\n"
    assert answers.check(now + 1) == (code, body)
    assert answers.check(now + 2) == (code, body)
    assert len(asked) == 1


def test_healthz_is_not_well_where_the_file_cannot_be_read() -> None:
    """Nothing is called well that could not be looked at."""
    metrics = Metrics()
    now = time.monotonic()
    metrics.record_heartbeat(now)

    def read_status() -> Status:
        raise StoreUnusable("khabar.db is damaged")

    code, body = Health(metrics, read_status).check(now)
    assert (code, "damaged" in body) == (503, True)
