"""The verdict on a store: what is well, what is quiet, what fails."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scheduler import health
from scheduler.health import Status
from storage.model import SourceState

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
GOOD = SourceState(
    id="a", name="A", kind="feed", url="https://a.example/", last_poll_at=NOW, last_success_at=NOW, newest_at=NOW, last_new_at=NOW,
)  # fmt: skip
WELL = Status(counts={"oldest_pending_at": None, "pending": 0}, last_article_at=NOW, bytes=10)


def problems(found: Status, *, visited: int = 2) -> tuple[str, ...]:
    return health.judged(found, visited=visited, limit=100, now=NOW).problems


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
        (replace(WELL, counts={"oldest_pending_at": "2026-11-22T02:00:00Z", "pending": 3}), 2, "3 pages wait"),
        (replace(WELL, unbalanced=({"id": 1},)), 2, "do not add up"),
        (replace(WELL, bytes=91), 2, "max_size"),
    ],
)
def test_what_is_not_well_is_named(found: Status, visited: int, word: str) -> None:
    """Each with what to do about it."""
    assert [problem for problem in problems(found, visited=visited) if word in problem]


def test_one_source_that_fails_is_not_the_end() -> None:
    """The others carry on."""
    assert problems(replace(WELL, failing=(GOOD,))) == ()


def test_quiet_is_the_age_of_the_newest_item_not_the_status() -> None:
    """A feed that answers 200 with items of last month is quiet; one that fails is failing, not quiet."""
    old = NOW - timedelta(days=9)
    assert not health.is_quiet(GOOD, NOW)
    assert health.is_quiet(replace(GOOD, newest_at=old, last_new_at=old), NOW)
    assert health.is_quiet(replace(GOOD, newest_at=None, last_new_at=None), NOW)
    assert not health.is_quiet(replace(GOOD, newest_at=old, last_new_at=old, failures=health.FAILING), NOW)
    assert not health.is_quiet(replace(GOOD, last_success_at=None), NOW)
