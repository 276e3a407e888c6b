"""The JSON form of an article, which docs/data.md documents.

There is one form for search, show, export and pages. SQLite writes it, three times as
fast as Python would.
"""

import json
from typing import Any

from sqlite_utils import Database

_COPIES_SQL = """(
    SELECT count(*) FROM documents AS c
    WHERE c.article_id = d.article_id AND c.is_head = 0
)"""
# The fields in their order, each with the SQL of its value for a document `d`.
_FIELD_COLUMNS = {
    "id": "d.article_id",
    "url": "d.url",
    "title": "d.title",
    "authors": "json(d.authors)",
    "published_at": "d.published_at",
    "published_how": "d.published_how",
    "language": "d.language",
    "text": "d.text",
    "source": "d.source",
    "first_seen_at": "d.first_seen_at",
    "updated_at": "d.updated_at",
    "withdrawn_at": "d.withdrawn_at",
    "revision": "d.revision",
    "words": "d.words",
    "relevance": "d.relevance",
    "copies": _COPIES_SQL,
    "copy_kind": "d.kind",
    "document_id": "d.id",
    "capture_id": "d.capture_id",
}
_MENTION_FIELDS = {"places": "place", "actors": "actor", "events": "event"}
FIELDS = (*_FIELD_COLUMNS, *_MENTION_FIELDS, "tags")

_MENTIONS_OF_A_KIND_SQL = """
    '"{field}":' || json_group_array(
        json_object('code', m.code, 'name', m.name, 'count', m.count)
    ) FILTER (WHERE m.kind = '{kind}')
"""
# The mentions are gone through once: a subquery for each kind made an export take half
# as long again.
_MENTIONS_COLUMNS = " || ',' || ".join(
    _MENTIONS_OF_A_KIND_SQL.format(field=field, kind=kind)
    for field, kind in _MENTION_FIELDS.items()
)
_MENTIONS_SQL = f"""(
    SELECT {_MENTIONS_COLUMNS} FROM document_mentions AS m WHERE m.document_id = d.id
)"""  # noqa: S608 - constants
# Of any text of the article: it keeps its tags when another one becomes its head. Not
# looked for where nobody ever tagged anything: that is found out once a statement.
_TAGS_SQL = """iif(EXISTS (SELECT 1 FROM marks WHERE label = 'tag'), (
    SELECT json_group_array(value) FROM (
        SELECT DISTINCT m.value FROM documents AS o
        CROSS JOIN marks AS m ON m.key = o.key AND m.label = 'tag'
        WHERE o.article_id = d.article_id ORDER BY m.value
    )
), '[]')"""
_PLAIN_FIELDS_SQL = ", ".join(
    f"'{name}', {value}" for name, value in _FIELD_COLUMNS.items()
)
# Two columns, which `join_json` puts together.
RECORD_SQL = f"""
    json_object({_PLAIN_FIELDS_SQL}),
    {_MENTIONS_SQL} || ',"tags":' || {_TAGS_SQL}
"""


def join_json(first: str, second: str) -> str:
    """The JSON form of its two parts: an object, and the rest of its fields."""
    return f"{first[:-1]},{second}}}"


def load_record(db: Database, number: int) -> dict[str, Any] | None:
    """The JSON form of one article, by its number or that of any of its documents."""
    row = db.execute(
        f"""
        SELECT {RECORD_SQL} FROM documents AS d
        WHERE d.is_head = 1 AND d.article_id = coalesce(
            (SELECT article_id FROM documents WHERE id = :number), :number
        )
        """,  # noqa: S608 - constants
        {"number": number},
    ).fetchone()
    if row is None:
        return None
    loaded: dict[str, Any] = json.loads(join_json(row[0], row[1]))
    return loaded
