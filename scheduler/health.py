"""Is it working, not only alive: numbers from the store and the verdicts on them.

`status`, `doctor` and `/healthz` say what `read_status` finds here. What could not be
looked at is told as that (`unknown`), and never taken for well.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from scheduler.config import Config
from storage.errors import StoreError
from storage.model import (
    AlertCursor,
    BlindPeriod,
    PageYield,
    SourceState,
    SourceTraffic,
)
from storage.store import Store, holder_pid

MAX_AGE_OF_NEWEST_ARTICLE = timedelta(hours=24)
# Silence after which a source is quiet, where too little is known of its habits.
QUIET_AFTER = timedelta(days=7)
# Five weeks: a feed that rests on Fridays has done so before.
NEWS_HISTORY = timedelta(days=35)
QUIET_FACTOR = 1.5  # times the longest silence of that time
MIN_NEWS_VISITS = 5  # with news, before a source has habits
MAX_PENDING_AGE = timedelta(hours=6)
FAILING_FAILURES = 3.0  # in a row; one that passes by itself counts half
# What a source yields lately is held against the month before.
RECENT_PERIOD = timedelta(days=3)
# Pages without which no verdict is passed on a source: five bad ones are no redesign.
MIN_PAGES_BEFORE, MIN_PAGES_LATELY = 20, 5
MIN_SHARE_DROP = 0.5  # of pages with a text: half of them gone is no chance
WEEK = timedelta(days=7)
DISK_FULL_BYTES = 20 << 20  # free; a log of writes alone takes so much
NEARLY_FULL_SHARE = 0.9  # of store.max_size
NEXT_CHECKS_SHOWN = 5
# The service gives a sign of life every 30 s; a busy disk may hold back some.
MAX_SILENCE_OF_SERVICE = timedelta(minutes=5)
# By so much a source may be late where no service runs: somebody is starting it anew.
MAX_OVERDUE = timedelta(hours=1)
# A clock that is corrected goes back by seconds.
CLOCK_TOLERANCE = timedelta(minutes=5)
# Copies that may be missed before it is a fault, in terms of service.backup_every.
MAX_MISSED_BACKUPS = 2


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
    """What the database and its captures take, and for how long there is room."""

    bytes: int = 0  # database and captures
    bytes_a_day: float = 0.0  # by which it grew in the last week
    free: int = 0  # on the disk, or up to store.max_size where that is nearer

    @property
    def days(self) -> float | None:
        """Days left at this rate; None where it does not grow."""
        if self.bytes_a_day <= 0:
            return None
        return self.free / self.bytes_a_day


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
    # Saved searches that cannot send what they found
    alerts: tuple[AlertCursor, ...] = ()
    bytes: int = 0  # database and captures
    disk_space: DiskSpace = DiskSpace()
    # Of the last seven days
    traffic: Mapping[str, SourceTraffic] = field(default_factory=dict)
    next_checks: tuple[tuple[str, datetime], ...] = ()
    blind: tuple[BlindPeriod, ...] = ()
    holder: int | None = None  # pid of the process that writes
    alive_at: datetime | None = None
    # Of the configuration, changed under the running service
    waiting_keys: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    # Of the problems those of the service, its file and its disks, not of the sources
    own_problems: tuple[str, ...] = ()
    # What could not be looked at, and why
    unknown: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        return not self.problems


def read_status(
    store: Store, config: Config, now: datetime, *, config_faults: Sequence[str] = ()
) -> Status:
    """Ask the store, and judge. Raises StoreError.

    `config_faults` are those of a configuration of which only a part can be read.
    """
    counts = store.stats.counts()
    last_article_at = None
    if counts["last_article_at"]:
        last_article_at = datetime.fromisoformat(counts["last_article_at"])
    # An alert that was taken out of the configuration is nobody's concern any more.
    configured = {alert.id for alert in config.alerts}
    failing_alerts = [
        one
        for one in store.alert_cursors.load().values()
        if one.id in configured and one.failures >= FAILING_FAILURES
    ]
    holder = holder_pid(store.path)
    # Where nobody writes, the next start takes over the whole configuration anyway.
    waiting_keys: tuple[str, ...] = ()
    if holder is not None:
        waiting_keys = store.service.waiting_keys()

    never, visited, failing, quiet = [], [], [], []
    news = store.stats.news_times(now - NEWS_HISTORY)
    for source in store.sources.all():
        if not source.enabled:
            continue
        if source.last_poll_at is None:
            never.append(source)
            continue
        visited.append(source)
        if is_failing(source):
            failing.append(source)
        if is_quiet(source, now, news.get(source.id, ())):
            quiet.append(source)

    disk_space = _measure_disk_space(store, config, now)
    status = Status(
        counts=counts,
        last_article_at=last_article_at,
        failing=tuple(failing),
        quiet=tuple(quiet),
        never=tuple(never),
        drifting=find_drifting(store, now),
        unbalanced=store.polls.unbalanced(),
        alerts=tuple(failing_alerts),
        bytes=disk_space.bytes,
        disk_space=disk_space,
        traffic=store.stats.traffic(now - WEEK),
        next_checks=tuple(store.sources.next_checks(NEXT_CHECKS_SHOWN)),
        blind=tuple(store.stats.blind_periods(now - WEEK)),
        holder=holder,
        alive_at=store.service.alive_at(),
        waiting_keys=waiting_keys,
    )
    judged = with_problems(
        status, visited=len(visited), max_size=config.store.max_size, now=now
    )
    return _with_own_problems(store, config, judged, now, config_faults)


def _with_own_problems(
    store: Store,
    config: Config,
    status: Status,
    now: datetime,
    config_faults: Sequence[str],
) -> Status:
    own, unknown = find_own_problems(store, config, status, now)
    if config_faults:
        faulty = (
            f"the configuration {config.path} is faulty and no service starts with it "
            f"({config_faults[0]}); see `khabar config check`"
        )
        own.insert(0, faulty)
    return replace(
        status,
        problems=(*own, *status.problems),
        own_problems=tuple(own),
        unknown=tuple(unknown),
    )


# The service, its file and its disks


def find_own_problems(
    store: Store, config: Config, status: Status, now: datetime
) -> tuple[list[str], list[str]]:
    """What is wrong with the service and what it keeps, and what cannot be told.

    Each problem says what to do. Raises StoreError.
    """
    unknown: list[str] = []
    problems = _find_silence(
        status,
        service_pid=store.service.pid(),
        overdue=store.sources.count_overdue(now - MAX_OVERDUE),
        now=now,
    )
    if status.holder == 0:
        unknown.append("who writes to the database: its lock may not be read")
    for job, fault in store.service.load_job_faults().items():
        if job == "backup" and config.service.backup is None:
            continue
        problems.append(
            f"{job} fails since {fault.since:%Y-%m-%d %H:%M}: {fault.error}"
        )
    problems += _find_missing_backup(store, config, status, now)
    full = find_full_captures_disk(config)
    if full:
        problems.append(full)
    problems += _find_closed_files(store.path)
    try:
        archive = store.captures.check_archive()
    except (OSError, StoreError) as fault:
        unknown.append(f"whether the raw pages are there: {fault}")
        return problems, unknown
    if archive.unreadable:
        problems.append(
            f"{archive.unreadable:,} of {archive.captures:,} raw pages cannot be read "
            f"({archive.faulty_files[0]} of {config.store.captures} first): gone, cut "
            "or changed; put the copy of their folder back"
        )
    return problems, unknown


def _find_silence(
    status: Status, *, service_pid: int | None, overdue: int, now: datetime
) -> list[str]:
    """A service that hangs, or that ran here and does not any more. Pure."""
    alive_at = status.alive_at
    if alive_at is None:
        return []
    silent = now - alive_at
    if alive_at > now + CLOCK_TOLERANCE:
        text = (
            f"the last sign of life is of {alive_at:%Y-%m-%d %H:%M} UTC, which is still "
            "to come: the clock was set back; set it right"
        )
        return [text]
    minutes = int(silent.total_seconds() // 60)
    if status.holder and status.holder == service_pid:
        if silent > MAX_SILENCE_OF_SERVICE:
            text = (
                f"the service (process {status.holder}) has given no sign of life for "
                f"{minutes:,} minutes; see its log, and restart it"
            )
            return [text]
        return []
    if status.holder is None and overdue and silent > MAX_SILENCE_OF_SERVICE:
        text = (
            f"no service runs since {alive_at:%Y-%m-%d %H:%M} UTC and {overdue} sources "
            "are overdue; start it: `systemctl start khabar`, or `khabar run`"
        )
        return [text]
    return []


def _find_missing_backup(
    store: Store, config: Config, status: Status, now: datetime
) -> list[str]:
    """That the configured copy is not there, or too old, where a service makes it."""
    target = config.service.backup
    if target is None or status.alive_at is None:
        return []
    longest = config.service.backup_every * MAX_MISSED_BACKUPS + MAX_OVERDUE
    if now - store.service.made_at() < longest:
        return []
    try:
        made_at = datetime.fromtimestamp(target.stat().st_mtime, now.tzinfo)
    except FileNotFoundError:
        return [f"there is no backup at {target}; the service's log says why"]
    except OSError:
        return []
    if now - made_at > longest:
        text = (
            f"the backup {target} is of {made_at:%Y-%m-%d %H:%M} UTC; the service's log "
            "says why none was made since"
        )
        return [text]
    return []


def find_full_captures_disk(config: Config) -> str:
    """What is wrong with the disk of the raw pages; "" where it has room.

    Also where it is the database's own, which `with_problems` judges.
    """
    folder = config.store.captures
    if folder is None:
        return ""
    try:
        present = nearest_folder(folder.absolute())
        database = nearest_folder(config.store.path.absolute().parent)
        free = shutil.disk_usage(present).free
        is_same = present.stat().st_dev == database.stat().st_dev
    except OSError as fault:
        return f"the captures folder {folder} cannot be looked at: {fault.strerror}"
    if is_same or free >= DISK_FULL_BYTES:
        return ""
    return (
        f"the disk of the captures folder {folder} is full ({free / 1e6:.1f} MB free): "
        "no raw page can be stored; free some space, it goes on by itself"
    )


def nearest_folder(folder: Path) -> Path:
    """The folder itself, or the one above it that is there."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _find_closed_files(path: Path) -> list[str]:
    """Files of the database that its owner may not write to, each by its own name.

    Of another user's nothing is said: a reader need not write.
    """
    problems = []
    real = path.resolve()
    for file in (real, *(real.with_name(real.name + end) for end in ("-wal", "-shm"))):
        try:
            owner = file.stat().st_uid
        except OSError:
            continue
        database_owner = real.stat().st_uid
        if owner != database_owner:
            problems.append(
                f"{file} belongs to another user than the database and keeps the "
                "service out; stop what uses it, and remove it"
            )
        elif os.geteuid() == owner and not os.access(file, os.W_OK):
            problems.append(f"{file} cannot be written; check its mode and its disk")
    return problems


