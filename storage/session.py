"""The one way to the file: whatever is read or written goes through a `Session`.

Every group of `Store` holds the session and nothing else. `reading` and `writing`
lend the open database for the time of one block, and whatever SQLite or the system
finds wrong meanwhile comes out as one of `storage.errors`. A generator keeps its
block open while it runs, so that a fault on its last page is translated as well.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from storage import connection
from storage.archive import Archive
from storage.connection import WriterLock
from storage.errors import StoreError
from storage.tables import captures


class Session:
    """An open database file, with its archive, and its lock if it may be written to."""

    def __init__(
        self,
        db: Database,
        path: Path,
        *,
        archive: Archive | None = None,
        lock: WriterLock | None = None,
    ) -> None:
        self.db = db  # for `storage` and for tests; everybody else asks a group
        self.path = path
        self.archive = archive
        self._lock = lock

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """The database, to read from. Raises StoreError and its kin."""
        with connection.translate_faults(self.path):
            yield self.db

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """The database, in one transaction that is committed at the block's end.

        Raises StoreBusy, StoreFull, StoreUnusable; then nothing was written, and
        StoreError where the file was opened for reading.
        """
        if self._lock is None:
            raise StoreError(
                f"{self.path} was opened for reading only; open it for writing to "
                "change it."
            )
        with (
            connection.translate_faults(self.path),
            connection.transaction(self.db),
        ):
            yield self.db

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Statements in the block end with TookTooLong after so many seconds."""
        with connection.deadline(self.db, seconds):
            yield

    def sizes(self) -> dict[str, int]:
        """Bytes on disk: `database`, `kept` and `rejected` captures, and `total`.

        The database counts with its WAL; WARC files of other databases do not.
        """
        sizes = {"database": 0, "kept": 0, "rejected": 0}
        with connection.translate_faults(self.path):
            for file in (self.path, self.path.with_name(self.path.name + "-wal")):
                if file.exists():
                    sizes["database"] += file.stat().st_size
            if self.archive is not None:
                for packed in captures.list_own_files(self.db, self.archive):
                    sizes[packed.kind] += packed.size
        return sizes | {"total": sum(sizes.values())}

    def remove_archive_files(self, files: Iterable[str]) -> None:
        """Delete WARC files that nothing points to any more, after the commit."""
        if self.archive is None:
            return
        with connection.translate_faults(self.path):
            for file in files:
                self.archive.remove(file)

    def finish_rewrites(self) -> None:
        """Put WARC files that were written anew in their places, after the commit."""
        if self.archive is None:
            return
        with self.writing() as db:
            captures.finish_rewrites(db, self.archive)

    def close(self) -> None:
        """Close the file and give the lock back; a second time does nothing."""
        if self._lock is not None:
            connection.tidy_up(self.db)
        self.db.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


class Group:
    """A part of `Store`: the questions about one kind of thing that the file holds."""

    def __init__(self, session: Session) -> None:
        self._session = session
