"""Commands for working with what was found.

Say what is right, tell a day, hand out a case, answer a model.
"""

from pathlib import Path
from typing import Any

import click

from scheduler.commands.options import (
    ARTICLE_ID,
    PATH,
    CommonOptions,
    common_options,
    installed_version,
    json_option,
    parse_url_or_id,
)


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
    call: CommonOptions, /, what: str | None, *, listing: bool, **said: Any
) -> None:
    """Correct the machine; it holds whatever is read again."""
    from scheduler import actions
    from scheduler.views import article_views

    given = {name: value for name, value in said.items() if value is not None}
    if listing and (what or given):
        raise click.UsageError("--list stands alone")
    if listing:
        with call.read() as store:
            article_views.show_annotations(
                call.screen, store.annotations.all(), json=call.json
            )
        return
    if what is None or len(given) != 1:
        raise click.UsageError("name a URL or a number, and one thing to say of it")
    article_views.show_correction(
        call.screen,
        actions.mark(
            call.load_config(), _correction_request(parse_url_or_id(what), given)
        ),
        json=call.json,
    )


def _correction_request(what: str | int, given: dict[str, str]) -> dict[str, Any]:
    """The one thing that was said, as a request carries it."""
    ((name, value),) = given.items()
    if name == "label":
        return {"what": what, "label": value}
    if name in {"tag", "untag"}:
        return {"what": what, "label": "tag", "tag": value, "is_off": name == "untag"}
    return {
        "what": what,
        "label": name.removesuffix("_of"),
        "other": parse_url_or_id(value),
    }


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
    multiple=True,
    metavar="NAME",
    help="Only what names this place; may be repeated.",
)
@json_option
@common_options
@click.pass_obj
def brief(call: CommonOptions, /, day: str, place: tuple[str, ...]) -> None:
    """A day as Markdown.

    By province, who claims what, what was corrected, what could not be seen.
    """
    from dataclasses import asdict

    from scheduler.views import brief_view as page
    from storage.model import utc_now
    from storage.query import criteria

    since, until = criteria.parse_day(day, now=utc_now())
    with call.read() as store:
        told = store.search.brief(
            since, until, tuple(name for name in place if name.strip())
        )
    if call.json:
        call.screen.json_line(asdict(told))
        return
    for line in page.to_markdown(told):
        call.screen.line(line)


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
def evidence(call: CommonOptions, /, id: int, output: Path) -> None:  # noqa: A002  # the contract's word
    """A case folder of an article, with hashes to check it by.

    Raw pages, all states, copies.
    """
    from dataclasses import asdict

    from scheduler.views import article_views
    from storage import case_folder
    from storage.model import utc_now

    with call.read() as store:
        made = case_folder.write_case_folder(
            store, id, output, now=utc_now(), version=installed_version()
        )
    if call.json:
        call.screen.json_line(asdict(made))
        return
    for fault in made.missing:
        call.screen.note(f"missing: {call.screen.safe_text(fault)}")
    texts = f"{article_views.format_count(made.documents, 'text')}, {article_views.format_count(made.revisions, 'former state')}"
    raw = article_views.format_count(made.captures, "raw page")
    call.screen.line(
        f"{made.folder}: {texts}, {raw}; check it with `sha256sum -c {case_folder.SUMS_FILE}` in there"
    )


@click.command()
@common_options
@click.pass_obj
def mcp(call: CommonOptions, /) -> None:
    """Answer a language model (MCP).

    Over standard input and output: search, timeline, article, copies.
    """
    from scheduler import mcp

    mcp.serve(call.load_config())


COMMANDS = (mark, brief, evidence, mcp)
