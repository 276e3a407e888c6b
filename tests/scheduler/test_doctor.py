"""What the doctor finds, and that each finding says how to mend it."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from builders import make_document, make_landing, make_page, make_source
from crawler.sources import CrawlSettings
from scheduler import doctor
from scheduler.config import Config
from storage.model import utc_now
from storage.settings import StoreSettings
from storage.store import Store


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A configuration whose proxy is a port on which nobody listens.

    No check leaves this machine.
    """
    return Config(
        store=StoreSettings(path=tmp_path / "khabar.db", captures=None),
        crawl=CrawlSettings(contact="https://us.example/", proxy="http://127.0.0.1:9"),
        sources=(make_source("a", url="http://a.example/feed"),),
    )


def broken(config: Config, check: Callable[[Config], object]) -> list[str]:
    return [one.says for one in check(config) if not one.good]


def test_everything_that_is_broken_or_wise_says_what_to_do(config: Config) -> None:
    """No complaint without a remedy."""
    assert all(
        one.mend for one in doctor.run_checks(config) if not one.good or one.advice
    )
    # Without a database there is nothing to say of raw pages and of the work.
    silent = {"scripts", "captures", "working"}
    assert {one.check for one in doctor.run_checks(config)} == (
        set(doctor.CHECKS) - silent
    )


