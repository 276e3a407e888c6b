"""What a command does, in one function each.

Open what it needs, let the other rooms work, hand back plain data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler import config as configuration
from scheduler.config import Config
from storage.errors import StoreBusy, StoreMissing, UsageError, WorkFailed
from storage.model import Article, Landing, SourceState, to_text, utc_now
from storage.store import Store

if TYPE_CHECKING:
    from crawler.files.importing import ImportCounts
    from crawler.files.reprocessing import ReprocessCounts, ReprocessedPage
    from crawler.report import CrawlEvent, CrawlReport
    from crawler.source_check import SourceCheck
    from scheduler.health import Drift
    from storage.query.criteria import Criteria

PrintLine = Callable[[str], None]


@contextmanager
def open_for_writing(config: Config) -> Iterator[Store]:
    """The store, open for writing, with today's gazetteer in it.

    Raises StoreError and StoreBusy.
    """
    from crawler.topic import gazetteer, names
    from scheduler.views import terminal

    # Its data folder is the user's, which nobody had a reason to make yet
    if config.path == configuration.shipped_config_file():
        config.store.path.parent.mkdir(parents=True, exist_ok=True)
    note = terminal.open_screen().note
    with Store.open(
        config.store.path, captures=config.store.captures, on_slow_step=note
    ) as store:
        store.gazetteer.sync_places(gazetteer.place_rows())
        store.gazetteer.sync_spellings(names.name_rows())
        yield store


@contextmanager
def open_for_reading(config: Config) -> Iterator[Store]:
    """The store, read-only. Raises StoreError."""
    with Store.read(config.store.path, captures=config.store.captures) as store:
        yield store


def crawl(
    config: Config,
    ids: tuple[str, ...] = (),
    *,
    since: str | None = None,
    until: str | None = None,
    force: bool = False,
    tell: "Callable[[CrawlEvent], None] | None" = None,
) -> "CrawlReport":
    """One pass over the named or all enabled sources.

    Raises ConfigError for an unknown id, StoreError, UsageError.
    """
    from storage.query import criteria

    now = utc_now()
    start = criteria.parse_time(since, now=now) if since else None
    end = criteria.parse_time(until, now=now, end=True) if until else None
    wanted = config.select_sources(ids)
    if not wanted:
        raise UsageError(
            "no source is switched on; set `enabled = true` for one, or name it: `khabar crawl ID`"
        )
    from scheduler import follow_job

    try:
        return _crawl_locally(
            config, ids, since=start, until=end, force=force, tell=tell
        )
    except StoreBusy:
        if not follow_job.is_service_alive(config.store.path, now):
            raise
    asked = {"sources": [one.id for one in wanted], "force": force}
    asked |= {
        name: to_text(at) for name, at in (("since", start), ("until", end)) if at
    }
    return follow_job.crawl_by_service(config, asked, tell=tell)


def _crawl_locally(
    config: Config,
    ids: tuple[str, ...],
    *,
    since: datetime | None,
    until: datetime | None,
    force: bool,
    tell: "Callable[[CrawlEvent], None] | None",
) -> "CrawlReport":
    from crawler import passes
    from crawler.engine import engine
    from crawler.fetching import loop
    from scheduler.service import poll_schedule

    with open_for_writing(config) as store:
        going = passes.crawl(
            store, config.sources, config.crawl, only=ids or None, force=force,
            window=engine.Window(since=since, until=until), plan=poll_schedule.plan_next_check, on_event=tell,
        )  # fmt: skip
        return loop.run(going)


def run_service(config: Config, path: Path | None, db: Path | None) -> None:
    """The service, until a signal ends it.

    Raises StoreBusy where another process holds the file.
    """
    from crawler.fetching import loop
    from scheduler.service.daemon import Service

    with open_for_writing(config) as store:
        service = Service(
            store,
            config,
            read_config=lambda: configuration.load_config(path).with_database(db),
        )
        loop.run(service.run())


def copy_store(config: Config, target: Path) -> None:
    """A consistent copy of the database, taken while it is written to.

    Raises StoreError.
    """
    with open_for_reading(config) as store:
        store.backup(target)


def forget(config: Config, what: str | int | None, *, source: str | None) -> list[int]:
    """Erase a text everywhere, here or in the service.

    Returns the numbers of the documents. Raises StoreError.
    """
    from scheduler import follow_job

    try:
        with open_for_writing(config) as store:
            return (
                store.erasure.forget_source(source)
                if source
                else store.erasure.forget(what or "")
            )
    except StoreBusy:
        if not follow_job.is_service_alive(config.store.path, utc_now()):
            raise
    asked = {"source": source} if source else {"what": what}
    return list(
        follow_job.wait_for_job(config, follow_job.submit_job(config, "forget", asked))[
            "documents"
        ]
    )


def mark(config: Config, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Carry out what a person says of a text, here or in the service.

    Raises WorkFailed, UsageError, StoreError.
    """
    from dataclasses import asdict

    from scheduler import follow_job
    from storage.model import Correction

    try:
        with open_for_writing(config) as store:
            return asdict(store.annotations.apply(Correction.from_fields(said)))
    except StoreBusy:
        if not follow_job.is_service_alive(config.store.path, utc_now()):
            raise
    return follow_job.wait_for_job(config, follow_job.submit_job(config, "mark", said))


