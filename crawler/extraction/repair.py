"""Hold an extracted text against its page: take out what is foreign, put back what is lost.

Most errors of an extraction have few causes, and the page's own structure shows them: a
promotion inside the body stands in a container of its own; a body that is split over
several containers repeats their class; the standfirst is the paragraph that the page
itself gives as its description. One walk over the page finds all of them, for a tenth
of what a second extractor costs. Pure.

To find a cause, begin at `repair_text`: `_find_foreign` and `_find_lost` list the rules.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from lxml import html

from crawler.extraction import blocks, page_parts
from crawler.extraction.blocks import Block
from storage.model import Cut

# The share of a text that must be found on its page, or it is left alone.
_MIN_ALIGNED_SHARE = 0.5
_MIN_ALIGNED_CHARS = 200
# The share of a text that makes an element the container of the body ...
_CONTAINER_SHARE = 0.7
# ... and a kind of paragraph the body's own.
_BODY_KIND_SHARE = 0.25
_BODY_LINE_CHARS = 60  # a longer line counts for its kind; shorter ones are captions
# Cutting more of a text than this, what was cut was no promotion.
_MAX_CUT_SHARE = 0.35
# A text with more link-only paragraphs than this share of its lines lives by them.
_MAX_LINK_LINES_SHARE = 0.2
# An end that makes up more of the text is a part of the body.
_MAX_AFTER_SHARE = 0.2
_MIN_SENTENCE_CHARS = 60  # of a paragraph that says something
_MIN_WRITTEN_CHARS = 60  # of a line that is compared with what stood before
# Paragraphs that nobody writes twice in a row; an interviewer repeats one.
_MIN_REPEATED_PARAGRAPHS = 3
_MIN_STANDFIRST_CHARS, _MAX_STANDFIRST_CHARS = 50, 800
_SENTENCE_END = (".", "?", "!", "”", '"', ":", "؟", "۔")
_ASIDE_TAGS = frozenset(
    {
        "aside", "nav", "footer", "form", "figure", "figcaption", "button", "noscript",
        "dialog",
    }
)  # fmt: skip
_HEADINGS = frozenset({"h2", "h3", "h4", "h5", "h6"})
_LISTS = frozenset({"ul", "ol", "dl", "blockquote", "pre"})

_LINK_ONLY = "link-only paragraph"

# Where an element stands: the tag and class of its parent, and the class of the parent
# above where the parent has none.
_Place = tuple[str, str, str]
_Kind = tuple[str, _Place]  # of a paragraph: its own tag and its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A text after repair, and what was done to it."""

    lines: tuple[str, ...]
    cuts: tuple[Cut, ...] = ()
    notes: tuple[str, ...] = ()  # what was put back, in words for `extracted_how`


@dataclass(slots=True, kw_only=True)
class _AlignedText:
    """A text held against its page."""

    page: Sequence[Block]
    pairs: list[tuple[str, Block | None]]  # each line, and the block it came from
    found: list[tuple[str, Block]]  # the pairs that have a block
    taken: set[int]  # the index of each of those blocks
    container: html.HtmlElement
    # The container and everything around it.
    shared: Collection[html.HtmlElement]
    # What holds a paragraph of the text within the container.
    around: Collection[html.HtmlElement]
    chars: int  # of the lines that have a block
    letters: str  # of the whole text, as keys are made
    # Known kinds of elements, see `kind_of`.
    kinds: dict[html.HtmlElement, str] = field(default_factory=dict)

    def kind_of(self, block: Block) -> str:
        """The kind of part between a block and the body's container, "" for none."""
        # A heading's own class and id say nothing: tables of contents mark the headings
        # that they list.
        node = block.node
        if block.tag in _HEADINGS:
            node = node.getparent()
        asked = []
        kind = ""
        while node is not None and node not in self.shared:
            if node in self.kinds:
                kind = self.kinds[node]
                break
            asked.append(node)
            if node.tag in _ASIDE_TAGS:
                kind = "aside"
            else:
                names = f"{node.get('class') or ''} {node.get('id') or ''}"
                kind = page_parts.part_kind(names[:300])
            if kind:
                break
            node = node.getparent()
        self.kinds.update(dict.fromkeys(asked, kind))
        return kind

    def may_come_back(self, block: Block) -> bool:
        """Whether a block is missing in the text, and neither aside nor mostly links."""
        return (
            block.index not in self.taken
            and block.key not in self.letters
            and not self.kind_of(block)
            and block.link_share < 0.5
        )


