"""The further documents that a source's first one names.

Sitemaps of an index, next pages of a section, the pages of a whole site, a feed's older
pages. Bounded on every side: each address once, sitemaps at most three deep, fifty on
the first visit and ten after, only of the source's own site; a section's further pages
on the first visit. Older pages, of feeds (RFC 5005) and sections, are read where the
first document has moved on faster than it was asked, until one shows an entry from
before. A sitemap that is gone is not asked for again for a week.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from crawler.fetching.fetcher import Fetcher
from crawler.fetching.requests import Fetched
from crawler.leads import polls
from crawler.leads.polls import Feed
from crawler.leads.site import Frontier
from crawler.sources import CrawlSettings, Source
from crawler.visits import documents
from crawler.workers import NoWorker, WorkerPool
from storage import identity
from storage.model import Lead, Refusal, SeenBefore, SourceState, utc_now

MAX_SITEMAPS_FIRST = 50  # on the first visit ...
# ... and on each later one, the newest first: the others hold no news.
MAX_SITEMAPS_LATER = 10
NEWEST_OF_A_STALE_INDEX = 2  # sitemaps
MAX_SITEMAP_DEPTH = 3  # an index, an index within it, its sitemaps
MAX_SECTION_PAGES = 3
MAX_OLDER_PAGES = 10  # back to what is known (rules, case 68)
GONE_ERRORS = frozenset({"http 404", "http 410"})
RETIRED_FOR = timedelta(days=7)
MAX_RETIRED = 20_000
# A sitemap that changed so shortly before the last visit is read again.
SITEMAP_OVERLAP = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitLimits:
    """How far one visit goes beyond the first document."""

    sitemaps: int = MAX_SITEMAPS_FIRST
    pages: int = MAX_SECTION_PAGES
    # Pages of a site that is looked over; None: the source's own budget
    site: int | None = None
    # Sitemaps that were not changed since then hold nothing of interest.
    since: datetime | None = None
    # The date before which no page is kept; an index of older dates alone is wrong
    oldest: datetime | None = None


class RecallLeads(Protocol):
    """Whoever knows what was met before; a visit itself touches no file."""

    async def __call__(self, source: str, leads: Sequence[Lead]) -> SeenBefore:
        """How much of what a document shows is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedGap:
    """A document that moved on faster than it was asked.

    Says whether its older pages led back to what was known.
    """

    found: int  # of the first document
    fresh: int
    closed: bool  # an entry from before was met
    pages: int  # older pages that were read
    ended: str  # why not further


def visit_limits(
    source: Source, state: SourceState, settings: CrawlSettings, now: datetime
) -> VisitLimits:
    """A first visit goes far, a later one only where something changed."""
    max_age = source.max_age
    if max_age is None:
        max_age = settings.max_age
    oldest = now - max_age
    if state.last_success_at is None:
        return VisitLimits(since=oldest, oldest=oldest)
    since = max(oldest, state.last_success_at - SITEMAP_OVERLAP)
    return VisitLimits(sitemaps=MAX_SITEMAPS_LATER, pages=1, since=since, oldest=oldest)


