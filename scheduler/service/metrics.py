"""What the service counts of itself since its start, for `metrics_server` to show."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from crawler.report import CrawlEvent, report_column

# Heartbeats whose lag is remembered: ten minutes, so that a scrape each minute misses
# no stop of the loop.
REMEMBERED_HEARTBEATS = 600


@dataclass(slots=True)
class Metrics:
    """Counts since the start. Written by the loop, read by the server's threads."""

    polls: Counter[str] = field(default_factory=Counter)  # by status
    landed: Counter[str] = field(default_factory=Counter)  # URLs, by `report_column`
    feed_bytes: int = 0
    storage_faults: int = 0
    started_at: float = field(default_factory=time.time)  # seconds since 1970
    heartbeat_lags: deque[float] = field(  # seconds that each came late
        default_factory=lambda: deque(maxlen=REMEMBERED_HEARTBEATS)
    )
    last_heartbeat: float = field(default_factory=time.monotonic)

    def count_event(self, event: CrawlEvent) -> None:
        """Count a visit or a page of the crawl."""
        if event.visited is not None:
            self.polls[event.visited.poll.status] += 1
            self.feed_bytes += event.visited.poll.bytes
        if event.landed is not None:
            self.landed[report_column(event.landed)] += 1

    def record_heartbeat(self, now: float) -> None:
        """Note that the heartbeat came, at `now` of the monotonic clock."""
        self.heartbeat_lags.append(max(0.0, now - self.last_heartbeat - 1.0))
        self.last_heartbeat = now
