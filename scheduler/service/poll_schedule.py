"""When to look at a source again: pure, in seconds and UTC, nothing but arithmetic.

The interval follows the feed's own rhythm, never drops below the floor or what the
server asks for, and grows with errors. The figures are those of the recommended
schedule in docs/running.md, section "How often".
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from crawler.leads import polls
from crawler.leads.polls import MAX_HINTED_INTERVAL, MIN_POLL_INTERVAL
from crawler.sources import Source
from crawler.visits.further_documents import FeedGap
from crawler.visits.source_visit import VisitResult
from storage.model import Poll, SourceState

POLL_CAP = timedelta(hours=24)
BUSY_POLL_CAP = timedelta(hours=6)  # for a source that had news in the last week
WEEK = timedelta(days=7)
# Of nothing but errors: probed daily, shown as dead, never dropped
DEAD_AFTER = timedelta(days=14)
OFFLINE_PROBE_INTERVAL = timedelta(minutes=1)
MAX_JITTER_SHARE = 0.1  # share of the interval


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
    """What one visit to a source saw."""

    fresh: int = 0  # leads nobody had pointed to before
    found: int = 0  # leads it showed in all
    trouble: FailureKind | None = None
    server_floor: timedelta | None = None  # the longest of ttl, sy:, max-age, Expires
    retry_after: timedelta | None = None
    # The first document alone showed that the feed outran us, whatever its older pages
    # brought
    gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NextCheck:
    """When a source is due again, and the state that goes with it."""

    next_check_at: datetime
    interval: float  # seconds, without jitter and without the growth by errors
    failures: float
    gone: bool = False
    # The feed outran us: items may have come and gone unseen
    possible_gap: bool = False


def next_check(
    state: SourceState,
    visit: PollOutcome,
    now: datetime,
    *,
    every: timedelta = timedelta(hours=1),
    floor: timedelta = MIN_POLL_INTERVAL,
    chance: random.Random | None = None,
) -> NextCheck:
    """When to look again after `visit`.

    Never earlier than the floor, never later than the cap (a week when muted).
    """
    dice = chance or random.Random(f"{state.id}|{now.timestamp()}")  # noqa: S311 - spreads load, hides nothing
    interval = timedelta(seconds=state.interval) if state.interval else every
    if visit.trouble is not None:
        return _next_check_after_failure(
            state, visit, now, max(floor, min(interval, POLL_CAP)), dice
        )
    gap = has_possible_gap(state, visit)
    calm = _interval_after_success(state, visit, interval, now, floor, gap=gap)
    wait = max(
        calm,
        min(visit.server_floor or floor, MAX_HINTED_INTERVAL),
        min(visit.retry_after or floor, POLL_CAP),
    )
    return NextCheck(
        next_check_at=now + _with_jitter(wait, POLL_CAP, dice),
        interval=calm.total_seconds(),
        failures=0.0,
        possible_gap=gap,
    )


def has_possible_gap(state: SourceState, visit: PollOutcome) -> bool:
    """Whether the feed moved on faster than it was asked."""
    return visit.gap or polls.has_outrun_polls(
        state, found=visit.found, known=visit.found - visit.fresh
    )


def is_dead(state: SourceState, now: datetime) -> bool:
    """Whether nothing but errors came for a fortnight."""
    return (
        state.failures > 0
        and state.first_failure_at is not None
        and now - state.first_failure_at >= DEAD_AFTER
    )


def _interval_after_success(
    state: SourceState,
    visit: PollOutcome,
    interval: timedelta,
    now: datetime,
    floor: timedelta,
    *,
    gap: bool,
) -> timedelta:
    """The interval that the feed's own rhythm asks for."""
    if gap:
        return max(floor, interval / 2)
    if visit.fresh:
        return max(floor, min(interval * 0.8 + floor * 0.2, POLL_CAP))
    busy = state.last_new_at is not None and now - state.last_new_at < WEEK
    return max(floor, min(interval * 1.25, BUSY_POLL_CAP if busy else POLL_CAP))


