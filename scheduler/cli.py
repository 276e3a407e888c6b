"""The command line: parse, call one function, print.

`docs/commands.md` is its contract.

Start-up is counted in milliseconds, so each command imports what it needs when it runs.
"""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from scheduler.commands import articles, sources
from scheduler.commands.options import (
    ARTICLE_ID,
    PATH,
    CommonOptions,
    common_options,
    filter_options,
    json_option,
    since_option,
    timeout_option,
    until_option,
)
from storage.errors import KhabarError, WorkFailed


class OrderedGroup(click.Group):
    """Commands in the order in which a newcomer needs them.

    Nothing is logged unless asked for.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; without -v, what its parts log goes nowhere.

        Faults come back as values and errors.
        """
        import logging

        root = logging.getLogger()
        if not root.handlers:
            root.addHandler(logging.NullHandler())
        try:
            return super().invoke(ctx)
        # The reader left, as `head` does; click would make it exit 1
        except BrokenPipeError:
            return _end_quietly()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they stand in this file."""
        del ctx
        return list(self.commands)


@click.group(
    cls=OrderedGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `khabar demo` (no network needed) or `khabar crawl`.",
)
@click.version_option(package_name="khabar", message="%(prog)s %(version)s")
@common_options
def khabar() -> None:
    """Watch the press for coverage of the conflict in Afghanistan."""


@khabar.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@since_option
@until_option
@click.option(
    "--force",
    is_flag=True,
    help="Also what was polled less than 5 minutes ago or asked for patience.",
)
@json_option
@common_options
@click.pass_obj
def crawl(
    call: CommonOptions,
    /,
    sources: tuple[str, ...],
    since: str | None,
    until: str | None,
    *,
    force: bool,
) -> None:
    """One pass now over the named sources, or all enabled ones."""
    from scheduler import actions
    from scheduler.views import progress_view

    view = progress_view.CrawlProgress(call.screen, json=call.json)
    with view.progress():
        report = actions.crawl(
            call.load_config(),
            sources,
            since=since,
            until=until,
            force=force,
            tell=view.show_event,
        )
    view.show_summary(report)
    if not report.any_visited:
        raise WorkFailed(progress_view.explain_no_answer(report))


@khabar.command()
@common_options
@click.pass_obj
def run(call: CommonOptions, /) -> None:
    """The service, in the foreground.

    SIGTERM stops it cleanly, SIGHUP reads the configuration again.
    """
    from scheduler import actions
    from scheduler.service import logs

    logs.set_up(verbose=call.verbose)
    actions.run_service(call.load_config(), call.config, call.db)


@khabar.command()
@filter_options
@click.option("--limit", metavar="N", help="At most so many.  [default: 20]")
@click.option("--sort", metavar="ORDER", help="newest or rank.  [default: newest]")
@click.option(
    "--facets", is_flag=True, help="Count by source, place, tag and day instead."
)
@timeout_option
@json_option
@common_options
@click.pass_obj
def search(
    call: CommonOptions,
    /,
    words: tuple[str, ...],
    *,
    facets: bool,
    patience: int,
    **typed: Any,
) -> None:
    """Articles, newest first or by rank.

    Words are all looked for; "phrases", OR, NOT, prefix*, title:word and parentheses
    work.
    """
    from scheduler.views import article_views
    from storage.model import utc_now
    from storage.query import criteria

    wanted = criteria.parse_criteria(_criteria_arguments(typed, words), now=utc_now())
    with call.read() as store, store.deadline(patience):
        if facets:
            counted = (
                store.search.facets(wanted),
                store.search.coverage(wanted),
            )
            article_views.show_facets(
                call.screen,
                *counted,
                store.search.corrections(wanted),
                json=call.json,
            )
        else:
            article_views.show_hits(
                call.screen, store.search.page(wanted), json=call.json
            )


def _criteria_arguments(
    options: dict[str, Any], words: tuple[str, ...]
) -> dict[str, list[str]]:
    """Options as `criteria.read` takes them: lists of what was typed."""
    lists = {
        name: value if isinstance(value, tuple) else (value,)
        for name, value in options.items()
        if value
    }
    return {name: [str(one) for one in value] for name, value in lists.items()} | {
        "q": [" ".join(words)]
    }


@khabar.command()
@click.argument("id", type=ARTICLE_ID)
@click.option(
    "--raw", "part", flag_value="raw", help="The kept response, byte for byte."
)
@click.option("--text", "part", flag_value="text", help="The text alone.")
@click.option(
    "--copies", "part", flag_value="copies", help="Who carried it, who was first."
)
@click.option(
    "--history", "part", flag_value="history", help="What was changed in it, and when."
)
@click.option(
    "--why", "part", flag_value="why", help="Why it was kept, and what was cut."
)
@json_option
@common_options
@click.pass_obj
def show(call: CommonOptions, /, id: int, part: str | None) -> None:  # noqa: A002  # the contract's word
    """One article, whole."""
    from scheduler import actions
    from scheduler.views import article_views, duplicates_view

    screen = call.screen
    with call.read() as store:
        article, record = actions.read_article(store, id)
        if part == "raw":
            screen.raw(actions.read_raw_page(store, article))
        elif part == "text":
            screen.line(article.text)
        elif part == "copies":
            duplicates_view.show_syndication(screen, store, article, json=call.json)
        elif part == "history":
            duplicates_view.show_history(
                screen,
                article,
                store.articles.revisions(article.document_id),
                json=call.json,
            )
        elif part == "why":
            article_views.show_explanation(
                screen, store.fates.explain(article.id), json=call.json
            )
        else:
            article_views.show_article(
                screen,
                article,
                record,
                store.annotations.of_article(article.id),
                json=call.json,
            )


@khabar.command()
@click.option(
    "--since",
    metavar="CURSOR",
    type=click.IntRange(min=0),
    default=0,
    help="After this one.  [default: all]",
)
@click.option(
    "--follow", is_flag=True, help="Go on with what comes, until interrupted."
)
@json_option
@common_options
@click.pass_obj
def tail(call: CommonOptions, /, since: int, *, follow: bool) -> None:
    """What changed, in order, each with the cursor to go on from."""
    from scheduler import exports
    from scheduler.views import article_views

    screen = call.screen
    with call.read() as store:
        exports.tail(
            store,
            since,
            follow=follow,
            tell=lambda entry: article_views.show_change(screen, entry, json=call.json),
        )


@khabar.command()
@filter_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "parquet", "atom"]),
    required=True,
)
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    help="Into this file.  [default: standard output]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many.  [default: all]",
)
@common_options
@click.pass_obj
def export(
    call: CommonOptions,
    /,
    words: tuple[str, ...],
    *,
    form: str,
    output: Path | None,
    limit: int | None,
    **typed: Any,
) -> None:
    """All that a search finds, as JSONL, CSV, Parquet or Atom."""
    from scheduler import exports
    from storage.model import utc_now
    from storage.query import criteria

    wanted = criteria.parse_criteria(_criteria_arguments(typed, words), now=utc_now())
    call.screen.out.flush()
    with (
        call.read() as store,
        exports.open_target(output, sys.stdout.buffer, form=form) as sink,
    ):
        exports.write_export(store, wanted, form=form, sink=sink, most=limit)


@khabar.command()
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
def serve(call: CommonOptions, /, host: str, port: int, token: str) -> None:
    """Pages to read in a browser.

    What is new, search, a map, the sources; nothing can be changed there.
    """
    from scheduler import web

    web.serve(
        call.load_config(), host=host, port=port, token=token, tell=call.screen.note
    )


@khabar.command("import")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@json_option
@common_options
@click.pass_obj
def import_(call: CommonOptions, /, files: tuple[Path, ...]) -> None:
    """Take in files of captures (WARC, WACZ) or articles (JSONL).

    Through the same desk as a crawl, by the service if it runs; - is standard input.
    """
    from scheduler import actions
    from scheduler.views import progress_view

    screen = call.screen
    with screen.progress("importing") as progress:
        report = actions.import_files(
            call.load_config(), files, warn=lambda fault: screen.note(screen.safe_text(fault)), every=bool(call.verbose),
            progress=lambda taken: progress(progress_view.format_import_progress(taken)),
        )  # fmt: skip
    progress_view.show_import_summary(screen, report, json=call.json)
    if report.nothing_taken:
        raise WorkFailed("nothing could be taken in; the warnings above say why")


@khabar.command()
@filter_options
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only show what would change; also while the service runs.",
)
@json_option
@common_options
@click.pass_obj
def reprocess(
    call: CommonOptions, /, words: tuple[str, ...], *, dry_run: bool, **typed: Any
) -> None:
    """Read kept raw pages anew, by today's rules.

    Asks nothing of the web; by the service if it runs.
    """
    from scheduler import actions
    from scheduler.views import duplicates_view
    from storage.model import utc_now
    from storage.query import criteria

    screen = call.screen
    wanted = criteria.parse_criteria(_criteria_arguments(typed, words), now=utc_now())
    with screen.progress("reading anew") as progress:
        counted = actions.reprocess(
            call.load_config(), wanted, dry_run=dry_run, progress=lambda counts: progress(duplicates_view.format_reprocess_progress(counts)),
            tell=lambda redone: duplicates_view.show_reprocessed_page(screen, redone, json=call.json),
        )  # fmt: skip
    duplicates_view.show_reprocess_summary(
        screen, counted, dry_run=dry_run, json=call.json
    )


@khabar.command()
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@common_options
@click.pass_obj
def extract(call: CommonOptions, /, files: tuple[Path, ...]) -> None:
    """Saved pages or WARC files to one JSON object a page.

    Writes nothing, judges no relevance.
    """
    from scheduler import actions

    screen = call.screen
    if actions.extract(
        files, tell=screen.json_line, warn=screen.note, every=bool(call.verbose)
    ):
        raise WorkFailed("some files could not be read; the warnings above say which")


@khabar.command()
@click.argument("what", metavar="URL|ID|FILE")
@click.argument("other", metavar="[URL|ID]", required=False)
@click.option(
    "--raw",
    is_flag=True,
    help="The kept response instead, byte for byte, also of a page that was dropped.",
)
@json_option
@common_options
@click.pass_obj
def explain(call: CommonOptions, /, what: str, other: str | None, *, raw: bool) -> None:
    """The fate of a page, and why; of two, why they are one or not."""
    from scheduler import actions
    from scheduler.views import article_views, duplicates_view

    if other is None and Path(what).is_file():
        article_views.show_saved_page(
            call.screen,
            actions.explain_file(Path(what), call.load_config()),
            json=call.json,
        )
        return
    with call.read() as store:
        if other is not None:
            duplicates_view.show_comparison(
                call.screen, store, what, other, json=call.json
            )
            return
        known = actions.explain(store, what)
        if raw:
            call.screen.raw(actions.read_explained_raw_page(store, known))
            return
        article_views.show_explanation(call.screen, known, json=call.json)
        if not known["found"]:
            raise WorkFailed(
                f"nothing is known of {what}: no source has pointed to it yet"
            )


for command in articles.COMMANDS:
    khabar.add_command(command)


khabar.add_command(sources.sources)


@khabar.command()
@json_option
@common_options
@click.pass_obj
def status(call: CommonOptions, /) -> None:
    """Is it working, not only alive."""
    from scheduler import health
    from scheduler.views import status_view
    from storage.model import utc_now

    config = call.load_config()
    with call.read() as store:
        found = health.read_status(store, config, utc_now())
    status_view.show_status(call.screen, found, json=call.json)
    if not found.well:
        raise click.exceptions.Exit(1)


@khabar.command()
@json_option
@common_options
@click.pass_obj
def doctor(call: CommonOptions, /) -> None:
    """What is in the way, and how to mend it.

    Looks at installation, configuration, file, disk, clock and network.
    """
    from scheduler import doctor as examining
    from scheduler.views import status_view

    if not status_view.show_findings(
        call.screen, examining.run_checks(call.load_config()), json=call.json
    ):
        raise click.exceptions.Exit(1)


@khabar.command()
@click.argument("file", type=PATH)
@common_options
@click.pass_obj
def backup(call: CommonOptions, /, file: Path) -> None:
    """A consistent copy of the database while it is written to."""
    from scheduler import actions

    actions.copy_store(call.load_config(), file)
    call.screen.line(
        f"{file}: copied; put it in the database's place to restore it, with the service stopped"
    )


@khabar.command()
@click.argument("what", metavar="[URL|ID]", required=False)
@click.option("--source", metavar="ID", help="Everything of this source.")
@json_option
@common_options
@click.pass_obj
def forget(call: CommonOptions, /, what: str | None, source: str | None) -> None:
    """Erase a text everywhere; only a tombstone stays.

    From the index, copies, revisions and raw pages.
    """
    from scheduler import actions

    if (what is None) == (source is None):
        raise click.UsageError("name a URL or a number, or --source ID")
    number = (
        int(what)
        if what and what.isascii() and what.isdecimal() and len(what) < 19
        else what
    )
    erased = actions.forget(call.load_config(), number, source=source)
    if call.json:
        call.screen.json_line({"documents": erased})
    else:
        call.screen.line(f"{len(erased)} documents erased")


@khabar.group("config")
@common_options
def configuration() -> None:
    """Check the configuration."""


@configuration.command("check")
@common_options
@click.pass_obj
def check_config(call: CommonOptions, /) -> None:
    """Every fault at once."""
    from scheduler import catalogue, config

    loaded = config.load_config(call.config)
    call.screen.line(
        f"{loaded.path}: good; {len(loaded.sources)} sources, {len(loaded.enabled_sources)} of them switched on"
    )
    for first, second in catalogue.find_duplicates(loaded):
        call.screen.note(f"{second} has the address of {first}: keep one of them")


@khabar.command()
@click.option(
    "--keep",
    type=PATH,
    metavar="DIR",
    help="Keep the database and raw pages in this new folder.",
)
@common_options
@click.pass_obj
def demo(call: CommonOptions, /, keep: Path | None) -> None:
    """The whole way on a small invented web; no network needed."""
    from scheduler import demo

    demo.run_demo(call.screen, keep=keep)


def main(arguments: list[str] | None = None) -> NoReturn:
    """The process.

    One command, one exit code, and for a fault one line that says what to do.
    """
    call = CommonOptions()
    sys.exit(_run_command(arguments, call))


def _run_command(arguments: list[str] | None, call: CommonOptions) -> int:
    try:
        code = khabar.main(
            arguments, prog_name="khabar", standalone_mode=False, obj=call
        )
        sys.stdout.flush()
    except BrokenPipeError:
        return _end_quietly()
    except (KeyboardInterrupt, click.Abort) as fault:
        return _print_error(_interruption_message(fault) or "stopped", 130)
    except click.UsageError as fault:
        path = fault.ctx.command_path if fault.ctx else "khabar"
        return _print_error(
            f"{path}: {fault.format_message().rstrip('.')}; see `{path} --help`", 2
        )
    except click.ClickException as fault:
        return _print_error(fault.format_message(), 2)
    except Exception as fault:  # noqa: BLE001 - the process boundary: whatever it was, one line and a code
        return _report_fault(fault, call)
    return code if isinstance(code, int) else 0


def _interruption_message(fault: BaseException) -> str:
    """What an interrupted work has to say.

    Click puts its own fault in the place of the interruption.
    """
    return str(fault.__cause__ or fault.__context__ or fault)


def _report_fault(fault: Exception, call: CommonOptions) -> int:
    if call.verbose:
        import traceback

        traceback.print_exception(fault)
    if isinstance(fault, KhabarError):
        return _print_error(str(fault), fault.exit_code)
    if isinstance(fault, OSError):
        where = f"{fault.filename}: " if fault.filename else ""
        return _print_error(f"{where}{fault.strerror or fault}", 1)
    return _print_error(
        f"this should not have happened ({type(fault).__name__}: {fault}); run again with -v and report it",
        1,
    )


def _print_error(message: str, code: int) -> int:
    from scheduler.views.terminal import strip_controls

    for line in message.splitlines() or [""]:
        print(f"khabar: {strip_controls(line)}", file=sys.stderr)  # noqa: T201 - what a command line is for
    return code


def _end_quietly() -> int:
    """The reader of our output has left, as `head` does.

    No complaint, and nothing more to flush at exit.
    """
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    main()
