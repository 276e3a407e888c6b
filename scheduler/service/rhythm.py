"""When to look at a source again: pure, in seconds and UTC, nothing but arithmetic.

The interval follows the feed's own rhythm, never drops below the floor or what the server asks for, and grows with
errors. The figures are those of the recommended schedule in docs/running.md, section "How often".
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from crawler.leads import polls
from crawler.leads.further import Gap
from crawler.sources import Source
from crawler.visits import Visited
from storage.model import Poll, SourceState

FLOOR = timedelta(minutes=5)
CAP = timedelta(hours=24)
BUSY_CAP = timedelta(hours=6)  # for a source that had news in the last week
SERVER_CAP = timedelta(hours=6)  # feeds ask for "max-age: 16 years" (seen); more than this is not believed
WEEK = timedelta(days=7)
DEAD_AFTER = timedelta(days=14)  # of nothing but errors: probed daily, shown as dead, never dropped
OFFLINE_PROBE = timedelta(minutes=1)
JITTER = 0.1  # share of the interval


class Trouble(StrEnum):
    """How much an error says about the source itself."""

    HARD = "hard"  # 4xx that will not mend itself, TLS, HTML in the feed's place
    SOFT = "soft"  # 404, 5xx, timeouts, parse errors: they come back
    DNS = "dns"  # the resolver said "try again"
    OFFLINE = "offline"  # no host answers: the machine's fault, no source is charged
    GONE = "gone"  # 410


CHARGE = {Trouble.HARD: 1.0, Trouble.SOFT: 0.5, Trouble.DNS: 0.25, Trouble.OFFLINE: 0.0, Trouble.GONE: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What one visit to a source saw."""

    fresh: int = 0  # leads nobody had pointed to before
    found: int = 0  # leads it showed in all
    trouble: Trouble | None = None
    server_floor: timedelta | None = None  # the longest of ttl, sy:, max-age, Expires
    retry_after: timedelta | None = None
    gap: bool = False  # the first document alone showed that the feed outran us, whatever its older pages brought


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a source is due again, and the state that goes with it."""

    next_check_at: datetime
    interval: float  # seconds, without jitter and without the growth by errors
    failures: float
    muted: bool = False
    possible_gap: bool = False  # the feed outran us: items may have come and gone unseen


def next_check(
    state: SourceState,
    visit: Visit,
    now: datetime,
    *,
    every: timedelta = timedelta(hours=1),
    floor: timedelta = FLOOR,
    chance: random.Random | None = None,
) -> Schedule:
    """When to look again after `visit`. Never earlier than the floor, never later than the cap (a week when muted)."""
    dice = chance or random.Random(f"{state.id}|{now.timestamp()}")  # noqa: S311 - spreads load, hides nothing
    interval = timedelta(seconds=state.interval) if state.interval else every
    if visit.trouble is not None:
        return _after_trouble(state, visit, now, max(floor, min(interval, CAP)), dice)
    gap = outran(state, visit)
    calm = _calm_interval(state, visit, interval, now, floor, gap=gap)
    wait = max(calm, min(visit.server_floor or floor, SERVER_CAP), min(visit.retry_after or floor, CAP))
    return Schedule(
        next_check_at=now + _jittered(wait, CAP, dice),
        interval=calm.total_seconds(),
        failures=0.0,
        possible_gap=gap,
    )


def outran(state: SourceState, visit: Visit) -> bool:
    """Whether the feed moved on faster than it was asked."""
    return visit.gap or polls.outran(state, found=visit.found, known=visit.found - visit.fresh)


def is_dead(state: SourceState, now: datetime) -> bool:
    """Whether nothing but errors came for a fortnight."""
    return state.failures > 0 and state.first_failure_at is not None and now - state.first_failure_at >= DEAD_AFTER


def _calm_interval(
    state: SourceState, visit: Visit, interval: timedelta, now: datetime, floor: timedelta, *, gap: bool
) -> timedelta:
    """The interval that the feed's own rhythm asks for."""
    if gap:
        return max(floor, interval / 2)
    if visit.fresh:
        return max(floor, min(interval * 0.8 + floor * 0.2, CAP))
    busy = state.last_new_at is not None and now - state.last_new_at < WEEK
    return max(floor, min(interval * 1.25, BUSY_CAP if busy else CAP))


