"""A store answers.

By words in any spelling, by filters, newest first or by rank, page by page, and counts.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import make_document
from storage.errors import TookTooLong, UsageError
from storage.model import Correction, Label, Mention
from storage.query import criteria, facets, record, search
from storage.query.criteria import Criteria, Sort
from storage.store import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def found(store: Store, words: str = "", **fields) -> list[str]:
    return [
        hit.record["url"][-1]
        for hit in search.search(store.session.db, Criteria(words=words, **fields)).hits
    ]


def test_everything_comes_newest_first(stocked):
    """Without words all articles are found, by time of publication."""
    assert sorted(found(stocked)[:2]) == ["2", "3"]
    assert found(stocked)[2:] == ["1", "4", "5"]


@pytest.mark.parametrize(
    "typed", ["Panjwai", "Panjwayi", "panjwa'i", "پنجوایی", "پنجوايي"]
)
def test_every_spelling_of_a_place_finds_all_of_them(stocked, typed):
    """Panjwai, Panjwayi and پنجوایی find one another, across languages."""
    assert sorted(found(stocked, typed)) == ["1", "2"]


def test_actors_and_names_of_several_words_are_widened(stocked):
    """Taliban finds Taleban and طالبانو; Mazari Sharif finds Mazar-e-Sharif.

    Quotation marks keep to the letter.
    """
    assert sorted(found(stocked, "Taliban")) == ["3", "5"]
    assert found(stocked, "mazari sharif") == ["4"]
    assert found(stocked, '"panjwai"') == []


def test_phrases_titles_and_operators(stocked):
    """The language of queries works over the store."""
    assert found(stocked, '"roadside bomb"') == ["1"]
    assert found(stocked, "title:market") == ["3"]
    assert found(stocked, "title:bazaar") == []
    assert sorted(found(stocked, "wheat OR bazaar")) == ["1", "4"]
    assert found(stocked, "kunduz NOT market") == ["5"]


@pytest.mark.parametrize(
    ("fields", "urls"),
    [
        ({"sources": ("alpha",)}, ["1", "4"]), ({"sources": ("alpha", "delta")}, ["1", "4", "5"]), ({"languages": ("fa", "ps")}, ["2", "5"]),
        ({"places": ("AF2704",)}, ["2", "1"]), ({"places": ("Kandahar",)}, []), ({"places": ("AF27",)}, ["2", "1"]), ({"places": ("پنجوایی",)}, ["2", "1"]),
        ({"places": ("Kunduz",)}, ["3", "5"]), ({"actors": ("taliban",)}, ["3"]), ({"actors": ("Mullah Omar",)}, ["3"]), ({"events": ("bombing",)}, ["1"]),
        ({"since": datetime(2026, 11, 20, 6, tzinfo=UTC), "until": datetime(2026, 11, 21, 6, tzinfo=UTC)}, ["1"]), ({"min_relevance": 1.0}, ["2", "3", "1", "4", "5"]),
        ({"sources": ("nobody",)}, []), ({"sources": ("alpha",), "places": ("AF27",)}, ["1"]),
    ],
)  # fmt: skip
def test_filters_narrow(stocked, fields, urls):
    """Alternatives within a field, all fields together, names and codes, a province with its districts."""
    assert sorted(found(stocked, **fields)) == sorted(urls)


def test_filters_and_words_meet(stocked):
    """A filter narrows what words find."""
    assert found(
        stocked,
        "bomb OR market OR price",
        sources=("alpha",),
        since=datetime(2026, 11, 20, tzinfo=UTC),
    ) == ["1"]


def test_rank_puts_the_title_first(stocked):
    """By rank, an article with the word in its title comes before one that only mentions it."""
    extra = make_document(
        "https://beta.example/9",
        "Somebody also mentioned the market, among very many other things that day.",
        title="An older note",
        published_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    stocked.landings.admit(extra, now=datetime(2026, 11, 22, 9, tzinfo=UTC))
    assert found(stocked, "market") == ["9", "3"]
    assert found(stocked, "market", sort=Sort.RANK) == ["3", "9"]


@pytest.mark.parametrize("sort", Sort)
def test_pages_join_without_gap_or_repetition(stocked, sort):
    """Following `next_cursor` yields each hit once, in the order of one long page."""
    wanted = Criteria(words="the OR په OR یک", sort=sort, limit=1)
    whole = [
        hit.id
        for hit in search.search(stocked.session.db, replace(wanted, limit=50)).hits
    ]
    pieces, after = [], ""
    while after is not None:
        page = search.search(stocked.session.db, replace(wanted, after=after))
        pieces += [hit.id for hit in page.hits]
        after = page.next_cursor
    assert len(whole) == 5
    assert pieces == whole


@pytest.mark.parametrize("after", ["x", "1_x", "nan_1_2", "' OR 1=1--"])
@pytest.mark.parametrize("sort", Sort)
def test_a_foreign_cursor_is_refused(stocked, after, sort):
    """A cursor that no search gave is an error of use."""
    with pytest.raises(UsageError):
        search.search(stocked.session.db, Criteria(words="the", after=after, sort=sort))


def test_copies_are_hits_only_when_asked_for(stocked):
    """A reprint is counted beside its article, and a hit of its own with `copies`."""
    text = stocked.articles.find(1).text
    stocked.landings.admit(
        make_document("https://beta.example/copy", text, title="Bomb in Panjwayi"),
        now=datetime(2026, 11, 22, 10, tzinfo=UTC),
    )
    alone = search.search(stocked.session.db, Criteria(words="bazaar")).hits
    assert [(hit.record["url"], hit.record["copies"]) for hit in alone] == [
        ("https://alpha.example/1", 1)
    ]
    both = search.search(stocked.session.db, Criteria(words="bazaar", copies=True)).hits
    assert {(hit.id, hit.record["copy_kind"]) for hit in both} == {
        (1, None),
        (1, "exact"),
    }
    assert facets.count_coverage(
        stocked.session.db, Criteria(words="bazaar")
    ) == facets.CoverageCounts(reports=2, articles=1, independent=1, publishers=1)


def test_the_record_is_the_documented_form(stocked):
    """Fields in their order, lists as lists, mentions by kind, hits marked in title and snippet."""
    hit = search.search(stocked.session.db, Criteria(words="market")).hits[0]
    assert tuple(hit.record) == record.FIELDS
    assert hit.record["authors"] == ["A. Reporter"]
    assert hit.record["places"] == [{"code": "AF17", "name": "Kunduz", "count": 2}]
    assert hit.record["published_at"] == "2026-11-21T06:00:00Z"
    assert hit.highlighted_title == "Taliban close the ⟦market⟧"
    assert "⟦market⟧ until Monday" in hit.snippet
    assert record.load_record(stocked.session.db, hit.id) == hit.record


def test_facets_count_what_matches(stocked):
    """By source, place and day; the total says whether that is all."""
    counts = facets.count_facets(
        stocked.session.db, Criteria(places=("Kunduz", "AF27"))
    )
    assert (counts.total, counts.complete) == (4, True)
    assert {row.value: row.count for row in counts.sources} == {
        "alpha": 1,
        "beta": 1,
        "gamma": 1,
        "delta": 1,
    }
    assert {row.name: row.count for row in counts.places} == {
        "Kunduz": 2,
        "Panjwayi": 2,
    }
    assert [(row.value, row.count) for row in counts.days] == [
        ("2026-11-21", 2),
        ("2026-11-20", 1),
        ("2026-11-18", 1),
    ]


def test_counts_by_day_are_exact(stocked):
    """Days of UTC, newest first, without and with words."""
    assert [
        (row.value, row.count)
        for row in facets.count_by_day(stocked.session.db, Criteria())
    ][:2] == [
        ("2026-11-21", 2),
        ("2026-11-20", 1),
    ]
    assert [
        (row.value, row.count)
        for row in facets.count_by_day(stocked.session.db, Criteria(words="wheat"))
    ] == [("2026-11-19", 1)]


def test_a_forgotten_or_revised_text_is_searched_as_it_is_now(stocked):
    """After a revision the old words find nothing and the new ones the article."""
    old = stocked.articles.find(4)
    changed = make_document(
        old.url,
        "The price of barley fell in the northern provinces, and nobody in the bazaar could say why it had.",
        source="alpha",
        title=old.title,
        published_at=old.published_at,
    )
    stocked.landings.admit(changed, now=datetime(2026, 11, 22, 11, tzinfo=UTC))
    assert found(stocked, "bakers") == []
    assert found(stocked, "barley") == ["4"]


def test_hostile_queries_and_filters_are_only_values(stocked, shared: Path):
    """The shared folder's hostile queries and SQL give hits or an error of use, and leave the store whole."""
    lines = (
        (shared / "attacks/content/fts5_queries.txt")
        .read_text(encoding="utf-8")
        .split("\n")
    )
    for line in [
        *lines,
        *(shared / "attacks/content/sql_filters.txt")
        .read_text(encoding="utf-8")
        .split("\n"),
    ]:
        for sort in Sort:
            search.search(stocked.session.db, Criteria(words=line, sort=sort))
        values = (line,) if line else ()
        assert found(
            stocked,
            sources=values,
            places=values,
            languages=values,
            actors=values,
            events=values,
        ) == (found(stocked) if not line else [])
        for name in ("since", "until", "sort", "limit", "after", "min_relevance"):
            try:
                search.search(
                    stocked.session.db,
                    criteria.parse_criteria(
                        {name: [line]}, now=datetime(2026, 11, 22, tzinfo=UTC)
                    ),
                )
            except UsageError:
                continue
    assert len(found(stocked)) == 5
    assert stocked.session.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_long_read_leaves_no_transaction_open(stocked):
    """Between two pages of an export the WAL can be checkpointed and written."""
    for page in search.iterate_json_pages(stocked.session.db, Criteria(), size=2):
        busy, _, _ = stocked.session.db.execute(
            "PRAGMA wal_checkpoint(TRUNCATE)"
        ).fetchone()
        assert busy == 0
        assert len(page) <= 2


