"""Work that other processes hand to the service, as rows in the file."""

import asyncio
import logging
import os
import pwd
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from crawler.engine.engine import Engine
from crawler.engine.window import Window
from crawler.files import importing, reprocessing
from crawler.files.import_context import ImportContext
from crawler.passes import run_pass
from crawler.report import CrawlEvent, CrawlReport
from crawler.writer import STORE_FAULTS
from scheduler import stdin_file
from storage.errors import KhabarError, UsageError, WorkFailed
from storage.model import Correction, Job, from_text, utc_now
from storage.query import criteria

log = logging.getLogger("khabar")

PROGRESS_SECONDS = 1.0
# Work on files shares its workers with the visits. What a visit brings waits behind one
# task of it for each worker, and a task reads three captures: with 16 of them a visit
# waited for 2 s on a busy machine.
TASKS_PER_WORKER = 1
CAPTURES_PER_TASK = 3
MAX_PROGRESS_LINES = 200  # of the warnings, the last ones

Json = dict[str, Any]


class JobProgress:
    """How far work on files has come: its counts, and the last warnings of it."""

    def __init__(self) -> None:
        self.counts: Json = {}
        self._said = 0
        self._lines: deque[str] = deque(maxlen=MAX_PROGRESS_LINES)

    def warn(self, line: str) -> None:
        """Add a warning for whoever follows the job."""
        self._said += 1
        self._lines.append(line)

    def to_json(self) -> Json:
        """All of it, as the job's row holds it; `said` counts every warning."""
        return {**self.counts, "said": self._said, "lines": list(self._lines)}


