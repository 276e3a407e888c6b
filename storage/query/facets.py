"""Counts over what a search finds: by source, place, day and tag, and by publisher.

They are of the newest `MAX_COUNTED` matches, which are read once for all of them.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlite_utils import Database

from storage.query.criteria import Criteria
from storage.query.plan import Plan, build_plan
from storage.tables.columns import Row
from storage.tables.corrections import TAGGED_DETAIL, UNTAGGED_DETAIL
from storage.tables.documents import SORT_KEY_BITS

MAX_COUNTED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetCount:
    """How many hits have a value."""

    value: str
    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """Counts of the newest matches; `complete` when these are all."""

    total: int
    complete: bool
    sources: tuple[FacetCount, ...]
    places: tuple[FacetCount, ...]
    days: tuple[FacetCount, ...]  # newest first; days of UTC
    tags: tuple[FacetCount, ...] = ()  # people's


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageCounts:
    """How many publishers stand behind the newest matches."""

    reports: int  # articles and all their copies
    articles: int  # distinct texts
    independent: int  # of these, without those that probably copy another
    # Distinct owners of the independent ones; a source without owner is its own.
    publishers: int


# Corrections of what had been reported. Another copy is none, nor is a person's tag.
CORRECTION_SQL = f"""
    c.what NOT IN ('new', 'copied', 'forgotten')
    AND c.detail NOT GLOB '{TAGGED_DETAIL} *'
    AND c.detail NOT GLOB '{UNTAGGED_DETAIL} *'
"""
_CORRECTIONS_SQL = f"""
SELECT c.at, c.what, c.detail, m.article_id, d.title, m.source
FROM matched AS m
CROSS JOIN changes AS c ON c.article_id = m.article_id
CROSS JOIN documents AS d ON d.id = m.id
WHERE {CORRECTION_SQL} ORDER BY c.cursor DESC LIMIT ?
"""  # noqa: S608 - of constants
_FACETS_SQL = f"""
SELECT 'total' AS facet, '' AS value, '' AS name, count(*) AS n FROM matched
UNION ALL SELECT * FROM (
    SELECT 'source', m.source, coalesce(s.name, m.source), count(*) AS n
    FROM matched AS m LEFT JOIN sources AS s ON s.id = m.source
    GROUP BY m.source ORDER BY n DESC, m.source LIMIT ?)
UNION ALL SELECT * FROM (
    SELECT 'place', p.code, min(p.name), count(*) AS n FROM matched AS m
    CROSS JOIN document_mentions AS p ON p.document_id = m.id AND p.kind = 'place'
        AND p.role = ''
    GROUP BY p.code ORDER BY n DESC, p.code LIMIT ?)
UNION ALL SELECT * FROM (
    SELECT 'day', (key >> {SORT_KEY_BITS}) / 86400 AS day, '', count(*) FROM matched
    GROUP BY day ORDER BY day DESC LIMIT ?)
UNION ALL SELECT * FROM (
    SELECT 'tag', t.tag, t.tag, count(*) AS n FROM tags AS t
    CROSS JOIN matched AS m ON m.article_id = t.article_id
    GROUP BY t.tag ORDER BY n DESC, t.tag LIMIT ?)
"""  # noqa: S608 - one constant
_COVERAGE_SQL = """
SELECT coalesce(sum(n), 0) AS reports, count(*) AS articles,
    coalesce(sum(alone), 0) AS independent,
    count(DISTINCT CASE WHEN alone THEN publisher END) AS publishers
