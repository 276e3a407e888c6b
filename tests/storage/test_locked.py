"""Every writer of the store against a file that another program has locked."""

import ast
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import make_document, make_landing, make_poll, make_source_state
from storage.errors import StoreBusy
from storage.model import (
    AlertCursor,
    Correction,
    Document,
    Label,
    Landing,
    Lead,
    Poll,
    Recheck,
    RecheckPlan,
)
from storage.store import Store, submit_job

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TEXT = "The council of Zardalu met. " + " ".join(f"word{n}" for n in range(40))
GROUPS = Path(__file__).parents[2] / "storage" / "groups"


def document(n: int) -> Document:
    return make_document(
        f"https://outlet.example/news/{n}",
        f"{TEXT} {n}",
        source="outlet",
        title=f"Title {n}",
    )


def landing(n: int) -> Landing:
    one = document(n)
    recheck = RecheckPlan(due_at=NOW)
    return make_landing(one, recheck=recheck)


def poll(n: int) -> Poll:
    lead = Lead(url=f"https://outlet.example/news/{n}", source="outlet")
    return make_poll(lead, at=NOW)


RECHECK = Recheck(
    document_id=1,
    url="https://outlet.example/news/1",
    source="outlet",
    via="feed",
    feed_published_at=None,
    first_seen_at=NOW,
)
PLACE = {
    "code": "AF27",
    "kind": "province",
    "name": "Kandahar",
    "province_code": "AF27",
    "lat": 31.6,
    "lon": 65.7,
}
WRITERS = {
    "AlertCursors.save": lambda s: s.alert_cursors.save(
        [AlertCursor(id="a", cursor=1)]
    ),
    "Annotations.apply": lambda s: s.annotations.apply(
        Correction(label=Label.TAG, what=1, tag="checked")
    ),
    "Boilerplate.allow": lambda s: s.boilerplate.allow("outlet.example", 7),
    "Erasure.expire": lambda s: s.erasure.expire(
        NOW, keep_captures=DAY, keep_rejected=DAY, max_size=1
    ),
    "Erasure.forget": lambda s: s.erasure.forget(1),
    "Erasure.forget_source": lambda s: s.erasure.forget_source("outlet"),
    "Gazetteer.sync_places": lambda s: s.gazetteer.sync_places([PLACE]),
    "Gazetteer.sync_spellings": lambda s: s.gazetteer.sync_spellings(
        [("name", "AF27", "Kandahar")]
    ),
    "HostWaits.save": lambda s: s.host_waits.save("outlet.example", NOW),
    "Jobs.finish": lambda s: s.jobs.finish(1, {}, now=NOW),
    "Jobs.save_progress": lambda s: s.jobs.save_progress(1, {"pages": 1}),
    "Jobs.take_next": lambda s: s.jobs.take_next(NOW),
    "Landings.admit": lambda s: s.landings.admit(document(2)),
    "Landings.land": lambda s: s.landings.land([landing(2)]),
    "Polls.land": lambda s: s.polls.land(poll(2)),
    "Polls.land_all": lambda s: s.polls.land_all([(poll(2), None), (poll(3), None)]),
    "Progress.clear": lambda s: s.progress.clear("import", "key"),
    "Progress.save": lambda s: s.progress.save("import", "key", "a.warc", {"at": 1}),
    "Rechecks.claim_due": lambda s: s.rechecks.claim_due(NOW, limit=9, lease=HOUR),
    "Rechecks.finish": lambda s: s.rechecks.finish(RECHECK, now=NOW, plan=None),
    "ServiceState.beat": lambda s: s.service.beat(NOW),
    "ServiceState.save_job_fault": lambda s: s.service.save_job_fault(
        "backup", "disk full", NOW
    ),
    "ServiceState.save_waiting_keys": lambda s: s.service.save_waiting_keys(["x.y"]),
    "Sources.claim": lambda s: s.sources.claim(["outlet"], NOW, HOUR),
    "Sources.claim_due": lambda s: s.sources.claim_due(NOW, limit=9, lease=HOUR),
    "Sources.release": lambda s: s.sources.release("outlet"),
    "Sources.sync": lambda s: s.sources.sync([]),
}


@pytest.fixture
def store(tmp_path: Path):
    """A file in which every writer has something to do."""
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as opened:
        opened.sources.sync([make_source_state("outlet", url="https://o.example")])
        opened.landings.land([landing(1)], now=NOW)
        submit_job(opened.path, "crawl", {"sources": []})
        yield opened


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_write_against_a_locked_file_is_busy_and_succeeds_after(
    store: Store, write
) -> None:
    """Another program's transaction costs patience, never a row, never a traceback."""
    store.session.db.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="locked by another program"):
        write(store)
    other.execute("ROLLBACK")
    other.close()
    write(store)


def test_handing_over_a_job_to_a_locked_file_is_busy(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hands work over writes without the lock of the writer."""
    monkeypatch.setattr("storage.connection.BUSY_TIMEOUT_SECONDS", 0.01)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="locked by another program"):
        submit_job(store.path, "crawl", {"sources": []})
    other.close()


def calls(method: ast.FunctionDef) -> set[str]:
    """The names of the methods of its own object that a method calls."""
    return {
        node.func.attr
        for node in ast.walk(method)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_no_writer_is_left_out() -> None:
    """A writer that is added to a group is swept from its first day."""
    writers = set()
    for path in sorted(GROUPS.glob("*.py")):
        for group in ast.parse(path.read_text("utf-8")).body:
            if not isinstance(group, ast.ClassDef):
                continue
            methods = {m.name: calls(m) for m in group.body if hasattr(m, "args")}
            writing = {name for name, called in methods.items() if "writing" in called}
            while more := {n for n, c in methods.items() if c & writing} - writing:
                writing |= more
            writers |= {f"{group.name}.{n}" for n in writing if not n.startswith("_")}
    assert writers == set(WRITERS)
