"""Numbers that a text claims: how many killed, wounded, captured, displaced, by whom.

Unverified hints with the sentence they stand in, never facts. Digits of three scripts
and number words of three languages. Rules: `data/claims.toml`. Pure; each sentence
costs a bounded number of words.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
_ONE = ("یک", "یو")
_FIRST_TEN, _FIRST_HUNDRED = 10, 100
_TWENTY_AFTER_UNIT = "ویشت"  # "دوه ویشت" is 22
# "سه شنبه" is Tuesday, "ده ها" are dozens, "ده صلاح" is a district
_NO_NUMBER_BEFORE = frozenset({"شنبه", "شنبی", "ها", "صلاح", "سبز", "یک"})
_PASHTO_LETTER = re.compile("[ښڅځړډټږڼېۍ]")
_PASHTO_WORDS = frozenset({"کی", "چی", "په", "یی", "سوی", "شوی", "وویل"})
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
    numbers: dict[
        str, int
    ]  # of English and Dari, and those of Pashto that are no others
    pashto_numbers: dict[str, int]
    multiples: dict[str, int]
    qualifiers: dict[tuple[str, ...], str]
    qualifiers_after: dict[tuple[str, ...], str]
    after: _Phrases
    before: _Phrases
    units: dict[str, frozenset[str]]  # kinds that count one thing only
    counted: frozenset[str]  # the first words of all phrases
    not_people: frozenset[str]
    said_latin: re.Pattern[str]
    said_arabic: re.Pattern[str]
    said_words: frozenset[str]  # the first word of each phrase of saying
    named_after: frozenset[str]  # the phrases of saying after which the name comes
    offices: frozenset[str]
    pronouns: frozenset[str]


@cache
def _load_rules() -> _ClaimRules:
    data = data_files.read_toml("claims.toml")
    fold = vocabulary.fold_letters
    numbers_of = {
        language: {fold(word): number for word, number in words.items()}
        for language, words in data["numbers"].items()
    }
    units: dict[str, frozenset[str]] = {}
    for kind in data["kinds"]:
        if "units" in kind:
            units[kind["kind"]] = frozenset(map(fold, kind["units"]))
    after = _phrases_by_first_word(data["kinds"], "after")
    before = _phrases_by_first_word(data["kinds"], "before")
    said = data["said"]
    said_phrases = (*said["verbs"], *said["fa"], *said["ps"])
    return _ClaimRules(
        numbers=numbers_of["ps"] | numbers_of["fa"] | numbers_of["en"],
        pashto_numbers=numbers_of["ps"],
        multiples={fold(word): number for word, number in data["multiples"].items()},
        qualifiers=_folded_phrases(data["qualifiers"]),
        qualifiers_after=_folded_phrases(data["qualifiers_after"]),
        after=after,
        before=before,
        counted=frozenset((*after, *before)),
        units=units,
        not_people=frozenset(map(fold, data["units"]["not_people"])),
        said_latin=_any_word_of(said["verbs"]),
        said_arabic=_any_word_of(map(fold, (*said["fa"], *said["ps"]))),
        said_words=frozenset(phrase.split()[0] for phrase in map(fold, said_phrases)),
        named_after=frozenset(map(fold, said["named_after"])),
        offices=frozenset(said["offices"]),
        pronouns=frozenset(said["pronouns"]),
    )


def _folded_phrases(texts: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    fold = vocabulary.fold_letters
    return {tuple(fold(text).split()): kept for text, kept in texts.items()}


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
            first = found.setdefault((claim.kind, claim.number), claim)
            if claim.said_by and not first.said_by:
                # A headline names nobody; the sentence that repeats it does
                key = (claim.kind, claim.number)
                found[key] = replace(first, said_by=claim.said_by)
            if len(found) == MAX_CLAIMS:
                return tuple(found.values())
    return tuple(found.values())


def _claims_in_sentence(sentence: str, folded: str) -> Iterator[Claim]:
    said_by: str | None = None
    is_pashto = _is_pashto(sentence, folded)
    for words in _split_clauses(sentence, folded):
        numbers = list(_find_numbers(words, is_pashto=is_pashto))
        for number, kind in zip(numbers, _kinds_of_all(words, numbers), strict=True):
            if not kind:
                continue
            if said_by is None:
                said_by = _find_speaker(sentence)
            yield Claim(
                kind=kind,
                number=number.value,
                qualifier=_qualifier_of(words, number),
                said_by=said_by,
                sentence=sentence,
            )


def _is_pashto(sentence: str, folded: str) -> bool:
    """Whether a sentence is Pashto, by its letters, or by small words on any keyboard.

    In Pashto ده is "is" and نه "not": "نیولې ده" does not say ten.
    """
    if _PASHTO_LETTER.search(sentence):
        return True
    return not _PASHTO_WORDS.isdisjoint(folded.split())


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


def _find_numbers(words: Sequence[str], *, is_pashto: bool) -> Iterator[_Number]:
    rules = _load_rules()
    known = rules.pashto_numbers if is_pashto else rules.numbers
    end = 0
    for at, word in enumerate(words):
        is_first = word in known or word[0].isdecimal() or word in _ONE
        if at < end or not is_first:
            continue
        value, end = _parse_number(words, at, known, is_pashto=is_pashto)
        is_number = _NO_NUMBER_BEFORE.isdisjoint(words[end : end + 1])
        if is_number and 0 < value <= MAX_CLAIMED_NUMBER:
            yield _Number(value, at, end)


def _parse_number(
    words: Sequence[str], start: int, known: Mapping[str, int], *, is_pashto: bool
) -> tuple[int, int]:
    """The number that starts at a word and the index after it.

    (0, start) where none does.
    """
    rules = _load_rules()
    total, end = 0, start
    if words[start] in _ONE:
        # "یک صد و بیست": "one" alone is an article
        if (
            words[start + 1 : start + 2] == []
            or words[start + 1] not in rules.multiples
        ):
            return 0, start
        total, end = 1, start + 1
    for word in words[end : start + _MAX_NUMBER_WORDS]:
        if word in rules.multiples and total:
            total *= rules.multiples[word]
        elif not total and word.isdecimal() and len(word) <= _MAX_DIGITS:
            total = int(word)
        elif word in known and _may_be_added(total, known[word], is_pashto=is_pashto):
            total += known[word]
        elif is_pashto and word == _TWENTY_AFTER_UNIT and 0 < total < _FIRST_TEN:
            total += 20
        elif not (word in _AND and _goes_on(words[end + 1 : end + 2], total)):
            break
        end += 1
    return total, end


def _goes_on(next_words: Sequence[str], total: int) -> bool:
    """Whether a number goes on behind an "and": "twenty and five", in Dari's way."""
    if total < _MIN_NUMBER_BEFORE_AND or not next_words:
        return False
    return next_words[0] in _load_rules().numbers


