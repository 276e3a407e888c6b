"""The only way in for a document, and the place of deduplication: a new article, a copy, a revision, or nothing new.

Functions over an open `Database`, inside the transaction that `Store` opened. A document's entry in the full text is
written by `reindex` at the end of a batch: FTS5 writes out its memory whenever a key is smaller than the last one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage import identity, revisions
from storage.finding import query
from storage.folding import fold, printable
from storage.model import Document, FateKind, Landed, Mention, What, from_text, to_text
from storage.tables import copies, marks
from storage.tables.copies import Kin
from storage.tables.visits import clean, key_of, stamp, stored

# Below this, equal words on two hosts are chance or a placeholder ("Watch the video"), not one text.
FEWEST_WORDS = 20
# A page that keeps changing (a live blog, a counter) fills no disk: after so many states one a day is kept.
_MANY_REVISIONS = 24
_SLOW_REVISIONS = timedelta(hours=24)
# A date further ahead than this is a mistake or a trick: the article sorts by when it was seen.
_AHEAD = timedelta(hours=24)
_TIES = 20  # bits of a sort key that tell documents of one second apart


def admit(db: Database, document: Document, *, now: datetime, anew: bool = False) -> Landed:
    """Store a document as what it is; `reindex` must follow for every document that changed.

    `anew`: an old response was read again, so that a text that differs is a better reading and no revision.
    """
    document = _clean(document)
    words = identity.words(document.text)
    known = db.execute("SELECT * FROM documents WHERE key = ?", [key_of(document.url)]).fetchone()
    if known is not None:
        return _again(db, known, document, words, now, anew=anew)
    kin = _kin(db, document, words)
    found = copies.Match(kin=kin) if kin else copies.match(db, document, now=now)
    found = marks.corrected(db, key_of(document.url), found)
    document_id = _insert(db, document, words, found.kin, now)
    landed = _entered(db, document_id, document, found.kin, now)
    copies.enter(db, document_id)
    _link(db, document_id, found.probable)
    return _elected(db, landed, now) if found.kin else landed


def _link(db: Database, article_id: int, probable: Iterable[tuple[int, float]]) -> None:
    db.conn.executemany(
        "INSERT INTO probable_copies (article_id, of_article_id, score) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(article_id, other, score) for other, score in probable],
    )


def _entered(db: Database, document_id: int, document: Document, kin: Kin | None, now: datetime) -> Landed:
    article_id = kin.article_id if kin else document_id
    what = What.COPIED if kin else What.NEW
    note(db, article_id, what, now, document_id=document_id, detail=kin.kind if kin else "")
    return Landed(
        url=document.url,
        fate=FateKind.COPY if kin else FateKind.ARTICLE,
        reason=kin.kind if kin else "",
        what=what,
        document_id=document_id,
        article_id=article_id,
        title=document.title,
    )


def _clean(document: Document) -> Document:
    return replace(
        document,
        url=stored(document.url),
        text=printable(document.text),
        title=clean(document.title),
        authors=tuple(printable(author) for author in document.authors),
    )


# Deduplication


def _kin(db: Database, document: Document, words: Sequence[str]) -> Kin | None:
    """The article that this text is a copy of: by equal words; never by a declaration alone, which anybody can make."""
    rows = db.execute(
        "SELECT article_id, host, title, text FROM documents WHERE text_hash = ? ORDER BY is_head DESC, id LIMIT 20",
        [identity.hash_words(list(words))],
    )
    twin = next((row for row in rows if _same_text(row, document, words)), None)
    if twin is None:
        return None
    return Kin(
        article_id=twin["article_id"],
        kind="declared" if _declares(db, document, twin["article_id"]) else "exact",
        score=1.0,
    )


def _same_text(row: Mapping[str, Any], document: Document, words: Sequence[str]) -> bool:
    if len(words) < FEWEST_WORDS and not (
        words and row["host"] == identity.host(document.url) and fold(row["title"] or "") == fold(document.title or "")
    ):
        return False
    return identity.words(row["text"]) == words


def _declares(db: Database, document: Document, article_id: int) -> bool:
    if not document.origin_url:
        return False
    found = db.execute(
        "SELECT 1 FROM documents WHERE key = ? AND article_id = ?", [key_of(document.origin_url), article_id]
    )
    return found.fetchone() is not None


# Who leads an article


def _elected(db: Database, landed: Landed, now: datetime) -> Landed:
    """Let the newly landed member lead its article where it is the original; the article keeps its number."""
    assert landed.article_id is not None
    document = db.execute("SELECT * FROM documents WHERE id = ?", [landed.document_id]).fetchone()
    head = db.execute(
        "SELECT * FROM documents WHERE article_id = ? AND is_head = 1", [document["article_id"]]
    ).fetchone()
    reason = "" if head["id"] == document["id"] else copies.leads(head, document)
    if not reason:
        return landed
    _follow(db, head["id"], document["kind"], document["score"])
    _lead(db, document["id"])
    note(db, head["article_id"], What.PROMOTED, now, document_id=document["id"], detail=reason)
    _reconsider(db, head["article_id"], document, now)
    return replace(landed, fate=FateKind.ARTICLE, what=What.PROMOTED, reason=reason)


def _lead(db: Database, document_id: int) -> None:
    db.execute("UPDATE documents SET is_head = 1, kind = NULL, score = NULL WHERE id = ?", [document_id])
    db.execute("UPDATE fates SET fate = 'article', reason = '' WHERE document_id = ? AND fate = 'copy'", [document_id])
    copies.enter(db, document_id)


def _follow(db: Database, document_id: int, kind: str, score: float) -> None:
    copies.leave(db, document_id)
    db.execute("UPDATE documents SET is_head = 0, kind = ?, score = ? WHERE id = ?", [kind, score, document_id])
    db.execute(
        "UPDATE fates SET fate = 'copy', reason = ? WHERE document_id = ? AND fate = 'article'", [kind, document_id]
    )
    copies.enter(db, document_id)


def _reconsider(db: Database, article_id: int, head: Mapping[str, Any], now: datetime) -> None:
    """Split off the copies that are none of the new head's; the nearest fifty are looked at."""
    rows = db.execute(
        "SELECT id, text FROM documents WHERE article_id = ? AND is_head = 0 AND kind = 'near' ORDER BY id LIMIT 50",
        [article_id],
    ).fetchall()
    for row in rows:
        if not copies.same(row["text"], head["text"]):
            split(db, row["id"], now, "not a copy of the new head")


