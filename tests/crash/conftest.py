"""The web and the service that the crash tests kill, starve and lock out."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Service, Web


@pytest.fixture
def web() -> Iterator[Web]:
    """Six feeds with ten articles each."""
    with Web(feeds=6, articles=10) as served:
        yield served


@pytest.fixture
def serve(tmp_path: Path, web: Web) -> Iterator[Callable[..., Service]]:
    """Makes a service in a folder, and sees to it that none is left behind."""
    made: list[Service] = []

    def make(folder: Path | None = None, **options: str) -> Service:
        made.append(Service(folder or tmp_path, web, **options))
        return made[-1]

    yield make
    for one in made:
        if one.runs:
            one.kill()
