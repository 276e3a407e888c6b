"""What leaves the store by a command.

An export to a file or a pipe, the log of changes as it grows.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from storage.errors import UsageError
from storage.model import utc_now
from storage.query import changes, export
from storage.query.criteria import Criteria
from storage.store import Store

POLL_SECONDS = 1.0  # seconds between two looks at the log
_PAGE_RECORDS = 500  # records; what an export holds in memory


def write_export(
    store: Store,
    wanted: Criteria,
    *,
    form: str,
    sink: BinaryIO,
    most: int | None = None,
) -> None:
    """Write what is found, all of it or the first `most`.

    Raises UsageError where the format's extra is missing.
    """
    pages = _limit_pages(
        store.search.json_pages(wanted, size=min(most or _PAGE_RECORDS, _PAGE_RECORDS)),
        most,
    )
    if form == "parquet":
        export.write_parquet(pages, sink)
        return
    sink.writelines(_encode_pages(pages, form))
    sink.flush()


def _encode_pages(pages: Iterator[list[str]], form: str) -> Iterator[bytes]:
    if form == "atom":
        return export.to_atom(
            pages, title="khabar", url="urn:khabar:export", now=utc_now()
        )
    return export.to_csv(pages) if form == "csv" else export.to_jsonl(pages)


def _limit_pages(pages: Iterator[list[str]], most: int | None) -> Iterator[list[str]]:
    for page in pages:
        yield page if most is None else page[:most]
        if most is not None:
            most -= len(page)
            if most <= 0:
                return


@contextmanager
def open_target(
    path: Path | None, stream: BinaryIO, *, form: str
) -> Iterator[BinaryIO]:
    """Where an export goes.

    A file that appears whole or not at all, else the stream. Raises UsageError.
    """
    if path is None:
        if form == "parquet" and stream.isatty():
            raise UsageError(
                "Parquet is no text for a terminal; name a file with --output."
            )
        yield stream
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error
    finally:
        part.unlink(missing_ok=True)


def tail(
    store: Store,
    since: int,
    *,
    follow: bool,
    tell: Callable[[changes.ChangeEntry], None],
) -> None:
    """Tell each change after a cursor; with `follow` until interrupted."""

    def wait() -> bool:
        if follow:
            time.sleep(POLL_SECONDS)
        return follow

    for entry in store.changes.follow(since, wait=wait):
        tell(entry)
