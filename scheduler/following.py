"""Handing work to the running service, and following it: the asker's side of `handover`."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.config import Config
from scheduler.spool import GoesOn
from storage import store as storing
from storage.errors import KhabarError, StoreBusy, StoreError, UsageError, WorkFailed
from storage.model import Change, FateKind, Landed, Request, What
from storage.store import Store

if TYPE_CHECKING:
    from crawler.files.importing import Taken
    from crawler.report import Event, Report

ALIVE_WITHIN = timedelta(minutes=2)  # since the service's last sign of life; it gives one every 30 s
LOOK_EVERY = 0.3  # seconds
UNDONE = {
    "crawl": "what it found is pending, and goes on with the next start",
    "import": "name the same files again: it goes on where it stopped",
    "reprocess": "run it again: what was read anew says the same by then",
}  # what becomes of a work that the end of the service cut off

Facts = Mapping[str, Any]
Look = Callable[[Store, Facts], None]


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

    def look(store: Store, facts: Facts) -> None:
        nonlocal cursor
        for change in store.changes(cursor):
            cursor = change.cursor
            event = _event(store, change, wanted)
            if event is not None and tell is not None:
                tell(event)
        if facts and tell is not None:
            tell(_so_far(facts))

    return _report(wait_for(config, number, look))


def take_in(
    config: Config, files: Sequence[Path], *, warn: Callable[[str], None], progress: "Callable[[Taken], None]",
    every: bool = False,
) -> "Taken":  # fmt: skip
    """An import that the service makes for us, told live as one of our own would be. Raises WorkFailed, UsageError."""
    from crawler.files import importing

    asked = {"files": [str(file.resolve()) for file in files], "every": every}
    heard = 0

    def look(_: Store, facts: Facts) -> None:
        nonlocal heard
        heard = hear(facts, heard, warn)
        if "rows" in facts:
            progress(importing.understood(facts))

    return importing.understood(wait_for(config, submit(config, "import", asked), look))


def reprocess(config: Config, asked: Facts, *, progress: Callable[[Mapping[str, int]], None]) -> Mapping[str, int]:
    """Kept pages that the service reads anew for us; how many came to what. Raises WorkFailed, UsageError."""

    def look(_: Store, facts: Facts) -> None:
        if "pages" in facts:
            progress(facts)

    return wait_for(config, submit(config, "reprocess", asked), look)


def hear(facts: Facts, heard: int, tell: Callable[[str], None]) -> int:
    """Tell the lines that were said since `heard` of them; the service keeps the last ones only. How many there are."""
    said, lines = int(facts.get("said", 0)), [str(line) for line in facts.get("lines", ())]
    fresh = max(0, said - heard)
    if fresh > len(lines):
        tell(f"({fresh - len(lines):,} lines more)")
    for line in lines[len(lines) - min(fresh, len(lines)) :]:
        tell(line)
    return max(said, heard)


def wait_for(config: Config, number: int, look: Look = lambda _, __: None) -> Facts:
    """The result of a request, when it has one; `look` meanwhile, at what is told of it. Raises as the work did.

    Raises GoesOn where the asker is interrupted.
    """
    with Store.read(config.store.path) as store:
        try:
            while True:
                request = store.request(number)
                look(store, {**request.progress, **request.result} if request else {})
                if request is not None and request.status in {"done", "failed"}:
                    return _result(request)
                if not _lives(config.store.path):
                    raise WorkFailed(_cut_off(request.kind if request else ""))
                time.sleep(LOOK_EVERY)
        except KeyboardInterrupt:
            raise GoesOn(f"the service goes on with it (request {number})") from None


def _result(request: Request) -> Facts:
    if request.status == "done":
        return request.result
    if request.result.get("stopped"):
        raise WorkFailed(_cut_off(request.kind))
    kinds: dict[object, type[KhabarError]] = {2: UsageError, 3: StoreError, 75: StoreBusy}
    error = request.result.get("error", "the service could not do it; see its log")
    raise kinds.get(request.result.get("exit_code"), WorkFailed)(str(error))


def _cut_off(kind: str) -> str:
    return f"the service ended before the work was done; {UNDONE.get(kind, 'run it again')}"


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


def _so_far(facts: Facts) -> "Event":
    """How far a crawl has come, pages that were not kept among them."""
    from crawler.report import Event

    report = _report(facts)
    read = sum(report.total(name) for name in ("new", "revised", "copies", "irrelevant", "rejected", "failed"))
    return Event(source="", note=f"{read} pages read, {report.total('new')} kept")


def _report(result: Mapping[str, Any]) -> "Report":
    from collections import Counter

    from crawler.report import Report, SourceReport

    report = Report(requests=int(result.get("requests", 0)))
    for row in result.get("sources", []):
        report.sources[row["source"]] = SourceReport(**{**row, "reasons": Counter(row["reasons"])})
    return report
