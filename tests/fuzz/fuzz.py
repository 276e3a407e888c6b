"""Coverage-guided fuzzing of everything that reads a stranger's bytes.

    uv run --group fuzz python tests/fuzz/fuzz.py TARGET [--seconds 600] [--findings
    FOLDER]

TARGET is feeds, extract, clean, articles or robots. Seeds are the project's invented
pages and, where there is one, the shared folder's attacks. The fuzzer stops at the
first input that raises, takes over 10 s or 1.5 GB, and leaves it in FOLDER; make it
small (`--minimise FILE`), write it in words of our own into `tests/fuzz/found/TARGET/`,
and mend the cause: `test_fuzz.py` replays what was found.
"""

import argparse
import gzip
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOUND = Path(__file__).parent / "found"
ATTACKS = Path(os.environ.get("KHABAR_SHARED", ROOT.parent / "shared")) / "attacks"
LONGEST = 100_000  # bytes of a seed: longer ones only slow the search down
DICTIONARY = (
    "<item>", "</item>", "<title>", "<link>", "<![CDATA[", "]]>", "<!ENTITY", "&#xD800;", "<pubDate>", "<content:encoded>",
    "<entry>", "<urlset>", "<loc>", '{"items":[', "<article>", "<p>", "<time datetime=", "<meta property=", "<script type=",
    '{"@type":"NewsArticle"', "Disallow: /", "User-agent: *", "Read also: ", "Source link", "۱۴۰۵", "\\u202e",
)  # fmt: skip


def seeds(target: str) -> list[bytes]:
    """Inputs to begin with."""
    pages = [
        path.read_bytes() for path in sorted((ROOT / "tests/pages").glob("*.html"))
    ]
    own = (
        [path.read_bytes() for path in sorted((FOUND / target).glob("*"))]
        if (FOUND / target).is_dir()
        else []
    )
    kinds = {
        "feeds": ("xml", "content", "redos"),
        "extract": ("html", "redos"),
        "clean": ("content",),
    }
    attacks = [
        path
        for kind in kinds.get(target, ())
        for path in sorted((ATTACKS / kind).glob("*"))
        if path.is_file()
    ]
    read = (
        gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in attacks
    )
    prefix = b"" if target in {"clean", "articles", "robots"} else b"\x00"
    started = [prefix + body for body in (*pages, *read) if len(body) < LONGEST]
    lines = [
        b'{"url": "http://outlet.example/a", "text": "A blast in Panjwai.", "published_at": "2026-11-01"}'
    ]
    return own + (
        lines
        if target == "articles"
        else [b"a\nUser-agent: *\nDisallow: /x*y$"]
        if target == "robots"
        else started
    )


def keeping(target: Callable[[bytes], None], folder: Path) -> Callable[[bytes], None]:
    """The target, which leaves what it raised for.

    The fuzzer itself does not where a library ends the process.
    """

    def tried(data: bytes) -> None:
        try:
            target(data)
        except Exception:
            (folder / f"found-{hashlib.sha1(data).hexdigest()[:12]}").write_bytes(data)
            raise

    return tried


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "target", choices=("feeds", "extract", "clean", "articles", "robots")
    )
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument(
        "--findings", type=Path, default=Path(tempfile.gettempdir()) / "khabar-fuzz"
    )
    parser.add_argument("--minimise", type=Path, metavar="FILE")
    told = parser.parse_args()
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    import atheris

    atheris.enabled_hooks.add("str")
    with atheris.instrument_imports(
        include=["crawler", "storage", "feedparser", "trafilatura", "protego"]
    ):
        import targets
    corpus = told.findings / told.target / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(told.target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = told.findings / "dictionary"
    words.write_text(
        "".join(
            '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n'
            for word in DICTIONARY
        )
    )
    options = [
        f"-max_total_time={told.seconds}",
        "-timeout=10",
        "-rss_limit_mb=1500",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={told.findings / told.target}/",
        f"-dict={words}",
        "-print_final_stats=1",
    ]
    where = (
        ["-minimize_crash=1", str(told.minimise)] if told.minimise else [str(corpus)]
    )
    atheris.Setup(
        [sys.argv[0], *options, *where],
        keeping(targets.TARGETS[told.target], told.findings / told.target),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
