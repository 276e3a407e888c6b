"""Pages as their scripts make them, for sources that ask for it (`javascript = true`).

Needs the extra `javascript`. The browser has no network of its own: no name resolves in
it, its proxy is a closed port, and each request that a page makes is handed to the
fetcher and answered with what that brought. So the guard, robots.txt, delays, redirects
and sizes hold for a script's requests as for ours, and no address can be reached by
rebinding a name. Only scripts and what they read by GET are asked for; every page has a
context of its own, without storage, and bounds on all that it uses (`browser_page`).
"""

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from crawler.fetching.browser_page import BrowserPage, ScriptCache, ServeRequest
from crawler.sources import CrawlSettings
from storage.model import Failure, Page

log = logging.getLogger(__name__)

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# For one page: its scripts wait for each other as politely as anything else.
PAGE_SECONDS = 60.0
SCRIPT_SECONDS = 20.0  # of these, after the document itself is there
START_SECONDS = 60.0  # for the browser itself
CLOSE_SECONDS = 10.0
MAX_PAGES_AT_ONCE = 2  # in the browser
# After which a browser is replaced: what it leaks goes with it.
MAX_PAGES_PER_BROWSER = 25
IDLE_SECONDS = 20.0  # without a page, after which it is ended: 200 MB
SCRIPT_MEMORY_MEGABYTES = 256  # of one page's script objects
FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    # The discard port: whatever passes by the routes ends there.
    "--proxy-server=127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    f"--js-flags=--max-old-space-size={SCRIPT_MEMORY_MEGABYTES}",
    "--disable-gpu",
)
# Read in a world of its own, in which the page cannot have changed what this does.
_READ_DOCUMENT = (
    "document.querySelectorAll('noscript').forEach(e => e.remove()); "
    "document.documentElement.outerHTML.slice(0, {})"
)
# Of an empty shell, whose validators never change
_SHELL_HEADERS = frozenset(
    {
        "content-type",
        "content-length",
        "etag",
        "last-modified",
        "cache-control",
        "expires",
    }
)


def missing_requirement(executable: str = "") -> str | None:
    """What has to be installed before a page can be rendered, or None.

    `executable` is the configured one.
    """
    if find_spec("playwright") is None:
        return "Playwright is not installed: pip install 'khabar[javascript]'"
    if find_browser(executable) is not None:
        return None
    missing = "there is no Chromium"
    if executable:
        missing = f"{executable} is no program"
    return f"{missing}: install the system's chromium, or name one as [crawl] browser"


def find_browser(executable: str = "") -> str | None:
    """The browser's program: the configured one, or the first that is on the path."""
    names: tuple[str, ...] = EXECUTABLES
    if executable:
        names = (executable,)
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    return None


def is_sandboxed() -> bool:
    """Whether the browser's own sandbox can be on.

    Chromium has none where root starts it.
    """
    return not hasattr(os, "geteuid") or os.geteuid() != 0


def is_html_page(page: Page) -> bool:
    """Whether an answer is something that scripts could make a page of."""
    return page.status == 200 and "html" in (page.header("content-type") or "").lower()


