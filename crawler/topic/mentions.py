"""What a text names.

Places, armed parties, kinds of event (ACLED's six), and the numbers that it claims.

Each mention has its count and the first sentence that names it. State forces are told
apart by period: "Afghan forces" are those of the Republic until 15 August 2021 and the
Taliban's after it. Data: `data/actors.csv`. Pure.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from importlib import resources

from crawler.topic import claims
from crawler.topic.scan import Scan, scan_text
from crawler.topic.vocabulary import LexiconTerm
from storage.model import Claim, Mention

# ACLED's types. The lexicon's other ids of events (violence, casualties, forces) name
# none by themselves.
EVENT_NAMES = {
    "battles": "Battles",
    "explosions": "Explosions and remote violence",
    "violence_against_civilians": "Violence against civilians",
    "protests": "Protests",
    "riots": "Riots",
    "strategic_developments": "Strategic developments",
}


# Parties of several wars, and the weight as an Afghan anchor up to which a form means
# the party anywhere.
_ANYWHERE, _ANYWHERE_WEIGHT = frozenset({"iskp", "alqaeda", "nato"}), 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMentions:
    """Everything that a text names and claims."""

    mentions: tuple[Mention, ...] = ()
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A party in ACLED's manner."""

    id: str
    name: str
    until: datetime | None  # from then on the same words mean `then`
    then: str


@cache
def load_actors() -> dict[str, Actor]:
    """All parties by id."""
    text = (
        resources.files("crawler")
        .joinpath("data/actors.csv")
        .read_text(encoding="utf-8")
    )
    return {
        row["id"]: Actor(
            id=row["id"],
            name=row["name"],
            until=_midnight(row["until"]),
            then=row["then"],
        )
        for row in csv.DictReader(text.splitlines())
    }


def _midnight(day: str) -> datetime | None:
    return datetime.combine(date.fromisoformat(day), time(), UTC) if day else None


def find_mentions(
    title: str | None,
    text: str,
    *,
    language: str | None = None,
    published_at: datetime | None = None,
    found: Scan | None = None,
) -> TextMentions:
    """Name what a text names.

    `found` is a scan already made of the same title and text.

    A text that says nothing of Afghanistan has no actors and events, only the places
    that it names.
    """
    del language  # the words of all languages are in one automaton
    read = found or scan_text(title, text)
    tally: dict[tuple[str, str], tuple[str, int, str]] = {}
    for kind, code, name, sentence in _named(read, published_at):
        _, count, first = tally.get(
            (kind, code), (name, 0, read.sentences[sentence].text)
        )
        tally[kind, code] = (name, count + 1, first)
    mentions = tuple(
        Mention(kind=kind, code=code, name=name, count=count, sentence=first)
        for (kind, code), (name, count, first) in sorted(
            tally.items(), key=lambda item: (item[0][0], -item[1][1])
        )
    )
    return TextMentions(
        mentions=mentions,
        claims=claims.find_claims(read) if read.names_afghanistan else (),
    )


def _named(
    read: Scan, published_at: datetime | None
) -> Iterator[tuple[str, str, str, int]]:
    for located in read.places:
        yield "place", located.place.code, located.place.name, located.match.sentence
    if not read.names_afghanistan:
        return
    seen: dict[int, set[str]] = {}
    abroad = {
        hit.sentence for hit in read.matches if any(t.id == "far" for t in hit.terms)
    }
    for hit in read.matches:
        # NATO in Ukraine, ISIS in Syria: parties of other wars too.
        names = (
            hit.terms
            if hit.sentence not in abroad
            else [t for t in hit.terms if not _anywhere(t)]
        )
        for group, code in {(t.group, t.id): None for t in names}:
            if group == "actor":
                actor = _of_period(code, published_at, hit_text=read.matched_text(hit))
                yield "actor", actor.id, actor.name, hit.sentence
            elif group == "event" and code in EVENT_NAMES:
                yield "event", code, EVENT_NAMES[code], hit.sentence
            seen.setdefault(hit.sentence, set()).add(
                group if group == "actor" else code
            )
    for sentence, said in seen.items():
        if (
            "violence" in said
            and said.isdisjoint(EVENT_NAMES)
            and (kind := _kind_of_violence(said))
        ):
            yield "event", kind, EVENT_NAMES[kind], sentence


def _anywhere(term: LexiconTerm) -> bool:
    return term.id in _ANYWHERE and term.weight <= _ANYWHERE_WEIGHT


def _kind_of_violence(said: set[str]) -> str | None:
    """ACLED's type of a killing or an attack that has no other word, by those whom the sentence names with it."""
    if "civilians" in said:
        return "violence_against_civilians"
    return "battles" if said & {"actor", "forces"} else None


_FORMER = ("former", "ex-", "پیشین", "پخوان")


def _of_period(code: str, published_at: datetime | None, *, hit_text: str) -> Actor:
    """The party that the words meant on the day.

    Without a date, that of the Republic.
    """
    actor = load_actors()[code]
    later = actor.until and published_at and published_at >= actor.until
    if later and not any(word in hit_text.lower() for word in _FORMER):
        return load_actors()[actor.then]
    return actor
