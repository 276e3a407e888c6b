"""Landing what visits to URLs brought: each gets exactly one fate, or stays pending.

With a fate go the document or the row of `rejections`, the capture of the raw response,
the lines that a host repeats, and the counters of the poll that showed the URL. A
person's judgement of a page overrules what the machine made of it.

Functions over an open `Database`, inside the transaction that the caller opened.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage import identity
from storage.archive import Archive
from storage.connection import savepoint
from storage.folding import printable
from storage.model import (
    ChangeKind,
    Document,
    Failure,
    FateKind,
    Landed,
    Landing,
    Lead,
    Refusal,
    Rejection,
    RejectionReason,
    TooOld,
    to_text,
)
from storage.tables import (
    addresses,
    admission,
    annotations,
    boilerplate,
    captures,
    documents,
    fates,
    forgetting,
    heads,
    leads,
    rechecks,
)
from storage.tables.columns import (
    json_to_column,
    stored_key,
    stored_url,
    text_to_column,
)
from storage.tables.fates import Fate

# After so many failures that were not final, one is: 5 min doubled each time is two
# days by then.
MAX_ATTEMPTS = 9
_FIRST_RETRY_DELAY = timedelta(minutes=5)
_MAX_RETRY_DELAY = timedelta(hours=24)

# Faults of one row. A full disk, a lock or a damaged file is none of them and stops the
# batch.
_ROW_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ValueError,
    OverflowError,
    TypeError,
)

_FIRST_SEEN_CHANGES = (ChangeKind.NEW, ChangeKind.COPIED, ChangeKind.PROMOTED)
_FATES_WITH_TEXT = (FateKind.ARTICLE, FateKind.COPY, FateKind.WITHDRAWN)


def land_batch(
    db: Database, archive: Archive | None, landings: Iterable[Landing], now: datetime
) -> list[Landed]:
    """Store a batch; a faulty landing fails alone, and its lead ends as `failed`."""
    results: list[Landed] = []
    for landing in landings:
        try:
            with savepoint(db):
                landed = _land_one(db, archive, landing, now)
        except _ROW_FAULTS as error:
            # What this landing wrote is taken back; that it failed is its fate, or the
            # next start would meet it again.
            detail = f"storage: {type(error).__name__}: {error}"[:500]
            with savepoint(db):
                failure = Failure(detail=detail, final=True)
                landed = _land_failure(db, landing, failure, now)
        results.append(landed)

    changed = [
        landed.document_id
        for landed in results
        if landed.document_id and landed.reason != "unchanged"
    ]
    documents.reindex_documents(db, changed)
    return results


def land_document(
    db: Database, document: Document, now: datetime, *, capture_id: int | None
) -> Landed:
    """Admit a document that no visit brought, with its fate and full text."""
    landing = Landing(outcome=document, url=document.url, source=document.source)
    landed = land_batch(db, None, [landing], now)[0]
    if capture_id is not None and landed.what is not None:
        assert landed.document_id is not None
        documents.set_capture(db, landed.document_id, capture_id)
    return landed


def _land_one(
    db: Database, archive: Archive | None, landing: Landing, now: datetime
) -> Landed:
    urls = [landing.url, *landing.aliases]
    if isinstance(landing.outcome, Document):
        urls.append(landing.outcome.url)
    is_forgotten = fates.is_forgotten(db, urls)
    if not is_forgotten and isinstance(landing.outcome, Document):
        is_forgotten = forgetting.is_forgotten_text(db, landing.outcome)
    if is_forgotten:
        forgotten = Landed(url=landing.url, fate=FateKind.FORGOTTEN, reason="forgotten")
        fate = Fate(kind=FateKind.FORGOTTEN)
        fates.settle_fate(db, landing, fate, now, column=forgotten.poll_column)
        return forgotten

    # Workers have no store: only here can a person's judgement overrule the machine's.
    landing = annotations.apply_judgement(db, landing)
    match landing.outcome:
        case Document() as document:
            return _land_text(db, archive, landing, document, now)
        case Rejection() as rejection:
            return _land_rejection(db, archive, landing, rejection, now)
        case Refusal(why=why, detail=detail):
            fate = Fate(kind=FateKind.REFUSED, reason=why, detail=detail)
            return _land_without_text(db, landing, fate, now)
        case TooOld(published_at=at):
            fate = Fate(kind=FateKind.TOO_OLD, reason="too_old", detail=to_text(at))
            return _land_without_text(db, landing, fate, now)
        case Failure() as failure:
            return _land_failure(db, landing, failure, now)


# Read and kept, read and not kept


def _land_text(
    db: Database,
    archive: Archive | None,
    landing: Landing,
    document: Document,
    now: datetime,
) -> Landed:
    is_reread = landing.capture_id is not None
    document = addresses.settle_address(db, landing, document)
    landed = admission.admit(db, document, now=now, is_reread=is_reread)
    assert landed.fate is not None
    assert landed.document_id is not None
    assert landed.article_id is not None

    if landed.what is not None and landed.reason != "back":
        capture_id = _save_capture(db, archive, landing, "kept")
        # A new state without a response of its own must not keep the former one's.
        if capture_id is not None or landed.what is ChangeKind.REVISED:
            documents.set_capture(db, landed.document_id, capture_id)
        host = identity.url_host(document.url)
        boilerplate.learn_lines(db, host, landing.lines, landed.article_id, now)
    if landing.recheck is not None and landed.what in _FIRST_SEEN_CHANGES:
        rechecks.plan_recheck(db, landed.document_id, landing.url, landing.recheck)

    if landing.capture_id is not None:
        addresses.remove_merged_states(db, landing.capture_id, landed.document_id)

    reason = ""
    if landed.fate is FateKind.COPY:
        row = db.execute(
            "SELECT kind FROM documents WHERE id = ?", [landed.document_id]
        ).fetchone()
        reason = row["kind"]
    fates.settle_fate(
        db,
        landing,
        Fate(kind=landed.fate, reason=reason, document_id=landed.document_id),
        now,
        column=landed.poll_column,
        document_url=document.url,
    )
    # What was rejected before, and is kept by today's rules, is no rejection any more.
    db.execute("DELETE FROM rejections WHERE key = ?", [stored_key(landing.url)])
    return landed


def _land_rejection(
    db: Database,
    archive: Archive | None,
    landing: Landing,
    rejection: Rejection,
    now: datetime,
) -> Landed:
    if landing.capture_id is not None:
        _remove_rejected_text(db, landing, rejection, now)
    fate = Fate(kind=FateKind.REJECTED, reason=rejection.why, detail=rejection.detail)
    landed = _land_without_text(db, landing, fate, now)
    if landed.fate is FateKind.REJECTED:
        capture_id = _save_capture(db, archive, landing, "rejected")
        _save_rejection(db, landing, rejection, capture_id, now)
    if rejection.why is RejectionReason.IRRELEVANT:
        # Pages that are off topic show their host's boilerplate as well as others do.
        boilerplate.learn_lines(
            db,
            identity.url_host(printable(rejection.url or landing.url)),
            landing.lines,
            boilerplate.unkept_article_id(landing.lines),
            now,
        )
    return landed


def _remove_rejected_text(
    db: Database, landing: Landing, rejection: Rejection, now: datetime
) -> None:
    """Delete a text that today's rules would not have kept; its capture stays.

    Not where a person said that it is relevant.
    """
    row = documents.find_document_of_key(db, stored_key(landing.url))
    if row is None or annotations.is_marked_relevant(db, row["key"]):
        return
    db.execute(
        "UPDATE fates SET fate = 'rejected', reason = ? WHERE document_id = ?",
        [rejection.why, row["id"]],
    )
    heads.remove_document(db, row["id"], now, ChangeKind.RECLASSIFIED, rejection.why)


def _save_rejection(
    db: Database,
    landing: Landing,
    rejection: Rejection,
    capture_id: int | None,
    now: datetime,
) -> None:
    score, reasons = None, []
    if rejection.verdict is not None:
        score = rejection.verdict.score
        reasons = [asdict(reason) for reason in rejection.verdict.reasons]
    db.execute(
        """
        INSERT INTO rejections (
            key, url, source, title, why, detail, score, reasons, cuts, capture_id, at
        )
        VALUES (
            :key, :url, :source, :title, :why, :detail, :score, :reasons, :cuts,
            :capture_id, :at
        )
        ON CONFLICT (key) DO UPDATE SET
            title = excluded.title, why = excluded.why, detail = excluded.detail,
            score = excluded.score, reasons = excluded.reasons, cuts = excluded.cuts,
            capture_id = coalesce(excluded.capture_id, capture_id), at = excluded.at
        """,
        {
            "key": stored_key(landing.url),
            "url": stored_url(landing.url),
            "source": landing.source,
            "title": text_to_column(rejection.title),
            "why": rejection.why,
            "detail": printable(rejection.detail),
            "score": score,
            "reasons": json_to_column(reasons),
            "cuts": json_to_column([asdict(cut) for cut in rejection.cuts]),
            "capture_id": capture_id,
            "at": to_text(now),
        },
    )


def _save_capture(
    db: Database, archive: Archive | None, landing: Landing, kind: str
) -> int | None:
    """The number of the response's capture, `kept` or `rejected`; see `captures`."""
    reread = landing.capture_id
    if reread is None:
        return captures.save_capture(
            db, archive, landing.page, kind, source=landing.source
        )
    # Responses of rejected pages expire early: a text that is kept after all takes its
    # response along.
    if kind != "kept" or captures.is_of_kept_page(db, reread):
        return reread
    return captures.save_capture(db, archive, landing.page, kind, source=landing.source)


