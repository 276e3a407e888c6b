"""A copy never replaces a better one, and putting one back is one step."""

import os
import sqlite3
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from builders import make_document, make_landing, make_page
from storage.errors import StoreBusy, StoreUnusable, UsageError
from storage.model import utc_now
from storage.store import Store, restore


def fill(path: Path, numbers: range, captures: Path | None = None) -> None:
    with Store.open(path, captures=captures) as store:
        for n in numbers:
            url = f"https://outlet.example/{n}"
            words = " ".join(f"word{n}x{at}" for at in range(60))
            page = make_page(
                url=url,
                final_url=f"{url}?utm_source=feed",
                body=words.encode(),
                fetched_at=utc_now(),
            )
            landing = make_landing(make_document(url, words), url=url, page=page)
            store.landings.land([landing])


def back_up(path: Path, target: Path, **options: int) -> None:
    with Store.read(path) as store:
        store.backup(target, **options)


def count(path: Path) -> int:
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as db:
        return int(db.execute("SELECT count(*) FROM documents").fetchone()[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "khabar.db", range(5))
    return tmp_path / "khabar.db"


@pytest.mark.parametrize("what", ["emptier", "smaller", "damaged"])
def test_a_copy_that_is_worse_leaves_the_former_one(path: Path, what: str) -> None:
    """A database that was lost and begun anew does not become the backup."""
    target = path.with_name("copy.db")
    back_up(path, target)
    before = target.read_bytes()
    if what == "damaged":
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(b"\xff" * 20_000)
    else:
        path.unlink()
        fill(path, range(2 if what == "smaller" else 0))
    with pytest.raises(StoreUnusable, match=r"damaged|holds more"):
        back_up(path, target)
    assert target.read_bytes() == before
    assert not list(path.parent.glob("copy.db.*"))


@pytest.mark.parametrize("how", ["name", "link", "hard link", "log of writes"])
def test_the_database_is_never_its_own_copy(path: Path, how: str) -> None:
    """A slip of the tab key must not replace the live file."""
    inode = path.stat().st_ino
    target = path
    if how == "link":
        target = path.with_name("link.db")
        target.symlink_to(path)
    elif how == "hard link":
        target = path.with_name("hard.db")
        os.link(path, target)
    elif how == "log of writes":
        target = path.with_name("khabar.db-wal")
    with pytest.raises(UsageError, match="database itself"):
        back_up(path, target)
    assert path.stat().st_ino == inode


@pytest.mark.parametrize("kind", ["pipe", "folder", "text"])
def test_what_is_no_copy_is_not_replaced(path: Path, kind: str) -> None:
    """A pipe, a folder, a file of somebody's: refused, and as it was."""
    target = path.with_name("target")
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        target.write_text("notes")
    before = target.stat()
    with pytest.raises(UsageError, match=r"no plain file|no copy"):
        back_up(path, target)
    after = target.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def test_a_link_is_followed_and_mode_kept_and_former_copies_stay(path: Path) -> None:
    """Who may read the copy, and where it lies, is the operator's to say."""
    real = path.with_name("disk") / "real.db"
    back_up(path, real)
    real.chmod(0o640)
    link = path.with_name("copy.db")
    link.symlink_to(real)
    for size in (6, 7, 8):
        fill(path, range(size))
        back_up(path, link, keep=2)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    files = ["real.db", "real.db.1", "real.db.2"]
    assert [count(real.with_name(name)) for name in files] == [8, 7, 6]
    assert sorted(file.name for file in real.parent.iterdir()) == files


def test_a_copy_opens_where_nothing_can_be_written(path: Path) -> None:
    """It needs no -wal and no -shm beside itself, for any program."""
    target = path.with_name("copy.db")
    back_up(path, target)
    with sqlite3.connect(f"file:{target}?mode=ro", uri=True) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        assert db.execute("SELECT count(*) FROM articles").fetchone()[0] == 5
    assert [file.name for file in path.parent.glob("copy.db*")] == ["copy.db"]


def test_a_busy_writer_does_not_begin_the_copy_anew(path: Path) -> None:
    """Commits of another connection come while it is made, and it ends all the same."""
    over = threading.Event()
    commits = 0

    def write() -> None:
        nonlocal commits
        with sqlite3.connect(path, isolation_level=None, timeout=30) as db:
            db.execute("CREATE TABLE ballast (bytes)")
            db.execute("INSERT INTO ballast VALUES (zeroblob(30000000))")
            while not over.is_set():
                db.execute("INSERT INTO ballast VALUES (1)")
                commits += 1
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not commits:
            time.sleep(0.01)
        back_up(path, path.with_name("copy.db"))
    finally:
        over.set()
        writer.join()
    assert count(path.with_name("copy.db")) == 5


def test_a_restored_copy_finds_its_raw_pages(tmp_path: Path) -> None:
    """Also those that moved within their file since: `forget` writes it anew."""
    path, folder = tmp_path / "khabar.db", tmp_path / "captures"
    fill(path, range(5), folder)
    back_up(path, tmp_path / "copy.db")
    fill(path, range(5, 8), folder)
    with Store.open(path, captures=folder) as store:
        store.erasure.forget("https://outlet.example/0")
    done = restore(tmp_path / "copy.db", path, captures=folder)
    assert (done.documents, done.captures, done.unreadable) == (5, 5, 1)
    assert done.aside is not None
    assert count(done.aside) == 7
    with Store.open(path, captures=folder) as store:
        for number in range(2, 6):
            capture = store.articles.find(number).capture_id
            assert store.captures.page(capture).final_url.endswith(f"/{number - 1}")


def test_a_restore_changes_nothing_while_somebody_writes(path: Path) -> None:
    """Nor for a file that is no copy, or a damaged one."""
    copy = path.with_name("copy.db")
    back_up(path, copy)
    with Store.open(path), pytest.raises(StoreBusy):
        restore(copy, path)
    copy.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnusable):
        restore(copy, path)
    with pytest.raises(UsageError):
        restore(path, path)
    assert count(path) == 5
    assert not list(path.parent.glob("*before-restore*"))


def test_a_new_file_is_not_backed_up_at_once() -> None:
    """And a copy is due by the age of the last one, whatever the clock did."""
    from scheduler.service.housekeeping import is_backup_due

    now, day = utc_now(), timedelta(days=1)
    assert is_backup_due(None, now, day)
    assert is_backup_due(now - day, now, day)
    assert is_backup_due(now + day, now, day)
    assert not is_backup_due(now - day / 2, now, day)
