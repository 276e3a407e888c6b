"""Is a text coverage of the conflict in Afghanistan.

A score from 0 to 1, and every term that made it.

The rule: a sentence proves something when an Afghan anchor (a place, a party, the
country) and a word of conflict stand in it together. Sentences add up as independent
hints do (one minus the product of the doubts), the title weighing most. Words against
(sport, trade, disasters, rights, other countries' courts ...) take from the ambiguous
words first: a "killed" near an earthquake is no battle, a suicide bombing at a cricket
match is one. "Taliban" alone names a government and proves nothing; nor does a place.

Words: `data/lexicon.csv`, `data/places.csv`; figures: `data/weights.toml`. Pure.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

from crawler.topic.scan import Scan, scan_text
from crawler.topic.vocabulary import ExtraTerm, LexiconTerm
from storage.model import Reason, Verdict

THRESHOLD = 0.5
MAX_REASONS = 40


@cache
def _load_weights() -> dict[str, dict[str, float]]:
    text = (
        resources.files("crawler")
        .joinpath("data/weights.toml")
        .read_text(encoding="utf-8")
    )
    return tomllib.loads(text)


@dataclass(slots=True)
class _Evidence:
    """What one sentence says, each a share from 0 to 1."""

    where: str
    anchor: float = 0.0
    hard: float = 0.0  # words that only conflict uses
    soft: float = 0.0
    against: float = 0.0
    elsewhere: float = 0.0


def judge(
    title: str | None,
    text: str,
    *,
    language: str | None = None,
    extra_terms: Iterable[ExtraTerm] = (),
    published_at: datetime | None = None,
    found: Scan | None = None,
) -> Verdict:
    """Score a text.

    `found` is a scan already made of the same title and text, so that it is not made
    twice.
    """
    # The words of all languages are in one automaton; no rule depends on the date yet
    del language, published_at
    read = found or scan_text(title, text, extra_terms=extra_terms)
    evidence, reasons = _weigh(read)
    score = _score(evidence)
    return Verdict(score=round(score, 4), reasons=_sorted(reasons))


def _either(one: float, other: float) -> float:
    """Two independent hints together."""
    return 1 - (1 - one) * (1 - other)


def _weigh(read: Scan) -> tuple[list[_Evidence], dict[tuple[str, str, str], float]]:
    evidence = [_Evidence(sentence.where) for sentence in read.sentences]
    reasons: dict[tuple[str, str, str], float] = {}
    told: set[tuple[int, str, str]] = set()
    for hit in read.matches:
        for term in _meanings(hit.terms):
            mark = (hit.sentence, term.group, term.text)
            if mark not in told:
                told.add(mark)
                _count(evidence[hit.sentence], term, reasons)
    for located in read.places:
        mark = (located.match.sentence, "place", located.place.name)
        if mark not in told:
            told.add(mark)
            line = evidence[located.match.sentence]
            line.anchor = _either(line.anchor, 0.85)
            _note(reasons, located.place.name, line.where, "place", 0.85)
    return evidence, reasons


def _meanings(terms: Sequence[LexiconTerm]) -> Sequence[LexiconTerm]:
    """One meaning of each group: the strongest."""
    if len(terms) == 1:
        return terms
    best: dict[str, LexiconTerm] = {}
    for term in terms:
        if term.group not in best or term.weight > best[term.group].weight:
            best[term.group] = term
    return list(best.values())


def _count(
    line: _Evidence, term: LexiconTerm, reasons: dict[tuple[str, str, str], float]
) -> None:
    figures = _load_weights()
    signed = term.weight
    if term.group in ("anchor", "actor"):
        line.anchor = _either(line.anchor, term.weight)
        armed = max(
            (
                figures["actors"][flag]
                for flag in ("armed", "state")
                if flag in term.flags
            ),
            default=0.0,
        )
        line.soft = _either(line.soft, armed)
        signed = max(signed, armed)
    elif term.group in ("event", "context"):
        if "soft" in term.flags:
            line.soft = _either(line.soft, term.weight)
        else:
            line.hard = _either(line.hard, term.weight)
    elif term.group == "negative":
        line.against = _either(line.against, term.weight)
        signed = -signed
    elif term.group == "elsewhere":
        signed = -figures["elsewhere"].get(term.id, figures["elsewhere"]["far"])
        line.elsewhere = max(line.elsewhere, -signed)
    if signed:
        _note(reasons, term.text, line.where, f"{term.group}:{term.id}", signed)


def _note(
    reasons: dict[tuple[str, str, str], float],
    term: str,
    where: str,
    kind: str,
    weight: float,
) -> None:
    reasons[term, where, kind] = weight * _load_weights()["part"][where]


def _score(evidence: Sequence[_Evidence]) -> float:
    figures = _load_weights()
    against = _against(evidence)
    share = _shares(evidence)
    abroad = figures["elsewhere"]["title"] if _titled_abroad(evidence) else 0.0
    doubt = 1.0
    carried = 0.0
    for line in evidence:
        anchor = max(line.anchor, carried) * (1 - line.elsewhere) * (1 - abroad)
        kept_hard = 1 - against * (1 - figures["soft"]["kept_hard"])
        kept_soft = 1 - against * (1 - figures["soft"]["kept_soft"])
        conflict = _either(line.hard * kept_hard, line.soft * kept_soft)
        doubt *= 1 - share[line.where] * anchor * conflict
        carried = max(carried, line.anchor * figures["carry"].get(line.where, 0.0))
    return 1 - doubt


def _titled_abroad(evidence: Sequence[_Evidence]) -> bool:
    return any(
        line.where == "title" and line.elsewhere and not line.anchor
        for line in evidence
    )


def _shares(evidence: Sequence[_Evidence]) -> dict[str, float]:
    """What one sentence of each part may prove.

    In a long body each one less, so that length alone proves nothing.
    """
    part = _load_weights()["part"]
    body = sum(line.where == "body" for line in evidence)
    return {
        **part,
        "body": part["body"] * min(1.0, part["body_sentences"] / max(body, 1)),
    }


def _against(evidence: Sequence[_Evidence]) -> float:
    """How surely the text is of another kind.

    The title's word counts whole, each later one less.
    """
    figures = _load_weights()["negative"]
    sure = 0.0
    for line in evidence:
        sure = _either(sure, line.against * figures[line.where])
    return sure


def _sorted(reasons: dict[tuple[str, str, str], float]) -> tuple[Reason, ...]:
    ordered = sorted(reasons.items(), key=lambda item: (-abs(item[1]), item[0]))[
        :MAX_REASONS
    ]
    return tuple(
        Reason(term=term, where=where, weight=round(weight, 3), kind=kind)
        for (term, where, kind), weight in ordered
    )
