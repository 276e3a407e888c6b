"""Bylines to names of people: prefixes, roles, places, addresses and agencies go. Pure.

The words are data: `data/byline_words.csv`, `data/outlet_words.csv` and
`data/agencies.csv`. Strings are cut before any pattern sees them: one tool takes 15.8 s
for 20,000 opening brackets.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache

from crawler import data_files
from crawler.extraction import inline_text
from storage.folding import fold

MAX_BYLINE_CHARS = 200
MAX_NAMES = 20
_MAX_NAME_CHARS = 60  # of a person or of an outlet that signs
_MAX_NAME_WORDS = 6
_MAX_PREFIX_WORDS = 5
# Letters: a shorter end of a site's name may be a person's.
_MIN_SITE_PART_LETTERS = 8
_SEPARATOR = re.compile(r"\s*(?:[;,/／|•·&،؛、\n]|\s[-–—]\s)\s*")
_ADDRESS = re.compile(
    r"\S{0,60}@\S{0,60}|https?:\S{0,200}|www\.\S{0,100}"
    r"|\([^()]{0,100}\)|\[[^\][]{0,100}\]|（[^（）]{0,100}）"
)
# What no name has: a number, a piece of a template or of markup.
_NOISE = re.compile(r"\d{2,}|[<>{}=_#%@$:]")
_HOST = re.compile(r"[\w-]{1,40}(?:\.[\w-]{1,20}){0,3}\.[a-z]{2,6}", re.IGNORECASE)
_TEMPLATE = re.compile(r"\{\{|\}\}|\[\[|<%|\$\{|%[A-Z_]{3,}%")
_NO_LETTERS = re.compile(r"[\W_]+")
_LATIN = re.compile(r"[a-zA-ZÀ-ɏ]")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# "Gillman, Steve": two words that are no byline of two people.
_TURNED_NAME = re.compile(r"([^\W\d_][\w'’-]+), ([^\W\d_][\w'’-]*\.?)(?: [A-Z]\.?)?")
_GLUED_BY = re.compile(r"^By(?=[A-Z][a-z]+ [A-Z])")
_EDGES = " \t.:：,،;|-–—*•●■\"'“”«»"


def find_people(
    bylines: Iterable[str], *, sites: Collection[str] = ()
) -> tuple[str, ...]:
    """The people that the bylines name, each once, in their order.

    `sites` are the site's names, which are no persons.
    """
    own = {_folded_letters(site) for site in sites} - {""}
    found: dict[str, str] = {}
    for byline in bylines:
        for piece in _split_byline(byline):
            name = _strip_to_name(piece)
            if _is_person(name, own):
                found.setdefault(fold(name), name)
    return tuple(found.values())[:MAX_NAMES]


def signing_outlets(signatures: Iterable[str]) -> tuple[str, ...]:
    """The agencies or papers that sign where no person does, each once, in their order.

    They are spelled as they write themselves. A desk without a name and a template are
    nobody.
    """
    found: dict[str, None] = {}
    for signature in signatures:
        if _TEMPLATE.search(signature[:MAX_BYLINE_CHARS]):
            continue
        name = _strip_prefix(_single_spaced(signature).strip(_EDGES))
        if not 2 <= len(name) <= _MAX_NAME_CHARS or _ADDRESS.search(name):
            continue
        if fold(name) in _words_of_kind("nobody") or _is_desk(name):
            continue
        if not any(char.isalpha() for char in name):
            continue
        found[name] = None
    return tuple(found)[:MAX_NAMES]


def agency_name(name: str) -> str | None:
    """The usual name of the agency or outlet that a name stands for, None for none."""
    return _agencies_by_letters().get(_folded_letters(name))


def is_written_without_spaces(name: str) -> bool:
    """Whether a name is in a script that puts no space between its parts."""
    return _UNSPACED.search(name) is not None


def count_prefix_words(text: str) -> int:
    """How many words of a byline's beginning a text has: "By" one, "Posted by" two."""
    text = _single_spaced(text).strip(_EDGES)
    return len(text.split()) - len(_strip_prefix(text).split())


