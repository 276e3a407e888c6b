"""One pass of the crawl from start to end.

What is wanted is visited now, and awaited until nothing is left to try.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime

from crawler import backfill
from crawler.engine.engine import Engine, source_states
from crawler.engine.polling import VISIT_LEASE
from crawler.engine.window import ANY_DATE, Window
from crawler.fetching import loop
from crawler.files import reprocessing
from crawler.files.import_context import ImportContext
from crawler.leads import polls
from crawler.report import CrawlEvent, CrawlReport
from crawler.sources import CrawlSettings, Source
from crawler.visits.visit_result import PollPlanner, plan_fixed_interval
from crawler.workers import NoWorker
from storage import identity
from storage.errors import WorkFailed
from storage.model import SourceState, utc_now
from storage.store import Store

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

    It ends when their leads have fates or wait for another day. `sources` is the whole
    configuration. Raises StoreError where something could not be stored.
    """
    store.sources.sync(source_states(sources))
    if only is None:
        wanted = [source.id for source in sources if source.enabled]
    else:
        wanted = [source.id for source in sources if source.id in only]

    engine = Engine(store, settings, sources, plan=plan, lookup=lookup)
    if on_event is not None:
        engine.listeners.append(on_event)
    engine.windows = dict.fromkeys(wanted, window)
    await engine.start()
    try:
        report = await run_pass(engine, wanted, force=force, everything=only is None)
    finally:
        await engine.stop()
    if engine.faults.first is not None:
        raise engine.faults.first
    return report


async def run_pass(
    engine: Engine, wanted: Sequence[str], *, force: bool, everything: bool
) -> CrawlReport:
    """Visit sources now, pending leads first, and wait until nothing is left to try."""
    report = CrawlReport()
    scope: list[str] | None = None
    if not everything:
        scope = list(wanted)

    def count(event: CrawlEvent) -> None:
        if scope is None or event.source in scope:
            report.add_event(event)

    started_at = utc_now()
    requests_before = engine.fetcher.requests
    engine.listeners.append(count)
    try:
        await engine.pages.start_pending(scope)
        states = await _claim(engine, wanted, report, force=force)
        await _visit_all(engine, states, report)
        if scope is not None:
            report.notes += await backfill.backfill_sources(engine, scope, force=force)
        await engine.pages.wait_until_done(scope)
        await _clean_anew(engine, started_at)
    finally:
        engine.listeners.remove(count)
    report.requests = engine.fetcher.requests - requests_before
    return report


async def _clean_anew(engine: Engine, since: datetime) -> None:
    """Bring kept texts to what their hosts have taught by the end of the pass."""
    if engine.faults.first is not None:
        return
    context = ImportContext(
        writer=engine.writer,
        pool=engine.pool,
        settings=engine.settings,
        sources={source.id: source for source in engine.sources.values()},
    )
    with engine.faults.noted(), suppress(WorkFailed):
        await reprocessing.clean_anew(context, since)


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

    claimed = []
    hosts = engine.fetcher.hosts
    for state in states:
        host = identity.url_host(state.url)
        if force:
            hosts.release(host)
            claimed.append(state)
            continue
        last = state.last_poll_at
        is_too_soon = last is not None and now - last < polls.MIN_POLL_INTERVAL
        if is_too_soon or hosts.held_until(host) is not None:
            report.for_source(state.id).status = NOT_DUE
            await engine.writer.run(engine.store.sources.release, state.id)
            continue
        claimed.append(state)
    return claimed


async def _visit_all(
    engine: Engine, states: Sequence[SourceState], report: CrawlReport
) -> None:
    """Visit claimed sources at once, each as politely as its host wants."""

    async def visit(state: SourceState) -> None:
        visited = await engine.polling.visit(state, manual=True)
        # Nothing of such a visit is stored; only this pass tells of it.
        if isinstance(visited, NoWorker):
            source = report.for_source(state.id)
            source.status = "error"
            source.error = f"no worker: {visited.why}"

    visiting = [asyncio.ensure_future(visit(state)) for state in states]
    try:
        await asyncio.gather(*visiting)
    finally:
        for task in visiting:
            task.cancel()
        await asyncio.gather(*visiting, return_exceptions=True)
