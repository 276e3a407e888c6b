"""The store's promises.

Nothing lost, nothing twice, one fate for each URL, and columns that add up.
"""

import gzip
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import (
    make_document,
    make_landing,
    make_lead,
    make_page,
    make_poll,
    make_rejection,
    make_source_state,
)
from storage import connection
from storage.errors import StoreBusy, StoreError, StoreFull, StoreMissing, StoreUnusable
from storage.model import (
    ChangeKind,
    Claim,
    Correction,
    Cut,
    Document,
    Failure,
    FateKind,
    Label,
    Lead,
    Mention,
    Page,
    Poll,
    Reason,
    Refusal,
    RejectionReason,
    SeenBefore,
    TooOld,
    Validators,
    Verdict,
)  # fmt: skip
from storage.store import Store, submit_job
from storage.tables import captures, jobs, landing

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOON = 1_795_000_000  # seconds since 1970
# Invented for the tests, as all texts here.
TEXT = "The council of Zardalu met on Monday. " + " ".join(
    f"word{n}" for n in range(40)
)
OTHER = "Another report, from Shinkot this time. " + " ".join(
    f"term{n}" for n in range(40)
)


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as store:
        yield store
        assert store.check() == []


def url(n: int | str, host: str = "outlet.example") -> str:
    return f"https://{host}/news/{n}"


def lead(n: int | str, *, source: str = "outlet", **more) -> Lead:
    return make_lead(
        **{
            "url": url(n),
            "source": source,
            "title": f"Title {n}",
            "guid": f"guid-{n}",
            "found_at": NOW,
        }
        | more
    )


def poll(
    *leads: Lead, at: datetime = NOW, source: str = "outlet", status: str = "ok", **more
) -> Poll:
    return make_poll(*leads, at=at, source=source, status=status, **more)


def document(n: int | str = 1, text: str = TEXT, **more) -> Document:
    return make_document(
        **{
            "url": url(n),
            "source": "outlet",
            "title": f"Title {n}",
            "text": text,
            "extractor": "1",
        }
        | more
    )


def page(n: int | str = 1, body: bytes = b"<p>page", **more) -> Page:
    values = {
        "url": url(n),
        "final_url": url(n),
        "status": 200,
        "headers": (),
        "body": body,
        "fetched_at": NOW,
    }
    return make_page(**values | more)


def land(store: Store, outcome, n: int | str = 1, *, now: datetime = NOW, **more):
    values = {"outcome": outcome, "url": url(n), "source": "outlet"} | more
    return store.landings.land([make_landing(**values)], now=now)[0]


def polls(store: Store) -> list[dict]:
    return [
        dict(row) for row in store.session.db.execute("SELECT * FROM polls ORDER BY id")
    ]


def matches(store: Store, words: str) -> list[str]:
    """URLs of the documents that full text finds, newest first."""
    rows = store.session.db.execute(
        "SELECT d.url FROM fts JOIN documents AS d ON d.sort_key = fts.rowid WHERE fts MATCH ? ORDER BY fts.rowid DESC",
        [words],
    )
    return [row[0] for row in rows]


# Opening


