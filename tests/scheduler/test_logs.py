"""Log lines cannot be forged and can be read by people and programs."""

import io
import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from scheduler.service import logs


def record(message: str, **extra) -> logging.LogRecord:
    made = logging.LogRecord(
        "khabar", logging.INFO, __file__, 1, "%s", (message,), None
    )
    made.__dict__.update(extra)
    return made


@given(st.text())
def test_a_title_from_the_web_forges_no_line_and_no_escape_code(title) -> None:
    """Whatever a stranger wrote stays on one line and moves no cursor."""
    line = logs.HumanFormatter().format(record(title))

    assert "\x1b" not in line
    assert "\n" not in line


@given(st.text(), st.integers())
def test_every_json_line_is_one_object(title, number) -> None:
    """A program reads each line by itself and finds the facts."""
    line = logs.JsonFormatter().format(record(title, facts={"found": number}))
    assert "\n" not in line
    assert json.loads(line)["found"] == number


def test_a_pipe_gets_json_and_chatty_libraries_are_quiet() -> None:
    """Where nobody watches, the log is for programs."""
    out = io.StringIO()
    logs.set_up(stream=out)
    logging.getLogger("scrapy.core").info("noise")
    logging.getLogger("khabar").info("poll %s", "a", extra={"facts": {"source": "a"}})
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["source"] == "a"
