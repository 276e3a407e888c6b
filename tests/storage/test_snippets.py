"""Hits are marked in the text as it was written."""

from hypothesis import given
from hypothesis import strategies as st

from storage.query import snippets, syntax


def terms(typed: str) -> tuple[syntax.SearchTerm, ...]:
    return syntax.positive_terms(syntax.parse_query(typed))


def bare(text: str) -> str:
    return text.replace(snippets.HIGHLIGHT_START, "").replace(
        snippets.HIGHLIGHT_END, ""
    )


def test_hits_are_found_by_folding_and_shown_as_written():
    """A word is marked whatever its case, accents, keyboard or vowel signs."""
    assert (
        snippets.highlight("The Café in Kābul", terms("cafe kabul"))
        == "The ⟦Café⟧ in ⟦Kābul⟧"
    )
    assert snippets.highlight("خبر از كابُل", terms("کابل")) == "خبر از ⟦كابُل⟧"


def test_phrases_and_prefixes_are_marked_whole():
    """A phrase is one mark, a prefix marks the whole word, a word inside another is none."""
    assert (
        snippets.highlight("the price of wheat", terms('"price of wheat"'))
        == "the ⟦price of wheat⟧"
    )
    assert (
        snippets.highlight("Talibanisation of talks", terms("tal*"))
        == "⟦Talibanisation⟧ of ⟦talks⟧"
    )
    assert snippets.highlight("priceless", terms("price")) == "priceless"


def test_a_negated_word_is_not_marked():
    """What was excluded is not shown as found."""
    assert (
        snippets.highlight("wheat and rice", terms("wheat NOT rice"))
        == "⟦wheat⟧ and rice"
    )


def test_the_passage_shows_the_hit_far_inside():
    """A long text is cut around the hit, at words."""
    text = "filler " * 800 + "Kunduz fell quiet " + "more " * 800
    shown = snippets.best_passage(text, terms("kunduz"))
    assert "⟦Kunduz⟧ fell quiet" in shown
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) < snippets.PASSAGE_CHARS + 10


def test_the_passage_with_most_of_the_words_wins():
    """Where the words stand together is shown, not where the first stands alone."""
    text = "wheat alone. " + "filler " * 100 + "wheat in kabul. " + "filler " * 100
    assert "⟦wheat⟧ in ⟦kabul⟧" in snippets.best_passage(text, terms("wheat kabul"))


@given(st.text(max_size=400), st.text(max_size=30))
def test_marks_pair_and_nothing_is_invented(text, typed):
    """Marks come in pairs, and without them and its dots a snippet is a piece of the text."""
    tree = syntax.parse_query(typed)
    shown = snippets.best_passage(text, syntax.positive_terms(tree) if tree else ())
    assert shown.count(snippets.HIGHLIGHT_START) == shown.count(snippets.HIGHLIGHT_END)
    whole = (
        snippets.folding.printable(bare(text))
        .replace("\n", " ")
        .replace("\r", " ")
        .replace("\t", " ")
    )
    assert bare(shown).removeprefix("…").removesuffix("…").strip() in whole
