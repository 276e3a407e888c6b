"""Work that writes: done here, or by the service where that has the file.

Exactly one process writes documents. Each function here does its work itself while
nobody holds the file, and hands it to the running service otherwise; what comes back is
the same plain data.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scheduler.config import Config
from scheduler.open_store import open_for_reading, open_for_writing
from storage.errors import StoreBusy, UsageError
from storage.model import to_text, utc_now
from storage.store import Store

if TYPE_CHECKING:
    from crawler.files.importing import ImportCounts
    from crawler.files.reprocessing import ReprocessedPage
    from crawler.report import CrawlEvent, CrawlReport
    from storage.query.criteria import Criteria

_Result = TypeVar("_Result")


def do_here_or_in_service(
    config: Config, here: Callable[[Store], _Result], in_service: Callable[[], _Result]
) -> _Result:
    """What `here` returns with the open store, or `in_service` where that is held.

    Raises StoreBusy where the holder is no service that takes jobs, StoreError.
    """
    from scheduler import follow_job

    with ExitStack() as stack:
        # Only the opening may say that another process has the file: StoreBusy in the
        # middle of the work would have it done twice.
        try:
            store = stack.enter_context(open_for_writing(config))
        except StoreBusy:
            if not follow_job.is_service_alive(config.store.path, utc_now()):
                raise
        else:
            return here(store)
    return in_service()


def crawl(
    config: Config,
    ids: tuple[str, ...] = (),
    *,
    since: str | None = None,
    until: str | None = None,
    force: bool = False,
    on_event: "Callable[[CrawlEvent], None] | None" = None,
) -> "CrawlReport":
    """One pass over the named or all enabled sources.

    `since` and `until` are times as a person types them. Raises ConfigError for an
    unknown id, UsageError, StoreError, WorkFailed.
    """
    from scheduler import follow_job
    from storage.query import criteria

    now = utc_now()
    start = criteria.parse_time(since, now=now) if since else None
    end = criteria.parse_time(until, now=now, end=True) if until else None
    wanted = config.select_sources(ids)
    if not wanted:
        raise UsageError(
            "no source is switched on; set `enabled = true` for one, "
            "or name it: `khabar crawl ID`"
        )

    def here(store: Store) -> "CrawlReport":
        from crawler import passes
        from crawler.engine.window import Window
        from crawler.fetching import loop
        from scheduler.service import poll_schedule

        return loop.run(
            passes.crawl(
                store,
                config.sources,
                config.crawl,
                only=ids or None,
                force=force,
                window=Window(since=start, until=end),
                plan=poll_schedule.plan_next_check,
                on_event=on_event,
            )
        )

    def in_service() -> "CrawlReport":
        arguments: dict[str, object] = {
            "sources": [source.id for source in wanted],
            "force": force,
        }
        if start is not None:
            arguments["since"] = to_text(start)
        if end is not None:
            arguments["until"] = to_text(end)
        return follow_job.crawl_by_service(config, arguments, on_event=on_event)

    return do_here_or_in_service(config, here, in_service)


def import_files(
    config: Config,
    files: Sequence[Path],
    *,
    warn: Callable[[str], None],
    on_progress: "Callable[[ImportCounts], None]",
    every_fault: bool = False,
) -> "ImportCounts":
    """Import captures and articles; `-` among the files is standard input.

    `warn` hears of the first faults of each kind in a file, or of every one. Raises
    UsageError for a file of no known kind or none at all, StoreError, WorkFailed with
    what the service said.
    """
    import asyncio

    from crawler.engine import engine
    from crawler.files import import_context, importing
    from scheduler import follow_job, stdin_file

    def warn_by_name(line: str) -> None:
        warn(stdin_file.hide_stdin_path(config.store.path, line))

    with stdin_file.replace_stdin(config.store.path, files) as named:
        # Before anything is taken in, and before the service is asked.
        for file in named:
            if not file.is_file():
                raise UsageError(f"{file} is no file")
        importing.require_known(named)

        async def read_files(store: Store) -> "ImportCounts":
            async with import_context.open_context(
                store, config.sources, config.crawl
            ) as context:
                return await importing.import_files(
                    context,
                    named,
                    warn=warn_by_name,
                    progress=on_progress,
                    every=every_fault,
                )

        def here(store: Store) -> "ImportCounts":
            # What is imported may name a configured source that was never crawled.
            store.sources.sync(engine.source_states(config.sources))
            return asyncio.run(read_files(store))

        def in_service() -> "ImportCounts":
            return follow_job.import_by_service(
                config,
                named,
                warn=warn_by_name,
                on_progress=on_progress,
                every_fault=every_fault,
            )

        return do_here_or_in_service(config, here, in_service)


def reprocess(
    config: Config,
    criteria: "Criteria",
    *,
    dry_run: bool,
    on_page: "Callable[[ReprocessedPage], None]",
    on_progress: Callable[[Mapping[str, int]], None],
) -> Mapping[str, int]:
    """Read kept raw pages anew; how many came to what.

    A dry run writes nothing, so that it needs no lock. Of what the service does only
    the counts are told, not `on_page`. Raises UsageError, StoreError, WorkFailed.
    """
    import asyncio

    from crawler.files import import_context, reprocessing
    from scheduler import follow_job
    from storage.query.criteria import criteria_to_pairs

    if config.store.captures is None:
        raise UsageError(
            "no raw pages are kept; [store] captures names a folder for them"
        )

    async def read_pages(store: Store) -> Mapping[str, int]:
        async with import_context.open_context(
            store, config.sources, config.crawl
        ) as context:
            counts = await reprocessing.reprocess(
                context,
                criteria,
                dry_run=dry_run,
                tell=on_page,
                progress=lambda so_far: on_progress(
                    reprocessing.counts_to_json(so_far)
                ),
            )
        return reprocessing.counts_to_json(counts)

    def here(store: Store) -> Mapping[str, int]:
        return asyncio.run(read_pages(store))

    def in_service() -> Mapping[str, int]:
        arguments = {"criteria": criteria_to_pairs(criteria)}
        return follow_job.reprocess_by_service(
            config, arguments, on_progress=on_progress
        )

    if dry_run:
        with open_for_reading(config) as store:
            return here(store)
    return do_here_or_in_service(config, here, in_service)


def forget(config: Config, request: Mapping[str, Any]) -> list[int]:
    """Erase a text, or all of a source, everywhere. The numbers of the documents.

    `request` has `what`, a URL or a number, or `source`, an id. Raises StoreError,
    WorkFailed.
    """
    from scheduler import follow_job

    def here(store: Store) -> list[int]:
        if "source" in request:
            return store.erasure.forget_source(request["source"])
        return store.erasure.forget(request["what"])

    def in_service() -> list[int]:
        number = follow_job.submit_job(config, "forget", request)
        return list(follow_job.wait_for_job(config, number)["documents"])

    return do_here_or_in_service(config, here, in_service)


def list_forgettable(
    config: Config, request: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """The documents that `forget` would erase: id, url, source, title.

    Raises StoreError.
    """
    with open_for_reading(config) as store:
        return list(
            store.erasure.list_forgettable(
                request.get("what"), source=request.get("source")
            )
        )


def list_older_copies(config: Config) -> list[Path]:
    """Copies of the database that lie where khabar puts them."""
    path = config.store.path
    patterns = [(path, ".before-restore*"), (path, ".rescued*")]
    found = []
    backup = config.service.backup
    if backup is not None:
        patterns.append((backup, ".[0-9]*"))
        if backup.exists():
            found.append(backup)
    for file, ending in patterns:
        found += sorted(file.parent.glob(file.name + ending))
    return [file for file in found if not file.name.endswith(("-wal", "-shm"))]


def mark(config: Config, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Carry out what a person says of a text; what came of it.

    `request` has the fields of a `Correction`. Raises UsageError, StoreError,
    WorkFailed.
    """
    from scheduler import follow_job
    from storage.model import Correction

    def here(store: Store) -> Mapping[str, Any]:
        return asdict(store.annotations.apply(Correction.from_fields(request)))

    def in_service() -> Mapping[str, Any]:
        number = follow_job.submit_job(config, "mark", request)
        return follow_job.wait_for_job(config, number)

    return do_here_or_in_service(config, here, in_service)
