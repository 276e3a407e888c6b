"""Feed bytes and headers -> leads, hints and faults.

Pure; runs in a worker, since feedparser is slow and can be hurt.

RSS 0.9x to 2.0 and Atom go through feedparser, JSON Feed and sitemaps through readers
of our own. feedparser gets text that `xml_text` made safe, always as a stream: given
bytes or str it opens local files and addresses (measured).
"""

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from html import unescape
from typing import Any
from xml.parsers import expat

import feedparser

from crawler.extraction import dates
from crawler.fetching import content_encoding
from crawler.leads import entries, json_feed, sitemaps, xml_text
from crawler.leads.entries import FeedEntry
from crawler.leads.polls import Feed, PollingElements, parse_hints
from crawler.sources import Source
from storage import identity
from storage.folding import printable

MAX_FEED_BYTES = 5_000_000  # rules: feeds 5 MB, 2,000 entries (cases 45, 70)
MAX_ENTRIES = 2_000
# Entries of a sitemap (sitemaps.org); the newest MAX_ENTRIES of them become leads
MAX_SITEMAP_PAGES = 50_000
GZIP_MAGIC = b"\x1f\x8b"
# Characters of ill-formed XML; feedparser's second parser takes 10 s for a hostile 700
# kB
MAX_ILL_FORMED_CHARS = 300_000

MAX_PAGE_HEAD_BYTES = 200_000  # bytes of a page in which its feeds are looked for
FEED_CONTENT_TYPES = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/feed+json"}
)

_BASE_TAG = re.compile(r"<base\s[^<>]{1,2000}>", re.IGNORECASE)
_LINK_TAG = re.compile(r"<link\s[^<>]{1,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""([\w-]{1,20})\s{0,5}=\s{0,5}(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))"""
)
_CUT_MAIL = re.compile(r"@[\w.-]+\.[A-Za-z]{4}$")
_REST_OF_MAIL = re.compile(r"^[a-z]{1,20}(?=\s|$)|<[a-z]{1,20}>?$")
_TAG = re.compile(r"</?[A-Za-z]")
# Characters before the first entry in which a document speaks of itself
_MAX_HEAD_CHARS = 20_000
_FIRST_ENTRY = re.compile(r"<(?:[\w.-]{1,20}:)?(?:item|entry)[\s>]", re.IGNORECASE)
_CHANNEL_LINK = re.compile(
    r"<link>\s{0,50}(?:<!\[CDATA\[)?\s{0,50}(https?://[^\s<>\]]{1,500})", re.IGNORECASE
)
_SKIPPED_TIME = re.compile(r"<(hour|day)>\s{0,20}(\w{1,9})\s{0,20}</\1>", re.IGNORECASE)


def parse_feed(
    body: bytes,
    *,
    url: str,
    headers: Mapping[str, str],
    source: Source,
    now: datetime,
    max_bytes: int = MAX_FEED_BYTES,
    max_entries: int = MAX_ENTRIES,
) -> Feed:
    """Everything that a document shows, or its error.

    Never raises for any bytes; `url` is the final one.

    Errors: empty_body, html_instead_of_feed, not_a_feed, sitemap_index, ill_formed,
    invalid_json, too_complex, unreadable. A document with entries has no error however
    broken it is: it has warnings (case 54).
    """
    if body.startswith(GZIP_MAGIC):  # sitemap.xml.gz, sent as a file
        unpacked = content_encoding.decode_body(
            body, "gzip", limit=max_bytes + 1, partial=True
        )
        body = b"" if isinstance(unpacked, content_encoding.DecodeFailure) else unpacked
    if not body.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        return Feed(
            error="empty_body: nothing but white space", hints=parse_hints(headers)
        )
    low = {name.lower(): value for name, value in headers.items()}
    content_type = low.get("content-type")
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        feed = _parse_json(
            body[:max_bytes],
            content_type,
            url=url,
            source=source,
            now=now,
            most=max_entries,
        )
        return replace(feed, hints=parse_hints(headers))
    most = MAX_SITEMAP_PAGES if source.kind == "sitemap" else max_entries
    document = xml_text.prepare_xml(
        body[:max_bytes], content_type, most_entries=most, cut=len(body) > max_bytes
    )
    feed = _parse_xml(document, url=url, source=source, now=now, most=max_entries)
    return replace(
        feed,
        hints=parse_hints(headers, _find_polling_elements(document.text)),
        warnings=document.warnings + feed.warnings,
    )


