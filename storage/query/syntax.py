"""What a person types, made into what the index is asked.

Words, "phrases", AND, OR, NOT, prefix*, title:, parentheses. Nothing typed can raise
and nothing reaches MATCH unquoted: each word is folded, cut to letters and digits and
put in double quotes. Pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from storage import folding
from storage.index_tags import EVERY_DOCUMENT_TAG, NO_DOCUMENT_TAG
from storage.query import word_forms

MAX_QUERY_CHARS = 1_000  # the rest is not read
MAX_QUERY_WORDS = 32  # further ones are not looked for
# Of one name: Mazar-e Sharif has 17 in Latin letters, and Pashto's cases come to them
MAX_SPELLINGS = 80
# Deeper parentheses are read as blanks; FTS5 itself gives up at a depth of 256.
_MAX_DEPTH = 10
# Of a query that may form one name: "Mazar e Sharif", "de Afghanistan Islami Emarat".
_MAX_NAME_WORDS = 4

_LEXEME = re.compile(r'"([^"]*)"?|([()])|([^\s"()]+)')
_QUOTES = str.maketrans({"«": '"', "»": '"', "“": '"', "”": '"', "„": '"'})
_TOKEN = re.compile(r"[^\W_]+")
_OR, _AND = ("word", "OR"), ("word", "AND")
_CLOSING = ("bracket", ")")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTerm:
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


Node = SearchTerm | And | Or | Not
Spellings = Callable[[Iterable[str]], Mapping[str, Sequence[str]]]


@lru_cache(maxsize=1 << 16)
def tokenize(text: str) -> tuple[str, ...]:
    """The words of a text as the index sees them: folded runs of letters and digits."""
    return tuple(_TOKEN.findall(folding.fold(text)))


# Parsing


def parse_query(typed: str) -> Node | None:
    """The tree of a query, or None where it holds no word to look for. Never raises."""
    text = typed[:MAX_QUERY_CHARS].translate(_QUOTES)
    lexemes: list[tuple[str, str]] = []
    for found in _LEXEME.finditer(text):
        phrase, bracket, word = found.groups()
        if phrase is not None:
            lexemes.append(("phrase", phrase))
        elif bracket is not None:
            lexemes.append(("bracket", bracket))
        else:
            lexemes.append(("word", word))
    tree = _Parser(lexemes).parse()
    if tree is not None:
        return tree
    # "AND" or "NOT" alone can only be meant as words.
    return _and_of([_to_term(word) for word in text.split()[:MAX_QUERY_WORDS]])


class _Parser:
    """Recursive descent that leaves out what it cannot take.

    Such as an operator without a side, or an open bracket. Brackets bind first, then NOT, then
    neighbours and AND, then OR.
    """

    def __init__(self, lexemes: list[tuple[str, str]]) -> None:
        self._lexemes = lexemes
        self._at = 0
        self._depth = 0
        self._words_left = MAX_QUERY_WORDS

    def parse(self) -> Node | None:
        parts = []
        while self._at < len(self._lexemes):
            parts.append(self._alternatives(in_title=False))
            self._at += 1  # a closing bracket that nothing opened
        return _and_of(parts)

    def _alternatives(self, *, in_title: bool) -> Node | None:
        parts = [self._conjunction(in_title=in_title)]
        while self._next() == _OR:
            self._at += 1
            parts.append(self._conjunction(in_title=in_title))
        kept = tuple(part for part in parts if part is not None)
        if len(kept) > 1:
            return Or(kept)
        return kept[0] if kept else None

    def _conjunction(self, *, in_title: bool) -> Node | None:
        parts: list[Node | None] = []
        while self._next() not in (None, _OR, _CLOSING):
            if self._next() == _AND:
                self._at += 1
            elif self._next() == ("word", "NOT"):
                self._at += 1
                parts.append(_negate(self._atom(in_title=in_title)))
            else:
                parts.append(self._atom(in_title=in_title))
        return _and_of(parts)

    def _atom(self, *, in_title: bool) -> Node | None:
        lexeme = self._next()
        if lexeme is None or lexeme in (_OR, _AND, _CLOSING):
            return None
        kind, text = lexeme
        self._at += 1
        if kind == "phrase":
            return self._limit(_to_term(text, title=in_title, exact=True))
        if kind == "word":
            return self._word(text, in_title=in_title)
        if self._depth >= _MAX_DEPTH:
            return None
        self._depth += 1
        inner = self._alternatives(in_title=in_title)
        self._depth -= 1
        self._at += 1  # the closing bracket, or the end
        return inner

    def _word(self, text: str, *, in_title: bool) -> Node | None:
        if text.startswith("-") and len(text) > 1:
            return _negate(self._word(text.lstrip("-"), in_title=in_title))
        if text.lower().startswith("title:"):
            rest = text[len("title:") :]
            # What follows it may be a phrase or a bracket.
            return (
                self._word(rest, in_title=True) if rest else self._atom(in_title=True)
            )
        return self._limit(_to_term(text, title=in_title))

    def _next(self) -> tuple[str, str] | None:
        if self._at < len(self._lexemes):
            return self._lexemes[self._at]
        return None

    def _limit(self, term: SearchTerm | None) -> SearchTerm | None:
        """A term with as many words as a query may still have."""
        if term is None or not self._words_left:
            return None
        words = term.words[: self._words_left]
        self._words_left -= len(words)
        return replace(term, words=words)


def _to_term(
    text: str, *, title: bool = False, exact: bool = False
) -> SearchTerm | None:
    words = tokenize(text)
    if not words:
        return None
    # A prefix of one letter would merge half of the index for nothing.
    is_prefix = not exact and text.endswith("*") and len(words[-1]) > 1
    return SearchTerm(words=words, prefix=is_prefix, title=title, exact=exact)


def _and_of(parts: Sequence[Node | None]) -> Node | None:
    kept = tuple(part for part in parts if part is not None)
    if len(kept) > 1:
        return And(kept)
    return kept[0] if kept else None


def _negate(part: Node | None) -> Node | None:
    return None if part is None else Not(part)


def positive_terms(tree: Node) -> tuple[SearchTerm, ...]:
    """The terms that a text may be found by: all but the negated ones."""
    match tree:
        case SearchTerm():
            return (tree,)
        case And(parts) | Or(parts):
            terms: list[SearchTerm] = []
            for part in parts:
                terms += positive_terms(part)
            return tuple(terms)
        case Not():
            return ()


# Other spellings of names


def widen_names(tree: Node, spellings: Spellings) -> Node:
    """The tree with every name of a place or actor replaced by all its spellings.

    What stands in quotes stays. `spellings` takes keys (`folding.fold_spelling`) and
    gives for those it knows the folded spellings.
    """
    keys: set[str] = set()
    for parts in _neighbours(tree):
        keys.update(key for _, _, key in _name_runs(parts))
    known = spellings(keys)
    if not known:
        return tree
    return _widen(tree, known)


def _neighbours(tree: Node) -> list[tuple[Node, ...]]:
    """The parts of a tree that stand side by side, so that some may form a name."""
    found: list[tuple[Node, ...]] = []
    match tree:
        case SearchTerm():
            found.append((tree,))
        case And(parts):
            found.append(parts)
            for part in parts:
                if not isinstance(part, SearchTerm):
                    found += _neighbours(part)
        case Or(parts):
            for part in parts:
                found += _neighbours(part)
        case Not(part):
            found += _neighbours(part)
    return found


def _name_runs(parts: tuple[Node, ...]) -> list[tuple[int, int, str]]:
    """Runs of neighbours that could be one name, as (start, end, key).

    The longest first at each start.
    """
    found = []
    for start in range(len(parts)):
        for end in range(min(len(parts), start + _MAX_NAME_WORDS), start, -1):
            terms = [
                part
                for part in parts[start:end]
                if isinstance(part, SearchTerm) and not part.exact and not part.prefix
            ]
            is_whole = len(terms) == end - start
            if is_whole and len({term.title for term in terms}) == 1:
                key = "".join("".join(term.words) for term in terms)
                found.append((start, end, key))
    return found


def _widen(tree: Node, known: Mapping[str, Sequence[str]]) -> Node:
    match tree:
        case SearchTerm():
            return _replace_names((tree,), known)[0]
        case And(parts):
            return And(_replace_names(parts, known))
        case Or(parts):
            return Or(tuple(_widen(part, known) for part in parts))
        case Not(part):
            return Not(_widen(part, known))


def _replace_names(
    parts: tuple[Node, ...], known: Mapping[str, Sequence[str]]
) -> tuple[Node, ...]:
    longest: dict[int, tuple[int, str]] = {}
    for start, end, key in _name_runs(parts):
        if key in known:
            longest.setdefault(start, (end, key))
    widened: list[Node] = []
    at = 0
    while at < len(parts):
        part = parts[at]
        if at in longest:
            end, key = longest[at]
            widened.append(_every_spelling(parts[at:end], known[key]))
            at = end
            continue
        if not isinstance(part, SearchTerm):
            part = _widen(part, known)
        widened.append(part)
        at += 1
    return tuple(widened)


def _every_spelling(typed: tuple[Node, ...], spellings: Sequence[str]) -> Node:
    """What was typed or any of these spellings, the first ones only."""
    own: list[str] = []
    in_title = False
    for part in typed:
        if isinstance(part, SearchTerm):
            own += part.words
            in_title = part.title
    forms = [tuple(own)]
    for words in map(tokenize, spellings):
        # "kunduz province" finds nothing that "kunduz" does not.
        if words and not any(_contains_run(words, shorter) for shorter in forms):
            forms.append(words)
    terms = tuple(
        SearchTerm(words=words, title=in_title, exact=True)
        for words in forms[:MAX_SPELLINGS]
    )
    return Or(terms) if len(terms) > 1 else terms[0]


def _contains_run(longer: tuple[str, ...], shorter: tuple[str, ...]) -> bool:
    length = len(shorter)
    starts = range(len(longer) - length + 1)
    return any(longer[at : at + length] == shorter for at in starts)


# Other forms of words


def widen_words(tree: Node) -> Node:
    """The tree with each word of Dari and Pashto in all its forms, and no word for "in".

    A word that carries no meaning ("په", "در") is required only where nothing else is
    typed. What stands in quotes, prefixes and the spellings of names stay.
    """
    match tree:
        case SearchTerm():
            return _every_form(tree)
        case And(parts):
            kept = [part for part in parts if not _is_stop_word(part)]
            if not any(not isinstance(part, Not) for part in kept):
                kept = list(parts)
            widened = tuple(widen_words(part) for part in kept)
            return And(widened) if len(widened) > 1 else widened[0]
        case Or(parts):
            return Or(tuple(widen_words(part) for part in parts))
        case Not(part):
            return Not(widen_words(part))


def _is_stop_word(part: Node) -> bool:
    if not isinstance(part, SearchTerm) or part.exact or part.prefix:
        return False
    return all(word_forms.is_stop_word(word) for word in part.words)


def _every_form(term: SearchTerm) -> Node:
    if term.exact or term.prefix:
        return term
    forms: list[tuple[str, ...]] = []
    words = word_forms.drop_suffixes(term.words)
    if len(words) == 1:
        forms += [(form,) for form in word_forms.word_forms(words[0])]
        forms += word_forms.split_spellings(words[0])
    else:
        # "بی‌سرنشین" is written with the joiner, with a space and in one
        forms += [words, ("".join(words),)]
    terms = tuple(
        SearchTerm(words=form, title=term.title, exact=True) for form in forms
    )
    if len(terms) == 1:
        return replace(term, words=terms[0].words)
    return Or(terms)


# Expressions of FTS5


def match_expression(
    tree: Node | None, filters: Iterable[Iterable[str]] = ()
) -> str | None:
    """The FTS5 expression of a query and its filters.

    Each filter is a group of tags of which one must be there. None: everything matches.
    """
    parts = []
    if tree is not None:
        parts.append(_node_sql(tree))
    for tags in filters:
        alternatives = " OR ".join(_quote(tag) for tag in tags)
        if alternatives:
            parts.append(f"tags : ({alternatives})")
    return " AND ".join(parts) or None


def _node_sql(tree: Node) -> str:
    match tree:
        case SearchTerm():
            return _term_sql(tree)
        case And(parts):
            wanted = [part for part in parts if not isinstance(part, Not)]
            unwanted = [part.part for part in parts if isinstance(part, Not)]
            return _conjunction_sql(wanted, unwanted)
        case Or(parts):
            return "(" + " OR ".join(_node_sql(part) for part in parts) + ")"
        case Not(part):
            return _conjunction_sql([], [part])


def _conjunction_sql(wanted: Sequence[Node], unwanted: Sequence[Node]) -> str:
    # FTS5 knows no NOT without a left side.
    sides = [_node_sql(part) for part in wanted] or [f'tags : "{EVERY_DOCUMENT_TAG}"']
    left = " AND ".join(sides)
    if not unwanted:
        return f"({left})"
    excluded: list[str] = []
    for part in unwanted:
        alternatives = part.parts if isinstance(part, Or) else (part,)
        excluded += [_node_sql(one) for one in alternatives]
    # Words that are wanted and unwanted are in no text: FTS5 finds that out by reading
    # all that have them.
    if not set(sides).isdisjoint(excluded):
        return f'tags : "{NO_DOCUMENT_TAG}"'
    return f"(({left}) NOT ({' OR '.join(excluded)}))"


def _term_sql(term: SearchTerm) -> str:
    # All columns but one: naming the two that are meant makes FTS5 take a prefix's
    # postings apart, 61 ms instead of 38.
    column = "title" if term.title else "- tags"
    expression = f"{column} : {_quote(' '.join(term.words))}"
    if term.prefix:
        expression += " *"
    return expression


def _quote(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
