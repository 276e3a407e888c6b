"""Importing captures.

Pages a second on two cores against one, and a file of which 1 % is relevant against
reading all.

Usage: python tests/bench/warc.py [SHARED] [--pages N] [--rounds N] [--only-prefilter |
--only-memory]

The first figure is the replay's captures, imported in a process that may use one core
and in one that may use two. The second is a file made here: pages of the replay that
are not in Afghanistan's languages, and one in a hundred invented reports, in three
languages and several charsets; imported as it is, and with every host watched, so that
all pages are read. Rounds alternate and the best of each counts, less what an import of
one page takes. Missed reports are printed. The third is the memory of the process that
reads and stores, at the quarters of the same pages eight times over, each time under
other addresses. About eight minutes on two idle cores; the parts two, three and one.
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
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from crawler.files import import_context, importing, saved  # noqa: E402
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
    """An invented report in one of three languages.

    Every other one in entities, in another charset or escaped.
    """
    title, text = REPORTS[number % 3]
    body = (
        f"<html><head><title>{escape(title)}</title></head><body><h1>{title}</h1><article>"
        + "".join(f"<p>{text} {number}.{part}</p>" for part in range(4))
    )
    way = number // 3 % 3
    charset = "utf-8"
    if way == 1:
        raw = body.encode("ascii", "xmlcharrefreplace")
    elif way == 2 and number % 3 == 1:
        raw, charset = (
            body.replace("ی", "ي").encode("windows-1256", "xmlcharrefreplace"),
            "windows-1256",
        )
    else:
        raw = body.encode()
    url = f"https://outlet{number}.example/2021/06/report-{number}"
    kind = (("Content-Type", f"text/html; charset={charset}"),)
    return Page(
        url=url, final_url=url, status=200, headers=kind, body=raw, fetched_at=utc_now()
    )


def foreign(file: Path) -> Iterator[Page]:
    """Pages of the replay that are not written in Arabic script."""
    for one in saved.read_pages(file, lambda _: None):
        html = "html" in (one.page.header("content-type") or "")
        arabic = sum(one.page.body.count(bytes([lead])) for lead in range(0xD8, 0xDC))
        # Their names are Afghan
        invented = identity.url_host(one.page.url).endswith(".example")
        if (
            html
            and not invented
            and one.page.status == 200
            and arabic < len(one.page.body) // 50
        ):
            yield one.page


def mixed(file: Path, most: int, *, times: int = 1) -> Iterator[Page]:
    """One report in a hundred pages.

    The pages several times, each time under other addresses.
    """
    number = 0
    for time_ in range(times):
        for page in islice(foreign(file), most):
            url = (
                f"{page.url}{'&' if '?' in page.url else '?'}time={time_}"
                if time_
                else page.url
            )
            if number % ONE_IN == ONE_IN // 2:
                yield report(number // ONE_IN)
            yield replace(page, url=url, final_url=url)
            number += 1


def write(target: Path, pages: Iterable[Page]) -> list[str]:
    """A WARC file of these pages; their hosts."""
    hosts = []
    with target.open("wb") as out:
        for page in pages:
            out.write(gzip.compress(archive._response_record(page), 4))
            hosts.append(identity.url_host(page.url))
    return hosts


def child(file: Path, cores: int, watched: Path | None) -> None:
    """Import a file and print what it took; runs in a process of its own."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    hosts = json.loads(watched.read_text()) if watched else []
    sources = [
        Source(id=f"s{n}", kind="feed", url=f"https://{host}/")
        for n, host in enumerate(hosts)
    ]
    memory = [(0, 0)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder, "a.db"), captures=Path(folder, "c")) as store,
    ):
        settings, began = CrawlSettings(workers=cores), time.perf_counter()
        told = {
            "warn": lambda _: None,
            "progress": lambda taken: memory.append((taken.rows, resident())),
        }
        taken = asyncio.run(take_in(store, sources, settings, file, **told))
        kept = store.session.db.execute(
            "SELECT count(*) FROM documents WHERE url LIKE 'https://outlet%'"
        ).fetchone()[0]
        wall = time.perf_counter() - began
    every, own = spent(), time.process_time()
    said = {
        "wall": wall,
        "cpu": every,
        "own": own,
        "kept": kept,
        "unread": taken.unread,
        "rows": taken.rows,
    }
    quarters = [
        next(mb for rows, mb in memory if 4 * rows >= part * taken.rows)
        for part in (1, 2, 3, 4)
    ]
    print(json.dumps(said | {"memory": quarters}))


