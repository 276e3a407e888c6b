"""From a URL to a `Page`: one crawler and one downloader for everything.

Scrapy's part is the network (`download`); its slots belong to one crawler, hence one
for all. Redirects, robots.txt, content codings and retries are decided here, where
their reasons can be told: each request ends in an `Outcome`, never in an exception.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, signals
from scrapy.crawler import AsyncCrawlerRunner
from scrapy.http import Response

from crawler import content_encoding
from crawler.content_encoding import DecodeFailure
from crawler.fetching import browser, robots
from crawler.fetching.browser import Browser
from crawler.fetching.browser_page import MAX_ANSWER_BYTES
from crawler.fetching.download import (
    DELAY_JITTER_SHARE,
    MAX_REQUESTS_PER_HOST,
    IdleSpider,
    Slot,
    describe_fault,
    redirect_target,
    response_headers,
    scrapy_settings,
    split_proxy,
    stop_at_limit,
)
from crawler.fetching.guard import Guard
from crawler.fetching.hosts import Hosts
from crawler.fetching.requests import Fetched, FetchRequest, Outcome, Redirect
from crawler.sources import CrawlSettings
from crawler.workers import NoWorker, WorkerPool
from storage import identity
from storage.model import Failure, Page, Refusal, RejectionReason, utc_now

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Names in a response; one with more is no answer but an attack.
MAX_HEADERS_ACCEPTED = 2_000
# Packed bytes that are unpacked on the event loop, about a millisecond
MAX_INLINE_BYTES = 100_000
BASIC_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en,fa;q=0.8,ps;q=0.8,*;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
}


class Fetcher:
    """Asks for URLs, politely and under guard.

    Made once for a process's crawl; `start` before the first request.
    """

    def __init__(self, settings: CrawlSettings, guard: Guard, pool: WorkerPool) -> None:
        self.settings = settings
        self.guard = guard
        self.hosts = Hosts()
        self.robots = robots.RobotsCache(
            self._fetch_robots, agent=settings.user_agent, pool=pool
        )
        self.requests = 0
        # Documents that are gone, and until when nobody asks for them again
        self.retired: dict[str, datetime] = {}
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._runner = AsyncCrawlerRunner(scrapy_settings(settings))
        self._crawler = self._runner.create_crawler(IdleSpider)
        self._running: asyncio.Future[None] | None = None
        self._browser = Browser(settings)

    def reconfigure(self, settings: CrawlSettings) -> None:
        """Take over other settings. `concurrency` and `proxy` wait for the next start.

        What is under way goes on under the old ones.
        """
        self.settings = settings
        self.guard.allow = settings.allow_addresses
        self.robots.use_agent(settings.user_agent)
        self._browser.reconfigure(settings)

    async def start(self) -> None:
        """Open the crawler."""
        # What it warns of is told with the request's outcome.
        logging.getLogger("scrapy").setLevel(logging.CRITICAL)
        connect = self._crawler.signals.connect
        opened = asyncio.Event()
        connect(opened.set, signal=signals.spider_opened, weak=False)
        connect(stop_at_limit, signal=signals.bytes_received, weak=False)

        self._running = asyncio.ensure_future(self._runner.crawl(self._crawler))
        waiting = asyncio.ensure_future(opened.wait())
        await asyncio.wait(
            {waiting, self._running}, return_when=asyncio.FIRST_COMPLETED
        )
        if self._running.done():
            waiting.cancel()
            self._running.result()

    async def stop(self, grace: float) -> None:
        """Close the crawler.

        Downloads still under way after `grace` seconds are given up.
        """
        await self._browser.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._runner.stop(), grace)
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=1)

    @contextlib.asynccontextmanager
    async def fetch(self, request: FetchRequest) -> AsyncIterator[Outcome]:
        """What came of a request.

        The body counts as in flight until the block is left.
        """
        slot = Slot(self._slots)
        try:
            if not request.javascript:
                yield await self._follow_redirects(request, slot)
                return
            async with self._browser.place():
                outcome = await self._follow_redirects(request, slot)
                if isinstance(outcome, Fetched) and browser.is_html_page(outcome.page):
                    # What the page's scripts ask for needs slots of its own.
                    slot.release()
                    outcome = await self._render(request, outcome)
                yield outcome
        finally:
            slot.abandon()

    async def _render(self, request: FetchRequest, fetched: Fetched) -> Outcome:
        """An answer as its scripts make it."""
        serve = partial(self._serve_script, request)
        page = await self._browser.render(fetched.page, serve, limit=request.limit)
        if isinstance(page, Failure):
            return page
        return replace(fetched, page=page)

    async def _serve_script(
        self, request: FetchRequest, url: str, headers: Mapping[str, str]
    ) -> Page | None:
        """What a page's script asked for, under every rule that holds for the page."""
        site = identity.registrable_domain(request.url)
        is_own = identity.registrable_domain(url) == site
        asked = FetchRequest(
            url=url,
            headers=headers,
            limit=min(request.limit, MAX_ANSWER_BYTES),
            redirects=request.redirects,
            # Certificates may be unchecked for the source's own site only.
            verify_tls=request.verify_tls or not is_own,
        )
        async with self.fetch(asked) as outcome:
            if isinstance(outcome, Fetched):
                return outcome.page
        return None

    async def _fetch_robots(self, url: str, verify_tls: bool) -> robots.Answer:
        request = FetchRequest(
            url=url,
            headers={},
            limit=robots.MAX_ROBOTS_BYTES,
            redirects=robots.MAX_REDIRECTS,
            obey_robots=False,
            verify_tls=verify_tls,
            cut=True,
        )
        async with self.fetch(request) as outcome:
            if isinstance(outcome, Fetched):
                return outcome.page
            return outcome

    async def _follow_redirects(self, request: FetchRequest, slot: Slot) -> Outcome:
        """Ask, and follow redirects.

        Each target passes the guard, robots.txt and its own host's delay.
        """
        redirects: tuple[Redirect, ...] = ()
        url = request.url
        while True:
            response = await self._ask(request, url, slot)
            if not isinstance(response, Response):
                return response
            if response.status not in REDIRECTS:
                return await self._decode(request, response, url, redirects)

            slot.release()
            redirects += (Redirect(url=url, status=response.status),)
            target = redirect_target(response, url)
            if target is None:
                return Failure(detail="redirect without a target", final=True)
            is_circle = any(passed.url == target for passed in redirects)
            if is_circle or len(redirects) > request.redirects:
                return Failure(detail="too_many_redirects")
            url = target

    async def _ask(
        self, request: FetchRequest, url: str, slot: Slot
    ) -> Response | Refusal | Failure | NoWorker:
        """The response to one request, or why it was not sent or not answered."""
        refusal = self.guard.check(url)
        if refusal is not None:
            return refusal
        host = identity.url_host(url)
        held = self.hosts.held_until(host)
        if held is not None:
            return Failure(detail="host asked to wait", retry_at=held)
        denied = await self._check_robots(request, url, host)
        if denied is not None:
            return denied
        try:
            asked = self._scrapy_request(request, url, host, slot)
        except ValueError as error:
            detail = f"not a URL: {str(error)[:100]}"
            return Refusal(why=RejectionReason.SCHEME, detail=detail)

        self.requests += 1
        try:
            response: Response = await self._crawler.engine.download_async(asked)
        except Exception as error:  # noqa: BLE001 - the network's boundary: whatever went wrong there is a value here
            return describe_fault(error)
        return self._obey_wait(response, host) or response

    async def _check_robots(
        self, request: FetchRequest, url: str, host: str
    ) -> Refusal | Failure | NoWorker | None:
        """Why robots.txt keeps a URL from being asked for.

        The host's delay is set in passing.
        """
        if not (request.obey_robots and self.settings.obey_robots):
            self._set_pace(host, self.hosts.delay(host))
            return None
        rules = await self.robots.rules(url, verify_tls=request.verify_tls)
        if isinstance(rules, Failure | NoWorker):
            return rules
        self.hosts.set_delay(host, rules.delay)
        self._set_pace(host, rules.delay)
        if not rules.allow(url):
            return Refusal(why=RejectionReason.ROBOTS, detail="robots.txt")
        return None

    def _set_pace(self, host: str, wanted: float | None) -> None:
        """Give the host's slot its delay. The jitter only ever adds to it."""
        delay = max(self.settings.delay, wanted or 0.0) / (1 - DELAY_JITTER_SHARE)
        concurrency = MAX_REQUESTS_PER_HOST
        if delay:
            concurrency = 1

        downloader = self._crawler.engine.downloader
        pace = {"delay": delay, "concurrency": concurrency}
        downloader.per_slot_settings[host] = pace
        host_slot = downloader.slots.get(host)
        if host_slot is not None:
            host_slot.delay = delay
            host_slot.concurrency = concurrency

    def _scrapy_request(
        self, request: FetchRequest, url: str, host: str, slot: Slot
    ) -> Request:
        """A request in Scrapy's words. Raises ValueError for what is no URL."""
        headers = {
            **BASIC_HEADERS,
            "User-Agent": self.settings.agent,
            **request.headers,
        }
        meta: dict[str, Any] = {
            "slot": slot,
            "verify_tls": request.verify_tls and self.settings.verify_tls,
            "download_slot": host,
            "download_timeout": self.settings.timeout,
            "download_maxsize": request.limit,
            "cut": 0,
        }
        if request.cut:
            meta["download_maxsize"] = 0
            meta["cut"] = request.limit
        if self.settings.proxy:
            meta["proxy"], login = split_proxy(self.settings.proxy)
            if login:
                headers["Proxy-Authorization"] = login
        return Request(url, headers=headers, meta=meta, dont_filter=True)

    def _obey_wait(self, response: Response, host: str) -> Failure | None:
        """Hold the whole host after a 429, and after a 503 that says for how long."""
        if response.status not in {429, 503}:
            # Hosts serve robots.txt to those whom they refuse everything else.
            if urlsplit(response.url).path != "/robots.txt":
                self.hosts.note_answer(host)
            return None
        wanted = response.headers.get("Retry-After")
        if response.status == 503 and wanted is None:
            return None
        until = self.hosts.hold(host, (wanted or b"").decode("latin-1"), utc_now())
        return Failure(detail=f"http {response.status}", retry_at=until)

    async def _decode(
        self,
        request: FetchRequest,
        response: Response,
        url: str,
        redirects: tuple[Redirect, ...],
    ) -> Outcome:
        """A response as a page; a large body is decoded in a thread."""
        if len(response.headers) > MAX_HEADERS_ACCEPTED:
            return Failure(detail=f"too_many_headers: {len(response.headers)}")
        coding = response.headers.get("Content-Encoding", b"") or b""
        decode = partial(
            content_encoding.decode_body,
            response.body,
            coding.decode("latin-1"),
            limit=request.limit,
            partial=request.cut,
        )
        if len(response.body) <= MAX_INLINE_BYTES:
            body = decode()
        else:
            body = await asyncio.to_thread(decode)

        if isinstance(body, DecodeFailure):
            if body.reason == "too_large":
                return Refusal(why=RejectionReason.SIZE, detail=body.detail)
            return Failure(detail=f"{body.reason}: {body.detail}")
        page = Page(
            url=request.url,
            final_url=url,
            status=response.status,
            headers=response_headers(response),
            body=body,
            fetched_at=utc_now(),
        )
        return Fetched(page=page, redirects=redirects, received=len(response.body))
