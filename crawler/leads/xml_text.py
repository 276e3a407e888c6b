"""Bytes of a feed, made into XML text that is safe and cheap to parse. Pure.

What strangers send is mended where the meaning is plain (a stray `&`, HTML entities,
control characters, a wrong encoding) and refused with a reason where parsing would cost
too much: feedparser takes over 30 s for 200,000 attributes or a million nested tags,
and raises on `&#xD800;` and on `encoding="punycode"`.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import name2codepoint

from lxml import etree

MAX_MARKUP_CHARS = 500_000  # `<` and `&`; 5 MB of escaped HTML have half of that
MAX_TAGS = 300_000  # a feed of 2,000 entries has 30,000
MAX_TAG_CHARS = 20_000  # characters in one tag
MAX_TAG_DEPTH = 200
MAX_DECLARED_ENTITIES = 64  # declared by the document itself
MAX_PROLOG_CHARS = 100_000  # before the root element of a feed

# Codecs that text is written in and that cannot be abused: no punycode, idna, utf-7,
# zlib, unicode_escape.
_CODECS = re.compile(
    r"(utf-(8|16|32)(-[bl]e)?|utf-8-sig|iso(8859-\d{1,2}|2022_jp(_\w+)?|2022_kr)|cp\d{2,4}|koi8-[rut]|mac-\w+|ascii|"
    r"big5(hkscs)?|gb(k|2312|18030)|hz|euc_(jp|kr|jis_2004)|shift_jis|johab|tis-620|cp949)"
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED_STARTS = (  # "<?xml" or "<rss" without a byte order mark
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x00<", "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_ILLEGAL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
_REFERENCE = re.compile(
    r"&(?:#([xX][0-9a-fA-F]{1,8}|[0-9]{1,9});|([A-Za-z][\w.-]{0,31});|)"
)
_ROOTS = re.compile(
    r"<((?:[\w.-]{1,20}:)?(?:rss|feed|rdf|channel|urlset|sitemapindex|html|body))(?=[\s>/])",
    re.IGNORECASE,
)
_ANY_ROOT = re.compile(r"<([A-Za-z_][\w.:-]{0,40})")
_END_OF_ENTRY = re.compile(
    r"</(?:[\w.-]{1,20}:)?(?:item|entry|url|sitemap)\s{0,9}>", re.IGNORECASE
)
_ENTITY = re.compile(
    r"""<!ENTITY\s{1,9}([A-Za-z][\w.-]{0,31})\s{1,9}(?:"([^"<&%]{0,300})"|'([^'<&%]{0,300})')\s*>"""
)
_TAG = re.compile(r"<(/?)[A-Za-z_:][^<>]*?(/?)>")
_LONG_TAG = re.compile(rf"<[A-Za-z][^<>]{{{MAX_TAG_CHARS}}}")
_BARE = re.compile(r"<(?![A-Za-z_:/!?])")
_XML_ENTITIES = frozenset({"lt", "gt", "amp", "quot", "apos"})


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlText:
    """Text that was decoded and mended, and what was done to it."""

    text: str
    # Name of the first element that a feed can begin with, else of the first element;
    # "" for none
    root: str = ""
    fault: str | None = None  # why it is too costly to parse
    warnings: tuple[str, ...] = ()


def prepare_xml(
    body: bytes, content_type: str | None, *, max_entries: int, cut: bool = False
) -> XmlText:
    """The document from its root element on, without a doctype and mended.

    Entries behind the first `max_entries` are left out; a document that was `cut` ends
    with its last whole entry.
    """
    if cut:
        body = body[: body.rfind(b">") + 1]
    raw, encoding_warning = decode_text(body, content_type)
    if raw.count("<") + raw.count("&") > MAX_MARKUP_CHARS:
        fault = f"more than {MAX_MARKUP_CHARS} characters of markup"
        return XmlText(text="", fault=fault)

    legal = _ILLEGAL.sub("", raw)
    root, start = "", len(legal)
    match = _ROOTS.search(legal[:MAX_PROLOG_CHARS]) or _ANY_ROOT.search(legal)
    if match:
        root, start = match[1], match.start()
    text, left_out = _trim_entries(legal[start:], root, max_entries, cut=cut)
    entities = _declared_entities(legal[:start])
    mended = "".join(_mend_markup(piece, entities) for piece in _split_cdata(text))

    warnings: list[str] = []
    if encoding_warning:
        warnings.append(encoding_warning)
    if len(legal) < len(raw):
        warnings.append("control characters removed")
    if len(mended) != len(text):
        warnings.append("stray markup mended")
    if cut:
        warnings.append("cut: too large")
    if left_out:
        warnings.append(f"only the first {max_entries} entries")
    return XmlText(
        text=mended,
        root=root,
        fault=_parsing_cost_fault(mended),
        warnings=tuple(warnings),
    )


