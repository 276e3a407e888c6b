"""`Criteria` -> SQL -> `Hit`s: the only place that builds dynamic SQL, of constants.

Every value is bound.

Newest first is the order of the index itself (`sort_key`), so no query sorts the store:
words and filters meet inside FTS5 (`query.tags`), dates are a range of keys, and a page
ends where its limit is reached. Ranking by bm25 weighs the newest `RANKED` matches: all
of a common word's took 814 ms at a million articles. Facets count the newest `COUNTED`
matches.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage import folding
from storage.errors import UsageError
from storage.model import from_text
from storage.query import snippets, syntax
from storage.query.criteria import MAX_PAGE_HITS, Criteria, Sort

MAX_RANKED = 10_000
MAX_COUNTED = 20_000
KEY_BITS = 20  # of documents.sort_key below the second
_MIN_SORT_KEY, _MAX_SORT_KEY = -(1 << 62), 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One article, or one copy where copies were asked for."""

    record: Mapping[str, Any]  # the JSON form, docs/data.md
    cursor: str  # go on after this hit
    score: float | None = None  # bm25, smaller is better; None when newest first
    snippet: str = ""  # a passage with the hits between snippets.OPEN and CLOSE
    marked_title: str = ""

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
    """One page of hits.

    `next` is the cursor of the following page, None on the last.
    """

    hits: tuple[SearchHit, ...]
    next_cursor: str | None


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
    """How many voices stand behind the newest matches."""

    reports: int  # articles and all their copies
    articles: int  # distinct texts
    independent: int  # of these, without those that probably copy another
    # Distinct owners of the independent ones; a source without owner is its own
    publishers: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """The pieces of a statement: everything but what is selected."""

    match: str | None
    low: int
    high: int
    conditions: tuple[str, ...]
    values: tuple[float | str, ...]
    terms: tuple[syntax.SearchTerm, ...]
    empty: bool  # nothing can match

    @property
    def matched(self) -> str:
        """FROM and WHERE over the index of narrow columns alone.

        The wide rows are read for the page's hits only.
        """
        where = "".join(f" AND {condition}" for condition in self.conditions)
        if self.match is None:
            return f"FROM documents AS d INDEXED BY documents_newest WHERE d.sort_key BETWEEN ? AND ?{where}"
        return (
            "FROM fts CROSS JOIN documents AS d INDEXED BY documents_newest ON d.sort_key = fts.rowid "
            f"WHERE fts MATCH ? AND fts.rowid BETWEEN ? AND ?{where}"
        )

    @property
    def key(self) -> str:
        """The column of the sort key that leads the statement."""
        return "d.sort_key" if self.match is None else "fts.rowid"

    @property
    def bound(self) -> tuple[object, ...]:
        return (
            *(() if self.match is None else (self.match,)),
            self.low,
            self.high,
            *self.values,
        )


# The JSON form of an article, in this order; docs/data.md documents it. SQLite writes
# it, three times as fast as Python would: so there is one form for search, show, export
# and pages.
_FIELD_COLUMNS = {
    "id": "d.article_id",
    **{name: f"d.{name}" for name in ("url", "title")},
    "authors": "json(d.authors)",
    **{
        name: f"d.{name}"
        for name in (
            "published_at",
            "published_how",
            "language",
            "text",
            "source",
            "first_seen_at",
        )
    },
    **{
        name: f"d.{name}"
        for name in ("updated_at", "withdrawn_at", "revision", "words", "relevance")
    },
    "copies": "(SELECT count(*) FROM documents AS c WHERE c.article_id = d.article_id AND c.is_head = 0)",
    "copy_kind": "d.kind",
    "document_id": "d.id",
    "capture_id": "d.capture_id",
}
_MENTION_FIELDS = {"places": "place", "actors": "actor", "events": "event"}
FIELDS = (*_FIELD_COLUMNS, *_MENTION_FIELDS, "tags")
_OF_A_KIND = (
    "'\"{}\":' || json_group_array(json_object('code', m.code, 'name', m.name, 'count', m.count)) "
    "FILTER (WHERE m.kind = '{}')"
)
# The mentions are gone through once: a subquery for each kind made an export take half
# as long again.
_KINDS = " || ',' || ".join(
    _OF_A_KIND.format(*kind) for kind in _MENTION_FIELDS.items()
)
_MENTIONS_SQL = (
    f"(SELECT {_KINDS} FROM document_mentions AS m WHERE m.document_id = d.id)"  # noqa: S608 - constants
)
# Of any text of the article: it keeps its tags when another one takes the lead. Not
# looked for where nobody ever tagged anything: that is found out once a statement.
_TAGS_SQL = """iif(EXISTS (SELECT 1 FROM marks WHERE label = 'tag'), (
    SELECT json_group_array(value) FROM (
        SELECT DISTINCT m.value FROM documents AS o CROSS JOIN marks AS m ON m.key = o.key AND m.label = 'tag'
        WHERE o.article_id = d.article_id ORDER BY m.value)), '[]')"""
