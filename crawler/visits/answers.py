"""What the answer to a poll means. Pure.

Tells a 304 from an unchanged 200, a feed from a web page in its place, a fault of the
source from one of ours; all of it is in the `Poll` that the store lands in one
transaction with the leads.
"""

import hashlib
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from crawler.fetching.requests import Fetched
from crawler.leads import polls
from crawler.leads.polls import Feed
from crawler.sources import Source
from crawler.visits.visit_result import VisitResult
from storage.model import Failure, Page, Poll, Refusal, SourceState, Validators, utc_now

MIN_MOVED_TIMES = 3  # a permanent redirect is believed after three equal ones ...
MIN_MOVED_FOR = timedelta(hours=24)  # ... over a day (rules, case 23)
# Where sites send those whom they do not want: such a redirect is never remembered
# (case 25; NetNewsWire's list, shortened).
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


def visit_without_answer(
    outcome: Refusal | Failure, poll: Poll, state: SourceState
) -> VisitResult:
    """A visit that got no answer to read."""
    hints = polls.recall_hints(state, {})
    if isinstance(outcome, Refusal):
        result = failed_visit(poll, f"{outcome.why}: {outcome.detail}")
        return replace(result, hints=hints)
    status = outcome.detail.removeprefix("http ")
    if status.isdigit():
        poll = replace(poll, http_status=int(status))
    result = failed_visit(poll, outcome.detail)
    return replace(result, hints=hints, retry_after=outcome.retry_at)


def visit_without_reading(
    page: Page, poll: Poll, state: SourceState, *, conditional: bool
) -> VisitResult | None:
    """A visit that needs no reading, by its status, or because nothing changed.

    None where there is news. `conditional` says how it was asked.
    """
    headers = dict(page.headers)
    given = polls.parse_validators(headers)
    hints = polls.recall_hints(state, headers)
    if page.status == 304:
        if not conditional:
            error = "unexpected_304: the request was not conditional"
            return replace(failed_visit(poll, error), hints=hints)
        kept = Validators(
            etag=given.etag or state.validators.etag,
            last_modified=given.last_modified or state.validators.last_modified,
        )
        poll = replace(poll, status="not_modified", validators=kept)
        return VisitResult(poll=poll, hints=hints)
    if page.status not in {200, 203, 226}:
        return replace(failed_visit(poll, describe_status(page)), hints=hints)
    if not page.body:
        return replace(failed_visit(poll, "empty_body: nothing came"), hints=hints)
    if not state.last_success_at:
        return None

    has_etag = conditional and given.etag is not None
    is_same_etag = has_etag and given.etag == state.validators.etag
    if is_same_etag or hash_body(page.body) == state.body_hash:
        poll = replace(poll, status="unchanged", validators=given)
        return VisitResult(poll=poll, hints=hints)
    return None


def visit_with_document(
    feed: Feed, page: Page, poll: Poll, state: SourceState
) -> VisitResult:
    """A visit whose document was read."""
    headers = dict(page.headers)
    poll = replace(poll, warnings=poll.warnings + feed.warnings)
    if feed.error is not None:
        # What cannot be read never advances the validators; a web page in the feed's
        # place keeps them (case 50).
        hints = polls.recall_hints(state, headers)
        return replace(failed_visit(poll, feed.error), hints=hints)

    validators = polls.parse_validators(headers)
    body_hash: str | None = hash_body(page.body)
    # An index stays the same while its sitemaps change, a front page while its
    # sections do: the next visit is never conditional.
    if feed.children or feed.list_pages:
        validators = Validators()
        body_hash = None
    status = "empty"
    if feed.leads or feed.children:
        status = "ok"
    poll = replace(
        poll,
        status=status,
        leads=feed.leads,
        validators=validators,
        body_hash=body_hash,
        newest_at=feed.newest_at,
        hints=feed.hints.document_hints,
    )
    return VisitResult(poll=poll, hints=feed.hints, title=feed.title)


def failed_visit(poll: Poll, error: str) -> VisitResult:
    """A visit that failed. The validators stay as they are."""
    kind = error.partition(":")[0]
    if poll.http_status == 410:
        trouble = "gone"
    elif kind == "dns":
        trouble = "dns"
    elif poll.http_status in HARD_STATUS or kind in HARD_ERRORS:
        trouble = "hard"
    else:
        trouble = "soft"
    poll = replace(poll, status="error", error=error)
    return VisitResult(poll=poll, trouble=trouble)


def faulty_visit(source: Source, error: Exception, *, manual: bool) -> VisitResult:
    """A visit that ended in a fault of our own."""
    now = utc_now()
    poll = Poll(
        source=source.id, started_at=now, ended_at=now, status="error", manual=manual
    )
    return failed_visit(poll, f"fault: {type(error).__name__}: {str(error)[:200]}")


def describe_answer(fetched: Fetched, poll: Poll) -> Poll:
    """The poll with what the answer says of itself."""
    return replace(
        poll,
        http_status=fetched.page.status,
        bytes=fetched.received,
        moved_to=permanent_move(fetched),
        warnings=redirect_warnings(fetched),
    )


def describe_status(page: Page) -> str:
    """A status that brings no feed, in words."""
    status = page.status
    mitigated = (page.header("cf-mitigated") or "").lower()
    if status == 403 and mitigated == "challenge":
        return "http 403: blocked by Cloudflare"
    if status < 300 or status > 599:
        return f"unexpected_status: http {status}"
    if status == 410:
        return "http 410: gone for good; probed weekly"
    return f"http {status}"


def permanent_move(fetched: Fetched) -> str | None:
    """Where a source moved for good.

    None where that is a login, an error page or the site's front.
    """
    target = fetched.moved_to
    if target is None or any(word in target.lower() for word in NEVER_MOVED):
        return None
    path = target.partition("://")[2].partition("/")[2]
    if not path.strip("/"):
        return None
    return target


def redirect_warnings(fetched: Fetched) -> tuple[str, ...]:
    """What is odd about the way an answer was reached."""
    urls = [redirect.url for redirect in fetched.redirects]
    urls.append(fetched.page.final_url)
    for url, following in pairwise(urls):
        if url.startswith("https:") and following.startswith("http:"):
            return ("redirected from https to http",)
    return ()


def hash_body(body: bytes) -> str:
    """What tells an unchanged body."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()
