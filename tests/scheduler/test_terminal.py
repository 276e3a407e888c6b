"""What reaches a terminal."""

import io
import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from scheduler.views import terminal
from scheduler.views.terminal import Screen

ANY = st.text(alphabet=st.characters(), max_size=200)


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(*, colour: bool = False) -> Screen:
    return Screen(
        out=io.StringIO(), err=io.StringIO(), colour=colour, live=False, width=80
    )


@given(ANY)
def test_no_text_steers_a_terminal(text: str) -> None:
    """No control, no escape, no override, no lone surrogate, and no second line comes through."""
    plain = terminal.strip_controls(text)
    assert not {unicodedata.category(char) for char in plain} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(plain) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
    )


@given(st.dictionaries(ANY, ANY | st.integers() | st.none(), max_size=4))
def test_json_is_lossless_and_steers_nothing(record: dict[str, object]) -> None:
    """A program reads back what was stored; a terminal sees escapes."""
    line = terminal.to_json(record)
    assert json.loads(line) == record
    assert not {unicodedata.category(char) for char in line} & {"Cc", "Cs", "Zl", "Zp"}


@given(ANY, st.integers(2, 60))
def test_a_cut_text_fits(text: str, width: int) -> None:
    """A long title never wraps the table."""
    assert (
        terminal._cell_width(terminal.truncate(terminal.strip_controls(text), width))
        <= width
    )


def test_right_to_left_text_is_isolated_on_a_terminal_only() -> None:
    """A Dari title does not pull the columns beside it apart.

    A pipe gets the bare text.
    """
    assert screen(colour=True).safe_text("بغلان 7") == "\u2068بغلان 7\u2069"
    assert screen().safe_text("بغلان 7") == "بغلان 7"
    assert screen(colour=True).safe_text("Baghlan") == "Baghlan"


def test_columns_stand_under_their_headings() -> None:
    """Wide and narrow characters alike."""
    shown = screen()
    shown.table(("name", "count"), [("Kabul", 7), ("喀布尔", 12)], right=("count",))
    lines = shown.out.getvalue().splitlines()
    assert lines == ["name    count", "Kabul       7", "喀布尔     12"]


def test_nothing_moves_where_nobody_watches() -> None:
    """A log file gets no progress."""
    shown = screen()
    with shown.progress("working") as progress:
        progress("on it")
    assert shown.err.getvalue() == ""


def test_a_bar_is_drawn_where_it_is_known_how_far() -> None:
    """Three quarters of its cells, the share in figures, and the estimate beside it.

    No bar where nothing is known.
    """
    drawn = {}
    for share in (0.75, 7.0, None):
        console = Console(
            file=io.StringIO(), width=100, force_terminal=True, color_system=None
        )
        console.print(terminal._progress_line("looking back, about 3 min left", share))
        drawn[share] = console.file.getvalue()
    assert drawn[0.75].count("━") == 0.75 * terminal.PROGRESS_BAR_CELLS
    assert "75% looking back, about 3 min left" in drawn[0.75]
    assert drawn[7.0].count("━") == terminal.PROGRESS_BAR_CELLS
    assert drawn[None] == "looking back, about 3 min left\n"


def test_progress_survives_markup_in_a_name() -> None:
    """What a stranger called a file is no markup."""
    err = Tty()
    shown = Screen(out=io.StringIO(), err=err, colour=False, live=True, width=80)
    with shown.progress("reading") as progress:
        progress("[/bold] [red]x")


def test_colours_follow_the_terminal(monkeypatch) -> None:
    """A pipe, NO_COLOR and a dumb terminal get none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.open_screen(Tty(), Tty()).colour
    assert not terminal.open_screen(io.StringIO(), Tty()).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.open_screen(Tty(), Tty()).colour
