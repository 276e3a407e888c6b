"""What hosts ask for is kept: delays, and being left alone for a while."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fetching.hosts import MAX_WAIT, Hosts, parse_retry_after
from storage.model import utc_now

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), (" 5 ", 5), ("0", 0), ("999999999999", 86_400), (format_datetime(NOW + timedelta(minutes=3), usegmt=True), 180),
     (format_datetime(NOW - timedelta(days=3), usegmt=True), 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400)],
)  # fmt: skip
def test_case_36_retry_after_is_read_as_seconds_or_date_between_nothing_and_a_day(
    text, seconds
):
    """Numbers and dates count, huge ones are cut to 24 h, past ones are nothing."""
    assert parse_retry_after(text, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "-5", "1.5", "٣", "Mon, 99 Foo 2026", "5 minutes"]
)
def test_case_36_junk_is_no_retry_after(text):
    """What is neither a number nor a date says nothing."""
    assert parse_retry_after(text, NOW) is None


@given(st.text(max_size=100))
def test_any_retry_after_is_within_bounds(text):
    """Never an exception, never longer than a day, never before now."""
    wait = parse_retry_after(text, NOW)
    assert wait is None or timedelta(0) <= wait <= MAX_WAIT


def test_case_33_a_host_that_asked_to_wait_is_left_alone_and_others_are_not():
    """The hold is the host's, whichever source asked."""
    hosts = Hosts()
    until = hosts.hold("news.example", "600", utc_now())
    assert hosts.held_until("news.example") == until
    assert until >= utc_now() + timedelta(seconds=590)
    assert hosts.held_until("other.example") is None


def test_case_34_a_refusal_without_a_time_doubles():
    """10 minutes, 20, 40: for the host."""
    hosts = Hosts()
    waits = [hosts.hold("news.example", "", NOW) - NOW for _ in range(3)]
    assert waits[0] >= timedelta(minutes=10)
    assert waits[1] >= timedelta(minutes=20)
    assert waits[2] >= timedelta(minutes=40)


def test_case_34_an_answer_in_between_ends_the_doubling():
    """Two refusals a month apart are not a streak."""
    hosts = Hosts()
    hosts.hold("news.example", "", NOW)
    hosts.note_answer("news.example")
    assert hosts.hold("news.example", "", NOW) - NOW < timedelta(minutes=12)


def test_a_hold_ends_and_can_be_overridden():
    """It is over when its time is, and `--force` does not wait."""
    hosts = Hosts()
    hosts.hold_all(
        {
            "past.example": utc_now() - timedelta(seconds=1),
            "future.example": utc_now() + timedelta(hours=1),
        }
    )
    assert hosts.held_until("past.example") is None
    assert hosts.held_until("future.example") is not None
    hosts.release("future.example")
    assert hosts.held_until("future.example") is None
