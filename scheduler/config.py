"""`config.toml` -> a frozen `Config`, in which each room finds the settings type that it declared.

Unknown keys, wrong types and impossible values are all found in one reading, each with its path:
`sources[3].every: "10x" is not a duration such as "15m"`. Nothing reads a global, nothing is changed after.
"""

import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from crawler.sources import CrawlSettings, RecheckSettings, Source
from scheduler import config_values
from scheduler.settings import Alert, ServiceSettings
from storage.errors import ConfigError
from storage.query.criteria import Criteria
from storage.settings import StoreSettings

_ADDRESSES: dict[str, config_values.Parser] = {
    "feed": config_values.parse_web_address,
    "sitemap": config_values.parse_web_address,
    "section": config_values.parse_web_address,
    "telegram": config_values.parse_telegram_channel,
}
_SOURCE: dict[str, config_values.Parser] = _ADDRESSES | {
    "id": config_values.parse_id,
    "name": config_values.parse_text,
    "every": config_values.at_least_parser("1s", config_values.parse_duration),
    "owner": config_values.parse_text,
    "language": config_values.parse_language,
    "zone": config_values.parse_zone,
    "min_relevance": config_values.parse_share,
    "max_age": config_values.parse_duration,
    "enabled": config_values.parse_flag,
    "obey_robots": config_values.parse_flag,
    "verify_tls": config_values.parse_flag,
    "javascript": config_values.parse_flag,
    "archive": config_values.parse_archive_pattern,
    "depth": config_values.whole_number_parser(0, 10),
    "budget": config_values.whole_number_parser(1, 500),
    "link_pattern": config_values.parse_regex,
    "body_selector": config_values.parse_css_selector,
    "date_format": config_values.parse_date_format,
    "headers": config_values.parse_headers,
}
_CHANGES = ("new", "revised", "withdrawn", "promoted", "split", "reclassified")
_WAYS = ("file", "webhook", "command")
_ALERT: dict[str, config_values.Parser] = {
    "id": config_values.parse_id,
    "words": config_values.parse_text,
    "source": config_values.parse_texts,
    "lang": config_values.parse_texts,
    "place": config_values.parse_texts,
    "actor": config_values.parse_texts,
    "event": config_values.parse_texts,
    "min_relevance": config_values.parse_share,
    "changes": config_values.choices_parser(*_CHANGES),
    "file": config_values.parse_nonempty_text,
    "webhook": config_values.parse_web_address,
    "secret_env": config_values.parse_variable_name,
    "command": config_values.parse_texts,
    "timeout": config_values.at_least_parser("1s", config_values.parse_seconds),
}
_SECTIONS: dict[str, dict[str, config_values.Parser]] = {
    "store": {
        "path": config_values.parse_text,
        "captures": config_values.parse_text,
        "keep_captures": config_values.parse_duration,
        "keep_rejected": config_values.parse_duration,
        "max_size": config_values.parse_size,
    },
    "crawl": {
        "user_agent": config_values.parse_text,
        "contact": config_values.parse_text,
        "concurrency": config_values.whole_number_parser(1, 1_000),
        "delay": config_values.parse_seconds,
        "timeout": config_values.at_least_parser("1s", config_values.parse_seconds),
        "obey_robots": config_values.parse_flag,
        "max_age": config_values.parse_duration,
        "proxy": config_values.parse_proxy,
        "verify_tls": config_values.parse_flag,
        "allow_addresses": config_values.parse_networks,
        "workers": config_values.whole_number_parser(0, 256),
        "browser": config_values.parse_text,
        "wayback": config_values.parse_optional_address,
    },
    "topic": {
        "min_relevance": config_values.parse_share,
        "extra_terms": config_values.parse_terms,
    },
    "recheck": {
        "enabled": config_values.parse_flag,
        "budget": config_values.whole_number_parser(1, 100_000),
        "after": config_values.parse_durations,
    },
    "service": {
        "metrics": config_values.parse_listen_address,
        "backup": config_values.parse_text,
        "backup_every": config_values.at_least_parser(
            "1m", config_values.parse_duration
        ),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that the configuration says, each room's part in its own type."""

    store: StoreSettings = field(default_factory=StoreSettings)
    crawl: CrawlSettings = field(default_factory=CrawlSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    sources: tuple[Source, ...] = ()
    alerts: tuple[Alert, ...] = ()
    path: Path | None = None  # the file that it was read from

    @property
    def enabled(self) -> tuple[Source, ...]:
        """The sources that are visited when none is named."""
        return tuple(source for source in self.sources if source.enabled)

    def select_sources(self, ids: tuple[str, ...]) -> tuple[Source, ...]:
        """The sources of these ids, switched on or not; all enabled ones for none.

        Raises ConfigError.
        """
        known = {source.id: source for source in self.sources}
        missing = [name for name in ids if name not in known]
        if missing:
            raise ConfigError(
                f"no source is called {missing[0]!r}; `khabar sources list` names them all"
            )
        return (
            tuple(known[name] for name in dict.fromkeys(ids)) if ids else self.enabled
        )

    def with_database(self, path: Path | None) -> "Config":
        """The same with another database, whose raw pages then rest beside it and not with the configured one's."""
        if path is None or path.resolve() == self.store.path.resolve():
            return self
        captures = (
            None
            if self.store.captures is None
            else path.with_name(path.name + ".captures")
        )
        return replace(self, store=replace(self.store, path=path, captures=captures))


def load_config(path: Path | None = None) -> Config:
    """Read the configuration of `path`, or the one that `find` finds.

    Raises ConfigError with every fault.
    """
    file = path or find_config_file()
    config, found = parse_config(
        _read_toml(file), base=_base_folder(file, named=path is not None)
    )
    if found:
        raise ConfigError(
            "\n".join(f"{file}: {fault}" for fault in found), faults=tuple(found)
        )
    return replace(config, path=file)


def list_faults(path: Path | None = None) -> tuple[str, ...]:
    """Every fault of the configuration, each with its path; empty for a good one.

    Raises ConfigError for no TOML.
    """
    file = path or find_config_file()
    return tuple(parse_config(_read_toml(file))[1])


def find_config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that counts.

    ./config.toml, $KHABAR_CONFIG, the user's, the system's, the one shipped inside.
    """
    named = environment.get("KHABAR_CONFIG")
    here = Path("config.toml")
    if not here.is_file() and named:
        return Path(named)
    system = Path("/etc/khabar/config.toml")
    candidates = (here, _user_folder("config", environment) / "config.toml", system)
    return next((file for file in candidates if file.is_file()), shipped_config_file())


def shipped_config_file() -> Path:
    """The configuration that comes with khabar.

    Inside the installed package, at the top of a checkout.
    """
    inside = Path(__file__).with_name("config.toml")
    return inside if inside.is_file() else Path(__file__).parent.parent / "config.toml"


def parse_config(
    tree: Mapping[str, Any], *, base: Path = Path()
) -> tuple[Config, list[str]]:
    """The configuration of a parsed TOML tree, and its faults.

    Pure; relative paths are taken from `base`.
    """
    found: list[str] = []
    sections = {name: _parse_section(name, tree, found) for name in _SECTIONS}
    found += [
        f"{key}: is not a known section"
        for key in tree
        if key not in (*_SECTIONS, "sources", "alerts")
    ]
    sources = tuple(_parse_entries("sources", tree, _parse_source, found))
    alerts = tuple(_parse_entries("alerts", tree, partial(_parse_alert, base), found))
    crawl = CrawlSettings(
        **sections["crawl"],
        **sections["topic"],
        recheck=RecheckSettings(**sections["recheck"]),
    )
    store, service = (
        _store_settings(sections["store"], base),
        _service_settings(sections["service"], base),
    )
    return Config(
        store=store, crawl=crawl, service=service, sources=sources, alerts=alerts
    ), found


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration {file}; leave out --config to use the shipped one"
        ) from None
    except OSError as fault:
        raise ConfigError(
            f"cannot read the configuration {file}: {fault.strerror}"
        ) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise ConfigError(f"{file} is not a TOML file: {fault}") from fault


def _base_folder(file: Path, *, named: bool) -> Path:
    """Paths in a file are relative to it.

    But who falls back on the shipped one wants no data beside the program.
    """
    return (
        file.parent
        if named or file != shipped_config_file()
        else _user_folder("data", os.environ)
    )


def _user_folder(kind: str, environment: Mapping[str, str]) -> Path:
    """The user's folder of that kind (config, data), where the system keeps such things."""
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "khabar"
    if sys.platform == "win32":
        return (
            Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
            / "khabar"
        )
    default = {"config": home / ".config", "data": home / ".local" / "share"}[kind]
    return Path(environment.get(f"XDG_{kind.upper()}_HOME") or default) / "khabar"


def _parse_section(
    name: str, tree: Mapping[str, Any], found: list[str]
) -> dict[str, Any]:
    table = tree.get(name, {})
    if not isinstance(table, dict):
        found.append(
            f"{name}: {config_values.quote_value(table)} is not a section [{name}]"
        )
        return {}
    return _parse_table(name, table, _SECTIONS[name], found)


def _parse_table(
    path: str,
    table: Mapping[str, Any],
    keys: Mapping[str, config_values.Parser],
    found: list[str],
) -> dict[str, Any]:
    """The values of a table that can be read; what cannot goes to `found`."""
    good: dict[str, Any] = {}
    for key, value in table.items():
        if key not in keys:
            found.append(f"{path}.{key}: is not a known key{_suggest_key(key, keys)}")
            continue
        try:
            good[key] = keys[key](value)
        except config_values.InvalidValue as fault:
            found.append(f"{path}.{key}: {config_values.quote_value(value)} {fault}")
    return good


def _suggest_key(key: str, keys: Mapping[str, config_values.Parser]) -> str:
    from difflib import get_close_matches  # only a faulty file pays for it

    near = get_close_matches(key, keys, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


_Entry = TypeVar("_Entry", Source, Alert)


def _parse_entries(
    name: str,
    tree: Mapping[str, Any],
    read: Callable[[str, Any, list[str]], _Entry | None],
    found: list[str],
) -> Iterator[_Entry]:
    """The tables of a list that can be read; an id stands once."""
    entries = tree.get(name, [])
    if not isinstance(entries, list):
        found.append(
            f"{name}: {config_values.quote_value(entries)} is not a list of [[{name}]]"
        )
        return
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        path = f"{name}[{number}]"
        if not isinstance(entry, dict):
            found.append(
                f"{path}: {config_values.quote_value(entry)} is not a [[{name}]] table"
            )
            continue
        if "id" not in entry:
            found.append(f"{path}.id: is missing; every one of [[{name}]] needs one")
        one = read(path, entry, found)
        if one is None:
            continue
        if one.id in seen:
            found.append(
                f'{path}.id: "{one.id}" is also the id of {name}[{seen[one.id]}]'
            )
        seen.setdefault(one.id, number)
        yield one


def _single_key(
    path: str, entry: Mapping[str, Any], kinds: Iterable[str], found: list[str]
) -> str | None:
    """The one of these keys that is given."""
    given = [kind for kind in kinds if kind in entry]
    if len(given) == 1:
        return given[0]
    found.append(
        f"{path}: needs exactly one of {', '.join(kinds)}; {' and '.join(given) or 'none'} given"
    )
    return None


def _parse_source(
    path: str, entry: Mapping[str, Any], found: list[str]
) -> Source | None:
    good = _parse_table(path, entry, _SOURCE, found)
    kind = _single_key(path, entry, _ADDRESSES, found)
    found += [
        f"{path}.{key}: goes with section"
        for key in ("depth", "budget")
        if key in entry and kind != "section"
    ]
    if "id" not in good or kind is None or kind not in good:
        return None
    return Source(kind=kind, url=good.pop(kind), **good)


def _parse_alert(
    base: Path, path: str, entry: Mapping[str, Any], found: list[str]
) -> Alert | None:
    good = _parse_table(path, entry, _ALERT, found)
    way = _single_key(path, entry, _WAYS, found)
    if ("secret_env" in entry) != ("webhook" in entry):
        found.append(
            f"{path}.secret_env: goes with webhook; it names the variable whose secret signs what is posted"
        )
    if "id" not in good or way is None or way not in good:
        return None
    criteria = Criteria(
        words=good.pop("words", ""), sources=good.pop("source", ()), languages=good.pop("lang", ()),
        places=good.pop("place", ()), actors=good.pop("actor", ()), events=good.pop("event", ()),
        min_relevance=good.pop("min_relevance", None),
    )  # fmt: skip
    if "file" in good:
        good["file"] = base / Path(good["file"]).expanduser()
    return Alert(criteria=criteria, **good)


def _store_settings(section: dict[str, Any], base: Path) -> StoreSettings:
    path = base / Path(section.pop("path", "khabar.db")).expanduser()
    captures = section.pop("captures", "captures")
    return StoreSettings(
        path=path,
        captures=base / Path(captures).expanduser() if captures else None,
        **section,
    )


def _service_settings(section: dict[str, Any], base: Path) -> ServiceSettings:
    backup = section.pop("backup", "")
    return ServiceSettings(
        backup=base / Path(backup).expanduser() if backup else None, **section
    )
