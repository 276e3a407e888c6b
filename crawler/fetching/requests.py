"""What is asked of the web, and what comes of it: plain data."""

from collections.abc import Mapping
from dataclasses import dataclass

from crawler.workers import NoWorker
from storage.model import Failure, Page, Refusal

PERMANENT_REDIRECTS = frozenset({301, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What is asked for, and within which limits."""

    url: str
    headers: Mapping[str, str]
    limit: int  # bytes, content-decoded
    redirects: int  # that are followed at most
    obey_robots: bool = True
    verify_tls: bool = True
    # Take the first `limit` bytes of a longer body instead of refusing it
    cut: bool = False
    javascript: bool = False  # let the page's scripts make it first


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """One redirect that was followed: who answered, with what."""

    url: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A response, how it was reached, and what it weighed on the wire."""

    page: Page
    redirects: tuple[Redirect, ...] = ()
    received: int = 0  # bytes of body as they came, before content decoding

    @property
    def moved_to(self) -> str | None:
        """Where the unbroken run of permanent redirects at the start led, if any."""
        urls = [redirect.url for redirect in self.redirects]
        urls.append(self.page.final_url)

        permanent = 0
        for redirect in self.redirects:
            if redirect.status not in PERMANENT_REDIRECTS:
                break
            permanent += 1
        if not permanent:
            return None

        target = urls[permanent]
        if urls[0].startswith("https:") and not target.startswith("https:"):
            return None
        return target


# `NoWorker`: robots.txt was too large to be parsed here, and no worker was to be had.
Outcome = Fetched | Refusal | Failure | NoWorker
