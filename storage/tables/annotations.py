"""What people said of texts.

It overrules the machine whenever a page lands, and is labelled data for its gates.

A mark belongs to a URL's comparison key, so that it outlives the document. Carrying one
out is `corrections`. Functions over an open `Database`.
"""

import json
from collections.abc import Iterator, Mapping
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
)  # fmt: skip
from storage.tables.copies import CopyMatch, CopyOf
from storage.tables.visits import column_to_time, stored_url, url_key

BY_PERSON = "marked by a person"
_TIME_FIELDS = ("published_at", "modified_at")
_PAGE_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One judgement. `value`: of a copy the other text's key, of a tag the tag."""

    label: Label
    url: str
    value: str = ""
    document_id: int | None = None
    document: Document | None = None  # as it was judged


def save_annotation(db: Database, mark: Annotation, now: datetime) -> None:
    """Write a mark.

    The same one again keeps the text that was judged first, and the machine's score of
    then.
    """
    key = url_key(mark.url)
    if mark.label in _OPPOSITE_LABEL:
        _delete_opposite(db, key, _OPPOSITE_LABEL[mark.label], mark.value)
    db.execute(
        """
        INSERT INTO marks (at, key, url, document_id, label, value, document) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (key, label, value) DO UPDATE SET at = excluded.at,
            document_id = coalesce(excluded.document_id, document_id)
        """,
        [
            to_text(now),
            key,
            stored_url(mark.url),
            mark.document_id,
            mark.label,
            mark.value,
            _document_to_json(mark.document),
        ],
    )


# What a person says takes the place of what was said before.
_OPPOSITE_LABEL = {
    Label.RELEVANT: Label.IRRELEVANT, Label.IRRELEVANT: Label.RELEVANT,
    Label.COPY: Label.NOT_A_COPY, Label.NOT_A_COPY: Label.COPY,
}  # fmt: skip


def _delete_opposite(db: Database, key: str, label: Label, other: str) -> None:
    """Of a page the label, of a pair both ways."""
    if label in (Label.RELEVANT, Label.IRRELEVANT):
        db.execute("DELETE FROM marks WHERE key = ? AND label = ?", [key, label])
        return
    pairs = [(label, key, other), (label, other, key)]
    db.conn.executemany(
        "DELETE FROM marks WHERE label = ? AND key = ? AND value = ?", pairs
    )


def remove_tag(db: Database, key: str, tag: str) -> None:
    """Take a tag off a page; none there is no fault."""
    db.execute(
        "DELETE FROM marks WHERE key = ? AND label = 'tag' AND value = ?", [key, tag]
    )


def list_dropped_together(db: Database, what: str | int) -> list[dict[str, Any]]:
    """The marks of all texts that were dropped together with that of a key or number, this one first."""
    rows = db.execute(
        """
        SELECT m.* FROM marks AS m JOIN marks AS one ON one.value = m.value AND one.label = 'irrelevant'
        WHERE m.label = 'irrelevant' AND (one.key = :what OR one.document_id = :what)
        ORDER BY m.id <> one.id, m.id
        """,
        {"what": what},
    )
    return [dict(row) for row in rows.fetchall()]


def find_annotation(db: Database, key: str, *labels: Label) -> dict[str, Any] | None:
    """The newest mark of a key with one of these labels."""
    row = db.execute(
        "SELECT * FROM marks WHERE key = ? AND label IN (SELECT value FROM json_each(?)) ORDER BY at DESC, id DESC",
        [key, json.dumps(labels)],
    ).fetchone()
    return None if row is None else dict(row)


def apply_judgement(db: Database, landing: Landing) -> Landing:
    """A landing as a person judged its page.

    The irrelevant is not kept, the relevant counts 1.
    """
    outcome = landing.outcome
    if not isinstance(outcome, Document):
        return landing
    mark = find_annotation(db, url_key(outcome.url), Label.RELEVANT, Label.IRRELEVANT)
    if mark is None:
        return landing
    verdict = outcome.verdict
    if mark["label"] == Label.RELEVANT:
        return replace(
            landing, outcome=replace(outcome, verdict=overrule_verdict(verdict))
        )
    rejection = Rejection(
        why=RejectionReason.IRRELEVANT,
        detail=BY_PERSON,
        url=outcome.url,
        title=outcome.title,
        verdict=verdict,
        cuts=outcome.cuts,
    )
    return replace(landing, outcome=rejection)


