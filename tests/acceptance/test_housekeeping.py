"""What a service does for its file by itself.

Old raw pages go, the log of writes is cut, statistics, a backup.
"""

import sqlite3
import subprocess
import sys
from pathlib import Path

GROWN = 20_000_000  # bytes of WAL
GROW = f"""
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA wal_autocheckpoint = 0")
db.execute("INSERT INTO meta VALUES ('filler', ?)", ["x" * {GROWN}])
db.execute("DELETE FROM meta WHERE name = 'filler'")
os._exit(0)  # as a crash leaves it: a closed connection would empty the log
"""


def wal(folder: Path) -> int:
    file = folder / "khabar.db-wal"
    return file.stat().st_size if file.exists() else 0


def age(folder: Path) -> dict[str, set[Path]]:
    """Date every file of raw pages back to January; the files by kind."""
    db = sqlite3.connect(folder / "khabar.db", isolation_level=None)
    made: dict[str, set[Path]] = {"kept": set(), "rejected": set()}
    for (file,) in db.execute("SELECT DISTINCT file FROM captures").fetchall():
        kind, name = file.split("/")
        old = f"{kind}/2026-01-01{name[len('2026-01-01') :]}"
        (folder / "captures" / file).rename(folder / "captures" / old)
        db.execute("UPDATE captures SET file = ? WHERE file = ?", [old, file])
        made[kind].add(folder / "captures" / old)
    db.close()
    return made


def test_the_house_is_kept_by_itself(service) -> None:
    """Raw pages past their age go, those of articles stay for longer, a grown log is cut, the planner has statistics,
    a backup is whole and has everything; and the texts of expired pages stay."""
    service.start()
    service.until(service.all_landed)
    assert service.stop()[0] == 0
    articles = service.ask("SELECT count(*) FROM articles")
    made = age(service.folder)
    assert made["kept"]
    assert made["rejected"]
    with sqlite3.connect(service.folder / "khabar.db") as db:
        db.execute("DELETE FROM sqlite_stat1")
    db.close()
    subprocess.run(
        [sys.executable, "-c", GROW, str(service.folder / "khabar.db")], check=True
    )
    assert wal(service.folder) > GROWN
    ids = [source.id for source in service.web.site.sources]
    service.configure(
        ids, extra='[service]\nbackup = "copy.db"\n', store='keep_rejected = "2d"\n'
    )
    service.start()
    service.until(lambda: not any(file.exists() for file in made["rejected"]))
    service.until(lambda: wal(service.folder) < GROWN / 10)
    service.until(lambda: service.ask("SELECT count(*) FROM sqlite_stat1")[0][0] > 0)
    service.until((service.folder / "copy.db").exists)
    assert service.process.poll() is None
    assert all(file.exists() for file in made["kept"])
    assert service.ask(
        "SELECT count(*) FROM captures WHERE file LIKE 'rejected/2026-01-01%'"
    ) == [(0,)]
    assert '"expire"' in service.log
    copy = sqlite3.connect(service.folder / "copy.db")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute("SELECT count(*) FROM articles").fetchall() == articles
    copy.close()
    assert (service.folder / "copy.db").stat().st_mode & 0o777 == 0o600
    assert service.stop()[0] == 0
    service.configure(ids, store='keep_captures = "30d"\nkeep_rejected = "2d"\n')
    service.start()
    service.until(lambda: not any(file.exists() for file in made["kept"]))
    assert service.ask("SELECT count(*) FROM articles") == articles
    shown = service.khabar("show", "1", "--raw")
    assert (shown.returncode, "was not kept, or has expired" in shown.stderr) == (
        1,
        True,
    )
