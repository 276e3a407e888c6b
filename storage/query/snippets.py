"""The passage of a text in which a query is met, with its hits highlighted. Pure.

The index holds folded text; a reader wants the words as they were written. So the raw
text is read word by word, each word is folded as the index folded it, and what is
highlighted is found in the original. A hit stands between `HIGHLIGHT_START` and
`HIGHLIGHT_END`, which are never markup.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from storage import folding
from storage.query import syntax

# Taken out of a text first, so that each of them is a highlight.
HIGHLIGHT_START, HIGHLIGHT_END = "⟦", "⟧"
PASSAGE_CHARS = 240
MAX_WORDS_READ = 20_000  # of a text in which a hit is looked for
# After the first hit, among which a better passage may begin.
_WORDS_AFTER_FIRST_HIT = 400
_MAX_HITS = 200
_MAX_PASSAGE_HITS = 20
# Passages begin and end at a blank, if one is near.
_CUT_CHARS = 30

# Letters and digits with what folding takes out of a word's inside: harakat and other
# marks, tatweel, joiners.
_WORD = re.compile(
    "[^\\W_](?:[^\\W_]"
    "|[\u0300-\u036f\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]"
    "|[\u00ad\u200b\u200d-\u200f])*"
)
_WITHOUT_HIGHLIGHTS = str.maketrans("", "", HIGHLIGHT_START + HIGHLIGHT_END)
Span = tuple[int, int, int]  # start, end, which term
Word = tuple[str, int, int]  # folded, start, end


def best_passage(
    text: str, terms: Sequence[syntax.SearchTerm], *, width: int = PASSAGE_CHARS
) -> str:
    """The passage of `width` characters with the most different terms, on one line.

    Cut at words, hits highlighted; the beginning where there is no hit.
    """
    raw = folding.printable(text.translate(_WITHOUT_HIGHLIGHTS))
    raw = raw.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    spans = _best_run(_find_hits(raw, terms), width)
    start, end = _window(raw, spans, width)
    shown = [span for span in spans if start <= span[0] and span[1] <= end]
    passage = _insert_highlights(raw, shown, start, end).strip()
    if start:
        passage = "…" + passage
    if end < len(raw):
        passage += "…"
    return passage


def highlight(text: str, terms: Sequence[syntax.SearchTerm]) -> str:
    """The whole of a short text, such as a title, with its hits highlighted."""
    raw = folding.printable(text.translate(_WITHOUT_HIGHLIGHTS))
    return _insert_highlights(raw, _find_hits(raw, terms), 0, len(raw))


def split_highlights(text: str) -> list[tuple[bool, str]]:
    """A text with marks as its parts in order, each with whether it is a hit."""
    pieces = text.replace(HIGHLIGHT_END, HIGHLIGHT_START).split(HIGHLIGHT_START)
    return [(at % 2 == 1, piece) for at, piece in enumerate(pieces) if piece]


def remove_highlights(text: str) -> str:
    """A text without the marks around its hits."""
    return text.translate(_WITHOUT_HIGHLIGHTS)


def _find_hits(raw: str, terms: Sequence[syntax.SearchTerm]) -> list[Span]:
    """Where terms are met, in order and without overlaps."""
    longest = max((len(term.words) for term in terms), default=0)
    firsts = {term.words[0] for term in terms}
    stems = tuple(
        term.words[0] for term in terms if term.prefix and len(term.words) == 1
    )
    words: list[Word] | Iterator[Word] = _iterate_words(raw)
    # Only terms of several words need to look ahead; reading on demand ends early.
    if longest > 1:
        words = list(words)

    found: list[Span] = []
    limit = MAX_WORDS_READ
    for at, (word, start, end) in enumerate(words):
        if at >= limit or len(found) >= _MAX_HITS:
            break
        if word not in firsts and not (stems and word.startswith(stems)):
            continue
        following = [(word, start, end)]
        if isinstance(words, list):
            following = words[at : at + longest]
        which, length = _longest_term_at(following, terms)
        is_inside_last = bool(found) and found[-1][1] > start
        if not length or is_inside_last:
            continue
        if not found:
            limit = min(limit, at + _WORDS_AFTER_FIRST_HIT)
        found.append((start, following[length - 1][2], which))
    return found


def _iterate_words(raw: str) -> Iterator[Word]:
    for found in _WORD.finditer(raw):
        for word in syntax.tokenize(found[0]):
            yield word, found.start(), found.end()


def _longest_term_at(
    following: Sequence[Word], terms: Sequence[syntax.SearchTerm]
) -> tuple[int, int]:
    """Which term begins with the first word, and its number of words; (0, 0): none."""
    best = (0, 0)
    for which, term in enumerate(terms):
        length = len(term.words)
        there = tuple(word for word, _, _ in islice(following, length))
        if len(there) < length or there[:-1] != term.words[:-1]:
            continue
        is_met = there[-1] == term.words[-1]
        if term.prefix:
            is_met = there[-1].startswith(term.words[-1])
        if is_met and length > best[1]:
            best = (which, length)
    return best


def _best_run(spans: list[Span], width: int) -> list[Span]:
    """The run of hits within three quarters of a width with the most different terms.

    The first of equals.
    """
    best: list[Span] = []
    most_terms = 0
    for at, (start, _, _) in enumerate(spans):
        last_end = start + width * 3 // 4
        near = spans[at : at + _MAX_PASSAGE_HITS]
        run = [span for span in near if span[1] <= last_end]
        terms = len({which for _, _, which in run})
        if terms > most_terms:
            best, most_terms = run, terms
    return best


def _window(raw: str, spans: list[Span], width: int) -> tuple[int, int]:
    """Start and end of the passage: a quarter of the width before the first hit."""
    if len(raw) <= width:
        return 0, len(raw)
    start = 0
    if spans:
        start = max(0, spans[0][0] - width // 4)
    end = min(len(raw), start + width)
    start = max(0, end - width)
    if start:
        start = raw.find(" ", start, start + _CUT_CHARS) + 1 or start
    if end < len(raw):
        blank = raw.rfind(" ", end - _CUT_CHARS, end)
        if blank > start:
            end = blank
    return start, end


def _insert_highlights(raw: str, spans: Sequence[Span], start: int, end: int) -> str:
    parts = []
    at = start
    for first, last, _ in spans:
        parts += [raw[at:first], HIGHLIGHT_START, raw[first:last], HIGHLIGHT_END]
        at = last
    parts.append(raw[at:end])
    return "".join(parts)
