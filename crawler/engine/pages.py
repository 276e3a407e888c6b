"""The pages under way: leads that are being fetched, read and landed.

Their number is bounded, and so is each host's share of it; all other leads wait in the
file, where no crash loses them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial

from crawler import page_status
from crawler.engine.context import CrawlContext
from crawler.engine.page_processing import PageProcessor
from crawler.engine.window import ANY_DATE, Window
from crawler.fetching.requests import Fetched, Outcome
from crawler.report import CrawlEvent
from crawler.sources import Source
from crawler.workers import NoWorker
from storage import identity
from storage.model import (
    Failure,
    Landed,
    Landing,
    PendingLead,
    Rejection,
    RejectionReason,
    TooOld,
    utc_now,
)

log = logging.getLogger(__name__)

# Leads in memory; a body of full text makes one up to 500 kB.
MAX_PAGES_UNDER_WAY = 2_000
# So that one slow host does not keep the others waiting in the file
MAX_PAGES_PER_HOST = 100
# Between two looks into the file for leads that found no room
DRAIN_SECONDS = 1.0
# Between two looks whether a pass is over: a look at 900 sources at each page would
# cost more.
PASS_CHECK_SECONDS = 0.2
MAX_TRIES = 2  # a page is asked for once more within a pass, then when the store says
RETRY_PAUSE_SECONDS = 5.0  # before a second try where the server named none
# That a pass waits for a host which asked for it; longer waits are left to the next
# pass.
MAX_RETRY_WAIT_SECONDS = 60.0


class Pages:
    """The pages under way; begun from new leads and from those that wait in the file.

    Where no worker is to be had nothing is begun: the leads stay as they are.
    """

    def __init__(self, context: CrawlContext, processor: PageProcessor) -> None:
        self._context = context
        self._processor = processor
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._by_host: Counter[str] = Counter()
        self._by_source: Counter[str] = Counter()
        self._any_left_behind = False  # leads wait in the file for room in memory

    @property
    def under_way(self) -> int:
        """Leads in memory: fetched, read or landed, or waiting for their host."""
        return len(self._tasks)

    @property
    def tasks(self) -> Collection[asyncio.Task[None]]:
        """What has to be cancelled at the end; its leads stay pending."""
        return list(self._tasks.values())

    def start(self, leads: Iterable[PendingLead]) -> int:
        """Start on leads, as many as there is room for; returns their number.

        The others stay in the file until `start_pending` finds them.
        """
        started = 0
        for lead in leads:
            if lead.id in self._tasks or self._window(lead).leaves_out(lead):
                continue
            host = identity.url_host(lead.lead.url)
            is_full = len(self._tasks) >= MAX_PAGES_UNDER_WAY
            is_host_full = self._by_host[host] >= MAX_PAGES_PER_HOST
            if is_full or is_host_full or self._context.pool.lacks_workers:
                self._any_left_behind = True
                continue
            self._by_host[host] += 1
            self._by_source[lead.lead.source] += 1
            task = asyncio.ensure_future(self._process_guarded(lead))
            self._tasks[lead.id] = task
            task.add_done_callback(partial(self._note_end, lead, host))
            started += 1
        return started

    def _window(self, lead: PendingLead) -> Window:
        return self._context.windows.get(lead.lead.source, ANY_DATE)

    def _note_end(self, lead: PendingLead, host: str, _: "asyncio.Task[None]") -> None:
        del self._tasks[lead.id]
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
        self._by_source[lead.lead.source] -= 1
        if not self._by_source[lead.lead.source]:
            del self._by_source[lead.lead.source]

    async def start_pending(self, only: Collection[str] | None = None) -> int:
        """Start on pending leads of the file, of all sources or of some.

        Returns how many were begun.
        """
        if self._context.pool.lacks_workers:
            return 0
        self._any_left_behind = False
        sources: list[str | None] = [None]
        if only is not None:
            sources = list(only)
        now = utc_now()
        found: list[PendingLead] = []
        for source in sources:
            found += await self._context.writer.run(
                self._context.store.leads.pending,
                source=source,
                limit=2 * MAX_PAGES_UNDER_WAY,
                now=now,
                skip=frozenset(self._tasks),
            )
        return self.start(found)

    async def wait_until_done(self, only: Collection[str] | None = None) -> None:
        """Wait until every lead that may be tried now was tried.

        Ends early where the file cannot be written or no worker is to be had.
        """
        looked_at = float("-inf")
        while True:
            while self._any_under_way(only):
                await asyncio.sleep(PASS_CHECK_SECONDS)
                now = asyncio.get_running_loop().time()
                has_room = len(self._tasks) < MAX_PAGES_UNDER_WAY // 2
                is_time = now - looked_at > DRAIN_SECONDS
                if self._any_left_behind and has_room and is_time:
                    looked_at = now
                    await self.start_pending(only)
            if self._context.faults.first is not None:
                return
            if not await self.start_pending(only):
                return

    def _any_under_way(self, only: Collection[str] | None) -> bool:
        """Whether leads in memory belong to one of these sources, or to any."""
        if only is None:
            return bool(self._tasks)
        return any(self._by_source[source] for source in only)

    async def _process_guarded(self, lead: PendingLead) -> None:
        try:
            with self._context.faults.noted():
                await self._process(lead)
        # One page's fault must not end the service; the lead stays pending, and the log
        # says so.
        except Exception:
            log.exception("page failed: %s", lead.lead.url)

    async def _process(self, lead: PendingLead) -> None:
        """Take one lead to its end: too old, from the feed alone, or fetched."""
        source = self._context.sources.get(lead.lead.source)
        too_old = self._why_too_old(lead, source)
        if too_old is not None:
            await self._land(
                lead,
                Landing(
                    outcome=too_old,
                    url=lead.lead.url,
                    source=lead.lead.source,
                    lead=lead,
                ),
            )
            return
        # It came whole, and no page has it alone: a channel's post, an entry of a live
        # page, whose siblings have the same page.
        if page_status.is_whole_report(lead.lead):
            why = Rejection(why=RejectionReason.EMPTY, detail="no text in it")
            landing = await self._processor.process_feed_text(why, lead, source)
            await self._land(lead, landing)
            return

        request = self._processor.request(lead.lead, source)
        for attempt in range(1, MAX_TRIES + 1):
            async with self._context.fetcher.fetch(request) as outcome:
                pause = seconds_before_retry(outcome, utc_now())
                if pause is None or attempt == MAX_TRIES:
                    landing = await self._processor.process(outcome, lead, source)
                    await self._land(lead, landing)
                    return
            await asyncio.sleep(pause)

    def _why_too_old(self, lead: PendingLead, source: Source | None) -> TooOld | None:
        # What was looked for in the past is wanted, however old it is.
        if lead.lead.backfill:
            return None
        max_age = self._context.settings.max_age
        if source is not None and source.max_age is not None:
            max_age = source.max_age
        return self._window(lead).too_old(lead, max_age, utc_now())

    async def _land(self, lead: PendingLead, landing: Landing | NoWorker) -> None:
        """Store what came of a lead.

        Nothing is stored of one for which no worker was to be had: it stays pending as
        it is, without another failed attempt.
        """
        if isinstance(landing, NoWorker):
            landed = Landed(url=lead.lead.url, fate=None, reason="no worker")
        else:
            landed = await self._context.writer.land(landing)
        self._context.emit(CrawlEvent(source=lead.lead.source, landed=landed))


def seconds_before_retry(outcome: Outcome, now: datetime) -> float | None:
    """Seconds after which a page is worth another try in the same pass.

    None where the answer stands for now.
    """
    if isinstance(outcome, Fetched):
        if outcome.page.status in page_status.TEMPORARY_STATUSES:
            return RETRY_PAUSE_SECONDS
        return None
    if not isinstance(outcome, Failure) or outcome.final:
        return None
    if outcome.retry_at is not None:
        wait = (outcome.retry_at - now).total_seconds()
        if wait > MAX_RETRY_WAIT_SECONDS:
            return None
        return max(wait, 0.0)
    if page_status.is_temporary_fault(outcome.detail):
        return RETRY_PAUSE_SECONDS
    return None
