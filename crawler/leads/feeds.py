"""The bytes of any feed or sitemap, parsed into leads, hints and faults.

RSS 0.9x to 2.0 and Atom go through feedparser, JSON Feed and sitemaps through readers
of our own. A new dialect is a new reader beside them, called from `parse_feed`. Pure;
runs in a worker, since feedparser is slow and hostile bytes can crash it.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit
from xml.parsers import expat

import feedparser

from crawler import content_encoding
from crawler.extraction import written_dates
from crawler.leads import entries, json_feed, sitemaps, xml_text
from crawler.leads.entries import FeedEntry
from crawler.leads.polls import Feed, PollingElements, parse_hints
from crawler.sources import Source
from storage import identity
from storage.folding import printable

# Entries of a sitemap (sitemaps.org); the newest `max_entries` of them become leads
MAX_SITEMAP_PAGES = 50_000
GZIP_MAGIC = b"\x1f\x8b"
# feedparser's second parser takes 10 s for a hostile 700 kB of ill-formed XML: what is
# longer than this is repaired first
MAX_ILL_FORMED_CHARS = 300_000

MAX_PAGE_HEAD_BYTES = 200_000  # of a page in which its feeds are looked for
MAX_FEED_LINKS = 20
FEED_CONTENT_TYPES = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/feed+json"}
)

_BASE_TAG = re.compile(r"<base\s[^<>]{1,2000}>", re.IGNORECASE)
_LINK_TAG = re.compile(r"<link\s[^<>]{1,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""([\w-]{1,20})\s{0,5}=\s{0,5}(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))"""
)
# feedparser cuts an address after four letters of its last part ("a@b.museum") and leaves
# the rest in the name
_CUT_MAIL = re.compile(r"@[\w.-]+\.[A-Za-z]{4}$")
_REST_OF_MAIL = re.compile(r"^[a-z]{1,20}(?=\s|$)|<[a-z]{1,20}>?$")
_TAG = re.compile(r"</?[A-Za-z]")
# A document speaks of itself before its first entry, within so many characters
_MAX_HEAD_CHARS = 20_000
_FIRST_ENTRY = re.compile(r"<(?:[\w.-]{1,20}:)?(?:item|entry)[\s>]", re.IGNORECASE)
_CHANNEL_LINK = re.compile(
    r"<link>\s{0,50}(?:<!\[CDATA\[)?\s{0,50}(https?://[^\s<>\]]{1,500})", re.IGNORECASE
)
_CDATA_MARKS = re.compile(r"(?:<|&lt;)!\[CDATA\[|\]\](?:>|&gt;)")
_DATE_IN_PATH = re.compile(r"/(20\d\d)[/-](\d\d)[/-](\d\d)(?!\d)")
_NUMBER = re.compile(r"\d{1,18}")
_SKIPPED_TIME = re.compile(r"<(hour|day)>\s{0,20}(\w{1,9})\s{0,20}</\1>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What is known of a document besides its text."""

    url: str  # where it was found in the end
    source: Source
    now: datetime
    max_entries: int

    def absolute_url(self, link: str) -> str | None:
        return entries.absolute_url(link, self.url)


def parse_feed(
    body: bytes,
    *,
    url: str,
    headers: Mapping[str, str],
    source: Source,
    now: datetime,
    max_bytes: int,
    max_entries: int,
) -> Feed:
    """Everything that a document shows, or its error. Never raises for any bytes.

    `url` is the final one, `now` aware. Errors: empty_body, html_instead_of_feed,
    not_a_feed, sitemap_index, ill_formed, invalid_json, too_complex, unreadable. A
    document with entries has no error however broken it is: it has warnings (case 54).
    """
    if body.startswith(GZIP_MAGIC):  # sitemap.xml.gz, sent as a file
        unpacked = content_encoding.decode_body(
            body, "gzip", limit=max_bytes + 1, partial=True
        )
        if isinstance(unpacked, content_encoding.DecodeFailure):
            unpacked = b""
        body = unpacked
    if not body.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        return Feed(
            error="empty_body: nothing but white space", hints=parse_hints(headers)
        )

    by_name = {name.lower(): value for name, value in headers.items()}
    content_type = by_name.get("content-type")
    context = _Context(url=url, source=source, now=now, max_entries=max_entries)
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        feed = _parse_json(body[:max_bytes], content_type, context)
        return replace(feed, hints=parse_hints(headers))

    # Of a sitemap all pages are read, since the newest may stand last
    is_sitemap = source.kind == "sitemap"
    if is_sitemap and not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        text, _ = xml_text.decode_text(body[:max_bytes], content_type)
        if len(body) > max_bytes:
            text = text[: text.rfind("\n") + 1]
        listed = sitemaps.parse_text_sitemap(text, url=url)
        if listed:
            feed = _build_sitemap(listed, context)
            return replace(feed, hints=parse_hints(headers))
    document = xml_text.prepare_xml(
        body[:max_bytes],
        content_type,
        max_entries=MAX_SITEMAP_PAGES if is_sitemap else max_entries,
        cut=len(body) > max_bytes,
    )
    feed = _parse_xml(document, context)
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
    base = url
    base_tag = _BASE_TAG.search(text)
    if base_tag:
        href = _tag_attributes(base_tag[0]).get("href", "")
        base = entries.absolute_url(href, url) or url
    feeds: dict[str, None] = {}
    for match in _LINK_TAG.finditer(text):
        link = _tag_attributes(match[0])
        if "alternate" not in link.get("rel", "").lower().split():
            continue
        if link.get("type", "").lower() not in FEED_CONTENT_TYPES:
            continue
        address = entries.absolute_url(link.get("href", ""), base)
        if address:
            feeds[address] = None
    return tuple(feeds)[:MAX_FEED_LINKS]


def _tag_attributes(tag: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for name, quoted, single_quoted, bare in _ATTRIBUTE.findall(tag):
        attributes[name.lower()] = unescape(quoted or single_quoted or bare)
    return attributes


def _parse_json(body: bytes, content_type: str | None, context: _Context) -> Feed:
    text, warning = xml_text.decode_text(body, content_type)
    document = json_feed.parse_json_feed(
        text, url=context.url, max_entries=context.max_entries
    )
    if isinstance(document, str):
        return Feed(kind="json", error=document)
    language = entries.language_tag(document.language)
    feed = _build_feed(document.entries, context, language=language, via="feed")
    warnings = feed.warnings
    if warning:
        warnings = (warning, *warnings)
    return replace(
        feed,
        kind="json",
        warnings=warnings,
        title=_one_line(document.title),
        link=context.absolute_url(document.link),
        language=language,
        hub=context.absolute_url(document.hub),
        next_page=context.absolute_url(document.next_page),
    )


def _parse_xml(document: xml_text.XmlText, context: _Context) -> Feed:
    root = document.root.rpartition(":")[2].lower()
    if root in ("html", "body"):
        return Feed(
            kind="html",
            error="html_instead_of_feed: a web page, perhaps an error page or a login",
        )
    if document.fault:
        return Feed(error=f"too_complex: {document.fault}")
    if root in ("urlset", "sitemapindex"):
        return _parse_sitemap(document.text, context)
    return _parse_rss_or_atom(document.text, context)


def _parse_sitemap(text: str, context: _Context) -> Feed:
    """A urlset wherever it is met; an index only where the source is a sitemap (case 53)."""
    document = sitemaps.parse_sitemap(text, url=context.url)
    if isinstance(document, str):
        return Feed(kind="sitemap", error=document)
    return _build_sitemap(document, context)


def _build_sitemap(document: sitemaps.SitemapDocument, context: _Context) -> Feed:
    chosen, warnings = _select_pages(document.entries, context)
    feed = _build_feed(chosen, context, language=None, via="sitemap")
    feed = replace(feed, kind="sitemap", warnings=(*warnings, *feed.warnings))
    if not document.children:
        return feed

    error = None
    if context.source.kind != "sitemap":
        error = "sitemap_index: name one of its sitemaps, or make it a sitemap source"
    changed_at: dict[str, datetime] = {}
    for child, written in list(document.children_changed.items())[:MAX_SITEMAP_PAGES]:
        dated = written_dates.parse_date(written, now=context.now, method="feed")
        if dated:
            changed_at[context.absolute_url(child) or child] = dated.at
    children = [context.absolute_url(child) for child in document.children]
    return replace(
        feed,
        kind="sitemapindex",
        children=tuple(child for child in children if child),
        children_changed_at=changed_at,
        error=error,
    )


def _select_pages(
    found: tuple[FeedEntry, ...], context: _Context
) -> tuple[list[FeedEntry], tuple[str, ...]]:
    """The newest pages of a sitemap that are wanted, and what was left out, in words.

    Pages of other sites are left out: a sitemap speaks for its own (sitemaps.org), and
    a hostile one for its victim's.
    """
    source, most = context.source, context.max_entries
    sites = {
        identity.registrable_domain(context.url),
        identity.registrable_domain(source.url),
    }
    own: list[FeedEntry] = []
    for entry in found:
        address = context.absolute_url(entry.link) or context.url
        if identity.registrable_domain(address) in sites:
            own.append(entry)
    wanted = own
    if source.link_pattern:
        pattern = re.compile(source.link_pattern)
        wanted = [entry for entry in own if pattern.search(entry.link)]
    left_out = "older pages left out"
    if len(wanted) > most:
        # Of pages without dates the last ones: CMSes append to their sitemaps
        wanted = wanted[::-1]
        wanted.sort(key=_page_age_key, reverse=True)
        if not all(entry.date or entry.changed for entry in wanted):
            left_out = "pages left out, some without a date"
    counted = (
        (len(found) - len(own), "pages of other sites left out"),
        (len(own) - len(wanted), "pages that do not match link_pattern left out"),
        (len(wanted) - most, left_out),
    )
    warnings = tuple(f"{count} {what}" for count, what in counted if count > 0)
    return wanted[:most], warnings


def _page_age_key(entry: FeedEntry) -> tuple[str, int]:
    """What orders the pages of a sitemap by age: a date, else a number in the address.

    W3C dates sort as they are written. Lists without dates are often in the order of
    letters, where 1000 stands before 2.
    """
    written = entry.date or entry.changed
    if not written:
        in_path = _DATE_IN_PATH.search(entry.link)
        if in_path:
            written = "-".join(in_path.groups())
    numbers = _NUMBER.findall(urlsplit(entry.link).path)
    number = 0
    if numbers:
        number = int(numbers[-1])
    return written, number


def _parse_rss_or_atom(text: str, context: _Context) -> Feed:
    base = _base_url(text, context)
    if len(text) > MAX_ILL_FORMED_CHARS and not _is_well_formed(text):
        text = xml_text.repair_xml(text)
    try:
        # A stream: given bytes or str, feedparser opens what looks like the name of a
        # local file and requests what looks like an address (measured).
        parsed = feedparser.parse(
            io.BytesIO(text.encode("utf-8", "replace")),
            response_headers={
                "content-location": base,
                "content-type": "application/xml; charset=utf-8",
            },
            # It takes 4 s for 150 kB of "<a", and nothing here is ever trusted
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # noqa: BLE001 - feedparser raises anything on hostile input, whatever it promises
        detail = _one_line(str(error)[:100]) or ""
        return Feed(error=f"unreadable: {type(error).__name__} {detail}")

    about = parsed.get("feed") or {}
    language = entries.language_tag(_string_value(about, "language"))
    found = tuple(_build_entry(item, base) for item in parsed.entries)
    feed = _build_feed(found, context, language=language, via="feed")
    links: dict[str, str | None] = {}
    for link in about.get("links", ()):
        if isinstance(link, Mapping):
            address = entries.absolute_url(_string_value(link, "href"), base)
            links.setdefault(link.get("rel", ""), address)
    feed = replace(
        feed,
        kind=parsed.get("version") or "",
        title=_one_line(_string_value(about, "title")),
        link=context.absolute_url(_string_value(about, "link")),
        language=language,
        hub=links.get("hub"),
        next_page=links.get("prev-archive") or links.get("next"),
    )
    return _with_faults(feed, parsed)


def _is_well_formed(text: str) -> bool:
    parser = expat.ParserCreate(namespace_separator=" ")
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError:
        return False
    return True


def _with_faults(feed: Feed, parsed: Any) -> Feed:
    """The feed with what feedparser says against it (cases 54 to 56).

    Broken with entries is a warning, broken without them an error, sound without them
    an empty feed.
    """
    detail = ""
    if parsed.get("bozo") and parsed.get("bozo_exception"):
        fault = parsed["bozo_exception"]
        detail = f"{type(fault).__name__}: {str(fault)[:100]}"
    if feed.entries:
        if not detail:
            return feed
        return replace(feed, warnings=(*feed.warnings, f"ill-formed: {detail}"))
    if not feed.kind:
        return replace(feed, error="not_a_feed: no feed and no entries in it")
    if detail:
        return replace(feed, error=f"ill_formed: {detail}")
    return feed


def _build_feed(
    found: Sequence[FeedEntry], context: _Context, *, language: str | None, via: str
) -> Feed:
    built = entries.build_leads(
        found, source=context.source, language=language, via=via, now=context.now
    )
    counted = (
        (built.without_url, "entries without a usable link"),
        (built.home_pages, "links to the home page"),
        (built.sharing_page, "entries share the address of another"),
    )
    return Feed(
        leads=built.leads,
        newest_at=entries.newest_date(built.leads),
        entries=len(found),
        warnings=tuple(f"{count} {what}" for count, what in counted if count),
    )


def _build_entry(item: Any, base: str) -> FeedEntry:
    """What feedparser made of one item.

    Its own dates are not used: it takes AFT, PKT, IST and IRST for UTC.
    """
    title = _without_cdata_marks(_string_value(item, "title"))
    title_detail = item.get("title_detail") or {}
    is_markup = title_detail.get("type") in ("text/html", "application/xhtml+xml")
    is_markup = is_markup or _TAG.search(title) is not None

    contents = [
        detail
        for detail in item.get("content", ())
        if isinstance(detail, Mapping) and detail.get("value")
    ]
    content = max(map(_content_markup, contents), key=len, default="")
    summary = _content_markup(item.get("summary_detail") or {})
    summary = summary or _without_cdata_marks(_string_value(item, "summary"))
    if summary == content:
        summary = ""

    language = _string_value(item, "language") or _string_value(
        title_detail, "language"
    )
    if not language and contents:
        language = _string_value(contents[0], "language")
    authors = item.get("authors", ())
    return FeedEntry(
        link=_first_string(item, "feedburner_origlink", "link"),
        base=base,
        guid=_string_value(item, "id"),
        title="" if is_markup else title,
        title_html=title if is_markup else "",
        date=_first_string(item, "published", "updated", "created"),
        authors=tuple(_author_name(one) for one in authors if isinstance(one, dict)),
        language=language,
        summary_html=summary,
        content_html=content,
        origin=_first_string(item.get("source"), "href", "link", "title"),
    )


def _without_cdata_marks(text: str) -> str:
    """The text without marks of CDATA, which an escaping too many made part of it."""
    return _CDATA_MARKS.sub("", text)


def _author_name(author: dict[str, Any]) -> str:
    name = _string_value(author, "name")
    if _CUT_MAIL.search(_string_value(author, "email")):
        return _REST_OF_MAIL.sub("", name)
    return name


def _content_markup(detail: Mapping[str, Any]) -> str:
    """The value of a content as markup; plain text has its `<` and `&` written out."""
    value = _without_cdata_marks(_string_value(detail, "value"))
    if detail.get("type") == "text/plain":
        return value.replace("&", "&amp;").replace("<", "&lt;")
    return value


def _base_url(text: str, context: _Context) -> str:
    """What relative links are relative to (case 88).

    The channel's link in RSS, else the document itself.
    """
    link = _CHANNEL_LINK.search(_document_head(text))
    if link is None:
        return context.url
    return context.absolute_url(link[1].replace("&amp;", "&")) or context.url


def _document_head(text: str) -> str:
    first_entry = _FIRST_ENTRY.search(text, 0, _MAX_HEAD_CHARS)
    if first_entry:
        return text[: first_entry.start()]
    return text[:_MAX_HEAD_CHARS]


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
    if match is None:
        return None
    return (match[1] or "").strip()


def _first_string(data: Any, *keys: str) -> str:
    for key in keys:
        value = _string_value(data, key)
        if value:
            return value
    return ""


def _string_value(data: Any, key: str) -> str:
    if not isinstance(data, dict):
        return ""
    value = dict.get(data, key)  # past feedparser's own fallbacks, which warn
    if isinstance(value, str):
        return value
    return ""


def _one_line(text: str) -> str | None:
    return " ".join(printable(text[:1_000]).split())[:300] or None
