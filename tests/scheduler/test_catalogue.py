"""The catalogue.

Finding what a site offers, writing entries that keep the file, OPML, and what check
advises.

The sites live on loopback and were written for these tests.
"""

import json
import re
import threading
import tomllib
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    make_document,
    make_landing,
    make_page,
    make_rejection,
    make_source,
    make_source_state,
)
from crawler.leads import opml
from scheduler import catalogue, config
from storage.errors import ConfigError
from storage.model import (
    RejectionReason,
    utc_now,
)
from storage.store import Store

HERE = "127.0.0.3"
WORDS = "Officials in the Panjwai district said on Friday that a mine had killed two people near the school, and that the road stayed closed. "
STORY = (
    "<html lang=en><head><title>Blast number {n}</title></head><body><article><h1>Blast number {n}</h1>"
    + f"<p>{WORDS * 3}</p>" * 4
    + "</article></body></html>"
)
HEAD = """# my file
[crawl]
delay = "0s"                       # kept as it is
allow_addresses = ["127.0.0.3/32"]
"""


class Site:
    """Addresses by path; a request is remembered."""

    def __init__(self):
        self.pages, self.asked = {}, []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                status, kind, body = site.pages.get(
                    self.path, (404, "text/plain", "nothing here")
                )
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer((HERE, 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(
            target=self.server.serve_forever, args=(0.02,), daemon=True
        ).start()

    @property
    def root(self):
        return f"http://{HERE}:{self.server.server_address[1]}"

    def stories(self, *numbers):
        self.pages |= {
            f"/2026/11/2{n % 10}/blast-number-{n}-in-panjwai": (
                200,
                "text/html",
                STORY.format(n=n),
            )
            for n in numbers
        }
        return [f"/2026/11/2{n % 10}/blast-number-{n}-in-panjwai" for n in numbers]

    def feed(self, path, *numbers):
        items = "".join(
            f"<item><title>Blast number {n}</title><link>{self.root}{p}</link><pubDate>Sat, 21 Nov 2026 0{n % 10}:00:00 GMT</pubDate></item>"
            for n, p in zip(numbers, self.stories(*numbers), strict=True)
        )
        self.pages[path] = (
            200,
            "application/rss+xml",
            f"<rss version='2.0'><channel><title>Wire &amp; Post</title><language>en</language>{items}</channel></rss>",
        )

    def front(self, *numbers, head=""):
        links = "".join(
            f"<h3><a href='{p}'>Two people killed in blast number {n}, officials say</a></h3>"
            for n, p in zip(numbers, self.stories(*numbers), strict=True)
        )
        self.pages["/"] = (
            200,
            "text/html",
            f"<html lang=en><head><title>Wire | Home</title>{head}</head><body>{links}</body></html>",
        )


@pytest.fixture
def site():
    served = Site()
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(HEAD, "utf-8")
    return path


def test_add_finds_the_feed_that_the_page_names_and_writes_it(site, file, run):
    """Every way is tried and shown; the best is appended.

    What stood in the file stands there still.
    """
    site.front(
        1,
        2,
        3,
        head="<link rel=alternate type='application/rss+xml' href='/wire.rss'><link rel=alternate type='application/rss+xml' href='/comments/feed/'>",
    )
    site.feed("/wire.rss", 1, 2, 3)
    ran = run("sources", "add", f"{site.root}/", "--id", "wire", "--config", file)
    assert ran.code == 0, ran.err
    assert "section" in ran.out
    text = file.read_text("utf-8")
    assert text.startswith(HEAD)
    (entry,) = tomllib.loads(text)["sources"]
    assert entry == {
        "id": "wire",
        "name": "Wire",
        "feed": f"{site.root}/wire.rss",
        "language": "en",
    }
    assert "/comments/feed/" not in site.asked


def test_add_falls_back_on_the_sitemap_of_robots_txt_and_on_the_page_itself(
    site, file, run
):
    """A site without feeds is watched by its sitemap, or, where asked, by its front page."""
    site.front(1, 2, 3)
    site.pages["/robots.txt"] = (
        200,
        "text/plain",
        f"User-agent: *\nAllow: /\nSitemap: {site.root}/maps/all.xml\nSitemap: https://elsewhere.example/map.xml",
    )
    rows = "".join(
        f"<url><loc>{site.root}{p}</loc><lastmod>2026-11-21</lastmod></url>"
        for p in site.stories(1, 2, 3)
    )
    site.pages["/maps/all.xml"] = (200, "application/xml", f"<urlset>{rows}</urlset>")
    found = [
        json.loads(line)
        for line in run(
            "sources", "add", f"{site.root}/", "--dry-run", "--json", "--config", file
        ).out.splitlines()
    ]
    assert [one["kind"] for one in found] == ["sitemap", "section", "sitemap"]
    assert (found[-1]["url"], found[-1]["written"]) == (
        f"{site.root}/maps/all.xml",
        False,
    )
    assert found[1]["page"]["words"] > 20
    assert found[1]["same_as"] == found[0]["source"]
    assert file.read_text("utf-8") == HEAD
    assert (
        run(
            "sources", "add", f"{site.root}/", "--kind", "section", "--config", file
        ).code
        == 0
    )
    assert (
        tomllib.loads(file.read_text("utf-8"))["sources"][0]["section"]
        == f"{site.root}/"
    )


def test_add_refuses_what_is_there_and_what_offers_nothing(site, file, run):
    """One line, exit 2, and the file untouched."""
    site.feed("/wire.rss", 1)
    run("sources", "add", f"{site.root}/wire.rss", "--config", file)
    before = file.read_text("utf-8")
    again = run("sources", "add", f"{site.root}/wire.rss", "--config", file)
    nothing = run("sources", "add", f"{site.root}/empty", "--config", file)
    odd = run("sources", "add", "ftp://x", "--config", file)
    assert (again.code, nothing.code, odd.code) == (2, 2, 2)
    assert "already" in again.err
    assert "nothing that can be watched" in nothing.err
    assert file.read_text("utf-8") == before


def test_check_reads_a_page_and_suggests_the_mend(site, file, run):
    """A feed that answers 410 is told of the one that the front page names.

    Two that show the same are told apart.
    """
    site.front(
        1, 2, head="<link rel=alternate type='application/rss+xml' href='/new.rss'>"
    )
    site.feed("/new.rss", 1, 2)
    site.pages["/old.rss"] = (410, "text/plain", "gone")
    site.feed("/twin.rss", 1, 2)
    sources = "".join(
        f'[[sources]]\nid = "{name}"\nfeed = "{site.root}/{name}.rss"\n'
        for name in ("old", "new", "twin")
    )
    file.write_text(HEAD + sources, "utf-8")
    ran = run("sources", "check", "--json", "--config", file)
    old, new, twin = (json.loads(line) for line in ran.out.splitlines())
    assert (old["ok"], old["mend"]) == (
        False,
        f'found another: feed = "{site.root}/new.rss" with 2 items',
    )
    assert (new["page"]["words"] > 20, new["language"], new["page"]["trouble"]) == (
        True,
        "en",
        None,
    )
    assert twin["same_as"] == "new"
    told = run("sources", "check", "--config", file)
    assert "found another" in told.err
    assert "shows the same as new" in told.err


def test_check_says_where_pages_yield_no_text(site, file, run):
    """A good feed whose pages robots.txt denies is no good source."""
    site.feed("/wire.rss", 1)
    site.pages["/robots.txt"] = (200, "text/plain", "User-agent: *\nDisallow: /2026/")
    file.write_text(
        HEAD + f'[[sources]]\nid = "wire"\nfeed = "{site.root}/wire.rss"\n', "utf-8"
    )
    (fact,) = map(
        json.loads, run("sources", "check", "--json", "--config", file).out.splitlines()
    )
    assert (fact["ok"], fact["page"]["trouble"]) == (True, "robots: robots.txt")


def drifting_store(folder, now):
    """A month of good pages of `wire`.

    Of late pages without text or signature, whose responses were kept.
    """
    shell = b"<html><body><div id=app></div></body></html>"

    def page(number):
        url = f"https://wire.example/{number}"
        return make_page(url, shell + b"<!-- %d -->" % number, fetched_at=now)

    def text(number, **more):
        words = f"Invented report {number} of a test, which tells of nothing in particular and names nobody at all."
        outcome = make_document(
            url=page(number).url,
            source="wire",
            title=f"Report {number}",
            text=words,
            **more,
        )
        return make_landing(outcome, source="wire", page=page(number))

    with Store.open(folder / "khabar.db", captures=folder / "captures") as store:
        store.sources.sync([make_source_state("wire", url="https://wire.example/feed")])
        good = [
            text(number, authors=("Laila Qaderi",), published_at=now)
            for number in range(30)
        ]
        store.landings.land(good, now=now - timedelta(days=10))
        barren = [
            make_landing(
                make_rejection(RejectionReason.SCRIPT_ONLY),
                page(n).url,
                source="wire",
                page=page(n),
            )
            for n in range(40, 60)
        ]
        store.landings.land(
            [*barren, *(text(number, published_at=now) for number in range(60, 66))],
            now=now,
        )
    return shell


def test_check_shows_a_page_of_what_a_source_yields_less_of(site, file, run):
    """Which page, when it was read, what is missing, where its response lies, and the command that prints it."""
    shell = drifting_store(file.parent, utc_now())
    site.feed("/wire.rss", 1)
    file.write_text(
        HEAD + f'[[sources]]\nid = "wire"\nfeed = "{site.root}/wire.rss"\n', "utf-8"
    )
    told = run("sources", "check", "--config", file).err
    assert "wire: text in 23% of its pages of late, in 100% before" in told
    assert re.search(
        r"for instance https://wire.example/\d+, read 20\S+ \S+ UTC: script only", told
    )
    assert re.search(r"captures/rejected/\S+ at byte [\d,]+", told)
    looked = re.search(r"`khabar (explain \S+ --raw)`", told)[1]
    assert run(*looked.split(), "--config", file).out.startswith(shell.decode())
    assert "UTC: no author" in told
    signed = re.search(r"`khabar (show \d+ --raw)`", told)[1]
    assert run(*signed.split(), "--config", file).out.startswith(shell.decode())
    (fact,) = map(
        json.loads, run("sources", "check", "--json", "--config", file).out.splitlines()
    )
    assert [one["what"] for one in fact["drifting"]] == ["text", "authors"]
    assert fact["drifting"][0]["sample"]["why"] == "script_only"
    assert (
        "`khabar sources check wire` shows one without"
        in run("status", "--config", file).out
    )


def test_two_sources_with_one_address_are_told_of(file, run):
    """Scheme and www.

    Make no difference; a source that is switched off disturbs nobody.
    """
    entry = '[[sources]]\nid = "{0}"\nfeed = "{1}"\n'
    both = entry.format("a", "https://a.example/feed") + entry.format(
        "b", "http://www.a.example/feed/"
    )
    file.write_text(HEAD + both, "utf-8")
    assert "b has the address of a" in run("config", "check", "--config", file).err
    file.write_text(HEAD + both + "enabled = false\n", "utf-8")
    assert run("config", "check", "--config", file).err == ""


def test_show_tells_settings_state_and_visits(stocked, run):
    """One source, from the configuration and the database."""
    known = json.loads(
        run("sources", "show", "outlet", "--json", "--config", stocked).out
    )
    assert (known["url"], known["polls"][0]["status"]) == (
        "https://outlet.example/feed",
        "ok",
    )
    assert "outlet.example" in run("sources", "show", "outlet", "--config", stocked).out
    assert run("sources", "show", "nobody", "--config", stocked).code == 2


def test_opml_goes_in_once_and_out_again(file, run, tmp_path):
    """Folders are opened, known feeds and repeated ones are left alone, and what is no address is counted."""
    listed = """<?xml version="1.0"?><opml version="2.0"><body><outline text="Folder"><outline type="rss" text="A &amp; B" xmlUrl="https://a.example/feed"/>
    <outline text="again" xmlUrl="https://a.example/feed"/><outline text="bad" xmlUrl="file:///etc/passwd"/></outline>
    <outline title="C" xmlUrl="https://c.example/rss" language="fa-AF"/></body></opml>"""
    (tmp_path / "in.opml").write_text(listed, "utf-8")
    first = json.loads(
        run("sources", "import", tmp_path / "in.opml", "--json", "--config", file).out
    )
    assert first == {"added": ["a", "c"], "known": 0, "unusable": 1, "written": True}
    assert (
        json.loads(
            run(
                "sources", "import", tmp_path / "in.opml", "--json", "--config", file
            ).out
        )["added"]
        == []
    )
    assert [(s.id, s.name, s.language) for s in config.load_config(file).sources] == [
        ("a", "A & B", None),
        ("c", "C", "fa"),
    ]
    assert run("sources", "export", tmp_path / "out.opml", "--config", file).code == 0
    back = opml.parse_opml((tmp_path / "out.opml").read_bytes())
    assert [(one.url, one.title) for one in back.feeds] == [
        ("https://a.example/feed", "A & B"),
        ("https://c.example/rss", "C"),
    ]


def test_hostile_opml_opens_nothing(file, run, tmp_path):
    """Entities that name files or grow are not followed; what is no OPML is refused."""
    (tmp_path / "secret").write_text("secret-words", "utf-8")
    bomb = f"""<?xml version="1.0"?><!DOCTYPE opml [<!ENTITY x SYSTEM "file://{tmp_path}/secret"><!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
    <opml><body><outline text="&x;&b;" xmlUrl="https://a.example/&x;feed"/></body></opml>"""
    found = opml.parse_opml(bomb.encode())
    assert "secret-words" not in str(found)
    assert opml.parse_opml(b"<html></html>").error
    assert opml.parse_opml(b"\x00\xff" * 500).error
    (tmp_path / "x.opml").write_text("<rss/>", "utf-8")
    assert run("sources", "import", tmp_path / "x.opml", "--config", file).code == 2


def test_nothing_is_appended_that_would_spoil_the_file(tmp_path):
    """A file that cannot take a [[sources]] table at its end, or an id twice, stays as it was."""
    new = make_source("wire")
    for text in (
        "sources = []\n",
        '[[sources]]\nid = "wire"\nfeed = "https://w.example/feed"\n',
    ):
        path = tmp_path / "config.toml"
        path.write_text(text, "utf-8")
        with pytest.raises(ConfigError):
            catalogue.append_sources(path, [new])
        assert path.read_text("utf-8") == text
        assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


@given(st.text(max_size=60))
def test_any_name_survives_being_written(name):
    """What people call a source is read back as it was, whatever signs it holds."""
    clean = "".join(c for c in name if c.isprintable()).strip()
    source = make_source(
        "wire", kind="telegram", url="https://t.me/s/wire_example", name=clean
    )
    (entry,) = tomllib.loads(catalogue.format_entry(source))["sources"]
    assert (entry.get("name", ""), entry["telegram"]) == (clean, "wire_example")
