"""Raw responses in and out as WARC/1.1.

There is one file a day and kind, one gzip member a record, read back by its offset. A
body is stored content-decoded, as it was parsed: the record has no Content-Encoding, no
Transfer-Encoding, and the Content-Length of what it holds. What the server sent instead
stands beside it as `X-Crawler-Content-Encoding`, `-Transfer-Encoding`,
`-Content-Length`. Kept and rejected pages are in two folders, because they are kept for
different times.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import IO
from urllib.parse import quote

from storage.folding import printable
from storage.model import Page

KINDS = ("kept", "rejected")
# 977 labelled pages, 194 MB, in MB/s and share of the size: level 1 141 and 22.4 %, 3
# 128 and 21.1 %, 4 91 and 19.8 %, 6 54 and 18.8 %, 9 36 and 18.7 %
# (tests/bench/archive.py). At 4 a page of 200 kB costs 2.2 ms of the writer's thread.
_GZIP_LEVEL = 4
_SUFFIX = ".warc.gz"
_CHUNK_BYTES = 1 << 20
# What zlib calls a gzip header around deflate.
_GZIP = zlib.MAX_WBITS | 16
_CODING_HEADERS = {"content-encoding", "transfer-encoding", "content-length"}
_NO_TOKEN = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))
_REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    304: "Not Modified",
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFile:
    """A file of the archive."""

    file: str  # relative to the folder
    kind: str
    day: str  # YYYY-MM-DD
    size: int  # bytes


class Archive:
    """The folder of WARC files. One process writes to it, under the store's lock."""

    def __init__(
        self, folder: Path, *, whole_up_to: Callable[[str], int] = lambda _file: 0
    ) -> None:
        """`whole_up_to` gives the offset up to which a file is known to be whole.

        So a start need not read a day's pages.
        """
        self.folder = folder
        self._whole_up_to = whole_up_to
        self._checked: set[str] = set()

    def write_page(self, page: Page, kind: str) -> tuple[str, int, int]:
        """Append one response.

        Returns file, offset and length of its gzip member. Raises OSError; then nothing
        was added.
        """
        file = _day_file(kind, page.fetched_at)
        member = _compress(_response_record(page))
        with self._open_end(file) as out:
            offset = out.tell()
            try:
                out.write(member)
                out.flush()
            except OSError:
                os.ftruncate(out.fileno(), offset)
                raise
        return file, offset, len(member)

    def read_page(
        self, file: str, offset: int, *, digest: str | None = None
    ) -> Page | None:
        """The response that rests there.

        None where there is none, or another than the digest of its body says.
        """
        # Imported where it is needed, see `_response_record`.
        from warcio import archiveiterator, exceptions  # noqa: PLC0415

        try:
            with self._path(file).open("rb") as source:
                source.seek(offset)
                record = next(iter(archiveiterator.ArchiveIterator(source)), None)
                if record is None:
                    return None
                page = _page_of_record(record)
        except (OSError, exceptions.ArchiveLoadFailed, zlib.error, ValueError):
            return None
        if digest is None or hashlib.sha256(page.body).hexdigest() == digest:
            return page
        return None

    def read_member(self, file: str, offset: int, length: int) -> bytes | None:
        """A record's gzip member byte for byte: a WARC file of its own.

        None where it is not there whole.
        """
        try:
            with self._path(file).open("rb") as source:
                source.seek(offset)
                found = source.read(length)
        except (OSError, ValueError):
            return None
        if len(found) < length:
            return None
        return found

    def may_share(self, file: str, kind: str, at: datetime) -> bool:
        """Whether a page of that time may point to a record in this file.

        A rejected page only to one of its own day, with which it expires.
        """
        if kind == "rejected" and file != _day_file(kind, at):
            return False
        return self.has_file(file)

    def has_file(self, file: str) -> bool:
        """Whether the file is there."""
        return self._path(file).exists()

    def files(self) -> list[ArchiveFile]:
        """Every file, the oldest first."""
        found: list[ArchiveFile] = []
        for kind in KINDS:
            paths = (self.folder / kind).glob(f"*{_SUFFIX}")
            found += [_archive_file(kind, path) for path in paths]
        return sorted(found, key=lambda file: (file.day, file.kind))

    def remove(self, file: str) -> None:
        """Delete a whole file; none there is no fault."""
        self._path(file).unlink(missing_ok=True)
        self._checked.discard(file)

    def copy_without(
        self, file: str, offsets: Collection[int]
    ) -> tuple[str, dict[int, int]]:
        """Copy a file without some records.

        Returns the copy's name, and where those that stay were and are. The old file is
        the caller's to remove, once the new places are committed: a crash between
        leaves a file that nothing points to.
        """
        moved: dict[int, int] = {}
        fresh = self._next_name(file)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with (
            self._path(file).open("rb") as source,
            os.fdopen(os.open(self._path(fresh), flags, 0o600), "wb") as out,
        ):
            for offset, member in _read_members(source):
                if offset not in offsets:
                    moved[offset] = out.tell()
                    out.write(member)
            out.flush()
            os.fsync(out.fileno())
        return fresh, moved

    def _next_name(self, file: str) -> str:
        """A name of the same kind and day that no file has yet."""
        kind, _, name = file.partition("/")
        day = name[: len("YYYY-MM-DD")]
        number = 1
        while self.has_file(f"{kind}/{day}-{number}{_SUFFIX}"):
            number += 1
        return f"{kind}/{day}-{number}{_SUFFIX}"

    def _path(self, file: str) -> Path:
        kind, _, name = file.partition("/")
        if kind not in KINDS or "/" in name or not name.endswith(_SUFFIX):
            raise ValueError(f"{file!r} is no file of the archive")
        return self.folder / kind / name

    def _open_end(self, file: str) -> IO[bytes]:
        """The file at its end.

        A tail that a crash tore is cut off the first time, and a new file starts with a
        warcinfo record.
        """
        path = self._path(file)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        out = os.fdopen(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b"
        )
        if file not in self._checked:
            out.truncate(_whole_length(out, self._whole_up_to(file)))
            self._checked.add(file)
        if out.seek(0, os.SEEK_END) == 0:
            out.write(_compress(_warcinfo_record(path.name)))
            out.flush()
        return out


