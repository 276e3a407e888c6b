"""What became of URLs: the table `fates`, and the leads that end with a fate.

Invariant, checked by `integrity` and by `khabar status`: a URL is a pending lead or has
exactly one fate, and every lead that ends is counted in the poll that showed it, so
that for each poll found = known + new + revised + copies + rejected + refused + too_old
+ failed + pending.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from storage.folding import printable
from storage.model import FateKind, Landing, to_text
from storage.tables.columns import Row, stored_key, stored_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """A fate to be written."""

    kind: FateKind
    reason: str = ""
    detail: str = ""
    document_id: int | None = None


def find_fate(db: Database, key: str) -> Row | None:
    """The row of `fates` of a key; None where it is pending or was never seen."""
    row: Row | None = db.execute("SELECT * FROM fates WHERE key = ?", [key]).fetchone()
    return row


def is_forgotten(db: Database, urls: Iterable[str]) -> bool:
    """Whether one of these URLs was erased, so that it is never to be read again."""
    found = db.execute(
        """
        SELECT 1 FROM json_each(?) AS j
        JOIN fates ON fates.key = j.value AND fates.fate = 'forgotten'
        """,
        [json.dumps([stored_key(url) for url in urls])],
    )
    return found.fetchone() is not None


def settle_fate(
    db: Database,
    landing: Landing,
    fate: Fate,
    now: datetime,
    *,
    column: str,
    document_url: str | None = None,
    with_aliases: bool = True,
) -> None:
    """Write a fate for the URL of a landing, for its document's own and for aliases.

    All leads to these URLs end; the landing's own counts in this column of its poll.
    """
    own = {stored_key(landing.url): landing.url}
    if document_url is not None:
        own[stored_key(document_url)] = document_url
    urls = dict(own)
    if with_aliases:
        for alias in landing.aliases:
            urls.setdefault(stored_key(alias), alias)
    ended = end_leads(db, urls, landing, column=column)

    for key, url in {**urls, **ended}.items():
        # A URL that has a text of its own keeps that, even if it leads elsewhere today.
        db.execute(
            """
            INSERT INTO fates (key, url, source, fate, reason, detail, document_id, at)
            VALUES (:key, :url, :source, :fate, :reason, :detail, :document_id, :at)
            ON CONFLICT (key) DO UPDATE SET
                source = excluded.source, fate = excluded.fate,
                reason = excluded.reason, detail = excluded.detail,
                document_id = excluded.document_id, at = excluded.at
            WHERE (
                :replace OR excluded.document_id IS NOT NULL
                AND fates.document_id IS NULL AND fates.fate <> 'forgotten'
            )
            AND NOT EXISTS (
                SELECT 1 FROM documents AS d
                WHERE d.key = fates.key AND d.id IS NOT excluded.document_id
            )
            """,
            {
                "key": key,
                "url": stored_url(url),
                "source": landing.source,
                "fate": fate.kind,
                "reason": printable(fate.reason),
                "detail": printable(fate.detail),
                "document_id": fate.document_id,
                "at": to_text(now),
                "replace": int(key in own),
            },
        )


def keep_fate(db: Database, landing: Landing, key: str) -> None:
    """End the leads to a key whose fate stays, and give their other URLs this fate."""
    others = end_leads(db, [key], landing, column="known")
    db.conn.executemany(
        """
        INSERT INTO fates (key, url, source, fate, reason, detail, document_id, at)
        SELECT ?, ?, source, fate, reason, detail, document_id, at FROM fates
        WHERE key = ? ON CONFLICT DO NOTHING
        """,
        [(other, url, key) for other, url in others.items()],
    )


def end_leads(
    db: Database, keys: Iterable[str], landing: Landing, *, column: str
) -> Mapping[str, str]:
    """Delete the leads to these keys and count them in their polls.

    The landing's own lead counts in `column`; further ones that led to the same place
    count as known. Returns the URLs of all these leads and of their aliases by key.
    """
    own_id = landing.lead.id if landing.lead is not None else 0
    own_key = stored_key(landing.url)
    rows = db.execute(
        """
        SELECT id, key, url, poll_id FROM leads
        WHERE id = ? OR key IN (SELECT value FROM json_each(?))
        """,
        [own_id, json.dumps(list(keys))],
    ).fetchall()
    urls: dict[str, str] = {}
    # The landing's own lead first, then the one of its URL: the first one counts in
    # `column`, and one landing is one article whatever led to it.
    for row in sorted(
        rows, key=lambda row: (row["id"] != own_id, row["key"] != own_key)
    ):
        aliases = db.execute(
            "SELECT key, url FROM aliases WHERE lead_id = ?", [row["id"]]
        )
        urls.update(aliases.fetchall())
        urls[row["key"]] = row["url"]
        db.execute("DELETE FROM leads WHERE id = ?", [row["id"]])
        count_ended_lead(db, row["poll_id"], column)
        column = "known"
    return urls


def count_ended_lead(db: Database, poll_id: int | None, column: str) -> None:
    """Count a lead of a poll that is pending no longer; no poll may have shown it."""
    if poll_id is None:
        return
    db.execute(
        f"UPDATE polls SET pending = pending - 1, {column} = {column} + 1 WHERE id = ?",  # noqa: S608 - one of our columns
        [poll_id],
    )


def list_read_urls(db: Database, source: str, limit: int) -> list[str]:
    """URLs of pages of a source that were read or found too old, in any order."""
    rows = db.execute(
        """
        SELECT url FROM fates WHERE source = ?
        AND fate IN ('article', 'copy', 'rejected', 'too_old') LIMIT ?
        """,
        [source, limit],
    )
    return [row["url"] for row in rows]
