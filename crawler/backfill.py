"""Looking back: what a source published in months before anybody watched it.

Three ways, one document at a time: its sitemaps, its archive's pages by day or month,
and the Wayback Machine's index. What they show lands as leads that say so (`backfill`,
via `archive`), and is fetched as politely as anything else. How far it came is noted
after each document: a second run goes on there. Every way is bounded; what is left out
is told.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from crawler.engine.engine import Engine
from crawler.fetching.fetcher import Fetched, FetchRequest
from crawler.fetching.robots import RobotsRules
from crawler.leads import wayback
from crawler.leads.polls import Feed
from crawler.sources import Source
from crawler.visits import further_documents
from crawler.visits.source_visit import VisitResult
from crawler.workers import Task, WorkerLost
from storage import identity
from storage.model import Lead, Poll, to_text, utc_now

PARSE_INDEX: Task[Feed] = Task("crawler.leads.wayback", "parse_cdx_index")
SITEMAP_PLACES = ("sitemap_index.xml", "sitemap.xml")
# Documents of one backfill: three years of days, and what they lead to
MAX_STEPS = 3_000
MAX_STEP_DEPTH = 3  # an index, an index within it; or the third page of a day
MAX_INDEX_PARTS = 40  # parts of the Wayback index, 5,000 captures each
# A day's last articles are dated the next day somewhere
DATE_MARGIN = timedelta(days=1)
# Addresses that are looked at to learn how a source dates its articles
MAX_KNOWN_URLS = 500
MIN_DATED_URLS = 5  # of them must be dated the same way
_DATED = re.compile(
    r"^(.{0,300}?/)(20[012][0-9])([/-])(0?[1-9]|1[0-2])(?:[/-](0?[1-9]|[12][0-9]|3[01]))?(?=[/-])"
)
_MONTH = re.compile(r"(20[012][0-9])[-_/]?(0[1-9]|1[0-2])(?![0-9])")


class BackfillStep(NamedTuple):
    """One document to ask for."""

    way: str  # sitemap, archive, wayback
    url: str  # of the Wayback index: the key at which it goes on
    depth: int = 1


@dataclass(slots=True)
class BackfillState:
    """How far a backfill came; kept in the file as JSON."""

    waiting: list[BackfillStep]
    asked: int = 0
    found: int = 0  # leads that were new
    left: Counter[str] = field(default_factory=Counter)  # what was left out, and why
    since: float = 0.0  # seconds that it took so far

    def told(self) -> dict[str, Any]:
        """As JSON."""
        plain = {
            name: getattr(self, name) for name in ("waiting", "asked", "found", "since")
        }
        return plain | {"left": dict(self.left), "done": not self.waiting}

    @classmethod
    def of(cls, told: dict[str, Any]) -> "BackfillState":
        """From JSON."""
        return cls(
            [BackfillStep(*step) for step in told["waiting"]], told["asked"], told["found"], Counter(told["left"]),
            told["since"],
        )  # fmt: skip


def reaches_back(
    source: Source, since: datetime | None, max_age: timedelta, now: datetime
) -> bool:
    """Whether a pass asks for more than a source's own visit shows. Pure."""
    own = max_age if source.max_age is None else source.max_age
    return since is not None and since < now - own


async def backfill_sources(
    engine: Engine, ids: Iterable[str], *, force: bool = False
) -> list[str]:
    """Look back over the named sources whose window asks for it.

    Returns what to tell, a line for each.
    """
    told, now = [], utc_now()
    for source in (engine.sources[id_] for id_ in ids):
        window = engine.windows.get(source.id)
        if window is None or not reaches_back(
            source, window.since, engine.settings.max_age, now
        ):
            continue
        assert window.since is not None
        told.append(
            await Backfill(
                engine, source, window.since, min(window.until or now, now)
            ).run(force=force)
        )
    return told


