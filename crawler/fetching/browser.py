"""Pages as their scripts make them, for sources that ask for it (`javascript = true`).

Needs the extra `javascript`.

The browser has no network of its own: no name resolves in it, its proxy is a closed
port, and each request that a page makes is handed to the fetcher and answered with what
that brought. So the guard, robots.txt, delays, redirects and sizes hold for a script's
requests as for ours, and no address can be reached by rebinding a name. Only scripts
and what they read by GET are asked for; every page has a context of its own, without
storage, and bounds on all that it uses.
"""

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from crawler.sources import CrawlSettings
from storage import identity
from storage.model import Failure, Page

log = logging.getLogger(__name__)

ServeRequest = Callable[[str, Mapping[str, str]], Awaitable[Page | None]]

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Nothing that is only to be looked at
REQUESTED_TYPES = frozenset({"document", "script", "xhr", "fetch"})
# Of a script's own request headers: never cookies, never where it comes from
FORWARDED_HEADERS = ("accept", "origin")
RETURNED_HEADERS = ("content-type", "access-control-allow-origin")
NO_CONTENT = 204
# Of one page; the heaviest of news pages need about forty scripts and answers
MAX_REQUESTS = 60
MAX_TOTAL_BYTES = 20_000_000  # of all its answers together
MAX_ANSWER_BYTES = 5_000_000  # of one
MAX_NAVIGATIONS = 2  # to other addresses of the same site, by script
# Seconds for one page: its scripts wait for each other as politely as anything else
PAGE_SECONDS = 60.0
SCRIPT_SECONDS = 20.0  # of these, after the document itself is there
QUIET_SECONDS = 0.7  # seconds without a request, after which a page is taken to be made
START_SECONDS = 60.0  # seconds, for the browser itself
CLOSE_SECONDS = 10.0
MAX_PAGES_AT_ONCE = 2  # pages in the browser
# After which a browser is replaced: what it leaks goes with it
MAX_PAGES_PER_BROWSER = 25
IDLE_SECONDS = 20.0  # seconds without a page, after which it is ended: 200 MB
# Bytes of scripts that are kept for the next page ...
MAX_SCRIPT_CACHE_BYTES = 20_000_000
SCRIPT_CACHE_SECONDS = 3_600.0  # ... for so many seconds
SCRIPT_MEMORY_MEGABYTES = 256  # megabytes of one page's script objects
FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    # The discard port: whatever passes by the routes ends there
    "--proxy-server=127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    f"--js-flags=--max-old-space-size={SCRIPT_MEMORY_MEGABYTES}",
    "--disable-gpu",
)
# Read in a world of its own, in which the page cannot have changed what these words do.
_WHOLE = "document.querySelectorAll('noscript').forEach(e => e.remove()); document.documentElement.outerHTML.slice(0, {})"


def missing_requirement(executable: str = "") -> str | None:
    """What has to be installed before a page can be rendered, or None.

    `executable` is the configured one.
    """
    if find_spec("playwright") is None:
        return "Playwright is not installed: pip install 'khabar[javascript]'"
    if find_browser(executable) is None:
        named = f"{executable} is no program" if executable else "there is no Chromium"
        return f"{named}: install the system's chromium, or name one as [crawl] browser"
    return None


def find_browser(executable: str = "") -> str | None:
    """The browser's program: the configured one, or the first that is on the path."""
    return next(
        (
            path
            for name in ((executable,) if executable else EXECUTABLES)
            if (path := shutil.which(name))
        ),
        None,
    )


def is_sandboxed() -> bool:
    """Whether the browser's own sandbox can be on.

    Chromium has none where root starts it.
    """
    return not hasattr(os, "geteuid") or os.geteuid() != 0


def is_html_page(page: Page) -> bool:
    """Whether an answer is something that scripts could make a page of."""
    return page.status == 200 and "html" in (page.header("content-type") or "").lower()


