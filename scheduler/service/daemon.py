"""The service, as a table of contents.

What it is made of, what runs beside what, how it starts and how it ends. Each part
stands in a module of its own:

- `due_sources`: sources that are due are claimed and visited
- `crawler.engine`: their pages are fetched, read and stored; what is pending is taken up
- `recheck_budget`: kept pages are looked at again
- `job_runner`: work that other processes hand over
- `alerts`: saved searches send what they found
- `housekeeping`: signs of life, expiry, backup, watchdog
- `fault_pause`: what happens while the file cannot be used
- `reload`: a new configuration
- `metrics`, `metrics_server`: what Prometheus and a supervisor are told

The truth of what is due lives in the file (`sources.next_check_at`,
`leads.next_attempt_at`, `requests`); a clock here only asks for it. APScheduler keeps
the clocks apart from one another; nothing of it is persistent.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from crawler.engine.engine import Engine, source_states
from crawler.visits.visit_result import PollPlanner
from crawler.writer import STORE_FAULTS
from scheduler import stdin_file
from scheduler.config import Config
from scheduler.health import Status, read_status
from scheduler.open_store import open_for_reading
from scheduler.service import (
    alerts,
    housekeeping,
    notify,
    poll_schedule,
    recheck_budget,
)
from scheduler.service.alerts import Alerts
from scheduler.service.connectivity import OfflineDetector
from scheduler.service.due_sources import DueSources, log_visit
from scheduler.service.fault_pause import FaultPause
from scheduler.service.housekeeping import Housekeeping
from scheduler.service.job_runner import JobRunner
from scheduler.service.metrics import Metrics
from scheduler.service.recheck_budget import RecheckBudget
from scheduler.service.reload import Reload
from storage.errors import KhabarError, StoreError
from storage.model import AlertCursor, to_text, utc_now
from storage.store import Store

log = logging.getLogger("khabar")

Work = Callable[[], Coroutine[Any, Any, None]]

HEARTBEAT_SECONDS = 1
MAX_CLOCK_STEP_SECONDS = 2.0  # smaller ones are corrections, which delay nothing
PENDING_SECONDS = 10  # between two looks for pages that wait for another try
STOP_SECONDS = 10.0  # from SIGTERM to the end
DOWNLOAD_GRACE_SECONDS = 3.0  # of these, for downloads in flight
KILLED_EXIT_CODE = 130  # as a shell tells an interrupted program


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
        self.metrics = Metrics()
        self.offline_detector = OfflineDetector(plan)
        self.engine = Engine(
            store,
            config.crawl,
            config.sources,
            plan=self.offline_detector.plan_next_check,
        )
        self.fault_pause = FaultPause(self.engine, self.metrics)
        self.due_sources = DueSources(self.engine, self.fault_pause)
        self.recheck_budget = RecheckBudget(self.engine, self.fault_pause)
        self.jobs = JobRunner(self.engine, self.due_sources.visit_of)
        self.alerts = Alerts(
            config.store.path, config.alerts, config.crawl, save=self._save_cursors
        )
        self.housekeeping = Housekeeping(
            self.engine, self.fault_pause, config, end_service=self._end_with
        )
        self.config_reload = Reload(
            self.engine,
            self.alerts,
            self.housekeeping,
            self.fault_pause,
            read_config=read_config,
        )
        # After a sleep of the machine each clock rings once, not for each time missed.
        self._clocks = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None}
        )
        self._running: dict[str, asyncio.Task[None]] = {}  # what a clock began, by name
        self._reloading = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._backup_fault: str | None = None  # None: not tried since the start
        self._lost: StoreError | None = None  # why the service ends by itself

    async def run(self) -> None:
        """Live from start to stop.

        Raises StoreError where the file cannot be used at all, UsageError where the
        address for metrics is taken.
        """
        with self._handling_signals():
            with self._serving_metrics():
                await self._start()
                await self._stopping.wait()
                notify.notify_stopping()
                log.info("stopping")
            await self._end()
        if self._lost is not None:
            raise self._lost

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stopping.set()

    async def _start(self) -> None:
        await self.engine.writer.run(
            self.store.sources.sync, source_states(self.config.sources)
        )
        await self.engine.writer.run(self.store.service.save_waiting_keys, ())
        await asyncio.to_thread(stdin_file.remove_leftovers, self.store.path, utc_now())
        await self.alerts.register()
        await self.engine.start()
        self.engine.listeners += [log_visit, self.metrics.count_event]
        self._start_clocks()
        self._announce_ready()

    # What runs beside what

    def _start_clocks(self) -> None:
        keeping, service = self.housekeeping, self.config.service
        self.every(HEARTBEAT_SECONDS, self._heartbeat)
        self.every(PENDING_SECONDS, self._start_pending)
        self.every(alerts.CHECK_SECONDS, self._send_alerts)
        self.every(recheck_budget.CHECK_SECONDS, self.recheck_budget.start_due)
        self.every(housekeeping.BEAT_SECONDS, keeping.beat)
        self.every(housekeeping.IDLE_WORKERS_CHECK_SECONDS, keeping.end_idle_workers)
        self.every(housekeeping.CHECKPOINT_SECONDS, keeping.checkpoint)
        self.every(housekeeping.EXPIRY_SECONDS, keeping.expire)
        if service.backup is not None:
            self.every(housekeeping.BACKUP_CHECK_SECONDS, self._back_up)
        watchdog_seconds = notify.watchdog_interval()
        if watchdog_seconds is not None:
            self.every(watchdog_seconds, keeping.feed_watchdog)
        self._clocks.add_listener(_log_failure, EVENT_JOB_ERROR)
        self._clocks.start()
        self._running["clock"] = asyncio.ensure_future(self._follow_wall_clock())

    def every(self, seconds: float, work: Work) -> None:
        """Do some work now and again and again, never twice at a time."""
        self._clocks.add_job(
            work, "interval", seconds=seconds, next_run_time=utc_now(), max_instances=1
        )

    async def _follow_wall_clock(self) -> None:
        """Run every job at once when the wall clock is set back.

        APScheduler plans by the wall clock, and would wait until it has caught up: ten
        minutes without a sign of life, and systemd's watchdog ends the service. The
        loop itself goes by the monotonic clock.
        """
        ahead = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            now_ahead = time.time() - time.monotonic()
            if now_ahead < ahead - MAX_CLOCK_STEP_SECONDS:
                log.warning("the clock was set back by %.0f s", ahead - now_ahead)
                for job in self._clocks.get_jobs():
                    job.modify(next_run_time=utc_now())
            ahead = now_ahead

    async def _heartbeat(self) -> None:
        """The heartbeat. What it begins may wait long for the file; it does not."""
        self.metrics.record_heartbeat(time.monotonic())
        self._start_unless_running("work", self._start_work)

    async def _start_work(self) -> None:
        """Visit what is due, and begin jobs that somebody handed over."""
        if not self.fault_pause.is_on():
            with self.fault_pause.tolerating():
                await self.config_reload.save()
                await self.due_sources.claim_due()
                await self.jobs.start_waiting()

    async def _start_pending(self) -> None:
        if not self.fault_pause.is_on():
            with self.fault_pause.tolerating():
                await self.engine.pages.start_pending()

    async def _back_up(self) -> None:
        """Make a copy when one is due; a failure stands in the file for `status`."""
        error = ""
        try:
            await self.housekeeping.back_up()
        except (OSError, KhabarError) as fault:
            error = str(fault)
        if error != self._backup_fault:
            if error:
                facts = {"action": "backup", "error": error}
                log.error("no backup was made: %s", error, extra={"facts": facts})
            self._backup_fault = error
            await self.fault_pause.write(
                self.store.service.save_job_fault, "backup", error, utc_now()
            )

    async def _send_alerts(self) -> None:
        # A receiver may be slow: this clock goes on without it.
        if not self.fault_pause.is_on():
            self._start_unless_running("alerts", self._deliver_alerts)

    async def _deliver_alerts(self) -> None:
        with self.fault_pause.tolerating():
            await self.alerts.deliver()

    async def _save_cursors(self, cursors: list[AlertCursor]) -> None:
        await self.engine.writer.run(self.store.alert_cursors.save, cursors)

    def _start_unless_running(self, name: str, work: Work) -> None:
        task = self._running.get(name)
        if task is None or task.done():
            self._running[name] = asyncio.ensure_future(work())

    # Metrics, signals, reload, end

    @contextlib.contextmanager
    def _serving_metrics(self) -> Iterator[None]:
        """Answer Prometheus and supervisors meanwhile, where an address is given."""
        address = self.config.service.metrics
        if not address:
            yield
            return
        # Prometheus's client takes 70 ms to import, which most services can spare.
        from scheduler.service.metrics_server import MetricsServer

        with MetricsServer(
            address, self.engine, self.metrics, read_status=self._read_status
        ):
            yield

    def _read_status(self) -> Status:
        """What `khabar status` says, by a reader of its own. Raises StoreError."""
        with open_for_reading(self.config) as store:
            return read_status(store, self.config, utc_now())

    @contextlib.contextmanager
    def _handling_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop, a second one at once; SIGHUP reloads."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._stop_or_exit,
            signal.SIGINT: self._stop_or_exit,
            signal.SIGHUP: lambda: asyncio.ensure_future(self.reload()),
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _stop_or_exit(self) -> None:
        if self._stopping.is_set():
            # Nothing is lost: what is under way is a pending lead already.
            os._exit(KILLED_EXIT_CODE)
        self.stop()

    async def reload(self) -> None:
        """Take over a new configuration whole, or none of it; see `reload`."""
        async with self._reloading:
            notify.notify_reloading()
            self.config = await self.config_reload.reload(self.config)
            await self._send_alerts()  # new alerts begin now, not at their next turn
            self._announce_ready()

    def _announce_ready(self) -> None:
        status = f"{len(self.config.enabled_sources)} sources"
        notify.notify_ready(status)
        facts = {"action": "ready"}
        log.info("ready: %s, %s", status, self.store.path, extra={"facts": facts})

    def _end_with(self, error: StoreError) -> None:
        """End because the file was lost; `run` raises the error."""
        log.error("%s", error)
        self._lost = error
        self.stop()

    async def _end(self) -> None:
        """End in order: no new work, what is under way, the engine, the clocks.

        All that could not be ended is a pending lead, which the next start takes up.
        """
        self._clocks.pause()
        began = [*self.jobs.tasks, *self._running.values()]
        for task in began:
            task.cancel()
        began += self.due_sources.end()
        try:
            async with asyncio.timeout(STOP_SECONDS - 1):
                await asyncio.gather(*began, return_exceptions=True)
                # The last sign of life: from here on nothing is seen.
                with contextlib.suppress(*STORE_FAULTS):
                    await self.engine.writer.run(self.store.service.beat, utc_now())
                await self.engine.stop(DOWNLOAD_GRACE_SECONDS)
        except TimeoutError:
            log.warning("not everything could be ended in time")
        self._clocks.shutdown(wait=False)
        facts = {"action": "stopped"}
        log.info("stopped at %s", to_text(utc_now()), extra={"facts": facts})


def _log_failure(event: JobExecutionEvent) -> None:
    log.error("job failed: %s", event.exception, exc_info=event.exception)
