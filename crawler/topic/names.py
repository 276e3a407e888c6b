"""Every name that a search should find under any of its spellings, and every form that names a code.

Data: the gazetteer, the lexicon, and `data/names.csv` (spellings of one and the same name, written for this project;
not reviewed by a native reader of Dari or Pashto). A leader's name is a form of his party in the lexicon, because texts
mean the party; it is no spelling of it, so a search for him is not widened to all of them.
"""

import csv
from collections.abc import Iterator
from importlib import resources

from crawler.topic import gazetteer, vocabulary


def name_rows() -> Iterator[tuple[str, str, str]]:
    """(kind, code, form) for the store.

    Searches are widened with `name`, filters resolved by the others.
    """
    for place in gazetteer.load_places().values():
        for form in place.spellings:
            yield "place", place.code, form
            if form not in place.cued:
                yield "name", place.code, form
    for group in ("actor", "event"):
        for term in vocabulary.terms_of_group(group):
            yield group, term.id, term.text
    text = (
        resources.files("crawler")
        .joinpath("data/names.csv")
        .read_text(encoding="utf-8")
    )
    for row in csv.DictReader(text.splitlines()):
        for form in row["forms"].split("|"):
            yield "name", row["name"], form
