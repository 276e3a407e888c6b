"""Whether a page can be about Afghanistan at all, asked of its bytes before any parsing.

Relevance needs an Afghan anchor: the country, a party, a place (see `relevance`). A page
is turned away only where no form of any of them stands in its text, its `meta` tags or
its JSON, written in whatever charset the page has, as HTML entities or as JSON escapes.
Parties that alone never carry a page (NATO, al-Qaeda) are not asked for. A name that
markup splits (`K<b>abul</b>`) is not seen; the page's other mentions of it are.

A page that names Afghanistan once or twice, in a list of countries or in passing, is
turned away too where next to no word of conflict stands near: a sentence proves
something by both, and a report repeats its name in its head. Pure; runs in a worker.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from html import unescape
from typing import Any, NamedTuple

import ahocorasick

from crawler.extraction import charsets, markup
from crawler.topic import gazetteer, toponyms, vocabulary
from crawler.topic.vocabulary import (
    CONFLICT_GROUPS,
    NAME_GROUPS,
    ExtraTerm,
    LexiconTerm,
)
from storage.model import Page

NO_AFGHAN_NAME = "no Afghan word in the page"
IN_PASSING = "an Afghan word in passing, no word of conflict near it"
# Of a page that are looked at: a larger one is refused unread
MAX_PAGE_BYTES = markup.MAX_PAGE_BYTES
_PARTY_FLAGS = frozenset({"armed", "state"})
# The next lower weight is 0.15: parties of other wars too
_MIN_NAME_WEIGHT = 0.3
# Of 513 labelled reports none with so few names has less than 1.65 near them; 16 of 54
# pages parsed in vain have
_MAX_PASSING_NAMES = 2
_MAX_PASSING_WEIGHT = 0.9  # of the words of conflict near them, together
_NEAR_CHARS = 500  # on either side: as long as a sentence may be
# That was measured for this relevance; where less is asked for, names in passing count
_MEASURED_RELEVANCE = 0.5
# A page with more words that may be a name is taken to be about Afghanistan
_MAX_DOUBTS = 2_000
_CUE_CHARS = 40  # of the word beside a name
_MAX_CACHED_RUNS = 50_000
# ASCII letters in lower case, digits, and every byte of other scripts stay; what stands
# between words becomes a space
_LETTERS = bytes(
    byte if byte > 127 or chr(byte).isalnum() else 32
    for byte in bytes(range(256)).lower()
)
_ENTITY = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31});?")
_ESCAPE = re.compile(rb"\\\\*(?:u([0-9a-fA-F]{4})|[nrtbf])")
_FOREIGN = re.compile("[^\x00-\x7f]+")
# Every tag but those whose attributes are read
_TAG = re.compile(rb"<(?!meta\b)[/A-Za-z][^<>]{0,4000}>", re.IGNORECASE)
# Spelled out, since a pattern that ignores case is tried at each byte: this takes a
# tenth of the time
_SCRIPT = rb"[sS][cC][rR][iI][pP][tT]"
_STYLE = rb"[sS][tT][yY][lL][eE]"
_OPENING = re.compile(rb"<(?:(%s)|%s)\b[^<>]{0,4000}>" % (_SCRIPT, _STYLE))
_CLOSING_SCRIPT = re.compile(rb"</" + _SCRIPT)
_CLOSING_STYLE = re.compile(rb"</" + _STYLE)


class NameForm(NamedTuple):
    """What a form that was found proves: enough, or something only in company."""

    form: str
    # A party or province that is also another word: two of them name Afghanistan
    doubtful: bool = False
    cued: bool = False  # a place that is also another word: one only beside a cue
    written: re.Pattern[bytes] | None = None  # an abbreviation, as it must be written

    @property
    def is_sure(self) -> bool:
        """Whether the form alone names Afghanistan."""
        return not (self.doubtful or self.cued or self.written)


def off_topic_reason(
    page: Page,
    *,
    extra_terms: Iterable[ExtraTerm] = (),
    least: float = _MEASURED_RELEVANCE,
) -> str | None:
    """Why the bytes of a page cannot be what is kept, or None where they may be.

    `least` is the relevance asked for, from 0 to 1.
    """
    extra = tuple(extra_terms)
    body, text = _page_text(page)
    if not _names_afghanistan(text, body, _name_automaton(extra)):
        return NO_AFGHAN_NAME
    if least >= _MEASURED_RELEVANCE and _is_in_passing(text, extra):
        return IN_PASSING
    return None


def may_hold_text(page: Page) -> bool:
    """Whether the answer is a text that can be asked for words.

    Anything else is turned away cheaply elsewhere.
    """
    content_type = (page.header("content-type") or "").lower()
    if not content_type:
        return True
    texts = ("html", "text/plain", "xml", "octet-stream")
    return any(name in content_type for name in texts)


def _page_text(page: Page) -> tuple[bytes, str]:
    """What of a page is text: as it is written, and folded between single blanks."""
    body = page.body[:MAX_PAGE_BYTES]
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        text = charsets.decode_page(body, page.header("content-type"))
        body = text.encode("utf-8", "replace")
    # Addresses and classes name Kabul on many a page that says nothing of it: tags are
    # no text
    body = _TAG.sub(b" ", _without_scripts(body))
    if b"\\" in body:
        body = _ESCAPE.sub(_escaped_letter, body)
    if b"&" in body:
        body = _ENTITY.sub(lambda match: _entity_text(match[0]), body)
    folded = b" ".join(body.translate(_LETTERS).split()).decode("utf-8", "replace")
    if not folded.isascii():
        folded = _FOREIGN.sub(lambda match: _fold_run(match[0]), folded)
        folded = " ".join(folded.split())
    return body, f" {folded} "


def _without_scripts(body: bytes) -> bytes:
    """The bytes without styles, and without scripts that are no JSON."""
    kept: list[bytes] = []
    at = 0
    while opening := _OPENING.search(body, at):
        closing_tag = _CLOSING_SCRIPT if opening[1] else _CLOSING_STYLE
        closing = closing_tag.search(body, opening.end())
        if closing is None:
            break
        is_json = b"json" in opening[0].lower()
        end = closing.start() if is_json else opening.start()
        kept.append(body[at:end])
        at = closing.start()
    kept.append(body[at:])
    return b" ".join(kept)


def _escaped_letter(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return _letter_of_code(match[1])
    return b" "


@lru_cache(maxsize=4096)
def _letter_of_code(code: bytes) -> bytes:
    return chr(int(code, 16)).encode("utf-8", "replace")


@lru_cache(maxsize=4096)
def _entity_text(entity: bytes) -> bytes:
    text = unescape(entity.decode("ascii"))
    if text.startswith("&"):
        return b" "
    return text.encode("utf-8", "replace")


@lru_cache(maxsize=_MAX_CACHED_RUNS)
def _fold_run(run: str) -> str:
    """A run of letters beyond ASCII as the vocabulary folds it.

    A mark on the ASCII letter before it goes.
    """
    letters = [
        letter
        for letter in vocabulary.strip_marks(run)
        if not unicodedata.combining(letter)
    ]
    return vocabulary.fold_letters("".join(letters))


def _names_afghanistan(text: str, body: bytes, automaton: Any) -> bool:
    doubtful: set[str] = set()
    for doubts, (end, name) in enumerate(automaton.iter(text)):
        if name.is_sure or doubts > _MAX_DOUBTS:
            return True
        if name.written is not None and name.written.search(body):
            return True
        if name.doubtful:
            doubtful.add(name.form)
            if len(doubtful) > 1:
                return True
        if name.cued and _has_cue(text, end - len(name.form), end):
            return True
    return False


def _has_cue(text: str, start: int, end: int) -> bool:
    """Whether a word beside a name makes a place of it.

    The name begins at `start` and ends before the blank at `end`.
    """
    cues = _cue_words()
    before = text[max(0, start - 1 - _CUE_CHARS) : start - 1].rsplit(" ", 1)[-1]
    if before in cues:
        return True
    after = text[end + 1 : end + 2 + _CUE_CHARS].split(" ", 1)[0]
    return after in cues


@cache
def _cue_words() -> frozenset[str]:
    """The words next to a name, of those that make a place of it."""
    cues = toponyms.load_cues()
    return frozenset(form.split()[-1] for form in (*cues.before, *cues.after))


def _is_in_passing(text: str, extra: tuple[ExtraTerm, ...]) -> bool:
    """Whether names are few and words of conflict near them fewer."""
    ends: list[int] = []
    for end, _ in _name_automaton(extra).iter(text):
        ends.append(end)
        if len(ends) > _MAX_PASSING_NAMES:
            return False
    weights: dict[int, float] = {}  # by the place in the text: two names may share it
    for end in ends:
        start = max(0, end - _NEAR_CHARS)
        near = text[start : end + _NEAR_CHARS]
        for at, weight in _conflict_automaton(extra).iter(near):
            weights[start + at] = max(weight, weights.get(start + at, 0.0))
    return sum(weights.values()) < _MAX_PASSING_WEIGHT


@lru_cache(maxsize=8)
def _name_automaton(extra: tuple[ExtraTerm, ...]) -> Any:
    """Afghan names of the vocabulary and the user's, each between blanks."""
    found: dict[str, list[NameForm]] = {}
    for term in vocabulary.all_terms(extra):
        is_name = term.group in NAME_GROUPS or term.group == vocabulary.DIALECT_GROUP
        if not is_name or term.weight < _MIN_NAME_WEIGHT:
            continue
        for inflected in vocabulary.inflected_forms(term):
            form = " ".join(inflected.split())
            found.setdefault(form, []).append(_name_form(form, term))
    automaton = ahocorasick.Automaton()
    for form, names in found.items():
        automaton.add_word(f" {form} ", _strongest_proof(names))
    automaton.make_automaton()
    return automaton


