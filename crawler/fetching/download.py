"""Scrapy's part of fetching: one spider, its download handler, its settings, its faults.

Scrapy does connections, TLS, the proxy, and delays by host. Everything of it that acts
by itself is off: redirects, robots.txt, retries and content codings are the fetcher's.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from scrapy import Request, Spider
from scrapy.core.downloader.contextfactory import _ScrapyClientContextFactory
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    StopDownload,
)
from scrapy.http import Response

from crawler.fetching.guard import AddressRefused
from crawler.sources import CrawlSettings
from storage.model import Failure, Refusal, RejectionReason

MAX_HEADERS_KEPT = 200  # of a response
MAX_HEADER_CHARS = 8192  # kept of one header's value
MAX_REQUESTS_PER_HOST = 4  # at once, to a host that is asked for no delay
DELAY_JITTER_SHARE = 0.2
FAULT_DETAILS: dict[type[Exception], str] = {
    CannotResolveHostError: "dns",
    DownloadConnectionRefusedError: "connection refused",
    DownloadTimeoutError: "timeout",
    ResponseDataLossError: "truncated",
}


class IdleSpider(Spider):
    """The one long-lived spider. It only keeps the crawler open.

    Requests come through the engine's download API.
    """

    name = "khabar"

    async def start(self) -> AsyncIterator[Any]:
        """Stay until the crawler is stopped."""
        await asyncio.Event().wait()
        # Makes this a generator; the wait is ended by cancelling it.
        yield None  # pragma: no cover


class Slot:
    """One of the bodies that may be in flight; released when it was dealt with."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._held = False
        self._abandoned = False

    async def acquire(self) -> None:
        """Wait for a free slot.

        Raises DownloadCancelledError where nobody waits for the body any more.
        """
        if self._held:
            return
        await self._slots.acquire()
        if self._abandoned:
            self._slots.release()
            raise DownloadCancelledError("nobody waits for it")
        self._held = True

    def release(self) -> None:
        """Let the next body in."""
        if self._held:
            self._held = False
            self._slots.release()

    def abandon(self) -> None:
        """Release the slot for good.

        A download that still waits for it is not begun.
        """
        self._abandoned = True
        self.release()


class DownloadHandler(HTTP11DownloadHandler):
    """Scrapy's handler, with a slot for each body.

    It also leaves certificates unchecked where a request says so.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._trusting: HTTP11DownloadHandler | None = None

    async def download_request(self, request: Request) -> Response:
        """The response to a request.

        Its `slot` is acquired here, after the host's delay, so that waiting costs none.
        """
        slot: Slot = request.meta["slot"]
        await slot.acquire()
        if request.meta["verify_tls"]:
            return await super().download_request(request)

        # A handler with connections of its own: one that was made unchecked must never
        # serve a checked request.
        if self._trusting is None:
            self._trusting = HTTP11DownloadHandler(self._crawler)
            unchecked: Any = _ScrapyClientContextFactory(verify_certificates=False)
            self._trusting._contextFactory = unchecked  # noqa: SLF001 - Scrapy has one switch for all requests
        return await self._trusting.download_request(request)

    async def close(self) -> None:
        """Close the idle connections."""
        if self._trusting is not None:
            await self._trusting.close()
        await super().close()


def scrapy_settings(settings: CrawlSettings) -> dict[str, Any]:
    """Scrapy's settings: everything that acts by itself is off.

    Only what holds until the next start is taken from `settings`; timeouts, sizes and
    TLS come with each request.
    """
    # A proxy is one host to the pool of connections; delays and their number by site
    # are set slot by slot.
    per_domain = MAX_REQUESTS_PER_HOST
    if settings.proxy:
        per_domain = settings.concurrency

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
        # `crawler.fetching.robots` does it: it asks again after a day, and after an
        # error.
        "ROBOTSTXT_OBEY": False,
        "HTTPPROXY_ENABLED": False,
        "DOWNLOAD_HANDLERS_BASE": {},
        "DOWNLOAD_HANDLERS": {"http": DownloadHandler, "https": DownloadHandler},
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_MAXSIZE": 0,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_DELAY_JITTER": DELAY_JITTER_SHARE,
        "CONCURRENT_REQUESTS": settings.concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": per_domain,
        "LOG_ENABLED": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
    }


def stop_at_limit(data: bytes, request: Request, spider: Spider) -> None:  # noqa: ARG001 - Scrapy passes them by name
    """Stop a download that has brought as much as is wanted of it."""
    limit = request.meta["cut"]
    if limit:
        request.meta["got"] = request.meta.get("got", 0) + len(data)
        if request.meta["got"] >= limit:
            raise StopDownload(fail=False)


def response_headers(response: Response) -> tuple[tuple[str, str], ...]:
    """A response's headers as text, no more than a server of good will sends."""
    kept: list[tuple[str, str]] = []
    for name, values in response.headers.items():
        for value in values:
            if len(kept) == MAX_HEADERS_KEPT:
                return tuple(kept)
            text = value.decode("latin-1")[:MAX_HEADER_CHARS]
            kept.append((name.decode("latin-1"), text))
    return tuple(kept)


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
    if "://" not in setting:
        setting = f"http://{setting}"
    parts = urlsplit(setting)
    address = f"{parts.scheme}://{parts.hostname}:{parts.port or 80}"
    if parts.username is None:
        return address, ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return address, f"Basic {base64.b64encode(login.encode()).decode()}"


def describe_fault(error: BaseException) -> Refusal | Failure:
    """What an exception of the network means."""
    chain = list(_causes(error))
    last = chain[-1]
    if any(isinstance(cause, AddressRefused) for cause in chain):
        return Refusal(why=RejectionReason.ADDRESS, detail=str(last)[:200])
    if isinstance(error, DownloadCancelledError):
        return Refusal(why=RejectionReason.SIZE, detail="larger than allowed")
    for kind, detail in FAULT_DETAILS.items():
        if isinstance(error, kind):
            return Failure(detail=detail)

    names = " ".join(f"{type(one).__module__}.{type(one).__name__}" for one in chain)
    if "SSL" in names or "VerificationError" in names or "CertificateError" in names:
        return Failure(detail=f"tls: {str(last)[:150]}")
    return Failure(detail=f"connection: {type(last).__name__}: {str(last)[:150]}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what lies under it, Twisted's lists of reasons included."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        reasons = getattr(cause, "reasons", None)
        if reasons:
            cause = reasons[0].value
        else:
            cause = cause.__cause__
