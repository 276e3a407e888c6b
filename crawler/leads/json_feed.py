"""JSON Feed 1.0 and 1.1 -> entries, because feedparser has no reader for it. Pure."""

import json
from dataclasses import dataclass
from html import escape
from typing import Any

from crawler.leads.entries import FeedEntry

MAX_JSON_DEPTH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFeedDocument:
    """What a JSON Feed says of itself, and its entries."""

    title: str = ""
    link: str = ""
    language: str = ""
    hub: str = ""
    next_page: str = ""
    entries: tuple[FeedEntry, ...] = ()


def parse_json_feed(text: str, *, url: str, most: int) -> JsonFeedDocument | str:
    """The first `most` entries, or why this is no JSON Feed. Never raises."""
    if _nesting_depth(text) > MAX_JSON_DEPTH:
        return f"too_complex: nested more than {MAX_JSON_DEPTH} deep"
    try:
        data = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        return f"invalid_json: {str(error)[:100]}"
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("items"), list)
        or "version" not in data
    ):
        return "not_a_feed: JSON without version and items"
    link = _string_value(data, "home_page_url")
    hubs = [hub for hub in _list_value(data, "hubs") if isinstance(hub, dict)]
    items = (item for item in data["items"][:most] if isinstance(item, dict))
    return JsonFeedDocument(
        title=_string_value(data, "title"),
        link=link,
        language=_string_value(data, "language"),
        hub=next((_string_value(hub, "url") for hub in hubs), ""),
        next_page=_string_value(data, "next_url"),
        entries=tuple(_build_entry(item, base=link or url) for item in items),
    )


def _build_entry(item: dict[str, Any], *, base: str) -> FeedEntry:
    plain = _string_value(item, "content_text")
    return FeedEntry(
        link=_string_value(item, "url") or _string_value(item, "external_url"),
        base=base,
        guid=_string_value(item, "id"),
        title=_string_value(item, "title"),
        date=_string_value(item, "date_published")
        or _string_value(item, "date_modified"),
        authors=tuple(_author_names(item)),
        language=_string_value(item, "language"),
        summary_html=escape(_string_value(item, "summary"), quote=False),
        content_html=_string_value(item, "content_html") or escape(plain, quote=False),
    )


def _author_names(item: dict[str, Any]) -> list[str]:
    """Version 1.1 has a list, 1.0 one object."""
    people = [*_list_value(item, "authors"), item.get("author")]
    return [
        _string_value(person, "name") for person in people if isinstance(person, dict)
    ]


def _list_value(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _string_value(data: dict[str, Any], key: str) -> str:
    """Text of a member.

    Numbers are written out, since some servers send ids as numbers.
    """
    value = data.get(key)
    if isinstance(value, str):
        return value
    return (
        str(value)[:100]
        if isinstance(value, (int, float)) and not isinstance(value, bool)
        else ""
    )


def _nesting_depth(text: str) -> int:
    """How deep brackets nest, those in strings counted too.

    An upper bound that stops early.
    """
    deepest = depth = 0
    for bracket in filter("[]{}".__contains__, text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_JSON_DEPTH:
            break
    return deepest
