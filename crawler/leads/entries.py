"""What an entry of any feed says -> `Lead`.

Its address, identity, title, date, authors. Pure.

RSS, Atom, JSON Feed and sitemaps are all read into `Entry`; the rules for links and
identities (cases 71 to 100 of the polling rules) live here, once.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin, urlsplit

from crawler.extraction import dates, markup
from crawler.sources import Source
from storage.folding import printable
from storage.identity import MAX_URL_CHARS
from storage.model import Lead

MAX_TITLE_CHARS = 1_000
MAX_SUMMARY_CHARS = 5_000
MAX_BODY_CHARS = 500_000
MAX_GUID_CHARS = 1_000
MAX_AUTHOR_CHARS = 200
MAX_AUTHORS = 20
MIN_FULL_TEXT_WORDS = 100  # words that make an entry's text an article's

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
    # Of the last change; it stands in where there is no other, and is no
    # `published_raw`
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
    """The leads of a document in its order, and what gave none."""

    leads: tuple[Lead, ...]
    without_url: int = 0  # no link, or one that is never asked for
    home_pages: int = 0
    repeated: int = 0


def build_leads(
    entries: Iterable[FeedEntry],
    *,
    source: Source,
    language: str | None,
    via: str,
    now: datetime,
) -> EntryLeads:
    """Leads with identities that are unique in this document (cases 71 to 73, 82, 88 to 91)."""
    found: dict[tuple[str, str], Lead] = {}
    guids: set[str] = set()
    without_url = home_pages = repeated = 0
    for entry in entries:
        url = absolute_url(entry.link, entry.base)
        if url is None:
            without_url += 1
        elif is_home_page(url):
            home_pages += 1
        elif (key := (entry.guid, url)) in found:
            repeated += 1
        else:
            guid = _unique_guid(entry, url, guids)
            guids.add(guid)
            found[key] = _build_lead(
                entry, url, guid, source=source, language=language, via=via, now=now
            )
    return EntryLeads(
        leads=tuple(found.values()),
        without_url=without_url,
        home_pages=home_pages,
        repeated=repeated,
    )


def absolute_url(link: str, base: str) -> str | None:
    """The absolute web address of a link, as written otherwise.

    None for what is never requested (cases 88 to 90).
    """
    trimmed = (
        re.sub(r"[\t\r\n]", "", printable(link[: MAX_URL_CHARS + 1]))
        .strip(_INVISIBLE_EDGES)
        .replace(" ", "%20")
    )
    if not trimmed or len(trimmed) > MAX_URL_CHARS:
        return None
    try:
        url = urljoin(base, trimmed)
        parts = urlsplit(url)
        usable = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and parts.username is None
        )
        _ = parts.port
    except ValueError:
        return None
    return url if usable and len(url) <= MAX_URL_CHARS else None


def is_home_page(url: str) -> bool:
    """A link to a site's front page tells of no article (case 91)."""
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query


def _unique_guid(entry: FeedEntry, url: str, taken: set[str]) -> str:
    """The entry's own identity, else its address.

    Made unique where a document uses one for many (cases 71 to 73).
    """
    own = _collapse_spaces(entry.guid, MAX_GUID_CHARS) or url
    if own not in taken:
        return own
    longer = f"{own}|{url}"
    return next(guid for guid in _guid_candidates(longer) if guid not in taken)


def _guid_candidates(guid: str) -> Iterator[str]:
    yield guid
    number = 2
    while True:
        yield f"{guid}|{number}"
        number += 1


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
    own = language_tag(entry.language) or language or source.language
    dated = dates.parse_date(
        entry.date or entry.changed, now=now, language=own, zone=source.zone, how="feed"
    )
    summary = _markup_to_text(entry.summary_html, MAX_SUMMARY_CHARS)
    return Lead(
        url=url,
        source=source.id,
        title=_markup_to_text(entry.title_html, MAX_TITLE_CHARS)
        or _collapse_spaces(entry.title, MAX_TITLE_CHARS)
        or None,
        published_at=dated.at if dated else None,
        published_raw=_collapse_spaces(entry.date, dates.MAX_DATE_CHARS) or None,
        authors=author_names(entry.authors),
        language=own,
        summary=summary or None,
        body=_full_text(entry),
        guid=guid,
        origin=_collapse_spaces(entry.origin, MAX_URL_CHARS) or None,
        via=via,
        edit_marker=entry.edit_marker or None,
        found_at=now,
    )


def _full_text(entry: FeedEntry) -> str | None:
    """The entry's text where it gives one.

    Its content, or a description as long as an article (case 99).
    """
    if entry.content_html.strip():
        return printable(entry.content_html[:MAX_BODY_CHARS])
    description = entry.summary_html[:MAX_BODY_CHARS]
    return (
        printable(description)
        if description.count(" ") >= MIN_FULL_TEXT_WORDS
        else None
    )


def author_names(authors: Iterable[str]) -> tuple[str, ...]:
    """Names only: "a@b.c (Name)" is Name (case 97)."""
    found = (
        _SPACE.sub(
            " ", _MAIL_ADDRESS.sub(" ", _collapse_spaces(author, MAX_AUTHOR_CHARS))
        ).strip(" ()<>,;\"'")
        for author in authors
    )
    return tuple(dict.fromkeys(name for name in found if name))[:MAX_AUTHORS]


def language_tag(language: str | None) -> str | None:
    """A language tag in BCP 47 form, or None for what is none."""
    plain = (language or "").strip().replace("_", "-")
    if not _LANGUAGE_TAG.fullmatch(plain):
        return None
    head, *rest = plain.split("-")
    return "-".join(
        [head.lower(), *(part.upper() if len(part) == 2 else part for part in rest)]
    )


def newest_date(found: Iterable[Lead]) -> datetime | None:
    """The latest publication date among the leads."""
    return max((lead.published_at for lead in found if lead.published_at), default=None)


def _markup_to_text(fragment: str, most: int) -> str:
    """Text of markup with entities decoded once.

    20 characters of markup are allowed for each of text.
    """
    return (
        _collapse_spaces(markup.fragment_text(fragment[: 20 * most]), most)
        if fragment
        else ""
    )


def _collapse_spaces(text: str, most: int) -> str:
    return _SPACE.sub(" ", printable(text[: 4 * most])).strip()[:most].strip()
