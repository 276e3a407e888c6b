"""The catalogue of sources: entries for `config.toml`, and what is in it twice.

What a person wrote there is never touched.
"""

import json
import os
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.leads import opml
from crawler.sources import Source
from scheduler import config as config_module
from scheduler.config import Config
from scheduler.config_values import InvalidValue, parse_id
from storage import identity
from storage.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from crawler.source_check import SourceCheck

MAX_NAME_CHARS = 80
ENOUGH_LEADS = 30  # a source that shows more is no better for it
_KIND_RANKS = {"feed": 3, "telegram": 3, "sitemap": 2, "section": 1}


def format_entry(source: Source) -> str:
    """A `[[sources]]` table. JSON's strings are TOML's basic strings."""
    address = source.url
    if source.kind == "telegram":
        address = address.removeprefix("https://t.me/s/")
    values = {
        "name": source.name,
        source.kind: address,
        "language": source.language,
        "zone": source.zone,
    }
    lines = ["[[sources]]", f'id = "{source.id}"']
    lines += [f"{key} = {quote_toml(value)}" for key, value in values.items() if value]
    if not source.enabled:
        lines.append("enabled = false")
    return "\n".join(lines) + "\n"


def quote_toml(text: str) -> str:
    """A TOML string.

    JSON's escapes are TOML's, but that TOML wants the delete character escaped too.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def append_sources(file: Path, sources: Sequence[Source]) -> None:
    """Write entries at the end of a configuration; the rest stays byte for byte.

    Nothing is written unless the whole is a good configuration. Raises ConfigError,
    OSError.
    """
    # Bytes and not text: a file with CRLF keeps its line ends.
    text = file.read_bytes().decode("utf-8")
    if text and not text.endswith("\n"):
        text += "\n"
    for source in sources:
        text += f"\n{format_entry(source)}"
    try:
        tree = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(
            f"nothing can be added at the end of {file} ({fault}); "
            "write the entry by hand"
        ) from fault
    _, faults = config_module.parse_config(tree)
    if faults:
        message = "\n".join(f"{file}: {fault}" for fault in faults)
        raise ConfigError(message, faults=tuple(faults))
    _replace_file(file, text)


def _replace_file(file: Path, text: str) -> None:
    """Write the file whole or not at all, with its own permissions."""
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(text)
        written.chmod(target.stat().st_mode & 0o777)
        written.replace(target)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def writable_config_file(config: Config) -> Path:
    """The file that new entries go to.

    Raises UsageError where that is the copy inside the installed package.
    """
    file = config.path or config_module.find_config_file()
    package = Path(config_module.__file__).parent
    if file == config_module.shipped_config_file() and file.parent == package:
        raise UsageError(
            f"copy {file} to ./config.toml first: the shipped one is not changed"
        )
    return file


def find_duplicates(config: Config) -> list[tuple[str, str]]:
    """Ids of enabled sources with one address, the earlier one first (rules, case 15).

    Two entries for one address are two polls of it.
    """
    first: dict[str, str] = {}
    duplicates: list[tuple[str, str]] = []
    for source in config.enabled_sources:
        key = identity.url_key(source.url)
        if key in first:
            duplicates.append((first[key], source.id))
        first.setdefault(key, source.id)
    return duplicates


def choose_best(found: "Sequence[SourceCheck]", kind: str | None) -> "SourceCheck":
    """The best of what a site offers, or the best of one kind.

    Raises UsageError where there is none.
    """
    wanted = [checked for checked in found if kind in (None, checked.source.kind)]
    if not wanted:
        missing = f"no {kind}" if kind else "nothing that can be watched"
        raise UsageError(
            f"{missing} was found there; "
            "name a page that lists articles, or the feed itself"
        )
    return max(wanted, key=_rank)


def _rank(checked: "SourceCheck") -> tuple[bool, bool, int, int]:
    """What makes one offer better than another.

    Pages that yield text first, a feed or news with dates before a bare list, then by
    how much is shown.
    """
    leads = checked.visited.poll.leads
    dated = sum(lead.published_at is not None for lead in leads)
    return (
        checked.sample is not None and checked.sample.trouble is None,
        2 * dated >= len(leads),
        _KIND_RANKS[checked.source.kind],
        min(len(leads), ENOUGH_LEADS),
    )


def build_source(
    config: Config,
    checked: "SourceCheck",
    *,
    id: str | None,  # noqa: A002 - the option's name
    name: str | None,
) -> Source:
    """The source as it will be written.

    Raises UsageError for what is there already and for an id that is none.
    """
    known = {identity.url_key(source.url): source.id for source in config.sources}
    for url in filter(None, (checked.source.url, checked.visited.poll.moved_to)):
        other = known.get(identity.url_key(url))
        if other is not None:
            raise UsageError(f"{url} is there already, as {other!r}")

    taken = {source.id for source in config.sources}
    language = _likely_language(checked)
    if id is None:
        # It brings the network's side with it: a second, for two commands of many.
        from crawler import discovery

        id = discovery.unused_id(checked.source.id, taken, language=language)  # noqa: A001
    try:
        parse_id(id)
    except InvalidValue as fault:
        raise UsageError(f"--id {id} {fault}") from None
    if id in taken:
        raise UsageError(f"there is a source {id!r} already")
    # Names of sites hold line breaks and runs of blanks.
    title = name or checked.source.name or checked.visited.title or ""
    return replace(
        checked.source,
        id=id,
        name=" ".join(title.split())[:MAX_NAME_CHARS],
        language=language,
    )


def _likely_language(checked: "SourceCheck") -> str | None:
    """The language that most leads have, else that of the page that was tried."""
    leads = checked.visited.poll.leads
    languages = Counter(lead.language for lead in leads if lead.language)
    if languages:
        return _primary_language(languages.most_common(1)[0][0])
    if checked.sample is not None:
        return _primary_language(checked.sample.language or "")
    return None


def _primary_language(tag: str) -> str | None:
    """`fa` of `fa-AF`; None for what is no language tag."""
    primary = tag.partition("-")[0].lower()
    if primary.isascii() and primary.isalpha() and len(primary) in (2, 3):
        return primary
    return None


def read_opml_file(config: Config, file: Path) -> tuple[list[Source], opml.Outlines]:
    """The feeds of an OPML file that are not in the catalogue yet.

    Raises UsageError where it is none.
    """
    if not file.is_file():
        raise UsageError(f"{file} is no file")
    with file.open("rb") as opened:
        outlines = opml.parse_opml(opened.read(opml.MAX_OPML_BYTES + 1))
    if outlines.error:
        raise UsageError(f"{file} is {outlines.error}")

    # A list of a feed reader may name one feed twice, in two folders.
    keys = {identity.url_key(source.url) for source in config.sources}
    ids = [source.id for source in config.sources]
    new: list[Source] = []
    for outline in outlines.feeds:
        key = identity.url_key(outline.url)
        if key in keys:
            continue
        source = _source_from_outline(outline, ids)
        keys.add(key)
        ids.append(source.id)
        new.append(source)
    return new, outlines


def _source_from_outline(outline: opml.Outline, ids: Iterable[str]) -> Source:
    from crawler import discovery

    language = _primary_language(outline.language)
    suggested = discovery.suggest_id(outline.url)
    return Source(
        id=discovery.unused_id(suggested, ids, language=language),
        kind="feed",
        url=outline.url,
        name=outline.title[:MAX_NAME_CHARS],
        language=language,
    )
