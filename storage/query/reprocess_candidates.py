"""What can be read anew.

Texts and pages that were not kept whose raw response still rests in the archive.

Functions over an open `Database`; they write nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.model import to_text
from storage.query import search
from storage.query.criteria import Criteria, Sort
from storage.tables.visits import column_to_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprocessCandidate:
    """A raw response and what was made of it.

    Without a `document_id` it was read and not kept.
    """

    capture_id: int
    url: str
    source: str
    via: str
    document_id: int | None = None
    title: str | None = None
    text: str = ""
    authors: tuple[str, ...] = ()
    published_at: datetime | None = None
    published_how: str | None = None
    relevance: float = 0.0
    extractor: str = ""
    revision: int = 1
    origin_url: str | None = None
    why: str = ""  # of what was not kept


def list_document_ids(db: Database, criteria: Criteria) -> list[int]:
    """The numbers of the texts that a search finds, copies too, and that have a raw page; in the order of arrival.

    A feed's own text has none: what the page said then is no article.
    """
    found: list[int] = []
    wide = Criteria(
        **{name: getattr(criteria, name) for name in _NARROWING_FIELDS},
        copies=True,
        sort=Sort.NEWEST,
    )
    for page in search.iterate_json_pages(db, wide):
        ids = json.dumps([json.loads(line)["document_id"] for line in page])
        found += [
            row[0]
            for row in db.execute(
                "SELECT id FROM documents WHERE id IN (SELECT value FROM json_each(?)) AND capture_id IS NOT NULL "
                "AND NOT from_feed",
                [ids],
            )
        ]
    return sorted(found)


_NARROWING_FIELDS = (
    "words",
    "since",
    "until",
    "sources",
    "languages",
    "places",
    "actors",
    "events",
    "min_relevance",
)
_REJECTION_FIELDS = frozenset({"since", "until", "sources"})


def list_rejection_keys(db: Database, criteria: Criteria) -> list[str]:
    """The keys of pages that were not kept and still have their response, by source and time of reading.

    None where the criteria ask for what only a kept text has: words, language, places, actors, events, relevance.
    """
    if any(
        getattr(criteria, name)
        for name in _NARROWING_FIELDS
        if name not in _REJECTION_FIELDS
    ):
        return []
    rows = db.execute(
        """
        SELECT key FROM rejections WHERE capture_id IS NOT NULL
        AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
        AND (:sources = '[]' OR source IN (SELECT value FROM json_each(:sources))) ORDER BY at, key
        """,
        {
            "since": to_text(criteria.since) if criteria.since else None,
            "until": to_text(criteria.until) if criteria.until else None,
            "sources": json.dumps(criteria.sources),
        },
    )
    return [row[0] for row in rows]


def load_documents(db: Database, ids: Iterable[int]) -> list[ReprocessCandidate]:
    """These texts as they stand; those that are gone meanwhile are left out."""
    rows = db.execute(
        "SELECT * FROM documents WHERE id IN (SELECT value FROM json_each(?)) AND capture_id IS NOT NULL ORDER BY id",
        [json.dumps(list(ids))],
    ).fetchall()
    return [
        ReprocessCandidate(
            document_id=row["id"],
            authors=tuple(json.loads(row["authors"])),
            published_at=column_to_time(row["published_at"]),
            **{name: row[name] for name in _SHARED_COLUMNS},
        )
        for row in rows
    ]


_SHARED_COLUMNS = (
    "capture_id", "url", "source", "via", "title", "text", "published_how", "relevance", "extractor", "revision",
    "origin_url",
)  # fmt: skip


def load_rejections(db: Database, keys: Iterable[str]) -> list[ReprocessCandidate]:
    """These pages that were not kept."""
    rows = db.execute(
        "SELECT * FROM rejections WHERE key IN (SELECT value FROM json_each(?)) AND capture_id IS NOT NULL "
        "ORDER BY at, key",
        [json.dumps(list(keys))],
    ).fetchall()
    return [_rejected(row) for row in rows]


def _rejected(row: Any) -> ReprocessCandidate:
    return ReprocessCandidate(
        capture_id=row["capture_id"], url=row["url"], source=row["source"], via="feed", title=row["title"],
        relevance=row["score"] or 0.0, why=row["why"],
    )  # fmt: skip
