"""The article's text out of a parsed page: trafilatura first, and mostly alone.

A second reader is asked where trafilatura's text is in doubt.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import readability
from lxml import etree, html
from trafilatura import bare_extraction
from trafilatura.settings import Document as TrafilaturaDocument
from trafilatura.settings import Extractor

from crawler.extraction import blocks, repair, simplify, stories
from crawler.extraction.blocks import Block
from crawler.extraction.markup import Markup, fragment_text
from storage.model import Cut

# It logs an error for every page that holds no text, which is a value here.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

_TRAFILATURA_OPTIONS = Extractor(output_format="python", comments=False)
# trafilatura drops every character that str.isprintable() denies, and with the
# zero-width non-joiner a letter shape of each second Dari verb (شده‌اند would become
# شدهاند). A mark that no page uses stands in for it meanwhile.
_ZERO_WIDTH_NON_JOINER, _STAND_IN = "\u200c", "\u2e31"

# A text with less than this share of the page's paragraphs is doubtful.
_MIN_PROSE_SHARE = 0.6
# Of JSON-LD's articleBody: above it the markup is the better source.
_MIN_ARTICLE_BODY_SHARE = 0.7
# A second text must be so many times longer to be worth taking; longer than the second
# factor it holds another story as well.
_MIN_GAIN, _MAX_GAIN = 1.4, 2.3
# A second text of this size is never too long: the first found a teaser.
_SMALL_TEXT_CHARS = 1_500
# Paragraphs of a second text, where the first has none.
_MIN_PARAGRAPHS, _PARAGRAPH_CHARS = 3, 60
# And must hold this share of the first one's lines.
_MIN_CONTAINED_SHARE = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An article's text, and the blocks of the page that it was held against."""

    text: str  # one line a paragraph
    method: str  # which reader found it and why, what was put back
    cuts: tuple[Cut, ...] = ()
    blocks: tuple[Block, ...] = ()


def find_body(
    markup: Markup,
    *,
    selector: str | None = None,
    title: str | None = None,
    url: str = "",
) -> Body:
    """The text that the page holds, empty where there is none.

    A source's own CSS `selector` decides where it finds any text. Else trafilatura's
    text is held against the page (`repair`). A second reader is asked only where that
    text is short against the page's paragraphs, and believed only where it has nearly
    all of the first text and much more. Other articles of the page, which `title` and
    `url` tell from its own, are cut out of the tree before.
    """
    tree = simplify.simplify_tree(markup.tree)
    page = blocks.find_blocks(tree)
    if selector:
        text = _select_text(markup.tree, selector)
        if text:
            method = f"body_selector {selector[:100]}"
            return Body(text=text, method=method, blocks=tuple(page))

    page, others = stories.cut_other_articles(page, title=title, url=url)
    descriptions: list[str] = []
    for name in ("og:description", "description", "twitter:description"):
        descriptions += markup.meta.get(name, ())
    lines = _read_with_trafilatura(tree)
    if len(lines) == 1:
        lines = blocks.split_line(lines[0], page)
    best = repair.repair_text(lines, page, descriptions)
    method = "trafilatura"
    chars = _count_chars(best.lines)

    # Lists of links are no prose.
    prose_chars = 0
    for block in page:
        is_paragraph = block.tag in {"p", "div"} and len(block.text) >= 80
        if is_paragraph and block.link_share < 0.3:
            prose_chars += len(block.text)
    stated = _article_body(markup)
    second: list[str] = []
    if chars < _MIN_PROSE_SHARE * prose_chars:
        second = _read_with_readability(tree)
    if second and (_is_fuller(second, best.lines) or _speaks_alone(second, best.lines)):
        best = repair.repair_text(second, page, descriptions)
        method = (
            f"readability: trafilatura had {chars} of {prose_chars}"
            " characters of paragraphs"
        )
    elif chars < _MIN_ARTICLE_BODY_SHARE * _count_chars(stated) and (
        not best.lines or _is_fuller(stated, best.lines)
    ):
        best = repair.Repaired(lines=tuple(stated))
        method = f"articleBody: trafilatura had {chars} characters of it"
    return Body(
        text="\n".join(best.lines),
        method="; ".join([method, *best.notes]),
        cuts=(*others, *best.cuts),
        blocks=tuple(page),
    )


def _select_text(tree: html.HtmlElement, selector: str) -> str:
    """The text of the elements that a CSS selector picks; "" for none."""
    chosen = tree.cssselect(selector)[:50]
    texts: list[str] = []
    for element in chosen:
        # What lies within another chosen element comes with that one.
        if any(ancestor in chosen for ancestor in element.iterancestors()):
            continue
        source = html.tostring(element, encoding="unicode", with_tail=False)
        texts.append(fragment_text(source))
    return "\n".join(text for text in texts if text)


def _count_chars(lines: Iterable[str]) -> int:
    return sum(map(len, lines))


def _is_fuller(other: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether a second text has nearly all of the first, and much more."""
    chars, known_chars = _count_chars(other), _count_chars(lines)
    largest = max(_MAX_GAIN * known_chars, _SMALL_TEXT_CHARS)
    if not _MIN_GAIN * known_chars <= chars <= largest:
        return False
    letters = blocks.bare_letters("".join(other))
    if letters.count(letters[:60]) > 1:
        # The same text twice over: some templates fill articleBody so.
        return False
    contained = (line for line in lines if blocks.line_key(line) in letters)
    return _count_chars(contained) >= _MIN_CONTAINED_SHARE * known_chars


def _speaks_alone(second: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether a second text has paragraphs, and the first one none.

    trafilatura reads nothing in what a template calls a comment or a footer: of an
    opinion section it has a menu's word. That need not stand in the second text.
    """
    if any(len(line) >= _PARAGRAPH_CHARS for line in lines):
        return False
    paragraphs = [line for line in second if len(line) >= _PARAGRAPH_CHARS]
    return len(paragraphs) >= _MIN_PARAGRAPHS


def _article_body(markup: Markup) -> list[str]:
    """The lines of the longest `articleBody` of the page's JSON-LD, [] for none."""
    longest: list[str] = []
    for item in markup.own_json_ld:
        stated = item.get("articleBody")
        if isinstance(stated, str):
            lines = fragment_text(stated).splitlines()
            if _count_chars(lines) > _count_chars(longest):
                longest = lines
    return longest


def _read_with_readability(tree: html.HtmlElement) -> list[str]:
    """The lines that readability-lxml finds; none where it fails, in its many ways."""
    source = html.tostring(tree, encoding="unicode")
    try:
        summary = readability.Document(source).summary(html_partial=True)
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


def _read_with_trafilatura(tree: html.HtmlElement) -> list[str]:
    """The lines that trafilatura finds. It works on a copy of the tree."""
    replaced = _replace_character(tree, _ZERO_WIDTH_NON_JOINER, _STAND_IN)
    found = bare_extraction(tree, options=_TRAFILATURA_OPTIONS)
    text = ""
    if isinstance(found, TrafilaturaDocument):
        text = found.text or ""
    if replaced:
        _replace_character(tree, _STAND_IN, _ZERO_WIDTH_NON_JOINER)
        text = text.replace(_STAND_IN, _ZERO_WIDTH_NON_JOINER)
    return [line for line in text.splitlines() if line.strip()]


def _replace_character(tree: html.HtmlElement, old: str, new: str) -> bool:
    """Put one character in another's place in all text; whether there was any."""
    found = False
    for element in tree.iter():
        if element.text and old in element.text:
            element.text = element.text.replace(old, new)
            found = True
        if element.tail and old in element.tail:
            element.tail = element.tail.replace(old, new)
            found = True
    return found
