"""When a source is visited again."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_poll, make_source, make_source_state
from crawler.leads.polls import MIN_POLL_INTERVAL, PollHints
from crawler.visits.document_walk import FeedGap
from crawler.visits.visit_result import VisitResult
from scheduler.service import poll_schedule
from scheduler.service.poll_schedule import (
    GONE_PROBE_INTERVAL,
    MAX_INTERVAL,
    FailureKind,
    PollOutcome,
    next_check,
)
from storage.model import Lead, SourceState

# Half an hour before Europe's clocks change
NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)

moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
spans = st.timedeltas(timedelta(0), timedelta(days=400))
states = st.builds(
    SourceState,
    id=st.just("a"),
    name=st.just("A"),
    kind=st.just("feed"),
    url=st.just("https://a.example/feed"),
    interval=st.none() | st.floats(1, 1e9),
    failures=st.floats(0, 1e6),
    first_failure_at=st.none() | moments,
    last_success_at=st.none() | moments,
    last_new_at=st.none() | moments,
)
outcomes = st.builds(
    PollOutcome,
    fresh=st.integers(0, 2000),
    found=st.integers(0, 2000),
    failure=st.none() | st.sampled_from(FailureKind),
    server_floor=st.none() | spans,
    retry_after=st.none() | spans,
)


def state(**changes) -> SourceState:
    return make_source_state("a", name="A", url="https://a.example/feed", **changes)


@given(states, outcomes, moments, st.integers())
def test_a_source_is_never_asked_before_the_floor_and_never_forgotten(
    state, outcome, now, seed
) -> None:
    """Whatever happened, the next visit lies between the floor and the cap."""
    wait = next_check(state, outcome, now, rng=random.Random(seed)).next_check_at - now
    latest = (
        GONE_PROBE_INTERVAL * 1.1
        if outcome.failure is FailureKind.GONE
        else MAX_INTERVAL
    )
    earliest = (
        poll_schedule.OFFLINE_PROBE_INTERVAL
        if outcome.failure is FailureKind.OFFLINE
        else MIN_POLL_INTERVAL
    )
    assert earliest <= wait <= latest + timedelta(seconds=1)


@given(states, outcomes, moments)
def test_the_same_visit_gives_the_same_answer(state, outcome, now) -> None:
    """The decision is pure: chance comes from the source and the moment."""
    assert next_check(state, outcome, now) == next_check(state, outcome, now)


@given(states, outcomes, moments)
def test_success_forgives_and_failure_counts(state, outcome, now) -> None:
    """Errors reset at the first success, and only the machine's own silence is free."""
    failures = next_check(state, outcome, now).failures
    if outcome.failure is None:
        assert failures == 0
    elif outcome.failure is FailureKind.OFFLINE:
        assert failures == state.failures
    else:
        assert failures > state.failures or state.failures > 1e5


def test_news_shortens_and_silence_lengthens_the_interval() -> None:
    """The interval follows the feed's own rhythm."""
    start = timedelta(hours=1)
    news = next_check(
        state(last_success_at=NOW), PollOutcome(fresh=1, found=30), NOW, every=start
    )
    silence = next_check(
        state(last_success_at=NOW), PollOutcome(found=30), NOW, every=start
    )
    assert news.interval == pytest.approx(0.8 * 3600 + 0.2 * 300)
    assert silence.interval == pytest.approx(1.25 * 3600)


def test_case_105_a_feed_that_outran_us_is_asked_twice_as_often_and_the_gap_is_told() -> (
    None
):
    """Fewer than a third known means that items may have come and gone between two polls."""
    late = next_check(
        state(interval=3600.0, last_success_at=NOW),
        PollOutcome(fresh=25, found=30),
        NOW,
    )
    first = next_check(state(interval=3600.0), PollOutcome(fresh=30, found=30), NOW)
    assert (late.possible_gap, late.interval) == (True, 1800.0)
    assert not first.possible_gap


