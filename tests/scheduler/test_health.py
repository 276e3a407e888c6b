"""The verdict on a store: what is well, what is quiet, what fails."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import make_source_state
from scheduler import health
from scheduler.config import Config
from scheduler.health import Status
from scheduler.views import status_view, terminal
from storage.model import BlindPeriod, PageYield, SourceTraffic, utc_now
from storage.settings import StoreSettings
from storage.store import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
GOOD = make_source_state("a", name="A", url="https://a.example/", last_poll_at=NOW, last_success_at=NOW, newest_at=NOW, last_new_at=NOW)  # fmt: skip
WELL = Status(
    counts={"oldest_pending_at": None, "pending": 0}, last_article_at=NOW, bytes=10
)


def problems(found: Status, *, visited: int = 2) -> tuple[str, ...]:
    return health.with_problems(found, visited=visited, max_size=100, now=NOW).problems


def test_a_store_with_news_is_well() -> None:
    """No problem, exit 0."""
    assert problems(WELL) == ()


@pytest.mark.parametrize(
    ("found", "visited", "word"),
    [
        (WELL, 0, "no source was visited"),
        (replace(WELL, failing=(GOOD, GOOD)), 2, "every source fails"),
        (replace(WELL, last_article_at=NOW - timedelta(hours=25)), 2, "no new article"),
        (replace(WELL, last_article_at=None), 2, "no new article"),
        (
            replace(
                WELL, counts={"oldest_pending_at": "2026-11-22T02:00:00Z", "pending": 3}
            ),
            2,
            "3 pages wait",
        ),
        (replace(WELL, unbalanced=({"id": 1},)), 2, "do not add up"),
        (replace(WELL, bytes=91), 2, "max_size"),
        (
            replace(WELL, disk_space=health.DiskSpace(bytes=91, free=4096)),
            2,
            "disk is full",
        ),
    ],
)
def test_what_is_not_well_is_named(found: Status, visited: int, word: str) -> None:
    """Each with what to do about it."""
    assert [problem for problem in problems(found, visited=visited) if word in problem]


def test_one_source_that_fails_is_not_the_end() -> None:
    """The others carry on."""
    assert problems(replace(WELL, failing=(GOOD,))) == ()


def test_quiet_is_the_age_of_the_newest_item_not_the_status() -> None:
    """A feed that answers 200 with items of last month is quiet.

    One that fails is failing, not quiet.
    """
    old = NOW - timedelta(days=9)
    assert not health.is_quiet(GOOD, NOW)
    assert health.is_quiet(replace(GOOD, newest_at=old, last_new_at=old), NOW)
    assert health.is_quiet(replace(GOOD, newest_at=None, last_new_at=None), NOW)
    assert not health.is_quiet(
        replace(GOOD, newest_at=old, last_new_at=old, failures=health.FAILING_FAILURES),
        NOW,
    )
    assert not health.is_quiet(replace(GOOD, last_success_at=None), NOW)


def test_quiet_is_measured_by_the_sources_own_rhythm() -> None:
    """A wire that is silent for two days is quiet.

    A weekly column that was silent for six days is not.
    """
    wire = [
        NOW - timedelta(days=20) + timedelta(hours=hour)
        for hour in range(0, 18 * 24, 3)
    ]
    weekly = [NOW - timedelta(days=day) for day in (34, 27, 20, 13, 6)]
    silent = replace(
        GOOD, newest_at=NOW - timedelta(days=2), last_new_at=NOW - timedelta(days=2)
    )
    column = replace(
        GOOD, newest_at=NOW - timedelta(days=9), last_new_at=NOW - timedelta(days=9)
    )
    assert health.is_quiet(silent, NOW, wire)
    assert not health.is_quiet(silent, NOW)
    assert not health.is_quiet(column, NOW, weekly)


def test_a_source_that_rests_on_fridays_is_not_quiet_on_friday() -> None:
    """The longest silence of the last weeks, and half as much again, is still its own."""
    days = [
        NOW - timedelta(days=day)
        for day in range(30, 1, -1)
        if (NOW - timedelta(days=day)).weekday() not in (4, 5)
    ]
    assert health.longest_silence(days) >= timedelta(days=4)


def test_drift_is_a_fall_against_the_own_past() -> None:
    """Pages that never had authors do not drift; pages whose text is gone do.

    A handful proves nothing.
    """
    month = PageYield(pages=100, texts=98, dated=95, signed=0)
    assert health.find_drift("a", month, PageYield(pages=10, texts=10, dated=10)) == []
    (found,) = health.find_drift("a", month, PageYield(pages=10, texts=1, dated=1))
    assert (found.what, round(found.before, 2), found.lately) == ("text", 0.98, 0.1)
    assert [
        one.what
        for one in health.find_drift("a", month, PageYield(pages=10, texts=10, dated=2))
    ] == ["dates"]
    assert health.find_drift("a", month, PageYield(pages=3, texts=0)) == []
    assert (
        health.find_drift(
            "a", PageYield(pages=5, texts=5, dated=5), PageYield(pages=10)
        )
        == []
    )


def test_the_status_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Kinds of fates and errors without underscores, times ahead and behind as lengths, a failing source told once."""
    failing = replace(
        GOOD,
        failures=3.0,
        last_error="html_instead_of_feed: a login",
        first_failure_at=utc_now() - timedelta(hours=3),
    )
    counts = {
        "articles": 7, "copies": 1, "pending": 0, "sources": 1, "oldest_pending_at": None, "fates": {"too_old": 2},
    }  # fmt: skip
    blind = BlindPeriod(
        source="a", from_at=NOW, to_at=None, reason="html_instead_of_feed: a login"
    )
    found = replace(
        WELL, counts=counts, failing=(failing,), blind=(blind, replace(blind, source=None, reason="service down")),
        traffic={"a": SourceTraffic(requests=1, bytes=40_000)}, disk_space=health.DiskSpace(bytes=10, bytes_a_day=1.0, free=10**9),
        next_checks=(("a", utc_now() + timedelta(minutes=9, seconds=30)),),
    )  # fmt: skip
    status_view.show_status(terminal.open_screen(), found, json=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "fates too old 2" in lines
    assert "next a in 9 min" in lines
    assert "failing a: html instead of feed: a login, for 3 h" in lines
    assert [line for line in lines if line.startswith("blind")] == [
        "blind everything: 2026-11-22 09:00 UTC to now, service down"
    ]
    assert "traffic a: 1 request and 0.04 MB in seven days" in lines
    assert any(line.endswith("room for over ten years") for line in lines)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Store, Config]]:
    """A store in which a service gave signs of life, and its configuration."""
    settings = StoreSettings(path=tmp_path / "khabar.db", captures=tmp_path / "raw")
    with Store.open(settings.path, captures=settings.captures) as store:
        store.sources.sync([make_source_state("a", next_check_at=None)])
        yield store, Config(store=settings)


