"""How values are written in the configuration: durations, sizes, networks.

Each parser takes what TOML gave and returns the value, or raises InvalidValue, whose
message goes on where the value stopped: `"10x"` + `is not a duration such as "15m"`.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from storage.identity import MAX_URL_CHARS

Parser = Callable[[Any], Any]

MAX_QUOTED_CHARS = 60

_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d|w)")
# Of a longer one, "now" less the duration may be before the year 1, which no date is.
_MAX_DURATION = timedelta(days=36_500)
_UNIT_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([KMGT]?B)")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_CHANNEL = re.compile(r"(?:https://t\.me/(?:s/)?)?([A-Za-z]\w{3,31})/?")
_ARCHIVE_PLACE = re.compile(r"\{(?:year|month(?::02)?|day(?::02)?)\}")
# In a header a line break would begin another header; on a terminal an escape steers.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TERM_CATEGORIES = ("anchor", "event", "context", "negative", "elsewhere")


class InvalidValue(ValueError):
    """A value that cannot be what its key wants.

    The message goes on where the value stopped.
    """


def quote_value(value: object) -> str:
    """The value as a message quotes it: JSON where it can be, cut at 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > MAX_QUOTED_CHARS:
        return text[: MAX_QUOTED_CHARS - 3] + "..."
    return text


# Texts


def parse_text(value: Any) -> str:
    """One line of text."""
    if not isinstance(value, str):
        raise InvalidValue("is not text in quotes")
    if _CONTROL.search(value):
        raise InvalidValue("holds a line break or another control character")
    return value


def parse_texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them."""
    if not isinstance(value, str | list):
        raise InvalidValue("is neither text in quotes nor a list of texts")
    entries = [value] if isinstance(value, str) else value
    texts = tuple(parse_text(entry).strip() for entry in entries)
    if not texts or not all(texts):
        raise InvalidValue("is empty, or names something empty")
    return texts


def choices_parser(*known: str) -> Parser:
    """A parser of one or several of these words."""

    def parse_choices(value: Any) -> tuple[str, ...]:
        chosen = parse_texts(value)
        for word in chosen:
            if word not in known:
                raise InvalidValue(
                    f"names {quote_value(word)}; known are {', '.join(known)}"
                )
        return tuple(dict.fromkeys(chosen))

    return parse_choices


def parse_variable_name(value: Any) -> str:
    """The name of an environment variable."""
    if not isinstance(value, str) or not _VARIABLE_NAME.fullmatch(value):
        raise InvalidValue(
            'is not the name of an environment variable such as "KHABAR_SECRET"'
        )
    return value


def parse_id(value: Any) -> str:
    """The id of a source or an alert."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidValue(
            "is not an id: up to 64 of a-z, 0-9, _ and -, "
            "beginning with a letter or digit"
        )
    return value


def parse_path(value: Any) -> Path:
    """A file or folder; `~` is the user's home."""
    try:
        return Path(parse_text(value)).expanduser()
    except RuntimeError:  # "~nobody/khabar.db"
        raise InvalidValue("names the home of a user that there is not") from None


def parse_nonempty_path(value: Any) -> Path:
    """A file or folder that is named."""
    text = parse_text(value).strip()
    if not text:
        raise InvalidValue("is empty")
    return parse_path(text)


def parse_optional_path(value: Any) -> Path | None:
    """A file or folder, or None for an empty text."""
    if parse_text(value) == "":
        return None
    return parse_path(value)


# Numbers, times and sizes


def parse_flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidValue("is neither true nor false")
    return value


def whole_number_parser(least: int, most: int) -> Parser:
    """A parser of whole numbers from `least` to `most`."""

    def parse_whole_number(value: Any) -> int:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            raise InvalidValue(f"is not a whole number from {least} to {most}")
        return int(value)

    return parse_whole_number


