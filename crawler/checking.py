"""Asking sources once, without a store: what each answers, and how fresh it is."""

import asyncio
from collections.abc import Callable, Sequence

from crawler import loop, visits
from crawler.guard import Guard, endpoint
from crawler.sources import CrawlSettings, Source
from crawler.spiders import Fetcher
from crawler.visits import Visited
from crawler.workers import Pool
from storage.model import SourceState


async def check(
    sources: Sequence[Source], settings: CrawlSettings, *, progress: Callable[[str], None] = lambda _: None
) -> list[Visited]:
    """Visit each source once, unconditionally, politely; the answers in the order of the sources."""
    guard, pool = Guard(settings.allow_addresses, endpoint(settings.proxy)), Pool(settings.workers)
    fetcher = Fetcher(settings, guard, pool)
    loop.protect(guard)
    pool.start()
    await fetcher.start()

    async def visit(source: Source) -> Visited:
        state = SourceState(id=source.id, name=source.name, kind=source.kind, url=source.url)
        visited = await visits.poll(fetcher, pool, source, state, settings, manual=True)
        progress(f"{source.id}: {visited.poll.error or f'{len(visited.poll.leads)} items'}")
        return visited

    try:
        return await asyncio.gather(*(visit(source) for source in sources))
    finally:
        await fetcher.stop(grace=5.0)
        await pool.close()
