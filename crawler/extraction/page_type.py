"""What a page is when it is no article.

A list of links, a paywall's stub, an application's shell, a lesson. Pure.

Only clear cases are turned away: a page that says that it is an article is one,
whatever it looks like.
"""

import csv
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from crawler.extraction import blocks
from crawler.extraction.blocks import Block
from crawler.extraction.markup import Markup
from storage import identity
from storage.folding import fold
from storage.model import Cut, Rejection, RejectionReason

_MIN_OPEN_WORDS = 40  # words: less than that behind a paywall or a script is no article
# Words: what an application's page says before its script has run
_MAX_SHELL_WORDS = 15
# Words: fewer tell of nothing ("Two were hurt in Khost." has five); the shortest of 677
# labels has 49
_MIN_WORDS = 5
# Links of a headline's length: a home page of a small outlet has more
_MIN_LISTED_HEADLINES = 15
_MIN_OWN_WORDS = 60  # a page that says more than this beside its links is read
_HOME_PATH = re.compile(
    r"/?(?:[a-z]{2,3}(?:[-_](?:[a-z]{2}|hans|hant|latn|cyrl|arab))?)?/?(?:(?:index|home|default)(?:\.[a-z]{2,5})?)?/?",
    re.IGNORECASE,
)
# Scripts without spaces
_UNSPACED_LETTER = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
)
_UNSPACED_SAMPLE_CHARS = 500  # characters in which such a sentence shows
_ARTICLE_TYPES = ("Article", "Posting", "Report", "Review")
_NOT_FREE = frozenset({"false", "no", "0"})


def reject(
    markup: Markup,
    page: Sequence[Block],
    text: str,
    *,
    title: str | None,
    url: str,
    cuts: Sequence[Cut] = (),
) -> Rejection | None:
    """Why a page is not an article, None where it may be one.

    `text` is the cleaned article, `url` its own address.
    """
    return (
        _reject_by_type_or_title(markup, title, url)
        or _reject_paywall(markup, text, title, url, cuts)
        or _reject_empty(markup, text, title, url)
        or _reject_listing(markup, page, text, title, url)
    )


def _declares_article(markup: Markup) -> bool:
    """Whether the page says of itself that it is an article."""
    return (
        any(kind.endswith(_ARTICLE_TYPES) for kind in _types(markup))
        or "article:published_time" in markup.meta
    )


def _is_shared_as_article_by_og(markup: Markup) -> bool:
    """Whether social networks are told that it is an article.

    Some home pages tell them so too.
    """
    return "article" in {value.lower() for value in markup.meta.get("og:type", ())}


def _types(markup: Markup) -> list[str]:
    """The types of the page's JSON-LD objects."""
    said = (node.get("@type") for node in markup.objects)
    return [
        str(kind)
        for value in said
        for kind in (value if isinstance(value, list) else [value])
    ]


def _reject_by_type_or_title(
    markup: Markup, title: str | None, url: str
) -> Rejection | None:
    """By its declared type or its title."""
    folded = fold(title or "")
    for why, where, pattern in _page_types():
        if where == "type":
            if not (
                _declares_article(markup) or _is_shared_as_article_by_og(markup)
            ) and (kind := next(filter(pattern.fullmatch, _types(markup)), None)):
                return Rejection(
                    why=why, detail=f"declared as {kind}", url=url, title=title
                )
        elif pattern.fullmatch(folded[:200]):
            return Rejection(why=why, detail="by its title", url=url, title=title)
    return None


def _reject_paywall(
    markup: Markup, text: str, title: str | None, url: str, cuts: Sequence[Cut]
) -> Rejection | None:
    """A paywall with no more than a teaser before it."""
    if (words := len(identity.fold_words(text))) >= _MIN_OPEN_WORDS:
        return None
    closed = any(
        str(node.get("isAccessibleForFree", "")).strip().lower() in _NOT_FREE
        for node in markup.objects
    )
    tier = {value.lower() for value in markup.meta.get("article:content_tier", ())}
    if (
        closed
        or tier & {"locked", "metered"}
        or any(cut.rule == "paywall" for cut in cuts)
    ):
        return Rejection(
            why=RejectionReason.PAYWALLED,
            detail=f"{words} words are open",
            url=url,
            title=title,
        )
    return None


def _reject_empty(
    markup: Markup, text: str, title: str | None, url: str
) -> Rejection | None:
    """A page that is empty, or says next to nothing, as many do until their script has run."""
    words = len(identity.fold_words(text))
    if words < _MAX_SHELL_WORDS and (
        markup.needs_script
        or (words == 0 and next(markup.tree.iter("script"), None) is not None)
    ):
        return Rejection(
            why=RejectionReason.SCRIPT_ONLY,
            detail=f"{words} words without JavaScript",
            url=url,
            title=title,
        )
    if words == 0:
        return Rejection(
            why=RejectionReason.EMPTY, detail="no text", url=url, title=title
        )
    if (
        words + len(_UNSPACED_LETTER.findall(text, 0, _UNSPACED_SAMPLE_CHARS))
        < _MIN_WORDS
    ):
        return Rejection(
            why=RejectionReason.SHORT,
            detail=f"{words} word{'s' if words > 1 else ''}",
            url=url,
            title=title,
        )
    return None


def _reject_listing(
    markup: Markup, page: Sequence[Block], text: str, title: str | None, url: str
) -> Rejection | None:  # fmt: skip
    """A home page or a section page.

    Headlines that are links, and hardly a paragraph.
    """
    if _declares_article(markup):
        return None
    home = (
        _HOME_PATH.fullmatch(urlsplit(url).path) is not None and not urlsplit(url).query
    )
    headlines = [
        block
        for block in page
        if 4 <= len(block.text.split()) <= 25 and block.link_share > 0.8
    ]
    if len(headlines) < _MIN_LISTED_HEADLINES:
        return None
    linked = sum(len(block.text) for block in headlines)
    prose = sum(
        len(block.text)
        for block in page
        if block.tag in {"p", "div"} and len(block.text) >= 100
    )
    keys = {block.key for block in headlines}
    own = " ".join(
        line
        for line in text.splitlines()
        if blocks.line_key(line.lstrip("-*• ")) not in keys
    )
    if linked > 2 * prose and (home or len(identity.fold_words(own)) < _MIN_OWN_WORDS):
        detail = f"{len(headlines)} headlines, {prose} characters of paragraphs"
        return Rejection(
            why=RejectionReason.LISTING, detail=detail, url=url, title=title
        )
    return None


@cache
def _page_types() -> tuple[tuple[RejectionReason, str, re.Pattern[str]], ...]:
    rows = csv.DictReader(
        files("crawler").joinpath("data/genres.csv").read_text("utf-8").splitlines()
    )
    return tuple(
        (
            RejectionReason(row["kind"]),
            row["where"],
            _pattern(row["where"], row["word"]),
        )
        for row in rows
    )


def _pattern(where: str, word: str) -> re.Pattern[str]:
    """A type as it stands; a title with `*` for anything and `#` for a number."""
    if where == "type":
        return re.compile(re.escape(word))
    return re.compile(
        re.escape(fold(word)).replace(r"\*", ".{0,200}").replace(r"\#", r"\d{1,4}")
    )
