"""One article, document, capture or URL, and everything that is known of it.

Functions over an open `Database`; they write nothing. Searching among many is
`storage.query.search`.
"""

import json
from typing import Any

from sqlite_utils import Database

from storage.model import (
    Article,
    Change,
    ChangeKind,
    Copy,
    Revision,
    from_text,
)
from storage.tables import documents, fates
from storage.tables.columns import Row, column_to_time, stored_key

_JSON_COLUMNS = ("authors", "reasons", "cuts")
_EXTRA_COLUMNS = (
    "site",
    "section",
    "image",
    "origin_url",
    "credit",
    "from_feed",
    "published_confidence",
    "published_raw",
    "modified_at",
    "withdrawn_at",
    "checked_at",
    "extracted_how",
    "extractor",
    "via",
    "reasons",
    "cuts",
)


# Articles and what belongs to one


def find_article(db: Database, number: int) -> Article | None:
    """The article of that number, or the one to which the document of it belongs."""
    found = documents.find_document(db, number, head_first=True)
    if found is None:
        return None
    row = db.execute(
        """
        SELECT *, (
            SELECT count(*) FROM documents AS c
            WHERE c.article_id = d.article_id AND c.is_head = 0
        ) AS copies
        FROM documents AS d WHERE is_head = 1 AND article_id = ?
        """,
        [found["article_id"]],
    ).fetchone()
    decoded = _decode_row(row)
    return Article(
        id=row["article_id"],
        url=row["url"],
        source=row["source"],
        title=row["title"],
        authors=tuple(decoded["authors"]),
        language=row["language"],
        published_at=column_to_time(row["published_at"]),
        published_how=row["published_how"],
        first_seen_at=from_text(row["first_seen_at"]),
        updated_at=from_text(row["updated_at"]),
        revision=row["revision"],
        text=row["text"],
        words=row["words"],
        relevance=row["relevance"],
        capture_id=row["capture_id"],
        document_id=row["id"],
        copies=row["copies"],
        extra={name: decoded[name] for name in _EXTRA_COLUMNS},
    )


def list_copies(db: Database, article_id: int) -> list[Copy]:
    """Other places that carried an article, in the order in which they were seen."""
    rows = db.execute(
        "SELECT * FROM copies WHERE article_id = ? ORDER BY seen_at, id", [article_id]
    )
    return [
        Copy(
            id=row["id"],
            article_id=row["article_id"],
            url=row["url"],
            source=row["source"],
            title=row["title"],
            text=row["text"],
            published_at=column_to_time(row["published_at"]),
            seen_at=from_text(row["seen_at"]),
            kind=row["kind"],
            score=row["score"],
        )
        for row in rows
    ]


def list_probable_copies(db: Database, article_id: int) -> list[tuple[int, float]]:
    """Articles that may be versions of this one, earlier and later: number and score.

    The likeliest first.
    """
    rows = db.execute(
        """
        SELECT of_article_id AS other, score FROM probable_copies
        WHERE article_id = :id
        UNION SELECT article_id, score FROM probable_copies WHERE of_article_id = :id
        ORDER BY score DESC, other
        """,
        {"id": article_id},
    )
    return [(row["other"], row["score"]) for row in rows]


def list_revisions(db: Database, document_id: int) -> list[Revision]:
    """The former states of a document, the first one first; not the present one."""
    rows = db.execute(
        "SELECT * FROM revisions WHERE document_id = ? ORDER BY number", [document_id]
    )
    return [
        Revision(
            document_id=row["document_id"],
            number=row["number"],
            seen_at=from_text(row["seen_at"]),
            title=row["title"],
            text=row["text"],
            capture_id=row["capture_id"],
        )
        for row in rows
    ]


# The log


def list_changes(db: Database, since: int, limit: int) -> list[Change]:
    """The log after a cursor, in order; 0 is its start."""
    rows = db.execute(
        "SELECT * FROM changes WHERE cursor > ? ORDER BY cursor LIMIT ?", [since, limit]
    )
    return [
        Change(
            cursor=row["cursor"],
            at=from_text(row["at"]),
            article_id=row["article_id"],
            what=ChangeKind(row["what"]),
            document_id=row["document_id"],
            detail=row["detail"],
        )
        for row in rows
    ]


