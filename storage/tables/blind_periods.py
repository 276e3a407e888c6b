"""Times in which nothing could be seen: the table `blind`.

A row has a source, or none where the service itself was down; `to_at` is NULL while it
lasts. Three things make one: a source that fails, a feed that moved on faster than it
was polled, and a service that showed no sign of life.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

from datetime import datetime, timedelta

from sqlite_utils import Database

from storage.model import BlindPeriod, from_text, to_text
from storage.tables.columns import Row, column_to_time

GAP_REASON = "gap: the feed moved on faster than it was asked"
# A feed that outruns us again within this time has one long gap, not a row for each
# visit.
_GAP_MERGE_WINDOW = timedelta(days=1)


def record_failing(db: Database, source: str, at: datetime, reason: str) -> None:
    """A poll failed: the source was last seen at its last success."""
    db.execute(
        """
        INSERT INTO blind (source, from_at, reason)
        SELECT id, coalesce(last_success_at, :at), :reason FROM sources
        WHERE id = :source AND NOT EXISTS (
            SELECT 1 FROM blind WHERE source = :source AND to_at IS NULL
        )
        """,
        {"source": source, "at": to_text(at), "reason": reason},
    )


def record_seen_again(db: Database, source: str, at: datetime) -> None:
    """A poll succeeded: what lasted for this source has ended."""
    db.execute(
        "UPDATE blind SET to_at = ? WHERE source = ? AND to_at IS NULL",
        [to_text(at), source],
    )


def record_gap(db: Database, source: str, since: datetime, until: datetime) -> None:
    """Between these times a feed may have shown what nobody saw."""
    values = {
        "source": source,
        "since": to_text(since),
        "until": to_text(until),
        "reason": GAP_REASON,
        "merge_after": to_text(since - _GAP_MERGE_WINDOW),
    }
    merged = db.execute(
        """
        UPDATE blind SET to_at = max(to_at, :until)
        WHERE id = (SELECT max(id) FROM blind WHERE source = :source)
            AND reason = :reason AND to_at >= :merge_after
        """,
        values,
    )
    if not merged.rowcount:
        db.execute(
            """
            INSERT INTO blind (source, from_at, to_at, reason)
            VALUES (:source, :since, :until, :reason)
            """,
            values,
        )


def record_service_down(db: Database, since: str, until: datetime) -> None:
    """The service showed no sign of life between these times; `since` as stored."""
    db.execute(
        """
        INSERT INTO blind (source, from_at, to_at, reason)
        VALUES (NULL, ?, ?, 'service down')
        """,
        [since, to_text(until)],
    )


def list_blind_periods(
    db: Database, since: datetime, limit: int = 20
) -> list[BlindPeriod]:
    """Periods that last, or ended after `since`, the newest first."""
    rows = db.execute(
        """
        SELECT source, from_at, to_at, reason FROM blind
        WHERE to_at IS NULL OR to_at >= ? ORDER BY id DESC LIMIT ?
        """,
        [to_text(since), limit],
    )
    return [_row_to_period(row) for row in rows]


def list_blind_periods_between(
    db: Database, since: datetime, until: datetime
) -> list[BlindPeriod]:
    """Periods that overlap a time: those of the service first, then by their start."""
    rows = db.execute(
        """
        SELECT source, from_at, to_at, reason FROM blind
        WHERE from_at < ? AND (to_at IS NULL OR to_at > ?)
        ORDER BY source IS NOT NULL, from_at, source
        """,
        [to_text(until), to_text(since)],
    )
    return [_row_to_period(row) for row in rows]


def _row_to_period(row: Row) -> BlindPeriod:
    return BlindPeriod(
        source=row["source"],
        from_at=from_text(row["from_at"]),
        to_at=column_to_time(row["to_at"]),
        reason=row["reason"],
    )
