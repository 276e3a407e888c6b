"""What a backfill asks for, and what it takes of it. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from crawler.leads import wayback
from crawler.sources import Source
from storage.model import Lead

# Documents of one backfill: three years of days, and what they lead to
MAX_STEPS = 3_000
MAX_LEFT_OUT_TOLD = 5  # reasons in the result
# A day's last articles are dated the next day somewhere.
DATE_MARGIN = timedelta(days=1)
MIN_DATED_URLS = 5  # that must be dated the same way
_DATED = re.compile(
    r"^(.{0,300}?/)(20[012][0-9])([/-])(0?[1-9]|1[0-2])"
    r"(?:[/-](0?[1-9]|[12][0-9]|3[01]))?(?=[/-])"
)
_MONTH = re.compile(r"(20[012][0-9])[-_/]?(0[1-9]|1[0-2])(?![0-9])")


class BackfillStep(NamedTuple):
    """One document to ask for."""

    way: str  # sitemap, archive, wayback
    url: str  # of the Wayback index: the key at which it goes on
    depth: int = 1


@dataclass(slots=True)
class BackfillState:
    """How far a backfill came; kept in the file as JSON."""

    waiting: list[BackfillStep]
    asked: int = 0
    found: int = 0  # leads that were new
    left_out: Counter[str] = field(default_factory=Counter)  # and why
    seconds: float = 0.0  # that it took so far
    # Why it stopped before its end, where that was nobody's fault
    stopped: str = ""

    def to_json(self) -> dict[str, Any]:
        """The state as the file keeps it."""
        return {
            "waiting": self.waiting,
            "asked": self.asked,
            "found": self.found,
            "since": self.seconds,
            "left": dict(self.left_out),
            "done": not self.waiting,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "BackfillState":
        """The state that an earlier run left."""
        return cls(
            waiting=[BackfillStep(*step) for step in kept["waiting"]],
            asked=kept["asked"],
            found=kept["found"],
            left_out=Counter(kept["left"]),
            seconds=kept["since"],
        )


def reaches_back(
    source: Source, since: datetime | None, max_age: timedelta, now: datetime
) -> bool:
    """Whether a pass asks for more than a source's own visit shows."""
    if source.max_age is not None:
        max_age = source.max_age
    return since is not None and since < now - max_age


def learn_archive_pattern(urls: Iterable[str]) -> str | None:
    """The pattern of archive pages by which a source dates its articles, or None.

    `https://x.example/2021/06/05/name` makes
    `https://x.example/{year}/{month:02}/{day:02}/`.
    """
    patterns: Counter[str] = Counter()
    for url in urls:
        match = _DATED.match(url)
        if match is None:
            continue
        before, _, separator, month, day = match.groups()
        width = ""
        if len(month) == 2:
            width = ":02"
        parts = ["{year}", f"{{month{width}}}"]
        if day:
            parts.append(f"{{day{width}}}")
        patterns[f"{before}{separator.join(parts)}/"] += 1
    for pattern, count in patterns.most_common(1):
        if count >= MIN_DATED_URLS:
            return pattern
    return None


def archive_urls(pattern: str, since: datetime, until: datetime) -> Iterator[str]:
    """The archive pages of some days, each once."""
    day = since.date()
    last = ""
    while day <= until.date():
        url = pattern.replace("{year}", str(day.year))
        for name, value in (("month", day.month), ("day", day.day)):
            url = url.replace(f"{{{name}:02}}", f"{value:02}")
            url = url.replace(f"{{{name}}}", str(value))
        if url != last:
            yield url
        last = url
        day += timedelta(days=1)


def may_hold(
    url: str, changed_at: datetime | None, since: datetime, until: datetime
) -> bool:
    """Whether a sitemap may name pages of some days.

    By the month in its name, or by when it was last changed.
    """
    match = _MONTH.search(urlsplit(url).path)
    if match is not None:
        return f"{since:%Y%m}" <= match[1] + match[2] <= f"{until:%Y%m}"
    return changed_at is None or changed_at >= since


def select_leads(
    leads: Iterable[Lead], way: str, since: datetime, until: datetime
) -> tuple[list[Lead], Counter[str]]:
    """The leads of some days, marked as backfill; and why others were left out."""
    selected: list[Lead] = []
    left_out: Counter[str] = Counter()
    for lead in leads:
        at = lead.published_at
        if at is None and way == "sitemap":
            left_out["without a date in a sitemap"] += 1
            continue
        if at is not None and not since - DATE_MARGIN <= at <= until + DATE_MARGIN:
            left_out["of other days"] += 1
            continue
        # The guid of the index is the time of a capture; any other names no capture.
        guid: str | None = None
        if way == "wayback":
            guid = lead.guid
        selected.append(
            replace(lead, via=wayback.VIA_ARCHIVE, backfill=True, guid=guid)
        )
    return selected, left_out


def describe_progress(state: BackfillState, planned: int) -> str:
    """How far it is, and how long the rest takes at this pace."""
    rest = planned - state.asked
    minutes = state.seconds / max(state.asked, 1) * rest / 60
    time = "less than a minute left"
    if minutes >= 1:
        time = f"about {minutes:.0f} min left"
    asked = f"{state.asked} of {planned} documents"
    return f"looking back, {asked}, {state.found} pages found; {time}"


def describe_result(state: BackfillState) -> str:
    """What it came to."""
    asked = f"looked back over {state.asked} documents"
    if state.stopped:
        asked += f", stopped: {state.stopped}"
    elif state.waiting and state.asked >= MAX_STEPS:
        asked += f", stopped after {MAX_STEPS}"
    told = f"{asked}, {state.found} pages found"
    reasons = []
    for reason, count in state.left_out.most_common(MAX_LEFT_OUT_TOLD):
        if count:
            reasons.append(f"{count} {reason}")
    if reasons:
        told += f" ({'; '.join(reasons)})"
    return told
