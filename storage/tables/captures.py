"""Raw responses: the table `captures` beside the WARC files of the archive.

A row says in which file and at which offset a response is stored. Each row has a record
of its own; where a body stands in the same file already, that is a `revisit` without
it. Rows of older files may share one record. Responses of kept pages and of rejected
ones (`kind`) lie in different files, for they expire at different ages.

Files are written before the commit. A record that a crash left without a row stays: it
is evidence all the same, and what no row names may belong to another database, or to
this one before an older copy of it was restored. Only an age, a cap and `forget` delete.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage import archive as warc
from storage.archive import Archive, ArchiveFile
from storage.model import Capture, Page, from_text, to_text
from storage.tables import service_state
from storage.tables.columns import Row, stored_key, stored_url

# The name in `meta` of files whose rewritten form waits to take their place.
_REWRITTEN = "rewritten_captures"


def save_capture(
    db: Database,
    archive: Archive | None,
    page: Page | None,
    kind: str,
    *,
    source: str = "",
) -> int | None:
    """Store a response, `kept` or `rejected`; returns its number.

    None where raw pages are not kept, or there is no response. A page that comes from
    a file of this archive stays where it is.
    """
    if archive is None or page is None:
        return None
    digest = hashlib.sha256(page.body).hexdigest()
    place = _find_own_record(archive, page, kind, digest)
    if place is not None:
        known = db.execute(
            "SELECT id FROM captures WHERE file = ? AND offset = ? AND url = ?",
            [place[0], place[1], stored_url(page.final_url)],
        ).fetchone()
        if known is not None:
            return int(known["id"])
    else:
        shared = _find_shared_body(db, archive, page, kind, digest)
        place = archive.write_page(page, kind, source=source, refers_to=shared)
    file, offset, length = place
    cursor = db.execute(
        """
        INSERT INTO captures
            (kind, url, fetched_at, status, digest, file, offset, length)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            kind,
            stored_url(page.final_url),
            to_text(page.fetched_at),
            page.status,
            digest,
            file,
            offset,
            length,
        ],
    )
    return int(cursor.lastrowid or 0)


def _find_own_record(
    archive: Archive, page: Page, kind: str, digest: str
) -> tuple[str, int, int] | None:
    """File, offset and length of the record that an imported page comes from.

    None where it is in no file of this archive. So a lost database is made anew from
    its captures without a second copy of each.
    """
    if page.record is None:
        return None
    file = archive.place_of(page.record, kind)
    if file is None:
        return None
    found = archive.read_record(file, page.record.offset)
    if found is None:
        return None
    body_digest = hashlib.sha256(found.page.body).hexdigest()
    if not found.is_revisit and body_digest != digest:
        return None
    return file, page.record.offset, page.record.length


def _find_shared_body(
    db: Database, archive: Archive, page: Page, kind: str, digest: str
) -> Page | None:
    """The response in the same file whose body is the same; None where there is none.

    In the same file only: it expires, is moved and is lost as one.
    """
    if len(page.body) < warc.MIN_SHARED_BODY_BYTES:
        return None
    rows = db.execute(
        "SELECT * FROM captures WHERE digest = ? AND kind = ? AND file = ? ORDER BY id",
        [digest, kind, archive.day_file(kind, page.fetched_at)],
    )
    for row in rows.fetchall():
        found = archive.read_page(row["file"], row["offset"], digest=digest)
        if found is not None:
            return found
    return None


def read_capture(db: Database, archive: Archive, capture: Row) -> Page | None:
    """A response with its body, as its row says.

    None where it is not there, or does not fit its digest. Raises StoreUnusable where
    it may not be read.
    """
    digest = capture["digest"]
    found = archive.read_record(capture["file"], capture["offset"])
    if found is None:
        return None
    page = found.page
    if found.is_revisit:
        body = _find_body(db, archive, capture)
        if body is None:
            return None
        page = replace(page, body=body)
    if hashlib.sha256(page.body).hexdigest() != digest:
        return None
    # Rows of older files share a record: its URL is that of the first of them.
    return replace(
        page, final_url=capture["url"], fetched_at=from_text(capture["fetched_at"])
    )


