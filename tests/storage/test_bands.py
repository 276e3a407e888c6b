"""The index of near copies in its two tables.

What is found, what moves, what goes, what is told when it is torn.
"""

import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from builders import make_document
from storage import schema
from storage.model import Document
from storage.store import Store
from storage.tables import bands, copy_index

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
KEYS = st.lists(
    st.sampled_from([-(2**63), -7, 0, 1, 5, 10**12, 2**63 - 1]), unique=True
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 6), KEYS),
        st.tuples(st.just("drop"), st.integers(1, 6), KEYS),
        st.tuples(st.just("merge"), st.integers(0, 5), st.none()),
    )
)


def report(number: int) -> str:
    """A text that shares no run of words with that of another number.

    Written for the tests.
    """
    return " ".join(f"Word{number}x{n} Name{number}y{n}" for n in range(40))


def document(number: int) -> Document:
    return make_document(
        f"https://h{number}.example/a",
        report(number),
        source=f"h{number}",
        title=f"Report {number}",
        published_at=NOW,
    )


def rows(db: Database, table: str) -> list[tuple[int, int]]:
    return [tuple(row) for row in db.execute(f"SELECT band, document_id FROM {table}")]


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "khabar.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def empty():
    db = Database(memory=True)
    db.conn.isolation_level = None
    db.conn.row_factory = sqlite3.Row
    schema.migrate(db)
    yield db
    db.close()


@given(STEPS)
def test_what_was_added_and_not_dropped_is_found_in_either_table(empty, steps):
    """Merging, at any time and of any part, changes no answer, and no key is ever in both tables or lost."""
    expected: set[tuple[int, int]] = set()
    empty.execute("BEGIN")
    try:
        for what, number, keys in steps:
            if what == "merge":
                bands.merge_fresh_keys(empty, keep=number)
                continue
            pairs = {(key, number) for key in keys}
            # A document is entered anew only after it was taken out.
            bands.remove_keys(empty, number, keys)
            expected -= pairs
            if what == "add":
                bands.add_keys(empty, number, keys)
                expected |= pairs
        assert sorted([*rows(empty, "bands"), *rows(empty, "fresh_bands")]) == sorted(
            expected
        )
        every = tuple(sorted({key for key, _ in expected}))
        (found,) = bands.count_shared_keys(empty, every)
        assert dict(found) == {
            n: sum(other == n for _, other in expected)
            for n in {n for _, n in expected}
        }
    finally:
        empty.execute("ROLLBACK")


def test_a_key_that_many_share_proposes_nobody_in_whichever_table_they_are(store):
    """Forty-eight documents of one key are candidates, forty-nine are a template, counted over both tables."""
    with store.session.writing():
        for number in range(1, 49):
            bands.add_keys(store.session.db, number, [7])
        bands.merge_fresh_keys(store.session.db, keep=20)
        assert len(bands.count_shared_keys(store.session.db, (7,))[0]) == 48
        bands.add_keys(store.session.db, 49, [7])
        assert bands.count_shared_keys(store.session.db, (7,)) == [{}]


def test_every_128_documents_the_surplus_moves_on_in_the_order_of_the_keys(store):
    """The small table stays small.

    A step is bounded and goes on where the last one ended, round and round.
    """
    with store.session.writing():
        store.session.db.execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 250000) "
            "INSERT INTO fresh_bands SELECT n, 1 FROM n"
        )
        bands.add_keys(store.session.db, 127, [300_000])
        assert rows(store.session.db, "bands") == []
        bands.add_keys(store.session.db, 128, [300_001])
        moved = [band for band, _ in rows(store.session.db, "bands")]
        assert moved == list(range(1, 14_001))
        bands.merge_fresh_keys(store.session.db)
        bands.merge_fresh_keys(store.session.db)
        left = store.session.db.execute(
            "SELECT min(band), count(*) FROM fresh_bands"
        ).fetchone()
        assert tuple(left) == (30_003, 220_000)
        assert bands.merge_fresh_keys(store.session.db) == 0
        while bands.merge_fresh_keys(store.session.db, keep=0):
            pass
        assert rows(store.session.db, "fresh_bands") == []
        bands.add_keys(store.session.db, 129, [5])
        # It went round for it
        assert [bands.merge_fresh_keys(store.session.db, keep=0) for _ in range(2)] == [
            0,
            1,
        ]


