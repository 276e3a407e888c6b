"""Bytes of a feed to XML text that is safe and cheap to parse. Pure.

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

MAX_MARKUP_CHARS = 500_000  # `<` and `&`; 5 MB of escaped HTML have half of that
MAX_TAGS = 300_000  # a feed of 2,000 entries has 30,000
MAX_TAG_CHARS = 20_000  # characters in one tag
MAX_TAG_DEPTH = 200
MAX_DECLARED_ENTITIES = 64  # declared by the document itself

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
    body: bytes, content_type: str | None, *, most_entries: int, cut: bool = False
) -> XmlText:
    """The document from its root element on, without a doctype, with nothing that XML does not know.

    Entries behind the first `most_entries` are left out; a document that was `cut` ends with its last whole entry.
    """
    raw, encoding_warning = decode_text(
        body[: body.rfind(b">") + 1] if cut else body, content_type
    )
    if raw.count("<") + raw.count("&") > MAX_MARKUP_CHARS:
        return XmlText(
            text="", fault=f"more than {MAX_MARKUP_CHARS} characters of markup"
        )
    legal = _ILLEGAL.sub("", raw)
    match = _ROOTS.search(legal[:100_000]) or _ANY_ROOT.search(legal)
    root = match[1] if match else ""
    start = match.start() if match else len(legal)
    text, left_out = _trim_entries(legal[start:], root, most_entries, cut=cut)
    entities = _declared_entities(legal[:start])
    mended = "".join(_mend_markup(part, entities) for part in _split_cdata(text))
    warnings = (
        encoding_warning,
        "control characters removed" if len(legal) < len(raw) else "",
        "stray markup mended" if len(mended) != len(text) else "",
        "cut: too large" if cut else "",
        f"only the first {most_entries} entries" if left_out else "",
    )
    return XmlText(
        text=mended,
        root=root,
        fault=_parsing_cost_fault(mended),
        warnings=tuple(filter(None, warnings)),
    )


def _trim_entries(text: str, root: str, most: int, *, cut: bool) -> tuple[str, bool]:
    """The text up to the end of its root or of its last wanted entry, and whether entries were left out."""
    closing = f"</channel></{root}>" if root.lower() == "rss" else f"</{root}>"
    end = 0
    for count, match in enumerate(_END_OF_ENTRY.finditer(text)):
        if count == most:
            return text[:end] + closing, True
        end = match.end()
    if cut and end:
        return text[:end] + closing, False
    # What hosts append to a document (counters, comments, PHP warnings) is no part of
    # it.
    last = text.rfind(f"</{root}>")
    return (text[: last + len(root) + 3] if root and last > 0 else text), False


def decode_text(body: bytes, content_type: str | None) -> tuple[str, str]:
    """The text, and a warning where the encoding was not the declared one.

    Never raises.

    A byte order mark wins; then UTF-8 where the bytes are that, whatever was declared
    (nothing else passes by accident); then the header, the prolog, and windows-1252.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace"), ""
    for start, encoding in _UNMARKED_STARTS:
        if body.startswith(start):
            return body.decode(encoding, "replace"), ""
    header, prolog = _CHARSET.search(content_type or ""), _DECLARED.search(body[:1024])
    named = [header[1] if header else "", prolog[1].decode("ascii") if prolog else ""]
    known = [codec for codec in map(_safe_codec, named) if codec]
    escapes = [codec for codec in known if codec.startswith(("iso2022", "hz"))]
    for codec in (*escapes, "utf-8", *known):
        text = _try_decode(body, codec)
        if text is not None:
            return text, "" if codec in known or (
                not known and not any(named)
            ) else f"encoding is {codec}, not as declared"
    fallback = "utf-8" if not known or "utf-8" in known else "cp1252"
    return body.decode(
        fallback, "replace"
    ), f"bytes that are not {fallback} were replaced"


def _safe_codec(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name if name else ""
    except (LookupError, ValueError):
        return None
    return (
        {"gb2312": "gb18030", "iso8859-1": "cp1252"}.get(found, found)
        if _CODECS.fullmatch(found)
        else None
    )


def _try_decode(body: bytes, codec: str) -> str | None:
    try:
        return body.decode(codec)
    except UnicodeError:
        return None


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
    """Pieces of the text.

    CDATA sections and comments whole, each beginning with `<!`, and what stands
    between.
    """
    at = 0
    while (start := text.find("<!", at)) >= 0:
        yield text[at:start]
        opening, end = (
            ("<![CDATA[", "]]>")
            if text.startswith("<![CDATA[", start)
            else ("<!--", "-->")
        )
        if not text.startswith(opening, start):
            yield text[start : start + 2]
            at = start + 2
            continue
        close = text.find(end, start)
        if close < 0:
            yield text[start:]
            return
        at = close + len(end)
        yield text[start:at] if opening != "<!--" else ""
    yield text[at:]


def _mend_markup(part: str, entities: dict[str, str]) -> str:
    if part.startswith("<!"):
        return part
    if "&" in part:
        part = _REFERENCE.sub(lambda match: _mend_reference(match, entities), part)
    return _BARE.sub("&lt;", part)


def _mend_reference(match: re.Match[str], entities: dict[str, str]) -> str:
    """What a reference stands for, where XML would not know it.

    A stray `&` is written out.
    """
    number, name = match[1], match[2]
    if number:
        code = int(number[1:], 16) if number[0] in "xX" else int(number)
        return match[0] if code <= 0x10FFFF and not _ILLEGAL.match(chr(code)) else ""
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
