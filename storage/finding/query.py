"""What a person types, made into what the index is asked: words, "phrases", AND, OR, NOT, prefix*, title:, parentheses.

Nothing typed can raise and nothing reaches MATCH unquoted: each word is folded, cut to letters and digits and put in
double quotes. Also the tags under which a document's source, language and mentions stand in the same index. Pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from storage import folding
from storage.model import Mention

MOST_CHARACTERS = 1_000  # of a query; the rest is not read
MOST_WORDS = 32  # in a query; further ones are not looked for
MOST_SPELLINGS = 24  # of one name
_DEEPEST = 10  # parentheses; deeper ones are read as blanks (FTS5 itself gives up at a depth of 256)
_LONGEST_NAME = 4  # words of a query that may form one name: "Mazar e Sharif", "de Afghanistan Islami Emarat"

_LEXEMES = re.compile(r'"([^"]*)"?|([()])|([^\s"()]+)')
_QUOTES = str.maketrans({"«": '"', "»": '"', "“": '"', "”": '"', "„": '"'})
_TOKENS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One word, or several in a row."""

    words: tuple[str, ...]  # folded
    prefix: bool = False  # the last word may go on
    title: bool = False  # in the title only
    exact: bool = False  # typed in quotation marks: never widened to other spellings


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


Node = Term | And | Or | Not
Spellings = Callable[[Iterable[str]], Mapping[str, Sequence[str]]]


@lru_cache(maxsize=1 << 16)
def tokens(text: str) -> tuple[str, ...]:
    """The words of a text as the index sees them: folded runs of letters and digits."""
    return tuple(_TOKENS.findall(folding.fold(text)))


def parse(typed: str) -> Node | None:
    """The tree of a query, or None where it holds no word to look for. Never raises."""
    text = typed[:MOST_CHARACTERS].translate(_QUOTES)
    tree = _Parser(_lexemes(text)).whole()
    # "AND" or "NOT" alone can only be meant as words.
    return tree if tree is not None else _all([_term(word) for word in text.split()[:MOST_WORDS]])


def _lexemes(text: str) -> list[tuple[str, str]]:
    kinds = ("phrase", "bracket", "word")
    return [(kinds[(found.lastindex or 1) - 1], found[found.lastindex or 1] or "") for found in _LEXEMES.finditer(text)]


class _Parser:
    """Recursive descent that takes what it can and lets go of the rest: an operator without a side, an open bracket."""

    def __init__(self, lexemes: list[tuple[str, str]]) -> None:
        self._lexemes = lexemes
        self._at = 0
        self._depth = 0
        self._left = MOST_WORDS

    def whole(self) -> Node | None:
        parts = []
        while self._at < len(self._lexemes):
            parts.append(self._either(title=False))
            self._at += 1  # a closing bracket that nothing opened
        return _all(parts)

    def _either(self, *, title: bool) -> Node | None:
        parts = [self._sequence(title=title)]
        while self._take("OR"):
            parts.append(self._sequence(title=title))
        return _any(parts)

    def _sequence(self, *, title: bool) -> Node | None:
        parts: list[Node | None] = []
        while self._at < len(self._lexemes) and self._lexemes[self._at] not in {("word", "OR"), ("bracket", ")")}:
            if not self._take("AND"):
                parts.append(self._one(title=title))
        return _all(parts)

    def _one(self, *, title: bool) -> Node | None:
        if self._take("NOT"):
            return _negated(self._atom(title=title))
        return self._atom(title=title)

    def _atom(self, *, title: bool) -> Node | None:
        if self._at >= len(self._lexemes) or self._lexemes[self._at] in {
            ("word", "OR"),
            ("word", "AND"),
            ("bracket", ")"),
        }:
            return None
        kind, text = self._lexemes[self._at]
        self._at += 1
        if kind == "bracket":
            return self._bracket(title=title)
        if kind == "phrase":
            return self._spend(_term(text, title=title, exact=True))
        return self._word(text, title=title)

    def _word(self, text: str, *, title: bool) -> Node | None:
        if text.startswith("-") and len(text) > 1:
            return _negated(self._word(text.lstrip("-"), title=title))
        if text.lower().startswith("title:"):
            rest = text[len("title:") :]
            return self._word(rest, title=True) if rest else self._atom(title=True)
        return self._spend(_term(text, title=title))

    def _bracket(self, *, title: bool) -> Node | None:
        if self._depth >= _DEEPEST:
            return None
        self._depth += 1
        inner = self._either(title=title)
        self._depth -= 1
        self._at += 1  # the closing bracket, or the end
        return inner

    def _take(self, operator: str) -> bool:
        if self._at < len(self._lexemes) and self._lexemes[self._at] == ("word", operator):
            self._at += 1
            return True
        return False

    def _spend(self, term: Term | None) -> Term | None:
        if term is None or not self._left:
            return None
        words = term.words[: self._left]
        self._left -= len(words)
        return replace(term, words=words)


