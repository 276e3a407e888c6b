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

# Two bytes side by side are a fault in an English text and no Arabic word
MIN_LETTERS_OF_A_SCRIPT = 8
MAX_MARKUP_CHARS = 500_000  # `<` and `&`; 5 MB of escaped HTML have half of that
MAX_TAGS = 300_000  # a feed of 2,000 entries has 30,000
MAX_TAG_CHARS = 20_000  # in one tag, its quoted values not counted
MAX_TAG_DEPTH = 200
MAX_DECLARED_ENTITIES = 64  # declared by the document itself
MAX_PROLOG_CHARS = 100_000  # before the root element of a feed
# Sound UTF-8 sequences for one broken one, from which on a text is UTF-8 with a fault:
# windows-1252 and windows-1256 have fewer sound ones than broken ones
SOUND_PER_BROKEN_SEQUENCE = 4

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
_START_OF_ENTRY = re.compile(
    r"<(?:[\w.-]{1,20}:)?(?:item|entry|url|sitemap)(?=[\s>])", re.IGNORECASE
)
_TAG = re.compile(r"<(/?)([A-Za-z_:][^\s<>/]*)[^<>]*?(/?)>")
_LONG_TAG = re.compile(rf"<[A-Za-z][^<>]{{{MAX_TAG_CHARS},}}")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
# HTML writes these without an end
_VOID_TAGS = frozenset(
    {"area", "br", "col", "embed", "hr", "img", "input", "param", "source", "wbr"}
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_SERVER_DEFAULTS = frozenset({"utf-8", "cp1252", "ascii"})
_HIGH_RUNS = re.compile(rb"[\x80-\xff]{2,}")
# Letters of Russian and Tajik in windows-1251; French letters, and so rare, in
# windows-1256
_CYRILLIC_ONLY = re.compile(rb"[\xe0\xe2\xe7-\xeb\xee\xef\xf4\xf9\xfb\xfc]")
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
    legal = _ILLEGAL.sub("", raw)
    structure = _blank_texts(legal)
    if structure.count("<") + structure.count("&") > MAX_MARKUP_CHARS:
        fault = f"more than {MAX_MARKUP_CHARS} characters of markup"
        return XmlText(text="", fault=fault)

    root, start = "", len(legal)
    first = _ANY_ROOT.search(structure)
    if first:
        # Counted from the first element: what stands before it may be a long comment
        end = first.start() + MAX_PROLOG_CHARS
        match = _ROOTS.search(structure, first.start(), end) or first
        root, start = match[1], match.start()
    text, left_out = _trim_entries(
        legal[start:], structure[start:], root, max_entries, cut=cut
    )
    entities = _declared_entities(legal[:start])
    mended = "".join(_mend_markup(piece, entities) for piece in _split_cdata(text))

    kept, too_complex = mended, 0
    cost_fault = _parsing_cost_fault(_blank_texts(mended))
    if cost_fault:
        kept, too_complex = _drop_costly_entries(mended)
        others = _blank_texts(kept)
        if _END_OF_ENTRY.search(others):
            cost_fault = _parsing_cost_fault(others)

    warnings: list[str] = []
    if encoding_warning:
        warnings.append(encoding_warning)
    if len(legal) < len(raw):
        warnings.append("control characters removed")
    if len(mended) != len(text):
        warnings.append("stray markup mended")
    if cut:
        warnings.append("cut: too large")
    if too_complex:
        warnings.append(f"{too_complex} entries left out: too complex")
    if left_out:
        warnings.append(f"only the first {max_entries} entries")
    return XmlText(
        text=kept,
        root=root,
        fault=cost_fault,
        warnings=tuple(warnings),
    )


def _trim_entries(
    text: str, structure: str, root: str, max_entries: int, *, cut: bool
) -> tuple[str, bool]:
    """The text up to the end of its root or of its last wanted entry.

    With it goes whether entries were left out. Ends are looked for in its structure.
    """
    closing = f"</{root}>"
    if root.lower() == "rss":
        closing = f"</channel></{root}>"
    end = 0
    for count, match in enumerate(_END_OF_ENTRY.finditer(structure)):
        if count == max_entries:
            return text[:end] + closing, True
        end = match.end()
    if cut and end:
        return text[:end] + closing, False
    # What hosts append to a document (counters, comments, PHP warnings) is no part of it
    last = structure.rfind(f"</{root}>")
    if root and last > 0:
        return text[: last + len(f"</{root}>")], False
    return text, False


def _drop_costly_entries(text: str) -> tuple[str, int]:
    """The text without the entries that cost too much to parse, and their number."""
    structure = _blank_texts(text)
    kept: list[str] = []
    at = 0
    dropped = 0
    end = 0
    for closing in _END_OF_ENTRY.finditer(structure):
        opening = _START_OF_ENTRY.search(structure, end, closing.start())
        end = closing.end()
        if opening and _parsing_cost_fault(structure[opening.start() : end]):
            kept.append(text[at : opening.start()])
            at = end
            dropped += 1
    return "".join((*kept, text[at:])), dropped


def _blank_texts(text: str) -> str:
    """The text's structure: comments, instructions and CDATA sections as spaces.

    It has the same length. Markup that stands in them is none of the document's: a
    comment that names `<html>` before the root, a body in CDATA with `<br>` in it. One
    that never ends is left as it is.
    """
    pieces: list[str] = []
    at = 0
    for match in re.finditer(r"<!--|<!\[CDATA\[|<\?", text):
        start = match.start()
        if start < at:
            continue
        end_mark = {"<!--": "-->", "<?": "?>"}.get(match[0], "]]>")
        # Many write <?xml ...> without the second question mark
        if text[start : start + 5].lower() == "<?xml":
            end_mark = ">"
        end = text.find(end_mark, match.end())
        if end < 0:
            break
        end += len(end_mark)
        pieces.append(text[at:start])
        pieces.append(" " * (end - start))
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def decode_text(body: bytes, content_type: str | None) -> tuple[str, str]:
    """The text, and a warning where its encoding was not the declared one.

    A byte order mark wins; then UTF-8 where the bytes are that, whatever was declared
    (nothing else passes by accident) or all but a few of them; then the header, the
    prolog, and what the bytes look like. Never raises.
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
    # What a server says of all its answers says nothing of this text
    told = [codec for codec in known if codec not in _SERVER_DEFAULTS]
    for codec in (*escapes, "utf-8", *told):
        try:
            text = body.decode(codec)
        except UnicodeError:
            continue
        if codec in known or not declared:
            return text, ""
        return text, f"encoding is {codec}, not as declared"

    lenient = body.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    sound = len(_NOT_ASCII.findall(lenient)) - broken
    likely = "utf-8"
    if sound <= SOUND_PER_BROKEN_SEQUENCE * broken:
        likely = _guess_single_byte_codec(body)
    if likely == "utf-8":
        return lenient, "bytes that are not utf-8 were replaced"
    warning = ""
    if likely not in known:
        warning = f"encoding is {likely}, as its bytes look"
    return body.decode(likely, "replace"), warning


def _guess_single_byte_codec(body: bytes) -> str:
    """What text in no declared encoding is written in, by its bytes above 127.

    They stand alone in the languages of windows-1252, as the last letter of "café", and
    side by side where all letters are such: windows-1251 and windows-1256.
    """
    high = re.sub(rb"[\x00-\x7f]+", b"", body)
    side_by_side = sum(map(len, _HIGH_RUNS.findall(body)))
    if 2 * side_by_side < len(high):
        return "cp1252"
    if len(high) < MIN_LETTERS_OF_A_SCRIPT:
        return "utf-8"
    # A third of the letters of Russian, none of those of Arabic, Persian and Pashto
    if 5 * len(_CYRILLIC_ONLY.findall(body)) > len(high):
        return "cp1251"
    return "cp1256"


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
    for long_tag in _LONG_TAG.findall(text):
        # An image of 100 kB in one value costs nothing; 200,000 attributes do
        if len(_QUOTED.sub("", long_tag)) > MAX_TAG_CHARS:
            return f"a tag of more than {MAX_TAG_CHARS} characters"
    open_tags: list[str] = []
    for match in _TAG.finditer(text):
        name = match[2].lower()
        if match[1]:
            # With it ends what was left open in it
            if name in open_tags:
                while open_tags.pop() != name:
                    pass
        elif not match[3] and name not in _VOID_TAGS:
            open_tags.append(name)
            if len(open_tags) > MAX_TAG_DEPTH:
                return f"tags nested more than {MAX_TAG_DEPTH} deep"
    return None
