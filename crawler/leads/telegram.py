"""The preview page of a public Telegram channel (`https://t.me/s/NAME`) -> leads.

Pure; runs in a worker.

A post of some length is a short article of its own, under the post's address. A shorter
one that points to another site is a lead to that page. What is neither is counted. An
edited post comes again with another `edition`: it is read again.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree, html

from crawler.extraction import markup
from crawler.leads import entries
from crawler.leads.entries import FeedEntry
from crawler.leads.polls import Feed, parse_hints
from crawler.sources import Source
from storage.model import Page, Rejection

MIN_POST_WORDS = 15  # of a post that is an article
# Words: a post with a link and fewer than these announces the page behind it
MAX_TEASER_WORDS = 60
MAX_POST_TITLE_CHARS = 140  # characters of a post's first line that stand as its title
TELEGRAM_HOSTS = frozenset({"t.me", "telegram.me", "telegram.org", "telegram.dog"})

_POSTS = etree.XPath("//*[@data-post][not(ancestor::*[@data-post])]")
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
    max_bytes: int = markup.MAX_PAGE_BYTES,
    max_entries: int = 2_000,
) -> Feed:
    """The posts of a channel, newest first. Never raises for any bytes.

    Errors: not_a_page, no_posts (a private channel, one without a preview, or none at
    all).
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
            kind="telegram",
            error=f"not_a_page: {parsed.detail}",
            hints=parse_hints(headers),
        )
    posts = markup.select(parsed.tree, _POSTS)
    if not posts:
        return Feed(
            kind="telegram",
            error="no_posts: the channel has no public preview",
            hints=parse_hints(headers),
        )
    found = [
        entry
        for post in reversed(posts[-max_entries:])
        if (entry := _build_entry(post, url)) is not None
    ]
    made = entries.build_leads(
        found, source=source, language=None, via="telegram", now=now
    )
    bare = len(posts[-max_entries:]) - len(found)
    title = next(iter(markup.select(parsed.tree, _TITLE)), None)
    return Feed(
        kind="telegram",
        leads=made.leads,
        entries=len(posts),
        newest_at=entries.newest_date(made.leads),
        title=" ".join(title.text_content().split())[:300]
        if title is not None
        else None,
        warnings=(f"{bare} posts without text or link",) if bare else (),
        hints=parse_hints(headers),
    )


def _build_entry(post: html.HtmlElement, base: str) -> FeedEntry | None:
    """What a post is: an article, a pointer to one, or None."""
    fragment = "".join(_markup(text) for text in markup.select(post, _TEXTS)[:2])
    text = markup.fragment_text(fragment)
    words, link = len(text.split()), next(_external_links(post, base), None)
    name = (post.get("data-post") or "").strip("/")
    if link is not None and words < MAX_TEASER_WORDS:
        return _of(text, link=link, name=name, post=post, base=base)
    if words < MIN_POST_WORDS:
        return None
    return _of(
        text,
        link=f"https://t.me/{name}",
        name=name,
        post=post,
        base=base,
        content=fragment,
    )


def _of(
    text: str,
    *,
    link: str,
    name: str,
    post: html.HtmlElement,
    base: str,
    content: str = "",
) -> FeedEntry:
    time = next(iter(markup.select(post, _DATE)), None)
    lines = [line for line in text.split("\n") if line.strip()]
    return FeedEntry(
        link=link,
        base=base,
        guid=f"t.me/{name}",
        title=_headline(lines[0]) if lines else "",
        date=(time.get("datetime") or "")[:100] if time is not None else "",
        content_html=content,
        edit_marker=hashlib.blake2b(
            text.encode("utf-8", "replace"), digest_size=12
        ).hexdigest(),
    )


def _headline(line: str) -> str:
    """A post's first line, or the beginning of one that is a whole text."""
    if len(line) <= MAX_POST_TITLE_CHARS:
        return line
    return line[:MAX_POST_TITLE_CHARS].rpartition(" ")[0] + "…"


def _markup(element: html.HtmlElement) -> str:
    written: str = html.tostring(element, encoding="unicode", with_tail=False)
    return written[: entries.MAX_BODY_CHARS]


def _external_links(post: html.HtmlElement, base: str) -> Iterator[str]:
    """Addresses of other sites in a post.

    Its preview's first, then those of its text.
    """
    anchors = [
        *markup.select(post, _PREVIEW),
        *(a for text in markup.select(post, _TEXTS) for a in text.iter("a")),
    ]
    for anchor in anchors[:50]:
        address = entries.absolute_url(anchor.get("href") or "", base)
        if (
            address
            and (urlsplit(address).hostname or "").removeprefix("www.")
            not in TELEGRAM_HOSTS
        ):
            yield address
