"""Captures that others kept become landings. Pure; runs in a worker.

What cannot be relevant is turned away by its bytes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from crawler import intake, page_status
from crawler.sources import CrawlSettings
from crawler.topic import prefilter
from storage import identity
from storage.model import Landing, Lead, Page, Rejection, RejectionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessedCapture:
    """What one capture brings, without its page: the body need not travel back."""

    landing: Landing
    was_read: bool  # and not turned away by its bytes


def process_captures(
    captures: Sequence[Page],
    *,
    settings: CrawlSettings,
    boilerplate: Mapping[str, frozenset[int]],
    watched: Collection[str] = (),
) -> list[ProcessedCapture]:
    """What each capture brings, in their order.

    `watched` are hosts whose pages are always read; `boilerplate` is what each host
    has taught.
    """
    processed = []
    for page in captures:
        host = identity.url_host(page.url)
        # Our own captures say for which source they were asked: a database that is
        # made anew from them knows again who carried what.
        source = host
        if page.record is not None and page.record.source:
            source = page.record.source
        why: str | None = None
        if host not in watched:
            why = why_off_topic(page, settings)
        if why is not None:
            outcome = Rejection(why=RejectionReason.IRRELEVANT, detail=why)
            landing = Landing(outcome=outcome, url=page.url, source=source)
            processed.append(ProcessedCapture(landing=landing, was_read=False))
            continue
        landing = intake.process_page(
            page,
            Lead(url=page.url, source=source, via="import"),
            settings=settings,
            boilerplate=boilerplate.get(host, frozenset()),
            now=page.fetched_at,
        )
        landing = replace(landing, page=None)
        processed.append(ProcessedCapture(landing=landing, was_read=True))
    return processed


def why_off_topic(page: Page, settings: CrawlSettings) -> str | None:
    """Why the bytes alone say that the page is not kept.

    None where it is to be read, as where everything is kept.
    """
    if settings.min_relevance <= 0:
        return None
    if page_status.why_unavailable(page) is not None or not prefilter.may_hold_text(
        page
    ):
        return None
    return prefilter.off_topic_reason(
        page, extra_terms=settings.extra_terms, least=settings.min_relevance
    )
