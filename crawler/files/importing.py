"""Files of captures or articles -> the store, through the same desk as a crawl, in the order of the input.

Files are read in a thread and their lines and pages in the worker pool, a bounded number ahead, so that a service that
does it goes on with everything else; their landings are stored in batches in order. What cannot be read is a fault and
a count, and never stops the rest. After each batch the store knows how far a file came: a second run of what was killed
goes on there (`store.progress`).
"""

import asyncio
import ctypes
import gzip
import hashlib
from collections import Counter, deque
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from crawler.files import saved
from crawler.files.file_faults import FaultDigest, FileFault
from crawler.files.import_context import ImportContext
from crawler.files.parsed_line import ParsedLine
from crawler.files.saved import SavedPage
from crawler.sources import Source
from crawler.workers import Task, WorkerLost
from storage import identity
from storage.errors import UsageError
from storage.model import (
    ChangeKind,
    FateKind,
    Landed,
    Landing,
    Page,
    Rejection,
    RejectionReason,
    utc_now,
)

# JSON lines of one task: what a task costs by itself is then under a tenth
LINES_PER_TASK = 32
MAX_TASK_BYTES = 2_000_000  # of one task, so that what is in flight stays small
LANDINGS_PER_BATCH = 64  # landings of one transaction
EDGE_BYTES = 1 << 20  # bytes at either end of a file by which it is known again
MAX_LINE_BYTES = 20_000_000  # bytes

PARSE_LINES: Task[list[ParsedLine]] = Task("crawler.files.articles", "parse_lines")
PROCESS_CAPTURES: Task[list[tuple[Landing, bool]]] = Task(
    "crawler.files.captures", "process_captures"
)

T = TypeVar("T")
Warn = Callable[[str], None]
Progress = Callable[["ImportCounts"], None]


@dataclass(slots=True)
class ImportCounts:
    """What an import came to.

    `kinds` counts new, copied, revised, unchanged, and the reasons of the rest.
    """

    file: str = ""  # that is being read
    rows: int = 0  # lines and captures that were there
    skipped: int = 0  # of these, without a usable address or text
    warnings: int = 0
    unreadable: int = 0  # files
    # Captures without an Afghan word in their bytes; they count among the rejected too
    unread: int = 0
    before: int = 0  # rows that an earlier run of the same file took in
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def nothing_taken(self) -> bool:
        """Whether the files held something, or could not be read, and none of it arrived."""
        return not self.kinds and bool(self.rows or self.unreadable)

    def count(self, landed: Iterable[Landed]) -> None:
        """Add what the store made of a batch."""
        self.kinds.update(import_outcome(item) for item in landed)


def counts_to_json(taken: ImportCounts) -> dict[str, Any]:
    """The numbers as a request carries them."""
    return {name: getattr(taken, name) for name in ImportCounts.__slots__} | {
        "kinds": dict(taken.kinds)
    }


def counts_from_json(told: Mapping[str, Any]) -> ImportCounts:
    """The other way round: what `told` made, as it came back through the file."""
    known = {name: told[name] for name in ImportCounts.__slots__ if name in told}
    return ImportCounts(**known | {"kinds": Counter(told.get("kinds", {}))})


