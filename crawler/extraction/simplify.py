"""A page's tree as the readers of its text need it: the words of the body and no others. Pure.

trafilatura and readability judge elements by tag, class and depth, and lose words where
a page uses them in another way. So they are handed a copy of the tree in which running
text has no tags that they drop, a table that only lays out the page is none, a class
name says what it says, and what readers never see is gone.

A new cause of lost or foreign words is a step of `simplify_tree`.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache

from lxml import etree, html

from crawler import data_files
from crawler.extraction import page_parts
from crawler.extraction.elements import count_linked_chars, drop, select

# HTML allows these in a sentence; trafilatura drops them with their text, or ends the
# paragraph (q).
_INLINE_TAGS = ("time", "button", "label", "output", "q")
_PARAGRAPH_TAGS = frozenset(
    {
        "p", "li", "dd", "td", "blockquote", "div", "article", "section", "h2", "h3",
        "h4",
    }
)  # fmt: skip
# Of the letters around an inline element: fewer are a label before a date or a button
# ("Posted on", "Share:"), and no sentence.
_MIN_LABELLED_CHARS = 30
_QUOTES = ('"', "“", "„", "«", "‹", "‘", "'", "「")

# No reader sees these, or only where something else fails.
_NEVER_TEXT = ("script", "style", "svg", "noscript", "template", "noframes")
_AMP_TAGS = (
    "amp-ad", "amp-embed", "amp-analytics", "amp-consent", "amp-lightbox", "amp-sidebar",
    "amp-social-share", "amp-user-notification", "amp-sticky-ad", "amp-next-page",
)  # fmt: skip
_UNSEEN = etree.XPath(
    "//body//*[@fallback or @placeholder[not(ancestor-or-self::input)]"
    " or @layout='nodisplay' or @role='tooltip']"
)
_NAMED = etree.XPath("//body//*[@class or @id]")
_DIALOGS = etree.XPath(
    "//body//*[@role='dialog' or @role='alertdialog' or @aria-modal='true']"
)
_PAGE_TEXT = etree.XPath(
    "boolean(descendant-or-self::h1 or descendant-or-self::article"
    " or descendant-or-self::main)"
)
_OVERLAY_TAGS = frozenset({"div", "section", "aside", "form", "dialog", "span"})

_MIN_SENTENCE_CHARS = 60  # of a part that says something
_MIN_PROSE_CHARS = 120  # of a cell of a page that is laid out
_MAX_LINKED_SHARE = 0.1  # of the letters of prose
# "articleSidebar" is two words.
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
# The part that only subscribers were meant to see, and text that can be commented on.
_OPEN_PART = re.compile(
    r"teaser|paywall|premium|paid|\bcomment-?(?=on[A-Z-]|able)", re.IGNORECASE
)
# No word that trafilatura looks for, neither as furniture nor as a body.
_NEUTRAL = "x"
_HOLDS_PAGE = etree.XPath("boolean(.//h1 or .//table)")
_DATA_MARKS = etree.XPath("boolean(.//th or ./caption or ./thead)")
_PARTS_OF_CELL = etree.XPath(".//p | .//br/following-sibling::br")
_MIN_LAYOUT_PARTS = 2  # paragraphs or breaks in one cell
_MIN_DATA_ROWS = 2
_TABLE_PARTS = (
    "tbody",
    "thead",
    "tfoot",
    "tr",
    "td",
    "th",
    "caption",
    "colgroup",
    "col",
)


def simplify_tree(tree: html.HtmlElement) -> html.HtmlElement:
    """A copy of a page's tree with the same text in plainer markup."""
    tree = deepcopy(tree)
    _remove_unseen(tree)
    _remove_overlays(tree)
    _flatten_layout_tables(tree)
    _unwrap_inline(tree)
    _mend_names(tree)
    return tree


def _remove_unseen(tree: html.HtmlElement) -> None:
    """Take out fallbacks, scripts, tooltips and the texts for screen readers."""
    for element in list(tree.iter(*_NEVER_TEXT, *_AMP_TAGS)):
        drop(element)
    for element in select(tree, _UNSEEN):
        drop(element)
    for element in select(tree, _NAMED):
        names = f"{element.get('class') or ''} {element.get('id') or ''}"[:300]
        if page_parts.part_kind(names) == "unseen" and not _PAGE_TEXT(element):
            drop(element)


def _remove_overlays(tree: html.HtmlElement) -> None:
    """Take out dialogs and the boxes of consent tools, however long.

    What holds a headline or an article is no overlay: some sites open articles in a
    dialog, and name the page after the box that lies over it.
    """
    overlays = select(tree, _DIALOGS)
    for element in select(tree, _NAMED):
        names = f"{element.get('class') or ''} {element.get('id') or ''}"[:300]
        if element.tag in _OVERLAY_TAGS and page_parts.part_kind(names) == "overlay":
            overlays.append(element)
    for element in overlays:
        if element.tag != "body" and not _PAGE_TEXT(element):
            drop(element)


