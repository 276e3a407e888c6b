"""The command line: what is printed where, and with which exit code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from scheduler import cli
from storage.store import Store

TITLE = "Two officers killed near Kunduz"


def commands() -> dict[str, click.Command]:
    """Every command by its words: `crawl`, `sources check`."""
    found = {}
    for name, command in cli.khabar.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {}
        found |= {f"{name} {sub}": one for sub, one in inner.items()} or {name: command}
    return found


def khabar(*words: object, **how: object) -> subprocess.CompletedProcess[str]:
    """The program itself, as a process."""
    return subprocess.run(
        [sys.executable, "-m", "scheduler.cli", *map(str, words)], text=True, capture_output=True, timeout=60, check=False, **how
    )  # fmt: skip


# The contract


def test_a_search_that_takes_too_long_is_told_in_one_line(
    run, stocked, monkeypatch
) -> None:
    """Exit 1 after the time that was given, with what to do; no traceback."""
    from storage.query import search

    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    monkeypatch.setattr(
        search, "search", lambda db, wanted: db.execute(endless).fetchone()
    )
    ran = run("search", "wheat", "--timeout", "1", "--config", stocked)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "Narrow it down" in ran.err
    for wrong in ("0", "nan", "inf", "1e9", "soon"):
        assert run("search", "--timeout", wrong, "--config", stocked).code == 2


@pytest.mark.parametrize(
    "number", ["9" * 20, "-1", "1.5", "0x10", "٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨٩٠١٢٣"]
)
def test_a_number_that_no_article_can_have_is_wrong_usage(
    run, stocked, number, tmp_path
) -> None:
    """One line, and nothing that \"should not have happened\"."""
    for command in (
        ("show", "--config", stocked),
        ("evidence", "--output", tmp_path / "case", "--config", stocked),
    ):
        ran = run(*command, "--", number)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert "should not" not in ran.err


def test_every_command_and_option_is_documented(root: Path) -> None:
    """What docs/commands.md does not tell of does not exist for its reader."""
    page = (root / "docs/commands.md").read_text("utf-8")
    missing = [name for name in commands() if f"## `khabar {name}" not in page]
    for name, command in commands().items():
        section = page.partition(f"## `khabar {name}")[2].partition("\n## ")[0]
        common = page.partition("## For every command")[2].partition("\n## ")[0]
        options = [
            option
            for parameter in command.params
            for option in parameter.opts
            if option.startswith("--")
        ]
        missing += [
            f"{name} {option}"
            for option in options
            if f"`{option}" not in section + common
        ]
    assert not missing


def test_every_command_takes_the_common_options_and_says_what_it_does() -> None:
    """--config, --db and -v work everywhere, and --help is never empty."""
    for name, command in commands().items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--config", "--db", "--verbose"} <= options, name
        assert command.help, name


def test_the_page_names_no_command_that_is_not_there(root: Path) -> None:
    """A promise in the docs is a command."""
    page = (root / "docs/commands.md").read_text("utf-8")
    named = set(re.findall(r"^## `khabar ([a-z]+(?: [a-z]+)?)", page, re.MULTILINE))
    assert named == set(commands())


