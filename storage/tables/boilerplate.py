"""Lines that a host repeats on its pages: the table `host_lines`.

A line of text is remembered by its hash with the first three distinct articles that
held it; from the third on it is the host's boilerplate, and cleaning leaves it out.
A line that a person allowed is text whatever was learned.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from storage.model import to_text

_MAX_LEARNED_LINES = 400  # of one page

_LEARN_LINE_SQL = """
INSERT INTO host_lines (host, line, first_in, seen_at) VALUES (?, ?, ?, ?)
ON CONFLICT (host, line) DO UPDATE SET
    third_in = iif(
        second_in IS NOT NULL AND excluded.first_in <> second_in,
        excluded.first_in, NULL
    ),
    second_in = coalesce(second_in, excluded.first_in),
    seen_at = excluded.seen_at
WHERE third_in IS NULL AND excluded.first_in <> first_in
"""


def learn_lines(
    db: Database, host: str, lines: Sequence[int], article_id: int, now: datetime
) -> None:
    """Remember the lines of an article by their hashes; without a host none."""
    if not host:
        return
    seen_at = to_text(now)
    # In the order of their keys: the rows of one host lie together.
    ordered = sorted(set(lines[:_MAX_LEARNED_LINES]))
    db.conn.executemany(
        _LEARN_LINE_SQL, [(host, line, article_id, seen_at) for line in ordered]
    )


def unkept_article_id(lines: Sequence[int]) -> int:
    """A negative number that stands for one text that is not kept.

    No article has it, and pages with the same lines share it: so they count once.
    """
    digest = hashlib.blake2b(repr(sorted(set(lines))).encode(), digest_size=7).digest()
    return -1 - int.from_bytes(digest, "big")


def list_learned_boilerplate(db: Database, host: str) -> frozenset[int]:
    """The hashes of lines that are known as this host's boilerplate."""
    rows = db.execute(
        """
        SELECT line FROM host_lines
        WHERE host = ? AND third_in IS NOT NULL AND NOT spared
        """,
        [host],
    )
    return frozenset(row[0] for row in rows)


def list_documents_to_clean(db: Database, since: datetime) -> list[int]:
    """Texts with a raw page that may have lines which their host has taught since.

    Those that taught a line, and those that were written meanwhile, for whoever read
    them may not have known it yet.
    """
    rows = db.execute(
        """
        WITH taught AS MATERIALIZED (
            SELECT host, first_in, second_in, third_in FROM host_lines
            WHERE third_in IS NOT NULL AND NOT spared AND seen_at >= :since
        )
        SELECT d.id FROM documents AS d JOIN (
            SELECT host, first_in AS article_id FROM taught
            UNION SELECT host, second_in FROM taught
            UNION SELECT host, third_in FROM taught
        ) AS t ON t.article_id = d.article_id AND t.host = d.host
        WHERE d.capture_id IS NOT NULL AND NOT d.from_feed
        UNION SELECT id FROM documents
        WHERE updated_at >= :since AND capture_id IS NOT NULL AND NOT from_feed
            AND host IN (SELECT host FROM taught)
        ORDER BY 1
        """,
        {"since": to_text(since)},
    )
    return [row[0] for row in rows]


def allow_line(db: Database, host: str, line: int, now: datetime) -> None:
    """Say that this line is text on this host, whatever was learned or will be."""
    db.execute(
        """
        INSERT INTO host_lines (host, line, first_in, spared, seen_at)
        VALUES (?, ?, 0, 1, ?)
        ON CONFLICT (host, line) DO UPDATE SET spared = 1
        """,
        [host, line, to_text(now)],
    )
