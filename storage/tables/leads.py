"""URLs that somebody pointed to and that have no fate yet: `leads` and `aliases`.

Invariant: a key is in `leads` or in `fates`, not in both (but for a kept page that is
read again because its entry got another title). An alias is a further URL of a lead; it
gets the lead's fate when that has one.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import json
from collections.abc import Collection
from datetime import datetime

from sqlite_utils import Database

from storage.folding import printable
from storage.model import Lead, PendingLead, from_text, to_text
from storage.tables.columns import (
    Row,
    column_to_time,
    json_to_column,
    stored_key,
    stored_url,
    text_to_column,
    time_to_column,
)


def add_lead(
    db: Database,
    lead: Lead,
    now: datetime,
    *,
    next_attempt_at: datetime | None = None,
    attempts: int = 0,
) -> PendingLead:
    """Write a lead that no poll showed."""
    return insert_lead(
        db,
        lead,
        stored_key(lead.url),
        poll_id=None,
        next_attempt_at=next_attempt_at or now,
        attempts=attempts,
    )


def insert_lead(
    db: Database,
    lead: Lead,
    key: str,
    *,
    poll_id: int | None,
    next_attempt_at: datetime,
    attempts: int = 0,
) -> PendingLead:
    """Write a lead under its key. It is requested as it was given."""
    cursor = db.execute(
        """
        INSERT INTO leads (
            key, url, asked_url, source, title, published_raw, language, summary, body,
            guid, origin, via, published_at, authors, backfill, found_at,
            next_attempt_at, attempts, poll_id
        )
        VALUES (
            :key, :url, :asked_url, :source, :title, :published_raw, :language,
            :summary, :body, :guid, :origin, :via, :published_at, :authors, :backfill,
            :found_at, :next_attempt_at, :attempts, :poll_id
        )
        """,
        {
            "key": key,
            "url": stored_url(lead.url),
            "asked_url": printable(lead.url),
            "source": text_to_column(lead.source),
            "title": text_to_column(lead.title),
            "published_raw": text_to_column(lead.published_raw),
            "language": text_to_column(lead.language),
            "summary": text_to_column(lead.summary),
            "body": text_to_column(lead.body),
            "guid": text_to_column(lead.guid),
            "origin": text_to_column(lead.origin),
            "via": text_to_column(lead.via),
            "published_at": time_to_column(lead.published_at),
            "authors": json_to_column([printable(name) for name in lead.authors]),
            "backfill": int(lead.backfill),
            "found_at": to_text(lead.found_at),
            "next_attempt_at": to_text(next_attempt_at),
            "attempts": attempts,
            "poll_id": poll_id,
        },
    )
    return PendingLead(
        id=int(cursor.lastrowid or 0), lead=lead, attempts=attempts, poll_id=poll_id
    )


def insert_alias(
    db: Database, key: str, url: str, former_key: str, now: datetime
) -> None:
    """Write a second URL of an entry, which is known under another key.

    It gets the fate of that one, or becomes an alias of its lead.
    """
    values = {
        "key": key,
        "url": stored_url(url),
        "at": to_text(now),
        "former_key": former_key,
    }
    db.execute(
        """
        INSERT INTO fates (key, url, source, fate, reason, detail, document_id, at)
        SELECT :key, :url, source, fate, reason, 'the same entry as ' || url,
            document_id, :at
        FROM fates WHERE key = :former_key ON CONFLICT DO NOTHING
        """,
        values,
    )
    db.execute(
        """
        INSERT INTO aliases (key, url, lead_id)
        SELECT :key, :url, id FROM leads WHERE key = :former_key ON CONFLICT DO NOTHING
        """,
        values,
    )


def list_pending_leads(
    db: Database,
    now: datetime,
    *,
    source: str | None,
    limit: int,
    skip: Collection[int],
) -> list[PendingLead]:
    """Leads that may be tried now, the longest waiting first.

    `skip` names those that are under way.
    """
    # As many more are read as may be skipped: a list of numbers in the statement would
    # be another statement each time.
    of_source = "AND source = :source" if source else ""
    rows = db.execute(
        f"""
        SELECT * FROM leads WHERE next_attempt_at <= :now {of_source}
        ORDER BY next_attempt_at, id LIMIT :limit
        """,  # noqa: S608 - two fixed texts
        {"now": to_text(now), "source": source, "limit": limit + len(skip)},
    )
    return [_row_to_pending_lead(row) for row in rows if row["id"] not in skip][:limit]


def _row_to_pending_lead(row: Row) -> PendingLead:
    lead = Lead(
        url=row["asked_url"],
        source=row["source"],
        title=row["title"],
        published_at=column_to_time(row["published_at"]),
        published_raw=row["published_raw"],
        authors=tuple(json.loads(row["authors"])),
        language=row["language"],
        summary=row["summary"],
        body=row["body"],
        guid=row["guid"],
        origin=row["origin"],
        via=row["via"],
        backfill=bool(row["backfill"]),
        found_at=from_text(row["found_at"]),
    )
    return PendingLead(
        id=row["id"], lead=lead, attempts=row["attempts"], poll_id=row["poll_id"]
    )
