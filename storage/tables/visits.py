"""Visits to sources: claims, polls, leads, what feeds said before.

Functions over an open `Database`; `Store` opens the transaction around those that
write.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlite_utils import Database

from storage import identity
from storage.folding import fold, printable
from storage.model import (
    FinishPoll,
    Lead,
    PendingLead,
    Poll,
    Polled,
    SeenBefore,
    SourceState,
    Validators,
    from_text,
    to_text,
)

# The last sight of an old entry is written only so often: thirty rows for each poll
# would be most of all writing.
_LAST_SEEN_INTERVAL = timedelta(days=30)
_MAX_GUID_CHARS = 300  # characters; a longer one is kept as its digest
_ROLLED_UP_STATUSES = ("not_modified", "unchanged")
GAP_REASON = "gap: the feed moved on faster than it was asked"

_TIME_COLUMNS = (
    "next_check_at", "last_poll_at", "last_success_at", "last_new_at", "newest_at",
    "first_failure_at", "validators_since", "moved_since",
)  # fmt: skip
_PLAIN_COLUMNS = (
    "id", "name", "kind", "url", "owner", "interval", "failures", "last_error", "body_hash", "empty_in_a_row",
    "moved_to", "moved_times",
)  # fmt: skip


def column_to_time(text: str | None) -> datetime | None:
    """A stored time, or None."""
    return None if text is None else from_text(text)


def time_to_column(at: datetime | None) -> str | None:
    """A time as it is stored, or None."""
    return None if at is None else to_text(at)


def text_to_column(text: str | None) -> str | None:
    """A stranger's text without what a file or a terminal cannot take."""
    return None if text is None else printable(text)


@lru_cache(maxsize=4096)
def url_key(url: str) -> str:
    """The key under which a stranger's URL is known.

    Asked for several times while one visit lands.
    """
    return identity.url_key(printable(url))


@lru_cache(maxsize=4096)
def stored_url(url: str) -> str:
    """The canonical form in which a stranger's URL rests."""
    return identity.canonical_url(printable(url))


# Sources


def sync_sources(db: Database, rows: Iterable[SourceState]) -> None:
    """Take over what the configuration says.

    What happened to a source stays. Sources that are gone from it are switched off.
    """
    declared = list(rows)
    for source in declared:
        # Another address, or another way to read it, makes old validators worthless
        # (rules: case 9).
        db.execute(
            """
            INSERT INTO sources (id, name, kind, url, owner, enabled) VALUES (:id, :name, :kind, :url, :owner, :enabled)
            ON CONFLICT (id) DO UPDATE SET
                etag = iif(url = :url AND kind = :kind, etag, NULL),
                last_modified = iif(url = :url AND kind = :kind, last_modified, NULL),
                body_hash = iif(url = :url AND kind = :kind, body_hash, NULL),
                hints = iif(url = :url AND kind = :kind, hints, '{}'),
                next_check_at = iif(url = :url AND kind = :kind, next_check_at, NULL),
                moved_to = iif(url = :url, moved_to, NULL), moved_times = iif(url = :url, moved_times, 0),
                muted = iif(url = :url, muted, 0),
                name = :name, kind = :kind, url = :url, owner = :owner, enabled = :enabled
            """,
            {n: getattr(source, n) for n in ("id", "name", "kind", "url", "owner")}
            | {"enabled": int(source.enabled)},
        )
    names = json.dumps([source.id for source in declared])
    db.execute(
        "UPDATE sources SET enabled = 0 WHERE id NOT IN (SELECT value FROM json_each(?))",
        [names],
    )


def find_source(db: Database, source_id: str) -> SourceState | None:
    """One source and its state."""
    row = db.execute("SELECT * FROM sources WHERE id = ?", [source_id]).fetchone()
    return None if row is None else _row_to_source(row)


def list_sources(db: Database) -> list[SourceState]:
    """Every source that was ever configured, by id."""
    return [
        _row_to_source(row) for row in db.execute("SELECT * FROM sources ORDER BY id")
    ]


