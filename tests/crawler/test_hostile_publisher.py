"""What a publisher of ill will could write, beyond the attack files.

It gains nothing, and nobody else loses anything.
"""

import gzip

from crawler.files import saved


def kept(store):
    return sorted(
        row["url"].partition("example")[2].partition("/")[2]
        for row in store.session.db.query("SELECT url FROM articles")
    )


def test_one_guid_for_everything_hides_no_item(web, store):
    """A feed whose items all bear one guid, another source's guid at that, shows each of its pages."""
    for name, first in (("wire", 1), ("other", 3)):
        items = [
            web.item(web.url(f"{name}.example/{n}"), f"Blast {n}", body="").replace(
                "</item>", "<guid>7</guid></item>"
            )
            for n in (first, first + 1)
        ]
        web.pages[f"{name}.example/feed"] = web.feed(*items)
        web.pages |= {f"{name}.example/{n}": web.page(n) for n in (first, first + 1)}
    web.run(
        store,
        [web.source("wire.example/feed"), web.source("other.example/feed")],
    )
    assert kept(store) == ["1", "2", "3", "4"]
    later = web.item(web.url("wire.example/5"), "Blast 5").replace(
        "</item>", "<guid>7</guid></item>"
    )
    web.pages["wire.example/feed"] = web.feed(later)
    web.pages["wire.example/5"] = web.page(5)
    web.run(store, [web.source("wire.example/feed")])
    assert kept(store) == ["1", "2", "3", "4", "5"]


def test_an_entry_that_is_the_feed_itself_is_asked_for_once(web, store):
    """The feed that names itself, its robots.txt and an endless chain of itself as articles brings no article and no loop."""
    own = web.url("wire.example/feed")
    web.pages["wire.example/feed"] = web.feed(
        *(
            web.item(url)
            for url in (
                own,
                own + "#a",
                own + "?a=1",
                web.url("wire.example/robots.txt"),
            )
        )
    )
    report = web.run(store, [web.source("wire.example/feed")])
    assert report.total("new") == 0
    assert web.count("wire.example/feed") <= 2
    assert store.polls.unbalanced() == []


def test_sitemaps_that_name_each_other_end(web, store):
    """Two indexes in a circle and one that names itself.

    Each is asked for once a visit.
    """

    def index(*names):
        urls = "".join(
            f"<sitemap><loc>{web.url(f'wire.example/{name}')}</loc></sitemap>"
            for name in names
        )
        return web.Answer(
            f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{urls}</sitemapindex>".encode(),
            headers={"Content-Type": "text/xml"},
        )

    web.pages |= {
        "wire.example/a.xml": index("b.xml", "a.xml"),
        "wire.example/b.xml": index("a.xml", "b.xml", "c.xml"),
    }
    web.pages["wire.example/c.xml"] = index(*(f"d{n}.xml" for n in range(500)))
    web.run(store, [web.source("wire.example/a.xml", kind="sitemap")])
    assert max(web.count(f"wire.example/{name}.xml") for name in "abc") == 1
    assert len(web.asked) < 60


def test_two_pages_that_call_themselves_each_other_are_kept_both_or_as_one(web, store):
    """A war of canonicals within a site ends.

    Every lead has a fate, and a further pass asks for nothing.
    """
    web.pages["wire.example/feed"] = web.feed(
        *(web.item(web.url(f"wire.example/story-{n}"), f"Blast {n}") for n in (1, 2))
    )
    for n, other in ((1, 2), (2, 1)):
        page = gzip.decompress(web.page(n).body).replace(
            b"</head>",
            f"<link rel=canonical href='{web.url(f'wire.example/story-{other}')}'></head>".encode(),
        )
        web.pages[f"wire.example/story-{n}"] = web.Answer(
            page, headers={"Content-Type": "text/html"}
        )
    web.run(store, [web.source("wire.example/feed")])
    web.asked.clear()
    web.run(store, [web.source("wire.example/feed")])
    assert web.count("wire.example/story-1") + web.count("wire.example/story-2") == 0
    assert store.check() == []


def test_a_capture_that_unpacks_without_end_is_no_page(tmp_path):
    """A WARC record whose body is a gzip bomb within a gzip bomb is passed over, and its neighbour is read."""

    def record(body, extra=""):
        http = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (
            "WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\n"
            "WARC-Date: 2026-11-01T00:00:00Z\r\nWARC-Target-URI: http://wire.example/a\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        )
        return head.encode() + http + b"\r\n\r\n"

    bomb = gzip.compress(gzip.compress(bytes(200_000_000), 9), 9)
    good = record(b"<html><body><p>A mill.</p></body></html>")
    file = tmp_path / "bomb.warc.gz"
    file.write_bytes(
        b"".join(
            map(gzip.compress, (record(bomb, "Content-Encoding: gzip, gzip\r\n"), good))
        )
    )
    pages = list(saved.read_pages(file, print))
    assert any(b"A mill." in one.page.body for one in pages)
    assert max(len(one.page.body) for one in pages) < 20_000_000
