"""Rechecks of kept pages, spread over the hour within their budget."""

from crawler.engine.engine import Engine
from crawler.engine.polling import VISIT_LEASE
from scheduler.service.fault_pause import FaultPause
from storage.model import utc_now

CHECK_SECONDS = 60


class RecheckBudget:
    """Begins rechecks that are due, as many as the hour's budget allows by now."""

    def __init__(self, engine: Engine, fault_pause: FaultPause) -> None:
        self._engine = engine
        self._fault_pause = fault_pause
        self._allowed = 0.0  # of the hour's budget, what may be spent now

    async def start_due(self) -> None:
        """Claim and begin what is due. Called each `CHECK_SECONDS`."""
        settings = self._engine.settings.recheck
        share = settings.budget * CHECK_SECONDS / 3600
        # What was not spent is not saved up: after a night without work the morning
        # brings no burst. A budget below one a minute still adds up to one.
        self._allowed = min(self._allowed + share, max(share, 1.0))
        if not settings.enabled or self._allowed < 1 or self._fault_pause.is_on():
            return
        due = await self._fault_pause.write(
            self._engine.store.rechecks.claim_due,
            utc_now(),
            limit=int(self._allowed),
            lease=VISIT_LEASE,
        )
        if due:
            self._allowed -= len(due)
            self._engine.rechecks.start(due)
