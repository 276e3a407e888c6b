"""Files of captures or articles -> the store, through the same desk as a crawl, in the order of the input.

Lines and pages are read in the worker pool, a bounded number ahead; their landings are stored in batches in order. What
cannot be read is a warning and a count, and never stops the rest.
"""

import asyncio
import gzip
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from crawler import saved
from crawler.sources import CrawlSettings, Source
from crawler.workers import Lost, Pool, Task
from storage import identity
from storage.errors import UsageError
from storage.model import FateKind, Landed, Landing, Lead, Page, Rejection, What, Why, utc_now
from storage.store import Store

if TYPE_CHECKING:  # the workers read; this process only hands on (60 MB less)
    from crawler.articles import Row

LINES = 32  # JSON lines of one task: what a task costs by itself is then under a tenth
BATCH = 64  # landings of one transaction
AHEAD = 4  # tasks in flight for each worker
LONGEST_LINE = 20_000_000  # bytes

READ_LINES: Task["list[Row]"] = Task("crawler.articles", "read")
READ_PAGE: Task[Landing] = Task("crawler.intake", "in_worker")

Warn = Callable[[str], None]
Progress = Callable[[str], None]


@dataclass(slots=True)
class Taken:
    """What an import came to. `kinds` counts new, copied, revised, unchanged, and the reasons of the rest."""

    rows: int = 0  # lines and captures that were there
    skipped: int = 0  # of these, without a usable address or text
    warnings: int = 0
    unreadable: int = 0  # files
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def nothing_taken(self) -> bool:
        """Whether the files held something, or could not be read, and none of it arrived."""
        return not self.kinds and bool(self.rows or self.unreadable)

    def count(self, landed: Iterable[Landed]) -> None:
        """Add what the store made of a batch."""
        self.kinds.update(kind_of(item) for item in landed)


def kind_of(landed: Landed) -> str:
    """In one word what became of something that landed."""
    if landed.what in {What.NEW, What.COPIED, What.REVISED, What.PROMOTED}:
        return {What.NEW: "new", What.REVISED: "revised"}.get(landed.what, "copies")
    if landed.fate in {FateKind.ARTICLE, FateKind.COPY}:
        return "unchanged"
    return (
        f"{landed.fate}: {landed.reason}" if landed.fate and landed.fate != landed.reason else landed.fate or "pending"
    )


@dataclass(frozen=True, slots=True)
class _Desk:
    """The workers, and what they are told."""

    pool: Pool
    store: Store
    settings: CrawlSettings
    sources: dict[str, Source]
    warn: Callable[[str], None]

    async def lines(self, name: str, numbered: list[tuple[int, bytes]]) -> list[Landing]:
        """What some lines of a file bring."""
        now = utc_now()
        try:
            rows = await self.pool.run(READ_LINES, numbered, sources=self.sources, settings=self.settings, now=now)
        except Lost as error:
            if len(numbered) > 1:  # one line of the batch did it: the others must not pay
                return [landing for line in numbered for landing in await self.lines(name, [line])]
            self.warn(f"{name}:{numbered[0][0]}: unreadable ({error}); skipped")
            return []
        for row in rows:
            for warning in row.warnings:
                self.warn(f"{name}:{row.number}: {warning}")
        return [row.landing for row in rows if row.landing]

    async def capture(self, page: Page) -> list[Landing]:
        """What one capture brings."""
        host = identity.host(page.url)
        lead = Lead(url=page.url, source=host, via="import")
        told = {"settings": self.settings, "furniture": self.store.furniture(host), "now": page.fetched_at}
        try:
            landing = await self.pool.run(READ_PAGE, page, lead, **told)
        except Lost as error:
            rejection = Rejection(why=Why.UNREADABLE, detail=str(error))
            landing = Landing(outcome=rejection, url=page.url, source=host)
        return [replace(landing, page=page)]


def require_known(files: Iterable[Path]) -> None:
    """Raise UsageError for a file of no known kind, before anything is read."""
    for file in files:
        if not is_articles(file) and not saved.is_warc(file):
            raise UsageError(f"{file} is neither .jsonl nor .warc (nor one of them as .gz)")


async def take_in(
    store: Store,
    files: Sequence[Path],
    sources: Iterable[Source],
    settings: CrawlSettings,
    *,
    warn: Warn,
    progress: Progress,
) -> Taken:
    """Import files one after the other."""
    taken = Taken()
    pool = Pool(settings.workers)

    def counted(text: str) -> None:
        taken.warnings += 1
        warn(text)

    desk = _Desk(pool, store, settings, {s.id: s for s in sources if s.min_relevance is not None}, counted)
    try:
        for file in files:
            await _file(desk, file, taken, progress)
    finally:
        await pool.close()
    return taken


async def _file(desk: _Desk, file: Path, taken: Taken, progress: Progress) -> None:
    batch: list[Landing] = []
    try:
        async for rows, landings in _in_order(desk, file):
            taken.rows += rows
            taken.skipped += rows - len(landings)
            batch += landings
            if len(batch) >= BATCH:
                taken.count(desk.store.land(batch))
                batch = []
                progress(f"{file.name}: {taken.rows:,} read, {taken.kinds['new']:,} new")
    except (OSError, EOFError, ValueError) as fault:
        taken.unreadable += 1
        desk.warn(f"{file}: {getattr(fault, 'strerror', None) or fault}")
    finally:
        if batch:
            taken.count(desk.store.land(batch))


async def _in_order(desk: _Desk, file: Path) -> AsyncIterator[tuple[int, list[Landing]]]:
    """The landings of each task of a file, in the file's order, with the number of rows that it read."""
    waiting: deque[tuple[int, asyncio.Future[list[Landing]]]] = deque()
    try:
        for rows, task in _tasks(desk, file):
            waiting.append((rows, asyncio.ensure_future(task)))
            if len(waiting) >= desk.pool.size * AHEAD:
                first, done = waiting.popleft()
                yield first, await done
        while waiting:
            first, done = waiting.popleft()
            yield first, await done
    finally:
        for _, task_left in waiting:
            task_left.cancel()


def _tasks(desk: _Desk, file: Path) -> Iterator[tuple[int, Awaitable[list[Landing]]]]:
    if not is_articles(file):
        yield from ((1, desk.capture(one.page)) for one in saved.pages(file, desk.warn))
        return
    batch: list[tuple[int, bytes]] = []
    for number, line in numbered_lines(file):
        batch.append((number, line))
        if len(batch) == LINES:
            yield len(batch), desk.lines(file.name, batch)
            batch = []
    if batch:
        yield len(batch), desk.lines(file.name, batch)


def is_articles(file: Path) -> bool:
    """Whether the name says JSON lines."""
    return file.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))


def numbered_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, from 1; of one that is too long only so much that it is no JSON any more."""
    with cast("IO[bytes]", gzip.open(file) if file.name.lower().endswith(".gz") else file.open("rb")) as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = stream.readline(LONGEST_LINE)
            if line.strip():
                yield number, line if rest is line else line[:100]
