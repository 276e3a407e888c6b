"""What compressing raw pages costs and saves, by level, and how fast captures are written and read back.

    python tests/bench/archive.py [FILE.warc.gz ...]     the shared folder's labelled pages where no file is named

Prints MB/s of CPU and the share of the size for each zlib level, then records a second through the archive itself, with
the ratio to writing the same bodies into plain files.
"""

import os
import sys
import tempfile
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from warcio.archiveiterator import ArchiveIterator

from storage.archive import Archive
from storage.model import Page

SHARED = Path(
    os.environ.get("KHABAR_SHARED", Path(__file__).resolve().parents[3] / "shared")
)


def bodies(files: list[Path]) -> list[bytes]:
    """The bodies of all responses."""
    found = []
    for file in files:
        with file.open("rb") as source:
            found += [
                record.content_stream().read()
                for record in ArchiveIterator(source)
                if record.rec_type == "response"
            ]
    return found


def levels(pages: list[bytes]) -> None:
    total = sum(map(len, pages))
    print(f"{len(pages)} pages, {total / 1e6:.0f} MB")
    for level in (1, 2, 3, 4, 5, 6, 9):
        start, out = time.process_time(), 0
        for body in pages:
            packer = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            out += len(packer.compress(body)) + len(packer.flush())
        spent = time.process_time() - start
        print(
            f"level {level}: {total / spent / 1e6:5.0f} MB/s, {spent / len(pages) * 1e3:5.2f} ms a page, {out / total:6.1%}"
        )


def records(pages: list[bytes]) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as name:
        store = Archive(Path(name))
        start = time.process_time()
        places = [
            store.write(
                Page(
                    url=f"https://h.example/{n}",
                    final_url=f"https://h.example/{n}",
                    status=200,
                    headers=(),
                    body=body,
                    fetched_at=now,
                ),
                "kept",
            )
            for n, body in enumerate(pages)
        ]
        written = time.process_time() - start
        start = time.process_time()
        for file, offset, _ in places:
            store.read(file, offset)
        read = time.process_time() - start
        start = time.process_time()
        for n, body in enumerate(pages):
            Path(name, f"{n}.html").write_bytes(body)
        plain = time.process_time() - start
        print(
            f"archive: {len(pages) / written:,.0f} written and {len(pages) / read:,.0f} read a second; {sum(file.size for file in store.files()) / 1e6:.0f} MB"
        )
        print(
            f"ratio to plain files: {written / plain:.1f} times their CPU for {sum(file.size for file in store.files()) / sum(map(len, pages)):.0%} of their size"
        )


def main() -> None:
    files = [Path(name) for name in sys.argv[1:]] or sorted(
        (SHARED / "corpora" / "extraction").glob("*/pages.warc.gz")
    )
    if not files:
        sys.exit("Name WARC files, or set KHABAR_SHARED to the shared folder.")
    pages = bodies(files)
    levels(pages)
    records(pages)


if __name__ == "__main__":
    main()
