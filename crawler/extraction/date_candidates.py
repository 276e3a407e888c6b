"""Where a page says when it was published or changed.

Each place with its text, unread, the surest first. Pure.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import islice
from typing import Any

from lxml import etree, html

PUBLISHED = "published"
MODIFIED = "modified"

MAX_JSON_LD_CHARS = 500_000  # characters of JSON-LD on one page
MAX_ELEMENTS = 400  # elements of one kind that are looked at
# The weight of a time element that says what it dates; microdata weigh more
TIME_ELEMENT_WEIGHT = 0.88
MAX_CANDIDATES = 40
MAX_ANCESTORS = 40  # ancestors that are asked what they are
MAX_TEXTS = 4_000
ELSEWHERE_PENALTY = 0.45  # what a place in an aside, a teaser or a comment costs
MIN_WEIGHT = 0.2  # a text below this is a sentence with a date in it
LINK_PENALTY = 0.15  # and one in a link
MAX_TEXT_CHARS = 160  # characters of an element that may hold a date

_ARTICLES = re.compile(
    r"(article|posting|blogposting|newsarticle|report|reportage|review|recipe|creativework|story)$"
)
_PAGES = frozenset({"webpage", "itempage", "aboutpage", "medicalwebpage"})
_SCRIPTED = re.compile(
    r"""\b(?:firstPubli(?:shed|cation)(?:Date)?|publi(?:shed|sh|cation)[_]?(?:Date|At|Time|on)|datePublished|pubDate|deployDt|"""
    r"""articleDate)\\{0,3}["']?\s{0,5}:\s{0,5}\\{0,3}["']([^"'<>\\]{6,60})""",
    re.IGNORECASE,
)
_LOOSE_LD = re.compile(r'"date(Published|Modified)"\s{0,5}:\s{0,5}"([^"]{4,60})"')

# Parts of a page that speak of other articles, or of none.
_ELSEWHERE = re.compile(
    r"comment|related|sidebar|widget|footer|teaser|recommend|trending|popular|most-?read|newsletter|"
    r"top-?bar|masthead|navbar|menu|current-?(date|time)|today|ticker|breaking|clock|"
    r"carousel|read-?more|more-?(news|stories|from)|latest|promo|advert|calendar|event|reply|respond",
    re.IGNORECASE,
)
_DATE_CLASS = re.compile(
    r"publi|posted|post-?(date|time|meta|info|on)|entry-?(date|meta|time)|(article|story|news|page|content|blog)[-_]*"
    r"(date|time|meta|info)|dateline|timestamp|byline|datum|date|fecha|created|zeit|veroeff|submitted|meta-?info",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"updat|modif|aktualis|actualiz|bearbeit|changed|edited|mis-?a-?jour", re.IGNORECASE
)
_FIRST = re.compile(r"publi|entry-date|post-date|created|posted", re.IGNORECASE)
_URL_DATE = re.compile(
    r"(?<!\d)(?:((?:19|20)\d{2}|1[34]\d{2})([/_-])(\d{1,2})\2(\d{1,2})(?!\d)|(20\d{2})(\d{2})(\d{2})(?!\d))"
)
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_CUE = re.compile(
    r"publi|posted|stand\b|erschienen|veröff|created|date|datum|تاریخ|نشر|انتشار|نېټه|خپور",
    re.IGNORECASE,
)
_SHORT = etree.XPath("//body//text()[string-length() > 5 and string-length() < 200]")
_COMMENTS = re.compile(r"comment|reply|respond|related", re.IGNORECASE)
_MICRODATA = etree.XPath(
    "//*[@itemprop='datePublished' or @property='datePublished' or @property='schema:datePublished']"
)
_CLASSED = etree.XPath(
    "//body//*[@class or @id or @itemprop or @property][not(self::script or self::style or self::body or self::img)]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateCandidate:
    """One place of a page that gives a date.

    What it dates, where it stands, and how far such places are right.
    """

    kind: str  # published, modified
    how: str  # jsonld, meta, time, url, text
    raw: str
    weight: float  # 0 to 1


def candidates_of_page(
    tree: html.HtmlElement,
    *,
    url: str,
    text: str = "",
    objects: Sequence[Mapping[str, Any]] | None = None,
) -> Iterator[list[DateCandidate]]:
    """The marks of a page, group by group, the surest groups first.

    A reader who is content stops early.
    """
    structured = candidates_in_json_ld(
        _objects(tree) if objects is None else objects, url
    )
    yield structured + ([] if structured else list(_unparsed(tree))) + _meta(tree)
    yield _itemprops(tree)
    yield _time_elements(tree) + _classed(tree) + list(candidates_in_url(url))
    yield _near_headline(tree) + _in_text(text)
    yield _anywhere(tree) + list(_in_scripts(tree))


def candidates_in_json_ld(
    objects: Iterable[Mapping[str, Any]], url: str
) -> list[DateCandidate]:
    """JSON-LD: the object that names this page first, then articles, then pages."""
    marks = []
    for place, item in enumerate(objects):
        rank = _rank(item)
        if rank:
            own = 0.01 if _names(item, url) else 0.0
            for key, kind in (
                ("datePublished", PUBLISHED),
                ("dateModified", MODIFIED),
                ("dateCreated", PUBLISHED),
            ):
                value = item.get(key)
                raw = next(iter(value), "") if isinstance(value, list) else value
                if isinstance(raw, str) and raw.strip():
                    weight = (
                        rank
                        + own
                        - min(place, 50) / 10_000
                        - (0.1 if key == "dateCreated" else 0.0)
                    )
                    marks.append(
                        DateCandidate(
                            kind=kind, how="jsonld", raw=raw, weight=round(weight, 4)
                        )
                    )
    return sorted(marks, key=_by_weight)


def _rank(item: Mapping[str, Any]) -> float:
    named = item.get("@type")
    types = [str(t).lower() for t in (named if isinstance(named, list) else [named])]
    if any(_ARTICLES.search(t) for t in types):
        return 0.96
    return 0.9 if any(t in _PAGES for t in types) else 0.0


def _names(item: Mapping[str, Any], url: str) -> bool:
    page = item.get("mainEntityOfPage")
    named = (
        item.get("url"),
        item.get("@id"),
        page.get("@id") if isinstance(page, Mapping) else page,
    )
    path = url.partition("://")[2].partition("?")[0].rstrip("/")
    return bool(path) and any(isinstance(name, str) and path in name for name in named)


def _objects(tree: html.HtmlElement) -> list[Mapping[str, Any]]:
    """Typed objects of the page's JSON-LD, nested graphs flattened."""
    found: list[Mapping[str, Any]] = []
    for raw in _scripts(tree):
        try:
            data = json.loads(raw, strict=False)
        except (ValueError, RecursionError):
            continue
        stack = [data]
        while stack and len(found) < MAX_ELEMENTS:
            node = stack.pop()
            if isinstance(node, list):
                stack.extend(reversed(node[:MAX_ELEMENTS]))
            elif isinstance(node, dict):
                found.append(node)
                stack.extend(
                    node[key]
                    for key in ("mainEntity", "mainEntityOfPage", "@graph")
                    if key in node
                )
    return found


