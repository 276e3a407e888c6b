"""What lies on the disk and in the log is for the operator alone."""

import io
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import make_document, make_landing, make_page
from scheduler.service.logs import HumanFormatter, JsonFormatter
from storage.store import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "http://outlet.example/1"
TEXT = "Shells fell near an invented village of Panjwai district on Tuesday, its elders said, and nobody was hurt."


@pytest.fixture
def open_umask():
    """A system that would let everybody read."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_every_file_of_the_store_is_its_owners_only(
    tmp_path: Path, open_umask: None
) -> None:
    """Database, WAL, lock, captures and backups, whatever the umask says."""
    page = make_page(URL, TEXT.encode(), fetched_at=NOW)
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as store:
        store.landings.land(
            [
                make_landing(
                    make_document(URL, TEXT, source="o", title="Shells"),
                    URL,
                    source="o",
                    page=page,
                )
            ]
        )
        store.backup(tmp_path / "copy.db")
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} >= {".db", ".lock", ".db-wal", ".gz"}
        assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


@pytest.mark.parametrize(
    "formatter",
    [HumanFormatter(), JsonFormatter()],
    ids=lambda made: type(made).__name__,
)
def test_a_traceback_that_quotes_a_stranger_steers_no_terminal(
    formatter: logging.Formatter,
) -> None:
    """Neither in the message, nor in the facts, nor in what an exception says."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    hostile = "\x1b]0;pwned\x07 \x9b31m \x1b[2J"
    fault = ValueError(hostile)
    record = logging.LogRecord(
        "khabar",
        logging.ERROR,
        "",
        1,
        "page failed: %s",
        (hostile,),
        (ValueError, fault, None),
    )
    record.facts = {"title": hostile}
    handler.handle(record)
    told = out.getvalue()
    assert "ValueError" in told
    assert not set(told) & set("\x1b\x07\x9b")
    if isinstance(formatter, JsonFormatter):
        assert json.loads(told)["level"] == "error"
