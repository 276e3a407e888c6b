"""How each source has been doing lately, against its own past.

News, what its pages yield, traffic, blind times.

Fixed statements over an open `Database`; plain values out. All go by source or by time
through an index.
"""

from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.model import BlindPeriod, PageYield, SourceTraffic, from_text, to_text
from storage.tables.visits import column_to_time

# Reasons of a rejection that mean: the page was there and no text came of it.
NO_TEXT_REASONS = ("empty", "short", "script_only", "unreadable", "paywalled")


def list_news_times(db: Database, since: datetime) -> dict[str, list[datetime]]:
    """For each source in use, when its visits showed something that was new, in order."""
    rows = db.execute(
        """
        SELECT s.id, p.ended_at FROM sources AS s CROSS JOIN polls AS p ON p.source = s.id
        WHERE s.enabled AND p.ended_at >= ? AND p.found > p.known ORDER BY p.id
        """,
        [to_text(since)],
    )
    times: dict[str, list[datetime]] = {}
    for row in rows:
        times.setdefault(row[0], []).append(from_text(row[1]))
    return times


def measure_page_yields(
    db: Database, since: datetime, until: datetime
) -> dict[str, PageYield]:
    """What the pages of each source in use yielded."""
    span = {"since": to_text(since), "until": to_text(until)}
    kept = db.execute(
        """
        SELECT s.id, count(*), sum(d.published_at IS NOT NULL), sum(d.authors <> '[]')
        FROM sources AS s CROSS JOIN documents AS d ON d.source = s.id AND d.first_seen_at >= :since
            AND d.first_seen_at < :until WHERE s.enabled AND NOT d.from_feed GROUP BY s.id
        """,
        span,
    )
    found = {
        row[0]: PageYield(pages=row[1], texts=row[1], dated=row[2], signed=row[3])
        for row in kept
    }
    barren = db.execute(
        f"""
        SELECT source, count(*) FROM rejections INDEXED BY rejections_by_time
        WHERE at >= :since AND at < :until AND why IN {NO_TEXT_REASONS} GROUP BY source
        """,  # noqa: S608 - a constant
        span,
    )
    for source, pages in barren:
        had = found.get(source, PageYield())
        found[source] = PageYield(
            pages=had.pages + pages, texts=had.texts, dated=had.dated, signed=had.signed
        )
    return found


def find_page_without(
    db: Database, source: str, what: str = "text"
) -> dict[str, Any] | None:
    """The newest page of a source that yielded no text, or a text without `dates` or `authors`.

    Keys: `url`, `title`, `why`, `at`, `article_id` (of a text), `capture_id`, and where its response rests: `file`,
    `offset`. Pages whose response is kept come first.
    """
    row = db.execute(_PAGE_SQL.format(_WITHOUT[what]), [source]).fetchone()
    return None if row is None else dict(row)


_PAGE_SQL = "SELECT page.*, c.file, c.offset FROM ({}) AS page LEFT JOIN captures AS c ON c.id = page.capture_id"
_PAGE_WITHOUT_TEXT_SQL = f"""
SELECT url, title, why, at, NULL AS article_id, capture_id FROM rejections WHERE source = ? AND why IN {NO_TEXT_REASONS}
ORDER BY capture_id IS NULL, at DESC LIMIT 1"""  # noqa: S608 - a constant
_TEXT_WITHOUT_SQL = """
SELECT url, title, '{0}' AS why, first_seen_at AS at, article_id, capture_id FROM documents
WHERE source = ? AND {1} AND NOT from_feed ORDER BY capture_id IS NULL, first_seen_at DESC LIMIT 1"""
_WITHOUT = {
    "text": _PAGE_WITHOUT_TEXT_SQL,
    "dates": _TEXT_WITHOUT_SQL.format("no date", "published_at IS NULL"),
    "authors": _TEXT_WITHOUT_SQL.format("no author", "authors = '[]'"),
}


def measure_traffic(db: Database, since: datetime) -> dict[str, SourceTraffic]:
    """Requests and bytes of each source in use.

    Its visits, and the pages that they led to.
    """
    rows = db.execute(
        """
        SELECT id, sum(requests), sum(bytes) FROM (
            SELECT s.id, sum(p.visits) AS requests, sum(p.bytes) AS bytes
            FROM sources AS s CROSS JOIN polls AS p ON p.source = s.id
            WHERE s.enabled AND p.ended_at >= :since GROUP BY s.id
            UNION ALL SELECT s.id, count(*), sum(coalesce(c.length, 0))
            FROM sources AS s CROSS JOIN documents AS d ON d.source = s.id AND d.first_seen_at >= :since
            LEFT JOIN captures AS c ON c.id = d.capture_id WHERE s.enabled AND NOT d.from_feed GROUP BY s.id
            UNION ALL SELECT r.source, count(*), sum(coalesce(c.length, 0))
            FROM rejections AS r INDEXED BY rejections_by_time LEFT JOIN captures AS c ON c.id = r.capture_id
            WHERE r.at >= :since GROUP BY r.source
        ) GROUP BY id
        """,
        {"since": to_text(since)},
    )
    return {row[0]: SourceTraffic(requests=row[1], bytes=row[2]) for row in rows}


def list_blind_periods(
    db: Database, since: datetime, limit: int = 20
) -> list[BlindPeriod]:
    """Times without sight that last, or ended after `since`, the newest first."""
    rows = db.execute(
        """
        SELECT source, from_at, to_at, reason FROM blind WHERE to_at IS NULL OR to_at >= ?
        ORDER BY id DESC LIMIT ?
        """,
        [to_text(since), limit],
    )
    return [
        BlindPeriod(
            source=row[0],
            from_at=from_text(row[1]),
            to_at=column_to_time(row[2]),
            reason=row[3],
        )
        for row in rows
    ]


def list_next_checks(db: Database, limit: int) -> list[tuple[str, datetime]]:
    """Which sources are looked at next, and when."""
    rows = db.execute(
        "SELECT id, next_check_at FROM sources WHERE enabled AND next_check_at IS NOT NULL "
        "ORDER BY next_check_at LIMIT ?",
        [limit],
    )
    return [(row[0], from_text(row[1])) for row in rows]


def share_of_new_documents(db: Database, since: datetime) -> float:
    """The share of all documents that came since then."""
    total = db.execute("SELECT count(*) FROM documents").fetchone()[0]
    fresh = db.execute(
        """
        SELECT count(*) FROM sources AS s CROSS JOIN documents AS d ON d.source = s.id AND d.first_seen_at >= ?
        """,
        [to_text(since)],
    ).fetchone()[0]
    return float(fresh / total) if total else 0.0
