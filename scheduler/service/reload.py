"""A new configuration under a running service: taken over whole, or not at all."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from crawler.engine.engine import Engine, source_states
from scheduler.config import Config
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

    async def reload(self, old: Config) -> Config:
        """Read the configuration and take it over. Returns the one now in force.

        What is under way goes on. A faulty configuration changes nothing.
        """
        try:
            new = await asyncio.to_thread(self._read_config)
        except ConfigError as error:
            # The fault is the file's and not ours: a traceback would say nothing more.
            log.error("configuration not taken over, the old one stays: %s", error)  # noqa: TRY400
            return old
        if (
            new.store != old.store
            or new.service != old.service
            or new.crawl.proxy != old.crawl.proxy
        ):
            log.warning(
                "[store], [service] and crawl.proxy take effect with the next start"
            )
        crawl = replace(new.crawl, proxy=old.crawl.proxy)
        new = replace(new, crawl=crawl, store=old.store, service=old.service)
        self._engine.sources = {source.id: source for source in new.sources}
        self._engine.settings = new.crawl
        self._engine.fetcher.settings = new.crawl
        self._alerts.reconfigure(new.alerts, new.crawl)
        self._housekeeping.config = new
        await self._fault_pause.write(
            self._engine.store.sources.sync, source_states(new.sources)
        )
        log.info("configuration taken over: %d sources", len(new.enabled_sources))
        return new
