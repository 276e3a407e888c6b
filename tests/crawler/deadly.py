"""A desk whose pages may kill it.

What is run in place of `intake.process_page_in_worker` and `feeds.parse_feed` by the tests of
the workers.

None of the real attacks ends a worker, so the end is asked for: a body with
`ACT:segfault` does in the worker what `ACTS` says of it, any other is read as always.
Production code knows nothing of it.
"""

import ctypes
import os
import re
import signal
import sys
import time

from crawler import intake
from crawler.leads import feeds

LOST = "lost"


class Unspeakable(Exception):
    """It travels to the main process, and cannot be made anew there."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


class Clinging:
    """What no process can hand to another."""

    def __reduce__(self):
        raise TypeError("this stays here")


def raise_unspeakable():
    raise Unspeakable("a", "b")


def spin_deaf():
    """A loop that a polite signal does not end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def recurse():
    recurse()


def hoard():
    """Memory that is really touched, a little at a time."""
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20)) * 16)


ACTS = {
    "exit": lambda: os._exit(3),
    "exit well": lambda: os._exit(0),
    "hang up": lambda: os.closerange(3, 1000),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "end": lambda: next(iter(())),
    "leave": lambda: sys.exit(0),
    "sleep": lambda: time.sleep(600),
    "loop in C": lambda: re.fullmatch("(a|aa)+", "a" * 60 + "b"),
    "deaf": spin_deaf,
    "at once": lambda: bytearray(8 << 30),
    "hoard": hoard,
    "recurse": recurse,
    "unspeakable": raise_unspeakable,
    "clinging": Clinging,
}


def act(body):
    """Do what a body asks for; nothing where it asks for nothing."""
    asked = re.search(rb"ACT:([a-zA-Z ]+?)[.!<]", body)
    return ACTS[asked[1].decode()]() if asked else None


def page(page, lead, **rest):
    """As `intake.process_page_in_worker`."""
    return act(page.body) or intake.process_page_in_worker(page, lead, **rest)


def feed(body, **rest):
    """As `feeds.parse_feed`."""
    return act(body) or feeds.parse_feed(body, **rest)
