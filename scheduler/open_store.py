"""The configured store, opened to read from or to write to."""

from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.config import Config, shipped_config_file
from storage.store import Store


@contextmanager
def open_for_writing(config: Config) -> Iterator[Store]:
    """The store, open for writing, with today's gazetteer in it.

    Raises StoreError, and StoreBusy where another process holds the file.
    """
    from crawler.topic import gazetteer, names
    from scheduler.views import terminal

    if config.path == shipped_config_file():
        # Its data folder is the user's, which nobody had a reason to make yet.
        config.store.path.parent.mkdir(parents=True, exist_ok=True)
    note = terminal.open_screen().note
    with Store.open(
        config.store.path, captures=config.store.captures, on_slow_step=note
    ) as store:
        store.gazetteer.sync_places(gazetteer.place_rows())
        store.gazetteer.sync_spellings(names.name_rows())
        yield store


def open_for_reading(config: Config) -> Store:
    """The store, read-only. Raises StoreError."""
    return Store.read(config.store.path, captures=config.store.captures)
