"""docs/how-to-add-a-source.md, followed step by step against a site on loopback that was written for this test."""

import json
import re
import shlex
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scheduler import cli, config

HERE = "127.0.0.4"
OUTLET = "https://outlet.example/"
PATH = "/2026/11/21/mine-kills-two-in-panjwai"
STORY = (
    "Taliban officials in the Panjwai district of Kandahar province said on Saturday that a mine had killed two people.",
    "Residents said the road to the bazaar stayed closed until the evening, and that soldiers searched the orchards.",
    "Doctors at the hospital in Kandahar asked for donations of blood for the wounded of the explosion.",
)
ODD = "A spokesman of the Taliban police in Herat said that three gunmen were killed in the attack on a convoy near the city."


def pages(root):
    text = "".join(f"<p>{line}</p>" for line in STORY)
    items = f"<item><title>Mine kills two in Panjwai</title><link>{root}{PATH[1:]}</link><pubDate>Sat, 21 Nov 2026 08:00:00 GMT</pubDate></item>"
    odd = f"<item><title>Three gunmen killed in Herat</title><link>{root}odd/1</link></item>"
    feed = "<rss version='2.0'><channel><title>Outlet</title><language>en</language>{0}</channel></rss>"
    links = "".join(
        f"<h3><a href='{path}'>Taliban officials report an attack, the {n}th this week</a></h3>"
        for n, path in enumerate(
            ("/2026/11/20/attack-on-a-convoy", "/2026/11/19/blast-in-khost")
        )
    )
    return {
        "/": f"<html lang=en><head><title>Outlet | News</title><link rel=alternate type='application/rss+xml' href='/feed.xml'></head><body>{links}</body></html>",
        "/feed.xml": feed.format(items),
        "/odd.rss": feed.format(odd),
        PATH: f"<html lang=en><head><title>Mine kills two in Panjwai</title></head><body><article><h1>Mine kills two in Panjwai</h1>{text}</article></body></html>",
        "/odd/1": f"<html lang=en><head><title>Three gunmen killed in Herat</title></head><body><h1>Three gunmen killed in Herat</h1><time>20.11.2026 um 18.30 Uhr</time><div class='story-text'>{ODD}</div><p>{STORY[1]} {STORY[2]} {STORY[0]}</p></body></html>",
        "/afghanistan/": f"<html><body>{links}<a href='/2026/11/'>November</a></body></html>",
    }


@pytest.fixture
def site():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            host, port = self.server.server_address[:2]
            body = pages(f"http://{host}:{port}/").get(self.path)
            self.send_response(200 if body else 404)
            self.send_header(
                "Content-Type",
                "application/rss+xml" if "rss" in (body or "")[:10] else "text/html",
            )
            self.end_headers()
            self.wfile.write((body or "nothing here").encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer((HERE, 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://{HERE}:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def blocks(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(
        f'# mine\n[crawl]\ndelay = "0s"\nallow_addresses = ["{HERE}/32"]\n', "utf-8"
    )
    return tmp_path


def run(line, capsys):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(shlex.split(line)[1:])
    out = capsys.readouterr()
    assert not ended.value.code, f"{line}: {out.err}"
    return out.out


def test_the_page_is_followed_step_by_step(root, site, folder, capsys):
    """Each command of the page ends well, in its order.

    The article of the new source is there at the end.
    """
    page = (
        (root / "docs/how-to-add-a-source.md").read_text("utf-8").replace(OUTLET, site)
    )
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    said = {line: run(line, capsys) for line in lines}
    assert len(lines) == 7
    assert "feed" in said[lines[0]]
    assert (folder / "config.toml").read_text("utf-8").startswith("# mine\n")
    assert "Mine kills two in Panjwai" in said["khabar crawl outlet"]
    assert "article" in said[lines[-1]]


def test_every_block_of_configuration_on_the_page_works(root, site, folder, capsys):
    """A pattern that narrows a section, a channel's name, a body's selector, a date's form and zone, a header."""
    page = (
        (root / "docs/how-to-add-a-source.md").read_text("utf-8").replace(OUTLET, site)
    )
    written = "\n".join(blocks(page, "toml"))
    assert not config.parse_config(tomllib.loads(written))[1]
    with (folder / "config.toml").open("a", encoding="utf-8") as file:
        file.write(written)
    section, odd = (
        json.loads(line)
        for line in run(
            "khabar sources check outlet-section outlet-odd --json", capsys
        ).splitlines()
    )
    assert (section["items"], odd["items"]) == (2, 1)
    run("khabar crawl outlet-odd", capsys)
    (found,) = map(json.loads, run("khabar search --json", capsys).splitlines())
    assert (found["text"], found["published_at"]) == (ODD, "2026-11-20T14:00:00Z")
