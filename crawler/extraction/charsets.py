"""A page's bytes to its text: its charset, and text that was encoded twice. Pure.

A charset that nobody declares is told by the letters of the text. What was read in a
wrong charset and written as UTF-8 is put right piece by piece.
"""

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial

from w3lib.encoding import (
    html_body_declared_encoding,
    http_content_type_encoding,
    read_bom,
)

# Bytes that are UTF-8 have far more whole characters than broken ones; a page in
# another charset has hardly a pair that looks like UTF-8.
_MIN_WHOLE_TO_BROKEN = 2

_CHARSET_SAMPLE_BYTES = 200_000
_MARKUP = re.compile(
    rb"<(script|style)\b.*?</\1|<[^<>]*>|&\w+;", re.IGNORECASE | re.DOTALL
)
# A word of a script that is not Latin is nothing but bytes over 127. Accents and
# quotation marks of Western text stand alone or in pairs.
_FOREIGN_WORD = re.compile(rb"[\x80-\xff]{3,}")
_MIN_FOREIGN_SHARE = 0.5  # of all bytes over 127
# The ten most frequent letters of a language that is written so make up more than half
# of its text, and less than that of a text in the other charset.
_FREQUENT_LETTERS = {
    "cp1256": "اليونمرتبده",
    "cp1251": "оеаинтсрвл",
    "koi8-r": "оеаинтсрвл",
}
# Servers declare these by default, for pages in any charset.
_DEFAULT_CHARSETS = frozenset({"iso8859-1", "cp1252", "ascii"})

_MIN_TWICE_ENCODED = 3  # pieces; one or two may be meant
# What a piece may stand for: accents, Cyrillic, Arabic script, typographic marks,
# signs, emoji.
_PLAUSIBLE = re.compile(
    "[\xa0-\u017f\u0192\u02c6\u02dc\u0300-\u036f\u0400-\u04ff\u0600-\u06ff\u0750-\u077f"
    "\u2000-\u20bf\u2100-\u2199\u2200-\u22ff\u25a0-\u27bf\ufb50-\ufdff\ufe70-\ufeff"
    "\U0001f000-\U0001faff]"
)


def decode_page(body: bytes, content_type: str | None = None) -> str:
    """The text of a page's bytes.

    By the byte order mark, as UTF-8 if it is that but for single broken bytes, by what
    header or markup declare, and by its letters, in this order.
    """
    encoding, mark = read_bom(body)
    if encoding and mark is not None:
        return body[len(mark) :].decode(encoding, "replace")
    try:
        return undo_double_encoding(body.decode("utf-8"))
    except UnicodeDecodeError:
        pass

    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(char > "\x7f" for char in text) - broken
    if whole > _MIN_WHOLE_TO_BROKEN * broken:
        return undo_double_encoding(text)

    guess = _guess_charset(body)
    declared = (
        http_content_type_encoding(content_type),
        html_body_declared_encoding(body),
    )
    for name in (*declared, guess):
        if not name:
            continue
        try:
            charset = codecs.lookup(name).name
            if charset in _DEFAULT_CHARSETS:
                charset = guess
            text = body.decode(charset, "replace")
        except (LookupError, ValueError):
            continue
        if text.count("\ufffd") <= len(text) // 200:
            return text
    return body.decode("utf-8", "replace")


def _guess_charset(body: bytes) -> str:
    """The charset of bytes that are no UTF-8, by the letters between their tags."""
    text = _MARKUP.sub(b" ", body[:_CHARSET_SAMPLE_BYTES])
    words = b"".join(_FOREIGN_WORD.findall(text))
    high = len(text) - len(text.translate(None, bytes(range(128, 256))))
    if not words or len(words) < _MIN_FOREIGN_SHARE * high:
        return "cp1252"
    counts = {}
    for charset, letters in _FREQUENT_LETTERS.items():
        found = Counter(words.decode(charset, "replace").lower())
        counts[charset] = sum(found[letter] for letter in letters)
    return max(counts, key=lambda charset: counts[charset])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Misreading:
    """How UTF-8 looks that was read in another charset."""

    letter: str  # a text without it, or without any of the signs, was not read so
    signs: tuple[str, ...]
    evidence: re.Pattern[str]  # what nobody writes
    piece: re.Pattern[str]  # what may be one character
    bytes_of: dict[str, int]


