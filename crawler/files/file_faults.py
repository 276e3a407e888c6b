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
        text = self.file
        # The number of a line stands beside the file's name, as compilers write it.
        if isinstance(self.where, int):
            text += f":{self.where}"
        elif self.where:
            text += f": {self.where}"
        text += f": {self.what}"
        if self.detail:
            text += f" ({self.detail})"
        return text


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
            more = count - MAX_TOLD
            if more > 0 and not self._every:
                self._tell(f"{file}: {more:,} times more: {what} (-v tells each)")
        self._kinds.clear()
