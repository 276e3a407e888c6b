"""The service under kill -9 and power cuts, on a web of which every letter is known (protocol C1, C2, C10, C12, C13)."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import kill
import powercut
from harness import ROOT, Service, Web, copied, faults
from sqlite_utils import Database
from web import WORDS

from storage import schema
from storage.store import Store

IN_FLIGHT = 32 + 50  # requests at once, and a batch that waits to be written


def test_c1_and_c2_ten_kills_lose_nothing_and_repeat_little() -> None:
    """Nothing lost, twice, torn or ahead of its validator.

    What is fetched again was in flight. Long: kill.py.
    """
    tally = kill.run(10, feeds=12, articles=10, seed=3)
    assert tally.kills == 10
    assert not tally.faults
    assert tally.lost == 0
    assert tally.repeated <= tally.kills * IN_FLIGHT


def test_c10_workers_that_are_killed_are_replaced(serve, web: Web) -> None:
    """Their pages are read again or told as unreadable.

    The service lives and every URL has a fate.
    """
    web.control(delay=0.05)
    service = serve().start()
    service.until(lambda: service.kept > 0)
    for _ in range(3):
        for pid in _workers(service):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
    service.until(
        lambda: (
            service.one("SELECT count(*) FROM leads") == 0
            and (service.one("SELECT count(*) FROM polls") or 0) >= 6
        )
    )
    assert service.one("SELECT count(*) FROM fates") == 60
    with copied(service.db) as db:
        assert not faults(db, 6, 10)
    assert service.stop()[0] == 0


def _workers(service: Service) -> list[int]:
    """Processes below the server from which workers are forked."""
    below: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(fields[1]), []).append(int(status.parent.name))
    return [
        worker
        for server in below.get(service.process.pid, [])
        for worker in below.get(server, [])
    ]


def test_c12_what_a_power_cut_leaves_is_whole(serve, web: Web) -> None:
    """File and WAL frozen at moments of a crawl, the WAL also cut anywhere.

    Nothing half written. Long: powercut.py.
    """
    tally = powercut.one_web(serve(delay="600ms"), random.Random(12), most=40)
    assert tally.copies >= 8
    assert not tally.faults
    assert tally.lost == 0


def test_c13_a_migration_that_is_killed_leaves_the_old_form_or_the_new_one(
    tmp_path: Path,
) -> None:
    """Killed at random moments of its work, an upgrade goes on with the next start and loses no document."""
    old = tmp_path / "old.db"
    _of_the_first_form(old, documents=1500)
    steps = {_steps(old)}
    dice = random.Random(13)
    opening = [
        sys.executable,
        "-c",
        "import sys; from storage.store import Store; Store.open(sys.argv[1]).close()",
        str(old),
    ]
    for _ in range(5):
        process = subprocess.Popen(opening, env={**os.environ, "PYTHONPATH": str(ROOT)})
        time.sleep(dice.uniform(0.15, 0.9))
        process.kill()
        process.wait()
        with copied(old) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("SELECT count(*) FROM documents").fetchone() == (1500,)
        steps.add(_steps(old))
    with Store.open(old) as store:
        assert not store.check()
        assert store.stats.counts()["articles"] + store.stats.counts()["copies"] == 1500
    assert 1 in steps


def _steps(path: Path) -> int:
    with copied(path) as db:
        return db.execute(
            "SELECT count(*) FROM _sqlite_migrations WHERE migration_set = 'khabar'"
        ).fetchone()[0]


def _of_the_first_form(path: Path, *, documents: int) -> None:
    """A file as the first release left it.

    Today's, with everything taken out that later steps made.
    """
    with closing(connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        db = Database(raw)
        raw.isolation_level = None
        schema.migrations.apply(db, stop_before="m002_near_copies")
        db.execute("BEGIN")
        for n in range(documents):
            text = " ".join(random.Random(n).choices(WORDS, k=120))
            db.execute(
                """
                INSERT INTO documents (article_id, is_head, sort_key, key, url, source, host, first_seen_at, updated_at,
                    checked_at, words, text_hash, relevance, via, text)
                VALUES (?, 1, ?, ?, ?, 's', 'h.example', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z',
                    '2026-01-01T00:00:00Z', 120, ?, 1.0, 'feed', ?)
                """,
                [n + 1, n + 1, f"h.example/{n}", f"http://h.example/{n}", n, text],
            )
            db.execute(
                "INSERT INTO folded (key, document_id, title, text) VALUES (?, ?, '', ?)",
                [n + 1, n + 1, text],
            )
            db.execute(
                "INSERT INTO fates (key, url, source, fate, document_id, at) VALUES (?, ?, 's', 'article', ?, '2026-01-01T00:00:00Z')",
                [f"h.example/{n}", f"http://h.example/{n}", n + 1],
            )
        db.execute("COMMIT")
