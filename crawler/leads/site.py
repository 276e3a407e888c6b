"""A whole site, looked over from one page: where it goes on, and what goes in circles.

A visit goes `depth` levels below the source's page and looks at `budget` pages at most,
all of one registrable domain. Endless pages are told by their address (calendars,
sessions, sorted and printed twins, accounts, paths that repeat themselves) and by their
number: of addresses of one shape only so many are looked at. Whatever is left out is
counted. Pure.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from crawler.leads import sections
from storage import identity

# A site has a dozen sections, a calendar has thousands of months
MAX_PAGES_OF_A_SHAPE = 12
# A part that stands in a path more often: /a/b/a/b/a/b is a relative link gone wrong
MAX_PART_REPEATS = 2
MAX_ADDRESS_CHARS = 200
MAX_PATH_PARTS = 6
MAX_SEEN_PAGES = 2_000
_DAY = re.compile(
    r"/(?:19|20)\d\d(?:[/-]\d{1,2}){0,2}(?=/|$)|[/-]\d{1,2}[/-](?:19|20)\d\d(?=/|$)"
)
_SESSION = re.compile(
    r"[;?&](?:jsessionid|phpsessid|sid|session_?id)=|/\(s\([a-z0-9]{10,}\)\)/",
    re.IGNORECASE,
)


def trap_reason(url: str) -> str | None:
    """Why a page is not worth a look, by its address; None where it may list articles."""
    words = sections.load_rules().words
    parts = urlsplit(url)
    path = parts.path.lower()
    steps = [step for step in path.split("/") if step]
    parameters = {name.lower() for name, _ in parse_qsl(parts.query[:2_000])}
    if _SESSION.search(url):
        return "sessions"
    if _DAY.search(path) or parameters & words["calendar_parameters"]:
        return "calendars"
    if len(url) > MAX_ADDRESS_CHARS or len(steps) > MAX_PATH_PARTS:
        return "long and repeating addresses"
    if any(steps.count(step) > MAX_PART_REPEATS for step in steps):
        return "long and repeating addresses"
    if parameters & (words["twin_parameters"] - words["list_parameters"]):
        return "sorted, printed and searched twins"
    if not words["copy_parts"].isdisjoint(steps):
        return "sorted, printed and searched twins"
    if path.rpartition(".")[2] in words["files"]:
        return "files, accounts and notices"
    if not words["dead_ends"].isdisjoint(steps):
        return "files, accounts and notices"
    return None


class Frontier:
    """The pages of a site that a visit will still look at, the nearest first.

    `visited` says how many were given out, `left_out` how many were not taken and why.
    """

    def __init__(self, start: Iterable[str], *, depth: int, budget: int) -> None:
        """Begin at one page, named by its addresses.

        They are the one it was asked for at and the one where that led.
        """
        addresses = tuple(start)
        self.depth = depth
        self.budget = budget
        self.visited = 0
        self.left_out: Counter[str] = Counter()
        self._sites = {identity.registrable_domain(url) for url in addresses}
        self._seen = {identity.url_key(url) for url in addresses}
        self._taken_of_shape: Counter[tuple[str, ...]] = Counter()
        self._waiting: deque[tuple[str, int]] = deque()

    def is_own(self, url: str) -> bool:
        """Whether a page belongs to the site."""
        return identity.registrable_domain(url) in self._sites

    def add_pages(self, urls: Iterable[str], level: int) -> None:
        """Take up the pages that one names; `level` is theirs, 1 below the first."""
        for url in urls:
            if level > self.depth or len(self._seen) >= MAX_SEEN_PAGES:
                return
            reason = trap_reason(url) if self.is_own(url) else "other sites"
            # A twin has the key of its page, and must not stand in the page's way
            key = url if reason else identity.url_key(url)
            if key in self._seen:
                continue
            self._seen.add(key)
            shape = sections.address_shape(url)
            if not reason and self._taken_of_shape[shape] >= MAX_PAGES_OF_A_SHAPE:
                reason = "more of the same kind"
            if reason:
                self.left_out[reason] += 1
                continue
            self._taken_of_shape[shape] += 1
            self._waiting.append((url, level))

    def next_page(self) -> tuple[str, int] | None:
        """The next page and its level; None when all or the budget was looked at."""
        if self.visited >= self.budget or not self._waiting:
            return None
        self.visited += 1
        return self._waiting.popleft()

    def describe(self) -> tuple[str, ...]:
        """What the visit looked at and left out, in words."""
        left_out = Counter(self.left_out)
        left_out["beyond the budget"] = len(self._waiting)
        reasons = [f"{count} {why}" for why, count in left_out.most_common() if count]
        summary = f"{self.visited} pages of the site looked at"
        if reasons:
            summary += f"; left out: {', '.join(reasons)}"
        return (summary,)
