"""The one thread that writes to the store.

Landings that come close together share a transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from storage.errors import StoreBusy, StoreError
from storage.model import FinishPoll, Landed, Landing, Poll, Polled
from storage.store import Store

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

BATCH_WAIT_SECONDS = 0.05  # that a landing waits for others
MAX_BATCH = 50
# Results that are handed out before the loop turns: each wakes a visit or a page.
RESULTS_PER_TURN = 5
# The file's, not of what was to be written: they pass, and hit everything alike.
STORE_FAULTS = (StoreError, StoreBusy)


class Writer:
    """Runs the store's methods in a thread of their own, one at a time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._landings = _Batcher(self, store.landings.land)
        self._polls = _Batcher(self, store.polls.land_all)

    async def run(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """What a method of the store returns, called in the writer's thread.

        Raises what it raises.
        """
        loop = asyncio.get_running_loop()
        call = partial(function, *args, **kwargs)
        return await loop.run_in_executor(self._thread, call)

    async def land(self, landing: Landing) -> Landed:
        """Store a landing together with those that arrive within a moment.

        Raises StoreError.
        """
        return await self._landings.add(landing)

    async def land_poll(self, poll: Poll, finish: FinishPoll | None = None) -> Polled:
        """Store a poll together with those that arrive within a moment.

        Raises StoreError.
        """
        return await self._polls.add((poll, finish))

    async def close(self) -> None:
        """Write what waits, then end the thread. The store stays open."""
        await self._polls.wait_until_written()
        await self._landings.wait_until_written()
        await asyncio.to_thread(self._thread.shutdown)


class _Batcher(Generic[T, R]):
    """Calls of one kind that wait for each other, so that they share a transaction."""

    def __init__(self, writer: Writer, write: Callable[[Sequence[T]], list[R]]) -> None:
        self._writer = writer
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def add(self, item: T) -> R:
        """What the store made of an item."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.ensure_future(self._flush())
        return await done

    async def _flush(self) -> None:
        await asyncio.sleep(BATCH_WAIT_SECONDS)
        while self._waiting:
            batch = self._waiting[:MAX_BATCH]
            self._waiting = self._waiting[MAX_BATCH:]
            try:
                await self._write_batch(batch)
            except STORE_FAULTS as error:
                _fail(batch, error)
            except Exception as error:  # noqa: BLE001 - the thread's boundary: whoever waits gets it and decides
                if len(batch) == 1:
                    _fail(batch, error)
                else:
                    await self._write_one_by_one(batch)

    async def _write_one_by_one(
        self, batch: Sequence[tuple[T, asyncio.Future[R]]]
    ) -> None:
        """Write a batch of which one item is at fault: each gets its own answer."""
        for one in batch:
            try:
                await self._write_batch([one])
            except Exception as error:  # noqa: BLE001 - as above
                _fail([one], error)

    async def _write_batch(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        """Write a batch in one call, and hand out the results. Raises what it raises."""
        results = await self._writer.run(self._write, [item for item, _ in batch])
        for number, ((_, done), result) in enumerate(
            zip(batch, results, strict=True), 1
        ):
            if not done.done():
                done.set_result(result)
            if number % RESULTS_PER_TURN == 0:
                await asyncio.sleep(0)

    async def wait_until_written(self) -> None:
        """Return when nothing waits any more."""
        if self._flushing is not None:
            await self._flushing


def _fail(batch: Sequence[tuple[T, "asyncio.Future[R]"]], error: Exception) -> None:
    for _, done in batch:
        if not done.done():
            done.set_exception(error)
