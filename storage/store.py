"""The store: one file, its lock, its captures, and all that can be asked of them.

    with Store.open(path, captures=folder) as store:      # the one writer
        store.landings.land(landings)
    with Store.read(path) as store:                       # anybody else
        store.articles.find(12)

A store belongs to one thread at a time. Its methods are grouped by what is kept;
`Store` itself has only what concerns the file as a whole.

A new question becomes a function over an open database in `storage/query` (many
articles) or `storage/tables` (one table), with a test of its own beside those of its
module, and a method of the group that it belongs to, in `storage/groups`. A new
writer is also put into the list of `tests/storage/test_store.py` that runs every
writer against a locked file; a test fails until it stands there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlite_utils import Database

from storage import backup, connection, schema
from storage.archive import Archive
from storage.backup import Restored
from storage.connection import WriterLock
from storage.model import utc_now
from storage.query import changes
from storage.session import Session
from storage.tables import captures, integrity, jobs, service_state, sources

if TYPE_CHECKING:
    from storage.groups.alert_cursors import AlertCursors
    from storage.groups.annotations import Annotations
    from storage.groups.articles import Articles
    from storage.groups.captures import Captures, Reprocessing
    from storage.groups.changes import Changes
    from storage.groups.erasure import Erasure
    from storage.groups.evidence import Evidence
    from storage.groups.fates import Fates
    from storage.groups.gazetteer import Gazetteer
    from storage.groups.host_waits import HostWaits
    from storage.groups.jobs import Jobs, Progress
    from storage.groups.landings import Boilerplate, Landings
    from storage.groups.leads import Leads
    from storage.groups.polls import Polls
    from storage.groups.rechecks import Rechecks
    from storage.groups.search import Search
    from storage.groups.service import ServiceState
    from storage.groups.sources import Sources
    from storage.groups.stats import Stats


class Store:
    """Everything that was found, in one SQLite file.

    Its groups, each in `storage/groups`, are imported when they are first asked for: a
    command needs two of them, and all would be a tenth of its start.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.path = session.path
        self._opened_file = connection.file_identity(session.path)
        self._is_immutable = connection.is_immutable(session.path)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        captures: str | Path | None = None,
        on_slow_step: Callable[[str], None] | None = None,
    ) -> Self:
        """Open for writing: take the lock, and bring the file to today's form.

        A file is made where there is none. `captures` is the folder of raw pages; None
        keeps none. `on_slow_step` is told, from another thread, of a migration that takes
        long. Raises StoreBusy, StoreUnusable, StoreTooNew.
        """
        path = Path(path)
        lock = WriterLock(path)
        lock.acquire()
        try:
            db = connection.connect_writer(path)
        except BaseException:
            lock.release()
            raise
        session = Session(db, path, lock=lock)
        try:
            with session.reading():
                schema.migrate(db, on_slow_step)
            with session.writing():
                identity = service_state.give_identity(db)
            if captures is not None:
                session.archive = _archive(db, Path(captures), identity)
            _clean_up_after_last_writer(session)
            return cls(session)
        except BaseException:
            session.close()
            raise

    @classmethod
    def read(cls, path: str | Path, *, captures: str | Path | None = None) -> Self:
        """Open for reading: no lock, nothing can be written.

        Raises StoreMissing, StoreUnusable, StoreTooNew, or StoreError for an older
        form.
        """
        path = Path(path)
        db = connection.connect_reader(path)
        session = Session(db, path)
        try:
            with session.reading():
                schema.require_current(db)
                identity = service_state.find_meta(db, "identity") or ""
            if captures is not None:
                session.archive = _archive(db, Path(captures), identity)
            return cls(session)
        except BaseException:
            session.close()
            raise

    # Groups

    @cached_property
    def sources(self) -> "Sources":
        """Sources, and what happened to each."""
        from storage.groups.sources import Sources

        return Sources(self.session)

    @cached_property
    def polls(self) -> "Polls":
        """Visits to sources, and what each of them brought."""
        from storage.groups.polls import Polls

        return Polls(self.session)

    @cached_property
    def leads(self) -> "Leads":
        """URLs that somebody pointed to and that have no fate yet."""
        from storage.groups.leads import Leads

        return Leads(self.session)

    @cached_property
    def rechecks(self) -> "Rechecks":
        """Kept pages that are asked for again, and when."""
        from storage.groups.rechecks import Rechecks

        return Rechecks(self.session)

    @cached_property
    def host_waits(self) -> "HostWaits":
        """Hosts that asked for patience."""
        from storage.groups.host_waits import HostWaits

        return HostWaits(self.session)

    @cached_property
    def landings(self) -> "Landings":
        """What visits to pages brought: the only way in for a page."""
        from storage.groups.landings import Landings

        return Landings(self.session)

    @cached_property
    def boilerplate(self) -> "Boilerplate":
        """Lines that a host prints around its texts."""
        from storage.groups.landings import Boilerplate

        return Boilerplate(self.session)

    @cached_property
    def articles(self) -> "Articles":
        """Articles, their copies and their former states."""
        from storage.groups.articles import Articles

        return Articles(self.session)

    @cached_property
    def captures(self) -> "Captures":
        """Raw responses in the archive."""
        from storage.groups.captures import Captures

        return Captures(self.session)

    @cached_property
    def fates(self) -> "Fates":
        """What became of a URL, and why."""
        from storage.groups.fates import Fates

        return Fates(self.session)

    @cached_property
    def changes(self) -> "Changes":
        """The log of changes, as programs follow it."""
        from storage.groups.changes import Changes

        return Changes(self.session)

    @cached_property
    def gazetteer(self) -> "Gazetteer":
        """Places and spellings of names, as the program brings them."""
        from storage.groups.gazetteer import Gazetteer

        return Gazetteer(self.session)

    @cached_property
    def search(self) -> "Search":
        """What is found, counted and summed up over many articles."""
        from storage.groups.search import Search

        return Search(self.session)

    @cached_property
    def stats(self) -> "Stats":
        """The figures behind `status` and the metrics."""
        from storage.groups.stats import Stats

        return Stats(self.session)

    @cached_property
    def evidence(self) -> "Evidence":
        """The rows that a case folder shows."""
        from storage.groups.evidence import Evidence

        return Evidence(self.session)

    @cached_property
    def annotations(self) -> "Annotations":
        """What people said of texts."""
        from storage.groups.annotations import Annotations

        return Annotations(self.session)

    @cached_property
    def reprocessing(self) -> "Reprocessing":
        """Texts and rejected pages that can be read anew."""
        from storage.groups.captures import Reprocessing

        return Reprocessing(self.session)

    @cached_property
    def jobs(self) -> "Jobs":
        """Work that commands hand to the service."""
        from storage.groups.jobs import Jobs

        return Jobs(self.session)

    @cached_property
    def progress(self) -> "Progress":
        """How far an import or a backfill has come."""
        from storage.groups.jobs import Progress

        return Progress(self.session)

    @cached_property
    def service(self) -> "ServiceState":
        """What the service says of itself."""
        from storage.groups.service import ServiceState

        return ServiceState(self.session)

    @cached_property
    def alert_cursors(self) -> "AlertCursors":
        """How far each saved search has come in the log."""
        from storage.groups.alert_cursors import AlertCursors

        return AlertCursors(self.session)

    @cached_property
    def erasure(self) -> "Erasure":
        """Forgetting, and what is past its age."""
        from storage.groups.erasure import Erasure

        return Erasure(self.session)

    # The file as a whole

    def close(self) -> None:
        """Close the file and give the lock back; a second time does nothing."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Questions in the block end with TookTooLong after so many seconds in all."""
        with self.session.deadline(seconds):
            yield

    def is_in_place(self) -> bool:
        """Whether the file is still the one that was opened.

        SQLite goes on writing to a file that was moved away.
        """
        return connection.file_identity(self.path) == self._opened_file

    def is_current(self) -> bool:
        """Whether a reader sees what is written now.

        Not where the file was replaced, nor where it was opened as one that nobody
        changes and a writer has begun since.
        """
        if self._is_immutable and not connection.is_immutable(self.path):
            return False
        return self.is_in_place()

    def check(self) -> list[str]:
        """What SQLite's checks and ours say against the file; empty when it is sound.

        Reads all of it.
        """
        with self.session.reading() as db:
            return integrity.check_integrity(db)

    def checkpoint(self) -> None:
        """Move the WAL into the file and renew the planner's statistics."""
        with self.session.reading() as db:
            db.execute("PRAGMA optimize")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def backup(self, target: str | Path, *, check: bool = True, keep: int = 0) -> None:
        """A consistent copy of the file while it is written to, mode 0600.

        `keep` former copies stay beside it. A damaged file is not copied, nor one that
        holds less than what it would replace, unless `check` is off. Captures are plain
        files and not part of it. Raises StoreUnusable, StoreFull, UsageError; the
        target is then as it was.
        """
        with connection.translate_faults(Path(target)):
            backup.copy_database(
                self.session.db, self.path, Path(target), check=check, keep=keep
            )