def import_outcome(landed: Landed) -> str:
    """In one word what became of something that landed."""
    if landed.what in {
        ChangeKind.NEW,
        ChangeKind.COPIED,
        ChangeKind.REVISED,
        ChangeKind.PROMOTED,
    }:
        return {ChangeKind.NEW: "new", ChangeKind.REVISED: "revised"}.get(
            landed.what, "copies"
        )
    if landed.fate in {FateKind.ARTICLE, FateKind.COPY}:
        return "unchanged"
    return (
        f"{landed.fate}: {landed.reason}"
        if landed.fate and landed.fate != landed.reason
        else landed.fate or "pending"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What one task reads.

    Numbered lines or captures, and where the file goes on after them.
    """

    end: int
    lines: Sequence[tuple[int, bytes]] = ()
    captures: Sequence[SavedPage] = ()

    @property
    def rows(self) -> int:
        return len(self.lines) + len(self.captures)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What the task of a piece brought."""

    piece: _Piece
    landings: list[Landing]
    unread: int = 0  # captures that were not worth reading
    faults: tuple[FileFault, ...] = ()


class _Readers:
    """The workers, and what they are told."""

    def __init__(self, desk: ImportContext) -> None:
        self.desk = desk
        self._judges = {
            id_: one
            for id_, one in desk.sources.items()
            if one.min_relevance is not None
        }
        self._watched = _hosts(desk.sources.values())

    async def read(self, name: str, piece: _Piece) -> _Part:
        """What a piece of a file brings."""
        if piece.lines:
            rows = await self._lines(piece.lines)
            told = ((row.number, warning) for row in rows for warning in row.warnings)
            faults = tuple(
                FileFault(file=name, where=number, what=warning)
                for number, warning in told
            )
            return _Part(
                piece=piece,
                landings=[row.landing for row in rows if row.landing],
                faults=faults,
            )
        landings, unread = await self._captures([one.page for one in piece.captures])
        return _Part(piece=piece, landings=landings, unread=unread)

    async def _lines(self, numbered: Sequence[tuple[int, bytes]]) -> list[ParsedLine]:
        settings, now = self.desk.settings, utc_now()
        try:
            return await self.desk.pool.run(
                PARSE_LINES, numbered, sources=self._judges, settings=settings, now=now
            )
        except WorkerLost as error:
            # One line of the batch did it: the others must not pay
            if len(numbered) > 1:
                return [row for line in numbered for row in await self._lines([line])]
            return [
                ParsedLine(
                    number=numbered[0][0],
                    landing=None,
                    warnings=(f"unreadable ({error}); skipped",),
                )
            ]

    async def _captures(self, pages: Sequence[Page]) -> tuple[list[Landing], int]:
        """What some captures bring, and how many of them were not worth reading."""
        hosts = {identity.url_host(page.url) for page in pages}
        furniture = await self._furniture(hosts)
        told = {
            "settings": self.desk.settings,
            "boilerplate": furniture,
            "watched": self._watched & hosts,
        }
        try:
            read = await self.desk.pool.run(PROCESS_CAPTURES, pages, **told)
        except WorkerLost as error:
            if len(pages) > 1:  # one of them did it: the others must not pay
                apart = [await self._captures([page]) for page in pages]
                return [landing for landings, _ in apart for landing in landings], sum(
                    unread for _, unread in apart
                )
            rejection = Rejection(why=RejectionReason.UNREADABLE, detail=str(error))
            lost = Landing(
                outcome=rejection,
                url=pages[0].url,
                source=identity.url_host(pages[0].url),
            )
            read = [(lost, True)]
        # What was not read is not kept either: the file that it came from has it.
        landings = [
            replace(one, page=page if was_read else None)
            for page, (one, was_read) in zip(pages, read, strict=True)
        ]
        return landings, sum(not was_read for _, was_read in read)

    async def _furniture(self, hosts: Iterable[str]) -> dict[str, frozenset[int]]:
        writer = self.desk.writer
        return await writer.run(
            lambda: {
                host: lines
                for host in hosts
                if (lines := writer.store.boilerplate.learned(host))
            }
        )


def _hosts(sources: Iterable[Source]) -> frozenset[str]:
    """Hosts of the sources: their pages are always read."""
    return frozenset(identity.url_host(source.url) for source in sources)


def require_known(files: Iterable[Path]) -> None:
    """Raise UsageError for a file of no known kind, before anything is read."""
    for file in files:
        if not is_articles(file) and not saved.is_warc(file):
            raise UsageError(
                f"{file} is neither .jsonl nor .warc (nor one of them as .gz) nor .wacz"
            )


async def import_files(
    desk: ImportContext, files: Sequence[Path], *, warn: Warn, progress: Progress, every: bool = False
) -> ImportCounts:  # fmt: skip
    """Import files one after the other.

    `warn` hears of the first faults of each kind in a file, or of every one.
    """
    taken = ImportCounts()
    readers, faults = _Readers(desk), FaultDigest(warn, every=every)
    for file in files:
        await _file(readers, file, taken, faults, progress)
    return taken


async def _file(
    readers: _Readers,
    file: Path,
    taken: ImportCounts,
    faults: FaultDigest,
    progress: Progress,
) -> None:
    intake = _Intake(readers.desk, file, taken, progress)
    try:
        await intake.begin()
        async for part in _in_order(readers, file, intake.at, faults):
            await intake.add(part)
        await intake.finish()
    except (OSError, EOFError, ValueError) as fault:
        taken.unreadable += 1
        faults.note(
            FileFault(
                file=str(file), what=str(getattr(fault, "strerror", None) or fault)
            )
        )
    finally:
        faults.end_file()
        taken.warnings = faults.total
        await intake.land()


class _Intake:
    """One file on its way into the store."""

    def __init__(
        self, desk: ImportContext, file: Path, taken: ImportCounts, progress: Progress
    ) -> None:
        self.desk = desk
        self.file = file
        self.taken = taken
        self.progress = progress
        self._progress = desk.writer.store.progress
        self.at = 0  # where reading goes on after all that was landed
        self._rows = 0
        self._key = ""
        self._batch: list[Landing] = []

    async def begin(self) -> None:
        """Find out how far an earlier run came."""
        self.taken.file = self.file.name
        self._key = await asyncio.to_thread(file_key, self.file)
        state = await self._run(self._progress.load, "import", self._key)
        self.at, self._rows = int(state.get("at", 0)), int(state.get("rows", 0))
        self.taken.before += self._rows
        self.progress(self.taken)

    async def add(self, part: _Part) -> None:
        """Count what a task brought, and land it when there is enough."""
        rows = part.piece.rows
        self.taken.rows += rows
        self.taken.unread += part.unread
        self.taken.skipped += rows - len(part.landings)
        self._rows += rows
        self._batch += part.landings
        self.at = part.piece.end
        if len(self._batch) >= LANDINGS_PER_BATCH:
            await self.land()
            if self.at:
                await self._run(
                    self._progress.save,
                    "import",
                    self._key,
                    self.file.name,
                    {"at": self.at, "rows": self._rows},
                )

    async def land(self) -> None:
        """Store what waits.

        A kill between this and the note of how far it came lands the same again,
        unchanged.
        """
        batch, self._batch = self._batch, []
        if batch:
            self.taken.count(
                await self.desk.writer.run(self.desk.writer.store.landings.land, batch)
            )
            _give_back()
        self.progress(self.taken)

    async def finish(self) -> None:
        """The file was read to its end: another run of it begins anew."""
        await self.land()
        await self._run(self._progress.clear, "import", self._key)

    async def _run(self, function: Callable[..., Any], *told: object) -> Any:
        return await self.desk.writer.run(function, *told)


def _give_back() -> None:
    """Hand what was freed back to the system.

    Bodies of all sizes leave holes that glibc keeps: 30 MB after 3,000.
    """
    # Another C library has its own way, or none
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def file_key(file: Path) -> str:
    """What a file is known by again, wherever it lies.

    Its size and the bytes at its two ends.
    """
    size = file.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with file.open("rb") as stream:
        digest.update(stream.read(EDGE_BYTES))
        stream.seek(max(0, size - EDGE_BYTES))
        digest.update(stream.read(EDGE_BYTES))
    return digest.hexdigest()


async def _in_order(
    readers: _Readers, file: Path, start: int, faults: FaultDigest
) -> AsyncIterator[_Part]:
    """What each task of a file brought, in the file's order, from a place on."""
    waiting: deque[asyncio.Future[_Part]] = deque()
    # Filled in the thread that reads, told in this one
    found: deque[FileFault] = deque()

    async def next_one() -> _Part:
        part = await waiting.popleft()
        for fault in (*_emptied(found), *part.faults):
            faults.note(fault)
        return part

    pieces = _pieces(file, start, readers.desk.pages, found.append)
    try:
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            waiting.append(asyncio.ensure_future(readers.read(file.name, piece)))
            if len(waiting) >= readers.desk.max_tasks:
                yield await next_one()
        while waiting:
            yield await next_one()
    finally:
        for fault in _emptied(found):
            faults.note(fault)
        for task_left in waiting:
            task_left.cancel()


def _emptied(faults: deque[FileFault]) -> Iterator[FileFault]:
    while faults:
        yield faults.popleft()


def _pieces(
    file: Path, start: int, most: int, note: Callable[[FileFault], None]
) -> Iterator[_Piece]:
    if not is_articles(file):
        for captures in _bounded(
            saved.read_pages(file, note, start=start, with_revisits=True),
            most,
            lambda one: len(one.page.body),
        ):
            yield _Piece(captures=captures, end=captures[-1].end)
        return
    lines = enumerate(numbered_lines(file), 1)
    left = ((place, line) for place, line in lines if place > start)
    for batch in _bounded(left, LINES_PER_TASK, lambda one: len(one[1][1])):
        yield _Piece(lines=[line for _, line in batch], end=batch[-1][0])


def _bounded(
    items: Iterable[T], most: int, size_of: Callable[[T], int]
) -> Iterator[list[T]]:
    """So many items at a time, or fewer where they are large."""
    batch: list[T] = []
    size = 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) == most or size >= MAX_TASK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def is_articles(file: Path) -> bool:
    """Whether the name says JSON lines."""
    return file.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))


def numbered_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, from 1.

    Of one that is too long only so much that it is no JSON any more.
    """
    with cast(
        "IO[bytes]",
        gzip.open(file) if file.name.lower().endswith(".gz") else file.open("rb"),
    ) as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES):
            number += 1
            rest = line
            while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_LINE_BYTES)
            if line.strip():
                yield number, line if rest is line else line[:100]
