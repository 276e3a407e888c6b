"""Saved responses on the disk: WARC and WACZ files, pages as a browser saves them.

Bytes -> `Page`s, one at a time.

Sizes are bounded before anything is unpacked; a record that cannot be read is left out
and told of, and the next one is looked for. Where a file breaks off, what came before
it counts. Each page says where reading may go on after it.
"""

import gzip
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import DecompressingBufferedReader
from warcio.exceptions import ArchiveLoadFailed
from warcio.timeutils import iso_date_to_datetime

from crawler.fetching import content_encoding
from crawler.files.file_faults import FileFault, ReportFault
from storage.archive import SOURCE_HEADER
from storage.folding import printable
from storage.model import Page, StoredRecord, utc_now

MAX_LINE_BYTES = 1 << 16  # bytes of one line of a record's headers
MAX_HEADER_BYTES = 1 << 20  # bytes of all lines between two payloads
MAX_PAGE_BYTES = 10_000_000  # of one page, decoded (rules: 10 MB pages)
MAX_NAME_CHARS = 300  # characters of an address or id that a fault names
WARC_SUFFIXES = (".warc", ".warc.gz")
WACZ_SUFFIX = ".wacz"
MAX_BROKEN_RECORDS = 1_000  # places of one file at which reading is taken up again
# How records begin, packed and plain: where to go on after one that is broken.
_BEGINNING = re.compile(rb"\x1f\x8b\x08[\x00\x04]|WARC/[01]\.[0-9]\r?\n")
_CHUNK = 1 << 20  # bytes
_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PART = 1 << 44  # a place in a file of several parts is `part * _PART + offset`
# What warcio raises for bytes that are no record: it was written for whole files.
RECORD_FAULTS = (
    ArchiveLoadFailed,
    zlib.error,
    EOFError,
    ValueError,
    KeyError,
    AttributeError,
    IndexError,
    TypeError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPage:
    """One saved response, and which record of which file it is."""

    page: Page
    file: str
    record_id: str | None = None  # WARC-Record-ID with its angle brackets
    # Where to go on after this one (`pages(start=…)`); 0 where a file can only be read
    # from its start
    end: int = 0


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
    note: ReportFault,
    *,
    limit: int = MAX_PAGE_BYTES,
    start: int = 0,
    with_revisits: bool = False,
) -> Iterator[SavedPage]:
    """The responses of a file: each response record of a WARC or WACZ, or the one page.

    `start` is the `end` of the page after which to go on. `with_revisits` gives the
    records as well that repeat another's body, with that body. Raises OSError where the
    file is none of these.
    """
    if not is_warc(file):
        yield SavedPage(page=_page(file, limit), file=str(file))
        return
    first, offset = divmod(start, _PART)
    for part, (name, opened) in enumerate(_parts(file)):
        if part < first:
            continue
        bodies = None
        if with_revisits:
            bodies = _Bodies(opened, limit)
        begin = 0
        if part == first:
            begin = offset
        with opened() as stream:
            for saved in _records(stream, name, note, limit, begin, bodies):
                end = 0
                if saved.end:
                    end = part * _PART + saved.end
                yield replace(saved, file=str(file), end=end)


class _Bodies:
    """The bodies of one WARC by their payload digest, for revisits that name them.

    The file is looked through once, when the first revisit asks: an import that goes on
    in the middle has not met what came before.
    """

    def __init__(self, opened: Callable[[], Any], limit: int) -> None:
        self._opened = opened
        self._limit = limit
        self._offsets: dict[str, int] | None = None

    def find(self, digest: str) -> bytes | None:
        """The body as it was parsed; None where no whole record of the file has it."""
        if self._offsets is None:
            self._offsets = self._list_offsets()
        offset = self._offsets.get(digest)
        if offset is None:
            return None
        with self._opened() as stream:
            stream.seek(offset)
            try:
                record = next(iter(_archive(stream)), None)
                if record is None:
                    return None
                saved = _saved(record, "", lambda _: None, self._limit, None)
            except RECORD_FAULTS:
                return None
        return None if saved is None else saved.page.body

    def _list_offsets(self) -> dict[str, int]:
        found: dict[str, int] = {}
        begin = 0
        with self._opened() as stream, suppress(*RECORD_FAULTS):
            records = _archive(stream)
            for record in records:
                digest = record.rec_headers.get_header("WARC-Payload-Digest")
                if record.rec_type == "response" and digest:
                    found.setdefault(digest, begin)
                records.get_record_offset()  # reads the record to its end
                records.reader.in_lines = 0
                begin = records.offset
        return found


