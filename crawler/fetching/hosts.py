"""What is known of each host's wishes.

Its delay, and until when it asked to be left alone.
"""

import email.utils
import random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.model import utc_now

# A Retry-After beyond this is not believed (rules, case 36)
MAX_WAIT = timedelta(hours=24)
# A 429 without Retry-After, doubled each time (case 34)
DEFAULT_WAIT = timedelta(minutes=10)
# Seconds on top, so that waiting requests do not come back as one
MAX_JITTER_SECONDS = 60.0
MAX_HOSTS = 20_000


@dataclass(slots=True)
class _Host:
    delay: float | None = None  # seconds that its robots.txt asks for
    held_until: datetime | None = None
    refusals: int = 0  # 429s in a row


class Hosts:
    """The wishes of every host that was asked lately."""

    def __init__(self) -> None:
        # Told of every new hold
        self.on_hold: Callable[[str, datetime], None] = lambda *_: None
        self._hosts: OrderedDict[str, _Host] = OrderedDict()

    def _of(self, host: str) -> _Host:
        known = self._hosts.setdefault(host, _Host())
        self._hosts.move_to_end(host)
        if len(self._hosts) > MAX_HOSTS:
            self._hosts.popitem(last=False)
        return known

    def delay(self, host: str) -> float | None:
        """Seconds that the host's robots.txt asks for, or None."""
        return self._of(host).delay

    def set_delay(self, host: str, delay: float | None) -> None:
        """Note what the host's robots.txt asks for."""
        self._of(host).delay = delay

    def held_until(self, host: str) -> datetime | None:
        """Until when the host is left alone; None when it may be asked."""
        known = self._of(host)
        if known.held_until is not None and known.held_until <= utc_now():
            known.held_until = None
        return known.held_until

    def hold(self, host: str, retry_after: str, now: datetime) -> datetime:
        """Leave the host alone for as long as it asked, or for longer each time where it did not say."""
        known = self._of(host)
        asked = parse_retry_after(retry_after, now)
        if asked is None:
            asked = min(DEFAULT_WAIT * 2 ** min(known.refusals, 8), MAX_WAIT)
            known.refusals += 1
        jitter = min(MAX_JITTER_SECONDS, asked.total_seconds() / 10)
        until = now + asked + timedelta(seconds=random.uniform(0, jitter))  # noqa: S311 - spreads load
        known.held_until = max(until, known.held_until or until)
        self.on_hold(host, known.held_until)
        return known.held_until

    def answered(self, host: str) -> None:
        """The host has answered as hosts do: what it refused before counts no more."""
        self._of(host).refusals = 0

    def hold_all(self, waits: Mapping[str, datetime]) -> None:
        """Take over what an earlier process was asked for."""
        for host, until in waits.items():
            self._of(host).held_until = until

    def release(self, host: str) -> None:
        """Ask a host again although it asked to wait (`--force`)."""
        self._of(host).held_until = None


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
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    try:
        return min(max(at - now, timedelta(0)), MAX_WAIT)
    except OverflowError:
        return None
