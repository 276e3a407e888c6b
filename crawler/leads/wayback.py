"""The web as the Wayback Machine kept it.

What its index lists, and captures as they were. Pure.

The index (CDX) is asked for one capture of each page of a host within some days, a part
at a time; the raw capture (`id_`: without the archive's own markup) is read and stored
under the page's own address, at the capture's time.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from crawler.leads.polls import Feed
from crawler.sources import Source
from storage import identity
from storage.folding import printable
from storage.model import Lead, Page

VIA_ARCHIVE = "archive"
CAPTURES_PER_PART = 5_000  # captures of one answer of the index
# Of the weights in data/section_links.toml: a name of three words is worth a request
MIN_ADDRESS_SCORE = 1.0
_TIMESTAMP = re.compile(r"[12][0-9]{13}")
_CAPTURE_PATH = re.compile(r"/web/([12][0-9]{13})id_/(https?:/.{3,2100})$")


def cdx_query_url(
    base: str, host: str, since: datetime, until: datetime, resume: str = ""
) -> str:
    """What to ask the index: good HTML pages of a host, one capture each.

    `resume` is the last answer's `next_page`.
    """
    asked = [
        ("url", f"{host}/*"),
        ("from", f"{since:%Y%m%d%H%M%S}"),
        ("to", f"{until:%Y%m%d%H%M%S}"),
        ("output", "json"),
        ("fl", "timestamp,original"),
        ("filter", "statuscode:200"),
        ("filter", "mimetype:text/html"),
        ("collapse", "urlkey"),
        ("limit", str(CAPTURES_PER_PART)),
        ("showResumeKey", "true"),
        *([("resumeKey", resume)] if resume else []),
    ]
    return f"{base.rstrip('/')}/cdx/search/cdx?{urlencode(asked)}"


def parse_cdx_index(
    body: bytes, *, url: str, headers: Mapping[str, str], source: Source, now: datetime,
    max_bytes: int = 5_000_000, max_entries: int = CAPTURES_PER_PART,
) -> Feed:  # fmt: skip
    """What an answer of the index lists: articles by their addresses.

    `next_page` is the key of its next part.

    Runs in a worker, and never raises for any bytes.
    """
    del url, headers
    try:
        rows = json.loads(body[:max_bytes] or b"[]")
    except (ValueError, RecursionError):
        return Feed(kind="cdx", error="not_an_index: no JSON")
    if not isinstance(rows, list):
        return Feed(kind="cdx", error="not_an_index: no list")
    captures = [
        pair for row in rows[1 : max_entries + 1] if (pair := _parse_capture(row))
    ]
    wanted = [
        (stamp, page)
        for stamp, page in captures
        if _is_article(page, source.link_pattern)
    ]
    leads = tuple(
        Lead(
            url=page,
            source=source.id,
            guid=stamp,
            via=VIA_ARCHIVE,
            backfill=True,
            language=source.language,
            found_at=now,
        )
        for stamp, page in wanted
    )
    left = len(captures) - len(wanted)
    warnings = (f"{left} captures that are no article's left out",) if left else ()
    return Feed(
        kind="cdx",
        leads=leads,
        entries=len(captures),
        next_page=_find_resume_key(rows),
        warnings=warnings,
    )


def _is_article(page: str, pattern: str | None) -> bool:
    """By its address alone: there is neither a text nor a place of a link."""
    from crawler.leads import sections  # noqa: PLC0415 - heavy, and needed in workers only

    if pattern:
        return re.search(pattern, page) is not None
    return (
        sections.score_address(page, identity.url_host(page)) or 0.0
    ) >= MIN_ADDRESS_SCORE


def _parse_capture(row: object) -> tuple[str, str] | None:
    if not (
        isinstance(row, list)
        and len(row) == 2
        and all(isinstance(cell, str) for cell in row)
    ):
        return None
    stamp, page = row
    if (
        not _TIMESTAMP.fullmatch(stamp)
        or len(page) > identity.MAX_URL_CHARS
        or not page.startswith(("http://", "https://"))
    ):
        return None
    return stamp, printable(page)


def _find_resume_key(rows: list[object]) -> str | None:
    """The last row, where an empty one stands before it."""
    if len(rows) < 2 or rows[-2] != []:
        return None
    last = rows[-1]
    return (
        last[0]
        if isinstance(last, list) and len(last) == 1 and isinstance(last[0], str)
        else None
    )


def fetch_url(lead: Lead, base: str) -> str:
    """Where a lead's page is asked for.

    At its own address, or at the capture that the index named.
    """
    if (
        lead.via == VIA_ARCHIVE
        and lead.guid
        and _TIMESTAMP.fullmatch(lead.guid)
        and base
    ):
        return f"{base.rstrip('/')}/web/{lead.guid}id_/{quote(lead.url, safe=_UNESCAPED_CHARS)}"
    return lead.url


_UNESCAPED_CHARS = "!#$%&'()*+,/:;=?@[]~"


def restore_original_page(page: Page, lead: Lead) -> Page:
    """A capture as the page that it is of.

    Its own address, the time at which it was so. Any other page as it is.
    """
    match = (
        _CAPTURE_PATH.search(page.final_url)
        if lead.via == VIA_ARCHIVE and lead.guid
        else None
    )
    if match is None:
        return page
    try:
        at = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        at = page.fetched_at
    return replace(page, url=lead.url, final_url=lead.url, fetched_at=at)
