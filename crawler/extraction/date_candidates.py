"""Where a page says when it was published or changed: each place with its text, unread.

The surest places come first. Pure.

A new kind of place is a function that gives candidates, and its line in
`candidates_of_page`. The names of meta tags are data (`data/date_meta_tags.csv`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from lxml import etree, html

from crawler import data_files
from crawler.extraction import json_ld
from storage.folding import fold

PUBLISHED = "published"
MODIFIED = "modified"

# How far a place is right, from 0 to 1. Those of meta tags stand in their table.
_ARTICLE_WEIGHT = 0.96  # JSON-LD of an article, or of another work that has a day
_PAGE_WEIGHT = 0.9  # JSON-LD of a page
_OWN_URL_BONUS = 0.01  # of JSON-LD that names this page
_CREATED_PENALTY = 0.1  # dateCreated may be a draft's
_MICRODATA_WEIGHT = 0.9
TIME_ELEMENT_WEIGHT = 0.88  # one that says what it dates; microdata weigh more
_PLAIN_TIME_ELEMENT_WEIGHT = 0.82
_URL_WEIGHT = 0.8
_SLUG_WEIGHT = 0.4  # where nothing on the page tells
_PUBLISHED_CLASS_WEIGHT = 0.78
_DATE_CLASS_WEIGHT = 0.72
_BY_HEADLINE_WEIGHT = 0.62
_ABOVE_HEADLINE_WEIGHT = 0.54
_SCRIPT_WEIGHT = 0.5
_TITLE_WEIGHT = 0.5
_LINE_WEIGHT = 0.45  # of the article's first or last lines
_ANYWHERE_WEIGHT = 0.42
_CUE_BONUS = 0.08  # "Published:" before a date
_WORD_PENALTY = 0.04  # for each word beyond four beside a date
_LINK_PENALTY = 0.15
# What a place in an aside, the site's header or a part named like a teaser costs.
_ELSEWHERE_PENALTY = 0.45
_TEXT_ELSEWHERE_PENALTY = 0.15
_MIN_WEIGHT = 0.2  # a text below this is a sentence with a date in it

_MAX_ELEMENTS = 400  # of one kind that are looked at
_MAX_CLASSED_ELEMENTS = 20 * _MAX_ELEMENTS
_MAX_MICRODATA = 20  # elements
_MAX_CANDIDATES = 40  # of one group
_MAX_ANCESTORS = 40  # that are asked what they are
_MAX_TEXTS = 4_000  # of a page
_CARD_TAGS = frozenset({"a", "article", "div", "li", "p", "section", "td", "tr"})
_MAX_CARD_CHARS = 600  # of a teaser with its headline, summary and date
_MAX_CARD_LINKS = 8
# A section has up to three words, "Leave a comment" as well.
_MIN_HEADLINE_WORDS = 5
_MIN_UNSPACED_HEADLINE_CHARS = 12  # in Chinese and Japanese
_MAX_TEXT_CHARS = 160  # of an element that may hold a date

# Works that are no articles and give the day of the page all the same.
_OTHER_WORKS = ("recipe", "creativework")
_PAGE_TYPES = frozenset({"webpage", "itempage", "aboutpage", "medicalwebpage"})
_JSON_LD_KEYS = (
    ("datePublished", PUBLISHED),
    ("dateModified", MODIFIED),
    ("dateCreated", PUBLISHED),
)
_SCRIPTED = re.compile(
    r"\b(?:firstPubli(?:shed|cation)(?:Date)?"
    r"|publi(?:shed|sh|cation)[_]?(?:Date|At|Time|on)"
    r"|datePublished|pubDate|deployDt|articleDate)"
    r"""\\{0,3}["']?\s{0,5}:\s{0,5}\\{0,3}["']([^"'<>\\]{6,60})""",
    re.IGNORECASE,
)

# Parts of a page that speak of other articles, or of none.
_ELSEWHERE = re.compile(
    r"comment|disqus|livefyre|discussion|related|sidebar|widget|footer|teaser|recommend|trending|popular"
    r"|most-?read|newsletter|top-?bar|masthead|navbar|menu|current-?(date|time)|today"
    r"|ticker|breaking|clock|carousel|read-?more|more-?(news|stories|from)|latest|promo"
    r"|advert|calendar|event|reply|respond",
    re.IGNORECASE,
)
_COMMENTS = re.compile(
    r"comments?\b|comment-?(list|body|meta|item)|disqus|livefyre|reply|respond|related",
    re.IGNORECASE,
)
_DATE_CLASS = re.compile(
    r"publi|posted|post-?(date|time|meta|info|on)|entry-?(date|meta|time)"
    r"|(article|story|news|page|content|blog)[-_]*(date|time|meta|info)|dateline"
    r"|timestamp|byline|datum|date|fecha|created|zeit|veroeff|submitted|meta-?info",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"updat|modif|aktualis|actualiz|bearbeit|changed|edited|mis-?a-?jour", re.IGNORECASE
)
_FIRST = re.compile(r"publi|entry-date|post-date|created|posted", re.IGNORECASE)
_CUE = re.compile(
    r"publi|posted|stand\b|erschienen|veröff|created|date|datum|تاریخ|نشر|انتشار|نېټه|خپور",
    re.IGNORECASE,
)
_SECTION_LINK = re.compile(
    r"/(?:tags?|category|categories|topics?|sections?|s|authors?|users?|profile|people)/"
    r"|/@",
    re.IGNORECASE,
)
# Whole segments of the path only: a number in a slug is as often a count, a year that
# is told of, or the article's own number.
_URL_DATE = re.compile(
    r"/(?:((?:19|20)\d{2}|1[34]\d{2})([/_-])(\d{1,2})\2(\d{1,2})"
    r"|(20\d{2})(\d{2})(\d{2}))(?=/|$)"
)
# Blogs without any date on the page name their files so: /2020-10-18-canal-opens.
_SLUG_DATE = re.compile(r"/((?:19|20)\d{2})-(\d{2})-(\d{2})-(?=[a-z])")
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_SHORT_TEXTS = etree.XPath(
    "//body//text()[string-length() > 5 and string-length() < 200]"
)
_MICRODATA = etree.XPath(
    "//*[@itemprop='datePublished' or @property='datePublished'"
    " or @property='schema:datePublished']"
)
_CLASSED = etree.XPath(
    "//body//*[@class or @id or @itemprop or @property]"
    "[not(self::script or self::style or self::body or self::img)]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateCandidate:
    """One place of a page that gives a date, and how far such places are right."""

    kind: str  # what it dates: published, modified
    method: str  # where it stands: jsonld, meta, time, url, text
    raw: str
    weight: float  # 0 to 1


def candidates_of_page(
    tree: html.HtmlElement,
    objects: Sequence[Mapping[str, Any]],
    *,
    url: str,
    text: str = "",
) -> Iterator[list[DateCandidate]]:
    """The candidates of a page, group by group, the surest groups first.

    A reader who is content stops early, and spares the rest. `objects` are the JSON-LD
    objects that count for the page (`json_ld.select_own`), `text` its article.
    """
    layout = _Layout(tree, url)
    yield candidates_in_json_ld(objects, url) + _in_meta(tree, layout)
    yield _in_microdata(tree)
    yield (
        _in_time_elements(tree, layout)
        + _in_classed_elements(tree, layout)
        + candidates_in_url(url)
    )
    yield _near_headline(tree, layout) + _in_article_lines(text)
    yield _anywhere(tree, layout) + _in_scripts(tree) + _in_slug(url)


def candidates_in_json_ld(
    objects: Iterable[Mapping[str, Any]], url: str
) -> list[DateCandidate]:
    """The object that names this page first, then articles, then pages."""
    path = url.partition("://")[2].partition("?")[0].rstrip("/")
    found: list[DateCandidate] = []
    for place, item in enumerate(objects):
        types = [one.lower() for one in json_ld.types_of(item)]
        if json_ld.is_article(item) or any(one.endswith(_OTHER_WORKS) for one in types):
            weight = _ARTICLE_WEIGHT
        elif not _PAGE_TYPES.isdisjoint(types):
            weight = _PAGE_WEIGHT
        else:
            continue
        if _names_path(item, path):
            weight += _OWN_URL_BONUS
        weight -= min(place, 50) / 10_000
        for key, kind in _JSON_LD_KEYS:
            raw = item.get(key)
            if isinstance(raw, list):
                raw = next(iter(raw), "")
            if isinstance(raw, int | float):
                raw = str(raw)  # seconds or milliseconds since 1970
            if not isinstance(raw, str) or not raw.strip():
                continue
            penalty = _CREATED_PENALTY if key == "dateCreated" else 0.0
            found.append(_candidate(raw, weight - penalty, kind=kind, method="jsonld"))
    return _surest_first(found)


def candidates_in_url(url: str) -> list[DateCandidate]:
    """A day that is whole segments of the path: /2021/07/04/, /20210704/, /1400/04/13/."""
    path = url.partition("://")[2].partition("/")[2].partition("?")[0][:500]
    match = _URL_DATE.search(f"/{path}")
    if not match:
        return []
    year, _, month, day, *compact = match.groups()
    parts = (year, month, day) if year else compact
    return [_candidate("-".join(parts), _URL_WEIGHT, method="url")]


def _in_slug(url: str) -> list[DateCandidate]:
    match = _SLUG_DATE.search(url[:500])
    if not match:
        return []
    return [_candidate("-".join(match.groups()), _SLUG_WEIGHT, method="url")]


def _candidate(
    raw: str, weight: float, *, kind: str = PUBLISHED, method: str
) -> DateCandidate:
    return DateCandidate(kind=kind, method=method, raw=raw, weight=round(weight, 4))


def _surest_first(candidates: Iterable[DateCandidate]) -> list[DateCandidate]:
    return sorted(candidates, key=lambda candidate: -candidate.weight)


def _names_path(item: Mapping[str, Any], path: str) -> bool:
    """Whether an object gives a page's address as its own."""
    page = item.get("mainEntityOfPage")
    if isinstance(page, Mapping):
        page = page.get("@id")
    named = (item.get("url"), item.get("@id"), page)
    return bool(path) and any(isinstance(one, str) and path in one for one in named)


