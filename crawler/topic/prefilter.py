"""Can a page be about Afghanistan at all.

Asked of its bytes, before anything parses them. Pure; runs in a worker.

Relevance needs an Afghan anchor: the country, a party, a place (see `relevance`). A
page is turned away only where no form of any of them stands in its text, its `meta`
tags or its JSON, written in whatever charset the page has, as HTML entities or as JSON
escapes. Parties that alone never carry a page (NATO, al-Qaeda: under `_SURE`) are not
asked for. A name that markup splits (`K<b>abul</b>`) is not seen; the page's other
mentions of it are.

A page that names Afghanistan once or twice, in a list of countries or in passing, is
turned away too where next to no word of conflict stands near: a sentence proves
something by both, and a report repeats its name in its head.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from html import unescape
from importlib import resources
from typing import Any, NamedTuple

import ahocorasick

from crawler.extraction import markup
from crawler.topic import vocabulary
from crawler.topic.vocabulary import ExtraTerm, LexiconTerm
from storage.model import Page

NO_AFGHAN_NAME = "no Afghan word in the page"
IN_PASSING = "an Afghan word in passing, no word of conflict near it"
# Of a page that are looked at: a larger one is refused unread
MAX_PAGE_BYTES = markup.MAX_PAGE_BYTES
_NAMING = frozenset({"anchor", "actor", "place"})
_SAID = frozenset({"event", "context"})
_ARMED = frozenset({"armed", "state"})
_SURE = 0.3  # weight; the next lower one is 0.15
_PROVINCE_CODE = 4  # letters of a P-code: AF27
# Of 513 labelled reports none with so few names has less than 1.65 near them; 16 of 54
# pages read in vain have.
_FEW = 2  # names in a page
_NEAR = 500  # letters on either side: as long as a sentence may be
_IN_EARNEST = 0.9  # weight of the words of conflict there, together
# The least relevance for which that was measured; a lower one keeps what is said in
# passing
_CARRIED = 0.5
# Places at which a word that may be a name is looked at; beyond that it is taken for
# one
_MOST_LOOKS = 2_000
# ASCII letters in lower case, digits, and every byte of other scripts stay; what stands
# between words becomes a space.
_LETTERS = bytes(
    byte if byte > 127 or chr(byte).isalnum() else 32
    for byte in bytes(range(256)).lower()
)
_ENTITY = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31});?")
_ESCAPE = re.compile(rb"\\\\*(?:u([0-9a-fA-F]{4})|[nrtbf])")
_FOREIGN = re.compile("[^\x00-\x7f]+")
# Every tag but those whose attributes are read.
_TAG = re.compile(rb"<(?!meta\b)[/A-Za-z][^<>]{0,4000}>", re.IGNORECASE)
# Spelled out, since a pattern that ignores case is tried at each byte: a tenth of the
# time.
_SCRIPT = rb"[sS][cC][rR][iI][pP][tT]"
_STYLE = rb"[sS][tT][yY][lL][eE]"
_OPENING = re.compile(rb"<(?:(%s)|%s)\b[^<>]{0,4000}>" % (_SCRIPT, _STYLE))
_CLOSING = {True: re.compile(rb"</" + _SCRIPT), False: re.compile(rb"</" + _STYLE)}


class NameForm(NamedTuple):
    """What a form that was found proves: enough, or something only in company."""

    form: str
    # A party or province that is also another word: two of them name Afghanistan
    doubtful: bool = False
    cued: bool = False  # a place that is also another word: one only beside a cue
    written: re.Pattern[bytes] | None = None  # an abbreviation, as it must be written

    @property
    def alone(self) -> bool:
        return not (self.doubtful or self.cued or self.written)


def off_topic_reason(
    page: Page, *, extra_terms: Iterable[ExtraTerm] = (), least: float = _CARRIED
) -> str | None:
    """Why the bytes of a page cannot be what is kept, or None where they may be.

    `least` is the relevance asked for.
    """
    extra = tuple(extra_terms)
    body, text = _read(page)
    if not _names_afghan(text, body, _names(extra)):
        return NO_AFGHAN_NAME
    return IN_PASSING if least >= _CARRIED and _is_in_passing(text, extra) else None


def _read(page: Page) -> tuple[bytes, str]:
    """What of a page is text.

    As it is written, and folded, its words between single blanks.
    """
    # Addresses and classes name Kabul on many a page that says nothing of it: tags are
    # no text.
    body = _TAG.sub(
        b" ",
        _unscripted(_utf8(page.body[:MAX_PAGE_BYTES], page.header("content-type"))),
    )
    if b"\\" in body:
        body = _ESCAPE.sub(_letter, body)
    if b"&" in body:
        body = _ENTITY.sub(_meant, body)
    text = b" ".join(body.translate(_LETTERS).split()).decode("utf-8", "replace")
    if not text.isascii():
        text = " ".join(_FOREIGN.sub(_folded, text).split())
    return body, f" {text} "


def _unscripted(body: bytes) -> bytes:
    """The bytes without scripts and styles that are no data.

    Nothing of them is ever read.
    """
    kept, at = [], 0
    while opening := _OPENING.search(body, at):
        closing = _CLOSING[opening[1] is not None].search(body, opening.end())
        if closing is None:
            break
        kept.append(
            body[
                at : closing.start()
                if b"json" in opening[0].lower()
                else opening.start()
            ]
        )
        at = closing.start()
    return b" ".join([*kept, body[at:]])


def may_hold_text(page: Page) -> bool:
    """Whether the answer is a text that can be asked for words.

    Anything else is turned away cheaply elsewhere.
    """
    kind = (page.header("content-type") or "").lower()
    return not kind or any(
        name in kind for name in ("html", "text/plain", "xml", "octet-stream")
    )


def _names_afghan(text: str, body: bytes, names: Any) -> bool:
    doubtful: set[str] = set()
    for looks, (end, name) in enumerate(names.iter(text)):
        if name.alone:
            return True
        if looks > _MOST_LOOKS or (
            name.written is not None and name.written.search(body)
        ):
            return True
        if name.doubtful:
            doubtful.add(name.form)
        if len(doubtful) > 1 or (
            name.cued and _has_cue(text, end - len(name.form), end)
        ):
            return True
    return False


def _is_in_passing(text: str, extra: tuple[ExtraTerm, ...]) -> bool:
    """Whether names are few and words of conflict near them fewer."""
    ends = [
        end
        for (end, _), _ in zip(_names(extra).iter(text), range(_FEW + 1), strict=False)
    ]
    said: dict[int, float] = {}
    for end in ends[:_FEW]:
        start = max(0, end - _NEAR)
        for at, weight in _conflict(extra).iter(text[start : end + _NEAR]):
            said[start + at] = max(weight, said.get(start + at, 0.0))
    return len(ends) <= _FEW and sum(said.values()) < _IN_EARNEST


def _has_cue(text: str, start: int, end: int) -> bool:
    """Whether a word that makes a place of its neighbour stands beside one that ends before the blank at `end`."""
    before = text[max(0, start - 41) : start - 1].rsplit(" ", 1)[-1]
    return before in _cues() or text[end + 1 : end + 42].split(" ", 1)[0] in _cues()


def _utf8(body: bytes, content_type: str | None) -> bytes:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return markup.decode_page(body, content_type).encode("utf-8", "replace")
    return body


def _letter(match: re.Match[bytes]) -> bytes:
    return _escaped(match[1]) if match[1] else b" "


@lru_cache(maxsize=4096)
def _escaped(code: bytes) -> bytes:
    return chr(int(code, 16)).encode("utf-8", "replace")


def _meant(match: re.Match[bytes]) -> bytes:
    return _named(match[0])


@lru_cache(maxsize=4096)
def _named(entity: bytes) -> bytes:
    text = unescape(entity.decode("ascii"))
    return b" " if text.startswith("&") else text.encode("utf-8", "replace")


def _folded(run: re.Match[str]) -> str:
    return _plain(run[0])


@lru_cache(maxsize=50_000)
def _plain(run: str) -> str:
    """A run of letters beyond ASCII as the vocabulary folds it.

    A mark on the ASCII letter before it goes.
    """
    text = vocabulary.strip_marks(run)
    return vocabulary.fold_letters(
        "".join(letter for letter in text if not unicodedata.combining(letter))
    )


@cache
def _cues() -> frozenset[str]:
    data = tomllib.loads(
        resources.files("crawler")
        .joinpath("data/cues.toml")
        .read_text(encoding="utf-8")
    )
    forms = (
        form
        for side in ("before", "after")
        for kinds in data[side].values()
        for form in kinds
    )
    return frozenset(vocabulary.fold_letters(form).split()[-1] for form in forms)


def _asked(term: LexiconTerm) -> bool:
    return term.group in _NAMING and term.weight >= _SURE


@lru_cache(maxsize=8)
def _names(extra: tuple[ExtraTerm, ...]) -> Any:
    """An automaton of the names of the vocabulary and those that a user added, each between blanks."""
    found: dict[str, list[NameForm]] = {}
    for term in filter(_asked, vocabulary.all_terms(extra)):
        for form in (
            " ".join(form.split()) for form in vocabulary.inflected_forms(term)
        ):
            found.setdefault(form, []).append(_name(form, term))
    automaton = ahocorasick.Automaton()
    for form, names in found.items():
        automaton.add_word(f" {form} ", _together(names))
    automaton.make_automaton()
    return automaton


@lru_cache(maxsize=8)
def _conflict(extra: tuple[ExtraTerm, ...]) -> Any:
    """An automaton of the words of conflict, and of the parties whose name is one, with their weights."""
    found: dict[str, float] = {}
    for term in vocabulary.all_terms(extra):
        if term.group in _SAID or term.flags & _ARMED:
            weight = term.weight if term.group in _SAID else 1.0
            for form in vocabulary.inflected_forms(term):
                key = f" {' '.join(form.split())} "
                found[key] = max(weight, found.get(key, 0.0))
    automaton = ahocorasick.Automaton()
    for key, weight in found.items():
        automaton.add_word(key, weight)
    automaton.make_automaton()
    return automaton


def _name(form: str, term: LexiconTerm) -> NameForm:
    if "cue" in term.flags and " " not in form:
        place = term.group == "place"
        return NameForm(
            form, doubtful=not place or len(term.id) == _PROVINCE_CODE, cued=place
        )
    return NameForm(
        form, written=_as_written(term.text) if "case" in term.flags else None
    )


def _together(names: Iterable[NameForm]) -> NameForm:
    """What a form proves that stands for several things.

    The most that any of them does.
    """
    told = list(names)
    for name in told:
        if name.alone:
            return name
    written = [name.written for name in told if name.written]
    return NameForm(
        told[0].form,
        doubtful=any(name.doubtful for name in told),
        cued=any(name.cued for name in told),
        written=re.compile(b"|".join(sorted({pattern.pattern for pattern in written})))
        if written
        else None,
    )


def _as_written(form: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![0-9A-Za-z])%s(?![0-9A-Za-z])" % re.escape(form).encode())
