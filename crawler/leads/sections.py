"""A page that lists articles -> leads.

Which of its links look like articles, by address, text and place. Pure.

A link's address speaks for itself; its text and place also speak for the links that are
shaped alike, so that one article with a short headline goes with its neighbours, and
one long menu entry with its menu. Where a source names a `link_pattern`, that alone
decides. Rules and weights: `data/section_links.toml`.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from lxml import html

from crawler.extraction import markup
from crawler.leads import entries
from crawler.leads.entries import FeedEntry
from crawler.leads.polls import Feed, parse_hints
from crawler.sources import Source
from storage import identity
from storage.model import Page, Rejection

MAX_HREF_CHARS = 1_000  # characters; an address in Dari takes six for each letter
MAX_LINK_TEXT_CHARS = 500  # characters of a link's text
MAX_ANCESTORS = 25  # ancestors that say where a link stands
MAX_NEAR_ELEMENTS = 60  # elements that are looked at around a link for its date
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5"})
MAX_NOTICE_WORDS = 4  # words in the address of a legal notice
MAX_LIST_PAGES = 300  # links to further lists that are looked at
MIN_ARTICLE_LINKS = 2  # a page with fewer such links lists nothing

_RULES = Path(__file__).parents[1] / "data" / "section_links.toml"
_LONG_NUMBER = re.compile(r"\d{6,}")
_NUMBER = re.compile(r"\d{5}|-\d{3,4}$")
_CODE = re.compile(r"(?=(?:[a-z]{0,20}\d){3})(?=\d{0,20}[a-z])[a-z0-9]{9,40}")
_DAY_IN_PATH = re.compile(
    r"(?:19|20)\d\d[/-]?(?:0?[1-9]|1[0-2])[/-]?(?:0[1-9]|[12]\d|3[01]|[1-9](?!\d))(?!\d)"
)
_MONTH_IN_PATH = re.compile(r"/(?:19|20)\d\d[/-](?:0?[1-9]|1[0-2])(?=/)")
_ONLY_DATE = re.compile(r"(?:/[a-z-]{1,20})?/(?:19|20)\d\d(?:[/-]\d{1,2}){0,2}/?")
# Some sites tell articles from series by one letter: a-123456
_LETTER_AND_NUMBER = re.compile(r"([a-z]{1,3})-?\d{5,}")
_NEVER_IN_PATH = re.compile(r";jsessionid|@|:/|\.(?:print|amp)$")
_WORD_SEPARATORS = re.compile(r"[-_+ ]+")
_FILE_ENDING = re.compile(r"\.([a-z0-9]{2,5})$")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
# Scripts that write four letters for a word
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_DATE_IN_PATH = re.compile(
    r"/(20[012]\d)[/-](0?[1-9]|1[0-2])[/-](0?[1-9]|[12]\d|3[01])(?=[/-])"
)


@dataclass(slots=True)
class PageLink:
    """Everything that one page says about one address."""

    url: str
    text: str = ""
    heading: bool = False
    article: bool = False
    navigation: bool = True  # wherever it stands
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The links of a page.

    Those of articles in the page's order, how many others there were, and the next
    page.
    """

    links: tuple[PageLink, ...] = ()
    others: tuple[PageLink, ...] = ()
    elsewhere: int = 0  # lead to other sites
    next_page: str | None = None


@dataclass(frozen=True, slots=True)
class SectionRules:
    """`data/section_links.toml`, ready for use."""

    table: Mapping[str, Any]
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def weight(self, part: str, name: str) -> float:
        """One weight."""
        return float(self.table[part][name])


@cache
def load_rules() -> SectionRules:
    """Read once, where a section is read first."""
    table = tomllib.loads(_RULES.read_text("utf-8"))
    return SectionRules(
        table, {name: frozenset(words) for name, words in table["words"].items()}
    )


