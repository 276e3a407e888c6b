"""What is known of a page by its answer alone, before anybody reads it.

Light: the process that fetches imports it.
"""

from collections.abc import Iterable

from storage import identity
from storage.model import (
    Document,
    Failure,
    Lead,
    Page,
    Refusal,
    Rejection,
    RejectionReason,
)

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
# What a page came to where its feed has the text all the same.
FEED_TEXT_REASONS = frozenset(
    {
        RejectionReason.EMPTY,
        RejectionReason.SHORT,
        RejectionReason.SCRIPT_ONLY,
        RejectionReason.PAYWALLED,
        RejectionReason.UNREADABLE,
        # A page that is no article where its feed has one: a login, "not found", a PDF.
        RejectionReason.NOT_AN_ARTICLE,
        # Not asked for, or not to its end; a publisher's feed gives the text itself.
        RejectionReason.ROBOTS,
        RejectionReason.SIZE,
    }
)


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


def may_use_feed_text(outcome: Document | Rejection | Failure | Refusal) -> bool:
    """Whether a feed's whole text may stand in for what came of the page."""
    if isinstance(outcome, Refusal):
        return outcome.why in FEED_TEXT_REASONS
    if isinstance(outcome, Failure):
        return outcome.final
    return isinstance(outcome, Document) or outcome.why in FEED_TEXT_REASONS


def is_whole_report(lead: Lead) -> bool:
    """Whether a lead brings all of its report, and names no page that has it alone.

    So do a channel's posts, and entries that share the address of one page.
    """
    if not lead.body:
        return False
    return lead.via == "telegram" or identity.is_entry_url(lead.url)


def distinct_urls(urls: Iterable[str], *, but: str) -> tuple[str, ...]:
    """URLs that differ in more than their spelling, without one of them."""
    by_key = {identity.url_key(url): url for url in urls}
    by_key.pop(identity.url_key(but), None)
    return tuple(by_key.values())
