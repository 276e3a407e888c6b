"""Sources: the list, one of them, what each answered, what a site offers.

Lines for people, JSON for programs.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.sources import Source
from scheduler.health import Drift
from scheduler.views.formatting import format_age, format_count, format_time
from scheduler.views.progress_view import describe_error
from scheduler.views.terminal import Screen, strip_controls
from storage.model import Poll, from_text, to_text, utc_now

# What asks sources brings Scrapy: two seconds that a list need not wait for.
if TYPE_CHECKING:
    from crawler.source_check import PageSample, SourceCheck


def show_sources(
    screen: Screen, rows: Sequence[Mapping[str, Any]], *, json: bool
) -> None:
    """The sources, and what the database knows of each."""
    if json:
        for row in rows:
            screen.json_line(row)
        return
    now = utc_now()
    head = ("id", "on", "lang", "kind", "last success", "last new", "state")
    cells = [
        (
            row["id"],
            "yes" if row["enabled"] else "no",
            row["language"] or "",
            row["kind"],
            format_age(row["last_success_at"], now),
            format_age(row["last_new_at"], now),
            row["last_error"] or "",
        )
        for row in rows
    ]
    screen.table(head, cells)


def show_source(screen: Screen, known: Mapping[str, Any], *, json: bool) -> None:
    """One source: its configuration, what happened to it, its last visits."""
    if json:
        screen.json_line(known)
        return
    now = utc_now()
    ages = ("last_success_at", "last_new_at", "newest_at")
    apart = {*ages, "polls", "next_check_at"}
    # The rest follows the configuration's keys, so that a new key needs no line here.
    for name, value in known.items():
        if name not in apart:
            screen.fields([(name.replace("_", " "), value)])
    for name in ages:
        label = name.removesuffix("_at").replace("_", " ")
        screen.fields([(label, format_age(known[name], now))])
    screen.fields([("next visit", known["next_check_at"] or "now")])
    if not known["polls"]:
        return
    counts = ("found", "new", "copies", "rejected", "failed")
    head = ("started_at", "status", *counts, "error")
    rows = [
        ["" if poll[name] is None else poll[name] for name in head]
        for poll in known["polls"]
    ]
    screen.line()
    screen.table(head, rows, right=counts)


def show_checked(
    screen: Screen,
    checks: "Sequence[SourceCheck]",
    drifting: Sequence[Drift] = (),
    *,
    captures: Path | None,
    json: bool,
) -> None:
    """What each source answered, what could be mended, and which yield less text."""
    if json:
        for check in checks:
            drifts = []
            for drift in drifting:
                if drift.source == check.source.id:
                    record = asdict(drift)
                    del record["source"]  # it stands beside
                    drifts.append(record)
            screen.json_line(_check_to_json(check) | {"drifting": drifts})
        return
    now = utc_now()
    head = (
        "id",
        "answer",
        "items",
        "newest item",
        "dated",
        "lang",
        "a page of it",
        "validators",
        "took",
    )
    rows = [_check_row(check, now) for check in checks]
    screen.table(head, rows, right=("items", "dated", "took"))
    for check in checks:
        for advice in _list_advice(check):
            screen.note(f"{check.source.id}: {strip_controls(advice)}")
    for drift in drifting:
        for line in _drift_lines(screen, drift, captures):
            screen.note(line)


def _check_row(check: "SourceCheck", now: datetime) -> tuple[object, ...]:
    poll = check.visited.poll
    answer = "good" if poll.leads else "no items"
    if poll.error:
        answer = describe_error(poll.error)
    seconds = (poll.ended_at - poll.started_at).total_seconds()
    return (
        check.source.id,
        answer,
        len(poll.leads),
        _format_newest(poll, now),
        _count_dated(poll),
        _find_language(check) or "-",
        _describe_sample(check.sample),
        " ".join(_list_validators(poll)) or "none",
        f"{seconds:.1f} s",
    )


def _list_advice(check: "SourceCheck") -> list[str]:
    advice = list(check.visited.poll.warnings)
    if check.mend:
        advice.append(check.mend)
    if check.same_as:
        advice.append(f"shows the same as {check.same_as}: keep one of them")
    return advice


def _drift_lines(screen: Screen, drift: Drift, captures: Path | None) -> Iterator[str]:
    """A source whose pages yield less, and a page that shows it."""
    lately, before = f"{drift.lately:.0%}", f"{drift.before:.0%}"
    yield (
        f"{drift.source}: {drift.what} in {lately} of its pages of late, in {before} "
        "before"
    )
    page = drift.sample
    if page is None:
        return
    why = str(page["why"]).replace("_", " ")
    read_at = f"{format_time(from_text(page['at']))} UTC"
    yield f"  for instance {screen.safe_text(page['url'])}, read {read_at}: {why}"
    if not page["file"] or captures is None:
        yield "  its raw page was not kept"
        return
    # A page that became no article has no number to show it by.
    command = f"khabar explain {shlex.quote(strip_controls(page['url']))} --raw"
    if page["article_id"]:
        command = f"khabar show {page['article_id']} --raw"
    file = captures / page["file"]
    yield f"  its raw page: `{command}`, in {file} at byte {page['offset']:,}"


def show_offers(screen: Screen, checks: "Sequence[SourceCheck]", *, json: bool) -> None:
    """The feeds, sitemaps and pages by which a site could be watched."""
    if json:
        for check in checks:
            screen.json_line(_check_to_json(check) | {"title": check.visited.title})
        return
    # The address stands last: it is the longest, and the one to copy.
    now = utc_now()
    head = ("kind", "items", "newest item", "dated", "lang", "a page of it", "address")
    rows = [
        (
            check.source.kind,
            len(check.visited.poll.leads),
            _format_newest(check.visited.poll, now),
            _count_dated(check.visited.poll),
            _find_language(check) or "-",
            _describe_sample(check.sample),
            check.source.url,
        )
        for check in checks
    ]
    screen.table(head, rows, right=("items", "dated"))


def show_added(
    screen: Screen, source: Source, entry: str, file: str, *, written: bool, json: bool
) -> None:
    """The entry of the configuration as it was written, or would be."""
    if json:
        screen.json_line(
            {
                "id": source.id,
                "kind": source.kind,
                "url": source.url,
                "written": written,
                "entry": entry,
            }
        )
        return
    screen.line()
    # Names and titles in it come from the site.
    for line in entry.splitlines():
        screen.line(strip_controls(line))
    if written:
        screen.note(f"written to {file}; next: `khabar crawl {source.id}`")
    else:
        screen.note("nothing was written")


# What a check found, in words and as JSON


def _format_newest(poll: Poll, now: datetime) -> str:
    if poll.newest_at is None:
        return "-"
    return format_age(poll.newest_at, now)


def _count_dated(poll: Poll) -> int:
    return sum(lead.published_at is not None for lead in poll.leads)


def _describe_sample(sample: "PageSample | None") -> str:
    """What became of the page that was tried."""
    if sample is None:
        return "-"
    return sample.trouble or format_count(sample.words, "word")


def _find_language(check: "SourceCheck") -> str | None:
    """The language of the page that was tried, else the one that the feed names."""
    # The page was read; of the feed there is only what it says of itself.
    if check.sample is not None and check.sample.language:
        return check.sample.language
    named = [lead.language for lead in check.visited.poll.leads if lead.language]
    return named[0] if named else None


def _list_validators(poll: Poll) -> list[str]:
    names = []
    if poll.validators is not None and poll.validators.etag:
        names.append("etag")
    if poll.validators is not None and poll.validators.last_modified:
        names.append("date")
    return names


def _check_to_json(check: "SourceCheck") -> dict[str, Any]:
    poll, page = check.visited.poll, None
    if check.sample is not None:
        page = {
            "url": check.sample.url,
            "words": check.sample.words,
            "trouble": check.sample.trouble,
        }
    return {
        "source": poll.source,
        "kind": check.source.kind,
        "url": check.source.url,
        "ok": bool(poll.leads),
        "status": poll.status,
        "http_status": poll.http_status,
        "error": poll.error,
        "items": len(poll.leads),
        "newest_at": poll.newest_at and to_text(poll.newest_at),
        "dated": _count_dated(poll),
        "language": _find_language(check),
        "page": page,
        "validators": _list_validators(poll),
        "bytes": poll.bytes,
        "moved_to": poll.moved_to,
        "mend": check.mend,
        "same_as": check.same_as,
        "warnings": list(poll.warnings),
    }