def _archive_file(kind: str, path: Path) -> ArchiveFile:
    return ArchiveFile(
        file=f"{kind}/{path.name}",
        kind=kind,
        day=path.name[: len("YYYY-MM-DD")],
        size=path.stat().st_size,
    )


def expired_files(
    files: Collection[ArchiveFile],
    today: datetime,
    *,
    kept: timedelta,
    rejected: timedelta,
) -> list[ArchiveFile]:
    """Files older than their kind may become. Pure."""
    ages = {"kept": kept, "rejected": rejected}
    found = []
    for file in files:
        day = datetime.fromisoformat(file.day).replace(tzinfo=UTC)
        if day + timedelta(days=1) < today - ages[file.kind]:
            found.append(file)
    return found


def surplus_files(
    files: Collection[ArchiveFile], *, bytes_over: int
) -> list[ArchiveFile]:
    """The oldest files of rejected pages that must go to get so many bytes back.

    Kept pages never go for room. Pure.
    """
    rejected = [file for file in files if file.kind == "rejected"]
    chosen = []
    for file in sorted(rejected, key=lambda file: file.day):
        if bytes_over <= 0:
            break
        chosen.append(file)
        bytes_over -= file.size
    return chosen


def _day_file(kind: str, at: datetime) -> str:
    return f"{kind}/{at.astimezone(UTC):%Y-%m-%d}{_SUFFIX}"


