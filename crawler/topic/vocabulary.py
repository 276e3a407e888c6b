"""All words that are looked for in a text: places, actors, events, words against.

Data: `data/lexicon.csv` (a term, its group, what it stands for, its weight from 0 to 1)
and the gazetteer. A new event word is a row there. All are in one automaton, built once
in a process, at the first use. Texts are folded and their punctuation becomes spaces,
one for one, so that a place in the folded text is the same place in the text as it was
written. Pure.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import ahocorasick

from crawler import data_files
from crawler.topic import gazetteer
from storage import folding

# (term, group or group:id, weight): what a user adds in the configuration
ExtraTerm = tuple[str, str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LexiconTerm:
    """One meaning of one form."""

    group: str  # anchor, actor, event, context, negative, elsewhere, place
    # What it stands for: an actor, a kind of event, a kind of negative, a place's code
    id: str
    text: str  # as the data file writes it
    weight: float  # 0 to 1: how surely it stands for that
    language: str = ""
    # soft, case, cue, armed, state: their meanings stand in data/CREDITS.md
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it was written, and folded to the same length.

    `part` is that of the article: title, lead or body.
    """

    text: str
    part: str
    folded: str


class TermMatch(NamedTuple):
    """A form that was found: its meanings, and where it stands.

    `sentence` is the sentence's number in the text, `start` and `end` are characters in
    it.
    """

    terms: tuple[LexiconTerm, ...]
    sentence: int
    start: int
    end: int


# Names may stand inside a phrase for an event or a word of conflict
NAME_GROUPS = frozenset({"actor", "place", "anchor"})
CONFLICT_GROUPS = frozenset({"event", "context"})

_ARABIC = re.compile("[\u0600-\u06ff]")
# Endings of case, number and possession that Dari and Pashto write onto a noun, folded
_NOUN_ENDINGS = frozenset(
    "و ی ه ها های هایی ان انو ونه ونو یان یانو یو ای ات گان گانو گانی".split()  # noqa: SIM905 - eighteen lines else
)
_PLACE_ENDINGS = frozenset({"و", "یو"})  # وردګو, خوګیاڼو; کابلی is a person from Kabul
# A shorter stem takes no ending: بم + ان is a Bam palm grove
_MIN_STEM_LETTERS = 4
_PLACE_WEIGHT = 0.9
_ADDED_ID = "added"  # of a user's term that says no more than its group


class _FoldedLetters(dict[int, str]):
    """Each character's folded letter or digit, worked out when first seen.

    A space stands for anything else.
    """

    def __missing__(self, code: int) -> str:
        letter = folding.fold(chr(code))[:1]
        self[code] = letter if letter.isalnum() else " "
        return self[code]


_FOLDED_LETTERS = _FoldedLetters()


# Vowel signs, joiners and directions, written or left out as a keyboard likes
_MARKS = re.compile(
    "[\u0640\u064b-\u0652\u0670\u200b\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]"
)


def strip_marks(text: str) -> str:
    """The text composed and without vowel signs.

    `fold_letters` is given such a text, so that a letter keeps its place.
    """
    return _MARKS.sub("", unicodedata.normalize("NFC", text))


def fold_letters(text: str) -> str:
    """The text folded letter by letter, as long as before.

    A space stands for each mark of punctuation.
    """
    return text.translate(_FOLDED_LETTERS)


def terms_of_group(group: str) -> Iterator[LexiconTerm]:
    """All terms of one group of the lexicon."""
    return (term for term in _load_lexicon() if term.group == group)


@cache
def _load_lexicon() -> tuple[LexiconTerm, ...]:
    return tuple(
        LexiconTerm(
            group=row["group"],
            id=row["id"],
            text=row["term"],
            weight=float(row["weight"]),
            language=row["language"],
            flags=frozenset(row["flags"].split()),
        )
        for row in data_files.read_csv("lexicon.csv")
    )


def all_terms(extra: Iterable[ExtraTerm] = ()) -> Iterator[LexiconTerm]:
    """The lexicon's terms, the gazetteer's, and those that a user added."""
    yield from _load_lexicon()
    yield from _place_terms()
    yield from _user_terms(extra)


def _place_terms() -> Iterator[LexiconTerm]:
    no_flags, needs_cue = frozenset[str](), frozenset({"cue"})
    for place in gazetteer.load_places().values():
        for form in place.spellings:
            yield LexiconTerm(
                group="place",
                id=place.code,
                text=form,
                weight=_PLACE_WEIGHT,
                flags=needs_cue if form in place.cued else no_flags,
            )


def _user_terms(extra: Iterable[ExtraTerm]) -> Iterator[LexiconTerm]:
    for text, category, weight in extra:
        group, _, kind = category.partition(":")
        if not fold_letters(text).strip():
            continue
        yield LexiconTerm(
            group=group, id=kind or _ADDED_ID, text=text, weight=min(abs(weight), 1.0)
        )


