"""A reload takes over every key of the configuration, or says that the key waits."""

import asyncio
import copy
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path, PurePath
from typing import Any

import pytest
from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings

from crawler.fetching import loop
from scheduler.config import Config, parse_config
from scheduler.config_keys import (
    ALERT_DELIVERY_KEYS,
    ALERT_KEYS,
    SECTIONS,
    SOURCE_ADDRESS_KEYS,
    SOURCE_KEYS,
    TakesEffect,
)
from scheduler.config_reload import changed_keys, in_force
from scheduler.service.daemon import Service
from storage.store import Store

PATHS = (
    *(f"{name}.{key}" for name, section in SECTIONS.items() for key in section.keys),
    *(f"sources.{key}" for key in SOURCE_KEYS),
    *(f"alerts.{key}" for key in ALERT_KEYS),
)
# What the running service was started with. Its only source is refused by the guard,
# so that nothing but the reload changes what the service holds.
OLD: Mapping[str, Any] = {
    "crawl": {"workers": 1},
    "sources": [{"id": "one", "feed": "http://127.0.0.1:9/", "enabled": False}],
    "alerts": [{"id": "one", "file": "one.jsonl"}],
}
# For every key a value that is neither the default nor the one above.
OTHER_VALUES: Mapping[str, Any] = {
    "store.path": "other.db",
    "store.captures": "other",
    "store.keep_captures": "7d",
    "store.keep_rejected": "3d",
    "store.max_size": "1GB",
    "crawl.user_agent": "other/1.0",
    "crawl.contact": "https://owner.example/",
    "crawl.concurrency": 7,
    "crawl.delay": "9s",
    "crawl.timeout": "7s",
    "crawl.obey_robots": False,
    "crawl.max_age": "2d",
    "crawl.proxy": "http://127.0.0.1:8899",
    "crawl.verify_tls": False,
    "crawl.allow_addresses": ["10.0.0.0/8"],
    "crawl.workers": 2,
    "crawl.browser": "/usr/bin/other-browser",
    "crawl.wayback": "https://archive.example",
    "crawl.max_feed_size": "1MB",
    "crawl.max_page_size": "2MB",
    "crawl.max_redirects": 3,
    "crawl.max_entries": 50,
    "topic.min_relevance": 0.9,
    "topic.extra_terms": [["poppy clash", "event", 0.8]],
    "recheck.enabled": False,
    "recheck.budget": 3,
    "recheck.after": ["2h"],
    "service.metrics": "127.0.0.1:19477",
    "service.backup": "backup/copy.db",
    "service.backup_every": "2h",
    "service.backup_keep": 5,
    "sources.id": "two",
    "sources.feed": "http://127.0.0.1:9/other",
    "sources.sitemap": "http://127.0.0.1:9/sitemap.xml",
    "sources.section": "http://127.0.0.1:9/news",
    "sources.telegram": "outlet_channel",
    "sources.name": "The One",
    "sources.every": "3h",
    "sources.owner": "Somebody",
    "sources.language": "fa",
    "sources.zone": "Asia/Kabul",
    "sources.min_relevance": 0.3,
    "sources.max_age": "3d",
    "sources.enabled": True,
    "sources.obey_robots": False,
    "sources.verify_tls": False,
    "sources.javascript": True,
    "sources.archive": "http://127.0.0.1:9/{year}/{month:02}/",
    "sources.depth": 2,
    "sources.budget": 9,
    "sources.link_pattern": "/news/",
    "sources.body_selector": "div.story",
    "sources.date_format": "%d/%m/%Y",
    "sources.headers": {"X-Reader": "khabar"},
    "alerts.id": "two",
    "alerts.words": "bridge",
    "alerts.source": "one",
    "alerts.lang": "fa",
    "alerts.place": "Kunduz",
    "alerts.actor": "Taliban",
    "alerts.event": "battles",
    "alerts.min_relevance": 0.7,
    "alerts.changes": ["revised"],
    "alerts.file": "two.jsonl",
    "alerts.webhook": "https://receiver.example/",
    "alerts.secret_env": "KHABAR_SECRET",
    "alerts.command": ["true"],
    "alerts.timeout": "3s",
}


def changed(path: str, folder: Path) -> Config:
    """The old configuration with another value for one key."""
    tree: dict[str, Any] = copy.deepcopy(dict(OLD))
    table, _, key = path.partition(".")
    if table in SECTIONS:
        tree.setdefault(table, {})[key] = OTHER_VALUES[path]
        return parsed(tree, folder)
    entry = tree[table][0]
    if table == "sources" and key in SOURCE_ADDRESS_KEYS:
        del entry["feed"]
    if table == "sources" and key in {"depth", "budget"}:  # they go with a section
        entry["section"] = entry.pop("feed")
    if table == "alerts" and key in ALERT_DELIVERY_KEYS:
        del entry["file"]
    if path == "alerts.webhook":
        entry["secret_env"] = "KHABAR_OTHER_SECRET"
    if path == "alerts.secret_env":
        del entry["file"]
        entry["webhook"] = "https://receiver.example/"
    entry[key] = OTHER_VALUES[path]
    return parsed(tree, folder)


def parsed(tree: Mapping[str, Any], folder: Path) -> Config:
    config, faults = parse_config(tree, base=folder)
    assert faults == []
    return config


def test_every_key_has_another_value_here() -> None:
    """A new key cannot be forgotten: its declaration asks for a line in this test."""
    assert set(OTHER_VALUES) == set(PATHS)


# What a reload takes over, as decided


