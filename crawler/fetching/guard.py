"""What may be fetched at all: schemes, addresses in every spelling, ports.

Two checks, and both must pass. `Guard.check` looks at a URL before anything is asked,
on every redirect too. `Guard.check_dial` looks at the very address that a socket is
about to connect to, so that a name which answered with a public address first and a
private one later (rebinding) gains nothing. With a proxy names are resolved there: then
only the proxy itself may be dialled.
"""

import ipaddress
import re
import socket
import unicodedata
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from storage.identity import MAX_URL_CHARS
from storage.model import Refusal, RejectionReason

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SCHEMES = {"http": 80, "https": 443}
NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
# Names that no public resolver answers, or that a proxy would resolve to itself or to
# its neighbours.
INSIDE_NAMES = re.compile(
    r"(^|\.)(localhost|localdomain|local|internal|intranet|lan|home\.arpa)$"
)
NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}")


class AddressRefused(Exception):
    """A connection was about to go to an address that may not be fetched."""


def parse_address(host: str) -> Address | None:
    """The address that a URL's host spells out, or None for a name.

    Reads what browsers and `getaddrinfo` read: dotted, decimal, hexadecimal and octal
    IPv4 with one to four parts, IPv6 with or without brackets and zone, full-width
    digits.
    """
    plain = (
        unicodedata.normalize("NFKC", host)
        .strip("[]")
        .rstrip(".")
        .lower()
        .partition("%")[0]
    )
    try:
        return ipaddress.ip_address(plain)
    except ValueError:
        pass
    if not NUMERIC.fullmatch(plain):
        return None
    try:
        return IPv4Address(socket.inet_aton(plain))
    except OSError:
        # All digits and yet no address ("1.2.3.999"): never a name, so never fetched
        return IPv4Address(0)


def embedded_ipv4(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries, or the address itself.

    Mapped, compatible, 6to4 and NAT64 addresses carry one.
    """
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in NAT64) or 1 < int(address) < 2**32:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether an address belongs to the open internet."""
    inner = embedded_ipv4(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the proxy listens."""

    host: str
    port: int


@dataclass(slots=True)
class Guard:
    """Decides what may be fetched.

    `allow` names networks that may be although they are not public.
    """

    allow: tuple[Network, ...] = ()
    proxy: Endpoint | None = None
    _proxy_addresses: set[Address | None] = field(default_factory=set)

    def check(self, url: str) -> Refusal | None:
        """Why a URL may not be asked for, or None. Names are not resolved here."""
        if len(url) > MAX_URL_CHARS:
            detail = f"URL of {len(url)} characters"
            return Refusal(why=RejectionReason.SIZE, detail=detail)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            return Refusal(why=RejectionReason.SCHEME, detail=f"not a URL: {error}")
        if parts.scheme not in SCHEMES:
            detail = f"scheme {parts.scheme[:20]!r}"
            return Refusal(why=RejectionReason.SCHEME, detail=detail)
        if not host:
            return Refusal(why=RejectionReason.SCHEME, detail="no host")
        if parts.username is not None or parts.password is not None:
            return Refusal(why=RejectionReason.ADDRESS, detail="user name in the URL")

        if port is None:
            port = SCHEMES[parts.scheme]
        if not is_web_port(port):
            return Refusal(why=RejectionReason.ADDRESS, detail=f"port {port}")
        address = parse_address(host)
        if address is not None and not self.allows(address):
            detail = f"{host} is not a public address"
            return Refusal(why=RejectionReason.ADDRESS, detail=detail)
        if address is None and INSIDE_NAMES.search(host.rstrip(".").lower()):
            detail = f"{host} is a name of this machine or its neighbours"
            return Refusal(why=RejectionReason.ADDRESS, detail=detail)
        return None

    def allows(self, address: Address) -> bool:
        """Whether a page may come from this address."""
        inner = embedded_ipv4(address)
        for network in self.allow:
            if address in network or inner in network:
                return True
        return is_public(address)

    def check_dial(self, host: str, port: int) -> None:
        """Raise AddressRefused unless a socket may connect there now.

        `host` is an address, or the proxy's name.
        """
        address = parse_address(host)
        if self.proxy is None:
            is_allowed = address is not None and self.allows(address)
        else:
            is_proxy = host == self.proxy.host or address in self._proxy_addresses
            is_allowed = is_proxy and port == self.proxy.port
        if not is_allowed:
            raise AddressRefused(f"{host}:{port} is not a public address")

    def note_proxy(self, host: str, addresses: list[str]) -> None:
        """Remember what the proxy's own name resolved to.

        Any other name is of no interest.
        """
        if self.proxy is not None and host == self.proxy.host:
            known = {parse_address(address) for address in addresses}
            self._proxy_addresses = known - {None}


def is_web_port(port: int) -> bool:
    """80, 443 and the unprivileged ones.

    Below 1024 sit mail, file and login services that speak no HTTP.
    """
    return port in SCHEMES.values() or 1024 <= port <= 65535


def parse_proxy(proxy: str) -> Endpoint | None:
    """The proxy that a setting such as `http://127.0.0.1:8899` names.

    None for the empty setting.
    """
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    parts = urlsplit(proxy)
    port = parts.port or SCHEMES.get(parts.scheme, 80)
    return Endpoint(host=parts.hostname or "", port=port)
