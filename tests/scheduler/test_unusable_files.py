"""Every command of the program over files that cannot be used.

Each ends with one line that says what is wrong and with the code of docs/commands.md: 3
where the file cannot be used, 75 where somebody else holds it. A new command fails here
until it stands in COMMANDS.
"""

import asyncio
import ctypes
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from builders import make_document, make_landing, make_page, make_poll
from scheduler import cli
from storage.errors import StoreUnusable
from storage.model import Correction, Label
from storage.query.criteria import Criteria
from storage.settings import StoreSettings
from storage.store import Store

APOLOGY = "should not have happened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a command does with the file."""

    words: tuple[str, ...]  # `{folder}` is that of the configuration
    how: str  # reads, writes; opens: reads at its start, and then does something else


def reads(*words: str) -> Use:
    return Use(words=words, how="reads")


def writes(*words: str) -> Use:
    return Use(words=words, how="writes")


def opens(*words: str) -> Use:
    return Use(words=words, how="opens")


# By the command's words. What needs no file, or says itself what is wrong with it, has
# no use of it that could fail.
COMMANDS: dict[str, list[Use]] = {
    "crawl": [writes("crawl")],
    "run": [writes("run")],
    "search": [
        reads("search", "council"),
        reads("search", "--json"),
        reads("search", "--facets"),
    ],
    "show": [
        reads("show", "1", *part)
        for part in ([], ["--raw"], ["--text"], ["--copies"], ["--history"], ["--why"])
    ],
    "tail": [reads("tail"), reads("tail", "--json", "--since", "0")],
    "export": [reads("export", "--format", form) for form in ("jsonl", "csv", "atom")]
    + [reads("export", "--format", "jsonl", "--output", "{folder}/out.jsonl")],
    "serve": [opens("serve")],
    "import": [writes("import", "{folder}/articles.jsonl")],
    "reprocess": [writes("reprocess"), reads("reprocess", "--dry-run")],
    "extract": [],
    "explain": [
        reads("explain", "1"),
        reads("explain", "https://outlet.example/1"),
        reads("explain", "1", "2"),
    ],
    "mark": [writes("mark", "1", "--tag", "checked"), reads("mark", "--list")],
    "brief": [reads("brief")],
    "evidence": [reads("evidence", "1", "--output", "{folder}/case")],
    "mcp": [opens("mcp")],
    "sources list": [reads("sources", "list")],
    "sources show": [reads("sources", "show", "outlet")],
    "sources check": [opens("sources", "check", "outlet")],
    "sources add": [],
    "sources import": [],
    "sources export": [],
    "status": [reads("status")],
    "doctor": [],
    "backup": [reads("backup", "{folder}/copy.db")],
    "restore": [],
    "forget": [writes("forget", "1")],
    "config check": [],
    "demo": [],
}


