"""The JSON-LD of a page: its typed objects, and which of them are articles. Pure.

Page types, metadata, text and dates all read JSON-LD through this module. What an
object says counts for the page only where `select_own` picks the object.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import unescape
from typing import Any
from urllib.parse import urljoin

from lxml import html

from crawler.extraction import broken_json
from storage import identity

# json.loads takes time that grows with the square of the length for objects that
# never close.
MAX_JSON_LD_CHARS = 500_000  # of all scripts of one page

# A list of 200 articles is a listing; what comes after is not this page's article.
_MAX_LIST_ITEMS = 200
_MAX_NESTING = 4  # levels: a graph, its page, the page's entity, a list and its items
_NESTED_KEYS = ("@graph", "mainEntity", "mainEntityOfPage", "itemListElement", "item")

# Templates wrap the JSON in CDATA marks or comments, and end it with semicolons.
_BLANKS = " \t\r\n\f;\ufeff\u200b\xa0"
_OPENING = re.compile(r"(?://|/\*)?\s{0,20}(?:<!\[CDATA\[|<!--)\s{0,20}(?:\*/)?")
_CLOSING = re.compile(r"(?://|/\*)?\s{0,20}(?:\]\]>|-->)\s{0,20}(?:\*/)?\s{0,20}\Z")
_CLOSING_CHARS = 80  # of a script's end that are looked at

# The types of article that schema.org names end with these words: NewsArticle,
# BlogPosting, LiveBlogPosting, Report, CriticReview. Every reader of JSON-LD goes by
# this one list; the three that there were before took Story or Reportage in one place
# and not in another.
_ARTICLE_ENDINGS = ("article", "posting", "report", "reportage", "review", "story")
# A vacancy is a posting by its name only.
_NO_ARTICLES = frozenset({"jobposting"})

# An object with one of these says something that a reader could take for the page's.
_KEYS_OF_WORKS = frozenset(
    {
        "headline", "datePublished", "dateModified", "dateCreated", "author", "creator",
        "articleBody",
    }
)  # fmt: skip
# Of an object without a type: one of these makes it an article.
_KEYS_OF_ARTICLES = frozenset({"headline", "datePublished"})
_ADDRESS_KEYS = ("url", "mainEntityOfPage", "@id")
_NO_LETTERS = re.compile(r"[\W_]+")
_WORD = re.compile(r"\w+")
_MAX_HEADLINE_CHARS = 300  # that are compared
# Letters: a shorter headline is the page's only where it is the whole title. "Kabul"
# begins many titles.
_MIN_PART_LETTERS = 12
# A headline that is worded anew shares so many words with the page's.
_MIN_SHARED_WORDS = 3
_MIN_WORD_SHARE = 0.5  # of the shorter one's words


def find_scripts(tree: html.HtmlElement) -> Iterator[str]:
    """The raw JSON-LD scripts of a page, as long as they stay within the limit."""
    chars_left = MAX_JSON_LD_CHARS
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or "").lower():
            continue
        raw = script.text or ""
        chars_left -= len(raw)
        if chars_left < 0:
            return
        yield raw


def find_objects(tree: html.HtmlElement) -> tuple[dict[str, Any], ...]:
    """Every object with a type, in the order of the page, nested graphs flattened.

    One that gives a headline or a day of publication is taken without a type, too.
    """
    found: list[dict[str, Any]] = []
    for raw in find_scripts(tree):
        found += _typed_objects(_parse_script(raw), nesting=0)
    return tuple(found)


def types_of(item: Mapping[str, Any]) -> list[str]:
    """The types of an object, which gives one or a list of them."""
    named = item.get("@type")
    if isinstance(named, list):
        return [str(one) for one in named]
    return [str(named)]


def is_article(item: Mapping[str, Any]) -> bool:
    """Whether one of an object's types is a kind of article, or it is one untyped."""
    if "@type" not in item:
        return not _KEYS_OF_ARTICLES.isdisjoint(item)
    for one in types_of(item):
        name = one.lower()
        if name.endswith(_ARTICLE_ENDINGS) and name not in _NO_ARTICLES:
            return True
    return False


def select_own(
    objects: Sequence[dict[str, Any]],
    *,
    addresses: Iterable[str],
    titles: Iterable[str],
) -> tuple[dict[str, Any], ...]:
    """The objects that count for this page, in their order.

    `addresses` are the page's own, as far as they are known; `titles` are its headlines
    and the titles that its head gives. Lists of related articles, neighbours in a graph
    and items of a carousel are other pages' objects. An article is this page's where it
    names one of the addresses or has one of the titles, or, when none does, where it is
    the only one and does not speak of another page. The same holds for other works,
    such as WebPage. Objects that are no works (people, sites) are left out.
    """
    page = _Page(addresses, titles)
    listed = _listed_objects(objects)
    articles, others = [], []
    for item in objects:
        if is_article(item):
            articles.append(item)
        elif not _KEYS_OF_WORKS.isdisjoint(item):
            others.append(item)
    own = [*_own_works(articles, page, listed), *_own_works(others, page, listed)]
    chosen = {id(item) for item in own}
    return tuple(item for item in objects if id(item) in chosen)