class BrowserPage:
    """One page in the browser: what its scripts asked for, and what they were given."""

    def __init__(self, page: Page, serve: ServeRequest, scripts: "ScriptCache") -> None:
        self.page = page
        self.url = page.final_url  # of the document that is shown
        self.left: Counter[str] = Counter()  # what was not asked for, and why
        self.requests = self.bytes = self.moves = 0
        self._serve = serve
        self._scripts = scripts
        self._shown = False
        self._open = 0  # requests that have no answer yet
        self._asking: set[asyncio.Future[Page | None]] = set()
        self._last = time.monotonic()

    def refused(self, kind: str, method: str, url: str, *, moves: bool) -> str | None:
        """Why a request of the page is not made.

        `moves`: it is for another document in the page's place.
        """
        if kind not in REQUESTED_TYPES or (kind == "document" and not moves):
            return f"{kind} is not read"
        if method != "GET":
            return f"{method} would change something"
        if self.requests >= MAX_REQUESTS or self.bytes >= MAX_TOTAL_BYTES:
            return "too much was asked for"
        if moves and (
            self.moves >= MAX_NAVIGATIONS
            or identity.registrable_domain(url)
            != identity.registrable_domain(self.page.final_url)
        ):
            return "it leads elsewhere"
        return None

    async def answer(self, route: Any) -> None:
        """Answer one request of the page. Whatever goes wrong is the page's loss."""
        self._open += 1
        self._last = time.monotonic()
        try:
            await self._answer(route, route.request)
        except Exception as fault:  # noqa: BLE001 - the browser's boundary: a page that was closed meanwhile, mostly
            log.debug("a page's request failed: %s", fault)
        finally:
            self._open -= 1
            self._last = time.monotonic()

    async def _answer(self, route: Any, request: Any) -> None:
        moves = request.is_navigation_request() and request.frame.parent_frame is None
        if moves and not self._shown:
            self._shown = True
            await _fulfil(route, self.page)
            return
        why = self.refused(
            request.resource_type, request.method, request.url, moves=moves
        )
        part = None if why else await self._part(request, moves=moves)
        if part is None:
            self.left[why or "not had"] += 1
            # The page stays where it was
            await (route.fulfill(status=NO_CONTENT) if moves else route.abort())
            return
        if moves:
            self.url = part.final_url
        await _fulfil(route, part)

    async def _part(self, request: Any, *, moves: bool) -> Page | None:
        self.moves += moves
        self.requests += 1
        is_script = request.resource_type == "script"
        part = self._scripts.get(request.url) if is_script else None
        if part is None:
            given = await request.all_headers()
            part = await self._asked(
                request.url,
                {
                    name.title(): given[name]
                    for name in FORWARDED_HEADERS
                    if name in given
                },
            )
        if part is not None:
            self.bytes += len(part.body)
            if is_script and part.status == 200:
                self._scripts.keep(request.url, part)
        return part

    async def _asked(self, url: str, headers: Mapping[str, str]) -> Page | None:
        asking = asyncio.ensure_future(self._serve(url, headers))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        # `end` cancels it; the browser is told that there is nothing
        await asyncio.wait({asking})
        return None if asking.cancelled() else asking.result()

    async def settled(self, until: float) -> None:
        """Wait until the page has asked for nothing for a while, or until a time of the monotonic clock."""
        # A loop, since it is no event that nothing happens.
        while time.monotonic() < until and (  # noqa: ASYNC110
            self._open or time.monotonic() - self._last < QUIET_SECONDS
        ):  # noqa: ASYNC110, RUF100
            await asyncio.sleep(QUIET_SECONDS / 5)

    def end(self) -> None:
        """Give up what is still asked for."""
        for asking in tuple(self._asking):
            asking.cancel()


