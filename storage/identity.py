"""What makes two things the same: URLs, words, texts.

Pure. A URL has two forms. `canonical` is stored and can be clicked: nothing is taken
from it that a server could need. `key` is only compared: there AMP and mobile twins,
scheme, `www.` and percent-encoding are folded too.
"""

import csv
import hashlib
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import (
    SplitResult,
    quote,
    unquote_to_bytes,
    urljoin,
    urlsplit,
    urlunsplit,
)
from zlib import crc32

from storage.folding import fold

if TYPE_CHECKING:
    from tldextract import TLDExtract

# A longer address is neither requested nor believed, be it a link's or a page's own
# (polling rules, case 90; mediacloud's figure).
MAX_URL_CHARS = 2_048

_PORTS = {"http": 80, "https": 443}
_BLANKS = re.compile(r"[\x00-\x20\x7f\u00a0\u200b\u200e\u200f\ufeff]+")
_EDGES = re.compile(rf"\A{_BLANKS.pattern}|{_BLANKS.pattern}\Z")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?]*", re.IGNORECASE)
# Reserved characters and the percent sign stay as they were given; the rest of ASCII
# and all above it is escaped.
_SAFE = "%/:?#[]@!$&'()*+,;=-._~|"


def canonical_url(url: str) -> str:
    """The stored form of a URL.

    It opens the same page, and says nothing about who pointed to it.

    Scheme and host are lower case and ASCII; default port, credentials, fragment,
    session and tracking parameters (data/tracking.csv) are gone; scheme, `www.` and
    existing escapes stay as given. Idempotent. Anything but a readable http(s) URL
    comes back trimmed.
    """
    trimmed = _trim(url)
    parts = _split(trimmed)
    return trimmed if parts is None else urlunsplit(parts)


def url_key(url: str) -> str:
    """What the URLs of one page have in common.

    `canonical` without scheme, `www.`, twins and trailing slash.
    """
    parts = _split(_trim(url))
    if parts is None:
        return _trim(url)
    inner = _AMP_CACHE.match(f"{parts.netloc}{parts.path}")
    if inner:
        return url_key(f"http://{inner[1]}?{parts.query}")
    path = _untwinned_path(_unescape(parts.path))
    query = "&".join(
        p
        for p in _unescape(parts.query).split("&")
        if p and not _TWIN_PARAMETER.fullmatch(p)
    )
    return (
        _untwinned_host(parts.netloc, path)
        + path.rstrip("/")
        + (f"?{query}" if query else "")
    )


def url_host(url: str) -> str:
    """The host of a URL without `www.`; empty where there is none."""
    parts = _split(_trim(url))
    return (
        "" if parts is None else (parts.hostname or "").removeprefix("www.").rstrip(".")
    )


def registrable_domain(url: str) -> str:
    """The registrable domain of a URL by the packaged list of public suffixes.

    The host where there is none.
    """
    return _registrable_of_host(url_host(url))


def resolve_canonical(page_url: str, declared: str | None) -> tuple[str, str | None]:
    """A page's own canonical URL, and that of another publisher where `link rel=canonical` names one.

    The declared URL is the page's own only within one registrable domain. A home page, a section above the page, or a
    script without the page's number is a template's mistake and says nothing.
    """
    own = canonical_url(page_url)
    target = _declared_target(own, declared)
    if target is None or _is_misdeclared(own, target):
        return own, None
    return (
        (target, None)
        if registrable_domain(target) == registrable_domain(own)
        else (own, target)
    )


def _trim(url: str) -> str:
    return _EDGES.sub("", url)


def _split(trimmed: str) -> SplitResult | None:
    """The canonical parts of an http(s) URL, None for anything else."""
    try:
        parts = urlsplit(trimmed)
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not name:
        return None
    netloc = _ascii_host(name) + (
        f":{port}" if port and port != _PORTS[parts.scheme] else ""
    )
    path = _escape(_SESSION.sub("", parts.path)) or "/"
    return SplitResult(
        parts.scheme, netloc, path, _without_tracking(_escape(parts.query)), ""
    )


def _ascii_host(name: str) -> str:
    if ":" in name:
        return f"[{name}]"
    if name.isascii():
        return quote(name, safe="._-~!$&'()*+,;=%")
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return quote(name.encode("utf-8", "replace"))


