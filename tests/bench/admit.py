"""How fast documents are admitted to a store that grows, full text included, on one core.

    python tests/bench/admit.py                     20,000 documents, a quarter of a minute
    python tests/bench/admit.py --documents 200000  the size to judge by; some minutes and 3 GB of disk

Texts come from the shared folder's bulk of real pages where there is one, else from a fixed seed; further ones are the
same sentences in other orders, so that each is a text of its own with the words of real ones. The yardstick, in the same run and
on the same disk: bare inserts of the same rows into one table without any index, batched alike.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from storage.model import Document, Landing, Mention
from storage.store import Store

BATCH = 100
START = datetime(2024, 11, 22, tzinfo=UTC)


def sentences() -> list[list[str]]:
    """Texts as lists of sentences: real ones, or invented ones of the same length."""
    shared = Path(
        os.environ.get("KHABAR_SHARED", Path(__file__).resolve().parents[3] / "shared")
    )
    bulk = shared / "corpora" / "dedup" / "bulk_text" / "docs.jsonl.gz"
    if bulk.exists():
        with gzip.open(bulk, "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        return [
            [s for s in text.replace("\n", ". ").split(". ") if s] for text in texts
        ]
    rnd = random.Random(20261122)
    words = [f"word{n}" for n in range(30_000)]
    return [
        [" ".join(rnd.choices(words, k=18)) for _ in range(25)] for _ in range(2_800)
    ]


def documents(count: int) -> Iterator[Document]:
    """Distinct texts; one in twelve comes again from another host."""
    rnd = random.Random(1)
    texts, last = sentences(), ""
    for n in range(count):
        if n % 12 == 11:
            text = last
        else:
            own = texts[n % len(texts)]
            foreign = texts[rnd.randrange(len(texts))]
            mixed = (
                own
                if n < len(texts)
                else rnd.sample(own, len(own) // 2)
                + rnd.sample(foreign, len(foreign) // 2)
            )
            text = last = ". ".join(mixed) + f". Number {n}."
        yield Document(
            url=f"https://host{n % 300}.example/{n}",
            source=f"source{n % 300}",
            title=f"Report {n}",
            text=text,
            language="en",
            published_at=START
            + timedelta(minutes=n * 5)
            - timedelta(hours=rnd.randrange(72)),
            mentions=tuple(
                Mention(
                    kind="place", code=f"AF{rnd.randrange(400)}", name="Place", count=1
                )
                for _ in range(4)
            ),
        )


def batches(count: int) -> Iterator[list[Landing]]:
    batch: list[Landing] = []
    for document in documents(count):
        batch.append(
            Landing(outcome=document, url=document.url, source=document.source)
        )
        if len(batch) == BATCH:
            yield batch
            batch = []


def bare(folder: Path, count: int) -> float:
    """Seconds of CPU for bare inserts of as many rows."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute(
        "CREATE TABLE documents (id INTEGER PRIMARY KEY, url TEXT, title TEXT, text TEXT)"
    )
    spent = 0.0
    for batch in batches(count):
        rows = [
            (landing.url, landing.outcome.title, landing.outcome.text)
            for landing in batch
        ]
        start = time.process_time()
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT INTO documents (url, title, text) VALUES (?, ?, ?)", rows
        )
        db.execute("COMMIT")
        spent += time.process_time() - start
    db.close()
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=20_000)
    wanted = parser.parse_args().documents
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(
            f"{'documents':>10} {'per s':>8} {'per s CPU':>10} {'MB':>8} {'bytes each':>11}"
        )
        with Store.open(folder / "khabar.db") as store:
            spent = walls = 0.0
            recent: list[tuple[float, float]] = []
            for n, batch in enumerate(batches(wanted), 1):
                cpu, wall = time.process_time(), time.perf_counter()
                store.landings.land(batch, now=START + timedelta(minutes=n * 5 * BATCH))
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                spent, walls = spent + cpu, walls + wall
                recent = [*recent[-99:], (cpu, wall)]
                if n * BATCH % max(wanted // 10, BATCH) == 0:
                    size = store.stats.sizes()["database"]
                    rate = [
                        BATCH / statistics.fmean(values)
                        for values in zip(*recent, strict=True)
                    ]
                    print(
                        f"{n * BATCH:>10,} {rate[1]:>8,.0f} {rate[0]:>10,.0f} {size / 1e6:>8,.0f} {size / (n * BATCH):>11,.0f}"
                    )
            counts = store.stats.counts()
        yardstick = bare(folder, wanted)
        print(
            f"{counts['articles']:,} articles, {counts['copies']:,} copies; {wanted / spent:,.0f} a second of CPU, {wanted / walls:,.0f} by the clock"
        )
        print(
            f"ratio to bare inserts: {spent / yardstick:.1f} times their CPU ({wanted / yardstick:,.0f} a second)"
        )


if __name__ == "__main__":
    main()
