"""Commands for working with what was found: say what is right, tell a day, hand out a case, answer a model."""

from pathlib import Path
from typing import Any

import click

from scheduler.options import FILES, NUMBER, Call, as_json, common, named, version


@click.command()
@click.argument("what", metavar="[URL|ID]", required=False)
@click.option("--relevant", "label", flag_value="relevant", help="It is about the conflict; dropped texts come back.")
@click.option("--irrelevant", "label", flag_value="irrelevant", help="It is not; it goes with its copies.")
@click.option("--copy-of", metavar="URL|ID", help="It is a copy of that one.")
@click.option("--not-a-copy-of", metavar="URL|ID", help="It is none of that one.")
@click.option("--tag", metavar="TEXT", help="Put a tag of yours on it.")
@click.option("--untag", metavar="TEXT", help="Take it off.")
@click.option("--list", "listing", is_flag=True, help="All that was ever said, with the texts as they were.")
@as_json
@common
@click.pass_obj
def mark(call: Call, /, what: str | None, *, listing: bool, **said: Any) -> None:
    """Correct the machine; it holds whatever is read again."""
    from scheduler import jobs
    from scheduler.showing import views

    given = {name: value for name, value in said.items() if value is not None}
    if listing and (what or given):
        raise click.UsageError("--list stands alone")
    if listing:
        with call.read() as store:
            views.marks(call.screen, store.marks(), json=call.json)
        return
    if what is None or len(given) != 1:
        raise click.UsageError("name a URL or a number, and one thing to say of it")
    views.corrected(call.screen, jobs.mark(call.load(), _correction(named(what), given)), json=call.json)


def _correction(what: str | int, given: dict[str, str]) -> dict[str, Any]:
    """The one thing that was said, as a request carries it."""
    ((name, value),) = given.items()
    if name == "label":
        return {"what": what, "label": value}
    if name in {"tag", "untag"}:
        return {"what": what, "label": "tag", "tag": value, "is_off": name == "untag"}
    return {"what": what, "label": name.removesuffix("_of"), "other": named(value)}


@click.command()
@click.option("--day", metavar="DAY", default="yesterday", show_default=True, help="2026-11-22, today, 2d (ago); UTC.")
@click.option("--place", multiple=True, metavar="NAME", help="Only what names this place; may be repeated.")
@as_json
@common
@click.pass_obj
def brief(call: Call, /, day: str, place: tuple[str, ...]) -> None:
    """A day as Markdown.

    By province, who claims what, what was corrected, what could not be seen.
    """
    from dataclasses import asdict

    from scheduler.showing import brief as page
    from storage.finding import brief as telling
    from storage.finding import criteria
    from storage.model import utc_now

    since, until = criteria.whole_day(day, now=utc_now())
    with call.read() as store:
        told = telling.of(store.db, since, until, tuple(name for name in place if name.strip()))
    if call.json:
        call.screen.fact(asdict(told))
        return
    for line in page.markdown(told):
        call.screen.line(line)


@click.command()
@click.argument("id", type=NUMBER)
@click.option("--output", type=FILES, metavar="DIR", required=True, help="A folder that is not there yet.")
@as_json
@common
@click.pass_obj
def evidence(call: Call, /, id: int, output: Path) -> None:  # noqa: A002  # the contract's word
    """A case folder of an article, with hashes to check it by.

    Raw pages, all states, copies.
    """
    from dataclasses import asdict

    from scheduler.showing import views
    from storage.finding import evidence as case
    from storage.model import utc_now

    with call.read() as store:
        made = case.write(store, id, output, now=utc_now(), version=version())
    if call.json:
        call.screen.fact(asdict(made))
        return
    for fault in made.missing:
        call.screen.note(f"missing: {call.screen.web(fault)}")
    texts = f"{views.number(made.documents, 'text')}, {views.number(made.revisions, 'former state')}"
    raw = views.number(made.captures, "raw page")
    call.screen.line(f"{made.folder}: {texts}, {raw}; check it with `sha256sum -c {case.SUMS}` in there")


@click.command()
@common
@click.pass_obj
def mcp(call: Call, /) -> None:
    """Answer a language model (MCP).

    Over standard input and output: search, timeline, article, copies.
    """
    from scheduler import mcp

    mcp.serve(call.load())


COMMANDS = (mark, brief, evidence, mcp)
