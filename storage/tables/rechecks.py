"""When kept pages are asked for again, and with which validators: the table `looks`.

A row stands as long as there is a recheck to come. Claiming one moves its time by a
lease, so that a recheck that was cut off is made again later.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

from datetime import datetime, timedelta

from sqlite_utils import Database

from storage.folding import printable
from storage.model import Recheck, RecheckPlan, Validators, from_text, to_text
from storage.tables.columns import Row, column_to_time, text_to_column


def plan_recheck(db: Database, document_id: int, url: str, plan: RecheckPlan) -> None:
    """Remember that a page, asked for at this address, is to be rechecked."""
    db.execute(
        """
        INSERT OR REPLACE INTO looks (document_id, due_at, url, etag, last_modified)
        VALUES (?, ?, ?, ?, ?)
        """,
        [
            document_id,
            to_text(plan.due_at),
            printable(url),
            text_to_column(plan.validators.etag),
            text_to_column(plan.validators.last_modified),
        ],
    )


def is_any_recheck_due(db: Database, now: datetime) -> bool:
    """Whether `claim_rechecks` may find anything."""
    found = db.execute(
        "SELECT EXISTS (SELECT 1 FROM looks WHERE due_at <= ?)", [to_text(now)]
    ).fetchone()
    return bool(found[0])


def claim_rechecks(
    db: Database, now: datetime, *, limit: int, lease: timedelta
) -> list[Recheck]:
    """Rechecks that are due, the longest due first.

    Of pages that head their article, for a copy changes nothing there.
    """
    # The lease is the due time itself: a kill in the middle needs no cleaning up.
    rows = db.execute(
        """
        UPDATE looks SET due_at = :until WHERE document_id IN (
            SELECT document_id FROM looks
            JOIN documents AS d ON d.id = looks.document_id
            WHERE due_at <= :now AND d.is_head ORDER BY due_at LIMIT :limit
        ) RETURNING *
        """,
        {"now": to_text(now), "until": to_text(now + lease), "limit": limit},
    ).fetchall()
    return [_row_to_recheck(db, row) for row in rows]


def finish_recheck(
    db: Database, recheck: Recheck, now: datetime, *, plan: RecheckPlan | None
) -> None:
    """A page was rechecked; the next time is due by the plan, or there is none."""
    db.execute(
        "UPDATE documents SET checked_at = ? WHERE id = ?",
        [to_text(now), recheck.document_id],
    )
    if plan is None:
        db.execute("DELETE FROM looks WHERE document_id = ?", [recheck.document_id])
        return
    db.execute(
        """
        UPDATE looks SET due_at = ?, etag = ?, last_modified = ?
        WHERE document_id = ?
        """,
        [
            to_text(plan.due_at),
            text_to_column(plan.validators.etag),
            text_to_column(plan.validators.last_modified),
            recheck.document_id,
        ],
    )


def _row_to_recheck(db: Database, row: Row) -> Recheck:
    document = db.execute(
        """
        SELECT source, via, published_at, published_how, first_seen_at
        FROM documents WHERE id = ?
        """,
        [row["document_id"]],
    ).fetchone()
    # A date that the feed gave is given again: the page's own may say otherwise.
    feed_published_at = None
    if document["published_how"] == "feed":
        feed_published_at = column_to_time(document["published_at"])
    return Recheck(
        document_id=row["document_id"],
        url=row["url"],
        source=document["source"],
        via=document["via"],
        feed_published_at=feed_published_at,
        first_seen_at=from_text(document["first_seen_at"]),
        validators=Validators(etag=row["etag"], last_modified=row["last_modified"]),
    )
