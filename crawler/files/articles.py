"""Articles as others wrote them down.

Lines of JSON -> landings, by the same desk as a crawl. Pure; runs in a worker.

A line needs `url` and `text`; `title`, `published_at`, `source`, `language` and
`authors` are taken if they are there. A bad optional value becomes null with a warning,
never a lost row; there is no minimum length.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from crawler import intake
from crawler.extraction import clean, extract, written_dates
from crawler.files.parsed_line import ParsedLine
from crawler.sources import CrawlSettings, Source
from storage import identity
from storage.folding import printable
from storage.model import Document, Landing, Rejection, RejectionReason

MAX_TEXT_CHARS = 2_000_000  # characters that are read of one text
MAX_NAME_CHARS = 200  # characters of a title, a source, an author
MAX_AUTHORS = 30
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.IGNORECASE)


def parse_lines(
    lines: Sequence[tuple[int, bytes]],
    *,
    sources: Mapping[str, Source],
    settings: CrawlSettings,
    now: datetime,
) -> list[ParsedLine]:
    """The rows of numbered lines, in their order.

    `sources` are those that have a say in relevance, by id.
    """
    return [
        parse_line(number, line, sources=sources, settings=settings, now=now)
        for number, line in lines
    ]


def parse_line(
    number: int, line: bytes, *, sources: Mapping[str, Source], settings: CrawlSettings, now: datetime
) -> ParsedLine:  # fmt: skip
    """One line: parsed, cleaned, judged."""
    told = _object(line)
    if isinstance(told, str):
        return ParsedLine(number=number, landing=None, warnings=(told,))
    reader = _Reader(told)
    url = reader.address()
    if url is None or not isinstance(told.get("text"), str):
        fault = (
            "url is no http address; skipped"
            if url is None
            else "text is missing or no text; skipped"
        )
        return ParsedLine(number=number, landing=None, warnings=(fault,))
    document = _document(reader, url, now)
    source = sources.get(document.source)
    outcome: Document | Rejection = Rejection(
        why=RejectionReason.EMPTY,
        detail="no text",
        url=document.url,
        title=document.title,
    )
    if document.text:
        outcome = intake.judge_document(document, source=source, settings=settings)
    landing = Landing(
        outcome=outcome,
        url=url,
        source=document.source,
        lines=clean.line_hashes(document.text),
    )
    return ParsedLine(number=number, landing=landing, warnings=tuple(reader.warnings))


def _object(line: bytes) -> dict[str, Any] | str:
    try:
        told = json.loads(line.decode("utf-8", "replace").removeprefix("\ufeff"))
    except (ValueError, RecursionError) as fault:
        return f"not JSON ({type(fault).__name__}); skipped"
    return told if isinstance(told, dict) else "not a JSON object; skipped"


def _document(reader: "_Reader", url: str, now: datetime) -> Document:
    title = reader.line("title")
    language = reader.language()
    cleaned = clean.clean(reader.told["text"][:MAX_TEXT_CHARS], title=title)
    dated = reader.moment("published_at", now, language)
    return Document(
        url=identity.canonical_url(url),
        source=reader.line("source") or identity.url_host(url),
        title=title,
        text=cleaned.text,
        authors=reader.authors(),
        language=language,
        published_at=dated.at if dated else None,
        published_how="import" if dated else None,
        published_confidence=dated.confidence if dated else None,
        published_raw=dated.raw if dated else None,
        extracted_how="import: the text as it was given",
        extractor=extract.VERSION,
        cuts=cleaned.cuts,
        via="import",
    )


@dataclass(slots=True)
class _Reader:
    """The values of one object.

    What is wrong with an optional one goes to the warnings.
    """

    told: Mapping[str, Any]
    warnings: list[str] = field(default_factory=list)

    def address(self) -> str | None:
        url = self.told.get("url")
        if (
            not isinstance(url, str)
            or not 0 < len(url := printable(url).strip()) <= identity.MAX_URL_CHARS
        ):
            return None
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        return url if parts.scheme in {"http", "https"} and parts.hostname else None

    def line(self, key: str) -> str | None:
        value = self.told.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self._null(key, "is no text")
            return None
        return (
            " ".join(printable(value[: MAX_NAME_CHARS * 5]).split())[
                : MAX_NAME_CHARS * 5
            ]
            or None
        )

    def language(self) -> str | None:
        value = self.line("language")
        if value is not None and not LANGUAGE.fullmatch(value):
            self._null("language", "is no language tag")
            return None
        return value

    def moment(
        self, key: str, now: datetime, language: str | None
    ) -> written_dates.ParsedDate | None:
        value = self.line(key)
        dated = (
            written_dates.parse_date(value, now=now, language=language, method="import")
            if value
            else None
        )
        if value and dated is None:
            self._null(key, "is no date that can be")
        return dated

    def authors(self) -> tuple[str, ...]:
        value = self.told.get("authors")
        names = [value] if isinstance(value, str) else value
        if names is None:
            return ()
        if not isinstance(names, list) or not all(
            isinstance(name, str) for name in names
        ):
            self._null("authors", "is no list of names")
            return ()
        short = (
            " ".join(printable(name[:MAX_NAME_CHARS]).split())
            for name in names[:MAX_AUTHORS]
        )
        return tuple(name for name in short if name)

    def _null(self, key: str, fault: str) -> None:
        self.warnings.append(f"{key} {fault}; taken as null")
