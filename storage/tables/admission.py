"""The only way in for a document, and the place of deduplication.

A new article, a copy, a revision, or nothing new.

Functions over an open `Database`, inside the transaction that `Store` opened. A
document's entry in the full text is written by `reindex` at the end of a batch: FTS5
writes out its memory whenever a key is smaller than the last one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage import identity, revisions
from storage.folding import fold, printable
from storage.model import (
    ChangeKind,
    Document,
    FateKind,
    Landed,
    Mention,
    from_text,
    to_text,
)
from storage.query import syntax
from storage.tables import annotations, copies
from storage.tables.copies import CopyOf
from storage.tables.visits import stored_url, text_to_column, time_to_column, url_key

# Below this, equal words on two hosts are chance or a placeholder ("Watch the video"),
# not one text.
MIN_WORDS = 20
# A page that keeps changing (a live blog, a counter) fills no disk: after so many
# states one a day is kept.
_MAX_FAST_REVISIONS = 24
_SLOW_REVISION_INTERVAL = timedelta(hours=24)
# A date further ahead than this is a mistake or a trick: the article sorts by when it
# was seen.
_MAX_DATE_AHEAD = timedelta(hours=24)
_TIE_BITS = 20  # bits of a sort key that tell documents of one second apart


def admit(
    db: Database, document: Document, *, now: datetime, anew: bool = False
) -> Landed:
    """Store a document as what it is.

    `reindex` must follow for every document that changed.

    `anew`: an old response was read again, so that a text that differs is a better
    reading and no revision.
    """
    document = _clean_document(document)
    words = identity.fold_words(document.text)
    known = db.execute(
        "SELECT * FROM documents WHERE key = ?", [url_key(document.url)]
    ).fetchone()
    if known is not None:
        return _readmit(db, known, document, words, now, anew=anew)
    kin = _find_exact_copy(db, document, words)
    found = (
        copies.CopyMatch(copy_of=kin)
        if kin
        else copies.match_copies(db, document, now=now)
    )
    found = annotations.correct_match(db, url_key(document.url), found)
    document_id = _insert_document(db, document, words, found.copy_of, now)
    landed = _record_arrival(db, document_id, document, found.copy_of, now)
    copies.add_to_index(db, document_id)
    _insert_probable_copies(db, document_id, found.probable)
    return _promote_if_original(db, landed, now) if found.copy_of else landed


def _insert_probable_copies(
    db: Database, article_id: int, probable: Iterable[tuple[int, float]]
) -> None:
    db.conn.executemany(
        "INSERT INTO probable_copies (article_id, of_article_id, score) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(article_id, other, score) for other, score in probable],
    )


def _record_arrival(
    db: Database,
    document_id: int,
    document: Document,
    kin: CopyOf | None,
    now: datetime,
) -> Landed:
    article_id = kin.article_id if kin else document_id
    what = ChangeKind.COPIED if kin else ChangeKind.NEW
    record_change(
        db,
        article_id,
        what,
        now,
        document_id=document_id,
        detail=kin.kind if kin else "",
    )
    return Landed(
        url=document.url,
        fate=FateKind.COPY if kin else FateKind.ARTICLE,
        reason=kin.kind if kin else "",
        what=what,
        document_id=document_id,
        article_id=article_id,
        title=document.title,
    )


def _clean_document(document: Document) -> Document:
    return replace(
        document,
        url=stored_url(document.url),
        text=printable(document.text),
        title=text_to_column(document.title),
        authors=tuple(printable(author) for author in document.authors),
    )


# Deduplication


def _find_exact_copy(
    db: Database, document: Document, words: Sequence[str]
) -> CopyOf | None:
    """The article that this text is a copy of: by equal words.

    Never by a declaration alone, which anybody can make.
    """
    rows = db.execute(
        "SELECT article_id, host, title, text FROM documents WHERE text_hash = ? ORDER BY is_head DESC, id LIMIT 20",
        [identity.hash_words(list(words))],
    )
    twin = next((row for row in rows if _is_same_text(row, document, words)), None)
    if twin is None:
        return None
    return CopyOf(
        article_id=twin["article_id"],
        kind="declared" if _declares(db, document, twin["article_id"]) else "exact",
        score=1.0,
    )


def _is_same_text(
    row: Mapping[str, Any], document: Document, words: Sequence[str]
) -> bool:
    if len(words) < MIN_WORDS and not (
        words
        and row["host"] == identity.url_host(document.url)
        and fold(row["title"] or "") == fold(document.title or "")
    ):
        return False
    return identity.fold_words(row["text"]) == words


def _declares(db: Database, document: Document, article_id: int) -> bool:
    if not document.origin_url:
        return False
    found = db.execute(
        "SELECT 1 FROM documents WHERE key = ? AND article_id = ?",
        [url_key(document.origin_url), article_id],
    )
    return found.fetchone() is not None


# Who leads an article


def _promote_if_original(db: Database, landed: Landed, now: datetime) -> Landed:
    """Let the newly landed member lead its article where it is the original.

    The article keeps its number.
    """
    assert landed.article_id is not None
    document = db.execute(
        "SELECT * FROM documents WHERE id = ?", [landed.document_id]
    ).fetchone()
    head = db.execute(
        "SELECT * FROM documents WHERE article_id = ? AND is_head = 1",
        [document["article_id"]],
    ).fetchone()
    reason = (
        "" if head["id"] == document["id"] else copies.promotion_reason(head, document)
    )
    if not reason:
        return landed
    _make_copy(db, head["id"], document["kind"], document["score"])
    _make_head(db, document["id"])
    record_change(
        db,
        head["article_id"],
        ChangeKind.PROMOTED,
        now,
        document_id=document["id"],
        detail=reason,
    )
    _split_unlike_copies(db, head["article_id"], document, now)
    return replace(
        landed, fate=FateKind.ARTICLE, what=ChangeKind.PROMOTED, reason=reason
    )


def _make_head(db: Database, document_id: int) -> None:
    db.execute(
        "UPDATE documents SET is_head = 1, kind = NULL, score = NULL WHERE id = ?",
        [document_id],
    )
    db.execute(
        "UPDATE fates SET fate = 'article', reason = '' WHERE document_id = ? AND fate = 'copy'",
        [document_id],
    )
    copies.add_to_index(db, document_id)


def _make_copy(db: Database, document_id: int, kind: str, score: float) -> None:
    copies.remove_from_index(db, document_id)
    db.execute(
        "UPDATE documents SET is_head = 0, kind = ?, score = ? WHERE id = ?",
        [kind, score, document_id],
    )
    db.execute(
        "UPDATE fates SET fate = 'copy', reason = ? WHERE document_id = ? AND fate = 'article'",
        [kind, document_id],
    )
    copies.add_to_index(db, document_id)


def _split_unlike_copies(
    db: Database, article_id: int, head: Mapping[str, Any], now: datetime
) -> None:
    """Split off the copies that are none of the new head's.

    The nearest fifty are looked at.
    """
    rows = db.execute(
        "SELECT id, text FROM documents WHERE article_id = ? AND is_head = 0 AND kind = 'near' ORDER BY id LIMIT 50",
        [article_id],
    ).fetchall()
    for row in rows:
        if not copies.is_same_text(row["text"], head["text"]):
            split_copy(db, row["id"], now, "not a copy of the new head")


def split_copy(db: Database, document_id: int, now: datetime, detail: str = "") -> int:
    """Make a copy an article of its own, with a new number, which is returned."""
    former = db.execute(
        "SELECT article_id FROM documents WHERE id = ? AND is_head = 0", [document_id]
    ).fetchone()
    assert former is not None
    number = next_number(db)
    db.execute(
        "UPDATE documents SET article_id = ? WHERE id = ?", [number, document_id]
    )
    _make_head(db, document_id)
    record_change(
        db,
        number,
        ChangeKind.SPLIT,
        now,
        document_id=document_id,
        detail=detail or f"from {former[0]}",
    )
    return number


def join_article(
    db: Database, document_id: int, article_id: int, now: datetime, detail: str
) -> None:
    """Make a document a declared copy of an article.

    Where it led one itself, that one's copies come along.
    """
    row = db.execute(
        "SELECT article_id, is_head, text FROM documents WHERE id = ?", [document_id]
    ).fetchone()
    head = db.execute(
        "SELECT text FROM documents WHERE article_id = ? AND is_head = 1", [article_id]
    ).fetchone()
    former, likeness = (
        row["article_id"],
        identity.measure_likeness(
            *map(identity.profile_text, (row["text"], head["text"]))
        ),
    )
    _make_copy(db, document_id, "declared", round(likeness.score, 4))
    if not row["is_head"]:
        db.execute(
            "UPDATE documents SET article_id = ? WHERE id = ?",
            [article_id, document_id],
        )
    else:
        db.execute(
            "UPDATE documents SET article_id = ? WHERE article_id = ?",
            [article_id, former],
        )
        db.execute(
            "DELETE FROM probable_copies WHERE article_id = :id OR of_article_id = :id",
            {"id": former},
        )
        record_change(
            db,
            former,
            ChangeKind.RECLASSIFIED,
            now,
            detail=f"a copy of {article_id}, {detail}",
        )
    record_change(
        db,
        article_id,
        ChangeKind.COPIED,
        now,
        document_id=document_id,
        detail=f"from {former}, {detail}",
    )


# Writing


def next_number(db: Database) -> int:
    """The next number of the space that documents and articles share."""
    row = db.execute(
        "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'documents' RETURNING seq"
    ).fetchone()
    return int(row[0])


def free_sort_key(db: Database, at: datetime) -> int:
    """A free key that follows time.

    Seconds since 1970, then a number that tells documents of one second apart.
    """
    second = max(int(at.timestamp()), 0)
    while True:
        first, beyond = second << _TIE_BITS, (second + 1) << _TIE_BITS
        last = db.execute(
            "SELECT max(sort_key) FROM documents WHERE sort_key >= ? AND sort_key < ?",
            [first, beyond],
        ).fetchone()[0]
        if last is None:
            return first
        if last + 1 < beyond:
            return int(last) + 1
        second += 1


def _sort_time(published_at: datetime | None, seen_at: datetime) -> datetime:
    return (
        published_at
        if published_at is not None and published_at <= seen_at + _MAX_DATE_AHEAD
        else seen_at
    )


def _insert_document(
    db: Database,
    document: Document,
    words: Sequence[str],
    kin: CopyOf | None,
    now: datetime,
) -> int:
    document_id = next_number(db)
    at = to_text(now)
    _insert_values(
        db,
        "INSERT INTO documents ({names}) VALUES ({marks})",
        {
            "id": document_id, "article_id": kin.article_id if kin else document_id, "is_head": int(kin is None),
            "kind": kin.kind if kin else None, "score": kin.score if kin else None,
            "sort_key": free_sort_key(db, _sort_time(document.published_at, now)),
            "key": url_key(document.url), "url": document.url, "source": document.source,
            "host": identity.url_host(document.url),
            "via": document.via, "backfill": int(document.backfill),
            "first_seen_at": at, "updated_at": at, "checked_at": at,
        } | _extracted_columns(document) | _revision_columns(document, words),
    )  # fmt: skip
    _write_mentions(db, document_id, document)
    return document_id


def _insert_values(db: Database, statement: str, values: dict[str, object]) -> None:
    db.execute(
        statement.format(
            names=", ".join(values), marks=", ".join(f":{name}" for name in values)
        ),
        values,
    )


def _revision_columns(document: Document, words: Sequence[str]) -> dict[str, object]:
    """The columns that make a revision when they change."""
    return {
        "title": document.title, "text": document.text, "words": len(words),
        "text_hash": identity.hash_words(list(words)),
        "from_feed": int(document.from_feed),
    }  # fmt: skip


def _extracted_columns(document: Document) -> dict[str, object]:
    """The columns that say something about the text.

    A better extraction replaces them without a revision.
    """
    verdict = document.verdict
    return {
        "authors": _to_json(document.authors), "language": text_to_column(document.language),
        "published_at": time_to_column(document.published_at), "published_how": document.published_how,
        "published_confidence": document.published_confidence, "published_raw": text_to_column(document.published_raw),
        "modified_at": time_to_column(document.modified_at), "relevance": verdict.score,
        "reasons": _to_json([asdict(r) for r in verdict.reasons]),
        "site": text_to_column(document.site), "section": text_to_column(document.section), "image": text_to_column(document.image),
        "origin_url": text_to_column(document.origin_url), "credit": text_to_column(document.credit), "extractor": document.extractor,
        "extracted_how": text_to_column(document.extracted_how), "cuts": _to_json([asdict(cut) for cut in document.cuts]),
    }  # fmt: skip


def _to_json(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


def _write_mentions(db: Database, document_id: int, document: Document) -> None:
    db.conn.executemany(
        "INSERT INTO document_mentions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + "
        "excluded.count",
        [
            (
                document_id,
                m.kind,
                m.code,
                printable(m.name),
                m.count,
                printable(m.sentence),
            )
            for m in document.mentions
        ],
    )
    db.conn.executemany(
        "INSERT INTO document_claims VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                document_id,
                n,
                c.kind,
                c.number,
                printable(c.qualifier),
                printable(c.said_by),
                printable(c.sentence),
            )
            for n, c in enumerate(document.claims, 1)
        ],
    )


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
        "INSERT INTO changes (at, article_id, what, document_id, detail) VALUES (?, ?, ?, ?, ?)",
        [to_text(now), article_id, what, document_id, detail],
    )


# Leaving


def remove_document(
    db: Database, document_id: int, now: datetime, what: ChangeKind, detail: str = ""
) -> None:
    """Take a document out with all that hangs on it; its fates are the caller's.

    None there is no fault.
    """
    copies.remove_from_index(db, document_id)
    row = db.execute(
        "DELETE FROM documents WHERE id = ? RETURNING article_id, is_head",
        [document_id],
    ).fetchone()
    if row is None:
        return
    record_change(
        db, row["article_id"], what, now, document_id=document_id, detail=detail
    )
    if row["is_head"]:
        _promote_next_copy(db, row["article_id"], now)


def _promote_next_copy(db: Database, article_id: int, now: datetime) -> None:
    """The earliest copy that is left leads now; with none left the article is gone."""
    heir = db.execute(
        "SELECT id FROM documents WHERE article_id = ? ORDER BY coalesce(published_at, first_seen_at), id LIMIT 1",
        [article_id],
    ).fetchone()
    if heir is None:
        db.execute(
            "DELETE FROM probable_copies WHERE article_id = :id OR of_article_id = :id",
            {"id": article_id},
        )
        db.execute(
            "DELETE FROM host_lines WHERE first_in = :id OR second_in = :id OR third_in = :id",
            {"id": article_id},
        )
        return
    _make_head(db, heir[0])
    record_change(
        db,
        article_id,
        ChangeKind.PROMOTED,
        now,
        document_id=heir[0],
        detail="the head left",
    )


# Seen again


def _readmit(
    db: Database,
    known: Mapping[str, Any],
    document: Document,
    words: Sequence[str],
    now: datetime,
    *,
    anew: bool,
) -> Landed:
    """A known URL: its text changed, or only what is told about it, or nothing."""
    worse = _is_worse(known, document)
    changed = not worse and _has_new_content(known, document, words, anew=anew)
    retold = changed or (
        not worse and (anew or document.extractor != known["extractor"])
    )
    back = known["withdrawn_at"] is not None and not anew
    if changed and not anew:
        _insert_revision(db, known, now)
    if retold:
        copies.remove_from_index(db, known["id"])
    _update_document(
        db, known, document, words, now, changed=changed, retold=retold, anew=anew
    )
    if retold:
        copies.add_to_index(db, known["id"])
    if back:
        db.execute(
            "UPDATE documents SET withdrawn_at = NULL WHERE id = ?", [known["id"]]
        )
    what = ChangeKind.REVISED if changed or back else None
    if what:
        detail = "back" if back else "read anew" if anew else ""
        record_change(
            db, known["article_id"], what, now, document_id=known["id"], detail=detail
        )
    article_id = (
        _split_if_different(db, known, document.text, now)
        if changed and not known["is_head"]
        else None
    )
    return Landed(
        url=known["url"],
        fate=FateKind.ARTICLE if known["is_head"] or article_id else FateKind.COPY,
        reason="revised"
        if changed
        else "back"
        if what
        else "retold"
        if retold
        else "unchanged",
        what=what,
        document_id=known["id"],
        article_id=article_id or known["article_id"],
        title=document.title,
    )


def _split_if_different(
    db: Database, known: Mapping[str, Any], text: str, now: datetime
) -> int | None:
    """The number of the article that a copy became because its text went its own way; None where it is a copy still."""
    head = db.execute(
        "SELECT text FROM documents WHERE article_id = ? AND is_head = 1",
        [known["article_id"]],
    ).fetchone()
    if (
        head is None
        or known["kind"] == "declared"
        or copies.is_same_text(text, head["text"])
    ):
        return None
    return split_copy(db, known["id"], now)


def _is_worse(known: Mapping[str, Any], document: Document) -> bool:
    """A feed's own text never replaces that of the page."""
    return document.from_feed and not known["from_feed"]


