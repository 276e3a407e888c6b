"""Standard input on its way into the database, and the lines that a follower hears."""

import gzip
import io
import os
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import follow_job, stdin_file
from storage.errors import UsageError
from storage.model import utc_now


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is piped in."""
    stream = SimpleNamespace(
        isatty=lambda: False, buffer=io.BytesIO(b'{"url": "https://a.example/"}\n')
    )
    monkeypatch.setattr(sys, "stdin", stream)


def test_what_is_piped_in_is_private_and_gone_at_the_end(
    piped: None, tmp_path: Path
) -> None:
    """Mode 0600 beside the database, under a name that says lines of JSON."""
    store = tmp_path / "khabar.db"
    with stdin_file.replace_stdin(store, [Path("a.warc"), Path("-")]) as files:
        assert files[0] == Path("a.warc")
        assert stdin_file.is_stdin_file(store, files[1])
        assert (files[1].suffix, files[1].stat().st_mode & 0o777) == (".jsonl", 0o600)
        assert (
            stdin_file.hide_stdin_path(store, f"{files[1].name}:3: not JSON")
            == "stdin:3: not JSON"
        )
        assert (
            stdin_file.hide_stdin_path(store, f"{files[1]}: breaks off")
            == "stdin: breaks off"
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fault", "stays"),
    [(stdin_file.JobContinues, True), (KeyboardInterrupt, False), (UsageError, False)],
)
def test_only_a_work_that_goes_on_keeps_its_input(
    piped: None, tmp_path: Path, fault: type, stays: bool
) -> None:
    """Where the service has it, the service removes it.

    What nobody came back for goes a day later.
    """
    store = tmp_path / "khabar.db"
    with pytest.raises(fault), stdin_file.replace_stdin(store, [Path("-")]):
        raise fault("x")
    left = list(tmp_path.iterdir())
    assert bool(left) is stays
    stdin_file.remove_leftovers(store, utc_now())
    assert list(tmp_path.iterdir()) == left
    stdin_file.remove_leftovers(store, utc_now() + timedelta(days=2))
    assert not list(tmp_path.iterdir())


def test_other_files_are_nobody_s_to_remove(tmp_path: Path) -> None:
    """A request may name any file; only ours beside the database is removed."""
    store = tmp_path / "khabar.db"
    for file in (
        store,
        tmp_path / "a.jsonl",
        tmp_path / "sub" / "khabar.db.stdin-1.jsonl",
        Path("/etc/passwd"),
    ):
        assert not stdin_file.is_stdin_file(store, file)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_kind(head: bytes) -> None:
    """Packed or not, broken or not."""
    assert stdin_file.file_suffix(head) in {
        ".wacz",
        ".warc",
        ".warc.gz",
        ".jsonl",
        ".jsonl.gz",
    }


def test_kinds_are_told_by_the_first_bytes() -> None:
    """WARC, WACZ, and everything else is lines."""
    assert stdin_file.file_suffix(b"WARC/1.0\r\n") == ".warc"
    assert (
        stdin_file.file_suffix(gzip.compress(b"WARC/1.0\r\n" + os.urandom(9000))[:4000])
        == ".warc.gz"
    )
    assert stdin_file.file_suffix(b"PK\x03\x04 and so on") == ".wacz"
    assert stdin_file.file_suffix(gzip.compress(b"{}")) == ".jsonl.gz"


@given(st.lists(st.integers(0, 40), max_size=8), st.integers(1, 10))
def test_a_follower_hears_each_line_once_or_how_many_it_missed(
    steps: list[int], window: int
) -> None:
    """Whatever was said between two looks.

    The last ones in order, and the number of those that are gone.
    """
    said: list[str] = []
    told: list[str] = []
    heard = missed = 0
    for step in steps:
        said += [f"line {len(said) + n}" for n in range(step)]
        before = len(told)
        heard = follow_job.print_new_lines(
            {"said": len(said), "lines": said[-window:] if said else []},
            heard,
            told.append,
        )
        missed += sum(
            int(line.split()[0][1:]) for line in told[before:] if line.startswith("(")
        )
    lines = [line for line in told if not line.startswith("(")]
    assert len(lines) + missed == len(said)
    assert lines == sorted(set(lines), key=said.index)
