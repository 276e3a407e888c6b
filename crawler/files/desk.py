"""Who reads and writes when files are worked on, and by which rules: the service's own, or somebody's for one work."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crawler.sources import CrawlSettings, Source
from crawler.workers import Pool
from crawler.writer import Writer
from storage.store import Store

AHEAD = 4  # tasks in flight for each worker, where nobody else wants them
PAGES = 16  # captures of one task, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The writing thread, the workers, and what they go by.

    `ahead` are the tasks in flight for each worker, `pages` the captures of one: others wait behind them.
    """

    writer: Writer
    pool: Pool
    settings: CrawlSettings
    sources: Mapping[str, Source]  # by id
    ahead: int = AHEAD
    pages: int = PAGES

    @property
    def most(self) -> int:
        """How many tasks may be in flight."""
        return self.pool.size * self.ahead


@asynccontextmanager
async def opened(store: Store, sources: Iterable[Source], settings: CrawlSettings) -> AsyncIterator[Desk]:
    """A desk of one's own over an open store, for as long as the block; the store stays open."""
    by_id = {source.id: source for source in sources}
    desk = Desk(writer=Writer(store), pool=Pool(settings.workers), settings=settings, sources=by_id)
    try:
        yield desk
    finally:
        await desk.pool.close()
        await desk.writer.close()
