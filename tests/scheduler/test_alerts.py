"""Saved searches send what they find.

Once, in order, whatever fails or restarts in between.
"""

import asyncio
import hashlib
import hmac
import json
import sys
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_document
from crawler.sources import CrawlSettings
from scheduler import config
from scheduler.service import alerts
from scheduler.service.alerts import AlertMessage, Alerts
from scheduler.settings import Alert
from storage.model import AlertCursor, Document, Mention
from storage.query.criteria import Criteria
from storage.store import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
SETTINGS = CrawlSettings(allow_addresses=(ip_network("127.0.0.0/8"),))
# Written for the tests.
TEXTS = (
    "The bridge over the river near Kunduz was closed to lorries on Friday, the municipality told drivers in a notice.",
    "Bakers in Herat raised the price of bread by two afghanis, and blamed the cost of wood and of the road from the mill.",
    "Two men were killed at a checkpoint outside Kunduz in the night, a doctor of the regional hospital said by telephone.",
)


def document(number: int, text: str, **more: object) -> Document:
    place = (
        (Mention(kind="place", code="AF17", name="Kunduz", count=1),)
        if "Kunduz" in text
        else ()
    )
    url = f"https://a.example/{number}"
    return make_document(
        url=url,
        source="a",
        title=f"Report {number}",
        text=text,
        mentions=place,
        language="en",
        **more,
    )


