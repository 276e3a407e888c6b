"""What a part of a page is, as the class and id words of its elements call it. Pure.

The words are data (`data/page_parts.csv`): promotion, byline, caption and so on.
"""

import re
from functools import cache

from crawler import data_files


def part_kind(names: str) -> str:
    """The kind of part that a class or id names as a whole word, "" where it names none.

    `names` are the classes and the id of one element, with spaces between them.
    """
    if not names.strip():
        return ""
    pattern, kinds = _words()
    match = pattern.search(names)
    return kinds[match.group(1).lower()] if match else ""


@cache
def _words() -> tuple[re.Pattern[str], dict[str, str]]:
    kinds = {row["word"]: row["kind"] for row in data_files.read_csv("page_parts.csv")}
    # The longest first: of "related-posts" and "related" the alternation takes the
    # first that fits.
    words = "|".join(sorted(map(re.escape, kinds), key=len, reverse=True))
    pattern = rf"(?:^|[\s_-])({words})(?=$|[\s_-])"
    return re.compile(pattern, re.IGNORECASE), kinds
