"""Floors of extraction on labelled pages, by the scorer that comes with them.

They may rise, never fall.

Floors and the digests of the files they were measured on stand in `extraction.toml`.
Each set is read once.
"""

import hashlib
import importlib.util
import json
import tomllib
from pathlib import Path

import pytest

from crawler.files import page_records, saved

PINNED = tomllib.loads(
    (Path(__file__).parent / "extraction.toml").read_text(encoding="utf-8")
)
BETTER_LOW = {"leaking"}
SLACK = 0.0005  # the scorer's figures are rounded to four places


@pytest.fixture(scope="module")
def scorer(shared):
    """The scorer of the shared folder, as a module."""
    spec = importlib.util.spec_from_file_location(
        "extraction_scorer", shared / "score" / "extraction.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(file):
    """What `khabar extract` tells of each page, by its record."""
    return {
        one.record_id: page_records.page_record(one)
        for one in saved.read_pages(file, print)
    }


@pytest.mark.parametrize("name", PINNED["sets"])
def test_extraction_keeps_its_floors(shared, scorer, name):
    """Body, leaks, title, authors and day of each set are no worse than when the floor was set."""
    pinned, folder = PINNED["sets"][name], shared / "corpora" / "extraction" / name
    for file, digest in pinned["digests"].items():
        if hashlib.sha256((folder / file).read_bytes()).hexdigest() != digest:
            pytest.skip(
                f"{name}/{file} is not the file that the floors were measured on"
            )
    with (folder / "labels.jsonl").open(encoding="utf-8") as lines:
        labels = [json.loads(line) for line in lines]
    figures = scorer.score(labels, told(folder / "pages.warc.gz"))
    fallen = {
        key: (round(figures[key], 4), floor)
        for key, floor in pinned["floors"].items()
        if (
            figures[key] > floor + SLACK
            if key in BETTER_LOW
            else figures[key] < floor - SLACK
        )
    }
    assert not fallen, f"(measured, floor): {fallen}"
