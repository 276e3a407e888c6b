"""`config.toml` to a frozen `Config`, in which each room finds the type it declared.

Unknown keys, wrong types and impossible values are all found in one reading, each with
its path: `sources[3].every: "10x" is not a duration such as "15m"`. What the keys are
stands in `config_keys`. Nothing reads a global, nothing is changed after.
"""

import os
import sys
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from crawler.sources import CrawlSettings, RecheckSettings, Source
from scheduler.config_keys import (
    ALERT_CRITERIA_FIELDS,
    ALERT_DELIVERY_KEYS,
    ALERT_KEYS,
    SECTIONS,
    SOURCE_ADDRESS_KEYS,
    SOURCE_KEYS,
    Key,
)
from scheduler.config_values import InvalidValue, quote_value
from scheduler.settings import Alert, ServiceSettings
from storage.errors import ConfigError
from storage.query.criteria import Criteria
from storage.settings import StoreSettings

_Entry = TypeVar("_Entry", Source, Alert)


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
    def enabled_sources(self) -> tuple[Source, ...]:
        """The sources that are visited when none is named."""
        return tuple(source for source in self.sources if source.enabled)

    def select_sources(self, ids: tuple[str, ...]) -> tuple[Source, ...]:
        """The sources of these ids, switched on or not; all enabled ones for none.

        Raises ConfigError for an id that no source has.
        """
        if not ids:
            return self.enabled_sources
        by_id = {source.id: source for source in self.sources}
        for id_ in ids:
            if id_ not in by_id:
                raise ConfigError(
                    f"no source is called {id_!r}; `khabar sources list` names them all"
                )
        return tuple(by_id[id_] for id_ in dict.fromkeys(ids))

    def with_database(self, path: Path | None) -> "Config":
        """The same with another database, whose raw pages are kept beside it.

        Two databases that shared a folder of captures would expire each other's.
        """
        if path is None or path.resolve() == self.store.path.resolve():
            return self
        captures = self.store.captures
        if captures is not None:
            captures = path.with_name(path.name + ".captures")
        return replace(self, store=replace(self.store, path=path, captures=captures))


def load_config(path: Path | None = None) -> Config:
    """Read the configuration of `path`, or of the file that `find_config_file` finds.

    Raises ConfigError with every fault.
    """
    config, faults = load_readable_config(path)
    if faults:
        message = "\n".join(f"{config.path}: {fault}" for fault in faults)
        raise ConfigError(message, faults=faults)
    return config


def load_readable_config(
    path: Path | None = None, *, has_database: bool = False
) -> tuple[Config, tuple[str, ...]]:
    """What of the configuration can be read, and its faults.

    For `khabar status`, which is wanted most when something was edited wrongly. Raises
    ConfigError where there is no file, or it is no TOML and the database is not named
    apart from it (`has_database`).
    """
    file = path or find_config_file()
    # Paths in a file are relative to it; but who falls back on the shipped one wants no
    # data beside the program.
    base = file.parent
    if path is None and file == shipped_config_file():
        base = _user_folder("data", os.environ)
    try:
        tree = _read_toml(file)
    except ConfigError as error:
        if not has_database:
            raise
        return Config(path=file), (str(error),)
    config, faults = parse_config(tree, base=base)
    return replace(config, path=file), tuple(faults)


def find_config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that counts.

    ./config.toml, $KHABAR_CONFIG, the user's, the system's, the one shipped inside.
    """
    here = Path("config.toml")
    if here.is_file():
        return here
    named = environment.get("KHABAR_CONFIG")
    if named:
        return Path(named)
    user = _user_folder("config", environment) / "config.toml"
    for file in (user, Path("/etc/khabar/config.toml")):
        if file.is_file():
            return file
    return shipped_config_file()


def shipped_config_file() -> Path:
    """The configuration that comes with khabar.

    Inside the installed package, or at the top of a checkout.
    """
    inside = Path(__file__).with_name("config.toml")
    if inside.is_file():
        return inside
    return Path(__file__).parent.parent / "config.toml"


def _user_folder(kind: str, environment: Mapping[str, str]) -> Path:
    """The user's folder of that kind (config, data), where the system keeps them."""
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "khabar"
    if sys.platform == "win32":
        local = environment.get("LOCALAPPDATA") or home / "AppData" / "Local"
        return Path(local) / "khabar"
    defaults = {"config": home / ".config", "data": home / ".local" / "share"}
    folder = environment.get(f"XDG_{kind.upper()}_HOME") or defaults[kind]
    return Path(folder) / "khabar"


