"""Which agency or outlet a text credits for itself.

"(AFP)", "Source: Pajhwok", "originally published by ...". Pure.

And where a reposting page's own link to its source leads. Only what stands where
credits stand counts: "..., he told AFP news agency" inside a sentence says who was
spoken to.
"""

import csv
import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files
from itertools import islice

from lxml import html

from crawler.extraction import bylines, clean
from storage import identity
from storage.folding import fold
from storage.model import Cut

_EDGE_CHARS = 400  # characters of the first and last paragraphs that are looked at
_MAX_LINKS = 5_000
_PUNCTUATION = " .*_[]():،"
_BRACKETS = re.compile(r"[(\[（]([^()\[\]（）]{2,60})[)\]）]")
_DATELINE = re.compile(r"^[^()]{2,60}\(([^()]{2,40})\)\s*[-–—:,]")


def find_credit(text: str, *, cuts: Collection[Cut] = ()) -> str | None:
    """The credited agency by its usual name, or the outlet as it is written.

    None where nobody is credited.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    return (
        _credit_in_dateline(lines[0])
        or _credit_in_statement([*lines[-3:], *(cut.text for cut in cuts)])
        or _credit_at_end(lines[-1])
    )


def find_original_url(tree: html.HtmlElement, own: str) -> str | None:
    """The page of another site to which a link called "Source link", or a line around it, credits the text.

    `own` is the page's address. A site's front page is nobody's original.
    """
    for anchor in islice(tree.iter("a"), _MAX_LINKS):
        target = (anchor.get("href") or "").strip()
        if (
            target.startswith(("http://", "https://"))
            and _is_source_link(anchor)
            and _is_on_another_site(target, own)
        ):
            return identity.canonical_url(target)
    return None


def _is_source_link(anchor: html.HtmlElement) -> bool:
    """Whether the link's words, or the line that it opens, say that it leads to the source."""
    if clean.is_credit_to_source(_beginning(anchor)):
        return True
    line = anchor.getparent()
    opens = (
        line is not None and line.tag == "p" and next(line.iter("a"), None) is anchor
    )
    return opens and clean.is_credit_to_source(_beginning(line))


def _beginning(element: html.HtmlElement) -> str:
    return " ".join("".join(islice(element.itertext(), 50))[:_EDGE_CHARS].split())


def _is_on_another_site(target: str, own: str) -> bool:
    _, _, path = identity.url_key(target).partition("/")
    return bool(path) and identity.registrable_domain(
        target
    ) != identity.registrable_domain(own)


def _credit_in_dateline(line: str) -> str | None:
    """KABUL (AFP) - ..."""
    match = _DATELINE.match(line[:_EDGE_CHARS])
    return _first_agency(match.group(1)) if match else None


def _credit_at_end(line: str) -> str | None:
    """... said the ministry (Reuters)."""
    marks = list(_BRACKETS.finditer(line[-_EDGE_CHARS:]))
    if not marks or line[-_EDGE_CHARS:][marks[-1].end() :].strip(" .\"'”»"):
        return None
    return _first_agency(marks[-1].group(1))


def _credit_in_statement(lines: list[str]) -> str | None:
    """Source: Pajhwok. This story was originally published by The Conversation."""
    return next(
        (
            name
            for line in reversed(lines)
            for name in _credited_names(line[-_EDGE_CHARS:])
        ),
        None,
    )


def _credited_names(line: str) -> Iterator[str]:
    """The outlet at the end of a line that credits one.

    By its usual name, or in the line's own spelling.
    """
    match = _credit_statement().search(fold(line).strip(_PUNCTUATION))
    told = match.group(1).strip(_PUNCTUATION) if match else ""
    if told:
        words = line.strip(_PUNCTUATION).split()
        yield _first_agency(told) or " ".join(words[-len(told.split()) :]).strip(
            _PUNCTUATION
        )


def _first_agency(text: str) -> str | None:
    """The agency that a short text names, alone or first of several."""
    pieces = re.split(r"[/,;&|]|\s(?:and|و|او)\s|\s[-–—]\s", text[:100])
    return next(
        (name for piece in pieces if (name := bylines.agency_name(piece))), None
    )


@cache
def _credit_statement() -> re.Pattern[str]:
    """The ways of saying whose text it is, one of them at the start of a line or of a sentence."""
    rows = csv.DictReader(
        files("crawler").joinpath("data/credits.csv").read_text("utf-8").splitlines()
    )
    phrases = sorted({fold(row["phrase"]) for row in rows}, key=len, reverse=True)
    return re.compile(
        rf"(?:^|[.!?؟۔] )(?:{'|'.join(map(re.escape, phrases))})[\s:]{{0,3}}([^.!?:]{{2,60}})\.?$"
    )