# Tags that people gave


def tag(store: Store, number: int, text: str, *, off: bool = False) -> None:
    store.annotations.apply(
        Correction(label=Label.TAG, what=number, tag=text, is_off=off), now=NOW
    )


def test_a_tag_is_a_filter_like_any_other(stocked):
    """Alone, with words, with other filters, in any case, several as alternatives.

    Off again it finds nothing.
    """
    tag(stocked, 1, "To check")
    tag(stocked, 3, "to check")
    tag(stocked, 3, "کندز")
    assert found(stocked, tags=("to CHECK",)) == ["3", "1"]
    assert found(stocked, "market", tags=("to check",)) == ["3"]
    assert found(
        stocked,
        "market OR bomb",
        tags=("to check",),
        sort=Sort.RANK,
        sources=("alpha",),
    ) == ["1"]
    assert found(stocked, tags=("کندز", "nothing")) == ["3"]
    assert found(stocked, "wheat", tags=("to check",)) == []
    assert found(
        stocked, tags=("to check",), since=datetime(2026, 11, 21, tzinfo=UTC)
    ) == ["3"]
    tag(stocked, 1, "To check", off=True)
    assert found(stocked, tags=("to check",)) == ["3"]


def test_tags_stand_in_the_json_form_and_in_the_counts(stocked):
    """The last field of a record is a list of them, empty without any.

    Facets count them.
    """
    assert record.load_record(stocked.session.db, 1)["tags"] == []
    tag(stocked, 1, 'a "quoted" <b>tag</b>')
    tag(stocked, 1, "b")
    tag(stocked, 2, "b")
    assert list(record.load_record(stocked.session.db, 1))[-1] == "tags"
    assert record.load_record(stocked.session.db, 1)["tags"] == [
        'a "quoted" <b>tag</b>',
        "b",
    ]
    counts = [
        (count.value, count.count)
        for count in facets.count_facets(stocked.session.db, Criteria()).tags
    ]
    assert counts == [("b", 2), ('a "quoted" <b>tag</b>', 1)]
    assert [
        count.count
        for count in facets.count_by_day(stocked.session.db, Criteria(tags=("b",)))
    ] == [1, 1]
    assert (
        facets.count_coverage(stocked.session.db, Criteria(tags=("b",))).articles == 2
    )
    assert search.filter_matching(
        stocked.session.db, Criteria(words="bomb OR بمب", tags=("b",)), [1, 2, 3]
    ) == {1, 2}


