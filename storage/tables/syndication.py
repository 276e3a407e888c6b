"""Who carried an article and who was first: `documents` beside `sources.owner`.

Whom the texts credit, and how many of several reports are independent of one another.
Functions over an open `Database`; they write nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from sqlite_utils import Database

from storage.model import SyndicatedReport, Syndication
from storage.tables.columns import Row
from storage.tables.copy_index import row_time

_REPORTS_SQL = """
SELECT d.id, d.article_id, d.url, d.source, coalesce(s.owner, '') AS owner, d.title,
    d.published_at, d.first_seen_at, coalesce(d.kind, 'head') AS kind,
    coalesce(d.score, 1.0) AS score, d.credit, d.origin_url
FROM documents AS d LEFT JOIN sources AS s ON s.id = d.source
WHERE d.article_id = :id
UNION ALL
SELECT d.id, d.article_id, d.url, d.source, coalesce(s.owner, ''), d.title,
    d.published_at, d.first_seen_at, 'probable', p.score, d.credit, d.origin_url
FROM (
    SELECT of_article_id AS other, score FROM probable_copies WHERE article_id = :id
    UNION
    SELECT article_id, score FROM probable_copies WHERE of_article_id = :id
) AS p
JOIN documents AS d ON d.article_id = p.other AND d.is_head = 1
LEFT JOIN sources AS s ON s.id = d.source
"""


def list_syndication(db: Database, article_id: int) -> Syndication:
    """The reports of an article and of its probable copies, the first one first.

    None without such an article.
    """
    rows = db.execute(_REPORTS_SQL, {"id": article_id}).fetchall()
    reports = [_row_to_report(row) for row in rows]
    own = [report for report in reports if report.kind != "probable"]
    credited = Counter(report.credit for report in own if report.credit)
    wire = None
    if credited:
        wire = credited.most_common(1)[0][0]
    return Syndication(
        reports=tuple(sorted(reports, key=lambda one: (one.at, one.document_id))),
        wire=wire,
        publishers=len({report.owner or report.source for report in own}),
    )


def _row_to_report(row: Row) -> SyndicatedReport:
    return SyndicatedReport(
        document_id=row["id"],
        article_id=row["article_id"],
        url=row["url"],
        source=row["source"],
        owner=row["owner"],
        title=row["title"],
        at=row_time(row),
        is_dated=row["published_at"] is not None,
        kind=row["kind"],
        score=row["score"],
        credit=row["credit"],
        origin_url=row["origin_url"],
    )


def count_independent(db: Database, article_ids: Iterable[int]) -> int:
    """How many independent reports these articles are.

    Copies, probable copies and one owner do not count twice.
    """
    ids = json.dumps(sorted(set(article_ids)))
    heads = db.execute(
        """
        SELECT d.article_id, d.source, coalesce(s.owner, '') AS owner
        FROM documents AS d LEFT JOIN sources AS s ON s.id = d.source
        WHERE d.is_head = 1 AND d.article_id IN (SELECT value FROM json_each(?))
        """,
        [ids],
    ).fetchall()
    links = db.execute(
        """
        WITH wanted AS (SELECT value AS id FROM json_each(?))
        SELECT article_id, of_article_id FROM probable_copies
        WHERE article_id IN (SELECT id FROM wanted)
            AND of_article_id IN (SELECT id FROM wanted)
        """,
        [ids],
    ).fetchall()
    return count_independent_groups(
        {row["article_id"]: row["source"] for row in heads},
        [(row["article_id"], row["of_article_id"]) for row in links],
        {row["source"]: row["owner"] for row in heads if row["owner"]},
    )


def count_independent_groups(
    articles: Mapping[int, str],
    links: Iterable[tuple[int, int]],
    owners: Mapping[str, str],
) -> int:
    """How many independent reports a set of articles is.

    `articles` gives the source of each article's head (its copies count with it),
    `links` the probable copies, `owners` the owner of a source. Linked articles and
    those of one source or owner are one group. Pure.
    """
    # Each article points towards another one of its group; the last one is its root.
    parent = {article: article for article in articles}

    def root(article: int) -> int:
        while parent[article] != article:
            parent[article] = parent[parent[article]]
            article = parent[article]
        return article

    first_of_publisher: dict[str, int] = {}
    for article, source in articles.items():
        publisher = owners.get(source) or source
        first = first_of_publisher.setdefault(publisher, article)
        parent[root(article)] = root(first)
    for one, other in links:
        if one in parent and other in parent:
            parent[root(one)] = root(other)
    return len({root(article) for article in parent})