def own_problems(store: Store, config: Config, now: datetime) -> tuple[str, ...]:
    return health.read_status(store, config, now).own_problems


def test_a_service_that_hangs_is_not_well(served: tuple[Store, Config]) -> None:
    """Its last sign of life is judged; another command that writes gives none."""
    store, config = served
    now = utc_now()
    store.service.beat(now)
    assert own_problems(store, config, now + timedelta(minutes=2)) == ()
    (found,) = own_problems(store, config, now + timedelta(hours=3))
    assert "no sign of life for 180 minutes" in found
    store.session.db.execute("UPDATE meta SET value = 1 WHERE name = 'service_pid'")
    assert own_problems(store, config, now + timedelta(hours=3)) == ()


@pytest.mark.parametrize("overdue", [True, False])
def test_a_service_that_runs_no_more_is_missed(
    served: tuple[Store, Config], overdue: bool
) -> None:
    """While sources are overdue; who crawls by hand never had one."""
    store, config = served
    now = utc_now()
    later = now + timedelta(hours=5)
    due = now if overdue else later
    store.session.db.execute(
        "UPDATE sources SET next_check_at = ?", [due.strftime("%Y-%m-%dT%H:%M:%SZ")]
    )
    store.service.beat(now)
    store.close()
    with Store.read(config.store.path) as reader:
        found = own_problems(reader, config, later)
    assert any("no service runs since" in problem for problem in found) == overdue


def test_a_job_that_fails_is_told_until_it_works(
    served: tuple[Store, Config], tmp_path: Path
) -> None:
    """A backup only while it is configured."""
    store, config = served
    service = replace(config.service, backup=tmp_path / "copy.db")
    wanted = replace(config, service=service)
    store.service.save_job_fault("backup", "the disk is full", NOW)
    (found,) = own_problems(store, wanted, utc_now())
    assert found == "backup fails since 2026-11-22 09:00: the disk is full"
    assert own_problems(store, config, utc_now()) == ()
    store.service.save_job_fault("backup", "", NOW)
    assert own_problems(store, wanted, utc_now()) == ()


def test_what_a_faulty_configuration_hides_is_told(
    served: tuple[Store, Config],
) -> None:
    """The rest is looked at all the same."""
    store, config = served
    status = health.read_status(store, config, utc_now(), config_faults=["x: is bad"])
    assert "x: is bad" in status.own_problems[0]
    assert not status.well
