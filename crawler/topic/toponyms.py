"""Which names in a text are places, and which place each is.

A form that is also a word or a person's name counts only with a cue (`data/cues.toml`):
a word beside it, its province nearby, a preposition in a text that names Afghanistan
otherwise, a list of places. Homonyms are settled by the province that stands by. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain

from crawler import data_files
from crawler.topic import gazetteer, vocabulary
from crawler.topic.gazetteer import Place
from crawler.topic.vocabulary import LexiconTerm, Sentence, TermMatch

# From this weight on an anchor or a party is Afghan beyond doubt
_MIN_CERTAIN_WEIGHT = 0.7
_CONTEXT_CHARS = 40  # on each side of a name that are looked at
# "هلمند ولایت د سنګین" names both in one breath
_MAX_CHARS_BESIDE = 18
_LIST_SEPARATORS = frozenset({"", "and", "و", "او"})
# "جرم، کشم و «شهر بزرگ»": what stands between two names of a list in Arabic script
_LIST_GAP = re.compile(r"[\s«»\"“”]*(?:[،,؛]|(?<=[\s»])(?:و|او)(?=[\s«]|$))[\s«»\"“”]*")
# One name that nobody knows may stand among them
_MAX_UNKNOWN_CHARS = 24
_SPACE_GAP = re.compile(r"\s?")
# A name in a list of so many is a place even where no word announces the list
_MIN_SURE_NAMES_OF_LIST = 2
# Words between a place and the province that it is said to be of: "of", "in", "province"
_JOINING_WORDS = frozenset({"", "د", "په", "کې", "کی", "در", "of", "in", "the", "s"})
_UNAMBIGUOUS_KINDS = frozenset({"province", "crossing", "pass", "base"})
# The one name that alone means the city, not the province
_KABUL_PROVINCE_CODE = "AF01"
# A shorter name of a district is a word in some language: Argo, Bak, Giro, Tani
_SHORT_LATIN_CHARS = 5
_SHORT_ARABIC_CHARS = 4
_PASHTO = re.compile("[ښڅځړډټږڼېۍ]")
# A dateline reads KABUL (Pajhwok): or KABUL, Afghanistan (AP) — or کابل – پژواک
_DATELINE = re.compile(
    r"(?:,\s*\w+)?\s*(?:\([^)]{1,40}\)\s*[-—–:]?|[—–:]|\s-\s|،[^،]{1,30}\()"
)
_MAX_CHARS_BEFORE_DATELINE = 2  # a quotation mark or a bracket
_TITLE = "title"
_KABUL = "Kabul"
_MAX_OFFICE_WORDS = 3  # between "officials" and the name: "officials based in"
_LISTED = "listed"  # the kind of what stands in a list that no word announces
# The name is the beginning of a longer one: Dara'a in Syria
_NAME_CONTINUES = re.compile(r"['’](?!s\b)\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCues:
    """The words of `data/cues.toml`, folded."""

    before: dict[str, str]  # a word before a name, and the kind of place it announces
    after: dict[str, str]
    latin_prepositions: frozenset[str]
    arabic_prepositions: frozenset[str]
    titles: frozenset[str]  # of persons, before a name
    after_persons: frozenset[str]
    offices: frozenset[str]  # who speaks, or is spoken to, at the seat of a government


@cache
def load_cues() -> PlaceCues:
    """The words that make a place of the name beside them, or a person."""
    table = data_files.read_toml("cues.toml")

    def folded(words: Iterable[str]) -> frozenset[str]:
        return frozenset(vocabulary.fold_letters(word) for word in words)

    def kinds_by_word(side: str) -> dict[str, str]:
        kinds: dict[str, str] = {}
        for kind, words in table[side].items():
            kinds |= dict.fromkeys(folded(words), kind)
        return kinds

    return PlaceCues(
        before=kinds_by_word("before"),
        after=kinds_by_word("after"),
        latin_prepositions=folded(table["prepositions"]["latin"]),
        arabic_prepositions=folded(table["prepositions"]["arabic"]),
        titles=folded(table["persons"]["titles"]),
        after_persons=folded(table["persons"]["after"]),
        offices=folded(table["persons"]["offices"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _NameContext:
    """What stands around a name."""

    kind: str  # the kind of place that a word beside it announces, or ""
    has_preposition: bool
    is_person: bool
    is_latin: bool
    is_short: bool  # so short that it is a word in some language
    is_capital: bool  # a capital letter, or a script that has none
    is_pashto_locative: bool  # "زابل کې": Pashto names no other Zabul
    is_cue_word: bool  # دره and شهرستان announce places, and are districts' names


@dataclass(frozen=True, slots=True)
class LocatedPlace:
    """A name in the text that is a place."""

    match: TermMatch
    place: Place
    role: str = ""  # dateline, office, or "" for a place that the sentence is about


def names_afghanistan(matches: Iterable[TermMatch]) -> bool:
    """Whether forms name Afghanistan beyond doubt.

    One does that needs no cue, and so do two that are a cue for each other: in "8 ANA
    soldiers killed in Farah" neither the abbreviation nor the name would do alone.
    """
    uncertain: set[str] = set()
    for match in matches:
        for term in match.terms:
            if not _is_certain(term):
                continue
            if "cue" not in term.flags:
                return True
            uncertain.add(term.id)
    return len(uncertain) > 1


def _is_certain(term: LexiconTerm) -> bool:
    if term.group in ("anchor", "actor", vocabulary.DIALECT_GROUP):
        return term.weight >= _MIN_CERTAIN_WEIGHT
    return _is_province(term)


def _is_province(term: LexiconTerm) -> bool:
    return term.group == "place" and gazetteer.is_province_code(term.id)


def locate_places(
    matches: Sequence[TermMatch], sentences: Sequence[Sentence], *, afghan: bool
) -> list[LocatedPlace]:
    """The names that are places, each with the place that it most likely is.

    `afghan` says whether the text names Afghanistan beyond doubt.
    """
    named: list[tuple[TermMatch, _NameContext]] = []
    for match in matches:
        if any(term.group == "place" for term in match.terms):
            context = _name_context(match, sentences[match.sentence])
            named.append((match, context))
    named = _announce_lists(named, sentences)
    provinces = _find_provinces(named)
    all_provinces = frozenset(chain.from_iterable(provinces.values()))

    found: list[LocatedPlace] = []
    for match, context in named:
        if not context.is_capital:
            continue
        folded = sentences[match.sentence].folded
        beside = _province_of_phrase(match, provinces, sentences[match.sentence])
        has_homonym = any(term.group == "elsewhere" for term in match.terms)
        is_listed = bool(found) and _is_listed(found[-1].match, match, folded)
        in_sentence = provinces.get(match.sentence, {})
        best: tuple[tuple[float, ...], Place] | None = None
        for term in match.terms:
            if term.group != "place":
                continue
            place = gazetteer.load_places()[term.id]
            starts = in_sentence.get(place.province_code, ())
            is_beside = _is_beside(match, starts, is_latin=context.is_latin)
            is_beside = is_beside or (is_listed and context.is_latin)
            # "ناوه of Helmand" is never the Nawa of Ghazni
            if beside and place.province_code not in ("", beside):
                continue
            # بنو is Bannu of Pakistan unless Baghlan is named; "ولسوالی قره‌باغ" is no
            # Karabakh
            is_announced = context.kind == place.kind
            is_abroad = has_homonym and not is_announced
            if is_abroad and place.province_code not in all_provinces:
                continue
            needs_cue = "cue" in term.flags
            is_place = _is_cued_place if needs_cue else _is_plain_place
            if not is_place(place, context, is_beside=is_beside, afghan=afghan):
                continue
            fit = _measure_fit(
                place,
                context,
                is_beside=is_beside,
                is_named=place.province_code in all_provinces,
                needs_cue=needs_cue,
            )
            if best is None or fit > best[0]:
                best = (fit, place)
        if best is not None:
            role = _role_of_place(match, best[1], sentences[match.sentence])
            found.append(LocatedPlace(match, best[1], role))
    return found


def _role_of_place(match: TermMatch, place: Place, sentence: Sentence) -> str:
    """What a name is beside the place of the news: "dateline", "office" or "".

    "KABUL (Pajhwok):" says where a report was written. "Officials in Kabul said" names
    the seat of the government: of 321 articles with "in Kabul" 291 name it once.
    """
    after = sentence.text[match.end : match.end + _CONTEXT_CHARS]
    is_first = match.start <= _MAX_CHARS_BEFORE_DATELINE
    if is_first and sentence.part != _TITLE and _DATELINE.match(after):
        return "dateline"
    if place.province_code != _KABUL_PROVINCE_CODE or place.name != _KABUL:
        return ""
    offices = load_cues().offices
    words_before = sentence.folded[: match.start].split()[-_MAX_OFFICE_WORDS:]
    words_after = [
        word
        for word in sentence.folded[match.end :].split()[: _MAX_OFFICE_WORDS + 1]
        if word not in _JOINING_WORDS
    ]
    is_of_office = any(word in offices for word in words_before)
    is_before_office = any(word in offices for word in words_after[:1])
    return "office" if is_of_office or is_before_office else ""


def _is_listed(last: TermMatch, match: TermMatch, folded: str) -> bool:
    """Whether a name follows a place in a list.

    "In Faryab, Farah" and "in Kabul and Farah" are lists.
    """
    if last.sentence != match.sentence:
        return False
    return folded[last.end : match.start].strip() in _LIST_SEPARATORS


def _announce_lists(
    named: Sequence[tuple[TermMatch, _NameContext]], sentences: Sequence[Sentence]
) -> list[tuple[TermMatch, _NameContext]]:
    """The names with the kind of place that a word announces for their whole list.

    In Arabic script, where no capital letter tells a name: "ولسوالی‌های جرم، کشم و ارگو",
    "د نورګل، څوکۍ او وټپور ولسوالیو". So is a list with two names that need no cue.
    """
    if all(context.is_latin for _, context in named):
        return list(named)
    lists: list[list[tuple[TermMatch, _NameContext]]] = []
    for match, context in named:
        if not lists or context.is_latin:
            lists.append([(match, context)])
            continue
        last, last_context = lists[-1][-1]
        is_announced = any(before.kind for _, before in lists[-1])
        in_list = not last_context.is_latin and _is_in_list(
            last, match, sentences[match.sentence].text, is_announced=is_announced
        )
        if in_list:
            lists[-1].append((match, context))
        else:
            lists.append([(match, context)])

    announced: list[tuple[TermMatch, _NameContext]] = []
    for names in lists:
        if len(names) == 1:
            announced += names
            continue
        kind = _kind_of_list(names)
        for match, context in names:
            is_unannounced = not context.kind and not context.is_person
            if kind and is_unannounced:
                announced.append((match, replace(context, kind=kind)))
            else:
                announced.append((match, context))
    return announced


def _is_in_list(
    last: TermMatch, match: TermMatch, text: str, *, is_announced: bool
) -> bool:
    """Whether one name follows another in a list: a comma or an "and" is between them."""
    if last.sentence != match.sentence:
        return False
    gap = text[last.end : match.start]
    if _LIST_GAP.fullmatch(gap):
        return True
    if not is_announced or len(gap) > _MAX_UNKNOWN_CHARS:
        return False
    # The list has begun with a word for its kind: a name that is not known, or a comma
    # left out, does not end it
    separators = _LIST_GAP.findall(gap)
    return len(separators) > 1 or _SPACE_GAP.fullmatch(gap) is not None


def _kind_of_list(names: Sequence[tuple[TermMatch, _NameContext]]) -> str:
    """The kind that a list is announced as, or ""."""
    for _, context in (names[0], names[-1]):
        if context.kind in ("province", "district", "city"):
            return context.kind
    sure = 0
    for match, _ in names:
        places = [term for term in match.terms if term.group == "place"]
        sure += any("cue" not in term.flags for term in places)
    return _LISTED if sure >= _MIN_SURE_NAMES_OF_LIST else ""


def _province_of_phrase(
    match: TermMatch,
    provinces: Mapping[int, Mapping[str, list[int]]],
    sentence: Sentence,
) -> str:
    """The code of the one province that a place is said to be of, or "".

    Nothing but "of", "in" and words for kinds of place stand between the two: "ولسوالی
    ناوه ولایت هلمند", "د هلمند د ناوې ولسوالۍ". A province itself is of none.
    """
    in_sentence = provinces.get(match.sentence)
    if not in_sentence or any(_is_province(term) for term in match.terms):
        return ""
    cues = load_cues()
    codes: set[str] = set()
    for code, starts in in_sentence.items():
        for start in starts:
            if abs(start - match.start) > _CONTEXT_CHARS:
                continue
            if start > match.start:
                gap = sentence.folded[match.end : start]
                written = sentence.text[match.end : start]
            else:
                gap = " ".join(sentence.folded[start : match.start].split(" ")[1:])
                written = sentence.text[start : match.start]
            # "Kabul, Mazar" is a list, "کابل–مزار" a road
            has_comma = any(mark in written for mark in ",،؛-–—/")
            words = gap.split()
            if not has_comma and all(
                word in _JOINING_WORDS or word in cues.before or word in cues.after
                for word in words
            ):
                codes.add(code)
    return codes.pop() if len(codes) == 1 else ""


def _find_provinces(
    named: Iterable[tuple[TermMatch, _NameContext]],
) -> dict[int, dict[str, list[int]]]:
    """For each sentence the provinces that it names for certain, and where."""
    found: dict[int, dict[str, list[int]]] = {}
    for match, context in named:
        provinces = [term for term in match.terms if _is_province(term)]
        if not provinces or not context.is_capital or context.is_person:
            continue
        needs_cue = any("cue" in term.flags for term in provinces)
        if needs_cue and context.kind != "province":
            continue
        in_sentence = found.setdefault(match.sentence, {})
        for code in {term.id for term in provinces}:
            in_sentence.setdefault(code, []).append(match.start)
    return found


def _name_context(match: TermMatch, sentence: Sentence) -> _NameContext:
    cues = load_cues()
    text, folded = sentence.text, sentence.folded
    start, end = max(0, match.start - _CONTEXT_CHARS), match.end + _CONTEXT_CHARS
    text_before, text_after = text[start : match.start], text[match.end : end]
    # Dari's ezafe on ه, written as a word: منطقه‌ی میوند
    before = [word for word in folded[start : match.start].split() if word != "ی"]
    after = folded[match.end : end].split()
    previous = before[-1] if before else ""
    kind = _announced_kind(cues, before, after)

    is_latin = text[match.start].isascii()
    prepositions, short_chars = cues.arabic_prepositions, _SHORT_ARABIC_CHARS
    is_capital = True
    if is_latin:
        prepositions, short_chars = cues.latin_prepositions, _SHORT_LATIN_CHARS
        is_capital = text[match.start].isupper()

    # A person: "Governor Wardak", "Rahmatullah Nabil", "Wardak said"
    is_touched = text_before[-1:] in (" ", "-")
    is_touched = is_touched and text_before.rstrip()[-1:] not in ",;:.("
    is_person = is_touched and previous in cues.titles and not kind
    if is_latin and is_touched and not kind and len(before) > 1:
        is_name = _is_capitalised(text_before) and previous not in prepositions
        is_person = is_person or (is_name and not _is_place_word(previous))
    if text_after[:1] == " " and after and after[0] in cues.after_persons:
        is_person = True
    # "عطاالله خوګیاڼي", "عبدالرحیم وردک"
    is_given_name = not is_latin and (
        previous.endswith(("الله", "الدین")) or previous.startswith("عبدال")
    )
    is_person = is_person or (is_touched and is_given_name and not kind)

    # "دره زیبای پنجشیر", "شهرستان‌های بدخشان": such a word is a name only where another
    # announces it
    name = folded[match.start : match.end]
    is_cue_word = name in cues.before or name in cues.after
    if is_cue_word and after and after[0] in cues.after:
        is_announced = cues.after[after[0]] != "province"
        kind = kind if is_announced or _announced_kind(cues, before, ()) else ""

    return _NameContext(
        kind=kind,
        has_preposition=previous in prepositions,
        is_person=is_person,
        is_latin=is_latin,
        is_short=match.end - match.start < short_chars,
        is_capital=is_capital and not _NAME_CONTINUES.match(text_after),
        is_pashto_locative=after[:1] == ["کی"] and _PASHTO.search(text) is not None,
        is_cue_word=is_cue_word,
    )


def _announced_kind(
    cues: PlaceCues, before: Sequence[str], after: Sequence[str]
) -> str:
    """The kind of place that the words beside a name announce, or ""."""
    if after and after[0] in cues.after:
        return cues.after[after[0]]
    if len(before) > 1 and " ".join(before[-2:]) in cues.before:
        return cues.before[" ".join(before[-2:])]
    if before:
        return cues.before.get(before[-1], "")
    return ""


def _is_capitalised(before: str) -> bool:
    """Whether the last word before a name begins with a capital letter."""
    words = before.rsplit(maxsplit=1)
    return bool(words) and words[-1][0].isupper()


def _is_place_word(word: str) -> bool:
    return word in load_cues().after or word in ("afghanistan", "afghan")


def _is_beside(match: TermMatch, starts: Sequence[int], *, is_latin: bool) -> bool:
    """Whether the place's province stands in the sentence.

    Where no capital letter tells a name, it has to stand right beside the place.
    """
    for start in starts:
        if start == match.start:
            continue
        if is_latin or abs(start - match.start) <= _MAX_CHARS_BESIDE:
            return True
    return False


def _is_cued_place(
    place: Place, context: _NameContext, *, is_beside: bool, afghan: bool
) -> bool:
    """Whether a form that is also a word or a person's name is a place here."""
    if context.is_person and not context.kind:
        return False
    if place.kind == "province" and context.kind == "city":
        return False  # the city of Zabol is Iran's
    if context.is_cue_word:
        return context.kind == place.kind
    if context.kind or is_beside:
        return True
    if place.kind == "province" and context.is_pashto_locative:
        return True
    # Without capital letters a preposition says less: of a province alone
    may_be_named = context.is_latin or place.kind == "province"
    return context.has_preposition and afghan and may_be_named


