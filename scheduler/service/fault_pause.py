"""What the service does when the file cannot be used: say so, pause, try again.

The disk is full, another program holds the file, it became read-only: all of these
pass. What could not be stored is a pending lead, a claimed source or a waiting job, so
it is taken up again after the pause.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from crawler.engine.engine import Engine
from crawler.writer import STORE_FAULTS
from scheduler.service.metrics import Metrics
from storage.errors import StoreBusy, StoreError

log = logging.getLogger("khabar")

P = ParamSpec("P")
R = TypeVar("R")

PAUSE_SECONDS = 10.0


class FaultPause:
    """Counts faults of the file, and pauses new work for a while after each."""

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._paused_until = 0.0  # monotonic

    def is_on(self) -> bool:
        """Whether the file could not be used a moment ago, so that no work begins."""
        fault = self._engine.faults.take()
        if fault is not None:
            self._record(fault)
        return time.monotonic() < self._paused_until

    @contextmanager
    def tolerating(self) -> Iterator[None]:
        """A block that ends quietly where the file cannot be used."""
        try:
            yield
        except STORE_FAULTS as error:
            self._record(error)

    async def write(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """What a method of the store returns, called in the one writing thread.

        None where the file could not be used.
        """
        try:
            return await self._engine.writer.run(function, *args, **kwargs)
        except STORE_FAULTS as error:
            self._record(error)
            return None

    def _record(self, error: StoreError | StoreBusy) -> None:
        # One line for each pause: a full disk fails every page and poll alike.
        if time.monotonic() >= self._paused_until:
            log.error(
                "the file cannot be used: %s",
                error,
                extra={"facts": {"action": "storage", "error": str(error)}},
            )
        self._paused_until = time.monotonic() + PAUSE_SECONDS
        self._metrics.storage_faults += 1