def find_feed_links(body: bytes, *, url: str) -> tuple[str, ...]:
    """The feeds that a web page names, in its order, absolute (case 51).

    Only offered as a hint, never followed.
    """
    text, _ = xml_text.decode_text(body[:MAX_PAGE_HEAD_BYTES], None)
    base_tag = _BASE_TAG.search(text)
    base = (
        entries.absolute_url(_attributes(base_tag[0]).get("href", ""), url)
        if base_tag
        else None
    )
    links = (_attributes(match[0]) for match in _LINK_TAG.finditer(text))
    found = (
        entries.absolute_url(link.get("href", ""), base or url)
        for link in links
        if "alternate" in link.get("rel", "").lower().split()
        and link.get("type", "").lower() in FEED_CONTENT_TYPES
    )
    return tuple(dict.fromkeys(address for address in found if address))[:20]


def _attributes(tag: str) -> dict[str, str]:
    return {
        name.lower(): unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(tag)
    }


def _parse_json(
    body: bytes,
    content_type: str | None,
    *,
    url: str,
    source: Source,
    now: datetime,
    most: int,
) -> Feed:
    text, warning = xml_text.decode_text(body, content_type)
    document = json_feed.parse_json_feed(text, url=url, most=most)
    if isinstance(document, str):
        return Feed(kind="json", error=document)
    language = entries.language_tag(document.language)
    feed = _build_feed(
        document.entries, source=source, language=language, via="feed", now=now
    )
    return replace(
        feed,
        kind="json",
        warnings=(*filter(None, [warning]), *feed.warnings),
        title=_one_line(document.title),
        link=entries.absolute_url(document.link, url),
        language=language,
        hub=entries.absolute_url(document.hub, url),
        next_page=entries.absolute_url(document.next_page, url),
    )


def _parse_xml(
    document: xml_text.XmlText, *, url: str, source: Source, now: datetime, most: int
) -> Feed:
    root = document.root.rpartition(":")[2].lower()
    if root in ("html", "body"):
        return Feed(
            kind="html",
            error="html_instead_of_feed: a web page, perhaps an error page or a login",
        )
    if document.fault:
        return Feed(error=f"too_complex: {document.fault}")
    if root in ("urlset", "sitemapindex"):
        return _parse_sitemap(document.text, url=url, source=source, now=now, most=most)
    return _parse_rss_or_atom(document.text, url=url, source=source, now=now)


def _parse_sitemap(
    text: str, *, url: str, source: Source, now: datetime, most: int
) -> Feed:
    """A urlset is read wherever it is met.

    An index only where the source is a sitemap (case 53).

    Pages of other sites are left out: a sitemap speaks for its own (sitemaps.org), and
    a hostile one for its victim's.
    """
    document = sitemaps.parse_sitemap(text, url=url)
    if isinstance(document, str):
        return Feed(kind="sitemap", error=document)
    if not document.children:
        chosen, warnings = _select_pages(
            document.entries, url=url, source=source, most=most
        )
        feed = _build_feed(chosen, source=source, language=None, via="sitemap", now=now)
        return replace(feed, kind="sitemap", warnings=(*warnings, *feed.warnings))
    children = tuple(
        filter(None, (entries.absolute_url(child, url) for child in document.children))
    )
    error = (
        None
        if source.kind == "sitemap"
        else "sitemap_index: name one of its sitemaps, or make it a sitemap source"
    )
    at = {
        child: dates.parse_date(said, now=now, how="feed")
        for child, said in list(document.changed.items())[:MAX_SITEMAP_PAGES]
    }
    changed = {
        entries.absolute_url(child, url) or child: dated.at
        for child, dated in at.items()
        if dated
    }
    return Feed(
        kind="sitemapindex", children=children, children_changed_at=changed, error=error
    )


