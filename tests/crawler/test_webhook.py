"""A signed message to an address of the user's own.

Guarded, never redirected, bounded in time.
"""

import asyncio
import base64
import hashlib
import hmac
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fetching import webhook
from crawler.fetching.guard import Guard, parse_proxy
from storage.model import Failure, Refusal

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
LOOPBACK = Guard(allow=(ip_network("127.0.0.0/8"),))
MESSAGE = webhook.WebhookMessage(
    id="khabar-1",
    body=b'{"title": "\xd8\xa8"}',
    at=NOW,
    secret=b"of the tests",
    agent="khabar/0",
)


class Receiver:
    """A receiver on loopback that gives one answer and remembers what it got."""

    def __init__(self, answer: bytes, pause: float = 0) -> None:
        self.answer, self.pause = answer, pause
        self.got: list[bytes] = []

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line[15:])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            self.got.append(head + await reader.readexactly(length))
            await asyncio.sleep(self.pause)
            writer.write(self.answer)
        finally:
            writer.close()


def send(
    receiver: Receiver,
    *,
    guard: Guard = LOOPBACK,
    host: str = "127.0.0.1",
    path: str = "/in?a=1",
    within: float = 5,
    lookup=None,
):
    async def going():
        async with await asyncio.start_server(receiver, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            more = {"lookup": lookup} if lookup else {}
            return await webhook.post(
                f"http://{host}:{port}{path}",
                MESSAGE,
                guard=guard,
                within=within,
                **more,
            )

    return asyncio.run(going())


OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def test_a_receiver_can_check_who_sent_it_and_whether_it_has_it() -> None:
    """The signature stands over id, time and body, as Standard Webhooks has it.

    The id is the idempotency key.
    """
    receiver = Receiver(OK)
    assert send(receiver) is None
    head, _, body = receiver.got[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(
        line.lower().split(": ", 1)
        for line in lines[1:]
        if not line.startswith("webhook-signature")
    )
    signature = next(
        line.partition(": ")[2]
        for line in lines
        if line.startswith("webhook-signature")
    )
    assert lines[0] == "POST /in?a=1 HTTP/1.1"
    assert (body, headers["webhook-id"], headers["idempotency-key"]) == (
        MESSAGE.body,
        "khabar-1",
        "khabar-1",
    )
    signed = f"khabar-1.{headers['webhook-timestamp']}.".encode() + body
    assert (
        signature
        == "v1,"
        + base64.b64encode(
            hmac.new(b"of the tests", signed, hashlib.sha256).digest()
        ).decode()
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "not followed"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "http 500"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"HTTP/1.1 twohundred\r\n", "ValueError"),
        (b"", "IncompleteRead"),
        (b"HTTP/1.1 " + b"9" * 200_000, "ValueError|LimitOverrun"),
    ],
)
def test_any_other_answer_is_a_failure_with_its_reason(
    answer: bytes, said: str
) -> None:
    """A redirect is not followed: one message, one connection."""
    receiver = Receiver(answer)
    result = send(receiver)
    assert isinstance(result, Failure)
    assert any(part in result.detail for part in said.split("|"))
    assert len(receiver.got) == 1


def test_a_silent_receiver_costs_its_time_and_no_more() -> None:
    """It is a timeout, whatever it does meanwhile."""
    result = send(Receiver(OK, pause=5), within=0.2)
    assert result == Failure(detail="timeout")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_addresses_that_are_not_public_are_not_dialled(host: str) -> None:
    """In whatever spelling; nothing reaches the receiver."""
    receiver = Receiver(OK)
    assert isinstance(send(receiver, guard=Guard(), host=host), Refusal)
    assert receiver.got == []


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"]])
def test_a_name_that_leads_inside_is_not_dialled(answers: list[str]) -> None:
    """Not even when one of its addresses is public."""

    async def lookup(_host: str) -> list[str]:
        return answers

    receiver = Receiver(OK)
    assert isinstance(
        send(receiver, guard=Guard(), host="hook.example", lookup=lookup), Refusal
    )
    assert receiver.got == []


def test_with_a_proxy_the_proxy_is_asked() -> None:
    """It gets the whole address, and resolves the name."""
    receiver = Receiver(OK)

    async def going():
        async with await asyncio.start_server(receiver, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            guard = Guard(proxy=parse_proxy(f"http://127.0.0.1:{port}"))
            return await webhook.post(
                "http://hook.example/in", MESSAGE, guard=guard, within=5
            )

    assert asyncio.run(going()) is None
    assert receiver.got[0].startswith(
        b"POST http://hook.example/in HTTP/1.1\r\nHost: hook.example\r\n"
    )


def test_nobody_there_is_a_failure() -> None:
    """And so is a name without an address."""

    async def nothing(_host: str) -> list[str]:
        return []

    refused = asyncio.run(
        webhook.post(
            "http://127.0.0.1:9/", MESSAGE, guard=Guard(allow=LOOPBACK.allow), within=2
        )
    )
    assert isinstance(refused, Refusal)  # port 9 speaks no HTTP
    gone = asyncio.run(
        webhook.post(
            "http://hook.example/", MESSAGE, guard=LOOPBACK, within=2, lookup=nothing
        )
    )
    assert isinstance(gone, Failure)
    assert "no address" in gone.detail


@given(st.text(max_size=60))
def test_an_address_cannot_add_a_header(path: str) -> None:
    """Whatever stands in the configured path: a request has one head."""
    request = webhook._request_bytes(
        webhook.urlsplit("http://hook.example/" + path), MESSAGE, through_proxy=False
    )
    head = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert len(head) == 3 + len(MESSAGE.headers())
    assert head[0].startswith(b"POST /")


def test_secrets_are_read_as_they_are_given() -> None:
    """`whsec_` and base64, or any text."""
    assert webhook.parse_secret("plain") == b"plain"
    assert webhook.parse_secret("whsec_" + base64.b64encode(b"key").decode()) == b"key"
    with pytest.raises(ValueError, match="base64"):
        webhook.parse_secret("whsec_%%%")