def _is_plain_place(
    place: Place, context: _NameContext, *, is_beside: bool, afghan: bool
) -> bool:
    """Whether a form that is a place's alone, or nearly, is one here."""
    is_person = context.is_person and not context.kind
    if place.kind == "province":
        return afghan or not is_person
    if place.kind in _UNAMBIGUOUS_KINDS:
        return True
    if is_person:
        return False
    # Towns of GeoNames have names that are common elsewhere
    if not place.code.startswith("GN") and not context.is_short:
        return True
    if context.kind or is_beside or afghan:
        return True
    return context.has_preposition and context.is_latin


def _measure_fit(
    place: Place,
    context: _NameContext,
    *,
    is_beside: bool,
    is_named: bool,
    needs_cue: bool,
) -> tuple[float, ...]:
    """How well a place fits, the weightiest reason first.

    The kind announced, a province, its province nearby or elsewhere in the text, the
    form's own meaning, the larger place.
    """
    is_kabul_province = place.code == _KABUL_PROVINCE_CODE
    match place.kind:
        case "city":
            rank = 1.0
        case "district":
            rank = 2.0
        case _:
            rank = 1.5 if is_kabul_province else 3.0
    return (
        place.kind == context.kind,
        place.kind == "province" and not is_kabul_province,
        is_beside,
        is_named,
        not needs_cue,
        rank,
    )
