"""What leaves the file: texts that must be forgotten, and rows that are past their age.

Forgetting erases a text wherever it is stored: documents, full text, revisions, mentions,
what people said of it, and its captures. A tombstone stays in `fates`, so that none of
its URLs is ever read again, and a row in `changes`, so that followers erase it too.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage import text_likeness
from storage.model import ChangeKind, Document, to_text
from storage.tables import captures, documents, fates, heads
from storage.tables.columns import stored_key, stored_url

# Old items come back (rules: case 81 wants a year at least).
ENTRIES_MAX_AGE = timedelta(days=400)
# Below this many words a text says too little to be known by.
MIN_REMEMBERED_WORDS = 20
# A line that stood in one article only is soon just text.
LINES_MAX_AGE = timedelta(days=180)
# A source is judged by its own year.
POLLS_MAX_AGE = timedelta(days=400)
JOBS_MAX_AGE = timedelta(days=30)


def list_article_documents(db: Database, named: str | int) -> list[int]:
    """All documents of the article that a URL or a number names.

    Its copies carry the same text.
    """
    named_document = documents.find_document(db, named, head_first=True)
    if named_document is None:
        return []
    rows = db.execute(
        "SELECT id FROM documents WHERE article_id = ?", [named_document["article_id"]]
    )
    return [row["id"] for row in rows]


def list_source_documents(db: Database, source: str) -> list[int]:
    """All documents of a source.

    Copies that other sources carried stay, and one of them becomes the head.
    """
    rows = db.execute("SELECT id FROM documents WHERE source = ?", [source])
    return [row["id"] for row in rows]


def forget_documents(
    db: Database, document_ids: Iterable[int], now: datetime
) -> list[int]:
    """Erase texts, index, mentions and revisions; tombstones stay.

    Returns the captures that must go as well.
    """
    ids = list(document_ids)
    capture_ids = captures.list_captures_of(db, ids)
    _remember_texts(db, ids, now)
    _blank_change_details(db, ids)
    for number in ids:
        # The guid stays, so that the entry is known; its title is part of the text.
        db.execute(
            """
            UPDATE entries SET title = ''
            WHERE key IN (SELECT key FROM fates WHERE document_id = ?)
            """,
            [number],
        )
        forget_annotations(db, number)
        db.execute(
            """
            UPDATE fates SET fate = 'forgotten', reason = '', detail = '', at = ?
            WHERE document_id = ?
            """,
            [to_text(now), number],
        )
        heads.remove_document(db, number, now, ChangeKind.FORGOTTEN)
    return capture_ids


def _remember_texts(db: Database, ids: Iterable[int], now: datetime) -> None:
    """Keep a hash of each text, by which a reprint is known.

    No word can be read from it. Texts of a few words are left out: the next page that
    says "Please wait" is not this one.
    """
    db.execute(
        """
        INSERT INTO forgotten_texts (text_hash, at)
        SELECT text_hash, ? FROM documents
        WHERE id IN (SELECT value FROM json_each(?)) AND words >= ?
        ON CONFLICT DO NOTHING
        """,
        [to_text(now), json.dumps(list(ids)), MIN_REMEMBERED_WORDS],
    )


def is_forgotten_text(db: Database, document: Document) -> bool:
    """Whether these very words were erased, at whatever address."""
    if db.execute("SELECT 1 FROM forgotten_texts LIMIT 1").fetchone() is None:
        return False
    text_hash = text_likeness.text_hash(document.text)
    row = db.execute(
        "SELECT 1 FROM forgotten_texts WHERE text_hash = ?", [text_hash]
    ).fetchone()
    return row is not None


def _blank_change_details(db: Database, ids: Iterable[int]) -> None:
    """Empty what changes say of these texts: a tag is a person's words of them."""
    db.execute(
        """
        UPDATE changes SET detail = ''
        WHERE detail <> '' AND (
            document_id IN (SELECT value FROM json_each(:ids))
            OR article_id IN (
                SELECT article_id FROM documents
                WHERE id IN (SELECT value FROM json_each(:ids)) AND is_head
            )
        )
        """,
        {"ids": json.dumps(list(ids))},
    )