def _after_trouble(
    state: SourceState, visit: Visit, now: datetime, interval: timedelta, dice: random.Random
) -> Schedule:
    """Errors wait longer each time; a source is muted by 410 and probed weekly, never dropped."""
    trouble = visit.trouble or Trouble.SOFT
    failures = state.failures + CHARGE[trouble]
    if trouble is Trouble.OFFLINE:
        wait, cap = OFFLINE_PROBE, CAP
    elif trouble is Trouble.GONE:
        wait, cap = WEEK, WEEK * (1 + JITTER)
    elif is_dead(state, now):
        wait, cap = CAP, CAP
    else:
        # Full jitter above the interval itself; 2 ** 16 is past every cap and keeps the float finite.
        wait, cap = min(CAP, interval * (1 + dice.random() * (2 ** min(failures, 16.0) - 1))), CAP
    wait = max(wait, min(visit.retry_after or wait, CAP))
    return Schedule(
        next_check_at=now + _jittered(wait, cap, dice),
        interval=interval.total_seconds(),
        failures=failures,
        muted=trouble is Trouble.GONE,
    )


def _jittered(wait: timedelta, cap: timedelta, dice: random.Random) -> timedelta:
    """`wait` moved later by up to a tenth, so that sources part; never earlier, for it may be what a server asked."""
    return min(wait * (1 + dice.uniform(0, JITTER)), cap)


def plan(
    source: Source, state: SourceState, visited: Visited, *, found: int, fresh: int, floor: timedelta = FLOOR
) -> Poll:
    """A visit's poll with its next check: `next_check` in the words of the crawler."""
    asked = visited.retry_after
    schedule = next_check(
        state,
        Visit(
            fresh=fresh,
            found=found,
            trouble=None if visited.trouble is None else Trouble(visited.trouble),
            server_floor=None if visited.floor is None else timedelta(seconds=visited.floor),
            retry_after=None if asked is None else max(asked - visited.poll.ended_at, timedelta(0)),
            gap=visited.gap is not None,
        ),
        visited.poll.ended_at,
        every=source.every,
        floor=floor,
    )
    gap = _told_gap(visited.gap, found=found, fresh=fresh) if schedule.possible_gap else ()
    return replace(
        visited.poll,
        next_check_at=visited.hints.not_before(schedule.next_check_at),
        interval=schedule.interval,
        failures=schedule.failures,
        muted=schedule.muted,
        warnings=visited.poll.warnings + gap,
        unseen=_unseen(state, visited, found=found, fresh=fresh) if schedule.possible_gap else None,
    )


def _told_gap(gap: Gap | None, *, found: int, fresh: int) -> tuple[str, ...]:
    """What a visit says of a feed that outran us."""
    if gap is None:
        return (f"possible_gap: {fresh} of {found} items were new",)
    told = f"possible_gap: {gap.fresh} of {gap.found} items were new"
    if gap.closed:
        return told, f"gap_closed: an entry from before was met on older page {gap.pages}"
    return told, f"gap_remains: {gap.pages} older pages were read; {gap.ended}"


def _unseen(state: SourceState, visited: Visited, *, found: int, fresh: int) -> tuple[datetime, datetime] | None:
    """Between which times items may have come and gone: from the last good visit to the oldest entry after it.

    None where something from before was met, and where the source has just been given another address.
    """
    gap, since, ended = visited.gap, state.last_success_at, visited.poll.ended_at
    is_whole = gap.closed if gap is not None else fresh < found
    if is_whole or since is None or since >= ended or state.body_hash is None:
        return None
    later = [lead.published_at for lead in visited.poll.leads if lead.published_at and since < lead.published_at]
    return since, min([ended, *later])
