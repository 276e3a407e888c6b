"""Files of captures or articles -> the store, through the same desk as a crawl, in the order of the input.

Lines and pages are read in the worker pool, a bounded number ahead; their landings are stored in batches in order. What
cannot be read is a warning and a count, and never stops the rest. After each batch the store knows how far a file came:
a second run of what was killed goes on there (`storage.tables.progress`).
"""

import asyncio
import gzip
import hashlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from crawler.files import saved
from crawler.files.saved import Saved
from crawler.sources import CrawlSettings, Source
from crawler.workers import Lost, Pool, Task
from crawler.writer import Writer
from storage import identity
from storage.errors import UsageError
from storage.model import FateKind, Landed, Landing, Page, Rejection, What, Why, utc_now
from storage.store import Store
from storage.tables import progress as noting

if TYPE_CHECKING:  # the workers read; this process only hands on (60 MB less)
    from crawler.files.articles import Row

LINES = 32  # JSON lines of one task: what a task costs by itself is then under a tenth
PAGES = 16  # captures of one task ...
PAGE_BYTES = 2_000_000  # ... or fewer, so that what is in flight stays small
BATCH = 64  # landings of one transaction
EDGE = 1 << 20  # bytes at either end of a file by which it is known again
AHEAD = 4  # tasks in flight for each worker
LONGEST_LINE = 20_000_000  # bytes

READ_LINES: Task["list[Row]"] = Task("crawler.files.articles", "read")
READ_PAGES: "Task[list[tuple[Landing, bool]]]" = Task("crawler.files.captures", "read")

Warn = Callable[[str], None]
Progress = Callable[[str], None]


@dataclass(slots=True)
class Taken:
    """What an import came to. `kinds` counts new, copied, revised, unchanged, and the reasons of the rest."""

    rows: int = 0  # lines and captures that were there
    skipped: int = 0  # of these, without a usable address or text
    warnings: int = 0
    unreadable: int = 0  # files
    unread: int = 0  # captures without an Afghan word in their bytes; they count among the rejected too
    before: int = 0  # rows that an earlier run of the same file took in
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
class _Part:
    """What one task of a file brought: how many rows it read, and where the file goes on after it."""

    rows: int
    end: int
    landings: list[Landing]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class _Desk:
    """The workers, and what they are told."""

    pool: Pool
    writer: Writer
    settings: CrawlSettings
    sources: dict[str, Source]
    watched: frozenset[str]  # hosts of the sources: their pages are always read
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

    async def captures(self, pages: Sequence[Page]) -> tuple[list[Landing], int]:
        """What some captures bring, and how many of them were not worth reading."""
        hosts = {identity.host(page.url) for page in pages}
        told = {"settings": self.settings, "furniture": await self._furniture(hosts), "watched": self.watched & hosts}
        try:
            read = await self.pool.run(READ_PAGES, pages, **told)
        except Lost as error:
            if len(pages) > 1:  # one of them did it: the others must not pay
                apart = [await self.captures([page]) for page in pages]
                return [landing for landings, _ in apart for landing in landings], sum(unread for _, unread in apart)
            rejection = Rejection(why=Why.UNREADABLE, detail=str(error))
            lost = Landing(outcome=rejection, url=pages[0].url, source=identity.host(pages[0].url))
            read = [(lost, True)]
        # What was not read is not kept either: the file that it came from has it.
        landings = [
            replace(one, page=page if was_read else None) for page, (one, was_read) in zip(pages, read, strict=True)
        ]
        return landings, sum(not was_read for _, was_read in read)

    async def _furniture(self, hosts: Iterable[str]) -> dict[str, frozenset[int]]:
        store = self.writer.store
        return await self.writer.run(lambda: {host: lines for host in hosts if (lines := store.furniture(host))})


def require_known(files: Iterable[Path]) -> None:
    """Raise UsageError for a file of no known kind, before anything is read."""
    for file in files:
        if not is_articles(file) and not saved.is_warc(file):
            raise UsageError(f"{file} is neither .jsonl nor .warc (nor one of them as .gz) nor .wacz")


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

    sources = tuple(sources)
    desk = _Desk(
        pool, Writer(store), settings, {s.id: s for s in sources if s.min_relevance is not None},
        frozenset(identity.host(s.url) for s in sources), counted,
    )  # fmt: skip
    try:
        for file in files:
            await _file(desk, file, taken, progress)
    finally:
        await pool.close()
        await desk.writer.close()
    return taken


