"""What is typed becomes what the index is asked.

Nothing typed can raise or reach it unquoted.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import index_tags
from storage.model import Mention
from storage.query import syntax

LETTERS = st.characters(codec="utf-8")
SYNTAX = st.lists(
    st.one_of(
        st.sampled_from(
            [
                '"',
                "(",
                ")",
                "AND",
                "OR",
                "NOT",
                "NEAR(",
                "title:",
                "-",
                "*",
                "^",
                "a",
                "کابل",
                "{title}:",
                ":",
                "'",
                "\x00",
                "title:(",
                "\ud800",
            ]
        ),
        st.text(LETTERS, max_size=8),
    ),
    max_size=60,
).map(" ".join)


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(":memory:")
    db.execute(
        "CREATE VIRTUAL TABLE fts USING fts5 (title, text, tags, tokenize = 'unicode61')"
    )
    rows = (
        ("wheat prices rise", "the price of wheat in kabul"),
        ("fighting", "taliban and army fight in kunduz"),
        ("کابل", "خبر از کابل"),
    )
    for title, text in rows:
        db.execute("INSERT INTO fts VALUES (?, ?, ?)", [title, text, "x"])
    yield db
    db.close()


def found(index: sqlite3.Connection, typed: str) -> list[int]:
    tree = syntax.parse_query(typed)
    return (
        []
        if tree is None
        else [
            row[0]
            for row in index.execute(
                "SELECT rowid FROM fts WHERE fts MATCH ?",
                [syntax.match_expression(tree)],
            )
        ]
    )


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("wheat", [1]), ("WHEAT kabul", [1]), ("wheat taliban", []), ("wheat OR taliban", [1, 2]), ("kunduz AND army", [2]),
        ('"price of wheat"', [1]), ('"wheat of price"', []), ("«price of wheat»", [1]), ("tal*", [2]), ("title:wheat", [1]), ("title:taliban", []),
        ("title: fighting", [2]), ("title:(rise OR fighting)", [1, 2]), ("NOT wheat", [2, 3]), ("-wheat", [2, 3]), ("wheat NOT kabul", []),
        ("(wheat OR army) NOT kunduz", [1]), ("wheat OR NOT taliban", [1, 3]), ("کابل", [3]), ("كابل", [3]), ("in-kabul", [1]), ("title:-wheat", [2, 3]),
    ],
)  # fmt: skip
def test_the_language_means_what_it_says(index, typed, rows):
    """Words, phrases, operators, prefixes, titles and brackets find what a reader expects of them."""
    assert found(index, typed) == rows


@given(SYNTAX)
def test_nothing_typed_is_an_error_of_the_index(index, typed):
    """Whatever is typed, FTS5 takes it without complaint, and more than the allowed words are never asked for."""
    tree = syntax.parse_query(typed)
    found(index, typed)
    assert (
        tree is None
        or sum(len(term.words) for term in syntax.positive_terms(tree))
        <= syntax.MAX_QUERY_WORDS
    )


@given(st.text(max_size=50))
def test_a_phrase_reaches_the_index_only_quoted(typed):
    """Outside its quotation marks an expression consists of khabar's own words."""
    tree = syntax.parse_query(f'"{typed}"')
    outside = "".join((syntax.match_expression(tree) if tree else "").split('"')[::2])
    assert set(outside.replace("NOT", "").replace("AND", "").replace("OR", "")) <= set(
        "{title text} : () * - tags"
    )


def test_deep_brackets_end(index):
    """Ten thousand brackets are read in a moment and mean nothing."""
    assert found(index, "(" * 10_000 + "wheat") == []
    assert found(index, "(" * 300 + "wheat" + ")" * 300) == [1]


@pytest.mark.parametrize(
    "typed", ["", " ", '"', "*", "%", "_", "\\", "((((", "-", "''"]
)
def test_a_query_without_a_word_is_none(typed):
    """What holds nothing to look for is no query; it does not turn into everything."""
    assert syntax.parse_query(typed) is None


@pytest.mark.parametrize("typed", ["AND", "NOT", "OR OR"])
def test_operators_alone_are_words(typed):
    """Somebody who types only AND looks for the word."""
    assert syntax.parse_query(typed) is not None


def test_names_are_widened_to_their_spellings(index):
    """A name, also one of several words, is looked for in every spelling.

    In quotation marks as it stands.
    """
    known = {
        "kondoz": ["kunduz", "kondoz", "kunduz province"],
        "mazaresharif": ["mazar e sharif", "مزار شریف"],
    }
    widened = syntax.widen_names(
        syntax.parse_query("Kondoz army"),
        lambda keys: {key: known[key] for key in keys if key in known},
    )
    assert [
        row[0]
        for row in index.execute(
            "SELECT rowid FROM fts WHERE fts MATCH ?",
            [syntax.match_expression(widened)],
        )
    ] == [2]
    assert "province" not in syntax.match_expression(widened)
    several = syntax.widen_names(
        syntax.parse_query("Mazar-e Sharif"),
        lambda keys: {key: known[key] for key in keys if key in known},
    )
    assert '"مزار شریف"' in syntax.match_expression(several)
    quoted = syntax.parse_query('"kondoz"')
    assert (
        syntax.widen_names(
            quoted, lambda keys: {key: known[key] for key in keys if key in known}
        )
        == quoted
    )


@given(st.text(max_size=40), st.sampled_from(["source", "language", "place"]))
def test_a_tag_is_one_word_of_ascii(value, kind):
    """No source id, language or code can be split by the tokenizer or be taken for another."""
    assert index_tags.index_tag(kind, value).isascii()
    assert index_tags.index_tag(kind, value).isalnum()


def test_a_district_counts_for_its_province():
    """What happened in Panjwayi is found when Kandahar is asked for."""
    mentions = [Mention(kind="place", code="AF2704", name="Panjwayi", count=1)]
    made = index_tags.document_tags(
        source="s", language="fa-AF", mentions=mentions, provinces={"AF2704": "AF27"}
    ).split()
    assert {
        index_tags.index_tag("place", "AF27"),
        index_tags.index_tag("place", "AF2704"),
        index_tags.index_tag("language", "fa"),
        index_tags.index_tag("language", "fa-AF"),
    } <= set(made)


def test_the_hostile_queries_do_no_harm(index, shared: Path):
    """Each of the shared folder's hostile queries is answered without an error."""
    lines = (
        (shared / "attacks/content/fts5_queries.txt")
        .read_text(encoding="utf-8")
        .split("\n")
    )
    assert len(lines) >= 38
    for line in lines:
        found(index, line)
