"""Each URL gets one fate, and each poll counts what became of what it showed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import make_document, make_landing, make_poll, make_rejection
from storage.model import (
    Document,
    Failure,
    Lead,
    Outcome,
    Refusal,
    RejectionReason,
    TooOld,
)
from storage.store import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
COUNTED = (
    "known",
    "new",
    "revised",
    "copies",
    "rejected",
    "refused",
    "too_old",
    "failed",
    "pending",
)
# Written for the tests.
TEXT = (
    "The market of the old town opened again on Saturday after three weeks, and a "
    "baker said that flour costs twice as much as it did in the spring."
)
URL = "https://a.example/1"


def document(text: str = TEXT, **more: object) -> Document:
    fields = {"url": URL, "source": "a", "title": "Market", "text": text}
    return make_document(**fields | more)


OUTCOMES: dict[str, Outcome] = {
    "new": document(),
    "revised": document(f"{TEXT} Nobody knows for how long."),
    "copies": document(),
    "rejected": make_rejection(RejectionReason.EMPTY),
    "refused": Refusal(why=RejectionReason.ROBOTS),
    "too_old": TooOld(published_at=NOW - timedelta(days=900)),
    "failed": Failure(detail="http 500", final=True),
    "pending": Failure(detail="http 503"),
    "known": document(),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "khabar.db") as opened:
        yield opened


def show(store: Store, at: datetime, title: str = "Market") -> list:
    """A poll of a feed with one entry; returns its pending leads."""
    lead = Lead(url=URL, source="a", title=title, guid="one")
    poll = make_poll(lead, at=at, source="a")
    return list(store.polls.land(poll).fresh)


@pytest.mark.parametrize("column", sorted(OUTCOMES))
def test_a_landing_counts_in_the_column_that_it_says(store: Store, column: str) -> None:
    """`Landed.poll_column` is the one place that says which column that is."""
    if column == "copies":
        store.landings.admit(document(url="https://b.example/1", source="b"), now=NOW)
    if column in ("revised", "known"):
        # A kept page whose entry gets another title is read again.
        (lead,) = show(store, NOW - timedelta(hours=1), title="Prices")
        first = make_landing(document(), URL, source="a", lead=lead)
        store.landings.land([first], now=NOW)
    (lead,) = show(store, NOW)
    landing = make_landing(OUTCOMES[column], URL, source="a", lead=lead)
    (landed,) = store.landings.land([landing], now=NOW)

    (poll, *_) = store.session.db.query("SELECT * FROM polls ORDER BY id DESC")
    assert landed.poll_column == column
    assert {name for name in COUNTED if poll[name]} == {column}
    assert poll["found"] == poll[column] == 1
    assert store.polls.unbalanced() == []


def test_an_original_after_its_copy_counts_as_a_copy(store: Store) -> None:
    """It becomes the head of an article that is there already: nothing is new."""
    reprint = document(url="https://b.example/1", source="b", origin_url=URL)
    store.landings.admit(reprint, now=NOW)
    (lead,) = show(store, NOW)
    landing = make_landing(document(), URL, source="a", lead=lead)
    (landed,) = store.landings.land([landing], now=NOW)
    assert (landed.what, landed.poll_column) == ("promoted", "copies")
    assert store.polls.unbalanced() == []