def parse_section_page(
    body: bytes,
    *,
    url: str,
    headers: Mapping[str, str],
    source: Source,
    now: datetime,
    max_bytes: int = markup.MAX_PAGE_BYTES,
    max_entries: int = 2_000,
) -> Feed:
    """What a section page shows, as `feeds.read` tells it. Never raises for any bytes.

    Errors: too_complex, not_a_page, no_article_links (a soft 404, a page made by
    scripts, or one that needs a pattern).
    """
    page = Page(
        url=url,
        final_url=url,
        status=200,
        headers=tuple(headers.items()),
        body=body[:max_bytes],
        fetched_at=now,
    )
    parsed = markup.parse_page(page)
    if isinstance(parsed, Rejection):
        return Feed(
            kind="section",
            error=f"not_a_page: {parsed.detail}",
            hints=parse_hints(headers),
        )
    listing = find_listing(parsed.tree, url=url, pattern=source.link_pattern)
    onward = tuple(select_list_pages(listing.others)) if source.depth else ()
    if not onward and len(listing.links) < (
        1 if source.link_pattern else MIN_ARTICLE_LINKS
    ):
        return Feed(
            kind="section",
            error=_no_articles_error(listing, source, parsed.needs_script),
            hints=parse_hints(headers),
        )
    made = entries.build_leads(
        [_build_entry(link, url) for link in listing.links[:max_entries]],
        source=source,
        language=None,
        via="section",
        now=now,
    )
    warnings = (
        (f"{listing.elsewhere} links to other sites left out",)
        if listing.elsewhere
        else ()
    )
    return Feed(
        kind="section",
        leads=made.leads,
        entries=len(listing.links),
        newest_at=entries.newest_date(made.leads),
        next_page=listing.next_page,
        list_pages=onward,
        warnings=warnings,
        hints=parse_hints(headers),
    )


def select_list_pages(others: Iterable[PageLink]) -> list[str]:
    """The links that are no articles, those of menus first, then the shortest.

    Sections before their parts.
    """
    ordered = sorted(others, key=lambda link: (not link.navigation, len(link.url)))
    return [link.url for link in ordered[:MAX_LIST_PAGES]]


def _no_articles_error(listing: Listing, source: Source, scripted: bool) -> str:
    why = (
        "none matches link_pattern"
        if source.link_pattern
        else "none looks like an article's; link_pattern can tell"
    )
    return f"no_article_links: {len(listing.others)} links, {why}{'; the page asks for JavaScript' if scripted else ''}"


def _build_entry(link: PageLink, base: str) -> FeedEntry:
    return FeedEntry(
        link=link.url,
        base=base,
        title=link.text,
        date=link.date,
        changed=_date_in_address(link.url),
    )


def _date_in_address(url: str) -> str:
    match = _DATE_IN_PATH.search(urlsplit(url).path)
    return f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}" if match else ""


def find_listing(
    tree: html.HtmlElement, *, url: str, pattern: str | None = None
) -> Listing:
    """The links of a page, sorted.

    `pattern` is searched in whole addresses of the same site.
    """
    every, elsewhere = collect_links(tree, url)
    chosen = (
        {key for key, link in every.items() if re.search(pattern, link.url)}
        if pattern
        else choose_article_links(every, url)
    )
    return Listing(
        links=tuple(link for key, link in every.items() if key in chosen),
        others=tuple(link for key, link in every.items() if key not in chosen),
        elsewhere=elsewhere,
        next_page=find_next_page(tree, url),
    )


# Collecting


def collect_links(tree: html.HtmlElement, url: str) -> tuple[dict[str, PageLink], int]:
    """Every address of the page's own site by its key, in the page's order, and how many lead elsewhere."""
    base_tag = next(iter(tree.iter("base")), None)
    base = (
        base_tag is not None and entries.absolute_url(base_tag.get("href") or "", url)
    ) or url
    site, own = identity.registrable_domain(url), identity.url_key(url)
    found: dict[str, PageLink] = {}
    elsewhere = 0
    for element, _ in zip(
        tree.iter("a"), range(load_rules().table["most_links"]), strict=False
    ):
        href = (element.get("href") or "").strip()
        address = _page_address(href, base) if len(href) <= MAX_HREF_CHARS else None
        if address is None or entries.is_home_page(address):
            continue
        if identity.registrable_domain(address) != site:
            elsewhere += 1
            continue
        key = identity.url_key(address)
        if key != own:
            link = found.setdefault(key, PageLink(address))
            # Of a page and its twins the page
            link.url = min(link.url, address, key=len)
            _add_anchor(link, element)
    return found, elsewhere


def _page_address(href: str, base: str) -> str | None:
    address = entries.absolute_url(href, base)
    return address.partition("#")[0] if address else None


def _add_anchor(link: PageLink, element: html.HtmlElement) -> None:
    """Add what one anchor says of its address."""
    text = " ".join(_anchor_text(element).split())[:MAX_LINK_TEXT_CHARS]
    if len(text) > len(link.text):
        link.text = text
    tags, navigation = _anchor_place(element)
    link.heading |= bool(tags & HEADINGS) or any(
        e.tag in HEADINGS for e in element.iter()
    )
    link.article |= "article" in tags
    link.navigation &= navigation
    link.date = link.date or _time_beside(element)


