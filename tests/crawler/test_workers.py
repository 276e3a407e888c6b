"""The worker pool: hostile tasks are ended, their neighbours are not, the pool goes on.

Whatever comes of a task is a value: done, lost, or no worker.
"""

import asyncio
import ctypes
import os
import signal
import socket
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest

from crawler import workers
from crawler.workers import (
    Done,
    NoWorker,
    Task,
    WorkerLost,
    WorkerPool,
    map_in_order,
)
from storage.errors import WorkFailed

# The tasks are builtins and library functions, for a test's own module is not
# importable in a worker.
SLEEP = Task("time", "sleep")
EXIT = Task("os", "_exit")
ADD = Task("operator", "add")
DIVIDE = Task("operator", "truediv")
PID = Task("os", "getpid")


def in_pool(*calls, **limits):
    """The results of calls made at once, and then of one more."""

    async def together():
        pool = WorkerPool(1, **limits)
        try:
            got = await asyncio.gather(
                *(pool.run(task, *args) for task, *args in calls)
            )
            return got, await pool.run(ADD, 20, 22), pool.lost
        finally:
            await pool.close()

    return asyncio.run(together())


async def kill(worker):
    """End a process from outside, and wait until it has ended."""
    os.kill(worker, signal.SIGKILL)
    status = Path(f"/proc/{worker}/stat")
    while status.exists() and ") Z" not in status.read_text():  # noqa: ASYNC110, ASYNC240 - it is no child of ours
        await asyncio.sleep(0.01)


def test_results_come_back_and_what_a_task_raised_is_a_reason(caplog):
    """A fault of ours is told and logged with its traceback; no worker was lost."""
    got, after, lost = in_pool((ADD, 1, 2), (ADD, 1, "x"), (DIVIDE, 1, 0))
    assert got[0] == Done(3)
    assert [one.why.partition(":")[0] for one in got[1:]] == [
        "TypeError",
        "ZeroDivisionError",
    ]
    assert (after, lost) == (Done(42), 0)
    assert "Traceback" in caplog.text
    assert "ZeroDivisionError: division by zero" in caplog.text


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ((SLEEP, 60), "timeout"),
        ((EXIT, 3), "3"),
        ((Task("ctypes", "string_at"), 0), "-11"),
        ((Task("builtins", "bytearray"), 3 << 30), "memory"),
        ((Task("re", "fullmatch"), "(a|aa)+", "a" * 60 + "b"), "timeout"),
    ],
)
def test_c10_a_task_that_hangs_crashes_or_eats_memory_is_lost_and_no_other(call, why):
    """A sleep, an exit, a segmentation fault, three gigabytes, an endless expression."""
    got, after, lost = in_pool((ADD, 1, 1), call, (ADD, 2, 2), (ADD, 3, 3), timeout=2.0)
    assert [one for one in got if isinstance(one, Done)] == [Done(2), Done(4), Done(6)]
    assert isinstance(got[1], WorkerLost)
    assert why in got[1].why
    assert (after, lost) == (Done(42), 1)


def test_a_worker_that_dies_between_tasks_is_replaced():
    """The pool is made anew, and the next task is answered."""

    async def killed():
        pool = WorkerPool(1)
        try:
            result = await pool.run(PID)
            await kill(result.value)
            return await pool.run(ADD, 1, 1)
        finally:
            await pool.close()

    assert asyncio.run(killed()) == Done(2)


def test_workers_have_no_network_where_the_system_can_take_it():
    """A connection to this machine fails in a worker although something listens."""
    if ctypes.CDLL(None).unshare(0) != 0:
        pytest.skip("this system has no name spaces")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connect = Task("socket", "create_connection")
        [result], _, _ = in_pool((connect, listening.getsockname(), 2.0))
        # A socket cannot travel between processes, and is a reason, too.
        if "pickle" in result.why:
            pytest.skip("this kernel grants no network name space of one's own")
        assert "Error" in result.why


def test_the_loop_is_not_kept_waiting_while_workers_start():
    """Other work goes on while the workers import what they need."""

    async def ticks():
        pool = WorkerPool(1)
        pool.start()
        waiting = asyncio.ensure_future(pool.run(ADD, 1, 1))
        count = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            count += 1
        await pool.close()
        return count

    # Starting takes seconds of imports; a loop that stood still would tick once.
    assert asyncio.run(ticks()) > 3


def test_a_task_that_meets_the_workers_going_to_rest_is_answered():
    """Workers that end and workers that start never meet.

    A task of that moment waits for new ones.
    """

    async def meet():
        pool = WorkerPool(1)
        try:
            for late in (0, 0, 0.05):
                await pool.run(ADD, 1, 1)
                resting = asyncio.ensure_future(pool.end_if_idle(0))
                await asyncio.sleep(late)
                answers = asyncio.gather(*(pool.run(ADD, n, 1) for n in range(3)))
                assert await asyncio.wait_for(answers, 60) == [
                    Done(1),
                    Done(2),
                    Done(3),
                ]
                await asyncio.wait_for(resting, 60)
        finally:
            await pool.close()

    asyncio.run(meet())


