"""The dates that a pass is about. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.model import PendingLead, TooOld


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From when to when the pages of a pass were published.

    `since` takes the place of the source's `max_age`.
    """

    since: datetime | None = None
    until: datetime | None = None

    def leaves_out(self, lead: PendingLead) -> bool:
        """Whether a lead is not for this pass, and stays pending."""
        published_at = lead.lead.published_at
        if self.until is None or published_at is None:
            return False
        return published_at > self.until

    def too_old(
        self, lead: PendingLead, max_age: timedelta, now: datetime
    ) -> TooOld | None:
        """The fate of a lead that is older than wanted."""
        oldest = self.since or now - max_age
        published_at = lead.lead.published_at
        if published_at is None or published_at >= oldest:
            return None
        return TooOld(published_at=published_at)


ANY_DATE = Window()
