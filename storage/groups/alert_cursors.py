"""How far each saved search has come in the log of changes."""

from collections.abc import Iterable

from storage.model import AlertCursor
from storage.session import Group
from storage.tables import alert_cursors


class AlertCursors(Group):
    """`store.alert_cursors`: the rows of `alerts`."""

    def load(self) -> dict[str, AlertCursor]:
        """Every cursor by the id of its search."""
        with self._session.reading() as db:
            return alert_cursors.load_cursors(db)

    def save(self, cursors: Iterable[AlertCursor]) -> None:
        """Write these cursors; none goes back."""
        with self._session.writing() as db:
            alert_cursors.save_cursors(db, cursors)
