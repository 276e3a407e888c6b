"""What a feed's server may answer.

Cases 18 to 48 of the polling rules, each by a real server on loopback.

One pass over a host for each behaviour, then a second one; every test looks at what
became of its host. What cannot be had from a server of the standard library (bombs,
broken chunks, silent sockets) is in `test_hostile_server`.
"""

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from crawler.sources import Source
from scheduler.service import poll_schedule
from storage.model import SourceState, utc_now
from storage.store import Store

TAG = {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
HTML = b"<!doctype html><html><head><title>Log in</title></head><body><form></form></body></html>"
# For the one server that never answers; the others have all the time they need.
TIMEOUT = 2.0


@dataclass
class Seen:
    """What two passes left behind."""

    web: Any
    store: Store
    began: datetime

    def state(self, host: str) -> SourceState:
        """The source of a host after both passes."""
        found = self.store.sources.find(host)
        assert found is not None
        return found

    def polls(self, host: str) -> list[dict[str, Any]]:
        """Its visits, oldest first."""
        return list(
            self.store.session.db.query(
                "SELECT * FROM polls WHERE source = ? ORDER BY id", [host]
            )
        )

    def asked(self, host: str) -> list[Any]:
        """The requests for its feed and where that led."""
        paths = [
            one for one in self.web.asked if one.url.startswith(f"{host}.example/")
        ]
        return [one for one in paths if not one.url.endswith("/robots.txt")]

    def wait(self, host: str) -> timedelta:
        """From the end of its last visit to the next one."""
        state = self.state(host)
        assert state.next_check_at is not None
        assert state.last_poll_at is not None
        return state.next_check_at - state.last_poll_at


@pytest.fixture(scope="module")
def seen(lasting_web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Every behaviour, visited twice."""
    web = lasting_web
    answers = behaviours(web)
    for host, answer in answers.items():
        web.pages[f"{host}.example/feed"] = answer
    more = [
        web.source("late.example/other", id="late-sister"),
        web.source("nobody.example/feed"),
    ]
    sources = [web.source(f"{host}.example/feed") for host in answers] + more

    async def lookup(host: str) -> list[str]:
        if host == "nobody.example":
            raise OSError("no such name")
        return await web.everywhere(host)

    released = threading.Event()

    def stay_silent(_: int) -> Any:
        released.wait(120)
        return web.Answer(drop=True)

    web.pages["slow.example/feed"] = stay_silent
    slow = web.source("slow.example/feed")
    others = [source.id for source in sources]

    began = utc_now()
    with Store.open(Path(tmp_path_factory.mktemp("answers")) / "khabar.db") as store:
        for _ in range(2):
            for only, changes in ((others, {}), (["slow"], {"timeout": TIMEOUT})):
                web.run(
                    store,
                    [*sources, slow],
                    only=only,
                    plan=plan,
                    lookup=lookup,
                    max_feed_size=20_000,
                    **changes,
                )
        released.set()
        yield Seen(web, store, began)


def plan(source: Source, state: SourceState, visited: Any, **counted: int) -> Any:
    """The service's."""
    return poll_schedule.plan_next_check(source, state, visited, **counted)


def behaviours(web: Any) -> dict[str, Any]:
    """By host: what its feed answers with."""
    good = web.feed(
        web.item(web.url("good.example/a"), date="Thu, 01 Jan 2015 00:00:00 GMT")
    )

    def in_an_hour(_count: int) -> Any:
        at = format_datetime(utc_now() + timedelta(hours=1), usegmt=True)
        return web.Answer(b"", 429, {"Retry-After": at})

    def go(status: int, target: str) -> Any:
        return web.Answer(status=status, headers={"Location": target})

    for host in ("found", "other", "temporary", "relative"):
        web.pages[f"{host}.example/real"] = good
    web.pages["gate.example/login?next=feed"] = web.Answer(
        HTML, headers={"Content-Type": "text/html"} | TAG
    )
    web.pages |= {f"long.example/{n}": go(302, f"/{n + 1}") for n in range(40)}
    statuses = {
        f"status{n}": web.Answer(b"", n)
        for n in (204, 401, 403, 404, 406, 410, 451, 500, 502, 503)
    }
    headers = {"Content-Encoding": "gzip"} | TAG
    return statuses | {
        "found": go(302, "/real"), "other": go(303, "/real"), "temporary": go(307, "/real"),
        "gate": go(301, "/login?next=feed"), "circle": go(301, "/feed"), "long": go(302, "/0"),
        "relative": go(302, "real#top"), "empty": go(302, ""),
        "cloudflare": web.Answer(b"", 403, {"cf-mitigated": "challenge"}),
        "late": in_an_hour, "vague": web.Answer(b"", 429),
        "busy": web.Answer(b"", 503, {"Retry-After": "7200"}), "huge": web.Answer(b"", 429, {"Retry-After": "9" * 30}),
        "negative": web.Answer(b"", 503, {"Retry-After": "-5"}), "junk": web.Answer(b"", 429, {"Retry-After": "soon"}),
        "once": lambda count: web.Answer(good.body, headers=TAG) if count == 1 else web.Answer(b"", 500),
        "drop": web.Answer(drop=True),
        "long-body": web.Answer(good.body + b" " * 30_000, headers=TAG), "short": web.Answer(good.body, length=19_000, headers=TAG),
        "cut": web.Answer(gzip.compress(good.body)[:-12], headers=headers), "lie": web.Answer(good.body, headers=headers),
        "strange": web.Answer(good.body, headers={"Content-Encoding": "rot13"} | TAG), "blank": web.Answer(b"", headers=TAG),
        "good": web.Answer(good.body, headers=TAG),
    }  # fmt: skip


def test_case_21_the_second_visit_of_a_sound_feed_is_a_304(seen: Seen) -> None:
    """Both validators go back byte for byte, and the visit is a success."""
    first, second = seen.asked("good")
    assert (first.headers["If-None-Match"], second.headers["If-None-Match"]) == (
        None,
        '"1"',
    )
    assert second.headers["If-Modified-Since"] == TAG["Last-Modified"]
    assert [row["status"] for row in seen.polls("good")] == ["ok", "not_modified"]


@pytest.mark.parametrize("host", ["found", "other", "temporary"])
def test_case_24_a_temporary_redirect_is_followed_and_the_address_stays(
    seen: Seen, host: str
) -> None:
    """302, 303, 307.

    The feed is read, and the next visit begins at the configured address again.
    """
    assert [one.url.partition("/")[2] for one in seen.asked(host)] == [
        "feed",
        "real",
    ] * 2
    assert [row["status"] for row in seen.polls(host)] == ["ok", "unchanged"]
    assert (seen.state(host).moved_to, seen.state(host).url) == (
        None,
        seen.web.url(f"{host}.example/feed"),
    )


def test_case_25_a_permanent_redirect_to_a_login_is_never_kept(seen: Seen) -> None:
    """The web page there is an error, and neither its address nor its validators are remembered."""
    state = seen.state("gate")
    assert state.last_error.startswith("html_instead_of_feed")
    assert (state.moved_to, state.moved_times, state.validators.etag) == (None, 0, None)
    assert all(one.headers["If-None-Match"] is None for one in seen.asked("gate"))


def test_case_27_redirects_without_end_are_a_soft_error(seen: Seen) -> None:
    """A circle is left at once, a long way after ten steps."""
    for host, asked in (("circle", 1), ("long", 11)):
        assert seen.state(host).last_error == "too_many_redirects"
        assert (
            seen.state(host).failures
            == 2 * poll_schedule.FAILURE_WEIGHTS[poll_schedule.FailureKind.SOFT]
        )
        assert len(seen.asked(host)) == 2 * asked


def test_case_28_a_relative_location_is_resolved_and_an_empty_one_ends_it(
    seen: Seen,
) -> None:
    """The fragment is not sent; without a target nothing more is asked for."""
    assert [one.url.partition("/")[2] for one in seen.asked("relative")] == [
        "feed",
        "real",
    ] * 2
    assert seen.polls("relative")[0]["status"] == "ok"
    assert seen.state("empty").last_error == "redirect without a target"
    assert len(seen.asked("empty")) == 2


@pytest.mark.parametrize("status", [401, 406, 451])
def test_case_29_refusals_are_hard_errors(seen: Seen, status: int) -> None:
    """They are told in `status`, and each counts in full."""
    state = seen.state(f"status{status}")
    assert (state.last_error, state.failures) == (f"http {status}", 2.0)


def test_case_30_a_challenge_is_called_by_its_name(seen: Seen) -> None:
    """A plain 403 is not."""
    assert seen.state("cloudflare").last_error == "http 403: blocked by Cloudflare"
    assert (seen.state("status403").last_error, seen.state("status403").failures) == (
        "http 403",
        2.0,
    )


def test_case_31_a_404_is_soft(seen: Seen) -> None:
    """Active feeds do return 404 and come back."""
    assert (seen.state("status404").failures, seen.state("status404").gone) == (
        1.0,
        False,
    )


def test_case_32_a_410_mutes_and_is_asked_again_in_a_week(seen: Seen) -> None:
    """The operator is told."""
    assert seen.state("status410").gone
    assert (
        seen.state("status410").last_error == "http 410: gone for good; probed weekly"
    )
    assert seen.wait("status410") > timedelta(days=6)


def test_case_33_a_429_with_a_date_makes_the_whole_host_wait(seen: Seen) -> None:
    """Another source of the host is not asked for; both are due when the host said."""
    # By force, once in each pass at most
    assert seen.web.count("late.example/other") <= 2
    assert seen.store.host_waits.current(utc_now())[
        "late.example"
    ] >= seen.began + timedelta(minutes=55)
    assert timedelta(minutes=50) < seen.wait("late") <= timedelta(hours=24)


def test_case_34_a_429_without_a_time_holds_the_host_ten_minutes_and_longer_each_time(
    seen: Seen,
) -> None:
    """Junk is no time either."""
    for host in ("vague", "junk"):
        assert len(seen.asked(host)) == 2
        assert seen.wait(host) >= timedelta(minutes=10)
        assert seen.store.host_waits.current(utc_now())[
            f"{host}.example"
        ] >= seen.began + timedelta(minutes=9)


def test_case_35_a_503_with_a_time_is_obeyed_and_one_without_holds_nobody(
    seen: Seen,
) -> None:
    """Two hours for the one; for the other the usual backoff."""
    assert timedelta(hours=2) <= seen.wait("busy") <= timedelta(hours=2.5)
    assert "status503.example" not in seen.store.host_waits.current(utc_now())


def test_case_36_a_huge_retry_after_is_a_day_and_a_negative_one_none(
    seen: Seen,
) -> None:
    """Thirty nines are not believed."""
    assert timedelta(hours=23) < seen.wait("huge") <= timedelta(hours=24)
    assert seen.wait("negative") < timedelta(hours=3)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_case_37_server_errors_are_soft_and_not_asked_again_in_the_pass(
    seen: Seen, status: int
) -> None:
    """One request a visit."""
    assert len(seen.asked(f"status{status}")) == 2
    assert (
        seen.state(f"status{status}").last_error,
        seen.state(f"status{status}").failures,
    ) == (f"http {status}", 1.0)


def test_case_38_a_204_is_unexpected(seen: Seen) -> None:
    """It brings no feed."""
    assert seen.state("status204").last_error == "unexpected_status: http 204"


def test_case_39_nothing_at_all_is_an_error_and_its_validators_are_not_kept(
    seen: Seen,
) -> None:
    """The second request is unconditional again."""
    assert seen.state("blank").last_error.startswith("empty_body")
    assert seen.asked("blank")[-1].headers["If-None-Match"] is None


def test_case_40_a_name_that_nobody_knows_hardly_counts(seen: Seen) -> None:
    """A quarter of a failure each time."""
    assert (seen.state("nobody").last_error, seen.state("nobody").failures) == (
        "dns",
        0.5,
    )


def test_case_42_a_dropped_connection_is_soft(seen: Seen) -> None:
    """It is told as the connection's."""
    assert seen.state("drop").last_error.startswith("connection")
    assert seen.state("drop").failures == 1.0


def test_case_44_a_slow_server_is_cut_off(seen: Seen) -> None:
    """After the time that a request may take in all."""
    assert (seen.state("slow").last_error, seen.state("slow").failures) == (
        "timeout",
        1.0,
    )


def test_case_45_a_body_over_the_limit_is_cut_and_counted(seen: Seen) -> None:
    """Miniflux returns without storing the error.

    Here it is a failure like any other.
    """
    state = seen.state("long-body")
    assert (state.last_error, state.failures, state.validators.etag) == (
        "size: larger than allowed",
        2.0,
        None,
    )


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("short", "truncated"),
        ("cut", "bad_encoding: truncated gzip"),
        ("strange", "bad_encoding"),
    ],
)
def test_cases_46_to_48_what_came_in_part_is_not_read_and_gives_no_validators(
    seen: Seen, host: str, error: str
) -> None:
    """Shorter than promised (46), a packed body without its end (47), a coding that nobody asked for (48)."""
    state = seen.state(host)
    assert state.last_error.startswith(error)
    assert state.validators.etag is None
    assert all(one.headers["If-None-Match"] is None for one in seen.asked(host))
    assert sum(row["found"] for row in seen.polls(host)) == 0


def test_case_48_a_coding_that_lies_is_seen_through(seen: Seen) -> None:
    """It says gzip and is plain: read as it stands."""
    assert seen.polls("lie")[0]["status"] == "ok"


def test_case_18_validators_are_those_of_what_was_stored(seen: Seen) -> None:
    """A 200 and its leads came in one transaction.

    The error after it changes neither.
    """
    state = seen.state("once")
    assert (state.last_error, state.validators.etag) == ("http 500", '"1"')
    assert seen.asked("once")[1].headers["If-None-Match"] == '"1"'
    assert seen.polls("once")[0]["found"] == 1
    assert state.last_success_at is not None
    assert state.last_success_at.astimezone(UTC) >= seen.began.replace(microsecond=0)


def test_every_visit_of_every_server_adds_up(seen: Seen) -> None:
    """Two visits a source, whatever it answered."""
    assert seen.store.polls.unbalanced() == []
    assert seen.store.check() == []
