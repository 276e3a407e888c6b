"""`status` and `doctor` as they are printed."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from scheduler.doctor import Finding
from scheduler.health import Drift, Room, Status
from scheduler.showing.terminal import Screen
from scheduler.showing.views import ago, facts, number, span, when
from storage.model import SourceState, to_text, utc_now
from storage.tables.vitals import Blind

TOP = 10  # sources whose traffic is shown
MANY_DAYS = 3_650


def status(screen: Screen, found: Status, *, json: bool) -> None:
    """Is it working."""
    if json:
        screen.fact(status_fact(found))
        return
    now = utc_now()
    facts(screen, _glance(found, now))
    for state in found.failing:
        _named(screen, "failing", f"{state.id}: {screen.web(_plain(state.last_error or ''))}{_since(state, now)}")
    for state in found.quiet:
        _named(screen, "quiet", f"{state.id}: newest item {_last_sign(state, now)}")
    for drifted in found.drifting:
        _named(screen, "drifting", _drift(drifted))
    failing = {state.id for state in found.failing}
    for period in found.blind:
        if period.to_at or period.source not in failing:  # of those that fail now it was said
            told = f"{period.source or 'everything'}: {_span(period)}, {screen.web(_plain(period.reason))}"
            _named(screen, "blind", told)
    for source, cost in sorted(found.traffic.items(), key=lambda item: -item[1].bytes)[:TOP]:
        told = f"{source}: {number(cost.requests, 'request')} and {cost.bytes / 1e6:,.2f} MB in seven days"
        _named(screen, "traffic", told)
    for problem in found.problems:
        screen.line(f"{screen.style('not well', 'red')}     {screen.web(problem)}")
    if found.well:
        screen.line(screen.style("all is well", "green"))


def _glance(found: Status, now: datetime) -> list[tuple[str, object]]:
    counts, last = found.counts, found.last_article_at
    fates = ", ".join(f"{kind.replace('_', ' ')} {count:,}" for kind, count in counts["fates"].items())
    upcoming = ", ".join(f"{source} {_ahead(at, now)}" for source, at in found.next_checks)
    visited = f"{len(found.never)} of them not visited yet" if found.never else "all of them visited"
    service = f"process {found.holder} writes" if found.holder else "none runs"
    if found.alive_at:
        service += f"; last sign of life {ago(found.alive_at, now)}"
    return [
        ("service", service),
        ("articles", f"{counts['articles']:,}, and {number(counts['copies'], 'copy', 'copies')} of them"),
        ("last new", f"{when(last)} UTC ({ago(last, now)})" if last else "none yet"),
        ("fates", fates),
        ("queue", f"{number(counts['pending'], 'page')} waiting"),
        ("sources", f"{counts['sources']} switched on{f', {visited}' if counts['sources'] else ''}"),
        ("next", upcoming or "nothing planned"),
        ("storage", _room(found.room, found.bytes)),
    ]


def _room(room: Room, total: int) -> str:
    grows = f", {room.a_day / 1e6:,.1f} MB a day" if room.a_day else ""
    years = room.days is not None and room.days > MANY_DAYS
    left = "" if room.days is None else ", room for over ten years" if years else f", room for {room.days:,.0f} days"
    return f"{total / 1e6:,.1f} MB{grows}{left}"


def _ahead(at: datetime, now: datetime) -> str:
    return f"in {span(at - now)}" if at > now else "now"


def _since(state: SourceState, now: datetime) -> str:
    return f", for {span(now - state.first_failure_at)}" if state.first_failure_at else ""


def _plain(error: str) -> str:
    """An error whose kind is written as words: `html_instead_of_feed: ...`."""
    kind, colon, rest = error.partition(":")
    return f"{kind.replace('_', ' ')}{colon}{rest}"


def _last_sign(state: SourceState, now: datetime) -> str:
    return ago(state.newest_at or state.last_new_at, now)


def _drift(found: Drift) -> str:
    told = f"{found.source}: {found.what} in {found.lately:.0%} of its pages, {found.before:.0%} before"
    return f"{told}; `khabar sources check {found.source}` shows one without" if found.sample else told


def _span(period: Blind) -> str:
    end = f"{when(period.to_at)} UTC" if period.to_at else "now"
    return f"{when(period.from_at)} UTC to {end}"


def _named(screen: Screen, kind: str, text: str) -> None:
    screen.line(f"{screen.style(f'{kind:<12}', 'yellow')} {text}")


def status_fact(found: Status) -> dict[str, Any]:
    """The status as JSON."""
    return {
        "well": found.well,
        "problems": list(found.problems),
        **found.counts,
        "bytes": found.bytes,
        "bytes_a_day": round(found.room.a_day),
        "days_left": None if found.room.days is None else round(found.room.days),
        "failing": {state.id: state.last_error for state in found.failing},
        "quiet": [state.id for state in found.quiet],
        "drifting": [asdict(one) for one in found.drifting],
        "never_visited": [state.id for state in found.never],
        "next_checks": {source: to_text(at) for source, at in found.next_checks},
        "blind": [
            {
                "source": one.source,
                "from": to_text(one.from_at),
                "to": one.to_at and to_text(one.to_at),
                "reason": one.reason,
            }
            for one in found.blind
        ],
        "week_traffic": {source: asdict(cost) for source, cost in found.traffic.items()},
        "unbalanced_polls": [row["id"] for row in found.unbalanced],
        "holder": found.holder,
        "alive_at": found.alive_at and to_text(found.alive_at),
    }


def doctor(screen: Screen, findings: Iterable[Finding], *, json: bool) -> bool:
    """Each finding as it comes, with what to do. Returns whether nothing is broken."""
    good = True
    for one in findings:
        good = good and one.good
        if json:
            screen.fact(asdict(one))
            continue
        mark = "advice" if one.advice else "good" if one.good else "broken"
        colour = {"good": "green", "advice": "yellow", "broken": "red"}[mark]
        screen.line(f"{screen.style(f'{mark:<8}', colour)}{one.check:<15} {screen.web(one.says)}")
        if one.mend:
            screen.line(f"{'':<23} {screen.style('mend', 'dim')}: {screen.web(one.mend)}")
    return good
