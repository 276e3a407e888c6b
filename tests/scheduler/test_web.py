"""The reading pages, served on loopback over a store of hostile articles.

As programs ask, and in a real browser.
"""

import http.client
import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import (
    make_document,
    make_landing,
    make_page,
    make_place,
    make_poll,
    make_source_state,
)
from crawler.sources import CrawlSettings
from scheduler.config import Config
from storage.errors import UsageError
from storage.model import (
    Claim,
    Correction,
    Cut,
    Document,
    Label,
    Mention,
    Reason,
    Verdict,
    utc_now,
)
from storage.settings import StoreSettings
from storage.store import Store

uvicorn = pytest.importorskip(
    "uvicorn", reason="the extra `serve` is not installed: the pages are not tested"
)
pytest.importorskip(
    "datasette", reason="the extra `serve` is not installed: the pages are not tested"
)

from scheduler import web  # noqa: E402 - after the skip

CHROMIUM = (
    shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
TOKEN = "a-long-secret-for-the-tests"

# Each of these would do something if it were markup, an attribute, a template, a style
# or a link.
HOSTILE = (
    "<script>document.title='pwned'</script>",
    '"><img src="http://127.0.0.1:{port}/canary" onerror="document.title=1">',
    "<svg/onload=document.title='pwned'>",
    "{{{{ 7*7 }}}} {{% raw %}} ${{7*7}}",
    "</title></textarea></style><style>body{{display:none}}</style>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:{port}/canary'><base href='http://127.0.0.1:{port}/'>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe><link rel=stylesheet href=http://127.0.0.1:{port}/canary>",
    "\u202egnp.exe \u2066hidden\x1b[2J\x00 \U000e0041",
    "' onmouseover='document.title=1' x='",
)


class Canary(http.server.BaseHTTPRequestHandler):
    """Whoever asks it anything has followed a hostile text."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def canary() -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Bird", (Canary,), {"asked": asked})
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], asked
    server.shutdown()
    server.server_close()


def hostile(number: int, text: str, at: datetime) -> Document:
    body = (
        f"Written for the tests: report {number} of an invented outlet says {number} "
        f"things about nothing at all, in {number} words or more than that."
    )
    reason = Reason(term=text, where="title", weight=0.5, kind="event")
    claim = Claim(
        kind="killed", number=3, qualifier="at least", said_by=text, sentence=text
    )
    return make_document(
        f"https://evil.example/{number}",
        f"{text}\n{body}\n{text}",
        title=text,
        authors=(text,),
        language="en",
        published_at=at,
        published_how="feed",
        mentions=(
            make_place("AF17", text, sentence=text),
            Mention(kind="actor", code=text, name=text, count=1),
        ),
        claims=(claim,),
        cuts=(Cut(rule=text, text=text),),
        verdict=Verdict(score=0.9, reasons=(reason,)),
        credit=text,
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory, canary) -> Config:
    """A store in which every text that a stranger can write is an attack.

    One article was revised, copied and captured.
    """
    folder = tmp_path_factory.mktemp("web")
    settings = StoreSettings(path=folder / "khabar.db", captures=folder / "captures")
    now = utc_now().replace(microsecond=0)
    with Store.open(settings.path, captures=settings.captures) as store:
        store.sources.sync(
            [
                make_source_state("evil", name="<b>Evil</b> & Sons"),
                make_source_state(
                    "quiet", name="Quiet </td><script>", url="javascript:alert(1)"
                ),
                make_source_state("fa", name="خبرها"),
            ]
        )
        store.polls.land(
            make_poll(
                source="quiet",
                at=now,
                status="error",
                error="<script>boom</script>",
                failures=5.0,
            )
        )
        store.gazetteer.sync_places(
            [
                {
                    "code": "AF17",
                    "kind": "province",
                    "name": "Kunduz",
                    "province_code": "AF17",
                    "lat": 36.7,
                    "lon": 68.9,
                }
            ]
        )
        store.gazetteer.sync_spellings(
            [("name", "AF17", "Kunduz"), ("place", "AF17", "Kunduz")]
        )
        texts = [text.format(port=canary[0]) for text in HOSTILE]
        for number, text in enumerate(texts):
            store.landings.admit(
                hostile(number, text, now - timedelta(hours=number)), now=now
            )
        body = f"<html><body><script>{texts[0]}</script></body></html>".encode()
        page = make_page(
            "https://fa.example/1",
            body,
            headers=(("Content-Type", "text/html"),),
            fetched_at=now,
        )
        dari = "در ولایت کندز باران بارید و دهقانان گفتند که این باران برای گندم خوب است؛ این خبر برای آزمون نوشته شده است و هیچ گاه در جایی نشر نشده بود."
        for text in (dari, dari + "\n<del>افزوده</del> دوازده"):
            document = make_document(
                page.url,
                text,
                title="باران در کندز",
                language="fa",
                published_at=now,
            )
            store.landings.land([make_landing(document, page=page)], now=now)
        store.landings.admit(
            make_document(
                "https://evil.example/copy",
                dari + "\n<del>افزوده</del> دوازده",
                title="<i>copy</i>",
                published_at=now,
            ),
            now=now,
        )
    return Config(store=settings, crawl=CrawlSettings(), sources=())


@contextmanager
def served(config: Config, token: str = "") -> Iterator[int]:
    with web.open_application(config, token=token) as app, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, ws="none"
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def port(config) -> Iterator[int]:
    with served(config) as at:
        yield at


def ask(
    port: int, path: str, *, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(
            method,
            path,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        answer = connection.getresponse()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            answer.read(),
        )
    finally:
        connection.close()


PAGES = [
    "/",
    "/search",
    "/search?q=report+OR+%DA%A9%D9%86%D8%AF%D8%B2",
    "/search?q=%3Cscript%3E&place=%22%3E%3Cscript%3E&since=7d",
    "/map",
    "/sources",
    "/source/evil",
    "/source/quiet",
    "/source/fa",
    "/article/1",
    "/article/2",
    "/article/10",
    "/data",
    "/data/articles",
]


# What is served


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_hostile_text_as_text(port, canary, path):
    """Every page answers, and no element, attribute or template in it comes from an article."""
    status, _, body = ask(port, path)
    assert status == 200
    for sign in (
        b"<script>document",
        b'<img src="http',
        b"<svg/onload",
        b"<iframe",
        b"<base",
        b"<meta http-equiv",
        b"<b>Evil",
        b"onmouseover='",
        b"<i>copy",
        b'javascript:alert(1)"',
    ):
        assert sign not in body
    assert b" 49 " not in body.replace(b"\n", b" ") or path.startswith("/data")


@pytest.mark.parametrize(
    "path",
    [
        *PAGES,
        "/nowhere",
        "/article/999999",
        "/style.css",
        "/feed.atom",
        "/search?limit=x",
    ],
)
def test_every_answer_forbids_what_is_not_ours(port, path):
    """No script, picture, frame or font from anywhere else may load, whatever the answer."""
    _, headers, _ = ask(port, path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_front_page_answers_what_is_new(port):
    """Carriers, corrections, provinces and failing sources stand on it."""
    text = ask(port, "/")[2].decode()
    for expected in (
        "2 reports",
        "By province",
        "Kunduz",
        "What changed since",
        "revised",
        "failing",
        "باران در کندز",
    ):
        assert expected in text


def test_an_article_page_tells_everything(port):
    """Copies, changes, claims marked as unverified, reasons, cuts, the raw page."""
    text = ask(port, "/article/10")[2].decode()
    for expected in (
        "Carried by 2 sources",
        "<ins>",
        'lang="fa"',
        'dir="auto"',
        "/article/10/raw",
    ):
        assert expected in text
    evil = ask(port, "/article/1")[2].decode()
    for expected in (
        "Unverified",
        "at least 3 killed",
        "Why it was kept",
        " cut</summary>",
    ):
        assert expected in evil


def test_the_raw_page_is_a_file_of_text(port):
    """A capture is downloaded, never shown as a page."""
    status, headers, body = ask(port, "/article/10/raw")
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert headers["content-disposition"].startswith("attachment")
    assert body.startswith(b"<html>")


def test_searches_leave_as_json_csv_and_atom(port):
    """The same search for programs.

    The feed is well formed and finds what the page finds.
    """
    found = json.loads(ask(port, "/search.json?q=Kunduz&lang=fa")[2])
    assert [article["id"] for article in found["articles"]] == [10] or found[
        "articles"
    ] == []
    assert len(json.loads(ask(port, "/search.json?source=evil")[2])["articles"]) == 9
    feed = ET.fromstring(ask(port, "/feed.atom?source=evil")[2])
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 9
    assert ask(port, "/search.csv?source=evil")[2].count(b"https://evil.example/") == 9
    assert json.loads(ask(port, "/article/10.json")[2])["source"] == "fa"


def test_what_people_said_stands_on_the_pages(config, port):
    """Tags are chips, facets and a filter.

    Judgements stand beside the article, with the other text; all of it is text.
    """
    with Store.open(config.store.path, captures=config.store.captures) as store:
        store.annotations.apply(
            Correction(label=Label.TAG, what=10, tag="<b>to check</b>")
        )
        store.annotations.apply(Correction(label=Label.NOT_A_COPY, what=3, other=2))
        store.annotations.apply(Correction(label=Label.RELEVANT, what=3))
    assert [
        row["id"]
        for row in json.loads(ask(port, "/search.json?tag=%3CB%3Eto+check%3C/b%3E")[2])[
            "articles"
        ]
    ] == [10]
    page = ask(port, "/search?tag=%3Cb%3Eto+check%3C/b%3E")[2].decode()
    assert "By tag" in page
    assert "<b>to check" not in page + ask(port, "/article/10")[2].decode()
    said = ask(port, "/article/3")[2].decode()
    assert "What people said" in said
    assert "not a copy" in said
    assert 'href="/article/2"' in said
    assert (
        "https://evil.example/2"
        in ask(port, "/article/2")[2].decode().split("What people said")[1]
    )
    assert b"to check" in ask(port, "/data/tags")[2]


def test_filters_narrow_the_page(port):
    """A source's articles and nothing else; a wrong value is told, not ignored."""
    assert "evil.example" not in ask(port, "/search?source=fa")[2].decode()
    status, _, body = ask(port, "/search?since=2026-13-45")
    assert (status, b"2026-13-45" in body) == (400, True)


def test_what_a_page_names_is_there(port):
    """Style sheet and icon come from us, with their types."""
    page = ask(port, "/")[2].decode()
    for path, kind in re.findall(
        r'<link rel="(?:stylesheet|icon)" href="([^"]+)"(?: type="([^"]+)")?', page
    ):
        status, headers, _ = ask(port, path)
        assert (status, headers["content-type"].startswith(kind or "text/css")) == (
            200,
            True,
        )


@pytest.mark.parametrize(
    "path",
    ["/article/999999", "/article/999999.json", "/article/1/raw", "/source/nobody"],
)
def test_what_is_not_there_is_told(port, path):
    """An article, a source or a raw page that there is not.

    A page of ours that says so.
    """
    status, _, body = ask(port, path)
    assert (status, b"khabar" in body) == (404, True)


# What is not served


@pytest.mark.parametrize(
    "table",
    ["fts", "folded", "meta", "documents", "entries", "sqlite_master", "requests"],
)
def test_only_the_documented_tables_are_shown(port, table):
    """The index, the file's inner tables and requests are not for browsers."""
    assert ask(port, f"/data/{table}")[0] in {403, 404}
    assert ask(port, f"/data/{table}.json")[0] in {403, 404}


@pytest.mark.parametrize(
    "path",
    [
        "/data?sql=select+1",
        "/data.json?sql=select+1",
        "/data/articles?_where=1=1",
        "/data.db",
        "/khabar.db",
        "/-/databases.json",
        "/-/versions",
        "/-/permissions",
        "/-/allow-debug",
        "/_memory",
        "/_internal",
        "/_internal/databases",
        "/-/static/..%2f..%2fapp.py",
        "/%2e%2e/khabar.db",
        "/article/1%20or%201",
        "//evil.example/",
    ],
)
def test_nothing_else_is_to_be_had(port, path):
    """No SQL, no download of the file, none of Datasette's inner pages."""
    status, _, body = ask(port, path)
    assert status in {400, 403, 404}
    assert b"SQLite format" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading(port, method):
    """Every method that could change something is refused."""
    assert ask(port, "/", method=method)[0] == 405


def test_serving_changes_nothing(config, port):
    """After all of that the file is as it was: its data version and every count."""
    with Store.read(config.store.path) as store:
        before = store.stats.counts()
        for path in PAGES:
            ask(port, path)
        assert store.stats.counts() == before


# Who may read


def test_another_host_is_not_served_without_a_token():
    """Serving a network without a token, or with one that can be guessed, is an error of use."""
    for host in ("0.0.0.0", "::", "192.0.2.1", "news.example"):
        with pytest.raises(UsageError):
            web.check_exposure(host, "")
    with pytest.raises(UsageError):
        web.check_exposure("0.0.0.0", "short")
    web.check_exposure("0.0.0.0", TOKEN)
    for host in ("127.0.0.1", "::1", "localhost"):
        web.check_exposure(host, "")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.1"]
)
def test_a_rebound_name_is_refused(port, host):
    """A page elsewhere that makes its own name point here gets nothing."""
    assert ask(port, "/", Host=host)[0] == 421


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8001", "127.0.0.1", "[::1]:8001"]
)
def test_its_own_names_are_served(port, host):
    """The loopback names work, with and without a port."""
    assert ask(port, "/", Host=host)[0] == 200


