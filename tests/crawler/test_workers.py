"""The worker pool.

Hostile tasks are ended, their neighbours are not, and the pool goes on.
"""

import asyncio
import ctypes
import os
import socket
import time

import pytest

from crawler.workers import Task, WorkerLost, WorkerPool

# The tasks are builtins and library functions, for a test's own module is not
# importable in a worker.
SLEEP = Task("time", "sleep")
EXIT = Task("os", "_exit")
ADD = Task("operator", "add")
PID = Task("os", "getpid")
FACTORIAL = Task("math", "factorial")


def in_pool(*calls, **limits):
    """The outcomes of calls made at once, and then of one more."""

    async def together():
        pool = WorkerPool(1, **limits)
        try:
            got = await asyncio.gather(
                *(pool.run(task, *args) for task, *args in calls),
                return_exceptions=True,
            )
            return got, await pool.run(ADD, 20, 22), pool.lost
        finally:
            await pool.close()

    return asyncio.run(together())


def test_results_and_faults_come_back():
    """What a function returns is returned, what it raises is raised."""
    got, after, lost = in_pool(
        (ADD, 1, 2), (ADD, 1, "x"), (Task("operator", "truediv"), 1, 0)
    )
    assert got[0] == 3
    assert [type(one) for one in got[1:]] == [TypeError, ZeroDivisionError]
    assert (after, lost) == (42, 0)


@pytest.mark.parametrize(
    ("call", "how"),
    [
        ((SLEEP, 60), "timeout"),
        ((EXIT, 3), "3"),
        ((Task("ctypes", "string_at"), 0), "-11"),
        ((Task("builtins", "bytearray"), 3 << 30), "memory"),
        ((Task("re", "fullmatch"), "(a|aa)+", "a" * 60 + "b"), "timeout"),
    ],
)
def test_c10_a_task_that_hangs_crashes_or_eats_memory_is_lost_and_no_other(call, how):
    """A sleep, an exit, a segmentation fault, three gigabytes, a regular expression without end."""
    got, after, lost = in_pool((ADD, 1, 1), call, (ADD, 2, 2), (ADD, 3, 3), timeout=1.0)
    assert [one for one in got if not isinstance(one, Exception)] == [2, 4, 6]
    assert isinstance(got[1], WorkerLost)
    assert how in str(got[1])
    assert (after, lost) == (42, 1)


def test_a_worker_that_dies_between_tasks_is_replaced():
    """The pool is made anew, and the next task is answered."""

    async def killed():
        pool = WorkerPool(1)
        try:
            os.kill(await pool.run(PID), 9)
            await asyncio.sleep(0.5)
            return await pool.run(ADD, 1, 1)
        finally:
            await pool.close()

    assert asyncio.run(killed()) == 2


def test_workers_have_no_network_where_the_system_can_take_it():
    """A connection to this machine fails in a worker although something listens."""
    if ctypes.CDLL(None).unshare(0) != 0:
        pytest.skip("this system has no name spaces")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        [outcome], _, _ = in_pool(
            (Task("socket", "create_connection"), listening.getsockname(), 2.0)
        )
        if not isinstance(outcome, Exception):
            pytest.skip("this kernel grants no network name space of one's own")
        assert isinstance(outcome, OSError)


def test_the_loop_is_not_kept_waiting_while_workers_start():
    """Other work goes on while the workers import what they need."""

    async def ticks():
        pool = WorkerPool(1)
        pool.start()
        waiting = asyncio.ensure_future(pool.run(ADD, 1, 1))
        longest, last = 0.0, time.monotonic()
        while not waiting.done():
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        await pool.close()
        return longest

    assert asyncio.run(ticks()) < 1.0


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
                answers = asyncio.gather(
                    *(pool.run(ADD, number, 1) for number in range(3))
                )
                assert await asyncio.wait_for(answers, 60) == [1, 2, 3]
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

    assert asyncio.run(hurried()) == 42