def split(db: Database, document_id: int, now: datetime, detail: str = "") -> int:
    """Make a copy an article of its own, with a new number, which is returned."""
    former = db.execute("SELECT article_id FROM documents WHERE id = ? AND is_head = 0", [document_id]).fetchone()
    assert former is not None
    number = new_number(db)
    db.execute("UPDATE documents SET article_id = ? WHERE id = ?", [number, document_id])
    _lead(db, document_id)
    note(db, number, What.SPLIT, now, document_id=document_id, detail=detail or f"from {former[0]}")
    return number


def join(db: Database, document_id: int, article_id: int, now: datetime, detail: str) -> None:
    """Make a document a declared copy of an article; where it led one itself, that one's copies come along."""
    row = db.execute("SELECT article_id, is_head, text FROM documents WHERE id = ?", [document_id]).fetchone()
    head = db.execute("SELECT text FROM documents WHERE article_id = ? AND is_head = 1", [article_id]).fetchone()
    former, likeness = row["article_id"], identity.likeness(*map(identity.profile, (row["text"], head["text"])))
    _follow(db, document_id, "declared", round(likeness.score, 4))
    if not row["is_head"]:
        db.execute("UPDATE documents SET article_id = ? WHERE id = ?", [article_id, document_id])
    else:
        db.execute("UPDATE documents SET article_id = ? WHERE article_id = ?", [article_id, former])
        db.execute("DELETE FROM probable_copies WHERE article_id = :id OR of_article_id = :id", {"id": former})
        note(db, former, What.RECLASSIFIED, now, detail=f"a copy of {article_id}, {detail}")
    note(db, article_id, What.COPIED, now, document_id=document_id, detail=f"from {former}, {detail}")


# Writing


def new_number(db: Database) -> int:
    """The next number of the space that documents and articles share."""
    row = db.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'documents' RETURNING seq").fetchone()
    return int(row[0])


def sort_key(db: Database, at: datetime) -> int:
    """A free key that follows time: seconds since 1970, then a number that tells documents of one second apart."""
    second = max(int(at.timestamp()), 0)
    while True:
        first, beyond = second << _TIES, (second + 1) << _TIES
        last = db.execute(
            "SELECT max(sort_key) FROM documents WHERE sort_key >= ? AND sort_key < ?", [first, beyond]
        ).fetchone()[0]
        if last is None:
            return first
        if last + 1 < beyond:
            return int(last) + 1
        second += 1


def _sort_time(published_at: datetime | None, seen_at: datetime) -> datetime:
    return published_at if published_at is not None and published_at <= seen_at + _AHEAD else seen_at


def _insert(db: Database, document: Document, words: Sequence[str], kin: Kin | None, now: datetime) -> int:
    document_id = new_number(db)
    at = to_text(now)
    _write(
        db,
        "INSERT INTO documents ({names}) VALUES ({marks})",
        {
            "id": document_id, "article_id": kin.article_id if kin else document_id, "is_head": int(kin is None),
            "kind": kin.kind if kin else None, "score": kin.score if kin else None,
            "sort_key": sort_key(db, _sort_time(document.published_at, now)),
            "key": key_of(document.url), "url": document.url, "source": document.source,
            "host": identity.host(document.url),
            "via": document.via, "backfill": int(document.backfill),
            "first_seen_at": at, "updated_at": at, "checked_at": at,
        } | _told(document) | _said(document, words),
    )  # fmt: skip
    _write_mentions(db, document_id, document)
    return document_id