# Not read


def _land_without_text(
    db: Database,
    landing: Landing,
    fate: Fate,
    now: datetime,
    *,
    with_aliases: bool = True,
) -> Landed:
    """A fate without a text; what was kept of this URL before stays, with its fate."""
    former = fates.find_fate(db, stored_key(landing.url))
    if former is not None and former["fate"] in _FATES_WITH_TEXT:
        fates.keep_fate(db, landing, former["key"])
        return Landed(
            url=landing.url,
            fate=FateKind(former["fate"]),
            reason=f"kept, although now {fate.kind}: {fate.reason}",
            document_id=former["document_id"],
        )
    landed = Landed(url=landing.url, fate=fate.kind, reason=fate.reason)
    fates.settle_fate(
        db,
        landing,
        fate,
        now,
        column=landed.poll_column,
        with_aliases=with_aliases,
    )
    return landed


def _land_failure(
    db: Database, landing: Landing, failure: Failure, now: datetime
) -> Landed:
    detail = printable(failure.detail)
    if failure.gone:
        withdrawn = _withdraw(db, landing, detail, now)
        if withdrawn is not None:
            return withdrawn
    attempts = 1
    if landing.lead is not None:
        attempts = landing.lead.attempts + 1
    is_last_attempt = landing.lead is not None and attempts >= MAX_ATTEMPTS
    if failure.final or is_last_attempt:
        reason = detail.partition(":")[0][:80]
        fate = Fate(kind=FateKind.FAILED, reason=reason, detail=detail)
        # What failed under this address may be had under the others.
        return _land_without_text(db, landing, fate, now, with_aliases=False)

    delay = min(_FIRST_RETRY_DELAY * 2 ** (attempts - 1), _MAX_RETRY_DELAY)
    return _postpone(
        db, landing, detail, now, due=failure.retry_at or now + delay, attempts=attempts
    )


