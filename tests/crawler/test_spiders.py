"""From a URL to a page.

What the network's faults mean, where redirects lead, what TLS and a proxy must do.
"""

import asyncio
import ssl
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.exceptions import DownloadFailedError, DownloadTimeoutError
from scrapy.http import Response

from crawler.fetching import download, loop
from crawler.fetching.download import Slot
from crawler.fetching.fetcher import Fetcher
from crawler.fetching.guard import AddressRefused, Guard, parse_proxy
from crawler.fetching.requests import Fetched, FetchRequest
from crawler.workers import WorkerPool
from storage.model import Failure, Refusal, RejectionReason


def get(web, url, *, lookup=None, headers=None, verify_tls=True, **changes):
    """What comes of one request."""
    settings = web.settings(**changes)

    async def fetch():
        guard = Guard(settings.allow_addresses, parse_proxy(settings.proxy))
        loop.install_guard(guard, lookup or web.everywhere)
        fetcher = Fetcher(settings, guard, WorkerPool(1))
        await fetcher.start()
        ask = FetchRequest(
            url=url,
            headers=headers or {},
            limit=50_000,
            redirects=5,
            verify_tls=verify_tls,
        )
        async with fetcher.fetch(ask) as outcome:
            await fetcher.stop(1)
            return outcome

    return loop.run(fetch())


def test_a_page_is_what_the_server_sent(web):
    """Status, headers and decoded body.

    The URL is asked for as it was given, query and all.
    """
    web.pages["news.example/a%20b?x=1&utm_source=rss"] = web.Answer(
        b"<p>hello</p>", headers={"X-One": "1"}
    )
    got = get(
        web,
        web.url("news.example/a%20b?x=1&utm_source=rss"),
        headers={"If-None-Match": 'W/"x y"'},
    )
    assert (got.page.status, got.page.body, got.page.header("x-one")) == (
        200,
        b"<p>hello</p>",
        "1",
    )
    assert web.asked[-1].headers["If-None-Match"] == 'W/"x y"'


def test_an_error_page_is_a_page_too(web):
    """A 404 is an answer; what it means is decided by who asked."""
    got = get(web, web.url("news.example/none"))
    assert isinstance(got, Fetched)
    assert got.page.status == 404


@pytest.mark.parametrize(
    ("location", "target"),
    [("/b", "http://a.example/b"), ("b#part", "http://a.example/x/b"), ("//c.example/d", "http://c.example/d"),
     ("https://c.example/", "https://c.example/"), ("?q=1", "http://a.example/x/y?q=1"), (" /spaces ", "http://a.example/spaces"), ("", None)],
)  # fmt: skip
def test_case_28_a_location_is_resolved_and_its_fragment_dropped(location, target):
    """Relative, protocol-relative and absolute; an empty one is no target."""
    response = Response("http://a.example/x/y", headers={"Location": location})
    assert download.redirect_target(response, "http://a.example/x/y") == target


@given(st.binary(max_size=300))
def test_no_location_makes_it_fail(location):
    """Any bytes are a target or none."""
    response = Response("http://a.example/", headers={"Location": location})
    target = download.redirect_target(response, "http://a.example/")
    assert target is None or isinstance(target, str)


def test_a_fault_is_told_by_what_lies_under_it():
    """An address that was refused at the connection is a refusal; TLS is called TLS."""
    wrapped = DownloadFailedError("no")
    wrapped.__cause__ = AddressRefused("127.0.0.1:80 is not a public address")
    assert download.describe_fault(wrapped) == Refusal(
        why=RejectionReason.ADDRESS, detail="127.0.0.1:80 is not a public address"
    )
    assert download.describe_fault(DownloadTimeoutError("slow")) == Failure(
        detail="timeout"
    )
    assert download.describe_fault(
        ssl.SSLError("certificate has expired")
    ).detail.startswith("tls")


def test_a_name_that_nobody_knows_is_a_dns_fault(web):
    """No address is not the same as no answer."""

    async def nowhere(host):
        raise OSError("no such name")

    assert get(web, web.url("gone.example/"), lookup=nowhere).detail == "dns"


def test_case_43_a_certificate_that_nobody_vouches_for_is_a_tls_fault_unless_the_source_allows_it(
    web, tmp_path
):
    """Verification is on by default.

    Switched off for one source it fetches the page.
    """
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = [
        "-subj",
        "/CN=news.example",
        "-addext",
        "subjectAltName=DNS:news.example",
    ]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    try:
        subprocess.run([*command, *subject], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed: no certificate to refuse")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web.server.socket = context.wrap_socket(web.server.socket, server_side=True)
    web.pages["news.example/a"] = web.Answer(b"<p>hello</p>")
    url = web.url("news.example/a").replace("http:", "https:")
    refused = get(web, url)
    assert isinstance(refused, Failure)
    assert refused.detail.startswith("tls")
    assert get(web, url, verify_tls=False).page.body == b"<p>hello</p>"


def test_through_a_proxy_everything_goes_robots_txt_included(web):
    """No name is looked up here and nothing else is connected to.

    The log-in stays with the proxy.
    """
    seen = []

    async def nowhere(host):
        seen.append(host)
        return []

    proxy = f"http://me:secret@127.0.0.2:{web.port}"
    got = get(web, "http://news.example/a", lookup=nowhere, proxy=proxy)
    assert got.page.status == 404
    assert seen == []
    assert [one.headers["Host"] for one in web.asked] == [
        "news.example",
        "news.example",
    ]
    assert {one.headers["Proxy-Authorization"] for one in web.asked} == {
        "Basic bWU6c2VjcmV0"
    }


def test_a_place_that_nobody_waits_for_is_handed_on():
    """A request that was given up while it waited for room begins no download and holds no place."""

    async def places():
        free = asyncio.Semaphore(1)
        first, second, third = (Slot(free) for _ in range(3))
        await first.acquire()
        waiting = asyncio.ensure_future(second.acquire())
        await asyncio.sleep(0)
        second.abandon()
        first.abandon()
        await asyncio.wait({waiting})
        await asyncio.wait_for(third.acquire(), 1)
        return waiting.exception()

    assert asyncio.run(places()) is not None
