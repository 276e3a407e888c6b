"""What of a page no reader sees, and what a script shows at once. Pure.

Works on the page's own tree before anything reads it.
"""

import re
from collections.abc import Collection, Iterator
from itertools import islice

from lxml import etree, html

from crawler.extraction.elements import count_linked_chars, select

_STYLED = etree.XPath("//body//*[@style or @hidden or @aria-hidden]")
_TEXTS = etree.XPath("//body//text()[not(parent::script or parent::style)]")
_INVISIBLE = re.compile(
    r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden"
    r"|font-size\s*:\s*0(?:\.0+)?(?:px|em|rem|pt|%)?\s*(?:;|!|$)"
    # Far outside of the window, where text for search engines is put.
    r"|(?:left|top|text-indent)\s*:\s*-\d{4,}(?:px|em))",
    re.IGNORECASE,
)

# React streams a page in hidden parts and puts them in place by $RC("B:0","S:0") or
# $RS("S:1","P:1"); other frameworks name part and place in one call as well.
_CALL = re.compile(r"\(\s*[\"']([^\"'\s]{1,60})[\"']\s*,\s*[\"']([^\"'\s]{1,60})[\"']")
_STREAMED_ID = re.compile("S:[0-9a-f]{1,8}")
_WITH_ID = etree.XPath("//body//*[@id]")
_CONTROLS = etree.XPath(
    "//body//*[@aria-controls or @data-target or @data-bs-target or @data-toggle-target"
    " or @onclick or starts-with(@href, '#')]"
)
_CONTROL_ATTRIBUTES = (
    "aria-controls", "data-target", "data-bs-target", "data-toggle-target", "href",
    "onclick",
)  # fmt: skip
_NAME_IN_CONTROL = re.compile(r"[\w:-]+")
# What the button beside a folded part says, in the languages that are read here.
_MORE = re.compile(
    r"^\W*(?:(?:read|show|see|view|load)\s+(?:the\s+)?(?:more|full|rest|all)\b"
    r"|continue\s+reading|more\W*$|expand|weiterlesen|mehr|lire\s+la\s+suite|leer\s+más"
    r"|ادامه|بیشتر|نور\s+ولولئ|نور\s+ولولی|مزید|читать)",
    re.IGNORECASE,
)
_MAX_CONTROL_CHARS = 40
_MIN_PROSE_CHARS = 60  # of a folded part; shorter ones are menus and notes
_MAX_LINKED_SHARE = 0.3
_MAX_SIBLINGS = 20  # before a folded part, in which a paragraph is looked for
_MIN_BODY_CHARS = 200  # of a hidden part that may be the whole article


def remove_hidden(tree: html.HtmlElement) -> None:
    """Take out of the tree what no reader sees.

    Parts that a script puts in their place go there, and what a button unfolds stays. A
    block that holds more than half of the page's text stays, too: some templates hide
    the article until a script runs.
    """
    hidden = [element for element in select(tree, _STYLED) if _is_hidden(element)]
    if not hidden:
        return
    _place_streamed(tree, hidden)
    controlled: set[str] | None = None
    page_chars = sum(len(text) for text in select(tree, _TEXTS))
    for element in hidden:
        if element.getparent() is None:
            continue
        chars = len(element.text_content())
        if chars >= _MIN_BODY_CHARS and chars * 2 > page_chars:
            continue
        if _is_prose(element, chars):
            if controlled is None:
                controlled = set(_controlled_names(tree))
            if _is_unfolded(element, controlled):
                _show(element)
                continue
        element.drop_tree()


def _is_hidden(element: html.HtmlElement) -> bool:
    # What a search within the page finds is shown by it.
    if (element.get("hidden") or "").lower() == "until-found":
        return False
    return (
        element.get("hidden") is not None
        or (element.get("aria-hidden") or "").lower() == "true"
        or _INVISIBLE.search((element.get("style") or "")[:500]) is not None
    )


def _show(element: html.HtmlElement) -> None:
    """Take off what hides an element, or the readers of the page would drop it."""
    for attribute in ("hidden", "style", "aria-hidden"):
        element.attrib.pop(attribute, None)


def _place_streamed(tree: html.HtmlElement, hidden: list[html.HtmlElement]) -> None:
    """Move hidden parts to the places that a script names together with them."""
    parts = {element.get("id"): element for element in hidden if element.get("id")}
    if not parts:
        return
    pairs: list[tuple[str, str]] = []
    for script in tree.iter("script"):
        pairs += _CALL.findall(script.text or "")
    pairs = [pair for pair in pairs if pair[0] in parts or pair[1] in parts]
    if not pairs:
        return

    places = {element.get("id"): element for element in select(tree, _WITH_ID)}
    last_place: html.HtmlElement | None = None
    for one, other in pairs:
        name, place_name = (one, other) if one in parts else (other, one)
        part, place = parts.get(name), places.get(place_name)
        if part is None or place_name in parts:
            continue
        if place is None and _STREAMED_ID.fullmatch(name):
            # The place came in a part that is not there; parts come in their order.
            place = last_place
        if place is None:
            continue
        parent = place.getparent()
        is_within = parent is None or any(
            above is part for above in place.iterancestors()
        )
        if is_within or place.tag == "body":
            continue
        _show(part)
        part.tail, tail = None, part.tail
        _keep_tail(part, tail)
        place.addprevious(part)
        part.drop_tag()
        del parts[name]
        last_place = place


def _keep_tail(element: html.HtmlElement, tail: str | None) -> None:
    """Leave the text behind an element where it is when the element moves."""
    if not tail:
        return
    before, parent = element.getprevious(), element.getparent()
    if before is not None:
        before.tail = f"{before.tail or ''}{tail}"
    elif parent is not None:
        parent.text = f"{parent.text or ''}{tail}"


def _controlled_names(tree: html.HtmlElement) -> Iterator[str]:
    """The ids and classes that the page's buttons name."""
    for control in select(tree, _CONTROLS):
        for attribute in _CONTROL_ATTRIBUTES:
            value = control.get(attribute)
            if value:
                yield from _NAME_IN_CONTROL.findall(value[:200])


def _is_prose(element: html.HtmlElement, chars: int) -> bool:
    if chars < _MIN_PROSE_CHARS:
        return False
    return count_linked_chars(element) <= _MAX_LINKED_SHARE * chars


def _is_unfolded(element: html.HtmlElement, controlled: Collection[str]) -> bool:
    """Whether a button names a hidden part, or one beside it says "more"."""
    names = [element.get("id") or "", *(element.get("class") or "").split()]
    if not _stands_in_text(element):
        return False
    if any(name in controlled for name in names):
        return True
    for beside in (element.getprevious(), element.getnext()):
        if beside is None:
            continue
        label = " ".join(beside.text_content().split())
        if len(label) <= _MAX_CONTROL_CHARS and _MORE.match(label):
            return True
    return False


def _stands_in_text(element: html.HtmlElement) -> bool:
    """Whether a paragraph stands before a hidden part within the same element."""
    parent = element.getparent()
    if parent is None:
        return False
    if parent.tag == "p":
        return True
    return any(
        before.tag == "p" and len(before.text_content()) >= _MIN_PROSE_CHARS
        for before in islice(element.itersiblings(preceding=True), _MAX_SIBLINGS)
    )
