"""How often the day of publication is right, without a feed's help, and what it costs beside parsing the page.

usage: python tests/bench/dates.py CORPUS_DIR... [-v]

CORPUS_DIR holds pages.warc.gz and labels.jsonl with `date` and `record_id`, as in the shared folder.
"""

import argparse
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator

sys.path.insert(0, str(Path(__file__).parents[2]))

from crawler.extraction import dates, markup
from storage.model import Page, Rejection


def pages(path):
    """Record id and page of every response of a WARC file."""
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response":
                headers = record.http_headers.headers if record.http_headers else []
                url = record.rec_headers.get_header("WARC-Target-URI")
                when = datetime.now(UTC)
                body = record.content_stream().read()
                page = Page(
                    url=url,
                    final_url=url,
                    status=200,
                    headers=tuple(headers),
                    body=body,
                    fetched_at=when,
                )
                yield record.rec_headers.get_header("WARC-Record-ID"), page


def measure(corpus, *, verbose):
    """Print the figures of one corpus."""
    labels = {
        row["record_id"]: row
        for row in map(json.loads, (corpus / "labels.jsonl").open(encoding="utf-8"))
    }
    right = asked = 0
    parsing = finding = 0.0
    methods = Counter()
    for record, page in pages(corpus / "pages.warc.gz"):
        label = labels.get(record)
        if not label or not label.get("date"):
            continue
        started = time.process_time()
        parsed = markup.parse_page(page)
        parsing += time.process_time() - started
        if isinstance(parsed, Rejection):
            found = dates.PageDates()
        else:
            started = time.process_time()
            now = datetime.now(UTC)
            found = dates.find_dates(
                parsed.tree,
                parsed.own_json_ld,
                url=page.final_url,
                text="",
                now=now,
                language=label.get("lang"),
            )
            finding += time.process_time() - started
        got = found.published
        same = str(label["date"])[:10] == (got.at.date().isoformat() if got else "")
        asked += 1
        right += same
        methods[(got.method if got else "none", same)] += 1
        if verbose and not same:
            print(
                " ",
                str(label["date"])[:25],
                got and (got.at.isoformat(), got.method, got.raw[:60]),
                label["url"],
            )
    print(
        f"{corpus.name}: day right {right}/{asked} = {right / max(1, asked):.4f};",
        end=" ",
    )
    print(
        f"finding costs {finding / max(parsing, 1e-9):.2f} of parsing; {finding / max(1, asked) * 1000:.1f} ms CPU a page"
    )
    for (method, same), count in sorted(methods.items()):
        print(f"    {method:8} {'right' if same else 'wrong'} {count}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpora", nargs="+", type=Path)
    parser.add_argument("-v", dest="verbose", action="store_true")
    options = parser.parse_args()
    for corpus in options.corpora:
        measure(corpus, verbose=options.verbose)


if __name__ == "__main__":
    main()
