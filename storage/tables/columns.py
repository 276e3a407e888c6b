"""How times, strangers' texts and URLs become column values, and times come back.

Times are ISO 8601 UTC text. Texts from the web lose control characters and lone
surrogates, which SQLite's readers and terminals cannot take. A URL is stored in
canonical form beside a key; two URLs with one key are one page.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from storage import identity
from storage.folding import printable
from storage.model import from_text, to_text

Row = Mapping[str, Any]


def column_to_time(text: str | None) -> datetime | None:
    """A stored time, or None where the column is NULL."""
    return None if text is None else from_text(text)


def time_to_column(at: datetime | None) -> str | None:
    """A time as it is stored, or None for NULL."""
    return None if at is None else to_text(at)


def text_to_column(text: str | None) -> str | None:
    """A text from the web as it is stored, or None for NULL."""
    return None if text is None else printable(text)


def json_to_column(value: object) -> str:
    """Lists and objects that hold texts from the web, as they are stored.

    Control characters below U+0020 are escaped by JSON and come back: where that
    matters, clean the texts first.
    """
    return printable(json.dumps(value, ensure_ascii=False))


# A visit asks for the key of one URL several times: of the lead, of what it landed as
# and of its fate. Making one takes 15 microseconds.
@lru_cache(maxsize=4096)
def stored_key(url: str) -> str:
    """The key under which a URL from the web is known."""
    return identity.url_key(printable(url))


@lru_cache(maxsize=4096)
def stored_url(url: str) -> str:
    """The canonical form in which a URL from the web is stored."""
    return identity.canonical_url(printable(url))
