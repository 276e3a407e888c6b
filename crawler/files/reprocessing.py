"""Kept raw pages are read anew with today's extraction and rules.

Through the same processing as a crawl. What says the same as before is not written
again. It can be stopped at any time and started again: what was read anew then says the
same. Nothing is asked of the web.
"""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from crawler import page_task
from crawler.extraction import clean
from crawler.files.import_context import ImportContext
from crawler.workers import Done, map_in_order
from storage import identity, text_likeness
from storage.model import Document, Landing, Lead, Page, Rejection
from storage.query.criteria import Criteria
from storage.query.reprocess_candidates import ReprocessCandidate

LANDINGS_PER_BATCH = 64  # pages of one transaction


class ReprocessOutcome(StrEnum):
    """What reading anew makes of a page."""

    SAME = "same"
    # The same text, with another date, authors, relevance, address of origin
    RETOLD = "retold"
    CHANGED = "changed"  # another text or title
    LET_IN = "let in"  # was not kept, and would be now
    LET_OUT = "let out"  # was kept, and would not be now
    # Was taken for a former state of another document, and is one of its own now
    PARTED = "parted"
    LOST = "lost"  # its raw page is not there, or cannot be read any more


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprocessedPage:
    """One page that was read anew."""

    before: ReprocessCandidate
    turn: ReprocessOutcome
    landing: Landing | None = None

    @property
    def after(self) -> Document | Rejection | None:
        """What it says now."""
        if self.landing is None:
            return None
        outcome = self.landing.outcome
        if isinstance(outcome, Document | Rejection):
            return outcome
        return None


@dataclass(slots=True)
class ReprocessCounts:
    """How many pages there were, and what became of them."""

    pages: int = 0
    turns: Counter[str] = field(default_factory=Counter)


Tell = Callable[[ReprocessedPage], None]
Progress = Callable[[ReprocessCounts], None]


def counts_to_json(counts: ReprocessCounts) -> dict[str, int]:
    """The counts as a job or a program takes them."""
    told = {"pages": counts.pages}
    for outcome in ReprocessOutcome:
        told[outcome.replace(" ", "_")] = counts.turns[outcome]
    return told


async def reprocess(
    context: ImportContext,
    criteria: Criteria,
    *,
    dry_run: bool,
    tell: Tell,
    progress: Progress = lambda _: None,
) -> ReprocessCounts:
    """Read everything anew that a search finds, and what was not kept.

    `tell` hears of whatever is not the same. With `dry_run` nothing is written. Raises
    StoreError, and WorkFailed where no worker is to be had.
    """
    counts = ReprocessCounts()
    land = context.writer.store.landings.land
    batch: list[Landing] = []
    pages = _reprocess_in_order(context, criteria, counts)
    async with aclosing(pages):
        async for page in pages:
            counts.turns[page.turn] += 1
            if page.turn is not ReprocessOutcome.SAME:
                tell(page)
            if page.landing is not None and page.turn is not ReprocessOutcome.SAME:
                batch.append(page.landing)
            if len(batch) >= LANDINGS_PER_BATCH:
                if not dry_run:
                    await context.writer.run(land, batch)
                batch = []
            progress(counts)
    if batch and not dry_run:
        await context.writer.run(land, batch)
    return counts


async def clean_anew(context: ImportContext, since: datetime) -> int:
    """Read kept pages anew that have lines which their host has taught since.

    Which lines a host had taught when a page was read depends on which of its pages
    came first: 66 of 575 texts differed between two crawls of one web. Returns how many
    pages were read. Raises StoreError, and WorkFailed where no worker is to be had.
    """
    writer = context.writer
    store = writer.store
    ids = await writer.run(store.boilerplate.documents_to_clean, since)
    learned: dict[str, frozenset[int]] = {}
    read = 0
    for start in range(0, len(ids), LANDINGS_PER_BATCH):
        some_ids = ids[start : start + LANDINGS_PER_BATCH]
        landings: list[Landing] = []
        for before in await writer.run(store.reprocessing.load_documents, some_ids):
            host = identity.url_host(before.url)
            if host not in learned:
                learned[host] = await writer.run(store.boilerplate.learned, host)
            if learned[host].isdisjoint(clean.line_hashes(before.text)):
                continue
            page = await _reprocess_page(context, before)
            read += 1
            if page.landing is not None and page.turn is not ReprocessOutcome.SAME:
                landings.append(page.landing)
        if landings:
            await writer.run(store.landings.land, landings)
    return read


