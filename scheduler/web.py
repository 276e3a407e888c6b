"""`khabar serve`: the reading pages, and the plain tables under /data, on Datasette.

Read-only: the file is opened so, arbitrary SQL is off, only GET and HEAD are answered,
only the paths below exist. Nothing that came from the web is ever markup; were some of
it to become markup, no script, frame, font or picture of another site would load.
Without a token only this machine is served, and only under its own names, so that a
page elsewhere cannot reach it by rebinding DNS. Needs the extra `serve`.
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
        "article_places",
        "captures",
        "changes",
        "claims",
        "copies",
        "fates",
        "leads",
        "mentions",
        "places",
        "polls",
        "probable_copies",
        "rejections",
        "revisions",
        "sources",
        "tags",
    }
)
# Every address that is answered. The first group are the views of `pages.routes`, the
# second the tables, the third Datasette's own style sheets.
_SERVED_PATHS = re.compile(
    r"/|/search(\.json|\.csv)?|/feed\.atom|/map|/sources|/source/[^/]{1,200}"
    r"|/article/\d{1,18}(/raw|\.json)?|/style\.css|/icon\.svg"
    r"|/data(\.json)?|/data/[a-z_]{1,40}(\.json|\.csv)?|/data/[a-z_]{1,40}/[^/]{1,400}"
    r"|/-/static/[A-Za-z0-9._-]{1,80}"
)
_CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = (
    (b"content-security-policy", _CONTENT_SECURITY_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_COOKIE_NAME = "khabar"
_COOKIE_SECONDS = 2_592_000  # 30 days
MIN_TOKEN_CHARS = 16
MAX_QUERY_FIELDS = 200

# Datasette's limits
_SQL_MILLISECONDS = 1_000
_FACET_MILLISECONDS = 200
_MAX_TABLE_ROWS = 1_000


def serve(
    config: Config,
    *,
    host: str = "127.0.0.1",
    port: int = 8001,
    token: str = "",
    on_ready: Callable[[str], None],
) -> None:
    """Serve until stopped; `on_ready` is given the address once it answers.

    Beyond loopback a token is asked for. Raises UsageError, StoreError.
    """
    # Before anything is opened: a wrong option must not need a database to show.
    check_exposure(host, token)
    with (
        open_application(config, token=token) as app,
        open_listener(host, port) as listener,
    ):
        import uvicorn

        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{port}/"
        if token:
            address = f"{address}?{urlencode({'token': token})}"
        on_ready(address)
        # uvicorn stops on SIGTERM and then raises it again: without a handler of ours
        # the process would die of it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        settings = uvicorn.Config(
            app,
            ws="none",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
        )
        uvicorn.Server(settings).run(sockets=[listener])


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that is bound before anybody is told of it.

    Raises UsageError where it cannot be.
    """
    # uvicorn would bind later, and end with a traceback where the port is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"{host}, port {port}: {reason}; choose another with --port."
        ) from error


