"""A page that lists articles, as leads: which of its links look like articles.

A link's address speaks for itself; its text and place also speak for the links that are
shaped alike, so that one article with a short headline goes with its neighbours, and
one long menu entry with its menu. Where a source names a `link_pattern`, that alone
decides. Rules and weights: `data/section_links.toml`. Pure; runs in a worker.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from urllib.parse import parse_qsl, unquote, urlsplit

from lxml import html

from crawler import data_files
from crawler.extraction import markup
from crawler.leads import entries
from crawler.leads.entries import FeedEntry
from crawler.leads.polls import Feed, parse_hints
from crawler.sources import Source
from storage import identity
from storage.model import Page, Rejection

MAX_HREF_CHARS = 1_000  # an address in Dari takes six for each letter
MAX_LINK_TEXT_CHARS = 500
MAX_ANCESTORS = 25  # that say where a link stands
MAX_NEAR_ELEMENTS = 60  # that are looked at around a link for its date
MAX_NEAR_ANCHORS = 4  # a block with more of them holds several articles
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5"})
MAX_NOTICE_WORDS = 4  # in the address of a legal notice
MAX_LIST_PAGES = 300  # links to further lists that are handed on
MIN_ARTICLE_LINKS = 2  # a page with fewer such links lists nothing
MAX_QUERY_CHARS = 2_000
MIN_NAME_CHARS = 4  # of what stands behind a date, for it to be an article's name
CALENDAR_PARAMETERS = frozenset({"year", "month", "day", "date", "cal"})

_LONG_NUMBER = re.compile(r"\d{6,}")
# 12345 anywhere, or a shorter one at the very end: name-of-it-1234
_NUMBER = re.compile(r"\d{5}|-\d{3,4}$")
# c62lp853214o: three digits and a letter at least
_CODE = re.compile(r"(?=(?:[a-z]{0,20}\d){3})(?=\d{0,20}[a-z])[a-z0-9]{9,40}")
_DAY_IN_PATH = re.compile(
    r"(?:19|20)\d\d[/-]?(?:0?[1-9]|1[0-2])[/-]?(?:0[1-9]|[12]\d|3[01]|[1-9](?!\d))(?!\d)"
)
_MONTH_IN_PATH = re.compile(r"/(?:19|20)\d\d[/-](?:0?[1-9]|1[0-2])(?=/)")
# /2021/08/15, /news/2021/08: the archive's page of a day or a month
_ONLY_DATE = re.compile(r"(?:/[a-z-]{1,20})?/(?:19|20)\d\d(?:[/-]\d{1,2}){0,2}/?")
# Some sites tell articles from series by one letter: a-123456
_LETTER_AND_NUMBER = re.compile(r"([a-z]{1,3})-?\d{5,}")
# Sessions, mail addresses, addresses within addresses, twins for printers and AMP
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
    in_heading: bool = False
    in_article: bool = False
    in_navigation: bool = True  # wherever it stands
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The links of a page in its order, those of articles and the others."""

    links: tuple[PageLink, ...] = ()
    others: tuple[PageLink, ...] = ()
    elsewhere: int = 0  # how many lead to other sites
    next_page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRules:
    """The contents of `data/section_links.toml`, ready for use."""

    min_score: float
    own_share: float
    max_links: int
    series: re.Pattern[str]
    never_beginnings: tuple[str, ...]
    address: Mapping[str, float]
    text: Mapping[str, float]
    place: Mapping[str, float]
    words: Mapping[str, frozenset[str]]


@cache
def load_rules() -> SectionRules:
    """The rules, read where a section is parsed first."""
    table = data_files.read_toml("section_links.toml")
    words = {name: frozenset(words) for name, words in table["words"].items()}
    return SectionRules(
        min_score=table["min_score"],
        own_share=table["own_share"],
        max_links=table["max_links"],
        series=re.compile(table["series"]),
        never_beginnings=tuple(table["words"]["never_beginnings"]),
        address=table["address"],
        text=table["text"],
        place=table["place"],
        words=words,
    )


