"""What may be fetched.

Every spelling of an address that is not public is refused, before and at the
connection.
"""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fetching.guard import (
    AddressRefused,
    Endpoint,
    Guard,
    is_public,
    parse_address,
    parse_proxy,
)
from storage.model import RejectionReason

LOOPBACK_SPELLINGS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.",
    "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]",
    "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "１２７.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_every_spelling_of_loopback_is_refused(host):
    """Decimal, hexadecimal, octal, short, IPv6, mapped, 6to4, NAT64 and full-width forms are all one address."""
    refusal = Guard().check(f"http://{host}/")
    assert refusal is not None
    assert refusal.why is RejectionReason.ADDRESS


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.9.9", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
     "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1", "64:ff9b::a00:1"],
)  # fmt: skip
def test_addresses_that_are_not_the_open_internet_are_not_public(address):
    """Private, link-local, shared, multicast, documentation and carried private addresses."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "2606:4700:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses_are_public(address):
    """Also when an IPv6 address carries them."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", RejectionReason.SCHEME), ("ftp://news.example/a", RejectionReason.SCHEME), ("javascript:alert(1)", RejectionReason.SCHEME),
        ("data:text/html,x", RejectionReason.SCHEME), ("gopher://news.example/", RejectionReason.SCHEME), ("http:///path", RejectionReason.SCHEME),
        ("http://[::1/", RejectionReason.SCHEME), ("http://news.example:99999/", RejectionReason.SCHEME), ("//news.example/a", RejectionReason.SCHEME),
        ("http://user:pw@news.example/", RejectionReason.ADDRESS), ("http://news.example:25/", RejectionReason.ADDRESS),
        ("http://localhost/", RejectionReason.ADDRESS), ("http://a.localhost:8080/", RejectionReason.ADDRESS), ("http://printer.local/", RejectionReason.ADDRESS),
        ("http://1.2.3.999/", RejectionReason.ADDRESS), ("http://news.example/" + "a" * 3000, RejectionReason.SIZE),
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused_with_its_reason(url, why):
    """Schemes, missing hosts, log-ins, ports of other services, names of this machine, endless URLs."""
    refusal = Guard().check(url)
    assert refusal is not None
    assert refusal.why is why


@pytest.mark.parametrize(
    "url",
    [
        "http://news.example/a?b=c",
        "https://news.example:8443/",
        "http://8.8.8.8/",
        "http://xn--mgbaam7a8h/",
    ],
)
def test_ordinary_urls_pass(url):
    """Names, public addresses, unprivileged ports, internationalised hosts."""
    assert Guard().check(url) is None


def test_an_allowed_network_passes_and_its_neighbour_does_not():
    """`allow_addresses` opens exactly what it names."""
    guard = Guard(allow=(ipaddress.ip_network("127.0.0.2/32"),))
    assert guard.check("http://127.0.0.2:8080/") is None
    assert guard.check("http://127.0.0.1:8080/") is not None
    guard.check_dial("127.0.0.2", 8080)
    with pytest.raises(AddressRefused):
        guard.check_dial("127.0.0.1", 8080)


def test_a_name_is_never_dialled():
    """What is connected to is an address that was checked, so that no second lookup can change it."""
    with pytest.raises(AddressRefused):
        Guard().check_dial("news.example", 80)


def test_with_a_proxy_only_the_proxy_is_dialled():
    """Even a public address is not connected to past the proxy, and the proxy may be on this machine."""
    guard = Guard(proxy=parse_proxy("http://127.0.0.1:8899"))
    guard.check_dial("127.0.0.1", 8899)
    for host, port in [("8.8.8.8", 80), ("127.0.0.1", 8898), ("127.0.0.2", 8899)]:
        with pytest.raises(AddressRefused):
            guard.check_dial(host, port)


def test_a_named_proxy_is_dialled_at_the_addresses_it_resolved_to():
    """The proxy's own name is the only one whose addresses are taken over."""
    guard = Guard(proxy=Endpoint("proxy.lan", 3128))
    guard.note_proxy("news.example", ["127.0.0.9"])
    guard.note_proxy("proxy.lan", ["127.0.0.7"])
    guard.check_dial("127.0.0.7", 3128)
    with pytest.raises(AddressRefused):
        guard.check_dial("127.0.0.9", 3128)


def test_with_a_proxy_literal_addresses_are_still_checked():
    """The proxy would fetch its own neighbours for us."""
    guard = Guard(proxy=parse_proxy("127.0.0.1:8899"))
    assert guard.check("http://169.254.169.254/latest/") is not None
    assert guard.check("http://news.example/") is None


@given(st.integers(0, 2**32 - 1))
def test_decimal_hexadecimal_and_octal_spellings_are_the_same_address(number):
    """Whatever the number, all spellings are one address and get one verdict."""
    address = ipaddress.IPv4Address(number)
    spellings = {
        str(address),
        str(number) if number > 255 else str(address),
        hex(number),
        f"0{number:o}",
    }
    assert {parse_address(spelling) for spelling in spellings} == {address}
    assert {Guard().check(f"http://{spelling}/") is None for spelling in spellings} == {
        is_public(address)
    }


@given(st.text(max_size=200))
def test_no_text_makes_the_check_fail(text):
    """Any text is a URL that passes or a refusal, never an exception."""
    Guard().check(text)
    Guard().check("http://" + text)
    parse_address(text)