def test_with_a_token_only_who_has_it_reads(config):
    """No token no page.

    A browser gets a cookie and an address without it, a program sends it, a feed reader
    keeps it.
    """
    with served(config, TOKEN) as port:
        assert ask(port, "/")[0] == 401
        assert ask(port, "/?token=wrong-wrong-wrong-wrong")[0] == 401
        assert ask(port, "/", Authorization="Bearer nothing")[0] == 401
        assert ask(port, "/", Cookie=f"khabar={TOKEN}")[0] == 401
        assert (
            ask(port, "/", Authorization=f"Bearer {TOKEN}", Host="news.example")[0]
            == 200
        )
        status, headers, _ = ask(port, f"/search?q=a%20b&token={TOKEN}")
        assert (status, headers["location"]) == (303, "/search?q=a+b")
        assert {"HttpOnly", "SameSite=Strict"} <= set(headers["set-cookie"].split("; "))
        assert ask(port, "/", Cookie=headers["set-cookie"].split(";")[0])[0] == 200
        status, _, body = ask(port, f"/feed.atom?token={TOKEN}")
        assert (status, TOKEN.encode() in body) == (200, False)


def test_the_command_serves_and_stops_cleanly(config):
    """`khabar serve` says its address, answers, and ends with 0 on SIGTERM.

    A port that is taken is told in one line.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [
            sys.executable,
            "-m",
            "scheduler.cli",
            "serve",
            "--db",
            str(config.store.path),
            "--port",
        ]
        refused = subprocess.run(
            [*command, str(taken.getsockname()[1])],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        free = taken.getsockname()[1]
    with subprocess.Popen(
        [*command, str(free)], stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stderr.readline().strip() == f"http://127.0.0.1:{free}/"
        assert ask(free, "/")[0] == 200
        serving.terminate()
        assert serving.wait(20) == 0


# In a browser


def browse(port: int, path: str, folder: Path, *more: str) -> str:
    """The document as Chromium has it after running whatever it was willing to run."""
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder}",
        "--virtual-time-budget=2000",
        *more,
        "--dump-dom",
        f"http://127.0.0.1:{port}{path}",
    ]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium here (the system's package `chromium`): pages are not tested in a browser",
)
@pytest.mark.parametrize(
    "path", ["/", "/search?q=report", "/article/1", "/data/articles"]
)
def test_a_browser_runs_and_fetches_nothing_of_it(port, canary, tmp_path, path):
    """In Chromium no hostile text becomes a script, a picture, a frame, a style or a request."""
    dom = browse(port, path, tmp_path)
    title = dom.partition("<title>")[2].partition("</title>")[0]
    assert "khabar" in title.lower() or "data:" in title
    assert title.strip() != "pwned"
    assert canary[1] == []
    assert "<iframe" not in dom
    assert 'id="content"' in dom or path.startswith("/data")


@pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium here (the system's package `chromium`): pages are not tested in a browser",
)
def test_a_telephone_shows_the_page(port, tmp_path):
    """At the width of a telephone a picture of the front page comes out, of that width and not blank."""
    shot = tmp_path / "front.png"
    browse(
        port, "/", tmp_path / "profile", "--window-size=390,800", f"--screenshot={shot}"
    )
    picture = shot.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


def test_the_clock_of_a_reader(port):
    """A page that was read twice at once answers both.

    Readers do not share a connection.
    """
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(ask(port, "/search?q=report")[0])
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8


def test_times_are_told_in_utc(port):
    """An article's page names its zone."""
    assert f"{datetime.now(UTC):%Y}" in ask(port, "/article/10")[2].decode()
    assert "UTC" in ask(port, "/article/10")[2].decode()
