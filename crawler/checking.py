"""Asking sources once, without a store: what each answers, how fresh, whether its pages yield text, what to mend."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from crawler import visits
from crawler.fetching import loop
from crawler.fetching.guard import Guard, endpoint
from crawler.fetching.spiders import Ask, Fetched, Fetcher
from crawler.leads import discovery
from crawler.leads.further import Bounds
from crawler.sources import CrawlSettings, Source
from crawler.visits import Visited
from crawler.workers import Lost, Pool, Task
from storage import identity
from storage.model import Document, Failure, Landing, Lead, Rejection, SourceState, Why, utc_now

BRIEF = Bounds(sitemaps=3, pages=1, site=3)
SAME = 0.9  # share of common addresses from which two sources are one
MENDABLE = (
    "http 404",
    "http 410",
    "html_instead_of_feed",
    "not_a_feed",
    "empty_body",
    "no_article_links",
    "ill_formed",
)
READ_PAGE: Task[Landing] = Task("crawler.intake", "in_worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What became of one page that a source points to."""

    url: str
    words: int = 0
    language: str | None = None
    trouble: str | None = None  # why it gave no text


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one source answered."""

    source: Source
    visited: Visited
    sample: Sample | None = None  # None where there was nothing to try
    mend: str | None = None  # what could be done about its trouble
    same_as: str | None = None  # the id of an earlier source that shows the same


@asynccontextmanager
async def asking(settings: CrawlSettings) -> AsyncIterator[tuple[Fetcher, Pool]]:
    """A downloader and workers for as long as the block."""
    guard, pool = Guard(settings.allow_addresses, endpoint(settings.proxy)), Pool(settings.workers)
    fetcher = Fetcher(settings, guard, pool)
    loop.protect(guard)
    pool.start()
    await fetcher.start()
    try:
        yield fetcher, pool
    finally:
        await fetcher.stop(grace=5.0)
        await pool.close()


async def check(
    sources: Sequence[Source], settings: CrawlSettings, *, progress: Callable[[str], None] = lambda _: None
) -> list[Checked]:
    """Visit each source once, unconditionally, politely, and one page of each; the answers in their order."""
    async with asking(settings) as (fetcher, pool):

        async def one(source: Source) -> Checked:
            checked = await _one(fetcher, pool, source, settings)
            found = checked.visited.poll
            progress(f"{source.id}: {found.error or f'{len(found.leads)} items'}")
            return checked

        return twins(await asyncio.gather(*(one(source) for source in sources)))


async def find(
    address: str, settings: CrawlSettings, *, progress: Callable[[str], None] = lambda _: None
) -> list[Checked]:
    """What a site offers to be watched by, the best first, each tried; none where nothing answers with items."""
    async with asking(settings) as (fetcher, pool):
        found = []
        for source in await discovery.candidates(fetcher, address, settings):
            progress(f"trying {source.url}")
            checked = await _one(fetcher, pool, source, settings)
            if checked.visited.poll.leads:
                found.append(checked)
        return twins(found)


async def _one(fetcher: Fetcher, pool: Pool, source: Source, settings: CrawlSettings) -> Checked:
    state = SourceState(id=source.id, name=source.name, kind=source.kind, url=source.url)
    visited = await visits.poll(fetcher, pool, source, state, settings, manual=True, limits=BRIEF)
    if visited.poll.leads:
        return Checked(source=source, visited=visited, sample=await _sample(fetcher, pool, visited, source, settings))
    mend = await _mend(fetcher, pool, source, visited, settings)
    return Checked(source=source, visited=visited, mend=mend)


async def _sample(
    fetcher: Fetcher, pool: Pool, visited: Visited, source: Source, settings: CrawlSettings
) -> Sample:  # fmt: skip
    """The newest page that a source points to, read as a crawl would read it."""
    lead = max(visited.poll.leads, key=lambda lead: lead.published_at.timestamp() if lead.published_at else 0.0)
    ask = Ask(
        url=lead.url, headers=source.headers, limit=settings.max_page_size, redirects=settings.max_redirects,
        verify_tls=source.verify_tls, javascript=source.javascript,
    )  # fmt: skip
    if lead.via == "telegram" and lead.body:
        why = Rejection(why=Why.EMPTY, detail="no text in it")
        return await _read(pool, None, lead, source, settings, why)
    async with fetcher.get(ask) as outcome:
        if isinstance(outcome, Failure):
            return await _read(pool, None, lead, source, settings, outcome)
        if not isinstance(outcome, Fetched):
            return Sample(url=lead.url, trouble=f"{outcome.why}: {outcome.detail}")
        return await _read(pool, outcome, lead, source, settings, None)


async def _read(
    pool: Pool, came: Fetched | None, lead: Lead, source: Source, settings: CrawlSettings,
    why: Rejection | Failure | None,
) -> Sample:  # fmt: skip
    anything = replace(settings, min_relevance=0.0)
    try:
        landing = await pool.run(
            READ_PAGE, came.page if came else None, lead, source=replace(source, min_relevance=None),
            settings=anything, now=utc_now(), why=why,
        )  # fmt: skip
    except Lost as error:
        return Sample(url=lead.url, trouble=f"unreadable: {error}")
    outcome = landing.outcome
    if isinstance(outcome, Document):
        return Sample(url=lead.url, words=len(identity.words(outcome.text)), language=outcome.language)
    reason = getattr(outcome, "why", "failed")
    return Sample(url=lead.url, trouble=f"{reason}: {getattr(outcome, 'detail', '')}".rstrip(": "))


async def _mend(
    fetcher: Fetcher, pool: Pool, source: Source, visited: Visited, settings: CrawlSettings
) -> str | None:  # fmt: skip
    """Something else of the same site that answers, where a source does not; or what else could be tried."""
    error = visited.poll.error or ""
    if visited.poll.moved_to:
        return f"it moved for good: write {visited.poll.moved_to}"
    if error.startswith("robots"):
        return "robots.txt denies it: leave it out, or `obey_robots = false` where its publisher invites to the feed"
    if error.startswith("tls"):
        return "its certificate is not good: try again later, or `verify_tls = false` for this source"
    if error.startswith("javascript"):
        return "`khabar doctor` says what a browser needs here; without `javascript` the page is read as it is sent"
    if not error.startswith(MENDABLE) or source.kind == "telegram":
        return None
    parts = urlsplit(source.url)
    for other in await discovery.candidates(fetcher, f"{parts.scheme}://{parts.netloc}/", settings):
        if identity.key(other.url) == identity.key(source.url):
            continue
        state = SourceState(id=other.id, name="", kind=other.kind, url=other.url)
        tried = await visits.poll(fetcher, pool, other, state, settings, manual=True, limits=BRIEF)
        if tried.poll.leads:
            return f'found another: {other.kind} = "{other.url}" with {len(tried.poll.leads)} items'
    return None


def twins(found: Sequence[Checked]) -> list[Checked]:
    """The same, each told of an earlier one that shows the same addresses (rules, case 15)."""
    out: list[Checked] = []
    shown: list[tuple[str, frozenset[str]]] = []
    for checked in found:
        keys = frozenset(identity.key(lead.url) for lead in checked.visited.poll.leads)
        same = next((name for name, other in shown if keys and len(keys & other) >= SAME * len(keys | other)), None)
        shown.append((checked.source.id, keys))
        out.append(replace(checked, same_as=same))
    return out
