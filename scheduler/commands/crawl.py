"""Commands that take pages in: from the web, from files, from what is kept."""

from pathlib import Path
from typing import Any

import click

from scheduler.commands.options import (
    PATH,
    CommonOptions,
    common_options,
    filter_options,
    json_option,
    parse_filters,
    since_option,
    until_option,
)
from storage.errors import WorkFailed


@click.command()
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
    options: CommonOptions,
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

    view = progress_view.CrawlProgress(options.screen, json=options.json)
    with view.progress():
        report = actions.crawl(
            options.load_config(),
            sources,
            since=since,
            until=until,
            force=force,
            on_event=view.show_event,
        )
    view.show_summary(report)
    if not report.any_visited:
        raise WorkFailed(progress_view.explain_no_answer(report))


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@json_option
@common_options
@click.pass_obj
def import_(options: CommonOptions, /, files: tuple[Path, ...]) -> None:
    """Take in files of captures (WARC, WACZ) or articles (JSONL).

    Judged as in a crawl, by the service if it runs; - is standard input.
    """
    from scheduler import actions
    from scheduler.views import progress_view

    screen = options.screen
    with screen.progress("importing") as show_progress:
        counts = actions.import_files(
            options.load_config(),
            files,
            warn=lambda fault: screen.note(screen.safe_text(fault)),
            on_progress=lambda so_far: show_progress(
                progress_view.format_import_progress(so_far)
            ),
            every_fault=bool(options.verbose),
        )
    progress_view.show_import_summary(screen, counts, json=options.json)
    if counts.nothing_taken:
        raise WorkFailed("nothing could be taken in; the warnings above say why")


@click.command()
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
    options: CommonOptions,
    /,
    words: tuple[str, ...],
    *,
    dry_run: bool,
    **filters: Any,
) -> None:
    """Read kept raw pages anew, by today's rules.

    Asks nothing of the web; by the service if it runs.
    """
    from scheduler import actions
    from scheduler.views import reprocess_view

    screen = options.screen
    criteria = parse_filters(words, filters)
    with screen.progress("reading anew") as show_progress:
        counts = actions.reprocess(
            options.load_config(),
            criteria,
            dry_run=dry_run,
            on_page=lambda page: reprocess_view.show_reprocessed_page(
                screen, page, json=options.json
            ),
            on_progress=lambda so_far: show_progress(
                reprocess_view.format_reprocess_progress(so_far)
            ),
        )
    reprocess_view.show_reprocess_summary(
        screen, counts, dry_run=dry_run, json=options.json
    )
    lost = counts.get("lost", 0)
    if lost:
        raise WorkFailed(
            f"{lost:,} of {counts['pages']:,} raw pages could not be read; "
            "`khabar doctor` says which are gone, cut or changed"
        )


@click.command()
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@common_options
@click.pass_obj
def extract(options: CommonOptions, /, files: tuple[Path, ...]) -> None:
    """Saved pages or WARC files to one JSON object a page.

    Writes nothing, judges no relevance.
    """
    import asyncio

    from crawler.files import extracting

    screen = options.screen
    unreadable = asyncio.run(
        extracting.extract(
            files,
            tell=screen.json_line,
            warn=screen.note,
            every=bool(options.verbose),
        )
    )
    if unreadable:
        raise WorkFailed("some files could not be read; the warnings above say which")
