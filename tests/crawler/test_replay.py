"""The loopback web: what it answers, and what it lets a test script."""

import http.client
from collections.abc import Mapping
from pathlib import Path

import pytest

from crawler.replay import ReplayServer, ReplaySite, Resource

FEED = "http://hindukush-courier.example/feed/"


def site(tmp_path: Path, **changes: object) -> ReplaySite:
    (tmp_path / "a.html").write_bytes(b"first")
    (tmp_path / "b.html").write_bytes(b"second, {{-2h iso}}")
    resource = Resource(
        url="http://outlet.example/", files=("a.html", "b.html"), **changes
    )
    return ReplaySite(folder=tmp_path, resources={resource.url: resource})


def ask(
    web: ReplayServer, url: str, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(
        web.address.removeprefix("http://"), timeout=5
    )
    try:
        connection.request("GET", url, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_every_address_of_the_demo_answers() -> None:
    """No file is missing, no moment is left unwritten, in any round."""
    demo = ReplaySite.load()
    for turn in range(3):
        for url in demo.resources:
            body = demo.answer(url, {}, turn).body
            assert body
            assert b"{{" not in body


def test_every_source_of_the_demo_is_played() -> None:
    """What the catalogue names is there."""
    demo = ReplaySite.load()
    assert {source.url for source in demo.sources} <= demo.resources.keys()


@pytest.mark.parametrize(
    ("validator", "given", "sent"),
    [
        ("etag", "ETag", "If-None-Match"),
        ("last-modified", "Last-Modified", "If-Modified-Since"),
    ],
)
def test_the_very_validator_gets_a_304_until_the_round_changes(
    tmp_path: Path, validator: str, given: str, sent: str
) -> None:
    """Byte for byte, nothing else.

    The next round has another body and another validator.
    """
    played = site(tmp_path, validator=validator)
    value = dict(played.answer("http://outlet.example/", {}, 0).headers)[given]
    assert played.answer("http://outlet.example/", {sent: value}, 0).status == 304
    assert played.answer("http://outlet.example/", {sent: value + " "}, 0).status == 200
    assert played.answer("http://outlet.example/", {sent: value}, 1).status == 200


def test_bodies_do_not_change_within_a_replay(tmp_path: Path) -> None:
    """The moments in them count from the start of the replay, not from the request."""
    played = site(tmp_path)
    assert (
        played.answer("http://outlet.example/", {}, 1).body
        == played.answer("http://outlet.example/", {}, 5).body
    )
    assert played.answer("http://outlet.example/", {}, 1).body.endswith(b"Z")


def test_a_query_makes_no_other_address(tmp_path: Path) -> None:
    """Tracking parameters are answered like the bare address."""
    assert (
        site(tmp_path).answer("http://outlet.example/?utm_source=rss", {}, 0).body
        == b"first"
    )


def test_it_is_a_proxy_and_an_origin(tmp_path: Path) -> None:
    """Asked by whole address, or by path and Host."""
    with ReplayServer(site(tmp_path)) as web:
        assert ask(web, "http://outlet.example/") == (200, b"first")
        assert ask(web, "/", {"Host": "outlet.example"}) == (200, b"first")
        web.next_round()
        assert ask(web, "http://outlet.example/")[1].startswith(b"second")
        assert ask(web, "http://nobody.example/")[0] == 404
        assert [one.status for one in web.asked] == [200, 200, 200, 404]


def test_a_cut_body_breaks_off(tmp_path: Path) -> None:
    """It promises more than it sends, as servers do that fall over."""
    with (
        ReplayServer(site(tmp_path, cut=2)) as web,
        pytest.raises(http.client.IncompleteRead),
    ):
        ask(web, "http://outlet.example/")


def test_a_scripted_status_comes_with_its_headers(tmp_path: Path) -> None:
    """For a server that asks for patience."""
    reply = site(tmp_path, status=503, headers={"Retry-After": "120"}).answer(
        "http://outlet.example/", {}, 0
    )
    assert (reply.status, dict(reply.headers)["Retry-After"]) == (503, "120")