# A source that is asked at all is asked once a week, or a tenth later. What lies
# further ahead was written by a clock that has been set back since (rules, case 103).
_MAX_CHECK_AHEAD = timedelta(days=8)
# Each half is a range of the index `sources_due`: twenty thousand sources cost no more
# than those that are due.
_DUE_SQL = """
    SELECT id, next_check_at FROM sources WHERE enabled AND next_check_at IS NULL
        AND (lease_until IS NULL OR lease_until <= :now)
    UNION ALL SELECT id, next_check_at FROM sources WHERE enabled AND next_check_at <= :now
        AND (lease_until IS NULL OR lease_until <= :now)
    UNION ALL SELECT id, next_check_at FROM sources WHERE enabled AND next_check_at > :furthest
        AND (lease_until IS NULL OR lease_until <= :now)
"""
# Asked each second, mostly in vain: without a transaction
ANY_SOURCE_DUE_SQL = f"SELECT EXISTS ({_DUE_SQL})"
DUE_SOURCES_SQL = f"SELECT id FROM ({_DUE_SQL}) ORDER BY next_check_at LIMIT :limit"  # noqa: S608 - fixed texts


def due_parameters(now: datetime) -> dict[str, str]:
    """The times that `ANY_DUE` and `DUE` ask with."""
    return {"now": to_text(now), "furthest": to_text(now + _MAX_CHECK_AHEAD)}


def is_any_source_due(db: Database, now: datetime) -> bool:
    """Whether `claim_due_sources` would find anything."""
    found = db.execute(ANY_SOURCE_DUE_SQL, due_parameters(now)).fetchone()
    return bool(found[0])


def claim_due_sources(
    db: Database, now: datetime, *, limit: int, lease: timedelta
) -> list[SourceState]:
    """Sources that are due and nobody holds, the longest due first.

    Held until the lease ends or the poll lands.
    """
    due = db.execute(DUE_SOURCES_SQL, {**due_parameters(now), "limit": limit})
    return claim_sources(db, [row[0] for row in due], now, lease)


def claim_sources(
    db: Database, ids: Iterable[str], now: datetime, lease: timedelta
) -> list[SourceState]:
    """Those of the named sources that nobody holds, due or not, in the order given.

    Held as by `claim_due`.
    """
    wanted = list(ids)
    rows = db.execute(
        """
        UPDATE sources SET lease_until = :until WHERE id IN (SELECT value FROM json_each(:ids))
            AND (lease_until IS NULL OR lease_until <= :now) RETURNING *
        """,
        {"ids": json.dumps(wanted), "now": to_text(now), "until": to_text(now + lease)},
    )
    held = {row["id"]: _row_to_source(row) for row in rows.fetchall()}
    return [held[id_] for id_ in wanted if id_ in held]


_CLOCK_TOLERANCE = timedelta(minutes=2)  # clocks are corrected by seconds all the time


def move_plans_with_clock(db: Database, now: datetime, before: datetime | None) -> None:
    """Move what is planned with a clock that was set back since `before`, the last sign of life (rules, case 103).

    Everything keeps its distance: no source sleeps for the day that the clock lost, and none is asked twice.
    """
    if before is None or before - now <= _CLOCK_TOLERANCE:
        return
    back = f"-{int((before - now).total_seconds())} seconds"
    for table, column in (
        ("sources", "next_check_at"),
        ("leads", "next_attempt_at"),
        ("host_waits", "until"),
    ):
        db.execute(
            f"UPDATE {table} SET {column} = strftime('%Y-%m-%dT%H:%M:%SZ', {column}, ?)",  # noqa: S608
            [back],
        )  # noqa: RUF100, S608


def release_source(db: Database, source_id: str) -> None:
    """Give a claimed source back without a poll."""
    db.execute("UPDATE sources SET lease_until = NULL WHERE id = ?", [source_id])


def release_all_sources(db: Database) -> None:
    """A lease dies with the lock of its holder.

    Whoever has the lock now holds none yet.
    """
    db.execute("UPDATE sources SET lease_until = NULL WHERE lease_until IS NOT NULL")


def _row_to_source(row: Mapping[str, Any]) -> SourceState:
    values: dict[str, Any] = {name: row[name] for name in _PLAIN_COLUMNS} | {
        name: column_to_time(row[name]) for name in _TIME_COLUMNS
    }
    return SourceState(
        **values,
        enabled=bool(row["enabled"]),
        gone=bool(row["muted"]),
        validators=Validators(etag=row["etag"], last_modified=row["last_modified"]),
        hints=json.loads(row["hints"]),
    )


