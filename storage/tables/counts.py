"""How much of everything there is, in all and by source. Times as stored.

Functions over an open `Database`; they write nothing.
"""

from typing import Any

from sqlite_utils import Database


def count_everything(db: Database) -> dict[str, Any]:
    """Totals of the file.

    Keys: `articles`, `copies`, `pending` leads and `oldest_pending_at`, `fates` by kind
    and `reasons` by kind and reason, `last_article_at`, the `cursor` of the newest
    change, `sources` in use.
    """
    reasons: dict[str, dict[str, int]] = {}
    fates: dict[str, int] = {}
    rows = db.execute(
        """
        SELECT fate, reason, count(*) AS n FROM fates GROUP BY fate, reason
        ORDER BY n DESC
        """
    )
    for row in rows:
        reasons.setdefault(row["fate"], {})[row["reason"]] = row["n"]
        fates[row["fate"]] = fates.get(row["fate"], 0) + row["n"]
    # Each is answered from an index, or by counting one.
    totals = db.execute(
        """
        SELECT
            (SELECT count(*) FROM documents WHERE is_head = 1) AS articles,
            (SELECT count(*) FROM documents WHERE is_head = 0) AS copies,
            (SELECT coalesce(max(cursor), 0) FROM changes) AS cursor,
            (SELECT count(*) FROM sources WHERE enabled) AS sources
        """
    ).fetchone()
    totals = {**dict(totals), **count_queue(db)}
    return {**totals, "fates": fates, "reasons": reasons}


def count_queue(db: Database) -> dict[str, Any]:
    """How much waits, and when the newest article came.

    Keys: `pending` leads, `oldest_pending_at`, `last_article_at`. Cheap enough to be
    asked every few seconds: fates and documents, which grow for years, are not read.
    """
    row = db.execute(
        """
        SELECT
            (SELECT count(*) FROM leads) AS pending,
            (SELECT min(found_at) FROM leads) AS oldest_pending_at,
            (SELECT at FROM changes WHERE what = 'new' ORDER BY cursor DESC LIMIT 1)
                AS last_article_at
        """
    ).fetchone()
    return dict(row)


def count_by_source(db: Database) -> list[dict[str, Any]]:
    """One row for each source in use: its columns, and what it brought.

    `articles`, `copies`, `last_article_at` and `pending` are of all time; the columns
    that begin with `week_` sum up its polls of the last seven days.
    """
    rows = db.execute(
        """
        WITH recent AS (
            SELECT source, sum(visits) AS visits, sum(found) AS found, sum(new) AS new,
                sum(copies) AS copied, sum(rejected) AS rejected,
                sum(failed) AS failed, sum(bytes) AS bytes,
                sum(status = 'error') AS errors
            FROM polls
            WHERE ended_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days')
            GROUP BY source
        ), kept AS (
            SELECT source, sum(is_head) AS articles, sum(1 - is_head) AS copies,
                max(first_seen_at) AS last_article_at
            FROM documents GROUP BY source
        ), waiting AS (
            SELECT source, count(*) AS pending FROM leads GROUP BY source
        )
        SELECT s.*,
            coalesce(k.articles, 0) AS articles, coalesce(k.copies, 0) AS copies,
            k.last_article_at, coalesce(w.pending, 0) AS pending,
            coalesce(r.visits, 0) AS week_visits, coalesce(r.found, 0) AS week_found,
            coalesce(r.new, 0) AS week_new, coalesce(r.copied, 0) AS week_copies,
            coalesce(r.rejected, 0) AS week_rejected,
            coalesce(r.failed, 0) AS week_failed,
            coalesce(r.errors, 0) AS week_errors, coalesce(r.bytes, 0) AS week_bytes
        FROM sources AS s
        LEFT JOIN recent AS r ON r.source = s.id
        LEFT JOIN kept AS k ON k.source = s.id
        LEFT JOIN waiting AS w ON w.source = s.id
        WHERE s.enabled ORDER BY s.id
        """
    )
    return [dict(row) for row in rows]
