"""What reading a page costs.

Khabar's extraction against trafilatura's, the same pages, one process each, side by
side.

Usage: python tests/bench/extraction.py [SHARED] [--pages N]

Prints CPU milliseconds a page, their ratio, the 99th percentile and slowest page, and
pages a second on two processes against one. Both processes run at the same time, so
that a busy machine slows both.
"""

import argparse
import itertools
import json
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from crawler.extraction import extract  # noqa: E402
from crawler.files import saved  # noqa: E402
from storage.model import Page  # noqa: E402

SETS = ("aeb", "fundeval", "fundus", "wcxb", "trafeval", "readability")


def pages(shared: Path, most: int) -> list[Page]:
    """The pages of the labelled sets, at most so many of each."""
    files = [
        shared / "corpora" / "extraction" / name / "pages.warc.gz" for name in SETS
    ]
    return [
        one.page
        for file in files
        for one in itertools.islice(saved.read_pages(file, print), most)
    ]


def ours(page: Page) -> None:
    extract.extract(page, now=page.fetched_at)


def theirs(page: Page) -> None:
    import trafilatura

    logging.disable(logging.CRITICAL)
    trafilatura.bare_extraction(
        page.body, url=page.url, include_comments=False, with_metadata=True
    )


def spend(read: Callable[[Page], None], work: list[Page]) -> list[float]:
    """CPU seconds of each page.

    The first pages are read once before, so that both have their tables loaded.
    """
    for page in work[:5]:
        read(page)
    out = []
    for page in work:
        start = time.process_time()
        read(page)
        out.append(time.process_time() - start)
    return out


def rate(work: list[Page], processes: int) -> float:
    """Pages a second of wall time with so many processes.

    The pages are inherited, and loading them does not count.
    """
    with multiprocessing.get_context("fork").Pool(
        processes, initializer=ours, initargs=(work[0],)
    ) as pool:
        pool.map(ours, work[:processes], chunksize=1)
        start = time.perf_counter()
        for _ in pool.imap_unordered(_nth, range(len(work)), chunksize=4):
            pass
        return len(work) / (time.perf_counter() - start)


WORK: list[Page] = []


def _nth(number: int) -> None:
    ours(WORK[number])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "shared",
        type=Path,
        nargs="?",
        default=os.environ.get("KHABAR_SHARED", ROOT.parent / "shared"),
    )
    parser.add_argument(
        "--pages", type=int, default=10_000, help="at most so many pages of each set"
    )
    args = parser.parse_args()
    WORK.extend(pages(args.shared, args.pages))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        jobs = [pool.apply_async(spend, (read, WORK)) for read in (ours, theirs)]
        own, other = (sorted(job.get()) for job in jobs)
    one, two = rate(WORK, 1), rate(WORK, 2)
    figures = {
        "pages": len(WORK),
        "ours_ms": round(1000 * sum(own) / len(own), 1),
        "trafilatura_ms": round(1000 * sum(other) / len(other), 1),
        "ratio": round(sum(own) / sum(other), 3),
        "p99_s": round(own[int(0.99 * len(own))], 3),
        "slowest_s": round(own[-1], 3),
        "trafilatura_p99_s": round(other[int(0.99 * len(other))], 3),
        "pages_per_s_one": round(one, 1),
        "pages_per_s_two": round(two, 1),
        "scaling": round(two / one, 2),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