@lru_cache(maxsize=8)
def _conflict_automaton(extra: tuple[ExtraTerm, ...]) -> Any:
    """Words of conflict with their weights.

    Parties whose name is one are among them, with the weight 1.
    """
    found: dict[str, float] = {}
    for term in vocabulary.all_terms(extra):
        if term.group in CONFLICT_GROUPS:
            weight = term.weight
        elif term.flags & _PARTY_FLAGS:
            weight = 1.0
        else:
            continue
        for form in vocabulary.inflected_forms(term):
            key = f" {' '.join(form.split())} "
            found[key] = max(weight, found.get(key, 0.0))
    automaton = ahocorasick.Automaton()
    for key, weight in found.items():
        automaton.add_word(key, weight)
    automaton.make_automaton()
    return automaton


def _name_form(form: str, term: LexiconTerm) -> NameForm:
    if "cue" in term.flags and " " not in form:
        if term.group != "place":
            return NameForm(form, doubtful=True)
        is_province = gazetteer.is_province_code(term.id)
        return NameForm(form, doubtful=is_province, cued=True)
    if "case" in term.flags:
        written = re.escape(term.text).encode()
        pattern = rb"(?<![0-9A-Za-z])%s(?![0-9A-Za-z])" % written
        return NameForm(form, written=re.compile(pattern))
    return NameForm(form)


def _strongest_proof(names: Sequence[NameForm]) -> NameForm:
    """What a form proves that stands for several things: the most that any of them does."""
    for name in names:
        if name.is_sure:
            return name
    patterns = sorted({name.written.pattern for name in names if name.written})
    return NameForm(
        names[0].form,
        doubtful=any(name.doubtful for name in names),
        cued=any(name.cued for name in names),
        written=re.compile(b"|".join(patterns)) if patterns else None,
    )
