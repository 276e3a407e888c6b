"""What an entry of any feed says, as a `Lead`: address, identity, title, date, authors.

RSS, Atom, JSON Feed, sitemaps, section pages and channels are all read into `FeedEntry`;
the rules for links and identities (cases 71 to 100 of the polling rules) live here,
once. Pure.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from urllib.parse import urljoin, urlsplit

from crawler.extraction import markup, written_dates
from crawler.sources import Source
from storage import identity
from storage.folding import fold, printable
from storage.identity import MAX_URL_CHARS
from storage.model import Lead

MAX_TITLE_CHARS = 1_000
MAX_SUMMARY_CHARS = 5_000
MAX_BODY_CHARS = 500_000
MAX_GUID_CHARS = 1_000
MAX_AUTHOR_CHARS = 200
MAX_AUTHORS = 20
# Case 99: from so many words on a description is an article's text
MIN_FULL_TEXT_WORDS = 100
# What may stand in markup for one character of text
MARKUP_CHARS_PER_TEXT_CHAR = 20

# What copying leaves at the ends of a link
_INVISIBLE_EDGES = " \n\u00a0\u200b\u200c\u200d\u200e\u200f\ufeff"
_SPACE = re.compile(r"\s+")
_MAIL_ADDRESS = re.compile(
    r"[<(\[]?[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,5}[>)\]]?"
)
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One entry as it was written. Texts marked `html` are markup, the others plain."""

    link: str = ""
    base: str = ""  # what a relative link is relative to
    guid: str = ""
    title: str = ""
    title_html: str = ""
    date: str = ""  # of publication
    # Of the last change; it stands in for a missing `date`, and is no `published_raw`
    changed: str = ""
    authors: tuple[str, ...] = ()
    language: str = ""
    summary_html: str = ""
    content_html: str = ""
    origin: str = ""
    # What changes when the entry is edited, where that is more than its title
    edit_marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLeads:
    """The leads of a document in its order, and how many entries gave none."""

    leads: tuple[Lead, ...]
    without_url: int = 0  # no link, or one that is never asked for
    home_pages: int = 0
    sharing_page: int = 0  # other entries under one address, with no text of their own


def build_leads(
    entries: Iterable[FeedEntry],
    *,
    source: Source,
    language: str | None,
    via: str,
    now: datetime,
) -> EntryLeads:
    """Leads whose identities are unique in this document.

    `language` is the document's own; `now` is aware, and bounds the dates that are
    believed. Rules: cases 71 to 73, 82, 88 to 91.
    """
    entries = list(entries)
    of_live_pages, sharing_page = _find_entries_of_live_pages(entries)
    leads: dict[tuple[str, str], Lead] = {}
    guids: set[str] = set()
    without_url = 0
    home_pages = 0
    for position, entry in enumerate(entries):
        url = absolute_url(entry.link, entry.base)
        if url is None:
            without_url += 1
            continue
        if is_home_page(url):
            home_pages += 1
            continue
        # Case 82: the same entry twice in one document
        key = (entry.guid, url)
        if key in leads:
            continue
        guid = _unique_guid(entry, url, guids)
        guids.add(guid)
        if position in of_live_pages:
            url = identity.entry_url(url, entry.guid or url)
        leads[key] = _build_lead(
            entry, url, guid, source=source, language=language, via=via, now=now
        )
    return EntryLeads(
        leads=tuple(leads.values()),
        without_url=without_url,
        home_pages=home_pages,
        sharing_page=sharing_page,
    )


def _find_entries_of_live_pages(entries: Sequence[FeedEntry]) -> tuple[set[int], int]:
    """Positions of entries that are reports of their own under one address.

    A live page or a bulletin is fed as many entries with identity, headline and text of
    their own, under its address or its anchors. Also the number of entries that share
    an address without text of their own: of these only the first can be read.
    """
    by_page: dict[str, list[int]] = {}
    for position, entry in enumerate(entries):
        url = absolute_url(entry.link, entry.base)
        if url is not None and not is_home_page(url):
            by_page.setdefault(identity.url_key(url), []).append(position)

    own: set[int] = set()
    sharing = 0
    for positions in by_page.values():
        if len(positions) < 2:
            continue
        reports: dict[str, int] = {}
        titles: set[str] = set()
        others: set[tuple[str, str]] = set()
        for position in positions:
            entry = entries[position]
            title = fold(entry.title or markup.fragment_text(entry.title_html))
            others.add((entry.guid, title))
            text = fold(markup.fragment_text(_full_text(entry) or ""))
            # The same entry twice (case 82) is none of its own.
            identity_of_entry = entry.guid or entry.link
            is_whole = len(text.split()) >= MIN_FULL_TEXT_WORDS
            if is_whole and title not in titles and identity_of_entry not in reports:
                reports[identity_of_entry] = position
                titles.add(title)
        if len(reports) > 1:
            own.update(reports.values())
        sharing += max(len(others) - max(len(reports), 1), 0)
    return own, sharing


