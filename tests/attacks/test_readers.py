"""What reaches people and programs.

Searches, tables, terminals and pages over a store full of hostile text.
"""

import asyncio
import csv
import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from targets import SOURCE, is_plain

from builders import LIMITS
from crawler.files import articles
from crawler.leads import feeds
from crawler.sources import CrawlSettings
from storage.errors import UsageError
from storage.model import to_text
from storage.query import criteria, export
from storage.query.criteria import Criteria, Sort
from storage.store import Store

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = "Shells fell near an invented village of Panjwai district on Tuesday, its elders said, and nobody was hurt."
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def lines(path: Path) -> list[str]:
    return (
        path.read_text("utf-8", "surrogateescape")
        .encode("utf-8", "replace")
        .decode()
        .split("\n")
    )


def strings(attacks: Path) -> list[str]:
    """Every hostile string.

    Titles of the feeds, terminal sequences, names, dates, bylines.
    """
    found = json.loads((attacks / "content/terminal_escape.json").read_text())["titles"]
    for path in sorted((attacks / "content").glob("*.xml")):
        feed = feeds.parse_feed(
            path.read_bytes(),
            url=SOURCE.url,
            headers={},
            source=SOURCE,
            now=NOW,
            **LIMITS,
        )
        found += [lead.title for lead in feed.leads if lead.title]
        found += re.findall(
            r"<!\[CDATA\[(.*?)\]\]>", path.read_text("utf-8", "replace"), re.DOTALL
        )
    for path in [
        *(attacks / "content").glob("*.txt"),
        *(attacks / "redos").glob("*.txt"),
    ]:
        found += lines(path)
    return list(dict.fromkeys(found))


@pytest.fixture
def stocked(attacks: Path, tmp_path: Path) -> Path:
    """A store that took in every hostile string as a title, an author, a source and a date of an invented report."""
    rows = [
        {"url": f"http://outlet.example/{n}", "text": f"{TEXT} Report {n * 7919}, w{n} x{n} y{n} z{n}.\n{told[:500]}",
         "title": told, "authors": [told], "source": told, "published_at": told, "language": told}
        for n, told in enumerate(strings(attacks))
    ]  # fmt: skip
    settings = CrawlSettings(min_relevance=0)
    read = articles.parse_lines(
        [(n, json.dumps(row).encode()) for n, row in enumerate(rows)],
        sources={},
        settings=settings,
        now=NOW,
    )
    assert all(row.landing for row in read)
    with Store.open(tmp_path / "khabar.db") as store:
        store.landings.land([row.landing for row in read])
        assert store.session.db["documents"].count == len(rows)
    (tmp_path / "config.toml").write_text('[store]\npath = "khabar.db"\n')
    return tmp_path


