"""The tables and rules that ship with the crawler, read from `crawler/data`."""

import tomllib
from typing import Any

from storage import data_files


def read_csv(name: str) -> list[dict[str, str]]:
    """The rows of `data/NAME`, each keyed by the names in the table's first line."""
    return data_files.read_csv("crawler", f"data/{name}")


def read_toml(name: str) -> dict[str, Any]:
    """The contents of `data/NAME`, a TOML file."""
    return tomllib.loads(data_files.read_text("crawler", f"data/{name}"))