def parse_section_page(
    body: bytes,
    *,
    url: str,
    headers: Mapping[str, str],
    source: Source,
    now: datetime,
    max_bytes: int,
    max_entries: int,
) -> Feed:
    """What a section page shows, as `feeds.parse_feed` says it of a feed.

    Never raises for any bytes. Errors: not_a_page, no_article_links (a soft 404, a page
    made by scripts, or one that needs a pattern).
    """
    hints = parse_hints(headers)
    parsed = markup.parse_page(
        Page(
            url=url,
            final_url=url,
            status=200,
            headers=tuple(headers.items()),
            body=body[:max_bytes],
            fetched_at=now,
        )
    )
    if isinstance(parsed, Rejection):
        return Feed(kind="section", error=f"not_a_page: {parsed.detail}", hints=hints)

    listing = find_listing(parsed.tree, url=url, pattern=source.link_pattern)
    list_pages: tuple[str, ...] = ()
    if source.depth:
        list_pages = tuple(select_list_pages(listing.others))
    # One link that matches is enough: the pattern is the word of a person
    min_links = 1 if source.link_pattern else MIN_ARTICLE_LINKS
    if not list_pages and len(listing.links) < min_links:
        error = _no_articles_error(listing, source, parsed.needs_script)
        return Feed(kind="section", error=error, hints=hints)

    found = [
        FeedEntry(
            link=link.url,
            base=url,
            title=link.text,
            date=link.date,
            changed=_date_in_address(link.url),
        )
        for link in listing.links[:max_entries]
    ]
    built = entries.build_leads(
        found, source=source, language=None, via="section", now=now
    )
    warnings: tuple[str, ...] = ()
    if listing.elsewhere:
        warnings = (f"{listing.elsewhere} links to other sites left out",)
    return Feed(
        kind="section",
        leads=built.leads,
        entries=len(listing.links),
        newest_at=entries.newest_date(built.leads),
        next_page=listing.next_page,
        list_pages=list_pages,
        warnings=warnings,
        hints=hints,
    )


def select_list_pages(others: Iterable[PageLink]) -> list[str]:
    """The links that are no articles, those of menus first, then the shortest.

    A section has a shorter address than its parts.
    """
    ordered = sorted(others, key=lambda link: (not link.in_navigation, len(link.url)))
    return [link.url for link in ordered[:MAX_LIST_PAGES]]


def _no_articles_error(listing: Listing, source: Source, needs_script: bool) -> str:
    why = "none looks like an article's; link_pattern can tell"
    if source.link_pattern:
        why = "none matches link_pattern"
    if needs_script:
        why += "; the page asks for JavaScript"
    return f"no_article_links: {len(listing.others)} links, {why}"


def _date_in_address(url: str) -> str:
    match = _DATE_IN_PATH.search(urlsplit(url).path)
    if match is None:
        return ""
    return f"{match[1]}-{int(match[2]):02}-{int(match[3]):02}"


def find_listing(
    tree: html.HtmlElement, *, url: str, pattern: str | None = None
) -> Listing:
    """The links of a page, sorted into articles and others.

    `pattern` is searched in whole addresses of the same site.
    """
    links, elsewhere = collect_links(tree, url)
    if pattern:
        chosen = {key for key, link in links.items() if re.search(pattern, link.url)}
    else:
        chosen = choose_article_links(links, url)
    return Listing(
        links=tuple(link for key, link in links.items() if key in chosen),
        others=tuple(link for key, link in links.items() if key not in chosen),
        elsewhere=elsewhere,
        next_page=find_next_page(tree, url),
    )


# Collecting


