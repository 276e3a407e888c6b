"""One article and what hangs on it."""

from collections.abc import Iterable
from typing import Any

from storage.model import Article, Copy, Revision, Syndication
from storage.query import overview, record
from storage.query.overview import CopyCounts
from storage.session import Group
from storage.tables import copies, lookups, syndication
from storage.text_likeness import CopyComparison


class Articles(Group):
    """`store.articles`: articles, their copies and their former states."""

    def find(self, number: int) -> Article | None:
        """The article of a number, or that to which the document of it belongs."""
        with self._session.reading() as db:
            return lookups.find_article(db, number)

    def record(self, number: int) -> dict[str, Any] | None:
        """The JSON form of one article, by its id or that of any of its copies."""
        with self._session.reading() as db:
            return record.load_record(db, number)

    def copies(self, article_id: int) -> list[Copy]:
        """Other places that carried an article, in the order in which they came."""
        with self._session.reading() as db:
            return lookups.list_copies(db, article_id)

    def probable_copies(self, article_id: int) -> list[tuple[int, float]]:
        """Articles that may be versions of this one: number and score, best first."""
        with self._session.reading() as db:
            return lookups.list_probable_copies(db, article_id)

    def revisions(self, document_id: int) -> list[Revision]:
        """The former states of a document, the first one first."""
        with self._session.reading() as db:
            return lookups.list_revisions(db, document_id)

    def claims(self, document_id: int) -> list[dict[str, Any]]:
        """The numbers that a document claims, in its order; see `list_claims`."""
        with self._session.reading() as db:
            return overview.list_claims(db, document_id)

    def syndication(self, article_id: int) -> Syndication:
        """Who carried an article and its probable copies, the first one first."""
        with self._session.reading() as db:
            return syndication.list_syndication(db, article_id)

    def count_independent(self, article_ids: Iterable[int]) -> int:
        """How many independent reports these articles are.

        Copies, probable copies and one owner do not count twice.
        """
        with self._session.reading() as db:
            return syndication.count_independent(db, article_ids)

    def copy_counts(self, article_ids: Iterable[int]) -> dict[int, CopyCounts]:
        """For each of these articles, how many carry it."""
        with self._session.reading() as db:
            return overview.count_copies(db, article_ids)

    def compare(self, one_id: int, other_id: int) -> CopyComparison | None:
        """Why two documents are one text or not; None where one does not exist."""
        with self._session.reading() as db:
            return copies.compare_documents(db, one_id, other_id)
