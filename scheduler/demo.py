"""The whole way on the invented web of `crawler.replay`, told to a newcomer.

Two rounds, and what came of everything.

The web is a proxy on loopback: the crawl asks for `.example` names through it, so
nothing leaves the machine.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from crawler import passes
from crawler.fetching import loop
from crawler.replay import DEMO_FOLDER, PlayedRequest, ReplayServer, ReplaySite
from crawler.report import CrawlEvent, CrawlReport, SourceReport
from crawler.sources import CrawlSettings
from scheduler.actions import open_for_writing
from scheduler.config import Config
from scheduler.views.formatting import format_count
from scheduler.views.search_view import show_hits
from scheduler.views.terminal import Screen, strip_controls
from storage.errors import UsageError
from storage.model import Landed
from storage.query.criteria import Criteria
from storage.settings import StoreSettings
from storage.store import Store

SEARCH_WORDS = "Andarab OR Kunar OR Paktika"
LABEL_CELLS = 11  # cells of the word before each line


def run_demo(screen: Screen, *, keep: Path | None = None) -> None:
    """Play both rounds.

    `keep` is a new folder for the database and raw pages; without it nothing is left
    behind.
    """
    site = ReplaySite.load(DEMO_FOLDER)
    with _open_folder(keep) as folder, ReplayServer(site) as web:
        config = demo_config(site, web, folder)
        _show_opening(screen, site, folder, keep)
        with open_for_writing(config) as store:
            for turn in ("First round", "Second round, a little later"):
                asked = len(web.asked)
                _play_round(screen, turn, store, config)
                _show_conditional_requests(screen, web.asked[asked:])
                web.next_round()
        with Store.read(config.store.path, captures=config.store.captures) as store:
            _show_closing(screen, store, config, keep)


def demo_config(site: ReplaySite, web: ReplayServer, folder: Path) -> Config:
    """The shipped settings, but through the replay site and without waiting between requests."""
    crawl = CrawlSettings(
        proxy=web.address, delay=0.0, allow_addresses=(ip_network("127.0.0.0/8"),)
    )
    path = folder / "khabar.db"
    # Where `--db FILE` looks for raw pages: so do the commands that a newcomer is told
    # to try.
    store = StoreSettings(path=path, captures=folder / "khabar.db.captures")
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
    screen: Screen, site: ReplaySite, folder: Path, keep: Path | None
) -> None:
    _show_title(screen, "khabar demo")
    screen.line(
        "A small invented web runs inside this machine; nothing leaves it. khabar crawls it twice."
    )
    screen.line(
        f"Database and raw pages: {folder}{'' if keep else ' (removed at the end; --keep DIR keeps them)'}"
    )
    screen.line()
    for source in site.sources:
        screen.line(
            f"  {screen.style(f'{source.id:<{LABEL_CELLS}}', 'bold')} {strip_controls(source.name)}"
        )


def _show_title(screen: Screen, text: str) -> None:
    screen.line()
    screen.line(screen.style(text, "bold"))
    screen.line(screen.style("-" * len(text), "dim"))


def _play_round(screen: Screen, turn: str, store: Store, config: Config) -> None:
    _show_title(screen, turn)
    events: list[CrawlEvent] = []
    going = passes.crawl(
        store, config.sources, config.crawl, force=True, on_event=events.append
    )
    report = loop.run(going)
    for source in config.sources:
        _show_source(
            screen,
            store,
            report,
            source.id,
            [event for event in events if event.source == source.id],
        )


def _show_source(
    screen: Screen,
    store: Store,
    report: CrawlReport,
    source: str,
    events: list[CrawlEvent],
) -> None:
    told = report.for_source(source)
    colour = "red" if told.error else "dim"
    screen.line(
        f"{screen.style(f'{source:<{LABEL_CELLS}}', 'bold')} {screen.style(_describe_answer(told), colour)}"
    )
    for event in events:
        if event.landed is not None:
            _show_page(screen, store, event.landed)


def _describe_answer(told: SourceReport) -> str:
    if told.error:
        return (
            f"its feed cannot be read ({strip_controls(told.error)}); the others go on"
        )
    if told.status == "not_modified":
        return "304: the server says that nothing has changed, and sends nothing"
    if told.status == "unchanged":
        return "200, but the very same feed as before: nothing is read twice"
    return f"{format_count(told.found, 'item')} in the feed" + (
        f", {told.known} of them known" if told.known else ""
    )


def _show_page(screen: Screen, store: Store, landed: Landed) -> None:
    """One page: what became of it, and why."""
    known = store.fates.explain(landed.url)
    word, colour = _fate_label(landed)
    title = landed.title or (known["rejection"] or {}).get("title") or known["url"]
    screen.line(
        f"  {screen.style(f'{word:<{LABEL_CELLS - 2}}', colour)} {screen.safe_text(title)}"
    )
    for line in (
        *_reason_lines(known, landed),
        *_correction_lines(store, known, landed),
        *_cut_lines(known["document"]),
    ):
        screen.line(
            f"  {'':<{LABEL_CELLS - 2}} {screen.style(screen.safe_text(line, width=screen.width - LABEL_CELLS - 2), 'dim')}"
        )


def _fate_label(landed: Landed) -> tuple[str, str]:
    made = {
        "new": ("kept", "green"),
        "revised": ("corrected", "yellow"),
        "copied": ("copy", "cyan"),
    }
    rest = {"rejected": ("dropped", "red"), "refused": ("not asked", "red")}
    return made.get(landed.what or "") or rest.get(
        landed.fate or "", (landed.fate or "waits", "dim")
    )


def _reason_lines(known: Mapping[str, Any], landed: Landed) -> Iterator[str]:
    document, told = known["document"], known["document"] or known["rejection"]
    if landed.fate == "refused":
        yield "robots.txt of the site closes this page; it was never requested"
    elif landed.what == "copied":
        yield f"the text of article {known['article']['id']}, which {known['article']['source']} published first"
    elif landed.what == "revised":
        yield f"its feed gave it another title, so it was read again: revision {document['revision']}"
    elif told:
        spoke = dict.fromkeys(
            reason["term"] for reason in told["reasons"] if reason["weight"] > 0
        )
        terms = ", ".join(list(spoke)[:6]) or "nothing in it speaks of the conflict"
        yield f"relevance {told.get('relevance', told.get('score')):.2f}: {terms}"
    if document and document["from_feed"]:
        yield "its page is gone (404), but the feed carried the whole text"


def _correction_lines(
    store: Store, known: Mapping[str, Any], landed: Landed
) -> Iterator[str]:
    """The lines that a correction took out and put in; the former text is kept."""
    if landed.what != "revised":
        return
    document = known["document"]
    before = store.articles.revisions(document["id"])[-1].text.splitlines()
    for mark, old, new in (
        ("-", before, document["text"].splitlines()),
        ("+", document["text"].splitlines(), before),
    ):
        yield from (
            f"{mark} {_cut_to_difference(line, new)}" for line in old if line not in new
        )


def _cut_to_difference(line: str, others: Sequence[str]) -> str:
    """A line from a few words before the place where it parts from its counterpart."""
    shared = max((_shared_prefix_chars(line, other) for other in others), default=0)
    start = line.rfind(" ", 0, max(0, shared - 12)) + 1
    return f"…{line[start:]}" if start else line


def _shared_prefix_chars(one: str, other: str) -> int:
    """How many characters two lines begin with together."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _cut_lines(document: Mapping[str, Any] | None) -> Iterator[str]:
    """What cleaning took out, but for headlines that the text only repeats."""
    cuts = (
        [cut["text"] for cut in document["cuts"] if cut["text"] != document["title"]]
        if document
        else []
    )
    if cuts:
        yield "cut as no part of it: " + " / ".join(cuts)


