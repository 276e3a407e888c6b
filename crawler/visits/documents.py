"""The documents of a source: how one is asked for, and who parses it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from crawler.fetching.requests import FetchRequest
from crawler.leads.polls import Feed
from crawler.sources import CrawlSettings, Source
from crawler.workers import Done, NoWorker, Task, WorkerPool
from storage.model import Lead, Page

PARSE_FEED: Task[Feed] = Task("crawler.leads.feeds", "parse_feed")
PARSE_SECTION: Task[Feed] = Task("crawler.leads.sections", "parse_section_page")
PARSE_CHANNEL: Task[Feed] = Task("crawler.leads.telegram", "parse_telegram_page")
# Each kind of source has a parser, which runs in a worker:
# (body, url, headers, source, now, max_bytes, max_entries) -> Feed
PARSERS: dict[str, Task[Feed]] = {
    "feed": PARSE_FEED,
    "sitemap": PARSE_FEED,
    "section": PARSE_SECTION,
    "telegram": PARSE_CHANNEL,
}
# Where sites keep their sitemaps, where robots.txt names none
SITEMAP_PLACES = ("sitemap_index.xml", "sitemap.xml")
MAX_WARNINGS = 10  # of all further documents together


def document_request(
    source: Source, url: str, settings: CrawlSettings, headers: Mapping[str, str]
) -> FetchRequest:
    """How a document of a source is asked for.

    Of a sitemap that is too large its first part is taken.
    """
    is_sitemap = source.kind == "sitemap"
    limit = settings.max_feed_size
    if is_sitemap:
        limit += 1  # the one byte more tells that it was cut
    return FetchRequest(
        url=url,
        headers=headers,
        limit=limit,
        redirects=settings.max_redirects,
        obey_robots=source.obey_robots,
        verify_tls=source.verify_tls,
        cut=is_sitemap,
        javascript=source.javascript and not is_sitemap,
    )


async def parse_document(
    pool: WorkerPool, page: Page, source: Source, settings: CrawlSettings
) -> Feed | NoWorker:
    """What a document shows, parsed in a worker."""
    result = await pool.run(
        PARSERS[source.kind],
        page.body,
        url=page.final_url,
        headers=dict(page.headers),
        source=source,
        now=page.fetched_at,
        max_bytes=settings.max_feed_size,
        max_entries=settings.max_entries,
    )
    if isinstance(result, NoWorker):
        return result
    if isinstance(result, Done):
        return result.value
    return Feed(error=f"unreadable: {result.why}")


def merge_documents(first: Feed, further: Sequence[Feed], max_leads: int) -> Feed:
    """A document with the leads of those that it named.

    The newest come first where there are too many.
    """
    leads = list(first.leads)
    newest_at = first.newest_at
    warnings: dict[str, None] = {}
    for document in further:
        leads += document.leads
        warnings |= dict.fromkeys(document.warnings)
        if newest_at is None or (document.newest_at and document.newest_at > newest_at):
            newest_at = document.newest_at

    told = [*first.warnings, *list(warnings)[:MAX_WARNINGS]]
    if len(leads) > max_leads:
        leads.sort(key=published_timestamp, reverse=True)
        told.append(f"{len(leads) - max_leads} older pages left out")
    return replace(
        first,
        leads=tuple(leads[:max_leads]),
        newest_at=newest_at,
        warnings=tuple(told),
    )


def published_timestamp(lead: Lead) -> float:
    """When a lead was published, to sort by; 0.0 where nobody said."""
    if lead.published_at is None:
        return 0.0
    return lead.published_at.timestamp()