def khabar(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """A command of the program itself; it never ends in a traceback."""
    command = [
        sys.executable,
        "-m",
        "scheduler.cli",
        *words,
        "--config",
        str(folder / "config.toml"),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        timeout=120,
        cwd=folder,
        env=environment,
    )
    assert b"Traceback" not in done.stderr, done.stderr[-2_000:]
    return done


def test_no_query_is_an_error_and_none_changes_anything(stocked, attacks):
    """Each hostile query and filter finds something, nothing, or is refused in words; the file stays as it was."""
    typed = lines(attacks / "content/fts5_queries.txt") + lines(
        attacks / "content/sql_filters.txt"
    )
    names = (
        "q",
        "since",
        "until",
        "source",
        "lang",
        "place",
        "actor",
        "event",
        "min_relevance",
        "sort",
        "limit",
        "after",
    )
    with Store.read(stocked / "khabar.db") as store:
        before, refused = store.session.db["documents"].count, []
        for text in typed:
            for sort in Sort:
                store.search.page(Criteria(words=text, sort=sort))
            store.search.coverage(Criteria(words=text))
            for name in names:
                try:
                    wanted = criteria.parse_criteria({name: [text]}, now=NOW)
                    store.search.facets(wanted)
                    store.search.page(wanted)
                except UsageError as fault:
                    refused.append(str(fault))
        assert all(map(is_plain, refused))
        assert store.session.db["documents"].count == before > 100
        assert store.session.db.execute("pragma integrity_check").fetchone()[0] == "ok"


def test_no_cell_of_a_table_is_a_formula(stocked):
    """A spreadsheet runs nothing of what the CSV holds, and every row has every column."""
    with Store.read(stocked / "khabar.db") as store:
        body = b"".join(export.to_csv(store.search.json_pages(Criteria(limit=1_000))))
    head, *rows = csv.reader(io.StringIO(body.decode()))
    assert len(rows) > 100
    for row in rows:
        assert len(row) == len(head)
        for cell in row:
            assert not re.match(r"\s*[=+@＝＋－＠]|\s*-(?!\d)|[\t\r\n]", cell), cell[
                :80
            ]


@pytest.mark.parametrize(
    "words",
    [("search", "--limit", "1000"), ("search", "--limit", "1000", "--json"), ("tail",), ("tail", "--json"), ("show", "1"),
     ("search", "--facets"), ("status",), ("show", "5", "--why"), ("explain", "http://outlet.example/3")],
    ids=" ".join,
)  # fmt: skip
def test_no_output_steers_a_terminal(stocked, words):
    """No escape, bell, carriage return, C1 control or bidirectional override of a stranger is printed."""
    done = khabar(stocked, *words)
    text = (done.stdout + done.stderr).decode()
    assert text
    assert is_plain(text, keep="\n"), [
        char for char in text if not is_plain(char, "\n")
    ][:5]
    assert not BIDI.search(text)
    assert not [line for line in text.split("\n") if line.startswith("FAKE LOG")]


def test_pages_show_it_as_text(stocked):
    """The front page, a search of everything and each article.

    No element of a stranger's, no link but to the web.
    """
    pytest.importorskip(
        "datasette",
        reason="the extra `serve` is not installed: the pages are not tested",
    )
    from scheduler.pages.reader import StoreReader
    from scheduler.pages.routes import Pages

    class Request:
        scheme, host = "http", "127.0.0.1"

        def __init__(self, query: str = "", **parts: str) -> None:
            self.query_string, self.url_vars = query, parts

    async def asked() -> list[str]:
        reader = StoreReader(stocked / "khabar.db", None)
        pages = Pages(reader, now=lambda: NOW)
        try:
            answers = [
                await pages.front(Request()),
                await pages.search(Request("limit=1000")),
                await pages.sources(Request()),
            ]
            answers += [await pages.article(Request(id=str(n))) for n in range(1, 60)]
        finally:
            reader.close()
        return [
            answer.body if isinstance(answer.body, str) else answer.body.decode()
            for answer in answers
        ]

    element = re.compile(
        r"<(script|svg(?! (class|viewBox)=)|iframe|img|object|form action=//|base|style|math|meta http)",
        re.IGNORECASE,
    )
    target = re.compile(
        r"""\s(href|src|action)=["']?\s*(javascript|data|vbscript|file|gopher):""",
        re.IGNORECASE,
    )
    for page in asyncio.run(asked()):
        assert not element.search(page)
        assert not target.search(page)
        assert not re.search(r"<[a-z][^<>]*\son[a-z]+\s*=", page, re.IGNORECASE)
        assert "\x1b" not in page


def test_atom_and_json_lines_are_well_formed(stocked):
    """Other programs can read everything that leaves."""
    with Store.read(stocked / "khabar.db") as store:
        pages = list(store.search.json_pages(Criteria(limit=1_000)))
    feed = ET.fromstring(
        b"".join(
            export.to_atom(
                pages, title="x\x1b", url="http://127.0.0.1/feed.atom", now=NOW
            )
        )
    )
    assert len(feed) > 100
    for chunk in export.to_jsonl(pages):
        for line in chunk.splitlines():
            assert to_text(datetime.fromisoformat(json.loads(line)["updated_at"]))


def test_every_file_can_be_given_to_import_and_extract(shared, attacks, tmp_path):
    """Under whatever name.

    An answer or a line that says what is wrong, never a traceback; one object for each
    page.
    """
    (tmp_path / "config.toml").write_text(
        '[store]\npath = "khabar.db"\n[topic]\nmin_relevance = 0\n'
    )
    named: dict[str, list[str]] = {".jsonl": [], ".warc.gz": [], ".html": []}
    for kind, files in named.items():
        for path in sorted(attacks.rglob("*")):
            if path.is_file() and path.suffix != ".py":
                whole = path.name.endswith(".gz") and kind == ".html"
                link = (
                    tmp_path
                    / f"{path.parent.name}-{path.name.replace('.', '-')}{kind}{'.gz' if whole else ''}"
                )
                link.write_bytes(path.read_bytes())
                files.append(str(link))
    imported = khabar(tmp_path, "import", *named[".jsonl"], *named[".warc.gz"])
    assert imported.returncode in {0, 1}
    extracted = khabar(tmp_path, "extract", *named[".html"])
    assert extracted.returncode in {0, 1}
    told = [json.loads(line) for line in extracted.stdout.splitlines()]
    assert len({record["file"] for record in told}) >= len(
        named[".html"]
    ) - extracted.stderr.count(b"\n")
    assert all(record["text"] or record["rejection"] for record in told)
    with Store.read(tmp_path / "khabar.db") as store:
        assert store.session.db.execute("pragma integrity_check").fetchone()[0] == "ok"