def test_help_imports_none_of_the_rooms() -> None:
    """`khabar --help` answers at once: it loads click and nothing that is slow."""
    code = "import sys, scheduler.cli; print([m for m in ('scrapy', 'sqlite_utils', 'rich', 'trafilatura', 'lxml') if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=True
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "words", [["search", "council"], ["sources", "list"], ["tail"], ["status"]]
)
def test_a_command_that_reads_brings_nothing_that_crawls(stocked, words) -> None:
    """Its answer is there at once: Scrapy alone takes more than a second to import."""
    code = (
        "import sys; from scheduler import cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "names = ('scrapy', 'twisted', 'trafilatura', 'feedparser')\n"
        "sys.exit(str([name for name in names if name in sys.modules]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *words, "--config", str(stocked)],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.stderr.splitlines()[-1] == "[]"


# Wrong usage, configuration and files


@pytest.mark.parametrize(
    "words",
    [
        ["crwl"],
        ["search", "--colour"],
        ["import"],
        ["show", "x"],
        ["extract"],
        ["sources", "lst"],
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(run, words: list[str]) -> None:
    """It says what is wrong and where the help is."""
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert "--help" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["--since", "soon"],
        ["--limit", "0"],
        ["--sort", "oldest"],
        ["--min-relevance", "2"],
    ],
)
def test_a_filter_that_cannot_be_is_exit_2(
    run, stocked: Path, words: list[str]
) -> None:
    """The value is quoted, and what it should look like."""
    ran = run("search", "--config", stocked, *words)
    assert ran.code == 2
    assert words[1] in ran.err


def test_every_fault_of_a_configuration_is_told_and_nothing_starts(
    run, config: Path
) -> None:
    """One line for each, exit 2, from `config check` and from any other command alike."""
    config.write_text('[crawl]\ndelay = 5\n[[sources]]\nid = "a"\n', "utf-8")
    for words in (["config", "check"], ["crawl"], ["search"], ["sources", "list"]):
        ran = run(*words, "--config", config)
        assert (ran.code, ran.out) == (2, "")
        assert [
            line.partition(".toml: ")[2].partition(":")[0]
            for line in ran.err.splitlines()
        ] == [
            "crawl.delay",
            "sources[0]",
        ]
    assert not (config.parent / "khabar.db").exists()


def test_a_good_configuration_says_so(run, config: Path) -> None:
    """With how many sources it has."""
    ran = run("config", "check", "--config", config)
    assert (ran.code, ran.err) == (0, "")
    assert "2 sources, 1 of them switched on" in ran.out


def test_a_missing_database_is_exit_3_and_says_what_to_do(run, config: Path) -> None:
    """Reading makes no file."""
    for words in (
        ["search"],
        ["show", "1"],
        ["status"],
        ["explain", "https://outlet.example/1"],
    ):
        ran = run(*words, "--config", config)
        assert (ran.code, ran.out) == (3, "")
        assert "khabar crawl" in ran.err
    assert not (config.parent / "khabar.db").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"this is no database, but it is long enough to look at\n" * 40,
        b"SQLite format 3\0" + b"\xff" * 5000,
    ],
)
def test_a_file_that_is_no_database_is_exit_3(
    run, config: Path, content: bytes
) -> None:
    """For reading and for writing, and the file is left as it is."""
    (config.parent / "khabar.db").write_bytes(content)
    for words in (["search"], ["crawl", "outlet"]):
        ran = run(*words, "--config", config)
        assert ran.code == 3
        assert len(ran.err.splitlines()) == 1
    assert (config.parent / "khabar.db").read_bytes() == content


def test_a_database_that_another_writes_to_is_exit_75(run, stocked: Path) -> None:
    """The other process is named; reading goes on."""
    with Store.open(stocked.parent / "khabar.db"):
        ran = run("crawl", "--config", stocked)
        assert ran.code == 75
        assert str(os.getpid()) in ran.err
        assert run("search", "--config", stocked).code == 0


def test_an_unknown_source_says_where_the_ids_are(run, config: Path) -> None:
    """And nothing is visited."""
    ran = run("crawl", "nobody", "--config", config)
    assert ran.code == 2
    assert "khabar sources list" in ran.err


