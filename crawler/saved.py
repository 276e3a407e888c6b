"""Saved responses on the disk: WARC files and pages as a browser saves them. Bytes -> `Page`s, one at a time.

Sizes are bounded before anything is unpacked; a record that cannot be read is left out and told of, and the next one is
tried. Where a file breaks off, what came before it counts.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.timeutils import iso_date_to_datetime

from crawler import inflate
from storage.folding import printable
from storage.model import Page, utc_now

MOST_BYTES = 10_000_000  # of one page, decoded (rules: 10 MB pages)
WARC = (".warc", ".warc.gz")
# What warcio raises for bytes that are no record: it was written for whole files.
BROKEN = (ArchiveLoadFailed, zlib.error, EOFError, ValueError, KeyError, AttributeError, IndexError, TypeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One saved response, and which record of which file it is."""

    page: Page
    file: str
    record_id: str | None = None  # WARC-Record-ID with its angle brackets


def is_warc(file: Path) -> bool:
    """Whether the name or the first bytes say WARC."""
    if file.name.lower().endswith(WARC):
        return True
    try:
        with file.open("rb") as stream:
            head = stream.read(64)
    except OSError:
        return False
    if head.startswith(b"\x1f\x8b"):
        head = zlib.decompressobj(wbits=31).decompress(head, 16)
    return head.startswith(b"WARC/")


def pages(file: Path, warn: Callable[[str], None], *, limit: int = MOST_BYTES) -> Iterator[Saved]:
    """The responses of a file: each response record of a WARC, or the one page. Raises OSError where there is none."""
    if is_warc(file):
        yield from _records(file, warn, limit)
    else:
        yield Saved(page=_page(file, limit), file=str(file))


def _records(file: Path, warn: Callable[[str], None], limit: int) -> Iterator[Saved]:
    any_read = False
    with file.open("rb") as stream:
        records = ArchiveIterator(stream, arc2warc=False)
        while True:
            try:
                record = next(records, None)
                if record is None:
                    return
                saved = _saved(record, file, warn, limit) if record.rec_type == "response" else None
            except BROKEN as fault:
                if not any_read:
                    raise OSError(0, "is not a WARC file", str(file)) from fault
                warn(f"{file}: breaks off ({type(fault).__name__}: {str(fault)[:100]})")
                return
            any_read = True
            if saved is not None:
                yield saved


def _saved(record: Any, file: Path, warn: Callable[[str], None], limit: int) -> Saved | None:
    headers, http = record.rec_headers, record.http_headers
    url = printable((headers.get_header("WARC-Target-URI") or "").strip("<> "))
    if http is None or not url:
        warn(f"{file}: {headers.get_header('WARC-Record-ID')} holds no HTTP response")
        return None
    # The packed body may not be larger either: brotli and zstd make 10 MB of 10 kB, never the other way round.
    raw = record.raw_stream.read(limit + 1)
    if (http.get_header("Transfer-Encoding") or "").lower() == "chunked":
        raw = unchunked(raw)
    body = inflate.body(raw[:limit], http.get_header("Content-Encoding"), limit=limit, partial=True)
    if isinstance(body, inflate.Broken):
        warn(f"{file}: {url}: {body.reason}: {body.detail}")
        body = b""
    page = Page(
        url=url,
        final_url=url,
        status=_status(http.get_statuscode()),
        headers=tuple((str(name), str(value)) for name, value in http.headers),
        body=body,
        fetched_at=_moment(headers.get_header("WARC-Date")),
    )
    return Saved(page=page, file=str(file), record_id=headers.get_header("WARC-Record-ID"))


def unchunked(raw: bytes) -> bytes:
    """A body without its chunk sizes; as it is where it has none (many archives keep the header and not the form)."""
    out, rest = bytearray(), raw
    while rest:
        size, found, after = rest[:20].partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            return bytes(out) if out else raw
        if not found or length == 0:
            return bytes(out) if out or length == 0 else raw
        start = len(rest[:20]) - len(after)
        out += rest[start : start + length]
        rest = rest[start + length + 2 :]
    return bytes(out)


def _status(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) == 3 else 200


def _moment(text: str | None) -> datetime:
    try:
        found: datetime = iso_date_to_datetime(text, tz_aware=True)
    except (ValueError, TypeError, AttributeError):
        return utc_now()
    return found.astimezone(UTC)


def _page(file: Path, limit: int) -> Page:
    """A page without its headers; its address is the one that it names for itself."""
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    with gzip.open(file) if packed else file.open("rb") as stream:
        try:
            body = stream.read(limit)
        except (EOFError, zlib.error) as fault:
            raise OSError(f"{file}: not a whole gzip file") from fault
    return Page(url="", final_url="", status=200, headers=(), body=body, fetched_at=utc_now())
