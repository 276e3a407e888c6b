"""Pages that were kept and are asked for again."""

from datetime import datetime, timedelta

from storage.model import Recheck, RecheckPlan
from storage.session import Group
from storage.tables import rechecks


class Rechecks(Group):
    """`store.rechecks`: which kept pages are asked for again, and when."""

    def claim_due(
        self, now: datetime, *, limit: int, lease: timedelta
    ) -> list[Recheck]:
        """Rechecks that are due, the longest due first.

        One that is cut off is made again after its lease.
        """
        # Asked each second, mostly in vain: without a transaction.
        with self._session.reading() as db:
            if not rechecks.is_any_recheck_due(db, now):
                return []
        with self._session.writing() as db:
            return rechecks.claim_rechecks(db, now, limit=limit, lease=lease)

    def finish(
        self, recheck: Recheck, *, now: datetime, plan: RecheckPlan | None
    ) -> None:
        """A page was rechecked; the next time is due by the plan, or there is none."""
        with self._session.writing() as db:
            rechecks.finish_recheck(db, recheck, now, plan=plan)
