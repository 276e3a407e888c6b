"""One saved page -> the record that `khabar extract` prints. Pure; runs in a worker."""

from typing import Any

from crawler import page_status
from crawler.extraction import extract
from crawler.files.extracting import blank_record, rejection_to_json
from crawler.files.saved import SavedPage
from storage.model import Failure, Rejection, to_text


def page_record(one: SavedPage) -> dict[str, Any]:
    """The record of a page: its article, or why there is none."""
    unavailable = page_status.why_unavailable(one.page)
    if isinstance(unavailable, Failure):
        return blank_record(one) | {
            "rejection": {"why": "failed", "detail": unavailable.detail}
        }
    outcome = unavailable or extract.extract(one.page, now=one.page.fetched_at)
    if isinstance(outcome, Rejection):
        return blank_record(one) | {
            "url": _url(one, outcome.url),
            "title": outcome.title,
            "rejection": rejection_to_json(outcome),
        }
    return blank_record(one) | {
        "url": _url(one, outcome.url),
        "title": outcome.title,
        "authors": list(outcome.authors),
        "published_at": to_text(outcome.published_at) if outcome.published_at else None,
        "published_how": outcome.published_how,
        "language": outcome.language,
        "text": outcome.text,
        "cuts": len(outcome.cuts),
    }


def _url(one: SavedPage, named: str | None) -> str | None:
    """A record's target; for a saved page the address that it names for itself."""
    return one.page.url or named or None
