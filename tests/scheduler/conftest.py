"""What the tests of the commands share.

A small store of invented articles, and the command line run inside this process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from builders import (
    TEXT,
    make_document,
    make_landing,
    make_lead,
    make_poll,
    make_rejection,
    make_source_state,
)
from scheduler import cli
from storage.model import Cut, Document, Reason, Verdict, utc_now
from storage.store import Store

HOSTILE = "Bomb \x1b[31mred\x1b[0m \u202eevil\u202c\x07 in Herat"
REASON = Reason(term="killed", where="title", weight=0.5, kind="event")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def report(number: int, **fields: object) -> Document:
    """The report of this number, published as many hours ago."""
    at = utc_now().replace(microsecond=0) - timedelta(hours=number)
    given = {
        "url": f"https://outlet.example/{number}",
        "text": f"{TEXT}\nReport {number}.",
        "language": "en",
        "published_at": at,
        "published_how": "feed",
        "authors": ("Laila Qaderi",),
        "verdict": Verdict(score=0.9, reasons=(REASON,)),
        "cuts": (Cut(rule="tail", text="Source link"),),
    }
    return make_document(**(given | fields))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with one source switched on and one off."""
    file = tmp_path / "config.toml"
    file.write_text(
        '[[sources]]\nid = "outlet"\nfeed = "https://outlet.example/feed"\n'
        '[[sources]]\nid = "off"\nfeed = "https://off.example/feed"\nenabled = false\n',
        "utf-8",
    )
    return file


@pytest.fixture
def stocked(config: Path) -> Path:
    """The configuration of a store that was crawled a moment ago.

    Two articles, a copy, a rejected page.
    """
    now = utc_now()
    lead = make_lead("https://outlet.example/sport", title="Spinners win")
    original = report(1)
    # Of the same second, whenever it is made: the earlier one would be the original.
    copy = report(
        1, url="https://mirror.example/copied", published_at=original.published_at
    )
    hostile = report(2, title=HOSTILE, language="fa", text="در هرات بمب منفجر شد.")
    rejection = make_rejection(
        title="Spinners win", verdict=Verdict(score=0.1, reasons=(REASON,))
    )
    with Store.open(
        config.parent / "khabar.db", captures=config.parent / "captures"
    ) as store:
        store.sources.sync([make_source_state("outlet")])
        pending = store.polls.land(make_poll(lead, at=now, newest_at=now)).fresh[0]
        store.landings.land(
            [
                make_landing(original),
                make_landing(copy),
                make_landing(hostile),
                make_landing(rejection, lead.url, lead=pending),
            ]
        )
    return config


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run `khabar` with these words, without a configuration and without a home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def ran(*words: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code=int(ended.value.code or 0), out=captured.out, err=captured.err)

    return ran
