"""Saved searches that tell of what is new: into a file, to a webhook, to a command.

How far each has come in the log of changes stands in the file, and moves after a
delivery, in a transaction of its own. So a restart misses nothing. It repeats nothing
either in a file, whose last lines are compared; a webhook or command that was served in
the very moment of a crash is served once more, with the same key.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import re
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from crawler.fetching import webhook
from crawler.fetching.guard import Guard, parse_proxy
from crawler.sources import CrawlSettings
from scheduler.settings import Alert
from storage.model import AlertCursor, Refusal, utc_now
from storage.query import changes
from storage.store import Store

log = logging.getLogger("khabar")

CHECK_SECONDS = 5  # seconds
MAX_CHANGES_PER_CHECK = 500  # changes; rows of the log that one look goes through
MAX_MESSAGES_PER_DELIVERY = 100  # messages of one alert before the others have theirs
FIRST_PAUSE = timedelta(seconds=30)  # after a failure; doubled with each that follows
MAX_PAUSE = timedelta(hours=1)
# Bytes at a file's end that are compared, beside the length of what is to be appended
_TAIL_BYTES = 1_000_000
_KEY_PATTERN = re.compile(rb'"key": "(khabar-[0-9a-f]{32})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """One change that a saved search found. The key is the same in every try."""

    cursor: int
    key: str
    body: bytes  # JSON, without a line break


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is to be told for one alert now.

    `upto` is the cursor that it has come to after that.
    """

    alert: Alert
    standing: AlertCursor
    messages: tuple[AlertMessage, ...]
    next_cursor: int


class Alerts:
    """Delivers what is due.

    `keep` writes standings in the store's one writing thread.
    """

    def __init__(
        self,
        path: Path,
        alerts: Sequence[Alert],
        settings: CrawlSettings,
        *,
        keep: Callable[[list[AlertCursor]], Awaitable[None]],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.path = path
        self.alerts = tuple(alerts)
        self._agent = settings.agent
        self._guard = Guard(settings.allow_addresses, parse_proxy(settings.proxy))
        self._keep = keep
        self._environment = environment

    async def begin(self) -> None:
        """Give new alerts their place: they tell of what lands from now on."""
        await self._look()

    async def deliver(self) -> None:
        """One look, and one turn of each alert that has something to tell."""
        await asyncio.gather(*(self._take(turn) for turn in await self._look()))

    async def _look(self) -> list[Delivery]:
        """The turns with something in them; the others are done with."""
        if not self.alerts:
            return []
        turns = await asyncio.to_thread(
            find_deliveries, self.path, self.alerts, utc_now()
        )
        passed = [
            advanced(turn.standing, turn.next_cursor)
            for turn in turns
            if not turn.messages
        ]
        if passed:
            await self._keep(passed)
        return [turn for turn in turns if turn.messages]

    async def _take(self, turn: Delivery) -> None:
        """Tell everything of a turn in its order, or as far as it goes."""
        standing = turn.standing
        batches = (
            [turn.messages]
            if turn.alert.file
            else [(message,) for message in turn.messages]
        )
        for batch in batches:
            error = await self._tell(turn.alert, batch)
            now = utc_now()
            if error:
                log.warning(
                    "alert %s: %s",
                    turn.alert.id,
                    error,
                    extra={"facts": {"action": "alert", "error": error}},
                )
                await self._keep([after_failure(standing, error, now)])
                return
            standing = after_success(standing, batch, now)
            await self._keep([standing])
        log.info(
            "alert %s: %d told",
            turn.alert.id,
            len(turn.messages),
            extra={"facts": {"action": "alert"}},
        )
        await self._keep([advanced(standing, turn.next_cursor)])

    async def _tell(self, alert: Alert, batch: Sequence[AlertMessage]) -> str:
        """Why it could not be told; empty when it was."""
        if alert.file is not None:
            return await asyncio.to_thread(append_to_file, alert.file, batch)
        if alert.webhook:
            return await self._post(alert, batch[0])
        return await run_command(alert.command, batch[0].body, within=alert.timeout)

    async def _post(self, alert: Alert, message: AlertMessage) -> str:
        given = self._environment.get(alert.secret_env, "")
        if not given:
            return f"the environment variable {alert.secret_env} has no secret in it"
        try:
            secret = webhook.parse_secret(given)
        except ValueError as error:
            return f"{alert.secret_env}: {error}"
        signed = webhook.WebhookMessage(
            id=message.key,
            body=message.body,
            at=utc_now(),
            secret=secret,
            agent=self._agent,
        )
        refused = await webhook.post(
            alert.webhook, signed, guard=self._guard, within=alert.timeout
        )
        if refused is None:
            return ""
        return (
            f"refused: {refused.detail}"
            if isinstance(refused, Refusal)
            else refused.detail
        )


# What is due


def find_deliveries(
    path: Path, alerts: Sequence[Alert], now: datetime
) -> list[Delivery]:
    """A turn for each alert that may be told now and has not seen the whole log.

    A new alert begins at its end.
    """
    with Store.read(path) as store:
        known, last = store.alert_cursors.load(), store.changes.last_cursor()
        turns = []
        for alert in alerts:
            standing = known.get(alert.id)
            if standing is None:
                turns.append(
                    Delivery(
                        alert=alert,
                        standing=AlertCursor(id=alert.id, cursor=last),
                        messages=(),
                        next_cursor=last,
                    )
                )
            elif standing.cursor < last and (
                standing.next_try_at is None or standing.next_try_at <= now
            ):
                turns.append(_delivery(store, alert, standing))
        return turns


def _delivery(store: Store, alert: Alert, standing: AlertCursor) -> Delivery:
    entries = store.changes.entries(standing.cursor, MAX_CHANGES_PER_CHECK)
    wanted = [entry for entry in entries if entry.what in alert.changes]
    found = store.search.matching(
        alert.criteria, [entry.article_id for entry in wanted]
    )
    chosen = [entry for entry in wanted if entry.article_id in found]
    messages = tuple(
        _message(store, alert, entry) for entry in chosen[:MAX_MESSAGES_PER_DELIVERY]
    )
    upto = (
        messages[-1].cursor
        if len(chosen) > MAX_MESSAGES_PER_DELIVERY
        else entries[-1].cursor
    )
    return Delivery(alert=alert, standing=standing, messages=messages, next_cursor=upto)


def _message(store: Store, alert: Alert, entry: changes.ChangeEntry) -> AlertMessage:
    told = {
        "key": delivery_key(alert, entry), "alert": alert.id, "cursor": entry.cursor, "at": entry.at, "what": entry.what,
        "detail": entry.detail, "article": store.articles.record(entry.article_id),
    }  # fmt: skip
    return AlertMessage(
        cursor=entry.cursor,
        key=str(told["key"]),
        body=json.dumps(told, ensure_ascii=True).encode("ascii"),
    )


def delivery_key(alert: Alert, entry: changes.ChangeEntry) -> str:
    """What makes two deliveries the same."""
    told = f"{alert.id} {entry.cursor} {entry.at} {entry.article_id}"
    return "khabar-" + hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


# What becomes of a standing; pure


def advanced(standing: AlertCursor, cursor: int) -> AlertCursor:
    """Up to this cursor there is nothing more to tell."""
    return replace(
        standing, cursor=cursor, failures=0, next_try_at=None, last_error=None
    )


def after_success(
    standing: AlertCursor, batch: Sequence[AlertMessage], now: datetime
) -> AlertCursor:
    """After a success."""
    return AlertCursor(
        id=standing.id,
        cursor=batch[-1].cursor,
        delivered=standing.delivered + len(batch),
        last_delivered_at=now,
    )


def after_failure(standing: AlertCursor, error: str, now: datetime) -> AlertCursor:
    """After a failure.

    The same change is tried again, after 30 s, 1 min, 2 min, up to an hour.
    """
    failures = standing.failures + 1
    pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), MAX_PAUSE)
    return replace(
        standing, failures=failures, next_try_at=now + pause, last_error=error
    )


