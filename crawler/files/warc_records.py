"""The responses of one WARC, one at a time, however broken it is.

Sizes are bounded before anything is unpacked; a record that cannot be read is left out
and told of, and the next one is looked for. Where a file breaks off, what came before
it counts. Each page says where reading may go on after it.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import IO, Any, cast

from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import DecompressingBufferedReader
from warcio.exceptions import ArchiveLoadFailed
from warcio.timeutils import iso_date_to_datetime

from crawler import content_encoding
from crawler.files.file_faults import FileFault, ReportFault
from storage.archive import SOURCE_HEADER
from storage.folding import printable
from storage.model import Page, StoredRecord, utc_now

OpenStream = Callable[[], AbstractContextManager[IO[bytes]]]

MAX_LINE_BYTES = 1 << 16  # of one line of a record's headers
MAX_HEADER_BYTES = 1 << 20  # of all lines between two payloads
MAX_NAME_CHARS = 300  # of an address or id that a fault names
MAX_BROKEN_RECORDS = 1_000  # places of one file at which reading is taken up again
CHUNK_BYTES = 1 << 20
_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# How records begin, packed and plain: where to go on after one that is broken.
_BEGINNING = re.compile(rb"\x1f\x8b\x08[\x00\x04]|WARC/[01]\.[0-9]\r?\n")
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
    # Where to go on after this one; 0 where a file can only be read from its start.
    end: int = 0


class BoundedLines(DecompressingBufferedReader):  # type: ignore[misc]
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
        is_cut = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
        if is_cut or self.in_lines > MAX_HEADER_BYTES:
            raise ArchiveLoadFailed("headers without an end")
        return line


class WarcReader:
    """Reads one WARC stream; `name` is what its faults are told under.

    `limit` are the bytes of one page, decoded. With `bodies` the records that repeat
    another's body are read as well.
    """

    def __init__(
        self,
        stream: IO[bytes],
        name: str,
        report: ReportFault,
        *,
        limit: int,
        bodies: "RevisitBodies | None" = None,
    ) -> None:
        self._bodies = bodies
        self._stream = stream
        self._name = name
        self._report = report
        self._limit = limit

    def read_from(self, start: int) -> Iterator[SavedPage]:
        """The responses from a place on.

        After a broken record the next one is looked for. Raises OSError where nothing
        is a record.
        """
        position = start
        any_read = start > 0
        broken = 0
        while True:
            self._stream.seek(position)
            try:
                for saved, end in self._records(self._stream, position):
                    any_read = True
                    position = end
                    if saved is not None:
                        yield saved
            except RECORD_FAULTS as found:
                fault = found
            else:
                return
            if "non-chunked" in str(fault):
                yield from self._read_packed_whole()
                return

            broken += 1
            following: int | None = None
            if broken < MAX_BROKEN_RECORDS:
                following = self._find_beginning(position + 1)
            if not any_read and (following is None or broken > 1):
                raise OSError(0, "is not a WARC file", self._name) from fault
            if following is None:
                self._tell("breaks off", fault)
                return
            self._tell("goes on after a broken record", fault)
            position = following

    def _records(
        self, stream: IO[bytes], begin: int
    ) -> Iterator[tuple[SavedPage | None, int]]:
        """The response in each record or None, and where the next record begins.

        `begin` is where the stream stands.
        """
        records = _open_records(stream)
        for record in records:
            saved: SavedPage | None = None
            if record.rec_type == "response":
                saved = self.read_response(record)
            elif record.rec_type == "revisit" and self._bodies is not None:
                saved = self._read_revisit(record, self._bodies)
            records.get_record_offset()  # reads the record to its end
            if record.raw_stream.limit > 0:
                raise EOFError("a record is shorter than it says")
            end = records.offset
            if saved is not None:
                stored = StoredRecord(
                    path=self._name,
                    offset=begin,
                    length=end - begin,
                    source=_source_id(record.rec_headers),
                )
                saved = replace(saved, page=replace(saved.page, record=stored), end=end)
            yield saved, end
            begin = end
            records.reader.in_lines = 0

    def _read_packed_whole(self) -> Iterator[SavedPage]:
        """A WARC that was packed in one piece: readable from its start only.

        Its first record was read already.
        """
        self._stream.seek(0)
        plain = cast("IO[bytes]", gzip.GzipFile(fileobj=self._stream))
        try:
            for number, (saved, _) in enumerate(self._records(plain, 0)):
                if saved is not None and number:
                    # A place in the unpacked bytes is none of the file.
                    page = replace(saved.page, record=None)
                    yield replace(saved, page=page, end=0)
        except RECORD_FAULTS as fault:
            self._tell("breaks off", fault)

    def _find_beginning(self, start: int) -> int | None:
        """Where the next record seems to begin."""
        self._stream.seek(start)
        position = start
        rest = b""
        while data := self._stream.read(CHUNK_BYTES):
            window = rest + data
            found = _BEGINNING.search(window)
            if found:
                return position - len(rest) + found.start()
            position += len(data)
            rest = window[-16:]
        return None

    def _read_revisit(self, record: Any, bodies: "RevisitBodies") -> SavedPage | None:
        """A record that repeats another's body; None where the file has it not."""
        url = self._address(record)
        if url is None:
            return None
        digest = record.rec_headers.get_header("WARC-Payload-Digest") or ""
        body = bodies.find(digest)
        if body is None:
            what = "a revisit whose response is not in this file"
            where = url[:MAX_NAME_CHARS]
            self._report(FileFault(file=self._name, where=where, what=what))
            return None
        return self._saved_page(record, url, body)

    def _address(self, record: Any) -> str | None:
        """The address of a response; None, and told of, where there is none."""
        headers = record.rec_headers
        url = printable((headers.get_header("WARC-Target-URI") or "").strip("<> "))
        if record.http_headers is not None and url:
            return url
        record_id = headers.get_header("WARC-Record-ID")
        where = printable(record_id or "")[:MAX_NAME_CHARS]
        what = "no HTTP response with an address"
        self._report(FileFault(file=self._name, where=where, what=what))
        return None

    def read_response(self, record: Any) -> SavedPage | None:
        """The page of a response record; None, and told of, where there is none."""
        url = self._address(record)
        if url is None:
            return None
        http = record.http_headers

        # The packed body may not be larger either: brotli and zstd make 10 MB of
        # 10 kB, never the other way round.
        raw = record.raw_stream.read(self._limit + 1)
        if (http.get_header("Transfer-Encoding") or "").lower() == "chunked":
            raw = decode_chunks(raw)
        body = content_encoding.decode_body(
            raw[: self._limit],
            http.get_header("Content-Encoding"),
            limit=self._limit,
            partial=True,
        )
        if isinstance(body, content_encoding.DecodeFailure):
            self._report(
                FileFault(
                    file=self._name,
                    where=url[:MAX_NAME_CHARS],
                    what=body.reason,
                    detail=body.detail,
                )
            )
            body = b""
        return self._saved_page(record, url, body)

    def _saved_page(self, record: Any, url: str, body: bytes) -> SavedPage:
        headers = record.rec_headers
        http = record.http_headers
        page = Page(
            url=url,
            final_url=url,
            status=_parse_status(http.get_statuscode()),
            headers=tuple((str(name), str(value)) for name, value in http.headers),
            body=body,
            fetched_at=_parse_time(headers.get_header("WARC-Date")),
        )
        record_id = headers.get_header("WARC-Record-ID")
        return SavedPage(page=page, file=self._name, record_id=record_id)

    def _tell(self, what: str, fault: Exception) -> None:
        detail = f"{type(fault).__name__}: {str(fault)[:100]}"
        self._report(FileFault(file=self._name, what=what, detail=detail))


