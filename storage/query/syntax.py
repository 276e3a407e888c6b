"""What a person types, made into what the index is asked.

Words, "phrases", AND, OR, NOT, prefix*, title:, parentheses.

Nothing typed can raise and nothing reaches MATCH unquoted: each word is folded, cut to
letters and digits and put in double quotes. Also the tags under which a document's
source, language and mentions stand in the same index. Pure.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from storage import folding
from storage.model import Mention

MAX_QUERY_CHARS = 1_000  # of a query; the rest is not read
MAX_QUERY_WORDS = 32  # in a query; further ones are not looked for
MAX_SPELLINGS = 24  # of one name
# Parentheses; deeper ones are read as blanks (FTS5 itself gives up at a depth of 256)
_MAX_DEPTH = 10
# Words of a query that may form one name: "Mazar e Sharif", "de Afghanistan Islami
# Emarat"
_MAX_NAME_WORDS = 4

_LEXEMES = re.compile(r'"([^"]*)"?|([()])|([^\s"()]+)')
_QUOTES = str.maketrans({"«": '"', "»": '"', "“": '"', "”": '"', "„": '"'})
_TOKENS = re.compile(r"[^\W_]+")


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
    return tuple(_TOKENS.findall(folding.fold(text)))


def parse_query(typed: str) -> Node | None:
    """The tree of a query, or None where it holds no word to look for. Never raises."""
    text = typed[:MAX_QUERY_CHARS].translate(_QUOTES)
    tree = _Parser(_lexemes(text)).whole()
    # "AND" or "NOT" alone can only be meant as words.
    return (
        tree
        if tree is not None
        else _and_of([_to_term(word) for word in text.split()[:MAX_QUERY_WORDS]])
    )


def _lexemes(text: str) -> list[tuple[str, str]]:
    kinds = ("phrase", "bracket", "word")
    return [
        (kinds[(found.lastindex or 1) - 1], found[found.lastindex or 1] or "")
        for found in _LEXEMES.finditer(text)
    ]


class _Parser:
    """Recursive descent that takes what it can and lets go of the rest.

    An operator without a side, an open bracket.
    """

    def __init__(self, lexemes: list[tuple[str, str]]) -> None:
        self._lexemes = lexemes
        self._at = 0
        self._depth = 0
        self._left = MAX_QUERY_WORDS

    def whole(self) -> Node | None:
        parts = []
        while self._at < len(self._lexemes):
            parts.append(self._either(title=False))
            self._at += 1  # a closing bracket that nothing opened
        return _and_of(parts)

    def _either(self, *, title: bool) -> Node | None:
        parts = [self._sequence(title=title)]
        while self._take("OR"):
            parts.append(self._sequence(title=title))
        return _or_of(parts)

    def _sequence(self, *, title: bool) -> Node | None:
        parts: list[Node | None] = []
        while self._at < len(self._lexemes) and self._lexemes[self._at] not in {
            ("word", "OR"),
            ("bracket", ")"),
        }:
            if not self._take("AND"):
                parts.append(self._one(title=title))
        return _and_of(parts)

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
            return self._spend(_to_term(text, title=title, exact=True))
        return self._word(text, title=title)

    def _word(self, text: str, *, title: bool) -> Node | None:
        if text.startswith("-") and len(text) > 1:
            return _negated(self._word(text.lstrip("-"), title=title))
        if text.lower().startswith("title:"):
            rest = text[len("title:") :]
            return self._word(rest, title=True) if rest else self._atom(title=True)
        return self._spend(_to_term(text, title=title))

    def _bracket(self, *, title: bool) -> Node | None:
        if self._depth >= _MAX_DEPTH:
            return None
        self._depth += 1
        inner = self._either(title=title)
        self._depth -= 1
        self._at += 1  # the closing bracket, or the end
        return inner

    def _take(self, operator: str) -> bool:
        if self._at < len(self._lexemes) and self._lexemes[self._at] == (
            "word",
            operator,
        ):
            self._at += 1
            return True
        return False

    def _spend(self, term: SearchTerm | None) -> SearchTerm | None:
        if term is None or not self._left:
            return None
        words = term.words[: self._left]
        self._left -= len(words)
        return replace(term, words=words)


def _to_term(
    text: str, *, title: bool = False, exact: bool = False
) -> SearchTerm | None:
    words = tokenize(text)
    # A prefix of one letter would merge half of the index for nothing.
    prefix = not exact and text.endswith("*") and bool(words) and len(words[-1]) > 1
    return (
        SearchTerm(words=words, prefix=prefix, title=title, exact=exact)
        if words
        else None
    )


def _and_of(parts: Sequence[Node | None]) -> Node | None:
    kept = tuple(part for part in parts if part is not None)
    return kept[0] if len(kept) == 1 else And(kept) if kept else None


def _or_of(parts: Sequence[Node | None]) -> Node | None:
    kept = tuple(part for part in parts if part is not None)
    return kept[0] if len(kept) == 1 else Or(kept) if kept else None


def _negated(part: Node | None) -> Node | None:
    return None if part is None else Not(part)


def widen_names(tree: Node, spellings: Spellings) -> Node:
    """The tree with every name of a place or actor replaced by all its spellings.

    What stands in quotes stays.

    `spellings` takes keys (`folding.fold_spelling`) and gives for those it knows the
    folded spellings.
    """
    known = spellings({key for part in _sequences(tree) for _, _, key in _runs(part)})
    return _widened(tree, known) if known else tree


def _sequences(tree: Node) -> list[tuple[Node, ...]]:
    match tree:
        case SearchTerm():
            return [(tree,)]
        case And(parts):
            return [
                parts,
                *(
                    found
                    for part in parts
                    if not isinstance(part, SearchTerm)
                    for found in _sequences(part)
                ),
            ]
        case Or(parts):
            return [found for part in parts for found in _sequences(part)]
        case Not(part):
            return _sequences(part)


def _runs(parts: tuple[Node, ...]) -> list[tuple[int, int, str]]:
    """Runs of neighbours that could be one name, as (start, end, key).

    Longest first at each start.
    """
    found = []
    for start in range(len(parts)):
        for end in range(min(len(parts), start + _MAX_NAME_WORDS), start, -1):
            terms = [
                part
                for part in parts[start:end]
                if isinstance(part, SearchTerm) and not part.exact and not part.prefix
            ]
            if len(terms) == end - start and len({term.title for term in terms}) == 1:
                found.append(
                    (start, end, "".join(word for term in terms for word in term.words))
                )
    return found


def _widened(tree: Node, known: Mapping[str, Sequence[str]]) -> Node:
    match tree:
        case SearchTerm():
            return _replace_names((tree,), known)[0]
        case And(parts):
            return And(_replace_names(parts, known))
        case Or(parts):
            return Or(tuple(_widened(part, known) for part in parts))
        case Not(part):
            return Not(_widened(part, known))


def _replace_names(
    parts: tuple[Node, ...], known: Mapping[str, Sequence[str]]
) -> tuple[Node, ...]:
    names = [run for run in _runs(parts) if run[2] in known]
    made: list[Node] = []
    at = 0
    while at < len(parts):
        run = next((run for run in names if run[0] == at), None)
        part = parts[at]
        if run is not None and isinstance(part, SearchTerm):
            made.append(
                _every_spelling(parts[at : run[1]], known[run[2]], title=part.title)
            )
        else:
            made.append(part if isinstance(part, SearchTerm) else _widened(part, known))
        at = run[1] if run else at + 1
    return tuple(made)


def _every_spelling(
    typed: tuple[Node, ...], spellings: Sequence[str], *, title: bool
) -> Node:
    own = tuple(
        word for part in typed if isinstance(part, SearchTerm) for word in part.words
    )
    forms: list[tuple[str, ...]] = [own]
    for words in map(tokenize, spellings):
        # "kunduz province" finds nothing that "kunduz" does not.
        if words and not any(_contains_run(shorter, words) for shorter in forms):
            forms.append(words)
    terms = tuple(
        SearchTerm(words=words, title=title, exact=True)
        for words in forms[:MAX_SPELLINGS]
    )
    return Or(terms) if len(terms) > 1 else terms[0]


def _contains_run(shorter: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    return any(
        longer[at : at + len(shorter)] == shorter
        for at in range(len(longer) - len(shorter) + 1)
    )


def positive_terms(tree: Node) -> tuple[SearchTerm, ...]:
    """The terms that a text may be found by, for marking them.

    All but the negated ones.
    """
    match tree:
        case SearchTerm():
            return (tree,)
        case And(parts) | Or(parts):
            return tuple(term for part in parts for term in positive_terms(part))
        case Not():
            return ()


# The tag that every document has: FTS5 knows no NOT without a left side
EVERY_DOCUMENT_TAG = "x"
NO_DOCUMENT_TAG = "none"  # no tag: those are a letter and hexadecimal digits


def index_tag(kind: str, value: str) -> str:
    """The word under which a source, language, place, actor or event type stands in the index.

    The value is written in hexadecimal, so that no tokenizer can split it and no text can look like it.
    """
    return kind[0] + value.lower().encode("utf-8", "replace").hex()


def document_tags(
    *,
    source: str,
    language: str | None,
    mentions: Iterable[Mention],
    provinces: Mapping[str, str] | None = None,
) -> str:
    """What the index's column `tags` holds for a document.

    A place counts for its province too.
    """
    found = {EVERY_DOCUMENT_TAG: None, index_tag("source", source): None}
    if language:
        found[index_tag("language", language)] = None
        found[index_tag("language", language.partition("-")[0])] = None
    for mention in mentions:
        found[index_tag(mention.kind, mention.code)] = None
        province = (provinces or {}).get(mention.code)
        if mention.kind == "place" and province:
            found[index_tag("place", province)] = None
    return " ".join(found)


def match_expression(
    tree: Node | None, filters: Iterable[Iterable[str]] = ()
) -> str | None:
    """The FTS5 expression.

    Each filter is a group of tags of which one must be there. None: everything matches.
    """
    parts = [] if tree is None else [_node_sql(tree)]
    parts += [
        f"tags : ({' OR '.join(map(_quote, group))})"
        for group in map(tuple, filters)
        if group
    ]
    return " AND ".join(parts) or None


def _node_sql(tree: Node) -> str:
    match tree:
        case SearchTerm():
            return _term_sql(tree)
        case And(parts):
            return _conjunction_sql(
                [part for part in parts if not isinstance(part, Not)],
                [part.part for part in parts if isinstance(part, Not)],
            )
        case Or(parts):
            return "(" + " OR ".join(_node_sql(part) for part in parts) + ")"
        case Not(part):
            return _conjunction_sql([], [part])


def _conjunction_sql(wanted: list[Node], unwanted: list[Node]) -> str:
    sides = [_node_sql(part) for part in wanted] or [f'tags : "{EVERY_DOCUMENT_TAG}"']
    left = " AND ".join(sides)
    if not unwanted:
        return f"({left})"
    out = [
        _node_sql(one)
        for part in unwanted
        for one in (part.parts if isinstance(part, Or) else (part,))
    ]
    # Words that are wanted and unwanted are in no text: FTS5 finds that out by reading
    # all that have them.
    return (
        f'tags : "{NO_DOCUMENT_TAG}"'
        if not set(sides).isdisjoint(out)
        else f"(({left}) NOT ({' OR '.join(out)}))"
    )


def _term_sql(term: SearchTerm) -> str:
    # All columns but one: naming the two that are meant makes FTS5 take a prefix's
    # postings apart, 61 ms instead of 38.
    column = "title" if term.title else "- tags"
    return f"{column} : {_quote(' '.join(term.words))}{' *' if term.prefix else ''}"


def _quote(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
