"""What a process and its descendants take: memory, processor time, files, threads.

Read from /proc.
"""

import os
from pathlib import Path


def processes(pid: int) -> list[int]:
    """A process and its descendants."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        try:
            # Each thread has children of its own: workers are forked from a thread of
            # the pool.
            children = [
                path.read_text()
                for path in Path(f"/proc/{one}/task").glob("*/children")
            ]
        except OSError:
            continue
        found.append(one)
        waiting += [int(child) for of in children for child in of.split()]
    return found


def pss(pid: int) -> int:
    """Bytes of proportional set size of all of them."""
    total = 0
    for one in processes(pid):
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(
            int(line.split()[1]) * 1024
            for line in rollup.splitlines()
            if line.startswith("Pss:")
        )
    return total


def cpu_seconds(pid: int) -> float:
    """Processor time of all of them."""
    ticks = 0
    for one in processes(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """Open files of the process itself."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """Threads of the process itself."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
