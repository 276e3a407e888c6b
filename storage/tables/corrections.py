"""Carrying out what a person says of a text.

Keep it, drop it, part it from an article, put it to one, tag it.

Functions over an open `Database`, inside the transaction that `Store` opened.
"""

import json
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from storage.errors import UsageError, WorkFailed
from storage.folding import printable
from storage.model import (
    ChangeKind,
    Correction,
    CorrectionResult,
    FateKind,
    Label,
    Landing,
    Lead,
    RejectionReason,
    to_text,
)
from storage.tables import admission, annotations, landing, visits
from storage.tables.annotations import BY_PERSON, Annotation
from storage.tables.visits import url_key

_MAX_TAG_CHARS = 100  # characters
# `via` of a lead that somebody wants whatever its relevance; crawler.intake keeps what
# it leads to
VIA_MARK = "mark"


Row = dict[str, Any]


def apply_correction(db: Database, said: Correction, now: datetime) -> CorrectionResult:
    """Write the mark and carry it out.

    Raises WorkFailed where nothing is known of what it names.
    """
    row = _find_document(db, said.what)
    if said.label is Label.RELEVANT and row is None:
        return _bring_back(db, said.what, now)
    row = _require_document(row, said.what)
    if said.label is Label.RELEVANT:
        return _keep(db, row, now)
    if said.label is Label.IRRELEVANT:
        return _drop(db, row, now)
    if said.label is Label.TAG:
        return _tag(
            db,
            row,
            printable(said.tag)[:_MAX_TAG_CHARS].strip(),
            now,
            is_off=said.is_off,
        )
    other = _require_document(_find_document(db, said.other or 0), said.other)
    if other["id"] == row["id"]:
        raise WorkFailed(f"{said.what} and {said.other} are one and the same text")
    return (
        _join(db, row, other, now)
        if said.label is Label.COPY
        else _part(db, row, other, now)
    )


def _find_document(db: Database, what: str | int) -> Row | None:
    """The document of a number, else the head of the article of that number.

    The document of a URL.
    """
    key, number = (url_key(what), None) if isinstance(what, str) else (None, what)
    row = db.execute(
        """
        SELECT * FROM documents WHERE id = :number OR (article_id = :number AND is_head = 1)
        OR id = (SELECT id FROM documents WHERE key = :key) OR id = (SELECT document_id FROM fates WHERE key = :key)
        ORDER BY id <> :number, key <> :key
        """,
        {"number": number, "key": key},
    ).fetchone()
    return None if row is None else dict(row)


def _require_document(row: Row | None, what: str | int | None) -> Row:
    if row is None:
        raise WorkFailed(
            f"no text of {what} is kept; `khabar search` shows the numbers"
        )
    return row


def _annotate(
    db: Database, row: Row, label: Label, now: datetime, *, value: str = ""
) -> None:
    document = annotations.load_document(db, row["id"])
    annotations.save_annotation(
        db,
        Annotation(
            label=label,
            url=row["url"],
            value=value,
            document_id=row["id"],
            document=document,
        ),
        now,
    )


def _result(
    label: Label, row: Row, outcome: str, article_id: int | None = None
) -> CorrectionResult:
    return CorrectionResult(
        label=label,
        url=row["url"],
        document_id=row["id"],
        article_id=article_id or row["article_id"],
        outcome=outcome,
    )


# Relevance


def _list_members(db: Database, row: Row) -> list[Row]:
    """All texts of an article, its head last.

    So nothing is promoted while they go one by one.
    """
    rows = db.execute(
        "SELECT * FROM documents WHERE article_id = ? ORDER BY is_head, id",
        [row["article_id"]],
    )
    return [dict(one) for one in rows.fetchall()]


def _keep(db: Database, row: Row, now: datetime) -> CorrectionResult:
    """Every text of the article counts as wholly relevant from now on."""
    for member in _list_members(db, row):
        _annotate(db, member, Label.RELEVANT, now)
        verdict = annotations.overrule_verdict(
            annotations.load_document(db, member["id"]).verdict
        )
        reasons = json.dumps(
            [asdict(reason) for reason in verdict.reasons], ensure_ascii=False
        )
        # By this `via` second looks and rereading keep it too, and so its revisions.
        values = [verdict.score, reasons, VIA_MARK, member["id"]]
        db.execute(
            "UPDATE documents SET relevance = ?, reasons = ?, via = ? WHERE id = ?",
            values,
        )
    _record_reclassified(db, row, now, "relevant")
    return _result(Label.RELEVANT, row, "kept")


def _record_reclassified(db: Database, row: Row, now: datetime, what: str) -> None:
    detail = f"{what}, {BY_PERSON}"
    admission.record_change(
        db,
        row["article_id"],
        ChangeKind.RECLASSIFIED,
        now,
        document_id=row["id"],
        detail=detail,
    )


def _drop(db: Database, row: Row, now: datetime) -> CorrectionResult:
    """The article goes with all its texts, as if none had been kept.

    Their marks hold them.
    """
    for member in _list_members(db, row):
        _annotate(db, member, Label.IRRELEVANT, now, value=str(row["article_id"]))
        db.execute(
            _REJECT_SQL, {"id": member["id"], "detail": BY_PERSON, "at": to_text(now)}
        )
        db.execute(
            "UPDATE fates SET fate = 'rejected', reason = ?, detail = ?, at = ? WHERE document_id = ?",
            [RejectionReason.IRRELEVANT, BY_PERSON, to_text(now), member["id"]],
        )
        admission.remove_document(
            db, member["id"], now, ChangeKind.RECLASSIFIED, f"irrelevant, {BY_PERSON}"
        )
    return _result(Label.IRRELEVANT, row, "dropped")


