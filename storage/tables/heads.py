"""Which document heads its article: promotion, splitting off, joining, removal.

Invariant: an article has exactly one head, and its number stays when another document
becomes it. Every change of a head writes its row of `changes`, sets the fates of the
documents concerned and brings the index of near copies up to date.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

from dataclasses import replace
from datetime import datetime

from sqlite_utils import Database

from storage import text_likeness
from storage.model import ChangeKind, FateKind, Landed
from storage.tables import copies, copy_index
from storage.tables.columns import Row
from storage.tables.documents import next_number, record_change

# Of a new head's copies so many are compared with it: one takes about a millisecond.
_MAX_COMPARED_COPIES = 50


def promote_if_original(db: Database, landed: Landed, now: datetime) -> Landed:
    """Make a copy that just landed the head of its article where it is the original."""
    document = db.execute(
        "SELECT * FROM documents WHERE id = ?", [landed.document_id]
    ).fetchone()
    head = db.execute(
        "SELECT * FROM documents WHERE article_id = ? AND is_head = 1",
        [document["article_id"]],
    ).fetchone()
    reason = copies.promotion_reason(head, document)
    if not reason:
        return landed

    # The former head is as much a copy of the new one as that was of it. It goes first,
    # for an article has one head at any time.
    _make_copy(db, head["id"], document["kind"], document["score"])
    _make_head(db, document["id"])
    article_id = head["article_id"]
    record_change(
        db,
        article_id,
        ChangeKind.PROMOTED,
        now,
        document_id=document["id"],
        detail=reason,
    )
    _split_unlike_copies(db, article_id, document, now)
    return replace(
        landed, fate=FateKind.ARTICLE, what=ChangeKind.PROMOTED, reason=reason
    )


def _make_head(db: Database, document_id: int) -> None:
    db.execute(
        "UPDATE documents SET is_head = 1, kind = NULL, score = NULL WHERE id = ?",
        [document_id],
    )
    db.execute(
        """
        UPDATE fates SET fate = 'article', reason = ''
        WHERE document_id = ? AND fate = 'copy'
        """,
        [document_id],
    )
    copy_index.add_to_index(db, document_id)


def _make_copy(db: Database, document_id: int, kind: str, score: float) -> None:
    copy_index.remove_from_index(db, document_id)
    db.execute(
        "UPDATE documents SET is_head = 0, kind = ?, score = ? WHERE id = ?",
        [kind, score, document_id],
    )
    db.execute(
        """
        UPDATE fates SET fate = 'copy', reason = ?
        WHERE document_id = ? AND fate = 'article'
        """,
        [kind, document_id],
    )
    copy_index.add_to_index(db, document_id)


def _split_unlike_copies(
    db: Database, article_id: int, head: Row, now: datetime
) -> None:
    """Split off the near copies of the former head that are none of the new one."""
    rows = db.execute(
        """
        SELECT id, text FROM documents
        WHERE article_id = ? AND is_head = 0 AND kind = 'near' ORDER BY id LIMIT ?
        """,
        [article_id, _MAX_COMPARED_COPIES],
    ).fetchall()
    for row in rows:
        if not copies.is_same_text(row["text"], head["text"]):
            split_copy(db, row["id"], now, "not a copy of the new head")


def split_copy(db: Database, document_id: int, now: datetime, detail: str = "") -> int:
    """Make a copy an article of its own, with a new number, which is returned."""
    former = db.execute(
        "SELECT article_id FROM documents WHERE id = ? AND is_head = 0", [document_id]
    ).fetchone()
    assert former is not None
    number = next_number(db)
    db.execute(
        "UPDATE documents SET article_id = ? WHERE id = ?", [number, document_id]
    )
    _make_head(db, document_id)
    record_change(
        db,
        number,
        ChangeKind.SPLIT,
        now,
        document_id=document_id,
        detail=detail or f"from {former[0]}",
    )
    return number


def join_article(
    db: Database, document_id: int, article_id: int, now: datetime, detail: str
) -> None:
    """Make a document a declared copy of an article.

    Where it headed one itself, the copies of that one come along.
    """
    row = db.execute(
        "SELECT article_id, is_head, text FROM documents WHERE id = ?", [document_id]
    ).fetchone()
    head = db.execute(
        "SELECT text FROM documents WHERE article_id = ? AND is_head = 1", [article_id]
    ).fetchone()
    former = row["article_id"]
    likeness = text_likeness.measure_likeness(
        text_likeness.profile_text(row["text"]),
        text_likeness.profile_text(head["text"]),
    )
    _make_copy(db, document_id, "declared", round(likeness.score, 4))

    if row["is_head"]:
        db.execute(
            "UPDATE documents SET article_id = ? WHERE article_id = ?",
            [article_id, former],
        )
        _delete_probable_copies(db, former)
        record_change(
            db,
            former,
            ChangeKind.RECLASSIFIED,
            now,
            detail=f"a copy of {article_id}, {detail}",
        )
    else:
        db.execute(
            "UPDATE documents SET article_id = ? WHERE id = ?",
            [article_id, document_id],
        )
    record_change(
        db,
        article_id,
        ChangeKind.COPIED,
        now,
        document_id=document_id,
        detail=f"from {former}, {detail}",
    )


def remove_document(
    db: Database, document_id: int, now: datetime, what: ChangeKind, detail: str = ""
) -> None:
    """Delete a document with all that hangs on it; one that is gone is no fault.

    Its fates are the caller's. Of a head's copies the earliest takes its place; with
    none left the article is gone.
    """
    copy_index.remove_from_index(db, document_id)
    row = db.execute(
        "DELETE FROM documents WHERE id = ? RETURNING article_id, is_head",
        [document_id],
    ).fetchone()
    if row is None:
        return
    article_id = row["article_id"]
    record_change(db, article_id, what, now, document_id=document_id, detail=detail)
    if not row["is_head"]:
        return

    next_head = db.execute(
        """
        SELECT id FROM documents WHERE article_id = ?
        ORDER BY coalesce(published_at, first_seen_at), id LIMIT 1
        """,
        [article_id],
    ).fetchone()
    if next_head is None:
        _delete_probable_copies(db, article_id)
        # Lines that were learned from this article count no longer.
        db.execute(
            """
            DELETE FROM host_lines
            WHERE first_in = :id OR second_in = :id OR third_in = :id
            """,
            {"id": article_id},
        )
        return
    _make_head(db, next_head[0])
    record_change(
        db,
        article_id,
        ChangeKind.PROMOTED,
        now,
        document_id=next_head[0],
        detail="the head left",
    )


def _delete_probable_copies(db: Database, article_id: int) -> None:
    db.execute(
        "DELETE FROM probable_copies WHERE article_id = :id OR of_article_id = :id",
        {"id": article_id},
    )
