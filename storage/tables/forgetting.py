"""What leaves the file.

Texts that must be forgotten, captures past their age, memory that is no longer of use.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage import archive as warc
from storage import identity
from storage.archive import Archive
from storage.folding import printable
from storage.model import ChangeKind, to_text
from storage.tables.admission import remove_document
from storage.tables.visits import url_key

# Old items come back (rules: case 81 wants a year at least)
ENTRIES_MAX_AGE = timedelta(days=400)
# A line that stood in one article only is soon just text
LINES_MAX_AGE = timedelta(days=180)
POLLS_MAX_AGE = timedelta(days=400)  # a source is judged by its own year
JOBS_MAX_AGE = timedelta(days=30)


def list_article_documents(db: Database, what: str | int) -> list[int]:
    """All documents of the article that a URL or a number belongs to.

    Its copies carry the same text.
    """
    if isinstance(what, int):
        number: int | None = what
    else:
        key = url_key(what)
        found = db.execute(
            "SELECT document_id FROM fates WHERE key = ?", [key]
        ).fetchone()
        number = found[0] if found else None
    rows = db.execute(
        """
        SELECT id FROM documents
        WHERE article_id IN (SELECT article_id FROM documents WHERE id = :number OR article_id = :number)
        """,
        {"number": number},
    )
    return [row[0] for row in rows]


def list_source_documents(db: Database, source: str) -> list[int]:
    """All documents of a source.

    Copies that other sources carried stay, and one of them becomes the head.
    """
    return [
        row[0]
        for row in db.execute("SELECT id FROM documents WHERE source = ?", [source])
    ]


def forget_documents(
    db: Database, documents: Iterable[int], now: datetime
) -> list[int]:
    """Erase texts, index, mentions and revisions; tombstones stay.

    Returns the captures that must go as well.
    """
    captures: list[int] = []
    for document in documents:
        captures += _list_document_captures(db, document)
        db.execute(
            "UPDATE entries SET title = '' WHERE key IN (SELECT key FROM fates WHERE document_id = ?)",
            [document],
        )
        forget_annotations(db, document)
        db.execute(
            "UPDATE fates SET fate = 'forgotten', reason = '', detail = '', at = ? WHERE document_id = ?",
            [to_text(now), document],
        )
        remove_document(db, document, now, ChangeKind.FORGOTTEN)
    return captures


def forget_url(db: Database, url: str, now: datetime) -> list[int]:
    """Make a tombstone for a URL that has no text here, so that it is never read again.

    Returns captures of its rejection.
    """
    key = url_key(url)
    captures = [
        row[0]
        for row in db.execute(
            "SELECT capture_id FROM rejections WHERE key = ? AND capture_id IS NOT NULL",
            [key],
        )
    ]
    db.execute("DELETE FROM rejections WHERE key = ?", [key])
    for row in db.execute(
        "DELETE FROM leads WHERE key = ? RETURNING poll_id", [key]
    ).fetchall():
        db.execute(
            "UPDATE polls SET pending = pending - 1, refused = refused + 1 WHERE id = ?",
            [row[0]],
        )
    db.execute(
        """
        INSERT INTO fates (key, url, source, fate, at) VALUES (?, ?, '', 'forgotten', ?)
        ON CONFLICT (key) DO UPDATE SET fate = 'forgotten', reason = '', detail = '', at = excluded.at
        """,
        [key, identity.canonical_url(printable(url)), to_text(now)],
    )
    return captures


def forget_annotations(db: Database, what: str | int) -> None:
    """Erase what people said of a text: its mark holds the text.

    By URL, or by the number that it has or had.
    """
    key = url_key(what) if isinstance(what, str) else None
    db.execute(
        """
        DELETE FROM marks WHERE key IN (
            SELECT :key UNION SELECT key FROM documents WHERE id = :number
            UNION SELECT key FROM marks WHERE document_id = :number)
        """,
        {"key": key, "number": None if key else what},
    )


def forget_rejections(db: Database, source: str) -> list[int]:
    """Erase what is known of a source's rejected pages, what people said of its texts too; their fates stay.

    Returns their captures.
    """
    db.execute("DELETE FROM marks WHERE document ->> 'source' = ?", [source])
    rows = db.execute(
        "DELETE FROM rejections WHERE source = ? RETURNING capture_id", [source]
    ).fetchall()
    return [row[0] for row in rows if row[0] is not None]


def _list_document_captures(db: Database, document: int) -> list[int]:
    rows = db.execute(
        """
        SELECT capture_id FROM documents WHERE id = :id AND capture_id IS NOT NULL
        UNION SELECT capture_id FROM revisions WHERE document_id = :id AND capture_id IS NOT NULL
        UNION SELECT id FROM captures WHERE url IN (SELECT url FROM fates WHERE document_id = :id)
        """,
        {"id": document},
    )
    return [row[0] for row in rows]


def forget_captures(
    db: Database, archive: Archive | None, captures: Iterable[int]
) -> list[str]:
    """Take raw responses out of their files.

    Returns the old files, which must be removed after the commit.

    A record that another page's capture shares goes with it: its bytes are the text.
    """
    ids = json.dumps(list(captures))
    places = db.execute(
        "SELECT DISTINCT file, offset FROM captures WHERE id IN (SELECT value FROM json_each(?))",
        [ids],
    ).fetchall()
    by_file: dict[str, set[int]] = {}
    for file, offset in places:
        by_file.setdefault(file, set()).add(offset)
    for file, offsets in by_file.items():
        db.execute(
            "DELETE FROM captures WHERE file = ? AND offset IN (SELECT value FROM json_each(?))",
            [file, json.dumps(list(offsets))],
        )
        if archive is not None and archive.has_file(file):
            fresh, moved = archive.copy_without(file, offsets)
            db.conn.executemany(
                "UPDATE captures SET file = ?, offset = ? WHERE file = ? AND offset = ?",
                [(fresh, new, file, old) for old, new in moved.items()],
            )
    return list(by_file)


# Age and room


def expire_captures(
    db: Database,
    archive: Archive,
    now: datetime,
    *,
    kept: timedelta,
    rejected: timedelta,
    over: int,
) -> list[str]:
    """Drop captures past their age, then the oldest of rejected pages until `over` bytes are free.

    Returns the files, which must be removed after the commit.
    """
    files = archive.files()
    old = warc.expired_files(files, now, kept=kept, rejected=rejected)
    rest_of_them = [rest for rest in files if rest not in old]
    more = warc.surplus_files(
        rest_of_them, bytes_over=over - sum(rest.size for rest in old)
    )
    for rest in (*old, *more):
        db.execute(
            "DELETE FROM rejections WHERE capture_id IN (SELECT id FROM captures WHERE file = ?)",
            [rest.file],
        )
        db.execute("DELETE FROM captures WHERE file = ?", [rest.file])
    return [rest.file for rest in (*old, *more)]


def list_orphan_files(db: Database, archive: Archive) -> list[str]:
    """Capture files that nothing points to.

    What a crash before a commit, or between it and a removal, has left.
    """
    return [
        rest.file
        for rest in archive.files()
        if db.execute(
            "SELECT 1 FROM captures WHERE file = ? LIMIT 1", [rest.file]
        ).fetchone()
        is None
    ]


def expire_rows(db: Database, now: datetime, *, rejected: timedelta) -> None:
    """Drop what is past its age.

    Entries, lonely lines, rejections, polls, answered requests.
    """
    db.execute(
        "DELETE FROM entries WHERE last_seen_at < ?", [to_text(now - ENTRIES_MAX_AGE)]
    )
    db.execute(
        "DELETE FROM host_lines WHERE second_in IS NULL AND NOT spared AND seen_at < ?",
        [to_text(now - LINES_MAX_AGE)],
    )
    db.execute("DELETE FROM rejections WHERE at < ?", [to_text(now - rejected)])
    db.execute(
        "DELETE FROM polls WHERE ended_at < ? AND pending = 0",
        [to_text(now - POLLS_MAX_AGE)],
    )
    db.execute("DELETE FROM requests WHERE ended_at < ?", [to_text(now - JOBS_MAX_AGE)])
    db.execute("DELETE FROM host_waits WHERE until < ?", [to_text(now)])
