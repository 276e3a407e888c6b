"""Sitemaps, parsed into entries.

Google News `urlset`, plain `urlset`, the children of a `sitemapindex`, and lists of
addresses as plain text (sitemaps.org, "Other Sitemap formats"). Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from crawler.leads import xml_text
from crawler.leads.entries import FeedEntry

_ADDRESS = re.compile(r"https?://\S{1,2000}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SitemapDocument:
    """The entries of a urlset, or the sitemaps that an index names.

    A loose one has both. The sitemaps stand newest first where dates are given.
    """

    entries: tuple[FeedEntry, ...] = ()
    children: tuple[str, ...] = ()
    # By the child's address; dates as they were written
    children_changed: Mapping[str, str] = field(default_factory=dict)


def parse_sitemap(text: str, *, url: str) -> SitemapDocument | str:
    """What the mended text of a sitemap lists, or why it cannot be read.

    Never raises.
    """
    root = xml_text.parse_tree(text)
    if root is None:
        return "ill_formed: no elements"
    pages: list[FeedEntry] = []
    listed: list[tuple[str, str]] = []
    # Sites mix both kinds under either root, and leave out what wraps an address
    default = "url"
    if _local_name(root) == "sitemapindex":
        default = "sitemap"
    for element in root.iterchildren(etree.Element):
        name = _local_name(element)
        if name == "loc":
            texts = {"loc": _text(element)}
            locations = [texts["loc"]]
            name = default
        else:
            texts = _element_texts(element)
            locations = _locations(element)
        if name == "sitemap":
            changed = texts.get("lastmod", "")
            listed.extend((changed, location) for location in locations)
        elif name == "url":
            pages.extend(_page_entry(texts, location, url) for location in locations)
    # Newest first, since only so many are read: W3C dates sort as they are written
    listed.sort(reverse=True)
    return SitemapDocument(
        entries=tuple(pages),
        children=tuple(location for _, location in listed),
        children_changed={location: changed for changed, location in listed if changed},
    )


def parse_text_sitemap(text: str, *, url: str) -> SitemapDocument | None:
    """The addresses of a text with one on each line; None for any other text."""
    lines = [line.strip() for line in text.splitlines()]
    locations = [line for line in lines if line]
    for location in locations:
        if not _ADDRESS.fullmatch(location):
            return None
    if not locations:
        return None
    pages = (FeedEntry(link=location, base=url) for location in locations)
    return SitemapDocument(entries=tuple(pages))


def _page_entry(texts: Mapping[str, str], location: str, url: str) -> FeedEntry:
    return FeedEntry(
        link=location,
        base=url,
        title=texts.get("news:title", ""),
        date=texts.get("news:publication_date", ""),
        changed=texts.get("lastmod", ""),
        language=texts.get("news:language", ""),
    )


def _locations(element: etree._Element) -> list[str]:
    """The addresses of a `url` or a `sitemap`; the photos and videos of it have others.

    Where it has no `loc`, its own text may be the address.
    """
    children = element.iterchildren(etree.Element)
    own = [_text(child) for child in children if _is_location(child)]
    found = [location for location in own if location]
    written = _text(element)
    if not found and _ADDRESS.fullmatch(written):
        return [written]
    return found


def _is_location(element: etree._Element) -> bool:
    if _local_name(element) != "loc":
        return False
    # "image:loc", under a declared prefix or one that nobody declared
    prefix = element.prefix or element.tag.rpartition("}")[2].rpartition(":")[0]
    return not prefix or "sitemap/0." in element.tag


def _text(element: etree._Element) -> str:
    return (element.text or "").strip()


def _element_texts(element: etree._Element) -> dict[str, str]:
    """Texts of an element's descendants by name, the first of each.

    Names of Google's news namespace begin with `news:`, also where nobody declared it.
    """
    texts: dict[str, str] = {}
    for child in element.iter(etree.Element):
        if not child.text:
            continue
        name = _local_name(child)
        undeclared = child.tag.startswith("news:")
        if "sitemap-news" in child.tag or child.prefix == "news" or undeclared:
            name = f"news:{name}"
        texts.setdefault(name, child.text.strip())
    return texts


def _local_name(element: etree._Element) -> str:
    """The local name. Not by QName, which raises for a prefix that nobody declared."""
    return element.tag.rpartition("}")[2].rpartition(":")[2].lower()
