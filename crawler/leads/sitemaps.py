"""XML sitemaps -> entries.

Google News `urlset`, plain `urlset`, and the children of a `sitemapindex`. Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from crawler.leads.entries import FeedEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class SitemapDocument:
    """The entries of a urlset, or the sitemaps that an index names, newest first where dates are given."""

    entries: tuple[FeedEntry, ...] = ()
    children: tuple[str, ...] = ()
    # Of children, as it was written
    changed: Mapping[str, str] = field(default_factory=dict)


def parse_sitemap(text: str, *, url: str) -> SitemapDocument | str:
    """What the mended text of a sitemap lists, or why it cannot be read.

    Never raises.
    """
    root = _parse_root(text)
    if root is None:
        return "ill_formed: no elements"
    if _local_name(root) == "sitemapindex":
        listed = sorted(
            (
                (
                    _field_texts(child).get("lastmod", ""),
                    _field_texts(child).get("loc", ""),
                )
                for child in root
            ),
            reverse=True,
        )
        changed = {location: at for at, location in listed if at and location}
        return SitemapDocument(
            children=tuple(location for _, location in listed if location),
            changed=changed,
        )
    return SitemapDocument(entries=tuple(_urlset_entries(root, url)))


def repair_xml(text: str) -> str:
    """Ill-formed XML as well-formed as libxml2 can make it, in linear time.

    "" where it finds no element.
    """
    root = _parse_root(text)
    return "" if root is None else etree.tostring(root, encoding="unicode")


def _parse_root(text: str) -> etree._Element | None:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        recover=True,
        huge_tree=False,
    )
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _urlset_entries(root: etree._Element, url: str) -> Iterator[FeedEntry]:
    for element in root:
        if _local_name(element) != "url":
            continue
        fields = _field_texts(element)
        yield FeedEntry(
            link=fields.get("loc", ""),
            base=url,
            title=fields.get("news:title", ""),
            date=fields.get("news:publication_date", ""),
            changed=fields.get("lastmod", ""),
            language=fields.get("news:language", ""),
        )


def _field_texts(element: etree._Element) -> dict[str, str]:
    """Texts of an element's descendants by name.

    Those of Google's news namespace begin with `news:`.
    """
    fields: dict[str, str] = {}
    for child in element.iter(etree.Element):
        if isinstance(child.tag, str) and child.text:
            prefix = (
                "news:" if "sitemap-news" in child.tag or child.prefix == "news" else ""
            )
            fields.setdefault(prefix + _local_name(child), child.text.strip())
    return fields


def _local_name(element: etree._Element) -> str:
    """The local name. Not by QName, which raises for a prefix that nobody declared."""
    return (
        element.tag.rpartition("}")[2].rpartition(":")[2].lower()
        if isinstance(element.tag, str)
        else ""
    )