def _postpone(
    db: Database,
    landing: Landing,
    detail: str,
    now: datetime,
    *,
    due: datetime,
    attempts: int,
) -> Landed:
    """Try again later: the lead stays.

    One is made where there was none, unless the URL has a fate already.
    """
    key = stored_key(landing.url)
    lead_id = landing.lead.id if landing.lead is not None else 0
    waiting = db.execute(
        """
        UPDATE leads
        SET attempts = attempts + 1, next_attempt_at = ?, last_error = ?
        WHERE key = ? OR id = ?
        """,
        [to_text(due), detail, key, lead_id],
    )
    pending = Landed(url=landing.url, fate=None, reason=detail)
    if waiting.rowcount:
        return pending
    former = fates.find_fate(db, key)
    if former is not None:
        return Landed(
            url=landing.url,
            fate=FateKind(former["fate"]),
            reason=detail,
            document_id=former["document_id"],
        )
    if landing.lead is not None:
        lead = landing.lead.lead
    else:
        lead = Lead(url=landing.url, source=landing.source, via="manual", found_at=now)
    leads.add_lead(db, lead, now, next_attempt_at=due, attempts=attempts)
    return pending


def _withdraw(
    db: Database, landing: Landing, detail: str, now: datetime
) -> Landed | None:
    """The page of a kept text is gone: the text stays, marked as withdrawn.

    None where no text of this URL is kept.
    """
    row = documents.find_document_of_key(db, stored_key(landing.url))
    if row is None:
        return None
    what = None
    if row["withdrawn_at"] is None:
        what = ChangeKind.WITHDRAWN
        db.execute(
            "UPDATE documents SET withdrawn_at = ? WHERE id = ?",
            [to_text(now), row["id"]],
        )
        documents.record_change(
            db, row["article_id"], what, now, document_id=row["id"], detail=detail
        )
        db.execute(
            """
            UPDATE fates SET fate = 'withdrawn', detail = ?, at = ?
            WHERE document_id = ?
            """,
            [detail, to_text(now), row["id"]],
        )
    fates.keep_fate(db, landing, stored_key(landing.url))
    return Landed(
        url=landing.url,
        fate=FateKind.WITHDRAWN,
        reason=detail,
        what=what,
        document_id=row["id"],
        article_id=row["article_id"],
        title=row["title"],
    )
