"""Which kept article a text is a copy of.

Candidates from an index in the file, verdicts from the stored texts.

Decides and keeps the index; what follows from a verdict is written by `admission`. The
index holds heads, so that a thousand copies of one text cost the next one nothing and
templates do not chain, and such copies as differ much from their head: a text that is
all but the same as one of those is where that one is.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage import identity
from storage.identity import CopyComparison, Likeness, Profile
from storage.model import Document, from_text, to_text
from storage.tables import bands

# So many candidates are read, the likeliest first: reading and comparing one takes
# about a millisecond.
_MAX_BY_SHINGLES = 5
# All that share this many of 36 keys are read, too: a text is linked to every article
# that it is a version of.
_ALWAYS_READ_KEYS = 8
_MAX_CANDIDATES = 24
_MAX_BY_NAMES = 4
_MAX_BY_OPENING = 3
_MAX_PROBABLE = 20
_PROBABLE_WINDOW = timedelta(days=4)
# What shares some keys and less than this of its words is a version only if it shares
# its names, which find it, too.
_MIN_OVERLAP = 0.15
# A declaration that the texts half bear out; anybody can write one.
_MIN_DECLARED_SCORE = 0.3
_MAX_DECLARED = 8
# Two texts with this score are one text for every purpose.
_NEARLY_IDENTICAL_SCORE = 0.9
_COLUMNS = "id, article_id, is_head, url, host, language, published_at, first_seen_at, origin_url, credit, words, text"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOf:
    """The article that a text belongs to, and how that is known."""

    article_id: int
    kind: str  # declared, exact, near
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyMatch:
    """What the kept articles say of a new text.

    The one that it is a copy of, or those it may be a version of.
    """

    copy_of: CopyOf | None = None
    probable: tuple[tuple[int, float], ...] = ()  # article, score; the likeliest first


Row = Mapping[str, Any]


def match_copies(db: Database, document: Document, *, now: datetime) -> CopyMatch:
    """Compare a text that is not stored yet with the kept articles of its language."""
    one = identity.profile_text(document.text)
    at = document.published_at or now
    declared = _find_declared(db, document)
    compared = _compare_candidates(db, one, document.language, declared)
    proposed = [
        number for number in _find_by_shingles(db, one) if number not in declared
    ]
    compared += _compare_candidates(
        db, one, document.language, proposed, least=_MIN_OVERLAP
    )
    for row, likeness in compared:
        if (
            row["id"] in declared
            and likeness.score >= _MIN_DECLARED_SCORE
            and likeness.conflicts <= likeness.agreements
        ):
            return CopyMatch(
                copy_of=CopyOf(
                    article_id=row["article_id"],
                    kind="declared",
                    score=round(likeness.score, 4),
                )
            )
    if not any(
        likeness.is_copy and likeness.score >= _NEARLY_IDENTICAL_SCORE
        for _, likeness in compared
    ):
        seen = {row["id"] for row, _ in compared}
        more = _find_by_names_or_opening(db, one, at) - seen
        compared += _compare_candidates(db, one, document.language, sorted(more))
    return _decide_match(compared, at)


def _compare_candidates(
    db: Database,
    one: Profile,
    language: str | None,
    candidates: Iterable[int],
    *,
    least: float = 0.0,
) -> list[tuple[Row, Likeness]]:
    numbers = list(candidates)
    if not numbers:
        return []
    statement = f"SELECT {_COLUMNS} FROM documents WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"  # noqa: S608 - our names
    rows = db.execute(statement, [json.dumps(numbers)]).fetchall()
    if least:
        rows = [row for row in rows if identity.shared_share(one, row["text"]) >= least]
    common = _shared_shingles(rows)
    compared = [
        (
            row,
            identity.measure_likeness(
                one,
                identity.profile_text(row["text"]),
                common=common.get(row["host"], frozenset()),
            ),
        )
        for row in rows
    ]
    # Pages err about their language; the same words are one language. Only names cross
    # from one to another.
    return [
        (row, found)
        for row, found in compared
        if found.is_verbatim or _is_same_language(row["language"], language)
    ]


def _decide_match(compared: Iterable[tuple[Row, Likeness]], at: datetime) -> CopyMatch:
    ranked = sorted(compared, key=lambda pair: (-pair[1].score, pair[0]["id"]))
    for row, likeness in ranked:
        if likeness.is_copy and (
            row["is_head"] or likeness.score >= _NEARLY_IDENTICAL_SCORE
        ):
            return CopyMatch(
                copy_of=CopyOf(
                    article_id=row["article_id"],
                    kind="near",
                    score=round(likeness.score, 4),
                )
            )
    return CopyMatch(
        probable=tuple(
            (row["article_id"], round(likeness.score, 4))
            for row, likeness in ranked
            if row["is_head"]
            and (likeness.is_probable or likeness.is_copy)
            and abs(_row_time(row) - at) <= _PROBABLE_WINDOW
        )[:_MAX_PROBABLE]
    )


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts are still one article, now that one of them has changed."""
    likeness = identity.measure_likeness(
        identity.profile_text(one), identity.profile_text(other)
    )
    return likeness.is_copy or identity.text_hash(one) == identity.text_hash(other)


