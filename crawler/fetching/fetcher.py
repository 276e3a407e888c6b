"""The Scrapy side.

One crawler and one downloader for everything, from a URL to a `Page`.

Scrapy's part is the network: connections, TLS, the proxy, delays by host (its slots
belong to one crawler, hence one for all). Redirects, robots.txt, content codings and
retries are decided here, where their reasons can be told: each request ends in
`Fetched`, or in a `Refusal` or `Failure` with a reason, never in an exception.
"""

import asyncio
import base64
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from scrapy import Request, Spider, signals
from scrapy.core.downloader.contextfactory import _ScrapyClientContextFactory
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    StopDownload,
)
from scrapy.http import Response

from crawler.fetching import browser, content_encoding, robots
from crawler.fetching.browser import Browser
from crawler.fetching.guard import AddressRefused, Guard
from crawler.fetching.hosts import Hosts
from crawler.sources import CrawlSettings
from crawler.workers import WorkerPool
from storage import identity
from storage.model import Failure, Page, Refusal, RejectionReason, utc_now

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})
MAX_ROBOTS_REDIRECTS = 5  # RFC 9309 2.3.1.2
MAX_HEADERS_KEPT = 200  # kept of a response
# Names in a response; one with more is no answer but an attack
MAX_HEADERS_ACCEPTED = 2_000
MAX_HEADER_CHARS = 8192  # characters kept of one header's value
# Packed bytes that are unpacked on the event loop, about a millisecond
MAX_INLINE_BYTES = 100_000
MAX_REQUESTS_PER_HOST = 4  # requests at once to a host that is asked for no delay
DELAY_JITTER_SHARE = 0.2
BASIC_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en,fa;q=0.8,ps;q=0.8,*;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """One redirect that was followed: who answered, with what."""

    url: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A response, how it was reached, and what it weighed on the wire."""

    page: Page
    redirects: tuple[Redirect, ...] = ()
    received: int = 0  # bytes of body as they came, before content decoding

    @property
    def moved_to(self) -> str | None:
        """Where the unbroken run of permanent redirects at the start led, if there was one."""
        urls = [*(hop.url for hop in self.redirects), self.page.final_url]
        permanent = 0
        while (
            permanent < len(self.redirects)
            and self.redirects[permanent].status in PERMANENT
        ):
            permanent += 1
        target = urls[permanent]
        downgraded = urls[0].startswith("https:") and not target.startswith("https:")
        return target if permanent and not downgraded else None


Outcome = Fetched | Refusal | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What is asked for, and within which limits."""

    url: str
    headers: Mapping[str, str]
    limit: int  # bytes, content-decoded
    redirects: int
    obey_robots: bool = True
    verify_tls: bool = True
    # Take the first `limit` bytes of a longer body instead of refusing it
    cut: bool = False
    javascript: bool = False  # let the page's scripts make it first


class IdleSpider(Spider):
    """The one long-lived spider.

    It keeps the crawler open; requests come through the engine's download API.
    """

    name = "khabar"

    async def start(self) -> AsyncIterator[Any]:
        """Stay until the crawler is stopped."""
        await asyncio.Event().wait()
        # Pragma: no cover - makes this a generator; the wait is ended by cancelling it
        yield None