def _escape(part: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", part).encode("utf-8", "replace"), safe=_SAFE)


def _unescape(part: str) -> str:
    """One spelling for each escape.

    Unreserved characters bare, the rest in upper case.
    """
    return _ESCAPE.sub(lambda run: quote(unquote_to_bytes(run[0]), safe="-._~"), part)


@cache
def _tracking_parameters() -> tuple[
    frozenset[str], tuple[str, ...], frozenset[tuple[str, str]]
]:
    """Names that only track, prefixes of such names, and names that do with one value."""
    table = files("storage").joinpath("data/tracking.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    names = frozenset(
        r["name"] for r in rows if not r["value"] and not r["name"].endswith("*")
    )
    prefixes = tuple(r["name"][:-1] for r in rows if r["name"].endswith("*"))
    return (
        names,
        prefixes,
        frozenset((r["name"], r["value"]) for r in rows if r["value"]),
    )


def _without_tracking(query: str) -> str:
    return (
        "&".join(p for p in query.split("&") if p and not _is_tracking(p))
        if query
        else ""
    )


def _is_tracking(parameter: str) -> bool:
    names, prefixes, pairs = _tracking_parameters()
    name, _, value = parameter.lower().partition("=")
    return name in names or name.startswith(prefixes) or (name, value) in pairs


# google.com/amp/s/publisher/path and
# publisher-com.cdn.ampproject.org/c/s/publisher/path
_AMP_CACHE = re.compile(
    r"(?:(?:www\.)?google\.[a-z.]+/amp|[a-z0-9-]+\.cdn\.ampproject\.org/[a-z])(?:/s)?/([^/]+\.[^/]+/.*)"
)
_TWIN_PARAMETER = re.compile(
    r"amp(?:=(?:1|true|yes)?)?|outputtype=amp|(?:m|mobile)(?:=(?:1|true|yes)?)?",
    re.IGNORECASE,
)
_TWIN_HOST = re.compile(r"(?:amp|m|mobile)\.(?=[^.]+\.)")
_INDEX = re.compile(r"/(?:index|default)\.html?\Z", re.IGNORECASE)
_AMP_NAME = re.compile(r"\.amp(?=\.html?\Z|\Z)", re.IGNORECASE)


def _untwinned_host(netloc: str, path: str) -> str:
    """The host that a mobile or AMP host stands for.

    For pages below it, never a registrable domain's own label.
    """
    bare = netloc.removeprefix("www.")
    twin = _TWIN_HOST.match(bare)
    name = bare.partition(":")[0]
    if twin is None or path == "/" or _registrable_of_host(name) == name:
        return bare
    return bare[twin.end() :].removeprefix("www.")


def _untwinned_path(path: str) -> str:
    pieces = [p for p in _AMP_NAME.sub("", path).split("/") if p]
    articles = [p for p in pieces if p.lower() != "amp"]
    kept = "/".join(articles or pieces)
    return _INDEX.sub("/", f"/{kept}")


@cache
def _suffixes() -> "TLDExtract":
    import tldextract  # noqa: PLC0415  (24 ms that a reader of the file need not pay)

    # The packaged list only: the default asks the network and writes below the home
    # folder.
    return tldextract.TLDExtract(
        suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True
    )


@lru_cache(maxsize=10_000)
def _registrable_of_host(name: str) -> str:
    return _suffixes()(name).top_domain_under_public_suffix or name


_SCRIPT = re.compile(r"\.(?:php|aspx?|jsp|cfm|cgi|pl)\Z", re.IGNORECASE)
_LANGUAGE_HOME = re.compile(
    r"/?(?:[a-z]{2,3}(?:[-_](?:[a-z]{2}|hans|hant|latn|cyrl|arab))?|home|index|default)?(?:\.[a-z]{2,5})?/?",
    re.IGNORECASE,
)
_PART_OF_PAGE = re.compile(
    r"(?:amp|print|mobile|full|all|single|page|\d{1,2}|index\.html?|/)*/?",
    re.IGNORECASE,
)


def _declared_target(own: str, declared: str | None) -> str | None:
    """The declared address as an absolute canonical URL, None where it is none."""
    if not declared or not _trim(declared) or len(declared) > MAX_URL_CHARS:
        return None
    try:
        joined = urljoin(own, _trim(declared))
    except ValueError:
        return None
    return canonical_url(joined) if _split(joined) else None


def _is_misdeclared(own: str, target: str) -> bool:
    """Whether a declared URL names a home page, a section above this page, or a script without its number."""
    here, there = urlsplit(own), urlsplit(target)
    if _LANGUAGE_HOME.fullmatch(there.path) and not there.query:
        return url_key(own) != url_key(target)
    if there.query or registrable_domain(own) != registrable_domain(target):
        return False
    section = there.path.rstrip("/") + "/"
    if here.path.startswith(section) and not _PART_OF_PAGE.fullmatch(
        here.path[len(section) :]
    ):
        return True
    return (
        bool(_SCRIPT.search(there.path))
        and here.path == there.path
        and any(c.isdigit() for c in here.query)
    )


# A word is a run of letters, digits and marks; scripts that write without spaces count
# each character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
# Signs between words, so that an English text with a dash in it is still read as ASCII,
# four times as fast.
_TYPOGRAPHY = re.compile("[‘’“”‚„–—…•\u00a0]+")
_MAX_WORD_CHARS = 40


def fold_words(text: str) -> list[str]:
    """The folded words of a text in their order, each cut at 40 characters."""
    return list(_fold_words(text))


@lru_cache(maxsize=8)  # one text is hashed, profiled and compared within one admission
def _fold_words(text: str) -> tuple[str, ...]:
    plain = text if text.isascii() else _TYPOGRAPHY.sub(" ", text)
    plain = plain.lower() if plain.isascii() else fold(plain)
    found = _ASCII_WORD.findall(plain) if plain.isascii() else _WORD.findall(plain)
    if max(map(len, found), default=0) > _MAX_WORD_CHARS:
        found = [word[:_MAX_WORD_CHARS] for word in found]
    return tuple(found)


def text_hash(text: str) -> int:
    """Signed 64-bit hash of a text's words.

    Equal for texts that differ in case, marks, spaces and punctuation only.
    """
    return hash_words(fold_words(text))


def hash_words(sequence: list[str]) -> int:
    """Signed 64-bit hash of words that are already folded."""
    return _hash(" ".join(sequence))


# Likeness: how much of one text stands in another. Sources of the figures:
# tests/gate/copies.toml.

# What is compared of a text that somebody else wrote: ten times a long report.
_MAX_TEXT_CHARS = 60_000
_SHINGLE_WORDS = 5
_OPENING_WORDS = 60
_MAX_TEASER_WORDS = 250  # words; those of the replayed web have 39 to 225
_INT64_OFFSET = 2**63
_LANE_BYTES = 16  # bytes
# Odd, of no pattern, one digit of a Python integer
_MIX_FACTORS = (0x2545F491, 0x3C6EF35F, 0x19660D05, 0x2C1B3C6D)
Place = tuple[str, ...]  # the words around a number, numbers masked


@dataclass(frozen=True, slots=True)
class Profile:
    """What a text is compared by.

    Its word-5-shingles, pairs of following names, where its numbers stand.

    Shingles are hashes of this process and serve comparing alone; what is stored is a
    sketch of the words.
    """

    sequence: tuple[str, ...]  # the folded words
    shingles: frozenset[int]
    opening: frozenset[int]  # those of the first 60 words
    names: frozenset[tuple[str, str]]

    @property
    def words(self) -> int:
        """How many there are."""
        return len(self.sequence)

    @property
    def numbers(self) -> Mapping[Place, frozenset[str]]:
        """Those that stand between the same words, all numbers masked.

        Worked out when somebody asks.
        """
        return _number_places(self.sequence)


@lru_cache(maxsize=64)
def profile_text(text: str) -> Profile:
    """The profile of a text's first 60,000 characters.

    Heads that are asked for again and again are remembered.
    """
    text = text[:_MAX_TEXT_CHARS]
    sequence = _fold_words(text)
    grams = _process_shingles(sequence)
    return Profile(
        sequence=sequence,
        shingles=frozenset(grams),
        opening=frozenset(grams[:_OPENING_WORDS]),
        names=frozenset(pairwise(_names(text, len(sequence)))),
    )


def shared_share(one: Profile, text: str) -> float:
    """How much of the shorter one's runs of words stands in the other.

    `Likeness.shingles`, for a third of its cost.
    """
    theirs = set(_process_shingles(_fold_words(text[:_MAX_TEXT_CHARS])))
    return _share(len(one.shingles & theirs), min(len(one.shingles), len(theirs)))


def _process_shingles(sequence: Sequence[str]) -> list[int]:
    """A number for each five following words, good within this process.

    A fifth of the cost of lasting ones.
    """
    return list(
        map(hash, zip(*(sequence[n:] for n in range(_SHINGLE_WORDS)), strict=False))
    )


def _lasting_shingles(sequence: Sequence[str]) -> list[int]:
    """A lasting unsigned 64-bit hash for each five following words.

    Pairs, pairs of pairs, one more.

    All are worked out at once, each in a lane of 128 bits of one long integer: two and
    a half times as fast as in turn. No lane runs over into the next: a word has 32
    bits, and each of the three factors at most 30.
    """
    count = len(sequence) - _SHINGLE_WORDS + 1
    if count < 1:
        return []
    lanes = array("I", bytes(len(sequence) * _LANE_BYTES))
    lanes[:: _LANE_BYTES // 4] = array("I", map(crc32, map(str.encode, sequence)))
    one = int.from_bytes(lanes.tobytes(), "little")
    two = one * _MIX_FACTORS[0] + (one >> 8 * _LANE_BYTES)
    four = two * _MIX_FACTORS[1] + (two >> 2 * 8 * _LANE_BYTES)
    five = four * _MIX_FACTORS[2] + (one >> 4 * 8 * _LANE_BYTES) * _MIX_FACTORS[3]
    return (
        memoryview(five.to_bytes(len(sequence) * _LANE_BYTES, "little"))
        .cast("Q")[: 2 * count : 2]
        .tolist()
    )


@cache
def _sentence_openers() -> frozenset[str]:
    lines = (
        files("storage")
        .joinpath("data/openers.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    return frozenset(
        word for line in lines if not line.startswith("#") for word in line.split()
    )


_CAPITAL = re.compile(r"\b[A-ZÀ-ÖØ-ÞΑ-ΩЀ-Я\d][^\W_]*")
_LONG_WORD = re.compile(r"\b(?:\d[^\W_]*|[^\W_]{5,})")


def _names(text: str, count: int) -> list[str]:
    """Names and numbers in order: what opens with a capital or a digit.

    In scripts without capitals, long words.
    """
    marked = _CAPITAL.findall(text)
    if len(marked) * 50 < count:
        return [fold(token) for token in _LONG_WORD.findall(text)]
    openers = _sentence_openers()
    lowered = (t.lower() if t.isascii() else fold(t) for t in marked)
    return [t for t in lowered if len(t) > 1 or t.isdigit() if t not in openers]


@lru_cache(maxsize=64)
def _number_places(sequence: tuple[str, ...]) -> dict[Place, frozenset[str]]:
    """The numbers that stand between the same two words before and after, all numbers masked."""
    places: dict[Place, set[str]] = {}
    # Folded digits are ASCII, and sort before ":" as no letter does.
    for n in [n for n, word in enumerate(sequence) if word < ":"]:
        around = sequence[max(0, n - 2) : n + 3]
        place = tuple("#" if word < ":" else word for word in around)
        places.setdefault(place, set()).add(sequence[n])
    return {place: frozenset(numbers) for place, numbers in places.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How much of the shorter of two texts stands in the longer one, and what speaks against a copy.

    `shingles` and `names` are containments, 0 to 1; `agreements` and `conflicts` count places where both texts put a
    number between the same words, the same number or different ones. Of texts that share less than .3 of both
    the numbers are not compared: they are neither copies nor probable. Thresholds: see tests/gate/copies.toml.
    """

    shingles: float
    names: float
    evidence: int  # shingles of the shorter text
    shared_names: int
    agreements: int
    conflicts: int
    # Containment of the first 60 words of one text in those of the other
    opening: float
    shorter: int  # words
    longer: int

    @property
    def score(self) -> float:
        """The mean of both containments."""
        return (self.shingles + self.names) / 2

    @property
    def is_verbatim(self) -> bool:
        """Whether the words themselves were taken over, but for some.

        A third of fresh words is editing in a short report and a story of its own in a
        long one: 90 tell them apart.
        """
        fresh = (1 - self.shingles) * self.evidence
        return self.names >= 0.42 and (
            self.shingles >= 0.72 or (self.shingles >= 0.6 and fresh <= 90)
        )

    @property
    def is_copy(self) -> bool:
        """Strict: one text, perhaps cut, appended to or reworded.

        Never a template with other numbers or a digest.
        """
        if self.evidence < 20 or self.is_other_count:
            return False
        if self.longer > 6 * self.shorter:
            # The top of a long report that a site prints as a teaser; what stands
            # further down stands in a digest.
            return (
                self.is_verbatim
                and self.opening >= 0.5
                and self.shorter <= _MAX_TEASER_WORDS
            )
        # Of names alone: .88 of 32 pairs was a rewritten report (FA-KES), .9 or 30
        # shared pairs never was.
        reworded = (
            self.score >= 0.5
            and self.names >= 0.7
            and (self.shared_names >= 30 or self.names >= 0.9)
        )
        return self.is_verbatim or reworded

    @property
    def is_probable(self) -> bool:
        """Loose: worth showing, never a reason to drop.

        The spun pages of 2021 keep half of their pairs of names.
        """
        if self.evidence < 20 or self.conflicts > self.agreements + 1:
            return False
        return self.score >= 0.4 or (self.names >= 0.49 and self.shared_names >= 7)

    @property
    def is_other_count(self) -> bool:
        """Whether the same sentences count differently ("12 killed", "14 killed").

        An update or another day.

        A long text may differ in one number of twenty: a later state of one report.
        """
        return self.conflicts * 20 > self.agreements


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyComparison:
    """Why two documents were or were not taken for one."""

    verdict: str  # copy, probable, different
    reason: str
    likeness: Likeness
    passages: tuple[str, ...]  # the longest runs of words that both have
    # The same words with other numbers, in the one and in the other
    conflicts: tuple[tuple[str, str], ...]


# No verdict asks for less: a score of .3, the mean of both, for a declared copy.
_MIN_SHARE_FOR_NUMBERS = 0.3


def measure_likeness(
    one: Profile, other: Profile, *, common: frozenset[int] = frozenset()
) -> Likeness:
    """Compare two texts.

    Shingles that are `common` within one source (its furniture) say nothing and are
    left out.
    """
    ours, theirs = one.shingles - common, other.shingles - common
    evidence, fewest = (
        min(len(ours), len(theirs)),
        min(len(one.names), len(other.names)),
    )
    shingles, shared = (
        _share(len(ours & theirs), evidence),
        len(one.names & other.names),
    )
    # A text that names nobody is judged by its words
    names = _share(shared, fewest) if fewest >= 6 else shingles
    agreements, conflicts = (
        _count_number_places(one, other)
        if names >= _MIN_SHARE_FOR_NUMBERS or shingles >= _MIN_SHARE_FOR_NUMBERS
        else (0, 0)
    )
    return Likeness(
        shingles=shingles,
        names=names,
        evidence=evidence,
        shared_names=shared,
        agreements=agreements,
        conflicts=conflicts,
        opening=_share(
            len(one.opening & other.opening), min(len(one.opening), len(other.opening))
        ),
        shorter=min(one.words, other.words),
        longer=max(one.words, other.words),
    )


def _count_number_places(one: Profile, other: Profile) -> tuple[int, int]:
    """Places where both texts put the same number, and where they put different ones."""
    ours, theirs = one.numbers, other.numbers
    both = ours.keys() & theirs.keys()
    agreements = sum(not ours[place].isdisjoint(theirs[place]) for place in both)
    return agreements, len(both) - agreements


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


# A sketch finds candidates: the smallest hashes of a text's shingles, and of its names
# in their days. Both of two texts keep a shared shingle when it is among the smallest
# of each, so that hits follow what they share: of 36, about 4 where one text holds 72 %
# of another that is five times shorter. An excerpt of a text forty times as long has
# its opening. 53 rows of a table without rowid: about 880 bytes.
_SKETCH_SHINGLES = 36
_SKETCH_OPENING_SHINGLES = 7
_OPENING_KEY_MASK = 0x5A5A5A5A5A5A5A5A
_SKETCH_NAMES = 10
_FORMER_SKETCH_NAMES = 11  # by older versions, whose keys go when their text goes
_NAME_WINDOW_DAYS = 4


def shingle_sketch(one: Profile) -> tuple[int, ...]:
    """Signed 64-bit hashes of the text's own shingles, the smallest 36."""
    return _sketches(one.sequence)[0]


def opening_sketch(one: Profile) -> tuple[int, ...]:
    """The same of the first 60 words, the smallest 7, as keys of their own."""
    return _sketches(one.sequence)[1]


@lru_cache(maxsize=8)  # a text that is asked for is then entered
def _sketches(sequence: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shingles = _lasting_shingles(sequence)
    first = _smallest(shingles[:_OPENING_WORDS], _SKETCH_OPENING_SHINGLES)
    return tuple(_smallest(shingles, _SKETCH_SHINGLES)), tuple(
        shingle ^ _OPENING_KEY_MASK for shingle in first
    )


def _smallest(hashes: Sequence[int], most: int) -> list[int]:
    """The smallest of evenly spread unsigned hashes, signed and in order.

    Sorting those of the lowest part will do.
    """
    lowest = (2 * most << 64) // max(len(hashes), 1)
    low = sorted({number for number in hashes if number < lowest})
    if len(low) < most:
        low = sorted(set(hashes))
    return [number - _INT64_OFFSET for number in low[:most]]


def min_shared_keys(one: int, other: int) -> float:
    """How many keys two texts of so many words share at least where one holds much of the other: more than by chance.

    Of 36, they share 36 times the share that is held times the ratio of their lengths; half of that for a share of
    .28 is asked for, and two always. What holds less and is a version all the same shares its names.
    """
    return max(2.0, 5 * min(one, other) / max(one, other, 1))


def name_sketch(
    one: Profile, day: int, *, around: bool = False, ever: bool = False
) -> tuple[int, ...]:
    """The same of 10 pairs of names, in the bucket of a day (since 1970), or in all buckets within four days.

    `ever`: and those that older versions kept.
    """
    buckets = (
        range(
            (day - _NAME_WINDOW_DAYS) // _NAME_WINDOW_DAYS,
            (day + _NAME_WINDOW_DAYS) // _NAME_WINDOW_DAYS + 1,
        )
        if around
        else (day // _NAME_WINDOW_DAYS,)
    )
    pairs = _smallest_pairs(one.names)[
        : _FORMER_SKETCH_NAMES if ever else _SKETCH_NAMES
    ]
    return tuple(_hash(f"{bucket} {pair}") for pair in pairs for bucket in buckets)


@lru_cache(maxsize=8)
def _smallest_pairs(names: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    """The pairs with the smallest hashes: the same ones in whatever text they stand."""
    return tuple(
        pair
        for _, pair in sorted((_hash(pair), pair) for pair in map(" ".join, names))[
            :_FORMER_SKETCH_NAMES
        ]
    )


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def shared_passages(one: str, other: str, *, most: int = 3) -> tuple[str, ...]:
    """The longest runs of words, of five or more, that stand in both texts, as the first one has them folded."""
    sequence, theirs = fold_words(one[:_MAX_TEXT_CHARS]), profile_text(other).shingles
    runs: list[list[str]] = [[]]
    for n, shingle in enumerate(_process_shingles(sequence)):
        if shingle in theirs:
            runs[-1].extend(
                sequence[n + _SHINGLE_WORDS - 1 : n + _SHINGLE_WORDS]
                if runs[-1]
                else sequence[n : n + _SHINGLE_WORDS]
            )
        elif runs[-1]:
            runs.append([])
    longest = sorted((run for run in runs if run), key=len, reverse=True)[:most]
    return tuple(" ".join(run) for run in longest)


def number_conflicts(
    one: str, other: str, *, most: int = 5
) -> tuple[tuple[str, str], ...]:
    """Places where two texts put different numbers between the same words."""
    ours, theirs = profile_text(one).numbers, profile_text(other).numbers
    places = [p for p in ours if p in theirs and ours[p].isdisjoint(theirs[p])]
    return tuple(
        (_fill_place(place, ours), _fill_place(place, theirs))
        for place in places[:most]
    )


def _fill_place(place: Place, numbers: Mapping[Place, frozenset[str]]) -> str:
    return " ".join(place).replace("#", min(numbers[place]), 1)
