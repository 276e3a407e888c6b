"""The declarations of the keys: what follows from them says the same."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from crawler.sources import CrawlSettings, RecheckSettings, Source
from scheduler.commands.sources import SOURCE_KINDS
from scheduler.config_keys import (
    ALERT_CRITERIA_FIELDS,
    ALERT_KEYS,
    SECTIONS,
    SOURCE_ADDRESS_KEYS,
    SOURCE_KEYS,
    Key,
    TakesEffect,
)
from scheduler.settings import Alert, ServiceSettings
from storage.query.criteria import Criteria
from storage.settings import StoreSettings

TABLES: Mapping[str, Mapping[str, Key]] = {
    **{f"[{name}]": section.keys for name, section in SECTIONS.items()},
    "[[sources]]": SOURCE_KEYS,
    "[[alerts]]": ALERT_KEYS,
}
# The value that a key has where the file does not name it.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    **{
        f"[{name}]": {key: getattr(section.settings(), key) for key in section.keys}
        for name, section in SECTIONS.items()
    },
    "[[sources]]": {
        field.name: getattr(Source(id="a", kind="feed", url=""), field.name)
        for field in fields(Source)
    },
    "[[alerts]]": {
        "words": Criteria().words,
        **{
            field.name: getattr(Alert(id="a", criteria=Criteria()), field.name)
            for field in fields(Alert)
        },
    },
}


def documented(root: Path, table: str) -> dict[str, tuple[str, str]]:
    """Default and meaning of each key in a table of docs/configuration.md."""
    page = (root / "docs/configuration.md").read_text("utf-8")
    part = page.partition(f"\n## `{table}`")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", part, re.MULTILINE)
    return {name: (default, meaning) for name, default, meaning in rows}


@pytest.mark.parametrize("table", TABLES)
def test_the_documentation_lists_every_key_as_it_is_declared(
    root: Path, table: str
) -> None:
    """No key is missing or left over; what it means is said in the same words."""
    said = {name: meaning for name, (_, meaning) in documented(root, table).items()}
    assert said == {name: key.help for name, key in TABLES[table].items()}


@pytest.mark.parametrize("table", TABLES)
def test_the_documented_defaults_are_true(root: Path, table: str) -> None:
    """A default in words is the declared one; any other is what holds without it."""
    for name, (default, _) in documented(root, table).items():
        key = TABLES[table][name]
        if key.default is not None:
            assert default == key.default, name
            continue
        literal = tomllib.loads(f"key = {default.strip('`')}")["key"]
        assert key.parse(literal) == DEFAULTS[table][name], name


def test_the_documentation_names_the_keys_that_wait(root: Path) -> None:
    """Whoever reloads knows beforehand what takes effect with the next start only."""
    page = (root / "docs/configuration.md").read_text("utf-8")
    sentence = page.partition("which wait for the next start:")[2].partition(". ")[0]
    waiting = {
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key, declared in section.keys.items()
        if declared.takes_effect is TakesEffect.NEXT_START
    }
    assert set(re.findall(r"`(\w+\.\w+)`", sentence)) == waiting


def test_the_kinds_of_a_source_are_its_address_keys() -> None:
    """What `sources add --kind` offers can be configured; told twice for its speed."""
    assert set(SOURCE_KINDS) == set(SOURCE_ADDRESS_KEYS)


def test_every_key_of_the_shipped_file_is_explained_beside_it(root: Path) -> None:
    """The file is its own documentation.

    Each section's keys stand in it, the source's and the alert's in its comments.
    """
    text = (root / "config.toml").read_text("utf-8")
    tree = tomllib.loads(text)
    for name, section in SECTIONS.items():
        assert set(tree[name]) == set(section.keys), name
    words = set(re.findall(r"\w+", text))
    assert {*SOURCE_KEYS, *ALERT_KEYS} <= words


@pytest.mark.parametrize(
    ("settings", "declared", "further"),
    [
        (StoreSettings, {*SECTIONS["store"].keys}, set()),
        (
            CrawlSettings,
            {*SECTIONS["crawl"].keys, *SECTIONS["topic"].keys},
            {"recheck"},
        ),
        (RecheckSettings, {*SECTIONS["recheck"].keys}, set()),
        (ServiceSettings, {*SECTIONS["service"].keys}, set()),
        (Source, {*SOURCE_KEYS} - {*SOURCE_ADDRESS_KEYS}, {"kind", "url"}),
        (Alert, {*ALERT_KEYS} - {*ALERT_CRITERIA_FIELDS}, {"criteria"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_field_of_a_settings_type_is_a_key(
    settings: type, declared: set[str], further: set[str]
) -> None:
    """What a room can be told can be configured, and nothing else is declared."""
    assert {field.name for field in fields(settings)} == declared | further
