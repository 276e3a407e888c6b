"""Raw responses in and out as WARC/1.1.

There is one file a day, kind and database, one gzip member a record, read back by its
offset. The name of a file has the beginning of its database's identity and its warcinfo
record has all of it, so that two databases can share a folder and neither takes the
other's pages for its own. A body that stands in the same file already is not repeated:
the second address has a `revisit` record with its own date and headers.

A body is stored content-decoded, as it was parsed: the record has no Content-Encoding, no
Transfer-Encoding, and the Content-Length of what it holds. What the server sent instead
stands beside it as `X-Crawler-Content-Encoding`, `-Transfer-Encoding`,
`-Content-Length`. Kept and rejected pages are in two folders, because they are kept for
different times.
"""

import base64
import fcntl
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import IO
from urllib.parse import quote

from storage.errors import StoreUnusable
from storage.folding import printable
from storage.model import Page, StoredRecord, to_text
from storage.new_files import make_own_folder, open_own_file

KINDS = ("kept", "rejected")
# 977 labelled pages, 194 MB, in MB/s and share of the size: level 1 141 and 22.4 %, 3
# 128 and 21.1 %, 4 91 and 19.8 %, 6 54 and 18.8 %, 9 36 and 18.7 %
# (tests/bench/archive.py). At 4 a page of 200 kB costs 2.2 ms of the writer's thread.
_GZIP_LEVEL = 4
_SUFFIX = ".warc.gz"
_REWRITTEN_SUFFIX = ".new"
_CHUNK_BYTES = 1 << 20
IDENTITY_CHARS = 8  # of a database's identity, in the names of its files
# A body below this costs less than the headers of a `revisit` that spares it.
MIN_SHARED_BODY_BYTES = 512
REVISIT_PROFILE = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
SOURCE_HEADER = "WARC-X-Khabar-Source"
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
    tag: str = ""  # the beginning of its database's identity; older files have none


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """A record as it stands in a file.

    The body of a `revisit` is empty: it stands in another record of the same file.
    """

    page: Page
    is_revisit: bool
    source: str = ""  # for which it was asked


