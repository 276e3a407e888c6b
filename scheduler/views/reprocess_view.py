"""Kept raw pages that were read anew: how far it is, each page that changed, the sum."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from scheduler.views.duplicates_view import changed_passages
from scheduler.views.formatting import format_count, format_time
from scheduler.views.terminal import Screen
from storage import revisions
from storage.model import Document, Rejection

if TYPE_CHECKING:
    from crawler.files.reprocessing import ReprocessedPage

_OUTCOME_COLOURS = {
    "changed": "yellow",
    "let in": "green",
    "parted": "green",
    "let out": "red",
    "retold": "cyan",
    "lost": "dim",
}


def format_reprocess_progress(counts: Mapping[str, int]) -> str:
    """How far reading anew has come, in one line."""
    outcomes = {name: count for name, count in counts.items() if name != "pages"}
    line = f"{sum(outcomes.values()):,} of {counts['pages']:,}"
    parts = [
        f"{count:,} {name.replace('_', ' ')}"
        for name, count in outcomes.items()
        if count
    ]
    if not parts:
        return line
    return f"{line}: {', '.join(parts)}"


def show_reprocessed_page(
    screen: Screen, page: "ReprocessedPage", *, json: bool
) -> None:
    """One page that says something else now, with what."""
    before, after = page.before, page.after
    if json:
        screen.json_line(_page_to_json(page))
        return
    # The new title where there is one: the old one may be what was wrong.
    title = before.title
    if after is not None and after.title:
        title = after.title
    outcome = screen.style(f"{page.turn:<8}", _OUTCOME_COLOURS[page.turn])
    number = before.document_id or ""
    screen.line(f"{number:>7}  {outcome}  {screen.safe_text(title or '(no title)')}")
    screen.fields([("", before.url), *_list_differences(page)])
    if page.turn == "changed" and isinstance(after, Document):
        edits = revisions.diff_texts(before.text, after.text)
        for line in changed_passages(screen, edits):
            screen.line(f"  {line}")


def _list_differences(page: "ReprocessedPage") -> Iterator[tuple[str, object]]:
    """The name of each thing that differs, and how: `old -> new`."""
    before, after = page.before, page.after
    if isinstance(after, Rejection):
        yield "now", f"{after.why} {after.detail}".strip()
    if before.why:
        yield "was", before.why
    if before.merged_into is not None:
        yield "was", f"a former state of {before.merged_into}"
    if isinstance(after, Document) and before.document_id is not None:
        if after.title != before.title:
            yield "title", _format_replacement(before.title, after.title)
        if after.published_at not in (None, before.published_at):
            old = format_time(before.published_at)
            new = format_time(after.published_at)
            yield "published", _format_replacement(old, new)
        if after.authors != before.authors:
            old, new = ", ".join(before.authors), ", ".join(after.authors)
            yield "by", _format_replacement(old, new)
    if after is None or after.verdict is None:
        return
    # As it is shown: rules move the third digit of most scores.
    old, new = f"{before.relevance:.2f}", f"{after.verdict.score:.2f}"
    if old != new:
        yield "relevance", _format_replacement(old, new)


def _format_replacement(old: str | None, new: str | None) -> str:
    return f"{old or '-'} -> {new or '-'}"


def _page_to_json(page: "ReprocessedPage") -> dict[str, Any]:
    before, after = page.before, page.after
    record: dict[str, Any] = {
        "turn": page.turn,
        "document_id": before.document_id,
        "url": before.url,
        "source": before.source,
        "title": before.title,
        "differences": dict(_list_differences(page)),
    }
    if isinstance(after, Document):
        changes = []
        # A page that was no article before has nothing to compare with.
        if before.document_id is not None:
            edits = revisions.diff_texts(before.text, after.text)
            changes = [asdict(edit) for edit in edits if edit.is_change]
        record |= {"new_title": after.title, "changes": changes}
    return record


def show_reprocess_summary(
    screen: Screen, counts: Mapping[str, int], *, dry_run: bool, json: bool
) -> None:
    """How many pages came to what."""
    if json:
        screen.json_line({"dry_run": dry_run, **counts})
        return
    parts = [
        f"{count:,} {name.replace('_', ' ')}"
        for name, count in counts.items()
        if name != "pages"
    ]
    line = f"{format_count(counts['pages'], 'page')} read anew: {', '.join(parts)}"
    if dry_run:
        line = f"{line}; nothing was written"
    screen.line(line)
