"""What a part of a page is, as the class and id words of its elements call it. Pure.

The words are data (`data/page_parts.csv`): promotion, byline, caption and so on.
"""

import re
from collections.abc import Iterable
from functools import cache

from crawler import data_files

# Text and no foreign part: asked for by `is_standfirst` only.
_STANDFIRST = "standfirst"


def part_kind(names: str) -> str:
    """The kind of part that a class or id names as a whole word, "" where it names none.

    `names` are the classes and the id of one element, with spaces between them.
    """
    if not names.strip():
        return ""
    pattern, kinds = _words()
    match = pattern.search(names)
    return kinds[match.group(1).lower()] if match else ""


def is_standfirst(names: str) -> bool:
    """Whether a class or id names the first paragraph, above the body, as a whole word."""
    return bool(names.strip()) and _standfirst_words().search(names) is not None


@cache
def _standfirst_words() -> re.Pattern[str]:
    return _whole_words(
        row["word"]
        for row in data_files.read_csv("page_parts.csv")
        if row["kind"] == _STANDFIRST
    )


def _whole_words(words: Iterable[str]) -> re.Pattern[str]:
    # The longest first: of "related-posts" and "related" the alternation takes the
    # first that fits.
    longest_first = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    return re.compile(rf"(?:^|[\s_-])({longest_first})(?=$|[\s_-])", re.IGNORECASE)


@cache
def _words() -> tuple[re.Pattern[str], dict[str, str]]:
    kinds = {
        row["word"]: row["kind"]
        for row in data_files.read_csv("page_parts.csv")
        if row["kind"] != _STANDFIRST
    }
    return _whole_words(kinds), kinds
