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
# Words that Dari has and Iran's Persian has not: ماین, قوماندان. They weigh nothing, and
# settle that a province whose name is also a word is meant
DIALECT_GROUP = "dialect"
CONFLICT_GROUPS = frozenset({"event", "context"})
# Kinds of event that count inside a party's longer name. "Forces" and "weapon" do not:
# each name of an army has one
_EVENTS_INSIDE_NAMES = frozenset(
    {"battles", "explosions", "violence", "violence_against_civilians"}
)

_ARABIC = re.compile("[\u0600-\u06ff]")
# Scripts whose words carry endings: Dari and Pashto, and Tajik and Uzbek in Cyrillic
_TAKES_ENDINGS = re.compile("[\u0400-\u06ff]")
# Endings of case, number and possession that Dari and Pashto write onto a noun, folded
_NOUN_ENDINGS = frozenset(
    "و ی ه ها های هایی ان انو ونه ونو یان یانو یو ای ات گان گانو گانی".split()  # noqa: SIM905 - eighteen lines else
)
# وردګو, خوګیاڼو; کابلی is a person from Kabul. Pashto's کې and ته are written onto a name
# by newsrooms without a joiner: کاپیساکې
_PLACE_ENDINGS = frozenset({"و", "یو", "کی", "کښی", "ته"})
# Pashto's ablative: له کابله, تر هراته. After other words it is another name
_ABLATIVE_ENDING = "ه"
_ABLATIVE_PREPOSITIONS = (" له ", " تر ", " د ")
# Cases and possession in Tajik and Uzbek, folded: Кобулда, Афғонистони, Kobuldagi
_CYRILLIC_ENDINGS = frozenset(
    "и ро ҳо ҳои ҳоро ву лар лари ларининг лардан ларга нинг ни га да дан даги лик ликлар".split()  # noqa: SIM905 - as above
)
_UZBEK_ENDINGS = frozenset(
    "lar lari larning larga lardan ning ni ga da dan dagi lik liklar".split()  # noqa: SIM905 - as above
)
# "And", "of" and "in" that the press of Kandahar writes onto a name: دطالبانو, وکندهار
GLUED_PREFIXES = ("و", "او", "د", "په")
# A shorter stem takes no ending: بم + ان is a Bam palm grove
_MIN_STEM_LETTERS = 4
_MIN_PEOPLE_LETTERS = 6
_PLACE_WEIGHT = 0.9
_ADDED_ID = "added"  # of a user's term that says no more than its group


class _FoldedLetters(dict[int, str]):
    """Each character's folded letter or digit, worked out when first seen.

    A space stands for anything else.
    """

    def __missing__(self, code: int) -> str:
        letter = folding.fold(chr(code))[:1]
        if letter in _UZBEK_APOSTROPHES:
            letter = " "
        self[code] = letter if letter.isalnum() else " "
        return self[code]


# Unicode takes these two for letters, a keyboard writes ' or ‘ for them: Afgʻoniston
_UZBEK_APOSTROPHES = ("ʻ", "ʼ")
_FOLDED_LETTERS = _FoldedLetters()


# The ezafe on ه in its two code points: NFC does not compose them, since ۀ is made of
# another ه. 11 % of 374 Persian texts write it so
_EZAFE_ON_HEH = "ه\u0654"
# Vowel signs, joiners and directions, written or left out as a keyboard likes
_MARKS = re.compile(
    "[\u0640\u064b-\u0655\u0670\u200b\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]"
)


