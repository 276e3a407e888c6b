"""A case folder is whole, says what is missing, and can be checked without us."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from builders import make_document, make_landing, make_page
from storage import case_folder
from storage.errors import UsageError, WorkFailed
from storage.model import Landing
from storage.store import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 9, tzinfo=UTC)
# Written for the tests.
TEXT = "Shepherds above the valley of Surobi heard three explosions before dawn, and found the bridge of the old road gone in the morning."
HOSTILE = "../../etc/passwd\n\x1b[31m<script>alert(1)</script>\u202e"


def landing(
    url: str, text: str, body: bytes, at: datetime, title: str = "Bridge"
) -> Landing:
    page = make_page(url + "?utm_source=x", body, final_url=url, headers=(("Content-Type", "text/html"), ("X-Evil", "../../a")), fetched_at=at)  # fmt: skip
    return make_landing(
        make_document(url, text, source="a", title=title, published_at=NOW),
        url,
        source="a",
        page=page,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as opened:
        opened.landings.land(
            [landing("https://a.example/../..%2f1", TEXT, b"<p>one", NOW, HOSTILE)],
            now=NOW,
        )
        opened.landings.land(
            [landing("https://b.example/1", TEXT, b"<p>copy", NOW)], now=NOW
        )
        opened.landings.land(
            [
                landing(
                    "https://a.example/../..%2f1",
                    TEXT + "\nNobody was hurt.",
                    b"<p>two",
                    LATER,
                )
            ],
            now=LATER,
        )
        yield opened


def written(store: Store, folder: Path) -> case_folder.CaseFolder:
    number = store.changes.since()[0].article_id
    return case_folder.write_case_folder(store, number, folder, now=LATER, version="0")


def test_every_file_is_what_its_sum_says_by_another_program(
    store: Store, tmp_path: Path
) -> None:
    """`sha256sum -c` knows every file but its own list, and finds a changed one."""
    written(store, tmp_path / "case")
    check = ["sha256sum", "--strict", "-c", case_folder.SUMS_FILE]
    assert (
        subprocess.run(
            check, cwd=tmp_path / "case", capture_output=True, check=False
        ).returncode
        == 0
    )
    listed = {
        line[66:]
        for line in (tmp_path / "case" / case_folder.SUMS_FILE)
        .read_text("ascii")
        .splitlines()
    }
    files = {
        str(file.relative_to(tmp_path / "case"))
        for file in (tmp_path / "case").rglob("*")
        if file.is_file()
    }
    assert files - listed == {case_folder.SUMS_FILE}
    next((tmp_path / "case").glob("captures/*.body")).write_bytes(b"changed")
    assert (
        subprocess.run(
            check, cwd=tmp_path / "case", capture_output=True, check=False
        ).returncode
        == 1
    )


def test_it_holds_texts_states_copies_and_raw_responses(
    store: Store, tmp_path: Path
) -> None:
    """Each capture as a WARC file of its own, whose body is the one beside it."""
    case = written(store, tmp_path / "case")
    assert (case.documents, case.revisions, case.captures, case.missing) == (
        2,
        1,
        3,
        (),
    )
    folder = tmp_path / "case"
    for file in folder.glob("captures/*.warc.gz"):
        number = file.name.partition(".")[0]
        with file.open("rb") as source:
            body = next(iter(ArchiveIterator(source))).content_stream().read()
        told = json.loads((folder / f"captures/{number}.json").read_text("utf-8"))
        assert body == (folder / f"captures/{number}.body").read_bytes()
        assert told["digest"] == hashlib.sha256(body).hexdigest()
        assert ["Content-Type", "text/html"] in told["headers"]
    head = store.articles.find(case.article_id).document_id
    assert "Nobody was hurt" in (folder / f"documents/{head}.txt").read_text("utf-8")
    assert "Nobody was hurt" not in (folder / f"documents/{head}-r1.txt").read_text(
        "utf-8"
    )
    assert json.loads((folder / "article.json").read_text("utf-8"))["publishers"] == 1


def test_nothing_from_the_web_becomes_a_path(store: Store, tmp_path: Path) -> None:
    """Titles, addresses and headers that climb out of folders stay inside files."""
    written(store, tmp_path / "case")
    names = {file.name for file in (tmp_path / "case").rglob("*")}
    assert all(
        name.isascii()
        and not set(name) - set("abcdefghijklmnopqrstuvwxyzMANIFESTRD0123456789.-")
        for name in names
    )
    assert {file.name for file in tmp_path.iterdir()} == {
        "case",
        "captures",
        "khabar.db",
        "khabar.db-wal",
        "khabar.db-shm",
        "khabar.db.lock",
    }


def test_what_is_no_longer_kept_is_listed_as_missing(
    store: Store, tmp_path: Path
) -> None:
    """A raw page whose bytes are gone or are others is missing, and no file stands for it."""
    for file in (tmp_path / "captures").rglob("*.warc.gz"):
        file.write_bytes(b"x" * file.stat().st_size)
    case = written(store, tmp_path / "case")
    assert (case.captures, len(case.missing)) == (0, 3)
    manifest = json.loads((tmp_path / "case/manifest.json").read_text("utf-8"))
    assert [one["why"] for one in manifest["missing"]] == [
        "gone from the archive, or not what its digest says"
    ] * 3
    assert not list((tmp_path / "case").glob("captures/*"))


def test_a_folder_in_use_is_not_touched(store: Store, tmp_path: Path) -> None:
    """Nor is anything left of a case that could not be written.

    A file's place is no folder.
    """
    (tmp_path / "case").mkdir()
    (tmp_path / "case/mine").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="in use"):
        written(store, tmp_path / "case")
    (tmp_path / "file").write_text("mine", "utf-8")
    with pytest.raises(UsageError):
        written(store, tmp_path / "file")
    with pytest.raises(UsageError, match="cannot be written"):
        written(store, tmp_path / "file" / "below")
    with pytest.raises(WorkFailed):
        case_folder.write_case_folder(
            store, 99, tmp_path / "none", now=NOW, version="0"
        )
    assert not (tmp_path / "none").exists()
    assert not list(tmp_path.glob(".case*"))
