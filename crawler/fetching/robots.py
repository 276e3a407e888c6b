"""robots.txt: asked first on every host, kept a day, an error is not permission.

As RFC 9309 says, a 4xx answer means that there are no rules; 5xx, 429 and a host that
does not answer mean "ask again later": whoever wanted a page waits. Only the first
500 kB count. `Crawl-delay` is obeyed up to 30 s.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from protego import Protego

from crawler.page_status import READABLE_STATUSES
from crawler.workers import Done, NoWorker, WorkerPool
from storage.model import Failure, Page, Refusal, utc_now

CACHE_FOR = timedelta(days=1)
RETRY_AFTER = timedelta(minutes=10)
MAX_REDIRECTS = 5  # RFC 9309 section 2.3.1.2
MAX_ROBOTS_BYTES = 500_000  # RFC 9309 section 2.5: at least 500 KiB
MAX_CRAWL_DELAY_SECONDS = 30.0
MAX_HOSTS = 20_000
MAX_SITEMAPS = 20  # that a robots.txt names and anybody looks at
# Bytes that are parsed on the event loop, a few ms; larger ones go to a worker.
MAX_INLINE_BYTES = 20_000

# The names that any reader of robots.txt knows, as the parser and google/robotstxt
# spell them, wrongly too
_KNOWN_LINE = re.compile(
    r"\s*(user[- ]?agent|d(?:is+al+|iasl+)[ao]w|allow|site-?maps?|crawl[- ]delay|"
    r"request[- ]rate|visit-time|host)(?:\s*:|\s)\s*(.*)",
    re.IGNORECASE,
)
_PRODUCT_TOKEN = re.compile(r"[\w-]+|\*(?=\s|$)")
_NOBODY = "~"  # stands in no product token
_DELAY = re.compile(r"(\d{1,9}(?:[.,]\d{1,9})?)\s*([A-Za-z]*)")

Answer = Page | Refusal | Failure | NoWorker


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one host allows one agent."""

    agent: str
    delay: float | None = None  # seconds between two requests
    # None: everything is allowed
    parser: Protego | None = field(default=None, repr=False)

    def allow(self, url: str) -> bool:
        """Whether the agent may ask for a URL."""
        return self.parser is None or self.parser.can_fetch(url, self.agent)

    @property
    def sitemaps(self) -> list[str]:
        """The sitemaps that the file names, the first twenty."""
        if self.parser is None:
            return []
        return list(self.parser.sitemaps)[:MAX_SITEMAPS]


def parse_robots(body: bytes, agent: str) -> RobotsRules:
    """The rules that a robots.txt has for an agent.

    That is its product token, "khabar/0.1" or "khabar".
    """
    token = _product_token(agent) or agent
    text = body[:MAX_ROBOTS_BYTES].decode("utf-8-sig", errors="replace")
    parser = Protego.parse(_plain_robots(text, token))
    delay = parser.crawl_delay(token)
    if delay is not None:
        delay = min(delay, MAX_CRAWL_DELAY_SECONDS)
    return RobotsRules(agent=token, delay=delay, parser=parser)


def _plain_robots(text: str, token: str) -> str:
    """The lines that the parser reads as they are meant.

    It ends a group at a line that nobody knows, takes "kha" for the beginning of
    "khabar", "khabar/2.0" for another, and "3s" for no delay.
    """
    lines: list[str] = []
    for line in text.splitlines():
        known = _KNOWN_LINE.match(line)
        if known is None:
            continue
        name, value = known[1].lower(), known[2].partition("#")[0].strip()
        if name.startswith("user"):
            named = _product_token(value)
            is_for_us = named == "*" or named.lower() == token.lower()
            lines.append(f"User-agent: {named if is_for_us else _NOBODY}")
        elif name.startswith("crawl"):
            lines.append(f"Crawl-delay: {_delay_seconds(value)}")
        else:
            lines.append(line)
    return "\n".join(lines)


def _ascii_origin(url: str) -> str:
    """Scheme, host and port of a URL; a host of other letters as it is asked for."""
    parts = urlsplit(url)
    try:
        host = parts.netloc.encode("idna").decode("ascii")
    except UnicodeError:
        host = parts.netloc
    return f"{parts.scheme}://{host}".lower()


def _product_token(agent: str) -> str:
    """The name of an agent without version and remarks, "" for none (RFC 9309, 2.2.1)."""
    match = _PRODUCT_TOKEN.match(agent.strip())
    if match is None:
        return ""
    return match[0]


