"""What leaves the store by a command.

Exports whole or not at all, the log followed and taken up again.
"""

import csv
import io
import json
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from builders import NOW, make_document
from scheduler import exports
from storage.errors import UsageError
from storage.query.criteria import Criteria
from storage.store import Store


def add(store: Store, number: int) -> None:
    text = f"Written for the tests: invented report number {number} about the weather in valley {number}, which was {number} degrees cold, as {number} people told."
    store.landings.admit(
        make_document(
            f"https://alpha.example/{number}",
            text,
            title=f"=Report {number}",
            published_at=NOW,
        ),
        now=NOW,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of seven invented articles."""
    with Store.open(tmp_path / "khabar.db") as store:
        for number in range(7):
            add(store, number)
    return tmp_path / "khabar.db"


def khabar(path: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "scheduler.cli", *words, "--db", str(path)],
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_every_format_holds_all_of_it(path):
    """JSON lines, CSV and Atom each give every article, in one order."""
    lines = [
        json.loads(line)["url"]
        for line in khabar(path, "export", "--format", "jsonl").stdout.splitlines()
    ]
    table = [
        row["url"]
        for row in csv.DictReader(
            io.StringIO(khabar(path, "export", "--format", "csv").stdout.decode())
        )
    ]
    feed = ET.fromstring(khabar(path, "export", "--format", "atom").stdout)
    links = [
        entry.find("{http://www.w3.org/2005/Atom}link").get("href")
        for entry in feed.iter("{http://www.w3.org/2005/Atom}entry")
    ]
    assert len(lines) == 7
    assert lines == table == links


def test_words_filters_and_limit_hold(path):
    """An export takes the words and options of a search."""
    assert (
        len(
            khabar(
                path, "export", "--format", "jsonl", "valley", "--limit", "3"
            ).stdout.splitlines()
        )
        == 3
    )
    assert (
        khabar(path, "export", "--format", "jsonl", "--source", "nobody").stdout == b""
    )
    wrong = khabar(path, "export", "--format", "jsonl", "--since", "2026-13-45")
    assert (wrong.returncode, wrong.stdout) == (2, b"")


def test_a_file_appears_whole_or_not_at_all(path, tmp_path):
    """A failure half way leaves neither a part nor the old file changed."""
    target = tmp_path / "out.jsonl"
    assert (
        khabar(path, "export", "--format", "jsonl", "--output", str(target)).returncode
        == 0
    )
    whole = target.read_bytes()
    with pytest.raises(RuntimeError):
        _half(target)
    assert target.read_bytes() == whole
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []
    with (
        pytest.raises(UsageError),
        exports.open_target(tmp_path / "no" / "where", io.BytesIO(), form="csv"),
    ):
        pass


def _half(target: Path) -> None:
    with exports.open_target(target, io.BytesIO(), form="jsonl") as sink:
        sink.write(b"half")
        raise RuntimeError


def test_a_limit_cuts_a_page(path):
    """The limit is exact whatever the page size."""
    with Store.read(path) as store:
        for most in (1, 6, 7, 8):
            sink = io.BytesIO()
            exports.write_export(store, Criteria(), form="jsonl", sink=sink, most=most)
            assert sink.getvalue().count(b"\n") == min(most, 7)


def test_the_log_goes_on_from_a_cursor(path):
    """The second look begins where the first one stopped.

    A cursor of elsewhere is an error of use.
    """
    first = [
        json.loads(line) for line in khabar(path, "tail", "--json").stdout.splitlines()
    ]
    assert [entry["what"] for entry in first] == ["new"] * 7
    rest = khabar(
        path, "tail", "--json", "--since", str(first[3]["cursor"])
    ).stdout.splitlines()
    assert [json.loads(line) for line in rest] == first[4:]
    assert khabar(path, "tail", "--since", "99999").returncode == 2


def test_following_sees_what_is_stored_meanwhile(path):
    """A follower in another process gets each new change once, within moments."""
    command = [
        sys.executable,
        "-m",
        "scheduler.cli",
        "tail",
        "--json",
        "--follow",
        "--since",
        "7",
        "--db",
        str(path),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        time.sleep(0.5)
        with Store.open(path) as store:
            add(store, 100)
            add(store, 101)
        seen = [json.loads(follower.stdout.readline())["title"] for _ in range(2)]
        follower.terminate()
    assert seen == ["=Report 100", "=Report 101"]
