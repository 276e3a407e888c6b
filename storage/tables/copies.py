"""Which kept article a text is a copy of: candidates from an index in the file, verdicts from the stored texts.

Decides and keeps the index; what follows from a verdict is written by `admission`. The index holds heads, so
that a thousand copies of one text cost the next one nothing and templates do not chain, and such copies as differ much
from their head: a text that is all but the same as one of those is where that one is.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage import identity
from storage.identity import Likeness, Profile
from storage.model import Document, from_text, to_text
from storage.tables import bands

# So many candidates are read, the likeliest first: reading and comparing one takes about a millisecond.
_BY_SHINGLES = 5
# All that share this many of 36 keys are read, too: a text is linked to every article that it is a version of.
_MANY_KEYS = 8
_MOST_READ = 24
_BY_NAMES = 4
_BY_OPENING = 3
_MOST_PROBABLE = 20
_PROBABLE_WINDOW = timedelta(days=4)
# What shares some keys and less than this of its words is a version only if it shares its names, which find it, too.
_LEAST_OVERLAP = 0.15
# A declaration that the texts half bear out; anybody can write one.
_DECLARED = 0.3
_MOST_DECLARED = 8
# Two texts with this score are one text for every purpose.
_ALL_BUT_SAME = 0.9
_COLUMNS = "id, article_id, is_head, url, host, language, published_at, first_seen_at, origin_url, credit, words, text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """The article that a text belongs to, and how that is known."""

    article_id: int
    kind: str  # declared, exact, near
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the kept articles say of a new text: the one that it is a copy of, or those it may be a version of."""

    kin: Kin | None = None
    probable: tuple[tuple[int, float], ...] = ()  # article, score; the likeliest first


Row = Mapping[str, Any]


def match(db: Database, document: Document, *, now: datetime) -> Match:
    """Compare a text that is not stored yet with the kept articles of its language."""
    one = identity.profile(document.text)
    at = document.published_at or now
    declared = _declared(db, document)
    compared = _compared(db, one, document.language, declared)
    proposed = [number for number in _by_shingles(db, one) if number not in declared]
    compared += _compared(db, one, document.language, proposed, least=_LEAST_OVERLAP)
    for row, likeness in compared:
        if row["id"] in declared and likeness.score >= _DECLARED and likeness.conflicts <= likeness.agreements:
            return Match(kin=Kin(article_id=row["article_id"], kind="declared", score=round(likeness.score, 4)))
    if not any(likeness.is_copy and likeness.score >= _ALL_BUT_SAME for _, likeness in compared):
        seen = {row["id"] for row, _ in compared}
        more = _by_names_or_opening(db, one, at) - seen
        compared += _compared(db, one, document.language, sorted(more))
    return _verdict(compared, at)


def _compared(
    db: Database, one: Profile, language: str | None, candidates: Iterable[int], *, least: float = 0.0
) -> list[tuple[Row, Likeness]]:
    numbers = list(candidates)
    if not numbers:
        return []
    statement = f"SELECT {_COLUMNS} FROM documents WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"  # noqa: S608 - our names
    rows = db.execute(statement, [json.dumps(numbers)]).fetchall()
    if least:
        rows = [row for row in rows if identity.overlap(one, row["text"]) >= least]
    common = _common(rows)
    compared = [
        (row, identity.likeness(one, identity.profile(row["text"]), common=common.get(row["host"], frozenset())))
        for row in rows
    ]
    # Pages err about their language; the same words are one language. Only names cross from one to another.
    return [(row, found) for row, found in compared if found.is_verbatim or _one_language(row["language"], language)]


def _verdict(compared: Iterable[tuple[Row, Likeness]], at: datetime) -> Match:
    ranked = sorted(compared, key=lambda pair: (-pair[1].score, pair[0]["id"]))
    for row, likeness in ranked:
        if likeness.is_copy and (row["is_head"] or likeness.score >= _ALL_BUT_SAME):
            return Match(kin=Kin(article_id=row["article_id"], kind="near", score=round(likeness.score, 4)))
    return Match(
        probable=tuple(
            (row["article_id"], round(likeness.score, 4))
            for row, likeness in ranked
            if row["is_head"]
            and (likeness.is_probable or likeness.is_copy)
            and abs(_time(row) - at) <= _PROBABLE_WINDOW
        )[:_MOST_PROBABLE]
    )


def same(one: str, other: str) -> bool:
    """Whether two texts are still one article, now that one of them has changed."""
    likeness = identity.likeness(identity.profile(one), identity.profile(other))
    return likeness.is_copy or identity.text_hash(one) == identity.text_hash(other)


