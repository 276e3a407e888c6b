"""Saved searches that send what is new: to a file, a webhook or a command.

How far each has read in the log of changes stands in the file, and moves after a
delivery, in a transaction of its own. So a restart misses nothing. In a file it repeats
nothing either, since its last lines are compared; a webhook or command that was served
in the very moment of a crash is served once more, with the same key.
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

CHECK_SECONDS = 5
MAX_CHANGES_PER_CHECK = 500  # rows of the log that one alert goes through at once
MAX_MESSAGES_PER_DELIVERY = 100  # of one alert, before the others have their turn
FIRST_PAUSE = timedelta(seconds=30)  # after a failure; doubled with each that follows
MAX_PAUSE = timedelta(hours=1)
MAX_PAUSE_DOUBLINGS = 10  # past MAX_PAUSE, and the power stays small
# Bytes at a file's end that are compared, beside the length of what is to be appended:
# a crash repeats one delivery at most, and others may have appended meanwhile.
COMPARED_BYTES = 1_000_000
KEY_IN_LINE = re.compile(rb'"key": "(khabar-[0-9a-f]{32})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """One change that a saved search found. The key is the same in every try."""

    cursor: int
    key: str
    body: bytes  # JSON, without a line break


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one alert is to send now.

    `next_cursor` is where it has read to when that is done.
    """

    alert: Alert
    cursor: AlertCursor
    messages: tuple[AlertMessage, ...]
    next_cursor: int


