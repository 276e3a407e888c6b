"""When to visit a source again: pure, in seconds and UTC, nothing but arithmetic.

The interval follows how often the feed has news, never drops below the floor or what
the server asks for, and grows with errors. The figures are those of the recommended
schedule in docs/running.md, section "How often".
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from crawler.leads import polls
from crawler.leads.polls import MAX_HINTED_INTERVAL, MIN_POLL_INTERVAL
from crawler.sources import Source
from crawler.visits.document_walk import FeedGap
from crawler.visits.visit_result import VisitResult
from storage.model import Poll, SourceState

MAX_INTERVAL = timedelta(hours=24)
MAX_BUSY_INTERVAL = timedelta(hours=6)  # of a source that had news in the last week
BUSY_PERIOD = timedelta(days=7)
SHORTENED_BY_NEWS = 0.8  # of the interval's part above the floor
LENGTHENED_BY_SILENCE = 1.25
# Of nothing but errors: probed daily, shown as dead, never dropped.
DEAD_AFTER = timedelta(days=14)
OFFLINE_PROBE_INTERVAL = timedelta(minutes=1)
GONE_PROBE_INTERVAL = timedelta(days=7)
MAX_JITTER_SHARE = 0.1  # of the interval
# Two to this power is past every cap, and keeps the float finite.
MAX_BACKOFF_DOUBLINGS = 16.0


class FailureKind(StrEnum):
    """How much an error says about the source itself."""

    HARD = "hard"  # 4xx that will not mend itself, TLS, HTML in the feed's place
    SOFT = "soft"  # 404, 5xx, timeouts, parse errors: they come back
    DNS = "dns"  # the resolver said "try again"
    OFFLINE = "offline"  # no host answers: the machine's fault, no source is charged
    GONE = "gone"  # 410


FAILURE_WEIGHTS = {
    FailureKind.HARD: 1.0,
    FailureKind.SOFT: 0.5,
    FailureKind.DNS: 0.25,
    FailureKind.OFFLINE: 0.0,
    FailureKind.GONE: 1.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutcome:
    """What one visit to a source showed, as far as the schedule is concerned."""

    fresh: int = 0  # leads nobody had pointed to before
    found: int = 0  # leads it showed in all
    failure: FailureKind | None = None
    server_floor: timedelta | None = None  # the longest of ttl, sy:, max-age, Expires
    retry_after: timedelta | None = None
    # The first document alone showed that the feed moved on faster than it was asked,
    # whatever its older pages brought.
    gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCheck:
    """When a source is due again, and the state that goes with it."""

    next_check_at: datetime
    interval: float  # seconds, without jitter and without the growth by errors
    failures: float
    gone: bool = False
    # The feed moved on faster than it was asked: items may have come and gone unseen.
    possible_gap: bool = False


def next_check(
    state: SourceState,
    outcome: PollOutcome,
    now: datetime,
    *,
    every: timedelta = timedelta(hours=1),
    floor: timedelta = MIN_POLL_INTERVAL,
    rng: random.Random | None = None,
) -> NextCheck:
    """When to visit a source again, after a visit that ended `now` with `outcome`.

    Never earlier than `floor`, never later than a day (a week for a source that is
    gone); but what the server asks for is added to neither. `every` is the interval of
    a source that has none yet. Chance comes from the source and the moment, so that
    the same visit has the same answer, unless `rng` is given.
    """
    seed = f"{state.id}|{now.timestamp()}"
    rng = rng or random.Random(seed)  # noqa: S311 - spreads load, hides nothing
    interval = every
    if state.interval:
        interval = timedelta(seconds=state.interval)
    if outcome.failure is not None:
        kept = max(floor, min(interval, MAX_INTERVAL))
        return _after_failure(state, outcome, outcome.failure, now, kept, rng)

    gap = outcome.gap or polls.has_outrun_polls(
        state, found=outcome.found, known=outcome.found - outcome.fresh
    )
    if gap:
        interval /= 2
    elif outcome.fresh:
        above_floor = interval * SHORTENED_BY_NEWS + floor * (1 - SHORTENED_BY_NEWS)
        interval = min(above_floor, MAX_INTERVAL)
    else:
        longest = MAX_INTERVAL
        if state.last_new_at is not None and now - state.last_new_at < BUSY_PERIOD:
            longest = MAX_BUSY_INTERVAL
        interval = min(interval * LENGTHENED_BY_SILENCE, longest)
    interval = max(floor, interval)
    wait = max(
        interval,
        min(outcome.server_floor or floor, MAX_HINTED_INTERVAL),
        min(outcome.retry_after or floor, MAX_INTERVAL),
    )
    return NextCheck(
        next_check_at=now + _with_jitter(wait, MAX_INTERVAL, rng),
        interval=interval.total_seconds(),
        failures=0.0,
        possible_gap=gap,
    )


def is_dead(state: SourceState, now: datetime) -> bool:
    """Whether nothing but errors came for a fortnight."""
    first_failure_at = state.first_failure_at
    if state.failures == 0 or first_failure_at is None:
        return False
    return now - first_failure_at >= DEAD_AFTER


def _after_failure(
    state: SourceState,
    outcome: PollOutcome,
    failure: FailureKind,
    now: datetime,
    interval: timedelta,
    rng: random.Random,
) -> NextCheck:
    """Each error waits longer; a source that is gone is asked weekly, none dropped."""
    failures = state.failures + FAILURE_WEIGHTS[failure]
    cap = MAX_INTERVAL
    if failure is FailureKind.OFFLINE:
        wait = OFFLINE_PROBE_INTERVAL
    elif failure is FailureKind.GONE:
        wait = GONE_PROBE_INTERVAL
        cap = GONE_PROBE_INTERVAL * (1 + MAX_JITTER_SHARE)
    elif is_dead(state, now):
        wait = MAX_INTERVAL
    else:
        # Full jitter, above the interval itself: sources that failed together part.
        growth = 2 ** min(failures, MAX_BACKOFF_DOUBLINGS) - 1
        wait = min(interval * (1 + rng.random() * growth), MAX_INTERVAL)
    wait = max(wait, min(outcome.retry_after or wait, MAX_INTERVAL))
    return NextCheck(
        next_check_at=now + _with_jitter(wait, cap, rng),
        interval=interval.total_seconds(),
        failures=failures,
        gone=failure is FailureKind.GONE,
    )


def _with_jitter(wait: timedelta, cap: timedelta, rng: random.Random) -> timedelta:
    """`wait` moved later by up to a tenth, so that sources part.

    Never earlier, for it may be what a server asked.
    """
    return min(wait * (1 + rng.uniform(0, MAX_JITTER_SHARE)), cap)


def plan_next_check(
    source: Source,
    state: SourceState,
    visited: VisitResult,
    *,
    found: int,
    fresh: int,
    floor: timedelta = MIN_POLL_INTERVAL,
) -> Poll:
    """A visit's poll with its next check; see `PollPlanner`."""
    ended_at = visited.poll.ended_at
    failure = server_floor = retry_after = None
    if visited.trouble is not None:
        failure = FailureKind(visited.trouble)
    if visited.floor is not None:
        server_floor = timedelta(seconds=visited.floor)
    if visited.retry_after is not None:
        retry_after = max(visited.retry_after - ended_at, timedelta(0))
    outcome = PollOutcome(
        fresh=fresh,
        found=found,
        failure=failure,
        server_floor=server_floor,
        retry_after=retry_after,
        gap=visited.gap is not None,
    )
    check = next_check(state, outcome, ended_at, every=source.every, floor=floor)
    poll = replace(
        visited.poll,
        next_check_at=visited.hints.not_before(check.next_check_at),
        interval=check.interval,
        failures=check.failures,
        gone=check.gone,
    )
    if not check.possible_gap:
        return poll
    warnings = _gap_warnings(visited.gap, found=found, fresh=fresh)
    return replace(
        poll,
        warnings=poll.warnings + warnings,
        unseen=_unseen_period(state, visited, found=found, fresh=fresh),
    )


