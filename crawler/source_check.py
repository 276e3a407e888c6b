"""Asking sources once, without a store.

What each answers, how fresh, whether its pages yield text, what to mend.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from crawler import discovery
from crawler.fetching import loop
from crawler.fetching.fetcher import Fetched, Fetcher, FetchRequest
from crawler.fetching.guard import Guard, parse_proxy
from crawler.sources import CrawlSettings, Source
from crawler.visits import source_visit
from crawler.visits.further_documents import VisitLimits
from crawler.visits.source_visit import VisitResult
from crawler.workers import Task, WorkerLost, WorkerPool
from storage import identity, text_likeness
from storage.model import (
    Document,
    Failure,
    Landing,
    Lead,
    Rejection,
    RejectionReason,
    SourceState,
    utc_now,
)

CHECK_LIMITS = VisitLimits(sitemaps=3, pages=1, site=3)
MIN_SHARED_URLS = 0.9  # share of common addresses from which two sources are one
MENDABLE_ERRORS = (
    "http 404",
    "http 410",
    "html_instead_of_feed",
    "not_a_feed",
    "empty_body",
    "no_article_links",
    "ill_formed",
)
PROCESS_PAGE: Task[Landing] = Task("crawler.intake", "process_page_in_worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSample:
    """What became of one page that a source points to."""

    url: str
    words: int = 0
    language: str | None = None
    trouble: str | None = None  # why it gave no text


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCheck:
    """What one source answered."""

    source: Source
    visited: VisitResult
    sample: PageSample | None = None  # None where there was nothing to try
    mend: str | None = None  # what could be done about its trouble
    same_as: str | None = None  # the id of an earlier source that shows the same


@asynccontextmanager
async def open_fetcher(
    settings: CrawlSettings,
) -> AsyncIterator[tuple[Fetcher, WorkerPool]]:
    """A downloader and workers for as long as the block."""
    guard, pool = (
        Guard(settings.allow_addresses, parse_proxy(settings.proxy)),
        WorkerPool(settings.workers),
    )
    fetcher = Fetcher(settings, guard, pool)
    loop.install_guard(guard)
    pool.start()
    await fetcher.start()
    try:
        yield fetcher, pool
    finally:
        await fetcher.stop(grace=5.0)
        await pool.close()


async def check_sources(
    sources: Sequence[Source],
    settings: CrawlSettings,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[SourceCheck]:
    """Visit each source once, unconditionally, politely, and one page of each.

    The answers in their order.
    """
    async with open_fetcher(settings) as (fetcher, pool):

        async def one(source: Source) -> SourceCheck:
            checked = await _one(fetcher, pool, source, settings)
            found = checked.visited.poll
            progress(f"{source.id}: {found.error or f'{len(found.leads)} items'}")
            return checked

        return mark_duplicates(
            await asyncio.gather(*(one(source) for source in sources))
        )


async def find_sources(
    address: str,
    settings: CrawlSettings,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[SourceCheck]:
    """What a site offers to be watched by, the best first, each tried.

    None where nothing answers with items.
    """
    async with open_fetcher(settings) as (fetcher, pool):
        found = []
        for source in await discovery.find_candidates(fetcher, address, settings):
            progress(f"trying {source.url}")
            checked = await _one(fetcher, pool, source, settings)
            if checked.visited.poll.leads:
                found.append(checked)
        return mark_duplicates(found)


async def _one(
    fetcher: Fetcher, pool: WorkerPool, source: Source, settings: CrawlSettings
) -> SourceCheck:
    state = SourceState(
        id=source.id, name=source.name, kind=source.kind, url=source.url
    )
    visited = await source_visit.visit_source(
        fetcher, pool, source, state, settings, manual=True, limits=CHECK_LIMITS
    )
    if visited.poll.leads:
        return SourceCheck(
            source=source,
            visited=visited,
            sample=await _sample(fetcher, pool, visited, source, settings),
        )
    mend = await _mend(fetcher, pool, source, visited, settings)
    return SourceCheck(source=source, visited=visited, mend=mend)


async def _sample(
    fetcher: Fetcher, pool: WorkerPool, visited: VisitResult, source: Source, settings: CrawlSettings
) -> PageSample:  # fmt: skip
    """The newest page that a source points to, read as a crawl would read it."""
    lead = max(
        visited.poll.leads,
        key=lambda lead: lead.published_at.timestamp() if lead.published_at else 0.0,
    )
    ask = FetchRequest(
        url=lead.url, headers=source.headers, limit=settings.max_page_size, redirects=settings.max_redirects,
        verify_tls=source.verify_tls, javascript=source.javascript,
    )  # fmt: skip
    if lead.via == "telegram" and lead.body:
        why = Rejection(why=RejectionReason.EMPTY, detail="no text in it")
        return await _read(pool, None, lead, source, settings, why)
    async with fetcher.fetch(ask) as outcome:
        if isinstance(outcome, Failure):
            return await _read(pool, None, lead, source, settings, outcome)
        if not isinstance(outcome, Fetched):
            return PageSample(url=lead.url, trouble=f"{outcome.why}: {outcome.detail}")
        return await _read(pool, outcome, lead, source, settings, None)


async def _read(
    pool: WorkerPool, came: Fetched | None, lead: Lead, source: Source, settings: CrawlSettings,
    why: Rejection | Failure | None,
) -> PageSample:  # fmt: skip
    anything = replace(settings, min_relevance=0.0)
    try:
        landing = await pool.run(
            PROCESS_PAGE, came.page if came else None, lead, source=replace(source, min_relevance=None),
            settings=anything, now=utc_now(), why=why,
        )  # fmt: skip
    except WorkerLost as error:
        return PageSample(url=lead.url, trouble=f"unreadable: {error}")
    outcome = landing.outcome
    if isinstance(outcome, Document):
        return PageSample(
            url=lead.url,
            words=len(text_likeness.fold_words(outcome.text)),
            language=outcome.language,
        )
    reason = getattr(outcome, "why", "failed")
    return PageSample(
        url=lead.url, trouble=f"{reason}: {getattr(outcome, 'detail', '')}".rstrip(": ")
    )


async def _mend(
    fetcher: Fetcher, pool: WorkerPool, source: Source, visited: VisitResult, settings: CrawlSettings
) -> str | None:  # fmt: skip
    """Something else of the same site that answers, where a source does not.

    Or what else could be tried.
    """
    error = visited.poll.error or ""
    if visited.poll.moved_to:
        return f"it moved for good: write {visited.poll.moved_to}"
    if error.startswith("robots"):
        return "robots.txt denies it: leave it out, or `obey_robots = false` where its publisher invites to the feed"
    if error.startswith("tls"):
        return "its certificate is not good: try again later, or `verify_tls = false` for this source"
    if error.startswith("javascript"):
        return "`khabar doctor` says what a browser needs here; without `javascript` the page is read as it is sent"
    if not error.startswith(MENDABLE_ERRORS) or source.kind == "telegram":
        return None
    parts = urlsplit(source.url)
    for other in await discovery.find_candidates(
        fetcher, f"{parts.scheme}://{parts.netloc}/", settings
    ):
        if identity.url_key(other.url) == identity.url_key(source.url):
            continue
        state = SourceState(id=other.id, name="", kind=other.kind, url=other.url)
        tried = await source_visit.visit_source(
            fetcher, pool, other, state, settings, manual=True, limits=CHECK_LIMITS
        )
        if tried.poll.leads:
            return f'found another: {other.kind} = "{other.url}" with {len(tried.poll.leads)} items'
    return None


def mark_duplicates(found: Sequence[SourceCheck]) -> list[SourceCheck]:
    """The same, each told of an earlier one that shows the same addresses (rules, case 15)."""
    out: list[SourceCheck] = []
    shown: list[tuple[str, frozenset[str]]] = []
    for checked in found:
        keys = frozenset(
            identity.url_key(lead.url) for lead in checked.visited.poll.leads
        )
        same = next(
            (
                name
                for name, other in shown
                if keys and len(keys & other) >= MIN_SHARED_URLS * len(keys | other)
            ),
            None,
        )
        shown.append((checked.source.id, keys))
        out.append(replace(checked, same_as=same))
    return out