def _in_meta(tree: html.HtmlElement, layout: "_Layout") -> list[DateCandidate]:
    found: list[DateCandidate] = []
    for element in tree.iter("meta"):
        content = (element.get("content") or element.get("value") or "").strip()
        if not content:
            continue
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            name = (element.get(attribute) or "").strip().lower()
            known = _meta_tags().get(name)
            if known is None:
                continue
            # Microdata of a teaser are meta elements in its place, not in the head.
            if attribute == "itemprop" and layout.is_aside(element):
                continue
            kind, weight = known
            raw = content[:_MAX_TEXT_CHARS]
            found.append(_candidate(raw, weight, kind=kind, method="meta"))
    return _surest_first(found)


@cache
def _meta_tags() -> dict[str, tuple[str, float]]:
    """What each known meta tag dates, and its weight, by its lower-case name."""
    rows = data_files.read_csv("date_meta_tags.csv")
    return {row["name"]: (row["kind"], float(row["weight"])) for row in rows}


def _in_microdata(tree: html.HtmlElement) -> list[DateCandidate]:
    """Microdata of the article.

    Some sites give the first publication here and the last one in their meta tags.
    """
    found: list[DateCandidate] = []
    for element in _select(tree, _MICRODATA)[:_MAX_MICRODATA]:
        raw = (
            element.get("content")
            or element.get("datetime")
            or element.get("title")
            or _short_text(element)
        )
        if not raw or element.tag == "meta":
            continue
        around = [_own_words(e) for e in islice(element.iterancestors(), 6)]
        if _COMMENTS.search(" ".join(around)):
            continue
        weight = round(_MICRODATA_WEIGHT - len(found) / 1_000, 3)
        found.append(_candidate(raw[:_MAX_TEXT_CHARS], weight, method="time"))
    return found


