"""Whether the whole machine is offline, so that no source is charged for it. Pure but for what it remembers."""

from collections import deque
from dataclasses import dataclass, field

from crawler.visits import Visited

# Errors that a missing network makes; a status, a bad certificate or a broken feed show that somebody answered.
SILENCES = ("dns", "timeout", "connection")
HOSTS = 3  # different hosts in a row that must be silent before the machine is to blame


@dataclass(slots=True)
class Weather:
    """What the last visits said of the network."""

    _silent: deque[str] = field(default_factory=lambda: deque(maxlen=HOSTS))

    def note(self, host: str, visited: Visited) -> None:
        """Remember how a visit to a host went."""
        poll = visited.poll
        if poll.status == "error" and poll.http_status is None and (poll.error or "").startswith(SILENCES):
            if host not in self._silent:
                self._silent.append(host)
        else:
            self._silent.clear()

    @property
    def offline(self) -> bool:
        """Whether several hosts in a row, and nobody since, gave no sign of life."""
        return len(self._silent) == HOSTS
