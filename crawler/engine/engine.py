"""The crawl: sources are claimed, visited and landed.

Their leads are fetched, read and landed.

`Engine` lives as long as the service; one pass from start to end is `passes`. A visit
and a page become plain data first (`visits.poll`, `intake.read` in a worker); only the
writer's thread touches the store. Bodies in flight are bounded by the fetcher's places,
leads in memory by `HELD`; everything else waits in the file, where no crash loses it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from crawler import page_status
from crawler.fetching import loop
from crawler.fetching.fetcher import Fetched, Fetcher, FetchRequest, Outcome
from crawler.fetching.guard import Guard, parse_proxy
from crawler.leads import polls, wayback
from crawler.report import CrawlEvent
from crawler.sources import CrawlSettings, Source
from crawler.visits import source_visit
from crawler.visits.source_visit import PollPlanner, VisitResult, plan_fixed_interval
from crawler.workers import Task, WorkerLost, WorkerPool
from crawler.writer import STORE_FAULTS, Writer
from storage import identity
from storage.errors import StoreBusy, StoreError
from storage.model import (
    Failure,
    FinishPoll,
    Landing,
    Lead,
    Page,
    PendingLead,
    Poll,
    Polled,
    Recheck,
    RecheckPlan,
    Rejection,
    RejectionReason,
    SeenBefore,
    SourceState,
    TooOld,
    Validators,
    utc_now,
)
from storage.store import Store

log = logging.getLogger(__name__)

VISIT_LEASE = timedelta(minutes=30)
# Leads in memory; a body of full text makes one up to 500 kB
MAX_PAGES_UNDER_WAY = 2_000
# So that one slow host does not keep the others waiting in the file
MAX_PAGES_PER_HOST = 100
# Seconds between two looks into the file for leads that found no room
DRAIN_SECONDS = 1.0
# Seconds between two looks whether a pass is over: a look at 900 sources at each page
# would cost more
PASS_CHECK_SECONDS = 0.2
MAX_TRIES = 2  # a page is asked for once more within a pass, then when the store says
BOILERPLATE_CACHE_SECONDS = 60.0  # seconds
PROCESS_PAGE: Task[Landing] = Task("crawler.intake", "process_page_in_worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The dates that a pass is about.

    `since` takes the place of the source's `max_age`.
    """

    since: datetime | None = None
    until: datetime | None = None

    def leaves_out(self, lead: PendingLead) -> bool:
        """Whether a lead is not for this pass, and stays pending."""
        at = lead.lead.published_at
        return self.until is not None and at is not None and at > self.until

    def too_old(
        self, lead: PendingLead, max_age: timedelta, now: datetime
    ) -> TooOld | None:
        """The fate of a lead that is older than wanted."""
        at = lead.lead.published_at
        if at is None or at >= (self.since or now - max_age):
            return None
        return TooOld(published_at=at)


ANY_DATE = Window()


