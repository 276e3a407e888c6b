"""What each host wishes: its delay, and until when it asked to be left alone."""

import email.utils
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.model import utc_now

# A Retry-After beyond this is not believed (rules, case 36).
MAX_WAIT = timedelta(hours=24)
# A 429 without Retry-After, doubled each time (case 34)
DEFAULT_WAIT = timedelta(minutes=10)
# On top, so that waiting requests do not come back as one
MAX_JITTER_SECONDS = 60.0
MAX_HOSTS = 20_000


@dataclass(slots=True)
class HostWishes:
    """What is known of one host."""

    delay: float | None = None  # seconds that its robots.txt asks for
    held_until: datetime | None = None
    refusals: int = 0  # 429s in a row


class Hosts:
    """The wishes of every host that was asked lately."""

    def __init__(self) -> None:
        # Called with every new hold
        self.on_hold: Callable[[str, datetime], None] = lambda *_: None
        self._hosts: OrderedDict[str, HostWishes] = OrderedDict()

    def _wishes(self, host: str) -> HostWishes:
        wishes = self._hosts.setdefault(host, HostWishes())
        self._hosts.move_to_end(host)
        if len(self._hosts) > MAX_HOSTS:
            self._hosts.popitem(last=False)
        return wishes

    def delay(self, host: str) -> float | None:
        """Seconds that the host's robots.txt asks for, or None."""
        return self._wishes(host).delay

    def set_delay(self, host: str, delay: float | None) -> None:
        """Note what the host's robots.txt asks for."""
        self._wishes(host).delay = delay

    def held_until(self, host: str) -> datetime | None:
        """Until when the host is left alone; None when it may be asked."""
        wishes = self._wishes(host)
        if wishes.held_until is not None and wishes.held_until <= utc_now():
            wishes.held_until = None
        return wishes.held_until

    def hold(self, host: str, retry_after: str, now: datetime) -> datetime:
        """Leave the host alone for as long as it asked.

        Where it did not say, it is for longer each time.
        """
        wishes = self._wishes(host)
        wait = parse_retry_after(retry_after, now)
        if wait is None:
            # 2 ** 8 is past the longest wait, and keeps the product finite.
            wait = min(DEFAULT_WAIT * 2 ** min(wishes.refusals, 8), MAX_WAIT)
            wishes.refusals += 1
        jitter = min(MAX_JITTER_SECONDS, wait.total_seconds() / 10)
        until = now + wait + timedelta(seconds=random.uniform(0, jitter))  # noqa: S311 - spreads load
        wishes.held_until = max(until, wishes.held_until or until)
        self.on_hold(host, wishes.held_until)
        return wishes.held_until

    def note_answer(self, host: str) -> None:
        """The host answered as hosts do: what it refused before counts no more."""
        self._wishes(host).refusals = 0

    def hold_all(self, waits: Mapping[str, datetime]) -> None:
        """Take over what an earlier process was asked for."""
        for host, until in waits.items():
            self._wishes(host).held_until = until

    def release(self, host: str) -> None:
        """Ask a host again although it asked to wait (`--force`)."""
        self._wishes(host).held_until = None


def parse_retry_after(retry_after: str, now: datetime) -> timedelta | None:
    """The time that a Retry-After asks for, between nothing and 24 hours.

    None where it is junk or missing.
    """
    text = retry_after.strip()[:60]
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text), 10**8)), MAX_WAIT)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        return min(max(at - now, timedelta(0)), MAX_WAIT)
    except OverflowError:
        return None
