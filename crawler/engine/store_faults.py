"""Faults of the store while a crawl goes on.

They are the file's and not a page's or a source's: what could not be stored stays as
it was, and is done again when the file can be written.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from crawler.writer import STORE_FAULTS
from storage.errors import StoreBusy, StoreError

log = logging.getLogger(__name__)


class StoreFaults:
    """The first fault of the store that nobody has taken yet."""

    def __init__(self) -> None:
        self.first: StoreError | StoreBusy | None = None

    def note(self, error: StoreError | StoreBusy) -> None:
        """Note and log a fault.

        Only the first: with a full disk each of a hundred pages under way meets it.
        """
        if self.first is None:
            log.error("not stored: %s", error)
            self.first = error

    def take(self) -> StoreError | StoreBusy | None:
        """The fault, handed out once."""
        fault, self.first = self.first, None
        return fault

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note a fault of the store in the block instead of raising it."""
        try:
            yield
        except STORE_FAULTS as error:
            self.note(error)
