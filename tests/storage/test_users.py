"""One writer by whatever name, and users that do not keep one another out."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import connection
from storage.archive import Archive
from storage.errors import StoreBusy, StoreUnusable
from storage.new_files import make_own_folder, open_own_file
from storage.store import Store

SERVICE, READER = 10_001, 10_002
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")


@pytest.mark.parametrize("how", ["link", "link to a folder", "hard link"])
def test_a_file_has_one_writer_by_whatever_name(tmp_path: Path, how: str) -> None:
    """Two names were two locks, and two services wrote beside each other."""
    real = tmp_path / "real" / "khabar.db"
    real.parent.mkdir()
    Store.open(real).close()
    other = tmp_path / "other.db"
    if how == "link":
        other.symlink_to(real)
    elif how == "hard link":
        os.link(real, other)
    else:
        (tmp_path / "folder").symlink_to(real.parent)
        other = tmp_path / "folder" / "khabar.db"
    with Store.open(real), pytest.raises(StoreBusy):
        Store.open(other)
    Store.open(other).close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the service's that its group may write to, where others get."""
    place = Path(tempfile.mkdtemp(prefix="khabar-users-", dir="/tmp"))
    place.chmod(0o2770)
    os.chown(place, SERVICE, SERVICE)
    yield place
    shutil.rmtree(place)


@needs_root
def test_what_root_makes_belongs_to_the_owner_of_the_folder(folder: Path) -> None:
    """`sudo khabar crawl` before the first start must not keep the service out."""
    with Store.open(folder / "khabar.db"):
        pass
    make_own_folder(folder / "captures" / "kept")
    os.close(open_own_file(folder / "captures" / "kept" / "a", os.O_RDWR))
    owners = {path.stat().st_uid for path in folder.rglob("*")}
    assert owners == {SERVICE}


def as_user(user: int, what: str) -> subprocess.CompletedProcess[str]:
    """Run some lines of Python as another user of the service's group.

    The modules are imported before root is left: its folders are closed to others.
    """
    code = (
        "import os, sys, pathlib, encodings.ascii\n"
        "from storage import connection, case_folder\n"
        "from storage.store import Store\n"
        "from sqlite_utils import Database\n"
        "Database(memory=True)\n"
        f"os.setgroups([{SERVICE}]); os.setgid({user}); os.setuid({user})\n{what}"
    )
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )


@needs_root
def test_a_reader_of_the_group_reads_and_leaves_nothing_behind(folder: Path) -> None:
    """While the service is stopped: its files beside the database kept it out."""
    path = folder / "khabar.db"
    Store.open(path).close()
    path.chmod(0o640)
    ran = as_user(
        READER,
        f"with Store.read({str(path)!r}) as s: print(s.stats.queue()['pending'])",
    )
    assert (ran.returncode, ran.stdout) == (0, "0\n"), ran.stderr
    assert {file.name for file in folder.iterdir()} == {"khabar.db", "khabar.db.lock"}


@needs_root
def test_a_lock_that_may_not_be_read_is_not_taken_for_free(folder: Path) -> None:
    """0: somebody may write, and it cannot be told who."""
    path = folder / "khabar.db"
    Store.open(path).close()
    ran = as_user(READER, f"print(connection.holder_pid(pathlib.Path({str(path)!r})))")
    assert (ran.returncode, ran.stdout) == (0, "0\n"), ran.stderr


def test_a_raw_page_that_may_not_be_read_is_not_taken_for_gone(tmp_path: Path) -> None:
    """Evidence that says "gone" where it is only closed is false."""
    # A folder in the file's place fails as a closed file does, also for root.
    (tmp_path / "kept" / "2026-11-22.warc.gz").mkdir(parents=True)
    with pytest.raises(StoreUnusable, match="cannot be read"):
        Archive(tmp_path).read_page("kept/2026-11-22.warc.gz", 0)


def test_the_lock_file_is_named_after_the_real_file(tmp_path: Path) -> None:
    """So that a link beside it finds the same one."""
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    assert connection.lock_path(tmp_path / "link.db").name == "real.db.lock"