def test_the_second_writer_is_told_who_holds_the_file(store: Store) -> None:
    """One service for one file; the refusal names a pid that can be asked."""
    with pytest.raises(StoreBusy, match=str(os.getpid())):
        Store.open(store.path)
    assert connection.holder_pid(store.path) == os.getpid()


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    """After kill -9 the next start takes over, whatever the lock file says."""
    path = tmp_path / "khabar.db"
    program = "import os, sys\nfrom storage.store import Store\nStore.open(sys.argv[1])\nos.kill(os.getpid(), 9)"
    subprocess.run(
        [sys.executable, "-c", program, str(path)],
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert connection.holder_pid(path) is None
    Store.open(path).close()


def test_leases_and_running_requests_die_with_the_lock(tmp_path: Path) -> None:
    """A source that a dead service held is due again at once, and who follows its request is told."""
    path = tmp_path / "khabar.db"
    with Store.open(path) as store:
        store.sources.sync([make_source_state("outlet")])
        number = submit_job(path, "crawl", {"sources": ["outlet"]})
        assert store.jobs.take_next(NOW) is not None
        assert len(store.sources.claim_due(NOW, limit=9, lease=DAY)) == 1
    with Store.open(path) as store:
        assert len(store.sources.claim_due(NOW, limit=9, lease=DAY)) == 1
        answered = store.jobs.find(number)
        assert answered is not None
        assert answered.status == "failed"


def test_no_file_no_database_and_no_permission_are_told_apart(tmp_path: Path) -> None:
    """Each has its own error that names the file.

    None of them touches what is there.
    """
    with pytest.raises(StoreMissing, match="khabar crawl"):
        Store.read(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("this is no database " * 100)
    for opening in (Store.open, Store.read):
        with pytest.raises(StoreUnusable, match="not a database"):
            opening(tmp_path / "text.db")
    assert (tmp_path / "text.db").read_text().startswith("this is no database")
    with pytest.raises(StoreUnusable, match="folder"):
        Store.open(tmp_path / "nowhere" / "khabar.db")
    with pytest.raises(StoreUnusable):
        Store.open(tmp_path)


def test_a_damaged_file_is_called_damaged(tmp_path: Path) -> None:
    """Flipped bytes end in StoreUnusable, never in a traceback of SQLite's."""
    path = tmp_path / "khabar.db"
    with Store.open(path) as store:
        store.landings.land(
            [
                make_landing(document(n, f"{TEXT} {n}"), url(n), source="outlet")
                for n in range(50)
            ],
            now=NOW,
        )
    size = path.stat().st_size
    with path.open("r+b") as file:
        for place in range(4096, size, 4096):
            file.seek(place)
            file.write(b"\xff" * 64)
    with pytest.raises(StoreUnusable, match="damaged"), Store.open(path) as store:
        store.landings.land(
            [make_landing(document(99, OTHER), url(99), source="outlet")],
            now=NOW,
        )


def test_the_file_is_for_its_owner_only(store: Store) -> None:
    """Database, WAL and lock are born with mode 0600."""
    modes = {
        path.name: oct(path.stat().st_mode & 0o777)
        for path in store.path.parent.glob("khabar.db*")
    }
    assert {"khabar.db", "khabar.db-wal", "khabar.db.lock"} <= set(modes)
    assert set(modes.values()) == {"0o600"}


def test_a_reader_sees_commits_and_can_write_nothing(store: Store) -> None:
    """Anybody may read while the service writes."""
    with Store.read(store.path) as reader:
        land(store, document())
        assert reader.articles.find(1) is not None
        with pytest.raises(StoreError, match="reading only"):
            reader.sources.release("outlet")
        with pytest.raises(sqlite3.OperationalError):
            reader.session.db.execute("DELETE FROM documents")


def test_a_full_disk_stores_nothing_and_goes_on_when_there_is_room(
    store: Store,
) -> None:
    """SQLite rolls back by itself on a full disk.

    The cause is reported, and the same call succeeds later.
    """
    land(store, document())
    size = store.session.db.execute("PRAGMA page_count").fetchone()[0]
    store.session.db.execute(f"PRAGMA max_page_count = {size}")
    big = poll(
        *(lead(n, summary="x" * 3000) for n in range(100, 300)),
        validators=Validators(etag='"new"'),
    )
    with pytest.raises(StoreFull, match="no room"):
        store.polls.land(big)
    assert store.sources.find("outlet") is None
    assert store.leads.pending(now=NOW) == []
    store.session.db.execute("PRAGMA max_page_count = 1073741823")
    assert len(store.polls.land(big).fresh) == 200


def test_a_file_size_limit_while_captures_are_written_stores_nothing(
    tmp_path: Path,
) -> None:
    """No document points to a capture that could not be written (the limit stands for a full disk)."""
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as store:
        land(store, document(), page=page())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            with pytest.raises(StoreError):
                land(store, document(2, OTHER), 2, page=page(2, os.urandom(5000)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert store.articles.find(2) is None
        landed = land(
            store, document(2, OTHER), 2, page=page(2, b"<p>now there is room")
        )
        found = store.articles.find(landed.article_id)
        assert found is not None
        assert store.captures.page(found.capture_id).body == b"<p>now there is room"


def test_a_backup_is_whole_while_the_store_is_written_to(
    store: Store, tmp_path: Path
) -> None:
    """The copy opens, checks out and holds all that was committed when it ended."""
    land(store, document())
    writing = threading.Event()

    def write() -> None:
        with connection.connect_writer(store.path).conn as other:
            other.execute("BEGIN IMMEDIATE")
            writing.set()
            other.execute("INSERT INTO meta VALUES ('from another program', '')")
            other.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    writing.wait(10)
    store.backup(tmp_path / "copy.db")
    thread.join()
    with Store.read(tmp_path / "copy.db") as copy:
        assert copy.check() == []
        assert copy.articles.find(1) is not None
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


# Sources


def test_configuration_says_what_a_source_is_and_the_file_what_happened_to_it(
    store: Store,
) -> None:
    """A start with the same configuration keeps all state.

    A new address drops validators (case 9); a removed source sleeps.
    """
    first = make_source_state(
        "outlet", name="Outlet", url="https://outlet.example/feed", owner="Group"
    )
    store.sources.sync([first])
    store.polls.land(
        poll(
            validators=Validators(etag='W/"1"'), next_check_at=NOW + HOUR, body_hash="h"
        )
    )
    store.sources.sync([first])
    kept = store.sources.find("outlet")
    assert kept is not None
    assert (kept.validators.etag, kept.next_check_at, kept.body_hash, kept.owner) == (
        'W/"1"',
        NOW + HOUR,
        "h",
        "Group",
    )
    store.sources.sync(
        [make_source_state("outlet", name="Outlet", url="https://outlet.example/rss")]
    )
    moved = store.sources.find("outlet")
    assert moved is not None
    assert (
        moved.validators.etag,
        moved.next_check_at,
        moved.body_hash,
        moved.last_success_at,
    ) == (None, None, None, NOW)
    store.sources.sync([])
    assert [source.enabled for source in store.sources.all()] == [False]
    assert store.sources.claim_due(NOW, limit=9, lease=HOUR) == []


def test_due_sources_are_claimed_once_the_longest_due_first(store: Store) -> None:
    """Two polls of one source at one time cannot be (case 17).

    Never polled ones come first.
    """
    store.sources.sync([make_source_state(f"s{n}", url=f"u{n}") for n in range(4)])
    for n, due in ((0, NOW - HOUR), (1, NOW - 2 * HOUR), (2, NOW + HOUR)):
        store.polls.land(poll(source=f"s{n}", next_check_at=due))
    assert [
        source.id for source in store.sources.claim_due(NOW, limit=2, lease=HOUR)
    ] == [
        "s3",
        "s1",
    ]
    assert [
        source.id for source in store.sources.claim_due(NOW, limit=9, lease=HOUR)
    ] == ["s0"]
    assert [
        source.id for source in store.sources.claim(["s2", "s1", "unknown"], NOW, HOUR)
    ] == ["s2"]
    store.sources.release("s2")
    assert sorted(
        s.id for s in store.sources.claim(["s2", "s3"], NOW + HOUR, HOUR)
    ) == [
        "s2",
        "s3",
    ]


def test_a_source_remembers_how_its_visits_went(store: Store) -> None:
    """Errors keep validators and the time of the first one; a success clears them.

    The sight that was lost is recorded.
    """
    store.sources.sync([make_source_state("outlet")])
    store.polls.land(
        poll(validators=Validators(etag='"1"', last_modified="Mon"), newest_at=NOW)
    )
    for hours in (1, 2):
        store.polls.land(
            poll(
                at=NOW + hours * HOUR, status="error", error="http 500", failures=hours
            )
        )
    bad = store.sources.find("outlet")
    assert bad is not None
    assert (Validators(etag='"1"', last_modified="Mon"), "http 500", 2, NOW + HOUR, NOW) == (
        bad.validators, bad.last_error, bad.failures, bad.first_failure_at, bad.last_success_at,
    )  # fmt: skip
    store.polls.land(poll(at=NOW + 3 * HOUR, newest_at=NOW - DAY))
    good = store.sources.find("outlet")
    assert good is not None
    assert (good.last_error, good.failures, good.first_failure_at, good.newest_at) == (
        None,
        0,
        None,
        NOW,
    )
    blind = [
        tuple(row)
        for row in store.session.db.execute("SELECT source, from_at, to_at FROM blind")
    ]
    assert blind == [("outlet", "2026-11-22T12:00:00Z", "2026-11-22T15:00:00Z")]


def test_validators_count_their_304s_and_empty_feeds_are_counted(store: Store) -> None:
    """Case 8 and case 56 rest on these two columns."""
    store.sources.sync([make_source_state("outlet")])
    for hours, status in enumerate(
        ("ok", "not_modified", "not_modified", "empty", "not_modified", "empty")
    ):
        store.polls.land(poll(at=NOW + hours * HOUR, status=status))
    state = store.sources.find("outlet")
    assert state is not None
    assert (state.validators_since, state.empty_in_a_row) == (None, 2)
    store.polls.land(poll(at=NOW + 9 * HOUR, status="not_modified"))
    store.polls.land(poll(at=NOW + 10 * HOUR, status="not_modified"))
    assert store.sources.find("outlet").validators_since == NOW + 9 * HOUR
    store.polls.land(poll(at=NOW + 11 * HOUR, status="ok"))
    assert (
        store.sources.find("outlet").validators_since,
        store.sources.find("outlet").empty_in_a_row,
    ) == (None, 0)


def test_what_a_document_asked_for_stays_until_one_is_read_again_or_the_address_changes(
    store: Store,
) -> None:
    """Case 62: a 304 and an error bring no document.

    Another address has not spoken yet.
    """
    source = make_source_state("outlet")
    store.sources.sync([source])
    assert store.sources.find("outlet").hints == {}
    wishes = {"ttl": 3600.0, "skip_hours": [3, 4]}
    store.polls.land(poll(hints=wishes))
    for hours, status in ((1, "not_modified"), (2, "error")):
        store.polls.land(poll(at=NOW + hours * HOUR, status=status))
    store.sources.sync([source])
    assert store.sources.find("outlet").hints == wishes
    store.polls.land(poll(at=NOW + 3 * HOUR, hints={}))
    assert store.sources.find("outlet").hints == {}
    store.polls.land(poll(at=NOW + 4 * HOUR, hints=wishes))
    store.sources.sync([replace(source, url="v")])
    assert store.sources.find("outlet").hints == {}


def test_case_105_a_gap_is_a_period_that_nobody_saw(store: Store) -> None:
    """From the last good visit to the oldest entry after it.

    Gaps within a day of one another are one.
    """
    for days, hours in ((0, 1), (0, 5), (3, 0)):
        at = NOW + days * DAY + hours * HOUR
        store.polls.land(poll(at=at, unseen=(at - HOUR, at)))
    rows = [
        tuple(row)
        for row in store.session.db.execute(
            "SELECT from_at, to_at FROM blind ORDER BY id"
        )
    ]
    assert rows == [
        ("2026-11-22T12:00:00Z", "2026-11-22T17:00:00Z"),
        ("2026-11-25T11:00:00Z", "2026-11-25T12:00:00Z"),
    ]


def test_what_was_met_before_is_counted_by_anybody_and_by_the_source(
    store: Store,
) -> None:
    """The same URL from a sister feed is known, but no entry of one's own.

    Repeats count once.
    """
    store.polls.land(poll(lead(1, guid="a"), lead(2, guid="b")))
    store.polls.land(poll(lead(3, source="sister", guid="x"), source="sister"))
    shown = [lead(1, guid="a"), lead(1, guid="a"), lead(3, guid="c"), lead(9, guid="d")]
    assert store.leads.count_known("outlet", shown) == SeenBefore(
        shown=3, known=2, own=1
    )
    assert store.leads.count_known("outlet", [lead(3, guid=None)]) == SeenBefore(
        shown=1, known=1, own=1
    )
    assert store.leads.count_known("outlet", []) == SeenBefore(shown=0, known=0, own=0)


def test_permanent_moves_are_counted_until_one_differs(store: Store) -> None:
    """Case 23.

    An address changes only after the same answer several times over a day.
    """
    store.sources.sync([make_source_state("outlet")])
    for hours in range(3):
        store.polls.land(
            poll(at=NOW + hours * HOUR, moved_to="https://outlet.example/new")
        )
    state = store.sources.find("outlet")
    assert (state.moved_to, state.moved_since, state.moved_times) == (
        "https://outlet.example/new",
        NOW,
        3,
    )
    store.polls.land(poll(at=NOW + 4 * HOUR, moved_to="https://outlet.example/other"))
    assert (
        store.sources.find("outlet").moved_since,
        store.sources.find("outlet").moved_times,
    ) == (
        NOW + 4 * HOUR,
        1,
    )
    store.polls.land(poll(at=NOW + 5 * HOUR))
    back = store.sources.find("outlet")
    assert (back.moved_to, back.moved_since, back.moved_times) == (None, None, 0)


# Polls and leads


def test_leads_and_validators_are_written_together_or_not_at_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases 18 and C1.

    With validators first, a kill loses hundreds of articles for good.
    """
    store.sources.sync([make_source_state("outlet")])
    seen = poll(*(lead(n) for n in range(5)), validators=Validators(etag='"1"'))
    with monkeypatch.context() as patch:
        patch.setattr(
            "storage.tables.sources.update_after_poll", lambda *_args, **_more: 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            store.polls.land(seen)
    assert (
        store.leads.pending(now=NOW),
        polls(store),
        store.sources.find("outlet").validators.etag,
    ) == ([], [], None)
    store.polls.land(seen)
    assert (
        len(store.leads.pending(now=NOW)),
        store.sources.find("outlet").validators.etag,
    ) == (
        5,
        '"1"',
    )


def test_a_lead_comes_back_as_it_was_given(store: Store) -> None:
    """Everything that a feed said of an item is there when its page is asked for, after any restart."""
    given_lead = Lead(
        url="http://WWW.outlet.example/a?utm_source=rss", source="outlet", title="T", published_at=NOW, published_raw="Sun",
        authors=("A", "B"), language="fa", summary="s", body="<p>full", guid="g", origin="AFP", via="sitemap", backfill=True, found_at=NOW,
    )  # fmt: skip
    store.polls.land(poll(given_lead))
    assert [given_lead] == [pending.lead for pending in store.leads.pending(now=NOW)]
    assert (
        store.session.db.execute("SELECT url FROM leads").fetchone()[0]
        == "http://www.outlet.example/a"
    )


def test_case_71_74_81_82_known_urls_are_known(store: Store) -> None:
    """Whatever its guid and order, a URL that is pending or has a fate is not new.

    Twice in one document is once.
    """
    assert len(store.polls.land(poll(lead(1), lead(2), lead(1))).fresh) == 2
    land(store, document(1), 1)
    again = store.polls.land(
        poll(lead(2, guid="other"), lead(1, guid="changed"), lead(3), at=NOW + HOUR)
    )
    assert (3, 2, [url(3)]) == (
        again.found,
        again.known,
        [fresh.lead.url for fresh in again.fresh],
    )


def test_case_71_scheme_www_and_tracking_make_no_new_url(store: Store) -> None:
    """Four spellings of one address are one lead."""
    spellings = (
        "http://www.outlet.example/a",
        "https://outlet.example/a/",
        "https://outlet.example/a?utm_medium=rss#top",
    )
    assert (
        len(
            store.polls.land(
                poll(*(lead(n, url=u) for n, u in enumerate(spellings)))
            ).fresh
        )
        == 1
    )


def test_case_75_a_guid_used_again_for_another_story_is_new(store: Store) -> None:
    """Other URL and other title under an old guid: a new article, not a hidden one."""
    store.polls.land(poll(lead(1)))
    again = store.polls.land(poll(lead(2, guid="guid-1"), at=NOW + HOUR))
    assert [url(2)] == [fresh.lead.url for fresh in again.fresh]


def test_an_entry_that_only_changed_its_url_is_the_same_entry(store: Store) -> None:
    """Same guid and title under a new address.

    Not fetched again, and the address gets the fate of the first.
    """
    store.polls.land(poll(lead(1)))
    waiting = store.polls.land(
        poll(lead("1-renamed", guid="guid-1", title="Title 1"), at=NOW + HOUR)
    )
    assert (waiting.found, waiting.known, waiting.fresh) == (1, 1, ())
    land(store, document(1), lead=store.leads.pending(now=NOW)[0])
    done = store.polls.land(
        poll(lead("1-again", guid="guid-1", title="Title 1"), at=NOW + 2 * HOUR)
    )
    assert done.fresh == ()
    assert [store.fates.find(url(n))["fate"] for n in (1, "1-renamed", "1-again")] == [
        "article"
    ] * 3


def test_case_73_one_guid_at_many_urls_names_none_of_them(store: Store) -> None:
    """A feed whose entries all carry the same guid and title still gives every URL."""
    many = [lead(n, guid="same", title="Daily report") for n in range(5)]
    assert len(store.polls.land(poll(*many)).fresh) == 5
    assert (
        len(
            store.polls.land(
                poll(*many, lead(9, guid="same", title="Daily report"), at=NOW + HOUR)
            ).fresh
        )
        == 1
    )


def test_case_78_a_story_in_two_feeds_is_one_lead(store: Store) -> None:
    """The second feed's poll counts it as known."""
    store.polls.land(poll(lead(1)))
    second = store.polls.land(poll(lead(1, source="b"), source="b"))
    assert (second.found, second.known, second.fresh) == (1, 1, ())


def test_runs_of_304_are_one_row(store: Store) -> None:
    """Months of "nothing new" fill no table.

    Whatever happens between starts a new row.
    """
    for hours, status in enumerate(
        ["not_modified"] * 5 + ["ok"] + ["not_modified"] * 3
    ):
        store.polls.land(poll(at=NOW + hours * HOUR, status=status, bytes=10))
    rows = [(row["status"], row["visits"], row["bytes"]) for row in polls(store)]
    assert rows == [("not_modified", 5, 50), ("ok", 1, 10), ("not_modified", 3, 30)]
    assert (
        polls(store)[0]["started_at"],
        polls(store)[0]["ended_at"],
    ) == ("2026-11-22T12:00:00Z", "2026-11-22T16:00:00Z")


def test_pending_leads_come_when_they_may_the_longest_waiting_first(
    store: Store,
) -> None:
    """A lead that failed waits its pause; those in flight are not given twice."""
    store.polls.land(poll(*(lead(n) for n in range(3))))
    first, second, third = store.leads.pending(now=NOW)
    land(store, Failure(detail="timeout", retry_at=NOW + HOUR), 0, lead=first)
    assert [second.id, third.id] == [
        pending.id for pending in store.leads.pending(now=NOW)
    ]
    assert [third.id] == [
        pending.id
        for pending in store.leads.pending(now=NOW, limit=1, skip={second.id})
    ]
    assert [second.id, third.id, first.id] == [
        pending.id for pending in store.leads.pending(now=NOW + HOUR)
    ]
    assert store.leads.pending(now=NOW, source="another") == []


# Fates

OUTCOMES = {
    "new": lambda n: document(n, f"{OTHER} {n}"),
    "copies": lambda n: document(n, TEXT),
    "rejected": lambda n: make_rejection(
        verdict=Verdict(
            score=0.1, reasons=(Reason(term="t", where="title", weight=-1.0),)
        )
    ),
    "refused": lambda n: Refusal(why=RejectionReason.ROBOTS),
    "too_old": lambda n: TooOld(published_at=NOW - 99 * DAY),
    "failed": lambda n: Failure(detail="http 500", final=True, status=500),
    "pending": lambda n: Failure(detail="timeout"),
}


@pytest.mark.parametrize(("column", "outcome"), OUTCOMES.items())
def test_every_outcome_has_its_column(store: Store, column: str, outcome) -> None:
    """found = known + new + revised + copies + rejected + refused + too old + failed + pending, after each kind of landing."""
    land(store, document("first"), "first")
    store.polls.land(poll(lead(1)))
    land(store, outcome(1), 1, lead=store.leads.pending(now=NOW)[0])
    row = polls(store)[0]
    assert (row["found"], row[column]) == (1, 1)
    assert store.polls.unbalanced() == []


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rounds=st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 6),
                st.sampled_from([*OUTCOMES, "gone", "elsewhere"]),
                st.booleans(),
            ),
            max_size=5,
        ),
        max_size=4,
    )
)
def test_whatever_lands_in_whatever_order_the_columns_add_up(
    tmp_path_factory: pytest.TempPathFactory, rounds
) -> None:
    """Any mix of polls and landings leaves each URL pending or with one fate, sums that hold, and a sound file."""
    more = OUTCOMES | {
        "gone": lambda n: Failure(detail="http 404", final=True, status=404),
        "elsewhere": lambda n: document((n + 1) % 7, f"{TEXT} {n}"),
    }
    with Store.open(tmp_path_factory.mktemp("mix") / "khabar.db") as store:
        for hours, visits in enumerate(rounds):
            store.polls.land(
                poll(
                    *(lead(n, guid=f"g{n % 3}") for n, _, _ in visits),
                    at=NOW + hours * HOUR,
                )
            )
            waiting = {
                pending.lead.url: pending
                for pending in store.leads.pending(now=NOW + DAY)
            }
            batch = [
                make_landing(more[kind](n), url(n), source="outlet", lead=waiting.get(url(n)) if with_lead else None, aliases=(url((n + 2) % 7),) if kind == "elsewhere" else ())
                for n, kind, with_lead in visits
            ]  # fmt: skip
            assert len(batch) == len(store.landings.land(batch, now=NOW + hours * HOUR))
        assert store.check() == []
        shown = {url(n) for visits in rounds for n, _, _ in visits}
        pending = {one.lead.url for one in store.leads.pending(now=NOW + 99 * DAY)}
        assert {
            u for u in shown if (store.fates.find(u) is not None) == (u in pending)
        } == set()


