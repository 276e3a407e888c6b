"""Pages made by scripts, in a real Chromium on loopback.

What is read of them, and what hostile ones cannot do.

The pages are written for the tests. Skipped where the extra `javascript` or a Chromium
is not installed.
"""

import json

import pytest

from builders import make_page
from crawler.fetching import browser, browser_page, loop
from crawler.fetching.fetcher import Fetcher
from crawler.fetching.guard import Guard, parse_proxy
from crawler.fetching.requests import Fetched, FetchRequest
from crawler.sources import CrawlSettings
from crawler.workers import WorkerPool
from storage.model import Failure, utc_now

HTML = {"Content-Type": "text/html; charset=utf-8"}
SHELL = "<html><head><title>Wire</title></head><body><noscript>Please enable JavaScript</noscript><div id=app></div>{}</body></html>"
needs_browser = pytest.mark.skipif(
    browser.missing_requirement() is not None,
    reason=f"no browser here: {browser.missing_requirement()}",
)


def shell(web, script, *, more=""):
    return web.Answer(
        SHELL.format(f"{more}<script>{script}</script>").encode(), headers=HTML
    )


def get(web, *paths, **changes):
    """What comes of some pages, one after the other in one browser."""
    settings = web.settings(**changes)

    async def fetch():
        guard = Guard(settings.allow_addresses, parse_proxy(settings.proxy))
        loop.install_guard(guard, web.everywhere)
        fetcher, pool = None, WorkerPool(1)
        fetcher = Fetcher(settings, guard, pool)
        await fetcher.start()
        came = []
        try:
            for path in paths:
                ask = FetchRequest(
                    url=web.url(path),
                    headers={},
                    limit=500_000,
                    redirects=5,
                    javascript=True,
                )
                async with fetcher.fetch(ask) as outcome:
                    came.append(outcome)
        finally:
            await fetcher.stop(1)
            await pool.close()
        return came if len(came) > 1 else came[0]

    return loop.run(fetch())


def text(outcome):
    assert isinstance(outcome, Fetched), outcome
    return outcome.page.body.decode()