def _delay_seconds(value: str) -> str:
    """A delay as a plain number of seconds: "3s", "2,5", "1 min"; "" for none."""
    match = _DELAY.match(value)
    if match is None:
        return ""
    seconds = float(match[1].replace(",", "."))
    unit = (match[2] or "").lower()
    if unit.startswith(("ms", "milli")):
        seconds /= 1000
    elif unit.startswith("m"):
        seconds *= 60
    elif unit.startswith("h"):
        seconds *= 3600
    return f"{seconds:.3f}"


def why_no_rules(answer: Answer, now: datetime) -> Failure | None:
    """Why the rules of a host are not to be had now; None where they are known."""
    # A refused robots.txt lies where nothing may be fetched: no rules are to be had
    # there, and the guard stops the rest.
    if isinstance(answer, Refusal | NoWorker):
        return None
    if isinstance(answer, Failure):
        # RFC 9309 2.3.1.2: as if there were none
        if answer.detail in ("too_many_redirects", "redirect without a target"):
            return None
        retry_at = answer.retry_at or now + RETRY_AFTER
        return Failure(detail=answer.detail, retry_at=retry_at)
    if answer.status == 429 or answer.status >= 500:
        detail = f"robots.txt: http {answer.status}"
        return Failure(detail=detail, retry_at=now + RETRY_AFTER)
    return None


@dataclass(slots=True)
class _Cached:
    rules: RobotsRules | Failure
    until: datetime


class RobotsCache:
    """The rules of every host that was asked; asked once, however many wait.

    `fetch` takes a URL and whether to verify TLS.
    """

    def __init__(
        self,
        fetch: Callable[[str, bool], Awaitable[Answer]],
        *,
        agent: str,
        pool: WorkerPool,
    ) -> None:
        self.fetch = fetch
        self.agent = agent
        self.pool = pool
        self._cached: OrderedDict[str, _Cached] = OrderedDict()
        self._asking: dict[str, asyncio.Task[RobotsRules | Failure | NoWorker]] = {}

    def use_agent(self, agent: str) -> None:
        """Ask in another name from now on: what was allowed to the old one is void."""
        if agent != self.agent:
            self.agent = agent
            self._cached.clear()
            self._asking.clear()

    async def rules(
        self, url: str, *, verify_tls: bool = True
    ) -> RobotsRules | Failure | NoWorker:
        """The rules of the URL's host, asked for if they are not known or a day old."""
        origin = _ascii_origin(url)
        cached = self._cached.get(origin)
        if cached is not None and utc_now() < cached.until:
            return cached.rules

        task = self._asking.get(origin)
        if task is None:
            asking = self._ask(origin, self.agent, verify_tls=verify_tls)
            task = asyncio.ensure_future(asking)
            self._asking[origin] = task
            task.add_done_callback(lambda _: self._asking.pop(origin, None))
        return await asyncio.shield(task)

    async def _ask(
        self, origin: str, agent: str, *, verify_tls: bool
    ) -> RobotsRules | Failure | NoWorker:
        """Fetch and parse the rules of a host, and keep them for a day."""
        answer = await self.fetch(f"{origin}/robots.txt", verify_tls)
        now = utc_now()
        rules: RobotsRules | Failure | NoWorker
        failure = why_no_rules(answer, now)
        if failure is not None:
            rules = failure
            until = failure.retry_at or now + RETRY_AFTER
        else:
            rules = await self._parse(answer, agent)
            until = now + CACHE_FOR

        if isinstance(rules, NoWorker) or agent != self.agent:
            return rules  # asked for again at once
        self._cached[origin] = _Cached(rules, until)
        self._cached.move_to_end(origin)
        if len(self._cached) > MAX_HOSTS:
            self._cached.popitem(last=False)
        return rules

    async def _parse(
        self, answer: Answer, agent: str
    ) -> RobotsRules | Failure | NoWorker:
        if isinstance(answer, NoWorker):
            return answer
        if (
            not isinstance(answer, Page)
            or answer.status not in READABLE_STATUSES
            or not answer.body
        ):
            return RobotsRules(agent)
        if len(answer.body) <= MAX_INLINE_BYTES:
            return parse_robots(answer.body, agent)
        result = await self.pool.run(parse_robots, answer.body, agent)
        if isinstance(result, NoWorker):
            return result
        if isinstance(result, Done):
            return result.value
        detail = f"robots.txt: unreadable ({result.why})"
        return Failure(detail=detail, retry_at=utc_now() + CACHE_FOR)
