"""Who carried an article, who was first, whom they name as the source, and how many reports are independent."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlite_utils import Database

from storage.model import SyndicatedReport, Syndication, from_text
from storage.tables import copies

_REPORTS_SQL = """
SELECT d.id, d.article_id, d.url, d.source, coalesce(s.owner, '') AS owner, d.title, d.published_at, d.first_seen_at,
    coalesce(d.kind, 'head') AS kind, coalesce(d.score, 1.0) AS score, d.credit, d.origin_url
FROM documents AS d LEFT JOIN sources AS s ON s.id = d.source WHERE d.article_id = :id
UNION ALL
SELECT d.id, d.article_id, d.url, d.source, coalesce(s.owner, ''), d.title, d.published_at, d.first_seen_at,
    'probable', p.score, d.credit, d.origin_url
FROM (
    SELECT of_article_id AS other, score FROM probable_copies WHERE article_id = :id
    UNION SELECT article_id, score FROM probable_copies WHERE of_article_id = :id
) AS p JOIN documents AS d ON d.article_id = p.other AND d.is_head = 1 LEFT JOIN sources AS s ON s.id = d.source
"""


def list_syndication(db: Database, article_id: int) -> Syndication:
    """The carriers of an article and of its probable copies, the first one first.

    None without such an article.
    """
    found = [
        _row_to_report(row)
        for row in db.execute(_REPORTS_SQL, {"id": article_id}).fetchall()
    ]
    own = [carrier for carrier in found if carrier.kind != "probable"]
    credited = Counter(carrier.credit for carrier in own if carrier.credit)
    return Syndication(
        reports=tuple(
            sorted(found, key=lambda carrier: (carrier.at, carrier.document_id))
        ),
        wire=credited.most_common(1)[0][0] if credited else None,
        publishers=len({carrier.owner or carrier.source for carrier in own}),
    )


def _row_to_report(row: Any) -> SyndicatedReport:
    names = (
        "article_id",
        "url",
        "source",
        "owner",
        "title",
        "kind",
        "score",
        "credit",
        "origin_url",
    )
    return SyndicatedReport(
        document_id=row["id"],
        at=from_text(row["published_at"] or row["first_seen_at"]),
        is_dated=row["published_at"] is not None,
        **{name: row[name] for name in names},
    )


def count_independent(db: Database, article_ids: Iterable[int]) -> int:
    """How many independent reports these articles are.

    Copies, probable copies and one owner do not count twice.
    """
    ids = json.dumps(sorted(set(article_ids)))
    heads = db.execute(
        """
        SELECT d.article_id, d.source, coalesce(s.owner, '') AS owner FROM documents AS d
        LEFT JOIN sources AS s ON s.id = d.source
        WHERE d.is_head = 1 AND d.article_id IN (SELECT value FROM json_each(?))
        """,
        [ids],
    ).fetchall()
    links = db.execute(
        """
        SELECT article_id, of_article_id FROM probable_copies
        WHERE article_id IN (SELECT value FROM json_each(:ids)) AND of_article_id IN (SELECT value FROM json_each(:ids))
        """,
        {"ids": ids},
    ).fetchall()
    return copies.count_independent_groups(
        {row["article_id"]: row["source"] for row in heads},
        [(row[0], row[1]) for row in links],
        {row["source"]: row["owner"] for row in heads if row["owner"]},
    )
