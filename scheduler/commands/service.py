"""Commands for the service and its file: run it, look after it, serve what it found."""

from pathlib import Path

import click

from scheduler.commands.options import PATH, CommonOptions, common_options, json_option


@click.command()
@common_options
@click.pass_obj
def run(options: CommonOptions, /) -> None:
    """The service, in the foreground.

    SIGTERM stops it cleanly, SIGHUP reads the configuration again.
    """
    from crawler.fetching import loop
    from scheduler.open_store import open_for_writing
    from scheduler.service import logs
    from scheduler.service.daemon import Service

    logs.set_up(verbose=options.verbose)
    config = options.load_config()
    with open_for_writing(config) as store:
        service = Service(store, config, read_config=options.load_config)
        loop.run(service.run())


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Others need --token.",
)
@click.option("--port", type=click.IntRange(1, 65_535), default=8001, show_default=True)
@click.option(
    "--token",
    metavar="SECRET",
    envvar="KHABAR_TOKEN",
    default="",
    help="Asked of every reader; 16 or more.",
)
@common_options
@click.pass_obj
def serve(options: CommonOptions, /, host: str, port: int, token: str) -> None:
    """Pages to read in a browser.

    What is new, search, a map, the sources; nothing can be changed there.
    """
    from scheduler import web

    config = options.load_config()
    web.serve(config, host=host, port=port, token=token, on_ready=options.screen.note)


@click.command()
@common_options
@click.pass_obj
def mcp(options: CommonOptions, /) -> None:
    """Answer a language model (MCP).

    Over standard input and output: search, timeline, article, copies.
    """
    from scheduler import mcp as server

    server.serve(options.load_config())


@click.command()
@json_option
@common_options
@click.pass_obj
def status(options: CommonOptions, /) -> None:
    """Is it working, not only alive."""
    from scheduler import health
    from scheduler.open_store import open_for_reading
    from scheduler.views import status_view
    from storage.model import utc_now

    config, faults = options.load_readable_config()
    with open_for_reading(config) as store:
        state = health.read_status(store, config, utc_now(), config_faults=faults)
    status_view.show_status(options.screen, state, json=options.json)
    if not state.well:
        raise click.exceptions.Exit(1)


@click.command()
@json_option
@common_options
@click.pass_obj
def doctor(options: CommonOptions, /) -> None:
    """What is in the way, and how to mend it.

    Looks at installation, configuration, file, disk, clock and network.
    """
    from scheduler import doctor as checks
    from scheduler.views import status_view

    findings = checks.run_checks(options.load_config())
    well = status_view.show_findings(options.screen, findings, json=options.json)
    if not well:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("file", type=PATH)
@common_options
@click.pass_obj
def backup(options: CommonOptions, /, file: Path) -> None:
    """A consistent copy of the database while it is written to.

    It is verified, and never replaces one that holds more. Raw pages are plain files:
    copy their folder.
    """
    with options.open_store() as store:
        store.backup(file)
    options.screen.line(
        f"{file}: copied; `khabar restore {file}` puts it in the database's place, "
        "with the service stopped"
    )


@click.command()
@click.argument("file", type=PATH)
@common_options
@click.pass_obj
def restore(options: CommonOptions, /, file: Path) -> None:
    """Put a copy in the database's place, with the service stopped.

    The database that is there is moved aside; raw pages stay, and are looked for.
    """
    from scheduler.views.formatting import format_count
    from storage.store import restore as restore_copy

    config = options.load_config()
    screen = options.screen
    path = config.store.path
    done = restore_copy(file, path, captures=config.store.captures)
    screen.line(f"{path}: {format_count(done.documents, 'text')}, from {file}")
    if done.aside is not None:
        screen.line(f"{done.aside}: the database that was there")
    if config.store.captures is None:
        return
    here = done.captures - done.unreadable
    screen.line(
        f"{config.store.captures}: {here:,} of {done.captures:,} raw pages are there"
    )
    if done.unreadable:
        screen.note(
            f"{done.unreadable:,} raw pages are gone; put the copy of their folder back"
        )
    if done.newer_files:
        files = format_count(done.newer_files, "WARC file")
        screen.note(
            f"{files} of the folder are not named by this copy; `khabar import "
            f"{config.store.captures}/kept/*.warc.gz` takes in what came after it"
        )


@click.group("config")
@common_options
def configuration() -> None:
    """Check the configuration."""


@configuration.command("check")
@common_options
@click.pass_obj
def check(options: CommonOptions, /) -> None:
    """Every fault at once."""
    from scheduler import catalogue, config

    loaded = config.load_config(options.config)
    options.screen.line(
        f"{loaded.path}: good; {len(loaded.sources)} sources, "
        f"{len(loaded.enabled_sources)} of them switched on"
    )
    for first, second in catalogue.find_duplicates(loaded):
        options.screen.note(f"{second} has the address of {first}: keep one of them")


@click.command()
@click.option(
    "--keep",
    type=PATH,
    metavar="DIR",
    help="Keep the database and raw pages in this new folder.",
)
@common_options
@click.pass_obj
def demo(options: CommonOptions, /, keep: Path | None) -> None:
    """The whole pipeline on a small built-in web; no network needed."""
    from scheduler import demo as demonstration

    demonstration.run_demo(options.screen, keep=keep)
