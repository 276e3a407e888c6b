"""What became of a URL, and why."""

from typing import Any

from storage.session import Group
from storage.tables import lookups


class Fates(Group):
    """`store.fates`: the rows of `fates`, with their reasons."""

    def find(self, url: str) -> dict[str, Any] | None:
        """A row of `fates`; None where the URL is pending or was never seen."""
        with self._session.reading() as db:
            return lookups.find_fate(db, url)

    def explain(self, what: str | int) -> dict[str, Any]:
        """Everything that is known of a URL, or of a number, and why.

        See `lookups.explain`.
        """
        with self._session.reading() as db:
            return lookups.explain(db, what)
