"""One reading of a text.

Its sentences, the forms in them, and which of the names are places.

Relevance, mentions and claims all work from one `Scan`, so that an article is matched
once. Pure.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crawler.topic import toponyms, vocabulary
from crawler.topic.toponyms import LocatedPlace
from crawler.topic.vocabulary import ExtraTerm, LexiconTerm, Sentence, TermMatch

MAX_TEXT_CHARS = 60_000  # of a text that are read: ten times a long article
# A longer run of words without an end is several headlines or a list, cut in pieces
MAX_SENTENCE_CHARS = 500
LEDE_SENTENCES = 3
MAX_LEDE_WORDS = 90  # and no sentence that begins after so many
# Words: "For Immediate Release", a dateline, a section's name take no place in the lead
_MIN_LEDE_SENTENCE_WORDS = 8
_MAX_TITLE_WORDS = 40  # words: a longer one is a list of headlines or a paragraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one pass over a text found."""

    sentences: tuple[Sentence, ...]
    matches: tuple[TermMatch, ...]  # all groups but place; in order
    places: tuple[LocatedPlace, ...]  # in order
    names_afghanistan: bool  # the text names Afghanistan in a way that needs no cue

    def matched_text(self, hit: TermMatch) -> str:
        """The words of a hit as the text writes them."""
        return self.sentences[hit.sentence].text[hit.start : hit.end]


_SENTENCE_END = re.compile(r"[.!?؟۔](?:[\"'”’»)\]]{0,2})\s+")
# A full stop after these does not end a sentence.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|[A-Z]\.[A-Z]|[ap]\.m|Gen|Maj|Col|Lt|Sgt|Capt|Brig|Mr|Mrs|Ms|Dr|Prof|St|No|vs|Gov|Sen|Rep"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)$"
)


def scan_text(
    title: str | None, text: str, *, extra_terms: Iterable[ExtraTerm] = ()
) -> Scan:
    """Read an article: sentences with their part, forms, places.

    Text beyond `MAX_CHARACTERS` is not read.
    """
    extra = tuple(extra_terms)
    sentences = _sentences(title, text)
    hits = [
        hit
        for number, s in enumerate(sentences)
        for hit in vocabulary.find_terms(s, number, extra=extra)
    ]
    afghan = toponyms.names_afghanistan(hits)
    places = toponyms.locate_places(hits, sentences, afghan=afghan)
    unlike = _PAKISTANI if not places and _only_pakistani(hits) else frozenset[str]()
    words = tuple(
        TermMatch(kept, hit.sentence, hit.start, hit.end)
        for hit in hits
        if (
            kept := tuple(
                t for t in hit.terms if _counts(t, afghan=afghan, unlike=unlike)
            )
        )
    )
    return Scan(
        sentences=tuple(sentences),
        matches=words,
        places=tuple(places),
        names_afghanistan=afghan or bool(places),
    )


# What "Taliban" does not mean in a text about the Pakistani movement that names nothing
# Afghan.
_PAKISTANI = frozenset({"taliban", "taliban_forces"})


def _only_pakistani(hits: Iterable[TermMatch]) -> bool:
    ids = {
        t.id
        for hit in hits
        for t in hit.terms
        if t.group == "actor" or (t.group == "anchor" and t.id != "border")
    }
    return "ttp" in ids and not ids & {
        "afghanistan",
        "people",
        "corps",
        "andsf",
        "nrf",
        "aff",
        "iskp",
        "haqqani",
    }


def _counts(term: LexiconTerm, *, afghan: bool, unlike: frozenset[str]) -> bool:
    return (
        term.group != "place"
        and (afghan or "cue" not in term.flags)
        and term.id not in unlike
    )


def _sentences(title: str | None, text: str) -> list[Sentence]:
    body = [
        s for line in text[:MAX_TEXT_CHARS].splitlines() for s in _split(_tidy(line))
    ]
    head = _tidy((title or "")[:MAX_TEXT_CHARS])
    if len(head.split()) > _MAX_TITLE_WORDS or len(head) > MAX_SENTENCE_CHARS:
        return list(_parts(dict.fromkeys([*_split(head), *body])))
    if not head and body:
        head, body = body[0], body[1:]
    return ([_sentence(head, "title")] if head else []) + list(
        _parts(s for s in body if s != head)
    )


def _parts(body: Iterable[str]) -> Iterator[Sentence]:
    told = words = 0
    for sentence in body:
        yield _sentence(
            sentence,
            "lead" if told < LEDE_SENTENCES and words < MAX_LEDE_WORDS else "body",
        )
        length = sentence.count(" ") + 1
        told, words = told + (length >= _MIN_LEDE_SENTENCE_WORDS), words + length


def _sentence(text: str, where: str) -> Sentence:
    return Sentence(text, where, vocabulary.fold_letters(text))


def _tidy(line: str) -> str:
    return " ".join(vocabulary.strip_marks(line).replace("…", ".").split())


def _split(line: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(line):
        if not _ABBREVIATION.search(line[max(start, end.start() - 8) : end.start()]):
            yield from _pieces(line[start : end.end()].strip())
            start = end.end()
    yield from _pieces(line[start:].strip())


def _pieces(sentence: str) -> Iterator[str]:
    """The sentence, or its pieces of at most `MAX_SENTENCE`, cut between words where there are any."""
    while len(sentence) > MAX_SENTENCE_CHARS:
        cut = (
            sentence.rfind(" ", 1, MAX_SENTENCE_CHARS)
            if " " in sentence[1:MAX_SENTENCE_CHARS]
            else MAX_SENTENCE_CHARS
        )
        yield sentence[:cut]
        sentence = sentence[cut:].lstrip()
    if sentence:
        yield sentence