# Two columns, which `_json` joins.
_RECORD_SQL = (
    "json_object("
    + ", ".join(f"'{name}', {value}" for name, value in _FIELD_COLUMNS.items())
    + "), "
    f"""{_MENTIONS_SQL} || ',"tags":' || {_TAGS_SQL}"""
)


def _join_json(first: str, second: str) -> str:
    """The JSON form of its two parts: an object, and the rest of its fields."""
    return f"{first[:-1]},{second}}}"


def search(db: Database, criteria: Criteria) -> SearchPage:
    """One page of hits.

    Raises UsageError for a cursor that no search gave; a query of any form raises
    nothing.
    """
    plan = _build_plan(db, criteria)
    limit = max(1, min(criteria.limit, MAX_PAGE_HITS))
    rows = _fetch_page(db, plan, criteria, limit + 1)
    hits = tuple(_row_to_hit(row, plan.terms) for row in rows[:limit])
    return SearchPage(
        hits=hits, next_cursor=hits[-1].cursor if len(rows) > limit else None
    )


def iterate_json_pages(
    db: Database, criteria: Criteria, *, size: int = 500
) -> Iterator[list[str]]:
    """The JSON form of everything that matches, `size` records a statement.

    Memory is that of one such page.

    No read is open while the caller works, so the WAL can be checkpointed. Ranked order
    goes as far as `RANKED`. `limit` of the criteria is not looked at.
    """
    while True:
        rows = _fetch_page(db, _build_plan(db, criteria), criteria, size)
        if rows:
            yield [row[2] for row in rows]
        if len(rows) < size:
            return
        criteria = replace(criteria, after=_format_cursor(rows[-1]))


def filter_matching(
    db: Database, criteria: Criteria, article_ids: Iterable[int]
) -> frozenset[int]:
    """Which of these articles a search would find.

    Each is looked at alone: the store's size makes no difference.
    """
    plan = _build_plan(db, replace(criteria, after="", copies=False))
    if plan.empty:
        return frozenset()
    keys = db.execute(
        "SELECT sort_key, article_id FROM documents WHERE is_head = 1 AND article_id IN "
        "(SELECT value FROM json_each(?))",
        [json.dumps(sorted(set(article_ids)))],
    ).fetchall()
    return frozenset(number for key, number in keys if _is_matched(db, plan, key))


def _is_matched(db: Database, plan: _Plan, key: int) -> bool:
    alone = replace(plan, low=max(plan.low, key), high=min(plan.high, key))
    return (
        db.execute(f"SELECT 1 {alone.matched} LIMIT 1", alone.bound).fetchone()
        is not None
    )


def load_record(db: Database, article_id: int) -> dict[str, Any] | None:
    """The JSON form of one article, by its id or that of any of its copies.

    None where there is none.
    """
    row = db.execute(
        f"SELECT {_RECORD_SQL} FROM documents AS d WHERE d.is_head = 1 AND d.article_id = coalesce("  # noqa: S608 - constants
        "(SELECT article_id FROM documents WHERE id = ?), ?)",
        [article_id, article_id],
    ).fetchone()
    return None if row is None else _load_json(_join_json(row[0], row[1]))


def _fetch_page(
    db: Database, plan: _Plan, criteria: Criteria, limit: int
) -> list[tuple[int, float | None, str]]:
    """Rows of key, score and JSON form."""
    if plan.empty:
        return []
    if criteria.sort is Sort.RANK and plan.terms:
        keys, values = _ranked_keys_sql(plan, criteria.after)
        order = "score, sort_key DESC"
    else:
        # Ordered by the index's own column: under any other name SQLite would sort all
        # matches.
        keys, values = (
            f"SELECT {plan.key} AS sort_key, d.id, NULL AS score {plan.matched}",
            plan.bound,
        )
        order = f"{plan.key} DESC"
    rows = db.execute(
        f"WITH page AS MATERIALIZED ({keys} ORDER BY {order} LIMIT ?) "  # noqa: S608 - made of this module's constants
        f"SELECT page.sort_key, page.score, {_RECORD_SQL} FROM page CROSS JOIN documents AS d ON d.id = page.id",
        [*values, limit],
    )
    # They come in this order, which SQL does not promise; asked for it, SQLite carries
    # the texts through a sorter.
    found = [(row[0], row[1], _join_json(row[2], row[3])) for row in rows]
    return sorted(found, key=lambda row: (row[1] or 0.0, -row[0]))