def _in_time_elements(tree: html.HtmlElement, layout: "_Layout") -> list[DateCandidate]:
    """`<time>`: those that say what they date first, then in the order of the page.

    Asides and teasers come last.
    """
    found: list[DateCandidate] = []
    marked = islice(tree.iter("time", "abbr"), _MAX_ELEMENTS)
    for place, element in enumerate(marked):
        raw = element.get("data-utime")  # seconds since 1970, as Facebook gives them
        if element.tag == "time":
            raw = (
                element.get("datetime")
                or element.get("content")
                or _short_text(element)
            )
        if not raw or not _DIGIT.search(raw):
            continue
        words = f"{element.get('itemprop') or ''} {_own_words(element)}"
        if element.get("pubdate") is not None or _FIRST.search(words):
            kind, weight = PUBLISHED, TIME_ELEMENT_WEIGHT
        else:
            kind, weight = PUBLISHED, _PLAIN_TIME_ELEMENT_WEIGHT
            if _CHANGED.search(f"{words} {_own_words(element.getparent())}"):
                kind = MODIFIED
        if layout.is_of_others(element):
            continue
        if layout.is_aside(element):
            weight -= _ELSEWHERE_PENALTY
        weight -= min(place, 50) / 1_000
        raw = raw[:_MAX_TEXT_CHARS]
        found.append(_candidate(raw, weight, kind=kind, method="time"))
    return _surest_first(found)


