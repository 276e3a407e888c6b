"""The article's text out of a parsed page: trafilatura first and mostly alone, a second opinion where in doubt."""

import logging
from dataclasses import dataclass

from lxml import html
from trafilatura import bare_extraction
from trafilatura.settings import Document as Found
from trafilatura.settings import Extractor

from crawler import blocks, repair
from crawler.markup import Markup
from storage.model import Cut

# It logs an error for every page that holds no text, which is a value here.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

_FIRST = Extractor(output_format="python", comments=False)
# trafilatura drops every character that str.isprintable() denies, and with the zero-width non-joiner a letter shape of
# each second Dari verb (شده‌اند would become شدهاند); a mark that no page uses stands in for it meanwhile.
_JOINER, _STAND_IN = "\u200c", "\u2e31"
_PRECISE = Extractor(output_format="python", comments=False, precision=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An article's text, one line a paragraph; which way found it and why; what was taken out."""

    text: str
    how: str
    cuts: tuple[Cut, ...] = ()


def find(markup: Markup) -> Body:
    """The text that the page holds, empty where there is none."""
    lines = _trafilatura(markup.tree, _FIRST)
    page = blocks.read(markup.tree)
    fixed = repair.repair(lines, page, _descriptions(markup))
    how = "; ".join(["trafilatura", *fixed.notes])
    return Body(text="\n".join(fixed.lines), how=how, cuts=fixed.cuts)


def _descriptions(markup: Markup) -> list[str]:
    """What the page's head says that it is about."""
    names = ("og:description", "description", "twitter:description")
    return [said for name in names for said in markup.meta.get(name, ())]


def _trafilatura(tree: html.HtmlElement, options: Extractor) -> list[str]:
    """Its text. It works on a copy of the tree."""
    joined = _swap(tree, _JOINER, _STAND_IN)
    found = bare_extraction(tree, options=options)
    text = found.text or "" if isinstance(found, Found) else ""
    if joined:
        _swap(tree, _STAND_IN, _JOINER)
        text = text.replace(_STAND_IN, _JOINER)
    return [line for line in text.splitlines() if line.strip()]


def _swap(tree: html.HtmlElement, old: str, new: str) -> bool:
    """Put one character in another's place in all text; whether there was any."""
    found = False
    for element in tree.iter():
        if element.text and old in element.text:
            element.text, found = element.text.replace(old, new), True
        if element.tail and old in element.tail:
            element.tail, found = element.tail.replace(old, new), True
    return found
