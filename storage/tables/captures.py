"""Raw responses: the table `captures` beside the WARC files of the archive.

A row says in which file and at which offset a response is stored. Equal bodies of one kind
share a record. Responses of kept pages and of rejected ones (`kind`) lie in different
files, for they expire at different ages.

Files are written before the commit and deleted after it: what a crash leaves over is
found by `list_orphan_files`. Functions over an open `Database`; the caller opens the
transaction around those that write.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage import archive as warc
from storage.archive import Archive
from storage.model import Capture, Page, from_text, to_text
from storage.tables.columns import stored_url


def save_capture(
    db: Database, archive: Archive | None, page: Page | None, kind: str
) -> int | None:
    """Store a response, `kept` or `rejected`; returns its number.

    None where raw pages are not kept, or there is no response.
    """
    if archive is None or page is None:
        return None
    digest = hashlib.sha256(page.body).hexdigest()
    # The newest record of these bytes is the one that expires last.
    row = db.execute(
        """
        SELECT file, offset, length FROM captures WHERE digest = ? AND kind = ?
        ORDER BY id DESC LIMIT 1
        """,
        [digest, kind],
    ).fetchone()
    if row is not None and archive.may_share(row["file"], kind, page.fetched_at):
        file, offset, length = row
    else:
        file, offset, length = archive.write_page(page, kind)
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


def is_of_kept_page(db: Database, capture_id: int) -> bool:
    """Whether a response is stored with those of kept pages, or is gone."""
    row = db.execute("SELECT kind FROM captures WHERE id = ?", [capture_id]).fetchone()
    return row is None or row["kind"] == "kept"


def find_capture(db: Database, number: int) -> Capture | None:
    """Where a raw response is stored."""
    row = db.execute("SELECT * FROM captures WHERE id = ?", [number]).fetchone()
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

    A record that another page's capture shares goes with it: its bytes are the text.
    Returns the former files, which must be removed after the commit.
    """
    places = db.execute(
        """
        SELECT DISTINCT file, offset FROM captures
        WHERE id IN (SELECT value FROM json_each(?))
        """,
        [json.dumps(list(capture_ids))],
    ).fetchall()
    offsets_of: dict[str, set[int]] = defaultdict(set)
    for row in places:
        offsets_of[row["file"]].add(row["offset"])
    for file, offsets in offsets_of.items():
        db.execute(
            """
            DELETE FROM captures
            WHERE file = ? AND offset IN (SELECT value FROM json_each(?))
            """,
            [file, json.dumps(list(offsets))],
        )
        # A WARC file cannot lose a record in place: what stays is copied to a new one.
        if archive is not None and archive.has_file(file):
            new_file, moved = archive.copy_without(file, offsets)
            db.conn.executemany(
                """
                UPDATE captures SET file = ?, offset = ?
                WHERE file = ? AND offset = ?
                """,
                [(new_file, new, file, old) for old, new in moved.items()],
            )
    return list(offsets_of)


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

    The latter until `over` bytes are free in all. Returns the files, which must be
    removed after the commit.
    """
    files = archive.files()
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


def list_orphan_files(db: Database, archive: Archive) -> list[str]:
    """Files that nothing points to: a crash before a commit, or after it, left them."""
    orphans = []
    for file in archive.files():
        row = db.execute(
            "SELECT 1 FROM captures WHERE file = ? LIMIT 1", [file.file]
        ).fetchone()
        if row is None:
            orphans.append(file.file)
    return orphans
