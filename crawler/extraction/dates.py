"""When an article was published and when it was changed, from everything that its page and its feed say of it. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from lxml import html

from crawler.extraction import calendars, date_candidates
from crawler.extraction.date_candidates import PUBLISHED, DateCandidate
from crawler.extraction.written_dates import (
    EARLIEST_DATE,
    MAX_AHEAD,
    MAX_DATE_CHARS,
    ParsedDate,
    parse_date,
)

__all__ = [
    "EARLIEST_DATE",
    "MAX_DATE_CHARS",
    "PageDates",
    "ParsedDate",
    "find_dates",
    "parse_date",
]

FEED_CONFIDENCE = 0.94  # how far a feed's date is right
SURE_WEIGHT = 0.75  # a mark of this weight ends the search
# A reading below this lacks its year: on a page that is as often the year of something
# else
_WHOLE = 0.5
_CLEAR = 0.7  # a reading below this may have taken the day for the month
_SLACK = timedelta(days=2)
_LOCALE = re.compile(r"/([a-z]{2}-[a-z]{2})/")
_MONTH_FIRST = frozenset({"en", "en-us", "en-ph"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDates:
    """When an article was published, and when it was last changed.

    None for what nothing says.
    """

    published: ParsedDate | None = None
    modified: ParsedDate | None = None


class _RankedDate(NamedTuple):
    rank: float
    dated: ParsedDate


@dataclass(frozen=True, slots=True, kw_only=True)
class _DateReader:
    """How the dates of one page are read."""

    now: datetime
    language: str | None
    zone: str | None
    day_first: bool
    date_format: str | None

    def read(self, mark: DateCandidate) -> _RankedDate | None:
        """The mark's date, ranked by its place and lower where it is ambiguous.

        None for none or one without a year.
        """
        dated = _formatted(mark, self.date_format, self.zone, self.now) or parse_date(
            mark.raw,
            now=self.now,
            language=self.language,
            zone=self.zone,
            day_first=self.day_first,
            how=mark.how,
        )
        if dated is None or dated.confidence < _WHOLE:
            return None
        rank = mark.weight * (1.0 if dated.confidence >= _CLEAR else 0.8)
        return _RankedDate(
            rank, replace(dated, confidence=round(dated.confidence * mark.weight, 3))
        )


def find_dates(
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
) -> PageDates:
    """The dates of a page.

    `text` is its article, `objects` its JSON-LD where a caller has parsed it already.

    Only dates between 1995 and a day from now are believed. A feed's date is the
    source's own word and comes first; a `lead_date` without `lead_raw` is a sitemap's
    last change and comes last. Of a page the surest place that gives a date is taken.
    `date_format` (strptime) is tried before the common forms. Never raises.
    """
    declared = _declared(tree, url)
    reader = _DateReader(
        now=now,
        language=language or declared or None,
        zone=zone,
        day_first=_day_first(declared if "-" in declared else language or declared),
        date_format=date_format,
    )
    fed = _feed_date(lead_date, lead_raw, now)
    groups = date_candidates.candidates_of_page(
        tree, url=url, text=text, objects=objects
    )
    read, changed = _on_page(
        islice(groups, 1) if fed and lead_raw else groups, reader, url
    )
    published, modified = _settled(read, fed), changed.dated if changed else None
    if published and modified and modified.at < published.at:
        modified = None  # the save before a scheduled publication
    return PageDates(published=published, modified=modified)


def _on_page(
    groups: Iterable[list[DateCandidate]], reader: _DateReader, url: str
) -> tuple[_RankedDate | None, _RankedDate | None]:
    """The surest date of publication and of change, reading no further than the former needs."""
    published: list[_RankedDate] = []
    modified: list[_RankedDate] = []
    best = changed = None
    for number, group in enumerate(groups):
        for mark in group:
            read = reader.read(mark)
            if read:
                (published if mark.kind == PUBLISHED else modified).append(read)
        best, changed = (
            max(published, key=_rank, default=None),
            max(modified, key=_rank, default=None),
        )
        doubtful = (
            number == 0 and changed and best and changed.dated.at <= best.dated.at
        )
        if best and best.rank >= SURE_WEIGHT and not doubtful:
            break
    if best is None:
        return (_RankedDate(0.5, _halved(changed.dated)) if changed else None), changed
    made = filter(None, map(reader.read, date_candidates.candidates_in_url(url)))
    return _first_publication(best, published, changed, next(made, None)), changed


def _declared(tree: html.HtmlElement, url: str) -> str:
    """The language that the page declares, with its country if the address names that: /en-gb/."""
    named = _LOCALE.search(url[:200])
    return (tree.get("lang") or (named[1] if named else "")).replace("_", "-")[:20]


def _first_publication(
    best: _RankedDate,
    published: list[_RankedDate],
    changed: _RankedDate | None,
    made: _RankedDate | None,
) -> _RankedDate:
    """The surest date, unless the page shows an earlier one to be the first.

    Live pages move their meta tags with each change and leave the first date in their
    microdata; permanent addresses keep the day on which they were made.
    """
    if changed and best.dated.at >= changed.dated.at:
        stated = (
            read
            for read in published
            if read.dated.how == "time"
            and read.rank > date_candidates.TIME_ELEMENT_WEIGHT
        )
        best = min([best, *stated], key=lambda read: read.dated.at)
    return made if made and made.dated.at < best.dated.at - _SLACK else best


def _halved(dated: ParsedDate) -> ParsedDate:
    """The last change stands in for a publication that nothing tells."""
    return replace(dated, confidence=round(dated.confidence / 2, 3))


def _settled(
    published: _RankedDate | None, fed: ParsedDate | None
) -> ParsedDate | None:
    """The feed's date if it gave one, else the page's own where it is sure, else whatever there is."""
    if fed and (fed.raw or not published or published.rank < SURE_WEIGHT):
        return fed
    return published.dated if published else None


def _rank(read: _RankedDate) -> float:
    return read.rank


def _day_first(language: str) -> bool:
    """Whether 03/04/2021 is in April.

    Not in the United States, nor in English of no country.
    """
    return language.lower() not in _MONTH_FIRST


def _feed_date(
    at: datetime | None, raw: str | None, now: datetime
) -> ParsedDate | None:
    if at is None or not EARLIEST_DATE <= at <= now + MAX_AHEAD:
        return None
    return ParsedDate(
        at=at,
        how="feed",
        confidence=FEED_CONFIDENCE if raw else FEED_CONFIDENCE / 2,
        raw=raw or "",
    )


def _formatted(
    mark: DateCandidate, form: str | None, zone: str | None, now: datetime
) -> ParsedDate | None:
    """The source's own format; a time without a zone is in the source's."""
    if not form:
        return None
    try:
        read = datetime.strptime(mark.raw[:MAX_DATE_CHARS].strip(), form)  # noqa: DTZ007 - most have no zone
        at = read.replace(
            tzinfo=read.tzinfo or calendars.load_zone(zone) or UTC
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if not EARLIEST_DATE <= at <= now + MAX_AHEAD:
        return None
    return ParsedDate(
        at=at, how=mark.how, confidence=0.95, raw=mark.raw[:MAX_DATE_CHARS]
    )
