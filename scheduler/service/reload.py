"""A new configuration under a running service: taken over whole, or not at all."""

import asyncio
import logging
from collections.abc import Callable

from crawler.engine.engine import Engine, source_states
from scheduler.config import Config
from scheduler.config_keys import TakesEffect
from scheduler.config_reload import changed_keys, in_force
from scheduler.service.alerts import Alerts
from scheduler.service.fault_pause import FaultPause
from scheduler.service.housekeeping import Housekeeping
from storage.errors import ConfigError

log = logging.getLogger("khabar")


class Reload:
    """Hands a new configuration to the parts of the service that depend on it."""

    def __init__(
        self,
        engine: Engine,
        alerts: Alerts,
        housekeeping: Housekeeping,
        fault_pause: FaultPause,
        *,
        read_config: Callable[[], Config],
    ) -> None:
        self._engine = engine
        self._alerts = alerts
        self._housekeeping = housekeeping
        self._fault_pause = fault_pause
        self._read_config = read_config
        self._unsaved: Config | None = None  # taken over, and not yet in the file
        self._waiting_keys: list[str] = []

    async def reload(self, old: Config) -> Config:
        """Read the configuration and take it over. Returns the one now in force.

        What is under way goes on. A faulty configuration changes nothing. Keys that
        wait for the next start keep their old value; the log and `khabar status` name
        them.
        """
        try:
            new = await asyncio.to_thread(self._read_config)
        except ConfigError as error:
            # The fault is the file's and not ours: a traceback would say nothing more.
            log.error("configuration not taken over, the old one stays: %s", error)  # noqa: TRY400
            return old
        self._waiting_keys = [
            change.path
            for change in changed_keys(old, new)
            if change.takes_effect is TakesEffect.NEXT_START
        ]
        new = in_force(old, new)
        self._engine.reconfigure(new.crawl, new.sources)
        self._alerts.reconfigure(new.alerts, new.crawl)
        self._housekeeping.config = new
        self._unsaved = new
        with self._fault_pause.tolerating():
            await self.save()
        log.info("configuration taken over: %d sources", len(new.enabled_sources))
        if self._waiting_keys:
            keys = ", ".join(self._waiting_keys)
            log.warning("these keys wait for the next start: %s", keys)
        return new

    async def save(self) -> None:
        """Write the sources of the last reload into the file, where they are not yet.

        Raises StoreError; the heartbeat then calls it again. Else a source that was
        added while the disk was full would wait for the next start.
        """
        config = self._unsaved
        if config is None:
            return
        store, run = self._engine.store, self._engine.writer.run
        await run(store.sources.sync, source_states(config.sources))
        await run(store.service.save_waiting_keys, self._waiting_keys)
        if self._unsaved is config:  # and no other reload came meanwhile
            self._unsaved = None