def collect_links(tree: html.HtmlElement, url: str) -> tuple[dict[str, PageLink], int]:
    """Every address of the page's own site by its key, in the page's order.

    With them goes how many lead to other sites.
    """
    base = url
    for base_tag in islice(tree.iter("base"), 1):
        base = entries.absolute_url(base_tag.get("href") or "", url) or url
    site = identity.registrable_domain(url)
    own_key = identity.url_key(url)
    links: dict[str, PageLink] = {}
    elsewhere = 0
    for element in islice(tree.iter("a"), load_rules().max_links):
        href = (element.get("href") or "").strip()
        if len(href) > MAX_HREF_CHARS:
            continue
        address = _without_fragment(href, base)
        if address is None or entries.is_home_page(address):
            continue
        if identity.registrable_domain(address) != site:
            elsewhere += 1
            continue
        key = identity.url_key(address)
        if key == own_key:
            continue
        link = links.setdefault(key, PageLink(address))
        # Of a page and its twins (AMP, print) the page has the shortest address
        link.url = min(link.url, address, key=len)
        _add_anchor(link, element)
    return links, elsewhere


def _without_fragment(href: str, base: str) -> str | None:
    address = entries.absolute_url(href, base)
    if address is None:
        return None
    return address.partition("#")[0]


def _add_anchor(link: PageLink, element: html.HtmlElement) -> None:
    """Add what one anchor says of its address."""
    text = " ".join(_anchor_text(element).split())[:MAX_LINK_TEXT_CHARS]
    if len(text) > len(link.text):
        link.text = text
    tags, in_navigation = _anchor_place(element)
    if tags & HEADINGS or any(inner.tag in HEADINGS for inner in element.iter()):
        link.in_heading = True
    if "article" in tags:
        link.in_article = True
    if not in_navigation:
        link.in_navigation = False
    link.date = link.date or _time_beside(element)


def _anchor_text(element: html.HtmlElement) -> str:
    # One anchor around a whole card holds headline, summary and date
    for heading in islice(element.iter(*HEADINGS), 1):
        headline = "".join(heading.itertext())
        if headline.strip():
            return headline[: 4 * MAX_LINK_TEXT_CHARS]
    text = "".join(element.itertext())[: 4 * MAX_LINK_TEXT_CHARS]
    if text.strip():
        return text
    return element.get("title") or ""


def _anchor_place(element: html.HtmlElement) -> tuple[set[str], bool]:
    """The elements around an anchor, and whether one of them is a menu."""
    menu_words = load_rules().words["navigation"]
    tags: set[str] = set()
    in_navigation = False
    for ancestor in islice(element.iterancestors(), MAX_ANCESTORS):
        if ancestor.tag in ("body", "html"):
            break
        tags.add(str(ancestor.tag))
        if ancestor.tag in ("nav", "footer"):
            in_navigation = True
        if in_navigation:
            continue
        names = [ancestor.get(name) or "" for name in ("class", "id", "role")]
        words = _WORD_SEPARATORS.split(" ".join(names)[:300].lower())
        in_navigation = not menu_words.isdisjoint(words)
    return tags, in_navigation


def _time_beside(element: html.HtmlElement) -> str:
    """The `time` beside an anchor.

    It is inside the anchor, or in the nearest block that has no other article.
    """
    block = element
    for _ in range(4):
        near = list(islice(block.iter(), MAX_NEAR_ELEMENTS))
        anchors = sum(inner.tag == "a" for inner in near)
        is_crowded = anchors > MAX_NEAR_ANCHORS or len(near) == MAX_NEAR_ELEMENTS
        if block is not element and is_crowded:
            return ""
        for inner in near:
            if inner.tag == "time":
                return str(inner.get("datetime") or "")[:100]
        parent = block.getparent()
        if parent is None or parent.tag in ("body", "main", "ul", "ol"):
            return ""
        block = parent
    return ""


def find_next_page(tree: html.HtmlElement, url: str) -> str | None:
    """The page after this one, as the page names it, on the same host."""
    host = identity.url_host(url)
    for element in _next_page_links(tree):
        address = _without_fragment(element.get("href") or "", url)
        if address is None or address == url or identity.url_host(address) != host:
            continue
        if _is_same_list(address, url):
            return address
    return None


