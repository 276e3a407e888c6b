"""How a feed is asked.

The request side of the polling rules (cases 1 to 10) and the hints of cases 61 to 66.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_source, make_source_state
from crawler.leads import polls
from crawler.leads.polls import PollingElements
from storage.model import Validators

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOURCE = make_source("s", url="https://outlet.example/feed")


def state(url=SOURCE.url, since=None, **validators):
    return make_source_state(
        "s",
        name="S",
        url=url,
        validators=Validators(**validators),
        validators_since=since,
    )


def asked(**known):
    return polls.poll_headers(state(**known), SOURCE, now=NOW)


def test_case_1_first_poll_is_unconditional():
    """A source that was never polled is asked without If-* headers."""
    assert {"Accept"} == set(asked())


@pytest.mark.parametrize(
    "etag", ['"abc"', 'W/"abc"', "unquoted", '"with ; and , "', '""']
)
def test_case_2_etag_goes_back_byte_for_byte(etag):
    """If-None-Match is what came, with its quotes and its W/."""
    kept = polls.parse_validators({"ETag": etag})
    assert etag == asked(etag=kept.etag)["If-None-Match"]


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 22 Nov 2026 10:00:00 GMT",
        "Sun, 22 Nov 2026 10:00:00 +0430",
        "Sunday, 22-Nov-26 10:00:00 GMT",
    ],
)
def test_case_3_last_modified_is_never_re_formatted(text):
    """If-Modified-Since is the string that was received."""
    kept = polls.parse_validators({"last-modified": text})
    assert text == asked(last_modified=kept.last_modified)["If-Modified-Since"]


def test_case_4_both_validators_are_sent():
    """Servers that know only one of the two still answer 304."""
    headers = asked(etag='"e"', last_modified="Sun, 22 Nov 2026 10:00:00 GMT")
    assert {"Accept", "If-None-Match", "If-Modified-Since"} == set(headers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "yesterday",
        "Tue, 19 Jan 2038 03:14:07 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 99 Foo 2020",
    ],
)
def test_case_5_an_invalid_or_coming_date_is_not_sent(text):
    """2038 and junk stay out of the request; the ETag still goes."""
    assert {"Accept", "If-None-Match"} == set(asked(etag='"e"', last_modified=text))


def test_case_6_expires_0_keeps_the_validators():
    """`Expires: 0` says nothing about validators."""
    kept = polls.parse_validators({"Expires": "0", "ETag": '"e"'})
    assert asked(etag=kept.etag)["If-None-Match"] == '"e"'


@pytest.mark.parametrize(
    ("size", "kept"), [(1_024, True), (1_025, False), (60_000, False)]
)
def test_case_7_an_etag_over_1_kb_is_not_kept(size, kept):
    """A long ETag is not worth a column."""
    assert kept is (
        polls.parse_validators({"ETag": '"' + "e" * (size - 2) + '"'}).etag is not None
    )


@pytest.mark.parametrize(
    ("days", "conditional"), [(0, True), (7, True), (8, True), (9, False)]
)
def test_case_8_unconditional_after_eight_days_of_304(days, conditional):
    """Some servers answer 304 to anything.

    After eight days they are asked once without.
    """
    headers = asked(etag='"e"', since=NOW - timedelta(days=days))
    assert conditional is ("If-None-Match" in headers)


def test_case_9_an_edited_address_drops_the_validators():
    """Validators belong to the address that gave them."""
    assert {"Accept"} == set(asked(url="https://outlet.example/old", etag='"e"'))
    assert polls.is_unconditional(
        state(url="https://outlet.example/old", etag='"e"'), SOURCE, now=NOW
    )


def test_case_10_feeds_are_asked_for_as_feeds():
    """Accept names the feed types first and never text/html."""
    accept = asked()["Accept"]
    assert accept.startswith(
        "application/atom+xml, application/rss+xml, application/feed+json"
    )
    assert "text/html" not in accept


def test_case_13_no_cookies_and_no_referer():
    """Nothing but Accept and the validators is sent, whatever the server sent before."""
    kept = polls.parse_validators({"Set-Cookie": "a=b", "ETag": '"e"'})
    assert {"Accept", "If-None-Match"} == set(asked(etag=kept.etag))


@given(st.text(max_size=2_000), st.text(max_size=200))
def test_validators_of_any_headers_can_be_sent(etag, modified):
    """No header value becomes one that breaks a request."""
    kept = polls.parse_validators({"etag": etag, "last-modified": modified})
    headers = asked(etag=kept.etag, last_modified=kept.last_modified)
    assert not any(
        control in value for value in headers.values() for control in "\r\n\0"
    )


@pytest.mark.parametrize(
    ("ttl", "floor"),
    [
        ("60", 3_600),
        ("1", 300),
        ("100000", 21_600),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("nan", None),
    ],
)
def test_case_61_ttl_is_minutes_within_5_minutes_and_6_hours(ttl, floor):
    """The publisher's ttl sets the floor of the interval."""
    assert floor == polls.parse_hints({}, PollingElements(ttl=ttl)).min_interval_seconds