class DownloadHandler(HTTP11DownloadHandler):
    """Scrapy's handler, which waits for room before it transfers, and may leave certificates unchecked."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._trusting: HTTP11DownloadHandler | None = None

    async def download_request(self, request: Request) -> Response:
        """The response to a request.

        Its `room` is taken here, after the host's delay, so that waiting costs none.
        """
        room: Slot = request.meta["room"]
        await room.acquire()
        if request.meta["verify_tls"]:
            return await super().download_request(request)
        return await self._unverified().download_request(request)

    def _unverified(self) -> HTTP11DownloadHandler:
        """A handler with connections of its own.

        One that was made unchecked must never serve a checked request.
        """
        if self._trusting is None:
            self._trusting = HTTP11DownloadHandler(self._crawler)
            unchecked: Any = _ScrapyClientContextFactory(verify_certificates=False)
            self._trusting._contextFactory = unchecked  # noqa: SLF001 - Scrapy has one switch for all requests
        return self._trusting

    async def close(self) -> None:
        """Close the idle connections."""
        if self._trusting is not None:
            await self._trusting.close()
        await super().close()


class Slot:
    """One place among the bodies that may be in flight.

    Given back when its body was dealt with.
    """

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._held = False
        self._left = False

    async def acquire(self) -> None:
        """Wait for a place.

        Raises DownloadCancelledError where nobody waits for the body any more.
        """
        if self._held:
            return
        await self._places.acquire()
        if self._left:
            self._places.release()
            raise DownloadCancelledError("nobody waits for it")
        self._held = True

    def release(self) -> None:
        """Let the next one in."""
        if self._held:
            self._held = False
            self._places.release()

    def abandon(self) -> None:
        """Give the place back for good.

        A download that still waits for one is not begun.
        """
        self._left = True
        self.release()


def scrapy_settings(settings: CrawlSettings) -> dict[str, Any]:
    """Scrapy's settings: everything that acts by itself is off."""
    return {
        "TWISTED_REACTOR": None,  # crawler.fetching.loop installed it
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "EXTENSIONS_BASE": {},
        "DOWNLOADER_MIDDLEWARES_BASE": {},
        "SPIDER_MIDDLEWARES_BASE": {},
        "DOWNLOADER_STATS": False,
        "COOKIES_ENABLED": False,
        "REFERER_ENABLED": False,
        "RETRY_ENABLED": False,
        "REDIRECT_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        # Crawler.fetching.robots does: it asks again after a day, and after an error
        "ROBOTSTXT_OBEY": False,
        "HTTPPROXY_ENABLED": False,
        "DOWNLOAD_HANDLERS_BASE": {},
        "DOWNLOAD_HANDLERS": {"http": DownloadHandler, "https": DownloadHandler},
        "DOWNLOAD_VERIFY_CERTIFICATES": settings.verify_tls,
        "DOWNLOAD_TIMEOUT": settings.timeout,
        "DOWNLOAD_MAXSIZE": settings.max_page_size,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_DELAY_JITTER": DELAY_JITTER_SHARE,
        "CONCURRENT_REQUESTS": settings.concurrency,
        # A proxy is one host to the pool of connections; delays and their number by
        # site are set slot by slot.
        "CONCURRENT_REQUESTS_PER_DOMAIN": settings.concurrency
        if settings.proxy
        else MAX_REQUESTS_PER_HOST,
        "LOG_ENABLED": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
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
            self._robots_txt, agent=settings.user_agent, pool=pool
        )
        self.requests = 0
        # Documents that are gone, and until when nobody asks for them again
        self.retired: dict[str, datetime] = {}
        self._places = asyncio.Semaphore(settings.concurrency)
        self._runner = AsyncCrawlerRunner(scrapy_settings(settings))
        self._crawler = self._runner.create_crawler(IdleSpider)
        self._running: asyncio.Future[None] | None = None
        self._browser = Browser(settings)

    async def start(self) -> None:
        """Open the crawler."""
        # What it warns of is told with the request's outcome
        logging.getLogger("scrapy").setLevel(logging.CRITICAL)
        opened = asyncio.Event()
        self._crawler.signals.connect(
            opened.set, signal=signals.spider_opened, weak=False
        )
        self._crawler.signals.connect(_cut, signal=signals.bytes_received, weak=False)
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
    async def fetch(self, ask: FetchRequest) -> AsyncIterator[Outcome]:
        """What came of a request.

        The body counts as in flight until the block is left.
        """
        room = Slot(self._places)
        try:
            if ask.javascript:
                async with self._browser.place():
                    yield await self._rendered(ask, await self._follow(ask, room), room)
            else:
                yield await self._follow(ask, room)
        finally:
            room.abandon()

    async def _rendered(
        self, ask: FetchRequest, outcome: Outcome, room: Slot
    ) -> Outcome:
        """An answer as its scripts make it.

        What they ask for needs places of its own.
        """
        if not isinstance(outcome, Fetched) or not browser.is_html_page(outcome.page):
            return outcome
        room.release()
        page = await self._browser.rendered(
            outcome.page, partial(self._part, ask), limit=ask.limit
        )
        return page if isinstance(page, Failure) else replace(outcome, page=page)

    async def _part(
        self, ask: FetchRequest, url: str, headers: Mapping[str, str]
    ) -> Page | None:
        """What a page's script asked for, under every rule that holds for the page."""
        own = identity.registrable_domain(url) == identity.registrable_domain(ask.url)
        part = FetchRequest(
            url=url, headers=headers, limit=min(ask.limit, browser.MAX_ANSWER_BYTES), redirects=ask.redirects,
            verify_tls=ask.verify_tls or not own,
        )  # fmt: skip
        async with self.fetch(part) as outcome:
            return outcome.page if isinstance(outcome, Fetched) else None

    async def _robots_txt(self, url: str, verify_tls: bool) -> robots.Answer:
        ask = FetchRequest(
            url=url, headers={}, limit=robots.MAX_ROBOTS_BYTES, redirects=MAX_ROBOTS_REDIRECTS, obey_robots=False,
            verify_tls=verify_tls, cut=True,
        )  # fmt: skip
        async with self.fetch(ask) as outcome:
            return outcome.page if isinstance(outcome, Fetched) else outcome

    async def _follow(self, ask: FetchRequest, room: Slot) -> Outcome:
        """Ask, and follow redirects.

        Each target passes the guard, robots.txt and its own host's delay.
        """
        hops: tuple[Redirect, ...] = ()
        url = ask.url
        while True:
            response = await self._one(ask, url, room)
            if not isinstance(response, Response):
                return response
            if response.status not in REDIRECTS:
                return await self._fetched(ask, response, url, hops)
            room.release()
            hops += (Redirect(url=url, status=response.status),)
            target = redirect_target(response, url)
            if target is None:
                return Failure(detail="redirect without a target", final=True)
            if len(hops) > ask.redirects or any(hop.url == target for hop in hops):
                return Failure(detail="too_many_redirects")
            url = target

    async def _one(
        self, ask: FetchRequest, url: str, room: Slot
    ) -> Response | Refusal | Failure:
        refusal = self.guard.check(url)
        if refusal is not None:
            return refusal
        host = identity.url_host(url)
        held = self.hosts.held_until(host)
        if held is not None:
            return Failure(detail="host asked to wait", retry_at=held)
        permission = await self._permission(ask, url)
        if permission is not None:
            return permission
        try:
            request = self._request(ask, url, host, room)
        except ValueError as error:
            return Refusal(
                why=RejectionReason.SCHEME, detail=f"not a URL: {str(error)[:100]}"
            )
        response = await self._download(request)
        if isinstance(response, Response):
            return self._waiting(response, host) or response
        return response

    async def _permission(
        self, ask: FetchRequest, url: str
    ) -> Refusal | Failure | None:
        """Why robots.txt keeps a URL from being asked for.

        Its delay is set in passing.
        """
        host = identity.url_host(url)
        if not (ask.obey_robots and self.settings.obey_robots):
            self._pace(host, self.hosts.delay(host))
            return None
        rules = await self.robots.rules(url, verify_tls=ask.verify_tls)
        if isinstance(rules, Failure):
            return rules
        self.hosts.set_delay(host, rules.delay)
        self._pace(host, rules.delay)
        if not rules.allow(url):
            return Refusal(why=RejectionReason.ROBOTS, detail="robots.txt")
        return None

    def _pace(self, host: str, asked: float | None) -> None:
        """Give the host's slot its delay. The jitter only ever adds to it."""
        delay = max(self.settings.delay, asked or 0.0) / (1 - DELAY_JITTER_SHARE)
        downloader = self._crawler.engine.downloader
        downloader.per_slot_settings[host] = {
            "delay": delay,
            "concurrency": 1 if delay else MAX_REQUESTS_PER_HOST,
        }
        slot = downloader.slots.get(host)
        if slot is not None:
            slot.delay, slot.concurrency = delay, 1 if delay else MAX_REQUESTS_PER_HOST

    def _request(self, ask: FetchRequest, url: str, host: str, room: Slot) -> Request:
        headers = {**BASIC_HEADERS, "User-Agent": self.settings.agent, **ask.headers}
        meta = {
            "room": room,
            "verify_tls": ask.verify_tls and self.settings.verify_tls,
            "download_slot": host,
            "download_timeout": self.settings.timeout,
            # One byte more than asked for tells a body that was cut from one that ended
            # there.
            "download_maxsize": 0 if ask.cut else ask.limit,
            "cut": ask.limit if ask.cut else 0,
        }
        if self.settings.proxy:
            meta["proxy"], login = split_proxy(self.settings.proxy)
            if login:
                headers["Proxy-Authorization"] = login
        return Request(url, headers=headers, meta=meta, dont_filter=True)

    async def _download(self, request: Request) -> Response | Refusal | Failure:
        self.requests += 1
        try:
            return await self._crawler.engine.download_async(request)
        except Exception as error:  # noqa: BLE001 - the network's boundary: whatever went wrong there is a value here
            return describe_fault(error)

    def _waiting(self, response: Response, host: str) -> Failure | None:
        """429, and 503 that says when to come back, hold the whole host."""
        if response.status not in {429, 503}:
            # Which hosts serve to whom they refuse everything else
            if urlsplit(response.url).path != "/robots.txt":
                self.hosts.answered(host)
            return None
        asked = response.headers.get("Retry-After")
        if response.status == 503 and asked is None:
            return None
        until = self.hosts.hold(host, (asked or b"").decode("latin-1"), utc_now())
        return Failure(detail=f"http {response.status}", retry_at=until)

    async def _fetched(
        self,
        ask: FetchRequest,
        response: Response,
        url: str,
        hops: tuple[Redirect, ...],
    ) -> Outcome:
        if len(response.headers) > MAX_HEADERS_ACCEPTED:
            return Failure(detail=f"too_many_headers: {len(response.headers)}")
        coding = response.headers.get("Content-Encoding", b"") or b""
        work = (response.body, coding.decode("latin-1"))
        if len(response.body) <= MAX_INLINE_BYTES:
            body = content_encoding.decode_body(*work, limit=ask.limit, partial=ask.cut)
        else:
            body = await asyncio.to_thread(
                content_encoding.decode_body, *work, limit=ask.limit, partial=ask.cut
            )
        if isinstance(body, content_encoding.DecodeFailure):
            if body.reason == "too_large":
                return Refusal(why=RejectionReason.SIZE, detail=body.detail)
            return Failure(detail=f"{body.reason}: {body.detail}")
        page = Page(
            url=ask.url, final_url=url, status=response.status, headers=response_headers(response), body=body,
            fetched_at=utc_now(),
        )  # fmt: skip
        return Fetched(page=page, redirects=hops, received=len(response.body))


