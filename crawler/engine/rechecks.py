"""Second looks at kept pages: corrections, risen tolls, pages that are gone."""

import asyncio
import logging
from collections.abc import Collection, Iterable
from dataclasses import replace

from crawler import page_status
from crawler.engine.context import CrawlContext
from crawler.engine.page_processing import PageProcessor, plan_recheck
from crawler.fetching.requests import Fetched
from crawler.leads import polls
from crawler.workers import NoWorker
from storage.model import Lead, PendingLead, Recheck, utc_now

log = logging.getLogger(__name__)


class Rechecks:
    """The rechecks under way.

    What comes of one belongs to no poll, and only the log tells of it.
    """

    def __init__(self, context: CrawlContext, processor: PageProcessor) -> None:
        self._context = context
        self._processor = processor
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def tasks(self) -> Collection[asyncio.Task[None]]:
        """What has to be cancelled at the end; the leases bring it back."""
        return tuple(self._tasks)

    def start(self, due: Iterable[Recheck]) -> None:
        """Begin to look at kept pages again."""
        for recheck in due:
            task = asyncio.ensure_future(self._look_guarded(recheck))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look_guarded(self, recheck: Recheck) -> None:
        try:
            with self._context.faults.noted():
                await self._look(recheck)
        except Exception:
            # one page's fault must not end the service; its lease brings it back
            log.exception("second look failed: %s", recheck.url)

    async def _look(self, recheck: Recheck) -> None:
        """Ask conditionally, and land what came of it.

        What changed lands as a revision, what is gone as withdrawn.
        """
        source = self._context.sources.get(recheck.source)
        lead = Lead(
            url=recheck.url,
            source=recheck.source,
            via=recheck.via,
            published_at=recheck.feed_published_at,
        )
        pending = PendingLead(id=0, lead=lead, attempts=0, poll_id=None)
        request = self._processor.request(lead, source)
        conditional = polls.conditional_headers(recheck.validators, utc_now())
        request = replace(request, headers={**request.headers, **conditional})

        validators = recheck.validators
        async with self._context.fetcher.fetch(request) as outcome:
            status = 0
            if isinstance(outcome, Fetched):
                status = outcome.page.status
                if status in page_status.READABLE_STATUSES:
                    validators = polls.parse_validators(dict(outcome.page.headers))
            if status != page_status.NOT_MODIFIED:
                landing = await self._processor.process(outcome, pending, source)
                # Its lease brings it back.
                if isinstance(landing, NoWorker):
                    return
                landing = replace(landing, lead=None, recheck=None)
                landed = await self._context.writer.land(landing)
                told = landed.what or landed.reason
                log.info("second look at %s: %s", recheck.url, told)

        again = plan_recheck(
            self._context.settings.recheck, recheck.first_seen_at, validators
        )
        await self._context.writer.run(
            self._context.store.rechecks.finish, recheck, now=utc_now(), plan=again
        )
