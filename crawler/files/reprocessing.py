"""Kept raw pages read anew with today's extraction and rules, through the same desk as a crawl.

What says the same as before is not written again. It can be stopped at any time and started again: what was read anew
then says the same. Nothing is asked of the web.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TypeVar

from crawler.files.import_context import ImportContext
from crawler.workers import Task, WorkerLost
from storage import identity, text_likeness
from storage.model import Document, Landing, Lead, Page, Rejection
from storage.query.criteria import Criteria
from storage.query.reprocess_candidates import ReprocessCandidate

T = TypeVar("T")

LANDINGS_PER_BATCH = 64  # pages of one transaction
PROCESS_PAGE: Task[Landing] = Task("crawler.intake", "process_page_in_worker")


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
        outcome = self.landing.outcome if self.landing else None
        return outcome if isinstance(outcome, Document | Rejection) else None


@dataclass(slots=True)
class ReprocessCounts:
    """How many there were, and what became of them."""

    pages: int = 0
    turns: Counter[str] = field(default_factory=Counter)


Tell = Callable[[ReprocessedPage], None]
Progress = Callable[[ReprocessCounts], None]


def counts_to_json(tally: ReprocessCounts) -> dict[str, int]:
    """The numbers as a request or a program takes them."""
    return {
        "pages": tally.pages,
        **{turn.replace(" ", "_"): tally.turns[turn] for turn in ReprocessOutcome},
    }


async def reprocess(
    desk: ImportContext,
    criteria: Criteria,
    *,
    dry_run: bool,
    tell: Tell,
    progress: Progress = lambda _: None,
) -> ReprocessCounts:
    """Read everything anew that a search finds, and what was not kept.

    `tell` of whatever is not the same.

    With `dry_run` nothing is written. Raises StoreError.
    """
    tally = ReprocessCounts()
    batch: list[Landing] = []
    async for redone in _in_order(desk, criteria, tally):
        tally.turns[redone.turn] += 1
        if redone.turn is not ReprocessOutcome.SAME:
            tell(redone)
        if (
            not dry_run
            and redone.landing is not None
            and redone.turn not in {ReprocessOutcome.SAME, ReprocessOutcome.LOST}
        ):
            batch.append(redone.landing)
        if len(batch) >= LANDINGS_PER_BATCH:
            await desk.writer.run(desk.writer.store.landings.land, batch)
            batch = []
        progress(tally)
    if batch:
        await desk.writer.run(desk.writer.store.landings.land, batch)
    return tally


async def _in_order(
    desk: ImportContext, criteria: Criteria, tally: ReprocessCounts
) -> AsyncIterator[ReprocessedPage]:
    """Every page, a few ahead of the one that is handed out."""
    candidates, run = desk.writer.store.reprocessing, desk.writer.run
    ids = await run(candidates.document_ids, criteria)
    keys = await run(candidates.rejection_keys, criteria)
    tally.pages = len(ids) + len(keys)
    waiting: deque[asyncio.Future[ReprocessedPage]] = deque()
    try:
        for load in _loads(desk, ids, keys):
            for one in await run(load):
                waiting.append(asyncio.ensure_future(_redo(desk, one)))
                if len(waiting) >= desk.max_tasks:
                    yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for left in waiting:
            left.cancel()


def _loads(
    desk: ImportContext, ids: Sequence[int], keys: Sequence[str]
) -> Iterator[Callable[[], list[ReprocessCandidate]]]:
    candidates = desk.writer.store.reprocessing
    for some in _pieces(ids):
        yield partial(candidates.load_documents, some)
    for some in _pieces(ids):
        yield partial(candidates.load_merged_states, some)
    for several in _pieces(keys):
        yield partial(candidates.load_rejections, several)


def _pieces(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(whole), LANDINGS_PER_BATCH):
        yield whole[start : start + LANDINGS_PER_BATCH]


async def _redo(desk: ImportContext, before: ReprocessCandidate) -> ReprocessedPage:
    store = desk.writer.store
    page = await desk.writer.run(store.captures.page, before.capture_id)
    if page is None:
        return ReprocessedPage(before=before, turn=ReprocessOutcome.LOST)
    furniture = await desk.writer.run(
        store.boilerplate.learned, identity.url_host(before.url)
    )
    try:
        read = await desk.pool.run(
            PROCESS_PAGE, page, _lead(before), source=desk.sources.get(before.source), settings=desk.settings,
            boilerplate=furniture, now=page.fetched_at,
        )  # fmt: skip
    except WorkerLost:
        return ReprocessedPage(before=before, turn=ReprocessOutcome.LOST)
    landing = _landing(before, page, read)
    return ReprocessedPage(
        before=before, turn=compare_outcomes(before, landing), landing=landing
    )


def _lead(before: ReprocessCandidate) -> Lead:
    """What was told of the page, as far as it is still known: the feed's date."""
    told_at = before.published_at if before.published_how == "feed" else None
    return Lead(
        url=before.url, source=before.source, via=before.via, published_at=told_at
    )


def _landing(before: ReprocessCandidate, page: Page, read: Landing) -> Landing:
    """The landing at the address that the text has.

    Reading anew is no reason to move it.
    """
    outcome = read.outcome
    url = before.url
    if isinstance(outcome, Document) and not _is_own_address(before.url, page):
        url = outcome.url
    if before.document_id is not None and isinstance(outcome, Document):
        # What only the feed told was not kept apart.
        outcome = replace(
            outcome, url=url, authors=outcome.authors or before.authors,
            origin_url=outcome.origin_url or before.origin_url, title=outcome.title or before.title,
        )  # fmt: skip
    return replace(
        read, outcome=outcome, url=before.url, source=before.source, aliases=(), page=page,
        capture_id=before.capture_id,
    )  # fmt: skip


def _is_own_address(url: str, page: Page) -> bool:
    """Whether a text is kept under the address at which its page was had."""
    return identity.url_key(url) == identity.url_key(page.final_url)


def compare_outcomes(before: ReprocessCandidate, landing: Landing) -> ReprocessOutcome:
    """What became of a page. Pure."""
    after = landing.outcome
    if before.merged_into is not None:
        if isinstance(after, Document):
            return ReprocessOutcome.PARTED
        return ReprocessOutcome.SAME
    if before.document_id is None:
        return (
            ReprocessOutcome.LET_IN
            if isinstance(after, Document)
            else ReprocessOutcome.SAME
        )
    if isinstance(after, Rejection):
        return ReprocessOutcome.LET_OUT
    if not isinstance(after, Document):
        return ReprocessOutcome.LOST
    if text_likeness.text_hash(after.text) != text_likeness.text_hash(before.text) or (
        after.title or ""
    ) != (before.title or ""):
        return ReprocessOutcome.CHANGED
    # A page that moves its date with each edit was still published when it was first
    # published.
    at = (
        before.published_at
        if after.published_at is None or before.revision > 1
        else after.published_at
    )
    told = (
        identity.url_key(after.url),
        after.authors,
        at,
        round(after.verdict.score, 3),
        after.extractor,
    )
    known = (
        identity.url_key(before.url),
        before.authors,
        before.published_at,
        round(before.relevance, 3),
        before.extractor,
    )
    return ReprocessOutcome.SAME if told == known else ReprocessOutcome.RETOLD
