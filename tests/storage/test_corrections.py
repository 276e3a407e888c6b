"""Corrections by people.

They overrule the machine, outlive reading anew, can be taken back, and are labelled
data.
"""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_document, make_landing, make_page, make_rejection
from storage.errors import UsageError, WorkFailed
from storage.model import (
    ChangeKind,
    Correction,
    Document,
    FateKind,
    Label,
    Mention,
    Reason,
    Rejection,
    Verdict,
)
from storage.store import Store
from storage.tables import annotations

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 9, tzinfo=UTC)
# Written for the tests.
ONE = (
    "Two officers of the border police were killed when their car struck a mine near the bridge of Sher Khan, elders said.\n"
    "The road stayed closed until the evening, and traders who waited there told of smoke above the river for hours."
)
OTHER = (
    "A school for girls in the old quarter opened its doors again after eleven months, a teacher told this newspaper.\n"
    "Forty pupils came on the first morning, and a neighbour had painted the gate in the colours of the flag."
)
PAGE = make_page("https://a.example/1", b"<p>1", fetched_at=NOW)


def document(url: str, text: str = ONE, **more: object) -> Document:
    told = {
        "url": url, "source": "a", "title": "Mine near the bridge", "text": text, "language": "en", "extractor": "1",
        "published_at": NOW, "published_how": "feed", "authors": ("A. Reporter",),
        "verdict": Verdict(score=0.6, reasons=(Reason(term="mine", where="title", weight=0.6, kind="event"),)),
        "mentions": (Mention(kind="place", code="AF17", name="Kunduz", count=1, sentence="There."),),
    }  # fmt: skip
    return make_document(**told | more)


def land(
    store: Store,
    *documents: Document | Rejection,
    url: str = "",
    capture: int | None = None,
) -> list:
    return store.landings.land(
        [
            make_landing(one, url or one.url, source="a", capture_id=capture)
            for one in documents
        ],
        now=NOW,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "khabar.db", captures=tmp_path / "captures") as opened:
        yield opened


def say(store: Store, label: Label, what: str | int, **more: object):
    return store.annotations.apply(
        Correction(label=label, what=what, **more), now=LATER
    )


def log(store: Store, article: int) -> list[str]:
    return [
        change.what for change in store.changes.since() if change.article_id == article
    ]


# Relevance


def test_what_a_person_calls_irrelevant_goes_with_its_copies_and_stays_away(
    store: Store,
) -> None:
    """It is neither found nor taken in again from any of its addresses.

    Its fate says who decided.
    """
    first, copy = land(
        store, document("https://a.example/1"), document("https://b.example/1")
    )
    done = say(store, Label.IRRELEVANT, first.article_id)
    again = land(
        store,
        document("https://a.example/1", ONE + "\nMore."),
        document("https://b.example/1"),
    )
    assert done.outcome == "dropped"
    assert copy.fate is FateKind.COPY
    assert [one.fate for one in again] == [FateKind.REJECTED] * 2
    assert store.stats.counts()["articles"] == 0
    assert (
        store.fates.explain("https://a.example/1")["fate"]["detail"]
        == annotations.BY_PERSON
    )
    assert log(store, first.article_id)[-1] == ChangeKind.RECLASSIFIED
    assert store.check() == []


def test_what_was_dropped_comes_back_as_it_was_with_its_copies(store: Store) -> None:
    """Text, authors, mentions, raw page and copies are there again."""
    page = make_landing(
        document("https://a.example/1"), "https://a.example/1", page=PAGE
    )
    first = store.landings.land([page], now=NOW)[0]
    land(store, document("https://b.example/1"))
    before = store.articles.find(first.article_id)
    say(store, Label.IRRELEVANT, first.article_id)
    done = say(store, Label.RELEVANT, first.article_id)
    back = store.articles.find(done.article_id)
    assert done.outcome == "restored"
    assert (back.text, back.authors, back.published_at, back.capture_id) == (
        before.text, before.authors, before.published_at, before.capture_id,
    )  # fmt: skip
    assert (back.copies, back.relevance, back.extra["via"]) == (1, 1.0, "mark")
    assert store.fates.explain(back.id)["mentions"][0]["code"] == "AF17"
    assert store.check() == []


