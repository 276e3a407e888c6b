"""The Wayback Machine: what its index lists, and its captures as the pages they are of.

The index (CDX) is asked for one capture of each page of a host within some days, a part
at a time; the raw capture (`id_`: without the archive's own markup) is read and stored
under the page's own address, at the capture's time. Pure.
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
CAPTURES_PER_PART = 5_000  # of one answer of the index
# By the weights in data/section_links.toml, so that a name of three words is worth a
# request
MIN_ADDRESS_SCORE = 1.0
_TIMESTAMP = re.compile(r"[12][0-9]{13}")
# What an archived address keeps as it is: the archive knows it so
_UNESCAPED_CHARS = "!#$%&'()*+,/:;=?@[]~"
_CAPTURE_PATH = re.compile(r"/web/([12][0-9]{13})id_/(https?:/.{3,2100})$")


def cdx_query_url(
    base: str, host: str, since: datetime, until: datetime, resume: str = ""
) -> str:
    """What to ask the index: good HTML pages of a host, one capture each.

    `resume` is the last answer's `next_page`.
    """
    parameters = [
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
    ]
    if resume:
        parameters.append(("resumeKey", resume))
    return f"{base.rstrip('/')}/cdx/search/cdx?{urlencode(parameters)}"


def parse_cdx_index(
    body: bytes,
    *,
    url: str,
    headers: Mapping[str, str],
    source: Source,
    now: datetime,
    max_bytes: int,
    max_entries: int,
) -> Feed:
    """What an answer of the index lists: articles by their addresses.

    `next_page` is the key of its next part. Runs in a worker, and never raises for any
    bytes.
    """
    # Readers of all kinds are called alike; this one needs neither
    del url, headers
    try:
        rows = json.loads(body[:max_bytes] or b"[]")
    except (ValueError, RecursionError):
        return Feed(kind="cdx", error="not_an_index: no JSON")
    if not isinstance(rows, list):
        return Feed(kind="cdx", error="not_an_index: no list")

    leads: list[Lead] = []
    captures = 0
    # The first row names the columns
    for row in rows[1 : max_entries + 1]:
        capture = _parse_capture(row)
        if capture is None:
            continue
        captures += 1
        timestamp, page_url = capture
        if not _is_article(page_url, source.link_pattern):
            continue
        leads.append(
            Lead(
                url=page_url,
                source=source.id,
                guid=timestamp,
                via=VIA_ARCHIVE,
                backfill=True,
                language=source.language,
                found_at=now,
            )
        )
    warnings: tuple[str, ...] = ()
    if captures > len(leads):
        left_out = captures - len(leads)
        warnings = (f"{left_out} captures that are no article's left out",)
    return Feed(
        kind="cdx",
        leads=tuple(leads),
        entries=captures,
        next_page=_find_resume_key(rows),
        warnings=warnings,
    )


def _is_article(url: str, pattern: str | None) -> bool:
    """By its address alone: there is neither a text nor a place of a link."""
    from crawler.leads import sections  # noqa: PLC0415 - heavy, and needed in workers only

    if pattern:
        return re.search(pattern, url) is not None
    score = sections.score_address(url, identity.url_host(url))
    return score is not None and score >= MIN_ADDRESS_SCORE


def _parse_capture(row: object) -> tuple[str, str] | None:
    """A row's timestamp and address, or None for what is no capture of a web page."""
    match row:
        case [str() as timestamp, str() as url]:
            pass
        case _:
            return None
    if not _TIMESTAMP.fullmatch(timestamp):
        return None
    if len(url) > identity.MAX_URL_CHARS or not url.startswith(("http://", "https://")):
        return None
    return timestamp, printable(url)


def _find_resume_key(rows: list[object]) -> str | None:
    """The last row, where an empty one stands before it."""
    match rows:
        case [*_, [], [str() as key]]:
            return key
    return None


def fetch_url(lead: Lead, base: str) -> str:
    """Where a lead's page is asked for.

    At its own address, or at the capture that the index named.
    """
    if not base or lead.via != VIA_ARCHIVE:
        return lead.url
    if not lead.guid or not _TIMESTAMP.fullmatch(lead.guid):
        return lead.url
    path = quote(lead.url, safe=_UNESCAPED_CHARS)
    return f"{base.rstrip('/')}/web/{lead.guid}id_/{path}"


def restore_original_page(page: Page, lead: Lead) -> Page:
    """A capture as the page that it is of, at the time at which it was so.

    Any other page is returned as it is.
    """
    if lead.via != VIA_ARCHIVE or not lead.guid:
        return page
    match = _CAPTURE_PATH.search(page.final_url)
    if match is None:
        return page
    # Fourteen digits need not be a day: 20211332 has month 13
    try:
        at = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        at = page.fetched_at
    return replace(page, url=lead.url, final_url=lead.url, fetched_at=at)
