"""The whole pipeline on the built-in web of `crawler.replay`, explained to a newcomer.

Two rounds, and what came of every page. The web is a proxy on loopback: the crawl asks
for `.example` names through it, so that nothing leaves the machine.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import takewhile
from pathlib import Path
from typing import Any

from crawler import passes
from crawler.fetching import loop
from crawler.replay import DEMO_FOLDER, PlayedRequest, ReplayServer, ReplaySite
from crawler.report import CrawlEvent, SourceReport
from crawler.sources import CrawlSettings
from scheduler.config import Config
from scheduler.open_store import open_for_reading, open_for_writing
from scheduler.views.formatting import format_count
from scheduler.views.search_view import show_hits
from scheduler.views.terminal import Screen, strip_controls
from storage.errors import UsageError
from storage.model import Landed
from storage.query.criteria import Criteria
from storage.settings import StoreSettings
from storage.store import Store

SEARCH_WORDS = "Andarab OR Kunar OR Paktika"
LABEL_CELLS = 11  # of the word before each line
CONTEXT_CHARS = 12  # shown before the place where a corrected line differs
MAX_TERMS = 6

_CHANGE_LABELS = {
    "new": ("kept", "green"),
    "revised": ("corrected", "yellow"),
    "copied": ("copy", "cyan"),
}
_FATE_LABELS = {"rejected": ("dropped", "red"), "refused": ("not asked", "red")}


def run_demo(screen: Screen, *, keep: Path | None = None) -> None:
    """Crawl the built-in web twice.

    `keep` is a new folder for the database and raw pages; without it nothing is left
    behind. Raises UsageError where that folder is not empty.
    """
    site = ReplaySite.load(DEMO_FOLDER)
    with _open_folder(keep) as folder, ReplayServer(site) as web:
        config = demo_config(site, web, folder)
        _show_opening(screen, site, folder, is_kept=keep is not None)
        with open_for_writing(config) as store:
            for title in ("First round", "Second round, a little later"):
                asked = len(web.asked)
                _show_title(screen, title)
                _crawl_once(screen, store, config)
                _show_requests(screen, web.asked[asked:])
                web.next_round()
        with open_for_reading(config) as store:
            _show_closing(screen, store, config, is_kept=keep is not None)


def demo_config(site: ReplaySite, web: ReplayServer, folder: Path) -> Config:
    """The shipped settings, but through the replay site and without delays."""
    loopback = ip_network("127.0.0.0/8")
    crawl = CrawlSettings(proxy=web.address, delay=0.0, allow_addresses=(loopback,))
    # Where `--db FILE` looks for raw pages: so do the commands that a newcomer is told
    # to try.
    path, captures = folder / "khabar.db", folder / "khabar.db.captures"
    store = StoreSettings(path=path, captures=captures)
    return Config(store=store, crawl=crawl, sources=site.sources)


@contextmanager
def _open_folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise UsageError(f"{keep} is not empty; name a new folder with --keep")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="khabar-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _show_opening(
    screen: Screen, site: ReplaySite, folder: Path, *, is_kept: bool
) -> None:
    _show_title(screen, "khabar demo")
    screen.line(
        "A small invented web runs inside this machine; nothing leaves it. "
        "khabar crawls it twice."
    )
    hint = "" if is_kept else " (removed at the end; --keep DIR keeps them)"
    screen.line(f"Database and raw pages: {folder}{hint}")
    screen.line()
    for source in site.sources:
        label = screen.style(f"{source.id:<{LABEL_CELLS}}", "bold")
        screen.line(f"  {label} {strip_controls(source.name)}")


def _show_title(screen: Screen, text: str) -> None:
    screen.line()
    screen.line(screen.style(text, "bold"))
    screen.line(screen.style("-" * len(text), "dim"))


def _crawl_once(screen: Screen, store: Store, config: Config) -> None:
    """One pass; then what came of it, source by source."""
    events: list[CrawlEvent] = []
    report = loop.run(
        passes.crawl(
            store, config.sources, config.crawl, force=True, on_event=events.append
        )
    )
    for source in config.sources:
        outcome = report.for_source(source.id)
        label = screen.style(f"{source.id:<{LABEL_CELLS}}", "bold")
        colour = "red" if outcome.error else "dim"
        screen.line(f"{label} {screen.style(_describe_answer(outcome), colour)}")
        for event in events:
            if event.source == source.id and event.landed is not None:
                _show_page(screen, store, event.landed)


def _describe_answer(outcome: SourceReport) -> str:
    """What a source's feed answered."""
    if outcome.error:
        error = strip_controls(outcome.error)
        return f"its feed cannot be read ({error}); the others go on"
    if outcome.status == "not_modified":
        return "304: the server says that nothing has changed, and sends nothing"
    if outcome.status == "unchanged":
        return "200, but the very same feed as before: nothing is read twice"
    items = f"{format_count(outcome.found, 'item')} in the feed"
    if outcome.known:
        items += f", {outcome.known} of them known"
    return items