def forget_jobs(db: Database) -> None:
    """Empty what answered jobs asked and said: marks name tags, imports name lines.

    Whoever asked has the answer; the service answers within a second.
    """
    db.execute(
        """
        UPDATE requests SET arguments = '{}', progress = NULL, result = '{}'
        WHERE status IN ('done', 'failed')
        """
    )


def describe_documents(db: Database, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Number, URL, source and title of these documents."""
    rows = db.execute(
        """
        SELECT id, url, source, title FROM documents
        WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id
        """,
        [json.dumps(list(ids))],
    )
    return [dict(row) for row in rows]


def forget_url(db: Database, url: str, now: datetime) -> list[int]:
    """Make a tombstone for a URL that has no text here, so that it is never read again.

    Returns the captures of its rejection.
    """
    key = stored_key(url)
    rejected = db.execute(
        "DELETE FROM rejections WHERE key = ? RETURNING capture_id", [key]
    ).fetchall()
    pending = db.execute(
        "DELETE FROM leads WHERE key = ? RETURNING poll_id", [key]
    ).fetchall()
    for row in pending:
        fates.count_ended_lead(db, row["poll_id"], "refused")
    db.execute(
        """
        INSERT INTO fates (key, url, source, fate, at) VALUES (?, ?, '', 'forgotten', ?)
        ON CONFLICT (key) DO UPDATE SET
            fate = 'forgotten', reason = '', detail = '', at = excluded.at
        """,
        [key, stored_url(url), to_text(now)],
    )
    # What feeds said of it, and every response that was ever kept of it.
    db.execute("UPDATE entries SET title = '' WHERE key = ?", [key])
    kept = db.execute("SELECT id FROM captures WHERE url = ?", [stored_url(url)])
    numbers = {row["id"] for row in kept}
    numbers |= {row["capture_id"] for row in rejected}
    return sorted(number for number in numbers if number is not None)


def forget_annotations(db: Database, named: str | int) -> None:
    """Erase what people said of a text, for it holds the text.

    By URL, or by the number that the document has or had.
    """
    if isinstance(named, str):
        db.execute("DELETE FROM marks WHERE key = ?", [stored_key(named)])
        return
    db.execute(
        """
        DELETE FROM marks WHERE key IN (
            SELECT key FROM documents WHERE id = :number
            UNION SELECT key FROM marks WHERE document_id = :number
        )
        """,
        {"number": named},
    )


def forget_rejections(db: Database, source: str) -> list[int]:
    """Erase a source's rejected pages and what people said of its texts.

    Their fates stay. Returns the captures of the pages.
    """
    db.execute("DELETE FROM marks WHERE document ->> 'source' = ?", [source])
    rows = db.execute(
        "DELETE FROM rejections WHERE source = ? RETURNING capture_id", [source]
    ).fetchall()
    return [row["capture_id"] for row in rows if row["capture_id"] is not None]


def expire_rows(db: Database, now: datetime, *, rejected: timedelta) -> None:
    """Drop what is past its age; `rejected` is that of rows of `rejections`.

    Entries, lines met in one article only, rejections, polls, answered jobs, waits.
    """
    expired = (
        ("entries", "last_seen_at < ?", ENTRIES_MAX_AGE),
        (
            "host_lines",
            "second_in IS NULL AND NOT spared AND seen_at < ?",
            LINES_MAX_AGE,
        ),
        ("rejections", "at < ?", rejected),
        ("polls", "ended_at < ? AND pending = 0", POLLS_MAX_AGE),
        ("requests", "ended_at < ?", JOBS_MAX_AGE),
        ("host_waits", "until < ?", timedelta()),
    )
    for table, condition, max_age in expired:
        db.execute(f"DELETE FROM {table} WHERE {condition}", [to_text(now - max_age)])  # noqa: S608 - fixed texts