def test_a_busy_source_sleeps_six_hours_at_most() -> None:
    """A source with news in the last week is not left alone for a day."""
    busy = next_check(
        state(interval=1e6, last_new_at=NOW - timedelta(days=6)), PollOutcome(), NOW
    )
    quiet = next_check(
        state(interval=1e6, last_new_at=NOW - timedelta(days=8)), PollOutcome(), NOW
    )
    assert (busy.interval, quiet.interval) == (6 * 3600, 24 * 3600)


def test_case_66_a_server_that_asks_for_a_year_gets_six_hours() -> None:
    """`max-age` of a year is not believed."""
    answer = next_check(state(), PollOutcome(server_floor=timedelta(days=365)), NOW)
    assert timedelta(hours=5) < answer.next_check_at - NOW <= timedelta(hours=6.6)


def test_case_36_a_huge_retry_after_is_a_day_at_most() -> None:
    """Retry-After is obeyed up to 24 hours."""
    answer = next_check(
        state(),
        PollOutcome(failure=FailureKind.SOFT, retry_after=timedelta(days=30)),
        NOW,
    )
    assert answer.next_check_at - NOW <= MAX_INTERVAL


def test_case_32_a_feed_that_is_gone_is_muted_and_probed_weekly() -> None:
    """410 stops polling, but never for good."""
    answer = next_check(state(), PollOutcome(failure=FailureKind.GONE), NOW)
    assert answer.gone
    assert timedelta(days=6) < answer.next_check_at - NOW <= GONE_PROBE_INTERVAL * 1.1


def test_case_41_nobody_is_charged_while_the_machine_is_offline() -> None:
    """The probe comes every minute and the failure count stays."""
    answer = next_check(
        state(failures=3.0), PollOutcome(failure=FailureKind.OFFLINE), NOW
    )
    assert answer.failures == 3.0
    assert answer.next_check_at - NOW <= timedelta(seconds=67)


def test_errors_back_off_and_end_in_a_daily_probe() -> None:
    """A source that only fails is asked ever more rarely, at last once a day."""
    dead = state(
        failures=20.0, first_failure_at=NOW - timedelta(days=15), interval=3600.0
    )
    answer = next_check(dead, PollOutcome(failure=FailureKind.HARD), NOW)
    assert timedelta(hours=21) < answer.next_check_at - NOW <= MAX_INTERVAL
    assert poll_schedule.is_dead(dead, NOW)


@given(states, outcomes, moments, spans)
def test_case_102_an_outage_brings_one_poll_and_no_burst(
    state, outcome, now, outage
) -> None:
    """However long the service was down, a source that was asked once waits again."""
    woken = now + outage
    after = next_check(state, outcome, woken)
    assert woken < after.next_check_at <= woken + GONE_PROBE_INTERVAL * 1.1


def test_case_62_hours_that_a_feed_wants_skipped_are_skipped() -> None:
    """The next look moves to the first hour that is not named; a day later at most."""
    ended = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    poll = make_poll(at=ended, source="a")
    source = make_source("a", url="https://a.example/", every=timedelta(hours=1))
    state = make_source_state("a", name="A", url=source.url)
    plain = VisitResult(poll=poll)
    night = VisitResult(poll=poll, hints=PollHints(skip_hours=frozenset(range(10, 17))))
    assert poll_schedule.plan_next_check(
        source, state, plain, found=9, fresh=0
    ).next_check_at < ended + timedelta(hours=2)
    assert poll_schedule.plan_next_check(
        source, state, night, found=9, fresh=0
    ).next_check_at == datetime(2026, 11, 22, 17, tzinfo=UTC)


def visited(**changes) -> VisitResult:
    return VisitResult(poll=make_poll(at=NOW, source="a"), **changes)


SOURCE = make_source("a", every=timedelta(minutes=15))


