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

from crawler.fetching.fetcher import Fetcher
from crawler.fetching.requests import Fetched, FetchRequest
from crawler.fetching.robots import RobotsRules
from crawler.leads import feeds
from crawler.sources import CrawlSettings, Source
from crawler.visits.documents import SITEMAP_PLACES
from storage import identity
from storage.folding import printable

MAX_FEEDS = 5
MAX_SITEMAPS = 3
FEED_PLACES = ("feed/", "rss.xml", "rss", "feed.xml", "atom.xml")
NEWS_SITEMAP_PLACES = ("news-sitemap.xml", "sitemap-news.xml")
COMMENTS = re.compile(r"/comments/|[?&]feed=comments|/oembed", re.IGNORECASE)
_CHANNEL = re.compile(
    r"https?://(?:www\.)?(?:t|telegram)\.me/(?:s/)?([A-Za-z]\w{3,31})/?"
)
_DOCUMENT = re.compile(
    rb"<(?:\w{1,20}:)?(rss|feed|rdf|urlset|sitemapindex|html|body)[\s>]", re.IGNORECASE
)
_TITLE_SEPARATOR = re.compile(r"\s[|–—-]\s|\s»\s")
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)


async def find_candidates(
    fetcher: Fetcher, address: str, settings: CrawlSettings
) -> list[Source]:
    """Sources that may answer, not tried yet.

    None where the address itself does not answer.
    """
    channel = _CHANNEL.fullmatch(address)
    if channel is not None:
        name = channel[1]
        return [
            Source(id=name, kind="telegram", url=f"https://t.me/s/{name}", name=name)
        ]

    request = FetchRequest(
        url=address,
        headers={},
        limit=settings.max_page_size,
        redirects=settings.max_redirects,
    )
    async with fetcher.fetch(request) as outcome:
        if not isinstance(outcome, Fetched) or outcome.page.status != 200:
            return []
        page = outcome.page
    sitemaps: list[str] = []
    rules = await fetcher.robots.rules(page.final_url)
    if isinstance(rules, RobotsRules):
        sitemaps = rules.sitemaps
    return guess_sources(page.body, page.final_url, sitemaps)


def guess_sources(body: bytes, url: str, sitemaps: Sequence[str]) -> list[Source]:
    """What a page and the sitemaps of its robots.txt suggest. Pure."""
    id_ = suggest_id(url)
    kind = _document_kind(body)
    if kind is not None:
        return [Source(id=id_, kind=kind, url=url)]

    parts = urlsplit(url)
    top = f"{parts.scheme}://{parts.netloc}/"
    feed_urls = []
    for feed_url in feeds.find_feed_links(body, url=url):
        if not COMMENTS.search(feed_url):
            feed_urls.append(feed_url)
    if not feed_urls:
        feed_urls = [urljoin(top, place) for place in FEED_PLACES]

    site = identity.registrable_domain(url)
    sitemap_urls = []
    for sitemap in sitemaps:
        if identity.registrable_domain(sitemap) == site:
            sitemap_urls.append(sitemap)
    if sitemap_urls:
        sitemap_urls.sort(key=lambda sitemap: "news" not in sitemap)
        del sitemap_urls[MAX_SITEMAPS:]
    else:
        places = (*NEWS_SITEMAP_PLACES, *SITEMAP_PLACES)
        sitemap_urls = [urljoin(top, place) for place in places]

    found = [("feed", feed_url) for feed_url in feed_urls[:MAX_FEEDS]]
    found += [("sitemap", sitemap) for sitemap in sitemap_urls]
    found.append(("section", url))
    name = _site_name(body)
    sources = []
    for kind, address in dict.fromkeys(found):
        sources.append(Source(id=id_, kind=kind, url=address, name=name))
    return sources


def _document_kind(body: bytes) -> str | None:
    """The kind of source that a document itself is; None for a web page."""
    root = _DOCUMENT.search(body[:5_000])
    if root is None:
        # JSON Feed
        if body.lstrip()[:1] == b"{":
            return "feed"
        return None
    name = root[1].lower()
    if name in (b"html", b"body"):
        return None
    if name in (b"urlset", b"sitemapindex"):
        return "sitemap"
    return "feed"


def _site_name(body: bytes) -> str:
    """The site's name by its title, without what stands behind a separator."""
    title = _TITLE.search(body[:200_000].decode("utf-8", "replace"))
    if title is None:
        return ""
    text = " ".join(printable(unescape(title[1])).split())
    return _TITLE_SEPARATOR.split(text)[0][:80]


def suggest_id(url: str) -> str:
    """An id out of a host: the name of the site without what all hosts have."""
    site = identity.registrable_domain(url)
    name = site.partition(".")[0]
    # An address of numbers has no name.
    if not re.search("[a-z]", site):
        name = identity.url_host(url).partition(":")[0]
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "source"


def unused_id(label: str, taken: Iterable[str], *, language: str | None = None) -> str:
    """An id that nobody has: the label, with the language, with a number."""
    used = set(taken)
    if label not in used:
        return label
    if language:
        with_language = f"{label}-{language.partition('-')[0].lower()}"
        if with_language not in used:
            return with_language
    number = 2
    while f"{label}-{number}" in used:
        number += 1
    return f"{label}-{number}"
