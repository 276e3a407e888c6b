"""What leaves the store by a command: an export, the log of changes as it grows."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from storage.backup import resolve_target, take_over_owner
from storage.errors import UsageError
from storage.model import utc_now
from storage.query import changes, export
from storage.query.criteria import Criteria
from storage.store import Store

POLL_SECONDS = 1.0  # between two looks at the log
PAGE_RECORDS = 500  # what an export holds in memory


def write_export(
    store: Store,
    criteria: Criteria,
    *,
    form: str,
    sink: BinaryIO,
    most: int | None = None,
) -> None:
    """Write what is found, all of it or the first `most`.

    `form` is jsonl, csv, atom or parquet. Raises UsageError where the format's extra is
    missing.
    """
    # No more is read than is written: `--limit 1` must not read five hundred.
    size = min(most or PAGE_RECORDS, PAGE_RECORDS)
    pages = _limit_pages(store.search.json_pages(criteria, size=size), most)
    if form == "parquet":
        export.write_parquet(pages, sink)
        return
    if form == "atom":
        url = "urn:khabar:export"
        chunks = export.to_atom(pages, title="khabar", url=url, now=utc_now())
    elif form == "csv":
        chunks = export.to_csv(pages)
    else:
        chunks = export.to_jsonl(pages)
    sink.writelines(chunks)
    sink.flush()


def _limit_pages(pages: Iterator[list[str]], most: int | None) -> Iterator[list[str]]:
    if most is None:
        yield from pages
        return
    left = most
    for page in pages:
        yield page[:left]
        left -= len(page)
        if left <= 0:
            return


@contextmanager
def open_target(
    path: Path | None, stream: BinaryIO, *, form: str
) -> Iterator[BinaryIO]:
    """Where an export goes: a file, or the stream where there is none.

    The file appears whole or not at all, with mode and group of the one it replaces; a
    link is followed. Raises UsageError.
    """
    if path is None:
        if form == "parquet" and stream.isatty():
            raise UsageError(
                "Parquet is no text for a terminal; name a file with --output."
            )
        yield stream
        return
    # Beside the target, so that the last step is a rename on one file system.
    target = path
    if not path.exists() or path.is_file():
        target = resolve_target(path)
    elif path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it.")
    else:
        # A pipe or a device takes what is written, and stays what it is.
        with _translating_faults(path), path.open("wb") as file:
            yield file
        return
    part = target.with_name(target.name + ".part")
    try:
        with _translating_faults(path):
            with part.open("wb") as file:
                yield file
            take_over_owner(part, target)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _translating_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error


def tail(
    open_store: Callable[[], Store],
    since: int,
    *,
    follow: bool,
    on_change: Callable[[changes.ChangeEntry], None],
    note: Callable[[str], None],
) -> None:
    """Hand over each change after a cursor; with `follow` until interrupted.

    A file that is put in the database's place is gone on with, where it has the last
    cursor that was handed over. Raises UsageError for a cursor that it has not.
    """
    at = since
    is_over = False
    while not is_over:
        with open_store() as store:

            def wait(store: Store = store) -> bool:
                if follow:
                    time.sleep(POLL_SECONDS)
                return follow and store.is_current()

            for entry in store.changes.follow(at, wait=wait):
                at = entry.cursor
                on_change(entry)
            is_over = not follow
        if follow:
            note(f"the database was replaced; going on after cursor {at}")
