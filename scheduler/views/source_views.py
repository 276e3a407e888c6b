"""How sources look.

What each answered, what a site offers, everything that is known of one.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crawler.source_check import PageSample, SourceCheck
from crawler.sources import Source
from scheduler.health import Drift
from scheduler.views.article_views import (
    format_age,
    format_count,
    format_time,
    show_fields,
)
from scheduler.views.progress_view import describe_error
from scheduler.views.terminal import Screen, strip_controls
from storage.model import Poll, from_text, to_text, utc_now


def show_checked(
    screen: Screen,
    found: Sequence[SourceCheck],
    drifting: Sequence[Drift] = (),
    *,
    captures: Path | None,
    json: bool,
) -> None:
    """What each source answered, what could be mended, and what its pages yield less of than they did."""
    if json:
        for one in found:
            drifts = [
                drift_to_json(drift)
                for drift in drifting
                if drift.source == one.source.id
            ]
            screen.json_line(checked_to_json(one) | {"drifting": drifts})
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
    screen.table(
        head,
        [_checked_row(one, now) for one in found],
        right=("items", "dated", "took"),
    )
    for one in found:
        for told in (*one.visited.poll.warnings, *_list_advice(one)):
            screen.note(f"{one.source.id}: {strip_controls(told)}")
    for drift in drifting:
        for line in drift_lines(screen, drift, captures):
            screen.note(line)


def drift_lines(screen: Screen, found: Drift, captures: Path | None) -> Iterator[str]:
    """A source whose pages yield less, a page that shows it, and how to look at that one."""
    yield f"{found.source}: {found.what} in {found.lately:.0%} of its pages of late, in {found.before:.0%} before"
    page = found.sample
    if page is None:
        return
    why = str(page["why"]).replace("_", " ")
    yield f"  for instance {screen.safe_text(page['url'])}, read {format_time(from_text(page['at']))} UTC: {why}"
    if page["file"] and captures:
        looked = (
            f"`khabar show {page['article_id']} --raw`"
            if page["article_id"]
            else _raw_command(page["url"])
        )
        yield f"  its raw page: {looked}, in {captures / page['file']} at byte {page['offset']:,}"
    else:
        yield "  its raw page was not kept"


def _raw_command(url: str) -> str:
    return f"`khabar explain {shlex.quote(strip_controls(url))} --raw`"


def drift_to_json(found: Drift) -> dict[str, Any]:
    """One of these as JSON."""
    return {
        "what": found.what,
        "before": found.before,
        "lately": found.lately,
        "sample": found.sample,
    }


def _checked_row(one: SourceCheck, now: Any) -> tuple[object, ...]:
    poll = one.visited.poll
    return (
        one.source.id,
        (poll.error and describe_error(poll.error))
        or ("good" if poll.leads else "no items"),
        len(poll.leads),
        format_age(poll.newest_at, now) if poll.newest_at else "-",
        sum(lead.published_at is not None for lead in poll.leads),
        find_language(one) or "-",
        describe_sample(one.sample),
        " ".join(_list_validators(poll)) or "none",
        f"{(poll.ended_at - poll.started_at).total_seconds():.1f} s",
    )


def describe_sample(sample: PageSample | None) -> str:
    """What became of the page that was tried."""
    if sample is None:
        return "-"
    return sample.trouble or format_count(sample.words, "word")


def find_language(one: SourceCheck) -> str | None:
    """The language of the page that was tried, else the one that the document names."""
    said = [lead.language for lead in one.visited.poll.leads if lead.language]
    return (one.sample.language if one.sample else None) or (said[0] if said else None)


def _list_advice(one: SourceCheck) -> list[str]:
    told = [one.mend] if one.mend else []
    if one.same_as:
        told.append(f"shows the same as {one.same_as}: keep one of them")
    return told


def _list_validators(poll: Poll) -> list[str]:
    given = poll.validators
    return [
        name
        for name, value in (
            ("etag", given and given.etag),
            ("date", given and given.last_modified),
        )
        if value
    ]


def checked_to_json(one: SourceCheck) -> dict[str, Any]:
    """One answer as JSON."""
    poll, sample = one.visited.poll, one.sample
    return {
        "source": poll.source,
        "kind": one.source.kind,
        "url": one.source.url,
        "ok": bool(poll.leads),
        "status": poll.status,
        "http_status": poll.http_status,
        "error": poll.error,
        "items": len(poll.leads),
        "newest_at": to_text(poll.newest_at) if poll.newest_at else None,
        "dated": sum(lead.published_at is not None for lead in poll.leads),
        "language": find_language(one),
        "page": {"url": sample.url, "words": sample.words, "trouble": sample.trouble}
        if sample
        else None,
        "validators": _list_validators(poll),
        "bytes": poll.bytes,
        "moved_to": poll.moved_to,
        "mend": one.mend,
        "same_as": one.same_as,
        "warnings": list(poll.warnings),
    }


def show_offers(screen: Screen, found: Sequence[SourceCheck], *, json: bool) -> None:
    """What a site could be watched by."""
    if json:
        for one in found:
            screen.json_line(checked_to_json(one) | {"title": one.visited.title})
        return
    now = utc_now()
    screen.table(
        ("kind", "items", "newest item", "dated", "lang", "a page of it", "address"),
        [
            (
                one.source.kind, len(one.visited.poll.leads), format_age(one.visited.poll.newest_at, now),
                sum(lead.published_at is not None for lead in one.visited.poll.leads), find_language(one) or "-",
                describe_sample(one.sample), one.source.url,
            )
            for one in found
        ],
        right=("items", "dated"),
    )  # fmt: skip


def show_added(
    screen: Screen, source: Source, text: str, file: str, *, written: bool, json: bool
) -> None:
    """The entry as it was written, or would be."""
    if json:
        screen.json_line(
            {
                "id": source.id,
                "kind": source.kind,
                "url": source.url,
                "written": written,
                "entry": text,
            }
        )
        return
    screen.line()
    for line in text.splitlines():
        screen.line(strip_controls(line))
    told = (
        f"written to {file}; next: `khabar crawl {source.id}`"
        if written
        else "nothing was written"
    )
    screen.note(told)


def show_source(screen: Screen, known: Mapping[str, Any], *, json: bool) -> None:
    """One source: what the configuration says, what happened to it, its last visits."""
    if json:
        screen.json_line(known)
        return
    now = utc_now()
    moments = ("last_success_at", "last_new_at", "newest_at")
    plain = {
        name: value
        for name, value in known.items()
        if name not in (*moments, "polls", "next_check_at")
    }
    show_fields(
        screen, [(name.replace("_", " "), value) for name, value in plain.items()]
    )
    show_fields(
        screen,
        [
            (name.removesuffix("_at").replace("_", " "), format_age(known[name], now))
            for name in moments
        ],
    )
    show_fields(screen, [("next visit", known["next_check_at"] or "now")])
    if known["polls"]:
        screen.line()
        head = (
            "started_at",
            "status",
            "found",
            "new",
            "copies",
            "rejected",
            "failed",
            "error",
        )
        rows = [
            [poll[name] if poll[name] is not None else "" for name in head]
            for poll in known["polls"]
        ]
        screen.table(head, rows, right=("found", "new", "copies", "rejected", "failed"))
