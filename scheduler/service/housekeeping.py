"""What the service does for its file beside the crawl, each by the clock.

Signs of life, raw pages past their age, the log of writes, backups, idle workers, and
whether the file is still in its place.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crawler.engine.engine import Engine
from crawler.writer import STORE_FAULTS
from scheduler.config import Config
from scheduler.service import notify
from scheduler.service.fault_pause import FaultPause
from storage.errors import StoreError, StoreUnusable
from storage.model import utc_now
from storage.store import Store

log = logging.getLogger("khabar")

# Two beats further apart than ten minutes are recorded as a time without sight.
BEAT_SECONDS = 30
RESCUED_KEPT = 3  # former rescued files beside the newest
IDLE_WORKERS_CHECK_SECONDS = 60
# SQLite does so by itself, unless a reader is always there: then the log grows.
CHECKPOINT_SECONDS = 600
EXPIRY_SECONDS = 3600
# Workers without a page to read hold 60 MB each, which an idle service spares.
IDLE_WORKERS_END_AFTER = timedelta(minutes=2)
BACKUP_CHECK_SECONDS = 60
# A copy is done some seconds after it was due, and would move on by them each day.
BACKUP_TOLERANCE = timedelta(seconds=30)
# A file that was lost is begun anew, empty: somebody has so long to see it before a
# copy of it is made where one of the former stands.
MIN_AGE_OF_BACKED_UP_FILE = timedelta(minutes=10)
WATCHDOG_PART_SECONDS = 30  # for the writer, and for the workers, to answer


class Housekeeping:
    """Looks after the file. `config` is the one in force; a reload sets it anew.

    `end_service` is called with the reason when the file was taken away.
    """

    def __init__(
        self,
        engine: Engine,
        fault_pause: FaultPause,
        config: Config,
        *,
        end_service: Callable[[StoreError], None],
    ) -> None:
        self.config = config
        self._engine = engine
        self._fault_pause = fault_pause
        self._end_service = end_service

    async def beat(self) -> None:
        """Write a sign of life, and end the service when its file was taken away.

        SQLite goes on writing to a file that was removed or replaced, and all of it
        would be lost with the last process that has it open. So its content is copied
        beside the place where it stood.
        """
        store = self._engine.store
        await self._fault_pause.write(store.service.beat, utc_now())
        if store.is_in_place():
            return
        path = self.config.store.path
        what = f"{path} was removed or replaced while the service ran"
        rescued = path.with_name(path.name + ".rescued")
        try:
            # Whatever it holds: what is not copied now is lost.
            await self._engine.writer.run(
                store.backup, rescued, check=False, keep=RESCUED_KEPT
            )
        except STORE_FAULTS as error:
            self._end_service(StoreUnusable(f"{what} ({error})"))
        else:
            self._end_service(StoreUnusable(f"{what}; its content is in {rescued}"))

    async def expire(self) -> None:
        """Drop raw pages that are past their age, or over the size allowed."""
        settings = self.config.store
        freed = await self._fault_pause.write(
            self._engine.store.erasure.expire,
            utc_now(),
            keep_captures=settings.keep_captures,
            keep_rejected=settings.keep_rejected,
            max_size=settings.max_size,
        )
        if freed:
            facts = {"action": "expire", "freed": freed}
            log.info("expired: %d bytes freed", freed, extra={"facts": facts})

    async def checkpoint(self) -> None:
        """Move the log of writes into the file."""
        await self._fault_pause.write(self._engine.store.checkpoint)

    async def back_up(self) -> None:
        """Copy the database to the configured place, when the last copy is old enough.

        A reader of its own does it in a thread, so that writing goes on meanwhile.
        Raises StoreError and UsageError, which stand in the file as the job's fault.
        """
        service = self.config.service
        target = service.backup
        assert target is not None
        now = utc_now()
        made_at = await self._engine.writer.run(self._engine.store.service.made_at)
        last = _modified_at(target)
        if last is not None and now - made_at < MIN_AGE_OF_BACKED_UP_FILE:
            return
        if not is_backup_due(last, now, service.backup_every):
            return
        await asyncio.to_thread(
            _copy_database, self.config.store.path, target, service.backup_keep
        )
        facts = {"action": "backup", "file": str(target)}
        log.info("backed up to %s", target, extra={"facts": facts})

    async def end_idle_workers(self) -> None:
        """End workers that have nothing to do; the next page starts them again."""
        await self._engine.pool.end_if_idle(IDLE_WORKERS_END_AFTER.total_seconds())

    async def feed_watchdog(self) -> None:
        """Tell systemd that the loop, the writer and the workers each answered.

        Raises TimeoutError where one of them did not: systemd then restarts the
        service.
        """
        await asyncio.wait_for(self._engine.writer.run(utc_now), WATCHDOG_PART_SECONDS)
        await asyncio.wait_for(self._engine.pool.check_alive(), WATCHDOG_PART_SECONDS)
        notify.feed_watchdog()


def is_backup_due(last: datetime | None, now: datetime, every: timedelta) -> bool:
    """Whether a further copy is due after that of the time `last`. Pure.

    Not with each start: a service that is restarted again and again would push its
    good copies out. A copy from the future says that the clock was set back.
    """
    if last is None or last > now:
        return True
    return now - last >= every - BACKUP_TOLERANCE


def _modified_at(file: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError:
        return None


def _copy_database(path: Path, target: Path, keep: int) -> None:
    with Store.read(path) as store:
        store.backup(target, keep=keep)