# Polls


@dataclass(frozen=True, slots=True, kw_only=True)
class _PollItem:
    """One distinct thing that a poll showed."""

    key: str
    lead: Lead
    guid: str | None
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownItems:
    """What the store knew of the things in a poll before it."""

    fates: frozenset[str]  # keys with a fate
    kept: frozenset[str]  # of these, the keys of articles and copies
    waiting: frozenset[str]  # keys of pending leads and of their aliases
    entries: Mapping[str, tuple[str, str, str]]  # guid -> key, title, last_seen_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _SortedItems:
    """A poll's things by what is to be done with them."""

    fresh: tuple[_PollItem, ...]
    # An entry under another URL, and the key that it had
    renamed: tuple[tuple[_PollItem, str], ...]
    noted: tuple[_PollItem, ...]  # whose entry is to be written


def land_poll(db: Database, poll: Poll, finish: FinishPoll | None = None) -> Polled:
    """Leads, guid memory, validators, the poll's row and the source's state."""
    shown = _distinct_items(poll.leads)
    order = sort_items(
        shown,
        _load_known_items(db, poll.source, shown),
        seen_before=to_text(poll.ended_at - _LAST_SEEN_INTERVAL),
    )
    if finish is not None:
        poll = finish(len(shown), len(order.fresh))
    poll_id = _insert_poll(db, poll, found=len(shown), fresh=len(order.fresh))
    _record_gap(db, poll)
    fresh = tuple(
        _insert_lead(db, item, poll_id, poll.ended_at) for item in order.fresh
    )
    for item, old in order.renamed:
        _insert_alias(db, item, old, to_text(poll.ended_at))
    _save_entries(db, poll, order.noted)
    if not poll.backfill:
        _update_source(db, poll, any_fresh=bool(fresh))
    return Polled(
        poll_id=poll_id, found=len(shown), known=len(shown) - len(fresh), fresh=fresh
    )


def count_known_leads(db: Database, source: str, leads: Iterable[Lead]) -> SeenBefore:
    """How much of these leads was met before.

    Without a guid it cannot be told which source pointed to one.
    """
    shown = _distinct_items(leads)
    met = _load_known_items(db, source, shown)
    known = met.fates | met.waiting
    return SeenBefore(
        shown=len(shown),
        known=sum(_is_known(item, met, known) for item in shown),
        own=sum(
            item.guid in met.entries if item.guid else item.key in known
            for item in shown
        ),
    )


def _is_known(item: _PollItem, met: _KnownItems, known: frozenset[str]) -> bool:
    old = met.entries.get(item.guid) if item.guid else None
    return item.key in known or (
        old is not None and old[0] in known and old[1] == item.title != ""
    )


def sort_items(
    shown: Sequence[_PollItem], met: _KnownItems, *, seen_before: str
) -> _SortedItems:
    """Decide what of a poll is new (rules/feed-polling: cases 71 to 76 and 81).

    The URL decides. A guid that is known under another URL is the same entry if its
    title is the same too, and a new one if not. A kept page whose entry was given
    another title is read again: that is how corrections are announced.
    """
    fresh: list[_PollItem] = []
    renamed: list[tuple[_PollItem, str]] = []
    noted: list[_PollItem] = []
    known = met.fates | met.waiting
    for item in shown:
        old = met.entries.get(item.guid) if item.guid else None
        if (
            item.key in met.kept - met.waiting
            and old is not None
            and _is_retitled(item, old)
        ):
            fresh.append(item)
            noted.append(item)
        elif item.key in known:
            if old is None or (old[0] == item.key and old[2] < seen_before):
                noted.append(item)
        elif old is not None and old[0] in known and old[1] == item.title != "":
            renamed.append((item, old[0]))
        else:
            fresh.append(item)
            noted.append(item)
    return _SortedItems(
        fresh=tuple(fresh),
        renamed=tuple(renamed),
        noted=tuple(item for item in noted if item.guid),
    )


def _is_retitled(item: _PollItem, old: tuple[str, str, str]) -> bool:
    key, title, _ = old
    return key == item.key and title != "" and item.title not in {"", title}