def undo_double_encoding(text: str) -> str:
    """A text that was encoded as UTF-8 twice, as it was before.

    Known by the pieces that show it, where there are several: 7 of 313 pages of one
    labelled set hold such pieces, and agencies' texts that blogs paste. Words of one
    letter (Pashto "د") are mended with the rest.
    """
    if text.isascii():
        return text
    for misreading in _misreadings():
        # One letter is found much faster than two, and most pages lack it.
        if misreading.letter not in text:
            continue
        if not any(sign in text for sign in misreading.signs):
            continue
        evidence = misreading.evidence.findall(text)
        if len(evidence) >= _MIN_TWICE_ENCODED:
            decode = partial(_decode, bytes_of=misreading.bytes_of)
            text = misreading.piece.sub(decode, text)
    return text


def _decode(match: re.Match[str], bytes_of: dict[str, int]) -> str:
    """The character that a piece stands for; the piece itself where it is none."""
    piece = match.group()
    try:
        char = bytes(bytes_of[letter] for letter in piece).decode("utf-8")
    except UnicodeDecodeError:
        return piece
    if _PLAUSIBLE.match(char):
        return char
    return piece


@cache
def _misreadings() -> tuple[_Misreading, ...]:
    """Through Windows-1252 or Latin-1, through Windows-1256, through Windows-1251."""
    latin = _read_as("cp1252", "Â-ß", "â", "ð")
    arabic = _read_as("cp1256", "طظعغ", "â", "ً")
    cyrillic = _read_as("cp1251", "ВГРСТУШЩЪЫ", "в", "р")
    tail = latin[1]
    western = f"â[\x80€]{tail}|Â[\xa0-\xbf]|Ã{tail}|(?:[ÐÑØÙÚÛ]{tail}){{2}}"
    return (
        _Misreading(
            letter="",
            signs=("Ã", "Ø", "Ð", "Ù", "â€", "â\x80", "Â\xa0"),
            evidence=re.compile(western),
            piece=latin[0],
            bytes_of=latin[2],
        ),
        _Misreading(
            letter="ط",
            signs=("ط§", "ظ„", "ط¯", "ظ…"),
            evidence=re.compile(f"(?:[طظعغ]{arabic[1]}){{2}}|â€{arabic[1]}"),
            piece=arabic[0],
            bytes_of=arabic[2],
        ),
        _Misreading(
            letter="Р",
            signs=("Рё", "Рѕ", "Р°", "СЃ", "вЂ"),
            evidence=re.compile(f"(?:[РСТУ]{cyrillic[1]}){{3}}|вЂ{cyrillic[1]}"),
            piece=cyrillic[0],
            bytes_of=cyrillic[2],
        ),
    )


def _read_as(
    charset: str, first_of_two: str, first_of_three: str, first_of_four: str
) -> tuple[re.Pattern[str], str, dict[str, int]]:
    """A pattern of one misread character, the class of its later letters, the bytes."""
    bytes_of: dict[str, int] = {}
    tails: list[str] = []
    for byte in range(128, 256):
        # What the charset leaves open is read as a control character.
        read = {bytes([byte]).decode(charset, "ignore") or chr(byte)}
        if charset == "cp1252":
            read.add(chr(byte))
        bytes_of |= dict.fromkeys(read, byte)
        if byte < 0xC0:
            tails += [re.escape(char) for char in sorted(read)]
    tail = f"[{''.join(tails)}]"
    piece = (
        f"[{first_of_two}]{tail}|[{first_of_three}]{tail}{{2}}"
        f"|[{first_of_four}]{tail}{{3}}"
    )
    return re.compile(piece), tail, bytes_of
