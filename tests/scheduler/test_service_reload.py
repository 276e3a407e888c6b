"""A new configuration under a running service, where the file gets in its way.

That every key is taken over, or named as one that waits, is `test_reload`.
"""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.fetching import loop
from crawler.sources import Source
from scheduler.config import Config
from scheduler.service.daemon import Service
from storage import connection
from storage.settings import StoreSettings
from storage.store import Store


def is_in_the_file(path: Path, source: str) -> bool:
    with Store.read(path) as store:
        return store.sources.find(source) is not None


def test_a_source_that_was_added_while_the_file_was_held_is_in_it_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reload is whole in memory at once; the file follows when it can be used."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_SECONDS", 0.1)
    path = tmp_path / "khabar.db"
    old = Config(store=StoreSettings(path=path, captures=None))
    added = Source(id="added", kind="feed", url="https://added.example/feed")
    new = replace(old, sources=(added,))

    async def reload_while_held(store: Store) -> None:
        service = Service(store, old, read_config=lambda: new)
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await service.reload()
                assert service.config.sources == (added,)
                assert service.metrics.storage_faults == 1
                assert not is_in_the_file(path, "added")
                other.execute("ROLLBACK")
            await service.config_reload.save()
            assert is_in_the_file(path, "added")
        finally:
            await service.engine.stop(0)

    with Store.open(path) as store:
        loop.run(reload_while_held(store))
