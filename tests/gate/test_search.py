"""Floors of search: what queries as people type them find among real pages, and nothing else.

`search_queries.csv`: what is typed, whether it is a name or everyday words, and the pattern of the texts that are meant,
written by hand over texts whose Arabic ی and ک were made Persian. Floors and the data: `relevance.toml`.
"""

import csv
import hashlib
import json
import re
import tomllib
import unicodedata
from pathlib import Path

import pytest

from builders import make_document
from crawler.topic import names
from storage.query import search
from storage.query.criteria import Criteria
from storage.store import Store

FOLDER = Path(__file__).parent
PINNED = tomllib.loads((FOLDER / "relevance.toml").read_text(encoding="utf-8"))
ARABIC_LETTERS = str.maketrans("يىكة", "ییکه")


@pytest.fixture(scope="module")
def texts(shared):
    """The Persian and Pashto pages by URL, title and text in one."""
    found = {}
    for name, digest in PINNED["real"]["digests"].items():
        path = shared / "corpora" / "relevance" / f"{name}.jsonl"
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            pytest.skip(
                f"{name}.jsonl is not the file that the floors were measured on"
            )
        with path.open(encoding="utf-8") as lines:
            for number, item in enumerate(map(json.loads, lines)):
                if item["lang"] in ("fa", "ps"):
                    title, text = item.get("title") or "", item.get("text") or ""
                    found[f"https://{name}.example/{number}"] = f"{title}\n{text}"
    return found


@pytest.fixture(scope="module")
def store(texts, tmp_path_factory):
    """A file with all of them."""
    with Store.open(tmp_path_factory.mktemp("search") / "khabar.db") as opened:
        opened.gazetteer.sync_spellings(names.name_rows())
        for url, text in texts.items():
            opened.landings.admit(make_document(url, text, title="", source="press"))
        yield opened


@pytest.mark.parametrize("kind", PINNED["search"])
def test_queries_find_what_is_meant(store, texts, kind):
    """Names across scripts and cases, everyday words in their forms: on average over all queries."""
    with (FOLDER / "search_queries.csv").open(encoding="utf-8") as lines:
        queries = [row for row in csv.DictReader(lines) if row["kind"] == kind]
    plain = {
        url: unicodedata.normalize("NFC", text).translate(ARABIC_LETTERS)
        for url, text in texts.items()
    }
    recalls, precisions = [], []
    for row in queries:
        pattern = re.compile(row["relevant"], re.IGNORECASE)
        meant = {url for url, text in plain.items() if pattern.search(text)}
        assert meant, row["typed"]
        asked = Criteria(words=row["typed"], limit=1_000, copies=True)
        hits = search.search(store.session.db, asked).hits
        found = {hit.record["url"] for hit in hits}
        recalls.append(len(meant & found) / len(meant))
        precisions.append(len(meant & found) / max(len(found), 1))
    floors = PINNED["search"][kind]
    assert sum(recalls) >= floors["recall"] * len(queries)
    assert sum(precisions) >= floors["precision"] * len(queries)
