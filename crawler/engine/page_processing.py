"""One page of a crawl: how it is asked for, and what its answer becomes.

What comes of it is plain data, a `Landing`; only what a host has taught is asked of the
store before.
"""

import asyncio
from dataclasses import replace
from datetime import datetime

from crawler import page_status, page_task
from crawler.engine.context import CrawlContext
from crawler.fetching.requests import Fetched, FetchRequest, Outcome
from crawler.leads import polls, wayback
from crawler.sources import RecheckSettings, Source
from crawler.workers import Done, NoWorker
from storage import identity
from storage.model import (
    Failure,
    Landing,
    Lead,
    Page,
    PendingLead,
    RecheckPlan,
    Refusal,
    Rejection,
    RejectionReason,
    Validators,
    utc_now,
)

BOILERPLATE_CACHE_SECONDS = 60.0
MAX_CACHED_HOSTS = 2_000


class PageProcessor:
    """Makes requests of leads, and landings of their answers."""

    def __init__(self, context: CrawlContext) -> None:
        self._context = context
        self._boilerplate: dict[str, tuple[float, frozenset[int]]] = {}

    def request(self, lead: Lead, source: Source | None) -> FetchRequest:
        """How the page of a lead is asked for; `source` is None where it is gone."""
        settings = self._context.settings
        url = wayback.fetch_url(lead, settings.wayback)
        request = FetchRequest(
            url=url,
            headers={},
            limit=settings.max_page_size,
            redirects=settings.max_redirects,
        )
        if source is None:
            return request
        request = replace(request, verify_tls=source.verify_tls)
        # A capture of the web's archive is not the source's own page.
        if url != lead.url:
            return request
        return replace(
            request, headers=dict(source.headers), javascript=source.javascript
        )

    async def process(
        self, outcome: Outcome, lead: PendingLead, source: Source | None
    ) -> Landing | NoWorker:
        """What the answer to a request becomes, read in a worker where that helps."""
        if isinstance(outcome, NoWorker):
            return outcome
        if isinstance(outcome, Failure | Refusal):
            if lead.lead.body and page_status.may_use_feed_text(outcome):
                return await self.process_feed_text(outcome, lead, source)
            return self._landing(outcome, lead)
        if not page_status.is_worth_reading(outcome.page, lead.lead):
            why = page_status.why_unavailable(outcome.page)
            assert why is not None
            return self._landing(why, lead)
        return await self._process_page(outcome, lead, source)

    async def _process_page(
        self, fetched: Fetched, lead: PendingLead, source: Source | None
    ) -> Landing | NoWorker:
        page = wayback.restore_original_page(fetched.page, lead.lead)
        landing = await self._read_in_worker(page, None, lead, source)
        if isinstance(landing, NoWorker):
            return landing
        urls = list(landing.aliases)
        # Redirects of the web's archive are not the page's.
        if page is fetched.page:
            urls += [redirect.url for redirect in fetched.redirects]
        recheck: RecheckPlan | None = None
        if not lead.lead.backfill:
            recheck = plan_recheck(
                self._context.settings.recheck,
                utc_now(),
                polls.parse_validators(dict(page.headers)),
            )
        return replace(
            landing,
            page=page,
            aliases=page_status.distinct_urls(urls, but=landing.url),
            recheck=recheck,
        )

    async def process_feed_text(
        self,
        why: Rejection | Failure | Refusal,
        lead: PendingLead,
        source: Source | None,
    ) -> Landing | NoWorker:
        """A lead whose page is not to be had, or that has none.

        The text that its feed carried may stand in for it.
        """
        return await self._read_in_worker(None, why, lead, source)

    async def _read_in_worker(
        self,
        page: Page | None,
        why: Rejection | Failure | Refusal | None,
        lead: PendingLead,
        source: Source | None,
    ) -> Landing | NoWorker:
        url = lead.lead.url
        if page is not None:
            url = page.final_url
        # Asked for before the page is anybody's fault: a file that cannot be read
        # leaves the lead as it is.
        boilerplate = await self._load_boilerplate(identity.url_host(url))
        result = await self._context.pool.run(
            page_task.PROCESS_PAGE,
            page,
            lead,
            source=source,
            settings=self._context.settings,
            boilerplate=boilerplate,
            now=utc_now(),
            why=why,
        )
        if isinstance(result, Done):
            return result.value
        if isinstance(result, NoWorker):
            return result
        unreadable = Rejection(why=RejectionReason.UNREADABLE, detail=result.why)
        if page is not None and lead.lead.body:
            return await self.process_feed_text(unreadable, lead, source)
        return self._landing(unreadable, lead)

    async def _load_boilerplate(self, host: str) -> frozenset[int]:
        """The boilerplate that a host has taught, not older than a minute."""
        now = asyncio.get_running_loop().time()
        loaded_at, lines = self._boilerplate.get(host, (float("-inf"), frozenset()))
        if now - loaded_at > BOILERPLATE_CACHE_SECONDS:
            lines = await self._context.writer.run(
                self._context.store.boilerplate.learned, host
            )
            if len(self._boilerplate) > MAX_CACHED_HOSTS:
                self._boilerplate.clear()
            self._boilerplate[host] = (now, lines)
        return lines

    def _landing(
        self, outcome: Rejection | Failure | Refusal, lead: PendingLead
    ) -> Landing:
        return Landing(
            outcome=outcome, url=lead.lead.url, source=lead.lead.source, lead=lead
        )


def plan_recheck(
    settings: RecheckSettings, first_seen_at: datetime, validators: Validators
) -> RecheckPlan | None:
    """When a kept page is looked at again, and with which validators; None for never."""
    if not settings.enabled:
        return None
    due_at = settings.next_due_at(first_seen_at, utc_now())
    if due_at is None:
        return None
    return RecheckPlan(due_at=due_at, validators=validators)
