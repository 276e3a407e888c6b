"""`khabar serve`.

The reading pages, and the plain tables under /data, on Datasette (the extra `serve`).

Read-only: the file is opened so, arbitrary SQL is off, only GET is answered, only the
paths below exist. Nothing that came from the web is ever markup, and should one slip
through, no script, frame, font or picture is allowed to load. Without a token only this
machine is served, and only under its own names, so that a page elsewhere cannot reach
it by rebinding DNS.
"""

import hashlib
import hmac
import ipaddress
import re
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from scheduler.config import Config
from storage.errors import UsageError

if TYPE_CHECKING:
    from datasette.app import Datasette

Scope = MutableMapping[str, Any]
AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# What can be read as a table; everything else in the file does not exist for a browser.
READABLE_TABLES = frozenset(
    {
        "articles",
        "copies",
        "probable_copies",
        "revisions",
        "mentions",
        "claims",
        "places",
        "leads",
        "fates",
        "rejections",
    }
    | {"sources", "polls", "captures", "changes", "article_places", "tags"}
)
_SERVED_PATHS = re.compile(
    r"/|/search(\.json|\.csv)?|/feed\.atom|/map|/sources|/source/[^/]{1,200}|/article/\d{1,18}(/raw|\.json)?|/style\.css|/icon\.svg"
    r"|/data(\.json)?|/data/[a-z_]{1,40}(\.json|\.csv)?|/data/[a-z_]{1,40}/[^/]{1,400}|/-/static/[A-Za-z0-9._-]{1,80}"
)
_CONTENT_SECURITY_POLICY = b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_SECURITY_HEADERS = (
    (b"content-security-policy", _CONTENT_SECURITY_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_COOKIE_NAME = "khabar"


def serve(
    config: Config,
    *,
    host: str = "127.0.0.1",
    port: int = 8001,
    token: str = "",
    tell: Callable[[str], None],
) -> None:
    """Serve until stopped.

    Beyond loopback a token is asked for. Raises UsageError, StoreError.
    """
    check_exposure(host, token)
    with (
        open_application(config, token=token) as app,
        open_listener(host, port) as door,
    ):
        import uvicorn

        shown = f"[{host}]" if ":" in host else host
        tell(
            f"http://{shown}:{port}/{'?' + urlencode({'token': token}) if token else ''}"
        )
        # uvicorn stops on SIGTERM and then raises it again: without a handler of ours
        # the process would die of it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        quiet: dict[str, Any] = {
            "log_config": None,
            "access_log": False,
            "server_header": False,
        }
        uvicorn.Server(
            uvicorn.Config(app, ws="none", proxy_headers=False, **quiet)
        ).run(sockets=[door])


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that is bound before anybody is told of it.

    Raises UsageError where it cannot be.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise UsageError(
            f"{host}, port {port}: {error.strerror or error}; choose another with --port."
        ) from error


def check_exposure(host: str, token: str) -> None:
    """Raise UsageError where anybody in the network could read without a token, or the token can be guessed."""
    if not _is_loopback(host) and not token:
        raise UsageError(
            f"--host {host} lets others in: add --token with a long secret, or serve 127.0.0.1."
        )
    if token and len(token) < 16:
        raise UsageError(
            "The token is short enough to be guessed; take at least 16 characters."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def open_application(config: Config, *, token: str = "") -> Iterator[App]:
    """The ASGI application over the configured store.

    Raises UsageError without the extra, StoreError.
    """
    try:
        from datasette.plugins import pm

        from scheduler.pages.reader import StoreReader
        from scheduler.pages.routes import Pages
    except ImportError:
        raise UsageError(
            "`khabar serve` needs an extra: install khabar[serve]."
        ) from None
    reader = StoreReader(config.store.path, config.store.captures)
    datasette = _build_datasette(config)
    plugin = _build_plugin(datasette, Pages(reader).routes())
    pm.register(plugin, name=f"khabar-pages-{id(plugin)}")
    try:
        yield AccessMiddleware(datasette.app(), token=token)
    finally:
        pm.unregister(plugin)
        reader.close()


def _build_datasette(config: Config) -> "Datasette":
    from datasette.app import Datasette
    from datasette.database import Database

    limits = {
        "sql_time_limit_ms": 1_000,
        "facet_time_limit_ms": 200,
        "max_returned_rows": 1_000,
        "num_sql_threads": 2,
    }
    shut = dict.fromkeys(
        ("default_allow_sql", "allow_download", "allow_csv_stream", "suggest_facets"),
        False,
    )
    datasette = Datasette(
        [],
        settings={**limits, **shut, "default_cache_ttl": 0},
        metadata={"title": "khabar"},
    )
    datasette.remove_database("_memory")
    datasette.add_database(
        Database(datasette, path=str(config.store.path), is_mutable=True), name="data"
    )
    return datasette


def _build_plugin(datasette: "Datasette", routes: list[Any]) -> object:
    from pluggy import HookimplMarker

    hookimpl = HookimplMarker("datasette")

    class Plugin:
        """Our pages in one Datasette, and what of its own may be seen."""

        __name__ = "khabar-pages"  # Datasette lists its plugins by it

        @hookimpl
        def register_routes(self, datasette: object) -> list[Any]:
            return routes if datasette is mine else []

        @hookimpl
        def permission_allowed(
            self, datasette: object, action: str, resource: Any
        ) -> bool | None:
            return is_allowed(action, resource) if datasette is mine else None

    mine = datasette
    return Plugin()


def is_allowed(action: str, resource: Any) -> bool:
    """What Datasette may do.

    Show the instance, the one database and the tables of `TABLES`. Nothing else.
    """
    if action == "view-instance":
        return True
    if action == "view-database":
        return bool(resource == "data")
    return action == "view-table" and tuple(resource) in {
        ("data", table) for table in READABLE_TABLES
    }


class AccessMiddleware:
    """The only door: who is asking, for what, and which headers every answer bears."""

    def __init__(self, app: App, *, token: str) -> None:
        self._app = app
        self._token = token
        # The cookie is not the token, so that a copied browser profile does not hold
        # what was typed.
        self._cookie = hashlib.sha256(b"khabar\0" + token.encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bearing(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in _SECURITY_HEADERS} | {b"server"}
                kept = [
                    (name, value)
                    for name, value in message["headers"]
                    if name.lower() not in names
                ]
                message["headers"] = [*kept, *_SECURITY_HEADERS]
            await send(message)

        refused = self._refusal(scope)
        if refused:
            await _send_text(bearing, *refused)
        elif self._token and not self._is_authorized(scope):
            await self._ask_for_token(scope, receive, bearing)
        else:
            await self._app(scope, receive, bearing)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "Only reading."
        if not self._token and not _is_loopback(_requested_host(scope)):
            return (
                421,
                "This serves its own machine only; open it as 127.0.0.1 or localhost.",
            )
        if not _SERVED_PATHS.fullmatch(_request_path(scope).decode("ascii", "replace")):
            return 404, "There is no such page."
        return None

    def _is_authorized(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        given = (
            headers.get(b"authorization", b"")
            .decode("latin-1")
            .removeprefix("Bearer ")
            .strip()
        )
        return self._is_token(given) or hmac.compare_digest(
            _read_cookie(headers).encode(), self._cookie.encode()
        )

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(
            given.encode("utf-8", "replace"), self._token.encode()
        )

    async def _ask_for_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A token in the address lets a feed reader in each time.

        A browser is sent on with a cookie and without it.
        """
        pairs = parse_qsl(
            scope.get("query_string", b"").decode("latin-1"), max_num_fields=200
        )
        if not self._is_token(dict(pairs).get("token", "")):
            await _send_text(send, 401, "Add the token to the address once: ?token=…")
            return
        scope["query_string"] = urlencode(
            [pair for pair in pairs if pair[0] != "token"]
        ).encode()
        if scope["path"].endswith((".atom", ".json", ".csv")):
            await self._app(scope, receive, send)
            return
        where = _request_path(scope) + (
            b"?" + scope["query_string"] if scope["query_string"] else b""
        )
        cookie = f"{_COOKIE_NAME}={self._cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000".encode()
        await _send_text(send, 303, "", [(b"location", where), (b"set-cookie", cookie)])


def _request_path(scope: Scope) -> bytes:
    """The path as it was sent, percent signs and all."""
    sent: bytes = scope.get("raw_path") or scope["path"].encode()
    return sent.partition(b"?")[0]


def _requested_host(scope: Scope) -> str:
    """The name under which we were asked, without its port."""
    named: str = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return (
        named.rpartition(":")[0]
        if re.search(r":\d*$", named) and not named.endswith("]")
        else named
    )


def _read_cookie(headers: dict[bytes, bytes]) -> str:
    try:
        found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(
            _COOKIE_NAME
        )
    except CookieError:
        return ""
    return str(found.value) if found else ""


async def _send_text(
    send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    plain = (b"content-type", b"text/plain; charset=utf-8")
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [plain, *(headers or [])],
        }
    )
    await send({"type": "http.response.body", "body": (text + "\n").encode()})
