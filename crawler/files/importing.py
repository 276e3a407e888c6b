"""Files of captures or articles are imported, in the order of the input.

Through the same processing as a crawl. Files are read in a thread and their lines and
pages in the worker pool, a bounded number ahead, so that a service that does it goes on
with everything else; their landings are stored in batches in order. What cannot be read
is a fault and a count, and never stops the rest. After each batch the store knows how
far a file came: a second run of what was killed goes on there (`store.progress`).
"""

import asyncio
import ctypes
import hashlib
from collections import Counter, deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crawler.files import pieces, reprocessing, saved
from crawler.files.captures import ProcessedCapture
from crawler.files.file_faults import FaultDigest, FileFault, ReportFault
from crawler.files.import_context import ImportContext
from crawler.files.parsed_line import ParsedLine
from crawler.files.pieces import FilePiece
from crawler.workers import Done, Task, map_in_order
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

LANDINGS_PER_BATCH = 64  # of one transaction
EDGE_BYTES = 1 << 20  # at either end of a file, by which it is known again

PARSE_LINES: Task[list[ParsedLine]] = Task("crawler.files.articles", "parse_lines")
PROCESS_CAPTURES: Task[list[ProcessedCapture]] = Task(
    "crawler.files.captures", "process_captures"
)

Warn = Callable[[str], None]
Progress = Callable[["ImportCounts"], None]

_CHANGE_LABELS = {
    ChangeKind.NEW: "new",
    ChangeKind.REVISED: "revised",
    ChangeKind.COPIED: "copies",
    ChangeKind.PROMOTED: "copies",
}


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
    # Captures without an Afghan word in their bytes; they count among the rejected too.
    unread: int = 0
    before: int = 0  # rows that an earlier run of the same file imported
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def nothing_taken(self) -> bool:
        """Whether none of what the files held, or may have held, arrived."""
        return not self.kinds and bool(self.rows or self.unreadable)

    def count(self, landed: Iterable[Landed]) -> None:
        """Add what the store made of a batch."""
        self.kinds.update(import_outcome(item) for item in landed)


def counts_to_json(counts: ImportCounts) -> dict[str, Any]:
    """The counts as a job carries them."""
    known = {name: getattr(counts, name) for name in ImportCounts.__slots__}
    return known | {"kinds": dict(counts.kinds)}


def counts_from_json(told: Mapping[str, Any]) -> ImportCounts:
    """The counts that `counts_to_json` wrote, as they come back through the file."""
    known = {name: told[name] for name in ImportCounts.__slots__ if name in told}
    known["kinds"] = Counter(told.get("kinds", {}))
    return ImportCounts(**known)


def import_outcome(landed: Landed) -> str:
    """In one word what became of something that landed."""
    if landed.what in _CHANGE_LABELS:
        return _CHANGE_LABELS[landed.what]
    if landed.fate is None:
        return "pending"
    if landed.fate in {FateKind.ARTICLE, FateKind.COPY}:
        return "unchanged"
    if landed.fate == landed.reason:
        return landed.fate
    return f"{landed.fate}: {landed.reason}"


def require_known(files: Iterable[Path]) -> None:
    """Raise UsageError for a file of no known kind, before anything is read."""
    for file in files:
        if not pieces.is_articles(file) and not saved.is_warc(file):
            raise UsageError(
                f"{file} is neither .jsonl nor .warc (nor one of them as .gz) nor .wacz"
            )


async def import_files(
    context: ImportContext,
    files: Sequence[Path],
    *,
    warn: Warn,
    progress: Progress,
    every: bool = False,
) -> ImportCounts:
    """Import files one after the other.

    `warn` hears of the first faults of each kind in a file, or of every one. Raises
    WorkFailed where no worker is to be had, StoreError.
    """
    counts = ImportCounts()
    started_at = utc_now()
    reader = PieceReader(context)
    faults = FaultDigest(warn, every=every)
    for file in files:
        going = FileImport(context, file, counts, progress)
        try:
            await going.begin()
            results = _read_in_order(context, reader, file, going.position, faults.note)
            async with aclosing(results):
                async for result in results:
                    await going.add(result)
            await going.finish()
        except (OSError, EOFError, ValueError) as error:
            counts.unreadable += 1
            why = getattr(error, "strerror", None) or error
            faults.note(FileFault(file=str(file), what=str(why)))
        finally:
            faults.end_file()
            counts.warnings = faults.total
            await going.land()
    await reprocessing.clean_anew(context, started_at)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceResult:
    """What the task of a piece brought."""

    piece: FilePiece
    landings: list[Landing]
    unread: int = 0  # captures that were not worth reading
    faults: tuple[FileFault, ...] = ()