class Alerts:
    """Delivers what saved searches have found.

    `save` writes cursors in the store's one writing thread. `environment` has the
    secrets of webhooks.
    """

    def __init__(
        self,
        path: Path,
        alerts: Sequence[Alert],
        settings: CrawlSettings,
        *,
        save: Callable[[list[AlertCursor]], Awaitable[None]],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._path = path
        self._save = save
        self._environment = environment
        self.reconfigure(alerts, settings)

    def reconfigure(self, alerts: Sequence[Alert], settings: CrawlSettings) -> None:
        """Take over alerts and settings, at the start and with each reload."""
        self._alerts = tuple(alerts)
        self._agent = settings.agent
        self._guard = Guard(settings.allow_addresses, parse_proxy(settings.proxy))

    async def register(self) -> None:
        """Give new alerts their cursor: they send what is stored from now on."""
        await self._find()

    async def deliver(self) -> None:
        """Send what every alert has to send now. Raises StoreError."""
        due = await self._find()
        await asyncio.gather(*(self._deliver(one) for one in due))

    async def _find(self) -> list[Delivery]:
        """The deliveries with messages; the cursors of the others move on here."""
        if not self._alerts:
            return []
        # By a reader of its own, in a thread: neither the loop nor the writer waits.
        deliveries = await asyncio.to_thread(
            find_deliveries, self._path, self._alerts, utc_now()
        )
        passed = [
            advanced(one.cursor, one.next_cursor)
            for one in deliveries
            if not one.messages
        ]
        if passed:
            await self._save(passed)
        return [one for one in deliveries if one.messages]

    async def _deliver(self, delivery: Delivery) -> None:
        """Send the messages in their order, up to the first failure."""
        alert, cursor = delivery.alert, delivery.cursor
        # A file takes all in one write; a receiver confirms one at a time.
        batches: list[Sequence[AlertMessage]] = [delivery.messages]
        if alert.file is None:
            batches = [[message] for message in delivery.messages]
        for batch in batches:
            error = await self._send(alert, batch)
            now = utc_now()
            if error:
                facts = {"action": "alert", "error": error}
                log.warning("alert %s: %s", alert.id, error, extra={"facts": facts})
                await self._save([after_failure(cursor, error, now)])
                return
            cursor = after_success(cursor, batch, now)
            await self._save([cursor])
        count = len(delivery.messages)
        facts = {"action": "alert"}
        log.info("alert %s: %d sent", alert.id, count, extra={"facts": facts})
        await self._save([advanced(cursor, delivery.next_cursor)])

    async def _send(self, alert: Alert, batch: Sequence[AlertMessage]) -> str:
        """Why a batch could not be sent; empty when it was."""
        if alert.file is not None:
            return await asyncio.to_thread(append_to_file, alert.file, batch)
        if alert.webhook:
            return await self._post_webhook(alert, batch[0])
        return await run_command(alert.command, batch[0].body, within=alert.timeout)

    async def _post_webhook(self, alert: Alert, message: AlertMessage) -> str:
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
        failed = await webhook.post(
            alert.webhook, signed, guard=self._guard, within=alert.timeout
        )
        if failed is None:
            return ""
        if isinstance(failed, Refusal):
            return f"refused: {failed.detail}"
        return failed.detail


# What is due


def find_deliveries(
    path: Path, alerts: Sequence[Alert], now: datetime
) -> list[Delivery]:
    """What each alert has to send that may try now and has not read the whole log.

    A new alert begins at the end of the log. Raises StoreError.
    """
    deliveries = []
    with Store.read(path) as store:
        cursors = store.alert_cursors.load()
        last = store.changes.last_cursor()
        for alert in alerts:
            cursor = cursors.get(alert.id)
            if cursor is None:
                begins = AlertCursor(id=alert.id, cursor=last)
                deliveries.append(
                    Delivery(alert=alert, cursor=begins, messages=(), next_cursor=last)
                )
                continue
            must_wait = cursor.next_try_at is not None and cursor.next_try_at > now
            if cursor.cursor < last and not must_wait:
                deliveries.append(_build_delivery(store, alert, cursor))
    return deliveries


def _build_delivery(store: Store, alert: Alert, cursor: AlertCursor) -> Delivery:
    entries = store.changes.entries(cursor.cursor, MAX_CHANGES_PER_CHECK)
    wanted = [entry for entry in entries if entry.what in alert.changes]
    matching = store.search.matching(
        alert.criteria, [entry.article_id for entry in wanted]
    )
    found = [entry for entry in wanted if entry.article_id in matching]
    messages = []
    for entry in found[:MAX_MESSAGES_PER_DELIVERY]:
        key = delivery_key(alert, entry)
        fields = {
            "key": key,
            "alert": alert.id,
            "cursor": entry.cursor,
            "at": entry.at,
            "what": entry.what,
            "detail": entry.detail,
            "article": store.articles.record(entry.article_id),
        }
        body = json.dumps(fields, ensure_ascii=True).encode("ascii")
        messages.append(AlertMessage(cursor=entry.cursor, key=key, body=body))
    next_cursor = entries[-1].cursor
    if len(found) > MAX_MESSAGES_PER_DELIVERY:
        next_cursor = messages[-1].cursor
    return Delivery(
        alert=alert,
        cursor=cursor,
        messages=tuple(messages),
        next_cursor=next_cursor,
    )


def delivery_key(alert: Alert, entry: changes.ChangeEntry) -> str:
    """What makes two deliveries the same."""
    text = f"{alert.id} {entry.cursor} {entry.at} {entry.article_id}"
    return "khabar-" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


# What becomes of a cursor; pure


def advanced(cursor: AlertCursor, to: int) -> AlertCursor:
    """The cursor of an alert that has nothing to send up to there."""
    return replace(cursor, cursor=to, failures=0, next_try_at=None, last_error=None)


def after_success(
    cursor: AlertCursor, batch: Sequence[AlertMessage], now: datetime
) -> AlertCursor:
    """The cursor of an alert that has sent a batch."""
    return AlertCursor(
        id=cursor.id,
        cursor=batch[-1].cursor,
        delivered=cursor.delivered + len(batch),
        last_delivered_at=now,
    )


def after_failure(cursor: AlertCursor, error: str, now: datetime) -> AlertCursor:
    """The cursor of an alert that could not send.

    The same change is tried again, after 30 s, 1 min, 2 min, up to an hour.
    """
    failures = cursor.failures + 1
    doublings = min(failures - 1, MAX_PAUSE_DOUBLINGS)
    pause = min(FIRST_PAUSE * 2**doublings, MAX_PAUSE)
    return replace(cursor, failures=failures, next_try_at=now + pause, last_error=error)


# How it is sent


def append_to_file(file: Path, batch: Sequence[AlertMessage]) -> str:
    """Add lines to a file; they are on the disk when this returns.

    Lines that are at its end already are not added again, and half a line that a crash
    left is taken off first. Returns why it failed, or nothing.
    """
    compared = COMPARED_BYTES + sum(len(message.body) for message in batch)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "r+b") as out:
            present = _read_last_keys(out, compared)
            for message in batch:
                if message.key.encode() not in present:
                    out.write(message.body + b"\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        return f"{file}: {error.strerror}"
    return ""


def _read_last_keys(out: BinaryIO, length: int) -> frozenset[bytes]:
    """The keys in the last bytes of a file.

    The file is left at its end, behind its last whole line.
    """
    start = max(out.seek(0, os.SEEK_END) - length, 0)
    out.seek(start)
    tail = out.read()
    last = tail[tail.rfind(b"\n") + 1 :]
    if last and _is_whole_line(last):
        # Whole, and only its end was taken off, as editors do.
        out.seek(0, os.SEEK_END)
        out.write(b"\n")
    elif last:
        tail = tail[: len(tail) - len(last)]
        out.truncate(start + len(tail))
    out.seek(0, os.SEEK_END)
    return frozenset(KEY_IN_LINE.findall(tail))


def _is_whole_line(line: bytes) -> bool:
    """Whether it is a whole JSON object, as every line of ours."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


async def run_command(command: Sequence[str], body: bytes, *, within: float) -> str:
    """Run a program with JSON on its standard input, for `within` seconds at most.

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
            # The whole session: a script may have started programs of its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        return f"{command[0]} ended with {process.returncode}"
    return ""
