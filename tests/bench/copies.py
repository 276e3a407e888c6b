"""Grow a store from varied real texts and measure the duplicate decision as it grows.

usage: python tests/bench/copies.py [--documents 200000] [--shared FOLDER] [--db FILE]

Nine of ten documents are articles of their own (a quarter of the words of a real text replaced), one is an earlier one cut
and with another dateline. Times are this process's processor time, so that a busy machine does not change them. Prints for
each size: articles a second with full text on, p50 and p95 of the decision alone, the same against the size of 1,000,
bytes of index a document; at the end the first admission after opening, and 1,000 copies of one text.
"""

import argparse
import gzip
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from storage.model import Document  # noqa: E402
from storage.store import Store  # noqa: E402
from storage.tables import admission, copies  # noqa: E402

SIZES = (1_000, 5_000, 20_000, 50_000, 100_000, 200_000)
START = datetime(2021, 1, 1, tzinfo=UTC)
A_DAY = 500
BATCH = 100
PROBES = 200


def real_texts(shared: Path) -> list[str]:
    with gzip.open(shared / "corpora/dedup/bulk_text/docs.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"][:3000] for line in lines]


def grown(texts: list[str], seed: int) -> Iterator[str]:
    """Endless varied texts, the same for the same seed."""
    dice = random.Random(seed)
    vocabulary = sorted({word for text in texts for word in text.split()})
    recent: list[str] = []
    while True:
        if recent and dice.random() < 0.1:
            words = dice.choice(recent).split()
            yield f"KABUL (Agency) - {' '.join(words[: int(len(words) * dice.uniform(0.6, 1))])}"
            continue
        words = dice.choice(texts).split()
        for n in dice.sample(range(len(words)), len(words) // 4):
            words[n] = dice.choice(vocabulary)
        recent = [*recent[-300:], " ".join(words)]
        yield recent[-1]


def document(number: int, text: str) -> Document:
    return Document(
        url=f"https://h{number % 997}.example/{number}", source=f"h{number % 997}", title=text[:60], text=text,
        language="en", published_at=START + timedelta(days=number / A_DAY), via="import",
    )  # fmt: skip


def grow(store: Store, texts: Iterator[str], first: int, last: int) -> float:
    """Admit the documents of these numbers in batches; processor seconds."""
    spent = 0.0
    for number in range(first, last, BATCH):
        batch = [document(n, next(texts)) for n in range(number, min(number + BATCH, last))]
        began = time.process_time()
        with store._writing():
            landed = [admission.admit(store.db, one, now=one.published_at) for one in batch]
            admission.reindex(store.db, [one.document_id for one in landed])
        spent += time.process_time() - began
    return spent


def decisions(store: Store, texts: Iterator[str], size: int) -> list[float]:
    """Milliseconds of the duplicate decision for documents that are not stored."""
    spent = []
    for n in range(PROBES):
        one = document(size + n, next(texts))
        began = time.process_time()
        copies.match(store.db, one, now=one.published_at)
        spent.append((time.process_time() - began) * 1000)
    return spent


def index_bytes(path: Path) -> float | None:
    """Bytes of `bands`, where this SQLite can tell."""
    with sqlite3.connect(path) as db:
        try:
            return db.execute("SELECT sum(pgsize) FROM dbstat WHERE name = 'bands'").fetchone()[0]
        except sqlite3.OperationalError:
            return None


def measure(path: Path, texts: list[str], most: int) -> None:
    stream, probes = grown(texts, 1), grown(texts, 2)
    base, at = None, 0
    print(f"{'documents':>10} {'admit/s':>8} {'p50 ms':>7} {'p95 ms':>7} {'p95 ratio':>9} {'bytes/doc':>9}")
    for size in [s for s in SIZES if s < most] + [most]:
        with Store.open(path) as store:
            spent, n = grow(store, stream, at, size), size - at
            at = size
            times = statistics.quantiles(decisions(store, probes, size), n=100)
        base = base or times[94]
        stored = index_bytes(path)
        per = f"{stored / size:9.0f}" if stored else "        ?"
        print(
            f"{size:>10} {n / spent:8.0f} {times[49]:7.2f} {times[94]:7.2f} {times[94] / base:9.2f} {per}", flush=True
        )
    began = time.process_time()
    with Store.open(path) as store:
        grow(store, stream, at, at + 1)
        print(f"open and first admission: {time.process_time() - began:.3f} s")
        same = document(at + 1, next(stream)).text
        first = grow(store, iter(lambda: same, None), at + 1, at + 101)
        grow(store, iter(lambda: same, None), at + 101, at + 1001)
        after = grow(store, iter(lambda: same, None), at + 1001, at + 1101)
        print(f"copies 1,001 to 1,100 of one text against 1 to 100: {after / first:.2f} times the time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--db", type=Path)
    args = parser.parse_args()
    texts = real_texts(args.shared)
    if args.db:
        measure(args.db, texts, args.documents)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder) / "khabar.db", texts, args.documents)


if __name__ == "__main__":
    main()
