"""The further documents that a source's first one names.

Sitemaps of an index, next pages, a feed's older pages.

Bounded on every side: each address once, sitemaps at most three deep, fifty on the
first visit and ten after, only of the source's own site; a section's further pages on
the first visit. Older pages, of feeds (RFC 5005) and sections, are read where the first
document has moved on faster than it was asked, until one shows an entry from before. A
sitemap that is gone is not asked for again for a week.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from crawler.fetching.fetcher import Fetched, Fetcher, FetchRequest
from crawler.leads import polls, site
from crawler.leads.polls import Feed
from crawler.sources import CrawlSettings, Source
from crawler.workers import Task, WorkerLost, WorkerPool
from storage import identity
from storage.model import Lead, Page, Refusal, SeenBefore, SourceState, utc_now

MAX_SITEMAPS_FIRST = 50  # sitemaps on the first visit ...
# ... and on each later one, the newest first: the others hold no news
MAX_SITEMAPS_LATER = 10
MAX_SITEMAP_DEPTH = 3  # an index, an index within it, its sitemaps
MAX_SECTION_PAGES = 3
MAX_OLDER_PAGES = 10  # back to what is known (rules, case 68)
GONE_ERRORS = frozenset({"http 404", "http 410"})
RETIRED_FOR = timedelta(days=7)
MAX_RETIRED = 20_000
# A sitemap that changed so shortly before the last visit is read again
SITEMAP_OVERLAP = timedelta(days=2)

PARSE_FEED: Task[Feed] = Task("crawler.leads.feeds", "parse_feed")
PARSE_SECTION: Task[Feed] = Task("crawler.leads.sections", "parse_section_page")
PARSE_CHANNEL: Task[Feed] = Task("crawler.leads.telegram", "parse_telegram_page")
# Each kind of source has a reader: (body, url, headers, source, now, max_bytes,
# max_entries) -> Feed, run in a worker.
READERS: dict[str, Task[Feed]] = {
    "feed": PARSE_FEED,
    "sitemap": PARSE_FEED,
    "section": PARSE_SECTION,
    "telegram": PARSE_CHANNEL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitLimits:
    """How far one visit goes beyond the first document."""

    sitemaps: int = MAX_SITEMAPS_FIRST
    pages: int = MAX_SECTION_PAGES
    # Pages of a site that is looked over; None: the source's own budget
    site: int | None = None
    # Sitemaps that were not changed since then hold nothing of interest
    since: datetime | None = None


class RecallLeads(Protocol):
    """Whoever knows what was met before; a visit itself touches no file."""

    async def __call__(self, source: str, leads: Sequence[Lead]) -> SeenBefore:
        """How much of what a document shows is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedGap:
    """A document that moved on faster than it was asked, and whether its older pages led back to what was known."""

    found: int  # of the first document
    fresh: int
    closed: bool  # an entry from before was met
    pages: int  # older pages that were read
    ended: str  # why not further