def _write(db: Database, statement: str, values: dict[str, object]) -> None:
    db.execute(statement.format(names=", ".join(values), marks=", ".join(f":{name}" for name in values)), values)


def _said(document: Document, words: Sequence[str]) -> dict[str, object]:
    """The columns that make a revision when they change."""
    return {
        "title": document.title, "text": document.text, "words": len(words),
        "text_hash": identity.hash_words(list(words)),
        "from_feed": int(document.from_feed),
    }  # fmt: skip


def _told(document: Document) -> dict[str, object]:
    """The columns that say something about the text; a better extraction replaces them without a revision."""
    verdict = document.verdict
    return {
        "authors": _json(document.authors), "language": clean(document.language),
        "published_at": stamp(document.published_at), "published_how": document.published_how,
        "published_confidence": document.published_confidence, "published_raw": clean(document.published_raw),
        "modified_at": stamp(document.modified_at), "relevance": verdict.score,
        "reasons": _json([asdict(r) for r in verdict.reasons]),
        "site": clean(document.site), "section": clean(document.section), "image": clean(document.image),
        "origin_url": clean(document.origin_url), "credit": clean(document.credit), "extractor": document.extractor,
        "extracted_how": clean(document.extracted_how), "cuts": _json([asdict(cut) for cut in document.cuts]),
    }  # fmt: skip


def _json(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


def _write_mentions(db: Database, document_id: int, document: Document) -> None:
    db.conn.executemany(
        "INSERT INTO document_mentions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + "
        "excluded.count",
        [(document_id, m.kind, m.code, printable(m.name), m.count, printable(m.sentence)) for m in document.mentions],
    )
    db.conn.executemany(
        "INSERT INTO document_claims VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (document_id, n, c.kind, c.number, printable(c.qualifier), printable(c.said_by), printable(c.sentence))
            for n, c in enumerate(document.claims, 1)
        ],
    )


def note(
    db: Database, article_id: int, what: What, now: datetime, *, document_id: int | None = None, detail: str = ""
) -> None:
    """Append to the log that programs follow."""
    db.execute(
        "INSERT INTO changes (at, article_id, what, document_id, detail) VALUES (?, ?, ?, ?, ?)",
        [to_text(now), article_id, what, document_id, detail],
    )


# Leaving


def remove(db: Database, document_id: int, now: datetime, what: What, detail: str = "") -> None:
    """Take a document out with all that hangs on it; its fates are the caller's. None there is no fault."""
    copies.leave(db, document_id)
    row = db.execute("DELETE FROM documents WHERE id = ? RETURNING article_id, is_head", [document_id]).fetchone()
    if row is None:
        return
    note(db, row["article_id"], what, now, document_id=document_id, detail=detail)
    if row["is_head"]:
        _after_head(db, row["article_id"], now)


def _after_head(db: Database, article_id: int, now: datetime) -> None:
    """The earliest copy that is left leads now; with none left the article is gone."""
    heir = db.execute(
        "SELECT id FROM documents WHERE article_id = ? ORDER BY coalesce(published_at, first_seen_at), id LIMIT 1",
        [article_id],
    ).fetchone()
    if heir is None:
        db.execute("DELETE FROM probable_copies WHERE article_id = :id OR of_article_id = :id", {"id": article_id})
        db.execute(
            "DELETE FROM host_lines WHERE first_in = :id OR second_in = :id OR third_in = :id", {"id": article_id}
        )
        return
    _lead(db, heir[0])
    note(db, article_id, What.PROMOTED, now, document_id=heir[0], detail="the head left")


# Seen again


def _again(
    db: Database, known: Mapping[str, Any], document: Document, words: Sequence[str], now: datetime, *, anew: bool
) -> Landed:
    """A known URL: its text changed, or only what is told about it, or nothing."""
    worse = _worse(known, document)
    changed = not worse and _says_other(known, document, words, anew=anew)
    retold = changed or (not worse and (anew or document.extractor != known["extractor"]))
    back = known["withdrawn_at"] is not None and not anew
    if changed and not anew:
        _keep_state(db, known, now)
    if retold:
        copies.leave(db, known["id"])
    _update(db, known, document, words, now, changed=changed, retold=retold, anew=anew)
    if retold:
        copies.enter(db, known["id"])
    if back:
        db.execute("UPDATE documents SET withdrawn_at = NULL WHERE id = ?", [known["id"]])
    what = What.REVISED if changed or back else None
    if what:
        detail = "back" if back else "read anew" if anew else ""
        note(db, known["article_id"], what, now, document_id=known["id"], detail=detail)
    article_id = _parted(db, known, document.text, now) if changed and not known["is_head"] else None
    return Landed(
        url=known["url"],
        fate=FateKind.ARTICLE if known["is_head"] or article_id else FateKind.COPY,
        reason="revised" if changed else "back" if what else "retold" if retold else "unchanged",
        what=what,
        document_id=known["id"],
        article_id=article_id or known["article_id"],
        title=document.title,
    )


