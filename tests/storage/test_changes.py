"""The log is followed exactly once, across restarts."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import make_document
from scheduler import exports
from storage.errors import UsageError
from storage.query import changes
from storage.store import Store


def add(store: Store, name: str) -> None:
    text = f"Written for the tests: report {name} about {name} says nothing that another report had said before {name} came."
    store.landings.admit(
        make_document(
            f"https://alpha.example/{name}", text, source="alpha", title=name
        ),
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )


def test_from_the_start_each_change_comes_once_in_order(stocked):
    """Without a cursor the log begins at its first row."""
    entries = list(changes.follow_changes(stocked.session.db, wait=lambda: False))
    assert [entry.what for entry in entries] == ["new"] * 5
    assert [entry.cursor for entry in entries] == sorted(
        {entry.cursor for entry in entries}
    )
    assert entries[0].as_json()["url"] == "https://alpha.example/1"


def test_a_reader_that_comes_back_misses_nothing(stocked):
    """Two followers in turn, the second from the first's cursor, see what one would have seen."""
    first = [
        next(changes.follow_changes(stocked.session.db, wait=lambda: False))
        for _ in range(1)
    ]
    add(stocked, "later")
    rest = list(
        changes.follow_changes(stocked.session.db, first[-1].cursor, wait=lambda: False)
    )
    assert [entry.cursor for entry in first + rest] == [
        entry.cursor for entry in changes.list_entries(stocked.session.db, 0)
    ]


def test_what_comes_while_waiting_follows(stocked):
    """A change that another connection commits during the wait is the next one seen."""
    waits = iter(["one", "two", None])

    def wait() -> bool:
        name = next(waits)
        if name:
            add(stocked, name)
        return name is not None

    with Store.read(stocked.path) as reader:
        seen = [
            entry.title
            for entry in changes.follow_changes(
                reader.session.db, changes.last_cursor(reader.session.db), wait=wait
            )
        ]
    assert seen == ["one", "two"]


def test_a_cursor_of_another_log_is_refused(stocked):
    """A cursor ahead of the log would wait for ever in silence.

    It is an error of use.
    """
    with pytest.raises(UsageError):
        next(changes.follow_changes(stocked.session.db, 10_000, wait=lambda: False))


@pytest.mark.parametrize("came_since", [0, 1, 9])
def test_a_cursor_of_what_a_restore_lost_is_refused(
    tmp_path: Path, came_since: int
) -> None:
    """However many changes the restored log has by now; and it says where to go on."""
    path, copy = tmp_path / "khabar.db", tmp_path / "copy.db"
    with Store.open(path) as store:
        add(store, "before")
    with Store.open(path) as store:
        kept = store.changes.last_cursor()
        store.backup(copy)
        add(store, "lost")
        lost = store.changes.last_cursor()
    copy.replace(path)
    time.sleep(1)
    with Store.open(path) as store:
        for n in range(came_since):
            add(store, f"since{n}")
        with pytest.raises(UsageError, match=f"no cursor {lost}.*--since {kept}"):
            list(store.changes.follow(lost, wait=lambda: False))
        assert len(list(store.changes.follow(kept, wait=lambda: False))) == came_since


def test_a_follower_goes_on_with_the_file_that_takes_the_place(tmp_path: Path) -> None:
    """One that is silent for ever would look like a quiet day."""
    path, copy = tmp_path / "khabar.db", tmp_path / "copy.db"
    with Store.open(path) as store:
        add(store, "first")
        store.backup(copy)
    seen: list[str] = []
    notes: list[str] = []

    def on_change(entry: changes.ChangeEntry) -> None:
        seen.append(str(entry.title))
        if len(seen) == 1:
            copy.replace(path)
            for end in ("-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            with Store.open(path) as store:
                add(store, "second")
        else:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exports.tail(
            lambda: Store.read(path),
            0,
            follow=True,
            on_change=on_change,
            note=notes.append,
        )
    assert seen == ["first", "second"]
    assert len(notes) == 1
