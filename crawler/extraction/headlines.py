"""The headline of a page among the five places that carry it, without the site's name. Pure."""

import re
from collections.abc import Iterable, Sequence
from html import unescape

from storage.folding import printable

LONGEST = 500  # characters of a headline that are looked at
_SEPARATOR = re.compile(r"\s+(?:[|–—·•»«~:/⋆*-]|--|::|\|\|)\s+|\s*(?:\||»|--)\s*")
_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}")
_WORD = re.compile(r"\w+")
_MARKS = re.compile(r"[\W_]+")


def choose(*, said: Sequence[str], heads: Sequence[str], site: str | None, host: str) -> str | None:
    """The headline: an `h1` that the page's head confirms, else what the head says, without the site's name.

    `said`: og:title, JSON-LD headline, twitter:title and title element in this order, "" where there is none. `heads`:
    the `h1` elements in the order of the page. `host`: without www.
    """
    said = [_tidy(text) for text in said]
    names = {letters(site or ""), letters(host), letters(host.rpartition(".")[0])} - {""}
    heads = [text for text in map(_tidy, heads) if letters(text) and letters(text) not in names]
    short = [without_site(text, site or "", host) for text in said]
    bare = [without_site(text, site or "", host) for text in heads]
    return (
        _confirmed(heads, said, short)
        or _confirmed(bare, short, short)
        or _likeliest(bare, short)
        or _unconfirmed(bare, short)
    )


def letters(text: str) -> str:
    """What two spellings of a headline are compared by: letters and digits, lower case."""
    return _MARKS.sub("", text).lower()


def without_site(title: str, site: str, host: str) -> str:
    """A title without the segments at its end or start that name the site, its section or a date."""
    while parts := list(_SEPARATOR.finditer(title)):
        first, last = parts[0], parts[-1]
        start, end = title[: first.start()].strip(), title[last.end() :].strip()
        before, after = title[: last.start()].strip(), title[first.end() :].strip()
        if before and _names(end, site, host):
            title = before
        elif after and _names(start, site, host):
            title = after
        elif before and _is_tag(end, before, last.group().strip()):
            title = before
        else:
            break
    return title


def _tidy(text: str) -> str:
    # After unescaping: a page may write a control character as a reference (&#x81;), or as one of a reference.
    return " ".join(printable(unescape(text[:LONGEST])).split())


def _names(segment: str, site: str, host: str) -> bool:
    """Whether a segment of a title is the site's name, its host, a part of either, or a date."""
    name = letters(segment)
    if not name or _DATE.fullmatch(segment.strip()):
        return True
    label = letters(host.rpartition(".")[0])
    return any(
        name == known or (len(name) > 2 and name in known) or (len(known) > 3 and known in name[: 5 * len(known) // 2])
        for known in (letters(site), label)
        if known and len(name) < max(5 * len(known) // 2, len(known) + 1)
    )


def _is_tag(segment: str, rest: str, mark: str) -> bool:
    """Whether the last segment is a site or section by its shape: few words after a bar, a capital after a dash."""
    words = len(segment.split())
    if "|" in mark:
        return words <= 4 and len(rest.split()) >= 2
    return mark in {"-", "–", "—", "»", "·", "•", "--"} and (
        words <= 3 and len(rest.split()) >= 5 and segment[:1].isupper()
    )


def _confirmed(heads: Iterable[str], said: Sequence[str], short: Sequence[str]) -> str | None:
    """An `h1` that the head repeats, without the kicker that stands before it."""
    known = {letters(text) for text in said} - {""}
    for head in heads:
        if letters(head) in known:
            og, told = short[:2]
            if _ends(og, head) or _ends(told, head):
                return og if _ends(og, head) else told
            return og if letters(og) == letters(told) and _ends(head, og) else head
    return None


def _likeliest(heads: Iterable[str], said: Sequence[str]) -> str | None:
    """The `h1` that shares at least half of its words with what the head says."""
    scored = [(max((_overlap(head, text) for text in said), default=0.0), head) for head in heads]
    score, head = max(scored, key=lambda pair: pair[0], default=(0.0, ""))
    if score < 0.5:
        return None
    for text in said:
        if _ends(text, head):
            return text
    for text in said:
        tail = _common_end(text, head)
        if 2 * len(letters(tail)) >= len(letters(head)) and len(tail.split()) >= 3:
            return tail
    return head if len(head.split()) > 1 or not any(said) else None


def _unconfirmed(heads: Sequence[str], said: Sequence[str]) -> str | None:
    """What the head says; a lone `h1` where that is nothing but a short or unrelated title."""
    og, told, _, title = said
    if told or og:
        return told or og
    if len(heads) == 1 and (len(title.split()) < 3 or _overlap(heads[0], title)):
        return heads[0]
    return title or next(iter(heads), None)


def _ends(part: str, whole: str) -> bool:
    """Whether a text is the greater part of a longer one's end: the same headline without its kicker."""
    short, long = letters(part), letters(whole)
    return len(long) <= 2 * len(short) < 2 * len(long) and long.endswith(short)


def _overlap(one: str, other: str) -> float:
    """Share of the words of the shorter text that the other has."""
    first, second = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    return len(first & second) / min(len(first), len(second)) if first and second else 0.0


def _common_end(one: str, other: str) -> str:
    """The words that both texts end with."""
    first, second = one.split(), other.split()
    size = 0
    while size < min(len(first), len(second)) and first[-1 - size] == second[-1 - size]:
        size += 1
    return " ".join(first[len(first) - size :]).lstrip(" :–-|")
