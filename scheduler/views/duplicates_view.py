"""How kindred texts look.

Who carried an article, what was changed in it, why two texts are or are not one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from scheduler.views.article_views import format_count, format_time, show_fields
from scheduler.views.terminal import Screen, strip_controls
from storage import revisions
from storage.errors import WorkFailed
from storage.identity import CopyComparison
from storage.model import (
    Article,
    Document,
    Rejection,
    Revision,
    SyndicatedReport,
    Syndication,
)
from storage.revisions import Edit
from storage.store import Store

if TYPE_CHECKING:
    from crawler.files.reprocessing import ReprocessedPage

CONTEXT_WORDS = 8  # words shown on either side of a change


# Who carried it


def show_syndication(
    screen: Screen, store: Store, article: Article, *, json: bool
) -> None:
    """Who carried an article, who was first, whom they credit, how many independent reports that is."""
    found = store.articles.syndication(article.id)
    voices = store.articles.count_independent(
        {carrier.article_id for carrier in found.reports}
    )
    if json:
        told = {
            "article_id": article.id,
            "wire": found.wire,
            "publishers": found.publishers,
            "independent": voices,
        }
        screen.json_line(
            told | {"carriers": [asdict(carrier) for carrier in found.reports]}
        )
        return
    screen.line(screen.style(screen.safe_text(article.title or "(no title)"), "bold"))
    show_fields(screen, _syndication_fields(found, voices))
    screen.line()
    head = ("document", "kind", "score", "time (UTC)", "source", "credits", "url")
    screen.table(
        head,
        [_carrier_row(carrier) for carrier in found.reports],
        right=("document", "score"),
    )


def _syndication_fields(found: Syndication, voices: int) -> list[tuple[str, object]]:
    own = [carrier for carrier in found.reports if carrier.kind != "probable"]
    places, first = format_count(len(own), "place"), own[0]
    perhaps = len(found.reports) - len(own)
    return [
        ("carried", f"in {places}, by {format_count(found.publishers, 'publisher')}"),
        (
            "perhaps",
            f"also in {format_count(perhaps, 'other article')}: probable copies"
            if perhaps
            else "",
        ),
        (
            "first",
            f"{first.source}, {'published' if first.is_dated else 'seen'} {format_time(first.at)} UTC",
        ),
        ("wire", found.wire),
        (
            "independent",
            f"{format_count(voices, 'report')}: copies, probable copies and one owner's papers count once",
        ),
    ]


def _carrier_row(carrier: SyndicatedReport) -> tuple[object, ...]:
    time = f"{format_time(carrier.at)}{'' if carrier.is_dated else ' (seen)'}"
    named = carrier.credit or carrier.origin_url or ""
    return (
        carrier.document_id,
        carrier.kind,
        f"{carrier.score:.2f}",
        time,
        carrier.source,
        named,
        carrier.url,
    )


# What was changed


def show_history(
    screen: Screen, article: Article, former: Sequence[Revision], *, json: bool
) -> None:
    """The former states of a text, each with what was changed in it next, by words."""
    states = [*((state.title, state.text, state.seen_at) for state in former)]
    states.append((article.title, article.text, article.updated_at))
    for revision, (title, text, at) in zip(former, states[1:], strict=True):
        headline = revisions.diff_texts(revision.title or "", title or "")
        body = revisions.diff_texts(revision.text, text)
        if json:
            changed = [asdict(edit) for edit in (*headline, *body) if edit.is_change]
            screen.json_line(asdict(revision) | {"changed_at": at, "changes": changed})
            continue
        head = f"revision {revision.number}, seen {format_time(revision.seen_at)} UTC, changed {format_time(at)} UTC"
        screen.line(screen.style(head, "dim"))
        screen.line(highlight_changes(screen, headline))
        for line in changed_passages(screen, body):
            screen.line(f"  {line}")
        screen.line()
    if not former and not json:
        screen.note("it was never revised")


def changed_passages(screen: Screen, edits: Sequence[Edit]) -> Iterator[str]:
    """The changes with some words around each; what lies between is left out."""
    line: list[str] = []
    for place, edit in enumerate(edits):
        if edit.is_change:
            line.append(_highlight_change(screen, edit))
            continue
        words = edit.new.split()
        if len(words) <= 2 * CONTEXT_WORDS and 0 < place < len(edits) - 1:
            line.append(strip_controls(edit.new))
            continue
        if line:
            yield " ".join(
                [*line, strip_controls(" ".join(words[:CONTEXT_WORDS])), "..."]
            )
        line = (
            ["...", strip_controls(" ".join(words[-CONTEXT_WORDS:]))]
            if place < len(edits) - 1
            else []
        )
    if line:
        yield " ".join(line)


def highlight_changes(screen: Screen, edits: Iterable[Edit]) -> str:
    """The whole, with its changes marked."""
    return " ".join(
        _highlight_change(screen, edit) if edit.is_change else strip_controls(edit.new)
        for edit in edits
    )


def _highlight_change(screen: Screen, edit: Edit) -> str:
    """Taken out in red and put in in green.

    Between signs where there are no colours.
    """
    old, new = strip_controls(edit.old), strip_controls(edit.new)
    if screen.colour:
        return " ".join(
            filter(None, (screen.style(old, "red"), screen.style(new, "green")))
        )
    return " ".join(filter(None, (old and f"[-{old}-]", new and f"{{+{new}+}}")))


# Why two are or are not one


def show_comparison(
    screen: Screen, store: Store, one: str, other: str, *, json: bool
) -> None:
    """Why two texts, each given by its number or address, were or were not taken for one. Raises WorkFailed."""
    here, there = _find_document(store, one), _find_document(store, other)
    found = store.articles.compare(here["id"], there["id"])
    assert found is not None
    merged = here["article_id"] == there["article_id"]
    if json:
        screen.json_line(
            _comparison_to_json(found)
            | {"documents": [here["id"], there["id"]], "stored_as_one": merged}
        )
        return
    for row in (here, there):
        screen.line(
            f"{row['id']:>7}  {strip_controls(row['source'])}  {screen.style(screen.safe_text(row['title'] or ''), 'bold')}"
        )
    screen.line()
    show_fields(screen, _score_fields(found, merged=merged))
    for passage in found.passages:
        show_fields(screen, [("both say", passage)])
    for ours, theirs in found.conflicts:
        show_fields(screen, [("one says", ours), ("other says", theirs)])


def _find_document(store: Store, what: str) -> Mapping[str, Any]:
    known = store.fates.explain(
        int(what) if what.isascii() and what.isdecimal() and len(what) < 19 else what
    )
    document: Mapping[str, Any] | None = known["document"]
    if document is None:
        raise WorkFailed(
            f"no text of {what} is kept; `khabar explain {strip_controls(what)}` tells what is known of it"
        )
    return document


def _score_fields(found: CopyComparison, *, merged: bool) -> list[tuple[str, object]]:
    likeness = found.likeness
    return [
        ("verdict", f"{found.verdict}: {found.reason}"),
        ("stored", "as one article" if merged else "as two articles"),
        ("score", f"{likeness.score:.2f}, the mean of words and names"),
        (
            "words",
            f"{likeness.shingles:.2f} of the shorter text's runs of five words stand in the longer one",
        ),
        (
            "names",
            f"{likeness.names:.2f} of its pairs of names and numbers do, {likeness.shared_names} of them",
        ),
        (
            "numbers",
            f"{likeness.agreements} agree, {likeness.conflicts} do not, between the same words",
        ),
        ("length", f"{likeness.shorter:,} and {likeness.longer:,} words"),
    ]


def _comparison_to_json(found: CopyComparison) -> dict[str, Any]:
    return asdict(found) | {"score": round(found.likeness.score, 4)}


# What reading anew makes of it

_OUTCOME_COLOURS = {
    "changed": "yellow",
    "let in": "green",
    "let out": "red",
    "retold": "cyan",
    "lost": "dim",
}


def format_reprocess_progress(counts: Mapping[str, int]) -> str:
    """How reading anew goes, in one line."""
    done = {
        name.replace("_", " "): count
        for name, count in counts.items()
        if name != "pages" and count
    }
    parts = ", ".join(f"{count:,} {name}" for name, count in done.items())
    return (
        f"{sum(done.values()):,} of {counts['pages']:,}{f': {parts}' if parts else ''}"
    )


def show_reprocessed_page(
    screen: Screen, found: "ReprocessedPage", *, json: bool
) -> None:
    """One page that says something else now, with what."""
    before, after = found.before, found.after
    if json:
        screen.json_line(_reprocessed_to_json(found))
        return
    which = f"{before.document_id or '':>7}"
    title = (after.title if after else None) or before.title or "(no title)"
    screen.line(
        f"{which}  {screen.style(f'{found.turn:<8}', _OUTCOME_COLOURS[found.turn])}  {screen.safe_text(title)}"
    )
    show_fields(screen, [("", before.url), *_list_differences(found)])
    if found.turn == "changed" and isinstance(after, Document):
        for line in changed_passages(
            screen, revisions.diff_texts(before.text, after.text)
        ):
            screen.line(f"  {line}")


def _list_differences(found: "ReprocessedPage") -> Iterator[tuple[str, object]]:
    before, after = found.before, found.after
    if isinstance(after, Rejection):
        yield "now", " ".join(filter(None, (after.why, after.detail)))
    if before.why:
        yield "was", before.why
    if isinstance(after, Document) and before.document_id is not None:
        if after.title != before.title:
            yield "title", format_replacement(before.title, after.title)
        if after.published_at is not None and after.published_at != before.published_at:
            yield (
                "published",
                format_replacement(
                    format_time(before.published_at), format_time(after.published_at)
                ),
            )
        if after.authors != before.authors:
            yield (
                "by",
                format_replacement(", ".join(before.authors), ", ".join(after.authors)),
            )
    verdict = after.verdict if after is not None else None
    if verdict is not None and round(verdict.score, 2) != round(before.relevance, 2):
        yield (
            "relevance",
            format_replacement(f"{before.relevance:.2f}", f"{verdict.score:.2f}"),
        )


def format_replacement(old: str | None, new: str | None) -> str:
    """What it was and what it is, in one line."""
    return f"{old or '-'} -> {new or '-'}"


def _reprocessed_to_json(found: "ReprocessedPage") -> dict[str, Any]:
    before, after = found.before, found.after
    told: dict[str, Any] = {
        "turn": found.turn, "document_id": before.document_id, "url": before.url, "source": before.source,
        "title": before.title, "differences": dict(_list_differences(found)),
    }  # fmt: skip
    if isinstance(after, Document):
        edits = (
            revisions.diff_texts(before.text, after.text)
            if before.document_id is not None
            else ()
        )
        told |= {
            "new_title": after.title,
            "changes": [asdict(edit) for edit in edits if edit.is_change],
        }
    return told


def show_reprocess_summary(
    screen: Screen, counted: Mapping[str, int], *, dry_run: bool, json: bool
) -> None:
    """How many pages came to what."""
    if json:
        screen.json_line({"dry_run": dry_run, **counted})
        return
    told = ", ".join(
        f"{count:,} {name.replace('_', ' ')}"
        for name, count in counted.items()
        if name != "pages"
    )
    screen.line(
        f"{format_count(counted['pages'], 'page')} read anew: {told}{'; nothing was written' if dry_run else ''}"
    )
