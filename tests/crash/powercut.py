"""What a power cut would leave, at many moments of a crawl (C12, long form).

Whole, and no validator ahead.

    python tests/crash/powercut.py [--copies 500] [--feeds 40] [--articles 25] [--seed
    1]

The service is frozen at random moments while it writes; the database and its WAL are
copied as they rest on disk, once whole and once with the WAL cut at a random place
behind its last checkpoint, as if its end had not reached the disk. Each copy is opened
elsewhere and checked: integrity, foreign keys, full text, sums of the polls, no text in
part, and every entry of a feed with a validator known. When a web is read whole, the
next begins. Exit 1 when anything was wrong. Takes about five minutes.
"""

import argparse
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))

from harness import Service, Web, copied, faults, lost


@dataclass(slots=True)
class Tally:
    """What the copies showed."""

    copies: int = 0
    cut: int = 0  # of them, with a part of the WAL only
    articles: int = 0  # in all copies together
    webs: int = 0
    lost: int = 0  # articles that were not kept when the crawl had gone on to its end
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Take in another one's figures."""
        for name in ("copies", "cut", "articles", "webs", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults


def one_web(service: Service, dice: random.Random, most: int) -> Tally:
    """Copy a crawl at random moments from its first article on, then let it finish."""
    web, tally = service.web, Tally(webs=1)
    total = web.feeds * web.articles
    service.start()
    service.until(lambda: service.kept > 0)
    while tally.copies < most and not service.is_done(total):
        time.sleep(dice.uniform(0, 0.15))
        assert service.process is not None
        service.process.send_signal(signal.SIGSTOP)
        try:
            for share in (1.0, dice.random()):
                _check(service, share, tally)
        finally:
            service.process.send_signal(signal.SIGCONT)
    service.until(lambda: service.is_done(total), within=300)
    service.stop()
    with copied(service.db) as db:
        tally.lost += lost(db, web.feeds, web.articles)
    return tally


def _check(service: Service, share: float, tally: Tally) -> None:
    with copied(service.db, wal_share=share) as db:
        found = faults(db, service.web.feeds, service.web.articles)
        tally.articles += db.execute("SELECT count(*) FROM documents").fetchone()[0]
    tally.copies += 1
    tally.cut += share < 1
    tally.faults += [
        f"copy {tally.copies}, {share:.0%} of the WAL: {fault}" for fault in found
    ]


def main() -> None:
    """The long form."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--copies", type=int, default=500)
    options.add_argument("--feeds", type=int, default=40)
    options.add_argument("--articles", type=int, default=25)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    tally, dice = Tally(), random.Random(chosen.seed)
    while tally.copies < chosen.copies:
        with (
            TemporaryDirectory() as folder,
            Web(feeds=chosen.feeds, articles=chosen.articles) as web,
        ):
            web.control(delay=0.05)
            tally.add(
                one_web(Service(Path(folder), web), dice, chosen.copies - tally.copies)
            )
        print(
            f"{tally.copies} copies, {len(tally.faults)} faults",
            file=sys.stderr,
            flush=True,
        )
    print(
        f"{tally.copies} copies, {tally.cut} of them with the WAL cut, {tally.articles / tally.copies:.0f} articles in each "
        f"on average; {tally.webs} webs read whole: {len(tally.faults)} faults, {tally.lost} articles lost"
    )
    for fault in tally.faults:
        print(fault)
    sys.exit(1 if tally.faults or tally.lost else 0)


if __name__ == "__main__":
    main()
