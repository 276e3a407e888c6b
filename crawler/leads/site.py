"""A whole site, looked over from one page.

Which links lead to more lists of articles, and which go round in circles.

A visit goes `depth` levels below the source's page and looks at `budget` pages at most,
all of one registrable domain. Traps are told by their address (calendars, sessions,
sorted and printed twins, accounts, addresses that wind) and by their number: of pages
that are shaped alike only so many are looked at. Whatever is left out is counted. Pure.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from crawler.leads import sections
from storage import identity

# Pages of one shape in a visit: a site has a dozen sections, a calendar has thousands
# of months
MAX_PAGES_OF_A_SHAPE = 12
# That one part stands in a path: /a/b/a/b/a/b is a relative link that winds
MAX_PART_REPEATS = 2
MAX_ADDRESS_CHARS = 200  # of an address
MAX_PATH_PARTS = 6  # parts of a path
MAX_SEEN_PAGES = 2_000
_DAY = re.compile(
    r"/(?:19|20)\d\d(?:[/-]\d{1,2}){0,2}(?=/|$)|[/-]\d{1,2}[/-](?:19|20)\d\d(?=/|$)"
)
_SESSION = re.compile(
    r"[;?&](?:jsessionid|phpsessid|sid|session_?id)=|/\(s\([a-z0-9]{10,}\)\)/",
    re.IGNORECASE,
)


def trap_reason(url: str) -> str | None:
    """Why a page is not worth a look, by its address.

    None where it may list articles.
    """
    parts = urlsplit(url)
    path = parts.path.lower()
    steps = [step for step in path.split("/") if step]
    words = sections.load_rules().words
    named = {name.lower() for name, _ in parse_qsl(parts.query[:2_000])}
    if _SESSION.search(url):
        return "sessions"
    if _DAY.search(path) or named & words["clock"]:
        return "calendars"
    if (
        len(url) > MAX_ADDRESS_CHARS
        or len(steps) > MAX_PATH_PARTS
        or any(steps.count(step) > MAX_PART_REPEATS for step in steps)
    ):
        return "addresses that wind"
    if named & (words["twin"] - words["turns"]) or not words["copies"].isdisjoint(
        steps
    ):
        return "sorted, printed and searched twins"
    if path.rpartition(".")[2] in words["files"] or not words["dead_ends"].isdisjoint(
        steps
    ):
        return "files, accounts and notices"
    return None


class Frontier:
    """The pages of a site that are still to be looked at in one visit, the nearest first."""

    def __init__(self, start: Iterable[str], *, depth: int, budget: int) -> None:
        """`start` are addresses of the page where it begins.

        As it was asked for, and where that led.
        """
        begun = tuple(start)
        self.depth = depth
        self.budget = budget
        self.looked = 0
        self.left: Counter[str] = Counter()  # addresses that are not looked at, and why
        self._sites = {identity.registrable_domain(url) for url in begun}
        self._met = {identity.url_key(url) for url in begun}
        self._alike: Counter[tuple[str, ...]] = Counter()
        self._waiting: deque[tuple[str, int]] = deque()

    def is_own(self, url: str) -> bool:
        """Whether a page belongs to the site."""
        return identity.registrable_domain(url) in self._sites

    def add_pages(self, urls: Iterable[str], level: int) -> None:
        """Take up the ways that a page names.

        `level` is that of the pages they lead to, 1 below the first.
        """
        for url in urls:
            if level > self.depth or len(self._met) >= MAX_SEEN_PAGES:
                return
            # A twin has the key of its page, and must not stand in the page's way.
            why = "other sites" if not self.is_own(url) else trap_reason(url)
            key = url if why else identity.url_key(url)
            if key not in self._met:
                self._met.add(key)
                self._take(url, level, why)

    def _take(self, url: str, level: int, why: str | None) -> None:
        alike = sections.address_shape(url)
        if why is None and self._alike[alike] >= MAX_PAGES_OF_A_SHAPE:
            why = "more of the same kind"
        if why is not None:
            self.left[why] += 1
            return
        self._alike[alike] += 1
        self._waiting.append((url, level))

    def next(self) -> tuple[str, int] | None:
        """The next page and its level.

        None when all were looked at, or as many as there may be.
        """
        if self.looked >= self.budget or not self._waiting:
            return None
        self.looked += 1
        return self._waiting.popleft()

    def describe(self) -> tuple[str, ...]:
        """What the visit looked at and left out, in words."""
        left = Counter(self.left)
        left["beyond the budget"] = len(self._waiting)
        reasons = ", ".join(
            f"{count} {what}" for what, count in left.most_common() if count
        )
        return (
            f"{self.looked} pages of the site looked at{f'; left out: {reasons}' if reasons else ''}",
        )
