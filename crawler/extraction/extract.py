"""One page to one document, or to the reason why it is none. Pure.

`extract` is the whole way of a page in numbered steps, each in a module of its own: to
change what a page says, find its step here. Nothing judges what an article is about.
"""

from dataclasses import replace
from datetime import datetime
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
    written_dates,
)
from crawler.extraction.markup import Markup
from crawler.extraction.metadata import Metadata
from crawler.sources import Source
from storage import identity, text_likeness
from storage.model import Document, Lead, Page, Rejection

VERSION = f"3/trafilatura-{version('trafilatura')}"
# A feed entry of fewer words is a teaser.
MIN_ENTRY_WORDS = 100
# A post of a channel is short, and whole.
MIN_POST_WORDS = 15

# What nobody has said of a page that comes without a lead or a source.
_NO_LEAD = Lead(url="", source="", via="import")
_NO_SOURCE = Source(id="", kind="", url="")


def extract(
    page: Page,
    *,
    lead: Lead | None = None,
    source: Source | None = None,
    boilerplate: frozenset[int] = frozenset(),
    now: datetime,
) -> Document | Rejection:
    """The article of a page, cleaned, with everything that the page says about it.

    `boilerplate` are the line hashes that were learned from the host. A page's own
    address is the one it declares for itself within its site; `now` (UTC) bounds its
    dates. Never raises for any bytes.
    """
    lead, source = lead or _NO_LEAD, source or _NO_SOURCE

    # 1. Bytes to one tree: size, charset, JSON-LD, invisible text.
    parsed = markup.parse_page(page)
    if isinstance(parsed, Rejection):
        return parsed
    # 2. Title, people, site and section, as head and byline give them.
    about = metadata.read_metadata(parsed, page.final_url)
    # 3. The page's own address, and the other publisher's that it names.
    found_at = page.final_url or _address_in_page(parsed, about)
    own_url, origin_url = identity.resolve_canonical(
        found_at, about.canonical, og_url=about.og_url, title=about.title
    )
    # 4. The text, held against the page's blocks.
    picked = source.body_selector
    found = body.find_body(parsed, selector=picked, title=about.title, url=own_url)
    # 5. Without boilerplate.
    cleaned = clean.clean(
        found.text,
        title=about.title,
        site=about.site,
        boilerplate=boilerplate,
        headlines=about.headlines,
        labels=(*about.authors, about.section or "", own_url),
    )
    cuts = (*found.cuts, *cleaned.cuts)
    # 6. What is no article is rejected with its reason.
    rejection = page_type.reject(
        parsed, found.blocks, cleaned.text, title=about.title, url=own_url, cuts=cuts
    )
    if rejection is not None:
        return rejection
    # 7. The language, by the text's letters first.
    spoken = language.detect_language(
        cleaned.text, declared=about.language, source=source.language
    )
    # 8. Whom the text credits, and where a link to its source leads.
    credit = about.agency or attribution.find_credit(cleaned.text, cuts=cuts)
    origin_url = origin_url or attribution.find_original_url(parsed.tree, own_url)
    # 9. The document. The lead fills what the page does not say.
    document = Document(
        url=own_url,
        source=source.id or lead.source,
        title=about.title or lead.title,
        text=cleaned.text,
        authors=about.authors or lead.authors,
        language=spoken,
        site=about.site,
        section=about.section,
        image=about.image,
        origin_url=origin_url,
        credit=credit,
        extracted_how=found.method,
        extractor=VERSION,
        cuts=cuts,
        via=lead.via,
        backfill=lead.backfill,
    )
    # 10. The days of publication and change.
    return _add_dates(document, parsed, page, lead=lead, source=source, now=now)


def _address_in_page(parsed: Markup, about: Metadata) -> str:
    """The address that a saved page names for itself, "" where it names none."""
    for named in (about.canonical or "", *parsed.meta.get("og:url", ())):
        if named.startswith(("http://", "https://")):
            return named
    return ""


def _add_dates(
    document: Document,
    parsed: Markup,
    page: Page,
    *,
    lead: Lead,
    source: Source,
    now: datetime,
) -> Document:
    """The document with its dates, read in the zone and format of its source."""
    when = dates.find_dates(
        parsed.tree,
        parsed.own_json_ld,
        url=page.final_url,
        text=document.text,
        now=now,
        lead_date=lead.published_at,
        lead_raw=lead.published_raw,
        language=document.language,
        zone=source.zone,
        date_format=source.date_format,
    )
    if when.published is not None:
        document = replace(
            document,
            published_at=when.published.at,
            published_how=when.published.method,
            published_confidence=when.published.confidence,
            published_raw=when.published.raw,
        )
    if when.unread is not None:
        document = replace(document, published_raw=when.unread)
    if when.modified is not None:
        document = replace(document, modified_at=when.modified.at)
    return document


def extract_entry(
    lead: Lead,
    *,
    now: datetime,
    source: Source | None = None,
    boilerplate: frozenset[int] = frozenset(),
) -> Document | None:
    """The article as the feed entry carries it.

    None where it carries fewer than 100 words, a channel's post fewer than 15.
    """
    source = source or _NO_SOURCE
    least_words, method = MIN_ENTRY_WORDS, "feed: full text of the entry"
    is_post = lead.via == "telegram"
    if is_post:
        least_words, method = MIN_POST_WORDS, "telegram: text of the post"
    cleaned = clean.clean(
        markup.fragment_text(lead.body or ""),
        title=lead.title,
        boilerplate=boilerplate,
        labels=lead.authors,
    )
    if len(text_likeness.fold_words(cleaned.text)) < least_words:
        return None

    published = lead.published_at
    if published is not None and not written_dates.is_plausible(published, now):
        published = None
    return Document(
        url=identity.canonical_url(lead.url),
        source=source.id or lead.source,
        title=lead.title,
        text=cleaned.text,
        authors=lead.authors,
        language=language.detect_language(
            cleaned.text, declared=lead.language, source=source.language
        ),
        published_at=published,
        published_how="feed" if published else None,
        published_confidence=dates.FEED_CONFIDENCE if published else None,
        published_raw=lead.published_raw,
        credit=attribution.find_credit(cleaned.text, cuts=cleaned.cuts),
        extracted_how=method,
        extractor=VERSION,
        cuts=cleaned.cuts,
        via=lead.via,
        backfill=lead.backfill,
        from_feed=not is_post,
    )