def _is_same_language(one: str | None, other: str | None) -> bool:
    return (
        not one
        or not other
        or one.partition("-")[0].lower() == other.partition("-")[0].lower()
    )


def _row_time(row: Row) -> datetime:
    return from_text(row["published_at"] or row["first_seen_at"])


def _find_declared(db: Database, document: Document) -> list[int]:
    """The heads of the articles that the page names as its original, that name this page, or that name the same one."""
    origin = identity.url_key(document.origin_url) if document.origin_url else None
    named = _url_spellings(document.url) + (
        _url_spellings(document.origin_url) if document.origin_url else []
    )
    rows = db.execute(
        """
        SELECT id FROM documents WHERE is_head = 1 AND article_id IN (
            SELECT article_id FROM documents WHERE key = ?
            UNION SELECT article_id FROM documents WHERE origin_url IN (SELECT value FROM json_each(?)) LIMIT ?
        )
        """,
        [origin, json.dumps(named), _MAX_DECLARED],
    )
    return [row[0] for row in rows]


def _url_spellings(url: str) -> list[str]:
    """How others may have written a page's address."""
    bare = identity.canonical_url(url).partition("://")[2].removeprefix("www.")
    return [
        f"{scheme}://{www}{bare}"
        for scheme in ("https", "http")
        for www in ("", "www.")
    ]


def _shared_shingles(rows: Iterable[Row]) -> dict[str, frozenset[int]]:
    """Shingles that three distinct articles of one host share.

    Its furniture, which makes most false copies.
    """
    by_host: dict[str, list[str]] = {}
    for row in rows:
        by_host.setdefault(row["host"], []).append(row["text"])
    shared = {}
    for name, texts in by_host.items():
        if len(texts) > 2:
            counts = Counter(
                shingle
                for text in texts
                for shingle in identity.profile_text(text).shingles
            )
            shared[name] = frozenset(shingle for shingle, n in counts.items() if n > 2)
    return shared


# Candidates, by keys that they share


def _find_by_shingles(db: Database, one: Profile) -> list[int]:
    """What shares as many keys as a version of that length would.

    Of a text with few shingles, one.
    """
    keys = identity.shingle_sketch(one)
    few = len(one.shingles) < 2 * len(keys)
    (found,) = bands.count_shared_keys(db, keys)
    ranked = [
        (number, n) for number, n in found.most_common(_MAX_CANDIDATES) if n > 1 or few
    ]
    lengths = _load_word_counts(db, [number for number, _ in ranked])
    likely = [
        pair
        for pair in ranked
        if few
        or pair[1] >= identity.min_shared_keys(one.words, lengths.get(pair[0], 0))
    ]
    return [
        number
        for rank, (number, n) in enumerate(likely)
        if n >= _ALWAYS_READ_KEYS or rank < _MAX_BY_SHINGLES
    ]