def _one_language(one: str | None, other: str | None) -> bool:
    return not one or not other or one.partition("-")[0].lower() == other.partition("-")[0].lower()


def _time(row: Row) -> datetime:
    return from_text(row["published_at"] or row["first_seen_at"])


def _declared(db: Database, document: Document) -> list[int]:
    """The heads of the articles that the page names as its original, that name this page, or that name the same one."""
    origin = identity.key(document.origin_url) if document.origin_url else None
    named = _spellings(document.url) + (_spellings(document.origin_url) if document.origin_url else [])
    rows = db.execute(
        """
        SELECT id FROM documents WHERE is_head = 1 AND article_id IN (
            SELECT article_id FROM documents WHERE key = ?
            UNION SELECT article_id FROM documents WHERE origin_url IN (SELECT value FROM json_each(?)) LIMIT ?
        )
        """,
        [origin, json.dumps(named), _MOST_DECLARED],
    )
    return [row[0] for row in rows]


def _spellings(url: str) -> list[str]:
    """How others may have written a page's address."""
    bare = identity.canonical(url).partition("://")[2].removeprefix("www.")
    return [f"{scheme}://{www}{bare}" for scheme in ("https", "http") for www in ("", "www.")]


def _common(rows: Iterable[Row]) -> dict[str, frozenset[int]]:
    """Shingles that three distinct articles of one host share: its furniture, which makes most false copies."""
    by_host: dict[str, list[str]] = {}
    for row in rows:
        by_host.setdefault(row["host"], []).append(row["text"])
    shared = {}
    for name, texts in by_host.items():
        if len(texts) > 2:
            counts = Counter(shingle for text in texts for shingle in identity.profile(text).shingles)
            shared[name] = frozenset(shingle for shingle, n in counts.items() if n > 2)
    return shared


# Candidates, by keys that they share


def _by_shingles(db: Database, one: Profile) -> list[int]:
    """What shares as many keys as a version of that length would; of a text with few shingles, one."""
    keys = identity.sketch(one)
    few = len(one.shingles) < 2 * len(keys)
    (found,) = bands.hits(db, keys)
    ranked = [(number, n) for number, n in found.most_common(_MOST_READ) if n > 1 or few]
    lengths = _lengths(db, [number for number, _ in ranked])
    likely = [pair for pair in ranked if few or pair[1] >= identity.least_hits(one.words, lengths.get(pair[0], 0))]
    return [number for rank, (number, n) in enumerate(likely) if n >= _MANY_KEYS or rank < _BY_SHINGLES]


def _lengths(db: Database, numbers: list[int]) -> dict[int, int]:
    """How many words these documents have: without reading their texts."""
    if not numbers:
        return {}
    rows = db.execute(
        "SELECT id, words FROM documents WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(numbers)]
    )
    return {row[0]: row[1] for row in rows}


def _by_names_or_opening(db: Database, one: Profile, at: datetime) -> set[int]:
    """What shares three pairs of names within four days: a spun page keeps those, and hardly a run of words.

    And what opens alike, though it be forty times as long: the whole of an excerpt, an excerpt of the whole.
    """
    names, opening = bands.hits(db, identity.name_sketch(one, _day(at), around=True), identity.opening_sketch(one))
    return {number for number, n in names.most_common(_BY_NAMES) if n > 2} | {
        number for number, n in opening.most_common(_BY_OPENING) if n > 1
    }


def _day(at: datetime) -> int:
    return int(at.timestamp()) // 86_400


def enter(db: Database, document_id: int) -> None:
    """Put a document into the index, if it is a head or differs much from its head."""
    row = db.execute("SELECT is_head, kind, score FROM documents WHERE id = ?", [document_id]).fetchone()
    if not row["is_head"] and (row["kind"] == "exact" or row["score"] >= _ALL_BUT_SAME):
        return
    bands.add(db, document_id, _bands(db, document_id))


def enter_all(db: Database, heads: Iterable[int]) -> None:
    """Put many heads into the index at once, in the order of the keys: a page is written once and not for each key."""
    db.execute("CREATE TEMP TABLE entering (band INTEGER NOT NULL, document_id INTEGER NOT NULL) STRICT")
    db.conn.executemany(
        "INSERT INTO entering VALUES (?, ?)", ((band, number) for number in heads for band in _bands(db, number))
    )
    db.execute("INSERT OR IGNORE INTO bands SELECT band, document_id FROM entering ORDER BY band, document_id")
    db.execute("DROP TABLE entering")


def leave(db: Database, document_id: int) -> None:
    """Take a document out of the index, before its text or date changes or goes."""
    bands.drop(db, document_id, _bands(db, document_id, ever=True))


