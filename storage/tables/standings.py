"""How far each saved search has come in the log of changes. Functions over an open `Database`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from storage.folding import printable
from storage.tables.visits import moment, stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One saved search: everything up to `cursor` was told, or was not what it looks for."""

    id: str
    cursor: int
    delivered: int = 0
    failures: int = 0  # in a row
    next_try_at: datetime | None = None  # None: at once
    last_delivered_at: datetime | None = None
    last_error: str | None = None


def read(db: Database) -> dict[str, Standing]:
    """Every standing by the id of its search."""
    return {
        row["id"]: Standing(
            **{name: row[name] for name in ("id", "cursor", "delivered", "failures", "last_error")},
            next_try_at=moment(row["next_try_at"]),
            last_delivered_at=moment(row["last_delivered_at"]),
        )
        for row in db.execute("SELECT * FROM alerts").fetchall()
    }


def keep(db: Database, standings: Iterable[Standing]) -> None:
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
                one.id, one.cursor, one.delivered, one.failures, stamp(one.next_try_at), stamp(one.last_delivered_at),
                printable(one.last_error) if one.last_error else None,
            )
            for one in standings
        ],
    )  # fmt: skip
