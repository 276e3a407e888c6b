"""An idle service with 100 sources: memory of the whole tree and share of a core.

    python tests/bench/idle.py [--sources 100] [--seconds 60]

Every source is read once, the workers rest, and nothing is due: what is left is what an
operator pays for waiting.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "crash"), str(ROOT / "tests" / "bench")]

from harness import Service, Web  # noqa: E402 - its folder was named a line above
from tree import cpu_seconds, processes, pss  # noqa: E402


def main() -> None:
    """Measure and print; exit 1 when a figure is not reached."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sources", type=int, default=100)
    options.add_argument("--seconds", type=float, default=60)
    chosen = options.parse_args()
    with Web(feeds=chosen.sources, articles=3) as web, TemporaryDirectory() as folder:
        service = Service(Path(folder), web).start()
        service.until(lambda: service.is_done(3 * chosen.sources), within=300)
        assert service.process is not None
        pid = service.process.pid
        busy = pss(pid)
        end = time.monotonic() + 240  # workers rest after two minutes without a page
        while len(processes(pid)) > 1 and time.monotonic() < end:
            time.sleep(1)
        time.sleep(2)
        began, spent = time.monotonic(), cpu_seconds(pid)
        time.sleep(chosen.seconds)
        share = (cpu_seconds(pid) - spent) / (time.monotonic() - began)
        memory, left = pss(pid), processes(pid)
        service.stop()
    print(
        f"{chosen.sources} sources, nothing due: {memory / 1e6:.0f} MB PSS in {len(left)} processes, {share:.2%} of a core"
    )
    print(
        f"after reading {3 * chosen.sources} pages, workers included: {busy / 1e6:.0f} MB PSS"
    )
    sys.exit(0 if memory <= 150e6 and share <= 0.01 else 1)


if __name__ == "__main__":
    main()