@needs_browser
def test_a_page_whose_text_scripts_make_is_read(web):
    """A script from another host, its data by fetch.

    Nothing that is only looked at is asked for.
    """
    web.pages["app.example/news"] = web.Answer(
        SHELL.format(f"<img src=/a.png><link rel=stylesheet href=/a.css><script src='http://cdn.example:{web.port}/app.js'></script>").encode(),
        headers=HTML | {"ETag": '"shell"'},
    )  # fmt: skip
    web.pages["cdn.example/app.js"] = web.Answer(
        b"fetch('/api.json').then(r => r.json()).then(d => { document.getElementById('app').innerHTML = '<h1>' + d.title + '</h1>' })",
        headers={"Content-Type": "text/javascript"},
    )
    web.pages["app.example/api.json"] = web.Answer(
        json.dumps({"title": "Written by a script"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    got = get(web, "app.example/news")
    assert "<h1>Written by a script</h1>" in text(got)
    assert "enable JavaScript" not in text(got)
    assert got.page.header("etag") is None
    asked = [one.url for one in web.asked if not one.url.endswith("robots.txt")]
    assert asked == ["app.example/news", "cdn.example/app.js", "app.example/api.json"]
    assert {one.headers["User-Agent"] for one in web.asked} == {web.settings().agent}
    assert not any(one.headers["Cookie"] or one.headers["Referer"] for one in web.asked)


@needs_browser
def test_a_source_of_such_pages_is_crawled(web, store):
    """Its list and its articles.

    Links, text and capture are what a reader would have seen.
    """
    links = [
        web.url(f"wire.example/news/2026/11/0{n}/a-blast-in-the-city-{n}")
        for n in (1, 2, 3)
    ]
    listed = "".join(
        f"<h3><a href='{url}'>Several people were hurt in a blast {n}</a></h3>"
        for n, url in enumerate(links)
    )
    web.pages["wire.example/"] = shell(
        web, f"document.getElementById('app').innerHTML = {json.dumps(listed)}"
    )
    for n, url in enumerate(links):
        article = f"<article><h1>Blast number {n} in Kandahar</h1><p>{web.story(n)}</p></article>"
        path = "wire.example/" + url.split("/", 3)[3]
        web.pages[path] = shell(
            web, f"document.getElementById('app').innerHTML = {json.dumps(article)}"
        )
    source = web.source("wire.example/", kind="section", javascript=True)
    report = web.run(store, [source])
    assert (report.for_source("wire").error, report.for_source("wire").new) == (None, 3)
    assert (
        store.session.db.execute(
            "SELECT count(*) FROM documents WHERE text LIKE '%Panjwai%'"
        ).fetchone()[0]
        == 3
    )
    plain = web.run(store, [web.source("wire.example/", kind="section", id="plain")])
    assert plain.for_source("plain").error.startswith("no_article_links")


@needs_browser
def test_scripts_reach_no_forbidden_address(web, forbidden):
    """Neither by moving the page, nor by asking, posting, framing, sockets or pictures: no connection is made."""
    there = f"127.0.0.1:{forbidden.port}"
    script = f"""
      document.getElementById('app').textContent = 'still here';
      fetch('http://{there}/a').catch(() => 0); navigator.sendBeacon('http://{there}/b', 'x');
      new WebSocket('ws://{there}/c'); new Image().src = 'http://{there}/d'; new EventSource('http://{there}/e');
      fetch('http://{there}/f', {{method: 'POST', body: 'x'}}).catch(() => 0);
      navigator.serviceWorker && navigator.serviceWorker.register('/worker.js').catch(() => 0);
      window.open('http://{there}/g');
      const peer = new RTCPeerConnection({{iceServers: [{{urls: 'stun:{there}'}}]}}); peer.createDataChannel('x');
      peer.createOffer().then(o => peer.setLocalDescription(o));
      setTimeout(() => location.href = 'http://{there}/h', 50);
      setTimeout(() => location.href = 'http://localhost:{forbidden.port}/i', 100);
      setTimeout(() => location.href = 'file:///etc/hostname', 150);
    """
    web.pages["evil.example/"] = shell(
        web,
        script,
        more=f"<iframe src='http://{there}/j'></iframe><script src='http://{there}/k'></script>",
    )
    assert "still here" in text(get(web, "evil.example/"))
    assert forbidden.asked == []
    assert not any(one.url.startswith("evil.example/worker") for one in web.asked)


@needs_browser
def test_robots_txt_holds_for_scripts_too(web):
    """What a site forbids is not asked for because a script wants it."""
    web.pages["app.example/robots.txt"] = web.Answer(
        b"User-agent: *\nDisallow: /private\n"
    )
    web.pages["app.example/"] = shell(
        web,
        "fetch('/private/a').catch(() => { document.getElementById('app').textContent = 'refused' })",
    )
    assert "refused" in text(get(web, "app.example/"))
    assert web.count("app.example/private/a") == 0


@needs_browser
def test_a_page_may_ask_only_so_often(web):
    """A thousand requests end at the bound; the page is read all the same."""
    script = "document.getElementById('app').textContent = 'flood'; for (let n = 0; n < 1000; n++) fetch('/x' + n).catch(() => 0)"
    web.pages["flood.example/"] = shell(web, script)
    assert "flood" in text(get(web, "flood.example/"))
    asked = sum(one.url.startswith("flood.example/x") for one in web.asked)
    assert 0 < asked <= browser_page.MAX_REQUESTS


@needs_browser
def test_alerts_endless_loops_and_endless_documents_end(web, monkeypatch):
    """Dialogs are waved away, a loop is given up after its time, a document is cut.

    The next page is read.
    """
    monkeypatch.setattr(browser, "PAGE_SECONDS", 8.0)
    monkeypatch.setattr(browser, "CLOSE_SECONDS", 5.0)
    web.pages["a.example/"] = shell(
        web,
        "alert(1); confirm(2); prompt(3); document.getElementById('app').textContent = 'after them'; window.onbeforeunload = () => 'stay'",
    )
    web.pages["b.example/"] = shell(web, "while (true) {}")
    web.pages["c.example/"] = shell(
        web,
        "document.body.append('long '.repeat(1e6)); Object.defineProperty(Element.prototype, 'outerHTML', {get() { return 'a lie' }})",
    )
    alerts, loops, long, again = get(
        web, "a.example/", "b.example/", "c.example/", "a.example/"
    )
    assert "after them" in text(alerts)
    assert isinstance(loops, Failure)
    assert (loops.detail, loops.final) == ("javascript: timeout", False)
    assert text(long).startswith("<!DOCTYPE html><html>")
    assert len(long.page.body) == 500_000
    assert "after them" in text(again)


@needs_browser
def test_nothing_is_kept_from_page_to_page(web):
    """Cookies and storage are those of one page only; a script is asked for once."""
    web.pages["keep.example/a.js"] = web.Answer(
        b"window.loaded = 1", headers={"Content-Type": "text/javascript"}
    )
    script = """
      const had = document.cookie + (localStorage.getItem('seen') || '');
      document.cookie = 'seen=1; max-age=9999'; localStorage.setItem('seen', 'yes');
      document.getElementById('app').textContent = 'had:' + had + ';';
    """
    for path in ("keep.example/1", "keep.example/2"):
        web.pages[path] = shell(web, script, more="<script src=/a.js></script>")
    assert [
        "had:;" in text(one) for one in get(web, "keep.example/1", "keep.example/2")
    ] == [True, True]
    assert web.count("keep.example/a.js") == 1


@needs_browser
def test_a_script_may_move_within_its_site_a_few_times(web):
    """The page that is reached is the one that is told of; a ring of moves ends."""
    web.pages["move.example/"] = shell(web, "location.replace('/home')")
    web.pages["move.example/home"] = shell(
        web, "document.getElementById('app').textContent = 'home'"
    )
    web.pages["ring.example/"] = shell(web, "location.replace('/?' + Math.random())")
    moved = get(web, "move.example/")
    assert (moved.page.final_url, "home" in text(moved)) == (
        web.url("move.example/home"),
        True,
    )
    assert isinstance(get(web, "ring.example/"), Fetched | Failure)
    assert (
        sum(one.url.startswith("ring.example/?") for one in web.asked)
        <= browser_page.MAX_NAVIGATIONS
    )


def test_answers_that_are_no_pages_need_no_browser(web, monkeypatch):
    """An error, a feed, a picture are handed on as they came."""
    monkeypatch.setattr(browser, "missing_requirement", lambda _="": "nothing here")
    web.pages["a.example/feed"] = web.Answer(
        b"<rss/>", headers={"Content-Type": "text/xml"}
    )
    assert [
        one.page.status for one in get(web, "a.example/feed", "a.example/none")
    ] == [200, 404]


def test_what_is_missing_is_told_with_its_mend(web, store, monkeypatch):
    """The source's visit says what to install; nothing else is disturbed."""
    monkeypatch.setattr(browser, "find_spec", lambda _: None)
    web.pages["app.example/"] = shell(web, "")
    web.pages["plain.example/feed"] = web.feed()
    sources = [
        web.source("app.example/", kind="section", javascript=True),
        web.source("plain.example/feed"),
    ]
    report = web.run(store, sources)
    assert (
        report.for_source("app").error
        == "javascript: Playwright is not installed: pip install 'khabar[javascript]'"
    )
    assert report.for_source("plain").error is None


def test_the_program_is_the_named_one_or_the_first_on_the_path(tmp_path, monkeypatch):
    """A name that is no program is told of."""
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "find_spec", lambda _: object())
    assert (browser.find_browser(), browser.missing_requirement()) == (
        str(program),
        None,
    )
    assert "is no program" in browser.missing_requirement("/nowhere/chrome")
    program.unlink()
    assert browser.missing_requirement().startswith("there is no Chromium")


def test_what_a_page_may_ask_for():
    """Scripts and what they read, by GET, a bounded number, moves within the site.

    pure.
    """

    async def serve(url, headers):
        return None

    shown = make_page("https://a.example/", b"", fetched_at=utc_now())
    visit = browser_page.BrowserPage(shown, serve, browser_page.ScriptCache())
    assert (
        visit.why_refused("script", "GET", "https://cdn.example/a.js", navigates=False)
        is None
    )
    assert (
        visit.why_refused("document", "GET", "https://www.a.example/b", navigates=True)
        is None
    )
    assert (
        visit.why_refused("document", "GET", "https://b.example/", navigates=True)
        == "it leads elsewhere"
    )
    assert (
        visit.why_refused("document", "GET", "https://a.example/frame", navigates=False)
        == "document is not read"
    )
    assert (
        visit.why_refused("image", "GET", "https://a.example/a.png", navigates=False)
        == "image is not read"
    )
    assert (
        visit.why_refused("xhr", "POST", "https://a.example/vote", navigates=False)
        == "POST would change something"
    )
    visit.bytes = browser_page.MAX_TOTAL_BYTES
    assert (
        visit.why_refused("script", "GET", "https://a.example/a.js", navigates=False)
        == "too much was asked for"
    )


def test_scripts_are_kept_within_a_bound(monkeypatch):
    """The oldest go first."""
    monkeypatch.setattr(browser_page, "MAX_SCRIPT_CACHE_BYTES", 250)
    kept = browser_page.ScriptCache()
    for n in range(4):
        page = make_page("u", b"x" * 100, fetched_at=utc_now())
        kept.keep(f"https://a.example/{n}", page)
    assert [kept.get(f"https://a.example/{n}") is not None for n in range(4)] == [
        False,
        False,
        True,
        True,
    ]


def test_settings_name_a_browser():
    """Nothing is named unless somebody does."""
    assert CrawlSettings().browser == ""
