"""Text in, text out.

The lines that a page's template or a reposting blog left in an article are taken out.

The rules are data (`data/furniture.csv`); what one host repeats is learned elsewhere
and passed in. Pure. Every cut is kept with the rule that made it. A text is never
emptied: if every line would go, none goes.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from importlib.resources import files

from crawler.extraction import calendars
from storage.folding import fold, printable
from storage.model import Cut

# Longer lines are never furniture by themselves: authors' notes and newsletter offers
# end here.
_MAX_LINE_CHARS = 400
# A host is taught by short lines only. Background paragraphs of wire stories recur word
# for word in many distinct articles ("The Taliban returned to power in August 2021
# ...") and are longer than this.
_MAX_LEARNABLE_CHARS = 100
_START_LINES = 12  # lines of breadcrumbs, names and dates above a text
_END_LINES = 20
_HEADLINE_LINES = 6  # lines: kicker and date may stand above the repeated headline
# Lines from the end in which a phrase glued to a sentence is looked for
_TAIL_LINES = 4
_MAX_TAIL_WORDS = 60
_SENTENCE_END = tuple(".!?…:;\"'”’»)]>؟۔।。|-–—")
_TOKEN = re.compile(r"[^\W\d_]+(?:[.'-][^\W\d_]+)*|\d[\w:.,/-]*")
_EDGES = re.compile(r"^\W+|\W+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A text without its furniture, and what was taken out in the order of the text."""

    text: str
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Phrases:
    """The phrases of one place: exact ones looked up, those with a wildcard matched."""

    exact: dict[str, str]
    loose: re.Pattern[str]
    names: tuple[str, ...]

    def __call__(self, line: str) -> str | None:
        """The name of the rule whose phrase the folded line is."""
        if (rule := self.exact.get(line)) is not None:
            return rule
        match = self.loose.fullmatch(line)
        return self.names[match.lastindex - 1] if match and match.lastindex else None


def clean(
    text: str,
    *,
    title: str | None = None,
    site: str | None = None,
    furniture: frozenset[int] = frozenset(),
    headlines: Collection[str] = (),
    labels: Collection[str] = (),
) -> Cleaned:
    """Take furniture, glued tails and the repeated headline out of a text of one line a paragraph.

    `furniture` holds the `line_hash`es that the host has taught; `site` is its name, as headlines carry it;
    `headlines` are further forms of the title; `labels` are names that stand alone above or below a text: authors,
    section, address.
    """
    whole = [
        line for raw in printable(text).splitlines() if (line := " ".join(raw.split()))
    ]
    titles = (title or "", f"{title or ''} {site or ''}", *headlines)
    heads = _find_headline(whole, titles)
    kept, cuts = _remove(
        whole,
        _find_boilerplate(
            whole,
            furniture,
            {_comparable(name) for name in (site or "", *labels)},
            heads,
        ),
    )
    kept, tails = _cut_tails(kept)
    if not kept:
        return Cleaned(text="\n".join(whole))
    return Cleaned(text="\n".join(kept), cuts=(*cuts, *tails))


def is_credit_to_source(line: str) -> bool:
    """Whether a line is what a reposting blog writes over or under its link to the original: "Source link"."""
    return len(line) <= _MAX_LINE_CHARS and (
        _rules().line(_comparable(line)) or ""
    ).startswith("syndication")


def line_hash(line: str) -> int:
    """Signed 64 bits of a line as it is compared.

    Folded, without marks at its edges.
    """
    return int.from_bytes(
        blake2b(_comparable(line).encode(), digest_size=8).digest(), signed=True
    )


def line_hashes(text: str) -> tuple[int, ...]:
    """Hashes of the lines that a host may be taught by.

    Short ones, each once, in the order of the text.
    """
    short = (
        line
        for line in text.splitlines()
        if 0 < len(line.strip()) <= _MAX_LEARNABLE_CHARS
    )
    return tuple(dict.fromkeys(line_hash(line) for line in short if _comparable(line)))


def _comparable(line: str) -> str:
    return _EDGES.sub("", fold(line))


# Each rule in force, by the index of the line it takes.
RuleByLine = dict[int, str]


def _find_boilerplate(
    whole: list[str], furniture: frozenset[int], labels: set[str], heads: RuleByLine
) -> RuleByLine:
    """Which lines are furniture: anywhere, then peeled off the start and the end."""
    table = _rules()
    plain = [
        _comparable(line) if len(line) <= _MAX_LINE_CHARS else None for line in whole
    ]
    out = dict(heads)
    for number, line in enumerate(plain):
        if line is None or number in out:
            continue
        if rule := "no words" if not line else table.line(line):
            out[number] = rule
        elif (
            furniture
            and len(whole[number]) <= _MAX_LEARNABLE_CHARS
            and line_hash(whole[number]) in furniture
        ):
            out[number] = "learned from the host"
    label = labels - {""}
    start, end = (
        partial(_edge_rule, place=place, labels=label)
        for place in (table.start, table.end)
    )
    out |= _peel(plain, range(min(len(plain), _START_LINES)), out, start)
    return out | _peel(
        plain, range(len(plain) - 1, max(-1, len(plain) - 1 - _END_LINES), -1), out, end
    )


