"""Names under all their spellings, for the store: to widen searches, to resolve filters.

Data: the gazetteer, the lexicon, and `data/names.csv` (spellings of one and the same
name, written for this project; not reviewed by a native reader of Dari or Pashto). A
leader's name is a form of his party in the lexicon, because texts mean the party; it is
no spelling of it, so a search for him is not widened to all of them.
"""

from collections.abc import Iterator

from crawler import data_files
from crawler.topic import gazetteer, vocabulary
from storage.folding import fold_spelling

# له کابله, کابلیو, کاپیساکې
_CASE_ENDINGS = ("ه", "و", "کې")
_MIN_INFLECTED_CHARS = 4


def name_rows() -> Iterator[tuple[str, str, str]]:
    """(kind, code, form) for the store.

    Searches are widened with the kind `name`, and from the kind `typed`; filters are
    resolved by the kinds `place`, `actor` and `event`.
    """
    places_of_form: dict[str, set[str]] = {}
    for place in gazetteer.load_places().values():
        for form in place.spellings:
            places_of_form.setdefault(fold_spelling(form), set()).add(place.code)
    for place in gazetteer.load_places().values():
        for form in place.spellings:
            yield "place", place.code, form
            for case in vocabulary.place_cases(form):
                yield "place", place.code, case
            if form not in place.cued:
                for spelling in _written_forms(form):
                    yield "name", place.code, spelling
            elif places_of_form[fold_spelling(form)] == {place.code}:
                # "Marja" is a person's name too: typed, it finds مارجه and مارجې, but who
                # types one of these does not want every Marja
                yield "typed", place.code, form
    for group in ("actor", "event"):
        for term in vocabulary.terms_of_group(group):
            yield group, term.id, term.text
    for row in data_files.read_csv("names.csv"):
        for form in row["forms"].split("|"):
            for spelling in vocabulary.ezafe_spellings(form):
                yield "name", row["name"], spelling
            if vocabulary.is_arabic(form) and " " not in form:
                for prefix in vocabulary.GLUED_PREFIXES:
                    yield "name", row["name"], prefix + form


def _written_forms(name: str) -> Iterator[str]:
    """A place's name, and as Pashto and Dari write it: in its cases, onto other words."""
    yield from vocabulary.ezafe_spellings(name)
    if not vocabulary.is_arabic(name) or len(name) < _MIN_INFLECTED_CHARS:
        return
    yield from vocabulary.place_cases(name)
    for ending in _CASE_ENDINGS:
        yield name + ending
    for prefix in vocabulary.GLUED_PREFIXES:
        yield prefix + name
