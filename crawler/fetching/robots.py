"""robots.txt.

Asked first on every host, kept a day, an error is not permission (RFC 9309).

A 4xx answer means that there are no rules; 5xx, 429 and a host that does not answer
mean "ask again later": whoever wanted a page waits. Only the first 500 kB count.
`Crawl-delay` is obeyed up to 30 s.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from protego import Protego

from crawler.workers import WorkerLost, WorkerPool
from storage.model import Failure, Page, Refusal, utc_now

CACHE_FOR = timedelta(days=1)
RETRY_AFTER = timedelta(minutes=10)
MAX_ROBOTS_BYTES = 500_000  # bytes (RFC 9309 section 2.5: at least 500 KiB)
MAX_CRAWL_DELAY_SECONDS = 30.0  # seconds
MAX_HOSTS = 20_000
# Bytes that are parsed on the event loop, a few ms; larger ones go to a worker
MAX_INLINE_BYTES = 20_000

Answer = Page | Refusal | Failure


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one host allows one agent."""

    agent: str
    delay: float | None = None  # seconds between two requests
    # None: everything is allowed
    book: Protego | None = field(default=None, repr=False)

    def allow(self, url: str) -> bool:
        """Whether the agent may ask for a URL."""
        return self.book is None or self.book.can_fetch(url, self.agent)


def parse_robots(body: bytes, agent: str) -> RobotsRules:
    """The rules that a robots.txt has for an agent (its product token, "khabar/0.1" or "khabar")."""
    token = agent.partition("/")[0].strip() or agent
    book = Protego.parse(body[:MAX_ROBOTS_BYTES].decode("utf-8-sig", errors="replace"))
    delay = book.crawl_delay(token)
    return RobotsRules(
        agent=token,
        delay=None if delay is None else min(delay, MAX_CRAWL_DELAY_SECONDS),
        book=book,
    )


def why_no_rules(answer: Answer, now: datetime) -> Failure | None:
    """Why the rules of a host are not to be had now, or None where the answer settles them."""
    if isinstance(answer, Refusal):
        # It lies where nothing may be fetched: no rules are to be had there, and the
        # guard stops the rest
        return None
    if isinstance(answer, Failure):
        if answer.detail == "too_many_redirects":
            return None  # RFC 9309 2.3.1.2: as if there were none
        return Failure(
            detail=answer.detail, retry_at=answer.retry_at or now + RETRY_AFTER
        )
    if answer.status == 429 or answer.status >= 500:
        return Failure(
            detail=f"robots.txt: http {answer.status}", retry_at=now + RETRY_AFTER
        )
    return None


@dataclass(slots=True)
class _Kept:
    rules: RobotsRules | Failure
    until: datetime


class RobotsCache:
    """The rules of every host that was asked.

    `ask` takes a URL and whether to verify TLS; once, however many wait.
    """

    def __init__(
        self,
        ask: Callable[[str, bool], Awaitable[Answer]],
        *,
        agent: str,
        pool: WorkerPool,
    ) -> None:
        self.ask = ask
        self.agent = agent
        self.pool = pool
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[RobotsRules | Failure]] = {}

    async def rules(
        self, url: str, *, verify_tls: bool = True
    ) -> RobotsRules | Failure:
        """The rules of the URL's host, asked for if they are not known or a day old."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        kept = self._kept.get(origin)
        if kept is not None and utc_now() < kept.until:
            return kept.rules
        task = self._asking.get(origin)
        if task is None:
            task = self._asking[origin] = asyncio.ensure_future(
                self._ask(origin, verify_tls=verify_tls)
            )
            task.add_done_callback(lambda _: self._asking.pop(origin, None))
        return await asyncio.shield(task)

    async def _ask(self, origin: str, *, verify_tls: bool) -> RobotsRules | Failure:
        answer = await self.ask(f"{origin}/robots.txt", verify_tls)
        now = utc_now()
        failure = why_no_rules(answer, now)
        rules = failure or await self._parse(answer)
        until = (failure.retry_at or now + RETRY_AFTER) if failure else now + CACHE_FOR
        self._kept[origin] = _Kept(rules, until)
        self._kept.move_to_end(origin)
        if len(self._kept) > MAX_HOSTS:
            self._kept.popitem(last=False)
        return rules

    async def _parse(self, answer: Answer) -> RobotsRules | Failure:
        if not isinstance(answer, Page) or answer.status != 200 or not answer.body:
            return RobotsRules(self.agent)
        if len(answer.body) <= MAX_INLINE_BYTES:
            return parse_robots(answer.body, self.agent)
        try:
            return await self.pool.run(parse_robots, answer.body, self.agent)
        except WorkerLost as error:
            return Failure(
                detail=f"robots.txt: unreadable ({error})",
                retry_at=utc_now() + CACHE_FOR,
            )
