"""Files of articles or captures, cut into pieces that one task reads."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar, cast

from crawler.files import saved
from crawler.files.file_faults import ReportFault
from crawler.files.warc_records import SavedPage

T = TypeVar("T")

# JSON lines of one task: what a task costs by itself is then under a tenth.
LINES_PER_TASK = 32
# Of one task, so that what is in flight stays small
MAX_TASK_BYTES = 2_000_000
MAX_LINE_BYTES = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePiece:
    """What one task reads: numbered lines or captures.

    `end` is where the file goes on after them.
    """

    end: int
    lines: Sequence[tuple[int, bytes]] = ()
    captures: Sequence[SavedPage] = ()

    @property
    def rows(self) -> int:
        """How many lines and captures it has."""
        return len(self.lines) + len(self.captures)


def is_articles(file: Path) -> bool:
    """Whether the name says JSON lines."""
    return file.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))


def cut_file(
    file: Path,
    *,
    start: int,
    captures_per_task: int,
    max_page_bytes: int,
    report: ReportFault,
) -> Iterator[FilePiece]:
    """The pieces of a file, from a place on. Raises OSError, EOFError, ValueError."""
    if not is_articles(file):
        pages = saved.read_pages(
            file, report, limit=max_page_bytes, start=start, with_revisits=True
        )
        for captures in _cut(
            pages, captures_per_task, lambda page: len(page.page.body)
        ):
            yield FilePiece(captures=captures, end=captures[-1].end)
        return
    lines = enumerate(numbered_lines(file), 1)
    left = ((place, line) for place, line in lines if place > start)
    for batch in _cut(left, LINES_PER_TASK, lambda item: len(item[1][1])):
        last_place, _ = batch[-1]
        yield FilePiece(lines=[line for _, line in batch], end=last_place)


def _cut(
    items: Iterable[T], max_items: int, size_of: Callable[[T], int]
) -> Iterator[list[T]]:
    """So many items at a time, or fewer where they are large."""
    batch: list[T] = []
    size = 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) == max_items or size >= MAX_TASK_BYTES:
            yield batch
            batch = []
            size = 0
    if batch:
        yield batch


def numbered_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, from 1.

    Of one that is too long only so much that it is no JSON any more.
    """
    with file.open("rb") as stored:
        stream: IO[bytes] = stored
        if file.name.lower().endswith(".gz"):
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=stored))
        number = 0
        while line := stream.readline(MAX_LINE_BYTES):
            number += 1
            rest = line
            while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_LINE_BYTES)
            if rest is not line:
                line = line[:100]
            if line.strip():
                yield number, line