def is_failing(state: SourceState) -> bool:
    """Whether a source that was visited has failed too often in a row, or always."""
    return state.failures >= FAILING_FAILURES or state.last_success_at is None


def is_quiet(state: SourceState, now: datetime, news: Sequence[datetime] = ()) -> bool:
    """Whether a source answers, and has been silent for longer than it ever is.

    Its status says nothing of that: a feed of last month is answered with 200 too.
    `news` are the times at which its visits showed something new.
    """
    if is_failing(state):
        return False
    times = [at for at in (state.newest_at, state.last_new_at) if at is not None]
    return not times or now - max(times) > longest_silence(news)


def longest_silence(news: Sequence[datetime]) -> timedelta:
    """How long a source with news at these times may be silent.

    A week where they are too few to tell.
    """
    if len(news) < MIN_NEWS_VISITS:
        return QUIET_AFTER
    longest = max(later - earlier for earlier, later in pairwise(news))
    return max(MAX_AGE_OF_NEWEST_ARTICLE, longest * QUIET_FACTOR)


def find_drifting(store: Store, now: datetime) -> tuple[Drift, ...]:
    """Every source that yields less than it did, each with a page that shows it."""
    recently = now - RECENT_PERIOD
    before = store.stats.page_yields(now - NEWS_HISTORY, recently)
    # A page that is landed while this is asked belongs to the recent ones as well.
    lately = store.stats.page_yields(recently, now + RECENT_PERIOD)
    found = []
    for source, yields in lately.items():
        for drift in find_drift(source, before.get(source, PageYield()), yields):
            sample = store.stats.page_without(source, drift.what)
            found.append(replace(drift, sample=sample))
    return tuple(found)


