"""One reading of a text: its sentences, the forms in them, and which of the names are places.

Relevance, mentions and claims all work from one `Scan`, so that an article is matched once. Pure.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from crawler import gazetteer, vocabulary
from crawler.gazetteer import Place
from crawler.vocabulary import ExtraTerm, Hit, Term

MAX_CHARACTERS = 60_000  # of a text that are read: ten times a long article
MAX_SENTENCE = 500  # a longer run of words without an end is several headlines or a list, cut in pieces
LEAD_SENTENCES = 3
LEAD_WORDS = 90  # and no sentence that begins after so many
_SHORT_LINE = 8  # words: "For Immediate Release", a dateline, a section's name take no place in the lead
_LONG_TITLE = 40  # words: a longer one is a list of headlines or a paragraph


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it was written, its part of the article (title, lead, body), and its letters folded, as long."""

    text: str
    where: str
    plain: str


@dataclass(frozen=True, slots=True)
class Located:
    """A name in the text that is a place."""

    hit: Hit
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one pass over a text found."""

    sentences: tuple[Sentence, ...]
    hits: tuple[Hit, ...]  # all groups but place; in order
    places: tuple[Located, ...]  # in order
    afghan: bool  # the text names Afghanistan in a way that needs no cue

    def form(self, hit: Hit) -> str:
        """The words of a hit as the text writes them."""
        return self.sentences[hit.sentence].text[hit.start : hit.end]


# Dropped before anything else, so that folding keeps every letter in its place.
_MARKS = re.compile("[\u0640\u064b-\u0652\u0670\u200b\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_END = re.compile(r"[.!?؟۔](?:[\"'”’»)\]]{0,2})\s+")
# A full stop after these does not end a sentence.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|[A-Z]\.[A-Z]|[ap]\.m|Gen|Maj|Col|Lt|Sgt|Capt|Brig|Mr|Mrs|Ms|Dr|Prof|St|No|vs|Gov|Sen|Rep"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)$"
)


def scan(title: str | None, text: str, *, extra_terms: Iterable[ExtraTerm] = ()) -> Scan:
    """Read an article: sentences with their part, forms, places. Text beyond `MAX_CHARACTERS` is not read."""
    extra = tuple(extra_terms)
    sentences = _sentences(title, text)
    hits = [hit for n, s in enumerate(sentences) for hit in vocabulary.find(s.text, s.plain, n, extra=extra)]
    afghan = any(_names_afghanistan(hit) for hit in hits) or _agree(hits)
    places = _locate(hits, sentences, afghan=afghan)
    unlike = _PAKISTANI if not places and _only_pakistani(hits) else frozenset[str]()
    words = tuple(
        Hit(kept, hit.sentence, hit.start, hit.end)
        for hit in hits
        if (kept := tuple(t for t in hit.terms if _counts(t, afghan=afghan, unlike=unlike)))
    )
    return Scan(sentences=tuple(sentences), hits=words, places=tuple(places), afghan=afghan or bool(places))


# What "Taliban" does not mean in a text about the Pakistani movement that names nothing Afghan.
_PAKISTANI = frozenset({"taliban", "taliban_forces"})


def _only_pakistani(hits: Iterable[Hit]) -> bool:
    ids = {t.id for hit in hits for t in hit.terms if t.group == "actor" or (t.group == "anchor" and t.id != "border")}
    return "ttp" in ids and not ids & {"afghanistan", "people", "corps", "andsf", "nrf", "aff", "iskp", "haqqani"}


def _counts(term: Term, *, afghan: bool, unlike: frozenset[str]) -> bool:
    return term.group != "place" and (afghan or "cue" not in term.flags) and term.id not in unlike


def _sentences(title: str | None, text: str) -> list[Sentence]:
    body = [s for line in text[:MAX_CHARACTERS].splitlines() for s in _split(_tidy(line))]
    head = _tidy((title or "")[:MAX_CHARACTERS])
    if len(head.split()) > _LONG_TITLE or len(head) > MAX_SENTENCE:
        return list(_parts(dict.fromkeys([*_split(head), *body])))
    if not head and body:
        head, body = body[0], body[1:]
    return ([_sentence(head, "title")] if head else []) + list(_parts(s for s in body if s != head))


def _parts(body: Iterable[str]) -> Iterator[Sentence]:
    told = words = 0
    for sentence in body:
        yield _sentence(sentence, "lead" if told < LEAD_SENTENCES and words < LEAD_WORDS else "body")
        length = sentence.count(" ") + 1
        told, words = told + (length >= _SHORT_LINE), words + length


def _sentence(text: str, where: str) -> Sentence:
    return Sentence(text, where, vocabulary.plain(text))


def _tidy(line: str) -> str:
    return " ".join(_MARKS.sub("", unicodedata.normalize("NFC", line)).replace("…", ".").split())


def _split(line: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(line):
        if not _ABBREVIATION.search(line[max(start, end.start() - 8) : end.start()]):
            yield from _pieces(line[start : end.end()].strip())
            start = end.end()
    yield from _pieces(line[start:].strip())


def _pieces(sentence: str) -> Iterator[str]:
    """The sentence, or its pieces of at most `MAX_SENTENCE`, cut between words where there are any."""
    while len(sentence) > MAX_SENTENCE:
        cut = sentence.rfind(" ", 1, MAX_SENTENCE) if " " in sentence[1:MAX_SENTENCE] else MAX_SENTENCE
        yield sentence[:cut]
        sentence = sentence[cut:].lstrip()
    if sentence:
        yield sentence


# ---------------------------------------------------------------------------------------------- which names are places

_PROVINCE_CODE = 4  # letters of a P-code: AF27; a district has six
_AROUND = 40  # characters on each side that are looked at
_BESIDE = 18  # characters: "هلمند ولایت د سنګین" names both in one breath
_LIST = frozenset({"", "and", "و", "او"})
_SURE_KINDS = frozenset({"province", "crossing", "pass", "base"})
_CAPITAL = "AF01"  # the one name that alone means the city, not the province
_SHORT = 5  # letters: a shorter Latin name of a district is a word in some language (Argo, Bak, Giro, Tani)
_SHORT_ARABIC = 4


@dataclass(frozen=True, slots=True)
class _Cues:
    before: dict[str, str]
    following: dict[str, str]
    latin: frozenset[str]
    arabic: frozenset[str]
    titles: frozenset[str]
    after: frozenset[str]


@cache
def _cues() -> _Cues:
    data = tomllib.loads(resources.files("crawler").joinpath("data/cues.toml").read_text(encoding="utf-8"))

    def folded(words: Iterable[str]) -> frozenset[str]:
        return frozenset(vocabulary.plain(word) for word in words)

    return _Cues(
        before={form: kind for kind, forms in data["before"].items() for form in folded(forms)},
        following={form: kind for kind, forms in data["after"].items() for form in folded(forms)},
        latin=folded(data["prepositions"]["latin"]),
        arabic=folded(data["prepositions"]["arabic"]),
        titles=folded(data["persons"]["titles"]),
        after=folded(data["persons"]["after"]),
    )


@dataclass(frozen=True, slots=True)
class _Setting:
    """What stands around a name."""

    kind: str  # the kind of place that a word beside it announces, or ""
    preposition: bool
    person: bool
    latin: bool
    capital: bool  # a capital letter, or a script that has none


def _names_afghanistan(hit: Hit) -> bool:
    return any(
        (term.group in ("anchor", "actor") and term.weight >= 0.7 and "cue" not in term.flags)
        or (term.group == "place" and "cue" not in term.flags and len(term.id) == _PROVINCE_CODE)
        for term in hit.terms
    )


def _agree(hits: Iterable[Hit]) -> bool:
    """Two different forms that need a cue are one for each other: "8 ANA soldiers killed in Farah"."""
    ids = {
        term.id
        for hit in hits
        for term in hit.terms
        if (term.group == "actor" and term.weight >= 0.7) or (term.group == "place" and len(term.id) == _PROVINCE_CODE)
    }
    return len(ids) > 1


def _locate(hits: Sequence[Hit], sentences: Sequence[Sentence], *, afghan: bool) -> list[Located]:
    named = [hit for hit in hits if any(term.group == "place" for term in hit.terms)]
    settings = [_setting(hit, sentences[hit.sentence]) for hit in named]
    provinces = _provinces(named, settings)
    everywhere = frozenset(code for codes in provinces.values() for code in codes)
    found: list[Located] = []
    for hit, setting in zip(named, settings, strict=True):
        here = provinces.get(hit.sentence, {})
        listed = bool(found) and _listed(found[-1].hit, hit, sentences[hit.sentence].plain)
        place = _settle(hit, setting, here, everywhere, afghan=afghan, listed=listed)
        if place:
            found.append(Located(hit, place))
    return found


def _listed(last: Hit, hit: Hit, plain: str) -> bool:
    """The name follows a place in a list: "in Faryab, Farah", "in Kabul and Farah"."""
    return last.sentence == hit.sentence and plain[last.end : hit.start].strip() in _LIST


def _provinces(named: Sequence[Hit], settings: Sequence[_Setting]) -> dict[int, dict[str, list[int]]]:
    """For each sentence the provinces that it names by a form that is nothing else, and where."""
    found: dict[int, dict[str, list[int]]] = {}
    for hit, setting in zip(named, settings, strict=True):
        codes = {t.id for t in hit.terms if t.group == "place" and len(t.id) == _PROVINCE_CODE}
        cued = any("cue" in t.flags for t in hit.terms if t.group == "place" and t.id in codes)
        if codes and setting.capital and (not cued or setting.kind == "province") and not setting.person:
            for code in codes:
                found.setdefault(hit.sentence, {}).setdefault(code, []).append(hit.start)
    return found


def _setting(hit: Hit, within: Sentence) -> _Setting:
    cues, sentence = _cues(), within.text
    start, end = max(0, hit.start - _AROUND), hit.end + _AROUND
    raw_before, raw_after = sentence[start : hit.start], sentence[hit.end : end]
    before, after = within.plain[start : hit.start].split(), within.plain[hit.end : end].split()
    latin = sentence[hit.start].isascii()
    previous = before[-1] if before else ""
    following = after[0] if after else ""
    kind = _announced(cues, before, after)
    touching = raw_before[-1:] in (" ", "-") and raw_before.rstrip()[-1:] not in ",;:.("
    titled = touching and previous in cues.titles
    surnamed = latin and touching and _capitalised(raw_before) and previous not in cues.latin and not kind
    followed = raw_after[:1] == " " and (following in cues.after)
    return _Setting(
        kind=kind,
        preposition=previous in (cues.latin if latin else cues.arabic),
        person=(titled and not kind) or (surnamed and len(before) > 1 and not _place_word(previous)) or followed,
        latin=latin,
        capital=(not latin or sentence[hit.start].isupper()) and not _GOES_ON.match(raw_after),
    )


def _announced(cues: _Cues, before: Sequence[str], after: Sequence[str]) -> str:
    """The kind of place that the words beside a name announce, or ""."""
    either = [cues.following.get(after[0], "")] if after else []
    either += [cues.before.get(" ".join(before[-length:]), "") for length in (2, 1) if len(before) >= length]
    return next((kind for kind in either if kind), "")


# The name is the beginning of a longer one: Dara'a in Syria.
_GOES_ON = re.compile(r"['’](?!s\b)\w")


def _capitalised(before: str) -> bool:
    word = before.rsplit(maxsplit=1)[-1] if before.split() else ""
    return word[:1].isupper() and word[:1].isalpha()


def _place_word(word: str) -> bool:
    return word in _cues().following or word in ("afghanistan", "afghan")


def _settle(
    hit: Hit,
    setting: _Setting,
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
        place, cued = gazetteer.places()[term.id], "cue" in term.flags
        beside = _beside(hit, here.get(place.province_code, ()), latin=setting.latin) or (listed and setting.latin)
        if (_cued_place if cued else _plain_place)(place, setting, hit, beside=beside, afghan=afghan):
            fit = _fit(place, setting, beside=beside, named=place.province_code in everywhere, cued=cued)
            options.append((fit, place))
    return max(options, key=lambda option: option[0])[1] if options else None


def _beside(hit: Hit, provinces: Sequence[int], *, latin: bool) -> bool:
    """The place's province stands in the sentence; where no capital letter tells a name, right beside it."""
    return any(start != hit.start and (latin or abs(start - hit.start) <= _BESIDE) for start in provinces)