@dataclass(slots=True)
class FurtherDocuments:
    """What further documents showed, and what was left out."""

    found: list[Feed] = field(default_factory=list)
    gap: FeedGap | None = None
    elsewhere: int = 0  # of other sites
    old: int = 0
    dead: int = 0
    over: int = 0  # beyond the bound
    # Over a whole site: at how much, and what was left out
    looked: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, in words."""
        counted = (
            (self.elsewhere, "sitemaps of other sites left out"),
            (self.dead, "sitemaps are gone"),
            (self.over, "older sitemaps left out"),
        )
        return (*(f"{count} {what}" for count, what in counted if count), *self.looked)


def visit_limits(
    source: Source, state: SourceState, settings: CrawlSettings, now: datetime
) -> VisitLimits:
    """A first visit goes far, a later one only where something changed."""
    max_age = settings.max_age if source.max_age is None else source.max_age
    oldest = now - max_age
    if state.last_success_at is None:
        return VisitLimits(since=oldest)
    return VisitLimits(
        sitemaps=MAX_SITEMAPS_LATER,
        pages=1,
        since=max(oldest, state.last_success_at - SITEMAP_OVERLAP),
    )


def document_request(
    source: Source, url: str, settings: CrawlSettings, headers: dict[str, str]
) -> FetchRequest:
    """How a document of a source is asked for.

    Of a sitemap that is too large its first part is taken.
    """
    sitemap = source.kind == "sitemap"
    return FetchRequest(
        url=url,
        headers=headers,
        # The one byte more tells that it was cut
        limit=settings.max_feed_size + sitemap,
        redirects=settings.max_redirects,
        obey_robots=source.obey_robots,
        verify_tls=source.verify_tls,
        cut=sitemap,
        javascript=source.javascript and not sitemap,
    )


async def read_document(
    pool: WorkerPool, page: Page, source: Source, settings: CrawlSettings
) -> Feed:
    """A document of a source, read in a worker."""
    try:
        return await pool.run(
            READERS[source.kind], page.body, url=page.final_url, headers=dict(page.headers), source=source,
            now=page.fetched_at, max_bytes=settings.max_feed_size, max_entries=settings.max_entries,
        )  # fmt: skip
    except WorkerLost as error:
        return Feed(error=f"unreadable: {error}")


async def follow(
    fetcher: Fetcher, pool: WorkerPool, first: Feed, source: Source, settings: CrawlSettings, limits: VisitLimits, *, url: str
) -> FurtherDocuments:  # fmt: skip
    """The documents that the first one of a visit names.

    `url` is where that was found in the end.
    """
    walk = FurtherDocuments()
    if first.children:
        await _sitemaps(fetcher, pool, first, source, settings, limits, walk)
    elif first.kind == "section":
        await _pages(fetcher, pool, first, source, settings, limits, walk)
        if first.list_pages:
            await _site(fetcher, pool, first, source, settings, limits, walk, url=url)
    return walk


async def _sitemaps(
    fetcher: Fetcher,
    pool: WorkerPool,
    first: Feed,
    source: Source,
    settings: CrawlSettings,
    limits: VisitLimits,
    walk: FurtherDocuments,
) -> None:
    seen = {identity.url_key(source.url)}
    waiting: deque[tuple[str, int]] = deque()
    asked = 0

    def enter(index: Feed, depth: int) -> None:
        if depth < MAX_SITEMAP_DEPTH:
            waiting.extendleft(
                (child, depth)
                for child in reversed(_wanted(index, source, limits, walk, seen))
            )

    enter(first, 1)
    while waiting:
        url, depth = waiting.popleft()
        if asked >= limits.sitemaps:
            walk.over += 1
        elif _is_retired(fetcher, url):
            walk.dead += 1
        else:
            asked += 1
            child = await _one(fetcher, pool, url, source, settings, walk)
            if child.error in GONE_ERRORS:
                _retire(fetcher, url)
                walk.dead += 1
            enter(child, depth + 1)


def _wanted(
    index: Feed,
    source: Source,
    limits: VisitLimits,
    walk: FurtherDocuments,
    seen: set[str],
) -> list[str]:
    """The sitemaps of an index that are worth asking for, in its order.

    Those that are not are counted.
    """
    site, wanted = identity.registrable_domain(source.url), []
    for url in index.children:
        changed = index.children_changed_at.get(url)
        if identity.registrable_domain(url) != site:
            walk.elsewhere += 1
        elif (
            changed is not None and limits.since is not None and changed < limits.since
        ):
            walk.old += 1
        elif (key := identity.url_key(url)) not in seen:
            seen.add(key)
            wanted.append(url)
    return wanted


async def _one(
    fetcher: Fetcher, pool: WorkerPool, url: str, source: Source, settings: CrawlSettings, walk: FurtherDocuments, *,
    own: Callable[[str], bool] = lambda _: True,
) -> Feed:  # fmt: skip
    headers = {"Accept": polls.accept_header(source.kind), **source.headers}
    async with fetcher.fetch(
        document_request(source, url, settings, headers)
    ) as outcome:
        if not isinstance(outcome, Fetched):
            return Feed(
                error=f"{outcome.why}: {outcome.detail}"
                if isinstance(outcome, Refusal)
                else outcome.detail
            )
        if outcome.page.status != 200:
            return Feed(error=f"http {outcome.page.status}")
        if not own(outcome.page.final_url):
            return Feed(error="led to other sites")
        found = await read_document(pool, outcome.page, source, settings)
    walk.found.append(found)
    return found


async def _pages(
    fetcher: Fetcher,
    pool: WorkerPool,
    first: Feed,
    source: Source,
    settings: CrawlSettings,
    limits: VisitLimits,
    walk: FurtherDocuments,
) -> None:
    page, seen = first, {identity.url_key(source.url)}
    known = {identity.url_key(lead.url) for lead in first.leads}
    for _ in range(limits.pages - 1):
        if page.next_page is None or identity.url_key(page.next_page) in seen:
            return
        seen.add(identity.url_key(page.next_page))
        page = await _one(fetcher, pool, page.next_page, source, settings, walk)
        fresh = {identity.url_key(lead.url) for lead in page.leads} - known
        if not fresh:  # a calendar without end shows the same again and again
            return
        known |= fresh


async def _site(
    fetcher: Fetcher, pool: WorkerPool, first: Feed, source: Source, settings: CrawlSettings, limits: VisitLimits, walk: FurtherDocuments, *,
    url: str,
) -> None:  # fmt: skip
    """The site's own pages below the first one, as deep and as many as the source wants."""
    budget = source.budget if limits.site is None else min(limits.site, source.budget)
    frontier = site.Frontier((source.url, url), depth=source.depth, budget=budget)
    frontier.add_pages(first.list_pages, 1)
    while (step := frontier.next_page()) is not None:
        page = await _one(
            fetcher, pool, step[0], source, settings, walk, own=frontier.is_own
        )
        if page.error is not None:
            frontier.left_out[page.error.partition(":")[0]] += 1
        frontier.add_pages(page.list_pages, step[1] + 1)
    walk.looked = frontier.describe()