def _parted(db: Database, known: Mapping[str, Any], text: str, now: datetime) -> int | None:
    """The number of the article that a copy became because its text went its own way; None where it is a copy still."""
    head = db.execute(
        "SELECT text FROM documents WHERE article_id = ? AND is_head = 1", [known["article_id"]]
    ).fetchone()
    if head is None or known["kind"] == "declared" or copies.same(text, head["text"]):
        return None
    return split(db, known["id"], now)


def _worse(known: Mapping[str, Any], document: Document) -> bool:
    """A feed's own text never replaces that of the page."""
    return document.from_feed and not known["from_feed"]


def _says_other(known: Mapping[str, Any], document: Document, words: Sequence[str], *, anew: bool) -> bool:
    """Whether there is something new to read; what turns over by itself is nothing, but for a better reading."""
    if document.title and fold(document.title) != fold(known["title"] or ""):
        return True
    if known["text_hash"] == identity.hash_words(list(words)):
        return False
    return anew or not revisions.trivial(known["text"], document.text)


def _keep_state(db: Database, known: Mapping[str, Any], now: datetime) -> None:
    if known["revision"] >= _MANY_REVISIONS and from_text(known["updated_at"]) > now - _SLOW_REVISIONS:
        return
    db.execute(
        "INSERT INTO revisions (document_id, number, seen_at, title, capture_id, text) VALUES (?, ?, ?, ?, ?, ?)",
        [known["id"], known["revision"], known["updated_at"], known["title"], known["capture_id"], known["text"]],
    )
    db.execute("UPDATE documents SET revision = revision + 1 WHERE id = ?", [known["id"]])


def _update(
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
        values |= _said(document, words) | {"title": document.title or known["title"], "updated_at": to_text(now)}
    if retold:
        values |= _told(document)
        # A page that moves its date with each edit was still published when it was first published.
        was_edited = known["revision"] > 1 if anew else document.extractor == known["extractor"]
        if known["published_at"] and (document.published_at is None or was_edited):
            values |= {n: known[n] for n in ("published_at", "published_how", "published_confidence", "published_raw")}
        for table in ("document_mentions", "document_claims"):
            db.execute(f"DELETE FROM {table} WHERE document_id = ?", [known["id"]])  # noqa: S608 - one of two tables
        _write_mentions(db, known["id"], document)
    if values.get("published_at", known["published_at"]) != known["published_at"]:
        at = document.published_at
        values["sort_key"] = sort_key(db, _sort_time(at, from_text(known["first_seen_at"])))
    columns = ", ".join(f"{name} = :{name}" for name in values)
    db.execute(f"UPDATE documents SET {columns} WHERE id = :id", values | {"id": known["id"]})  # noqa: S608 - our names


# Full text


def reindex(db: Database, document_ids: Iterable[int]) -> None:
    """Bring the full text of these documents up to date, in the order of their keys.

    Documents that are gone are left out of it.
    """
    ids = json.dumps(sorted(set(document_ids)))
    db.execute("DELETE FROM folded WHERE document_id IN (SELECT value FROM json_each(?))", [ids])
    rows = db.execute(
        "SELECT sort_key, id, title, text, source, language FROM documents WHERE id IN (SELECT value FROM "
        "json_each(?)) ORDER BY sort_key",
        [ids],
    ).fetchall()
    for row in rows:
        db.execute(
            "INSERT INTO folded (key, document_id, title, text, tags) VALUES (?, ?, ?, ?, ?)",
            [row["sort_key"], row["id"], fold(row["title"] or ""), fold(row["text"]), _tags(db, row)],
        )


def _tags(db: Database, row: Mapping[str, Any]) -> str:
    found = db.execute(
        """
        SELECT m.kind, m.code, m.name, m.count, p.province_code FROM document_mentions AS m
        LEFT JOIN places AS p ON m.kind = 'place' AND p.code = m.code WHERE m.document_id = ?
        """,
        [row["id"]],
    ).fetchall()
    return query.tags(
        source=row["source"],
        language=row["language"],
        mentions=[Mention(kind=m["kind"], code=m["code"], name=m["name"], count=m["count"]) for m in found],
        provinces={m["code"]: m["province_code"] for m in found if m["province_code"]},
    )