# How it is told


def append_to_file(file: Path, batch: Sequence[AlertMessage]) -> str:
    """Add lines to a file, on the disk when this returns.

    Lines that are at its end already are not added again.

    A line that a crash tore is taken off first. Returns why it failed, or nothing.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(
            os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b"
        ) as out:
            there = _keys_at_end(
                out, _TAIL_BYTES + sum(len(message.body) for message in batch)
            )
            out.writelines(
                message.body + b"\n"
                for message in batch
                if message.key.encode() not in there
            )
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        return f"{file}: {error.strerror}"
    return ""


def _keys_at_end(out: BinaryIO, length: int) -> frozenset[bytes]:
    """The keys in the last bytes of a file, which is left at its end, after its last whole line."""
    start = max(out.seek(0, os.SEEK_END) - length, 0)
    out.seek(start)
    tail = out.read()
    if tail and not tail.endswith(b"\n"):
        tail = tail[: tail.rfind(b"\n") + 1]
        out.truncate(start + len(tail))
    out.seek(0, os.SEEK_END)
    return frozenset(_KEY_PATTERN.findall(tail))


async def run_command(command: Sequence[str], body: bytes, *, within: float) -> str:
    """Run a program with JSON on its standard input.

    Returns why it failed, or nothing when it ended with 0.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    try:
        async with asyncio.timeout(within):
            await process.communicate(body + b"\n")
    except TimeoutError:
        return f"{command[0]} took longer than {within:g} s"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return (
        ""
        if process.returncode == 0
        else f"{command[0]} ended with {process.returncode}"
    )
