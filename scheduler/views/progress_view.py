"""A crawl and an import: how far they are, and what they came to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scheduler.views.formatting import format_count
from scheduler.views.terminal import Progress, Screen, strip_controls
from storage.model import ChangeKind, Landed

# What imports and crawls brings workers and Scrapy: these are names of types only.
if TYPE_CHECKING:
    from crawler.files.importing import ImportCounts
    from crawler.report import CrawlEvent, CrawlReport, SourceReport

MAX_REASONS_SHOWN = 3  # of rejections, the most frequent first
_MIN_TITLE_CELLS = 30
_HEAD_CELLS = 36  # of a kept article's line before its title

_CHANGE_LABELS = {
    ChangeKind.NEW: ("new", "green"),
    ChangeKind.REVISED: ("revised", "yellow"),
    ChangeKind.COPIED: ("copy", "cyan"),
    ChangeKind.PROMOTED: ("copy", "cyan"),
}
# Errors that are one word, for people who did not write them.
_ERROR_TEXTS = {
    "dns": "its name cannot be resolved",
    "timeout": "it did not answer in time",
    "truncated": "its answer broke off",
    "tls": "its certificate is not good",
    "connection refused": "it takes no connections",
}


def describe_error(error: str) -> str:
    """A visit's error as a sentence, where it is a single word."""
    return _ERROR_TEXTS.get(error, strip_controls(error))


def explain_no_answer(report: "CrawlReport") -> str:
    """Why a pass reached no source, and what to do."""
    # One cause for all of them is this machine's.
    errors = {row.error for row in report.sources.values()}
    if errors == {"dns"}:
        return (
            "no name could be resolved: is this machine online? "
            "`khabar demo` needs no network"
        )
    return (
        "no source could be visited; `khabar sources check` says what each one answers"
    )


class CrawlProgress:
    """A crawl on the screen: each kept article as it comes, then a row a source."""

    def __init__(self, screen: Screen, *, json: bool) -> None:
        self.screen = screen
        self.json = json
        self.kept = 0
        self.read = 0
        self._update: Progress | None = None

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show the moving line for as long as the block."""
        with self.screen.progress("crawling") as update:
            self._update = update
            yield

    def show_event(self, event: "CrawlEvent") -> None:
        """Show what happened, and move the line on."""
        # A long step says how far it is, and nothing has happened yet.
        if event.note:
            if self._update:
                self._update(event.note, event.share)
            return
        if event.landed is not None:
            self.read += 1
            self._show_landed(event.source, event.landed)
        elif event.visited is not None and event.visited.poll.error and not self.json:
            error = describe_error(event.visited.poll.error)
            self.screen.note(f"! {strip_controls(event.source)}: {error}")
        # The source that spoke last shows that the crawl is not stuck.
        if self._update:
            read = format_count(self.read, "page")
            self._update(f"{read} read, {self.kept} kept; {event.source}")

    def _show_landed(self, source: str, landed: Landed) -> None:
        """A line for a page that was kept; none for one that was not."""
        if landed.what is ChangeKind.NEW:
            self.kept += 1
        if self.json or landed.what not in _CHANGE_LABELS:
            return
        screen = self.screen
        word, colour = _CHANGE_LABELS[landed.what]
        label = screen.style(f"{word:<7}", colour)
        number = landed.article_id or ""
        head = screen.style(f"{number:>6}  {strip_controls(source):<16}", "dim")
        width = max(_MIN_TITLE_CELLS, screen.width - _HEAD_CELLS)
        title = screen.safe_text(landed.title or landed.url, width=width)
        screen.line(f"{label} {head} {title}")

    def show_summary(self, report: "CrawlReport") -> None:
        """What each source came to, and what to do next."""
        screen = self.screen
        rows = list(report.sources.values())
        for note in report.notes:
            screen.note(strip_controls(note))
        if self.json:
            for row in rows:
                screen.json_line(row.to_json())
            return
        counts = (
            "found",
            "new",
            "revised",
            "copies",
            "known",
            "irrelevant",
            "other",
            "failed",
            "waiting",
        )
        head = ("source", *counts, "why")
        screen.line()
        screen.table(head, map(_summary_row, rows), right=counts)
        if report.total("new"):
            screen.note(
                "next: `khabar search` lists what was kept, `khabar show ID` reads one"
            )
        elif report.any_visited:
            screen.note(
                "nothing new; `khabar search` lists what there is, "
                "`khabar explain URL` says why a page was not kept"
            )


def _summary_row(row: "SourceReport") -> tuple[object, ...]:
    why = []
    if row.error:
        why.append(describe_error(row.error))
    elif row.status not in {"ok", ""}:
        why.append(row.status.replace("_", " "))
    for reason, count in row.reasons.most_common(MAX_REASONS_SHOWN):
        # Irrelevant pages have a column of their own.
        if reason != "irrelevant":
            why.append(f"{reason} {count}")
    return (
        row.source,
        row.found,
        row.new,
        row.revised,
        row.copies,
        row.known,
        row.irrelevant,
        row.rejected + row.refused + row.too_old,
        row.failed,
        row.postponed,
        "; ".join(why),
    )


def format_import_progress(counts: "ImportCounts") -> str:
    """How far an import is, in one line."""
    parts = [
        f"{counts.rows:,} read",
        f"{counts.kinds['new']:,} new",
        f"{counts.kinds['copies']:,} copies",
    ]
    # The kinds of what was rejected are written `rejected: REASON`.
    rejected = {
        kind.partition(": ")[2]: count
        for kind, count in counts.kinds.items()
        if kind.startswith("rejected")
    }
    if rejected:
        frequent = sorted(rejected.items(), key=lambda item: -item[1])
        reasons = [f"{name} {count:,}" for name, count in frequent[:MAX_REASONS_SHOWN]]
        parts.append(f"{sum(rejected.values()):,} rejected ({', '.join(reasons)})")
    if counts.skipped:
        parts.append(f"{counts.skipped:,} skipped")
    if counts.before:
        parts.append(f"{counts.before:,} taken in before")
    return f"{counts.file}: {', '.join(parts)}"


def show_import_summary(screen: Screen, counts: "ImportCounts", *, json: bool) -> None:
    """What an import came to."""
    if json:
        screen.json_line(
            {
                "rows": counts.rows,
                "skipped": counts.skipped,
                "warnings": counts.warnings,
                "unreadable": counts.unreadable,
                "results": dict(counts.kinds),
            }
        )
        return
    parts = [
        f"{count:,} {strip_controls(kind)}"
        for kind, count in counts.kinds.most_common()
    ]
    if counts.skipped:
        parts.append(f"{counts.skipped:,} skipped")
    rows = format_count(counts.rows, "row")
    screen.line(f"{rows} read: {', '.join(parts) or 'nothing to take in'}")
