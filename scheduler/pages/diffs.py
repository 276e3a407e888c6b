"""What changed between two states of a text, word by word. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MAX_LINES = 400  # of a text that is compared; what follows is shown as it is now
# Of a passage that is compared word by word: the comparison is quadratic
MAX_WORDS = 600
_WORDS_AND_SPACES = re.compile(r"\s+|\S+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage that both states have (`same`), or only the old (`gone`) or the new one (`new`)."""

    kind: str
    text: str


def compare_texts(old: str, new: str) -> list[list[Piece]]:
    """Paragraphs in order, each as its pieces."""
    before, after = old.split("\n")[:MAX_LINES], new.split("\n")[:MAX_LINES]
    made: list[list[Piece]] = []
    for what, a, b, c, d in SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if what == "equal":
            made += [[Piece("same", line)] for line in after[c:d]]
        else:
            made += _compare_paragraphs(before[a:b], after[c:d])
    return made


def _compare_paragraphs(
    old: Sequence[str], new: Sequence[str]
) -> Iterator[list[Piece]]:
    """Paragraphs that were replaced, the n-th by the n-th."""
    for at in range(max(len(old), len(new))):
        if at >= len(old):
            yield [Piece("new", new[at])]
        elif at >= len(new):
            yield [Piece("gone", old[at])]
        else:
            yield _compare_words(old[at], new[at])


def _compare_words(old: str, new: str) -> list[Piece]:
    before, after = _WORDS_AND_SPACES.findall(old), _WORDS_AND_SPACES.findall(new)
    if max(len(before), len(after)) > 2 * MAX_WORDS:
        return [Piece("gone", old), Piece("new", new)]
    pieces: list[Piece] = []
    gone = fresh = ""
    for what, a, b, c, d in SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        here, there = "".join(before[a:b]), "".join(after[c:d])
        if what == "equal" and there.strip():
            pieces += [*_replacement(gone, fresh), Piece("same", there)]
            gone = fresh = ""
        else:  # a blank between two words that changed belongs to the change
            gone, fresh = gone + here, fresh + there
    return [*pieces, *_replacement(gone, fresh)]


def _replacement(gone: str, fresh: str) -> list[Piece]:
    if gone == fresh:
        return [Piece("same", gone)] if gone else []
    return [
        Piece(kind, text) for kind, text in (("gone", gone), ("new", fresh)) if text
    ]
