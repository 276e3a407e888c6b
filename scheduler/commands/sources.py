"""Commands for the catalogue.

What is watched, how each source is doing, what could be added.
"""

from pathlib import Path

import click

from scheduler.commands.options import PATH, CommonOptions, common_options, json_option
from storage.errors import WorkFailed

SOURCE_KINDS = ("feed", "sitemap", "section", "telegram")


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
def list_(call: CommonOptions, /, every: bool) -> None:
    """The catalogue, and what the database knows of each."""
    from scheduler import actions
    from scheduler.views import article_views

    article_views.show_sources(
        call.screen,
        actions.list_sources(call.load_config(), every=every),
        json=call.json,
    )


@sources.command()
@click.argument("source", metavar="ID")
@json_option
@common_options
@click.pass_obj
def show(call: CommonOptions, /, source: str) -> None:
    """One source: its settings, its state, its last visits."""
    from scheduler import actions
    from scheduler.views import source_views

    source_views.show_source(
        call.screen, actions.describe_source(call.load_config(), source), json=call.json
    )


@sources.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@json_option
@common_options
@click.pass_obj
def check(call: CommonOptions, /, sources: tuple[str, ...]) -> None:
    """Ask each once, and tell what to mend; keeps nothing.

    One page of each is tried. Where the pages of a source yield less than they did, one
    of them is shown.
    """
    from scheduler import actions
    from scheduler.views import source_views

    screen, config = call.screen, call.load_config()
    with screen.progress("asking") as progress:
        checked = actions.check_sources(config, sources, progress=progress)
    drifting = actions.find_drifting_sources(config, sources)
    source_views.show_checked(
        screen, checked, drifting, captures=config.store.captures, json=call.json
    )
    if not any(found.visited.poll.leads for found in checked):
        raise WorkFailed("no source answered with items; see what each one said above")


@sources.command()
@click.argument("address", metavar="URL")
@click.option(
    "--id", "id_", metavar="ID", help="What to call it.  [default: from its host]"
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
    call: CommonOptions, /, address: str, *, id_: str | None, name: str | None, kind: str | None, dry_run: bool
) -> None:  # fmt: skip
    """Find what a site can be watched by, and add the best.

    Its feeds, sitemaps and section page are tried; the entry goes to the end of the
    configuration.
    """
    from scheduler import actions, catalogue
    from scheduler.views import source_views

    screen, config = call.screen, call.load_config()
    with screen.progress("looking") as progress:
        found = actions.discover_sources(config, address, progress=progress)
    source_views.show_offers(screen, found, json=call.json)
    source = catalogue.build_source(
        config, catalogue.choose_best(found, kind), id=id_, name=name
    )
    file = catalogue.writable_config_file(config)
    if not dry_run:
        catalogue.append_sources(file, [source])
    source_views.show_added(
        screen,
        source,
        catalogue.format_entry(source),
        str(file),
        written=not dry_run,
        json=call.json,
    )


@sources.command("import")
@click.argument("file", type=PATH)
@click.option("--dry-run", is_flag=True, help="Only say what would be added.")
@json_option
@common_options
@click.pass_obj
def import_(call: CommonOptions, /, file: Path, *, dry_run: bool) -> None:
    """Add the feeds of an OPML file that are not in the catalogue yet."""
    from scheduler import catalogue

    config = call.load_config()
    new, outlines = catalogue.read_opml_file(config, file)
    target = catalogue.writable_config_file(config)
    if new and not dry_run:
        catalogue.append_sources(target, new)
    there = len(outlines.feeds) - len(new)
    if call.json:
        call.screen.json_line(
            {
                "added": [source.id for source in new],
                "known": there,
                "unusable": outlines.unusable,
                "written": not dry_run,
            }
        )
        return
    if new:
        call.screen.table(("id", "feed"), [(source.id, source.url) for source in new])
    call.screen.line(
        f"{len(new)} added, {there} there already, {outlines.unusable} without a usable address"
    )


@sources.command("export")
@click.argument("file", type=PATH)
@common_options
@click.pass_obj
def export(call: CommonOptions, /, file: Path) -> None:
    """Write the feeds of the catalogue as OPML, for feed readers."""
    from crawler.leads import opml

    config = call.load_config()
    file.write_bytes(opml.write_opml(config.sources))
    left = sum(source.kind != "feed" for source in config.sources)
    call.screen.line(
        f"{file}: {len(config.sources) - left} feeds; {left} sources of other kinds have no place in OPML"
    )
