"""Templates, and what makes a stranger's text harmless in them.

Every expression is escaped, and stripped of control characters and of the marks that
reorder what follows. Only addresses of http and https become links. A passage with hits
comes as parts, so that its marks become elements and nothing else does.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from importlib import resources
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from markupsafe import Markup

from storage import folding
from storage.query.criteria import Criteria, criteria_to_pairs
from storage.query.snippets import split_highlights

_REORDERING_CHARS = re.compile(
    "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_AGE_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))  # seconds


def strip_steering(value: object) -> object:
    """What an expression shows: text without anything that steers a browser.

    Markup of ours and numbers are shown as they are, None as nothing.
    """
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _REORDERING_CHARS.sub("", folding.printable(value))
    return value


def safe_link(url: object) -> str:
    """A link that may be followed: http or https with a host; empty for any other."""
    text = str(strip_steering(str(url)))
    # Addresses such as `http://[` raise.
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    return text


def language_attribute(tag: object) -> str:
    """A language tag for the attribute `lang`; empty where it is none."""
    text = str(tag or "")
    # Browsers choose fonts and hyphens by it; a feed may say anything.
    if not _LANGUAGE_TAG.fullmatch(text):
        return ""
    return text


def format_age(moment: object, now: datetime) -> str:
    """How long ago a stored time or a datetime was; at the newest a minute."""
    if not moment:
        return "never"
    seconds = max((now - _to_datetime(moment)) / timedelta(seconds=1), 60)
    size, unit = next((size, unit) for size, unit in _AGE_UNITS if seconds >= size)
    return f"{seconds // size:.0f} {unit} ago"


def format_time(moment: object) -> str:
    """A stored time or a datetime to the minute, UTC."""
    if not moment:
        return ""
    return f"{_to_datetime(moment).astimezone(UTC):%d %b %Y, %H:%M} UTC"


def _to_datetime(moment: object) -> datetime:
    if isinstance(moment, datetime):
        return moment
    return datetime.fromisoformat(str(moment))


def build_address(path: str, criteria: Criteria, **changes: Any) -> str:
    """A page of these criteria, with some of its pairs replaced; None takes one out."""
    pairs = [pair for pair in criteria_to_pairs(criteria) if pair[0] not in changes]
    for name, value in changes.items():
        if value is not None:
            pairs.append((name, str(value)))
    if not pairs:
        return path
    return f"{path}?{urlencode(pairs)}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scheduler.pages", "templates"),
        autoescape=True,
        # A misspelt name is a fault in a test and not an empty place on a page.
        undefined=jinja2.StrictUndefined,
        finalize=strip_steering,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "format_time": format_time,
        "language": language_attribute,
        "safe_link": safe_link,
        "split_highlights": split_highlights,
    }
    # The address changes with the content, so that a browser may keep the sheet.
    version = hashlib.sha256(load_file("style.css").encode()).hexdigest()[:12]
    environment.globals |= {
        "address": build_address,
        "empty": Criteria(),
        "style": f"/style.css?{version}",
    }
    return environment


def render_page(template: str, values: Mapping[str, Any], *, now: datetime) -> str:
    """A whole page."""
    page = _environment().get_template(template)
    return page.render(**values, now=now, age=partial(format_age, now=now))


@cache
def load_file(name: str) -> str:
    """The style sheet or the icon of the pages."""
    return resources.files("scheduler.pages").joinpath(name).read_text("utf-8")
