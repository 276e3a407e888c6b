"""When an article was published and when it was changed, as page and feed say. Pure.

`date_candidates` finds the places of a page that give a date, `written_dates` reads
what stands there, and this module decides between them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from lxml import html

from crawler.extraction import calendars, date_candidates, written_dates
from crawler.extraction.date_candidates import PUBLISHED, DateCandidate
from crawler.extraction.written_dates import ParsedDate

FEED_CONFIDENCE = 0.94  # how far a feed's date is right
# Of a sitemap's last change, which stands in for a day of publication.
_SITEMAP_CONFIDENCE = FEED_CONFIDENCE / 2
# A candidate of this weight ends the search.
_SURE_WEIGHT = 0.75
# What stands in a place of this weight is meant as a date, even where nobody can read it.
_MIN_UNREAD_WEIGHT = 0.7
_LAST_CHANGE_WEIGHT = 0.5  # of the last change where nothing tells a publication
# A reading below this lacks its year (0.4): on a page that is as often the year of
# something else.
_MIN_CONFIDENCE = 0.5
# A reading below this may have taken the day for the month (0.6).
_MIN_CLEAR_CONFIDENCE = 0.7
_UNCLEAR_FACTOR = 0.8
_OWN_FORMAT_CONFIDENCE = 0.95
# The day in an address is of the publisher's time zone, or of the day it was drafted.
_URL_SLACK = timedelta(days=2)
_LOCALE = re.compile(r"/([a-z]{2}-[a-z]{2})/")
# A feed that gives a day so far from the page's and the address's is not believed: it
# shows old articles as new ones, or the day of its own making.
_FEED_SLACK = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageDates:
    """When an article was published, and when it was last changed; None for unknown."""

    published: ParsedDate | None = None
    modified: ParsedDate | None = None
    unread: str | None = None  # what the page gives for a day and nobody can read


class _RankedDate(NamedTuple):
    rank: float  # the weight of its place, lower where the reading is ambiguous
    date: ParsedDate


class _FoundDates(NamedTuple):
    published: _RankedDate | None
    modified: _RankedDate | None
    unread: str | None  # of a place for the day of publication


@dataclass(frozen=True, slots=True, kw_only=True)
class _DateReader:
    """How the dates of one page are read."""

    now: datetime
    language: str | None
    zone: str | None
    day_first: bool
    date_format: str | None

    def read(self, candidate: DateCandidate) -> _RankedDate | None:
        """The candidate's date with its rank; None for none, or one without a year."""
        date = self._read_own_format(candidate)
        if date is None:
            date = written_dates.parse_date(
                candidate.raw,
                now=self.now,
                language=self.language,
                zone=self.zone,
                day_first=self.day_first,
                method=candidate.method,
            )
        if date is None or date.confidence < _MIN_CONFIDENCE:
            return None
        rank = candidate.weight
        if date.confidence < _MIN_CLEAR_CONFIDENCE:
            rank *= _UNCLEAR_FACTOR
        confidence = round(date.confidence * candidate.weight, 3)
        return _RankedDate(rank, replace(date, confidence=confidence))

    def _read_own_format(self, candidate: DateCandidate) -> ParsedDate | None:
        """By the source's own format; a time without a zone is in the source's."""
        if not self.date_format:
            return None
        raw = candidate.raw[: written_dates.MAX_DATE_CHARS]
        zone = calendars.load_zone(self.zone) or UTC
        try:
            # Most formats name no zone.
            at = datetime.strptime(raw.strip(), self.date_format)  # noqa: DTZ007
            at = at.replace(tzinfo=at.tzinfo or zone).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        if not written_dates.is_plausible(at, self.now):
            return None
        return ParsedDate(
            at=at,
            method=candidate.method,
            confidence=_OWN_FORMAT_CONFIDENCE,
            raw=raw,
        )


