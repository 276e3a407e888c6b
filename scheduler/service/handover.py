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

from crawler.engine import Engine, Window
from crawler.files import importing, reprocessing
from crawler.files.desk import Desk as Files
from crawler.passes import run_pass
from crawler.report import Event, Report
from crawler.writer import FILE_FAULTS
from scheduler import spool
from storage.errors import KhabarError, UsageError, WorkFailed
from storage.finding import criteria
from storage.model import Request, from_text, utc_now
from storage.tables import corrections

log = logging.getLogger("khabar")

PROGRESS_EVERY = 1.0  # seconds
AHEAD = 1  # tasks on files in flight for each worker: what a visit brings waits behind one of them at most ...
PAGES = 3  # ... which reads so many captures (16 of them made a visit wait for 2 s on a busy machine)
LINES = 200  # of what is said on the way, so many are kept for the one who follows

Facts = dict[str, Any]


class Telling:
    """What the follower of a work on files is shown: its numbers, and the last lines that were said."""

    def __init__(self) -> None:
        self.facts: Facts = {}
        self._said = 0
        self._lines: deque[str] = deque(maxlen=LINES)

    def say(self, line: str) -> None:
        """One line more."""
        self._said += 1
        self._lines.append(line)

    def now(self) -> Facts:
        """All of it, as a request carries it."""
        return {**self.facts, "said": self._said, "lines": list(self._lines)}


