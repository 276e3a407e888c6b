"""What visits to pages brought, and what a host's pages taught of their boilerplate."""

from collections.abc import Sequence
from datetime import datetime

from storage.model import Document, Landed, Landing, utc_now
from storage.session import Group
from storage.tables import boilerplate, landing


class Landings(Group):
    """`store.landings`: the only way in for a page."""

    def land(
        self, landings: Sequence[Landing], *, now: datetime | None = None
    ) -> list[Landed]:
        """Write a batch in one transaction; one result for each landing, in order.

        A faulty landing fails alone; a fault of the file stops the batch.
        """
        with self._session.writing() as db:
            return landing.land_batch(
                db, self._session.archive, landings, now or utc_now()
            )

    def admit(
        self,
        document: Document,
        *,
        now: datetime | None = None,
        capture_id: int | None = None,
    ) -> Landed:
        """Store one document that comes from nowhere on the web.

        It becomes an article, a copy, a revision, or is unchanged.
        """
        with self._session.writing() as db:
            return landing.land_document(
                db, document, now or utc_now(), capture_id=capture_id
            )


class Boilerplate(Group):
    """`store.boilerplate`: lines that a host prints around its texts."""

    def learned(self, host: str) -> frozenset[int]:
        """Hashes of lines that stood in three distinct articles of a host or more.

        The host is written without `www.`.
        """
        with self._session.reading() as db:
            return boilerplate.list_learned_boilerplate(db, host)

    def documents_to_clean(self, since: datetime) -> list[int]:
        """Texts that may have lines which their host has taught since."""
        with self._session.reading() as db:
            return boilerplate.list_documents_to_clean(db, since)

    def allow(self, host: str, line: int) -> None:
        """Take a line for text on this host, whatever was learned or will be."""
        with self._session.writing() as db:
            boilerplate.allow_line(db, host, line, utc_now())
