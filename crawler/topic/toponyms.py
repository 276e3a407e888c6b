"""Which names in a text are places, and which place each is.

A form that is also a word or a person's name counts only with a cue (`data/cues.toml`):
a word beside it, its province nearby, a preposition in a text that names Afghanistan
otherwise, a list of places. Homonyms are settled by the province that stands by. Pure.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from crawler.topic import gazetteer, vocabulary
from crawler.topic.gazetteer import Place
from crawler.topic.vocabulary import LexiconTerm, Sentence, TermMatch

_PROVINCE_CODE_CHARS = 4  # letters of a P-code: AF27; a district has six
# Weight from which an anchor or a party is Afghan beyond doubt
_MIN_CERTAIN_WEIGHT = 0.7
_CONTEXT_CHARS = 40  # characters on each side that are looked at
_MAX_CHARS_BESIDE = 18  # characters: "هلمند ولایت د سنګین" names both in one breath
_LIST_SEPARATORS = frozenset({"", "and", "و", "او"})
_UNAMBIGUOUS_KINDS = frozenset({"province", "crossing", "pass", "base"})
# The one name that alone means the city, not the province
_KABUL_PROVINCE_CODE = "AF01"
# Letters: a shorter Latin name of a district is a word in some language (Argo, Bak,
# Giro, Tani)
_SHORT_LATIN_CHARS = 5
_SHORT_ARABIC_CHARS = 4


@dataclass(frozen=True, slots=True)
class _Cues:
    before: dict[str, str]
    following: dict[str, str]
    latin: frozenset[str]
    arabic: frozenset[str]
    titles: frozenset[str]
    after: frozenset[str]


@cache
def _load_cues() -> _Cues:
    data = tomllib.loads(
        resources.files("crawler")
        .joinpath("data/cues.toml")
        .read_text(encoding="utf-8")
    )

    def folded(words: Iterable[str]) -> frozenset[str]:
        return frozenset(vocabulary.fold_letters(word) for word in words)

    return _Cues(
        before={
            form: kind
            for kind, forms in data["before"].items()
            for form in folded(forms)
        },
        following={
            form: kind
            for kind, forms in data["after"].items()
            for form in folded(forms)
        },
        latin=folded(data["prepositions"]["latin"]),
        arabic=folded(data["prepositions"]["arabic"]),
        titles=folded(data["persons"]["titles"]),
        after=folded(data["persons"]["after"]),
    )


@dataclass(frozen=True, slots=True)
class _NameContext:
    """What stands around a name."""

    kind: str  # the kind of place that a word beside it announces, or ""
    preposition: bool
    person: bool
    latin: bool
    short: bool  # so short that it is a word in some language
    capital: bool  # a capital letter, or a script that has none


@dataclass(frozen=True, slots=True)
class LocatedPlace:
    """A name in the text that is a place."""

    match: TermMatch
    place: Place


def names_afghanistan(hits: Iterable[TermMatch]) -> bool:
    """Whether forms name Afghanistan beyond doubt.

    One that needs no cue, or two that are one for each other.

    "8 ANA soldiers killed in Farah": neither the abbreviation nor the name would do
    alone.
    """
    uncertain: set[str] = set()
    for hit in hits:
        for term in hit.terms:
            if (
                term.group in ("anchor", "actor") and term.weight >= _MIN_CERTAIN_WEIGHT
            ) or _is_province(term):
                if "cue" not in term.flags:
                    return True
                uncertain.add(term.id)
    return len(uncertain) > 1


def _is_province(term: LexiconTerm) -> bool:
    return term.group == "place" and len(term.id) == _PROVINCE_CODE_CHARS


def locate_places(
    hits: Sequence[TermMatch], sentences: Sequence[Sentence], *, afghan: bool
) -> list[LocatedPlace]:
    """The places among the names that were found, each with the place that it most likely is. `afghan`: as above."""
    named = [hit for hit in hits if any(term.group == "place" for term in hit.terms)]
    settings = [_name_context(hit, sentences[hit.sentence]) for hit in named]
    provinces = _provinces(named, settings)
    everywhere = frozenset(code for codes in provinces.values() for code in codes)
    found: list[LocatedPlace] = []
    for hit, setting in zip(named, settings, strict=True):
        here = provinces.get(hit.sentence, {})
        listed = bool(found) and _listed(
            found[-1].match, hit, sentences[hit.sentence].folded
        )
        place = _settle(hit, setting, here, everywhere, afghan=afghan, listed=listed)
        if place:
            found.append(LocatedPlace(hit, place))
    return found


def _listed(last: TermMatch, hit: TermMatch, plain: str) -> bool:
    """The name follows a place in a list: "in Faryab, Farah", "in Kabul and Farah"."""
    return (
        last.sentence == hit.sentence
        and plain[last.end : hit.start].strip() in _LIST_SEPARATORS
    )


def _provinces(
    named: Sequence[TermMatch], settings: Sequence[_NameContext]
) -> dict[int, dict[str, list[int]]]:
    """For each sentence the provinces that it names by a form that is nothing else, and where."""
    found: dict[int, dict[str, list[int]]] = {}
    for hit, setting in zip(named, settings, strict=True):
        codes = {t.id for t in hit.terms if _is_province(t)}
        cued = any(
            "cue" in t.flags for t in hit.terms if t.group == "place" and t.id in codes
        )
        if (
            codes
            and setting.capital
            and (not cued or setting.kind == "province")
            and not setting.person
        ):
            for code in codes:
                found.setdefault(hit.sentence, {}).setdefault(code, []).append(
                    hit.start
                )
    return found


def _name_context(hit: TermMatch, within: Sentence) -> _NameContext:
    cues, sentence = _load_cues(), within.text
    start, end = max(0, hit.start - _CONTEXT_CHARS), hit.end + _CONTEXT_CHARS
    raw_before, raw_after = sentence[start : hit.start], sentence[hit.end : end]
    before, after = (
        within.folded[start : hit.start].split(),
        within.folded[hit.end : end].split(),
    )
    latin = sentence[hit.start].isascii()
    previous = before[-1] if before else ""
    following = after[0] if after else ""
    kind = _announced(cues, before, after)
    touching = raw_before[-1:] in (" ", "-") and raw_before.rstrip()[-1:] not in ",;:.("
    titled = touching and previous in cues.titles
    surnamed = (
        latin
        and touching
        and _capitalised(raw_before)
        and previous not in cues.latin
        and not kind
    )
    followed = raw_after[:1] == " " and (following in cues.after)
    return _NameContext(
        kind=kind,
        preposition=previous in (cues.latin if latin else cues.arabic),
        person=(titled and not kind)
        or (surnamed and len(before) > 1 and not _place_word(previous))
        or followed,
        latin=latin,
        short=hit.end - hit.start
        < (_SHORT_LATIN_CHARS if latin else _SHORT_ARABIC_CHARS),
        capital=(not latin or sentence[hit.start].isupper())
        and not _NAME_CONTINUES.match(raw_after),
    )


def _announced(cues: _Cues, before: Sequence[str], after: Sequence[str]) -> str:
    """The kind of place that the words beside a name announce, or ""."""
    either = [cues.following.get(after[0], "")] if after else []
    either += [
        cues.before.get(" ".join(before[-length:]), "")
        for length in (2, 1)
        if len(before) >= length
    ]
    return next((kind for kind in either if kind), "")


# The name is the beginning of a longer one: Dara'a in Syria.
_NAME_CONTINUES = re.compile(r"['’](?!s\b)\w")


def _capitalised(before: str) -> bool:
    word = before.rsplit(maxsplit=1)[-1] if before.split() else ""
    return word[:1].isupper() and word[:1].isalpha()


def _place_word(word: str) -> bool:
    return word in _load_cues().following or word in ("afghanistan", "afghan")


def _settle(
    hit: TermMatch,
    setting: _NameContext,
    here: Mapping[str, Sequence[int]],
    everywhere: frozenset[str],
    *,
    afghan: bool,
    listed: bool,
) -> Place | None:
    """The place that the name stands for in its setting, or None when it is more likely something else."""
    if not setting.capital:
        return None
    options = []
    for term in hit.terms:
        if term.group != "place":
            continue
        place, cued = gazetteer.load_places()[term.id], "cue" in term.flags
        beside = _beside(
            hit, here.get(place.province_code, ()), latin=setting.latin
        ) or (listed and setting.latin)
        if (_cued_place if cued else _plain_place)(
            place, setting, beside=beside, afghan=afghan
        ):
            fit = _fit(
                place,
                setting,
                beside=beside,
                named=place.province_code in everywhere,
                cued=cued,
            )
            options.append((fit, place))
    return max(options, key=lambda option: option[0])[1] if options else None


def _beside(hit: TermMatch, provinces: Sequence[int], *, latin: bool) -> bool:
    """The place's province stands in the sentence.

    Where no capital letter tells a name, right beside it.
    """
    return any(
        start != hit.start and (latin or abs(start - hit.start) <= _MAX_CHARS_BESIDE)
        for start in provinces
    )


def _cued_place(
    place: Place, setting: _NameContext, *, beside: bool, afghan: bool
) -> bool:
    """For a form that is also a word or a person's name."""
    if setting.person and not setting.kind:
        return False
    if place.kind == "province" and setting.kind == "city":
        return False  # the city of Zabol is Iran's
    prepositional = (
        setting.preposition and afghan and (setting.latin or place.kind == "province")
    )
    return bool(setting.kind) or beside or prepositional


def _plain_place(
    place: Place, setting: _NameContext, *, beside: bool, afghan: bool
) -> bool:
    """For a form that is a place's alone, or nearly."""
    if place.kind in _UNAMBIGUOUS_KINDS:
        return not (
            setting.person
            and place.kind == "province"
            and not setting.kind
            and not afghan
        )
    if setting.person and not setting.kind:
        return False
    sure = not place.code.startswith("GN") and not setting.short
    return (
        sure
        or bool(setting.kind)
        or beside
        or afghan
        or (setting.preposition and setting.latin)
    )


def _fit(
    place: Place, setting: _NameContext, *, beside: bool, named: bool, cued: bool
) -> tuple[float, ...]:
    """How well a place fits.

    The kind announced, its province nearby, the form's own meaning, the larger place.
    """
    rank = {
        "province": 1.5 if place.code == _KABUL_PROVINCE_CODE else 3,
        "district": 2,
        "city": 1,
    }.get(place.kind, 3)
    return (
        place.kind == setting.kind,
        place.kind == "province" and place.code != _KABUL_PROVINCE_CODE,
        beside,
        named,
        not cued,
        rank,
    )
