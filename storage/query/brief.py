"""A day as a morning reader wants it.

By province: what was reported, by how many independently, who claims which numbers;
then what was corrected or withdrawn, and what could not be seen. Plain data out; reads
only.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage import revisions
from storage.model import BlindPeriod, to_text
from storage.query import plan, search
from storage.query.criteria import Criteria
from storage.tables import blind_periods, syndication
from storage.tables.admission import REREAD_DETAIL
from storage.tables.columns import Row

_MAX_EDITS = 5  # of an article
_MAX_EDIT_WORDS = 30
_CONTEXT_WORDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefArticle:
    """One article of the day. Times are ISO 8601 UTC."""

    id: int
    title: str
    source: str
    url: str
    at: str  # publication, else first sight
    language: str | None
    reports: int  # itself and its copies
    withdrawn_at: str | None
    also: tuple[str, ...]  # further provinces that it names
    # Kind, number, qualifier, said_by, sentence of each: unverified.
    claims: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefProvince:
    """The articles that name this province, or places in it, most often.

    `code` is "" for those that name none.
    """

    code: str
    name: str
    independent: int
    articles: tuple[BriefArticle, ...]  # the most carried first


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefCorrection:
    """What became of an earlier or this day's article on this day."""

    article_id: int
    at: str
    what: str  # revised, withdrawn, reclassified, split, promoted
    detail: str
    title: str | None
    former_title: str | None  # where it was another one
    # The passages that differ, before and now, with a few words around.
    edits: tuple[tuple[str, str], ...]
    source: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """Everything of a day.

    `independent` counts copies, probable copies and one owner once.
    """

    since: str
    until: str
    places: tuple[str, ...]
    reports: int
    articles: int
    independent: int
    provinces: tuple[BriefProvince, ...]
    corrected: tuple[BriefCorrection, ...]
    blind: tuple[BlindPeriod, ...]


def build_brief(
    db: Database, since: datetime, until: datetime, places: Sequence[str] = ()
) -> Brief:
    """What was published from `since` until before `until`.

    Or first seen then where no date is known. `places` narrows it to articles that name
    one of these, by code or in any spelling; a province has its districts.
    """
    criteria = Criteria(since=since, until=until, places=tuple(places))
    by_province = _load_by_province(db, criteria)
    articles: list[BriefArticle] = []
    for group in by_province.values():
        articles += group
    return Brief(
        since=to_text(since),
        until=to_text(until),
        places=tuple(places),
        reports=sum(article.reports for article in articles),
        articles=len(articles),
        independent=syndication.count_independent(
            db, [article.id for article in articles]
        ),
        provinces=_provinces(db, by_province),
        corrected=_load_corrections(db, since, until, places),
        blind=tuple(blind_periods.list_blind_periods_between(db, since, until)),
    )


# Articles by province


def _load_by_province(
    db: Database, criteria: Criteria
) -> dict[str, list[BriefArticle]]:
    """The articles by the province that each names most often; "" names none."""
    names = _province_names(db)
    rows = db.execute(
        "SELECT code, province_code FROM places WHERE province_code IS NOT NULL"
    )
    province_of = dict(rows.fetchall())
    by_province: dict[str, list[BriefArticle]] = {}
    for page in search.iterate_json_pages(db, criteria):
        records = [json.loads(line) for line in page]
        claims = _load_claims(db, [record["document_id"] for record in records])
        for record in records:
            ranked = _rank_provinces(record["places"], province_of)
            article = BriefArticle(
                id=record["id"],
                title=record["title"] or "",
                source=record["source"],
                url=record["url"],
                at=record["published_at"] or record["first_seen_at"],
                language=record["language"],
                reports=1 + record["copies"],
                withdrawn_at=record["withdrawn_at"],
                also=tuple(names.get(code, code) for code in ranked[1:]),
                claims=tuple(claims.get(record["document_id"], ())),
            )
            first = ranked[0] if ranked else ""
            by_province.setdefault(first, []).append(article)
    return by_province


def _province_names(db: Database) -> dict[str, str]:
    rows = db.execute("SELECT code, name FROM places WHERE kind = 'province'")
    return dict(rows.fetchall())


def _rank_provinces(
    places: Iterable[Mapping[str, Any]], province_of: Mapping[str, str]
) -> list[str]:
    """The provinces of these places, the most named first."""
    counts: Counter[str] = Counter()
    for place in places:
        province = province_of.get(place["code"])
        if province is not None:
            counts[province] += place["count"]
    return sorted(counts, key=lambda code: (-counts[code], code))


