"""Work that commands hand to the service, and how far long works have come."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage.model import Job
from storage.session import Group
from storage.tables import jobs, progress


class Jobs(Group):
    """`store.jobs`: the rows of `requests`. `storage.store.submit_job` adds one."""

    def take_next(self, now: datetime) -> Job | None:
        """The oldest job that waits, marked as running."""
        # Asked each second, mostly in vain: without a transaction.
        with self._session.reading() as db:
            if not jobs.is_any_job_waiting(db):
                return None
        with self._session.writing() as db:
            return jobs.take_next_job(db, now)

    def save_progress(self, job_id: int, progress: Mapping[str, object]) -> None:
        """What the follower of a job is shown while it runs."""
        with self._session.writing() as db:
            jobs.save_job_progress(db, job_id, progress)

    def finish(
        self,
        job_id: int,
        result: Mapping[str, object],
        *,
        now: datetime,
        failed: bool = False,
    ) -> None:
        """Close a job with its result."""
        with self._session.writing() as db:
            jobs.finish_job(db, job_id, result, now, failed=failed)

    def find(self, job_id: int) -> Job | None:
        """A job as it stands; anybody may follow one."""
        with self._session.reading() as db:
            return jobs.find_job(db, job_id)


class Progress(Group):
    """`store.progress`: how far an import or a backfill has come.

    A second run goes on where a killed one stopped; a row stands while the work is
    under way.
    """

    def load(self, work: str, key: str) -> dict[str, Any]:
        """What was saved of a work; empty where nothing was."""
        with self._session.reading() as db:
            return progress.load_progress(db, work, key)

    def save(self, work: str, key: str, name: str, state: Mapping[str, object]) -> None:
        """Remember how far a work has come."""
        with self._session.writing() as db:
            progress.save_progress(db, work, key, name, state)

    def clear(self, work: str, key: str) -> None:
        """Forget a work that is done."""
        with self._session.writing() as db:
            progress.clear_progress(db, work, key)
