"""Lines of JSON to landings: what is taken, what becomes null, what is skipped."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_source
from crawler.files import articles, pieces
from crawler.sources import CrawlSettings, Source
from storage.model import Document, Rejection, RejectionReason

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
KEEP_ALL = CrawlSettings(min_relevance=0)
ANY = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=30)
    | st.lists(st.text(max_size=5) | st.integers(), max_size=3)
)


def read(
    row: object,
    *,
    settings: CrawlSettings = KEEP_ALL,
    sources: dict[str, Source] | None = None,
) -> articles.ParsedLine:
    return articles.parse_line(
        1, json.dumps(row).encode(), sources=sources or {}, settings=settings, now=NOW
    )


def document(row: dict[str, object]) -> Document:
    landing = read(
        {"url": "https://outlet.example/a", "text": "One word."} | row
    ).landing
    assert landing is not None
    assert isinstance(landing.outcome, Document)
    return landing.outcome


def test_a_url_and_a_text_are_enough_however_short() -> None:
    """There is no minimum length, and the host stands in for the source."""
    made = document({"text": "Yes."})
    assert (made.text, made.source, made.title, made.published_at, made.via) == (
        "Yes.",
        "outlet.example",
        None,
        None,
        "import",
    )


def test_everything_that_is_there_is_taken() -> None:
    """Title, time, source, language and authors."""
    made = document({
        "title": " Two  killed ", "published_at": "2026-11-20T06:30:00+04:30", "source": "Some Outlet", "language": "fa-AF",
        "authors": ["Laila Qaderi", " "],
    })  # fmt: skip
    assert (made.title, made.source, made.language, made.authors) == (
        "Two killed",
        "Some Outlet",
        "fa-AF",
        ("Laila Qaderi",),
    )
    assert (made.published_at, made.published_how) == (
        datetime(2026, 11, 20, 2, tzinfo=UTC),
        "import",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("published_at", "soon"), ("published_at", "2199-01-01"), ("published_at", 7), ("language", "Dari!"), ("language", 3),
        ("source", ["x"]), ("title", {"a": 1}), ("authors", [1]), ("authors", 5),
    ],
)  # fmt: skip
def test_a_bad_optional_value_becomes_null_with_a_warning(
    key: str, value: object
) -> None:
    """Never a lost row."""
    row = read({"url": "https://outlet.example/a", "text": "Yes.", key: value})
    assert row.landing is not None
    assert [warning.partition(" ")[0] for warning in row.warnings] == [key]


@pytest.mark.parametrize(
    "row",
    [
        [], "x", 7, None, {}, {"url": "https://a.example/"}, {"text": "x"}, {"url": "https://a.example/", "text": 5},
        {"url": "ftp://a.example/", "text": "x"}, {"url": "https://", "text": "x"}, {"url": "http://[", "text": "x"},
        {"url": "https://a.example/" + "a" * 3000, "text": "x"}, {"url": None, "text": "x"},
    ],
)  # fmt: skip
def test_a_row_without_an_address_or_a_text_is_skipped_and_told(row: object) -> None:
    """What cannot have a fate is not taken in silence."""
    taken = read(row)
    assert taken.landing is None
    assert taken.warnings[0].endswith("skipped")


def test_the_same_desk_judges() -> None:
    """Relevance applies as for a crawl, with the source's own threshold where it has one."""
    told = {
        "url": "https://outlet.example/a",
        "text": "The spinners shared seven wickets on a slow pitch.",
        "source": "sport",
    }
    landing = read(told, settings=CrawlSettings()).landing
    assert landing is not None
    assert isinstance(landing.outcome, Rejection)
    assert landing.outcome.why is RejectionReason.IRRELEVANT
    lenient = {
        "sport": make_source(
            "sport", url="https://outlet.example/feed", min_relevance=0.0
        )
    }
    kept = read(told, settings=CrawlSettings(), sources=lenient).landing
    assert kept is not None
    assert isinstance(kept.outcome, Document)


def test_the_tail_goes_wherever_the_text_came_from() -> None:
    """An imported text is cleaned like a page's."""
    text = "Gunmen attacked a checkpoint near the town.\nSource link\nLeave a Reply\nYour email address will not be published."
    made = document({"text": text})
    assert made.text == "Gunmen attacked a checkpoint near the town."
    assert made.cuts


def test_an_empty_text_has_a_fate_too() -> None:
    """It is rejected as empty, not skipped."""
    landing = read({"url": "https://outlet.example/a", "text": " \n "}).landing
    assert landing is not None
    assert isinstance(landing.outcome, Rejection)
    assert landing.outcome.why is RejectionReason.EMPTY


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_are_a_fault(line: bytes) -> None:
    """Whatever a line holds, the next one is read."""
    assert (
        articles.parse_line(1, line, sources={}, settings=KEEP_ALL, now=NOW).number == 1
    )


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"url": st.just("https://outlet.example/a"), "text": st.text(max_size=200)},
        optional=dict.fromkeys(
            ("title", "published_at", "source", "language", "authors", "more"), ANY
        ),
    )
)
def test_no_optional_value_loses_a_row(told: dict[str, object]) -> None:
    """Any value of any optional key still lands."""
    assert read(told).landing is not None


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    """Blank lines count but are not read; packed files are read the same way."""
    import gzip

    content = b'{"a": 1}\n\n{"b": 2}'
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))
    for name in ("a.jsonl", "a.jsonl.gz"):
        assert list(pieces.numbered_lines(tmp_path / name)) == [
            (1, b'{"a": 1}\n'),
            (3, b'{"b": 2}'),
        ]


def test_a_line_without_an_end_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a line that is too long only its beginning is kept, and the next one is read."""
    monkeypatch.setattr(pieces, "MAX_LINE_BYTES", 1_000)
    (tmp_path / "a.jsonl").write_bytes(b'"' + b"x" * 10_500 + b'"\n{"b": 2}\n')
    found: Iterator[tuple[int, bytes]] = pieces.numbered_lines(tmp_path / "a.jsonl")
    assert [(number, len(line)) for number, line in found] == [(1, 100), (2, 9)]


@pytest.mark.parametrize(
    ("text", "told", "language"),
    [
        (
            "د کلي اوسېدونکي وایي چې موږ هر کال د وچکالۍ له امله ځمکې پرېږدو.",
            None,
            "ps",
        ),
        ("باشندگان این ولسوالی می‌گویند که سیلاب دو پل را ویران کرده است.", "en", "fa"),
        ("Сокинони деҳа гуфтанд, ки роҳи кӯҳӣ аз субҳ боз аст.", None, "tg"),
        ("The road to the valley has been open since the morning.", "en", "en"),
    ],
)
def test_the_text_of_a_line_tells_its_language(
    text: str, told: str | None, language: str
) -> None:
    """A line without a language, or with a wrong one, is read by its letters."""
    assert document({"text": text, "language": told}).language == language
