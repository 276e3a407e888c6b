"""A page's tree in plainer markup, as the readers of its text need it. Pure.

trafilatura and readability judge elements by tag, class and depth, and lose words where
a page uses them in another way. So they are handed a copy of the tree in which running
text has no tags that they drop, a table that only lays out the page is none, a class
name says what it says, and what readers never see is gone.

A new cause of lost or foreign words is a step of `simplify_tree`.
"""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache, lru_cache

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
# In a sentence their classes are no verdict either: "footers" of 51 references.
_SPANS = etree.XPath("//body//p//span[@class or @id]")
_MAX_SPAN_CHARS = 60  # a longer one is a note that a script opens
_UNWRAPPED = "unwrapped"  # no tag of HTML
_QUOTES = ('"', "“", "„", "«", "‹", "‘", "'", "「")

# No reader sees these, or only where something else fails.
_NEVER_TEXT = ("script", "style", "svg", "noscript", "template", "noframes")
_AMP_TAGS = (
    "amp-ad", "amp-embed", "amp-analytics", "amp-consent", "amp-lightbox",
    "amp-sidebar",
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
# A longer one is the article's copy for printers, and on some pages its only text.
_MAX_UNSEEN_CHARS = 300
_OVERLAY_TAGS = frozenset({"div", "section", "aside", "form", "dialog", "span"})

_MIN_SENTENCE_CHARS = 60  # of a part that says something
_MIN_PROSE_CHARS = 120  # of a cell of a page that is laid out
_MIN_PICTURED_CHARS = 400  # a shorter part with a picture is its caption
_MAX_LINKED_SHARE = 0.1  # of the letters of prose
# "articleSidebar" is two words.
_WORD = re.compile("[A-Z]?[a-z]{1,40}|[A-Z]{1,40}")
# The part that only subscribers were meant to see, and text that can be commented on.
_OPEN_PART = re.compile(
    r"teaser|paywall|premium|paid|\bcomment-?(?=on[A-Z-]|able)", re.IGNORECASE
)
# No word that trafilatura looks for, neither as furniture nor as a body.
_NEUTRAL = "x"
_HOLDS_PAGE = etree.XPath("boolean(.//h1 or .//table)")
_DATA_MARKS = etree.XPath("boolean(.//th or ./caption or ./thead)")
_MIN_LAYOUT_PARTS = 2  # paragraphs or breaks in one cell
_MIN_DATA_ROWS = 2
_TABLE_PARTS = (
    "tbody", "thead", "tfoot", "tr", "td", "th", "caption", "colgroup", "col",
)  # fmt: skip
_MAX_NAME_CHARS = 300  # of a class or id; longer ones are left alone
# Of one page, so that nested parts cannot make it long to read.
_MAX_PROSE_CHECKS = 300


def simplify_tree(tree: html.HtmlElement) -> html.HtmlElement:
    """A copy of a page's tree with the same text in plainer markup."""
    tree = deepcopy(tree)
    for element in list(tree.iter(*_NEVER_TEXT, *_AMP_TAGS)):
        drop(element)
    named = select(tree, _NAMED)
    _remove_unseen(tree, named)
    _flatten_layout_tables(tree)
    _unwrap_inline(tree)
    _mend_names(named)
    return tree


def _remove_unseen(tree: html.HtmlElement, named: Sequence[html.HtmlElement]) -> None:
    """Take out fallbacks, tooltips, texts for screen readers, dialogs, consent boxes.

    What holds a headline or an article is none of them: some sites open articles in a
    dialog, and name the page after the box that lies over it.
    """
    for element in select(tree, _UNSEEN):
        drop(element)
    for element in select(tree, _DIALOGS):
        if element.tag != "body" and not _PAGE_TEXT(element):
            drop(element)
    for element in named:
        kind = _kind_of_names(element.get("class"), element.get("id"))
        if kind == "unseen":
            is_foreign = len(element.text_content()) <= _MAX_UNSEEN_CHARS
        else:
            is_foreign = kind == "overlay" and element.tag in _OVERLAY_TAGS
        if is_foreign and not _PAGE_TEXT(element):
            drop(element)


# The same few hundred names stand on all pages of a site.
@lru_cache(maxsize=8_192)
def _kind_of_names(class_names: str | None, own_id: str | None) -> str:
    names = f"{class_names or ''} {own_id or ''}"
    return page_parts.part_kind(names[:_MAX_NAME_CHARS])


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
                if _count_parts(cell) >= _MIN_LAYOUT_PARTS:
                    return True
        rows += cells > 1
    # Several rows of several cells are data, however long their cells.
    return (holds_prose and rows < _MIN_DATA_ROWS) or rows == 0


def _count_parts(cell: html.HtmlElement) -> int:
    """Paragraphs in a cell, and places where two line breaks part them."""
    count = 0
    for part in cell.iter("p", "br"):
        following = part.getnext()
        is_break = part.tag == "p" or (
            following is not None
            and following.tag == "br"
            and not (part.tail or "").strip()
        )
        count += is_break
    return count


def _unwrap_inline(tree: html.HtmlElement) -> None:
    """Make plain text of the elements within a sentence that the readers would drop."""
    sentences: dict[html.HtmlElement, bool] = {}
    found = [
        element
        for element in tree.iter(*_INLINE_TAGS)
        if _is_in_sentence(element, sentences)
    ]
    for element in found:
        if element.tag == "q":
            _add_quotes(element)
        element.tag = _UNWRAPPED
    for span in select(tree, _SPANS):
        is_short = len(span.text_content()) <= _MAX_SPAN_CHARS
        if is_short and _is_in_sentence(span, sentences):
            span.tag = _UNWRAPPED
    # In one go: to take out thousands of siblings one by one takes seconds.
    etree.strip_tags(tree, _UNWRAPPED)


def _add_quotes(element: html.HtmlElement) -> None:
    """Set the marks that a browser shows around a quotation without any."""
    if element.text_content().strip().startswith(_QUOTES):
        return
    element.text = f"“{element.text or ''}"
    if len(element) == 0:
        element.text += "”"
    else:
        last = element[-1]
        last.tail = f"{last.tail or ''}”"


def _is_in_sentence(
    element: html.HtmlElement, sentences: dict[html.HtmlElement, bool]
) -> bool:
    """Whether an inline element has words of a sentence around it.

    `sentences` keeps which paragraphs were found to hold one.
    """
    around = element.getparent()
    has_neighbour = _has_text_beside(element)
    while around is not None and around.tag not in _PARAGRAPH_TAGS:
        has_neighbour = has_neighbour or _has_text_beside(around)
        around = around.getparent()
    if around is None or not has_neighbour:
        return False
    if around not in sentences:
        others = 0
        for other in around.iter(*_INLINE_TAGS):
            others += len(other.text_content())
        chars = len(around.text_content()) - others
        sentences[around] = chars >= _MIN_LABELLED_CHARS
    return sentences[around]


def _has_text_beside(element: html.HtmlElement) -> bool:
    before, parent = element.getprevious(), element.getparent()
    if before is not None:
        text = before.tail
    else:
        text = parent.text if parent is not None else None
    return bool((text or "").strip() or (element.tail or "").strip())


def _mend_names(named: Sequence[html.HtmlElement]) -> None:
    """Rename the classes in which trafilatura would find a word that is none.

    It looks for letters: "bar" in "matn-khabar" (the text of the news), "author" in
    "authority-statement", "rating" in "operating-theatre". The part of a text that only
    subscribers were meant to see is text where it was sent.
    """
    prose: dict[html.HtmlElement, bool] = {}

    def is_prose(element: html.HtmlElement) -> bool:
        if element not in prose:
            prose[element] = len(prose) < _MAX_PROSE_CHECKS and _is_prose(element)
        return prose[element]

    # A short paragraph of a kind that holds prose elsewhere is of that kind, too.
    open_parts: set[str] = set()
    for element in named:
        names = element.get("class") or ""
        if names not in open_parts and _is_open_part(names) and is_prose(element):
            open_parts.add(names)
    for element in named:
        names, own_id = element.get("class") or "", element.get("id") or ""
        mended = _mend_letters(names)
        if names in open_parts:
            element.set("class", _OPEN_PART.sub(_NEUTRAL, mended))
        elif mended != names and is_prose(element):
            element.set("class", mended)
        # The id of a section is made of its heading's words: "sharing-with-a-friend".
        is_heading_id = own_id and (element.tag == "section" or names == "section")
        mended = _NEUTRAL if is_heading_id else _mend_letters(own_id)
        if mended != own_id and is_prose(element):
            element.set("id", mended)


@lru_cache(maxsize=8_192)
def _is_open_part(names: str) -> bool:
    return _OPEN_PART.search(names) is not None


@lru_cache(maxsize=8_192)
def _mend_letters(names: str) -> str:
    """A class or id without the words that only have the letters of another word."""
    if len(names) > _MAX_NAME_CHARS or not _tokens()[0].search(names):
        return names
    return _WORD.sub(_mend_word, names)


def _mend_word(match: re.Match[str]) -> str:
    """The word of a class, or a neutral one where it only has the letters."""
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
    if chars < _MIN_PICTURED_CHARS and element.find(".//img") is not None:
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
