"""A day as a morning reader wants it.

By province: what was reported, by how many independently, who claims which numbers;
then what was corrected or withdrawn, and what could not be seen. Plain data out; reads
only.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage import revisions
from storage.model import to_text
from storage.query import search
from storage.query.criteria import Criteria
from storage.tables import syndication

_MAX_EDITS, _MAX_EDIT_WORDS, _CONTEXT_WORDS = 5, 30, 4  # of an article; words
_REREAD_DETAIL = "read anew"  # a better reading of the same page is no correction of it


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
    # Kind, number, qualifier, said_by, sentence: unverified
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
    # The passages that differ, before and now, with a few words around
    edits: tuple[tuple[str, str], ...]
    source: str | None
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefBlindPeriod:
    """A period without sight, of a source or (`source` None) of the whole service."""

    source: str | None
    from_at: str
    to_at: str | None  # None: still
    reason: str


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
    blind: tuple[BriefBlindPeriod, ...]


def build_brief(
    db: Database, since: datetime, until: datetime, places: Sequence[str] = ()
) -> Brief:
    """What was published from `since` until before `until`, or first seen then where no date is known.

    `places` narrows it to articles that name one of these, by code or in any spelling; a province has its districts.
    """
    told, province_of = _load_articles(
        db, Criteria(since=since, until=until, places=tuple(places))
    )
    return Brief(
        since=to_text(since),
        until=to_text(until),
        places=tuple(places),
        reports=sum(one.reports for one in told),
        articles=len(told),
        independent=syndication.count_independent(db, [one.id for one in told]),
        provinces=_group_by_province(db, told, province_of),
        corrected=_load_corrections(db, since, until, places),
        blind=_load_blind_periods(db, since, until),
    )


# Articles by province


def _load_articles(
    db: Database, criteria: Criteria
) -> tuple[list[BriefArticle], dict[int, str]]:
    """The articles, and the province that each names most often."""
    names = dict(
        db.execute("SELECT code, name FROM places WHERE kind = 'province'").fetchall()
    )
    above = dict(
        db.execute(
            "SELECT code, province_code FROM places WHERE province_code IS NOT NULL"
        ).fetchall()
    )
    told: list[BriefArticle] = []
    province_of: dict[int, str] = {}
    for page in search.iterate_json_pages(db, criteria):
        records = [json.loads(line) for line in page]
        claims = _load_claims(db, [record["document_id"] for record in records])
        for record in records:
            ranked = _rank_provinces(record["places"], above)
            province_of[record["id"]] = ranked[0] if ranked else ""
            also = tuple(names.get(code, code) for code in ranked[1:])
            told.append(
                _record_to_article(record, also, claims.get(record["document_id"], []))
            )
    return told, province_of


def _record_to_article(
    record: Mapping[str, Any],
    also: tuple[str, ...],
    claims: Iterable[Mapping[str, Any]],
) -> BriefArticle:
    return BriefArticle(
        **{
            name: record[name]
            for name in ("id", "source", "url", "language", "withdrawn_at")
        },
        title=record["title"] or "",
        at=record["published_at"] or record["first_seen_at"],
        reports=1 + record["copies"],
        also=also,
        claims=tuple(claims),
    )


def _rank_provinces(
    places: Iterable[Mapping[str, Any]], above: Mapping[str, str]
) -> list[str]:
    """The provinces of these places, the most named first."""
    counts: dict[str, int] = {}
    for place in places:
        code = above.get(place["code"])
        if code is not None:
            counts[code] = counts.get(code, 0) + place["count"]
    return sorted(counts, key=lambda code: (-counts[code], code))


def _load_claims(
    db: Database, documents: Iterable[int]
) -> dict[int, list[dict[str, Any]]]:
    rows = db.execute(
        """
        SELECT document_id, kind, number, qualifier, said_by, sentence FROM document_claims
        WHERE document_id IN (SELECT value FROM json_each(?)) ORDER BY document_id, position
        """,
        [json.dumps(list(documents))],
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["document_id"], []).append(
            {name: row[name] for name in row.keys()[1:]}
        )
    return found


def _group_by_province(
    db: Database, told: Iterable[BriefArticle], province_of: Mapping[int, str]
) -> tuple[BriefProvince, ...]:
    """The provinces with most articles first, last what names none."""
    names = dict(
        db.execute("SELECT code, name FROM places WHERE kind = 'province'").fetchall()
    )
    by_code: dict[str, list[BriefArticle]] = {}
    for one in told:
        by_code.setdefault(province_of[one.id], []).append(one)
    found = [
        BriefProvince(
            code=code,
            name=names.get(code, code),
            independent=syndication.count_independent(db, [one.id for one in articles]),
            articles=tuple(
                sorted(articles, key=lambda one: (-one.reports, one.at, one.id))
            ),
        )
        for code, articles in by_code.items()
    ]
    return tuple(
        sorted(found, key=lambda one: (not one.code, -len(one.articles), one.name))
    )


# What changed, and what was not seen


def _load_corrections(
    db: Database, since: datetime, until: datetime, places: Sequence[str]
) -> tuple[BriefCorrection, ...]:
    """The last of each kind for each article, in the order of time."""
    codes = sorted(
        {code for name in places for code in search.resolve_codes(db, "place", name)}
    )
    rows = db.execute(
        """
        SELECT max(c.cursor) AS cursor, c.article_id, c.at, c.what, c.detail, d.id, d.title, d.source, d.url, d.text
        FROM changes AS c LEFT JOIN documents AS d ON d.id = coalesce(
            c.document_id, (SELECT id FROM documents WHERE article_id = c.article_id AND is_head))
        WHERE c.at >= :since AND c.at < :until AND c.what NOT IN ('new', 'copied', 'forgotten') AND c.detail <> :ours
        AND (:codes = '[]' OR EXISTS (
            SELECT 1 FROM document_mentions AS m LEFT JOIN places AS p ON p.code = m.code
            WHERE m.document_id = d.id AND m.kind = 'place'
            AND (m.code IN (SELECT value FROM json_each(:codes))
                OR p.province_code IN (SELECT value FROM json_each(:codes)))))
        GROUP BY c.article_id, c.what ORDER BY cursor
        """,
        {
            "since": to_text(since),
            "until": to_text(until),
            "codes": json.dumps(codes),
            "ours": _REREAD_DETAIL,
        },
    )
    return tuple(_row_to_correction(db, row) for row in rows.fetchall())


def _row_to_correction(db: Database, row: Any) -> BriefCorrection:
    plain = {
        name: row[name]
        for name in ("article_id", "at", "what", "detail", "title", "source", "url")
    }
    nothing = BriefCorrection(**plain, former_title=None, edits=())
    if row["what"] != "revised" or row["id"] is None:
        return nothing
    before = db.execute(
        "SELECT title, text FROM revisions WHERE document_id = ? ORDER BY number DESC LIMIT 1",
        [row["id"]],
    ).fetchone()
    if before is None:
        return nothing
    return replace(
        nothing,
        former_title=before["title"] if before["title"] != row["title"] else None,
        edits=_first_edits(before["text"], row["text"]),
    )


def _first_edits(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """The first passages that differ, each between the words that stayed."""
    edits = revisions.diff_texts(old, new)
    found: list[tuple[str, str]] = []
    for n, edit in enumerate(edits):
        if edit.is_change and len(found) < _MAX_EDITS:
            before = edits[n - 1].new.split()[-_CONTEXT_WORDS:] if n else []
            after = (
                edits[n + 1].new.split()[:_CONTEXT_WORDS] if n + 1 < len(edits) else []
            )
            found.append(
                (
                    _edit_passage(before, edit.old, after),
                    _edit_passage(before, edit.new, after),
                )
            )
    return tuple(found)


def _edit_passage(before: Sequence[str], words: str, after: Sequence[str]) -> str:
    kept = words.split()
    shown = kept if len(kept) <= _MAX_EDIT_WORDS else [*kept[:_MAX_EDIT_WORDS], "..."]
    return " ".join((*before, *shown, *after))


def _load_blind_periods(
    db: Database, since: datetime, until: datetime
) -> tuple[BriefBlindPeriod, ...]:
    rows = db.execute(
        """
        SELECT source, from_at, to_at, reason FROM blind WHERE from_at < ? AND (to_at IS NULL OR to_at > ?)
        ORDER BY source IS NOT NULL, from_at, source
        """,
        [to_text(until), to_text(since)],
    )
    return tuple(
        BriefBlindPeriod(**{name: row[name] for name in BriefBlindPeriod.__slots__})
        for row in rows.fetchall()
    )
