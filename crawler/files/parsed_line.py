"""What one line of JSON brought.

A module that needs nothing, since the process that hands it on reads nothing.
"""

from dataclasses import dataclass

from storage.model import Landing


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedLine:
    """A landing, or none and the reason among the warnings."""

    number: int
    landing: Landing | None
    warnings: tuple[str, ...] = ()
