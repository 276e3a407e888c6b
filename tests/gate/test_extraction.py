"""Floors of extraction on labelled pages, by the scorer that comes with them.

They may rise, never fall.

Floors and the digests of the files they were measured on stand in `extraction.toml`.
Each set is read once.
"""

import hashlib
import importlib.util
import json
import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from crawler.files import page_records, saved

PINNED = tomllib.loads(
    (Path(__file__).parent / "extraction.toml").read_text(encoding="utf-8")
)
BETTER_LOW = {"leaking", "lost_words"}
SLACK = 0.0005  # the scorer's figures are rounded to four places

WORD = re.compile(r"[^\W_]+")
ANCHOR_WORDS = 4  # with which a paragraph begins and ends
MIN_PARAGRAPH_WORDS = 12
MAX_PLACES = 5  # of one beginning or end that are tried


def count_lost_words(truth, found):
    """Words of labelled paragraphs that are lost between their ends, and all their words.

    Shingles hardly feel one lost word in twenty. A paragraph counts where its first and
    last four words stand in the text, not more than twice its length apart.
    """
    # A soft hyphen is no end of a word.
    words = WORD.findall(found.replace("\xad", ""))
    places = defaultdict(list)
    for place in range(len(words) - ANCHOR_WORDS + 1):
        places[tuple(words[place : place + ANCHOR_WORDS])].append(place)

    lost = total = 0
    for line in truth.replace("\xad", "").splitlines():
        own = WORD.findall(line)
        if len(own) < MIN_PARAGRAPH_WORDS:
            continue
        losses = []
        for start in places[tuple(own[:ANCHOR_WORDS])][:MAX_PLACES]:
            for end in places[tuple(own[-ANCHOR_WORDS:])]:
                if start < end <= start + 2 * len(own):
                    read = Counter(words[start : end + ANCHOR_WORDS])
                    losses.append((Counter(own) - read).total())
        if losses:
            lost += min(losses)
            total += len(own)
    return lost, total


def lost_words_share(labels, found):
    """Words lost in the middle of paragraphs, of 10,000 words."""
    lost = total = 0
    for row in labels:
        text = found.get(row["record_id"], {}).get("text")
        if row.get("text") and text:
            page_lost, page_total = count_lost_words(row["text"], text)
            lost += page_lost
            total += page_total
    return 10_000 * lost / max(1, total)


def test_a_word_that_is_lost_in_a_sentence_is_counted():
    """And one that is lost at its end or with its paragraph is not: F1 counts those."""
    line = "The convoy reached the gate on Monday evening and was turned back at once"
    assert count_lost_words(line, line) == (0, 14)
    assert count_lost_words(line, line.replace("on Monday evening ", "")) == (3, 14)
    assert count_lost_words(line, line.removesuffix("at once")) == (0, 0)
    assert count_lost_words(line, "Another paragraph of the same article") == (0, 0)


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
    found = told(folder / "pages.warc.gz")
    figures = scorer.score(labels, found)
    figures["lost_words"] = lost_words_share(labels, found)
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
