"""A live crawl of everything that the hostile server does.

Each ends with its error and its fate, nothing is reached.

The crawl runs in a process of its own (`crawl.py`), whose connections are all seen.
With KHABAR_LONG=1 every attack file is served to it too, and a robots.txt of 50 MB.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from limits import LONG, MOST_MEGABYTES, MOST_SECONDS, attack_files, slowness

HERE = Path(__file__).parent
TIMEOUT = 4.0  # seconds for one request; 30 in earnest

# Poll error and fate of each behaviour; the pages of those that may mend themselves
# stay pending leads.
EXPECTED = {
    "size": (
        "size: ", ("refused", "size"),
        "/cl-huge", "/slowloris", "/bomb/gzip_1gb.gz.bin", "/bomb/gzip_256mb.gz.bin", "/bomb/brotli_1gb.br.bin",
        "/bomb/zstd_1gb.zst.bin", "/bomb/gzip_valid_feed_200mb.gz.bin",
    ),
    "endless": ("size: |timeout", ("refused|pending", "size|"), "/endless-chunked", "/endless-nolength"),
    "slow": ("timeout", ("pending", ""), "/slow-headers", "/silent"),
    "floods": ("timeout|too_many_headers|connection|None", (".*", ".*"), "/header-bomb-many", "/100-flood", "/cookie-flood"),
    "coding": ("bad_encoding", ("pending", ""), "/enc-stacked", "/enc-many", "/enc-unknown", "/bomb/gzip_truncated.gz.bin"),
    "torn": ("truncated", ("pending", ""), "/cl-too-long", "/chunk-truncated", "/bad-chunk"),
    "broken": (
        "connection: ", ("pending", ""),
        "/cl-negative", "/cl-double", "/garbage", "/rst", "/empty-reply", "/http09", "/header-endless", "/header-bomb-long",
        "/etag-huge", "/etag-1mb", "/redirect-long",
    ),
    "addresses": (
        "address: ", ("refused", "address"),
        "/ssrf-127", "/ssrf-ipv6", "/ssrf-dec", "/ssrf-hex", "/ssrf-short", "/ssrf-localhost", "/redirect-userinfo",
    ),
    "schemes": (
        "scheme: ", ("refused", "scheme"),
        "/ssrf-file", "/ssrf-ftp", "/ssrf-data", "/ssrf-gopher", "/ssrf-s3", "/redirect-js",
    ),
    "rounds": ("too_many_redirects", ("pending", ""), "/redirect-self", "/redirect-chain/1", "/redirect-endless-unique"),
    "nowhere": ("redirect without a target", ("failed", "redirect without a target"), "/redirect-empty"),
    "statuses": ("unexpected_status|unexpected_304|http ", ("failed", "http .*"),
        "/status-999", "/status-000", "/304-first", "/robots.txt", "/redirect-crlf"),
    "patience": ("http 429|http 503", ("pending", ""), "/retry-after-huge", "/retry-after-date", "/retry-after-junk"),
    "no feed": ("html_instead_of_feed|not_a_feed|ill_formed", (".*", ".*"),
        "/ct-html", "/internal-admin", "/ssrf-private", "/cl-too-short", "/meta-refresh"),
    "indexes": ("sitemap_index", ("rejected", "not_an_article"), "/sitemap0.xml"),
    "feeds after all": ("None", ("rejected", "not_an_article"), "/feed", "/ct-lie", "/ct-charset-evil", "/bomb/gzip_not_gzip.gz.bin"),
}  # fmt: skip


def behaviours(attacks: Path) -> list[str]:
    """Every path that the server knows, read from it, so that a new behaviour is tried too."""
    source = (attacks / "attack_server.py").read_text()
    table, _, handler = source.partition("async def handle")
    named = re.findall(r"'(/[a-z0-9-]+)':", table) + re.findall(
        r"p=='(/[^']+)'", handler
    )
    bombs = [f"/bomb/{path.name}" for path in sorted((attacks / "bombs").glob("*.bin"))]
    files = (
        [f"/static/{name}" for name in attack_files() if not name.startswith("bombs")]
        if LONG
        else []
    )
    return list(
        dict.fromkeys([*named, "/redirect-chain/1", "/sitemap0.xml", *bombs, *files])
    )


@contextmanager
def served(attacks: Path, log: Path, **environment: str) -> Iterator[int]:
    """The server, and its port."""
    command = [sys.executable, HERE / "server.py", attacks, log]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | environment
    )
    try:
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def crawled(folder: Path, port: int, paths: list[str]) -> dict:
    """What a crawl of these paths came to; it ends well and logs no fault."""
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"port": port, "paths": paths, "timeout": TIMEOUT}))
    command = [sys.executable, HERE / "crawl.py", plan, folder / "khabar.db"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert not re.search(
        "Traceback|Unhandled|never retrieved|exception", done.stderr
    ), done.stderr[-3_000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_hostile_server_breaks_nothing(shared, tmp_path, subtests):
    """One pass over every behaviour, as a feed and as a page, and what is true of all of it afterwards."""
    attacks, log = shared / "attacks", tmp_path / "log"
    with served(attacks, log) as port:
        found = crawled(tmp_path, port, behaviours(attacks))
    asked = [
        json.loads(line)
        for line in log.read_text().splitlines()
        if line.startswith("[")
    ]
    for kind in EXPECTED:
        with subtests.test(f"each has its error and its fate: {kind}"):
            error_and_fate(found, kind)
    with subtests.test(
        "each poll ends in time, also of a behaviour that nobody has met yet"
    ):
        assert not {
            path: poll
            for path, poll in found["polls"].items()
            if poll["seconds"] > MOST_SECONDS * slowness()
        }
    with subtests.test("the crawl's process grows by less than 300 MB"):
        assert found["memory"][1] - found["memory"][0] <= MOST_MEGABYTES
    with subtests.test("nothing ends in a fault of ours"):
        assert not [
            path
            for path, poll in found["polls"].items()
            if str(poll["error"]).startswith(("fault", "unread"))
        ]
    with subtests.test(
        "no connection and no lookup but to the allowed address; 127.0.0.1 and ::1 were never reached"
    ):
        assert found["reached"] == ["127.0.0.2"]
        assert not [line for line in asked if line[0] == "forbidden"]
    with subtests.test(
        "a name that turns to 127.0.0.1 between check and connection is refused"
    ):
        assert found["fates"]["turn"] == ["refused", "address"]
    with subtests.test(
        "no cookie of the flood is sent back, no referrer, no injected header"
    ):
        headers = [header.lower() for _, _, sent in asked for header in sent]
        assert headers
        assert not [
            header
            for header in headers
            if header.startswith(("cookie", "referer", "x-injected"))
        ]
    with subtests.test(
        "every poll adds up, the file is whole, the well-behaved feed among them was read"
    ):
        assert found["unbalanced"] == []
        assert found["integrity"] == "ok"
        assert found["polls"]["wire"]["error"] is None


def error_and_fate(found: dict, kind: str) -> None:
    """Assert what is expected of one kind of behaviour."""
    error, (fate, reason), *paths = EXPECTED[kind]
    for path in paths:
        assert re.match(error, str(found["polls"][path]["error"])), (
            path,
            found["polls"][path],
        )
        assert re.fullmatch(fate, found["fates"][path][0]), (path, found["fates"][path])
        assert re.fullmatch(reason, found["fates"][path][1]), (
            path,
            found["fates"][path],
        )


@pytest.mark.skipif(not LONG, reason="50 MB of robots.txt: only with KHABAR_LONG=1")
def test_a_robots_txt_of_50_mb_is_cut(shared, tmp_path):
    """Its first 500 kB count, in time and memory, and what they allow is fetched."""
    with served(shared / "attacks", tmp_path / "log", BIGROBOTS="1") as port:
        found = crawled(tmp_path, port, ["/feed"])
    assert found["polls"]["/feed"]["error"] is None
    assert found["seconds"] <= 4 * MOST_SECONDS * slowness()
    assert found["memory"][1] - found["memory"][0] <= MOST_MEGABYTES
