"""What a crawl brought.

Counts by source, and the events that tell of it while it goes on.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from storage.model import Landed, Polled, RejectionReason

# A visit brings Scrapy, and a list of sources needs the words for its results only.
if TYPE_CHECKING:
    from crawler.visits.visit_result import VisitResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlEvent:
    """Something that happened, told while it goes on.

    A visit ended (`visited`) or a URL has its fate (`landed`).
    """

    source: str
    visited: "VisitResult | None" = None
    polled: Polled | None = None
    landed: Landed | None = None
    note: str = ""  # how far something long has come
    share: float | None = None  # of it that is done, as far as is known


@dataclass(slots=True)
class SourceReport:
    """What one pass brought from one source. Counts are of URLs."""

    source: str
    # Of the poll: ok, not_modified, unchanged, empty, error, not_due, busy
    status: str = ""
    error: str | None = None
    found: int = 0
    known: int = 0
    new: int = 0
    revised: int = 0
    copies: int = 0
    irrelevant: int = 0
    rejected: int = 0  # for other reasons
    refused: int = 0
    too_old: int = 0
    failed: int = 0
    postponed: int = 0  # still pending, to be tried again
    reasons: Counter[str] = field(default_factory=Counter)

    def count(self, landed: Landed) -> None:
        """Count what the store made of one URL."""
        column = report_column(landed)
        setattr(self, column, getattr(self, column) + 1)
        if column not in {"new", "revised", "copies", "known"}:
            self.reasons[landed.reason] += 1

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON takes them."""
        # `asdict` would make keys of the pairs in `reasons`.
        known = {name: getattr(self, name) for name in self.__slots__}
        return known | {"reasons": dict(self.reasons)}


@dataclass(slots=True)
class CrawlReport:
    """What one pass brought, by source."""

    sources: dict[str, SourceReport] = field(default_factory=dict)
    requests: int = 0
    # What looking back came to, a line for each source
    notes: list[str] = field(default_factory=list)

    def for_source(self, source: str) -> SourceReport:
        """The report of one source, begun where there is none."""
        return self.sources.setdefault(source, SourceReport(source))

    def add_event(self, event: CrawlEvent) -> None:
        """Count what an event tells."""
        report = self.for_source(event.source)
        if event.visited is not None and event.polled is not None:
            report.status = event.visited.poll.status
            report.error = event.visited.poll.error
            report.found += event.polled.found
            report.known += event.polled.known
        if event.landed is not None:
            report.count(event.landed)

    def total(self, column: str) -> int:
        """The sum of one count over all sources."""
        return sum(getattr(report, column) for report in self.sources.values())

    @property
    def any_visited(self) -> bool:
        """Whether at least one source could be visited, or did not need to be."""
        if not self.sources:
            return True
        return any(report.status != "error" for report in self.sources.values())


def report_column(landed: Landed) -> str:
    """The count that a landing belongs to.

    That of its poll, but what is not about the topic is counted apart.
    """
    if landed.fate is None:
        return "postponed"
    if landed.reason == RejectionReason.IRRELEVANT:
        return "irrelevant"
    return landed.poll_column
