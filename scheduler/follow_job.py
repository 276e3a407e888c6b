"""Jobs for the running service: handed over as a row in the file, and followed there.

This is the asker's side; the service's is `service/job_runner`.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.config import Config
from scheduler.stdin_file import JobContinues
from storage import store as store_module
from storage.errors import KhabarError, StoreBusy, StoreError, UsageError, WorkFailed
from storage.model import Change, ChangeKind, FateKind, Job, Landed
from storage.store import Store

if TYPE_CHECKING:
    from crawler.files.importing import ImportCounts
    from crawler.report import CrawlEvent, CrawlReport

# Since the service's last sign of life; it gives one every 30 s.
ALIVE_WITHIN = timedelta(minutes=2)
POLL_SECONDS = 0.3
# What becomes of a job that the end of the service cut off.
CUT_OFF_ADVICE = {
    "crawl": "what it found is pending, and goes on with the next start",
    "import": "name the same files again: it goes on where it stopped",
    "reprocess": "run it again: what was read anew says the same by then",
}
# Exit codes of faults that are raised here as they were raised in the service.
FAULTS: Mapping[object, type[KhabarError]] = {
    2: UsageError,
    3: StoreError,
    75: StoreBusy,
}
KEPT_CHANGES = {
    ChangeKind.NEW: FateKind.ARTICLE,
    ChangeKind.REVISED: FateKind.ARTICLE,
    ChangeKind.COPIED: FateKind.COPY,
}
# Outcomes of a page that was read in a pass.
READ_OUTCOMES = ("new", "revised", "copies", "irrelevant", "rejected", "failed")

Facts = Mapping[str, Any]
OnProgress = Callable[[Store, Facts], None]


def is_service_alive(path: Path, now: datetime) -> bool:
    """Whether the process that holds the file is a service that takes jobs."""
    with Store.read(path) as store:
        alive_at = store.service.alive_at()
    return alive_at is not None and now - alive_at < ALIVE_WITHIN


def submit_job(config: Config, kind: str, arguments: Mapping[str, object]) -> int:
    """Ask the service for work; the number to follow it by."""
    return store_module.submit_job(config.store.path, kind, arguments)


def crawl_by_service(
    config: Config,
    arguments: Mapping[str, object],
    *,
    on_event: "Callable[[CrawlEvent], None] | None" = None,
) -> "CrawlReport":
    """A pass that the service makes for us; its events are those of one of our own.

    Raises WorkFailed.
    """
    from crawler.report import CrawlEvent

    # Before the job begins, so that none of its changes is missed.
    with Store.read(config.store.path) as store:
        cursor = store.changes.last_cursor()
    number = submit_job(config, "crawl", arguments)
    wanted = arguments["sources"]
    assert isinstance(wanted, list)

    def on_progress(store: Store, facts: Facts) -> None:
        nonlocal cursor
        if on_event is None:
            return
        for change in store.changes.since(cursor):
            cursor = change.cursor
            event = _change_to_event(store, change)
            if event is not None and event.source in wanted:
                on_event(event)
        if facts:
            report = _parse_report(facts)
            read = sum(report.total(outcome) for outcome in READ_OUTCOMES)
            note = f"{read} pages read, {report.total('new')} kept"
            on_event(CrawlEvent(source="", note=note))

    return _parse_report(wait_for_job(config, number, on_progress))


def import_by_service(
    config: Config,
    files: Sequence[Path],
    *,
    warn: Callable[[str], None],
    on_progress: "Callable[[ImportCounts], None]",
    every_fault: bool = False,
) -> "ImportCounts":
    """An import that the service makes for us. Raises WorkFailed, UsageError."""
    from crawler.files.importing import counts_from_json

    absolute = [str(file.resolve()) for file in files]
    arguments = {"files": absolute, "every": every_fault}
    seen = 0

    def show_progress(_: Store, facts: Facts) -> None:
        nonlocal seen
        seen = print_new_lines(facts, seen, warn)
        if "rows" in facts:
            on_progress(counts_from_json(facts))

    number = submit_job(config, "import", arguments)
    return counts_from_json(wait_for_job(config, number, show_progress))


def reprocess_by_service(
    config: Config,
    arguments: Facts,
    *,
    on_progress: Callable[[Mapping[str, int]], None],
) -> Mapping[str, int]:
    """Kept pages that the service reads anew for us; how many came to what.

    Raises WorkFailed, UsageError.
    """

    def show_progress(_: Store, facts: Facts) -> None:
        if "pages" in facts:
            on_progress(facts)

    number = submit_job(config, "reprocess", arguments)
    return wait_for_job(config, number, show_progress)


def print_new_lines(facts: Facts, seen: int, print_line: Callable[[str], None]) -> int:
    """Print what a job said beyond its first `seen` lines; how many it said so far.

    The service keeps the last lines only: those that are gone are counted.
    """
    said = int(facts.get("said", 0))
    lines = [str(line) for line in facts.get("lines", ())]
    new = max(0, said - seen)
    if new > len(lines):
        print_line(f"({new - len(lines):,} lines more)")
        new = len(lines)
    for line in lines[len(lines) - new :]:
        print_line(line)
    return max(said, seen)


def wait_for_job(
    config: Config, number: int, on_progress: OnProgress | None = None
) -> Facts:
    """The result of a job, when it has one; `on_progress` sees what is known meanwhile.

    Raises as the work did, WorkFailed where the service ended before it, and
    JobContinues where the asker is interrupted.
    """
    with Store.read(config.store.path) as store:
        try:
            while True:
                job = store.jobs.find(number)
                if on_progress is not None:
                    on_progress(store, {**job.progress, **job.result} if job else {})
                if job is not None and job.status in {"done", "failed"}:
                    return _job_result(job)
                # Whoever held the file is gone: nobody will finish the job.
                if store_module.holder_pid(config.store.path) is None:
                    raise WorkFailed(_cut_off_message(job.kind if job else ""))
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            message = f"the service goes on with it (request {number})"
            raise JobContinues(message) from None


def _job_result(job: Job) -> Facts:
    if job.status == "done":
        return job.result
    if job.result.get("stopped"):
        raise WorkFailed(_cut_off_message(job.kind))
    message = job.result.get("error", "the service could not do it; see its log")
    fault = FAULTS.get(job.result.get("exit_code"), WorkFailed)
    raise fault(str(message))


def _cut_off_message(kind: str) -> str:
    advice = CUT_OFF_ADVICE.get(kind, "run it again")
    return f"the service ended before the work was done; {advice}"


def _change_to_event(store: Store, change: Change) -> "CrawlEvent | None":
    """A row of `changes` as the event that the crawl had; None for any other change."""
    from crawler.report import CrawlEvent

    fate = KEPT_CHANGES.get(change.what)
    article = store.articles.find(change.article_id)
    if fate is None or article is None:
        return None
    landed = Landed(
        url=article.url,
        fate=fate,
        reason=change.what,
        what=change.what,
        document_id=change.document_id,
        article_id=article.id,
        title=article.title,
    )
    return CrawlEvent(source=article.source, landed=landed)


def _parse_report(facts: Facts) -> "CrawlReport":
    """The report of a pass from the result or progress of its job."""
    from crawler.report import CrawlReport, SourceReport

    report = CrawlReport(requests=int(facts.get("requests", 0)))
    for row in facts.get("sources", []):
        values = {**row, "reasons": Counter(row["reasons"])}
        report.sources[row["source"]] = SourceReport(**values)
    return report
