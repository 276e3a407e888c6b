"""Copies of the database, and putting one back.

A copy is made beside its target, verified, held against what stands there, and only
then takes its place; so none ever replaces a better one. Raw pages are plain files and
not part of a copy: the copy names them by the identity of its database.
"""

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from storage import connection, schema
from storage.archive import Archive
from storage.connection import WriterLock
from storage.errors import StoreUnusable, UsageError
from storage.new_files import make_own_folder, open_own_file
from storage.tables import captures, service_state

_FRESH_SUFFIX = ".new"
_COMPANIONS = ("-wal", "-shm", ".lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What putting a copy back came to."""

    documents: int
    aside: Path | None  # where the database that stood there is now
    captures: int  # raw pages that the copy names
    unreadable: int  # of them, that are not in the captures folder
    newer_files: int  # WARC files that the copy does not name: what came after it


def resolve_target(target: Path) -> Path:
    """The plain file that is written, where a link leads to it.

    Raises UsageError for a folder, a pipe, a device or a socket: putting a file in its
    place would destroy it (/dev/null once became a database).
    """
    path = target.resolve()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return path
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror}).") from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"{target} is no plain file; name another one.")
    return path


def take_over_owner(fresh: Path, replaced: Path) -> None:
    """Give a file the mode, and as far as that is allowed the owner, of another."""
    try:
        found = replaced.stat()
    except FileNotFoundError:
        return
    fresh.chmod(stat.S_IMODE(found.st_mode))
    mine = fresh.stat()
    if (mine.st_uid, mine.st_gid) != (found.st_uid, found.st_gid):
        try:
            os.chown(fresh, found.st_uid, found.st_gid)
        except PermissionError:
            # A group of ours can be kept although the owner cannot.
            shutil.chown(fresh, group=found.st_gid)


def copy_database(
    db: Database, source: Path, target: Path, *, check: bool = True, keep: int = 0
) -> None:
    """Copy the open database `db` of the file `source` to a file.

    `keep` is how many former copies stay beside it, as `FILE.1`, `FILE.2`, the newest
    first. `check` refuses a copy that is damaged, and one that holds less than what it
    would replace. Raises UsageError for a target that is no copy of a database,
    StoreUnusable for a bad copy; the target is then as it was.
    """
    path = resolve_target(target)
    _refuse_live_file(source, path)
    make_own_folder(path.parent)
    fresh = path.with_name(path.name + _FRESH_SUFFIX)
    fresh.unlink(missing_ok=True)
    os.close(open_own_file(fresh, os.O_RDWR))
    try:
        _copy_pages(db, fresh)
        if check:
            _refuse_damaged(fresh, f"was not copied to {target}")
            _refuse_smaller(fresh, path)
        take_over_owner(fresh, path)
        _rotate(path, keep)
        fresh.replace(path)
        _sync_folder(path.parent)
    finally:
        for leftover in (fresh, fresh.with_name(fresh.name + "-journal")):
            leftover.unlink(missing_ok=True)


def _refuse_live_file(source: Path, target: Path) -> None:
    real = source.resolve()
    live = [real, *(real.with_name(real.name + end) for end in _COMPANIONS)]
    for file in live:
        is_same = file == target
        if target.exists() and file.exists():
            is_same = is_same or file.samefile(target)
        if is_same:
            raise UsageError(
                f"{target} is the database itself; name another file for its copy."
            )


def _copy_pages(db: Database, fresh: Path) -> None:
    """SQLite's online backup, in one read transaction of the source.

    Without it every commit of another connection begins the copy anew: 434 MB took
    39 s beside a busy writer, and .7 s so.
    """
    with closing(sqlite3.connect(fresh)) as out:
        began = not db.conn.in_transaction
        if began:
            db.execute("BEGIN")
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            db.conn.backup(out)
        finally:
            if began:
                db.execute("ROLLBACK")
        # A file in WAL mode wants to make files beside itself to be read: a copy is to
        # open on a read-only medium, by any program.
        out.execute("PRAGMA journal_mode = DELETE")
    with fresh.open("rb+") as file:
        os.fsync(file.fileno())


