"""Landing what a visit to a URL brought: exactly one fate, or pending still.

Counters, captures, what hosts teach.

Functions over an open `Database`, inside the transaction that `Store` opened.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
)  # fmt: skip
from storage.tables import admission, annotations, rechecks, visits

# After so many failures that were not final, one is: 5 min doubled each time is two
# days by then.
MAX_ATTEMPTS = 9
_FIRST_RETRY_DELAY = timedelta(minutes=5)
_MAX_RETRY_DELAY = timedelta(hours=24)
_MAX_LEARNED_LINES = 400  # of one page, for what its host teaches

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

_POLL_COLUMNS = {
    FateKind.ARTICLE: "new", FateKind.COPY: "copies", FateKind.REJECTED: "rejected", FateKind.REFUSED: "refused",
    FateKind.TOO_OLD: "too_old", FateKind.FAILED: "failed", FateKind.WITHDRAWN: "failed", FateKind.FORGOTTEN: "refused",
}  # fmt: skip
_FIRST_SEEN_CHANGES = (ChangeKind.NEW, ChangeKind.COPIED, ChangeKind.PROMOTED)
_FATES_WITH_TEXT = (FateKind.ARTICLE, FateKind.COPY, FateKind.WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fate:
    kind: FateKind
    reason: str = ""
    detail: str = ""
    document_id: int | None = None


def land_batch(
    db: Database, archive: Archive | None, landings: Iterable[Landing], now: datetime
) -> list[Landed]:
    """Store a batch; a faulty landing fails alone."""
    landed = [_land_safely(db, archive, landing, now) for landing in landings]
    admission.reindex_documents(
        db,
        [
            item.document_id
            for item in landed
            if item.document_id and item.reason != "unchanged"
        ],
    )
    return landed


def _land_safely(
    db: Database, archive: Archive | None, landing: Landing, now: datetime
) -> Landed:
    try:
        with savepoint(db):
            return _land_one(db, archive, landing, now)
    except _ROW_FAULTS as error:
        with savepoint(db):
            return _land_failure(
                db,
                landing,
                Failure(
                    detail=f"storage: {type(error).__name__}: {error}"[:500], final=True
                ),
                now,
            )


def _land_one(
    db: Database, archive: Archive | None, landing: Landing, now: datetime
) -> Landed:
    if _is_forgotten(db, landing):
        _settle_fate(db, landing, _Fate(kind=FateKind.FORGOTTEN), now, column="refused")
        return Landed(url=landing.url, fate=FateKind.FORGOTTEN, reason="forgotten")
    landing = annotations.apply_judgement(db, landing)
    match landing.outcome:
        case Document() as document:
            return _land_text(db, archive, landing, document, now)
        case Rejection() as rejection:
            return _land_rejection(db, archive, landing, rejection, now)
        case Refusal(why=why, detail=detail):
            return _land_without_text(
                db,
                landing,
                _Fate(kind=FateKind.REFUSED, reason=why, detail=detail),
                now,
            )
        case TooOld(published_at=at):
            return _land_without_text(
                db,
                landing,
                _Fate(kind=FateKind.TOO_OLD, reason="too_old", detail=to_text(at)),
                now,
            )
        case Failure() as failure:
            return _land_failure(db, landing, failure, now)


def land_document(
    db: Database, document: Document, now: datetime, *, capture_id: int | None
) -> Landed:
    """Admit a document that no visit brought, with its fate and full text."""
    landing = Landing(outcome=document, url=document.url, source=document.source)
    landed = land_batch(db, None, [landing], now)[0]
    if capture_id is not None and landed.what is not None:
        db.execute(
            "UPDATE documents SET capture_id = ? WHERE id = ?",
            [capture_id, landed.document_id],
        )
    return landed


def _is_forgotten(db: Database, landing: Landing) -> bool:
    urls = [landing.url, *landing.aliases]
    if isinstance(landing.outcome, Document):
        urls.append(landing.outcome.url)
    found = db.execute(
        "SELECT 1 FROM json_each(?) AS j JOIN fates ON fates.key = j.value AND fates.fate = 'forgotten'",
        [json.dumps([visits.url_key(url) for url in urls])],
    )
    return found.fetchone() is not None


# Read and kept, read and not kept


def _land_text(
    db: Database,
    archive: Archive | None,
    landing: Landing,
    document: Document,
    now: datetime,
) -> Landed:
    landed = admission.admit(db, document, now=now, anew=landing.capture_id is not None)
    assert landed.fate is not None
    assert landed.document_id is not None
    assert landed.article_id is not None
    if landed.what is not None and landed.reason != "back":
        capture_id = _save_capture(db, archive, landing, "kept")
        if capture_id is not None or landed.what is ChangeKind.REVISED:
            db.execute(
                "UPDATE documents SET capture_id = ? WHERE id = ?",
                [capture_id, landed.document_id],
            )
        learn_lines(
            db, identity.url_host(document.url), landing.lines, landed.article_id, now
        )
    if landing.again is not None and landed.what in _FIRST_SEEN_CHANGES:
        rechecks.plan_recheck(db, landed.document_id, landing.url, landing.again)
    reason = _copy_kind(db, landed.document_id) if landed.fate is FateKind.COPY else ""
    fate = _Fate(kind=landed.fate, reason=reason, document_id=landed.document_id)
    column = (
        {
            ChangeKind.NEW: "new",
            ChangeKind.COPIED: "copies",
            ChangeKind.PROMOTED: "copies",
            ChangeKind.REVISED: "revised",
        }.get(landed.what, "known")
        if landed.what
        else "known"
    )
    _settle_fate(db, landing, fate, now, column=column, own=document.url)
    db.execute("DELETE FROM rejections WHERE key = ?", [visits.url_key(landing.url)])
    return landed


def _copy_kind(db: Database, document_id: int) -> str:
    return str(
        db.execute("SELECT kind FROM documents WHERE id = ?", [document_id]).fetchone()[
            0
        ]
    )


def _remove_rejected_text(
    db: Database, landing: Landing, rejection: Rejection, now: datetime
) -> None:
    """Today's rules would not have kept what a capture says.

    The document goes, the capture stays.

    Not where a person said that it is relevant.
    """
    key = visits.url_key(landing.url)
    row = db.execute(
        "SELECT id, article_id, is_head, key FROM documents WHERE key = ? OR id = (SELECT document_id FROM fates WHERE "
        "key = ?)",
        [key, key],
    ).fetchone()
    if row is not None and not annotations.is_marked_relevant(db, row["key"]):
        db.execute(
            "UPDATE fates SET fate = 'rejected', reason = ? WHERE document_id = ?",
            [rejection.why, row["id"]],
        )
        admission.remove_document(
            db, row["id"], now, ChangeKind.RECLASSIFIED, rejection.why
        )


def _land_rejection(
    db: Database,
    archive: Archive | None,
    landing: Landing,
    rejection: Rejection,
    now: datetime,
) -> Landed:
    if landing.capture_id is not None:
        _remove_rejected_text(db, landing, rejection, now)
    landed = _land_without_text(
        db,
        landing,
        _Fate(kind=FateKind.REJECTED, reason=rejection.why, detail=rejection.detail),
        now,
    )
    if landed.fate is FateKind.REJECTED:
        _save_rejection(
            db, landing, rejection, _save_capture(db, archive, landing, "rejected"), now
        )
    if rejection.why is RejectionReason.IRRELEVANT:
        # What is off topic teaches its host's furniture as well; equal pages count as
        # one by their lines.
        learn_lines(
            db,
            identity.url_host(printable(rejection.url or landing.url)),
            landing.lines,
            _unkept_article_id(landing.lines),
            now,
        )
    return landed


def _save_rejection(
    db: Database,
    landing: Landing,
    rejection: Rejection,
    capture_id: int | None,
    now: datetime,
) -> None:
    verdict = rejection.verdict
    url = printable(landing.url)
    db.execute(
        """
        INSERT INTO rejections (key, url, source, title, why, detail, score, reasons, cuts, capture_id, at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET title = excluded.title, why = excluded.why, detail = excluded.detail,
            score = excluded.score,
            reasons = excluded.reasons, cuts = excluded.cuts, capture_id = coalesce(excluded.capture_id,
                capture_id), at = excluded.at
        """,
        [
            visits.url_key(url), visits.stored_url(url), landing.source, visits.text_to_column(rejection.title), rejection.why,
            printable(rejection.detail), verdict.score if verdict else None,
            json.dumps([asdict(r) for r in verdict.reasons] if verdict else [], ensure_ascii=False),
            printable(json.dumps([asdict(cut) for cut in rejection.cuts], ensure_ascii=False)), capture_id,
                to_text(now),
        ],
    )  # fmt: skip


def _save_capture(
    db: Database, archive: Archive | None, landing: Landing, kind: str
) -> int | None:
    """The capture's id.

    Equal bodies of one kind rest in one record, and each visit has a row.
    """
    page = landing.page
    if landing.capture_id is not None and not (
        kind == "kept" and _is_rejected_capture(db, landing.capture_id)
    ):
        return landing.capture_id
    if archive is None or page is None:
        return None
    digest = hashlib.sha256(page.body).hexdigest()
    row = db.execute(
        "SELECT file, offset, length FROM captures WHERE digest = ? AND kind = ? ORDER BY id DESC LIMIT 1",
        [digest, kind],
    ).fetchone()
    rest = (
        (row[0], row[1], row[2])
        if row and archive.may_share(row[0], kind, page.fetched_at)
        else archive.write_page(page, kind)
    )
    cursor = db.execute(
        "INSERT INTO captures (kind, url, fetched_at, status, digest, file, offset, length) VALUES (?, ?, ?, ?, ?, "
        "?, ?, ?)",
        [
            kind,
            visits.stored_url(page.final_url),
            to_text(page.fetched_at),
            page.status,
            digest,
            *rest,
        ],
    )
    return int(cursor.lastrowid or 0)


def _is_rejected_capture(db: Database, capture_id: int) -> bool:
    """Whether a capture rests with those of pages that were not kept."""
    row = db.execute("SELECT kind FROM captures WHERE id = ?", [capture_id]).fetchone()
    return row is not None and row[0] == "rejected"


# Not read


def _land_failure(
    db: Database, landing: Landing, failure: Failure, now: datetime
) -> Landed:
    detail = printable(failure.detail)
    if failure.gone:
        withdrawn = _withdraw(db, landing, detail, now)
        if withdrawn is not None:
            return withdrawn
    if failure.final or (
        landing.lead is not None and landing.lead.attempts + 1 >= MAX_ATTEMPTS
    ):
        return _land_without_text(
            db,
            landing,
            _Fate(
                kind=FateKind.FAILED,
                reason=detail.partition(":")[0][:80],
                detail=detail,
            ),
            now,
            alone=True,
        )
    return _postpone(db, landing, failure, detail, now)


def _postpone(
    db: Database, landing: Landing, failure: Failure, detail: str, now: datetime
) -> Landed:
    """Try again later.

    The lead stays, or is made where there was none and the URL has no fate yet.
    """
    key = visits.url_key(landing.url)
    attempts = landing.lead.attempts + 1 if landing.lead else 1
    due = failure.retry_at or now + min(
        _FIRST_RETRY_DELAY * 2 ** (attempts - 1), _MAX_RETRY_DELAY
    )
    cursor = db.execute(
        "UPDATE leads SET attempts = attempts + 1, next_attempt_at = ?, last_error = ? WHERE key = ? OR id = ?",
        [to_text(due), detail, key, landing.lead.id if landing.lead else 0],
    )
    fate = _find_fate(db, key)
    if not cursor.rowcount and fate is None:
        lead = landing.lead.lead if landing.lead else _bare_lead(landing, now)
        visits.add_lead(db, lead, now, next_attempt_at=due, attempts=attempts)
    kind = FateKind(fate["fate"]) if fate is not None and not cursor.rowcount else None
    return Landed(
        url=landing.url,
        fate=kind,
        reason=detail,
        document_id=fate["document_id"] if kind and fate else None,
    )


def _bare_lead(landing: Landing, now: datetime) -> Lead:
    return Lead(url=landing.url, source=landing.source, via="manual", found_at=now)


def _withdraw(
    db: Database, landing: Landing, detail: str, now: datetime
) -> Landed | None:
    """The page of something that was kept is gone.

    The text stays, and the article says so.
    """
    key = visits.url_key(landing.url)
    row = db.execute(
        """
        SELECT d.id, d.article_id, d.title, d.withdrawn_at FROM documents AS d
        WHERE d.key = :key OR d.id = (SELECT document_id FROM fates WHERE fates.key = :key)
        """,
        {"key": key},
    ).fetchone()
    if row is None:
        return None
    if row["withdrawn_at"] is None:
        db.execute(
            "UPDATE documents SET withdrawn_at = ? WHERE id = ?",
            [to_text(now), row["id"]],
        )
        admission.record_change(
            db,
            row["article_id"],
            ChangeKind.WITHDRAWN,
            now,
            document_id=row["id"],
            detail=detail,
        )
        db.execute(
            "UPDATE fates SET fate = 'withdrawn', detail = ?, at = ? WHERE document_id = ?",
            [detail, to_text(now), row["id"]],
        )
    _share_fate(db, _end_leads(db, [key], landing, column="known"), key)
    return Landed(
        url=landing.url,
        fate=FateKind.WITHDRAWN,
        reason=detail,
        what=ChangeKind.WITHDRAWN if row["withdrawn_at"] is None else None,
        document_id=row["id"],
        article_id=row["article_id"],
        title=row["title"],
    )


# Fates


def _land_without_text(
    db: Database, landing: Landing, fate: _Fate, now: datetime, *, alone: bool = False
) -> Landed:
    """A fate without a text.

    What was kept of this URL before stays, and keeps its fate.
    """
    standing = _find_fate(db, visits.url_key(landing.url))
    if standing is not None and standing["fate"] in _FATES_WITH_TEXT:
        _share_fate(
            db,
            _end_leads(db, [standing["key"]], landing, column="known"),
            standing["key"],
        )
        reason = f"kept, although now {fate.kind}: {fate.reason}"
        return Landed(
            url=landing.url,
            fate=FateKind(standing["fate"]),
            reason=reason,
            document_id=standing["document_id"],
        )
    _settle_fate(db, landing, fate, now, column=_POLL_COLUMNS[fate.kind], alone=alone)
    return Landed(url=landing.url, fate=fate.kind, reason=fate.reason)


def _settle_fate(
    db: Database,
    landing: Landing,
    fate: _Fate,
    now: datetime,
    *,
    column: str,
    own: str | None = None,
    alone: bool = False,
) -> None:
    """Write the fate for the URL, for the text's own URL, and for all that lead here.

    End their leads and count them.
    """
    urls = [landing.url] if own is None else [landing.url, own]
    keyed = {visits.url_key(url): url for url in ([] if alone else landing.aliases)} | {
        visits.url_key(url): url for url in urls
    }
    keyed |= _end_leads(db, list(keyed), landing, column=column)
    own_keys = {visits.url_key(url) for url in urls}
    for key, url in keyed.items():
        _upsert_fate(
            db, key, url, landing.source, fate, to_text(now), replace=key in own_keys
        )


def _upsert_fate(
    db: Database,
    key: str,
    url: str,
    source: str,
    fate: _Fate,
    at: str,
    *,
    replace: bool,
) -> None:
    # A URL that has a text of its own keeps that, even if it leads elsewhere today.
    db.execute(
        """
        INSERT INTO fates (key, url, source, fate, reason, detail, document_id, at)
        VALUES (:key, :url, :source, :fate, :reason, :detail, :document_id, :at)
        ON CONFLICT (key) DO UPDATE SET source = excluded.source, fate = excluded.fate, reason = excluded.reason,
            detail = excluded.detail, document_id = excluded.document_id, at = excluded.at
        WHERE (:replace OR excluded.document_id IS NOT NULL AND fates.document_id IS NULL AND fates.fate <> 'forgotten')
        AND NOT EXISTS (SELECT 1 FROM documents AS d WHERE d.key = fates.key AND d.id IS NOT excluded.document_id)
        """,
        {
            "key": key, "url": visits.stored_url(url), "source": source, "fate": fate.kind,
            "reason": printable(fate.reason), "detail": printable(fate.detail),
            "document_id": fate.document_id, "at": at, "replace": int(replace),
        },
    )  # fmt: skip


def _share_fate(db: Database, others: Mapping[str, str], key: str) -> None:
    """Give further URLs of a lead the fate that stands for this key."""
    db.conn.executemany(
        """
        INSERT INTO fates (key, url, source, fate, reason, detail, document_id, at)
        SELECT ?, ?, source, fate, reason, detail, document_id, at FROM fates WHERE key = ? ON CONFLICT DO NOTHING
        """,
        [(other, url, key) for other, url in others.items()],
    )


def _find_fate(db: Database, key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM fates WHERE key = ?", [key]
    ).fetchone()
    return row


def _end_leads(
    db: Database, keys: Sequence[str], landing: Landing, *, column: str
) -> dict[str, str]:
    """Take the leads of these URLs off the list and count them in their polls.

    Returns their other URLs by key.

    The landing's own lead counts as what it became; a further one that led to the same
    place counts as known.
    """
    own = landing.lead.id if landing.lead else 0
    rows = db.execute(
        "SELECT id, key, url, poll_id FROM leads WHERE id = ? OR key IN (SELECT value FROM json_each(?))",
        [own, json.dumps(list(keys))],
    ).fetchall()
    others: dict[str, str] = {}
    for row in sorted(
        rows,
        key=lambda row: (row["id"] != own, row["key"] != visits.url_key(landing.url)),
    ):
        others |= dict(
            db.execute(
                "SELECT key, url FROM aliases WHERE lead_id = ?", [row["id"]]
            ).fetchall()
        ) | {row["key"]: row["url"]}
        db.execute("DELETE FROM leads WHERE id = ?", [row["id"]])
        _count_in_poll(db, row["poll_id"], column)
        column = "known"
    return others


def _count_in_poll(db: Database, poll_id: int | None, column: str) -> None:
    if poll_id is not None:
        db.execute(
            f"UPDATE polls SET pending = pending - 1, {column} = {column} + 1 WHERE id = ?",  # noqa: S608
            [poll_id],
        )  # noqa: RUF100, S608


# What a host teaches

_LEARN_LINE_SQL = """
INSERT INTO host_lines (host, line, first_in, seen_at) VALUES (?, ?, ?, ?)
ON CONFLICT (host, line) DO UPDATE SET
    third_in = iif(second_in IS NOT NULL AND excluded.first_in <> second_in, excluded.first_in, NULL),
    second_in = coalesce(second_in, excluded.first_in),
    seen_at = excluded.seen_at
WHERE third_in IS NULL AND excluded.first_in <> first_in
"""


def learn_lines(
    db: Database, host: str, lines: Sequence[int], article_id: int, now: datetime
) -> None:
    """Remember the lines of an article.

    One that stands in three distinct articles of a host is its furniture.
    """
    if host:
        db.conn.executemany(
            _LEARN_LINE_SQL,
            [
                (host, line, article_id, to_text(now))
                for line in sorted(set(lines[:_MAX_LEARNED_LINES]))
            ],
        )


def list_learned_boilerplate(db: Database, host: str) -> frozenset[int]:
    """The line hashes that this host has taught to be furniture."""
    rows = db.execute(
        "SELECT line FROM host_lines WHERE host = ? AND third_in IS NOT NULL AND NOT spared",
        [host],
    )
    return frozenset(row[0] for row in rows)


def allow_line(db: Database, host: str, line: int, now: datetime) -> None:
    """The way back: this line is text on this host, whatever was learned or will be."""
    db.execute(
        """
        INSERT INTO host_lines (host, line, first_in, spared, seen_at) VALUES (?, ?, 0, 1, ?)
        ON CONFLICT (host, line) DO UPDATE SET spared = 1
        """,
        [host, line, to_text(now)],
    )


def _unkept_article_id(lines: Sequence[int]) -> int:
    """A negative number that stands for one text that is not kept.

    No article has it.
    """
    digest = hashlib.blake2b(repr(sorted(set(lines))).encode(), digest_size=7).digest()
    return -1 - int.from_bytes(digest, "big")