def _unparsed(tree: html.HtmlElement) -> Iterator[DateCandidate]:
    """Dates of JSON-LD that no parser reads, which is as common as it is broken."""
    for raw in _scripts(tree):
        for which, value in _LOOSE_LD.findall(raw)[:20]:
            yield DateCandidate(
                kind=which.lower(), how="jsonld", raw=value, weight=0.85
            )


def _scripts(tree: html.HtmlElement) -> Iterator[str]:
    left = MAX_JSON_LD_CHARS
    for script in tree.iter("script"):
        raw = script.text or ""
        if "ld+json" in (script.get("type") or "").lower():
            left -= len(raw)
            if left < 0:
                return
            yield raw


def _meta(tree: html.HtmlElement) -> list[DateCandidate]:
    marks = []
    for element in tree.iter("meta"):
        content = (element.get("content") or element.get("value") or "").strip()
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            known = _known().get((element.get(attribute) or "").strip().lower())
            if (
                known
                and content
                and not (attribute == "itemprop" and _is_elsewhere(element))
            ):
                marks.append(
                    DateCandidate(
                        kind=known[0],
                        how="meta",
                        raw=content[:MAX_TEXT_CHARS],
                        weight=known[1],
                    )
                )
    return sorted(marks, key=_by_weight)


@cache
def _known() -> dict[str, tuple[str, float]]:
    text = (
        resources.files("crawler")
        .joinpath("data", "date_marks.csv")
        .read_text(encoding="utf-8")
    )
    return {
        row["name"]: (row["kind"], float(row["weight"]))
        for row in csv.DictReader(text.splitlines())
    }