async def catch_up(
    fetcher: Fetcher, pool: WorkerPool, first: Feed, source: Source, state: SourceState, settings: CrawlSettings,
    memory: RecallLeads, *, url: str,
) -> FurtherDocuments:  # fmt: skip
    """The older pages of a feed or section that outran us, until one shows an entry from before (rules, case 68).

    `url` is where the first document was found in the end: its site's pages are followed, too.
    """
    walk = FurtherDocuments()
    # Nothing was read yet at this address
    if first.next_page is None or state.body_hash is None:
        return walk
    met = await memory(source.id, first.leads)
    if not polls.has_outrun_polls(state, found=met.shown, known=met.known):
        return walk
    page, closed, ended = first, False, ""
    seen, sites = (
        {identity.url_key(source.url)},
        {identity.registrable_domain(source.url), identity.registrable_domain(url)},
    )
    shown = {identity.url_key(lead.url) for lead in first.leads}
    while not closed and not (
        ended := _barrier(page, sites, seen, len(shown), settings.max_entries)
    ):
        assert page.next_page is not None
        seen.add(identity.url_key(page.next_page))
        page = await _one(fetcher, pool, page.next_page, source, settings, walk)
        fresh = {identity.url_key(lead.url) for lead in page.leads} - shown
        shown |= fresh
        closed = (await memory(source.id, page.leads)).own > 0
        if not fresh:
            ended = page.error or "the page shows nothing more"
            break
    walk.gap = FeedGap(
        found=met.shown,
        fresh=met.shown - met.known,
        closed=closed,
        pages=len(walk.found),
        ended=ended or "met",
    )
    return walk


def _barrier(page: Feed, sites: set[str], seen: set[str], shown: int, most: int) -> str:
    """Why the older page that a document names is not read; "" where it is."""
    url = page.next_page
    if url is None:
        return "no older page is named"
    if identity.url_key(url) in seen:
        return "the older pages lead in a circle"
    if identity.registrable_domain(url) not in sites:
        return "the older page is of another site"
    if len(seen) > MAX_OLDER_PAGES:
        return "no more pages are read at once"
    return "no more entries are taken at once" if shown >= most else ""


def _is_retired(fetcher: Fetcher, url: str) -> bool:
    until = fetcher.retired.get(url)
    return until is not None and utc_now() < until


def _retire(fetcher: Fetcher, url: str) -> None:
    if len(fetcher.retired) >= MAX_RETIRED:
        fetcher.retired.clear()
    fetcher.retired[url] = utc_now() + RETIRED_FOR


def merge_feeds(feed: Feed, further: Sequence[Feed], most: int) -> Feed:
    """A feed with the leads of the documents that it named, the newest first where there are too many."""
    leads = [*feed.leads, *(lead for one in further for lead in one.leads)]
    if len(leads) > most:
        leads.sort(
            key=lambda lead: (
                lead.published_at.timestamp() if lead.published_at else 0.0
            ),
            reverse=True,
        )
    newest = max(
        (one.newest_at for one in (feed, *further) if one.newest_at), default=None
    )
    left = (f"{len(leads) - most} older pages left out",) if len(leads) > most else ()
    told = tuple(dict.fromkeys(warning for one in further for warning in one.warnings))[
        :10
    ]
    return replace(
        feed,
        leads=tuple(leads[:most]),
        newest_at=newest,
        warnings=(*feed.warnings, *told, *left),
    )
