"""Which kept texts may be copies of one another: candidates, by keys that they share.

The index holds heads, so that a thousand copies of one text cost the next one nothing
and templates do not chain; and such copies as differ much from their head, for a text
that is all but the same as one of those belongs where that one is. Verdicts on the
candidates are in `copies`, the keys in `bands`.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlite_utils import Database

from storage import text_likeness
from storage.model import from_text
from storage.tables import bands
from storage.tables.columns import Row
from storage.text_likeness import Profile

# Two texts with this score are one text for every purpose.
NEARLY_IDENTICAL_SCORE = 0.9

# So many candidates are read, the likeliest first: reading and comparing one takes
# about a millisecond.
_MAX_BY_SHINGLES = 5
# All that share this many of 36 keys are read, too: a text is linked to every article
# that it is a version of.
_ALWAYS_READ_KEYS = 8
_MAX_CANDIDATES = 24
_MAX_BY_NAMES = 4
_MAX_BY_OPENING = 3


def find_by_shingles(db: Database, one: Profile) -> list[int]:
    """Documents that share as many keys as a version of their length would.

    With a text of few shingles it is enough to share one.
    """
    keys = text_likeness.shingle_sketch(one)
    has_few = len(one.shingles) < 2 * len(keys)
    (shared,) = bands.count_shared_keys(db, keys)
    candidates = shared.most_common(_MAX_CANDIDATES)
    if not has_few:
        # One key in common is chance.
        candidates = [(number, count) for number, count in candidates if count > 1]
        words = _load_word_counts(db, [number for number, _ in candidates])
        candidates = [
            (number, count)
            for number, count in candidates
            if count >= text_likeness.min_shared_keys(one.words, words.get(number, 0))
        ]
    return [
        number
        for rank, (number, count) in enumerate(candidates)
        if rank < _MAX_BY_SHINGLES or count >= _ALWAYS_READ_KEYS
    ]


def _load_word_counts(db: Database, numbers: list[int]) -> dict[int, int]:
    """How many words these documents have, without reading their texts."""
    if not numbers:
        return {}
    rows = db.execute(
        "SELECT id, words FROM documents WHERE id IN (SELECT value FROM json_each(?))",
        [json.dumps(numbers)],
    )
    return {row["id"]: row["words"] for row in rows}


def find_by_names_or_opening(db: Database, one: Profile, at: datetime) -> set[int]:
    """Documents that share pairs of names within four days, or open alike.

    A spun page keeps three pairs of names, and hardly a run of words. What opens alike
    may be forty times as long: the whole of an excerpt, an excerpt of the whole.
    """
    names, opening = bands.count_shared_keys(
        db,
        text_likeness.name_sketch(one, _day_number(at), around=True),
        text_likeness.opening_sketch(one),
    )
    found = {number for number, n in names.most_common(_MAX_BY_NAMES) if n > 2}
    found |= {number for number, n in opening.most_common(_MAX_BY_OPENING) if n > 1}
    return found


def add_to_index(db: Database, document_id: int) -> None:
    """Put a document into the index, if it is a head or differs much from its head."""
    row = db.execute(
        "SELECT is_head, kind, score FROM documents WHERE id = ?", [document_id]
    ).fetchone()
    is_copy = not row["is_head"]
    if is_copy and (row["kind"] == "exact" or row["score"] >= NEARLY_IDENTICAL_SCORE):
        return
    bands.add_keys(db, document_id, _index_keys(db, document_id))


def add_all_to_index(db: Database, heads: Iterable[int]) -> None:
    """Put many heads into the index at once, in the order of the keys.

    A page of the table is written once, and not for each key.
    """
    db.execute(
        """
        CREATE TEMP TABLE entering (
            band INTEGER NOT NULL, document_id INTEGER NOT NULL
        ) STRICT
        """
    )

    def pairs() -> Iterator[tuple[int, int]]:
        for number in heads:
            for key in _index_keys(db, number):
                yield key, number

    db.conn.executemany("INSERT INTO entering VALUES (?, ?)", pairs())
    db.execute(
        """
        INSERT OR IGNORE INTO bands
        SELECT band, document_id FROM entering ORDER BY band, document_id
        """
    )
    db.execute("DROP TABLE entering")


def remove_from_index(db: Database, document_id: int) -> None:
    """Take a document out of the index, before its text or date changes or goes."""
    keys = _index_keys(db, document_id, of_all_versions=True)
    bands.remove_keys(db, document_id, keys)


def _index_keys(
    db: Database, document_id: int, *, of_all_versions: bool = False
) -> list[int]:
    """The keys by which a stored text is found.

    With `of_all_versions` also those by which older versions of khabar found it.
    """
    row = db.execute(
        "SELECT text, published_at, first_seen_at FROM documents WHERE id = ?",
        [document_id],
    ).fetchone()
    if row is None:
        return []
    one = text_likeness.profile_text(row["text"])
    day = _day_number(row_time(row))
    keys = set(text_likeness.shingle_sketch(one))
    keys.update(text_likeness.opening_sketch(one))
    keys.update(text_likeness.name_sketch(one, day, ever=of_all_versions))
    return sorted(keys)


def row_time(row: Row) -> datetime:
    """When a document was published, else first seen."""
    return from_text(row["published_at"] or row["first_seen_at"])


def _day_number(at: datetime) -> int:
    return int(at.timestamp()) // 86_400
