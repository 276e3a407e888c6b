"""Numbers that a text claims: how many killed, wounded, captured, displaced, by whom.

Unverified hints with the sentence they stand in, never facts. Digits of three scripts
and number words of three languages. Rules: `data/claims.toml`. Pure; each sentence
costs a bounded number of words.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from crawler import data_files
from crawler.topic import vocabulary
from crawler.topic.scan import Scan
from storage.model import Claim

_CLAIMING_GROUPS = frozenset({"event", "context", "actor"})
MAX_CLAIMS = 30
MAX_CLAIMED_NUMBER = 10_000_000
_MAX_DIGITS = len(str(MAX_CLAIMED_NUMBER))
# "30 Taliban militants, including two of their commanders, were killed": what became of
# those counted may stand far behind the number
_MAX_WORDS_AFTER = 9
_MAX_WORDS_BEFORE = 4
_UNIT_WORDS = 4  # behind a number, in which the thing counted is named
_MAX_NUMBER_WORDS = 5  # "two hundred and thirty five"
_MIN_NUMBER_BEFORE_AND = (
    20  # "twenty and five" in Dari; "two and three" are two numbers
)
_MAX_SPEAKER_WORDS = 8  # a name and an office
_MAX_SPEAKER_CHARS = 120
_MAX_HEADLINE_SOURCE_WORDS = 4  # "Afghan governor", "officials"
_AND = ("and", "و", "او")
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_DIGIT = re.compile(r"\d")
_CLAUSE = re.compile(r"[;:؛]|\s[–—-]\s")
# "1,200", "1٬200": one number
_THOUSANDS = re.compile(r"(?<=\d)[,٬،](?=\d{3}\b)")
_SPEAKER_CUT = re.compile(r"[,،؛;:]\s|\s[–—-]\s|[“”\"«»]")
_HEADLINE_CUT = re.compile(r"\s[–—-]\s|:\s")

# A phrase by its first word: (its further words, the kind)
_Phrases = dict[str, list[tuple[tuple[str, ...], str]]]


@dataclass(frozen=True, slots=True)
class _ClaimRules:
    numbers: dict[str, int]
    multiples: dict[str, int]
    qualifiers: dict[tuple[str, ...], str]
    after: _Phrases
    before: _Phrases
    units: dict[str, frozenset[str]]  # kinds that count one thing only
    counted: frozenset[str]  # the first words of all phrases
    not_people: frozenset[str]
    said_latin: re.Pattern[str]
    said_arabic: re.Pattern[str]
    named_after: frozenset[str]  # the phrases of saying after which the name comes
    offices: frozenset[str]
    pronouns: frozenset[str]


@cache
def _load_rules() -> _ClaimRules:
    data = data_files.read_toml("claims.toml")
    fold = vocabulary.fold_letters
    numbers: dict[str, int] = {}
    for words in data["numbers"].values():
        numbers |= {fold(word): number for word, number in words.items()}
    units: dict[str, frozenset[str]] = {}
    for kind in data["kinds"]:
        if "units" in kind:
            units[kind["kind"]] = frozenset(map(fold, kind["units"]))
    after = _phrases_by_first_word(data["kinds"], "after")
    before = _phrases_by_first_word(data["kinds"], "before")
    said = data["said"]
    return _ClaimRules(
        numbers=numbers,
        multiples={fold(word): number for word, number in data["multiples"].items()},
        qualifiers={
            tuple(fold(text).split()): kept for text, kept in data["qualifiers"].items()
        },
        after=after,
        before=before,
        counted=frozenset((*after, *before)),
        units=units,
        not_people=frozenset(map(fold, data["units"]["not_people"])),
        said_latin=_any_word_of(said["verbs"]),
        said_arabic=_any_word_of(map(fold, (*said["fa"], *said["ps"]))),
        named_after=frozenset(map(fold, said["named_after"])),
        offices=frozenset(said["offices"]),
        pronouns=frozenset(said["pronouns"]),
    )


def _phrases_by_first_word(kinds: Iterable[dict[str, Any]], side: str) -> _Phrases:
    found: _Phrases = {}
    for kind in kinds:
        for text in kind[side]:
            first, *rest = vocabulary.fold_letters(text).split()
            found.setdefault(first, []).append((tuple(rest), kind["kind"]))
    return found


def _any_word_of(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(longest_first) + r")\b")


@dataclass(frozen=True, slots=True)
class _Number:
    value: int
    start: int  # index of its first word
    end: int  # index after its last


def find_claims(scan: Scan) -> tuple[Claim, ...]:
    """Every claim, in order, each once; at most `MAX_CLAIMS`.

    Sentences without a word of conflict or an armed party are not looked at.
    """
    rules = _load_rules()
    claiming = {
        match.sentence
        for match in scan.matches
        if any(term.group in _CLAIMING_GROUPS for term in match.terms)
    }
    found: dict[tuple[str, int], Claim] = {}
    for number in sorted(claiming):
        sentence = scan.sentences[number]
        words = set(sentence.folded.split())
        has_number = _DIGIT.search(sentence.folded) is not None
        if not has_number and rules.numbers.keys().isdisjoint(words):
            continue
        if rules.counted.isdisjoint(words):
            continue
        for claim in _claims_in_sentence(sentence.text, sentence.folded):
            found.setdefault((claim.kind, claim.number), claim)
            if len(found) == MAX_CLAIMS:
                return tuple(found.values())
    return tuple(found.values())


def _claims_in_sentence(sentence: str, folded: str) -> Iterator[Claim]:
    said_by: str | None = None
    for words in _split_clauses(sentence, folded):
        numbers = list(_find_numbers(words))
        for number, kind in zip(numbers, _kinds_of_all(words, numbers), strict=True):
            if not kind:
                continue
            if said_by is None:
                said_by = _find_speaker(sentence)
            yield Claim(
                kind=kind,
                number=number.value,
                qualifier=_qualifier_before(words, number),
                said_by=said_by,
                sentence=sentence,
            )


def _split_clauses(sentence: str, folded: str) -> Iterator[list[str]]:
    """The folded words of each clause; a number written with separators is one word."""
    if _THOUSANDS.search(sentence):
        sentence = _THOUSANDS.sub("", sentence)
        folded = vocabulary.fold_letters(sentence)
    start = 0
    for end in _CLAUSE.finditer(sentence):
        yield folded[start : end.start()].split()
        start = end.end()
    yield folded[start:].split()


def _find_numbers(words: Sequence[str]) -> Iterator[_Number]:
    known = _load_rules().numbers
    end = 0
    for at, word in enumerate(words):
        if at < end or not (word in known or word[0].isdecimal()):
            continue
        value, end = _parse_number(words, at)
        if 0 < value <= MAX_CLAIMED_NUMBER:
            yield _Number(value, at, end)


def _parse_number(words: Sequence[str], start: int) -> tuple[int, int]:
    """The number that starts at a word and the index after it.

    (0, start) where none does.
    """
    rules = _load_rules()
    total, end = 0, start
    for word in words[start : start + _MAX_NUMBER_WORDS]:
        if word in rules.multiples and total:
            total *= rules.multiples[word]
        elif not total and word.isdecimal() and len(word) <= _MAX_DIGITS:
            total = int(word)
        elif word in rules.numbers and _may_be_added(total, rules.numbers[word]):
            total += rules.numbers[word]
        elif not (word in _AND and _goes_on(words[end + 1 : end + 2], total)):
            break
        end += 1
    return total, end


def _goes_on(next_words: Sequence[str], total: int) -> bool:
    """Whether a number goes on behind an "and": "twenty and five", in Dari's way."""
    if total < _MIN_NUMBER_BEFORE_AND or not next_words:
        return False
    return next_words[0] in _load_rules().numbers