def import_files(
    config: Config,
    files: Sequence[Path],
    *,
    warn: PrintLine,
    progress: "Callable[[ImportCounts], None]",
    every: bool = False,
) -> "ImportCounts":
    """Import captures and articles, here or in the service.

    `-` among the files is standard input.

    `warn` hears of the first faults of each kind in a file, or of every one. Raises
    UsageError for a file of no known kind or none at all, StoreError, WorkFailed with
    what the service said.
    """
    from scheduler import stdin_file

    def tell(line: str) -> None:
        warn(stdin_file.hide_stdin_path(config.store.path, line))

    with stdin_file.replace_stdin(config.store.path, files) as named:
        return _import_files(config, named, warn=tell, progress=progress, every=every)


def _import_files(
    config: Config,
    files: Sequence[Path],
    *,
    warn: PrintLine,
    progress: "Callable[[ImportCounts], None]",
    every: bool,
) -> "ImportCounts":
    import asyncio

    from crawler.files import import_context, importing
    from scheduler import follow_job

    for file in files:
        if not file.is_file():
            raise UsageError(f"{file} is no file")
    importing.require_known(files)

    async def here(store: Store) -> "ImportCounts":
        async with import_context.open_context(
            store, config.sources, config.crawl
        ) as own:
            return await importing.import_files(
                own, files, warn=warn, progress=progress, every=every
            )

    try:
        with open_for_writing(config) as store:
            store.sources.sync(source_states(config))
            return asyncio.run(here(store))
    except StoreBusy:
        if not follow_job.is_service_alive(config.store.path, utc_now()):
            raise
    return follow_job.import_by_service(
        config, files, warn=warn, progress=progress, every=every
    )


def reprocess(
    config: Config,
    criteria: "Criteria",
    *,
    dry_run: bool,
    tell: "Callable[[ReprocessedPage], None]",
    progress: "Callable[[Mapping[str, int]], None]",
) -> "Mapping[str, int]":
    """Read kept raw pages anew, here or in the service; how many came to what.

    Raises StoreError, UsageError.

    A dry run writes nothing, so that it needs no lock. `tell` hears of what the service
    does only by its counts.
    """
    from scheduler import follow_job
    from storage.query import criteria as criteria_

    if config.store.captures is None:
        raise UsageError(
            "no raw pages are kept; [store] captures names a folder for them"
        )
    if dry_run:
        with open_for_reading(config) as store:
            return _reprocess_locally(
                config, store, criteria, dry_run=True, tell=tell, progress=progress
            )
    try:
        with open_for_writing(config) as store:
            return _reprocess_locally(
                config, store, criteria, dry_run=False, tell=tell, progress=progress
            )
    except StoreBusy:
        if not follow_job.is_service_alive(config.store.path, utc_now()):
            raise
    return follow_job.reprocess_by_service(
        config, {"criteria": criteria_.criteria_to_pairs(criteria)}, progress=progress
    )


def _reprocess_locally(
    config: Config,
    store: Store,
    criteria: "Criteria",
    *,
    dry_run: bool,
    tell: "Callable[[ReprocessedPage], None]",
    progress: "Callable[[Mapping[str, int]], None]",
) -> "Mapping[str, int]":
    import asyncio

    from crawler.files import import_context, reprocessing

    async def going() -> "ReprocessCounts":
        async with import_context.open_context(
            store, config.sources, config.crawl
        ) as own:
            return await reprocessing.reprocess(
                own,
                criteria,
                dry_run=dry_run,
                tell=tell,
                progress=lambda tally: progress(reprocessing.counts_to_json(tally)),
            )

    return reprocessing.counts_to_json(asyncio.run(going()))


def source_states(config: Config) -> list[SourceState]:
    """The configured sources as the store is told of them."""
    from crawler.engine.engine import source_states as states

    return states(config.sources)


def check_sources(
    config: Config, ids: tuple[str, ...], *, progress: PrintLine
) -> "list[SourceCheck]":
    """Ask the named or all enabled sources once; nothing is kept."""
    from crawler import source_check
    from crawler.fetching import loop

    wanted = config.select_sources(ids)
    return loop.run(source_check.check_sources(wanted, config.crawl, progress=progress))