def restore(
    copy: str | Path, path: str | Path, *, captures: str | Path | None = None
) -> Restored:
    """Put a copy in the database's place; see `backup.restore_database`."""
    folder = None if captures is None else Path(captures)
    return backup.restore_database(Path(copy), Path(path), folder)


def submit_job(path: str | Path, kind: str, arguments: Mapping[str, object]) -> int:
    """Hand work to the process that holds the lock, in one short transaction.

    Returns the id to follow with `store.jobs.find`.
    """
    path = Path(path)
    Store.read(path).close()
    db = connection.connect_writer(path)
    try:
        with connection.translate_faults(path), connection.transaction(db):
            return jobs.submit_job(db, kind, arguments, utc_now())
    finally:
        db.close()


def holder_pid(path: Path) -> int | None:
    """The pid of the process that writes to this file now.

    None when nobody does, 0 when it cannot be told.
    """
    return connection.holder_pid(path)


def _clean_up_after_last_writer(session: Session) -> None:
    """End what the last holder of the lock left behind.

    Its leases, its jobs, and files that were written anew and not put in place.
    """
    with session.writing() as db:
        sources.release_all_sources(db)
        changes.begin_cursors(db, utc_now())
        jobs.fail_interrupted_jobs(db, utc_now())
    session.finish_rewrites()


def _archive(db: Database, folder: Path, identity: str) -> Archive:
    """The folder of raw pages, which asks the database how far its files are whole."""
    return Archive(
        folder,
        identity=identity,
        whole_up_to=lambda file: captures.captured_up_to(db, file),
    )
