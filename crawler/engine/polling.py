"""Polling: claimed sources are visited, and what they showed is landed."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from crawler.engine.context import CrawlContext
from crawler.engine.pages import Pages
from crawler.report import CrawlEvent
from crawler.sources import Source
from crawler.visits import answers, source_visit
from crawler.visits.visit_result import VisitResult
from crawler.workers import NoWorker
from crawler.writer import STORE_FAULTS
from storage.model import FinishPoll, Lead, Poll, Polled, SeenBefore, SourceState

log = logging.getLogger(__name__)

VISIT_LEASE = timedelta(minutes=30)


class Polling:
    """Visits sources, lands the visits, and starts on their new leads."""

    def __init__(self, context: CrawlContext, pages: Pages) -> None:
        self._context = context
        self._pages = pages

    async def visit(
        self, state: SourceState, *, manual: bool = False
    ) -> Polled | NoWorker | None:
        """Visit a claimed source, and land what it showed.

        `NoWorker` where nobody could read it: the source is released, and as due as
        before. None where the store failed; the source is still claimed.
        """
        context = self._context
        source = context.sources[state.id]
        try:
            visited = await self._ask(source, state, manual=manual)
            if isinstance(visited, NoWorker):
                await context.writer.run(context.store.sources.release, state.id)
                return visited
        except STORE_FAULTS as error:
            context.faults.note(error)
            return None
        # A fault of ours in one source is that source's error, and never ends the others.
        except Exception as error:
            log.exception("visit failed: %s", source.id)
            visited = answers.faulty_visit(source, error, manual=manual)
        result = visited

        def finish(found: int, fresh: int) -> Poll:
            return context.plan(source, state, result, found=found, fresh=fresh)

        return await self.land(result, finish)

    async def _ask(
        self, source: Source, state: SourceState, *, manual: bool
    ) -> VisitResult | NoWorker:
        """What a visit brings; nobody is asked for what nobody can read."""
        missing = await self._context.pool.retry_missing()
        if missing is not None:
            return missing
        return await source_visit.visit_source(
            self._context.fetcher,
            self._context.pool,
            source,
            state,
            self._context.settings,
            manual=manual,
            recall=self._recall,
        )

    async def land(
        self, visited: VisitResult, finish: FinishPoll | None = None
    ) -> Polled | None:
        """Land what a visit showed, and start on its new leads.

        None where it could not be landed.
        """
        try:
            polled = await self._context.writer.land_poll(visited.poll, finish)
        except STORE_FAULTS as error:
            self._context.faults.note(error)
            return None
        source = visited.poll.source
        self._context.emit(CrawlEvent(source=source, visited=visited, polled=polled))
        self._pages.start(polled.fresh)
        return polled

    async def _recall(self, source: str, leads: Sequence[Lead]) -> SeenBefore:
        return await self._context.writer.run(
            self._context.store.leads.count_known, source, leads
        )
