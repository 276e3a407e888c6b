"""What is typed or stands in an address becomes criteria, or an error that names the value."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import UsageError
from storage.query import criteria
from storage.query.criteria import Criteria, Sort

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end", "at"),
    [
        ("7d", False, NOW - timedelta(days=7)), ("24h", False, NOW - timedelta(hours=24)), ("today", False, datetime(2026, 11, 22, tzinfo=UTC)),
        ("yesterday", True, datetime(2026, 11, 22, tzinfo=UTC)), ("2026-11-01", False, datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01", True, datetime(2026, 11, 2, tzinfo=UTC)), ("2026-11-01T06:30+04:30", False, datetime(2026, 11, 1, 2, tzinfo=UTC)),
        ("2026-11-01T06:30Z", True, datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_times_are_read(text, end, at):
    """Spans before now, days and ISO 8601; `until` takes its day in."""
    assert criteria.parse_time(text, now=NOW, end=end) == at


@given(st.text(max_size=60))
def test_a_time_is_read_or_refused(text):
    """No text makes the reader of times fail in another way."""
    with contextlib.suppress(UsageError):
        assert criteria.parse_time(text, now=NOW).tzinfo is UTC


@pytest.mark.parametrize(
    "values",
    [
        {"limit": ["-1"]},
        {"limit": ["1e99"]},
        {"limit": ["9223372036854775808"]},
        {"limit": ["0"]},
        {"sort": ["title; ATTACH DATABASE '/x' AS x"]},
        {"since": ["2026-13-45"]},
        {"until": ["'||(select 1)||'"]},
        {"min_relevance": ["nan"]},
        {"min_relevance": ["2"]},
    ],
)
def test_values_that_cannot_be_used_are_named(values):
    """A wrong number, order or time is an error of use that repeats it."""
    with pytest.raises(UsageError) as fault:
        criteria.parse_criteria(values, now=NOW)
    assert next(iter(values.values()))[0][:40] in str(fault.value)


NAMES = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)
    .map(str.strip)
    .filter(bool),
    max_size=3,
).map(tuple)


@given(
    st.builds(
        Criteria,
        words=st.text(max_size=20).map(str.strip),
        sources=NAMES,
        places=NAMES,
        copies=st.booleans(),
        sort=st.sampled_from(Sort),
        limit=st.integers(1, 1000),
    )
)
def test_criteria_survive_an_address(wanted):
    """What `criteria_to_pairs` writes, `parse_criteria` takes back."""
    values: dict[str, list[str]] = {}
    for name, value in criteria.criteria_to_pairs(wanted):
        values.setdefault(name, []).append(value)
    assert criteria.parse_criteria(values, now=NOW) == wanted
