"""The tables that ship with the crawler, read from `crawler/data`. One reader for all."""

import csv
import tomllib
from importlib import resources
from typing import Any


def read_csv(name: str) -> list[dict[str, str]]:
    """The rows of `data/NAME`, each keyed by the names in the table's first line.

    Nothing is cached here: callers compile the rows into what they match with, and
    keep that.
    """
    return list(csv.DictReader(_read_text(name).splitlines()))


def read_toml(name: str) -> dict[str, Any]:
    """The contents of `data/NAME`, a TOML file."""
    return tomllib.loads(_read_text(name))


def _read_text(name: str) -> str:
    file = resources.files("crawler").joinpath("data", name)
    return file.read_text(encoding="utf-8")
