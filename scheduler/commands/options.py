"""Options that several commands take, and how they reach configuration and store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from scheduler.config import Config
    from scheduler.views.terminal import Screen
    from storage.query.criteria import Criteria
    from storage.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
ARTICLE_ID = click.IntRange(0, (1 << 63) - 1)  # what SQLite can count to
MAX_ID_DIGITS = 18  # a number of 19 may be beyond that


@dataclass(slots=True)
class CommonOptions:
    """What every command may be told, before or after its name."""

    config: Path | None = None
    db: Path | None = None
    json: bool = False
    verbose: int = 0

    @property
    def screen(self) -> "Screen":
        """Where results and messages go."""
        from scheduler.views import terminal

        return terminal.open_screen()

    def load_config(self) -> "Config":
        """The configuration, with --db applied. Raises ConfigError."""
        from scheduler import config

        return config.load_config(self.config).with_database(self.db)

    def load_readable_config(self) -> "tuple[Config, tuple[str, ...]]":
        """What of the configuration can be read, and its faults, with --db applied.

        Raises ConfigError where there is none, or it is no TOML file and --db is not
        given.
        """
        from scheduler import config

        loaded, faults = config.load_readable_config(
            self.config, has_database=self.db is not None
        )
        return loaded.with_database(self.db), faults

    def open_store(self) -> "Store":
        """The store, read-only. Raises ConfigError and StoreError."""
        from scheduler.open_store import open_for_reading

        return open_for_reading(self.load_config())


def _keep_option(
    context: click.Context, parameter: click.Parameter, value: Any
) -> None:
    if not value:
        return
    setattr(context.ensure_object(CommonOptions), str(parameter.name), value)
    if parameter.name == "verbose":
        from scheduler.service import logs

        logs.set_up(verbose=2 * (value - 1))


def _common_option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_keep_option, **attributes)


_config_option = _common_option(
    "--config",
    type=PATH,
    metavar="FILE",
    help="The configuration.  [default: ./config.toml]",
)
_db_option = _common_option(
    "--db",
    type=PATH,
    metavar="FILE",
    help="The database.  [default: as configured]",
)
_verbose_option = _common_option(
    "-v",
    "--verbose",
    count=True,
    help="Say more; twice for everything.",
)


def common_options(command: Command) -> Command:
    """--config, --db and -v, before or after the command's name."""
    return _config_option(_db_option(_verbose_option(command)))


json_option = _common_option("--json", is_flag=True, help="JSON, one object a line.")
since_option = click.option(
    "--since",
    metavar="TIME",
    help="From then on: 2026-11-01, yesterday, 7d (ago).",
)
until_option = click.option(
    "--until",
    metavar="TIME",
    help="Up to then, that day included.",
)
timeout_option = click.option(
    "--timeout",
    "timeout_seconds",
    type=click.IntRange(1, 3_600),
    default=20,
    metavar="SECONDS",
    show_default=True,
    help="Give up then.",
)

_FILTER_OPTIONS = (
    click.argument("words", nargs=-1),
    since_option,
    until_option,
    click.option(
        "--source",
        multiple=True,
        metavar="ID",
        help="Of this source; may be repeated, as all that follow.",
    ),
    click.option(
        "--lang",
        multiple=True,
        metavar="TAG",
        help="In this language: en, fa, ps.",
    ),
    click.option(
        "--place",
        multiple=True,
        metavar="NAME",
        help="Naming this place, in any spelling.",
    ),
    click.option(
        "--actor",
        multiple=True,
        metavar="NAME",
        help="Naming this actor.",
    ),
    click.option(
        "--event",
        multiple=True,
        metavar="CODE",
        help="With this type of event.",
    ),
    click.option(
        "--tag",
        multiple=True,
        metavar="TEXT",
        help="Tagged so with `khabar mark`.",
    ),
    click.option(
        "--min-relevance",
        metavar="SHARE",
        help="At least so relevant, 0 to 1.",
    ),
    click.option(
        "--copies",
        is_flag=True,
        help="Copies as results of their own.",
    ),
)


def filter_options(command: Command) -> Command:
    """What narrows a search, an export and everything else that takes articles."""
    for option in reversed(_FILTER_OPTIONS):
        command = option(command)
    return command


def parse_filters(words: tuple[str, ...], filters: Mapping[str, Any]) -> "Criteria":
    """What is looked for, from the words and the options that `filter_options` gave.

    Raises UsageError for a time, a number or an order that is none.
    """
    from storage.model import utc_now
    from storage.query import criteria

    typed = {"q": [" ".join(words)]}
    for name, value in filters.items():
        if not value:
            continue
        values = value if isinstance(value, tuple) else (value,)
        typed[name] = [str(one) for one in values]
    return criteria.parse_criteria(typed, now=utc_now())


def parse_url_or_id(text: str) -> str | int:
    """A number as such, anything else as the URL that it is."""
    if text.isascii() and text.isdecimal() and len(text) <= MAX_ID_DIGITS:
        return int(text)
    return text
