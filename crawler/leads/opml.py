"""OPML, the lists of feeds that readers exchange: in, defused, and out. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from crawler.leads import entries, xml_text
from crawler.sources import Source
from storage.folding import printable

MAX_OPML_BYTES = 5_000_000
MAX_OUTLINES = 5_000
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
    # From the root element on: no doctype, hence no entities but XML's own.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        recover=True,
        huge_tree=False,
    )
    root = etree.fromstring(text[start.start() :].encode("utf-8", "replace"), parser)
    found: dict[str, Outline] = {}
    unusable = 0
    for element, _ in zip(
        root.iter("outline") if root is not None else (),
        range(MAX_OUTLINES),
        strict=False,
    ):
        low = {str(name).lower(): str(value) for name, value in element.attrib.items()}
        if "xmlurl" not in low:
            continue  # a folder
        url = entries.absolute_url(low["xmlurl"], "")
        if url is None:
            unusable += 1
            continue
        title = " ".join(printable(low.get("title") or low.get("text") or "").split())[
            :200
        ]
        found.setdefault(
            url, Outline(url=url, title=title, language=low.get("language", "")[:20])
        )
    return Outlines(feeds=tuple(found.values()), unusable=unusable)


def write_opml(sources: Iterable[Source]) -> bytes:
    """An OPML 2.0 document of the feeds among the sources.

    Other kinds have no place in it.
    """
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = "khabar"
    body = etree.SubElement(root, "body")
    for source in sources:
        if source.kind == "feed":
            told = {
                "type": "rss",
                "text": source.name or source.id,
                "xmlUrl": source.url,
            }
            etree.SubElement(
                body,
                "outline",
                told | ({"language": source.language} if source.language else {}),
            )
    return etree.tostring(
        root, xml_declaration=True, encoding="UTF-8", pretty_print=True
    )
