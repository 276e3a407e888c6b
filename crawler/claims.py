"""Numbers that a text claims: how many killed, wounded, captured, displaced, districts fallen, who says so.

Unverified hints with the sentence they stand in, never facts. Digits of three scripts and number words of three
languages. Rules: `data/claims.toml`. Pure; each sentence costs a bounded number of words.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from crawler import vocabulary
from crawler.scan import Scan
from storage.model import Claim

MAX_CLAIMS = 30
MAX_NUMBER = 10_000_000
_FAR_AFTER = 9  # words between a number and what became of those counted: "30 Taliban militants, including ..., were"
_FAR_BEFORE = 4
_CLAUSE = re.compile(r"[;:؛]|\s[–—-]\s")


@dataclass(frozen=True, slots=True)
class _Kind:
    kind: str
    units: frozenset[str]
    after: frozenset[tuple[str, ...]]
    before: frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Rules:
    numbers: dict[str, int]
    multiples: dict[str, int]
    qualifiers: dict[tuple[str, ...], str]
    kinds: tuple[_Kind, ...]
    not_people: frozenset[str]
    said_latin: tuple[str, ...]
    said_arabic: tuple[str, ...]


def _phrase(text: str) -> tuple[str, ...]:
    return tuple(vocabulary.plain(text).split())


@cache
def _rules() -> _Rules:
    data = tomllib.loads(resources.files("crawler").joinpath("data/claims.toml").read_text(encoding="utf-8"))
    return _Rules(
        numbers={vocabulary.plain(w): n for words in data["numbers"].values() for w, n in words.items()},
        multiples={vocabulary.plain(w): n for w, n in data["multiples"].items()},
        qualifiers={_phrase(words): kept for words, kept in data["qualifiers"].items()},
        kinds=tuple(
            _Kind(
                kind["kind"],
                frozenset(vocabulary.plain(unit) for unit in kind.get("units", ())),
                frozenset(_phrase(words) for words in kind["after"]),
                frozenset(_phrase(words) for words in kind["before"]),
            )
            for kind in data["kinds"]
        ),
        not_people=frozenset(vocabulary.plain(unit) for unit in data["units"]["not_people"]),
        said_latin=tuple(data["said"]["verbs"]),
        said_arabic=tuple(vocabulary.plain(word) for word in (*data["said"]["fa"], *data["said"]["ps"])),
    )


def find(read: Scan) -> tuple[Claim, ...]:
    """Every claim of a text, in order, each once. Sentences without a word of conflict are not looked at."""
    spoken = {h.sentence for h in read.hits if any(t.group in ("event", "context") for t in h.terms)}
    found: dict[tuple[str, int], Claim] = {}
    for number in sorted(spoken):
        for claim in _in_sentence(read.sentences[number].text):
            found.setdefault((claim.kind, claim.number), claim)
            if len(found) == MAX_CLAIMS:
                return tuple(found.values())
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Number:
    value: int
    start: int  # index of its first word
    end: int  # index after its last


_WORD = re.compile(r"\d{1,3}(?:[,٬،]\d{3})+|\w+", re.UNICODE)


def _in_sentence(sentence: str) -> Iterator[Claim]:
    for clause in _CLAUSE.split(sentence):
        words = [vocabulary.plain(w) for w in _WORD.findall(clause)]
        for number in _numbers(words):
            kind = _kind(words, number)
            if kind:
                yield Claim(
                    kind=kind,
                    number=number.value,
                    qualifier=_qualifier(words, number),
                    said_by=_said_by(sentence),
                    sentence=sentence,
                )


def _numbers(words: Sequence[str]) -> Iterator[_Number]:
    at = 0
    while at < len(words):
        value, end = _value(words, at)
        if value and value <= MAX_NUMBER:
            yield _Number(value, at, end)
        at = max(end, at + 1)


def _value(words: Sequence[str], at: int) -> tuple[int, int]:
    """The number that starts at a word and the index after it; (0, at) where none does."""
    rules = _rules()
    total, end = 0, at
    while end < len(words) and end - at < 5:
        word = words[end].replace(" ", "")
        digits = word.isdecimal() and len(word) <= 8
        if word in rules.multiples and total:
            total *= rules.multiples[word]
        elif digits and not total:
            total = int(word)
        elif word in rules.numbers and (not total or 0 < rules.numbers[word] < _step(total)):
            total += rules.numbers[word]
        elif not (
            word in ("and", "و", "او") and total >= 20 and end + 1 < len(words) and words[end + 1] in rules.numbers
        ):
            break
        end += 1
    return total, end


def _step(total: int) -> int:
    """What may still be added to a number in words: units to tens, tens to hundreds."""
    return next((step for step in (1000, 100, 10) if total % step == 0), 0)


def _kind(words: Sequence[str], number: _Number) -> str:
    rules = _rules()
    following = words[number.end : number.end + 2]
    if not following and number.start == 0:
        return ""
    counted = following[0] if following else ""
    best: tuple[int, str] | None = None
    for kind in rules.kinds:
        if kind.units:
            if not kind.units & set(words[number.end : number.end + 4]):
                continue
        elif counted in rules.not_people or 1900 <= number.value <= 2100:
            continue
        distance = _distance(words, number, kind)
        if distance is not None and (best is None or distance < best[0]):
            best = (distance, kind.kind)
    return best[1] if best else ""


def _distance(words: Sequence[str], number: _Number, kind: _Kind) -> int | None:
    """Words between the number and the nearest word of the kind; None when none is near or another number is nearer."""
    for gap, at in enumerate(range(number.end, min(len(words), number.end + _FAR_AFTER))):
        if any(tuple(words[at : at + len(p)]) == p for p in kind.after):
            return gap
        if gap and (words[at].isdecimal() or words[at] in _rules().numbers):
            break
    for gap, at in enumerate(range(number.start - 1, max(-1, number.start - 1 - _FAR_BEFORE), -1)):
        if any(tuple(words[at : at + len(p)]) == p for p in kind.before):
            return gap
        if words[at].isdecimal() or words[at] in _rules().numbers:
            break
    return None


def _qualifier(words: Sequence[str], number: _Number) -> str:
    for length in (3, 2, 1):
        phrase = tuple(words[max(0, number.start - length) : number.start])
        if phrase in _rules().qualifiers:
            return _rules().qualifiers[phrase]
    return ""


_CUT = re.compile(r"[,،؛;:]\s|\s[–—-]\s|[“”\"«»]")


def _said_by(sentence: str) -> str:
    """The words beside the verb of saying, as the text writes them: "officials", "Kandahar governor"; "" where none."""
    parts = [part.strip(" .،,") for part in _CUT.split(sentence)]
    for part in parts:
        said = _speaker(part)
        if said:
            return said[:120]
    return ""


def _speaker(part: str) -> str:
    rules = _rules()
    lower = part.lower()
    for verb in rules.said_latin:
        found = re.search(rf"\b{verb}\b", lower)
        if found:
            who = part[found.end() :] if verb == "according to" else part[: found.start()] or part[found.end() :]
            return _short(who)
    if any(f" {verb} " in f" {vocabulary.plain(part)} " for verb in rules.said_arabic):
        return _short(part)
    return ""


def _short(who: str) -> str:
    words = who.split()
    return " ".join(words if len(words) <= 8 else words[:8]).strip(" .,،")
