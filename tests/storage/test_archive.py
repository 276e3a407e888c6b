"""Raw responses come back as they came, whatever happened to the file around them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_page
from storage import archive as warc
from storage.archive import Archive
from storage.model import Page

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def page(
    body: bytes = b"<p>Written for the tests.",
    *,
    url: str = "https://outlet.example/a",
    at: datetime = NOON,
    **more,
) -> Page:
    headers = more.pop(
        "headers",
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Encoding", "br"),
            ("Content-Length", "7"),
        ),
    )
    return make_page(
        **{
            "url": url,
            "final_url": url,
            "status": 200,
            "headers": headers,
            "body": body,
            "fetched_at": at,
        }
        | more
    )


def check(path: Path) -> str:
    """What `warcio check -v` says of a file."""
    command = [
        sys.executable,
        "-c",
        "from warcio.cli import main; main()",
        "check",
        "-v",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def test_a_page_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Address, time, status, headers and body survive.

    A redirected page keeps the address that was asked for.
    """
    store = Archive(tmp_path)
    first = page(
        url="https://outlet.example/r", final_url="https://outlet.example/b", status=203
    )
    store.write_page(page(b"another"), "kept")
    file, offset, length = store.write_page(first, "kept")
    back = store.read_page(file, offset)
    assert back is not None
    assert (first.url, first.final_url, first.status, first.body, first.fetched_at) == (
        back.url, back.final_url, back.status, back.body, back.fetched_at,
    )  # fmt: skip
    assert (tmp_path / file).stat().st_size == offset + length


def test_the_headers_fit_the_body_that_is_stored(tmp_path: Path) -> None:
    """The body rests decoded.

    The coding and length that the server named are kept under another name.
    """
    store = Archive(tmp_path)
    file, offset, _ = store.write_page(page(b"x" * 99), "kept")
    back = store.read_page(file, offset)
    assert back is not None
    assert tuple(
        back.header(name)
        for name in (
            "Content-Encoding",
            "Content-Length",
            "X-Crawler-Content-Encoding",
            "X-Crawler-Content-Length",
        )
    ) == (None, "99", "br", "7")


def test_other_tools_find_the_files_valid(tmp_path: Path) -> None:
    """A case folder must convince somebody who has only warcio."""
    store = Archive(tmp_path)
    for n in range(3):
        file, _, _ = store.write_page(
            page(f"<p>{n}".encode(), url=f"https://outlet.example/{n}"), "kept"
        )
    said = check(tmp_path / file)
    assert said.startswith("0\n")
    assert said.count("digest pass") == 4
    assert "digest failed" not in said


@settings(max_examples=60, deadline=None)
@given(
    body=st.binary(max_size=3000),
    headers=st.lists(st.tuples(st.text(max_size=30), st.text(max_size=60)), max_size=6),
    status=st.integers(100, 999),
)
def test_no_headers_and_no_body_can_break_a_record(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, headers, status: int
) -> None:
    """Line breaks, colons, controls and surrogates that a server sends end no header and forge no record."""
    store = Archive(tmp_path_factory.mktemp("hostile"))
    store.write_page(page(b"before"), "rejected")
    file, offset, _ = store.write_page(
        page(body, headers=tuple(headers), status=status), "rejected"
    )
    _, after, _ = store.write_page(page(b"after"), "rejected")
    back, last = store.read_page(file, offset), store.read_page(file, after)
    assert back is not None
    assert last is not None
    assert (body, status, b"after") == (back.body, back.status, last.body)