def test_every_command_is_listed() -> None:
    """What a new command does over a file that cannot be used is decided with it."""
    found = set()
    for name, command in cli.khabar.commands.items():
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}" for inner in command.commands}
        else:
            found.add(name)
    assert found == set(COMMANDS)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and a store in which every table has rows."""
    folder = tmp_path_factory.mktemp("sound")
    feed = 'id = "outlet"\nfeed = "https://outlet.example/feed"\n'
    (folder / "config.toml").write_text(f"[[sources]]\n{feed}", "utf-8")
    article = {"url": "https://outlet.example/9", "text": "Police in Kabul said so."}
    (folder / "articles.jsonl").write_text(json.dumps(article) + "\n", "utf-8")
    with Store.open(folder / "khabar.db", captures=folder / "captures") as store:
        store.polls.land(make_poll())
        for number in range(1, 20):
            url = f"https://outlet.example/{number}"
            words = " ".join(f"word{number}x{n}" for n in range(300))
            document = make_document(url, f"The council met. {words}")
            store.landings.land([make_landing(document, page=make_page(url))])
        store.annotations.apply(Correction(label=Label.TAG, what=1, tag="checked"))
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound folder, to be made unusable."""
    return Path(shutil.copytree(sound, tmp_path / "broken"))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """`run` sets up the log of the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def outcomes(run, folder: Path, *hows: str) -> dict[str, tuple[int, str]]:
    """Exit code and standard error of every use of these kinds."""
    found = {}
    for uses in COMMANDS.values():
        for use in uses:
            if use.how in hows:
                words = [word.format(folder=folder) for word in use.words]
                ran = run(*words, "--config", folder / "config.toml")
                found[" ".join(use.words)] = (ran.code, ran.err)
    return found


def unpromised(
    found: dict[str, tuple[int, str]], code: int, *says: str
) -> dict[str, tuple[int, str]]:
    """Those that did not end with this code and one line that says one of these."""
    return {
        words: (got, err)
        for words, (got, err) in found.items()
        if got != code
        or APOLOGY in err
        or len(err.splitlines()) != 1
        or not any(part in err for part in says)
    }


# Files that cannot be opened


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def make_text(file: Path) -> None:
    file.write_text("This is no database. " * 1000)


def make_foreign(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE bookmarks (title TEXT)")


def make_foreign_of_our_tools(file: Path) -> None:
    """Another program that keeps its migrations with sqlite-utils, as we do."""
    make_foreign(file)
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT)")
        db.execute("INSERT INTO _sqlite_migrations VALUES ('other', 'm001')")
        db.commit()


def make_newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('khabar', 'm999_later', '')"
        )
        db.commit()


@pytest.mark.parametrize(
    ("break_file", "says"),
    [
        (cut_off, ("damaged", "not a database", "cannot be read")),
        (make_text, ("not a database",)),
        (make_foreign, ("another program's",)),
        (make_foreign_of_our_tools, ("another program's",)),
        (make_newer, ("newer khabar",)),
    ],
)
def test_a_file_that_cannot_be_opened_is_one_line_and_exit_3(
    run, folder: Path, break_file: Callable[[Path], None], says: tuple[str, ...]
) -> None:
    """Whatever is asked, what is wrong is said, and the file stays as it is."""
    file = folder / "khabar.db"
    break_file(file)
    before = file.read_bytes()
    found = outcomes(run, folder, "reads", "writes", "opens")
    assert not unpromised(found, 3, *says)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "break_file", [Path.unlink, lambda file: file.write_bytes(b"")]
)
def test_no_file_and_an_empty_one_are_no_database_yet(
    run, folder: Path, break_file: Callable[[Path], object]
) -> None:
    """Whoever reads is told how one comes to be."""
    break_file(folder / "khabar.db")
    found = outcomes(run, folder, "reads")
    # The catalogue stands before the first crawl.
    catalogue = {words: found.pop(words) for words in list(found) if "sources" in words}
    assert not unpromised(found, 3, "There is no database")
    assert {code for code, _ in catalogue.values()} == {0}


# Files whose damage is met later


def damage_tables(file: Path) -> None:
    """Break the root of every table and index but those that are read to open it."""
    with closing(sqlite3.connect(file)) as db:
        page_size = db.execute("PRAGMA page_size").fetchone()[0]
        roots = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE rootpage > 0 "
            "AND tbl_name NOT IN ('_sqlite_migrations', 'meta')"
        ).fetchall()
    with file.open("r+b") as out:
        for (page,) in roots:
            out.seek((page - 1) * page_size)
            out.write(b"\xff" * 100)


def damage_texts(file: Path) -> None:
    """Break what stands inside rows, of which SQLite knows nothing."""
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE documents SET authors = '[\"A', reasons = '{', cuts = ''")
        db.execute("UPDATE sources SET hints = '{'")
        db.commit()


def test_damage_in_the_middle_is_one_line_and_exit_3(run, folder: Path) -> None:
    """Met on the first row or the last, while the answer is being written or before."""
    damage_tables(folder / "khabar.db")
    found = outcomes(run, folder, "reads", "writes")
    assert not unpromised(found, 3, "is damaged")
    assert not (folder / "out.jsonl").exists()
    assert not (folder / "case").exists()
    assert not (folder / "copy.db").exists()


def test_damage_inside_a_row_is_one_line_and_exit_3(run, folder: Path) -> None:
    """JSON of ours that does not parse is the file's fault, and no mystery."""
    damage_texts(folder / "khabar.db")
    found = outcomes(run, folder, "reads")
    broken = {words: one for words, one in found.items() if one[0] != 0}
    assert not unpromised(broken, 3, "is damaged")
    assert {"show 1", "export --format csv", "sources list"} <= set(broken)


def test_doctor_says_what_is_wrong_with_a_damaged_file(run, folder: Path) -> None:
    """It is the command that the others name."""
    damage_tables(folder / "khabar.db")
    ran = run("doctor", "--config", folder / "config.toml")
    assert ran.code == 1
    assert "is damaged" in ran.out
    assert APOLOGY not in ran.out + ran.err
    assert "could not be checked" not in ran.out


