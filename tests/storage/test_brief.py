"""A day in one object.

By province, counted honestly, with what changed and what was not seen.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import make_document, make_landing, make_poll, make_source_state
from storage.model import (
    Claim,
    Correction,
    Document,
    Failure,
    Label,
    Mention,
)
from storage.query import brief
from storage.store import Store

DAY = datetime(2026, 11, 21, tzinfo=UTC)
SEEN = DAY.replace(hour=9)
NEXT = datetime(2026, 11, 22, tzinfo=UTC)
AFTER = datetime(2026, 11, 23, tzinfo=UTC)
PLACES = tuple(
    {"code": code, "kind": kind, "name": name, "province_code": province, "lat": 1.0, "lon": 1.0}
    for code, kind, name, province in (
        ("AF17", "province", "Kunduz", "AF17"), ("AF27", "province", "Kandahar", "AF27"), ("AF2704", "district", "Panjwayi", "AF27"),
    )
)  # fmt: skip
# Written for the tests: nothing of it happened.
TEXTS = {
    "mine": "Eight guards died when a mine went off beneath their lorry on the road out of Panjwayi, the governor's office said in the morning.",
    "mine again": "At a bend near Panjwayi a lorry of the local guard hit a mine; shopkeepers counted the ambulances and named no number of dead.",
    "market": "The market of Kunduz stayed shut for a second day because traders and the municipality could not agree about the new tax on stalls.",
    "snow": "Snow closed two passes, and the ministry asked drivers to wait for the ploughs until Thursday at the earliest, in a note to the press.",
}


def place(code: str, count: int = 1) -> Mention:
    return Mention(kind="place", code=code, name=code, count=count)


def document(name: str, source: str, *places: Mention, **more: object) -> Document:
    told = {
        "url": f"https://{source}.example/{name.replace(' ', '-')}", "source": source, "title": name.title(), "text": TEXTS[name],
        "language": "en", "published_at": DAY.replace(hour=6), "published_how": "feed", "mentions": places,
    }  # fmt: skip
    return make_document(**told | more)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "khabar.db") as opened:
        opened.gazetteer.sync_places(PLACES)
        opened.gazetteer.sync_spellings(
            [("place", "AF27", "Kandahar"), ("place", "AF27", "قندهار")]
        )
        owners = {"alpha": "House", "beta": "House", "gamma": ""}
        opened.sources.sync(
            make_source_state(one, url=f"https://{one}.example/f", owner=owner)
            for one, owner in owners.items()
        )
        yield opened


def land(store: Store, *documents: Document, now: datetime = SEEN) -> list:
    return [store.landings.admit(one, now=now) for one in documents]


CLAIM = Claim(
    kind="killed",
    number=8,
    qualifier="",
    said_by="the governor's office",
    sentence="Eight guards died.",
)


def test_an_article_stands_once_under_the_province_that_it_names_most(
    store: Store,
) -> None:
    """Its districts count for a province; others that it names stand beside it.

    What names none comes last.
    """
    land(
        store,
        document("mine", "alpha", place("AF2704", 2), place("AF17")),
        document("market", "gamma", place("AF17")),
        document("snow", "gamma"),
    )
    told = brief.build_brief(store.session.db, DAY, NEXT)
    assert [(one.name, [article.title for article in one.articles]) for one in told.provinces] == [
        ("Kandahar", ["Mine"]), ("Kunduz", ["Market"]), ("", ["Snow"]),
    ]  # fmt: skip
    assert told.provinces[0].articles[0].also == ("Kunduz",)


def test_reports_articles_and_independent_reports_are_three_numbers(
    store: Store,
) -> None:
    """A copy is a report and no article, two sources of one owner count once."""
    land(
        store,
        document("mine", "alpha", place("AF2704")),
        document("mine", "gamma", place("AF2704")),
        document("mine again", "beta", place("AF2704")),
    )
    told = brief.build_brief(store.session.db, DAY, NEXT)
    assert (told.reports, told.articles, told.independent) == (3, 2, 1)
    assert [article.reports for article in told.provinces[0].articles] == [2, 1]


def test_claims_come_with_who_says_so_and_are_not_added_up(store: Store) -> None:
    """Each stands with its article as it was found."""
    land(store, document("mine", "alpha", place("AF27"), claims=(CLAIM,)))
    claim = (
        brief.build_brief(store.session.db, DAY, NEXT)
        .provinces[0]
        .articles[0]
        .claims[0]
    )
    assert claim == {
        "kind": "killed", "number": 8, "qualifier": "", "said_by": "the governor's office", "sentence": "Eight guards died.",
    }  # fmt: skip


def test_a_place_narrows_the_day_in_any_spelling(store: Store) -> None:
    """Articles and corrections alike."""
    first, second = land(
        store,
        document("mine", "alpha", place("AF2704")),
        document("market", "gamma", place("AF17")),
    )
    for landed in (first, second):
        store.annotations.apply(
            Correction(label=Label.TAG, what=landed.article_id, tag="seen"),
            now=DAY.replace(hour=10),
        )
    told = brief.build_brief(store.session.db, DAY, NEXT, ["قندهار"])
    assert [one.title for province in told.provinces for one in province.articles] == [
        "Mine"
    ]
    assert [one.article_id for one in told.corrected] == [first.article_id]


def test_a_corrected_passage_stands_before_and_now(store: Store) -> None:
    """On the day on which it was corrected, not on that of the article."""
    first = document("mine", "alpha", place("AF27"))
    land(store, first)
    land(
        store,
        replace(first, title="Toll rises", text=first.text.replace("Eight", "Eleven")),
        now=NEXT.replace(hour=7),
    )
    assert brief.build_brief(store.session.db, DAY, NEXT).corrected == ()
    told = brief.build_brief(store.session.db, NEXT, AFTER)
    assert (
        told.articles,
        told.corrected[0].what,
        told.corrected[0].former_title,
        told.corrected[0].title,
    ) == (
        0,
        "revised",
        "Mine",
        "Toll rises",
    )
    assert told.corrected[0].edits == (
        ("Eight guards died when a", "Eleven guards died when a"),
    )


def test_what_was_withdrawn_is_listed(store: Store) -> None:
    """The day on which its page was found gone."""
    landed = land(store, document("mine", "alpha"))[0]
    gone = make_landing(
        Failure(detail="http 404", final=True, status=404), landed.url, source="alpha"
    )
    store.landings.land([gone], now=NEXT.replace(hour=3))
    assert [
        (one.what, one.title)
        for one in brief.build_brief(store.session.db, NEXT, AFTER).corrected
    ] == [("withdrawn", "Mine")]
    assert (
        brief.build_brief(store.session.db, DAY, NEXT)
        .provinces[0]
        .articles[0]
        .withdrawn_at
        == "2026-11-22T03:00:00Z"
    )


def test_what_was_not_seen_is_listed(store: Store) -> None:
    """A source that failed and the service that was down, but only on that day."""
    at = DAY.replace(hour=4)
    store.polls.land(make_poll(at=at, source="alpha", status="error", error="http 503"))
    store.service.beat(DAY.replace(hour=1))
    store.service.beat(DAY.replace(hour=5))
    told = brief.build_brief(store.session.db, DAY, NEXT)
    assert [(one.source, one.from_at, one.to_at) for one in told.blind] == [
        (None, DAY.replace(hour=1), DAY.replace(hour=5)),
        ("alpha", at, None),
    ]
    assert [
        one.source for one in brief.build_brief(store.session.db, NEXT, AFTER).blind
    ] == ["alpha"]
    assert (
        brief.build_brief(
            store.session.db, datetime(2026, 11, 20, tzinfo=UTC), DAY
        ).blind
        == ()
    )