def test_all_urls_that_lead_to_a_text_have_its_fate(store: Store) -> None:
    """Redirects and rel=canonical are not fetched again.

    A pending lead among them is done, and counts as known.
    """
    store.polls.land(poll(lead(1), lead(2)))
    first = store.leads.pending(now=NOW)[0]
    landed = land(
        store, document("canonical"), 1, lead=first, aliases=(url(2), url("step"))
    )
    assert {landed.document_id} == {
        store.fates.find(url(n))["document_id"] for n in (1, 2, "step", "canonical")
    }
    row = polls(store)[0]
    assert (row["found"], row["new"], row["known"], row["pending"]) == (2, 1, 1, 0)
    assert (
        store.polls.land(poll(lead("step"), lead("canonical"), at=NOW + HOUR)).fresh
        == ()
    )


def test_a_url_keeps_its_own_text_when_it_leads_elsewhere_later(store: Store) -> None:
    """A site that redirects old addresses takes no article away."""
    first = land(store, document(1), 1)
    land(store, document(2, OTHER), 1, aliases=(url(2),))
    assert first.document_id == store.fates.find(url(1))["document_id"]
    assert store.stats.counts()["articles"] == 2


def test_one_faulty_landing_fails_alone(store: Store) -> None:
    """A number too large for the file ends as a failed URL.

    Its neighbours are stored.
    """
    faulty = document(2, OTHER, claims=(Claim(kind="killed", number=10**30),))
    landed = store.landings.land(
        [
            make_landing(one, source="outlet")
            for one in (document(1), faulty, document(3, OTHER))
        ],
        now=NOW,
    )
    assert [one.fate for one in landed] == [
        FateKind.ARTICLE,
        FateKind.FAILED,
        FateKind.ARTICLE,
    ]
    assert store.fates.find(url(2))["detail"].startswith("storage: OverflowError")
    assert store.stats.counts()["articles"] == 2


