"""What a search finds: a page of hits, the counts over all of them, the log of changes.

Lines for people, JSON for programs. Everything that came from the web passes through
`Screen.safe_text` or `terminal.strip_controls` on its way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler.views.formatting import format_count, format_stored_time, format_time
from scheduler.views.terminal import Screen, isolate_rtl, strip_controls
from storage.query import changes, search, snippets
from storage.query.facets import CoverageCounts, Facets

MAX_PLACES_OF_HIT = 4
_INDENT = " " * 8


def show_hits(screen: Screen, page: search.SearchPage, *, json: bool) -> None:
    """A page of search results."""
    for hit in page.hits:
        if json:
            screen.json_line(hit.record)
        else:
            _show_hit(screen, hit)
    if json:
        return
    if not page.hits:
        screen.note("nothing found")
    elif page.next_cursor:
        screen.note(
            "there is more: --limit N shows it, --since and --until narrow it down"
        )


def _show_hit(screen: Screen, hit: search.SearchHit) -> None:
    record = hit.record
    source = strip_controls(record["source"])
    head = screen.style(f"{hit.id:>6}  {format_time(hit.at)}  {source}", "dim")
    title = screen.style(
        _highlight_hits(screen, hit.highlighted_title) or "(no title)", "bold"
    )
    state = screen.style(_describe_state(record), "cyan")
    screen.line(f"{head}  {title}{state}")
    if hit.snippet:
        screen.line(f"{_INDENT}{_highlight_hits(screen, hit.snippet)}")
    # On a line of its own, so that a terminal makes a whole link of it.
    url = screen.style(screen.safe_text(record["url"]), "blue")
    places = record["places"][:MAX_PLACES_OF_HIT]
    # A district and its city may have one name: it is said once.
    names = ", ".join(dict.fromkeys(strip_controls(place["name"]) for place in places))
    if names:
        names = screen.style(f"  {names}", "dim")
    screen.line(f"{_INDENT}{url}{names}")


def _describe_state(record: Mapping[str, Any]) -> str:
    """What became of an article since: copies, revisions, withdrawal, tags."""
    parts = []
    if record["copies"]:
        parts.append(format_count(record["copies"], "copy", "copies"))
    if record["revision"] > 1:
        parts.append(f"revised {format_count(record['revision'] - 1, 'time')}")
    if record["withdrawn_at"]:
        parts.append("withdrawn")
    if record["copy_kind"]:
        parts.append(f"a copy ({record['copy_kind']})")
    if record["tags"]:
        parts.append(f"tagged {', '.join(map(strip_controls, record['tags']))}")
    if not parts:
        return ""
    return f"  ({', '.join(parts)})"


def _highlight_hits(screen: Screen, text: str) -> str:
    """The text with its hits in yellow; as it is where there are no colours."""
    pieces = []
    for is_hit, part in snippets.split_highlights(text):
        # Controls are taken out piece by piece; the blanks at a piece's ends stay.
        before = " " if part[:1].isspace() else ""
        after = " " if part[-1:].isspace() else ""
        piece = before + strip_controls(part) + after
        if is_hit:
            piece = screen.style(piece, "yellow")
        pieces.append(piece)
    line = "".join(pieces).strip()
    if screen.colour:
        return isolate_rtl(line)
    return line


def show_facets(
    screen: Screen,
    facets: Facets,
    coverage: CoverageCounts,
    changed: Sequence[Mapping[str, Any]],
    *,
    json: bool,
) -> None:
    """How many articles, by how many independent reports, and what changed since.

    The counts are by source, place, tag and day.
    """
    groups = {
        "source": facets.sources,
        "place": facets.places,
        "tag": facets.tags,
        "day": facets.days,
    }
    if json:
        record: dict[str, object] = {
            "total": facets.total,
            "complete": facets.complete,
            "reports": coverage.reports,
            "independent": coverage.independent,
            "publishers": coverage.publishers,
        }
        for name, rows in groups.items():
            record[name] = [
                {"value": row.value, "name": row.name, "count": row.count}
                for row in rows
            ]
        screen.json_line(record | {"changed": changed})
        return

    articles = format_count(facets.total, "article")
    if not facets.complete:
        articles = f"the newest {articles}"
    reports = format_count(coverage.reports, "report")
    publishers = format_count(coverage.publishers, "publisher")
    screen.line(
        f"{articles}: {reports}, {coverage.independent:,} independent, by {publishers}"
    )
    # A search without a place in its hits shows no empty table of places.
    for name, rows in groups.items():
        if rows:
            cells = [(row.name, row.count) for row in rows]
            screen.line()
            screen.table((name, "articles"), cells, right=("articles",))
    if changed:
        changes_since = []
        for change in changed:
            at, what = format_stored_time(change["at"]), change["what"]
            if change["detail"]:
                what = f"{what}, {change['detail']}"
            row = (at, what, change["article_id"], change["title"] or "")
            changes_since.append(row)
        head = ("changed since", "what", "id", "title")
        screen.line()
        screen.table(head, changes_since, right=("id",))


def show_change(screen: Screen, entry: changes.ChangeEntry, *, json: bool) -> None:
    """One row of the log, at once: its reader may be a pipe that waits."""
    if json:
        screen.json_line(entry.as_json())
    else:
        at = format_stored_time(entry.at)
        head = screen.style(f"{entry.cursor:>7}  {at}  {entry.what:<12}", "dim")
        title = screen.safe_text(entry.title or entry.url or "")
        detail = screen.style(strip_controls(entry.detail), "cyan")
        screen.line(f"{head} {entry.article_id:>6}  {title}  {detail}")
    screen.out.flush()