class Desk:
    """Takes up requests one after another and writes back how they go."""

    def __init__(self, engine: Engine, visit_of: Callable[[str], "asyncio.Task[None] | None"]) -> None:
        self.engine = engine
        self.tasks: set[asyncio.Task[None]] = set()
        self._visit_of = visit_of
        self._files = asyncio.Lock()  # one work on files at a time

    async def take_up(self) -> None:
        """Begin every request that waits."""
        store = self.engine.store
        while request := await self.engine.writer.run(store.take_request, utc_now()):
            task = asyncio.ensure_future(self._serve(request))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _serve(self, request: Request) -> None:
        failed = True
        try:
            result = await self._do(request)
            failed = False
        except KhabarError as error:
            result = {"error": str(error), "exit_code": error.exit_code}
        except asyncio.CancelledError:
            result = {"error": "the service was stopped", "stopped": True}
        except Exception as error:  # the boundary of one request: the service goes on, the asker is told
            log.exception("request %d failed", request.id)
            result = {"error": f"{type(error).__name__}: {error}"}
        await self.engine.writer.run(self.engine.store.finish_request, request.id, result, now=utc_now(), failed=failed)

    async def _do(self, request: Request) -> Facts:
        log.info("request %d: %s", request.id, request.kind, extra={"facts": {"action": "request"}})
        if request.kind == "crawl":
            return told(await self._crawl(request))
        if request.kind == "forget":
            return await self._forget(request.arguments)
        if request.kind == "import":
            return await self._import(request)
        if request.kind == "reprocess":
            return await self._reprocess(request)
        if request.kind == "mark":
            said = corrections.read(request.arguments)
            return asdict(await self.engine.writer.run(self.engine.store.correct, said))
        raise UsageError(f"the service does not take {request.kind}; stop it, and run the command again")

    async def _crawl(self, request: Request) -> Report:
        """A pass like that of a service-less crawl, in the same engine, so that each host's delay holds for both."""
        asked = request.arguments
        asked_for = asked.get("sources")
        wanted = [str(one) for one in asked_for] if isinstance(asked_for, list) else list(self.engine.sources)
        known = [one for one in wanted if one in self.engine.sources]
        if len(known) < len(wanted):
            raise UsageError("the service does not know these sources yet; send it SIGHUP to read config.toml again")
        window = Window(since=_moment(asked.get("since")), until=_moment(asked.get("until")))
        self.engine.windows.update(dict.fromkeys(known, window))
        self.engine.listeners.append(note := _only(set(known), report := Report()))
        try:
            async with self._followed(request, lambda: told(report)):
                await asyncio.gather(*(task for one in known if (task := self._visit_of(one))), return_exceptions=True)
                done = await run_pass(self.engine, known, force=bool(asked.get("force")), everything=False)
        finally:
            self.engine.listeners.remove(note)
            for one in known:
                self.engine.windows.pop(one, None)
        return done

    async def _import(self, request: Request) -> Facts:
        """Take in files beside what the service does anyway. What was spooled for it goes, whatever comes of it."""
        named = request.arguments.get("files")
        files = [Path(str(one)) for one in named] if isinstance(named, list) else []
        telling = Telling()
        try:
            await asyncio.to_thread(require_readable, files)
            async with self._followed(request, telling.now), self._files:
                taken = await importing.take_in(
                    self._desk(), files, warn=telling.say, every=bool(request.arguments.get("every")),
                    progress=lambda taken: telling.facts.update(importing.told(taken)),
                )  # fmt: skip
        finally:
            for file in files:
                if spool.is_spooled(self.engine.store.path, file):
                    file.unlink(missing_ok=True)
        return telling.now() | importing.told(taken)

    async def _reprocess(self, request: Request) -> Facts:
        """Read kept pages anew with the service's own workers, beside what it does anyway."""
        asked: dict[str, list[str]] = {}
        pairs = request.arguments.get("criteria")
        for name, value in pairs if isinstance(pairs, list) else ():
            asked.setdefault(str(name), []).append(str(value))
        wanted = criteria.read(asked, now=utc_now())
        facts: Facts = {}
        async with self._followed(request, lambda: facts), self._files:
            tally = await reprocessing.reprocess(
                self._desk(), wanted, dry_run=False, tell=lambda _: None,
                progress=lambda tally: facts.update(reprocessing.told(tally)),
            )  # fmt: skip
        return dict(reprocessing.told(tally))

    def _desk(self) -> Files:
        """The service's own thread and workers, for files."""
        engine = self.engine
        return Files(
            writer=engine.writer,
            pool=engine.pool,
            settings=engine.settings,
            sources=engine.sources,
            ahead=AHEAD,
            pages=PAGES,
        )

    @asynccontextmanager
    async def _followed(self, request: Request, now: Callable[[], Facts]) -> AsyncIterator[None]:
        """While the block runs, whoever follows the request is told what `now` says; at its end once more."""
        telling = asyncio.ensure_future(self._write_progress(request.id, now))
        try:
            yield
        finally:
            telling.cancel()
            await self._tell(request.id, now())

    async def _write_progress(self, request_id: int, now: Callable[[], Facts]) -> None:
        last: Facts = {}
        while True:
            await asyncio.sleep(PROGRESS_EVERY)
            if (told := dict(now())) != last:
                await self._tell(request_id, told)
                last = told

    async def _tell(self, request_id: int, facts: Facts) -> None:
        with suppress(*FILE_FAULTS):  # the next one tells the same
            await self.engine.writer.run(self.engine.store.note_progress, request_id, facts)

    async def _forget(self, asked: Mapping[str, Any]) -> Facts:
        store, run = self.engine.store, self.engine.writer.run
        if asked.get("source"):
            return {"documents": await run(store.forget_source, str(asked["source"]))}
        return {"documents": await run(store.forget, asked["what"])}


def require_readable(files: Sequence[Path]) -> None:
    """Raise WorkFailed for a file that this process may not read, UsageError for one of no known kind."""
    for file in files:
        fault = _unreadable(file)
        if fault:
            raise WorkFailed(
                f"{file} cannot be read by the service, which runs as {_user()} ({fault}); put it where that user may "
                "read it, or pipe it in: `khabar import - < FILE`"
            )
    importing.require_known(files)


def _unreadable(file: Path) -> str:
    """Why a file cannot be read; empty where it can."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return "it is no plain file"
        file.open("rb").close()
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # as in containers
        return f"user {os.geteuid()}"


def told(report: Report) -> Facts:
    """A report as a request carries it."""
    return {"sources": [one.as_dict() for one in report.sources.values()], "requests": report.requests}


def _only(sources: set[str], report: Report) -> Callable[[Event], None]:
    def note(event: Event) -> None:
        if event.source in sources:
            report.note(event)

    return note


def _moment(text: object) -> Any:
    return from_text(str(text)) if text else None
