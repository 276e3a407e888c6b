"""Work that other processes hand to the service, as rows in the file."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from crawler.engine import Engine, Window, run_pass
from crawler.files import reprocessing
from crawler.report import Event, Report
from storage.errors import KhabarError, UsageError
from storage.finding import criteria
from storage.model import Request, from_text, utc_now
from storage.tables import corrections

log = logging.getLogger("khabar")

PROGRESS_EVERY = 1.0  # seconds


class Desk:
    """Takes up requests one after another and writes back how they go."""

    def __init__(self, engine: Engine, visit_of: Callable[[str], "asyncio.Task[None] | None"]) -> None:
        self.engine = engine
        self.tasks: set[asyncio.Task[None]] = set()
        self._visit_of = visit_of

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
            result = {"error": str(error)}
        except asyncio.CancelledError:
            result = {"error": "the service was stopped; what was found is pending and goes on with the next start"}
        except Exception as error:  # the boundary of one request: the service goes on, the asker is told
            log.exception("request %d failed", request.id)
            result = {"error": f"{type(error).__name__}: {error}"}
        await self.engine.writer.run(self.engine.store.finish_request, request.id, result, now=utc_now(), failed=failed)

    async def _do(self, request: Request) -> dict[str, Any]:
        log.info("request %d: %s", request.id, request.kind, extra={"facts": {"action": "request"}})
        if request.kind == "crawl":
            return told(await self._crawl(request))
        if request.kind == "forget":
            return await self._forget(request.arguments)
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
        progress = asyncio.ensure_future(self._write_progress(request.id, report := Report()))
        self.engine.listeners.append(note := _only(set(known), report))
        try:
            await asyncio.gather(*(task for one in known if (task := self._visit_of(one))), return_exceptions=True)
            done = await run_pass(self.engine, known, force=bool(asked.get("force")), everything=False)
        finally:
            progress.cancel()
            self.engine.listeners.remove(note)
            for one in known:
                self.engine.windows.pop(one, None)
        return done

    async def _reprocess(self, request: Request) -> dict[str, Any]:
        """Read kept pages anew with the service's own workers, beside what it does anyway."""
        asked: dict[str, list[str]] = {}
        pairs = request.arguments.get("criteria")
        for name, value in pairs if isinstance(pairs, list) else ():
            asked.setdefault(str(name), []).append(str(value))
        desk = reprocessing.Desk(
            writer=self.engine.writer, pool=self.engine.pool, settings=self.engine.settings,
            sources=self.engine.sources,
        )  # fmt: skip
        criteria_ = criteria.read(asked, now=utc_now())
        tally = await reprocessing.reprocess(desk, criteria_, dry_run=False, tell=lambda _: None)
        return dict(reprocessing.told(tally))

    async def _write_progress(self, request_id: int, report: Report) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY)
            await self.engine.writer.run(self.engine.store.note_progress, request_id, told(report))

    async def _forget(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        store, run = self.engine.store, self.engine.writer.run
        if asked.get("source"):
            return {"documents": await run(store.forget_source, str(asked["source"]))}
        return {"documents": await run(store.forget, asked["what"])}


def told(report: Report) -> dict[str, Any]:
    """A report as a request carries it."""
    return {"sources": [asdict(one) for one in report.sources.values()], "requests": report.requests}


def _only(sources: set[str], report: Report) -> Callable[[Event], None]:
    def note(event: Event) -> None:
        if event.source in sources:
            report.note(event)

    return note


def _moment(text: object) -> Any:
    return from_text(str(text)) if text else None
