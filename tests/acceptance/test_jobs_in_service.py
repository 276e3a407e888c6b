"""Work on files that a running service does for a command.

Told live, refused with a reason, resumed after a kill.
"""

import json
import os
import signal
from pathlib import Path

import pytest

from scheduler import actions, config, follow_job
from storage.errors import WorkFailed
from storage.store import Store

# Written for the tests: no such events.
TEXT = "Gunmen killed three police officers at a checkpoint in Kandahar before dawn, the governor of the province said."


def articles(path: Path, number: int, *, broken: int = 0) -> Path:
    """Lines of JSON: so many invented reports, then lines that are none."""
    told = [
        {
            "url": f"https://paper.example/{n}",
            "text": f"{TEXT} This is report {n} of {n * n}.",
        }
        for n in range(number)
    ]
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in told) + "nothing\n" * broken
    )
    return path


@pytest.fixture
def idle(service):
    """A service that has nothing to visit."""
    service.configure(
        [],
        extra='[[sources]]\nid = "off"\nfeed = "https://off.example/feed"\nenabled = false\n',
    )
    return service.start()


def taken_in(service) -> int:
    """How many rows of an unfinished import are done with."""
    states = service.ask("SELECT state FROM progress WHERE work = 'import'")
    return json.loads(states[0][0])["rows"] if states else 0


def test_an_import_beside_a_running_service_says_what_one_without_says(idle) -> None:
    """The same report, the same warnings, the same exit code, the same articles in the same order."""
    folder = idle.folder
    articles(folder / "a.jsonl", 70, broken=9)
    (folder / "b.jsonl").write_text('{"url": 1}\n')
    for words in (("a.jsonl",), ("a.jsonl", "--json", "-v"), ("b.jsonl",)):
        here, there = (
            idle.khabar("import", *words, "--db", "own.db"),
            idle.khabar("import", *words),
        )
        assert (there.returncode, there.stdout, there.stderr) == (
            here.returncode,
            here.stdout,
            here.stderr,
        ), words
    with Store.read(folder / "own.db") as own:
        rows = [
            tuple(row)
            for row in own.session.db.execute(
                "SELECT id, url, text, relevance FROM articles ORDER BY id"
            )
        ]
    assert idle.ask("SELECT id, url, text, relevance FROM articles ORDER BY id") == rows
    assert len(rows) == 70


def test_what_is_piped_in_is_taken_in_and_does_not_stay(idle) -> None:
    """Through the service and without it, by a private file beside the database that is gone afterwards."""
    given = articles(idle.folder / "a.jsonl", 3, broken=1).read_text()
    through = idle.khabar("import", "-", given=given)
    assert through.stdout.startswith("4 rows read: 3 new, 1 skipped"), through.stderr
    assert through.stderr == "stdin:4: not JSON (JSONDecodeError); skipped\n"
    assert (
        idle.khabar("import", "-", "--db", "own.db", given=given).stdout
        == through.stdout
    )
    assert idle.khabar("import", "-", "-", given=given).returncode == 2
    assert not list(idle.folder.glob("*.stdin-*"))


def test_a_file_that_the_service_cannot_read_is_refused_with_the_reason(idle) -> None:
    """Before anything is taken in, with who the service is and what can be done."""
    good = articles(idle.folder / "a.jsonl", 1)
    with pytest.raises(
        WorkFailed,
        match=r"gone.jsonl cannot be read by the service, which runs as .*No such file",
    ):
        follow_job.import_by_service(
            config.load_config(idle.config),
            [good, idle.folder / "gone.jsonl"],
            warn=print,
            on_progress=lambda _: None,
        )
    os.mkfifo(idle.folder / "pipe.jsonl")
    with pytest.raises(WorkFailed, match="no plain file"):
        follow_job.import_by_service(
            config.load_config(idle.config),
            [idle.folder / "pipe.jsonl"],
            warn=print,
            on_progress=lambda _: None,
        )
    assert idle.ask("SELECT count(*) FROM articles") == [(0,)]


def test_visits_go_on_during_an_import_and_a_killed_one_goes_on_where_it_stopped(
    service,
) -> None:
    """Another command's crawl is done before the import is.

    After a kill the same file is read from where it was.
    """
    service.start()
    service.until(service.all_landed)
    service.web.next_round()
    file = articles(service.folder / "a.jsonl", 5_000)
    importing = service.begin("import", str(file))
    service.until(lambda: taken_in(service) > 0)
    crawled = service.khabar("crawl", "courier", "--force", "--json")
    assert crawled.returncode == 0, crawled.stderr
    assert json.loads(crawled.stdout)["new"] == 1
    assert importing.poll() is None
    done = taken_in(service)
    service.stop(signal.SIGKILL)
    told = importing.communicate(timeout=60)[1]
    assert importing.returncode == 1
    assert "goes on where it stopped" in told
    service.start()
    seen: list[tuple[int, int]] = []
    taken = actions.import_files(
        config.load_config(service.config),
        [file],
        warn=print,
        on_progress=lambda now: seen.append((now.before, now.rows)),
    )
    assert taken.before >= done > 0
    assert taken.before + taken.rows == 5_000
    assert len({rows for _, rows in seen if 0 < rows < taken.rows}) > 1, (
        "nothing was told on the way"
    )
    assert service.ask(
        "SELECT count(*) FROM fates WHERE url LIKE 'https://paper.example/%'"
    ) == [(5_000,)]


def test_reading_anew_is_told_on_the_way(service) -> None:
    """How many of how many, while the service does it."""
    service.start()
    service.until(service.all_landed)
    seen: list[dict[str, int]] = []
    told = service.khabar("reprocess", "--json")
    counts = json.loads(told.stdout.splitlines()[-1])
    again = follow_job.reprocess_by_service(
        config.load_config(service.config),
        {"criteria": []},
        on_progress=lambda now: seen.append(dict(now)),
    )
    assert again["pages"] == counts["pages"] > 0
    assert seen
    assert all(now["pages"] == counts["pages"] for now in seen)
    assert service.ask(
        "SELECT count(*) FROM requests WHERE kind = 'reprocess' AND progress LIKE '%\"pages\"%'"
    ) == [(2,)]


def test_a_crawl_through_the_service_says_why_pages_were_not_kept(service) -> None:
    """Reasons and their counts come back whole, for people and for programs."""
    service.start()
    service.until(service.all_landed)
    service.web.next_round()
    rows = [
        json.loads(line)
        for line in service.khabar("crawl", "--force", "--json").stdout.splitlines()
    ]
    assert {row["source"] for row in rows} == {
        source.id for source in service.web.site.sources
    }
    assert all(
        isinstance(count, int) for row in rows for count in row["reasons"].values()
    )