def _edge_rule(line: str, *, place: _Phrases, labels: set[str]) -> str | None:
    """The rule by which a line goes when it stands at the edge of a text."""
    if line in labels or (len(line) < 100 and line.removeprefix("by ") in labels):
        return "label"
    if any(line.startswith(f"{name} is ") for name in labels if name.count(" ")):
        return "about the author"
    return place(line) or ("dateline" if _is_date(line) else None)


def _is_date(line: str) -> bool:
    """Whether a line is nothing but a date and words such as "updated"."""
    words = _TOKEN.findall(line) if len(line) <= 80 else []
    known = _rules().date
    numbers = [word for word in words if word[0].isdigit()]
    return (
        1 <= len(numbers) <= 8
        and len(words) >= 2
        and all(
            word[0].isdigit() or word in known or word in calendars.months_by_name()
            for word in words
        )
    )


def _peel(
    plain: list[str | None],
    order: Iterable[int],
    gone: RuleByLine,
    rule_for: Callable[[str], str | None],
) -> RuleByLine:
    """Lines taken one after another from an edge, over those that are gone already, until one stays."""
    out: RuleByLine = {}
    for number in order:
        if number in gone:
            continue
        line = plain[number]
        rule = rule_for(line) if line else None
        if rule is None:
            break
        out[number] = rule
    return out


def _remove(whole: list[str], judged: RuleByLine) -> tuple[list[str], tuple[Cut, ...]]:
    """The lines that stay and those that go; all stay where none would."""
    if len(judged) == len(whole):
        return whole, ()
    kept = [line for number, line in enumerate(whole) if number not in judged]
    return kept, tuple(
        Cut(rule=judged[number], text=whole[number]) for number in sorted(judged)
    )


def _find_headline(whole: list[str], titles: Iterable[str]) -> RuleByLine:
    """The headline, repeated as one of the first lines, with or without the site's name after it."""
    bare = {_bare_letters(title) for title in titles} - {""}
    top = enumerate(whole[:_HEADLINE_LINES])
    return {number: "headline" for number, line in top if _bare_letters(line) in bare}


def _bare_letters(line: str) -> str:
    return re.sub(r"\W+", "", fold(line[:500]))


def _cut_tails(whole: list[str]) -> tuple[list[str], tuple[Cut, ...]]:
    """Cut phrases that a blog glued to the end of a paragraph, as long as there is one."""
    kept, cuts = list(whole), []
    for number in range(max(0, len(kept) - _TAIL_LINES), len(kept)):
        while cut := _find_tail(kept[number]):
            cuts.append(cut)
            kept[number] = kept[number][: -len(cut.text)].rstrip()
    return [line for line in kept if line], tuple(cuts)


def _find_tail(line: str) -> Cut | None:
    """The furniture phrase that ends a line after a sentence's end, or begins there with a capital."""
    table = _rules()
    words = line[-800:].split(" ")
    for size in range(1, min(_MAX_TAIL_WORDS, len(words) - 1) + 1):
        start = words[-size]
        if start[:1].islower() or not _EDGES.sub("", start):
            continue
        before = words[-size - 1]
        rule = table.tail(_comparable(" ".join(words[-size:])))
        if rule and (
            before.endswith(_SENTENCE_END) or rule.startswith(_GLUED_ANYWHERE)
        ):
            return Cut(rule=rule, text=" ".join(words[-size:]))
    return None


# A reposting blog's form text needs no sentence before it: nobody ends a paragraph so.
_GLUED_ANYWHERE = ("comment form", "syndication")


_PLACES = ("line", "start", "end", "tail")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """The furniture table by place.

    `line` anywhere, `start` and `end` peeled from an edge, `tail` glued to a line.
    """

    line: _Phrases
    start: _Phrases
    end: _Phrases
    tail: _Phrases
    date: frozenset[str]


@cache
def _rules() -> _Rules:
    rows = list(_rows())
    by_place = {
        place: _phrases(row for row in rows if place in row["place"].split())
        for place in _PLACES
    }
    words = (fold(row["phrase"]).split() for row in rows if row["place"] == "date")
    return _Rules(**by_place, date=frozenset(word for line in words for word in line))


def _rows() -> Iterator[dict[str, str]]:
    yield from csv.DictReader(
        files("crawler").joinpath("data/furniture.csv").read_text("utf-8").splitlines()
    )


def _phrases(rows: Iterable[dict[str, str]]) -> _Phrases:
    """Compile the phrases of one place.

    `*` stands for up to 90 characters, `**` for up to 300, `#` for a number.
    """
    exact: dict[str, str] = {}
    loose: list[str] = []
    names: list[str] = []
    for row in rows:
        phrase = fold(row["phrase"])
        if "*" not in phrase and "#" not in phrase:
            exact[_EDGES.sub("", phrase)] = row["rule"]
            continue
        pattern = (
            re.escape(phrase)
            .replace(r"\*\*", ".{0,300}")
            .replace(r"\*", ".{0,90}")
            .replace(r"\#", r"\d[\d.,]{0,8}[km]?")
        )
        loose.append(f"({pattern})")
        names.append(row["rule"])
    return _Phrases(exact, re.compile("|".join(loose) or "(?!)"), tuple(names))
