"""What changed between two states of a text, word by word. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

MAX_LINES = 400  # of a text that is compared; what follows is not shown
# Of a passage that is compared word by word: the comparison is quadratic
MAX_WORDS = 600
_WORDS_AND_SPACES = re.compile(r"\s+|\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage of both states (`same`), of the old (`gone`) or the `new` one only."""

    kind: str
    text: str


def compare_texts(old: str, new: str) -> list[list[Piece]]:
    """Paragraphs in order, each as its pieces."""
    before, after = old.split("\n")[:MAX_LINES], new.split("\n")[:MAX_LINES]
    paragraphs: list[list[Piece]] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for change, a, b, c, d in matcher.get_opcodes():
        if change == "equal":
            paragraphs += [[Piece("same", line)] for line in after[c:d]]
        else:
            paragraphs += _compare_paragraphs(before[a:b], after[c:d])
    return paragraphs


def _compare_paragraphs(old: Sequence[str], new: Sequence[str]) -> list[list[Piece]]:
    """Paragraphs that were replaced, the n-th by the n-th."""
    paragraphs = []
    for before, after in zip_longest(old, new):
        if before is None:
            paragraphs.append([Piece("new", after)])
        elif after is None:
            paragraphs.append([Piece("gone", before)])
        else:
            paragraphs.append(_compare_words(before, after))
    return paragraphs


def _compare_words(old: str, new: str) -> list[Piece]:
    before, after = _WORDS_AND_SPACES.findall(old), _WORDS_AND_SPACES.findall(new)
    # Each word has a space beside it.
    if max(len(before), len(after)) > 2 * MAX_WORDS:
        return [Piece("gone", old), Piece("new", new)]
    pieces: list[Piece] = []
    gone = added = ""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for change, a, b, c, d in matcher.get_opcodes():
        old_words, new_words = "".join(before[a:b]), "".join(after[c:d])
        # A space between two words that changed belongs to the change: what people
        # read is not cut into single words.
        if change == "equal" and new_words.strip():
            pieces += [*_replacement(gone, added), Piece("same", new_words)]
            gone = added = ""
        else:
            gone, added = gone + old_words, added + new_words
    return [*pieces, *_replacement(gone, added)]


def _replacement(gone: str, added: str) -> list[Piece]:
    pieces = [Piece("gone", gone), Piece("new", added)]
    if gone == added:
        pieces = [Piece("same", gone)]
    return [piece for piece in pieces if piece.text]
