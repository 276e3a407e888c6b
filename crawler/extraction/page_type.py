"""What a page is when it is no article: a listing, a paywall's stub, an empty shell. Pure.

Only clear cases are rejected: a page that says that it is an article is one, whatever it
looks like. A new kind of page is a function beside those that `reject` lists, or a row
of `data/page_types.csv` where a declared type or a title tells.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from crawler import data_files
from crawler.extraction import blocks, json_ld, stories, walls
from crawler.extraction.blocks import Block
from crawler.extraction.markup import Markup
from storage import text_likeness
from storage.folding import fold
from storage.model import Cut, Rejection, RejectionReason

# What the detail of a rejection begins with where the page stands before another one.
WALL = "wall"
# Fewer words behind a paywall are no article.
_MIN_OPEN_WORDS = 40
# What an application's page says before its script has run.
_MAX_SHELL_WORDS = 15
# Fewer tell of nothing ("Two were hurt in Khost." has five). The shortest of 677
# labelled texts has 49 words, the shortest that is read from them 35.
_MIN_WORDS = 5
# Links of a headline's length: a home page of a small outlet has more.
_MIN_LISTED_HEADLINES = 15
# Stories, each under a headline that links to its page: ten on an archive page of
# WordPress. An article quotes two or three. On pages that call themselves an archive
# fewer are enough.
_MIN_LISTED_STORIES = 4
_MIN_ARCHIVED_STORIES = 2
_MIN_LISTED_SHARE = 0.7  # of the text
# A page that says more than this beside its links is read.
_MIN_OWN_WORDS = 60

_HOME_PATH = re.compile(
    r"/?(?:[a-z]{2,3}(?:[-_](?:[a-z]{2}|hans|hant|latn|cyrl|arab))?)?"
    r"/?(?:(?:index|home|default)(?:\.[a-z]{2,5})?)?/?",
    re.IGNORECASE,
)
_ARCHIVE_PATH = re.compile(
    r"/(?:author|archives?|category|categories|label|search|section|tag|tags|topic|"
    r"topics|page/\d{1,4})(?:/|$)",
    re.IGNORECASE,
)
# What WordPress calls the body of a page that lists; Blogger and Drupal do likewise.
_ARCHIVE_CLASSES = frozenset(
    {
        "archive", "author", "blog", "category", "search-results", "tag", "paged",
        "path-frontpage",
    }
)  # fmt: skip
# Scripts that put no spaces between words: each letter counts as a word there.
_UNSPACED_LETTER = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
)
_UNSPACED_SAMPLE_CHARS = 500  # enough for a sentence to show
_NOT_FREE = frozenset({"false", "no", "0"})

_Finding = tuple[RejectionReason, str]  # why, and the detail that shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One row of `data/page_types.csv`."""

    why: RejectionReason
    declared_type: str | None  # of JSON-LD, as it stands
    title: re.Pattern[str] | None  # of a folded title


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

    `text` is the cleaned article, `cuts` what was taken out of it, `url` the page's own
    address.
    """
    words = len(text_likeness.fold_words(text))
    found = (
        _reject_by_type_or_title(markup, title)
        or _reject_wall(markup, page, text, words=words, title=title, url=url)
        or _reject_paywall(markup, words, cuts)
        or _reject_empty(markup, text, words)
        or _reject_listing(markup, page, text, url)
        or _reject_stories(markup, page, text, title=title, url=url)
    )
    if found is None:
        return None
    why, detail = found
    return Rejection(why=why, detail=detail, url=url, title=title)


def _reject_by_type_or_title(markup: Markup, title: str | None) -> _Finding | None:
    # Social networks are told "article" by some home pages too, so that this one does
    # not count against a listing.
    shared_as = {value.lower() for value in markup.meta.get("og:type", ())}
    is_article = _declares_article(markup) or "article" in shared_as
    types: list[str] = []
    for item in markup.json_ld:
        types += json_ld.types_of(item)
    folded = fold(title or "")[:200]
    for rule in _rules():
        if rule.title is not None and rule.title.fullmatch(folded):
            return rule.why, "by its title"
        if rule.declared_type in types and not is_article:
            return rule.why, f"declared as {rule.declared_type}"
    return None


def _reject_wall(
    markup: Markup,
    page: Sequence[Block],
    text: str,
    *,
    words: int,
    title: str | None,
    url: str,
) -> _Finding | None:
    """A page that stands before the page that was asked for."""
    wall = walls.describe_wall(
        markup.tree,
        page,
        text,
        words=words,
        title=title,
        url=url,
        is_declared=_declares_article(markup),
    )
    if wall is None:
        return None
    return RejectionReason.NOT_AN_ARTICLE, f"{WALL}: {wall}"


def _reject_paywall(markup: Markup, words: int, cuts: Sequence[Cut]) -> _Finding | None:
    """A paywall with no more than a teaser before it."""
    if words >= _MIN_OPEN_WORDS:
        return None
    tiers = {value.lower() for value in markup.meta.get("article:content_tier", ())}
    free = [str(item.get("isAccessibleForFree", "")) for item in markup.own_json_ld]
    if (
        not _NOT_FREE.isdisjoint(value.strip().lower() for value in free)
        or not tiers.isdisjoint({"locked", "metered"})
        or any(cut.rule == "paywall" for cut in cuts)
    ):
        return RejectionReason.PAYWALLED, f"{words} words are open"
    return None


def _reject_empty(markup: Markup, text: str, words: int) -> _Finding | None:
    """A page that says next to nothing, as many do until their script has run."""
    has_script = next(markup.tree.iter("script"), None) is not None
    if words < _MAX_SHELL_WORDS and (
        markup.needs_script or (words == 0 and has_script)
    ):
        return RejectionReason.SCRIPT_ONLY, f"{words} words without JavaScript"
    if words == 0:
        return RejectionReason.EMPTY, "no text"
    unspaced = _UNSPACED_LETTER.findall(text, 0, _UNSPACED_SAMPLE_CHARS)
    if words + len(unspaced) < _MIN_WORDS:
        return RejectionReason.SHORT, "1 word" if words == 1 else f"{words} words"
    return None


def _reject_listing(
    markup: Markup, page: Sequence[Block], text: str, url: str
) -> _Finding | None:
    """A home page or a section page: headlines that are links, hardly a paragraph."""
    if _declares_article(markup):
        return None
    headlines = [
        block
        for block in page
        if 4 <= len(block.text.split()) <= 25 and block.link_share > 0.8
    ]
    if len(headlines) < _MIN_LISTED_HEADLINES:
        return None
    headline_chars = sum(len(block.text) for block in headlines)
    prose_chars = 0
    for block in page:
        if block.tag in {"p", "div"} and len(block.text) >= 100:
            prose_chars += len(block.text)
    if headline_chars <= 2 * prose_chars:
        return None

    address = urlsplit(url)
    is_home = _HOME_PATH.fullmatch(address.path) is not None and not address.query
    keys = {block.key for block in headlines}
    own_lines = [
        line
        for line in text.splitlines()
        if blocks.line_key(line.lstrip("-*• ")) not in keys
    ]
    own_words = len(text_likeness.fold_words(" ".join(own_lines)))
    if not is_home and own_words >= _MIN_OWN_WORDS:
        return None
    detail = f"{len(headlines)} headlines, {prose_chars} characters of paragraphs"
    return RejectionReason.LISTING, detail


def _reject_stories(
    markup: Markup, page: Sequence[Block], text: str, *, title: str | None, url: str
) -> _Finding | None:
    """A page of teasers or of whole posts, each under a link to its own page."""
    if _declares_article(markup):
        return None
    count, share = stories.share_of_listed_text(text, page, title=title, url=url)
    least = _MIN_LISTED_STORIES
    if _calls_itself_archive(markup, url):
        least = _MIN_ARCHIVED_STORIES
    if count < least or share < _MIN_LISTED_SHARE:
        return None
    return RejectionReason.LISTING, f"{count} stories under links to their pages"


def _calls_itself_archive(markup: Markup, url: str) -> bool:
    """Whether a page is a front, an archive or a search by its address or its body."""
    body = next(markup.tree.iter("body"), None)
    if body is not None:
        names = (body.get("class") or "").lower().split()
        if not _ARCHIVE_CLASSES.isdisjoint(names):
            return True
    articles = sum(json_ld.is_article(item) for item in markup.json_ld)
    if articles >= _MIN_LISTED_STORIES:
        return True
    address = urlsplit(url)
    return bool(_ARCHIVE_PATH.search(address.path)) or bool(
        _HOME_PATH.fullmatch(address.path)
    )


def _declares_article(markup: Markup) -> bool:
    """Whether the page says of itself that it is an article."""
    if "article:published_time" in markup.meta:
        return True
    return any(json_ld.is_article(item) for item in markup.own_json_ld)


@cache
def _rules() -> tuple[_Rule, ...]:
    """The rules in the order of the table. In a title `*` is anything, `#` a number."""
    rules: list[_Rule] = []
    for row in data_files.read_csv("page_types.csv"):
        why = RejectionReason(row["kind"])
        if row["where"] == "type":
            rules.append(_Rule(why=why, declared_type=row["word"], title=None))
            continue
        pattern = re.escape(fold(row["word"]))
        pattern = pattern.replace(r"\*", ".{0,200}").replace(r"\#", r"\d{1,4}")
        rules.append(_Rule(why=why, declared_type=None, title=re.compile(pattern)))
    return tuple(rules)
