"""What passes between the service and others through the file.

Requests, signs of life, hosts that asked for patience.

Functions over an open `Database`; `Store` opens the transaction around those that
write.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage.folding import printable
from storage.model import Job, from_text, to_text

# Two beats further apart than this: the service was down
_MAX_HEARTBEAT_INTERVAL = timedelta(minutes=10)


# Work handed over


def submit_job(
    db: Database, kind: str, arguments: Mapping[str, object], now: datetime
) -> int:
    """Ask the service for work; returns the id to follow."""
    cursor = db.execute(
        "INSERT INTO requests (kind, arguments, requested_at) VALUES (?, ?, ?)",
        [kind, json.dumps(arguments), to_text(now)],
    )
    return int(cursor.lastrowid or 0)


def is_any_job_waiting(db: Database) -> bool:
    """Whether `take_next_job` would find one."""
    found = db.execute(
        "SELECT EXISTS (SELECT 1 FROM requests WHERE status = 'waiting')"
    ).fetchone()
    return bool(found[0])


def take_next_job(db: Database, now: datetime) -> Job | None:
    """The oldest request that waits, marked as running."""
    row = db.execute(
        """
        UPDATE requests SET status = 'running', started_at = ?
        WHERE id = (SELECT min(id) FROM requests WHERE status = 'waiting') RETURNING *
        """,
        [to_text(now)],
    ).fetchone()
    return None if row is None else _row_to_job(row)


def save_job_progress(
    db: Database, request_id: int, progress: Mapping[str, object]
) -> None:
    """What the follower of a request is shown while it runs."""
    db.execute(
        "UPDATE requests SET progress = ? WHERE id = ?",
        [json.dumps(progress), request_id],
    )


def finish_job(
    db: Database,
    request_id: int,
    result: Mapping[str, object],
    now: datetime,
    *,
    failed: bool,
) -> None:
    """Close a request with its result."""
    db.execute(
        "UPDATE requests SET status = ?, ended_at = ?, result = ? WHERE id = ?",
        ["failed" if failed else "done", to_text(now), json.dumps(result), request_id],
    )


def fail_interrupted_jobs(db: Database, now: datetime) -> None:
    """Requests whose worker is gone will not be answered by it."""
    db.execute(
        "UPDATE requests SET status = 'failed', ended_at = ?, result = ? WHERE status = 'running'",
        [
            to_text(now),
            json.dumps(
                {"stopped": True, "error": "the service ended before it was done"}
            ),
        ],
    )


def find_job(db: Database, request_id: int) -> Job | None:
    """A request as it stands."""
    row = db.execute("SELECT * FROM requests WHERE id = ?", [request_id]).fetchone()
    return None if row is None else _row_to_job(row)


def _row_to_job(row: Mapping[str, Any]) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        arguments=json.loads(row["arguments"]),
        status=row["status"],
        requested_at=from_text(row["requested_at"]),
        progress=json.loads(row["progress"] or "{}"),
        result=json.loads(row["result"] or "{}"),
    )


# Patience, and signs of life


def save_host_wait(db: Database, host: str, until: datetime, reason: str) -> None:
    """A server asked for patience: nothing is asked of this host before `until`."""
    db.execute(
        "INSERT INTO host_waits VALUES (?, ?, ?) ON CONFLICT (host) DO UPDATE SET until = max(until, "
        "excluded.until), reason = excluded.reason",
        [host, to_text(until), printable(reason)],
    )


def list_host_waits(db: Database, now: datetime) -> dict[str, datetime]:
    """Hosts that asked for patience, and until when."""
    return {
        row[0]: from_text(row[1])
        for row in db.execute(
            "SELECT host, until FROM host_waits WHERE until > ?", [to_text(now)]
        )
    }


def record_heartbeat(db: Database, now: datetime) -> None:
    """The service is alive.

    A gap since the last beat is recorded as a period without sight.
    """
    before = find_meta(db, "alive_at")
    if before is not None and from_text(before) < now - _MAX_HEARTBEAT_INTERVAL:
        db.execute(
            "INSERT INTO blind (source, from_at, to_at, reason) VALUES (NULL, ?, ?, 'service down')",
            [before, to_text(now)],
        )
    set_meta(db, "alive_at", to_text(now))


def find_meta(db: Database, name: str) -> str | None:
    """One fact about the file itself; None where it was never written."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return None if row is None else str(row[0])


def set_meta(db: Database, name: str, value: str) -> None:
    """Write one fact about the file itself."""
    db.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [name, value],
    )
