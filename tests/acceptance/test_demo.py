"""The whole way on loopback.

`khabar demo`, and the commands around the invented web of `crawler.replay`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.replay import ReplayServer, ReplaySite
from storage.store import Store


def khabar(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """The program itself, as a process, at home in this folder."""
    environment = {
        **os.environ,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "scheduler.cli", *map(str, words)],
        text=True, capture_output=True, timeout=120, check=False, cwd=folder, env=environment, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[subprocess.CompletedProcess[str], Store]]:
    """One demo, kept."""
    folder = tmp_path_factory.mktemp("demo")
    ran = khabar("demo", "--keep", "kept", folder=folder)
    assert ran.returncode == 0, ran.stderr
    with Store.read(
        folder / "kept/khabar.db", captures=folder / "kept/khabar.db.captures"
    ) as store:
        yield ran, store


def urls(store: Store, statement: str) -> set[str]:
    return {row[0] for row in store.session.db.execute(statement)}


def test_the_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """Without --keep, its folder is gone at the end, and nothing was written at home."""
    ran = khabar("demo", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_demo_keeps_what_is_about_the_conflict_in_three_languages(played) -> None:
    """And drops cricket and pomegranates, with the score beside each."""
    ran, store = played
    assert urls(store, "SELECT substr(language, 1, 2) FROM articles") == {
        "en",
        "fa",
        "ps",
    }
    assert urls(store, "SELECT url FROM rejections WHERE why = 'irrelevant'") == {
        "http://hindukush-courier.example/2026/cricket-spinners-series/", "http://payam-salang.example/fa/news/1402",
    }  # fmt: skip
    assert re.search(r"dropped +Spinners turn the series.*\n +relevance 0", ran.stdout)


def test_the_demo_recognises_the_reprint_and_cuts_its_tail(played) -> None:
    """The blog's copy hangs on the original, without the words that such blogs leave inside a text."""
    ran, store = played
    rows = store.session.db.execute(
        "SELECT c.url, a.url, c.text FROM copies AS c JOIN articles AS a ON a.id = c.article_id"
    ).fetchall()
    assert [(row[0], row[1]) for row in rows] == [
        (
            "http://daily-world-mirror.example/world/three-officers-killed-in-khogyani/",
            "http://hindukush-courier.example/2026/khogyani-checkpoint-attack/",
        )
    ]
    for tail in (
        "Source link",
        "Leave a Reply",
        "Your email address will not be published",
    ):
        assert tail not in rows[0][2]
    assert "Your email address will not" in ran.stdout


def test_the_demo_shows_the_correction(played) -> None:
    """The second round finds the corrected report, keeps both states, and shows what changed."""
    ran, store = played
    head = store.session.db.execute(
        "SELECT document_id, title, revision FROM articles WHERE url LIKE '%maiwand%'"
    ).fetchone()
    assert (head[1], head[2]) == (
        "Roadside bomb kills two and wounds six on Kandahar highway",
        2,
    )
    assert "their lives were not in danger" in store.articles.revisions(head[0])[0].text
    assert "corrected" in ran.stdout


def test_the_demo_obeys_robots_and_saves_a_text_whose_page_is_gone(played) -> None:
    """The closed page was never asked for.

    The feed's whole text stands in for a page that is gone.
    """
    _, store = played
    assert urls(
        store, "SELECT url FROM fates WHERE fate = 'refused' AND reason = 'robots'"
    ) == {"http://hindukush-courier.example/members/briefing-41/"}
    assert urls(store, "SELECT url FROM articles WHERE from_feed") == {
        "http://amu-monitor.example/notes/46"
    }


def test_the_demo_asks_conditionally_the_second_time(played) -> None:
    """Three outlets answer 304, and the summary says so."""
    ran, store = played
    assert "3 answered 304" in ran.stdout
    assert (
        store.session.db.execute(
            "SELECT count(*) FROM polls WHERE status = 'not_modified'"
        ).fetchone()[0]
        == 3
    )


def test_the_broken_feed_stops_nobody(played) -> None:
    """It is a poll error with its reason, told in both rounds."""
    ran, store = played
    errors = store.session.db.execute(
        "SELECT error FROM polls WHERE source = 'wire'"
    ).fetchall()
    assert len(errors) == 2
    assert all(row[0].startswith("html_instead_of_feed") for row in errors)
    assert ran.stdout.count("its feed cannot be read") == 2


def test_everything_adds_up_after_the_demo(played) -> None:
    """Every address has a fate, every visit balances, the file is sound."""
    _, store = played
    assert store.check() == []
    assert store.stats.counts()["pending"] == 0


def test_a_search_in_latin_letters_finds_all_scripts(played) -> None:
    """The demo ends with one: Andarab is found as اندراب, Kunar as کونړ."""
    ran, _ = played
    found = ran.stdout.partition("Typed in Latin letters")[2]
    assert "بغلان" in found
    assert "کونړ" in found
    assert "Paktika" in found