def _term(text: str, *, title: bool = False, exact: bool = False) -> Term | None:
    words = tokens(text)
    # A prefix of one letter would merge half of the index for nothing.
    prefix = not exact and text.endswith("*") and bool(words) and len(words[-1]) > 1
    return Term(words=words, prefix=prefix, title=title, exact=exact) if words else None


def _all(parts: Sequence[Node | None]) -> Node | None:
    kept = tuple(part for part in parts if part is not None)
    return kept[0] if len(kept) == 1 else And(kept) if kept else None


def _any(parts: Sequence[Node | None]) -> Node | None:
    kept = tuple(part for part in parts if part is not None)
    return kept[0] if len(kept) == 1 else Or(kept) if kept else None


def _negated(part: Node | None) -> Node | None:
    return None if part is None else Not(part)


def widen(tree: Node, spellings: Spellings) -> Node:
    """The tree with every name of a place or actor replaced by all its spellings; what stands in quotes stays.

    `spellings` takes keys (`folding.fold_spelling`) and gives for those it knows the folded spellings.
    """
    known = spellings({key for part in _sequences(tree) for _, _, key in _runs(part)})
    return _widened(tree, known) if known else tree


def _sequences(tree: Node) -> list[tuple[Node, ...]]:
    match tree:
        case Term():
            return [(tree,)]
        case And(parts):
            return [parts, *(found for part in parts if not isinstance(part, Term) for found in _sequences(part))]
        case Or(parts):
            return [found for part in parts for found in _sequences(part)]
        case Not(part):
            return _sequences(part)


def _runs(parts: tuple[Node, ...]) -> list[tuple[int, int, str]]:
    """Runs of neighbours that could be one name, as (start, end, key); longest first at each start."""
    found = []
    for start in range(len(parts)):
        for end in range(min(len(parts), start + _LONGEST_NAME), start, -1):
            terms = [part for part in parts[start:end] if isinstance(part, Term) and not part.exact and not part.prefix]
            if len(terms) == end - start and len({term.title for term in terms}) == 1:
                found.append((start, end, "".join(word for term in terms for word in term.words)))
    return found


def _widened(tree: Node, known: Mapping[str, Sequence[str]]) -> Node:
    match tree:
        case Term():
            return _named((tree,), known)[0]
        case And(parts):
            return And(_named(parts, known))
        case Or(parts):
            return Or(tuple(_widened(part, known) for part in parts))
        case Not(part):
            return Not(_widened(part, known))


def _named(parts: tuple[Node, ...], known: Mapping[str, Sequence[str]]) -> tuple[Node, ...]:
    names = [run for run in _runs(parts) if run[2] in known]
    made: list[Node] = []
    at = 0
    while at < len(parts):
        run = next((run for run in names if run[0] == at), None)
        part = parts[at]
        if run is not None and isinstance(part, Term):
            made.append(_every_spelling(parts[at : run[1]], known[run[2]], title=part.title))
        else:
            made.append(part if isinstance(part, Term) else _widened(part, known))
        at = run[1] if run else at + 1
    return tuple(made)


