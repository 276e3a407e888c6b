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
from pathlib import Path
from typing import Any

from crawler.engine.engine import Engine, Window
from crawler.files import importing, reprocessing
from crawler.files.import_context import ImportContext as Files
from crawler.passes import run_pass
from crawler.report import CrawlEvent, CrawlReport
from crawler.writer import STORE_FAULTS
from scheduler import stdin_file
from storage.errors import KhabarError, UsageError, WorkFailed
from storage.model import Correction, Job, from_text, utc_now
from storage.query import criteria

log = logging.getLogger("khabar")

PROGRESS_SECONDS = 1.0  # seconds
# Tasks on files in flight for each worker: what a visit brings waits behind one of them
# at most ...
TASKS_AHEAD_PER_WORKER = 1
# ... which reads so many captures (16 of them made a visit wait for 2 s on a busy
# machine)
CAPTURES_PER_TASK = 3
# Of what is said on the way, so many are kept for the one who follows
MAX_PROGRESS_LINES = 200

Facts = dict[str, Any]


class JobProgress:
    """What the follower of a work on files is shown.

    Its numbers, and the last lines that were said.
    """

    def __init__(self) -> None:
        self.facts: Facts = {}
        self._said = 0
        self._lines: deque[str] = deque(maxlen=MAX_PROGRESS_LINES)

    def say(self, line: str) -> None:
        """One line more."""
        self._said += 1
        self._lines.append(line)

    def now(self) -> Facts:
        """All of it, as a request carries it."""
        return {**self.facts, "said": self._said, "lines": list(self._lines)}