def _has_new_content(
    known: Mapping[str, Any], document: Document, words: Sequence[str], *, anew: bool
) -> bool:
    """Whether there is something new to read.

    What turns over by itself is nothing, but for a better reading.
    """
    if document.title and fold(document.title) != fold(known["title"] or ""):
        return True
    if known["text_hash"] == identity.hash_words(list(words)):
        return False
    return anew or not revisions.is_trivial(known["text"], document.text)


def _insert_revision(db: Database, known: Mapping[str, Any], now: datetime) -> None:
    if (
        known["revision"] >= _MAX_FAST_REVISIONS
        and from_text(known["updated_at"]) > now - _SLOW_REVISION_INTERVAL
    ):
        return
    db.execute(
        "INSERT INTO revisions (document_id, number, seen_at, title, capture_id, text) VALUES (?, ?, ?, ?, ?, ?)",
        [
            known["id"],
            known["revision"],
            known["updated_at"],
            known["title"],
            known["capture_id"],
            known["text"],
        ],
    )
    db.execute(
        "UPDATE documents SET revision = revision + 1 WHERE id = ?", [known["id"]]
    )


def _update_document(
    db: Database,
    known: Mapping[str, Any],
    document: Document,
    words: Sequence[str],
    now: datetime,
    *,
    changed: bool,
    retold: bool,
    anew: bool,
) -> None:
    values: dict[str, object] = {"checked_at": to_text(now)}
    if changed:
        values |= _revision_columns(document, words) | {
            "title": document.title or known["title"],
            "updated_at": to_text(now),
        }
    if retold:
        values |= _extracted_columns(document)
        # A page that moves its date with each edit was still published when it was
        # first published.
        was_edited = (
            known["revision"] > 1 if anew else document.extractor == known["extractor"]
        )
        if known["published_at"] and (document.published_at is None or was_edited):
            values |= {
                n: known[n]
                for n in (
                    "published_at",
                    "published_how",
                    "published_confidence",
                    "published_raw",
                )
            }
        for table in ("document_mentions", "document_claims"):
            db.execute(f"DELETE FROM {table} WHERE document_id = ?", [known["id"]])  # noqa: S608 - one of two tables
        _write_mentions(db, known["id"], document)
    if values.get("published_at", known["published_at"]) != known["published_at"]:
        at = document.published_at
        values["sort_key"] = free_sort_key(
            db, _sort_time(at, from_text(known["first_seen_at"]))
        )
    columns = ", ".join(f"{name} = :{name}" for name in values)
    db.execute(
        f"UPDATE documents SET {columns} WHERE id = :id",  # noqa: S608 - constants
        values | {"id": known["id"]},
    )