def _itemprops(tree: html.HtmlElement) -> list[DateCandidate]:
    """Microdata of the article.

    Some sites give the first publication here and the last one in their meta tags.
    """
    marks: list[DateCandidate] = []
    for element in _elements(_MICRODATA, tree)[:20]:
        raw = (
            element.get("content")
            or element.get("datetime")
            or element.get("title")
            or _text(element)
        )
        if raw and element.tag != "meta" and not _COMMENTS.search(_lineage(element)):
            weight = round(0.9 - len(marks) / 1_000, 3)
            marks.append(
                DateCandidate(
                    kind=PUBLISHED, how="time", raw=raw[:MAX_TEXT_CHARS], weight=weight
                )
            )
    return marks


def _lineage(element: html.HtmlElement) -> str:
    """Classes and ids of the nearest ancestors."""
    return " ".join(_own_words(e) for e in islice(element.iterancestors(), 6))


def _time_elements(tree: html.HtmlElement) -> list[DateCandidate]:
    """`<time>`: those that say what they date first, then in the order of the page.

    Asides and teasers last.
    """
    marks = []
    for place, element in enumerate(tree.iter("time")):
        if place >= MAX_ELEMENTS:
            break
        raw = element.get("datetime") or element.get("content") or _text(element)
        if raw and _DIGIT.search(raw):
            marks.append(_time_mark(element, raw, place))
    return sorted(marks, key=_by_weight)


def _time_mark(element: html.HtmlElement, raw: str, place: int) -> DateCandidate:
    said = f"{element.get('itemprop') or ''} {_own_words(element)} {'publi' if element.get('pubdate') is not None else ''}"
    first = _FIRST.search(said)
    changed = not first and _CHANGED.search(f"{said} {_own_words(element.getparent())}")
    weight = (
        (TIME_ELEMENT_WEIGHT if first else 0.82)
        - (ELSEWHERE_PENALTY if _is_elsewhere(element) else 0.0)
        - min(place, 50) / 1_000
    )
    return DateCandidate(
        kind=MODIFIED if changed else PUBLISHED,
        how="time",
        raw=raw[:MAX_TEXT_CHARS],
        weight=round(weight, 4),
    )


def _classed(tree: html.HtmlElement) -> list[DateCandidate]:
    """Elements whose class or id speaks of a date, with a short text or a machine-readable attribute."""
    marks: list[DateCandidate] = []
    for element in _elements(_CLASSED, tree)[: 20 * MAX_ELEMENTS]:
        said = f"{element.get('itemprop') or ''} {element.get('property') or ''} {_own_words(element)}"[
            :300
        ]
        if element.tag == "time" or not _says_date(said):
            continue
        raw = (
            element.get("content")
            or element.get("datetime")
            or element.get("title")
            or _text(element)
        )
        if raw and len(raw) <= MAX_TEXT_CHARS and _DIGIT.search(raw):
            weight = (
                (0.78 if _FIRST.search(said) else 0.72)
                - _wordy(raw)
                - len(marks) / 1_000
            )
            weight -= (ELSEWHERE_PENALTY if _is_elsewhere(element) else 0.0) + (
                LINK_PENALTY if _is_link(element) else 0.0
            )
            changed = (
                _CHANGED.search(said) and not _FIRST.search(said)
            ) or _CHANGED.match(raw)
            marks.append(
                DateCandidate(
                    kind=MODIFIED if changed else PUBLISHED,
                    how="text",
                    raw=raw,
                    weight=round(weight, 4),
                )
            )
            if len(marks) >= MAX_CANDIDATES:
                break
    return sorted(marks, key=_by_weight)