def _bands(db: Database, document_id: int, *, ever: bool = False) -> list[int]:
    """The keys by which a stored text is found; `ever`: and those by which older versions found it."""
    row = db.execute("SELECT text, published_at, first_seen_at FROM documents WHERE id = ?", [document_id]).fetchone()
    if row is None:
        return []
    one = identity.profile(row["text"])
    names = identity.name_sketch(one, _day(_time(row)), ever=ever)
    return sorted({*identity.sketch(one), *identity.opening_sketch(one), *names})


# Who leads


def leads(head: Row, document: Row) -> str:
    """Why this member should lead its article instead of the head; empty where it should not.

    Declared origin, then earliest publication, then the fullest text. What names another origin, and a reworded text,
    never outranks one that does not: a spun page's date is as easily made up as its words.
    """
    if _names_origin(head, document):
        return "declared origin"
    if document["origin_url"] or _names_origin(document, head):
        return ""
    likeness = identity.likeness(identity.profile(head["text"]), identity.profile(document["text"]))
    if not likeness.is_verbatim or (document["credit"] and not head["credit"]):
        return ""
    if _is_earlier(document, head):
        return "published earlier"
    if _is_earlier(head, document) or document["published_at"] != head["published_at"]:
        return ""
    fuller = likeness.shingles >= 0.9 and document["words"] > 1.25 * head["words"]
    return "fuller text" if fuller and head["published_at"] else ""


def _names_origin(one: Row, other: Row) -> bool:
    return bool(one["origin_url"]) and identity.key(one["origin_url"]) == identity.key(other["url"])


def _is_declared(one: Row, other: Row) -> bool:
    """Whether one names the other as its original, or both name the same page."""
    together = one["origin_url"] and other["origin_url"]
    one_origin = bool(together) and identity.key(one["origin_url"]) == identity.key(other["origin_url"])
    return one_origin or _names_origin(one, other) or _names_origin(other, one)


def _is_earlier(one: Row, other: Row) -> bool:
    """Whether one was published before the other; a date without an hour is earlier only by a day."""
    if not one["published_at"] or not other["published_at"]:
        return False
    here, there = from_text(one["published_at"]), from_text(other["published_at"])
    bare = any(at.hour == at.minute == at.second == 0 for at in (here, there))
    return here.date() < there.date() if bare else here < there


# Counting and explaining


def independent(articles: Mapping[int, str], links: Iterable[tuple[int, int]], owners: Mapping[str, str]) -> int:
    """How many independent reports a set of articles is.

    `articles` gives the source of each article's head (its copies count with it), `links` the probable copies, `owners`
    the owner of a source. Linked articles and those of one source or owner are one voice.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Why two documents were or were not taken for one."""

    verdict: str  # copy, probable, different
    reason: str
    likeness: Likeness
    passages: tuple[str, ...]  # the longest runs of words that both have
    conflicts: tuple[tuple[str, str], ...]  # the same words with other numbers, in the one and in the other


def compare(db: Database, one_id: int, other_id: int) -> Comparison | None:
    """Compare two stored documents and name the passages that decide; None where one of them does not exist."""
    statement = f"SELECT {_COLUMNS} FROM documents WHERE id = ?"  # noqa: S608 - our names
    one, other = (db.execute(statement, [number]).fetchone() for number in (one_id, other_id))
    if one is None or other is None:
        return None
    likeness = identity.likeness(identity.profile(one["text"]), identity.profile(other["text"]))
    verdict, reason = _explained(one, other, likeness)
    passages = identity.passages(one["text"], other["text"])
    return Comparison(
        verdict=verdict,
        reason=reason,
        likeness=likeness,
        passages=passages,
        conflicts=identity.number_conflicts(one["text"], other["text"]),
    )


def _explained(one: Row, other: Row, likeness: Likeness) -> tuple[str, str]:
    if not likeness.is_verbatim and not _one_language(one["language"], other["language"]):
        return "different", "another language"
    if likeness.is_copy:
        return "copy", "verbatim" if likeness.is_verbatim else "reworded: the same names and numbers in the same order"
    if _is_declared(one, other) and likeness.score >= _DECLARED:
        return "copy", "declared"
    close = abs(_time(one) - _time(other)) <= _PROBABLE_WINDOW
    if likeness.is_probable and close:
        return "probable", "the numbers differ" if likeness.is_other_count else "much is shared"
    if likeness.is_probable:
        return "different", f"alike, but {to_text(_time(one))[:10]} and {to_text(_time(other))[:10]} are too far apart"
    return "different", "the numbers differ" if likeness.is_other_count else "too little is shared"
