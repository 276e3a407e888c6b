"""The service when the disk, the file, another program or the servers misbehave (protocol C3 to C6, C9, C14, C15)."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from harness import Web, copied, faults, lost


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_c3_a_signal_in_the_middle_of_a_crawl_ends_it_within_ten_seconds(
    serve, web: Web, number: int
) -> None:
    """Exit 0; what was under way is pending, and the next start takes it up."""
    web.control(delay=0.5)
    service = serve().start()
    service.until(lambda: service.kept > 0)
    code, took = service.stop(number)
    assert (code, took < 10) == (0, True), service.log[-2000:]
    with copied(service.db) as db:
        assert not faults(db, 6, 10)
    assert service.one("SELECT count(*) FROM leads") > 0
    web.control(delay=0)
    service.start()
    service.until(lambda: service.is_done(60))


def test_c3_a_second_signal_ends_it_at_once(serve, web: Web) -> None:
    """Nobody waits for a server that hangs."""
    web.control(delay=20)
    service = serve().start()
    service.until(lambda: web.control()["most_open"] > 0)
    service.process.send_signal(signal.SIGINT)
    # The second one may come only after the first was heard: two that wait are one.
    service.until(lambda: '"stopping' in service.log)
    code, took = service.stop(signal.SIGINT)
    assert code == 130
    assert took < 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip(
            "only root may mount a small file system: a full disk is not tested"
        )
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder],
        check=False,
        capture_output=True,
    ).returncode:
        pytest.skip("no file system can be mounted here: a full disk is not tested")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_c4_a_full_disk_is_outlived_and_nothing_is_lost(
    serve, web: Web, small_disk: Path
) -> None:
    """The service stays up and says so.

    When there is room again it goes on by itself.
    """
    service = serve(small_disk)
    web.control(delay=0.02)
    service.start()
    service.until(lambda: service.kept > 0)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError:
            pass
    web.control(rounds=2)
    # The log stands on the same full disk, so it is the web that tells that the service
    # still lives.
    time.sleep(3)
    assert service.runs
    with closing(sqlite3.connect(f"file:{service.db}?mode=ro", uri=True)) as db:
        assert not faults(db, 6, 10)
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    service.until(lambda: service.is_done(60), within=90)
    assert service.stop()[0] == 0
    with copied(service.db) as db:
        assert not faults(db, 6, 10)
        assert lost(db, 6, 10) == 0


def test_c5_a_file_that_cannot_be_used_is_left_alone(serve, web: Web) -> None:
    """Flipped bytes, no database, no folder.

    Exit 3 with a sentence, and not a byte is written.
    """
    service = serve()
    service.start()
    service.until(lambda: service.is_done(60))
    assert service.stop()[0] == 0
    sound = service.db.read_bytes()
    for damage in (
        b"\xff" * 4096 + sound[4096:],
        sound[:100] + b"\0" * 3996 + sound[4096:],
        b"<html>" * 1000,
    ):
        service.db.write_bytes(damage)
        told = service.khabar("run")
        assert told.returncode == 3, told.stderr
        assert len(told.stderr.strip().splitlines()) == 1
        assert "backup" in told.stderr or "doctor" in told.stderr
        assert service.db.read_bytes() == damage
    service.db.write_bytes(sound)
    service.config.write_text(
        service.config.read_text().replace("khabar.db", "nowhere/khabar.db")
    )
    assert service.khabar("run").returncode == 3


def test_c5_a_database_that_is_taken_away_ends_the_service_and_is_rescued(
    serve, web: Web
) -> None:
    """Exit 3.

    What the service still held open is written beside the place where the file stood.
    """
    service = serve()
    service.start()
    service.until(lambda: service.is_done(60))
    service.db.unlink()
    assert service.process.wait(120) == 3, service.log[-2000:]
    rescued = service.db.with_name("khabar.db.rescued")
    assert "rescued" in service.log
    with copied(rescued) as db:
        assert not faults(db, 6, 10)
        assert lost(db, 6, 10) == 0


def test_c6_a_program_that_holds_the_file_is_waited_for(
    serve, web: Web, unused_port: int
) -> None:
    """Seconds without writing.

    The heartbeat goes on, readers are answered, nothing is lost. A minute: lockout.py.
    """
    web.control(delay=0.05)
    service = serve(extra=f'[service]\nmetrics = "127.0.0.1:{unused_port}"\n').start()
    service.until(lambda: service.kept > 0)
    with closing(
        sqlite3.connect(service.db, timeout=20, isolation_level=None)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        held = service.kept
        time.sleep(4)
        assert service.kept - held == 0
        with urllib.request.urlopen(
            f"http://127.0.0.1:{unused_port}/healthz", timeout=5
        ) as answer:
            assert answer.status == 200
        began = time.monotonic()
        assert service.khabar("search", "--limit", "1").returncode == 0
        assert time.monotonic() - began < 20
        other.execute("ROLLBACK")
    service.until(lambda: service.is_done(60))
    with copied(service.db) as db:
        assert not faults(db, 6, 10)


def test_c9_servers_that_flap_are_not_hammered(serve, web: Web) -> None:
    """Half of all answers are errors, resets or 429.

    No feed is asked again before its backoff; then all is read.
    """
    web.control(errors=0.5)
    service = serve(delay="100ms").start()
    service.until(
        lambda: (
            service.one("SELECT count(*) FROM sources WHERE last_poll_at IS NULL") == 0
        ),
    )
    time.sleep(4)
    told = web.control(asked=1)
    assert all(
        len(seen) <= 1 for url, seen in told["asked"].items() if url.endswith("/feed")
    )
    assert told["most_open"] == 1
    web.control(errors=0)
    service.khabar("crawl", "--force")
    service.until(
        lambda: service.one("SELECT count(*) FROM sources WHERE failures > 0") == 0
    )
    assert service.stop()[0] == 0
    with copied(service.db) as db:
        assert not faults(db, 6, 10)


def test_c14_a_backup_during_a_crawl_is_consistent(serve, web: Web) -> None:
    """Copies are taken while documents come in: each is whole in itself."""
    web.control(delay=0.05)
    service = serve(
        extra='[service]\nbackup = "nightly.db"\nbackup_every = "1m"\n'
    ).start()
    service.until(lambda: service.kept > 0)
    for number in range(3):
        assert (
            service.khabar(
                "backup", str(service.folder / f"copy{number}.db")
            ).returncode
            == 0
        )
        with copied(service.folder / f"copy{number}.db") as db:
            assert not faults(db, 6, 10)
    service.until((service.folder / "nightly.db").exists)
    service.until(lambda: service.is_done(60))


def test_c15_the_service_is_a_guest_with_manners(serve, web: Web) -> None:
    """Validators byte for byte, no cookies, no referrers, one connection a host.

    A restart asks nothing again.
    """
    service = serve(delay="50ms").start()
    service.until(lambda: service.is_done(60))
    assert service.khabar("crawl", "--force").returncode == 0
    told = web.control(asked=1)
    statuses = [
        [status for _, status in seen]
        for url, seen in told["asked"].items()
        if url.endswith("/feed")
    ]
    assert statuses == [[200, 304]] * 6
    assert told["odd"] == []
    assert told["most_open"] == 1
    assert service.stop()[0] == 0
    asked = web.control()["requests"]
    service.start()
    service.until(lambda: service.log.count('"ready') == 2)
    time.sleep(2)
    assert web.control()["requests"] == asked
