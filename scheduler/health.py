"""Is it working, not only alive: numbers from the store and the verdicts on them."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from scheduler.config import Config
from storage.model import (
    AlertCursor,
    BlindPeriod,
    PageYield,
    SourceState,
    SourceTraffic,
)
from storage.store import Store, holder_pid

NO_ARTICLE_ALERT = timedelta(hours=24)  # no new article from any source
# Without a rhythm of its own: the newest item, or the last news, is older
QUIET_AFTER = timedelta(days=7)
# Five weeks: a feed that rests on Fridays has done so before
NEWS_HISTORY = timedelta(days=35)
QUIET_FACTOR = 1.5  # times its longest silence of that time
MIN_NEWS_VISITS = 5  # visits with news that make a rhythm
MAX_PENDING_AGE = timedelta(hours=6)  # a lead that is still pending
FAILING_FAILURES = 3.0  # failures in a row (a passing one counts half)
# What a source yields now, held against the month before
RECENT_PERIOD = timedelta(days=3)
# Pages without which no verdict is passed on a source
MIN_PAGES_BEFORE, MIN_PAGES_LATELY = 20, 5
MIN_SHARE_DROP = 0.5  # a share that fell by so much is a redesign, not chance
WEEK = timedelta(days=7)
DISK_FULL_BYTES = 20 << 20  # bytes free; a WAL alone takes so much


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A source whose pages yield less than its own used to.

    Of `what`, the share before and lately.
    """

    source: str
    what: str  # text, dates, authors
    before: float
    lately: float
    # A page without it, and where its response rests
    sample: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """What rests on disk, and for how long there is room."""

    bytes: int = 0  # database and captures
    bytes_a_day: float = 0.0  # by which it grew in the last week
    free: int = 0  # on the disk, or up to store.max_size where that is nearer

    @property
    def days(self) -> float | None:
        """Days left at this rate; None where it does not grow."""
        return self.free / self.bytes_a_day if self.bytes_a_day > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of the whole.

    `problems` is empty when all is well; each says what to do.
    """

    counts: Mapping[str, Any]
    last_article_at: datetime | None
    failing: tuple[SourceState, ...] = ()
    quiet: tuple[SourceState, ...] = ()
    never: tuple[SourceState, ...] = ()  # enabled and not yet visited
    drifting: tuple[Drift, ...] = ()
    unbalanced: Sequence[Mapping[str, Any]] = ()
    # Saved searches that cannot tell what they found
    alerts: tuple[AlertCursor, ...] = ()
    bytes: int = 0  # database and captures
    disk_space: DiskSpace = DiskSpace()
    # Of the last seven days
    traffic: Mapping[str, SourceTraffic] = field(default_factory=dict)
    next_checks: tuple[tuple[str, datetime], ...] = ()
    blind: tuple[BlindPeriod, ...] = ()
    holder: int | None = None  # pid of the process that writes
    alive_at: datetime | None = None
    problems: tuple[str, ...] = field(default=())

    @property
    def well(self) -> bool:
        return not self.problems


def read_status(store: Store, config: Config, now: datetime) -> Status:
    """Ask the store and judge."""
    counts = store.stats.counts()
    states = [state for state in store.sources.all() if state.enabled]
    visited = [state for state in states if state.last_poll_at is not None]
    news = store.stats.news_times(now - NEWS_HISTORY)
    last = counts["last_article_at"]
    room = _disk_space(store, config, now)
    found = Status(
        counts=counts,
        last_article_at=datetime.fromisoformat(last) if last else None,
        failing=tuple(
            state
            for state in visited
            if state.failures >= FAILING_FAILURES or state.last_success_at is None
        ),
        quiet=tuple(
            state for state in visited if is_quiet(state, now, news.get(state.id, ()))
        ),
        never=tuple(state for state in states if state.last_poll_at is None),
        drifting=find_drifting(store, now),
        unbalanced=store.polls.unbalanced(),
        alerts=tuple(
            one
            for one in store.alert_cursors.load().values()
            if one.failures >= FAILING_FAILURES
        ),
        bytes=room.bytes,
        disk_space=room,
        traffic=store.stats.traffic(now - WEEK),
        next_checks=tuple(store.sources.next_checks(5)),
        blind=tuple(store.stats.blind_periods(now - WEEK)),
        holder=holder_pid(store.path),
        alive_at=store.service.alive_at(),
    )
    return with_problems(
        found, visited=len(visited), limit=config.store.max_size, now=now
    )


def is_quiet(state: SourceState, now: datetime, news: Sequence[datetime] = ()) -> bool:
    """Answers, and has been silent for longer than it ever is.

    The status of a page says nothing of its age.

    `news` are the times at which its visits showed something new; with too few of them
    a week is too long.
    """
    if state.last_success_at is None or state.failures >= FAILING_FAILURES:
        return False
    newest = max(
        (at for at in (state.newest_at, state.last_new_at) if at), default=None
    )
    return newest is None or now - newest > longest_silence(news)


def longest_silence(news: Sequence[datetime]) -> timedelta:
    """How long a source of this rhythm may be silent."""
    if len(news) < MIN_NEWS_VISITS:
        return QUIET_AFTER
    gaps = (later - earlier for earlier, later in pairwise(news))
    return max(NO_ARTICLE_ALERT, max(gaps) * QUIET_FACTOR)


def find_drift(source: str, before: PageYield, lately: PageYield) -> list[Drift]:
    """In what a source yields less than it did.

    A page without text counts against text, a text against the rest.
    """
    shares = {
        "text": ((before.texts, before.pages), (lately.texts, lately.pages)),
        "dates": ((before.dated, before.texts), (lately.dated, lately.texts)),
        "authors": ((before.signed, before.texts), (lately.signed, lately.texts)),
    }
    return [
        Drift(
            source=source, what=what, before=then[0] / then[1], lately=now[0] / now[1]
        )
        for what, (then, now) in shares.items()
        if then[1] >= MIN_PAGES_BEFORE
        and now[1] >= MIN_PAGES_LATELY
        and then[0] / then[1] - now[0] / now[1] >= MIN_SHARE_DROP
    ]


def find_drifting(store: Store, now: datetime) -> tuple[Drift, ...]:
    """Every source that yields less than it did, each with a page that shows it."""
    before = store.stats.page_yields(now - NEWS_HISTORY, now - RECENT_PERIOD)
    lately = store.stats.page_yields(now - RECENT_PERIOD, now + RECENT_PERIOD)
    found = [
        one
        for source in lately
        for one in find_drift(source, before.get(source, PageYield()), lately[source])
    ]
    return tuple(
        replace(one, sample=store.stats.page_without(one.source, one.what))
        for one in found
    )


def _disk_space(store: Store, config: Config, now: datetime) -> DiskSpace:
    total = store.stats.sizes()["total"]
    try:
        free = shutil.disk_usage(store.path.parent).free
    except OSError:
        free = 0
    return DiskSpace(
        bytes=total,
        bytes_a_day=total * store.stats.share_of_new(now - WEEK) / WEEK.days,
        free=max(0, min(free, config.store.max_size - total)) if total else free,
    )


def with_problems(found: Status, *, visited: int, limit: int, now: datetime) -> Status:
    """The same with its problems."""
    return replace(
        found, problems=tuple(_problems(found, visited=visited, limit=limit, now=now))
    )


def _problems(found: Status, *, visited: int, limit: int, now: datetime) -> list[str]:
    problems = []
    if not visited:
        problems.append("no source was visited yet; run `khabar crawl`")
    elif len(found.failing) == visited:
        problems.append(
            "every source fails; is this machine online? `khabar sources check` says what each answers"
        )
    if visited and (
        found.last_article_at is None or now - found.last_article_at > NO_ARTICLE_ALERT
    ):
        problems.append(
            "no new article for 24 hours; run `khabar crawl`, or see the sources that fail or are quiet"
        )
    oldest = found.counts["oldest_pending_at"]
    if oldest and now - datetime.fromisoformat(oldest) > MAX_PENDING_AGE:
        problems.append(
            f"{found.counts['pending']} pages wait, some for over six hours; run `khabar crawl`"
        )
    problems += [_describe_drift(one) for one in found.drifting if one.what == "text"]
    problems += [
        f"alert {one.id} cannot tell what it found: {one.last_error}"
        for one in found.alerts
    ]
    if found.unbalanced:
        problems.append(
            f"{len(found.unbalanced)} visits do not add up: a defect of khabar; please report it"
        )
    if found.disk_space.bytes and found.disk_space.free < DISK_FULL_BYTES:
        problems.append(
            "the disk is full: nothing can be stored; free some space, it goes on by itself"
        )
    if found.bytes > limit * 0.9:
        problems.append(
            "database and captures have used nine tenths of store.max_size; raise it or lower keep_captures"
        )
    return problems


def _describe_drift(found: Drift) -> str:
    sample = f"; see `khabar explain {found.sample['url']}`" if found.sample else ""
    return (
        f"{found.source}: its pages yielded text {found.before:.0%} of the time, now {found.lately:.0%}: "
        f"were they rebuilt?{sample}"
    )