class Backfill:
    """One source, from a day to a day."""

    def __init__(
        self, engine: Engine, source: Source, since: datetime, until: datetime
    ) -> None:
        self.engine = engine
        self.source = source
        self.since = since
        self.until = until
        self.key = f"{source.id} {to_text(since)} {to_text(until)[:10]}"

    async def run(self, *, force: bool) -> str:
        """Ask for one document after the other, from where an earlier run stopped."""
        kept = await self._run(self.engine.store.progress.load, self.key)
        state = (
            BackfillState.of(kept)
            if kept and not (force and kept["done"])
            else BackfillState(await self._first())
        )
        began = utc_now()
        before, planned = state.since, state.asked + len(state.waiting)
        while state.waiting and state.asked < MAX_STEPS and self.engine.fault is None:
            step = state.waiting.pop(0)
            await self._take(step, state)
            state.asked += 1
            state.since = before + (utc_now() - began).total_seconds()
            planned = max(planned, state.asked + len(state.waiting))
            await self._run(
                self.engine.store.progress.save, self.key, self.source.id, state.told()
            )
            told = f"{self.source.id}: {describe_progress(state, planned)}"
            self.engine.report_progress(
                self.source.id, told, share=state.asked / planned
            )
        return f"{self.source.id}: {describe_result(state)}"

    async def _run(self, function: Callable[..., Any], *told: object) -> Any:
        return await self.engine.writer.run(function, "backfill", *told)

    async def _first(self) -> list[BackfillStep]:
        """Where to begin."""
        urls = await self.engine.writer.run(
            self.engine.store.leads.known_urls, self.source.id, MAX_KNOWN_URLS
        )
        patterns = (
            [self.source.archive]
            if self.source.archive
            else [found]
            if (found := learn_archive_pattern(urls))
            else []
        )
        host = urls[0] if urls else self.source.url
        top = f"{urlsplit(host).scheme}://{urlsplit(host).netloc}/"
        steps = [BackfillStep("sitemap", url) for url in await self._sitemaps(top)]
        steps += [
            BackfillStep("archive", url)
            for pattern in patterns
            for url in archive_urls(pattern, self.since, self.until)
        ]
        return steps + (
            [BackfillStep("wayback", "")] if self.engine.settings.wayback else []
        )

    async def _sitemaps(self, top: str) -> list[str]:
        """The source's own, those that robots.txt names, or those at the usual places."""
        own = [self.source.url] if self.source.kind == "sitemap" else []
        rules = await self.engine.fetcher.robots.rules(
            top, verify_tls=self.source.verify_tls
        )
        named = (
            list(rules.book.sitemaps)[:20]
            if isinstance(rules, RobotsRules) and rules.book is not None
            else []
        )
        usual = [] if named else [urljoin(top, place) for place in SITEMAP_PLACES]
        return list(
            dict.fromkeys([*own, *(url for url in named if self._is_own(url)), *usual])
        )

    def _is_own(self, url: str) -> bool:
        return identity.registrable_domain(url) == identity.registrable_domain(
            self.source.url
        )

    async def _take(self, step: BackfillStep, state: BackfillState) -> None:
        """Ask for one document, land what it shows, queue what it names."""
        started = utc_now()
        feed, size = await self._ask(step)
        if feed.error is not None:
            if step.way != "sitemap" or not feed.error.startswith("http 404"):
                state.left[f"{step.way}: {feed.error.partition(':')[0][:60]}"] += 1
            return
        leads, out = select_leads(feed.leads, step.way, self.since, self.until)
        state.left.update(out)
        fresh = await self._land(leads, started, size)
        state.found += fresh
        state.waiting[:0] = self._named(step, feed, fresh, state)

    async def _ask(self, step: BackfillStep) -> tuple[Feed, int]:
        engine, settings = self.engine, self.engine.settings
        source = replace(
            self.source, kind="sitemap" if step.way == "sitemap" else "section"
        )
        url, task = step.url, further_documents.READERS[source.kind]
        if step.way == "wayback":
            host = identity.url_host(self.source.url).partition(":")[0]
            url, task = (
                wayback.cdx_query_url(
                    settings.wayback, host, self.since, self.until, step.url
                ),
                PARSE_INDEX,
            )
        elif not self._is_own(url):
            return Feed(error="elsewhere: of another site"), 0
        ask = FetchRequest(
            url=url, headers={} if step.way == "wayback" else dict(source.headers), limit=settings.max_feed_size,
            redirects=settings.max_redirects, verify_tls=source.verify_tls,
        )  # fmt: skip
        async with engine.fetcher.fetch(ask) as outcome:
            if not isinstance(outcome, Fetched):
                return Feed(error=str(getattr(outcome, "detail", "") or "not had")), 0
            page = outcome.page
            if page.status != 200:
                return Feed(error=f"http {page.status}"), outcome.received
            try:
                feed = await engine.pool.run(
                    task, page.body, url=page.final_url, headers=dict(page.headers), source=source, now=page.fetched_at,
                    max_bytes=settings.max_feed_size, max_entries=max(settings.max_entries, wayback.CAPTURES_PER_PART),
                )  # fmt: skip
            except WorkerLost as error:
                return Feed(error=f"unreadable: {error}"), outcome.received
        return feed, outcome.received

    async def _land(self, leads: Sequence[Lead], started: datetime, size: int) -> int:
        """One visit of the source, beside its rhythm. The number of new leads."""
        poll = Poll(
            source=self.source.id, started_at=started, ended_at=utc_now(), status="ok", leads=tuple(leads), bytes=size,
            manual=True, backfill=True,
        )  # fmt: skip
        polled = await self.engine.landed(VisitResult(poll=poll)) if leads else None
        return len(polled.fresh) if polled is not None else 0

    def _named(
        self, step: BackfillStep, feed: Feed, fresh: int, state: BackfillState
    ) -> list[BackfillStep]:
        """The further documents that one names, as far as they are worth asking for."""
        if step.way == "wayback":
            parts = (
                step.depth < MAX_INDEX_PARTS
                and feed.next_page
                and feed.next_page != step.url
            )
            return (
                [BackfillStep("wayback", feed.next_page, step.depth + 1)]
                if parts and feed.next_page
                else []
            )
        if step.depth >= MAX_STEP_DEPTH:
            return []
        if step.way == "archive":
            return (
                [BackfillStep("archive", feed.next_page, step.depth + 1)]
                if feed.next_page and fresh
                else []
            )
        named = [url for url in feed.children if self._is_own(url)]
        inside = [
            url
            for url in named
            if may_hold(url, feed.children_changed_at.get(url), self.since, self.until)
        ]
        state.left["sitemaps of other months"] += len(named) - len(inside)
        return [BackfillStep("sitemap", url, step.depth + 1) for url in inside]


