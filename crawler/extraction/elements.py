"""What several readers of a tree ask of its elements. Pure."""

from typing import cast

from lxml import etree, html


def select(tree: html.HtmlElement, path: etree.XPath) -> list[html.HtmlElement]:
    """The elements (or strings) that a compiled path picks, in their order."""
    return cast("list[html.HtmlElement]", path(tree))


def count_linked_chars(element: html.HtmlElement) -> int:
    """Characters of an element that are the text of links and buttons."""
    return sum(len(link.text_content()) for link in element.iter("a", "button"))


def drop(element: html.HtmlElement) -> None:
    """Take an element out; what stood on both sides of it stays two words."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail and element.tail[0].isalnum():
        before = element.getprevious()
        text = parent.text if before is None else before.tail
        if text and not text[-1].isspace():
            element.tail = f" {element.tail}"
    element.drop_tree()
