"""Sources and what happened to them: the table `sources`.

The configuration says what a source is; the row says what happened to it. When it is
polled next is a column (`next_check_at`), not a timer. Whoever polls a source holds it
by a lease until the poll lands; the leases of a process end with its lock.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage.model import Poll, SourceState, Validators, to_text
from storage.tables import blind_periods
from storage.tables.columns import (
    Row,
    column_to_time,
    text_to_column,
    time_to_column,
)


def sync_sources(db: Database, rows: Iterable[SourceState]) -> None:
    """Take over what the configuration says.

    What happened to a source stays. Sources that are gone from the configuration are
    switched off.
    """
    declared = list(rows)
    for source in declared:
        # Another address, or another way to read it, makes old validators worthless
        # (rules: case 9).
        db.execute(
            """
            INSERT INTO sources (id, name, kind, url, owner, enabled)
            VALUES (:id, :name, :kind, :url, :owner, :enabled)
            ON CONFLICT (id) DO UPDATE SET
                etag = iif(url = :url AND kind = :kind, etag, NULL),
                last_modified = iif(url = :url AND kind = :kind, last_modified, NULL),
                body_hash = iif(url = :url AND kind = :kind, body_hash, NULL),
                hints = iif(url = :url AND kind = :kind, hints, '{}'),
                next_check_at = iif(url = :url AND kind = :kind, next_check_at, NULL),
                moved_to = iif(url = :url, moved_to, NULL),
                moved_times = iif(url = :url, moved_times, 0),
                muted = iif(url = :url, muted, 0),
                name = :name, kind = :kind, url = :url, owner = :owner,
                enabled = :enabled
            """,
            {
                "id": source.id,
                "name": source.name,
                "kind": source.kind,
                "url": source.url,
                "owner": source.owner,
                "enabled": int(source.enabled),
            },
        )
    db.execute(
        """
        UPDATE sources SET enabled = 0
        WHERE id NOT IN (SELECT value FROM json_each(?))
        """,
        [json.dumps([source.id for source in declared])],
    )


def find_source(db: Database, source_id: str) -> SourceState | None:
    """One source and its state."""
    row = db.execute("SELECT * FROM sources WHERE id = ?", [source_id]).fetchone()
    return None if row is None else _row_to_source(row)


def list_sources(db: Database) -> list[SourceState]:
    """Every source that was ever configured, by id."""
    rows = db.execute("SELECT * FROM sources ORDER BY id")
    return [_row_to_source(row) for row in rows]


def _row_to_source(row: Row) -> SourceState:
    return SourceState(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        url=row["url"],
        owner=row["owner"],
        enabled=bool(row["enabled"]),
        next_check_at=column_to_time(row["next_check_at"]),
        last_poll_at=column_to_time(row["last_poll_at"]),
        last_success_at=column_to_time(row["last_success_at"]),
        last_new_at=column_to_time(row["last_new_at"]),
        newest_at=column_to_time(row["newest_at"]),
        interval=row["interval"],
        failures=row["failures"],
        first_failure_at=column_to_time(row["first_failure_at"]),
        last_error=row["last_error"],
        gone=bool(row["muted"]),
        validators=Validators(etag=row["etag"], last_modified=row["last_modified"]),
        validators_since=column_to_time(row["validators_since"]),
        body_hash=row["body_hash"],
        empty_in_a_row=row["empty_in_a_row"],
        moved_to=row["moved_to"],
        moved_since=column_to_time(row["moved_since"]),
        moved_times=row["moved_times"],
        hints=json.loads(row["hints"]),
    )


# Claims

# A source that is polled at all is polled once a week, or a tenth later. What lies
# further ahead was written by a clock that has been set back since (rules: case 103).
_MAX_CHECK_AHEAD = timedelta(days=8)
# Each part is a range of the index `sources_due`: twenty thousand sources cost no more
# than those that are due.
_DUE_SQL = """
    SELECT id, next_check_at FROM sources
    WHERE enabled AND next_check_at IS NULL
        AND (lease_until IS NULL OR lease_until <= :now)
    UNION ALL SELECT id, next_check_at FROM sources
    WHERE enabled AND next_check_at <= :now
        AND (lease_until IS NULL OR lease_until <= :now)
    UNION ALL SELECT id, next_check_at FROM sources
    WHERE enabled AND next_check_at > :furthest
        AND (lease_until IS NULL OR lease_until <= :now)
