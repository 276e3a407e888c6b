"""What is reached without feeds on the replayed web.

Section links, sitemaps, a front page that changes through 19 days.

    python tests/bench/reach.py [--links] [--held-out] [--web] [--visits N] [--show
    HOST]

`--links`: links of real pages of 20 hosts, sorted by `sections.find`, against the shape
that the article addresses of each host have (the patterns below were written from their
feeds and sitemaps); links inside sentences are left out, since a list has none. The
weights of `sections.find` were tuned on these 20; `--held-out` measures it on 17
others, news sites whose articles' addresses can be told, with patterns that were
written before the first measurement and never tuned on. `--web`: a crawl of every
sitemap of the replayed web and N visits (137) to the Dari front page through the replay
server: how many of the pages that these name were found, what was asked for twice, what
robots.txt forbade. Needs the shared folder (`KHABAR_SHARED`, or `shared` beside the
project).
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
SHARED = Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared"))
REPLAY = SHARED / "replay"
FRONT = "http://www.darivoa.com/"
ARTICLE = re.compile(r"^https?://www\.darivoa\.com/a/(?:[^/?#]+/)?\d{5,8}\.html")

DAY = r"/(19|20)\d\d/\d\d/\d\d/[^/]{4,}"
# What the article addresses of a host look like; the 20 hosts with the most such links
# on their pages.
SHAPES = {
    "dailymail.co.uk": r"/article-\d+/",
    "stern.de": r"-\d{6,}\.html",
    "darivoa.com": r"/a/(?:[^/]+/)?\d{7}\.html",
    "bloomberg.com": r"/(news|opinion|view|graphics|politics|businessweek)/.*20\d\d-\d\d-\d\d",
    "elmundo.es": DAY,
    "dailystar.co.uk": r"-\d{7,}$|/\d{6,}/",
    "wired.com": r"/story/[^/]+|/20\d\d/\d\d/[^/]+",
    "tagesanzeiger.ch": r"-\d{12}$",
    "bbc.com": r"-\d{8}$|/story/20|/articles?/\w{8,}",
    "bbc.co.uk": r"-\d{8}$|/articles/\w{8,}|/sport/\d{8}|idt-",
    "golem.de": r"-\d{4}-\d{6}\.html|/\d{4}/\d{5}\.html",
    "washingtonpost.com": DAY + r"|_story\.html|/graphics/20\d\d/",
    "lefigaro.fr": r"-?20\d{6}$|\d\d/\d\d/\d{5}-20\d+ART|-\d{8}$",
    "mashable.com": DAY + r"|/article/[^/]+|/roundup/[^/]+",
    "tagesschau.de": r"-\d{3,}\.html$",
    "nzz.ch": r"ld\.\d+",
    "faz.net": r"-\d{7,}\.html",
    "dw.com": r"/a-\d+",
    "cnbc.com": DAY,
    "cleveland.com": r"/20\d\d/\d\d/.+\.html",
}
# Other hosts of the replay: those with the most links whose articles' addresses have a
# shape of their own.
HELD_OUT = {
    "wordpress.com": DAY,
    "asahi.com": r"/articles/[A-Z0-9]{10,}\.html",
    "yomiuri.co.jp": r"/20\d{6}-[A-Z0-9]+",
    "goo.ne.jp": r"blog\.goo\.ne\.jp/[^/]+/e/[0-9a-f]{32}",
    "wsj.com": r"/articles/[^/]+-\d+|blogs\.wsj\.com/[^/]+/20\d\d/\d\d/\d\d/[^/]+",
    "corriere.it": r"/\d\d_[a-z]+_\d\d/|-[0-9a-f]{8}-[0-9a-f]{4}-",
    "mozilla.org": DAY,
    "googleblog.com": r"/20\d\d/\d\d/[^/]+\.html",
    "nikkan-gendai.com": r"/articles/view/\w+/\d+",
    "t-online.de": r"/id_\d{6,}",
    "nj.com": r"/20\d\d/\d\d/.+\.html",
    "telegraph.co.uk": DAY + r"|/\d{7,}/[^/]+",
    "macrumors.com": r"www\.macrumors\.com" + DAY,
    "cracked.com": r"/article_\d+_|/blog/[^/]{15,}",
    "yahoo.com": r"-\d{9}\.html",
    "businessinsider.com": r"-20\d\d-\d{1,2}$",
    "forbes.com": r"/sites/[^/]+/20\d\d/\d\d/\d\d/[^/]+",
}
# Notices, authors, topics, videos and printed twins have the same shape on some hosts,
# and are no articles.
NEVER = re.compile(
    r"/(privacy|terms|agb|kontakt|netiquette|themen?|tag|topics?|videos?|author|autor|redaktion|korrespondenten|"
    r"category|person|wetter|asv|about-us|archiv|hub|podcast|help|search|institutional|print|impressum|album)\b|"
    r"\.print$|-policy|terms-of-|opt-out|-hub-|nutzungsbedingungen|datenschutz|/help-\d|geschaeftsbedingungen|sitemap"
)
PAGES_OF_A_HOST = 3


def records() -> Iterator[tuple[str, str, bytes]]:
    """Every capture: address, kind, body."""
    from warcio.archiveiterator import ArchiveIterator

    with (REPLAY / "dev.warc.gz").open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response":
                kind = record.rec_headers.get_header("X-Replay-Kind") or "page"
                yield (
                    record.rec_headers.get_header("WARC-Target-URI"),
                    kind,
                    record.content_stream().read(),
                )


# Links


def in_sentences(tree, url: str) -> set[str]:
    """Keys of the addresses that are linked from running text."""
    from storage import identity

    found = set()
    for anchor in tree.iter("a"):
        parent = anchor.getparent()
        while parent is not None and parent.tag in (
            "b",
            "i",
            "em",
            "strong",
            "span",
            "font",
            "u",
        ):
            parent = parent.getparent()
        around = (
            len(" ".join(parent.text_content().split()))
            if parent is not None and parent.tag == "p"
            else 0
        )
        if around > len(" ".join(anchor.text_content().split())) + 60:
            try:
                found.add(identity.url_key(urljoin(url, anchor.get("href") or "")))
            except ValueError:
                continue
    return found


def links(shapes: Mapping[str, str], show: str | None) -> None:
    """Precision and recall of article links on the pages of some hosts."""
    from crawler.extraction import markup
    from crawler.leads import sections
    from storage import identity
    from storage.model import Page, Rejection

    pages = defaultdict(list)
    for url, kind, body in records():
        site = identity.registrable_domain(url)
        if kind in ("page", "listing") and site in shapes:
            pages[site].append((kind != "listing", -len(body), url, body))
    learned: Counter[str] = Counter()
    told: Counter[str] = Counter()
    good = {"precision": 0, "recall": 0}
    for site, shape in shapes.items():
        counts: Counter[str] = Counter()
        for _, _, url, body in sorted(pages[site])[:PAGES_OF_A_HOST]:
            page = Page(
                url=url,
                final_url=url,
                status=200,
                headers=(("content-type", "text/html"),),
                body=body,
                fetched_at=datetime.now(UTC),
            )
            parsed = markup.parse_page(page)
            if isinstance(parsed, Rejection):
                continue
            every, _ = sections.collect_links(parsed.tree, url)
            likely, matched = (
                sections.choose_article_links(every, url),
                sections.find_listing(parsed.tree, url=url, pattern=shape).links,
            )
            patterned = {identity.url_key(link.url) for link in matched}
            for key in every.keys() - in_sentences(parsed.tree, url):
                bare = every[key].url.partition("?")[0]
                is_one = bool(re.search(shape, bare)) and not NEVER.search(bare.lower())
                outcome = {
                    (True, True): "hit",
                    (False, True): "wrong",
                    (True, False): "missed",
                }.get((is_one, key in likely))
                counts[outcome or "left"] += 1
                told[
                    {
                        (True, True): "hit",
                        (False, True): "wrong",
                        (True, False): "missed",
                    }.get((is_one, key in patterned))
                    or "left"
                ] += 1
                if site == show and outcome in ("wrong", "missed"):
                    print(
                        f"    {outcome}: {every[key].url[:110]} | {every[key].text[:40]}"
                    )
        learned += counts
        precision, recall = _ratios(counts)
        good["precision"] += precision >= 0.95
        good["recall"] += recall >= 0.95
        print(
            f"{site:20} precision {precision:.3f}  recall {recall:.3f}   {counts['hit']} of {counts['hit'] + counts['missed']} found, {counts['wrong']} wrong, {counts['left']} left"
        )
    print(
        f"all, as learned:     precision {_ratios(learned)[0]:.3f}  recall {_ratios(learned)[1]:.3f} (to reach: .95 each); hosts that reach it: {good['precision']} and {good['recall']} of {len(shapes)}"
    )
    print(
        f"all, with a pattern: precision {_ratios(told)[0]:.3f}  recall {_ratios(told)[1]:.3f}"
    )


def _ratios(counts: Counter[str]) -> tuple[float, float]:
    hit = counts["hit"]
    return hit / max(1, hit + counts["wrong"]), hit / max(1, hit + counts["missed"])


# The web


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The replay server with a front page that goes on by one capture at each visit.

    Yields the proxy's address.
    """
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    faults = folder / "faults.json"
    faults.write_text(
        json.dumps({"urls": {r"^www\.darivoa\.com/$": {"captures": "step"}}})
    )
    command = [
        sys.executable,
        "replayd.py",
        "dev.warc.gz",
        "--port",
        str(port),
        "--log",
        str(folder / "log.jsonl"),
        "--config",
        str(faults),
        "--no-crawl-delay",
        "--tls",
    ]
    process = subprocess.Popen(command, cwd=REPLAY, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def bare(url: str) -> str:
    """The key under which both schemes are one."""
    from storage import identity

    return identity.url_key(url)


def named() -> tuple[dict[str, set[str]], set[str], dict[str, bytes], list[str]]:
    """What the sitemaps of each host and the front page name.

    Each host's robots.txt; the sitemaps to start from.
    """
    from lxml import html

    from storage import identity

    by_map: dict[str, set[str]] = {}
    front: set[str] = set()
    robots: dict[str, bytes] = {}
    starts: dict[str, str] = {}
    for url, kind, body in records():
        if kind == "robots":
            robots[identity.url_host(url)] = body
        elif kind == "listing":
            anchors = html.document_fromstring(body).iter("a")
            front |= {
                bare(urljoin(FRONT, a.get("href")))
                for a in anchors
                if ARTICLE.match(urljoin(FRONT, a.get("href") or "x:"))
            }
        elif kind == "sitemap":
            import gzip

            text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            if b"<sitemapindex" in text or identity.url_host(url) not in starts:
                starts[identity.url_host(url)] = url
            if b"<sitemapindex" not in text:
                by_map[url] = {
                    bare(unescape(found.decode()))
                    for found in re.findall(
                        rb"<loc>\s*(?:<!\[CDATA\[)?\s*([^<\]\s]+)", text
                    )
                }
    return (
        by_map,
        front,
        robots,
        [start.replace("https://", "http://", 1) for start in starts.values()],
    )


def crawl(folder: Path, proxy: str, starts: list[str], visits: int) -> set[str]:
    """Every sitemap once, then the front page again and again.

    The keys of all that was found.
    """
    from crawler import passes
    from crawler.engine import engine
    from crawler.fetching import loop
    from crawler.sources import CrawlSettings, Source
    from storage.store import Store

    settings = CrawlSettings(
        delay=0,
        proxy=proxy,
        min_relevance=0,
        max_age=timedelta(days=36_500),
        verify_tls=False,
    )
    sources = [
        Source(id=f"m{n:03}", kind="sitemap", url=url) for n, url in enumerate(starts)
    ]
    sources.append(Source(id="front", kind="section", url=FRONT, language="fa"))

    async def visit(store: Store) -> None:
        store.sources.sync(engine.source_states(sources))
        going = engine.Engine(store, settings, sources)
        await going.start()
        try:
            report = await passes.run_pass(
                going, [source.id for source in sources], force=True, everything=True
            )
            print(
                "sitemaps that could not be read:",
                json.dumps(
                    Counter(
                        one.error.partition(":")[0]
                        for one in report.sources.values()
                        if one.error
                    )
                ),
            )
            for _ in range(visits - 1):
                await passes.run_pass(going, ["front"], force=True, everything=False)
        finally:
            await going.stop()

    with Store.open(folder / "khabar.db") as store:
        loop.run(visit(store))
        return {
            row[0]
            for row in store.session.db.execute(
                "SELECT key FROM fates UNION SELECT key FROM leads"
            )
        }


def web(visits: int) -> None:
    """Coverage and conduct."""
    from protego import Protego

    from storage import identity

    by_map, front, robots, starts = named()
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as proxy:
        began = time.perf_counter()
        found = crawl(Path(name), proxy, starts, visits)
        seconds = time.perf_counter() - began
        log = [json.loads(line) for line in (Path(name) / "log.jsonl").open()]
    own = {
        url: {
            key
            for key in keys
            if identity.registrable_domain("http://" + key)
            == identity.registrable_domain(url)
        }
        for url, keys in by_map.items()
    }
    of_maps = set().union(*own.values())
    others = sum(len(keys) for keys in by_map.values()) - sum(
        len(keys) for keys in own.values()
    )
    print(
        f"{len(starts)} hosts with sitemaps, {visits} visits to the front page, {len(log)} requests in {seconds:.0f} s"
    )
    print(
        f"found of what the sitemaps name: {len(of_maps & found)} of {len(of_maps)} = {len(of_maps & found) / len(of_maps):.1%} (to reach: 98 %); {others} addresses of other sites refused"
    )
    print(
        "  not found, by host:",
        json.dumps(Counter(key.partition("/")[0] for key in of_maps - found)),
    )
    if visits >= 137:
        print(
            f"found of what the Dari front page names: {len(front & found)} of {len(front)} = {len(front & found) / len(front):.1%} (to reach: 98 %)"
        )
    asked = Counter(one["u"].partition("://")[2] for one in log)
    lists = (
        {bare(url) for url in by_map}
        | {bare(start) for start in starts}
        | {bare(FRONT)}
    )
    twice = [
        url
        for url, count in asked.items()
        if count > 1
        and not url.endswith("robots.txt")
        and bare("http://" + url) not in lists
    ]
    print(f"pages asked for twice: {len(twice)} {twice[:5]}")
    books = {
        host: Protego.parse(body.decode("utf-8", "replace"))
        for host, body in robots.items()
    }
    broken = [
        url
        for url in asked
        if (book := books.get(identity.url_host("http://" + url)))
        and not url.endswith("/robots.txt")
        and not book.can_fetch("http://" + url, "khabar")
    ]
    print(f"asked for against robots.txt: {len(broken)} {broken[:5]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--links", action="store_true")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--web", action="store_true")
    parser.add_argument("--visits", type=int, default=137)
    parser.add_argument("--show", metavar="HOST")
    args = parser.parse_args()
    if not REPLAY.is_dir():
        raise SystemExit("the shared folder is not here (set KHABAR_SHARED)")
    every = not (args.links or args.held_out or args.web)
    if args.links or every:
        links(SHAPES, args.show)
    if args.held_out or every:
        links(HELD_OUT, args.show)
    if args.web or every:
        web(args.visits)


if __name__ == "__main__":
    main()
