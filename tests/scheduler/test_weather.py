"""Whether the machine is offline (case 41)."""

from dataclasses import replace

import pytest

from crawler.visits.source_visit import VisitResult
from scheduler.service.connectivity import SILENT_HOSTS, OfflineDetector
from storage.model import Poll, utc_now

SILENT = Poll(
    source="a",
    started_at=utc_now(),
    ended_at=utc_now(),
    status="error",
    error="timeout",
)


def seen(*told: tuple[str, Poll]) -> bool:
    """Whether the machine is taken to be offline after these visits."""
    weather = OfflineDetector()
    for host, poll in told:
        weather.note(host, VisitResult(poll=poll))
    return weather.is_offline


@pytest.mark.parametrize(
    "error",
    ["dns", "timeout", "connection refused", "connection: ConnectionLost: gone"],
)
def test_case_41_several_hosts_that_are_silent_in_a_row_mean_that_the_machine_is_offline(
    error: str,
) -> None:
    """Three different ones.

    One host that is asked for thrice says nothing of the others.
    """
    silent = replace(SILENT, error=error)
    assert seen(*((f"{n}.example", silent) for n in range(SILENT_HOSTS)))
    assert not seen(*(("one.example", silent) for _ in range(9)))


@pytest.mark.parametrize(
    "answer",
    [
        replace(SILENT, status="ok", error=None),
        replace(SILENT, http_status=500, error="http 500"),
        replace(SILENT, error="tls: certificate has expired"),
        replace(SILENT, error="html_instead_of_feed: a web page"),
    ],
)
def test_case_41_any_answer_shows_that_the_network_is_there(answer: Poll) -> None:
    """A status, a bad certificate and a broken feed come from somebody."""
    assert not seen(("a.example", SILENT), ("b.example", SILENT), ("c.example", answer))
    assert not seen(
        ("a.example", SILENT),
        ("b.example", SILENT),
        ("c.example", answer),
        ("d.example", SILENT),
    )
