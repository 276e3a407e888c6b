"""A page's declared address joins two pages only where their reports agree."""

from pathlib import Path

import pytest

from builders import NOW, make_document, make_landing, make_page
from storage.store import Store

# Written for the tests: no such events.
REPORTS = (
    ("Bridge reopens in Herat", "The bridge over the river in Herat was opened again on Monday after two years of repairs, engineers of the province said, and lorries crossed it from noon on."),
    ("Teachers strike in Bamyan", "Teachers in Bamyan stayed away from their schools for a third day because their wages had not been paid since spring, a member of their council told reporters there."),
    ("Snow closes the Salang pass", "Snow closed the road across the Salang pass in the night, and some four hundred travellers waited in their cars until ploughs came up from the south in the morning."),
)  # fmt: skip
SHARED = "https://paper.example/latest-story-of-ours"


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as opened:
        yield opened


def land(store, number: int, *, declared: str, url: str = "", text: str = ""):
    title, report = REPORTS[number]
    url = url or f"https://paper.example/{number}"
    body = f"<h1>{title}</h1><p>{report}".encode()
    landing = make_landing(
        make_document(declared, text or report, title=title),
        url,
        page=make_page(url, body),
        aliases=(declared,),
    )
    return store.landings.land([landing], now=NOW)[0]


def kept(store) -> list[tuple[str, str, int]]:
    rows = store.session.db.execute("SELECT url, title, revision FROM documents")
    return sorted(tuple(row) for row in rows)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_reports_that_name_one_address_are_documents_of_their_own(store, order):
    """Another headline and another text at a declared address: nothing is merged."""
    for number in order:
        land(store, number, declared=SHARED)
    assert sorted(title for _, title, _ in kept(store)) == sorted(
        title for title, _ in REPORTS
    )
    assert all(revision == 1 for _, _, revision in kept(store))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_page_that_names_a_neighbour_does_not_take_its_place(store, order):
    """Whichever of the two comes first, each is kept under its own address."""
    neighbour = "https://paper.example/1"
    for number in order:
        land(store, number, declared=neighbour)
    assert [(url, title) for url, title, _ in kept(store)] == [
        ("https://paper.example/0", REPORTS[0][0]),
        ("https://paper.example/1", REPORTS[1][0]),
    ]
    assert store.check() == []


def test_two_addresses_of_one_report_are_one_document(store):
    """The same headline or the same text at a declared address: one page."""
    land(store, 0, declared=SHARED)
    land(store, 0, declared=SHARED, url="https://paper.example/print/0")
    edited = f"{REPORTS[0][1]} Buses follow on Tuesday, and a ferry stops its service."
    land(store, 0, declared=SHARED, text=edited, url="https://paper.example/amp/0")
    ((url, _, revision),) = kept(store)
    assert (url, revision) == (SHARED, 2)


def test_a_page_that_is_no_longer_believed_keeps_its_document(store):
    """A page that comes again under its own address is the document it was."""
    first = land(store, 0, declared=SHARED)
    again = land(store, 0, declared="https://paper.example/0")
    assert again.document_id == first.document_id
    assert [url for url, _, _ in kept(store)] == ["https://paper.example/0"]
