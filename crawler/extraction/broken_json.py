"""JSON that no parser reads, as far as it can be made out. Pure.

Sites write JSON-LD by hand and by template: quotes in a headline that nobody escapes,
commas too many or too few, two roots, a script that is cut off. Each fault costs what
is next to it, and nothing else of the script.
"""

import json
import re
from typing import Any

# More is hostile: the objects of a page have five levels.
_MAX_OPEN_CONTAINERS = 50
_COMMENT = r"/\*(?:(?!\*/).){0,1000}\*/|//[^\n\"]{0,200}\n"
_BETWEEN_TOKENS = re.compile(rf"(?:[\s,:;]|{_COMMENT})+")
_LITERAL = re.compile(r"[^\s,:;\"\[\]{}]+")
_KEY_END = re.compile(r"\s*:")
# What follows the quote that ends a value. Any other quote is one of the text: of
# `"He said "no", and left",` only the last is followed by another value.
_VALUE_END = re.compile(
    rf"\s*(?:[}}\]]|\Z|,(?:[\s,]|{_COMMENT})*"
    r"(?:[\"{\[}\]]|-?\d|true\b|false\b|null\b|\Z)"
    r"|\"[@\w]{1,40}\"\s*:)"
)
_BARE_QUOTE = re.compile(r'(?<!\\)"')
_LITERALS = {"true": True, "false": False}


def parse(text: str) -> list[Any]:
    """The roots of a broken script, in their order, with everything that is legible.

    Takes time linear in the length of the text. Never raises.
    """
    roots: list[Any] = []
    # The open containers, outermost first, each with the key that waits for its value.
    open_containers: list[Any] = [roots]
    keys: list[str | None] = [None]
    position = 0
    while position < len(text):
        between = _BETWEEN_TOKENS.match(text, position)
        if between:
            # The comma of `"image": , "name": "A"` ends a value that is not there.
            if "," in between.group():
                keys[-1] = None
            position = between.end()
            continue
        char = text[position]
        container, key = open_containers[-1], keys[-1]
        if char in "{[":
            if len(open_containers) > _MAX_OPEN_CONTAINERS:
                break
            inner: Any = {} if char == "{" else []
            _add(container, key, inner)
            keys[-1] = None
            open_containers.append(inner)
            keys.append(None)
            position += 1
        elif char in "}]":
            _close(open_containers, keys, dict if char == "}" else list)
            position += 1
        elif char == '"' and isinstance(container, dict) and key is None:
            keys[-1], position = _read_key(text, position + 1)
        elif char == '"':
            value, position = _read_value(text, position + 1)
            _add(container, key, value)
            keys[-1] = None
        else:
            literal = _LITERAL.match(text, position)
            if literal is None:
                break
            _add(container, key, _LITERALS.get(literal.group()))
            keys[-1] = None
            position = literal.end()
    return roots


def _add(container: Any, key: str | None, value: Any) -> None:
    """Put a value where it belongs; None and values without a key belong nowhere."""
    if value is None:
        return
    if isinstance(container, list):
        container.append(value)
    elif key is not None:
        container[key] = value


def _close(open_containers: list[Any], keys: list[str | None], kind: type[Any]) -> None:
    """Close the innermost open container of a kind, with all that are open within."""
    for place in range(len(open_containers) - 1, 0, -1):
        if isinstance(open_containers[place], kind):
            del open_containers[place:], keys[place:]
            return


def _read_key(text: str, start: int) -> tuple[str | None, int]:
    """The key that begins here and where it ends; None where no colon follows."""
    end = text.find('"', start)
    if end < 0:
        return None, len(text)
    if _KEY_END.match(text, end + 1) is None:
        return None, end + 1
    return text[start:end], end + 1


def _read_value(text: str, start: int) -> tuple[str | None, int]:
    """The string that begins here and where it ends; None where it is cut off."""
    end = start - 1
    while True:
        end = text.find('"', end + 1)
        if end < 0:
            return None, len(text)
        if text[end - 1] == "\\" and text[end - 2] != "\\":
            continue
        if _VALUE_END.match(text, end + 1):
            break
    inner = _BARE_QUOTE.sub(r"\"", text[start:end])
    try:
        value: str = json.loads(f'"{inner}"', strict=False)
    except ValueError:
        value = inner.replace("\\", "")
    return value, end + 1