def _ranked_keys_sql(plan: _Plan, after: str) -> tuple[str, tuple[object, ...]]:
    """Titles weigh four times a text, tags nothing."""
    score, key = _parse_rank_cursor(after)
    weighed = "SELECT fts.rowid AS sort_key, d.id, bm25(fts, 4.0, 1.0, 0.0) AS score"
    candidates = f"{weighed} {plan.matched} ORDER BY fts.rowid DESC LIMIT {MAX_RANKED}"
    return (
        f"SELECT sort_key, id, score FROM ({candidates}) WHERE score > ? OR (score = ? AND sort_key < ?)",  # noqa: S608 - as above
        (*plan.bound, score, score, key),
    )


def count_facets(
    db: Database, criteria: Criteria, *, most: int = 30, counted: int = MAX_COUNTED
) -> Facets:
    """Counts over the newest `counted` matches by source, place and day, the largest `most` of each (days: newest)."""
    plan = _build_plan(db, replace(criteria, after=""))
    rows = (
        []
        if plan.empty
        else _query_matched(db, plan, _FACETS_SQL, (most,) * 4, counted)
    )
    by = {
        what: [row[1:] for row in rows if row[0] == what]
        for what in ("total", "source", "place", "day", "tag")
    }
    total = _to_int(by["total"][0][2]) if rows else 0
    places = [_row_to_count(row) for row in by["place"]]
    names = disambiguate_places(db, {place.value: place.name for place in places})
    return Facets(
        total=total,
        complete=total < counted,
        sources=tuple(_row_to_count(row) for row in by["source"]),
        places=tuple(replace(place, name=names[place.value]) for place in places),
        days=tuple(_row_to_day_count(row) for row in by["day"]),
        tags=tuple(_row_to_count(row) for row in by["tag"]),
    )


def disambiguate_places(db: Database, places: Mapping[str, str]) -> dict[str, str]:
    """Names of places by code, with what they are where two have one name.

    Kunduz is a province and a district.
    """
    names = Counter(places.values())
    twice = [code for code, name in places.items() if names[name] > 1]
    known = (
        "SELECT code, kind FROM places WHERE code IN (SELECT value FROM json_each(?))"
    )
    kinds = {
        str(code): f" ({kind})" for code, kind in db.execute(known, [json.dumps(twice)])
    }
    return {code: name + kinds.get(code, "") for code, name in places.items()}


def count_by_day(db: Database, criteria: Criteria) -> tuple[FacetCount, ...]:
    """Matches by day of UTC, newest first.

    Exact, over everything that matches (bound it with `since`).
    """
    plan = _build_plan(db, replace(criteria, after=""))
    if plan.empty:
        return ()
    rows = db.execute(
        f"SELECT ({plan.key} >> {KEY_BITS}) / 86400 AS day, '', count(*) {plan.matched} GROUP BY day ORDER BY day DESC",
        plan.bound,
    )
    return tuple(_row_to_day_count(row) for row in rows)


def count_coverage(
    db: Database, criteria: Criteria, *, counted: int = MAX_COUNTED
) -> CoverageCounts:
    """Reports, distinct texts, independent ones and their publishers, over the newest `counted` matches."""
    plan = _build_plan(db, replace(criteria, after="", copies=False))
    if plan.empty:
        return CoverageCounts(reports=0, articles=0, independent=0, publishers=0)
    reports, articles, independent, publishers = _query_matched(
        db, plan, _COVERAGE_SQL, (), counted
    )[0]
    return CoverageCounts(
        reports=_to_int(reports),
        articles=_to_int(articles),
        independent=_to_int(independent),
        publishers=_to_int(publishers),
    )