def test_a_tail_that_a_crash_tore_is_cut_off_and_the_rest_reads(tmp_path: Path) -> None:
    """After kill -9 in a write the next record stands where a whole one ended."""
    file, offset, length = Archive(tmp_path).write_page(page(b"whole"), "kept")
    with (tmp_path / file).open("ab") as out:
        out.write((tmp_path / file).read_bytes()[offset : offset + length // 2])
    again = Archive(tmp_path)
    _, second, _ = again.write_page(page(b"after the crash"), "kept")
    assert second == offset + length
    assert [
        found.body for at in (offset, second) if (found := again.read_page(file, at))
    ] == [b"whole", b"after the crash"]
    assert "digest failed" not in check(tmp_path / file)


@pytest.mark.parametrize("sound", [0, 10**9])
def test_a_file_shorter_than_it_should_be_is_read_from_its_start(
    tmp_path: Path, sound: int
) -> None:
    """A power cut may take records back that the database knows.

    Nothing is written into their middle.
    """
    _file, offset, length = Archive(tmp_path).write_page(page(b"whole"), "kept")
    store = Archive(tmp_path, whole_up_to=lambda _file: sound)
    assert store.write_page(page(b"next"), "kept")[1] == offset + length


def test_what_does_not_fit_its_digest_is_not_shown(tmp_path: Path) -> None:
    """A place that holds another page, or nothing, gives None.

    Evidence is never the wrong page.
    """
    store = Archive(tmp_path)
    file, offset, _ = store.write_page(page(), "kept")
    assert store.read_page(file, offset, digest="0" * 64) is None
    assert store.read_page(file, offset + 1) is None
    assert store.read_page(file, 10**9) is None
    assert store.read_page("kept/2020-01-01.warc.gz", 0) is None


@pytest.mark.parametrize(
    "file",
    [
        "../khabar.db",
        "kept/../../x.warc.gz",
        "other/2026-11-22.warc.gz",
        "kept/notes.txt",
        "",
    ],
)
def test_no_file_outside_the_folder_can_be_named(tmp_path: Path, file: str) -> None:
    """A file name from a tampered database reads and removes nothing else."""
    with pytest.raises(ValueError, match="no file of the archive"):
        Archive(tmp_path).remove(file)


def test_a_record_that_is_cut_out_leaves_no_byte(tmp_path: Path) -> None:
    """The copy without it holds the others where it says, and is valid."""
    store = Archive(tmp_path)
    places = [
        store.write_page(page(f"text number {n}".encode()), "kept") for n in range(3)
    ]
    file = places[0][0]
    moved, _ = store.rewrite(file, {places[1][1]})
    store.finish_rewrite(file)
    bodies = [
        found.body
        for old in (places[0][1], places[2][1])
        if (found := store.read_page(file, moved[old]))
    ]
    assert bodies == [b"text number 0", b"text number 2"]
    assert places[1][1] not in moved
    assert "digest failed" not in check(tmp_path / file)
    assert store.write_page(page(b"later"), "kept")[0] == file


def test_a_revisit_is_one_that_other_tools_find_valid(tmp_path: Path) -> None:
    """It has its own address, date and headers, and says whose body it repeats."""
    store = Archive(tmp_path, identity="ab" * 16)
    first = page(b"the same bytes")
    second = page(b"the same bytes", url="https://other.example/b")
    file, _, _ = store.write_page(first, "kept")
    _, offset, _ = store.write_page(second, "kept", source="other", refers_to=first)
    found = store.read_record(file, offset)
    assert (found.is_revisit, found.source) == (True, "other")
    assert (found.page.final_url, found.page.body) == ("https://other.example/b", b"")
    assert store.read_page(file, offset) is None
    assert file == "kept/2026-11-22-abababab.warc.gz"
    assert check(tmp_path / file).startswith("0\n")


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    """What was collected is nobody else's to read until somebody says so."""
    file, _, _ = Archive(tmp_path).write_page(page(), "kept")
    assert (tmp_path / file).stat().st_mode & 0o077 == 0


def test_age_and_room_take_what_may_go_and_nothing_else() -> None:
    """Kept pages go by age only; rejected ones also for room, the oldest first."""
    files = [
        warc.ArchiveFile(file=f"{kind}/{day}", kind=kind, day=day, size=10)
        for kind in warc.KINDS
        for day in ("2026-10-01", "2026-11-20", "2026-11-22")
    ]
    old = warc.expired_files(
        files, NOON, kept=timedelta(days=3650), rejected=timedelta(days=30)
    )
    assert [rest.file for rest in old] == ["rejected/2026-10-01"]
    assert [rest.file for rest in warc.surplus_files(files, bytes_over=15)] == [
        "rejected/2026-10-01",
        "rejected/2026-11-20",
    ]
    assert warc.surplus_files(files, bytes_over=0) == []
    assert len(warc.surplus_files(files, bytes_over=1000)) == 3


def test_a_page_expires_on_the_day_it_should() -> None:
    """A file of a day is kept for the whole age after that day's end."""
    files = [
        warc.ArchiveFile(file="rejected/a", kind="rejected", day="2026-11-21", size=1)
    ]
    age = timedelta(days=1)
    assert (
        warc.expired_files(
            files, datetime(2026, 11, 23, tzinfo=UTC), kept=age, rejected=age
        )
        == []
    )
    assert files == warc.expired_files(
        files, datetime(2026, 11, 23, 0, 0, 1, tzinfo=UTC), kept=age, rejected=age
    )