def _show_page(screen: Screen, store: Store, landed: Landed) -> None:
    """One page: what became of it, and why."""
    known = store.fates.explain(landed.url)
    document = known["document"]
    word, colour = (
        _CHANGE_LABELS.get(landed.what or "")
        or _FATE_LABELS.get(landed.fate or "")
        or (landed.fate or "waits", "dim")
    )
    title = landed.title or (known["rejection"] or {}).get("title") or known["url"]
    label = screen.style(f"{word:<{LABEL_CELLS - 2}}", colour)
    screen.line(f"  {label} {screen.safe_text(title)}")

    lines = _reason_lines(known, landed)
    if landed.what == "revised":
        former = store.articles.revisions(document["id"])[-1].text.splitlines()
        lines += _difference_lines(former, document["text"].splitlines())
    if document:
        cuts = [cut["text"] for cut in document["cuts"]]
        # A headline that the text only repeats says nothing about cleaning.
        shown = [text for text in cuts if text != document["title"]]
        if shown:
            lines.append("cut as no part of it: " + " / ".join(shown))
    for line in lines:
        text = screen.safe_text(line, width=screen.width - LABEL_CELLS - 2)
        screen.line(f"  {'':<{LABEL_CELLS - 2}} {screen.style(text, 'dim')}")


def _reason_lines(known: Mapping[str, Any], landed: Landed) -> list[str]:
    """Why a page became what it is."""
    lines: list[str] = []
    document = known["document"]
    judged = document or known["rejection"]
    if landed.fate == "refused":
        lines.append("robots.txt of the site closes this page; it was never requested")
    elif landed.what == "copied":
        first = known["article"]
        lines.append(
            f"the text of article {first['id']}, "
            f"which {first['source']} published first"
        )
    elif landed.what == "revised":
        lines.append(
            "its feed gave it another title, so it was read again: "
            f"revision {document['revision']}"
        )
    elif judged:
        terms = [row["term"] for row in judged["reasons"] if row["weight"] > 0]
        named = ", ".join(list(dict.fromkeys(terms))[:MAX_TERMS])
        score = judged.get("relevance", judged.get("score"))
        lines.append(
            f"relevance {score:.2f}: {named or 'nothing in it speaks of the conflict'}"
        )
    if document and document["from_feed"]:
        lines.append("its page is gone (404), but the feed carried the whole text")
    return lines


def _difference_lines(former: list[str], now: list[str]) -> list[str]:
    """The lines that a correction took out and put in; the former text is kept."""
    removed = [
        f"- {_cut_to_difference(line, now)}" for line in former if line not in now
    ]
    added = [
        f"+ {_cut_to_difference(line, former)}" for line in now if line not in former
    ]
    return removed + added


def _cut_to_difference(line: str, others: Sequence[str]) -> str:
    """A line from a few words before the place where it parts from its counterpart."""
    shared_chars = 0
    for other in others:
        pairs = zip(line, other, strict=False)
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        shared_chars = max(shared_chars, alike)
    start = line.rfind(" ", 0, max(0, shared_chars - CONTEXT_CHARS)) + 1
    if start == 0:
        return line
    return f"…{line[start:]}"


def _show_requests(screen: Screen, requests: Sequence[PlayedRequest]) -> None:
    conditional = sum(request.conditional for request in requests)
    not_modified = sum(request.status == 304 for request in requests)
    line = (
        f"{format_count(len(requests), 'request')}, {conditional} of them conditional, "
        f"{not_modified} answered 304 without a body"
    )
    screen.line()
    screen.line(screen.style(line, "dim"))


def _show_closing(
    screen: Screen, store: Store, config: Config, *, is_kept: bool
) -> None:
    counts = store.stats.counts()
    fates = counts["fates"]
    articles = format_count(counts["articles"], "article")
    copies = format_count(counts["copies"], "copy", "copies")
    _show_title(screen, "In the end")
    screen.line(
        f"{articles} and {copies} kept, {fates.get('rejected', 0)} dropped, "
        f"{fates.get('refused', 0)} not asked for, {counts['pending']} pending. "
        "Every address that a feed named has a fate."
    )
    _show_title(screen, f"khabar search {SEARCH_WORDS}")
    screen.line("Typed in Latin letters, found in three languages:")
    show_hits(screen, store.search.page(Criteria(words=SEARCH_WORDS)), json=False)
    screen.line()
    if is_kept:
        screen.line(f"Look around:        khabar search --db {config.store.path}")
        screen.line(f"                    khabar show 1 --why --db {config.store.path}")
    screen.line("Now the real web:   khabar crawl")