def _cued_place(place: Place, setting: _Setting, hit: Hit, *, beside: bool, afghan: bool) -> bool:
    """For a form that is also a word or a person's name."""
    del hit
    if setting.person and not setting.kind:
        return False
    if place.kind == "province" and setting.kind == "city":
        return False  # the city of Zabol is Iran's
    prepositional = setting.preposition and afghan and (setting.latin or place.kind == "province")
    return bool(setting.kind) or beside or prepositional


def _plain_place(place: Place, setting: _Setting, hit: Hit, *, beside: bool, afghan: bool) -> bool:
    """For a form that is a place's alone, or nearly."""
    if place.kind in _SURE_KINDS:
        return not (setting.person and place.kind == "province" and not setting.kind and not afghan)
    if setting.person and not setting.kind:
        return False
    short = hit.end - hit.start < (_SHORT if setting.latin else _SHORT_ARABIC)
    sure = not place.code.startswith("GN") and not short
    return sure or bool(setting.kind) or beside or afghan or (setting.preposition and setting.latin)


def _fit(place: Place, setting: _Setting, *, beside: bool, named: bool, cued: bool) -> tuple[float, ...]:
    """How well a place fits: the kind announced, its province nearby, the form's own meaning, the larger place."""
    rank = {"province": 1.5 if place.code == _CAPITAL else 3, "district": 2, "city": 1}.get(place.kind, 3)
    return (
        place.kind == setting.kind,
        place.kind == "province" and place.code != _CAPITAL,
        beside,
        named,
        not cued,
        rank,
    )
