"""One visit to a source: ask, tell the answers apart, read what it showed. It ends in plain data and touches no file.

`poll` tells a 304 from an unchanged 200, a feed from a web page in its place, a fault of the source from one of ours;
all of it is in the `Poll` that the store lands in one transaction with the leads.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

from crawler.fetching.spiders import Fetched, Fetcher, Outcome
from crawler.leads import further, polls
from crawler.leads.further import Gap, Memory
from crawler.leads.polls import Feed, Hints
from crawler.sources import CrawlSettings, Source
from crawler.workers import Pool
from storage.model import Failure, Page, Poll, Refusal, SourceState, Validators, utc_now

MOVED_TIMES = 3  # a permanent redirect is believed after three equal ones ...
MOVED_FOR = timedelta(hours=24)  # ... over a day (rules, case 23)
# Where sites send whom they do not want: such a redirect is never remembered (case 25; NetNewsWire's list, shortened).
NEVER_MOVED = ("login", "signin", "register", "captcha", "consent", "subscribe", "/404", "error")
# Trouble as the schedule weighs it: `hard` will not mend itself, `soft` comes back, `dns` hardly counts.
HARD_STATUS = frozenset({400, 401, 402, 403, 405, 406, 451})
HARD_ERRORS = ("tls", "html_instead_of_feed", "robots", "address", "scheme", "size", "sitemap_index", "not_a_feed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """What a visit brought, before the store has seen it."""

    poll: Poll
    trouble: str | None = None  # hard, soft, dns, gone; None after a good visit
    hints: Hints = field(default_factory=Hints)  # how often, and when not, the publisher wants to be asked
    retry_after: datetime | None = None
    title: str | None = None  # what the document calls itself
    gap: Gap | None = None  # the feed moved on faster than it was asked, and it names older pages

    @property
    def floor(self) -> float | None:
        """Seconds that the publisher wants between two polls."""
        return self.hints.floor


class Plan(Protocol):
    """Decides when to look again; called inside the landing's transaction, so that it knows how much was new. Pure."""

    def __call__(self, source: Source, state: SourceState, visited: Visited, *, found: int, fresh: int) -> Poll:
        """The visit's poll with its next check, interval and failures."""


def simple_plan(source: Source, state: SourceState, visited: Visited, *, found: int, fresh: int) -> Poll:
    """When to look again, where no scheduler says: after the source's own interval, later where the server asks."""
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
        muted=visited.trouble == "gone",
    )


def address(source: Source, state: SourceState, now: datetime) -> str:
    """The URL to ask: the configured one, or where it moved to for good."""
    moved = state.moved_to
    if moved and state.moved_times >= MOVED_TIMES and state.moved_since and now - state.moved_since >= MOVED_FOR:
        return moved
    return source.url


async def poll(
    fetcher: Fetcher, pool: Pool, source: Source, state: SourceState, settings: CrawlSettings, *,
    manual: bool = False, limits: further.Bounds | None = None, memory: Memory | None = None,
) -> Visited:  # fmt: skip
    """Visit a source of any kind once. `limits` say how far beyond the first document, in place of the usual ones.

    With a `memory` of what was met before, the older pages of a feed that moved on too fast are read as well.
    """
    started = utc_now()
    blank = Poll(source=source.id, started_at=started, ended_at=started, status="error", manual=manual)
    if source.kind not in further.READERS:
        return troubled(blank, f"unsupported: {source.kind} sources cannot be read")
    headers = polls.request_headers(state, source, now=started)
    ask = further.ask_for(source, address(source, state, started), settings, headers)
    async with fetcher.get(ask) as outcome:
        fetched = _described(outcome, blank)
        settled = _settled(outcome, fetched, state, headers)
        feed = None if settled else await further.read(pool, _page(outcome), source, settings)
    if settled is None:
        assert feed is not None
        limits = limits or further.bounds(source, state, settings, started)
        walk = await further.follow(fetcher, pool, feed, source, settings, limits, url=_page(outcome).final_url)
        if memory is not None and feed.next_page and not walk.found:
            at = _page(outcome).final_url
            walk = await further.catch_up(fetcher, pool, feed, source, state, settings, memory, url=at)
        whole = further.joined(feed, walk.found, settings.max_entries * (2 if walk.gap else 1))
        whole = replace(whole, warnings=whole.warnings + walk.warnings)
        settled = replace(told(whole, _page(outcome), fetched, state), gap=walk.gap)
    return replace(settled, poll=replace(settled.poll, ended_at=utc_now()))


def _described(outcome: Outcome, blank: Poll) -> Poll:
    """The poll with what the answer says of itself."""
    if not isinstance(outcome, Fetched):
        return blank
    moved, odd = lasting_move(outcome), warnings(outcome)
    return replace(blank, http_status=outcome.page.status, bytes=outcome.received, moved_to=moved, warnings=odd)


