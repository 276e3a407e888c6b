"""Reading kept raw pages anew, with the program itself.

What would change, what changes, what stays.
"""

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

# Written for the tests: no such events.
WAR = (
    "Gunmen killed three police officers at a checkpoint in Kandahar province before dawn, the governor said. "
    "The Taliban claimed the attack in a message and said that two of its fighters had died. "
    "The road to Spin Boldak stayed closed until noon, and traders were sent back to the city."
)
BREAD = (
    "Bakers in Herat sell a new kind of flat bread this week, and people stand in line for it in the morning. "
    "The recipe came from a grandmother in Kabul, who taught it to her two sons and to the whole street. "
    "It is made with saffron from the west of Afghanistan, with cardamom, and with a little honey on top."
)
URLS = ("https://paper.example/war", "https://paper.example/bread")

Ran = subprocess.CompletedProcess[str]


def record(url: str, title: str, text: str) -> bytes:
    body = f"<html lang=en><head><title>{title}</title></head><body><article><h1>{title}</h1><p>{text.replace('. ', '.</p><p>')}</p></article></body></html>"
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{body}".encode()
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{uuid.uuid4()}>\r\nWARC-Target-URI: {url}\r\n"
        "WARC-Date: 2026-11-20T10:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n")


def program(folder: Path, *words: object, min_relevance: float = 0.5) -> Ran:
    """`khabar` in a folder, with a configuration that asks for so much relevance."""
    (folder / "config.toml").write_text(
        f'[crawl]\nworkers = 1\n[topic]\nmin_relevance = {min_relevance}\n'
        '[[sources]]\nid = "paper"\nfeed = "https://paper.example/feed"\n'
    )  # fmt: skip
    environment = {
        **os.environ,
        "HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "scheduler.cli", *map(str, words)],
        text=True, capture_output=True, timeout=120, check=False, cwd=folder, env=environment, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which two pages were imported.

    One is about the conflict, one is not.
    """
    folder = tmp_path_factory.mktemp("imported")
    pages = (
        record(URLS[0], "Three officers killed", WAR),
        record(URLS[1], "A new bread in Herat", BREAD),
    )
    (folder / "pages.warc.gz").write_bytes(b"".join(pages))
    assert program(folder, "import", "pages.warc.gz").returncode == 0
    return folder


@pytest.fixture
def khabar(imported: Path, tmp_path: Path) -> Callable[..., Ran]:
    """The program in a copy of that folder."""
    shutil.copytree(imported, tmp_path, dirs_exist_ok=True)
    return partial(program, tmp_path)


def ask(folder: Path, statement: str) -> list[tuple]:
    with sqlite3.connect(folder / "khabar.db") as db:
        return db.execute(statement).fetchall()


def told(ran: Ran) -> list[dict]:
    assert (ran.returncode, ran.stderr) == (0, "")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def state(folder: Path) -> list[list[tuple]]:
    return [
        ask(folder, f"SELECT * FROM {name} ORDER BY 1")
        for name in ("documents", "fates", "changes", "rejections")
    ]


def test_with_the_same_rules_nothing_changes(khabar, tmp_path: Path) -> None:
    """Read again by the same extraction, a page says the same, and nothing at all is written."""
    before = state(tmp_path)
    (counts,) = told(khabar("reprocess", "--json"))
    assert (counts["pages"], counts["same"]) == (2, 2)
    assert state(tmp_path) == before


def test_a_dry_run_says_what_another_threshold_would_let_in_or_out_and_writes_nothing(
    khabar, tmp_path: Path
) -> None:
    """Both ways, with the addresses, while the file stays as it is."""
    before = state(tmp_path)
    *looser, counts = told(khabar("reprocess", "--dry-run", "--json", min_relevance=0))
    assert [(one["turn"], one["url"]) for one in looser] == [("let in", URLS[1])]
    assert (counts["let_in"], counts["dry_run"]) == (1, True)
    *stricter, counts = told(
        khabar("reprocess", "--dry-run", "--json", min_relevance=1)
    )
    assert [(one["turn"], one["url"]) for one in stricter] == [("let out", URLS[0])]
    assert "let out" in khabar("reprocess", "--dry-run", min_relevance=1).stdout
    assert state(tmp_path) == before


def test_what_todays_rules_keep_comes_in_and_what_they_do_not_goes(
    khabar, tmp_path: Path
) -> None:
    """A page that was dropped becomes an article from its raw page.

    Then all go, told as reclassified.
    """
    khabar("reprocess", min_relevance=0)
    assert {row[0] for row in ask(tmp_path, "SELECT url FROM articles")} == set(URLS)
    assert (
        ask(
            tmp_path,
            "SELECT kind FROM captures JOIN articles AS a ON a.capture_id = captures.id",
        )
        == [("kept",)] * 2
    )
    khabar("reprocess", min_relevance=1)
    assert ask(tmp_path, "SELECT count(*) FROM articles") == [(0,)]
    assert [row[0] for row in ask(tmp_path, "SELECT what FROM changes ORDER BY cursor")] == [
        "new", "new", "reclassified", "reclassified",
    ]  # fmt: skip
    assert {row[0] for row in ask(tmp_path, "SELECT fate FROM fates")} == {"rejected"}


def test_a_better_reading_replaces_the_text_and_is_no_revision_of_the_page(
    khabar, tmp_path: Path
) -> None:
    """A text that an older extraction left short is whole again.

    The diff shows which words; `changes` says why.
    """
    with sqlite3.connect(tmp_path / "khabar.db") as db:
        db.execute(
            "UPDATE documents SET text = 'Gunmen killed three', extractor = 'older', text_hash = 1"
        )
    shown = khabar("reprocess", "--dry-run").stdout
    assert "{+police officers" in shown
    *changed, counts = told(khabar("reprocess", "--json"))
    assert [one["turn"] for one in changed] == ["changed"]
    assert (counts["changed"], counts["dry_run"]) == (1, False)
    ((text, extractor),) = ask(tmp_path, "SELECT text, extractor FROM documents")
    assert "Spin Boldak" in text
    assert extractor != "older"
    assert ask(tmp_path, "SELECT count(*) FROM revisions") == [(0,)]
    assert ask(
        tmp_path, "SELECT what, detail FROM changes ORDER BY cursor DESC LIMIT 1"
    ) == [("revised", "read anew")]
    assert ask(
        tmp_path, "SELECT document_id FROM folded WHERE text LIKE '%boldak%'"
    ) == [(1,)]


def test_a_running_service_does_it_for_the_command(khabar, tmp_path: Path) -> None:
    """It holds the file.

    The command hands the work over, waits, and tells how many came to what.
    """
    khabar("config", "check", min_relevance=0)
    config = (tmp_path / "config.toml").read_text()
    (tmp_path / "service.toml").write_text(f"{config}enabled = false\n")
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    words = [sys.executable, "-m", "scheduler.cli", "run", "--config", "service.toml"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as service:
        try:
            while "ready" not in service.stderr.readline():
                assert service.poll() is None
            (counts,) = told(khabar("reprocess", "--json", min_relevance=0))
        finally:
            service.terminate()
            service.communicate(timeout=60)
    assert (counts["let_in"], counts["same"]) == (1, 1)
    assert {row[0] for row in ask(tmp_path, "SELECT url FROM articles")} == set(URLS)


def test_filters_narrow_what_is_read_anew(khabar) -> None:
    """A source that has nothing, words that only one text has."""
    assert (
        told(khabar("reprocess", "--dry-run", "--source", "nobody", "--json"))[-1][
            "pages"
        ]
        == 0
    )
    assert (
        told(khabar("reprocess", "checkpoint", "--dry-run", "--json"))[-1]["pages"] == 1
    )
    assert told(khabar("reprocess", "--dry-run", "--json"))[-1]["pages"] == 2


RAID = (
    "Taliban fighters raided a compound in Kunduz province on Sunday and killed two members of Islamic State. "
    "Soldiers closed the road to Imam Sahib for the night, a police commander in the district said by telephone. "
    "Five people were wounded by gunfire, and a car bomb that was found in the yard was blown up by the army."
)


def merge_reports(folder: Path) -> None:
    """What a former version made of two pages that named one canonical address."""
    with sqlite3.connect(folder / "khabar.db") as db:
        db.execute(
            "INSERT INTO revisions (document_id, number, seen_at, title, capture_id, text) "
            "SELECT (SELECT id FROM documents WHERE url LIKE '%/war'), 1, updated_at, title, capture_id, text "
            "FROM documents WHERE url LIKE '%/raid'"
        )  # fmt: skip
        db.execute(
            "UPDATE fates SET document_id = (SELECT id FROM documents WHERE url LIKE '%/war') "
            "WHERE url LIKE '%/raid'"
        )
        merged = "https://paper.example/undefined"
        db.execute(
            "INSERT INTO fates (key, url, source, fate, document_id, at) SELECT 'paper.example/undefined', ?, "
            "source, fate, document_id, at FROM fates WHERE url LIKE '%/war'",
            [merged],
        )
        db.execute(
            "UPDATE documents SET revision = 2, key = 'paper.example/undefined', url = ? WHERE url LIKE '%/war'",
            [merged],
        )
        number = db.execute(
            "SELECT id FROM documents WHERE url LIKE '%/raid'"
        ).fetchone()
        db.execute("DELETE FROM folded WHERE document_id = ?", number)
        db.execute("DELETE FROM bands WHERE document_id = ?", number)
        db.execute("DELETE FROM fresh_bands WHERE document_id = ?", number)
        db.execute("DELETE FROM documents WHERE id = ?", number)


def test_reports_that_were_merged_wrongly_are_told_and_parted(
    khabar, tmp_path: Path
) -> None:
    """A state that was read at another address is a report of its own again.

    So it is told by a dry run, parted by a run, and the second run has nothing to do.
    """
    raid = "https://paper.example/raid"
    (tmp_path / "more.warc.gz").write_bytes(
        record(raid, "Raid on a compound in Kunduz", RAID)
    )
    told(khabar("import", "more.warc.gz", "--json"))
    merge_reports(tmp_path)

    *pages, _ = told(khabar("reprocess", "--dry-run", "--json"))
    assert ("parted", raid) in [(page["turn"], page["url"]) for page in pages]
    told(khabar("reprocess", "--json"))
    urls = ask(tmp_path, "SELECT url FROM documents ORDER BY url")
    assert urls == [(raid,), (URLS[0],)]
    assert ask(tmp_path, "SELECT count(*) FROM revisions") == [(0,)]
    *pages, _ = told(khabar("reprocess", "--dry-run", "--json"))
    assert pages == []
    assert ask(tmp_path, "SELECT revision FROM documents") == [(1,), (1,)]
