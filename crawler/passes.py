"""One pass of the crawl from start to end: what is wanted is visited now, and awaited until nothing is left to try."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence

from crawler.engine import LEASE, Engine, Window, declared
from crawler.fetching import loop
from crawler.leads import backfill, polls
from crawler.report import Event, Report
from crawler.sources import CrawlSettings, Source
from crawler.visits import Plan, simple_plan
from storage import identity
from storage.model import SourceState, utc_now
from storage.store import Store

OPEN = Window()
TOO_EARLY = "not_due"


async def crawl(
    store: Store,
    sources: Sequence[Source],
    settings: CrawlSettings,
    *,
    only: Collection[str] | None = None,
    force: bool = False,
    window: Window = OPEN,
    plan: Plan = simple_plan,
    on_event: Callable[[Event], None] | None = None,
    lookup: loop.Lookup = loop.look_up,
) -> Report:
    """One pass over the named or all enabled sources; it ends when their leads have fates or wait for another day.

    `sources` is the whole configuration. Raises StoreError where something could not be stored.
    """
    store.sync_sources(declared(sources))
    wanted = [source.id for source in sources if (source.id in only if only is not None else source.enabled)]
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


async def run_pass(engine: Engine, wanted: Sequence[str], *, force: bool, everything: bool) -> Report:
    """Visit sources now, pending leads first, and wait until nothing is left to try."""
    scope = None if everything else list(wanted)
    report, asked_before = Report(), engine.fetcher.requests

    def note(event: Event) -> None:
        if scope is None or event.source in scope:
            report.note(event)

    engine.listeners.append(note)
    try:
        await engine.drain(scope)
        await _visit_all(engine, await _claim(engine, wanted, report, force=force))
        if not everything:
            report.notes += await backfill.look_back(engine, wanted, force=force)
        await engine.settled(scope)
    finally:
        engine.listeners.remove(note)
    report.requests = engine.fetcher.requests - asked_before
    return report


async def _claim(engine: Engine, wanted: Sequence[str], report: Report, *, force: bool) -> list[SourceState]:
    """The wanted sources that may be visited now; of the others the report says why not."""
    now = utc_now()
    states = await engine.writer.run(engine.store.claim, wanted, now, LEASE)
    for busy in set(wanted) - {state.id for state in states}:
        report.of(busy).status = "busy"
    visiting = []
    hosts = engine.fetcher.hosts
    for state in states:
        host = identity.host(state.url)
        asked_lately = state.last_poll_at is not None and now - state.last_poll_at < polls.FLOOR
        if not force and (asked_lately or hosts.held_until(host) is not None):
            report.of(state.id).status = TOO_EARLY
            await engine.writer.run(engine.store.release, state.id)
            continue
        if force:
            hosts.release(host)
        visiting.append(state)
    return visiting


async def _visit_all(engine: Engine, states: Iterable[SourceState]) -> None:
    visiting = [asyncio.ensure_future(engine.visit(state, manual=True)) for state in states]
    try:
        await asyncio.gather(*visiting)
    finally:
        for task in visiting:
            task.cancel()
        await asyncio.gather(*visiting, return_exceptions=True)
