"""Is it working, not only alive: numbers from the store and the verdicts on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from scheduler.config import Config
from storage import standings
from storage.model import SourceState
from storage.standings import Standing
from storage.store import Store

SILENT = timedelta(hours=24)  # no new article from any source
QUIET = timedelta(days=7)  # a source whose newest item, or last news, is older
WAITING = timedelta(hours=6)  # a lead that is still pending
FAILING = 3.0  # failures in a row (a passing one counts half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of the whole. `problems` is empty when all is well; each says what to do."""

    counts: Mapping[str, Any]
    last_article_at: datetime | None
    failing: tuple[SourceState, ...] = ()
    quiet: tuple[SourceState, ...] = ()
    never: tuple[SourceState, ...] = ()  # enabled and not yet visited
    unbalanced: Sequence[Mapping[str, Any]] = ()
    alerts: tuple[Standing, ...] = ()  # saved searches that cannot tell what they found
    bytes: int = 0  # database and captures
    problems: tuple[str, ...] = field(default=())

    @property
    def well(self) -> bool:
        return not self.problems


def check(store: Store, config: Config, now: datetime) -> Status:
    """Ask the store and judge."""
    counts = store.counts()
    states = [state for state in store.sources() if state.enabled]
    visited = [state for state in states if state.last_poll_at is not None]
    last = counts["last_article_at"]
    found = Status(
        counts=counts,
        last_article_at=datetime.fromisoformat(last) if last else None,
        failing=tuple(state for state in visited if state.failures >= FAILING or state.last_success_at is None),
        quiet=tuple(state for state in visited if is_quiet(state, now)),
        never=tuple(state for state in states if state.last_poll_at is None),
        unbalanced=store.unbalanced_polls(),
        alerts=tuple(one for one in standings.read(store.db).values() if one.failures >= FAILING),
        bytes=store.sizes()["total"],
    )
    return judged(found, visited=len(visited), limit=config.store.max_size, now=now)


def is_quiet(state: SourceState, now: datetime) -> bool:
    """Answers, and has shown nothing new for a week: the status of a page says nothing of its age."""
    if state.last_success_at is None or state.failures >= FAILING:
        return False
    newest = max((at for at in (state.newest_at, state.last_new_at) if at), default=None)
    return newest is None or now - newest > QUIET


def judged(found: Status, *, visited: int, limit: int, now: datetime) -> Status:
    """The same with its problems."""
    from dataclasses import replace

    return replace(found, problems=tuple(_problems(found, visited=visited, limit=limit, now=now)))


def _problems(found: Status, *, visited: int, limit: int, now: datetime) -> list[str]:
    problems = []
    if not visited:
        problems.append("no source was visited yet; run `khabar crawl`")
    elif len(found.failing) == visited:
        problems.append("every source fails; is this machine online? `khabar sources check` says what each answers")
    if visited and (found.last_article_at is None or now - found.last_article_at > SILENT):
        problems.append("no new article for 24 hours; run `khabar crawl`, or see the sources that fail or are quiet")
    oldest = found.counts["oldest_pending_at"]
    if oldest and now - datetime.fromisoformat(oldest) > WAITING:
        problems.append(f"{found.counts['pending']} pages wait, some for over six hours; run `khabar crawl`")
    problems += [f"alert {one.id} cannot tell what it found: {one.last_error}" for one in found.alerts]
    if found.unbalanced:
        problems.append(f"{len(found.unbalanced)} visits do not add up: a defect of khabar; please report it")
    if found.bytes > limit * 0.9:
        problems.append(
            "database and captures have used nine tenths of store.max_size; raise it or lower keep_captures"
        )
    return problems
