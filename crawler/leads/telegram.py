"""The preview page of a public Telegram channel (`https://t.me/s/NAME`), as leads.

A post of 15 words or more is a short article of its own, under the post's address,
whatever it links to: channels sign each post with links to their other places. A
shorter one that points to another site is a lead to that page. What is neither is counted. An
edited post comes again with another `edit_marker`: it is fetched again. Pure; runs in a
worker.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree, html

from crawler.extraction import elements, markup
from crawler.leads import entries
from crawler.leads.entries import FeedEntry
from crawler.leads.polls import Feed, parse_hints
from crawler.sources import Source
from storage.model import Page, Rejection

MIN_POST_WORDS = 15  # of a post that is an article
MAX_POST_TITLE_CHARS = 140  # of a post's first line that stand as its title
MAX_LINKS_IN_POST = 50
TELEGRAM_HOSTS = frozenset({"t.me", "telegram.me", "telegram.org", "telegram.dog"})

_POSTS = etree.XPath("//*[@data-post][not(ancestor::*[@data-post])]")
# Not the text of the post that it answers, which stands within it
_TEXTS = etree.XPath(
    ".//*[contains(concat(' ', @class, ' '), ' tgme_widget_message_text ')]"
    "[not(ancestor::*[contains(@class, 'tgme_widget_message_reply')])]"
)
_PREVIEW = etree.XPath(".//a[contains(@class, 'tgme_widget_message_link_preview')]")
_DATE = etree.XPath(".//a[contains(@class, 'tgme_widget_message_date')]//time")
_TITLE = etree.XPath("//*[contains(@class, 'tgme_channel_info_header_title')]")


def parse_telegram_page(
    body: bytes,
    *,
    url: str,
    headers: Mapping[str, str],
    source: Source,
    now: datetime,
    max_bytes: int,
    max_entries: int,
) -> Feed:
    """The posts of a channel, newest first. Never raises for any bytes.

    Errors: not_a_page, no_posts (a private channel, one without a preview, or none at
    all).
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
        return Feed(kind="telegram", error=f"not_a_page: {parsed.detail}", hints=hints)
    posts = elements.select(parsed.tree, _POSTS)
    if not posts:
        error = "no_posts: the channel has no public preview"
        return Feed(kind="telegram", error=error, hints=hints)

    # The page has the newest post last
    newest_first = posts[-max_entries:][::-1]
    found: list[FeedEntry] = []
    for post in newest_first:
        entry = _build_entry(post, url)
        if entry is not None:
            found.append(entry)
    built = entries.build_leads(
        found, source=source, language=None, via="telegram", now=now
    )

    title = None
    for element in elements.select(parsed.tree, _TITLE)[:1]:
        title = " ".join(element.text_content().split())[:300]
    warnings: tuple[str, ...] = ()
    left_out = len(newest_first) - len(found)
    if left_out:
        warnings = (f"{left_out} posts without text or link",)
    return Feed(
        kind="telegram",
        leads=built.leads,
        entries=len(posts),
        newest_at=entries.newest_date(built.leads),
        title=title,
        warnings=warnings,
        hints=hints,
    )


def _build_entry(post: html.HtmlElement, base: str) -> FeedEntry | None:
    """What a post is: an article, a pointer to one, or None."""
    fragment = "".join(_serialise(text) for text in elements.select(post, _TEXTS)[:2])
    text = markup.fragment_text(fragment)
    words = len(text.split())
    name = (post.get("data-post") or "").strip("/")
    link: str | None = f"https://t.me/{name}"
    content = fragment
    if words < MIN_POST_WORDS:
        link, content = _first_external_link(post, base), ""
    if link is None:
        return None

    date = ""
    for time in elements.select(post, _DATE)[:1]:
        date = (time.get("datetime") or "")[:100]
    lines = [line for line in text.split("\n") if line.strip()]
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12)
    return FeedEntry(
        link=link,
        base=base,
        guid=f"t.me/{name}",
        title=_headline(lines[0]) if lines else "",
        date=date,
        content_html=content,
        edit_marker=digest.hexdigest(),
    )


def _headline(line: str) -> str:
    """A post's first line, or the beginning of one that is a whole text."""
    if len(line) <= MAX_POST_TITLE_CHARS:
        return line
    return line[:MAX_POST_TITLE_CHARS].rpartition(" ")[0] + "…"


def _serialise(element: html.HtmlElement) -> str:
    written: str = html.tostring(element, encoding="unicode", with_tail=False)
    return written[: entries.MAX_BODY_CHARS]


def _first_external_link(post: html.HtmlElement, base: str) -> str | None:
    """The first address of another site in a post: its preview's, else one of its text."""
    anchors = list(elements.select(post, _PREVIEW))
    for text in elements.select(post, _TEXTS):
        anchors += text.iter("a")
    for anchor in anchors[:MAX_LINKS_IN_POST]:
        address = entries.absolute_url(anchor.get("href") or "", base)
        if address is None:
            continue
        host = urlsplit(address).hostname or ""
        if host.removeprefix("www.") not in TELEGRAM_HOSTS:
            return address
    return None
