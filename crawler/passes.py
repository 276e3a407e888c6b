"""One pass of the crawl from start to end.

What is wanted is visited now, and awaited until nothing is left to try.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from crawler import backfill
from crawler.engine.engine import VISIT_LEASE, Engine, Window, source_states
from crawler.fetching import loop
from crawler.leads import polls
from crawler.report import CrawlEvent, CrawlReport
from crawler.sources import CrawlSettings, Source
from crawler.visits.source_visit import PollPlanner, plan_fixed_interval
from storage import identity
from storage.model import SourceState, utc_now
from storage.store import Store

ANY_DATE = Window()
NOT_DUE = "not_due"


async def crawl(
    store: Store,
    sources: Sequence[Source],
    settings: CrawlSettings,
    *,
    only: Collection[str] | None = None,
    force: bool = False,
    window: Window = ANY_DATE,
    plan: PollPlanner = plan_fixed_interval,
    on_event: Callable[[CrawlEvent], None] | None = None,
    lookup: loop.ResolveHost = loop.resolve_host,
) -> CrawlReport:
    """One pass over the named or all enabled sources.

    It ends when their leads have fates or wait for another day.

    `sources` is the whole configuration. Raises StoreError where something could not be
    stored.
    """
    store.sources.sync(source_states(sources))
    wanted = [
        source.id
        for source in sources
        if (source.id in only if only is not None else source.enabled)
    ]
    engine = Engine(store, settings, sources, plan=plan, lookup=lookup)
    if on_event is not None:
        engine.listeners.append(on_event)
    engine.windows = dict.fromkeys(wanted, window)
    await engine.start()
    try:
        report = await run_pass(engine, wanted, force=force, everything=only is None)
    finally:
        await engine.stop()
    if engine.fault is not None:
        raise engine.fault
    return report


async def run_pass(
    engine: Engine, wanted: Sequence[str], *, force: bool, everything: bool
) -> CrawlReport:
    """Visit sources now, pending leads first, and wait until nothing is left to try."""
    scope = None if everything else list(wanted)
    report, asked_before = CrawlReport(), engine.fetcher.requests

    def note(event: CrawlEvent) -> None:
        if scope is None or event.source in scope:
            report.add_event(event)

    engine.listeners.append(note)
    try:
        await engine.start_pending(scope)
        await _visit_all(engine, await _claim(engine, wanted, report, force=force))
        if not everything:
            report.notes += await backfill.backfill_sources(engine, wanted, force=force)
        await engine.wait_until_done(scope)
    finally:
        engine.listeners.remove(note)
    report.requests = engine.fetcher.requests - asked_before
    return report


async def _claim(
    engine: Engine, wanted: Sequence[str], report: CrawlReport, *, force: bool
) -> list[SourceState]:
    """The wanted sources that may be visited now.

    Of the others the report says why not.
    """
    now = utc_now()
    states = await engine.writer.run(
        engine.store.sources.claim, wanted, now, VISIT_LEASE
    )
    for busy in set(wanted) - {state.id for state in states}:
        report.for_source(busy).status = "busy"
    visiting = []
    hosts = engine.fetcher.hosts
    for state in states:
        host = identity.url_host(state.url)
        asked_lately = (
            state.last_poll_at is not None
            and now - state.last_poll_at < polls.MIN_POLL_INTERVAL
        )
        if not force and (asked_lately or hosts.held_until(host) is not None):
            report.for_source(state.id).status = NOT_DUE
            await engine.writer.run(engine.store.sources.release, state.id)
            continue
        if force:
            hosts.release(host)
        visiting.append(state)
    return visiting


async def _visit_all(engine: Engine, states: Iterable[SourceState]) -> None:
    visiting = [
        asyncio.ensure_future(engine.visit(state, manual=True)) for state in states
    ]
    try:
        await asyncio.gather(*visiting)
    finally:
        for task in visiting:
            task.cancel()
        await asyncio.gather(*visiting, return_exceptions=True)
