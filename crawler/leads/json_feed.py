"""JSON Feed 1.0 and 1.1, parsed into entries: feedparser has no reader for it. Pure."""

import json
import re
from dataclasses import dataclass
from html import escape
from typing import Any

from crawler.leads.entries import FeedEntry

# A feed has five levels; json.loads calls itself for each
MAX_JSON_DEPTH = 50
# A string is taken whole, so that "[[[" in an article nests nothing
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFeedDocument:
    """What a JSON Feed says of itself, and its entries."""

    title: str = ""
    link: str = ""
    language: str = ""
    hub: str = ""
    next_page: str = ""
    entries: tuple[FeedEntry, ...] = ()


def parse_json_feed(text: str, *, url: str, max_entries: int) -> JsonFeedDocument | str:
    """The first entries, or why this is no JSON Feed. Never raises."""
    if _is_too_deep(text):
        return f"too_complex: nested more than {MAX_JSON_DEPTH} deep"
    try:
        data = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        return f"invalid_json: {str(error)[:100]}"
    is_feed = isinstance(data, dict) and isinstance(data.get("items"), list)
    if not is_feed or "version" not in data:
        return "not_a_feed: JSON without version and items"

    link = _string_value(data, "home_page_url")
    hubs = [hub for hub in _list_value(data, "hubs") if isinstance(hub, dict)]
    items = [item for item in data["items"][:max_entries] if isinstance(item, dict)]
    return JsonFeedDocument(
        title=_string_value(data, "title"),
        link=link,
        language=_string_value(data, "language"),
        hub=_string_value(hubs[0], "url") if hubs else "",
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
    # Version 1.1 has a list, 1.0 one object
    people = [*_list_value(item, "authors"), item.get("author")]
    return [
        _string_value(person, "name") for person in people if isinstance(person, dict)
    ]


def _list_value(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if isinstance(value, list):
        return value
    return []


def _string_value(data: dict[str, Any], key: str) -> str:
    """Text of a member; numbers are written out, since some servers send ids as numbers."""
    value = data.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:100]
    return ""


def _is_too_deep(text: str) -> bool:
    """Whether arrays and objects nest too deep; brackets in strings are text."""
    depth = 0
    for bracket in _BRACKETS.findall(text):
        if bracket in ("]", "}"):
            depth -= 1
        elif bracket in ("[", "{"):
            depth += 1
        if depth > MAX_JSON_DEPTH:
            return True
    return False