class Engine:
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
        self.store = store
        self.settings = settings
        self.sources = {source.id: source for source in sources}
        self.plan = plan
        self.listeners: list[Callable[[CrawlEvent], None]] = []
        # Of the sources that a pass with dates is about
        self.windows: dict[str, Window] = {}
        # The first one that kept something from being stored
        self.fault: StoreError | StoreBusy | None = None
        self.pool = WorkerPool(settings.workers)
        self.writer = Writer(store)
        self._lookup = lookup
        self._guard = Guard(settings.allow_addresses, parse_proxy(settings.proxy))
        self.fetcher = Fetcher(settings, self._guard, self.pool)
        self.fetcher.hosts.on_hold = self._note_wait
        self._notes: set[asyncio.Future[None]] = set()
        self._pages: dict[int, asyncio.Task[None]] = {}
        self._by_host: Counter[str] = Counter()
        self._by_source: Counter[str] = Counter()
        self._looks: set[asyncio.Task[None]] = set()
        self._left_behind = False  # leads wait in the file for room in memory
        self._furniture: dict[str, tuple[float, frozenset[int]]] = {}

    async def start(self) -> None:
        """Open the downloader and warm the workers."""
        loop.install_guard(self._guard, self._lookup)
        self.pool.start()
        await self.fetcher.start()
        waits = await self.writer.run(self.store.host_waits.current, utc_now())
        self.fetcher.hosts.hold_all(waits)

    def reconfigure(self, settings: CrawlSettings, sources: Iterable[Source]) -> None:
        """Take over other settings and sources. What is under way goes on."""
        self.settings = settings
        self.sources = {source.id: source for source in sources}
        self.fetcher.settings = settings

    async def stop(self, grace: float = 8.0) -> None:
        """Stop within about `grace` seconds. What is under way stays a pending lead."""
        tasks = [*self._pages.values(), *self._looks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.fetcher.stop(grace)
        await asyncio.gather(*self._notes, return_exceptions=True)
        await self.pool.close()
        await self.writer.close()

    # Sources

    async def visit(self, state: SourceState, *, manual: bool = False) -> Polled | None:
        """Visit a claimed source, land what it showed, and take up its new leads.

        None where it could not be landed.
        """
        source = self.sources[state.id]
        try:
            visited = await source_visit.visit_source(
                self.fetcher,
                self.pool,
                source,
                state,
                self.settings,
                manual=manual,
                memory=self._recall,
            )
        except STORE_FAULTS as error:
            self._note_fault(error)
            return None
        # A fault of ours in one source is that source's error, and never ends the
        # others
        except Exception as error:
            log.exception("visit failed: %s", source.id)
            visited = source_visit.faulty_visit(source, error, manual=manual)
        return await self.landed(visited, partial(self._plan, source, state, visited))

    async def landed(
        self, visited: VisitResult, plan: FinishPoll | None = None
    ) -> Polled | None:
        """Land what a visit showed, and take up its new leads.

        None where it could not be landed.
        """
        try:
            polled = await self.writer.land_poll(visited.poll, plan)
        except STORE_FAULTS as error:
            self._note_fault(error)
            return None
        self._tell(
            CrawlEvent(source=visited.poll.source, visited=visited, polled=polled)
        )
        self.start_pages(polled.fresh)
        return polled

    async def _recall(self, source: str, leads: Sequence[Lead]) -> SeenBefore:
        return await self.writer.run(self.store.leads.count_known, source, leads)

    def _plan(
        self,
        source: Source,
        state: SourceState,
        visited: VisitResult,
        found: int,
        fresh: int,
    ) -> Poll:
        return self.plan(source, state, visited, found=found, fresh=fresh)

    # Leads

    @property
    def pages_under_way(self) -> int:
        """Leads in memory: being fetched, read or landed, or waiting for their host."""
        return len(self._pages)

    def start_pages(self, leads: Iterable[PendingLead]) -> int:
        """Start on leads, as many as there is room for.

        The others stay in the file until `drain` finds them.
        """
        taken = 0
        for lead in leads:
            if lead.id in self._pages or self._window(lead).leaves_out(lead):
                continue
            host = identity.url_host(lead.lead.url)
            if (
                len(self._pages) >= MAX_PAGES_UNDER_WAY
                or self._by_host[host] >= MAX_PAGES_PER_HOST
            ):
                self._left_behind = True
                continue
            self._by_host[host] += 1
            self._by_source[lead.lead.source] += 1
            task = asyncio.ensure_future(self._guarded_page(lead))
            self._pages[lead.id] = task
            task.add_done_callback(partial(self._page_done, lead, host))
            taken += 1
        return taken

    def _window(self, lead: PendingLead) -> Window:
        return self.windows.get(lead.lead.source, ANY_DATE)

    def _page_done(
        self, lead: PendingLead, host: str, _task: asyncio.Task[None]
    ) -> None:
        del self._pages[lead.id]
        for counts, of in ((self._by_host, host), (self._by_source, lead.lead.source)):
            counts[of] -= 1
            if not counts[of]:
                del counts[of]

    async def start_pending(self, only: Collection[str] | None = None) -> int:
        """Take up pending leads from the file, of all sources or of some.

        Returns how many were begun.
        """
        self._left_behind = False
        now = utc_now()
        found: list[PendingLead] = []
        for source in [None] if only is None else only:
            found += await self.writer.run(
                self.store.leads.pending,
                source=source,
                limit=2 * MAX_PAGES_UNDER_WAY,
                now=now,
                skip=frozenset(self._pages),
            )
        return self.start_pages(found)

    async def wait_until_done(self, only: Collection[str] | None = None) -> None:
        """Wait until every lead that may be tried now was tried."""
        looked = float("-inf")
        while True:
            while self._under_way(only):
                await asyncio.sleep(PASS_CHECK_SECONDS)
                now = asyncio.get_running_loop().time()
                if (
                    self._left_behind
                    and len(self._pages) < MAX_PAGES_UNDER_WAY // 2
                    and now - looked > DRAIN_SECONDS
                ):
                    looked = now
                    await self.start_pending(only)
            if self.fault is not None or not await self.start_pending(only):
                return

    def _under_way(self, only: Collection[str] | None) -> bool:
        """Whether leads in memory belong to one of these sources, or to any."""
        return (
            bool(self._pages)
            if only is None
            else any(self._by_source[source] for source in only)
        )

    async def _guarded_page(self, lead: PendingLead) -> None:
        try:
            await self._page(lead)
        except STORE_FAULTS as error:
            self._note_fault(error)
        # One page's fault must not end the service; the lead stays pending and says so
        # in the log
        except Exception:
            log.exception("page failed: %s", lead.lead.url)

    async def _page(self, lead: PendingLead) -> None:
        source = self.sources.get(lead.lead.source)
        max_age = (
            source.max_age
            if source and source.max_age is not None
            else self.settings.max_age
        )
        old = (
            None
            if lead.lead.backfill
            else self._window(lead).too_old(lead, max_age, utc_now())
        )
        if old is not None:
            await self._land(
                Landing(
                    outcome=old, url=lead.lead.url, source=lead.lead.source, lead=lead
                )
            )
            return
        # A channel's post came whole; it has no page of its own
        if lead.lead.via == "telegram" and lead.lead.body:
            await self._land(
                await self._at_desk(
                    Rejection(why=RejectionReason.EMPTY, detail="no text in it"),
                    lead,
                    source,
                )
            )
            return
        for left in reversed(range(MAX_TRIES)):
            pause = await self._try(lead, source, last=left == 0)
            if pause is None:
                return
            await asyncio.sleep(pause)

    async def _try(
        self, lead: PendingLead, source: Source | None, *, last: bool
    ) -> float | None:
        """Fetch, read and land a page.

        Seconds to wait before another try, or None when it is done with.
        """
        async with self.fetcher.fetch(self._ask(lead, source)) as outcome:
            pause = (
                None if last else page_status.seconds_before_retry(outcome, utc_now())
            )
            if pause is None:
                await self._land(await self._read(outcome, lead, source))
        return pause

    def _ask(self, lead: PendingLead, source: Source | None) -> FetchRequest:
        url = wayback.fetch_url(lead.lead, self.settings.wayback)
        return FetchRequest(
            url=url,
            headers=dict(source.headers) if source and url == lead.lead.url else {},
            limit=self.settings.max_page_size,
            redirects=self.settings.max_redirects,
            verify_tls=source.verify_tls if source else True,
            javascript=source is not None
            and source.javascript
            and url == lead.lead.url,
        )

    async def _read(
        self, outcome: Outcome, lead: PendingLead, source: Source | None
    ) -> Landing:
        """What a worker makes of an answer."""
        plain = Landing(
            outcome=Failure(detail="unread"),
            url=lead.lead.url,
            source=lead.lead.source,
            lead=lead,
        )
        if isinstance(outcome, Fetched) and not page_status.is_worth_reading(
            outcome.page, lead.lead
        ):
            why = page_status.why_unavailable(outcome.page)
            assert why is not None
            return replace(plain, outcome=why)
        if isinstance(outcome, Fetched):
            outcome = _as_it_was(outcome, lead)
            landing = await self._at_desk(outcome, lead, source)
            hops = page_status.distinct_urls(
                [*landing.aliases, *(hop.url for hop in outcome.redirects)],
                but=landing.url,
            )
            return replace(
                landing,
                page=outcome.page,
                aliases=hops,
                recheck=self._again(outcome.page, lead),
            )
        if isinstance(outcome, Failure) and outcome.final and lead.lead.body:
            return await self._at_desk(outcome, lead, source)
        return replace(plain, outcome=outcome)

    # Second looks

    def start_rechecks(self, due: Iterable[Recheck]) -> None:
        """Begin to look at kept pages again.

        What comes of it is no poll's, and told to nobody but the log.
        """
        for look in due:
            task = asyncio.ensure_future(self._guarded_look(look))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)

    async def _guarded_look(self, look: Recheck) -> None:
        try:
            await self._look(look)
        except STORE_FAULTS as error:
            self._note_fault(error)
        # One page's fault must not end the service; its lease brings it back
        except Exception:
            log.exception("second look failed: %s", look.url)

    async def _look(self, look: Recheck) -> None:
        """Ask conditionally.

        What changed lands as a revision, what is gone as withdrawn.
        """
        source = self.sources.get(look.source)
        lead = PendingLead(
            id=0, lead=Lead(url=look.url, source=look.source, via=look.via, published_at=look.feed_published_at), attempts=0,
            poll_id=None,
        )  # fmt: skip
        asked = self._ask(lead, source)
        asked = replace(
            asked,
            headers=dict(asked.headers)
            | polls.conditional_headers(look.validators, utc_now()),
        )
        again = self._next_look(look.first_seen_at, look.validators)
        async with self.fetcher.fetch(asked) as outcome:
            if (
                isinstance(outcome, Fetched)
                and outcome.page.status in page_status.READABLE_STATUSES
            ):
                again = self._next_look(
                    look.first_seen_at,
                    polls.parse_validators(dict(outcome.page.headers)),
                )
            if not (
                isinstance(outcome, Fetched)
                and outcome.page.status == page_status.NOT_MODIFIED
            ):
                landing = await self._read(outcome, lead, source)
                landed = await self.writer.land(
                    replace(landing, lead=None, recheck=None)
                )
                log.info(
                    "second look at %s: %s", look.url, landed.what or landed.reason
                )
        await self.writer.run(
            self.store.rechecks.finish, look, now=utc_now(), plan=again
        )

    def _again(self, page: Page, lead: PendingLead) -> RecheckPlan | None:
        """The first second look at a page; none at what was looked for in the past."""
        if lead.lead.backfill:
            return None
        return self._next_look(utc_now(), polls.parse_validators(dict(page.headers)))

    def _next_look(
        self, first_seen_at: datetime, validators: Validators
    ) -> RecheckPlan | None:
        plan = self.settings.recheck
        due_at = plan.next_due_at(first_seen_at, utc_now()) if plan.enabled else None
        return (
            None
            if due_at is None
            else RecheckPlan(due_at=due_at, validators=validators)
        )

    # The desk

    async def _at_desk(
        self,
        came: Fetched | Failure | Rejection,
        lead: PendingLead,
        source: Source | None,
    ) -> Landing:
        page = came.page if isinstance(came, Fetched) else None
        # Before the page is anybody's fault: a file that cannot be read leaves the lead
        # as it is.
        furniture = await self._taught(
            identity.url_host(page.final_url if page else lead.lead.url)
        )
        try:
            return await self.pool.run(
                PROCESS_PAGE,
                page,
                lead,
                source=source,
                settings=self.settings,
                boilerplate=furniture,
                now=utc_now(),
                why=None if isinstance(came, Fetched) else came,
            )
        except WorkerLost as error:
            gave_up = Rejection(why=RejectionReason.UNREADABLE, detail=str(error))
        # No worker can be started just now, which is not the page's doing: another time
        except OSError as error:
            log.warning("no worker for %s: %s", lead.lead.url, error)
            waits = Failure(detail=f"no worker: {error}"[:200])
            return Landing(
                outcome=waits, url=lead.lead.url, source=lead.lead.source, lead=lead
            )
        # A worker's fault is told as the page's: its neighbours go on
        except Exception as error:
            log.exception("reading failed: %s", lead.lead.url)
            gave_up = Rejection(
                why=RejectionReason.UNREADABLE,
                detail=f"{type(error).__name__}: {str(error)[:200]}",
            )
        if page is not None and lead.lead.body:
            return await self._at_desk(gave_up, lead, source)
        return Landing(
            outcome=gave_up, url=lead.lead.url, source=lead.lead.source, lead=lead
        )

    async def _taught(self, host: str) -> frozenset[int]:
        """The furniture that a host has taught, not older than a minute."""
        now = asyncio.get_running_loop().time()
        at, lines = self._furniture.get(host, (float("-inf"), frozenset()))
        if now - at > BOILERPLATE_CACHE_SECONDS:
            lines = await self.writer.run(self.store.boilerplate.learned, host)
            if len(self._furniture) > MAX_PAGES_UNDER_WAY:
                self._furniture.clear()
            self._furniture[host] = (now, lines)
        return lines

    async def _land(self, landing: Landing) -> None:
        landed = await self.writer.land(landing)
        self._tell(CrawlEvent(source=landing.source, landed=landed))

    def _note_wait(self, host: str, until: datetime) -> None:
        """Remember in the file that a host asked for patience, so that the next process knows."""
        note = asyncio.ensure_future(
            self.writer.run(self.store.host_waits.save, host, until, "asked to wait")
        )
        self._notes.add(note)
        note.add_done_callback(self._noted)

    def _noted(self, note: asyncio.Future[None]) -> None:
        self._notes.discard(note)
        error = None if note.cancelled() else note.exception()
        if isinstance(error, STORE_FAULTS):
            self._note_fault(error)

    def _note_fault(self, error: StoreError | StoreBusy) -> None:
        # Told once: with a full disk each of a hundred pages under way meets it
        if self.fault is None:
            log.error("not stored: %s", error)
            self.fault = error

    def report_progress(
        self, source: str, note: str, *, share: float | None = None
    ) -> None:
        """Tell whoever listens how far something long has come.

        `share` of it is done.
        """
        self._tell(CrawlEvent(source=source, note=note, share=share))

    def _tell(self, event: CrawlEvent) -> None:
        for listener in tuple(self.listeners):
            listener(event)


def _as_it_was(fetched: Fetched, lead: PendingLead) -> Fetched:
    """A capture of the web's archive as its page; anything else as it is."""
    page = wayback.restore_original_page(fetched.page, lead.lead)
    return (
        fetched if page is fetched.page else replace(fetched, page=page, redirects=())
    )


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
