"""Other forms of a word that a person types, in Dari and Pashto.

Plurals and cases, so that a search for چاودنه finds چاودنې and چاودنو, and one for حملات
finds حمله. Words are folded (`storage.folding`), so that ې and ۍ are ی. Which words carry
no meaning in a search, and which take no ending: `storage/data/query_words.csv`, written
for this project. Pure.
"""

import re
from functools import cache

from storage import data_files
from storage.folding import fold

_ARABIC_WORD = re.compile("[\u0620-\u06d3]{3,}")
# Of a stem that is left of a word or takes an ending. Shorter ones are other words:
# باران is "rain" and no plural of بار
_MIN_STEM_LETTERS = 4
# The endings of three letters are safer: جنګونه
_MIN_STEM_OF_LONG_ENDING = 3
_LONG_ENDINGS = ("ونه", "ونو", "های")
_PLURALS = ("انو", "ان", "ها")


@cache
def _load_words() -> dict[str, frozenset[str]]:
    words: dict[str, set[str]] = {}
    for row in data_files.read_csv("storage", "data/query_words.csv"):
        words.setdefault(row["kind"], set()).update(fold(row["words"]).split())
    return {kind: frozenset(of_kind) for kind, of_kind in words.items()}


def is_stop_word(word: str) -> bool:
    """Whether a folded word says nothing in a search: "of", "in", "and", "is"."""
    return word in _load_words()["stop"]


def drop_suffixes(words: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of a word typed with joiners, without its endings: حمله‌های is حمله."""
    suffixes = _load_words()["suffix"]
    end = len(words)
    while end > 1 and words[end - 1] in suffixes:
        end -= 1
    return words[:end]


# Newspapers write one word with the hamza on several letters or on none, and folding
# keeps the letter that it sits on: مسئول, مسؤول and مسوول; هیئت and هیأت; مسئله and مسأله
_HAMZA_SEATS = (
    (re.compile("یو"), "وو"),
    (re.compile("وو"), "یو"),
    (re.compile("(?<=.)یت$"), "ات"),
    (re.compile("(?<=.)ات$"), "یت"),
    (re.compile("(?<=.)یله$"), "اله"),
    (re.compile("(?<=.)اله$"), "یله"),
)
# A verb's beginning is written onto it, with a joiner, or apart: میشود
_SEPARABLE_PREFIXES = ("نمی", "می", "بی")
_MIN_PART_LETTERS = 3


def hamza_spellings(word: str) -> tuple[str, ...]:
    """A folded word and its spellings with the hamza on other letters, itself first.

    At its end the hamza is written or left out: علماء, علما.
    """
    if not _ARABIC_WORD.fullmatch(word):
        return (word,)
    spellings = [word]
    for seat, other in _HAMZA_SEATS:
        spellings.append(seat.sub(other, word))
    bare = word.removesuffix("ء")
    spellings.append(bare)
    if bare.endswith("ا"):
        spellings.append(bare + "ء")
    return tuple(dict.fromkeys(spellings))


def split_spellings(word: str) -> list[tuple[str, str]]:
    """Two words that a word may be written as where a page has a joiner inside it.

    After a verb's prefix, and after ه, behind which the joiner is typed or forgotten:
    وسلهوال is وسله‌وال.
    """
    if not _ARABIC_WORD.fullmatch(word):
        return []
    cuts = {len(prefix) for prefix in _SEPARABLE_PREFIXES if word.startswith(prefix)}
    cuts |= {
        at + 1
        for at, letter in enumerate(word)
        if letter == "ه" and at + 1 >= _MIN_PART_LETTERS
    }
    parts = [(word[:cut], word[cut:]) for cut in sorted(cuts)]
    return [part for part in parts if len(part[1]) >= _MIN_PART_LETTERS]


def word_forms(word: str) -> tuple[str, ...]:
    """A folded word and its other numbers and cases, itself first.

    A word in another script, a short one, and a participle have none.
    """
    if not _ARABIC_WORD.fullmatch(word) or word in _load_words()["uninflected"]:
        return (word,)
    forms = [*hamza_spellings(word)]
    for stem in (word, *_stems(word)):
        forms += _forms_of_stem(stem)
    return tuple(dict.fromkeys(forms))


def _stems(word: str) -> list[str]:
    """What a word may be a form of."""
    for ending in _LONG_ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _MIN_STEM_OF_LONG_ENDING:
            return [stem]
    # پناهندگان, حملات: of a noun in -ه
    for ending in ("گانو", "گان", "ات"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _MIN_STEM_OF_LONG_ENDING:
            return [stem + "ه"]
    for ending in _PLURALS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _MIN_STEM_LETTERS:
            return [stem]
    stem = word[:-1]
    if len(stem) < _MIN_STEM_OF_LONG_ENDING:
        return []
    if word.endswith("و"):
        # نښتو is of نښته, عسکرو of عسکر, چارواکو of چارواکی
        stems = [stem + "ه", stem + "ی"]
        if len(stem) >= _MIN_STEM_LETTERS:
            stems.append(stem)
        return stems
    if word.endswith("ی"):
        # نښتې is of نښته. ملکی is not of ملک, "king"
        return [stem + "ه"]
    return []


def _forms_of_stem(stem: str) -> list[str]:
    if len(stem) < _MIN_STEM_OF_LONG_ENDING:
        return []
    short = stem[:-1]
    forms = [stem, stem + "ها", stem + "های"]
    if stem.endswith("ه"):
        if len(stem) >= _MIN_STEM_LETTERS:
            forms += [short + "ی", short + "و", short + "ات", short + "گان"]
        return forms
    if stem.endswith("ی"):
        return [*forms, short + "و", stem + "و", stem + "ان", stem + "انو"]
    forms += [stem + "ونه", stem + "ونو"]
    if len(stem) >= _MIN_STEM_LETTERS:
        forms += [stem + "و", stem + "ان", stem + "انو", stem + "ات"]
    return forms
