"""What is known of a page by its answer alone, before anybody reads it.

Light: the process that fetches imports it.
"""

from collections.abc import Iterable
from datetime import datetime

from crawler.fetching.fetcher import Fetched, Outcome
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
TEMPORARY_FAULTS = frozenset(
    {"timeout", "truncated", "connection refused", "http 429", "http 503"}
)
MIN_FEED_BODY_CHARS = 300  # characters; a hundred words have more
RETRY_PAUSE_SECONDS = 5.0  # seconds before a second try where the server named none
# Seconds that a pass waits for a host which asked for it; longer waits are left to the
# next pass
MAX_RETRY_WAIT_SECONDS = 60.0


def seconds_before_retry(outcome: Outcome, now: datetime) -> float | None:
    """Seconds after which a page is worth another try in the same pass.

    None where the answer stands for now.
    """
    if isinstance(outcome, Failure) and not outcome.final:
        if outcome.retry_at is not None:
            wait = (outcome.retry_at - now).total_seconds()
            return max(wait, 0.0) if wait <= MAX_RETRY_WAIT_SECONDS else None
        return (
            RETRY_PAUSE_SECONDS
            if outcome.detail in TEMPORARY_FAULTS
            or outcome.detail.startswith("connection")
            else None
        )
    if isinstance(outcome, Fetched) and outcome.page.status in TEMPORARY_STATUSES:
        return RETRY_PAUSE_SECONDS
    return None


def why_unavailable(page: Page) -> Rejection | Failure | None:
    """Why a response is no page to read, or None."""
    if page.status in READABLE_STATUSES:
        return None
    if page.status in PAYWALL_STATUSES:
        return Rejection(why=RejectionReason.PAYWALLED, detail=f"http {page.status}")
    return Failure(
        detail=f"http {page.status}",
        final=page.status not in TEMPORARY_STATUSES,
        status=page.status,
    )


def is_worth_reading(page: Page, lead: Lead) -> bool:
    """Whether a worker can make anything of an answer, or of what the feed carried in its place."""
    return (
        page.status in READABLE_STATUSES or len(lead.body or "") > MIN_FEED_BODY_CHARS
    )


def distinct_urls(urls: Iterable[str], *, but: str) -> tuple[str, ...]:
    """URLs that differ in more than their spelling, without one of them."""
    by_key = {identity.url_key(url): url for url in urls}
    by_key.pop(identity.url_key(but), None)
    return tuple(by_key.values())
