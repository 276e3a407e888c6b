"""Whether the file is sound, by SQLite's own checks and ours; everything is read.

Each check is a statement that must count to nothing. A new table with an invariant gets
its check here, and a test that breaks the invariant.

Functions over an open `Database`; they write nothing.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from sqlite_utils import Database

from storage.tables import bands

_INTEGRITY_CHECKS = {
    "documents are not in the full text": """
        SELECT count(*) FROM documents AS d WHERE NOT EXISTS (
            SELECT 1 FROM folded AS f
            WHERE f.key = d.sort_key AND f.document_id = d.id
        )
    """,
    "articles have no head": """
        SELECT count(DISTINCT article_id) FROM documents AS d WHERE NOT EXISTS (
            SELECT 1 FROM documents AS h
            WHERE h.article_id = d.article_id AND h.is_head = 1
        )
    """,
    "documents have no fate": """
        SELECT count(*) FROM documents AS d WHERE NOT EXISTS (
            SELECT 1 FROM fates AS f
            WHERE f.key = d.key AND f.fate IN ('article', 'copy', 'withdrawn')
        )
    """,
    # A kept page whose feed gave it another title is read again, and keeps its fate
    # meanwhile.
    "URLs are pending and have a fate": """
        SELECT count(*) FROM leads JOIN fates ON fates.key = leads.key
        WHERE fates.fate NOT IN ('article', 'copy')
    """,
    **bands.INTEGRITY_CHECKS,
}


def check_integrity(db: Database) -> list[str]:
    """One line for each fault of the file; empty when it is sound."""
    checked = db.execute("PRAGMA integrity_check(20)")
    faults = [row[0] for row in checked if row[0] != "ok"]
    for table, row_id, parent, _ in db.execute("PRAGMA foreign_key_check"):
        faults.append(f"{table} {row_id} points to a missing row of {parent}")
    faults += [
        f"poll {poll['id']} of {poll['source']} does not add up"
        for poll in list_unbalanced_polls(db)
    ]
    faults += _check_full_text(db)
    for problem, statement in _INTEGRITY_CHECKS.items():
        count = db.execute(statement).fetchone()[0]
        if count:
            faults.append(f"{count} {problem}")
    return faults


FULL_TEXT_FAULT = "the full text does not agree with the table"


def _check_full_text(db: Database) -> list[str]:
    """Hold the index itself against the table that it is of.

    Before, five texts could be missing from the index of a file that was "sound".
    """
    # `fts_docsize` has a row for each text that the index has taken in.
    missing, strange = db.execute(
        """
        SELECT
            (SELECT count(*) FROM folded
             WHERE key NOT IN (SELECT id FROM fts_docsize)),
            (SELECT count(*) FROM fts_docsize
             WHERE id NOT IN (SELECT key FROM folded))
        """
    ).fetchone()
    if missing or strange:
        detail = f"{missing} texts are not in the index, {strange} are no more"
        return [f"{FULL_TEXT_FAULT}: {detail}"]
    # FTS5's own check, word for word, is a write: it is made on a copy, where there is
    # room for one.
    page_size = db.execute("PRAGMA page_size").fetchone()[0]
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    try:
        free = shutil.disk_usage(gettempdir()).free
    except OSError:
        return []
    if free < 2 * page_size * pages:
        return []
    with (
        TemporaryDirectory(prefix="khabar-check-") as folder,
        closing(sqlite3.connect(Path(folder) / "copy.db")) as copy,
    ):
        db.conn.backup(copy)
        try:
            copy.execute("INSERT INTO fts (fts, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            if "malformed" not in str(error):
                raise
            return [FULL_TEXT_FAULT]
    return []


def list_unbalanced_polls(db: Database) -> list[dict[str, Any]]:
    """Polls whose columns do not add up, or whose pending leads are not there."""
    rows = db.execute(
        """
        SELECT * FROM polls
        WHERE found <> known + new + revised + copies + rejected + refused + too_old
            + failed + pending
        OR pending <> (SELECT count(*) FROM leads WHERE poll_id = polls.id)
        """
    )
    return [dict(row) for row in rows]
