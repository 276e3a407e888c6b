"""The catalogue as text.

Entries written into `config.toml` without touching what stands there.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from crawler import discovery
from crawler.leads import opml
from crawler.source_check import SourceCheck
from crawler.sources import Source
from scheduler import config as configuration
from scheduler import config_values
from scheduler.config import Config
from storage import identity
from storage.errors import ConfigError, UsageError

MAX_NAME_CHARS = 80


def format_entry(source: Source, *, comment: str = "") -> str:
    """A `[[sources]]` table. JSON's strings are TOML's basic strings."""
    lines = [
        f"[[sources]]{f'                        # {comment}' if comment else ''}",
        f'id = "{source.id}"',
    ]
    address = (
        source.url.removeprefix("https://t.me/s/")
        if source.kind == "telegram"
        else source.url
    )
    told = {
        "name": source.name,
        source.kind: address,
        "language": source.language,
        "zone": source.zone,
    }
    lines += [f"{key} = {quote_toml(value)}" for key, value in told.items() if value]
    if not source.enabled:
        lines.append("enabled = false")
    return "\n".join(lines) + "\n"


def quote_toml(text: str) -> str:
    """A TOML string.

    JSON's escapes are TOML's, but that TOML wants the delete character escaped too.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def append_sources(file: Path, sources: Sequence[Source], *, comment: str = "") -> None:
    """Write entries at the end of a configuration.

    The rest of the file stays byte for byte.

    Nothing is written unless the whole is a good configuration. Raises ConfigError,
    OSError.
    """
    before = file.read_bytes().decode("utf-8")
    text = before + ("" if before.endswith("\n") or not before else "\n")
    text += "".join(f"\n{format_entry(source, comment=comment)}" for source in sources)
    try:
        faults = configuration.parse_config(tomllib.loads(text.removeprefix("\ufeff")))[
            1
        ]
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(
            f"nothing can be added at the end of {file} ({fault}); write the entry by hand"
        ) from fault
    if faults:
        raise ConfigError(
            "\n".join(f"{file}: {fault}" for fault in faults), faults=tuple(faults)
        )
    _replace_file(file, text)


def _replace_file(file: Path, text: str) -> None:
    """Whole or not at all, with the file's own permissions."""
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as new:
            new.write(text)
        Path(name).chmod(target.stat().st_mode & 0o777)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def writable_config_file(config: Config) -> Path:
    """The file that new entries go to.

    Raises UsageError where that is the copy inside the installed package.
    """
    file = config.path or configuration.find_config_file()
    if (
        file == configuration.shipped_config_file()
        and file.parent == Path(configuration.__file__).parent
    ):
        raise UsageError(
            f"copy {file} to ./config.toml first: the shipped one is not changed"
        )
    return file


def find_duplicates(config: Config) -> list[tuple[str, str]]:
    """Ids of sources that are switched on and have the same address, the earlier one first (rules, case 15)."""
    seen: dict[str, str] = {}
    keyed = [
        (identity.url_key(source.url), source.id) for source in config.enabled_sources
    ]
    return [
        (seen[key], name) for key, name in keyed if seen.setdefault(key, name) != name
    ]


def choose_best(found: Sequence[SourceCheck], kind: str | None) -> SourceCheck:
    """The best of what a site offers, or the best of one kind.

    Raises UsageError where there is none.
    """
    wanted = [checked for checked in found if kind in (None, checked.source.kind)]
    if not wanted:
        what = f"no {kind}" if kind else "nothing that can be watched"
        raise UsageError(
            f"{what} was found there; name a page that lists articles, or the feed itself"
        )
    return max(wanted, key=_rank)


def _rank(checked: SourceCheck) -> tuple[bool, bool, int, int]:
    """Pages that yield text first, a feed or news with dates before a bare list, then by how much is shown."""
    leads = checked.visited.poll.leads
    dated = sum(lead.published_at is not None for lead in leads)
    kinds = {"feed": 3, "telegram": 3, "sitemap": 2, "section": 1}
    readable = checked.sample is not None and checked.sample.trouble is None
    return (
        readable,
        2 * dated >= len(leads),
        kinds[checked.source.kind],
        min(len(leads), 30),
    )


def build_source(
    config: Config,
    checked: SourceCheck,
    *,
    id: str | None,  # noqa: A002 - the option's name
    name: str | None,
) -> Source:
    """The source as it will be written.

    Raises UsageError for what is there already and for an id that is none.
    """
    known = {identity.url_key(source.url): source.id for source in config.sources}
    for url in filter(None, (checked.source.url, checked.visited.poll.moved_to)):
        if other := known.get(identity.url_key(url)):
            raise UsageError(f"{url} is there already, as {other!r}")
    taken = {source.id for source in config.sources}
    language = _likely_language(checked)
    if id is not None:
        try:
            config_values.parse_id(id)
        except config_values.InvalidValue as fault:
            raise UsageError(f"--id {id} {fault}") from None
        if id in taken:
            raise UsageError(f"there is a source {id!r} already")
    title = name or checked.source.name or checked.visited.title or ""
    return replace(
        checked.source,
        id=id or discovery.unused_id(checked.source.id, taken, language=language),
        name=" ".join(title.split())[:MAX_NAME_CHARS],
        language=language,
    )


def _likely_language(checked: SourceCheck) -> str | None:
    """The language that most leads have, else that of the page that was tried."""
    said = [lead.language for lead in checked.visited.poll.leads if lead.language]
    likely = (
        max(set(said), key=said.count)
        if said
        else checked.sample.language
        if checked.sample
        else None
    )
    head = (likely or "").partition("-")[0]
    return head if head.isalpha() and len(head) in (2, 3) else None


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
    known = {identity.url_key(source.url) for source in config.sources}
    ids = [source.id for source in config.sources]
    new: list[Source] = []
    for outline in outlines.feeds:
        if identity.url_key(outline.url) in known:
            continue
        known.add(identity.url_key(outline.url))
        new.append(_source_from_outline(outline, ids))
        ids.append(new[-1].id)
    return new, outlines


def _source_from_outline(outline: opml.Outline, ids: Iterable[str]) -> Source:
    language = outline.language.partition("-")[0].lower()
    language = (
        language
        if language.isascii() and language.isalpha() and len(language) in (2, 3)
        else ""
    )
    label = discovery.unused_id(
        discovery.suggest_id(outline.url), ids, language=language or None
    )
    return Source(
        id=label,
        kind="feed",
        url=outline.url,
        name=outline.title[:MAX_NAME_CHARS],
        language=language or None,
    )
