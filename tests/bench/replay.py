"""The whole way on the replayed web.

Pages a second against the afternoon pipeline, in the same run.

    python tests/bench/replay.py [--no-naive] [--plain] [--keep FOLDER] [--limit FEEDS]
    [--profile FILE]

Prints pages/s of both and their ratio, by the clock and by CPU (on a busy machine only
the latter says something), the share of the CPU that is not extraction, the memory of
all our processes (proportional set size), how the crawl behaved towards the hosts (from
the replay server's log), what a second, forced pass costs, and how good the texts are.
Takes about three minutes on two idle cores. Needs the shared folder (`KHABAR_SHARED`,
or `shared` beside the project).

`--plain` puts trafilatura as naive.py calls it in the place of our extraction and
measures speed only: what everything else costs on top of that. `--profile` leaves a
profile of the main process (cProfile, which slows it).

The CPU is that of all our processes from start to end, imports included. Extraction is
what makes a document of a page or an entry, in the workers (`desk.py` has the
stopwatch); not extraction is all the rest: start, fetching, robots.txt, feeds,
scheduling, handing pages to workers, mentions, relevance, copies, captures, the store.
"""

import argparse
import cProfile
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SHARED = Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared"))
REPLAY = SHARED / "replay"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT = int(os.environ.get("REPLAY_PORT", "0")) or free_port()
PROXY = f"http://127.0.0.1:{PORT}"


def sources(limit: int):
    """The dev seeds over plain http, each address once; 0 takes all."""
    from crawler.sources import Source

    seeds = json.loads((REPLAY / "seeds-dev.json").read_text())["seeds"]["dev"][
        : limit or None
    ]
    urls = dict.fromkeys(url.replace("https://", "http://", 1) for url in seeds)
    return [Source(id=f"s{n:04}", kind="feed", url=url) for n, url in enumerate(urls)]


def one_pass(
    path: Path, captures: Path, *, force: bool, limit: int, profile: Path | None
) -> None:
    """One crawl in a process of its own; prints its figures as JSON."""
    from crawler import page_task, passes
    from crawler.fetching import loop
    from crawler.sources import CrawlSettings
    from crawler.workers import Task
    from storage.store import Store

    page_task.PROCESS_PAGE = Task("desk", "read")

    settings = CrawlSettings(
        delay=0, proxy=PROXY, min_relevance=0, max_age=timedelta(days=36_500)
    )
    began, own = time.perf_counter(), time.process_time()
    watch = cProfile.Profile(time.process_time)
    with Store.open(path, captures=captures) as store:
        if profile is not None:
            watch.enable()
        report = loop.run(passes.crawl(store, sources(limit), settings, force=force))
        if profile is not None:
            watch.disable()
            watch.dump_stats(profile)
        counts = {
            name: report.total(name)
            for name in (
                "found",
                "known",
                "new",
                "revised",
                "copies",
                "rejected",
                "irrelevant",
                "refused",
                "failed",
                "postponed",
            )
        }
    seconds = time.perf_counter() - began
    own = time.process_time() - own
    errors = Counter(
        (one.error or "").partition(":")[0]
        for one in report.sources.values()
        if one.error
    )
    reasons = sum((one.reasons for one in report.sources.values()), Counter())
    print(
        json.dumps(
            {
                "seconds": seconds,
                "main_cpu": own,
                "tree_cpu": cpu(os.getpid()),
                "requests": report.requests,
                "errors": errors,
                "reasons": reasons,
                **counts,
            }
        )
    )


@contextmanager
def server(log: Path) -> Iterator[None]:
    """The replay server, from ready to stopped."""
    command = [
        sys.executable,
        "replayd.py",
        "dev.warc.gz",
        "--port",
        str(PORT),
        "--log",
        str(log),
        "--no-crawl-delay",
    ]
    process = subprocess.Popen(command, cwd=REPLAY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        build_opener(ProxyHandler({"http": PROXY})).open(
            "http://replay.admin/stats"
        ).read()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def memory(pid: int) -> float:
    """Proportional set size of a process tree in MB."""
    total = 0
    for one in tree(pid):
        try:
            total += int(
                re.search(
                    r"^Pss:\s+(\d+)",
                    Path(f"/proc/{one}/smaps_rollup").read_text(),
                    re.MULTILINE,
                )[1]
            )
        except (OSError, TypeError):
            continue
    return total / 1024


def cpu(pid: int) -> float:
    """CPU seconds of a process tree, those of its ended members included."""
    total = 0
    for one in tree(pid):
        try:
            total += sum(
                map(
                    int,
                    Path(f"/proc/{one}/stat")
                    .read_text()
                    .rpartition(")")[2]
                    .split()[11:15],
                )
            )
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


def crawl(
    path: Path,
    captures: Path,
    *,
    force: bool,
    limit: int,
    plain: bool = False,
    profile: Path | None = None,
) -> dict:
    """Our crawl as a child, watched."""
    desk = path.with_name(f"desk-{'second' if force else 'first'}")
    command = [
        sys.executable,
        __file__,
        "--crawl",
        str(path),
        str(captures),
        "--limit",
        str(limit),
        *(["--force"] if force else []),
        *(["--profile", str(profile)] if profile else []),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "REPLAY_PORT": str(PORT),
        "KHABAR_DESK": str(desk),
    }
    environment["KHABAR_PLAIN"] = "1" if plain else "0"
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    )
    peak = 0.0
    while child.poll() is None:
        peak = max(peak, memory(child.pid))
        time.sleep(0.5)
    assert child.stdout is not None
    lines = child.stdout.read().strip().splitlines()
    if child.returncode or not lines:
        raise SystemExit(f"the crawl ended with {child.returncode}")
    tasks = (
        [tuple(map(float, line.split())) for line in desk.read_text().splitlines()]
        if desk.exists()
        else []
    )
    return json.loads(lines[-1]) | {
        "peak_mb": round(peak),
        "extraction_cpu": sum(extraction for extraction, _ in tasks),
        "tasks_cpu": sum(whole for _, whole in tasks),
        "tasks": len(tasks),
    }