def check_exposure(host: str, token: str) -> None:
    """Raise UsageError where the network could read, or guess the token."""
    if not token and not _is_loopback(host):
        raise UsageError(
            f"--host {host} lets others in: add --token with a long secret, or serve "
            "127.0.0.1."
        )
    if token and len(token) < MIN_TOKEN_CHARS:
        raise UsageError(
            "The token is short enough to be guessed; take at least "
            f"{MIN_TOKEN_CHARS} characters."
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

    settings = {
        "sql_time_limit_ms": _SQL_MILLISECONDS,
        "facet_time_limit_ms": _FACET_MILLISECONDS,
        "max_returned_rows": _MAX_TABLE_ROWS,
        "num_sql_threads": 2,
        "default_cache_ttl": 0,
        # Free SQL could read every table, and take for ever.
        "default_allow_sql": False,
        "allow_download": False,
        "allow_csv_stream": False,
        "suggest_facets": False,
    }
    datasette = Datasette([], settings=settings, metadata={"title": "khabar"})
    datasette.remove_database("_memory")
    # The file changes meanwhile: as an immutable one its counts would be kept.
    database = Database(datasette, path=str(config.store.path), is_mutable=True)
    datasette.add_database(database, name="data")
    return datasette


def _build_plugin(datasette: "Datasette", routes: list[Any]) -> object:
    """Our pages in one Datasette, and what of its own may be seen.

    Plugins are registered for the whole process: each looks which Datasette asks.
    """
    from pluggy import HookimplMarker

    hookimpl = HookimplMarker("datasette")
    own = datasette

    class Plugin:
        """The hooks, with the arguments that Datasette calls them by."""

        __name__ = "khabar-pages"  # Datasette lists its plugins by it

        @hookimpl
        def register_routes(self, datasette: object) -> list[Any]:
            return routes if datasette is own else []

        @hookimpl
        def permission_allowed(
            self, datasette: object, action: str, resource: Any
        ) -> bool | None:
            if datasette is not own:
                return None
            return is_allowed(action, resource)

    return Plugin()


def is_allowed(action: str, resource: Any) -> bool:
    """Whether Datasette may do that.

    It may show the instance, the one database and the tables of `READABLE_TABLES`.
    """
    if action == "view-instance":
        return True
    if action == "view-database":
        return bool(resource == "data")
    if action == "view-table":
        database, table = resource
        return database == "data" and table in READABLE_TABLES
    return False


class AccessMiddleware:
    """The only way in: who asks, for what, and which headers every answer bears."""

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
            await self._respond(scope, receive, _with_security_headers(send))

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal:
            await _send_text(send, *refusal)
        elif self._token and not self._is_authorized(scope):
            await self._ask_for_token(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "Only reading."
        # A page elsewhere may have pointed its own name at this machine.
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
        header = headers.get(b"authorization", b"").decode("latin-1")
        if self._is_token(header.removeprefix("Bearer ").strip()):
            return True
        cookie = _read_cookie(headers).encode()
        return hmac.compare_digest(cookie, self._cookie.encode())

    def _is_token(self, given: str) -> bool:
        # In constant time: a comparison that ends early tells how much was right.
        return hmac.compare_digest(
            given.encode("utf-8", "replace"), self._token.encode()
        )

    async def _ask_for_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in who gives the token in the address, and ask everyone else for it.

        A feed reader gives it each time. A browser is sent on with a cookie and to the
        address without it, so that the token does not stay in its history.
        """
        query = scope.get("query_string", b"").decode("latin-1")
        pairs = parse_qsl(query, max_num_fields=MAX_QUERY_FIELDS)
        if not self._is_token(dict(pairs).get("token", "")):
            await _send_text(send, 401, "Add the token to the address once: ?token=…")
            return
        others = urlencode([pair for pair in pairs if pair[0] != "token"]).encode()
        scope["query_string"] = others
        if scope["path"].endswith((".atom", ".json", ".csv")):
            await self._app(scope, receive, send)
            return
        # As it was sent: decoded, a path could become the name of another host.
        location = _request_path(scope)
        if others:
            location = location + b"?" + others
        cookie = (
            f"{_COOKIE_NAME}={self._cookie}; HttpOnly; SameSite=Strict; Path=/; "
            f"Max-Age={_COOKIE_SECONDS}"
        )
        headers = [(b"location", location), (b"set-cookie", cookie.encode())]
        await _send_text(send, 303, "", headers)


def _with_security_headers(send: Send) -> Send:
    """`send`, with our headers in place of what an answer has of the same name."""
    replaced = {name for name, _ in _SECURITY_HEADERS} | {b"server"}

    async def send_with_headers(message: AsgiMessage) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message["headers"]
                if name.lower() not in replaced
            ]
            message["headers"] = [*kept, *_SECURITY_HEADERS]
        await send(message)

    return send_with_headers


def _request_path(scope: Scope) -> bytes:
    """The path as it was sent, percent signs and all."""
    sent: bytes = scope.get("raw_path") or scope["path"].encode()
    return sent.partition(b"?")[0]


def _requested_host(scope: Scope) -> str:
    """The name under which we were asked, without its port."""
    host: str = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    # `[::1]` is an address without a port.
    if host.endswith("]"):
        return host
    return re.sub(r":\d*$", "", host)


def _read_cookie(headers: dict[bytes, bytes]) -> str:
    # Another program on this host may have set cookies that cannot be read.
    try:
        cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    if _COOKIE_NAME not in cookies:
        return ""
    return str(cookies[_COOKIE_NAME].value)


async def _send_text(
    send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    plain = (b"content-type", b"text/plain; charset=utf-8")
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [plain, *(headers or [])],
    }
    await send(start)
    await send({"type": "http.response.body", "body": (text + "\n").encode()})
