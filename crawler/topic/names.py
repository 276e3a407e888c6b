"""Names under all their spellings, for the store: to widen searches, to resolve filters.

Data: the gazetteer, the lexicon, and `data/names.csv` (spellings of one and the same
name, written for this project; not reviewed by a native reader of Dari or Pashto). A
leader's name is a form of his party in the lexicon, because texts mean the party; it is
no spelling of it, so a search for him is not widened to all of them.
"""

from collections.abc import Iterator

from crawler import data_files
from crawler.topic import gazetteer, vocabulary


def name_rows() -> Iterator[tuple[str, str, str]]:
    """(kind, code, form) for the store.

    Searches are widened with the kind `name`; filters are resolved by the kinds `place`,
    `actor` and `event`.
    """
    for place in gazetteer.load_places().values():
        for form in place.spellings:
            yield "place", place.code, form
            if form not in place.cued:
                yield "name", place.code, form
    for group in ("actor", "event"):
        for term in vocabulary.terms_of_group(group):
            yield group, term.id, term.text
    for row in data_files.read_csv("names.csv"):
        for form in row["forms"].split("|"):
            yield "name", row["name"], form