def find_drifting_sources(config: Config, ids: tuple[str, ...]) -> "list[Drift]":
    """What the named or all enabled sources yield less of than they did, as far as a database knows."""
    from scheduler import health

    wanted = {source.id for source in config.select_sources(ids)}
    try:
        with open_for_reading(config) as store:
            return [
                one
                for one in health.find_drifting(store, utc_now())
                if one.source in wanted
            ]
    except StoreMissing:
        return []  # sources can be asked before the first crawl


def discover_sources(
    config: Config, address: str, *, progress: PrintLine
) -> "list[SourceCheck]":
    """What a site could be watched by, tried; nothing is kept.

    Raises UsageError for what is no address.
    """
    from crawler import source_check
    from crawler.fetching import loop
    from scheduler import config_values

    address = address if "://" in address else f"https://{address}"
    try:
        config_values.parse_web_address(address)
    except config_values.InvalidValue as fault:
        raise UsageError(f"{config_values.quote_value(address)} {fault}") from None
    return loop.run(source_check.find_sources(address, config.crawl, progress=progress))


def describe_source(config: Config, name: str) -> dict[str, Any]:
    """Everything that is known of one source. Raises ConfigError for an unknown id."""
    wanted = config.select_sources((name,))[0]
    known = {
        field: value
        for field, value in asdict(wanted).items()
        if value not in (None, "", {})
    }
    known |= {
        field: str(value)
        for field, value in known.items()
        if isinstance(value, timedelta)
    }
    state, polls = None, []
    try:
        with open_for_reading(config) as store:
            state, polls = store.sources.find(name), store.polls.recent(name, 10)
    except StoreMissing:
        pass  # the catalogue stands before the first crawl
    told = (
        "next_check_at",
        "last_success_at",
        "last_new_at",
        "newest_at",
        "failures",
        "last_error",
        "moved_to",
    )
    return (
        known
        | {field: getattr(state, field, None) for field in told}
        | {"polls": polls}
    )


def list_sources(config: Config, *, every: bool) -> list[dict[str, Any]]:
    """The configured sources, each with what the database knows of it, if there is one yet."""
    states: dict[str, SourceState] = {}
    try:
        with open_for_reading(config) as store:
            states = {state.id: state for state in store.sources.all()}
    except StoreMissing:
        pass  # the catalogue stands before the first crawl
    chosen = config.sources if every else config.enabled_sources
    known = (
        "next_check_at",
        "last_success_at",
        "last_new_at",
        "newest_at",
        "failures",
        "last_error",
    )
    return [
        {
            name: getattr(source, name)
            for name in ("id", "name", "kind", "url", "owner", "language", "enabled")
        }
        | {name: getattr(states.get(source.id), name, None) for name in known}
        for source in chosen
    ]


def explain(store: Store, what: str) -> dict[str, Any]:
    """Everything about a URL or a number; see `Store.explain`."""
    return store.fates.explain(
        int(what) if what.isascii() and what.isdecimal() and len(what) < 19 else what
    )


def explain_file(file: Path, config: Config) -> Landing:
    """What the desk makes of a saved page, with a threshold as for a crawl.

    Nothing is stored.
    """
    from crawler import intake
    from crawler.files import saved

    found = next(saved.read_pages(file, lambda _: None), None)
    if found is None:
        raise UsageError(f"{file} holds no page")
    return intake.process_page(found.page, None, settings=config.crawl, now=utc_now())


def extract(
    files: Sequence[Path], *, tell: Callable[[Mapping[str, Any]], None], warn: PrintLine, every: bool = False
) -> int:  # fmt: skip
    """Saved pages and WARC files to one record each, in their order.

    The number of files that could not be read.
    """
    import asyncio

    from crawler.files import extracting

    return asyncio.run(extracting.extract(files, tell=tell, warn=warn, every=every))


def read_article(store: Store, number: int) -> tuple[Article, dict[str, Any]]:
    """An article and its JSON form.

    Raises WorkFailed where there is none of that number.
    """
    found = store.articles.find(number)
    told = store.articles.record(number)
    if found is None or told is None:
        raise WorkFailed(
            f"there is no article {number}; `khabar search` shows the numbers"
        )
    return found, told


def read_raw_page(store: Store, article: Article) -> bytes:
    """The kept response of an article. Raises WorkFailed where none is kept."""
    return _read_capture(store, article.capture_id, f"article {article.id}")


def read_explained_raw_page(store: Store, known: Mapping[str, Any]) -> bytes:
    """The kept response of what `explain` told of, dropped or not.

    Raises WorkFailed where none is kept.
    """
    capture = known["capture"]
    return _read_capture(store, capture["id"] if capture else None, str(known["url"]))


def _read_capture(store: Store, capture_id: int | None, what: str) -> bytes:
    page = store.captures.page(capture_id) if capture_id is not None else None
    if page is None:
        raise WorkFailed(f"the raw page of {what} was not kept, or has expired")
    return page.body
