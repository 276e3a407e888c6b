"""Whether the file is sound, by SQLite's own checks and ours; everything is read.

Each check is a statement that must count to nothing. A new table with an invariant gets
its check here, and a test that breaks the invariant.

Functions over an open `Database`; they write nothing.
"""

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
    for problem, statement in _INTEGRITY_CHECKS.items():
        count = db.execute(statement).fetchone()[0]
        if count:
            faults.append(f"{count} {problem}")
    return faults


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
