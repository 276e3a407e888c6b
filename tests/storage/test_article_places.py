"""A place on the map: articles and the coordinates of what they name, in one view."""

from storage.store import Store


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