def _is_link(element: html.HtmlElement) -> bool:
    """Whether an element stands in a link, or is little else than one.

    Its date is that of another page.
    """
    return (
        element.tag == "a"
        or (element.getparent() is not None and element.getparent().tag == "a")
        or (
            len(element) == 1
            and element[0].tag == "a"
            and not (element.text or "").strip()
        )
    )


def _wordy(raw: str) -> float:
    """What is taken off for words beside the date.

    A date in a sentence is what the sentence is about.
    """
    return 0.04 * max(0, len(_LETTERS.findall(raw)) - 4)


def _by_weight(mark: DateCandidate) -> float:
    return -mark.weight


def candidates_in_url(url: str) -> Iterator[DateCandidate]:
    """A day in the path: /2021/07/04/, -20210704, /1400/04/13/."""
    path = url.partition("://")[2].partition("/")[2].partition("?")[0][:500]
    match = _URL_DATE.search(path)
    if match:
        parts = match[1], match[3], match[4]
        raw = "-".join(
            part
            for part in (parts if match[1] else (match[5], match[6], match[7]))
            if part
        )
        yield DateCandidate(kind=PUBLISHED, how="url", raw=raw, weight=0.8)


def _near_headline(tree: html.HtmlElement) -> list[DateCandidate]:
    """Short texts with a figure in and behind the headline, then those before it."""
    heading = next(tree.iter("h1"), None)
    if heading is None:
        heading = next(tree.iter("h2"), None)
    if heading is None:
        return []
    near = (
        (_inside(heading), 10, 0.62),
        (_behind(heading), 40, 0.62),
        (_before(heading), 10, 0.54),
    )
    marks = []
    for texts, most, weight in near:
        worded = (found for found in texts if len(found[0].strip()) > 5)
        for place, (text, parent) in enumerate(islice(worded, most)):
            mark = _text_mark(text, parent, weight - place / 1_000)
            marks += [mark] if mark else []
    return sorted(marks, key=_by_weight)


def _inside(element: html.HtmlElement) -> Iterator[tuple[str, html.HtmlElement]]:
    """Texts of an element with their parents, in the order of the page."""
    for event, node in etree.iterwalk(element, events=("start", "end")):
        if event == "start" and node.text and isinstance(node.tag, str):
            yield node.text, node
        elif event == "end" and node.tail and node is not element:
            yield node.tail, node.getparent()


def _behind(element: html.HtmlElement) -> Iterator[tuple[str, html.HtmlElement]]:
    """Texts that follow an element, nearest first.

    XPath's axis would collect them all to its end.
    """
    node: html.HtmlElement | None = element
    while node is not None and node.getparent() is not None:
        if node.tail:
            yield node.tail, node.getparent()
        for sibling in node.itersiblings():
            yield from _inside(sibling)
            if sibling.tail:
                yield sibling.tail, node.getparent()
        node = node.getparent()


def _before(element: html.HtmlElement) -> Iterator[tuple[str, html.HtmlElement]]:
    """Texts that stand before an element, nearest first.

    Of a long neighbour only its beginning.
    """
    for node in islice((element, *element.iterancestors()), 4):
        for sibling in node.itersiblings(preceding=True):
            yield from reversed(list(islice(_inside(sibling), 50)))


def _text_mark(
    text: str, parent: html.HtmlElement, weight: float
) -> DateCandidate | None:
    """A text as a mark, if it has a figure and is short enough to be one."""
    if not _DIGIT.search(text) or parent.tag in ("script", "style"):
        return None
    said = " ".join(text[:400].split())
    if len(said) > MAX_TEXT_CHARS:
        return None
    cued = 0.08 if _CUE.search(said) else 0.0
    weight -= (
        _wordy(said)
        - cued
        + (0.15 if _is_elsewhere(parent) else 0.0)
        + (LINK_PENALTY if _is_link(parent) else 0.0)
    )
    kind = MODIFIED if _CHANGED.search(said) else PUBLISHED
    return (
        DateCandidate(kind=kind, how="text", raw=said, weight=round(weight, 4))
        if weight >= MIN_WEIGHT
        else None
    )