def naive(folder: Path, limit: int) -> dict:
    """The afternoon pipeline."""
    command = [
        sys.executable,
        "naive.py",
        "seeds-dev.json",
        "dev",
        str(folder / "naive.db"),
        "--proxy",
        PROXY,
        "--limit",
        str(limit),
    ]
    done = subprocess.run(
        command, cwd=REPLAY, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def pages_in(log: Path, limit: int) -> int:
    """Pages that were served, as the server's log has it: what naive counts."""
    feeds = {source.url.split("://")[1].rstrip("/") for source in sources(limit)}
    asked = (json.loads(line) for line in log.open())
    urls = (one["u"].split("://")[1] for one in asked if one["st"] == 200)
    return sum(
        not url.endswith("/robots.txt") and url.rstrip("/") not in feeds for url in urls
    )


def score(path: Path, log: Path) -> dict:
    """The shared scorer's figures."""
    command = [
        sys.executable,
        "replay.py",
        str(path),
        str(REPLAY / "expected-dev.jsonl"),
        str(log),
        "--json",
    ]
    done = subprocess.run(
        command, cwd=SHARED / "score", capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def run(folder: Path, args: argparse.Namespace) -> None:
    """Everything, printed as it is known."""
    baseline = None
    if not args.no_naive:
        with server(folder / "naive.jsonl"):
            baseline = naive(folder, args.limit)
        print(
            f"naive: {baseline['pages']} pages in {baseline['wall_s']} s = {baseline['pages_per_s']} pages/s, "
            f"{1000 * baseline['cpu_s'] / baseline['pages']:.1f} ms of CPU each, {baseline['rss_mb']} MB"
        )
    path, captures = folder / "khabar.db", folder / "captures"
    with server(folder / "first.jsonl"):
        first = crawl(
            path,
            captures,
            force=False,
            limit=args.limit,
            plain=args.plain,
            profile=args.profile,
        )
    tell_speed(
        first, pages_in(folder / "first.jsonl", args.limit), baseline, plain=args.plain
    )
    if args.plain:
        return
    with server(folder / "second.jsonl"):
        second = crawl(path, captures, force=True, limit=args.limit)
    print(
        f"second pass: {second['seconds']:.1f} s = {second['seconds'] / first['seconds']:.0%} of the first (to reach: < 20%), new {second['new']}"
    )
    print("second pass:", json.dumps(second))
    figures = score(path, folder / "first.jsonl")
    print("conduct:", json.dumps(figures["conduct"]))
    print(
        "conduct of the second pass:",
        json.dumps(score(path, folder / "second.jsonl")["conduct"]),
    )
    for question, held in figures["content"].items():
        print(
            f"  {question}: {held if isinstance(held, int) else '{share:.1%} of {of}'.format(**held)}"
        )


def tell_speed(first: dict, pages: int, baseline: dict | None, *, plain: bool) -> None:
    """What the first pass cost, alone and against naive."""
    pace = pages / first["seconds"]
    print(
        f"khabar{' with plain extraction' if plain else ''}: {pages} pages in {first['seconds']:.1f} s = {pace:.1f} pages/s, "
        f"{first['peak_mb']} MB for all processes; main process {first['main_cpu'] / first['seconds']:.0%} of a core"
    )
    whole, extraction = first["tree_cpu"], first["extraction_cpu"]
    parts = {
        "extraction": extraction,
        "mentions, relevance, fingerprints of the text": first["tasks_cpu"]
        - extraction,
        "main process": first["main_cpu"],
        "start, feeds, pipes": whole - first["tasks_cpu"] - first["main_cpu"],
    }
    split = "; ".join(
        f"{name} {1000 * cost / pages:.1f}" for name, cost in parts.items()
    )
    print(f"ms of CPU a page: {1000 * whole / pages:.1f} = {split}")
    print(
        f"not extraction: {(whole - extraction) / whole:.1%} of the CPU (to reach: 30%)"
    )
    if baseline:
        print(
            f"ratio by the clock: {pace / baseline['pages_per_s']:.2f} (to reach: {'1.75' if plain else '1.40'})"
        )
        theirs = baseline["cpu_s"] / baseline["pages"]
        print(
            f"ratio by CPU, our two cores busy against its one: {2 * theirs / (whole / pages):.2f} "
            f"(naive {1000 * theirs:.1f} ms of CPU a page, ours {1000 * whole / pages:.1f})"
        )
    print("first pass:", json.dumps(first))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--no-naive", action="store_true")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="only so many feeds")
    parser.add_argument("--crawl", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--force", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.crawl:
        one_pass(*args.crawl, force=args.force, limit=args.limit, profile=args.profile)
    elif not REPLAY.is_dir():
        raise SystemExit("the shared folder is not here (set KHABAR_SHARED)")
    elif args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        run(args.keep, args)
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder), args)


if __name__ == "__main__":
    main()
