"""How the file is opened, locked and written to.

Pragmas, the writer's lock, transactions, and SQLite's faults as those of
`storage.errors`.
"""

import errno
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from json import JSONDecodeError
from pathlib import Path

from sqlite_utils import Database

from storage.errors import (
    StoreBusy,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreUnusable,
    TookTooLong,
)
from storage.new_files import open_own_file

# One writer and short rows of jobs: who waits longer waits for something stuck.
BUSY_TIMEOUT_SECONDS = 30.0
# NORMAL in WAL mode keeps every commit through a crash of the program; a power cut may
# take the last ones back, never half of one.
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
    # The system caches the file as well; 64 MB here made the service grow by 50 in a
    # day.
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
    # What moved or was merged leaves nothing in free pages, or `forget` could not erase
    # it: 6 % more bytes written.
    "PRAGMA secure_delete = ON",
)
# `holder_pid` has the lock for an instant when it looks: only who is refused for a
# while is refused.
_LOCK_PAUSES_SECONDS = (0.05, 0.05, 0.1, 0.0)
# Between two interruptions of a deadline: one that meets no statement is lost.
_INTERRUPT_EVERY_SECONDS = 0.05


class WriterLock:
    """The right to write documents.

    An flock on `<file>.lock` that ends with its process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self._database = path.resolve()
        self._path = lock_path(path)
        self._inode: int | None = None  # a descriptor of the database file itself
        try:
            self._file: int | None = open_own_file(self._path, os.O_RDWR)
        except OSError as error:
            raise StoreUnusable(
                f"{self._path} cannot be written ({error.strerror}); check the folder "
                "and its permissions."
            ) from error

    def acquire(self) -> None:
        """Take it now or raise StoreBusy, which names the holder's pid."""
        assert self._file is not None
        if not _try_lock(self._file) or not self._lock_inode():
            pid = _read_pid(self._path)
            self.release()
            holder = f"pid {pid}" if pid else "pid unknown"
            raise StoreBusy(
                f"Another khabar process ({holder}) writes to this database; stop it, "
                "or let it do the work."
            )
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it back.

        The file stays: removing it would let two processes hold two locks of one name.
        """
        # After SQLite has closed the file: closing any descriptor of it would end the
        # locks that SQLite holds in this process.
        if self._inode is not None:
            os.close(self._inode)
            self._inode = None
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock_inode(self) -> bool:
        """Lock the database file itself, which may have another name beside this one.

        Two hard links have two lock files, and would have two writers.
        """
        try:
            self._inode = os.open(self._database, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            # It is yet to be made, or opening it will say why it cannot be.
            return True
        return _try_lock(self._inode)


def _try_lock(file: int) -> bool:
    """Whether the lock could be taken within a fifth of a second."""
    for pause in _LOCK_PAUSES_SECONDS:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(pause)
        else:
            return True
    return False


def lock_path(path: Path) -> Path:
    """The lock file that belongs to a database file, by whatever link it is named."""
    real = path.resolve()
    return real.with_name(real.name + ".lock")


def holder_pid(path: Path) -> int | None:
    """The pid of the process that writes to this database now.

    None when nobody does, 0 when it cannot be told.
    """
    try:
        file = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        return 0
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read_pid(lock_path(path)) or 0
    else:
        return None
    finally:
        os.close(file)


def _read_pid(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace")[:20].strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def connect_writer(path: Path) -> Database:
    """Open for writing; a missing file is made, with mode 0600.

    Give a group read access with chmod. Raises StoreError and its kin.
    """
    with translate_faults(path):
        os.close(open_own_file(path, os.O_RDWR))
        db = _open_database(str(path))
        try:
            _refuse_foreign(db, path)
            for pragma in _WRITER_PRAGMAS:
                db.execute(pragma)
        except BaseException:
            db.close()
            raise
        return db


def connect_reader(path: Path) -> Database:
    """Open read-only, without the lock.

    Sees the last commit at the start of each of its reads; of a file that is opened as
    `is_immutable` says, what stood in it then. Raises StoreMissing, StoreUnusable.
    """
    with translate_faults(path):
        if not path.exists() or not path.stat().st_size:
            raise StoreMissing(
                f"There is no database at {path}; run `khabar crawl` or `khabar demo` "
                "first, or name the file with --db."
            )
        address = path.absolute().as_uri() + "?mode=ro"
        if is_immutable(path):
            address += "&immutable=1"
        db = _open_database(address, uri=True)
        try:
            _refuse_foreign(db, path)
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
        return db


def is_immutable(path: Path) -> bool:
    """Whether a file is to be read as one that nobody changes.

    A reader of a file in WAL mode needs its -shm, and makes one where there is none.
    One who is not the owner cannot in a folder of the service's; or can, and then what
    it made keeps the service out. On a read-only medium nobody can. Where no log of
    writes stands beside it, all that is committed is in the file.
    """
    real = path.resolve()
    wal = real.with_name(real.name + "-wal")
    try:
        if wal.exists():
            return False
        owner = real.stat().st_uid
    except OSError:
        return False
    if os.geteuid() not in {0, owner}:
        return True
    return bool(os.statvfs(real.parent).f_flag & os.ST_RDONLY)


def _open_database(address: str, *, uri: bool = False) -> Database:
    connection = sqlite3.connect(
        address,
        uri=uri,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    return Database(connection)


def _refuse_foreign(db: Database, path: Path) -> None:
    """Raise StoreUnusable for a database that another program made.

    Bringing it to our form would mix our tables with theirs.
    """
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    if "_sqlite_migrations" in names:
        rows = db.execute("SELECT migration_set FROM _sqlite_migrations")
        programs = {row[0] for row in rows}
        # None: a first start was cut off before its first migration.
        if not programs or "khabar" in programs:
            return
    elif not names:
        return
    raise StoreUnusable(f"{path} is another program's database; name another file.")


def tidy_up(db: Database) -> None:
    """Statistics for the planner, and a short WAL for whoever opens next.

    Best effort: a file that cannot be written to any more is closed all the same.
    """
    with suppress(sqlite3.Error):
        db.execute("PRAGMA optimize")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def deadline(db: Database, seconds: float) -> Iterator[None]:
    """Statements in here end with TookTooLong after so many seconds, taken together.

    A thread interrupts them: a progress handler is never asked while FTS5 looks through
    its index for a next match.
    """
    over = threading.Event()

    def watch() -> None:
        if not over.wait(seconds):
            db.conn.interrupt()
            while not over.wait(_INTERRUPT_EVERY_SECONDS):
                db.conn.interrupt()

    watcher = threading.Thread(target=watch, name="deadline", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """One immediate transaction.

    It waits for its turn at once and cannot fail half-way for another writer.
    sqlite-utils' `atomic` is deferred: of two writers that read before they wrote, 258
    of 600 transactions failed.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # On a full disk SQLite has rolled back already, and a second ROLLBACK would
        # hide the cause.
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def savepoint(db: Database) -> Iterator[None]:
    """A part of a transaction that can fail alone."""
    db.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if db.conn.in_transaction:
            db.execute("ROLLBACK TO part")
            db.execute("RELEASE part")
        raise
    db.execute("RELEASE part")


