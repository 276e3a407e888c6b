"""The service, as a table of contents.

What runs beside what, how it starts, and how it ends.

The truth of what is due lives in the file (`sources.next_check_at`,
`leads.next_attempt_at`, `requests`); the heartbeat only asks. APScheduler keeps the
jobs apart from one another; nothing of it is persistent.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from crawler.engine.engine import VISIT_LEASE, Engine, source_states
from crawler.report import CrawlEvent
from crawler.sources import Source
from crawler.visits.source_visit import PollPlanner, VisitResult
from crawler.writer import STORE_FAULTS
from scheduler import stdin_file
from scheduler.config import Config
from scheduler.service import alerts, job_runner, notify, poll_schedule
from scheduler.service.connectivity import OfflineDetector
from scheduler.service.metrics import Metrics, MetricsServer
from storage import identity
from storage.errors import ConfigError, StoreBusy, StoreError, StoreUnusable
from storage.model import AlertCursor, Poll, SourceState, to_text, utc_now
from storage.store import Store

log = logging.getLogger("khabar")

# Sources visited at once; with 200, the loop stood still for 139 ms at p99 under 42,000
# polls a minute
MAX_VISITS = 100
# Visits begun before the loop turns: each takes about a millisecond to its request
VISITS_PER_LOOP_TURN = 5
STOP_SECONDS = 10.0  # seconds from SIGTERM to the end
DOWNLOAD_GRACE_SECONDS = 3.0  # of these, for downloads in flight
# Without a page to read, the workers end: 60 MB each that an idle service spares
IDLE_WORKERS_END_AFTER = timedelta(minutes=2)
RECHECK_SECONDS = 60  # seconds; second looks at kept pages
DRAIN_SECONDS = 10  # seconds; leads that wait for another try
# Seconds without new work after the file could not be written
FAULT_PAUSE_SECONDS = 10.0


class Service:
    """One process that visits what is due until it is told to stop."""

    def __init__(
        self,
        store: Store,
        config: Config,
        *,
        read_config: Callable[[], Config],
        plan: PollPlanner = poll_schedule.plan_next_check,
    ) -> None:
        self.store = store
        self.config = config
        self.read_config = read_config
        self.engine = Engine(store, config.crawl, config.sources, plan=self._plan)
        self.plan = plan
        self.offline_detector = OfflineDetector()
        self.metrics = Metrics()
        self.requests = job_runner.JobRunner(self.engine, self._visit_of)
        self.alerts = alerts.Alerts(
            config.store.path, config.alerts, config.crawl, keep=self._keep
        )
        self._jobs = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None}
        )
        self._visits: dict[str, asyncio.Task[None]] = {}
        # Claimed sources whose poll could not be stored
        self._unreleased: set[str] = set()
        self._resting_until = 0.0  # monotonic; after a fault of the file
        self._stop = asyncio.Event()
        self._working: asyncio.Task[None] | None = None  # what the last heartbeat began
        self._looks_due = 0.0  # of the hour's budget, what may be spent now
        self._claiming = False
        self._more_is_due = False  # the last claim took all it could
        self._lost: StoreError | None = None  # why the service ends by itself
        self._hasty: asyncio.Task[None] | None = None
        # Of saved searches; a receiver may be slow
        self._telling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Live from start to stop.

        Raises StoreError where the file cannot be used at all.
        """
        listener = MetricsServer(self.config.service.metrics, self.engine, self.metrics)
        listener.start()
        with self._signals():
            await self.engine.writer.run(
                self.store.sources.sync, source_states(self.config.sources)
            )
            await asyncio.to_thread(
                stdin_file.remove_leftovers, self.store.path, utc_now()
            )
            await self.alerts.begin()
            await self.engine.start()
            self.engine.listeners += [self._log_visit, self.metrics.note]
            self._plan_jobs()
            self._say_ready()
            await self._stop.wait()
            notify.notify_stopping()
            log.info("stopping")
            listener.stop()
            await self._end()
        if self._lost is not None:
            raise self._lost

    # The jobs

    def _plan_jobs(self) -> None:
        self._every(1, self._tick)
        self._every(DRAIN_SECONDS, self._drain)
        self._every(alerts.CHECK_SECONDS, self._alert)
        self._every(RECHECK_SECONDS, self._look_again)
        self._every(30, self._beat)
        self._every(60, self._rest)
        self._every(600, partial(self._write, self.store.checkpoint))
        self._every(3600, self._expire)
        if self.config.service.backup is not None:
            self._every(self.config.service.backup_every.total_seconds(), self._back_up)
        interval = notify.watchdog_interval()
        if interval is not None:
            self._every(interval, self._show_life)
        self._jobs.add_listener(self._note_broken_job, EVENT_JOB_ERROR)
        self._jobs.start()

    def _every(
        self, seconds: float, job: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self._jobs.add_job(
            job, "interval", seconds=seconds, next_run_time=utc_now(), max_instances=1
        )

    def _note_broken_job(self, event: JobExecutionEvent) -> None:
        log.error("job failed: %s", event.exception, exc_info=event.exception)

    async def _tick(self) -> None:
        """The heartbeat.

        What it begins may wait long for the file; the heart does not.
        """
        self.metrics.record_heartbeat(time.monotonic())
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        """Claim what is due, and take up what somebody asked for."""
        if self._is_resting():
            return
        with self._forgiving():
            await self._release()
            await self._claim()
            await self.requests.start_waiting()

    async def _claim(self) -> None:
        """Begin to visit what is due, a few at a time so that the loop breathes in between."""
        room = MAX_VISITS - len(self._visits)
        if room <= 0 or self._claiming:
            return
        self._claiming = True
        try:
            states = await self.engine.writer.run(
                self.store.sources.claim_due, utc_now(), limit=room, lease=VISIT_LEASE
            )
            self._more_is_due = len(states) == room
            for number, state in enumerate(states, 1):
                self._begin(state)
                if number % VISITS_PER_LOOP_TURN == 0:
                    await asyncio.sleep(0)
        finally:
            self._claiming = False

    async def _drain(self) -> None:
        if not self._is_resting():
            with self._forgiving():
                await self.engine.start_pending()

    async def _alert(self) -> None:
        """Tell what saved searches have found since the last look."""
        if not self._is_resting() and (self._telling is None or self._telling.done()):
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        with self._forgiving():
            await self.alerts.deliver()

    async def _keep(self, rows: list[AlertCursor]) -> None:
        await self.engine.writer.run(self.store.alert_cursors.save, rows)

    async def _look_again(self) -> None:
        """Second looks at kept pages, as many as the budget of the hour allows by now."""
        plan = self.config.crawl.recheck
        share = plan.budget * RECHECK_SECONDS / 3600
        self._looks_due = min(self._looks_due + share, max(share, 1.0))
        if not plan.enabled or self._is_resting() or self._looks_due < 1:
            return
        looks = await self._write(
            self.store.rechecks.claim_due,
            utc_now(),
            limit=int(self._looks_due),
            lease=VISIT_LEASE,
        )
        self._looks_due -= len(looks or ())
        self.engine.start_rechecks(looks or ())

    async def _beat(self) -> None:
        await self._write(self.store.service.beat, utc_now())
        if not self.store.is_in_place():
            await self._give_up()

    async def _give_up(self) -> None:
        """The file was taken away or replaced.

        Whatever is written from now on would be lost with its last user.
        """
        path = self.config.store.path
        rescued = path.with_name(path.name + ".rescued")
        self._lost = StoreUnusable(
            f"{path} was removed or replaced while the service ran; its content is in {rescued}"
        )
        try:
            await self.engine.writer.run(self.store.backup, rescued)
        except STORE_FAULTS as error:
            self._lost = StoreUnusable(
                f"{path} was removed or replaced while the service ran ({error})"
            )
        log.error("%s", self._lost)
        self._stop.set()

    async def _rest(self) -> None:
        """End workers that have nothing to do; the next page starts them again."""
        await self.engine.pool.end_if_idle(IDLE_WORKERS_END_AFTER.total_seconds())

    async def _expire(self) -> None:
        keep = self.config.store
        freed = await self._write(
            self.store.erasure.expire,
            utc_now(),
            keep_captures=keep.keep_captures,
            keep_rejected=keep.keep_rejected,
            max_size=keep.max_size,
        )
        if freed:
            log.info(
                "expired: %d bytes freed",
                freed,
                extra={"facts": {"action": "expire", "freed": freed}},
            )

    async def _back_up(self) -> None:
        target = self.config.service.backup
        assert target is not None
        await asyncio.to_thread(_copy_database, self.config, target)
        log.info(
            "backed up to %s",
            target,
            extra={"facts": {"action": "backup", "file": str(target)}},
        )

    async def _show_life(self) -> None:
        """Feed the watchdog once the loop, the writer and the pool were found alive."""
        await asyncio.wait_for(self.engine.writer.run(utc_now), 30)
        await asyncio.wait_for(self.engine.pool.check_alive(), 30)
        notify.feed_watchdog()

    # Visits

    def _begin(self, state: SourceState) -> None:
        if state.id not in self.engine.sources:
            # Gone with a new configuration; the next synchronisation switches it off
            self._unreleased.add(state.id)
            return
        task = asyncio.ensure_future(self._visit(state))
        self._visits[state.id] = task
        task.add_done_callback(lambda _, id_=state.id: self._ended(id_))  # type: ignore[misc]

    def _ended(self, source: str) -> None:
        """A visit is over.

        Where many wait, the next ones do not wait for the heartbeat.
        """
        del self._visits[source]
        if (
            self._more_is_due
            and not self._claiming
            and len(self._visits) <= MAX_VISITS // 2
            and not self._stop.is_set()
        ):
            self._more_is_due = False
            self._hasty = asyncio.ensure_future(self._hasten())

    async def _hasten(self) -> None:
        if not self._is_resting():
            with self._forgiving():
                await self._claim()

    async def _visit(self, state: SourceState) -> None:
        try:
            landed = await self.engine.visit(state)
        # One source's fault must not end the service; it is visited again when its
        # lease ends
        except Exception:
            log.exception("visit failed: %s", state.id)
            return
        if landed is None:
            self._unreleased.add(state.id)

    def _visit_of(self, source: str) -> asyncio.Task[None] | None:
        return self._visits.get(source)

    def _plan(
        self,
        source: Source,
        state: SourceState,
        visited: VisitResult,
        *,
        found: int,
        fresh: int,
    ) -> Poll:
        """When to look again.

        While no host answers, the machine is to blame and not the source.
        """
        self.offline_detector.note(identity.url_host(source.url), visited)
        if visited.trouble is not None and self.offline_detector.is_offline:
            visited = replace(visited, trouble=poll_schedule.FailureKind.OFFLINE)
        return self.plan(source, state, visited, found=found, fresh=fresh)

    def _log_visit(self, event: CrawlEvent) -> None:
        """One canonical line for each visit."""
        if event.visited is None or event.polled is None:
            return
        poll, polled = event.visited.poll, event.polled
        facts = {
            "action": "poll", "source": poll.source, "status": poll.status, "http_status": poll.http_status,
            "found": polled.found, "new": len(polled.fresh), "bytes": poll.bytes, "error": poll.error,
            "seconds": round((poll.ended_at - poll.started_at).total_seconds(), 3),
        }  # fmt: skip
        told = poll.error or f"{polled.found} found, {len(polled.fresh)} new"
        log.info(
            "poll %s: %s, %s", poll.source, poll.status, told, extra={"facts": facts}
        )

    # The file

    async def _write(
        self, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """What a method of the store returns.

        None where the file could not be used, after which work rests a while.
        """
        with self._forgiving():
            return await self.engine.writer.run(function, *args, **kwargs)

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """The service outlives every fault of the file.

        It says so, rests, and tries again.
        """
        try:
            yield
        except STORE_FAULTS as error:
            self._note_fault(error)

    def _is_resting(self) -> bool:
        """Whether the file could not be written a moment ago.

        What was not stored is asked for again after that.
        """
        if self.engine.fault is not None:
            self._note_fault(self.engine.fault)
            self.engine.fault = None
        return time.monotonic() < self._resting_until

    def _note_fault(self, error: StoreError | StoreBusy) -> None:
        if time.monotonic() >= self._resting_until:
            log.error(
                "the file cannot be used: %s",
                error,
                extra={"facts": {"action": "storage", "error": str(error)}},
            )
        self._resting_until = time.monotonic() + FAULT_PAUSE_SECONDS
        self.metrics.storage_faults += 1

    async def _release(self) -> None:
        """Give back what was claimed and could not be landed, now that the file can be written."""
        for source in tuple(self._unreleased):
            await self.engine.writer.run(self.store.sources.release, source)
            self._unreleased.discard(source)

    # Signals, reload, end

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop, a second one at once.

        SIGHUP reads the configuration again.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: asyncio.ensure_future(self.reload())
        )
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            os._exit(130)  # what is under way is a pending lead already
        self._stop.set()

    async def reload(self) -> None:
        """Take over a new configuration whole, or none of it.

        What is in flight goes on.
        """
        notify.notify_reloading()
        try:
            config = await asyncio.to_thread(self.read_config)
        except ConfigError as error:
            log.error("configuration not taken over, the old one stays: %s", error)  # noqa: TRY400 - no defect of ours
        else:
            self._take_over(config)
            await self._write(self.store.sources.sync, source_states(config.sources))
            await self._alert()
            log.info(
                "configuration taken over: %d sources", len(config.enabled_sources)
            )
        self._say_ready()

    def _take_over(self, config: Config) -> None:
        old = self.config
        if (config.store, config.service) != (
            old.store,
            old.service,
        ) or config.crawl.proxy != old.crawl.proxy:
            log.warning(
                "[store], [service] and crawl.proxy take effect with the next start"
            )
        self.config = replace(config, store=old.store, service=old.service)
        self.alerts.alerts = config.alerts
        self.engine.sources = {source.id: source for source in config.sources}
        self.engine.settings = replace(config.crawl, proxy=old.crawl.proxy)
        self.engine.fetcher.settings = self.engine.settings

    def _say_ready(self) -> None:
        status = f"{len(self.config.enabled_sources)} sources"
        notify.notify_ready(status)
        log.info(
            "ready: %s, %s",
            status,
            self.config.store.path,
            extra={"facts": {"action": "ready"}},
        )

    async def _end(self) -> None:
        """End in order: no new work, visits, the engine, the scheduler last.

        All pending leads are in the file.
        """
        self._jobs.pause()
        under_way = [
            task
            for task in (self._working, self._hasty, self._telling)
            if task is not None
        ]
        tasks = [*self._visits.values(), *self.requests.tasks, *under_way]
        for task in tasks:
            task.cancel()
        try:
            async with asyncio.timeout(STOP_SECONDS - 1):
                await asyncio.gather(*tasks, return_exceptions=True)
                with contextlib.suppress(*STORE_FAULTS):
                    await self.engine.writer.run(self.store.service.beat, utc_now())
                await self.engine.stop(DOWNLOAD_GRACE_SECONDS)
        except TimeoutError:
            log.warning("not everything could be ended in time")
        self._jobs.shutdown(wait=False)
        log.info(
            "stopped at %s", to_text(utc_now()), extra={"facts": {"action": "stopped"}}
        )


def _copy_database(config: Config, target: Any) -> None:
    with Store.read(config.store.path) as store:
        store.backup(target)
