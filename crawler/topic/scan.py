"""One pass over a text: its sentences, the forms in them, which names are places.

Relevance, mentions and claims all work from one `Scan`, so that an article is matched
once. Pure.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crawler.topic import toponyms, vocabulary
from crawler.topic.toponyms import LocatedPlace
from crawler.topic.vocabulary import ExtraTerm, Sentence, TermMatch

MAX_TEXT_CHARS = 60_000  # of a text that are read: ten times a long article
# A longer run of words without an end is several headlines or a list, cut in pieces
MAX_SENTENCE_CHARS = 500
# The lede is the first three sentences, and none that begins after ninety words
LEDE_SENTENCES = 3
MAX_LEDE_WORDS = 90
# "For Immediate Release", a dateline, a section's name take no place in the lede
_MIN_LEDE_SENTENCE_WORDS = 8
_MAX_TITLE_WORDS = 40  # a longer one is a list of headlines or a paragraph
TITLE, BODY = "title", "body"
LEDE = "lead"  # so it is written in the reasons that the file keeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one pass over a text found."""

    sentences: tuple[Sentence, ...]
    matches: tuple[TermMatch, ...]  # all groups but place; in order
    places: tuple[LocatedPlace, ...]  # in order
    names_afghanistan: bool  # the text names Afghanistan in a way that needs no cue

    def matched_text(self, match: TermMatch) -> str:
        """The words of a match as the text writes them."""
        return self.sentences[match.sentence].text[match.start : match.end]


_SENTENCE_END = re.compile(r"[.!?؟۔](?:[\"'”’»)\]]{0,2})\s+")
# A full stop after these does not end a sentence
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|[A-Z]\.[A-Z]|[ap]\.m|Gen|Maj|Col|Lt|Sgt|Capt|Brig|Mr|Mrs|Ms|Dr|Prof|St|No|vs|Gov|Sen|Rep"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)$"
)


# What "Taliban" does not mean in a text about the Pakistani movement that names nothing
# Afghan
_TALIBAN_IDS = frozenset({"taliban", "taliban_forces"})
_AFGHAN_IDS = frozenset(
    {"afghanistan", "people", "corps", "andsf", "nrf", "aff", "iskp", "haqqani"}
)


def scan_text(
    title: str | None, text: str, *, extra_terms: Iterable[ExtraTerm] = ()
) -> Scan:
    """Sentences with their part, forms and places of an article.

    Text beyond `MAX_TEXT_CHARS` is not read.
    """
    extra = tuple(extra_terms)
    sentences = _split_article(title, text)
    found: list[TermMatch] = []
    for number, sentence in enumerate(sentences):
        found += vocabulary.find_terms(sentence, number, extra=extra)

    is_afghan = toponyms.names_afghanistan(found)
    places = toponyms.locate_places(found, sentences, afghan=is_afghan)
    not_meant = frozenset[str]()
    if not places and _is_about_pakistani_taliban(found):
        not_meant = _TALIBAN_IDS

    matches: list[TermMatch] = []
    for match in found:
        terms = tuple(
            term
            for term in match.terms
            if term.group != "place"
            and (is_afghan or "cue" not in term.flags)
            and term.id not in not_meant
        )
        if terms:
            matches.append(TermMatch(terms, match.sentence, match.start, match.end))
    return Scan(
        sentences=tuple(sentences),
        matches=tuple(matches),
        places=tuple(places),
        names_afghanistan=is_afghan or bool(places),
    )


def _is_about_pakistani_taliban(matches: Iterable[TermMatch]) -> bool:
    """Whether a text names that movement and nothing Afghan but the border."""
    ids: set[str] = set()
    for match in matches:
        for term in match.terms:
            if term.group == "actor" or (
                term.group == "anchor" and term.id != "border"
            ):
                ids.add(term.id)
    return "ttp" in ids and ids.isdisjoint(_AFGHAN_IDS)


def _split_article(title: str | None, text: str) -> list[Sentence]:
    body: list[str] = []
    for line in text[:MAX_TEXT_CHARS].splitlines():
        body += _split_sentences(_clean_line(line))
    head = _clean_line((title or "")[:MAX_TEXT_CHARS])
    if len(head.split()) > _MAX_TITLE_WORDS or len(head) > MAX_SENTENCE_CHARS:
        body = list(dict.fromkeys([*_split_sentences(head), *body]))
        head = ""
    elif not head and body:
        # Without a title the first sentence is one
        head, body = body[0], body[1:]

    sentences: list[Sentence] = []
    if head:
        sentences.append(_make_sentence(head, TITLE))
        body = [sentence for sentence in body if sentence != head]
    full_sentences = words = 0
    for sentence in body:
        in_lede = full_sentences < LEDE_SENTENCES and words < MAX_LEDE_WORDS
        sentences.append(_make_sentence(sentence, LEDE if in_lede else BODY))
        length = sentence.count(" ") + 1
        words += length
        full_sentences += length >= _MIN_LEDE_SENTENCE_WORDS
    return sentences


def _make_sentence(text: str, part: str) -> Sentence:
    return Sentence(text, part, vocabulary.fold_letters(text))


def _clean_line(line: str) -> str:
    return " ".join(vocabulary.strip_marks(line).replace("…", ".").split())


def _split_sentences(line: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(line):
        before = line[max(start, end.start() - 8) : end.start()]
        if _ABBREVIATION.search(before):
            continue
        yield from _cut_long(line[start : end.end()].strip())
        start = end.end()
    yield from _cut_long(line[start:].strip())


def _cut_long(sentence: str) -> Iterator[str]:
    """The sentence, or its pieces of at most `MAX_SENTENCE_CHARS`.

    They are cut between words where there are any.
    """
    while len(sentence) > MAX_SENTENCE_CHARS:
        cut = sentence.rfind(" ", 1, MAX_SENTENCE_CHARS)
        if cut < 0:
            cut = MAX_SENTENCE_CHARS
        yield sentence[:cut]
        sentence = sentence[cut:].lstrip()
    if sentence:
        yield sentence
