"""The log of changes, as programs follow it."""

from collections.abc import Callable, Iterator
from typing import Any

from storage.model import Change
from storage.query import changes, overview
from storage.query.changes import ChangeEntry
from storage.session import Group
from storage.tables import lookups


class Changes(Group):
    """`store.changes`: the rows of `changes`, in the order of their cursors."""

    def since(self, cursor: int = 0, limit: int = 1000) -> list[Change]:
        """The log after a cursor; 0 is its start."""
        with self._session.reading() as db:
            return lookups.list_changes(db, cursor, limit)

    def entries(self, cursor: int, limit: int) -> list[ChangeEntry]:
        """The log after a cursor, each change with what it changed as it is now."""
        with self._session.reading() as db:
            return changes.list_entries(db, cursor, limit)

    def follow(
        self, since: int = 0, *, wait: Callable[[], bool]
    ) -> Iterator[ChangeEntry]:
        """Every change after a cursor, each once; see `changes.follow_changes`.

        At the log's end `wait` is called; what came meanwhile follows until it says
        False. Raises UsageError for a cursor that lies ahead of the log.
        """
        with self._session.reading() as db:
            yield from changes.follow_changes(db, since, wait=wait)

    def last_cursor(self) -> int:
        """The cursor of the newest change; 0 in an empty log."""
        with self._session.reading() as db:
            return changes.last_cursor(db)

    def of_article(self, article_id: int, limit: int) -> list[dict[str, Any]]:
        """The newest changes of an article, newest first: at, what, detail."""
        with self._session.reading() as db:
            return changes.list_article_changes(db, article_id, limit)

    def corrections(self, limit: int) -> list[dict[str, Any]]:
        """The newest corrections of what had been reported; see `list_corrections`."""
        with self._session.reading() as db:
            return overview.list_corrections(db, limit)
