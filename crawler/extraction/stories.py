"""The stories of a page: which parts of it are articles of their own. Pure.

Sites put the next articles whole below the one that was asked for, and blogs put whole
posts on their front. Stored as one text they make a document of several reports, and
the report that was quoted becomes a copy of the page that quoted it.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from urllib.parse import urljoin, urlsplit

from lxml import html

from crawler.extraction import blocks
from crawler.extraction.blocks import Block
from storage import identity
from storage.model import Cut

HEADINGS = frozenset({"h1", "h2", "h3", "h4"})
_MIN_PROSE_CHARS = 60  # of a paragraph that says something
# Of the page's own text above the first other headline. A section page has less there:
# its stories are what it is about.
_MIN_OWN_CHARS = 200
_MIN_EXCERPT_CHARS = 40  # of a story that a section page tells in short
_MAX_HEADLINE_CHARS = 200
# A teaser has one; what reads a page leaves teasers out by itself.
_MIN_STORY_PARAGRAPHS = 2
# A review of the year has six reports below some lines of its own. The next articles of
# an endless page repeat the template of the first.
_MIN_ROUNDUP_STORIES = 3
_MAX_OTHER_SHARE = 2.0
# Rubrics, names and numbers have fewer.
_MIN_HEADLINE_WORDS = 3
# Letters: a shorter headline is the page's only where it is the whole title.
_MIN_TITLE_LETTERS = 12
# Classes by which templates name an article of a page, as whole words.
_STORY_WORDS = frozenset(
    {
        "article", "entry", "hentry", "news", "post", "single", "story", "storypage",
    }
)  # fmt: skip


def cut_other_articles(
    page: Sequence[Block], *, title: str | None, url: str
) -> tuple[list[Block], tuple[Cut, ...]]:
    """The blocks of the page's own article, and what was cut out of its tree.

    `title` is the page's headline, `url` its address. Nothing is cut where that
    headline is not found, or hardly any text stands under it.
    """
    own = find_headline(page, title)
    if own is None:
        return list(page), ()
    others = _find_other_articles(page, own, url)
    if not others:
        return list(page), ()
    cuts: list[Cut] = []
    kept: list[Block] = []
    for block in page:
        if others.isdisjoint((block.node, *block.node.iterancestors())):
            kept.append(block)
        else:
            cuts.append(Cut(rule="another article", text=block.text[:500]))
    for element in others:
        if element.getparent() is not None:
            element.drop_tree()
    for index, block in enumerate(kept):
        block.index = index
    return kept, tuple(cuts)


def linked_story(block: Block, url: str) -> str | None:
    """The address of the other page that a headline links to, None for none.

    Only pages of the same site: a headline that leads elsewhere names a source.
    """
    link = next(block.node.iter("a"), None)
    if link is None:
        link = next(block.node.iterancestors("a"), None)
    if link is None or block.link_share <= 0.8:
        return None
    href = (link.get("href") or "").strip()
    if not href or href.startswith(("#", "javascript:", "mailto:")):
        return None
    try:
        address: str = urljoin(url, href)
        host = urlsplit(address).hostname or ""
    except ValueError:
        return None
    own_host = identity.url_host(url)
    if own_host and host.removeprefix("www.") != own_host.removeprefix("www."):
        return None
    if url and identity.url_key(address) == identity.url_key(url):
        return None
    return address


def share_of_listed_text(
    text: str, page: Sequence[Block], *, title: str | None, url: str
) -> tuple[int, float]:
    """How many stories a text lists, and their share of its letters, from 0 to 1.

    A story is a headline that links to its own page, with a paragraph of its own below;
    what stands under any other heading is the page's own. Where the page has a headline
    of its own and text under it, the stories are its parts: 0.
    """
    own = find_headline(page, title)
    story_of: dict[int, str] = {}
    story: str | None = None
    for block in page:
        if block.tag in HEADINGS or _is_marked_headline(block):
            story = linked_story(block, url)
            # Names of products and authors are linked too.
            is_headline = len(block.text.split()) >= _MIN_HEADLINE_WORDS
            if block is own or not is_headline:
                story = None
        if story is not None:
            story_of[block.index] = story
    if not story_of:
        return 0, 0.0
    if own is not None and len(own.text.split()) > _MIN_HEADLINE_WORDS:
        first = min((n for n in story_of if n > own.index), default=len(page))
        under = page[own.index + 1 : first]
        own_chars = sum(len(block.text) for block in under if is_prose(block))
        if own_chars >= _MIN_OWN_CHARS:
            return 0, 0.0

    listed_chars = 0
    chars = 0
    stories: set[str] = set()
    for line, source in blocks.align_lines(text.splitlines(), page):
        chars += len(line)
        if source is None or source.index not in story_of:
            continue
        listed_chars += len(line)
        if source.tag not in HEADINGS and len(line) >= _MIN_EXCERPT_CHARS:
            stories.add(story_of[source.index])
    return len(stories), listed_chars / max(1, chars)


def _is_marked_headline(block: Block) -> bool:
    """Whether the class of a block, or of what it stands in, calls it a headline."""
    if len(block.text) > _MAX_HEADLINE_CHARS:
        return False
    names = block.node.get("class") or ""
    parent = block.node.getparent()
    if block.tag == "p" and not names and parent is not None:
        names = parent.get("class") or ""
    return "title" in names.lower() or "headline" in names.lower()


def is_prose(block: Block) -> bool:
    """Whether a block is a paragraph that says something."""
    return (
        block.tag not in HEADINGS
        and len(block.text) >= _MIN_PROSE_CHARS
        and block.link_share < 0.5
    )


def find_headline(page: Sequence[Block], title: str | None) -> Block | None:
    """The heading that has the page's title, in full before in part; None for none.

    The title may name the site as well, and so may the page: of parts the longest.
    """
    wanted = blocks.bare_letters(title or "")
    longest: Block | None = None
    longest_letters = _MIN_TITLE_LETTERS - 1
    for block in page:
        if block.tag not in {"h1", "h2", "h3"}:
            continue
        letters = blocks.bare_letters(block.text)
        if letters == wanted:
            return block
        is_part = letters in wanted or (wanted in letters and len(wanted) >= 12)
        if is_part and len(letters) > longest_letters:
            longest, longest_letters = block, len(letters)
    return longest


def _find_other_articles(
    page: Sequence[Block], own: Block, url: str
) -> set[html.HtmlElement]:
    """The elements that hold another article each, with its headline and text."""
    own_places = set(own.node.iterancestors())
    first_prose = next(filter(is_prose, page[own.index + 1 :]), None)
    if first_prose is None:
        return set()
    whole = next(e for e in first_prose.node.iterancestors() if e in own_places)
    own_kinds = {_kind_of(node) for node in own_places}
    prose_parents: set[html.HtmlElement] = set()
    paragraphs: Counter[html.HtmlElement] = Counter()
    other_chars = 0
    own_chars = 0
    other: html.HtmlElement | None = None
    before = own
    for block in page[own.index + 1 :]:
        if block.tag in {"h1", "h2", "h3"}:
            story = _story_around(page, block, before=before, own_places=own_places)
            if story is not None and _is_another(
                story,
                block,
                own_kinds=own_kinds,
                places=own_places,
                whole=whole,
                body=prose_parents,
                url=url,
            ):
                if own_chars < _MIN_OWN_CHARS:
                    return set()
                other = story
        if not is_prose(block):
            continue
        before = block
        around = list(block.node.iterancestors())
        if other is not None and other in around:
            paragraphs[other] += 1
            other_chars += len(block.text)
            continue
        own_chars += len(block.text)
        prose_parents.update(around)
        prose_parents -= own_places

    found = {e for e, count in paragraphs.items() if count >= _MIN_STORY_PARAGRAPHS}
    is_scroll = any(_kind_of(e) in own_kinds for e in found)
    if (
        not is_scroll
        and len(found) >= _MIN_ROUNDUP_STORIES
        and other_chars > _MAX_OTHER_SHARE * own_chars
    ):
        return set()
    return found


def _story_around(
    page: Sequence[Block],
    headline: Block,
    *,
    before: Block,
    own_places: Collection[html.HtmlElement],
) -> html.HtmlElement | None:
    """The smallest element that begins with a headline and holds a paragraph below it.

    `before` is the last paragraph above: an element that holds it begins with that.
    """
    first_prose = next(filter(is_prose, page[headline.index + 1 :][:6]), None)
    if first_prose is None:
        return None
    around_prose = set(first_prose.node.iterancestors())
    around_before = {before.node, *before.node.iterancestors()}
    for element in headline.node.iterancestors():
        if element in around_before or element in own_places:
            return None
        if element in around_prose:
            return element
    return None


def _is_another(
    story: html.HtmlElement,
    headline: Block,
    *,
    own_kinds: Collection[tuple[str, str]],
    places: set[html.HtmlElement],
    whole: html.HtmlElement,
    body: Collection[html.HtmlElement],
    url: str,
) -> bool:
    """Whether an element with a headline and text is another article.

    A section of the article itself has a heading too. It stands beside the article's
    own paragraphs or within its <article>, and its heading links nowhere. A review of
    the year links each of its sections to a report: these stand within the element that
    holds the article's headline and text (`whole`), the next article outside of it.
    """
    around = set(story.iterancestors())
    if not around.isdisjoint(body) or any(e.tag == "article" for e in around & places):
        return False
    if story.tag == "article":
        return True
    is_headline = len(headline.text.split()) >= _MIN_HEADLINE_WORDS
    if is_headline and whole not in around and linked_story(headline, url) is not None:
        return True
    kind = _kind_of(story)
    if kind not in own_kinds or not kind[1]:
        return False
    words = set(kind[1].lower().replace("_", "-").replace("-", " ").split())
    return headline.tag == "h1" or not words.isdisjoint(_STORY_WORDS)


def _kind_of(node: html.HtmlElement) -> tuple[str, str]:
    return str(node.tag), node.get("class") or ""
