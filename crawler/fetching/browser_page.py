"""One page in the browser: which of its requests are answered, and with what.

Bounded on every side: the kinds of requests, their number, the bytes of their answers,
and the moves to other addresses. Scripts are kept for the next page of the site.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from storage import identity
from storage.model import Page

log = logging.getLogger(__name__)

ServeRequest = Callable[[str, Mapping[str, str]], Awaitable[Page | None]]

# Nothing that is only to be looked at
REQUESTED_TYPES = frozenset({"document", "script", "xhr", "fetch"})
# Of a script's own request headers: never cookies, never where it comes from
FORWARDED_HEADERS = ("accept", "origin")
RETURNED_HEADERS = ("content-type", "access-control-allow-origin")
NO_CONTENT = 204
# Of one page; the heaviest of news pages need about forty scripts and answers.
MAX_REQUESTS = 60
MAX_TOTAL_BYTES = 20_000_000  # of all its answers together
MAX_ANSWER_BYTES = 5_000_000  # of one
MAX_NAVIGATIONS = 2  # to other addresses of the same site, by script
QUIET_SECONDS = 0.7  # without a request, after which a page is taken to be made
# Scripts that are kept for the next page ...
MAX_SCRIPT_CACHE_BYTES = 20_000_000
SCRIPT_CACHE_SECONDS = 3_600.0  # ... for so long


class ScriptCache:
    """Scripts that were fetched lately.

    The next page of a site needs the same ones, and nobody is asked for them.
    """

    def __init__(self) -> None:
        self._pages: OrderedDict[str, tuple[float, Page]] = OrderedDict()
        self._bytes = 0

    def get(self, url: str) -> Page | None:
        """A script that is not older than an hour."""
        kept_at, page = self._pages.get(url, (float("-inf"), None))
        if time.monotonic() - kept_at < SCRIPT_CACHE_SECONDS:
            return page
        return None

    def keep(self, url: str, page: Page) -> None:
        """Keep one, and forget the oldest where there are too many."""
        if url in self._pages:
            return
        self._pages[url] = (time.monotonic(), page)
        self._bytes += len(page.body)
        while self._bytes > MAX_SCRIPT_CACHE_BYTES:
            _, (_, oldest) = self._pages.popitem(last=False)
            self._bytes -= len(oldest.body)


class BrowserPage:
    """One page in the browser: what its scripts asked for, and what they were given."""

    def __init__(self, page: Page, serve: ServeRequest, scripts: ScriptCache) -> None:
        self.page = page
        self.url = page.final_url  # of the document that is shown
        self.left_out: Counter[str] = Counter()  # what was not asked for, and why
        self.requests = 0
        self.bytes = 0
        self.navigations = 0
        self._serve = serve
        self._scripts = scripts
        self._is_shown = False
        self._open = 0  # requests that have no answer yet
        self._asking: set[asyncio.Future[Page | None]] = set()
        self._last_request_at = time.monotonic()

    def why_refused(
        self, kind: str, method: str, url: str, *, navigates: bool
    ) -> str | None:
        """Why a request of the page is not made.

        `navigates`: it is for another document in the page's place.
        """
        if kind not in REQUESTED_TYPES or (kind == "document" and not navigates):
            return f"{kind} is not read"
        if method != "GET":
            return f"{method} would change something"
        if self.requests >= MAX_REQUESTS or self.bytes >= MAX_TOTAL_BYTES:
            return "too much was asked for"
        if navigates:
            site = identity.registrable_domain(self.page.final_url)
            is_own = identity.registrable_domain(url) == site
            if not is_own or self.navigations >= MAX_NAVIGATIONS:
                return "it leads elsewhere"
        return None

    async def answer(self, route: Any) -> None:
        """Answer one request of the page. Whatever goes wrong is the page's loss."""
        self._open += 1
        self._last_request_at = time.monotonic()
        try:
            await self._answer(route, route.request)
        except Exception as fault:  # noqa: BLE001 - the browser's boundary: a page that was closed meanwhile, mostly
            log.debug("a page's request failed: %s", fault)
        finally:
            self._open -= 1
            self._last_request_at = time.monotonic()

    async def _answer(self, route: Any, request: Any) -> None:
        is_top_frame = request.frame.parent_frame is None
        navigates = request.is_navigation_request() and is_top_frame
        if navigates and not self._is_shown:
            self._is_shown = True
            await _fulfil(route, self.page)
            return

        why = self.why_refused(
            request.resource_type, request.method, request.url, navigates=navigates
        )
        part: Page | None = None
        if why is None:
            self.navigations += navigates
            part = await self._fetch(request)
        if part is not None:
            if navigates:
                self.url = part.final_url
            await _fulfil(route, part)
            return

        self.left_out[why or "not had"] += 1
        if navigates:
            # With this answer the page stays where it was.
            await route.fulfill(status=NO_CONTENT)
        else:
            await route.abort()

    async def _fetch(self, request: Any) -> Page | None:
        """What a request is answered with: a script that is kept, or what is served."""
        self.requests += 1
        is_script = request.resource_type == "script"
        part: Page | None = None
        if is_script:
            part = self._scripts.get(request.url)
        if part is None:
            given = await request.all_headers()
            headers = {}
            for name in FORWARDED_HEADERS:
                if name in given:
                    headers[name.title()] = given[name]
            part = await self._ask(request.url, headers)
        if part is not None:
            self.bytes += len(part.body)
            if is_script and part.status == 200:
                self._scripts.keep(request.url, part)
        return part

    async def _ask(self, url: str, headers: Mapping[str, str]) -> Page | None:
        asking = asyncio.ensure_future(self._serve(url, headers))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        # `end` cancels it; the browser is told that there is nothing.
        await asyncio.wait({asking})
        if asking.cancelled():
            return None
        return asking.result()

    async def wait_until_quiet(self, deadline: float) -> None:
        """Wait until the page has asked for nothing for a while.

        `deadline` is a time of the monotonic clock, at which the wait ends anyway.
        """
        while time.monotonic() < deadline:
            quiet = time.monotonic() - self._last_request_at
            if not self._open and quiet >= QUIET_SECONDS:
                return
            await asyncio.sleep(QUIET_SECONDS / 5)

    def end(self) -> None:
        """Give up what is still asked for."""
        for asking in tuple(self._asking):
            asking.cancel()


async def _fulfil(route: Any, page: Page) -> None:
    headers = {}
    for name in RETURNED_HEADERS:
        value = page.header(name)
        if value:
            headers[name] = value
    await route.fulfill(status=page.status, headers=headers, body=page.body)
