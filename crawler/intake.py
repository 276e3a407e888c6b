"""A page and the lead that pointed to it become a landing.

One function for crawl, import and reprocess: extraction, dates and cleaning make a
document of the page; mentions and relevance say what it is about. Where the page is
gone, forbidden, paywalled or empty and the feed carried the whole text, the feed's text
is the article, and says so. Pure; runs in a worker.
"""

from dataclasses import replace
from datetime import datetime
from typing import TypeGuard

from crawler import page_status
from crawler.extraction import clean, extract, page_type
from crawler.sources import CrawlSettings, Source
from crawler.topic import mentions, relevance, scan
from storage import text_likeness
from storage.folding import fold
from storage.model import (
    Document,
    Failure,
    Landing,
    Lead,
    Page,
    PendingLead,
    Refusal,
    Rejection,
    RejectionReason,
)

# A page with less than this share of the words that its feed entry has was not read
# whole
MIN_SHARE_OF_FEED_TEXT = 0.7
# A page that has less than this share of its entry's runs of words is another page.
MIN_SHARE_OF_WORDS = 0.1
# `via` of a lead to what a person called relevant: it is kept whatever its score
MARKED = "mark"


def process_page(
    page: Page | None,
    lead: PendingLead | Lead | None,
    *,
    source: Source | None = None,
    settings: CrawlSettings,
    boilerplate: frozenset[int] = frozenset(),
    now: datetime,
    why: Rejection | Failure | Refusal | None = None,
) -> Landing:
    """Everything that one visit to a page brought.

    `page` None with `why`: the page was not to be had, for this reason. `boilerplate`
    is what the host has taught. The landing keeps the page for the archive; its `lead`
    is the stored one, if there was one.
    """
    pending: PendingLead | None = None
    pointer: Lead | None
    if isinstance(lead, PendingLead):
        pending, pointer = lead, lead.lead
    else:
        pointer = lead
    url = ""
    source_id = ""
    if page is not None:
        url = page.url
    if pointer is not None:
        url = pointer.url
        source_id = pointer.source
    if source is not None:
        source_id = source.id

    outcome: Document | Rejection | Failure | Refusal
    if page is None:
        outcome = why or Failure(detail="no page", final=True)
    else:
        outcome = page_status.why_unavailable(page) or extract.extract(
            page, lead=pointer, source=source, boilerplate=boilerplate, now=now
        )
    if pointer is not None and pointer.body and page_status.may_use_feed_text(outcome):
        entry = extract.extract_entry(
            pointer, now=now, source=source, boilerplate=boilerplate
        )
        if isinstance(entry, Document):
            outcome = prefer_whole_text(outcome, entry, pointer)

    if pending is not None and _is_wall(outcome):
        # "Not now", as a 503 says: no verdict on the report behind it.
        outcome = Failure(detail=outcome.detail)

    # Further URLs that lead to the same text: where redirects ended, and what the page
    # calls itself
    aliases: list[str] = []
    if page is not None:
        aliases.append(page.final_url)
    lines: tuple[int, ...] = ()
    if isinstance(outcome, Document):
        aliases.append(outcome.url)
        # What was left out because its host had taught it counts as well: else which
        # lines are known would depend on which page came first.
        learned_cuts = [cut.text for cut in outcome.cuts if cut.rule == clean.LEARNED]
        lines = clean.line_hashes("\n".join([outcome.text, *learned_cuts]))
        outcome = judge_document(outcome, source=source, settings=settings)
    return Landing(
        outcome=outcome,
        url=url,
        source=source_id,
        lead=pending,
        page=page,
        aliases=page_status.distinct_urls(aliases, but=url),
        lines=lines,
    )


def process_page_in_worker(
    page: Page | None, lead: PendingLead | Lead | None, **rest: object
) -> Landing:
    """`process_page` without the page in its answer.

    The body need not travel back between processes.
    """
    return replace(process_page(page, lead, **rest), page=None)  # type: ignore[arg-type]


def prefer_whole_text(
    outcome: Document | Rejection | Failure | Refusal, entry: Document, lead: Lead
) -> Document | Rejection:
    """The page's text, or its feed entry's where that is the whole one.

    As the rules say in cases 98 and 99.
    """
    if isinstance(outcome, Rejection) and _is_of_entry_itself(outcome, lead):
        return outcome
    if not isinstance(outcome, Document):
        return entry
    words = len(entry.text.split())
    if len(outcome.text.split()) >= MIN_SHARE_OF_FEED_TEXT * words:
        return outcome
    # A page without a word of its entry is another one: a login, consent, "not found".
    entry_profile = text_likeness.profile_text(entry.text)
    if text_likeness.shared_share(entry_profile, outcome.text) < MIN_SHARE_OF_WORDS:
        return entry
    # The page still knows more than the entry: its own address, its date, its authors.
    return replace(
        outcome,
        text=entry.text,
        cuts=entry.cuts,
        extracted_how=entry.extracted_how,
        from_feed=True,
    )


def _is_wall(
    outcome: Document | Rejection | Failure | Refusal,
) -> TypeGuard[Rejection]:
    """Whether what came stands before the page: a check, a login, an error."""
    return isinstance(outcome, Rejection) and outcome.detail.startswith(page_type.WALL)


def _is_of_entry_itself(outcome: Rejection, lead: Lead) -> bool:
    """Whether what the entry tells of is no article, and not only the page in its place.

    A lesson or a quiz is none in its feed either; "Page not found" is not its headline.
    """
    if outcome.why is not RejectionReason.NOT_AN_ARTICLE or _is_wall(outcome):
        return False
    if outcome.detail.startswith("declared as"):
        return True
    headline = fold(lead.title or "")
    return bool(headline) and headline in fold(outcome.title or "")


def judge_document(
    document: Document, *, source: Source | None, settings: CrawlSettings
) -> Document | Rejection:
    """The document with what it mentions and how relevant it is.

    A rejection where that is not relevant enough.
    """
    title, text = document.title, document.text
    scanned = scan.scan_text(title, text, extra_terms=settings.extra_terms)
    verdict = relevance.judge(scanned)
    least = min_relevance(source, settings)
    if verdict.score < least and document.via != MARKED:
        return Rejection(
            why=RejectionReason.IRRELEVANT,
            url=document.url,
            title=title,
            verdict=verdict,
            cuts=document.cuts,
        )
    found = mentions.find_mentions(scanned, published_at=document.published_at)
    return replace(
        document, verdict=verdict, mentions=found.mentions, claims=found.claims
    )


def min_relevance(source: Source | None, settings: CrawlSettings) -> float:
    """The least relevance that is kept; 0 keeps everything."""
    if source is not None and source.min_relevance is not None:
        return source.min_relevance
    return settings.min_relevance
