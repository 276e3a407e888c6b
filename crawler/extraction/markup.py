"""Bytes of a page to one parsed tree that every reader of it shares, guarded against what strangers send.

Limits are those that the hostile files taught: trafilatura and lxml take over 30 s for 200,000 attributes, 500,000
line breaks or 300,000 unclosed paragraphs, and quadratic time for JSON-LD that never closes.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any, cast

from lxml import etree, html
from w3lib.encoding import (
    html_body_declared_encoding,
    http_content_type_encoding,
    read_bom,
)

from storage.folding import printable
from storage.model import Page, Rejection, RejectionReason

MAX_PAGE_BYTES = 3_000_000
MAX_TAGS = 50_000
MAX_ATTRIBUTES = 5_000  # in one tag
MAX_JSON_LD_CHARS = 500_000  # characters of JSON-LD on one page
_TAG_BYTES = 2 * MAX_ATTRIBUTES  # the shortest tag that could hold so many
# Words, equal signs or slashes of a page that has too few of them for a tag that takes
# a second
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
_MAX_DEPTH = 255
_WRAPPERS = (
    "div",
    "span",
    "font",
    "b",
    "i",
    "em",
    "strong",
    "center",
    "section",
    "small",
    "big",
)
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# libxml2 drops the rest of a document after a doctype that closes itself.
_DOCTYPE = re.compile(r"^\s*<!doctype[^>]{0,500}>", re.IGNORECASE)
_SELF_CLOSED = re.compile(r"(<html[^<>]{0,2000}?)\s*/>", re.IGNORECASE)
# How gzip, zstd, zip and PDF begin. Packed bytes that are served as HTML are letters in
# windows-1256, a "text" of them.
_BINARY_STARTS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"%PDF-")
_CONTROLS = bytes(
    [*range(1, 9), *range(14, 27), *range(28, 32)]
)  # text of one byte a letter never has them; noise has one in nine
# UTF-8 read as Latin-1 or Windows-1252 and written as UTF-8 again: typographic marks,
# accents, Arabic letters.
_TAIL = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
_DOUBLE_ENCODED = re.compile(
    f"â[\x80€]{_TAIL}|Â[\xa0-\xbf]|Ã{_TAIL}|[ØÙÚÛ]{_TAIL}(?=[ØÙÚÛ]{_TAIL})|(?<={_TAIL})[ØÙÚÛ]{_TAIL}"
)
_DOUBLE_SIGNS = ("Ã", "â€", "â\x80", "Â\xa0", "Ø")
_MIN_DOUBLE_PIECES = 3
# Share of bytes over 127: below it a page that declares nothing is Western, above it
# Arabic script
_ARABIC_BYTE_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Markup:
    """A page as its readers share it.

    The tree, its `meta` tags, its JSON-LD objects and how much was hidden.
    """

    tree: html.HtmlElement
    # By lower-case name, property or itemprop; values in order
    meta: Mapping[str, tuple[str, ...]]
    # Every JSON-LD object with a type, nested graphs flattened
    objects: tuple[dict[str, Any], ...]
    hidden: int = 0  # characters of invisible text that were taken out
    needs_script: bool = field(default=False)  # it says itself that it needs JavaScript


def parse_page(page: Page) -> Markup | Rejection:
    """The page's tree without invisible text, or why it is not worth parsing.

    Never raises for any bytes.
    """
    if reason := _exceeded_limit(page.body):
        return Rejection(why=RejectionReason.SIZE, detail=reason)
    if not page.body.strip():
        return Rejection(why=RejectionReason.EMPTY, detail="no bytes")
    if not _is_markup(page):
        return Rejection(
            why=RejectionReason.NOT_AN_ARTICLE,
            detail=f"not HTML: {(page.header('content-type') or '?')[:80]}",
        )
    tree = _parse_tree(decode_page(page.body, page.header("content-type")))
    if tree is None:
        return Rejection(why=RejectionReason.EMPTY, detail="no markup")
    objects = tuple(_objects(tree))
    scripted = _needs_script(tree)
    return Markup(
        tree=tree,
        meta=_meta(tree),
        objects=objects,
        hidden=_remove_hidden(tree),
        needs_script=scripted,
    )


def decode_page(body: bytes, content_type: str | None = None) -> str:
    """Text of a page.

    Byte order mark, UTF-8 if it is valid, then what header or markup declare, then a
    guess.
    """
    encoding, mark = read_bom(body)
    if encoding and mark is not None:
        return body[len(mark) :].decode(encoding, "replace")
    try:
        return _undo_double_encoding(body.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    high = sum(byte > 127 for byte in body[:20_000])
    guess = (
        "windows-1256" if high > _ARABIC_BYTE_SHARE * len(body[:20_000]) else "cp1252"
    )
    for name in (
        http_content_type_encoding(content_type),
        html_body_declared_encoding(body),
        "utf-8",
        guess,
    ):
        if name and (text := _decode_as(body, name)) is not None:
            return text
    return body.decode("utf-8", "replace")


def _undo_double_encoding(text: str) -> str:
    """A text that was encoded as UTF-8 twice, as it was before.

    By the pieces that show it, where there are several.

    7 of 313 pages of one labelled set hold such pieces, and agencies' texts that blogs
    paste.
    """
    if (
        not any(sign in text for sign in _DOUBLE_SIGNS)
        or len(_DOUBLE_ENCODED.findall(text)) < _MIN_DOUBLE_PIECES
    ):
        return text
    return _DOUBLE_ENCODED.sub(_back, text)


def _back(match: re.Match[str]) -> str:
    """The character that a piece stands for.

    The piece itself where it stands for none.
    """
    try:
        return b"".join(
            c.encode("cp1252" if c > "\xff" else "latin-1") for c in match.group()
        ).decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError):
        return match.group()


def _decode_as(body: bytes, name: str) -> str | None:
    """Text in that encoding.

    A page that declares UTF-8 and breaks it in places is still UTF-8.
    """
    try:
        text = body.decode(codecs.lookup(name).name, "replace")
    except (LookupError, ValueError):
        return None
    return text if text.count("\ufffd") <= len(text) // 200 else None


def _exceeded_limit(body: bytes) -> str:
    """Which limit the bytes pass, if any; counted before anything parses them."""
    if len(body) > MAX_PAGE_BYTES:
        return f"{len(body):,} bytes of HTML"
    if (tags := body.count(b"<") - body.count(b"</")) > MAX_TAGS:
        return f"{tags:,} tags"
    pieces = (len(body.split()), body.count(b"="), body.count(b"/"))
    if max(pieces) > _MANY_PIECES and (most := _most_attributes(body)) > MAX_ATTRIBUTES:
        return f"{most:,} attributes in one tag"
    return ""


# Tags as HTML5 cuts them: what stands in quotes ends none. Scripts and comments are
# passed over, or they would open quotes that hide a tag. Possessive throughout, so that
# every byte is looked at once or twice.
_ATTRIBUTE = rb"[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>\"'][^\s>]*+)?)?"
_TAG = re.compile(rb"<[a-z][^\s/>]*+(?:" + _ATTRIBUTE + rb")*+", re.IGNORECASE)
_PASSED = (
    rb"<!--.*?(?:-->|\Z)|<(script|style)(?=[\s/>])(?:"
    + _ATTRIBUTE
    + rb")*+[\s/]*+>.*?(?:</\1|\Z)|"
)
_TAGS = re.compile(_PASSED + _TAG.pattern, re.IGNORECASE | re.DOTALL)
_ONE = re.compile(_ATTRIBUTE)


def _most_attributes(body: bytes) -> int:
    """The most attributes that one tag has."""
    spans = (found.span() for found in _TAGS.finditer(body))
    tags = (_TAG.match(body, start) for start, end in spans if end - start > _TAG_BYTES)
    return max(
        (sum(1 for _ in _ONE.finditer(tag.group())) - 1 for tag in tags if tag),
        default=0,
    )


def _is_markup(page: Page) -> bool:
    """Whether it says that it is HTML, or says nothing and looks like it."""
    if _is_noise(page.body[:2_000]):
        return False
    kind = (page.header("content-type") or "").lower()
    if not kind or "html" in kind or "text/plain" in kind or "octet-stream" in kind:
        return b"<" in page.body[:100_000] or b"\x00" in page.body[:100]
    return "xml" in kind and b"<html" in page.body[:5_000].lower()


def _is_noise(head: bytes) -> bool:
    """Whether the first bytes are those of a packed or binary file.

    Letters of UTF-16 may have any byte.
    """
    strange = len(head) - len(head.translate(None, _CONTROLS))
    wide = read_bom(head)[0] is not None or b"<\x00" in head or b"\x00<" in head
    return head.startswith(_BINARY_STARTS) or (strange > len(head) // 30 and not wide)


def _parse_tree(text: str) -> html.HtmlElement | None:
    text = _UNWANTED.sub("", text)
    text = _SELF_CLOSED.sub(r"\1>", _DOCTYPE.sub("", text, count=1), count=1)
    if not text.strip():
        return None
    raw = text.encode("utf-8", "replace")
    try:
        tree = html.document_fromstring(raw, parser=_PARSER)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    fault = _PARSER.error_log.last_error
    flat = (
        _without_wrappers(raw)
        if fault is not None and "depth" in fault.message
        else None
    )
    return tree if flat is None else flat


def _without_wrappers(raw: bytes) -> html.HtmlElement | None:
    """The tree of a page that is deeper than the parser goes, without its wrappers.

    None where it is deep still.
    """
    try:
        tree = html.document_fromstring(raw, parser=_DEEP_PARSER)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
    for element in list[html.HtmlElement](tree.iter(*_WRAPPERS)):
        if (
            element.getparent() is not None
            and len(element) == 1
            and not (element.text or "").strip()
        ):
            element.drop_tag()
    return tree if _depth(tree) < _MAX_DEPTH else None


def _depth(tree: html.HtmlElement) -> int:
    """Levels of a tree. Never recurses."""
    deepest = level = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        level += 1 if event == "start" else -1
        deepest = max(deepest, level)
    return deepest


def _meta(tree: html.HtmlElement) -> dict[str, tuple[str, ...]]:
    """`meta` contents by name; at most ten of a name, 1,000 characters each."""
    out: dict[str, list[str]] = {}
    for element in tree.iter("meta"):
        content = " ".join(printable((element.get("content") or "")[:1_000]).split())
        for attribute in ("name", "property", "itemprop", "http-equiv"):
            if content and (name := element.get(attribute)):
                values = out.setdefault(name.strip().lower()[:100], [])
                if len(values) < 10 and content not in values:
                    values.append(content)
    return {name: tuple(values) for name, values in out.items()}


def _objects(tree: html.HtmlElement) -> Iterator[dict[str, Any]]:
    """JSON-LD objects with a type, in the order of the page."""
    left = MAX_JSON_LD_CHARS
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or "").lower():
            continue
        raw = script.text or ""
        left -= len(raw)
        if left < 0:
            return
        yield from _walk(_loads(raw), 0)


def _loads(raw: str) -> Any:
    """The JSON of a script, which templates wrap in comments and end with commas.

    None when it is none.
    """
    bare = re.sub(
        r"^\s*(?:<!\[CDATA\[|<!--|//\s*<!\[CDATA\[)|(?:\]\]>|-->|//\s*\]\]>)?[\s;]*$",
        "",
        raw,
    )
    for text in (bare, re.sub(r",(\s{0,100}[}\]])", r"\1", bare)):
        try:
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _walk(node: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > 4:
        return
    if isinstance(node, list):
        for item in node[:200]:
            yield from _walk(item, depth + 1)
    elif isinstance(node, dict):
        if "@type" in node:
            yield node
        for key in (
            "@graph",
            "mainEntity",
            "mainEntityOfPage",
            "itemListElement",
            "item",
        ):
            if isinstance(node.get(key), dict | list):
                yield from _walk(node[key], depth + 1)


_STYLED = etree.XPath("//body//*[@style or @hidden or @aria-hidden]")
_INVISIBLE = re.compile(
    r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:\.0+)?(?:px|em|rem|pt|%)?\s*(?:;|!|$))",
    re.IGNORECASE,
)


_TEXTS = etree.XPath("//body//text()[not(parent::script or parent::style)]")


def select(tree: html.HtmlElement, path: etree.XPath) -> list[html.HtmlElement]:
    """The elements (or strings) that a compiled path picks, in the order of the page."""
    return cast("list[html.HtmlElement]", path(tree))


def _remove_hidden(tree: html.HtmlElement) -> int:
    """Take out what no reader sees, and count its characters.

    A block that holds more than half of the page's text stays: some templates hide the
    article until a script runs.
    """
    hidden = [e for e in select(tree, _STYLED) if _is_hidden(e)]
    if not hidden:
        return 0
    whole, out = sum(len(text) for text in select(tree, _TEXTS)), 0
    for element in hidden:
        if element.getparent() is None:
            continue
        size = len(element.text_content())
        if size * 2 <= whole or size < 200:
            element.drop_tree()
            out += size
    return out


def _is_hidden(element: html.HtmlElement) -> bool:
    return (
        element.get("hidden") is not None
        or (element.get("aria-hidden") or "").lower() == "true"
        or bool(_INVISIBLE.search((element.get("style") or "")[:500]))
    )


def _needs_script(tree: html.HtmlElement) -> bool:
    """Whether a `noscript` asks for JavaScript to be switched on."""
    words = " ".join("".join(e.itertext())[:500] for e in tree.iter("noscript")).lower()
    return "javascript" in words


_BLOCKS = frozenset(
    [
        "p",
        "div",
        "br",
        "li",
        "ul",
        "ol",
        "dl",
        "dt",
        "dd",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "pre",
    ]
) | {"table", "tr", "section", "article", "hr"}
_DROPPED = (
    "script",
    "style",
    "figure",
    "iframe",
    "noscript",
    "form",
    "svg",
    "video",
    "audio",
    "object",
    "template",
)


def fragment_text(fragment: str) -> str:
    """The text of a piece of HTML as a feed or JSON-LD carries it, one line a block.

    Never raises.

    A piece without markup keeps its own lines. Pieces over the limits of a page give
    nothing.
    """
    if "<" not in fragment:
        return unescape(fragment[:MAX_PAGE_BYTES])
    raw = _UNWANTED.sub("", fragment).encode("utf-8", "replace")
    if _exceeded_limit(raw):
        return ""
    try:
        root = html.fragment_fromstring(
            b"<div>" + raw + b"</div>", create_parent="div", parser=_PARSER
        )
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ""
    etree.strip_elements(root, *_DROPPED, with_tail=False)
    blocks = [e for e in root.iter() if e.tag in _BLOCKS]
    for element in root.iter() if any(e.tag != "div" for e in blocks) else ():
        element.text, element.tail = _one_line(element.text), _one_line(element.tail)
    for element in blocks:
        element.text, element.tail = (
            f"\n{element.text or ''}",
            f"\n{element.tail or ''}",
        )
    lines = ("".join(root.itertext())).split("\n")
    return "\n".join(line for raw_line in lines if (line := " ".join(raw_line.split())))


def _one_line(text: str | None) -> str | None:
    return text.replace("\n", " ") if text else text
