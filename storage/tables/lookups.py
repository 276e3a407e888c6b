"""Reading what is stored.

Articles and what belongs to them, fates and why, the log, and numbers about it all.

Functions over an open `Database`; they write nothing. Searching is
`storage.query.search`.
"""

import json
import sqlite3
from typing import Any

from sqlite_utils import Database

from storage.model import (
    Article,
    Capture,
    Change,
    ChangeKind,
    Copy,
    Revision,
    from_text,
)
from storage.tables import bands
from storage.tables.visits import column_to_time, url_key

_JSON_COLUMNS = ("authors", "reasons", "cuts")
_EXTRA_COLUMNS = (
    "site", "section", "image", "origin_url", "credit", "from_feed", "published_confidence", "published_raw",
    "modified_at", "withdrawn_at", "checked_at", "extracted_how", "extractor", "via", "reasons", "cuts",
)  # fmt: skip
_HEAD_SQL = """
SELECT *, (SELECT count(*) FROM documents AS c WHERE c.article_id = d.article_id AND c.is_head = 0) AS copies
FROM documents AS d WHERE is_head = 1 AND article_id = ?
"""


def find_article(db: Database, number: int) -> Article | None:
    """The article of that number, or the one to which the document of that number belongs."""
    row = db.execute(_HEAD_SQL, [number]).fetchone()
    if row is None:
        of = db.execute(
            "SELECT article_id FROM documents WHERE id = ?", [number]
        ).fetchone()
        row = db.execute(_HEAD_SQL, [of[0]]).fetchone() if of else None
    return None if row is None else _row_to_article(row)


def _row_to_article(row: sqlite3.Row) -> Article:
    return Article(
        id=row["article_id"],
        document_id=row["id"],
        authors=tuple(json.loads(row["authors"])),
        published_at=column_to_time(row["published_at"]),
        first_seen_at=from_text(row["first_seen_at"]),
        updated_at=from_text(row["updated_at"]),
        extra={name: json.loads(row[name]) if name in _JSON_COLUMNS else row[name] for name in _EXTRA_COLUMNS},
        **{
            name: row[name]
            for name in (
                "url", "source", "title", "language", "published_how", "revision", "text", "words", "relevance",
                "capture_id", "copies",
            )
        },
    )  # fmt: skip


def list_copies(db: Database, article_id: int) -> list[Copy]:
    """Other places that carried an article, in the order in which they were seen."""
    rows = db.execute(
        "SELECT * FROM copies WHERE article_id = ? ORDER BY seen_at, id", [article_id]
    )
    return [
        Copy(
            published_at=column_to_time(row["published_at"]),
            seen_at=from_text(row["seen_at"]),
            **{
                name: row[name]
                for name in (
                    "id",
                    "article_id",
                    "url",
                    "source",
                    "title",
                    "text",
                    "kind",
                    "score",
                )
            },
        )
        for row in rows
    ]


def list_probable_copies(db: Database, article_id: int) -> list[tuple[int, float]]:
    """Articles that may be versions of this one, earlier and later, the likeliest first: number and score."""
    rows = db.execute(
        """
        SELECT of_article_id AS other, score FROM probable_copies WHERE article_id = :id
        UNION SELECT article_id, score FROM probable_copies WHERE of_article_id = :id ORDER BY score DESC, other
        """,
        {"id": article_id},
    )
    return [(row[0], row[1]) for row in rows]


def list_revisions(db: Database, document_id: int) -> list[Revision]:
    """The former states of a document, the first one first.

    The present one is not among them.
    """
    rows = db.execute(
        "SELECT * FROM revisions WHERE document_id = ? ORDER BY number", [document_id]
    )
    return [
        Revision(
            seen_at=from_text(row["seen_at"]),
            **{
                n: row[n]
                for n in ("document_id", "number", "title", "text", "capture_id")
            },
        )
        for row in rows
    ]


def find_capture(db: Database, number: int) -> Capture | None:
    """Where a raw response rests."""
    row = db.execute("SELECT * FROM captures WHERE id = ?", [number]).fetchone()
    if row is None:
        return None
    return Capture(
        fetched_at=from_text(row["fetched_at"]),
        **{n: row[n] for n in ("id", "url", "digest", "file", "offset", "length")},
    )


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
    return _fetch_one(db, "SELECT * FROM fates WHERE key = ?", url_key(url))


