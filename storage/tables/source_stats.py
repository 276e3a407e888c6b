"""How each source has been doing lately, against its own past.

News, what its pages yield, traffic: from `polls`, `documents` and `rejections`. All go
by source or by time through an index. Functions over an open `Database`; they write
nothing.
"""

from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.model import PageYield, SourceTraffic, from_text, to_text

# CROSS JOIN keeps SQLite to this order of tables: a range of an index for each source in
# use. Left to itself it may read all polls or documents of years.

# Reasons of a rejection that mean: the page was there and no text came of it.
NO_TEXT_REASONS = ("empty", "short", "script_only", "unreadable", "paywalled")


def list_news_times(db: Database, since: datetime) -> dict[str, list[datetime]]:
    """For each source in use, when its polls showed something new, in order."""
    rows = db.execute(
        """
        SELECT s.id, p.ended_at
        FROM sources AS s CROSS JOIN polls AS p ON p.source = s.id
        WHERE s.enabled AND p.ended_at >= ? AND p.found > p.known ORDER BY p.id
        """,
        [to_text(since)],
    )
    times: dict[str, list[datetime]] = {}
    for row in rows:
        times.setdefault(row["id"], []).append(from_text(row["ended_at"]))
    return times


def measure_page_yields(
    db: Database, since: datetime, until: datetime
) -> dict[str, PageYield]:
    """What the pages of each source in use yielded.

    Also of sources that are not in use any more, if all their pages were without text.
    """
    span = {"since": to_text(since), "until": to_text(until)}
    without_text = db.execute(
        f"""
        SELECT source, count(*) AS pages
        FROM rejections INDEXED BY rejections_by_time
        WHERE at >= :since AND at < :until AND why IN {NO_TEXT_REASONS} GROUP BY source
        """,  # noqa: S608 - a constant
        span,
    )
    yields = {
        row["source"]: PageYield(pages=row["pages"]) for row in without_text.fetchall()
    }
    with_text = db.execute(
        """
        SELECT s.id, count(*) AS texts, sum(d.published_at IS NOT NULL) AS dated,
            sum(d.authors <> '[]') AS signed
        FROM sources AS s
        CROSS JOIN documents AS d ON d.source = s.id
            AND d.first_seen_at >= :since AND d.first_seen_at < :until
        WHERE s.enabled AND NOT d.from_feed GROUP BY s.id
        """,
        span,
    )
    for row in with_text:
        pages = row["texts"]
        if row["id"] in yields:
            pages += yields[row["id"]].pages
        yields[row["id"]] = PageYield(
            pages=pages, texts=row["texts"], dated=row["dated"], signed=row["signed"]
        )
    return yields


_PAGE_SQL = """
SELECT page.*, c.file, c.offset FROM ({page}) AS page
LEFT JOIN captures AS c ON c.id = page.capture_id
"""
_PAGE_WITHOUT_TEXT_SQL = f"""
SELECT url, title, why, at, NULL AS article_id, capture_id FROM rejections
WHERE source = ? AND why IN {NO_TEXT_REASONS}
ORDER BY capture_id IS NULL, at DESC LIMIT 1
"""  # noqa: S608 - a constant
_TEXT_WITHOUT_SQL = """
SELECT url, title, '{why}' AS why, first_seen_at AS at, article_id, capture_id
FROM documents WHERE source = ? AND {condition} AND NOT from_feed
ORDER BY capture_id IS NULL, first_seen_at DESC LIMIT 1
"""
_PAGES_WITHOUT = {
    "text": _PAGE_WITHOUT_TEXT_SQL,
    "dates": _TEXT_WITHOUT_SQL.format(why="no date", condition="published_at IS NULL"),
    "authors": _TEXT_WITHOUT_SQL.format(why="no author", condition="authors = '[]'"),
}


def find_page_without(
    db: Database, source: str, what: str = "text"
) -> dict[str, Any] | None:
    """The newest page of a source without `text`, or a text without `dates`, `authors`.

    Keys: `url`, `title`, `why`, `at`, `article_id` (of a text), `capture_id`, and where
    its response is stored: `file`, `offset`. Pages whose response is kept come first.
    """
    statement = _PAGE_SQL.format(page=_PAGES_WITHOUT[what])
    row = db.execute(statement, [source]).fetchone()
    return None if row is None else dict(row)


def measure_traffic(db: Database, since: datetime) -> dict[str, SourceTraffic]:
    """Requests and bytes of each source in use: its polls and the pages they led to."""
    rows = db.execute(
        """
        SELECT id, sum(requests) AS requests, sum(bytes) AS bytes FROM (
            SELECT s.id, sum(p.visits) AS requests, sum(p.bytes) AS bytes
            FROM sources AS s CROSS JOIN polls AS p ON p.source = s.id
            WHERE s.enabled AND p.ended_at >= :since GROUP BY s.id
            UNION ALL
            SELECT s.id, count(*), sum(coalesce(c.length, 0))
            FROM sources AS s
            CROSS JOIN documents AS d
                ON d.source = s.id AND d.first_seen_at >= :since
            LEFT JOIN captures AS c ON c.id = d.capture_id
            WHERE s.enabled AND NOT d.from_feed GROUP BY s.id
            UNION ALL
            SELECT r.source, count(*), sum(coalesce(c.length, 0))
            FROM rejections AS r INDEXED BY rejections_by_time
            LEFT JOIN captures AS c ON c.id = r.capture_id
            WHERE r.at >= :since GROUP BY r.source
        ) GROUP BY id
        """,
        {"since": to_text(since)},
    )
    return {
        row["id"]: SourceTraffic(requests=row["requests"], bytes=row["bytes"])
        for row in rows
    }


def list_next_checks(db: Database, limit: int) -> list[tuple[str, datetime]]:
    """Which sources are polled next, and when."""
    rows = db.execute(
        """
        SELECT id, next_check_at FROM sources
        WHERE enabled AND next_check_at IS NOT NULL ORDER BY next_check_at LIMIT ?
        """,
        [limit],
    )
    return [(row["id"], from_text(row["next_check_at"])) for row in rows]


def count_overdue(db: Database, before: datetime) -> int:
    """How many sources in use should have been polled before this time."""
    row = db.execute(
        "SELECT count(*) FROM sources WHERE enabled AND next_check_at < ?",
        [to_text(before)],
    ).fetchone()
    return int(row[0])


def share_of_new_documents(db: Database, since: datetime) -> float:
    """The share of all documents that came since then, 0 to 1."""
    row = db.execute(
        """
        SELECT (SELECT count(*) FROM documents) AS total, (
            SELECT count(*) FROM sources AS s
            CROSS JOIN documents AS d ON d.source = s.id AND d.first_seen_at >= ?
        ) AS fresh
        """,
        [to_text(since)],
    ).fetchone()
    if not row["total"]:
        return 0.0
    return float(row["fresh"] / row["total"])
