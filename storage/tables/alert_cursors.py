"""How far each saved search has come in the log of changes.

Functions over an open `Database`.
"""

from collections.abc import Iterable

from sqlite_utils import Database

from storage.folding import printable
from storage.model import AlertCursor
from storage.tables.visits import column_to_time, time_to_column


def load_cursors(db: Database) -> dict[str, AlertCursor]:
    """Every standing by the id of its search."""
    return {
        row["id"]: AlertCursor(
            **{
                name: row[name]
                for name in ("id", "cursor", "delivered", "failures", "last_error")
            },
            next_try_at=column_to_time(row["next_try_at"]),
            last_delivered_at=column_to_time(row["last_delivered_at"]),
        )
        for row in db.execute("SELECT * FROM alerts").fetchall()
    }


def save_cursors(db: Database, standings: Iterable[AlertCursor]) -> None:
    """Write these standings; a cursor never goes back."""
    db.conn.executemany(
        """
        INSERT INTO alerts (id, cursor, delivered, failures, next_try_at, last_delivered_at, last_error)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET cursor = max(cursor, excluded.cursor), delivered = excluded.delivered,
            failures = excluded.failures, next_try_at = excluded.next_try_at,
            last_delivered_at = excluded.last_delivered_at, last_error = excluded.last_error
        """,
        [
            (
                one.id, one.cursor, one.delivered, one.failures, time_to_column(one.next_try_at), time_to_column(one.last_delivered_at),
                printable(one.last_error) if one.last_error else None,
            )
            for one in standings
        ],
    )  # fmt: skip
