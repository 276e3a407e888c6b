"""What people said of texts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from storage.model import Correction, CorrectionResult, utc_now
from storage.session import Group
from storage.tables import annotations, corrections


class Annotations(Group):
    """`store.annotations`: the rows of `marks`, and carrying them out."""

    def apply(
        self, correction: Correction, *, now: datetime | None = None
    ) -> CorrectionResult:
        """Write down what a person says of a text, and carry it out.

        Raises WorkFailed, UsageError.
        """
        with self._session.writing() as db:
            return corrections.apply_correction(db, correction, now or utc_now())

    def all(self) -> Iterator[dict[str, Any]]:
        """Everything that people said, as labelled data; see `list_annotations`."""
        with self._session.reading() as db:
            yield from annotations.list_annotations(db)

    def of_article(self, article_id: int) -> list[dict[str, Any]]:
        """What people said of an article's texts, the newest first.

        See `list_article_annotations`.
        """
        with self._session.reading() as db:
            return annotations.list_article_annotations(db, article_id)