def _distinct_items(leads: Iterable[Lead]) -> list[_PollItem]:
    """One for each URL.

    A guid that stands at several URLs of one document names none of them alone (case
    73).
    """
    by_key: dict[str, Lead] = {}
    for lead in leads:
        by_key.setdefault(url_key(lead.url), lead)
    uses: dict[str, int] = {}
    for lead in by_key.values():
        if lead.guid:
            uses[lead.guid] = uses.get(lead.guid, 0) + 1
    return [
        _PollItem(
            key=key,
            lead=lead,
            guid=_stored_guid(
                lead.guid, key if lead.guid and uses[lead.guid] > 1 else ""
            ),
            title=fold(lead.edit_marker or lead.title or "")[:200],
        )
        for key, lead in by_key.items()
    ]


def _stored_guid(guid: str | None, suffix: str) -> str | None:
    if not guid:
        return None
    whole = printable(guid) + (f" | {suffix}" if suffix else "")
    return (
        whole
        if len(whole) <= _MAX_GUID_CHARS
        else "blake2b:" + hashlib.blake2b(whole.encode(), digest_size=20).hexdigest()
    )


def _load_known_items(
    db: Database, source: str, shown: Sequence[_PollItem]
) -> _KnownItems:
    guids = json.dumps([item.guid for item in shown if item.guid])
    rows = db.execute(
        "SELECT guid, entries.key, title, last_seen_at FROM json_each(?) AS j JOIN entries ON entries.source = ? "
        "AND entries.guid = j.value",
        [guids, source],
    )
    entries = {row[0]: (row[1], row[2], row[3]) for row in rows}
    keys = json.dumps(
        [item.key for item in shown] + [entry[0] for entry in entries.values()]
    )
    fates = db.execute(
        "SELECT fates.key, fate FROM json_each(?) AS j JOIN fates ON fates.key = j.value",
        [keys],
    ).fetchall()
    waiting = db.execute(
        """
        SELECT leads.key FROM json_each(:keys) AS j JOIN leads ON leads.key = j.value
        UNION ALL SELECT aliases.key FROM json_each(:keys) AS j JOIN aliases ON aliases.key = j.value
        """,
        {"keys": keys},
    )
    return _KnownItems(
        fates=frozenset(row[0] for row in fates),
        kept=frozenset(row[0] for row in fates if row[1] in ("article", "copy")),
        waiting=frozenset(row[0] for row in waiting),
        entries=entries,
    )


