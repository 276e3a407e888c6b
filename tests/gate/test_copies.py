"""Floors of near copies on each labelled set, false merges among templated daily reports by themselves.

Floors and the digests of the data they were measured on stand in `copies.toml`.
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import make_document
from storage import identity
from storage.store import Store
from storage.tables import admission

PINNED = tomllib.loads(
    (Path(__file__).parent / "copies.toml").read_text(encoding="utf-8")
)
SETS = list(PINNED["digests"])


def scorer(shared, *arguments):
    command = [
        sys.executable,
        str(shared / "score" / "copies.py"),
        *map(str, arguments),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def admit_all(path, lines):
    """The documents in the order of the file, as `khabar import` takes them."""
    with Store.open(path) as store, store.session.writing():
        for row in map(json.loads, lines):
            at = (
                datetime.fromisoformat(row["published_at"])
                if row.get("published_at")
                else None
            )
            document = make_document(identity.canonical_url(row["url"]), row["text"], source=row["source"], title=row.get("title"), published_at=at, via="import")  # fmt: skip
            admission.admit(
                store.session.db, document, now=datetime(2026, 11, 22, tzinfo=UTC)
            )


@pytest.mark.parametrize("name", SETS)
def test_copies_of_a_labelled_set_stay_above_their_floors(shared, tmp_path, name):
    """Copies are found, and nothing else is taken for one."""
    corpus = shared / "corpora" / "dedup" / name
    if (
        hashlib.sha256((corpus / "docs.jsonl").read_bytes()).hexdigest()
        != PINNED["digests"][name]
    ):
        pytest.skip(f"{name} is not the set that the floors were measured on")
    admit_all(
        tmp_path / "khabar.db",
        [line for line in scorer(shared, corpus, "--emit").split("\n") if line],
    )
    figures = json.loads(scorer(shared, corpus, tmp_path / "khabar.db", "--json"))
    for figure, floor in PINNED[name].items():
        if figure.startswith("most_"):
            assert figures[figure.removeprefix("most_")] <= floor, (figure, figures)
        else:
            assert figures[figure] >= floor, (figure, figures)
