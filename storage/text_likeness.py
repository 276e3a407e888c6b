"""What makes two texts the same: words, hashes, how much of one stands in the other.

Pure. `fold_words` gives what is compared, `text_hash` finds equal texts,
`measure_likeness` decides on near ones, and sketches are the keys by which candidates
for that are found. Sources of the figures: tests/gate/copies.toml.
"""

import hashlib
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from zlib import crc32

from storage import data_files
from storage.folding import fold

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


# Likeness: how much of one text stands in another

# What is compared of a text that somebody else wrote: ten times a long report.
_MAX_TEXT_CHARS = 60_000
_SHINGLE_WORDS = 5
_OPENING_WORDS = 60
# In which the opening of another text is looked for: below a headline, a dateline and a
# summary of its own.
_LEDE_WORDS = 150
# Teasers of the replayed web have 39 to 225 words.
_MAX_TEASER_WORDS = 250
_INT64_OFFSET = 2**63
_LANE_BYTES = 16
# Odd, of no pattern, one digit of a Python integer.
_MIX_FACTORS = (0x2545F491, 0x3C6EF35F, 0x19660D05, 0x2C1B3C6D)
Place = tuple[str, ...]  # the words around a number, numbers masked


@dataclass(frozen=True, slots=True)
class Profile:
    """What a text is compared by.

    That is its word-5-shingles, its pairs of following names, and where its numbers
    stand, all without a footer of contacts. Shingles are hashes of this process and
    serve comparing alone; what is stored is a sketch of the words.
    """

    sequence: tuple[str, ...]  # the folded words
    shingles: frozenset[int]
    opening: frozenset[int]  # those of the first 60 words
    names: frozenset[tuple[str, str]]
    # Of the whole text, a footer too: the index was made of these.
    indexed_names: frozenset[tuple[str, str]]
    text: str  # without a footer

    @property
    def words(self) -> int:
        """How many there are."""
        return len(self.sequence)

    @property
    def numbers(self) -> Mapping[Place, frozenset[str]]:
        """Its numbers by the words around them, all numbers masked.

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
    own_text = text[: _footer_start(text)]
    own_sequence = sequence
    if len(own_text) < len(text):
        own_sequence = _fold_words(own_text)
    grams = _process_shingles(own_sequence)
    indexed_names = frozenset(pairwise(_names(text, len(sequence))))
    names = indexed_names
    if len(own_text) < len(text):
        names = frozenset(pairwise(_names(own_text, len(own_sequence))))
    return Profile(
        sequence=sequence,
        shingles=frozenset(grams),
        opening=frozenset(grams[:_OPENING_WORDS]),
        names=names,
        indexed_names=indexed_names,
        text=own_text,
    )


# A mail address, a web address, a handle, a telephone number.
_CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w|https?://|www\.\w|(?<!\w)@\w{3}|"
    r"(?:\+|\b00)\d[\d ().-]{7,}|\(0?\d{2,4}\)[\d .-]{5,}|\b0\d{2,3}[ .-]?\d{3}[ .-]?\d{3,4}\b"
)
_MAX_FOOTER_LINES = 12
_MAX_FOOTER_LINE_WORDS = 25  # a longer line is a paragraph unless it has a contact


def _footer_start(text: str) -> int:
    """Where the footer of contacts begins that ends a text; its length without one.

    Press releases and channels sign each report with the same names, telephone numbers
    and addresses. Below a short report they are most of its names. The footer reaches
    from the first line with a contact, with a short line that introduces it, to the
    end, across short lines only; a text is never all footer.
    """
    if _CONTACT.search(text, max(0, len(text) - 2_000)) is None:
        return len(text)
    lines = text.splitlines(keepends=True)
    start = end = len(text)
    for line in reversed(lines[1:][-_MAX_FOOTER_LINES:]):
        end -= len(line)
        has_contact = _CONTACT.search(line) is not None
        words = len(line.split())
        if not has_contact and words > _MAX_FOOTER_LINE_WORDS:
            break
        is_sentence = line.rstrip().endswith((".", "!", "?", "؟", "۔"))
        if has_contact or (start < len(text) and not is_sentence):
            start = end
    return start


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
    shifted = [sequence[n:] for n in range(_SHINGLE_WORDS)]
    return list(map(hash, zip(*shifted, strict=False)))


def _lasting_shingles(sequence: Sequence[str]) -> list[int]:
    """A lasting unsigned 64-bit hash for each five following words.

    It is made of pairs, then of pairs of pairs, then of one word more. All are worked
    out at once, each in a lane of 128 bits of one long integer: two and a half times as
    fast as in turn. No lane runs over into the next: a word has 32 bits, and each of
    the three factors at most 30.
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
    packed = memoryview(five.to_bytes(len(sequence) * _LANE_BYTES, "little"))
    return packed.cast("Q")[: 2 * count : 2].tolist()


