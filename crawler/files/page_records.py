"""One saved page becomes the record that `khabar extract` prints.

Pure; runs in a worker.
"""

from typing import Any

from crawler import page_status
from crawler.extraction import extract
from crawler.files.extracting import blank_record, rejection_to_json
from crawler.files.warc_records import SavedPage
from storage.model import Failure, Rejection, to_text


def page_record(saved: SavedPage) -> dict[str, Any]:
    """The record of a page: its article, or why there is none."""
    record = blank_record(saved)
    unavailable = page_status.why_unavailable(saved.page)
    if isinstance(unavailable, Failure):
        record["rejection"] = {"why": "failed", "detail": unavailable.detail}
        return record

    outcome = unavailable or extract.extract(saved.page, now=saved.page.fetched_at)
    # A record's target; for a saved page the address that it names for itself
    record["url"] = saved.page.url or outcome.url or None
    record["title"] = outcome.title
    if isinstance(outcome, Rejection):
        record["rejection"] = rejection_to_json(outcome)
        return record

    record["authors"] = list(outcome.authors)
    if outcome.published_at is not None:
        record["published_at"] = to_text(outcome.published_at)
    record["published_how"] = outcome.published_how
    record["language"] = outcome.language
    record["text"] = outcome.text
    record["cuts"] = len(outcome.cuts)
    return record
