"""The JSON-LD of a page: its typed objects, and which of them are articles. Pure.

Page types, metadata, text and dates all read JSON-LD through this module.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import html

# json.loads takes time that grows with the square of the length for objects that
# never close.
MAX_JSON_LD_CHARS = 500_000  # of all scripts of one page

# A list of 200 articles is a listing; what comes after is not this page's article.
_MAX_LIST_ITEMS = 200
_MAX_NESTING = 4  # levels: a graph, its page, the page's entity, a list and its items
_NESTED_KEYS = ("@graph", "mainEntity", "mainEntityOfPage", "itemListElement", "item")

# Templates wrap the JSON in CDATA marks or comments, and end it with semicolons.
_WRAPPING = re.compile(
    r"^\s*(?:<!\[CDATA\[|<!--|//\s*<!\[CDATA\[)|(?:\]\]>|-->|//\s*\]\]>)?[\s;]*$"
)
_TRAILING_COMMA = re.compile(r",(\s{0,100}[}\]])")

# The types of article that schema.org names end with these words: NewsArticle,
# BlogPosting, LiveBlogPosting, Report, CriticReview. Every reader of JSON-LD goes by
# this one list; the three that there were before took Story or Reportage in one place
# and not in another.
_ARTICLE_ENDINGS = ("article", "posting", "report", "reportage", "review", "story")
# A vacancy is a posting by its name only.
_NO_ARTICLES = frozenset({"jobposting"})


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
    """Every object with a type, in the order of the page, nested graphs flattened."""
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
    """Whether one of an object's types is a kind of article."""
    for one in types_of(item):
        name = one.lower()
        if name.endswith(_ARTICLE_ENDINGS) and name not in _NO_ARTICLES:
            return True
    return False


def _parse_script(raw: str) -> Any:
    """The JSON of a script; None where no mending makes JSON of it."""
    bare = _WRAPPING.sub("", raw)
    for text in (bare, _TRAILING_COMMA.sub(r"\1", bare)):
        try:
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _typed_objects(node: Any, *, nesting: int) -> Iterator[dict[str, Any]]:
    if nesting > _MAX_NESTING:
        return
    if isinstance(node, list):
        for item in node[:_MAX_LIST_ITEMS]:
            yield from _typed_objects(item, nesting=nesting + 1)
    elif isinstance(node, dict):
        if "@type" in node:
            yield node
        for key in _NESTED_KEYS:
            if isinstance(node.get(key), dict | list):
                yield from _typed_objects(node[key], nesting=nesting + 1)