def repair_text(
    lines: Sequence[str], page: Sequence[Block], descriptions: Collection[str]
) -> Repaired:
    """The lines without promotions and lists of links, with what was lost put back.

    What comes back are paragraphs, headings, list items and the standfirst.
    `descriptions` are what the page's head says that it is about. A text that cannot be
    found on its page, such as one from JSON-LD, comes back as it is.
    """
    lines, repeated = _remove_repetition(lines, page)
    text = _align(lines, page)
    if text is None:
        return Repaired(lines=tuple(lines), cuts=repeated)
    rules = _find_foreign(text)
    lost = _find_lost(text, rules)
    lost += [("standfirst", block) for block in _find_standfirst(text, descriptions)]

    # Each lost block comes before the first line whose block stands behind it.
    waiting = sorted((block for _, block in lost), key=lambda block: block.index)
    merged: list[str] = []
    for line, block in text.pairs:
        if block is None:
            merged.append(line)
            continue
        while waiting and waiting[0].index < block.index:
            merged.append(waiting.pop(0).text)
        if block.index not in rules:
            merged.append(line)
    merged += [block.text for block in waiting]

    foreign = [
        Cut(rule=rule, text=page[index].text[:500])
        for index, rule in sorted(rules.items())
    ]
    counts = Counter(note for note, _ in lost)
    return Repaired(
        lines=tuple(merged),
        cuts=(*repeated, *foreign),
        notes=tuple(f"{count} {note}" for note, count in counts.items()),
    )


def _remove_repetition(
    lines: Sequence[str], page: Sequence[Block]
) -> tuple[list[str], tuple[Cut, ...]]:
    """The lines without passages that stood already.

    Some templates carry an article once for each width of screen.
    """
    seen: set[str] = set()
    marked: list[tuple[bool, str]] = []
    for line in lines:
        letters = blocks.bare_letters(line)
        marked.append((letters in seen, line))
        seen.add(letters)

    kept: list[str] = []
    cuts: list[Cut] = []
    for is_known, run in groupby(marked, key=lambda pair: pair[0]):
        passage = [line for _, line in run]
        if is_known and _stands_twice(passage, page):
            cuts += [Cut(rule="repeated", text=line[:500]) for line in passage]
        else:
            kept += passage
    return kept, tuple(cuts)


def _stands_twice(passage: Sequence[str], page: Sequence[Block]) -> bool:
    """Whether lines are several paragraphs that the page has in two places."""
    keys = {
        blocks.line_key(line) for line in passage if len(line) >= _MIN_WRITTEN_CHARS
    }
    if len(keys) < _MIN_REPEATED_PARAGRAPHS:
        return False
    places = {
        (block.key, block.node.getparent()) for block in page if block.key in keys
    }
    return len(places) >= 2 * len(keys)


def _align(lines: Sequence[str], page: Sequence[Block]) -> _AlignedText | None:
    """The text aligned with its page, None where too little of it is there."""
    pairs = list(blocks.align_lines(lines, page))
    found = [(line, block) for line, block in pairs if block is not None]
    # How many characters of the text stand in each element.
    weights: Counter[html.HtmlElement] = Counter()
    for line, block in found:
        weights.update(dict.fromkeys(block.node.iterancestors(), len(line)))
    chars = sum(len(line) for line, _ in found)
    text_chars = sum(map(len, lines))
    if chars < _MIN_ALIGNED_CHARS or chars < _MIN_ALIGNED_SHARE * text_chars:
        return None

    # The container is the deepest element that holds most of the text.
    wide = [e for e, weight in weights.items() if weight >= _CONTAINER_SHARE * chars]
    container = max(wide, key=lambda element: sum(1 for _ in element.iterancestors()))
    above = set(container.iterancestors())
    return _AlignedText(
        page=page,
        pairs=pairs,
        found=found,
        taken={block.index for _, block in found},
        container=container,
        shared={container, *above},
        around=weights.keys() - above,
        chars=chars,
        letters=blocks.bare_letters("".join(lines)),
    )