def _load_claims(
    db: Database, documents: Iterable[int]
) -> dict[int, list[dict[str, Any]]]:
    rows = db.execute(
        """
        SELECT document_id, kind, number, qualifier, said_by, sentence
        FROM document_claims WHERE document_id IN (SELECT value FROM json_each(?))
        ORDER BY document_id, position
        """,
        [json.dumps(list(documents))],
    )
    claims: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        claim = dict(row)
        claims.setdefault(claim.pop("document_id"), []).append(claim)
    return claims


def _provinces(
    db: Database, by_province: Mapping[str, list[BriefArticle]]
) -> tuple[BriefProvince, ...]:
    """The provinces with most articles first, last what names none."""
    names = _province_names(db)
    provinces = []
    for code, articles in by_province.items():
        ids = [article.id for article in articles]
        articles.sort(key=lambda one: (-one.reports, one.at, one.id))
        provinces.append(
            BriefProvince(
                code=code,
                name=names.get(code, code),
                independent=syndication.count_independent(db, ids),
                articles=tuple(articles),
            )
        )
    provinces.sort(key=lambda one: (not one.code, -len(one.articles), one.name))
    return tuple(provinces)


# What changed


def _load_corrections(
    db: Database, since: datetime, until: datetime, places: Sequence[str]
) -> tuple[BriefCorrection, ...]:
    """The last of each kind for each article, in the order of time."""
    codes: set[str] = set()
    for name in places:
        codes.update(plan.resolve_codes(db, "place", name))
    rows = db.execute(
        """
        SELECT max(c.cursor) AS cursor, c.article_id, c.at, c.what, c.detail, d.id,
            d.title, d.source, d.url, d.text
        FROM changes AS c LEFT JOIN documents AS d ON d.id = coalesce(
            c.document_id,
            (SELECT id FROM documents WHERE article_id = c.article_id AND is_head)
        )
        WHERE c.at >= :since AND c.at < :until AND c.detail <> :reread
        AND c.what NOT IN ('new', 'copied', 'forgotten')
        AND (:codes = '[]' OR EXISTS (
            SELECT 1 FROM document_mentions AS m
            LEFT JOIN places AS p ON p.code = m.code
            WHERE m.document_id = d.id AND m.kind = 'place' AND (
                m.code IN (SELECT value FROM json_each(:codes))
                OR p.province_code IN (SELECT value FROM json_each(:codes))
            )
        ))
        GROUP BY c.article_id, c.what ORDER BY cursor
        """,
        {
            "since": to_text(since),
            "until": to_text(until),
            "codes": json.dumps(sorted(codes)),
            # A better reading of the same page is no correction of it.
            "reread": REREAD_DETAIL,
        },
    )
    return tuple(_row_to_correction(db, row) for row in rows.fetchall())


def _row_to_correction(db: Database, row: Row) -> BriefCorrection:
    correction = BriefCorrection(
        article_id=row["article_id"],
        at=row["at"],
        what=row["what"],
        detail=row["detail"],
        title=row["title"],
        former_title=None,
        edits=(),
        source=row["source"],
        url=row["url"],
    )
    if row["what"] != "revised" or row["id"] is None:
        return correction
    before = db.execute(
        """
        SELECT title, text FROM revisions WHERE document_id = ?
        ORDER BY number DESC LIMIT 1
        """,
        [row["id"]],
    ).fetchone()
    if before is None:
        return correction
    former_title = None
    if before["title"] != row["title"]:
        former_title = before["title"]
    edits = _first_edits(before["text"], row["text"])
    return replace(correction, former_title=former_title, edits=edits)


def _first_edits(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """The first passages that differ, each between the words that stayed."""
    edits = revisions.diff_texts(old, new)
    passages: list[tuple[str, str]] = []
    for n, edit in enumerate(edits):
        if not edit.is_change or len(passages) >= _MAX_EDITS:
            continue
        before: list[str] = []
        after: list[str] = []
        if n > 0:
            before = edits[n - 1].new.split()[-_CONTEXT_WORDS:]
        if n + 1 < len(edits):
            after = edits[n + 1].new.split()[:_CONTEXT_WORDS]
        was = _edit_passage(before, edit.old, after)
        now = _edit_passage(before, edit.new, after)
        passages.append((was, now))
    return tuple(passages)


def _edit_passage(before: Sequence[str], words: str, after: Sequence[str]) -> str:
    shown = words.split()
    if len(shown) > _MAX_EDIT_WORDS:
        shown = [*shown[:_MAX_EDIT_WORDS], "..."]
    return " ".join((*before, *shown, *after))
