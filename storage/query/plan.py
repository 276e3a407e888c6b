"""`Criteria` -> the pieces of a statement: the only place that builds dynamic SQL.

It is put together of constants; every value is bound. Newest first is the order of the
index itself (`sort_key`), so no query sorts the store: words and filters meet inside
FTS5 (`index_tags`), dates are a range of keys, and a page ends where its limit is
reached.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlite_utils import Database

from storage import folding
from storage.errors import UsageError
from storage.index_tags import index_tag
from storage.query import syntax
from storage.query.criteria import Criteria, Sort
from storage.tables.documents import SORT_KEY_BITS

_MIN_SORT_KEY, _MAX_SORT_KEY = -(1 << 62), 1 << 62
_MAX_NAME_CHARS = 200
_MAX_CURSOR_CHARS = 80


@dataclass(frozen=True, slots=True)
class Plan:
    """The pieces of a statement: everything but what is selected."""

    match: str | None  # FTS5 expression; None: everything matches
    low: int  # of sort keys, both ends included
    high: int
    conditions: tuple[str, ...]
    values: tuple[float | str, ...]  # of the conditions
    terms: tuple[syntax.SearchTerm, ...]
    empty: bool  # nothing can match

    @property
    def matched(self) -> str:
        """FROM and WHERE over the index of narrow columns alone.

        The wide rows are read for the page's hits only.
        """
        where = "".join(f" AND {condition}" for condition in self.conditions)
        if self.match is None:
            return (
                "FROM documents AS d INDEXED BY documents_newest "
                f"WHERE d.sort_key BETWEEN ? AND ?{where}"
            )
        return (
            "FROM fts CROSS JOIN documents AS d INDEXED BY documents_newest "
            "ON d.sort_key = fts.rowid "
            f"WHERE fts MATCH ? AND fts.rowid BETWEEN ? AND ?{where}"
        )

    @property
    def key(self) -> str:
        """The column of the sort key that leads the statement."""
        return "d.sort_key" if self.match is None else "fts.rowid"

    @property
    def bound(self) -> tuple[object, ...]:
        """The values of `matched` in their order."""
        values: tuple[object, ...] = (self.low, self.high, *self.values)
        if self.match is not None:
            values = (self.match, *values)
        return values


_TAGGED_SQL = """
    SELECT o.sort_key FROM json_each(?) AS j
    CROSS JOIN marks AS m
        ON m.value COLLATE NOCASE = j.value AND m.label = 'tag'
    CROSS JOIN documents AS t ON t.key = m.key
    CROSS JOIN documents AS o ON o.article_id = t.article_id
