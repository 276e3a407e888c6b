"""Importing captures: pages a second on two cores against one, and a file of which 1 % is relevant against reading all.

Usage: python tests/bench/warc.py [SHARED] [--pages N] [--rounds N]

The first figure is the replay's captures, imported in a process that may use one core and in one that may use two. The
second is a file made here: pages of the replay that are not in Afghanistan's languages, and one in a hundred invented
reports, in three languages and several charsets; imported as it is, and with every host watched, so that all pages are
read. Rounds alternate and the best of each counts, from the first landing to the last, so that a busy machine and the
start of the workers weigh little. Missed reports and the memory at a third of the way and at the end are printed.
"""

import argparse
import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import escape
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from crawler import importing, saved  # noqa: E402
from crawler.sources import CrawlSettings, Source  # noqa: E402
from storage import archive, identity  # noqa: E402
from storage.model import Page, utc_now  # noqa: E402
from storage.store import Store  # noqa: E402

ONE_IN = 100
# Written for this benchmark: no such events.
REPORTS = (
    ("Six policemen killed in Panjwai", "Taliban fighters attacked a checkpoint in Panjwai district of Kandahar province late on Sunday, killing six policemen and wounding four, officials said. Afghan forces called in an airstrike. "),
    ("سه کشته در درگیری بغلان", "مقام‌های محلی در ولایت بغلان می‌گویند که درگیری میان نیروهای امنیتی و طالبان در ولسوالی دوشی سه کشته و پنج زخمی بر جا گذاشته است. "),
    ("د هلمند په چاودنه کې درې کسان ووژل شول", "د هلمند چارواکي وايي چې د سنګین ولسوالۍ کې د طالبانو د ماین چاودنې درې ملکي کسان ووژل او پنځه نور یې ټپیان کړل. "),
)  # fmt: skip


def report(number: int) -> Page:
    """An invented report in one of three languages; every other one in entities, in another charset or escaped."""
    title, text = REPORTS[number % 3]
    body = f"<html><head><title>{escape(title)}</title></head><body><h1>{title}</h1><article>" + "".join(
        f"<p>{text} {number}.{part}</p>" for part in range(4)
    )
    way = number // 3 % 3
    charset = "utf-8"
    if way == 1:
        raw = body.encode("ascii", "xmlcharrefreplace")
    elif way == 2 and number % 3 == 1:
        raw, charset = body.replace("ی", "ي").encode("windows-1256", "xmlcharrefreplace"), "windows-1256"
    else:
        raw = body.encode()
    url = f"https://outlet{number}.example/2021/06/report-{number}"
    kind = (("Content-Type", f"text/html; charset={charset}"),)
    return Page(url=url, final_url=url, status=200, headers=kind, body=raw, fetched_at=utc_now())


def foreign(file: Path) -> Iterator[Page]:
    """Pages of the replay that are not written in Arabic script."""
    for one in saved.pages(file, lambda _: None):
        html = "html" in (one.page.header("content-type") or "")
        arabic = sum(one.page.body.count(bytes([lead])) for lead in range(0xD8, 0xDC))
        if html and one.page.status == 200 and arabic < len(one.page.body) // 50:
            yield one.page


def mixed(file: Path, most: int) -> Iterator[Page]:
    """One report in a hundred pages."""
    for number, page in enumerate(islice(foreign(file), most)):
        if number % ONE_IN == ONE_IN // 2:
            yield report(number // ONE_IN)
        yield replace(page, url=page.url, final_url=page.url)


def write(target: Path, pages: Iterable[Page]) -> list[str]:
    """A WARC file of these pages; their hosts."""
    hosts = []
    with target.open("wb") as out:
        for page in pages:
            out.write(gzip.compress(archive._record(page), 4))
            hosts.append(identity.host(page.url))
    return hosts


def child(file: Path, cores: int, watched: Path | None) -> None:
    """Import a file and print what it took; runs in a process of its own."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    hosts = json.loads(watched.read_text()) if watched else []
    sources = [Source(id=f"s{n}", kind="feed", url=f"https://{host}/") for n, host in enumerate(hosts)]
    marks: list[tuple[float, int, int]] = []
    taken_rows = 0

    def progress(text: str) -> None:
        nonlocal taken_rows
        taken_rows = int(text.partition(": ")[2].partition(" ")[0].replace(",", ""))
        marks.append((time.perf_counter(), taken_rows, resident()))

    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder, "a.db"), captures=Path(folder, "c")) as store:
        settings = CrawlSettings(workers=cores)
        taken = asyncio.run(importing.take_in(store, [file], sources, settings, warn=lambda _: None, progress=progress))
        kept = store.db.execute("SELECT count(*) FROM documents WHERE url LIKE 'https://outlet%'").fetchone()[0]
    (t0, n0, _), (t1, n1, last) = marks[0], marks[-1]
    third = marks[len(marks) // 3][2]
    told = {"rate": (n1 - n0) / (t1 - t0), "kept": kept, "unread": taken.unread, "rows": taken.rows}
    print(json.dumps(told | {"memory": [third, last]}))


def resident() -> int:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def measured(file: Path, cores: int, watched: Path | None = None) -> dict:
    """One import in a fresh process."""
    words = [sys.executable, __file__, "--child", str(file), "--cores", str(cores)]
    ran = subprocess.run(
        words + (["--watched", str(watched)] if watched else []), capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout)


def best(runs: list[dict]) -> dict:
    return max(runs, key=lambda run: run["rate"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "shared", type=Path, nargs="?", default=Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared"))
    )
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--child", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--watched", type=Path)
    told = parser.parse_args()
    if told.child:
        child(told.child, told.cores, told.watched)
        return
    replay = told.shared / "replay" / "dev.warc.gz"
    with tempfile.TemporaryDirectory() as folder:
        part, mix, hosts = Path(folder, "part.warc.gz"), Path(folder, "mix.warc.gz"), Path(folder, "hosts.json")
        watched = write(part, islice(foreign(replay), told.pages))
        hosts.write_text(json.dumps(sorted({*watched, *write(mix, mixed(replay, told.pages))})))
        pairs = [(measured(part, 1, hosts), measured(part, 2, hosts)) for _ in range(told.rounds)]
        one, two = best([a for a, _ in pairs]), best([b for _, b in pairs])
        print(
            f"captures read: {one['rate']:.1f} pages/s on one core, {two['rate']:.1f} on two: {two['rate'] / one['rate']:.2f} times; "
            f"memory {two['memory'][0]} MB at a third, {two['memory'][1]} MB at the end"
        )
        pairs = [(measured(mix, 2, hosts), measured(mix, 2)) for _ in range(told.rounds)]
        full, quick = best([a for a, _ in pairs]), best([b for _, b in pairs])
        print(
            f"1 % relevant: {full['rate']:.1f} pages/s reading all, {quick['rate']:.1f} with the prefilter: "
            f"{quick['rate'] / full['rate']:.1f} times; {quick['unread']} of {quick['rows']} not read, "
            f"{full['kept'] - quick['kept']} of {full['kept']} reports missed"
        )


if __name__ == "__main__":
    main()
