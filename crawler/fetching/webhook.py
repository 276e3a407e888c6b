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
_MAX_STATUS_LINE_BYTES = 8_192


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
    digest = hmac.new(
        secret, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256
    ).digest()
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
    what = (
        f"http {status}: a redirect, which is not followed"
        if 300 <= status < 400
        else f"http {status}"
    )
    return Failure(detail=what, status=status)


async def _exchange(
    parts: SplitResult, message: WebhookMessage, guard: Guard, lookup: ResolveHost
) -> int:
    """The status of the answer. Raises OSError, ValueError, AddressRefused."""
    reader, writer = await _connected(parts, guard, lookup)
    try:
        writer.write(
            _request(
                parts,
                message,
                through_proxy=guard.proxy is not None and parts.scheme == "http",
            )
        )
        await writer.drain()
        return await _status(reader)
    finally:
        await _end(writer)


async def _end(writer: asyncio.StreamWriter) -> None:
    """Close at once: whatever else it has to say is of no interest."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _connected(
    parts: SplitResult, guard: Guard, lookup: ResolveHost
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = _host(parts), parts.port or SCHEMES[parts.scheme]
    context = ssl.create_default_context() if parts.scheme == "https" else None
    if guard.proxy is None:
        address = await _address(host, port, guard, lookup)
        name = host if context else None
        return await asyncio.open_connection(
            address, port, limit=_MAX_HEAD_BYTES, ssl=context, server_hostname=name
        )
    reader, writer = await asyncio.open_connection(
        guard.proxy.host, guard.proxy.port, limit=_MAX_HEAD_BYTES
    )
    if context is not None:
        try:
            await _tunnel(reader, writer, host, port)
            await writer.start_tls(context, server_hostname=host)
        except BaseException:
            await _end(writer)
            raise
    return reader, writer


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    """Let the proxy connect to the host. Raises OSError where it does not."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
    status = await _status(reader)
    if status != 200:
        raise OSError(f"the proxy answers {status}")
    await reader.readuntil(b"\r\n\r\n")


def _host(parts: SplitResult) -> str:
    """The host as certificates and headers name it."""
    host = parts.hostname or ""
    return host if host.isascii() else host.encode("idna").decode("ascii")


async def _address(host: str, port: int, guard: Guard, lookup: ResolveHost) -> str:
    """An address of the host to which a connection may go.

    Raises AddressRefused, OSError.
    """
    addresses = await lookup(host)
    if not addresses:
        raise OSError(f"{host} has no address")
    # One that is not public is a sign that somebody plays with the name: none is
    # dialled
    for address in addresses:
        guard.check_dial(address, port)
    return addresses[0]


def _request(
    parts: SplitResult, message: WebhookMessage, *, through_proxy: bool
) -> bytes:
    host = f"[{_host(parts)}]" if ":" in _host(parts) else _host(parts)
    place = f"{host}:{parts.port}" if parts.port else host
    path = quote(
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_IN_PATH
    )
    target = f"{parts.scheme}://{place}{path}" if through_proxy else path
    headers = {
        "Host": place,
        **message.headers(),
        "Content-Length": str(len(message.body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + message.body


async def _status(reader: asyncio.StreamReader) -> int:
    line = await reader.readuntil(b"\n")
    protocol, _, rest = line.partition(b" ")
    if not protocol.startswith(b"HTTP/1."):
        raise ValueError("the answer is not HTTP")
    return int(rest[:3])
