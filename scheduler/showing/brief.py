"""A day as Markdown, to print, keep or mail. What strangers wrote is text in it, never markup."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from scheduler.showing.terminal import isolate, safe
from scheduler.showing.views import number
from storage.finding.brief import Blind, Brief, Corrected, Province, Told
from storage.model import from_text

MOST_ARTICLES = 20  # of a province; `khabar search` and --json have them all
MOST_BLIND = 20
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#|~&!+=$^:@-])")
_IN_URL = "".join(map(chr, range(0x21, 0x7F))).translate({ord(c): None for c in "<>\\`\"'"})


def markdown(brief: Brief) -> Iterator[str]:
    """The lines of the document."""
    day = from_text(brief.since)
    about = f": {', '.join(map(text, brief.places))}" if brief.places else ""
    yield f"# The press on {day:%A}, {day.day} {day:%B %Y}{about}"
    yield ""
    yield (
        f"{number(brief.reports, 'report')} of {number(brief.articles, 'article')}, {brief.independent:,} independent. "
        f"{_span(brief)}; each article stands under the province that it names most."
    )
    for province in brief.provinces:
        yield from _province(province)
    if brief.corrected:
        yield from ("", "## Corrected, withdrawn, set right", "")
        for one in brief.corrected:
            yield from _correction(one)
    yield from _unseen(brief.blind)


def text(words: object) -> str:
    """A stranger's words on one line of Markdown: nothing in them is markup."""
    return isolate(_MARKUP.sub(r"\\\1", safe(words)))


def link(url: str) -> str:
    """An address that can be followed, or the words of one that should not be."""
    plain = safe(url)
    if urlsplit(plain).scheme not in ("http", "https"):
        return text(plain)
    return f"<{quote(plain, safe=_IN_URL)}>"


def _span(brief: Brief) -> str:
    since, until = from_text(brief.since), from_text(brief.until)
    return f"Published from {since:%Y-%m-%d %H:%M} until before {until:%Y-%m-%d %H:%M} UTC, or first seen then"


def _province(province: Province) -> Iterator[str]:
    name = text(province.name) if province.code else "No place named"
    count = number(len(province.articles), "article")
    yield from ("", f"## {name}: {count}, {province.independent:,} independent", "")
    for one in province.articles[:MOST_ARTICLES]:
        yield from _article(one)
    left = len(province.articles) - MOST_ARTICLES
    if left > 0:
        yield f"- and {number(left, 'more article', 'more articles')}"


def _article(one: Told) -> Iterator[str]:
    told = [text(one.source), f"{from_text(one.at):%H:%M} UTC"]
    told += [f"carried in {number(one.reports, 'place')}"] if one.reports > 1 else []
    told += [f"also names {', '.join(map(text, one.also))}"] if one.also else []
    told += ["**withdrawn since**"] if one.withdrawn_at else []
    yield f"- **{text(one.title or '(no title)')}** ({', '.join(told)}; article {one.id}) {link(one.url)}"
    for claim in one.claims:
        yield f"  - unverified: {_claim(claim)}"


def _claim(claim: Mapping[str, Any]) -> str:
    count = " ".join(filter(None, (claim["qualifier"], f"{claim['number']:,}")))
    who = f"says {text(claim['said_by'])}" if claim["said_by"] else "nobody is named who says so"
    quoted = f': "{text(claim["sentence"])}"' if claim["sentence"] else ""
    return f"**{text(count)} {text(claim['kind'].replace('_', ' '))}**, {who}{quoted}"


def _correction(one: Corrected) -> Iterator[str]:
    what = one.what + (f", {text(one.detail)}" if one.detail else "")
    title = text(one.title or one.url or "a text that is no longer kept")
    source = f" ({text(one.source)})" if one.source else ""
    yield f"- {_clock(one.at)} {what}: **{title}**{source}, article {one.article_id}" + (
        f" {link(one.url)}" if one.url else ""
    )
    if one.former_title:
        yield f"  - was titled: {text(one.former_title)}"
    for before, now in one.edits:
        yield f'  - said "{text(before)}", says "{text(now)}"'


def _unseen(blind: tuple[Blind, ...]) -> Iterator[str]:
    yield from ("", "## Not seen", "")
    if not blind:
        yield "Nothing: the service and all its sources were in sight."
    for one in blind[:MOST_BLIND]:
        what = text(one.source) if one.source else "**everything**"
        until = f"to {_minute(one.to_at)}" if one.to_at else "and still"
        yield f"- {what}, from {_minute(one.from_at)} {until} ({text(one.reason)})"
    if len(blind) > MOST_BLIND:
        yield f"- and {number(len(blind) - MOST_BLIND, 'more period', 'more periods')}"


def _clock(at: str) -> str:
    return f"{from_text(at):%H:%M}"


def _minute(at: str) -> str:
    return f"{from_text(at):%Y-%m-%d %H:%M}"
