"""Where a page shows who wrote it: elements to bylines, the surest first. Pure.

An element is a byline by its rel, itemprop, class or id, by a link to an author's page,
or by its first word ("By Nadia Example") near the headline. Comments, cards, sidebars
and quotations are about others.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from lxml import etree, html

from crawler.extraction import bylines
from crawler.extraction.elements import select

_MAX_ELEMENTS = 60  # bylines of a page that are looked at
_MAX_TEXTS = 60  # behind the headline that are looked at
_MAX_ANCESTORS = 25
_MAX_PIECES = 40  # texts of one byline
_MAX_BYLINE_CHARS = 150  # more is the life of an author
_MAX_NAME_PARTS = 3
_MAX_NAMED_ANCESTORS = 8  # whose classes are read: those above are the page's
_MAX_CARD_CHARS = 600
_MAX_ASIDE_CHARS = 300  # an aside with more is a sidebar
_MIN_HEADLINE_WORDS = 4  # of a link that makes a card of what is around it

_CANDIDATES = etree.XPath(
    "//body//*[@class or @id or @rel or @itemprop or @data-component or @href"
    " or self::address or self::byline]"
    "[not(self::img or self::script or self::style or self::link or self::meta"
    " or self::svg or self::path or self::input or self::button or self::form)]"
)
_AUTHOR_METAS = etree.XPath("//body//meta[@itemprop='author' or @itemprop='creator']")
_BYLINE_NAME = re.compile(
    r"by-?line|auth?or(?!it|iz|is)|autoren|auteurs?|contributor|columnist|journalist"
    r"|\bwriter|written-?by|wrote-?by|reporter|creator|posted-?by|poster\b|vcard"
    r"|redakteur|signature|\bstaff-?name",
    re.IGNORECASE,
)
_AUTHOR_PAGE = re.compile(
    r"/(?:authors?|autor|autoren|autori|auteurs?|contributors?|reporters?|staff"
    r"|editors|signataires?|journalists?|periodista|columnists?"
    r"|writers?)/[^/?#]|[?&]author=",
    re.IGNORECASE,
)
_ARTICLE_NAME = re.compile(r"article|entry|post\b|story", re.IGNORECASE)
# "widget" as the beginning of a class: builders of pages call everything one.
_ELSEWHERE = re.compile(
    r"comment|\breply|respond|related|sidebar|(?:^|\s)widget|trending|popular"
    r"|most-?read|recommend|latest|teaser|more-?(?:from|news|stories)|read-?(?:more|next)"
    r"|carousel|recirc|ticker|promo|newsletter|navbar|\bmenu|site-?footer|masthead"
    r"|caption|(?:photo|image)-?credit|pull-?quote",
    re.IGNORECASE,
)
# Elements inside a byline that hold a name and nothing else.
_NAMES_INSIDE = etree.XPath(
    ".//*[@rel='author' or @itemprop='name' or @itemprop='author'"
    " or contains(concat(' ', normalize-space(@class), ' '), ' fn ')]"
)
# Of a byline with the life of the author in it.
_HEADS_INSIDE = etree.XPath(
    ".//*[self::h2 or self::h3 or self::h4 or self::h5 or self::strong or self::b"
    " or contains(@class, 'name')]"
)
_LINKS_INSIDE = etree.XPath(".//a[@href]")


def find_bylines(
    tree: html.HtmlElement, *, near_headline: bool
) -> Iterator[tuple[list[str], bool]]:
    """The bylines of a page, each as its pieces, and whether the markup says so.

    Those behind the headline come first, in the order of the page, then those before
    it, then, if wanted, texts near the headline that begin as a byline does. A byline of several
    elements beside each other is one. Only where the markup says so, by rel, itemprop
    or a link to an author's page, a single word is a name ("Staff", "Politics").
    """
    heading = next(tree.iter("h1"), None)
    around = set() if heading is None else {heading, *heading.iterancestors()}
    behind: list[html.HtmlElement] = []
    before: list[html.HtmlElement] = []
    is_behind = heading is None
    for element in select(tree, _CANDIDATES):
        if element is heading:
            is_behind = True
        if element in around or not _is_byline(element):
            continue
        if len(behind) >= _MAX_ELEMENTS:
            break
        if _is_elsewhere(element, around):
            continue
        (behind if is_behind else before).append(element)

    for elements in (behind, before):
        for place, element in enumerate(elements):
            together = [element, *_siblings(element, elements[place + 1 :])]
            pieces: list[str] = []
            for one in together:
                pieces += _pieces(one)
            is_marked = any(map(_is_marked, together))
            yield pieces[:_MAX_PIECES], is_marked or _holds_marked(element)
    if heading is not None and near_headline:
        for text, prefix_words in _texts_near(heading, around):
            # "Posted by David" says who it was; "By Monday" does not.
            yield [text], prefix_words > 1


def authors_of_others(tree: html.HtmlElement) -> set[str]:
    """What microdata in cards and sidebars give as author, single-spaced."""
    heading = next(tree.iter("h1"), None)
    around = set() if heading is None else {heading, *heading.iterancestors()}
    found: set[str] = set()
    for element in select(tree, _AUTHOR_METAS)[:_MAX_ELEMENTS]:
        if _is_elsewhere(element, around):
            found.add(" ".join((element.get("content") or "").split()))
    return found


def _is_byline(element: html.HtmlElement) -> bool:
    if _is_marked(element):
        return True
    if element.tag in ("address", "byline"):
        return True
    names = (
        f"{element.get('class') or ''} {element.get('id') or ''} "
        f"{element.get('data-component') or ''}"
    )
    return _names_byline(names[:300])


def _is_marked(element: html.HtmlElement) -> bool:
    """Whether the markup itself says that an element holds an author."""
    if "author" in (element.get("rel") or "").split():
        return True
    if element.get("itemprop") in ("author", "creator"):
        return True
    target = element.get("href") if element.tag == "a" else None
    return target is not None and _AUTHOR_PAGE.search(target[:300]) is not None


def _holds_marked(element: html.HtmlElement) -> bool:
    if select(element, _NAMES_INSIDE):
        return True
    return any(map(_is_marked, select(element, _LINKS_INSIDE)))


@lru_cache(4_096)
def _names_byline(names: str) -> bool:
    return _BYLINE_NAME.search(names) is not None


@lru_cache(4_096)
def _names_elsewhere(names: str) -> bool:
    return _ELSEWHERE.search(names) is not None


def _is_elsewhere(element: html.HtmlElement, around: set[html.HtmlElement]) -> bool:
    """Whether an element belongs to comments, cards, a quotation or the site.

    `around` are the headline and what is around it: the page's own.
    """
    lineage = islice((element, *element.iterancestors()), _MAX_ANCESTORS)
    for level, ancestor in enumerate(lineage):
        if ancestor in around or ancestor.tag in ("body", "main"):
            return False
        if ancestor.tag in ("nav", "blockquote", "figure", "figcaption"):
            return True
        if ancestor.tag == "aside" and not _is_short(ancestor, _MAX_ASIDE_CHARS):
            return True
        if ancestor.tag == "footer" and _belongs_to_site(ancestor):
            return True
        if level > _MAX_NAMED_ANCESTORS:
            continue
        names = f"{ancestor.get('class') or ''} {ancestor.get('id') or ''}"
        if _names_elsewhere(names[:300]):
            return True
        if ancestor.tag in ("article", "li") and _is_card(ancestor, element):
            return True
    return False


def _is_short(element: html.HtmlElement, max_chars: int) -> bool:
    chars = 0
    for text in element.itertext():
        chars += len(text.strip())
        if chars > max_chars:
            return False
    return True


def _belongs_to_site(footer: html.HtmlElement) -> bool:
    """Whether a footer is the site's and not an article's."""
    if _ARTICLE_NAME.search(footer.get("class") or ""):
        return False
    return next(footer.iterancestors("article", "main"), None) is None


def _is_card(card: html.HtmlElement, byline: html.HtmlElement) -> bool:
    """Whether a short part of a page has a link of a headline's length to another."""
    if not _is_short(card, _MAX_CARD_CHARS):
        return False
    own = set(byline.iter())
    name = " ".join(byline.text_content().split())
    for link in select(card, _LINKS_INSIDE):
        words = " ".join(link.text_content().split())
        if link in own or (name and name in words):
            continue
        if len(words.split()) >= _MIN_HEADLINE_WORDS:
            return True
    return False


