"""A small web on loopback.

Plays invented outlets with scripted validators and faults, for `demo` and for tests.

It answers as a forward proxy (`GET http://outlet.example/feed/`), so that many outlets
live on one port under their own names and nothing is looked up or asked outside this
machine. What it plays is data: a folder with a `site.toml`.
"""

import hashlib
import re
import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from crawler.sources import Source
from storage.model import to_text, utc_now

DEMO_FOLDER = Path(__file__).parent / "data" / "demo"

_MOMENT = re.compile(r"\{\{-(\d{1,4})h (rss|iso|day)\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What one address answers with, round by round."""

    url: str
    files: tuple[str, ...]  # one for each round; the last one stays
    type: str = "text/html; charset=utf-8"
    validator: str = ""  # etag, last-modified, or none
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    # Bytes of the body that are sent before the connection is dropped
    cut: int | None = None
    delay: float = 0.0  # seconds before the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, whole: `length` is what it promises, `body` what it sends."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    length: int = 0
    delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedRequest:
    """One request that came in, and the status that it got."""

    url: str
    status: int
    conditional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySite:
    """The web that is played.

    Its resources by address, and the sources that point into it.
    """

    folder: Path
    resources: Mapping[str, Resource]
    sources: tuple[Source, ...] = ()
    now: datetime = field(default_factory=utc_now)  # `{{-3h rss}}` counts from here

    @classmethod
    def load(cls, folder: Path = DEMO_FOLDER) -> Self:
        """Read `site.toml` of a folder."""
        script = tomllib.loads((folder / "site.toml").read_text("utf-8"))
        resources = (
            Resource(**entry | {"files": tuple(entry["files"])})
            for entry in script["resources"]
        )
        return cls(
            folder=folder,
            resources={resource.url: resource for resource in resources},
            sources=tuple(_source(entry) for entry in script.get("sources", [])),
        )

    def answer(self, url: str, headers: Mapping[str, str], turn: int) -> Reply:
        """What this address says in round `turn`, counted from 0, to a request.

        A query is ignored.
        """
        resource = self.resources.get(url.partition("?")[0])
        if resource is None:
            body = b"nothing is played at this address\n"
            return Reply(
                status=404,
                headers=(("Content-Type", "text/plain"),),
                body=body,
                length=len(body),
            )
        body = self._body(resource, turn)
        named = (
            ("Content-Type", resource.type),
            *self._validator(resource, body, turn),
            *resource.headers.items(),
        )
        if _unchanged(dict(named), headers):
            return Reply(status=304, headers=named, delay=resource.delay)
        sent = body if resource.cut is None else body[: resource.cut]
        return Reply(
            status=resource.status,
            headers=named,
            body=sent,
            length=len(body),
            delay=resource.delay,
        )

    def _body(self, resource: Resource, turn: int) -> bytes:
        content = (
            self.folder / resource.files[min(turn, len(resource.files) - 1)]
        ).read_bytes()
        if b"{{-" not in content:
            return content
        return _MOMENT.sub(
            lambda match: self._moment(int(match[1]), match[2]), content.decode()
        ).encode()

    def _moment(self, hours: int, form: str) -> str:
        at = (self.now - timedelta(hours=hours)).replace(microsecond=0)
        written = {
            "rss": format_datetime(at),
            "iso": to_text(at),
            "day": f"{at.day} {at:%B %Y}",
        }
        return written[form]

    def _validator(
        self, resource: Resource, body: bytes, turn: int
    ) -> tuple[tuple[str, str], ...]:
        if resource.validator == "etag":
            return (("ETag", f'"{hashlib.sha256(body).hexdigest()[:16]}"'),)
        if resource.validator == "last-modified":
            changes = min(turn, len(resource.files) - 1)
            at = self.now - timedelta(days=1) + timedelta(minutes=changes)
            return (
                ("Last-Modified", format_datetime(at.astimezone(UTC), usegmt=True)),
            )
        return ()


class ReplayServer:
    """The running server.

    A context manager; `address` is the proxy to crawl through, `asked` what was
    requested.
    """

    def __init__(self, site: ReplaySite) -> None:
        self.site = site
        self.turn = 0
        self.asked: list[PlayedRequest] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.replay = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="replay", daemon=True
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next_round(self) -> None:
        """Time passes: every address goes on to its next file."""
        self.turn += 1

    def reply(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Answer one request and note it."""
        reply = self.site.answer(url, headers, self.turn)
        conditional = any(name.lower().startswith("if-") for name in headers)
        self.asked.append(
            PlayedRequest(url=url, status=reply.status, conditional=conditional)
        )
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    replay: ReplayServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is its own affair; nothing is printed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def do_GET(self) -> None:
        url = (
            self.path
            if self.path.startswith("http://")
            else f"http://{self.headers.get('Host', '')}{self.path}"
        )
        reply = self.server.replay.reply(url, dict(self.headers.items()))
        time.sleep(reply.delay)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        # A 304 has no body, and some clients would wait for one that is announced
        if reply.status != 304:
            self.send_header("Content-Length", str(reply.length))
        self.end_headers()
        self.wfile.write(reply.body)
        self.close_connection = len(reply.body) < reply.length

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Requests are kept in `Replay.asked`; the terminal belongs to the command."""


def _source(entry: Mapping[str, str]) -> Source:
    return Source(
        kind="feed",
        url=entry["feed"],
        id=entry["id"],
        name=entry["name"],
        language=entry["language"],
    )


def _unchanged(named: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """Whether the request's validators are the very ones of this body."""
    asked = {name.lower(): value for name, value in headers.items()}
    if "ETag" in named:
        return asked.get("if-none-match") == named["ETag"]
    return (
        "Last-Modified" in named
        and asked.get("if-modified-since") == named["Last-Modified"]
    )
