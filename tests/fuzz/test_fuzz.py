"""What the fuzzer found stays mended, and its targets hold for the seeds that it begins with."""

import pytest
import targets

import fuzz

FOUND = [(path.parent.name, path) for path in sorted(fuzz.FOUND.glob("*/*"))]


@pytest.mark.parametrize(
    ("target", "path"), FOUND, ids=[f"{target}-{path.name}" for target, path in FOUND]
)
def test_what_was_found_is_mended(target, path):
    """Each finding, made small and written in words of our own, breaks no promise any more."""
    targets.TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", sorted(targets.TARGETS))
def test_every_seed_keeps_every_promise(target):
    """The fuzzer begins with nothing that it would call a finding."""
    for seed in fuzz.seeds(target):
        targets.TARGETS[target](seed)
