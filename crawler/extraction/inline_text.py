"""A headline, a name or another short text as one line without markup. Pure."""

import re
from html import unescape

from lxml import etree, html

from crawler.extraction import page_parts
from storage.folding import printable

# Tags that stand in the text of a tag or of JSON: `Fighters of <em>TTP</em> killed`.
# Other angle brackets are the writer's own.
_INLINE_TAGS = (
    "em|i|b|u|strong|span|a|font|mark|small|big|sub|sup|q|cite|abbr|nobr|wbr|s"
)
_BLOCK_TAGS = "br|p|div|li|ul|h[1-6]|td|tr|section|header|hgroup|dt|dd"
_INLINE_TAG = re.compile(
    rf"</?(?:{_INLINE_TAGS})(?:\s[^<>]{{0,300}})?/?>", re.IGNORECASE
)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK_TAGS})(?:\s[^<>]{{0,300}})?/?>", re.IGNORECASE)
_BLOCK_NAME = re.compile(_BLOCK_TAGS)
_NO_TEXT = frozenset({"script", "style", "template", "svg", "button"})
# What stands in a headline's element and is no part of it.
_NO_HEADLINE = frozenset({"unseen", "byline", "labels"})


def plain_line(text: str, *, max_chars: int) -> str:
    """A text in single spaces, unescaped once, without tags and control characters."""
    line = unescape(text[:max_chars])
    if "<" in line:
        line = _INLINE_TAG.sub("", _BLOCK_TAG.sub(" ", line))
    # After unescaping: a page may write a control character as a reference (&#x81;).
    return " ".join(printable(line).split())


def element_line(element: html.HtmlElement, *, max_chars: int) -> str:
    """The text of an element that readers see, in single spaces.

    Line breaks and the borders of blocks part words. What its class calls a label, a
    byline or a text for screen readers only is left out, unless there is nothing else.
    """
    pieces: list[str] = []
    skipped: list[str] = []
    chars = 0
    hidden: html.HtmlElement | None = None  # the element that is left out, while in it
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if chars > max_chars:
            break
        is_block = _BLOCK_NAME.fullmatch(node.tag) is not None
        if event == "start":
            if hidden is None and node is not element and _is_left_out(node):
                hidden = node
            text = node.text or ""
        else:
            if hidden is node:
                hidden = None
            text = (node.tail or "") if node is not element else ""
        if is_block:
            text = f" {text}"
        chars += len(text)
        (pieces if hidden is None else skipped).append(text)
    line = " ".join(printable("".join(pieces)[:max_chars]).split())
    return line or " ".join(printable("".join(skipped)[:max_chars]).split())


def _is_left_out(node: html.HtmlElement) -> bool:
    if node.tag in _NO_TEXT:
        return True
    names = f"{node.get('class') or ''} {node.get('id') or ''}"
    return page_parts.part_kind(names) in _NO_HEADLINE