def _refuse_damaged(file: Path, what: str) -> None:
    with closing(sqlite3.connect(file)) as copy:
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        # The last of its lines says what and where.
        raise StoreUnusable(
            f"The database is damaged ({found.splitlines()[-1]}), and {what}; restore a "
            "backup, or run `khabar doctor`."
        )


def _refuse_smaller(fresh: Path, former: Path) -> None:
    """Raise for a copy that holds less than the one that it would replace.

    Held against each other by their rows of `changes`, of which none is ever deleted:
    a database that was lost and begun anew has fewer.
    """
    if not former.exists() or not former.stat().st_size:
        return
    before = _count_changes(former)
    if before is None:
        raise UsageError(
            f"{former} is no copy of a khabar database, and stays as it is; name "
            "another file."
        )
    now = _count_changes(fresh) or 0
    if now < before:
        raise StoreUnusable(
            f"{former} holds more than the database ({before:,} changes, not {now:,}), "
            "and was not replaced; restore it, or move it away first."
        )


def _count_changes(file: Path) -> int | None:
    """None where the file is no database of khabar."""
    address = file.absolute().as_uri() + "?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM changes").fetchone()[0])
    except sqlite3.DatabaseError:
        return None


def _rotate(path: Path, keep: int) -> None:
    """Move former copies on by one, and the last of `keep` out."""
    if not path.exists() or keep <= 0:
        return
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    # A link and not a rename: the newest copy is there all the time.
    first = path.with_name(f"{path.name}.1")
    first.unlink(missing_ok=True)
    try:
        os.link(path, first)
    except OSError:
        # Some file systems have no links.
        shutil.copy2(path, first)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore_database(copy: Path, path: Path, archive_folder: Path | None) -> Restored:
    """Put a copy in the database's place; the database that is there is moved aside.

    Raw pages that moved within their files since the copy was made are found again.
    Raises StoreBusy while a process writes to the database, UsageError for a copy that
    is none, StoreUnusable for a damaged one, StoreTooNew; then nothing was changed.
    """
    real = path.resolve()
    if not copy.is_file():
        raise UsageError(f"{copy} is no file; name a copy of the database.")
    if real.exists() and copy.samefile(real):
        raise UsageError(f"{copy} is the database itself; name a copy of it.")
    make_own_folder(real.parent)
    lock = WriterLock(real)
    lock.acquire()
    fresh = real.with_name(real.name + ".restoring")
    try:
        with connection.translate_faults(copy):
            fresh.unlink(missing_ok=True)
            os.close(open_own_file(fresh, os.O_RDWR))
            # A reader takes along what still stands in the copy's own log of writes.
            with closing(connection.connect_reader(copy).conn) as source:
                schema.refuse_newer(Database(source))
                _copy_pages(Database(source), fresh)
            _refuse_damaged(fresh, "was not restored")
        with connection.translate_faults(real):
            take_over_owner(fresh, real)
            aside = _move_aside(real)
            fresh.replace(real)
            _sync_folder(real.parent)
            return _describe_restored(real, archive_folder, aside)
    finally:
        fresh.unlink(missing_ok=True)
        lock.release()


def _move_aside(path: Path) -> Path | None:
    """Move a database with its log of writes to a name that is free."""
    if not path.exists():
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        return None
    number = 1
    aside = path.with_name(f"{path.name}.before-restore")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.before-restore-{number}")
    for end in ("-wal", "-shm"):
        companion = path.with_name(path.name + end)
        if companion.exists():
            companion.replace(aside.with_name(aside.name + end))
    path.replace(aside)
    return aside


def _describe_restored(
    path: Path, archive_folder: Path | None, aside: Path | None
) -> Restored:
    db = connection.connect_writer(path)
    try:
        documents = db.execute("SELECT count(*) FROM documents").fetchone()[0]
        state, newer_files = captures.ArchiveState(), 0
        if archive_folder is not None:
            identity = service_state.find_meta(db, "identity") or ""
            archive = Archive(archive_folder, identity=identity)
            with connection.transaction(db):
                captures.relocate_captures(db, archive)
            state = captures.check_archive(db, archive, every=True)
            newer_files = len(captures.list_unnamed_files(db, archive))
        connection.tidy_up(db)
    finally:
        db.close()
    return Restored(
        documents=documents,
        aside=aside,
        captures=state.captures,
        unreadable=state.unreadable,
        newer_files=newer_files,
    )
