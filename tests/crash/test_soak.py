"""The compressed day with faults, its short form.

Half a minute of the day, everything that can go wrong, then the sums.
"""

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[1] / "bench" / "soak.py"


def test_trouble_of_every_kind_costs_nothing(tmp_path):
    """Disk, file, network, servers and workers fail at random.

    In the end every item shown is one article, once.
    """
    command = [sys.executable, SOAK, "--faults", "--minutes", "0.5", "--feeds", "24"]
    with (tmp_path / "log").open("w+") as log:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=False,
            timeout=400,
        )
        log.seek(0)
        assert done.returncode == 0, done.stdout[-3000:] + log.read()[-3000:]
    assert "trouble: " in done.stdout
    assert "0 leads left" in done.stdout