def _find_body(db: Database, archive: Archive, capture: Row) -> bytes | None:
    """The body that a revisit stands for, from another record of its file."""
    others = db.execute(
        "SELECT DISTINCT offset FROM captures WHERE file = ? AND digest = ?",
        [capture["file"], capture["digest"]],
    )
    for row in others.fetchall():
        found = archive.read_page(
            capture["file"], row["offset"], digest=capture["digest"]
        )
        if found is not None:
            return found.body
    return None


def is_of_kept_page(db: Database, capture_id: int) -> bool:
    """Whether a response is stored with those of kept pages, or is gone."""
    row = db.execute("SELECT kind FROM captures WHERE id = ?", [capture_id]).fetchone()
    return row is None or row["kind"] == "kept"


def find_capture_row(db: Database, number: int) -> Row | None:
    """The row of a raw response."""
    found: Row | None = db.execute(
        "SELECT * FROM captures WHERE id = ?", [number]
    ).fetchone()
    return found


def find_capture(db: Database, number: int) -> Capture | None:
    """Where a raw response is stored."""
    row = find_capture_row(db, number)
    if row is None:
        return None
    return Capture(
        id=row["id"],
        url=row["url"],
        fetched_at=from_text(row["fetched_at"]),
        digest=row["digest"],
        file=row["file"],
        offset=row["offset"],
        length=row["length"],
    )


def captured_up_to(db: Database, file: str) -> int:
    """The offset up to which a WARC file is known to be whole, in bytes."""
    row = db.execute(
        "SELECT coalesce(max(offset + length), 0) FROM captures WHERE file = ?", [file]
    ).fetchone()
    return int(row[0])


def list_captures_of(db: Database, document_ids: Iterable[int]) -> list[int]:
    """The numbers of all responses of these texts, in their order.

    Of their present and former states, and of other visits to their addresses.
    """
    rows = db.execute(
        """
        WITH wanted AS (SELECT value AS id FROM json_each(?))
        SELECT capture_id FROM documents
        WHERE id IN (SELECT id FROM wanted) AND capture_id IS NOT NULL
        UNION SELECT capture_id FROM revisions
        WHERE document_id IN (SELECT id FROM wanted) AND capture_id IS NOT NULL
        UNION SELECT id FROM captures WHERE url IN (
            SELECT url FROM fates WHERE document_id IN (SELECT id FROM wanted)
        )
        ORDER BY 1
        """,
        [json.dumps(list(document_ids))],
    )
    return [row[0] for row in rows]


# Leaving the archive


def forget_captures(
    db: Database, archive: Archive | None, capture_ids: Iterable[int]
) -> list[str]:
    """Take raw responses out of their files.

    Captures of other addresses with the same bytes stay: one of them gets the body
    that the others refer to. Returns the files that were written anew;
    `finish_rewrites` puts them in place after the commit.
    """
    wanted = json.dumps(list(capture_ids))
    rows = db.execute(
        "SELECT * FROM captures WHERE id IN (SELECT value FROM json_each(?))", [wanted]
    ).fetchall()
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        rows_of[row["file"]].append(row)
    rewritten = []
    for file, gone in rows_of.items():
        others = _list_sharing_captures(db, file, gone)
        orphaned: list[tuple[Row, Page, str]] = []
        if archive is not None and archive.has_file(file):
            orphaned = _find_orphaned_bodies(db, archive, gone, others)
        db.execute(
            "DELETE FROM captures WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps([row["id"] for row in gone])],
        )
        if archive is not None and archive.has_file(file):
            dropped = {row["offset"] for row in gone}
            _rewrite_file(db, archive, file, dropped, orphaned)
            rewritten.append(file)
    _add_rewritten(db, rewritten)
    return rewritten


def forget_unnamed_records(db: Database, archive: Archive | None) -> list[str]:
    """Take records out of our files that no row names and whose URL was forgotten.

    A crash between a record and its commit leaves one, and so does an older copy of
    the database that was put back. Returns the files that were written anew.
    """
    if archive is None:
        return []
    rewritten = []
    for file in list_own_files(db, archive):
        rows = db.execute(
            "SELECT DISTINCT offset, length FROM captures WHERE file = ?", [file.file]
        )
        places = [(row["offset"], row["length"]) for row in rows.fetchall()]
        dropped = {
            offset
            for offset, url in archive.list_unnamed_records(file.file, places)
            if _is_forgotten(db, url)
        }
        if dropped:
            _rewrite_file(db, archive, file.file, dropped, [])
            rewritten.append(file.file)
    _add_rewritten(db, rewritten)
    return rewritten


