"""Nobody's question holds a reader of the pages for ever."""

import asyncio
from pathlib import Path

import pytest

from scheduler.pages import reader as readers
from storage.errors import StoreMissing, TookTooLong
from storage.store import Store

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Store.open(tmp_path / "khabar.db").close()
    return tmp_path / "khabar.db"


def first_value(store: Store, statement: str) -> object:
    with store.session.reading() as db:
        return db.execute(statement).fetchone()[0]


def test_a_question_without_end_is_cut_off(path, monkeypatch):
    """After its time a statement is interrupted, and the same reader answers the next one."""
    monkeypatch.setattr(readers, "ANSWER_SECONDS", 0.2)
    reader = readers.StoreReader(path, None)

    async def both() -> int:
        with pytest.raises(TookTooLong):
            await reader.ask(lambda store: first_value(store, ENDLESS))
        return await reader.ask(lambda store: first_value(store, "SELECT 7"))

    assert asyncio.run(both()) == 7
    reader.close()


def test_a_reader_cannot_write(path):
    """What is handed to a page cannot change the store."""
    reader = readers.StoreReader(path, None)
    with pytest.raises(Exception, match="read-only"):
        asyncio.run(
            reader.ask(lambda store: first_value(store, "DELETE FROM documents"))
        )
    reader.close()


def test_no_store_is_told_at_once(tmp_path):
    """A missing file is an error at the start, not at the first page."""
    with pytest.raises(StoreMissing):
        readers.StoreReader(tmp_path / "none.db", None)