class DocumentWalk:
    """Reads the further documents of one visit, and counts what it leaves out.

    Where no worker is to be had the walk ends, and `no_worker` says why.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        pool: WorkerPool,
        source: Source,
        settings: CrawlSettings,
        limits: VisitLimits,
    ) -> None:
        self.found: list[Feed] = []
        self.gap: FeedGap | None = None
        self.no_worker: NoWorker | None = None
        self.sitemaps_elsewhere = 0
        self.sitemaps_gone = 0
        self.sitemaps_over_limit = 0
        self._fetcher = fetcher
        self._pool = pool
        self._source = source
        self._settings = settings
        self._limits = limits
        self._site_warnings: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, in words."""
        told = []
        if self.sitemaps_elsewhere:
            told.append(f"{self.sitemaps_elsewhere} sitemaps of other sites left out")
        if self.sitemaps_gone:
            told.append(f"{self.sitemaps_gone} sitemaps are gone")
        if self.sitemaps_over_limit:
            told.append(f"{self.sitemaps_over_limit} older sitemaps left out")
        return (*told, *self._site_warnings)

    async def follow(self, first: Feed, url: str) -> None:
        """Read what the first document names; `url` is where that was found."""
        if first.children:
            await self._follow_sitemaps(first)
        elif first.kind == "section":
            await self._follow_next_pages(first)
            if first.list_pages:
                await self._look_over_site(first, url)

    async def _follow_sitemaps(self, first: Feed) -> None:
        """Read the sitemaps of an index, depth first, in the order of each index."""
        seen = {identity.url_key(self._source.url)}
        waiting: deque[tuple[str, int]] = deque()
        for url in self._select_sitemaps(first, seen):
            waiting.append((url, 1))

        asked = 0
        while waiting and self.no_worker is None:
            url, depth = waiting.popleft()
            if asked >= self._limits.sitemaps:
                self.sitemaps_over_limit += 1
                continue
            if self._is_retired(url):
                self.sitemaps_gone += 1
                continue

            asked += 1
            child = await self._read(url)
            if child.error in GONE_ERRORS:
                self._retire(url)
                self.sitemaps_gone += 1
            if depth + 1 < MAX_SITEMAP_DEPTH:
                inner = self._select_sitemaps(child, seen)
                waiting.extendleft((url, depth + 1) for url in reversed(inner))

    def _select_sitemaps(self, index: Feed, seen: set[str]) -> list[str]:
        """The sitemaps of an index that are worth asking for, in its order."""
        site = identity.registrable_domain(self._source.url)
        since = self._limits.since
        selected = []
        too_old = []
        for url in index.children:
            if identity.registrable_domain(url) != site:
                self.sitemaps_elsewhere += 1
                continue
            changed_at = index.children_changed_at.get(url)
            if changed_at is not None and since is not None and changed_at < since:
                too_old.append(url)
                continue
            key = identity.url_key(url)
            if key not in seen:
                seen.add(key)
                selected.append(url)
        # Generators write the date of the first page, or of the day they were set up
        # (102 of 107 of one site were wrong): where none seems new, the newest are read
        dates = index.children_changed_at.values()
        oldest = self._limits.oldest
        if not selected and oldest and dates and max(dates) < oldest:
            for url in too_old[:NEWEST_OF_A_STALE_INDEX]:
                key = identity.url_key(url)
                if key not in seen:
                    seen.add(key)
                    selected.append(url)
        return selected

    def _is_retired(self, url: str) -> bool:
        until = self._fetcher.retired.get(url)
        return until is not None and utc_now() < until

    def _retire(self, url: str) -> None:
        retired = self._fetcher.retired
        if len(retired) >= MAX_RETIRED:
            retired.clear()
        retired[url] = utc_now() + RETIRED_FOR

    async def _follow_next_pages(self, first: Feed) -> None:
        """Read the next pages of a section, as long as they show anything new."""
        page = first
        asked = {identity.url_key(self._source.url)}
        shown = lead_keys(first.leads)
        for _ in range(self._limits.pages - 1):
            if page.next_page is None or identity.url_key(page.next_page) in asked:
                return
            asked.add(identity.url_key(page.next_page))
            page = await self._read(page.next_page)
            fresh = lead_keys(page.leads) - shown
            # A calendar without end shows the same again and again.
            if not fresh:
                return
            shown |= fresh

    async def _look_over_site(self, first: Feed, url: str) -> None:
        """Read the site's own pages below the first one.

        As deep and as many as the source wants.
        """
        budget = self._source.budget
        if self._limits.site is not None:
            budget = min(budget, self._limits.site)
        start = (self._source.url, url)
        frontier = Frontier(start, depth=self._source.depth, budget=budget)
        frontier.add_pages(first.list_pages, 1)
        while self.no_worker is None:
            step = frontier.next_page()
            if step is None:
                break
            address, level = step
            page = await self._read(address, is_own=frontier.is_own)
            if page.error is not None:
                frontier.left_out[page.error.partition(":")[0]] += 1
            frontier.add_pages(page.list_pages, level + 1)
        self._site_warnings = frontier.describe()

    async def catch_up(
        self, first: Feed, state: SourceState, recall: RecallLeads, *, url: str
    ) -> None:
        """Read the older pages of a document that outran us (rules, case 68).

        Until one shows an entry from before. `url` is where the first document was
        found in the end: its site's pages are followed, too.
        """
        # Without a `body_hash` nothing was read yet at this address.
        if first.next_page is None or state.body_hash is None:
            return
        met = await recall(self._source.id, first.leads)
        if not polls.has_outrun_polls(state, found=met.shown, known=met.known):
            return

        sites = {
            identity.registrable_domain(self._source.url),
            identity.registrable_domain(url),
        }
        asked = {identity.url_key(self._source.url)}
        shown = lead_keys(first.leads)
        page = first
        is_closed = False
        ended = self._why_no_older_page(page, sites, asked, len(shown))
        while not ended:
            assert page.next_page is not None
            asked.add(identity.url_key(page.next_page))
            page = await self._read(page.next_page)
            fresh = lead_keys(page.leads) - shown
            shown |= fresh
            is_closed = (await recall(self._source.id, page.leads)).own > 0
            if not fresh:
                ended = page.error or "the page shows nothing more"
            elif is_closed:
                ended = "met"
            else:
                ended = self._why_no_older_page(page, sites, asked, len(shown))
        self.gap = FeedGap(
            found=met.shown,
            fresh=met.shown - met.known,
            closed=is_closed,
            pages=len(self.found),
            ended=ended,
        )

    def _why_no_older_page(
        self, page: Feed, sites: set[str], asked: set[str], shown: int
    ) -> str:
        """Why the older page that a document names is not read; "" where it is."""
        url = page.next_page
        if url is None:
            return "no older page is named"
        if identity.url_key(url) in asked:
            return "the older pages lead in a circle"
        if identity.registrable_domain(url) not in sites:
            return "the older page is of another site"
        if len(asked) > MAX_OLDER_PAGES:
            return "no more pages are read at once"
        if shown >= self._settings.max_entries:
            return "no more entries are taken at once"
        return ""

    async def _read(
        self, url: str, *, is_own: Callable[[str], bool] = lambda _: True
    ) -> Feed:
        """A further document; one with an `error` where it cannot be had.

        `is_own` says whether the address where it was found in the end will do.
        """
        headers = {
            "Accept": polls.accept_header(self._source.kind),
            **self._source.headers,
        }
        request = documents.document_request(self._source, url, self._settings, headers)
        async with self._fetcher.fetch(request) as outcome:
            if isinstance(outcome, NoWorker):
                self.no_worker = outcome
                return Feed(error="no worker")
            if isinstance(outcome, Refusal):
                return Feed(error=f"{outcome.why}: {outcome.detail}")
            if not isinstance(outcome, Fetched):
                return Feed(error=outcome.detail)
            if outcome.page.status != 200:
                return Feed(error=f"http {outcome.page.status}")
            if not is_own(outcome.page.final_url):
                return Feed(error="led to other sites")
            document = await documents.parse_document(
                self._pool, outcome.page, self._source, self._settings
            )
        if isinstance(document, NoWorker):
            self.no_worker = document
            return Feed(error="no worker")
        self.found.append(document)
        return document


def lead_keys(leads: Iterable[Lead]) -> set[str]:
    """What tells leads apart: the keys of their addresses."""
    return {identity.url_key(lead.url) for lead in leads}