def _in_classed_elements(
    tree: html.HtmlElement, layout: "_Layout"
) -> list[DateCandidate]:
    """Elements whose class or id speaks of a date.

    Their date is in a machine-readable attribute, or it is their text, which is short.
    """
    found: list[DateCandidate] = []
    for element in _select(tree, _CLASSED)[:_MAX_CLASSED_ELEMENTS]:
        itemprop, rdfa = element.get("itemprop") or "", element.get("property") or ""
        words = f"{itemprop} {rdfa} {_own_words(element)}"[:300]
        if element.tag == "time" or not _speaks_of_date(words):
            continue
        raw = (
            element.get("content")
            or element.get("datetime")
            or element.get("title")
            or _short_text(element)
        )
        if not raw or len(raw) > _MAX_TEXT_CHARS or not _DIGIT.search(raw):
            continue
        kind, weight = PUBLISHED, _DATE_CLASS_WEIGHT
        if _FIRST.search(words):
            weight = _PUBLISHED_CLASS_WEIGHT
        elif _CHANGED.search(words):
            kind = MODIFIED
        if _CHANGED.search(raw) and not _CUE.search(raw):
            kind = MODIFIED
        weight -= _words_penalty(raw) + len(found) / 1_000
        if layout.is_of_others(element):
            continue
        if layout.is_aside(element):
            weight -= _ELSEWHERE_PENALTY
        if _is_link(element):
            weight -= _LINK_PENALTY
        found.append(_candidate(raw, weight, kind=kind, method="text"))
        if len(found) >= _MAX_CANDIDATES:
            break
    return _surest_first(found)


def _near_headline(tree: html.HtmlElement, layout: "_Layout") -> list[DateCandidate]:
    """Short texts with a figure in and behind the headline, then those before it."""
    heading = next(tree.iter("h1"), None)
    if heading is None:
        heading = next(tree.iter("h2"), None)
    if heading is None:
        return []
    places = (
        (_texts_inside(heading), 10, _BY_HEADLINE_WEIGHT),
        (_texts_behind(heading), 40, _BY_HEADLINE_WEIGHT),
        (_texts_before(heading), 10, _ABOVE_HEADLINE_WEIGHT),
    )
    found: list[DateCandidate] = []
    for texts, most, weight in places:
        worded = (pair for pair in texts if len(pair[0].strip()) > 5)
        for place, (text, parent) in enumerate(islice(worded, most)):
            candidate = _in_text(text, parent, weight - place / 1_000, layout)
            if candidate is not None:
                found.append(candidate)
    return _surest_first(found)


def _in_article_lines(text: str) -> list[DateCandidate]:
    """The first and last lines of the article: a dateline, or "published on ..."."""
    lines = text[:3_000].split("\n")[:4] + text[-1_000:].split("\n")[-3:]
    dated = [line for line in lines if _DIGIT.search(line)]
    found: list[DateCandidate] = []
    for place, line in enumerate(dated):
        raw = line[:_MAX_TEXT_CHARS]
        weight = _LINE_WEIGHT - place / 100 - _words_penalty(raw)
        if weight >= _MIN_WEIGHT:
            found.append(_candidate(raw, weight, method="text"))
    return found


