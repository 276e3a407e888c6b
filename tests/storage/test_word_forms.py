"""A word that is typed finds its other forms, and no other word."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.folding import fold
from storage.query import syntax, word_forms


def finds(typed: str, text: str) -> bool:
    """Whether a query finds a text, as the index would."""
    tree = syntax.parse_query(typed)
    assert tree is not None
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE fts USING fts5 (title, text, tags)")
    db.execute("INSERT INTO fts VALUES ('', ?, 'x')", [fold(text)])
    expression = syntax.match_expression(syntax.widen_words(tree))
    asked = "SELECT count(*) FROM fts WHERE fts MATCH ?"
    return db.execute(asked, [expression]).fetchone()[0] == 1


@pytest.mark.parametrize(
    "forms",
    [
        ("چاودنه", "چاودنې", "چاودنو"),
        ("برید", "بریدونه", "بریدونو"),
        ("حمله", "حملات", "حمله‌ها", "حمله‌های", "حملهٔ", "حملې", "حملو"),
        ("انفجار", "انفجارها", "انفجارهای", "انفجار‌ها"),
        ("ملکي", "ملکیان", "ملکیانو"),
        ("سرباز", "سربازان", "سربازانو"),
        ("چارواکی", "چارواکي", "چارواکو"),
        ("جنګ", "جنګونه", "جنګونو"),
    ],
)
def test_every_form_of_a_word_finds_the_others(forms):
    """Singular and plural, direct and oblique, with and without a joiner."""
    for typed in forms:
        for written in forms:
            assert finds(typed, f"خبر {written} نشر شو"), (typed, written)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("باران", "بار موتر"),
        ("کشته", "کشتی گیران"),
        ("ملکي", "ملک عبدالله"),
        ("راه", "رای مردم"),
        ("حمل", "حمله کرد"),
        ("مردم", "مرد آمد"),
        ("ایران", "ایرو ایری"),
        ("کابل", "کابین جهاز"),
    ],
)
def test_a_word_finds_no_other_word(typed, text):
    """Rain is no plural of a load, a civilian no king, the killed no wrestlers."""
    assert not finds(typed, text)


@pytest.mark.parametrize(
    "spellings",
    [
        ("مسئول", "مسؤول", "مسوول"),
        ("مسئولیت", "مسؤولیت", "مسوولیت"),
        ("هیئت", "هیأت"),
        ("جرئت", "جرأت"),
        ("مسئله", "مسأله"),
        ("علماء", "علما"),
        ("وزراء", "وزرا"),
        ("می‌گوید", "میگوید"),
        ("وسله‌وال", "وسلهوال"),
        ("بی‌سرنشین", "بیسرنشین", "بی سرنشین"),
    ],
)
def test_hamza_and_joiner_make_no_other_word(spellings):
    """On which letter a hamza sits, whether it is typed, and whether parts are joined."""
    for typed in spellings:
        if " " in typed:
            continue
        for written in spellings:
            assert finds(typed, f"خبر {written} نشر شو"), (typed, written)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("برید په کندهار کې", "کندهار: د وسله والو برید"),
        ("انفجار در هرات", "هرات شاهد یک انفجار بود"),
        ("د چاودنې له امله", "چاودنه امله"),
    ],
)
def test_words_without_a_meaning_of_their_own_are_not_required(typed, text):
    """Whoever types a sentence finds what it says."""
    assert finds(typed, text)


def test_a_word_without_meaning_is_looked_for_when_nothing_else_is_typed():
    """A query of such words only still means them; quotation marks always do."""
    assert finds("په", "په کابل کې")
    assert not finds("په", "کابل")
    assert not finds('"په کابل کې"', "کابل")
    assert not finds('"چاودنه"', "چاودنې")


@given(st.text(max_size=12))
def test_a_word_is_first_among_its_own_forms(word):
    """Whatever is typed, it is looked for as typed, and the forms are few."""
    forms = word_forms.word_forms(fold(word))
    assert forms[0] == fold(word)
    assert len(forms) == len(set(forms)) <= 50
