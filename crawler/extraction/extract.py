"""One page to one document, or to the reason why it is none. Pure.

The sequence: guards and parsing (`markup`), the text (`body`), what the page says about
it (`metadata`, `dates`, `language`), cleaning (`clean`). Nothing here judges what an
article is about.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version

from crawler.extraction import (
    attribution,
    body,
    clean,
    dates,
    language,
    markup,
    metadata,
    page_type,
)
from crawler.extraction.markup import Markup
from crawler.sources import Source
from storage import identity
from storage.model import Document, Lead, Page, Rejection

VERSION = f"3/trafilatura-{version('trafilatura')}"
MIN_ENTRY_WORDS = 100  # a feed entry of fewer words is a teaser
MIN_POST_WORDS = 15  # a post of a channel is short, and whole


def extract(
    page: Page,
    *,
    lead: Lead | None = None,
    source: Source | None = None,
    furniture: frozenset[int] = frozenset(),
    now: datetime,
) -> Document | Rejection:
    """The article of a page, cleaned, with everything that the page says about it.

    Never raises for any bytes.

    `furniture` are the line hashes that the host has taught. A page's own address is
    the one it declares for itself within its site; `now` bounds its dates.
    """
    parsed = markup.parse_page(page)
    if isinstance(parsed, Rejection):
        return parsed
    about = metadata.read_metadata(parsed, page.final_url)
    own, other = identity.resolve_canonical(
        page.final_url or _declared_address(parsed, about.canonical), about.canonical
    )
    found = body.find_body(parsed, selector=source.body_selector if source else None)
    cleaned = clean.clean(
        found.text,
        title=about.title,
        site=about.site,
        furniture=furniture,
        headlines=about.headlines,
        labels=(*about.authors, about.section or "", own),
    )
    cuts = (*found.cuts, *cleaned.cuts)
    if turned := page_type.reject(
        parsed, found.page, cleaned.text, title=about.title, url=own, cuts=cuts
    ):
        return turned
    spoken = language.detect_language(
        cleaned.text,
        declared=about.language,
        source=source.language if source else None,
    )
    when = _find_dates(
        parsed, page, cleaned.text, lead=lead, source=source, spoken=spoken, now=now
    )
    document = Document(
        url=own,
        source=source.id if source else lead.source if lead else "",
        title=about.title or (lead.title if lead else None),
        text=cleaned.text,
        authors=about.authors or (lead.authors if lead else ()),
        language=spoken,
        site=about.site,
        section=about.section,
        image=about.image,
        origin_url=other or attribution.find_original_url(parsed.tree, own),
        credit=about.agency or attribution.find_credit(cleaned.text, cuts=cuts),
        extracted_how=found.how,
        extractor=VERSION,
        cuts=cuts,
        via=lead.via if lead else "import",
        backfill=lead.backfill if lead else False,
    )
    return _with_dates(document, when)


def _with_dates(document: Document, when: dates.PageDates) -> Document:
    """The document with what was found of its dates."""
    published, modified = when.published, when.modified
    if published is not None:
        document = replace(
            document,
            published_at=published.at,
            published_how=published.how,
            published_confidence=published.confidence,
            published_raw=published.raw,
        )
    return (
        replace(document, modified_at=modified.at) if modified is not None else document
    )


def _declared_address(parsed: Markup, canonical: str | None) -> str:
    """The address that a saved page names for itself, empty where it names none."""
    named = (canonical or "", *parsed.meta.get("og:url", ()))
    return next((url for url in named if url.startswith(("http://", "https://"))), "")


def _find_dates(
    parsed: Markup,
    page: Page,
    text: str,
    *,
    lead: Lead | None,
    source: Source | None,
    spoken: str | None,
    now: datetime,
) -> dates.PageDates:
    """When the page says that it was published and changed, in the zone and form of its source."""
    return dates.find_dates(
        parsed.tree,
        url=page.final_url,
        text=text,
        now=now,
        lead_date=lead.published_at if lead else None,
        lead_raw=lead.published_raw if lead else None,
        language=spoken,
        zone=source.zone if source else None,
        date_format=source.date_format if source else None,
        objects=parsed.objects,
    )


def extract_entry(
    lead: Lead,
    *,
    now: datetime,
    source: Source | None = None,
    furniture: frozenset[int] = frozenset(),
) -> Document | None:
    """The article as the feed entry carries it, None where it carries fewer than 100 words, a channel's post 15."""
    post = lead.via == "telegram"
    cleaned = clean.clean(
        markup.fragment_text(lead.body or ""),
        title=lead.title,
        furniture=furniture,
        labels=lead.authors,
    )
    if len(identity.fold_words(cleaned.text)) < (
        MIN_POST_WORDS if post else MIN_ENTRY_WORDS
    ):
        return None
    said = _entry_date(lead, now)
    return Document(
        url=identity.canonical_url(lead.url),
        source=source.id if source else lead.source,
        title=lead.title,
        text=cleaned.text,
        authors=lead.authors,
        language=language.detect_language(
            cleaned.text,
            declared=lead.language,
            source=source.language if source else None,
        ),
        published_at=said,
        published_how="feed" if said else None,
        published_confidence=dates.FEED_CONFIDENCE if said else None,
        published_raw=lead.published_raw,
        credit=attribution.find_credit(cleaned.text, cuts=cleaned.cuts),
        extracted_how="telegram: text of the post"
        if post
        else "feed: full text of the entry",
        extractor=VERSION,
        cuts=cleaned.cuts,
        via=lead.via,
        backfill=lead.backfill,
        from_feed=not post,
    )


def _entry_date(lead: Lead | None, now: datetime) -> datetime | None:
    """The date that the pointer gave, unless it lies in the future."""
    moment = lead.published_at if lead else None
    return moment if moment and moment <= now + timedelta(days=1) else None
