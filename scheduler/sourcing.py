"""Commands for the catalogue: what is watched, how each source is doing, what could be added."""

from pathlib import Path

import click

from scheduler.options import FILES, Call, as_json, common
from storage.errors import WorkFailed

KINDS = ("feed", "sitemap", "section", "telegram")


@click.group()
@common
def sources() -> None:
    """What is watched, and how each source is doing."""


@sources.command("list")
@click.option("--all/--enabled", "every", default=True, help="Also those that are switched off.  [default: all]")
@as_json
@common
@click.pass_obj
def list_(call: Call, /, every: bool) -> None:
    """The catalogue, and what the database knows of each."""
    from scheduler import jobs
    from scheduler.showing import views

    views.catalogue(call.screen, jobs.catalogue(call.load(), every=every), json=call.json)


@sources.command()
@click.argument("source", metavar="ID")
@as_json
@common
@click.pass_obj
def show(call: Call, /, source: str) -> None:
    """One source: its settings, its state, its last visits."""
    from scheduler import jobs
    from scheduler.showing import sourceviews

    sourceviews.shown(call.screen, jobs.source(call.load(), source), json=call.json)


@sources.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@as_json
@common
@click.pass_obj
def check(call: Call, /, sources: tuple[str, ...]) -> None:
    """Ask each once, and tell what to mend; keeps nothing.

    One page of each is tried. Where the pages of a source yield less than they did, one of them is shown.
    """
    from scheduler import jobs
    from scheduler.showing import sourceviews

    screen, config = call.screen, call.load()
    with screen.progress("asking") as progress:
        checked = jobs.check_sources(config, sources, progress=progress)
    drifting = jobs.drifting(config, sources)
    sourceviews.checked(screen, checked, drifting, captures=config.store.captures, json=call.json)
    if not any(found.visited.poll.leads for found in checked):
        raise WorkFailed("no source answered with items; see what each one said above")


@sources.command()
@click.argument("address", metavar="URL")
@click.option("--id", "id_", metavar="ID", help="What to call it.  [default: from its host]")
@click.option("--name", metavar="TEXT", help="What people call it.  [default: what it calls itself]")
@click.option("--kind", type=click.Choice(KINDS), help="Watch it by this.  [default: the best]")
@click.option("--dry-run", is_flag=True, help="Only show what there is.")
@as_json
@common
@click.pass_obj
def add(
    call: Call, /, address: str, *, id_: str | None, name: str | None, kind: str | None, dry_run: bool
) -> None:  # fmt: skip
    """Find what a site can be watched by, and add the best.

    Its feeds, sitemaps and section page are tried; the entry goes to the end of the configuration.
    """
    from scheduler import catalogue, jobs
    from scheduler.showing import sourceviews

    screen, config = call.screen, call.load()
    with screen.progress("looking") as progress:
        found = jobs.discover(config, address, progress=progress)
    sourceviews.offers(screen, found, json=call.json)
    source = catalogue.named(config, catalogue.chosen(found, kind), id=id_, name=name)
    file = catalogue.writable(config)
    if not dry_run:
        catalogue.append(file, [source])
    sourceviews.added(screen, source, catalogue.entry(source), str(file), written=not dry_run, json=call.json)


@sources.command("import")
@click.argument("file", type=FILES)
@click.option("--dry-run", is_flag=True, help="Only say what would be added.")
@as_json
@common
@click.pass_obj
def import_(call: Call, /, file: Path, *, dry_run: bool) -> None:
    """Add the feeds of an OPML file that are not in the catalogue yet."""
    from scheduler import catalogue

    config = call.load()
    new, outlines = catalogue.taken_in(config, file)
    target = catalogue.writable(config)
    if new and not dry_run:
        catalogue.append(target, new)
    there = len(outlines.feeds) - len(new)
    if call.json:
        call.screen.fact(
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
    call.screen.line(f"{len(new)} added, {there} there already, {outlines.unusable} without a usable address")


@sources.command("export")
@click.argument("file", type=FILES)
@common
@click.pass_obj
def export(call: Call, /, file: Path) -> None:
    """Write the feeds of the catalogue as OPML, for feed readers."""
    from crawler.leads import opml

    config = call.load()
    file.write_bytes(opml.write(config.sources))
    left = sum(source.kind != "feed" for source in config.sources)
    call.screen.line(f"{file}: {len(config.sources) - left} feeds; {left} sources of other kinds have no place in OPML")