def _folded_spellings(term: LexiconTerm) -> set[str]:
    """The form as it is written and without its joiner, folded.

    With them go the other cases of a Pashto noun in -ه.
    """
    forms = {term.text, term.text.replace("\u200c", "")}
    is_pashto_noun = term.language == "ps" and term.text.endswith("ه")
    if is_pashto_noun and len(term.text.split()[-1]) >= _MIN_STEM_LETTERS:
        # چاودنه: چاودنې, چاودنو
        forms |= {term.text[:-1] + "ې", term.text[:-1] + "و"}
    return {fold_letters(strip_marks(form)) for form in forms}


def inflected_forms(term: LexiconTerm) -> Iterator[str]:
    """Each form under which `find_terms` knows a term, folded.

    Endings that are written onto it are on it.
    """
    endings = _PLACE_ENDINGS if term.group == "place" else _NOUN_ENDINGS
    for form in _folded_spellings(term):
        yield form
        if _ARABIC.search(form) and len(form.strip()) >= _MIN_STEM_LETTERS:
            for ending in endings:
                yield form.rstrip() + ending


def _build_automaton(terms: Iterable[LexiconTerm]) -> Any:
    """Forms to (length, meanings, whether one of these depends on capital letters)."""
    meanings: dict[str, list[LexiconTerm]] = {}
    for term in terms:
        for form in _folded_spellings(term):
            # Latin forms end at a word's end; forms in Arabic script may carry an
            # ending, which is looked at when they are found
            key = f" {form}" if _ARABIC.search(form) else f" {form} "
            meanings.setdefault(key, []).append(term)
    automaton = ahocorasick.Automaton()
    for key, found in meanings.items():
        distinct = tuple(dict.fromkeys(found))
        needs_case = any("case" in term.flags for term in distinct)
        automaton.add_word(key, (len(key.strip()), distinct, needs_case))
    if meanings:
        automaton.make_automaton()
    return automaton


@cache
def _shipped_automaton() -> Any:
    return _build_automaton((*_load_lexicon(), *_place_terms()))


@lru_cache(maxsize=8)
def _user_automaton(extra: tuple[ExtraTerm, ...]) -> Any:
    return _build_automaton(_user_terms(extra))


def find_terms(
    sentence: Sentence, number: int, *, extra: tuple[ExtraTerm, ...] = ()
) -> list[TermMatch]:
    """All forms in one sentence, the longest at each place.

    `number` is the sentence's in its text.
    """
    found = list(_find_all(_shipped_automaton(), sentence, number))
    if extra:
        automaton = _user_automaton(extra)
        if len(automaton):  # an empty one cannot be asked
            found += _find_all(automaton, sentence, number)
    return _drop_inner_matches(found)


def _find_all(automaton: Any, sentence: Sentence, number: int) -> Iterator[TermMatch]:
    text = f" {sentence.folded} "
    for last, (length, terms, needs_case) in automaton.iter(text):
        meanings = terms
        if text[last] == " ":
            start, end = last - 1 - length, last - 1
        elif text[last + 1] == " ":
            start, end = last - length, last
        elif length >= _MIN_STEM_LETTERS:
            start, end = last - length, text.index(" ", last) - 1
            meanings = _meanings_with_ending(terms, text[last + 1 : end + 1])
        else:
            continue
        if needs_case:
            # Abbreviations count only as they are written: ISIS, not Isis
            written = sentence.text[start:end]
            meanings = tuple(
                term
                for term in meanings
                if "case" not in term.flags or term.text == written
            )
        if meanings:
            yield TermMatch(meanings, number, start, end)


def _meanings_with_ending(
    terms: tuple[LexiconTerm, ...], ending: str
) -> tuple[LexiconTerm, ...]:
    if ending in _PLACE_ENDINGS:
        return terms
    if ending in _NOUN_ENDINGS:
        return tuple(term for term in terms if term.group != "place")
    return ()


def _drop_inner_matches(matches: Iterable[TermMatch]) -> list[TermMatch]:
    """The forms that stand in no longer one.

    "Pakistani Taliban" is not the Taliban, an Afghan hound no Afghan. A phrase for an
    event keeps the names inside it: "fell to the Taliban" names them.
    """
    kept: list[TermMatch] = []
    reach = -1  # where the forms kept so far end
    # The longest of those that begin together comes first: two sorts by a field are
    # cheaper than one by a function.
    ordered = sorted(matches, key=attrgetter("end"), reverse=True)
    ordered.sort(key=attrgetter("start"))
    for match in ordered:
        if match.start >= reach:
            kept.append(match)
        elif kept[-1].start == match.start and kept[-1].end == match.end:
            kept[-1] = TermMatch(kept[-1].terms + match.terms, *match[1:])
        elif _may_stand_inside(match, kept[-6:]):
            kept.append(match)
        reach = max(reach, match.end)
    return kept


def _may_stand_inside(match: TermMatch, before: Iterable[TermMatch]) -> bool:
    around = [
        outer
        for outer in before
        if outer.start <= match.start and match.end <= outer.end
    ]
    if not around:
        return True
    if not all(term.group in NAME_GROUPS for term in match.terms):
        return False
    outer_terms = chain.from_iterable(outer.terms for outer in around)
    return all(term.group in CONFLICT_GROUPS for term in outer_terms)
