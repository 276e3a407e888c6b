"""What is wrong with parts of a file.

The first of each kind are told one by one, of the others their number.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

# Faults of a kind in one file that are told one by one; 101 attack files had 14,296
MAX_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFault:
    """One of them.

    `what` is the same for all of a kind and one of few; a file with none of them is
    named alone.
    """

    file: str
    what: str
    where: str | int = ""  # the number of a line, the address or id of a record
    detail: str = ""

    def __str__(self) -> str:
        place = (
            f"{self.file}:{self.where}" if isinstance(self.where, int) else self.file
        )
        where = f"{self.where}: " if self.where and isinstance(self.where, str) else ""
        return (
            f"{place}: {where}{self.what}{f' ({self.detail})' if self.detail else ''}"
        )


ReportFault = Callable[[FileFault], None]


class FaultDigest:
    """Counts every fault and tells what a person can read. With `every`, tells all."""

    def __init__(self, tell: Callable[[str], None], *, every: bool = False) -> None:
        self.total = 0
        self._tell = tell
        self._every = every
        self._kinds: Counter[tuple[str, str]] = Counter()

    def note(self, fault: FileFault) -> None:
        """One fault more."""
        self.total += 1
        kind = fault.file, fault.what
        self._kinds[kind] += 1
        if self._every or self._kinds[kind] <= MAX_TOLD:
            self._tell(str(fault))

    def end_file(self) -> None:
        """Say how many were not told one by one."""
        for (file, what), count in self._kinds.items():
            if count > MAX_TOLD and not self._every:
                self._tell(
                    f"{file}: {count - MAX_TOLD:,} times more: {what} (-v tells each)"
                )
        self._kinds.clear()
