"""A service as its operator has it: the real program, over the built-in web."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.replay import ReplayServer, ReplaySite

ROOT = Path(__file__).parents[2]


class Running:
    """A `khabar run` in a folder of its own, crawling the built-in web."""

    def __init__(self, folder: Path, web: ReplayServer) -> None:
        self.folder = folder
        self.web = web
        self.config = folder / "config.toml"
        self.environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
        self.process: subprocess.Popen[bytes] | None = None
        self.configure([source.id for source in web.site.sources])

    def configure(self, ids: list[str], extra: str = "", store: str = "") -> None:
        sources = [source for source in self.web.site.sources if source.id in ids]
        told = "".join(
            f'[[sources]]\nid = "{one.id}"\nfeed = "{one.url}"\nevery = "1h"\n'
            for one in sources
        )
        self.config.write_text(
            f'[store]\npath = "khabar.db"\n{store}[crawl]\ndelay = "0s"\nworkers = 1\nproxy = "{self.web.address}"\n{extra}{told}'
        )

    def start(self) -> "Running":
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "scheduler.cli", "run", "--config", str(self.config)],
                stderr=log, cwd=self.folder, env=self.environment,
            )  # fmt: skip
        self.until(lambda: '"ready' in self.log or self.process.poll() is not None)
        return self

    def khabar(
        self, *words: str, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scheduler.cli", *words, "--config", str(self.config)], input=given,
            text=True, capture_output=True, timeout=180, check=False, cwd=self.folder, env=self.environment,
        )  # fmt: skip

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """The command, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "scheduler.cli", *words, "--config", str(self.config)],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder, env=self.environment,
        )  # fmt: skip

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """The exit code and how long it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(60), time.monotonic() - began

    def ask(self, statement: str) -> list[tuple]:
        db = sqlite3.connect(f"file:{self.folder / 'khabar.db'}?mode=ro", uri=True)
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()

    def until(self, holds: Callable[[], bool], within: float = 120) -> None:
        end = time.monotonic() + within
        while not holds():
            assert time.monotonic() < end, self.log[-3000:]
            time.sleep(0.1)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def all_landed(self) -> bool:
        polled = (
            self.ask(
                "SELECT count(*) FROM sources WHERE enabled AND last_poll_at IS NULL"
            )[0][0]
            == 0
        )
        return polled and self.ask("SELECT count(*) FROM leads")[0][0] == 0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with ReplayServer(ReplaySite.load()) as web:
        running = Running(tmp_path, web)
        try:
            yield running
        finally:
            if running.process is not None and running.process.poll() is None:
                running.process.kill()
                running.process.wait()