def test_a_browser_is_asked_for_only_where_a_source_needs_one(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """What is lacking is named with its mend; a sandbox that is off is told."""
    assert list(doctor.check_scripts(config)) == []
    scripted = replace(config, sources=(replace(config.sources[0], javascript=True),))
    monkeypatch.setattr("crawler.fetching.browser.find_spec", lambda _: None)
    (found,) = doctor.check_scripts(scripted)
    assert (found.good, found.says) == (
        False,
        "a cannot be read: Playwright is not installed",
    )
    assert found.mend == "pip install 'khabar[javascript]'"
    monkeypatch.setattr("crawler.fetching.browser.find_spec", lambda _: object())
    monkeypatch.setattr(
        "crawler.fetching.browser.find_browser", lambda _="": "/usr/bin/chromium"
    )
    monkeypatch.setattr("crawler.fetching.browser.is_sandboxed", lambda: False)
    assert [one.advice for one in doctor.check_scripts(scripted)] == [False, True]


def test_a_file_of_another_version_is_not_called_damaged(config: Config) -> None:
    """An older one is brought up to date by the next writer, a newer one wants its program: neither a backup."""
    Store.open(config.store.path).close()
    with sqlite3.connect(config.store.path) as db:
        (last,) = db.execute("SELECT max(name) FROM _sqlite_migrations").fetchone()
        db.execute(
            "UPDATE _sqlite_migrations SET name = 'm999_to_come' WHERE name = ?", [last]
        )
    db.close()
    (newer,) = [one for one in doctor.check_database(config) if not one.good]
    with sqlite3.connect(config.store.path) as db:
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm999_to_come'")
    db.close()
    (older,) = [one for one in doctor.check_database(config) if not one.good]
    assert "newer khabar" in newer.mend
    assert "brings it up to date" in older.mend
    assert "backup" not in newer.mend + older.mend


def test_libraries_are_there_or_named(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing library is told by its name."""
    assert not broken(config, doctor.check_installation)
    monkeypatch.setattr(doctor, "REQUIRED_LIBRARIES", ("json", "no_such_library"))
    assert broken(config, doctor.check_installation) == [
        "cannot be imported: no_such_library"
    ]


def test_a_contact_is_asked_for_and_a_source_is_needed(config: Config) -> None:
    """One is advice, the other a fault."""
    nobody = replace(config, crawl=replace(config.crawl, contact=""), sources=())
    assert [
        one
        for one in doctor.check_configuration(nobody)
        if one.advice and "contact" in one.mend
    ]
    assert broken(nobody, doctor.check_configuration) == ["no source is switched on"]


def test_a_sound_file_is_sound_and_an_index_that_lacks_a_text_is_told(
    config: Config,
) -> None:
    """The full text is compared with the table."""
    path = config.store.path
    with Store.open(path) as store:
        store.landings.admit(
            make_document(
                "http://a.example/1", "Some words that were invented.", title="One"
            )
        )
    assert not broken(config, doctor.check_database)
    with Store.open(path) as store:
        store.session.db.execute("DELETE FROM folded")
    assert "1 documents are not in the full text" in broken(
        config, doctor.check_database
    )


def test_a_damaged_file_is_told_with_the_way_back(config: Config) -> None:
    """The remedy names the file to move and where the backup goes."""
    config.store.path.write_bytes(b"no database" * 1000)
    (found,) = doctor.check_database(config)
    assert not found.good
    assert "service.backup" in found.mend
    assert config.store.path.read_bytes() == b"no database" * 1000


def test_a_folder_that_is_not_there_is_told(config: Config, tmp_path: Path) -> None:
    """And how to make it."""
    lost = replace(
        config, store=replace(config.store, path=tmp_path / "nowhere" / "khabar.db")
    )
    assert [one.mend for one in doctor.check_disk(lost)] == [
        f"make it: mkdir -p {tmp_path / 'nowhere'}"
    ]
    assert not broken(config, doctor.check_disk)


def test_a_clock_that_was_set_back_is_told(config: Config) -> None:
    """The service wrote in what is now the future."""
    with Store.open(config.store.path) as store:
        store.service.beat(utc_now() + timedelta(hours=2))
    assert "still to come" in broken(config, doctor.check_clock)[0]


def test_a_proxy_that_does_not_answer_is_told(config: Config) -> None:
    """With what to do about it."""
    assert "127.0.0.1:9 cannot be reached" in broken(config, doctor.check_network)[0]


def test_a_check_that_breaks_is_a_finding(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are made all the same."""

    def fails(_: Config) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setitem(doctor.CHECKS, "disk", fails)
    found = [one.check for one in doctor.run_checks(config)]
    assert "disk" in found
    assert "network" in found


def test_raw_pages_that_are_gone_are_told_and_strangers_files_too(
    config: Config, tmp_path: Path
) -> None:
    """Before somebody asks for evidence; files of another database stay."""
    folder = tmp_path / "captures"
    kept = replace(config, store=replace(config.store, captures=folder))
    with Store.open(kept.store.path, captures=folder) as store:
        url = "http://a.example/1"
        document = make_document(url, "Some words that were invented.", title="One")
        page = make_page(url=url, final_url=url, body=b"x" * 99)
        store.landings.land([make_landing(document, url=url, page=page)])
    assert not broken(kept, doctor.check_captures)
    (file,) = folder.rglob("*.warc.gz")
    stranger = file.with_name("2020-01-01.warc.gz")
    file.rename(stranger)
    said = list(doctor.check_captures(kept))
    assert [one.says for one in said if not one.good] == [
        f"1 of 1 raw pages cannot be read: kept/{file.name}"
    ]
    assert [one for one in said if one.advice and "1 WARC files" in one.says]


def test_an_index_that_lacks_texts_is_no_reason_to_move_the_file(
    config: Config,
) -> None:
    """The index itself is held against its table, and rebuilt where it differs."""
    path = config.store.path
    with Store.open(path) as store:
        store.landings.admit(make_document("http://a.example/1", "Invented words."))
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO fts (fts, rowid, title, text, tags) "
            "SELECT 'delete', key, title, 'other words', tags FROM folded"
        )
        db.execute(
            "INSERT INTO fts (rowid, title, text, tags) "
            "SELECT key, title, 'quite other', tags FROM folded"
        )
    db.close()
    (found,) = [one for one in doctor.check_database(config) if not one.good]
    assert found.says.startswith(doctor.FULL_TEXT_FAULT)
    assert "rebuild" in found.mend
    assert "restore" not in found.mend