async def _file(desk: _Desk, file: Path, taken: Taken, tell: Progress) -> None:
    intake = _Intake(desk, file, taken, tell)
    try:
        await intake.begin()
        async for part in _in_order(desk, file, intake.at):
            await intake.add(part)
        await intake.finish()
    except (OSError, EOFError, ValueError) as fault:
        taken.unreadable += 1
        desk.warn(f"{file}: {getattr(fault, 'strerror', None) or fault}")
    finally:
        await intake.land()


class _Intake:
    """One file on its way into the store."""

    def __init__(self, desk: _Desk, file: Path, taken: Taken, tell: Progress) -> None:
        self.desk = desk
        self.file = file
        self.taken = taken
        self.tell = tell
        self.at = 0  # where reading goes on after all that was landed
        self._rows = 0
        self._key = ""
        self._batch: list[Landing] = []

    async def begin(self) -> None:
        """Find out how far an earlier run came."""
        self._key = await asyncio.to_thread(key_of, self.file)
        state = await self._run(noting.of, "import", self._key)
        self.at, self._rows = int(state.get("at", 0)), int(state.get("rows", 0))
        self.taken.before += self._rows

    async def add(self, part: _Part) -> None:
        """Count what a task brought, and land it when there is enough."""
        self.taken.rows += part.rows
        self.taken.unread += part.unread
        self.taken.skipped += part.rows - len(part.landings)
        self._rows += part.rows
        self._batch += part.landings
        self.at = part.end
        if len(self._batch) >= BATCH:
            await self.land()
            if self.at:
                await self._run(noting.note, "import", self._key, self.file.name, {"at": self.at, "rows": self._rows})

    async def land(self) -> None:
        """Store what waits. A kill between this and the note of how far it came lands the same again, unchanged."""
        batch, self._batch = self._batch, []
        if batch:
            self.taken.count(await self.desk.writer.run(self.desk.writer.store.land, batch))
            self.tell(f"{self.file.name}: {self.taken.rows:,} read, {self.taken.kinds['new']:,} new")

    async def finish(self) -> None:
        """The file was read to its end: another run of it begins anew."""
        await self.land()
        await self._run(noting.end, "import", self._key)

    async def _run(self, function: Callable[..., Any], *told: object) -> Any:
        return await self.desk.writer.run(function, self.desk.writer.store, *told)


def key_of(file: Path) -> str:
    """What a file is known by again, wherever it lies: its size and the bytes at its two ends."""
    size = file.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with file.open("rb") as stream:
        digest.update(stream.read(EDGE))
        stream.seek(max(0, size - EDGE))
        digest.update(stream.read(EDGE))
    return digest.hexdigest()


async def _in_order(desk: _Desk, file: Path, start: int) -> AsyncIterator[_Part]:
    """What each task of a file brought, in the file's order, from a place on."""
    waiting: deque[asyncio.Future[_Part]] = deque()
    try:
        for task in _tasks(desk, file, start):
            waiting.append(asyncio.ensure_future(task))
            if len(waiting) >= desk.pool.size * AHEAD:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task_left in waiting:
            task_left.cancel()


def _tasks(desk: _Desk, file: Path, start: int) -> Iterator[Awaitable[_Part]]:
    if is_articles(file):
        lines = islice(numbered_lines(file), start, None)
        while batch := list(islice(lines, LINES)):
            start += len(batch)
            yield _lines(desk, file.name, batch, start)
        return
    for captures in _batches(saved.pages(file, desk.warn, start=start)):
        yield _captures(desk, captures)


async def _lines(desk: _Desk, name: str, batch: list[tuple[int, bytes]], end: int) -> _Part:
    return _Part(len(batch), end, await desk.lines(name, batch))


async def _captures(desk: _Desk, batch: list[Saved]) -> _Part:
    landings, unread = await desk.captures([one.page for one in batch])
    return _Part(len(batch), batch[-1].end, landings, unread)


def _batches(captures: Iterable[Saved]) -> Iterator[list[Saved]]:
    batch: list[Saved] = []
    size = 0
    for one in captures:
        batch.append(one)
        size += len(one.page.body)
        if len(batch) == PAGES or size >= PAGE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


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
