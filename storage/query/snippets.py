"""The passage of a text in which a query is met, with the hits between a neutral pair of marks. Pure.

The index holds folded text; a reader wants the words as they were written. So the raw text is read word by word, each
word is folded as the index folded it, and what is marked is found in the original.
"""

import re
from collections.abc import Iterator, Sequence

from storage import folding
from storage.query import syntax

# Never markup; taken out of the text first, so that each of them is a mark
HIGHLIGHT_START, HIGHLIGHT_END = "⟦", "⟧"
PASSAGE_CHARS = 240  # characters of a passage
MAX_WORDS_READ = 20_000  # words of a text in which a hit is looked for
# Words after the first hit among which a better passage may begin
_WORDS_AFTER_FIRST_HIT = 400
_MAX_HITS = 200

# Letters and digits with what folding takes out of a word's inside: harakat and other
# marks, tatweel, joiners.
_WORD = re.compile(
    "[^\\W_](?:[^\\W_]|[\u0300-\u036f\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u00ad\u200b\u200d-\u200f])*"
)
_WITHOUT_HIGHLIGHTS = str.maketrans("", "", HIGHLIGHT_START + HIGHLIGHT_END)
Span = tuple[int, int, int]  # start, end, which term


def best_passage(
    text: str, terms: Sequence[syntax.SearchTerm], *, width: int = PASSAGE_CHARS
) -> str:
    """Around the most different terms, cut at words, hits marked.

    The beginning where there is no hit. One line.
    """
    raw = (
        folding.printable(text.translate(_WITHOUT_HIGHLIGHTS))
        .replace("\n", " ")
        .replace("\r", " ")
        .replace("\t", " ")
    )
    spans = _best_run(_find_hits(raw, terms), width)
    start, end = _window(raw, spans, width)
    body = _insert_highlights(
        raw, [span for span in spans if start <= span[0] and span[1] <= end], start, end
    ).strip()
    return ("…" if start else "") + body + ("…" if end < len(raw) else "")


def highlight(text: str, terms: Sequence[syntax.SearchTerm]) -> str:
    """The whole of a short text, such as a title, with its hits marked."""
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
    longest = max((len(term.words) for term in terms), default=0)
    firsts = {term.words[0] for term in terms}
    stems = tuple(
        term.words[0] for term in terms if term.prefix and len(term.words) == 1
    )
    found: list[Span] = []
    read = list(_words(raw)) if longest > 1 else _words(raw)
    limit = MAX_WORDS_READ
    for at, (word, start, end) in enumerate(read):
        if at >= limit or len(found) >= _MAX_HITS:
            break
        if word not in firsts and not (stems and word.startswith(stems)):
            continue
        row = (
            read[at : at + longest] if isinstance(read, list) else [(word, start, end)]
        )
        which, length = _longest_term_at(row, terms)
        if length and not (found and found[-1][1] > start):
            limit = min(limit, at + _WORDS_AFTER_FIRST_HIT) if not found else limit
            found.append((start, row[length - 1][2], which))
    return found


def _words(raw: str) -> Iterator[tuple[str, int, int]]:
    for found in _WORD.finditer(raw):
        for word in syntax.tokenize(found[0]):
            yield word, found.start(), found.end()


def _longest_term_at(
    row: Sequence[tuple[str, int, int]], terms: Sequence[syntax.SearchTerm]
) -> tuple[int, int]:
    """Which term begins here and over how many words; the longest one."""
    best = (0, 0)
    for which, term in enumerate(terms):
        there = tuple(word for word, _, _ in row[: len(term.words)])
        if len(there) < len(term.words) or there[:-1] != term.words[:-1]:
            continue
        last = (
            there[-1].startswith(term.words[-1])
            if term.prefix
            else there[-1] == term.words[-1]
        )
        if last and len(there) > best[1]:
            best = (which, len(there))
    return best


def _best_run(spans: list[Span], width: int) -> list[Span]:
    """The run of hits within one width that shows the most different terms.

    The first of equals.
    """
    best: list[Span] = []
    shown = 0
    for at, (start, _, _) in enumerate(spans):
        run = [
            span for span in spans[at : at + 20] if span[1] <= start + width * 3 // 4
        ]
        different = len({which for _, _, which in run})
        if different > shown:
            best, shown = run, different
    return best


def _window(raw: str, spans: list[Span], width: int) -> tuple[int, int]:
    if len(raw) <= width:
        return 0, len(raw)
    start = max(0, spans[0][0] - width // 4) if spans else 0
    end = min(len(raw), start + width)
    start = max(0, end - width)
    if start:
        start = raw.find(" ", start, start + 30) + 1 or start
    if end < len(raw):
        blank = raw.rfind(" ", end - 30, end)
        end = blank if blank > start else end
    return start, end


def _insert_highlights(raw: str, spans: Sequence[Span], start: int, end: int) -> str:
    parts = []
    at = start
    for first, last, _ in spans:
        parts += [raw[at:first], HIGHLIGHT_START, raw[first:last], HIGHLIGHT_END]
        at = last
    return "".join([*parts, raw[at:end]])
