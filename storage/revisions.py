"""What changed between two states of a text.

A diff by words, and whether the change is one at all. Pure.

A change is trivial when only lines changed that turn over by themselves
(data/fleeting.csv): hours of update, counters, pointers to other pages. A number inside
a sentence ("toll rises to 11") never is.
"""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from storage import data_files, text_likeness

# A fleeting line is short; a long one that speaks of sharing or reading is text.
_MAX_FLEETING_WORDS = 14
_MAX_FLEETING_CHARS = 200
# Lines, or words, of both sides multiplied: above it a changed passage is shown whole,
# for matching is quadratic.
_MAX_PAIRS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A run of words that stayed (`old == new`) or was replaced.

    Of an insertion `old` is empty, of a deletion `new`.
    """

    old: str
    new: str

    @property
    def is_change(self) -> bool:
        """Whether the words differ."""
        return self.old != self.new


def diff_texts(old: str, new: str) -> tuple[Edit, ...]:
    """The edits that lead from the old text to the new one, in order.

    By lines first, by words within changed lines.
    """
    before, after = old.splitlines(), new.splitlines()
    if len(before) * len(after) > _MAX_PAIRS:
        return tuple(_diff_words(old, new))
    edits: list[Edit] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for what, i, j, k, m in matcher.get_opcodes():
        here, there = "\n".join(before[i:j]), "\n".join(after[k:m])
        if what == "equal":
            edits.append(Edit(old=here, new=here))
        else:
            edits.extend(_diff_words(here, there))
    return tuple(edits)


def _diff_words(old: str, new: str) -> list[Edit]:
    before, after = old.split(), new.split()
    if len(before) * len(after) > _MAX_PAIRS:
        return [Edit(old=" ".join(before), new=" ".join(after))]
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [
        Edit(old=" ".join(before[i:j]), new=" ".join(after[k:m]))
        for _, i, j, k, m in blocks
    ]


def is_trivial(old: str, new: str) -> bool:
    """Whether two states of a text say the same.

    Then there is no revision, whatever dates, counters or boilerplate turned over.
    """
    return _lasting_words(old) == _lasting_words(new)


def _lasting_words(text: str) -> list[str]:
    kept = [line for line in text.splitlines() if not _is_fleeting(line)]
    return text_likeness.fold_words("\n".join(kept))


def _is_fleeting(line: str) -> bool:
    return (
        len(line) < _MAX_FLEETING_CHARS
        and len(line.split()) <= _MAX_FLEETING_WORDS
        and bool(_fleeting_pattern().search(line))
    )


@cache
def _fleeting_pattern() -> re.Pattern[str]:
    rows = data_files.read_csv("storage", "data/fleeting.csv")
    patterns = [row["pattern"] for row in rows]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)
