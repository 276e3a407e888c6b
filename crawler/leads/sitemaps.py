"""XML sitemaps, parsed into entries.

Google News `urlset`, plain `urlset`, and the children of a `sitemapindex`. Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from crawler.leads import xml_text
from crawler.leads.entries import FeedEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class SitemapDocument:
    """The entries of a urlset, or the sitemaps that an index names.

    The sitemaps stand newest first where dates are given.
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
    if _local_name(root) != "sitemapindex":
        return SitemapDocument(entries=tuple(_urlset_entries(root, url)))

    listed: list[tuple[str, str]] = []
    for child in root.iterchildren(etree.Element):
        texts = _element_texts(child)
        if texts.get("loc"):
            listed.append((texts.get("lastmod", ""), texts["loc"]))
    # Newest first, since only so many are read: W3C dates sort as they are written
    listed.sort(reverse=True)
    return SitemapDocument(
        children=tuple(location for _, location in listed),
        children_changed={location: changed for changed, location in listed if changed},
    )


def _urlset_entries(root: etree._Element, url: str) -> Iterator[FeedEntry]:
    for element in root.iterchildren(etree.Element):
        if _local_name(element) != "url":
            continue
        texts = _element_texts(element)
        yield FeedEntry(
            link=texts.get("loc", ""),
            base=url,
            title=texts.get("news:title", ""),
            date=texts.get("news:publication_date", ""),
            changed=texts.get("lastmod", ""),
            language=texts.get("news:language", ""),
        )


def _element_texts(element: etree._Element) -> dict[str, str]:
    """Texts of an element's descendants by name, the first of each.

    Names of Google's news namespace begin with `news:`.
    """
    texts: dict[str, str] = {}
    for child in element.iter(etree.Element):
        if not child.text:
            continue
        name = _local_name(child)
        if "sitemap-news" in child.tag or child.prefix == "news":
            name = f"news:{name}"
        texts.setdefault(name, child.text.strip())
    return texts


def _local_name(element: etree._Element) -> str:
    """The local name. Not by QName, which raises for a prefix that nobody declared."""
    return element.tag.rpartition("}")[2].rpartition(":")[2].lower()