class JobRunner:
    """Takes up requests one after another and writes back how they go."""

    def __init__(
        self, engine: Engine, visit_of: Callable[[str], "asyncio.Task[None] | None"]
    ) -> None:
        self.engine = engine
        self.tasks: set[asyncio.Task[None]] = set()
        self._visit_of = visit_of
        self._files = asyncio.Lock()  # one work on files at a time

    async def start_waiting(self) -> None:
        """Begin every request that waits."""
        store = self.engine.store
        while request := await self.engine.writer.run(store.jobs.take_next, utc_now()):
            task = asyncio.ensure_future(self._serve(request))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _serve(self, request: Job) -> None:
        failed = True
        try:
            result = await self._do(request)
            failed = False
        except KhabarError as error:
            result = {"error": str(error), "exit_code": error.exit_code}
        except asyncio.CancelledError:
            result = {"error": "the service was stopped", "stopped": True}
        # The boundary of one request: the service goes on, the asker is told
        except Exception as error:
            log.exception("request %d failed", request.id)
            result = {"error": f"{type(error).__name__}: {error}"}
        await self.engine.writer.run(
            self.engine.store.jobs.finish,
            request.id,
            result,
            now=utc_now(),
            failed=failed,
        )

    async def _do(self, request: Job) -> Facts:
        log.info(
            "request %d: %s",
            request.id,
            request.kind,
            extra={"facts": {"action": "request"}},
        )
        if request.kind == "crawl":
            return report_to_json(await self._crawl(request))
        if request.kind == "forget":
            return await self._forget(request.arguments)
        if request.kind == "import":
            return await self._import(request)
        if request.kind == "reprocess":
            return await self._reprocess(request)
        if request.kind == "mark":
            said = Correction.from_fields(request.arguments)
            return asdict(
                await self.engine.writer.run(self.engine.store.annotations.apply, said)
            )
        raise UsageError(
            f"the service does not take {request.kind}; stop it, and run the command again"
        )

    async def _crawl(self, request: Job) -> CrawlReport:
        """A pass like that of a service-less crawl, in the same engine, so that each host's delay holds for both."""
        asked = request.arguments
        asked_for = asked.get("sources")
        wanted = (
            [str(one) for one in asked_for]
            if isinstance(asked_for, list)
            else list(self.engine.sources)
        )
        known = [one for one in wanted if one in self.engine.sources]
        if len(known) < len(wanted):
            raise UsageError(
                "the service does not know these sources yet; send it SIGHUP to read config.toml again"
            )
        window = Window(
            since=_parse_moment(asked.get("since")),
            until=_parse_moment(asked.get("until")),
        )
        self.engine.windows.update(dict.fromkeys(known, window))
        self.engine.listeners.append(
            note := _note_only(set(known), report := CrawlReport())
        )
        try:
            async with self._followed(request, lambda: report_to_json(report)):
                await asyncio.gather(
                    *(task for one in known if (task := self._visit_of(one))),
                    return_exceptions=True,
                )
                done = await run_pass(
                    self.engine, known, force=bool(asked.get("force")), everything=False
                )
        finally:
            self.engine.listeners.remove(note)
            for one in known:
                self.engine.windows.pop(one, None)
        return done

    async def _import(self, request: Job) -> Facts:
        """Take in files beside what the service does anyway.

        What was spooled for it goes, whatever comes of it.
        """
        named = request.arguments.get("files")
        files = [Path(str(one)) for one in named] if isinstance(named, list) else []
        telling = JobProgress()
        try:
            await asyncio.to_thread(require_readable, files)
            async with self._followed(request, telling.now), self._files:
                taken = await importing.import_files(
                    self._desk(), files, warn=telling.say, every=bool(request.arguments.get("every")),
                    progress=lambda taken: telling.facts.update(importing.counts_to_json(taken)),
                )  # fmt: skip
        finally:
            for file in files:
                if stdin_file.is_stdin_file(self.engine.store.path, file):
                    file.unlink(missing_ok=True)
        return telling.now() | importing.counts_to_json(taken)

    async def _reprocess(self, request: Job) -> Facts:
        """Read kept pages anew with the service's own workers, beside what it does anyway."""
        asked: dict[str, list[str]] = {}
        pairs = request.arguments.get("criteria")
        for name, value in pairs if isinstance(pairs, list) else ():
            asked.setdefault(str(name), []).append(str(value))
        wanted = criteria.parse_criteria(asked, now=utc_now())
        facts: Facts = {}
        async with self._followed(request, lambda: facts), self._files:
            tally = await reprocessing.reprocess(
                self._desk(), wanted, dry_run=False, tell=lambda _: None,
                progress=lambda tally: facts.update(reprocessing.counts_to_json(tally)),
            )  # fmt: skip
        return dict(reprocessing.counts_to_json(tally))

    def _desk(self) -> Files:
        """The service's own thread and workers, for files."""
        engine = self.engine
        return Files(
            writer=engine.writer,
            pool=engine.pool,
            settings=engine.settings,
            sources=engine.sources,
            tasks_per_worker=TASKS_AHEAD_PER_WORKER,
            pages=CAPTURES_PER_TASK,
        )

    @asynccontextmanager
    async def _followed(
        self, request: Job, now: Callable[[], Facts]
    ) -> AsyncIterator[None]:
        """While the block runs, whoever follows the request is told what `now` says.

        At its end once more.
        """
        telling = asyncio.ensure_future(self._write_progress(request.id, now))
        try:
            yield
        finally:
            telling.cancel()
            await self._tell(request.id, now())

    async def _write_progress(self, request_id: int, now: Callable[[], Facts]) -> None:
        last: Facts = {}
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            if (told := dict(now())) != last:
                await self._tell(request_id, told)
                last = told

    async def _tell(self, request_id: int, facts: Facts) -> None:
        with suppress(*STORE_FAULTS):  # the next one tells the same
            await self.engine.writer.run(
                self.engine.store.jobs.save_progress, request_id, facts
            )

    async def _forget(self, asked: Mapping[str, Any]) -> Facts:
        store, run = self.engine.store, self.engine.writer.run
        if asked.get("source"):
            return {
                "documents": await run(
                    store.erasure.forget_source, str(asked["source"])
                )
            }
        return {"documents": await run(store.erasure.forget, asked["what"])}


def require_readable(files: Sequence[Path]) -> None:
    """Raise WorkFailed for a file that this process may not read, UsageError for one of no known kind."""
    for file in files:
        fault = _read_fault(file)
        if fault:
            raise WorkFailed(
                f"{file} cannot be read by the service, which runs as {_user_name()} ({fault}); put it where that user may "
                "read it, or pipe it in: `khabar import - < FILE`"
            )
    importing.require_known(files)


def _read_fault(file: Path) -> str:
    """Why a file cannot be read; empty where it can."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return "it is no plain file"
        file.open("rb").close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # as in containers
        return f"user {os.geteuid()}"


def report_to_json(report: CrawlReport) -> Facts:
    """A report as a request carries it."""
    return {
        "sources": [one.to_json() for one in report.sources.values()],
        "requests": report.requests,
    }


def _note_only(sources: set[str], report: CrawlReport) -> Callable[[CrawlEvent], None]:
    def note(event: CrawlEvent) -> None:
        if event.source in sources:
            report.add_event(event)

    return note


def _parse_moment(text: object) -> Any:
    return from_text(str(text)) if text else None
