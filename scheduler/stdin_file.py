"""Standard input that is imported.

A private file beside the database meanwhile, which the service may read as well.

An import needs a file: it is known again by both its ends, and goes on where it
stopped. Whoever asked removes it; the service does where it has the work, and what a
crash left goes with the start of a service, a day later.
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
_HEAD_BYTES = 1 << 16  # bytes by which the kind is told


class JobContinues(KeyboardInterrupt):
    """The asker left, and the service goes on with the work."""


@contextmanager
def replace_stdin(store: Path, files: Sequence[Path]) -> Iterator[list[Path]]:
    """The files, with a spooled one in place of `-`.

    Raises UsageError where nothing is piped in, OSError.
    """
    if files.count(STANDARD_INPUT) > 1:
        raise UsageError("- is standard input, which can be read once")
    if STANDARD_INPUT not in files:
        yield list(files)
        return
    if sys.stdin.isatty():
        raise UsageError(
            "nothing is piped into standard input; name a file, or `khabar import - < FILE`"
        )
    spooled = _copy_stdin(store, sys.stdin.buffer)
    try:
        yield [spooled if file == STANDARD_INPUT else file for file in files]
    except JobContinues:
        raise
    except BaseException:
        spooled.unlink(missing_ok=True)
        raise
    spooled.unlink(missing_ok=True)


def is_stdin_file(store: Path, file: Path) -> bool:
    """Whether a file is one of ours, which may be removed when it was read."""
    return file.parent == store.absolute().parent and file.name.startswith(
        _name_prefix(store)
    )


def hide_stdin_path(store: Path, line: str) -> str:
    """A line that calls a spooled file what it is."""
    folder = re.escape(f"{store.absolute().parent}{os.sep}")
    return re.sub(
        rf"(?:{folder})?{re.escape(_name_prefix(store))}\w{{1,20}}(?:\.(?:warc|wacz|jsonl|gz))+",
        "stdin",
        line,
    )


def remove_leftovers(store: Path, now: datetime) -> None:
    """Remove what nobody came back for."""
    for file in store.absolute().parent.glob(f"{_name_prefix(store)}*"):
        with suppress(OSError):
            if file.stat().st_mtime < (now - LEFTOVER_AGE).timestamp():
                file.unlink()


def _copy_stdin(store: Path, stream: IO[bytes]) -> Path:
    head = stream.read(_HEAD_BYTES)
    store.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(
        prefix=_name_prefix(store),
        suffix=file_suffix(head),
        dir=store.absolute().parent,
    )
    file = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            # Root asks a service that is somebody else
            if os.geteuid() == 0 and store.exists():
                owner = store.stat()
                os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
            out.write(head)
            shutil.copyfileobj(stream, out)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return file


def _name_prefix(store: Path) -> str:
    return f"{store.name}.stdin-"


def file_suffix(head: bytes) -> str:
    """How a file with these first bytes is to be called.

    Captures, or else lines of JSON. Pure.
    """
    if head.startswith(b"PK\x03\x04"):
        return ".wacz"
    packed, plain = head.startswith(b"\x1f\x8b"), head
    if packed:
        plain = b""
        with suppress(zlib.error):
            plain = zlib.decompressobj(wbits=31).decompress(head, 64)
    return (".warc" if plain.startswith(b"WARC/") else ".jsonl") + (
        ".gz" if packed else ""
    )