def _anywhere(tree: html.HtmlElement, layout: "_Layout") -> list[DateCandidate]:
    """Texts anywhere that are little else than a date, and the page's title."""
    found: list[DateCandidate] = []
    title = next(tree.iter("title"), None)
    if title is not None:
        # Some sites end their titles with one.
        ending = (title.text or "")[-40:]
        found.append(_candidate(ending, _TITLE_WEIGHT, method="text"))
    for place, text in enumerate(_select(tree, _SHORT_TEXTS)[:_MAX_TEXTS]):
        if len(text.split()) > 9:
            continue
        weight = _ANYWHERE_WEIGHT - place / 20_000
        candidate = _in_text(text, text.getparent(), weight, layout)
        if candidate is None or _words_penalty(candidate.raw) > 0:
            continue
        found.append(candidate)
        if len(found) >= _MAX_CANDIDATES:
            break
    return _surest_first(found)


def _in_scripts(tree: html.HtmlElement) -> list[DateCandidate]:
    """What a page's own scripts say of it.

    Several days are those of a list, in which nothing tells the page's own.
    """
    chars_left = json_ld.MAX_JSON_LD_CHARS
    found: list[DateCandidate] = []
    for script in tree.iter("script"):
        raw = script.text or ""
        chars_left -= len(raw)
        if chars_left < 0:
            break
        found += [
            _candidate(value, _SCRIPT_WEIGHT, method="meta")
            for value in _SCRIPTED.findall(raw)[:5]
        ]
    if len({candidate.raw[:10] for candidate in found}) > 1:
        return []
    return found


def _in_text(
    text: str, parent: html.HtmlElement, weight: float, layout: "_Layout"
) -> DateCandidate | None:
    """A text, if it has a figure and is short enough to be little else than a date."""
    if not _DIGIT.search(text) or parent.tag in ("script", "style"):
        return None
    raw = " ".join(text[:400].split())
    if len(raw) > _MAX_TEXT_CHARS:
        return None
    weight -= _words_penalty(raw)
    if _CUE.search(raw):
        weight += _CUE_BONUS
    if layout.is_of_others(parent):
        return None
    if layout.is_aside(parent):
        weight -= _TEXT_ELSEWHERE_PENALTY
    if _is_link(parent):
        weight -= _LINK_PENALTY
    if weight < _MIN_WEIGHT:
        return None
    kind = MODIFIED if _CHANGED.search(raw) else PUBLISHED
    return _candidate(raw, weight, kind=kind, method="text")


def _words_penalty(raw: str) -> float:
    """What is taken off for words beside the date.

    A date in a sentence is what the sentence is about.
    """
    return _WORD_PENALTY * max(0, len(_LETTERS.findall(raw)) - 4)


def _texts_inside(
    element: html.HtmlElement,
) -> Iterator[tuple[str, html.HtmlElement]]:
    """Texts of an element with their parents, in the order of the page."""
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if event == "start" and node.text and isinstance(node.tag, str):
            yield node.text, node
        elif event == "end" and node.tail and node is not element:
            yield node.tail, node.getparent()


def _texts_behind(
    element: html.HtmlElement,
) -> Iterator[tuple[str, html.HtmlElement]]:
    """Texts that follow an element, nearest first.

    XPath's axis would collect them all, to the end of the page.
    """
    node: html.HtmlElement | None = element
    while node is not None and node.getparent() is not None:
        if node.tail:
            yield node.tail, node.getparent()
        for sibling in node.itersiblings():
            yield from _texts_inside(sibling)
            if sibling.tail:
                yield sibling.tail, node.getparent()
        node = node.getparent()


def _texts_before(
    element: html.HtmlElement,
) -> Iterator[tuple[str, html.HtmlElement]]:
    """Texts before an element, nearest first; of a long neighbour only its beginning."""
    for node in islice((element, *element.iterancestors()), 4):
        for sibling in node.itersiblings(preceding=True):
            yield from reversed(list(islice(_texts_inside(sibling), 50)))


def _select(tree: html.HtmlElement, path: etree.XPath) -> list[Any]:
    """What a path finds: elements, or texts that know their parent."""
    found = path(tree)
    return found if isinstance(found, list) else []


def _short_text(element: html.HtmlElement, most: int = _MAX_TEXT_CHARS) -> str:
    """The element's text in single spaces, "" where it is longer than a date may be."""
    pieces: list[str] = []
    chars = 0
    for piece in element.itertext():
        pieces.append(piece)
        chars += len(piece)
        if chars > 10 * most:
            return ""
    text = " ".join(" ".join(pieces).split())
    return text if len(text) <= most else ""