def _read_toml(file: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ConfigError."""
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration {file}; "
            "leave out --config to use the shipped one"
        ) from None
    except OSError as fault:
        raise ConfigError(
            f"cannot read the configuration {file}: {fault.strerror}"
        ) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise ConfigError(f"{file} is not a TOML file: {fault}") from fault


def parse_config(
    tree: Mapping[str, Any], *, base: Path = Path()
) -> tuple[Config, list[str]]:
    """The configuration of a parsed TOML tree, and its faults.

    Pure; relative paths are taken from `base`.
    """
    faults: list[str] = []
    sections = {name: _parse_section(name, tree, faults) for name in SECTIONS}
    known = {*SECTIONS, "sources", "alerts"}
    faults += [f"{name}: is not a known section" for name in tree if name not in known]
    sources = _parse_entries("sources", tree, _parse_source, faults)
    alerts = _parse_entries("alerts", tree, _parse_alert, faults)

    recheck = RecheckSettings(**sections["recheck"])
    crawl = CrawlSettings(**sections["crawl"], **sections["topic"], recheck=recheck)
    store = StoreSettings(**sections["store"])
    captures = _resolve(store.captures, base)
    service = ServiceSettings(**sections["service"])
    # Only here is it known where the file is that the paths are relative to.
    config = Config(
        store=replace(store, path=base / store.path, captures=captures),
        crawl=crawl,
        service=replace(service, backup=_resolve(service.backup, base)),
        sources=tuple(sources),
        alerts=tuple(replace(one, file=_resolve(one.file, base)) for one in alerts),
    )
    return config, faults


def _resolve(path: Path | None, base: Path) -> Path | None:
    if path is None:
        return None
    return base / path


def _parse_section(
    name: str, tree: Mapping[str, Any], faults: list[str]
) -> dict[str, Any]:
    table = tree.get(name, {})
    if not isinstance(table, dict):
        faults.append(f"{name}: {quote_value(table)} is not a section [{name}]")
        return {}
    return _parse_table(name, table, SECTIONS[name].keys, faults)


def _parse_table(
    path: str, table: Mapping[str, Any], keys: Mapping[str, Key], faults: list[str]
) -> dict[str, Any]:
    """The values of a table that can be read; what cannot goes to `faults`."""
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in keys:
            hint = _suggest_key(name, keys)
            faults.append(f"{path}.{name}: is not a known key{hint}")
            continue
        try:
            values[name] = keys[name].parse(value)
        except InvalidValue as fault:
            faults.append(f"{path}.{name}: {quote_value(value)} {fault}")
    return values


def _suggest_key(name: str, keys: Mapping[str, Key]) -> str:
    from difflib import get_close_matches  # only a faulty file pays for it

    near = get_close_matches(name, keys, n=1)
    if not near:
        return ""
    return f"; did you mean {near[0]!r}?"


def _parse_entries(
    name: str,
    tree: Mapping[str, Any],
    parse_entry: Callable[[str, Any, list[str]], _Entry | None],
    faults: list[str],
) -> list[_Entry]:
    """The tables of a list that can be read. An id may be there once."""
    tables = tree.get(name, [])
    if not isinstance(tables, list):
        faults.append(f"{name}: {quote_value(tables)} is not a list of [[{name}]]")
        return []

    # The first of two entries with one id stays; the fault names both by their places.
    entries: list[_Entry] = []
    numbers: dict[str, int] = {}
    for number, table in enumerate(tables):
        path = f"{name}[{number}]"
        if not isinstance(table, dict):
            faults.append(f"{path}: {quote_value(table)} is not a [[{name}]] table")
            continue
        if "id" not in table:
            faults.append(f"{path}.id: is missing; every one of [[{name}]] needs one")
        entry = parse_entry(path, table, faults)
        if entry is None:
            continue
        if entry.id in numbers:
            first = f"{name}[{numbers[entry.id]}]"
            faults.append(f'{path}.id: "{entry.id}" is also the id of {first}')
        numbers.setdefault(entry.id, number)
        entries.append(entry)
    return entries


def _parse_source(
    path: str, table: Mapping[str, Any], faults: list[str]
) -> Source | None:
    values = _parse_table(path, table, SOURCE_KEYS, faults)
    kind = _find_single_key(path, table, SOURCE_ADDRESS_KEYS, faults)
    if kind != "section":
        only = [name for name in ("depth", "budget") if name in table]
        faults += [f"{path}.{name}: goes with section" for name in only]
    if "id" not in values or kind is None or kind not in values:
        return None
    return Source(kind=kind, url=values.pop(kind), **values)


def _parse_alert(
    path: str, table: Mapping[str, Any], faults: list[str]
) -> Alert | None:
    values = _parse_table(path, table, ALERT_KEYS, faults)
    delivery = _find_single_key(path, table, ALERT_DELIVERY_KEYS, faults)
    if ("secret_env" in table) != ("webhook" in table):
        faults.append(
            f"{path}.secret_env: goes with webhook; "
            "it names the variable whose secret signs what is posted"
        )
    if "id" not in values or delivery is None or delivery not in values:
        return None
    criteria = {
        field_name: values.pop(name)
        for name, field_name in ALERT_CRITERIA_FIELDS.items()
        if name in values
    }
    return Alert(criteria=Criteria(**criteria), **values)


def _find_single_key(
    path: str, table: Mapping[str, Any], names: Collection[str], faults: list[str]
) -> str | None:
    """The one of these keys that is given; any other number of them is a fault."""
    # Given, not good: an address with a fault in it is told as that and not as missing.
    given = [name for name in names if name in table]
    if len(given) == 1:
        return given[0]
    found = " and ".join(given) or "none"
    faults.append(f"{path}: needs exactly one of {', '.join(names)}; {found} given")
    return None
