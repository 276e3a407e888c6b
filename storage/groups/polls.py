"""Visits to sources and what each of them brought."""

from collections.abc import Sequence
from typing import Any

from storage.model import FinishPoll, Poll, Polled
from storage.query import overview
from storage.session import Group
from storage.tables import integrity, polls


class Polls(Group):
    """`store.polls`: the rows of `polls`."""

    def land(self, poll: Poll, finish: FinishPoll | None = None) -> Polled:
        """Write one poll: new leads, guids, validators, its row, the source's state.

        All of it is one transaction, and the source's lease ends with it.
        """
        return self.land_all([(poll, finish)])[0]

    def land_all(self, pairs: Sequence[tuple[Poll, FinishPoll | None]]) -> list[Polled]:
        """Write polls that ended together; if one cannot be landed, none is."""
        with self._session.writing() as db:
            return [polls.land_poll(db, poll, finish) for poll, finish in pairs]

    def recent(self, source: str, limit: int) -> list[dict[str, Any]]:
        """The last visits to a source, newest first."""
        with self._session.reading() as db:
            return overview.list_polls(db, source, limit)

    def by_day(self, source: str, days: int) -> list[dict[str, Any]]:
        """What the visits to a source brought, a row for each of its last days of UTC.

        Newest first.
        """
        with self._session.reading() as db:
            return overview.count_visits_by_day(db, source, days)

    def unbalanced(self) -> list[dict[str, Any]]:
        """Polls whose columns do not add up to what they found: there must be none."""
        with self._session.reading() as db:
            return integrity.list_unbalanced_polls(db)