class Browser:
    """One Chromium, started when a page needs it and ended when none did for a while.

    Used from one event loop.
    """

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
        self._idle_timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    def reconfigure(self, settings: CrawlSettings) -> None:
        """Take over other settings; another program shows the next page."""
        if settings.browser != self.settings.browser:
            self._pages = MAX_PAGES_PER_BROWSER
        self.settings = settings

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the few places.

        Taken before the document is fetched, so that no other body waits in memory.
        """
        async with self._places:
            yield

    async def render(
        self, page: Page, serve: ServeRequest, *, limit: int
    ) -> Page | Failure:
        """The page as its scripts leave it, at most `limit` bytes.

        `serve` brings what they ask for, or None.
        """
        missing = missing_requirement(self.settings.browser)
        if missing is not None:
            return Failure(detail=f"javascript: {missing}")
        from playwright.async_api import Error  # noqa: PLC0415 - an extra

        self._in_use += 1
        shown = BrowserPage(page, serve, self._scripts)
        try:
            browser = await asyncio.wait_for(self._open_browser(), START_SECONDS)
            async with asyncio.timeout(PAGE_SECONDS + 2 * CLOSE_SECONDS):
                html = await self._show(browser, shown, limit)
        except (Error, TimeoutError) as fault:
            # What hangs may hang whatever shares its process.
            self._pages = MAX_PAGES_PER_BROWSER
            reason = str(fault).partition("\n")[0][:150]
            if "imeout" in f"{type(fault).__name__}{fault}":
                reason = "timeout"
            return Failure(detail=f"javascript: {reason}")
        finally:
            shown.end()
            self._in_use -= 1
            self._start_idle_timer()

        log.debug(
            "rendered %s: %s requests, left out %s",
            shown.url,
            shown.requests,
            dict(shown.left_out),
        )
        return _rendered_page(page, shown.url, html, limit)

    async def _show(self, browser: Any, shown: BrowserPage, limit: int) -> str:
        """Show a page in a context of its own; its document after its scripts ran."""
        from playwright.async_api import TimeoutError as LoadTimeout  # noqa: PLC0415 - an extra

        began = time.monotonic()
        context = await browser.new_context(
            service_workers="block",
            accept_downloads=False,
            user_agent=self.settings.agent,
        )
        try:
            await context.route("**/*", shown.answer)
            await context.route_web_socket("**/*", lambda socket: socket.close())
            tab = await context.new_page()
            context.on("page", lambda popup: asyncio.ensure_future(_close(popup)))
            # What stands there by then is read.
            with suppress(LoadTimeout):
                await tab.goto(
                    shown.url,
                    wait_until="domcontentloaded",
                    timeout=PAGE_SECONDS * 1_000,
                )
                deadline = time.monotonic() + SCRIPT_SECONDS
                await shown.wait_until_quiet(min(deadline, began + PAGE_SECONDS))
            reading = _read_document(context, tab, limit)
            return await asyncio.wait_for(reading, CLOSE_SECONDS)
        finally:
            shown.end()
            try:
                await asyncio.wait_for(context.close(), CLOSE_SECONDS)
            except Exception:  # noqa: BLE001 - whatever it was, the page must not stay
                await self.close()

    async def _open_browser(self) -> Any:
        """The browser, started where there is none or where it has shown enough."""
        async with self._lock:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            if self._browser is not None:
                is_used_up = self._pages >= MAX_PAGES_PER_BROWSER and self._in_use == 1
                if is_used_up or not self._browser.is_connected():
                    await self._end()
            if self._browser is None:
                await self._start()
            self._pages += 1
            return self._browser

    async def _start(self) -> None:
        from playwright.async_api import async_playwright  # noqa: PLC0415 - an extra

        self._home = tempfile.TemporaryDirectory(
            prefix="khabar-browser-", ignore_cleanup_errors=True
        )
        self._driver = await async_playwright().start()
        self._pages = 0
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": self._home.name,
            "LANG": "C.UTF-8",
        }
        try:
            self._browser = await self._driver.chromium.launch(
                executable_path=find_browser(self.settings.browser),
                chromium_sandbox=is_sandboxed(),
                args=list(FLAGS),
                env=environment,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except BaseException:
            await self._end()
            raise

    def _start_idle_timer(self) -> None:
        """End the browser when nobody needs it for a while."""
        if self._in_use == 0 and self._browser is not None:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(IDLE_SECONDS, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if self._in_use == 0:
            self._ending = asyncio.ensure_future(self.close())

    async def close(self) -> None:
        """End the browser; pages in it are lost."""
        async with self._lock:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            await self._end()

    async def _end(self) -> None:
        browser, driver, home = self._browser, self._driver, self._home
        self._browser = self._driver = self._home = None
        # A browser that is gone has ended.
        if browser is not None:
            with suppress(Exception):
                await asyncio.wait_for(browser.close(), CLOSE_SECONDS)
        if driver is not None:
            with suppress(Exception):
                await asyncio.wait_for(driver.stop(), CLOSE_SECONDS)
        if home is not None:
            await asyncio.to_thread(home.cleanup)


async def _close(popup: Any) -> None:
    with suppress(Exception):  # it may have closed itself
        await popup.close()


async def _read_document(context: Any, tab: Any, limit: int) -> str:
    """The document as it stands, at most so many letters of it."""
    session = await context.new_cdp_session(tab)
    frame = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]
    if not frame["url"].startswith("http"):
        raise TimeoutError("the page left for an address that is none")
    world = await session.send("Page.createIsolatedWorld", {"frameId": frame["id"]})
    asked = {
        "expression": _READ_DOCUMENT.format(limit),
        "contextId": world["executionContextId"],
        "returnByValue": True,
    }
    answer = await session.send("Runtime.evaluate", asked)
    return str(answer["result"].get("value") or "")


def _rendered_page(page: Page, url: str, html: str, limit: int) -> Page:
    """The page with what scripts made of it, and without the shell's validators."""
    headers = []
    for name, value in page.headers:
        if name.lower() not in _SHELL_HEADERS:
            headers.append((name, value))
    headers.append(("Content-Type", "text/html; charset=utf-8"))
    headers.append(("X-Khabar-Rendered", "by its scripts"))
    body = f"<!DOCTYPE html>{html}".encode("utf-8", "replace")[:limit]
    return replace(page, final_url=url, headers=tuple(headers), body=body)