def list_matching_corrections(
    db: Database, criteria: Criteria, *, most: int = 20, counted: int = MAX_COUNTED
) -> list[dict[str, Any]]:
    """What became of the newest `counted` matches after they were told, the newest first: `CORRECTED`, one a row.

    Keys: at, what, detail, article_id, title, source.
    """
    plan = _build_plan(db, replace(criteria, after="", copies=False))
    names = ("at", "what", "detail", "article_id", "title", "source")
    rows = (
        []
        if plan.empty
        else _query_matched(db, plan, _CORRECTIONS_SQL, (most,), counted)
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


# Changes to what had been told. Another carrier is none, and a tag says nothing of the
# report.
CORRECTION_SQL = (
    "c.what NOT IN ('new', 'copied', 'forgotten') "
    "AND c.detail NOT GLOB 'tagged *' AND c.detail NOT GLOB 'no longer tagged *'"
)
_CORRECTIONS_SQL = f"""
SELECT c.at, c.what, c.detail, m.article_id, d.title, m.source FROM matched AS m
CROSS JOIN changes AS c ON c.article_id = m.article_id CROSS JOIN documents AS d ON d.id = m.id
WHERE {CORRECTION_SQL} ORDER BY c.cursor DESC LIMIT ?
"""  # noqa: S608 - of constants
_FACETS_SQL = f"""
SELECT 'total', '', '', count(*) FROM matched
UNION ALL SELECT * FROM (
    SELECT 'source', m.source, coalesce(s.name, m.source), count(*) AS n FROM matched AS m
    LEFT JOIN sources AS s ON s.id = m.source GROUP BY m.source ORDER BY n DESC, m.source LIMIT ?)
UNION ALL SELECT * FROM (
    SELECT 'place', p.code, min(p.name), count(*) AS n FROM matched AS m
    CROSS JOIN document_mentions AS p ON p.document_id = m.id AND p.kind = 'place'
    GROUP BY p.code ORDER BY n DESC, p.code LIMIT ?)
UNION ALL SELECT * FROM (
    SELECT 'day', (key >> {KEY_BITS}) / 86400 AS day, '', count(*) FROM matched GROUP BY day ORDER BY day DESC LIMIT ?)
UNION ALL SELECT * FROM (
    SELECT 'tag', t.tag, t.tag, count(*) AS n FROM tags AS t CROSS JOIN matched AS m ON m.article_id = t.article_id
    GROUP BY t.tag ORDER BY n DESC, t.tag LIMIT ?)
"""  # noqa: S608 - one constant
_COVERAGE_SQL = """
SELECT coalesce(sum(n), 0), count(*), coalesce(sum(alone), 0), count(DISTINCT CASE WHEN alone THEN voice END) FROM (
    SELECT 1 + (SELECT count(*) FROM documents AS c WHERE c.article_id = m.article_id AND c.is_head = 0) AS n,
           NOT EXISTS (SELECT 1 FROM probable_copies AS p WHERE p.article_id = m.article_id) AS alone,
           coalesce(nullif(s.owner, ''), m.source) AS voice
    FROM matched AS m LEFT JOIN sources AS s ON s.id = m.source)
"""


def _query_matched(
    db: Database, plan: _Plan, statement: str, values: tuple[object, ...], counted: int
) -> list[tuple[Any, ...]]:
    """A statement over `matched`: the newest matches, read once."""
    matched = (
        f"SELECT {plan.key} AS key, d.id AS id, d.article_id AS article_id, d.source AS source {plan.matched} "
        f"ORDER BY {plan.key} DESC LIMIT {int(counted)}"
    )
    rows = db.execute(
        f"WITH matched AS MATERIALIZED ({matched}) {statement}", [*plan.bound, *values]
    )
    return [tuple(row) for row in rows]


def _row_to_count(row: Sequence[object]) -> FacetCount:
    return FacetCount(value=str(row[0]), name=str(row[1]), count=_to_int(row[2]))


def _row_to_day_count(row: Sequence[object]) -> FacetCount:
    day = (date(1970, 1, 1) + timedelta(days=_to_int(row[0]))).isoformat()
    return FacetCount(value=day, name=day, count=_to_int(row[2]))


def _to_int(value: object) -> int:
    return value if isinstance(value, int) else int(str(value))


def _build_plan(db: Database, criteria: Criteria) -> _Plan:
    tree = syntax.parse_query(criteria.words)
    wanted = bool(criteria.words.strip())
    if tree is not None:
        tree = syntax.widen_names(tree, lambda keys: list_spellings(db, keys))
    conditions = [] if criteria.copies else ["d.is_head = 1"]
    values: list[float | str] = []
    if criteria.min_relevance is not None:
        conditions.append("d.relevance >= ?")
        values.append(criteria.min_relevance)
    match = syntax.match_expression(tree, _tag_filters(db, criteria))
    if criteria.tags:
        # Few texts are tagged, by hand: these are gone through, and not what the words
        # find. For bm25 it is the other way round, since every visit by key would weigh
        # the words anew.
        key = (
            "d.sort_key"
            if match is None
            else "+fts.rowid"
            if criteria.sort is Sort.RANK
            else "fts.rowid"
        )
        conditions.append(f"{key} IN ({_TAGGED_SQL})")
        values.append(json.dumps(criteria.tags))
    low, high = sort_key_range(criteria)
    return _Plan(
        match=match,
        low=low,
        high=high,
        conditions=tuple(conditions),
        values=tuple(values),
        terms=syntax.positive_terms(tree) if tree is not None else (),
        empty=wanted and tree is None,
    )


_TAGGED_SQL = (
    "SELECT o.sort_key FROM json_each(?) AS j "
    "CROSS JOIN marks AS m ON m.value COLLATE NOCASE = j.value AND m.label = 'tag' "
    "CROSS JOIN documents AS t ON t.key = m.key CROSS JOIN documents AS o ON o.article_id = t.article_id"
)


def _tag_filters(db: Database, criteria: Criteria) -> list[list[str]]:
    return [
        [syntax.index_tag("source", source) for source in criteria.sources],
        [syntax.index_tag("language", language) for language in criteria.languages],
        *(
            [
                syntax.index_tag(kind, code)
                for name in names
                for code in resolve_codes(db, kind, name)
            ]
            for kind, names in _mention_filters(criteria)
        ),
    ]


def _mention_filters(criteria: Criteria) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (
        ("place", criteria.places),
        ("actor", criteria.actors),
        ("event", criteria.events),
    )


def resolve_codes(db: Database, kind: str, name: str) -> tuple[str, ...]:
    """The codes that a code or a name in any spelling stands for.

    The name itself where nothing is known of it.
    """
    rows = db.execute(
        "SELECT DISTINCT code FROM spellings WHERE key = ? AND kind = ?",
        [folding.fold_spelling(name[:200]), kind],
    )
    return (name[:200], *(str(row[0]) for row in rows))


def list_spellings(db: Database, keys: Iterable[str]) -> dict[str, list[str]]:
    """For each key that is a name, every folded spelling of what it names, shortest first."""
    rows = db.execute(
        "SELECT DISTINCT s.key, o.spelling FROM json_each(?) AS k "
        "CROSS JOIN spellings AS s ON s.key = k.value AND s.kind = 'name' "
        "CROSS JOIN spellings AS o ON o.kind = 'name' AND o.code = s.code "
        "ORDER BY s.key, length(o.spelling), o.spelling",
        [json.dumps(sorted(keys))],
    )
    known: dict[str, list[str]] = {}
    for key, spelling in rows:
        known.setdefault(str(key), []).append(str(spelling))
    return known


def sort_key_range(criteria: Criteria) -> tuple[int, int]:
    """The range of sort keys, both ends in it."""
    low = (
        _MIN_SORT_KEY
        if criteria.since is None
        else _to_unix_seconds(criteria.since) << KEY_BITS
    )
    high = (
        _MAX_SORT_KEY
        if criteria.until is None
        else (_to_unix_seconds(criteria.until) << KEY_BITS) - 1
    )
    if criteria.after and criteria.sort is Sort.NEWEST:
        high = min(high, _parse_newest_cursor(criteria.after) - 1)
    return low, high


def _to_unix_seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


def _parse_newest_cursor(after: str) -> int:
    try:
        return max(_MIN_SORT_KEY, min(int(after[:30]), _MAX_SORT_KEY))
    except ValueError:
        raise _cursor_error(after) from None


def _parse_rank_cursor(after: str) -> tuple[float, int]:
    if not after:
        return -math.inf, _MAX_SORT_KEY
    score, _, key = after[:80].partition("_")
    try:
        number = float(score)
    except ValueError:
        raise _cursor_error(after) from None
    if not number <= 0:  # bm25 gives nothing else
        raise _cursor_error(after)
    return number, _parse_newest_cursor(key)


def _cursor_error(after: str) -> UsageError:
    return UsageError(
        f"{after[:40]!r} is not a cursor of this search; take the one that its last page gave."
    )


def _format_cursor(row: Sequence[object]) -> str:
    return str(row[0]) if row[1] is None else f"{row[1]!r}_{row[0]}"


def _load_json(text: object) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(str(text))
    return loaded


def _row_to_hit(
    row: Sequence[object], terms: tuple[syntax.SearchTerm, ...]
) -> SearchHit:
    record = _load_json(row[2])
    return SearchHit(
        record=record,
        cursor=_format_cursor(row),
        score=row[1] if isinstance(row[1], float) else None,
        snippet=snippets.best_passage(
            record["text"], [term for term in terms if not term.title]
        ),
        marked_title=snippets.highlight(record["title"] or "", terms),
    )
