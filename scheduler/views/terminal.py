"""What reaches a terminal: a stranger's text made safe, lines, tables, JSON, progress.

Results go to standard output, everything else to standard error. Text from the web can
neither steer the terminal (control characters, ANSI sequences) nor reorder the line
around it (bidirectional overrides); right-to-left text stands in isolates, so that a
Dari title does not pull the columns beside it apart.
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
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]+"
)
_INVISIBLE_CHARS = re.compile(
    "[\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
PROGRESS_BAR_CELLS = 24  # cells of a bar
_FIRST_STRONG, _POP = "\u2068", "\u2069"
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
    """One line of a stranger's text without anything that steers.

    Runs of it become a space.
    """
    return _CONTROL_CHARS.sub(" ", str(text)).strip()


def to_json(record: Mapping[str, Any]) -> str:
    """One line of JSON, lossless.

    What a terminal might obey or not show stands as an escape.
    """
    text = json.dumps(record, ensure_ascii=False, default=_json_value)
    return _INVISIBLE_CHARS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return to_text(value)
    return list(value) if isinstance(value, set | frozenset) else str(value)


def isolate_rtl(text: str) -> str:
    """Right-to-left text in isolates; anything else as it is."""
    return f"{_FIRST_STRONG}{text}{_POP}" if _RIGHT_TO_LEFT.search(text) else text


def truncate(text: str, width: int) -> str:
    """The text in at most `width` cells, with an ellipsis where it was longer."""
    if _cell_width(text) <= width:
        return text
    kept = text[:width]
    while kept and _cell_width(kept) > width - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _cell_width(text: str) -> int:
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
    width: int

    def line(self, text: str = "") -> None:
        """A line of results. `text` was made of safe parts."""
        print(text, file=self.out)

    def json_line(self, record: Mapping[str, Any]) -> None:
        """A result as one JSON object on its line."""
        self.line(to_json(record))

    def raw(self, content: bytes) -> None:
        """Bytes as they are, for a file or the next program."""
        self.out.flush()
        buffer = getattr(self.out, "buffer", None)
        if buffer is None:
            self.out.write(content.decode("utf-8", "replace"))
        else:
            buffer.write(content)

    def note(self, text: str) -> None:
        """A line beside the results: a hint, a warning."""
        print(text, file=self.err)

    def style(self, text: str, *styles: str) -> str:
        """The text in a style where standard output shows one."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in styles)}m{text}\x1b[0m"

    def safe_text(self, text: object, *, width: int = 0) -> str:
        """A stranger's text for one line: safe, cut, and isolated on a terminal."""
        plain = strip_controls(text)
        short = truncate(plain, width) if width else plain
        return isolate_rtl(short) if self.colour else short

    def table(
        self,
        head: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        right: Sequence[str] = (),
    ) -> None:
        """Rows under their headings, columns as wide as their widest cell.

        `right` names those of numbers.
        """
        lines = [[strip_controls(cell) for cell in row] for row in rows]
        widths = [
            max(_cell_width(line[at]) for line in [list(head), *lines])
            for at in range(len(head))
        ]
        aligned = [name in right for name in head]
        self.line(self.style(_format_row(head, widths, aligned), "bold"))
        for line in lines:
            self.line(
                _format_row(
                    [isolate_rtl(cell) if self.colour else cell for cell in line],
                    widths,
                    aligned,
                )
            )

    @contextmanager
    def progress(self, what: str) -> Iterator[Progress]:
        """A line that moves while the command works, with a bar where that is known.

        Nothing where nobody watches.
        """
        if not self.live:
            yield lambda text, share=None: None  # noqa: ARG005  # nobody watches
            return
        from rich.console import Console

        with Console(file=self.err).status(what) as status:
            yield lambda text, share=None: status.update(
                _progress_line(f"{what} {strip_controls(text)}", share)
            )


def _progress_line(text: str, share: float | None) -> Any:
    """The line, behind a bar of the part that is done."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    if share is None:
        return Text(text)
    done = min(max(share, 0.0), 1.0)
    line = Table.grid(padding=(0, 1))
    line.add_row(
        ProgressBar(total=1.0, completed=done, width=PROGRESS_BAR_CELLS),
        Text(f"{done:4.0%}"),
        Text(text),
    )
    return line


def _format_row(
    cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]
) -> str:
    return "  ".join(
        _pad(cell, widths[at], right=right[at]) for at, cell in enumerate(cells)
    ).rstrip()


def _pad(cell: str, width: int, *, right: bool) -> str:
    room = " " * (width - _cell_width(cell.strip(_FIRST_STRONG + _POP)))
    return room + cell if right else cell + room


def open_screen(out: IO[str] | None = None, err: IO[str] | None = None) -> Screen:
    """The screen of this process, whose streams can carry every script and never fail for a character."""
    import os
    import shutil

    out, err = out or sys.stdout, err or sys.stderr
    for stream in (out, err):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Screen(
        out=out,
        err=err,
        colour=out.isatty() and not plain,
        live=err.isatty() and not plain,
        width=max(60, min(shutil.get_terminal_size().columns, 160)),
    )
