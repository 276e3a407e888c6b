"""The rows that a case folder shows; `storage.case_folder` writes it."""

from collections.abc import Iterable
from typing import Any

from storage.query import evidence
from storage.session import Group

Row = dict[str, Any]


class Evidence(Group):
    """`store.evidence`: rows of one article as they stand in the file."""

    def documents(self, article_id: int) -> list[Row]:
        """The texts of an article, its head first."""
        with self._session.reading() as db:
            return evidence.document_rows(db, article_id)

    def of_document(self, document_id: int) -> dict[str, list[Row]]:
        """What hangs on one text: its `mentions`, `claims` and `fates`."""
        with self._session.reading() as db:
            return evidence.rows_of_document(db, document_id)

    def annotations(self, keys: Iterable[str]) -> list[Row]:
        """What people said of the pages of these keys, in its order."""
        with self._session.reading() as db:
            return evidence.annotation_rows(db, keys)

    def captures(self, document_ids: Iterable[int]) -> list[Row]:
        """Every raw response of these texts, of other visits to their URLs too."""
        with self._session.reading() as db:
            return evidence.capture_rows(db, document_ids)
