"""What the pages are made of: differences, drawings, and text that stays text."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from scheduler.pages import charts, diffs, rendering
from storage.query.criteria import Criteria
from storage.query.overview import PlaceCount

LINES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20),
    max_size=8,
).map("\n".join)


def place(
    name: str = "Kunduz", lat: float = 36.7, lon: float = 68.9, articles: int = 4
) -> PlaceCount:
    return PlaceCount(
        code=name, kind="city", name=name, lat=lat, lon=lon, articles=articles
    )


# Differences


def test_a_changed_number_is_one_word_of_difference():
    """Of a corrected toll only the number is shown as gone and new."""
    pieces = diffs.compare_texts(
        "Twelve people died.\nIt rained.", "Fourteen people died.\nIt rained."
    )[0]
    assert [(piece.kind, piece.text) for piece in pieces] == [
        ("gone", "Twelve"),
        ("new", "Fourteen"),
        ("same", " people died."),
    ]


def test_words_that_changed_in_a_row_are_one_difference():
    """The old words stand together, then the new ones.

    What people read is not cut into single words.
    """
    pieces = diffs.compare_texts(
        "All six were taken home.", "Two of them died at home."
    )[0]
    assert [(piece.kind, piece.text) for piece in pieces] == [
        ("gone", "All six were taken"),
        ("new", "Two of them died at"),
        ("same", " home."),
    ]


@given(LINES, LINES)
def test_a_difference_loses_nothing(old, new):
    """What is the same or new makes the new text, what is the same or gone the old one."""
    paragraphs = diffs.compare_texts(old, new)
    after = [
        "".join(piece.text for piece in pieces if piece.kind != "gone")
        for pieces in paragraphs
        if any(piece.kind != "gone" for piece in pieces) or not pieces
    ]
    before = [
        "".join(piece.text for piece in pieces if piece.kind != "new")
        for pieces in paragraphs
        if any(piece.kind != "new" for piece in pieces) or not pieces
    ]
    assert [line for line in after if line] == [
        line for line in new.split("\n") if line
    ]
    assert [line for line in before if line] == [
        line for line in old.split("\n") if line
    ]


def test_a_huge_passage_is_not_compared_word_by_word():
    """Two passages of a hundred thousand words are shown as gone and new."""
    pieces = diffs.compare_texts("a " * 100_000, "b " * 100_000)[0]
    assert [piece.kind for piece in pieces] == ["gone", "new"]


# Drawings


@given(
    st.dictionaries(
        st.dates(date(2026, 10, 1), date(2026, 11, 22)).map(date.isoformat),
        st.integers(1, 10**7),
        max_size=40,
    )
)
def test_bars_stay_in_their_drawing(counts):
    """A bar a day in order, none higher than the drawing, each as tall as its share."""
    made = charts.draw_bars(counts, last=date(2026, 11, 22), days=31)
    assert [bar.day for bar in made] == sorted(bar.day for bar in made)
    assert len(made) == 31
    assert all(
        0 <= bar.y <= 90 and 0 < bar.height <= 90 and 0 <= bar.x <= 620 for bar in made
    )
    assert all(bar.count == counts.get(bar.day, 0) for bar in made)


def test_the_map_puts_places_where_they_are():
    """East is right, north is up, Kabul lies within the outline.

    The more articles, the larger.
    """
    drawn = charts.draw_map(
        [place("Kabul", 34.5, 69.2, 100), place("Herat", 34.3, 62.2, 4)]
    )
    kabul, herat = drawn.dots
    assert herat.x < kabul.x
    assert kabul.radius > herat.radius
    assert 0 < kabul.y < drawn.height


@given(
    st.lists(
        st.builds(
            place,
            name=st.sampled_from(["a", "b", "c"]),
            lat=st.floats(-90, 90),
            lon=st.floats(-180, 180),
            articles=st.integers(1, 10**6),
        ),
        max_size=30,
    )
)
def test_no_place_leaves_the_map(places):
    """Whatever coordinates a gazetteer gives, nothing is drawn far outside, and a name stands once."""
    drawn = charts.draw_map(places)
    assert all(
        -40 <= dot.x <= drawn.width + 40 and -40 <= dot.y <= drawn.height + 40
        for dot in drawn.dots
    )
    names = [dot.place.name for dot in drawn.dots if dot.label]
    assert len(names) == len(set(names))


# Text


@given(st.text())
def test_only_web_addresses_are_links(text):
    """javascript:, data: and everything else that is no http address is no link."""
    link = rendering.safe_link(text)
    assert not link or link.startswith(("http://", "https://", "HTTP", "Http", "hTTP"))
    assert (
        rendering.safe_link("javascript:alert(1)//http://x")
        == rendering.safe_link("http:///x")
        == rendering.safe_link("http://[")
        == ""
    )


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_whatever_a_page_says_is_text(text):
    """No text opens an element or ends an attribute in a page that shows it."""
    shown = rendering.render_page(
        "error.html",
        {"status": 404, "message": text},
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )
    frame = rendering.render_page(
        "error.html",
        {"status": 404, "message": ""},
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert shown.count("<") == frame.count("<")
    assert shown.count('"') == frame.count('"')
    assert not set(shown) & set("\x00\x1b\u202e\u2066")


def test_marks_become_parts():
    """A passage is cut at its marks, in order."""
    assert rendering.split_highlights("a ⟦b⟧ c⟦d⟧") == [
        (False, "a "),
        (True, "b"),
        (False, " c"),
        (True, "d"),
    ]


def test_addresses_carry_the_search():
    """A link keeps the search and changes what it is told to."""
    wanted = Criteria(words='"a b"', sources=("x",), after="5")
    assert (
        rendering.build_address("/search", wanted, source="y", after=None)
        == "/search?q=%22a+b%22&source=y"
    )
