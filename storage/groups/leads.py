"""URLs that somebody pointed to."""

from collections.abc import Collection, Sequence
from datetime import datetime

from storage.model import Lead, PendingLead, SeenBefore, utc_now
from storage.session import Group
from storage.tables import fates, leads, polls


class Leads(Group):
    """`store.leads`: the rows of `leads`, and which URLs are known."""

    def pending(
        self,
        *,
        source: str | None = None,
        limit: int = 100,
        now: datetime | None = None,
        skip: Collection[int] = (),
    ) -> list[PendingLead]:
        """Leads that may be tried now, the longest waiting first.

        `skip` names those that are being fetched already.
        """
        with self._session.reading() as db:
            return leads.list_pending_leads(
                db, now or utc_now(), source=source, limit=limit, skip=skip
            )

    def count_known(self, source: str, leads: Sequence[Lead]) -> SeenBefore:
        """How much of what a document of this source shows was met before."""
        with self._session.reading() as db:
            return polls.count_known_leads(db, source, leads)

    def known_urls(self, source: str, limit: int) -> list[str]:
        """URLs of pages of a source that were read, in no order that means anything."""
        with self._session.reading() as db:
            return fates.list_read_urls(db, source, limit)
