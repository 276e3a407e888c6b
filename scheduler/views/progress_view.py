"""How work looks while it goes on and when it is done: a crawl, an import."""

from collections.abc import Iterator
from contextlib import contextmanager

from crawler.files.importing import ImportCounts
from crawler.report import CrawlEvent, CrawlReport, SourceReport
from scheduler.views.article_views import format_count
from scheduler.views.terminal import Progress, Screen, strip_controls
from storage.model import ChangeKind, Landed

_CHANGE_LABELS = {
    ChangeKind.NEW: ("new", "green"),
    ChangeKind.REVISED: ("revised", "yellow"),
    ChangeKind.COPIED: ("copy", "cyan"),
    ChangeKind.PROMOTED: ("copy", "cyan"),
}


# Faults that are one word, told to someone who did not write them.
_ERROR_TEXTS = {
    "dns": "its name cannot be resolved",
    "timeout": "it did not answer in time",
    "truncated": "its answer broke off",
    "tls": "its certificate is not good",
    "connection refused": "it takes no connections",
}


def describe_error(error: str) -> str:
    """A fault as people say it."""
    return _ERROR_TEXTS.get(error, strip_controls(error))


def explain_no_answer(report: CrawlReport) -> str:
    """Why a pass reached nobody, and what to do."""
    errors = {row.error for row in report.sources.values()}
    if errors == {"dns"}:
        return "no name could be resolved: is this machine online? `khabar demo` needs no network"
    return (
        "no source could be visited; `khabar sources check` says what each one answers"
    )


class CrawlProgress:
    """A crawl while it goes on and at its end.

    Each kept article as it comes, then the sum of each source.
    """

    def __init__(self, screen: Screen, *, json: bool) -> None:
        self.screen = screen
        self.json = json
        self.kept = 0
        self.read = 0
        self._update: Progress | None = None

    @contextmanager
    def progress(self) -> Iterator[None]:
        """While it goes on."""
        with self.screen.progress("crawling") as say:
            self._update = say
            yield

    def show_event(self, event: CrawlEvent) -> None:
        """Something happened."""
        landed = event.landed
        if event.note:
            if self._update:
                self._update(event.note, event.share)
            return
        if landed is not None:
            self.read += 1
            if landed.what in _CHANGE_LABELS:
                self._show_landed(event.source, landed)
        elif event.visited is not None and event.visited.poll.error and not self.json:
            self.screen.note(
                f"! {strip_controls(event.source)}: {describe_error(event.visited.poll.error)}"
            )
        if self._update:
            self._update(
                f"{format_count(self.read, 'page')} read, {self.kept} kept; {event.source}"
            )

    def _show_landed(self, source: str, landed: Landed) -> None:
        self.kept += landed.what is ChangeKind.NEW
        if self.json:
            return
        assert landed.what is not None
        mark, colour = _CHANGE_LABELS[landed.what]
        title = self.screen.safe_text(
            landed.title or landed.url, width=max(30, self.screen.width - 36)
        )
        head = f"{landed.article_id or '':>6}  {strip_controls(source):<16}"
        self.screen.line(
            f"{self.screen.style(f'{mark:<7}', colour)} {self.screen.style(head, 'dim')} {title}"
        )

    def show_summary(self, report: CrawlReport) -> None:
        """The sum of each source, and what to do next."""
        rows = list(report.sources.values())
        for note in report.notes:
            self.screen.note(strip_controls(note))
        if self.json:
            for row in rows:
                self.screen.json_line(row.to_json())
            return
        self.screen.line()
        self.screen.table(
            (
                "source",
                "found",
                "new",
                "revised",
                "copies",
                "known",
                "irrelevant",
                "other",
                "failed",
                "waiting",
                "why",
            ),
            [_summary_row(row) for row in rows],
            right=(
                "found",
                "new",
                "revised",
                "copies",
                "known",
                "irrelevant",
                "other",
                "failed",
                "waiting",
            ),
        )
        if report.total("new"):
            self.screen.note(
                "next: `khabar search` lists what was kept, `khabar show ID` reads one"
            )
        elif report.any_visited:
            self.screen.note(
                "nothing new; `khabar search` lists what there is, `khabar explain URL` says why a page was not kept"
            )


def _summary_row(row: SourceReport) -> tuple[object, ...]:
    other = row.rejected + row.refused + row.too_old
    why = (
        [describe_error(row.error)]
        if row.error
        else [row.status.replace("_", " ")]
        if row.status not in {"ok", ""}
        else []
    )
    why += [
        f"{reason} {count}"
        for reason, count in row.reasons.most_common(3)
        if reason != "irrelevant"
    ]
    counts = (
        row.found,
        row.new,
        row.revised,
        row.copies,
        row.known,
        row.irrelevant,
        other,
        row.failed,
        row.postponed,
    )
    return (row.source, *counts, "; ".join(str(part) for part in why))


def format_import_progress(taken: ImportCounts) -> str:
    """How an import goes, in one line."""
    parts = [
        f"{taken.rows:,} read",
        f"{taken.kinds['new']:,} new",
        f"{taken.kinds['copies']:,} copies",
    ]
    dropped = {
        kind.partition(": ")[2]: count
        for kind, count in taken.kinds.items()
        if kind.startswith("rejected")
    }
    why = ", ".join(
        f"{name} {count:,}"
        for name, count in sorted(dropped.items(), key=lambda one: -one[1])[:3]
    )
    parts += [f"{sum(dropped.values()):,} rejected ({why})"] if dropped else []
    parts += [f"{taken.skipped:,} skipped"] if taken.skipped else []
    parts += [f"{taken.before:,} taken in before"] if taken.before else []
    return f"{taken.file}: {', '.join(parts)}"


def show_import_summary(screen: Screen, taken: ImportCounts, *, json: bool) -> None:
    """What an import came to."""
    if json:
        told = ("rows", "skipped", "warnings", "unreadable")
        screen.json_line(
            {name: getattr(taken, name) for name in told}
            | {"results": dict(taken.kinds)}
        )
        return
    parts = [
        f"{count:,} {strip_controls(kind)}" for kind, count in taken.kinds.most_common()
    ]
    parts += [f"{taken.skipped:,} skipped"] if taken.skipped else []
    screen.line(
        f"{format_count(taken.rows, 'row')} read: {', '.join(parts) or 'nothing to take in'}"
    )
