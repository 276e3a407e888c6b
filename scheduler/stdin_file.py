"""Standard input that is imported, as a private file beside the database.

An import needs a file, which the service may have to read as well: it is known again by
both its ends, and goes on where it stopped. Whoever asked removes it; the service does
where it has the work, and what a crash left goes with the start of a service, a day
later.
"""

import os
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from storage.errors import UsageError

STANDARD_INPUT = Path("-")
LEFTOVER_AGE = timedelta(days=1)
_HEAD_BYTES = 1 << 16  # by which the kind of file is known


class JobContinues(KeyboardInterrupt):
    """The asker left, and the service goes on with the work."""


@contextmanager
def replace_stdin(store: Path, files: Sequence[Path]) -> Iterator[list[Path]]:
    """The files, with a copy of standard input in place of `-`.

    Raises UsageError where nothing is piped in, OSError.
    """
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError("- is standard input, which can be read once")
    if STANDARD_INPUT not in files:
        yield list(files)
        return
    if sys.stdin.isatty():
        raise UsageError(
            "nothing is piped into standard input; "
            "name a file, or `khabar import - < FILE`"
        )
    copy = _copy_stdin(store, sys.stdin.buffer)
    try:
        yield [copy if file == STANDARD_INPUT else file for file in files]
    except JobContinues:  # the service reads it now, and removes it
        raise
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    copy.unlink(missing_ok=True)


def _copy_stdin(store: Path, stream: IO[bytes]) -> Path:
    head = stream.read(_HEAD_BYTES)
    folder = store.absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(
        prefix=_name_prefix(store), suffix=file_suffix(head), dir=folder
    )
    file = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            # Where root asks, the service that reads it is somebody else.
            if os.geteuid() == 0 and store.exists():
                owner = store.stat()
                os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
            out.write(head)
            shutil.copyfileobj(stream, out)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return file


def file_suffix(head: bytes) -> str:
    """The name's end for a file with these first bytes: captures, or lines of JSON."""
    if head.startswith(b"PK\x03\x04"):
        return ".wacz"
    start, packing = head, ""
    if head.startswith(b"\x1f\x8b"):
        start, packing = b"", ".gz"
        with suppress(zlib.error):
            start = zlib.decompressobj(wbits=31).decompress(head, 64)
    if start.startswith(b"WARC/"):
        return ".warc" + packing
    return ".jsonl" + packing


def is_stdin_file(store: Path, file: Path) -> bool:
    """Whether a file is a copy of standard input, to be removed when it was read."""
    beside = file.parent == store.absolute().parent
    return beside and file.name.startswith(_name_prefix(store))


def hide_stdin_path(store: Path, line: str) -> str:
    """A message that calls a copy of standard input what it is."""
    folder = re.escape(f"{store.absolute().parent}{os.sep}")
    name = re.escape(_name_prefix(store)) + r"\w{1,20}(?:\.(?:warc|wacz|jsonl|gz))+"
    return re.sub(f"(?:{folder})?{name}", "stdin", line)


def remove_leftovers(store: Path, now: datetime) -> None:
    """Remove copies that nobody came back for."""
    oldest = (now - LEFTOVER_AGE).timestamp()
    for file in store.absolute().parent.glob(f"{_name_prefix(store)}*"):
        with suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()


def _name_prefix(store: Path) -> str:
    return f"{store.name}.stdin-"