def _settled(outcome: Outcome, blank: Poll, state: SourceState, headers: Mapping[str, str]) -> Visited | None:
    """A visit that is over without reading anything, or None."""
    if not isinstance(outcome, Fetched):
        return replace(unanswered(outcome, blank), hints=polls.recalled(state, {}))
    return answered(outcome.page, blank, state, conditional=any(name.startswith("If-") for name in headers))


def _page(outcome: Outcome) -> Page:
    assert isinstance(outcome, Fetched)
    return outcome.page


def unanswered(outcome: Refusal | Failure, blank: Poll) -> Visited:
    """A visit that got no answer to read."""
    if isinstance(outcome, Refusal):
        return troubled(blank, f"{outcome.why}: {outcome.detail}")
    status = outcome.detail.removeprefix("http ")
    blank = replace(blank, http_status=int(status) if status.isdigit() else None)
    return replace(troubled(blank, outcome.detail), retry_after=outcome.retry_at)


def answered(page: Page, blank: Poll, state: SourceState, *, conditional: bool) -> Visited | None:
    """A visit that needs no reading, because of the status, or because nothing changed; None where there is news."""
    given = polls.validators(dict(page.headers))
    hints = polls.recalled(state, dict(page.headers))
    if page.status == 304:
        if not conditional:
            return replace(troubled(blank, "unexpected_304: the request was not conditional"), hints=hints)
        had = state.validators
        kept = Validators(etag=given.etag or had.etag, last_modified=given.last_modified or had.last_modified)
        return Visited(poll=replace(blank, status="not_modified", validators=kept), hints=hints)
    if page.status not in {200, 226}:
        return replace(troubled(blank, http_error(page)), hints=hints)
    if not page.body:
        return replace(troubled(blank, "empty_body: nothing came"), hints=hints)
    same_etag = conditional and given.etag is not None and given.etag == state.validators.etag
    if state.last_success_at and (same_etag or body_hash(page.body) == state.body_hash):
        return Visited(poll=replace(blank, status="unchanged", validators=given), hints=hints)
    return None


def told(feed: Feed, page: Page, blank: Poll, state: SourceState) -> Visited:
    """A visit whose document was read."""
    noted = replace(blank, warnings=blank.warnings + feed.warnings)
    if feed.error is not None:
        # What cannot be read never advances the validators; a web page in the feed's place keeps them (case 50).
        return replace(troubled(noted, feed.error), hints=polls.recalled(state, dict(page.headers)))
    leads_on = bool(feed.children or feed.onward)
    done = replace(
        noted,
        status="ok" if feed.leads or feed.children else "empty",
        leads=feed.leads,
        # An index stays the same while its sitemaps change, a front page while its sections do: never conditionally.
        validators=Validators() if leads_on else polls.validators(dict(page.headers)),
        body_hash=None if leads_on else body_hash(page.body),
        newest_at=feed.newest_at,
        hints=feed.hints.lasting,
    )
    return Visited(poll=done, hints=feed.hints, title=feed.title)


def troubled(blank: Poll, error: str) -> Visited:
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
    return Visited(poll=replace(blank, status="error", error=error), trouble=trouble)


def broken(source: Source, error: Exception, *, manual: bool) -> Visited:
    """A visit that ended in a fault of our own."""
    now = utc_now()
    blank = Poll(source=source.id, started_at=now, ended_at=now, status="error", manual=manual)
    return troubled(blank, f"fault: {type(error).__name__}: {str(error)[:200]}")


def http_error(page: Page) -> str:
    """A status that brings no feed, in words."""
    if page.status == 403 and (page.header("cf-mitigated") or "").lower() == "challenge":
        return "http 403: blocked by Cloudflare"
    if page.status in range(200, 300) or page.status > 599 or page.status < 200:
        return f"unexpected_status: http {page.status}"
    if page.status == 410:
        return "http 410: gone for good; probed weekly"
    return f"http {page.status}"


def lasting_move(fetched: Fetched) -> str | None:
    """Where a source moved for good, unless that is a login, an error page or the site's front."""
    target = fetched.moved_to
    if target is None or any(word in target.lower() for word in NEVER_MOVED):
        return None
    path = target.partition("://")[2].partition("/")[2]
    return target if path.strip("/") else None


def warnings(fetched: Fetched) -> tuple[str, ...]:
    """What is odd about the way an answer was reached."""
    urls = [*(hop.url for hop in fetched.hops), fetched.page.final_url]
    downgraded = any(a.startswith("https:") and b.startswith("http:") for a, b in pairwise(urls))
    return ("redirected from https to http",) if downgraded else ()


def body_hash(body: bytes) -> str:
    """What tells an unchanged body."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()