@contextmanager
def _whole(file: Path) -> Iterator[IO[bytes]]:
    with file.open("rb") as stream:
        yield stream


def _parts(file: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The WARC files in a file, by name.

    Itself, or those in the folder `archive` of a WACZ.
    """
    if not file.name.lower().endswith(WACZ_SUFFIX):
        yield str(file), partial(_whole, file)
        return
    try:
        with zipfile.ZipFile(file) as folder:
            named = [
                one
                for one in folder.namelist()
                if one.startswith("archive/") and one.lower().endswith(WARC_SUFFIXES)
            ]
            for name in sorted(named):
                yield f"{file}: {name}", partial(folder.open, name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as fault:
        raise OSError(
            0, f"is not a WACZ file ({str(fault)[:100]})", str(file)
        ) from fault


def _records(
    stream: IO[bytes],
    name: str,
    note: ReportFault,
    limit: int,
    start: int,
    bodies: _Bodies | None,
) -> Iterator[SavedPage]:
    """The responses of one WARC, from a place on.

    After a broken record the next one is looked for.
    """
    any_read, broken, at = start > 0, 0, start
    while True:
        stream.seek(at)
        records = _archive(stream)
        fault: Exception | None = None
        try:
            for saved, end in _each(records, name, note, limit, at, bodies):
                any_read, at = True, end
                if saved is not None:
                    yield saved
        except RECORD_FAULTS as found:
            fault = found
        if fault is None:
            return
        if "non-chunked" in str(fault):
            yield from _packed_whole(stream, name, note, limit)
            return
        broken += 1
        following = (
            _next_beginning(stream, at + 1) if broken < MAX_BROKEN_RECORDS else None
        )
        if not any_read and (following is None or broken > 1):
            raise OSError(0, "is not a WARC file", name) from fault
        how = "goes on after a broken record" if following is not None else "breaks off"
        note(
            FileFault(
                file=name,
                what=how,
                detail=f"{type(fault).__name__}: {str(fault)[:100]}",
            )
        )
        if following is None:
            return
        at = following


class _Lines(DecompressingBufferedReader):  # type: ignore[misc]
    """warcio's reader with lines that end.

    Of a packed gigabyte without one it would make a single line.
    """

    in_lines = 0  # bytes that were read as lines since the last record began

    def readline(self, length: int | None = None) -> bytes:
        """One line of headers.

        Raises ArchiveLoadFailed where it or the headers have no end.
        """
        if length == 0:
            return b""
        line: bytes = super().readline(min(length or MAX_LINE_BYTES, MAX_LINE_BYTES))
        self.in_lines += len(line)
        if self.in_lines > MAX_HEADER_BYTES or (
            len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
        ):
            raise ArchiveLoadFailed("headers without an end")
        return line


def _archive(stream: IO[bytes]) -> ArchiveIterator:
    records = ArchiveIterator(stream, arc2warc=False)
    records.reader = _Lines(stream)
    return records


def _each(
    records: Any,
    name: str,
    note: ReportFault,
    limit: int,
    begin: int,
    bodies: _Bodies | None,
) -> Iterator[tuple[SavedPage | None, int]]:
    """Each record of an iterator that begins at a place of its file.

    The response in it or None, and where the next record begins.
    """
    for record in records:
        saved = None
        is_revisit = record.rec_type == "revisit" and bodies is not None
        if record.rec_type == "response" or is_revisit:
            saved = _saved(record, name, note, limit, bodies)
        records.get_record_offset()  # reads the record to its end
        if record.raw_stream.limit > 0:
            raise EOFError("a record is shorter than it says")
        end = records.offset
        if saved is not None:
            stored = StoredRecord(
                path=name,
                offset=begin,
                length=end - begin,
                source=_source(record.rec_headers),
            )
            page = replace(saved.page, record=stored)
            saved = replace(saved, page=page, end=end)
        yield saved, end
        begin = end
        records.reader.in_lines = 0


def _source(headers: Any) -> str:
    """For which source khabar once asked for a page; "" where it does not say."""
    found = headers.get_header(SOURCE_HEADER) or ""
    if _SOURCE_ID.fullmatch(found):
        return str(found)
    return ""


def _packed_whole(
    stream: IO[bytes], name: str, note: ReportFault, limit: int
) -> Iterator[SavedPage]:
    """A WARC that was packed in one piece: readable from its start only.

    Its first record was read already.
    """
    stream.seek(0)
    plain = cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    try:
        records = _each(_archive(plain), name, note, limit, 0, None)
        for number, (saved, _) in enumerate(records):
            if saved is not None and number:
                # A place in the unpacked bytes is none of the file.
                yield replace(saved, page=replace(saved.page, record=None), end=0)
    except RECORD_FAULTS as fault:
        note(
            FileFault(
                file=name,
                what="breaks off",
                detail=f"{type(fault).__name__}: {str(fault)[:100]}",
            )
        )


def _next_beginning(stream: IO[bytes], start: int) -> int | None:
    """Where the next record seems to begin."""
    stream.seek(start)
    at, rest = start, b""
    while data := stream.read(_CHUNK):
        window = rest + data
        found = _BEGINNING.search(window)
        if found:
            return at - len(rest) + found.start()
        at, rest = at + len(data), window[-16:]
    return None


def _saved(
    record: Any, file: str, note: ReportFault, limit: int, bodies: _Bodies | None
) -> SavedPage | None:
    headers, http = record.rec_headers, record.http_headers
    url = printable((headers.get_header("WARC-Target-URI") or "").strip("<> "))
    if http is None or not url:
        which = printable(headers.get_header("WARC-Record-ID") or "")[:MAX_NAME_CHARS]
        note(FileFault(file=file, where=which, what="no HTTP response with an address"))
        return None
    if record.rec_type == "revisit":
        digest = headers.get_header("WARC-Payload-Digest") or ""
        repeated = None if bodies is None else bodies.find(digest)
        if repeated is None:
            what = "a revisit whose response is not in this file"
            note(FileFault(file=file, where=url[:MAX_NAME_CHARS], what=what))
            return None
        return _saved_page(record, url, repeated, file)
    # The packed body may not be larger either: brotli and zstd make 10 MB of 10 kB,
    # never the other way round.
    raw = record.raw_stream.read(limit + 1)
    if (http.get_header("Transfer-Encoding") or "").lower() == "chunked":
        raw = decode_chunks(raw)
    body = content_encoding.decode_body(
        raw[:limit], http.get_header("Content-Encoding"), limit=limit, partial=True
    )
    if isinstance(body, content_encoding.DecodeFailure):
        note(
            FileFault(
                file=file,
                where=url[:MAX_NAME_CHARS],
                what=body.reason,
                detail=body.detail,
            )
        )
        body = b""
    return _saved_page(record, url, body, file)


def _saved_page(record: Any, url: str, body: bytes, file: str) -> SavedPage:
    headers, http = record.rec_headers, record.http_headers
    page = Page(
        url=url,
        final_url=url,
        status=_status(http.get_statuscode()),
        headers=tuple((str(name), str(value)) for name, value in http.headers),
        body=body,
        fetched_at=_moment(headers.get_header("WARC-Date")),
    )
    return SavedPage(
        page=page, file=file, record_id=headers.get_header("WARC-Record-ID")
    )


def decode_chunks(raw: bytes) -> bytes:
    """A body without its chunk sizes.

    As it is where it has none (many archives keep the header and not the form).
    """
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
    return (
        int(text)
        if text and text.isascii() and text.isdecimal() and len(text) == 3
        else 200
    )


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
    return Page(
        url="", final_url="", status=200, headers=(), body=body, fetched_at=utc_now()
    )