def _may_be_added(total: int, number: int) -> bool:
    """Whether a number word goes on with a number: units to tens, tens to hundreds."""
    if not total:
        return True
    for step in (1000, 100, 10):
        if total % step == 0:
            return 0 < number < step
    return False


def _kinds_of_all(words: Sequence[str], numbers: Sequence[_Number]) -> list[str]:
    """What each number counts.

    In a list one without a kind of its own has the next one's: "12 police, 21 Taliban
    killed".
    """
    kinds = [""] * len(numbers)
    next_start, next_kind = len(words), ""
    for at in reversed(range(len(numbers))):
        number = numbers[at]
        previous_end = numbers[at - 1].end if at else 0
        kind = _kind_of_number(words, number, floor=previous_end, reach=next_start)
        is_listed = next_start - number.end in (1, 2, 3)
        may_share = is_listed and next_kind not in _load_rules().units
        if not kind and may_share and _counts_people(words, number):
            kind = next_kind
        kinds[at] = kind
        next_start, next_kind = number.start, kind
    return kinds


def _kind_of_number(
    words: Sequence[str], number: _Number, *, floor: int, reach: int
) -> str:
    """What the number counts, by the nearest word that says so; "" for nothing.

    The word stands between the numbers that end at `floor` and begin at `reach`.
    """
    rules = _load_rules()
    near = frozenset(words[number.end : number.end + _UNIT_WORDS])
    counts_people = _counts_people(words, number)
    last = min(reach, number.end + _MAX_WORDS_AFTER)
    first = max(floor, number.start - _MAX_WORDS_BEFORE)

    # At the same distance the word after the number is the one that speaks of it
    options: list[tuple[int, int, str]] = []
    for distance, at in enumerate(range(number.end, last)):
        options += [(distance, 0, kind) for kind in _kinds_at(words, at, rules.after)]
    for distance, at in enumerate(reversed(range(first, number.start))):
        options += [(distance, 1, kind) for kind in _kinds_at(words, at, rules.before)]

    for _, _, kind in sorted(options):
        units = rules.units.get(kind)
        fits = counts_people if units is None else not near.isdisjoint(units)
        if fits:
            return kind
    return ""


