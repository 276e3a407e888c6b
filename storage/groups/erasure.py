"""What leaves the file: texts that must be forgotten, and what is past its age."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from storage.model import utc_now
from storage.session import Group
from storage.tables import captures, forgetting


class Erasure(Group):
    """`store.erasure`: forgetting and expiry."""

    def forget(self, what: str | int, *, now: datetime | None = None) -> list[int]:
        """Erase the article of a URL or number; returns its documents' numbers.

        With it go its copies, revisions, index entries and captures. Tombstones stay,
        so that none of its URLs is read again. A URL without a text gets one as well.
        """
        at = now or utc_now()
        with self._erasing() as (db, capture_ids):
            documents = forgetting.list_article_documents(db, what)
            capture_ids.extend(forgetting.forget_documents(db, documents, at))
            forgetting.forget_annotations(db, what)
            if isinstance(what, str):
                capture_ids.extend(forgetting.forget_url(db, what, at))
        return documents

    def list_forgettable(
        self, what: str | int | None, *, source: str | None = None
    ) -> list[dict[str, Any]]:
        """The documents that `forget` or `forget_source` would erase.

        Keys: id, url, source, title.
        """
        with self._session.reading() as db:
            if source is not None:
                ids = forgetting.list_source_documents(db, source)
            else:
                assert what is not None
                ids = forgetting.list_article_documents(db, what)
            return forgetting.describe_documents(db, ids)

    def forget_source(self, source: str) -> list[int]:
        """Erase every document of a source; returns their numbers.

        Copies that others carried stay, and one of them becomes the article's head.
        """
        with self._erasing() as (db, capture_ids):
            documents = forgetting.list_source_documents(db, source)
            capture_ids.extend(forgetting.forget_documents(db, documents, utc_now()))
            capture_ids.extend(forgetting.forget_rejections(db, source))
        return documents

    @contextmanager
    def _erasing(self) -> Iterator[tuple[Database, list[int]]]:
        """A transaction that takes a list of captures, after which nothing is left.

        Neither in free pages nor in the index, the WAL or these captures.
        """
        capture_ids: list[int] = []
        with self._session.writing() as db:
            yield db, capture_ids
            forgetting.forget_jobs(db)
            captures.forget_captures(db, self._session.archive, capture_ids)
        self._session.finish_rewrites()
        # After the files are in place: each is written anew once at a time.
        with self._session.writing() as db:
            unnamed = captures.forget_unnamed_records(db, self._session.archive)
        if unnamed:
            self._session.finish_rewrites()
        with self._session.reading() as db:
            # FTS5 only marks words as deleted until it merges its segments.
            db.execute("INSERT INTO fts (fts) VALUES ('optimize')")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def expire(
        self,
        now: datetime,
        *,
        keep_captures: timedelta,
        keep_rejected: timedelta,
        max_size: int,
    ) -> int:
        """Drop what is past its age, then the oldest captures of rejected pages.

        Those go while everything together takes more than `max_size` bytes. Returns
        the bytes of captures that went.
        """
        archive = self._session.archive
        before = self._session.sizes()
        files: list[str] = []
        with self._session.writing() as db:
            forgetting.expire_rows(db, now, rejected=keep_rejected)
            if archive is not None:
                files = captures.expire_captures(
                    db,
                    archive,
                    now,
                    kept=keep_captures,
                    rejected=keep_rejected,
                    over=before["total"] - max_size,
                )
        self._session.remove_archive_files(files)
        after = self._session.sizes()
        return sum(before[kind] - after[kind] for kind in ("kept", "rejected"))
