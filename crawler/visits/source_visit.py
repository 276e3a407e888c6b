"""One visit to a source: ask, tell the answers apart, read what it showed.

It ends in plain data and touches no file.

`poll` tells a 304 from an unchanged 200, a feed from a web page in its place, a fault
of the source from one of ours; all of it is in the `Poll` that the store lands in one
transaction with the leads.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

from crawler.fetching.fetcher import Fetched, Fetcher, Outcome
from crawler.leads import polls
from crawler.leads.polls import Feed, PollHints
from crawler.sources import CrawlSettings, Source
from crawler.visits import further_documents
from crawler.visits.further_documents import FeedGap, RecallLeads
from crawler.workers import WorkerPool
from storage.model import Failure, Page, Poll, Refusal, SourceState, Validators, utc_now

MIN_MOVED_TIMES = 3  # a permanent redirect is believed after three equal ones ...
MIN_MOVED_FOR = timedelta(hours=24)  # ... over a day (rules, case 23)
# Where sites send whom they do not want: such a redirect is never remembered (case 25;
# NetNewsWire's list, shortened).
NEVER_MOVED = (
    "login",
    "signin",
    "register",
    "captcha",
    "consent",
    "subscribe",
    "/404",
    "error",
)
# Trouble as the schedule weighs it: `hard` will not mend itself, `soft` comes back,
# `dns` hardly counts.
HARD_STATUS = frozenset({400, 401, 402, 403, 405, 406, 451})
HARD_ERRORS = (
    "tls",
    "html_instead_of_feed",
    "robots",
    "address",
    "scheme",
    "size",
    "sitemap_index",
    "not_a_feed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitResult:
    """What a visit brought, before the store has seen it."""

    poll: Poll
    trouble: str | None = None  # hard, soft, dns, gone; None after a good visit
    # How often, and when not, the publisher wants to be asked
    hints: PollHints = field(default_factory=PollHints)
    retry_after: datetime | None = None
    title: str | None = None  # what the document calls itself
    # The feed moved on faster than it was asked, and it names older pages
    gap: FeedGap | None = None

    @property
    def floor(self) -> float | None:
        """Seconds that the publisher wants between two polls."""
        return self.hints.min_interval_seconds


class PollPlanner(Protocol):
    """Decides when to look again.

    Called inside the landing's transaction, so that it knows how much was new. Pure.
    """

    def __call__(
        self,
        source: Source,
        state: SourceState,
        visited: VisitResult,
        *,
        found: int,
        fresh: int,
    ) -> Poll:
        """The visit's poll with its next check, interval and failures."""


def plan_fixed_interval(
    source: Source, state: SourceState, visited: VisitResult, *, found: int, fresh: int
) -> Poll:
    """When to look again, where no scheduler says.

    After the source's own interval, later where the server asks.
    """
    del found, fresh
    poll = visited.poll
    interval = max(state.interval or source.every.total_seconds(), visited.floor or 0.0)
    at = poll.ended_at + timedelta(seconds=interval)
    failed = visited.trouble is not None
    return replace(
        poll,
        next_check_at=max(at, visited.retry_after or at),
        interval=interval,
        failures=state.failures + 1 if failed else 0.0,
        gone=visited.trouble == "gone",
    )


def poll_url(source: Source, state: SourceState, now: datetime) -> str:
    """The URL to ask: the configured one, or where it moved to for good."""
    moved = state.moved_to
    if (
        moved
        and state.moved_times >= MIN_MOVED_TIMES
        and state.moved_since
        and now - state.moved_since >= MIN_MOVED_FOR
    ):
        return moved
    return source.url


async def visit_source(
    fetcher: Fetcher, pool: WorkerPool, source: Source, state: SourceState, settings: CrawlSettings, *,
    manual: bool = False, limits: further_documents.VisitLimits | None = None, memory: RecallLeads | None = None,
) -> VisitResult:  # fmt: skip
    """Visit a source of any kind once.

    `limits` say how far beyond the first document, in place of the usual ones.

    With a `memory` of what was met before, the older pages of a feed that moved on too
    fast are read as well.
    """
    started = utc_now()
    blank = Poll(
        source=source.id,
        started_at=started,
        ended_at=started,
        status="error",
        manual=manual,
    )
    if source.kind not in further_documents.READERS:
        return failed_visit(blank, f"unsupported: {source.kind} sources cannot be read")
    headers = polls.poll_headers(state, source, now=started)
    ask = further_documents.document_request(
        source, poll_url(source, state, started), settings, headers
    )
    async with fetcher.fetch(ask) as outcome:
        fetched = _described(outcome, blank)
        settled = _settled(outcome, fetched, state, headers)
        feed = (
            None
            if settled
            else await further_documents.read_document(
                pool, _page(outcome), source, settings
            )
        )
    if settled is None:
        assert feed is not None
        limits = limits or further_documents.visit_limits(
            source, state, settings, started
        )
        walk = await further_documents.follow(
            fetcher, pool, feed, source, settings, limits, url=_page(outcome).final_url
        )
        if memory is not None and feed.next_page and not walk.found:
            at = _page(outcome).final_url
            walk = await further_documents.catch_up(
                fetcher, pool, feed, source, state, settings, memory, url=at
            )
        whole = further_documents.merge_feeds(
            feed, walk.found, settings.max_entries * (2 if walk.gap else 1)
        )
        whole = replace(whole, warnings=whole.warnings + walk.warnings)
        settled = replace(
            visit_with_document(whole, _page(outcome), fetched, state), gap=walk.gap
        )
    return replace(settled, poll=replace(settled.poll, ended_at=utc_now()))