def _find_foreign(text: _AlignedText) -> dict[int, str]:
    """The rule by which a block goes, by its index: blocks that are not the article's."""
    links_only: dict[html.HtmlElement | None, bool] = {}
    rules: dict[int, str] = {}
    for line, block in text.found:
        kind = text.kind_of(block)
        if kind:
            rules[block.index] = kind
        elif _is_only_a_link(line, block):
            rules[block.index] = _LINK_ONLY
        elif block.tag == "li":
            parent = block.node.getparent()
            if parent not in links_only:
                links_only[parent] = all(
                    other.link_share > 0.85
                    for _, other in text.found
                    if other.node.getparent() is parent
                )
            if links_only[parent]:
                rules[block.index] = "list of links"

    linked = [index for index, rule in rules.items() if rule == _LINK_ONLY]
    if len(linked) > max(1, _MAX_LINK_LINES_SHARE * len(text.pairs)):
        for index in linked:
            del rules[index]
    rules |= dict.fromkeys(_find_after_body(text, rules), "after the body")
    cut_chars = sum(len(line) for line, block in text.found if block.index in rules)
    if cut_chars > _MAX_CUT_SHARE * text.chars:
        return {}
    return rules


def _is_only_a_link(line: str, block: Block) -> bool:
    """A paragraph that is one link and no sentence points to another story."""
    return (
        block.tag in {"p", "div"}
        and len(block.text) < 200
        and len(block.text.split()) > 2
        and "://" not in block.text
        and not line.rstrip().endswith(_SENTENCE_END)
        and block.link_share > 0.9
    )


def _find_after_body(text: _AlignedText, rules: Mapping[int, str]) -> list[int]:
    """Blocks below the last paragraph of the body, in other places than the body.

    They are offers, credits, lists of further stories: on the news pages of the labelled
    sets 21 of 23 such ends are no part of the article. Not where they begin with a whole
    paragraph, or make up more than a fifth of the text: then they belong to the body.
    """
    kinds = _body_kinds(text, rules)
    places = {place for _, place in kinds}
    left = [(line, block) for line, block in text.found if block.index not in rules]
    last_own = -1
    for number, (_, block) in enumerate(left):
        root = _list_root(block)
        in_list = root is not None and _place_of(root) in places
        if in_list or _paragraph_kind(block) in kinds:
            last_own = number
    if last_own < 0:
        return []

    parents = {
        block.node.getparent()
        for _, block in left[: last_own + 1]
        if _paragraph_kind(block) in kinds
    }
    end = [
        (line, block)
        for line, block in left[last_own + 1 :]
        if parents.isdisjoint(block.node.iterancestors())
    ]
    end_chars = sum(len(line) for line, _ in end)
    if not end or end_chars > _MAX_AFTER_SHARE * text.chars:
        return []
    line, first = end[0]
    is_sentence = line.rstrip().endswith(_SENTENCE_END)
    if first.tag == "p" and len(line) >= _MIN_SENTENCE_CHARS and is_sentence:
        return []
    return [block.index for _, block in end]


