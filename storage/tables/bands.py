"""Keys of texts with the documents that have them: `bands` and `fresh_bands`.

The keys of one text are hashes and fall on as many pages of a large table as there are
keys: written one document at a time, each would rewrite fifty pages. New keys therefore
go into `fresh_bands`, which is small; every 128 documents a part of it moves into
`bands`, in the order of the keys, going round and round. A page of the large table is
then written once for all the keys that came for it in the meantime.

Invariant: a key of a document is in one of the two tables; who asks gets both.
Functions over an open `Database`, inside the transaction that the caller opened.
"""

import json
from collections import Counter
from collections.abc import Iterable

from sqlite_utils import Database

from storage.tables.service_state import find_meta, set_meta

# A key that so many documents share is a template's or a region's; it proposes nothing.
_MAX_DOCUMENTS_PER_KEY = 48
# Four thousand documents: at 200,000 a page of `bands` (230 keys) takes five keys at a
# time, and a hundred documents write a third of the pages that they would; fewer is
# less of that, and more is more pages of `fresh_bands`.
_MAX_FRESH_KEYS = 220_000
# They bring 6,000 keys.
_MERGE_EVERY_DOCUMENTS = 128
# In one step, so that no admission waits for more than that.
_MAX_MOVED_KEYS = 14_000
_MERGE_POSITION = "bands_merged_to"
_MIN_KEY, _MAX_KEY = -(2**63), 2**63 - 1

# One statement for all keys: thirty-six of them cost four times as much.
_SHARED_KEYS_SQL = """
SELECT (SELECT group_concat(document_id) FROM (
    SELECT document_id FROM fresh_bands WHERE band = keys.value
    UNION ALL SELECT document_id FROM bands WHERE band = keys.value LIMIT ?))
FROM json_each(?) AS keys
"""


def count_shared_keys(db: Database, *sketches: tuple[int, ...]) -> list[Counter[int]]:
    """How many keys of each sketch each document shares; crowded keys do not count."""
    keys: list[int] = []
    for sketch in sketches:
        keys.extend(sketch)
    rows = db.execute(_SHARED_KEYS_SQL, [_MAX_DOCUMENTS_PER_KEY + 1, json.dumps(keys)])
    documents_of_keys = iter([row[0] for row in rows])

    counts: list[Counter[int]] = []
    for sketch in sketches:
        count: Counter[int] = Counter()
        for _ in sketch:
            documents = next(documents_of_keys)
            if documents and documents.count(",") < _MAX_DOCUMENTS_PER_KEY:
                count.update(map(int, documents.split(",")))
        counts.append(count)
    return counts


def add_keys(db: Database, document_id: int, keys: Iterable[int]) -> None:
    """Write the keys of a document, and merge some where the turn has come."""
    db.conn.executemany(
        """
        INSERT INTO fresh_bands (band, document_id) VALUES (?, ?)
        ON CONFLICT DO NOTHING
        """,
        [(key, document_id) for key in sorted(keys)],
    )
    if document_id % _MERGE_EVERY_DOCUMENTS == 0:
        merge_fresh_keys(db)


def remove_keys(db: Database, document_id: int, keys: Iterable[int]) -> None:
    """Delete keys of a document, in whichever table they are by now."""
    pairs = [(key, document_id) for key in sorted(keys)]
    for table in ("fresh_bands", "bands"):
        db.conn.executemany(
            f"DELETE FROM {table} WHERE band = ? AND document_id = ?",  # noqa: S608 - one of two tables
            pairs,
        )


def merge_fresh_keys(db: Database, *, keep: int = _MAX_FRESH_KEYS) -> int:
    """Move what `fresh_bands` holds beyond `keep` keys; returns how many moved.

    Goes on where the last step ended, in the order of the keys.
    """
    surplus = db.execute("SELECT count(*) FROM fresh_bands").fetchone()[0] - keep
    if surplus <= 0:
        return 0
    position = find_meta(db, _MERGE_POSITION)
    after = _MIN_KEY if position is None else int(position)
    last = db.execute(
        "SELECT band FROM fresh_bands WHERE band > ? ORDER BY band LIMIT 1 OFFSET ?",
        [after, min(surplus, _MAX_MOVED_KEYS) - 1],
    ).fetchone()
    if last is not None:
        up_to = next_position = last[0]
    else:
        # The rest of the keys, and from the first one again.
        up_to, next_position = _MAX_KEY, _MIN_KEY
    db.execute(
        """
        INSERT INTO bands (band, document_id)
        SELECT band, document_id FROM fresh_bands WHERE band > ? AND band <= ?
        ORDER BY band, document_id ON CONFLICT DO NOTHING
        """,
        [after, up_to],
    )
    moved = db.execute(
        "DELETE FROM fresh_bands WHERE band > ? AND band <= ?", [after, up_to]
    ).rowcount
    set_meta(db, _MERGE_POSITION, str(next_position))
    return int(moved)


_ALL_KEYS_SQL = """(
    SELECT band, document_id FROM fresh_bands
    UNION ALL SELECT band, document_id FROM bands
)"""
# What must count to nothing. A text of fewer than five words has no key; of a long one
# the first 60,000 characters do. The newest are looked at: of a file older than the
# index the newest 50,000 were entered.
INTEGRITY_CHECKS = {
    "of the newest articles are not in the index of near copies": f"""
        SELECT count(*) FROM (
            SELECT id, words, text FROM documents
            WHERE is_head ORDER BY sort_key DESC LIMIT 20000
        )
        WHERE words >= 5 AND length(text) <= 60000
            AND id NOT IN (SELECT document_id FROM {_ALL_KEYS_SQL})
    """,  # noqa: S608 - our names
    "keys of near copies belong to no document": f"""
        SELECT count(*) FROM {_ALL_KEYS_SQL}
        WHERE document_id NOT IN (SELECT id FROM documents)
    """,  # noqa: S608 - our names
    "keys of near copies rest in both tables": """
        SELECT count(*) FROM fresh_bands AS f
        JOIN bands AS b ON b.band = f.band AND b.document_id = f.document_id
    """,
}
