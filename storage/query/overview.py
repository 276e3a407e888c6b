"""What each place, each source and the last days brought, for the reading pages.

Fixed statements; plain rows out. Times as stored.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.query import facets, plan
from storage.query.criteria import Criteria


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCount:
    """A place and the articles that name it.

    Degrees of WGS 84, None where nobody gives any.
    """

    code: str
    kind: str
    name: str
    lat: float | None
    lon: float | None
    articles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCounts:
    """Who else has an article."""

    reports: int  # itself and its copies
    sources: int  # different ones among them
    similar: int  # articles that probably tell the same in other words


# Both name the narrow index: else the wide rows of a month would be read.
def count_places(db: Database, since: datetime) -> list[PlaceCount]:
    """Every place that articles published since then name, the most named first.

    Datelines and seats of offices are left out.
    """
    return _query_places(
        db,
        since,
        """
        SELECT p.code, p.kind, p.name, p.lat, p.lon, count(*) AS articles
        FROM documents AS d INDEXED BY documents_newest
        CROSS JOIN document_mentions AS m ON m.document_id = d.id AND m.kind = 'place'
        CROSS JOIN places AS p ON p.code = m.code
        WHERE d.sort_key >= ? AND d.is_head = 1 AND m.role = ''
        GROUP BY p.code ORDER BY articles DESC, p.name
        """,
    )


def count_provinces(db: Database, since: datetime) -> list[PlaceCount]:
    """Every province that was named itself or by a place in it.

    An article counts once for each. Datelines and seats of offices are left out.
    """
    return _query_places(
        db,
        since,
        """
        SELECT q.code, q.kind, q.name, q.lat, q.lon, count(DISTINCT d.id) AS articles
        FROM documents AS d INDEXED BY documents_newest
        CROSS JOIN document_mentions AS m ON m.document_id = d.id AND m.kind = 'place'
        CROSS JOIN places AS p ON p.code = m.code
        CROSS JOIN places AS q ON q.code = p.province_code
        WHERE d.sort_key >= ? AND d.is_head = 1 AND m.role = ''
        GROUP BY q.code ORDER BY articles DESC, q.name
        """,
    )


def _query_places(db: Database, since: datetime, statement: str) -> list[PlaceCount]:
    low, _ = plan.sort_key_range(Criteria(since=since))
    return [PlaceCount(**dict(row)) for row in db.execute(statement, [low])]


def count_copies(db: Database, article_ids: Iterable[int]) -> dict[int, CopyCounts]:
    """For each of these articles, how many carry it."""
    rows = db.execute(
        """
        SELECT a.value AS id,
            (SELECT count(*) FROM documents WHERE article_id = a.value) AS reports,
            (SELECT count(DISTINCT source) FROM documents WHERE article_id = a.value)
                AS sources,
            (SELECT count(*) FROM probable_copies WHERE article_id = a.value)
            + (SELECT count(*) FROM probable_copies WHERE of_article_id = a.value)
                AS similar
        FROM json_each(?) AS a
        """,
        [json.dumps(list(article_ids))],
    )
    return {
        row["id"]: CopyCounts(
            reports=row["reports"], sources=row["sources"], similar=row["similar"]
        )
        for row in rows
    }


def list_claims(db: Database, document_id: int) -> list[dict[str, Any]]:
    """The numbers that a document claims, in its order.

    Keys: kind, number, qualifier, said_by, sentence.
    """
    rows = db.execute(
        """
        SELECT kind, number, qualifier, said_by, sentence FROM document_claims
        WHERE document_id = ? ORDER BY position
        """,
        [document_id],
    )
    return [dict(row) for row in rows]


def list_corrections(db: Database, limit: int) -> list[dict[str, Any]]:
    """The newest corrections of what had been reported; see `facets.CORRECTION_SQL`.

    Keys: at, what, detail, article_id, title, source.
    """
    rows = db.execute(
        f"""
        SELECT c.at, c.what, c.detail, c.article_id, a.title, a.source
        FROM changes AS c JOIN articles AS a ON a.id = c.article_id
        WHERE {facets.CORRECTION_SQL} ORDER BY c.cursor DESC LIMIT ?
        """,  # noqa: S608 - of constants
        [limit],
    )
    return [dict(row) for row in rows]


def count_visits_by_day(db: Database, source: str, days: int) -> list[dict[str, Any]]:
    """What the polls of a source brought, by day of UTC, the newest first.

    Keys: day, visits, found, new, copies, rejected, failed, errors.
    """
    rows = db.execute(
        """
        SELECT substr(started_at, 1, 10) AS day, sum(visits) AS visits,
            sum(found) AS found, sum(new) AS new, sum(copies) AS copies,
            sum(rejected) AS rejected, sum(failed) AS failed,
            sum(status = 'error') AS errors
        FROM polls WHERE source = ? GROUP BY day ORDER BY day DESC LIMIT ?
        """,
        [source, days],
    )
    return [dict(row) for row in rows]


def list_polls(db: Database, source: str, limit: int) -> list[dict[str, Any]]:
    """The last polls of a source, the newest first.

    Keys: started_at, status, http_status, found, known, new, copies, rejected, failed,
    error.
    """
    rows = db.execute(
        """
        SELECT started_at, status, http_status, found, known, new, copies, rejected,
            failed, error
        FROM polls WHERE source = ? ORDER BY id DESC LIMIT ?
        """,
        [source, limit],
    )
    return [dict(row) for row in rows]