def _is_forgotten(db: Database, url: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM fates WHERE key = ? AND fate = 'forgotten'", [stored_key(url)]
    ).fetchone()
    return row is not None


def _add_rewritten(db: Database, files: list[str]) -> None:
    if files:
        before = _list_rewritten(db)
        service_state.set_meta(db, _REWRITTEN, json.dumps(before + files))


def _list_sharing_captures(db: Database, file: str, gone: Iterable[Row]) -> list[Row]:
    """The captures of a file that stay and have the bytes of one that goes."""
    gone = list(gone)
    ids = {row["id"] for row in gone}
    rows = db.execute(
        """
        SELECT * FROM captures
        WHERE file = ? AND digest IN (SELECT value FROM json_each(?)) ORDER BY id
        """,
        [file, json.dumps(sorted({row["digest"] for row in gone}))],
    ).fetchall()
    return [row for row in rows if row["id"] not in ids]


def _find_orphaned_bodies(
    db: Database, archive: Archive, gone: Iterable[Row], others: Iterable[Row]
) -> list[tuple[Row, Page, str]]:
    """Captures that stay and need a record with the body, each with page and source.

    Those whose record another row shares that goes, and of those that refer to a body
    that goes the first.
    """
    dropped = {row["offset"] for row in gone}
    found: list[tuple[Row, Page, str]] = []
    with_body = set()
    revisits = []
    for row in others:
        record = archive.read_record(row["file"], row["offset"])
        if record is None:
            continue
        if row["offset"] in dropped:
            page = read_capture(db, archive, row)
            if page is not None:
                found.append((row, page, record.source))
                with_body.add(row["digest"])
        elif record.is_revisit:
            revisits.append((row, record.source))
        else:
            with_body.add(row["digest"])
    for row, source in revisits:
        if row["digest"] in with_body:
            continue
        page = read_capture(db, archive, row)
        if page is not None:
            found.append((row, page, source))
            with_body.add(row["digest"])
    return found


def _rewrite_file(
    db: Database,
    archive: Archive,
    file: str,
    dropped: set[int],
    orphaned: list[tuple[Row, Page, str]],
) -> None:
    """Write a file without what goes, and note where the rest of it stands.

    A WARC file cannot lose a record in place.
    """
    dropped = dropped | {row["offset"] for row, _, _ in orphaned}
    added = [(page, source) for _, page, source in orphaned]
    moved, places = archive.rewrite(file, dropped, added)
    new_places = {}
    for row, place in zip(orphaned, places, strict=True):
        new_places[row[0]["id"]] = place
    rows = db.execute("SELECT id, offset, length FROM captures WHERE file = ?", [file])
    changes = []
    for row in rows.fetchall():
        offset, length = new_places.get(
            row["id"], (moved.get(row["offset"], row["offset"]), row["length"])
        )
        changes.append((offset, length, row["id"]))
    db.conn.executemany(
        "UPDATE captures SET offset = ?, length = ? WHERE id = ?", changes
    )


def _list_rewritten(db: Database) -> list[str]:
    return list(json.loads(service_state.find_meta(db, _REWRITTEN) or "[]"))


def finish_rewrites(db: Database, archive: Archive) -> None:
    """Put files that were written anew in their places, after their commit.

    Also those that a crash left between the two, at the next start: what was forgotten
    would be in the old file for good.
    """
    files = _list_rewritten(db)
    for file in files:
        archive.finish_rewrite(file)
    if files:
        service_state.set_meta(db, _REWRITTEN, "[]")
    archive.drop_rewrites()


