"""What a reload takes over: which keys have changed, and which of them wait. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from crawler.sources import Source
from scheduler.config import Config
from scheduler.config_keys import SECTIONS, TakesEffect
from scheduler.settings import Alert

_Settings = TypeVar("_Settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedKey:
    """A key whose value differs between two configurations.

    `path` is "crawl.user_agent", or "sources.ID" and "alerts.ID" for a whole entry of
    those lists, whichever of its keys has changed.
    """

    path: str
    takes_effect: TakesEffect


def changed_keys(old: Config, new: Config) -> list[ChangedKey]:
    """What differs between two configurations, in the order of the declarations."""
    changed: list[ChangedKey] = []
    for section, declared in SECTIONS.items():
        before, after = settings_of(old, section), settings_of(new, section)
        for name, key in declared.keys.items():
            if getattr(before, name) != getattr(after, name):
                path = f"{section}.{name}"
                changed.append(ChangedKey(path=path, takes_effect=key.takes_effect))
    entries = _changed_entries("sources", old.sources, new.sources)
    entries += _changed_entries("alerts", old.alerts, new.alerts)
    at_once = TakesEffect.AT_ONCE
    return changed + [ChangedKey(path=path, takes_effect=at_once) for path in entries]


def in_force(old: Config, new: Config) -> Config:
    """The configuration that holds after a reload of `new` where `old` held before.

    Keys that wait for the next start keep the value of `old`.
    """
    # [topic] and [crawl] are one settings type, of which [recheck] is a part.
    recheck = _with_waiting("recheck", old.crawl.recheck, new.crawl.recheck)
    crawl = _with_waiting("crawl", old.crawl, replace(new.crawl, recheck=recheck))
    return replace(
        new,
        store=_with_waiting("store", old.store, new.store),
        crawl=_with_waiting("topic", old.crawl, crawl),
        service=_with_waiting("service", old.service, new.service),
    )


def settings_of(config: Config, section: str) -> Any:
    """The object whose fields are the keys of a section."""
    places = {
        "store": config.store,
        "crawl": config.crawl,
        "topic": config.crawl,
        "recheck": config.crawl.recheck,
        "service": config.service,
    }
    return places[section]


def _with_waiting(section: str, old: _Settings, new: _Settings) -> _Settings:
    """`new` with the values of `old` for the keys that wait for the next start."""
    kept = {
        name: getattr(old, name)
        for name, key in SECTIONS[section].keys.items()
        if key.takes_effect is TakesEffect.NEXT_START
    }
    return replace(new, **kept)  # type: ignore[type-var]


def _changed_entries(
    name: str,
    old: Sequence[Source] | Sequence[Alert],
    new: Sequence[Source] | Sequence[Alert],
) -> list[str]:
    """The paths of entries that were added, removed or changed."""
    before = {entry.id: entry for entry in old}
    after = {entry.id: entry for entry in new}
    ids = dict.fromkeys((*before, *after))
    return [f"{name}.{id_}" for id_ in ids if before.get(id_) != after.get(id_)]
