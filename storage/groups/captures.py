"""Raw responses, and which of them can be read anew."""

from collections.abc import Iterable, Mapping
from typing import Any

from storage.model import Capture, Page
from storage.query import reprocess_candidates
from storage.query.criteria import Criteria
from storage.query.reprocess_candidates import ReprocessCandidate
from storage.session import Group
from storage.tables import captures
from storage.tables.captures import ArchiveState


class Captures(Group):
    """`store.captures`: raw responses in the archive."""

    def find(self, number: int) -> Capture | None:
        """Where a raw response rests."""
        with self._session.reading() as db:
            return captures.find_capture(db, number)

    def page(self, number: int) -> Page | None:
        """A raw response as it came.

        None where it was not kept, has expired or does not fit its digest. Raises
        StoreUnusable where it may not be read.
        """
        archive = self._session.archive
        if archive is None:
            return None
        with self._session.reading() as db:
            row = captures.find_capture_row(db, number)
            if row is None:
                return None
            return captures.read_capture(db, archive, row)

    def check_archive(self, *, every: bool = False) -> ArchiveState:
        """Whether the raw pages are there that the file names; see `captures`.

        With `every` each of them is read. Raises StoreUnusable where they may not be read.
        """
        archive = self._session.archive
        if archive is None:
            return ArchiveState()
        with self._session.reading() as db:
            return captures.check_archive(db, archive, every=every)

    def warc_record(self, capture: Mapping[str, Any]) -> bytes | None:
        """A capture's record as it stands in the archive; None where it is gone."""
        archive = self._session.archive
        if archive is None:
            return None
        return archive.read_member(
            capture["file"], capture["offset"], capture["length"]
        )

    @property
    def are_kept(self) -> bool:
        """Whether there is an archive at all."""
        return self._session.archive is not None


class Reprocessing(Group):
    """`store.reprocessing`: texts and rejected pages whose raw response is there."""

    def document_ids(self, criteria: Criteria) -> list[int]:
        """The texts that a search finds, copies too, in the order of arrival."""
        with self._session.reading() as db:
            return reprocess_candidates.list_document_ids(db, criteria)

    def rejection_keys(self, criteria: Criteria) -> list[str]:
        """Keys of pages that were not kept, by time; see `list_rejection_keys`."""
        with self._session.reading() as db:
            return reprocess_candidates.list_rejection_keys(db, criteria)

    def load_documents(self, ids: Iterable[int]) -> list[ReprocessCandidate]:
        """These texts as they stand; those that are gone meanwhile are left out."""
        with self._session.reading() as db:
            return reprocess_candidates.load_documents(db, ids)

    def load_merged_states(self, ids: Iterable[int]) -> list[ReprocessCandidate]:
        """Former states of these texts that are reports of other pages."""
        with self._session.reading() as db:
            return reprocess_candidates.load_merged_states(db, ids)

    def load_rejections(self, keys: Iterable[str]) -> list[ReprocessCandidate]:
        """These pages that were not kept."""
        with self._session.reading() as db:
            return reprocess_candidates.load_rejections(db, keys)
