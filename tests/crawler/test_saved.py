"""Saved responses: WARC files and saved pages, whole, packed, torn and bent."""

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.files import file_faults, saved, warc_records

HEAD = "WARC/1.0\r\nWARC-Type: {}\r\nWARC-Record-ID: <urn:uuid:{}>\r\nWARC-Target-URI: {}\r\nWARC-Date: {}\r\nContent-Type: application/http\r\nContent-Length: {}\r\n\r\n"


def record(
    body: bytes = b"<p>hello",
    *,
    headers: str = "",
    kind: str = "response",
    url: str = "https://a.example/",
    date: str = "2026-11-20T10:00:00Z",
) -> bytes:
    http = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}\r\n".encode() + body
    )
    return HEAD.format(kind, 1, url, date, len(http)).encode() + http + b"\r\n\r\n"


def pages(
    file: Path, content: bytes, **limits: int
) -> tuple[list[saved.SavedPage], list[file_faults.FileFault]]:
    warnings: list[file_faults.FileFault] = []
    file.write_bytes(content)
    return list(saved.read_pages(file, warnings.append, **limits)), warnings


def test_a_response_comes_back_as_it_was(tmp_path: Path) -> None:
    """Address, time, headers, body and the record's id, from a plain file and from a packed one."""
    for name, content in (("a.warc", record()), ("a.warc.gz", gzip.compress(record()))):
        found, warnings = pages(tmp_path / name, content)
        page = found[0].page
        assert (page.url, page.status, page.body, page.header("content-type")) == (
            "https://a.example/",
            200,
            b"<p>hello",
            "text/html",
        )
        assert page.fetched_at.isoformat() == "2026-11-20T10:00:00+00:00"
        assert (found[0].record_id, warnings) == ("<urn:uuid:1>", [])


def test_only_responses_count(tmp_path: Path) -> None:
    """Requests, metadata and warcinfo are passed over."""
    found, _ = pages(
        tmp_path / "a.warc",
        record(kind="request")
        + record(url="https://a.example/2")
        + record(kind="metadata"),
    )
    assert [one.page.url for one in found] == ["https://a.example/2"]


def test_codings_are_undone(tmp_path: Path) -> None:
    """gzip as sent, plain text that claims to be packed, and chunks with or without their sizes."""
    content = (
        record(gzip.compress(b"<p>one"), headers="Content-Encoding: gzip\r\n")
        + record(b"<p>two", headers="Content-Encoding: gzip\r\n")
        + record(
            b"3\r\n<p>\r\n5\r\nthree\r\n0\r\n\r\n",
            headers="Transfer-Encoding: chunked\r\n",
        )
        + record(b"<p>four", headers="Transfer-Encoding: chunked\r\n")
    )
    found, _ = pages(tmp_path / "a.warc", content)
    assert [one.page.body for one in found] == [
        b"<p>one",
        b"<p>two",
        b"<p>three",
        b"<p>four",
    ]


def test_a_bomb_is_cut_at_the_limit(tmp_path: Path) -> None:
    """Neither a large body nor a small one that unpacks to a large one takes more memory than a page may."""
    bomb = record(
        gzip.compress(b"<" + b"x" * 1_000_000), headers="Content-Encoding: gzip\r\n"
    )
    found, _ = pages(tmp_path / "a.warc", bomb + record(b"y" * 50_000), limit=1_000)
    assert [len(one.page.body) for one in found] == [1_000, 1_000]


def test_a_torn_file_gives_what_came_before(tmp_path: Path) -> None:
    """And says that it breaks off."""
    whole = gzip.compress(record()) + gzip.compress(record())
    found, _ = pages(tmp_path / "a.warc.gz", whole[:-40])
    assert len(found) >= 1
    assert found[0].page.body == b"<p>hello"


@pytest.mark.parametrize(
    "content", [b"\x1f\x8bgarbage", b"no WARC at all\n", b"WARC/9.9\r\nbroken"]
)
def test_what_is_no_warc_says_so(tmp_path: Path, content: bytes) -> None:
    """One OSError that names the file."""
    file = tmp_path / "a.warc"
    file.write_bytes(content)
    with pytest.raises(OSError, match="not a WARC file"):
        list(saved.read_pages(file, lambda _: None))


@given(st.binary(max_size=300))
def test_no_bytes_are_a_fault_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Any file is read, or refused with an OSError."""
    file = tmp_path_factory.mktemp("any") / "a.warc.gz"
    file.write_bytes(content)
    try:
        list(saved.read_pages(file, lambda _: None))
    except OSError as fault:
        assert "a.warc.gz" in str(fault)  # noqa: PT017 - both ways out are good


@given(st.binary(max_size=300))
def test_bytes_without_chunks_stay_as_they_are(raw: bytes) -> None:
    """Taking chunk sizes out never raises and never adds."""
    assert len(warc_records.decode_chunks(raw)) <= len(raw)


def test_a_saved_page_has_no_address_of_its_own(tmp_path: Path) -> None:
    """Packed or not; where the packing is broken, the file is named."""
    assert pages(tmp_path / "a.html", b"<p>x")[0][0].page.body == b"<p>x"
    assert (
        pages(tmp_path / "a.html.gz", gzip.compress(b"<p>x"))[0][0].page.body == b"<p>x"
    )
    (tmp_path / "b.html.gz").write_bytes(gzip.compress(b"<p>x" * 100)[:-12])
    with pytest.raises(OSError, match="not a whole gzip file"):
        list(saved.read_pages(tmp_path / "b.html.gz", lambda _: None))


@pytest.mark.parametrize(
    "content",
    [
        bytes(50_000_000),
        b"WARC/1.0\r\nA: " + b"a" * 50_000_000,
        b"WARC/1.0\r\n" + b"A: b\r\n" * 5_000_000,
        b"\n" * 50_000_000,
    ],
    ids=["zeros", "one header", "many headers", "blank lines"],
)
def test_headers_without_an_end_are_no_warc(tmp_path, content):
    """Some kilobytes of gzip that unpack to one endless line, or to lines without end, are given up at once."""
    file = tmp_path / "a.warc.gz"
    file.write_bytes(gzip.compress(content, 1))
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="not a WARC"):
            list(saved.read_pages(file, [].append))
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_bytes_that_only_begin_like_gzip_are_a_page(tmp_path):
    """Whether a file is a WARC is asked of any bytes."""
    file = tmp_path / "a.html"
    file.write_bytes(b"\x1f\x8b\x08\xff not gzip after all")
    assert not saved.is_warc(file)
