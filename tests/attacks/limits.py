"""What every attack must stay within, and where the attack files are."""

import os
from pathlib import Path

MOST_SECONDS = 15.0
MOST_MEGABYTES = 300
LONG = os.environ.get("KHABAR_LONG") == "1"


def attack_files() -> list[str]:
    """Every attack file by its path, whatever was added since.

    One empty name where there is no shared folder.
    """
    folder = (
        Path(os.environ.get("KHABAR_SHARED", Path(__file__).parents[3] / "shared"))
        / "attacks"
    )
    found = (
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".py"
    )
    return sorted(str(path) for path in found) or [""]


def slowness() -> float:
    """By how much this machine is busier than it has cores.

    Limits in seconds stretch with it.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
