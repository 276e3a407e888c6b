"""One signed POST to an address of the user's own.

Guarded like everything that is fetched, no redirects, cancellable.

The signature is that of the Standard Webhooks specification: `webhook-id`,
`webhook-timestamp` and `webhook-signature: v1,<base64 of HMAC-SHA256 over
"id.timestamp.body">`. Names are resolved once, and the connection goes to an address
that was checked.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, quote, urlsplit

from crawler.fetching.guard import SCHEMES, AddressRefused, Guard
from crawler.fetching.loop import ResolveHost, resolve_host
from storage.model import Failure, Refusal, RejectionReason

_MAX_HEAD_BYTES = 65_536  # bytes of an answer that are looked at
_IN_PATH = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    """What is sent.

    `id` is the same in every try, so that a receiver can drop what it has already.
    """

    id: str
    body: bytes  # JSON
    at: datetime
    secret: bytes
    agent: str

    def headers(self) -> dict[str, str]:
        """Everything but Host and Content-Length."""
        stamp = str(int(self.at.timestamp()))
        return {
            "Content-Type": "application/json",
            "User-Agent": self.agent,
            "Connection": "close",
            "Idempotency-Key": self.id,
            "webhook-id": self.id,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self.secret, self.id, stamp, self.body),
        }


def sign(secret: bytes, message_id: str, stamp: str, body: bytes) -> str:
    """The signature of a message sent at `stamp` (seconds since 1970)."""
    signed = f"{message_id}.{stamp}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def parse_secret(text: str) -> bytes:
    """The key that a setting spells.

    `whsec_` and base64, or any other text as it stands. Raises ValueError.
    """
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("what follows whsec_ is not base64") from None


async def post(
    url: str,
    message: WebhookMessage,
    *,
    guard: Guard,
    within: float,
    lookup: ResolveHost = resolve_host,
) -> Refusal | Failure | None:
    """Send a message; None when the receiver answered 2xx `within` so many seconds."""
    refused = guard.check(url)
    if refused is not None:
        return refused
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(within):
            status = await _exchange(parts, message, guard, lookup)
    except AddressRefused as error:
        return Refusal(why=RejectionReason.ADDRESS, detail=str(error))
    except TimeoutError:
        return Failure(detail="timeout")
    except (
        OSError,
        ssl.SSLError,
        ValueError,
        asyncio.IncompleteReadError,
        asyncio.LimitOverrunError,
    ) as error:
        return Failure(detail=f"{type(error).__name__}: {str(error)[:200]}")
    if 200 <= status < 300:
        return None
    detail = f"http {status}"
    if 300 <= status < 400:
        detail += ": a redirect, which is not followed"
    return Failure(detail=detail, status=status)


async def _exchange(
    parts: SplitResult, message: WebhookMessage, guard: Guard, lookup: ResolveHost
) -> int:
    """Send the message; the status of the answer.

    Raises OSError, ValueError, AddressRefused.
    """
    reader, writer = await _connect(parts, guard, lookup)
    try:
        through_proxy = guard.proxy is not None and parts.scheme == "http"
        writer.write(_request_bytes(parts, message, through_proxy=through_proxy))
        await writer.drain()
        return await _read_status(reader)
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close at once: whatever else the receiver says is of no interest."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _connect(
    parts: SplitResult, guard: Guard, lookup: ResolveHost
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a checked address of the host, or through the proxy.

    Raises AddressRefused, OSError.
    """
    host = _ascii_host(parts)
    port = parts.port or SCHEMES[parts.scheme]
    context: ssl.SSLContext | None = None
    server_name: str | None = None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        server_name = host

    if guard.proxy is None:
        addresses = await lookup(host)
        if not addresses:
            raise OSError(f"{host} has no address")
        # One that is not public is a sign that somebody plays with the name: none is
        # dialled.
        for address in addresses:
            guard.check_dial(address, port)
        return await asyncio.open_connection(
            addresses[0],
            port,
            limit=_MAX_HEAD_BYTES,
            ssl=context,
            server_hostname=server_name,
        )

    reader, writer = await asyncio.open_connection(
        guard.proxy.host, guard.proxy.port, limit=_MAX_HEAD_BYTES
    )
    if context is not None:
        try:
            await _open_tunnel(reader, writer, _with_port(host, port))
            await writer.start_tls(context, server_hostname=host)
        except BaseException:
            await _close(writer)
            raise
    return reader, writer


async def _open_tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str
) -> None:
    """Let the proxy connect to the host. Raises OSError where it does not."""
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
    status = await _read_status(reader)
    if status != 200:
        raise OSError(f"the proxy answers {status}")
    await reader.readuntil(b"\r\n\r\n")


def _ascii_host(parts: SplitResult) -> str:
    """The host as certificates and headers name it."""
    host = parts.hostname or ""
    if host.isascii():
        return host
    return host.encode("idna").decode("ascii")


def _with_port(host: str, port: int | None) -> str:
    """A host as URLs and headers write it; an IPv6 address in brackets."""
    if ":" in host:
        host = f"[{host}]"
    if port is None:
        return host
    return f"{host}:{port}"


def _request_bytes(
    parts: SplitResult, message: WebhookMessage, *, through_proxy: bool
) -> bytes:
    """The whole request as it is sent."""
    host = _with_port(_ascii_host(parts), parts.port)
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    target = quote(path, safe=_IN_PATH)
    if through_proxy:
        target = f"{parts.scheme}://{host}{target}"

    lines = [f"POST {target} HTTP/1.1", f"Host: {host}"]
    for name, value in message.headers().items():
        lines.append(f"{name}: {value}")
    lines.append(f"Content-Length: {len(message.body)}")
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("latin-1") + message.body


async def _read_status(reader: asyncio.StreamReader) -> int:
    """The status in an answer's first line. Raises ValueError where it has none."""
    line = await reader.readuntil(b"\n")
    protocol, _, rest = line.partition(b" ")
    if not protocol.startswith(b"HTTP/1."):
        raise ValueError("the answer is not HTTP")
    return int(rest[:3])
