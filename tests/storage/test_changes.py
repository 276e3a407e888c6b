"""The log is followed exactly once, across restarts."""

from datetime import UTC, datetime

import pytest

from builders import make_document
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
