"""What a search finds leaves the store whole, and harmless to what opens it."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_document
from storage.query import export, record, search
from storage.query.criteria import Criteria

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "＝1+1",
    '=HYPERLINK("http://127.0.0.1/?x="&A1)',
]


def lines(store, **fields):
    return search.iterate_json_pages(store.session.db, Criteria(**fields), size=2)


def test_jsonl_is_what_search_says(stocked):
    """One object a line, the same form and order as the search itself."""
    rows = [
        json.loads(line)
        for line in b"".join(export.to_jsonl(lines(stocked))).splitlines()
    ]
    assert rows == [
        dict(hit.record) for hit in search.search(stocked.session.db, Criteria()).hits
    ]


def test_filters_hold_for_an_export(stocked):
    """An export takes what the same search would find."""
    assert [
        json.loads(line)["id"]
        for line in b"".join(
            export.to_jsonl(lines(stocked, words="wheat"))
        ).splitlines()
    ] == [4]


def test_csv_reads_back(stocked):
    """A header row, every field, lines within a text kept."""
    rows = list(
        csv.DictReader(io.StringIO(b"".join(export.to_csv(lines(stocked))).decode()))
    )
    assert tuple(rows[0]) == record.FIELDS
    assert {row["url"] for row in rows} == {
        f"https://{name}.example/{n}"
        for n, name in enumerate(["alpha", "beta", "gamma", "alpha", "delta"], 1)
    }
    assert {row["places"] for row in rows} == {"Panjwayi", "Kunduz", "Mazar-e Sharif"}


@pytest.mark.parametrize("title", HOSTILE)
def test_no_cell_is_a_formula(stocked, title):
    """What a spreadsheet would run begins with an apostrophe, whatever blanks stand before it."""
    stocked.landings.admit(
        make_document(
            "https://evil.example/x",
            f"{title} was all that this invented report had to say to its readers.",
            title=title,
        ),
        now=NOW,
    )
    for row in csv.DictReader(
        io.StringIO(b"".join(export.to_csv(lines(stocked))).decode(), newline="")
    ):
        assert not any(
            cell.lstrip()[:1] in set("=+-@＝＋－＠")
            for cell in row.values()
            if cell and not cell.replace(".", "").isdigit()
        )


@given(st.text(max_size=40))
def test_a_defused_cell_is_never_run(text):
    """No text gives a cell that begins with a formula's sign."""
    assert (
        not str(export._cell(text))
        .lstrip()
        .startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
    )


def test_atom_is_well_formed_and_plain(stocked):
    """Hostile titles stay text; control characters go.

    Entries carry time, link, authors and places.
    """
    stocked.landings.admit(
        make_document(
            "https://evil.example/x",
            "A body that says <b>nothing</b> & is written for the tests of the feed.",
            title="<script>alert(1)</script>\x1b[2J]]>&amp;\x00",
        ),
        now=NOW,
    )
    made = b"".join(
        export.to_atom(
            lines(stocked),
            title="All <b>",
            url="http://127.0.0.1/feed.atom?q=1&x=2",
            now=NOW,
            home="http://127.0.0.1/",
        )
    )
    feed = ET.fromstring(made)
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 6
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 6
    assert feed.findtext(f"{ATOM}title") == "All <b>"
    titles = {entry.findtext(f"{ATOM}title") for entry in entries}
    assert "<script>alert(1)</script>[2J]]>&amp;" in titles
    assert all(
        entry.find(f"{ATOM}content").get("type") == "text"
        and len(entry.find(f"{ATOM}content")) == 0
        for entry in entries
    )


def test_parquet_reads_back(stocked, tmp_path: Path):
    """Rows, lists and mentions survive.

    Without the extra the error says what to install.
    """
    parquet = pytest.importorskip(
        "pyarrow.parquet", reason="the extra `parquet` is not installed"
    )
    with (tmp_path / "x.parquet").open("wb") as sink:
        assert export.write_parquet(lines(stocked), sink) == 5
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert rows == [
        dict(hit.record) for hit in search.search(stocked.session.db, Criteria()).hits
    ]


def test_the_shared_formulas_are_defused(stocked, shared: Path):
    """Every title of the shared folder's CSV attack is harmless in a cell."""
    feed = ET.fromstring((shared / "attacks/content/csv_injection.xml").read_bytes())
    titles = [item.findtext("title") or "" for item in feed.iter("item")]
    assert len(titles) >= 10
    for title in titles:
        assert (
            not str(export._cell(title)).lstrip().startswith(("=", "+", "-", "@", "＝"))
        )


def test_nothing_found_is_an_empty_but_whole_file(stocked):
    """A header in CSV, a feed without entries, no line of JSON."""
    assert b"".join(export.to_jsonl(lines(stocked, words="nowhere"))) == b""
    assert b"".join(export.to_csv(lines(stocked, words="nowhere"))).count(b"\r\n") == 1
    ET.fromstring(
        b"".join(
            export.to_atom(lines(stocked, words="nowhere"), title="t", url="u", now=NOW)
        )
    )
