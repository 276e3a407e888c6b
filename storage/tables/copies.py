"""Which kept article a text is a copy of: verdicts from the stored texts.

Candidates come from `copy_index` and from what pages declare of one another; each is
read and compared. What follows from a verdict is written by `admission`, and `heads`
asks here which of two members is the original.

Functions over an open `Database`; they write nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage import identity, text_likeness
from storage.model import Document, from_text, to_text
from storage.tables import copy_index
from storage.tables.columns import Row
from storage.tables.copy_index import NEARLY_IDENTICAL_SCORE, row_time
from storage.text_likeness import CopyComparison, Likeness, Profile

_MAX_PROBABLE = 20
_PROBABLE_WINDOW = timedelta(days=4)
# What shares some keys and less than this of its words is a version only if it shares
# its names, which find it, too.
_MIN_OVERLAP = 0.15
# A declaration that the texts half bear out; anybody can write one.
_MIN_DECLARED_SCORE = 0.3
_MAX_DECLARED = 8
_COLUMNS = """
    id, article_id, is_head, url, host, language, published_at, first_seen_at,
    origin_url, credit, words, text
"""
Compared = tuple[Row, Likeness]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOf:
    """The article that a text is a copy of, and how that is known."""

    article_id: int
    kind: str  # declared, exact, near
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyMatch:
    """What the kept articles say of a new text.

    The one that it is a copy of, or those that it may be a version of.
    """

    copy_of: CopyOf | None = None
    probable: tuple[tuple[int, float], ...] = ()  # article, score; the likeliest first


def match_copies(db: Database, document: Document, *, now: datetime) -> CopyMatch:
    """Compare a text that is not stored yet with the kept articles of its language."""
    one = text_likeness.profile_text(document.text)
    language = document.language
    at = document.published_at or now
    declared = _find_declared(db, document)
    compared = _compare_candidates(db, one, language, declared)
    by_shingles = copy_index.find_by_shingles(db, one)
    others = [number for number in by_shingles if number not in declared]
    compared += _compare_candidates(db, one, language, others, min_overlap=_MIN_OVERLAP)
    for row, likeness in compared:
        is_borne_out = (
            likeness.score >= _MIN_DECLARED_SCORE
            and likeness.conflicts <= likeness.agreements
        )
        if row["id"] in declared and is_borne_out:
            return CopyMatch(copy_of=_copy_of(row, likeness, "declared"))

    # Names and openings find more, at the price of comparing it: not where an all but
    # identical text is there already.
    has_twin = any(
        likeness.is_copy and likeness.score >= NEARLY_IDENTICAL_SCORE
        for _, likeness in compared
    )
    if not has_twin:
        seen = {row["id"] for row, _ in compared}
        more = copy_index.find_by_names_or_opening(db, one, at) - seen
        compared += _compare_candidates(db, one, language, sorted(more))
    return _decide_match(compared, at)


def _compare_candidates(
    db: Database,
    one: Profile,
    language: str | None,
    numbers: list[int],
    *,
    min_overlap: float = 0.0,
) -> list[Compared]:
    if not numbers:
        return []
    rows = db.execute(
        f"""
        SELECT {_COLUMNS} FROM documents
        WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id
        """,  # noqa: S608 - our names
        [json.dumps(numbers)],
    ).fetchall()
    if min_overlap:
        rows = [
            row
            for row in rows
            if text_likeness.shared_share(one, row["text"]) >= min_overlap
        ]
    boilerplate = _shared_shingles(rows)
    compared = []
    for row in rows:
        likeness = text_likeness.measure_likeness(
            one,
            text_likeness.profile_text(row["text"]),
            common=boilerplate.get(row["host"], frozenset()),
        )
        # Pages err about their language; the same words are one language. Only names
        # cross from one to another.
        if likeness.is_verbatim or _is_same_language(row["language"], language):
            compared.append((row, likeness))
    return compared


def _shared_shingles(rows: Iterable[Row]) -> dict[str, frozenset[int]]:
    """Shingles that three distinct articles of one host share, by host.

    They are its boilerplate, which makes most false copies.
    """
    by_host: dict[str, list[str]] = {}
    for row in rows:
        by_host.setdefault(row["host"], []).append(row["text"])
    shared = {}
    for host, texts in by_host.items():
        if len(texts) < 3:
            continue
        counts: Counter[int] = Counter()
        for text in texts:
            counts.update(text_likeness.profile_text(text).shingles)
        shared[host] = frozenset(shingle for shingle, n in counts.items() if n > 2)
    return shared


def _decide_match(compared: Iterable[Compared], at: datetime) -> CopyMatch:
    ranked = sorted(compared, key=lambda pair: (-pair[1].score, pair[0]["id"]))
    for row, likeness in ranked:
        # A copy of a copy is one of its article only if it is all but the same.
        is_near = row["is_head"] or likeness.score >= NEARLY_IDENTICAL_SCORE
        if likeness.is_copy and is_near:
            return CopyMatch(copy_of=_copy_of(row, likeness, "near"))

    probable = []
    for row, likeness in ranked:
        is_version = likeness.is_probable or likeness.is_copy
        is_close = abs(row_time(row) - at) <= _PROBABLE_WINDOW
        if row["is_head"] and is_version and is_close:
            probable.append((row["article_id"], round(likeness.score, 4)))
    return CopyMatch(probable=tuple(probable[:_MAX_PROBABLE]))


def _copy_of(row: Row, likeness: Likeness, kind: str) -> CopyOf:
    score = round(likeness.score, 4)
    return CopyOf(article_id=row["article_id"], kind=kind, score=score)


def _find_declared(db: Database, document: Document) -> list[int]:
    """The heads of articles that a declaration joins with this page.

    Those that it names as its original, those that name it, and those that name the
    same original.
    """
    origin_key = None
    named = _url_spellings(document.url)
    if document.origin_url:
        origin_key = identity.url_key(document.origin_url)
        named += _url_spellings(document.origin_url)
    # Origins are stored as they were declared, so each may be written in four ways.
    rows = db.execute(
        """
        SELECT id FROM documents WHERE is_head = 1 AND article_id IN (
            SELECT article_id FROM documents WHERE key = ?
            UNION SELECT article_id FROM documents
            WHERE origin_url IN (SELECT value FROM json_each(?)) LIMIT ?
        )
        """,
        [origin_key, json.dumps(named), _MAX_DECLARED],
    )
    return [row["id"] for row in rows]


def _url_spellings(url: str) -> list[str]:
    """How others may have written a page's address."""
    bare = identity.canonical_url(url).partition("://")[2].removeprefix("www.")
    return [
        f"https://{bare}",
        f"https://www.{bare}",
        f"http://{bare}",
        f"http://www.{bare}",
    ]


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts are still one article, now that one of them has changed."""
    likeness = text_likeness.measure_likeness(
        text_likeness.profile_text(one), text_likeness.profile_text(other)
    )
    return likeness.is_copy or text_likeness.text_hash(one) == text_likeness.text_hash(
        other
    )


def _is_same_language(one: str | None, other: str | None) -> bool:
    """Whether two tags may be of one language; without one of them they may."""
    if not one or not other:
        return True
    return one.partition("-")[0].lower() == other.partition("-")[0].lower()


# Which is the original


def promotion_reason(head: Row, document: Row) -> str:
    """Why this member should head its article instead; empty where it should not.

    Declared origin, then earliest publication, then the fullest text. What names
    another origin, and a reworded text, never outranks one that does not: a spun page's
    date is as easily made up as its words.
    """
    if _names_origin(head, document):
        return "declared origin"
    if document["origin_url"] or _names_origin(document, head):
        return ""
    likeness = text_likeness.measure_likeness(
        text_likeness.profile_text(head["text"]),
        text_likeness.profile_text(document["text"]),
    )
    if not likeness.is_verbatim or (document["credit"] and not head["credit"]):
        return ""
    if _is_earlier(document, head):
        return "published earlier"
    if _is_earlier(head, document) or document["published_at"] != head["published_at"]:
        return ""
    is_fuller = likeness.shingles >= 0.9 and document["words"] > 1.25 * head["words"]
    if is_fuller and head["published_at"]:
        return "fuller text"
    return ""


def _names_origin(one: Row, other: Row) -> bool:
    """Whether one names the other as its original."""
    if not one["origin_url"]:
        return False
    return identity.url_key(one["origin_url"]) == identity.url_key(other["url"])


def _is_earlier(one: Row, other: Row) -> bool:
    """Whether one was published before the other.

    A date without an hour is earlier only by a day.
    """
    if not one["published_at"] or not other["published_at"]:
        return False
    here, there = from_text(one["published_at"]), from_text(other["published_at"])
    if any(at.hour == at.minute == at.second == 0 for at in (here, there)):
        return here.date() < there.date()
    return here < there


# Explaining


def compare_documents(
    db: Database, one_id: int, other_id: int
) -> CopyComparison | None:
    """Compare two stored documents and name the passages that decide.

    None where one of them does not exist.
    """
    statement = f"SELECT {_COLUMNS} FROM documents WHERE id = ?"  # noqa: S608 - our names
    one = db.execute(statement, [one_id]).fetchone()
    other = db.execute(statement, [other_id]).fetchone()
    if one is None or other is None:
        return None
    likeness = text_likeness.measure_likeness(
        text_likeness.profile_text(one["text"]),
        text_likeness.profile_text(other["text"]),
    )
    verdict, reason = _explain_verdict(one, other, likeness)
    return CopyComparison(
        verdict=verdict,
        reason=reason,
        likeness=likeness,
        passages=text_likeness.shared_passages(one["text"], other["text"]),
        conflicts=text_likeness.number_conflicts(one["text"], other["text"]),
    )


def _explain_verdict(one: Row, other: Row, likeness: Likeness) -> tuple[str, str]:
    """The verdict (copy, probable, different) and its reason."""
    is_one_language = _is_same_language(one["language"], other["language"])
    if not likeness.is_verbatim and not is_one_language:
        return "different", "another language"
    if likeness.is_copy and likeness.is_verbatim:
        return "copy", "verbatim"
    if likeness.is_copy:
        return "copy", "reworded: the same names and numbers in the same order"
    if _is_declared(one, other) and likeness.score >= _MIN_DECLARED_SCORE:
        return "copy", "declared"

    is_close = abs(row_time(one) - row_time(other)) <= _PROBABLE_WINDOW
    if likeness.is_probable and not is_close:
        days = f"{to_text(row_time(one))[:10]} and {to_text(row_time(other))[:10]}"
        return "different", f"alike, but {days} are too far apart"
    verdict, reason = "different", "too little is shared"
    if likeness.is_probable:
        verdict, reason = "probable", "much is shared"
    if likeness.is_other_count:
        reason = "the numbers differ"
    return verdict, reason


def _is_declared(one: Row, other: Row) -> bool:
    """Whether one names the other as its original, or both name the same page."""
    if _names_origin(one, other) or _names_origin(other, one):
        return True
    if not one["origin_url"] or not other["origin_url"]:
        return False
    return identity.url_key(one["origin_url"]) == identity.url_key(other["origin_url"])