def find_drift(source: str, before: PageYield, lately: PageYield) -> list[Drift]:
    """In what a source yields less than it did.

    A page without a text counts against the texts, a text without a date or an author
    against those.
    """
    counted = {
        "text": (before.texts, before.pages, lately.texts, lately.pages),
        "dates": (before.dated, before.texts, lately.dated, lately.texts),
        "authors": (before.signed, before.texts, lately.signed, lately.texts),
    }
    found = []
    for what, (part_before, all_before, part_lately, all_lately) in counted.items():
        if all_before < MIN_PAGES_BEFORE or all_lately < MIN_PAGES_LATELY:
            continue
        share_before, share_lately = part_before / all_before, part_lately / all_lately
        if share_before - share_lately >= MIN_SHARE_DROP:
            found.append(
                Drift(
                    source=source, what=what, before=share_before, lately=share_lately
                )
            )
    return found


def _measure_disk_space(store: Store, config: Config, now: datetime) -> DiskSpace:
    total = store.stats.sizes()["total"]
    # No answer counts as no room: a disk that was taken away says nothing else.
    try:
        free = shutil.disk_usage(store.path.parent).free
    except OSError:
        free = 0
    if total:
        free = max(0, min(free, config.store.max_size - total))
    grown = total * store.stats.share_of_new(now - WEEK)
    return DiskSpace(bytes=total, bytes_a_day=grown / WEEK.days, free=free)


