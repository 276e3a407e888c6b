"""Sources that are due are claimed and visited, so many at once.

What is due is a column of the file (`sources.next_check_at`), so that a restart asks
nothing again. A claimed source is held by a lease until its poll has landed.
"""

import asyncio
import logging
from functools import partial

from crawler.engine.engine import Engine
from crawler.engine.polling import VISIT_LEASE
from crawler.report import CrawlEvent
from scheduler.service.fault_pause import FaultPause
from storage.model import SourceState, utc_now

log = logging.getLogger("khabar")

# With 200 sources visited at once the loop stood still for 139 ms at p99, under 42,000
# polls a minute.
MAX_VISITS = 100
# Each visit that begins takes the loop about a millisecond up to its request.
VISITS_PER_LOOP_TURN = 5


class DueSources:
    """Visits what is due. The heartbeat calls `claim_due`, each second."""

    def __init__(self, engine: Engine, fault_pause: FaultPause) -> None:
        self._engine = engine
        self._fault_pause = fault_pause
        self._visits: dict[str, asyncio.Task[None]] = {}  # by source
        self._early_claim: asyncio.Task[None] | None = None
        self._unreleased: set[str] = set()  # claimed, and no poll could be stored
        self._is_claiming = False
        self._more_is_due = False  # the last claim took as many as it could
        self._has_ended = False

    def visit_of(self, source: str) -> "asyncio.Task[None] | None":
        """The visit to a source that is under way."""
        return self._visits.get(source)

    async def claim_due(self) -> None:
        """Begin to visit what is due, as far as there is room. Raises StoreError."""
        room = MAX_VISITS - len(self._visits)
        if room <= 0 or self._is_claiming or self._engine.pool.lacks_workers:
            return
        self._is_claiming = True
        try:
            await self._release_unlanded()
            states = await self._engine.writer.run(
                self._engine.store.sources.claim_due,
                utc_now(),
                limit=room,
                lease=VISIT_LEASE,
            )
            self._more_is_due = len(states) == room
            for number, state in enumerate(states, 1):
                self._begin(state)
                if number % VISITS_PER_LOOP_TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self._is_claiming = False

    def end(self) -> list[asyncio.Task[None]]:
        """Cancel the visits and begin no others. Returns what is still to be awaited."""
        self._has_ended = True
        tasks = list(self._visits.values())
        if self._early_claim is not None:
            tasks.append(self._early_claim)
        for task in tasks:
            task.cancel()
        return tasks

    async def _release_unlanded(self) -> None:
        """Give back what was claimed and not landed, now that the file can be used."""
        for source in tuple(self._unreleased):
            await self._engine.writer.run(self._engine.store.sources.release, source)
            self._unreleased.discard(source)

    def _begin(self, state: SourceState) -> None:
        if state.id not in self._engine.sources:
            # A reload dropped it between its claim and now; the file switches it off
            # when the sources are next synchronised.
            self._unreleased.add(state.id)
            return
        task = asyncio.ensure_future(self._visit(state))
        self._visits[state.id] = task
        task.add_done_callback(partial(self._visit_ended, state.id))

    async def _visit(self, state: SourceState) -> None:
        try:
            landed = await self._engine.polling.visit(state)
        # The boundary of one visit: a fault of ours in one source must not end the
        # service, and the source is visited again when its lease ends.
        except Exception:
            log.exception("visit failed: %s", state.id)
            return
        if landed is None:
            self._unreleased.add(state.id)

    def _visit_ended(self, source: str, _task: "asyncio.Task[None]") -> None:
        """Where many sources wait, the next ones do not wait for the heartbeat."""
        del self._visits[source]
        is_half_empty = len(self._visits) <= MAX_VISITS // 2
        may_claim = not self._is_claiming and not self._has_ended
        if self._more_is_due and is_half_empty and may_claim:
            self._more_is_due = False
            self._early_claim = asyncio.ensure_future(self._claim_early())

    async def _claim_early(self) -> None:
        if not self._fault_pause.is_on():
            with self._fault_pause.tolerating():
                await self.claim_due()


def log_visit(event: CrawlEvent) -> None:
    """One log line for each visit, with what it brought."""
    if event.visited is None or event.polled is None:
        return
    poll, polled = event.visited.poll, event.polled
    took = (poll.ended_at - poll.started_at).total_seconds()
    facts = {
        "action": "poll",
        "source": poll.source,
        "status": poll.status,
        "http_status": poll.http_status,
        "found": polled.found,
        "new": len(polled.fresh),
        "bytes": poll.bytes,
        "error": poll.error,
        "seconds": round(took, 3),
    }
    result = poll.error or f"{polled.found} found, {len(polled.fresh)} new"
    message = "poll %s: %s, %s"
    log.info(message, poll.source, poll.status, result, extra={"facts": facts})
