"""Words that a user adds for relevance.

Read from [topic], refused with their path, and felt in a verdict.
"""

import pytest

from crawler.topic import relevance, scan
from scheduler import config


def test_words_of_the_user_reach_the_verdict() -> None:
    """A term of `extra_terms` makes the difference that its weight says."""
    tree = {"topic": {"extra_terms": [["poppy standoff", "event:battles", 0.9]]}}
    read, faults = config.parse_config(tree)
    assert faults == []
    text = "Poppy standoff in Badakhshan"
    assert relevance.judge(scan.scan_text(None, text)).score < 0.5
    terms = read.crawl.extra_terms
    assert relevance.judge(scan.scan_text(None, text, extra_terms=terms)).score >= 0.5


@pytest.mark.parametrize(
    "entry",
    [
        "words",
        ["words"],
        ["words", "event"],
        ["", "event", 0.5],
        ["words", "colour", 0.5],
        ["words", "event", 2],
        [1, 2, 3],
    ],
)
def test_a_term_that_is_none_is_refused_with_its_path(entry: object) -> None:
    """Wrong shape, unknown category and impossible weight are faults of topic.extra_terms."""
    (fault,) = config.parse_config({"topic": {"extra_terms": [entry]}})[1]
    assert fault.startswith("topic.extra_terms: ")
