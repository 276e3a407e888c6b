"""The bytes of a page to one parsed tree that every reader of the page shares. Pure.

What is too large, empty or no HTML is refused before anything parses it. The limits are
those that hostile files taught: trafilatura and lxml take over 30 s for 200,000
attributes, 500,000 line breaks or 300,000 unclosed paragraphs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from itertools import islice
from typing import Any

from lxml import etree, html
from w3lib.encoding import read_bom

from crawler.extraction import charsets, hidden, json_ld
from storage import identity
from storage.folding import printable
from storage.model import Page, Rejection, RejectionReason

MAX_PAGE_BYTES = 3_000_000
MAX_TAGS = 50_000
MAX_ATTRIBUTES = 5_000  # in one tag

# The shortest tag that could hold so many attributes.
_MIN_CROWDED_TAG_BYTES = 2 * MAX_ATTRIBUTES
# Tags are only looked at one by one where the page has so many words, equal signs or
# slashes: fewer cannot make a tag that takes a second.
_MANY_PIECES = 20_000

# The same for every page: comments and instructions are never read, and ids need no
# index.
_PARSER = html.HTMLParser(
    collect_ids=False, encoding="utf-8", remove_comments=True, remove_pis=True
)
# libxml2 gives up at 255 levels, which font tags that nobody closes reach; its other
# limit is 2,048.
_DEEP_PARSER = html.HTMLParser(
    collect_ids=False,
    encoding="utf-8",
    remove_comments=True,
    remove_pis=True,
    huge_tree=True,
)
_MAX_DEPTH = 255  # levels
_WRAPPERS = (
    "div", "span", "font", "b", "i", "em", "strong", "center", "section", "small", "big",
)  # fmt: skip

_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# libxml2 drops the rest of a document after a doctype or an html tag that closes itself.
_DOCTYPE = re.compile(r"^\s*<!doctype[^>]{0,500}>", re.IGNORECASE)
_SELF_CLOSED = re.compile(r"(<html[^<>]{0,2000}?)\s*/>", re.IGNORECASE)

# How gzip, zstd, zip and PDF begin. Packed bytes that are served as HTML are letters in
# windows-1256, and would be a "text" of them.
_PACKED_STARTS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"%PDF-")
# Text of one byte a letter never has these; noise has one in nine.
_CONTROL_BYTES = bytes([*range(1, 9), *range(14, 27), *range(28, 32)])


# Elements that give a title; a page of more headlines is none of ours.
_MAX_TITLES = 20
_MAX_TITLE_CHARS = 300  # that JSON-LD is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """A page as its readers share it."""

    tree: html.HtmlElement  # without invisible text
    # By lower-case name, property, itemprop or http-equiv; values in order.
    meta: Mapping[str, tuple[str, ...]]
    json_ld: tuple[dict[str, Any], ...]  # see `json_ld.find_objects`
    own_json_ld: tuple[dict[str, Any], ...]  # see `json_ld.select_own`
    needs_script: bool = False  # it says itself that it needs JavaScript


def parse_page(page: Page) -> Markup | Rejection:
    """The page's tree without invisible text, or why it is not worth parsing.

    Never raises for any bytes.
    """
    content_type = page.header("content-type")
    if excess := _find_excess(page.body):
        return Rejection(why=RejectionReason.SIZE, detail=excess)
    if not page.body.strip():
        return Rejection(why=RejectionReason.EMPTY, detail="no bytes")
    if not _is_html(page.body, (content_type or "").lower()):
        detail = f"not HTML: {(content_type or '?')[:80]}"
        return Rejection(why=RejectionReason.NOT_AN_ARTICLE, detail=detail)
    tree = _parse_tree(charsets.decode_page(page.body, content_type))
    if tree is None:
        return Rejection(why=RejectionReason.EMPTY, detail="no markup")

    # Read before invisible text goes: JSON-LD, meta and noscript count wherever they
    # stand.
    objects = json_ld.find_objects(tree)
    meta = _collect_meta(tree)
    own_objects = _select_own_objects(objects, tree, meta, page.final_url)
    noscript = ["".join(e.itertext())[:500] for e in tree.iter("noscript")]
    needs_script = "javascript" in " ".join(noscript).lower()
    hidden.remove_hidden(tree)
    return Markup(
        tree=tree,
        meta=meta,
        json_ld=objects,
        own_json_ld=own_objects,
        needs_script=needs_script,
    )


def find_canonical(tree: html.HtmlElement) -> str | None:
    """The address that the page gives as its own, as it stands there."""
    for link in tree.iter("link"):
        target: str | None = link.get("href")
        if target and "canonical" in (link.get("rel") or "").lower().split():
            return target.strip()[: identity.MAX_URL_CHARS]
    return None


def _select_own_objects(
    objects: tuple[dict[str, Any], ...],
    tree: html.HtmlElement,
    meta: Mapping[str, tuple[str, ...]],
    url: str,
) -> tuple[dict[str, Any], ...]:
    """The JSON-LD objects that count for the page, by its addresses and its titles."""
    if not objects:
        return ()
    addresses = (url, find_canonical(tree) or "", *meta.get("og:url", ()))
    titles = [*meta.get("og:title", ()), *meta.get("twitter:title", ())]
    named = islice(tree.iter("title", "h1"), _MAX_TITLES)
    titles += [" ".join(element.itertext())[:_MAX_TITLE_CHARS] for element in named]
    return json_ld.select_own(objects, addresses=addresses, titles=titles)


_BLOCK_TAGS = frozenset(
    {
        "p", "div", "br", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5",
        "h6", "blockquote", "pre", "table", "tr", "section", "article", "hr",
    }
)  # fmt: skip
_DROPPED_TAGS = (
    "script", "style", "figure", "iframe", "noscript", "form", "svg", "video", "audio",
    "object", "template",
)  # fmt: skip


def fragment_text(fragment: str) -> str:
    """The text of a piece of HTML as a feed or JSON-LD carries it, one line a block.

    A piece without markup keeps its own lines. Pieces over the limits of a page give
    nothing. Never raises.
    """
    if "<" not in fragment:
        return unescape(fragment[:MAX_PAGE_BYTES])
    raw = _UNWANTED.sub("", fragment).encode("utf-8", "replace")
    if _find_excess(raw):
        return ""
    try:
        root = html.fragment_fromstring(
            b"<div>" + raw + b"</div>", create_parent="div", parser=_PARSER
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ""
    etree.strip_elements(root, *_DROPPED_TAGS, with_tail=False)
    blocks = [element for element in root.iter() if element.tag in _BLOCK_TAGS]

    # Line breaks of the source are spaces, but for a piece whose only markup is inside
    # its paragraphs: that one keeps its own lines, as plain text does.
    if any(block.tag != "div" for block in blocks):
        for element in root.iter():
            if element.text:
                element.text = element.text.replace("\n", " ")
            if element.tail:
                element.tail = element.tail.replace("\n", " ")
    for block in blocks:
        block.text = f"\n{block.text or ''}"
        block.tail = f"\n{block.tail or ''}"
    lines = (" ".join(line.split()) for line in "".join(root.itertext()).split("\n"))
    return "\n".join(line for line in lines if line)


# Tags as HTML5 cuts them: what stands in quotes ends none. Scripts and comments are
# passed over, or they would open quotes that hide a tag. Possessive throughout, so that
# every byte is looked at once or twice.
_ATTRIBUTE = (
    rb"[\s/]*+[^\s/>][^\s/>=]*+"
    rb"(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>\"'][^\s>]*+)?)?"
)
_TAG = re.compile(rb"<[a-z][^\s/>]*+(?:" + _ATTRIBUTE + rb")*+", re.IGNORECASE)
_PASSED_OVER = (
    rb"<!--.*?(?:-->|\Z)"
    rb"|<(script|style)(?=[\s/>])(?:" + _ATTRIBUTE + rb")*+[\s/]*+>.*?(?:</\1|\Z)|"
)
_TAGS = re.compile(_PASSED_OVER + _TAG.pattern, re.IGNORECASE | re.DOTALL)
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE)


def _find_excess(body: bytes) -> str:
    """Which limit the bytes pass, "" for none; counted before anything parses them."""
    if len(body) > MAX_PAGE_BYTES:
        return f"{len(body):,} bytes of HTML"
    tags = body.count(b"<") - body.count(b"</")
    if tags > MAX_TAGS:
        return f"{tags:,} tags"
    pieces = max(len(body.split()), body.count(b"="), body.count(b"/"))
    if pieces <= _MANY_PIECES:
        return ""

    for found in _TAGS.finditer(body):
        start, end = found.span()
        if end - start <= _MIN_CROWDED_TAG_BYTES:
            continue
        tag = _TAG.match(body, start)  # None for a script or a comment
        if tag is None:
            continue
        # The tag's own name is the first of the matches.
        attributes = sum(1 for _ in _ONE_ATTRIBUTE.finditer(tag.group())) - 1
        if attributes > MAX_ATTRIBUTES:
            return f"{attributes:,} attributes in one tag"
    return ""


def _is_html(body: bytes, content_type: str) -> bool:
    """Whether the bytes say that they are HTML, or say nothing and look like it."""
    head = body[:2_000]
    if head.startswith(_PACKED_STARTS):
        return False
    # Letters of UTF-16 may have any byte, so that control bytes say nothing there.
    wide = read_bom(head)[0] is not None or b"<\x00" in head or b"\x00<" in head
    controls = len(head) - len(head.translate(None, _CONTROL_BYTES))
    if controls > len(head) // 30 and not wide:
        return False

    if content_type and not any(
        kind in content_type for kind in ("html", "text/plain", "octet-stream")
    ):
        return "xml" in content_type and b"<html" in body[:5_000].lower()
    return b"<" in body[:100_000] or b"\x00" in body[:100]


def _parse_tree(text: str) -> html.HtmlElement | None:
    text = _UNWANTED.sub("", text)
    text = _DOCTYPE.sub("", text, count=1)
    text = _SELF_CLOSED.sub(r"\1>", text, count=1)
    if not text.strip():
        return None
    raw = text.encode("utf-8", "replace")
    try:
        tree = html.document_fromstring(raw, parser=_PARSER)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    fault = _PARSER.error_log.last_error
    if fault is not None and "depth" in fault.message:
        flat = _parse_without_wrappers(raw)
        if flat is not None:
            return flat
    return tree


def _parse_without_wrappers(raw: bytes) -> html.HtmlElement | None:
    """The tree of a page that is deeper than the parser goes, without its wrappers.

    None where it is still too deep.
    """
    try:
        tree = html.document_fromstring(raw, parser=_DEEP_PARSER)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    for element in list[html.HtmlElement](tree.iter(*_WRAPPERS)):
        wraps_one = len(element) == 1 and not (element.text or "").strip()
        if wraps_one and element.getparent() is not None:
            element.drop_tag()

    # Counted by a walk: a recursion of this depth would be the fault it looks for.
    level = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        if event == "end":
            level -= 1
            continue
        level += 1
        if level >= _MAX_DEPTH:
            return None
    return tree


def _collect_meta(tree: html.HtmlElement) -> dict[str, tuple[str, ...]]:
    """`meta` contents by name; at most ten of a name, 1,000 characters each."""
    found: dict[str, list[str]] = {}
    for element in tree.iter("meta"):
        content = printable((element.get("content") or "")[:1_000])
        content = " ".join(content.split())
        if not content:
            continue
        for attribute in ("name", "property", "itemprop", "http-equiv"):
            name = element.get(attribute)
            if not name:
                continue
            values = found.setdefault(name.strip().lower()[:100], [])
            if len(values) < 10 and content not in values:
                values.append(content)
    return {name: tuple(values) for name, values in found.items()}
