"""The only way in for a document, and the place of deduplication.

A text whose URL is known is a revision or nothing new. Any other is a copy of a kept
article (its words are equal, or `copies` decides so, or a person did) or a new one.
Its URL may be known under other spellings; one key is one page.

Functions over an open `Database`, inside the transaction that the caller opened. After
a batch `documents.reindex_documents` must follow for every document that changed.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlite_utils import Database

from storage import identity, revisions, text_likeness
from storage.folding import fold, printable
from storage.model import ChangeKind, Document, FateKind, Landed, from_text, to_text
from storage.tables import annotations, copies, copy_index, heads
from storage.tables.columns import Row, stored_key, stored_url, text_to_column
from storage.tables.copies import CopyMatch, CopyOf
from storage.tables.documents import (
    extracted_columns,
    free_sort_key,
    insert_document,
    record_change,
    replace_mentions,
    revision_columns,
)

# Below this, equal words on two hosts are chance or a placeholder ("Watch the video"),
# not one text.
MIN_WORDS = 20
# A page that keeps changing (a live blog, a counter) fills no disk: after so many
# states one a day is kept.
_MAX_FAST_REVISIONS = 24
_SLOW_REVISION_INTERVAL = timedelta(hours=24)
# Of a change that a better reading of an old response made.
REREAD_DETAIL = "read anew"
_DATE_COLUMNS = (
    "published_at",
    "published_how",
    "published_confidence",
    "published_raw",
)


def admit(
    db: Database, document: Document, *, now: datetime, is_reread: bool = False
) -> Landed:
    """Store a document as what it is.

    `is_reread`: an old response was read again, so that a text that differs is a better
    reading and no revision.
    """
    document = replace(
        document,
        url=stored_url(document.url),
        text=printable(document.text),
        title=text_to_column(document.title),
        authors=tuple(printable(author) for author in document.authors),
    )
    words = text_likeness.fold_words(document.text)
    key = stored_key(document.url)
    known = db.execute("SELECT * FROM documents WHERE key = ?", [key]).fetchone()
    if known is not None:
        return _admit_again(db, known, document, words, now, is_reread=is_reread)

    match = CopyMatch(copy_of=_find_exact_copy(db, document, words))
    if match.copy_of is None:
        match = copies.match_copies(db, document, now=now)
    # What a person said of two texts overrules what was found.
    match = annotations.correct_match(db, key, match)
    copy_of = match.copy_of
    number = insert_document(db, document, words, copy_of, now)
    landed = Landed(
        url=document.url,
        fate=FateKind.ARTICLE,
        reason="",
        what=ChangeKind.NEW,
        document_id=number,
        article_id=number,
        title=document.title,
    )
    if copy_of is not None:
        landed = replace(
            landed,
            fate=FateKind.COPY,
            reason=copy_of.kind,
            what=ChangeKind.COPIED,
            article_id=copy_of.article_id,
        )
    assert landed.what is not None
    assert landed.article_id is not None
    record_change(
        db,
        landed.article_id,
        landed.what,
        now,
        document_id=number,
        detail=landed.reason,
    )
    copy_index.add_to_index(db, number)
    db.conn.executemany(
        """
        INSERT INTO probable_copies (article_id, of_article_id, score)
        VALUES (?, ?, ?) ON CONFLICT DO NOTHING
        """,
        [(number, other, score) for other, score in match.probable],
    )
    if copy_of is None:
        return landed
    return heads.promote_if_original(db, landed, now)


def _find_exact_copy(
    db: Database, document: Document, words: Sequence[str]
) -> CopyOf | None:
    """The article that has these very words.

    A declaration alone makes no copy, for anybody can write one.
    """
    rows = db.execute(
        """
        SELECT article_id, host, title, text FROM documents WHERE text_hash = ?
        ORDER BY is_head DESC, id LIMIT 20
        """,
        [text_likeness.hash_words(list(words))],
    )
    for row in rows:
        if _is_exact_copy(row, document, words):
            break
    else:
        return None

    kind = "exact"
    if document.origin_url:
        declared = db.execute(
            "SELECT 1 FROM documents WHERE key = ? AND article_id = ?",
            [stored_key(document.origin_url), row["article_id"]],
        ).fetchone()
        if declared is not None:
            kind = "declared"
    return CopyOf(article_id=row["article_id"], kind=kind, score=1.0)


def _is_exact_copy(row: Row, document: Document, words: Sequence[str]) -> bool:
    if not words:
        return False
    if len(words) < MIN_WORDS:
        if row["host"] != identity.url_host(document.url):
            return False
        if fold(row["title"] or "") != fold(document.title or ""):
            return False
    # One hash of 64 bits for many texts: the words decide.
    return text_likeness.fold_words(row["text"]) == words


# A page that is known


def _admit_again(
    db: Database,
    known: Row,
    document: Document,
    words: Sequence[str],
    now: datetime,
    *,
    is_reread: bool,
) -> Landed:
    """A known URL: its text changed, or only what was extracted beside it, or nothing.

    The reason of the result: `revised`, `back` (it had been withdrawn), `retold` (a new
    extraction of the same text) or `unchanged`.
    """
    # A feed's own text never replaces that of the page.
    is_worse = document.from_feed and not known["from_feed"]
    is_changed = not is_worse and _has_new_content(
        known, document, words, is_reread=is_reread
    )
    is_new_extraction = is_reread or document.extractor != known["extractor"]
    is_retold = is_changed or (is_new_extraction and not is_worse)
    is_back = known["withdrawn_at"] is not None and not is_reread

    if is_changed and not is_reread:
        _insert_revision(db, known, now)
    values: dict[str, object] = {"checked_at": to_text(now)}
    if is_changed:
        values |= revision_columns(document, words)
        values["title"] = document.title or known["title"]
        values["updated_at"] = to_text(now)
    if is_retold:
        values |= _retold_columns(db, known, document, is_reread=is_reread)
        # Its keys in the index depend on the text and the date.
        copy_index.remove_from_index(db, known["id"])
        replace_mentions(db, known["id"], document)
    if is_back:
        values["withdrawn_at"] = None
    columns = ", ".join(f"{name} = :{name}" for name in values)
    db.execute(
        f"UPDATE documents SET {columns} WHERE id = :id",  # noqa: S608 - our column names
        {**values, "id": known["id"]},
    )
    if is_retold:
        copy_index.add_to_index(db, known["id"])

    reason, what = "unchanged", None
    if is_retold:
        reason = "retold"
    if is_back or is_changed:
        what = ChangeKind.REVISED
        reason = "revised" if is_changed else "back"
        detail = ""
        if is_back:
            detail = "back"
        elif is_reread:
            detail = REREAD_DETAIL
        record_change(
            db, known["article_id"], what, now, document_id=known["id"], detail=detail
        )

    landed = Landed(
        url=known["url"],
        fate=FateKind.ARTICLE,
        reason=reason,
        what=what,
        document_id=known["id"],
        article_id=known["article_id"],
        title=document.title,
    )
    if known["is_head"]:
        return landed
    if is_changed and _has_parted(db, known, document.text):
        return replace(landed, article_id=heads.split_copy(db, known["id"], now))
    return replace(landed, fate=FateKind.COPY)


def _has_new_content(
    known: Row, document: Document, words: Sequence[str], *, is_reread: bool
) -> bool:
    """Whether there is something new to read.

    Lines that turn over by themselves are nothing new, except in a better reading.
    """
    if document.title and fold(document.title) != fold(known["title"] or ""):
        return True
    if known["text_hash"] == text_likeness.hash_words(list(words)):
        return False
    return is_reread or not revisions.is_trivial(known["text"], document.text)


def _insert_revision(db: Database, known: Row, now: datetime) -> None:
    """Keep the state of a text before a change, within limits."""
    is_recent = from_text(known["updated_at"]) > now - _SLOW_REVISION_INTERVAL
    if known["revision"] >= _MAX_FAST_REVISIONS and is_recent:
        return
    db.execute(
        """
        INSERT INTO revisions (document_id, number, seen_at, title, capture_id, text)
        SELECT id, revision, updated_at, title, capture_id, text
        FROM documents WHERE id = ?
        """,
        [known["id"]],
    )
    db.execute(
        "UPDATE documents SET revision = revision + 1 WHERE id = ?", [known["id"]]
    )


def _retold_columns(
    db: Database, known: Row, document: Document, *, is_reread: bool
) -> dict[str, object]:
    """Columns that a new extraction fills, with the sort key where the date moved."""
    values = extracted_columns(document)
    # A page that moves its date with each edit was still published when it was first
    # published.
    was_edited = document.extractor == known["extractor"]
    if is_reread:
        was_edited = known["revision"] > 1
    if known["published_at"] and (document.published_at is None or was_edited):
        for name in _DATE_COLUMNS:
            values[name] = known[name]
    if values["published_at"] != known["published_at"]:
        seen_at = from_text(known["first_seen_at"])
        values["sort_key"] = free_sort_key(db, document.published_at, seen_at)
    return values


def _has_parted(db: Database, known: Row, text: str) -> bool:
    """Whether a copy has become another text than its head; a declared one never."""
    if known["kind"] == "declared":
        return False
    head = db.execute(
        "SELECT text FROM documents WHERE article_id = ? AND is_head = 1",
        [known["article_id"]],
    ).fetchone()
    return head is not None and not copies.is_same_text(text, head["text"])