def _gap_warnings(gap: FeedGap | None, *, found: int, fresh: int) -> tuple[str, ...]:
    """What a visit says of a feed that moved on faster than it was asked."""
    if gap is None:
        return (f"possible_gap: {fresh} of {found} items were new",)
    possible = f"possible_gap: {gap.fresh} of {gap.found} items were new"
    if gap.closed:
        met = f"gap_closed: an entry from before was met on older page {gap.pages}"
        return possible, met
    return possible, f"gap_remains: {gap.pages} older pages were read; {gap.ended}"


def _unseen_period(
    state: SourceState, visited: VisitResult, *, found: int, fresh: int
) -> tuple[datetime, datetime] | None:
    """Between which times items may have come and gone.

    From the last good visit to the oldest entry after it. None where something from
    before was met, and where the source has just been given another address (it has no
    `body_hash` then).
    """
    is_closed = fresh < found
    if visited.gap is not None:
        is_closed = visited.gap.closed
    since, ended_at = state.last_success_at, visited.poll.ended_at
    if is_closed or since is None or since >= ended_at or state.body_hash is None:
        return None
    oldest = ended_at
    for lead in visited.poll.leads:
        if lead.published_at is not None and lead.published_at > since:
            oldest = min(oldest, lead.published_at)
    return since, oldest