_REJECT_SQL = """
INSERT OR REPLACE INTO rejections (key, url, source, title, why, detail, score, reasons, cuts, capture_id, at)
SELECT key, url, source, title, 'irrelevant', :detail, relevance, reasons, cuts, capture_id, :at
FROM documents WHERE id = :id
"""


def _bring_back(db: Database, what: str | int, now: datetime) -> CorrectionResult:
    """What a person dropped comes back as it was, with its copies.

    Any other page is asked for once more.
    """
    dropped = annotations.list_dropped_together(
        db, what if isinstance(what, int) else url_key(what)
    )
    if dropped:
        restored = [_restore(db, mark, now) for mark in dropped]
        return restored[0]
    if isinstance(what, int):
        raise WorkFailed(f"no text of {what} is kept; name the page by its URL")
    return _queue(db, what, now)


def _restore(db: Database, mark: Row, now: datetime) -> CorrectionResult:
    document = annotations.annotated_document(mark)
    assert document is not None
    annotations.save_annotation(
        db,
        Annotation(
            label=Label.RELEVANT,
            url=mark["url"],
            document_id=mark["document_id"],
            document=document,
        ),
        now,
    )
    rest = db.execute(
        "SELECT capture_id FROM rejections WHERE key = ?", [mark["key"]]
    ).fetchone()
    again = Landing(
        outcome=replace(document, via=VIA_MARK),
        url=document.url,
        source=document.source,
    )
    landed = landing.land_batch(db, None, [again], now)[0]
    if rest is not None:
        db.execute(
            "UPDATE documents SET capture_id = ? WHERE id = ?",
            [rest[0], landed.document_id],
        )
    return CorrectionResult(
        label=Label.RELEVANT, url=document.url, document_id=landed.document_id, article_id=landed.article_id,
        outcome="restored",
    )  # fmt: skip


def _queue(db: Database, url: str, now: datetime) -> CorrectionResult:
    key = url_key(url)
    fate = db.execute("SELECT fate, source FROM fates WHERE key = ?", [key]).fetchone()
    if fate is not None and fate["fate"] == FateKind.FORGOTTEN:
        raise WorkFailed(f"{url} was forgotten, which cannot be taken back")
    annotations.save_annotation(db, Annotation(label=Label.RELEVANT, url=url), now)
    for table in ("fates", "rejections"):
        db.execute(f"DELETE FROM {table} WHERE key = ?", [key])  # noqa: S608 - one of two tables
    waiting = db.execute(
        "UPDATE leads SET via = ?, next_attempt_at = ? WHERE key = ?",
        [VIA_MARK, to_text(now), key],
    )
    if not waiting.rowcount:
        lead = Lead(
            url=url,
            source=fate["source"] if fate else VIA_MARK,
            via=VIA_MARK,
            found_at=now,
        )
        visits.add_lead(db, lead, now)
    return CorrectionResult(
        label=Label.RELEVANT,
        url=visits.stored_url(url),
        document_id=None,
        article_id=None,
        outcome="queued",
    )


# Copies


def _join(db: Database, row: Row, other: Row, now: datetime) -> CorrectionResult:
    """The text is a copy of the other.

    Where it led an article, that one's copies come along.
    """
    apart = annotations.find_parted_pair(
        db, row["article_id"], other["article_id"], but=(row["key"], other["key"])
    )
    if apart is not None:
        raise WorkFailed(
            f"somebody said that {apart[0]} is no copy of {apart[1]}, which would come together; part them"
        )
    _annotate(db, row, Label.COPY, now, value=other["key"])
    if row["article_id"] != other["article_id"]:
        admission.join_article(db, row["id"], other["article_id"], now, BY_PERSON)
        return _result(Label.COPY, row, "joined", other["article_id"])
    # A declared copy stays one when its text changes.
    db.execute(
        "UPDATE documents SET kind = 'declared' WHERE id = ? AND is_head = 0",
        [row["id"]],
    )
    return _result(Label.COPY, row, "noted")


def _part(db: Database, row: Row, other: Row, now: datetime) -> CorrectionResult:
    """The two are different articles.

    Of one article's head and its copy the copy goes.
    """
    _annotate(db, row, Label.NOT_A_COPY, now, value=other["key"])
    outcome, number = "noted", row["article_id"]
    if row["article_id"] == other["article_id"]:
        leaving = other if row["is_head"] else row
        number = admission.split_copy(
            db, leaving["id"], now, f"from {row['article_id']}, {BY_PERSON}"
        )
        outcome = "parted"
    db.execute(
        """
        DELETE FROM probable_copies WHERE (article_id = :one AND of_article_id = :other)
        OR (article_id = :other AND of_article_id = :one)
        """,
        {"one": number, "other": other["article_id"]},
    )
    return _result(Label.NOT_A_COPY, row, outcome, number)


# Tags


def _tag(
    db: Database, row: Row, tag: str, now: datetime, *, is_off: bool
) -> CorrectionResult:
    if not tag:
        raise UsageError("a tag is one word or more")
    if is_off:
        annotations.remove_tag(db, row["key"], tag)
    else:
        _annotate(db, row, Label.TAG, now, value=tag)
    _record_reclassified(db, row, now, f"{'no longer ' if is_off else ''}tagged {tag}")
    return _result(Label.TAG, row, "untagged" if is_off else "tagged")
