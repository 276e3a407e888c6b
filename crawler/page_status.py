"""What is known of a page by its answer alone, before anybody reads it.

Light: the process that fetches imports it.
"""

from collections.abc import Iterable

from storage import identity
from storage.model import Failure, Lead, Page, Rejection, RejectionReason

# Answers that say "not now" (RFC 9110, and the 52x of Cloudflare); every other 4xx and
# 5xx ends a lead.
TEMPORARY_STATUSES = frozenset(
    {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
)
READABLE_STATUSES = frozenset({200, 203})
NOT_MODIFIED = 304
PAYWALL_STATUSES = frozenset({402})
TEMPORARY_FAULTS = frozenset({"timeout", "truncated", "http 429", "http 503"})
# Of a feed's text that is worth reading in a page's place; a hundred words have more.
MIN_FEED_BODY_CHARS = 300


def is_temporary_fault(detail: str) -> bool:
    """Whether a fault of the network is likely to be gone in some seconds."""
    return detail in TEMPORARY_FAULTS or detail.startswith("connection")


def why_unavailable(page: Page) -> Rejection | Failure | None:
    """Why a response is no page to read, or None."""
    if page.status in READABLE_STATUSES:
        return None
    detail = f"http {page.status}"
    if page.status in PAYWALL_STATUSES:
        return Rejection(why=RejectionReason.PAYWALLED, detail=detail)
    is_final = page.status not in TEMPORARY_STATUSES
    return Failure(detail=detail, final=is_final, status=page.status)


def is_worth_reading(page: Page, lead: Lead) -> bool:
    """Whether a worker can make anything of an answer.

    Or of what the feed carried in its place.
    """
    has_feed_text = len(lead.body or "") > MIN_FEED_BODY_CHARS
    return page.status in READABLE_STATUSES or has_feed_text


def distinct_urls(urls: Iterable[str], *, but: str) -> tuple[str, ...]:
    """URLs that differ in more than their spelling, without one of them."""
    by_key = {identity.url_key(url): url for url in urls}
    by_key.pop(identity.url_key(but), None)
    return tuple(by_key.values())