def expire_captures(
    db: Database,
    archive: Archive,
    now: datetime,
    *,
    kept: timedelta,
    rejected: timedelta,
    over: int,
) -> list[str]:
    """Drop captures past their age, then the oldest of rejected pages.

    The latter until `over` bytes are free in all. Files of other databases stay.
    Returns the files, which must be removed after the commit.
    """
    files = list_own_files(db, archive)
    old = warc.expired_files(files, now, kept=kept, rejected=rejected)
    freed = sum(file.size for file in old)
    left = [file for file in files if file not in old]
    surplus = warc.surplus_files(left, bytes_over=over - freed)
    expired = [file.file for file in (*old, *surplus)]
    for name in expired:
        db.execute(
            """
            DELETE FROM rejections
            WHERE capture_id IN (SELECT id FROM captures WHERE file = ?)
            """,
            [name],
        )
        db.execute("DELETE FROM captures WHERE file = ?", [name])
    return expired


# What is there


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveState:
    """What stands in the folder of raw pages, beside what the database says."""

    captures: int = 0  # rows
    unreadable: int = 0  # of them, whose file is gone, cut or another one
    faulty_files: tuple[str, ...] = ()
    strange_files: int = 0  # that neither this database names nor its identity
    strange_bytes: int = 0


def list_own_files(db: Database, archive: Archive) -> list[ArchiveFile]:
    """The files of this database: with its identity in their name, or named by it."""
    tag = archive.identity[: warc.IDENTITY_CHARS]
    return [
        file
        for file in archive.files()
        if (tag and file.tag == tag) or _is_named(db, file.file)
    ]


def _is_named(db: Database, file: str) -> bool:
    row = db.execute("SELECT 1 FROM captures WHERE file = ? LIMIT 1", [file]).fetchone()
    return row is not None


def check_archive(db: Database, archive: Archive, *, every: bool) -> ArchiveState:
    """Hold every file of raw pages against its rows: its length, and records of it.

    With `every` all of them are read, else the first and the last: a file that was cut,
    packed anew or replaced shows in one of these. Raises StoreUnusable where a file is
    there and may not be read.
    """
    total, unreadable = 0, 0
    faulty = []
    rows = db.execute(
        """
        SELECT file, count(*) AS captures, max(offset + length) AS end,
            min(id) AS first, max(id) AS last
        FROM captures GROUP BY file ORDER BY file
        """
    ).fetchall()
    for row in rows:
        total += row["captures"]
        is_faulty = every or archive.is_cut(row["file"], row["end"])
        for number in (row["first"], row["last"]):
            if not is_faulty:
                capture = find_capture_row(db, number)
                assert capture is not None
                is_faulty = read_capture(db, archive, capture) is None
        if is_faulty:
            gone = _count_unreadable(db, archive, row["file"])
            unreadable += gone
            if gone:
                faulty.append(row["file"])
    own = {file.file for file in list_own_files(db, archive)}
    strange = [file for file in archive.files() if file.file not in own]
    return ArchiveState(
        captures=total,
        unreadable=unreadable,
        faulty_files=tuple(faulty),
        strange_files=len(strange),
        strange_bytes=sum(file.size for file in strange),
    )


def list_unnamed_files(db: Database, archive: Archive) -> list[ArchiveFile]:
    """Files in the folder that no row names, whosever they are."""
    return [file for file in archive.files() if not _is_named(db, file.file)]


def relocate_captures(db: Database, archive: Archive) -> int:
    """Find raw pages again that moved within their files; returns how many.

    `forget` writes a file anew: an older copy of the database has the former places.
    """
    found = 0
    for file in check_archive(db, archive, every=True).faulty_files:
        if not archive.has_file(file):
            continue
        # A record has the address as it was asked, its row the canonical form.
        places = {
            (stored_url(url), at): place
            for (url, at), place in archive.list_records(file).items()
        }
        rows = db.execute("SELECT * FROM captures WHERE file = ?", [file]).fetchall()
        for row in rows:
            found_place = places.get((row["url"], row["fetched_at"]))
            if found_place is not None:
                db.execute(
                    "UPDATE captures SET offset = ?, length = ? WHERE id = ?",
                    [*found_place, row["id"]],
                )
                found += 1
    return found


def _count_unreadable(db: Database, archive: Archive, file: str) -> int:
    """How many responses of a file cannot be had."""
    rows = db.execute("SELECT * FROM captures WHERE file = ?", [file]).fetchall()
    if not archive.has_file(file):
        return len(rows)
    return sum(read_capture(db, archive, row) is None for row in rows)
