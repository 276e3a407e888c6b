"""How stored things look: hits, articles, reasons, sources, the status.

Lines for people, JSON for programs.

Everything that came from the web passes through `Screen.web` or `terminal.safe` on its
way.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler.views.terminal import Screen, isolate_rtl, strip_controls
from storage.model import Article, Document, Landing, utc_now
from storage.query import changes, search, snippets

_MAX_LINE_CELLS = 92  # cells of a line of text on a terminal


def format_time(moment: datetime | None) -> str:
    """A time to the minute, UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def format_age(moment: datetime | None, now: datetime) -> str:
    """How long ago, in the largest fitting unit."""
    return (
        "never"
        if moment is None
        else f"{format_duration(max(now - moment, timedelta()))} ago"
    )


def format_duration(length: timedelta) -> str:
    """A length of time in the largest fitting unit."""
    minutes = int(length.total_seconds() // 60)
    for unit, size in (("d", 1_440), ("h", 60), ("min", 1)):
        if minutes >= 2 * size or (size == 1 and minutes):
            return f"{minutes // size} {unit}"
    return "a moment"


def format_count(count: int, one: str, many: str = "") -> str:
    """`1 article`, `2 articles`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def show_hits(screen: Screen, found: search.SearchPage, *, json: bool) -> None:
    """A page of search results."""
    for hit in found.hits:
        if json:
            screen.json_line(hit.record)
        else:
            _show_hit(screen, hit)
    if not json and not found.hits:
        screen.note("nothing found")
    elif found.next_cursor and not json:
        screen.note(
            "there is more: --limit N shows it, --since and --until narrow it down"
        )


def _show_hit(screen: Screen, hit: search.SearchHit) -> None:
    record = hit.record
    head = f"{hit.id:>6}  {format_time(hit.at)}  {strip_controls(record['source'])}"
    title = _highlight_hits(screen, hit.marked_title) or "(no title)"
    screen.line(
        f"{screen.style(head, 'dim')}  {screen.style(title, 'bold')}{screen.style(_describe_state(record), 'cyan')}"
    )
    if hit.snippet:
        screen.line(f"        {_highlight_hits(screen, hit.snippet)}")
    places = ", ".join(
        dict.fromkeys(strip_controls(place["name"]) for place in record["places"][:4])
    )
    screen.line(
        f"        {screen.style(screen.safe_text(record['url']), 'blue')}{screen.style(places and '  ' + places, 'dim')}"
    )


def _describe_state(record: Mapping[str, Any]) -> str:
    """What became of an article since: copies, revisions, withdrawal."""
    said = [
        format_count(record["copies"], "copy", "copies") if record["copies"] else "",
        f"revised {format_count(record['revision'] - 1, 'time')}"
        if record["revision"] > 1
        else "",
        "withdrawn" if record["withdrawn_at"] else "",
        f"a copy ({record['copy_kind']})" if record["copy_kind"] else "",
        f"tagged {', '.join(map(strip_controls, record['tags']))}"
        if record["tags"]
        else "",
    ]
    kept = ", ".join(filter(None, said))
    return kept and f"  ({kept})"


def _highlight_hits(screen: Screen, text: str) -> str:
    """The text with what was looked for in bold yellow.

    Without marks where there are no colours.
    """
    parts = text.replace(snippets.HIGHLIGHT_END, snippets.HIGHLIGHT_START).split(
        snippets.HIGHLIGHT_START
    )
    pieces = (
        screen.style(_strip_inside(part), "yellow") if at % 2 else _strip_inside(part)
        for at, part in enumerate(parts)
    )
    line = "".join(pieces).strip()
    return isolate_rtl(line) if screen.colour else line


def _strip_inside(part: str) -> str:
    """A part of a line, with the blanks at its ends."""
    return (
        (" " if part[:1].isspace() else "")
        + strip_controls(part)
        + (" " if part[-1:].isspace() else "")
    )


def show_facets(
    screen: Screen,
    found: search.Facets,
    tally: search.CoverageCounts,
    changed: Sequence[Mapping[str, Any]],
    *,
    json: bool,
) -> None:
    """How many, by how many voices, by source, place, tag and day, and what became of them since."""
    groups = {
        "source": found.sources,
        "place": found.places,
        "tag": found.tags,
        "day": found.days,
    }
    voices = {
        "reports": tally.reports,
        "independent": tally.independent,
        "publishers": tally.publishers,
    }
    if json:
        counts = {
            name: [{"value": c.value, "name": c.name, "count": c.count} for c in rows]
            for name, rows in groups.items()
        }
        screen.json_line(
            {
                "total": found.total,
                "complete": found.complete,
                **voices,
                **counts,
                "changed": changed,
            }
        )
        return
    told = f"{format_count(tally.reports, 'report')}, {tally.independent:,} independent, by"
    of = "" if found.complete else "the newest "
    screen.line(
        f"{of}{format_count(found.total, 'article')}: {told} {format_count(tally.publishers, 'publisher')}"
    )
    for name, rows in groups.items():
        if rows:
            screen.line()
            screen.table(
                (name, "articles"),
                [(row.name, row.count) for row in rows],
                right=("articles",),
            )
    if changed:
        screen.line()
        screen.table(
            ("changed since", "what", "id", "title"),
            [_change_row(row) for row in changed],
            right=("id",),
        )


def _change_row(change: Mapping[str, Any]) -> tuple[object, ...]:
    what = ", ".join(filter(None, (change["what"], change["detail"])))
    return (
        change["at"][:16].replace("T", " "),
        what,
        change["article_id"],
        change["title"] or "",
    )


def show_paragraphs(screen: Screen, text: str) -> None:
    """A text, a blank line between its paragraphs.

    On a terminal no wider than reads well.
    """
    for line in text.split("\n"):
        for part in (
            textwrap.wrap(strip_controls(line), min(screen.width, _MAX_LINE_CELLS))
            if screen.colour
            else [line]
        ):
            screen.line(screen.safe_text(part))
        screen.line()


def show_fields(screen: Screen, rows: Iterable[tuple[str, object]]) -> None:
    """Names and values below each other; what has no value is left out."""
    for name, value in rows:
        if value not in (None, "", [], ()):
            screen.line(
                f"{screen.style(f'{name:<12}', 'dim')} {screen.safe_text(value)}"
            )


def show_reasons(
    screen: Screen, found: Sequence[Mapping[str, Any]], *, most: int = 12
) -> None:
    """The terms that made a relevance, strongest first."""
    for reason in sorted(found, key=lambda row: -abs(float(row["weight"])))[:most]:
        sign = (
            screen.style("for    ", "green")
            if reason["weight"] >= 0
            else screen.style("against", "red")
        )
        where = (
            f"{reason['kind']}, in the {reason['where']}"
            if reason.get("kind")
            else f"in the {reason['where']}"
        )
        screen.line(
            f"  {sign} {reason['weight']:+.2f}  {screen.safe_text(reason['term'])}  ({strip_controls(where)})"
        )


def show_cuts(
    screen: Screen, found: Sequence[Mapping[str, Any]], *, most: int = 40
) -> None:
    """What cleaning took out, and the rule that did."""
    for cut in found[:most]:
        text = screen.safe_text(cut["text"], width=screen.width - 30)
        screen.line(
            f"  {screen.style('cut', 'yellow')} {text}  [{strip_controls(cut['rule'])}]"
        )
    if len(found) > most:
        screen.line(f"  ... and {len(found) - most} more")


def show_sources(
    screen: Screen, rows: Sequence[Mapping[str, Any]], *, json: bool
) -> None:
    """The sources, and what the database knows of each."""
    if json:
        for row in rows:
            screen.json_line(row)
        return
    now = utc_now()
    head = ("id", "on", "lang", "kind", "last success", "last new", "state")
    screen.table(
        head,
        [
            (
                row["id"], "yes" if row["enabled"] else "no", row["language"] or "", row["kind"],
                format_age(row["last_success_at"], now), format_age(row["last_new_at"], now), row["last_error"] or "",
            )
            for row in rows
        ],
    )  # fmt: skip


def show_article(
    screen: Screen,
    found: Article,
    record: Mapping[str, Any],
    said: Iterable[Mapping[str, Any]],
    *,
    json: bool,
) -> None:
    """One article, whole, with what people said of it."""
    if json:
        screen.json_line(record)
        return
    screen.line(screen.style(screen.safe_text(found.title or "(no title)"), "bold"))
    screen.line()
    show_fields(
        screen,
        [
            ("by", ", ".join(found.authors)),
            ("source", found.source),
            (
                "published",
                f"{format_time(found.published_at)} UTC ({found.published_how})"
                if found.published_at
                else "unknown",
            ),
            ("first seen", f"{format_time(found.first_seen_at)} UTC"),
            (
                "revised",
                f"{format_count(found.revision - 1, 'time')}, last {format_time(found.updated_at)} UTC"
                if found.revision > 1
                else "",
            ),
            ("language", found.language),
            ("relevance", f"{found.relevance:.2f}"),
            ("copies", found.copies or ""),
            ("credit", found.extra.get("credit")),
            (
                "note",
                "the text is the feed's: the page was not to be had"
                if found.extra.get("from_feed")
                else "",
            ),
            ("withdrawn", found.extra.get("withdrawn_at")),
            ("url", found.url),
            ("tags", ", ".join(record["tags"])),
            *(
                ("marked", _describe_annotation(mark, found))
                for mark in said
                if not mark["tag"]
            ),
        ],
    )
    screen.line()
    show_paragraphs(screen, found.text)


def _describe_annotation(mark: Mapping[str, Any], found: Article) -> str:
    """What a person said and when.

    Texts that are not the one shown by their addresses.
    """
    other = f" of {mark['of_url']}" if mark["of_url"] else ""
    number = (
        f" (article {mark['of_article_id']})"
        if mark["of_article_id"] not in (None, found.id)
        else ""
    )
    of = "" if mark["url"] == found.url else f"{mark['url']}: "
    return f"{mark['at'][:16].replace('T', ' ')}  {of}{mark['label'].replace('_', ' ')}{other}{number}"


def show_explanation(screen: Screen, known: Mapping[str, Any], *, json: bool) -> None:
    """The fate of a page and every reason for it."""
    if json:
        screen.json_line(known)
        return
    screen.line(screen.style(screen.safe_text(known["url"]), "bold"))
    _show_fate(screen, known)
    told = known["document"] or known["rejection"] or {}
    if told.get("title"):
        show_fields(screen, [("title", told["title"])])
    if known["document"]:
        _show_document(screen, known["document"], known)
    if told.get("reasons"):
        screen.line(
            f"relevance {told.get('relevance', told.get('score')) or 0:.2f}, because of"
        )
        show_reasons(screen, told["reasons"])
    if told.get("cuts"):
        screen.line(
            f"{format_count(len(told['cuts']), 'passage')} cut as no part of the article"
        )
        show_cuts(screen, told["cuts"])


def _show_fate(screen: Screen, known: Mapping[str, Any]) -> None:
    fate, lead = known["fate"], known["lead"]
    if fate:
        why = ": ".join(
            part
            for part in (fate["reason"], fate["detail"])
            if part and part != fate["fate"]
        )
        show_fields(
            screen,
            [
                ("fate", f"{fate['fate']}{f' ({why})' if why else ''}"),
                ("since", fate["at"]),
            ],
        )
    if lead:
        waits = f"pending since {lead['found_at']}, tried {format_count(lead['attempts'], 'time')}"
        show_fields(
            screen,
            [
                ("fate", waits),
                ("last error", lead["last_error"]),
                ("next try", lead["next_attempt_at"]),
            ],
        )


def _show_document(
    screen: Screen, document: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    head = known["article"] or {}
    copy_of = f"{document['kind']} copy of article {document['article_id']}, {head.get('url', '')}"
    show_fields(
        screen,
        [
            ("article", f"{document['article_id']}" if not document["kind"] else ""),
            (
                "copy",
                f"{copy_of} (score {document['score'] or 0:.2f})"
                if document["kind"]
                else "",
            ),
            (
                "copies",
                "; ".join(
                    f"{row['url']} ({row['kind']})"
                    for row in known["copies"]
                    if row["id"] != document["id"]
                ),
            ),
            (
                "perhaps",
                "; ".join(
                    f"article {row['article_id']} ({row['score']:.2f})"
                    for row in known["probable_copies"]
                ),
            ),
            (
                "revised",
                format_count(len(known["revisions"]), "time")
                if known["revisions"]
                else "",
            ),
            (
                "published",
                f"{document['published_at']} ({document['published_how']})"
                if document["published_at"]
                else "unknown",
            ),
            ("extracted", document["extracted_how"]),
            (
                "marked",
                ", ".join(
                    f"{row['label'].replace('_', ' ')} {row['value']}".strip()
                    for row in known["marks"]
                ),
            ),
            (
                "mentions",
                ", ".join(
                    f"{row['name']} ({row['kind']})" for row in known["mentions"][:20]
                ),
            ),
        ],
    )


def show_saved_page(screen: Screen, landing: Landing, *, json: bool) -> None:
    """What the desk makes of a page on the disk."""
    outcome = landing.outcome
    if json:
        screen.json_line(
            {
                "url": landing.url,
                "outcome": type(outcome).__name__.lower(),
                **asdict(outcome),
            }
        )
        return
    screen.line(
        screen.style(
            screen.safe_text(
                getattr(outcome, "title", None)
                or landing.url
                or "a page without a title"
            ),
            "bold",
        )
    )
    verdict = getattr(outcome, "verdict", None)
    if isinstance(outcome, Document):
        show_fields(
            screen,
            [
                ("would be", "kept"),
                ("url", outcome.url),
                ("published", outcome.published_at),
                ("how", outcome.extracted_how),
            ],
        )
    else:
        why = f"{getattr(outcome, 'why', '')} {getattr(outcome, 'detail', '')}".strip()
        show_fields(screen, [("would be", f"{type(outcome).__name__.lower()} ({why})")])
    if verdict and verdict.reasons:
        screen.line(f"relevance {verdict.score:.2f}, because of")
        show_reasons(screen, [asdict(reason) for reason in verdict.reasons])
    if getattr(outcome, "cuts", ()):
        screen.line("cut as no part of the article")
        show_cuts(screen, [asdict(cut) for cut in getattr(outcome, "cuts", ())])


def show_change(screen: Screen, entry: changes.ChangeEntry, *, json: bool) -> None:
    """One row of the log, at once: its reader may be a pipe that waits."""
    if json:
        screen.json_line(entry.as_json())
    else:
        title = screen.safe_text(entry.title or entry.url or "")
        head = f"{entry.cursor:>7}  {entry.at[:16].replace('T', ' ')}  {entry.what:<12}"
        screen.line(
            f"{screen.style(head, 'dim')} {entry.article_id:>6}  {title}  {screen.style(strip_controls(entry.detail), 'cyan')}"
        )
    screen.out.flush()


def show_annotations(
    screen: Screen, found: Iterable[Mapping[str, Any]], *, json: bool
) -> None:
    """What people said of texts."""
    some = False
    for row in found:
        some = True
        if json:
            screen.json_line(row)
            continue
        what = ": ".join(
            part
            for part in (
                row["label"].replace("_", " "),
                row["value"] or row["of_url"] or "",
            )
            if part
        )
        head = screen.style(
            f"{row['at'][:16].replace('T', ' ')}  {row['document_id'] or '-':>6}", "dim"
        )
        screen.line(
            f"{head}  {screen.style(screen.safe_text(what), 'cyan')}  {screen.safe_text(row['title'] or row['url'])}"
        )
    if not some and not json:
        screen.note("nobody has marked anything yet")


_OUTCOME_TEXTS = {
    "kept": "counts as relevant",
    "restored": "is an article again",
    "queued": "is asked for with the next crawl, and kept whatever it is about",
    "dropped": "is gone with its copies; --relevant brings it back",
    "parted": "is an article apart",
    "joined": "is a copy now",
    "noted": "stays as it is, for good",
    "tagged": "has that tag",
    "untagged": "has that tag no more",
}


def show_correction(screen: Screen, done: Mapping[str, Any], *, json: bool) -> None:
    """What became of a correction."""
    if json:
        screen.json_line(done)
        return
    number = (
        f" (article {done['article_id']})"
        if done["article_id"] and done["outcome"] != "dropped"
        else ""
    )
    screen.line(
        f"{screen.safe_text(done['url'])}{number} {_OUTCOME_TEXTS[done['outcome']]}"
    )
