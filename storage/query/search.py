"""Hits of a search, a page at a time, newest first or by rank.

Ranking by bm25 weighs the newest `MAX_RANKED` matches: all of a common word's took
814 ms at a million articles.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlite_utils import Database

from storage.model import from_text
from storage.query import snippets
from storage.query.criteria import MAX_PAGE_HITS, Criteria, Sort
from storage.query.plan import Plan, build_plan, format_cursor, parse_rank_cursor
from storage.query.record import RECORD_SQL, join_json

MAX_RANKED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One article, or one copy where copies were asked for."""

    record: Mapping[str, Any]  # the JSON form, docs/data.md
    cursor: str  # go on after this hit
    score: float | None = None  # bm25, smaller is better; None when newest first
    snippet: str = ""  # a passage with its hits highlighted; see `snippets`
    highlighted_title: str = ""

    @property
    def id(self) -> int:
        """The article's id, stable through promotion."""
        return int(self.record["id"])

    @property
    def title(self) -> str:
        """The title, or "" where the page had none."""
        return str(self.record["title"] or "")

    @property
    def at(self) -> datetime:
        """When it was published, else first seen."""
        return from_text(
            str(self.record["published_at"] or self.record["first_seen_at"])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of hits."""

    hits: tuple[SearchHit, ...]
    next_cursor: str | None  # of the following page; None on the last


# A tuple, for an export makes one of each record: a frozen dataclass took 10 % of its
# time.
class _Found(NamedTuple):
    """One match, as the statement gives it."""

    sort_key: int
    score: float | None
    json: str

    @property
    def cursor(self) -> str:
        return format_cursor(self.sort_key, self.score)


def search(db: Database, criteria: Criteria) -> SearchPage:
    """One page of hits.

    Raises UsageError for a cursor that no search gave; a query of any form raises
    nothing.
    """
    plan = build_plan(db, criteria)
    limit = max(1, min(criteria.limit, MAX_PAGE_HITS))
    # One more than asked for tells whether there is a following page.
    found = _fetch_page(db, plan, criteria, limit + 1)
    hits = []
    for one in found[:limit]:
        record: dict[str, Any] = json.loads(one.json)
        in_text = [term for term in plan.terms if not term.title]
        hits.append(
            SearchHit(
                record=record,
                cursor=one.cursor,
                score=one.score,
                snippet=snippets.best_passage(record["text"], in_text),
                highlighted_title=snippets.highlight(record["title"] or "", plan.terms),
            )
        )
    next_cursor = None
    if len(found) > limit:
        next_cursor = hits[-1].cursor
    return SearchPage(hits=tuple(hits), next_cursor=next_cursor)


def iterate_json_pages(
    db: Database, criteria: Criteria, *, size: int = 500
) -> Iterator[list[str]]:
    """The JSON form of everything that matches, `size` records a statement.

    Memory is that of one such page. No read is open while the caller works, so the WAL
    can be checkpointed. Ranked order goes as far as `MAX_RANKED`. `limit` of the
    criteria is not looked at.
    """
    while True:
        found = _fetch_page(db, build_plan(db, criteria), criteria, size)
        if found:
            yield [one.json for one in found]
        if len(found) < size:
            return
        criteria = replace(criteria, after=found[-1].cursor)


def filter_matching(
    db: Database, criteria: Criteria, article_ids: Iterable[int]
) -> frozenset[int]:
    """Which of these articles a search would find.

    Each is looked at alone: the store's size makes no difference.
    """
    plan = build_plan(db, replace(criteria, after="", copies=False))
    if plan.empty:
        return frozenset()
    rows = db.execute(
        """
        SELECT sort_key, article_id FROM documents
        WHERE is_head = 1 AND article_id IN (SELECT value FROM json_each(?))
        """,
        [json.dumps(sorted(set(article_ids)))],
    ).fetchall()
    found = set()
    for row in rows:
        key = row["sort_key"]
        alone = replace(plan, low=max(plan.low, key), high=min(plan.high, key))
        statement = f"SELECT 1 {alone.matched} LIMIT 1"
        if db.execute(statement, alone.bound).fetchone() is not None:
            found.add(row["article_id"])
    return frozenset(found)


def _fetch_page(
    db: Database, plan: Plan, criteria: Criteria, limit: int
) -> list[_Found]:
    """The matches after the cursor of the criteria, in their order."""
    if plan.empty:
        return []
    if criteria.sort is Sort.RANK and plan.terms:
        # A title weighs four times a text, tags nothing.
        keys = f"""
            SELECT sort_key, id, score FROM (
                SELECT fts.rowid AS sort_key, d.id, bm25(fts, 4.0, 1.0, 0.0) AS score
                {plan.matched} ORDER BY fts.rowid DESC LIMIT {MAX_RANKED}
            ) WHERE score > ? OR (score = ? AND sort_key < ?)
        """  # noqa: S608 - made of constants
        score, sort_key = parse_rank_cursor(criteria.after)
        values = (*plan.bound, score, score, sort_key)
        order = "score, sort_key DESC"
    else:
        # Ordered by the index's own column: under any other name SQLite would sort all
        # matches.
        keys = f"SELECT {plan.key} AS sort_key, d.id, NULL AS score {plan.matched}"
        values = plan.bound
        order = f"{plan.key} DESC"
    rows = db.execute(
        f"""
        WITH page AS MATERIALIZED ({keys} ORDER BY {order} LIMIT ?)
        SELECT page.sort_key, page.score, {RECORD_SQL}
        FROM page CROSS JOIN documents AS d ON d.id = page.id
        """,  # noqa: S608 - made of constants
        [*values, limit],
    )
    found = [_Found(row[0], row[1], join_json(row[2], row[3])) for row in rows]
    # They come in this order, which SQL does not promise; asked for it, SQLite carries
    # the texts through a sorter.
    return sorted(found, key=lambda one: (one.score or 0.0, -one.sort_key))
