"""What a visit to a source brought, and when to look again where nobody else says."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from crawler.leads.polls import PollHints
from crawler.sources import Source
from crawler.visits.document_walk import FeedGap
from storage.model import Poll, SourceState


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitResult:
    """What a visit brought, before the store has seen it."""

    poll: Poll
    # "hard" will not mend itself, "soft" comes back, "dns" hardly counts, "gone" is
    # probed weekly; None after a good visit.
    trouble: str | None = None
    # How often, and when not, the publisher wants to be asked
    hints: PollHints = field(default_factory=PollHints)
    retry_after: datetime | None = None
    title: str | None = None  # what the document calls itself
    # The feed moved on faster than it was asked, and it names older pages.
    gap: FeedGap | None = None

    @property
    def floor(self) -> float | None:
        """Seconds that the publisher wants between two polls."""
        return self.hints.min_interval_seconds


class PollPlanner(Protocol):
    """Decides when to look again.

    Called inside the landing's transaction, so that it knows how much was new. Pure.
    """

    def __call__(
        self,
        source: Source,
        state: SourceState,
        visited: VisitResult,
        *,
        found: int,
        fresh: int,
    ) -> Poll:
        """The visit's poll with its next check, interval and failures."""


def plan_fixed_interval(
    source: Source, state: SourceState, visited: VisitResult, *, found: int, fresh: int
) -> Poll:
    """When to look again, where no scheduler says.

    After the source's own interval, later where the server asks.
    """
    del found, fresh
    poll = visited.poll
    interval = max(state.interval or source.every.total_seconds(), visited.floor or 0.0)
    next_check_at = poll.ended_at + timedelta(seconds=interval)
    if visited.retry_after is not None:
        next_check_at = max(next_check_at, visited.retry_after)
    failures = 0.0
    if visited.trouble is not None:
        failures = state.failures + 1
    return replace(
        poll,
        next_check_at=next_check_at,
        interval=interval,
        failures=failures,
        gone=visited.trouble == "gone",
    )
