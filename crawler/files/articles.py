"""Articles as others wrote them down: lines of JSON become landings.

They are judged as a crawl's pages are. Pure; runs in a worker.

A line needs `url` and `text`; `title`, `published_at`, `source`, `language` and
`authors` are taken if they are there. A bad optional value becomes null with a warning,
never a lost row; there is no minimum length.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from crawler import intake
from crawler.extraction import clean, extract, written_dates
from crawler.extraction.language import detect_language
from crawler.files.parsed_line import ParsedLine
from crawler.sources import CrawlSettings, Source
from storage import identity
from storage.folding import printable
from storage.model import Document, Landing, Rejection, RejectionReason

MAX_TEXT_CHARS = 2_000_000  # that are read of one text
MAX_NAME_CHARS = 200  # of an author
MAX_TITLE_CHARS = 1_000  # of a title, a source, a date
MAX_AUTHORS = 30
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.IGNORECASE)


def parse_lines(
    lines: Sequence[tuple[int, bytes]],
    *,
    sources: Mapping[str, Source],
    settings: CrawlSettings,
    now: datetime,
) -> list[ParsedLine]:
    """What numbered lines bring, in their order.

    `sources` are those that have a say in relevance, by id.
    """
    return [
        parse_line(number, line, sources=sources, settings=settings, now=now)
        for number, line in lines
    ]


def parse_line(
    number: int,
    line: bytes,
    *,
    sources: Mapping[str, Source],
    settings: CrawlSettings,
    now: datetime,
) -> ParsedLine:
    """One line: parsed, cleaned, judged."""
    try:
        given = json.loads(line.decode("utf-8", "replace").removeprefix("\ufeff"))
    except (ValueError, RecursionError) as fault:
        return _skipped(number, f"not JSON ({type(fault).__name__})")
    if not isinstance(given, dict):
        return _skipped(number, "not a JSON object")
    values = _Values(given)
    url = values.address()
    if url is None:
        return _skipped(number, "url is no http address")
    if not isinstance(given.get("text"), str):
        return _skipped(number, "text is missing or no text")

    document = _make_document(values, url, now)
    outcome: Document | Rejection
    if document.text:
        source = sources.get(document.source)
        outcome = intake.judge_document(document, source=source, settings=settings)
    else:
        outcome = Rejection(
            why=RejectionReason.EMPTY,
            detail="no text",
            url=document.url,
            title=document.title,
        )
    landing = Landing(
        outcome=outcome,
        url=url,
        source=document.source,
        lines=clean.line_hashes(document.text),
    )
    return ParsedLine(number=number, landing=landing, warnings=tuple(values.warnings))


def _skipped(number: int, why: str) -> ParsedLine:
    return ParsedLine(number=number, landing=None, warnings=(f"{why}; skipped",))


def _make_document(values: "_Values", url: str, now: datetime) -> Document:
    """The document that an object describes, its text cleaned."""
    title = values.text("title")
    cleaned = clean.clean(values.given["text"][:MAX_TEXT_CHARS], title=title)
    language = detect_language(cleaned.text, declared=values.language())
    document = Document(
        url=identity.canonical_url(url),
        source=values.text("source") or identity.url_host(url),
        title=title,
        text=cleaned.text,
        authors=values.authors(),
        language=language,
        extracted_how="import: the text as it was given",
        extractor=extract.VERSION,
        cuts=cleaned.cuts,
        via="import",
    )
    published = values.date("published_at", now, language)
    if published is None:
        return document
    return replace(
        document,
        published_at=published.at,
        published_how="import",
        published_confidence=published.confidence,
        published_raw=published.raw,
    )


@dataclass(slots=True)
class _Values:
    """The values of one object.

    What is wrong with an optional one goes to the warnings.
    """

    given: Mapping[str, Any]
    warnings: list[str] = field(default_factory=list)

    def address(self) -> str | None:
        """The URL, or None where it is none that can be asked for."""
        url = self.given.get("url")
        if not isinstance(url, str):
            return None
        url = printable(url).strip()
        if not url or len(url) > identity.MAX_URL_CHARS:
            return None
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return None
        return url

    def text(self, key: str) -> str | None:
        """A line of text without control characters."""
        value = self.given.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self._take_as_null(key, "is no text")
            return None
        line = " ".join(printable(value[:MAX_TITLE_CHARS]).split())
        return line[:MAX_TITLE_CHARS] or None

    def language(self) -> str | None:
        """The language tag."""
        value = self.text("language")
        if value is not None and not LANGUAGE.fullmatch(value):
            self._take_as_null("language", "is no language tag")
            return None
        return value

    def date(
        self, key: str, now: datetime, language: str | None
    ) -> written_dates.ParsedDate | None:
        """A date, however it is written."""
        value = self.text(key)
        if not value:
            return None
        date = written_dates.parse_date(
            value, now=now, language=language, method="import"
        )
        if date is None:
            self._take_as_null(key, "is no date that can be")
        return date

    def authors(self) -> tuple[str, ...]:
        """The names of the authors."""
        names = self.given.get("authors")
        if names is None:
            return ()
        if isinstance(names, str):
            names = [names]
        is_list = isinstance(names, list)
        if not is_list or not all(isinstance(name, str) for name in names):
            self._take_as_null("authors", "is no list of names")
            return ()
        authors = []
        for name in names[:MAX_AUTHORS]:
            author = " ".join(printable(name[:MAX_NAME_CHARS]).split())
            if author:
                authors.append(author)
        return tuple(authors)

    def _take_as_null(self, key: str, fault: str) -> None:
        self.warnings.append(f"{key} {fault}; taken as null")