def test_case_62_skipped_hours_defer_at_most_a_day():
    """A poll in a skipped hour moves to the next one that is not.

    Skipping everything skips nothing.
    """
    night = polls.parse_hints({}, PollingElements(skip_hours=("12", "13", "x", "99")))
    assert datetime(2026, 11, 22, 14, 0, tzinfo=UTC) == night.not_before(NOW)
    assert (
        polls.parse_hints(
            {}, PollingElements(skip_hours=tuple(map(str, range(24))))
        ).not_before(NOW)
        == NOW
    )
    weekend = polls.parse_hints(
        {}, PollingElements(skip_days=("Sunday", "monday", "Noday"))
    )
    assert NOW + timedelta(hours=24) == weekend.not_before(NOW)


@pytest.mark.parametrize(
    ("period", "frequency", "seconds"),
    [
        ("hourly", "2", 1_800),
        ("dayly", "1", 86_400),
        ("daily", "", 86_400),
        ("", "", 86_400),
        ("hourly", "0.1", 36_000),
        ("always", "1", None),
        ("daily", "0", None),
        ("daily", "-1", None),
        (None, "1", None),
    ],
)
def test_case_63_syndication_period(period, frequency, seconds):
    """updatePeriod and updateFrequency as publishers write them, misspellings included."""
    assert (
        seconds
        == polls.parse_hints(
            {}, PollingElements(period=period, frequency=frequency)
        ).period
    )


def test_case_64_cache_headers_set_the_floor():
    """max-age less Age, not with no-cache.

    Expires counts from the server's own Date.
    """
    assert (
        polls.parse_hints(
            {"Cache-Control": "public, max-age=3600", "Age": "600"}
        ).min_interval_seconds
        == 3_000
    )
    assert (
        polls.parse_hints(
            {"Cache-Control": "no-cache, max-age=3600"}
        ).min_interval_seconds
        is None
    )
    dated = {
        "Date": "Sat, 01 Jan 2000 00:00:00 GMT",
        "Expires": "Sat, 01 Jan 2000 01:00:00 GMT",
    }
    assert polls.parse_hints(dated).min_interval_seconds == 3_600
    assert (
        polls.parse_hints({"Expires": "0", "Date": "junk"}).min_interval_seconds is None
    )


@given(
    st.dictionaries(
        st.sampled_from(["ttl", "period", "skip_hours", "skip_days"]),
        st.none()
        | st.floats()
        | st.text(max_size=9)
        | st.lists(st.integers() | st.text(max_size=3), max_size=30),
    )
)
def test_whatever_was_kept_of_a_document_can_be_obeyed(kept):
    """A file that somebody edited by hand silences no source."""
    hints = polls.recall_hints(replace(state(), hints=kept), {})
    assert (
        hints.min_interval_seconds is None
        or 300 <= hints.min_interval_seconds <= 21_600
    )
    assert NOW <= hints.not_before(NOW) <= NOW + timedelta(hours=24)


@given(
    st.builds(
        PollingElements,
        ttl=st.sampled_from(["", "60", "1e400", "-1"]),
        period=st.sampled_from([None, "hourly", ""]),
        skip_hours=st.tuples(st.sampled_from(["3", "24", "x"])),
        skip_days=st.tuples(st.sampled_from(["Friday", ""])),
    )
)
def test_what_a_document_asked_for_survives_the_file(said):
    """Kept as JSON and read back, it is the same."""
    hints = polls.parse_hints({}, said)
    kept = json.loads(json.dumps(hints.document_hints))
    assert polls.recall_hints(replace(state(), hints=kept), {}) == hints


def test_case_65_stale_directives_have_no_effect():
    """RFC 5861 is about caches."""
    assert (
        polls.parse_hints(
            {"Cache-Control": "stale-while-revalidate=9999, stale-if-error=9999"}
        ).min_interval_seconds
        is None
    )


def test_case_66_a_year_is_six_hours():
    """Publishers copy max-age from their images."""
    assert (
        polls.parse_hints({"Cache-Control": "max-age=31536000"}).min_interval_seconds
        == 21_600
    )


@given(
    st.dictionaries(
        st.sampled_from(["cache-control", "expires", "date", "age"]),
        st.text(max_size=60),
    )
)
def test_hints_of_any_headers_stay_within_bounds(headers):
    """Whatever a server says, the floor is none or between 5 minutes and 6 hours."""
    floor = polls.parse_hints(headers).min_interval_seconds
    assert floor is None or 300 <= floor <= 21_600