def overrule_verdict(verdict: Verdict) -> Verdict:
    """A verdict in which a person has the first word."""
    said = Reason(term=BY_PERSON, where="mark", weight=1.0, kind="mark")
    return Verdict(
        score=1.0,
        reasons=(said, *(reason for reason in verdict.reasons if reason != said)),
    )


def is_marked_relevant(db: Database, key: str) -> bool:
    """Whether a person said that the page of this key is to be kept."""
    return find_annotation(db, key, Label.RELEVANT) is not None


def correct_match(db: Database, key: str, match: CopyMatch) -> CopyMatch:
    """What the machine found of a new text's kin, as people have corrected it."""
    row = db.execute(
        "SELECT d.article_id FROM marks AS m JOIN documents AS d ON d.key = m.value "
        "WHERE m.key = ? AND m.label = 'copy' ORDER BY m.id DESC",
        [key],
    ).fetchone()
    others = list_parted_articles(db, key)
    if row is not None and row[0] not in others:
        return CopyMatch(copy_of=CopyOf(article_id=row[0], kind="declared", score=1.0))
    return CopyMatch(
        copy_of=None
        if match.copy_of and match.copy_of.article_id in others
        else match.copy_of,
        probable=tuple(
            (number, score) for number, score in match.probable if number not in others
        ),
    )


def list_parted_articles(db: Database, key: str) -> frozenset[int]:
    """Articles of which a person said that this page is no copy."""
    rows = db.execute(
        """
        SELECT d.article_id FROM documents AS d WHERE d.key IN (
            SELECT value FROM marks WHERE key = :key AND label = 'not_a_copy'
            UNION SELECT key FROM marks WHERE value = :key AND label = 'not_a_copy')
        """,
        {"key": key},
    )
    return frozenset(row[0] for row in rows)


def find_parted_pair(
    db: Database, one: int, other: int, *, but: tuple[str, str]
) -> tuple[str, str] | None:
    """Two texts, of the one article and of the other, that a person parted.

    The pair of keys `but` is not looked at.
    """
    row = db.execute(
        """
        SELECT a.url, b.url FROM marks AS m JOIN documents AS a ON a.key = m.key JOIN documents AS b ON b.key = m.value
        WHERE m.label = 'not_a_copy' AND (a.article_id, b.article_id) IN (VALUES (:one, :other), (:other, :one))
        AND (m.key, m.value) NOT IN (VALUES (:this, :that), (:that, :this))
        """,
        {"one": one, "other": other, "this": but[0], "that": but[1]},
    ).fetchone()
    return None if row is None else (row[0], row[1])


def list_article_annotations(db: Database, article_id: int) -> list[dict[str, Any]]:
    """What people said of an article's texts, and of others in relation to them.

    The newest first.

    Keys: at, label, tag ("" of others), url and article_id of the text that it was said
    of (None where it is gone), of pairs `of_url` and `of_article_id`, those of the
    other.
    """
    rows = db.execute(
        """
        WITH own AS MATERIALIZED (SELECT key FROM documents WHERE article_id = ?)
        SELECT m.at, m.label, iif(m.label = 'tag', m.value, '') AS tag, m.url, t.article_id,
            coalesce(o.url, iif(m.label IN ('copy', 'not_a_copy'), m.value, '')) AS of_url,
            o.article_id AS of_article_id
        FROM marks AS m LEFT JOIN documents AS t ON t.key = m.key
        LEFT JOIN documents AS o ON o.key = m.value AND m.label IN ('copy', 'not_a_copy')
        WHERE m.key IN own OR (m.label IN ('copy', 'not_a_copy') AND m.value IN own) ORDER BY m.at DESC, m.id DESC
        """,
        [article_id],
    )
    return [dict(row) for row in rows]