async def take_in(
    store: Store,
    sources: list[Source],
    settings: CrawlSettings,
    file: Path,
    **told: Any,
) -> Any:
    """An import at a desk of its own."""
    async with import_context.open_context(store, sources, settings) as own:
        return await importing.import_files(own, [file], **told)


def resident() -> int:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def spent() -> float:
    """CPU seconds of this session's processes, and of those of them that have ended."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == os.getsid(0):
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def measured(file: Path, cores: int, watched: Path | None, empty: dict) -> dict:
    """One import in a fresh session, without what an import of nothing takes."""
    words = [sys.executable, __file__, "--child", str(file), "--cores", str(cores)]
    words += ["--watched", str(watched)] if watched else []
    ran = subprocess.run(
        words, capture_output=True, text=True, check=True, start_new_session=True
    )
    told = json.loads(ran.stdout)
    return told | {
        name: told[name] - empty.get(name, 0) for name in ("wall", "cpu", "own")
    }


def best(runs: list[dict], what: str) -> dict:
    return min(runs, key=lambda run: run[what])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "shared",
        type=Path,
        nargs="?",
        default=Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared")),
    )
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only-prefilter", action="store_true")
    parser.add_argument("--only-memory", action="store_true")
    parser.add_argument("--child", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--watched", type=Path)
    told = parser.parse_args()
    if told.child:
        child(told.child, told.cores, told.watched)
        return
    replay = told.shared / "replay" / "dev.warc.gz"
    with tempfile.TemporaryDirectory() as folder:
        part, mix, nothing, hosts = (
            Path(folder, n)
            for n in ("part.warc.gz", "mix.warc.gz", "no.warc.gz", "hosts.json")
        )
        write(nothing, [report(0)])
        watched = write(part, islice(foreign(replay), told.pages))
        hosts.write_text(
            json.dumps(sorted({*watched, *write(mix, mixed(replay, told.pages))}))
        )
        empty = {cores: measured(nothing, cores, hosts, {}) for cores in (1, 2)}
        if not told.only_prefilter:
            write(nothing.with_name("long.warc.gz"), mixed(replay, told.pages, times=8))
            memory(measured(nothing.with_name("long.warc.gz"), 2, None, {}))
        if told.only_memory:
            return
        if not told.only_prefilter:
            cores(
                [
                    [measured(part, count, hosts, empty[count]) for count in (1, 2)]
                    for _ in range(told.rounds)
                ]
            )
        prefilter(
            [
                [measured(mix, 2, way, empty[2]) for way in (hosts, None)]
                for _ in range(told.rounds)
            ]
        )


def cores(runs: list[list[dict]]) -> None:
    """Pages a second by the clock, and what the one process that cannot be doubled takes of the work."""
    one, two = (best([pair[which] for pair in runs], "wall") for which in (0, 1))
    print(
        f"captures read: {one['rows'] / one['wall']:.1f} pages/s on one core, {two['rows'] / two['wall']:.1f} on two: "
        f"{one['wall'] / two['wall']:.2f} times; of {1000 * two['cpu'] / two['rows']:.1f} ms CPU a page the reading and "
        f"storing process takes {two['own'] / two['cpu']:.0%}, so two idle cores give "
        f"{min(2.0, two['cpu'] / two['own']):.2f} times"
    )


def memory(run: dict) -> None:
    """Megabytes resident in the one process that lasts."""
    print(
        f"memory at the quarters of {run['rows']:,} pages: {', '.join(map(str, run['memory']))} MB"
    )


def prefilter(runs: list[list[dict]]) -> None:
    """CPU of a page, which a busy machine changes least."""
    full, quick = (best([pair[which] for pair in runs], "cpu") for which in (0, 1))
    print(
        f"1 % relevant: {1000 * full['cpu'] / full['rows']:.1f} ms CPU a page reading all, "
        f"{1000 * quick['cpu'] / quick['rows']:.1f} with the prefilter: {full['cpu'] / quick['cpu']:.1f} times; "
        f"{quick['unread']} of {quick['rows']} not read, {full['kept'] - quick['kept']} of {full['kept']} reports missed"
    )


if __name__ == "__main__":
    main()
