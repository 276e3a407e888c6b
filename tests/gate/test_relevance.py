"""Floors of relevance and places on labelled items, by language and by kind of negative: they may rise, never fall.

Floors and the digests of the data they were measured on stand in `relevance.toml`. The items are given as
`khabar import` takes them (score/relevance.py --emit): a title that repeats the text is left out.
"""

import hashlib
import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from crawler.sources import CrawlSettings
from crawler.topic import gazetteer, mentions, relevance
from crawler.topic.scan import scan_text
from storage.folding import fold_spelling

PINNED = tomllib.loads(
    (Path(__file__).parent / "relevance.toml").read_text(encoding="utf-8")
)

KEPT_FROM = CrawlSettings().min_relevance


def read(item):
    """Title and text of an item, as an import gives them."""
    text = item.get("text") or item.get("title") or ""
    title = item.get("title") or ""
    return (title if title.strip() and title.strip() != text.strip() else None), text


@pytest.fixture(scope="module")
def items(shared):
    """Every labelled item with its file."""
    return load_items(shared, PINNED["digests"])


@pytest.fixture(scope="module")
def real_items(shared):
    """Every item that was labelled by reading it."""
    return [item for _, item in load_items(shared, PINNED["real"]["digests"])]


def load_items(shared, digests):
    """(file, item) of the files with these digests.

    Skipped where the data are not those that the floors were measured on.
    """
    found = []
    for name, digest in digests.items():
        path = shared / "corpora" / "relevance" / f"{name}.jsonl"
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            pytest.skip(
                f"{name}.jsonl is not the file that the floors were measured on"
            )
        # Not splitlines: some texts hold U+2028
        with path.open(encoding="utf-8") as lines:
            found += [(name, json.loads(line)) for line in lines]
    return found


@pytest.fixture(scope="module")
def judged(items):
    """(file, language, topic, label, kept) of every item that has a label."""
    return [
        (name, item["lang"], item["topic"], item["about_afghan_conflict"] == "true",
         relevance.judge(scan_text(*read(item))).score >= KEPT_FROM)
        for name, item in items
        if item["about_afghan_conflict"] in ("true", "false") and read(item)[1].strip()
    ]  # fmt: skip


@pytest.mark.parametrize("language", PINNED["languages"])
def test_precision_and_recall_of_a_language_stay_above_their_floors(judged, language):
    """What is kept is about the conflict, and what is about it is kept, in each language."""
    tally = Counter(
        (label, kept) for _, lang, _, label, kept in judged if lang == language
    )
    floors = PINNED["languages"][language]
    precision = tally[True, True] / max(tally[True, True] + tally[False, True], 1)
    recall = tally[True, True] / max(tally[True, True] + tally[True, False], 1)
    assert precision >= floors["precision"], tally
    assert recall >= floors["recall"], tally


@pytest.mark.parametrize(
    "kind", PINNED["let_through"], ids=lambda kind: f"{kind['file']}-{kind['topic']}"
)
def test_each_kind_of_negative_is_let_through_no_more_than_its_share(judged, kind):
    """Cricket, other wars and the other news of Afghanistan stay out, each by its own floor."""
    files, topics = kind["file"].split("|"), kind["topic"].split("|")
    kept = [
        k
        for name, _, topic, label, k in judged
        if not label and name in files and topic in topics
    ]
    assert len(kept) >= kind["items"]
    assert sum(kept) <= kind["at_most"] * len(kept), f"{sum(kept)} of {len(kept)}"


def test_places_that_a_headline_names_are_found(items):
    """Districts and provinces of the UCDP headlines that stand in the headline are among its places."""
    named = found = 0
    for _, item in items:
        extra = item.get("extra") or {}
        stem = re.sub(
            r" (district|province)$", "", extra.get("adm_2") or extra.get("adm_1") or ""
        ).casefold()
        if stem and stem in (item.get("title") or "").casefold():
            named += 1
            places = [
                m.name.casefold()
                for m in mentions.find_mentions(scan_text(*read(item))).mentions
                if m.kind == "place"
            ]
            found += any(stem in place for place in places)
    assert named >= PINNED["places"]["named"]
    assert found >= PINNED["places"]["found"] * named, f"{found} of {named}"


def is_kept(title, text):
    """Whether an article with this title and text is kept."""
    return relevance.judge(scan_text(title, text)).score >= KEPT_FROM


@pytest.mark.parametrize("language", PINNED["real"]["languages"])
def test_real_items_are_kept_when_they_are_about_the_conflict(real_items, language):
    """Real pages of each language stay above their floors, and headlines alone do."""
    floors = PINNED["real"]["languages"][language]
    tally = Counter()
    headlines = Counter()
    for item in real_items:
        label = item["about_afghan_conflict"]
        if item["lang"] != language or label not in ("true", "false"):
            continue
        tally[label, is_kept(*read(item))] += 1
        title = (item.get("title") or "").strip()
        if title and label == "true":
            headlines[is_kept(None, title)] += 1
    kept = tally["true", True]
    assert kept >= floors["precision"] * (kept + tally["false", True]), tally
    assert kept >= floors["recall"] * (kept + tally["true", False]), tally
    assert headlines[True] >= floors["headlines"] * headlines.total(), headlines


@pytest.mark.parametrize("language", PINNED["real"]["languages"])
def test_places_of_real_items_are_found_and_no_others(real_items, language):
    """The places that a reader wrote down for real pages, and few beside them."""
    floors = PINNED["real"]["languages"][language]
    right = missed = wrong = 0
    for item in real_items:
        wanted = (item.get("extra") or {}).get("places")
        if item["lang"] != language or wanted is None:
            continue
        found = [
            gazetteer.load_places()[mention.code]
            for mention in mentions.find_mentions(scan_text(*read(item))).mentions
            if mention.kind == "place"
        ]
        for name in wanted:
            meant = [place for place in found if is_named(place, name.split("#")[0])]
            right += bool(meant)
            missed += not meant
            found = [place for place in found if place not in meant]
        wrong += len(found)
    assert right >= floors["place_precision"] * (right + wrong), (right, wrong)
    assert right >= floors["place_recall"] * (right + missed), (right, missed)


def is_named(place, name):
    """Whether a reader's English name is the place's: Hisarak is Hesarak, Maiwand Maywand."""
    names = [place.name, *place.spellings]
    same = any(fold_spelling(one) == fold_spelling(name) for one in names)
    consonants = consonants_of(name)
    return same or (
        len(consonants) > 1
        and consonants in {consonants_of(one) for one in names if one.isascii()}
    )


def consonants_of(name):
    """A name without the letters in which transcriptions differ."""
    folded = fold_spelling(name)
    for written, plain in (("th", "t"), ("kh", "k"), ("gh", "g"), ("dh", "d"), ("ck", "k"), ("q", "k")):  # fmt: skip
        folded = folded.replace(written, plain)
    return re.sub(r"(.)\1+", r"\1", re.sub("[aeiouyhw]", "", folded))


def test_items_of_our_own_stay_above_their_floors(root):
    """The items written for the tests, half of them hard negatives, need no shared folder."""
    lines = (
        (root / "tests" / "crawler" / "data" / "relevance.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    for language, floor in PINNED["own"].items():
        rows = [row for row in map(json.loads, lines) if row["language"] == language]
        right = sum(
            (relevance.judge(scan_text(*read(row))).score >= KEPT_FROM)
            == row["conflict"]
            for row in rows
        )
        assert right >= floor * len(rows), f"{language}: {right} of {len(rows)}"
