"""kill -9 at random moments of crawls of a web with known contents (C1, C2).

Nothing lost, twice or torn.

    python tests/crash/kill.py [--kills 200] [--feeds 40] [--articles 25] [--seed 1]

Each service is killed a moment after it began to write, or at any moment of its start.
After each kill the file and its WAL are copied and checked: integrity, foreign keys,
full text, sums of the polls, and that no validator is ahead of what its feed showed.
When a web is read whole, the next begins. Each start after a kill is timed: seconds to
its first request and to its first new article, and what processor time it had used by
then (on a busy machine the fairer figure). Exit 1 when anything was wrong.
"""

import argparse
import os
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))

from harness import Service, Web, copied, faults, lost

FIRST_REQUEST = 3.0  # seconds (protocol C2)
FIRST_ARTICLE = 5.0


@dataclass(slots=True)
class Tally:
    """What the kills did."""

    kills: int = 0
    while_writing: int = 0  # kills of a service that had already stored something
    webs: int = 0  # read whole, in spite of all
    lost: int = 0
    repeated: int = 0  # pages that were fetched more than once
    faults: list[str] = field(default_factory=list)
    # Seconds from the start of a process
    first_request: list[float] = field(default_factory=list)
    # Seconds of processor time that it had used by then
    request_cpu: list[float] = field(default_factory=list)
    first_article: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        def median(times: list[float], within: float) -> str:
            if not times:
                return "none"
            middle, worst, good = (
                statistics.median(times),
                max(times),
                sum(one <= within for one in times),
            )
            return f"median {middle:.1f} s, worst {worst:.1f} s; {good} of {len(times)} within {within:.0f} s"

        return (
            f"{self.kills} kills, {self.while_writing} of them on a service that had written; {self.webs} webs read whole: "
            f"{self.lost} lost, {len(self.faults)} faults; {self.repeated} pages fetched again\n"
            f"start after a kill to first request: {median(self.first_request, FIRST_REQUEST)}; processor time until then: "
            f"{median(self.request_cpu, FIRST_REQUEST)}\n"
            f"start after a kill to first new article: {median(self.first_article, FIRST_ARTICLE)}"
        )


def one_web(
    tally: Tally, folder: Path, web: Web, dice: random.Random, most: int
) -> None:
    """Kill until the web is read whole or there were enough kills.

    Then let it finish.
    """
    service = Service(folder, web)
    total = web.feeds * web.articles
    while tally.kills < most and not service.is_done(total):
        _one_kill(tally, service, dice)
    service.start()
    service.until(lambda: service.is_done(total), within=300)
    service.stop()
    with copied(service.db) as db:
        tally.faults += faults(db, web.feeds, web.articles)
        tally.lost += lost(db, web.feeds, web.articles)
    asked = web.control(asked=1)["asked"]
    tally.repeated += sum(len(seen) - 1 for url, seen in asked.items() if "/a/" in url)
    tally.webs += 1


def _one_kill(tally: Tally, service: Service, dice: random.Random) -> None:
    web, total = service.web, service.web.feeds * service.web.articles
    before = service.kept
    asked = web.control()["requests"]
    began, end = time.time(), time.monotonic() + 60
    service.start()
    early = dice.random() < 0.2
    if early:
        time.sleep(dice.uniform(0, 3))
    else:
        while (
            service.runs
            and web.control()["requests"] == asked
            and time.monotonic() < end
        ):
            time.sleep(0.02)
        tally.request_cpu.append(_processor_time(service))
        while service.runs and service.kept <= before and time.monotonic() < end:
            time.sleep(0.02)
        tally.first_article.append(time.time() - began)
        time.sleep(dice.uniform(0, 0.5))
    assert service.runs, service.log[-3000:]
    wrote = service.kept > before
    service.kill()
    seen = web.control(asked=1)["asked"]
    times = [at for of in seen.values() for at, _ in of if at >= began]
    if times and sum(map(len, seen.values())) > asked and not early:
        tally.first_request.append(min(times) - began)
    tally.kills += 1
    tally.while_writing += wrote
    with copied(service.db) as db:
        tally.faults += [
            f"kill {tally.kills}: {fault}"
            for fault in faults(db, web.feeds, web.articles)
        ]
    print(
        f"kill {tally.kills}: {service.kept} of {total} kept, {len(tally.faults)} faults",
        file=sys.stderr,
        flush=True,
    )


def _processor_time(service: Service) -> float:
    """Seconds of processor time that the service's own process has used."""
    assert service.process is not None
    fields = (
        Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    )
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(kills: int, *, feeds: int, articles: int, seed: int) -> Tally:
    """So many kills, on as many webs as it takes."""
    tally, dice = Tally(), random.Random(seed)
    while tally.kills < kills:
        with TemporaryDirectory() as folder, Web(feeds=feeds, articles=articles) as web:
            one_web(tally, Path(folder), web, dice, kills)
    return tally


def main() -> None:
    """The long form."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--feeds", type=int, default=40)
    options.add_argument("--articles", type=int, default=25)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    tally = run(
        chosen.kills, feeds=chosen.feeds, articles=chosen.articles, seed=chosen.seed
    )
    print(tally)
    for fault in tally.faults:
        print(fault)
    sys.exit(1 if tally.faults or tally.lost else 0)


if __name__ == "__main__":
    main()
