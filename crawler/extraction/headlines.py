"""The headline of a page among the five places that carry it, without the site's name.

A headline is never composed: it is one of the candidates as it stands, or one without
the ends that a separator parts from it and that name the site, a section or an author.
Pure.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache

from crawler import data_files
from crawler.extraction import inline_text
from crawler.extraction.blocks import bare_letters
from storage.folding import fold

MAX_HEADLINE_CHARS = 500  # of a headline that are looked at
# The share of the words of the shorter text that makes two texts the same headline.
_MIN_OVERLAP = 0.5
# Between blanks: a dash of any kind, a tatweel as Persian sites type it, a slash. With
# or without blanks: bars (also full-width ones, box drawings and the Hangul letter that
# Korean sites use for one) and double marks.
_BAR = r"[|｜│┃ㅣ︱]"
_SEPARATOR = re.compile(
    rf"\s+(?:[–—―·•»«~:/⋆*ـ-]|--|::|\|\|)\s+|\s*(?:{_BAR}|»|--|——|::)\s*"
)
_IS_BAR = re.compile(_BAR)
# A colon ends a name only where the name is the site's own: "Kabul: ..." is a headline.
_COLON = re.compile(r"\s*[:：]\s*|(?<=\w)-(?=\w)")
_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"\w+")
_MAX_TAG_WORDS = 4  # of a site or a section beside a bar
_MIN_REST_WORDS = 2  # that a title keeps


def choose_headline(
    *,
    declared: Sequence[str],
    h1s: Sequence[str],
    sites: Sequence[str] = (),
    labels: Sequence[str] = (),
    host: str,
) -> str | None:
    """The headline: an `h1` that the page's head confirms, else what the head says.

    `declared`: og:title, JSON-LD headline, twitter:title and title element in this
    order, "" where there is none. `h1s`: the `h1` elements in the order of the page.
    `sites`: the names that the site gives itself; `labels`: its section and its
    authors; `host`: without www.
    """
    declared = [_plain_line(text) for text in declared]
    all_h1s = h1s = [_plain_line(text) for text in h1s]
    # Some portals give the headline as their name, too.
    shown = {declared[-1]} & set(h1s)
    others = _other_segments(declared)
    blogs = [text for text in h1s if bare_letters(text) in others]
    sites = [site for site in sites if site not in shown]
    names = _Names(sites, [*labels, *blogs], host)
    # Old blogs put their name into every h1.
    brands = names.own | others
    h1s = [text for text in h1s if bare_letters(text) not in brands]
    short_declared = [names.strip_from(text) for text in declared]
    short_declared = [
        "" if bare_letters(text) in names.own else text for text in short_declared
    ]
    short_h1s = [names.strip_from(text) for text in h1s]
    taglines = _taglines(declared, short_declared)
    confirmed = _confirmed_h1(h1s, declared, short_declared)
    if confirmed:
        # Confirmed as it stands: a few words beside a bar may be a part of it.
        return names.strip_from(confirmed, by_shape=False)
    return (
        _confirmed_h1(short_h1s, short_declared, short_declared)
        or _continued_h1(short_h1s, declared)
        or _most_similar_h1(short_h1s, short_declared)
        or _unconfirmed_headline(short_h1s, short_declared, taglines)
        or next((text for text in (*short_h1s, *declared, *all_h1s) if text), None)
    )


class _Names:
    """The names that are no part of a headline where a separator parts them from it."""

    def __init__(self, sites: Sequence[str], labels: Sequence[str], host: str) -> None:
        # The host's label: "khaama" of khaama.com.
        known = [*sites, host.rpartition(".")[0]]
        self.sites = [letters for letters in map(bare_letters, known) if letters]
        self.own = {"", bare_letters(host), *self.sites}
        self.labels = {bare_letters(label) for label in labels} - {""}

    def strip_from(self, title: str, *, by_shape: bool = True) -> str:
        """A title without the segments at its ends that name the site, a label or a date.

        It never becomes empty. `by_shape`: whether those go, too, that only look like a
        section or an outlet.
        """
        while separators := _find_separators(title):
            first, last = separators[0], separators[-1]
            start, end = title[: first.start()].strip(), title[last.end() :].strip()
            before, after = title[: last.start()].strip(), title[first.end() :].strip()
            if before and self._is_name(end, is_first=False):
                title = before
                continue
            if after and self._is_name(start, is_first=True):
                title = after
                continue
            if not by_shape:
                break
            if before and _looks_like_tag(end, before, last.group()):
                title = before
            elif after and _looks_like_outlet(start, after):
                title = after
            else:
                break
        return self._strip_after_colon(title)

    def _strip_after_colon(self, title: str) -> str:
        """A title without the site's own name before or behind a colon."""
        colons = list(_COLON.finditer(title))
        if not colons:
            return title
        first, last = colons[0], colons[-1]
        if bare_letters(title[: first.start()]) in self.own:
            return title[first.end() :] or title
        end = bare_letters(title[last.end() :])
        if end in self.own and title[: last.start()]:
            return title[: last.start()]
        return title

    def _is_name(self, segment: str, *, is_first: bool) -> bool:
        """Whether a segment is the site, its host, a part of them, a label or a date.

        One that stands first may be a place: "Kabul - ..." on kabulnow.com. There a
        part of the name is not enough.
        """
        name = bare_letters(segment)
        if not name or _DATE.fullmatch(segment.strip()) or name in self.labels:
            return True
        for known in self.sites:
            # "Orbit World Today - Asia" still names Orbit World; a segment of two and
            # a half times the length is a headline that mentions it.
            longest = max(5 * len(known) // 2, len(known) + 1)
            if len(name) >= longest:
                continue
            if name == known or (len(known) > 3 and known in name):
                return True
            if len(name) > 2 and name in known and not is_first:
                return True
        return False


def _plain_line(text: str) -> str:
    return inline_text.plain_line(text, max_chars=MAX_HEADLINE_CHARS)


def _find_separators(title: str) -> list[re.Match[str]]:
    found = list(_SEPARATOR.finditer(title))
    if "«" in title:
        # The mark that closes a quotation.
        found = [separator for separator in found if "»" not in separator.group()]
    return found


def _looks_like_tag(segment: str, rest: str, mark: str) -> bool:
    """Whether the last segment has the few words of a site or a section beside a bar.

    Behind another mark, whether it looks like an outlet.
    """
    if _looks_like_outlet(segment, rest):
        return True
    return (
        _IS_BAR.search(mark) is not None
        and len(segment.split()) <= _MAX_TAG_WORDS
        and len(rest.split()) >= _MIN_REST_WORDS
    )


def _looks_like_outlet(segment: str, rest: str) -> bool:
    """Whether one of a segment's few words is such as outlets have in their names.

    "- UN" and "- Taliban" say who says so, and are a part of the headline.
    """
    words, rest_words = len(segment.split()), len(rest.split())
    if words > _MAX_TAG_WORDS or words >= rest_words or segment[:1].islower():
        return False
    folded = f" {fold(segment)} "
    return any(f" {word} " in folded for word in _outlet_words())


@cache
def _outlet_words() -> tuple[str, ...]:
    """The folded words by which outlets are known: "news", "خبرگزاری"."""
    rows = data_files.read_csv("outlet_words.csv")
    return tuple(fold(row["word"]) for row in rows)


def _other_segments(declared: Sequence[str]) -> set[str]:
    """The segments of the title element that are no headline, as letters.

    Those that are shorter than half of it and do not stand first, and a name before a
    colon whose rest another title of the head gives alone. An h1 that says the same
    names a blog or a section, unless another title ends so, too.
    """
    *others, title = declared
    segments = _split_title(title)
    if "»" in title and "«" not in title:
        # "The Blog » Archive » A bridge" stands the other way round.
        segments.reverse()
    found = [one for one in segments[1:] if len(one) < len(title) // 2]
    site, colon, rest = title.partition(": ")
    if colon and any(_same(rest, other) for other in others):
        found.append(site)
    stated = [bare_letters(text) for text in others]
    letters = {bare_letters(one) for one in found}
    return {one for one in letters if not any(text.endswith(one) for text in stated)}


def _split_title(title: str) -> list[str]:
    """The parts of a title between its separators."""
    segments: list[str] = []
    start = 0
    for separator in _find_separators(title):
        segments.append(title[start : separator.start()])
        start = separator.end()
    return [*segments, title[start:]]


def _same(one: str, other: str) -> bool:
    return bare_letters(one) == bare_letters(other)


def _taglines(declared: Sequence[str], short: Sequence[str]) -> set[str]:
    """What the head's titles say behind the site's name: a headline or a tagline."""
    found: set[str] = set()
    for text, stripped in zip(declared, short, strict=True):
        if stripped and not text.startswith(stripped):
            found.add(bare_letters(stripped))
    return found


def _confirmed_h1(
    h1s: Iterable[str], declared: Sequence[str], short_declared: Sequence[str]
) -> str | None:
    """An `h1` that the head repeats, without the kicker that stands before it."""
    known = {bare_letters(text) for text in declared} - {""}
    for h1 in h1s:
        if bare_letters(h1) not in known:
            continue
        og_title, headline = short_declared[:2]
        for shorter in (og_title, headline):
            if _is_main_part(shorter, h1):
                return shorter
        if _same(og_title, headline) and _is_main_part(h1, og_title):
            return og_title
        return h1
    return None


def _continued_h1(h1s: Iterable[str], declared: Sequence[str]) -> str | None:
    """An `h1` that a title of the head continues with a separator and a name."""
    for h1 in h1s:
        for text in declared:
            rest = text.removeprefix(h1)
            if not h1 or not text.startswith(h1) or len(rest) > len(h1):
                continue
            if _SEPARATOR.match(rest) or _COLON.match(rest):
                return h1
    return None


def _most_similar_h1(h1s: Iterable[str], declared: Sequence[str]) -> str | None:
    """The `h1` that shares at least half of its words with what the head says."""
    best, best_overlap = "", 0.0
    for h1 in h1s:
        overlap = max((_word_overlap(h1, text) for text in declared), default=0.0)
        if overlap > best_overlap:
            best, best_overlap = h1, overlap
    if best_overlap < _MIN_OVERLAP:
        return None
    og_title, headline = declared[:2]
    if _same(og_title, headline) and bare_letters(og_title).endswith(
        bare_letters(best)
    ):
        return og_title
    for text in declared:
        if _is_main_part(text, best):
            return text
        # A date stands in the same element.
        is_stated_twice = sum(_same(text, other) for other in declared) > 1
        rest = best.removeprefix(text)
        if is_stated_twice and text and rest != best and _DIGIT.search(rest):
            return text
    if len(best.split()) > 1 or not any(declared):
        return best
    return None


def _unconfirmed_headline(
    h1s: Sequence[str], declared: Sequence[str], taglines: Collection[str]
) -> str | None:
    """What the head says, or a lone `h1`.

    The lone `h1` where the head has nothing but a tagline, or a title element of one or
    two words, or one that shares a word with it.
    """
    og_title, headline, _, title = declared
    is_alone = len(h1s) == 1
    stated = headline or og_title
    if stated and not (is_alone and bare_letters(stated) in taglines):
        return stated
    if is_alone and (
        len(title.split()) < 3
        or _word_overlap(h1s[0], title) > 0
        or bare_letters(title) in taglines
    ):
        return h1s[0]
    return stated or title or next(iter(h1s), None)


def _is_main_part(part: str, whole: str) -> bool:
    """Whether a text is the greater part of a longer one's end.

    It is the same headline without its kicker.
    """
    short, long = bare_letters(part), bare_letters(whole)
    return len(long) <= 2 * len(short) < 2 * len(long) and long.endswith(short)


def _word_overlap(one: str, other: str) -> float:
    """Share of the words of the shorter text that the other has, from 0 to 1."""
    first = set(_WORD.findall(one.lower()))
    second = set(_WORD.findall(other.lower()))
    if not first or not second:
        return 0.0
    return len(first & second) / min(len(first), len(second))
