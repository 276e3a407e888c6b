"""Faults of a file's parts: the first of each kind are told, the rest are counted."""

from hypothesis import given
from hypothesis import strategies as st

from crawler.files.file_faults import MAX_TOLD, FaultDigest, FileFault

KINDS = st.lists(st.sampled_from(["not JSON", "no address", "breaks off"]), max_size=60)


@given(KINDS)
def test_every_fault_is_counted_and_few_are_told(kinds: list[str]) -> None:
    """Of each kind at most the first three, then one line with the number of the rest, which adds up."""
    told: list[str] = []
    digest = FaultDigest(told.append)
    for line, what in enumerate(kinds, 1):
        digest.note(FileFault(file="a.jsonl", where=line, what=what))
    digest.end_file()
    assert digest.total == len(kinds)
    for what in set(kinds):
        one_by_one = [line for line in told if line.endswith(f": {what}")]
        assert len(one_by_one) == min(MAX_TOLD, kinds.count(what))
        rest = [line for line in told if f"times more: {what}" in line]
        left = kinds.count(what) - MAX_TOLD
        assert rest == (
            [f"a.jsonl: {left:,} times more: {what} (-v tells each)"]
            if left > 0
            else []
        )


def test_each_file_has_its_own_first_ones_and_v_tells_all() -> None:
    """A second file begins anew; with `every` there is nothing to sum up."""
    told: list[str] = []
    digest = FaultDigest(told.append)
    for file in ("a", "b"):
        digest.note(
            FileFault(
                file=file,
                where="https://a.example/",
                what="bad_encoding",
                detail="gzip",
            )
        )
        digest.end_file()
    assert told == [
        "a: https://a.example/: bad_encoding (gzip)",
        "b: https://a.example/: bad_encoding (gzip)",
    ]
    everything: list[str] = []
    digest = FaultDigest(everything.append, every=True)
    for line in range(50):
        digest.note(FileFault(file="a", where=line + 1, what="not JSON"))
    digest.end_file()
    assert len(everything) == 50
