"""The processes in which hostile bytes are parsed.

A worker that hangs, crashes or eats memory is ended and replaced; only its own task is
lost. Where nobody can tell whose task ended the workers, each that was under way is
done again by itself. Workers have no store, and no network where the system lets it be
taken from them. They are forked from a server that has already imported what they need,
so that a new one costs milliseconds and their memory is shared.
"""

import asyncio
import ctypes
import gc
import importlib
import multiprocessing
import os
import pickle
import resource
import signal
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import forkserver
from typing import Any, Generic, ParamSpec, TypeVar, cast

from pebble import ProcessExpired, ProcessPool

P = ParamSpec("P")
R = TypeVar("R")

# Seconds of wall clock for one task (rules: every attack ends within 15 s)
TASK_SECONDS = 15.0
WORKER_MEMORY_BYTES = 1 << 30  # bytes of address space beyond what a warm worker maps
START_SECONDS = 5.0  # seconds beyond the time of a task, for a worker to start
MAX_TRIES = 3  # of a task whose workers end before it is known that they began
# Tasks after which a worker is replaced: lxml and trafilatura keep some of each page
MAX_TASKS_PER_WORKER = 400
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PRELOAD_MODULES = ("crawler.worker_preload",)


@dataclass(frozen=True, slots=True)
class Task(Generic[R]):
    """A function by its name, so that the process which only hands it on need not import what it needs (60 MB)."""

    module: str
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Call the function; in a worker its module is there already."""
        function: Callable[..., R] = getattr(
            importlib.import_module(self.module), self.name
        )
        return function(*args, **kwargs)


class WorkerLost(Exception):
    """A worker gave up on a task: `timeout`, `memory`, or how the process ended."""


class _Unclear(Exception):
    """The workers ended under a task: it, another, or somebody outside is to blame."""


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
        self._crew = _Crew(self.size, timeout, memory)
        self._cell = _Crew(1, timeout, memory)  # for one suspect at a time
        self._one_suspect = asyncio.Lock()
        self._turn = asyncio.Lock()  # workers are being started or ended, never both
        self._starting: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Start the workers now, so that the first page does not wait for imports.

        Needs a running loop.
        """
        self._starting = asyncio.ensure_future(asyncio.to_thread(self._crew.begin))

    async def run(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """What `function` returns in a worker.

        Raises Lost where the worker gave up, else what the function raised.
        """
        self._active += 1
        try:
            await self._started()
            return await self._answer(function, args, kwargs)
        except WorkerLost:
            self.lost += 1
            raise
        finally:
            self._active -= 1
            self._last_used = time.monotonic()

    async def _started(self) -> None:
        """Wait until there are workers, and start them where there are none."""
        async with self._turn:
            if self._starting is None:
                self.start()
            assert self._starting is not None
            try:
                await asyncio.shield(self._starting)
            # No descriptor or no memory for a process just now: the next task tries
            # again
            except OSError:
                self._starting = None
                raise

    async def _answer(
        self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        """A task that may have ended the workers is done again where it can end nobody else's work."""
        try:
            return await self._crew.answer(function, args, kwargs)
        except _Unclear:
            pass
        async with self._one_suspect:
            for _ in range(MAX_TRIES):
                try:
                    return await self._cell.answer(function, args, kwargs)
                except _Unclear:
                    continue
        raise WorkerLost("its workers end, again and again")

    async def end_if_idle(self, idle: float) -> None:
        """End the workers when there was nothing to read for `idle` seconds.

        The next task starts them again.
        """
        async with self._turn:
            if (
                not self._active
                and self._crew.is_there
                and time.monotonic() - self._last_used >= idle
            ):
                await self.close()
                await asyncio.to_thread(_end_server)

    async def check_alive(self) -> None:
        """Return when a worker answers, or at once where none is needed now."""
        if self._crew.is_there and not self._active:
            await self.run(os.getpid)

    async def close(self) -> None:
        """End the workers; tasks under way are lost."""
        if self._starting is not None:
            await asyncio.wait({self._starting})
            self._starting = None
        for crew in (self._crew, self._cell):
            await crew.end()


class _Crew:
    """Processes that share a queue, and are made anew together where pebble gives them up."""

    def __init__(self, size: int, timeout: float, memory: int) -> None:
        self.size = size
        self.timeout = timeout
        self.memory = memory
        self._waiting = 0
        # When it last answered, or was asked while it had nothing to do
        self._answered_at = 0.0
        self._pool: ProcessPool | None = None

    @property
    def is_there(self) -> bool:
        return self._pool is not None

    def begin(self) -> None:
        """Waits until the server from which workers are forked has imported everything: seconds, so in a thread."""
        pool = self._workers()
        for _ in range(self.size):
            pool.schedule(os.getpid)

    async def end(self) -> None:
        """End the processes; whoever waits for them is told.

        The next task starts others, also meanwhile.
        """
        pool, self._pool = self._pool, None
        await asyncio.to_thread(_ended, pool)

    async def answer(
        self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> R:
        """What the function returns or raises.

        Lost where its worker gave up, _Unclear where the crew did.
        """
        if not self._waiting:
            self._answered_at = time.monotonic()
        self._waiting += 1
        try:
            answer = asyncio.wrap_future(await self._schedule(function, args, kwargs))
            await self._settled(answer)
            return cast("R", _told(answer))
        finally:
            self._waiting -= 1
            self._answered_at = time.monotonic()

    async def _schedule(
        self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        for _ in range(MAX_TRIES):
            try:
                wrapped = (function, self.timeout, args, kwargs)
                return self._workers().schedule(
                    _limited, args=wrapped, timeout=self.timeout
                )
            except RuntimeError:
                # Pebble gives a pool up when a worker dies between two tasks. Others
                # are told; we start afresh.
                await self.end()
        raise _Unclear

    async def _settled(self, answer: "asyncio.Future[Any]") -> None:
        """Wait for an answer.

        Processes that have answered nobody for longer than a task may take are
        replaced.

        They share a lock; one that was killed from outside while it held the lock keeps
        it for ever.
        """
        try:
            while not answer.done():
                await asyncio.wait({answer}, timeout=self.timeout / 3)
                if (
                    not answer.done()
                    and time.monotonic() - self._answered_at
                    > self.timeout + START_SECONDS
                ):
                    self._answered_at = time.monotonic()
                    await self.end()
                    # Pebble tells everybody who waits, but for those whom it forgot
                    answer.cancel()
        except asyncio.CancelledError:
            answer.cancel()
            raise

    def _workers(self) -> ProcessPool:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(list(PRELOAD_MODULES))
            self._pool = ProcessPool(
                max_workers=self.size,
                max_tasks=MAX_TASKS_PER_WORKER,
                context=context,
                initializer=_prepare,
                initargs=(self.memory,),
            )
        return self._pool


def _told(answer: "asyncio.Future[Any]") -> Any:
    """What came of a task, pebble's words for an end in ours."""
    if answer.cancelled():
        raise _Unclear  # the processes were replaced before it was done
    try:
        return answer.result()
    except FutureTimeoutError as error:
        raise WorkerLost("timeout") from error
    except MemoryError as error:
        raise WorkerLost("memory") from error
    except ProcessExpired as error:
        if error.exitcode == -signal.SIGKILL:
            # From outside, as by a system without memory: hardly the page's doing
            raise _Unclear from error
        raise WorkerLost(f"worker ended with {error.exitcode}") from error
    except BrokenProcessPool as error:
        raise _Unclear from error


def _ended(pool: ProcessPool | None) -> None:
    """End a pool at once; whoever waits for it is told that it was cancelled."""
    if pool is not None:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _end_server() -> None:
    """End the process from which workers are forked, 60 MB of imports.

    The next pool starts another.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public end


def _prepare(memory: int) -> None:
    """Once in each worker.

    Take the network away, bound the memory, leave what was preloaded to the shared
    pages.
    """
    _leave_network()
    # A page makes hundreds of thousands of short-lived objects and hardly a cycle:
    # collecting less often saves a tenth.
    gc.set_threshold(50_000, 20, 20)
    gc.freeze()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = _mapped_bytes()
    if mapped:
        resource.setrlimit(
            resource.RLIMIT_AS, (mapped + memory, resource.RLIM_INFINITY)
        )


def _leave_network() -> None:
    """A network name space of its own, with nothing in it.

    Needs Linux and a kernel that grants it; else nothing.
    """
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (OSError, AttributeError):
        return
    unshare(CLONE_NEWUSER | CLONE_NEWNET)


def _mapped_bytes() -> int:
    """Address space in use, or 0 where /proc does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - a kernel file, not a path of ours
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 0


def _limited(
    function: Callable[..., R],
    timeout: float,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> R:
    """Run a task under a CPU limit of its own.

    RLIMIT_CPU counts from the process's start, so it moves along.
    """
    spent = int(time.process_time())
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + int(timeout) + 2, hard))
    try:
        return function(*args, **kwargs)
    except BaseException as error:
        raise _portable(error) from error


def _portable(error: BaseException) -> BaseException:
    """The fault as it can be told to the main process.

    SystemExit and its like would end that process, StopIteration suits no future, and
    what cannot be made anew from its pickle breaks the pool for everybody.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - made a line before, in a process that holds nothing
        except Exception:  # noqa: BLE001 - whatever a stranger's exception does when it is taken apart
            return WorkerLost(f"worker raised {type(error).__name__}")
        return error
    return WorkerLost(f"worker raised {type(error).__name__}")