async def _reprocess_in_order(
    context: ImportContext, criteria: Criteria, counts: ReprocessCounts
) -> AsyncGenerator[ReprocessedPage, None]:
    """Every page, a few ahead of the one that is handed out."""
    writer = context.writer
    candidates = writer.store.reprocessing
    ids = await writer.run(candidates.document_ids, criteria)
    keys = await writer.run(candidates.rejection_keys, criteria)
    counts.pages = len(ids) + len(keys)

    async def load() -> AsyncIterator[ReprocessCandidate]:
        for start in range(0, len(ids), LANDINGS_PER_BATCH):
            some_ids = ids[start : start + LANDINGS_PER_BATCH]
            for candidate in await writer.run(candidates.load_documents, some_ids):
                yield candidate
        for start in range(0, len(ids), LANDINGS_PER_BATCH):
            some_ids = ids[start : start + LANDINGS_PER_BATCH]
            for candidate in await writer.run(candidates.load_merged_states, some_ids):
                yield candidate
        for start in range(0, len(keys), LANDINGS_PER_BATCH):
            some_keys = keys[start : start + LANDINGS_PER_BATCH]
            for candidate in await writer.run(candidates.load_rejections, some_keys):
                yield candidate

    async def reprocess_one(before: ReprocessCandidate) -> ReprocessedPage:
        return await _reprocess_page(context, before)

    pages = map_in_order(reprocess_one, load(), max_ahead=context.max_tasks)
    async with aclosing(pages):
        async for page in pages:
            yield page


async def _reprocess_page(
    context: ImportContext, before: ReprocessCandidate
) -> ReprocessedPage:
    """Read one page anew."""
    writer = context.writer
    store = writer.store
    page = await writer.run(store.captures.page, before.capture_id)
    if page is None:
        return ReprocessedPage(before=before, turn=ReprocessOutcome.LOST)
    host = identity.url_host(before.url)
    # What its feed told is known no more, but for the date.
    lead = Lead(url=before.url, source=before.source, via=before.via)
    if before.published_how == "feed":
        # As it was written, too: a day without an hour says less than the page's hour.
        lead = replace(
            lead,
            published_at=before.published_at,
            published_raw=before.published_raw,
        )
    result = await context.pool.run_when_possible(
        page_task.PROCESS_PAGE,
        page,
        lead,
        source=context.sources.get(before.source),
        settings=context.settings,
        boilerplate=await writer.run(store.boilerplate.learned, host),
        now=page.fetched_at,
    )
    if not isinstance(result, Done):
        return ReprocessedPage(before=before, turn=ReprocessOutcome.LOST)
    landing = _landing_in_place(before, page, result.value)
    turn = compare_outcomes(before, landing)
    if turn is ReprocessOutcome.LOST:
        return ReprocessedPage(before=before, turn=turn)
    return ReprocessedPage(before=before, turn=turn, landing=landing)


def _landing_in_place(before: ReprocessCandidate, page: Page, read: Landing) -> Landing:
    """The landing at the address that the text has.

    Reading anew is no reason to move it.
    """
    outcome = read.outcome
    if before.document_id is not None and isinstance(outcome, Document):
        url = before.url
        # Where the page was had at another address, the one that it names stands.
        if identity.url_key(before.url) != identity.url_key(page.final_url):
            url = outcome.url
        # What only the feed told was not kept apart.
        outcome = replace(
            outcome,
            url=url,
            authors=outcome.authors or before.authors,
            origin_url=outcome.origin_url or before.origin_url,
            title=outcome.title or before.title,
        )
    return replace(
        read,
        outcome=outcome,
        url=before.url,
        source=before.source,
        aliases=(),
        page=page,
        capture_id=before.capture_id,
    )


def compare_outcomes(before: ReprocessCandidate, landing: Landing) -> ReprocessOutcome:
    """What became of a page. Pure."""
    after = landing.outcome
    if before.merged_into is not None:
        if isinstance(after, Document):
            return ReprocessOutcome.PARTED
        return ReprocessOutcome.SAME
    if before.document_id is None:
        if isinstance(after, Document):
            return ReprocessOutcome.LET_IN
        return ReprocessOutcome.SAME
    if isinstance(after, Rejection):
        return ReprocessOutcome.LET_OUT
    if not isinstance(after, Document):
        return ReprocessOutcome.LOST
    if (after.title or "") != (before.title or ""):
        return ReprocessOutcome.CHANGED
    if text_likeness.text_hash(after.text) != text_likeness.text_hash(before.text):
        return ReprocessOutcome.CHANGED

    published_at = after.published_at
    # A page that moves its date with each edit was still published when it was first
    # published.
    if published_at is None or before.revision > 1:
        published_at = before.published_at
    now_known = (
        identity.url_key(after.url),
        after.authors,
        published_at,
        round(after.verdict.score, 3),
        after.extractor,
    )
    was_known = (
        identity.url_key(before.url),
        before.authors,
        before.published_at,
        round(before.relevance, 3),
        before.extractor,
    )
    if now_known == was_known:
        return ReprocessOutcome.SAME
    return ReprocessOutcome.RETOLD