def _counts_people(words: Sequence[str], number: _Number) -> bool:
    if _FIRST_YEAR <= number.value <= _LAST_YEAR:
        return False
    return _load_rules().not_people.isdisjoint(words[number.end : number.end + 2])


def _kinds_at(words: Sequence[str], at: int, phrases: _Phrases) -> Iterator[str]:
    for rest, kind in phrases.get(words[at], ()):
        if tuple(words[at + 1 : at + 1 + len(rest)]) == rest:
            yield kind


def _qualifier_before(words: Sequence[str], number: _Number) -> str:
    qualifiers = _load_rules().qualifiers
    for length in (3, 2, 1):
        phrase = tuple(words[max(0, number.start - length) : number.start])
        if phrase in qualifiers:
            return qualifiers[phrase]
    return ""


def _find_speaker(sentence: str) -> str:
    """Who says so, as the text names them: "officials", "Kandahar governor".

    "" where nobody is named: "he said" means somebody of a sentence before.
    """
    rules = _load_rules()
    for part in _SPEAKER_CUT.split(sentence):
        speaker = _speaker_in(part.strip(" .،,"))
        if speaker and vocabulary.fold_letters(speaker) not in rules.pronouns:
            return speaker[:_MAX_SPEAKER_CHARS]

    # A headline names its source at an end: "Officials: ...", "... - agency"
    pieces = _HEADLINE_CUT.split(sentence)
    if len(pieces) == 1:
        return ""
    for piece in (pieces[-1], pieces[0]):
        if len(piece.split()) > _MAX_HEADLINE_SOURCE_WORDS:
            continue
        source = piece.strip(" .")
        if not rules.offices.isdisjoint(vocabulary.fold_letters(source).split()):
            return source[:_MAX_SPEAKER_CHARS]
    return ""


def _speaker_in(part: str) -> str:
    """The words beside the phrase of saying: after "according to", before "said".

    "" where only a joining word is.
    """
    rules = _load_rules()
    folded = vocabulary.fold_letters(part)
    latin = rules.said_latin.search(folded)
    phrase = latin or rules.said_arabic.search(folded)
    if phrase is None:
        return ""
    before = part[: phrase.start()].split()
    after = part[phrase.end() :].split()
    if before[-1:] == ["and"]:
        return ""
    if phrase.group() in rules.named_after or not before:
        return " ".join(after[:_MAX_SPEAKER_WORDS])
    if phrase.group().startswith("په "):
        # "د چارواکو په خبره": the name begins with the last د
        starts = [at for at, word in enumerate(before) if word == "د"]
        name = before[starts[-1] :] if starts else before
        return " ".join(name[-_MAX_SPEAKER_WORDS:])
    if latin:
        return " ".join(before[:_MAX_SPEAKER_WORDS])
    return " ".join(before[-_MAX_SPEAKER_WORDS:])
