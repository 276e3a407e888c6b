"""How fast a large store is searched and taken away.

    python tests/bench/search.py                       100,000 invented short articles,
    about a minute
    python tests/bench/search.py --rows 1000000        the figures of docs/data.md;
    about 3 GB of disk
    python tests/bench/search.py --store FILE          over a store that an earlier run
    kept (--keep FILE)

Prints p50 and p95 in ms of 60 queries of a kind, by the clock and of CPU, beside what
the plain way takes in the same run (LIKE and ORDER BY published_at; bm25 over all
matches), and the export's rows a second and peak memory.
"""

import argparse
import functools
import itertools
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sqlite_utils import Database

from storage import index_tags, schema
from storage.model import Mention, to_text
from storage.query import export, facets, search
from storage.query.criteria import Criteria, Sort
from storage.tables.documents import SORT_KEY_BITS

END = datetime(2026, 11, 22, tzinfo=UTC)
SOURCES = [f"source-{n}" for n in range(120)]
LANGUAGES = ["en", "fa", "ps", "ur"]
PLACES = [
    f"AF{province:02}{district:02}"
    for province in range(1, 35)
    for district in range(1, 12)
]
ACTORS = [f"actor{n}" for n in range(60)]
EVENTS = [f"event{n}" for n in range(40)]
WORDS = [f"word{n}" for n in range(30_000)]
# As rare words are in any language
WEIGHTS = list(itertools.accumulate(1 / (n + 8) for n in range(30_000)))


def generate(path: Path, rows: int) -> None:
    """Articles of 120 words over two years, every second one on the Taliban, with mentions and 15 % copies."""
    db = Database(path)
    db.enable_wal()
    schema.migrate(db)
    for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
        db.execute(f"PRAGMA {pragma}")
    rnd = random.Random(20261122)
    step = timedelta(days=730) / rows
    with db.conn:
        for start in range(0, rows, 20_000):
            batch = list(
                _batch(
                    rnd,
                    start,
                    min(rows, start + 20_000),
                    END - timedelta(days=730),
                    step,
                )
            )
            db.conn.executemany(_DOCUMENT, [document for document, _, _ in batch])
            db.conn.executemany(
                "INSERT INTO folded (key, document_id, title, text, tags) VALUES (?, ?, ?, ?, ?)",
                [folded for _, folded, _ in batch],
            )
            db.conn.executemany(
                "INSERT INTO document_mentions (document_id, kind, code, name, count) VALUES (?, ?, ?, ?, ?)",
                [row for _, _, rows_ in batch for row in rows_],
            )
    provinces = [
        (
            code[:4],
            "province",
            code[:4],
            code[:4],
            30 + int(code[2:4]) / 7,
            62 + int(code[2:4]) / 4,
        )
        for code in PLACES[::11]
    ]
    districts = [(code, "district", code, code[:4], 31.0, 65.0) for code in PLACES]
    with db.conn:
        db.conn.executemany(
            "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?)", provinces + districts
        )
    db.execute("INSERT INTO fts (fts) VALUES ('optimize')")
    db.conn.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


_DOCUMENT = (
    "INSERT INTO documents (id, article_id, is_head, kind, score, sort_key, key, url, source, host, title, language, published_at, "
    "published_how, first_seen_at, updated_at, checked_at, words, text_hash, relevance, via, text) VALUES ("
    + ", ".join("?" * 22)
    + ")"
)


def _batch(
    rnd: random.Random, start: int, end: int, first: datetime, step: timedelta
) -> Iterator[tuple]:
    for n in range(start, end):
        id_ = n + 1
        copy = id_ > 1 and rnd.random() < 0.15
        at = first + step * n
        words = rnd.choices(WORDS, cum_weights=WEIGHTS, k=120)
        if n % 2:
            words[rnd.randrange(120)] = "taliban"
        title, text = (
            " ".join(words[:9]),
            " ".join(words[9:60]) + "\n" + " ".join(words[60:]),
        )
        source, language = (
            SOURCES[int(rnd.random() ** 2 * len(SOURCES))],
            LANGUAGES[int(rnd.random() ** 2 * 4)],
        )
        mentions = [
            Mention(kind="place", code=code, name=code, count=1)
            for code in {rnd.choice(PLACES), rnd.choice(PLACES)}
        ]
        mentions += [
            Mention(kind="actor", code=rnd.choice(ACTORS), name="actor", count=1),
            Mention(kind="event", code=rnd.choice(EVENTS), name="event", count=1),
        ]
        key = int(at.timestamp()) << SORT_KEY_BITS | id_ & 0xFFFFF
        when = to_text(at)
        url = f"https://{source}.example/{id_}"
        yield (
            (
                id_,
                id_ - 1 if copy else id_,
                int(not copy),
                "near" if copy else None,
                0.9 if copy else None,
                key,
                url,
                url,
                source,
                f"{source}.example",
                title,
                language,
                when,
                "feed",
                when,
                when,
                when,
                120,
                id_,
                0.3 + 0.7 * rnd.random(),
                "feed",
                text,
            ),
            (
                key,
                id_,
                title,
                text,
                index_tags.document_tags(
                    source=source,
                    language=language,
                    mentions=mentions,
                    provinces={p: p[:4] for p in PLACES},
                ),
            ),
            [(id_, m.kind, m.code, m.name, 1) for m in mentions],
        )


