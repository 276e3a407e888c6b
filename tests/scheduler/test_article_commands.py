"""Working with what was found, by the command line."""

import json
import sys
from pathlib import Path

import pytest


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def found(run, stocked: Path) -> list[dict]:
    return lines(run("search", "--config", stocked, "--json").out)


# mark


def test_a_person_drops_an_article_and_brings_it_back(run, stocked: Path) -> None:
    """Gone from every search, then there again with its copy."""
    first = found(run, stocked)[0]
    assert (
        "brings it back"
        in run("mark", first["id"], "--irrelevant", "--config", stocked).out
    )
    assert first["url"] not in [row["url"] for row in found(run, stocked)]
    back = lines(
        run("mark", first["id"], "--relevant", "--json", "--config", stocked).out
    )[0]
    again = next(row for row in found(run, stocked) if row["url"] == first["url"])
    assert (back["outcome"], again["id"], again["copies"]) == (
        "restored",
        back["article_id"],
        first["copies"],
    )


def test_a_copy_is_parted_and_joined_again(run, stocked: Path) -> None:
    """By the number that `show --copies` gives."""
    head = next(row for row in found(run, stocked) if row["copies"])
    carried = lines(
        run("show", head["id"], "--copies", "--json", "--config", stocked).out
    )[0]["carriers"]
    copy = next(one for one in carried if one["kind"] != "head")
    run("mark", copy["document_id"], "--not-a-copy-of", head["id"], "--config", stocked)
    assert len(found(run, stocked)) == 3
    assert (
        "is a copy now"
        in run("mark", copy["url"], "--copy-of", head["url"], "--config", stocked).out
    )
    assert len(found(run, stocked)) == 2


def test_what_was_said_is_listed_as_labelled_data(run, stocked: Path) -> None:
    """With the text, its language and the machine's score.

    On a terminal without anything that steers.
    """
    hostile = next(row for row in found(run, stocked) if "Herat" in row["title"])
    run("mark", hostile["id"], "--tag", "case 12", "--config", stocked)
    row = lines(run("mark", "--list", "--json", "--config", stocked).out)[0]
    assert (row["label"], row["value"], row["text"], row["score"]) == (
        "tag",
        "case 12",
        hostile["text"],
        0.9,
    )
    assert "tag case 12" in run("explain", hostile["id"], "--config", stocked).out
    plain = run("mark", "--list", "--config", stocked).out
    assert "tag: case 12" in plain
    assert "\x1b" not in plain


def test_tags_are_found_shown_and_taken_away(run, stocked: Path) -> None:
    """By `search --tag`, in `show`, in the JSON of search, show and export.

    What steers a terminal is gone from them.
    """
    first, other = found(run, stocked)
    run("mark", first["id"], "--tag", "case 12", "--config", stocked)
    run("mark", first["id"], "--tag", "\x1b[31mred\u202e", "--config", stocked)
    run("mark", first["id"], "--not-a-copy-of", other["id"], "--config", stocked)
    rows = lines(run("search", "--tag", "Case 12", "--json", "--config", stocked).out)
    assert [(row["id"], "case 12" in row["tags"]) for row in rows] == [
        (first["id"], True)
    ]
    assert "tagged" in run("search", "--tag", "case 12", "--config", stocked).out
    shown = run("show", first["id"], "--config", stocked).out
    assert f"not a copy of {other['url']} (article {other['id']})" in shown
    assert "case 12" in shown
    assert "\x1b" not in shown
    assert (
        f"{first['url']}: not a copy of {other['url']}"
        in run("show", other["id"], "--config", stocked).out
    )
    assert (
        "case 12"
        in lines(run("show", first["id"], "--json", "--config", stocked).out)[0]["tags"]
    )
    taken = lines(
        run("export", "--format", "jsonl", "--tag", "case 12", "--config", stocked).out
    )
    assert [row["id"] for row in taken] == [first["id"]]
    assert (
        run("export", "--format", "csv", "--config", stocked)
        .out.splitlines()[0]
        .endswith(",tags")
    )
    assert (
        json.loads(run("search", "--facets", "--json", "--config", stocked).out)["tag"][
            0
        ]["count"]
        == 1
    )


def test_a_mark_says_one_thing_of_one_text(run, stocked: Path) -> None:
    """Anything else is wrong usage; a text that is not there is exit 1."""
    for words in (
        ["1"],
        ["--relevant"],
        ["1", "--relevant", "--tag", "x"],
        ["1", "--list"],
        ["1", "--tag", " "],
    ):
        assert run("mark", *words, "--config", stocked).code == 2
    assert run("mark", "99", "--irrelevant", "--config", stocked).code == 1


def test_nothing_marked_is_no_fault(run, stocked: Path) -> None:
    """The list is empty, the exit code 0."""
    ran = run("mark", "--list", "--config", stocked)
    assert (ran.code, ran.out) == (0, "")


# brief


def test_a_brief_tells_the_day_as_markdown_and_as_json(run, stocked: Path) -> None:
    """The same numbers; a hostile title steers nothing."""
    days = {row["published_at"][:10] for row in found(run, stocked)}
    told = [
        lines(run("brief", "--day", day, "--json", "--config", stocked).out)[0]
        for day in sorted(days)
    ]
    page = "".join(
        run("brief", "--day", day, "--config", stocked).out for day in sorted(days)
    )
    assert sum(one["articles"] for one in told) == 2
    assert sum(one["reports"] for one in told) == 3
    assert page.count("- **") == 2
    assert "\x1b" not in page
    assert run("brief", "--day", "someday", "--config", stocked).code == 2


# evidence


def test_a_case_is_handed_out_with_the_way_to_check_it(
    run, stocked: Path, tmp_path: Path
) -> None:
    """And the way is told; a second time into the same folder is refused."""
    number = found(run, stocked)[0]["id"]
    ran = run("evidence", number, "--output", tmp_path / "case", "--config", stocked)
    assert "sha256sum -c MANIFEST.sha256" in ran.out
    assert (tmp_path / "case/README.txt").is_file()
    assert (
        run("evidence", number, "--output", tmp_path / "case", "--config", stocked).code
        == 2
    )
    assert (
        run("evidence", 99, "--output", tmp_path / "other", "--config", stocked).code
        == 1
    )


# mcp


def test_without_its_extra_the_model_server_says_what_to_install(
    run, stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 and one line."""
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    ran = run("mcp", "--config", stocked)
    assert (ran.code, ran.out) == (2, "")
    assert "khabar[mcp]" in ran.err
