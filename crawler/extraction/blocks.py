"""A page as its paragraphs, headings and list items in order. Pure.

An extracted text is held against these blocks: each of its lines came from one of them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lxml import etree, html

from crawler.extraction.elements import select

_NO_LETTERS = re.compile(r"[\W_]+")
# Letters: enough to tell paragraphs apart, and few enough that a dropped <sup> does no
# harm.
_KEY_CHARS = 40
_NESTED = (
    "descendant::p or descendant::li or descendant::div or descendant::td"
    " or descendant::h2 or descendant::h3"
)
_LEAVES = etree.XPath(
    "//body//*[self::p or self::li or self::blockquote or self::dd or self::dt"
    " or self::td or self::pre or self::div or self::h1 or self::h2 or self::h3"
    f" or self::h4 or self::h5 or self::h6 or self::figcaption][not({_NESTED})]"
)


@dataclass(slots=True, kw_only=True)
class Block:
    """One leaf of the page that holds text."""

    index: int  # its place among the page's blocks
    node: html.HtmlElement
    tag: str
    text: str  # single-spaced
    key: str  # see `line_key`

    @property
    def link_share(self) -> float:
        """Share of the text that is link text, from 0 to 1."""
        linked = 0
        for anchor in self.node.iter("a"):
            linked += len(" ".join(anchor.text_content().split()))
        if linked == 0 and next(self.node.iterancestors("a"), None) is not None:
            return 1.0
        return linked / max(1, len(self.text))


def bare_letters(text: str) -> str:
    """Letters and digits of a text, lower case: what two spellings are compared by."""
    return _NO_LETTERS.sub("", text).lower()


def line_key(line: str) -> str:
    """The letters of a line's beginning: equal for a block and its line in a text."""
    return bare_letters(line[: 3 * _KEY_CHARS])[:_KEY_CHARS]


def find_blocks(tree: html.HtmlElement) -> list[Block]:
    """The page's blocks in order; empty ones are left out."""
    found: list[Block] = []
    for node in select(tree, _LEAVES):
        text = " ".join(node.text_content().split())
        key = line_key(text)
        if key:
            index = len(found)
            block = Block(index=index, node=node, tag=str(node.tag), text=text, key=key)
            found.append(block)
    return found


def split_line(line: str, page: Sequence[Block]) -> list[str]:
    """The blocks that a line runs together, each a line; the line where it is no such.

    trafilatura's last resort gives a whole element as one line: headline, "Posted on …
    by …" and three paragraphs.
    """
    rest = bare_letters(line)
    parts: list[str] = []
    for block in page:
        letters = bare_letters(block.text)
        if letters and rest.startswith(letters):
            rest = rest[len(letters) :]
            parts.append(block.text)
    if rest or len(parts) < 2:
        return [line]
    return parts


def align_lines(
    lines: Iterable[str], page: Sequence[Block]
) -> Iterator[tuple[str, Block | None]]:
    """Each line of a text with the block that it came from, None for none.

    Of several blocks with that beginning the next one in the order of the page, else
    the first.
    """
    places: dict[str, list[int]] = {}
    for block in page:
        places.setdefault(block.key, []).append(block.index)
    last = -1
    for line in lines:
        candidates = places.get(line_key(line.lstrip("-*• ")))
        if not candidates:
            yield line, None
            continue
        following = (index for index in candidates if index > last)
        last = next(following, candidates[0])
        yield line, page[last]
