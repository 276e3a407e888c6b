"""The language of a text as BCP 47: by its letters, else as page or source say. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

_TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", re.IGNORECASE)
_MAX_TAG_CHARS = 35  # RFC 5646, section 4.4.1
_MIN_LETTERS = 40  # fewer say nothing
_SAMPLE_CHARS = 4_000

# Letters that only one of the languages around Afghanistan writes. Kurdish shares ڕ ێ
# with nobody here; ھ is typed for ه in Dari, too.
_UNIQUE_LETTERS: Mapping[str, str] = {
    **dict.fromkeys("ټډړږښڼۍځڅې", "ps"),
    **dict.fromkeys("ٹڈڑںہ", "ur"),
    **dict.fromkeys("ێڕۆڵ", "ckb"),
    **dict.fromkeys("ڃڄٿٽٺ", "sd"),
}
# Of the letters: quotations and names stay below it (Pashto prose has .05, Urdu .06).
_MIN_UNIQUE_SHARE = 0.004
# ي and ك tell nothing: 53 of 254 labelled Persian texts are typed with them.
_ARABIC_LETTERS = frozenset("ةأإ")
_PERSIAN_LETTERS = frozenset("یکپچژگ")
# Short words that the one has on every line and the other never.
_ARABIC_WORDS = frozenset(
    {"في", "من", "على", "إلى", "الى", "التي", "الذي", "أن", "إن", "عن", "هذا", "هذه"}
)
_PERSIAN_WORDS = frozenset(
    {
        "از", "در", "به", "را", "که", "كه", "است", "این", "اين", "با", "برای", "براي",
        "آن", "شد", "شده", "خود",
    }
)  # fmt: skip
_WORD_WEIGHT = 2  # letters that a word counts for
_TAJIK_LETTERS = frozenset("ҷӣӯҳ")
_TURKIC_LETTERS = frozenset("әіңөүұһ")  # of Kazakh, Kyrgyz and Tatar
_UZBEK_LATIN = re.compile(r"\b(?:va|bilan|uchun|bo[ʻʼ‘’'`]l\w*)\b|[og][ʻʼ‘’'`](?=\w)")
_MIN_UZBEK_SHARE = 0.05  # of the words
# Of the letters: a text with more kana is Japanese, although most of it may be Han.
_MIN_KANA_SHARE = 0.1

# First and last letter of each script's range: enough to tell scripts apart.
_SCRIPTS = (
    ("latin", "A", "ɏ"),
    ("cyrillic", "Ѐ", "ӿ"),
    ("arabic", "؀", "ۿ"),
    ("devanagari", "ऀ", "ॿ"),
    ("kana", "぀", "ヿ"),
    ("han", "一", "鿿"),
    ("hangul", "가", "힣"),
)
_LANGUAGES_OF_SCRIPT = {
    "arabic": frozenset(
        {
            "fa", "prs", "ps", "pus", "ur", "ar", "ckb", "sd", "ug", "pnb", "bal", "ku",
            "az", "ks",
        }
    ),
    "cyrillic": frozenset(
        {
            "ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "mn", "uz", "tt", "os",
            "ab",
        }
    ),
    "devanagari": frozenset({"hi", "mr", "ne", "sa", "bho", "mai"}),
    "kana": frozenset({"ja"}),
    "han": frozenset({"zh", "ja", "yue"}),
    "hangul": frozenset({"ko"}),
}  # fmt: skip
_DEFAULT_LANGUAGE = {
    "cyrillic": "ru",
    "devanagari": "hi",
    "kana": "ja",
    "han": "zh",
    "hangul": "ko",
}
# These are written in Latin letters as well.
_ALSO_LATIN = frozenset({"uz", "az", "ku", "kk", "sr", "tt"})
_NEVER_LATIN = frozenset[str]().union(*_LANGUAGES_OF_SCRIPT.values()) - _ALSO_LATIN
# Further tags that a page may give to a language which the letters tell.
_OTHER_TAGS = {"fa": frozenset({"prs"})}
# Codes of three letters that mean a language with one of two.
_SHORT_CODES = {
    "per": "fa", "fas": "fa", "pes": "fa",
    "pus": "ps", "pbt": "ps", "pst": "ps", "pbu": "ps",
    "eng": "en", "ara": "ar", "urd": "ur", "rus": "ru", "tgk": "tg", "uzb": "uz",
}  # fmt: skip


def detect_language(
    text: str, *, declared: str | None = None, source: str | None = None
) -> str | None:
    """The language of a text, None where nothing tells it.

    `declared` is the page's tag, `source` the configured language of its source.
    Letters decide between Pashto, Urdu, Arabic and Persian, and against a tag of another
    script. Dari and Iranian Persian are written alike: whether Persian is `fa`, `fa-AF`
    or `prs` is what the source or the page says.
    """
    tags = [tag for tag in (_normalize_tag(source), _normalize_tag(declared)) if tag]
    letters = [char for char in text[:_SAMPLE_CHARS].lower() if char.isalpha()]
    if len(letters) < _MIN_LETTERS:
        return next(iter(tags), None)

    script = _main_script(letters)
    if script == "latin":
        if _is_uzbek_in_latin(text[:_SAMPLE_CHARS].lower()):
            return next((tag for tag in tags if _base_of(tag) == "uz"), "uz")
        # Letters say little here, and the page knows more of itself than its source.
        fitting = (tag for tag in reversed(tags) if _base_of(tag) not in _NEVER_LATIN)
        return next(fitting, None)
    if script == "arabic":
        words = text[:_SAMPLE_CHARS].split()
        detected = _language_in_arabic_script(letters, words)
        same = {detected, *_OTHER_TAGS.get(detected, ())}
        return next((tag for tag in tags if _base_of(tag) in same), detected)
    if script == "cyrillic":
        told = _language_by_cyrillic_letters(letters)
        if told is not None:
            return next((tag for tag in tags if _base_of(tag) == told), told)
    known = _LANGUAGES_OF_SCRIPT.get(script, frozenset())
    fitting = (tag for tag in tags if _base_of(tag) in known)
    return next(fitting, _DEFAULT_LANGUAGE.get(script))


def _normalize_tag(text: str | None) -> str | None:
    """A language tag in its usual form, None where it is none."""
    tag = (text or "").strip().replace("_", "-")[:_MAX_TAG_CHARS]
    if not _TAG.fullmatch(tag):
        return None
    base, *subtags = tag.split("-")
    base = _SHORT_CODES.get(base.lower(), base)
    # A country of two letters in capitals, a script or variant in title case.
    usual = [sub.upper() if len(sub) == 2 else sub.title() for sub in subtags]
    return "-".join([base.lower(), *usual])


def _base_of(tag: str) -> str:
    return tag.partition("-")[0]


def _main_script(letters: Sequence[str]) -> str:
    """The script of most letters."""
    counts: Counter[str] = Counter()
    # Some tens of different letters instead of thousands: a twentieth of the time.
    for letter, times in Counter(letters).items():
        script = "other"
        for name, low, high in _SCRIPTS:
            if low <= letter <= high:
                script = name
                break
        counts[script] += times
    if counts["kana"] > _MIN_KANA_SHARE * len(letters):
        return "kana"
    return counts.most_common(1)[0][0]


def _language_in_arabic_script(letters: Sequence[str], words: Sequence[str]) -> str:
    """By letters that only one language has, then Arabic's words against Persian's."""
    counts = Counter(
        _UNIQUE_LETTERS[char] for char in letters if char in _UNIQUE_LETTERS
    )
    for language, count in counts.most_common(1):
        if count >= _MIN_UNIQUE_SHARE * len(letters):
            return language
    arabic = sum(char in _ARABIC_LETTERS for char in letters)
    arabic += _WORD_WEIGHT * sum(word in _ARABIC_WORDS for word in words)
    persian = sum(char in _PERSIAN_LETTERS for char in letters)
    persian += _WORD_WEIGHT * sum(word in _PERSIAN_WORDS for word in words)
    return "ar" if arabic > persian else "fa"


def _language_by_cyrillic_letters(letters: Sequence[str]) -> str | None:
    """Tajik by its own letters, Uzbek by ў; None for those that Russian has, too."""
    counts = Counter(letters)
    if any(counts[letter] for letter in _TURKIC_LETTERS):
        return None
    tajik = sum(counts[letter] for letter in _TAJIK_LETTERS)
    is_uzbek = counts["ў"] > 0 and counts["қ"] + counts["ғ"] + counts["ҳ"] > 0
    if max(tajik, counts["ў"]) < _MIN_UNIQUE_SHARE * len(letters):
        return None
    if is_uzbek:
        return "uz"
    return "tg" if tajik else None


def _is_uzbek_in_latin(text: str) -> bool:
    found = len(_UZBEK_LATIN.findall(text))
    return found >= _MIN_UZBEK_SHARE * len(text.split())
