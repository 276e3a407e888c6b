"""A small store of invented articles, written for the tests, and the command line run inside this process."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler import cli
from storage.model import (
    Cut,
    Document,
    Landing,
    Lead,
    Poll,
    Reason,
    Rejection,
    RejectionReason,
    SourceState,
    Verdict,
    utc_now,
)
from storage.store import Store

TITLE = "Two officers killed near Kunduz"
TEXT = (
    "Gunmen killed two officers at a checkpoint near Kunduz before dawn, the police of the province said on Sunday.\n"
    "Nobody claimed the attack.\n"
    "The checkpoint stands where the road to the river leaves the town, and traders who passed it an hour later told "
    "of a burnt car, of broken glass and of guards who sent everybody back towards the bazaar until the afternoon."
)
HOSTILE = "Bomb \x1b[31mred\x1b[0m \u202eevil\u202c\x07 in Herat"
REASON = Reason(term="killed", where="title", weight=0.5, kind="event")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def document(number: int, **changes: object) -> Document:
    at = utc_now().replace(microsecond=0) - timedelta(hours=number)
    told = {
        "url": f"https://outlet.example/{number}", "source": "outlet", "title": TITLE, "text": f"{TEXT}\nReport {number}.",
        "language": "en", "published_at": at, "published_how": "feed", "authors": ("Laila Qaderi",),
        "verdict": Verdict(score=0.9, reasons=(REASON,)), "cuts": (Cut(rule="tail", text="Source link"),),
    }  # fmt: skip
    return Document(**(told | changes))


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
    lead = Lead(
        url="https://outlet.example/sport", source="outlet", title="Spinners win"
    )
    with Store.open(
        config.parent / "khabar.db", captures=config.parent / "captures"
    ) as store:
        store.sync_sources(
            [
                SourceState(
                    id="outlet",
                    name="Outlet",
                    kind="feed",
                    url="https://outlet.example/feed",
                )
            ]
        )
        poll = Poll(
            source="outlet",
            started_at=now,
            ended_at=now,
            status="ok",
            leads=(lead,),
            newest_at=now,
        )
        pending = store.land_poll(poll).fresh[0]
        rejection = Rejection(
            why=RejectionReason.IRRELEVANT,
            title="Spinners win",
            verdict=Verdict(score=0.1, reasons=(REASON,)),
        )
        copy = document(1, url="https://mirror.example/copied", source="mirror")
        store.land([
            Landing(outcome=document(1), url="https://outlet.example/1", source="outlet"),
            Landing(outcome=copy, url="https://mirror.example/copied", source="mirror"),
            Landing(outcome=document(2, title=HOSTILE, language="fa", text="در هرات بمب منفجر شد."), url="https://outlet.example/2", source="outlet"),
            Landing(outcome=rejection, url=lead.url, source="outlet", lead=pending),
        ])  # fmt: skip
    return config


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run `khabar` with these words, in a folder without a configuration and with no home."""
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


@pytest.fixture
def unused_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
