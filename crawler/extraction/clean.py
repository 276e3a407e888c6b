"""Text in, text out: the boilerplate that a template or a reposting blog left goes. Pure.

The rules are data (`data/boilerplate.csv`); what one host repeats is learned elsewhere
and passed in. Every cut is kept with the rule that made it. A text is never emptied: if
every line would go, none goes.

A new phrase is a row of the table. A new kind of rule is a step of `clean`.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

from crawler import data_files
from crawler.extraction import calendars
from storage.folding import fold, printable
from storage.model import Cut

# Longer lines are never boilerplate by themselves: authors' notes and newsletter offers
# end here.
_MAX_LINE_CHARS = 400
# The boilerplate of a host is learned from short lines. Background paragraphs of wire
# stories recur word for word in many distinct articles ("The Taliban returned to power
# in August 2021 ...") and are longer than this: of those only what speaks to the reader
# or of the article itself is learned ("This story was published from a feed ...").
_MAX_SHORT_LINE_CHARS = 100
# That stand twice in a row: shorter lines may be a refrain, longer ones are paragraphs.
_MIN_CAPTION_CHARS, _MAX_CAPTION_CHARS = 40, 200
# The rule of a line that was left out because its host repeats it.
LEARNED = "learned from the host"
_START_LINES = 12  # of breadcrumbs, names and dates above a text
_END_LINES = 20
_HEADLINE_LINES = 6  # kicker and date may stand above the repeated headline
_MAX_HEADLINE_CHARS = 500  # that are compared
_TAIL_LINES = 4  # from the end, in which a phrase glued to a sentence is looked for
_MAX_TAIL_WORDS = 60
_MAX_TAIL_CHARS = 800
_MAX_DATE_LINE_CHARS = 80
_MAX_DATE_LINE_NUMBERS = 8

_SENTENCE_END = tuple(".!?…:;\"'”’»)]>؟۔।。|-–—")
# A reposting blog's form text needs no sentence before it: nobody ends a paragraph so.
_GLUED_ANYWHERE = ("comment form", "syndication")
_TOKEN = re.compile(r"[^\W\d_]+(?:[.'-][^\W\d_]+)*|\d[\w:.,/-]*")
_EDGES = re.compile(r"^\W+|\W+$")
_NO_WORD = re.compile(r"\W+")

# [caption id="x"]Words.[/caption], [vc_row], [/row], [gallery ids="1,2"], [row]. A name
# with an underscore is one of software; another needs attributes or its closing twin.
_CODE_NAME = "[a-z][a-z0-9-]{0,40}"
_SHORTCODE = re.compile(
    rf"\[caption\b[^\[\]]{{0,500}}\][^\[\]]{{0,500}}\[/caption\]"
    rf"|\[/?{_CODE_NAME}_[a-z0-9_-]{{1,60}}(?:\s[^\[\]]{{0,500}})?\]"
    rf"|\[{_CODE_NAME}(?:\s+[a-z_-]{{1,40}}=[^\[\]]{{1,500}})\]"
    rf"|\[/{_CODE_NAME}\]"
    rf"|(?P<bare>\[{_CODE_NAME}\])"
)
_CLOSING_CODE = re.compile(rf"\[/({_CODE_NAME})\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A text without its boilerplate, and what was taken out in the order of the text."""

    text: str
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrases:
    """The phrases of one place: exact ones looked up, those with a wildcard matched."""

    exact: dict[str, str]  # phrase -> name of its rule
    patterns: re.Pattern[str]
    pattern_rules: tuple[str, ...]  # of each group of the pattern

    def find_rule(self, line: str) -> str | None:
        """The name of the rule whose phrase the comparable line is."""
        rule = self.exact.get(line)
        if rule is not None:
            return rule
        match = self.patterns.fullmatch(line)
        if match and match.lastindex:
            return self.pattern_rules[match.lastindex - 1]
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The table of boilerplate by the place where a phrase counts."""

    line: _Phrases  # anywhere
    start: _Phrases  # peeled from the start
    end: _Phrases  # peeled from the end
    tail: _Phrases  # glued to the end of a line
    date: frozenset[str]  # words that stand beside a date
    reader: re.Pattern[str]  # words of a line that speaks to the reader


# The rule that takes each line, by the line's number.
_RuleByLine = dict[int, str]


def clean(
    text: str,
    *,
    title: str | None = None,
    site: str | None = None,
    boilerplate: frozenset[int] = frozenset(),
    headlines: Collection[str] = (),
    labels: Collection[str] = (),
) -> Cleaned:
    """Take boilerplate, glued tails and the repeated headline out of a text.

    The text has one line a paragraph. `boilerplate` holds the `line_hash`es that were
    learned from the host; `site` is its name, as headlines carry it; `headlines` are
    further forms of the title; `labels` are names that stand alone above or below a
    text: authors, section, address.
    """
    text, shortcodes = _remove_shortcodes(printable(text))
    lines = [" ".join(raw.split()) for raw in text.splitlines()]
    lines = [line for line in lines if line]
    comparable = [
        _comparable(line) if len(line) <= _MAX_LINE_CHARS else None for line in lines
    ]

    # 1. The headline, repeated as one of the first lines, with or without the site.
    titles = (title or "", f"{title or ''} {site or ''}", *headlines)
    title_letters = {_letters(one) for one in titles} - {""}
    rules: _RuleByLine = {}
    for number, line in enumerate(lines[:_HEADLINE_LINES]):
        if _letters(line) in title_letters:
            rules[number] = "headline"

    # 2. A caption that a gallery gives twice: nobody writes a line twice in a row, but
    # items of a list may be equal.
    for number in range(1, len(lines)):
        is_caption = _MIN_CAPTION_CHARS <= len(lines[number]) <= _MAX_CAPTION_CHARS
        is_caption = is_caption and not lines[number].startswith(("- ", "• "))
        if is_caption and lines[number] == lines[number - 1] and number not in rules:
            rules[number] = "repeated"

    # 3. Lines that are boilerplate wherever they stand.
    for number, folded in enumerate(comparable):
        if folded is None or number in rules:
            continue
        line = lines[number]
        rule = _table().line.find_rule(folded) if folded else "no words"
        if rule is not None:
            rules[number] = rule
        elif boilerplate and _may_be_learned(line) and line_hash(line) in boilerplate:
            rules[number] = LEARNED

    # 4. Lines that are boilerplate at the start and the end of a text.
    label_set = {_comparable(name) for name in (site or "", *labels)} - {""}
    numbers = range(len(lines))
    for order, place in (
        (numbers[:_START_LINES], _table().start),
        (numbers[::-1][:_END_LINES], _table().end),
    ):
        rules |= _peel(comparable, order, rules, place, label_set)
    if len(rules) == len(lines):
        rules = {}
    kept = [line for number, line in enumerate(lines) if number not in rules]
    cuts = [*shortcodes, *(Cut(rule=rules[n], text=lines[n]) for n in sorted(rules))]

    # 5. Phrases that a blog glued to the end of a paragraph, as long as there is one.
    for number in range(max(0, len(kept) - _TAIL_LINES), len(kept)):
        while tail := _find_tail(kept[number]):
            cuts.append(tail)
            kept[number] = kept[number][: -len(tail.text)].rstrip()
    kept = [line for line in kept if line]
    if not kept:
        return Cleaned(text="\n".join(lines))
    return Cleaned(text="\n".join(kept), cuts=tuple(cuts))


def _remove_shortcodes(text: str) -> tuple[str, list[Cut]]:
    """A text without what blog software writes in square brackets for other parts.

    Captions go with their words. Square brackets of a writer stay ("[sic]", "[Video]").
    """
    if "[" not in text:
        return text, []
    closed = {f"[{name}]" for name in _CLOSING_CODE.findall(text)}
    cuts: list[Cut] = []

    def cut(match: re.Match[str]) -> str:
        code = match.group()
        if match.lastgroup == "bare" and code not in closed:
            return code
        cuts.append(Cut(rule="shortcode", text=code[:500]))
        # "[dropcap]B[/dropcap]y" is one word.
        beside = match.string[match.start() - 1 : match.start()] or " "
        beside += match.string[match.end() : match.end() + 1]
        return "" if beside.isalpha() else " "

    rest = _SHORTCODE.sub(cut, text)
    # A post that is nothing but a gallery keeps its line, as every text does.
    if not rest.strip():
        return text, []
    return rest, cuts


def is_credit_to_source(line: str) -> bool:
    """Whether a line credits a link to the original, as "Source link" does.

    Reposting blogs write such lines over or under their links.
    """
    if len(line) > _MAX_LINE_CHARS:
        return False
    rule = _table().line.find_rule(_comparable(line)) or ""
    return rule.startswith("syndication")


def line_hash(line: str) -> int:
    """Signed 64 bits of a line as it is compared: folded, without marks at its edges."""
    digest = blake2b(_comparable(line).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def line_hashes(text: str) -> tuple[int, ...]:
    """Hashes of the lines from which the boilerplate of a host is learned.

    Short lines, and longer ones up to 400 characters that speak to the reader. Each
    hash stands there once, in the order of the text.
    """
    found: dict[int, None] = {}
    for line in text.splitlines():
        if _may_be_learned(line) and _comparable(line):
            found[line_hash(line)] = None
    return tuple(found)


def _may_be_learned(line: str) -> bool:
    """Whether a line that a host repeats in distinct articles may be boilerplate."""
    chars = len(line.strip())
    if chars <= _MAX_SHORT_LINE_CHARS:
        return chars > 0
    if chars > _MAX_LINE_CHARS:
        return False
    return _table().reader.search(fold(line)) is not None


def _comparable(line: str) -> str:
    return _EDGES.sub("", fold(line))


def _letters(line: str) -> str:
    return _NO_WORD.sub("", fold(line[:_MAX_HEADLINE_CHARS]))


def _peel(
    comparable: Sequence[str | None],
    order: Iterable[int],
    known: _RuleByLine,
    place: _Phrases,
    labels: Collection[str],
) -> _RuleByLine:
    """Lines taken one after another from an edge, until one stays.

    Over those that are gone already (`known`). A line too long to be boilerplate stays.
    """
    peeled: _RuleByLine = {}
    for number in order:
        if number in known:
            continue
        line = comparable[number]
        rule = _edge_rule(line, place, labels) if line else None
        if rule is None:
            break
        peeled[number] = rule
    return peeled


def _edge_rule(line: str, place: _Phrases, labels: Collection[str]) -> str | None:
    """The rule by which a line goes when it stands at the edge of a text."""
    if line in labels or (len(line) < 100 and line.removeprefix("by ") in labels):
        return "label"
    for name in labels:
        if " " in name and line.startswith(f"{name} is "):
            return "about the author"
    rule = place.find_rule(line)
    if rule is None and _is_date(line):
        return "dateline"
    return rule


def _is_date(line: str) -> bool:
    """Whether a line is nothing but a date and words such as "updated"."""
    if len(line) > _MAX_DATE_LINE_CHARS:
        return False
    words = _TOKEN.findall(line)
    names = [word for word in words if not word[0].isdigit()]
    numbers = len(words) - len(names)
    if not 1 <= numbers <= _MAX_DATE_LINE_NUMBERS or len(words) < 2:
        return False
    known, months = _table().date, calendars.months_by_name()
    return all(name in known or name in months for name in names)


def _find_tail(line: str) -> Cut | None:
    """The boilerplate phrase that ends a line.

    It follows a sentence's end, or begins with a capital where it needs no such end.
    """
    words = line[-_MAX_TAIL_CHARS:].split(" ")
    for size in range(1, min(_MAX_TAIL_WORDS, len(words) - 1) + 1):
        first = words[-size]
        if first[:1].islower() or not _EDGES.sub("", first):
            continue
        phrase = " ".join(words[-size:])
        rule = _table().tail.find_rule(_comparable(phrase))
        if rule is None:
            continue
        before = words[-size - 1]
        if before.endswith(_SENTENCE_END) or rule.startswith(_GLUED_ANYWHERE):
            return Cut(rule=rule, text=phrase)
    return None


@cache
def _table() -> _Table:
    phrases: dict[str, list[dict[str, str]]] = {}
    for row in data_files.read_csv("boilerplate.csv"):
        for place in row["place"].split():
            phrases.setdefault(place, []).append(row)
    date_words: set[str] = set()
    for row in phrases["date"]:
        date_words.update(fold(row["phrase"]).split())
    reader_words = [re.escape(fold(row["phrase"])) for row in phrases["reader"]]
    return _Table(
        line=_compile(phrases["line"]),
        start=_compile(phrases["start"]),
        end=_compile(phrases["end"]),
        tail=_compile(phrases["tail"]),
        date=frozenset(date_words),
        reader=re.compile(rf"\b(?:{'|'.join(reader_words)})\b"),
    )


def _compile(rows: Iterable[dict[str, str]]) -> _Phrases:
    """The phrases of one place, ready to be looked up.

    `*` stands for up to 90 characters, `**` for up to 300, `#` for a number.
    """
    exact: dict[str, str] = {}
    patterns: list[str] = []
    pattern_rules: list[str] = []
    for row in rows:
        phrase = fold(row["phrase"])
        if "*" not in phrase and "#" not in phrase:
            exact[_EDGES.sub("", phrase)] = row["rule"]
            continue
        pattern = re.escape(phrase)
        pattern = pattern.replace(r"\*\*", ".{0,300}").replace(r"\*", ".{0,90}")
        pattern = pattern.replace(r"\#", r"\d[\d.,]{0,8}[km]?")
        patterns.append(f"({pattern})")
        pattern_rules.append(row["rule"])
    return _Phrases(
        exact=exact,
        # No pattern at all matches nothing, not the empty line.
        patterns=re.compile("|".join(patterns) or "(?!)"),
        pattern_rules=tuple(pattern_rules),
    )
