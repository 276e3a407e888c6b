"""A page as its paragraphs, headings and list items in order.

What a text can be held against.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree, html

from crawler.extraction.markup import select

_NO_LETTERS = re.compile(r"[\W_]+")
# Letters: enough to tell paragraphs apart, and few enough that a dropped <sup> does no
# harm
_KEY_CHARS = 40
_NESTED = "descendant::p or descendant::li or descendant::div or descendant::td or descendant::h2 or descendant::h3"
_LEAVES = etree.XPath(
    f"//body//*[self::p or self::li or self::blockquote or self::dd or self::dt or self::td or self::pre or self::div"
    f" or self::h1 or self::h2 or self::h3 or self::h4 or self::h5 or self::h6 or self::figcaption][not({_NESTED})]"
)


@dataclass(slots=True, kw_only=True)
class Block:
    """One leaf of the page that holds text."""

    index: int
    node: html.HtmlElement
    tag: str
    text: str
    key: str

    @property
    def link_share(self) -> float:
        """Share of the text that is link text."""
        inside = sum(
            len(" ".join(a.text_content().split())) for a in self.node.iter("a")
        )
        if inside == 0 and next(self.node.iterancestors("a"), None) is not None:
            return 1.0
        return inside / max(1, len(self.text))


def bare_letters(text: str) -> str:
    """Letters and digits of a text, lower case."""
    return _NO_LETTERS.sub("", text).lower()


def line_key(text: str) -> str:
    """Letters of a line's beginning: equal for a paragraph and its line in a text."""
    return bare_letters(text[: 3 * _KEY_CHARS])[:_KEY_CHARS]


def find_blocks(tree: html.HtmlElement) -> list[Block]:
    """The page's blocks in order; empty ones are left out."""
    out: list[Block] = []
    for node in select(tree, _LEAVES):
        text = " ".join(node.text_content().split())
        if text and (short := line_key(text)):
            out.append(
                Block(
                    index=len(out), node=node, tag=str(node.tag), text=text, key=short
                )
            )
    return out


def split_line(line: str, page: list[Block]) -> list[str]:
    """The blocks that a line runs together, each a line.

    The line alone where it is none of that.

    trafilatura's last resort gives a whole element as one line: headline, "Posted on …
    by …" and three paragraphs.
    """
    rest, parts = bare_letters(line), []
    for block in page:
        said = bare_letters(block.text)
        if said and rest.startswith(said):
            rest = rest[len(said) :]
            parts.append(block.text)
    return parts if not rest and len(parts) > 1 else [line]


def align_lines(
    lines: Iterable[str], page: list[Block]
) -> Iterator[tuple[str, Block | None]]:
    """Each line of a text with the block it came from.

    The next one with that beginning, else any.
    """
    places: dict[str, list[int]] = {}
    for block in page:
        places.setdefault(block.key, []).append(block.index)
    last = -1
    for line in lines:
        found = places.get(line_key(line.lstrip("-*• ")), ())
        index = next((n for n in found if n > last), found[0] if found else None)
        if index is None:
            yield line, None
            continue
        last = index
        yield line, page[index]