def absolute_url(link: str, base: str) -> str | None:
    """The absolute web address of a link, as written otherwise.

    None for what is never requested: other schemes, user names, more than
    `MAX_URL_CHARS` (cases 88 to 90).
    """
    one_line = re.sub(r"[\t\r\n]", "", printable(link[: MAX_URL_CHARS + 1]))
    trimmed = one_line.strip(_INVISIBLE_EDGES).replace(" ", "%20")
    if not trimmed or len(trimmed) > MAX_URL_CHARS:
        return None
    try:
        url = urljoin(base, trimmed)
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    if parts.username is not None or len(url) > MAX_URL_CHARS:
        return None
    return url


def is_home_page(url: str) -> bool:
    """Whether a link leads to a site's front page, which is no article (case 91)."""
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query


def _unique_guid(entry: FeedEntry, url: str, taken: set[str]) -> str:
    """The entry's own identity, else its address.

    Where a document uses one identity for many entries, the address and a number are
    added (cases 71 to 73).
    """
    guid = _collapse_spaces(entry.guid, MAX_GUID_CHARS) or url
    if guid not in taken:
        return guid
    with_url = f"{guid}|{url}"
    if with_url not in taken:
        return with_url
    return next(
        numbered
        for number in count(2)
        if (numbered := f"{with_url}|{number}") not in taken
    )


def _build_lead(
    entry: FeedEntry,
    url: str,
    guid: str,
    *,
    source: Source,
    language: str | None,
    via: str,
    now: datetime,
) -> Lead:
    # Case 100: the entry knows its language better than the document, this better than
    # the configuration
    own_language = language_tag(entry.language) or language or source.language
    dated = written_dates.parse_date(
        entry.date or entry.changed,
        now=now,
        language=own_language,
        zone=source.zone,
        method="feed",
    )
    title = _markup_to_text(entry.title_html, MAX_TITLE_CHARS)
    if not title:
        title = _collapse_spaces(entry.title, MAX_TITLE_CHARS)
    return Lead(
        url=url,
        source=source.id,
        title=title or None,
        published_at=None if dated is None else dated.at,
        published_raw=_collapse_spaces(entry.date, written_dates.MAX_DATE_CHARS)
        or None,
        authors=author_names(entry.authors),
        language=own_language,
        summary=_markup_to_text(entry.summary_html, MAX_SUMMARY_CHARS) or None,
        body=_full_text(entry),
        guid=guid,
        origin=_collapse_spaces(entry.origin, MAX_URL_CHARS) or None,
        via=via,
        edit_marker=entry.edit_marker or None,
        found_at=now,
    )


def _full_text(entry: FeedEntry) -> str | None:
    """The longest of content and description, which must be as long as an article.

    Many give the first line or a caption as the content, and all of the text as the
    description.
    """
    content = entry.content_html[:MAX_BODY_CHARS]
    description = entry.summary_html[:MAX_BODY_CHARS]
    words = description.count(" ")
    if words >= MIN_FULL_TEXT_WORDS and words > content.count(" "):
        return printable(description)
    if content.strip():
        return printable(content)
    return None


def author_names(authors: Iterable[str]) -> tuple[str, ...]:
    """The names without mail addresses: "a@b.c (Name)" is Name (case 97)."""
    names: dict[str, None] = {}
    for author in authors:
        without_mail = _MAIL_ADDRESS.sub(
            " ", _collapse_spaces(author, MAX_AUTHOR_CHARS)
        )
        name = _SPACE.sub(" ", without_mail).strip(" ()<>,;\"'")
        if name:
            names[name] = None
    return tuple(names)[:MAX_AUTHORS]


def language_tag(language: str | None) -> str | None:
    """A language tag in BCP 47 form, or None for what is none."""
    plain = (language or "").strip().replace("_", "-")
    if not _LANGUAGE_TAG.fullmatch(plain):
        return None
    head, *rest = plain.split("-")
    # Regions have two letters: fa-AF
    subtags = [part.upper() if len(part) == 2 else part for part in rest]
    return "-".join([head.lower(), *subtags])


def newest_date(leads: Iterable[Lead]) -> datetime | None:
    """The latest publication date among the leads."""
    return max((lead.published_at for lead in leads if lead.published_at), default=None)


def _markup_to_text(fragment: str, max_chars: int) -> str:
    """The text of a piece of markup, its entities decoded once."""
    if not fragment:
        return ""
    bounded = fragment[: MARKUP_CHARS_PER_TEXT_CHAR * max_chars]
    return _collapse_spaces(markup.fragment_text(bounded), max_chars)


def _collapse_spaces(text: str, max_chars: int) -> str:
    return _SPACE.sub(" ", printable(text[: 4 * max_chars])).strip()[:max_chars].strip()