def _show_conditional_requests(
    screen: Screen, requests: Sequence[PlayedRequest]
) -> None:
    spared = sum(one.status == 304 for one in requests)
    conditional = sum(one.conditional for one in requests)
    line = f"{format_count(len(requests), 'request')}, {format_count(conditional, 'of them conditional', 'of them conditional')}"
    screen.line()
    screen.line(screen.style(f"{line}, {spared} answered 304 without a body", "dim"))


def _show_closing(
    screen: Screen, store: Store, config: Config, keep: Path | None
) -> None:
    counts = store.stats.counts()
    _show_title(screen, "In the end")
    screen.line(
        f"{format_count(counts['articles'], 'article')} and {format_count(counts['copies'], 'copy', 'copies')} kept, "
        f"{counts['fates'].get('rejected', 0)} dropped, {counts['fates'].get('refused', 0)} not asked for, "
        f"{counts['pending']} pending. Every address that a feed named has a fate."
    )
    _show_title(screen, f"khabar search {SEARCH_WORDS}")
    screen.line("Typed in Latin letters, found in three languages:")
    show_hits(screen, store.search.page(Criteria(words=SEARCH_WORDS)), json=False)
    screen.line()
    if keep is not None:
        screen.line(f"Look around:        khabar search --db {config.store.path}")
        screen.line(f"                    khabar show 1 --why --db {config.store.path}")
    screen.line("Now the real web:   khabar crawl")
