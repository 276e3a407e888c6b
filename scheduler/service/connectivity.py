"""Whether the whole machine is offline, so that no source is charged for it."""

from collections import deque
from dataclasses import replace

from crawler.sources import Source
from crawler.visits.visit_result import PollPlanner, VisitResult
from scheduler.service.poll_schedule import FailureKind
from storage import identity
from storage.model import Poll, SourceState

# Errors that a missing network makes. A status, a bad certificate and a broken feed
# show that somebody answered.
NETWORK_ERRORS = ("dns", "timeout", "connection")
# Different hosts in a row that must be silent before the machine is to blame.
MIN_SILENT_HOSTS = 3


class OfflineDetector:
    """Plans polls with `plan`, which is told when the machine is offline.

    Remembers only how the last visits went; otherwise as pure as `plan`.
    """

    def __init__(self, plan: PollPlanner) -> None:
        self._plan = plan
        self._silent_hosts: deque[str] = deque(maxlen=MIN_SILENT_HOSTS)

    @property
    def is_offline(self) -> bool:
        """Whether several hosts in a row, and nobody since, gave no sign of life."""
        return len(self._silent_hosts) == MIN_SILENT_HOSTS

    def record_visit(self, host: str, poll: Poll) -> None:
        """Remember whether a host answered."""
        error = poll.error or ""
        answered = poll.status != "error" or poll.http_status is not None
        if answered or not error.startswith(NETWORK_ERRORS):
            self._silent_hosts.clear()
        elif host not in self._silent_hosts:
            self._silent_hosts.append(host)

    def plan_next_check(
        self,
        source: Source,
        state: SourceState,
        visited: VisitResult,
        *,
        found: int,
        fresh: int,
    ) -> Poll:
        """A visit's poll with its next check; see `PollPlanner`."""
        self.record_visit(identity.url_host(source.url), visited.poll)
        if visited.trouble is not None and self.is_offline:
            visited = replace(visited, trouble=FailureKind.OFFLINE)
        return self._plan(source, state, visited, found=found, fresh=fresh)