def _split_byline(byline: str) -> Iterator[str]:
    """The pieces of a byline, each of which may be a name."""
    if _TEMPLATE.search(byline[:MAX_BYLINE_CHARS]):
        return
    lines = byline[:MAX_BYLINE_CHARS].split("\n")
    for line in lines:
        text = _ADDRESS.sub(" ", _single_spaced(line)).strip(_EDGES)
        turned = _TURNED_NAME.fullmatch(text)
        places = _words_of_kind("place")
        if turned and places.isdisjoint(map(fold, turned.groups())):
            yield f"{turned.group(2)} {turned.group(1)}"
            continue
        for part in _joiners().split(text):
            for piece in _SEPARATOR.split(part):
                yield piece.strip(_EDGES)


def _single_spaced(text: str) -> str:
    return inline_text.plain_line(text, max_chars=MAX_BYLINE_CHARS)


def _strip_to_name(piece: str) -> str:
    """A piece of a byline without what stands before and behind a name in it."""
    name = _strip_leading_date(piece)
    name = _strip_prefix(name)
    name = _strip_date(name)
    name = _strip_place(name)
    name = _strip_suffix(name)
    name = _strip_roles(name)
    return name.strip(_EDGES)


def _strip_prefix(text: str) -> str:
    """A piece of a byline without "By", "Written by", "نویسنده:", one after the other."""
    # Some templates put no blank between the two.
    words = _GLUED_BY.sub("By ", text).replace("：", ": ").split()
    prefixes = _words_of_kind("prefix")
    size = 1
    while size <= min(_MAX_PREFIX_WORDS, len(words) - 1):
        beginning = fold(" ".join(words[:size])).rstrip(" :：●")
        # "Text by" before "Text": the longest is what is meant.
        longer = fold(" ".join(words[: size + 1])).rstrip(" :：●")
        if beginning in prefixes and longer not in prefixes:
            words = words[size:]
            size = 1
            continue
        size += 1
    return " ".join(words).lstrip(" :：●").strip(_EDGES)


def _strip_leading_date(text: str) -> str:
    """A piece without the date before it: "10 May 2026 by Nadia Example"."""
    words = text.split()
    place = 0
    while place < len(words) and (
        any(char.isdigit() for char in words[place])
        or fold(words[place].strip(_EDGES)) in _date_words()
    ):
        place += 1
    # "May Example" begins with a month and is a name.
    if any(char.isdigit() for char in "".join(words[:place])):
        return " ".join(words[place:])
    return text


def _strip_date(text: str) -> str:
    """A piece without the date, the time or the length of reading at its end."""
    words = text.split()
    for place, word in enumerate(words):
        if any(char.isdigit() for char in word):
            words = words[:place]
            break
    else:
        return text
    while words and fold(words[-1].strip(_EDGES)) in _date_words():
        words.pop()
    return " ".join(words)


def _strip_place(text: str) -> str:
    """A piece without "in Kabul" or "for The Orbit"; nothing of a place alone."""
    words = text.split()
    marks = _words_of_kind("place_mark")
    if words and fold(words[0]) in _words_of_kind("place_word"):
        return ""
    for place, word in enumerate(words[1:], start=1):
        if fold(word) not in marks:
            continue
        # One name and a place, or a name and an employer. An institute "for" something
        # is neither.
        least = 1 if fold(word) in _words_of_kind("place_word") else 2
        # "Human in the Loop" is a name of its own.
        follows = words[place + 1 : place + 2]
        if place >= least and not any(one[:1].islower() for one in follows):
            return " ".join(words[:place])
    return text


