"""What makes two spellings the same: one folding for search, matching and comparing.

Covers Latin (case, diacritics, width) and Arabic script as Dari, Pashto, Urdu and
Arabic keyboards write it (yeh, kaf, heh and alef variants, ZWNJ, tatweel, harakat,
digits). Pure; standard library only.
"""

import re
import unicodedata

# One code point for each letter that keyboards write in several ways. Pashto ې and ۍ
# stay apart from ی only in spelling, never in search: newsrooms mix them freely. ؤ, ئ
# and ۀ are written with and without their hamza.
_LETTERS = {
    "ي": "ی", "ى": "ی", "ې": "ی", "ۍ": "ی", "ئ": "ی", "ے": "ی",
    "ك": "ک", "ڪ": "ک", "ګ": "گ",
    "ة": "ه", "ۀ": "ه", "ہ": "ه", "ھ": "ه", "ە": "ه", "ۂ": "ه",
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا",
    "ؤ": "و",
    "ڼ": "ن", "ں": "ن",
}  # fmt: skip
_DIGITS = {chr(base + n): str(n) for base in (0x0660, 0x06F0) for n in range(10)}
# Tatweel, zero-width joiners and marks, directional marks and isolates, byte order
# mark, soft hyphen, tag characters.
_INVISIBLE = re.compile(
    "[\u0640\u200b\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\U000e0000-\U000e007f]"
)
_TABLE = str.maketrans(
    _LETTERS | _DIGITS | {"\u200c": " ", "’": "'", "‘": "'", "ʼ": "'", "`": "'"}
)
# NFKD takes the marks off; letters that have no decomposition are written out.
_NOT_DECOMPOSED = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
)


class _FoldedChars(dict[str, str]):
    """What each character becomes, worked out when it is first met.

    Folding a text is then one lookup a character.
    """

    def __missing__(self, char: str) -> str:
        # Letters first: NFKD would split آ and ئ into a base and a mark that newsrooms
        # do not always type.
        plain = _INVISIBLE.sub("", char.translate(_TABLE))
        decomposed = unicodedata.normalize("NFKD", plain)
        bare = "".join(c for c in decomposed if not unicodedata.combining(c))
        folded = bare.translate(_TABLE).lower().translate(_NOT_DECOMPOSED)
        if len(self) < _MAX_CACHED_CHARS:
            self[char] = folded
        return folded


# Far more than the scripts of news have; a stranger's text cannot fill the memory.
_MAX_CACHED_CHARS = 20_000
_FOLDED_CHARS = _FoldedChars()


# What ASCII's own lower case does not fold. In a text that has few of them the rest is
# lowered in one piece.
_NOT_FOLDED_ASCII = re.compile("[^\x00-_a-\x7f]+")
# Characters for each byte that UTF-8 takes beyond one; English with its quotation marks
# has forty.
_CHARS_PER_EXTRA_BYTE = 12


def fold(text: str) -> str:
    """The text as search and comparison see it.

    Lower case, no marks, one letter for each sound, single spaces.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    extra_bytes = len(text.encode("utf-8", "surrogatepass")) - len(text)
    if extra_bytes * _CHARS_PER_EXTRA_BYTE < len(text):
        folded = _NOT_FOLDED_ASCII.sub(_fold_run, text).lower()
    else:
        folded = "".join(map(_FOLDED_CHARS.__getitem__, text))
    return " ".join(folded.split())


def _fold_run(run: re.Match[str]) -> str:
    return "".join(map(_FOLDED_CHARS.__getitem__, run[0]))


def fold_spelling(name: str) -> str:
    """A name folded further: spaces, hyphens and apostrophes make no difference."""
    return re.sub(r"[\s\-'._]+", "", fold(name))


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text without control characters and lone surrogates.

    No reader wants them, and some terminals obey them.
    """
    return _CONTROL.sub("", text)