def explain(db: Database, what: str | int) -> dict[str, Any]:
    """Everything that is known of a URL, or of the article or document of a number.

    Keys: `found` (whether there is anything), `url`, `fate`, `lead`, `rejection`,
    `document`, `article`, `copies`, `probable_copies`, `revisions`, `changes`,
    `capture`, `mentions`, `claims`, `marks`; those that do not apply are None or empty.
    """
    key = url_key(what) if isinstance(what, str) else None
    found_fate = _fetch_one(db, "SELECT * FROM fates WHERE key = ?", key)
    document = _find_document(db, what, found_fate)
    lead = _fetch_one(db, "SELECT * FROM leads WHERE key = ?", key)
    rejection = _fetch_one(db, "SELECT * FROM rejections WHERE key = ?", key)
    if document is not None and found_fate is None:
        found_fate = _fetch_one(
            db, "SELECT * FROM fates WHERE key = ?", document["key"]
        )
    capture_id = (document or rejection or {}).get("capture_id")
    return {
        "found": any((found_fate, document, lead, rejection)),
        "url": document["url"] if document else what,
        "fate": found_fate,
        "lead": lead,
        "rejection": rejection,
        "document": document,
        "capture": _fetch_one(db, "SELECT * FROM captures WHERE id = ?", capture_id),
        **_explain_article(db, document),
    }


def _find_document(
    db: Database, what: str | int, found_fate: dict[str, Any] | None
) -> dict[str, Any] | None:
    if isinstance(what, int):
        head = _fetch_one(
            db, "SELECT * FROM documents WHERE article_id = ? AND is_head = 1", what
        )
        return head or _fetch_one(db, "SELECT * FROM documents WHERE id = ?", what)
    return _fetch_one(
        db,
        "SELECT * FROM documents WHERE id = ?",
        found_fate["document_id"] if found_fate else None,
    )


def _explain_article(db: Database, document: dict[str, Any] | None) -> dict[str, Any]:
    """What belongs to a document's article."""
    number = document["article_id"] if document else None
    head = _fetch_one(
        db,
        "SELECT id, url, source, title, published_at FROM articles WHERE id = ?",
        number,
    )
    document_id = document["id"] if document else None
    return {
        "article": head,
        "copies": _fetch_all(
            db,
            "SELECT id, url, source, title, kind, score, seen_at FROM copies WHERE article_id = ? ORDER BY seen_at",
            number,
        ),
        "probable_copies": [
            {"article_id": other, "score": score}
            for other, score in list_probable_copies(db, number)
        ]
        if number
        else [],
        "revisions": _fetch_all(
            db,
            "SELECT number, seen_at, title FROM revisions WHERE document_id = ? ORDER BY number",
            document_id,
        ),
        "changes": _fetch_all(
            db,
            "SELECT cursor, at, what, detail FROM changes WHERE article_id = ? ORDER BY cursor",
            number,
        ),
        "mentions": _fetch_all(
            db,
            "SELECT kind, code, name, count, sentence FROM document_mentions WHERE document_id = ?",
            document_id,
        ),
        "claims": _fetch_all(
            db,
            "SELECT * FROM document_claims WHERE document_id = ? ORDER BY position",
            document_id,
        ),
        "marks": _fetch_all(
            db,
            "SELECT at, label, value FROM marks WHERE key = ? ORDER BY id",
            document["key"] if document else None,
        ),
    }


def _fetch_one(db: Database, statement: str, value: object) -> dict[str, Any] | None:
    rows = _fetch_all(db, statement + " LIMIT 1", value)
    return rows[0] if rows else None


def _fetch_all(db: Database, statement: str, value: object) -> list[dict[str, Any]]:
    if value is None:
        return []
    return [
        {
            name: json.loads(value) if name in _JSON_COLUMNS else value
            for name, value in dict(row).items()
        }
        for row in db.execute(statement, [value])
    ]


# Numbers


def count_everything(db: Database) -> dict[str, Any]:
    """How much of everything there is.

    Articles, copies, pending leads, fates by kind and reason, the last article.
    """

    def one(statement: str) -> Any:
        return db.execute(statement).fetchone()[0]

    by_reason: dict[str, dict[str, int]] = {}
    for row in db.execute(
        "SELECT fate, reason, count(*) FROM fates GROUP BY fate, reason ORDER BY count(*) DESC"
    ):
        by_reason.setdefault(row[0], {})[row[1]] = row[2]
    return {
        "articles": one("SELECT count(*) FROM documents WHERE is_head = 1"),
        "copies": one("SELECT count(*) FROM documents WHERE is_head = 0"),
        "pending": one("SELECT count(*) FROM leads"),
        "oldest_pending_at": one("SELECT min(found_at) FROM leads"),
        "fates": {kind: sum(reasons.values()) for kind, reasons in by_reason.items()},
        "reasons": by_reason,
        "last_article_at": one(
            "SELECT max(at) FROM (SELECT at FROM changes WHERE what = 'new' ORDER BY cursor DESC LIMIT 1)"
        ),
        "cursor": one("SELECT coalesce(max(cursor), 0) FROM changes"),
        "sources": one("SELECT count(*) FROM sources WHERE enabled"),
    }