def _strip_suffix(text: str) -> str:
    """A piece without the words of buttons behind a name: "Follow", "All posts"."""
    words = text.split()
    suffixes = _words_of_kind("suffix")
    for size in (3, 2, 1):
        if len(words) > size and fold(" ".join(words[-size:])) in suffixes:
            return _strip_suffix(" ".join(words[:-size]))
    return text


def _strip_roles(text: str) -> str:
    """A piece without a title behind a name, and without roles before one."""
    words = text.split()
    if len(words) > 1 and fold(words[-1]) in _words_of_kind("title"):
        words.pop()
    kept = list(words)
    while kept and fold(kept[0]) in _words_of_kind("role"):
        kept.pop(0)
    is_name = len(kept) > 1 and not (kept[0][:1].islower() or kept[-1][:1].islower())
    return " ".join(kept if is_name else words)


def _is_person(name: str, own: Collection[str]) -> bool:
    """Whether a piece of a byline can be a name of somebody.

    `own` are the letters of the site's names.
    """
    words, folded = name.split(), fold(name)
    return (
        2 <= len(name) <= _MAX_NAME_CHARS
        and 1 <= len(words) <= _MAX_NAME_WORDS
        and not _NOISE.search(name)
        and not _HOST.fullmatch(name)
        and any(char.isalpha() for char in name)
        and not _is_nobody(name)
        and not _is_half_a_sentence(words)
        and not _is_own_site(name, own)
        and (len(words) == 1 or _outlet_words().isdisjoint(folded.split()))
        and agency_name(name) is None
    )


def _is_nobody(name: str) -> bool:
    """Whether a name is a desk, a role, a place or a word that bylines show."""
    folded = fold(name)
    return (
        folded in _words_of_kind("nobody")
        or folded in _words_of_kind("place")
        or not _words_of_kind("role").isdisjoint(folded.split())
    )


def _is_desk(name: str) -> bool:
    """Whether every word of a name is one of roles and desks."""
    known = _words_of_kind("role") | _words_of_kind("nobody")
    return known.issuperset(fold(name).split())


def _is_half_a_sentence(words: list[str]) -> bool:
    """Whether words in Latin script have small letters as no name does.

    Two words in small letters may be a name as it was typed.
    """
    if len(words) < 2 or not _LATIN.match(words[-1]):
        return False
    small = [word[:1].islower() for word in words]
    if len(words) == 2 and all(small):
        return False
    particles = _words_of_kind("particle")
    is_particle = [fold(word) in particles for word in words[:-1]]
    return small[-1] or any(
        is_small and not known
        for is_small, known in zip(small, is_particle, strict=False)
    )


def _is_own_site(name: str, own: Collection[str]) -> bool:
    """Whether a name is the site's, or the end of a longer name of the site."""
    letters = _folded_letters(name)
    if letters in own:
        return True
    bare = letters.removeprefix("the")
    return len(bare) >= _MIN_SITE_PART_LETTERS and any(
        site.endswith(bare) for site in own
    )


def _folded_letters(name: str) -> str:
    return _NO_LETTERS.sub("", fold(name[:MAX_BYLINE_CHARS]))


@cache
def _words_of_kind(kind: str) -> frozenset[str]:
    """The folded words of one kind: prefix, role, nobody and so on."""
    rows = data_files.read_csv("byline_words.csv")
    return frozenset(fold(row["word"]) for row in rows if row["kind"] == kind)


@cache
def _outlet_words() -> frozenset[str]:
    """The folded words by which outlets are known: "Washington Post", "CBC News"."""
    rows = data_files.read_csv("outlet_words.csv")
    return frozenset(fold(row["word"]) for row in rows)


@cache
def _date_words() -> frozenset[str]:
    """The folded words that stand before a date: names of months, "on", "updated"."""
    months: set[str] = set()
    for row in data_files.read_csv("months.csv"):
        months.update(fold(name) for name in row["names"].split("|"))
    return frozenset(months) | _words_of_kind("suffix") | _words_of_kind("date_mark")


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
