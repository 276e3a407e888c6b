"""Grow a store from varied real texts and measure the duplicate decision as it grows.

usage: python tests/bench/copies.py [--documents 200000] [--shared FOLDER] [--db FILE]

Nine of ten documents are articles of their own (a quarter of the words of a real text
replaced), one is an earlier one cut and with another dateline. Texts are made before
the clock runs. Prints for each size: articles a second since the size before, full text
on, by processor time and by the clock, and the longest transaction of a hundred; p50,
p95 and p99 of the decision alone, p95 against the size of 1,000; bytes of index a
document, and kilobytes handed to the system for each; `load`, how many times its best
time a fixed piece of work took meanwhile: other work on the machine costs processor
time, too. At the end the first admission after opening, and 1,000 copies of one text. A
run that was cut short goes on where the file of `--db` ends, its ratio against the
first size that it measures. 200,000 documents take ten minutes on an idle machine and 3
GB of disk.
"""

import argparse
import gzip
import json
import os
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from storage.model import Document  # noqa: E402
from storage.store import Store  # noqa: E402
from storage.tables import admission, bands, copies, documents  # noqa: E402

SIZES = (1_000, 5_000, 20_000, 50_000, 100_000, 200_000)
START = datetime(2021, 1, 1, tzinfo=UTC)
A_DAY = 500
BATCH = 100
PROBES = 500


def real_texts(shared: Path) -> list[str]:
    with gzip.open(
        shared / "corpora/dedup/bulk_text/docs.jsonl.gz", "rt", encoding="utf-8"
    ) as lines:
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


@dataclass
class Grown:
    """What admitting some documents took."""

    documents: int = 0
    cpu: float = 0.0
    clock: float = 0.0
    longest: float = 0.0
    written: int = 0
    works: list[float] = field(default_factory=list)


def grow(store: Store, texts: Iterator[str], first: int, last: int) -> Grown:
    """Admit the documents of these numbers in batches, each a transaction."""
    found = Grown(documents=last - first)
    for number in range(first, last, BATCH):
        batch = [
            document(n, next(texts)) for n in range(number, min(number + BATCH, last))
        ]
        cpu, clock, bytes_before = time.process_time(), time.perf_counter(), written()
        with store.session.writing():
            landed = [
                admission.admit(store.session.db, one, now=one.published_at)
                for one in batch
            ]
            documents.reindex_documents(
                store.session.db, [one.document_id for one in landed]
            )
        spent = time.process_time() - cpu
        found.cpu += spent
        found.clock += time.perf_counter() - clock
        found.longest = max(found.longest, spent)
        found.written += written() - bytes_before
        found.works.append(fixed_work())
    return found


def written() -> int:
    """Bytes that this process has handed to the system to write.

    0 where it does not tell.
    """
    try:
        return int(
            re.search(
                r"wchar: (\d+)", Path("/proc/self/io").read_text(encoding="ascii")
            )[1]
        )
    except OSError:
        return 0


def fixed_work() -> float:
    """Seconds of processor time for work that is always the same."""
    began = time.process_time()
    sorted(hash((n, "word")) for n in range(2_000))
    return time.process_time() - began


def decisions(store: Store, texts: Iterator[str], size: int) -> list[float]:
    """Milliseconds of the duplicate decision for documents that are not stored."""
    spent = []
    for n in range(PROBES):
        one = document(size + n, next(texts))
        began = time.process_time()
        copies.match_copies(store.session.db, one, now=one.published_at)
        spent.append((time.process_time() - began) * 1000)
    return spent


def begun(path: Path) -> int:
    """How many documents the file has from a run that was cut short."""
    with Store.open(path) as store:
        return store.session.db.execute("SELECT count(*) FROM documents").fetchone()[0]


def index_bytes(path: Path) -> float | None:
    """Bytes of the index in both its tables, where this SQLite can tell."""
    with sqlite3.connect(path) as db:
        try:
            return db.execute(
                "SELECT sum(pgsize) FROM dbstat WHERE name IN ('bands', 'fresh_bands') AND aggregate = TRUE"
            ).fetchone()[0]
        except sqlite3.OperationalError:
            return None


HEAD = (
    f"{'documents':>10} {'per s':>6} {'clock':>6} {'longest':>8} {'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7} {'ratio':>6} "
    f"{'bytes':>6} {'kB':>5} {'load':>5}"
)


def measure(path: Path, texts: list[str], most: int) -> None:
    stream, probes = grown(texts, 1), grown(texts, 2)
    base, at, best = 0.0, begun(path), min(fixed_work() for _ in range(200))
    for _ in range(at):
        next(stream)
    print(HEAD)
    for size in [s for s in SIZES if at < s < most] + [most]:
        with Store.open(path) as store:
            spent = grow(store, stream, at, size)
            at = size
            times = statistics.quantiles(decisions(store, probes, size), n=100)
        base, best = base or times[94], min(best, *spent.works)
        stored = index_bytes(path)
        print(
            f"{size:>10} {spent.documents / spent.cpu:6.0f} {spent.documents / spent.clock:6.0f} {spent.longest:7.2f}s "
            f"{times[49]:7.2f} {times[94]:7.2f} {times[98]:7.2f} {times[94] / base:6.2f} "
            f"{f'{stored / size:6.0f}' if stored else '     ?'} {spent.written / spent.documents / 1000:5.0f} "
            f"{statistics.fmean(spent.works) / best:5.2f}",
            flush=True,
        )
    began = time.process_time()
    with Store.open(path) as store:
        grow(store, stream, at, at + 1)
        print(f"open and first admission: {time.process_time() - began:.3f} s")
        same = document(at + 1, next(stream)).text
        first = grow(store, iter(lambda: same, None), at + 1, at + 101)
        grow(store, iter(lambda: same, None), at + 101, at + 1001)
        after = grow(store, iter(lambda: same, None), at + 1001, at + 1101)
        print(
            f"copies 1,001 to 1,100 of one text against 1 to 100: {after.cpu / first.cpu:.2f} times the time"
        )
    with Store.read(path) as store:
        faults = {
            what: store.session.db.execute(statement).fetchone()[0]
            for what, statement in bands.INTEGRITY_CHECKS.items()
        }
    print(", ".join(f"{count} {what}" for what, count in faults.items()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared")),
    )
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