def captured_up_to(db: Database, file: str) -> int:
    """The offset up to which a WARC file is known to be whole, in bytes."""
    row = db.execute(
        "SELECT coalesce(max(offset + length), 0) FROM captures WHERE file = ?", [file]
    ).fetchone()
    return int(row[0])


# Fates and why


def find_fate(db: Database, url: str) -> dict[str, Any] | None:
    """What became of a URL; None where it is pending or was never seen."""
    row = fates.find_fate(db, stored_key(url))
    return None if row is None else dict(row)


def explain(db: Database, named: str | int) -> dict[str, Any]:
    """Everything that is known of a URL, or of the article or document of a number.

    Keys: `found` (whether there is anything), `url`, `fate`, `lead`, `rejection`,
    `document`, `capture`, `article`, `copies`, `probable_copies`, `revisions`,
    `changes`, `mentions`, `claims`, `marks`; those that do not apply are None or empty.
    """
    key = None
    if isinstance(named, str):
        key = stored_key(named)
    row = documents.find_document(db, named, head_first=True)
    document = None if row is None else _decode_row(row)
    fate = _fetch_one(db, "SELECT * FROM fates WHERE key = ?", key)
    if fate is None and document is not None:
        fate = _fetch_one(db, "SELECT * FROM fates WHERE key = ?", document["key"])
    lead = _fetch_one(db, "SELECT * FROM leads WHERE key = ?", key)
    rejection = _fetch_one(db, "SELECT * FROM rejections WHERE key = ?", key)

    url, capture_id = named, None
    if document is not None:
        url, capture_id = document["url"], document["capture_id"]
    elif rejection is not None:
        capture_id = rejection["capture_id"]
    return {
        "found": any((fate, document, lead, rejection)),
        "url": url,
        "fate": fate,
        "lead": lead,
        "rejection": rejection,
        "document": document,
        "capture": _fetch_one(db, "SELECT * FROM captures WHERE id = ?", capture_id),
        **_explain_article(db, document),
    }


def _explain_article(db: Database, document: dict[str, Any] | None) -> dict[str, Any]:
    """What belongs to a document and to its article; nothing without a document."""
    article_id = document_id = key = None
    probable: list[dict[str, Any]] = []
    if document is not None:
        article_id, document_id = document["article_id"], document["id"]
        key = document["key"]
        for other, score in list_probable_copies(db, document["article_id"]):
            probable.append({"article_id": other, "score": score})
    return {
        "article": _fetch_one(
            db,
            "SELECT id, url, source, title, published_at FROM articles WHERE id = ?",
            article_id,
        ),
        "copies": _fetch_all(
            db,
            """
            SELECT id, url, source, title, kind, score, seen_at FROM copies
            WHERE article_id = ? ORDER BY seen_at
            """,
            article_id,
        ),
        "probable_copies": probable,
        "revisions": _fetch_all(
            db,
            """
            SELECT number, seen_at, title FROM revisions
            WHERE document_id = ? ORDER BY number
            """,
            document_id,
        ),
        "changes": _fetch_all(
            db,
            """
            SELECT cursor, at, what, detail FROM changes
            WHERE article_id = ? ORDER BY cursor
            """,
            article_id,
        ),
        "mentions": _fetch_all(
            db,
            """
            SELECT kind, code, name, count, sentence, role FROM document_mentions
            WHERE document_id = ?
            """,
            document_id,
        ),
        "claims": _fetch_all(
            db,
            "SELECT * FROM document_claims WHERE document_id = ? ORDER BY position",
            document_id,
        ),
        "marks": _fetch_all(
            db, "SELECT at, label, value FROM marks WHERE key = ? ORDER BY id", key
        ),
    }


def _fetch_one(db: Database, statement: str, value: object) -> dict[str, Any] | None:
    rows = _fetch_all(db, f"{statement} LIMIT 1", value)
    return rows[0] if rows else None


def _fetch_all(db: Database, statement: str, value: object) -> list[dict[str, Any]]:
    """The rows of a statement with one parameter; none for a parameter of None."""
    if value is None:
        return []
    return [_decode_row(row) for row in db.execute(statement, [value])]


def _decode_row(row: Row) -> dict[str, Any]:
    """A row as a dictionary, its JSON columns as lists."""
    decoded = dict(row)
    for name in _JSON_COLUMNS:
        if name in decoded:
            decoded[name] = json.loads(decoded[name])
    return decoded
