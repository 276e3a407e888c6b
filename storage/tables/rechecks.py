"""Second looks: when a kept page is asked for again, and with which validators.

Functions over an open `Database`; `Store` opens the transaction around those that
write. A look is a row with its due time as long as there is one to come. Claiming one
moves its time by a lease, so that a look that was cut off is made again later.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage.folding import printable
from storage.model import Recheck, RecheckPlan, Validators, from_text, to_text
from storage.tables.visits import column_to_time, text_to_column

ANY_RECHECK_DUE_SQL = "SELECT EXISTS (SELECT 1 FROM looks WHERE due_at <= ?)"


def plan_recheck(db: Database, document_id: int, url: str, again: RecheckPlan) -> None:
    """Remember that a page, asked for at this address, is to be looked at again."""
    db.execute(
        "INSERT OR REPLACE INTO looks (document_id, due_at, url, etag, last_modified) VALUES (?, ?, ?, ?, ?)",
        [
            document_id,
            to_text(again.due_at),
            printable(url),
            *_validators(again.validators),
        ],
    )


def is_any_recheck_due(db: Database, now: datetime) -> bool:
    """Whether `claim_rechecks` may find anything."""
    return bool(db.execute(ANY_RECHECK_DUE_SQL, [to_text(now)]).fetchone()[0])


def claim_rechecks(
    db: Database, now: datetime, *, limit: int, lease: timedelta
) -> list[Recheck]:
    """Looks that are due, the longest due first.

    Of pages that lead their article, for a copy changes nothing there.
    """
    rows = db.execute(
        """
        UPDATE looks SET due_at = :until WHERE document_id IN (
            SELECT document_id FROM looks JOIN documents AS d ON d.id = looks.document_id
            WHERE due_at <= :now AND d.is_head ORDER BY due_at LIMIT :limit
        ) RETURNING *
        """,
        {"now": to_text(now), "until": to_text(now + lease), "limit": limit},
    ).fetchall()
    return [_row_to_recheck(db, row) for row in rows]


def finish_recheck(
    db: Database, look: Recheck, now: datetime, *, plan: RecheckPlan | None
) -> None:
    """A look was made: when the next one is due, or that it was the last."""
    db.execute(
        "UPDATE documents SET checked_at = ? WHERE id = ?",
        [to_text(now), look.document_id],
    )
    if plan is None:
        db.execute("DELETE FROM looks WHERE document_id = ?", [look.document_id])
    else:
        db.execute(
            "UPDATE looks SET due_at = ?, etag = ?, last_modified = ? WHERE document_id = ?",
            [to_text(plan.due_at), *_validators(plan.validators), look.document_id],
        )


def _validators(given: Validators) -> tuple[str | None, str | None]:
    return text_to_column(given.etag), text_to_column(given.last_modified)


def _row_to_recheck(db: Database, row: Mapping[str, Any]) -> Recheck:
    known = db.execute(
        "SELECT source, via, published_at, published_how, first_seen_at FROM documents WHERE id = ?",
        [row["document_id"]],
    ).fetchone()
    return Recheck(
        document_id=row["document_id"],
        url=row["url"],
        source=known["source"],
        via=known["via"],
        feed_published_at=column_to_time(known["published_at"])
        if known["published_how"] == "feed"
        else None,
        first_seen_at=from_text(known["first_seen_at"]),
        validators=Validators(etag=row["etag"], last_modified=row["last_modified"]),
    )
