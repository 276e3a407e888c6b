"""What the service says of itself in the file."""

import json
import os
from collections.abc import Sequence
from datetime import datetime

from storage.model import from_text
from storage.session import Group
from storage.tables import service_state, sources
from storage.tables.service_state import JobFault


class ServiceState(Group):
    """`store.service`: signs of life and the like, rows of `meta`."""

    def beat(self, now: datetime) -> None:
        """The service is alive.

        A gap since the last beat is recorded in `blind`; a clock that was set back
        moves what is planned.
        """
        with self._session.writing() as db:
            alive_at = service_state.find_meta(db, "alive_at")
            before = None if alive_at is None else from_text(alive_at)
            sources.move_plans_with_clock(db, now, before)
            service_state.record_heartbeat(db, now)
            service_state.set_meta(db, "service_pid", str(os.getpid()))

    def made_at(self) -> datetime:
        """When this file was made, by its first migration."""
        with self._session.reading() as db:
            return service_state.made_at(db)

    def save_job_fault(self, job: str, error: str, now: datetime) -> None:
        """A job of the service failed, or with "" works again.

        `load_job_faults` then tells since when.
        """
        with self._session.writing() as db:
            service_state.save_job_fault(db, job, error, now)

    def load_job_faults(self) -> dict[str, JobFault]:
        """Jobs of the service that failed when they last ran, by name."""
        with self._session.reading() as db:
            return service_state.load_job_faults(db)

    def pid(self) -> int | None:
        """The pid of the service that last gave a sign of life."""
        with self._session.reading() as db:
            return int(service_state.find_meta(db, "service_pid") or 0) or None

    def alive_at(self) -> datetime | None:
        """When a service last said that it lives; see `beat`."""
        with self._session.reading() as db:
            alive_at = service_state.find_meta(db, "alive_at")
        return None if alive_at is None else from_text(alive_at)

    def save_waiting_keys(self, paths: Sequence[str]) -> None:
        """Keys of the configuration that were changed and wait for the next start."""
        with self._session.writing() as db:
            service_state.set_meta(db, "waiting_keys", json.dumps(list(paths)))

    def waiting_keys(self) -> tuple[str, ...]:
        """Keys of the configuration that wait for the next start, by their paths."""
        with self._session.reading() as db:
            return tuple(
                json.loads(service_state.find_meta(db, "waiting_keys") or "[]")
            )
