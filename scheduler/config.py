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

from crawler.sources import CrawlSettings, Recheck, Source
from scheduler import values
from scheduler.settings import Alert, ServiceSettings
from storage.errors import ConfigError
from storage.finding.criteria import Criteria
from storage.settings import StoreSettings

_ADDRESSES: dict[str, values.Reader] = {
    "feed": values.web_address,
    "sitemap": values.web_address,
    "section": values.web_address,
    "telegram": values.channel,
}
_SOURCE: dict[str, values.Reader] = _ADDRESSES | {
    "id": values.identifier,
    "name": values.text,
    "every": values.longer_than("1s", values.duration),
    "owner": values.text,
    "language": values.language,
    "zone": values.zone,
    "min_relevance": values.share,
    "max_age": values.duration,
    "enabled": values.flag,
    "obey_robots": values.flag,
    "verify_tls": values.flag,
    "javascript": values.flag,
    "archive": values.archive,
    "depth": values.whole(0, 10),
    "budget": values.whole(1, 500),
    "link_pattern": values.pattern,
    "body_selector": values.selector,
    "date_format": values.date_format,
    "headers": values.headers,
}
_CHANGES = ("new", "revised", "withdrawn", "promoted", "split", "reclassified")
_WAYS = ("file", "webhook", "command")
_ALERT: dict[str, values.Reader] = {
    "id": values.identifier,
    "words": values.text,
    "source": values.texts,
    "lang": values.texts,
    "place": values.texts,
    "actor": values.texts,
    "event": values.texts,
    "min_relevance": values.share,
    "changes": values.some_of(*_CHANGES),
    "file": values.some_text,
    "webhook": values.web_address,
    "secret_env": values.variable,
    "command": values.texts,
    "timeout": values.longer_than("1s", values.seconds),
}
_SECTIONS: dict[str, dict[str, values.Reader]] = {
    "store": {
        "path": values.text,
        "captures": values.text,
        "keep_captures": values.duration,
        "keep_rejected": values.duration,
        "max_size": values.size,
    },
    "crawl": {
        "user_agent": values.text,
        "contact": values.text,
        "concurrency": values.whole(1, 1_000),
        "delay": values.seconds,
        "timeout": values.longer_than("1s", values.seconds),
        "obey_robots": values.flag,
        "max_age": values.duration,
        "proxy": values.proxy,
        "verify_tls": values.flag,
        "allow_addresses": values.networks,
        "workers": values.whole(0, 256),
        "browser": values.text,
        "wayback": values.optional_address,
    },
    "topic": {
        "min_relevance": values.share,
        "extra_terms": values.terms,
    },
    "recheck": {
        "enabled": values.flag,
        "budget": values.whole(1, 100_000),
        "after": values.durations,
    },
    "service": {
        "metrics": values.listen,
        "backup": values.text,
        "backup_every": values.longer_than("1m", values.duration),
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

    def named(self, ids: tuple[str, ...]) -> tuple[Source, ...]:
        """The sources of these ids, switched on or not; all enabled ones for none. Raises ConfigError."""
        known = {source.id: source for source in self.sources}
        missing = [name for name in ids if name not in known]
        if missing:
            raise ConfigError(f"no source is called {missing[0]!r}; `khabar sources list` names them all")
        return tuple(known[name] for name in dict.fromkeys(ids)) if ids else self.enabled

    def with_database(self, path: Path | None) -> "Config":
        """The same with another database, whose raw pages then rest beside it and not with the configured one's."""
        if path is None or path.resolve() == self.store.path.resolve():
            return self
        captures = None if self.store.captures is None else path.with_name(path.name + ".captures")
        return replace(self, store=replace(self.store, path=path, captures=captures))


def load(path: Path | None = None) -> Config:
    """Read the configuration of `path`, or the one that `find` finds. Raises ConfigError with every fault."""
    file = path or find()
    config, found = parse(_read(file), base=_base(file, named=path is not None))
    if found:
        raise ConfigError("\n".join(f"{file}: {fault}" for fault in found), faults=tuple(found))
    return replace(config, path=file)


def faults(path: Path | None = None) -> tuple[str, ...]:
    """Every fault of the configuration, each with its path; empty for a good one. Raises ConfigError for no TOML."""
    file = path or find()
    return tuple(parse(_read(file))[1])


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """The file that counts: ./config.toml, $KHABAR_CONFIG, the user's, the system's, the one shipped inside."""
    named = environment.get("KHABAR_CONFIG")
    here = Path("config.toml")
    if not here.is_file() and named:
        return Path(named)
    system = Path("/etc/khabar/config.toml")
    candidates = (here, _user_folder("config", environment) / "config.toml", system)
    return next((file for file in candidates if file.is_file()), shipped())


def shipped() -> Path:
    """The configuration that comes with khabar: inside the installed package, at the top of a checkout."""
    inside = Path(__file__).with_name("config.toml")
    return inside if inside.is_file() else Path(__file__).parent.parent / "config.toml"


def parse(tree: Mapping[str, Any], *, base: Path = Path()) -> tuple[Config, list[str]]:
    """The configuration of a parsed TOML tree, and its faults. Pure; relative paths are taken from `base`."""
    found: list[str] = []
    sections = {name: _section(name, tree, found) for name in _SECTIONS}
    found += [f"{key}: is not a known section" for key in tree if key not in (*_SECTIONS, "sources", "alerts")]
    sources = tuple(_entries("sources", tree, _source, found))
    alerts = tuple(_entries("alerts", tree, partial(_alert, base), found))
    crawl = CrawlSettings(**sections["crawl"], **sections["topic"], recheck=Recheck(**sections["recheck"]))
    store, service = _store(sections["store"], base), _service(sections["service"], base)
    return Config(store=store, crawl=crawl, service=service, sources=sources, alerts=alerts), found


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration {file}; leave out --config to use the shipped one") from None
    except OSError as fault:
        raise ConfigError(f"cannot read the configuration {file}: {fault.strerror}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise ConfigError(f"{file} is not a TOML file: {fault}") from fault


def _base(file: Path, *, named: bool) -> Path:
    """Paths in a file are relative to it; but who falls back on the shipped one wants no data beside the program."""
    return file.parent if named or file != shipped() else _user_folder("data", os.environ)


def _user_folder(kind: str, environment: Mapping[str, str]) -> Path:
    """The user's folder of that kind (config, data), where the system keeps such things."""
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "khabar"
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "khabar"
    default = {"config": home / ".config", "data": home / ".local" / "share"}[kind]
    return Path(environment.get(f"XDG_{kind.upper()}_HOME") or default) / "khabar"


def _section(name: str, tree: Mapping[str, Any], found: list[str]) -> dict[str, Any]:
    table = tree.get(name, {})
    if not isinstance(table, dict):
        found.append(f"{name}: {values.shown(table)} is not a section [{name}]")
        return {}
    return _table(name, table, _SECTIONS[name], found)


def _table(path: str, table: Mapping[str, Any], keys: Mapping[str, values.Reader], found: list[str]) -> dict[str, Any]:
    """The values of a table that can be read; what cannot goes to `found`."""
    good: dict[str, Any] = {}
    for key, value in table.items():
        if key not in keys:
            found.append(f"{path}.{key}: is not a known key{_nearest(key, keys)}")
            continue
        try:
            good[key] = keys[key](value)
        except values.Unfit as fault:
            found.append(f"{path}.{key}: {values.shown(value)} {fault}")
    return good


def _nearest(key: str, keys: Mapping[str, values.Reader]) -> str:
    from difflib import get_close_matches  # only a faulty file pays for it

    near = get_close_matches(key, keys, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


_Entry = TypeVar("_Entry", Source, Alert)


def _entries(
    name: str, tree: Mapping[str, Any], read: Callable[[str, Any, list[str]], _Entry | None], found: list[str]
) -> Iterator[_Entry]:
    """The tables of a list that can be read; an id stands once."""
    entries = tree.get(name, [])
    if not isinstance(entries, list):
        found.append(f"{name}: {values.shown(entries)} is not a list of [[{name}]]")
        return
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        path = f"{name}[{number}]"
        if not isinstance(entry, dict):
            found.append(f"{path}: {values.shown(entry)} is not a [[{name}]] table")
            continue
        if "id" not in entry:
            found.append(f"{path}.id: is missing; every one of [[{name}]] needs one")
        one = read(path, entry, found)
        if one is None:
            continue
        if one.id in seen:
            found.append(f'{path}.id: "{one.id}" is also the id of {name}[{seen[one.id]}]')
        seen.setdefault(one.id, number)
        yield one


def _only(path: str, entry: Mapping[str, Any], kinds: Iterable[str], found: list[str]) -> str | None:
    """The one of these keys that is given."""
    given = [kind for kind in kinds if kind in entry]
    if len(given) == 1:
        return given[0]
    found.append(f"{path}: needs exactly one of {', '.join(kinds)}; {' and '.join(given) or 'none'} given")
    return None


def _source(path: str, entry: Mapping[str, Any], found: list[str]) -> Source | None:
    good = _table(path, entry, _SOURCE, found)
    kind = _only(path, entry, _ADDRESSES, found)
    found += [f"{path}.{key}: goes with section" for key in ("depth", "budget") if key in entry and kind != "section"]
    if "id" not in good or kind is None or kind not in good:
        return None
    return Source(kind=kind, url=good.pop(kind), **good)


def _alert(base: Path, path: str, entry: Mapping[str, Any], found: list[str]) -> Alert | None:
    good = _table(path, entry, _ALERT, found)
    way = _only(path, entry, _WAYS, found)
    if ("secret_env" in entry) != ("webhook" in entry):
        found.append(f"{path}.secret_env: goes with webhook; it names the variable whose secret signs what is posted")
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


def _store(section: dict[str, Any], base: Path) -> StoreSettings:
    path = base / Path(section.pop("path", "khabar.db")).expanduser()
    captures = section.pop("captures", "captures")
    return StoreSettings(path=path, captures=base / Path(captures).expanduser() if captures else None, **section)


def _service(section: dict[str, Any], base: Path) -> ServiceSettings:
    backup = section.pop("backup", "")
    return ServiceSettings(backup=base / Path(backup).expanduser() if backup else None, **section)