def _next_page_links(tree: html.HtmlElement) -> Iterator[html.HtmlElement]:
    """Links that are declared the next page's, then those that are called so."""
    for element in tree.iter("link", "a"):
        if "next" in (element.get("rel") or "").lower().split():
            yield element
    names = load_rules().words["next"]
    for element in tree.iter("a"):
        text = "".join(element.itertext())[:40]
        if " ".join(text.lower().split()) in names:
            yield element


def _is_same_list(address: str, url: str) -> bool:
    """Whether an address is the page's own with another number in it.

    An endless calendar's is not.
    """
    parts = urlsplit(address)
    if parts.query.count("&") < 50:
        for name, _ in parse_qsl(parts.query, max_num_fields=50):
            if name.lower() in CALENDAR_PARAMETERS:
                return False
    path = urlsplit(url).path.rstrip("/")
    return parts.path.startswith(path.rpartition("/page/")[0] or path)


# Judging


def choose_article_links(links: Mapping[str, PageLink], url: str) -> set[str]:
    """The keys of the links that look like articles."""
    rules = load_rules()
    shapes: dict[str, tuple[str, ...]] = {}
    own_scores: dict[str, float] = {}
    scores_of_shape: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for key, link in links.items():
        shapes[key] = address_shape(link.url)
        own_scores[key] = _score_text_and_place(link)
        scores_of_shape[shapes[key]].append(own_scores[key])

    host = identity.url_host(url)
    chosen: set[str] = set()
    for key, link in links.items():
        score = score_address(link.url, host)
        if score is None:
            continue
        alike = scores_of_shape[shapes[key]]
        score += rules.own_share * own_scores[key] + (1 - rules.own_share) * sum(
            alike
        ) / len(alike)
        if score >= rules.min_score:
            chosen.add(key)
    return chosen


def _score_text_and_place(link: PageLink) -> float:
    """What a link's text and place speak for."""
    rules = load_rules()
    words = len(_LETTERS.findall(link.text)) + len(_UNSPACED.findall(link.text)) // 4
    length = "none"
    for at_least in (1, 2, 3, 4, 5, 8):
        if words >= at_least:
            length = f"words_{at_least}"
    score = rules.text[length]
    if link.in_heading:
        score += rules.place["heading"]
    if link.in_article:
        score += rules.place["article"]
    if link.in_navigation:
        score += rules.place["navigation"]
    return score


def score_address(url: str, host: str) -> float | None:
    """What an address alone speaks for; None where it is never an article's.

    `host` is that of the page that it stands on.
    """
    rules = load_rules()
    weights = rules.address
    parts = urlsplit(url)
    own_host = identity.url_host(url)
    path = unquote(parts.path).lower()
    steps = [step for step in path.split("/") if step]
    if is_never_article(path, [own_host.partition(".")[0], *steps], parts.query):
        return None

    score = 0.0
    name = steps[-1] if steps else ""
    ending = _FILE_ENDING.search(name)
    if ending:
        name = name[: ending.start()]
        score += weights["page_ending"]
    dated = _date_weight_name(path, name)
    # Numbers count only where no date explains them
    if dated:
        score += weights[dated]
    else:
        score += weights.get(_number_weight_name([*steps[-2:-1], name]), 0.0)
        if _has_article_id(parts.query):
            score += weights["number_in_query"]
    score += _score_slug(name, steps)
    if not rules.words["article_parts"].isdisjoint(steps[:-1]):
        score += weights["article_word"]
    if len(steps) == 1:
        score += weights["single_part"]
    if own_host != host:
        score += weights["other_host"]
    return score


