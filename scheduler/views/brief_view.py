"""A day as Markdown, to print, keep or mail.

What strangers wrote is text in it, never markup.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from scheduler.views.article_views import format_count
from scheduler.views.terminal import isolate_rtl, strip_controls
from storage.model import from_text
from storage.query.brief import (
    Brief,
    BriefArticle,
    BriefBlindPeriod,
    BriefCorrection,
    BriefProvince,
)

MAX_PROVINCE_ARTICLES = 20  # of a province; `khabar search` and --json have them all
MAX_BLIND_PERIODS = 20
_MARKUP_CHARS = re.compile(r"([\\`*_{}\[\]()<>#|~&!+=$^:@-])")
_URL_CHARS = "".join(map(chr, range(0x21, 0x7F))).translate(
    {ord(c): None for c in "<>\\`\"'"}
)


def to_markdown(brief: Brief) -> Iterator[str]:
    """The lines of the document."""
    day = from_text(brief.since)
    about = f": {', '.join(map(escape_markdown, brief.places))}" if brief.places else ""
    yield f"# The press on {day:%A}, {day.day} {day:%B %Y}{about}"
    yield ""
    yield (
        f"{format_count(brief.reports, 'report')} of {format_count(brief.articles, 'article')}, {brief.independent:,} independent. "
        f"{_describe_period(brief)}; each article stands under the province that it names most."
    )
    for province in brief.provinces:
        yield from _province_lines(province)
    if brief.corrected:
        yield from ("", "## Corrected, withdrawn, set right", "")
        for one in brief.corrected:
            yield from _correction_lines(one)
    yield from _blind_lines(brief.blind)


def escape_markdown(words: object) -> str:
    """A stranger's words on one line of Markdown: nothing in them is markup."""
    return isolate_rtl(_MARKUP_CHARS.sub(r"\\\1", strip_controls(words)))


def format_link(url: str) -> str:
    """An address that can be followed, or the words of one that should not be."""
    plain = strip_controls(url)
    if urlsplit(plain).scheme not in ("http", "https"):
        return escape_markdown(plain)
    return f"<{quote(plain, safe=_URL_CHARS)}>"


def _describe_period(brief: Brief) -> str:
    since, until = from_text(brief.since), from_text(brief.until)
    return f"Published from {since:%Y-%m-%d %H:%M} until before {until:%Y-%m-%d %H:%M} UTC, or first seen then"


def _province_lines(province: BriefProvince) -> Iterator[str]:
    name = escape_markdown(province.name) if province.code else "No place named"
    count = format_count(len(province.articles), "article")
    yield from ("", f"## {name}: {count}, {province.independent:,} independent", "")
    for one in province.articles[:MAX_PROVINCE_ARTICLES]:
        yield from _article_lines(one)
    left = len(province.articles) - MAX_PROVINCE_ARTICLES
    if left > 0:
        yield f"- and {format_count(left, 'more article', 'more articles')}"


def _article_lines(one: BriefArticle) -> Iterator[str]:
    told = [escape_markdown(one.source), f"{from_text(one.at):%H:%M} UTC"]
    told += (
        [f"carried in {format_count(one.reports, 'place')}"] if one.reports > 1 else []
    )
    told += (
        [f"also names {', '.join(map(escape_markdown, one.also))}"] if one.also else []
    )
    told += ["**withdrawn since**"] if one.withdrawn_at else []
    yield f"- **{escape_markdown(one.title or '(no title)')}** ({', '.join(told)}; article {one.id}) {format_link(one.url)}"
    for claim in one.claims:
        yield f"  - unverified: {_describe_claim(claim)}"


def _describe_claim(claim: Mapping[str, Any]) -> str:
    count = " ".join(filter(None, (claim["qualifier"], f"{claim['number']:,}")))
    who = (
        f"says {escape_markdown(claim['said_by'])}"
        if claim["said_by"]
        else "nobody is named who says so"
    )
    quoted = f': "{escape_markdown(claim["sentence"])}"' if claim["sentence"] else ""
    return f"**{escape_markdown(count)} {escape_markdown(claim['kind'].replace('_', ' '))}**, {who}{quoted}"


def _correction_lines(one: BriefCorrection) -> Iterator[str]:
    what = one.what + (f", {escape_markdown(one.detail)}" if one.detail else "")
    title = escape_markdown(one.title or one.url or "a text that is no longer kept")
    source = f" ({escape_markdown(one.source)})" if one.source else ""
    yield (
        f"- {_format_clock(one.at)} {what}: **{title}**{source}, article {one.article_id}"
        + (f" {format_link(one.url)}" if one.url else "")
    )
    if one.former_title:
        yield f"  - was titled: {escape_markdown(one.former_title)}"
    for before, now in one.edits:
        yield f'  - said "{escape_markdown(before)}", says "{escape_markdown(now)}"'


def _blind_lines(blind: tuple[BriefBlindPeriod, ...]) -> Iterator[str]:
    yield from ("", "## Not seen", "")
    if not blind:
        yield "Nothing: the service and all its sources were in sight."
    for one in blind[:MAX_BLIND_PERIODS]:
        what = escape_markdown(one.source) if one.source else "**everything**"
        until = f"to {_format_minute(one.to_at)}" if one.to_at else "and still"
        yield f"- {what}, from {_format_minute(one.from_at)} {until} ({escape_markdown(one.reason)})"
    if len(blind) > MAX_BLIND_PERIODS:
        yield f"- and {format_count(len(blind) - MAX_BLIND_PERIODS, 'more period', 'more periods')}"


def _format_clock(at: str) -> str:
    return f"{from_text(at):%H:%M}"


def _format_minute(at: str) -> str:
    return f"{from_text(at):%Y-%m-%d %H:%M}"
