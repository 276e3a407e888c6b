"""Hold an extracted text against the page it came from.

Take out what is not the article's, put back what is.

Most errors of an extraction have few causes, and the page's own structure shows them: a
promotion inside the body stands in a container of its own; a body that is split over
several containers repeats their class; the standfirst is the paragraph that the page
itself gives as its description. One walk over the page finds all of them, for a tenth
of what a second extractor costs.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import groupby

from lxml import html

from crawler.extraction import blocks
from crawler.extraction.blocks import Block
from storage.model import Cut

_ALIGNED = 0.5  # of the text must be found on the page, or it is left alone
_CONTAINS = 0.7  # of the text makes an element the container of the body
_BODY_SHARE = 0.25  # of the text makes a kind of paragraph the body's own
_MOST_CUT = 0.35  # of the text; more than that was no promotion
_MOST_LINKS = 0.2  # of the lines: a text with more link-only paragraphs lives by them
_MOST_AFTER = 0.2  # of the text
_SENTENCE_CHARS = 60  # characters of a paragraph that says something
_MIN_PARAGRAPH_CHARS = 60  # characters of a paragraph
# Paragraphs that nobody writes twice in a row; an interviewer repeats one
_MIN_PASSAGE_PARAGRAPHS = 3
_MAX_STANDFIRST_CHARS = 800  # characters at most
_SENTENCE_END = (".", "?", "!", "”", '"', ":", "؟", "۔")
_ASIDES = frozenset(
    {
        "aside",
        "nav",
        "footer",
        "form",
        "figure",
        "figcaption",
        "button",
        "noscript",
        "dialog",
    }
)
_HEADINGS = frozenset({"h2", "h3", "h4", "h5", "h6"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A text after repair, what was taken out, and what was put back in words for `extracted_how`."""

    lines: tuple[str, ...]
    cuts: tuple[Cut, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _AlignedText:
    """A text held against its page."""

    page: list[Block]
    pairs: list[tuple[str, Block | None]]
    container: html.HtmlElement
    shared: Collection[html.HtmlElement]  # the container and everything around it
    # What holds a paragraph of the text within the container
    around: Collection[html.HtmlElement]
    mass: int
    letters: str  # of the whole text, as keys are made
    aside: dict[html.HtmlElement, str] = field(default_factory=dict)

    @property
    def found(self) -> list[tuple[str, Block]]:
        return [(line, block) for line, block in self.pairs if block is not None]

    @property
    def taken(self) -> set[int]:
        return {block.index for _, block in self.found}

    def has(self, block: Block) -> bool:
        return block.key in self.letters


def repair_text(
    lines: list[str], page: list[Block], descriptions: Collection[str]
) -> Repaired:
    """The lines without promotions and lists of links, with the lost paragraphs, headings and standfirst.

    `descriptions` are what the page's head says that it is about. A text that cannot be found on its page, such as one
    from JSON-LD, comes back as it is.
    """
    lines, repeated = _without_repetition(lines, page)
    text = _align(lines, page)
    if text is None:
        return Repaired(lines=tuple(lines), cuts=repeated)
    gone = _find_foreign(text)
    back = _find_lost(text, gone, descriptions)
    notes = Counter(note for note, _ in back)
    return Repaired(
        lines=tuple(_merge(text, gone, [block for _, block in back])),
        cuts=(
            *repeated,
            *(
                Cut(rule=rule, text=page[index].text[:500])
                for index, rule in sorted(gone.items())
            ),
        ),
        notes=tuple(f"{count} {note}" for note, count in notes.items()),
    )


def _without_repetition(
    lines: list[str], page: list[Block]
) -> tuple[list[str], tuple[Cut, ...]]:
    """The lines without passages that stood already.

    Some templates carry an article once for each width of screen.
    """
    kept: list[str] = []
    cuts: list[Cut] = []
    seen: set[str] = set()
    for stood, run in groupby(
        lines, key=lambda line: _stood(blocks.bare_letters(line), seen)
    ):
        passage = list(run)
        if stood and _is_second(passage, page):
            cuts += [Cut(rule="repeated", text=line[:500]) for line in passage]
        else:
            kept += passage
    return kept, tuple(cuts)


def _is_second(passage: list[str], page: list[Block]) -> bool:
    """Whether lines are several paragraphs that the page has in two places."""
    keys = {
        blocks.line_key(line) for line in passage if len(line) >= _MIN_PARAGRAPH_CHARS
    }
    if len(keys) < _MIN_PASSAGE_PARAGRAPHS:
        return False
    parents = {
        (block.key, block.node.getparent()) for block in page if block.key in keys
    }
    return len(parents) >= 2 * len(keys)


def _stood(line: str, seen: set[str]) -> bool:
    """Whether a line stood before, which is noted for the next."""
    known = line in seen
    seen.add(line)
    return known


def _align(lines: list[str], page: list[Block]) -> _AlignedText | None:
    """The text aligned with its page, None where too little of it is there."""
    pairs = list(blocks.align_lines(lines, page))
    weights: Counter[html.HtmlElement] = Counter()
    mass = 0
    for line, block in pairs:
        if block is not None:
            mass += len(line)
            weights.update(dict.fromkeys(block.node.iterancestors(), len(line)))
    if mass < 200 or mass < _ALIGNED * sum(map(len, lines)):
        return None
    wide = [
        element for element, weight in weights.items() if weight >= _CONTAINS * mass
    ]
    container = max(wide, key=lambda element: sum(1 for _ in element.iterancestors()))
    return _AlignedText(
        page=page,
        pairs=pairs,
        container=container,
        shared={container, *container.iterancestors()},
        around=weights.keys() - set(container.iterancestors()),
        mass=mass,
        letters=blocks.bare_letters("".join(lines)),
    )


def _find_foreign(text: _AlignedText) -> dict[int, str]:
    """Blocks of the text that are not the article's, with the rule that says so."""
    lists: dict[html.HtmlElement | None, bool] = {}
    gone: dict[int, str] = {}
    for line, block in text.found:
        if kind := _aside(text, block):
            gone[block.index] = kind
        elif _only_a_link(line, block):
            gone[block.index] = "link-only paragraph"
        elif block.tag == "li" and _list_of_links(text, block, lists):
            gone[block.index] = "list of links"
    linked = [index for index, rule in gone.items() if rule == "link-only paragraph"]
    if len(linked) > max(1, _MOST_LINKS * len(text.pairs)):
        gone = {
            index: rule for index, rule in gone.items() if rule != "link-only paragraph"
        }
    gone |= dict.fromkeys(_find_after_body(text, gone), "after the body")
    cut = sum(len(line) for line, block in text.found if block.index in gone)
    return {} if cut > _MOST_CUT * text.mass else gone


def _find_after_body(text: _AlignedText, gone: Mapping[int, str]) -> list[int]:
    """Blocks below the last paragraph of the body, in other places than it.

    Offers, credits, lists of further stories.

    Not where they begin with a whole paragraph, or make up more than a fifth: then they
    are a part of the body. On the news pages of the labelled sets 21 of 23 such ends
    are no part of the article.
    """
    kinds = _body_kinds(text, gone)
    places = {kind[1:] for kind in kinds}
    left = [(line, block) for line, block in text.found if block.index not in gone]
    own = [
        n
        for n, (_, block) in enumerate(left)
        if _paragraph_kind(block) in kinds or _place(_list_root(block)) in places
    ]
    if not own:
        return []
    parents = {
        block.node.getparent()
        for _, block in left[: own[-1] + 1]
        if _paragraph_kind(block) in kinds
    }
    end = [
        pair
        for pair in left[own[-1] + 1 :]
        if parents.isdisjoint(pair[1].node.iterancestors())
    ]
    if not end or sum(len(line) for line, _ in end) > _MOST_AFTER * text.mass:
        return []
    line, first = end[0]
    if (
        first.tag == "p"
        and len(line) >= _SENTENCE_CHARS
        and line.rstrip().endswith(_SENTENCE_END)
    ):
        return []
    return [block.index for _, block in end]


def _aside(text: _AlignedText, block: Block) -> str:
    """The kind of section between a block and the body's container, by tag and class.

    Empty for none.

    A heading's own class and id say nothing: tables of contents mark the headings that
    they list.
    """
    node = block.node.getparent() if block.tag in _HEADINGS else block.node
    return "" if node is None else _kind(text, node)


def _kind(text: _AlignedText, node: html.HtmlElement) -> str:
    if node in text.shared:
        return ""
    if node not in text.aside:
        parent = node.getparent()
        own = (
            "aside"
            if node.tag in _ASIDES
            else _section(f"{node.get('class') or ''} {node.get('id') or ''}"[:300])
        )
        text.aside[node] = own or ("" if parent is None else _kind(text, parent))
    return text.aside[node]


def _only_a_link(line: str, block: Block) -> bool:
    """A paragraph that is one link and no sentence points to another story."""
    return (
        block.tag in {"p", "div"}
        and len(block.text) < 200
        and len(block.text.split()) > 2
        and "://" not in block.text
        and not line.rstrip().endswith(_SENTENCE_END)
        and block.link_share > 0.9
    )


def _list_of_links(
    text: _AlignedText, block: Block, known: dict[html.HtmlElement | None, bool]
) -> bool:
    parent = block.node.getparent()
    if parent not in known:
        items = [other for _, other in text.found if other.node.getparent() is parent]
        known[parent] = all(item.link_share > 0.85 for item in items)
    return known[parent]


def _find_lost(
    text: _AlignedText, gone: Mapping[int, str], descriptions: Collection[str]
) -> list[tuple[str, Block]]:
    """Blocks of the page that the text lacks, each with the reason why it belongs there."""
    taken = text.taken
    kinds = _body_kinds(text, gone)
    paragraphs = list(_paragraphs(text, kinds, taken))
    if len(paragraphs) == 1 and not min(taken) < paragraphs[0].index < max(taken):
        paragraphs = []
    places = {kind[1:] for kind in kinds}
    headings = _headings(text, places, taken)
    items = _items(text, places, taken)
    standfirst = _standfirst(text, descriptions, taken)
    return [
        *(("paragraphs", block) for block in paragraphs),
        *(("headings", block) for block in headings),
        *(("list items", block) for block in items),
        *(("standfirst", block) for block in standfirst),
    ]


_Place = tuple[str, str, str]
_ParagraphKind = tuple[str, str, str, str]


def _paragraph_kind(block: Block) -> _ParagraphKind:
    """What makes two blocks of one kind: their own tag and their place."""
    return (block.tag, *_place(block.node))


def _place(node: html.HtmlElement | None) -> _Place:
    """The parent's tag and class, and the grandparent's where the parent has none."""
    parent = None if node is None else node.getparent()
    if parent is None:
        return ("", "", "")
    own = parent.get("class")
    above = parent.getparent() if own is None else None
    return (
        str(parent.tag),
        own or "",
        (above.get("class") or "") if above is not None else "",
    )


def _body_kinds(text: _AlignedText, gone: Mapping[int, str]) -> set[_ParagraphKind]:
    """The kinds of paragraph that make up the body."""
    weights: Counter[_ParagraphKind] = Counter()
    for line, block in text.found:
        if block.index not in gone and len(line) > 60:
            weights[_paragraph_kind(block)] += len(line)
    return {
        kind for kind, weight in weights.items() if weight >= _BODY_SHARE * text.mass
    }


def _paragraphs(
    text: _AlignedText, kinds: set[_ParagraphKind], taken: set[int]
) -> Iterator[Block]:
    """Paragraphs of the body's own kind that are missing.

    Trafilatura reads only the first of several containers.
    """
    first, last = min(taken), max(taken)
    for block in text.page[max(0, first - 3) :]:
        if block.tag == "h1" and block.index > last:
            return  # the next article of an endless page
        if (
            block.tag == "p"
            and block.index not in taken
            and len(block.text) >= 40
            and not text.has(block)
            and _paragraph_kind(block) in kinds
            and not _aside(text, block)
            and block.link_share < 0.5
            and next(block.node.iter("script", "style"), None) is None
        ):
            yield block


def _headings(
    text: _AlignedText, parents: set[tuple[str, str, str]], taken: set[int]
) -> Iterator[Block]:
    """Headings between two paragraphs of the body."""
    for block in text.page[min(taken) : max(taken)]:
        if (
            block.tag in _HEADINGS
            and block.index not in taken
            and not text.has(block)
            and (
                _paragraph_kind(block)[1:] in parents
                or block.node.getparent() in text.around
            )
            and not _aside(text, block)
            and block.link_share < 0.5
        ):
            yield block


def _items(text: _AlignedText, places: set[_Place], taken: set[int]) -> Iterator[Block]:
    """Items of lists between two paragraphs of the body."""
    for block in text.page[min(taken) : max(taken)]:
        if (
            block.index not in taken
            and (root := _list_root(block)) is not None
            and not text.has(block)
            and _place(root) in places
            and not _aside(text, block)
            and block.link_share < 0.5
        ):
            yield block


_LISTS = frozenset({"ul", "ol", "dl", "blockquote", "pre"})


def _list_root(block: Block) -> html.HtmlElement | None:
    """The outermost list or quotation that a block stands in."""
    around = (block.node, *block.node.iterancestors())
    return next((node for node in reversed(around) if node.tag in _LISTS), None)


def _standfirst(
    text: _AlignedText, descriptions: Collection[str], taken: set[int]
) -> Iterator[Block]:
    """The paragraph above the body that the page gives as its description."""
    wanted = {
        short
        for said in descriptions
        if len(said) > 50 and len(short := blocks.line_key(said)) >= 30
    }
    for block in text.page[: min(taken) + 1]:
        if (
            block.key in wanted
            and block.index not in taken
            and block.tag not in {"h1", "figcaption"}
            and len(block.text) < _MAX_STANDFIRST_CHARS
            and not text.has(block)
        ):
            yield block
            return


def _merge(
    text: _AlignedText, gone: Mapping[int, str], back: list[Block]
) -> Iterator[str]:
    """The lines that stay, with those that come back in their places."""
    waiting = sorted(back, key=lambda block: block.index)
    for line, block in text.pairs:
        if block is not None:
            while waiting and waiting[0].index < block.index:
                yield waiting.pop(0).text
        if block is None or block.index not in gone:
            yield line
    yield from (block.text for block in waiting)


def _section(names: str) -> str:
    """The kind of section that a class or id names as a whole word, empty where it names none."""
    match = _sections()[0].search(names) if names.strip() else None
    return _sections()[1][match.group(1).lower()] if match else ""


@cache
def _sections() -> tuple[re.Pattern[str], dict[str, str]]:
    rows = csv.DictReader(
        files("crawler").joinpath("data/page_parts.csv").read_text("utf-8").splitlines()
    )
    kinds = {row["word"]: row["kind"] for row in rows}
    words = "|".join(sorted(map(re.escape, kinds), key=len, reverse=True))
    return re.compile(rf"(?:^|[\s_-])({words})(?=$|[\s_-])", re.IGNORECASE), kinds
