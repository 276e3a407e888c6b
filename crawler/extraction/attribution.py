"""Whom a text credits for itself: "(AFP)", "Source: Pajhwok", "originally published by".

And where a reposting page's own link to its source leads. Only what stands where credits
stand counts: "..., he told AFP news agency" inside a sentence says who was spoken to.
Pure.
"""

import re
from collections.abc import Collection
from functools import cache
from itertools import islice

from lxml import html

from crawler import data_files
from crawler.extraction import bylines, clean
from storage import identity
from storage.folding import fold
from storage.model import Cut

_EDGE_CHARS = 400  # of the first and last paragraphs that are looked at
_LAST_LINES = 3
_MAX_LINKS = 5_000  # of a page
_PUNCTUATION = " .*_[]():،"
_BRACKETS = re.compile(r"[(\[（]([^()\[\]（）]{2,60})[)\]）]")
_DATELINE = re.compile(r"^[^()]{2,60}\(([^()]{2,40})\)\s*[-–—:,]")
_BETWEEN_NAMES = re.compile(r"[/,;&|]|\s(?:and|و|او)\s|\s[-–—]\s")


def find_credit(text: str, *, cuts: Collection[Cut] = ()) -> str | None:
    """The credited agency by its usual name, or the outlet as it is written.

    None where nobody is credited. `cuts` are what cleaning took out of the text: a
    credit may stand there.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    # A dateline: "KABUL (AFP) - ".
    dateline = _DATELINE.match(lines[0][:_EDGE_CHARS])
    if dateline:
        credited = _first_agency(dateline.group(1))
        if credited:
            return credited

    for line in reversed([*lines[-_LAST_LINES:], *(cut.text for cut in cuts)]):
        stated = _stated_credit(line[-_EDGE_CHARS:])
        if stated:
            return stated

    # An end in brackets: "said the ministry (Reuters)."
    ending = lines[-1][-_EDGE_CHARS:]
    brackets = list(_BRACKETS.finditer(ending))
    if not brackets or ending[brackets[-1].end() :].strip(" .\"'”»"):
        return None
    return _first_agency(brackets[-1].group(1))


def find_original_url(tree: html.HtmlElement, own_url: str) -> str | None:
    """The page of another site to which a "Source link" credits the text.

    The link is called so, or a line around it says so. `own_url` is the page's address.
    A site's front page is nobody's original.
    """
    for anchor in islice(tree.iter("a"), _MAX_LINKS):
        target = (anchor.get("href") or "").strip()
        if not target.startswith(("http://", "https://")) or not _is_credit(anchor):
            continue
        _, _, path = identity.url_key(target).partition("/")
        site = identity.registrable_domain(target)
        if path and site != identity.registrable_domain(own_url):
            return identity.canonical_url(target)
    return None


def _is_credit(anchor: html.HtmlElement) -> bool:
    """Whether a link's words, or the line that it opens, say that it leads to the source."""
    if clean.is_credit_to_source(_beginning(anchor)):
        return True
    line = anchor.getparent()
    if line is None or line.tag != "p" or next(line.iter("a"), None) is not anchor:
        return False
    return clean.is_credit_to_source(_beginning(line))


def _beginning(element: html.HtmlElement) -> str:
    text = "".join(islice(element.itertext(), 50))
    return " ".join(text[:_EDGE_CHARS].split())


def _stated_credit(line: str) -> str | None:
    """The outlet at the end of a line that credits one in so many words.

    "Source: Pajhwok", "This story was originally published by The Conversation". By its
    usual name, or in the line's own spelling.
    """
    match = _statement().search(fold(line).strip(_PUNCTUATION))
    if not match:
        return None
    named = match.group(1).strip(_PUNCTUATION)
    if not named:
        return None
    words = line.strip(_PUNCTUATION).split()
    own_spelling = " ".join(words[-len(named.split()) :]).strip(_PUNCTUATION)
    return _first_agency(named) or own_spelling


def _first_agency(text: str) -> str | None:
    """The agency that a short text names, alone or first of several."""
    for piece in _BETWEEN_NAMES.split(text[:100]):
        name = bylines.agency_name(piece)
        if name:
            return name
    return None


@cache
def _statement() -> re.Pattern[str]:
    """The ways of saying whose text it is, at the start of a line or of a sentence."""
    rows = data_files.read_csv("credit_phrases.csv")
    phrases = sorted({fold(row["phrase"]) for row in rows}, key=len, reverse=True)
    said = "|".join(map(re.escape, phrases))
    return re.compile(rf"(?:^|[.!?؟۔] )(?:{said})[\s:]{{0,3}}([^.!?:]{{2,60}})\.?$")
