"""Saved responses on the disk: WARC and WACZ files, pages as a browser saves them.

One page at a time, as bytes.
"""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, cast

from crawler.files.file_faults import ReportFault
from crawler.files.warc_records import (
    OpenStream,
    RevisitBodies,
    SavedPage,
    WarcReader,
)
from crawler.sources import CrawlSettings
from storage.model import Page, utc_now

MAX_PAGE_BYTES = CrawlSettings().max_page_size  # where no configuration says
WARC_SUFFIXES = (".warc", ".warc.gz")
WACZ_SUFFIX = ".wacz"
# A place in a file of several parts is `part * _PART_SIZE + offset`.
_PART_SIZE = 1 << 44


def is_warc(file: Path) -> bool:
    """Whether the name or the first bytes say WARC."""
    if file.name.lower().endswith((*WARC_SUFFIXES, WACZ_SUFFIX)):
        return True
    try:
        with file.open("rb") as stream:
            head = stream.read(64)
    except OSError:
        return False
    if head.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):
            head = zlib.decompressobj(wbits=31).decompress(head, 16)
    return head.startswith(b"WARC/")


def read_pages(
    file: Path,
    report: ReportFault,
    *,
    limit: int = MAX_PAGE_BYTES,
    start: int = 0,
    with_revisits: bool = False,
) -> Iterator[SavedPage]:
    """The responses of a file: each one of a WARC or WACZ, or the one page.

    `limit` are the bytes of one page, decoded; `start` is the `end` of the page after
    which to go on. `with_revisits` gives the records as well that repeat another's
    body, with that body. Raises OSError where the file is none of these.
    """
    if not is_warc(file):
        yield SavedPage(page=_read_page(file, limit), file=str(file))
        return
    first, offset = divmod(start, _PART_SIZE)
    for number, (name, open_part) in enumerate(_list_parts(file)):
        if number < first:
            continue
        bodies: RevisitBodies | None = None
        if with_revisits:
            bodies = RevisitBodies(open_part, limit=limit)
        with open_part() as stream:
            reader = WarcReader(stream, name, report, limit=limit, bodies=bodies)
            for saved in reader.read_from(offset):
                end = saved.end
                if end:
                    end += number * _PART_SIZE
                yield replace(saved, file=str(file), end=end)
        offset = 0


def _list_parts(file: Path) -> Iterator[tuple[str, OpenStream]]:
    """The WARC files in a file: the name of each, and what opens it.

    The file itself, or those in the folder `archive` of a WACZ.
    """
    if not file.name.lower().endswith(WACZ_SUFFIX):
        yield str(file), lambda: file.open("rb")
        return
    try:
        with zipfile.ZipFile(file) as folder:
            names = []
            for name in folder.namelist():
                if name.startswith("archive/") and name.lower().endswith(WARC_SUFFIXES):
                    names.append(name)
            for name in sorted(names):
                yield f"{file}: {name}", partial(folder.open, name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as fault:
        why = f"is not a WACZ file ({str(fault)[:100]})"
        raise OSError(0, why, str(file)) from fault


def _read_page(file: Path, limit: int) -> Page:
    """A page without its headers; its address is the one that it names for itself."""
    with file.open("rb") as stored:
        stream: IO[bytes] = stored
        is_packed = stored.read(2) == b"\x1f\x8b"
        stored.seek(0)
        if is_packed:
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=stored))
        try:
            body = stream.read(limit)
        except (EOFError, zlib.error) as fault:
            raise OSError(f"{file}: not a whole gzip file") from fault
    return Page(
        url="", final_url="", status=200, headers=(), body=body, fetched_at=utc_now()
    )
