"""Faults that come and go while the service runs.

Of its file, its network, the servers and its workers.

Run inside the service's process. Two at a time, one of the file and one of the others;
which, when and for how long comes from a seed. What is switched on is switched off
again, whatever happens.
"""

import asyncio
import contextlib
import os
import random
import resource
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from harness import Web
from tree import processes

Fault = Callable[[], AbstractAsyncContextManager[None]]


class Trouble:
    """What can go wrong with one service."""

    def __init__(
        self, service: Any, path: Path, web: Web, *, seed: int, longest: float
    ) -> None:
        self.service, self.path, self.web = service, path, web
        self.seed, self.longest = seed, longest
        self.switched: Counter[str] = Counter()
        self.file: dict[str, Fault] = {
            "disk full": self.full, "nothing can be written": self.unwritable, "read-only": self.read_only,
            "locked": self.locked,
        }  # fmt: skip
        self.others: dict[str, Fault] = {
            "network gone": self.gone,
            "servers flap": lambda: self.steered("errors", 0.5),
            "servers are slow": lambda: self.steered("delay", 1.0),
            "servers send garbage": lambda: self.steered("manner", "garbage"),
            "servers break off": lambda: self.steered("manner", "torn"),
            "worker killed": self.killed,
        }

    async def until(self, end: float) -> None:
        """Make trouble until then; all is well again when it returns."""
        await self.pragma("busy_timeout", 1000)
        await asyncio.gather(
            *(
                self.lane(faults, f"{self.seed} {n}", end)
                for n, faults in enumerate((self.file, self.others))
            )
        )

    async def lane(self, faults: dict[str, Fault], seed: str, end: float) -> None:
        dice = random.Random(seed)
        while time.monotonic() < end:
            await asyncio.sleep(dice.uniform(0.1, 1) * self.longest)
            name, seconds = (
                dice.choice(sorted(faults)),
                dice.uniform(0.1, 1) * self.longest,
            )
            async with faults[name]():
                self.switched[name] += 1
                await asyncio.sleep(seconds)
            print(f"trouble: {name} for {seconds:.1f} s", flush=True)

    # The file

    async def pragma(self, name: str, value: object) -> None:
        await self.service.engine.writer.run(
            self.service.store.session.db.execute, f"PRAGMA {name} = {value}"
        )

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        """The file may not grow any more."""
        await self.pragma("max_page_count", 1)
        try:
            yield
        finally:
            await self.pragma("max_page_count", 1 << 30)

    @asynccontextmanager
    async def unwritable(self) -> AsyncIterator[None]:
        """Every write to any file fails, in the middle of whatever is written."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        await self.pragma("query_only", "ON")
        try:
            yield
        finally:
            await self.pragma("query_only", "OFF")

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Another program holds a transaction open, longer than the service waits."""
        other = await asyncio.to_thread(
            sqlite3.connect,
            self.path,
            30,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # The other faults hit this program, too
            with contextlib.suppress(sqlite3.OperationalError):
                await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            yield
        finally:
            other.close()

    # Network, servers, workers

    async def steer(self, **wanted: object) -> None:
        """Tell the web, as soon as it can be reached."""
        while True:
            try:
                await asyncio.to_thread(self.web.control, **wanted)
            except OSError:
                await asyncio.sleep(0.2)
            else:
                return

    @asynccontextmanager
    async def gone(self) -> AsyncIterator[None]:
        """Nobody listens any more; what was connected is cut."""
        await self.steer(gone=1)
        try:
            yield
        finally:
            os.kill(self.web.pid, signal.SIGUSR1)

    @asynccontextmanager
    async def steered(self, name: str, value: object) -> AsyncIterator[None]:
        await self.steer(**{name: value})
        try:
            yield
        finally:
            await self.steer(**{name: "" if isinstance(value, str) else 0})

    @asynccontextmanager
    async def killed(self) -> AsyncIterator[None]:
        """A worker ends in the middle of its work."""
        workers = [
            pid
            for pid in processes(os.getpid())
            if _parent(pid) != os.getpid() and pid != os.getpid()
        ]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)
        yield


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return os.getpid()
