"""Commands on sources: what is watched, how each is doing, what could be added."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scheduler.commands.options import PATH, CommonOptions, common_options, json_option
from storage.errors import StoreMissing, UsageError, WorkFailed

if TYPE_CHECKING:
    # 70 ms that `khabar --help` need not wait for.
    from storage.model import SourceState

# The address keys of `config_keys`, which take as long to import.
SOURCE_KINDS = ("feed", "sitemap", "section", "telegram")
SOURCE_FIELDS = ("id", "name", "kind", "url", "owner", "language", "enabled")
STATE_FIELDS = (
    "next_check_at",
    "last_success_at",
    "last_new_at",
    "newest_at",
    "failures",
    "last_error",
)
SHOWN_POLLS = 10


@click.group()
@common_options
def sources() -> None:
    """What is watched, and how each source is doing."""


@sources.command("list")
@click.option(
    "--all/--enabled",
    "every",
    default=True,
    help="Also those that are switched off.  [default: all]",
)
@json_option
@common_options
@click.pass_obj
def list_(options: CommonOptions, /, every: bool) -> None:
    """The catalogue, and what the database knows of each."""
    from scheduler.views import source_views

    config = options.load_config()
    states: dict[str, SourceState] = {}
    try:
        with options.open_store() as store:
            states = {state.id: state for state in store.sources.all()}
    except StoreMissing:
        pass  # the catalogue is there before the first crawl

    rows: list[dict[str, Any]] = []
    for source in config.sources if every else config.enabled_sources:
        row = {name: getattr(source, name) for name in SOURCE_FIELDS}
        state = states.get(source.id)
        row |= {name: getattr(state, name, None) for name in STATE_FIELDS}
        rows.append(row)
    source_views.show_sources(options.screen, rows, json=options.json)


@sources.command()
@click.argument("source", metavar="ID")
@json_option
@common_options
@click.pass_obj
def show(options: CommonOptions, /, source: str) -> None:
    """One source: its settings, its state, its last visits."""
    from dataclasses import asdict

    from scheduler.views import source_views

    wanted = options.load_config().select_sources((source,))[0]
    # What the configuration leaves out is left out here.
    known: dict[str, Any] = {}
    for name, value in asdict(wanted).items():
        if value in (None, "", {}):
            continue
        known[name] = str(value) if isinstance(value, timedelta) else value

    state, polls = None, []
    try:
        with options.open_store() as store:
            state = store.sources.find(source)
            polls = store.polls.recent(source, SHOWN_POLLS)
    except StoreMissing:
        pass  # the catalogue is there before the first crawl
    for name in (*STATE_FIELDS, "moved_to"):
        known[name] = getattr(state, name, None)
    known["polls"] = polls
    source_views.show_source(options.screen, known, json=options.json)


@sources.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@json_option
@common_options
@click.pass_obj
def check(options: CommonOptions, /, sources: tuple[str, ...]) -> None:
    """Ask each once, and tell what to mend; keeps nothing.

    One page of each is tried. Where the pages of a source yield less than they did, one
    of them is shown.
    """
    from crawler import source_check
    from crawler.fetching import loop
    from scheduler import health
    from scheduler.views import source_views
    from storage.model import utc_now

    screen, config = options.screen, options.load_config()
    wanted = config.select_sources(sources)
    ids = {source.id for source in wanted}
    drifting: list[health.Drift] = []
    # Before the sources are asked, which can take minutes: a file that cannot be used
    # would throw their answers away.
    try:
        with options.open_store() as store:
            found = health.find_drifting(store, utc_now())
            drifting = [drift for drift in found if drift.source in ids]
    except StoreMissing:
        pass  # sources can be asked before the first crawl

    with screen.progress("asking") as show_progress:
        checked = loop.run(
            source_check.check_sources(wanted, config.crawl, progress=show_progress)
        )
    source_views.show_checked(
        screen, checked, drifting, captures=config.store.captures, json=options.json
    )
    if not any(source.visited.poll.leads for source in checked):
        raise WorkFailed("no source answered with items; see what each one said above")


@sources.command()
@click.argument("address", metavar="URL")
@click.option(
    "--id",
    "id_",
    metavar="ID",
    help="What to call it.  [default: from its host]",
)
@click.option(
    "--name",
    metavar="TEXT",
    help="What people call it.  [default: what it calls itself]",
)
@click.option(
    "--kind",
    type=click.Choice(SOURCE_KINDS),
    help="Watch it by this.  [default: the best]",
)
@click.option("--dry-run", is_flag=True, help="Only show what there is.")
@json_option
@common_options
@click.pass_obj
def add(
    options: CommonOptions,
    /,
    address: str,
    *,
    id_: str | None,
    name: str | None,
    kind: str | None,
    dry_run: bool,
) -> None:
    """Find what a site can be watched by, and add the best.

    Its feeds, sitemaps and section page are tried; the entry goes to the end of the
    configuration.
    """
    from crawler import source_check
    from crawler.fetching import loop
    from scheduler import catalogue, config_values
    from scheduler.views import source_views

    screen, config = options.screen, options.load_config()
    if "://" not in address:
        address = f"https://{address}"
    try:
        config_values.parse_web_address(address)
    except config_values.InvalidValue as fault:
        raise UsageError(f"{config_values.quote_value(address)} {fault}") from None
    with screen.progress("looking") as show_progress:
        found = loop.run(
            source_check.find_sources(address, config.crawl, progress=show_progress)
        )
    source_views.show_offers(screen, found, json=options.json)
    best = catalogue.choose_best(found, kind)
    source = catalogue.build_source(config, best, id=id_, name=name)
    file = catalogue.writable_config_file(config)
    if not dry_run:
        catalogue.append_sources(file, [source])
    source_views.show_added(
        screen,
        source,
        catalogue.format_entry(source),
        str(file),
        written=not dry_run,
        json=options.json,
    )


@sources.command("import")
@click.argument("file", type=PATH)
@click.option("--dry-run", is_flag=True, help="Only say what would be added.")
@json_option
@common_options
@click.pass_obj
def import_(options: CommonOptions, /, file: Path, *, dry_run: bool) -> None:
    """Add the feeds of an OPML file that are not in the catalogue yet."""
    from scheduler import catalogue

    screen, config = options.screen, options.load_config()
    new, outlines = catalogue.read_opml_file(config, file)
    target = catalogue.writable_config_file(config)
    if new and not dry_run:
        catalogue.append_sources(target, new)
    known = len(outlines.feeds) - len(new)
    if options.json:
        screen.json_line(
            {
                "added": [source.id for source in new],
                "known": known,
                "unusable": outlines.unusable,
                "written": not dry_run,
            }
        )
        return
    if new:
        screen.table(("id", "feed"), [(source.id, source.url) for source in new])
    screen.line(
        f"{len(new)} added, {known} there already, "
        f"{outlines.unusable} without a usable address"
    )


@sources.command("export")
@click.argument("file", type=PATH)
@common_options
@click.pass_obj
def export(options: CommonOptions, /, file: Path) -> None:
    """Write the feeds of the catalogue as OPML, for feed readers."""
    from crawler.leads import opml

    config = options.load_config()
    file.write_bytes(opml.write_opml(config.sources))
    feeds = sum(source.kind == "feed" for source in config.sources)
    options.screen.line(
        f"{file}: {feeds} feeds; "
        f"{len(config.sources) - feeds} sources of other kinds have no place in OPML"
    )