class RunningAlerts:
    """A store and the alerts over it, as the service has them; made anew by `restart`."""

    def __init__(
        self,
        folder: Path,
        *configured: Alert,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.store = Store.open(folder / "khabar.db")
        self.path = folder / "khabar.db"
        self.configured, self.environment = configured, environment or {}
        self.fail_saving = False
        self.restart()

    def restart(self) -> None:
        self.alerts = Alerts(
            self.path,
            self.configured,
            SETTINGS,
            save=self._save,
            environment=self.environment,
        )

    async def _save(self, rows: list[AlertCursor]) -> None:
        if self.fail_saving:
            raise KeyboardInterrupt
        self.store.alert_cursors.save(rows)

    def deliver(self) -> None:
        asyncio.run(self.alerts.deliver())

    def land(self, *texts: str, start: int = 0) -> None:
        for number, text in enumerate(texts, start):
            self.store.landings.admit(document(number, text), now=NOW)

    def cursor(self, alert: str = "kunduz") -> AlertCursor:
        return self.store.alert_cursors.load()[alert]

    def end_pause(self) -> None:
        """Let the pause after a failure pass."""
        self.store.alert_cursors.save(
            [
                replace(one, next_try_at=None)
                for one in self.store.alert_cursors.load().values()
            ]
        )


@pytest.fixture
def service(tmp_path: Path):
    made: list[RunningAlerts] = []

    def make(*configured: Alert, **more: object) -> RunningAlerts:
        made.append(RunningAlerts(tmp_path, *configured, **more))
        made[-1].deliver()  # an alert begins where the log ends when it is first seen
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def kunduz(**more: object) -> Alert:
    return Alert(**({"id": "kunduz", "criteria": Criteria(places=("AF17",))} | more))


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


# Files


def test_a_file_gets_what_the_search_finds_once_and_in_order(
    service, tmp_path: Path
) -> None:
    """One object a change, with the article.

    What does not fit is passed over, and nothing is told again.
    """
    file = tmp_path / "out/kunduz.jsonl"
    running = service(kunduz(file=file))
    running.land(*TEXTS)
    for _ in range(3):
        running.deliver()
    assert [one["article"]["title"] for one in lines(file)] == ["Report 0", "Report 2"]
    assert {"key", "alert", "cursor", "at", "what", "detail", "article"} == set(
        lines(file)[0]
    )
    assert (running.cursor().delivered, running.cursor().cursor) == (
        2,
        running.store.changes.last_cursor(),
    )
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_an_alert_begins_at_the_end_of_the_log(service, tmp_path: Path) -> None:
    """A new one does not tell of a year that has passed."""
    running = service()
    running.land(TEXTS[0])
    running.configured = (kunduz(file=tmp_path / "out"),)
    running.restart()
    running.deliver()
    running.land(TEXTS[2], start=2)
    running.deliver()
    assert [one["article"]["title"] for one in lines(tmp_path / "out")] == ["Report 2"]


def test_a_crash_between_file_and_cursor_repeats_nothing(
    service, tmp_path: Path
) -> None:
    """The lines are there, the cursor is not: after the restart they are recognised."""
    running = service(kunduz(file=tmp_path / "out"))
    running.land(*TEXTS)
    running.fail_saving = True
    with pytest.raises(KeyboardInterrupt):
        running.deliver()
    running.fail_saving = False
    running.restart()
    running.land(TEXTS[0].replace("bridge", "ferry crossing"), start=7)
    running.deliver()
    assert [one["article"]["title"] for one in lines(tmp_path / "out")] == [
        "Report 0",
        "Report 2",
        "Report 7",
    ]


def test_a_line_that_a_crash_tore_is_mended(service, tmp_path: Path) -> None:
    """Half a line at the end goes, and is told whole."""
    running = service(kunduz(file=tmp_path / "out"))
    running.land(TEXTS[0])
    running.deliver()
    whole = (tmp_path / "out").read_bytes()
    (tmp_path / "out").write_bytes(whole + b'{"key": "khabar-')
    running.land(TEXTS[2], start=2)
    running.deliver()
    assert [one["article"]["title"] for one in lines(tmp_path / "out")] == [
        "Report 0",
        "Report 2",
    ]


def test_a_file_that_cannot_be_written_is_tried_again(service, tmp_path: Path) -> None:
    """After a pause that grows, with the reason kept; nothing is lost meanwhile."""
    (tmp_path / "out").mkdir()
    running = service(kunduz(file=tmp_path / "out"))
    running.land(TEXTS[0])
    running.deliver()
    assert (running.cursor().failures, running.cursor().delivered) == (1, 0)
    assert "directory" in running.cursor().last_error
    running.deliver()
    assert running.cursor().failures == 1  # not before its time
    (tmp_path / "out").rmdir()
    running.end_pause()
    running.deliver()
    assert (
        len(lines(tmp_path / "out")),
        running.cursor().failures,
        running.cursor().last_error,
    ) == (1, 0, None)


def test_a_long_log_is_gone_through_in_turns(
    service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So much at a time, nothing left out between two."""
    monkeypatch.setattr(alerts, "MAX_CHANGES_PER_CHECK", 4)
    monkeypatch.setattr(alerts, "MAX_MESSAGES_PER_DELIVERY", 2)
    running = service(kunduz(file=tmp_path / "out"))
    running.land(
        *(
            f"{TEXTS[n % 3]} Number {n}, which stands for report {n} of the day {n}."
            for n in range(12)
        )
    )
    for _ in range(12):
        running.deliver()
    told = [one["article"]["id"] for one in lines(tmp_path / "out")]
    assert told == [
        one.article_id
        for one in running.store.changes.since()
        if one.what == "new"
        and "Kunduz" in running.store.articles.find(one.article_id).text
    ]


def test_other_changes_are_told_where_they_are_asked_for(
    service, tmp_path: Path
) -> None:
    """A revision is a message of its own with a key of its own.

    What was dropped meanwhile is none.
    """
    running = service(
        kunduz(file=tmp_path / "out", changes=("new", "revised")),
        kunduz(id="only", file=tmp_path / "only"),
    )
    running.land(TEXTS[0])
    running.land(TEXTS[0] + "\nLater the notice was taken down.")
    running.land(TEXTS[2], start=2)
    running.store.erasure.forget("https://a.example/2")
    running.deliver()
    assert [one["what"] for one in lines(tmp_path / "out")] == ["new", "revised"]
    assert len({one["key"] for one in lines(tmp_path / "out")}) == 2
    assert [one["what"] for one in lines(tmp_path / "only")] == ["new"]


# Webhooks


class Hook:
    """A receiver on loopback that answers as told and remembers what it got."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(
            line.lower().split(": ", 1)
            if "signature" not in line
            else line.split(": ", 1)
            for line in head[1:]
            if line
        )
        self.got.append(
            (headers, await reader.readexactly(int(headers["content-length"])))
        )
        writer.write(
            f"HTTP/1.1 {self.answers.pop(0) if self.answers else 200} x\r\n\r\n".encode()
        )
        writer.close()

    def deliver(self, running: RunningAlerts, port: int) -> None:
        async def going() -> None:
            async with await asyncio.start_server(self, "127.0.0.1", port):
                await running.alerts.deliver()

        asyncio.run(going())


def test_a_webhook_is_tried_until_it_answers_and_never_after(
    service, unused_port: int
) -> None:
    """503, then success.

    The same key both times, the signature holds, the order is kept.
    """
    hook = Hook(503)
    running = service(
        kunduz(webhook=f"http://127.0.0.1:{unused_port}/in", secret_env="S"),
        environment={"S": "of the tests"},
    )
    running.land(*TEXTS)
    hook.deliver(running, unused_port)
    assert running.cursor().last_error == "http 503"
    running.end_pause()
    running.restart()
    for _ in range(3):
        hook.deliver(running, unused_port)
    bodies = [json.loads(body) for _, body in hook.got]
    assert [one["article"]["title"] for one in bodies] == [
        "Report 0",
        "Report 0",
        "Report 2",
    ]
    assert (
        bodies[0]["key"]
        == bodies[1]["key"]
        == hook.got[0][0]["webhook-id"]
        != bodies[2]["key"]
    )
    headers, body = hook.got[2]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert (
        headers["webhook-signature"]
        == "v1,"
        + b64encode(hmac.new(b"of the tests", signed, hashlib.sha256).digest()).decode()
    )


def test_a_webhook_without_its_secret_sends_nothing(service, unused_port: int) -> None:
    """An unsigned message is worse than a late one."""
    hook = Hook()
    running = service(
        kunduz(webhook=f"http://127.0.0.1:{unused_port}/in", secret_env="S")
    )
    running.land(TEXTS[0])
    hook.deliver(running, unused_port)
    assert hook.got == []
    assert "S has no secret" in running.cursor().last_error


def test_a_webhook_inside_is_refused(service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that can be configured in an address reaches the machine's own services."""
    running = service(
        kunduz(webhook="http://169.254.169.254/latest", secret_env="S"),
        environment={"S": "x"},
    )
    running.land(TEXTS[0])
    running.deliver()
    assert "not a public address" in running.cursor().last_error


def test_a_reload_gives_alerts_their_new_addresses_and_their_new_name(
    service, unused_port: int
) -> None:
    """The guard of webhooks and the User-Agent are those of the settings in force."""
    hook = Hook()
    alert = kunduz(webhook=f"http://127.0.0.1:{unused_port}/in", secret_env="S")
    running = service(alert, environment={"S": "of the tests"})
    running.alerts.reconfigure([alert], CrawlSettings(user_agent="old/1"))
    running.land(TEXTS[0])
    hook.deliver(running, unused_port)
    assert hook.got == []
    assert "not a public address" in running.cursor().last_error
    running.alerts.reconfigure([alert], replace(SETTINGS, user_agent="new/2"))
    running.end_pause()
    hook.deliver(running, unused_port)
    ((headers, _),) = hook.got
    assert headers["user-agent"] == "new/2"


# Commands


def test_a_command_gets_json_on_its_input_and_nothing_in_its_words(
    service, tmp_path: Path
) -> None:
    """A hostile title is data there; no shell is between."""
    script = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read()); open(sys.argv[1] + '.args', 'a').write(repr(sys.argv))"
    running = service(
        kunduz(command=(sys.executable, "-c", script, str(tmp_path / "got")))
    )
    running.store.landings.admit(
        document(0, TEXTS[0] + " $(touch /tmp/x) `id`"), now=NOW
    )
    running.deliver()
    assert "$(touch" in lines(tmp_path / "got")[0]["article"]["text"]
    assert "touch" not in (tmp_path / "got.args").read_text("utf-8")


def test_a_command_that_fails_or_hangs_is_tried_again(service) -> None:
    """An exit code, a program that is not there, one that does not end.

    Each has its reason, and is not left running.
    """
    running = service(
        kunduz(id="fails", command=(sys.executable, "-c", "raise SystemExit(3)")),
        kunduz(id="none", command=("/nowhere/program",)),
        kunduz(id="hangs", command=("sleep", "60"), timeout=0.3),
    )
    running.land(TEXTS[0])
    running.deliver()
    assert "ended with 3" in running.cursor("fails").last_error
    assert "No such file" in running.cursor("none").last_error
    assert "longer than 0.3 s" in running.cursor("hangs").last_error


def test_one_that_fails_holds_up_no_other(service, tmp_path: Path) -> None:
    """Each alert has its own place in the log."""
    running = service(
        kunduz(id="none", command=("/nowhere/program",)), kunduz(file=tmp_path / "out")
    )
    running.land(TEXTS[0])
    running.deliver()
    assert len(lines(tmp_path / "out")) == 1


# Pure parts, configuration


@given(st.integers(0, 500))
def test_pauses_grow_to_an_hour_and_stay_there(failures: int) -> None:
    """However long a receiver is away."""
    after = alerts.after_failure(
        AlertCursor(id="a", cursor=1, failures=failures), "away", NOW
    )
    assert timedelta(seconds=30) <= after.next_try_at - NOW <= timedelta(hours=1)
    assert (after.failures, after.cursor) == (failures + 1, 1)


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b" ")), max_size=5),
    st.binary(max_size=20),
)
def test_lines_are_added_after_whatever_stands_in_a_file(
    before: list[bytes], torn: bytes
) -> None:
    """Whole lines of somebody else stay, half a line goes."""
    import tempfile

    torn = torn.replace(b"\n", b"")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "out"
        file.write_bytes(b"".join(line + b"\n" for line in before) + torn)
        message = AlertMessage(
            cursor=1,
            key="khabar-" + "0" * 32,
            body=b'{"key": "khabar-' + b"0" * 32 + b'"}',
        )
        assert (
            alerts.append_to_file(file, [message])
            == alerts.append_to_file(file, [message])
            == ""
        )
        assert (
            file.read_bytes()
            == b"".join(line + b"\n" for line in before) + message.body + b"\n"
        )


