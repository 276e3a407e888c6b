"""The figures behind `status` and the metrics."""

from datetime import datetime
from typing import Any

from storage.model import BlindPeriod, PageYield, SourceTraffic
from storage.session import Group
from storage.tables import blind_periods, counts, source_stats


class Stats(Group):
    """`store.stats`: how much of everything there is, and how sources do lately."""

    def counts(self) -> dict[str, Any]:
        """How much of everything there is; see `counts.count_everything`.

        `bytes` is what `sizes` gives.
        """
        with self._session.reading() as db:
            return counts.count_everything(db) | {"bytes": self.sizes()}

    def queue(self) -> dict[str, Any]:
        """How much waits, and when the newest article came; see `count_queue`."""
        with self._session.reading() as db:
            return counts.count_queue(db)

    def sizes(self) -> dict[str, int]:
        """Bytes on disk: `database`, `kept` and `rejected` captures, and `total`.

        The database counts with its WAL.
        """
        return self._session.sizes()

    def news_times(self, since: datetime) -> dict[str, list[datetime]]:
        """For each source in use, when its visits showed something new, in order."""
        with self._session.reading() as db:
            return source_stats.list_news_times(db, since)

    def page_yields(self, since: datetime, until: datetime) -> dict[str, PageYield]:
        """What the pages of each source in use yielded."""
        with self._session.reading() as db:
            return source_stats.measure_page_yields(db, since, until)

    def page_without(self, source: str, what: str = "text") -> dict[str, Any] | None:
        """The newest page of a source without `text`, `dates` or `authors`."""
        with self._session.reading() as db:
            return source_stats.find_page_without(db, source, what)

    def traffic(self, since: datetime) -> dict[str, SourceTraffic]:
        """Requests and bytes of each source in use."""
        with self._session.reading() as db:
            return source_stats.measure_traffic(db, since)

    def blind_periods(self, since: datetime, limit: int = 20) -> list[BlindPeriod]:
        """Times in which nothing was seen, that last or ended after `since`."""
        with self._session.reading() as db:
            return blind_periods.list_blind_periods(db, since, limit)

    def share_of_new(self, since: datetime) -> float:
        """The share of all documents that came since then, 0 to 1."""
        with self._session.reading() as db:
            return source_stats.share_of_new_documents(db, since)
