"""Asking sources once, without a store.

What each answers, how fresh, whether its pages yield text, what to mend.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from crawler import discovery, page_task
from crawler.fetching import loop
from crawler.fetching.fetcher import Fetcher
from crawler.fetching.guard import Guard, parse_proxy
from crawler.fetching.requests import Fetched, FetchRequest
from crawler.sources import CrawlSettings, Source
from crawler.visits import answers, source_visit
from crawler.visits.document_walk import VisitLimits
from crawler.visits.documents import published_timestamp
from crawler.visits.visit_result import VisitResult
from crawler.workers import NoWorker, WorkerLost, WorkerPool
from storage import identity, text_likeness
from storage.model import (
    Document,
    Failure,
    Lead,
    Page,
    Poll,
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
# What to do about an error that begins so
REMEDIES = {
    "robots": (
        "robots.txt denies it: leave it out, "
        "or `obey_robots = false` where its publisher invites to the feed"
    ),
    "tls": (
        "its certificate is not good: "
        "try again later, or `verify_tls = false` for this source"
    ),
    "javascript": (
        "`khabar doctor` says what a browser needs here; "
        "without `javascript` the page is read as it is sent"
    ),
}


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


class SourceChecker:
    """Asks sources, and reads a page of each, as a crawl would."""

    def __init__(
        self, fetcher: Fetcher, pool: WorkerPool, settings: CrawlSettings
    ) -> None:
        self._fetcher = fetcher
        self._pool = pool
        self._settings = settings

    async def check(self, source: Source) -> SourceCheck:
        """Visit a source once, and one page of it; where it fails, look for a remedy."""
        visited = await self._visit(source)
        if not visited.poll.leads:
            mend = await self._find_remedy(source, visited)
            return SourceCheck(source=source, visited=visited, mend=mend)
        newest = max(visited.poll.leads, key=published_timestamp)
        sample = await self._read_sample(newest, source)
        return SourceCheck(source=source, visited=visited, sample=sample)

    async def _visit(self, source: Source) -> VisitResult:
        state = SourceState(
            id=source.id, name=source.name, kind=source.kind, url=source.url
        )
        started = utc_now()
        visited = await source_visit.visit_source(
            self._fetcher,
            self._pool,
            source,
            state,
            self._settings,
            manual=True,
            limits=CHECK_LIMITS,
        )
        if isinstance(visited, NoWorker):
            poll = Poll(
                source=source.id, started_at=started, ended_at=utc_now(), status="error"
            )
            return answers.failed_visit(poll, f"no worker: {visited.why}")
        return visited

    async def _read_sample(self, lead: Lead, source: Source) -> PageSample:
        """A page that a source points to, read as a crawl would read it."""
        if lead.via == "telegram" and lead.body:
            why = Rejection(why=RejectionReason.EMPTY, detail="no text in it")
            return await self._process(None, why, lead, source)
        request = FetchRequest(
            url=lead.url,
            headers=source.headers,
            limit=self._settings.max_page_size,
            redirects=self._settings.max_redirects,
            verify_tls=source.verify_tls,
            javascript=source.javascript,
        )
        async with self._fetcher.fetch(request) as outcome:
            if isinstance(outcome, Fetched):
                return await self._process(outcome.page, None, lead, source)
            if isinstance(outcome, Failure):
                return await self._process(None, outcome, lead, source)
            if isinstance(outcome, NoWorker):
                return PageSample(url=lead.url, trouble=f"no worker: {outcome.why}")
            trouble = f"{outcome.why}: {outcome.detail}"
            return PageSample(url=lead.url, trouble=trouble)

    async def _process(
        self,
        page: Page | None,
        why: Rejection | Failure | None,
        lead: Lead,
        source: Source,
    ) -> PageSample:
        """What a page yields, however relevant it is."""
        result = await self._pool.run(
            page_task.PROCESS_PAGE,
            page,
            lead,
            source=replace(source, min_relevance=None),
            settings=replace(self._settings, min_relevance=0.0),
            now=utc_now(),
            why=why,
        )
        if isinstance(result, NoWorker):
            return PageSample(url=lead.url, trouble=f"no worker: {result.why}")
        if isinstance(result, WorkerLost):
            return PageSample(url=lead.url, trouble=f"unreadable: {result.why}")
        outcome = result.value.outcome
        if isinstance(outcome, Document):
            words = len(text_likeness.fold_words(outcome.text))
            return PageSample(url=lead.url, words=words, language=outcome.language)
        reason = getattr(outcome, "why", "failed")
        detail = getattr(outcome, "detail", "")
        return PageSample(url=lead.url, trouble=f"{reason}: {detail}".rstrip(": "))

    async def _find_remedy(self, source: Source, visited: VisitResult) -> str | None:
        """What could be done about a source that does not answer.

        Something else of the same site that does, or a setting.
        """
        error = visited.poll.error or ""
        if visited.poll.moved_to:
            return f"it moved for good: write {visited.poll.moved_to}"
        for kind, remedy in REMEDIES.items():
            if error.startswith(kind):
                return remedy
        if not error.startswith(MENDABLE_ERRORS) or source.kind == "telegram":
            return None
        parts = urlsplit(source.url)
        top = f"{parts.scheme}://{parts.netloc}/"
        for other in await discovery.find_candidates(
            self._fetcher, top, self._settings
        ):
            if identity.url_key(other.url) == identity.url_key(source.url):
                continue
            tried = await self._visit(other)
            if tried.poll.leads:
                count = len(tried.poll.leads)
                found = f'{other.kind} = "{other.url}"'
                return f"found another: {found} with {count} items"
        return None


@asynccontextmanager
async def open_checker(
    settings: CrawlSettings,
) -> AsyncIterator[tuple[SourceChecker, Fetcher]]:
    """A downloader and workers for as long as the block."""
    guard = Guard(settings.allow_addresses, parse_proxy(settings.proxy))
    pool = WorkerPool(settings.workers)
    fetcher = Fetcher(settings, guard, pool)
    loop.install_guard(guard)
    pool.start()
    await fetcher.start()
    try:
        yield SourceChecker(fetcher, pool, settings), fetcher
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

    The answers come in their order.
    """
    async with open_checker(settings) as (checker, _):

        async def check_one(source: Source) -> SourceCheck:
            checked = await checker.check(source)
            poll = checked.visited.poll
            progress(f"{source.id}: {poll.error or f'{len(poll.leads)} items'}")
            return checked

        checks = (check_one(source) for source in sources)
        return mark_duplicates(await asyncio.gather(*checks))


async def find_sources(
    address: str,
    settings: CrawlSettings,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> list[SourceCheck]:
    """What a site offers to be watched by, the best first, each tried.

    None where nothing answers with items.
    """
    async with open_checker(settings) as (checker, fetcher):
        found = []
        for source in await discovery.find_candidates(fetcher, address, settings):
            progress(f"trying {source.url}")
            checked = await checker.check(source)
            if checked.visited.poll.leads:
                found.append(checked)
        return mark_duplicates(found)


def mark_duplicates(checks: Sequence[SourceCheck]) -> list[SourceCheck]:
    """The same checks; each names an earlier source that shows the same addresses.

    As the rules say in case 15.
    """
    marked: list[SourceCheck] = []
    shown: list[tuple[str, set[str]]] = []
    for check in checks:
        keys = {identity.url_key(lead.url) for lead in check.visited.poll.leads}
        same_as: str | None = None
        for earlier, other in shown:
            if keys and len(keys & other) >= MIN_SHARED_URLS * len(keys | other):
                same_as = earlier
                break
        shown.append((check.source.id, keys))
        marked.append(replace(check, same_as=same_as))
    return marked