def list_annotations(db: Database) -> Iterator[dict[str, Any]]:
    """Every mark as labelled data, the first one first.

    Keys: id, at, url, document_id, label, value, title, text, language, published_at,
    source, score (the machine's at the time); of pairs `of_url`, `of_title`, `of_text`
    as they are now.
    """
    last = 0
    while True:
        rows = db.execute(_ANNOTATIONS_SQL, [last, _PAGE_ROWS]).fetchall()
        yield from ({name: row[name] for name in row.keys()} for row in rows)  # noqa: SIM118 - a row of SQLite
        if len(rows) < _PAGE_ROWS:
            return
        last = rows[-1]["id"]


_ANNOTATIONS_SQL = """
SELECT m.id, m.at, m.url, m.document_id, m.label, iif(m.label = 'tag', m.value, '') AS value,
    m.document ->> 'title' AS title, m.document ->> 'text' AS text, m.document ->> 'language' AS language,
    m.document ->> 'published_at' AS published_at, m.document ->> 'source' AS source,
    m.document ->> '$.verdict.score' AS score,
    o.url AS of_url, o.title AS of_title, o.text AS of_text
FROM marks AS m LEFT JOIN documents AS o ON o.key = m.value AND m.label IN ('copy', 'not_a_copy')
WHERE m.id > ? ORDER BY m.id LIMIT ?
"""


# A document as it was judged


def _document_to_json(document: Document | None) -> str:
    if document is None:
        return "{}"
    return printable(
        # Times are all that is left
        json.dumps(asdict(document), ensure_ascii=False, default=to_text)
    )


def annotated_document(mark: Mapping[str, Any]) -> Document | None:
    """The document of a mark, as it was judged; None where there was none."""
    told: dict[str, Any] = json.loads(mark["document"])
    if not told:
        return None
    told |= {name: from_text(told[name]) for name in _TIME_FIELDS if told[name]}
    verdict = told.pop("verdict")
    return Document(
        **told
        | {
            "authors": tuple(told["authors"]),
            "cuts": tuple(Cut(**cut) for cut in told["cuts"]),
            "mentions": tuple(Mention(**mention) for mention in told["mentions"]),
            "claims": tuple(Claim(**claim) for claim in told["claims"]),
            "verdict": Verdict(
                score=verdict["score"],
                reasons=tuple(Reason(**one) for one in verdict["reasons"]),
            ),
        }
    )


def load_document(db: Database, number: int) -> Document:
    """A stored document as the desk handed it in."""
    row = db.execute("SELECT * FROM documents WHERE id = ?", [number]).fetchone()
    plain = (
        "url", "source", "title", "text", "language", "published_how", "published_confidence", "published_raw", "site",
        "section", "image", "origin_url", "credit", "extracted_how", "extractor", "via",
    )  # fmt: skip
    mentions = db.execute(
        "SELECT kind, code, name, count, sentence FROM document_mentions WHERE document_id = ?",
        [number],
    )
    claims = db.execute(
        "SELECT kind, number, qualifier, said_by, sentence FROM document_claims WHERE document_id = ? "
        "ORDER BY position",
        [number],
    )
    reasons = tuple(Reason(**one) for one in json.loads(row["reasons"]))
    return Document(
        **{name: row[name] for name in plain},
        published_at=column_to_time(row["published_at"]),
        modified_at=column_to_time(row["modified_at"]),
        authors=tuple(json.loads(row["authors"])),
        cuts=tuple(Cut(**cut) for cut in json.loads(row["cuts"])),
        mentions=tuple(Mention(**dict(one)) for one in mentions),
        claims=tuple(Claim(**dict(one)) for one in claims),
        verdict=Verdict(score=row["relevance"], reasons=reasons),
        backfill=bool(row["backfill"]),
        from_feed=bool(row["from_feed"]),
    )
