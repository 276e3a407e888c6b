"""Saved pages and WARC files -> one record for each page or response, in their order; nothing is stored or judged.

Pages are read in the worker pool, a bounded number ahead. A page that is no article is a record too: `text` is null and
`rejection` says why.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from crawler.files import saved
from crawler.files.faults import Digest, Note
from crawler.files.saved import Saved
from crawler.workers import Lost, Pool, Task
from storage.model import Rejection, Why

READ: Task[dict[str, Any]] = Task("crawler.files.records", "read")
AHEAD = 4  # pages in flight for each worker
FAULTS = (OSError, EOFError)

Tell = Callable[[Mapping[str, Any]], None]
Warn = Callable[[str], None]


async def extract(files: Sequence[Path], *, tell: Tell, warn: Warn, workers: int = 0, every: bool = False) -> int:
    """Tell a record for each page of each file; the number of files that could not be read.

    `warn` hears of the first faults of each kind in a file, or of every one.
    """
    pool, unreadable, faults = Pool(workers), 0, Digest(warn, every=every)
    try:
        for file in files:
            try:
                await _file(pool, file, tell, faults.note)
            except FileNotFoundError:
                unreadable += 1
                warn(f"{file}: there is no such file")
            except BrokenPipeError:
                raise
            except FAULTS as fault:
                unreadable += 1
                warn(f"{file}: {getattr(fault, 'strerror', None) or fault}")
            faults.end_file()
    finally:
        await pool.close()
    return unreadable


async def _file(pool: Pool, file: Path, tell: Tell, note: Note) -> None:
    waiting: deque[asyncio.Future[dict[str, Any]]] = deque()
    try:
        for one in saved.pages(file, note):
            waiting.append(asyncio.ensure_future(_record(pool, one)))
            if len(waiting) >= pool.size * AHEAD:
                tell(await waiting.popleft())
        while waiting:
            tell(await waiting.popleft())
    finally:
        for left in waiting:
            left.cancel()


async def _record(pool: Pool, one: Saved) -> dict[str, Any]:
    try:
        return await pool.run(READ, one)
    except Lost as error:
        return blank(one) | {"rejection": told(Rejection(why=Why.UNREADABLE, detail=str(error)))}


def blank(one: Saved) -> dict[str, Any]:
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


def told(rejection: Rejection) -> dict[str, str]:
    """A rejection as JSON."""
    return {"why": rejection.why, "detail": rejection.detail}
