"""Importing and extracting files, with the program itself."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from pathlib import Path

import pytest

from storage.store import Store

TEXT = (
    "Gunmen killed three police officers at a checkpoint in Kandahar province before dawn, the governor said. "
    "The Taliban claimed the attack in a message and said that two of its fighters had died. "
    "The road to Spin Boldak stayed closed until noon, and traders were sent back to the city."
)
PAGE = f"<html lang=en><head><title>{{}}</title></head><body><article><h1>{{}}</h1><p>{TEXT}</p><p>{TEXT[::-1]}</p></article></body></html>"


def khabar(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "scheduler.cli", *map(str, words)],
        text=True, capture_output=True, timeout=120, check=False, cwd=folder, env=environment, encoding="utf-8",
    )  # fmt: skip


def warc(path: Path, *responses: tuple[str, int, bytes, dict[str, str]]) -> Path:
    """A WARC file of these responses: address, status, body, headers.

    Each record a gzip member.
    """
    path.write_bytes(
        b"".join(gzip.compress(record(*response)) for response in responses)
    )
    return path


def record(url: str, status: int, body: bytes, headers: dict[str, str]) -> bytes:
    named = {"Content-Type": "text/html; charset=utf-8", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    http = f"HTTP/1.1 {status} OK\r\n{lines}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{uuid.uuid4()}>\r\nWARC-Target-URI: {url}\r\n"
        "WARC-Date: 2026-11-20T10:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def rows(path: Path, *told: object) -> Path:
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in told), "utf-8"
    )
    return path


def page(title: str) -> bytes:
    return PAGE.format(title, title).encode()


def test_articles_arrive_in_the_order_of_the_input(tmp_path: Path) -> None:
    """Numbers rise with the lines, over batches and workers, and the first of two equal texts is the article."""
    told = [
        {
            "url": f"https://h{n}.example/a",
            "text": f"{TEXT} The number of this report is {n}.",
            "source": "s",
        }
        for n in range(150)
    ]
    told.append({"url": "https://late.example/copy", "text": told[0]["text"]})
    ran = khabar(
        "import",
        rows(tmp_path / "a.jsonl", *told),
        "--db",
        "x.db",
        "--json",
        folder=tmp_path,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["rows"] == 151
    with Store.read(tmp_path / "x.db") as store:
        assert [
            row[0]
            for row in store.session.db.execute("SELECT url FROM documents ORDER BY id")
        ] == [row["url"] for row in told]
        assert (
            store.session.db.execute(
                "SELECT url FROM copies WHERE kind = 'exact'"
            ).fetchone()[0]
            == "https://late.example/copy"
        )


def test_a_second_import_changes_nothing(tmp_path: Path) -> None:
    """What is known is unchanged."""
    file = rows(tmp_path / "a.jsonl", {"url": "https://a.example/1", "text": TEXT})
    khabar("import", file, "--db", "x.db", folder=tmp_path)
    ran = khabar("import", file, "--db", "x.db", "--json", folder=tmp_path)
    assert json.loads(ran.stdout)["results"] == {"unchanged": 1}


def test_bad_lines_are_told_and_the_others_taken(tmp_path: Path) -> None:
    """Each with its file and number; exit 0 as long as something could be taken in."""
    file = rows(
        tmp_path / "a.jsonl",
        {"url": "https://a.example/1", "text": TEXT, "published_at": "soon"},
        {"url": 1},
        "x",
    )
    ran = khabar("import", file, "--db", "x.db", folder=tmp_path)
    assert ran.returncode == 0
    assert [line.partition(" ")[0] for line in ran.stderr.splitlines()] == [
        "a.jsonl:1:",
        "a.jsonl:2:",
        "a.jsonl:3:",
    ]
    assert ran.stdout.startswith("3 rows read: 1 new, 2 skipped")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.jsonl", b"nothing\n", 1),
        ("a.txt", b"{}", 2),
        ("a.warc.gz", b"\x1f\x8bgarbage", 1),
    ],
)
def test_a_file_that_gives_nothing_is_a_fault(
    tmp_path: Path, name: str, content: bytes, code: int
) -> None:
    """Exit 2 for a kind of file that is not known, 1 when nothing could be taken in."""
    (tmp_path / name).write_bytes(content)
    ran = khabar("import", name, "--db", "x.db", folder=tmp_path)
    assert ran.returncode == code
    assert name in ran.stderr
    assert "Traceback" not in ran.stderr


def test_captures_pass_the_same_desk(tmp_path: Path) -> None:
    """A page becomes an article with its capture, an off-topic one a rejection, a missing one a failure."""
    cricket = (
        b"<html><head><title>Win</title></head><body><article><p>"
        + b"The spinners shared wickets. " * 30
        + b"</p></article></body></html>"
    )
    file = warc(
        tmp_path / "a.warc.gz",
        ("https://a.example/1", 200, page("Three officers killed in Kandahar"), {}),
        ("https://a.example/2", 200, cricket, {}),
        ("https://a.example/3", 404, b"gone", {}),
    )
    assert khabar("import", file, "--db", "x.db", folder=tmp_path).returncode == 0
    with Store.read(tmp_path / "x.db", captures=tmp_path / "x.db.captures") as store:
        fates = dict(store.session.db.execute("SELECT url, fate FROM fates").fetchall())
        assert fates == {
            "https://a.example/1": "article",
            "https://a.example/2": "rejected",
            "https://a.example/3": "failed",
        }
        article = store.articles.find(1)
        assert article is not None
        assert article.source == "a.example"
        raw = store.captures.page(article.capture_id or 0)
        assert raw is not None
        assert raw.body == page("Three officers killed in Kandahar")


def test_extract_gives_one_object_for_each_response_record(tmp_path: Path) -> None:
    """In their order, packed bodies and all.

    A page without an article has a rejection and no text.
    """
    file = warc(
        tmp_path / "a.warc.gz",
        (
            "https://a.example/1",
            200,
            gzip.compress(page("First")),
            {"Content-Encoding": "gzip"},
        ),
        ("https://a.example/2", 200, b"", {}),
        ("https://a.example/3", 500, page("Third"), {}),
        ("https://a.example/4", 200, page("Fourth"), {}),
    )
    ran = khabar("extract", file, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [
        (row["url"][-1], row["title"], row["text"] is None)
        for row in told
        if row["title"]
    ] == [
        ("1", "First", False),
        ("4", "Fourth", False),
    ]
    assert [row["rejection"] is None for row in told] == [True, False, False, True]
    assert all(
        row["record_id"].startswith("<urn:uuid:") and row["file"] == str(file)
        for row in told
    )
    assert not list(tmp_path.glob("*.db"))


def test_extract_reads_saved_pages(tmp_path: Path) -> None:
    """Plain or packed.

    The address is the one that the page names for itself, or null.
    """
    named = page("Saved").replace(
        b"<head>", b'<head><link rel="canonical" href="https://a.example/saved">'
    )
    (tmp_path / "a.html").write_bytes(named)
    (tmp_path / "b.html.gz").write_bytes(gzip.compress(page("Packed")))
    ran = khabar("extract", "a.html", "b.html.gz", "none.html", folder=tmp_path)
    assert ran.returncode == 1
    assert "none.html" in ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(row["url"], row["title"], row["record_id"]) for row in told] == [
        ("https://a.example/saved", "Saved", None),
        (None, "Packed", None),
    ]


def test_a_torn_capture_file_gives_what_it_has(tmp_path: Path) -> None:
    """A crash in the middle of a record loses that record, not the ones before it."""
    file = warc(
        tmp_path / "a.warc.gz",
        *((f"https://a.example/{n}", 200, page(f"Page {n}"), {}) for n in range(3)),
    )
    file.write_bytes(file.read_bytes()[:-200])
    ran = khabar("extract", file, folder=tmp_path)
    titles = [json.loads(line)["title"] for line in ran.stdout.splitlines()]
    assert titles[:2] == ["Page 0", "Page 1"]
    assert "Traceback" not in ran.stderr


CRICKET = (
    b"<html><head><title>Win</title></head><body><article><p>"
    + b"The spinners shared wickets. " * 40
    + b"</p></article></body></html>"
)


def fates(folder: Path) -> dict[str, tuple[str, str, str]]:
    with Store.read(folder / "x.db") as store:
        return {
            row[0]: tuple(row)[1:]
            for row in store.session.db.execute(
                "SELECT url, fate, reason, detail FROM fates"
            )
        }


def test_other_tools_read_our_captures(tmp_path: Path) -> None:
    """`warcio check` and `warcio index` pass on every file that an import has made.

    The raw page is as it was.
    """
    file = warc(
        tmp_path / "a.warc.gz",
        *(
            (f"https://a.example/{n}", 200, page(f"Report {n} from Kandahar"), {})
            for n in range(3)
        ),
    )
    assert khabar("import", file, "--db", "x.db", folder=tmp_path).returncode == 0
    made = sorted((tmp_path / "x.db.captures").rglob("*.warc.gz"))
    assert made
    for one in made:
        for words in (
            ("check",),
            ("index", "-f", "warc-type,warc-target-uri,http:status"),
        ):
            ran = subprocess.run(
                [sys.executable, "-m", "warcio.cli", *words, str(one)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.count("https://a.example/") == 3
    raw = subprocess.run(
        [sys.executable, "-m", "scheduler.cli", "show", "1", "--raw", "--db", "x.db"], cwd=tmp_path, capture_output=True, check=True,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert raw.stdout == page("Report 0 from Kandahar")


def test_what_we_keep_can_be_taken_in_again(tmp_path: Path) -> None:
    """The way out is the way in: another database takes our captures as they are."""
    file = warc(
        tmp_path / "a.warc.gz",
        ("https://a.example/1", 200, page("Report from Kandahar"), {}),
    )
    khabar("import", file, "--db", "y.db", folder=tmp_path)
    ours = next((tmp_path / "y.db.captures").rglob("*.warc.gz"))
    assert khabar("import", ours, "--db", "x.db", folder=tmp_path).returncode == 0
    assert fates(tmp_path)["https://a.example/1"][0] == "article"


def test_a_page_without_an_afghan_word_has_its_fate_and_no_capture(
    tmp_path: Path,
) -> None:
    """Nothing vanishes: rows and results add up, and the reason says why."""
    file = warc(
        tmp_path / "a.warc.gz",
        ("https://a.example/1", 200, page("Report from Kandahar"), {}),
        ("https://a.example/2", 200, CRICKET, {}),
    )
    ran = khabar("import", file, "--db", "x.db", folder=tmp_path)
    assert ran.stdout.startswith("2 rows read: 1 new, 1 rejected: irrelevant")
    assert fates(tmp_path)["https://a.example/2"] == (
        "rejected",
        "irrelevant",
        "no Afghan word in the page",
    )
    with Store.read(tmp_path / "x.db") as store:
        assert (
            store.session.db.execute("SELECT count(*) FROM captures").fetchone()[0] == 1
        )


def test_a_wacz_is_read_like_its_warcs(tmp_path: Path) -> None:
    """Every WARC in its folder `archive`; one that is no zip file is told of."""
    for n in (1, 2):
        warc(
            tmp_path / f"{n}.warc.gz",
            (f"https://a.example/{n}", 200, page(f"Report {n} from Kandahar"), {}),
        )
    with zipfile.ZipFile(tmp_path / "a.wacz", "w") as out:
        for n in (1, 2):
            out.write(tmp_path / f"{n}.warc.gz", f"archive/{n}.warc.gz")
        out.writestr("datapackage.json", "{}")
    assert khabar("import", "a.wacz", "--db", "x.db", folder=tmp_path).returncode == 0
    assert set(fates(tmp_path)) == {"https://a.example/1", "https://a.example/2"}
    (tmp_path / "b.wacz").write_bytes(b"no zip")
    ran = khabar("import", "b.wacz", "--db", "x.db", folder=tmp_path)
    assert (ran.returncode, "is not a WACZ file" in ran.stderr) == (1, True)


def test_broken_records_are_told_and_the_others_taken(tmp_path: Path) -> None:
    """A damaged member, a record that says more than it has, a file packed in one piece, one that breaks off."""
    good = [
        record(f"https://a.example/{n}", 200, page(f"Report {n} from Kandahar"), {})
        for n in range(4)
    ]
    damaged = bytearray(gzip.compress(good[1]))
    damaged[60:90] = bytes(30)
    (tmp_path / "a.warc.gz").write_bytes(
        gzip.compress(good[0])
        + damaged
        + gzip.compress(good[2])
        + gzip.compress(good[3])[:-300]
    )
    (tmp_path / "b.warc.gz").write_bytes(
        gzip.compress(
            b"".join(
                record(f"https://b.example/{n}", 200, page(f"News {n} of Helmand"), {})
                for n in range(3)
            )
        )
    )
    ran = khabar("import", "a.warc.gz", "b.warc.gz", "--db", "x.db", folder=tmp_path)
    assert ran.returncode == 0
    assert "goes on after a broken record" in ran.stderr
    assert "breaks off" in ran.stderr
    assert set(fates(tmp_path)) == {
        "https://a.example/0",
        "https://a.example/2",
        *(f"https://b.example/{n}" for n in range(3)),
    }


def test_a_killed_import_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """The second run reads only what is left.

    All is there once, in the order of the file.
    """
    pages = [
        (f"https://a.example/{n}", 200, page(f"Report {n} from Kandahar"), {})
        for n in range(400)
    ]
    file = warc(tmp_path / "a.warc.gz", *pages)
    command = [
        sys.executable,
        "-m",
        "scheduler.cli",
        "import",
        str(file),
        "--db",
        "x.db",
    ]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    running = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while running.poll() is None and not _noted(tmp_path / "x.db"):
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    before = _noted(tmp_path / "x.db")
    assert before
    ran = khabar("import", file, "--db", "x.db", folder=tmp_path)
    assert ran.returncode == 0
    read = int(ran.stdout.partition(" rows read")[0])
    assert read == 400 - before
    assert set(fates(tmp_path)) == {url for url, *_ in pages}
    assert not _noted(tmp_path / "x.db")
    assert khabar("import", file, "--db", "x.db", folder=tmp_path).stdout.startswith(
        "400 rows read"
    )


def _noted(path: Path) -> int:
    """How many rows of an unfinished import are done with."""
    if not path.exists():
        return 0
    try:
        with Store.read(path) as store:
            row = store.session.db.execute(
                "SELECT state FROM progress WHERE work = 'import'"
            ).fetchone()
    except Exception:  # noqa: BLE001 - the file is being made
        return 0
    return json.loads(row[0])["rows"] if row else 0


def test_a_lost_database_is_made_anew_from_its_captures(tmp_path: Path) -> None:
    """By the documented command: every address again, with its source, in place.

    Two of the three have the same bytes, and so one body in the archive.
    """
    captures = tmp_path / "captures"
    (tmp_path / "config.toml").write_text(
        '[store]\npath = "khabar.db"\ncaptures = "captures"\n', "utf-8"
    )
    same, other = page("Checkpoint attacked"), page("The road to Spin Boldak")
    file = warc(
        tmp_path / "first.warc.gz",
        ("https://a.example/1", 200, same, {"WARC-Via": "a"}),
        ("https://b.example/2", 200, same, {}),
        ("https://c.example/3", 200, other, {}),
    )
    assert khabar("import", file, folder=tmp_path).returncode == 0
    before = carried(tmp_path)
    assert len(before) == 3
    files = {path: path.read_bytes() for path in captures.rglob("*.warc.gz")}
    for lost in tmp_path.glob("khabar.db*"):
        lost.unlink()

    kept = sorted((captures / "kept").glob("*.warc.gz"))
    assert khabar("import", *kept, folder=tmp_path).returncode == 0
    assert carried(tmp_path) == before
    # Each capture stays where it is: nothing is stored a second time.
    assert {path: path.read_bytes() for path in captures.rglob("*.warc.gz")} == files
    with Store.read(tmp_path / "khabar.db", captures=captures) as store:
        state = store.captures.check_archive(every=True)
    assert (state.captures, state.unreadable, state.strange_files) == (3, 0, 0)


def carried(folder: Path) -> list[tuple[str, str]]:
    """Address and source of every text."""
    with Store.read(folder / "khabar.db") as store:
        rows = store.session.db.execute("SELECT url, source FROM documents ORDER BY 1")
        return [(row["url"], row["source"]) for row in rows]
