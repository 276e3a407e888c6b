"""What is known of a page by its answer alone, before anybody reads it. Light: the process that fetches imports it."""

from collections.abc import Iterable
from datetime import datetime

from crawler.fetching.spiders import Fetched, Outcome
from storage import identity
from storage.model import Failure, Lead, Page, Rejection, Why

# Answers that say "not now" (RFC 9110, and the 52x of Cloudflare); every other 4xx and 5xx ends a lead.
COMES_BACK = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
READABLE = frozenset({200, 203})
NOT_MODIFIED = 304
PAYWALLED = frozenset({402})
FAULTS_COME_BACK = frozenset({"timeout", "truncated", "connection refused", "http 429", "http 503"})
SHORTEST_BODY = 300  # characters; a hundred words have more
PAUSE = 5.0  # seconds before a second try where the server named none
PATIENCE = 60.0  # seconds that a pass waits for a host which asked for it; longer waits are left to the next pass


def patience(outcome: Outcome, now: datetime) -> float | None:
    """Seconds after which a page is worth another try in the same pass; None where the answer stands for now."""
    if isinstance(outcome, Failure) and not outcome.final:
        if outcome.retry_at is not None:
            wait = (outcome.retry_at - now).total_seconds()
            return max(wait, 0.0) if wait <= PATIENCE else None
        return PAUSE if outcome.detail in FAULTS_COME_BACK or outcome.detail.startswith("connection") else None
    if isinstance(outcome, Fetched) and outcome.page.status in COMES_BACK:
        return PAUSE
    return None


def unavailable(page: Page) -> Rejection | Failure | None:
    """Why a response is no page to read, or None."""
    if page.status in READABLE:
        return None
    if page.status in PAYWALLED:
        return Rejection(why=Why.PAYWALLED, detail=f"http {page.status}")
    return Failure(detail=f"http {page.status}", final=page.status not in COMES_BACK, status=page.status)


def is_worth_reading(page: Page, lead: Lead) -> bool:
    """Whether a worker can make anything of an answer, or of what the feed carried in its place."""
    return page.status in READABLE or len(lead.body or "") > SHORTEST_BODY


def distinct(urls: Iterable[str], *, but: str) -> tuple[str, ...]:
    """URLs that differ in more than their spelling, without one of them."""
    by_key = {identity.key(url): url for url in urls}
    by_key.pop(identity.key(but), None)
    return tuple(by_key.values())
