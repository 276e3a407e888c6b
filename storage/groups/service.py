"""What the service says of itself in the file."""

import json
from collections.abc import Sequence
from datetime import datetime

from storage.model import from_text
from storage.session import Group
from storage.tables import service_state, sources


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