def test_a_fault_of_the_file_stops_the_whole_batch(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a lock is no row's fault.

    Nothing of the batch is stored and everything can be landed again.
    """

    def full(*_args, **_more):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    store.polls.land(poll(lead(1), lead(2)))
    with monkeypatch.context() as patch:
        patch.setattr(landing, "_land_rejection", full)
        with pytest.raises(StoreFull):
            store.landings.land(
                [
                    make_landing(outcome, url(n), source="outlet")
                    for n, outcome in (
                        (1, document(1)),
                        (2, make_rejection(RejectionReason.EMPTY)),
                    )
                ],
                now=NOW,
            )
    assert (store.stats.counts()["articles"], len(store.leads.pending(now=NOW))) == (
        0,
        2,
    )


def test_failures_pause_longer_each_time_and_end_at_last(store: Store) -> None:
    """5 minutes, doubled, at most a day; nothing stays pending for ever."""
    store.polls.land(poll(lead(1)))
    now, pauses = NOW, []
    while waiting := store.leads.pending(now=now):
        land(store, Failure(detail="timeout"), 1, lead=waiting[0], now=now)
        due = store.session.db.execute("SELECT next_attempt_at FROM leads").fetchone()
        if due is None:
            break
        later = datetime.fromisoformat(due[0])
        pauses.append((later - now) / timedelta(minutes=1))
        now = later
    assert pauses[:3] == [5, 10, 20]
    assert len(pauses) == landing.MAX_ATTEMPTS - 1
    assert (store.fates.find(url(1))["fate"], store.fates.find(url(1))["reason"]) == (
        "failed",
        "timeout",
    )


def test_a_failure_without_a_lead_is_tried_again(store: Store) -> None:
    """What was asked for by hand is pending like everything else."""
    assert land(store, Failure(detail="timeout"), 1).fate is None
    assert [url(1)] == [
        pending.lead.url for pending in store.leads.pending(now=NOW + HOUR)
    ]


def test_a_rejection_is_kept_with_its_reasons(store: Store) -> None:
    """Why a page was not kept can be read as long as its capture lives, and goes when the page is kept after all."""
    verdict = Verdict(
        score=0.2,
        reasons=(Reason(term="cricket", where="title", weight=-2.0, kind="negative"),),
    )
    land(
        store,
        make_rejection(
            title="Sport", verdict=verdict, cuts=(Cut(rule="r", text="Share"),)
        ),
        page=page(),
    )
    told = store.fates.explain(url(1))
    assert (
        told["rejection"]["why"], told["rejection"]["score"], told["rejection"]["reasons"][0]["term"], told["rejection"]["cuts"][0]["text"],
    ) == ("irrelevant", 0.2, "cricket", "Share")  # fmt: skip
    assert told["capture"]["kind"] == "rejected"
    assert store.captures.page(told["capture"]["id"]).body == b"<p>page"
    land(store, document())
    assert (
        store.fates.explain(url(1))["rejection"],
        store.fates.find(url(1))["fate"],
    ) == (
        None,
        "article",
    )


def test_what_was_kept_is_not_lost_to_a_later_rejection(store: Store) -> None:
    """A paywall or an error that goes up later changes neither text nor fate."""
    land(store, document())
    for outcome in (
        make_rejection(RejectionReason.PAYWALLED),
        Refusal(why=RejectionReason.ROBOTS),
        Failure(detail="http 500", final=True, status=500),
    ):
        assert land(store, outcome).fate is FateKind.ARTICLE
    assert (store.articles.find(1).text, store.fates.find(url(1))["fate"]) == (
        TEXT,
        "article",
    )


def test_a_page_that_is_gone_is_withdrawn_with_its_text_kept(store: Store) -> None:
    """404 and 410 are news about an article; once, until it comes back."""
    land(store, document())
    gone = [
        land(store, Failure(detail="http 410", final=True, status=410))
        for _ in range(2)
    ]
    assert [one.what for one in gone] == [ChangeKind.WITHDRAWN, None]
    assert (store.articles.find(1).text, store.fates.find(url(1))["fate"]) == (
        TEXT,
        "withdrawn",
    )
    assert store.articles.find(1).extra["withdrawn_at"] == "2026-11-22T12:00:00Z"
    assert land(store, document()).reason == "back"
    assert (
        store.fates.find(url(1))["fate"],
        store.articles.find(1).extra["withdrawn_at"],
    ) == (
        "article",
        None,
    )
    assert [change.what for change in store.changes.since()] == [
        ChangeKind.NEW,
        ChangeKind.WITHDRAWN,
        ChangeKind.REVISED,
    ]


def test_a_page_that_never_was_here_is_a_failure_when_gone(store: Store) -> None:
    """404 for an unknown URL withdraws nothing."""
    assert (
        land(store, Failure(detail="http 404", final=True, status=404)).fate
        is FateKind.FAILED
    )


# Deduplication and revisions


def test_an_article_comes_back_as_it_was_given(store: Store) -> None:
    """Every field of a document survives, and full text finds it by folded words."""
    given_document = document(
        1, "Ein Bericht aus Zardālū.\n" + TEXT, authors=("A. Writer",), language="en", published_at=NOW - DAY, published_how="jsonld",
        published_confidence=0.9, published_raw="21 Nov", site="Outlet", section="World", credit="AFP", cuts=(Cut(rule="tail", text="Share"),),
        verdict=Verdict(score=0.75, reasons=(Reason(term="Taliban", where="title", weight=2.0),)),
        mentions=(Mention(kind="place", code="AF01", name="Kabul", count=2, sentence="In Kabul."),),
        claims=(Claim(kind="killed", number=11, qualifier="at least", said_by="police", sentence="At least 11."),),
    )  # fmt: skip
    landed = land(store, given_document, page=page())
    found = store.articles.find(landed.article_id)
    assert (given_document.title, given_document.text, ("A. Writer",), NOW - DAY, 0.75, NOW) == (
        found.title, found.text, found.authors, found.published_at, found.relevance, found.first_seen_at,
    )  # fmt: skip
    assert (found.extra["credit"], found.extra["cuts"]) == (
        "AFP",
        [{"rule": "tail", "text": "Share"}],
    )
    assert [
        tuple(row)
        for row in store.session.db.execute("SELECT code, count FROM mentions")
    ] == [("AF01", 2)]
    assert [
        tuple(row)
        for row in store.session.db.execute("SELECT number, said_by FROM claims")
    ] == [(11, "police")]
    assert [url(1)] == matches(store, "zardalu")


def test_the_same_words_elsewhere_are_a_copy_with_its_own_text(store: Store) -> None:
    """Case, marks, spaces and punctuation make no other text.

    The copy's own is kept.
    """
    first = land(store, document(1))
    copy = land(
        store,
        document(
            "b",
            TEXT.upper().replace(". ", " -\n"),
            url=url("b", "blog.example"),
            source="blog",
        ),
        "b",
    )
    assert (FateKind.COPY, ChangeKind.COPIED, first.article_id) == (
        copy.fate,
        copy.what,
        copy.article_id,
    )
    (kept,) = store.articles.copies(first.article_id)
    assert ("exact", 1.0, "blog", url("b", "blog.example")) == (
        kept.kind,
        kept.score,
        kept.source,
        kept.url,
    )
    assert kept.text.startswith("THE COUNCIL")
    assert (
        store.stats.counts()["articles"],
        store.stats.counts()["copies"],
        store.articles.find(first.article_id).copies,
    ) == (1, 1, 1)


def test_a_copy_that_names_its_origin_is_declared(store: Store) -> None:
    """rel=canonical to another publisher is evidence beside equal words, and none by itself."""
    land(store, document(1))
    copy = land(
        store, document("b", url=url("b", "blog.example"), origin_url=url(1)), "b"
    )
    other = land(
        store,
        document("c", OTHER, url=url("c", "spam.example"), origin_url=url(1)),
        "c",
    )
    assert [one.kind for one in store.articles.copies(copy.article_id)] == ["declared"]
    assert other.what is ChangeKind.NEW


@pytest.mark.parametrize(
    "text", ["", "Watch the video", "ویدیو را ببینید", "!!! ...", "word " * 19]
)
def test_tiny_texts_are_no_copies_of_one_another_across_hosts(
    store: Store, text: str
) -> None:
    """A placeholder on ten sites is ten placeholders."""
    land(store, document(1, text, title="One"))
    assert (
        land(store, document(2, text, url=url(2, "blog.example"), title="One"), 2).what
        is ChangeKind.NEW
    )


def test_an_article_keeps_its_number_and_documents_never_share_one(
    store: Store,
) -> None:
    """Articles and documents have one number space, so that a number given to `show` is never two things."""
    land(store, document(1))
    land(store, document(2), 2)
    last = land(store, document(3, OTHER), 3)
    assert (store.articles.find(2).id, last.article_id) == (1, 3)
    assert store.articles.find(99) is None


def test_a_changed_text_is_a_revision_of_its_article(store: Store) -> None:
    """Case 76: same URL, new content.

    One article, the former state kept with its capture, the index as the text is now.
    """
    land(store, document(1, f"{TEXT} killed ten"), page=page(body=b"<p>1"))
    changed = land(
        store,
        document(1, f"{TEXT} killed eleven", title="New title"),
        page=page(body=b"<p>2"),
        now=NOW + HOUR,
    )
    found = store.articles.find(1)
    (former,) = store.articles.revisions(1)
    assert (changed.what, found.revision, found.title, found.updated_at) == (
        ChangeKind.REVISED,
        2,
        "New title",
        NOW + HOUR,
    )
    assert (1, NOW, f"{TEXT} killed ten") == (
        former.number,
        former.seen_at,
        former.text,
    )
    assert (
        store.captures.page(former.capture_id).body,
        store.captures.page(found.capture_id).body,
    ) == (
        b"<p>1",
        b"<p>2",
    )
    assert ([], [url(1)]) == (matches(store, "ten"), matches(store, "eleven"))


def test_case_77_nothing_but_dates_and_spaces_is_no_revision(store: Store) -> None:
    """A page that moves its date with each visit has one state, and the date of its first publication."""
    land(store, document(1, published_at=NOW - DAY))
    same = land(
        store,
        document(1, TEXT.replace(" ", "  "), published_at=NOW, modified_at=NOW),
        now=NOW + HOUR,
    )
    assert (
        same.reason,
        same.what,
        store.articles.find(1).published_at,
        store.articles.revisions(1),
    ) == ("unchanged", None, NOW - DAY, [])


def test_better_rules_replace_what_is_told_without_a_revision(store: Store) -> None:
    """Another version of the extraction corrects dates, relevance and mentions, and the order of articles with them."""
    land(store, document(1, published_at=NOW))
    land(store, document(2, OTHER, published_at=NOW - DAY), 2)
    told = document(
        1, extractor="2", published_at=NOW - 2 * DAY, verdict=Verdict(score=0.3)
    )
    landed = land(store, told, now=NOW + HOUR)
    assert (landed.reason, landed.what) == ("retold", None)
    assert (
        store.articles.find(1).published_at,
        store.articles.find(1).relevance,
        store.articles.find(1).revision,
    ) == (NOW - 2 * DAY, 0.3, 1)
    assert [url(2), url(1)] == matches(store, "title")


def test_a_feeds_own_text_never_replaces_the_pages(store: Store) -> None:
    """When a page is gone for a day, the article does not shrink to its summary."""
    land(store, document(1))
    assert land(store, document(1, OTHER, from_feed=True)).reason == "unchanged"
    assert store.articles.find(1).text == TEXT


def test_a_page_that_never_stands_still_fills_no_disk(store: Store) -> None:
    """A live blog keeps its first states, then one a day.

    Its text is always the newest.
    """
    for n in range(60):
        land(store, document(1, f"{TEXT} {n}"), now=NOW + n * HOUR / 2)
    assert f"{TEXT} 59" == store.articles.find(1).text
    assert 23 <= len(store.articles.revisions(1)) <= 26


def test_reading_an_old_capture_anew_makes_no_revision(store: Store) -> None:
    """A better extraction of the same response replaces the text.

    The page has not changed.
    """
    land(store, document(1, f"{TEXT} Share this"), page=page())
    capture = store.articles.find(1).capture_id
    again = land(store, document(1, TEXT, extractor="2"), capture_id=capture)
    assert (ChangeKind.REVISED, TEXT, 1, [], capture) == (
        again.what, store.articles.find(1).text, store.articles.find(1).revision, store.articles.revisions(1), store.articles.find(1).capture_id,
    )  # fmt: skip
    assert store.changes.since()[-1].detail == "read anew"


def test_what_todays_rules_would_not_keep_is_reclassified(store: Store) -> None:
    """Reprocessing takes an article out, says so in the log, and lets its copy lead."""
    land(store, document(1), page=page())
    copy = land(store, document(2, source="b"), 2)
    gone = land(store, make_rejection(), capture_id=1)
    assert FateKind.REJECTED is gone.fate
    assert [change.what for change in store.changes.since()][-2:] == [
        ChangeKind.RECLASSIFIED,
        ChangeKind.PROMOTED,
    ]
    assert (copy.document_id, 0) == (
        store.articles.find(1).document_id,
        store.articles.find(1).copies,
    )
    assert store.fates.explain(url(1))["rejection"]["capture_id"] == 1


# Order and time


def test_newest_first_is_the_order_of_the_keys(store: Store) -> None:
    """Publication decides.

    Without one, or with one in the future, the first sight does (cases 83, 84).
    """
    times = {
        1: NOW - 3 * DAY,
        2: None,
        3: NOW - DAY,
        4: NOW + 9 * DAY,
        5: NOW - 3 * DAY,
    }
    for n, at in times.items():
        land(
            store,
            document(n, f"{TEXT} {n}", published_at=at),
            n,
            now=NOW + timedelta(seconds=n),
        )
    assert [url(n) for n in (4, 2, 3, 5, 1)] == matches(store, "council")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.integers(-2_000_000_000, 4_000_000_000) | st.just(NOON),
        min_size=1,
        max_size=12,
    )
)
def test_keys_are_free_and_follow_time(
    tmp_path_factory: pytest.TempPathFactory, times: list[int]
) -> None:
    """Any number of documents of one second, before 1970 too, have keys of their own in the order of seconds."""
    with Store.open(tmp_path_factory.mktemp("keys") / "khabar.db") as store:
        later = datetime(2200, 1, 1, tzinfo=UTC)
        for n, at in enumerate(times):
            land(
                store,
                document(
                    n, f"{TEXT} {n}", published_at=datetime.fromtimestamp(at, UTC)
                ),
                n,
                now=later,
            )
        rows = store.session.db.execute(
            "SELECT published_at FROM documents ORDER BY sort_key"
        ).fetchall()
        seconds = [
            max(int(datetime.fromisoformat(row[0]).timestamp()), 0) for row in rows
        ]
        assert sorted(seconds) == seconds
        assert len(times) == len(rows)


# What a host teaches


def test_a_line_of_three_distinct_articles_is_furniture(store: Store) -> None:
    """Copies of one text and states of one article count once.

    What is off topic counts by its lines.
    """
    host = "outlet.example"
    land(store, document(1), 1, lines=(7, 8, 100))
    land(store, document(2), 2, lines=(7, 8, 100))
    land(store, document(1, f"{TEXT} changed"), 1, lines=(7, 8, 101))
    land(store, document(3, OTHER), 3, lines=(7, 9))
    assert frozenset() == store.boilerplate.learned(host)
    for n in (4, 5):
        land(store, make_rejection(), n, lines=(7, 8, 55))
    assert frozenset({7, 8}) == store.boilerplate.learned(host) | {8}
    assert 7 in store.boilerplate.learned(host)
    assert frozenset() == store.boilerplate.learned("blog.example")
    store.boilerplate.allow(host, 7)
    assert 7 not in store.boilerplate.learned(host)


# Captures


SAME = b"<p>" + b"The same report in three papers, word for word. " * 20


def test_equal_bodies_rest_once_and_are_two_records(store: Store) -> None:
    """A page that comes again with the same bytes costs its headers only.

    Each has a record of its own, with its own address, time and headers.
    """
    first, second = page(1, SAME), page(2, SAME + b"", headers=(("Via", "two"),))
    land(store, document(1), 1, page=first)
    before = store.stats.sizes()["kept"]
    land(store, document(2, OTHER), 2, page=second)
    assert store.stats.sizes()["kept"] - before < len(SAME)
    kept = store.captures.page(store.articles.find(2).capture_id)
    assert (kept.final_url, kept.body, kept.header("via")) == (url(2), SAME, "two")
    rows = store.session.db.execute("SELECT DISTINCT offset FROM captures").fetchall()
    assert len(rows) == 2


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_what_is_forgotten_takes_no_other_raw_page_along(
    store: Store, gone: int
) -> None:
    """Of three addresses with the same bytes each can go, and the others stay.

    The first has the body, the others refer to it.
    """
    third = " ".join(f"bridge{n} market{n} winter{n}" for n in range(40))
    texts = (TEXT, OTHER, third)
    for n, text in enumerate(texts, 1):
        land(store, document(n, text), n, page=page(n, SAME))
    numbers = {
        n: store.fates.explain(url(n))["capture"]["id"] for n in (1, 2, 3) if n != gone
    }
    store.erasure.forget(url(gone))
    for n, number in numbers.items():
        kept = store.captures.page(number)
        assert (kept.final_url, kept.body) == (url(n), SAME)
    state = store.captures.check_archive()
    assert (state.captures, state.unreadable) == (2, 0)


def test_rows_of_an_older_file_that_share_a_record_are_parted(store: Store) -> None:
    """Before, equal bytes had one record: forgetting one leaves the other its page."""
    for n, text in ((1, TEXT), (2, OTHER)):
        land(store, document(n, text), n, page=page(n, SAME))
    store.session.db.execute(
        """
        UPDATE captures SET (offset, length) =
            (SELECT offset, length FROM captures ORDER BY id LIMIT 1)
        """
    )
    number = store.articles.find(2).capture_id
    store.erasure.forget(url(1))
    kept = store.captures.page(number)
    assert (kept.final_url, kept.body) == (url(2), SAME)
    assert store.captures.check_archive().unreadable == 0


def test_captures_go_at_their_age_and_the_oldest_rejected_ones_for_room(
    store: Store,
) -> None:
    """Texts stay; a rejection goes with its capture.

    Pages that were kept are never dropped for room.
    """
    land(store, document(1), 1, page=page(1))
    for n, age in ((2, 40), (3, 2), (4, 0)):
        at = NOW - age * DAY
        land(
            store,
            make_rejection(RejectionReason.EMPTY),
            n,
            page=page(n, os.urandom(9000), fetched_at=at),
            now=at,
        )
    freed = store.erasure.expire(
        NOW, keep_captures=3650 * DAY, keep_rejected=30 * DAY, max_size=10**9
    )
    assert freed > 0
    assert [store.fates.explain(url(n))["rejection"] and 1 for n in (2, 3, 4)] == [
        None,
        1,
        1,
    ]
    store.erasure.expire(
        NOW, keep_captures=3650 * DAY, keep_rejected=30 * DAY, max_size=1
    )
    assert store.stats.sizes()["rejected"] == 0
    assert store.captures.page(store.articles.find(1).capture_id) is not None
    store.erasure.expire(
        NOW + 4000 * DAY,
        keep_captures=3650 * DAY,
        keep_rejected=30 * DAY,
        max_size=10**9,
    )
    assert (store.articles.find(1).capture_id, store.articles.find(1).text) == (
        None,
        TEXT,
    )


def archived(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.warc.gz")}


@pytest.mark.parametrize("how", ["crash", "lost", "older copy", "second database"])
def test_no_start_deletes_raw_pages_that_the_database_does_not_name(
    tmp_path: Path, how: str
) -> None:
    """They are evidence, and what a lost database can be made anew from."""
    path, folder = tmp_path / "khabar.db", tmp_path / "captures"
    with Store.open(path, captures=folder) as store:
        store.backup(tmp_path / "older.db")
        store.session.archive.write_page(page(fetched_at=NOW - DAY), "kept")
        land(store, document(1), page=page())
    there = archived(folder)
    if how == "lost":
        path.unlink()
    elif how == "older copy":
        (tmp_path / "older.db").replace(path)
    elif how == "second database":
        path = tmp_path / "second.db"
    with Store.open(path, captures=folder) as store:
        store.erasure.expire(NOW, keep_captures=DAY * 9, keep_rejected=DAY, max_size=1)
        land(store, document(5, OTHER), 5, page=page(5))
    assert archived(folder) >= there
    assert len(there) == 2


def test_the_age_of_one_database_takes_no_file_of_another(tmp_path: Path) -> None:
    """Two in one folder: each counts, caps and expires its own, and is told of more."""
    folder = tmp_path / "captures"
    with Store.open(tmp_path / "a.db", captures=folder) as store:
        land(store, make_rejection(), 1, page=page(1))
        land(store, document(2), 2, page=page(2))
    there = archived(folder)
    with Store.open(tmp_path / "b.db", captures=folder) as store:
        assert store.stats.sizes()["kept"] == 0
        state = store.captures.check_archive()
        assert (state.captures, state.strange_files) == (0, 2)
        freed = store.erasure.expire(
            NOW + 9999 * DAY, keep_captures=DAY, keep_rejected=DAY, max_size=1
        )
        assert freed == 0
    assert archived(folder) == there


def test_an_erasure_that_a_crash_cut_off_is_finished_by_the_next_start(
    tmp_path: Path,
) -> None:
    """Between commit and the change of files no word of it may stay for good."""
    path, folder = tmp_path / "khabar.db", tmp_path / "captures"
    with Store.open(path, captures=folder) as store:
        land(store, document(1), 1, page=page(1, b"<p>zzsecret" + SAME))
        land(store, document(2, OTHER), 2, page=page(2, SAME))
        kept = store.articles.find(2).capture_id
        gone = store.articles.find(1).capture_id
        with store.session.writing() as db:
            captures.forget_captures(db, store.session.archive, [gone])
    with Store.open(path, captures=folder) as store:
        assert store.captures.page(kept).body == SAME
        assert archived(folder) == {
            str(file.relative_to(folder)) for file in folder.rglob("*.gz*")
        }
    for file in archived(folder):
        assert b"zzsecret" not in gzip.decompress((folder / file).read_bytes())


def test_raw_pages_that_are_gone_or_cut_or_packed_anew_are_counted(
    tmp_path: Path,
) -> None:
    """A wrong mount or rm is seen before somebody asks for evidence."""
    path, folder = tmp_path / "khabar.db", tmp_path / "captures"
    with Store.open(path, captures=folder) as store:
        for n in (1, 2, 3):
            land(store, document(n, f"{OTHER} {n}"), n, page=page(n, os.urandom(999)))
        assert store.captures.check_archive().unreadable == 0
        file = folder / store.session.archive.files()[0].file
        whole = file.read_bytes()
        file.write_bytes(whole[:-200])
        assert store.captures.check_archive().unreadable == 1
        file.write_bytes(gzip.compress(gzip.decompress(whole)))
        assert store.captures.check_archive().unreadable == 3
        file.unlink()
        state = store.captures.check_archive()
        assert (state.captures, state.unreadable) == (3, 3)


def whole_file(store: Store) -> bytes:
    names = (store.path, store.path.with_name(store.path.name + "-wal"))
    return b"".join(name.read_bytes() for name in names if name.exists())


def test_what_is_forgotten_leaves_no_word_in_other_tables(store: Store) -> None:
    """Tags of people, what jobs asked, what changes and feeds said of it."""
    land(store, document(1), 1, page=page(1))
    with store.session.writing() as db:
        number = jobs.submit_job(db, "mark", {"tag": "zzsecret"}, NOW)
        jobs.finish_job(db, number, {"title": "zzsecret"}, NOW, failed=False)
    correction = Correction(what=url(1), label=Label.TAG, tag="zzsecret")
    store.annotations.apply(correction)
    assert b"zzsecret" in whole_file(store)
    store.erasure.forget(url(1))
    assert b"zzsecret" not in whole_file(store)


@pytest.mark.parametrize("how", ["elsewhere", "other case", "from a feed"])
def test_a_text_that_was_forgotten_is_not_taken_in_elsewhere(
    store: Store, how: str
) -> None:
    """A reprint of tomorrow is known by its words, of which none is kept."""
    words = " ".join(f"word{n}" for n in range(40))
    land(store, document(1, words), 1)
    store.erasure.forget(url(1))
    again = words.upper() if how == "other case" else words
    landed = land(store, document(9, again, from_feed=how == "from a feed"), 9)
    assert landed.fate is FateKind.FORGOTTEN
    assert store.articles.find(url(9)) is None
    other = land(store, document(3, f"{words} and much more of it"), 3)
    assert other.fate is FateKind.ARTICLE


@pytest.mark.parametrize("how", ["crash", "older copy"])
def test_a_record_that_no_row_names_is_forgotten_too(tmp_path: Path, how: str) -> None:
    """Of a crash before a commit, or of what came after a copy that was put back."""
    path, folder = tmp_path / "khabar.db", tmp_path / "captures"
    secret = page(1, b"<p>zzsecret" + SAME)
    with Store.open(path, captures=folder) as store:
        land(store, document(2, OTHER), 2, page=page(2))
        store.backup(tmp_path / "copy.db")
        if how == "crash":
            store.session.archive.write_page(secret, "kept")
        land(store, document(1), 1, page=secret)
        land(store, document(3, f"{TEXT} three"), 3, page=page(3))
    if how == "older copy":
        (tmp_path / "copy.db").replace(path)
    with Store.open(path, captures=folder) as store:
        store.erasure.forget(url(1))
        kept = store.articles.find(url(2)) or store.articles.find(1)
        assert store.captures.page(kept.capture_id) is not None
        assert store.captures.check_archive(every=True).unreadable == 0
    for file in archived(folder):
        assert b"zzsecret" not in gzip.decompress((folder / file).read_bytes())


def test_what_would_be_forgotten_is_named_first(store: Store) -> None:
    """An article with its copies, or all of a source; nothing is erased by it."""
    land(store, document(1), 1)
    (named,) = store.erasure.list_forgettable(url(1))
    assert (named["url"], set(named)) == (url(1), {"id", "url", "source", "title"})
    assert store.erasure.list_forgettable(url(7)) == []
    assert store.articles.find(named["id"]) is not None


def test_memory_has_its_time(store: Store) -> None:
    """A year of guids (case 81) and polls is kept.

    Lines of one article go sooner, what was learned stays.
    """
    store.polls.land(poll(lead(1), lead(2)))
    land(store, document(1), lead=store.leads.pending(now=NOW)[0])
    for n in (3, 4, 5):
        land(
            store,
            document(n, " ".join(f"text{n}x{m}" for m in range(30))),
            n,
            lines=(7, 100 + n),
        )
    limits = {"keep_captures": DAY, "keep_rejected": DAY, "max_size": 10**9}

    def left() -> list[int]:
        return [
            store.session.db.execute(f"SELECT count(*) FROM {t}").fetchone()[0]
            for t in ("entries", "polls", "host_lines")
        ]

    store.erasure.expire(NOW + 366 * DAY, **limits)
    assert left() == [2, 1, 1]
    assert store.boilerplate.learned("outlet.example") == {7}
    store.erasure.expire(NOW + 500 * DAY, **limits)
    assert left() == [0, 1, 1]
    land(
        store,
        Refusal(why=RejectionReason.ROBOTS),
        2,
        lead=store.leads.pending(now=NOW)[0],
    )
    store.erasure.expire(NOW + 500 * DAY, **limits)
    assert left() == [0, 0, 1]


# Forgetting


def everything_on_disk(folder: Path) -> bytes:
    import gzip

    return b"".join(
        gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    )


def test_what_is_forgotten_is_nowhere_any_more(tmp_path: Path) -> None:
    """No byte of the text is left in tables, index, free pages, WAL or captures.

    The neighbours are; a tombstone stays.
    """
    secret = "xanthorrhoea"
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as store:
        said = f"{TEXT} {secret}"
        store.polls.land(poll(lead(1, title=f"About {secret}")))
        land(
            store,
            document(1, f"{said} was"),
            1,
            lead=store.leads.pending(now=NOW)[0],
            page=page(1, f"<p>{secret} 1".encode()),
        )
        land(
            store,
            document(1, said, title=f"About {secret}"),
            1,
            page=page(1, f"<p>{secret} 2".encode()),
        )
        land(
            store,
            document("b", said, url=url("b", "blog.example")),
            "b",
            page=page("b", f"<p>{secret} b".encode()),
        )
        other = land(store, document(9, OTHER), 9, page=page(9, b"<p>neighbour"))
        assert secret.encode() in everything_on_disk(tmp_path)
        assert sorted(store.erasure.forget(url(1), now=NOW + HOUR)) == [1, 2]
        assert secret.encode() not in everything_on_disk(tmp_path)
        assert (
            store.captures.page(store.articles.find(other.article_id).capture_id).body[
                3:
            ]
            == b"neighbour"
        )
        assert [
            store.fates.find(u)["fate"]
            for u in (url(1), url("b"), url("b", "blog.example"))
        ] == ["forgotten"] * 3
        assert [change.what for change in store.changes.since()][-2:] == [
            ChangeKind.FORGOTTEN
        ] * 2
        assert ([url(9)], store.check()) == (matches(store, "another OR council"), [])


def test_what_is_forgotten_is_never_taken_up_again(store: Store) -> None:
    """Neither a poll nor an import nor a redirect brings a forgotten URL back."""
    land(store, document(1))
    store.erasure.forget(1)
    assert store.polls.land(poll(lead(1))).fresh == ()
    for outcome in (
        document(1),
        make_rejection(RejectionReason.EMPTY),
        Failure(detail="timeout"),
    ):
        assert FateKind.FORGOTTEN is land(store, outcome).fate
    assert FateKind.FORGOTTEN is land(store, document(1), 2).fate
    assert store.stats.counts()["articles"] == 0


def test_a_pending_url_can_be_forgotten_and_still_counts(store: Store) -> None:
    """Its poll adds up: it was refused."""
    store.polls.land(poll(lead(1)))
    store.erasure.forget(url(1))
    assert (
        store.leads.pending(now=NOW),
        polls(store)[0]["refused"],
        store.polls.unbalanced(),
    ) == ([], 1, [])


def test_a_source_can_be_forgotten_without_what_others_carried(store: Store) -> None:
    """Its articles go.

    Where another source had a copy, that one leads under the article's old number.
    """
    first = land(store, document(1))
    land(store, document(2, OTHER), 2)
    copy = land(store, document(3, url=url(3, "wire.example"), source="wire"), 3)
    store.erasure.forget_source("outlet")
    heir = store.articles.find(first.article_id)
    assert (copy.document_id, "wire", first.article_id) == (
        heir.document_id,
        heir.source,
        heir.id,
    )
    assert store.stats.counts()["articles"] == 1
    assert store.fates.find(url(3, "wire.example"))["fate"] == "article"


# Following, explaining, counting


def test_the_log_is_complete_in_order_and_can_be_taken_up_anywhere(
    store: Store,
) -> None:
    """Each change exactly once, however it is cut into pages."""
    for n in range(5):
        land(store, document(n, f"{TEXT} {n}"), n)
    whole = store.changes.since()
    pieces, cursor = [], 0
    while piece := store.changes.since(cursor, limit=2):
        pieces += piece
        cursor = piece[-1].cursor
    assert whole == pieces
    assert [change.cursor for change in whole] == [1, 2, 3, 4, 5]


def test_everything_that_is_known_of_a_url_can_be_explained(store: Store) -> None:
    """By URL, by alias, by number; an unknown one says so."""
    land(
        store,
        document(1, mentions=(Mention(kind="actor", code="a", name="A", count=1),)),
        1,
        aliases=(url("alias"),),
    )
    land(store, document(2), 2)
    for what in (url(1), url("alias"), 1):
        told = store.fates.explain(what)
        assert (True, "article", url(1), [2]) == (
            told["found"],
            told["fate"]["fate"],
            told["document"]["url"],
            [c["id"] for c in told["copies"]],
        )
    assert store.fates.explain(url(2))["document"]["kind"] == "exact"
    assert False is store.fates.explain(url("unknown"))["found"]
    assert False is store.fates.explain(77)["found"]


def test_numbers_for_status(store: Store) -> None:
    """Fates by kind and reason, pending, and one row for each source in use."""
    store.sources.sync([make_source_state("outlet")])
    store.polls.land(poll(lead(1), lead(2), at=datetime.now(UTC)))
    land(store, document(1), 1, lead=store.leads.pending()[0])
    land(store, make_rejection(RejectionReason.LISTING), 3)
    counts = store.stats.counts()
    assert (
        counts["articles"], counts["pending"], counts["fates"], counts["reasons"]["rejected"],
    ) == (1, 1, {"article": 1, "rejected": 1}, {"listing": 1})  # fmt: skip
    queue = store.stats.queue()
    assert (queue["pending"], queue["last_article_at"]) == (1, "2026-11-22T12:00:00Z")
    assert queue.items() <= counts.items()
    (row,) = store.sources.activity()
    assert (
        row["id"],
        row["articles"],
        row["pending"],
        row["last_article_at"],
        row["week_found"],
    ) == ("outlet", 1, 1, "2026-11-22T12:00:00Z", 2)


def test_a_service_that_was_down_was_blind(store: Store) -> None:
    """A gap between two signs of life is a row that a query can ask for."""
    for minutes in (0, 1, 2, 90):
        store.service.beat(NOW + timedelta(minutes=minutes))
    assert [
        tuple(row)
        for row in store.session.db.execute(
            "SELECT from_at, to_at, reason FROM blind WHERE source IS NULL"
        )
    ] == [("2026-11-22T12:02:00Z", "2026-11-22T13:30:00Z", "service down")]


def test_a_host_that_asked_for_patience_is_known(store: Store) -> None:
    """The longest wait holds, until it is over."""
    store.host_waits.save("outlet.example", NOW + HOUR)
    store.host_waits.save("outlet.example", NOW + HOUR / 2)
    assert store.host_waits.current(NOW) == {"outlet.example": NOW + HOUR}
    assert store.host_waits.current(NOW + 2 * HOUR) == {}


def test_work_is_handed_over_through_the_file(store: Store) -> None:
    """Anybody may ask while the service holds the lock, and follow what becomes of it; each request is taken once."""
    number = submit_job(store.path, "crawl", {"sources": ["outlet"], "force": True})
    taken = store.jobs.take_next(NOW)
    assert (number, "crawl", {"sources": ["outlet"], "force": True}) == (
        taken.id,
        taken.kind,
        dict(taken.arguments),
    )
    assert store.jobs.take_next(NOW) is None
    store.jobs.save_progress(number, {"found": 3})
    with Store.read(store.path) as reader:
        assert (reader.jobs.find(number).status, reader.jobs.find(number).progress) == (
            "running",
            {"found": 3},
        )
        store.jobs.finish(number, {"new": 2}, now=NOW)
        assert (reader.jobs.find(number).status, reader.jobs.find(number).result) == (
            "done",
            {"new": 2},
        )


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    title=st.text(),
    text=st.text(),
    raw=st.text(),
    guid=st.text(),
    address=st.text(max_size=50),
)
def test_no_strangers_text_is_a_fault(
    store: Store, title: str, text: str, raw: str, guid: str, address: str
) -> None:
    """NUL, lone surrogates, right-to-left marks and megabytes of anything are stored or cleaned, never raised."""
    store.polls.land(
        poll(
            lead(
                f"x/{address}",
                title=title,
                guid=guid,
                published_raw=raw,
                summary=text,
                authors=(raw,),
            ),
            warnings=(raw,),
        )
    )
    landed = land(
        store,
        document(
            f"y/{address}", text, title=title, published_raw=raw, authors=(title,)
        ),
        f"y/{address}",
    )
    assert landed.fate in {FateKind.ARTICLE, FateKind.COPY}
    store.fates.explain(landed.document_id)
