"""The threads in which the pages read the store.

Each has its own read-only connection, and no question may take for ever.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from storage.store import Store

Answer = TypeVar("Answer")

READER_THREADS = 3
# The worst search of a million articles takes less than one second
ANSWER_SECONDS = 5.0


class StoreReader:
    """Answers questions to the store off the event loop."""

    def __init__(self, path: Path, captures: Path | None) -> None:
        """Raises StoreError where the store cannot be read."""
        self._path = path
        self._captures = captures
        self._own = threading.local()
        self._opened: list[Store] = []
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="pages")
        with Store.read(path, captures=captures):
            pass

    async def ask(self, question: Callable[[Store], Answer]) -> Answer:
        """What `question` says of the store.

        Raises TookTooLong, StoreError and what `question` raises.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._answer, question)

    def close(self) -> None:
        """End the threads and their connections."""
        self._threads.shutdown()
        for store in self._opened:
            store.close()

    def _answer(self, question: Callable[[Store], Answer]) -> Answer:
        store: Store | None = getattr(self._own, "store", None)
        # A copy may have been put in the file's place: the old one answers for ever.
        if store is not None and not store.is_current():
            self._opened.remove(store)
            store.close()
            store = None
        # SQLite wants a connection to be used by the thread that opened it.
        if store is None:
            store = self._own.store = Store.read(self._path, captures=self._captures)
            self._opened.append(store)
        with store.deadline(ANSWER_SECONDS):
            return question(store)