def _load_word_counts(db: Database, numbers: list[int]) -> dict[int, int]:
    """How many words these documents have: without reading their texts."""
    if not numbers:
        return {}
    rows = db.execute(
        "SELECT id, words FROM documents WHERE id IN (SELECT value FROM json_each(?))",
        [json.dumps(numbers)],
    )
    return {row[0]: row[1] for row in rows}


def _find_by_names_or_opening(db: Database, one: Profile, at: datetime) -> set[int]:
    """What shares three pairs of names within four days.

    A spun page keeps those, and hardly a run of words.

    And what opens alike, though it be forty times as long: the whole of an excerpt, an
    excerpt of the whole.
    """
    names, opening = bands.count_shared_keys(
        db,
        identity.name_sketch(one, _day_number(at), around=True),
        identity.opening_sketch(one),
    )
    return {number for number, n in names.most_common(_MAX_BY_NAMES) if n > 2} | {
        number for number, n in opening.most_common(_MAX_BY_OPENING) if n > 1
    }


def _day_number(at: datetime) -> int:
    return int(at.timestamp()) // 86_400


def add_to_index(db: Database, document_id: int) -> None:
    """Put a document into the index, if it is a head or differs much from its head."""
    row = db.execute(
        "SELECT is_head, kind, score FROM documents WHERE id = ?", [document_id]
    ).fetchone()
    if not row["is_head"] and (
        row["kind"] == "exact" or row["score"] >= _NEARLY_IDENTICAL_SCORE
    ):
        return
    bands.add_keys(db, document_id, _index_keys(db, document_id))


def add_all_to_index(db: Database, heads: Iterable[int]) -> None:
    """Put many heads into the index at once, in the order of the keys.

    A page is written once and not for each key.
    """
    db.execute(
        "CREATE TEMP TABLE entering (band INTEGER NOT NULL, document_id INTEGER NOT NULL) STRICT"
    )
    db.conn.executemany(
        "INSERT INTO entering VALUES (?, ?)",
        ((band, number) for number in heads for band in _index_keys(db, number)),
    )
    db.execute(
        "INSERT OR IGNORE INTO bands SELECT band, document_id FROM entering ORDER BY band, document_id"
    )
    db.execute("DROP TABLE entering")


def remove_from_index(db: Database, document_id: int) -> None:
    """Take a document out of the index, before its text or date changes or goes."""
    bands.remove_keys(db, document_id, _index_keys(db, document_id, ever=True))


def _index_keys(db: Database, document_id: int, *, ever: bool = False) -> list[int]:
    """The keys by which a stored text is found; `ever`.

    And those by which older versions found it.
    """
    row = db.execute(
        "SELECT text, published_at, first_seen_at FROM documents WHERE id = ?",
        [document_id],
    ).fetchone()
    if row is None:
        return []
    one = identity.profile_text(row["text"])
    names = identity.name_sketch(one, _day_number(_row_time(row)), ever=ever)
    return sorted(
        {*identity.shingle_sketch(one), *identity.opening_sketch(one), *names}
    )


# Who leads


def promotion_reason(head: Row, document: Row) -> str:
    """Why this member should lead its article instead of the head.

    Empty where it should not.

    Declared origin, then earliest publication, then the fullest text. What names
    another origin, and a reworded text, never outranks one that does not: a spun page's
    date is as easily made up as its words.
    """
    if _names_origin(head, document):
        return "declared origin"
    if document["origin_url"] or _names_origin(document, head):
        return ""
    likeness = identity.measure_likeness(
        identity.profile_text(head["text"]), identity.profile_text(document["text"])
    )
    if not likeness.is_verbatim or (document["credit"] and not head["credit"]):
        return ""
    if _is_earlier(document, head):
        return "published earlier"
    if _is_earlier(head, document) or document["published_at"] != head["published_at"]:
        return ""
    fuller = likeness.shingles >= 0.9 and document["words"] > 1.25 * head["words"]
    return "fuller text" if fuller and head["published_at"] else ""