def find_dates(
    tree: html.HtmlElement,
    objects: Sequence[Mapping[str, Any]],
    *,
    url: str,
    text: str,
    now: datetime,
    lead_date: datetime | None = None,
    lead_raw: str | None = None,
    language: str | None = None,
    zone: str | None = None,
    date_format: str | None = None,
) -> PageDates:
    """The dates of a page. `text` is its article, `objects` its JSON-LD.

    Only dates between 1995 and a day from `now` are believed. A feed's date is the
    source's own word and comes first; a `lead_date` without `lead_raw` is a sitemap's
    last change and comes last. Of a page the surest place that gives a date is taken.
    `language` is the article's, `zone` (IANA) and `date_format` (strptime, tried before
    the common forms) are its source's. Never raises.
    """
    # 1. How dates are read here.
    declared = _declared_language(tree, url)
    country_language = language or declared
    if "-" in declared:
        country_language = declared
    reader = _DateReader(
        now=now,
        language=language or declared or None,
        zone=zone,
        day_first=not written_dates.is_month_first(country_language),
        date_format=date_format,
    )

    # 2. What the lead says.
    fed: ParsedDate | None = None
    if lead_date is not None and written_dates.is_plausible(lead_date, now):
        confidence = FEED_CONFIDENCE if lead_raw else _SITEMAP_CONFIDENCE
        fed = ParsedDate(
            at=lead_date, method="feed", confidence=confidence, raw=lead_raw or ""
        )

    # 3. What the page says. Beside a feed's date only its structured data are read, for
    # the day of the last change.
    groups = date_candidates.candidates_of_page(tree, objects, url=url, text=text)
    if fed and lead_raw:
        groups = islice(groups, 1)
    found = _dates_on_page(groups, reader, url)
    first, last_change = found.published, found.modified

    # 4. Which of them it is.
    published = first.date if first else None
    page_is_sure = first is not None and first.rank >= _SURE_WEIGHT
    if fed and fed.raw:
        if not _is_refuted(fed, published, reader, url):
            published = fed
    elif fed and not page_is_sure:
        published = fed
    modified = last_change.date if last_change else None
    if published and modified and modified.at < published.at:
        modified = None  # the save before a scheduled publication
    unread = found.unread if published is None else None
    return PageDates(published=published, modified=modified, unread=unread)


def _is_refuted(
    fed: ParsedDate, on_page: ParsedDate | None, reader: _DateReader, url: str
) -> bool:
    """Whether page and address both give a day years away from a feed's."""
    if on_page is None or abs(on_page.at - fed.at) < _FEED_SLACK:
        return False
    in_url = [reader.read(one) for one in date_candidates.candidates_in_url(url)]
    return any(
        one is not None and abs(one.date.at - fed.at) >= _FEED_SLACK for one in in_url
    )


def _declared_language(tree: html.HtmlElement, url: str) -> str:
    """The language that the page declares, with its country if the address names it."""
    declared: str = tree.get("lang") or ""
    if not declared:
        in_address = _LOCALE.search(url[:200])  # /en-gb/
        if in_address:
            declared = in_address[1]
    return declared.replace("_", "-")[:20]


def _dates_on_page(
    groups: Iterable[list[DateCandidate]], reader: _DateReader, url: str
) -> _FoundDates:
    """The surest date of publication and of change.

    Reads no further than the former needs.
    """
    published: list[_RankedDate] = []
    modified: list[_RankedDate] = []
    best: _RankedDate | None = None
    changed: _RankedDate | None = None
    unread: str | None = None
    for number, group in enumerate(groups):
        for candidate in group:
            ranked = reader.read(candidate)
            if ranked is None:
                if candidate.weight >= _MIN_UNREAD_WEIGHT and unread is None:
                    unread = candidate.raw[: written_dates.MAX_DATE_CHARS]
                continue
            if candidate.kind == PUBLISHED:
                published.append(ranked)
            else:
                modified.append(ranked)
        best = max(published, key=_rank_of, default=None)
        changed = max(modified, key=_rank_of, default=None)
        if best is None or best.rank < _SURE_WEIGHT:
            continue
        # A page whose structured data give the last change as its publication may show
        # the first one in its microdata, which come next.
        if number == 0 and changed and changed.date.at <= best.date.at:
            continue
        break
    if best is not None:
        first = _first_publication(best, published, changed, reader, url)
        return _FoundDates(first, changed, unread)
    if changed is None:
        return _FoundDates(None, None, unread)
    # The last change stands in for a publication that nothing tells.
    halved = round(changed.date.confidence / 2, 3)
    stand_in = replace(changed.date, confidence=halved)
    return _FoundDates(_RankedDate(_LAST_CHANGE_WEIGHT, stand_in), changed, unread)


def _rank_of(ranked: _RankedDate) -> float:
    return ranked.rank


def _first_publication(
    best: _RankedDate,
    published: Sequence[_RankedDate],
    changed: _RankedDate | None,
    reader: _DateReader,
    url: str,
) -> _RankedDate:
    """The surest date, unless the page shows an earlier one to be the first.

    Live pages move their meta tags with each change and leave the first date in their
    microdata. A day in the address is that of its making, and beats what is only seen
    on the page; structured data know better.
    """
    if changed and best.date.at >= changed.date.at:
        for ranked in published:
            in_microdata = (
                ranked.date.method == "time"
                and ranked.rank > date_candidates.TIME_ELEMENT_WEIGHT
            )
            if in_microdata and ranked.date.at < best.date.at:
                best = ranked
    if best.date.method in ("jsonld", "meta"):
        return best
    for candidate in date_candidates.candidates_in_url(url):
        made = reader.read(candidate)
        if made and made.date.at < best.date.at - _URL_SLACK:
            return made
    return best
