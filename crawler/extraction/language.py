"""The language of a text as BCP 47, told by its letters where they tell, else as the page or the source says. Pure."""

import re
from collections import Counter
from collections.abc import Mapping

_TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", re.IGNORECASE)
_MIN_LETTERS = 40  # letters: fewer say nothing
_SAMPLE_CHARS = 4_000
# Letters that only one of the languages around Afghanistan writes. Kurdish shares ڕ ێ
# with nobody here.
_UNIQUE_LETTERS: Mapping[str, str] = {
    **dict.fromkeys("ټډړږښڼۍځڅې", "ps"),
    **dict.fromkeys("ٹڈڑںھہ", "ur"),
    **dict.fromkeys("ێڕۆڵ", "ckb"),
    **dict.fromkeys("ڃڄٿٽٺ", "sd"),
}
# Of the letters: quotations and names stay below it (Pashto prose has .05, Urdu .06)
_MIN_UNIQUE_SHARE = 0.004
_ARABIC = frozenset("ةيكىأإؤئ")
_PERSIAN = frozenset("یکپچژگ")
# First letter of a script's range: enough to tell scripts apart.
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
            "fa",
            "prs",
            "ps",
            "pus",
            "ur",
            "ar",
            "ckb",
            "sd",
            "ug",
            "pnb",
            "bal",
            "ku",
            "az",
            "ks",
        }
    ),
    "cyrillic": frozenset(
        {
            "ru",
            "uk",
            "be",
            "bg",
            "sr",
            "mk",
            "kk",
            "ky",
            "tg",
            "mn",
            "uz",
            "tt",
            "os",
            "ab",
        }
    ),
    "devanagari": frozenset({"hi", "mr", "ne", "sa", "bho", "mai"}),
    "kana": frozenset({"ja"}),
    "han": frozenset({"zh", "ja", "yue"}),
    "hangul": frozenset({"ko"}),
}
_DEFAULT_LANGUAGE = {
    "cyrillic": "ru",
    "devanagari": "hi",
    "kana": "ja",
    "han": "zh",
    "hangul": "ko",
}


def detect_language(
    text: str, *, declared: str | None = None, source: str | None = None
) -> str | None:
    """The language of a text.

    `declared` is the page's tag, `source` the configured language of its source.

    Letters decide between Pashto, Urdu, Arabic and Persian, and against a tag of
    another script. Dari and Iranian Persian are written alike: whether Persian is `fa`,
    `fa-AF` or `prs` is what the source or the page says.
    """
    said = [tag for tag in (_normalize_tag(source), _normalize_tag(declared)) if tag]
    letters = [c for c in text[:_SAMPLE_CHARS].lower() if c.isalpha()]
    if len(letters) < _MIN_LETTERS:
        return next(iter(said), None)
    script = _main_script(letters)
    if script == "latin":
        return next(
            (
                tag
                for tag in reversed(said)
                if _base_language(tag) not in _of_other_scripts()
            ),
            None,
        )
    told = _language_in_arabic_script(letters) if script == "arabic" else None
    if told is None:
        fitting = _LANGUAGES_OF_SCRIPT.get(script, frozenset())
        return next(
            (tag for tag in said if _base_language(tag) in fitting),
            _DEFAULT_LANGUAGE.get(script),
        )
    return next(
        (tag for tag in said if _is_same_language(_base_language(tag), told)), told
    )


def _normalize_tag(text: str | None) -> str | None:
    """A language tag in its usual form, None where it is none."""
    tag = (text or "").strip().replace("_", "-")[:35]
    if not _TAG.fullmatch(tag):
        return None
    base, *rest = tag.split("-")
    return "-".join(
        [
            base.lower(),
            *(part.upper() if len(part) == 2 else part.title() for part in rest),
        ]
    )


def _base_language(tag: str) -> str:
    return tag.partition("-")[0]


def _is_same_language(base: str, told: str) -> bool:
    return (
        base == told
        or (told == "fa" and base in {"prs", "tg"})
        or (told == "ps" and base == "pus")
    )


def _main_script(letters: list[str]) -> str:
    """The script of most letters.

    A text with kana in it is Japanese although most of it may be Han.
    """
    counts: Counter[str] = Counter()
    # Some tens of letters instead of thousands: a twentieth of the time
    for letter, times in Counter(letters).items():
        counts[
            next(
                (name for name, low, high in _SCRIPTS if low <= letter <= high), "other"
            )
        ] += times
    if counts["kana"] > 0.1 * len(letters):
        return "kana"
    return counts.most_common(1)[0][0]


def _language_in_arabic_script(letters: list[str]) -> str:
    """Which language in Arabic script.

    By letters that only one of them has, then by Arabic's against Persian's.
    """
    counts = Counter(_UNIQUE_LETTERS[c] for c in letters if c in _UNIQUE_LETTERS)
    language, count = counts.most_common(1)[0] if counts else ("", 0)
    if count >= _MIN_UNIQUE_SHARE * len(letters):
        return language
    arabic, persian = (sum(c in own for c in letters) for own in (_ARABIC, _PERSIAN))
    return "ar" if arabic > 2 * persian else "fa"


def _of_other_scripts() -> frozenset[str]:
    return frozenset().union(*_LANGUAGES_OF_SCRIPT.values()) - {
        "uz",
        "az",
        "ku",
        "kk",
        "sr",
        "tt",
    }
