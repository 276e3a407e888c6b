"""How the file is opened, locked and written to.

Pragmas, lock, transactions, SQLite's faults in our words.
"""

import errno
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
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

# One writer and short request rows: who waits longer than this waits for something that
# is stuck.
BUSY_TIMEOUT_SECONDS = 30.0  # seconds
# NORMAL in WAL mode keeps every commit through a crash of the program; a power cut may
# take the last ones back, never half of one.
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
    # The system caches the file as well; 64 MB here made the service grow by 50 in a
    # day
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
    # What moved or was merged leaves nothing in free pages, or `forget` could not erase
    # it: 6 % more bytes written.
    "PRAGMA secure_delete = ON",
)


class WriterLock:
    """The right to write documents.

    An flock on `<file>.lock` that ends with its process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = lock_path(path)
        try:
            self._file: int | None = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise StoreUnusable(
                f"{self._path} cannot be written ({error.strerror}); check the folder and its permissions."
            ) from error

    def take(self) -> None:
        """Take it now or raise StoreBusy, which names the holder's pid."""
        assert self._file is not None
        # `holder` has it for an instant when it looks: only who is refused for a while
        # is refused.
        if not any(_try_lock(self._file, pause) for pause in (0.05, 0.05, 0.1, 0.0)):
            pid = _read_pid(self._path)
            self.drop()
            raise StoreBusy(
                f"Another khabar process ({f'pid {pid}' if pid else 'pid unknown'}) writes to this database; "
                "stop it, or let it do the work."
            )
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def drop(self) -> None:
        """Give it back.

        The file stays: removing it would let two processes hold two locks of one name.
        """
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _try_lock(file: int, pause: float) -> bool:
    """Whether the lock could be taken; if not, `pause` seconds have gone by."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        time.sleep(pause)
        return False
    return True


def lock_path(path: Path) -> Path:
    """The lock file that belongs to a database file."""
    return path.with_name(path.name + ".lock")


def holder_pid(path: Path) -> int | None:
    """The pid of the process that writes to this database now.

    None when nobody does, 0 when it cannot be told.
    """
    try:
        file = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
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
    """Open for writing, made if missing (mode 0600.

    Give a group read access with chmod). Raises StoreError and its kin.
    """
    with translate_faults(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = _wrap(
            sqlite3.connect(
                path,
                timeout=BUSY_TIMEOUT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        )
        try:
            for pragma in _WRITER_PRAGMAS:
                db.execute(pragma)
        except BaseException:
            db.close()
            raise
        return db


def connect_reader(path: Path) -> Database:
    """Open read-only, without the lock.

    Sees the last commit at the start of each of its reads. Raises StoreMissing,
    StoreUnusable.
    """
    if not path.exists():
        raise StoreMissing(
            f"There is no database at {path}; run `khabar crawl` or `khabar demo` first, or name the file with --db."
        )
    with translate_faults(path):
        uri = path.absolute().as_uri() + "?mode=ro"
        db = _wrap(
            sqlite3.connect(
                uri,
                uri=True,
                timeout=BUSY_TIMEOUT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        )
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            db.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
        return db


# Seconds between two interruptions: one that meets no statement is lost
_INTERRUPT_EVERY_SECONDS = 0.05


@contextmanager
def deadline(db: Database, path: Path, seconds: float) -> Iterator[None]:
    """Statements in here end with TookTooLong after so many seconds, taken together.

    Other faults in our words.

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
    except sqlite3.DatabaseError as error:
        raise _to_store_error(error, path) from error
    finally:
        over.set()
        watcher.join()


def _wrap(connection: sqlite3.Connection) -> Database:
    connection.row_factory = sqlite3.Row
    return Database(connection)


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def copy_database(db: Database, target: Path) -> None:
    """SQLite's online backup into a new file beside the target, which then takes its place whole."""
    fresh = target.with_name(target.name + ".new")
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(fresh)) as out:
            db.conn.backup(out, pages=4096)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


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
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(
                f"There is no room left for {path}; free some space, it goes on by itself."
            ) from error
        raise StoreUnusable(
            f"{path} cannot be opened ({error.strerror}); check the folder and its permissions."
        ) from error


def _to_store_error(error: sqlite3.DatabaseError, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(
            f"{path} has been locked by another program for {BUSY_TIMEOUT_SECONDS:.0f} s; end that program's transaction."
        )
    if code == sqlite3.SQLITE_INTERRUPT:
        return TookTooLong()
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(
            f"There is no room left for {path}; free some space, it goes on by itself."
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return StoreUnusable(
            f"{path} is read-only; check its permissions and its folder's."
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreUnusable(
            f"{path} cannot be opened; check that its folder exists and may be written."
        )
    if code == sqlite3.SQLITE_NOTADB:
        return StoreUnusable(
            f"{path} is not a database; name another file, or restore a backup."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreUnusable(
            f"{path} is damaged ({error}); restore a backup, or run `khabar doctor`."
        )
    if code == sqlite3.SQLITE_IOERR:
        return StoreUnusable(
            f"{path} cannot be read or written ({error}); check the disk."
        )
    return (
        error
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
        else StoreError(f"{path}: {error}")
    )