"""
ANY_SOURCE_DUE_SQL = f"SELECT EXISTS ({_DUE_SQL})"
DUE_SOURCES_SQL = f"SELECT id FROM ({_DUE_SQL}) ORDER BY next_check_at LIMIT :limit"  # noqa: S608 - fixed texts


def due_parameters(now: datetime) -> dict[str, str]:
    """The times that `ANY_SOURCE_DUE_SQL` and `DUE_SOURCES_SQL` ask with."""
    return {"now": to_text(now), "furthest": to_text(now + _MAX_CHECK_AHEAD)}


def is_any_source_due(db: Database, now: datetime) -> bool:
    """Whether `claim_due_sources` would find anything."""
    found = db.execute(ANY_SOURCE_DUE_SQL, due_parameters(now)).fetchone()
    return bool(found[0])


def claim_due_sources(
    db: Database, now: datetime, *, limit: int, lease: timedelta
) -> list[SourceState]:
    """Sources that are due and nobody holds, the longest due first.

    Held until the lease ends or the poll lands.
    """
    due = db.execute(DUE_SOURCES_SQL, {**due_parameters(now), "limit": limit})
    return claim_sources(db, [row["id"] for row in due], now, lease)


def claim_sources(
    db: Database, ids: Iterable[str], now: datetime, lease: timedelta
) -> list[SourceState]:
    """Those of the named sources that nobody holds, due or not, in the order given.

    Held as by `claim_due_sources`.
    """
    wanted = list(ids)
    rows = db.execute(
        """
        UPDATE sources SET lease_until = :until
        WHERE id IN (SELECT value FROM json_each(:ids))
            AND (lease_until IS NULL OR lease_until <= :now)
        RETURNING *
        """,
        {
            "ids": json.dumps(wanted),
            "now": to_text(now),
            "until": to_text(now + lease),
        },
    )
    # RETURNING has an order of its own, and callers rely on theirs.
    held = {row["id"]: _row_to_source(row) for row in rows.fetchall()}
    return [held[source_id] for source_id in wanted if source_id in held]


def release_source(db: Database, source_id: str) -> None:
    """Give a claimed source back without a poll."""
    db.execute("UPDATE sources SET lease_until = NULL WHERE id = ?", [source_id])


def release_all_sources(db: Database) -> None:
    """End the leases that the last holder of the lock left."""
    db.execute("UPDATE sources SET lease_until = NULL WHERE lease_until IS NOT NULL")


# Clocks are corrected by seconds all the time.
_CLOCK_TOLERANCE = timedelta(minutes=2)


def move_plans_with_clock(db: Database, now: datetime, before: datetime | None) -> None:
    """Move what is planned with a clock that was set back since `before`.

    `before` is the last sign of life (rules: case 103). Everything keeps its distance:
    no source sleeps for the day that the clock lost, and none is polled twice.
    """
    if before is None or before - now <= _CLOCK_TOLERANCE:
        return
    back = f"-{int((before - now).total_seconds())} seconds"
    planned = (
        ("sources", "next_check_at"),
        ("leads", "next_attempt_at"),
        ("host_waits", "until"),
        ("looks", "due_at"),
        ("alerts", "next_try_at"),
        ("sources", "lease_until"),
    )
    for table, column in planned:
        moved = f"strftime('%Y-%m-%dT%H:%M:%SZ', {column}, ?)"
        db.execute(f"UPDATE {table} SET {column} = {moved}", [back])  # noqa: S608 - fixed names


# After a poll

_UPDATE_SOURCE_SQL = """
UPDATE sources SET
    last_poll_at = :at, next_check_at = :next_check_at, lease_until = NULL,
    interval = coalesce(:interval, interval), failures = :failures, muted = :muted,
    last_error = iif(:is_good, NULL, :error),
    last_success_at = iif(:is_good, :at, last_success_at),
    first_failure_at = iif(:is_good, NULL, coalesce(first_failure_at, :at)),
    last_new_at = iif(:has_new, :at, last_new_at),
    newest_at = nullif(max(coalesce(newest_at, ''), coalesce(:newest_at, '')), ''),
    etag = iif(:has_validators, :etag, etag),
    last_modified = iif(:has_validators, :last_modified, last_modified),
    body_hash = coalesce(:body_hash, body_hash), hints = coalesce(:hints, hints),
    validators_since = CASE
        WHEN :status = 'not_modified' THEN coalesce(validators_since, :at)
        WHEN :is_good THEN NULL
        ELSE validators_since END,
    empty_in_a_row = CASE
        WHEN :status = 'empty' THEN empty_in_a_row + 1
        WHEN :status = 'ok' THEN 0
        ELSE empty_in_a_row END,
    moved_since = CASE
        WHEN :moved_to IS NOT NULL AND moved_to IS NOT :moved_to THEN :at
        WHEN :moved_to IS NULL AND :is_good THEN NULL
        ELSE moved_since END,
    moved_times = CASE
        WHEN :moved_to IS NOT NULL AND moved_to IS NOT :moved_to THEN 1
        WHEN :moved_to IS NOT NULL THEN moved_times + 1
        WHEN :is_good THEN 0
        ELSE moved_times END,
    moved_to = CASE
        WHEN :moved_to IS NOT NULL THEN :moved_to
        WHEN :is_good THEN NULL
        ELSE moved_to END
WHERE id = :id
"""


def update_after_poll(db: Database, poll: Poll, *, has_new: bool) -> None:
    """Write the state of a source that was polled; its lease ends.

    A source that nobody configured gets a row that is switched off.
    """
    is_good = poll.status != "error"
    at = to_text(poll.ended_at)
    values = {
        "id": poll.source,
        "at": at,
        "status": poll.status,
        "is_good": int(is_good),
        "has_new": int(has_new),
        "newest_at": time_to_column(poll.newest_at),
        "next_check_at": time_to_column(poll.next_check_at),
        "interval": poll.interval,
        "failures": poll.failures,
        "error": text_to_column(poll.error),
        "muted": int(poll.gone),
        "body_hash": poll.body_hash,
        "has_validators": 0,
        "etag": None,
        "last_modified": None,
        "moved_to": text_to_column(poll.moved_to),
        "hints": None,
    }
    # Without new validators those stay that are stored; empty ones are forgotten.
    if poll.validators is not None:
        values["has_validators"] = 1
        values["etag"] = text_to_column(poll.validators.etag)
        values["last_modified"] = text_to_column(poll.validators.last_modified)
    if poll.hints is not None:
        values["hints"] = json.dumps(dict(poll.hints))
    db.execute(
        """
        INSERT INTO sources (id, name, kind, url, enabled)
        VALUES (:id, :id, 'feed', '', 0) ON CONFLICT DO NOTHING
        """,
        {"id": poll.source},
    )
    db.execute(_UPDATE_SOURCE_SQL, values)
    if is_good:
        blind_periods.record_seen_again(db, poll.source, poll.ended_at)
    else:
        reason = text_to_column(poll.error) or "error"
        blind_periods.record_failing(db, poll.source, poll.ended_at, reason)