def _trim_entries(
    text: str, root: str, max_entries: int, *, cut: bool
) -> tuple[str, bool]:
    """The text up to the end of its root or of its last wanted entry.

    With it goes whether entries were left out.
    """
    closing = f"</{root}>"
    if root.lower() == "rss":
        closing = f"</channel></{root}>"
    end = 0
    for count, match in enumerate(_END_OF_ENTRY.finditer(text)):
        if count == max_entries:
            return text[:end] + closing, True
        end = match.end()
    if cut and end:
        return text[:end] + closing, False
    # What hosts append to a document (counters, comments, PHP warnings) is no part of it
    last = text.rfind(f"</{root}>")
    if root and last > 0:
        return text[: last + len(f"</{root}>")], False
    return text, False


def decode_text(body: bytes, content_type: str | None) -> tuple[str, str]:
    """The text, and a warning where its encoding was not the declared one.

    A byte order mark wins; then UTF-8 where the bytes are that, whatever was declared
    (nothing else passes by accident); then the header, the prolog, and windows-1252.
    Never raises.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace"), ""
    for start, encoding in _UNMARKED_STARTS:
        if body.startswith(start):
            return body.decode(encoding, "replace"), ""

    declared: list[str] = []
    header = _CHARSET.search(content_type or "")
    if header:
        declared.append(header[1])
    prolog = _DECLARED.search(body[:1024])
    if prolog:
        declared.append(prolog[1].decode("ascii"))
    known = [codec for codec in map(_safe_codec, declared) if codec]
    # These write other scripts in ASCII: they would pass for UTF-8
    escapes = [codec for codec in known if codec.startswith(("iso2022", "hz"))]
    for codec in (*escapes, "utf-8", *known):
        try:
            text = body.decode(codec)
        except UnicodeError:
            continue
        if codec in known or not declared:
            return text, ""
        return text, f"encoding is {codec}, not as declared"
    fallback = "cp1252"
    if not known or "utf-8" in known:
        fallback = "utf-8"
    text = body.decode(fallback, "replace")
    return text, f"bytes that are not {fallback} were replaced"


def _safe_codec(name: str) -> str | None:
    """Python's name of an encoding; None for what is none, and for what can be abused."""
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    if not _CODECS.fullmatch(codec):
        return None
    # Those who declare the smaller set often write the larger one; browsers read it so
    return {"gb2312": "gb18030", "iso8859-1": "cp1252"}.get(codec, codec)


def parse_tree(text: str) -> etree._Element | None:
    """The root of XML text, ill-formed or not, in linear time; None for no elements.

    Nothing is fetched and no entity resolved.
    """
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


def repair_xml(text: str) -> str:
    """Ill-formed XML as well-formed as libxml2 can make it; "" for no elements."""
    root = parse_tree(text)
    if root is None:
        return ""
    return etree.tostring(root, encoding="unicode")


def _declared_entities(head: str) -> dict[str, str]:
    """The harmless entities that a doctype declares.

    Entities that contain entities (billion laughs) and external ones are unknown from
    here on.
    """
    entities: dict[str, str] = {}
    for match in _ENTITY.finditer(head[:50_000]):
        if len(entities) < MAX_DECLARED_ENTITIES:
            entities.setdefault(match[1], match[2] or match[3] or "")
    return entities


def _split_cdata(text: str) -> Iterator[str]:
    """Pieces of the text: CDATA sections whole, and what stands between them.

    A CDATA section begins with `<!`; comments are left out.
    """
    at = 0
    while (start := text.find("<!", at)) >= 0:
        yield text[at:start]
        is_cdata = text.startswith("<![CDATA[", start)
        if not is_cdata and not text.startswith("<!--", start):
            yield text[start : start + 2]
            at = start + 2
            continue
        end_mark = "]]>" if is_cdata else "-->"
        end = text.find(end_mark, start)
        if end < 0:
            yield text[start:]
            return
        at = end + len(end_mark)
        if is_cdata:
            yield text[start:at]
    yield text[at:]


def _mend_markup(piece: str, entities: dict[str, str]) -> str:
    if piece.startswith("<!"):
        return piece
    if "&" in piece:
        piece = _REFERENCE.sub(lambda match: _mend_reference(match, entities), piece)
    return _BARE.sub("&lt;", piece)


def _mend_reference(match: re.Match[str], entities: dict[str, str]) -> str:
    """What a reference stands for, where XML would not know it; a stray `&` written out."""
    number, name = match[1], match[2]
    if number:
        is_hexadecimal = number[0] in "xX"
        code = int(number[1:], 16) if is_hexadecimal else int(number)
        # &#xD800; makes feedparser raise
        if code > 0x10FFFF or _ILLEGAL.match(chr(code)):
            return ""
        return match[0]
    if name in _XML_ENTITIES:
        return match[0]
    if name in entities:
        return entities[name]
    if name in name2codepoint:
        return chr(name2codepoint[name])
    return "&amp;" + match[0][1:]


def _parsing_cost_fault(text: str) -> str | None:
    """Why the text is too costly to parse, or None."""
    if text.count("<") > MAX_TAGS:
        return f"more than {MAX_TAGS} tags"
    if _LONG_TAG.search(text):
        return f"a tag of more than {MAX_TAG_CHARS} characters"
    depth = 0
    for match in _TAG.finditer(text):
        if match[1]:
            depth = max(0, depth - 1)
        elif not match[2]:
            depth += 1
            if depth > MAX_TAG_DEPTH:
                return f"tags nested more than {MAX_TAG_DEPTH} deep"
    return None