# Full text


def reindex_documents(db: Database, document_ids: Iterable[int]) -> None:
    """Bring the full text of these documents up to date, in the order of their keys.

    Documents that are gone are left out of it.
    """
    ids = json.dumps(sorted(set(document_ids)))
    db.execute(
        "DELETE FROM folded WHERE document_id IN (SELECT value FROM json_each(?))",
        [ids],
    )
    rows = db.execute(
        "SELECT sort_key, id, title, text, source, language FROM documents WHERE id IN (SELECT value FROM "
        "json_each(?)) ORDER BY sort_key",
        [ids],
    ).fetchall()
    for row in rows:
        db.execute(
            "INSERT INTO folded (key, document_id, title, text, tags) VALUES (?, ?, ?, ?, ?)",
            [
                row["sort_key"],
                row["id"],
                fold(row["title"] or ""),
                fold(row["text"]),
                _document_tags(db, row),
            ],
        )


def _document_tags(db: Database, row: Mapping[str, Any]) -> str:
    found = db.execute(
        """
        SELECT m.kind, m.code, m.name, m.count, p.province_code FROM document_mentions AS m
        LEFT JOIN places AS p ON m.kind = 'place' AND p.code = m.code WHERE m.document_id = ?
        """,
        [row["id"]],
    ).fetchall()
    return syntax.document_tags(
        source=row["source"],
        language=row["language"],
        mentions=[
            Mention(kind=m["kind"], code=m["code"], name=m["name"], count=m["count"])
            for m in found
        ],
        provinces={m["code"]: m["province_code"] for m in found if m["province_code"]},
    )
