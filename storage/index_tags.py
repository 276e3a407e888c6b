"""Tags under which a document's source, language and mentions stand in the full text.

The index has a column `tags` beside title and text, so that words and filters meet in
one look-up of FTS5. A value is written in hexadecimal: no tokenizer can split it and no
text can look like it. Pure.
"""

from collections.abc import Iterable, Mapping

from storage.model import Mention

# The tag that every document has: FTS5 knows no NOT without a left side.
EVERY_DOCUMENT_TAG = "x"
# No document has it: tags are a letter and hexadecimal digits.
NO_DOCUMENT_TAG = "none"


def index_tag(kind: str, value: str) -> str:
    """The tag of a source, language, place, actor or event type."""
    return kind[0] + value.lower().encode("utf-8", "replace").hex()


def document_tags(
    *,
    source: str,
    language: str | None,
    mentions: Iterable[Mention],
    provinces: Mapping[str, str],
) -> str:
    """What the column `tags` holds for a document; a place counts for its province too.

    `provinces` has the code of the province of each place that lies in one.
    """
    tags = [EVERY_DOCUMENT_TAG, index_tag("source", source)]
    if language:
        tags.append(index_tag("language", language))
        tags.append(index_tag("language", language.partition("-")[0]))
    for mention in mentions:
        tags.append(index_tag(mention.kind, mention.code))
        if mention.kind == "place" and mention.code in provinces:
            tags.append(index_tag("place", provinces[mention.code]))
    return " ".join(dict.fromkeys(tags))