class PieceReader:
    """Lets workers read the pieces of files."""

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        sources = context.sources
        # Sources that have a say in relevance
        self._judges = {
            id_: source
            for id_, source in sources.items()
            if source.min_relevance is not None
        }
        # Hosts of the sources: their pages are always read.
        self._watched = frozenset(
            identity.url_host(source.url) for source in sources.values()
        )

    async def read(self, name: str, piece: FilePiece) -> PieceResult:
        """What a piece of the file of that name brings."""
        if piece.lines:
            parsed = await self._parse_lines(piece.lines)
            landings = []
            faults = []
            for line in parsed:
                if line.landing is not None:
                    landings.append(line.landing)
                for warning in line.warnings:
                    fault = FileFault(file=name, where=line.number, what=warning)
                    faults.append(fault)
            return PieceResult(piece=piece, landings=landings, faults=tuple(faults))

        pages = [capture.page for capture in piece.captures]
        processed = await self._process_captures(pages)
        landings = []
        unread = 0
        for page, capture in zip(pages, processed, strict=True):
            # What was not read is not kept either: the file that it came from has it.
            if capture.was_read:
                landings.append(replace(capture.landing, page=page))
            else:
                landings.append(capture.landing)
                unread += 1
        return PieceResult(piece=piece, landings=landings, unread=unread)

    async def _parse_lines(
        self, numbered: Sequence[tuple[int, bytes]]
    ) -> list[ParsedLine]:
        result = await self._context.pool.run_when_possible(
            PARSE_LINES,
            numbered,
            sources=self._judges,
            settings=self._context.settings,
            now=utc_now(),
        )
        if isinstance(result, Done):
            return result.value
        if len(numbered) == 1:
            fault = f"unreadable ({result.why}); skipped"
            number, _ = numbered[0]
            return [ParsedLine(number=number, landing=None, warnings=(fault,))]
        # One line of the batch did it: the others must not pay.
        parsed = []
        for line in numbered:
            parsed += await self._parse_lines([line])
        return parsed

    async def _process_captures(self, pages: Sequence[Page]) -> list[ProcessedCapture]:
        hosts = {identity.url_host(page.url) for page in pages}
        result = await self._context.pool.run_when_possible(
            PROCESS_CAPTURES,
            pages,
            settings=self._context.settings,
            boilerplate=await self._load_boilerplate(hosts),
            watched=self._watched & hosts,
        )
        if isinstance(result, Done):
            return result.value
        if len(pages) == 1:
            url = pages[0].url
            outcome = Rejection(why=RejectionReason.UNREADABLE, detail=result.why)
            landing = Landing(outcome=outcome, url=url, source=identity.url_host(url))
            return [ProcessedCapture(landing=landing, was_read=True)]
        # One of them did it: the others must not pay.
        processed = []
        for page in pages:
            processed += await self._process_captures([page])
        return processed

    async def _load_boilerplate(
        self, hosts: Iterable[str]
    ) -> dict[str, frozenset[int]]:
        """What each host has taught, where it has taught anything."""
        writer = self._context.writer

        def load() -> dict[str, frozenset[int]]:
            learned = {}
            for host in hosts:
                lines = writer.store.boilerplate.learned(host)
                if lines:
                    learned[host] = lines
            return learned

        return await writer.run(load)


class FileImport:
    """One file on its way into the store."""

    def __init__(
        self,
        context: ImportContext,
        file: Path,
        counts: ImportCounts,
        progress: Progress,
    ) -> None:
        self.position = 0  # where reading goes on after all that was landed
        self._writer = context.writer
        self._file = file
        self._counts = counts
        self._progress = progress
        self._rows = 0
        self._key = ""
        self._batch: list[Landing] = []

    async def begin(self) -> None:
        """Find out how far an earlier run came."""
        self._counts.file = self._file.name
        self._key = await asyncio.to_thread(file_key, self._file)
        store = self._writer.store
        kept = await self._writer.run(store.progress.load, "import", self._key)
        self.position = int(kept.get("at", 0))
        self._rows = int(kept.get("rows", 0))
        self._counts.before += self._rows
        self._progress(self._counts)

    async def add(self, result: PieceResult) -> None:
        """Count what a task brought, and land it when there is enough."""
        rows = result.piece.rows
        self._counts.rows += rows
        self._counts.unread += result.unread
        self._counts.skipped += rows - len(result.landings)
        self._rows += rows
        self._batch += result.landings
        self.position = result.piece.end
        if len(self._batch) < LANDINGS_PER_BATCH:
            return
        await self.land()
        # A file that can only be read from its start has no place to go on at.
        if self.position:
            kept = {"at": self.position, "rows": self._rows}
            save = self._writer.store.progress.save
            await self._writer.run(save, "import", self._key, self._file.name, kept)

    async def land(self) -> None:
        """Store what waits.

        A kill between this and the note of how far it came lands the same again,
        unchanged.
        """
        batch, self._batch = self._batch, []
        if batch:
            land = self._writer.store.landings.land
            self._counts.count(await self._writer.run(land, batch))
            _release_memory()
        self._progress(self._counts)

    async def finish(self) -> None:
        """The file was read to its end: another run of it begins anew."""
        await self.land()
        clear = self._writer.store.progress.clear
        await self._writer.run(clear, "import", self._key)


def _release_memory() -> None:
    """Hand freed memory back to the system.

    Bodies of all sizes leave holes that glibc keeps: 30 MB after 3,000 pages.
    """
    # Another C library has its own way, or none.
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


async def _read_in_order(
    context: ImportContext,
    reader: PieceReader,
    file: Path,
    start: int,
    report: ReportFault,
) -> AsyncGenerator[PieceResult, None]:
    """What each task of a file brought, in the file's order, from a place on."""
    # Filled in the thread that reads, told in this one
    found: deque[FileFault] = deque()
    cut = pieces.cut_file(
        file,
        start=start,
        captures_per_task=context.pages,
        max_page_bytes=context.settings.max_page_size,
        report=found.append,
    )

    async def read_file() -> AsyncIterator[FilePiece]:
        while (piece := await asyncio.to_thread(next, cut, None)) is not None:
            yield piece

    async def read_piece(piece: FilePiece) -> PieceResult:
        return await reader.read(file.name, piece)

    results = map_in_order(read_piece, read_file(), max_ahead=context.max_tasks)
    try:
        async with aclosing(results):
            async for result in results:
                while found:
                    report(found.popleft())
                for fault in result.faults:
                    report(fault)
                yield result
    finally:
        while found:
            report(found.popleft())