def count_by_source(db: Database) -> list[dict[str, Any]]:
    """One row for each source that is in use.

    Its state, its last article, and what its polls of the last week brought.

    Times as stored. `articles` and `copies` are of all time.
    """
    rows = db.execute(
        """
        WITH recent AS (
            SELECT source, sum(visits) AS visits, sum(found) AS found, sum(new) AS new, sum(copies) AS copied,
                sum(rejected) AS rejected,
                sum(failed) AS failed, sum(bytes) AS bytes, sum(status = 'error') AS errors
            FROM polls WHERE ended_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days') GROUP BY source
        ), kept AS (
            SELECT source, sum(is_head) AS articles, sum(1 - is_head) AS copies, max(first_seen_at) AS last_article_at
            FROM documents GROUP BY source
        ), waiting AS (SELECT source, count(*) AS pending FROM leads GROUP BY source)
        SELECT s.*, coalesce(k.articles, 0) AS articles, coalesce(k.copies, 0) AS copies, k.last_article_at,
            coalesce(w.pending, 0) AS pending, coalesce(r.visits, 0) AS week_visits, coalesce(r.found, 0) AS week_found,
            coalesce(r.new, 0) AS week_new, coalesce(r.copied, 0) AS week_copies, coalesce(r.rejected,
                0) AS week_rejected,
            coalesce(r.failed, 0) AS week_failed, coalesce(r.errors, 0) AS week_errors, coalesce(r.bytes,
                0) AS week_bytes
        FROM sources AS s LEFT JOIN recent AS r ON r.source = s.id LEFT JOIN kept AS k ON k.source = s.id
        LEFT JOIN waiting AS w ON w.source = s.id WHERE s.enabled ORDER BY s.id
        """
    )
    return [dict(row) for row in rows]


def list_unbalanced_polls(db: Database) -> list[dict[str, Any]]:
    """Polls whose columns do not add up, or whose pending leads are not there.

    There must be none.
    """
    rows = db.execute(
        """
        SELECT * FROM polls
        WHERE found <> known + new + revised + copies + rejected + refused + too_old + failed + pending
        OR pending <> (SELECT count(*) FROM leads WHERE poll_id = polls.id)
        """
    )
    return [dict(row) for row in rows]


def check_integrity(db: Database) -> list[str]:
    """What SQLite's own checks and ours say against the file.

    Empty when it is sound. Reads all of it.
    """
    found = [
        row[0] for row in db.execute("PRAGMA integrity_check(20)") if row[0] != "ok"
    ]
    found += [
        f"{row[0]} {row[1]} points to a missing row of {row[2]}"
        for row in db.execute("PRAGMA foreign_key_check")
    ]
    found += [
        f"poll {row['id']} of {row['source']} does not add up"
        for row in list_unbalanced_polls(db)
    ]
    for problem, statement in (_INTEGRITY_CHECKS | bands.INTEGRITY_CHECKS).items():
        count = db.execute(statement).fetchone()[0]
        found += [f"{count} {problem}"] if count else []
    return found


_INTEGRITY_CHECKS = {
    "documents are not in the full text": """
        SELECT count(*) FROM documents AS d WHERE NOT EXISTS (SELECT 1 FROM folded AS f
            WHERE f.key = d.sort_key AND f.document_id = d.id)
    """,
    "articles have no head": """
        SELECT count(DISTINCT article_id) FROM documents AS d
        WHERE NOT EXISTS (SELECT 1 FROM documents AS h WHERE h.article_id = d.article_id AND h.is_head = 1)
    """,
    "documents have no fate": """
        SELECT count(*) FROM documents AS d
        WHERE NOT EXISTS (SELECT 1 FROM fates AS f WHERE f.key = d.key AND f.fate IN ('article', 'copy', 'withdrawn'))
    """,
    # A kept page whose feed gave it another title is read again, and keeps its fate
    # meanwhile.
    "URLs are pending and have a fate": """
        SELECT count(*) FROM leads JOIN fates ON fates.key = leads.key WHERE fates.fate NOT IN ('article', 'copy')
    """,
}