def test_what_a_person_calls_relevant_outlives_better_rules(store: Store) -> None:
    """Today's rules over the kept page would not keep it.

    It stays, and counts as wholly relevant.
    """
    first = store.landings.land(
        [
            make_landing(
                document("https://a.example/1"), "https://a.example/1", page=PAGE
            )
        ]
    )[0]
    say(store, Label.RELEVANT, first.article_id)
    capture = store.articles.find(first.article_id).capture_id
    land(
        store,
        make_rejection(),
        url="https://a.example/1",
        capture=capture,
    )
    land(
        store,
        document("https://a.example/1", extractor="2", verdict=Verdict(score=0.2)),
        capture=capture,
    )
    kept = store.articles.find(first.article_id)
    assert (kept.relevance, kept.extra["extractor"], kept.extra["via"]) == (
        1.0,
        "2",
        "mark",
    )
    assert kept.extra["reasons"][0]["term"] == annotations.BY_PERSON


def test_a_page_that_was_not_kept_is_asked_for_once_more(store: Store) -> None:
    """It becomes a lead that is kept whatever its score."""
    url = "https://a.example/rejected"
    land(store, make_rejection(title="Off topic"), url=url)
    done = say(store, Label.RELEVANT, url)
    lead = store.leads.pending(now=LATER)[0].lead
    assert (done.outcome, lead.url, lead.via, lead.source) == (
        "queued",
        url,
        "mark",
        "a",
    )
    assert store.fates.find(url) is None
    assert store.check() == []


def test_the_last_judgement_counts(store: Store) -> None:
    """Relevant, irrelevant, relevant: one mark is left."""
    first = land(store, document("https://a.example/1"))[0]
    for label in (Label.RELEVANT, Label.IRRELEVANT, Label.RELEVANT):
        say(store, label, "https://a.example/1")
    assert [row["label"] for row in annotations.list_annotations(store.session.db)] == [
        "relevant"
    ]
    assert store.articles.find(first.article_id) is None
    assert store.stats.counts()["articles"] == 1


# Copies


def test_a_copy_that_is_none_becomes_an_article_of_its_own_for_good(
    store: Store,
) -> None:
    """Equal words do not put it back.

    Not when it is read again, not when it comes as new.
    """
    first, copy = land(
        store, document("https://a.example/1"), document("https://b.example/1")
    )
    done = say(store, Label.NOT_A_COPY, copy.document_id, other=first.article_id)
    assert done.outcome == "parted"
    assert store.articles.find(first.article_id).copies == 0
    assert log(store, done.article_id) == [ChangeKind.SPLIT]
    land(store, document("https://b.example/1", extractor="2"))
    say(store, Label.IRRELEVANT, copy.document_id)
    back = say(store, Label.RELEVANT, copy.document_id)
    assert store.articles.find(back.article_id).url == "https://b.example/1"
    assert store.articles.find(first.article_id).copies == 0
    assert store.check() == []


def test_of_a_head_and_its_copy_the_copy_leaves(store: Store) -> None:
    """The article keeps its number and its head, whichever of the two was named first."""
    first, copy = land(
        store, document("https://a.example/1"), document("https://b.example/1")
    )
    say(store, Label.NOT_A_COPY, first.document_id, other=copy.document_id)
    assert store.articles.find(first.article_id).url == "https://a.example/1"
    assert store.articles.find(copy.document_id).url == "https://b.example/1"


def test_two_articles_that_are_one_are_joined_with_their_copies(store: Store) -> None:
    """The copies of the joined one follow it, and stays when its text changes."""
    first, second, copy = land(
        store,
        document("https://a.example/1"),
        document("https://a.example/2", OTHER),
        document("https://b.example/2", OTHER),
    )
    done = say(store, Label.COPY, second.article_id, other=first.article_id)
    assert (done.outcome, done.article_id) == ("joined", first.article_id)
    assert {row.url: row.kind for row in store.articles.copies(first.article_id)} == {
        "https://a.example/2": "declared",
        "https://b.example/2": "exact",
    }
    land(
        store,
        document(
            "https://a.example/2",
            OTHER + "\nA line was added below, about the pupils of the second day.",
        ),
    )
    assert store.articles.find(first.article_id).copies == 2
    assert log(store, second.article_id)[-1] == ChangeKind.RECLASSIFIED
    assert store.fates.find("https://a.example/2")["fate"] == "copy"
    assert store.fates.explain(copy.document_id)["article"]["id"] == first.article_id
    assert store.check() == []


