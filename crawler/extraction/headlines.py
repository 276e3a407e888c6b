"""The headline of a page among the five places that carry it, without the site's name. Pure."""

import re
from collections.abc import Iterable, Sequence
from html import unescape

from storage.folding import printable

MAX_HEADLINE_CHARS = 500  # characters of a headline that are looked at
_SEPARATOR = re.compile(r"\s+(?:[|–—·•»«~:/⋆*-]|--|::|\|\|)\s+|\s*(?:\||»|--)\s*")
_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}")
_WORD = re.compile(r"\w+")
_MARKS = re.compile(r"[\W_]+")


def choose_headline(
    *, said: Sequence[str], heads: Sequence[str], site: str | None, host: str
) -> str | None:
    """The headline.

    An `h1` that the page's head confirms, else what the head says, without the site's
    name.

    `said`: og:title, JSON-LD headline, twitter:title and title element in this order,
    "" where there is none. `heads`: the `h1` elements in the order of the page. `host`:
    without www.
    """
    said = [_single_spaced(text) for text in said]
    names = {
        bare_letters(site or ""),
        bare_letters(host),
        bare_letters(host.rpartition(".")[0]),
    } - {""}
    heads = [
        text
        for text in map(_single_spaced, heads)
        if bare_letters(text) and bare_letters(text) not in names
    ]
    short = [strip_site_name(text, site or "", host) for text in said]
    bare = [strip_site_name(text, site or "", host) for text in heads]
    return (
        _confirmed_h1(heads, said, short)
        or _confirmed_h1(bare, short, short)
        or _most_similar_h1(bare, short)
        or _fallback(bare, short)
    )


def bare_letters(text: str) -> str:
    """What two spellings of a headline are compared by.

    Letters and digits, lower case.
    """
    return _MARKS.sub("", text).lower()


def strip_site_name(title: str, site: str, host: str) -> str:
    """A title without the segments at its end or start that name the site, its section or a date."""
    while parts := list(_SEPARATOR.finditer(title)):
        first, last = parts[0], parts[-1]
        start, end = title[: first.start()].strip(), title[last.end() :].strip()
        before, after = title[: last.start()].strip(), title[first.end() :].strip()
        if before and _names_site(end, site, host):
            title = before
        elif after and _names_site(start, site, host):
            title = after
        elif before and _is_tag(end, before, last.group().strip()):
            title = before
        else:
            break
    return title


def _single_spaced(text: str) -> str:
    # After unescaping: a page may write a control character as a reference (&#x81;), or
    # as one of a reference.
    return " ".join(printable(unescape(text[:MAX_HEADLINE_CHARS])).split())


def _names_site(segment: str, site: str, host: str) -> bool:
    """Whether a segment of a title is the site's name, its host, a part of either, or a date."""
    name = bare_letters(segment)
    if not name or _DATE.fullmatch(segment.strip()):
        return True
    label = bare_letters(host.rpartition(".")[0])
    return any(
        name == known
        or (len(name) > 2 and name in known)
        or (len(known) > 3 and known in name[: 5 * len(known) // 2])
        for known in (bare_letters(site), label)
        if known and len(name) < max(5 * len(known) // 2, len(known) + 1)
    )


def _is_tag(segment: str, rest: str, mark: str) -> bool:
    """Whether the last segment is a site or section by its shape.

    Few words after a bar, a capital after a dash.
    """
    words = len(segment.split())
    if "|" in mark:
        return words <= 4 and len(rest.split()) >= 2
    return mark in {"-", "–", "—", "»", "·", "•", "--"} and (
        words <= 3 and len(rest.split()) >= 5 and segment[:1].isupper()
    )


def _confirmed_h1(
    heads: Iterable[str], said: Sequence[str], short: Sequence[str]
) -> str | None:
    """An `h1` that the head repeats, without the kicker that stands before it."""
    known = {bare_letters(text) for text in said} - {""}
    for head in heads:
        if bare_letters(head) in known:
            og, told = short[:2]
            if _is_main_part(og, head) or _is_main_part(told, head):
                return og if _is_main_part(og, head) else told
            return (
                og
                if bare_letters(og) == bare_letters(told) and _is_main_part(head, og)
                else head
            )
    return None


def _most_similar_h1(heads: Iterable[str], said: Sequence[str]) -> str | None:
    """The `h1` that shares at least half of its words with what the head says."""
    scored = [
        (max((_word_overlap(head, text) for text in said), default=0.0), head)
        for head in heads
    ]
    score, head = max(scored, key=lambda pair: pair[0], default=(0.0, ""))
    if score < 0.5:
        return None
    for text in said:
        if _is_main_part(text, head):
            return text
    for text in said:
        tail = _common_ending(text, head)
        if (
            2 * len(bare_letters(tail)) >= len(bare_letters(head))
            and len(tail.split()) >= 3
        ):
            return tail
    return head if len(head.split()) > 1 or not any(said) else None


def _fallback(heads: Sequence[str], said: Sequence[str]) -> str | None:
    """What the head says.

    A lone `h1` where that is nothing but a short or unrelated title.
    """
    og, told, _, title = said
    if told or og:
        return told or og
    if len(heads) == 1 and (len(title.split()) < 3 or _word_overlap(heads[0], title)):
        return heads[0]
    return title or next(iter(heads), None)


def _is_main_part(part: str, whole: str) -> bool:
    """Whether a text is the greater part of a longer one's end.

    The same headline without its kicker.
    """
    short, long = bare_letters(part), bare_letters(whole)
    return len(long) <= 2 * len(short) < 2 * len(long) and long.endswith(short)


def _word_overlap(one: str, other: str) -> float:
    """Share of the words of the shorter text that the other has."""
    first, second = set(_WORD.findall(one.lower())), set(_WORD.findall(other.lower()))
    return (
        len(first & second) / min(len(first), len(second)) if first and second else 0.0
    )


def _common_ending(one: str, other: str) -> str:
    """The words that both texts end with."""
    first, second = one.split(), other.split()
    size = 0
    while size < min(len(first), len(second)) and first[-1 - size] == second[-1 - size]:
        size += 1
    return " ".join(first[len(first) - size :]).lstrip(" :–-|")
