"""A day as Markdown, to print, keep or mail.

What strangers wrote is text in it, never markup.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from scheduler.views.formatting import format_count, format_time
from scheduler.views.terminal import isolate_rtl, strip_controls
from storage.model import BlindPeriod, from_text
from storage.query.brief import (
    Brief,
    BriefArticle,
    BriefCorrection,
    BriefProvince,
)

# `khabar search` and --json have them all.
MAX_PROVINCE_ARTICLES = 20
MAX_BLIND_PERIODS = 20
# More than Markdown needs: dialects differ in what `~`, `^`, `=`, `$` and `@` do.
_MARKUP_CHARS = re.compile(r"([\\`*_{}\[\]()<>#|~&!+=$^:@-])")
# The printable ASCII that cannot end the angle brackets of a Markdown link.
_URL_CHARS = "".join(
    chr(code) for code in range(0x21, 0x7F) if chr(code) not in "<>\\`\"'"
)


def to_markdown(brief: Brief) -> Iterator[str]:
    """The lines of the document. Times are UTC."""
    since, until = from_text(brief.since), from_text(brief.until)
    title = f"The press on {since:%A}, {since.day} {since:%B %Y}"
    if brief.places:
        title = f"{title}: {', '.join(map(escape_markdown, brief.places))}"
    reports = format_count(brief.reports, "report")
    articles = format_count(brief.articles, "article")
    yield f"# {title}"
    yield ""
    yield (
        f"{reports} of {articles}, {brief.independent:,} independent. Published from "
        f"{since:%Y-%m-%d %H:%M} until before {until:%Y-%m-%d %H:%M} UTC, or first "
        "seen then; each article stands under the province that it names most."
    )
    for province in brief.provinces:
        yield from _province_lines(province)
    if brief.corrected:
        yield from ("", "## Corrected, withdrawn, set right", "")
        for correction in brief.corrected:
            yield from _correction_lines(correction)
    yield from _blind_lines(brief.blind)


def escape_markdown(words: object) -> str:
    """A stranger's words on one line of Markdown: nothing in them is markup."""
    return isolate_rtl(_MARKUP_CHARS.sub(r"\\\1", strip_controls(words)))


def format_link(url: str) -> str:
    """A link to an http(s) address; any other address as words."""
    plain = strip_controls(url)
    # javascript: and data: run where a viewer makes links of them.
    if urlsplit(plain).scheme not in ("http", "https"):
        return escape_markdown(plain)
    return f"<{quote(plain, safe=_URL_CHARS)}>"


def _province_lines(province: BriefProvince) -> Iterator[str]:
    name = "No place named"
    if province.code:
        name = escape_markdown(province.name)
    count = format_count(len(province.articles), "article")
    yield from ("", f"## {name}: {count}, {province.independent:,} independent", "")
    for article in province.articles[:MAX_PROVINCE_ARTICLES]:
        yield from _article_lines(article)
    left = len(province.articles) - MAX_PROVINCE_ARTICLES
    if left > 0:
        yield f"- and {format_count(left, 'more article', 'more articles')}"


def _article_lines(article: BriefArticle) -> Iterator[str]:
    facts = [escape_markdown(article.source), f"{from_text(article.at):%H:%M} UTC"]
    if article.reports > 1:
        facts.append(f"carried in {format_count(article.reports, 'place')}")
    if article.also:
        facts.append(f"also names {', '.join(map(escape_markdown, article.also))}")
    if article.withdrawn_at:
        facts.append("**withdrawn since**")
    title = escape_markdown(article.title or "(no title)")
    link = format_link(article.url)
    yield f"- **{title}** ({', '.join(facts)}; article {article.id}) {link}"
    # Under its article, so that nobody reads it as a fact of the day.
    for claim in article.claims:
        yield f"  - unverified: {_describe_claim(claim)}"


def _describe_claim(claim: Mapping[str, Any]) -> str:
    count = f"{claim['qualifier']} {claim['number']:,}".strip()
    kind = claim["kind"].replace("_", " ")
    text = f"**{escape_markdown(count)} {escape_markdown(kind)}**"
    if claim["said_by"]:
        text = f"{text}, says {escape_markdown(claim['said_by'])}"
    else:
        text = f"{text}, nobody is named who says so"
    if claim["sentence"]:
        text = f'{text}: "{escape_markdown(claim["sentence"])}"'
    return text


def _correction_lines(correction: BriefCorrection) -> Iterator[str]:
    what = correction.what
    if correction.detail:
        what = f"{what}, {correction.detail}"
    title = correction.title or correction.url or "a text that is no longer kept"
    at = f"{from_text(correction.at):%H:%M}"
    line = f"- {at} {what}: **{escape_markdown(title)}**"
    if correction.source:
        line = f"{line} ({escape_markdown(correction.source)})"
    line = f"{line}, article {correction.article_id}"
    if correction.url:
        line = f"{line} {format_link(correction.url)}"
    yield line
    if correction.former_title:
        yield f"  - was titled: {escape_markdown(correction.former_title)}"
    for before, now in correction.edits:
        yield f'  - said "{escape_markdown(before)}", says "{escape_markdown(now)}"'


def _blind_lines(periods: tuple[BlindPeriod, ...]) -> Iterator[str]:
    # Always there: a day without this part would leave open whether all was seen.
    yield from ("", "## Not seen", "")
    if not periods:
        yield "Nothing: the service and all its sources were in sight."
    for period in periods[:MAX_BLIND_PERIODS]:
        subject = "**everything**"
        if period.source:
            subject = escape_markdown(period.source)
        until = "and still"
        if period.to_at:
            until = f"to {format_time(period.to_at)}"
        start = format_time(period.from_at)
        reason = escape_markdown(period.reason)
        yield f"- {subject}, from {start} {until} ({reason})"
    left = len(periods) - MAX_BLIND_PERIODS
    if left > 0:
        yield f"- and {format_count(left, 'more period', 'more periods')}"
