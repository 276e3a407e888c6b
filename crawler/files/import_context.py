"""Who reads and writes when files are worked on, and by which rules.

The service's own writer and workers, or somebody's for one work.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crawler.sources import CrawlSettings, Source
from crawler.workers import WorkerPool
from crawler.writer import Writer
from storage.store import Store

TASKS_PER_WORKER = 4  # in flight, where nobody else wants the workers
CAPTURES_PER_TASK = 16  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportContext:
    """The writing thread, the workers, and what they go by.

    Whoever else needs a worker waits behind `tasks_per_worker` tasks of `pages`
    captures each.
    """

    writer: Writer
    pool: WorkerPool
    settings: CrawlSettings
    sources: Mapping[str, Source]  # by id
    tasks_per_worker: int = TASKS_PER_WORKER
    pages: int = CAPTURES_PER_TASK

    @property
    def max_tasks(self) -> int:
        """How many tasks may be in flight."""
        return self.pool.size * self.tasks_per_worker


@asynccontextmanager
async def open_context(
    store: Store, sources: Iterable[Source], settings: CrawlSettings
) -> AsyncIterator[ImportContext]:
    """A context of one's own over an open store, for as long as the block.

    The store stays open.
    """
    context = ImportContext(
        writer=Writer(store),
        pool=WorkerPool(settings.workers),
        settings=settings,
        sources={source.id: source for source in sources},
    )
    try:
        yield context
    finally:
        await context.pool.close()
        await context.writer.close()
