"""Handing work to the running service, and following it.

The asker's side of `handover`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.config import Config
from scheduler.stdin_file import JobContinues
from storage import store as storing
from storage.errors import KhabarError, StoreBusy, StoreError, UsageError, WorkFailed
from storage.model import Change, ChangeKind, FateKind, Job, Landed
from storage.store import Store

if TYPE_CHECKING:
    from crawler.files.importing import ImportCounts
    from crawler.report import CrawlEvent, CrawlReport

# Since the service's last sign of life; it gives one every 30 s
ALIVE_WITHIN = timedelta(minutes=2)
POLL_SECONDS = 0.3  # seconds
CUT_OFF_ADVICE = {
    "crawl": "what it found is pending, and goes on with the next start",
    "import": "name the same files again: it goes on where it stopped",
    "reprocess": "run it again: what was read anew says the same by then",
}  # what becomes of a work that the end of the service cut off

Facts = Mapping[str, Any]
OnProgress = Callable[[Store, Facts], None]


def is_service_alive(path: Path, now: datetime) -> bool:
    """Whether the process that holds the file is a service that takes requests."""
    with Store.read(path) as store:
        alive_at = store.service.alive_at()
    return alive_at is not None and now - alive_at < ALIVE_WITHIN


def submit_job(config: Config, kind: str, arguments: Mapping[str, object]) -> int:
    """Ask the service for work; the number to follow it by."""
    return storing.submit_job(config.store.path, kind, arguments)


def crawl_by_service(
    config: Config,
    arguments: Mapping[str, object],
    *,
    tell: "Callable[[CrawlEvent], None] | None" = None,
) -> "CrawlReport":
    """A pass that the service makes for us, told live as one of our own would be.

    Raises WorkFailed.
    """
    with Store.read(config.store.path) as store:
        cursor = store.changes.last_cursor()
    number = submit_job(config, "crawl", arguments)
    wanted = arguments["sources"]
    assert isinstance(wanted, list)

    def look(store: Store, facts: Facts) -> None:
        nonlocal cursor
        for change in store.changes.since(cursor):
            cursor = change.cursor
            event = _change_to_event(store, change, wanted)
            if event is not None and tell is not None:
                tell(event)
        if facts and tell is not None:
            tell(_progress_event(facts))

    return _parse_report(wait_for_job(config, number, look))


def import_by_service(
    config: Config, files: Sequence[Path], *, warn: Callable[[str], None], progress: "Callable[[ImportCounts], None]",
    every: bool = False,
) -> "ImportCounts":  # fmt: skip
    """An import that the service makes for us, told live as one of our own would be.

    Raises WorkFailed, UsageError.
    """
    from crawler.files import importing

    asked = {"files": [str(file.resolve()) for file in files], "every": every}
    heard = 0

    def look(_: Store, facts: Facts) -> None:
        nonlocal heard
        heard = print_new_lines(facts, heard, warn)
        if "rows" in facts:
            progress(importing.counts_from_json(facts))

    return importing.counts_from_json(
        wait_for_job(config, submit_job(config, "import", asked), look)
    )


def reprocess_by_service(
    config: Config, asked: Facts, *, progress: Callable[[Mapping[str, int]], None]
) -> Mapping[str, int]:
    """Kept pages that the service reads anew for us; how many came to what.

    Raises WorkFailed, UsageError.
    """

    def look(_: Store, facts: Facts) -> None:
        if "pages" in facts:
            progress(facts)

    return wait_for_job(config, submit_job(config, "reprocess", asked), look)


def print_new_lines(facts: Facts, heard: int, tell: Callable[[str], None]) -> int:
    """Tell the lines that were said since `heard` of them.

    The service keeps the last ones only. How many there are.
    """
    said, lines = (
        int(facts.get("said", 0)),
        [str(line) for line in facts.get("lines", ())],
    )
    fresh = max(0, said - heard)
    if fresh > len(lines):
        tell(f"({fresh - len(lines):,} lines more)")
    for line in lines[len(lines) - min(fresh, len(lines)) :]:
        tell(line)
    return max(said, heard)


def wait_for_job(
    config: Config, number: int, look: OnProgress = lambda _, __: None
) -> Facts:
    """The result of a request, when it has one.

    `look` meanwhile, at what is told of it. Raises as the work did.

    Raises GoesOn where the asker is interrupted.
    """
    with Store.read(config.store.path) as store:
        try:
            while True:
                request = store.jobs.find(number)
                look(store, {**request.progress, **request.result} if request else {})
                if request is not None and request.status in {"done", "failed"}:
                    return _job_result(request)
                if not _is_held(config.store.path):
                    raise WorkFailed(_cut_off_message(request.kind if request else ""))
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            raise JobContinues(
                f"the service goes on with it (request {number})"
            ) from None


def _job_result(request: Job) -> Facts:
    if request.status == "done":
        return request.result
    if request.result.get("stopped"):
        raise WorkFailed(_cut_off_message(request.kind))
    kinds: dict[object, type[KhabarError]] = {
        2: UsageError,
        3: StoreError,
        75: StoreBusy,
    }
    error = request.result.get("error", "the service could not do it; see its log")
    raise kinds.get(request.result.get("exit_code"), WorkFailed)(str(error))


def _cut_off_message(kind: str) -> str:
    return f"the service ended before the work was done; {CUT_OFF_ADVICE.get(kind, 'run it again')}"


def _is_held(path: Path) -> bool:
    """Whether anybody holds the file."""
    return storing.holder_pid(path) is not None


def _change_to_event(
    store: Store, change: Change, wanted: list[str]
) -> "CrawlEvent | None":
    """A row of `changes` as the crawl would have told it."""
    from crawler.report import CrawlEvent

    article = (
        store.articles.find(change.article_id)
        if change.what in {ChangeKind.NEW, ChangeKind.REVISED, ChangeKind.COPIED}
        else None
    )
    if article is None or article.source not in wanted:
        return None
    landed = Landed(
        url=article.url,
        fate=FateKind.COPY if change.what is ChangeKind.COPIED else FateKind.ARTICLE,
        reason=change.what,
        what=change.what,
        document_id=change.document_id,
        article_id=article.id,
        title=article.title,
    )
    return CrawlEvent(source=article.source, landed=landed)


def _progress_event(facts: Facts) -> "CrawlEvent":
    """How far a crawl has come, pages that were not kept among them."""
    from crawler.report import CrawlEvent

    report = _parse_report(facts)
    read = sum(
        report.total(name)
        for name in ("new", "revised", "copies", "irrelevant", "rejected", "failed")
    )
    return CrawlEvent(source="", note=f"{read} pages read, {report.total('new')} kept")


def _parse_report(result: Mapping[str, Any]) -> "CrawlReport":
    from collections import Counter

    from crawler.report import CrawlReport, SourceReport

    report = CrawlReport(requests=int(result.get("requests", 0)))
    for row in result.get("sources", []):
        report.sources[row["source"]] = SourceReport(
            **{**row, "reasons": Counter(row["reasons"])}
        )
    return report
