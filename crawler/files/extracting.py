"""Saved pages and WARC files become one record for each page or response.

In their order; nothing is stored or judged. Pages are read in the worker pool, a
bounded number ahead. A page that is no article is a record too: `text` is null and
`rejection` says why.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from crawler.files import saved
from crawler.files.file_faults import FaultDigest, ReportFault
from crawler.files.warc_records import SavedPage
from crawler.workers import Done, Task, WorkerPool, map_in_order
from storage.model import Rejection, RejectionReason

PAGE_RECORD: Task[dict[str, Any]] = Task("crawler.files.page_records", "page_record")
PAGES_PER_WORKER = 4  # in flight
READ_FAULTS = (OSError, EOFError)

Tell = Callable[[Mapping[str, Any]], None]
Warn = Callable[[str], None]


async def extract(
    files: Sequence[Path], *, tell: Tell, warn: Warn, every: bool = False
) -> int:
    """Tell a record for each page of each file.

    Returns the number of files that could not be read. `warn` hears of the first
    faults of each kind in a file, or of every one. Raises WorkFailed.
    """
    pool = WorkerPool()
    faults = FaultDigest(warn, every=every)
    unreadable = 0

    async def read_record(page: SavedPage) -> dict[str, Any]:
        result = await pool.run_when_possible(PAGE_RECORD, page)
        if isinstance(result, Done):
            return result.value
        rejection = Rejection(why=RejectionReason.UNREADABLE, detail=result.why)
        return blank_record(page) | {"rejection": rejection_to_json(rejection)}

    try:
        for file in files:
            try:
                records = map_in_order(
                    read_record,
                    _iterate_pages(file, faults.note),
                    max_ahead=pool.size * PAGES_PER_WORKER,
                )
                async with aclosing(records):
                    async for record in records:
                        tell(record)
            except FileNotFoundError:
                unreadable += 1
                warn(f"{file}: there is no such file")
            except BrokenPipeError:
                raise
            except READ_FAULTS as fault:
                unreadable += 1
                warn(f"{file}: {getattr(fault, 'strerror', None) or fault}")
            faults.end_file()
    finally:
        await pool.close()
    return unreadable


async def _iterate_pages(file: Path, report: ReportFault) -> AsyncIterator[SavedPage]:
    for page in saved.read_pages(file, report):
        yield page


def blank_record(page: SavedPage) -> dict[str, Any]:
    """The record of a page of which nothing is known yet, every key in its place."""
    return {
        "file": page.file,
        "record_id": page.record_id,
        "url": page.page.url or None,
        "title": None,
        "authors": [],
        "published_at": None,
        "published_how": None,
        "language": None,
        "text": None,
        "rejection": None,
    }


def rejection_to_json(rejection: Rejection) -> dict[str, str]:
    """A rejection as JSON."""
    return {"why": rejection.why, "detail": rejection.detail}
