"""What people said of texts: the table `marks`.

It overrules the machine whenever a page lands, and is labelled data for its gates. A
row belongs to a URL's comparison key, so that it outlives the document; it holds the
text as it was judged. A page has at most one of `relevant` and `irrelevant`, a pair of
texts at most one of `copy` and `not_a_copy`. Carrying it out is `corrections`.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.folding import printable
from storage.model import (
    Claim,
    Cut,
    Document,
    Label,
    Landing,
    Mention,
    Reason,
    Rejection,
    RejectionReason,
    Verdict,
    from_text,
    to_text,
)
from storage.tables.columns import Row, stored_key, stored_url
from storage.tables.copies import CopyMatch, CopyOf

BY_PERSON = "marked by a person"
_PAGE_ROWS = 200

# What a person says takes the place of what was said before.
_OPPOSITE_LABEL = {
    Label.RELEVANT: Label.IRRELEVANT,
    Label.IRRELEVANT: Label.RELEVANT,
    Label.COPY: Label.NOT_A_COPY,
    Label.NOT_A_COPY: Label.COPY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One judgement. `value`: of a copy the other text's key, of a tag the tag."""

    label: Label
    url: str
    value: str = ""
    document_id: int | None = None
    document: Document | None = None  # as it was judged


# Writing


def save_annotation(db: Database, annotation: Annotation, now: datetime) -> None:
    """Write a judgement; it takes the place of its opposite.

    The same one again keeps the text that was judged first, and the machine's score of
    then.
    """
    key = stored_key(annotation.url)
    opposite = _OPPOSITE_LABEL.get(annotation.label)
    if opposite in (Label.RELEVANT, Label.IRRELEVANT):
        db.execute("DELETE FROM marks WHERE key = ? AND label = ?", [key, opposite])
    elif opposite is not None:
        # Of a pair, whichever text it was said of.
        other = annotation.value
        db.conn.executemany(
            "DELETE FROM marks WHERE label = ? AND key = ? AND value = ?",
            [(opposite, key, other), (opposite, other, key)],
        )
    document = "{}"
    if annotation.document is not None:
        # Of its values JSON does not know, all are times.
        fields = asdict(annotation.document)
        document = printable(json.dumps(fields, ensure_ascii=False, default=to_text))
    db.execute(
        """
        INSERT INTO marks (at, key, url, document_id, label, value, document)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (key, label, value) DO UPDATE SET
            at = excluded.at, document_id = coalesce(excluded.document_id, document_id)
        """,
        [
            to_text(now),
            key,
            stored_url(annotation.url),
            annotation.document_id,
            annotation.label,
            annotation.value,
            document,
        ],
    )


def remove_tag(db: Database, key: str, tag: str) -> None:
    """Take a tag off a page; none there is no fault."""
    db.execute(
        "DELETE FROM marks WHERE key = ? AND label = 'tag' AND value = ?", [key, tag]
    )


# What the machine found, as people have corrected it


def apply_judgement(db: Database, landing: Landing) -> Landing:
    """A landing as a person judged its page.

    What is irrelevant is not kept, what is relevant counts 1.
    """
    document = landing.outcome
    if not isinstance(document, Document):
        return landing
    row = db.execute(
        """
        SELECT label FROM marks WHERE key = ? AND label IN ('relevant', 'irrelevant')
        ORDER BY at DESC, id DESC LIMIT 1
        """,
        [stored_key(document.url)],
    ).fetchone()
    if row is None:
        return landing
    if row["label"] == Label.RELEVANT:
        verdict = overrule_verdict(document.verdict)
        return replace(landing, outcome=replace(document, verdict=verdict))
    rejection = Rejection(
        why=RejectionReason.IRRELEVANT,
        detail=BY_PERSON,
        url=document.url,
        title=document.title,
        verdict=document.verdict,
        cuts=document.cuts,
    )
    return replace(landing, outcome=rejection)


def overrule_verdict(verdict: Verdict) -> Verdict:
    """A verdict with a person's judgement before all its reasons."""
    judgement = Reason(term=BY_PERSON, where="mark", weight=1.0, kind="mark")
    others = [reason for reason in verdict.reasons if reason != judgement]
    return Verdict(score=1.0, reasons=(judgement, *others))


def is_marked_relevant(db: Database, key: str) -> bool:
    """Whether a person said that the page of this key is to be kept."""
    row = db.execute(
        "SELECT 1 FROM marks WHERE key = ? AND label = 'relevant'", [key]
    ).fetchone()
    return row is not None


def correct_match(db: Database, key: str, match: CopyMatch) -> CopyMatch:
    """What the machine found of a new text's originals, as people have corrected it."""
    parted = list_parted_articles(db, key)
    row = db.execute(
        """
        SELECT d.article_id FROM marks AS m JOIN documents AS d ON d.key = m.value
        WHERE m.key = ? AND m.label = 'copy' ORDER BY m.id DESC
        """,
        [key],
    ).fetchone()
    if row is not None and row["article_id"] not in parted:
        copy_of = CopyOf(article_id=row["article_id"], kind="declared", score=1.0)
        return CopyMatch(copy_of=copy_of)
    found = match.copy_of
    if found is not None and found.article_id in parted:
        found = None
    probable = [pair for pair in match.probable if pair[0] not in parted]
    return CopyMatch(copy_of=found, probable=tuple(probable))


