"""Whether the whole machine is offline, so that no source is charged for it.

Pure but for what it remembers.
"""

from collections import deque
from dataclasses import dataclass, field

from crawler.visits.source_visit import VisitResult

# Errors that a missing network makes; a status, a bad certificate or a broken feed show
# that somebody answered.
NETWORK_ERRORS = ("dns", "timeout", "connection")
# Different hosts in a row that must be silent before the machine is to blame
SILENT_HOSTS = 3


@dataclass(slots=True)
class OfflineDetector:
    """What the last visits said of the network."""

    _silent: deque[str] = field(default_factory=lambda: deque(maxlen=SILENT_HOSTS))

    def note(self, host: str, visited: VisitResult) -> None:
        """Remember how a visit to a host went."""
        poll = visited.poll
        if (
            poll.status == "error"
            and poll.http_status is None
            and (poll.error or "").startswith(NETWORK_ERRORS)
        ):
            if host not in self._silent:
                self._silent.append(host)
        else:
            self._silent.clear()

    @property
    def is_offline(self) -> bool:
        """Whether several hosts in a row, and nobody since, gave no sign of life."""
        return len(self._silent) == SILENT_HOSTS