class _Layout:
    """Which parts of a page are not its article: teasers, comments, the foot."""

    def __init__(self, tree: html.HtmlElement, url: str) -> None:
        heading = next(tree.iter("h1"), None)
        self._around_headline: set[html.HtmlElement] = set()
        if heading is not None:
            self._around_headline = {heading, *heading.iterancestors()}
        title = next(tree.iter("title"), None)
        self._title = "" if title is None else fold(title.text_content()[:400])
        self._path = url.partition("://")[2].partition("/")[2].partition("?")[0]
        self._known: dict[html.HtmlElement, str] = {}

    def is_aside(self, element: html.HtmlElement) -> bool:
        """Whether an element belongs to comments, teasers or the foot of the page."""
        return self._kind_of(element) != ""

    def is_of_others(self, element: html.HtmlElement) -> bool:
        """Whether a date there is another page's, a reader's or a quoted post's."""
        return self._kind_of(element) == "others"

    def _kind_of(self, element: html.HtmlElement) -> str:
        unknown: list[html.HtmlElement] = []
        kind = ""
        for ancestor in islice((element, *element.iterancestors()), _MAX_ANCESTORS):
            if ancestor in self._known:
                kind = self._known[ancestor]
                break
            if ancestor.tag in ("body", "main", "html"):
                break
            unknown.append(ancestor)
        # From the outside in: what is in a part of others' is theirs.
        for ancestor in reversed(unknown):
            kind = max(kind, self._own_kind(ancestor))
            self._known[ancestor] = kind
        return kind

    def _own_kind(self, element: html.HtmlElement) -> str:
        words = _own_words(element)
        is_around_headline = element in self._around_headline
        if not is_around_headline:
            if element.tag == "blockquote" or _COMMENTS.search(words):
                return "others"
            if self._is_card(element):
                return "others"
        if element.tag in ("aside", "footer", "nav") or _speaks_of_elsewhere(words):
            return "aside"
        if element.tag == "header" and next(element.iter("h1", "h2"), None) is None:
            return "aside"  # the site's own header, which shows what day it is
        return ""

    def _is_card(self, element: html.HtmlElement) -> bool:
        """Whether a small part names one other page by its headline, as a link.

        One that names several is a list, or the article's own summary of links.
        """
        if element.tag not in _CARD_TAGS:
            return False
        if not _short_text(element, _MAX_CARD_CHARS):
            return False
        named: set[str] = set()
        for link in islice(element.iter("a"), _MAX_CARD_LINKS):
            if self._names_another_page(link):
                named.add(link.get("href"))
        return len(named) == 1

    def _names_another_page(self, link: html.HtmlElement) -> bool:
        href = (link.get("href") or "").strip()
        if not href or href.startswith(("#", "mailto:", "javascript:")):
            return False
        if (self._path and self._path in href) or _SECTION_LINK.search(href):
            return False
        text = fold(_short_text(link))
        words = text.split()
        is_headline = len(words) >= _MIN_HEADLINE_WORDS
        if len(words) == 1:
            is_headline = len(text) >= _MIN_UNSPACED_HEADLINE_CHARS
        return is_headline and text not in self._title


def _is_link(element: html.HtmlElement) -> bool:
    """Whether an element stands in a link, or is little else than one.

    Its date is that of another page.
    """
    parent = element.getparent()
    return (
        element.tag == "a"
        or (parent is not None and parent.tag == "a")
        or (
            len(element) == 1
            and element[0].tag == "a"
            and not (element.text or "").strip()
        )
    )


# Classes and ids are few on a page, and the same on the next one.
@lru_cache(4_096)
def _speaks_of_date(words: str) -> bool:
    return _DATE_CLASS.search(words) is not None


@lru_cache(4_096)
def _speaks_of_elsewhere(words: str) -> bool:
    return _ELSEWHERE.search(words) is not None


def _own_words(element: html.HtmlElement | None) -> str:
    """The classes and the id of an element."""
    if element is None:
        return ""
    return f"{element.get('class') or ''} {element.get('id') or ''}"[:300]