class _Page:
    """What an object must name to be a page's own."""

    def __init__(self, addresses: Iterable[str], titles: Iterable[str]) -> None:
        known = [address for address in addresses if address]
        self.base = next(iter(known), "")
        self.keys = {identity.url_key(address) for address in known}
        self.titles = [title[:_MAX_HEADLINE_CHARS] for title in titles if title]
        self.letters = {_bare_letters(title) for title in self.titles} - {""}

    def is_named_by(self, item: Mapping[str, Any], *, is_listed: bool) -> bool:
        """Whether an object gives the page's address as its own."""
        for address in _addresses_of(item):
            # The items of a list are often named by a fragment of the list's page.
            if is_listed and "#" in address:
                continue
            if identity.url_key(urljoin(self.base, address)) in self.keys:
                return True
        return False

    def has_title_of(self, item: Mapping[str, Any]) -> bool:
        """Whether an object's headline is one of the page's, or the main part of one."""
        headline = _bare_letters(_headline_of(item))
        if not headline:
            return False
        if headline in self.letters:
            return True
        for known in self.letters:
            shorter, longer = sorted((headline, known), key=len)
            if len(shorter) >= _MIN_PART_LETTERS and shorter in longer:
                return True
        return False

    def is_worded_alike(self, item: Mapping[str, Any]) -> bool:
        """Whether an object's headline shares at least half of a title's words."""
        words = set(_WORD.findall(_headline_of(item).lower()))
        for title in self.titles:
            others = set(_WORD.findall(title.lower()))
            shared = len(words & others)
            fewest = min(len(words), len(others))
            if shared >= max(_MIN_SHARED_WORDS, _MIN_WORD_SHARE * fewest):
                return True
        return False


def _own_works(
    works: Sequence[dict[str, Any]], page: _Page, listed: frozenset[int]
) -> list[dict[str, Any]]:
    """Those of several works of one kind that are the page's own."""
    sure = []
    for item in works:
        is_listed = id(item) in listed
        if page.is_named_by(item, is_listed=is_listed) or page.has_title_of(item):
            sure.append(item)
    if sure:
        return sure

    # A site may shorten the headline, or word it anew for search engines, and name an
    # address that it had before.
    likely = [item for item in works if id(item) not in listed]
    alike = [item for item in likely if page.is_worded_alike(item)]
    if alike:
        return alike
    if len({_bare_letters(_headline_of(item)) for item in likely}) > 1:
        return []
    return [item for item in likely if not _is_foreign(item, page)]


def _is_foreign(item: Mapping[str, Any], page: _Page) -> bool:
    """Whether an object that is not known as the page's own speaks of another page.

    It does by an address and a headline of its own, where the page has both, too.
    """
    names_address = next(_addresses_of(item), None) is not None
    return bool(page.keys and page.titles and names_address and _headline_of(item))


def _listed_objects(objects: Iterable[Mapping[str, Any]]) -> frozenset[int]:
    """The objects, by their id in memory, that stand in a list of items."""
    found: set[int] = set()
    for item in objects:
        if "itemListElement" in item:
            members = _typed_objects(item["itemListElement"], nesting=0)
            found.update(id(member) for member in members)
    return frozenset(found)


def _addresses_of(item: Mapping[str, Any]) -> Iterator[str]:
    """The addresses that an object gives as its own; relative ones as they stand."""
    for key in _ADDRESS_KEYS:
        values = item.get(key)
        if not isinstance(values, list):
            values = [values]
        for value in values[:10]:
            named = value
            if isinstance(value, Mapping):
                named = value.get("@id") or value.get("url")
            # "#article" is a name within the page's own graph, and no address.
            if isinstance(named, str) and named and not named.startswith("#"):
                yield named[: identity.MAX_URL_CHARS]


def _headline_of(item: Mapping[str, Any]) -> str:
    value = item.get("headline") or item.get("name")
    if isinstance(value, list):
        value = next(iter(value), "")
    if not isinstance(value, str):
        return ""
    return unescape(value[:_MAX_HEADLINE_CHARS])


def _bare_letters(text: str) -> str:
    return _NO_LETTERS.sub("", text).lower()


def _parse_script(raw: str) -> Any:
    """The JSON of a script, as far as it can be made out."""
    text = raw.strip(_BLANKS)
    opening = _OPENING.match(text)
    if opening:
        text = text[opening.end() :]
    closing = _CLOSING.search(text, max(0, len(text) - _CLOSING_CHARS))
    if closing:
        text = text[: closing.start()]
    text = text.strip(_BLANKS)
    if "&quot;" in text and '"' not in text:
        text = unescape(text)
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return broken_json.parse(text)


def _typed_objects(node: Any, *, nesting: int) -> Iterator[dict[str, Any]]:
    if nesting > _MAX_NESTING:
        return
    if isinstance(node, list):
        for item in node[:_MAX_LIST_ITEMS]:
            yield from _typed_objects(item, nesting=nesting + 1)
    elif isinstance(node, dict):
        if "@type" in node or not _KEYS_OF_ARTICLES.isdisjoint(node):
            yield node
        for key in _NESTED_KEYS:
            if isinstance(node.get(key), dict | list):
                yield from _typed_objects(node[key], nesting=nesting + 1)