def _may_be_added(total: int, number: int, *, is_pashto: bool) -> bool:
    """Whether a number word goes on with a number: units to tens, tens to hundreds.

    In Pashto the unit comes first: شپږ څلوېښت is 46.
    """
    if not total:
        return True
    if is_pashto and 0 < total < _FIRST_TEN <= number < _FIRST_HUNDRED:
        return number % _FIRST_TEN == 0
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


def _kinds_at(words: Sequence[str], at: int, phrases: _Phrases) -> Sequence[str]:
    """The kinds whose phrase stands here; of two phrases the longer one's."""
    candidates = phrases.get(words[at])
    if candidates is None:
        return ()
    longest = -1
    kinds: list[str] = []
    for rest, kind in candidates:
        if len(rest) < longest or tuple(words[at + 1 : at + 1 + len(rest)]) != rest:
            continue
        if len(rest) > longest:
            longest, kinds = len(rest), []
        kinds.append(kind)
    return kinds


def _qualifier_of(words: Sequence[str], number: _Number) -> str:
    """The qualifier before a number, or in Pashto's order the one behind it."""
    rules = _load_rules()
    for length in (3, 2, 1):
        phrase = tuple(words[max(0, number.start - length) : number.start])
        if phrase in rules.qualifiers:
            return rules.qualifiers[phrase]
        phrase = tuple(words[number.end : number.end + length])
        if phrase in rules.qualifiers_after:
            return rules.qualifiers_after[phrase]
    return ""


def _find_speaker(sentence: str) -> str:
    """Who says so, as the text names them: "officials", "Kandahar governor".

    "" where nobody is named: "he said" means somebody of a sentence before.
    """
    rules = _load_rules()
    parts = [part.strip(" .،,") for part in _SPEAKER_CUT.split(sentence)]
    for at, part in enumerate(parts):
        speaker = _speaker_in(part, before=parts[max(0, at - 2) : at])
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


def _speaker_in(part: str, *, before: Sequence[str]) -> str:
    """The words beside the phrase of saying: after "according to", before "said".

    `before` are the parts of the sentence before this one: "NAME، OFFICE، گفت" names the
    speaker in them. "" where only a joining word is.
    """
    rules = _load_rules()
    folded = vocabulary.fold_letters(part)
    if rules.said_words.isdisjoint(folded.split()):
        return ""  # the patterns are tried at each letter
    latin = rules.said_latin.search(folded)
    phrase = latin or rules.said_arabic.search(folded)
    if phrase is None:
        return ""
    words_before = part[: phrase.start()].split()
    words_after = part[phrase.end() :].replace("\u200c", " ").split()
    if words_before[-1:] == ["and"]:
        return ""
    if phrase.group() in rules.named_after:
        # The ezafe of "به گفته‌ی" is no part of the name
        is_ezafe = words_after[:1] == ["ی"]
        return " ".join(words_after[is_ezafe : _MAX_SPEAKER_WORDS + is_ezafe])
    if not words_before:
        if latin:
            return " ".join(words_after[:_MAX_SPEAKER_WORDS])
        named = "، ".join(before)
        return " ".join(named.split()[:_MAX_SPEAKER_WORDS])
    if phrase.group().startswith("په "):
        # "د چارواکو په خبره": the name begins with the last د
        starts = [at for at, word in enumerate(words_before) if word == "د"]
        name = words_before[starts[-1] :] if starts else words_before
        return " ".join(name[-_MAX_SPEAKER_WORDS:])
    if phrase.group().startswith("خبر ") and "از" in words_before:
        # "NAME از کشته شدن ۱۲ تن خبر داد"
        words_before = words_before[: words_before.index("از")]
    if latin:
        return " ".join(words_before[:_MAX_SPEAKER_WORDS])
    return " ".join(words_before[-_MAX_SPEAKER_WORDS:])
