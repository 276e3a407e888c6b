"""A live crawl of a hostile server.

Every behaviour ends, in time and memory, as the right error, and harms no neighbour.
"""

import asyncio
import re
import resource
import socket
import subprocess
import sys
import time
from ipaddress import ip_network

import pytest

from builders import make_source
from crawler import passes
from crawler.fetching import loop
from crawler.sources import CrawlSettings

# What each behaviour must end as: the start of the poll's error, or "" where it is only
# odd and gets read.
EXPECTED = {
    "/feed": "", "/ct-lie": "", "/ct-charset-evil": "", "/cookie-flood": "", "/bomb/gzip_not_gzip.gz.bin": "",
    "/304-first": "unexpected_304", "/bad-chunk": "truncated", "/chunk-truncated": "truncated", "/cl-too-long": "truncated",
    "/cl-double": "connection", "/cl-negative": "connection", "/cl-huge": "size", "/cl-too-short": "ill_formed",
    "/ct-html": "html_instead_of_feed", "/meta-refresh": "html_instead_of_feed", "/empty-reply": "connection",
    "/rst": "connection", "/garbage": "connection", "/http09": "connection", "/etag-huge": "connection",
    "/etag-1mb": "connection", "/header-bomb-long": "connection", "/header-bomb-many": "too_many_headers",
    "/header-endless": "connection", "/redirect-long": "connection", "/endless-chunked": "size", "/endless-nolength": "size",
    "/enc-many": "bad_encoding", "/enc-stacked": "bad_encoding", "/enc-unknown": "bad_encoding",
    "/redirect-empty": "redirect without", "/redirect-self": "too_many_redirects", "/redirect-chain/1": "too_many_redirects",
    "/redirect-endless-unique": "too_many_redirects", "/redirect-js": "scheme", "/redirect-userinfo": "address",
    "/retry-after-date": "http 503", "/retry-after-huge": "http 429", "/retry-after-junk": "http 503",
    "/silent": "timeout", "/slow-headers": "timeout", "/slowloris": "size", "/status-000": "unexpected_status",
    "/status-999": "unexpected_status", "/ssrf-private": "address", "/ssrf-ipv6": "address", "/ssrf-localhost": "address",
    "/ssrf-data": "scheme", "/ssrf-file": "scheme", "/ssrf-ftp": "scheme", "/ssrf-gopher": "scheme", "/ssrf-s3": "scheme",
    "/bomb/gzip_1gb.gz.bin": "size", "/bomb/gzip_256mb.gz.bin": "size", "/bomb/brotli_1gb.br.bin": "size",
    "/bomb/zstd_1gb.zst.bin": "size", "/bomb/gzip_valid_feed_200mb.gz.bin": "size",
    "/bomb/gzip_truncated.gz.bin": "bad_encoding",
}  # fmt: skip
TIMEOUT = 10.0


@pytest.fixture
def server(shared, tmp_path):
    """The hostile server.

    Yields its port, and afterwards nothing forbidden was asked.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "log"
    command = [
        sys.executable,
        "attack_server.py",
        "--port",
        str(port),
        "--log",
        str(log),
        "--seconds",
        "320",
    ]
    process = subprocess.Popen(command, cwd=shared / "attacks")
    for _ in range(1_200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()
    assert "internal-admin" not in log.read_text()


def test_every_behaviour_ends_as_what_it_is(server, store):
    """Bombs, floods, lies, loops and silence.

    Each within the timeout and 300 MB, the loop alive, a good feed still read.
    """

    async def here(host):
        return ["127.0.0.1"]

    sources = [
        make_source(f"s{n}", url=f"http://h{n}.example:{server}{path}", name=path)
        for n, path in enumerate(EXPECTED)
    ]
    settings = CrawlSettings(
        delay=0,
        timeout=TIMEOUT,
        allow_addresses=(ip_network("127.0.0.1/32"),),
        workers=1,
    )
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    report = loop.run(
        asyncio.wait_for(
            passes.crawl(store, sources, settings, force=True, lookup=here), 300
        )
    )
    # Sixty hosts side by side, the slowest for as long as a request may take.
    assert time.monotonic() - began < 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    wrong = {}
    for source in sources:
        error, expected = (
            report.for_source(source.id).error or "",
            EXPECTED[source.name],
        )
        # A large body may meet the clock before the limit where the machine is busy.
        accepted = (expected, "timeout") if expected == "size" else (expected,)
        if bool(error) != bool(expected) or not error.startswith(accepted):
            wrong[source.name] = error
    assert wrong == {}


def test_every_behaviour_of_the_server_is_in_the_table(shared):
    """A new attack in the shared folder is noticed."""
    text = (shared / "attacks" / "attack_server.py").read_text()
    known = set(re.findall(r"p=='(/[^']+)'", text)) | set(
        re.findall(r"'(/(?:ssrf|redirect)-[^']+)':", text)
    )
    own_tests = {"/robots.txt", "/internal-admin", "/100-flood", "/redirect-crlf"}
    loopback_spellings = {
        "/ssrf-127",
        "/ssrf-dec",
        "/ssrf-hex",
        "/ssrf-short",
    }  # test_engine: 127.0.0.1 is allowed here
    assert known - own_tests - loopback_spellings <= EXPECTED.keys()
