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
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlite_utils import Database

from storage import connection, schema
from storage.archive import Archive
from storage.connection import WriterLock
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
from storage.model import utc_now
from storage.session import Session
from storage.tables import captures, integrity, jobs, sources


class Store:
    """Everything that was found, in one SQLite file.

    What is visited:  sources, polls, leads, rechecks, host_waits
    What is kept:     landings, articles, captures, fates, changes, boilerplate
    What is asked:    search, stats
    What people say:  annotations
    What goes on:     jobs, progress, service, alert_cursors, reprocessing
    What goes out:    erasure, evidence
    What is given:    gazetteer
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.path = session.path
        self._opened_file = connection.file_identity(session.path)
        self.alert_cursors = AlertCursors(session)
        self.annotations = Annotations(session)
        self.articles = Articles(session)
        self.boilerplate = Boilerplate(session)
        self.captures = Captures(session)
        self.changes = Changes(session)
        self.erasure = Erasure(session)
        self.evidence = Evidence(session)
        self.fates = Fates(session)
        self.gazetteer = Gazetteer(session)
        self.host_waits = HostWaits(session)
        self.jobs = Jobs(session)
        self.landings = Landings(session)
        self.leads = Leads(session)
        self.polls = Polls(session)
        self.progress = Progress(session)
        self.rechecks = Rechecks(session)
        self.reprocessing = Reprocessing(session)
        self.search = Search(session)
        self.service = ServiceState(session)
        self.sources = Sources(session)
        self.stats = Stats(session)

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
        folder = None if captures is None else Path(captures)
        session = Session(db, path, archive=_archive(db, folder), lock=lock)
        try:
            with session.reading():
                schema.migrate(db, on_slow_step)
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
        archive = None if captures is None else Archive(Path(captures))
        session = Session(db, path, archive=archive)
        try:
            with session.reading():
                schema.require_current(db)
            return cls(session)
        except BaseException:
            session.close()
            raise

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

    def backup(self, target: str | Path, *, check: bool = True) -> None:
        """A consistent copy of the file while it is written to, mode 0600.

        A damaged file is not copied, unless `check` is off. Captures are plain files
        and not part of it. Raises StoreUnusable, StoreFull; the target is then as it
        was.
        """
        with connection.translate_faults(Path(target)):
            connection.copy_database(self.session.db, Path(target), check=check)


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

    Its leases, its jobs, and files that nothing points to.
    """
    files: list[str] = []
    with session.writing() as db:
        sources.release_all_sources(db)
        jobs.fail_interrupted_jobs(db, utc_now())
        if session.archive is not None:
            files = captures.list_orphan_files(db, session.archive)
    session.remove_archive_files(files)


def _archive(db: Database, folder: Path | None) -> Archive | None:
    """The folder of raw pages, which asks the database how far its files are whole."""
    if folder is None:
        return None
    return Archive(folder, whole_up_to=lambda file: captures.captured_up_to(db, file))
