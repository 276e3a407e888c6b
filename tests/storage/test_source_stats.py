"""Numbers about sources, and that asking what is due stays an index lookup however many there are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import (
    make_document,
    make_landing,
    make_poll,
    make_rejection,
    make_source_state,
)
from storage.model import (
    Lead,
    RejectionReason,
    Validators,
)
from storage.store import Store
from storage.tables import blind_periods, source_stats, sources

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with Store.open(tmp_path / "khabar.db") as opened:
        opened.sources.sync(
            [make_source_state(name, url=f"http://{name}.example/") for name in "ab"]
        )
        yield opened


def poll(
    store: Store,
    source: str,
    at: datetime,
    *paths: str,
    status: str = "ok",
    bytes: int = 100,  # noqa: A002
) -> None:  # noqa: A002, RUF100
    leads = tuple(
        Lead(url=f"http://{source}.example/{path}", source=source) for path in paths
    )
    store.polls.land(
        make_poll(
            *leads,
            at=at,
            source=source,
            status=status,
            bytes=bytes,
            error="http 500" if status == "error" else None,
        )
    )


def test_news_traffic_and_yields_are_counted_by_source(store: Store) -> None:
    """Visits with something new, requests with their bytes, texts and pages without one."""
    poll(store, "a", NOW - 2 * DAY, "1", "2")
    poll(store, "a", NOW - DAY, "1", "2")
    poll(store, "a", NOW, "3")
    text = make_document(
        "http://a.example/1", "Invented words of a test.", title="One", authors=("A",)
    )
    gone = make_rejection(RejectionReason.SCRIPT_ONLY, detail="")
    store.landings.land([make_landing(text, source="a")], now=NOW - DAY)
    store.landings.land([make_landing(gone, "http://a.example/2")], now=NOW - DAY)
    assert source_stats.list_news_times(store.session.db, NOW - 9 * DAY) == {
        "a": [NOW - 2 * DAY, NOW]
    }
    assert source_stats.measure_page_yields(store.session.db, NOW - 9 * DAY, NOW) == {
        "a": source_stats.PageYield(pages=2, texts=1, signed=1)
    }
    assert source_stats.measure_traffic(store.session.db, NOW - 9 * DAY) == {
        "a": source_stats.SourceTraffic(requests=5, bytes=300)
    }
    assert (
        source_stats.find_page_without(store.session.db, "a")["url"]
        == "http://a.example/2"
    )
    assert source_stats.find_page_without(store.session.db, "b") is None


def test_blind_periods_are_listed_until_they_end(store: Store) -> None:
    """A source that fails was last seen at its last success."""
    poll(store, "a", NOW - 2 * DAY)
    poll(store, "a", NOW - DAY, status="error")
    (period,) = blind_periods.list_blind_periods(store.session.db, NOW)
    assert (period.source, period.from_at, period.to_at) == ("a", NOW - 2 * DAY, None)
    poll(store, "a", NOW)
    assert blind_periods.list_blind_periods(store.session.db, NOW)[0].to_at == NOW


def test_what_is_due_among_twenty_thousand_is_found_by_its_index(store: Store) -> None:
    """No step of the plan reads all sources."""
    for statement in (sources.ANY_SOURCE_DUE_SQL, sources.DUE_SOURCES_SQL):
        plan = store.session.db.execute(
            f"EXPLAIN QUERY PLAN {statement}",
            {**sources.due_parameters(NOW), "limit": 10},
        )
        steps = [row[3] for row in plan.fetchall()]
        assert sum("USING INDEX sources_due" in step for step in steps) == 3, steps
        assert not [step for step in steps if "SCAN sources" in step], steps


@pytest.mark.parametrize(
    "jump", [timedelta(seconds=1), DAY, 30 * DAY, 392 * DAY, 36_500 * DAY]
)
def test_case_103_a_source_that_a_wrong_clock_sent_far_ahead_is_due(
    store: Store, jump: timedelta
) -> None:
    """Nobody plans further than a week and a tenth.

    Whatever lies beyond is a clock's mistake, and the source is due.
    """
    for source, ahead in (("a", 7.7 * DAY), ("b", 8 * DAY + jump)):
        at = NOW - DAY
        store.polls.land(
            make_poll(
                at=at, source=source, next_check_at=NOW + ahead, validators=Validators()
            )
        )
    assert [state.id for state in store.sources.claim_due(NOW, limit=9, lease=DAY)] == [
        "b"
    ]