def timed(ask: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock and of this process's CPU.

    On a busy machine only the second one compares.
    """
    clock, cpu = time.perf_counter(), time.process_time()
    ask()
    return (time.perf_counter() - clock) * 1000, (time.process_time() - cpu) * 1000


def report(
    name: str,
    asks: list[Callable[[], object]],
    plain: Callable[[], object] | None = None,
) -> None:
    times = [timed(ask) for ask in asks]
    at = int(len(times) * 0.95) - 1
    clock, cpu = (sorted(column) for column in zip(*times, strict=True))
    ratio = f"   plain way, CPU {timed(plain)[1]:7.1f}" if plain else ""
    print(
        f"{name:38} p50 {statistics.median(clock):7.1f}  p95 {clock[at]:7.1f} ms   CPU p95 {cpu[at]:7.1f}{ratio}",
        flush=True,
    )


def measure(db: Database, rows: int) -> None:
    for name, asked in kinds(random.Random(7)).items():
        asks = [functools.partial(search.search, db, criteria) for criteria in asked]
        plain = _PLAIN.get(name)
        report(
            name,
            asks,
            plain and functools.partial(lambda sql: db.execute(sql).fetchall(), plain),
        )
    month = Criteria(since=END - timedelta(days=31))
    a_word = Criteria(words="taliban")
    report(
        "counts by day over a month",
        [functools.partial(facets.count_by_day, db, month)] * 20,
    )
    report(
        "counts by day over a month, a word",
        [functools.partial(facets.count_by_day, db, replace(month, words="taliban"))]
        * 20,
    )
    report(
        "facets of a word (newest 20,000)",
        [functools.partial(facets.count_facets, db, a_word)] * 20,
    )
    report(
        "tally of a word (newest 20,000)",
        [functools.partial(facets.count_coverage, db, a_word)] * 10,
    )
    taken(db, rows)


def kinds(rnd: random.Random) -> dict[str, list[Criteria]]:
    """Sixty searches of each kind.

    Every second word looked for is a very common one.
    """
    some, month = Criteria, END - timedelta(days=31)

    def word() -> str:
        return "taliban" if rnd.random() < 0.5 else WORDS[int(rnd.random() ** 3 * 5000)]

    makers: dict[str, Callable[[], Criteria]] = {
        "newest, no filter": some,
        "newest, a word": lambda: some(words=word()),
        "newest, word + source + place": lambda: some(
            words=word(), sources=(rnd.choice(SOURCES),), places=(rnd.choice(PLACES),)
        ),
        "newest, source + language + a month": lambda: some(
            sources=(rnd.choice(SOURCES),),
            languages=(rnd.choice(LANGUAGES),),
            since=month,
        ),
        "newest, province + min_relevance": lambda: some(
            places=(rnd.choice(PLACES)[:4],), min_relevance=0.9
        ),
        "newest, prefix": lambda: some(words=f"word{rnd.randrange(100, 999)}*"),
        "newest, phrase or not": lambda: some(
            words=f'"{word()} {word()}" OR {word()} NOT {word()}'
        ),
        "ranked, two words": lambda: some(words=f"{word()} {word()}", sort=Sort.RANK),
        "ranked, one common word": lambda: some(words="taliban", sort=Sort.RANK),
    }
    return {name: [make() for _ in range(60)] for name, make in makers.items()}


_PLAIN = {
    "newest, a word": "SELECT * FROM documents WHERE is_head AND title LIKE '%taliban%' ORDER BY published_at DESC LIMIT 20",
    "ranked, one common word": "SELECT rowid, bm25(fts) AS s FROM fts WHERE fts MATCH 'taliban' ORDER BY s LIMIT 20",
}


def taken(db: Database, rows: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryFile() as sink:
        count = 0
        for chunk in export.to_jsonl(
            search.iterate_json_pages(db, Criteria(copies=True))
        ):
            sink.write(chunk)
            count += chunk.count(b"\n")
    seconds, busy = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"export of {count:,} of {rows:,} rows to JSONL: {count / seconds:,.0f} rows/s, {count / busy:,.0f} a second of CPU"
    )
    print(
        f"peak memory {peak / 1024:.0f} MB, {(peak - before) / 1024:+.0f} while exporting"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--keep", type=Path, help="keep the generated store here")
    arguments.add_argument("--store", type=Path, help="measure this one")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.store or given.keep or Path(folder, "bench.db")
        if not given.store:
            generate(path, given.rows)
        db = Database(path)
        # As the store opens it: rows by name.
        db.conn.row_factory = sqlite3.Row
        db.execute("PRAGMA query_only=1")
        measure(db, db["documents"].count)
        db.close()


if __name__ == "__main__":
    main()
