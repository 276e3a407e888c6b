"""What reaches a terminal: safe text, lines, tables, JSON, progress.

Results go to standard output, everything else to standard error. Text from the web can
neither steer the terminal (control characters, ANSI sequences) nor reorder the line
around it (bidirectional overrides). Right-to-left text stands in isolates, so that a
Dari title does not move the columns beside it.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Protocol

from storage.model import to_text

# C0, DEL and C1 controls, line separators, lone surrogates, and every mark that
# reorders or hides what follows.
_CONTROL_CHARS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f"
    "\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]+"
)
_INVISIBLE_CHARS = re.compile(
    "[\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f"
    "\u202a-\u202e\u2066-\u2069\ufeff]"
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"

PROGRESS_BAR_CELLS = 24
_MIN_WIDTH_CELLS = 60
_MAX_WIDTH_CELLS = 160
_LABEL_CELLS = 12  # of the names that `Screen.fields` writes before their values
_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}


def strip_controls(text: object) -> str:
    """One line of foreign text; each run of characters that steer becomes a space."""
    return _CONTROL_CHARS.sub(" ", str(text)).strip()


def to_json(record: Mapping[str, Any]) -> str:
    """One line of JSON, lossless; what a terminal obeys or hides stands as an escape."""
    text = json.dumps(record, ensure_ascii=False, default=_json_value)
    return _INVISIBLE_CHARS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, set | frozenset):
        return list(value)
    return str(value)


def isolate_rtl(text: str) -> str:
    """Text with right-to-left letters in an isolate; any other as it is."""
    if not _RIGHT_TO_LEFT.search(text):
        return text
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"


def truncate(text: str, width: int) -> str:
    """The text in at most `width` cells, with an ellipsis where it was longer."""
    if _cell_width(text) <= width:
        return text
    # Chinese letters and emoji take two cells, so the cut goes on by letters.
    kept = text[:width]
    while kept and _cell_width(kept) > width - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _cell_width(text: str) -> int:
    # rich takes 14 ms to import, and most tables are ASCII.
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


class Progress(Protocol):
    """Where a long command says how far it is."""

    def __call__(self, text: str, share: float | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Screen:
    """The two streams of a command, and what they are connected to."""

    out: IO[str]
    err: IO[str]
    colour: bool  # standard output is a terminal that shows colours
    live: bool  # standard error is a terminal
    width: int  # cells

    def line(self, text: str = "") -> None:
        """A line of results, made of parts that are safe already."""
        print(text, file=self.out)

    def json_line(self, record: Mapping[str, Any]) -> None:
        """A result as one JSON object on its line."""
        self.line(to_json(record))

    def raw(self, content: bytes) -> None:
        """Bytes as they are, for a file or the next program."""
        # What was printed before must stand before.
        self.out.flush()
        buffer = getattr(self.out, "buffer", None)
        if buffer is None:
            self.out.write(content.decode("utf-8", "replace"))
        else:
            buffer.write(content)

    def can_ask(self) -> bool:
        """Whether somebody sits there to answer: input and messages are a terminal's."""
        return sys.stdin is not None and sys.stdin.isatty() and self.err.isatty()

    def note(self, text: str) -> None:
        """A line beside the results: a hint, a warning."""
        print(text, file=self.err)

    def style(self, text: str, *styles: str) -> str:
        """The text in a style where standard output shows one."""
        if not self.colour or not text:
            return text
        codes = ";".join(_STYLES[name] for name in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def safe_text(self, text: object, *, width: int = 0) -> str:
        """Foreign text for one line: without controls, cut, isolated on a terminal."""
        safe = strip_controls(text)
        if width:
            safe = truncate(safe, width)
        if self.colour:
            safe = isolate_rtl(safe)
        return safe

    def fields(self, rows: Iterable[tuple[str, object]]) -> None:
        """Names and values below each other; what has no value is left out."""
        for name, value in rows:
            if value in (None, "", [], ()):
                continue
            label = self.style(f"{name:<{_LABEL_CELLS}}", "dim")
            self.line(f"{label} {self.safe_text(value)}")

    def table(
        self,
        head: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        right: Sequence[str] = (),
    ) -> None:
        """Rows under their headings; `right` names the columns of numbers.

        Each column is as wide as its widest cell.
        """
        lines = [[strip_controls(cell) for cell in row] for row in rows]
        columns = zip(head, *lines, strict=True)
        widths = [max(map(_cell_width, column)) for column in columns]
        aligned = [name in right for name in head]
        self.line(self.style(_format_row(head, widths, aligned), "bold"))
        for line in lines:
            cells = [isolate_rtl(cell) for cell in line] if self.colour else line
            self.line(_format_row(cells, widths, aligned))

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """A line that moves while the command works, with a bar where that is known.

        Nothing is written where standard error is no terminal.
        """
        if not self.live:
            yield lambda text, share=None: None  # noqa: ARG005  # nobody watches
            return
        from rich.console import Console

        with Console(file=self.err).status(what) as status:

            def update(text: str, share: float | None = None) -> None:
                status.update(_progress_line(f"{what} {strip_controls(text)}", share))

            yield update


def _progress_line(text: str, share: float | None) -> Any:
    """The line, behind a bar of the part that is done."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    if share is None:
        return Text(text)
    done = min(max(share, 0.0), 1.0)
    bar = ProgressBar(total=1.0, completed=done, width=PROGRESS_BAR_CELLS)
    line = Table.grid(padding=(0, 1))
    line.add_row(bar, Text(f"{done:4.0%}"), Text(text))
    return line


def _format_row(
    cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]
) -> str:
    padded = []
    for cell, width, is_right in zip(cells, widths, right, strict=True):
        # Isolates take no cell.
        visible = cell.strip(_FIRST_STRONG_ISOLATE + _POP_ISOLATE)
        space = " " * (width - _cell_width(visible))
        padded.append(space + cell if is_right else cell + space)
    return "  ".join(padded).rstrip()


def open_screen(out: IO[str] | None = None, err: IO[str] | None = None) -> Screen:
    """The screen of this process, whose streams can carry every script."""
    import os
    import shutil

    out, err = out or sys.stdout, err or sys.stderr
    for stream in (out, err):
        # A character that the locale cannot write must never end a command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # https://no-color.org: any value that is not empty
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    columns = shutil.get_terminal_size().columns
    return Screen(
        out=out,
        err=err,
        colour=out.isatty() and not plain,
        live=err.isatty() and not plain,
        # A pipe has 80 columns by default; a very wide window is hard to read.
        width=max(_MIN_WIDTH_CELLS, min(columns, _MAX_WIDTH_CELLS)),
    )
