"""A sample of the places found in labelled items, for a person to read.

How many are not places there.

usage: python tests/bench/places.py FOLDER [--count 100] [--seed 1] [--language ps]

FOLDER holds *.jsonl with `title`, `text` and `lang`, as corpora/relevance of the shared
folder. Each line: language, code, name, and the words around the form that was taken
for the place, in brackets.
"""

import argparse
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from crawler.topic import scan


def found(folder):
    """(language, line to read) for every place found, once for each sentence."""
    lines = {}
    for path in sorted(folder.glob("*.jsonl")):
        for item in map(json.loads, path.open(encoding="utf-8")):
            text, title = item.get("text") or item.get("title") or "", item.get("title")
            read = scan.scan_text(
                title if title and title.strip() != text.strip() else None, text
            )
            for located in read.places:
                hit, sentence = (
                    located.match,
                    read.sentences[located.match.sentence].text,
                )
                around = f"{sentence[max(0, hit.start - 45) : hit.start]}[{read.matched_text(hit)}]{sentence[hit.end : hit.end + 35]}"
                lines[item["lang"], located.place.code, located.place.name, around] = (
                    None
                )
    return list(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--language")
    args = parser.parse_args()
    lines = [line for line in found(args.folder) if args.language in (None, line[0])]
    for line in random.Random(args.seed).sample(lines, min(args.count, len(lines))):
        print(*line, sep=" | ")
    print(f"{min(args.count, len(lines))} of {len(lines)}", file=sys.stderr)


if __name__ == "__main__":
    main()