def with_problems(
    status: Status, *, visited: int, max_size: int, now: datetime
) -> Status:
    """The same status with its problems. Pure.

    `visited` is the number of sources that were visited at least once; `max_size` is
    in bytes.
    """
    problems = []
    if not visited:
        problems.append("no source was visited yet; run `khabar crawl`")
    elif len(status.failing) == visited:
        problems.append(
            "every source fails; is this machine online? "
            "`khabar sources check` says what each answers"
        )
    last = status.last_article_at
    if visited and (last is None or now - last > MAX_AGE_OF_NEWEST_ARTICLE):
        problems.append(
            "no new article for 24 hours; run `khabar crawl`, "
            "or see the sources that fail or are quiet"
        )
    oldest = status.counts["oldest_pending_at"]
    if oldest and now - datetime.fromisoformat(oldest) > MAX_PENDING_AGE:
        pending = status.counts["pending"]
        problems.append(
            f"{pending} pages wait, some for over six hours; run `khabar crawl`"
        )
    problems += [
        _describe_drift(drift) for drift in status.drifting if drift.what == "text"
    ]
    problems += [
        f"alert {alert.id} cannot send what it found: {alert.last_error}"
        for alert in status.alerts
    ]
    if status.unbalanced:
        problems.append(
            f"{len(status.unbalanced)} visits do not add up: "
            "a defect of khabar; please report it"
        )
    if status.disk_space.bytes and status.disk_space.free < DISK_FULL_BYTES:
        problems.append(
            "the disk is full: nothing can be stored; "
            "free some space, it goes on by itself"
        )
    if status.bytes > max_size * NEARLY_FULL_SHARE:
        problems.append(
            "database and captures have used nine tenths of store.max_size; "
            "raise it or lower keep_captures"
        )
    return replace(status, problems=tuple(problems))


def _describe_drift(drift: Drift) -> str:
    text = (
        f"{drift.source}: its pages yielded text {drift.before:.0%} of the time, "
        f"now {drift.lately:.0%}: were they rebuilt?"
    )
    if drift.sample is None:
        return text
    return f"{text}; see `khabar explain {drift.sample['url']}`"
