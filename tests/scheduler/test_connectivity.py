"""Whether the machine is offline, so that no source is charged for it (case 41)."""

from dataclasses import replace

import pytest

from builders import make_poll, make_source, make_source_state
from crawler.visits.visit_result import VisitResult
from scheduler.service.connectivity import MIN_SILENT_HOSTS, OfflineDetector
from scheduler.service.poll_schedule import plan_next_check
from storage.model import Poll

SILENT = make_poll(source="a", status="error", error="timeout")


def is_offline_after(*polls: tuple[str, Poll]) -> bool:
    """Whether the machine is taken to be offline after these visits."""
    detector = OfflineDetector(plan_next_check)
    for host, poll in polls:
        detector.record_visit(host, poll)
    return detector.is_offline


@pytest.mark.parametrize(
    "error",
    ["dns", "timeout", "connection refused", "connection: ConnectionLost: gone"],
)
def test_case_41_several_silent_hosts_in_a_row_mean_that_the_machine_is_offline(
    error: str,
) -> None:
    """Three different ones.

    One host that is asked for thrice says nothing of the others.
    """
    silent = replace(SILENT, error=error)
    hosts = [f"{n}.example" for n in range(MIN_SILENT_HOSTS)]
    assert is_offline_after(*((host, silent) for host in hosts))
    assert not is_offline_after(*((host, silent) for host in hosts[1:]))
    assert not is_offline_after(*(("one.example", silent) for _ in range(9)))


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
    silent = [(f"{name}.example", SILENT) for name in "abd"]
    answered = ("c.example", answer)
    assert not is_offline_after(*silent[:2], answered)
    assert not is_offline_after(*silent[:2], answered, silent[2])


def test_case_41_sources_are_charged_again_as_soon_as_somebody_answers() -> None:
    """The third silent host is not charged, nor is any after it, until one answers."""
    detector = OfflineDetector(plan_next_check)

    def failures_of(number: int, **result: object) -> float:
        url = f"https://{number}.example/feed"
        source = make_source("a", url=url)
        state = make_source_state("a", name="A", url=url, failures=1.0)
        visited = VisitResult(**({"poll": SILENT, "trouble": "soft"} | result))
        poll = detector.plan_next_check(source, state, visited, found=0, fresh=0)
        return poll.failures

    assert [failures_of(number) for number in range(4)] == [1.5, 1.5, 1.0, 1.0]
    answer = replace(SILENT, status="ok", error=None)
    assert failures_of(4, poll=answer, trouble=None) == 0.0
    assert failures_of(5) == 1.5