def parse_share(value: Any) -> float:
    """A number from 0 to 1."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise InvalidValue("is not a number from 0 to 1")
    return float(value)


def parse_duration(value: Any) -> timedelta:
    """`"15m"`: a number and one of ms, s, m, h, d, w; up to a hundred years."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue('is not a duration such as "15m"')
    seconds = float(match[1]) * _UNIT_SECONDS[match[2]]
    if seconds > _MAX_DURATION.total_seconds():
        raise InvalidValue("is longer than a hundred years")
    return timedelta(seconds=seconds)


def parse_durations(value: Any) -> tuple[timedelta, ...]:
    """A list of durations, the shortest first; at least a minute each."""
    if not isinstance(value, list):
        raise InvalidValue('is not a list such as ["1h", "24h", "7d"]')
    parse_entry = at_least_parser("1m", parse_duration)
    return tuple(sorted(parse_entry(entry) for entry in value))


def parse_seconds(value: Any) -> float:
    """A duration as a number of seconds."""
    return parse_duration(value).total_seconds()


def at_least_parser(floor: str, parse: Parser) -> Parser:
    """The same parser of durations, for those of at least `floor`."""
    least = parse(floor)

    def parse_bounded(value: Any) -> Any:
        duration = parse(value)
        if duration < least:
            raise InvalidValue(f"is shorter than {floor}")
        return duration

    return parse_bounded


def parse_size(value: Any) -> int:
    """`"50GB"`: bytes, with decimal kB, MB, GB or TB."""
    match = _SIZE.fullmatch(value.strip().upper()) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue('is not a size such as "50GB"')
    return int(float(match[1]) * _UNIT_BYTES[match[2]])


def size_parser(least: str, most: str) -> Parser:
    """A parser of sizes from `least` to `most`."""
    smallest, largest = parse_size(least), parse_size(most)

    def parse_bounded_size(value: Any) -> int:
        size = parse_size(value)
        if not smallest <= size <= largest:
            raise InvalidValue(f"is not a size from {least} to {most}")
        return size

    return parse_bounded_size


# Addresses and networks


def parse_web_address(value: Any) -> str:
    """An absolute http or https URL without a password in it."""
    url = parse_text(value).strip()
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"}
        usable = is_web and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, half an IPv6 address
        usable = False
    if not usable:
        raise InvalidValue('is not an address such as "https://outlet.example/feed"')
    # `khabar sources list`, the file and every message show addresses as they are.
    if parts.username or parts.password:
        raise InvalidValue(
            "holds a user name or password, which would be sent and stored in the open"
        )
    if len(url) > MAX_URL_CHARS:
        raise InvalidValue(f"is longer than {MAX_URL_CHARS:,} characters")
    return url


def parse_optional_address(value: Any) -> str:
    """An absolute http or https URL, or nothing."""
    if not parse_text(value).strip():
        return ""
    return parse_web_address(value)


def parse_archive_pattern(value: Any) -> str:
    """The address of an archive's pages, with places for the date."""
    url = parse_text(value).strip()
    # With any date in its places it must be an address.
    parse_web_address(_ARCHIVE_PLACE.sub("1", url))
    if "{year}" not in url or "{month" not in url:
        raise InvalidValue(
            "has no {year} and {month:02}, as in "
            '"https://outlet.example/archive/{year}/{month:02}/{day:02}"'
        )
    return url


def parse_telegram_channel(value: Any) -> str:
    """A public Telegram channel, by name or address.

    Returns the address of its preview page.
    """
    match = _CHANNEL.fullmatch(parse_text(value).strip())
    if match is None:
        raise InvalidValue(
            'is not the name of a public Telegram channel such as "outlet_channel"'
        )
    return f"https://t.me/s/{match[1]}"


def parse_proxy(value: Any) -> str:
    """Nothing, or the http address of a proxy."""
    address = parse_text(value).strip()
    if address == "":
        return ""
    try:
        usable = address.startswith("http://") and bool(urlsplit(address).hostname)
    except ValueError:  # half an IPv6 address
        usable = False
    if not usable:
        raise InvalidValue('is not a proxy such as "http://127.0.0.1:8899"')
    return address


