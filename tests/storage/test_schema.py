"""The form of the file.

One form whatever way it came to it, strict, and written down.
"""

import re
import sqlite3
import time
from functools import partial
from pathlib import Path

import pytest
from sqlite_utils import Database

from builders import make_document
from storage import connection, schema
from storage.errors import StoreError, StoreTooNew
from storage.store import Store
from storage.tables import copy_index

STEPS = [step.name for step in schema.migrations.pending(Database(memory=True))]
SHADOWS = re.compile(r"fts_(data|idx|docsize|config)|sqlite_.*|_sqlite_migrations")


def form(db: Database) -> dict[str, str]:
    """Every table, view, index and trigger of a file with its SQL."""
    rows = db.execute(
        "SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    return {row[0]: row[1] for row in rows}


@pytest.fixture
def db(tmp_path: Path):
    db = connection.connect_writer(tmp_path / "khabar.db")
    schema.migrate(db)
    yield db
    db.close()


def test_a_fresh_file_and_one_that_took_every_step_by_itself_have_one_form(
    db: Database, tmp_path: Path
) -> None:
    """An upgrade over years ends where a new installation starts."""
    old = connection.connect_writer(tmp_path / "old.db")
    for following in STEPS[1:]:
        schema.migrations.apply(old, stop_before=following)
        old.close()
        old = connection.connect_writer(tmp_path / "old.db")
    schema.migrate(old)
    assert form(db) == form(old)
    old.close()


def test_migrating_again_changes_nothing(db: Database) -> None:
    """A start of the service is not a migration."""
    before = form(db)
    schema.migrate(db)
    assert before == form(db)


def test_a_migration_that_fails_leaves_the_old_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in a migration leaves the old form or the new one, and the next start goes on."""
    db = connection.connect_writer(tmp_path / "khabar.db")
    broken = partial(
        schema.run_script, script="CREATE TABLE broken (x NONSENSE) STRICT;\n"
    )
    monkeypatch.setitem(schema.PYTHON_STEPS, "m001_the_spine", broken)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db)
    assert form(db) == {k: v for k, v in form(db).items() if "migrations" in k}
    monkeypatch.undo()
    schema.migrate(db)
    assert "table documents" in form(db)
    db.close()


def test_every_table_is_strict(db: Database) -> None:
    """A number in a text column is a fault at once, not a puzzle in a year."""
    loose = [
        row["name"]
        for row in db.execute("PRAGMA table_list")
        if row["type"] == "table"
        and row["schema"] == "main"
        and not row["strict"]
        and not SHADOWS.fullmatch(row["name"])
    ]
    assert loose == []


def test_a_file_of_a_newer_khabar_is_refused_and_not_touched(tmp_path: Path) -> None:
    """An old program never writes into a form that it does not know."""
    path = tmp_path / "khabar.db"
    Store.open(path).close()
    db = connection.connect_writer(path)
    db.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('khabar', 'm999_later', '2030-01-01')"
    )
    db.close()
    with pytest.raises(StoreTooNew, match="m999_later"):
        Store.open(path)
    with pytest.raises(StoreTooNew, match="newer khabar"):
        Store.read(path)


def test_a_reader_of_an_older_form_is_told_what_to_do(tmp_path: Path) -> None:
    """Only a writer migrates; a reader says so instead of failing in a query."""
    path = tmp_path / "khabar.db"
    db = connection.connect_writer(path)
    schema.migrations.ensure_migrations_table(db)
    db.close()
    with pytest.raises(StoreError, match="brings it up to date"):
        Store.read(path)


def test_the_index_notices_every_way_a_row_can_change(db: Database) -> None:
    """Full text and table agree by SQLite's own check after insert, update and delete."""
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(
        "INSERT INTO folded (key, document_id, title, text, tags) VALUES (1, 1, 'one', 'first words', 'x'), (2, 2, 'two', 'second', 'x')"
    )
    db.execute("UPDATE folded SET text = 'changed words', key = 5 WHERE key = 1")
    db.execute("DELETE FROM folded WHERE key = 2")
    found = [
        row[0] for row in db.execute("SELECT rowid FROM fts WHERE fts MATCH 'changed'")
    ]
    gone = db.execute(
        "SELECT count(*) FROM fts WHERE fts MATCH 'first OR second'"
    ).fetchone()[0]
    db.execute("INSERT INTO fts (fts, rank) VALUES ('integrity-check', 1)")
    assert (found, gone) == ([5], 0)


def test_articles_of_an_older_file_become_comparable(tmp_path: Path) -> None:
    """The newest ones, with the keys that they would have got when they came.

    Somebody is told when it takes long.
    """
    path, told = tmp_path / "khabar.db", []
    with Store.open(path) as store:
        text = "Bakers of the old town raised the price of bread again, and {} said that flour had not come for {} days."
        for number in range(3):
            words = text.format(f"shopkeeper {number}", number + 3) * 3
            store.landings.admit(
                make_document(
                    f"https://outlet.example/{number}",
                    words,
                    source="outlet",
                    title="Bread",
                )
            )
        keys = {
            tuple(row)
            for row in store.session.db.execute(
                "SELECT band, document_id FROM fresh_bands"
            ).fetchall()
        }
        assert keys
        for statement in (
            "DROP TABLE bands",
            "DROP TABLE fresh_bands",
            "DROP INDEX documents_by_origin",
        ):
            store.session.db.execute(statement)
        store.session.db.execute(
            "DELETE FROM _sqlite_migrations WHERE name IN ('m002_near_copies', 'm010_fresh_bands')"
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "_SLOW_STEP_SECONDS", 0.0)
        patch.setattr(
            copy_index,
            "add_all_to_index",
            slowly(copy_index.add_all_to_index),
        )
        with Store.open(path, on_slow_step=told.append) as store:
            assert {
                tuple(row)
                for row in store.session.db.execute(
                    "SELECT band, document_id FROM bands"
                ).fetchall()
            } == keys
    assert "m002_near_copies" in told[0]


def slowly(work):
    def worked(*given):
        time.sleep(0.1)
        return work(*given)

    return worked


def documented(root: Path) -> dict[str, set[str]]:
    """Tables and views with their columns, as docs/data.md has them."""
    sections = re.split(
        r"^### ",
        (root / "docs" / "data.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )[1:]
    return {
        re.match(r"`(\w+)`", part)[1]: set(
            re.findall(r"^\| `(\w+)`", part, re.MULTILINE)
        )
        for part in sections
        if part[0] == "`"
    }


def test_every_table_view_and_column_is_documented(db: Database, root: Path) -> None:
    """The file is an interface.

    What stands in it stands in docs/data.md, and nothing else does.
    """
    names = [
        row[0]
        for row in db.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        )
    ]
    real = {
        name: {row["name"] for row in db.execute(f"PRAGMA table_info({name})")}
        for name in names
        if not SHADOWS.fullmatch(name)
    }
    assert real == documented(root)


def test_the_documented_queries_run(db: Database, root: Path) -> None:
    """A query that a reader copies from docs/data.md works on the file that they have."""
    queries = re.findall(
        r"```sql\n(.*?)```",
        (root / "docs" / "data.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    for query in queries:
        db.execute(query).fetchall()
    assert len(queries) >= 10
