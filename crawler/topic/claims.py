"""Numbers that a text claims.

How many killed, wounded, captured, displaced, districts fallen, who says so.

Unverified hints with the sentence they stand in, never facts. Digits of three scripts
and number words of three languages. Rules: `data/claims.toml`. Pure; each sentence
costs a bounded number of words.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from crawler.topic import vocabulary
from crawler.topic.scan import Scan
from storage.model import Claim

_CLAIMING = frozenset({"event", "context", "actor"})
MAX_CLAIMS = 30
MAX_CLAIMED_NUMBER = 10_000_000
# Words between a number and what became of those counted: "30 Taliban militants,
# including ..., were"
_MAX_WORDS_AFTER = 9
_MAX_WORDS_BEFORE = 4
_MAX_NUMBER_WORDS = 5  # words: "two hundred and thirty five"
_MAX_SPEAKER_WORDS = 8  # words: a name and an office
_MAX_HEADLINE_SOURCE_WORDS = 4  # words: "Afghan governor", "officials"
_MAX_DIGITS = 8  # as MAX_NUMBER
_AND = ("and", "و", "او")
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_CLAUSE = re.compile(r"[;:؛]|\s[–—-]\s")


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


def _phrase(text: str) -> tuple[str, ...]:
    return tuple(vocabulary.fold_letters(text).split())


@cache
def _load_rules() -> _ClaimRules:
    data = tomllib.loads(
        resources.files("crawler")
        .joinpath("data/claims.toml")
        .read_text(encoding="utf-8")
    )
    after, before = _phrases(data["kinds"], "after"), _phrases(data["kinds"], "before")
    return _ClaimRules(
        numbers={
            vocabulary.fold_letters(w): n
            for words in data["numbers"].values()
            for w, n in words.items()
        },
        multiples={vocabulary.fold_letters(w): n for w, n in data["multiples"].items()},
        qualifiers={_phrase(words): kept for words, kept in data["qualifiers"].items()},
        after=after,
        before=before,
        counted=frozenset((*after, *before)),
        units={
            k["kind"]: frozenset(map(vocabulary.fold_letters, k["units"]))
            for k in data["kinds"]
            if "units" in k
        },
        not_people=frozenset(map(vocabulary.fold_letters, data["units"]["not_people"])),
        said_latin=_any_of(data["said"]["verbs"]),
        said_arabic=_any_of(
            map(vocabulary.fold_letters, (*data["said"]["fa"], *data["said"]["ps"]))
        ),
        named_after=frozenset(
            map(vocabulary.fold_letters, data["said"]["named_after"])
        ),
        offices=frozenset(data["said"]["offices"]),
        pronouns=frozenset(data["said"]["pronouns"]),
    )


def _phrases(kinds: Iterable[dict[str, Any]], side: str) -> _Phrases:
    found: _Phrases = {}
    for kind in kinds:
        for text in kind[side]:
            first, *rest = _phrase(text)
            found.setdefault(first, []).append((tuple(rest), kind["kind"]))
    return found


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(
        r"\b(" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")\b"
    )


def find_claims(read: Scan) -> tuple[Claim, ...]:
    """Every claim, in order, each once.

    Sentences without a word of conflict or an armed party are not looked at.
    """
    spoken = {
        h.sentence for h in read.matches if any(t.group in _CLAIMING for t in h.terms)
    }
    found: dict[tuple[str, int], Claim] = {}
    for number in sorted(spoken):
        sentence = read.sentences[number]
        if not _may_claim(sentence.folded):
            continue
        for claim in _in_sentence(sentence.text, sentence.folded):
            found.setdefault((claim.kind, claim.number), claim)
            if len(found) == MAX_CLAIMS:
                return tuple(found.values())
    return tuple(found.values())


_DIGIT = re.compile(r"\d")


def _may_claim(plain: str) -> bool:
    words = set(plain.split())
    rules = _load_rules()
    numbered = bool(_DIGIT.search(plain)) or not rules.numbers.keys().isdisjoint(words)
    return numbered and not rules.counted.isdisjoint(words)


@dataclass(frozen=True, slots=True)
class _Number:
    value: int
    start: int  # index of its first word
    end: int  # index after its last


# "1,200", "1٬200": one number
_THOUSANDS = re.compile(r"(?<=\d)[,٬،](?=\d{3}\b)")


def _in_sentence(sentence: str, plain: str) -> Iterator[Claim]:
    said_by: str | None = None
    for words in _clauses(sentence, plain):
        numbers = list(_numbers(words))
        for number, kind in zip(numbers, _all_kinds(words, numbers), strict=True):
            if kind:
                said_by = _find_speaker(sentence) if said_by is None else said_by
                yield Claim(
                    kind=kind,
                    number=number.value,
                    qualifier=_qualifier(words, number),
                    said_by=said_by,
                    sentence=sentence,
                )


def _clauses(sentence: str, plain: str) -> Iterator[list[str]]:
    """The folded words of each clause; a number written with separators is one word."""
    if _THOUSANDS.search(sentence):
        sentence = _THOUSANDS.sub("", sentence)
        plain = vocabulary.fold_letters(sentence)
    start = 0
    for end in _CLAUSE.finditer(sentence):
        yield plain[start : end.start()].split()
        start = end.end()
    yield plain[start:].split()


def _all_kinds(words: Sequence[str], numbers: Sequence[_Number]) -> list[str]:
    """The kind of each number; one without its own in a list has the next one's.

    "12 police, 21 Taliban killed".
    """
    kinds = [""] * len(numbers)
    for at in range(len(numbers) - 1, -1, -1):
        reach = numbers[at + 1].start if at + 1 < len(numbers) else len(words)
        kinds[at] = _kind(
            words, numbers[at], floor=numbers[at - 1].end if at else 0, reach=reach
        )
        listed = reach - numbers[at].end in (1, 2, 3)
        if (
            not kinds[at]
            and at + 1 < len(numbers)
            and listed
            and _counts_people(words, numbers[at])
        ):
            kinds[at] = (
                kinds[at + 1] if kinds[at + 1] not in _load_rules().units else ""
            )
    return kinds


def _numbers(words: Sequence[str]) -> Iterator[_Number]:
    known = _load_rules().numbers
    end = 0
    for at, word in enumerate(words):
        if at >= end and (word in known or word[0].isdecimal()):
            value, end = _value(words, at)
            if 0 < value <= MAX_CLAIMED_NUMBER:
                yield _Number(value, at, end)


def _value(words: Sequence[str], at: int) -> tuple[int, int]:
    """The number that starts at a word and the index after it.

    (0, at) where none does.
    """
    rules = _load_rules()
    total, end = 0, at
    while end < len(words) and end - at < _MAX_NUMBER_WORDS:
        word = words[end]
        if word in rules.multiples and total:
            total *= rules.multiples[word]
        elif not total and word.isdecimal() and len(word) <= _MAX_DIGITS:
            total = int(word)
        elif word in rules.numbers and (
            not total or 0 < rules.numbers[word] < _step(total)
        ):
            total += rules.numbers[word]
        elif not (
            word in _AND
            and total >= 20
            and words[end + 1 : end + 2]
            and words[end + 1] in rules.numbers
        ):
            break
        end += 1
    return total, end


def _step(total: int) -> int:
    """What may still be added to a number in words: units to tens, tens to hundreds."""
    return next((step for step in (1000, 100, 10) if total % step == 0), 0)


def _kind(words: Sequence[str], number: _Number, *, floor: int, reach: int) -> str:
    """What the number counts, by the nearest word that says so and with no other number between; "" for nothing."""
    rules = _load_rules()
    near = frozenset(words[number.end : number.end + 4])
    people = _counts_people(words, number)
    # At the same distance the word after the number is the one that speaks of it
    options = []
    for gap, at in enumerate(
        range(number.end, min(reach, number.end + _MAX_WORDS_AFTER))
    ):
        options += [(gap, 0, kind) for kind in _kinds_at(words, at, rules.after)]
    for gap, at in enumerate(
        range(number.start - 1, max(floor, number.start - _MAX_WORDS_BEFORE) - 1, -1)
    ):
        options += [(gap, 1, kind) for kind in _kinds_at(words, at, rules.before)]
    fitting = [
        o
        for o in options
        if (bool(near & rules.units[o[2]]) if o[2] in rules.units else people)
    ]
    return min(fitting)[2] if fitting else ""


def _counts_people(words: Sequence[str], number: _Number) -> bool:
    thing = bool(set(words[number.end : number.end + 2]) & _load_rules().not_people)
    return not thing and not _FIRST_YEAR <= number.value <= _LAST_YEAR


def _kinds_at(words: Sequence[str], at: int, phrases: _Phrases) -> Iterator[str]:
    for rest, kind in phrases.get(words[at], ()):
        if tuple(words[at + 1 : at + 1 + len(rest)]) == rest:
            yield kind


def _qualifier(words: Sequence[str], number: _Number) -> str:
    for length in (3, 2, 1):
        phrase = tuple(words[max(0, number.start - length) : number.start])
        if phrase in _load_rules().qualifiers:
            return _load_rules().qualifiers[phrase]
    return ""


_CUT = re.compile(r"[,،؛;:]\s|\s[–—-]\s|[“”\"«»]")


_ENDS = re.compile(r"\s[–—-]\s|:\s")


def _find_speaker(sentence: str) -> str:
    """Who says so, as the text names them: "officials", "Kandahar governor".

    "" where nobody is named.
    """
    parts = [part.strip(" .،,") for part in _CUT.split(sentence)]
    spoken = next(
        (who for part in parts if (who := _speaker(part)) and not _is_pronoun(who)), ""
    )
    pieces = _ENDS.split(sentence)
    if not spoken and len(pieces) > 1:
        # A headline names its source at an end: "Officials: ...", "... - agency".
        ends = (
            part.strip(" .")
            for part in (pieces[-1], pieces[0])
            if len(part.split()) <= _MAX_HEADLINE_SOURCE_WORDS
        )
        spoken = next(
            (
                part
                for part in ends
                if set(vocabulary.fold_letters(part).split()) & _load_rules().offices
            ),
            "",
        )
    return spoken[:120]


def _is_pronoun(who: str) -> bool:
    """Whether "he said" names nobody.

    Who is meant stands in a sentence that is not quoted.
    """
    return vocabulary.fold_letters(who) in _load_rules().pronouns


def _speaker(part: str) -> str:
    """The words beside the phrase of saying: after "according to", before "said".

    "" where only a joining word is.
    """
    rules = _load_rules()
    folded = vocabulary.fold_letters(part)
    found = rules.said_latin.search(folded) or rules.said_arabic.search(folded)
    if not found:
        return ""
    before, after = part[: found.start()].split(), part[found.end() :].split()
    if before[-1:] == ["and"]:
        return ""
    if found.group() in rules.named_after or not before:
        return " ".join(after[:_MAX_SPEAKER_WORDS])
    # "د چارواکو په خبره": the name begins with the last د
    if found.group().startswith("په "):
        start = max((n for n, word in enumerate(before) if word == "د"), default=0)
        return " ".join(before[start:][-_MAX_SPEAKER_WORDS:])
    return " ".join(
        before[-_MAX_SPEAKER_WORDS:]
        if found.re is rules.said_arabic
        else before[:_MAX_SPEAKER_WORDS]
    )
