"""The one thread that writes to the store.

Landings that come close together share a transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, ParamSpec, TypeVar

from storage.errors import StoreBusy, StoreError
from storage.model import FinishPoll, Landed, Landing, Poll, Polled
from storage.store import Store

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

BATCH_WAIT_SECONDS = 0.05  # seconds that a landing waits for company
MAX_BATCH = 50
# Results that are handed out before the loop turns: each wakes a visit or a page
RESULTS_PER_TURN = 5
# The file's, not of what was to be written: they pass, and hit everything alike
STORE_FAULTS = (StoreError, StoreBusy)


class Writer:
    """Runs the store's methods in a thread of their own, one at a time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._landings = _Together(self, store.landings.land)
        self._polls = _Together(self, store.polls.land_all)

    async def run(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """What a method of the store returns, called in the writer's thread.

        Raises what it raises.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, lambda: function(*args, **kwargs)
        )

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
        await self._polls.written()
        await self._landings.written()
        await asyncio.to_thread(self._thread.shutdown)


class _Together(Generic[T, R]):
    """Calls of one kind that wait for each other, so that they share a transaction."""

    def __init__(self, writer: Writer, write: Callable[[Sequence[T]], list[R]]) -> None:
        self._writer = writer
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def add(self, one: T) -> R:
        """What the store made of it."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, done))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.ensure_future(self._flush())
        return await done

    async def _flush(self) -> None:
        await asyncio.sleep(BATCH_WAIT_SECONDS)
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            if not await self._written(
                [one for one, _ in batch], [done for _, done in batch]
            ):
                # One of them may be at fault: each gets its own answer
                for one, done in batch:
                    await self._written([one], [done], last=True)

    async def _written(
        self,
        ones: Sequence[T],
        done: Sequence[asyncio.Future[R]],
        *,
        last: bool = False,
    ) -> bool:
        """Whether the store took them; at `last` whoever waits is told why not."""
        try:
            made = await self._writer.run(self._write, ones)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: each waiter gets it and decides
            if last or len(ones) == 1 or isinstance(error, STORE_FAULTS):
                _settle(done, error=error)
                return True
            return False
        for start in range(0, len(made), RESULTS_PER_TURN):
            _settle(
                done[start : start + RESULTS_PER_TURN],
                made[start : start + RESULTS_PER_TURN],
            )
            await asyncio.sleep(0)
        return True

    async def written(self) -> None:
        """Return when nothing waits any more."""
        if self._flushing is not None:
            await self._flushing


def _settle(
    waiting: Sequence["asyncio.Future[R]"],
    made: Sequence[R] = (),
    *,
    error: Exception | None = None,
) -> None:
    for place, done in enumerate(waiting):
        if done.done():
            continue
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(made[place])