def strip_marks(text: str) -> str:
    """The text composed and without vowel signs.

    `fold_letters` is given such a text, so that a letter keeps its place.
    """
    composed = unicodedata.normalize("NFC", text).replace(_EZAFE_ON_HEH, "ۀ")
    return _MARKS.sub("", composed)


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

    With them go the ezafe written as a word (جبهه‌ی مقاومت), and the other cases of a
    Pashto noun and of a place's name.
    """
    forms = {term.text, term.text.replace("\u200c", "")}
    if not _ARABIC.search(term.text):
        return {fold_letters(strip_marks(form)) for form in forms}
    is_long = len(term.text.split()[-1]) >= _MIN_STEM_LETTERS
    if term.group == "place":
        forms |= place_cases(term.text)
    elif term.language == "ps" and term.text.endswith("ه") and is_long:
        # چاودنه: چاودنې, چاودنو
        forms |= {term.text[:-1] + "ې", term.text[:-1] + "و"}
    for seat, other in _HAMZA_SEATS:
        forms |= {form.replace(seat, other) for form in forms}
    folded = {fold_letters(strip_marks(form)) for form in forms}
    return set().union(*map(ezafe_spellings, folded))


# One word has its hamza on several letters or on none: مسئولیت, مسؤولیت, مسوولیت; هیئت
_HAMZA_SEATS = (
    ("ئو", "ؤو"),
    ("ؤو", "ئو"),
    ("سوول", "سئول"),
    ("ئت", "أت"),
    ("ئل", "أل"),
)
# Where a phrase may have an ezafe on ه
_EZAFE_PLACE = re.compile("(?<=\\w)ه (?=\\w)")


def ezafe_spellings(phrase: str) -> set[str]:
    """A phrase, and with each ezafe on ه as a word: جبهه مقاومت, جبهه ی مقاومت."""
    return {phrase, _EZAFE_PLACE.sub("ه ی ", phrase)}


def is_arabic(text: str) -> bool:
    """Whether a text has letters of Arabic script."""
    return _ARABIC.search(text) is not None


def place_cases(name: str) -> set[str]:
    """Other cases of a place's name in Pashto, in Arabic script.

    The oblique of a name in -ه (مارجه: مارجې; چپه دره: چپې درې) and the plural of a people
    that a district is named after (خوګیاڼی: خوګیاڼو).
    """
    words = name.split()
    if len(name) < _MIN_STEM_LETTERS:
        # A short name's oblique is a word of its own: دره gives Dari's name, دری
        return set()
    cases: set[str] = set()
    if words[-1].endswith("ه"):
        oblique = words[-1][:-1] + "ې"
        cases.add(" ".join([*words[:-1], oblique]))
        cases.add(" ".join(re.sub("ه$", "ې", word) for word in words))
    # A shorter one is another word: اوبو is "water" and not of Obe
    is_people = len(words[-1]) >= _MIN_PEOPLE_LETTERS
    if is_people and words[-1].endswith(("ی", "ي")):
        stem = words[-1][:-1].removesuffix("ئ")
        cases.add(" ".join([*words[:-1], stem + "و"]))
    return cases


def inflected_forms(term: LexiconTerm) -> Iterator[str]:
    """Each form under which `find_terms` knows a term, folded.

    Endings that are written onto it are on it.
    """
    endings = _NOUN_ENDINGS
    if term.group == "place":
        endings = _PLACE_ENDINGS | {_ABLATIVE_ENDING}
    for form in _folded_spellings(term):
        yield form
        if len(form) < _MIN_STEM_LETTERS:
            continue
        if _ARABIC.search(form):
            for ending in endings:
                yield form + ending
            if _may_be_glued(term):
                for prefix in GLUED_PREFIXES:
                    yield prefix + form
        elif _has_endings(term, form):
            for ending in _CYRILLIC_ENDINGS | _UZBEK_ENDINGS:
                yield form + ending


def _has_endings(term: LexiconTerm, form: str) -> bool:
    """Whether a form may go on: another word of Latin letters is another word."""
    return term.language == "uz" or _TAKES_ENDINGS.search(form) is not None


def _may_be_glued(term: LexiconTerm) -> bool:
    """Whether "and", "of" and "in" may be written onto a term: onto a sure name only."""
    return term.group in NAME_GROUPS and "cue" not in term.flags


def _build_automaton(terms: Iterable[LexiconTerm]) -> Any:
    """Forms to (length, meanings, whether one of these depends on capital letters)."""
    meanings: dict[str, list[LexiconTerm]] = {}
    glued: dict[str, list[LexiconTerm]] = {}
    for term in terms:
        for form in _folded_spellings(term):
            # Latin forms end at a word's end; forms that may carry an ending are looked
            # at when they are found
            if not _has_endings(term, form):
                meanings.setdefault(f" {form} ", []).append(term)
                continue
            meanings.setdefault(f" {form}", []).append(term)
            if _may_be_glued(term) and len(form) >= _MIN_STEM_LETTERS:
                glued.setdefault(form, []).append(term)
    automaton = ahocorasick.Automaton()
    for form, found in glued.items():
        for prefix in GLUED_PREFIXES:
            _add_form(automaton, f" {prefix}{form}", len(form), found)
    # Last, so that a word which is one by itself is that word: واخان
    for key, found in meanings.items():
        _add_form(automaton, key, len(key.strip()), found)
    if meanings:
        automaton.make_automaton()
    return automaton


def _add_form(
    automaton: Any, key: str, length: int, terms: Iterable[LexiconTerm]
) -> None:
    distinct = tuple(dict.fromkeys(terms))
    needs_case = any("case" in term.flags for term in distinct)
    automaton.add_word(key, (length, distinct, needs_case))


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
            before = text[max(0, start - 3) : start + 1]
            meanings = _meanings_with_ending(terms, text[last + 1 : end + 1], before)
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
    terms: tuple[LexiconTerm, ...], ending: str, before: str
) -> tuple[LexiconTerm, ...]:
    """The terms that may carry an ending; `before` are the letters before the name."""
    if ending in _PLACE_ENDINGS or ending in _CYRILLIC_ENDINGS:
        return terms
    if ending in _UZBEK_ENDINGS:
        return tuple(term for term in terms if term.language == "uz")
    if ending == _ABLATIVE_ENDING and before.endswith(_ABLATIVE_PREPOSITIONS):
        return terms
    if ending in _NOUN_ENDINGS:
        return tuple(term for term in terms if term.group != "place")
    return ()


def _drop_inner_matches(matches: Iterable[TermMatch]) -> list[TermMatch]:
    """The forms that stand in no longer one.

    "Pakistani Taliban" is not the Taliban, an Afghan hound no Afghan. A phrase for an
    event keeps the names inside it: "fell to the Taliban" names them. A phrase for a
    party keeps the event inside it: "Pakistan's airstrikes" names one.
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
        else:
            terms = _terms_inside(match, kept[-6:])
            if terms:
                kept.append(TermMatch(terms, *match[1:]))
        reach = max(reach, match.end)
    return kept


def _terms_inside(
    match: TermMatch, before: Iterable[TermMatch]
) -> tuple[LexiconTerm, ...]:
    """The meanings that a form keeps which begins inside a longer one."""
    outer_groups: set[str] = set()
    for outer in before:
        if outer.start <= match.start and match.end <= outer.end:
            outer_groups.update(term.group for term in outer.terms)
    if not outer_groups:
        return match.terms
    if outer_groups == {"actor"}:
        return tuple(term for term in match.terms if term.id in _EVENTS_INSIDE_NAMES)
    if outer_groups <= CONFLICT_GROUPS:
        return tuple(
            term
            for term in match.terms
            if term.group in NAME_GROUPS or term.group == DIALECT_GROUP
        )
    return ()
