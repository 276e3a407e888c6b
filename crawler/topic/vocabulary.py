"""All words that are looked for in a text, in one automaton.

Places, actors, events, and what speaks against the topic.

Data: `data/lexicon.csv` (a term, its group, what it stands for, its weight from 0 to 1)
and the gazetteer. Built once in a process, at the first use. Texts are folded and their
punctuation becomes spaces, one for one, so that a place in the folded text is the same
place in the text as it was written.
"""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from operator import attrgetter
from typing import Any, NamedTuple

import ahocorasick

from crawler.topic import gazetteer
from storage import folding

# (term, group or group:id, weight): what a user adds in the configuration
ExtraTerm = tuple[str, str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LexiconTerm:
    """One meaning of one form."""

    group: str  # anchor, actor, event, context, negative, elsewhere, place
    # What it stands for: an actor, a kind of event, a kind of negative, the code of a
    # place
    id: str
    text: str  # as the data file writes it
    weight: float  # 0 to 1: how surely it stands for that
    language: str = ""
    # Soft, case, cue, armed, state: see data/CREDITS.md
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it was written, its part of the article (title, lead, body), and its letters folded, as long."""

    text: str
    where: str
    folded: str


class TermMatch(NamedTuple):
    """A form that was found.

    Its meanings, the sentence, and where in the sentence it stands.
    """

    terms: tuple[LexiconTerm, ...]
    sentence: int
    start: int
    end: int


_ARABIC = re.compile("[\u0600-\u06ff]")
# Endings of case, number and possession that Dari and Pashto write onto a noun, after
# folding.
_NOUN_ENDINGS = frozenset(
    [
        "و",
        "ی",
        "ه",
        "ها",
        "های",
        "هایی",
        "ان",
        "انو",
        "ونه",
        "ونو",
        "یان",
        "یانو",
        "یو",
        "ای",
        "ات",
        "گان",
        "گانو",
        "گانی",
    ]
)
_PLACE_ENDINGS = frozenset({"و", "یو"})  # وردګو, خوګیاڼو; کابلی is a person from Kabul
# Letters; a shorter one takes no ending: بم + ان is a Bam palm grove
_MIN_STEM_LETTERS = 4


class _FoldedLetters(dict[int, str]):
    """Each character's folded letter or digit, a space for anything else.

    Worked out when first seen.
    """

    def __missing__(self, code: int) -> str:
        letter = folding.fold(chr(code))[:1]
        self[code] = letter if letter.isalnum() else " "
        return self[code]


_FOLDED_LETTERS = _FoldedLetters()


# Vowel signs, joiners and directions: written or left out as a keyboard likes.
_MARKS = re.compile(
    "[\u0640\u064b-\u0652\u0670\u200b\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]"
)


def strip_marks(text: str) -> str:
    """The text composed and without vowel signs.

    What `plain` is given, so that a letter keeps its place.
    """
    return _MARKS.sub("", unicodedata.normalize("NFC", text))


def fold_letters(text: str) -> str:
    """Folded letter by letter, with a space for each mark of punctuation.

    Exactly as long as the text.
    """
    return text.translate(_FOLDED_LETTERS)


def terms_of_group(group: str) -> Iterator[LexiconTerm]:
    """All terms of one group of the lexicon."""
    return (term for term in _load_lexicon() if term.group == group)


@cache
def _load_lexicon() -> tuple[LexiconTerm, ...]:
    text = (
        resources.files("crawler")
        .joinpath("data/lexicon.csv")
        .read_text(encoding="utf-8")
    )
    return tuple(
        LexiconTerm(
            group=row["group"],
            id=row["id"],
            text=row["term"],
            weight=float(row["weight"]),
            language=row["language"],
            flags=frozenset(row["flags"].split()),
        )
        for row in csv.DictReader(text.splitlines())
    )


def all_terms(extra: Iterable[ExtraTerm] = ()) -> Iterator[LexiconTerm]:
    """Every term there is.

    The lexicon's, the gazetteer's, and those that a user added.
    """
    yield from _load_lexicon()
    yield from _place_terms()
    yield from _user_terms(extra)


def _place_terms() -> Iterator[LexiconTerm]:
    bare, cued = frozenset[str](), frozenset({"cue"})
    for place in gazetteer.load_places().values():
        for form in place.spellings:
            yield LexiconTerm(
                group="place",
                id=place.code,
                text=form,
                weight=0.9,
                flags=cued if form in place.cued else bare,
            )


def _spellings(term: LexiconTerm) -> set[str]:
    """The form as it is written, without its joiner, and a Pashto noun in -ه with the endings of its other cases."""
    forms = {term.text, term.text.replace("\u200c", "")}
    if (
        term.language == "ps"
        and term.text.endswith("ه")
        and len(term.text.split()[-1]) >= _MIN_STEM_LETTERS
    ):
        # چاودنه: چاودنې, چاودنو
        forms |= {term.text[:-1] + ending for ending in ("ې", "و")}
    return forms


def inflected_forms(term: LexiconTerm) -> Iterator[str]:
    """Each form under which `find` knows a term, folded, with the endings that are written onto it."""
    for form in _spellings(term):
        key = fold_letters(strip_marks(form))
        yield key
        if _ARABIC.search(key) and len(key.strip()) >= _MIN_STEM_LETTERS:
            yield from (
                key.rstrip() + ending
                for ending in (
                    _PLACE_ENDINGS if term.group == "place" else _NOUN_ENDINGS
                )
            )


def _build_automaton(terms: Iterable[LexiconTerm]) -> Any:
    meanings: dict[str, list[LexiconTerm]] = {}
    for term in terms:
        for form in _spellings(term):
            key = fold_letters(strip_marks(form))
            # Latin forms end at a word's end; forms in Arabic script may carry an
            # ending, looked at when found.
            meanings.setdefault(
                f" {key}" if _ARABIC.search(key) else f" {key} ", []
            ).append(term)
    automaton = ahocorasick.Automaton()
    for key, found in meanings.items():
        kept = tuple(dict.fromkeys(found))
        automaton.add_word(
            key, (len(key.strip()), kept, any("case" in term.flags for term in kept))
        )
    if meanings:
        automaton.make_automaton()
    return automaton


@cache
def _shipped_automaton() -> Any:
    return _build_automaton((*_load_lexicon(), *_place_terms()))


@lru_cache(maxsize=8)
def _user_automaton(extra: tuple[ExtraTerm, ...]) -> Any:
    return _build_automaton(_user_terms(extra))


def _user_terms(extra: Iterable[ExtraTerm]) -> Iterator[LexiconTerm]:
    for text, category, weight in extra:
        group, _, kind = category.partition(":")
        if fold_letters(text).strip():
            yield LexiconTerm(
                group=group, id=kind or "added", text=text, weight=min(abs(weight), 1.0)
            )


def find_terms(
    sentence: Sentence, number: int, *, extra: tuple[ExtraTerm, ...] = ()
) -> list[TermMatch]:
    """All forms in one sentence, the longest at each place.

    `number` is the sentence's in its text.
    """
    text = f" {sentence.folded} "
    automata = [_shipped_automaton(), *([_user_automaton(extra)] if extra else [])]
    found = [
        hit
        for a in automata
        if len(a)
        for hit in _iterate_matches(a, text, sentence.text, number)
    ]
    return _drop_inner_matches(found)


def _iterate_matches(
    automaton: Any, text: str, sentence: str, number: int
) -> Iterator[TermMatch]:
    for last, (length, terms, cased) in automaton.iter(text):
        if text[last] == " ":
            start, end = last - 1 - length, last - 1
        elif text[last + 1] == " ":
            start, end = last - length, last
        elif length >= _MIN_STEM_LETTERS:
            start, end = last - length, text.index(" ", last) - 1
            terms = _terms_with_ending(terms, text[last + 1 : end + 1])  # noqa: PLW2901 - narrowed, as the next lines do
        else:
            continue
        if cased:
            # Abbreviations only as they are written: ISIS, not Isis.
            written = sentence[start:end]
            terms = tuple(  # noqa: PLW2901
                t for t in terms if "case" not in t.flags or t.text == written
            )  # noqa: PLW2901, RUF100
        if terms:
            yield TermMatch(terms, number, start, end)


def _terms_with_ending(
    terms: tuple[LexiconTerm, ...], ending: str
) -> tuple[LexiconTerm, ...]:
    """The meanings that the form keeps with this ending."""
    if ending in _PLACE_ENDINGS:
        return terms
    return (
        tuple(term for term in terms if term.group != "place")
        if ending in _NOUN_ENDINGS
        else ()
    )


_NAME_GROUPS = frozenset({"actor", "place", "anchor"})
_CONFLICT_GROUPS = frozenset({"event", "context"})


def _drop_inner_matches(hits: Iterable[TermMatch]) -> list[TermMatch]:
    """Without the forms inside a longer one.

    "Pakistani Taliban" is not the Taliban, an Afghan hound no Afghan.

    A phrase for an event keeps the names inside it: "fell to the Taliban" names them.
    """
    kept: list[TermMatch] = []
    reach = -1  # where the forms kept so far end
    # The longest of those that begin together comes first: two sorts by a field are
    # cheaper than one by a function.
    ordered = sorted(
        sorted(hits, key=attrgetter("end"), reverse=True), key=attrgetter("start")
    )
    for hit in ordered:
        if hit.start >= reach:
            kept.append(hit)
        elif kept[-1].start == hit.start and kept[-1].end == hit.end:
            kept[-1] = TermMatch(kept[-1].terms + hit.terms, *hit[1:])
        else:
            around = [k for k in kept[-6:] if k.start <= hit.start and hit.end <= k.end]
            if not around or (
                _groups(hit) <= _NAME_GROUPS
                and all(_groups(k) <= _CONFLICT_GROUPS for k in around)
            ):
                kept.append(hit)
        reach = max(reach, hit.end)
    return kept


def _groups(hit: TermMatch) -> set[str]:
    return {term.group for term in hit.terms}
