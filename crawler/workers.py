"""The processes in which hostile bytes are parsed.

A worker that hangs, crashes or eats memory is ended and replaced; only its own task is lost. Workers have no store, and
no network where the system lets it be taken from them. They are forked from a server that has already imported what
they need, so that a new one costs milliseconds and their memory is shared.
"""

import asyncio
import ctypes
import gc
import importlib
import multiprocessing
import os
import resource
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

TIMEOUT = 15.0  # seconds of wall clock for one task (rules: every attack ends within 15 s)
MEMORY = 1 << 30  # bytes of address space beyond what a warm worker maps
GRACE = 5.0  # seconds beyond the time of a task, for a worker to start
TRIES = 3  # of a task that no worker began
MAX_TASKS = 400  # tasks after which a worker is replaced: lxml and trafilatura keep some of each page
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PRELOAD = ("crawler.warm",)


@dataclass(frozen=True, slots=True)
class Task(Generic[R]):
    """A function by its name, so that the process which only hands it on need not import what it needs (60 MB)."""

    module: str
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Call the function; in a worker its module is there already."""
        function: Callable[..., R] = getattr(importlib.import_module(self.module), self.name)
        return function(*args, **kwargs)


class Lost(Exception):
    """A worker gave up on a task: `timeout`, `memory`, or how the process ended."""


class Pool:
    """A pool of workers. Used from one event loop; `close` when done."""

    def __init__(self, size: int = 0, *, timeout: float = TIMEOUT, memory: int = MEMORY) -> None:
        self.size = size or os.cpu_count() or 1
        self.timeout = timeout
        self.memory = memory
        self.lost = 0  # tasks whose worker had to be ended
        self._active = 0
        self._last_used = time.monotonic()
        self._pool: ProcessPool | None = None
        self._starting: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Start the workers now, so that the first page does not wait for imports. Needs a running loop."""
        self._starting = asyncio.ensure_future(asyncio.to_thread(self._begin))

    def _begin(self) -> None:
        """Waits until the server from which workers are forked has imported everything: seconds, so in a thread."""
        pool = self._workers()
        for _ in range(self.size):
            pool.schedule(os.getpid)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `function` returns in a worker. Raises Lost where the worker gave up, else what the function raised."""
        if self._starting is None:
            self.start()
        assert self._starting is not None
        await asyncio.shield(self._starting)
        if not self._active:
            self._last_used = time.monotonic()
        self._active += 1
        try:
            return await self._answer(function, args, kwargs)
        finally:
            self._active -= 1
            self._last_used = time.monotonic()

    async def _answer(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        for _ in range(TRIES):
            answer = asyncio.wrap_future(self._schedule(function, args, kwargs))
            await self._settled(answer)
            if answer.cancelled():
                continue  # the pool was replaced before this was done
            try:
                return cast("R", answer.result())
            except FutureTimeoutError as error:
                raise self._gave_up("timeout") from error
            except MemoryError as error:
                raise self._gave_up("memory") from error
            except ProcessExpired as error:
                raise self._gave_up(f"worker ended with {error.exitcode}") from error
            except BrokenProcessPool:
                continue  # a worker died between two tasks: this one was not begun and is not to blame
        raise self._gave_up("workers end as soon as they start")

    async def _settled(self, answer: "asyncio.Future[Any]") -> None:
        """Wait for an answer. A pool that has answered nobody for longer than a task may take is replaced.

        Workers share a lock; one that was killed from outside while it held the lock keeps it for ever.
        """
        try:
            while not answer.done():
                await asyncio.wait({answer}, timeout=self.timeout / 3)
                if not answer.done() and time.monotonic() - self._last_used > self.timeout + GRACE:
                    self._last_used = time.monotonic()
                    self.lost += 1
                    stuck, self._pool = self._pool, None
                    await asyncio.to_thread(_ended, stuck)
        except asyncio.CancelledError:
            answer.cancel()
            raise

    async def rest(self, idle: float) -> None:
        """End the workers when there was nothing to read for `idle` seconds; the next task starts them again."""
        if not self._active and self._pool is not None and time.monotonic() - self._last_used >= idle:
            await self.close()
            await asyncio.to_thread(_end_server)

    async def alive(self) -> None:
        """Return when a worker answers, or at once where none is needed now."""
        if self._pool is not None and not self._active:
            await self.run(os.getpid)

    def _gave_up(self, how: str) -> Lost:
        self.lost += 1
        return Lost(how)

    def _schedule(self, function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        wrapped = (function, self.timeout, args, kwargs)
        try:
            return self._workers().schedule(_limited, args=wrapped, timeout=self.timeout)
        except RuntimeError:
            # Pebble gives a pool up when a worker dies between two tasks. Its other tasks are told; we start afresh.
            self._end()
            return self._workers().schedule(_limited, args=wrapped, timeout=self.timeout)

    def _workers(self) -> ProcessPool:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(list(PRELOAD))
            self._pool = ProcessPool(
                max_workers=self.size,
                max_tasks=MAX_TASKS,
                context=context,
                initializer=_prepare,
                initargs=(self.memory,),
            )
        return self._pool

    async def close(self) -> None:
        """End the workers; tasks under way are lost."""
        if self._starting is not None:
            await asyncio.wait({self._starting})
            self._starting = None
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        _ended(pool)


def _ended(pool: ProcessPool | None) -> None:
    """End a pool at once; whoever waits for it is told that it was cancelled."""
    if pool is not None:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _end_server() -> None:
    """End the process from which workers are forked, 60 MB of imports; the next pool starts another."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001 - it has no public end


def _prepare(memory: int) -> None:
    """Once in each worker: take the network away, bound the memory, leave what was preloaded to the shared pages."""
    _leave_network()
    # A page makes hundreds of thousands of short-lived objects and hardly a cycle: collecting less often saves a tenth.
    gc.set_threshold(50_000, 20, 20)
    gc.freeze()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = _mapped_bytes()
    if mapped:
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, resource.RLIM_INFINITY))


def _leave_network() -> None:
    """A network name space of its own, with nothing in it. Needs Linux and a kernel that grants it; else nothing."""
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


def _limited(function: Callable[..., R], timeout: float, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
    """Run a task under a CPU limit of its own: RLIMIT_CPU counts from the process's start, so it moves along."""
    spent = int(time.process_time())
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + int(timeout) + 2, hard))
    return function(*args, **kwargs)