def _flatten_layout_tables(tree: html.HtmlElement) -> None:
    """Make blocks of the cells of tables that lay out a page or a letter.

    A table that says what its columns are is data, and so is one of short cells.
    """
    for table in list(tree.iter("table")):
        if not _is_layout(table):
            continue
        for part in _own_parts(table):
            part.tag = "div"
        table.tag = "div"


def _own_parts(table: html.HtmlElement) -> Iterator[html.HtmlElement]:
    """The rows and cells of a table, without those of tables in it."""
    for part in list(table.iter(*_TABLE_PARTS)):
        if next(part.iterancestors("table"), None) is table:
            yield part


def _is_layout(table: html.HtmlElement) -> bool:
    if table.get("role") in {"presentation", "none"} or _HOLDS_PAGE(table):
        return True
    if _DATA_MARKS(table):
        return False
    holds_prose, rows = False, 0
    for row in table.iter("tr"):
        cells = 0
        for cell in row.iterchildren("td"):
            chars = len(" ".join(cell.text_content().split()))
            cells += chars > 0
            if chars >= _MIN_PROSE_CHARS:
                holds_prose = True
                if len(select(cell, _PARTS_OF_CELL)) >= _MIN_LAYOUT_PARTS:
                    return True
        rows += cells > 1
    # Several rows of several cells are data, however long their cells.
    return (holds_prose and rows < _MIN_DATA_ROWS) or rows == 0


def _unwrap_inline(tree: html.HtmlElement) -> None:
    """Make plain text of the elements within a sentence that the readers would drop."""
    for element in list(tree.iter(*_INLINE_TAGS)):
        if not _is_in_sentence(element):
            continue
        if element.tag == "q":
            text = element.text_content().strip()
            if not text.startswith(_QUOTES):
                element.text = f"“{element.text or ''}"
                last = element[-1] if len(element) else None
                if last is None:
                    element.text += "”"
                else:
                    last.tail = f"{last.tail or ''}”"
        element.drop_tag()


def _is_in_sentence(element: html.HtmlElement) -> bool:
    """Whether an inline element has words of a sentence around it."""
    around = element.getparent()
    has_neighbour = _has_text_beside(element)
    while around is not None and around.tag not in _PARAGRAPH_TAGS:
        has_neighbour = has_neighbour or _has_text_beside(around)
        around = around.getparent()
    if around is None or not has_neighbour:
        return False
    others = 0
    for other in around.iter(*_INLINE_TAGS):
        others += len(other.text_content())
    return len(around.text_content()) - others >= _MIN_LABELLED_CHARS


def _has_text_beside(element: html.HtmlElement) -> bool:
    before, parent = element.getprevious(), element.getparent()
    if before is not None:
        text = before.tail
    else:
        text = parent.text if parent is not None else None
    return bool((text or "").strip() or (element.tail or "").strip())


def _mend_names(tree: html.HtmlElement) -> None:
    """Rename the classes in which trafilatura would find a word that is none.

    It looks for letters: "bar" in "matn-khabar" (the text of the news), "author" in
    "authority-statement", "rating" in "operating-theatre". The part of a text that only
    subscribers were meant to see is text where it was sent.
    """
    tokens = _tokens()[0]
    elements = select(tree, _NAMED)
    # A short paragraph of a kind that holds prose elsewhere is of that kind, too.
    open_parts = {
        names
        for element in elements
        if _OPEN_PART.search(names := element.get("class") or "") and _is_prose(element)
    }
    for element in elements:
        for attribute in ("class", "id"):
            names = element.get(attribute)
            if not names:
                continue
            mended = names
            if names in open_parts:
                mended = _OPEN_PART.sub(_NEUTRAL, mended)
            if tokens.search(mended) and _is_prose(element):
                mended = _WORD.sub(_mend_word, mended)
            if mended != names:
                element.set(attribute, mended)


def _mend_word(match: re.Match[str]) -> str:
    """The word of a class as it stands, or a neutral one where it only has the letters."""
    word = match.group()
    tokens, beside = _tokens()
    token = tokens.search(word)
    if token is None:
        return word
    before, after = word[: token.start()].lower(), word[token.end() :].lower()
    if beside.fullmatch(before) and beside.fullmatch(after):
        return word
    return _NEUTRAL


def _is_prose(element: html.HtmlElement) -> bool:
    """Whether a part holds sentences and next to no links; offers lead somewhere."""
    chars = len(" ".join(element.text_content().split()))
    if chars < _MIN_SENTENCE_CHARS:
        return False
    return count_linked_chars(element) <= _MAX_LINKED_SHARE * chars


@cache
def _tokens() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The letters that trafilatura looks for, and what may stand beside them."""
    rows = data_files.read_csv("class_words.csv")
    tokens = [row["word"] for row in rows if row["kind"] == "token"]
    words = "|".join(row["word"] for row in rows)
    return (
        re.compile("|".join(tokens), re.IGNORECASE),
        re.compile(f"(?:{words})*"),
    )