"""


def build_plan(db: Database, criteria: Criteria) -> Plan:
    """The plan of a search. Raises UsageError for a cursor that no search gave."""
    tree = syntax.parse_query(criteria.words)
    terms: tuple[syntax.SearchTerm, ...] = ()
    if tree is not None:
        tree = syntax.widen_names(tree, lambda keys: list_spellings(db, keys))
        tree = syntax.widen_words(tree)
        terms = syntax.positive_terms(tree)
    match = syntax.match_expression(tree, _tag_filters(db, criteria))
    conditions: list[str] = []
    values: list[float | str] = []
    if not criteria.copies:
        conditions.append("d.is_head = 1")
    if criteria.min_relevance is not None:
        conditions.append("d.relevance >= ?")
        values.append(criteria.min_relevance)
    if criteria.tags:
        # Few texts are tagged, by hand: these are gone through, and not what the words
        # find. For bm25 it is the other way round, since every visit by key would weigh
        # the words anew.
        key = "fts.rowid"
        if match is None:
            key = "d.sort_key"
        elif criteria.sort is Sort.RANK:
            key = "+fts.rowid"
        conditions.append(f"{key} IN ({_TAGGED_SQL})")
        values.append(json.dumps(criteria.tags))
    low, high = sort_key_range(criteria)
    return Plan(
        match=match,
        low=low,
        high=high,
        conditions=tuple(conditions),
        values=tuple(values),
        terms=terms,
        empty=tree is None and bool(criteria.words.strip()),
    )


def _tag_filters(db: Database, criteria: Criteria) -> list[list[str]]:
    """Groups of tags of the index, of each of which a hit has one."""
    groups = [
        [index_tag("source", source) for source in criteria.sources],
        [index_tag("language", language) for language in criteria.languages],
    ]
    mentions = {
        "place": criteria.places,
        "actor": criteria.actors,
        "event": criteria.events,
    }
    # A name may stand for several codes: Kunduz is a province and a district.
    for kind, names in mentions.items():
        group = []
        for name in names:
            group += [index_tag(kind, code) for code in resolve_codes(db, kind, name)]
        groups.append(group)
    return groups


def resolve_codes(db: Database, kind: str, name: str) -> tuple[str, ...]:
    """The codes that a code or a name in any spelling stands for.

    The name itself, too: where nothing is known of it, it may be a code.
    """
    name = name[:_MAX_NAME_CHARS]
    rows = db.execute(
        "SELECT DISTINCT code FROM spellings WHERE key = ? AND kind = ?",
        [folding.fold_spelling(name), kind],
    )
    return (name, *(row["code"] for row in rows))


def list_spellings(db: Database, keys: Iterable[str]) -> dict[str, list[str]]:
    """For each key that is a name, every folded spelling of it, shortest first."""
    rows = db.execute(
        """
        SELECT DISTINCT s.key, o.spelling FROM json_each(?) AS k
        CROSS JOIN spellings AS s
            ON s.key = k.value AND s.kind IN ('name', 'typed')
        CROSS JOIN spellings AS o ON o.kind = 'name' AND o.code = s.code
        ORDER BY s.key, length(o.spelling), o.spelling
        """,
        [json.dumps(sorted(keys))],
    )
    known: dict[str, list[str]] = {}
    for row in rows:
        known.setdefault(row["key"], []).append(row["spelling"])
    return known


# Ranges and cursors


def sort_key_range(criteria: Criteria) -> tuple[int, int]:
    """The range of sort keys, both ends in it."""
    low, high = _MIN_SORT_KEY, _MAX_SORT_KEY
    if criteria.since is not None:
        low = _to_unix_seconds(criteria.since) << SORT_KEY_BITS
    if criteria.until is not None:
        high = (_to_unix_seconds(criteria.until) << SORT_KEY_BITS) - 1
    if criteria.after and criteria.sort is Sort.NEWEST:
        high = min(high, _parse_key(criteria.after, criteria.after) - 1)
    return low, high


def _to_unix_seconds(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp())


def format_cursor(sort_key: int, score: float | None) -> str:
    """The cursor to go on after a hit: its key, after its score where it has one."""
    return str(sort_key) if score is None else f"{score!r}_{sort_key}"


def parse_rank_cursor(after: str) -> tuple[float, int]:
    """Score and sort key of the last hit seen of a ranked search. Raises UsageError."""
    if not after:
        return -math.inf, _MAX_SORT_KEY
    score, _, key = after[:_MAX_CURSOR_CHARS].partition("_")
    try:
        number = float(score)
    except ValueError:
        raise _cursor_error(after) from None
    # bm25 gives nothing above 0, and this refuses NaN as well.
    if not number <= 0:
        raise _cursor_error(after)
    return number, _parse_key(key, after)


def _parse_key(text: str, after: str) -> int:
    try:
        key = int(text[:30])
    except ValueError:
        raise _cursor_error(after) from None
    return max(_MIN_SORT_KEY, min(key, _MAX_SORT_KEY))


def _cursor_error(after: str) -> UsageError:
    return UsageError(
        f"{after[:40]!r} is not a cursor of this search; take the one that its last "
        "page gave."
    )
