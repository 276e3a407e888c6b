"""How long a command takes to begin: against a bare interpreter, in the same run.

    python tests/bench/startup.py [--times 7]

Prints the median of each command, and the ratio of its CPU to that of `python -c pass`:
`khabar --help` (to reach: .15 s), `khabar search` on a warm file (.35 s), `khabar run`
to the first request that reaches its only source (2 s). Wall clock holds for an idle
machine only; CPU and its ratio are what to compare.
"""

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
KHABAR = [sys.executable, "-m", "scheduler.cli"]
HERE = "127.0.0.1"


def spent(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds from start to end, and of CPU."""
    began, before = time.perf_counter(), children_cpu()
    subprocess.run(
        command, cwd=folder, env=environment(), check=True, capture_output=True
    )
    return time.perf_counter() - began, children_cpu() - before


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def own_cpu(pid: int) -> float:
    """CPU seconds of a running process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def first_request(
    folder: Path, config: Path, asked: threading.Event
) -> tuple[float, float]:
    """Seconds from the service's start to the first request that it makes, and of CPU of its main process."""
    asked.clear()
    began = time.perf_counter()
    service = subprocess.Popen(
        [*KHABAR, "run", "--config", str(config), "--db", str(folder / f"{began}.db")], cwd=folder, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        if not asked.wait(60):
            raise SystemExit("the service asked for nothing within a minute")
        return time.perf_counter() - began, own_cpu(service.pid)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(30)


def stocked(path: Path) -> None:
    """A file of 1,000 invented articles."""
    from storage.model import Document, Landing, utc_now
    from storage.store import Store

    now = utc_now()
    with Store.open(path) as store:
        for batch in range(0, 1_000, 100):
            store.landings.land(
                Landing(
                    outcome=Document(
                        url=f"https://outlet.example/{n}", source="outlet", title=f"Report {n}", published_at=now,
                        text=f"Report {n} of an invented outlet tells of {n} lorries on the road to Panjwai. " + f"w{n} " * 80,
                    ),
                    url=f"https://outlet.example/{n}", source="outlet",
                )
                for n in range(batch, batch + 100)
            )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    asked = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((HERE, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "config.toml"
        config.write_text(
            f'[store]\npath = "khabar.db"\n[crawl]\nallow_addresses = ["127.0.0.0/8"]\n'
            f'[[sources]]\nid = "one"\nfeed = "http://{HERE}:{server.server_address[1]}/feed"\n'
        )
        stocked(folder / "khabar.db")
        bare = [sys.executable, "-c", "pass"]
        runs = {
            "python -c pass": lambda: spent(bare, folder),
            "khabar --help": lambda: spent([*KHABAR, "--help"], folder),
            "khabar search Panjwai": lambda: spent(
                [*KHABAR, "search", "Panjwai", "--config", str(config)], folder
            ),
            "khabar run, first request": lambda: first_request(folder, config, asked),
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(times):  # in turns, so that a busy moment falls on all of them
            for command, measure in runs.items():
                taken[command].append(measure())
    server.shutdown()
    bare_cpu = statistics.median(cpu for _, cpu in taken["python -c pass"])
    for command, figures in taken.items():
        wall, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
        print(
            f"{command:28} {wall:6.3f} s, of CPU {cpu:5.3f} s, {cpu / bare_cpu:5.1f} x a bare interpreter's"
        )


if __name__ == "__main__":
    main()
