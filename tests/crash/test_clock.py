"""The service's plans under a clock that jumps (protocol C8).

The clock is given to the store; the machine's stays.
"""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import make_poll, make_source, make_source_state
from crawler.leads.polls import MIN_POLL_INTERVAL
from crawler.visits.visit_result import VisitResult
from scheduler.service import poll_schedule
from storage.model import SourceState
from storage.store import Store

HOUR = timedelta(hours=1)
TICK = timedelta(seconds=30)
FEEDS = 30
LEASE = timedelta(minutes=30)
# 02:00 becomes 03:00 in Berlin at that moment
EUROPE_FORWARD = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
EUROPE_BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
# Midnight in Kabul, which knows no summer time
NOWRUZ = datetime(2026, 3, 20, 20, 30, tzinfo=UTC)


class Clockwork:
    """A service's heart over a store.

    Due sources are claimed and landed, each at the time that the clock says.
    """

    def __init__(self, store: Store, start: datetime) -> None:
        self.store = store
        self.wall = start  # what the clock says
        self.real = timedelta(0)  # how long it has truly run
        self.polled: dict[str, list[timedelta]] = {f"s{n}": [] for n in range(FEEDS)}
        store.sources.sync(
            make_source_state(id_, url=f"https://{id_}.example/") for id_ in self.polled
        )

    def run(self, span: timedelta) -> None:
        """Tick so long."""
        for _ in range(int(span / TICK)):
            self.store.service.beat(self.wall)
            for state in self.store.sources.claim_due(
                self.wall, limit=100, lease=LEASE
            ):
                self._visit(state)
            self.wall += TICK
            self.real += TICK

    def _visit(self, state: SourceState) -> None:
        self.polled[state.id].append(self.real)
        source = make_source(state.id, url=state.url, every=HOUR)
        visited = VisitResult(
            poll=make_poll(at=self.wall, source=state.id, status="not_modified")
        )
        self.store.polls.land(
            visited.poll,
            lambda found, fresh: poll_schedule.plan_next_check(
                source, state, visited, found=found, fresh=fresh
            ),
        )

    def longest_sleep(self) -> timedelta:
        """The longest true time between two visits to a feed, or since its last one."""
        gaps = [
            later - earlier
            for times in self.polled.values()
            for earlier, later in itertools.pairwise([*times, self.real])
        ]
        return max(gaps)

    def shortest_sleep(self) -> timedelta:
        """The shortest true time between two visits to a feed."""
        return min(
            b - a
            for times in self.polled.values()
            for a, b in itertools.pairwise(times)
        )


@pytest.mark.parametrize(
    "jump",
    [timedelta(days=1), -timedelta(days=1), HOUR, -HOUR, timedelta(days=-40)],
    ids=str,
)
def test_c8_a_clock_that_jumps_brings_no_burst_and_sends_no_feed_to_sleep(
    tmp_path: Path, jump: timedelta
) -> None:
    """Forward, all are due once; back, what was planned moves along.

    In true time no feed waits longer than planned.
    """
    with Store.open(tmp_path / "khabar.db") as store:
        clock = Clockwork(store, datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
        clock.run(5 * HOUR)
        before = {id_: len(times) for id_, times in clock.polled.items()}
        clock.wall += jump
        clock.run(timedelta(minutes=5))
        assert all(len(times) - before[id_] <= 1 for id_, times in clock.polled.items())
        clock.run(6 * HOUR)
        assert clock.longest_sleep() <= 6 * HOUR
        if jump < timedelta(0):
            assert clock.shortest_sleep() >= MIN_POLL_INTERVAL
        assert store.check() == []


@pytest.mark.parametrize(
    "moment", [EUROPE_FORWARD, EUROPE_BACK, NOWRUZ], ids=["spring", "autumn", "kabul"]
)
def test_c8_summer_time_changes_nothing(tmp_path: Path, moment: datetime) -> None:
    """Everything is planned in UTC.

    The hour that Europe skips or repeats is an hour like any other.
    """
    with Store.open(tmp_path / "khabar.db") as store:
        clock = Clockwork(store, moment - 2 * HOUR)
        clock.run(4 * HOUR)
        assert clock.shortest_sleep() >= HOUR
        assert clock.longest_sleep() <= 2 * HOUR
        assert all(2 <= len(times) <= 4 for times in clock.polled.values())
