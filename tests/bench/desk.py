"""The desk with a stopwatch.

What the workers of `replay.py` run in place of `intake.process_page_in_worker`.

Each page appends a line to the file that KHABAR_DESK names: CPU seconds of extraction,
of the whole task. Extraction is what makes a document of a page or an entry: parsing,
text, title, people, language, dates, cleaning. With KHABAR_PLAIN=1 it is what naive.py
does with a page instead, one call of trafilatura; everything else stays.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from crawler import intake
from crawler.extraction import extract
from storage import identity
from storage.model import Document, Landing, Rejection, RejectionReason

LOG = os.open(os.environ["KHABAR_DESK"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
SPENT: list[float] = []  # CPU seconds of each extraction of the task under way


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; what it costs is noted."""

    def call(*args: Any, **kwargs: Any) -> Any:
        began = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            SPENT.append(time.process_time() - began)

    return call


def plain(
    page: Any, *, lead: Any = None, source: Any = None, **_: Any
) -> Document | Rejection:
    """A page as naive.py reads it."""
    import trafilatura

    try:
        found = trafilatura.bare_extraction(page.body, url=page.url, with_metadata=True)
    except Exception:  # noqa: BLE001 - as naive.py does
        found = None
    if not found or not found.text:
        return Rejection(why=RejectionReason.EMPTY)
    at = datetime.fromisoformat(found.date).replace(tzinfo=UTC) if found.date else None
    return Document(
        url=identity.canonical_url(page.final_url), source=source.id if source else "", title=found.title or (lead and lead.title),
        text=found.text, authors=(found.author,) if found.author else (), language=found.language, published_at=at,
        via=lead.via if lead else "import",
    )  # fmt: skip


extract.extract = timed(
    plain if os.environ.get("KHABAR_PLAIN") == "1" else extract.extract
)
extract.extract_entry = timed(extract.extract_entry)


def read(*args: Any, **kwargs: Any) -> Landing:
    """As `intake.process_page_in_worker`."""
    SPENT.clear()
    began = time.process_time()
    try:
        return intake.process_page_in_worker(*args, **kwargs)
    finally:
        os.write(LOG, f"{sum(SPENT):.6f} {time.process_time() - began:.6f}\n".encode())