def is_never_article(path: str, steps: list[str], query: str) -> bool:
    """Whether an address is never an article's, whatever else speaks for it.

    Those of tags, authors, calendars, files, sessions and twins of other pages are not.
    `steps` are the first name of the host and the parts of the path, in lower case.
    """
    rules = load_rules()
    words = rules.words
    ending = _FILE_ENDING.search(path)
    if ending and ending[1] in words["files"]:
        return True
    if _ONLY_DATE.fullmatch(path) or _NEVER_IN_PATH.search(path):
        return True

    last = steps[-1]
    if not words["never_parts"].isdisjoint([*steps[:-1], last.partition(".")[0]]):
        return True
    if any(step.startswith(rules.never_beginnings) for step in steps):
        return True
    # "cookies" names a notice in /cookies-and-you, not in a headline of eight words
    named = _slug_words(last)
    is_short = len(named) <= MAX_NOTICE_WORDS
    if is_short and not words["notice_words"].isdisjoint(named):
        return True
    if rules.series.fullmatch(last):
        return True

    # ?id=12&print=1 is an article with a twin, ?print=1 the twin alone
    parameters = {name.lower() for name, _ in parse_qsl(query[:MAX_QUERY_CHARS])}
    is_twin = not words["twin_parameters"].isdisjoint(parameters)
    return is_twin and words["id_parameters"].isdisjoint(parameters)


def _date_weight_name(path: str, name: str) -> str:
    """Which of the weights of dates an address has earned; "" for none."""
    match = _DAY_IN_PATH.search(path)
    if match and len(path) - match.end() >= MIN_NAME_CHARS:
        return "date_and_name"
    if _MONTH_IN_PATH.search(path) and len(name) >= MIN_NAME_CHARS:
        return "month_and_name"
    return ""


def _number_weight_name(steps: list[str]) -> str:
    """Which of the weights of numbers the parts of a path have earned; "" for none."""
    if any(_LONG_NUMBER.search(step) for step in steps):
        return "long_number"
    if any(_NUMBER.search(step) for step in steps):
        return "number"
    for step in steps:
        if any(_CODE.fullmatch(part) for part in step.split("-")):
            return "code"
    return ""


def _has_article_id(query: str) -> bool:
    names = load_rules().words["id_parameters"]
    for name, value in parse_qsl(query[:MAX_QUERY_CHARS]):
        if name.lower() in names and re.search(r"\d{3}", value):
            return True
    return False


def _score_slug(name: str, steps: list[str]) -> float:
    """What the words in an article's name speak for.

    Where the last part of the path is one word (a number, an edition), the longer one
    of the last two is the name.
    """
    if len(steps) > 1 and len(_slug_words(name)) < 2:
        name = max(steps[-2:], key=len)
    count = len([word for word in _slug_words(name) if len(word) > 1])
    weights = load_rules().address
    match count:
        case 0 | 1:
            return 0.0
        case 2:
            return weights["slug_of_two"]
        case 3:
            return weights["slug_of_three"]
        case 4:
            return weights["slug_of_four"]
    return weights["slug_of_five"]


def _slug_words(name: str) -> list[str]:
    words = _WORD_SEPARATORS.split(name.partition(".")[0])
    return [word for word in words if word and not word.isdigit()]


def address_shape(url: str) -> tuple[str, ...]:
    """What addresses of one kind have in common.

    It is their host, and the kind of each part of their path.
    """
    parts = urlsplit(url)
    steps = [step for step in parts.path.lower().split("/") if step]
    kinds = [_part_kind(step) for step in steps]
    section = ""
    if len(steps) > 1 and kinds[0] == "word":
        section = steps[0]
    query = "?" if parts.query else ""
    return (identity.url_host(url), section, *kinds, query)


def _part_kind(step: str) -> str:
    if step.isdigit():
        # Years and days keep their length: 2021, 08
        return "number" if len(step) > 4 else "9" * len(step)
    lettered = _LETTER_AND_NUMBER.fullmatch(step)
    if lettered:
        return f"{lettered[1]}-number"
    words = len(_slug_words(step))
    kind = "word"
    if words == 2:
        kind = "pair"
    elif words > 2:
        kind = "slug"
    if _NUMBER.search(step):
        kind += "9"
    if "." in step:
        kind += "."
    return kind