def _names_origin(one: Row, other: Row) -> bool:
    return bool(one["origin_url"]) and identity.url_key(
        one["origin_url"]
    ) == identity.url_key(other["url"])


def _is_declared(one: Row, other: Row) -> bool:
    """Whether one names the other as its original, or both name the same page."""
    together = one["origin_url"] and other["origin_url"]
    one_origin = bool(together) and identity.url_key(
        one["origin_url"]
    ) == identity.url_key(other["origin_url"])
    return one_origin or _names_origin(one, other) or _names_origin(other, one)


def _is_earlier(one: Row, other: Row) -> bool:
    """Whether one was published before the other.

    A date without an hour is earlier only by a day.
    """
    if not one["published_at"] or not other["published_at"]:
        return False
    here, there = from_text(one["published_at"]), from_text(other["published_at"])
    bare = any(at.hour == at.minute == at.second == 0 for at in (here, there))
    return here.date() < there.date() if bare else here < there


# Counting and explaining


def count_independent_groups(
    articles: Mapping[int, str],
    links: Iterable[tuple[int, int]],
    owners: Mapping[str, str],
) -> int:
    """How many independent reports a set of articles is.

    `articles` gives the source of each article's head (its copies count with it),
    `links` the probable copies, `owners` the owner of a source. Linked articles and
    those of one source or owner are one voice.
    """
    parent = {article: article for article in articles}

    def root(article: int) -> int:
        while parent[article] != article:
            parent[article] = parent[parent[article]]
            article = parent[article]
        return article

    voices: dict[str, int] = {}
    for article, source in articles.items():
        voice = owners.get(source) or source
        parent[root(article)] = root(voices.setdefault(voice, article))
    for one, other in links:
        if one in parent and other in parent:
            parent[root(one)] = root(other)
    return len({root(article) for article in parent})


def compare_documents(
    db: Database, one_id: int, other_id: int
) -> CopyComparison | None:
    """Compare two stored documents and name the passages that decide.

    None where one of them does not exist.
    """
    statement = f"SELECT {_COLUMNS} FROM documents WHERE id = ?"  # noqa: S608 - our names
    one, other = (
        db.execute(statement, [number]).fetchone() for number in (one_id, other_id)
    )
    if one is None or other is None:
        return None
    likeness = identity.measure_likeness(
        identity.profile_text(one["text"]), identity.profile_text(other["text"])
    )
    verdict, reason = _explain_verdict(one, other, likeness)
    passages = identity.shared_passages(one["text"], other["text"])
    return CopyComparison(
        verdict=verdict,
        reason=reason,
        likeness=likeness,
        passages=passages,
        conflicts=identity.number_conflicts(one["text"], other["text"]),
    )


def _explain_verdict(one: Row, other: Row, likeness: Likeness) -> tuple[str, str]:
    if not likeness.is_verbatim and not _is_same_language(
        one["language"], other["language"]
    ):
        return "different", "another language"
    if likeness.is_copy:
        return (
            "copy",
            "verbatim"
            if likeness.is_verbatim
            else "reworded: the same names and numbers in the same order",
        )
    if _is_declared(one, other) and likeness.score >= _MIN_DECLARED_SCORE:
        return "copy", "declared"
    close = abs(_row_time(one) - _row_time(other)) <= _PROBABLE_WINDOW
    if likeness.is_probable and close:
        return (
            "probable",
            "the numbers differ" if likeness.is_other_count else "much is shared",
        )
    if likeness.is_probable:
        return (
            "different",
            f"alike, but {to_text(_row_time(one))[:10]} and {to_text(_row_time(other))[:10]} are too far apart",
        )
    return (
        "different",
        "the numbers differ" if likeness.is_other_count else "too little is shared",
    )