def _cut(data: bytes, request: Request, spider: Spider) -> None:  # noqa: ARG001 - Scrapy passes them by name
    """Stop a download that has brought as much as is wanted of it."""
    limit = request.meta["cut"]
    if limit:
        request.meta["got"] = request.meta.get("got", 0) + len(data)
        if request.meta["got"] >= limit:
            raise StopDownload(fail=False)


def response_headers(response: Response) -> tuple[tuple[str, str], ...]:
    """A response's headers as text, no more than a server of good will sends."""
    pairs = (
        (name, value) for name, values in response.headers.items() for value in values
    )
    kept = (
        (name.decode("latin-1"), value.decode("latin-1")[:MAX_HEADER_CHARS])
        for name, value in pairs
    )
    return tuple(pair for pair, _ in zip(kept, range(MAX_HEADERS_KEPT), strict=False))


def redirect_target(response: Response, url: str) -> str | None:
    """Where a redirect leads, absolute and without fragment.

    None where it names nothing.
    """
    location = (response.headers.get("Location") or b"").strip()
    if not location:
        return None
    try:
        text = location.decode("utf-8")
    except UnicodeDecodeError:
        text = location.decode("latin-1")
    try:
        return urldefrag(urljoin(url, text)).url
    except ValueError:
        return text