class ScriptCache:
    """Scripts that were fetched lately.

    The next page of a site needs the same ones, and nobody is asked for them.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, Page]] = OrderedDict()
        self._bytes = 0

    def get(self, url: str) -> Page | None:
        """A script that is not older than `KEPT_FOR`."""
        at, page = self._kept.get(url, (float("-inf"), None))
        return page if time.monotonic() - at < SCRIPT_CACHE_SECONDS else None

    def keep(self, url: str, page: Page) -> None:
        """Keep one, and forget the oldest where there are too many."""
        if url in self._kept:
            return
        self._kept[url] = (time.monotonic(), page)
        self._bytes += len(page.body)
        while self._bytes > MAX_SCRIPT_CACHE_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1][1].body)


async def _fulfil(route: Any, page: Page) -> None:
    headers = {name: value for name in RETURNED_HEADERS if (value := page.header(name))}
    await route.fulfill(status=page.status, headers=headers, body=page.body)


class Browser:
    """One Chromium, started when a page needs it and ended when none did for a while. Used from one event loop."""

    def __init__(self, settings: CrawlSettings) -> None:
        self.settings = settings
        self._places = asyncio.Semaphore(MAX_PAGES_AT_ONCE)
        self._lock = asyncio.Lock()
        self._scripts = ScriptCache()
        self._driver: Any = None
        self._browser: Any = None
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._pages = 0  # that this browser has shown
        self._in_use = 0
        self._resting: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the few places.

        Taken before the document is fetched, so that no other body waits in memory.
        """
        async with self._places:
            yield

    async def rendered(
        self, page: Page, serve: ServeRequest, *, limit: int
    ) -> Page | Failure:
        """The page as its scripts leave it, at most `limit` bytes.

        `serve` brings what they ask for, or None.
        """
        lacking = missing_requirement(self.settings.browser)
        if lacking is not None:
            return Failure(detail=f"javascript: {lacking}")
        from playwright.async_api import Error  # noqa: PLC0415 - an extra

        self._in_use += 1
        visit = BrowserPage(page, serve, self._scripts)
        try:
            opened = await asyncio.wait_for(self._opened(), START_SECONDS)
            async with asyncio.timeout(PAGE_SECONDS + 2 * CLOSE_SECONDS):
                html = await self._shown(opened, visit, limit)
        except (Error, TimeoutError) as fault:
            # What hangs may hang whatever shares its process
            self._pages = MAX_PAGES_PER_BROWSER
            reason = (
                "timeout"
                if "imeout" in f"{type(fault).__name__}{fault}"
                else str(fault).partition("\n")[0][:150]
            )
            return Failure(detail=f"javascript: {reason}")
        finally:
            visit.end()
            self._in_use -= 1
            self._rest()
        log.debug(
            "rendered %s: %s requests, left out %s",
            visit.url,
            visit.requests,
            dict(visit.left),
        )
        return _made(page, visit.url, html, limit)

    async def _shown(self, opened: Any, visit: BrowserPage, limit: int) -> str:
        from playwright.async_api import TimeoutError as Late  # noqa: PLC0415 - an extra

        began = time.monotonic()
        context = await opened.new_context(
            service_workers="block", accept_downloads=False, user_agent=self.settings.agent
        )  # fmt: skip
        try:
            await context.route("**/*", visit.answer)
            await context.route_web_socket("**/*", lambda socket: socket.close())
            tab = await context.new_page()
            context.on("page", lambda popup: asyncio.ensure_future(_closed(popup)))
            with suppress(Late):  # what stands there by then is read
                await tab.goto(
                    visit.url,
                    wait_until="domcontentloaded",
                    timeout=PAGE_SECONDS * 1_000,
                )
                await visit.settled(
                    min(time.monotonic() + SCRIPT_SECONDS, began + PAGE_SECONDS)
                )
            return await asyncio.wait_for(_whole(context, tab, limit), CLOSE_SECONDS)
        finally:
            visit.end()
            await self._left(context)

    async def _left(self, context: Any) -> None:
        """Close a page's context; where that cannot be done, the browser."""
        try:
            await asyncio.wait_for(context.close(), CLOSE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it was, the page must not stay
            await self.close()

    async def _opened(self) -> Any:
        """The browser, started where there is none or where it has shown enough."""
        async with self._lock:
            if self._resting is not None:
                self._resting.cancel()
            if self._browser is not None and (
                not self._browser.is_connected() or self._is_used_up()
            ):
                await self._end()
            if self._browser is None:
                await self._start()
            self._pages += 1
            return self._browser

    def _is_used_up(self) -> bool:
        return self._pages >= MAX_PAGES_PER_BROWSER and self._in_use == 1

    async def _start(self) -> None:
        from playwright.async_api import async_playwright  # noqa: PLC0415 - an extra

        self._home = tempfile.TemporaryDirectory(
            prefix="khabar-browser-", ignore_cleanup_errors=True
        )
        self._driver = await async_playwright().start()
        self._pages = 0
        try:
            self._browser = await self._driver.chromium.launch(
                executable_path=find_browser(self.settings.browser), chromium_sandbox=is_sandboxed(), args=list(FLAGS),
                env={"PATH": os.environ.get("PATH", ""), "HOME": self._home.name, "LANG": "C.UTF-8"},
                handle_sigint=False, handle_sigterm=False, handle_sighup=False,
            )  # fmt: skip
        except BaseException:
            await self._end()
            raise

    def _rest(self) -> None:
        """End the browser when nobody needs it for a while."""
        if self._in_use == 0 and self._browser is not None:
            if self._resting is not None:
                self._resting.cancel()
            self._resting = asyncio.get_running_loop().call_later(
                IDLE_SECONDS, self._end_if_idle
            )

    def _end_if_idle(self) -> None:
        if self._in_use == 0:
            self._ending = asyncio.ensure_future(self.close())

    async def close(self) -> None:
        """End the browser; pages in it are lost."""
        async with self._lock:
            if self._resting is not None:
                self._resting.cancel()
            await self._end()

    async def _end(self) -> None:
        browser, driver, home = self._browser, self._driver, self._home
        self._browser = self._driver = self._home = None
        for going in (
            browser.close() if browser else None,
            driver.stop() if driver else None,
        ):
            if going is not None:
                with suppress(Exception):  # a browser that is gone has ended
                    await asyncio.wait_for(going, CLOSE_SECONDS)
        if home is not None:
            await asyncio.to_thread(home.cleanup)


async def _closed(popup: Any) -> None:
    with suppress(Exception):  # it may have closed itself
        await popup.close()


async def _whole(context: Any, tab: Any, limit: int) -> str:
    """The document as it stands, at most so many letters of it."""
    session = await context.new_cdp_session(tab)
    frame = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]
    if not frame["url"].startswith("http"):
        raise TimeoutError("the page left for an address that is none")
    world = await session.send("Page.createIsolatedWorld", {"frameId": frame["id"]})
    asked = {
        "expression": _WHOLE.format(limit),
        "contextId": world["executionContextId"],
        "returnByValue": True,
    }
    return str(
        (await session.send("Runtime.evaluate", asked))["result"].get("value") or ""
    )


def _made(page: Page, url: str, html: str, limit: int) -> Page:
    """The page with what scripts made of it.

    Its validators go: they are those of an empty shell, and never change.
    """
    gone = {
        "content-type",
        "content-length",
        "etag",
        "last-modified",
        "cache-control",
        "expires",
    }
    kept = tuple(pair for pair in page.headers if pair[0].lower() not in gone)
    headers = (
        *kept,
        ("Content-Type", "text/html; charset=utf-8"),
        ("X-Khabar-Rendered", "by its scripts"),
    )
    body = f"<!DOCTYPE html>{html}".encode("utf-8", "replace")[:limit]
    return replace(page, final_url=url, headers=headers, body=body)