def _insert_poll(db: Database, poll: Poll, *, found: int, fresh: int) -> int:
    if (
        poll.status in _ROLLED_UP_STATUSES
        and not found
        and not poll.manual
        and not poll.error
    ):
        row = db.execute(
            """
            UPDATE polls SET ended_at = :ended, visits = visits + 1, bytes = bytes + :bytes
            WHERE id = (SELECT max(id) FROM polls WHERE source = :source) AND status = :status AND NOT manual
                AND found = 0
            RETURNING id
            """,
            {
                "ended": to_text(poll.ended_at),
                "bytes": poll.bytes,
                "source": poll.source,
                "status": poll.status,
            },
        ).fetchone()
        if row is not None:
            return int(row[0])
    cursor = db.execute(
        """
        INSERT INTO polls (source, started_at, ended_at, status, http_status, found, known, pending, bytes, error,
        warnings, manual)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            poll.source, to_text(poll.started_at), to_text(poll.ended_at), poll.status, poll.http_status, found, found
            - fresh, fresh,
            poll.bytes, text_to_column(poll.error), json.dumps([printable(w) for w in poll.warnings], ensure_ascii=False),
            int(poll.manual),
        ],
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def _save_entries(db: Database, poll: Poll, noted: Iterable[_PollItem]) -> None:
    at = to_text(poll.ended_at)
    db.conn.executemany(
        """
        INSERT INTO entries (source, guid, key, title, first_seen_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (source, guid) DO UPDATE SET key = excluded.key, title = excluded.title,
            last_seen_at = excluded.last_seen_at
        """,
        [(poll.source, item.guid, item.key, item.title, at, at) for item in noted],
    )


def _update_source(db: Database, poll: Poll, *, any_fresh: bool) -> None:
    good = poll.status != "error"
    values = {
        "id": poll.source, "at": to_text(poll.ended_at), "good": int(good), "fresh": int(any_fresh),
        "newest": time_to_column(poll.newest_at),
        "next": time_to_column(poll.next_check_at), "interval": poll.interval, "failures": poll.failures,
        "error": text_to_column(poll.error),
        "muted": int(poll.gone), "given": int(poll.validators is not None), "hash": poll.body_hash,
        "etag": text_to_column(poll.validators.etag) if poll.validators else None,
        "modified": text_to_column(poll.validators.last_modified) if poll.validators else None,
        "unmodified": int(poll.status == "not_modified"), "empty": int(poll.status == "empty"),
        "ok": int(poll.status == "ok"),
        "moved": text_to_column(poll.moved_to), "hints": None if poll.hints is None else json.dumps(dict(poll.hints)),
    }  # fmt: skip
    db.execute(
        "INSERT INTO sources (id, name, kind, url, enabled) VALUES (?, ?, 'feed', '', 0) ON CONFLICT DO NOTHING",
        [poll.source] * 2,
    )
    db.execute(_UPDATE_SOURCE_SQL, values)
    _record_outage(
        db,
        poll.source,
        poll.ended_at,
        failing=not good,
        reason=text_to_column(poll.error) or "error",
    )


_UPDATE_SOURCE_SQL = """
UPDATE sources SET
    last_poll_at = :at, next_check_at = :next, interval = coalesce(:interval, interval), lease_until = NULL,
    failures = :failures, muted = :muted, last_error = iif(:good, NULL, :error),
    last_success_at = iif(:good, :at, last_success_at),
    first_failure_at = iif(:good, NULL, coalesce(first_failure_at, :at)),
    last_new_at = iif(:fresh, :at, last_new_at),
    newest_at = nullif(max(coalesce(newest_at, ''), coalesce(:newest, '')), ''),
    etag = iif(:given, :etag, etag), last_modified = iif(:given, :modified, last_modified),
    body_hash = coalesce(:hash, body_hash), hints = coalesce(:hints, hints),
    validators_since = CASE WHEN :unmodified THEN coalesce(validators_since, :at) WHEN :good THEN NULL
        ELSE validators_since END,
    empty_in_a_row = CASE WHEN :empty THEN empty_in_a_row + 1 WHEN :ok THEN 0 ELSE empty_in_a_row END,
    moved_since = CASE WHEN :moved IS NOT NULL AND moved_to IS NOT :moved THEN :at WHEN :moved IS NULL
        AND :good THEN NULL ELSE moved_since END,
    moved_times = CASE WHEN :moved IS NOT NULL AND moved_to IS NOT :moved THEN 1 WHEN :moved IS NOT NULL
        THEN moved_times + 1
        WHEN :good THEN 0 ELSE moved_times END,
    moved_to = CASE WHEN :moved IS NOT NULL THEN :moved WHEN :good THEN NULL ELSE moved_to END
WHERE id = :id
"""


# Leads

_LEAD_COLUMNS = (
    "source", "title", "published_raw", "language", "summary", "body", "guid", "origin", "via",
)  # fmt: skip


def add_lead(
    db: Database,
    lead: Lead,
    now: datetime,
    *,
    next_attempt_at: datetime | None = None,
    attempts: int = 0,
) -> PendingLead:
    """A lead that no poll showed."""
    item = _PollItem(key=url_key(lead.url), lead=lead, guid=None, title="")
    return _insert_lead(db, item, None, next_attempt_at or now, attempts)


def _insert_lead(
    db: Database, item: _PollItem, poll_id: int | None, due: datetime, attempts: int = 0
) -> PendingLead:
    lead, asked = item.lead, printable(item.lead.url)
    cursor = db.execute(
        """
        INSERT INTO leads (key, url, asked_url, source, title, published_raw, language, summary, body, guid, origin,
        via,
            published_at, authors, backfill, found_at, next_attempt_at, attempts, poll_id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            item.key, stored_url(asked), asked, *(text_to_column(getattr(lead, name)) for name in _LEAD_COLUMNS),
            time_to_column(lead.published_at), json.dumps([printable(a) for a in lead.authors], ensure_ascii=False),
                int(lead.backfill),
            to_text(lead.found_at), to_text(due), attempts, poll_id,
        ],
    )  # fmt: skip
    return PendingLead(
        id=int(cursor.lastrowid or 0), lead=lead, attempts=attempts, poll_id=poll_id
    )


def _insert_alias(db: Database, item: _PollItem, old: str, at: str) -> None:
    """A second URL of an entry gets the first one's fate, now or when that has one."""
    url = stored_url(item.lead.url)
    db.execute(
        """
        INSERT INTO fates (key, url, source, fate, reason, detail, document_id, at)
        SELECT ?, ?, source, fate, reason, 'the same entry as ' || url, document_id, ? FROM fates
            WHERE key = ? ON CONFLICT DO NOTHING
        """,
        [item.key, url, at, old],
    )
    db.execute(
        "INSERT INTO aliases (key, url, lead_id) SELECT ?, ?, id FROM leads WHERE key = ? ON CONFLICT DO NOTHING",
        [item.key, url, old],
    )


def list_pending_leads(
    db: Database,
    now: datetime,
    *,
    source: str | None,
    limit: int,
    skip: Collection[int],
) -> list[PendingLead]:
    """Leads that may be tried now, the longest waiting first.

    `skip` names those that are in flight.
    """
    rows = db.execute(
        f"""
        SELECT * FROM leads WHERE next_attempt_at <= :now {"AND source = :source" if source else ""}
        ORDER BY next_attempt_at, id LIMIT :limit
        """,  # noqa: S608 - two fixed texts
        {"now": to_text(now), "source": source, "limit": limit + len(skip)},
    )
    return [_row_to_pending_lead(row) for row in rows if row["id"] not in skip][:limit]


def _row_to_pending_lead(row: Mapping[str, Any]) -> PendingLead:
    lead = Lead(
        url=row["asked_url"],
        **{name: row[name] for name in _LEAD_COLUMNS},
        published_at=column_to_time(row["published_at"]),
        authors=tuple(json.loads(row["authors"])),
        backfill=bool(row["backfill"]),
        found_at=from_text(row["found_at"]),
    )
    return PendingLead(
        id=row["id"], lead=lead, attempts=row["attempts"], poll_id=row["poll_id"]
    )


# What could not be seen


def _record_outage(
    db: Database, source: str, at: datetime, *, failing: bool, reason: str
) -> None:
    if failing:
        db.execute(
            """
            INSERT INTO blind (source, from_at, reason)
            SELECT id, coalesce(last_success_at, :at), :reason FROM sources
            WHERE id = :source AND NOT EXISTS (SELECT 1 FROM blind WHERE source = :source AND to_at IS NULL)
            """,
            {"source": source, "at": to_text(at), "reason": reason},
        )
    else:
        db.execute(
            "UPDATE blind SET to_at = ? WHERE source = ? AND to_at IS NULL",
            [to_text(at), source],
        )


# A feed that outruns us again within it has one long gap, not a row for each visit
_GAP_MERGE_WINDOW = timedelta(days=1)


def _record_gap(db: Database, poll: Poll) -> None:
    """Keep between which times a feed may have shown what nobody saw."""
    if poll.unseen is None:
        return
    since, until = poll.unseen
    times = {"source": poll.source, "from": to_text(since), "to": to_text(until)}
    longer = db.execute(
        """
        UPDATE blind SET to_at = max(to_at, :to)
        WHERE id = (SELECT max(id) FROM blind WHERE source = :source) AND reason = :gap AND to_at >= :lately
        """,
        {**times, "gap": GAP_REASON, "lately": to_text(since - _GAP_MERGE_WINDOW)},
    )
    if not longer.rowcount:
        db.execute(
            "INSERT INTO blind (source, from_at, to_at, reason) VALUES (:source, :from, :to, :gap)",
            {**times, "gap": GAP_REASON},
        )


def list_read_urls(db: Database, source: str, limit: int) -> list[str]:
    """URLs of pages of a source that were read or found too old, in any order."""
    rows = db.execute(
        """
        SELECT url FROM fates WHERE source = ?
        AND fate IN ('article', 'copy', 'rejected', 'too_old') LIMIT ?
        """,
        [source, limit],
    )
    return [row[0] for row in rows]
