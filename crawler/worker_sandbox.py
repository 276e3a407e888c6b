"""What holds inside a worker process: its limits, and how a task is run in it."""

import ctypes
import gc
import os
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

R = TypeVar("R")

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


@dataclass(frozen=True, slots=True)
class TaskFault:
    """An exception that ended a task, as text: not every exception can be pickled."""

    why: str  # its class and message
    traceback: str


def prepare_worker(memory: int) -> None:
    """Take the network away, and bound the memory. Called once in each worker.

    `memory` are bytes of address space beyond what the worker maps already.
    """
    _leave_network()

    # A page makes hundreds of thousands of short-lived objects and hardly a cycle:
    # collecting less often saves a tenth of the time.
    gc.set_threshold(50_000, 20, 20)
    # What was preloaded stays in the pages of memory that all workers share.
    gc.freeze()

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = _mapped_bytes()
    if mapped:
        resource.setrlimit(
            resource.RLIMIT_AS, (mapped + memory, resource.RLIM_INFINITY)
        )


def _leave_network() -> bool:
    """Move to a network name space of its own, with nothing in it; whether it worked.

    Needs Linux and a kernel that grants it; does nothing elsewhere.
    """
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (OSError, AttributeError):
        return False
    return bool(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)


def can_leave_network() -> bool:
    """Whether a worker gets no network here, tried in a process of its own."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _leave_network() else 1)
    _, status = os.waitpid(child, 0)
    return status == 0


def _mapped_bytes() -> int:
    """Address space in use, or 0 where /proc does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - a kernel file, not a path of ours
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 0


def run_limited(
    function: Callable[..., R],
    timeout: float,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> R | TaskFault:
    """Run a task under a CPU limit of `timeout` seconds. Raises MemoryError."""
    # RLIMIT_CPU counts from the start of the process, so it moves along.
    spent = int(time.process_time())
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + int(timeout) + 2, hard))
    try:
        return function(*args, **kwargs)
    except MemoryError:
        raise
    # SystemExit would end the main process, StopIteration suits no future, and what
    # cannot be made anew from its pickle breaks the pool for everybody.
    except BaseException as error:  # noqa: BLE001 - the boundary of the process
        return TaskFault(why=_describe(error), traceback=traceback.format_exc())


def _describe(error: BaseException) -> str:
    """The class and message of an exception; whoever wrote it may fail even here."""
    try:
        message = str(error)[:200]
    except Exception:  # noqa: BLE001 - a stranger's __str__
        message = ""
    return f"{type(error).__name__}: {message}".rstrip(": ")