def _siblings(
    element: html.HtmlElement, others: Iterable[html.HtmlElement]
) -> Iterator[html.HtmlElement]:
    """The further bylines of the same kind beside one: several links to authors."""
    parent = element.getparent()
    for other in others:
        if other.tag != element.tag or element in other.iterancestors():
            continue
        if other.get("class") == element.get("class") and parent in (
            other.getparent(),
            other.getparent().getparent(),
        ):
            yield other


def _pieces(element: html.HtmlElement) -> list[str]:
    """The texts of a byline: of the elements in it that hold a name, else all of its own.

    None where it says more than a byline does.
    """
    inside = select(element, _NAMES_INSIDE)
    if not inside:
        inside = [link for link in select(element, _LINKS_INSIDE) if _is_marked(link)]
    names: list[str] = []
    for one in inside:
        names += _texts(one)
    if any(bylines.find_people([name]) for name in names):
        return names
    texts = _texts(element)
    if sum(map(len, texts)) <= _MAX_BYLINE_CHARS:
        return texts
    for head in select(element, _HEADS_INSIDE)[:1]:
        return _texts(head)
    return []


def _texts(element: html.HtmlElement) -> list[str]:
    """The texts of an element; the parts of one name are one text."""
    if element.tag == "meta":
        return [" ".join((element.get("content") or "").split())]
    texts: list[str] = []
    for text in islice(element.itertext(), _MAX_PIECES):
        line = " ".join(text.split())
        if line:
            texts.append(line)
    if len(texts) <= _MAX_NAME_PARTS and all(" " not in text for text in texts):
        return [" ".join(texts)]
    return texts


def _texts_near(
    heading: html.HtmlElement, around: set[html.HtmlElement]
) -> Iterator[tuple[str, int]]:
    """The texts behind the headline that begin as a byline does, by how many words."""
    found = heading.xpath("following::text()[normalize-space()]")
    for text in islice(found, _MAX_TEXTS):
        line = " ".join(str(text).split())
        parent = text.getparent()
        if len(line) > bylines.MAX_BYLINE_CHARS or parent.tag in ("script", "style"):
            continue
        prefix_words = bylines.count_prefix_words(line)
        if prefix_words and not _is_elsewhere(parent, around):
            yield line, prefix_words
