"""What reading feeds costs beside plain feedparser, over the same documents in the same run.

usage: python tests/bench/feeds.py FOLDER

FOLDER holds feeds (.xml, .rss, .atom), as in the shared folder. Plain feedparser sanitises and reads no leads.
"""

import argparse
import io
import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import feedparser

sys.path.insert(0, str(Path(__file__).parents[2]))

from crawler.leads import feeds
from crawler.sources import CrawlSettings, Source

URL = "https://outlet.example/feed.xml"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")
    bodies = [
        f.read_bytes()
        for f in sorted(folder.rglob("*"))
        if f.suffix in (".xml", ".rss", ".atom") and f.is_file()
    ]
    limits = CrawlSettings()
    source, now = Source(id="bench", kind="feed", url=URL), datetime.now(UTC)
    headers = {"content-location": URL, "content-type": "application/xml"}
    ours = theirs = 0.0
    counts = [0, 0, 0]
    for body in bodies:
        started = time.process_time()
        feed = feeds.parse_feed(
            body,
            url=URL,
            headers=headers,
            source=source,
            now=now,
            max_bytes=limits.max_feed_size,
            max_entries=limits.max_entries,
        )
        ours += time.process_time() - started
        started = time.process_time()
        try:
            plain = len(
                feedparser.parse(io.BytesIO(body), response_headers=headers).entries
            )
        except (UnicodeError, AttributeError):
            plain = 0
        theirs += time.process_time() - started
        counts = [
            counts[0] + feed.entries,
            counts[1] + len(feed.leads),
            counts[2] + plain,
        ]
    print(
        f"{len(bodies)} documents; entries {counts[0]}, leads {counts[1]}; feedparser finds {counts[2]} entries"
    )
    print(
        f"CPU {ours:.2f} s against {theirs:.2f} s of plain feedparser: ratio {ours / max(theirs, 1e-9):.2f}"
    )


if __name__ == "__main__":
    main()