def _every_spelling(typed: tuple[Node, ...], spellings: Sequence[str], *, title: bool) -> Node:
    own = tuple(word for part in typed if isinstance(part, Term) for word in part.words)
    forms: list[tuple[str, ...]] = [own]
    for words in map(tokens, spellings):
        # "kunduz province" finds nothing that "kunduz" does not.
        if words and not any(_within(shorter, words) for shorter in forms):
            forms.append(words)
    terms = tuple(Term(words=words, title=title, exact=True) for words in forms[:MOST_SPELLINGS])
    return Or(terms) if len(terms) > 1 else terms[0]


def _within(shorter: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    return any(longer[at : at + len(shorter)] == shorter for at in range(len(longer) - len(shorter) + 1))


def sought(tree: Node) -> tuple[Term, ...]:
    """The terms that a text may be found by, for marking them: all but the negated ones."""
    match tree:
        case Term():
            return (tree,)
        case And(parts) | Or(parts):
            return tuple(term for part in parts for term in sought(part))
        case Not():
            return ()


EVERYTHING = "x"  # the tag that every document has: FTS5 knows no NOT without a left side
NOTHING = "none"  # no tag: those are a letter and hexadecimal digits


def tag(kind: str, value: str) -> str:
    """The word under which a source, language, place, actor or event type stands in the index.

    The value is written in hexadecimal, so that no tokenizer can split it and no text can look like it.
    """
    return kind[0] + value.lower().encode("utf-8", "replace").hex()


def tags(
    *, source: str, language: str | None, mentions: Iterable[Mention], provinces: Mapping[str, str] | None = None
) -> str:
    """What the index's column `tags` holds for a document; a place counts for its province too."""
    found = {EVERYTHING: None, tag("source", source): None}
    if language:
        found[tag("language", language)] = None
        found[tag("language", language.partition("-")[0])] = None
    for mention in mentions:
        found[tag(mention.kind, mention.code)] = None
        province = (provinces or {}).get(mention.code)
        if mention.kind == "place" and province:
            found[tag("place", province)] = None
    return " ".join(found)


def match(tree: Node | None, filters: Iterable[Iterable[str]] = ()) -> str | None:
    """The FTS5 expression; each filter is a group of tags of which one must be there. None: everything matches."""
    parts = [] if tree is None else [_positive(tree)]
    parts += [f"tags : ({' OR '.join(map(_quoted, group))})" for group in map(tuple, filters) if group]
    return " AND ".join(parts) or None


def _positive(tree: Node) -> str:
    match tree:
        case Term():
            return _spelled(tree)
        case And(parts):
            return _together(
                [part for part in parts if not isinstance(part, Not)],
                [part.part for part in parts if isinstance(part, Not)],
            )
        case Or(parts):
            return "(" + " OR ".join(_positive(part) for part in parts) + ")"
        case Not(part):
            return _together([], [part])


def _together(wanted: list[Node], unwanted: list[Node]) -> str:
    sides = [_positive(part) for part in wanted] or [f'tags : "{EVERYTHING}"']
    left = " AND ".join(sides)
    if not unwanted:
        return f"({left})"
    out = [_positive(one) for part in unwanted for one in (part.parts if isinstance(part, Or) else (part,))]
    # Words that are wanted and unwanted are in no text: FTS5 finds that out by reading all that have them.
    return f'tags : "{NOTHING}"' if not set(sides).isdisjoint(out) else f"(({left}) NOT ({' OR '.join(out)}))"


def _spelled(term: Term) -> str:
    # All columns but one: naming the two that are meant makes FTS5 take a prefix's postings apart, 61 ms instead of 38.
    column = "title" if term.title else "- tags"
    return f"{column} : {_quoted(' '.join(term.words))}{' *' if term.prefix else ''}"


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
