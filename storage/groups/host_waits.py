"""Hosts that asked for patience."""

from datetime import datetime

from storage.session import Group
from storage.tables import service_state


class HostWaits(Group):
    """`store.host_waits`: until when nothing is asked of a host."""

    def save(self, host: str, until: datetime, reason: str = "") -> None:
        """A server asked for patience: nothing is asked of this host before `until`."""
        with self._session.writing() as db:
            service_state.save_host_wait(db, host, until, reason)

    def current(self, now: datetime) -> dict[str, datetime]:
        """Hosts that asked for patience, and until when."""
        with self._session.reading() as db:
            return service_state.list_host_waits(db, now)
