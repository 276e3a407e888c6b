"""Landing what one poll of a source showed: the tables `polls` and `entries`.

One transaction writes the new leads, what the feed's entries are remembered by, the
poll's row, the validators and the source's state. A crash can then lose nothing: with
validators written first, a feed answers 304 from then on, and what it showed is gone.

`entries` remembers each guid of a source with the key and the title that it had, so
that an entry whose URL changed is not taken for a new one. Runs of polls that brought
nothing share one row, whose `visits` counts them.

Functions over an open `Database`; the caller opens the transaction around those that
write.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlite_utils import Database

from storage.folding import fold, printable
from storage.model import FinishPoll, Lead, Poll, Polled, SeenBefore, to_text
from storage.tables import blind_periods, sources
from storage.tables.columns import json_to_column, stored_key, text_to_column
from storage.tables.leads import insert_alias, insert_lead

# The last sight of an old entry is written only so often: thirty rows for each poll
# would be most of all writing.
_LAST_SEEN_INTERVAL = timedelta(days=30)
_MAX_GUID_CHARS = 300  # a longer one is kept as its digest
_MAX_ENTRY_TITLE_CHARS = 200
_ROLLED_UP_STATUSES = ("not_modified", "unchanged")


@dataclass(frozen=True, slots=True, kw_only=True)
class _PollItem:
    """One distinct thing that a poll showed."""

    key: str
    lead: Lead
    guid: str | None
    title: str  # folded; tells edits of an entry apart


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What a guid of the source stood for when it was last written down."""

    key: str
    title: str
    last_seen_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _KnownItems:
    """What the store knew of the things in a poll before it."""

    fates: frozenset[str]  # keys with a fate
    kept: frozenset[str]  # of these, the keys of articles and copies
    waiting: frozenset[str]  # keys of pending leads and of their aliases
    entries: Mapping[str, _Entry]  # by guid

    @property
    def keys(self) -> frozenset[str]:
        """Keys that any source pointed to."""
        return self.fates | self.waiting

    def entry_of(self, item: _PollItem) -> _Entry | None:
        """The entry of an item's guid; None without a guid, or for a new one."""
        if item.guid is None:
            return None
        return self.entries.get(item.guid)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SortedItems:
    """A poll's things by what is to be done with them."""

    fresh: tuple[_PollItem, ...]
    # An entry under another URL, and the key that it had.
    renamed: tuple[tuple[_PollItem, str], ...]
    noted: tuple[_PollItem, ...]  # whose entry is to be written


def land_poll(db: Database, poll: Poll, finish: FinishPoll | None = None) -> Polled:
    """Write everything that one poll brought.

    `finish` gives the poll with its next visit, once it is known how many things it
    showed and how many of them are new.
    """
    items = _distinct_items(poll.leads)
    known = _load_known_items(db, poll.source, items)
    seen_before = to_text(poll.ended_at - _LAST_SEEN_INTERVAL)
    order = _sort_items(items, known, seen_before=seen_before)
    if finish is not None:
        poll = finish(len(items), len(order.fresh))

    poll_id = _insert_poll(db, poll, found=len(items), fresh=len(order.fresh))
    if poll.unseen is not None:
        since, until = poll.unseen
        blind_periods.record_gap(db, poll.source, since, until)
    fresh = tuple(
        insert_lead(
            db, item.lead, item.key, poll_id=poll_id, next_attempt_at=poll.ended_at
        )
        for item in order.fresh
    )
    for item, former_key in order.renamed:
        insert_alias(db, item.key, item.lead.url, former_key, poll.ended_at)
    _save_entries(db, poll, order.noted)
    # A backfill reads a source's past, which is not its state.
    if not poll.backfill:
        sources.update_after_poll(db, poll, has_new=bool(fresh))
    return Polled(
        poll_id=poll_id, found=len(items), known=len(items) - len(fresh), fresh=fresh
    )


def count_known_leads(db: Database, source: str, leads: Iterable[Lead]) -> SeenBefore:
    """How much of these leads was met before.

    Without a guid it cannot be told which source pointed to one.
    """
    items = _distinct_items(leads)
    known = _load_known_items(db, source, items)
    count = own = 0
    for item in items:
        entry = known.entry_of(item)
        is_pointed_to = item.key in known.keys
        if is_pointed_to or _is_renamed(item, entry, known.keys):
            count += 1
        if entry is not None or (item.guid is None and is_pointed_to):
            own += 1
    return SeenBefore(shown=len(items), known=count, own=own)


# Deciding what is new


def _distinct_items(leads: Iterable[Lead]) -> list[_PollItem]:
    """One item for each URL, in the order of the document.

    A guid that stands at several URLs of one document names none of them alone (case
    73): there it is kept together with the key.
    """
    by_key: dict[str, Lead] = {}
    for lead in leads:
        by_key.setdefault(stored_key(lead.url), lead)
    uses = Counter(lead.guid for lead in by_key.values())
    items = []
    for key, lead in by_key.items():
        guid = printable(lead.guid or "") or None
        if guid is not None:
            # Some feeds give every entry the guid of the site.
            if uses[lead.guid] > 1:
                guid += f" | {key}"
            if len(guid) > _MAX_GUID_CHARS:
                digest = hashlib.blake2b(guid.encode(), digest_size=20)
                guid = f"blake2b:{digest.hexdigest()}"
        title = fold(lead.edit_marker or lead.title or "")[:_MAX_ENTRY_TITLE_CHARS]
        items.append(_PollItem(key=key, lead=lead, guid=guid, title=title))
    return items


