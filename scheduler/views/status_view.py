"""`status` and `doctor` as they are printed."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from scheduler.doctor import Finding
from scheduler.health import DiskSpace, Drift, Status
from scheduler.views.article_views import (
    format_age,
    format_count,
    format_duration,
    format_time,
    show_fields,
)
from scheduler.views.terminal import Screen
from storage.model import BlindPeriod, SourceState, to_text, utc_now

MAX_TRAFFIC_SOURCES = 10  # sources whose traffic is shown
MAX_DAYS_SHOWN = 3_650


def show_status(screen: Screen, found: Status, *, json: bool) -> None:
    """Is it working."""
    if json:
        screen.json_line(status_to_json(found))
        return
    now = utc_now()
    show_fields(screen, _summary_fields(found, now))
    for state in found.failing:
        _show_labelled(
            screen,
            "failing",
            f"{state.id}: {screen.safe_text(_describe_error(state.last_error or ''))}{_format_failing_for(state, now)}",
        )
    for state in found.quiet:
        _show_labelled(
            screen,
            "quiet",
            f"{state.id}: newest item {_format_newest_item(state, now)}",
        )
    for drifted in found.drifting:
        _show_labelled(screen, "drifting", _describe_drift(drifted))
    failing = {state.id for state in found.failing}
    for period in found.blind:
        # Of those that fail now it was said
        if period.to_at or period.source not in failing:
            told = f"{period.source or 'everything'}: {_describe_period(period)}, {screen.safe_text(_describe_error(period.reason))}"
            _show_labelled(screen, "blind", told)
    for source, cost in sorted(found.traffic.items(), key=lambda item: -item[1].bytes)[
        :MAX_TRAFFIC_SOURCES
    ]:
        told = f"{source}: {format_count(cost.requests, 'request')} and {cost.bytes / 1e6:,.2f} MB in seven days"
        _show_labelled(screen, "traffic", told)
    for problem in found.problems:
        screen.line(
            f"{screen.style('not well', 'red')}     {screen.safe_text(problem)}"
        )
    if found.well:
        screen.line(screen.style("all is well", "green"))


def _summary_fields(found: Status, now: datetime) -> list[tuple[str, object]]:
    counts, last = found.counts, found.last_article_at
    fates = ", ".join(
        f"{kind.replace('_', ' ')} {count:,}" for kind, count in counts["fates"].items()
    )
    upcoming = ", ".join(
        f"{source} {_format_time_until(at, now)}" for source, at in found.next_checks
    )
    visited = (
        f"{len(found.never)} of them not visited yet"
        if found.never
        else "all of them visited"
    )
    service = f"process {found.holder} writes" if found.holder else "none runs"
    if found.alive_at:
        service += f"; last sign of life {format_age(found.alive_at, now)}"
    return [
        ("service", service),
        (
            "articles",
            f"{counts['articles']:,}, and {format_count(counts['copies'], 'copy', 'copies')} of them",
        ),
        (
            "last new",
            f"{format_time(last)} UTC ({format_age(last, now)})"
            if last
            else "none yet",
        ),
        ("fates", fates),
        ("queue", f"{format_count(counts['pending'], 'page')} waiting"),
        (
            "sources",
            f"{counts['sources']} switched on{f', {visited}' if counts['sources'] else ''}",
        ),
        ("next", upcoming or "nothing planned"),
        ("storage", _describe_storage(found.disk_space, found.bytes)),
    ]


def _describe_storage(room: DiskSpace, total: int) -> str:
    grows = f", {room.bytes_a_day / 1e6:,.1f} MB a day" if room.bytes_a_day else ""
    years = room.days is not None and room.days > MAX_DAYS_SHOWN
    left = (
        ""
        if room.days is None
        else ", room for over ten years"
        if years
        else f", room for {room.days:,.0f} days"
    )
    return f"{total / 1e6:,.1f} MB{grows}{left}"


def _format_time_until(at: datetime, now: datetime) -> str:
    return f"in {format_duration(at - now)}" if at > now else "now"


def _format_failing_for(state: SourceState, now: datetime) -> str:
    return (
        f", for {format_duration(now - state.first_failure_at)}"
        if state.first_failure_at
        else ""
    )


def _describe_error(error: str) -> str:
    """An error whose kind is written as words: `html_instead_of_feed: ...`."""
    kind, colon, rest = error.partition(":")
    return f"{kind.replace('_', ' ')}{colon}{rest}"


def _format_newest_item(state: SourceState, now: datetime) -> str:
    return format_age(state.newest_at or state.last_new_at, now)


def _describe_drift(found: Drift) -> str:
    told = f"{found.source}: {found.what} in {found.lately:.0%} of its pages, {found.before:.0%} before"
    return (
        f"{told}; `khabar sources check {found.source}` shows one without"
        if found.sample
        else told
    )


def _describe_period(period: BlindPeriod) -> str:
    end = f"{format_time(period.to_at)} UTC" if period.to_at else "now"
    return f"{format_time(period.from_at)} UTC to {end}"


def _show_labelled(screen: Screen, kind: str, text: str) -> None:
    screen.line(f"{screen.style(f'{kind:<12}', 'yellow')} {text}")


def status_to_json(found: Status) -> dict[str, Any]:
    """The status as JSON."""
    return {
        "well": found.well,
        "problems": list(found.problems),
        **found.counts,
        "bytes": found.bytes,
        "bytes_a_day": round(found.disk_space.bytes_a_day),
        "days_left": None
        if found.disk_space.days is None
        else round(found.disk_space.days),
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
        "week_traffic": {
            source: asdict(cost) for source, cost in found.traffic.items()
        },
        "unbalanced_polls": [row["id"] for row in found.unbalanced],
        "holder": found.holder,
        "alive_at": found.alive_at and to_text(found.alive_at),
    }


def show_findings(screen: Screen, findings: Iterable[Finding], *, json: bool) -> bool:
    """Each finding as it comes, with what to do. Returns whether nothing is broken."""
    good = True
    for one in findings:
        good = good and one.good
        if json:
            screen.json_line(asdict(one))
            continue
        mark = "advice" if one.advice else "good" if one.good else "broken"
        colour = {"good": "green", "advice": "yellow", "broken": "red"}[mark]
        screen.line(
            f"{screen.style(f'{mark:<8}', colour)}{one.check:<15} {screen.safe_text(one.says)}"
        )
        if one.mend:
            screen.line(
                f"{'':<23} {screen.style('mend', 'dim')}: {screen.safe_text(one.mend)}"
            )
    return good
