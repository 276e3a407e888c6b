"""A place on the map: articles and the coordinates of what they name, in one view."""

from datetime import UTC, datetime

import pytest

from builders import make_document
from storage.model import Mention
from storage.store import Store

PUBLISHED_AT = datetime(2026, 11, 20, tzinfo=UTC)


def test_articles_join_to_the_coordinates_of_the_places_they_name(
    stocked: Store,
) -> None:
    """`article_places` has a row for each article and each of its places that the gazetteer locates."""
    rows = stocked.session.db.execute(
        "SELECT a.title, p.name, p.lat, p.lon FROM articles AS a JOIN article_places AS p ON p.article_id = a.id"
    ).fetchall()
    assert ("Roadside bomb in Panjwayi", "Panjwayi", 31.07, 65.16) in [
        tuple(row) for row in rows
    ]
    assert len(rows) == 5


@pytest.mark.parametrize("role", ["dateline", "office"])
def test_datelines_and_offices_are_kept_and_not_counted(tmp_path, role: str) -> None:
    """A place that a text names only so is in the file, and in no count and on no map."""
    row = {"kind": "province", "lat": 34.5, "lon": 69.2}
    with Store.open(tmp_path / "khabar.db") as store:
        store.gazetteer.sync_places(
            [
                {"code": "AF01", "name": "Kabul", "province_code": "AF01", **row},
                {"code": "AF30", "name": "Helmand", "province_code": "AF30", **row},
            ]
        )
        places = (
            Mention(kind="place", code="AF01", name="Kabul", count=1, role=role),
            Mention(kind="place", code="AF30", name="Helmand", count=2),
        )
        store.landings.admit(make_document(mentions=places, published_at=PUBLISHED_AT))
        stored = store.session.db.execute("SELECT code, role FROM article_places")
        assert [tuple(place) for place in stored] == [("AF01", role), ("AF30", "")]
        assert [p.code for p in store.search.places(PUBLISHED_AT)] == ["AF30"]
        assert [p.code for p in store.search.provinces(PUBLISHED_AT)] == ["AF30"]