def test_cases_61_and_62_hold_after_a_304() -> None:
    """The next look is not before the ttl of the document that was read last, nor in an hour that it wants skipped."""
    wishes = PollHints(ttl=7200.0, skip_hours=frozenset({2, 3, 4}))
    answer = replace(
        visited(hints=wishes), poll=replace(visited().poll, status="not_modified")
    )
    assert (
        poll_schedule.plan_next_check(
            SOURCE, state(interval=900.0), answer, found=0, fresh=0
        ).next_check_at.hour
        == 5
    )


def test_case_62_holds_after_an_error() -> None:
    """An hour that is to be skipped is skipped by the next try as well."""
    answer = visited(trouble="soft", hints=PollHints(skip_hours=frozenset({0, 1, 2})))
    assert (
        poll_schedule.plan_next_check(
            SOURCE, state(interval=900.0), answer, found=0, fresh=0
        ).next_check_at.hour
        == 3
    )


@pytest.mark.parametrize(
    ("closed", "told"), [(True, "gap_closed"), (False, "gap_remains")]
)
def test_case_105_a_gap_that_older_pages_closed_still_halves_the_interval(
    closed, told
) -> None:
    """With the older pages more than a third was known.

    The first document alone had outrun us.
    """
    gap = FeedGap(
        found=10, fresh=10, closed=closed, pages=2, ended="no older page is named"
    )
    was = state(
        interval=3600.0, last_success_at=NOW - timedelta(hours=2), body_hash="read"
    )
    planned = poll_schedule.plan_next_check(
        SOURCE, was, visited(gap=gap), found=30, fresh=15
    )
    assert planned.interval == 1800.0
    assert [warning.partition(":")[0] for warning in planned.warnings] == [
        "possible_gap",
        told,
    ]
    assert planned.unseen == (None if closed else (NOW - timedelta(hours=2), NOW))


def test_case_105_what_may_have_been_missed_ends_with_the_oldest_entry_that_was_seen() -> (
    None
):
    """Nothing of the last visit is in the feed any more, and it names no older pages."""
    since = NOW - timedelta(hours=6)
    dates = [
        NOW - timedelta(hours=1),
        NOW - timedelta(hours=3),
        since - timedelta(days=9),
        None,
    ]
    leads = tuple(
        Lead(url=f"https://a.example/{n}", source="a", published_at=at)
        for n, at in enumerate(dates)
    )
    seen = replace(visited(), poll=replace(visited().poll, leads=leads))
    was = state(last_success_at=since, body_hash="read")
    assert poll_schedule.plan_next_check(
        SOURCE, was, seen, found=4, fresh=4
    ).unseen == (since, NOW - timedelta(hours=3))
    assert (
        poll_schedule.plan_next_check(SOURCE, was, seen, found=4, fresh=3).unseen
        is None
    )
    assert (
        poll_schedule.plan_next_check(SOURCE, state(), seen, found=4, fresh=4).unseen
        is None
    )


def test_case_104_a_visit_longer_than_its_interval_is_counted_from_its_end() -> None:
    """Begun at half past twelve, over at half past one.

    Asked again a quarter of an hour after that.
    """
    ended = NOW + timedelta(hours=1)
    long = replace(visited(), poll=replace(visited().poll, ended_at=ended))
    planned = poll_schedule.plan_next_check(
        SOURCE, state(interval=900.0), long, found=0, fresh=0
    )
    assert planned.next_check_at >= ended + timedelta(minutes=15)


def test_case_101_a_thousand_feeds_that_were_due_together_are_due_apart() -> None:
    """Their next looks spread over a tenth of the interval, for each source the same way each time."""
    times = {
        poll_schedule.plan_next_check(
            replace(SOURCE, id=f"s{n}"),
            replace(state(interval=3600.0), id=f"s{n}"),
            replace(visited(), poll=replace(visited().poll, source=f"s{n}")),
            found=9, fresh=0,
        ).next_check_at
        for n in range(1_000)
    }  # fmt: skip
    assert len(times) > 900
    assert max(times) - min(times) > timedelta(minutes=6)