def test_pages_and_tools_say_what_is_wrong_with_a_damaged_file(folder: Path) -> None:
    """The reader of a page gets an error page, a model's client an error; none a fault."""
    pytest.importorskip("datasette", reason="the extra `serve` is not installed")
    pytest.importorskip("mcp", reason="the extra `mcp` is not installed")
    from mcp.server.mcpserver.exceptions import ToolError

    from scheduler import mcp
    from scheduler.pages.reader import StoreReader

    damage_tables(folder / "khabar.db")
    settings = StoreSettings(path=folder / "khabar.db", captures=folder / "captures")
    reader = StoreReader(settings.path, settings.captures)
    with pytest.raises(StoreUnusable, match="damaged"):
        asyncio.run(reader.ask(lambda store: store.search.page(Criteria())))
    reader.close()
    with pytest.raises(ToolError, match="damaged"):
        mcp.Tools(mcp.Config(store=settings)).search("council")


# Files that somebody else holds


@contextmanager
def transaction_of_another_program(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def another_writer(file: Path) -> Iterator[None]:
    with Store.open(file):
        yield


@pytest.mark.parametrize(
    ("hold", "says"),
    [
        (transaction_of_another_program, "locked by another program"),
        (another_writer, "Another khabar process"),
    ],
)
def test_who_writes_to_a_held_file_is_told_and_who_reads_is_not_held_up(
    run, folder: Path, monkeypatch: pytest.MonkeyPatch, hold, says: str
) -> None:
    """Exit 75 for writers; readers see the last commit."""
    monkeypatch.setattr("storage.connection.BUSY_TIMEOUT_SECONDS", 0.01)
    with hold(folder / "khabar.db"):
        writing = outcomes(run, folder, "writes")
        reading = outcomes(run, folder, "reads")
    assert not unpromised(writing, 75, says)
    failed = {words: one for words, one in reading.items() if one[0] != 0}
    assert set(failed) <= {"status"}  # nothing was crawled lately: not well
    assert failed["status"][0] == 1


def test_a_file_that_is_locked_as_a_whole_is_exit_75_for_everybody(
    run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that keeps even readers out is waited for, and then named."""
    monkeypatch.setattr("storage.connection.BUSY_TIMEOUT_SECONDS", 0.01)
    with closing(sqlite3.connect(folder / "khabar.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        found = outcomes(run, folder, "reads", "writes", "opens")
    assert not unpromised(found, 75, "locked by another program")


# Files that may not be written to

_DAC_OVERRIDE, _DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24
CHILD = """
import contextlib, io, json, sys
from scheduler import cli
found = {}
for words in json.loads(sys.argv[1]):
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        try:
            cli.main(words + ["--config", sys.argv[2]])
        except SystemExit as ended:
            found[" ".join(words)] = (int(ended.code or 0), err.getvalue())
print(json.dumps(found))
"""


def heed_modes() -> None:
    """Let the modes of files hold for root, too: the next program has no such right."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        for right in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            if prctl(_PR_CAPBSET_DROP, right, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "this right cannot be given up")


def outcomes_by_modes(folder: Path, root: Path, *hows: str) -> dict[str, tuple]:
    """What `outcomes` gives, of a process for which modes hold. Linux alone can."""
    uses = [use for uses in COMMANDS.values() for use in uses if use.how in hows]
    words = [[word.format(folder=folder) for word in use.words] for use in uses]
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(words), str(folder / "config.toml")],
        cwd=root, capture_output=True, text=True, check=False, timeout=300, preexec_fn=heed_modes,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return {name: tuple(one) for name, one in json.loads(ran.stdout).items()}


@pytest.mark.skipif(sys.platform != "linux", reason="modes hold for root by prctl")
@pytest.mark.parametrize("is_folder_writable", [True, False])
def test_a_file_that_may_not_be_written_to_is_one_line_and_exit_3(
    folder: Path, root: Path, *, is_folder_writable: bool
) -> None:
    """Whoever writes is told; whoever reads is answered or told."""
    (folder / "khabar.db").chmod(0o400)
    folder.chmod(0o700 if is_folder_writable else 0o500)
    try:
        writing = outcomes_by_modes(folder, root, "writes")
        reading = outcomes_by_modes(folder, root, "reads")
    finally:
        folder.chmod(0o700)
    says = ("read-only", "permissions", "may be written")
    assert not unpromised(writing, 3, *says)
    refused = {words: one for words, one in reading.items() if one[0] not in (0, 1)}
    into_folder = {words for words in refused if str(folder) in words}
    told = {words: one for words, one in refused.items() if words not in into_folder}
    assert not unpromised(told, 3, *says)
    assert not [words for words in into_folder if APOLOGY in refused[words][1]]
