"""Where the store rests and how long it keeps raw pages.

The settings that this room wants from the configuration.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The file, the folder of WARC files beside it, and their limits."""

    path: Path = Path("khabar.db")
    captures: Path | None = Path("captures")  # None: no raw pages are kept
    keep_captures: timedelta = timedelta(days=3650)
    keep_rejected: timedelta = timedelta(days=30)
    max_size: int = 50_000_000_000  # bytes, captures and database together