@pytest.fixture
def web(tmp_path: Path) -> Iterator[ReplayServer]:
    """The invented web, and a configuration that points to it."""
    site = ReplaySite.load()
    with ReplayServer(site) as running:
        sources = "".join(
            f'[[sources]]\nid = "{s.id}"\nfeed = "{s.url}"\nlanguage = "{s.language}"\n'
            for s in site.sources
        )
        (tmp_path / "config.toml").write_text(
            f'[crawl]\nproxy = "{running.address}"\ndelay = "0s"\n{sources}', "utf-8"
        )
        yield running


def test_crawl_tells_each_article_and_each_source(
    web: ReplayServer, tmp_path: Path
) -> None:
    """One line for each kept article, one for each source.

    A second pass at once is not due and succeeds.
    """
    ran = khabar("crawl", folder=tmp_path)
    assert ran.returncode == 0
    assert "khabar search" in ran.stderr
    assert len(re.findall(r"^new ", ran.stdout, re.MULTILINE)) == 6
    assert "html_instead_of_feed" in ran.stdout
    again = khabar("crawl", "--json", folder=tmp_path)
    assert again.returncode == 0
    assert {json.loads(line)["status"] for line in again.stdout.splitlines()} == {
        "not_due"
    }


def test_a_forced_second_pass_is_conditional_and_stores_nothing(
    web: ReplayServer, tmp_path: Path
) -> None:
    """Only feeds and robots.txt are asked for again."""
    khabar("crawl", folder=tmp_path)
    before = len(web.asked)
    rows = [
        json.loads(line)
        for line in khabar(
            "crawl", "--force", "--json", folder=tmp_path
        ).stdout.splitlines()
    ]
    assert sum(row["new"] + row["revised"] + row["copies"] for row in rows) == 0
    asked = [one for one in web.asked[before:] if not one.url.endswith("/robots.txt")]
    assert {one.url for one in asked} == {source.url for source in web.site.sources}
    assert sum(one.status == 304 for one in asked) == 4


def test_a_crawl_that_reaches_nobody_is_exit_1(
    web: ReplayServer, tmp_path: Path
) -> None:
    """Only when no source at all could be visited."""
    assert khabar("crawl", "wire", "courier", folder=tmp_path).returncode == 0
    ran = khabar("crawl", "wire", "--force", folder=tmp_path)
    assert ran.returncode == 1
    assert "khabar sources check" in ran.stderr


def test_sources_check_tells_what_each_answers(
    web: ReplayServer, tmp_path: Path
) -> None:
    """How many items, how fresh, with which validators; it leaves no database."""
    ran = khabar("sources", "check", "--json", folder=tmp_path)
    assert ran.returncode == 0
    told = {row["source"]: row for row in map(json.loads, ran.stdout.splitlines())}
    assert (
        told["courier"]["items"],
        told["courier"]["validators"],
        told["courier"]["dated"],
    ) == (4, ["etag"], 4)
    assert told["spinghar"]["validators"] == ["date"]
    assert (told["wire"]["ok"], told["wire"]["items"]) == (False, 0)
    assert not (tmp_path / "khabar.db").exists()


def test_raw_pages_come_back_byte_for_byte(web: ReplayServer, tmp_path: Path) -> None:
    """`show --raw` gives the response as it came, and `explain` reads it like the desk did."""
    khabar("crawl", "payam", folder=tmp_path)
    raw = khabar("show", "1", "--raw", folder=tmp_path).stdout
    assert (
        raw
        == web.site.answer(
            "http://payam-salang.example/fa/news/1401", {}, 0
        ).body.decode()
    )
    (tmp_path / "page.html").write_text(raw, "utf-8")
    told = json.loads(khabar("explain", "page.html", "--json", folder=tmp_path).stdout)
    assert told["outcome"] == "document"
    assert told["title"] == "کشته شدن چهار جنگجو در درگیری در ولایت بغلان"


def test_a_newcomer_is_told_who_reported_what_and_what_changed_since(played) -> None:
    """What was reported from a place last week, by how many independently, what became of it; the raw pages are there."""
    _, store = played
    folder = store.path.parent

    def asked(*words: str) -> subprocess.CompletedProcess[str]:
        return khabar(*words, "--db", store.path, folder=folder)

    carried = json.loads(
        asked(
            "search", "--place", "Khogyani", "--since", "7d", "--facets", "--json"
        ).stdout
    )
    assert [
        carried[name] for name in ("total", "reports", "independent", "publishers")
    ] == [1, 2, 1, 1]
    told = asked("search", "--place", "کندهار", "--since", "7d", "--facets").stdout
    assert "1 article: 1 report, 1 independent, by 1 publisher" in told
    assert re.search(r"revised +\d+ +Roadside bomb kills two", told)
    number = json.loads(asked("search", "--place", "Kandahar", "--json").stdout)["id"]
    assert "{+kills two and+}" in asked("show", str(number), "--history").stdout
    assert "<html" in asked("show", str(number), "--raw").stdout
    assert (
        "0 raw pages" not in asked("evidence", str(number), "--output", "case").stdout
    )