class Archive:
    """The folder of WARC files.

    One process writes to the files of one database, under the store's lock. `identity`
    is that of the database; "" for files that belong to none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        identity: str = "",
        whole_up_to: Callable[[str], int] = lambda _file: 0,
    ) -> None:
        """`whole_up_to` gives the offset up to which a file is known to be whole.

        So a start need not read a day's pages.
        """
        self.folder = folder
        self.identity = identity
        self._whole_up_to = whole_up_to
        self._checked: set[str] = set()

    def write_page(
        self, page: Page, kind: str, *, source: str = "", refers_to: Page | None = None
    ) -> tuple[str, int, int]:
        """Append one response, or with `refers_to` a revisit of that one's body.

        Returns file, offset and length of its gzip member. Raises OSError; then nothing
        was added.
        """
        file = self.day_file(kind, page.fetched_at)
        offset, length = self._append(file, _to_record(page, source, refers_to))
        return file, offset, length

    def _append(self, file: str, record: bytes) -> tuple[int, int]:
        """Offset and length of a record that was added to the end of a file."""
        member = _compress(record)
        with self._open_end(file) as out:
            offset = out.tell()
            try:
                out.write(member)
                out.flush()
            except OSError as error:
                os.ftruncate(out.fileno(), offset)
                # The captures may have a disk of their own, which the fault must name.
                error.filename = str(self._path(file))
                raise
        return offset, len(member)

    def read_record(self, file: str, offset: int) -> StoredResponse | None:
        """The record that rests there; None where there is none.

        Raises StoreUnusable where the file is there and may not be read: that is not
        the same as gone.
        """
        # Imported where it is needed, see `_to_record`.
        from warcio import archiveiterator, exceptions  # noqa: PLC0415

        try:
            with self._open_to_read(file) as source:
                source.seek(offset)
                record = next(iter(archiveiterator.ArchiveIterator(source)), None)
                if record is None:
                    return None
                return _parse_record(record)
        except FileNotFoundError:
            return None
        except (exceptions.ArchiveLoadFailed, zlib.error, ValueError):
            return None

    def read_page(
        self, file: str, offset: int, *, digest: str | None = None
    ) -> Page | None:
        """The response that rests there with its body.

        None where there is none, or another than the digest of its body says. Raises
        StoreUnusable where it may not be read.
        """
        found = self.read_record(file, offset)
        if found is None or found.is_revisit:
            return None
        if digest is None or hashlib.sha256(found.page.body).hexdigest() == digest:
            return found.page
        return None

    def read_member(self, file: str, offset: int, length: int) -> bytes | None:
        """A record's gzip member byte for byte: a WARC file of its own.

        None where it is not there whole. Raises StoreUnusable where it may not be read.
        """
        try:
            with self._open_to_read(file) as source:
                source.seek(offset)
                found = source.read(length)
        except (FileNotFoundError, ValueError):
            return None
        if len(found) < length:
            return None
        return found

    def list_records(self, file: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Offset and length of each response, by its URL and time, of a whole file."""
        places = {}
        with self._open_to_read(file) as source:
            members = [
                (offset, len(member)) for offset, member in _read_members(source)
            ]
        for offset, length in members:
            found = self.read_record(file, offset)
            if found is not None:
                at = to_text(found.page.fetched_at)
                places[found.page.final_url, at] = (offset, length)
        return places

    def list_unnamed_records(
        self, file: str, places: Collection[tuple[int, int]]
    ) -> list[tuple[int, str]]:
        """Offset and URL of each response outside of these places (offset, length).

        Only what lies between them is read.
        """
        starts = dict(places)
        found = []
        with self._open_to_read(file) as source:
            size = source.seek(0, os.SEEK_END)
            offset = 0
            while offset < size:
                if offset in starts:
                    offset += starts[offset]
                    continue
                member = next(_read_members(source, offset), None)
                if member is None:
                    break
                record = self.read_record(file, offset)
                if record is not None:
                    found.append((offset, record.page.final_url))
                offset += len(member[1])
        return found

    def is_cut(self, file: str, whole_up_to: int) -> bool:
        """Whether a file is shorter than the records that are known to be in it.

        Also where it is gone.
        """
        try:
            return self._path(file).stat().st_size < whole_up_to
        except FileNotFoundError:
            return True

    def day_file(self, kind: str, at: datetime) -> str:
        """The file to which a response of that kind and time is added."""
        tag = self.identity[:IDENTITY_CHARS]
        name = f"{at.astimezone(UTC):%Y-%m-%d}"
        if tag:
            name = f"{name}-{tag}"
        return f"{kind}/{name}{_SUFFIX}"

    def place_of(self, record: StoredRecord, kind: str) -> str | None:
        """The name of the file of this archive in which a record stands.

        None where it stands elsewhere, or among pages of another kind.
        """
        path = Path(record.path)
        if path.parent.resolve() != (self.folder / kind).resolve():
            return None
        return f"{kind}/{path.name}"

    def has_file(self, file: str) -> bool:
        """Whether the file is there."""
        return self._path(file).exists()

    def files(self) -> list[ArchiveFile]:
        """Every file, the oldest first."""
        found: list[ArchiveFile] = []
        for kind in KINDS:
            for path in (self.folder / kind).glob(f"*{_SUFFIX}"):
                described = _archive_file(kind, path)
                if described is not None:
                    found.append(described)
        return sorted(found, key=lambda file: (file.day, file.kind, file.file))

    def remove(self, file: str) -> None:
        """Delete a whole file; none there is no fault."""
        self._path(file).unlink(missing_ok=True)
        self._checked.discard(file)

    def rewrite(
        self,
        file: str,
        offsets: Collection[int],
        added: Sequence[tuple[Page, str]] = (),
    ) -> tuple[dict[int, int], list[tuple[int, int]]]:
        """Write a file anew without some records, beside itself.

        `added` are responses with their sources for its end. Returns where the records
        that stay were and are, and offset and length of those that were added. The
        caller commits the new places and then calls `finish_rewrite`; until then the
        file stands as it was.
        """
        moved: dict[int, int] = {}
        places: list[tuple[int, int]] = []
        fresh = self._rewritten_path(file)
        fresh.unlink(missing_ok=True)
        written = open_own_file(fresh, os.O_WRONLY | os.O_EXCL)
        with self._open_to_read(file) as source, os.fdopen(written, "wb") as out:
            for offset, member in _read_members(source):
                if offset not in offsets:
                    moved[offset] = out.tell()
                    out.write(member)
            for page, source_id in added:
                member = _compress(_to_record(page, source_id))
                places.append((out.tell(), len(member)))
                out.write(member)
            out.flush()
            os.fsync(out.fileno())
        return moved, places

    def finish_rewrite(self, file: str) -> None:
        """Put what `rewrite` wrote in its file's place; none there is no fault."""
        try:
            self._rewritten_path(file).replace(self._path(file))
        except FileNotFoundError:
            return
        self._checked.discard(file)

    def drop_rewrites(self) -> None:
        """Delete what a crash left of rewrites that were never committed.

        Only those of this database: another one may be at work in the folder.
        """
        tag = self.identity[:IDENTITY_CHARS]
        for kind in KINDS:
            for path in (self.folder / kind).glob(f"*{_SUFFIX}{_REWRITTEN_SUFFIX}"):
                name = _NAME.fullmatch(path.name.removesuffix(_REWRITTEN_SUFFIX))
                if name is not None and name["tag"] == (tag or None):
                    path.unlink(missing_ok=True)

    def _rewritten_path(self, file: str) -> Path:
        path = self._path(file)
        return path.with_name(path.name + _REWRITTEN_SUFFIX)

    def _path(self, file: str) -> Path:
        kind, _, name = file.partition("/")
        if kind not in KINDS or "/" in name or not name.endswith(_SUFFIX):
            raise ValueError(f"{file!r} is no file of the archive")
        return self.folder / kind / name

    def _open_to_read(self, file: str) -> IO[bytes]:
        """The file, to read. Raises StoreUnusable where that is not allowed."""
        path = self._path(file)
        try:
            return path.open("rb")
        except FileNotFoundError:
            # Of a folder that may not be searched the system says so here as well.
            raise
        except OSError as error:
            raise StoreUnusable(
                f"{path} cannot be read ({error.strerror}); the raw page may be there: "
                "ask as a user who may read it."
            ) from error

    def _open_end(self, file: str) -> IO[bytes]:
        """The file at its end, locked.

        A tail that a crash tore is cut off the first time, and a new file starts with a
        warcinfo record. Locked, because a copy of the database writes to files of the
        same name: two at once would give each other's offsets.
        """
        path = self._path(file)
        make_own_folder(path.parent)
        out = os.fdopen(open_own_file(path, os.O_RDWR), "r+b")
        try:
            fcntl.flock(out, fcntl.LOCK_EX)
            if file not in self._checked:
                out.truncate(_whole_length(out, self._whole_up_to(file)))
                self._checked.add(file)
            if out.seek(0, os.SEEK_END) == 0:
                out.write(_compress(_warcinfo_record(path.name, self.identity)))
                out.flush()
        except BaseException:
            out.close()
            raise
        return out


