"""The tables that ship with the program, read from their package. One reader for all.

Nothing is cached here: callers compile the rows into what they match with, and keep
that.
"""

import csv
from importlib import resources


def read_text(package: str, name: str) -> str:
    """The text of a file of a package; `name` is its path in there."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def read_csv(package: str, name: str) -> list[dict[str, str]]:
    """The rows of a table of a package, each keyed by the names in its first line."""
    return list(csv.DictReader(read_text(package, name).splitlines()))