def split_proxy(setting: str) -> tuple[str, str]:
    """The proxy's address without its login, and the login as a header's value."""
    parts = urlsplit(setting if "://" in setting else f"http://{setting}")
    address = f"{parts.scheme}://{parts.hostname}:{parts.port or 80}"
    if parts.username is None:
        return address, ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return address, f"Basic {base64.b64encode(login.encode()).decode()}"


def describe_fault(error: BaseException) -> Refusal | Failure:
    """What an exception of the network means."""
    chain = list(_causes(error))
    if any(isinstance(one, AddressRefused) for one in chain):
        return Refusal(why=RejectionReason.ADDRESS, detail=str(chain[-1])[:200])
    if isinstance(error, DownloadCancelledError):
        return Refusal(why=RejectionReason.SIZE, detail="larger than allowed")
    for kind, detail in FAULT_DETAILS.items():
        if isinstance(error, kind):
            return Failure(detail=detail)
    names = " ".join(f"{type(one).__module__}.{type(one).__name__}" for one in chain)
    if "SSL" in names or "VerificationError" in names or "CertificateError" in names:
        return Failure(detail=f"tls: {str(chain[-1])[:150]}")
    return Failure(
        detail=f"connection: {type(chain[-1]).__name__}: {str(chain[-1])[:150]}"
    )


FAULT_DETAILS: dict[type[Exception], str] = {
    CannotResolveHostError: "dns",
    DownloadConnectionRefusedError: "connection refused",
    DownloadTimeoutError: "timeout",
    ResponseDataLossError: "truncated",
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what lies under it, Twisted's lists of reasons included."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        reasons = getattr(seen, "reasons", None)
        seen = reasons[0].value if reasons else seen.__cause__
