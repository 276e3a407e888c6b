"""Commands on articles: find, show, hand out and correct them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scheduler.commands.options import (
    ARTICLE_ID,
    PATH,
    CommonOptions,
    common_options,
    filter_options,
    json_option,
    parse_filters,
    parse_url_or_id,
    timeout_option,
)
from storage.errors import UsageError, WorkFailed

if TYPE_CHECKING:
    from storage.store import Store


@click.command()
@filter_options
@click.option("--limit", metavar="N", help="At most so many.  [default: 20]")
@click.option("--sort", metavar="ORDER", help="newest or rank.  [default: newest]")
@click.option(
    "--facets",
    is_flag=True,
    help="Count by source, place, tag and day instead.",
)
@timeout_option
@json_option
@common_options
@click.pass_obj
def search(
    options: CommonOptions,
    /,
    words: tuple[str, ...],
    *,
    facets: bool,
    timeout_seconds: int,
    **filters: Any,
) -> None:
    """Articles, newest first or by rank.

    Words are all looked for; "phrases", OR, NOT, prefix*, title:word and parentheses
    work.
    """
    from scheduler.views import search_view

    criteria = parse_filters(words, filters)
    with options.open_store() as store, store.deadline(timeout_seconds):
        if not facets:
            hits = store.search.page(criteria)
            search_view.show_hits(options.screen, hits, json=options.json)
            return
        search_view.show_facets(
            options.screen,
            store.search.facets(criteria),
            store.search.coverage(criteria),
            store.search.corrections(criteria),
            json=options.json,
        )


@click.command()
@click.argument("id", type=ARTICLE_ID)
@click.option(
    "--raw",
    "part",
    flag_value="raw",
    help="The kept response, byte for byte.",
)
@click.option(
    "--text",
    "part",
    flag_value="text",
    help="The text alone.",
)
@click.option(
    "--copies",
    "part",
    flag_value="copies",
    help="Who carried it, who was first.",
)
@click.option(
    "--history",
    "part",
    flag_value="history",
    help="What was changed in it, and when.",
)
@click.option(
    "--why",
    "part",
    flag_value="why",
    help="Why it was kept, and what was cut.",
)
@json_option
@common_options
@click.pass_obj
def show(options: CommonOptions, /, id: int, part: str | None) -> None:  # noqa: A002  # the contract's word
    """One article, whole."""
    from scheduler.views import article_views, duplicates_view

    screen, json = options.screen, options.json
    with options.open_store() as store:
        article = store.articles.find(id)
        record = store.articles.record(id)
        if article is None or record is None:
            raise WorkFailed(
                f"there is no article {id}; `khabar search` shows the numbers"
            )
        if part == "raw":
            screen.raw(_read_raw_body(store, article.capture_id, f"article {id}"))
        elif part == "text":
            screen.line(article.text)
        elif part == "copies":
            duplicates_view.show_syndication(screen, store, article, json=json)
        elif part == "history":
            revisions = store.articles.revisions(article.document_id)
            duplicates_view.show_history(screen, article, revisions, json=json)
        elif part == "why":
            article_views.show_explanation(screen, store.fates.explain(id), json=json)
        else:
            said = store.annotations.of_article(id)
            article_views.show_article(screen, article, record, said, json=json)


@click.command()
@click.option(
    "--since",
    metavar="CURSOR",
    type=click.IntRange(min=0),
    default=0,
    help="After this one.  [default: all]",
)
@click.option(
    "--follow",
    is_flag=True,
    help="Go on with what comes, until interrupted.",
)
@json_option
@common_options
@click.pass_obj
def tail(options: CommonOptions, /, since: int, *, follow: bool) -> None:
    """What changed, in order, each with the cursor to go on from."""
    from scheduler import exports
    from scheduler.views import search_view

    screen = options.screen
    exports.tail(
        options.open_store,
        since,
        follow=follow,
        on_change=lambda entry: search_view.show_change(
            screen, entry, json=options.json
        ),
        note=screen.note,
    )


@click.command()
@filter_options
@click.option(
    "--format",
    "format_name",
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
    options: CommonOptions,
    /,
    words: tuple[str, ...],
    *,
    format_name: str,
    output: Path | None,
    limit: int | None,
    **filters: Any,
) -> None:
    """All that a search finds, as JSONL, CSV, Parquet or Atom."""
    from scheduler import exports

    criteria = parse_filters(words, filters)
    options.screen.out.flush()
    stdout = sys.stdout.buffer
    with (
        options.open_store() as store,
        exports.open_target(output, stdout, form=format_name) as sink,
    ):
        exports.write_export(store, criteria, form=format_name, sink=sink, most=limit)


@click.command()
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
def explain(
    options: CommonOptions, /, what: str, other: str | None, *, raw: bool
) -> None:
    """The fate of a page, and why; of two, why they are one or not."""
    from scheduler.views import article_views, duplicates_view

    screen, json = options.screen, options.json
    file = Path(what)
    if other is None and file.is_file():
        _explain_file(options, file)
        return
    with options.open_store() as store:
        if other is not None:
            duplicates_view.show_comparison(
                screen,
                store,
                parse_url_or_id(what),
                parse_url_or_id(other),
                json=json,
            )
            return
        known = store.fates.explain(parse_url_or_id(what))
        if raw:
            capture = known["capture"]
            number = capture["id"] if capture else None
            screen.raw(_read_raw_body(store, number, known["url"]))
            return
        article_views.show_explanation(screen, known, json=json)
        if not known["found"]:
            raise WorkFailed(
                f"nothing is known of {what}: no source has pointed to it yet"
            )


def _read_raw_body(store: "Store", capture_id: int | None, name: str) -> bytes:
    """A kept response, byte for byte. Raises WorkFailed where none is kept."""
    page = None
    if capture_id is not None:
        page = store.captures.page(capture_id)
    if page is None:
        raise WorkFailed(f"the raw page of {name} was not kept, or has expired")
    return page.body


def _explain_file(options: CommonOptions, file: Path) -> None:
    """What a crawl would make of a saved page; nothing is stored."""
    from crawler import intake
    from crawler.files import saved
    from scheduler.views import article_views
    from storage.model import utc_now

    page = next(saved.read_pages(file, lambda _: None), None)
    if page is None:
        raise UsageError(f"{file} holds no page")
    settings = options.load_config().crawl
    landing = intake.process_page(page.page, None, settings=settings, now=utc_now())
    article_views.show_saved_page(options.screen, landing, json=options.json)


@click.command()
@click.argument("what", metavar="[URL|ID]", required=False)
@click.option(
    "--relevant",
    "label",
    flag_value="relevant",
    help="It is about the conflict; dropped texts come back.",
)
@click.option(
    "--irrelevant",
    "label",
    flag_value="irrelevant",
    help="It is not; it goes with its copies.",
)
@click.option("--copy-of", metavar="URL|ID", help="It is a copy of that one.")
@click.option("--not-a-copy-of", metavar="URL|ID", help="It is none of that one.")
@click.option("--tag", metavar="TEXT", help="Put a tag of yours on it.")
@click.option("--untag", metavar="TEXT", help="Take it off.")
@click.option(
    "--list",
    "listing",
    is_flag=True,
    help="All that was ever said, with the texts as they were.",
)
@json_option
@common_options
@click.pass_obj
def mark(
    options: CommonOptions, /, what: str | None, *, listing: bool, **marks: Any
) -> None:
    """Correct what khabar decided; it holds for later readings too."""
    from scheduler import actions
    from scheduler.views import article_views

    given = {name: value for name, value in marks.items() if value is not None}
    if listing:
        if what or given:
            raise click.UsageError("--list stands alone")
        with options.open_store() as store:
            annotations = store.annotations.all()
            article_views.show_annotations(
                options.screen, annotations, json=options.json
            )
        return
    if what is None or len(given) != 1:
        raise click.UsageError("name a URL or a number, and one thing to say of it")

    ((name, value),) = given.items()
    request: dict[str, Any] = {"what": parse_url_or_id(what)}
    if name == "label":
        request |= {"label": value}
    elif name in {"tag", "untag"}:
        request |= {"label": "tag", "tag": value, "is_off": name == "untag"}
    else:
        request |= {"label": name.removesuffix("_of"), "other": parse_url_or_id(value)}
    outcome = actions.mark(options.load_config(), request)
    article_views.show_correction(options.screen, outcome, json=options.json)


@click.command()
@click.option(
    "--day",
    metavar="DAY",
    default="yesterday",
    show_default=True,
    help="2026-11-22, today, 2d (ago); UTC.",
)
@click.option(
    "--place",
    "places",
    multiple=True,
    metavar="NAME",
    help="Only what names this place; may be repeated.",
)
@json_option
@common_options
@click.pass_obj
def brief(options: CommonOptions, /, day: str, places: tuple[str, ...]) -> None:
    """A day as Markdown.

    By province, who claims what, what was corrected, what could not be seen.
    """
    from dataclasses import asdict

    from scheduler.views import brief_view
    from storage.model import utc_now
    from storage.query import criteria

    since, until = criteria.parse_day(day, now=utc_now())
    named = tuple(name for name in places if name.strip())
    with options.open_store() as store:
        summary = store.search.brief(since, until, named)
    if options.json:
        options.screen.json_line(asdict(summary))
        return
    for line in brief_view.to_markdown(summary):
        options.screen.line(line)


@click.command()
@click.argument("id", type=ARTICLE_ID)
@click.option(
    "--output",
    type=PATH,
    metavar="DIR",
    required=True,
    help="A folder that is not there yet.",
)
@json_option
@common_options
@click.pass_obj
def evidence(options: CommonOptions, /, id: int, output: Path) -> None:  # noqa: A002  # the contract's word
    """A case folder of an article, with hashes to check it by.

    Raw pages, all states, copies.
    """
    from dataclasses import asdict

    from scheduler.version import installed_version
    from scheduler.views.formatting import format_count
    from storage import case_folder
    from storage.model import utc_now

    screen = options.screen
    with options.open_store() as store:
        folder = case_folder.write_case_folder(
            store, id, output, now=utc_now(), version=installed_version()
        )
    if options.json:
        screen.json_line(asdict(folder))
        return
    for fault in folder.missing:
        screen.note(f"missing: {screen.safe_text(fault)}")
    texts = format_count(folder.documents, "text")
    former = format_count(folder.revisions, "former state")
    raw = format_count(folder.captures, "raw page")
    screen.line(
        f"{folder.folder}: {texts}, {former}, {raw}; "
        f"check it with `sha256sum -c {case_folder.SUMS_FILE}` in there"
    )


@click.command()
@click.argument("what", metavar="[URL|ID]", required=False)
@click.option("--source", metavar="ID", help="Everything of this source.")
@click.option("--dry-run", is_flag=True, help="Name what would go; erase nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@common_options
@click.pass_obj
def forget(
    options: CommonOptions,
    /,
    what: str | None,
    source: str | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Erase a text everywhere; only a tombstone stays.

    From the index, copies, revisions and raw pages. Asks on a terminal.
    """
    from scheduler import actions
    from scheduler.views import article_views

    if (what is None) == (source is None):
        raise click.UsageError("name a URL or a number, or --source ID")
    if source is not None:
        request: dict[str, Any] = {"source": source}
    else:
        request = {"what": parse_url_or_id(what or "")}
    config, screen = options.load_config(), options.screen
    if dry_run or (not yes and screen.can_ask()):
        doomed = actions.list_forgettable(config, request)
        article_views.show_forgettable(screen, doomed, json=options.json)
        if dry_run:
            return
        click.confirm("Erase this for good?", abort=True, err=True)
    erased = actions.forget(config, request)
    if options.json:
        screen.json_line({"documents": erased})
    else:
        screen.line(f"{len(erased)} documents erased")
    for file in actions.list_older_copies(config):
        screen.note(f"{file} was made before, and may still hold it")