class RevisitBodies:
    """The bodies of one WARC by their payload digest, for revisits that name them.

    The file is looked through once, when the first revisit asks: an import that goes on
    in the middle has not met what came before.
    """

    def __init__(self, open_stream: OpenStream, *, limit: int) -> None:
        self._open_stream = open_stream
        self._limit = limit
        self._offsets: dict[str, int] | None = None

    def find(self, digest: str) -> bytes | None:
        """The body as it was parsed; None where no whole record of the file has it."""
        if self._offsets is None:
            self._offsets = self._list_offsets()
        offset = self._offsets.get(digest)
        if offset is None:
            return None
        with self._open_stream() as stream:
            stream.seek(offset)
            reader = WarcReader(stream, "", lambda _: None, limit=self._limit)
            try:
                for record in _open_records(stream):
                    saved = reader.read_response(record)
                    if saved is None:
                        return None
                    return saved.page.body
            except RECORD_FAULTS:
                return None
        return None

    def _list_offsets(self) -> dict[str, int]:
        found: dict[str, int] = {}
        begin = 0
        with self._open_stream() as stream, suppress(*RECORD_FAULTS):
            records = _open_records(stream)
            for record in records:
                digest = record.rec_headers.get_header("WARC-Payload-Digest")
                if record.rec_type == "response" and digest:
                    found.setdefault(digest, begin)
                records.get_record_offset()  # reads the record to its end
                records.reader.in_lines = 0
                begin = records.offset
        return found


def _open_records(stream: IO[bytes]) -> ArchiveIterator:
    records = ArchiveIterator(stream, arc2warc=False)
    records.reader = BoundedLines(stream)
    return records


def _source_id(headers: Any) -> str:
    """For which source khabar once asked for a page; "" where it does not say."""
    found = headers.get_header(SOURCE_HEADER) or ""
    if _SOURCE_ID.fullmatch(found):
        return str(found)
    return ""


def decode_chunks(raw: bytes) -> bytes:
    """A body without its chunk sizes.

    As it is where it has none (many archives keep the header and not the form).
    """
    body = bytearray()
    rest = raw
    while rest:
        size, found, after = rest[:20].partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            return bytes(body) or raw
        if length == 0:
            return bytes(body)
        if not found:
            return bytes(body) or raw
        start = len(rest[:20]) - len(after)
        body += rest[start : start + length]
        rest = rest[start + length + 2 :]
    return bytes(body)


def _parse_status(text: str | None) -> int:
    """The HTTP status; 200 where there is none, as of old archives."""
    if text and text.isascii() and text.isdecimal() and len(text) == 3:
        return int(text)
    return 200


def _parse_time(text: str | None) -> datetime:
    """The time of a capture; now where nobody said."""
    try:
        found: datetime = iso_date_to_datetime(text, tz_aware=True)
    except (ValueError, TypeError, AttributeError):
        return utc_now()
    return found.astimezone(UTC)
