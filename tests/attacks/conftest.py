"""The shared attack files, found by walking, and a desk of real workers that hold still for being measured."""

import asyncio
import gzip
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crawler.workers import Done, Task, WorkerPool

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "fuzz")]

USAGE: Task[resource.struct_rusage] = Task("resource", "getrusage")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes an `attack` is run for each file."""
    from limits import attack_files

    if "attack" in metafunc.fixturenames:
        metafunc.parametrize("attack", attack_files(), indirect=True)


@pytest.fixture
def attack(shared: Path, request: pytest.FixtureRequest) -> bytes:
    """What one file serves: unpacked where it is only kept packed."""
    path = shared / "attacks" / request.param
    return (
        gzip.decompress(path.read_bytes())
        if path.name.endswith(".gz")
        else path.read_bytes()
    )


@pytest.fixture
def attacks(shared: Path) -> Path:
    """The folder."""
    return shared / "attacks"


@dataclass
class Desk:
    """One worker, asked from outside any loop."""

    runner: asyncio.Runner
    pool: WorkerPool = field(default_factory=lambda: WorkerPool(1))
    weight: float = 0.0  # MB that the worker had when it was warm

    def run(self, task, *args, **kwargs):
        """What a task returns; fails where the worker gave up."""
        return self.runner.run(self._run(task, *args, **kwargs))

    async def _run(self, task, *args, **kwargs):
        result = await self.pool.run(task, *args, **kwargs)
        assert isinstance(result, Done), result
        return result.value

    def megabytes(self) -> float:
        """The most memory that the worker ever had, beyond what it had when it was warm."""
        return self.run(USAGE, resource.RUSAGE_SELF).ru_maxrss / 1024 - self.weight


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        opened = Desk(runner)
        opened.weight = opened.megabytes()
        yield opened
        runner.run(opened.pool.close())