@cache
def _sentence_openers() -> frozenset[str]:
    """Words that open a sentence with a capital and are no names."""
    words: list[str] = []
    for line in data_files.read_text("storage", "data/openers.txt").splitlines():
        if not line.startswith("#"):
            words += line.split()
    return frozenset(words)


_CAPITAL = re.compile(r"\b[A-ZÀ-ÖØ-ÞΑ-ΩЀ-Я\d][^\W_]*")
_LONG_WORD = re.compile(r"\b(?:\d[^\W_]*|[^\W_]{5,})")


def _names(text: str, count: int) -> list[str]:
    """Names and numbers in order: what opens with a capital or a digit.

    In scripts without capitals, long words. `count` is that of all words.
    """
    capitalised = _CAPITAL.findall(text)
    if len(capitalised) * 50 < count:
        return [fold(token) for token in _LONG_WORD.findall(text)]
    openers = _sentence_openers()
    names = []
    for token in capitalised:
        name = token.lower() if token.isascii() else fold(token)
        if name not in openers and (len(name) > 1 or name.isdigit()):
            names.append(name)
    return names


@lru_cache(maxsize=64)
def _number_places(sequence: tuple[str, ...]) -> dict[Place, frozenset[str]]:
    """The numbers that stand between the same two words before and after.

    All numbers among these words are masked.
    """
    places: dict[Place, set[str]] = {}
    # Folded digits are ASCII, and sort before ":" as no letter does.
    for n in [n for n, word in enumerate(sequence) if word < ":"]:
        around = sequence[max(0, n - 2) : n + 3]
        place = tuple("#" if word < ":" else word for word in around)
        places.setdefault(place, set()).add(sequence[n])
    return {place: frozenset(numbers) for place, numbers in places.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How much of the shorter of two texts stands in the longer one.

    And what speaks against a copy. `shingles` and `names` are containments, 0 to 1;
    `agreements` and `conflicts` count places where both texts put a number between the
    same words, the same number or different ones. Of texts that share less than .3 of
    both the numbers are not compared: they are neither copies nor probable. Thresholds:
    see tests/gate/copies.toml.
    """

    shingles: float
    names: float
    evidence: int  # shingles of the shorter text
    shared_names: int
    agreements: int
    conflicts: int
    # Containment of the first 60 words of one text in those of the other.
    opening: float
    # Of the first 60 words' shingles, and of their names, in the other's first 150: the
    # larger of both directions.
    lede: float
    lede_names: float
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
        is_much_taken = self.shingles >= 0.72 or (self.shingles >= 0.6 and fresh <= 90)
        if self.names >= 0.42 and is_much_taken:
            return True
        # Both open with the same sentences, below headlines and datelines of their own:
        # an agency's lead, cut by the one and gone on with by the other. Reports of two
        # days that open alike have a score of .54, or .53 of their shingles.
        return (
            self.lede >= 0.6
            and self.score >= 0.55
            and self.shingles >= 0.55
            and self.names >= 0.4
            and fresh <= 90
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
            # A later report of one paper repeats the background, names and all, below
            # an opening of its own: 12 of 14 false copies of derived_edits have less of
            # its names than this, and 2 of 742 true ones.
            and self.lede_names >= 0.2
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

        Then it is an update, or another day. A long text may differ in one number of
        twenty: a later state of one report.
        """
        return self.conflicts * 20 > self.agreements


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyComparison:
    """Why two documents were or were not taken for one."""

    verdict: str  # copy, probable, different
    reason: str
    likeness: Likeness
    passages: tuple[str, ...]  # the longest runs of words that both have
    # The same words with other numbers, in the one and in the other.
    conflicts: tuple[tuple[str, str], ...]


# No verdict asks for less: a score of .3, the mean of both, for a declared copy.
_MIN_SHARE_FOR_NUMBERS = 0.3
_MIN_NAMES = 6


def measure_likeness(
    one: Profile, other: Profile, *, common: frozenset[int] = frozenset()
) -> Likeness:
    """Compare two texts.

    Shingles that are `common` within one source (its boilerplate) say nothing and are
    left out.
    """
    ours, theirs = one.shingles - common, other.shingles - common
    evidence = min(len(ours), len(theirs))
    shingles = _share(len(ours & theirs), evidence)

    shared_names = len(one.names & other.names)
    fewest_names = min(len(one.names), len(other.names))
    # A text that names nobody is judged by its words.
    names = shingles
    if fewest_names >= _MIN_NAMES:
        names = _share(shared_names, fewest_names)

    lede = lede_names = 0.0
    agreements = conflicts = 0
    if max(names, shingles) >= _MIN_SHARE_FOR_NUMBERS:
        agreements, conflicts = _count_number_places(one, other)
        lede = max(_lede_share(one, other), _lede_share(other, one))
        lede_names = max(_lede_name_share(one, other), _lede_name_share(other, one))

    fewest_opening = min(len(one.opening), len(other.opening))
    return Likeness(
        shingles=shingles,
        names=names,
        evidence=evidence,
        shared_names=shared_names,
        agreements=agreements,
        conflicts=conflicts,
        opening=_share(len(one.opening & other.opening), fewest_opening),
        lede=lede,
        lede_names=lede_names,
        shorter=min(one.words, other.words),
        longer=max(one.words, other.words),
    )


def _lede_share(one: Profile, other: Profile) -> float:
    """How much of the first 60 words of one text stands in the other's first 150."""
    beginning = _process_shingles(other.sequence[:_LEDE_WORDS])
    return _share(len(one.opening.intersection(beginning)), len(one.opening))


def _lede_name_share(one: Profile, other: Profile) -> float:
    """The same of names; 1 where the first 60 words have hardly any."""
    ours = _first_names(one.text, _OPENING_WORDS)
    if len(ours) < _MIN_NAMES - 1:
        return 1.0
    return _share(len(ours & _first_names(other.text, _LEDE_WORDS)), len(ours))


@lru_cache(maxsize=64)
def _first_names(text: str, words: int) -> frozenset[tuple[str, str]]:
    """The pairs of names among the first words of a text."""
    beginning = " ".join(text[: words * _MAX_WORD_CHARS].split()[:words])
    return frozenset(pairwise(_names(beginning, words)))


def _count_number_places(one: Profile, other: Profile) -> tuple[int, int]:
    """How many places have the same number in both texts, and how many another one."""
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
# By older versions, whose keys go when their text goes.
_FORMER_SKETCH_NAMES = 11
_NAME_WINDOW_DAYS = 4


def shingle_sketch(one: Profile) -> tuple[int, ...]:
    """Signed 64-bit hashes of the text's own shingles, the smallest 36."""
    return _sketches(one.sequence)[0]


def opening_sketch(one: Profile) -> tuple[int, ...]:
    """Hashes of the first 60 words' shingles, the smallest 7, as keys of their own."""
    return _sketches(one.sequence)[1]


@lru_cache(maxsize=8)  # a text that is asked for is then entered
def _sketches(sequence: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shingles = _lasting_shingles(sequence)
    whole = _smallest(shingles, _SKETCH_SHINGLES)
    opening = _smallest(shingles[:_OPENING_WORDS], _SKETCH_OPENING_SHINGLES)
    return tuple(whole), tuple(shingle ^ _OPENING_KEY_MASK for shingle in opening)


def _smallest(hashes: Sequence[int], most: int) -> list[int]:
    """The smallest of evenly spread unsigned hashes, signed and in order."""
    # Sorting those of the lowest part will do, but for a stroke of luck.
    lowest = (2 * most << 64) // max(len(hashes), 1)
    low = sorted({number for number in hashes if number < lowest})
    if len(low) < most:
        low = sorted(set(hashes))
    return [number - _INT64_OFFSET for number in low[:most]]


def min_shared_keys(one: int, other: int) -> float:
    """How many keys two texts of so many words share where one holds much of the other.

    At least, and more than by chance. Of 36, they share 36 times the share that is held
    times the ratio of their lengths; half of that for a share of .28 is asked for, and
    two always. What holds less and is a version all the same shares its names.
    """
    return max(2.0, 5 * min(one, other) / max(one, other, 1))


def name_sketch(
    one: Profile, day: int, *, around: bool = False, ever: bool = False
) -> tuple[int, ...]:
    """Hashes of 10 pairs of names in the bucket of a day, counted since 1970.

    `around`: in all buckets within four days. `ever`: also of the pairs that older
    versions kept.
    """
    bucket = day // _NAME_WINDOW_DAYS
    buckets = range(bucket, bucket + 1)
    if around:
        buckets = range(bucket - 1, bucket + 2)
    pairs = _smallest_pairs(one.indexed_names)
    if not ever:
        pairs = pairs[:_SKETCH_NAMES]
    sketch: list[int] = []
    for pair in pairs:
        sketch += [_hash(f"{bucket} {pair}") for bucket in buckets]
    return tuple(sketch)


@lru_cache(maxsize=8)
def _smallest_pairs(names: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    """The pairs with the smallest hashes: the same ones in whatever text they stand."""
    hashed = sorted((_hash(pair), pair) for pair in map(" ".join, names))
    return tuple(pair for _, pair in hashed[:_FORMER_SKETCH_NAMES])


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


# What `explain A B` names of a pair: enough to see why, and no more than a screen.
MAX_PASSAGES = 3
MAX_CONFLICTS = 5


def shared_passages(one: str, other: str) -> tuple[str, ...]:
    """The longest runs of words, of five or more, that stand in both texts.

    They are given as the first text has them, folded.
    """
    sequence, theirs = fold_words(one[:_MAX_TEXT_CHARS]), profile_text(other).shingles
    runs: list[list[str]] = []
    is_open = False
    for n, shingle in enumerate(_process_shingles(sequence)):
        if shingle not in theirs:
            is_open = False
        elif is_open:
            runs[-1].append(sequence[n + _SHINGLE_WORDS - 1])
        else:
            runs.append(sequence[n : n + _SHINGLE_WORDS])
            is_open = True
    longest = sorted(runs, key=len, reverse=True)[:MAX_PASSAGES]
    return tuple(" ".join(run) for run in longest)


def number_conflicts(one: str, other: str) -> tuple[tuple[str, str], ...]:
    """Places where two texts put different numbers between the same words."""
    ours, theirs = profile_text(one).numbers, profile_text(other).numbers
    places = [p for p in ours if p in theirs and ours[p].isdisjoint(theirs[p])]
    return tuple(
        (_fill_place(place, ours), _fill_place(place, theirs))
        for place in places[:MAX_CONFLICTS]
    )


def _fill_place(place: Place, numbers: Mapping[Place, frozenset[str]]) -> str:
    return " ".join(place).replace("#", min(numbers[place]), 1)