def _find_lost(text: _AlignedText, rules: Mapping[int, str]) -> list[tuple[str, Block]]:
    """Blocks of the page that the text lacks, each with the reason why it belongs there.

    Paragraphs of the body's own kind (trafilatura reads only the first of several
    containers), and the headings and list items between them.
    """
    kinds = _body_kinds(text, rules)
    places = {place for _, place in kinds}
    first, last = min(text.taken), max(text.taken)
    between = text.page[first:last]

    found = [("paragraphs", block) for block in _find_paragraphs(text, kinds)]
    if len(found) == 1 and not first < found[0][1].index < last:
        # A single one outside the body is a note or an offer that looks like it.
        found = []
    for block in between:
        if block.tag not in _HEADINGS or block.index in text.taken:
            continue
        in_body = block.node.getparent() in text.around
        if (in_body or _place_of(block.node) in places) and text.may_come_back(block):
            found.append(("headings", block))
    for block in between:
        if block.index in text.taken:
            continue
        root = _list_root(block)
        if root is None or _place_of(root) not in places:
            continue
        if text.may_come_back(block):
            found.append(("list items", block))
    return found


def _find_paragraphs(text: _AlignedText, kinds: Collection[_Kind]) -> Iterator[Block]:
    """Paragraphs of the body's own kind that the text lacks."""
    first, last = min(text.taken), max(text.taken)
    for block in text.page[max(0, first - 3) :]:
        if block.tag == "h1" and block.index > last:
            return  # the next article of an endless page
        if (
            block.tag == "p"
            and len(block.text) >= 40
            and _paragraph_kind(block) in kinds
            and text.may_come_back(block)
            and next(block.node.iter("script", "style"), None) is None
        ):
            yield block


def _find_standfirst(
    text: _AlignedText, descriptions: Collection[str]
) -> Iterator[Block]:
    """The paragraph above the body that the page's description or its class tells."""
    wanted: set[str] = set()
    for description in descriptions:
        key = blocks.line_key(description)
        if len(description) > 50 and len(key) >= 30:
            wanted.add(key)
    for block in text.page[: min(text.taken) + 1]:
        if (
            block.key in wanted
            and block.index not in text.taken
            and block.tag not in {"h1", "figcaption"}
            and len(block.text) < _MAX_STANDFIRST_CHARS
            and block.key not in text.letters
        ):
            yield block
            return

    # Without a fitting description: what is called lead or summary below the headline.
    headline = -1
    for block in text.page[: min(text.taken)]:
        if block.tag == "h1":
            headline = block.index
    if headline < 0:
        return
    for block in text.page[headline + 1 : min(text.taken)]:
        if (
            _MIN_STANDFIRST_CHARS <= len(block.text) < _MAX_STANDFIRST_CHARS
            and block.tag in {"p", "div"}
            and text.may_come_back(block)
            and _is_named_standfirst(block, text)
        ):
            yield block


def _is_named_standfirst(block: Block, text: _AlignedText) -> bool:
    """Whether a block, or what it alone stands in, is named as the first paragraph."""
    node = block.node
    while node is not None and node not in text.shared:
        names = f"{node.get('class') or ''} {node.get('id') or ''}"[:300]
        if page_parts.is_standfirst(names):
            return True
        node = node.getparent()
    return False


def _body_kinds(text: _AlignedText, rules: Mapping[int, str]) -> set[_Kind]:
    """The kinds of paragraph that make up the body."""
    weights: Counter[_Kind] = Counter()
    for line, block in text.found:
        if block.index not in rules and len(line) > _BODY_LINE_CHARS:
            weights[_paragraph_kind(block)] += len(line)
    least = _BODY_KIND_SHARE * text.chars
    return {kind for kind, weight in weights.items() if weight >= least}


def _paragraph_kind(block: Block) -> _Kind:
    """What makes two blocks of one kind: their own tag and their place."""
    return block.tag, _place_of(block.node)


def _place_of(node: html.HtmlElement) -> _Place:
    parent = node.getparent()
    if parent is None:
        return ("", "", "")
    tag, own = str(parent.tag), parent.get("class")
    above = parent.getparent()
    if own is not None or above is None:
        return (tag, own or "", "")
    return (tag, "", above.get("class") or "")


def _list_root(block: Block) -> html.HtmlElement | None:
    """The outermost list or quotation that a block stands in."""
    around = (block.node, *block.node.iterancestors())
    return next((node for node in reversed(around) if node.tag in _LISTS), None)
