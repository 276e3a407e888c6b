"""`khabar status` and `khabar doctor` as they are printed."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from scheduler.doctor import Finding
from scheduler.health import DiskSpace, Status
from scheduler.views.formatting import (
    format_age,
    format_count,
    format_duration,
    format_time,
)
from scheduler.views.terminal import Screen
from storage.model import to_text, utc_now

MAX_TRAFFIC_SOURCES = 10  # the ones with most bytes
MAX_DAYS_SHOWN = 3_650  # a forecast beyond ten years says nothing

_FINDING_COLOURS = {"good": "green", "advice": "yellow", "broken": "red"}


def show_status(screen: Screen, status: Status, *, json: bool) -> None:
    """The figures, then a line for each thing that is not as it should be."""
    if json:
        screen.json_line(status_to_json(status))
        return
    now = utc_now()
    screen.fields(_summary_fields(status, now))
    for kind, text in _list_remarks(status, now):
        screen.line(f"{screen.style(f'{kind:<12}', 'yellow')} {screen.safe_text(text)}")
    for problem in status.problems:
        label = screen.style("not well", "red")
        screen.line(f"{label}     {screen.safe_text(problem)}")
    for what in status.unknown:
        label = screen.style("not told", "yellow")
        screen.line(f"{label}     {screen.safe_text(what)}")
    if status.well and status.unknown:
        screen.line("nothing is wrong with what could be looked at")
    elif status.well:
        screen.line(screen.style("all is well", "green"))


def _summary_fields(status: Status, now: datetime) -> list[tuple[str, object]]:
    counts = status.counts
    service = "none runs"
    if status.holder:
        service = f"process {status.holder} writes"
    elif status.holder == 0:
        service = "cannot be told: its lock may not be read"
    if status.alive_at:
        service += f"; last sign of life {format_age(status.alive_at, now)}"

    last_new = "none yet"
    if status.last_article_at:
        age = format_age(status.last_article_at, now)
        last_new = f"{format_time(status.last_article_at)} UTC ({age})"

    sources = f"{counts['sources']} switched on"
    if status.never:
        sources += f", {len(status.never)} of them not visited yet"
    elif counts["sources"]:
        sources += ", all of them visited"

    copies = format_count(counts["copies"], "copy", "copies")
    fates = [f"{name.replace('_', ' ')} {n:,}" for name, n in counts["fates"].items()]
    upcoming = []
    for source, at in status.next_checks:
        wait = f"in {format_duration(at - now)}" if at > now else "now"
        upcoming.append(f"{source} {wait}")
    return [
        ("service", service),
        ("articles", f"{counts['articles']:,}, and {copies} of them"),
        ("last new", last_new),
        ("fates", ", ".join(fates)),
        ("queue", f"{format_count(counts['pending'], 'page')} waiting"),
        ("sources", sources),
        ("next", ", ".join(upcoming) or "nothing planned"),
        ("storage", _describe_storage(status.disk_space, status.bytes)),
    ]


def _describe_storage(space: DiskSpace, total_bytes: int) -> str:
    text = f"{total_bytes / 1e6:,.1f} MB"
    if space.bytes_a_day:
        text += f", {space.bytes_a_day / 1e6:,.1f} MB a day"
    if space.days is None:
        return text
    if space.days > MAX_DAYS_SHOWN:
        return f"{text}, room for over ten years"
    return f"{text}, room for {space.days:,.0f} days"


def _list_remarks(status: Status, now: datetime) -> list[tuple[str, str]]:
    """(kind, text) of what deserves a look, the worst kinds first."""
    remarks = []
    if status.waiting_keys:
        text = (
            f"the next start of the service takes over {', '.join(status.waiting_keys)}"
        )
        remarks.append(("waiting", text))
    for state in status.failing:
        text = f"{state.id}: {_describe_error(state.last_error or '')}"
        if state.first_failure_at:
            text += f", for {format_duration(now - state.first_failure_at)}"
        remarks.append(("failing", text))
    for state in status.quiet:
        newest = format_age(state.newest_at or state.last_new_at, now)
        remarks.append(("quiet", f"{state.id}: newest item {newest}"))
    for drift in status.drifting:
        text = (
            f"{drift.source}: {drift.what} in {drift.lately:.0%} of its pages, "
            f"{drift.before:.0%} before"
        )
        if drift.sample:
            text += f"; `khabar sources check {drift.source}` shows one without"
        remarks.append(("drifting", text))

    failing = {state.id for state in status.failing}
    for period in status.blind:
        # A source that fails now is listed above.
        if period.to_at is None and period.source in failing:
            continue
        subject = period.source or "everything"
        end = "now"
        if period.to_at is not None:
            end = f"{format_time(period.to_at)} UTC"
        reason = _describe_error(period.reason)
        text = f"{subject}: {format_time(period.from_at)} UTC to {end}, {reason}"
        remarks.append(("blind", text))

    # Whoever pays by the megabyte sees what to visit less often.
    traffic = sorted(status.traffic.items(), key=lambda item: -item[1].bytes)
    for source, cost in traffic[:MAX_TRAFFIC_SOURCES]:
        requests = format_count(cost.requests, "request")
        megabytes = f"{cost.bytes / 1e6:,.2f} MB"
        text = f"{source}: {requests} and {megabytes} in seven days"
        remarks.append(("traffic", text))
    return remarks


def _describe_error(error: str) -> str:
    """An error whose kind is written as words: `html_instead_of_feed: ...`."""
    kind, colon, rest = error.partition(":")
    return f"{kind.replace('_', ' ')}{colon}{rest}"


def status_to_json(status: Status) -> dict[str, Any]:
    """The status as one JSON object."""
    days = status.disk_space.days
    blind = [
        {
            "source": period.source,
            "from": to_text(period.from_at),
            "to": period.to_at and to_text(period.to_at),
            "reason": period.reason,
        }
        for period in status.blind
    ]
    return {
        "well": status.well,
        "problems": list(status.problems),
        "unknown": list(status.unknown),
        **status.counts,
        "bytes": status.bytes,
        "bytes_a_day": round(status.disk_space.bytes_a_day),
        "days_left": None if days is None else round(days),
        "failing": {state.id: state.last_error for state in status.failing},
        "quiet": [state.id for state in status.quiet],
        "drifting": [asdict(drift) for drift in status.drifting],
        "never_visited": [state.id for state in status.never],
        "next_checks": {source: to_text(at) for source, at in status.next_checks},
        "blind": blind,
        "week_traffic": {
            source: asdict(cost) for source, cost in status.traffic.items()
        },
        "waiting_keys": list(status.waiting_keys),
        "unbalanced_polls": [row["id"] for row in status.unbalanced],
        "holder": status.holder,
        "alive_at": status.alive_at and to_text(status.alive_at),
    }


def show_findings(screen: Screen, findings: Iterable[Finding], *, json: bool) -> bool:
    """Each finding as it comes, with what to do. Returns whether nothing is broken."""
    all_good = True
    for finding in findings:
        all_good = all_good and finding.good
        if json:
            screen.json_line(asdict(finding))
            continue
        word = "broken"
        if finding.advice:
            word = "advice"
        elif finding.good:
            word = "good"
        label = screen.style(f"{word:<8}", _FINDING_COLOURS[word])
        screen.line(f"{label}{finding.check:<15} {screen.safe_text(finding.says)}")
        if finding.mend:
            mend = screen.style("mend", "dim")
            screen.line(f"{'':<23} {mend}: {screen.safe_text(finding.mend)}")
    return all_good
