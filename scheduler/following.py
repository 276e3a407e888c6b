"""Handing work to the running service, and following it: the asker's side of `handover`."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.config import Config
from storage import store as storing
from storage.errors import WorkFailed
from storage.model import Change, FateKind, Landed, Request, What
from storage.store import Store

if TYPE_CHECKING:
    from crawler.report import Event, Report

ALIVE_WITHIN = timedelta(minutes=2)  # since the service's last sign of life; it gives one every 30 s
LOOK_EVERY = 0.3  # seconds


def is_served(path: Path, now: datetime) -> bool:
    """Whether the process that holds the file is a service that takes requests."""
    with Store.read(path) as store:
        alive_at = store.alive_at()
    return alive_at is not None and now - alive_at < ALIVE_WITHIN


def submit(config: Config, kind: str, arguments: Mapping[str, object]) -> int:
    """Ask the service for work; the number to follow it by."""
    return storing.submit(config.store.path, kind, arguments)


def crawl(
    config: Config, arguments: Mapping[str, object], *, tell: "Callable[[Event], None] | None" = None
) -> "Report":
    """A pass that the service makes for us, told live as one of our own would be. Raises WorkFailed."""
    with Store.read(config.store.path) as store:
        cursor = store.last_cursor()
    number = submit(config, "crawl", arguments)
    wanted = arguments["sources"]
    assert isinstance(wanted, list)

    def look(store: Store) -> None:
        nonlocal cursor
        for change in store.changes(cursor):
            cursor = change.cursor
            event = _event(store, change, wanted)
            if event is not None and tell is not None:
                tell(event)

    return _report(wait_for(config, number, look))


def wait_for(config: Config, number: int, look: Callable[[Store], None] = lambda _: None) -> Mapping[str, Any]:
    """The result of a request, when it has one. Raises WorkFailed with what the service said."""
    with Store.read(config.store.path) as store:
        while True:
            request = store.request(number)
            look(store)
            if request is not None and request.status in {"done", "failed"}:
                return _result(request)
            if not _lives(config.store.path):
                raise WorkFailed("the service ended before the work was done; what it found is pending")
            time.sleep(LOOK_EVERY)


def _result(request: Request) -> Mapping[str, Any]:
    if request.status == "failed":
        raise WorkFailed(str((request.result or {}).get("error", "the service could not do it; see its log")))
    return request.result or {}


def _lives(path: Path) -> bool:
    """Whether anybody holds the file."""
    from storage import connection

    return connection.holder(path) is not None


def _event(store: Store, change: Change, wanted: list[str]) -> "Event | None":
    """A row of `changes` as the crawl would have told it."""
    from crawler.report import Event

    article = store.article(change.article_id) if change.what in {What.NEW, What.REVISED, What.COPIED} else None
    if article is None or article.source not in wanted:
        return None
    landed = Landed(
        url=article.url,
        fate=FateKind.COPY if change.what is What.COPIED else FateKind.ARTICLE,
        reason=change.what,
        what=change.what,
        document_id=change.document_id,
        article_id=article.id,
        title=article.title,
    )
    return Event(source=article.source, landed=landed)


def _report(result: Mapping[str, Any]) -> "Report":
    from collections import Counter

    from crawler.report import Report, SourceReport

    report = Report(requests=int(result.get("requests", 0)))
    for row in result.get("sources", []):
        report.sources[row["source"]] = SourceReport(**{**row, "reasons": Counter(row["reasons"])})
    return report