def test_a_text_that_was_put_to_another_finds_its_way_back_to_it(store: Store) -> None:
    """A page that is dropped and restored is a copy of the same article as before."""
    first, second = land(
        store, document("https://a.example/1"), document("https://a.example/2", OTHER)
    )
    say(store, Label.COPY, second.article_id, other=first.article_id)
    store.session.db.execute(
        "DELETE FROM fates WHERE document_id = ?", [second.document_id]
    )
    store.session.db.execute("DELETE FROM documents WHERE id = ?", [second.document_id])
    again = land(store, document("https://a.example/2", OTHER))[0]
    assert (again.fate, again.article_id) == (FateKind.COPY, first.article_id)


def test_a_pair_has_one_mark(store: Store) -> None:
    """Not a copy, then a copy after all, said from the other side.

    The last word counts.
    """
    first, second = land(
        store, document("https://a.example/1"), document("https://a.example/2", OTHER)
    )
    say(store, Label.NOT_A_COPY, first.article_id, other=second.article_id)
    say(store, Label.COPY, second.article_id, other=first.article_id)
    assert [row["label"] for row in annotations.list_annotations(store.session.db)] == [
        "copy"
    ]
    with pytest.raises(WorkFailed, match="one and the same"):
        say(store, Label.COPY, first.article_id, other="https://a.example/1")


def test_two_that_were_parted_do_not_come_together_through_a_third(
    store: Store,
) -> None:
    """The error names both addresses, and nothing is changed."""
    first, second, _ = land(
        store,
        document("https://a.example/1"),
        document("https://a.example/2", OTHER),
        document("https://b.example/2", OTHER),
    )
    say(store, Label.NOT_A_COPY, first.article_id, other="https://b.example/2")
    with pytest.raises(WorkFailed, match=r"b\.example/2"):
        say(store, Label.COPY, first.article_id, other="https://a.example/2")
    assert [row["label"] for row in annotations.list_annotations(store.session.db)] == [
        "not_a_copy"
    ]
    assert store.articles.find(second.article_id).copies == 1


def test_texts_that_a_person_parted_are_not_linked_as_probable(store: Store) -> None:
    """They count as two independent reports."""
    first, second = land(
        store, document("https://a.example/1"), document("https://c.example/2", OTHER)
    )
    store.session.db.execute(
        "INSERT INTO probable_copies VALUES (?, ?, 0.6)",
        [second.article_id, first.article_id],
    )
    say(store, Label.NOT_A_COPY, second.article_id, other=first.article_id)
    assert store.articles.probable_copies(first.article_id) == []


# Tags, lists, forgetting


def test_tags_are_put_on_and_taken_off(store: Store) -> None:
    """A tag is one line of text, and each change of it stands in the log."""
    first = land(store, document("https://a.example/1"))[0]
    say(store, Label.TAG, first.article_id, tag="case \x1b[31m12")
    say(store, Label.TAG, first.article_id, tag="second")
    say(store, Label.TAG, first.article_id, tag="second", is_off=True)
    assert [row["value"] for row in annotations.list_annotations(store.session.db)] == [
        "case [31m12"
    ]
    assert [
        change.detail
        for change in store.changes.since()
        if change.what is ChangeKind.RECLASSIFIED
    ][-1].startswith("no longer")
    with pytest.raises(UsageError):
        say(store, Label.TAG, first.article_id, tag=" ")


def test_labelled_data_has_the_text_that_was_judged(store: Store) -> None:
    """What the page says later does not change what a gate is told.

    The score is the machine's.
    """
    first = land(store, document("https://a.example/1"))[0]
    say(store, Label.RELEVANT, first.article_id)
    land(store, document("https://a.example/1", OTHER, extractor="2"))
    row = next(annotations.list_annotations(store.session.db))
    assert (row["text"], row["score"], row["language"], row["label"]) == (
        ONE,
        0.6,
        "en",
        "relevant",
    )