def test_a_step_whose_transaction_fails_never_was(store):
    """A kill between two statements of a step leaves every key where it was."""
    store.landings.admit(document(1), now=NOW)
    before = rows(store.session.db, "fresh_bands")
    store.session.db.execute("BEGIN IMMEDIATE")
    assert bands.merge_fresh_keys(store.session.db, keep=0) == len(before)
    store.session.db.execute("ROLLBACK")
    assert rows(store.session.db, "fresh_bands") == before
    assert rows(store.session.db, "bands") == []
    assert (
        store.session.db.execute(
            "SELECT count(*) FROM meta WHERE name = 'bands_merged_to'"
        ).fetchone()[0]
        == 0
    )


def test_copies_are_found_before_and_after_their_keys_moved(store):
    """In which of the two tables a key is makes no difference."""
    first, second = (
        store.landings.admit(document(number), now=NOW) for number in (1, 2)
    )
    with store.session.writing():
        bands.merge_fresh_keys(store.session.db, keep=30)
    assert rows(store.session.db, "bands")
    assert rows(store.session.db, "fresh_bands")
    for number, head in ((1, first), (2, second)):
        again = make_document(
            f"https://late.example/{number}",
            f"Late news {report(number)}",
            source="late",
            title="Late",
        )
        assert store.landings.admit(again, now=NOW).article_id == head.article_id


def test_what_is_forgotten_leaves_no_key_in_either_table_nor_in_the_file(
    store, tmp_path
):
    """Nor in freed pages: a key is a hash of words, which somebody may guess."""
    landed = [
        store.landings.admit(document(number), now=NOW) for number in range(1, 30)
    ]
    with store.session.writing():
        bands.merge_fresh_keys(store.session.db, keep=600)
    gone = landed[3].document_id
    keys = [
        key
        for table in ("bands", "fresh_bands")
        for key, number in rows(store.session.db, table)
        if number == gone
    ]
    assert len(keys) > 40
    store.erasure.forget(gone, now=NOW)
    assert all(
        number != gone
        for table in ("bands", "fresh_bands")
        for _, number in rows(store.session.db, table)
    )
    assert store.check() == []
    store.close()
    content = (tmp_path / "khabar.db").read_bytes()
    assert [key for key in keys if key.to_bytes(8, "big", signed=True) in content] == []


def test_an_older_file_keeps_its_keys_and_loses_all_of_them_when_a_text_goes(store):
    """Older versions kept an eleventh pair of names, and all keys in the large table."""
    landed = store.landings.admit(document(1), now=NOW)
    with store.session.writing():
        keys = copy_index._index_keys(
            store.session.db, landed.document_id, of_all_versions=True
        )
        store.session.db.execute("DELETE FROM fresh_bands")
        store.session.db.conn.executemany(
            "INSERT INTO bands VALUES (?, 1)", [(key,) for key in keys]
        )
    assert (
        len(keys)
        == len(copy_index._index_keys(store.session.db, landed.document_id)) + 1
    )
    again = make_document(
        "https://late.example/1", f"Late news {report(1)}", title="Late"
    )
    assert store.landings.admit(again, now=NOW).article_id == landed.article_id
    store.erasure.forget(landed.document_id, now=NOW)
    assert rows(store.session.db, "bands") == []


def test_a_damaged_index_is_reported(store):
    """Doctor names an article that no copy would find, a key of no document, and a key in both tables."""
    store.landings.admit(document(1), now=NOW)
    assert store.check() == []
    with store.session.writing():
        bands.add_keys(store.session.db, 99, [1])
        store.session.db.execute("INSERT INTO bands VALUES (1, 99)")
    assert sum("near copies" in fault for fault in store.check()) == 2
    with store.session.writing():
        store.session.db.execute("DELETE FROM fresh_bands")
        store.session.db.execute("DELETE FROM bands")
    assert [fault for fault in store.check() if "near copies" in fault] == [
        "1 of the newest articles are not in the index of near copies"
    ]