_NAME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:-(?P<tag>[0-9a-f]{8}))?(?:-\d{1,7})?"
    + re.escape(_SUFFIX)
)


def _archive_file(kind: str, path: Path) -> ArchiveFile | None:
    """None for a file whose name says no day: it is a stranger's."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    return ArchiveFile(
        file=f"{kind}/{path.name}",
        kind=kind,
        day=found["day"],
        size=path.stat().st_size,
        tag=found["tag"] or "",
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


def payload_digest(body: bytes) -> str:
    """The digest of a body as `WARC-Payload-Digest` has it."""
    digest = hashlib.sha1(body, usedforsecurity=False).digest()
    return "sha1:" + base64.b32encode(digest).decode("ascii")


def _to_record(page: Page, source: str = "", refers_to: Page | None = None) -> bytes:
    """A response record, or a revisit of `refers_to`, not compressed.

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
    fields = {"WARC-Date": _warc_date(page.fetched_at)}
    if page.url != page.final_url:
        fields["WARC-X-Requested-URI"] = _header_url(page.url)
    if source:
        fields[SOURCE_HEADER] = _header_url(source)
    if refers_to is None:
        record = writer.create_warc_record(
            _header_url(page.final_url),
            "response",
            payload=BytesIO(page.body),
            length=len(page.body),
            http_headers=headers,
            warc_headers_dict=fields,
        )
    else:
        fields["WARC-Profile"] = REVISIT_PROFILE
        fields["WARC-Refers-To-Target-URI"] = _header_url(refers_to.final_url)
        fields["WARC-Refers-To-Date"] = _warc_date(refers_to.fetched_at)
        fields["WARC-Payload-Digest"] = payload_digest(page.body)
        record = writer.create_warc_record(
            _header_url(page.final_url),
            "revisit",
            http_headers=headers,
            warc_headers_dict=fields,
        )
    writer.write_record(record)
    return out.getvalue()


def _warc_date(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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


def _warcinfo_record(name: str, identity: str) -> bytes:
    # Imported where it is needed, see `_to_record`.
    from warcio import warcwriter  # noqa: PLC0415

    out = BytesIO()
    writer = warcwriter.WARCWriter(out, gzip=False, warc_version="1.1")
    fields = {
        "software": "khabar",
        "format": "WARC File Format 1.1",
        "description": "bodies are content-decoded",
    }
    if identity:
        fields["isPartOf"] = f"khabar:{identity}"
    writer.write_record(writer.create_warcinfo_record(name, fields))
    return out.getvalue()


def _compress(record: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(record) + packer.flush()


def _parse_record(record: object) -> StoredResponse:
    """A record of warcio's. Raises ValueError where it holds no response."""
    # Imported where it is needed, see `_to_record`.
    from warcio import timeutils  # noqa: PLC0415

    head, http = record.rec_headers, record.http_headers  # type: ignore[attr-defined]
    if http is None:
        raise ValueError("the record holds no HTTP response")
    final_url = head.get_header("WARC-Target-URI")
    page = Page(
        url=head.get_header("WARC-X-Requested-URI") or final_url,
        final_url=final_url,
        status=int(http.get_statuscode()),
        headers=tuple((name, value) for name, value in http.headers),
        body=record.content_stream().read(),  # type: ignore[attr-defined]
        fetched_at=timeutils.iso_date_to_datetime(
            head.get_header("WARC-Date"), tz_aware=True
        ),
    )
    is_revisit = record.rec_type == "revisit"  # type: ignore[attr-defined]
    source = head.get_header(SOURCE_HEADER) or ""
    return StoredResponse(page=page, is_revisit=is_revisit, source=source)


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
