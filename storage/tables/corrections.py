"""Carrying out what a person says of a text.

Keep it, drop it, part it from an article, put it to one, tag it. Everything is written
to `marks` first, so that it holds when the page is read again.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

from dataclasses import asdict, replace
from datetime import datetime

from sqlite_utils import Database

from storage.errors import UsageError, WorkFailed
from storage.folding import printable
from storage.model import (
    VIA_MARK,
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
from storage.tables import annotations, documents, fates, heads, landing, leads
from storage.tables.annotations import BY_PERSON, Annotation
from storage.tables.columns import Row, json_to_column, stored_key, stored_url

_MAX_TAG_CHARS = 100
# How the details of changes begin that a tag makes.
TAGGED_DETAIL, UNTAGGED_DETAIL = "tagged", "no longer tagged"


def apply_correction(
    db: Database, correction: Correction, now: datetime
) -> CorrectionResult:
    """Write down what a person says and carry it out.

    Raises WorkFailed where nothing is known of what it names, UsageError for an empty
    tag.
    """
    label, named = correction.label, correction.what
    row = documents.find_document(db, named, head_first=False)
    if row is None and label is Label.RELEVANT:
        return _bring_back(db, named, now)
    row = _require_document(row, named)
    if label is Label.RELEVANT:
        return _keep(db, row, now)
    if label is Label.IRRELEVANT:
        return _drop(db, row, now)
    if label is Label.TAG:
        tag = printable(correction.tag)[:_MAX_TAG_CHARS].strip()
        return _tag(db, row, tag, now, is_off=correction.is_off)

    other_row = None
    if correction.other is not None:
        other_row = documents.find_document(db, correction.other, head_first=False)
    other = _require_document(other_row, correction.other)
    if other["id"] == row["id"]:
        raise WorkFailed(f"{named} and {correction.other} are one and the same text")
    if label is Label.COPY:
        return _join(db, row, other, now)
    return _part(db, row, other, now)


def _require_document(row: Row | None, named: str | int | None) -> Row:
    if row is None:
        raise WorkFailed(
            f"no text of {named} is kept; `khabar search` shows the numbers"
        )
    return row


def _annotate(
    db: Database, row: Row, label: Label, now: datetime, *, value: str = ""
) -> None:
    annotation = Annotation(
        label=label,
        url=row["url"],
        value=value,
        document_id=row["id"],
        document=documents.load_document(db, row["id"]),
    )
    annotations.save_annotation(db, annotation, now)


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


def _record_reclassified(db: Database, row: Row, now: datetime, what: str) -> None:
    documents.record_change(
        db,
        row["article_id"],
        ChangeKind.RECLASSIFIED,
        now,
        document_id=row["id"],
        detail=f"{what}, {BY_PERSON}",
    )


# Relevance


def _list_members(db: Database, row: Row) -> list[Row]:
    """All texts of an article, its head last.

    So nothing is promoted while they go one by one.
    """
    return db.execute(
        "SELECT * FROM documents WHERE article_id = ? ORDER BY is_head, id",
        [row["article_id"]],
    ).fetchall()


def _keep(db: Database, row: Row, now: datetime) -> CorrectionResult:
    """Every text of the article counts as wholly relevant from now on."""
    for member in _list_members(db, row):
        _annotate(db, member, Label.RELEVANT, now)
        document = documents.load_document(db, member["id"])
        verdict = annotations.overrule_verdict(document.verdict)
        # By this `via` rechecks and reprocessing keep it too, and so its revisions.
        db.execute(
            "UPDATE documents SET relevance = ?, reasons = ?, via = ? WHERE id = ?",
            [
                verdict.score,
                json_to_column([asdict(reason) for reason in verdict.reasons]),
                VIA_MARK,
                member["id"],
            ],
        )
    _record_reclassified(db, row, now, "relevant")
    return _result(Label.RELEVANT, row, "kept")


def _drop(db: Database, row: Row, now: datetime) -> CorrectionResult:
    """The article goes with all its texts, as if none had been kept.

    What is written to `marks` holds them.
    """
    for member in _list_members(db, row):
        _annotate(db, member, Label.IRRELEVANT, now, value=str(row["article_id"]))
        values = {
            "id": member["id"],
            "reason": RejectionReason.IRRELEVANT,
            "detail": BY_PERSON,
            "at": to_text(now),
        }
        db.execute(
            """
            INSERT OR REPLACE INTO rejections (
                key, url, source, title, why, detail, score, reasons, cuts, capture_id,
                at
            )
            SELECT key, url, source, title, :reason, :detail, relevance, reasons, cuts,
                capture_id, :at
            FROM documents WHERE id = :id
            """,
            values,
        )
        db.execute(
            """
            UPDATE fates
            SET fate = 'rejected', reason = :reason, detail = :detail, at = :at
            WHERE document_id = :id
            """,
            values,
        )
        heads.remove_document(
            db,
            member["id"],
            now,
            ChangeKind.RECLASSIFIED,
            f"irrelevant, {BY_PERSON}",
        )
    return _result(Label.IRRELEVANT, row, "dropped")


def _bring_back(db: Database, named: str | int, now: datetime) -> CorrectionResult:
    """What a person dropped comes back as it was, with its copies.

    Any other page is asked for once more.
    """
    dropped = annotations.list_dropped_together(db, named)
    if dropped:
        restored = [_restore(db, row, now) for row in dropped]
        return restored[0]
    if isinstance(named, int):
        raise WorkFailed(f"no text of {named} is kept; name the page by its URL")
    return _queue(db, named, now)


def _restore(db: Database, dropped: Row, now: datetime) -> CorrectionResult:
    document = annotations.load_annotated_document(dropped)
    annotation = Annotation(
        label=Label.RELEVANT,
        url=dropped["url"],
        document_id=dropped["document_id"],
        document=document,
    )
    annotations.save_annotation(db, annotation, now)
    rejection = db.execute(
        "SELECT capture_id FROM rejections WHERE key = ?", [dropped["key"]]
    ).fetchone()
    outcome = replace(document, via=VIA_MARK)
    again = Landing(outcome=outcome, url=document.url, source=document.source)
    landed = landing.land_batch(db, None, [again], now)[0]
    if rejection is not None and landed.document_id is not None:
        documents.set_capture(db, landed.document_id, rejection["capture_id"])
    return CorrectionResult(
        label=Label.RELEVANT,
        url=document.url,
        document_id=landed.document_id,
        article_id=landed.article_id,
        outcome="restored",
    )


def _queue(db: Database, url: str, now: datetime) -> CorrectionResult:
    """Ask for a page that is not kept, whatever became of it before."""
    key = stored_key(url)
    fate = fates.find_fate(db, key)
    source = VIA_MARK
    if fate is not None:
        source = fate["source"]
        if fate["fate"] == FateKind.FORGOTTEN:
            raise WorkFailed(f"{url} was forgotten, which cannot be taken back")
    annotations.save_annotation(db, Annotation(label=Label.RELEVANT, url=url), now)
    # A URL with a fate would be counted as known, and not asked for.
    db.execute("DELETE FROM fates WHERE key = ?", [key])
    db.execute("DELETE FROM rejections WHERE key = ?", [key])
    waiting = db.execute(
        "UPDATE leads SET via = ?, next_attempt_at = ? WHERE key = ?",
        [VIA_MARK, to_text(now), key],
    )
    if not waiting.rowcount:
        lead = Lead(url=url, source=source, via=VIA_MARK, found_at=now)
        leads.add_lead(db, lead, now)
    return CorrectionResult(
        label=Label.RELEVANT,
        url=stored_url(url),
        document_id=None,
        article_id=None,
        outcome="queued",
    )


# Copies


def _join(db: Database, row: Row, other: Row, now: datetime) -> CorrectionResult:
    """The text is a copy of the other.

    Where it heads an article, the copies of that one come along.
    """
    parted = annotations.find_parted_pair(
        db, row["article_id"], other["article_id"], ignore=(row["key"], other["key"])
    )
    if parted is not None:
        raise WorkFailed(
            f"somebody said that {parted[0]} is no copy of {parted[1]}, which would "
            "come together; part them"
        )
    _annotate(db, row, Label.COPY, now, value=other["key"])
    if row["article_id"] == other["article_id"]:
        # A declared copy stays one when its text changes.
        db.execute(
            "UPDATE documents SET kind = 'declared' WHERE id = ? AND is_head = 0",
            [row["id"]],
        )
        return _result(Label.COPY, row, "noted")
    heads.join_article(db, row["id"], other["article_id"], now, BY_PERSON)
    return _result(Label.COPY, row, "joined", other["article_id"])


def _part(db: Database, row: Row, other: Row, now: datetime) -> CorrectionResult:
    """The two are different articles: of a head and its copy, the copy leaves."""
    _annotate(db, row, Label.NOT_A_COPY, now, value=other["key"])
    outcome, number = "noted", row["article_id"]
    if row["article_id"] == other["article_id"]:
        leaving = row
        if row["is_head"]:
            leaving = other
        detail = f"from {row['article_id']}, {BY_PERSON}"
        number = heads.split_copy(db, leaving["id"], now, detail)
        outcome = "parted"
    db.execute(
        """
        DELETE FROM probable_copies
        WHERE (article_id = :one AND of_article_id = :other)
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
        _record_reclassified(db, row, now, f"{UNTAGGED_DETAIL} {tag}")
        return _result(Label.TAG, row, "untagged")
    _annotate(db, row, Label.TAG, now, value=tag)
    _record_reclassified(db, row, now, f"{TAGGED_DETAIL} {tag}")
    return _result(Label.TAG, row, "tagged")