def _anchor_text(element: html.HtmlElement) -> str:
    heading = next((e for e in element.iter(*HEADINGS)), None)
    if heading is not None and (text := "".join(heading.itertext())).strip():
        return text[: 4 * MAX_LINK_TEXT_CHARS]
    words = "".join(element.itertext())[: 4 * MAX_LINK_TEXT_CHARS]
    return words if words.strip() else element.get("title") or ""


def _anchor_place(element: html.HtmlElement) -> tuple[set[str], bool]:
    """The elements around an anchor, and whether one of them is a menu."""
    menus = load_rules().words["navigation"]
    tags: set[str] = set()
    navigation = False
    for ancestor, _ in zip(element.iterancestors(), range(MAX_ANCESTORS), strict=False):
        if ancestor.tag in ("body", "html"):
            break
        tags.add(str(ancestor.tag))
        named = f"{ancestor.get('class') or ''} {ancestor.get('id') or ''} {ancestor.get('role') or ''}"[
            :300
        ].lower()
        navigation = (
            navigation
            or ancestor.tag in ("nav", "footer")
            or not menus.isdisjoint(_WORD_SEPARATORS.split(named))
        )
    return tags, navigation


def _time_beside(element: html.HtmlElement) -> str:
    """The `time` beside an anchor.

    Inside it, or in the nearest block that has no other article.
    """
    block = element
    for _ in range(4):
        near = list(islice(block.iter(), MAX_NEAR_ELEMENTS))
        anchors = sum(e.tag == "a" for e in near)
        if block is not element and (anchors > 4 or len(near) == MAX_NEAR_ELEMENTS):
            return ""
        time = next((e for e in near if e.tag == "time"), None)
        if time is not None:
            return str(time.get("datetime") or "")[:100]
        parent = block.getparent()
        if parent is None or parent.tag in ("body", "main", "ul", "ol"):
            return ""
        block = parent
    return ""


def find_next_page(tree: html.HtmlElement, url: str) -> str | None:
    """The page after this one, as the page names it, on the same host."""
    said = [
        e
        for e in tree.iter("link", "a")
        if "next" in (e.get("rel") or "").lower().split()
    ]
    called = (
        e
        for e in tree.iter("a")
        if " ".join("".join(e.itertext())[:40].lower().split())
        in load_rules().words["next"]
    )
    for element in (*said, *called):
        address = _page_address(element.get("href") or "", url)
        if (
            address
            and address != url
            and identity.url_host(address) == identity.url_host(url)
            and _is_same_list(address, url)
        ):
            return address
    return None


def _is_same_list(address: str, url: str) -> bool:
    """Whether an address is the page's own with another number in it.

    An endless calendar's is not.
    """
    one, other = urlsplit(address), urlsplit(url)
    names = (
        {name.lower() for name, _ in parse_qsl(one.query, max_num_fields=50)}
        if one.query.count("&") < 50
        else set()
    )
    if names & {"year", "month", "day", "date", "cal"}:
        return False
    return one.path.startswith(
        other.path.rstrip("/").rpartition("/page/")[0] or other.path.rstrip("/")
    )


# Judging


def choose_article_links(every: Mapping[str, PageLink], url: str) -> set[str]:
    """The keys of the links that look like articles."""
    table = load_rules().table
    kin: dict[tuple[str, ...], list[float]] = defaultdict(list)
    shapes = {key: address_shape(link.url) for key, link in every.items()}
    manner = {key: _score_text_and_place(link) for key, link in every.items()}
    for key, of in shapes.items():
        kin[of].append(manner[key])
    host, own = identity.url_host(url), table["share_of_kin"]
    chosen = set()
    for key, link in every.items():
        said = score_address(link.url, host)
        if said is not None:
            around = kin[shapes[key]]
            said += own * manner[key] + (1 - own) * sum(around) / len(around)
            if said >= table["enough"]:
                chosen.add(key)
    return chosen


def _score_text_and_place(link: PageLink) -> float:
    """What a link's text and place speak for."""
    place = load_rules().table["place"]
    stands = (
        place["heading"] * link.heading
        + place["article"] * link.article
        + place["navigation"] * link.navigation
    )
    return float(load_rules().weight("text", _text_weight_name(link.text)) + stands)


def _text_weight_name(text: str) -> str:
    words = len(_LETTERS.findall(text)) + len(_UNSPACED.findall(text)) // 4
    if not words:
        return "none"
    return f"words_{max(least for least in (1, 2, 3, 4, 5, 8) if least <= words)}"


