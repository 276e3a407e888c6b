"""What to visit and how politely.

The settings that this room wants from the configuration.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One declared source.

    Exactly one of `feed`, `sitemap`, `section`, `telegram` was given: `kind` and `url`.
    """

    id: str  # [a-z0-9][a-z0-9_-]{0,63}
    kind: str  # feed, sitemap, section, telegram
    url: str
    name: str = ""
    every: timedelta = timedelta(hours=1)  # the starting interval; it adapts
    owner: str = ""  # publishers of one owner count as one independent voice
    language: str | None = None
    zone: str | None = None  # IANA name, for dates that name none
    min_relevance: float | None = None  # None: the topic's
    max_age: timedelta | None = None  # None: the crawl's
    enabled: bool = True
    obey_robots: bool = True  # of its own feed; pages always obey
    verify_tls: bool = True
    # Its pages are made by scripts: a browser reads them (the extra `javascript`)
    javascript: bool = False
    # Address of its archive's pages with {year}, {month:02}, {day:02}, for looking back
    archive: str = ""
    # Levels of the site's own pages below a section's that are looked over, too ...
    depth: int = 0
    budget: int = 30  # ... and how many of them in one visit
    # Regular expression that article links match (section, sitemap)
    link_pattern: str | None = None
    body_selector: str | None = None  # CSS selector of the article's body
    date_format: str | None = None  # strptime format of the page's own date
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecheckSettings:
    """Second looks at kept pages: corrections, risen tolls, pages that are gone."""

    enabled: bool = True
    budget: int = 120  # requests an hour, all hosts together
    # Since first seen
    after: tuple[timedelta, ...] = (
        timedelta(hours=1),
        timedelta(hours=24),
        timedelta(days=7),
    )

    def next_due_at(self, first_seen_at: datetime, now: datetime) -> datetime | None:
        """When a page that was first seen then is due again.

        At the first of the ages `after` that it has not reached; None after the last.
        """
        due = [first_seen_at + age for age in self.after]
        return min((at for at in due if at > now), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlSettings:
    """How politely and within which limits.

    Times in seconds unless they are timedeltas.
    """

    user_agent: str = "khabar/0.1"
    contact: str = ""
    concurrency: int = 32
    delay: float = 2.0
    timeout: float = 30.0
    obey_robots: bool = True
    max_age: timedelta = timedelta(days=30)
    proxy: str = ""
    verify_tls: bool = True
    allow_addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    workers: int = 0  # 0: one a core
    # Program that reads pages made by scripts; "": the Chromium on the path
    browser: str = ""
    # Asked when a source is looked back over; "" never
    wayback: str = "https://web.archive.org"
    # Bytes, content-decoded (rules: 5 MB feeds, 10 MB pages)
    max_feed_size: int = 5_000_000
    max_page_size: int = 10_000_000
    max_redirects: int = 10
    max_entries: int = 2_000
    min_relevance: float = 0.5
    # (term, category, weight) that the user added
    extra_terms: tuple[tuple[str, str, float], ...] = ()

    recheck: RecheckSettings = field(default_factory=RecheckSettings)

    @property
    def agent(self) -> str:
        """User-Agent as it is sent, with the contact in brackets."""
        return (
            f"{self.user_agent} (+{self.contact})" if self.contact else self.user_agent
        )