@pytest.mark.parametrize("path", PATHS)
def test_a_changed_key_is_named_and_in_force_unless_it_waits(
    path: str, tmp_path: Path
) -> None:
    """Of two configurations that differ in one key, that key is told."""
    old, new = parsed(OLD, tmp_path), changed(path, tmp_path)
    found = changed_keys(old, new)
    waiting = [one for one in found if one.takes_effect is TakesEffect.NEXT_START]
    assert found
    for one in found:
        assert one.path == path or one.path.startswith(f"{path.partition('.')[0]}.")
    assert (in_force(old, new) == old) == bool(waiting)
    assert (in_force(old, new) == new) == (not waiting)


def test_nothing_is_named_where_nothing_changed(tmp_path: Path) -> None:
    """A reload of the same file is no change."""
    config = parsed(OLD, tmp_path)
    assert changed_keys(config, parsed(OLD, tmp_path)) == []
    assert in_force(config, config) == config


def test_what_waits_keeps_its_value_beside_what_does_not(tmp_path: Path) -> None:
    """Of a section that changed in both kinds of key, each is treated as its own."""
    old = parsed(OLD, tmp_path)
    tree = {**OLD, "crawl": {"workers": 3, "user_agent": "other/1.0"}}
    held = in_force(old, parsed(tree, tmp_path))
    assert (held.crawl.workers, held.crawl.user_agent) == (1, "other/1.0")


# What a reload takes over, in a running service

PLAIN = (str, bytes, int, float, bool, type(None), timedelta, datetime, PurePath)
NETWORKS = (IPv4Network, IPv6Network)


def holdings(service: Service) -> dict[str, object]:
    """Every plain value that the service and its parts hold, by where it is held."""
    found: dict[str, object] = {}
    seen: set[int] = set()

    def walk(value: object, place: str) -> None:
        if isinstance(value, PLAIN + NETWORKS):
            found[place] = value
        elif isinstance(value, asyncio.Semaphore):
            found[place] = value._value
        elif isinstance(value, Crawler):
            walk(value.settings, f"{place}.settings")
        elif isinstance(value, Mapping) and not isinstance(value, BaseSettings):
            for key, inner in value.items():
                walk(inner, f"{place}[{key!r}]")
        elif isinstance(value, list | tuple | set | frozenset):
            for number, inner in enumerate(value):
                walk(inner, f"{place}[{number}]")
        elif is_dataclass(value) and value.__dataclass_params__.frozen:
            # A settings object is followed wherever it is held: one that was left
            # behind in one place only would hide behind the others.
            for field in fields(value):
                walk(getattr(value, field.name), f"{place}.{field.name}")
        elif isinstance(value, BaseSettings):
            walk(value.copy_to_dict(), place)
        elif is_ours(value) and id(value) not in seen:
            seen.add(id(value))
            for name, inner in attributes(value):
                walk(inner, f"{place}.{name}")

    walk(service, "service")
    return found


def is_ours(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in {"crawler", "scheduler"}


def attributes(value: object) -> Iterator[tuple[str, object]]:
    yield from getattr(value, "__dict__", {}).items()
    for kind in type(value).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(value, name):
                yield name, getattr(value, name)


class Waiting(logging.Handler):
    """Collects the keys that the log names as waiting."""

    SENTENCE = "these keys wait for the next start: "

    def __init__(self) -> None:
        super().__init__()
        self.keys: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        _, found, keys = record.getMessage().partition(self.SENTENCE)
        if found:
            self.keys = set(keys.split(", "))


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What one key came to, by the places whose values a start with it changes."""

    wanted: dict[str, object]  # after a start with the new value
    before: dict[str, object]  # after a start with the old one
    held: dict[str, object]  # after a reload
    waiting: set[str]


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observed]:
    """One running service, reloaded with each key changed and back again."""
    folder = tmp_path_factory.mktemp("reload")
    old = parsed(OLD, folder)
    current = old
    result: dict[str, Observed] = {}

    def made(config: Config, store: Store) -> dict[str, object]:
        """What a service holds that was started with this configuration."""
        return holdings(Service(store, config, read_config=lambda: config))

    async def live(store: Store) -> None:
        nonlocal current
        service = Service(store, old, read_config=lambda: current)
        running = asyncio.ensure_future(service.run())
        async with asyncio.timeout(60):
            while not service.engine.listeners:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
        waiting = Waiting()
        logging.getLogger("khabar").addHandler(waiting)
        before, again = made(old, store), made(old, store)
        for path in PATHS:
            waiting.keys = set()
            current = changed(path, folder)
            await service.reload()
            held, started = holdings(service), made(current, store)
            places = {
                place
                for place in {*before, *started}
                if before.get(place) != started.get(place)
                and before.get(place) == again.get(place)  # a moment, not a setting
            }
            result[path] = Observed(
                wanted={place: started.get(place) for place in places},
                before={place: before.get(place) for place in places},
                held={place: held.get(place) for place in places},
                waiting=waiting.keys,
            )
            current = old
            await service.reload()
        logging.getLogger("khabar").removeHandler(waiting)
        service.stop()
        await running

    with Store.open(old.store.path, captures=old.store.captures) as store:
        loop.run(live(store))
    return result


@pytest.mark.parametrize("path", PATHS)
def test_each_key_is_in_force_after_a_reload_or_named_as_waiting(
    path: str, observed: dict[str, Observed]
) -> None:
    """Wherever a start with the new value would put it, there it is; or it waits."""
    one = observed[path]
    assert one.wanted, "nothing in the service depends on this key"
    if one.waiting:
        assert one.waiting == {path}
        assert one.held == one.before
    else:
        assert one.held == one.wanted