class JobRunner:
    """Begins the jobs that wait, and writes back how they go.

    `visit_of` gives the visit to a source that is under way: a crawl of that source
    waits for it.
    """

    def __init__(
        self, engine: Engine, visit_of: Callable[[str], "asyncio.Task[None] | None"]
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._engine = engine
        self._visit_of = visit_of
        self._one_at_a_time = asyncio.Lock()  # of all work on files

    async def start_waiting(self) -> None:
        """Begin every job that waits. Raises StoreError."""
        engine = self._engine
        while job := await engine.writer.run(engine.store.jobs.take_next, utc_now()):
            task = asyncio.ensure_future(self._run(job))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _run(self, job: Job) -> None:
        facts = {"action": "request"}
        log.info("request %d: %s", job.id, job.kind, extra={"facts": facts})
        failed = True
        try:
            result = await self._perform(job)
            failed = False
        except KhabarError as error:
            result = {"error": str(error), "exit_code": error.exit_code}
        except asyncio.CancelledError:
            result = {"error": "the service was stopped", "stopped": True}
        # The boundary of one job: the service goes on, and whoever asked is told.
        except Exception as error:
            log.exception("request %d failed", job.id)
            result = {"error": f"{type(error).__name__}: {error}"}
        engine = self._engine
        await engine.writer.run(
            engine.store.jobs.finish, job.id, result, now=utc_now(), failed=failed
        )

    async def _perform(self, job: Job) -> Json:
        """The result of a job, as its row holds it. Raises KhabarError."""
        store, run = self._engine.store, self._engine.writer.run
        asked: Mapping[str, Any] = job.arguments
        if job.kind == "crawl":
            return await self._crawl(job)
        if job.kind == "import":
            return await self._import(job)
        if job.kind == "reprocess":
            return await self._reprocess(job)
        if job.kind == "mark":
            correction = Correction.from_fields(asked)
            return asdict(await run(store.annotations.apply, correction))
        if job.kind == "forget" and asked.get("source"):
            source = str(asked["source"])
            return {"documents": await run(store.erasure.forget_source, source)}
        if job.kind == "forget":
            return {"documents": await run(store.erasure.forget, asked["what"])}
        raise UsageError(
            f"the service does not take {job.kind}; stop it, and run the command again"
        )

    async def _crawl(self, job: Job) -> Json:
        """A pass in the service's engine, so that each host's delay holds for both."""
        engine, asked = self._engine, job.arguments
        named = asked.get("sources")
        wanted = list(engine.sources)
        if isinstance(named, list):
            wanted = [str(one) for one in named]
        if not engine.sources.keys() >= set(wanted):
            raise UsageError(
                "the service does not know these sources yet; "
                "send it SIGHUP to read config.toml again"
            )
        report, ids = CrawlReport(), frozenset(wanted)

        def add_event(event: CrawlEvent) -> None:
            if event.source in ids:
                report.add_event(event)

        since = _parse_moment(asked.get("since"))
        until = _parse_moment(asked.get("until"))
        engine.windows.update(dict.fromkeys(wanted, Window(since=since, until=until)))
        engine.listeners.append(add_event)
        try:
            async with self._reporting(job, lambda: report_to_json(report)):
                # A visit that began by itself holds its source, and is waited for.
                under_way = [self._visit_of(one) for one in wanted]
                visits = [task for task in under_way if task is not None]
                await asyncio.gather(*visits, return_exceptions=True)
                force = bool(asked.get("force"))
                done = await run_pass(engine, wanted, force=force, everything=False)
        finally:
            engine.listeners.remove(add_event)
            for one in wanted:
                engine.windows.pop(one, None)
        return report_to_json(done)

    async def _import(self, job: Job) -> Json:
        """Import files. What was standard input is deleted, whatever comes of it."""
        named = job.arguments.get("files")
        files = []
        if isinstance(named, list):
            files = [Path(str(one)) for one in named]
        progress = JobProgress()

        def count(imported: importing.ImportCounts) -> None:
            progress.counts.update(importing.counts_to_json(imported))

        try:
            # In a thread: a disk of the network may let it wait.
            await asyncio.to_thread(require_readable, files)
            async with self._reporting(job, progress.to_json), self._one_at_a_time:
                imported = await importing.import_files(
                    self._import_context(),
                    files,
                    warn=progress.warn,
                    every=bool(job.arguments.get("every")),
                    progress=count,
                )
        finally:
            # Whoever handed it over may have gone: nobody else would delete it.
            for file in files:
                if stdin_file.is_stdin_file(self._engine.store.path, file):
                    file.unlink(missing_ok=True)
        return progress.to_json() | importing.counts_to_json(imported)

    async def _reprocess(self, job: Job) -> Json:
        """Read kept raw pages anew."""
        asked: dict[str, list[str]] = {}
        pairs = job.arguments.get("criteria")
        if isinstance(pairs, list):
            for name, value in pairs:
                asked.setdefault(str(name), []).append(str(value))
        wanted = criteria.parse_criteria(asked, now=utc_now())
        counts: Json = {}

        def count(counted: reprocessing.ReprocessCounts) -> None:
            counts.update(reprocessing.counts_to_json(counted))

        async with self._reporting(job, lambda: counts), self._one_at_a_time:
            counted = await reprocessing.reprocess(
                self._import_context(),
                wanted,
                dry_run=False,
                tell=lambda _: None,
                progress=count,
            )
        return dict(reprocessing.counts_to_json(counted))

    def _import_context(self) -> ImportContext:
        engine = self._engine
        return ImportContext(
            writer=engine.writer,
            pool=engine.pool,
            settings=engine.settings,
            sources=engine.sources,
            tasks_per_worker=TASKS_PER_WORKER,
            pages=CAPTURES_PER_TASK,
        )

    @asynccontextmanager
    async def _reporting(
        self, job: Job, progress: Callable[[], Json]
    ) -> AsyncIterator[None]:
        """Meanwhile, write `progress` into the job's row; at the end once more."""
        reporting = asyncio.ensure_future(self._report_changes(job, progress))
        try:
            yield
        finally:
            reporting.cancel()
            await self._save_progress(job, progress())

    async def _report_changes(self, job: Job, progress: Callable[[], Json]) -> None:
        last: Json = {}
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            now = dict(progress())
            if now != last:
                await self._save_progress(job, now)
                last = now

    async def _save_progress(self, job: Job, progress: Json) -> None:
        # The next report says the same and more, so this one may fail.
        with suppress(*STORE_FAULTS):
            await self._engine.writer.run(
                self._engine.store.jobs.save_progress, job.id, progress
            )


def require_readable(files: Sequence[Path]) -> None:
    """Refuse files that this process cannot import.

    Raises WorkFailed for one that it may not read, UsageError for one of no known kind.
    """
    for file in files:
        fault = ""
        try:
            if stat.S_ISREG(file.stat().st_mode):
                file.open("rb").close()
            else:
                fault = "it is no plain file"
        except OSError as error:
            fault = error.strerror or str(error)
        if fault:
            raise WorkFailed(
                f"{file} cannot be read by the service, which runs as {_user_name()} "
                f"({fault}); put it where that user may read it, or pipe it in: "
                "`khabar import - < FILE`"
            )
    importing.require_known(files)


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # as in containers
        return f"user {os.geteuid()}"


def report_to_json(report: CrawlReport) -> Json:
    """A report as a job's row holds it."""
    return {
        "sources": [one.to_json() for one in report.sources.values()],
        "requests": report.requests,
    }


def _parse_moment(text: object) -> datetime | None:
    if not text:
        return None
    return from_text(str(text))
