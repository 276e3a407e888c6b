"""Loaded by the server from which workers are forked, where it is to be refused forks.

The system itself refuses them to whoever has no memory left (EAGAIN, ENOMEM); here the
call does, so that the machine of the tests need not be filled.
"""

import errno
import os


def fork() -> int:
    """As `os.fork` where there is no memory for a process."""
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


os.fork = fork
