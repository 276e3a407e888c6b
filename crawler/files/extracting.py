"""Saved pages and WARC files -> one record for each page or response, in their order.

Nothing is stored or judged.

Pages are read in the worker pool, a bounded number ahead. A page that is no article is
a record too: `text` is null and `rejection` says why.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crawler.files import saved
from crawler.files.file_faults import FaultDigest, ReportFault
from crawler.files.saved import SavedPage
from crawler.workers import Task, WorkerLost, WorkerPool
from storage.model import Rejection, RejectionReason

PAGE_RECORD: Task[dict[str, Any]] = Task("crawler.files.page_records", "page_record")
PAGES_PER_WORKER = 4  # pages in flight for each worker
READ_FAULTS = (OSError, EOFError)

Tell = Callable[[Mapping[str, Any]], None]
Warn = Callable[[str], None]


async def extract(
    files: Sequence[Path],
    *,
    tell: Tell,
    warn: Warn,
    workers: int = 0,
    every: bool = False,
) -> int:
    """Tell a record for each page of each file.

    The number of files that could not be read.

    `warn` hears of the first faults of each kind in a file, or of every one.
    """
    pool, unreadable, faults = WorkerPool(workers), 0, FaultDigest(warn, every=every)
    try:
        for file in files:
            try:
                await _file(pool, file, tell, faults.note)
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


async def _file(pool: WorkerPool, file: Path, tell: Tell, note: ReportFault) -> None:
    waiting: deque[asyncio.Future[dict[str, Any]]] = deque()
    try:
        for one in saved.read_pages(file, note):
            waiting.append(asyncio.ensure_future(_record(pool, one)))
            if len(waiting) >= pool.size * PAGES_PER_WORKER:
                tell(await waiting.popleft())
        while waiting:
            tell(await waiting.popleft())
    finally:
        for left in waiting:
            left.cancel()


async def _record(pool: WorkerPool, one: SavedPage) -> dict[str, Any]:
    try:
        return await pool.run(PAGE_RECORD, one)
    except WorkerLost as error:
        return blank_record(one) | {
            "rejection": rejection_to_json(
                Rejection(why=RejectionReason.UNREADABLE, detail=str(error))
            )
        }


def blank_record(one: SavedPage) -> dict[str, Any]:
    """The record of a page of which nothing is known yet, every key in its place."""
    return {
        "file": one.file,
        "record_id": one.record_id,
        "url": one.page.url or None,
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