def score_address(url: str, host: str) -> float | None:
    """What an address alone speaks for; None where it is no article's."""
    parts = urlsplit(url)
    path = unquote(parts.path).lower()
    steps = [step for step in path.split("/") if step]
    if is_never_article(
        path, [identity.url_host(url).partition(".")[0], *steps], parts.query
    ):
        return None
    weight, said = load_rules().table["address"], 0.0
    last = steps[-1] if steps else ""
    ending = _FILE_ENDING.search(last)
    name = last[: ending.start()] if ending else last
    said += weight[dated] if (dated := _date_weight_name(path, name)) else 0.0
    if not dated:
        said += weight.get(_number_weight_name([*steps[-2:-1], name]), 0.0)
    if not dated and _has_article_id(parts.query):
        said += weight["number_in_query"]
    said += _score_slug(
        name
        if len(_slug_words(name)) > 1 or len(steps) < 2
        else max(steps[-2:], key=len),
        weight,
    )
    said += (
        weight["article_word"]
        if load_rules().words["article"].intersection(steps[:-1])
        else 0.0
    )
    said += weight["page_ending"] if ending else 0.0
    said += weight["single_part"] if len(steps) == 1 else 0.0
    return float(
        said + (weight["other_host"] if identity.url_host(url) != host else 0.0)
    )


def is_never_article(path: str, steps: list[str], query: str) -> bool:
    """Whether an address is a tag's, an author's, a calendar's, a file's, a session's or another page's twin.

    `steps` are the first name of the host and the parts of the path, in lower case.
    """
    words = load_rules().words
    ending = _FILE_ENDING.search(path)
    if (
        (ending and ending[1] in words["files"])
        or _ONLY_DATE.fullmatch(path)
        or _NEVER_IN_PATH.search(path)
    ):
        return True
    bare = [*steps[:-1], steps[-1].partition(".")[0]]
    if (
        not words["never"].isdisjoint(bare)
        or _is_notice(steps)
        or any(map(_begins_badly, steps))
        or _is_series(steps[-1])
    ):
        return True
    names = {name.lower() for name, _ in parse_qsl(query[:2_000])}
    return not words["twin"].isdisjoint(names) and words["identity"].isdisjoint(names)


def _begins_badly(step: str) -> bool:
    return step.startswith(tuple(load_rules().words["beginnings"]))


def _is_series(step: str) -> bool:
    return re.fullmatch(load_rules().table["series"], step) is not None


def _is_notice(steps: list[str]) -> bool:
    named = _slug_words(steps[-1])
    return len(named) <= MAX_NOTICE_WORDS and not load_rules().words[
        "never_last"
    ].isdisjoint(named)


def _date_weight_name(path: str, name: str) -> str:
    """Which of the weights of dates an address has earned."""
    match = _DAY_IN_PATH.search(path)
    if match and len(path) - match.end() > 3:
        return "date_and_name"
    return "month_and_name" if _MONTH_IN_PATH.search(path) and len(name) > 3 else ""


def _number_weight_name(steps: list[str]) -> str:
    """Which of the weights of numbers they have earned."""
    for found, name in ((_LONG_NUMBER, "long_number"), (_NUMBER, "number")):
        if any(found.search(step) for step in steps):
            return name
    return (
        "code"
        if any(_CODE.fullmatch(part) for step in steps for part in step.split("-"))
        else ""
    )


def _has_article_id(query: str) -> bool:
    pairs = parse_qsl(query[:2_000])
    return any(
        name.lower() in load_rules().words["identity"] and re.search(r"\d{3}", value)
        for name, value in pairs
    )


def _score_slug(name: str, weight: Mapping[str, float]) -> float:
    count = len([word for word in _slug_words(name) if len(word) > 1])
    if count < 2:
        return 0.0
    return weight[f"slug_of_{('two', 'three', 'four', 'five')[min(count, 5) - 2]}"]


def _slug_words(name: str) -> list[str]:
    return [
        word
        for word in _WORD_SEPARATORS.split(name.partition(".")[0])
        if word and not word.isdigit()
    ]


def address_shape(url: str) -> tuple[str, ...]:
    """What addresses of one kind have in common.

    Their host, and the kind of each part of their path.
    """
    parts = urlsplit(url)
    steps = [step for step in parts.path.lower().split("/") if step]
    kinds = [_part_kind(step) for step in steps]
    first = steps[0] if len(steps) > 1 and kinds[0] == "word" else ""
    return (identity.url_host(url), first, *kinds, "?" if parts.query else "")


def _part_kind(step: str) -> str:
    if step.isdigit():
        return "number" if len(step) > 4 else "9" * len(step)
    if lettered := _LETTER_AND_NUMBER.fullmatch(step):
        return f"{lettered[1]}-number"
    words = len(_slug_words(step))
    name = "slug" if words > 2 else "pair" if words == 2 else "word"
    return f"{name}{'9' if _NUMBER.search(step) else ''}{'.' if '.' in step else ''}"
