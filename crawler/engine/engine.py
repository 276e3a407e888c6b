"""The engine of a crawl, which lives as long as the service or one pass (`passes`).

A visit and a page become plain data first (`visits`, `intake` in a worker); only the
writer's thread touches the store. What the engine does is in its parts: `polling`,
`pages`, `rechecks`.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from crawler.engine.context import CrawlContext
from crawler.engine.page_processing import PageProcessor
from crawler.engine.pages import Pages
from crawler.engine.polling import Polling
from crawler.engine.rechecks import Rechecks
from crawler.fetching import loop
from crawler.fetching.fetcher import Fetcher
from crawler.fetching.guard import Guard, parse_proxy
from crawler.sources import CrawlSettings, Source
from crawler.visits.visit_result import PollPlanner, plan_fixed_interval
from crawler.workers import WorkerPool
from storage.model import SourceState, utc_now
from storage.store import Store


class Engine(CrawlContext):
    """Visits sources and fetches what they point to.

    One in a process, on the loop of `crawler.fetching.loop`.
    """

    def __init__(
        self,
        store: Store,
        settings: CrawlSettings,
        sources: Iterable[Source],
        *,
        plan: PollPlanner = plan_fixed_interval,
        lookup: loop.ResolveHost = loop.resolve_host,
    ) -> None:
        self._lookup = lookup
        self._guard = Guard(settings.allow_addresses, parse_proxy(settings.proxy))
        pool = WorkerPool(settings.workers)
        super().__init__(
            store=store,
            settings=settings,
            sources=sources,
            plan=plan,
            fetcher=Fetcher(settings, self._guard, pool),
            pool=pool,
        )
        self.fetcher.hosts.on_hold = self._save_host_wait
        processor = PageProcessor(self)
        self.pages = Pages(self, processor)
        self.rechecks = Rechecks(self, processor)
        self.polling = Polling(self, self.pages)
        self._saving: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        """Open the downloader and warm the workers."""
        loop.install_guard(self._guard, self._lookup)
        self.pool.start()
        await self.fetcher.start()
        waits = await self.writer.run(self.store.host_waits.current, utc_now())
        self.fetcher.hosts.hold_all(waits)

    def reconfigure(self, settings: CrawlSettings, sources: Iterable[Source]) -> None:
        """Take over other settings and sources.

        `proxy`, `concurrency` and `workers` wait for the next start: the caller hands
        in those in force. What is under way goes on under the old ones.
        """
        self.settings = settings
        self.sources = {source.id: source for source in sources}
        self.fetcher.reconfigure(settings)

    async def stop(self, grace: float = 8.0) -> None:
        """Stop within about `grace` seconds.

        What is under way stays a pending lead.
        """
        tasks = [*self.pages.tasks, *self.rechecks.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.fetcher.stop(grace)
        await asyncio.gather(*self._saving, return_exceptions=True)
        await self.pool.close()
        await self.writer.close()

    def _save_host_wait(self, host: str, until: datetime) -> None:
        """Remember in the file that a host asked for patience.

        The next process knows it then, too.
        """

        async def save() -> None:
            with self.faults.noted():
                await self.writer.run(
                    self.store.host_waits.save, host, until, "asked to wait"
                )

        task = asyncio.ensure_future(save())
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)


def source_states(sources: Iterable[Source]) -> list[SourceState]:
    """Sources as the store is told of them."""
    return [
        SourceState(
            id=source.id,
            name=source.name or source.id,
            kind=source.kind,
            url=source.url,
            owner=source.owner,
            enabled=source.enabled,
        )
        for source in sources
    ]
