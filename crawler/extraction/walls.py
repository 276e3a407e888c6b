"""Pages that stand before the page: browser checks, consent, logins, errors. Pure.

Such an answer comes with status 200 and says nothing of the report that was asked for.
It is told by its shape: it is short, and its heading, its sentences, a form or a
redirect say what it is. The words are data (`data/walls.csv`).
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from urllib.parse import urljoin

from lxml import html

from crawler import data_files
from crawler.extraction.blocks import Block
from storage import identity
from storage.folding import fold

# Words of a text that its heading may overrule: the sidebar of an error page is read
# with it. A report under such a heading has more.
_MAX_HEADED_WORDS = 120
# Words of a text in which one sentence of a wall tells: consent walls have the most.
_MAX_WALL_WORDS = 120
_MAX_LOGIN_WORDS = 25  # beside a password
_MAX_REDIRECT_WORDS = 60
_MAX_REDIRECT_SECONDS = 15  # pages that reload themselves wait for minutes
_MAX_HEADING_CHARS = 120
_SENTENCE_END = re.compile(r"[.!?؟۔\n]+")
# The word is the same in every language that we have met.
_CONSENT = re.compile(r"cookie|کوکی|куки|\bgdpr\b|\bconsent|\bakkoord\b|einwillig")
_REFRESH = re.compile(
    r"\s*(\d{1,4})\s*[;,]\s*(?:url\s*=\s*)?['\"]?([^'\"\s]+)", re.IGNORECASE
)


def describe_wall(
    tree: html.HtmlElement,
    page: Sequence[Block],
    text: str,
    *,
    words: int,
    title: str | None,
    url: str,
    is_declared: bool,
) -> str | None:
    """What stands before the page, None where nothing does.

    `text` is what was read of it, of so many `words`. A page that is declared an
    article (`is_declared`) is one whatever its heading says.
    """
    headings = [title or ""]
    headings += [block.text for block in page if block.tag in {"h1", "h2"}][:3]
    if not is_declared and words < _MAX_HEADED_WORDS:
        for heading in headings:
            if _is_wall_heading(heading):
                return f"by its heading: {heading[:80]}"
        if words < _MAX_REDIRECT_WORDS and _redirects(tree, url):
            return "a redirect in its markup"
        if words < _MAX_LOGIN_WORDS and _asks_for_password(tree):
            return "a login"
    if words >= _MAX_WALL_WORDS:
        return None
    folded = fold(text)
    for phrase in _phrases():
        if phrase in folded:
            return f"by its text: {phrase}"
    sentences = [part for part in _SENTENCE_END.split(folded) if len(part.split()) > 2]
    consenting = sum(_CONSENT.search(part) is not None for part in sentences)
    if sentences and 2 * consenting >= len(sentences):
        return "it asks for consent"
    return None


def _is_wall_heading(heading: str) -> bool:
    if not heading or len(heading) > _MAX_HEADING_CHARS:
        return False
    folded = fold(heading).strip(" .!…")
    return any(pattern.fullmatch(folded) for pattern in _headings())


def _redirects(tree: html.HtmlElement, url: str) -> bool:
    """Whether the page sends its reader to another one at once."""
    for meta in tree.iter("meta"):
        if (meta.get("http-equiv") or "").strip().lower() != "refresh":
            continue
        target = _REFRESH.match((meta.get("content") or "")[:2_000])
        if target is None or int(target.group(1)) > _MAX_REDIRECT_SECONDS:
            continue
        try:
            address = urljoin(url, target.group(2))
        except ValueError:
            continue
        if not url or identity.url_key(address) != identity.url_key(url):
            return True
    return False


def _asks_for_password(tree: html.HtmlElement) -> bool:
    fields: Iterable[html.HtmlElement] = tree.iter("input")
    return any((field.get("type") or "").lower() == "password" for field in fields)


@cache
def _headings() -> tuple[re.Pattern[str], ...]:
    """The headings of walls, folded. `*` is anything."""
    patterns: list[re.Pattern[str]] = []
    for row in data_files.read_csv("walls.csv"):
        if row["where"] == "heading":
            pattern = re.escape(fold(row["word"])).replace(r"\*", ".{0,120}")
            patterns.append(re.compile(pattern))
    return tuple(patterns)


@cache
def _phrases() -> tuple[str, ...]:
    rows = data_files.read_csv("walls.csv")
    return tuple(fold(row["word"]) for row in rows if row["where"] == "text")
