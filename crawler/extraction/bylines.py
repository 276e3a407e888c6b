"""Bylines to names of people: prefixes, roles, places, addresses and agencies go. Pure.

The words are data: `data/byline_words.csv` and `data/agencies.csv`. Strings are cut
before any pattern sees them: one tool takes 15.8 s for 20,000 opening brackets.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import unescape

from crawler import data_files
from storage.folding import fold, printable

MAX_BYLINE_CHARS = 200
MAX_NAMES = 20
_MAX_NAME_CHARS = 60  # of a person or of an outlet that signs
_MAX_NAME_WORDS = 6
_SEPARATOR = re.compile(r"\s*(?:[;,/|•·&،؛\n]|\s[-–—]\s)\s*")
_ADDRESS = re.compile(
    r"\S{0,60}@\S{1,60}|https?:\S{0,200}|www\.\S{0,100}"
    r"|\([^()]{0,100}\)|\[[^\][]{0,100}\]"
)
_NOISE = re.compile(r"\d{2,}|[<>{}=_#%@]")
_HOST = re.compile(r"[\w-]{1,40}(?:\.[\w-]{1,20}){0,3}\.[a-z]{2,6}", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[\W_]+")
_EDGES = " \t.:،,;|-–—*•\"'“”«»"


def find_people(bylines: Iterable[str], *, site: str | None = None) -> tuple[str, ...]:
    """The people that the bylines name, each once, in their order.

    `site` is the site's name, which is no person.
    """
    found: dict[str, str] = {}
    for byline in bylines:
        for piece in _split_byline(byline):
            name = _strip_prefix(piece)
            if _is_person(name, site):
                found.setdefault(fold(name), name)
    return tuple(found.values())[:MAX_NAMES]


def signing_outlets(signatures: Iterable[str]) -> tuple[str, ...]:
    """The agencies or papers that sign where no person does, each once, in their order.

    They are spelled as they write themselves.
    """
    found: dict[str, None] = {}
    for signature in signatures:
        name = _single_spaced(signature).strip(_EDGES)
        if not 2 <= len(name) <= _MAX_NAME_CHARS or _ADDRESS.search(name):
            continue
        if fold(name) not in _words_of_kind("nobody"):
            found[name] = None
    return tuple(found)[:MAX_NAMES]


def agency_name(name: str) -> str | None:
    """The usual name of the agency or outlet that a name stands for, None for none."""
    return _agencies_by_letters().get(_folded_letters(name))


def _split_byline(byline: str) -> Iterator[str]:
    """The pieces of a byline, each of which may be a name."""
    text = _ADDRESS.sub(" ", _single_spaced(byline))
    for part in _joiners().split(text):
        for piece in _SEPARATOR.split(part):
            yield piece.strip(_EDGES)


def _single_spaced(text: str) -> str:
    return " ".join(printable(unescape(text[:MAX_BYLINE_CHARS])).split())


def _strip_prefix(text: str) -> str:
    """A piece of a byline without "By", "Written by", "نویسنده:"."""
    words = text.split()
    for size in (3, 2, 1):
        if len(words) <= size:
            continue
        beginning = fold(" ".join(words[:size])).rstrip(" :")
        if beginning in _words_of_kind("prefix"):
            return " ".join(words[size:]).lstrip(" :").strip(_EDGES)
    return text


def _is_person(name: str, site: str | None) -> bool:
    """Whether a piece of a byline can be a name of somebody."""
    folded = fold(name)
    words = folded.split()
    return (
        2 <= len(name) <= _MAX_NAME_CHARS
        and 1 <= len(words) <= _MAX_NAME_WORDS
        and not _NOISE.search(name)
        and not _HOST.fullmatch(name)
        and any(char.isalpha() for char in name)
        and folded not in _words_of_kind("nobody")
        and _words_of_kind("role").isdisjoint(words)
        and (site is None or _folded_letters(name) != _folded_letters(site))
        and agency_name(name) is None
    )


def _folded_letters(name: str) -> str:
    return _NO_LETTERS.sub("", fold(name[:MAX_BYLINE_CHARS]))


@cache
def _words_of_kind(kind: str) -> frozenset[str]:
    """The folded words of one kind: prefix, role, nobody."""
    rows = data_files.read_csv("byline_words.csv")
    return frozenset(fold(row["word"]) for row in rows if row["kind"] == kind)


@cache
def _joiners() -> re.Pattern[str]:
    """The words that stand between two names: "and", "و", "und"."""
    rows = data_files.read_csv("byline_words.csv")
    words = [re.escape(row["word"]) for row in rows if row["kind"] == "joiner"]
    return re.compile(rf"\s(?:{'|'.join(words)})\s", re.IGNORECASE)


@cache
def _agencies_by_letters() -> dict[str, str]:
    rows = data_files.read_csv("agencies.csv")
    return {_folded_letters(row["form"]): row["name"] for row in rows}
