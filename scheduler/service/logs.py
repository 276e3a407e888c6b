"""Log lines: one sentence for people on a terminal, one JSON object a line otherwise.

Every record may carry facts in `extra={"facts": {...}}`. Control characters from the
web reach no terminal and no file.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from storage.folding import printable

# Libraries that say more than an operator wants; their warnings still come through.
QUIETED_LIBRARIES = (
    "scrapy",
    "twisted",
    "apscheduler",
    "trafilatura",
    "htmldate",
    "readability",
    "asyncio",
    "filelock",
)


class HumanFormatter(logging.Formatter):
    """`12:04:31 poll tolonews-fa: 30 found, 2 new`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on its own lines where there is one."""
        at = datetime.fromtimestamp(record.created, UTC)
        message = to_one_line(record.getMessage())
        if record.levelno >= logging.WARNING:
            message = f"{record.levelname.lower()}: {message}"
        line = f"{at:%H:%M:%S} {message}"
        if record.exc_info is None:
            return line
        return f"{line}\n{printable(self.formatException(record.exc_info))}"


def to_one_line(value: object) -> str:
    """A value on one line: line breaks become visible, control characters go."""
    text = str(value).replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    return printable(text)


class JsonFormatter(logging.Formatter):
    """One object a line: `at`, `level`, `message`, the facts, the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON; time in UTC."""
        at = datetime.fromtimestamp(record.created, UTC)
        row: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": printable(record.getMessage()),
        }
        row |= getattr(record, "facts", {})
        if record.exc_info is not None:
            row["traceback"] = self.formatException(record.exc_info)
        # JSON escapes line breaks and C0; facts and tracebacks may quote the C1
        # controls that a stranger wrote.
        return printable(json.dumps(row, ensure_ascii=False, default=str))


def set_up(*, verbose: int = 0, stream: TextIO | None = None) -> None:
    """Send khabar's log to standard error, in the form that its reader wants.

    `verbose` 1 adds khabar's own details, 2 those of the libraries.
    """
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    if out.isatty():
        handler.setFormatter(HumanFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    if verbose > 0:
        root.setLevel(logging.DEBUG)
    library_level = logging.WARNING
    if verbose > 1:
        library_level = logging.DEBUG
    for name in QUIETED_LIBRARIES:
        logging.getLogger(name).setLevel(library_level)
