"""Work that commands hand to the running service: the table `requests`.

A job waits, runs, and is done or failed; its progress and its result are JSON objects.
Whoever gets the writer's lock fails what the last holder left running.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlite_utils import Database

from storage.model import Job, from_text, to_text
from storage.tables.columns import Row


def submit_job(
    db: Database, kind: str, arguments: Mapping[str, object], now: datetime
) -> int:
    """Ask the service for work; returns the number to follow."""
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
    """The oldest job that waits, marked as running."""
    # Taken and marked in one statement: no job is ever taken twice.
    row = db.execute(
        """
        UPDATE requests SET status = 'running', started_at = ?
        WHERE id = (SELECT min(id) FROM requests WHERE status = 'waiting')
        RETURNING *
        """,
        [to_text(now)],
    ).fetchone()
    return None if row is None else _row_to_job(row)


def save_job_progress(
    db: Database, job_id: int, progress: Mapping[str, object]
) -> None:
    """Say how far a job has come, for whoever follows it."""
    db.execute(
        "UPDATE requests SET progress = ? WHERE id = ?", [json.dumps(progress), job_id]
    )


def finish_job(
    db: Database,
    job_id: int,
    result: Mapping[str, object],
    now: datetime,
    *,
    failed: bool,
) -> None:
    """Close a job with its result."""
    status = "failed" if failed else "done"
    db.execute(
        "UPDATE requests SET status = ?, ended_at = ?, result = ? WHERE id = ?",
        [status, to_text(now), json.dumps(result), job_id],
    )


def fail_interrupted_jobs(db: Database, now: datetime) -> None:
    """Close the jobs whose service is gone: it will not answer them."""
    result = {"stopped": True, "error": "the service ended before it was done"}
    db.execute(
        """
        UPDATE requests SET status = 'failed', ended_at = ?, result = ?
        WHERE status = 'running'
        """,
        [to_text(now), json.dumps(result)],
    )


def find_job(db: Database, job_id: int) -> Job | None:
    """A job as it stands."""
    row = db.execute("SELECT * FROM requests WHERE id = ?", [job_id]).fetchone()
    return None if row is None else _row_to_job(row)


def _row_to_job(row: Row) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        arguments=json.loads(row["arguments"]),
        status=row["status"],
        requested_at=from_text(row["requested_at"]),
        progress=json.loads(row["progress"] or "{}"),
        result=json.loads(row["result"] or "{}"),
    )
