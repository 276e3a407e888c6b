"""Looking back: what a source published in months before anybody watched it.

Three ways, one document at a time: its sitemaps, its archive's pages by day or month,
and the Wayback Machine's index. What they show lands as leads that say so (`backfill`,
via `archive`), and is fetched as politely as anything else. How far it came is noted
after each document: a second run goes on there. Every way is bounded; what is left out
is told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urljoin, urlsplit

from crawler import backfill_plan
from crawler.backfill_plan import BackfillState, BackfillStep
from crawler.engine.engine import Engine
from crawler.fetching.requests import Fetched, FetchRequest
from crawler.fetching.robots import RobotsRules
from crawler.leads import wayback
from crawler.leads.polls import Feed
from crawler.sources import Source
from crawler.visits import documents
from crawler.visits.visit_result import VisitResult
from crawler.workers import Done, NoWorker, Task
from storage import identity
from storage.model import Lead, Poll, to_text, utc_now

PARSE_INDEX: Task[Feed] = Task("crawler.leads.wayback", "parse_cdx_index")
MAX_STEP_DEPTH = 3  # an index, an index within it; or the third page of a day
MAX_INDEX_PARTS = 40  # of the Wayback index, 5,000 captures each
# Addresses that are looked at to learn how a source dates its articles
MAX_KNOWN_URLS = 500


async def backfill_sources(
    engine: Engine, ids: Iterable[str], *, force: bool = False
) -> list[str]:
    """Look back over the named sources whose window asks for it.

    Returns what to tell, a line for each.
    """
    told = []
    now = utc_now()
    for id_ in ids:
        source = engine.sources[id_]
        window = engine.windows.get(id_)
        if window is None or window.since is None:
            continue
        max_age = engine.settings.max_age
        if backfill_plan.reaches_back(source, window.since, max_age, now):
            until = min(window.until or now, now)
            backfill = Backfill(engine, source, window.since, until)
            told.append(await backfill.run(force=force))
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
        store, write = self.engine.store, self.engine.writer.run
        kept = await write(store.progress.load, "backfill", self.key)
        if kept and not (force and kept["done"]):
            state = BackfillState.from_json(kept)
        else:
            state = BackfillState(waiting=await self._plan_steps())

        began = utc_now()
        seconds_before = state.seconds
        planned = state.asked + len(state.waiting)
        while state.waiting and state.asked < backfill_plan.MAX_STEPS:
            if self.engine.faults.first is not None:
                break
            step = state.waiting.pop(0)
            missing = await self._take_step(step, state)
            if missing is not None:
                # A second run goes on with this document.
                state.waiting.insert(0, step)
                state.stopped = f"no worker ({missing.why})"
                break
            state.asked += 1
            state.seconds = seconds_before + (utc_now() - began).total_seconds()
            planned = max(planned, state.asked + len(state.waiting))
            await write(
                store.progress.save,
                "backfill",
                self.key,
                self.source.id,
                state.to_json(),
            )
            told = backfill_plan.describe_progress(state, planned)
            self.engine.report_progress(
                self.source.id,
                f"{self.source.id}: {told}",
                share=state.asked / planned,
            )
        return f"{self.source.id}: {backfill_plan.describe_result(state)}"

    async def _plan_steps(self) -> list[BackfillStep]:
        """Where to begin: sitemaps, archive pages, the index."""
        engine = self.engine
        urls = await engine.writer.run(
            engine.store.leads.known_urls, self.source.id, MAX_KNOWN_URLS
        )
        newest = self.source.url
        if urls:
            newest = urls[0]
        parts = urlsplit(newest)
        steps = []
        for url in await self._find_sitemaps(f"{parts.scheme}://{parts.netloc}/"):
            steps.append(BackfillStep("sitemap", url))
        pattern = self.source.archive or backfill_plan.learn_archive_pattern(urls)
        if pattern:
            for url in backfill_plan.archive_urls(pattern, self.since, self.until):
                steps.append(BackfillStep("archive", url))
        if engine.settings.wayback:
            steps.append(BackfillStep("wayback", ""))
        return steps

    async def _find_sitemaps(self, top: str) -> list[str]:
        """The source's own sitemap, and those that robots.txt names.

        Those at the usual places where it names none.
        """
        found = []
        if self.source.kind == "sitemap":
            found.append(self.source.url)
        rules = await self.engine.fetcher.robots.rules(
            top, verify_tls=self.source.verify_tls
        )
        named: list[str] = []
        if isinstance(rules, RobotsRules):
            named = rules.sitemaps
        if named:
            found += [url for url in named if self._is_own(url)]
        else:
            found += [urljoin(top, place) for place in documents.SITEMAP_PLACES]
        return list(dict.fromkeys(found))

    def _is_own(self, url: str) -> bool:
        site = identity.registrable_domain(self.source.url)
        return identity.registrable_domain(url) == site

    async def _take_step(
        self, step: BackfillStep, state: BackfillState
    ) -> NoWorker | None:
        """Ask for one document, land what it shows, queue what it names."""
        started = utc_now()
        feed, size = await self._fetch(step)
        if isinstance(feed, NoWorker):
            return feed
        if feed.error is not None:
            # A site without a sitemap at a usual place is no news.
            if step.way != "sitemap" or not feed.error.startswith("http 404"):
                error = feed.error.partition(":")[0][:60]
                state.left_out[f"{step.way}: {error}"] += 1
            return None
        leads, left_out = backfill_plan.select_leads(
            feed.leads, step.way, self.since, self.until
        )
        state.left_out.update(left_out)
        fresh = await self._land(leads, started, size)
        state.found += fresh
        state.waiting[:0] = self._next_steps(step, feed, fresh, state)
        return None

    async def _fetch(self, step: BackfillStep) -> tuple[Feed | NoWorker, int]:
        """A document, and the bytes that came; one with an `error` where it is not had."""
        settings = self.engine.settings
        if step.way == "wayback":
            host = identity.url_host(self.source.url).partition(":")[0]
            source = self.source
            headers: dict[str, str] = {}
            task = PARSE_INDEX
            url = wayback.cdx_query_url(
                settings.wayback, host, self.since, self.until, step.url
            )
        elif self._is_own(step.url):
            kind = "section"
            if step.way == "sitemap":
                kind = "sitemap"
            source = replace(self.source, kind=kind)
            headers = dict(source.headers)
            task = documents.PARSERS[kind]
            url = step.url
        else:
            return Feed(error="elsewhere: of another site"), 0

        request = FetchRequest(
            url=url,
            headers=headers,
            limit=settings.max_feed_size,
            redirects=settings.max_redirects,
            verify_tls=source.verify_tls,
        )
        async with self.engine.fetcher.fetch(request) as outcome:
            if isinstance(outcome, NoWorker):
                return outcome, 0
            if not isinstance(outcome, Fetched):
                return Feed(error=outcome.detail or "not had"), 0
            page = outcome.page
            if page.status != 200:
                return Feed(error=f"http {page.status}"), outcome.received
            result = await self.engine.pool.run(
                task,
                page.body,
                url=page.final_url,
                headers=dict(page.headers),
                source=source,
                now=page.fetched_at,
                max_bytes=settings.max_feed_size,
                max_entries=max(settings.max_entries, wayback.CAPTURES_PER_PART),
            )
        if isinstance(result, Done):
            return result.value, outcome.received
        if isinstance(result, NoWorker):
            return result, outcome.received
        return Feed(error=f"unreadable: {result.why}"), outcome.received

    async def _land(self, leads: Sequence[Lead], started: datetime, size: int) -> int:
        """Land leads as a visit beside the source's own polls; how many were new."""
        if not leads:
            return 0
        poll = Poll(
            source=self.source.id,
            started_at=started,
            ended_at=utc_now(),
            status="ok",
            leads=tuple(leads),
            bytes=size,
            manual=True,
            backfill=True,
        )
        polled = await self.engine.polling.land(VisitResult(poll=poll))
        if polled is None:
            return 0
        return len(polled.fresh)

    def _next_steps(
        self, step: BackfillStep, feed: Feed, fresh: int, state: BackfillState
    ) -> list[BackfillStep]:
        """The further documents that one names, as far as they are worth asking for."""
        depth = step.depth + 1
        if step.way == "wayback":
            is_last = step.depth >= MAX_INDEX_PARTS or feed.next_page == step.url
            if not feed.next_page or is_last:
                return []
            return [BackfillStep("wayback", feed.next_page, depth)]
        if step.depth >= MAX_STEP_DEPTH:
            return []
        if step.way == "archive":
            if not feed.next_page or not fresh:
                return []
            return [BackfillStep("archive", feed.next_page, depth)]

        steps = []
        for url in feed.children:
            if not self._is_own(url):
                continue
            changed_at = feed.children_changed_at.get(url)
            if backfill_plan.may_hold(url, changed_at, self.since, self.until):
                steps.append(BackfillStep("sitemap", url, depth))
            else:
                state.left_out["sitemaps of other months"] += 1
        return steps