@contextmanager
def translate_faults(path: Path) -> Iterator[None]:
    """SQLite's and the system's faults as ours, where an operator can mend them."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _to_store_error(error, path) from error
    except (JSONDecodeError, UnicodeDecodeError) as error:
        # Every JSON in the file was written by us: damage in the middle of a text
        # leaves SQLite's own structures whole.
        raise StoreUnusable(_damaged(path, error)) from error
    except OSError as error:
        # Raw pages may be on a disk of their own: the file is named that is meant.
        named = Path(os.fsdecode(error.filename)) if error.filename else path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(_no_room(named)) from error
        raise StoreUnusable(
            f"{named} cannot be opened ({error.strerror}); check the folder and its "
            "permissions."
        ) from error


def _find_closed_file(path: Path) -> Path:
    """The file that may not be written, of those that SQLite needs."""
    real = path.resolve()
    for end in ("", "-wal", "-shm", "-journal"):
        file = real.with_name(real.name + end)
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            return file
    if not os.access(real.parent, os.W_OK | os.X_OK):
        return real.parent
    return path


def _to_store_error(error: sqlite3.DatabaseError, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(
                f"{path} has been locked by another program for "
                f"{BUSY_TIMEOUT_SECONDS:.0f} s; end that program's transaction."
            )
        case sqlite3.SQLITE_INTERRUPT:
            return TookTooLong()
        case sqlite3.SQLITE_FULL:
            return StoreFull(_no_room(path))
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreUnusable(
                f"{_find_closed_file(path)} is read-only; check its permissions and its "
                "folder's."
            )
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnusable(
                f"{_find_closed_file(path)} cannot be opened; check that its folder "
                "exists and may be written."
            )
        case sqlite3.SQLITE_NOTADB:
            return StoreUnusable(
                f"{path} is not a database; name another file, or restore a backup."
            )
        case sqlite3.SQLITE_CORRUPT:
            return StoreUnusable(_damaged(path, error))
        case sqlite3.SQLITE_IOERR:
            return StoreUnusable(
                f"{path} cannot be read or written ({error}); check the disk."
            )
    # JSON inside a row, which SQLite's own functions read. The code is that of any
    # error.
    if str(error) == "malformed JSON":
        return StoreUnusable(_damaged(path, error))
    # A broken constraint or a wrong statement is a mistake of ours.
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error
    return StoreError(f"{path}: {error}")


def _damaged(path: Path, error: Exception) -> str:
    return f"{path} is damaged ({error}); restore a backup, or run `khabar doctor`."


def _no_room(path: Path) -> str:
    return f"There is no room left for {path}; free some space, it goes on by itself."