def _described(outcome: Outcome, blank: Poll) -> Poll:
    """The poll with what the answer says of itself."""
    if not isinstance(outcome, Fetched):
        return blank
    moved, odd = permanent_move(outcome), redirect_warnings(outcome)
    return replace(
        blank,
        http_status=outcome.page.status,
        bytes=outcome.received,
        moved_to=moved,
        warnings=odd,
    )


def _settled(
    outcome: Outcome, blank: Poll, state: SourceState, headers: Mapping[str, str]
) -> VisitResult | None:
    """A visit that is over without reading anything, or None."""
    if not isinstance(outcome, Fetched):
        return replace(
            visit_without_answer(outcome, blank), hints=polls.recall_hints(state, {})
        )
    return visit_without_reading(
        outcome.page,
        blank,
        state,
        conditional=any(name.startswith("If-") for name in headers),
    )


def _page(outcome: Outcome) -> Page:
    assert isinstance(outcome, Fetched)
    return outcome.page


def visit_without_answer(outcome: Refusal | Failure, blank: Poll) -> VisitResult:
    """A visit that got no answer to read."""
    if isinstance(outcome, Refusal):
        return failed_visit(blank, f"{outcome.why}: {outcome.detail}")
    status = outcome.detail.removeprefix("http ")
    blank = replace(blank, http_status=int(status) if status.isdigit() else None)
    return replace(failed_visit(blank, outcome.detail), retry_after=outcome.retry_at)


def visit_without_reading(
    page: Page, blank: Poll, state: SourceState, *, conditional: bool
) -> VisitResult | None:
    """A visit that needs no reading, because of the status, or because nothing changed; None where there is news."""
    given = polls.parse_validators(dict(page.headers))
    hints = polls.recall_hints(state, dict(page.headers))
    if page.status == 304:
        if not conditional:
            return replace(
                failed_visit(blank, "unexpected_304: the request was not conditional"),
                hints=hints,
            )
        had = state.validators
        kept = Validators(
            etag=given.etag or had.etag,
            last_modified=given.last_modified or had.last_modified,
        )
        return VisitResult(
            poll=replace(blank, status="not_modified", validators=kept), hints=hints
        )
    if page.status not in {200, 226}:
        return replace(failed_visit(blank, describe_status(page)), hints=hints)
    if not page.body:
        return replace(failed_visit(blank, "empty_body: nothing came"), hints=hints)
    same_etag = (
        conditional and given.etag is not None and given.etag == state.validators.etag
    )
    if state.last_success_at and (same_etag or hash_body(page.body) == state.body_hash):
        return VisitResult(
            poll=replace(blank, status="unchanged", validators=given), hints=hints
        )
    return None


def visit_with_document(
    feed: Feed, page: Page, blank: Poll, state: SourceState
) -> VisitResult:
    """A visit whose document was read."""
    noted = replace(blank, warnings=blank.warnings + feed.warnings)
    if feed.error is not None:
        # What cannot be read never advances the validators; a web page in the feed's
        # place keeps them (case 50).
        return replace(
            failed_visit(noted, feed.error),
            hints=polls.recall_hints(state, dict(page.headers)),
        )
    leads_on = bool(feed.children or feed.list_pages)
    done = replace(
        noted,
        status="ok" if feed.leads or feed.children else "empty",
        leads=feed.leads,
        # An index stays the same while its sitemaps change, a front page while its
        # sections do: never conditionally.
        validators=Validators()
        if leads_on
        else polls.parse_validators(dict(page.headers)),
        body_hash=None if leads_on else hash_body(page.body),
        newest_at=feed.newest_at,
        hints=feed.hints.document_hints,
    )
    return VisitResult(poll=done, hints=feed.hints, title=feed.title)


def failed_visit(blank: Poll, error: str) -> VisitResult:
    """A visit that failed. The validators stay as they are."""
    kind = error.partition(":")[0]
    if blank.http_status == 410:
        trouble = "gone"
    elif kind == "dns":
        trouble = "dns"
    elif blank.http_status in HARD_STATUS or kind in HARD_ERRORS:
        trouble = "hard"
    else:
        trouble = "soft"
    return VisitResult(
        poll=replace(blank, status="error", error=error), trouble=trouble
    )


def faulty_visit(source: Source, error: Exception, *, manual: bool) -> VisitResult:
    """A visit that ended in a fault of our own."""
    now = utc_now()
    blank = Poll(
        source=source.id, started_at=now, ended_at=now, status="error", manual=manual
    )
    return failed_visit(blank, f"fault: {type(error).__name__}: {str(error)[:200]}")


def describe_status(page: Page) -> str:
    """A status that brings no feed, in words."""
    if (
        page.status == 403
        and (page.header("cf-mitigated") or "").lower() == "challenge"
    ):
        return "http 403: blocked by Cloudflare"
    if page.status in range(200, 300) or page.status > 599 or page.status < 200:
        return f"unexpected_status: http {page.status}"
    if page.status == 410:
        return "http 410: gone for good; probed weekly"
    return f"http {page.status}"


def permanent_move(fetched: Fetched) -> str | None:
    """Where a source moved for good, unless that is a login, an error page or the site's front."""
    target = fetched.moved_to
    if target is None or any(word in target.lower() for word in NEVER_MOVED):
        return None
    path = target.partition("://")[2].partition("/")[2]
    return target if path.strip("/") else None


def redirect_warnings(fetched: Fetched) -> tuple[str, ...]:
    """What is odd about the way an answer was reached."""
    urls = [*(hop.url for hop in fetched.redirects), fetched.page.final_url]
    downgraded = any(
        a.startswith("https:") and b.startswith("http:") for a, b in pairwise(urls)
    )
    return ("redirected from https to http",) if downgraded else ()


def hash_body(body: bytes) -> str:
    """What tells an unchanged body."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()
