"""Sources, and what happened to each: claims, schedule, recent activity."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from storage.model import SourceState
from storage.session import Group
from storage.tables import counts, source_stats, sources


class Sources(Group):
    """`store.sources`: the rows of `sources`."""

    def sync(self, rows: Iterable[SourceState]) -> None:
        """Take over what the configuration says.

        What happened to a source stays. Sources that are gone from the configuration
        are switched off.
        """
        with self._session.writing() as db:
            sources.sync_sources(db, rows)

    def find(self, source_id: str) -> SourceState | None:
        """One source and its state."""
        with self._session.reading() as db:
            return sources.find_source(db, source_id)

    def all(self) -> list[SourceState]:
        """Every source that was ever configured, by id.

        Those that are gone from the configuration are not enabled.
        """
        with self._session.reading() as db:
            return sources.list_sources(db)

    def claim_due(
        self, now: datetime, *, limit: int, lease: timedelta
    ) -> list[SourceState]:
        """Sources that are due and that nobody holds, the longest due first.

        They are held until the lease ends or the poll lands.
        """
        # Asked each second, mostly in vain: without a transaction.
        with self._session.reading() as db:
            if not sources.is_any_source_due(db, now):
                return []
        with self._session.writing() as db:
            return sources.claim_due_sources(db, now, limit=limit, lease=lease)

    def claim(
        self, ids: Iterable[str], now: datetime, lease: timedelta
    ) -> list[SourceState]:
        """Those of the named sources that nobody holds, due or not, in that order."""
        with self._session.writing() as db:
            return sources.claim_sources(db, ids, now, lease)

    def release(self, source_id: str) -> None:
        """Give a claimed source back without a poll."""
        with self._session.writing() as db:
            sources.release_source(db, source_id)

    def count_overdue(self, before: datetime) -> int:
        """How many sources in use should have been polled before this time."""
        with self._session.reading() as db:
            return source_stats.count_overdue(db, before)

    def next_checks(self, limit: int) -> list[tuple[str, datetime]]:
        """Which sources are polled next, and when."""
        with self._session.reading() as db:
            return source_stats.list_next_checks(db, limit)

    def activity(self) -> list[dict[str, Any]]:
        """One row for each source in use; see `counts.count_by_source`.

        Its state, its last article, and what its polls of the last week brought.
        """
        with self._session.reading() as db:
            return counts.count_by_source(db)
