"""Rows of `documents` and what hangs on one: mentions, claims, full text, changes.

A document is one stored text; an article is a group of documents of which exactly one
is its head. Both take their numbers from one space. What a new text *is* (an article, a
copy, a revision) is decided in `admission`; which document is the head is changed in
`heads`.

Invariants, checked by `integrity`: every document has an entry in the full text
(`folded`) under its `sort_key`, and a fate. `sort_key` follows publication time and is
unique, so that newest first needs no sort.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage import identity, index_tags, text_likeness
from storage.folding import fold, printable
from storage.model import (
    ChangeKind,
    Claim,
    Cut,
    Document,
    Mention,
    Reason,
    Verdict,
    to_text,
)
from storage.tables.columns import (
    Row,
    column_to_time,
    json_to_column,
    stored_key,
    text_to_column,
    time_to_column,
)
from storage.tables.copies import CopyOf

# Bits of a sort key below the second: they tell documents of one second apart.
SORT_KEY_BITS = 20
# A date further ahead than this is a mistake or a trick: such an article sorts by when
# it was seen.
_MAX_DATE_AHEAD = timedelta(hours=24)


# Reading one


def find_document(db: Database, named: str | int, *, head_first: bool) -> Row | None:
    """The document that a URL or a number names; None where nothing of it is kept.

    A number can be an article's and another document's at once, after a promotion and a
    split. With `head_first` the head of the article of that number comes first, as
    search shows it; without, the document of that number.
    """
    if isinstance(named, str):
        return find_document_of_key(db, stored_key(named))
    row: Row | None = db.execute(
        """
        SELECT * FROM documents
        WHERE id = :number OR (article_id = :number AND is_head = 1)
        ORDER BY iif(:head_first, article_id = :number AND is_head, id = :number) DESC
        LIMIT 1
        """,
        {"number": named, "head_first": head_first},
    ).fetchone()
    return row


def find_document_of_key(db: Database, key: str) -> Row | None:
    """The document stored under a key, else the one that the fate of this key names."""
    row: Row | None = db.execute(
        """
        SELECT * FROM documents
        WHERE key = :key OR id = (SELECT document_id FROM fates WHERE key = :key)
        ORDER BY key <> :key LIMIT 1
        """,
        {"key": key},
    ).fetchone()
    return row


def load_document(db: Database, number: int) -> Document:
    """A stored document as it was handed in."""
    row = db.execute("SELECT * FROM documents WHERE id = ?", [number]).fetchone()
    mentions = db.execute(
        """
        SELECT kind, code, name, count, sentence, role FROM document_mentions
        WHERE document_id = ?
        """,
        [number],
    )
    claims = db.execute(
        """
        SELECT kind, number, qualifier, said_by, sentence FROM document_claims
        WHERE document_id = ? ORDER BY position
        """,
        [number],
    )
    reasons = tuple(Reason(**reason) for reason in json.loads(row["reasons"]))
    return Document(
        url=row["url"],
        source=row["source"],
        title=row["title"],
        text=row["text"],
        authors=tuple(json.loads(row["authors"])),
        language=row["language"],
        published_at=column_to_time(row["published_at"]),
        published_how=row["published_how"],
        published_confidence=row["published_confidence"],
        published_raw=row["published_raw"],
        modified_at=column_to_time(row["modified_at"]),
        site=row["site"],
        section=row["section"],
        image=row["image"],
        origin_url=row["origin_url"],
        credit=row["credit"],
        extracted_how=row["extracted_how"],
        extractor=row["extractor"],
        cuts=tuple(Cut(**cut) for cut in json.loads(row["cuts"])),
        mentions=tuple(Mention(**dict(mention)) for mention in mentions),
        claims=tuple(Claim(**dict(claim)) for claim in claims),
        verdict=Verdict(score=row["relevance"], reasons=reasons),
        via=row["via"],
        backfill=bool(row["backfill"]),
        from_feed=bool(row["from_feed"]),
    )


# Writing one


def next_number(db: Database) -> int:
    """The next number of the space that documents and articles share."""
    # An article has the number of its first document; one that was split off needs a
    # number that no document will ever have.
    row = db.execute(
        """
        UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'documents'
        RETURNING seq
        """
    ).fetchone()
    return int(row[0])


def free_sort_key(
    db: Database, published_at: datetime | None, seen_at: datetime
) -> int:
    """A free key that follows publication time, else the time of first sight.

    Seconds since 1970, then a number that tells documents of one second apart.
    """
    at = seen_at
    if published_at is not None and published_at <= seen_at + _MAX_DATE_AHEAD:
        at = published_at
    second = max(int(at.timestamp()), 0)
    while True:
        first = second << SORT_KEY_BITS
        beyond = (second + 1) << SORT_KEY_BITS
        last = db.execute(
            "SELECT max(sort_key) FROM documents WHERE sort_key >= ? AND sort_key < ?",
            [first, beyond],
        ).fetchone()[0]
        if last is None:
            return first
        if last + 1 < beyond:
            return int(last) + 1
        # A million documents of one second: pages without an hour all have midnight.
        second += 1


def insert_document(
    db: Database,
    document: Document,
    words: Sequence[str],
    copy_of: CopyOf | None,
    now: datetime,
) -> int:
    """Write a new text, as the head of a new article or as a copy; returns its number.

    `words` are the folded words of the text.
    """
    number = next_number(db)
    values: dict[str, object] = {
        "id": number,
        "article_id": number,
        "is_head": 1,
        "sort_key": free_sort_key(db, document.published_at, now),
        "key": stored_key(document.url),
        "url": document.url,
        "source": document.source,
        "host": identity.url_host(document.url),
        "via": document.via,
        "backfill": int(document.backfill),
        "first_seen_at": to_text(now),
        "updated_at": to_text(now),
        "checked_at": to_text(now),
    }
    if copy_of is not None:
        values["article_id"] = copy_of.article_id
        values["is_head"] = 0
        values["kind"] = copy_of.kind
        values["score"] = copy_of.score
    values |= revision_columns(document, words)
    values |= extracted_columns(document)
    names = ", ".join(values)
    placeholders = ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT INTO documents ({names}) VALUES ({placeholders})", values)  # noqa: S608 - our column names
    insert_mentions(db, number, document)
    return number


def revision_columns(document: Document, words: Sequence[str]) -> dict[str, object]:
    """The columns that make a revision when they change."""
    return {
        "title": document.title,
        "text": document.text,
        "words": len(words),
        "text_hash": text_likeness.hash_words(list(words)),
        "from_feed": int(document.from_feed),
    }


def extracted_columns(document: Document) -> dict[str, object]:
    """The columns that say something about the text.

    A better extraction replaces them without a revision.
    """
    return {
        "authors": json_to_column(document.authors),
        "language": text_to_column(document.language),
        "published_at": time_to_column(document.published_at),
        "published_how": document.published_how,
        "published_confidence": document.published_confidence,
        "published_raw": text_to_column(document.published_raw),
        "modified_at": time_to_column(document.modified_at),
        "relevance": document.verdict.score,
        "reasons": json_to_column([asdict(one) for one in document.verdict.reasons]),
        "site": text_to_column(document.site),
        "section": text_to_column(document.section),
        "image": text_to_column(document.image),
        "origin_url": text_to_column(document.origin_url),
        "credit": text_to_column(document.credit),
        "extractor": document.extractor,
        "extracted_how": text_to_column(document.extracted_how),
        "cuts": json_to_column([asdict(cut) for cut in document.cuts]),
    }


def insert_mentions(db: Database, document_id: int, document: Document) -> None:
    """Write what a text names and which numbers it claims."""
    mentions = [
        (
            document_id,
            mention.kind,
            mention.code,
            printable(mention.name),
            mention.count,
            printable(mention.sentence),
            mention.role,
        )
        for mention in document.mentions
    ]
    db.conn.executemany(
        """
        INSERT INTO document_mentions VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET
            count = count + excluded.count, role = iif(role = excluded.role, role, '')
        """,
        mentions,
    )
    claims = [
        (
            document_id,
            position,
            claim.kind,
            claim.number,
            printable(claim.qualifier),
            printable(claim.said_by),
            printable(claim.sentence),
        )
        for position, claim in enumerate(document.claims, 1)
    ]
    db.conn.executemany(
        "INSERT INTO document_claims VALUES (?, ?, ?, ?, ?, ?, ?)", claims
    )


def replace_mentions(db: Database, document_id: int, document: Document) -> None:
    """Write what a text names and claims in place of what was read from it before."""
    db.execute("DELETE FROM document_mentions WHERE document_id = ?", [document_id])
    db.execute("DELETE FROM document_claims WHERE document_id = ?", [document_id])
    insert_mentions(db, document_id, document)


def set_capture(db: Database, document_id: int, capture_id: int | None) -> None:
    """Say which raw response the present state of a text was read from."""
    db.execute(
        "UPDATE documents SET capture_id = ? WHERE id = ?", [capture_id, document_id]
    )


# The log of changes, and the full text


def record_change(
    db: Database,
    article_id: int,
    what: ChangeKind,
    now: datetime,
    *,
    document_id: int | None = None,
    detail: str = "",
) -> None:
    """Append to the log that programs follow."""
    db.execute(
        """
        INSERT INTO changes (at, article_id, what, document_id, detail)
        VALUES (?, ?, ?, ?, ?)
        """,
        [to_text(now), article_id, what, document_id, detail],
    )


def reindex_documents(db: Database, document_ids: Iterable[int]) -> None:
    """Bring the full text of these documents up to date; those that are gone leave it.

    Called once at the end of a batch and in the order of the keys: FTS5 writes out what
    it holds in memory whenever a key is smaller than the last one.
    """
    ids = json.dumps(sorted(set(document_ids)))
    db.execute(
        "DELETE FROM folded WHERE document_id IN (SELECT value FROM json_each(?))",
        [ids],
    )
    rows = db.execute(
        """
        SELECT sort_key, id, title, text, source, language FROM documents
        WHERE id IN (SELECT value FROM json_each(?)) ORDER BY sort_key
        """,
        [ids],
    ).fetchall()
    for row in rows:
        db.execute(
            """
            INSERT INTO folded (key, document_id, title, text, tags)
            VALUES (?, ?, ?, ?, ?)
            """,
            [
                row["sort_key"],
                row["id"],
                fold(row["title"] or ""),
                fold(row["text"]),
                _load_tags(db, row),
            ],
        )


def _load_tags(db: Database, row: Row) -> str:
    found = db.execute(
        """
        SELECT m.kind, m.code, m.name, m.count, p.province_code
        FROM document_mentions AS m
        LEFT JOIN places AS p ON m.kind = 'place' AND p.code = m.code
        WHERE m.document_id = ?
        """,
        [row["id"]],
    ).fetchall()
    mentions = []
    provinces = {}
    for one in found:
        mentions.append(
            Mention(
                kind=one["kind"],
                code=one["code"],
                name=one["name"],
                count=one["count"],
            )
        )
        if one["province_code"]:
            provinces[one["code"]] = one["province_code"]
    return index_tags.document_tags(
        source=row["source"],
        language=row["language"],
        mentions=mentions,
        provinces=provinces,
    )
