"""Whether a text is coverage of the conflict in Afghanistan: a score from 0 to 1.

The rule: a sentence proves something when an Afghan anchor (a place, a party, the
country) and a word of conflict stand in it together. Sentences add up as independent
hints do (one minus the product of the doubts), the title weighing most. Words against
(sport, trade, disasters, rights, other countries' courts ...) take from the ambiguous
words first: a "killed" near an earthquake is no battle, a suicide bombing at a cricket
match is one. "Taliban" alone names a government and proves nothing; nor does a place.

Words: `data/lexicon.csv`, `data/places.csv`; figures: `data/weights.toml`. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from crawler import data_files
from crawler.topic.scan import BODY, TITLE, Scan
from crawler.topic.vocabulary import CONFLICT_GROUPS, LexiconTerm, TermMatch
from storage.model import Reason, Verdict

MAX_REASONS = 40
_PLACE_ANCHOR = 0.85  # how surely a place in a sentence makes it an Afghan one

# Kinds of words against that can be the place or the victim of an attack. An earthquake
# and an anniversary cannot
_TARGET_KINDS = frozenset(
    {"culture", "economy", "food", "health", "politics_abroad", "rights", "sport"}
    | {"courts_abroad", "textile"}
)
_ATTACKS = frozenset({"battles", "explosions", "violence_against_civilians"})
_HARM = frozenset({"violence", "violence_against_civilians"})
_TARGET_PREPOSITIONS = frozenset(
    "بر به بالای در روی علیه پر په د on at in near outside against inside".split()  # noqa: SIM905 - a line of words
)
_MAX_TARGET_CHARS = 20  # from the word of attack to its target
_MAX_TARGET_WORDS = 2  # of these the first may be an adjective: "حمله خونین بر"
_MAX_VICTIM_CHARS = 12
_FORM_MARKS = frozenset({"+", "(", "|", "/"})

_REPRESSION = "violence_against_civilians"
_AUTHORITIES = frozenset({"taliban", "taliban_forces"})
_REPRESSED = frozenset({"critics", "andsf"})
_OPPOSITION = frozenset({"nrf", "aff"})
_REPRESSION_WEIGHT = 0.35
# A title or lede that dates itself before 2001 tells history: "سال ۱۳۵۴", "۱۳۵۷ کال"
_OLD_YEAR = re.compile(
    r"(?:سال|کال) (?:13[0-7]\d|19[0-8]\d)\b|\b(?:13[0-7]\d|19[0-8]\d)(?:مه?)? کال"
)
_OLD_YEAR_WEIGHT = 0.6

# (term, part of the text, group and id) to weight
_Reasons = dict[tuple[str, str, str], float]


@cache
def _load_weights() -> dict[str, dict[str, float]]:
    return data_files.read_toml("weights.toml")


@dataclass(slots=True)
class _Evidence:
    """What one sentence says, each a share from 0 to 1."""

    part: str  # of the text
    anchor: float = 0.0
    hard: float = 0.0  # words that only conflict uses
    soft: float = 0.0
    against: float = 0.0
    elsewhere: float = 0.0


def judge(scan: Scan) -> Verdict:
    """The score of a scanned text, and the terms that made it, the weightiest first."""
    evidence, reasons = _weigh(scan)
    ordered = sorted(reasons.items(), key=lambda item: (-abs(item[1]), item[0]))
    return Verdict(
        score=round(_score(evidence), 4),
        reasons=tuple(
            Reason(term=term, where=part, weight=round(weight, 3), kind=kind)
            for (term, part, kind), weight in ordered[:MAX_REASONS]
        ),
    )


def _either(one: float, other: float) -> float:
    """Two independent hints together: one minus the product of the doubts."""
    return 1 - (1 - one) * (1 - other)


def _weigh(scan: Scan) -> tuple[list[_Evidence], _Reasons]:
    weight_of_part = _load_weights()["part"]
    evidence = [_Evidence(sentence.part) for sentence in scan.sentences]
    reasons: _Reasons = {}
    counted: set[tuple[int, str, str]] = set()  # a term counts once in a sentence
    repressive: set[int] = set()  # sentences with violence against civilians
    for match in scan.matches:
        line = evidence[match.sentence]
        for term in _strongest_meanings(match.terms):
            key = (match.sentence, term.group, term.text)
            if key in counted:
                continue
            if term.group == "negative" and _takes_nothing(scan, match, term):
                continue
            counted.add(key)
            if term.id == _REPRESSION:
                repressive.add(match.sentence)
            weight = _add_term(line, term)
            if weight:
                kind = f"{term.group}:{term.id}"
                reasons[term.text, line.part, kind] = weight * weight_of_part[line.part]
    for number in repressive:
        line = evidence[number]
        if _names_repressed(scan, number):
            line.soft = _either(line.soft, _REPRESSION_WEIGHT)
            weight = _REPRESSION_WEIGHT * weight_of_part[line.part]
            kind = f"event:{_REPRESSION}"
            reasons["of critics or former soldiers", line.part, kind] = weight
    for line, sentence in zip(evidence, scan.sentences, strict=True):
        if line.part == BODY:
            continue
        year = _OLD_YEAR.search(sentence.folded)
        if year is not None:
            line.against = _either(line.against, _OLD_YEAR_WEIGHT)
            weight = -_OLD_YEAR_WEIGHT * weight_of_part[line.part]
            reasons[year[0], line.part, "negative:history"] = weight
    for located in scan.places:
        name = located.place.name
        key = (located.match.sentence, "place", name)
        if key in counted:
            continue
        counted.add(key)
        line = evidence[located.match.sentence]
        line.anchor = _either(line.anchor, _PLACE_ANCHOR)
        reasons[name, line.part, "place"] = _PLACE_ANCHOR * weight_of_part[line.part]
    return evidence, reasons


def _names_repressed(scan: Scan, number: int) -> bool:
    """Whether a sentence names the authorities and people whom they repress.

    "The Taliban detained two journalists": a detention alone is the work of any police.
    """
    ids: set[str] = set()
    for match in scan.matches:
        if match.sentence == number:
            ids.update(term.id for term in match.terms)
    # Members of an armed opposition are detained by nobody else
    if not ids.isdisjoint(_OPPOSITION):
        return True
    return not ids.isdisjoint(_AUTHORITIES) and not ids.isdisjoint(_REPRESSED)


def _takes_nothing(scan: Scan, match: TermMatch, term: LexiconTerm) -> bool:
    """Whether a word against is the target of an attack, or a note on the page's form.

    "حمله بر دانشگاه", "پر ښوونځي برید", "blast at a school": the attack is the news.
    "+ فیلم" and "(عکس)" at the end of a headline say that a film belongs to it.
    """
    sentence = scan.sentences[match.sentence]
    if term.id == "culture":
        before = sentence.text[: match.start].rstrip()[-1:]
        if before in _FORM_MARKS:
            return True
    if term.id not in _TARGET_KINDS:
        return False
    previous = sentence.folded[: match.start].split()[-1:]
    folded = sentence.folded
    is_latin = sentence.text[match.start].isascii()
    previous = folded[: match.start].split()[-1:]
    has_preposition = bool(previous) and previous[0] in _TARGET_PREPOSITIONS
    for other in scan.matches:
        if other.sentence != match.sentence:
            continue
        behind = other.start - match.end  # negative where the other comes before
        kinds = {one.id for one in other.terms if one.group in CONFLICT_GROUPS}
        if kinds & _ATTACKS:
            if has_preposition and 0 <= behind <= _MAX_TARGET_CHARS:
                return True
            # "حمله بر تیم واکسین پولیو", "blast at a school"
            between = folded[other.end : match.start].split()[:_MAX_TARGET_WORDS]
            if is_latin:
                between = between[-1:]
            is_before = 0 < match.start - other.end <= _MAX_TARGET_CHARS
            names_target = not _TARGET_PREPOSITIONS.isdisjoint(between)
            if is_before and (has_preposition or names_target):
                return True
        # "لس محصلین ووژل شول", "پنج بازیکن کشته شدند". Not in English, whose courts and
        # camps abroad stand so beside the killed
        if not is_latin and 0 <= behind <= _MAX_VICTIM_CHARS and kinds & _HARM:
            return True
    return False


def _strongest_meanings(terms: Sequence[LexiconTerm]) -> Sequence[LexiconTerm]:
    """One meaning of each group."""
    if len(terms) == 1:
        return terms
    best: dict[str, LexiconTerm] = {}
    for term in terms:
        if term.group not in best or term.weight > best[term.group].weight:
            best[term.group] = term
    return list(best.values())


def _add_term(line: _Evidence, term: LexiconTerm) -> float:
    """Add a term to its sentence's evidence.

    Returns the weight that it is told with, negative where it speaks against.
    """
    weights = _load_weights()
    match term.group:
        case "anchor" | "actor":
            line.anchor = _either(line.anchor, term.weight)
            # An armed party speaks for conflict a little by itself
            armed = 0.0
            for flag in ("armed", "state"):
                if flag in term.flags:
                    armed = max(armed, weights["actors"][flag])
            line.soft = _either(line.soft, armed)
            return max(term.weight, armed)
        case "event" | "context":
            if "soft" in term.flags:
                line.soft = _either(line.soft, term.weight)
            else:
                line.hard = _either(line.hard, term.weight)
            return term.weight
        case "negative":
            line.against = _either(line.against, term.weight)
            return -term.weight
        case "elsewhere":
            taken = weights["elsewhere"].get(term.id, weights["elsewhere"]["far"])
            line.elsewhere = max(line.elsewhere, taken)
            return -taken
    return 0.0  # homonyms and words of a dialect say which meaning others have


def _score(evidence: Sequence[_Evidence]) -> float:
    weights = _load_weights()
    against = 0.0  # how surely the text is of another kind
    for line in evidence:
        against = _either(against, line.against * weights["negative"][line.part])
    kept_hard = 1 - against * (1 - weights["soft"]["kept_hard"])
    kept_soft = 1 - against * (1 - weights["soft"]["kept_soft"])
    abroad = 0.0
    if _is_title_of_elsewhere(evidence):
        abroad = weights["elsewhere"]["title"]

    # In a long body each sentence proves less, so that length alone proves nothing
    share = dict(weights["part"])
    body_sentences = sum(line.part == BODY for line in evidence)
    share[BODY] *= min(1.0, share["body_sentences"] / max(body_sentences, 1))

    doubt = 1.0
    carried = 0.0  # the anchor that later sentences have from those before
    for line in evidence:
        anchor = max(line.anchor, carried) * (1 - line.elsewhere) * (1 - abroad)
        conflict = _either(line.hard * kept_hard, line.soft * kept_soft)
        doubt *= 1 - share[line.part] * anchor * conflict
        carried = max(carried, line.anchor * weights["carry"].get(line.part, 0.0))
    return 1 - doubt


def _is_title_of_elsewhere(evidence: Sequence[_Evidence]) -> bool:
    """Whether the title names another war's place or party and nothing Afghan."""
    return any(
        line.part == TITLE and line.elsewhere and not line.anchor for line in evidence
    )
