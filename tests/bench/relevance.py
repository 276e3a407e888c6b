"""What it costs to read an article of 600 words: scan, verdict, mentions and claims.

And what a worker pays once.

usage: python tests/bench/relevance.py [FILE]

FILE is a text to read instead of the one made here. Prints CPU milliseconds for 600
words, the start-up of a fresh process, and the ratio to looking for each form of the
vocabulary by itself in the same folded text.
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from crawler.topic import gazetteer, mentions, relevance, scan, vocabulary

ROOT = Path(__file__).parents[2]
# Written for this benchmark: forty words of news, in one of three languages for each
# paragraph.
PARAGRAPHS = (
    (
        "Taliban fighters attacked a checkpoint in Panjwai district of Kandahar province late on Sunday, killing at least "
        "six policemen and wounding four, officials said. Afghan forces called in an airstrike and retook the post before "
        "dawn, a spokesman for the governor added."
    ),
    (
        "مقام‌های محلی در ولایت بغلان می‌گویند که درگیری میان نیروهای امنیتی و طالبان در ولسوالی دوشی سه کشته و پنج زخمی بر جا "
        "گذاشته است. باشندگان از بسته شدن شاهراه بغلان به کابل و نگرانی خانواده‌ها سخن می‌گویند."
    ),
    (
        "د هلمند چارواکي وايي چې د سنګین ولسوالۍ کې د سړک د غاړې ماین چاودنې لږ تر لږه درې ملکي کسان ووژل او پنځه نور یې "
        "ټپیان کړل. سیمه ییز اوسېدونکي وايي چې پېښه د سهار مهال وشوه."
    ),
)
START = "import time; a=time.process_time(); from crawler.topic import scan; scan.scan_text(None, 'Blast in Kabul'); print(time.process_time()-a)"


def cpu(work, rounds=100):
    """The least CPU milliseconds of one call.

    What it costs when nothing else gets in its way.
    """
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best * 1000


def read(text):
    """Everything of relevance and mentions for one article."""
    found = scan.scan_text(None, text)
    relevance.judge(found)
    mentions.find_mentions(found)


def main():
    text = (
        Path(sys.argv[1]).read_text(encoding="utf-8")
        if len(sys.argv) > 1
        else "\n".join(PARAGRAPHS * 6)
    )
    words = len(text.split())
    read(text)
    spent = cpu(lambda: read(text)) * 600 / words
    forms = [
        form for place in gazetteer.load_places().values() for form in place.spellings
    ]
    forms += [
        term.text
        for group in ("actor", "event", "negative")
        for term in vocabulary.terms_of_group(group)
    ]
    folded, keys = (
        vocabulary.fold_letters(text),
        [vocabulary.fold_letters(form) for form in forms],
    )
    loop = cpu(lambda: [key in folded for key in keys], rounds=5) * 600 / words
    start = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    print(
        f"{words} words; for 600: {spent:.2f} ms CPU; a loop over {len(keys)} forms: {loop:.2f} ms, ratio {loop / spent:.1f}"
    )
    print(f"start-up of a fresh process: {float(start.stdout):.2f} s CPU")


if __name__ == "__main__":
    main()
