"""What a site could be watched by: its feeds, its sitemaps, the page itself.

A few polite requests, nothing followed.

In the order of worth: feeds that the page names, well-known places of feeds where it
names none, the sitemaps of its robots.txt or of well-known places, the page as a
section.
"""

import re
from collections.abc import Iterable, Sequence
from html import unescape
from urllib.parse import urljoin, urlsplit

from crawler.fetching.fetcher import Fetched, Fetcher, FetchRequest
from crawler.fetching.robots import RobotsRules
from crawler.leads import feeds
from crawler.sources import CrawlSettings, Source
from storage import identity
from storage.folding import printable

MAX_FEEDS = 5
MAX_SITEMAPS = 3
FEED_PLACES = ("feed/", "rss.xml", "rss", "feed.xml", "atom.xml")
SITEMAP_PLACES = (
    "news-sitemap.xml",
    "sitemap-news.xml",
    "sitemap_index.xml",
    "sitemap.xml",
)
COMMENTS = re.compile(r"/comments/|[?&]feed=comments|/oembed", re.IGNORECASE)
_CHANNEL = re.compile(
    r"https?://(?:www\.)?(?:t|telegram)\.me/(?:s/)?([A-Za-z]\w{3,31})/?"
)
_DOCUMENT = re.compile(
    rb"<(?:\w{1,20}:)?(rss|feed|rdf|urlset|sitemapindex|html|body)[\s>]", re.IGNORECASE
)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)


async def find_candidates(
    fetcher: Fetcher, address: str, settings: CrawlSettings
) -> list[Source]:
    """Sources that may answer, not tried yet.

    None where the address itself does not answer.
    """
    if channel := _CHANNEL.fullmatch(address):
        return [
            _source(
                "telegram", f"https://t.me/s/{channel[1]}", channel[1], name=channel[1]
            )
        ]
    async with fetcher.fetch(
        FetchRequest(url=address, headers={}, limit=settings.max_page_size, redirects=5)
    ) as outcome:
        page = (
            outcome.page
            if isinstance(outcome, Fetched) and outcome.page.status == 200
            else None
        )
    if page is None:
        return []
    rules = await fetcher.robots.rules(page.final_url)
    sitemaps = (
        list(rules.book.sitemaps)[:20]
        if isinstance(rules, RobotsRules) and rules.book is not None
        else []
    )
    return guess_sources(page.body, page.final_url, sitemaps)


def guess_sources(body: bytes, url: str, sitemaps: Sequence[str]) -> list[Source]:
    """What a page and the sitemaps of its robots.txt suggest. Pure."""
    root = _DOCUMENT.search(body[:5_000])
    told = (
        root[1].lower() if root else b"feed" if body.lstrip()[:1] == b"{" else b"html"
    )
    if told not in (b"html", b"body"):
        return [
            _source(
                "sitemap" if told in (b"urlset", b"sitemapindex") else "feed",
                url,
                suggest_id(url),
            )
        ]
    name = _name(body)
    top = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}/"
    named = [
        feed
        for feed in feeds.find_feed_links(body, url=url)
        if not COMMENTS.search(feed)
    ][:MAX_FEEDS]
    places = named or [urljoin(top, place) for place in FEED_PLACES]
    own = [
        one
        for one in sitemaps
        if identity.registrable_domain(one) == identity.registrable_domain(url)
    ]
    maps = sorted(own, key=lambda one: "news" not in one)[:MAX_SITEMAPS] or [
        urljoin(top, p) for p in SITEMAP_PLACES
    ]
    found = (
        [("feed", place) for place in places]
        + [("sitemap", one) for one in maps]
        + [("section", url)]
    )
    return [
        _source(kind, one, suggest_id(url), name=name)
        for kind, one in dict.fromkeys(found)
    ]


def _source(kind: str, url: str, id_: str, *, name: str = "") -> Source:
    return Source(id=id_, kind=kind, url=url, name=name)


def _name(body: bytes) -> str:
    title = _TITLE.search(body[:200_000].decode("utf-8", "replace"))
    return (
        re.split(r"\s[|–—-]\s|\s»\s", " ".join(printable(unescape(title[1])).split()))[
            0
        ][:80]
        if title
        else ""
    )


def suggest_id(url: str) -> str:
    """An id out of a host: the name of the site without what all hosts have."""
    host = identity.url_host(url).partition(":")[0]
    site = identity.registrable_domain(url)
    name = site.partition(".")[0] if re.search("[a-z]", site) else host
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "source"


def unused_id(label: str, taken: Iterable[str], *, language: str | None = None) -> str:
    """An id that nobody has: the label, with the language, with a number."""
    used = set(taken)
    tries = [
        label,
        *([f"{label}-{language.partition('-')[0].lower()}"] if language else []),
    ]
    return next((one for one in tries if one not in used), None) or next(
        one
        for number in range(2, len(used) + 3)
        if (one := f"{label}-{number}") not in used
    )
