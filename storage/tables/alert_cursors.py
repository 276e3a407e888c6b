"""How far each saved search has come in the log of changes: the table `alerts`.

Everything up to a cursor was delivered, or was not what the search looks for. A cursor
never goes back.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

from collections.abc import Iterable

from sqlite_utils import Database

from storage.model import AlertCursor
from storage.tables.columns import column_to_time, text_to_column, time_to_column


def load_cursors(db: Database) -> dict[str, AlertCursor]:
    """Every cursor by the id of its search."""
    cursors = {}
    for row in db.execute("SELECT * FROM alerts"):
        cursors[row["id"]] = AlertCursor(
            id=row["id"],
            cursor=row["cursor"],
            delivered=row["delivered"],
            failures=row["failures"],
            next_try_at=column_to_time(row["next_try_at"]),
            last_delivered_at=column_to_time(row["last_delivered_at"]),
            last_error=row["last_error"],
        )
    return cursors


def save_cursors(db: Database, cursors: Iterable[AlertCursor]) -> None:
    """Write these cursors."""
    rows = [
        (
            one.id,
            one.cursor,
            one.delivered,
            one.failures,
            time_to_column(one.next_try_at),
            time_to_column(one.last_delivered_at),
            text_to_column(one.last_error),
        )
        for one in cursors
    ]
    db.conn.executemany(
        """
        INSERT INTO alerts (
            id, cursor, delivered, failures, next_try_at, last_delivered_at, last_error
        )
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET
            cursor = max(cursor, excluded.cursor), delivered = excluded.delivered,
            failures = excluded.failures, next_try_at = excluded.next_try_at,
            last_delivered_at = excluded.last_delivered_at,
            last_error = excluded.last_error
        """,
        rows,
    )
