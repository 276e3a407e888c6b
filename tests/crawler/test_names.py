"""Every spelling of a name finds the others, and nobody else."""

import pytest

from builders import make_document
from crawler.topic import names
from storage import folding
from storage.query import syntax
from storage.query.plan import list_spellings, resolve_codes
from storage.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("names") / "khabar.db") as opened:
        opened.gazetteer.sync_spellings(names.name_rows())
        yield opened


def widened(store: Store, typed: str) -> str:
    return syntax.match_expression(
        syntax.widen_names(
            syntax.parse_query(typed),
            lambda keys: list_spellings(store.session.db, keys),
        )
    )


@pytest.mark.parametrize(
    "forms",
    [("Panjwai", "Panjwayi", "Panjwa'i", "پنجوایی"), ("Kunduz", "Konduz", "کندز"), ("Taliban", "Taleban", "طالبان"), ("Al Qaeda", "al-Qaida", "القاعده"), ("Hekmatyar", "حکمتیار"), ("TTP", "Pakistani Taliban", "تی‌تی‌پی", "ټي ټي پي"), ("کابل", "کابله", "Kabul"), ("مارجه", "مارجې"), ("NRF", "جبهه‌ی مقاومت ملی", "جبههٔ مقاومت ملی")],
)  # fmt: skip
def test_spellings_find_one_another(store, forms):
    """Typed in any spelling, a name is looked for in all of them."""
    for typed in forms:
        asked = widened(store, typed)
        for form in forms:  # "qaeda" stands for "al qaeda", too
            words = syntax.tokenize(form)
            parts = [
                words[start:end]
                for start in range(len(words))
                for end in range(start + 1, len(words) + 1)
            ]
            assert any(f'"{" ".join(part)}"' in asked for part in parts), (typed, form)


def test_a_name_that_is_also_a_person_s_finds_the_place_and_is_not_found_by_it(store):
    """Marja typed finds مارجې; who types مارجه does not want every Marja."""
    assert '"مارجی"' in widened(store, "Marja")
    assert '"marja"' not in widened(store, "مارجه")


def test_a_person_is_not_widened_to_his_party(store):
    """Looking for Mullah Omar is not looking for the Taliban."""
    assert '"taliban"' not in widened(store, "Mullah Omar")


def test_an_ordinary_word_is_left_alone(store):
    """Words that are no names stay as they were typed."""
    assert (
        widened(store, "wheat prices rose again")
        == '(- tags : "wheat" AND - tags : "prices" AND - tags : "rose" AND - tags : "again")'
    )


def test_filters_know_names_and_codes(store):
    """A filter takes a code, a name, or a name in another script."""
    assert (
        resolve_codes(store.session.db, "place", "پنجوایی")[1:]
        == resolve_codes(store.session.db, "place", "Panjwai")[1:]
        != ()
    )
    assert "taliban" in resolve_codes(store.session.db, "actor", "Mullah Omar")


def test_no_row_is_empty(store):
    """Every form has a key to be found by."""
    assert all(
        kind in {"name", "typed", "place", "actor", "event"}
        and code
        and folding.fold_spelling(form)
        for kind, code, form in names.name_rows()
    )


def test_a_search_finds_all_of_them(store):
    """One article in each spelling, each found by each."""
    forms = ("Panjwai", "Panjwayi", "پنجوایی")
    for form in forms:
        store.landings.admit(
            make_document(
                f"https://a.example/{form}",
                f"Written for the tests: something happened in {form}.",
                source="a",
                title=form,
            )
        )
    for form in forms:
        asked = [
            syntax.match_expression(
                syntax.widen_names(
                    syntax.parse_query(form),
                    lambda keys: list_spellings(store.session.db, keys),
                )
            )
        ]
        assert (
            store.session.db.execute(
                "SELECT count(*) FROM fts WHERE fts MATCH ?", asked
            ).fetchone()[0]
            == 3
        )
