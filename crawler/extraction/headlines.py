"""The headline of a page among the five places that carry it, without the site's name.

Pure.
"""

import re
from collections.abc import Iterable, Sequence
from html import unescape

from crawler.extraction.blocks import bare_letters
from storage.folding import printable

MAX_HEADLINE_CHARS = 500  # of a headline that are looked at
# The share of the words of the shorter text that makes two texts the same headline.
_MIN_OVERLAP = 0.5
_SEPARATOR = re.compile(r"\s+(?:[|–—·•»«~:/⋆*-]|--|::|\|\|)\s+|\s*(?:\||»|--)\s*")
_TAG_MARKS = frozenset({"-", "–", "—", "»", "·", "•", "--"})
_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}")
_WORD = re.compile(r"\w+")


def choose_headline(
    *, declared: Sequence[str], h1s: Sequence[str], site: str | None, host: str
) -> str | None:
    """The headline: an `h1` that the page's head confirms, else what the head says.

    `declared`: og:title, JSON-LD headline, twitter:title and title element in this
    order, "" where there is none. `h1s`: the `h1` elements in the order of the page.
    `host`: without www. The site's name is taken off.
    """
    declared = [_single_spaced(text) for text in declared]
    h1s = [_single_spaced(text) for text in h1s]
    # Old blogs put their name into every h1.
    label = host.rpartition(".")[0]
    own_names = {bare_letters(name) for name in ("", site or "", host, label)}
    h1s = [text for text in h1s if bare_letters(text) not in own_names]
    short_declared = [strip_site_name(text, site or "", host) for text in declared]
    short_h1s = [strip_site_name(text, site or "", host) for text in h1s]
    return (
        _confirmed_h1(h1s, declared, short_declared)
        or _confirmed_h1(short_h1s, short_declared, short_declared)
        or _most_similar_h1(short_h1s, short_declared)
        or _unconfirmed_headline(short_h1s, short_declared)
    )


def strip_site_name(title: str, site: str, host: str) -> str:
    """A title without the segments at its ends that name the site, a section or a date."""
    while separators := list(_SEPARATOR.finditer(title)):
        first, last = separators[0], separators[-1]
        start, end = title[: first.start()].strip(), title[last.end() :].strip()
        before, after = title[: last.start()].strip(), title[first.end() :].strip()
        if before and _names_site(end, site, host):
            title = before
        elif after and _names_site(start, site, host):
            title = after
        elif before and _looks_like_tag(end, before, last.group().strip()):
            title = before
        else:
            break
    return title


def _single_spaced(text: str) -> str:
    # After unescaping: a page may write a control character as a reference (&#x81;), or
    # as one of a reference.
    return " ".join(printable(unescape(text[:MAX_HEADLINE_CHARS])).split())


def _names_site(segment: str, site: str, host: str) -> bool:
    """Whether a segment of a title is the site, its host, a part of them, or a date."""
    name = bare_letters(segment)
    if not name or _DATE.fullmatch(segment.strip()):
        return True
    for known in (bare_letters(site), bare_letters(host.rpartition(".")[0])):
        # "Orbit World Today - Asia" still names Orbit World; a segment of two and a
        # half times the length is a headline that mentions it.
        longest = max(5 * len(known) // 2, len(known) + 1)
        if not known or len(name) >= longest:
            continue
        if name == known or (len(name) > 2 and name in known):
            return True
        if len(known) > 3 and known in name:
            return True
    return False


def _looks_like_tag(segment: str, rest: str, mark: str) -> bool:
    """Whether the last segment is a site or section by its shape.

    It has few words after a bar, or begins with a capital after a dash.
    """
    words, rest_words = len(segment.split()), len(rest.split())
    if "|" in mark:
        return words <= 4 and rest_words >= 2
    if mark not in _TAG_MARKS:
        return False
    return words <= 3 and rest_words >= 5 and segment[:1].isupper()


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
        agree = bare_letters(og_title) == bare_letters(headline)
        if agree and _is_main_part(h1, og_title):
            return og_title
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
    for text in declared:
        if _is_main_part(text, best):
            return text
    for text in declared:
        ending = _common_ending(text, best)
        long_enough = 2 * len(bare_letters(ending)) >= len(bare_letters(best))
        if long_enough and len(ending.split()) >= 3:
            return ending
    if len(best.split()) > 1 or not any(declared):
        return best
    return None


def _unconfirmed_headline(h1s: Sequence[str], declared: Sequence[str]) -> str | None:
    """What the head says, or a lone `h1`.

    The lone `h1` where the head has nothing but a title element of one or two words, or
    one that shares a word with it.
    """
    og_title, headline, _, title = declared
    if headline or og_title:
        return headline or og_title
    if len(h1s) == 1 and (len(title.split()) < 3 or _word_overlap(h1s[0], title) > 0):
        return h1s[0]
    return title or next(iter(h1s), None)


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


def _common_ending(one: str, other: str) -> str:
    """The words that both texts end with."""
    first, second = one.split(), other.split()
    size = 0
    while size < min(len(first), len(second)) and first[-1 - size] == second[-1 - size]:
        size += 1
    return " ".join(first[len(first) - size :]).lstrip(" :–-|")