def test_forgetting_takes_the_marks_text_too(store: Store) -> None:
    """By number of what was dropped, by URL, by source.

    No copy of the text is left in the file.
    """
    for number, forget in enumerate((
        lambda landed: store.erasure.forget(landed.article_id),
        lambda landed: store.erasure.forget("https://a.example/0"),
        lambda landed: store.erasure.forget_source("a"),
    )):  # fmt: skip
        landed = land(
            store,
            replace(
                document(f"https://a.example/{0 if number == 1 else number + 5}"),
                text=f"{ONE} {number}",
            ),
        )[0]
        say(store, Label.IRRELEVANT, landed.article_id)
        forget(landed)
        assert store.session.db.execute("SELECT count(*) FROM marks").fetchone()[0] == 0


def test_what_is_not_known_is_an_error(store: Store) -> None:
    """A number that is none, and a page that was forgotten."""
    store.erasure.forget("https://a.example/gone")
    with pytest.raises(WorkFailed, match="search"):
        say(store, Label.IRRELEVANT, 99)
    with pytest.raises(WorkFailed, match="URL"):
        say(store, Label.RELEVANT, 99)
    with pytest.raises(WorkFailed, match="forgotten"):
        say(store, Label.RELEVANT, "https://a.example/gone")


SAID = st.one_of(
    st.tuples(
        st.sampled_from((Label.RELEVANT, Label.IRRELEVANT)),
        st.integers(0, 3),
        st.none(),
    ),
    st.tuples(
        st.sampled_from((Label.COPY, Label.NOT_A_COPY)),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    st.tuples(st.none(), st.integers(0, 3), st.none()),  # the page is crawled again
)


@settings(max_examples=40, deadline=None)
@given(st.lists(SAID, max_size=8))
def test_whatever_is_said_in_whatever_order_the_file_stays_sound(said: list) -> None:
    """Every article has one head, every text its fate and its place in the index, no pair is joined against its mark."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "khabar.db") as store,
    ):
        pages = [
            document(f"https://a.example/{n}", ONE if n < 2 else OTHER)
            for n in range(4)
        ]
        land(store, *pages)
        for label, one, other in said:
            with suppress(WorkFailed):
                if label is None:
                    land(store, pages[one])
                else:
                    say(
                        store,
                        label,
                        pages[one].url,
                        other=None if other is None else pages[other].url,
                    )
        assert store.check() == []
        home = {
            row["url"]: row["article_id"]
            for row in store.session.db.execute("SELECT url, article_id FROM documents")
        }
        marked = {
            (row["label"], row["url"], row["of_url"])
            for row in annotations.list_annotations(store.session.db)
        }
        for label, one, other in marked:
            if one in home and other in home and label == "not_a_copy":
                assert home[one] != home[other]
        assert not [
            url for label, url, _ in marked if label == "irrelevant" and url in home
        ]
        assert {url for label, url, _ in marked if label == "relevant"} <= set(home)


# A number that is an article's and another document's


@pytest.mark.parametrize("erased", ["article", "document", "url"])
def test_forgetting_erases_what_the_name_shows_and_nothing_else(
    store: Store, erased: str
) -> None:
    """After a promotion and a split, 1 is an article, and a text of another one.

    The number means what `show` gives for it; the other is named by its own number or
    by its URL.
    """
    (reprint,) = land(store, document("https://a.example/1"))
    (original,) = land(
        store, document("https://b.example/1", published_at=NOW - timedelta(hours=2))
    )
    assert (reprint.article_id, original.article_id) == (1, 1)
    assert store.articles.find(1).document_id == original.document_id
    parted = say(store, Label.NOT_A_COPY, reprint.document_id, other=2)
    assert (reprint.document_id, parted.article_id) == (1, 3)

    name, gone, left = {
        "article": (1, original, reprint),
        "document": (3, reprint, original),
        "url": (reprint.url, reprint, original),
    }[erased]
    shown = store.fates.explain(name)["document"]["id"]
    assert store.erasure.forget(name) == [gone.document_id] == [shown]
    assert store.fates.find(gone.url)["fate"] == FateKind.FORGOTTEN
    assert store.fates.find(left.url)["fate"] == FateKind.ARTICLE
