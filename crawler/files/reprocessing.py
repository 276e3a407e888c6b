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

from crawler.files.desk import Desk
from crawler.workers import Lost, Task
from storage import identity
from storage.finding.criteria import Criteria
from storage.model import Document, Landing, Lead, Page, Rejection
from storage.tables import kept
from storage.tables.kept import Kept

T = TypeVar("T")

BATCH = 64  # pages of one transaction
READ_PAGE: Task[Landing] = Task("crawler.intake", "in_worker")


class Turn(StrEnum):
    """What reading anew makes of a page."""

    SAME = "same"
    RETOLD = "retold"  # the same text, with another date, authors, relevance, address of origin
    CHANGED = "changed"  # another text or title
    LET_IN = "let in"  # was not kept, and would be now
    LET_OUT = "let out"  # was kept, and would not be now
    LOST = "lost"  # its raw page is not there, or cannot be read any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Redone:
    """One page that was read anew."""

    before: Kept
    turn: Turn
    landing: Landing | None = None

    @property
    def after(self) -> Document | Rejection | None:
        """What it says now."""
        outcome = self.landing.outcome if self.landing else None
        return outcome if isinstance(outcome, Document | Rejection) else None


@dataclass(slots=True)
class Tally:
    """How many there were, and what became of them."""

    pages: int = 0
    turns: Counter[str] = field(default_factory=Counter)


Tell = Callable[[Redone], None]
Progress = Callable[[Tally], None]


def told(tally: Tally) -> dict[str, int]:
    """The numbers as a request or a program takes them."""
    return {"pages": tally.pages, **{turn.replace(" ", "_"): tally.turns[turn] for turn in Turn}}


async def reprocess(
    desk: Desk, criteria: Criteria, *, dry_run: bool, tell: Tell, progress: Progress = lambda _: None
) -> Tally:
    """Read everything anew that a search finds, and what was not kept; `tell` of whatever is not the same.

    With `dry_run` nothing is written. Raises StoreError.
    """
    tally = Tally()
    batch: list[Landing] = []
    async for redone in _in_order(desk, criteria, tally):
        tally.turns[redone.turn] += 1
        if redone.turn is not Turn.SAME:
            tell(redone)
        if not dry_run and redone.landing is not None and redone.turn not in {Turn.SAME, Turn.LOST}:
            batch.append(redone.landing)
        if len(batch) >= BATCH:
            await desk.writer.run(desk.writer.store.land, batch)
            batch = []
        progress(tally)
    if batch:
        await desk.writer.run(desk.writer.store.land, batch)
    return tally


async def _in_order(desk: Desk, criteria: Criteria, tally: Tally) -> AsyncIterator[Redone]:
    """Every page, a few ahead of the one that is handed out."""
    db, run = desk.writer.store.db, desk.writer.run
    ids = await run(kept.documents, db, criteria)
    keys = await run(kept.rejections, db, criteria)
    tally.pages = len(ids) + len(keys)
    waiting: deque[asyncio.Future[Redone]] = deque()
    try:
        for load in _loads(desk, ids, keys):
            for one in await run(load):
                waiting.append(asyncio.ensure_future(_redo(desk, one)))
                if len(waiting) >= desk.most:
                    yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for left in waiting:
            left.cancel()


def _loads(desk: Desk, ids: Sequence[int], keys: Sequence[str]) -> Iterator[Callable[[], list[Kept]]]:
    db = desk.writer.store.db
    for some in _pieces(ids):
        yield partial(kept.of_documents, db, some)
    for several in _pieces(keys):
        yield partial(kept.of_rejections, db, several)


def _pieces(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(whole), BATCH):
        yield whole[start : start + BATCH]


async def _redo(desk: Desk, before: Kept) -> Redone:
    store = desk.writer.store
    page = await desk.writer.run(store.raw, before.capture_id)
    if page is None:
        return Redone(before=before, turn=Turn.LOST)
    furniture = await desk.writer.run(store.furniture, identity.host(before.url))
    try:
        read = await desk.pool.run(
            READ_PAGE, page, _lead(before), source=desk.sources.get(before.source), settings=desk.settings,
            furniture=furniture, now=page.fetched_at,
        )  # fmt: skip
    except Lost:
        return Redone(before=before, turn=Turn.LOST)
    landing = _landing(before, page, read)
    return Redone(before=before, turn=turn(before, landing), landing=landing)


def _lead(before: Kept) -> Lead:
    """What was told of the page, as far as it is still known: the feed's date."""
    told_at = before.published_at if before.published_how == "feed" else None
    return Lead(url=before.url, source=before.source, via=before.via, published_at=told_at)


def _landing(before: Kept, page: Page, read: Landing) -> Landing:
    """The landing at the address that the text has: reading anew is no reason to move it."""
    outcome = read.outcome
    if before.document_id is not None and isinstance(outcome, Document):
        # What only the feed told was not kept apart.
        outcome = replace(
            outcome, url=before.url, authors=outcome.authors or before.authors,
            origin_url=outcome.origin_url or before.origin_url, title=outcome.title or before.title,
        )  # fmt: skip
    return replace(
        read, outcome=outcome, url=before.url, source=before.source, aliases=(), page=page,
        capture_id=before.capture_id,
    )  # fmt: skip


def turn(before: Kept, landing: Landing) -> Turn:
    """What became of a page. Pure."""
    after = landing.outcome
    if before.document_id is None:
        return Turn.LET_IN if isinstance(after, Document) else Turn.SAME
    if isinstance(after, Rejection):
        return Turn.LET_OUT
    if not isinstance(after, Document):
        return Turn.LOST
    if identity.text_hash(after.text) != identity.text_hash(before.text) or (after.title or "") != (before.title or ""):
        return Turn.CHANGED
    # A page that moves its date with each edit was still published when it was first published.
    at = before.published_at if after.published_at is None or before.revision > 1 else after.published_at
    told = (after.authors, at, round(after.verdict.score, 3), after.extractor)
    known = (before.authors, before.published_at, round(before.relevance, 3), before.extractor)
    return Turn.SAME if told == known else Turn.RETOLD
