"""When an article was published and when it was changed, from everything that its page and its feed say of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lxml import html

from crawler import datemarks
from crawler.datemarks import MODIFIED, PUBLISHED, Mark
from crawler.datetexts import AHEAD, EARLIEST, LONGEST, Dated, parse

__all__ = ["LONGEST", "Dated", "Found", "find", "parse"]

FEED = 0.94  # how far a feed's date is right


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """When an article was published, and when it was last changed; None for what nothing says."""

    published: Dated | None = None
    modified: Dated | None = None


def find(
    tree: html.HtmlElement,
    *,
    url: str,
    text: str,
    now: datetime,
    lead_date: datetime | None = None,
    lead_raw: str | None = None,
    language: str | None = None,
    zone: str | None = None,
    date_format: str | None = None,
    objects: Sequence[Mapping[str, Any]] | None = None,
) -> Found:
    """The dates of a page. `text` is its article, `objects` its JSON-LD where a caller has parsed it already.

    The first place that gives a date between 1995 and a day from now is believed. `date_format` (strptime) is tried
    on what the common forms do not read. Never raises.
    """
    marks = datemarks.of_page(tree, url=url, text=text, objects=objects)
    return _first(marks, _feed_date(lead_date, lead_raw, now), now=now, language=language, zone=zone, form=date_format)


def _first(
    marks: Iterable[Mark], fed: Dated | None, *, now: datetime, language: str | None, zone: str | None, form: str | None
) -> Found:
    published, modified = fed, None
    for mark in marks:
        if (mark.kind == PUBLISHED and published) or (mark.kind == MODIFIED and modified):
            if published and modified:
                break
            continue
        dated = parse(mark.raw, now=now, language=language, zone=zone, how=mark.how) or _formatted(mark, form, now)
        if dated is None:
            continue
        dated = replace(dated, confidence=round(dated.confidence * mark.weight, 3))
        if mark.kind == MODIFIED:
            modified = dated
        else:
            published = dated
    return Found(published=published, modified=modified)


def _feed_date(at: datetime | None, raw: str | None, now: datetime) -> Dated | None:
    if at is None or not EARLIEST <= at <= now + AHEAD:
        return None
    return Dated(at=at, how="feed", confidence=FEED, raw=raw or "")


def _formatted(mark: Mark, form: str | None, now: datetime) -> Dated | None:
    """The source's own format, for what nothing else reads."""
    if not form:
        return None
    try:
        read = datetime.strptime(mark.raw[:LONGEST].strip(), form)  # noqa: DTZ007 - most have no zone
    except ValueError:
        return None
    at = read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
    return Dated(at=at, how=mark.how, confidence=0.8, raw=mark.raw[:LONGEST]) if EARLIEST <= at <= now + AHEAD else None
