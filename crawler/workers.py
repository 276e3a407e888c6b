"""The processes in which hostile bytes are parsed.

A worker that hangs, crashes or eats memory is ended and replaced; only its own task is
lost. Where nobody can tell whose task ended the workers, each that was under way is run
again by itself. Workers have no store, and no network where the system lets it be taken
from them. They are forked from a server that has already imported what they need, so
that a new one costs milliseconds and their memory is shared.
"""

import asyncio
import importlib
import logging
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import forkserver
from typing import Any, Generic, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from crawler.worker_sandbox import TaskFault, prepare_worker, run_limited
from storage.errors import WorkFailed

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# Seconds of wall clock for one task (rules: every attack ends within 15 s)
TASK_SECONDS = 15.0
WORKER_MEMORY_BYTES = 1 << 30  # address space beyond what a warm worker maps
START_SECONDS = 5.0  # beyond the time of a task, for a worker to start
MAX_TRIES = 3  # of a task whose workers end before it is known that they began
# Tasks after which a worker is replaced: lxml and trafilatura keep some of each page
MAX_TASKS_PER_WORKER = 400
PRELOAD_MODULES = ("crawler.worker_preload",)
# Seconds after a start that failed until the next one is tried: each try starts the
# server anew, which imports for two seconds.
RESTART_SECONDS = 15.0
MAX_WAIT_SECONDS = 300.0  # that work on files waits for a worker
# What a process that cannot be started raises: pebble's BrokenProcessPool and "can't
# start new thread" are RuntimeErrors, a server that could not fork ends (EOFError).
START_FAULTS = (OSError, EOFError, MemoryError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Task(Generic[R]):
    """A function by its name.

    The process which only hands it on need not import what it needs (60 MB).
    """

    module: str
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Call the function; in a worker its module is there already."""
        module = importlib.import_module(self.module)
        function: Callable[..., R] = getattr(module, self.name)
        return function(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """What a task returned."""

    value: R


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """Nothing came of a task, by what it was given to read.

    `why` is "timeout", "memory", how the process ended, or what the task raised.
    """

    why: str


@dataclass(frozen=True, slots=True)
class NoWorker:
    """No process could be started for a task, as on a machine without free memory.

    That is nobody's fault: whatever was to be read is read another time, and nothing
    is counted as a failure.
    """

    why: str


TaskResult = Done[R] | WorkerLost | NoWorker


@dataclass(frozen=True, slots=True)
class _Unclear:
    """The workers ended under a task: it, another, or somebody outside is to blame."""


@dataclass(frozen=True, slots=True)
class _Call(Generic[R]):
    function: Callable[..., R]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class WorkerPool:
    """A pool of workers. Used from one event loop; `close` when done."""

    def __init__(
        self,
        size: int = 0,
        *,
        timeout: float = TASK_SECONDS,
        memory: int = WORKER_MEMORY_BYTES,
    ) -> None:
        self.size = size or os.cpu_count() or 1
        self.timeout = timeout
        self.lost = 0  # tasks whose worker had to be ended
        self._active = 0
        self._last_used = time.monotonic()
        self._shared = _Processes(self.size, timeout, memory)
        # For one task at a time that may have ended the shared workers
        self._isolated = _Processes(1, timeout, memory)
        self._isolating = asyncio.Lock()
        # Workers are being started or ended, never both.
        self._changing = asyncio.Lock()
        self._starting: asyncio.Future[NoWorker | None] | None = None
        self._missing: NoWorker | None = None  # why the last start failed
        self._missing_until = 0.0  # monotonic

    @property
    def lacks_workers(self) -> bool:
        """Whether no worker could be started a moment ago."""
        return self._missing is not None and time.monotonic() < self._missing_until

    def start(self) -> None:
        """Start the workers now, so that the first page does not wait for imports.

        Needs a running loop.
        """
        self._starting = asyncio.ensure_future(self._shared.start())

    async def ensure_started(self) -> NoWorker | None:
        """Start workers where there are none; why there are none where that fails."""
        async with self._changing:
            if self.lacks_workers:
                return self._missing
            if self._starting is None:
                self.start()
            assert self._starting is not None
            missing = await asyncio.shield(self._starting)
            self._note_start(missing)
            return missing

    async def retry_missing(self) -> NoWorker | None:
        """Try again to start workers where the last start failed.

        None where they are back, or where nothing was wrong.
        """
        if self._missing is None:
            return None
        return await self.ensure_started()

    def _note_start(self, missing: NoWorker | None) -> None:
        if missing is not None:
            log.warning("no worker can be started: %s", missing.why)
            self._starting = None
            self._missing_until = time.monotonic() + RESTART_SECONDS
        self._missing = missing

    async def run(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> TaskResult[R]:
        """Run `function` in a worker. The one boundary to the workers: never raises.

        What the function raised is logged and a `WorkerLost`, as any other end.
        """
        self._active += 1
        try:
            missing = await self.ensure_started()
            if missing is not None:
                return missing
            return await self._run_apart(_Call(function, args, kwargs))
        finally:
            self._active -= 1
            self._last_used = time.monotonic()

    async def _run_apart(self, call: _Call[R]) -> TaskResult[R]:
        """Run a task; again where it can end nobody else's work, if it may have."""
        result = await self._shared.run(call)
        if isinstance(result, _Unclear):
            async with self._isolating:
                for _ in range(MAX_TRIES):
                    result = await self._isolated.run(call)
                    if not isinstance(result, _Unclear):
                        break

        if isinstance(result, _Unclear):
            result = WorkerLost("its workers end, again and again")
        if isinstance(result, TaskFault):
            log.error("task failed: %s\n%s", result.why, result.traceback)
            return WorkerLost(result.why)
        if isinstance(result, NoWorker):
            self._note_start(result)
        elif isinstance(result, WorkerLost):
            self.lost += 1
        return result

    async def run_when_possible(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> Done[R] | WorkerLost:
        """As `run`, and waits where no worker is to be had.

        Raises WorkFailed where none is after five minutes.
        """
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while True:
            result = await self.run(function, *args, **kwargs)
            if not isinstance(result, NoWorker):
                return result
            if time.monotonic() > deadline:
                raise WorkFailed(
                    f"no worker process can be started ({result.why}); "
                    "free some memory and run the same command again"
                )
            await asyncio.sleep(RESTART_SECONDS)

    async def end_if_idle(self, idle: float) -> None:
        """End the workers when there was nothing to read for `idle` seconds.

        The next task starts them again.
        """
        async with self._changing:
            is_idle = time.monotonic() - self._last_used >= idle
            if is_idle and not self._active and self._shared.is_there:
                await self.close()
                await asyncio.to_thread(_end_fork_server)

    async def check_alive(self) -> None:
        """Return when a worker answers, or at once where none is needed now."""
        if self._shared.is_there and not self._active:
            await self.run(os.getpid)

    async def close(self) -> None:
        """End the workers; tasks under way are lost."""
        if self._starting is not None:
            await asyncio.wait({self._starting})
            self._starting = None
        await self._shared.end()
        await self._isolated.end()


class _Processes:
    """Processes that share a queue, and are replaced together when pebble fails."""

    def __init__(self, size: int, timeout: float, memory: int) -> None:
        self.size = size
        self.timeout = timeout
        self.memory = memory
        self._waiting = 0
        # When they last answered, or were asked while they had nothing to do
        self._answered_at = 0.0
        self._pool: ProcessPool | None = None

    @property
    def is_there(self) -> bool:
        return self._pool is not None

    async def start(self) -> NoWorker | None:
        """Start the processes; why there are none where that fails.

        Waits in a thread until the server from which workers are forked has imported
        everything, which takes seconds.
        """

        def fork_all() -> None:
            pool = self._open_pool()
            for _ in range(self.size):
                pool.schedule(os.getpid)

        try:
            await asyncio.to_thread(fork_all)
        except START_FAULTS as error:
            await self.end()
            return NoWorker(_describe_start_fault(error))
        return None

    async def end(self) -> None:
        """End the processes; whoever waits for them is told.

        The next task starts others, also meanwhile.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(_end_pool, pool)

    async def run(self, call: _Call[R]) -> TaskResult[R] | TaskFault | _Unclear:
        """Run a task in one of the processes."""
        if not self._waiting:
            self._answered_at = time.monotonic()
        self._waiting += 1
        try:
            future = await self._schedule(call)
            if isinstance(future, NoWorker | _Unclear):
                return future
            answer = asyncio.wrap_future(future)
            await self._wait_for(answer)
            return _read_answer(answer)
        finally:
            self._waiting -= 1
            self._answered_at = time.monotonic()

    async def _schedule(self, call: _Call[R]) -> "Any | NoWorker | _Unclear":
        for _ in range(MAX_TRIES):
            try:
                return self._open_pool().schedule(
                    run_limited,
                    args=(call.function, self.timeout, call.args, call.kwargs),
                    timeout=self.timeout,
                )
            except START_FAULTS as error:
                await self.end()
                # Pebble also gives a pool up when a worker dies between two tasks;
                # then it raises without a cause, and we start afresh.
                is_given_up = isinstance(error, RuntimeError) and not error.__cause__
                if not is_given_up or "new thread" in str(error):
                    return NoWorker(_describe_start_fault(error))
        return _Unclear()

    async def _wait_for(self, answer: "asyncio.Future[Any]") -> None:
        """Wait for an answer.

        Processes that have answered nobody for longer than a task may take are
        replaced: they share a lock, and one that was killed from outside while it held
        the lock keeps it for ever.
        """
        try:
            while not answer.done():
                await asyncio.wait({answer}, timeout=self.timeout / 3)
                silent = time.monotonic() - self._answered_at
                if not answer.done() and silent > self.timeout + START_SECONDS:
                    self._answered_at = time.monotonic()
                    await self.end()
                    # Pebble tells everybody who waits, but for those whom it forgot.
                    answer.cancel()
        except asyncio.CancelledError:
            answer.cancel()
            raise

    def _open_pool(self) -> ProcessPool:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(list(PRELOAD_MODULES))
            self._pool = ProcessPool(
                max_workers=self.size,
                max_tasks=MAX_TASKS_PER_WORKER,
                context=context,
                initializer=prepare_worker,
                initargs=(self.memory,),
            )
        return self._pool


def _read_answer(
    answer: "asyncio.Future[Any]",
) -> Done[Any] | WorkerLost | TaskFault | _Unclear:
    """What came of a task that is over, in our words."""
    if answer.cancelled():
        return _Unclear()  # the processes were replaced before it was done
    try:
        value = answer.result()
    except FutureTimeoutError:
        return WorkerLost("timeout")
    except MemoryError:
        return WorkerLost("memory")
    except ProcessExpired as error:
        # From outside, as by a system without memory: hardly the page's doing
        if error.exitcode == -signal.SIGKILL:
            return _Unclear()
        return WorkerLost(f"worker ended with {error.exitcode}")
    except BrokenProcessPool:
        return _Unclear()
    except Exception as error:  # noqa: BLE001 - what cannot travel between processes
        return TaskFault(why=f"{type(error).__name__}: {error}"[:250], traceback="")
    if isinstance(value, TaskFault):
        return value
    return Done(value)


def _describe_start_fault(error: BaseException) -> str:
    """Why a process could not be started."""
    cause = error.__cause__ or error
    if isinstance(cause, EOFError):
        return "the system grants no process"
    return f"{type(cause).__name__}: {cause}"[:200]


def _end_pool(pool: ProcessPool) -> None:
    """End a pool at once; whoever waits for it is told that it was cancelled."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _end_fork_server() -> None:
    """End the process from which workers are forked, 60 MB of imports.

    The next pool starts another.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public end


async def map_in_order(
    function: Callable[[T], Awaitable[R]],
    items: AsyncIterator[T],
    *,
    max_ahead: int,
) -> AsyncGenerator[R, None]:
    """The results of a function over items, in the items' order.

    At most `max_ahead` calls are under way at once; they are cancelled when the
    generator is closed.
    """
    waiting: deque[asyncio.Future[R]] = deque()
    try:
        async for item in items:
            waiting.append(asyncio.ensure_future(function(item)))
            if len(waiting) >= max_ahead:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
