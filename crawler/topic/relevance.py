"""Whether a text is coverage of the conflict in Afghanistan: a score from 0 to 1.

The rule: a sentence proves something when an Afghan anchor (a place, a party, the
country) and a word of conflict stand in it together. Sentences add up as independent
hints do (one minus the product of the doubts), the title weighing most. Words against
(sport, trade, disasters, rights, other countries' courts ...) take from the ambiguous
words first: a "killed" near an earthquake is no battle, a suicide bombing at a cricket
match is one. "Taliban" alone names a government and proves nothing; nor does a place.

Words: `data/lexicon.csv`, `data/places.csv`; figures: `data/weights.toml`. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from crawler import data_files
from crawler.topic.scan import BODY, TITLE, Scan
from crawler.topic.vocabulary import LexiconTerm
from storage.model import Reason, Verdict

MAX_REASONS = 40
_PLACE_ANCHOR = 0.85  # how surely a place in a sentence makes it an Afghan one

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
    for match in scan.matches:
        line = evidence[match.sentence]
        for term in _strongest_meanings(match.terms):
            key = (match.sentence, term.group, term.text)
            if key in counted:
                continue
            counted.add(key)
            weight = _add_term(line, term)
            if weight:
                kind = f"{term.group}:{term.id}"
                reasons[term.text, line.part, kind] = weight * weight_of_part[line.part]
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
    return term.weight


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
    for line in evidence:
        if line.part == TITLE and line.elsewhere and not line.anchor:
            return True
    return False