def parsed(**keys: object) -> tuple[config.Config, list[str]]:
    return config.parse_config(
        {"alerts": [{"id": "a"} | keys]}, base=Path("/etc/khabar")
    )


def test_an_alert_is_read_from_the_configuration() -> None:
    """Filters as a text or a list; a file is relative to the configuration."""
    read, faults = parsed(
        words="bridge",
        place="Kunduz",
        lang=["fa", "ps"],
        min_relevance=0.7,
        file="a.jsonl",
        timeout="5s",
    )
    assert faults == []
    assert read.alerts[0] == Alert(
        id="a", file=Path("/etc/khabar/a.jsonl"), timeout=5.0,
        criteria=Criteria(words="bridge", places=("Kunduz",), languages=("fa", "ps"), min_relevance=0.7),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({}, "alerts[0]: needs exactly one of file, webhook, command; none given"),
        ({"file": "a", "command": ["b"]}, "file and command given"),
        ({"file": ""}, 'alerts[0].file: "" is empty'),
        ({"webhook": "https://a.example/"}, "alerts[0].secret_env: goes with webhook"),
        ({"file": "a", "secret_env": "S"}, "alerts[0].secret_env: goes with webhook"),
        (
            {"webhook": "https://a.example/", "secret_env": "not a name"},
            "is not the name of an environment variable",
        ),
        (
            {"webhook": "https://me:pw@a.example/", "secret_env": "S"},
            "user name or password",
        ),
        ({"command": []}, "alerts[0].command: [] is empty"),
        ({"command": ["a", "b\nc"]}, "control character"),
        ({"file": "a", "changes": ["news"]}, 'names "news"'),
        ({"file": "a", "placce": "Kunduz"}, "did you mean 'place'?"),
    ],
)
def test_faults_of_an_alert_are_told_with_their_path(keys: dict, fault: str) -> None:
    """All at once, as for everything else in the file."""
    assert any(fault in one for one in parsed(**keys)[1]), parsed(**keys)[1]


def test_two_alerts_of_one_name_are_a_fault() -> None:
    """They would share a place in the log."""
    assert config.parse_config(
        {"alerts": [{"id": "a", "file": "x"}, {"id": "a", "file": "y"}]}
    )[1]


@pytest.mark.parametrize("others", [0, 1, 3])
def test_a_whole_last_line_without_its_end_stays(tmp_path: Path, others: int) -> None:
    """An editor took the line end off: the line was told, and never comes again."""
    file = tmp_path / "out"
    lines = [b'{"key": "a", "n": %d}' % n for n in range(others + 1)]
    file.write_bytes(b"\n".join(lines))
    body = b'{"key": "khabar-' + b"1" * 32 + b'"}'
    message = AlertMessage(cursor=1, key="khabar-" + "1" * 32, body=body)
    assert alerts.append_to_file(file, [message]) == ""
    assert file.read_bytes().splitlines() == [*lines, body]
