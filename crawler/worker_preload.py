"""Imported once by the server from which workers are forked.

Whatever a task would load first is loaded here. Reading one page of our own fills the
caches (date words, cleaning rules, gazetteer, automaton), so that a new worker shares
them with its siblings and its first task takes as long as its second.
"""

import gc
import logging

from crawler import intake
from crawler.leads import feeds, sections, telegram
from crawler.sources import CrawlSettings, Source
from storage.model import Lead, Page, utc_now

PAGE = b"""<!doctype html>
<html lang="en"><head><title>Two killed in Kandahar blast</title>
<meta property="article:published_time" content="2026-01-02T03:04:05+04:30">
</head><body><article>
<h1>Two killed in Kandahar blast</h1><p>Published on 2 January 2026</p>
<p>Taliban officials in the Panjwai district of Kandahar said on Friday that
two people were killed by a mine.</p>
<p>This page was written for khabar; it is read once when the workers start,
and kept nowhere.</p>
</article></body></html>"""
FEED = b"""<?xml version="1.0"?>
<rss version="2.0"><channel><title>Preload</title><item><title>Two killed</title>
<link>https://preload.example/a</link><pubDate>Fri, 02 Jan 2026 03:04:05 +0430</pubDate>
</item></channel></rss>"""


def read_samples() -> None:
    """Read a page and a feed of our own with every reader."""
    now = utc_now()
    url = "https://preload.example/2026/01/02/blast"
    html = {"Content-Type": "text/html; charset=utf-8"}
    page = Page(
        url=url,
        final_url=url,
        status=200,
        headers=tuple(html.items()),
        body=PAGE,
        fetched_at=now,
    )
    lead = Lead(url=url, source="preload", found_at=now)
    settings = CrawlSettings(min_relevance=0)
    intake.process_page(page, lead, settings=settings, now=now)

    source = Source(id="preload", kind="feed", url="https://preload.example/feed")
    for parse in (sections.parse_section_page, telegram.parse_telegram_page):
        parse(
            PAGE,
            url=url,
            headers=html,
            source=source,
            now=now,
            max_bytes=settings.max_feed_size,
            max_entries=settings.max_entries,
        )
    feeds.parse_feed(
        FEED,
        url=source.url,
        headers={"Content-Type": "text/xml"},
        source=source,
        now=now,
        max_bytes=settings.max_feed_size,
        max_entries=settings.max_entries,
    )


try:
    read_samples()
# A fault here would keep every worker from starting; the first task tells of it itself.
except Exception:
    logging.getLogger(__name__).exception("preloading failed")
gc.collect()
gc.freeze()
