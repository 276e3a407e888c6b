"""One visit to a source: ask, tell the answers apart, read what it showed.

It ends in plain data and touches no file, so that it could run on another machine.
"""

from dataclasses import replace
from datetime import datetime

from crawler.fetching.fetcher import Fetcher
from crawler.fetching.requests import Fetched
from crawler.leads import polls
from crawler.leads.polls import Feed
from crawler.sources import CrawlSettings, Source
from crawler.visits import answers, document_walk, documents
from crawler.visits.document_walk import DocumentWalk, RecallLeads, VisitLimits
from crawler.visits.visit_result import VisitResult
from crawler.workers import NoWorker, WorkerPool
from storage.model import Poll, SourceState, utc_now


def poll_url(source: Source, state: SourceState, now: datetime) -> str:
    """The URL to ask: the configured one, or where it moved to for good."""
    if not state.moved_to or state.moved_since is None:
        return source.url
    if state.moved_times < answers.MIN_MOVED_TIMES:
        return source.url
    if now - state.moved_since < answers.MIN_MOVED_FOR:
        return source.url
    return state.moved_to


async def visit_source(
    fetcher: Fetcher,
    pool: WorkerPool,
    source: Source,
    state: SourceState,
    settings: CrawlSettings,
    *,
    manual: bool = False,
    limits: VisitLimits | None = None,
    recall: RecallLeads | None = None,
) -> VisitResult | NoWorker:
    """Visit a source of any kind once.

    `limits` say how far beyond the first document, in place of the usual ones. With
    `recall`, which knows what was met before, the older pages of a feed that moved on
    too fast are read as well. `NoWorker` is no visit: nothing of it is to be stored.
    """
    started = utc_now()
    poll = Poll(
        source=source.id,
        started_at=started,
        ended_at=started,
        status="error",
        manual=manual,
    )
    if source.kind not in documents.PARSERS:
        error = f"unsupported: {source.kind} sources cannot be read"
        return answers.failed_visit(poll, error)
    if limits is None:
        limits = document_walk.visit_limits(source, state, settings, started)

    headers = polls.poll_headers(state, source, now=started)
    url = poll_url(source, state, started)
    request = documents.document_request(source, url, settings, headers)
    result: VisitResult | None
    async with fetcher.fetch(request) as outcome:
        if isinstance(outcome, NoWorker):
            return outcome
        if isinstance(outcome, Fetched):
            page = outcome.page
            poll = answers.describe_answer(outcome, poll)
            conditional = any(name.startswith("If-") for name in headers)
            result = answers.visit_without_reading(
                page, poll, state, conditional=conditional
            )
        else:
            result = answers.visit_without_answer(outcome, poll, state)
        if result is not None:
            return _ended_now(result)
        first = await documents.parse_document(pool, page, source, settings)

    # The first document's place is free again: the further ones need theirs.
    if isinstance(first, NoWorker):
        return first
    walk = DocumentWalk(fetcher, pool, source, settings, limits)
    await walk.follow(first, page.final_url)
    if recall is not None and first.next_page and not walk.found:
        await walk.catch_up(first, state, recall, url=page.final_url)
    if walk.no_worker is not None:
        return walk.no_worker

    whole = _whole_document(first, walk, settings)
    result = answers.visit_with_document(whole, page, poll, state)
    return _ended_now(replace(result, gap=walk.gap))


def _whole_document(first: Feed, walk: DocumentWalk, settings: CrawlSettings) -> Feed:
    """The first document with what the further ones showed."""
    max_leads = settings.max_entries
    # What was caught up with comes on top of what the first document shows.
    if walk.gap is not None:
        max_leads *= 2
    whole = documents.merge_documents(first, walk.found, max_leads)
    return replace(whole, warnings=whole.warnings + walk.warnings)


def _ended_now(result: VisitResult) -> VisitResult:
    return replace(result, poll=replace(result.poll, ended_at=utc_now()))