def _load_known_items(
    db: Database, source: str, items: Sequence[_PollItem]
) -> _KnownItems:
    rows = db.execute(
        """
        SELECT guid, entries.key, title, last_seen_at
        FROM json_each(?) AS j
        JOIN entries ON entries.source = ? AND entries.guid = j.value
        """,
        [json.dumps([item.guid for item in items if item.guid]), source],
    )
    entries = {
        row["guid"]: _Entry(
            key=row["key"], title=row["title"], last_seen_at=row["last_seen_at"]
        )
        for row in rows
    }
    keys = [item.key for item in items]
    keys += [entry.key for entry in entries.values()]
    fates = db.execute(
        """
        SELECT fates.key, fate FROM json_each(?) AS j
        JOIN fates ON fates.key = j.value
        """,
        [json.dumps(keys)],
    ).fetchall()
    waiting = db.execute(
        """
        SELECT leads.key FROM json_each(:keys) AS j
        JOIN leads ON leads.key = j.value
        UNION ALL SELECT aliases.key FROM json_each(:keys) AS j
        JOIN aliases ON aliases.key = j.value
        """,
        {"keys": json.dumps(keys)},
    )
    return _KnownItems(
        fates=frozenset(row["key"] for row in fates),
        kept=frozenset(
            row["key"] for row in fates if row["fate"] in ("article", "copy")
        ),
        waiting=frozenset(row["key"] for row in waiting),
        entries=entries,
    )


def _sort_items(
    items: Sequence[_PollItem], known: _KnownItems, *, seen_before: str
) -> _SortedItems:
    """Decide what of a poll is new (rules/feed-polling: cases 71 to 76 and 81).

    The URL decides. A guid that is known under another URL is the same entry if its
    title is the same too, and a new one if not. A kept page whose entry was given
    another title is read again: that is how corrections are announced. Entries last
    seen before `seen_before` (as stored) are written anew.
    """
    fresh: list[_PollItem] = []
    renamed: list[tuple[_PollItem, str]] = []
    noted: list[_PollItem] = []
    known_keys = known.keys
    # What is pending already need not be asked for twice.
    read_keys = known.kept - known.waiting
    for item in items:
        entry = known.entry_of(item)
        if item.key in read_keys and _is_retitled(item, entry):
            fresh.append(item)
            noted.append(item)
        elif item.key in known_keys:
            is_stale = (
                entry is not None
                and entry.key == item.key
                and entry.last_seen_at < seen_before
            )
            if entry is None or is_stale:
                noted.append(item)
        elif entry is not None and _is_renamed(item, entry, known_keys):
            renamed.append((item, entry.key))
        else:
            fresh.append(item)
            noted.append(item)
    return _SortedItems(
        fresh=tuple(fresh),
        renamed=tuple(renamed),
        noted=tuple(item for item in noted if item.guid),
    )


def _is_retitled(item: _PollItem, entry: _Entry | None) -> bool:
    if entry is None or entry.key != item.key:
        return False
    return entry.title != "" and item.title not in {"", entry.title}


def _is_renamed(
    item: _PollItem, entry: _Entry | None, known_keys: frozenset[str]
) -> bool:
    """Whether an item is a known entry under a new URL: its title is the same too."""
    if entry is None or entry.key not in known_keys:
        return False
    return entry.title == item.title != ""


# Writing


def _insert_poll(db: Database, poll: Poll, *, found: int, fresh: int) -> int:
    # A feed that is polled every ten minutes and answers 304 would write 50,000 rows a
    # year.
    is_empty = not found and not poll.manual and not poll.error
    if is_empty and poll.status in _ROLLED_UP_STATUSES:
        row = db.execute(
            """
            UPDATE polls SET
                ended_at = :ended_at, visits = visits + 1, bytes = bytes + :bytes
            WHERE id = (SELECT max(id) FROM polls WHERE source = :source)
                AND status = :status AND NOT manual AND found = 0
            RETURNING id
            """,
            {
                "ended_at": to_text(poll.ended_at),
                "bytes": poll.bytes,
                "source": poll.source,
                "status": poll.status,
            },
        ).fetchone()
        if row is not None:
            return int(row["id"])
    cursor = db.execute(
        """
        INSERT INTO polls (
            source, started_at, ended_at, status, http_status, found, known, pending,
            bytes, error, warnings, manual
        )
        VALUES (
            :source, :started_at, :ended_at, :status, :http_status, :found, :known,
            :pending, :bytes, :error, :warnings, :manual
        )
        """,
        {
            "source": poll.source,
            "started_at": to_text(poll.started_at),
            "ended_at": to_text(poll.ended_at),
            "status": poll.status,
            "http_status": poll.http_status,
            "found": found,
            "known": found - fresh,
            "pending": fresh,
            "bytes": poll.bytes,
            "error": text_to_column(poll.error),
            "warnings": json_to_column([printable(one) for one in poll.warnings]),
            "manual": int(poll.manual),
        },
    )
    return int(cursor.lastrowid or 0)


def _save_entries(db: Database, poll: Poll, items: Iterable[_PollItem]) -> None:
    at = to_text(poll.ended_at)
    db.conn.executemany(
        """
        INSERT INTO entries (source, guid, key, title, first_seen_at, last_seen_at)
        VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (source, guid) DO UPDATE SET
            key = excluded.key, title = excluded.title,
            last_seen_at = excluded.last_seen_at
        """,
        [(poll.source, item.guid, item.key, item.title, at, at) for item in items],
    )
