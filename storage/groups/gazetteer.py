"""Places and the spellings of names, as the program brings them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from storage.folding import fold, fold_spelling
from storage.session import Group
from storage.tables import service_state


class Gazetteer(Group):
    """`store.gazetteer`: the rows of `places` and `spellings`."""

    def sync_places(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Make `places` equal to these rows.

        Each has code, kind, name, province_code, lat, lon.
        """
        names = ("code", "kind", "name", "province_code", "lat", "lon")
        statement = "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?)"
        self._refill(
            "places", statement, [tuple(row[n] for n in names) for row in rows]
        )

    def sync_spellings(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Make `spellings` equal to these rows of kind, code and form.

        The kind `name` widens searches, `typed` only those in which it is typed; place,
        actor and event resolve filters.
        """
        statement = (
            "INSERT INTO spellings (key, kind, code, spelling) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING"
        )
        folded = [
            (fold_spelling(form), kind, code, fold(form)) for kind, code, form in rows
        ]
        self._refill("spellings", statement, folded)

    def _refill(
        self, table: str, statement: str, rows: Sequence[tuple[object, ...]]
    ) -> None:
        """Replace a table's rows, unless they are those of last time."""
        content = repr(rows).encode("utf-8", "replace")
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        with self._session.reading() as db:
            if service_state.find_meta(db, table) == digest:
                return
        with self._session.writing() as db:
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two tables
            db.conn.executemany(statement, rows)
            service_state.set_meta(db, table, digest)