def _in_text(text: str) -> list[DateCandidate]:
    """The first and last lines of the article itself.

    A dateline, or "published on ...".
    """
    lines = [
        line
        for line in text[:3_000].split("\n")[:4] + text[-1_000:].split("\n")[-3:]
        if _DIGIT.search(line)
    ]
    weighed = (
        (line, 0.45 - place / 100 - _wordy(line[:MAX_TEXT_CHARS]))
        for place, line in enumerate(lines)
    )
    return [
        DateCandidate(
            kind=PUBLISHED,
            how="text",
            raw=line[:MAX_TEXT_CHARS],
            weight=round(weight, 4),
        )
        for line, weight in weighed
        if weight >= MIN_WEIGHT
    ]


def _anywhere(tree: html.HtmlElement) -> list[DateCandidate]:
    """Texts anywhere that are little else than a date, and the page's title, which some sites end with one."""
    title = next(tree.iter("title"), None)
    marks = (
        []
        if title is None
        else [
            DateCandidate(
                kind=PUBLISHED, how="text", raw=(title.text or "")[-40:], weight=0.5
            )
        ]
    )
    for place, node in enumerate(_elements(_SHORT, tree)[:MAX_TEXTS]):
        mark = (
            _text_mark(node, node.getparent(), 0.42 - place / 20_000)
            if len(node.split()) <= 9
            else None
        )
        if mark and _wordy(mark.raw) == 0:
            marks.append(mark)
            if len(marks) >= MAX_CANDIDATES:
                break
    return sorted(marks, key=_by_weight)


def _in_scripts(tree: html.HtmlElement) -> Iterator[DateCandidate]:
    """What a page's own scripts say of it."""
    left = MAX_JSON_LD_CHARS
    for script in tree.iter("script"):
        raw = script.text or ""
        left -= len(raw)
        if left < 0:
            return
        for value in _SCRIPTED.findall(raw)[:5]:
            yield DateCandidate(kind=PUBLISHED, how="meta", raw=value, weight=0.5)


def _elements(path: etree.XPath, at: html.HtmlElement) -> list[Any]:
    """What a path of this module finds: elements, or texts that know their parent."""
    found = path(at)
    return found if isinstance(found, list) else []


def _text(element: html.HtmlElement) -> str:
    """The element's text in single spaces, "" where it is longer than a date's surroundings."""
    pieces: list[str] = []
    length = 0
    for piece in element.itertext():
        pieces.append(piece)
        length += len(piece)
        if length > 10 * MAX_TEXT_CHARS:
            return ""
    text = " ".join(" ".join(pieces).split())
    return text if len(text) <= MAX_TEXT_CHARS else ""


def _is_elsewhere(element: html.HtmlElement) -> bool:
    """Whether an element belongs to comments, teasers or the foot of the page."""
    for ancestor in islice((element, *element.iterancestors()), MAX_ANCESTORS):
        if ancestor.tag in ("body", "main", "html"):
            return False
        if ancestor.tag in ("aside", "footer", "nav") or _says_elsewhere(
            _own_words(ancestor)
        ):
            return True
        if ancestor.tag == "header" and next(ancestor.iter("h1", "h2"), None) is None:
            return True  # the site's, which shows what day it is
    return False


@lru_cache(4_096)
def _says_date(words: str) -> bool:
    """Whether classes and ids speak of a date.

    They are few on a page, and the same on the next one.
    """
    return _DATE_CLASS.search(words) is not None


@lru_cache(4_096)
def _says_elsewhere(words: str) -> bool:
    return _ELSEWHERE.search(words) is not None


def _own_words(element: html.HtmlElement | None) -> str:
    return (
        ""
        if element is None
        else f"{element.get('class') or ''} {element.get('id') or ''}"[:300]
    )
