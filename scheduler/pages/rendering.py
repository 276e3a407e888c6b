"""Templates, and what makes a stranger's text harmless in them.

All is text, nothing steers, links are http only.

Every expression is escaped, and stripped of control characters and of the marks that
reorder what follows; a passage with hits comes as parts, so that the marks become
elements and nothing else does.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from markupsafe import Markup

from storage import folding
from storage.query import snippets
from storage.query.criteria import Criteria, criteria_to_pairs

_REORDERING_CHARS = re.compile(
    "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_AGE_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def strip_steering(value: object) -> object:
    """What an expression shows: text without anything that steers.

    Markup of ours and numbers as they are.
    """
    if isinstance(value, str) and not isinstance(value, Markup):
        return _REORDERING_CHARS.sub("", folding.printable(value))
    return "" if value is None else value


def safe_link(url: object) -> str:
    """A link that may be followed, else nothing: http and https with a host only."""
    text = str(strip_steering(str(url)))
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.hostname else ""


def language_attribute(tag: object) -> str:
    """A language tag for the attribute `lang`; nothing where it is none."""
    return str(tag) if _LANGUAGE_TAG.fullmatch(str(tag or "")) else ""


def split_highlights(marked: str) -> list[tuple[bool, str]]:
    """(whether it is a hit, text) of a passage with marks."""
    pieces = marked.replace(snippets.HIGHLIGHT_END, snippets.HIGHLIGHT_START).split(
        snippets.HIGHLIGHT_START
    )
    return [(bool(at % 2), piece) for at, piece in enumerate(pieces) if piece]


def format_age(moment: object, now: datetime) -> str:
    """How long ago a stored time or a datetime was; at the newest a minute."""
    if not moment:
        return "never"
    at = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    seconds = max((now - at) / timedelta(seconds=1), 60)
    size, unit = next((size, unit) for size, unit in _AGE_UNITS if seconds >= size)
    return f"{seconds // size:.0f} {unit} ago"


def format_time(moment: object) -> str:
    """A stored time or a datetime to the minute, UTC."""
    if not moment:
        return ""
    at = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return f"{at.astimezone(UTC):%d %b %Y, %H:%M} UTC"


def build_address(path: str, criteria: Criteria, **changes: Any) -> str:
    """A page of these criteria, with some of the pairs replaced.

    None takes a pair out.
    """
    pairs = [
        (name, value)
        for name, value in criteria_to_pairs(criteria)
        if name not in changes
    ]
    pairs += [
        (name, str(value)) for name, value in changes.items() if value is not None
    ]
    return f"{path}?{urlencode(pairs)}" if pairs else path


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scheduler.pages", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=strip_steering,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "outward": safe_link,
        "language": language_attribute,
        "parts": split_highlights,
        "clock": format_time,
    }
    version = hashlib.sha256(load_style().encode()).hexdigest()[:12]
    environment.globals |= {
        "address": build_address,
        "empty": Criteria(),
        "style": f"/style.css?{version}",
    }
    return environment


def render_page(template: str, values: Mapping[str, Any], *, now: datetime) -> str:
    """A whole page."""
    return (
        _environment()
        .get_template(template)
        .render(**values, now=now, ago=lambda moment: format_age(moment, now))
    )


@cache
def load_style() -> str:
    """The one style sheet."""
    return (
        resources.files("scheduler.pages")
        .joinpath("style.css")
        .read_text(encoding="utf-8")
    )


@cache
def load_icon() -> str:
    """The one picture."""
    return (
        resources.files("scheduler.pages")
        .joinpath("icon.svg")
        .read_text(encoding="utf-8")
    )
