"""What commands may be told, and how they get at the configuration and the store.

The same for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from scheduler.config import Config
    from scheduler.views.terminal import Screen
    from storage.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class CommonOptions:
    """What every command may be told, and how it gets at the configuration and the store."""

    config: Path | None = None
    db: Path | None = None
    json: bool = False
    verbose: int = 0

    @property
    def screen(self) -> "Screen":
        from scheduler.views import terminal

        return terminal.open_screen()

    def load_config(self) -> "Config":
        """The configuration, with --db applied. Raises ConfigError."""
        from scheduler import config

        return config.load_config(self.config).with_database(self.db)

    def read(self) -> "Store":
        """The store, read-only. Raises ConfigError and StoreError."""
        from storage.store import Store

        settings = self.load_config().store
        return Store.read(settings.path, captures=settings.captures)


def _keep_option(
    context: click.Context, parameter: click.Parameter, value: Any
) -> None:
    if value:
        setattr(context.ensure_object(CommonOptions), str(parameter.name), value)
    if value and parameter.name == "verbose":
        from scheduler.service import logs

        logs.set_up(verbose=2 * (value - 1))


def _common_option(*names: str, **how: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_keep_option, **how)


def common_options(command: Command) -> Command:
    """--config, --db and -v, before or after the command's name."""
    file = click.Path(path_type=Path)
    command = _common_option(
        "-v", "--verbose", count=True, help="Say more; twice for everything."
    )(command)
    command = _common_option(
        "--db",
        type=file,
        metavar="FILE",
        help="The database.  [default: as configured]",
    )(command)
    return _common_option(
        "--config",
        type=file,
        metavar="FILE",
        help="The configuration.  [default: ./config.toml]",
    )(command)


json_option = _common_option("--json", is_flag=True, help="JSON, one object a line.")


PATH = click.Path(path_type=Path)
since_option = click.option(
    "--since", metavar="TIME", help="From then on: 2026-11-01, yesterday, 7d (ago)."
)
until_option = click.option(
    "--until", metavar="TIME", help="Up to then, that day included."
)
ARTICLE_ID = click.IntRange(0, (1 << 63) - 1)  # what SQLite can count to
timeout_option = click.option(
    "--timeout", "patience", type=click.IntRange(1, 3_600), default=20, metavar="SECONDS", show_default=True,
    help="Give up then.",
)  # fmt: skip


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
        "--lang", multiple=True, metavar="TAG", help="In this language: en, fa, ps."
    ),
    click.option(
        "--place",
        multiple=True,
        metavar="NAME",
        help="Naming this place, in any spelling.",
    ),
    click.option("--actor", multiple=True, metavar="NAME", help="Naming this actor."),
    click.option(
        "--event", multiple=True, metavar="CODE", help="With this type of event."
    ),
    click.option(
        "--tag", multiple=True, metavar="TEXT", help="Tagged so with `khabar mark`."
    ),
    click.option(
        "--min-relevance", metavar="SHARE", help="At least so relevant, 0 to 1."
    ),
    click.option("--copies", is_flag=True, help="Copies as results of their own."),
)


def filter_options(command: Command) -> Command:
    """What narrows a search, an export and everything else that takes articles."""
    for option in reversed(_FILTER_OPTIONS):
        command = option(command)
    return command


def parse_url_or_id(what: str) -> str | int:
    """A number as such, anything else as the URL that it is."""
    return int(what) if what.isascii() and what.isdecimal() and len(what) < 19 else what


def installed_version() -> str:
    """The version of khabar; of one that is not installed, that it is not."""
    from importlib import metadata

    try:
        return metadata.version("khabar")
    except metadata.PackageNotFoundError:
        return "from its source"
