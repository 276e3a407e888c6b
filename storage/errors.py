"""The faults of khabar. A rejection is a value, never one of these.

KhabarError
├── ConfigError        exit 2
├── UsageError         exit 2
├── StoreError         exit 3
│   ├── StoreMissing
│   ├── StoreUnusable
│   ├── StoreTooNew
│   └── StoreFull
├── StoreBusy          exit 75
└── WorkFailed         exit 1
    └── TookTooLong

The docstring of an error is its message when none is given; each says what to do.
"""

from typing import ClassVar


class KhabarError(Exception):
    """Something went wrong in khabar; run again with -v to see where."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "") -> None:
        # A message is one line, however its docstring is wrapped.
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class ConfigError(KhabarError):
    """The configuration cannot be used.

    Run `khabar config check` to see every fault.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str = "", *, faults: tuple[str, ...] = ()) -> None:
        self.faults = faults
        super().__init__(message or "\n".join(faults))


class UsageError(KhabarError):
    """The command's words are wrong; see its --help."""

    exit_code: ClassVar[int] = 2


class StoreError(KhabarError):
    """The database file cannot be used; run `khabar doctor`."""

    exit_code: ClassVar[int] = 3


class StoreMissing(StoreError):
    """There is no database yet; run `khabar crawl` or `khabar demo` first."""


class StoreUnusable(StoreError):
    """The database file is damaged or cannot be read.

    Restore a backup, or run `khabar doctor`.
    """


class StoreTooNew(StoreError):
    """The database was written by a newer khabar; upgrade this one."""


class StoreFull(StoreError):
    """There is no room left on the disk; free some space, it goes on by itself."""


class StoreBusy(KhabarError):
    """Another khabar process writes to this database.

    Stop it, or let it do the work.
    """

    exit_code: ClassVar[int] = 75


class WorkFailed(KhabarError):
    """The work was not done; the lines above say why."""


class TookTooLong(WorkFailed):
    """It took too long.

    Narrow it down (a shorter time, one more word, a longer prefix) or give it more
    time.
    """