def test_workers_that_are_told_to_rest_while_they_start_answer_first():
    """A task that waits for its workers to start counts as work."""

    async def hurried():
        pool = WorkerPool(1)
        try:
            answer = asyncio.ensure_future(pool.run(ADD, 20, 22))
            await asyncio.sleep(0)
            await asyncio.wait_for(pool.end_if_idle(0), 60)
            return await asyncio.wait_for(answer, 60)
        finally:
            await pool.close()

    assert asyncio.run(hurried()) == Done(42)


# No worker to be had


def test_where_no_process_can_be_started_nobody_is_to_blame(no_processes):
    """Every task is told so and none is lost; with memory again the next is answered."""

    async def starved():
        pool = WorkerPool(2)
        try:
            tasks = (pool.run(ADD, n, 1) for n in range(5))
            starved = await asyncio.gather(*tasks)
            lacked = pool.lacks_workers
            no_processes()
            workers._end_fork_server()
            await asyncio.sleep(0.3)
            return starved, lacked, await pool.run(ADD, 1, 1), pool
        finally:
            await pool.close()

    starved, lacked, after, pool = asyncio.run(starved())
    assert [type(one) for one in starved] == [NoWorker] * 5
    assert lacked
    assert after == Done(2)
    assert (pool.lost, pool.lacks_workers) == (0, False)


def test_a_worker_that_cannot_be_replaced_is_no_fault_of_its_task(no_processes):
    """The workers die, and the system grants no others: the next task is told so."""

    async def bereft():
        no_processes()  # workers start ...
        pool = WorkerPool(1)
        try:
            worker = (await pool.run(PID)).value
            workers.PRELOAD_MODULES = ("no_forks",)
            # ... and none does from the next server on
            await kill(forkserver._forkserver._forkserver_pid)
            await kill(worker)
            return await pool.run(ADD, 1, 1), pool.lost
        finally:
            await pool.close()

    result, lost = asyncio.run(bereft())
    assert isinstance(result, NoWorker)
    assert lost == 0


@pytest.mark.parametrize(
    "error",
    [
        BlockingIOError(11, "Resource temporarily unavailable"),
        OSError(12, "Cannot allocate memory"),
        OSError(24, "Too many open files"),
        MemoryError(),
        RuntimeError("can't start new thread"),
    ],
)
def test_whatever_keeps_a_process_from_starting_is_no_worker(monkeypatch, error):
    """No process, no memory, no descriptor, no thread."""

    def refuse(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(workers, "ProcessPool", refuse)
    [result], after, lost = in_pool((ADD, 1, 1))
    assert isinstance(result, NoWorker)
    assert isinstance(after, NoWorker)
    assert lost == 0


def test_work_that_can_wait_waits_for_a_worker(no_processes):
    """It is answered when there is memory again."""

    async def patient():
        pool = WorkerPool(1)
        try:
            answer = asyncio.ensure_future(pool.run_when_possible(ADD, 1, 1))
            while not pool.lacks_workers:  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.01)
            no_processes()
            workers._end_fork_server()
            return await asyncio.wait_for(answer, 60)
        finally:
            await pool.close()

    assert asyncio.run(patient()) == Done(2)


@pytest.mark.usefixtures("no_processes")
def test_work_that_waits_in_vain_says_what_to_do(monkeypatch):
    """One sentence, and an exit code of failed work."""
    monkeypatch.setattr(workers, "MAX_WAIT_SECONDS", 0.0)

    async def waiting():
        pool = WorkerPool(1)
        try:
            await pool.run_when_possible(ADD, 1, 1)
        finally:
            await pool.close()

    with pytest.raises(WorkFailed, match="free some memory and run the same command"):
        asyncio.run(waiting())


# In order


async def as_async(items):
    for item in items:
        yield item


def test_results_come_in_the_order_of_their_items_a_bounded_number_ahead():
    """However long each takes; never more than three are under way."""
    under_way, most = set(), 0

    async def late(number):
        nonlocal most
        under_way.add(number)
        most = max(most, len(under_way))
        await asyncio.sleep(0.02 * (number % 3))
        under_way.discard(number)
        return number

    async def together():
        results = map_in_order(late, as_async(range(10)), max_ahead=3)
        return [result async for result in results]

    assert asyncio.run(together()) == list(range(10))
    assert most == 3


def test_what_is_ahead_is_cancelled_when_nobody_wants_it():
    """An error of one ends the others."""
    cancelled = []

    async def task(number):
        if number == 0:
            raise ValueError("broken")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    async def together():
        began = time.monotonic()
        with pytest.raises(ValueError, match="broken"):
            async for _ in map_in_order(task, as_async(range(5)), max_ahead=3):
                pass
        await asyncio.sleep(0)
        return time.monotonic() - began

    assert asyncio.run(together()) < 30
    assert cancelled == [1, 2]
