"""What the crash tests share.

The web, the service as a process of its own, and what must hold after any end of it.
"""

import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.request import ProxyHandler, build_opener

import web

ROOT = Path(__file__).resolve().parents[2]


class Web:
    """The loopback web in a process of its own."""

    def __init__(self, *, feeds: int = 40, articles: int = 25, port: int = 0) -> None:
        self.feeds, self.articles = feeds, articles
        words = [
            f"--{name}={value}"
            for name, value in (
                ("feeds", feeds),
                ("articles", articles),
                ("port", port),
            )
        ]
        self.process = subprocess.Popen(
            [sys.executable, web.__file__, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port, self.pid = int(self.process.stdout.readline()), self.process.pid
        self.address = f"http://127.0.0.1:{self.port}"
        self._opener = build_opener(ProxyHandler({"http": self.address}))

    def control(self, **wanted: object) -> dict[str, Any]:
        """Set what is named; what was asked so far."""
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        with self._opener.open(
            f"http://control.example/?{query}", timeout=20
        ) as answer:
            return json.load(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class There(Web):
    """A web that somebody else started and will end."""

    def __init__(
        self, port: int, feeds: int, articles: int = 25, *, pid: int = 0
    ) -> None:
        self.feeds, self.articles, self.port, self.pid = feeds, articles, port, pid
        self.address = f"http://127.0.0.1:{port}"
        self._opener = build_opener(ProxyHandler({"http": self.address}))

    def __exit__(self, *_: object) -> None:
        """It goes on."""


class Service:
    """`khabar run` in a folder of its own, crawling the web."""

    def __init__(
        self,
        folder: Path,
        web_: Web,
        *,
        delay: str = "0s",
        every: str = "1h",
        extra: str = "",
    ) -> None:
        self.folder, self.web = folder, web_
        self.db = folder / "khabar.db"
        self.config = folder / "config.toml"
        self.process: subprocess.Popen[bytes] | None = None
        sources = "".join(
            f'[[sources]]\nid = "s{n}"\nfeed = "http://s{n}.example/feed"\nevery = "{every}"\n'
            for n in range(web_.feeds)
        )
        self.config.write_text(
            f'[store]\npath = "khabar.db"\ncaptures = "captures"\n[crawl]\ndelay = "{delay}"\nworkers = 1\n'
            f'proxy = "{web_.address}"\n[topic]\nmin_relevance = 0.0\n{extra}{sources}'
        )
        self.environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}

    def khabar(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command beside it."""
        return subprocess.run(
            [sys.executable, "-m", "scheduler.cli", *words, "--config", str(self.config)],
            text=True, capture_output=True, timeout=120, check=False, cwd=self.folder, env=self.environment,
        )  # fmt: skip

    def start(self) -> "Service":
        """Start, and do not wait."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "scheduler.cli", "run", "--config", str(self.config)],
                stderr=log, cwd=self.folder, env=self.environment, start_new_session=True,
            )  # fmt: skip
        return self

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """kill -9 of the service; its workers follow it to the grave by themselves."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """The exit code and the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(40), time.monotonic() - began

    def until(self, holds: Callable[[], bool], within: float = 120) -> None:
        """Wait for something to become true while the service lives."""
        end = time.monotonic() + within
        while not holds():
            assert self.runs, self.log[-3000:]
            assert time.monotonic() < end, self.log[-3000:]
            time.sleep(0.05)

    def one(self, statement: str) -> Any:
        """The first value of a query; None while there is no database."""
        try:
            with closing(
                sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=60)
            ) as db:
                row = db.execute(statement).fetchone()
        except sqlite3.OperationalError:
            return None
        return row and row[0]

    @property
    def kept(self) -> int:
        return self.one("SELECT count(*) FROM articles") or 0

    def is_done(self, articles: int) -> bool:
        """Whether every article is kept and no lead is left."""
        return self.kept >= articles and self.one("SELECT count(*) FROM leads") == 0

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def copied(db: Path, *, wal_share: float = 1.0) -> Iterator[sqlite3.Connection]:
    """The file and its WAL as they rest on disk, opened elsewhere.

    What a power cut would leave to the next start.

    Of what may be lost of the WAL, only the first `wal_share`, as if the rest had not
    reached the disk. What was carried over into the file cannot be lost: SQLite sees to
    it that it is on the disk before.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / db.name
        if db.exists():  # killed before there was one
            shutil.copyfile(db, copy)
        wal = db.with_name(db.name + "-wal")
        if wal.exists():
            log = wal.read_bytes()
            safe = min(_carried_over(db, log), len(log))
            copy.with_name(copy.name + "-wal").write_bytes(
                log[: safe + int((len(log) - safe) * wal_share)]
            )
        with closing(sqlite3.connect(copy)) as opened:
            yield opened


def _carried_over(db: Path, log: bytes) -> int:
    """Bytes of the WAL of which a checkpoint has written pages, or was about to (SQLite's walindex format)."""
    index = db.with_name(db.name + "-shm").read_bytes()[:136]
    if len(index) < 136 or len(log) < 32:
        return 0
    frames = max(
        struct.unpack_from("=I", index, 96)[0], struct.unpack_from("=I", index, 128)[0]
    )
    page = struct.unpack_from(">I", log, 8)[0]
    return 32 + int(frames) * (24 + int(page))


def faults(
    db: sqlite3.Connection, feeds: int, articles: int, rounds: int = 1
) -> list[str]:
    """Everything that is wrong with a store of the web's articles, at any moment of a crawl; empty when all is well."""
    if not db.execute(
        "SELECT 1 FROM sqlite_master WHERE name = 'documents'"
    ).fetchone():
        return []  # killed before the first migration was committed
    found = [
        f"integrity: {row[0]}"
        for row in db.execute("PRAGMA integrity_check")
        if row[0] != "ok"
    ]
    found += [
        f"foreign key: {tuple(row)}" for row in db.execute("PRAGMA foreign_key_check")
    ]
    texts = db.execute("SELECT url, text FROM documents").fetchall()
    found += [f"torn: {url}" for url, text in texts if not web.is_whole(text)]
    found += [
        f"twice: {row[0]}"
        for row in db.execute(
            "SELECT url FROM documents GROUP BY url HAVING count(*) > 1"
        )
    ]
    found += [
        f"announced twice: {row[0]}"
        for row in db.execute(
            "SELECT article_id FROM changes WHERE what = 'new' GROUP BY 1 HAVING count(*) > 1"
        )
    ]
    known = {
        row[0]
        for row in db.execute("SELECT url FROM fates UNION ALL SELECT url FROM leads")
    }
    for (source,) in db.execute("SELECT id FROM sources WHERE etag IS NOT NULL"):
        missing = [
            n
            for n in range(rounds * articles)
            if f"http://{source}.example/a/{n}" not in known
        ]
        found += [f"validator ahead: {source} lacks {missing[:5]}"] if missing else []
    unbalanced = """
        SELECT id FROM polls
        WHERE found <> known + new + revised + copies + rejected + refused + too_old + failed + pending
    """
    found += [f"poll {row[0]} does not add up" for row in db.execute(unbalanced)]
    found += [
        f"no entry in the full text: {row[0]}"
        for row in db.execute(
            "SELECT d.url FROM documents AS d LEFT JOIN folded AS f ON f.document_id = d.id WHERE f.key IS NULL"
        )
    ]
    return found


def lost(db: sqlite3.Connection, feeds: int, articles: int) -> int:
    """How many of the web's articles are not kept."""
    kept = {row[0] for row in db.execute("SELECT url FROM documents")}
    return sum(
        f"http://s{n}.example/a/{k}" not in kept
        for n in range(feeds)
        for k in range(articles)
    )
