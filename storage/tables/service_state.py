"""What the running service leaves in the file: `meta` and `host_waits`.

`meta` holds single facts about the file, by name; `host_waits` until when a host that
asked for patience is to be left alone.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlite_utils import Database

from storage.folding import printable
from storage.model import from_text, to_text
from storage.tables import blind_periods

# Two signs of life further apart than this: the service was down in between.
_MAX_HEARTBEAT_INTERVAL = timedelta(minutes=10)


def find_meta(db: Database, name: str) -> str | None:
    """One fact about the file itself; None where it was never written."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return None if row is None else str(row[0])


def set_meta(db: Database, name: str, value: str) -> None:
    """Write one fact about the file itself."""
    db.execute(
        """
        INSERT INTO meta VALUES (?, ?)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """,
        [name, value],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFault:
    """A job of the service that fails."""

    error: str
    since: datetime


def save_job_fault(db: Database, job: str, error: str, now: datetime) -> None:
    """Note that a job fails, since its first failure in a row; with "" it works."""
    faults = json.loads(find_meta(db, "job_faults") or "{}")
    if not error:
        faults.pop(job, None)
    else:
        since = faults.get(job, {}).get("since", to_text(now))
        faults[job] = {"error": printable(error), "since": since}
    set_meta(db, "job_faults", json.dumps(faults))


def load_job_faults(db: Database) -> dict[str, JobFault]:
    """Jobs that failed when they last ran, by name."""
    faults = json.loads(find_meta(db, "job_faults") or "{}")
    return {
        job: JobFault(error=fault["error"], since=from_text(fault["since"]))
        for job, fault in faults.items()
    }


def made_at(db: Database) -> datetime:
    """When the file was made: its first migration, which wrote the time as UTC."""
    (text,) = db.execute("SELECT min(applied_at) FROM _sqlite_migrations").fetchone()
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found


def give_identity(db: Database) -> str:
    """What tells this database from every other one; given once, kept by its copies.

    Raw pages carry it as well, so that no database takes another's for its own.
    """
    identity = find_meta(db, "identity")
    if identity is None:
        identity = uuid.uuid4().hex
        set_meta(db, "identity", identity)
    return identity


def record_heartbeat(db: Database, now: datetime) -> None:
    """The service is alive; a long time since the last sign of life is a blind period.

    Raises ValueError where the file holds something else than a time.
    """
    before = find_meta(db, "alive_at")
    if before is not None and from_text(before) < now - _MAX_HEARTBEAT_INTERVAL:
        blind_periods.record_service_down(db, before, now)
    set_meta(db, "alive_at", to_text(now))


def save_host_wait(db: Database, host: str, until: datetime, reason: str) -> None:
    """A server asked for patience: nothing is asked of this host before `until`."""
    db.execute(
        """
        INSERT INTO host_waits VALUES (?, ?, ?)
        ON CONFLICT (host) DO UPDATE
            SET until = max(until, excluded.until), reason = excluded.reason
        """,
        [host, to_text(until), printable(reason)],
    )


def list_host_waits(db: Database, now: datetime) -> dict[str, datetime]:
    """Hosts that asked for patience, and until when."""
    rows = db.execute(
        "SELECT host, until FROM host_waits WHERE until > ?", [to_text(now)]
    )
    return {row["host"]: from_text(row["until"]) for row in rows}
