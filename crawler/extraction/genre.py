"""What a page is when it is no article: a list of links, a paywall's stub, an application's shell, a lesson. Pure.

Only clear cases are turned away: a page that says that it is an article is one, whatever it looks like.
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
from storage.model import Cut, Rejection, Why

_STUB = 40  # words: less than that behind a paywall or a script is no article
_SHELL = 15  # words: what an application's page says before its script has run
_SENTENCE = 5  # words: fewer tell of nothing ("Two were hurt in Khost." has five); the shortest of 677 labels has 49
_HEADLINES = 15  # links of a headline's length: a home page of a small outlet has more
_OWN_WORDS = 60  # a page that says more than this beside its links is read
_HOME = re.compile(
    r"/?(?:[a-z]{2,3}(?:[-_](?:[a-z]{2}|hans|hant|latn|cyrl|arab))?)?/?(?:(?:index|home|default)(?:\.[a-z]{2,5})?)?/?",
    re.IGNORECASE,
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")  # scripts without spaces
_LONGEST_SHORT = 500  # characters in which such a sentence shows
_ARTICLE_TYPES = ("Article", "Posting", "Report", "Review")
_CLOSED = frozenset({"false", "no", "0"})


def turn_away(
    markup: Markup, page: Sequence[Block], text: str, *, title: str | None, url: str, cuts: Sequence[Cut] = ()
) -> Rejection | None:
    """Why a page is not an article, None where it may be one. `text` is the cleaned article, `url` its own address."""
    return (
        _named(markup, title, url)
        or _locked(markup, text, title, url, cuts)
        or _shell(markup, text, title, url)
        or _list_of_links(markup, page, text, title, url)
    )


def _is_signed(markup: Markup) -> bool:
    """Whether the page says of itself that it is an article."""
    return any(kind.endswith(_ARTICLE_TYPES) for kind in _types(markup)) or "article:published_time" in markup.meta


def _is_shared_as_article(markup: Markup) -> bool:
    """Whether social networks are told that it is an article; some home pages tell them so too."""
    return "article" in {value.lower() for value in markup.meta.get("og:type", ())}


def _types(markup: Markup) -> list[str]:
    """The types of the page's JSON-LD objects."""
    said = (node.get("@type") for node in markup.objects)
    return [str(kind) for value in said for kind in (value if isinstance(value, list) else [value])]


def _named(markup: Markup, title: str | None, url: str) -> Rejection | None:
    """By its declared type or its title."""
    folded = fold(title or "")
    for why, where, pattern in _genres():
        if where == "type":
            if not (_is_signed(markup) or _is_shared_as_article(markup)) and (
                kind := next(filter(pattern.fullmatch, _types(markup)), None)
            ):
                return Rejection(why=why, detail=f"declared as {kind}", url=url, title=title)
        elif pattern.fullmatch(folded[:200]):
            return Rejection(why=why, detail="by its title", url=url, title=title)
    return None


def _locked(markup: Markup, text: str, title: str | None, url: str, cuts: Sequence[Cut]) -> Rejection | None:
    """A paywall with no more than a teaser before it."""
    if (words := len(identity.words(text))) >= _STUB:
        return None
    closed = any(str(node.get("isAccessibleForFree", "")).strip().lower() in _CLOSED for node in markup.objects)
    tier = {value.lower() for value in markup.meta.get("article:content_tier", ())}
    if closed or tier & {"locked", "metered"} or any(cut.rule == "paywall" for cut in cuts):
        return Rejection(why=Why.PAYWALLED, detail=f"{words} words are open", url=url, title=title)
    return None


def _shell(markup: Markup, text: str, title: str | None, url: str) -> Rejection | None:
    """A page that is empty, or says next to nothing, as many do until their script has run."""
    words = len(identity.words(text))
    if words < _SHELL and (markup.scripted or (words == 0 and next(markup.tree.iter("script"), None) is not None)):
        return Rejection(why=Why.SCRIPT_ONLY, detail=f"{words} words without JavaScript", url=url, title=title)
    if words == 0:
        return Rejection(why=Why.EMPTY, detail="no text", url=url, title=title)
    if words + len(_UNSPACED.findall(text, 0, _LONGEST_SHORT)) < _SENTENCE:
        return Rejection(why=Why.SHORT, detail=f"{words} word{'s' if words > 1 else ''}", url=url, title=title)
    return None


def _list_of_links(
    markup: Markup, page: Sequence[Block], text: str, title: str | None, url: str
) -> Rejection | None:  # fmt: skip
    """A home page or a section page: headlines that are links, and hardly a paragraph."""
    if _is_signed(markup):
        return None
    home = _HOME.fullmatch(urlsplit(url).path) is not None and not urlsplit(url).query
    headlines = [block for block in page if 4 <= len(block.text.split()) <= 25 and block.links > 0.8]
    if len(headlines) < _HEADLINES:
        return None
    linked = sum(len(block.text) for block in headlines)
    prose = sum(len(block.text) for block in page if block.tag in {"p", "div"} and len(block.text) >= 100)
    keys = {block.key for block in headlines}
    own = " ".join(line for line in text.splitlines() if blocks.key(line.lstrip("-*• ")) not in keys)
    if linked > 2 * prose and (home or len(identity.words(own)) < _OWN_WORDS):
        detail = f"{len(headlines)} headlines, {prose} characters of paragraphs"
        return Rejection(why=Why.LISTING, detail=detail, url=url, title=title)
    return None


@cache
def _genres() -> tuple[tuple[Why, str, re.Pattern[str]], ...]:
    rows = csv.DictReader(files("crawler").joinpath("data/genres.csv").read_text("utf-8").splitlines())
    return tuple((Why(row["kind"]), row["where"], _pattern(row["where"], row["word"])) for row in rows)


def _pattern(where: str, word: str) -> re.Pattern[str]:
    """A type as it stands; a title with `*` for anything and `#` for a number."""
    if where == "type":
        return re.compile(re.escape(word))
    return re.compile(re.escape(fold(word)).replace(r"\*", ".{0,200}").replace(r"\#", r"\d{1,4}"))