def _response_record(page: Page) -> bytes:
    """A response record, not compressed.

    warcio would compress at level 9, at two and a half times the cost of level 4.
    """
    # Imported where it is needed: a search would spend a sixth of its start on it.
    from warcio import statusandheaders, warcwriter  # noqa: PLC0415

    out = BytesIO()
    writer = warcwriter.WARCWriter(out, gzip=False, warc_version="1.1")
    status = f"{page.status} {_REASONS.get(page.status, 'Unknown')}"
    headers = statusandheaders.StatusAndHeaders(
        status, _stored_headers(page), protocol="HTTP/1.1", is_http_request=False
    )
    fields = {
        "WARC-Date": page.fetched_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    }
    if page.url != page.final_url:
        fields["WARC-X-Requested-URI"] = _header_url(page.url)
    record = writer.create_warc_record(
        _header_url(page.final_url),
        "response",
        payload=BytesIO(page.body),
        length=len(page.body),
        http_headers=headers,
        warc_headers_dict=fields,
    )
    writer.write_record(record)
    return out.getvalue()


def _stored_headers(page: Page) -> list[tuple[str, str]]:
    """The response's headers as they fit the body that is stored."""
    headers = []
    for name, value in page.headers:
        stored_name = _NO_TOKEN.sub("-", name)
        if stored_name.lower() in _CODING_HEADERS:
            stored_name = f"X-Crawler-{stored_name}"
        if stored_name:
            headers.append((stored_name, _header_value(value)))
    return [*headers, ("Content-Length", str(len(page.body)))]


def _header_value(text: str) -> str:
    """A header's value as visible ASCII; nothing that a server sent can add a line."""
    one_line = printable(text).replace("\r", " ").replace("\n", " ")
    return quote(one_line.strip(), safe=_VISIBLE)


def _header_url(url: str) -> str:
    """A URL as a WARC header holds it: without blanks."""
    return quote(printable(url).strip(), safe=_VISIBLE.replace(" ", ""))


def _warcinfo_record(name: str) -> bytes:
    # Imported where it is needed, see `_response_record`.
    from warcio import warcwriter  # noqa: PLC0415

    out = BytesIO()
    writer = warcwriter.WARCWriter(out, gzip=False, warc_version="1.1")
    fields = {
        "software": "khabar",
        "format": "WARC File Format 1.1",
        "description": "bodies are content-decoded",
    }
    writer.write_record(writer.create_warcinfo_record(name, fields))
    return out.getvalue()


def _compress(record: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(record) + packer.flush()


def _page_of_record(record: object) -> Page:
    # Imported where it is needed, see `_response_record`.
    from warcio import timeutils  # noqa: PLC0415

    head, http = record.rec_headers, record.http_headers  # type: ignore[attr-defined]
    if http is None:
        raise ValueError("the record holds no HTTP response")
    final_url = head.get_header("WARC-Target-URI")
    return Page(
        url=head.get_header("WARC-X-Requested-URI") or final_url,
        final_url=final_url,
        status=int(http.get_statuscode()),
        headers=tuple((name, value) for name, value in http.headers),
        body=record.content_stream().read(),  # type: ignore[attr-defined]
        fetched_at=timeutils.iso_date_to_datetime(
            head.get_header("WARC-Date"), tz_aware=True
        ),
    )


def _read_members(source: IO[bytes], start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Offset and compressed bytes of each whole gzip member; ends before a torn one."""
    source.seek(start)
    offset = start
    pieces: list[bytes] = []
    unpacker = zlib.decompressobj(_GZIP)
    data = source.read(_CHUNK_BYTES)
    while data:
        try:
            unpacker.decompress(data)
        except zlib.error:
            return
        pieces.append(data[: len(data) - len(unpacker.unused_data)])
        data = unpacker.unused_data
        if unpacker.eof:
            member = b"".join(pieces)
            yield offset, member
            offset += len(member)
            pieces = []
            unpacker = zlib.decompressobj(_GZIP)
        data = data or source.read(_CHUNK_BYTES)


def _whole_length(source: IO[bytes], whole_up_to: int) -> int:
    """Where the last whole member ends.

    A file shorter than it should be (a power cut) is read from its start.
    """
    end = 0
    if whole_up_to <= source.seek(0, os.SEEK_END):
        end = whole_up_to
    for offset, member in _read_members(source, end):
        end = offset + len(member)
    return end
