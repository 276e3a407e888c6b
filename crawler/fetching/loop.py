"""The process's one event loop, and the one place through which Twisted connects.

A reactor can be installed once in a process and belongs to one asyncio loop, so both
are made here, the first time they are needed, and kept. Every TCP connection that
Scrapy opens goes through `GuardedReactor.connectTCP`.
"""

import asyncio
import gc
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.interfaces import IConnector, IHostnameResolver, IHostResolution
from twisted.internet.main import installReactor
from zope.interface import implementer  # type: ignore[import-untyped]

from crawler.fetching.guard import Guard, parse_address

T = TypeVar("T")
ResolveHost = Callable[[str], Awaitable[list[str]]]

LOOKUP_SECONDS = 20.0  # seconds


class GuardedReactor(AsyncioSelectorReactor):
    """asyncio's reactor, whose outgoing connections are checked where they are made."""

    guard: Guard | None = None

    def connectTCP(self, host: str, port: int, *args: Any, **kwargs: Any) -> IConnector:  # noqa: N802 - Twisted's name
        """As Twisted's; raises AddressRefused before a socket exists."""
        if self.guard is not None:
            self.guard.check_dial(host, port)
        return super().connectTCP(host, port, *args, **kwargs)


async def resolve_host(host: str) -> list[str]:
    """The addresses of a name, as the system resolves it. Raises OSError."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


@implementer(IHostnameResolver)
class Resolver:
    """Resolves names on asyncio.

    Twisted's own threads, which nobody would stop, never start.
    """

    def __init__(self, guard: Guard, lookup: ResolveHost = resolve_host) -> None:
        self.guard = guard
        self.lookup = lookup

    def resolveHostName(  # noqa: N802 - Twisted's name
        self,
        resolutionReceiver: Any,  # noqa: N803 - Twisted's name
        hostName: str,  # noqa: N803 - Twisted's name
        portNumber: int = 0,  # noqa: N803 - Twisted's name
        addressTypes: Sequence[type] | None = None,  # noqa: ARG002, N803 - Twisted's name
        transportSemantics: Literal["TCP", "UDP"] = "TCP",  # noqa: N803 - Twisted's name
    ) -> _Resolution:
        """Tell the receiver each address of a name."""
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        async def report_addresses() -> None:
            try:
                for address in await self._resolve(hostName):
                    family: type[IPv4Address | IPv6Address] = IPv4Address
                    if ":" in address:
                        family = IPv6Address
                    found = family(transportSemantics, address, portNumber)
                    resolutionReceiver.addressResolved(found)
            finally:
                resolutionReceiver.resolutionComplete()

        resolution.task = asyncio.ensure_future(report_addresses())
        return resolution

    async def _resolve(self, host: str) -> list[str]:
        """The addresses of a name; Twisted makes a DNSLookupError of none."""
        spelled = parse_address(host)
        if spelled is not None:
            return [str(spelled)]
        try:
            addresses = await asyncio.wait_for(self.lookup(host), LOOKUP_SECONDS)
        except (OSError, UnicodeError, TimeoutError):
            return []
        self.guard.note_proxy(host, addresses)
        return addresses


_made: asyncio.AbstractEventLoop | None = None


def get_loop() -> asyncio.AbstractEventLoop:
    """The loop that the reactor runs on; both are made on the first call."""
    global _made  # noqa: PLW0603 - a process has one reactor, and Twisted keeps it in a module too
    if _made is None:
        # Each request makes thousands of short-lived objects and few cycles: collecting
        # every 700 frees little.
        gc.set_threshold(20_000, 20, 20)
        _made = asyncio.new_event_loop()
        reactor = GuardedReactor(_made)
        installReactor(reactor)  # type: ignore[no-untyped-call]
        # Nobody calls reactor.run(): asyncio drives the loop, and the reactor only has
        # to believe that it runs.
        reactor.startRunning(installSignalHandlers=False)
    return _made


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the process's loop, as `asyncio.run` would on a new one.

    SIGINT and SIGTERM cancel it, so that it can put everything in order; then
    KeyboardInterrupt is raised.
    """
    current = get_loop()
    asyncio.set_event_loop(current)
    task = current.create_task(main)
    with _stopped_by_signals(current, task):
        try:
            return current.run_until_complete(task)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


@contextmanager
def _stopped_by_signals(
    current: asyncio.AbstractEventLoop, task: "asyncio.Task[Any]"
) -> Iterator[None]:
    """Signals cancel the task meanwhile.

    Only the main thread may be told of signals, and only where they exist.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or sys.platform == "win32":
        yield
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        current.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            current.remove_signal_handler(number)


def install_guard(guard: Guard, lookup: ResolveHost = resolve_host) -> None:
    """Put every later connection of this process under a guard."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it earlier would install the default one

    assert isinstance(reactor, GuardedReactor)
    reactor.guard = guard
    reactor.installNameResolver(Resolver(guard, lookup))
