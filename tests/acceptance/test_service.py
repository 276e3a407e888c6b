"""The service as its operator meets it.

The real program, started, asked, reloaded, interrupted and killed.
"""

import json
import signal
import sqlite3
import time
import urllib.request


def test_it_collects_what_is_due_and_ends_cleanly_within_ten_seconds(service) -> None:
    """Started, it visits every source without being told.

    SIGTERM ends it with exit 0 and every URL has a fate.
    """
    service.start()
    service.until(service.all_landed)
    code, took = service.stop()
    assert code == 0, service.log[-3000:]
    assert took < 10
    assert service.ask("SELECT count(*) FROM articles")[0][0] >= 6
    assert "Traceback" not in service.log


def test_case_102_what_was_just_visited_is_not_asked_again_after_a_restart(
    service,
) -> None:
    """When a source is due is a column of the file, not the memory of a process."""
    service.start()
    service.until(service.all_landed)
    service.stop(signal.SIGINT)
    asked = len(service.web.asked)
    service.start()
    time.sleep(3)
    assert service.stop()[0] == 0
    assert len(service.web.asked) == asked


def test_c7_a_second_service_refuses_and_says_who_has_the_file(service) -> None:
    """Exit 75 with the holder's pid.

    A lock that a killed process left is taken over.
    """
    service.start()
    second = service.khabar("run")
    assert second.returncode == 75
    assert str(service.process.pid) in second.stderr
    service.stop(signal.SIGKILL)
    service.start()
    assert service.process.poll() is None


def test_a_manual_crawl_is_done_by_the_service_and_told_live(service) -> None:
    """`khabar crawl` beside a running service hands the work over and prints the result as if it had done it."""
    service.start()
    service.until(service.all_landed)
    service.web.next_round()
    told = service.khabar("crawl", "courier", "--force", "--json")
    assert told.returncode == 0, told.stderr
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    (summary,) = [
        row for row in rows if row.get("source") == "courier" and "found" in row
    ]
    assert (summary["new"], summary["revised"]) == (1, 1)
    assert service.khabar("crawl", "courier").returncode == 0


def test_a_changed_configuration_is_taken_over_whole_or_not_at_all(service) -> None:
    """SIGHUP with a faulty file changes nothing and says why.

    With a good one the new source is visited.
    """
    service.configure(["courier"])
    service.start()
    service.until(service.all_landed)
    service.config.write_text(service.config.read_text() + "nonsense = 1\n")
    service.process.send_signal(signal.SIGHUP)
    service.until(lambda: "not taken over" in service.log)
    assert "nonsense" in service.log
    service.configure(["courier", "payam"])
    service.process.send_signal(signal.SIGHUP)
    service.until(
        lambda: bool(service.ask("SELECT 1 FROM articles WHERE source = 'payam'"))
    )
    assert service.stop()[0] == 0


def test_keys_that_wait_for_the_next_start_are_named(service) -> None:
    """In the log and by `status`, until the service starts again."""

    def waiting() -> list[str]:
        return json.loads(service.khabar("status", "--json").stdout)["waiting_keys"]

    service.configure(["courier"])
    service.start()
    service.until(service.all_landed)
    assert waiting() == []
    plain = service.config.read_text()
    service.config.write_text(plain.replace("workers = 1", "workers = 2"))
    service.process.send_signal(signal.SIGHUP)
    named = "these keys wait for the next start: crawl.workers"
    service.until(lambda: named in service.log)
    assert waiting() == ["crawl.workers"]
    assert "crawl.workers" in service.khabar("status").stdout
    assert service.stop()[0] == 0
    service.start()
    assert waiting() == []


def test_figures_and_health_are_served_where_they_were_asked_for(
    service, unused_port: int
) -> None:
    """Prometheus text and a health page, on the configured address only."""
    address = f"127.0.0.1:{unused_port}"
    service.configure(["courier"], extra=f'[service]\nmetrics = "{address}"\n')
    service.start()
    service.until(service.all_landed)
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        figures = answer.read().decode()
    with urllib.request.urlopen(f"http://{address}/healthz", timeout=30) as answer:
        assert answer.read() == b"ok\n"
    assert 'khabar_polls_total{status="ok"} 1' in figures
    assert "khabar_queue_length 0" in figures


def test_status_tells_a_service_that_works_from_one_that_never_did(service) -> None:
    """Exit 1 and a reason before anything was kept, exit 0 after."""
    assert service.khabar("status").returncode == 3
    service.configure(["courier", "payam", "spinghar", "monitor"])
    service.start()
    service.until(service.all_landed)
    well = service.khabar("status")
    assert well.returncode == 0, well.stdout


def test_a_backup_is_taken_and_a_text_erased_while_the_service_runs(service) -> None:
    """Both go through the file.

    The copy is whole and the erased text is gone from it.
    """
    service.start()
    service.until(service.all_landed)
    number, url = service.ask("SELECT id, url FROM articles LIMIT 1")[0]
    assert service.khabar("forget", str(number)).returncode == 0
    assert service.ask(f"SELECT fate FROM fates WHERE url = '{url}'") == [
        ("forgotten",)
    ]
    assert service.khabar("backup", str(service.folder / "copy.db")).returncode == 0
    copy = sqlite3.connect(service.folder / "copy.db")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute(
        "SELECT count(*) FROM articles WHERE id = ?", [number]
    ).fetchone() == (0,)
    copy.close()


def test_what_people_say_and_what_alerts_tell_goes_through_the_service(service) -> None:
    """A mark beside a running service is done by it.

    Each article is told once, through a kill and a restart.
    """
    told = service.folder / "alerts.jsonl"
    service.configure(
        ["courier", "payam"],
        extra='[[alerts]]\nid = "all"\nfile = "alerts.jsonl"\nchanges = ["new", "reclassified"]\n',
    )
    service.start()
    service.until(service.all_landed)
    number, url = service.ask("SELECT id, url FROM articles ORDER BY id LIMIT 1")[0]
    assert service.khabar("mark", str(number), "--tag", "case 12").returncode == 0
    assert service.khabar("mark", url, "--relevant", "--json").returncode == 0
    service.until(
        lambda: told.is_file() and told.read_text().count("tagged case 12") == 1
    )
    service.stop(signal.SIGKILL)
    service.start()
    service.web.next_round()
    assert service.khabar("crawl", "courier", "--force").returncode == 0
    last = service.ask("SELECT max(cursor) FROM changes")[0][0]
    service.until(
        lambda: service.ask("SELECT cursor FROM alerts WHERE id = 'all'")[0][0] >= last
    )
    keys = [json.loads(line)["key"] for line in told.read_text().splitlines()]
    new = service.ask(
        "SELECT count(*) FROM changes WHERE what IN ('new', 'reclassified') AND article_id IN (SELECT id FROM articles)"
    )[0][0]
    assert len(keys) == len(set(keys)) == new