FROM (
    SELECT
        1 + (
            SELECT count(*) FROM documents AS c
            WHERE c.article_id = m.article_id AND c.is_head = 0
        ) AS n,
        NOT EXISTS (
            SELECT 1 FROM probable_copies AS p WHERE p.article_id = m.article_id
        ) AS alone,
        coalesce(nullif(s.owner, ''), m.source) AS publisher
    FROM matched AS m LEFT JOIN sources AS s ON s.id = m.source
)
"""


def count_facets(
    db: Database, criteria: Criteria, *, most: int = 30, counted: int = MAX_COUNTED
) -> Facets:
    """Counts over the newest `counted` matches by source, place, day and tag.

    The largest `most` of each; of days the newest.
    """
    plan = build_plan(db, replace(criteria, after=""))
    total = 0
    counts: dict[str, list[FacetCount]] = {
        "source": [],
        "place": [],
        "day": [],
        "tag": [],
    }
    for row in _query_matched(db, plan, _FACETS_SQL, (most,) * 4, counted):
        facet, count = row["facet"], row["n"]
        if facet == "total":
            total = count
        elif facet == "day":
            counts["day"].append(_day_count(row["value"], count))
        else:
            counts[facet].append(
                FacetCount(value=row["value"], name=row["name"], count=count)
            )
    names = disambiguate_places(db, {one.value: one.name for one in counts["place"]})
    return Facets(
        total=total,
        complete=total < counted,
        sources=tuple(counts["source"]),
        places=tuple(replace(one, name=names[one.value]) for one in counts["place"]),
        days=tuple(counts["day"]),
        tags=tuple(counts["tag"]),
    )


def disambiguate_places(db: Database, places: Mapping[str, str]) -> dict[str, str]:
    """Names of places by code, with what they are where two have one name.

    Kunduz is a province and a district.
    """
    uses = Counter(places.values())
    shared = [code for code, name in places.items() if uses[name] > 1]
    rows = db.execute(
        "SELECT code, kind FROM places WHERE code IN (SELECT value FROM json_each(?))",
        [json.dumps(shared)],
    )
    names = dict(places)
    for row in rows:
        names[row["code"]] += f" ({row['kind']})"
    return names


def count_by_day(db: Database, criteria: Criteria) -> tuple[FacetCount, ...]:
    """Matches by day of UTC, newest first.

    Exact, over everything that matches (bound it with `since`).
    """
    plan = build_plan(db, replace(criteria, after=""))
    if plan.empty:
        return ()
    rows = db.execute(
        f"""
        SELECT ({plan.key} >> {SORT_KEY_BITS}) / 86400 AS day, count(*) {plan.matched}
        GROUP BY day ORDER BY day DESC
        """,
        plan.bound,
    )
    return tuple(_day_count(day, count) for day, count in rows)


def count_coverage(
    db: Database, criteria: Criteria, *, counted: int = MAX_COUNTED
) -> CoverageCounts:
    """Reports, distinct texts, independent ones and publishers of newest matches."""
    plan = build_plan(db, replace(criteria, after="", copies=False))
    rows = _query_matched(db, plan, _COVERAGE_SQL, (), counted)
    if not rows:
        return CoverageCounts(reports=0, articles=0, independent=0, publishers=0)
    return CoverageCounts(**dict(rows[0]))


def list_matching_corrections(
    db: Database, criteria: Criteria, *, most: int = 20, counted: int = MAX_COUNTED
) -> list[dict[str, Any]]:
    """What became of the newest `counted` matches after they were reported.

    The newest first, `CORRECTION_SQL` says which changes. Keys: at, what, detail,
    article_id, title, source.
    """
    plan = build_plan(db, replace(criteria, after="", copies=False))
    rows = _query_matched(db, plan, _CORRECTIONS_SQL, (most,), counted)
    return [dict(row) for row in rows]


def _query_matched(
    db: Database, plan: Plan, statement: str, values: tuple[object, ...], counted: int
) -> list[Row]:
    """The rows of a statement over `matched`: the newest matches, read once."""
    if plan.empty:
        return []
    return db.execute(
        f"""
        WITH matched AS MATERIALIZED (
            SELECT {plan.key} AS key, d.id AS id, d.article_id AS article_id,
                d.source AS source
            {plan.matched} ORDER BY {plan.key} DESC LIMIT {int(counted)}
        ) {statement}
        """,
        [*plan.bound, *values],
    ).fetchall()


def _day_count(day: int, count: int) -> FacetCount:
    """A count of one day, which is given as the number of days since 1970."""
    name = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    return FacetCount(value=name, name=name, count=count)
