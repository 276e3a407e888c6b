"""What can be extracted again: texts and rejected pages with their raw response.

Functions over an open `Database`; they write nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from storage.folding import fold
from storage.query import search
from storage.query.criteria import Criteria, Sort
from storage.tables import copies
from storage.tables.columns import column_to_time, stored_key, time_to_column


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
    published_raw: str | None = None
    relevance: float = 0.0
    extractor: str = ""
    revision: int = 1
    origin_url: str | None = None
    why: str = ""  # of what was not kept
    # The document whose former state this is, although it is another page's report.
    merged_into: int | None = None


def list_document_ids(db: Database, criteria: Criteria) -> list[int]:
    """The numbers of the texts that a search finds, copies too, in order of arrival.

    Only those that have a raw page. A feed's own text has none: what the page said then
    is no article.
    """
    wide = Criteria(
        words=criteria.words,
        since=criteria.since,
        until=criteria.until,
        sources=criteria.sources,
        languages=criteria.languages,
        places=criteria.places,
        actors=criteria.actors,
        events=criteria.events,
        min_relevance=criteria.min_relevance,
        copies=True,
        sort=Sort.NEWEST,
    )
    numbers: list[int] = []
    for page in search.iterate_json_pages(db, wide):
        ids = [json.loads(line)["document_id"] for line in page]
        rows = db.execute(
            """
            SELECT id FROM documents WHERE id IN (SELECT value FROM json_each(?))
            AND capture_id IS NOT NULL AND NOT from_feed
            """,
            [json.dumps(ids)],
        )
        numbers += [row["id"] for row in rows]
    return sorted(numbers)


def list_rejection_keys(db: Database, criteria: Criteria) -> list[str]:
    """The keys of pages that were not kept and still have their response.

    By source and time of reading. None where the criteria ask for what only a kept text
    has: words, language, places, actors, events, relevance.
    """
    only_of_texts = (
        criteria.words,
        criteria.languages,
        criteria.places,
        criteria.actors,
        criteria.events,
        criteria.min_relevance,
    )
    if any(only_of_texts):
        return []
    rows = db.execute(
        """
        SELECT key FROM rejections WHERE capture_id IS NOT NULL
        AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
        AND (:sources = '[]' OR source IN (SELECT value FROM json_each(:sources)))
        ORDER BY at, key
        """,
        {
            "since": time_to_column(criteria.since),
            "until": time_to_column(criteria.until),
            "sources": json.dumps(criteria.sources),
        },
    )
    return [row["key"] for row in rows]


def load_documents(db: Database, ids: Iterable[int]) -> list[ReprocessCandidate]:
    """These texts as they stand; those that are gone meanwhile are left out."""
    rows = db.execute(
        """
        SELECT * FROM documents WHERE id IN (SELECT value FROM json_each(?))
        AND capture_id IS NOT NULL ORDER BY id
        """,
        [json.dumps(list(ids))],
    ).fetchall()
    return [
        ReprocessCandidate(
            capture_id=row["capture_id"],
            url=row["url"],
            source=row["source"],
            via=row["via"],
            document_id=row["id"],
            title=row["title"],
            text=row["text"],
            authors=tuple(json.loads(row["authors"])),
            published_at=column_to_time(row["published_at"]),
            published_how=row["published_how"],
            published_raw=row["published_raw"],
            relevance=row["relevance"],
            extractor=row["extractor"],
            revision=row["revision"],
            origin_url=row["origin_url"],
        )
        for row in rows
    ]


def load_rejections(db: Database, keys: Iterable[str]) -> list[ReprocessCandidate]:
    """These pages that were not kept."""
    rows = db.execute(
        """
        SELECT * FROM rejections WHERE key IN (SELECT value FROM json_each(?))
        AND capture_id IS NOT NULL ORDER BY at, key
        """,
        [json.dumps(list(keys))],
    ).fetchall()
    return [
        ReprocessCandidate(
            capture_id=row["capture_id"],
            url=row["url"],
            source=row["source"],
            via="feed",
            title=row["title"],
            relevance=row["score"] or 0.0,
            why=row["why"],
        )
        for row in rows
    ]


def load_merged_states(db: Database, ids: Iterable[int]) -> list[ReprocessCandidate]:
    """Former states of these texts that are reports of other pages.

    A state that was read at another address than the present one, under another
    headline and with another text, was merged by a canonical address that a template
    repeats on many pages. The newest state of each address.
    """
    rows = db.execute(
        """
        SELECT r.document_id, r.title, r.text, r.capture_id, c.url, d.source, d.via,
            d.title AS title_now, d.text AS text_now, present.url AS url_now
        FROM revisions AS r
        JOIN captures AS c ON c.id = r.capture_id
        JOIN documents AS d ON d.id = r.document_id
        JOIN captures AS present ON present.id = d.capture_id
        WHERE r.document_id IN (SELECT value FROM json_each(?))
        ORDER BY r.document_id, r.number
        """,
        [json.dumps(list(ids))],
    ).fetchall()
    found: dict[str, ReprocessCandidate] = {}
    for row in rows:
        if stored_key(row["url"]) == stored_key(row["url_now"]):
            continue
        if fold(row["title"] or "") == fold(row["title_now"] or ""):
            continue
        if copies.is_same_text(row["text"], row["text_now"]):
            continue
        found[stored_key(row["url"])] = ReprocessCandidate(
            capture_id=row["capture_id"],
            url=row["url"],
            source=row["source"],
            via=row["via"],
            title=row["title"],
            text=row["text"],
            merged_into=row["document_id"],
        )
    return list(found.values())
