"""Copies and revisions: who carried an article, what was changed, why two are one.

Lines for people, JSON for programs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from scheduler.views.formatting import format_count, format_time
from scheduler.views.terminal import Screen, strip_controls
from storage import revisions
from storage.errors import WorkFailed
from storage.model import Article, Revision, Syndication
from storage.revisions import Edit
from storage.store import Store
from storage.text_likeness import CopyComparison

CONTEXT_WORDS = 8  # shown on either side of a change


# Who carried it


def show_syndication(
    screen: Screen, store: Store, article: Article, *, json: bool
) -> None:
    """Who carried an article, who was first, and how many independent reports it is."""
    found = store.articles.syndication(article.id)
    carried_ids = {report.article_id for report in found.reports}
    independent = store.articles.count_independent(carried_ids)
    if json:
        screen.json_line(
            {
                "article_id": article.id,
                "wire": found.wire,
                "publishers": found.publishers,
                "independent": independent,
                "carriers": [asdict(report) for report in found.reports],
            }
        )
        return
    title = screen.safe_text(article.title or "(no title)")
    screen.line(screen.style(title, "bold"))
    screen.fields(_syndication_fields(found, independent))
    screen.line()
    rows = []
    for report in found.reports:
        time = format_time(report.at)
        # A text without a date stands where it was first seen.
        if not report.is_dated:
            time = f"{time} (seen)"
        row = (
            report.document_id,
            report.kind,
            f"{report.score:.2f}",
            time,
            report.source,
            report.credit or report.origin_url or "",
            report.url,
        )
        rows.append(row)
    head = ("document", "kind", "score", "time (UTC)", "source", "credits", "url")
    screen.table(head, rows, right=("document", "score"))


def _syndication_fields(
    found: Syndication, independent: int
) -> list[tuple[str, object]]:
    # Probable copies are other articles: they say nothing of who was first with this.
    own = [report for report in found.reports if report.kind != "probable"]
    first = own[0]
    time = f"{format_time(first.at)} UTC"
    how = "published" if first.is_dated else "seen"
    places = format_count(len(own), "place")
    publishers = format_count(found.publishers, "publisher")
    reports = format_count(independent, "report")
    probable, perhaps = len(found.reports) - len(own), ""
    if probable:
        others = format_count(probable, "other article")
        perhaps = f"also in {others}: probable copies"
    return [
        ("carried", f"in {places}, by {publishers}"),
        ("perhaps", perhaps),
        ("first", f"{first.source}, {how} {time}"),
        ("wire", found.wire),
        (
            "independent",
            f"{reports}: copies, probable copies and one owner's papers count once",
        ),
    ]


# What was changed


def show_history(
    screen: Screen, article: Article, former: Sequence[Revision], *, json: bool
) -> None:
    """The former states of a text, each with what was changed in it next, by words."""
    states = [(state.title, state.text, state.seen_at) for state in former]
    states.append((article.title, article.text, article.updated_at))
    for revision, (title, text, at) in zip(former, states[1:], strict=True):
        title_edits = revisions.diff_texts(revision.title or "", title or "")
        text_edits = revisions.diff_texts(revision.text, text)
        if json:
            edits = [*title_edits, *text_edits]
            changed = [asdict(edit) for edit in edits if edit.is_change]
            screen.json_line(asdict(revision) | {"changed_at": at, "changes": changed})
            continue
        seen, changed_at = format_time(revision.seen_at), format_time(at)
        head = f"revision {revision.number}, seen {seen} UTC, changed {changed_at} UTC"
        screen.line(screen.style(head, "dim"))
        screen.line(highlight_changes(screen, title_edits))
        for line in changed_passages(screen, text_edits):
            screen.line(f"  {line}")
        screen.line()
    if not former and not json:
        screen.note("it was never revised")


def changed_passages(screen: Screen, edits: Sequence[Edit]) -> Iterator[str]:
    """The changes with some words around each; what lies between is left out."""
    last = len(edits) - 1
    line: list[str] = []
    for at, edit in enumerate(edits):
        if edit.is_change:
            line.append(_highlight_change(screen, edit))
            continue
        words = edit.new.split()
        between_changes = 0 < at < last
        if between_changes and len(words) <= 2 * CONTEXT_WORDS:
            line.append(strip_controls(edit.new))
            continue
        if line:
            after = strip_controls(" ".join(words[:CONTEXT_WORDS]))
            yield " ".join([*line, after, "..."])
        line = []
        # After the last change nothing follows that would need a start.
        if at < last:
            line = ["...", strip_controls(" ".join(words[-CONTEXT_WORDS:]))]
    if line:
        yield " ".join(line)


def highlight_changes(screen: Screen, edits: Iterable[Edit]) -> str:
    """The whole text, with its changes marked."""
    parts = []
    for edit in edits:
        if edit.is_change:
            parts.append(_highlight_change(screen, edit))
        else:
            parts.append(strip_controls(edit.new))
    return " ".join(parts)


def _highlight_change(screen: Screen, edit: Edit) -> str:
    """Deleted words in red, inserted ones in green; in brackets without colours."""
    old, new = strip_controls(edit.old), strip_controls(edit.new)
    # The brackets are those of wdiff, which other programs know.
    if screen.colour:
        parts = [screen.style(old, "red"), screen.style(new, "green")]
    else:
        parts = [old and f"[-{old}-]", new and f"{{+{new}+}}"]
    return " ".join(filter(None, parts))


# Why two are or are not one


def show_comparison(
    screen: Screen, store: Store, one: str | int, other: str | int, *, json: bool
) -> None:
    """Why two texts were or were not taken for one.

    Each is given by its number or its address. Raises WorkFailed.
    """
    here, there = _find_document(store, one), _find_document(store, other)
    found = store.articles.compare(here["id"], there["id"])
    assert found is not None
    merged = here["article_id"] == there["article_id"]
    if json:
        screen.json_line(
            asdict(found)
            | {
                "score": round(found.likeness.score, 4),
                "documents": [here["id"], there["id"]],
                "stored_as_one": merged,
            }
        )
        return
    for row in (here, there):
        title = screen.style(screen.safe_text(row["title"] or ""), "bold")
        screen.line(f"{row['id']:>7}  {strip_controls(row['source'])}  {title}")
    screen.line()
    screen.fields(_comparison_fields(found, merged=merged))
    for passage in found.passages:
        screen.fields([("both say", passage)])
    for ours, theirs in found.conflicts:
        screen.fields([("one says", ours), ("other says", theirs)])


def _find_document(store: Store, what: str | int) -> Mapping[str, Any]:
    known = store.fates.explain(what)
    document: Mapping[str, Any] | None = known["document"]
    if document is None:
        raise WorkFailed(
            f"no text of {what} is kept; `khabar explain {strip_controls(what)}` tells "
            "what is known of it"
        )
    return document


def _comparison_fields(
    found: CopyComparison, *, merged: bool
) -> list[tuple[str, object]]:
    likeness = found.likeness
    shared = f"{likeness.shared_names} of them"
    words = "of the shorter text's runs of five words stand in the longer one"
    agree = f"{likeness.agreements} agree, {likeness.conflicts} do not"
    return [
        ("verdict", f"{found.verdict}: {found.reason}"),
        ("stored", "as one article" if merged else "as two articles"),
        ("score", f"{likeness.score:.2f}, the mean of words and names"),
        ("words", f"{likeness.shingles:.2f} {words}"),
        (
            "names",
            f"{likeness.names:.2f} of its pairs of names and numbers do, {shared}",
        ),
        ("numbers", f"{agree}, between the same words"),
        ("length", f"{likeness.shorter:,} and {likeness.longer:,} words"),
    ]
