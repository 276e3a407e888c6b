"""The article's text out of a parsed page.

Trafilatura first and mostly alone, a second opinion where in doubt.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass

import readability
from lxml import etree, html
from trafilatura import bare_extraction
from trafilatura.settings import Document as Found
from trafilatura.settings import Extractor

from crawler.extraction import blocks, repair
from crawler.extraction.blocks import Block
from crawler.extraction.markup import Markup, fragment_text
from storage.model import Cut

# It logs an error for every page that holds no text, which is a value here.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

_TRAFILATURA_OPTIONS = Extractor(output_format="python", comments=False)
# trafilatura drops every character that str.isprintable() denies, and with the
# zero-width non-joiner a letter shape of each second Dari verb (شده‌اند would become
# شدهاند); a mark that no page uses stands in for it meanwhile.
_ZERO_WIDTH_NON_JOINER, _STAND_IN = "\u200c", "\u2e31"
_MIN_PROSE_SHARE = 0.6  # of the page's paragraphs: a shorter text is doubtful
# Of JSON-LD's articleBody: above it the markup is the better source
_MIN_ARTICLE_BODY_SHARE = 0.7
_MIN_GAIN = 1.4  # times longer is much more
_MAX_GAIN = 2.3  # times longer is another story as well
_SMALL_TEXT_CHARS = 1_500  # characters: a second text of this size is never too much
_MIN_CONTAINED_SHARE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An article's text, one line a paragraph; which way found it and why.

    What was taken out.
    """

    text: str
    how: str
    cuts: tuple[Cut, ...] = ()
    page: tuple[Block, ...] = ()


def find_body(markup: Markup, *, selector: str | None = None) -> Body:
    """The text that the page holds, empty where there is none.

    A source's own `selector` decides where it finds any.

    trafilatura reads first, and its text is held against the page. A second reader is
    asked only where what it found is short against the page's paragraphs, and believed
    only where it has nearly all of the first and much more.
    """
    page = blocks.find_blocks(markup.tree)
    if selector and (text := _select_text(markup.tree, selector)):
        return Body(text=text, how=f"body_selector {selector[:100]}", page=tuple(page))
    read = _read_with_trafilatura(markup.tree)
    first = repair.repair_text(
        blocks.split_line(read[0], page) if len(read) == 1 else read,
        page,
        _descriptions(markup),
    )
    how, lines, cuts = ["trafilatura", *first.notes], first.lines, first.cuts
    length, prose = sum(map(len, lines)), _paragraph_chars(page)
    stated = _article_body(markup)
    if length < _MIN_PROSE_SHARE * prose and _is_fuller(
        other := _read_with_readability(markup), lines
    ):
        second = repair.repair_text(other, page, _descriptions(markup))
        how = [
            f"readability: trafilatura had {length} of {prose} characters of paragraphs",
            *second.notes,
        ]
        lines, cuts = second.lines, second.cuts
    elif length < _MIN_ARTICLE_BODY_SHARE * sum(map(len, stated)) and (
        _is_fuller(stated, lines) or not lines
    ):
        how, lines, cuts = (
            [f"articleBody: trafilatura had {length} characters of it"],
            tuple(stated),
            (),
        )
    return Body(text="\n".join(lines), how="; ".join(how), cuts=cuts, page=tuple(page))


def _select_text(tree: html.HtmlElement, selector: str) -> str:
    """The text of the elements that a CSS selector picks, without those that lie within another; "" for none."""
    chosen = tree.cssselect(selector)[:50]
    outer = [
        e
        for e in chosen
        if not any(ancestor in chosen for ancestor in e.iterancestors())
    ]
    return "\n".join(
        filter(
            None,
            (
                fragment_text(html.tostring(e, encoding="unicode", with_tail=False))
                for e in outer
            ),
        )
    )


def _paragraph_chars(page: list[Block]) -> int:
    """Characters of the page's paragraphs that are no lists of links."""
    return sum(
        len(b.text)
        for b in page
        if b.tag in {"p", "div"} and len(b.text) >= 80 and b.link_share < 0.3
    )


def _is_fuller(other: list[str], lines: Collection[str]) -> bool:
    """Whether a second text has nearly all of the first, and much more."""
    size, known = sum(map(len, other)), sum(map(len, lines))
    if not _MIN_GAIN * known <= size <= max(_MAX_GAIN * known, _SMALL_TEXT_CHARS):
        return False
    letters = blocks.bare_letters("".join(other))
    if letters.count(letters[:60]) > 1:
        return False  # the same text twice over: some templates fill articleBody so
    kept = sum(len(line) for line in lines if blocks.line_key(line) in letters)
    return kept >= _MIN_CONTAINED_SHARE * known


def _article_body(markup: Markup) -> list[str]:
    """The text that the page gives as its article's in JSON-LD."""
    bodies = (
        node["articleBody"]
        for node in markup.objects
        if isinstance(node.get("articleBody"), str)
    )
    return max(
        (fragment_text(text).splitlines() for text in bodies),
        key=lambda lines: sum(map(len, lines)),
        default=[],
    )


def _read_with_readability(markup: Markup) -> list[str]:
    """The text as readability-lxml finds it.

    None where it fails, which it does in many ways.
    """
    try:
        summary = readability.Document(
            html.tostring(markup.tree, encoding="unicode")
        ).summary(html_partial=True)
    except (
        readability.readability.Unparseable,
        etree.LxmlError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    ):
        return []
    return fragment_text(summary).splitlines()


def _descriptions(markup: Markup) -> list[str]:
    """What the page's head says that it is about."""
    names = ("og:description", "description", "twitter:description")
    return [said for name in names for said in markup.meta.get(name, ())]


def _read_with_trafilatura(tree: html.HtmlElement) -> list[str]:
    """Its text. It works on a copy of the tree."""
    joined = _replace_character(tree, _ZERO_WIDTH_NON_JOINER, _STAND_IN)
    found = bare_extraction(tree, options=_TRAFILATURA_OPTIONS)
    text = found.text or "" if isinstance(found, Found) else ""
    if joined:
        _replace_character(tree, _STAND_IN, _ZERO_WIDTH_NON_JOINER)
        text = text.replace(_STAND_IN, _ZERO_WIDTH_NON_JOINER)
    return [line for line in text.splitlines() if line.strip()]


def _replace_character(tree: html.HtmlElement, old: str, new: str) -> bool:
    """Put one character in another's place in all text; whether there was any."""
    found = False
    for element in tree.iter():
        if element.text and old in element.text:
            element.text, found = element.text.replace(old, new), True
        if element.tail and old in element.tail:
            element.tail, found = element.tail.replace(old, new), True
    return found
