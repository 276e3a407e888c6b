"""The store: one file, its lock, its captures, and every transaction.

    with Store.open(path, captures=folder) as store:      # the one writer
        store.land(landings)
    with Store.read(path) as store:                       # anybody else
        store.article(12)

A store belongs to one thread at a time. What is written is decided in `visits`,
`landing`, `admission`, `forgetting` and `handover`; here it is put into transactions,
and SQLite's faults into our words. Methods that write raise StoreBusy, StoreFull or
StoreUnusable and leave nothing half done; after StoreFull the same call succeeds once
there is room.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlite_utils import Database

from storage import connection, schema
from storage.archive import Archive
from storage.connection import WriterLock
from storage.errors import StoreError
from storage.folding import fold, fold_spelling
from storage.model import (
    Article,
    Capture,
    Change,
    Copy,
    Document,
    Job,
    Landed,
    Landing,
    Lead,
    Page,
    PendingLead,
    Poll,
    Polled,
    Recheck,
    RecheckPlan,
    Revision,
    SeenBefore,
    SourceState,
    from_text,
    to_text,
    utc_now,
)  # fmt: skip
from storage.tables import (
    alert_cursors,
    annotations,
    corrections,
    forgetting,
    jobs,
    landing,
    lookups,
    rechecks,
    visits,
)
from storage.tables.corrections import Correction, CorrectionResult


class Store:
    """Everything that was found, in one SQLite file."""

    def __init__(
        self,
        db: Database,
        path: Path,
        *,
        archive: Archive | None = None,
        lock: WriterLock | None = None,
    ) -> None:
        self.db = db
        self.path = path
        self.archive = archive
        self._lock = lock
        self._opened_file = connection.file_identity(path)

    # Opening and closing

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        captures: str | Path | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> Self:
        """The writer.

        Takes the lock and brings the file to today's form, making it where there is
        none.

        `captures` is the folder of raw pages; None keeps none. `tell` hears, from
        another thread, of a step to today's form that takes long. Raises StoreBusy,
        StoreUnusable, StoreTooNew.
        """
        path = Path(path)
        lock = WriterLock(path)
        lock.take()
        try:
            return cls._opened(
                path, lock, Path(captures) if captures is not None else None, tell
            )
        except BaseException:
            lock.drop()
            raise

    @classmethod
    def _opened(
        cls,
        path: Path,
        lock: WriterLock,
        captures: Path | None,
        tell: Callable[[str], None] | None,
    ) -> Self:
        db = connection.connect_writer(path)
        try:
            store = cls(db, path, archive=_archive(db, captures), lock=lock)
            with connection.translate_faults(path):
                schema.migrate(db, tell)
            store._take_over()
        except BaseException:
            db.close()
            raise
        return store

    @classmethod
    def read(cls, path: str | Path, *, captures: str | Path | None = None) -> Self:
        """A reader: no lock, nothing can be written.

        Raises StoreMissing, StoreUnusable, StoreTooNew, or StoreError for an older
        form.
        """
        path = Path(path)
        db = connection.connect_reader(path)
        try:
            with connection.translate_faults(path):
                schema.require_current(db)
        except BaseException:
            db.close()
            raise
        return cls(
            db, path, archive=Archive(Path(captures)) if captures is not None else None
        )

    def close(self) -> None:
        """Close the file and give the lock back; a second time does nothing."""
        if self._lock is not None:
            # Best effort: statistics for the planner, and a short WAL for whoever opens
            # next.
            with suppress(sqlite3.Error):
                self.db.execute("PRAGMA optimize")
                self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()
        if self._lock is not None:
            self._lock.drop()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._lock is None:
            raise StoreError(
                f"{self.path} was opened for reading only; open it for writing to change it."
            )
        with connection.translate_faults(self.path), connection.transaction(self.db):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with connection.translate_faults(self.path):
            yield

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Questions in here end with TookTooLong after so many seconds, taken together."""
        with connection.deadline(self.db, self.path, seconds):
            yield

    def _take_over(self) -> None:
        """What the last holder of the lock left.

        Its leases, its requests, files that nothing points to.
        """
        with self._writing():
            visits.release_all_sources(self.db)
            jobs.fail_interrupted_jobs(self.db, utc_now())
            files = (
                forgetting.list_orphan_files(self.db, self.archive)
                if self.archive
                else []
            )
        self._remove(files)

    # Sources and visits

    def sync_sources(self, rows: Iterable[SourceState]) -> None:
        """Take over what the configuration says.

        What happened to a source stays. Sources that are gone from it are switched off.
        """
        with self._writing():
            visits.sync_sources(self.db, rows)

    def source(self, source_id: str) -> SourceState | None:
        """One source and its state."""
        with self._reading():
            return visits.find_source(self.db, source_id)

    def sources(self) -> list[SourceState]:
        """Every source that was ever configured, by id.

        Those that are gone from the configuration are not enabled.
        """
        with self._reading():
            return visits.list_sources(self.db)

    def claim_due(
        self, now: datetime, *, limit: int, lease: timedelta
    ) -> list[SourceState]:
        """Sources that are due and nobody holds, the longest due first.

        Held until the lease ends or the poll lands.
        """
        if not self.db.execute(
            visits.ANY_SOURCE_DUE_SQL, visits.due_parameters(now)
        ).fetchone()[0]:
            return []
        with self._writing():
            return visits.claim_due_sources(self.db, now, limit=limit, lease=lease)

    def claim(
        self, ids: Iterable[str], now: datetime, lease: timedelta
    ) -> list[SourceState]:
        """Those of the named sources that nobody holds, due or not, in the order given."""
        with self._writing():
            return visits.claim_sources(self.db, ids, now, lease)

    def release(self, source_id: str) -> None:
        """Give a claimed source back without a poll."""
        with self._writing():
            visits.release_source(self.db, source_id)

    def land_poll(self, poll: Poll, finish: visits.FinishPoll | None = None) -> Polled:
        """One transaction.

        New leads, guid memory, validators, the poll's row, the source's state; its
        lease ends.
        """
        return self.land_polls([(poll, finish)])[0]

    def land_polls(
        self, polls: Sequence[tuple[Poll, visits.FinishPoll | None]]
    ) -> list[Polled]:
        """The same for polls that ended together, in one transaction.

        If one cannot be landed, none is.
        """
        with self._writing():
            return [visits.land_poll(self.db, poll, finish) for poll, finish in polls]

    def recall(self, source: str, leads: Sequence[Lead]) -> SeenBefore:
        """How much of what a document of this source shows was met before."""
        with self._reading():
            return visits.count_known_leads(self.db, source, leads)

    def pending(
        self,
        *,
        source: str | None = None,
        limit: int = 100,
        now: datetime | None = None,
        skip: Collection[int] = (),
    ) -> list[PendingLead]:
        """Leads that may be tried now, the longest waiting first.

        `skip` names those that are in flight.
        """
        with self._reading():
            return visits.list_pending_leads(
                self.db, now or utc_now(), source=source, limit=limit, skip=skip
            )

    def claim_looks(
        self, now: datetime, *, limit: int, lease: timedelta
    ) -> list[Recheck]:
        """Second looks that are due, the longest due first.

        Made again after the lease where one was cut off.
        """
        if not self.db.execute(rechecks.ANY_RECHECK_DUE_SQL, [to_text(now)]).fetchone()[
            0
        ]:
            return []
        with self._writing():
            return rechecks.claim_rechecks(self.db, now, limit=limit, lease=lease)

    def end_look(
        self, look: Recheck, *, now: datetime, again: RecheckPlan | None
    ) -> None:
        """A second look was made; the next one is due then, or there is none."""
        with self._writing():
            rechecks.finish_recheck(self.db, look, now, again=again)

    def wait_for_host(self, host: str, until: datetime, reason: str = "") -> None:
        """A server asked for patience.

        Nothing should be asked of this host before `until`.
        """
        with self._writing():
            jobs.save_host_wait(self.db, host, until, reason)

    def host_waits(self, now: datetime) -> dict[str, datetime]:
        """Hosts that asked for patience, and until when."""
        with self._reading():
            return jobs.list_host_waits(self.db, now)

    def is_in_place(self) -> bool:
        """Whether the file is still the one that was opened.

        SQLite goes on writing to one that was taken away.
        """
        return connection.file_identity(self.path) == self._opened_file

    def beat(self, now: datetime) -> None:
        """The service is alive.

        A gap since the last beat is recorded in `blind`; a clock set back moves the
        plans.
        """
        with self._writing():
            visits.move_plans_with_clock(self.db, now, self.alive_at())
            jobs.record_heartbeat(self.db, now)

    def keep_standings(self, rows: Iterable[alert_cursors.AlertCursor]) -> None:
        """How far saved searches have come in the log."""
        with self._writing():
            alert_cursors.save_cursors(self.db, rows)

    # Landing

    def land(
        self, landings: Sequence[Landing], *, now: datetime | None = None
    ) -> list[Landed]:
        """One transaction for the batch, one result for each landing in its order.

        A faulty one fails alone.
        """
        with self._writing():
            return landing.land_batch(self.db, self.archive, landings, now or utc_now())

    def admit(
        self,
        document: Document,
        *,
        now: datetime | None = None,
        capture_id: int | None = None,
    ) -> Landed:
        """Store one document that comes from nowhere on the web.

        As article, copy, revision or unchanged.
        """
        with self._writing():
            return landing.land_document(
                self.db, document, now or utc_now(), capture_id=capture_id
            )

    def correct(
        self, said: Correction, *, now: datetime | None = None
    ) -> CorrectionResult:
        """Take down what a person says of a text, and carry it out.

        Raises WorkFailed, UsageError.
        """
        with self._writing():
            return corrections.apply_correction(self.db, said, now or utc_now())

    def furniture(self, host: str) -> frozenset[int]:
        """Line hashes that stood in three or more distinct articles of a host (without `www.`)."""
        with self._reading():
            return landing.list_learned_boilerplate(self.db, host)

    def spare(self, host: str, line: int) -> None:
        """The way back.

        This line is text on this host, whatever was learned or will be.
        """
        with self._writing():
            landing.allow_line(self.db, host, line, utc_now())

    def sync_places(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Make `places` equal to the gazetteer.

        Rows with code, kind, name, province_code, lat, lon.
        """
        names = ("code", "kind", "name", "province_code", "lat", "lon")
        self._refill(
            "places",
            "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?)",
            [tuple(row[n] for n in names) for row in rows],
        )

    def sync_spellings(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Make `spellings` equal to these (kind, code, form): `name` widens searches.

        Place, actor and event resolve filters.
        """
        folded = [
            (fold_spelling(form), kind, code, fold(form)) for kind, code, form in rows
        ]
        statement = "INSERT INTO spellings (key, kind, code, spelling) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self._refill("spellings", statement, folded)

    def _refill(
        self, table: str, statement: str, rows: Sequence[tuple[object, ...]]
    ) -> None:
        """Replace a table's rows, unless they are those of last time."""
        digest = hashlib.blake2b(
            repr(rows).encode("utf-8", "replace"), digest_size=16
        ).hexdigest()
        if self.db.execute(
            "SELECT 1 FROM meta WHERE name = ? AND value = ?", [table, digest]
        ).fetchone():
            return
        with self._writing():
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two tables
            self.db.conn.executemany(statement, rows)
            jobs.set_meta(self.db, table, digest)

    # Reading

    def article(self, number: int) -> Article | None:
        """The article of that number, or the one to which the document of that number belongs."""
        with self._reading():
            return lookups.find_article(self.db, number)

    def copies(self, article_id: int) -> list[Copy]:
        """Other places that carried an article, in the order in which they were seen."""
        with self._reading():
            return lookups.list_copies(self.db, article_id)

    def probable(self, article_id: int) -> list[tuple[int, float]]:
        """Articles that may be versions of this one, the likeliest first.

        Number and score.
        """
        with self._reading():
            return lookups.list_probable_copies(self.db, article_id)

    def history(self, document_id: int) -> list[Revision]:
        """The former states of a document, the first one first."""
        with self._reading():
            return lookups.list_revisions(self.db, document_id)

    def capture(self, number: int) -> Capture | None:
        """Where a raw response rests."""
        with self._reading():
            return lookups.find_capture(self.db, number)

    def raw(self, capture_id: int) -> Page | None:
        """A raw response as it came.

        None where it was not kept, has expired or does not fit its digest.
        """
        found = self.capture(capture_id)
        page = (
            self.archive.read(found.file, found.offset, digest=found.digest)
            if found and self.archive
            else None
        )
        # Equal bodies share a record: its address is that of the first page that had
        # it.
        return (
            page
            if page is None or found is None
            else replace(page, final_url=found.url, fetched_at=found.fetched_at)
        )

    def fate(self, url: str) -> dict[str, Any] | None:
        """What became of a URL: a row of `fates`.

        None where it is pending or was never seen.
        """
        with self._reading():
            return lookups.find_fate(self.db, url)

    def explain(self, what: str | int) -> dict[str, Any]:
        """Everything that is known of a URL, or of the article or document of a number, and why.

        See `reading.explain`.
        """
        with self._reading():
            return lookups.explain(self.db, what)

    def marks(self) -> Iterator[dict[str, Any]]:
        """What people said of texts, as labelled data; see `marks.listed`."""
        return annotations.list_annotations(self.db)

    def said(self, article_id: int) -> list[dict[str, Any]]:
        """What people said of an article's texts, the newest first.

        See `marks.said`.
        """
        with self._reading():
            return annotations.list_article_annotations(self.db, article_id)

    def changes(self, since: int = 0, limit: int = 1000) -> list[Change]:
        """The log after a cursor, in order; 0 is its start."""
        with self._reading():
            return lookups.list_changes(self.db, since, limit)

    def last_cursor(self) -> int:
        """The cursor of the newest change; 0 in an empty log."""
        with self._reading():
            return int(
                self.db.execute(
                    "SELECT coalesce(max(cursor), 0) FROM changes"
                ).fetchone()[0]
            )

    def alive_at(self) -> datetime | None:
        """When a service last said that it lives; see `beat`."""
        with self._reading():
            row = self.db.execute(
                "SELECT value FROM meta WHERE name = 'alive_at'"
            ).fetchone()
            return None if row is None else from_text(row[0])

    def counts(self) -> dict[str, Any]:
        """How much of everything there is, with `bytes` of database and captures.

        See `reading.counts`.
        """
        with self._reading():
            return lookups.count_everything(self.db) | {"bytes": self.sizes()}

    def source_counts(self) -> list[dict[str, Any]]:
        """One row for each source in use.

        Its state, its last article, what its polls of the last week brought.
        """
        with self._reading():
            return lookups.count_by_source(self.db)

    def unbalanced_polls(self) -> list[dict[str, Any]]:
        """Polls whose columns do not add up to what they found: there must be none."""
        with self._reading():
            return lookups.list_unbalanced_polls(self.db)

    def faults(self) -> list[str]:
        """What SQLite's checks and ours say against the file.

        Empty when it is sound. Reads all of it.
        """
        with self._reading():
            return lookups.check_integrity(self.db)

    def sizes(self) -> dict[str, int]:
        """Bytes on disk.

        `database` with its WAL, `kept` and `rejected` captures, and `total`.
        """
        beside = [self.path, self.path.with_name(self.path.name + "-wal")]
        sizes = {
            "database": sum(file.stat().st_size for file in beside if file.exists()),
            "kept": 0,
            "rejected": 0,
        }
        for rest in self.archive.files() if self.archive else ():
            sizes[rest.kind] += rest.size
        return sizes | {"total": sum(sizes.values())}

    # Forgetting, expiry, backup

    def forget(self, what: str | int, *, now: datetime | None = None) -> list[int]:
        """Erase the article of a URL or number everywhere.

        Returns the numbers of its documents.

        With it go its copies, revisions, index entries and captures. Tombstones stay,
        so that none of its URLs is read again. A URL without a text gets a tombstone as
        well.
        """
        at = now or utc_now()
        with self._erasing() as captures:
            documents = forgetting.list_article_documents(self.db, what)
            captures.extend(forgetting.forget_documents(self.db, documents, at))
            forgetting.forget_annotations(self.db, what)
            if isinstance(what, str):
                captures.extend(forgetting.forget_url(self.db, what, at))
        return documents

    def forget_source(self, source: str, *, now: datetime | None = None) -> list[int]:
        """Erase every document of a source.

        Copies that others carried stay, and one of them leads its article.
        """
        with self._erasing() as captures:
            documents = forgetting.list_source_documents(self.db, source)
            captures.extend(
                forgetting.forget_documents(self.db, documents, now or utc_now())
            )
            captures.extend(forgetting.forget_rejections(self.db, source))
        return documents

    @contextmanager
    def _erasing(self) -> Iterator[list[int]]:
        """A transaction after which nothing is left in free pages, the index, the WAL or the captures named."""
        captures: list[int] = []
        with self._writing():
            yield captures
            files = forgetting.forget_captures(self.db, self.archive, captures)
        self._remove(files)
        with connection.translate_faults(self.path):
            # FTS5 only marks words as deleted until it merges its segments.
            self.db.execute("INSERT INTO fts (fts) VALUES ('optimize')")
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def expire(
        self,
        now: datetime,
        *,
        keep_captures: timedelta,
        keep_rejected: timedelta,
        max_size: int,
    ) -> int:
        """Drop what is past its age, then the oldest rejected captures while all take more than `max_size` bytes.

        Returns the bytes of captures that went.
        """
        used = self.sizes()
        with self._writing():
            forgetting.expire_rows(self.db, now, rejected=keep_rejected)
            files: list[str] = []
            if self.archive:
                files = forgetting.expire_captures(
                    self.db,
                    self.archive,
                    now,
                    kept=keep_captures,
                    rejected=keep_rejected,
                    over=used["total"] - max_size,
                )
        self._remove(files)
        return (
            used["kept"]
            + used["rejected"]
            - (self.archive.size() if self.archive else 0)
        )

    def _remove(self, files: Iterable[str]) -> None:
        for file in files:
            assert self.archive is not None
            self.archive.remove(file)

    def checkpoint(self) -> None:
        """Move the WAL into the file and let the planner look at its statistics.

        A housekeeping job.
        """
        with connection.translate_faults(self.path):
            self.db.execute("PRAGMA optimize")
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def backup(self, target: str | Path) -> None:
        """A consistent copy of the file while it is written to, mode 0600.

        Captures are plain files and not part of it.
        """
        with connection.translate_faults(Path(target)):
            connection.copy_database(self.db, Path(target))

    # Work handed over

    def take_request(self, now: datetime) -> Job | None:
        """The oldest request that waits, marked as running."""
        if not self.db.execute(
            "SELECT EXISTS (SELECT 1 FROM requests WHERE status = 'waiting')"
        ).fetchone()[0]:
            return None
        with self._writing():
            return jobs.take_next_job(self.db, now)

    def note_progress(self, request_id: int, progress: Mapping[str, object]) -> None:
        """What the follower of a request is shown while it runs."""
        with self._writing():
            jobs.save_job_progress(self.db, request_id, progress)

    def finish_request(
        self,
        request_id: int,
        result: Mapping[str, object],
        *,
        now: datetime,
        failed: bool = False,
    ) -> None:
        """Close a request with its result."""
        with self._writing():
            jobs.finish_job(self.db, request_id, result, now, failed=failed)

    def request(self, request_id: int) -> Job | None:
        """A request as it stands; anybody may follow one."""
        with self._reading():
            return jobs.find_job(self.db, request_id)


def submit(path: str | Path, kind: str, arguments: Mapping[str, object]) -> int:
    """Hand work to the process that holds the lock, in one short transaction.

    Returns the id to follow with `Store.request`.
    """
    path = Path(path)
    Store.read(path).close()
    db = connection.connect_writer(path)
    try:
        with connection.translate_faults(path), connection.transaction(db):
            return jobs.submit_job(db, kind, arguments, utc_now())
    finally:
        db.close()


def _archive(db: Database, folder: Path | None) -> Archive | None:
    if folder is None:
        return None

    def sound(file: str) -> int:
        return int(
            db.execute(
                "SELECT coalesce(max(offset + length), 0) FROM captures WHERE file = ?",
                [file],
            ).fetchone()[0]
        )

    return Archive(folder, sound=sound)