def test_a_tag_stays_with_the_article_whichever_text_is_its_head(stocked):
    """An original that arrives later becomes the head; the tag and the copies stay."""
    tag(stocked, 1, "to check")
    one = stocked.articles.find(1)
    earlier = make_document(
        "https://first.example/0",
        one.text,
        title=one.title,
        language="en",
        published_at=datetime(2026, 11, 12, 6, tzinfo=UTC),
    )
    assert stocked.landings.admit(earlier, now=NOW).what == "promoted"
    assert found(stocked, tags=("to check",)) == ["0"]
    assert sorted(found(stocked, tags=("to check",), copies=True)) == ["0", "1"]
    assert record.load_record(stocked.session.db, 1)["tags"] == ["to check"]


def test_corrections_of_what_matches_are_listed(stocked):
    """Revisions and corrections by people of these articles, the newest first.

    New ones, copies and tags are none.
    """
    tag(stocked, 3, "to check")
    one = stocked.articles.find(3)
    told = make_document(
        one.url,
        f"{one.text} It opened on Sunday.",
        source=one.source,
        title="Taliban open the market",
        mentions=(Mention(kind="place", code="AF17", name="Kunduz", count=1),),
    )
    assert stocked.landings.admit(told, now=NOW).what == "revised"
    stocked.annotations.apply(Correction(label=Label.RELEVANT, what=5), now=NOW)
    stocked.annotations.apply(Correction(label=Label.RELEVANT, what=1), now=NOW)
    rows = facets.list_matching_corrections(
        stocked.session.db, Criteria(places=("Kunduz",))
    )
    assert [(row["what"], row["article_id"]) for row in rows] == [
        ("reclassified", 5),
        ("revised", 3),
    ]
    assert rows[1]["title"] == "Taliban open the market"
    assert (
        facets.list_matching_corrections(stocked.session.db, Criteria(words="wheat"))
        == []
    )


def test_places_of_one_name_are_shown_with_their_kind(stocked):
    """With what they are, as far as the gazetteer knows.

    One that stands alone keeps its name.
    """
    names = {"AF17": "Kunduz", "AF1701": "Kunduz", "AF27": "Kandahar"}
    assert facets.disambiguate_places(stocked.session.db, names) == {
        "AF17": "Kunduz (province)",
        "AF1701": "Kunduz",
        "AF27": "Kandahar",
    }


def test_words_wanted_and_unwanted_find_nothing(stocked):
    """What is in no text is not looked for in all of them.

    The other side of an OR still is.
    """
    assert found(stocked, "market NOT market") == []
    assert found(stocked, "market NOT (wheat OR market)") == []
    assert found(stocked, "(market -market) OR wheat") == ["4"]


def test_a_search_has_its_time(stocked):
    """A question that takes too long ends with a fault that says what to do.

    The next one is answered.
    """
    with (
        pytest.raises(TookTooLong, match="Narrow it down"),
        stocked.deadline(0.05),
        stocked.session.reading() as db,
    ):
        db.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        ).fetchone()
    with stocked.deadline(5):
        assert found(stocked, "market") == ["3"]
