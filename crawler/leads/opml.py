"""OPML, the lists of feeds that readers exchange, parsed safely and written. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from lxml import etree

from crawler.leads import entries, xml_text
from crawler.sources import Source
from storage.folding import printable

MAX_OPML_BYTES = 5_000_000
MAX_OUTLINES = 5_000
MAX_OUTLINE_TITLE_CHARS = 200
_ROOT = re.compile(r"<opml[\s>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One feed of a list."""

    url: str
    title: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """The feeds of a list in its order, each address once, and how many were none."""

    feeds: tuple[Outline, ...] = ()
    unusable: int = 0
    error: str | None = None


def parse_opml(body: bytes) -> Outlines:
    """The feeds of an OPML document, folders opened.

    Never raises; entities and doctypes are not followed.
    """
    text, _ = xml_text.decode_text(body[:MAX_OPML_BYTES], None)
    start = _ROOT.search(text[:20_000])
    if start is None:
        return Outlines(error="not an OPML file: it holds no <opml>")
    # From the root element on: no doctype, hence no entities but XML's own
    root = xml_text.parse_tree(text[start.start() :])
    if root is None:
        return Outlines()

    feeds: dict[str, Outline] = {}
    unusable = 0
    for element in islice(root.iter("outline"), MAX_OUTLINES):
        # Readers do not agree on the case: xmlUrl, xmlurl, XMLURL
        attributes = {
            str(name).lower(): str(value) for name, value in element.attrib.items()
        }
        if "xmlurl" not in attributes:
            continue  # a folder
        url = entries.absolute_url(attributes["xmlurl"], "")
        if url is None:
            unusable += 1
            continue
        title = printable(attributes.get("title") or attributes.get("text") or "")
        outline = Outline(
            url=url,
            title=" ".join(title.split())[:MAX_OUTLINE_TITLE_CHARS],
            language=attributes.get("language", "")[:20],
        )
        feeds.setdefault(url, outline)
    return Outlines(feeds=tuple(feeds.values()), unusable=unusable)


def write_opml(sources: Iterable[Source]) -> bytes:
    """An OPML 2.0 document of the feeds among the sources.

    Other kinds have no place in it.
    """
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = "khabar"
    body = etree.SubElement(root, "body")
    for source in sources:
        if source.kind != "feed":
            continue
        attributes = {
            "type": "rss",
            "text": source.name or source.id,
            "xmlUrl": source.url,
        }
        if source.language:
            attributes["language"] = source.language
        etree.SubElement(body, "outline", attributes)
    return etree.tostring(
        root, xml_declaration=True, encoding="UTF-8", pretty_print=True
    )