def list_parted_articles(db: Database, key: str) -> frozenset[int]:
    """Articles of which a person said that this page is no copy."""
    rows = db.execute(
        """
        SELECT d.article_id FROM documents AS d WHERE d.key IN (
            SELECT value FROM marks WHERE key = :key AND label = 'not_a_copy'
            UNION SELECT key FROM marks WHERE value = :key AND label = 'not_a_copy'
        )
        """,
        {"key": key},
    )
    return frozenset(row["article_id"] for row in rows)


# Reading


def find_parted_pair(
    db: Database, one: int, other: int, *, ignore: tuple[str, str]
) -> tuple[str, str] | None:
    """The URLs of two texts, one of each article, that a person parted.

    The pair of keys `ignore` is not looked at.
    """
    this, that = ignore
    row = db.execute(
        """
        SELECT a.url, b.url FROM marks AS m
        JOIN documents AS a ON a.key = m.key JOIN documents AS b ON b.key = m.value
        WHERE m.label = 'not_a_copy'
            AND (a.article_id, b.article_id) IN (VALUES (:one, :other), (:other, :one))
            AND (m.key, m.value) NOT IN (VALUES (:this, :that), (:that, :this))
        """,
        {"one": one, "other": other, "this": this, "that": that},
    ).fetchone()
    return None if row is None else (row[0], row[1])


def list_dropped_together(db: Database, named: str | int) -> list[Row]:
    """The rows of all texts that were dropped with that of a URL or number.

    That one first.
    """
    if isinstance(named, str):
        named = stored_key(named)
    return db.execute(
        """
        SELECT m.* FROM marks AS m
        JOIN marks AS one ON one.value = m.value AND one.label = 'irrelevant'
        WHERE m.label = 'irrelevant' AND (one.key = :named OR one.document_id = :named)
        ORDER BY m.id <> one.id, m.id
        """,
        {"named": named},
    ).fetchall()


def load_annotated_document(row: Row) -> Document:
    """The document of a row of `marks`, as it was judged."""
    fields: dict[str, Any] = json.loads(row["document"])
    for name in ("published_at", "modified_at"):
        if fields[name]:
            fields[name] = from_text(fields[name])
    verdict = fields["verdict"]
    fields["verdict"] = Verdict(
        score=verdict["score"],
        reasons=tuple(Reason(**reason) for reason in verdict["reasons"]),
    )
    fields["authors"] = tuple(fields["authors"])
    fields["cuts"] = tuple(Cut(**cut) for cut in fields["cuts"])
    fields["mentions"] = tuple(Mention(**mention) for mention in fields["mentions"])
    fields["claims"] = tuple(Claim(**claim) for claim in fields["claims"])
    return Document(**fields)


def list_article_annotations(db: Database, article_id: int) -> list[dict[str, Any]]:
    """What people said of an article's texts, and of others in relation to them.

    The newest first. Keys: at, label, tag ("" of others), url and article_id of the
    text that it was said of (None where it is gone); of pairs `of_url` and
    `of_article_id`, those of the other text.
    """
    rows = db.execute(
        """
        WITH own AS MATERIALIZED (SELECT key FROM documents WHERE article_id = ?)
        SELECT m.at, m.label, iif(m.label = 'tag', m.value, '') AS tag, m.url,
            t.article_id,
            coalesce(o.url, iif(m.label IN ('copy', 'not_a_copy'), m.value, ''))
                AS of_url,
            o.article_id AS of_article_id
        FROM marks AS m
        LEFT JOIN documents AS t ON t.key = m.key
        LEFT JOIN documents AS o
            ON o.key = m.value AND m.label IN ('copy', 'not_a_copy')
        WHERE m.key IN own OR (m.label IN ('copy', 'not_a_copy') AND m.value IN own)
        ORDER BY m.at DESC, m.id DESC
        """,
        [article_id],
    )
    return [dict(row) for row in rows]


_ANNOTATIONS_SQL = """
SELECT m.id, m.at, m.url, m.document_id, m.label,
    iif(m.label = 'tag', m.value, '') AS value,
    m.document ->> 'title' AS title, m.document ->> 'text' AS text,
    m.document ->> 'language' AS language,
    m.document ->> 'published_at' AS published_at,
    m.document ->> 'source' AS source, m.document ->> '$.verdict.score' AS score,
    o.url AS of_url, o.title AS of_title, o.text AS of_text
FROM marks AS m
LEFT JOIN documents AS o ON o.key = m.value AND m.label IN ('copy', 'not_a_copy')
WHERE m.id > ? ORDER BY m.id LIMIT ?
"""


def list_annotations(db: Database) -> Iterator[dict[str, Any]]:
    """Everything that people said as labelled data, the first one first.

    Keys: id, at, url, document_id, label, value, title, text, language, published_at,
    source, score (the machine's at the time); of pairs `of_url`, `of_title`, `of_text`
    as they are now. Read page by page: no statement is open while the caller works.
    """
    last_id = 0
    while True:
        rows = db.execute(_ANNOTATIONS_SQL, [last_id, _PAGE_ROWS]).fetchall()
        for row in rows:
            yield dict(row)
        if len(rows) < _PAGE_ROWS:
            return
        last_id = rows[-1]["id"]
