"""The log of changes as programs follow it.

Each row once, in order, with a cursor to go on from.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.errors import UsageError

_PAGE_ROWS = 500
CURSORS_PER_SECOND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEntry:
    """One change with what it changed, as it is now.

    A forgotten article has neither URL nor title.
    """

    cursor: int
    at: str  # ISO 8601 UTC
    article_id: int
    # New, revised, copied, promoted, split, withdrawn, reclassified, forgotten
    what: str
    document_id: int | None
    detail: str
    url: str | None
    title: str | None
    source: str | None

    def as_json(self) -> dict[str, Any]:
        """The JSON form, docs/data.md."""
        return {name: getattr(self, name) for name in self.__slots__}


def follow_changes(
    db: Database, since: int = 0, *, wait: Callable[[], bool]
) -> Iterator[ChangeEntry]:
    """Every change after a cursor, each exactly once.

    At the end `wait` is called, and what came meanwhile follows until it says False.
    Exactly once: rows are written by one writer, so cursors appear in their order;
    whoever keeps the last cursor and comes back misses nothing and meets nothing twice.
    No read is open while the caller works or waits. Raises UsageError for a cursor that
    lies ahead of the log.
    """
    check_cursor(db, since)
    at = since
    while True:
        # A statement a page: no read is open while the caller works or waits.
        rows = list_entries(db, at)
        if not rows:
            # A copy of the file may have been written over it meanwhile.
            check_cursor(db, at)
        for entry in rows:
            at = entry.cursor
            yield entry
        if len(rows) < _PAGE_ROWS and not wait():
            return


def list_entries(
    db: Database, since: int, limit: int = _PAGE_ROWS
) -> list[ChangeEntry]:
    """The next changes after a cursor.

    Each with the document that changed, else with the article's head.
    """
    rows = db.execute(
        """
        SELECT c.cursor, c.at, c.article_id, c.what, c.document_id, c.detail, d.url,
            d.title, d.source
        FROM changes AS c LEFT JOIN documents AS d ON d.id = coalesce(
            c.document_id,
            (SELECT id FROM documents WHERE article_id = c.article_id AND is_head)
        )
        WHERE c.cursor > ? ORDER BY c.cursor LIMIT ?
        """,
        [since, limit],
    ).fetchall()
    return [ChangeEntry(**dict(row)) for row in rows]


def last_cursor(db: Database) -> int:
    """The cursor of the newest change; 0 in an empty log."""
    return int(db.execute("SELECT coalesce(max(cursor), 0) FROM changes").fetchone()[0])


def begin_cursors(db: Database, now: datetime) -> None:
    """Give cursors from the present time on, so that no two logs share one.

    Called by each writer at its start. After an older copy was restored, the changes
    that follow get other cursors than those that were lost, and whoever kept one of
    these is told (`check_cursor`). A new file counts from 1. Faster than a thousand
    changes a second nothing is written.
    """
    first = int(now.timestamp()) * CURSORS_PER_SECOND
    db.execute(
        "UPDATE sqlite_sequence SET seq = ? WHERE name = 'changes' AND seq < ?",
        [first, first],
    )


def check_cursor(db: Database, since: int) -> None:
    """Raise UsageError for a cursor that this log has not given.

    Another database's, one that was lost when an older copy was restored, or a mistyped
    one.
    """
    if since <= 0:
        return
    row = db.execute(
        "SELECT max(cursor) FROM changes WHERE cursor <= ?", [since]
    ).fetchone()
    before = row[0] or 0
    if before != since:
        raise UsageError(
            f"This log has no cursor {since}: an older copy of the database was put "
            f"back, or it is another one; `khabar tail --since {before}` tells what "
            f"came since cursor {before}, and what was told after it may be lost."
        )


def list_article_changes(
    db: Database, article_id: int, limit: int
) -> list[dict[str, Any]]:
    """The newest changes of an article, newest first. Keys: at, what, detail."""
    rows = db.execute(
        """
        SELECT at, what, detail FROM changes WHERE article_id = ?
        ORDER BY cursor DESC LIMIT ?
        """,
        [article_id, limit],
    )
    return [dict(row) for row in rows]