def learn_archive_pattern(urls: Iterable[str]) -> str | None:
    """The pattern of archive pages by which a source dates its articles, or None. Pure.

    `https://x.example/2021/06/05/name` makes
    `https://x.example/{year}/{month:02}/{day:02}/`.
    """
    patterns: Counter[str] = Counter()
    for url in urls:
        if match := _DATED.match(url):
            before, _, mark, month, day = match.groups()
            wide = ":02" if len(month) == 2 else ""
            dated = ["{year}", f"{{month{wide}}}", *([f"{{day{wide}}}"] if day else [])]
            patterns[f"{before}{mark.join(dated)}/"] += 1
    best = patterns.most_common(1)
    return best[0][0] if best and best[0][1] >= MIN_DATED_URLS else None


def archive_urls(pattern: str, since: datetime, until: datetime) -> Iterator[str]:
    """The archive pages of some days, each once. Pure."""
    day, last = since.date(), ""
    while day <= until.date():
        url = pattern.replace("{year}", str(day.year))
        for name, value in (("month", day.month), ("day", day.day)):
            url = url.replace(f"{{{name}:02}}", f"{value:02}").replace(
                f"{{{name}}}", str(value)
            )
        if url != last:
            yield url
        day, last = day + timedelta(days=1), url


def may_hold(
    url: str, changed: datetime | None, since: datetime, until: datetime
) -> bool:
    """Whether a sitemap may name pages of some days.

    By the month in its name, or by when it was last changed. Pure.
    """
    if match := _MONTH.search(urlsplit(url).path):
        return f"{since:%Y%m}" <= match[1] + match[2] <= f"{until:%Y%m}"
    return changed is None or changed >= since


def select_leads(
    leads: Iterable[Lead], way: str, since: datetime, until: datetime
) -> tuple[list[Lead], Counter[str]]:
    """The leads of some days, marked as backfill; and how many were left out, why.

    Pure.
    """
    kept: list[Lead] = []
    left: Counter[str] = Counter()
    for lead in leads:
        at = lead.published_at
        if at is not None and not since - DATE_MARGIN <= at <= until + DATE_MARGIN:
            left["of other days"] += 1
        elif at is None and way == "sitemap":
            left["without a date in a sitemap"] += 1
        else:
            kept.append(
                replace(
                    lead,
                    via=wayback.VIA_ARCHIVE,
                    backfill=True,
                    guid=lead.guid if way == "wayback" else None,
                )
            )
    return kept, left


def describe_progress(state: BackfillState, planned: int) -> str:
    """How far it is, and how long the rest takes at this pace. Pure."""
    rest = planned - state.asked
    minutes = state.since / max(state.asked, 1) * rest / 60
    time = (
        f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"
    )
    return f"looking back, {state.asked} of {planned} documents, {state.found} pages found; {time}"


def describe_result(state: BackfillState) -> str:
    """What it came to."""
    left = "; ".join(
        f"{count} {what}" for what, count in state.left.most_common(5) if count
    )
    more = (
        f", stopped after {MAX_STEPS}"
        if state.waiting and state.asked >= MAX_STEPS
        else ""
    )
    return f"looked back over {state.asked} documents{more}, {state.found} pages found{f' ({left})' if left else ''}"
