"""Captures that others kept -> landings.

What cannot be relevant is turned away by its bytes. Pure; in a worker.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from crawler import intake, page_status
from crawler.sources import CrawlSettings
from crawler.topic import prefilter
from storage import identity
from storage.model import Landing, Lead, Page, Rejection, RejectionReason


def process_captures(
    captures: Sequence[Page],
    *,
    settings: CrawlSettings,
    boilerplate: Mapping[str, frozenset[int]],
    watched: Collection[str] = (),
) -> list[tuple[Landing, bool]]:
    """What each capture brings, and whether it was read.

    The bodies need not travel back.

    `watched` are hosts whose pages are always read; `boilerplate` is what each host has
    taught.
    """
    return [_one(page, settings, boilerplate, watched) for page in captures]


def _one(
    page: Page,
    settings: CrawlSettings,
    boilerplate: Mapping[str, frozenset[int]],
    watched: Collection[str],
) -> tuple[Landing, bool]:
    host = identity.url_host(page.url)
    # Our own captures say for which source they were asked: a database that is made
    # anew from them knows again who carried what.
    source = host
    if page.record is not None and page.record.source:
        source = page.record.source
    why = None if host in watched else off_topic(page, settings)
    if why is not None:
        return Landing(
            outcome=Rejection(why=RejectionReason.IRRELEVANT, detail=why),
            url=page.url,
            source=source,
        ), False
    lead = Lead(url=page.url, source=source, via="import")
    lines = boilerplate.get(host, frozenset())
    return replace(
        intake.process_page(
            page, lead, settings=settings, boilerplate=lines, now=page.fetched_at
        ),
        page=None,
    ), True


def off_topic(page: Page, settings: CrawlSettings) -> str | None:
    """Why the bytes alone say that the page is not kept.

    None where it is to be read, as where everything is kept.
    """
    if (
        settings.min_relevance <= 0
        or page_status.why_unavailable(page) is not None
        or not prefilter.may_hold_text(page)
    ):
        return None
    return prefilter.off_topic_reason(
        page, extra_terms=settings.extra_terms, least=settings.min_relevance
    )
