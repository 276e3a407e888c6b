"""The one thread that writes to the store. Landings that come close together share a transaction."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from storage.model import Landed, Landing
from storage.store import Store

P = ParamSpec("P")
R = TypeVar("R")

LINGER = 0.05  # seconds that a landing waits for company
BATCH = 50


class Writer:
    """Runs the store's methods in a thread of their own, one at a time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._waiting: list[tuple[Landing, asyncio.Future[Landed]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a method of the store returns, called in the writer's thread. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def land(self, landing: Landing) -> Landed:
        """Store a landing together with those that arrive within a moment. Raises StoreError."""
        done: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        self._waiting.append((landing, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.ensure_future(self._flush())
        return await done

    async def _flush(self) -> None:
        await asyncio.sleep(LINGER)
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                landed = await self.run(self.store.land, [landing for landing, _ in batch])
            except Exception as error:  # noqa: BLE001 - the thread's boundary: each waiter gets it and decides
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
            else:
                for (_, done), one in zip(batch, landed, strict=True):
                    if not done.done():
                        done.set_result(one)

    async def close(self) -> None:
        """Write what waits, then end the thread. The store stays open."""
        if self._flushing is not None:
            await self._flushing
        await asyncio.to_thread(self._thread.shutdown)
