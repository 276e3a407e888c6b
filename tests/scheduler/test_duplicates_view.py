"""Who carried it, what was changed, why two are one.

`show --copies`, `show --history`, `explain A B`.
"""

import json
from pathlib import Path

import pytest

from builders import make_document, make_landing, make_source_state
from scheduler.views import duplicates_view
from scheduler.views.terminal import Screen
from storage.revisions import diff_texts
from storage.store import Store


@pytest.fixture
def kindred(stocked: Path) -> Path:
    """The stocked store after a correction, and with a second paper of the mirror's owner."""
    with Store.open(
        stocked.parent / "khabar.db", captures=stocked.parent / "captures"
    ) as store:
        store.sources.sync(
            [
                make_source_state("outlet"),
                make_source_state("mirror", owner="Mirror Group"),
                make_source_state("evening", owner="Mirror Group"),
            ]
        )
        known = store.articles.find(1)
        told = {"language": "en", "published_at": known.published_at}
        corrected = known.text.replace("two officers", "eleven officers")
        evening = make_document(
            "https://evening.example/1",
            known.text,
            title=known.title,
            credit="Test Wire",
            **told,
        )
        revised = make_document(
            known.url, corrected, title="Toll rises to eleven", **told
        )
        store.landings.land([make_landing(evening), make_landing(revised)])
    return stocked


def test_copies_tell_who_was_first_whom_they_credit_and_how_many_that_is(
    run, kindred: Path
) -> None:
    """Three places by two owners are one independent report; the wire is named."""
    told = run("show", "1", "--copies", "--config", kindred).out
    for expected in (
        "in 3 places, by 2 publishers",
        "Test Wire",
        "1 report",
        "https://evening.example/1",
        "first",
    ):
        assert expected in told
    fact = json.loads(run("show", "1", "--copies", "--json", "--config", kindred).out)
    assert (fact["wire"], fact["publishers"], fact["independent"]) == (
        "Test Wire",
        2,
        1,
    )
    assert {carrier["source"] for carrier in fact["carriers"]} == {
        "outlet",
        "mirror",
        "evening",
    }


def test_history_shows_what_was_changed_by_words_and_leaves_out_the_rest(
    run, kindred: Path
) -> None:
    """A correction stands between signs with its neighbours.

    A long unchanged text does not.
    """
    told = run("show", "1", "--history", "--config", kindred).out
    assert "[-two-] {+eleven+} officers at a checkpoint" in told
    assert "{+Toll rises to eleven+}" in told
    assert "burnt car" not in told
    fact = json.loads(run("show", "1", "--history", "--json", "--config", kindred).out)
    assert fact["title"].startswith("Two officers")
    assert {"old": "two", "new": "eleven"} in fact["changes"]
    assert fact["seen_at"] <= fact["changed_at"]


def test_colours_take_the_place_of_signs_on_a_terminal(tmp_path: Path) -> None:
    """What was taken out is red, what was put in green, and a stranger's text steers nothing."""
    with (tmp_path / "out").open("w") as out:
        line = duplicates_view.highlight_changes(
            Screen(out=out, err=out, colour=True, live=False, width=80),
            diff_texts("two killed", "six\x1b[2J killed"),
        )
    assert line == "\x1b[31mtwo\x1b[0m \x1b[32msix [2J\x1b[0m killed"


def test_two_texts_are_explained_with_scores_passages_and_numbers(
    run, kindred: Path
) -> None:
    """By numbers or addresses.

    The verdict, how they are stored, what both say and where they differ.
    """
    told = run("explain", "1", "https://mirror.example/copied", "--config", kindred).out
    for expected in ("verdict", "as one article", "both say", "numbers"):
        assert expected in told
    fact = json.loads(
        run(
            "explain",
            "https://outlet.example/1",
            "https://outlet.example/2",
            "--json",
            "--config",
            kindred,
        ).out
    )
    assert (fact["verdict"], fact["stored_as_one"]) == ("different", False)


def test_what_is_not_kept_cannot_be_compared(run, kindred: Path) -> None:
    """Exit 1, and one line that says which of the two it is."""
    ran = run("explain", "1", "https://outlet.example/sport", "--config", kindred)
    assert ran.code == 1
    assert "https://outlet.example/sport" in ran.err
