"""JSON Feed 1.0 and 1.1 -> entries, because feedparser has no reader for it. Pure."""

import json
from dataclasses import dataclass
from html import escape
from typing import Any

from crawler.leads.entries import Entry

MAX_DEPTH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a JSON Feed says of itself, and its entries."""

    title: str = ""
    link: str = ""
    language: str = ""
    hub: str = ""
    next_page: str = ""
    entries: tuple[Entry, ...] = ()


def read(text: str, *, url: str, most: int) -> Document | str:
    """The first `most` entries, or why this is no JSON Feed. Never raises."""
    if _depth(text) > MAX_DEPTH:
        return f"too_complex: nested more than {MAX_DEPTH} deep"
    try:
        data = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        return f"invalid_json: {str(error)[:100]}"
    if not isinstance(data, dict) or not isinstance(data.get("items"), list) or "version" not in data:
        return "not_a_feed: JSON without version and items"
    link = _text(data, "home_page_url")
    hubs = [hub for hub in _list(data, "hubs") if isinstance(hub, dict)]
    items = (item for item in data["items"][:most] if isinstance(item, dict))
    return Document(
        title=_text(data, "title"),
        link=link,
        language=_text(data, "language"),
        hub=next((_text(hub, "url") for hub in hubs), ""),
        next_page=_text(data, "next_url"),
        entries=tuple(_entry(item, base=link or url) for item in items),
    )


def _entry(item: dict[str, Any], *, base: str) -> Entry:
    plain = _text(item, "content_text")
    return Entry(
        link=_text(item, "url") or _text(item, "external_url"),
        base=base,
        guid=_text(item, "id"),
        title=_text(item, "title"),
        date=_text(item, "date_published") or _text(item, "date_modified"),
        authors=tuple(_authors(item)),
        language=_text(item, "language"),
        summary_html=escape(_text(item, "summary"), quote=False),
        content_html=_text(item, "content_html") or escape(plain, quote=False),
    )


def _authors(item: dict[str, Any]) -> list[str]:
    """Version 1.1 has a list, 1.0 one object."""
    people = [*_list(item, "authors"), item.get("author")]
    return [_text(person, "name") for person in people if isinstance(person, dict)]


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _text(data: dict[str, Any], key: str) -> str:
    """Text of a member; numbers are written out, since some servers send ids as numbers."""
    value = data.get(key)
    if isinstance(value, str):
        return value
    return str(value)[:100] if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _depth(text: str) -> int:
    """How deep brackets nest, those in strings counted too: an upper bound that stops early."""
    deepest = depth = 0
    for bracket in filter("[]{}".__contains__, text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest
