"""What a text names: places, armed parties, kinds of event, and the numbers it claims.

Each mention has its count and the first sentence that names it. State forces are told
apart by period: "Afghan forces" are those of the Republic until 15 August 2021 and the
Taliban's after it. Data: `data/actors.csv`. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache

from crawler import data_files
from crawler.topic import claims
from crawler.topic.scan import Scan
from crawler.topic.vocabulary import LexiconTerm
from storage.model import Claim, Mention

# ACLED's six types. The lexicon's other ids of events (violence, casualties, forces)
# name none by themselves.
EVENT_NAMES = {
    "battles": "Battles",
    "explosions": "Explosions and remote violence",
    "violence_against_civilians": "Violence against civilians",
    "protests": "Protests",
    "riots": "Riots",
    "strategic_developments": "Strategic developments",
}
# Parties of other wars too: NATO in Ukraine, ISIS in Syria. A form whose weight as an
# Afghan anchor is no larger means the party anywhere.
_WORLDWIDE_PARTIES = frozenset({"iskp", "alqaeda", "nato"})
_MAX_WORLDWIDE_WEIGHT = 0.15
# "The former army": the party before the change of power, whatever the date
_FORMER = ("former", "ex-", "پیشین", "پخوان")


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


@dataclass(frozen=True, slots=True)
class _Naming:
    kind: str
    code: str
    name: str
    sentence: int
    role: str = ""


@cache
def load_actors() -> dict[str, Actor]:
    """All parties by id."""
    actors: dict[str, Actor] = {}
    for row in data_files.read_csv("actors.csv"):
        until = None
        if row["until"]:
            until = datetime.combine(date.fromisoformat(row["until"]), time(), UTC)
        actors[row["id"]] = Actor(
            id=row["id"], name=row["name"], until=until, then=row["then"]
        )
    return actors


def find_mentions(scan: Scan, *, published_at: datetime | None = None) -> TextMentions:
    """What the scanned text names, the most frequent of each kind first.

    A text that says nothing of Afghanistan has no actors, events and claims, only the
    places that it names.
    """
    found: dict[tuple[str, str], list[_Naming]] = {}
    for naming in _namings(scan, published_at):
        found.setdefault((naming.kind, naming.code), []).append(naming)
    mentions = [
        Mention(
            kind=kind,
            code=code,
            name=namings[-1].name,
            count=len(namings),
            sentence=scan.sentences[namings[0].sentence].text,
            role=_role_of_all(namings),
        )
        for (kind, code), namings in found.items()
    ]
    mentions.sort(key=lambda mention: (mention.kind, -mention.count))
    claimed: tuple[Claim, ...] = ()
    if scan.names_afghanistan:
        claimed = claims.find_claims(scan)
    return TextMentions(mentions=tuple(mentions), claims=claimed)


def _role_of_all(namings: Sequence[_Naming]) -> str:
    """The role in which a place is named each time, or "" where it is the news once."""
    for naming in namings:
        if not naming.role:
            return ""
    return namings[0].role


def _namings(scan: Scan, published_at: datetime | None) -> Iterator[_Naming]:
    for located in scan.places:
        place = located.place
        yield _Naming(
            "place", place.code, place.name, located.match.sentence, located.role
        )
    if not scan.names_afghanistan:
        return

    abroad = {
        match.sentence
        for match in scan.matches
        if any(term.id == "far" for term in match.terms)
    }
    ids_of_sentence: dict[int, set[str]] = {}
    for match in scan.matches:
        terms: Iterable[LexiconTerm] = match.terms
        if match.sentence in abroad:
            terms = [term for term in match.terms if not _is_worldwide(term)]
        # Two terms of one form may mean the same thing
        for group, code in dict.fromkeys((term.group, term.id) for term in terms):
            ids = ids_of_sentence.setdefault(match.sentence, set())
            ids.add(group if group == "actor" else code)
            if group == "actor":
                words = scan.matched_text(match)
                actor = _actor_of_period(code, published_at, words=words)
                yield _Naming("actor", actor.id, actor.name, match.sentence)
            elif group == "event" and code in EVENT_NAMES:
                yield _Naming("event", code, EVENT_NAMES[code], match.sentence)

    for sentence, ids in ids_of_sentence.items():
        kind = _kind_of_violence(ids)
        if kind:
            yield _Naming("event", kind, EVENT_NAMES[kind], sentence)


def _is_worldwide(term: LexiconTerm) -> bool:
    return term.id in _WORLDWIDE_PARTIES and term.weight <= _MAX_WORLDWIDE_WEIGHT


def _kind_of_violence(ids: set[str]) -> str | None:
    """ACLED's type of a killing or an attack that has no word of its own.

    It follows from those whom the sentence names with it.
    """
    if "violence" not in ids or not ids.isdisjoint(EVENT_NAMES):
        return None
    if "civilians" in ids:
        return "violence_against_civilians"
    if "actor" in ids or "forces" in ids:
        return "battles"
    return None


def _actor_of_period(code: str, published_at: datetime | None, *, words: str) -> Actor:
    """The party that the words meant on the day; without a date, the Republic's."""
    actor = load_actors()[code]
    if actor.until is None or published_at is None or published_at < actor.until:
        return actor
    if any(word in words.lower() for word in _FORMER):
        return actor
    return load_actors()[actor.then]
