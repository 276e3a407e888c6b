"""Log lines: one sentence for people on a terminal, one JSON object a line otherwise.

Every record may carry facts in `extra={"facts": {...}}`; control characters from the
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


def to_one_line(value: object) -> str:
    """A value on one line: line breaks become visible, control characters go."""
    return printable(
        str(value).replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    )


class HumanFormatter(logging.Formatter):
    """`12:04:31 poll tolonews-fa: 30 found, 2 new`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows on its own lines where there is one."""
        mark = (
            "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        )
        line = f"{datetime.fromtimestamp(record.created, UTC):%H:%M:%S} {mark}{to_one_line(record.getMessage())}"
        return (
            line
            if record.exc_info is None
            else f"{line}\n{printable(self.formatException(record.exc_info))}"
        )


class JsonFormatter(logging.Formatter):
    """One object a line.

    `at`, `level`, `message`, the facts, and the traceback where there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON; time in UTC."""
        row: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
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
    """Send khabar's log to standard error, in the form that its reader wants."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(HumanFormatter() if out.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in QUIETED_LIBRARIES:
        logging.getLogger(name).setLevel(
            logging.DEBUG if verbose > 1 else logging.WARNING
        )
