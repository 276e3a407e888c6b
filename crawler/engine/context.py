"""What the parts of a crawl share."""

from collections.abc import Callable, Iterable

from crawler.engine.store_faults import StoreFaults
from crawler.engine.window import Window
from crawler.fetching.fetcher import Fetcher
from crawler.report import CrawlEvent
from crawler.sources import CrawlSettings, Source
from crawler.visits.visit_result import PollPlanner
from crawler.workers import WorkerPool
from crawler.writer import Writer
from storage.store import Store


class CrawlContext:
    """The store, the network, the workers, and what they go by.

    `settings` and `sources` change with a reload: nobody keeps them.
    """

    def __init__(
        self,
        *,
        store: Store,
        settings: CrawlSettings,
        sources: Iterable[Source],
        plan: PollPlanner,
        fetcher: Fetcher,
        pool: WorkerPool,
    ) -> None:
        self.store = store
        self.settings = settings
        self.sources = {source.id: source for source in sources}
        self.plan = plan
        self.fetcher = fetcher
        self.pool = pool
        self.writer = Writer(store)
        self.faults = StoreFaults()
        self.listeners: list[Callable[[CrawlEvent], None]] = []
        # Of the sources that a pass with dates is about
        self.windows: dict[str, Window] = {}

    def emit(self, event: CrawlEvent) -> None:
        """Tell every listener what happened."""
        for listener in tuple(self.listeners):
            listener(event)

    def report_progress(
        self, source: str, note: str, *, share: float | None = None
    ) -> None:
        """Tell how far something long has come; `share` of it is done."""
        self.emit(CrawlEvent(source=source, note=note, share=share))