def test_a_traceback_needs_v(
    run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a defect of khabar is one line, unless one asks for more."""
    monkeypatch.setattr("scheduler.config.load_config", lambda _: 1 / 0)
    plain, verbose = run("search"), run("search", "-v")
    assert (plain.code, verbose.code) == (1, 1)
    assert "Traceback" not in plain.err
    assert "run again with -v" in plain.err
    assert "Traceback" in verbose.err


# Search


def test_search_lists_the_newest_first(run, stocked: Path) -> None:
    """Each with its number, its source and its address.

    Copies are counted, not listed.
    """
    ran = run("search", "--config", stocked)
    assert ran.code == 0
    assert ran.out.index(TITLE) < ran.out.index("Herat")
    assert "(1 copy)" in ran.out
    assert "mirror.example" not in ran.out


def test_search_prints_one_json_object_a_line(run, stocked: Path) -> None:
    """With the fields that the contract names."""
    rows = [
        json.loads(line)
        for line in run(
            "search", "officers", "--json", "--config", stocked
        ).out.splitlines()
    ]
    assert len(rows) == 1
    promised = {
        "id",
        "url",
        "title",
        "authors",
        "published_at",
        "published_how",
        "language",
        "text",
        "source",
    }
    assert promised <= rows[0].keys()
    assert rows[0]["authors"] == ["Laila Qaderi"]


def test_finding_nothing_is_no_fault(run, stocked: Path) -> None:
    """Exit 0, nothing on standard output."""
    ran = run("search", "unicorn", "--config", stocked)
    assert (ran.code, ran.out) == (0, "")
    assert "nothing found" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        '"',
        "((((",
        "NOT",
        "title:",
        "-",
        "a*b",
        "'; DROP TABLE fates",
        "\x1b[2J",
        "OR OR",
        "*",
    ],
)
def test_no_query_is_a_fault(run, stocked: Path, words: str) -> None:
    """What a person types may be odd; it is a question, never a program."""
    assert run("search", "--config", stocked, "--", words).code == 0


def test_no_known_attack_on_the_index_is_a_fault(
    run, stocked: Path, shared: Path
) -> None:
    """Every query of the collection is a question, never a program."""
    queries = (
        (shared / "attacks/content/fts5_queries.txt")
        .read_text("utf-8", "replace")
        .splitlines()
    )
    assert queries
    for query in queries:
        assert (
            run("search", "--config", stocked, "--", query.replace("\0", "")).code == 0
        ), query


def test_filters_narrow(run, stocked: Path) -> None:
    """By language, by source and by time."""

    def found(*words: str) -> int:
        return len(
            run("search", "--json", "--config", stocked, *words).out.splitlines()
        )

    assert (
        found(),
        found("--lang", "fa"),
        found("--source", "nobody"),
        found("--until", "3d"),
    ) == (2, 1, 0, 0)
    assert found("--copies") == 3
    assert found("--limit", "1") == 1


def test_facets_count(run, stocked: Path) -> None:
    """By source and day, for people and as JSON."""
    assert (
        json.loads(run("search", "--facets", "--json", "--config", stocked).out)[
            "total"
        ]
        == 2
    )
    assert "2 articles" in run("search", "--facets", "--config", stocked).out


def test_text_from_the_web_steers_no_terminal(run, stocked: Path) -> None:
    """Neither as lines nor as JSON, in any command that shows it."""
    for words in (
        ["search"],
        ["search", "--json"],
        ["show", "3"],
        ["show", "3", "--json"],
        ["explain", "https://outlet.example/2"],
    ):
        out = run(*words, "--config", stocked).out
        assert "Herat" in out, words
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out), words


# Show and explain


def test_show_gives_one_article_whole(run, stocked: Path) -> None:
    """Title, where it is from, and the text."""
    ran = run("show", "1", "--config", stocked)
    assert ran.code == 0
    for expected in (
        TITLE,
        "Laila Qaderi",
        "Nobody claimed the attack.",
        "https://outlet.example/1",
    ):
        assert expected in ran.out


def test_show_has_parts(run, stocked: Path) -> None:
    """The text alone, the copies, the former states, the reasons."""
    assert (
        run("show", "1", "--text", "--config", stocked).out.splitlines()[1]
        == "Nobody claimed the attack."
    )
    assert (
        "https://mirror.example/copied"
        in run("show", "1", "--copies", "--config", stocked).out
    )
    assert "never revised" in run("show", "1", "--history", "--config", stocked).err
    assert "Source link" in run("show", "1", "--why", "--config", stocked).out
    carried = json.loads(
        run("show", "1", "--copies", "--json", "--config", stocked).out
    )["carriers"]
    assert [carrier["kind"] for carrier in carried] == ["head", "exact"]


def test_what_is_not_there_is_exit_1(run, stocked: Path) -> None:
    """With a line that says so."""
    for words in (
        ["show", "99"],
        ["show", "1", "--raw"],
        ["explain", "https://nowhere.example/"],
    ):
        ran = run(*words, "--config", stocked)
        assert ran.code == 1, words
        assert len(ran.err.splitlines()) == 1


def test_explain_tells_the_fate_and_every_reason(run, stocked: Path) -> None:
    """Of an article, of a copy, and of a page that was not kept."""
    kept = run("explain", "https://www.outlet.example/1/", "--config", stocked).out
    assert "article" in kept
    assert "Source link" in kept
    assert "killed" in kept
    assert (
        "copy of article 1"
        in run("explain", "https://mirror.example/copied", "--config", stocked).out
    )
    rejected = run("explain", "https://outlet.example/sport", "--config", stocked).out
    assert "rejected (irrelevant)" in rejected
    assert (
        json.loads(run("explain", "1", "--json", "--config", stocked).out)["fate"][
            "fate"
        ]
        == "article"
    )


# Sources and status


def test_sources_are_listed_before_the_first_crawl_and_after(run, config: Path) -> None:
    """With or without a database."""
    rows = [
        json.loads(line)
        for line in run(
            "sources", "list", "--json", "--config", config
        ).out.splitlines()
    ]
    assert [(row["id"], row["enabled"]) for row in rows] == [
        ("outlet", True),
        ("off", False),
    ]
    assert "off" not in run("sources", "list", "--enabled", "--config", config).out


def test_a_working_store_is_well(run, stocked: Path) -> None:
    """Exit 0, and the sum of everything."""
    ran = run("status", "--config", stocked)
    assert ran.code == 0
    assert "all is well" in ran.out
    told = json.loads(run("status", "--json", "--config", stocked).out)
    assert (
        told["well"],
        told["articles"],
        told["copies"],
        told["unbalanced_polls"],
    ) == (True, 2, 1, [])


def test_an_unbalanced_visit_is_not_well(run, stocked: Path) -> None:
    """Nothing vanishes silently: exit 1, and the problem is named."""
    with Store.open(stocked.parent / "khabar.db") as store:
        store.session.db.execute("UPDATE polls SET found = found + 1")
    ran = run("status", "--config", stocked)
    assert ran.code == 1
    assert "do not add up" in ran.out


# Streams


def test_a_reader_that_leaves_is_no_fault(stocked: Path) -> None:
    """`khabar search | head -1` says nothing on standard error."""
    program = f"{sys.executable} -m scheduler.cli search --json --copies --config {stocked} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", program], text=True, capture_output=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_every_script_can_be_printed_anywhere(stocked: Path) -> None:
    """A system without a language setting changes nothing."""
    ran = khabar(
        "search",
        "--config",
        stocked,
        env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "هرات" in khabar("show", "3", "--config", stocked, encoding="utf-8").stdout


def test_the_common_options_may_stand_before_the_command(run, stocked: Path) -> None:
    """`khabar --config FILE search` is `khabar search --config FILE`."""
    assert (
        run("--config", stocked, "search").out == run("search", "--config", stocked).out
    )


def test_another_database_may_be_named(run, stocked: Path, tmp_path: Path) -> None:
    """--db overrides the configuration's path."""
    (stocked.parent / "khabar.db").rename(tmp_path / "other.db")
    assert run("search", "--config", stocked).code == 3
    assert run("search", "--config", stocked, "--db", tmp_path / "other.db").code == 0


def test_the_lists_of_commands_say_whole_sentences(run, monkeypatch) -> None:
    """On a terminal of 80 columns no command's line ends in dots."""
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((), ("sources",), ("config",)):
        lines = run(*words, "--help").out.partition("Commands:")[2].splitlines()
        assert lines
        assert not [line for line in lines if line.endswith("...")]