def _next_check_after_failure(
    state: SourceState,
    visit: PollOutcome,
    now: datetime,
    interval: timedelta,
    dice: random.Random,
) -> NextCheck:
    """Errors wait longer each time.

    A source is muted by 410 and probed weekly, never dropped.
    """
    trouble = visit.trouble or FailureKind.SOFT
    failures = state.failures + FAILURE_WEIGHTS[trouble]
    if trouble is FailureKind.OFFLINE:
        wait, cap = OFFLINE_PROBE_INTERVAL, POLL_CAP
    elif trouble is FailureKind.GONE:
        wait, cap = WEEK, WEEK * (1 + MAX_JITTER_SHARE)
    elif is_dead(state, now):
        wait, cap = POLL_CAP, POLL_CAP
    else:
        # Full jitter above the interval itself; 2 ** 16 is past every cap and keeps the
        # float finite.
        wait, cap = (
            min(
                POLL_CAP,
                interval * (1 + dice.random() * (2 ** min(failures, 16.0) - 1)),
            ),
            POLL_CAP,
        )
    wait = max(wait, min(visit.retry_after or wait, POLL_CAP))
    return NextCheck(
        next_check_at=now + _with_jitter(wait, cap, dice),
        interval=interval.total_seconds(),
        failures=failures,
        gone=trouble is FailureKind.GONE,
    )


def _with_jitter(wait: timedelta, cap: timedelta, dice: random.Random) -> timedelta:
    """`wait` moved later by up to a tenth, so that sources part.

    Never earlier, for it may be what a server asked.
    """
    return min(wait * (1 + dice.uniform(0, MAX_JITTER_SHARE)), cap)


def plan_next_check(
    source: Source,
    state: SourceState,
    visited: VisitResult,
    *,
    found: int,
    fresh: int,
    floor: timedelta = MIN_POLL_INTERVAL,
) -> Poll:
    """A visit's poll with its next check: `next_check` in the words of the crawler."""
    asked = visited.retry_after
    schedule = next_check(
        state,
        PollOutcome(
            fresh=fresh,
            found=found,
            trouble=None if visited.trouble is None else FailureKind(visited.trouble),
            server_floor=None
            if visited.floor is None
            else timedelta(seconds=visited.floor),
            retry_after=None
            if asked is None
            else max(asked - visited.poll.ended_at, timedelta(0)),
            gap=visited.gap is not None,
        ),
        visited.poll.ended_at,
        every=source.every,
        floor=floor,
    )
    gap = (
        _gap_warnings(visited.gap, found=found, fresh=fresh)
        if schedule.possible_gap
        else ()
    )
    return replace(
        visited.poll,
        next_check_at=visited.hints.not_before(schedule.next_check_at),
        interval=schedule.interval,
        failures=schedule.failures,
        gone=schedule.gone,
        warnings=visited.poll.warnings + gap,
        unseen=_unseen_period(state, visited, found=found, fresh=fresh)
        if schedule.possible_gap
        else None,
    )


def _gap_warnings(gap: FeedGap | None, *, found: int, fresh: int) -> tuple[str, ...]:
    """What a visit says of a feed that outran us."""
    if gap is None:
        return (f"possible_gap: {fresh} of {found} items were new",)
    told = f"possible_gap: {gap.fresh} of {gap.found} items were new"
    if gap.closed:
        return (
            told,
            f"gap_closed: an entry from before was met on older page {gap.pages}",
        )
    return told, f"gap_remains: {gap.pages} older pages were read; {gap.ended}"


def _unseen_period(
    state: SourceState, visited: VisitResult, *, found: int, fresh: int
) -> tuple[datetime, datetime] | None:
    """Between which times items may have come and gone.

    From the last good visit to the oldest entry after it.

    None where something from before was met, and where the source has just been given
    another address.
    """
    gap, since, ended = visited.gap, state.last_success_at, visited.poll.ended_at
    is_whole = gap.closed if gap is not None else fresh < found
    if is_whole or since is None or since >= ended or state.body_hash is None:
        return None
    later = [
        lead.published_at
        for lead in visited.poll.leads
        if lead.published_at and since < lead.published_at
    ]
    return since, min([ended, *later])