def _select_pages(
    found: tuple[FeedEntry, ...], *, url: str, source: Source, most: int
) -> tuple[list[FeedEntry], tuple[str, ...]]:
    """The newest pages of a sitemap that are of its own site and wanted, and what was left out, in words."""
    sites = {identity.registrable_domain(url), identity.registrable_domain(source.url)}
    own = [
        entry
        for entry in found
        if identity.registrable_domain(entries.absolute_url(entry.link, url) or url)
        in sites
    ]
    wanted = (
        [entry for entry in own if re.search(source.link_pattern, entry.link)]
        if source.link_pattern
        else own
    )
    if len(wanted) > most:
        # W3C dates sort as they are written
        wanted.sort(key=lambda entry: entry.date or entry.changed, reverse=True)
    counted = (
        (len(found) - len(own), "pages of other sites left out"),
        (len(own) - len(wanted), "pages that do not match link_pattern left out"),
        (len(wanted) - most, "older pages left out"),
    )
    return wanted[:most], tuple(
        f"{count} {what}" for count, what in counted if count > 0
    )


def _parse_rss_or_atom(text: str, *, url: str, source: Source, now: datetime) -> Feed:
    """RSS and Atom, through feedparser."""
    base = _base_url(text, url)
    if len(text) > MAX_ILL_FORMED_CHARS and not _well_formed(text):
        text = sitemaps.repair_xml(text)
    headers = {
        "content-location": base,
        "content-type": "application/xml; charset=utf-8",
    }
    try:
        parsed = feedparser.parse(
            io.BytesIO(text.encode("utf-8", "replace")),
            response_headers=headers,
            # It takes 4 s for 150 kB of "<a", and nothing here is ever trusted
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # noqa: BLE001 - feedparser raises anything on hostile input, whatever it promises
        return Feed(
            error=f"unreadable: {type(error).__name__} {_one_line(str(error)[:100]) or ''}"
        )
    about = parsed.get("feed") or {}
    language = entries.language_tag(_string_value(about, "language"))
    found = _build_feed(
        [_build_entry(e, base) for e in parsed.entries],
        source=source,
        language=language,
        via="feed",
        now=now,
    )
    links = [link for link in about.get("links", ()) if isinstance(link, Mapping)]
    feed = replace(
        found,
        kind=parsed.get("version") or "",
        title=_one_line(_string_value(about, "title")),
        link=entries.absolute_url(_string_value(about, "link"), url),
        language=language,
        hub=_link_with_rel(links, "hub", base),
        next_page=_link_with_rel(links, "prev-archive", base)
        or _link_with_rel(links, "next", base),
    )
    return _with_faults(feed, parsed)


def _well_formed(text: str) -> bool:
    parser = expat.ParserCreate(namespace_separator=" ")
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError:
        return False
    return True


def _with_faults(feed: Feed, parsed: Any) -> Feed:
    """Broken with entries is a warning, broken without them an error, sound without them an empty feed (54 to 56)."""
    fault = parsed.get("bozo_exception") if parsed.get("bozo") else None
    detail = f"{type(fault).__name__}: {str(fault)[:100]}" if fault else ""
    if feed.entries:
        return replace(
            feed, warnings=feed.warnings + ((f"ill-formed: {detail}",) if fault else ())
        )
    if not feed.kind:
        return replace(feed, error="not_a_feed: no feed and no entries in it")
    return replace(feed, error=f"ill_formed: {detail}") if fault else feed


def _build_feed(
    found: list[FeedEntry] | tuple[FeedEntry, ...],
    *,
    source: Source,
    language: str | None,
    via: str,
    now: datetime,
) -> Feed:
    made = entries.build_leads(
        found, source=source, language=language, via=via, now=now
    )
    counted = (
        (made.without_url, "entries without a usable link"),
        (made.home_pages, "links to the home page"),
    )
    return Feed(
        leads=made.leads,
        newest_at=entries.newest_date(made.leads),
        entries=len(found),
        entries_without_url=made.without_url,
        home_pages=made.home_pages,
        repeated=made.repeated,
        warnings=tuple(f"{count} {what}" for count, what in counted if count),
    )


def _build_entry(item: Any, base: str) -> FeedEntry:
    """What feedparser made of one item.

    Its own dates are not used: it takes AFT, PKT, IST and IRST for UTC.
    """
    title = item.get("title_detail") or {}
    marked_up = title.get("type") in (
        "text/html",
        "application/xhtml+xml",
    ) or _TAG.search(_string_value(item, "title"))
    contents = [
        c for c in item.get("content", ()) if isinstance(c, Mapping) and c.get("value")
    ]
    content = max((_markup(c) for c in contents), key=len, default="")
    summary = _markup(item.get("summary_detail") or {}) or _string_value(
        item, "summary"
    )
    origin = item.get("source")
    return FeedEntry(
        link=_string_value(item, "feedburner_origlink") or _string_value(item, "link"),
        base=base,
        guid=_string_value(item, "id"),
        title="" if marked_up else _string_value(item, "title"),
        title_html=_string_value(item, "title") if marked_up else "",
        date=_string_value(item, "published")
        or _string_value(item, "updated")
        or _string_value(item, "created"),
        authors=tuple(
            _author_name(author)
            for author in item.get("authors", ())
            if isinstance(author, dict)
        ),
        language=_string_value(item, "language")
        or _string_value(title, "language")
        or _string_value(next(iter(contents), {}), "language"),
        summary_html="" if summary == content else summary,
        content_html=content,
        origin=(
            _string_value(origin, "href")
            or _string_value(origin, "link")
            or _string_value(origin, "title")
        )
        if isinstance(origin, Mapping)
        else "",
    )


def _author_name(author: dict[str, Any]) -> str:
    """The name.

    Feedparser cuts an address after four letters of its last part, and leaves the rest
    in the name.
    """
    name, mail = _string_value(author, "name"), _string_value(author, "email")
    return _REST_OF_MAIL.sub("", name) if _CUT_MAIL.search(mail) else name


def _markup(detail: Mapping[str, Any]) -> str:
    """The value of a content as markup; plain text has its `<` and `&` written out."""
    value = _string_value(detail, "value")
    return (
        value.replace("&", "&amp;").replace("<", "&lt;")
        if detail.get("type") == "text/plain"
        else value
    )


def _base_url(text: str, url: str) -> str:
    """What relative links are relative to.

    The channel's link in RSS, else the document itself (case 88).
    """
    head = _document_head(text)
    link = _CHANNEL_LINK.search(head)
    return (
        entries.absolute_url(link[1].replace("&amp;", "&"), url) or url if link else url
    )


def _document_head(text: str) -> str:
    first = _FIRST_ENTRY.search(text)
    return text[: min(first.start() if first else _MAX_HEAD_CHARS, _MAX_HEAD_CHARS)]


def _find_polling_elements(text: str) -> PollingElements:
    head = _document_head(text)
    skipped = _SKIPPED_TIME.findall(head)
    return PollingElements(
        ttl=_element_text(head, "ttl") or "",
        period=_element_text(head, "updatePeriod"),
        frequency=_element_text(head, "updateFrequency") or "",
        skip_hours=tuple(value for kind, value in skipped if kind.lower() == "hour"),
        skip_days=tuple(value for kind, value in skipped if kind.lower() == "day"),
    )


def _element_text(head: str, name: str) -> str | None:
    """Text of the first element of that name: "" for an empty one, None for none."""
    match = re.search(
        rf"<(?:[\w.-]{{1,20}}:)?{name}(?:\s[^<>]{{0,200}})?(?:/>|>([^<]{{0,40}})<)",
        head,
        re.IGNORECASE,
    )
    return (match[1] or "").strip() if match else None


def _link_with_rel(links: list[Mapping[str, Any]], rel: str, base: str) -> str | None:
    return next(
        (
            entries.absolute_url(_string_value(link, "href"), base)
            for link in links
            if link.get("rel") == rel
        ),
        None,
    )


def _string_value(data: Any, key: str) -> str:
    # Past feedparser's own fallbacks, which warn
    value = dict.get(data, key) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""


def _one_line(text: str) -> str | None:
    return " ".join(printable(text[:1_000]).split())[:300] or None