def parse_listen_address(value: Any) -> str:
    """Nothing, or the address and port to listen on."""
    address = parse_text(value).strip()
    if address == "":
        return ""
    host, _, port = address.rpartition(":")
    is_number = port.isascii() and port.isdigit() and len(port) <= 5
    is_port = is_number and int(port) < 65_536
    if not host or not is_port:
        raise InvalidValue('is not an address and port such as "127.0.0.1:9464"')
    return address


def parse_networks(value: Any) -> tuple[IPv4Network | IPv6Network, ...]:
    """A list of networks or single addresses."""
    if not isinstance(value, list):
        raise InvalidValue('is not a list of networks such as ["127.0.0.0/8"]')
    networks: list[IPv4Network | IPv6Network] = []
    for entry in value:
        try:
            networks.append(ip_network(parse_text(entry)))
        except ValueError:
            raise InvalidValue(
                f"names {quote_value(entry)}, "
                'which is not a network such as "127.0.0.0/8"'
            ) from None
    return tuple(networks)


def parse_headers(value: Any) -> dict[str, str]:
    """A table of extra request headers."""
    if not isinstance(value, dict):
        raise InvalidValue('is not a table such as { Accept-Language = "fa" }')
    for name, content in value.items():
        is_text = isinstance(content, str) and not _CONTROL.search(content)
        if not is_text or not _HEADER_NAME.fullmatch(name):
            raise InvalidValue(
                f"names {quote_value(name)}, "
                "which is not a request header with text in quotes"
            )
    return dict(value)


# What articles are read by


def parse_language(value: Any) -> str:
    """A BCP 47 tag."""
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        raise InvalidValue('is not a language tag such as "en", "fa" or "ps"')
    return value


def parse_zone(value: Any) -> str:
    """An IANA time zone."""
    name = parse_text(value)
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise InvalidValue('is not a time zone such as "Asia/Kabul"') from None
    return name


def parse_regex(value: Any) -> str:
    """A regular expression."""
    pattern = parse_text(value)
    try:
        re.compile(pattern)
    except re.error as fault:
        raise InvalidValue(f"is not a regular expression: {fault}") from None
    return pattern


def parse_css_selector(value: Any) -> str:
    """A CSS selector."""
    # Few sources have one, and every command reads them all: 10 ms for nothing.
    from cssselect import SelectorError, parse

    selector = parse_text(value)
    try:
        parse(selector)
    except SelectorError:
        raise InvalidValue('is not a CSS selector such as "div.story-body"') from None
    return selector


def parse_date_format(value: Any) -> str:
    """A strptime format that at least names a day."""
    form = parse_text(value)
    day = datetime(2026, 11, 22, tzinfo=UTC)
    try:
        datetime.strptime(day.strftime(form), form)  # noqa: DTZ007  # only tried out
        usable = "%" in form
    except ValueError:
        usable = False
    if not usable:
        raise InvalidValue('is not a date format such as "%d/%m/%Y %H:%M"')
    return form


def parse_terms(value: Any) -> tuple[tuple[str, str, float], ...]:
    """Words for relevance: a list of [words, what they speak for, weight 0 to 1]."""
    if not isinstance(value, list):
        raise InvalidValue('is not a list such as [["poppy clash", "event", 0.8]]')
    return tuple(_parse_term(entry) for entry in value)


def _parse_term(entry: Any) -> tuple[str, str, float]:
    if not isinstance(entry, list) or len(entry) != 3:
        raise InvalidValue(
            f"names {quote_value(entry)}, "
            "which is not [words, what they speak for, weight]"
        )
    try:
        words = parse_text(entry[0]).strip()
        category = parse_text(entry[1])
        weight = parse_share(entry[2])
    except InvalidValue as fault:
        raise InvalidValue(
            f"names {quote_value(entry)}, of which a part {fault}"
        ) from None
    if not words or category.partition(":")[0] not in _TERM_CATEGORIES:
        raise InvalidValue(
            f"names {quote_value(entry)}; words speak for "
            f"{', '.join(_TERM_CATEGORIES)}, or event:battles and the like"
        )
    return words, category, weight
